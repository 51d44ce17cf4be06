package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// parameters is how many values one statement is given: well under SQLite's
// limit of 32,766, and enough that preparing it does not count.
const parameters = 2000

// errStopped says that the consumer wants no more.
var errStopped = errors.New("stopped")

// Read gives whole rows.
func (s *snapshot) Read(ctx context.Context, r engine.Read) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		doing := "read " + r.Table.Name.String()
		c, err := s.acquire(ctx, doing)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.release(c)
		rd := reader{snapshot: s, conn: c, read: r, doing: doing, yield: yield}
		if err := rd.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(nil, wrapTable(err, doing, r.Table.Name, nil))
		}
	}
}

// reader carries out one Read.
type reader struct {
	snapshot *snapshot
	conn     *conn
	read     engine.Read
	doing    string
	yield    func(*engine.Batch, error) bool
	form     *form
	look     []bool // by place in Columns
	judge    []bool // of these, those in which a value may contradict its column
	batch    *engine.Batch
	settler  engine.Settler
	sent     int
}

func (r *reader) run(ctx context.Context) error {
	shape, err := r.prepare(ctx)
	if err != nil {
		return err
	}
	if into, ok := r.read.Into.(counting); ok {
		into.countOn(r.read.As.Table, r.snapshot.counter(r.read.Table.Name.Table, r.read.As.Table))
	}
	list := make([]string, len(r.read.Columns))
	for i, name := range r.read.Columns {
		list[i] = "+" + quote(name) // the plus hides the declared type, by which the driver would make dates of texts
	}
	if len(list) == 0 {
		list = []string{"NULL"}
	}
	query := "SELECT " + strings.Join(list, ", ") + " FROM main." + quote(r.read.Table.Name.Table)
	if r.read.Rows == nil {
		err = r.query(ctx, query, nil)
	} else {
		err = r.chunks(ctx, query, shape)
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // a caller who gave up in the middle is told so, even if all rows were there
		return r.conn.wrap(ctx, ctx.Err())
	}
	return r.Flush()
}

func (r *reader) prepare(ctx context.Context) (*shape, error) {
	shape, err := r.snapshot.shapeOf(r.doing, r.read.Table, r.read.Rows != nil)
	if err != nil {
		return nil, err
	}
	n := len(r.read.Columns)
	r.form = newForm(make([]schema.Column, n))
	r.look, r.judge = make([]bool, n), make([]bool, n)
	for i, name := range r.read.Columns {
		c := r.read.Table.Column(name)
		if c == nil {
			return nil, &engine.Error{Code: engine.Changed, Doing: r.doing, Table: r.read.Table.Name, Column: name, Say: "there is no such column in the source"}
		}
		r.form.columns[i], r.form.trims[i] = *c, shape.columns[name].trims
	}
	for _, i := range r.read.Look {
		r.look[i], r.judge[i] = true, !slices.Contains(r.read.Blind, i)
		if !timed(r.form.columns[i].Kind) {
			continue
		}
		if r.form.clocks[i], err = r.snapshot.clock(ctx, r.conn, r.read.Table.Name, r.read.Columns[i]); err != nil {
			return nil, err
		}
	}
	return shape, nil
}

