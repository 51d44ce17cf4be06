package mysql

import (
	"context"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A structure stands for the DDL of a source's databases, which is read from the
// server when it is needed.
type structure struct {
	side      *side
	databases []string
}

// Describe names the databases.
func (s *structure) Describe() string { return "the databases " + strings.Join(s.databases, ", ") }

// A blueprint is what a new generation is made from.
type blueprint struct {
	// foreign: it is that of the source, whose databases may have other names.
	foreign   bool
	databases []databasePlan
	hidden    []string // what grants hide
	blind     []string // kinds of which grants hide whether there is any, each a sentence
	refused   []string // what cannot be made in the target, each a sentence with its remedy
}

// A databasePlan is one database of a blueprint.
type databasePlan struct {
	from string // its name in the blueprint's server
	name string // the target's
	next string // where it is built
	// charset and collation are the defaults of the database.
	charset, collation string
	tables             []creation
	triggers           []object
	after              []object // views, routines and events, of a foreign blueprint only
	sequences          []string
}

// readBlueprint reads the structure of databases. names gives each its name in
// the target; nil means that it is the target's own.
func readBlueprint(ctx context.Context, c *conn, databases []string, names map[string]string) (*blueprint, error) {
	inv, err := inspect(ctx, c, databases)
	if err != nil {
		return nil, err
	}
	out := &blueprint{foreign: names != nil}
	rename := func(name string) string {
		if to, ok := names[name]; ok {
			return to
		}
		return name
	}
	for _, name := range databases {
		d := databasePlan{from: name, name: rename(name)}
		row, err := c.row(ctx, "read the database's defaults", "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = "+literal(name))
		if err != nil {
			return nil, err
		}
		d.charset, d.collation = row[0], row[1]
		for i := range inv.schema.Tables {
			if t := &inv.schema.Tables[i]; t.Name.Schema == name {
				d.tables = append(d.tables, takeApart(t, inv.tables[t.Name]))
			}
		}
		sequences, err := c.rows(ctx, "look for sequences", "SELECT table_name FROM information_schema.tables WHERE table_schema = "+literal(name)+" AND table_type = 'SEQUENCE' ORDER BY table_name")
		if err != nil {
			return nil, err
		}
		for _, r := range sequences {
			d.sequences = append(d.sequences, r[0])
		}
		if d.triggers, err = readTriggers(ctx, c, name); err != nil {
			return nil, err
		}
		if out.foreign {
			if err := out.addForeign(ctx, c, &d, rename); err != nil {
				return nil, err
			}
		}
		out.databases = append(out.databases, d)
	}
	return out, nil
}

// addForeign reads what an empty target gets beside tables.
func (b *blueprint) addForeign(ctx context.Context, c *conn, d *databasePlan, rename func(string) string) error {
	others, broken, hidden, err := readEach(ctx, c, d.from)
	if err != nil {
		return err
	}
	for _, o := range broken {
		b.hidden = append(b.hidden, "the view "+schema.Ident(o.Name)+" of the source does not work there, because it names what is not there or what its definer may not read, and will be missing: mend it or drop it there")
	}
	for _, h := range hidden {
		kind, _, _ := strings.Cut(h, " ")
		b.hidden = append(b.hidden, "the "+h+" of the source is not visible to its user, and will be missing"+revealing(c, kind, d.from))
	}
	p, err := readPrivileges(ctx, c)
	if err != nil {
		return err
	}
	for _, k := range p.blindTo(d.from) {
		shows := revealing(c, k.kind, d.from) // a routine's definition takes more than its name does
		if k.kind == "trigger" {
			shows = ": GRANT " + k.needs + " ON " + quote(pattern(d.from)) + ".*"
		}
		b.blind = append(b.blind, "whether the source's database "+schema.Ident(d.from)+" has any "+k.kind+"s is not visible to its user, and they would be missing"+shows)
	}
	for _, list := range [][]object{d.triggers, others} {
		for i, o := range list {
			made, why := o.foreign(rename)
			if why != "" {
				b.refused = append(b.refused, why)
			}
			list[i] = made
		}
	}
	d.after = others
	packages, err := readPackages(ctx, c, d.from)
	if err != nil {
		return err
	}
	for _, name := range packages {
		b.refused = append(b.refused, "the package "+schema.Name{Schema: d.from, Table: name}.String()+" is not brought into an empty target yet: make the target's structure first, by its own migrations")
	}
	for _, s := range d.sequences {
		b.refused = append(b.refused, "the sequence "+schema.Name{Schema: d.from, Table: s}.String()+" is not brought into an empty target yet: make it and its tables there first, by the target's own migrations")
	}
	return nil
}

// table finds a table of the blueprint by its name in the target.
func (b *blueprint) table(n schema.Name) *creation {
	d := b.database(n.Schema)
	if d == nil {
		return nil
	}
	i := slices.IndexFunc(d.tables, func(c creation) bool { return c.name.Table == n.Table })
	if i < 0 {
		return nil
	}
	return &d.tables[i]
}

// database finds a database by its name in the target.
func (b *blueprint) database(name string) *databasePlan {
	i := slices.IndexFunc(b.databases, func(d databasePlan) bool { return d.name == name })
	if i < 0 {
		return nil
	}
	return &b.databases[i]
}

// nextOf gives the database in which a database of the blueprint is built; others keep their name.
func (b *blueprint) nextOf(from string) string {
	for _, d := range b.databases {
		if d.from == from {
			return d.next
		}
	}
	return from
}

// read reads the blueprint that a spec asks for.
func (t *target) read(ctx context.Context, c *conn, spec engine.Spec) (*blueprint, error) {
	if spec.Structure == nil {
		return readBlueprint(ctx, c, t.databases, nil)
	}
	s, ok := spec.Structure.(*structure)
	if !ok || s == nil {
		return nil, &engine.Error{Code: engine.Unsupported, Doing: "begin a generation", Say: "the structure is another engine's"}
	}
	names, err := t.pair(s.databases, spec.Names)
	if err != nil {
		return nil, err
	}
	var out *blueprint
	err = s.side.with(ctx, func(c *conn) (err error) {
		out, err = readBlueprint(ctx, c, s.databases, names)
		return err
	})
	return out, err
}

// pair gives the databases of a structure their names in the target: those that
// the spec says, else a single one that of the single one there.
func (t *target) pair(databases []string, names map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for _, d := range databases {
		out[d] = d
		if to, ok := names[d]; ok {
			out[d] = to
		} else if len(databases) == 1 && len(t.databases) == 1 {
			out[d] = t.databases[0]
		}
		if !slices.Contains(t.databases, out[d]) {
			return nil, &engine.Error{Code: engine.Unsupported, Doing: "begin a generation", Say: "the database " + quote(d) + " of the source has no place in the target",
				Hint: "name both in the job: schemas: [{source: shop, target: shop_staging}]"}
		}
	}
	return out, nil
}
