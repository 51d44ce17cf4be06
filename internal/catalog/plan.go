package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	atlas "ariga.io/atlas/sql/schema"

	"understudy/internal/schema"
)

// A planner gives differences the statement that closes them. Facts decide what
// differs: Atlas compares some things by name only (a user-defined type), not at
// all (a collation) or wrongly (keys that reference partitions), and gives up a
// whole table over one change it does not support. It decides only where no
// facts were collected.
type planner struct {
	ctx            context.Context // of the one Compare that this planner serves
	source, target *Catalog
	names          map[string]string // schemas: source's name to target's
	retitled       []retitled
	parted         []Difference // see byThemselves
	ties           []tie        // foreign keys of tables that are made
	// again are objects that are dropped and made again for others' sake, each with the
	// statements for what belongs to it.
	again map[factID][]string
}

// A tie is a foreign key and the statement that makes it.
type tie struct {
	id  factID
	sql string
}

// close fills SQL in, and adds the differences of kinds that only Atlas compared.
func (p *planner) close(out *Comparison, kinds []string) {
	p.firesInOrder(out)
	p.renames(out)
	p.statements(out)
	if p.source.dialect.Differ != nil {
		defer p.renameSource()()
		for _, s := range p.source.schemas {
			if t := p.targetSchema(s.Name); t != nil {
				p.objects(out, kinds, s, t)
			}
		}
		p.tables(out, kinds)
	}
	p.definitions(out)
	slices.SortFunc(out.Differences, Difference.order)
	p.rebuilds(out)
	p.tell(out)
	p.spare(out)
	out.Differences = append(out.Differences, p.parted...)
	wholeAnew(out)
	slices.SortFunc(out.Differences, Difference.order)
	p.joint(out.Differences)
	p.arrange(out)
}

// spare takes nothing away that the source may have as well, out of its reader's sight.
func (p *planner) spare(out *Comparison) {
	if !p.source.Partly {
		return
	}
	for i := range out.Differences {
		if d := &out.Differences[i]; d.Change == Extra && (holder(d.Kind) || d.Table == "") {
			d.SQL, d.Destructive = "-- whoever reads production may not see everything there: it may have this too", false
		}
	}
}

// wholeAnew leaves the partitions of a table alone that is parted in another way, or on
// one side only: it is made anew with them, or not at all.
func wholeAnew(out *Comparison) {
	parted := make(map[string]bool)
	for _, d := range out.Differences {
		if d.Change == Different && slices.ContainsFunc(d.Pieces, func(p Piece) bool { return p.Name == "partition key" }) {
			parted[d.Object] = true
		}
	}
	for i := range out.Differences {
		if d := &out.Differences[i]; d.Kind == "partition" && parted[d.Table] && !(d.parted && d.Change == Extra) {
			d.SQL, d.Destructive = "-- "+d.Table+" is to be made anew, with its partitions", false
		}
	}
}

// renameSource gives the source's schemas the target's names, so that planned
// statements can be run there, and returns what undoes it.
func (p *planner) renameSource() (undo func()) {
	var undos []func()
	for _, s := range p.source.schemas {
		if to, ok := p.names[s.Name]; ok && to != s.Name {
			old := s.Name
			s.Name = to
			undos = append(undos, func() { s.Name = old })
		}
	}
	return func() {
		for _, u := range undos {
			u()
		}
	}
}

