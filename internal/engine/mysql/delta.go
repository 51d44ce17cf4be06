package mysql

import (
	"context"
	"errors"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An exchanged table is one whose rows are exchanged for those that wait in its
// side table: rows that are there already, byte by byte, are not touched.
type exchanged struct {
	creation
	side   schema.Name
	checks map[string]string // the table's own names of the side table's checks
	// waiting is the table as a writer of the side table knows it.
	waiting creation
}

func newExchanged(made creation, side schema.Name) (e *exchanged, sql string) {
	e = &exchanged{creation: made, side: side, waiting: made}
	sql, e.checks = made.side(side)
	shape := *made.shape
	shape.Checks = slices.Clone(shape.Checks)
	for other, own := range e.checks {
		for i := range shape.Checks {
			if shape.Checks[i].Name == own {
				shape.Checks[i].Name = other
			}
		}
	}
	e.waiting.shape = &shape
	return e, sql
}

// renamed tells an error about the side table as one about the table itself.
func (e *exchanged) renamed(err error) error {
	var known *engine.Error
	if errors.As(err, &known) && e.checks[known.Constraint] != "" {
		known.Constraint = e.checks[known.Constraint]
	}
	return err
}

// statements writes what makes the table's rows those that wait. Rows that differ
// go before others come: so a unique value is free when another row takes it, and
// so no UPDATE trigger fires. Both statements read, and lock, what is committed
// last. Without a key that tells rows apart all rows are exchanged.
func (e *exchanged) statements() (remove, insert string) {
	table, side, columns := quoteName(e.name), quoteName(e.side), e.shape.Written()
	into, from := "INSERT INTO "+table+" ("+quotes(columns)+")", strings.Join(dotted("s", columns), ", ")+" FROM "+side+" AS s"
	key := e.shape.Identity()
	if key == nil {
		return "DELETE FROM " + table, into + " SELECT " + from
	}
	var same, alike []string
	for _, k := range key.Columns {
		same = append(same, "s."+quote(k)+" = t."+quote(k))
	}
	for _, name := range columns {
		alike = append(alike, e.identical(name))
	}
	none := quote(key.Columns[0]) + " IS NULL"
	remove = "DELETE t FROM " + table + " AS t LEFT JOIN " + side + " AS s ON " + strings.Join(append(slices.Clone(same), alike...), " AND ") + " WHERE s." + none
	insert = into + " SELECT " + from + " LEFT JOIN " + table + " AS t ON " + strings.Join(same, " AND ") + " WHERE t." + none
	return remove, insert
}

func dotted(alias string, columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = alias + "." + quote(c)
	}
	return out
}

// identical is the condition that a column's values are the same, whatever a
// collation or a type takes for equal: texts in their case and trailing spaces,
// zeros in their sign, documents in how their numbers are written, labels of an
// enum from the empty value that it holds where there was none.
func (e *exchanged) identical(column string) string {
	f := e.facts.columns[column]
	a, b := "s."+quote(column), "t."+quote(column)
	both := func(before, after string) string { return before + a + after + " <=> " + before + b + after }
	switch {
	case f.base == "float" || f.base == "double":
		return both("", "") + " AND " + both("CAST(", " AS CHAR)")
	case f.base == "enum" || f.base == "set":
		return both("CAST(", " AS UNSIGNED)")
	case f.base == "json": // MySQL's; text ends with no space, so that padding does not matter
		return both("CAST(", " AS CHAR) COLLATE utf8mb4_bin")
	case f.charset != "":
		family, _, _ := strings.Cut(f.collation, "_") // utf8 where older servers call the character set utf8mb3
		return both("", " COLLATE "+family+"_bin") + " AND " + both("LENGTH(", ")")
	}
	return both("", "")
}

// exchange makes the rows of the table those that wait, and tells how many went and came.
func (e *exchanged) exchange(ctx context.Context, c *conn) (gone, came int64, err error) {
	doing := "exchange the rows of " + e.name.String()
	remove, insert := e.statements()
	if gone, err = c.attempt(ctx, remove); err != nil {
		return 0, 0, wrapTable(ctx, err, doing, e.shape)
	}
	if came, err = c.attempt(ctx, insert); err != nil {
		return 0, 0, wrapTable(ctx, err, doing, e.shape)
	}
	said, err := c.rows(ctx, doing, "SHOW WARNINGS") // of the rows that came
	if err == nil && slices.ContainsFunc(said, func(r []string) bool { return r[0] != "Note" }) {
		err = &engine.Error{Code: engine.Failed, Doing: doing, Table: e.name, Say: "the server would change values on the way from the side table"}
	}
	return gone, came, err
}
