package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// The three ways in which two databases differ in an object.
const (
	Missing   = "missing in target"
	Extra     = "extra in target"
	Different = "different"
)

// A Difference is one object that is not the same on both sides.
type Difference struct {
	Kind   string
	Object string // in the source's names
	Table  string // the table it belongs to, schema.table; the table itself for a table
	Change string // Missing, Extra or Different
	// Detail says which parts differ, and how, where that can be told in a line.
	Detail string
	// SQL would make the target as the source. It is for reading, never run.
	SQL string
	// Destructive: the statement takes something away.
	Destructive bool
	// Pieces are those that differ, the definition among them; of an object that
	// one side lacks they are all that it has, and the lacking side's text is empty.
	Pieces []Piece
	// Objects that the difference stands for: one, or for a table that one side
	// lacks also all that belongs to it.
	Objects int
	// Renamed is how sure it is that the object has another name in the target,
	// from 0 to 1; 0 for one that has not.
	Renamed float64

	// Place in the order in which the statements can run, from 1.
	Place int

	parted bool     // a table of its own on the other side
	there  string   // the object's name in the target where it is another
	rename string   // the statement that gives a column its name, where no other does
	with   []factID // what has to be dropped for the statement and is made again, see around
	after  []factID // what has to be dropped before it, and is
}

// A Piece is a part of an object as both sides have it; an empty text is no such part.
type Piece struct{ Name, Source, Target string }

// The names of pieces that are not parts.
const (
	WholeDefinition = "definition"
	OwnName         = "name"
)

// order sorts by table, so that a reader meets one table once.
func (d Difference) order(e Difference) int {
	return cmp.Or(cmp.Compare(d.Table, e.Table), cmp.Compare(d.Kind, e.Kind), cmp.Compare(d.Object, e.Object), cmp.Compare(d.Change, e.Change))
}

// A Count says how many objects of a kind each side has.
type Count struct {
	Kind           string
	Source, Target int
}

// A Comparison is the outcome of Compare.
type Comparison struct {
	Differences []Difference // sorted by table, kind, object
	Compared    []Count      // every kind looked at on both sides, sorted
	Objects     int          // of these kinds that either side has; one that both have counts once
	Tables      []string     // of either side, in the source's names, sorted
	// LooseTypes: the declared type of a column is advice there and refuses no value.
	LooseTypes bool
	// Unseen says what was not compared and why, in sentences that begin with the side.
	Unseen []string
	// Preamble begins a file of the statements, which Client writes, see Dialect.
	Preamble string
	Client   func(sql string) string
	// Within and Apart put them into transactions, see Dialect.
	Within [2]string
	Apart  func(sql string) bool
	// Never says the same of what is never compared.
	Never []string
}