// chunks reads the rows given, a statement for as many as it has parameters.
func (r *reader) chunks(ctx context.Context, query string, shape *shape) error {
	width := max(1, len(shape.primary))
	for rows := r.read.Rows; len(rows) > 0; {
		n := min(len(rows), parameters/width)
		args, err := r.snapshot.rowArgs(r.doing, r.read.Table.Name, shape, rows[:n])
		if err != nil {
			return err
		}
		if err := r.query(ctx, query+" WHERE "+identified(shape, n), args); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// identified is the condition that a row is one of n.
func identified(shape *shape, n int) string {
	if len(shape.primary) == 0 {
		return shape.rowid + " IN (" + list(n, "?") + ")"
	}
	return "(" + quotes(shape.primary) + ") IN (VALUES " + list(n, "("+list(len(shape.primary), "?")+")") + ")"
}

// list repeats text n times, between commas.
func list(n int, text string) string {
	return strings.TrimSuffix(strings.Repeat(text+",", n), ",")
}

// rowArgs gives the parameters for identified.
func (s *snapshot) rowArgs(doing string, table schema.Name, shape *shape, rows []engine.RowID) ([]any, error) {
	args := make([]any, 0, len(rows)*max(1, len(shape.primary)))
	for _, id := range rows {
		if len(shape.primary) == 0 {
			args = append(args, int64(id))
			continue
		}
		key, ok := s.numbers.key(table, id)
		if !ok {
			return nil, &engine.Error{Code: engine.Failed, Doing: doing, Table: table, Say: "a row number was not given by this snapshot"}
		}
		for rest := []byte(key); len(rest) > 0; {
			var v driver.Value
			v, rest = decode(rest)
			args = append(args, v)
		}
	}
	return args, nil
}

func (r *reader) query(ctx context.Context, query string, args []any) error {
	if r.read.Limit > 0 {
		query += " LIMIT " + strconv.Itoa(r.read.Limit-r.sent)
	}
	rows, err := r.conn.raw.(driver.QueryerContext).QueryContext(ctx, query, named(args))
	if err != nil {
		return r.conn.wrap(ctx, err)
	}
	defer rows.Close()
	row := make([]driver.Value, max(1, len(r.read.Columns)))
	for n := 1; ; n++ {
		if n&0x3f == 0 && ctx.Err() != nil {
			return r.conn.wrap(ctx, ctx.Err())
		}
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return r.conn.wrap(ctx, err)
		}
		if err := r.add(row[:len(r.read.Columns)]); err != nil {
			return err
		}
	}
}

// add appends a row to the batch and hands the batch on when it is full.
func (r *reader) add(row []driver.Value) error {
	return r.settler.Gather(r, row, r.snapshot.source.limits.BatchBytes)
}

// InHand is one of Gatherer.
func (r *reader) InHand() *engine.Batch { return r.batch }

// Append is one of Gatherer.
func (r *reader) Append(row []driver.Value) error {
	if r.batch == nil {
		r.batch = r.snapshot.emptyBatch(r.form)
	}
	b := r.batch
	for i, v := range row {
		start := len(b.Raw)
		b.Raw = appendValue(b.Raw, v)
		if !r.look[i] {
			continue
		}
		if r.judge[i] && !fitting(b.Raw[start:], &r.form.columns[i]) {
			return contradiction(r.doing, r.read.Table.Name, &r.form.columns[i])
		}
		b.Cells = append(b.Cells, engine.Cell{Start: start, End: len(b.Raw), Null: b.Raw[start] == tagNull})
	}
	b.Rows++
	r.sent++
	return nil
}

// Flush is one of Gatherer.
func (r *reader) Flush() error {
	b := r.batch
	r.batch = nil
	if b == nil {
		return nil
	}
	if err := r.snapshot.old(r.doing); err != nil {
		return err
	}
	if !b.HandOn(r.yield, &r.settler) {
		return errStopped
	}
	return nil
}

// contradiction tells that a value cannot be looked into, because it is not of
// the type that its column declares.
func contradiction(doing string, table schema.Name, c *schema.Column) error {
	return &engine.Error{Code: engine.Contradicts, Doing: doing, Table: table, Column: c.Name,
		Say:  "a value's storage class contradicts the declared type " + c.Type,
		Hint: "find them with: SELECT typeof(" + quote(c.Name) + "), count(*) FROM " + quote(table.Table) + " GROUP BY 1; then mend the rows, or give the column nullify or constant, which look at no value"}
}

// emptyBatch takes a batch that was released, or makes one.
func (s *snapshot) emptyBatch(f *form) *engine.Batch {
	b, ok := s.batches.Get().(*engine.Batch)
	if !ok {
		b = &engine.Batch{Raw: make([]byte, 0, s.source.limits.BatchBytes+4096)}
	}
	b.Rows, b.Raw, b.Cells, b.Form = 0, b.Raw[:0], b.Cells[:0], f
	b.Free = func(b *engine.Batch) {
		if cap(b.Raw) <= 16*s.source.limits.BatchBytes { // one huge row must not stay for ever
			s.batches.Put(b)
		}
	}
	return b
}

// Contradictions scans the columns of a table for values that contradict the
// declared type, without reading the values, and names the columns that hold any.
func (s *snapshot) Contradictions(ctx context.Context, table *schema.Table, kept, looked []string) ([]string, error) {
	doing := "look for contradicting types in " + table.Name.String()
	c, err := s.acquire(ctx, doing)
	if err != nil {
		return nil, err
	}
	defer s.release(c)
	var terms, asked []string
	ask := func(names []string, allowed func(*schema.Column) classes, but string) {
		for _, name := range names {
			col := table.Column(name)
			if col == nil || col.Kind == schema.Other {
				continue
			}
			asked = append(asked, name)
			terms = append(terms, "coalesce(max("+outside(col, allowed(col))+strings.ReplaceAll(but, "?", quote(name))+"),0)")
		}
	}
	ask(kept, holds, " AND (typeof(?)<>'text' OR hex(?)<>'')") // the empty text tells of nobody
	ask(looked, fits, "")
	if len(terms) == 0 {
		return nil, nil
	}
	found := map[string]bool{}
	err = c.each(ctx, "SELECT "+strings.Join(terms, ", ")+" FROM main."+quote(table.Name.Table), nil, func(row []driver.Value) error {
		for i, v := range row {
			if n, _ := v.(int64); n != 0 {
				found[asked[i]] = true
			}
		}
		return nil
	})
	var out []string
	for _, col := range table.Columns { // in the table's order
		if found[col.Name] {
			out = append(out, col.Name)
		}
	}
	return out, err
}

// clock tells how the numbers in a column count time, from all of them, once in a
// snapshot; the zero clock where it holds none.
func (s *snapshot) clock(ctx context.Context, c *conn, table schema.Name, column string) (clock, error) {
	key := clockKey(table, column)
	s.mu.Lock()
	known, ok := s.clocks[key]
	s.mu.Unlock()
	if ok {
		return known, nil
	}
	name := quote(column)
	query := "SELECT min(" + name + ") + 0.0, max(" + name + ") + 0.0, max(typeof(" + name + ")='real') FROM main." + quote(table.Table) + " WHERE typeof(" + name + ") IN ('integer','real')"
	err := c.each(ctx, query, nil, func(row []driver.Value) error {
		least, ok := row[0].(float64)
		most, _ := row[1].(float64)
		if ok {
			known = clockOf(span{least: least, most: most, reals: row[2] == int64(1)})
		}
		return nil
	})
	if err != nil {
		return clock{}, wrapTable(err, c.doing, table, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clocks[key] = known
	return known, nil
}

func clockKey(table schema.Name, column string) string { return table.Table + "\x00" + column }

// Reckoned tells what the numbers of a column of times count.
func (s *snapshot) Reckoned(table schema.Name, column string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clocks[clockKey(table, column)].word()
}

// Reckon has the numbers of a column count what they counted elsewhere.
func (s *snapshot) Reckon(table schema.Name, column, word string) {
	if c, ok := clockNamed(word); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.clocks[clockKey(table, column)] = c
	}
}
