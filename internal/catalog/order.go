package catalog

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// A Ref names a fact.
type Ref struct{ Kind, Object string }

// A Dependency tells that the database lets one object stand only as long as another
// does: a view and a column that it reads.
type Dependency struct {
	Of, On Ref
	// Placed: the database lets the other go, or change, and only wants the statements in
	// order: an expression is told before a column that it named goes.
	Placed bool
	// Joint: all that Of depends on so is changed by one statement, where it changes at all.
	Joint bool
}

// graphs gives both sides' dependencies.
func (p *planner) graphs() (source, target *graph) {
	return newGraph(p.source, nil), newGraph(p.target, backwards(p.names))
}

// A graph is one side's dependencies, in the source's names.
type graph struct {
	on, of map[factID][]factID // what something depends on, what depends on something
	placed map[factID][]factID // what something only has its place behind
	joint  map[factID][]factID // of placed, what changes at once
	facts  map[factID]Fact
}

// ofDefault is the kind of a column's default where it is dropped and set by itself. What
// it depends on is the column's.
const ofDefault = "default"

// ofDomain is the kind of what a domain says of its values, where that is taken away and
// said again by itself: whatever has the domain as its type does not mind.
const ofDomain = "domain's own"

// apart names of what depends on an object of a kind that which goes and comes by itself,
// so that the column or the domain stays.
func (g *graph) apart(of factID, kind string) factID {
	switch {
	case of.kind == "column" && !computed(g.facts[of]) && stands(kind):
		of.kind = ofDefault
	case of.kind == "domain" && stands(kind):
		of.kind = ofDomain
	}
	return of
}

// countsOn is the part of a column that gives numbers, on products of which a table has
// one such column.
const countsOn = "auto increment"

func newGraph(c *Catalog, rename map[string]string) *graph {
	g := &graph{on: make(map[factID][]factID), of: make(map[factID][]factID), placed: make(map[factID][]factID), joint: make(map[factID][]factID), facts: make(map[factID]Fact)}
	for _, f := range c.Facts {
		f.Object, f.Table = requalify(f.Object, rename), requalify(f.Table, rename)
		g.facts[factID{f.Kind, f.Object}] = f
		if f.Kind == "domain" && f.Alter != "" && f.Clear != "" {
			g.facts[factID{ofDomain, f.Object}] = Fact{Kind: ofDomain, Object: f.Object, Create: f.Alter, Drop: f.Clear}
		}
		for _, p := range f.Parts {
			if f.Kind == "column" && p.Name == "default" && p.Alter != "" && p.Clear != "" {
				g.facts[factID{ofDefault, f.Object}] = Fact{Kind: ofDefault, Object: f.Object, Create: p.Alter, Drop: p.Clear}
			}
		}
	}
	for _, d := range c.Depends {
		of, on := factID{d.Of.Kind, requalify(d.Of.Object, rename)}, factID{d.On.Kind, requalify(d.On.Object, rename)}
		switch {
		case of == on:
		case d.Placed:
			g.placed[of] = append(g.placed[of], on)
			if d.Joint {
				g.joint[of] = append(g.joint[of], on)
			}
		default:
			g.on[of], g.of[on] = append(g.on[of], on), append(g.of[on], of)
		}
	}
	return g
}

// dependents lists what depends on an object, directly or not, each behind what
// depends on it.
func (g *graph) dependents(id factID) (out []factID) {
	seen := map[factID]bool{id: true}
	var visit func(id factID)
	visit = func(id factID) {
		for _, of := range g.of[id] {
			if !seen[of] {
				seen[of] = true
				if g.apart(of, id.kind).kind != ofDomain {
					visit(of)
				}
				out = append(out, of)
			}
		}
	}
	visit(id)
	return out
}