// Compare tells in what target differs from source. Names says what a schema of
// the source is called in the target, where that is not the same. Two catalogs
// may be compared again, but not by two goroutines at once: Atlas sorts in place.
func Compare(ctx context.Context, source, target *Catalog, names map[string]string) (*Comparison, error) {
	back := backwards(names)
	if source.folds && target.folds {
		target = target.respelled(source)
	}
	source, target, parted := byThemselves(source, target, names)
	source, target = asNoHeirs(source, target, names)
	var (
		out  = &Comparison{}
		both = slices.DeleteFunc(slices.Clone(source.Kinds), func(k string) bool { return !slices.Contains(target.Kinds, k) })
		src  = index(source.Facts, both, nil)
		dst  = index(target.Facts, both, back)
	)
	undo, titles := func() {}, []retitled(nil)
	if !source.Partly { // else the source may have the table under both names
		target, titles, undo = retitle(src, dst, target, names)
	}
	defer undo()
	if len(titles) > 0 {
		dst = index(target.Facts, both, back)
	}
	forgive(src, dst, source.Reader)
	settle(src, dst)
	out.Unseen = unseen(source, target)
	out.Never = slices.Compact(slices.Sorted(slices.Values(slices.Concat(source.Never, target.Never))))
	for _, k := range both {
		n := Count{Kind: k, Source: src.count(k), Target: dst.count(k)}
		for _, d := range parted {
			switch {
			case k == d.Kind && d.Change == Missing:
				n.Source++
			case k == d.Kind:
				n.Target++
			}
		}
		out.Compared = append(out.Compared, n)
	}
	out.Differences = facts(src, dst, titles, target.dialect)
	out.Objects, out.Tables = joined(src, dst)
	out.Objects += len(parted)
	out.Preamble, out.Client = target.dialect.Preamble, source.dialect.Client
	out.Within, out.Apart = target.dialect.Within, target.dialect.Apart
	out.LooseTypes = source.loose || target.loose
	(&planner{ctx: ctx, source: source, target: target, names: names, retitled: titles, parted: parted, again: make(map[factID][]string)}).close(out, both)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// backwards gives, by what schemas are called in the target, the source's names of those
// that are called otherwise there.
func backwards(names map[string]string) map[string]string {
	back := make(map[string]string, len(names))
	for s, t := range names {
		if s != t {
			back[t] = s
		}
	}
	return back
}

// forgive leaves out of the source's access lists what they grant to the role that
// reads it, where the target's say the rest: that role is made for reading production,
// and its privileges there, one for each table, would hide what has drifted.
func forgive(src, dst *inventory, reader string) {
	if reader == "" {
		return
	}
	src.ids = slices.DeleteFunc(src.ids, func(id factID) bool {
		have := src.facts[id]
		if !strings.HasPrefix(id.kind, "grant") || len(have) != 1 || len(have[0].Parts) > 0 {
			return false
		}
		rest := withoutGrantee(have[0].Definition, reader)
		there := dst.facts[id]
		switch {
		case rest == have[0].Definition: // nothing is granted to it
		case there == nil && rest == usual(id.kind):
			delete(src.facts, id)
			return true
		case len(there) == 1 && there[0].Definition == rest:
			have[0].Definition = rest
		}
		return false
	})
}

// settle has objects that differ only in what the databases put into them have one definition.
func settle(src, dst *inventory) {
	for _, id := range src.ids {
		have, there := src.facts[id], dst.facts[id]
		if len(have) == 1 && len(there) == 1 && have[0].Bare != "" && have[0].Bare == there[0].Bare {
			there[0].Definition = have[0].Definition
		}
	}
}

// usual is the access list of an object that nobody granted or revoked anything on,
// without its owner (PostgreSQL manual, GRANT, "Default Access Privileges"). A list
// is not told of where it is this.
func usual(kind string) string {
	switch kind {
	case "grant on a function":
		return "EXECUTE TO PUBLIC"
	case "grant on a type", "grant on a language":
		return "USAGE TO PUBLIC"
	case "grant on a database":
		return "CONNECT TO PUBLIC, TEMPORARY TO PUBLIC"
	}
	return ""
}

// withoutGrantee takes one role's privileges out of an access list, whose parts stand
// between "; " and whose privileges stand between ", ".
func withoutGrantee(list, role string) string {
	var parts []string
	for _, part := range strings.Split(list, "; ") {
		kept := slices.DeleteFunc(strings.Split(part, ", "), func(p string) bool {
			return strings.HasSuffix(strings.TrimSuffix(p, " WITH GRANT OPTION"), " TO "+role)
		})
		if len(kept) > 0 {
			parts = append(parts, strings.Join(kept, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// joined counts the objects that either side has, and lists the tables among them.
func joined(src, dst *inventory) (objects int, tables []string) {
	count := func(id factID) {
		objects++
		if id.kind == "table" || id.kind == "foreign table" {
			tables = append(tables, id.object)
		}
	}
	for _, id := range src.ids {
		count(id)
	}
	for _, id := range dst.ids {
		if src.facts[id] == nil {
			count(id)
		}
	}
	slices.Sort(tables)
	return objects, slices.Compact(tables)
}

// unseen joins what either side could not see, and the kinds only one side looked for.
func unseen(source, target *Catalog) []string {
	var out []string
	for _, side := range []struct {
		name     string
		it, that *Catalog
	}{{"source", source, target}, {"target", target, source}} {
		for _, u := range side.it.Unseen {
			out = append(out, side.name+": "+u)
		}
		for _, k := range side.that.Kinds {
			told := slices.ContainsFunc(side.it.Unseen, func(u string) bool { return strings.HasPrefix(u, k+": ") })
			if !told && !slices.Contains(side.it.Kinds, k) {
				out = append(out, side.name+": "+k+" was not looked for")
			}
		}
	}
	return out
}

type factID struct{ kind, object string }

// An inventory is one side's facts by identity. Several facts of one identity
// (overloads, two readers of one object) stand together, in the order of their text.
type inventory struct {
	facts map[factID][]Fact
	ids   []factID // sorted
}

// index sorts facts of the given kinds, written in the source's schema names.
// What understudy itself left in a database is no part of its structure, nor
// are the tables of migration tools.
func index(facts []Fact, kinds []string, rename map[string]string) *inventory {
	inv := &inventory{facts: make(map[factID][]Fact)}
	for _, f := range facts {
		if !slices.Contains(kinds, f.Kind) || own(f.Object) || own(f.Table) || historic(f.Object) || historic(f.Table) {
			continue
		}
		if f.Table == "" && holder(f.Kind) {
			f.Table = f.Object
		}
		f = f.renamed(rename)
		id := factID{f.Kind, f.Object}
		if inv.facts[id] == nil {
			inv.ids = append(inv.ids, id)
		}
		inv.facts[id] = append(inv.facts[id], f)
	}
	for _, fs := range inv.facts {
		slices.SortFunc(fs, func(a, b Fact) int { return cmp.Compare(a.text(), b.text()) })
	}
	slices.SortFunc(inv.ids, byID)
	return inv
}

// own tells whether an object lives in the schema that understudy keeps its manifest in.
func own(object string) bool {
	return object == "understudy" || strings.HasPrefix(object, "understudy.")
}

// historic tells whether a name is that of a migration tool's table, or of something in it.
func historic(object string) bool {
	parts, err := schema.ParseName(object)
	return err == nil && len(parts) > 1 && IsHistory(parts[1])
}

func (v *inventory) count(kind string) int {
	n := 0
	for id, fs := range v.facts {
		if id.kind == kind {
			n += len(fs)
		}
	}
	return n
}

// renamed writes the fact with other schema names.
func (f Fact) renamed(names map[string]string) Fact {
	if len(names) == 0 {
		return f
	}
	object := f.Object
	f = f.rewritten(func(text string) string { return requalify(text, names) })
	if f.Kind == "schema" || f.Kind == "grant on a schema" { // named after themselves: schema.schema
		if parts, err := schema.ParseName(object); err == nil {
			if to, ok := names[parts[len(parts)-1]]; ok {
				f.Object = schema.Name{Schema: to, Table: to}.String()
			}
		}
	}
	return f
}

// rewritten gives the fact with every text of it written anew.
func (f Fact) rewritten(write func(string) string) Fact {
	for _, text := range []*string{&f.Object, &f.Table, &f.Definition, &f.Bare, &f.Create, &f.Drop, &f.Alter, &f.Clear, &f.Halfway, &f.Shape, &f.Again, &f.Through, &f.Under} {
		*text = write(*text)
	}
	f.Parts = slices.Clone(f.Parts)
	for i := range f.Parts {
		p := &f.Parts[i]
		for _, text := range []*string{&p.Text, &p.Alter, &p.Add, &p.Clear, &p.Many, &p.One, &p.Follows.Column} {
			*text = write(*text)
		}
	}
	return f
}

// text is all that a fact says, its name left out.
func (f Fact) text() string {
	var b strings.Builder
	b.WriteString(f.Definition)
	for _, p := range f.Parts {
		if p.Text != "" {
			b.WriteString("\x00" + p.Name + "\x01" + p.Text)
		}
	}
	return b.String()
}

// facts compares two inventories object by object. What belongs to a table that
// one side lacks is told by the table alone.
func facts(src, dst *inventory, titles []retitled, dialect Dialect) []Difference {
	gone, more, out := sides(src, dst)
	gone, more = absorbed(gone), absorbed(more)
	gone, more, pairs := paired(gone, more, src, dst, func(_, t, u string) bool { return t == u })
	out, gone, more = (&renamer{src: src, dst: dst, dialect: dialect}).join(append(out, pairs...), gone, more, titles)
	return slices.Concat(out, gone, more)
}

// sides lists what the target lacks, what it has too much, and what differs.
func sides(src, dst *inventory) (gone, more, out []Difference) {
	for _, id := range src.ids {
		a, b := src.facts[id], dst.facts[id]
		if b == nil {
			gone = append(gone, Difference{Kind: id.kind, Object: id.object, Table: a[0].Table, Change: Missing, Detail: unusual(a[0], true), Pieces: pieces(&a[0], nil), Objects: 1})
			continue
		}
		if detail, differing := differ(a, b); len(differing) > 0 {
			out = append(out, Difference{Kind: id.kind, Object: id.object, Table: a[0].Table, Change: Different, Detail: detail, Pieces: differing, Objects: 1})
		}
	}
	for _, id := range dst.ids {
		if src.facts[id] == nil {
			more = append(more, Difference{Kind: id.kind, Object: id.object, Table: dst.facts[id][0].Table, Change: Extra, Detail: unusual(dst.facts[id][0], false), Pieces: pieces(nil, &dst.facts[id][0]), Objects: 1})
		}
	}
	return gone, more, out
}

// unusual tells what stands against the usual, which one side has.
func unusual(f Fact, source bool) string {
	switch {
	case f.Usual == "":
		return ""
	case source:
		return contrast(f.Kind, f.Definition, "the usual one")
	}
	return contrast(f.Kind, "the usual one, "+f.Usual+" there,", f.Definition)
}

// pieces lists what an object has that the other side lacks.
func pieces(source, target *Fact) (out []Piece) {
	only := source
	if only == nil {
		only = target
	}
	add := func(name, text string) {
		switch {
		case text == "":
		case source != nil:
			out = append(out, Piece{Name: name, Source: text})
		default:
			out = append(out, Piece{Name: name, Target: text})
		}
	}
	add(WholeDefinition, only.Definition)
	for _, p := range only.Parts {
		add(p.Name, p.Text)
	}
	return out
}

// absorbed drops what belongs to a table that is itself in the list, which then
// stands for it.
func absorbed(list []Difference) []Difference {
	tables := make(map[string]int) // how much belongs to each, with itself
	for _, d := range list {
		if holder(d.Kind) {
			tables[d.Object] = 1
		}
	}
	// What is said about an object (its grants, its owner, comments) goes with it.
	about := make(map[string]int)
	for _, d := range list {
		if subject(d) == "" {
			about[bare(d.Object)] = 1
		}
	}
	list = slices.DeleteFunc(list, func(d Difference) bool {
		if tables[d.Table] > 0 && !(holder(d.Kind) && d.Table == d.Object) {
			tables[d.Table]++
			return true
		}
		if of := subject(d); of != "" && about[of] > 0 {
			about[of]++
			return true
		}
		return false
	})
	for i, d := range list {
		if n := tables[d.Object] + about[bare(d.Object)]; n > 1 && subject(d) == "" {
			list[i].Objects = max(n-1, tables[d.Object], about[bare(d.Object)])
		}
	}
	return list
}

// subject names the object that a fact of some kinds is about, without the
// arguments of a function; "" for other kinds.
func subject(d Difference) string {
	switch {
	case d.Kind == "comment": // schema."type identity"
		parts, err := schema.ParseName(d.Object)
		if err != nil {
			return ""
		}
		text := bare(parts[len(parts)-1])
		of := text[strings.LastIndexByte(text, ' ')+1:]
		if whole, err := schema.ParseName(of); err == nil && strings.Contains(text, "column ") && len(whole) == 3 {
			of = schema.Name{Schema: whole[0], Table: whole[1]}.String()
		}
		return of
	case d.Kind == "owner", d.Kind == "row security", strings.HasPrefix(d.Kind, "grant"):
		return bare(d.Object)
	}
	return ""
}

// bare is an object's name without arguments.
func bare(object string) string {
	name, _, _ := strings.Cut(object, "(")
	return name
}

// holder tells whether things of a kind have columns, indexes and triggers of their own.
func holder(kind string) bool {
	switch kind {
	case "table", "view", "materialized view", "foreign table", "partition":
		return true
	}
	return false
}

// paired finds objects of one table that were only renamed, and unnamed ones
// that were only changed, so that each is one difference instead of two. same tells
// whether two texts about a table say the same.
func paired(gone, more []Difference, src, dst *inventory, same func(table, t, u string) bool) (g, m, pairs []Difference) {
	text := func(inv *inventory, d Difference) (Fact, string) {
		f := inv.facts[factID{d.Kind, d.Object}][0]
		return f, f.text()
	}
	taken := make([]bool, len(more))
	match := func(d Difference, unnamed bool) bool {
		f, t := text(src, d)
		for i, e := range more {
			if taken[i] || e.Kind != d.Kind || e.Table != d.Table || holder(d.Kind) || d.Kind == "column" || d.Table == "" {
				continue
			}
			h, u := text(dst, e)
			switch {
			case !unnamed && t != "" && same(d.Table, t, u):
				d.Detail = "name: " + last(d.Object) + " is " + last(e.Object) + " in target"
				d.Pieces = []Piece{{OwnName, last(d.Object), last(e.Object)}}
			case unnamed && f.Unnamed && h.Unnamed && alone(gone, d) && alone(more, e):
				d.Detail = contrast(WholeDefinition, f.Definition, h.Definition)
				d.Pieces = []Piece{{WholeDefinition, f.Definition, h.Definition}}
			default:
				continue
			}
			taken[i], d.Change, d.there = true, Different, e.Object
			pairs = append(pairs, d)
			return true
		}
		return false
	}
	for _, unnamed := range []bool{false, true} {
		gone = slices.DeleteFunc(gone, func(d Difference) bool { return match(d, unnamed) })
	}
	for i, e := range more {
		if !taken[i] {
			m = append(m, e)
		}
	}
	return gone, m, pairs
}

// alone tells whether d is the only one of its kind and table in the list.
func alone(list []Difference, d Difference) bool {
	n := 0
	for _, e := range list {
		if e.Kind == d.Kind && e.Table == d.Table {
			n++
		}
	}
	return n == 1
}

// differ compares the facts of one identity and says which parts differ.
func differ(a, b []Fact) (detail string, differing []Piece) {
	if len(a) != len(b) {
		return "another number of them", []Piece{{WholeDefinition, fmt.Sprint(len(a)), fmt.Sprint(len(b))}}
	}
	var said []string
	for i := range a {
		if a[i].Definition != b[i].Definition {
			differing = append(differing, Piece{WholeDefinition, a[i].Definition, b[i].Definition})
			said = append(said, contrast(WholeDefinition, a[i].Definition, b[i].Definition))
		}
		for _, name := range partNames(a[i], b[i]) {
			x, y := a[i].part(name), b[i].part(name)
			if isOrder(name) {
				x, y = common(x, y), common(y, x)
			}
			if x == y {
				continue
			}
			differing = append(differing, Piece{name, x, y})
			if isOrder(name) {
				said = append(said, name)
			} else {
				said = append(said, contrast(name, x, y))
			}
		}
	}
	return strings.Join(said, "; "), differing
}

func (f Fact) part(name string) string {
	for _, p := range f.Parts {
		if p.Name == name {
			return p.Text
		}
	}
	return ""
}

func partNames(a, b Fact) []string {
	var out []string
	for _, p := range slices.Concat(a.Parts, b.Parts) {
		if !slices.Contains(out, p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// common gives the lines of x that y has as well, in x's order.
func common(x, y string) string {
	in := Listed(y)
	return strings.Join(slices.DeleteFunc(Listed(x), func(l string) bool { return !slices.Contains(in, l) }), "\n")
}

// contrast tells how a part differs in one line. Of long texts it shows where
// they begin to differ.
func contrast(name, x, y string) string {
	a, b := []rune(strings.Join(strings.Fields(x), " ")), []rune(strings.Join(strings.Fields(y), " "))
	const width, before = 60, 15
	from := 0
	if max(len(a), len(b)) > width {
		for from < min(len(a), len(b)) && a[from] == b[from] {
			from++
		}
		from = max(0, from-before)
	}
	piece := func(r []rune) string {
		if len(r) == 0 {
			return "none"
		}
		head, tail := "", ""
		if from > 0 {
			head = "..."
		}
		if r = r[from:]; len(r) > width {
			r, tail = r[:width-3], "..."
		}
		return head + string(r) + tail
	}
	return name + ": " + piece(a) + " is " + piece(b) + " in target"
}

// last is the last part of a name as it was written.
func last(object string) string {
	parts, err := schema.ParseName(object)
	if err != nil {
		return object
	}
	return schema.Ident(parts[len(parts)-1])
}

// bareLast is the last part of a name without quotes.
func bareLast(object string) string {
	parts, err := schema.ParseName(object)
	if err != nil {
		return object
	}
	return parts[len(parts)-1]
}

// requalify replaces schema names that stand before a dot. Names are matched as
// whole words, in quotes of either sort or in none, inside string literals as well: a default like
// nextval('shop.ids'::regclass) names its schema there.
func requalify(text string, names map[string]string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		word, end := wordAt(text, i)
		if word == "" {
			b.WriteByte(text[i])
			i++
			continue
		}
		to, ok := names[word]
		if ok && end < len(text) && text[end] == '.' && (i == 0 || text[i-1] != '.') {
			if text[i] == '`' {
				to = "`" + strings.ReplaceAll(to, "`", "``") + "`"
			} else {
				to = schema.Ident(to)
			}
			b.WriteString(to)
		} else {
			b.WriteString(text[i:end])
		}
		i = end
	}
	return b.String()
}

// wordAt reads the identifier that begins at i, with its quotes taken off; an
// empty word if none begins there.
func wordAt(text string, i int) (word string, end int) {
	if quote := text[i]; quote == '"' || quote == '`' {
		var b strings.Builder
		for j := i + 1; j < len(text); j++ {
			if text[j] != quote {
				b.WriteByte(text[j])
			} else if j+1 < len(text) && text[j+1] == quote {
				b.WriteByte(quote)
				j++
			} else {
				return b.String(), j + 1
			}
		}
		return "", i
	}
	j := i
	for j < len(text) && (text[j] == '_' || text[j] == '$' || text[j] >= 0x80 || '0' <= text[j] && text[j] <= '9' || 'a' <= text[j]|0x20 && text[j]|0x20 <= 'z') {
		j++
	}
	return text[i:j], j
}
