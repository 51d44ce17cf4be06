package mysql

import (
	"slices"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// dependencies lists what the server lets nobody take away, or change, from under
// what: columns and indexes that a foreign key needs, on both of its sides, and the
// keys of a column that counts; and what has its place behind what. It tells of none of
// it itself. Facts are those of the tables.
func dependencies(inv *inventory, facts []catalog.Fact) (out []catalog.Dependency) {
	column := func(t schema.Name, name string) catalog.Ref {
		return catalog.Ref{Kind: "column", Object: t.String() + "." + schema.Ident(name)}
	}
	keys := func(t schema.Name, columns []string) (refs []catalog.Ref) { // that begin with the columns
		facts := inv.tables[t]
		if facts == nil || facts.ddl == nil {
			return nil
		}
		for _, k := range facts.ddl.keys {
			if !k.other && len(k.columns) >= len(columns) && slices.Equal(k.columns[:len(columns)], columns) {
				refs = append(refs, k.ref(t))
			}
		}
		return refs
	}
	behind := func(of, on catalog.Ref) {
		out = append(out, catalog.Dependency{Of: of, On: on, Placed: true})
	}
	for i := range inv.schema.Tables {
		t := &inv.schema.Tables[i]
		facts := inv.tables[t.Name]
		for _, name := range facts.ddl.order {
			if before := facts.ddl.behind(name); before != "" {
				behind(column(t.Name, name), column(t.Name, before))
			}
			for _, c := range facts.ddl.columns[name].reads {
				behind(column(t.Name, name), column(t.Name, c))
			}
		}
		for _, k := range facts.ddl.keys {
			for _, c := range k.columns { // which a primary key keeps NOT NULL
				behind(k.ref(t.Name), column(t.Name, c))
			}
		}
		for _, r := range facts.ddl.foreign {
			name := r.Name
			if (&declaration{name: t.Name}).madeName(name) {
				name = catalog.ByColumns("foreign key", r.Columns)
			}
			of := catalog.Ref{Kind: "foreign key", Object: t.Name.String() + "." + schema.Ident(name)}
			on := append(keys(t.Name, r.Columns), keys(r.To, r.ToColumns)...)
			for _, c := range r.Columns {
				on = append(on, column(t.Name, c))
			}
			for _, c := range r.ToColumns {
				on = append(on, column(r.To, c))
			}
			for _, ref := range on {
				out = append(out, catalog.Dependency{Of: of, On: ref})
			}
			for _, c := range r.Columns { // which cannot be NOT NULL under a key that sets NULL
				behind(of, column(t.Name, c))
			}
		}
		for _, c := range t.Columns {
			if c.Surrogate {
				for _, ref := range keys(t.Name, []string{c.Name}) {
					out = append(out, catalog.Dependency{Of: column(t.Name, c.Name), On: ref})
				}
			}
		}
	}
	for _, f := range facts {
		parts, err := schema.ParseName(f.Table)
		if f.Kind != "check" && f.Kind != "table" || err != nil || len(parts) != 2 {
			continue
		}
		table, of := schema.Name{Schema: parts[0], Table: parts[1]}, catalog.Ref{Kind: f.Kind, Object: f.Object}
		has := inv.tables[table].ddl
		if f.Kind == "check" {
			period := strings.HasPrefix(f.Definition, periodFor) // its columns are of one type
			for _, t := range tokens(f.Create) {
				if name, ok := t.name(); ok && t.kind == quoted && has.columns[name] != nil {
					out = append(out, catalog.Dependency{Of: of, On: column(table, name), Placed: true, Joint: period})
				}
			}
			continue
		}
		names := partedBy(f, has)
		for _, name := range names {
			behind(of, column(table, name))
		}
		for _, k := range has.keys { // one that is unique holds these columns
			if len(names) > 0 && (k.primary || k.unique) {
				behind(of, k.ref(table))
			}
		}
	}
	return out
}

// periodFor begins the definition of an application-time period, as [plain] writes it.
const periodFor = "period for "

// partedBy lists the columns by which a table is parted; some of them may have but the
// name of one of its partitions.
func partedBy(table catalog.Fact, has *definition) (names []string) {
	for _, p := range table.Parts {
		if p.Name != catalog.Partitions {
			continue
		}
		for _, t := range tokens(p.Text) {
			name, ok := t.name()
			for _, c := range has.order {
				if ok && strings.EqualFold(c, name) && !slices.Contains(names, c) {
					names = append(names, c)
				}
			}
		}
	}
	return names
}

// ref names a key of a table among facts.
func (k keyDefinition) ref(table schema.Name) catalog.Ref {
	switch {
	case k.primary:
		return catalog.Ref{Kind: "primary key", Object: table.String()}
	case k.unique:
		return catalog.Ref{Kind: "unique", Object: table.String() + "." + schema.Ident(k.name)}
	}
	return catalog.Ref{Kind: "index", Object: table.String() + "." + schema.Ident(k.name)}
}
