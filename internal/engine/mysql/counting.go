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
func goesOn(positions []engine.Position, named schema.Name, shape *schema.Table, facts *tableFacts) string {
	at := slices.IndexFunc(shape.Columns, func(c schema.Column) bool { return c.Identity })
	i := slices.IndexFunc(positions, func(p engine.Position) bool { return p.Name == named })
	if at < 0 || i < 0 || !facts.leads([]string{shape.Columns[at].Name}) {
		return ""
	}
	next, limit := positions[i].Last, limitOf(shape.Columns[at], facts.columns[shape.Columns[at].Name])
	if !below(next, limit) {
		return ""
	}
	return next
}

// below compares two whole numbers without a sign.
func below(a, b string) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) < 0
}

// goOn lets AUTO_INCREMENT go on where production's stands, once the exchange is
// committed: the statement would end its transaction. Where the user may not, or
// somebody holds a table, the next exchange does it: whoever comes while the statement
// waits for a table waits behind it, so it hardly does.
func (x *exchange) goOn(ctx context.Context) {
	const doing = "let AUTO_INCREMENT go on"
	if x.guard.exec(ctx, doing, "SET SESSION lock_wait_timeout = 1") != nil {
		return
	}
	for _, e := range x.tables {
		next := goesOn(x.spec.Positions, e.name, e.shape, e.facts)
		if next == "" {
			continue
		}
		stands, err := x.guard.value(ctx, doing, "SELECT auto_increment FROM information_schema.tables WHERE table_schema = "+literal(e.name.Schema)+" AND table_name = "+literal(e.name.Table))
		if err == nil && stands != "" && below(stands, next) {
			err = x.guard.exec(ctx, doing, "ALTER TABLE "+quoteName(e.name)+" AUTO_INCREMENT = "+next)
		}
		if err != nil {
			x.spec.Step("the numbers of " + e.name.String() + " do not go on where production's stand this time: " + err.Error())
			if x.guard.broken || engine.CodeOf(err) == engine.Timeout {
				return
			}
		}
	}
}