// around has statements that the database refuses as long as other objects depend on
// what they change drop these first, and make them again as the source has them: in
// the first and the last of the statements that need it, once these have places. Those
// among them that differ are closed together with it. Anew tells by which difference an
// object is dropped and made again.
func (p *planner) around(out *Comparison, belongings func(*Difference) []string, anew map[string]string) {
	source, target := p.graphs()
	at, named := make(map[factID]int), make(map[factID]int) // by the source's name, and by another that the target has for it
	for i, d := range out.Differences {
		at[factID{d.Kind, d.Object}] = i
		if d.there != "" && stands(d.Kind) {
			named[factID{d.Kind, d.there}] = i
		}
	}
	was := p.replaces(out, anew)
	for i := range out.Differences {
		d := &out.Differences[i]
		kind, replaces := was[i]
		if d.Change == Extra && stands(d.Kind) && runs(*d) {
			p.rebind(out, i, at, belongings, source, target)
		}
		if !replaces && (d.Change != Different || !runs(*d) || !unsettles(*d, target)) {
			continue
		}
		var with, after []factID
		var again []string        // what others lose by it
		var stays *factID         // for which no statement is known
		lost := map[factID]bool{} // columns that go for a while, or for good, with what they have
		own := factID{cmp.Or(kind, d.Kind), cmp.Or(d.there, d.Object)}
		if d.Kind == "column" && strings.Contains(d.SQL, " DROP COLUMN ") {
			lost[own] = true
		}
		all := target.dependents(own)
		for _, o := range out.Differences { // what heirs have changes with it
			if o.Kind == "column" && d.Kind == "column" && o.SQL == together+d.Kind+" "+d.Object {
				all = append(all, slices.DeleteFunc(target.dependents(factID{o.Kind, cmp.Or(o.there, o.Object)}), func(of factID) bool { return slices.Contains(all, of) })...)
			}
		}
		for _, f := range p.target.Facts { // and so does what partitions have
			if f.Kind == "partition" && d.Kind == "column" && requalify(f.Table, backwards(p.names)) == d.Table {
				part := factID{d.Kind, requalify(f.Object, backwards(p.names)) + "." + last(own.object)}
				all = append(all, slices.DeleteFunc(target.dependents(part), func(of factID) bool { return slices.Contains(all, of) })...)
			}
		}
		if replaces { // what depends on a part of a table does on the table
			for _, id := range sorted(target.of) {
				if id != own && target.facts[id].Table == own.object {
					all = append(all, slices.DeleteFunc(target.dependents(id), func(of factID) bool { return slices.Contains(all, of) })...)
				}
			}
		}
		ofType := oneName(own.kind) == "type"
		retyped := ofType && !replaces && !strings.HasPrefix(d.SQL, trimmed(target.facts[own].Drop))
		for _, of := range all {
			if computed(target.facts[of]) {
				lost[of] = true
			}
		}
		for _, of := range all {
			if !lost[of] { // else it is no more there when its default is set
				of = target.apart(of, d.Kind)
			}
			if j, ok := named[of]; ok && target.facts[of].Drop != "" {
				o := &out.Differences[j]
				if create := trimmed(source.facts[factID{o.Kind, o.Object}].renamed(p.names).Create); create != "" { // it goes under the one name and comes under the other
					o.set(create)
					with, p.again[of] = append(with, of), []string{}
					continue
				}
			}
			j, differs := at[of]
			differs = differs && (out.Differences[j].Change == Different || out.Differences[j].Change == Extra)
			holds := stands(d.Kind) || slices.ContainsFunc(target.on[of], func(on factID) bool { return lost[on] })
			switch old, is := target.facts[of]; {
			case (checked(of.kind) || of.kind == "column" || replaces) && old.Table == own.object: // it is made again with it
			case ofType && of.kind == "column" && !lost[of], !retyped && bound(of.kind):
				stays = &of
			case retyped: // whatever else has it does not mind
			case !is || !stands(of.kind) && of.kind != ofDefault && of.kind != ofDomain && !lost[of] && !(checked(of.kind) && (holds || differs)): // it goes with another
				if sql := trimmed(source.facts[of].renamed(p.names).Again); sql != "" && checked(of.kind) && recast(d.Pieces) {
					again = append(again, sql)
				}
			case differs && out.Differences[j].Change == Extra, source.facts[of].Kind == "" && slices.ContainsFunc(out.Differences, func(o Difference) bool {
				return o.Change == Extra && holder(o.Kind) && o.Object == old.Table // with which it goes
			}):
				after = append(after, of)
			case old.Drop == "" || source.facts[of].Create == "":
				stays = &of
			default:
				with = append(with, of)
			}
		}
		if stays != nil {
			d.SQL, d.Destructive = "-- no statement: "+stays.kind+" "+stays.object+" depends on it, and cannot be made again", false
			continue
		}
		d.with, d.after = with, after
		if len(again) > 0 {
			d.set(join(append([]string{d.SQL}, again...)))
		}
		if lost[own] {
			d.set(join(append([]string{d.SQL}, p.regrant(source, factID{d.Kind, d.Object})...)))
		}
		for _, id := range with {
			anew[id.object] = d.Kind + " " + d.Object
			anew[bare(id.object)] = anew[id.object]
			if p.again[id] == nil {
				p.again[id] = belongings(&Difference{Kind: id.kind, Object: id.object})
				p.again[id] = append(p.again[id], p.regrant(source, id)...)
				p.again[id] = append(p.again[id], p.remarked(id)...)
				p.again[id] = append(p.again[id], p.kept(id)...)
				if p.again[id] == nil {
					p.again[id] = []string{}
				}
			}
			if j, ok := at[id]; ok {
				o := &out.Differences[j] // whose own dependents are among d's
				o.SQL, o.Destructive, o.with, o.after = together+d.Kind+" "+d.Object, false, nil, nil
			}
		}
	}
}

