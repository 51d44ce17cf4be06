package catalog

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// takesAway finds a statement that drops an object. Dropping a default or NOT
// NULL takes nothing away.
var takesAway = regexp.MustCompile(`(?i)\bDROP\s+(TABLE|COLUMN|CONSTRAINT|INDEX|TYPE|DOMAIN|VIEW|MATERIALIZED|FUNCTION|PROCEDURE|TRIGGER|SEQUENCE|POLICY|EXTENSION|RULE|FOREIGN|PRIMARY|CHECK|AGGREGATE|OPERATOR|CAST|COLLATION|CONVERSION|EVENT|TEXT|SERVER|TRANSFORM|ACCESS|SYSTEM|PUBLICATION|SUBSCRIPTION|STATISTICS|USER|SCHEMA|IDENTITY|PERIOD)\b`)

// A schema is never dropped from here with what is in it, whatever is planned.
var dropsSchema = regexp.MustCompile(`(?i)\bDROP\s+SCHEMA\b[^;]*\bCASCADE\b`)

// set gives a difference its statement.
func (d *Difference) set(sql string) {
	if sql == "" || dropsSchema.MatchString(sql) {
		return
	}
	d.SQL, d.Destructive = sql, takesAway.MatchString(sql)
}

// statements closes differences with the server's own statements. They go before
// Atlas's, which leave out what it does not model.
func (p *planner) statements(out *Comparison) {
	create := make(map[factID][]string)
	drop := make(map[factID]string)
	alter, clear := make(map[factID]string), make(map[factID]string)
	byTable, aboutIt := make(map[string][]made), make(map[string][]made)
	p.source.ungrant()
	for _, f := range p.source.Facts {
		if f.Create != "" {
			sql := trimmed(f.renamed(p.names).Create)
			id := factID{f.Kind, f.Object}
			create[id] = append(create[id], sql)
			if of := subject(Difference{Kind: f.Kind, Object: f.Object}); of != "" && f.Table == "" {
				aboutIt[of] = append(aboutIt[of], made{f.Kind, f.Object, sql})
			}
			if f.Table != f.Object && f.Kind != "column" || f.Table == f.Object && !holder(f.Kind) {
				byTable[f.Table] = append(byTable[f.Table], made{f.Kind, f.Object, sql})
			}
		}
	}
	owners := make(map[string][]string)
	for _, f := range p.source.Facts {
		if f.Kind == "owner" && f.Alter != "" {
			owners[f.Object] = append(owners[f.Object], trimmed(f.renamed(p.names).Alter))
		}
		if f.Alter != "" {
			alter[factID{f.Kind, f.Object}] = trimmed(f.renamed(p.names).Alter)
		}
	}
	parts, takes := p.byIdentity()
	back := backwards(p.names)
	for _, f := range p.target.Facts { // several may have one identity
		id := factID{f.Kind, requalify(f.Object, back)}
		if f.Drop != "" {
			drop[id] = trimmed(f.Drop)
		}
		if f.Clear != "" {
			clear[id] = trimmed(f.Clear)
		}
	}
	for _, d := range out.Differences { // whose statements run once it has its name
		if d.rename != "" {
			there, write := factID{d.Kind, d.there}, calls(bareLast(d.there), bareLast(d.Object))
			f := takes[there]
			f.Parts = slices.Clone(p.target.dialect.follow(f, f.Object, requalify(d.Object, p.names)))
			for i := range f.Parts {
				f.Parts[i].Clear = write(f.Parts[i].Clear)
			}
			takes[there], drop[there], clear[there] = f, write(drop[there]), write(clear[there])
		}
	}
	down := p.handDown(out, parts, takes)
	anew := make(map[string]string) // objects that are dropped and created, with all that belongs to them
	turns := p.source.turns()
	belongings := func(d *Difference) (list []string) {
		if holder(d.Kind) {
			all := slices.Clone(byTable[d.Object])
			for i := 0; i < len(all); i++ { // what partitions are parted in themselves
				if all[i].kind == "partition" && all[i].object != d.Object {
					all = append(all, byTable[all[i].object]...)
				}
			}
			list = inOrder(slices.DeleteFunc(all, func(m made) bool {
				if was := takes[factID{m.kind, m.object}]; d.Change == Missing && was.Kind != "" && was.Table != d.Object {
					return true // it is there and told by itself, on another table
				}
				return p.source.dialect.Whole && (structural(m.kind) || m.kind == "index")
			}), turns)
		}
		if subject(*d) == "" {
			list = append(list, inOrder(aboutIt[bare(d.Object)], turns)...)
			if d.Change != Missing && d.Kind != "table" { // it had an owner, with whose rights it acts
				list = append(list, owners[d.Object]...)
			}
		}
		return list
	}
	for i := range out.Differences {
		d := &out.Differences[i]
		if d.SQL != "" {
			continue
		}
		id, there := factID{d.Kind, d.Object}, factID{d.Kind, d.Object}
		if d.there != "" {
			there.object = d.there
		}
		if d.Kind == "index" && d.Change == Different && len(d.Pieces) == 1 && d.Pieces[0].Name == "validity" && d.Pieces[0].Source != "" {
			d.SQL = "-- production's own is not valid: REINDEX it there"
			continue
		}
		if why := parts[id].part(Broken); why != "" && d.Change != Extra {
			d.SQL = "-- no statement: it does not work in production (" + why + "): mend it or drop it there"
			continue
		}
		if with := down.with[i]; with != "" {
			d.SQL = together + with
			continue
		}
		besides := d.Pieces
		if own, ok := down.own[i]; ok {
			besides = own
		}
		if d.rename != "" {
			if besides = besides[1:]; len(besides) == 0 {
				d.set(d.rename)
				continue
			}
		}
		var piece []string
		if d.Change == Different {
			piece = piecewise(besides, parts[id], takes[there])
			if i := slices.IndexFunc(piece, func(sql string) bool { return strings.HasPrefix(sql, "-- ") }); i >= 0 { // nothing closes it
				piece = piece[i : i+1]
			} else if again := trimmed(parts[id].Again); len(piece) > 0 && again != "" && recast(besides) {
				piece = append(piece, again)
			}
		}
		var rows, from []string // columns by which rows of its own come along
		if p.source.dialect.Remake != nil && d.Change == Different {
			rows, from = carried(parts[id].Shape, takes[there].Shape)
		}
		switch makes, drops := create[id], drop[there]; {
		case len(piece) > 0:
			d.set(join(piece))
		case d.Change == Missing && d.Kind == "table" && len(makes) > 0 && !p.source.dialect.Whole:
			var ties []string
			for _, m := range byTable[d.Object] {
				if m.kind == "foreign key" {
					ties = append(ties, m.sql)
					p.ties = append(p.ties, tie{factID{m.kind, m.object}, m.sql})
				}
			}
			list := slices.DeleteFunc(append(slices.Clone(makes), belongings(d)...), func(sql string) bool { return slices.Contains(ties, sql) })
			for _, s := range out.Differences { // of its columns, and made before it
				if s.Kind == "sequence" && s.Change == Missing && p.ownedBy(parts[factID{s.Kind, s.Object}], d.Object) {
					list = append(list, alter[factID{s.Kind, s.Object}])
				}
			}
			d.set(join(list))
		case d.Change == Missing && len(makes) > 0:
			makes = append(slices.Clone(makes), belongings(d)...)
			if d.Kind == "sequence" && p.owner(out.Differences, parts[id], Missing) < 0 && p.column(out.Differences, parts[id]) < 0 {
				makes = append(makes, alter[id]) // the column that it belongs to is there
				_, column, belongs := strings.Cut(alter[id], " OWNED BY ")
				if column == "NONE" {
					column = p.numbers(id, takes)
				}
				if parts, err := schema.ParseName(column); belongs && err == nil && len(parts) == 3 && p.source.dialect.Advance != nil {
					name := p.source.dialect.quote
					makes = append(makes, p.source.dialect.Advance(requalify(d.Object, p.names), name(parts[:2]...), name(parts[2])))
				}
			}
			d.set(join(makes))
		case d.Change == Missing && d.Kind == "owner":
			d.set(alter[id])
		case d.Change == Extra:
			d.set(drops)
			if i := p.owner(out.Differences, takes[there], Extra); i >= 0 { // with which it goes
				d.SQL, d.Destructive = together+"table "+out.Differences[i].Object, false
			}
		case d.Change == Different && alter[id] != "" && clear[there] != "" && strings.HasPrefix(parts[id].Shape, takes[there].Shape):
			d.set(join([]string{clear[there], alter[id]}))
		case d.Change == Different && d.Renamed == 0 && alter[id] != "" && parts[id].Halfway != "" && takes[there].Halfway != "" && parts[id].Sort != takes[there].Sort:
			d.set(join([]string{trimmed(takes[there].Halfway), alter[id]}))
		case d.Change == Different && alter[id] != "" && strings.HasPrefix(parts[id].Shape, takes[there].Shape):
			d.set(alter[id])
		case len(makes) > 0 && len(rows) > 1: // it holds rows of its own
			r := Remade{Table: bareLast(d.Object), Declare: join(makes), There: takes[there].Create, Taken: p.taken()}
			for i, c := range rows {
				r.Copy, r.From = append(r.Copy, bareLast(c)), append(r.From, bareLast(from[i]))
				if c != from[i] {
					d.Detail += "; " + c + " is " + from[i] + " in target, most probably"
				}
			}
			d.set(p.source.dialect.Remake(r))
			d.Destructive = len(rows) < len(Listed(takes[there].Shape))
		case len(makes) > 0 && drops != "" && d.Kind != "table" && d.Kind != "partition" && (d.Kind != "column" || p.source.dialect.Remake == nil && (computed(takes[there]) || computed(parts[id]))) && d.Kind != "enum": // those hold rows, or are in use
			d.set(join(slices.Concat([]string{drops}, makes, belongings(d))))
			if d.Change == Different && subject(*d) == "" && len(belongings(d)) > 0 {
				anew[d.Object] = d.Kind + " " + d.Object
				anew[bare(d.Object)] = anew[d.Object]
			}
		}
		switch {
		case d.rename == "" || d.SQL == "" && p.source.dialect.Remake != nil: // see remade
		case d.SQL == "":
			d.set(d.rename)
			d.SQL += ";\n-- no statement closes what else differs in it"
		default:
			d.set(join([]string{d.rename, d.SQL}))
		}
	}
	for _, s := range out.Differences { // a sequence is made before a column that is missing, and is its own after it
		if i := p.column(out.Differences, parts[factID{s.Kind, s.Object}]); s.Kind == "sequence" && s.Change == Missing && i >= 0 {
			out.Differences[i].set(join([]string{out.Differences[i].SQL, alter[factID{s.Kind, s.Object}]}))
		}
	}
	for i, around := range down.around {
		if d := &out.Differences[i]; runs(*d) {
			named, rest := "", d.SQL
			if d.rename != "" && strings.HasPrefix(rest, d.rename) {
				named, rest = d.rename, strings.TrimPrefix(strings.TrimPrefix(rest, d.rename), ";\n")
			}
			d.set(join(slices.DeleteFunc(slices.Concat([]string{named}, around.before, []string{rest}, around.after), func(sql string) bool { return sql == "" })))
		}
	}
	p.makeRoom(out, parts, takes)
	p.around(out, belongings, anew)
	for i := range out.Differences {
		d := &out.Differences[i]
		of := d.Table
		if s := subject(*d); s != "" {
			of = s
		}
		if at := anew[of]; at != "" && at != d.Kind+" "+d.Object && d.Change != Extra && d.Kind != "owner" {
			d.SQL, d.Destructive = together+at, false
		}
	}
}

