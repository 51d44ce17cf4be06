package mysql

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

var _ engine.Counting = (*source)(nil)

// Positions reads the number that AUTO_INCREMENT gives next in each table, by the
// tables' names. Sequences of MariaDB stay behind.
func (s *source) Positions(ctx context.Context, schemas []string) (out []engine.Position, err error) {
	err = s.with(ctx, func(c *conn) error {
		rows, err := c.rows(ctx, "read what AUTO_INCREMENT gives next", "SELECT table_schema, table_name, auto_increment FROM information_schema.tables"+
			" WHERE table_type = 'BASE TABLE' AND auto_increment > 1 AND table_schema IN ("+literals(s.covered(schemas))+") ORDER BY 1, 2")
		for _, r := range rows {
			out = append(out, engine.Position{Name: schema.Name{Schema: r[0], Table: r[1]}, Last: r[2]})
		}
		return err
	})
	return out, err
}

// goesOn gives the number that a table's AUTO_INCREMENT is to give next, which
// the source would give; the server keeps to its rows' numbers where they are
// further. It is empty where the rows alone tell, and where it is not for the type:
// then the server would give its last number, and no other.
func (l *load) goesOn(d *databasePlan, c *creation) string {
	at := slices.IndexFunc(c.shape.Columns, func(c schema.Column) bool { return c.Identity })
	i := slices.IndexFunc(l.spec.Positions, func(p engine.Position) bool {
		return p.Name == schema.Name{Schema: d.name, Table: c.name.Table}
	})
	if at < 0 || i < 0 || !c.facts.leads([]string{c.shape.Columns[at].Name}) {
		return ""
	}
	next, limit := l.spec.Positions[i].Last, limitOf(c.shape.Columns[at], c.facts.columns[c.shape.Columns[at].Name])
	if cmp.Or(cmp.Compare(len(next), len(limit)), strings.Compare(next, limit)) >= 0 {
		return ""
	}
	return next
}