// rebind drops what is the same on both sides but needs an object that goes, and makes it
// again once what it needs in the source is there: a view that calls a function by its
// name, which has other arguments.
func (p *planner) rebind(out *Comparison, i int, at map[factID]int, belongings func(*Difference) []string, source, target *graph) {
	d := &out.Differences[i]
	var comes []int // behind which they can be made
	for _, of := range target.dependents(factID{d.Kind, d.Object}) {
		if of = target.apart(of, d.Kind); of.kind == "table" || of.kind == "partition" {
			if _, differs := at[of]; !differs && slices.Contains(target.of[factID{d.Kind, d.Object}], of) {
				d.SQL, d.Destructive, d.with = "-- no statement: "+of.kind+" "+of.object+" is parted by it", false, nil
				return
			}
		}
		goes := stands(of.kind) || checked(of.kind) || of.kind == "primary key" || of.kind == ofDefault || of.kind == ofDomain ||
			computed(target.facts[of]) && target.facts[of].Through == "" // else it goes with that
		if _, differs := at[of]; differs || target.facts[of].Drop == "" || source.facts[of].Create == "" || !goes {
			continue
		}
		d.with = append(d.with, of)
		for _, on := range slices.Concat(source.on[of], source.on[factID{"column", of.object}], source.on[factID{"domain", of.object}]) {
			if j, ok := at[on]; ok && out.Differences[j].Change == Missing && runs(out.Differences[j]) && !slices.Contains(comes, j) {
				comes = append(comes, j)
			}
		}
		if p.again[of] == nil {
			p.again[of] = slices.Concat([]string{}, belongings(&Difference{Kind: of.kind, Object: of.object}), p.regrant(source, of), p.remarked(of), p.kept(of))
		}
	}
	for _, j := range comes {
		out.Differences[j].with = append(out.Differences[j].with, slices.DeleteFunc(slices.Clone(d.with), func(of factID) bool { return slices.Contains(out.Differences[j].with, of) })...)
	}
}

// replaces has what comes under the name of something of another kind take its place by
// one statement; it gives the kinds that go, by the differences that come.
func (p *planner) replaces(out *Comparison, anew map[string]string) map[int]string {
	was := make(map[int]string)
	for i := range out.Differences {
		d := &out.Differences[i]
		for j := range out.Differences {
			old := &out.Differences[j]
			if d.Change == Missing && old.Change == Extra && d.Object == old.Object && d.Kind != old.Kind && oneName(d.Kind) != "" && oneName(d.Kind) == oneName(old.Kind) && runs(*d) && runs(*old) {
				was[i] = old.Kind
				d.set(join([]string{old.SQL, d.SQL}))
				old.SQL, old.Destructive = together+d.Kind+" "+d.Object, false
				anew[d.Object] = d.Kind + " " + d.Object
			}
		}
	}
	return was
}

// oneName tells of kinds which of them have their names among each other.
func oneName(kind string) string {
	switch kind {
	case "table", "view", "materialized view", "sequence":
		return "relation"
	case "enum", "domain", "composite type", "range type":
		return "type"
	case "index", "unique", "primary key", "exclusion":
		return "index"
	}
	return ""
}

// bound tells of a kind that is not made again for what it needs: it is in use itself,
// or no statement makes it.
func bound(kind string) bool {
	switch kind {
	case "operator class", "operator family", "domain", "composite type", "range type", "base type", "language":
		return true
	}
	return false
}

// regrant gives again what is granted on a column that was gone.
func (p *planner) regrant(source *graph, id factID) []string {
	parts, err := schema.ParseName(id.object)
	grant := source.facts[factID{"grant", source.facts[id].Table}]
	if id.kind != "column" || err != nil || !hasWord(grant.Definition, parts[len(parts)-1]) {
		return nil
	}
	return []string{trimmed(grant.renamed(p.names).Create)}
}

// kept gives again what heirs and partitions have otherwise than the column that went for a
// while, or only its default did.
func (p *planner) kept(id factID) (list []string) {
	for _, f := range p.source.Facts {
		f = f.renamed(p.names)
		switch column := requalify(id.object, p.names); {
		case id.kind == ofDefault && f.Kind == "partition":
			for _, part := range f.Parts {
				if part.Follows.Column == column && part.Follows.Part == "default" {
					list = append(list, trimmed(part.Alter))
				}
			}
		case id.kind == "column" && f.Kind == "column" && f.Through == column && f.Again != "":
			list = append(list, trimmed(f.Again))
		case id.kind == ofDomain && f.Kind == "comment" && strings.Contains(f.Create, " ON DOMAIN "+column+" IS "):
			list = append(list, trimmed(f.Create))
		}
	}
	return list
}