// byIdentity gives what both sides have by the source's names: the source's as statements
// write it, the target's as it is.
func (p *planner) byIdentity() (parts, takes map[factID]Fact) {
	parts, takes = make(map[factID]Fact), make(map[factID]Fact)
	for _, f := range p.source.Facts {
		parts[factID{f.Kind, f.Object}] = f.renamed(p.names)
	}
	back := backwards(p.names)
	for _, f := range p.target.Facts {
		takes[factID{f.Kind, requalify(f.Object, back)}] = f
	}
	return parts, takes
}

// numbers gives the one column that takes its numbers from a sequence that belongs to
// none, where the target has it; empty else.
func (p *planner) numbers(sequence factID, takes map[factID]Fact) (column string) {
	source, _ := p.graphs()
	for _, of := range source.of[sequence] {
		name := requalify(of.object, p.names)
		if of.kind != "column" && of.kind != ofDefault || takes[factID{"column", of.object}].Kind == "" || name == column {
			continue
		}
		if column != "" {
			return ""
		}
		column = name
	}
	return column
}

// makeRoom has a column lose its identity before the sequence that takes its place is
// made: the identity's own may bear the name.
func (p *planner) makeRoom(out *Comparison, parts, takes map[factID]Fact) {
	for i := range out.Differences {
		s := &out.Differences[i]
		if s.Kind != "sequence" || s.Change != Missing {
			continue
		}
		for j := range out.Differences {
			c := &out.Differences[j]
			if c.Kind != "column" || c.Change != Different || !strings.HasSuffix(parts[factID{s.Kind, s.Object}].Alter, " OWNED BY "+requalify(c.Object, p.names)) {
				continue
			}
			for _, identity := range takes[factID{c.Kind, cmp.Or(c.there, c.Object)}].Parts {
				statements := strings.Split(c.SQL, ";\n")
				if k := slices.Index(statements, identity.Clear); identity.Name == "identity" && k >= 0 {
					s.SQL, c.SQL = join([]string{identity.Clear, s.SQL}), join(slices.Delete(statements, k, k+1))
				}
			}
		}
	}
}

