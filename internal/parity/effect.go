package parity

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/catalog"
)

// An Effect is what a difference may do to somebody who trusts the stand-in.
type Effect string

// The effects, the gravest first. A difference of several pieces has the gravest of theirs.
const (
	BreaksLoad       Effect = "breaks the load"
	LosesData        Effect = "loses data"
	ApplicationFails Effect = "an application would fail"
	ChangesBehaviour Effect = "changes behaviour"
	ChangesRehearsal Effect = "changes a rehearsal's outcome"
	Cosmetic         Effect = "cosmetic"
)

// Effects lists them, the gravest first.
func Effects() []Effect {
	return []Effect{BreaksLoad, LosesData, ApplicationFails, ChangesBehaviour, ChangesRehearsal, Cosmetic}
}

// graver tells whether e is worse than f.
func (e Effect) graver(f Effect) bool {
	return slices.Index(Effects(), e) < slices.Index(Effects(), f)
}

// A judgement is an effect with the sentence that says why.
type judgement struct {
	effect Effect
	why    string
}

// A manner says what it does when objects of a kind are missing in the target,
// are there too many, or differ in their definition.
type manner struct{ missing, extra, different judgement }

var (
	unknownName  = judgement{ApplicationFails, "statements that name it fail in staging"}
	taken        = judgement{ChangesRehearsal, "a migration that creates it fails in staging and passes in production"}
	accepts      = judgement{ChangesRehearsal, "staging accepts rows that production refuses"}
	refuses      = judgement{BreaksLoad, "staging may refuse rows that production accepts"}
	reactsLess   = judgement{ChangesBehaviour, "what production does on a change of rows is not done in staging"}
	reactsMore   = judgement{ChangesBehaviour, "staging does something on a change of rows that production does not"}
	reactsElse   = judgement{ChangesBehaviour, "a change of rows sets off something else in staging"}
	clockLess    = judgement{ChangesBehaviour, "what production does by the clock is not done in staging"}
	clockMore    = judgement{ChangesBehaviour, "staging does something by the clock that production does not"}
	clockElse    = judgement{ChangesBehaviour, "something else is done by the clock in staging, or at another time"}
	readsElse    = judgement{ChangesBehaviour, "the same query gives other rows or columns in staging"}
	worksElse    = judgement{ChangesBehaviour, "the same call gives another result in staging"}
	plannedElse  = judgement{ChangesBehaviour, "queries are planned otherwise and take another time in staging"}
	allowsElse   = judgement{ChangesBehaviour, "other roles may read or write in staging than in production"}
	showsElse    = judgement{ChangesBehaviour, "other rows can be seen or changed in staging than in production"}
	repeatsElse  = judgement{ChangesBehaviour, "other changes are replicated from staging than from production"}
	countsElse   = judgement{ChangesBehaviour, "numbers are given out otherwise in staging"}
	sortsElse    = judgement{ChangesBehaviour, "text is sorted and compared otherwise, and unique columns may take other texts for equal"}
	setElse      = judgement{ChangesBehaviour, "a setting that decides what statements do is another in staging"}
	migratesElse = judgement{ChangesRehearsal, "statements of a migration are met by something else in staging"}
	ownedElse    = judgement{ChangesRehearsal, "a migration may be allowed on one side and refused on the other"}
	namedElse    = judgement{ChangesRehearsal, "a migration that names it fails on one of the two sides"}
	ruleElse     = judgement{ChangesRehearsal, "one side has it as a constraint and the other as an index alone: values are kept apart all the same, and a migration that names it fails on one side"}
	spreadElse   = judgement{ChangesBehaviour, "rows lie in other partitions, and a migration of them works otherwise"}
	spaceElse    = judgement{Cosmetic, "space, upkeep and speed may differ, no result does"}
	wordsElse    = judgement{Cosmetic, "only words for readers differ"}
	versionElse  = judgement{ChangesRehearsal, "a statement may be accepted, run or lock otherwise by another version"}
)