// remarked gives again the comment on what belongs to a table and bears no schema.
func (p *planner) remarked(id factID) (list []string) {
	parts, err := schema.ParseName(id.object)
	if err != nil || len(parts) != 3 {
		return nil
	}
	head := "COMMENT ON " + strings.ToUpper(id.kind) + " " + schema.Ident(parts[2]) + " on " + schema.Name{Schema: parts[0], Table: parts[1]}.String() + " IS "
	for _, f := range p.source.Facts {
		if f.Kind == "comment" && strings.HasPrefix(f.Create, head) {
			list = append(list, trimmed(f.renamed(p.names).Create))
		}
	}
	return list
}

// surround puts what around found into the statements.
func (p *planner) surround(list []Difference, source, target *graph) {
	first, last := make(map[factID]int), make(map[factID]int)
	for i, d := range list {
		for _, id := range d.with {
			if j, ok := first[id]; !ok || d.Place < list[j].Place {
				first[id] = i
			}
			if j, ok := last[id]; !ok || d.Place > list[j].Place {
				last[id] = i
			}
		}
	}
	own := make(map[string]bool)
	for id := range p.again {
		own[trimmed(source.facts[id].renamed(p.names).Create)] = true
	}
	drops, makes := make(map[int][]string), make(map[int][]string)
	made := make(map[factID]bool)
	var restore func(id factID)
	restore = func(id factID) {
		if _, ok := p.again[id]; !ok || made[id] {
			return
		}
		made[id] = true
		for _, on := range source.on[id] {
			restore(on)
		}
		if create := trimmed(source.facts[id].renamed(p.names).Create); create != "" { // else it comes under another name
			makes[last[id]] = append(makes[last[id]], create)
		}
		for _, sql := range p.again[id] {
			if !own[sql] && !slices.Contains(makes[last[id]], sql) {
				makes[last[id]] = append(makes[last[id]], sql)
			}
		}
	}
	for i, d := range list {
		for _, id := range d.with { // what depends on others first
			if first[id] == i {
				drops[i] = append(drops[i], trimmed(target.facts[id].Drop))
			}
			restore(id)
		}
	}
	for i := range makes { // comments last: they may be on what comes behind their object's table
		slices.SortStableFunc(makes[i], func(a, b string) int {
			switch x, y := strings.HasPrefix(a, "COMMENT ON "), strings.HasPrefix(b, "COMMENT ON "); {
			case x == y:
				return 0
			case x:
				return 1
			}
			return -1
		})
	}
	for i := range list {
		if d := &list[i]; len(d.with) > 0 {
			d.set(join(slices.Concat(drops[i], []string{d.SQL}, makes[i])))
		}
	}
}

// stands tells of a kind whether the database makes such an object depend on others,
// and it holds nothing but its definition.
func stands(kind string) bool {
	switch kind {
	case "view", "materialized view", "rule", "policy", "trigger", "function", "procedure", "aggregate", "foreign key", "operator", "cast", "publication":
		return true
	}
	return false
}

// checked tells of a kind whether such an object goes with a column that it is over, and
// is made anew by the database when the column changes, as long as it still can be.
func checked(kind string) bool {
	switch kind {
	case "index", "unique", "check", "exclusion", "statistics object":
		return true
	}
	return false
}

// computed tells a column that the database computes, which holds nothing of its own.
func computed(f Fact) bool {
	return f.Kind == "column" && f.part("generated") != ""
}

// unsettles tells whether the statement of a difference is refused as long as other
// objects depend on the one that differs: it changes a column's type, or drops the object.
func unsettles(d Difference, target *graph) bool {
	if d.Kind == "column" {
		return slices.ContainsFunc(d.Pieces, func(p Piece) bool {
			return p.Name == "type" || p.Name == "collation" || p.Name == "generated" || p.Name == countsOn
		})
	}
	drop := trimmed(target.facts[factID{d.Kind, cmp.Or(d.there, d.Object)}].Drop)
	if oneName(d.Kind) == "type" {
		return drop != "" && strings.HasPrefix(d.SQL, drop) || slices.ContainsFunc(d.Pieces, func(p Piece) bool {
			return strings.HasPrefix(p.Name, "attribute ") && p.Source != "" && p.Target != ""
		})
	}
	return drop != "" && strings.HasPrefix(d.SQL, drop) && (stands(d.Kind) || d.Kind == "primary key" || d.Kind == "unique" || d.Kind == "index")
}

