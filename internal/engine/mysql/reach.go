package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// reaching tells what of a source's structure would lead out of an empty target: foreign
// keys and views that need what is not there, and on the source's own server whatever names
// another of its databases. There it would read or change production's own rows, or hold
// them, for whoever works on the target.
func (b *blueprint) reaching(ctx context.Context, source, target *conn, together bool) (out []string, err error) {
	rows, err := source.rows(ctx, "list the databases", "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return nil, err
	}
	var others []string // of the source's server
	for _, r := range rows {
		if !serverDatabase(r[0]) && !slices.ContainsFunc(b.databases, func(d databasePlan) bool { return d.from == r[0] || d.name == r[0] }) { // what names its own has the target's name by now
			others = append(others, r[0])
		}
	}
	present, err := target.rows(ctx, "list the databases", "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return nil, err
	}
	absent := slices.DeleteFunc(slices.Clone(others), func(d string) bool {
		return slices.ContainsFunc(present, func(r []string) bool { return strings.EqualFold(r[0], d) })
	})
	refuse := func(what, other string) {
		out = append(out, fmt.Sprintf("%s would lead from the target to %s, which is not among the job's schemas: name its database there, or give the target its structure first, by its own migrations", what, other))
	}
	for _, d := range b.databases {
		for _, t := range d.tables {
			name := schema.Name{Schema: d.from, Table: t.name.Table}.String()
			for _, f := range t.foreign {
				if slices.ContainsFunc(b.databases, func(d databasePlan) bool { return d.from == f.to.Schema }) {
					continue
				}
				there, err := target.value(ctx, "look for "+f.to.String(), "SELECT count(*) FROM information_schema.tables WHERE table_schema = "+literal(f.to.Schema)+" AND table_name = "+literal(f.to.Table))
				if err != nil {
					return nil, err
				}
				if together || there == "0" {
					refuse("a foreign key of "+name, f.to.String())
				}
			}
			if other := naming(strings.Join(t.parts, ", "), others); together && other != "" {
				refuse(name, "the database "+schema.Ident(other))
			}
		}
		for _, o := range slices.Concat(d.triggers, d.after) {
			where := others
			if !together {
				where = absent
			}
			if other := naming(o.Create, where); other != "" && (together || o.Kind == "VIEW") { // which cannot be made without what it reads
				refuse("the "+strings.ToLower(o.Kind)+" "+schema.Name{Schema: d.from, Table: o.Name}.String(), "the database "+schema.Ident(other))
			}
		}
	}
	return out, nil
}

// naming gives the first of some databases whose name stands before a dot in a text; a
// table that is called so is taken for it.
func naming(text string, databases []string) string {
	all, unclear := unfold(tokens(text))
	if unclear != nil {
		all = tokens(text)
	}
	for i, t := range all {
		name, ok := t.name()
		if !ok || i+1 >= len(all) || !all[i+1].mark(".") || i > 0 && all[i-1].mark(".") {
			continue
		}
		if at := slices.IndexFunc(databases, func(d string) bool { return strings.EqualFold(d, name) }); at >= 0 {
			return databases[at]
		}
	}
	return ""
}

// foreignCollations tells which collations of production's texts the target's server does
// not know: no two products, and not all releases of one, have the same.
func (b *blueprint) foreignCollations(ctx context.Context, source, target *conn) (out []string, err error) {
	var from []string
	for _, d := range b.databases {
		from = append(from, d.from)
	}
	in := " WHERE table_schema IN (" + literals(from) + ") AND "
	rows, err := source.rows(ctx, "list the collations", "SELECT character_set_name, collation_name, min(concat(table_schema, '.', table_name)) FROM information_schema.columns"+in+"collation_name IS NOT NULL GROUP BY 1, 2"+
		" UNION SELECT substring_index(table_collation, '_', 1), table_collation, min(concat(table_schema, '.', table_name)) FROM information_schema.tables"+in+"table_type <> 'VIEW' AND table_collation IS NOT NULL GROUP BY 1, 2 ORDER BY 2")
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if i > 0 && rows[i-1][1] == r[1] {
			continue
		}
		_, err := target.value(ctx, "try the collation "+r[1], "SELECT convert('' USING "+quote(r[0])+") COLLATE "+quote(r[1]))
		switch numberOf(err) {
		case errNoCollation, errNoCharacterSet:
			out = append(out, fmt.Sprintf("the target's server does not know the collation %s, which %s has: give the target its structure first, with a collation that is known there", r[1], r[2]))
		default:
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