// ownedBy tells whether a sequence belongs to a column of the table, as its statements say.
func (p *planner) ownedBy(sequence Fact, table string) bool {
	return sequence.Kind == "sequence" && strings.Contains(sequence.Alter, " OWNED BY "+requalify(table, p.names)+".")
}

// owner finds the table in the list that a sequence belongs to; -1 for none.
func (p *planner) owner(list []Difference, sequence Fact, change string) int {
	return slices.IndexFunc(list, func(t Difference) bool {
		return t.Kind == "table" && t.Change == change && p.ownedBy(sequence, t.Object)
	})
}

// column finds the missing column in the list that a sequence belongs to; -1 for none.
func (p *planner) column(list []Difference, sequence Fact) int {
	return slices.IndexFunc(list, func(c Difference) bool {
		return c.Kind == "column" && c.Change == Missing && c.SQL != "" && sequence.Kind == "sequence" && strings.HasSuffix(sequence.Alter, " OWNED BY "+requalify(c.Object, p.names))
	})
}

// ungrant leaves out of the statements what is granted to the role that reads the
// source (see forgive): the target's server need not have such a role.
func (c *Catalog) ungrant() {
	if c.Reader == "" {
		return
	}
	for i := range c.Facts {
		f := &c.Facts[i]
		if !strings.HasPrefix(f.Kind, "grant") {
			continue
		}
		for _, sql := range []*string{&f.Create, &f.Alter} {
			*sql = strings.Join(slices.DeleteFunc(strings.Split(*sql, "; "), func(s string) bool {
				return strings.HasPrefix(s, "GRANT ") && strings.HasSuffix(strings.TrimSuffix(s, " WITH GRANT OPTION"), " TO "+c.Reader)
			}), "; ")
		}
	}
}