// rank orders kinds so that what others need comes first.
var rank = func() map[string]int {
	out := map[string]int{}
	for i, k := range []string{"role", "schema", "extension", "language", "collation", "enum", "domain", "composite type", "range type", "base type",
		"text search parser", "text search template", "text search dictionary", "text search configuration", "sequence", "function", "procedure", "aggregate", "operator", "cast", "conversion", "transform", "access method", "operator family", "operator class", "foreign data wrapper", "foreign server", "user mapping",
		"table", "foreign table", "partition", "inheritance", "column", "check", "not null", "primary key", "unique", "exclusion", "index", "foreign key",
		"virtual table", // which may be filled from a table as soon as it is made
		"statistics object", "view", "materialized view", "rule", "trigger", "disabled foreign key", "event trigger", "row security", "policy", "publication", "subscription",
		"owner", "grant", "grant on a schema", "grant on a sequence", "grant on a function", "grant on a type", "grant on a language", "grant on a foreign server", "grant on a foreign data wrapper", "default privilege", "setting", "comment", "security label"} {
		out[k] = i + 1
	}
	return out
}()

// arrange gives the differences their places in the order in which their statements can
// run: what goes away in the target first, last things first; then what changes and
// what comes, first things first. Labels of enums come before all, for PostgreSQL lets
// nobody use one in the transaction that added it. What depends on another, in the
// source as it is made or in the target as it goes, comes in its turn. Extra tables
// that refer to one another lose the foreign keys between them first. Tables and columns
// get their names before all, for all else is said in these.
func (p *planner) arrange(out *Comparison) {
	list := out.Differences
	initial := make([]int, len(list))
	for i := range initial {
		initial[i] = i
	}
	late := make(map[int]bool) // columns that get their names before what else differs in them is closed
	place := func(i int) int {
		d := list[i]
		switch {
		case d.parted && d.Change == Extra: // by the names that are there
			return -1<<21 - 1
		case d.parted:
			return rank["index"]
		case d.Renamed > 0 && d.Kind == "table":
			return -1 << 21
		case d.rename != "" && !late[i]:
			return -1<<21 + 1
		case d.Kind == "partition" && d.Change == Different && !strings.Contains(d.SQL, " PARTITION "), // its columns' own defaults
			d.Kind == "partition" && d.Change == Missing, // whose columns are its table's by then
			d.Kind == "inheritance" && d.Change != Extra && slices.ContainsFunc(list, func(c Difference) bool {
				return c.Kind == "column" && c.Table == d.Object && c.Change != Extra && !Together(c.SQL) // a child has its columns first, as they should be
			}),
			d.Kind == "table" && d.Change == Missing && strings.Contains(d.SQL, " INHERIT "), // whose parents have all columns by then
			d.Change == Different && strings.Contains(d.SQL, "\nDROP TABLE "):                // a table made anew
			return rank["check"]
		case d.Kind == "enum" && d.Change == Different:
			return -1 << 20
		case d.Change == Extra && d.Kind == "partition": // behind tables that refer to what it is a part of
			return -rank["table"] + 1
		}
		return d.rank()
	}
	source, target := p.graphs()
	betweenTables(list, target)
	comes, goes := bearers(list, source, Extra), bearers(list, target, Missing)
	before := make([][]int, len(list)) // by difference, those that must come before it
	words := make(map[string]int)
	for i, d := range list {
		words[together+d.Kind+" "+d.Object] = i
	}
	bearer := func(i int) int {
		if j, ok := words[list[i].SQL]; ok {
			return j
		}
		return i
	}
	first := func(a int, bs []int) {
		a = bearer(a)
		for _, b := range bs {
			if b = bearer(b); a != b {
				before[a] = append(before[a], b)
			}
		}
	}
	for of, all := range source.on {
		for _, a := range comes(of) {
			for _, on := range all {
				if of.kind != "foreign key" || list[a].Kind != "table" { // see tie
					first(a, comes(on))
				}
			}
		}
	}
	for of, all := range target.on {
		for _, a := range goes(of) {
			for _, on := range all {
				for _, b := range goes(on) {
					if list[b].Change == Extra || loosens(of.kind, list[b]) {
						first(b, []int{a})
					}
				}
			}
		}
	}
	for of, all := range source.placed {
		for _, a := range comes(of) {
			if of.kind == "column" && !computed(source.facts[of]) && list[a].Change == Different && !strings.Contains(list[a].SQL, " ADD COLUMN ") {
				continue // it has its place already
			}
			for _, on := range all {
				first(a, comes(on))
			}
		}
	}
	for _, table := range p.source.Facts { // columns come in the order in which they stand there
		if table.Kind != "table" {
			continue
		}
		before, stay := -1, len(Listed(target.facts[factID{table.Kind, table.Object}].part(ColumnOrder)))
		var leave []int
		for i, d := range list {
			if d.Kind == "column" && d.Table == table.Object && d.Change == Extra {
				leave, stay = append(leave, i), stay-1
			}
		}
		for _, name := range Listed(table.part(ColumnOrder)) {
			for _, i := range comes(factID{"column", table.Object + "." + name}) {
				if d := list[i]; d.Kind == "column" && d.Change == Missing {
					if before >= 0 {
						first(i, []int{before})
					}
					before = i
					for _, l := range leave {
						if stay == 0 { // a table is never without a column
							first(l, []int{i})
						}
					}
				}
			}
		}
	}
	stops := make(map[string][]int) // a table has one column that counts
	for i, d := range list {
		if d.Kind == "column" && d.Change == Different && slices.ContainsFunc(d.Pieces, func(p Piece) bool { return p.Name == countsOn && p.Source == "" }) {
			stops[d.Table] = append(stops[d.Table], i)
		}
	}
	for i, d := range list {
		if d.Kind == "column" && d.Change != Extra && source.facts[factID{d.Kind, d.Object}].part(countsOn) != "" {
			first(i, stops[d.Table])
		}
	}
	for of, all := range target.placed {
		for _, a := range goes(of) {
			for _, on := range all {
				for _, b := range goes(on) {
					if p.source.dialect.Rechecks && holder(list[b].Kind) { // which goes whatever names it
						continue
					}
					if list[b].Change == Extra && (of.kind != "column" || computed(target.facts[of])) || loosens(of.kind, list[b]) {
						first(b, []int{a})
					}
				}
			}
		}
	}
	for i, d := range list {
		for _, id := range d.after {
			first(i, goes(id))
		}
		if d.Change != Missing { // a key that foreign keys, or a column that counts, stay with: for it others come
			for _, of := range target.of[factID{d.Kind, d.Object}] {
				if (of.kind == "foreign key" || of.kind == "column") && len(goes(of)) == 0 {
					for _, on := range source.on[of] {
						first(i, comes(on))
					}
				}
			}
		}
	}
	p.swaps(list, first)
	for b, d := range list { // a table that is made anew takes along what is on it
		if p.source.dialect.Remake == nil || !strings.Contains(d.SQL, "\nDROP TABLE ") {
			continue
		}
		for i, o := range list {
			switch {
			case o.Table != d.Table || o.Kind != "index" && o.Kind != "trigger":
			case o.Change == Extra:
				first(b, []int{i})
			default:
				first(i, []int{b})
			}
		}
	}
	bears := make(map[string][]factID) // indexes there by their names, which all tables share
	for was := range target.facts {
		if p.source.dialect.Remake != nil && was.kind == "index" {
			bears[foldedName(last(was.object))] = append(bears[foldedName(last(was.object))], was)
		}
	}
	for is := range source.facts {
		for _, was := range bears[foldedName(last(is.object))] {
			if is.kind == "index" && is != was { // it comes once its name is free
				for _, a := range comes(is) {
					first(a, goes(was))
				}
			}
		}
	}
	for i, d := range list { // an heir has to have the checks already that its table has, and keeps them
		if d.Kind != "inheritance" {
			continue
		}
		was := strings.Split(requalify(target.facts[factID{d.Kind, d.Object}].Definition, backwards(p.names)), ", ")
		for k, c := range list {
			switch own := c.Table == d.Object; {
			case c.Kind != "check":
			case own && d.Change == Extra, !own && c.Change == Missing && d.Change != Extra, !own && c.Change == Extra && (d.Change == Extra || slices.Contains(was, c.Table)):
				first(k, []int{i})
			case own && d.Change == Missing, !own && c.Change == Different && d.Change != Extra:
				first(i, []int{k})
			}
		}
	}
	for i, d := range list { // an heir may keep what its table loses
		if up := requalify(source.facts[factID{d.Kind, d.Object}].Through, backwards(p.names)); d.Kind == "column" && up != "" {
			first(i, comes(factID{d.Kind, up}))
		}
		// What an heir had of a table stays with it when it is its heir no more.
		if d.Kind == "column" && d.Change == Extra && runs(d) {
			for k, o := range list {
				if o.Kind == "inheritance" && o.Object == d.Table && o.Change != Missing {
					first(i, []int{k})
					for _, up := range goes(factID{d.Kind, requalify(target.facts[factID{d.Kind, d.Object}].Through, backwards(p.names))}) {
						if o.Change == Extra { // else it would go with its table's
							first(up, []int{k})
						}
					}
				}
			}
		}
		// What an heir has by itself goes behind what its table has.
		if up := requalify(target.facts[factID{d.Kind, d.Object}].Under, backwards(p.names)); d.Kind == "column" && d.Change == Extra && up != "" {
			first(i, goes(factID{d.Kind, up}))
		}
	}
	for i, d := range list { // a partition is put into its table when both are as they should be
		if !d.parted || d.Change == Extra {
			continue
		}
		for j, o := range list {
			of := o.Table == d.Object || (o.Table == d.Table || o.Object == d.Table) && o.Kind != "foreign key"
			if of && !o.parted && runs(o) && (structural(o.Kind) || o.Kind == "partition" || o.Kind == "exclusion" || o.Kind == "index") {
				first(i, []int{j})
			}
		}
	}
	schemas := make(map[string]int) // that come
	for i, d := range list {
		if d.Kind == "schema" && d.Change == Missing {
			schemas[schemaOf(d.Object)] = i
		}
	}
	for i, d := range list {
		if j, ok := schemas[schemaOf(d.Object)]; ok && d.Change != Extra {
			first(i, []int{j})
		}
	}
	relations := []string{"table", "view", "materialized view", "foreign table", "partition", "sequence", "index", "enum", "domain", "composite type", "range type", "base type"} // as tables are
	for i, d := range list {
		if d.rename != "" && (len(d.with) > 0 || slices.ContainsFunc(before[i], func(b int) bool { return list[b].Renamed == 0 && runs(list[b]) })) {
			late[i] = strings.HasPrefix(d.SQL, d.rename+";\n")
		}
	}
	for i, d := range list {
		if (d.Kind == "table" && d.Renamed > 0 || d.rename != "") && !late[i] { // its new name has to be free, and nothing else
			before[i] = nil
			for j, other := range list {
				if other.Change == Extra && (schemaOf(other.Object) == schemaOf(d.Object) && last(other.Object) == last(d.Object) && slices.Contains(relations, other.Kind) ||
					p.source.dialect.Rechecks && rechecked(other.Kind)) {
					before[i] = append(before[i], j)
				}
			}
		}
	}
	slices.SortStableFunc(initial, func(a, b int) int { return cmp.Compare(place(a), place(b)) })
	viewsInOrder(list, initial)
	position := make([]int, len(list)) // in the initial order
	for k, i := range initial {
		position[i] = k
	}
	state := make([]int, len(list)) // 1 while it is visited, 2 behind that
	n := 0
	var visit func(i int)
	visit = func(i int) {
		if state[i] != 0 { // of a circle the ranks decide
			return
		}
		state[i] = 1
		slices.SortFunc(before[i], func(a, b int) int { return position[a] - position[b] })
		for _, b := range slices.Compact(before[i]) {
			visit(b)
		}
		state[i] = 2
		n++
		list[i].Place = n
	}
	for _, i := range initial {
		visit(i)
	}
	p.withhold(list, source, target, comes, goes)
	p.togetherFirst(list, source, target)
	p.ordersLast(list, source)
	p.surround(list, source, target)
	p.tie(list, source, comes)
	unknot(list, target)
	detachFirst(list)
	nameFirst(list, late)
	p.clearForNames(list, source, target)
}

