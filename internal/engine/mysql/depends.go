package mysql

import (
	"slices"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// dependencies lists what the server lets nobody take away, or change, from under
// what: columns and indexes that a foreign key needs, on both of its sides, and the
// keys of a column that counts. It tells of none of it itself.
func dependencies(inv *inventory) (out []catalog.Dependency) {
	column := func(t schema.Name, name string) catalog.Ref {
		return catalog.Ref{Kind: "column", Object: t.String() + "." + schema.Ident(name)}
	}
	keys := func(t schema.Name, columns []string) (refs []catalog.Ref) { // that begin with the columns
		facts := inv.tables[t]
		if facts == nil || facts.ddl == nil {
			return nil
		}
		for _, k := range facts.ddl.keys {
			switch {
			case k.other || len(k.columns) < len(columns) || !slices.Equal(k.columns[:len(columns)], columns):
			case k.primary:
				refs = append(refs, catalog.Ref{Kind: "primary key", Object: t.String()})
			case k.unique:
				refs = append(refs, catalog.Ref{Kind: "unique", Object: t.String() + "." + schema.Ident(k.name)})
			default:
				refs = append(refs, catalog.Ref{Kind: "index", Object: t.String() + "." + schema.Ident(k.name)})
			}
		}
		return refs
	}
	for i := range inv.schema.Tables {
		t := &inv.schema.Tables[i]
		facts := inv.tables[t.Name]
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
		}
		for _, c := range t.Columns {
			if c.Surrogate {
				for _, ref := range keys(t.Name, []string{c.Name}) {
					out = append(out, catalog.Dependency{Of: column(t.Name, c.Name), On: ref})
				}
			}
		}
	}
	return out
}