// manners is what is known of each kind of object, in the words of engines.
var manners = func() map[string]manner {
	var (
		named    = func(different judgement) manner { return manner{unknownName, taken, different} }
		always   = func(j judgement) manner { return manner{j, j, j} }
		guard    = manner{accepts, refuses, refuses}
		reaction = manner{reactsLess, reactsMore, reactsElse}
	)
	return map[string]manner{
		"table":   {judgement{LosesData, "its rows have no place in staging, and statements that name it fail there"}, taken, readsElse},
		"column":  {judgement{LosesData, "its values have no place in staging, and statements that name it fail there"}, judgement{ChangesRehearsal, "a migration that adds it fails in staging and passes in production"}, readsElse},
		"schema":  named(worksElse),
		"catalog": named(worksElse),
		"partition": {judgement{BreaksLoad, "rows may have no partition to go to"}, judgement{ChangesRehearsal, "staging accepts rows for which production has no partition"},
			judgement{BreaksLoad, "rows may have no partition to go to, or go to another"}},
		"foreign table":     named(readsElse),
		"virtual table":     named(readsElse),
		"view":              named(readsElse),
		"materialized view": named(readsElse),

		"primary key": guard, "unique": guard, "exclusion": guard, "check": guard, "foreign key": guard, "not null": guard,
		"disabled foreign key": {refuses, accepts, worksElse},
		"index":                always(plannedElse), "statistics object": always(plannedElse),

		"sequence": named(countsElse), "auto increment": always(countsElse),
		"enum":   named(judgement{ChangesBehaviour, "its values sort otherwise"}),
		"domain": named(refuses), "composite type": named(judgement{ApplicationFails, "values have other fields"}),
		"range type": named(worksElse), "base type": named(worksElse), "collation": named(sortsElse), "collation version": always(sortsElse),

		"function": named(worksElse), "procedure": named(worksElse), "aggregate": named(worksElse), "operator": named(worksElse), "operator class": named(worksElse), "operator family": named(worksElse),
		"cast": named(worksElse), "conversion": named(worksElse), "language": named(worksElse), "transform": named(worksElse), "access method": named(plannedElse),
		"text search configuration": named(worksElse), "text search dictionary": named(worksElse), "text search parser": named(worksElse), "text search template": named(worksElse),
		"extension":      named(judgement{ChangesBehaviour, "another version of it may work otherwise"}),
		"foreign server": named(readsElse), "foreign data wrapper": named(readsElse), "user mapping": named(readsElse),

		"trigger": reaction, "rule": reaction, "event": {clockLess, clockMore, clockElse}, "event trigger": always(migratesElse),
		"policy": always(showsElse), "row security": always(showsElse),
		"grant": always(allowsElse), "grant on a sequence": always(allowsElse), "grant on a schema": always(allowsElse), "grant on a function": always(allowsElse),
		"grant on a type": always(allowsElse), "grant on a database": always(allowsElse), "grant on a language": always(allowsElse),
		"grant on a foreign server": always(allowsElse), "grant on a foreign data wrapper": always(allowsElse), "default privilege": always(allowsElse), "security label": always(allowsElse), "role": always(allowsElse),
		"owner": always(ownedElse), "inheritance": always(readsElse),
		"publication": always(repeatsElse), "subscription": always(repeatsElse),
		"setting": always(setElse), "database": always(setElse), "server": always(versionElse), "comment": always(wordsElse),
	}
}()