// runs tells whether a difference has a statement that can be run.
func runs(d Difference) bool { return d.SQL != "" && !strings.HasPrefix(d.SQL, "--") }

// nameFirst gives columns their names before the first of the statements that are said
// in these, where what else differs in them is closed later.
func nameFirst(list []Difference, late map[int]bool) {
	at := -1
	for i, d := range list {
		if runs(d) && (late[i] || d.Renamed == 0) && (at < 0 || d.Place < list[at].Place) {
			at = i
		}
	}
	for _, i := range slices.Sorted(maps.Keys(late)) {
		if d := &list[i]; late[i] && i != at {
			d.SQL = strings.Replace(d.SQL, d.rename+";\n", "", 1)
			list[at].SQL = join([]string{d.rename, list[at].SQL})
		}
	}
}

// loosens tells whether a key of the target has to go before the column can be as it
// should: a primary key keeps NULLs out, a foreign key that sets NULL wants them.
func loosens(key string, d Difference) bool {
	return d.Kind == "column" && d.Change == Different && slices.ContainsFunc(d.Pieces, func(p Piece) bool {
		return p.Name == "null" && (key == "primary key" && p.Source == "" || key == "foreign key" && p.Source != "")
	})
}

// detachFirst takes partitions whose bounds change out of their table before the first of
// its partitions is put into it: new bounds may overlap old ones.
func detachFirst(list []Difference) {
	const detach = " DETACH PARTITION "
	first := make(map[string]int)
	for i, d := range list {
		if at, ok := first[d.Table]; d.Kind == "partition" && d.SQL != "" && !strings.HasPrefix(d.SQL, "--") && (!ok || d.Place < list[at].Place) {
			first[d.Table] = i
		}
	}
	goes := make(map[int][]string)
	for i := range list {
		d := &list[i]
		at, ok := first[d.Table]
		statement, rest, more := strings.Cut(d.SQL, ";\n")
		if d.Kind == "partition" && d.Change == Different && ok && at != i && more && strings.Contains(statement, detach) {
			goes[at], d.SQL = append(goes[at], statement), rest
		}
	}
	for i, statements := range goes {
		list[i].SQL = join(append(statements, list[i].SQL))
	}
}