func (p *planner) targetSchema(name string) *atlas.Schema {
	for _, s := range p.target.schemas {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// sourceName is what the source calls a schema of the target.
func (p *planner) sourceName(target string) string {
	for s, t := range p.names {
		if t == target {
			return s
		}
	}
	return target
}

// tables plans table by table, so that a change Atlas cannot plan spoils one table's statements only.
func (p *planner) tables(out *Comparison, kinds []string) {
	whole := func(name, how string, c atlas.Change) {
		if d := find(out, kinds, name, change{[]string{"table"}, nil, how, c}); d != nil && d.Change == how {
			d.set(p.planned(c))
		}
	}
	for _, s := range p.source.schemas {
		for _, from := range s.Tables {
			name := schema.Name{Schema: p.sourceName(s.Name), Table: from.Name}.String()
			if at := p.target.table(s.Name, from.Name); at != nil {
				p.table(out, kinds, name, from, at)
			} else {
				whole(name, Missing, &atlas.AddTable{T: from})
			}
		}
	}
	for _, s := range p.target.schemas {
		for _, at := range s.Tables {
			if p.source.table(s.Name, at.Name) == nil {
				name := schema.Name{Schema: p.sourceName(s.Name), Table: at.Name}.String()
				whole(name, Extra, &atlas.DropTable{T: at})
			}
		}
	}
}

// table plans the changes that make one table of the target as the source's.
func (p *planner) table(out *Comparison, kinds []string, name string, from, at *atlas.Table) {
	raw, err := p.source.dialect.Differ.TableDiff(at, from, atlas.DiffNormalized())
	if err != nil {
		// The text is Atlas's about a type or a column and holds no row value, but
		// it adds nothing to what the facts say.
		if !slices.Contains(kinds, "table") {
			out.Unseen = append(out.Unseen, fmt.Sprintf("both: %s was not compared: a change in it is not supported", name))
		}
		raw = p.pieces(out, name, from, at)
	}
	first := "" // the difference that bears the statements of a rebuild
	for _, one := range raw {
		c := classify(one)
		d := find(out, kinds, name, c)
		if d == nil {
			continue
		}
		plan := p.plan(&atlas.ModifyTable{T: from, Changes: []atlas.Change{one}})
		if len(plan) <= 3 {
			d.set(join(plan))
			continue
		}
		// A product that cannot alter a table in place copies it into a new one: all
		// its changes at once, or the copy would not fit. The source's own words for
		// the table, if there are any, tell it better.
		if p.declaration(name) == "" && first == "" {
			first = d.Kind + " " + d.Object
			d.set(join(p.plan(&atlas.ModifyTable{T: from, Changes: raw})))
		} else if first != "" {
			d.SQL = together + first
		}
	}
}

// pieces makes the changes of a table that Atlas refused as a whole from what
// the facts say is missing or too much.
func (p *planner) pieces(out *Comparison, name string, from, at *atlas.Table) (list []atlas.Change) {
	for _, d := range out.Differences {
		if d.Table != name || d.Change == Different {
			continue
		}
		parts, err := schema.ParseName(d.Object)
		if err != nil {
			continue
		}
		part, has, missing := parts[len(parts)-1], from, d.Change == Missing
		if !missing {
			has = at
		}
		switch d.Kind {
		case "column":
			if c, ok := has.Column(part); ok && missing {
				list = append(list, &atlas.AddColumn{C: c})
			} else if ok {
				list = append(list, &atlas.DropColumn{C: c})
			}
		case "index", "unique", "exclusion":
			if i, ok := has.Index(part); ok && missing {
				list = append(list, &atlas.AddIndex{I: i})
			} else if ok {
				list = append(list, &atlas.DropIndex{I: i})
			}
		case "foreign key":
			if f, ok := has.ForeignKey(part); ok && missing {
				list = append(list, &atlas.AddForeignKey{F: f})
			} else if ok {
				list = append(list, &atlas.DropForeignKey{F: f})
			}
		}
	}
	return list
}

// objects plans what a schema holds beside tables; with Atlas these are enums.
// It is asked both ways, because a label that only the target has is seen in one
// direction only.
func (p *planner) objects(out *Comparison, kinds []string, from, at *atlas.Schema) {
	bare := func(s *atlas.Schema) *atlas.Schema {
		return &atlas.Schema{Name: s.Name, Realm: s.Realm, Objects: s.Objects}
	}
	seen := make(map[string]bool)
	for _, dir := range []struct {
		from, to *atlas.Schema
		back     bool
	}{{bare(at), bare(from), false}, {bare(from), bare(at), true}} {
		changes, err := p.source.dialect.Differ.SchemaDiff(dir.from, dir.to, atlas.DiffNormalized())
		if err != nil {
			continue
		}
		for _, one := range changes {
			label, how := enumChange(one, dir.back)
			if label == "" || seen[label] {
				continue
			}
			seen[label] = true
			object := schema.Name{Schema: p.sourceName(from.Name), Table: label}.String()
			d := find(out, kinds, "", change{[]string{"enum"}, []string{object}, how, one})
			switch c, ok := one.(*atlas.ModifyObject); {
			case d == nil:
			case ok:
				d.label(p.source.dialect.quote(from.Name, label), c, dir.back)
			case !dir.back:
				d.set(p.planned(one))
			}
		}
	}
}

// label writes the statements that give an enum its labels, and which ones no statement
// takes away.
func (d *Difference) label(name string, c *atlas.ModifyObject, back bool) {
	from, isEnum := c.From.(*atlas.EnumType)
	to, alsoEnum := c.To.(*atlas.EnumType)
	if !isEnum || !alsoEnum || d.Change != Different {
		return
	}
	if back {
		from, to = to, from
	}
	text := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	have := slices.Clone(from.Values)
	var list, stay []string
	for i, v := range to.Values {
		if slices.Contains(have, v) {
			continue
		}
		where := ""
		if i > 0 {
			where = " AFTER " + text(to.Values[i-1])
		} else if len(have) > 0 {
			where = " BEFORE " + text(have[0])
		}
		list, have = append(list, "ALTER TYPE "+name+" ADD VALUE "+text(v)+where), append(have, v)
	}
	for _, v := range from.Values {
		if !slices.Contains(to.Values, v) {
			stay = append(stay, fmt.Sprintf("%q", v))
		}
	}
	d.set(join(list))
	if len(stay) > 0 {
		list = append(list, "-- "+strings.Join(stay, ", ")+" stays, for no label is ever taken away: to be rid of it make the type anew, and its columns")
		d.SQL = join(list)
	}
}

func enumChange(one atlas.Change, back bool) (name, how string) {
	missing, extra := Missing, Extra
	if back {
		missing, extra = Extra, Missing
	}
	switch c := one.(type) {
	case *atlas.AddObject:
		if e, ok := c.O.(*atlas.EnumType); ok {
			return e.T, missing
		}
	case *atlas.DropObject:
		if e, ok := c.O.(*atlas.EnumType); ok {
			return e.T, extra
		}
	case *atlas.ModifyObject:
		if e, ok := c.To.(*atlas.EnumType); ok {
			return e.T, Different
		}
	}
	return "", ""
}

// A change is one of Atlas's, told in the words of facts.
type change struct {
	kinds []string // any of them
	names []string // any of them, last part or whole object
	how   string
	atlas atlas.Change
}

// classify tells which object a change of a table is about.
func classify(one atlas.Change) change {
	var (
		columns = []string{"column"}
		indexes = []string{"index", "unique", "exclusion"}
		primary = []string{"primary key"}
		foreign = []string{"foreign key"}
		checks  = []string{"check"}
	)
	switch c := one.(type) {
	case *atlas.AddColumn:
		return change{columns, []string{c.C.Name}, Missing, one}
	case *atlas.DropColumn:
		return change{columns, []string{c.C.Name}, Extra, one}
	case *atlas.ModifyColumn:
		return change{columns, []string{c.To.Name}, Different, one}
	case *atlas.AddIndex:
		return change{indexes, []string{c.I.Name}, Missing, one}
	case *atlas.DropIndex:
		return change{indexes, []string{c.I.Name}, Extra, one}
	case *atlas.ModifyIndex:
		return change{indexes, []string{c.To.Name}, Different, one}
	case *atlas.RenameIndex:
		return change{indexes, []string{c.To.Name}, Different, one}
	case *atlas.AddPrimaryKey:
		return change{primary, nil, Missing, one}
	case *atlas.DropPrimaryKey:
		return change{primary, nil, Extra, one}
	case *atlas.ModifyPrimaryKey, *atlas.RenameConstraint:
		return change{primary, nil, Different, one}
	case *atlas.AddForeignKey:
		return change{foreign, []string{c.F.Symbol, keyColumns(c.F)}, Missing, one}
	case *atlas.DropForeignKey:
		return change{foreign, []string{c.F.Symbol, keyColumns(c.F)}, Extra, one}
	case *atlas.ModifyForeignKey:
		return change{foreign, []string{c.To.Symbol, keyColumns(c.To)}, Different, one}
	case *atlas.AddCheck:
		return change{checks, []string{c.C.Name}, Missing, one}
	case *atlas.DropCheck:
		return change{checks, []string{c.C.Name}, Extra, one}
	case *atlas.ModifyCheck:
		return change{checks, []string{c.To.Name}, Different, one}
	}
	return change{[]string{"table"}, nil, Different, one}
}

// keyColumns names an unnamed foreign key as facts do. An unnamed unique
// constraint gets no statement: Atlas would drop an index of a name that is not there.
func keyColumns(f *atlas.ForeignKey) string {
	var names []string
	for _, c := range f.Columns {
		names = append(names, c.Name)
	}
	return ByColumns("foreign key", names)
}

// ByColumns makes the name of a constraint to which the database gives none,
// from its kind and its columns.
func ByColumns(kind string, columns []string) string {
	return kind + " (" + strings.Join(columns, ", ") + ")"
}

// find gives the difference that a change is about. Where facts of these kinds
// were compared and do not differ, Atlas is wrong and nil comes back; where there
// were none, the difference is added.
func find(out *Comparison, kinds []string, table string, c change) *Difference {
	covered := false
	for i := range out.Differences {
		d := &out.Differences[i]
		if slices.Contains(c.kinds, d.Kind) && d.Table == table && (d.Change == c.how || d.Change == Different) && d.SQL == "" && named(d, table, c) {
			return d
		}
	}
	for _, k := range c.kinds {
		covered = covered || slices.Contains(kinds, k)
	}
	if covered || own(table) {
		return nil
	}
	object := table
	if len(c.names) > 0 && table != "" {
		object = table + "." + schema.Ident(c.names[0])
	} else if len(c.names) > 0 {
		object = c.names[0]
	}
	out.Differences = append(out.Differences, Difference{Kind: c.kinds[0], Object: object, Table: table, Change: c.how})
	return &out.Differences[len(out.Differences)-1]
}

func named(d *Difference, table string, c change) bool {
	if len(c.names) == 0 {
		return true // one per table
	}
	return slices.ContainsFunc(c.names, func(n string) bool {
		return n != "" && (d.Object == n || d.Object == table+"."+schema.Ident(n))
	})
}

// planned plans one change.
func (p *planner) planned(c atlas.Change) string { return join(p.plan(c)) }

// plan asks Atlas for statements; none if it cannot plan the change, or if a name in
// it would break out of the statement, because Atlas does not escape names.
func (p *planner) plan(c atlas.Change) []string {
	if hostile(c) {
		return nil
	}
	plan, err := p.source.dialect.Planner.PlanChanges(p.ctx, "parity", []atlas.Change{c}, func(o *migrate.PlanOptions) {
		o.Mode = migrate.PlanModeDeferred
		if p.source.dialect.Unqualified {
			o.SchemaQualifier = new(string)
		}
	})
	if err != nil {
		return nil
	}
	var out []string
	for _, c := range plan.Changes {
		out = append(out, c.Cmd)
	}
	return out
}

func hostile(c atlas.Change) bool {
	bad := func(t *atlas.Table) bool {
		if t == nil {
			return false
		}
		names := []string{t.Name}
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
		for _, i := range t.Indexes {
			names = append(names, i.Name)
		}
		for _, f := range t.ForeignKeys {
			names = append(names, f.Symbol)
			if f.RefTable != nil {
				names = append(names, f.RefTable.Name)
			}
		}
		return slices.ContainsFunc(names, breaksOut)
	}
	switch c := c.(type) {
	case *atlas.ModifyTable:
		for _, one := range c.Changes {
			switch one := one.(type) {
			case *atlas.DropColumn:
				if strings.ContainsAny(one.C.Name, "\"`'\\;\n\r") {
					return true
				}
			case *atlas.DropIndex:
				if bad(one.I.Table) {
					return true
				}
			case *atlas.DropForeignKey:
				if bad(one.F.Table) {
					return true
				}
			}
		}
		return bad(c.T)
	case *atlas.AddObject:
		return hostileEnum(c.O)
	case *atlas.DropObject:
		return hostileEnum(c.O)
	case *atlas.AddTable:
		return bad(c.T)
	case *atlas.DropTable:
		return bad(c.T)
	}
	return false
}

// hostileEnum tells whether the name of an enum, or a label, would break out.
func hostileEnum(o atlas.Object) bool {
	e, ok := o.(*atlas.EnumType)
	return ok && (breaksOut(e.T) || slices.ContainsFunc(e.Values, breaksOut))
}

func breaksOut(name string) bool {
	return strings.ContainsAny(name, "\"`'\\;\n\r") || strings.Contains(name, "--")
}

func join(statements []string) string { return strings.Join(statements, ";\n") }