// pieceManners are pieces that mean the same on every kind of object.
var pieceManners = map[string]judgement{
	catalog.OwnName: namedElse, "comment": wordsElse, "storage": spaceElse, "storage options": spaceElse, "compression": spaceElse, "row format": spaceElse, "tablespace": spaceElse,
	"key block size": spaceElse, "checksum": spaceElse, "page checksum": spaceElse, "page compressed": spaceElse, "avg row length": spaceElse, "stats persistent": plannedElse, "stats auto recalc": plannedElse, "stats sample pages": plannedElse,
	catalog.ColumnOrder:  {ChangesBehaviour, "statements that name no columns meet them in another order"},
	catalog.TriggerOrder: reactsElse,
	"persistence":        {ChangesBehaviour, "rows outlive a crash on one side and not on the other"},
	"replica identity":   repeatsElse, "access method": plannedElse, "partition key": {ChangesRehearsal, "a migration of partitions works otherwise in staging"},
	"cluster": spaceElse, "statistics target": plannedElse, "column options": plannedElse,
	catalog.Broken: {ApplicationFails, "statements that name it fail on one side"},
	"server":       readsElse, "foreign options": readsElse, "not null constraint": namedElse,
	"own default":  {ChangesBehaviour, "rows that are put into the partition itself get another value in staging"},
	"own not null": refuses, "own comment": wordsElse, "own statistics target": plannedElse, "own options": plannedElse,
	"validity":    {ChangesBehaviour, "an index that is not valid on one side is not used there"},
	"visibility":  {ChangesBehaviour, "the planner may use it on one side only"},
	"inheritance": {ChangesBehaviour, "tables that inherit keep it on one side only"},
	"default":     {ChangesBehaviour, "rows that leave it out get another value in staging"},
	"on update":   reactsElse,
	"identity":    countsElse, "identity numbers": countsElse, "auto increment": countsElse, "collation": sortsElse, "collate": sortsElse, "character set": sortsElse,
	"engine": {ChangesBehaviour, "rows are kept, locked and undone otherwise in staging"},
	"owner":  ownedElse, "security": allowsElse, "state": reactsElse, "version": versionElse,
	"encoding": {BreaksLoad, "text of production may not be told in staging's encoding"},
	"locale":   sortsElse,
}

// judge tells what a difference does. Loose: declared types refuse no value.
func judge(d catalog.Difference, loose bool) judgement {
	known, ok := manners[d.Kind]
	if !ok {
		known = manner{unknownName, taken, worksElse}
	}
	switch d.Change {
	case catalog.Missing:
		if d.Kind == "index" && uniqueIndex(whole(d).Source) {
			return accepts
		}
		if d.Kind == "foreign key" {
			return judgement{ChangesRehearsal, "staging accepts rows that lead nowhere"}
		}
		return known.missing
	case catalog.Extra:
		switch {
		case d.Kind == "index" && uniqueIndex(whole(d).Target):
			return refuses
		case (d.Kind == "check" || d.Kind == "foreign key") && unenforced.MatchString(whole(d).Target):
			return judgement{ChangesRehearsal, "it is declared in staging alone, and enforced nowhere"}
		case d.Kind == "column" && wanted(d):
			return judgement{BreaksLoad, "it wants a value that production's rows do not have"}
		}
		return known.extra
	}
	out := judgement{Cosmetic, "nothing that is known to matter differs"}
	if d.Renamed > 0 {
		out = judgement{LosesData, "staging knows it by another name, so nothing is loaded into it, and statements fail on one side"}
	}
	for i, p := range d.Pieces {
		if j := judgePiece(d, p, known, loose); i == 0 && d.Renamed == 0 || j.effect.graver(out.effect) {
			out = j
		}
	}
	return out
}

// sameRule tells whether a unique constraint stands against a unique index of the same
// name over the same columns on the other side.
func sameRule(d catalog.Difference, all []catalog.Difference) bool {
	text := func(d catalog.Difference) string {
		p := whole(d)
		return p.Source + p.Target // the other is empty
	}
	return (d.Kind == "unique" || d.Kind == "index") && d.Change != catalog.Different && slices.ContainsFunc(all, func(o catalog.Difference) bool {
		if o.Object != d.Object || o.Kind == d.Kind || o.Change == d.Change || o.Change == catalog.Different || o.Kind != "unique" && o.Kind != "index" {
			return false
		}
		constraint, index := text(d), text(o)
		if d.Kind == "index" {
			constraint, index = index, constraint
		}
		at := strings.IndexByte(constraint, '(')
		return at >= 0 && uniqueIndex(index) && strings.HasSuffix(index, " "+constraint[at:])
	})
}