// tie makes the foreign keys of new tables behind the last of these, for they may lead
// to one another, and behind what else they need.
func (p *planner) tie(list []Difference, source *graph, comes func(factID) []int) {
	last := -1
	later := func(all []int) {
		for _, i := range all {
			if last < 0 || list[i].Place > list[last].Place {
				last = i
			}
		}
	}
	var statements []string
	for _, t := range p.ties {
		statements = append(statements, t.sql)
		later(comes(t.id))
		for _, on := range source.on[t.id] {
			later(comes(on))
		}
	}
	if last >= 0 {
		list[last].set(join(append([]string{list[last].SQL}, statements...)))
	}
}

// bearers gives what finds the differences whose statements make, change or drop an
// object; none where it stays as it is.
func bearers(list []Difference, g *graph, lacks string) func(factID) []int {
	at, words := make(map[factID]int), make(map[string]int)
	with := make(map[factID][]int)
	for i, d := range list {
		if d.Change != lacks {
			at[factID{d.Kind, d.Object}] = i
			if d.there != "" && lacks == Missing {
				at[factID{d.Kind, d.there}] = i
			}
		}
		words[d.Kind+" "+d.Object] = i
		for _, id := range d.with {
			with[id] = append(with[id], i)
		}
	}
	return func(id factID) []int {
		if with[id] != nil {
			return with[id]
		}
		i, ok := at[id]
		if !ok { // what belongs to a table goes and comes with it
			of := g.facts[id].Table
			for _, kind := range []string{"table", "partition", "foreign table", "view", "materialized view"} {
				if _, here := g.facts[factID{kind, of}]; !here { // a view may bear the name that a table has once it is renamed
					continue
				}
				if j, is := at[factID{kind, of}]; is && of != "" && list[j].Change != Different {
					i, ok = j, true
				}
				break
			}
		}
		if !ok {
			return nil
		}
		if to, ok := strings.CutPrefix(list[i].SQL, together); ok {
			if j, ok := words[to]; ok {
				i = j
			}
		}
		return []int{i}
	}
}

