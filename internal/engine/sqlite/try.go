package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Try puts the rows into a table of the same columns in a database in memory,
// so that affinities, STRICT and checks are SQLite's own, and counts what is
// refused. The file itself is not opened. SQLite does not enforce declared
// lengths; they are judged all the same, because whoever declared them meant them.
func (s *side) Try(ctx context.Context, table *schema.Table, columns []string, rows *engine.Tuples) ([]engine.Rejection, error) {
	doing := "try rows on " + table.Name.String()
	var shape *shape
	var indexes []writtenIndex
	err := s.with(ctx, func(ctx context.Context, c *conn) error {
		shapes, err := s.triedShapes(ctx, c)
		if shape = shapes[table.Name.Table]; err == nil && shape != nil && !shape.virtual {
			indexes, err = readIndexed(ctx, c, table, false)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if shape == nil {
		return nil, &engine.Error{Code: engine.Changed, Doing: doing, Table: table.Name, Say: "there is no such table"}
	}
	mem, err := s.product.open(ctx, "", readWrite, 0)
	if err != nil {
		return nil, err
	}
	defer mem.close()
	mem.doing = doing
	t := trial{conn: mem, table: table, shape: shape, counts: map[cause]int{}, left: map[string]bool{}}
	for _, name := range columns {
		c := table.Column(name)
		if c == nil {
			return nil, &engine.Error{Code: engine.Changed, Doing: doing, Table: table.Name, Column: name, Say: "there is no such column"}
		}
		t.columns = append(t.columns, c)
	}
	if err := t.run(ctx, rows, indexes); err != nil {
		return nil, err
	}
	return t.rejections(), nil
}

// triedShapes reads the tables' shapes once for all trials of a plan, and anew
// when the structure has changed: reading it costs a count of every table.
func (s *side) triedShapes(ctx context.Context, c *conn) (map[string]*shape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version, err := c.integer(ctx, "PRAGMA schema_version")
	if err != nil {
		return nil, err
	}
	if s.shapes == nil || version != s.asOf {
		found, err := inspect(ctx, c, nil)
		if err != nil {
			return nil, err
		}
		s.shapes, s.asOf = found.shapes, version
	}
	return s.shapes, nil
}

// trial is one call of Try.
type trial struct {
	conn    *conn
	table   *schema.Table
	shape   *shape
	columns []*schema.Column
	counts  map[cause]int
	made    []string        // generated columns that the trial's table has
	left    map[string]bool // those that were looked at
}

// cause is why rows are refused. Columns, which it is about if that is none or more than
// one, have a zero byte between two.
type cause struct{ column, check, reason, columns string }

// definition writes a column as the trial's table has it.
func (t *trial) definition(c *schema.Column) string {
	def := quote(c.Name) + " " + c.Type
	if x := t.shape.columns[c.Name].collation; x == "NOCASE" || x == "RTRIM" {
		def += " COLLATE " + x
	}
	return def
}

// create makes the table of the columns, and of others by their definitions.
func (t *trial) create(ctx context.Context, others []string) error {
	var defs []string
	for _, c := range t.columns {
		defs = append(defs, t.definition(c))
	}
	return t.conn.exec(ctx, "CREATE TABLE "+quote(t.table.Name.Table)+" ("+strings.Join(append(defs, others...), ", ")+")")
}

func (t *trial) run(ctx context.Context, rows *engine.Tuples, indexes []writtenIndex) error {
	if err := t.create(ctx, nil); err != nil {
		return err
	}
	if err := t.insert(ctx, rows); err != nil {
		return err
	}
	for _, c := range t.columns {
		if err := t.classes(ctx, c); err != nil {
			return err
		}
	}
	if t.shape.virtual {
		return nil
	}
	if err := t.generated(ctx); err != nil {
		return err
	}
	for _, c := range t.table.Checks {
		if err := t.check(ctx, c); err != nil {
			return err
		}
	}
	return t.expressions(ctx, indexes)
}

func (t *trial) insert(ctx context.Context, rows *engine.Tuples) error {
	insert := "INSERT INTO " + quote(t.table.Name.Table) + " VALUES (" + list(len(t.columns), "?") + ")"
	stmt, err := t.conn.raw.(driver.ConnPrepareContext).PrepareContext(ctx, insert)
	if err != nil {
		return t.conn.wrap(ctx, err)
	}
	defer stmt.Close()
	args := make([]any, len(t.columns))
	for row := range rows.Len() {
		for i, c := range t.columns {
			v, ok := rows.At(row, i)
			switch {
			case !ok && c.NotNull:
				t.counts[cause{column: c.Name, reason: "null in a column that allows none"}]++
				args[i] = nil
			case !ok:
				args[i] = nil
			default:
				args[i] = tried(v, c)
				if n := length(v, c); c.Length > 0 && n > c.Length {
					t.counts[cause{column: c.Name, reason: "too long"}]++
				}
			}
		}
		if _, err := stmt.(driver.StmtExecContext).ExecContext(ctx, named(args)); err != nil {
			return t.conn.wrap(ctx, err)
		}
	}
	return nil
}

// tried makes the value itself of what Stored gave: a uuid's text is never so
// short as its bytes.
func tried(v []byte, c *schema.Column) driver.Value {
	if c.Kind == schema.UUID && len(v) == uuidLength {
		return append([]byte{}, v...)
	}
	return native(v, c)
}

// length counts characters, or bytes where the column holds bytes.
func length(v []byte, c *schema.Column) int {
	if c.Kind == schema.Bytes {
		return len(v)
	}
	return len([]rune(string(v)))
}

// classes counts values that the column's affinity could not make its own.
func (t *trial) classes(ctx context.Context, c *schema.Column) error {
	if c.Kind == schema.Other && !t.shape.strict {
		return nil
	}
	n, err := t.conn.integer(ctx, "SELECT count(*) FROM "+quote(t.table.Name.Table)+" WHERE "+outside(c, fits(c)))
	if n > 0 {
		t.counts[cause{column: c.Name, reason: "not " + article(c.Kind)}] += int(n)
	}
	return err
}

func article(k schema.Kind) string {
	switch k {
	case schema.Integer, schema.Interval, schema.Array, schema.Enum, schema.Other:
		return "an " + string(k)
	}
	return "a " + string(k)
}

func (t *trial) check(ctx context.Context, c schema.Check) error {
	if slices.ContainsFunc(c.Columns, func(name string) bool { return !t.has(name) }) {
		return nil
	}
	over := "SELECT count(*) FROM " + quote(t.table.Name.Table) + " WHERE "
	n, err := t.conn.integer(ctx, over+"NOT ("+c.Expr+"\n)")
	if err != nil && ctx.Err() == nil {
		if known, bad := t.knows(ctx, c.Expr); bad == nil && known { // it fails on a value
			all, err := t.conn.integer(ctx, over+"1")
			t.counts[cause{check: c.Name, reason: "the check itself fails"}] += int(all)
			return err
		}
	}
	if err != nil {
		return &engine.Error{Code: engine.Unsupported, Doing: t.conn.doing, Table: t.table.Name, Constraint: c.Name, Err: err,
			Say: "the check calls something that this program's SQLite does not have", Hint: "a check that only the application can judge must go from the structure"}
	}
	if n > 0 {
		t.counts[cause{check: c.Name, reason: "refused by the check"}] += int(n)
	}
	return nil
}

func (t *trial) rejections() []engine.Rejection {
	var out []engine.Rejection
	for why, n := range t.counts {
		r := engine.Rejection{Column: why.column, Check: why.check, Reason: why.reason, Rows: n, Columns: []string{why.column}}
		if why.columns != "" {
			r.Columns = strings.Split(why.columns, "\x00")
		} else if i := slices.IndexFunc(t.table.Checks, func(c schema.Check) bool { return c.Name == r.Check }); i >= 0 {
			r.Columns, _ = through(t.table.Checks[i].Columns, readComputed(t.table, t.shape.sql))
		}
		if (why.columns != "" || why.check != "") && len(r.Columns) == 1 {
			r.Column = r.Columns[0]
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b engine.Rejection) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}
