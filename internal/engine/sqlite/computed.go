package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// What a table computes from its rows beside keys, tried over those of a trial: an
// expression that fails on a fake fails the load.

// generated adds the generated columns to the trial's table, those that others read
// first, and counts what each would refuse. One that cannot be tried is left out.
func (t *trial) generated(ctx context.Context) error {
	made := readComputed(t.table, t.shape.sql)
	var add func(name string) error
	add = func(name string) error {
		g, column := made[name], t.table.Column(name)
		if column == nil || t.has(name) || t.left[name] {
			return nil
		}
		t.left[name] = true // unless it comes to the end
		for _, from := range g.reads {
			if _, computed := made[from]; computed {
				if err := add(from); err != nil {
					return err
				}
			}
			if !t.has(from) {
				return nil
			}
		}
		written, _ := through([]string{name}, made)
		say := "the generated column " + schema.Ident(name)
		able, fails, err := t.computes(ctx, []string{g.expr}, "")
		switch {
		case err != nil || !able:
			return err
		case fails:
			return t.refuse(ctx, written, say+" cannot be computed")
		}
		if column.NotNull {
			n, err := t.conn.integer(ctx, "SELECT count(*) FROM "+quote(t.table.Name.Table)+" WHERE ("+g.expr+"\n) IS NULL")
			if err != nil {
				return err
			}
			if n > 0 {
				t.counts[cause{columns: strings.Join(written, "\x00"), reason: say + " would be NULL"}] += int(n)
			}
		}
		if err := t.conn.exec(ctx, "ALTER TABLE "+quote(t.table.Name.Table)+" ADD COLUMN "+t.definition(column)+" AS ("+g.expr+"\n)"); err != nil {
			return ctx.Err() // such a column cannot be tried
		}
		t.made = append(t.made, name)
		return nil
	}
	for name := range made {
		if err := add(name); err != nil {
			return err
		}
	}
	return nil
}

// expressions computes what the table's indexes are made of.
func (t *trial) expressions(ctx context.Context, indexes []writtenIndex) error {
	made := readComputed(t.table, t.shape.sql)
	for _, x := range indexes {
		if slices.ContainsFunc(x.reads, func(name string) bool { return !t.has(name) }) {
			continue
		}
		able, fails, err := t.computes(ctx, x.parts, x.predicate)
		if err != nil {
			return err
		}
		if written, _ := through(x.reads, made); able && fails {
			if err := t.refuse(ctx, written, "the index "+schema.Ident(x.name)+" cannot be computed"); err != nil {
				return err
			}
		}
	}
	return nil
}

// has tells whether the trial's table has a column.
func (t *trial) has(name string) bool {
	return slices.Contains(t.made, name) || slices.ContainsFunc(t.columns, func(c *schema.Column) bool { return c.Name == name })
}

// computes asks for expressions over the trial's rows: able, if this program's SQLite
// knows what they call, and whether a row makes them fail.
func (t *trial) computes(ctx context.Context, parts []string, predicate string) (able, fails bool, err error) {
	if predicate == "" {
		predicate = "1"
	}
	if known, err := t.knows(ctx, append(slices.Clone(parts), predicate)...); err != nil || !known {
		return false, false, err
	}
	query := "SELECT count(*)"
	for _, p := range parts {
		query += ", count((" + p + "\n))"
	}
	if _, err := t.conn.integer(ctx, query+" FROM "+quote(t.table.Name.Table)+" WHERE "+predicate); err != nil {
		return true, true, ctx.Err()
	}
	return true, false, nil
}

// knows tells whether this program's SQLite has all that expressions call.
func (t *trial) knows(ctx context.Context, expressions ...string) (bool, error) {
	query := "SELECT (" + strings.Join(expressions, "\n), (") + "\n) FROM " + quote(t.table.Name.Table) + " WHERE 0"
	if err := t.conn.each(ctx, query, nil, func([]driver.Value) error { return nil }); err != nil {
		return false, ctx.Err()
	}
	return true, nil
}

// refuse counts all rows as refused: which of them it was is not known.
func (t *trial) refuse(ctx context.Context, columns []string, reason string) error {
	n, err := t.conn.integer(ctx, "SELECT count(*) FROM "+quote(t.table.Name.Table))
	t.counts[cause{columns: strings.Join(columns, "\x00"), reason: reason}] += int(n)
	return err
}