// unknot drops the foreign keys that lead from extra tables to one that goes before them.
func unknot(list []Difference, target *graph) {
	extra := make(map[string]int)
	for i, d := range list {
		if d.Kind == "table" && d.Change == Extra && d.SQL != "" {
			extra[d.Object] = i
		}
	}
	gone := make(map[string][]string) // statements, by the table that is referred to
	for id, f := range target.facts {
		child, ok := extra[f.Table]
		if id.kind != "foreign key" || !ok || f.Drop == "" {
			continue
		}
		led := make(map[string]bool) // a key leads to several columns of a table
		for _, on := range target.on[id] {
			table := cmp.Or(target.facts[on].Table, on.object)
			if parent, ok := extra[table]; ok && parent != child && list[parent].Place < list[child].Place && !led[table] {
				led[table] = true
				gone[table] = append(gone[table], trimmed(f.Drop))
			}
		}
	}
	for table, statements := range gone {
		slices.Sort(statements)
		d := &list[extra[table]]
		d.set(join(append(statements, d.SQL)))
	}
}

// viewsInOrder puts views that are made behind those that their text names, for a
// database that does not tell what depends on what. Order holds places of the list.
func viewsInOrder(list []Difference, order []int) {
	var at []int // places of views in the order
	for i, k := range order {
		if d := list[k]; (d.Kind == "view" || d.Kind == "materialized view") && d.Change != Extra {
			at = append(at, i)
		}
	}
	names := func(d, other Difference) bool { // whether d's text names the other
		parts, err := schema.ParseName(other.Object)
		if err != nil || d.Object == other.Object {
			return false
		}
		word := regexp.MustCompile("(^|[^\\pL\\pN_$])" + regexp.QuoteMeta(parts[len(parts)-1]) + "($|[^\\pL\\pN_$])")
		return word.MatchString(d.SQL)
	}
	var sorted []int
	done := make([]bool, len(at))
	var visit func(k int)
	visit = func(k int) {
		if done[k] {
			return
		}
		done[k] = true
		for j := range at {
			if !done[j] && names(list[order[at[k]]], list[order[at[j]]]) {
				visit(j)
			}
		}
		sorted = append(sorted, order[at[k]])
	}
	for k := range at {
		visit(k)
	}
	for k, i := range at {
		order[i] = sorted[k]
	}
}