// wanted tells whether a column that only the target has must be given a value.
func wanted(d catalog.Difference) bool {
	return piece(d, "null").Target != "" && piece(d, "default").Target == "" && piece(d, "generated").Target == "" && piece(d, "identity").Target == "" && piece(d, "auto increment").Target == ""
}

func judgePiece(d catalog.Difference, p catalog.Piece, known manner, loose bool) judgement {
	switch {
	case (d.Kind == "column" || d.Kind == "domain") && p.Name == "type":
		return judgeType(p, loose)
	case d.Kind == "column" && p.Name == "collation" && charset(p.Source) != charset(p.Target) && charset(p.Source) != "" && charset(p.Target) != "":
		return judgeCharset(charset(p.Source), charset(p.Target))
	case d.Kind == "domain" && p.Name == "checks":
		if p.Target == "" || contains(p.Source, p.Target) {
			return accepts
		}
		return refuses
	case (d.Kind == "column" || d.Kind == "domain") && p.Name == "null":
		if p.Source == "" {
			return judgement{BreaksLoad, "staging refuses the NULLs that production may hold"}
		}
		if p.Target == "" {
			return judgement{ChangesRehearsal, "staging accepts NULLs that production refuses"}
		}
		return worksElse
	case d.Kind == "table" && p.Name == catalog.Partitions:
		return judgePartitions(p)
	case p.Name == "generated":
		if p.Source == "" {
			return judgement{LosesData, "staging computes the column, and production's values are not kept"}
		}
		if p.Target == "" {
			return judgement{ChangesBehaviour, "production computes the column, staging does not"}
		}
		return judgement{ChangesBehaviour, "the column is computed otherwise in staging"}
	case d.Kind == "table" && p.Name == "options": // how strictly its types hold, how its rows are kept
		if strings.Contains(p.Target, "strict") && !strings.Contains(p.Source, "strict") {
			return judgement{BreaksLoad, "a STRICT table refuses values that production may hold"}
		}
		if strings.Contains(p.Source, "strict") && !strings.Contains(p.Target, "strict") {
			return accepts
		}
		switch a, b := strings.Contains(p.Source, "without rowid"), strings.Contains(p.Target, "without rowid"); {
		case b && !a:
			return judgement{BreaksLoad, "a table WITHOUT ROWID refuses NULLs in its key, and statements that use rowid fail there"}
		case a && !b:
			return judgement{ChangesRehearsal, "staging accepts NULLs in the key, which production refuses"}
		}
		return spaceElse
	case d.Kind == "enum" && p.Name == "labels":
		return judgeLabels(p)
	case p.Name == catalog.WholeDefinition:
		return judgeDefinition(d.Kind, p, known)
	}
	name, _, _ := strings.Cut(p.Name, " of column ")
	if j, ok := pieceManners[name]; ok {
		return j
	}
	return known.different
}

// contains tells whether every part of b, one a line, is among those of a.
func contains(a, b string) bool {
	all := strings.Split(a, "\n")
	for part := range strings.SplitSeq(b, "\n") {
		if !slices.Contains(all, part) {
			return false
		}
	}
	return true
}

// charsets are those whose names begin the names of their collations (MySQL manual,
// "Supported Character Sets and Collations").
var charsets = strings.Fields("utf8mb4 utf16 utf16le utf32 gb18030 utf8 utf8mb3 ucs2 ascii latin1 latin2 latin5 latin7 cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 koi8r koi8u greek hebrew big5 gbk gb2312 sjis cp932 ujis eucjpms euckr tis620 armscii8 dec8 hp8 swe7 macce macroman geostd8 keybcs2")

// charset gives the character set that a collation's name tells; "" if it tells none.
func charset(collation string) string {
	set, _, ok := strings.Cut(strings.ToLower(collation), "_")
	switch {
	case !ok || !slices.Contains(charsets, set):
		return ""
	case set == "utf8": // the older name
		return "utf8mb3"
	}
	return set
}