// made is a statement that makes something which belongs to a table.
type made struct{ kind, object, sql string }

// inOrder sorts what belongs to a new table: keys before what needs them, what
// watches its rows last, each in its turn.
func inOrder(list []made, turns map[string]int) (out []string) {
	place := func(m made) int {
		for i, k := range []string{"partition", "inheritance", "primary key", "unique", "exclusion", "check", "index", "foreign key"} {
			if m.kind == k {
				return i
			}
		}
		return 100
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b made) int { return cmp.Or(place(a)-place(b), turns[a.object]-turns[b.object]) })
	for _, m := range list {
		out = append(out, m.sql)
	}
	return out
}

// piecewise gives the statements that close a difference piece by piece; none
// unless each piece has one. What the object has too much goes first: a column that has
// a default cannot become an identity. So does, and comes again, the default of a
// column whose type changes, which a database does not take along from any to any.
func piecewise(pieces []Piece, source, target Fact) []string {
	find := func(f Fact, name string) Part {
		for _, p := range f.Parts {
			if p.Name == name {
				return p
			}
		}
		return Part{}
	}
	var goes, comes []string
	for _, p := range pieces {
		should := find(source, p.Name)
		switch {
		case p.Source == "":
			goes = append(goes, find(target, p.Name).Clear)
		case should.Add != "" && (p.Target == "" || p.Name == "generated" && p.Source[:1] != p.Target[:1]): // kept on one side, computed anew on the other
			comes = append(comes, should.Add)
		case should.Alter == "" && should.Add != "": // it goes, and comes
			goes, comes = append(goes, find(target, p.Name).Clear), append(comes, should.Add)
		case should.Many != "" && strings.HasSuffix(p.Source, "[]") && !strings.HasSuffix(p.Target, "[]"):
			comes = append(comes, should.Many)
		case should.One != "" && !strings.HasSuffix(p.Source, "[]") && strings.HasSuffix(p.Target, "[]"):
			comes = append(comes, should.One)
		default:
			comes = append(comes, should.Alter)
		}
	}
	slices.Reverse(goes) // an identity keeps its column from NULL
	if slices.ContainsFunc(pieces, func(p Piece) bool { return p.Name == "type" && family(p.Source) != family(p.Target) }) {
		if old := find(target, "default"); old.Clear != "" && !slices.Contains(goes, old.Clear) {
			goes = append([]string{old.Clear}, goes...)
			if now := find(source, "default"); now.Alter != "" && !slices.Contains(comes, now.Alter) {
				comes = append(comes, now.Alter)
			}
		}
	}
	list := append(goes, comes...)
	if slices.Contains(list, "") {
		return nil
	}
	var once []string // several pieces may have one statement
	for _, sql := range list {
		if sql = trimmed(sql); !slices.Contains(once, sql) {
			once = append(once, sql)
		}
	}
	return once
}