// judgeCharset compares what characters a column can hold.
func judgeCharset(source, target string) judgement {
	width := func(set string) int {
		switch set {
		case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030": // all of Unicode
			return 3
		case "utf8mb3", "ucs2":
			return 2
		case "ascii":
			return 0
		}
		return 1
	}
	switch a, b := width(source), width(target); {
	case b < a, a == 1 && b == 1:
		return judgement{BreaksLoad, "text of production may hold characters that staging's column cannot"}
	case a < b:
		return judgement{ChangesRehearsal, "staging accepts characters that production refuses"}
	}
	return sortsElse
}

// partitionValues are the bounds of partitions, as MariaDB and MySQL write them.
var partitionValues = regexp.MustCompile(`values (less than|in) ?(maxvalue|\([^()]*\))`)

// judgePartitions tells whether rows of production may have no partition in staging:
// where its last bound is below production's, or its lists lack values.
func judgePartitions(p catalog.Piece) judgement {
	lost := judgement{BreaksLoad, "rows may have no partition to go to"}
	source, target := partitionValues.FindAllStringSubmatch(p.Source, -1), partitionValues.FindAllStringSubmatch(p.Target, -1)
	if len(target) == 0 {
		return spreadElse
	}
	last := target[len(target)-1]
	switch {
	case strings.Contains(last[2], "maxvalue"):
		return spreadElse
	case len(source) == 0:
		return lost
	case last[1] == "in":
		for _, s := range source {
			for v := range strings.SplitSeq(strings.Trim(s[2], "()"), ",") {
				if !slices.ContainsFunc(target, func(t []string) bool {
					return slices.ContainsFunc(strings.Split(strings.Trim(t[2], "()"), ","), func(w string) bool { return strings.TrimSpace(w) == strings.TrimSpace(v) })
				}) {
					return lost
				}
			}
		}
		return spreadElse
	}
	a, b := strings.Trim(source[len(source)-1][2], "()"), strings.Trim(last[2], "()")
	if x, err := strconv.ParseInt(a, 10, 64); err == nil {
		if y, err := strconv.ParseInt(b, 10, 64); err == nil && y >= x {
			return spreadElse
		}
	}
	if a == b {
		return spreadElse
	}
	return lost
}

// judgeLabels compares lists of quoted values.
func judgeLabels(p catalog.Piece) judgement {
	source, target := quotedTexts(p.Source), quotedTexts(p.Target)
	lacks := func(a, b []string) bool {
		return slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) })
	}
	switch {
	case lacks(source, target):
		return judgement{BreaksLoad, "staging lacks a value that production's rows may have"}
	case lacks(target, source):
		return judgement{ChangesRehearsal, "staging accepts a value that production refuses"}
	}
	return judgement{ChangesBehaviour, "its values sort otherwise"}
}

var quotedText = regexp.MustCompile(`'(?:[^']|'')*'`)

func quotedTexts(s string) []string { return quotedText.FindAllString(s, -1) }

var (
	deferral = regexp.MustCompile(`(?i)\s+(NOT\s+DEFERRABLE|DEFERRABLE|INITIALLY\s+(IMMEDIATE|DEFERRED))\b`)
	// listed is a value of a list, with its type and the comma behind it.
	listed     = regexp.MustCompile(`\s*'(?:[^']|'')*'(::[a-z ]+(\(\d+\))?)?\s*,?\s*`)
	onConflict = regexp.MustCompile(`(?i)\s+ON\s+CONFLICT\s+\w+`)
	automatic  = regexp.MustCompile(`(?i)\s+AUTOINCREMENT\b`)
	unenforced = regexp.MustCompile(`(?i)\bNOT\s+ENFORCED\b`)
	matchFull  = regexp.MustCompile(`(?i)\s+MATCH\s+FULL\b`)
	// keyColumns are a key's columns, where they are plain ones.
	keyColumns = regexp.MustCompile(`\(([^()]*)\)`)
	// costs are a routine's clauses for the planner, said is a comment that is a part of a definition.
	costs      = regexp.MustCompile(`(?i)\s+(COST\s+[\d.e+]+|ROWS\s+[\d.e+]+|PARALLEL\s+(SAFE|UNSAFE|RESTRICTED))\b`)
	said       = regexp.MustCompile(`(?i)\s+COMMENT\s+'(?:[^'\\]|''|\\.)*'`)
	heirless   = regexp.MustCompile(`(?i)\s+NO\s+INHERIT\b`)
	unchecked  = regexp.MustCompile(`(?i)\s+NOT\s+(VALID|ENFORCED)\b`)
	keyActions = regexp.MustCompile(`(?i)\s+ON\s+(DELETE|UPDATE)\s+(NO ACTION|RESTRICT|CASCADE|SET NULL|SET DEFAULT)(\s*\([^)]*\))?`)
)