// recast tells whether a column gets another type, or its values another order, or is
// computed otherwise.
func recast(pieces []Piece) bool {
	return slices.ContainsFunc(pieces, func(p Piece) bool { return p.Name == "type" || p.Name == "collation" || p.Name == "generated" })
}

// family is a type without its length.
func family(t string) string {
	before, rest, ok := strings.Cut(t, "(")
	if _, after, closed := strings.Cut(rest, ")"); ok && closed {
		return before + after
	}
	return t
}

// renames closes differences that are another name for one thing.
func (p *planner) renames(out *Comparison) {
	for i := range out.Differences {
		d := &out.Differences[i]
		if p.source.dialect.Rename != nil && d.Kind == "primary key" && d.Change == Different && len(d.Pieces) == 1 && d.Pieces[0].Name == OwnName { // one to a table, so it is told by that
			if table, err := schema.ParseName(requalify(d.Table, p.names)); err == nil {
				d.set(p.source.dialect.Rename(d.Kind, table, d.Pieces[0].Target, d.Pieces[0].Source))
			}
			continue
		}
		is, err := schema.ParseName(requalify(d.there, p.names))
		should, err2 := schema.ParseName(d.Object)
		if err != nil || err2 != nil {
			continue
		}
		if p.source.dialect.Rename != nil && d.Renamed == 0 && len(d.Pieces) == 1 && d.Pieces[0].Name == OwnName && d.Table != "" {
			if table, err := schema.ParseName(requalify(d.Table, p.names)); err == nil {
				d.set(p.source.dialect.Rename(d.Kind, table, is[len(is)-1], should[len(should)-1]))
			}
		}
		if d.Renamed == 0 {
			continue
		}
		if name := p.source.dialect.quote; d.Kind == "column" && len(is) == 3 && len(should) == 3 {
			d.rename = "ALTER TABLE " + name(is[0], is[1]) + " RENAME COLUMN " + name(is[2]) + " TO " + name(should[2])
		}
	}
}

func trimmed(sql string) string { return strings.TrimRight(strings.TrimSpace(sql), "; \n") }

// definitions closes what is left where a fact's definition is itself a
// statement that makes the object.
func (p *planner) definitions(out *Comparison) {
	texts := make(map[factID]string)
	for _, f := range p.source.Facts {
		text := trimmed(f.Definition)
		if holder(f.Kind) && !strings.EqualFold(text[:min(6, len(text))], "CREATE") && strings.Contains(f.Kind, "view") {
			// A view told by its query, up to the semicolon; options may follow.
			query := f.Definition
			if end := strings.LastIndexByte(query, ';'); end >= 0 {
				query = query[:end]
			}
			text = "CREATE " + strings.ToUpper(f.Kind) + " " + f.Object + " AS\n" + strings.TrimSpace(query)
		}
		if len(text) > 7 && strings.EqualFold(text[:7], "CREATE ") {
			texts[factID{f.Kind, f.Object}] = requalify(text, p.names)
		}
	}
	for i := range out.Differences {
		d := &out.Differences[i]
		if d.SQL != "" {
			continue
		}
		create, drop := texts[factID{d.Kind, d.Object}], ""
		switch d.Kind {
		case "view", "materialized view", "sequence", "domain", "index":
			drop = "DROP " + strings.ToUpper(d.Kind) + " " + requalify(d.Object, p.names)
		}
		switch {
		case d.Change == Missing || strings.HasPrefix(strings.ToUpper(create), "CREATE OR REPLACE "):
			d.set(create)
		case d.Change == Extra:
			d.set(drop)
		case create != "" && drop != "":
			d.set(join([]string{drop, create}))
		}
	}
}

// rebuilds closes what is left of a table with its declaration in the source: by
// making it anew, where the product alters no table in place, else in words.
func (p *planner) rebuilds(out *Comparison) {
	first := make(map[string]string)
	parts, takes := p.byIdentity()
	for i := range out.Differences {
		d := &out.Differences[i]
		if d.SQL != "" || d.Table == "" || !structural(d.Kind) || d.Change == Missing && d.Kind == "table" {
			continue
		}
		if at := first[d.Table]; at != "" {
			d.SQL = together + at
			continue
		}
		text := p.declaration(d.Table)
		if text == "" {
			continue
		}
		first[d.Table] = d.Kind + " " + d.Object
		if d.SQL = rebuild + text; p.source.dialect.Remake == nil {
			d.SQL = rebuild + "-- " + strings.ReplaceAll(text, "\n", "\n-- ") // nothing copies the rows
			continue
		}
		if sql := p.source.dialect.Remake(p.remade(out, d.Table, text)); sql != "" {
			d.set(sql)
			d.Destructive = slices.ContainsFunc(out.Differences, func(o Difference) bool { // else all values come along as they are
				is, was := parts[factID{o.Kind, o.Object}], takes[factID{o.Kind, cmp.Or(o.there, o.Object)}]
				return o.Kind == "column" && o.Table == d.Table && (o.Change == Extra || o.Change == Different && (computed(is) && !computed(was) || is.Sort != was.Sort))
			})
			d.rename = "" // among the statements
			p.alongside(out, d)
		}
	}
}

// remade tells how a table is made anew.
func (p *planner) remade(out *Comparison, table, text string) Remade {
	r := Remade{Table: bareLast(table), Declare: text, Taken: p.taken()}
	renamed, there := make(map[string]bool), make(map[factID]Fact)
	for _, d := range out.Differences {
		if d.there != "" { // by another name
			there[factID{d.Kind, d.Object}] = Fact{Kind: d.Kind, Table: table}
		}
		if d.rename != "" && d.Table == table {
			renamed[d.Object] = true
			r.Renames = append(r.Renames, d.rename)
		}
	}
	for _, f := range p.target.Facts {
		there[factID{f.Kind, f.Object}] = f
		if f.Kind == "table" && f.Object == table {
			r.There = trimmed(f.Create)
		}
	}
	for _, f := range p.source.Facts {
		was := there[factID{f.Kind, f.Object}]
		switch {
		case f.Table != table:
		case f.Kind == "column" && !computed(f):
			if renamed[f.Object] || was.Kind != "" { // else its default stands in
				r.Copy = append(r.Copy, bareLast(f.Object))
			}
		case (f.Kind == "index" || f.Kind == "trigger") && f.Create != "" && was.Kind != "":
			if was.Table != table { // that does not take it along
				r.After = append(r.After, trimmed(was.Drop))
			}
			r.After = append(r.After, trimmed(f.Create))
		}
	}
	return r
}

// taken lists the names that objects have on either side.
func (p *planner) taken() (names []string) {
	for _, f := range slices.Concat(p.target.Facts, p.source.Facts) {
		names = append(names, bareLast(f.Object))
	}
	return names
}

// alongside leaves to the statements that make a table anew what they close as well.
func (p *planner) alongside(out *Comparison, bearer *Difference) {
	for i := range out.Differences {
		d := &out.Differences[i]
		if d == bearer || d.Table != bearer.Table {
			continue
		}
		if structural(d.Kind) || (d.Kind == "index" || d.Kind == "trigger") && d.Change == Different {
			d.SQL, d.Destructive, d.rename = together+bearer.Kind+" "+bearer.Object, false, ""
		}
	}
}

// structural tells whether a kind is declared inside CREATE TABLE.
func structural(kind string) bool {
	switch kind {
	case "table", "column", "primary key", "unique", "foreign key", "check":
		return true
	}
	return false
}

// declaration is the source's own statement for a table; empty if it gives none.
func (p *planner) declaration(table string) string {
	for _, f := range p.source.Facts {
		if f.Kind == "table" && f.Object == table {
			return trimmed(f.renamed(p.names).Create)
		}
	}
	return ""
}

// Together tells whether a statement says that another difference's closes this one.
func Together(sql string) bool { return strings.HasPrefix(sql, together) }

// rebuild stands before a declaration where nothing less closes the difference,
// together in place of it where another difference of the table bears it.
const (
	together = "-- closed together with "
	rebuild  = "-- make the table anew as the source declares it, and copy its rows\n"
)