// judgeDefinition compares two definitions by what is left when clauses that
// refuse no row are taken out one after the other.
func judgeDefinition(kind string, p catalog.Piece, known manner) judgement {
	same := func(patterns ...*regexp.Regexp) bool {
		a, b := p.Source, p.Target
		for _, r := range patterns {
			a, b = r.ReplaceAllString(a, ""), r.ReplaceAllString(b, "")
		}
		return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
	}
	switch kind {
	case "primary key", "unique", "exclusion", "check", "foreign key":
		switch {
		case same(unchecked) && unchecked.MatchString(p.Source):
			return judgement{BreaksLoad, "production never checked its old rows, staging would"}
		case same(unchecked):
			return judgement{ChangesRehearsal, "staging holds rows that nobody checked"}
		case same(heirless, unchecked):
			return judgement{ChangesBehaviour, "tables that inherit keep it on one side only"}
		case same(deferral, unchecked):
			return judgement{ChangesBehaviour, "it is checked at another moment of a transaction"}
		case same(keyActions, deferral, unchecked):
			return judgement{ChangesBehaviour, "a parent that is deleted or changed takes its children along otherwise"}
		case same(automatic):
			return countsElse
		case same(onConflict):
			return judgement{ChangesBehaviour, "a row that breaks it is met otherwise: refused, left out, or put in another's place"}
		case same(matchFull, keyActions, deferral, unchecked) && matchFull.MatchString(p.Source):
			return accepts
		}
	}
	if kind == "primary key" || kind == "unique" {
		a, b := keyColumns.FindStringSubmatch(p.Source), keyColumns.FindStringSubmatch(p.Target)
		if a != nil && b != nil && strings.Replace(p.Source, a[1], "", 1) == strings.Replace(p.Target, b[1], "", 1) {
			source, target := parted(a[1]), parted(b[1])
			switch more, fewer := contains(target, source), contains(source, target); {
			case more && fewer:
				return judgement{ChangesBehaviour, "its columns stand in another order, and queries are planned otherwise"}
			case more:
				return accepts
			}
		}
	}
	switch kind {
	case "function", "procedure":
		if same(costs) {
			return plannedElse
		}
		if same(said) {
			return wordsElse
		}
	case "index", "event":
		if same(said) {
			return wordsElse
		}
	}
	switch kind {
	case "check":
		if a, b := listed.ReplaceAllString(p.Source, ""), listed.ReplaceAllString(p.Target, ""); a == b && len(quotedTexts(p.Source)) > 0 {
			return judgeLabels(p)
		}
	case "index":
		switch a, b := uniqueIndex(p.Source), uniqueIndex(p.Target); {
		case a && !b:
			return accepts
		case b && !a, a && b:
			return refuses
		}
	}
	return known.different
}

// parted writes a list of columns one a line.
func parted(list string) string {
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, "\n")
}

func uniqueIndex(definition string) bool {
	f := strings.Fields(strings.ToLower(definition))
	return len(f) > 1 && (f[0] == "create" && f[1] == "unique" || f[0] == "unique")
}
