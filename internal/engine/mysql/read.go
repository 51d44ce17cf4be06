package mysql

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// together is how many rows one statement looks for by key: enough that its
// overhead does not count, few enough for every server's optimizer.
const together = 1000

// errStopped says that the consumer wants no more.
var errStopped = errors.New("stopped")

// Read gives whole rows.
func (s *snapshot) Read(ctx context.Context, r engine.Read) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		doing := "read " + r.Table.Name.String()
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		c, err := s.reader(ctx, doing)
		if err != nil {
			yield(nil, s.because(err, r.Table.Name))
			return
		}
		defer s.release(c)
		rd := reader{snapshot: s, conn: c, read: r, doing: doing, yield: yield}
		if err := rd.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(nil, s.because(err, r.Table.Name))
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
	judge    []bool // of these, dates in which a value may contradict
	batch    *engine.Batch
	settler  engine.Settler
	sent     int
}

func (r *reader) run(ctx context.Context) error {
	facts, err := r.snapshot.facts(r.doing, r.read.Table)
	if err != nil {
		return err
	}
	columns, err := columnsOf(r.doing, r.read.Table, r.read.Columns)
	if err != nil {
		return err
	}
	r.form = newForm(columns, facts)
	r.look, r.judge = make([]bool, len(columns)), make([]bool, len(columns))
	for _, i := range r.read.Look {
		r.look[i] = true
		r.judge[i] = dated(columns[i]) && !slices.Contains(r.read.Blind, i)
	}
	if r.read.Rows == nil {
		err = r.query(ctx, r.selecting(), r.add)
	} else {
		err = r.chosen(ctx, keyOf(r.read.Table, facts), facts)
	}
	if err == nil && ctx.Err() != nil { // a caller who gave up in the middle is told so, even if all rows were there
		err = wrap(ctx, ctx.Err(), r.doing)
	}
	if err != nil {
		return err
	}
	return r.Flush()
}

// columnsOf finds columns by name.
func columnsOf(doing string, t *schema.Table, names []string) ([]*schema.Column, error) {
	out := make([]*schema.Column, len(names))
	for i, name := range names {
		if out[i] = t.Column(name); out[i] == nil {
			return nil, &engine.Error{Code: engine.Changed, Doing: doing, Table: t.Name, Column: name, Say: "there is no such column in the source"}
		}
	}
	return out, nil
}

// selecting writes the statement up to a condition, with more columns behind those of the form.
func (r *reader) selecting(more ...string) string {
	list := append(r.form.expressions(), more...)
	if len(list) == 0 {
		list = []string{"NULL"}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + quoteName(r.read.Table.Name)
}

// expressions writes the columns as they are selected. The text of a FLOAT has
// six digits; that of its value as a DOUBLE has all.
func (f *form) expressions() []string {
	out := make([]string, len(f.columns))
	for i := range f.columns {
		out[i] = quote(f.columns[i].Name)
		if f.columns[i].facts.base == "float" {
			out[i] = "(" + out[i] + " + 0e0)"
		}
	}
	return out
}

func (r *reader) query(ctx context.Context, sql string, take func([]driver.Value) error) error {
	if r.read.Limit > 0 {
		if r.sent >= r.read.Limit {
			return nil
		}
		sql += " LIMIT " + strconv.Itoa(r.read.Limit-r.sent)
	}
	return r.conn.each(ctx, r.doing, sql, take)
}

// chosen reads the rows given, a statement for as many as it takes.
func (r *reader) chosen(ctx context.Context, key *rowKey, facts *tableFacts) error {
	switch {
	case len(r.read.Rows) == 0:
		return nil
	case key.how == content:
		return r.scan(ctx, key, facts)
	}
	head := r.selecting() + " WHERE "
	for rows := r.read.Rows; len(rows) > 0; {
		n := min(len(rows), together)
		if key.how == packed && len(key.columns) == 1 {
			n = runs(rows, together)
			if err := r.query(ctx, head+key.together(rows[:n]), r.add); err != nil {
				return err
			}
			rows = rows[n:]
			continue
		}
		m := matcher{columns: newForm(key.columns, facts).columns, maria: r.conn.maria}
		for _, id := range rows[:n] {
			if err := r.want(&m, key, id); err != nil {
				return err
			}
		}
		if err := r.query(ctx, head+m.condition(), r.add); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// want adds the key of a row to those looked for.
func (r *reader) want(m *matcher, key *rowKey, id engine.RowID) error {
	if key.how == packed {
		m.add(key.unpack(id))
		return nil
	}
	raw, ok := r.snapshot.numbers.of(r.read.Table.Name).key(nil, id)
	if !ok {
		return &engine.Error{Code: engine.Failed, Doing: r.doing, Table: r.read.Table.Name, Say: "a row number was not given by this snapshot"}
	}
	tuple := make([]string, len(m.columns))
	for i := range m.columns {
		var value []byte
		value, _, raw = decode(raw)
		tuple[i], ok = m.columns[i].stored(value)
		if !ok {
			return &engine.Error{Code: engine.Failed, Doing: r.doing, Table: r.read.Table.Name, Column: m.columns[i].Name, Say: "a key's value cannot be asked for"}
		}
	}
	m.add(tuple)
	return nil
}

// runs counts rows that make at most so many terms of a condition.
func runs(rows []engine.RowID, terms int) int {
	n := 0
	for i := range rows {
		if i == 0 || rows[i] != rows[i-1]+1 {
			if n++; n > terms {
				return i
			}
		}
	}
	return len(rows)
}

// scan reads a table without a key whole and keeps the rows that were chosen.
func (r *reader) scan(ctx context.Context, key *rowKey, facts *tableFacts) error {
	whole := newForm(key.columns, facts)
	known := r.snapshot.numbers.of(r.read.Table.Name)
	met := map[string]uint64{}
	var raw, name []byte
	width := len(r.form.columns)
	limit := r.read.Limit
	return r.conn.each(ctx, r.doing, r.selecting(whole.expressions()...), func(row []driver.Value) error {
		raw = raw[:0]
		for i, v := range row[width:] {
			raw = whole.columns[i].encode(raw, v)
		}
		sum := digest(raw)
		met[string(sum)]++
		name = occurrence(name[:0], sum, met[string(sum)])
		id, ok := known.known(name)
		if _, wanted := slices.BinarySearch(r.read.Rows, id); !ok || !wanted || limit > 0 && r.sent >= limit {
			return nil
		}
		return r.add(row[:width])
	})
}

// add appends a row to the batch and hands the batch on when it is full.
func (r *reader) add(row []driver.Value) error {
	return r.settler.Gather(r, row, r.snapshot.limits.BatchBytes)
}

// InHand is one of Gatherer.
func (r *reader) InHand() *engine.Batch { return r.batch }

// Append is one of Gatherer.
func (r *reader) Append(row []driver.Value) error {
	if r.batch == nil {
		r.batch = r.snapshot.emptyBatch(r.form)
	}
	b := r.batch
	raw := b.Raw
	for i := range r.form.columns {
		start := len(raw)
		if v, ok := row[i].([]byte); ok && len(v) < 0x7f && !r.form.columns[i].zeros { // most values
			raw = append(append(raw, byte(len(v)+1)), v...)
		} else {
			raw = r.form.columns[i].encode(raw, row[i])
		}
		if r.look[i] {
			b.Cells = append(b.Cells, engine.Cell{Start: start, End: len(raw), Null: row[i] == nil})
			if v, ok := row[i].([]byte); ok && r.judge[i] && partial(v) {
				return contradiction(r.doing, r.read.Table.Name, r.form.columns[i].Name)
			}
		}
	}
	b.Raw = raw
	b.Rows++
	r.sent++
	return nil
}

// encode appends a value as the driver gives it.
func (c *formColumn) encode(dst []byte, v driver.Value) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, 0)
	case []byte:
		if c.zeros {
			v = withoutZeros(v)
		}
		if len(v) < 0x7f {
			return append(append(dst, byte(len(v)+1)), v...)
		}
		return append(binary.AppendUvarint(dst, uint64(len(v))+1), v...)
	case int64:
		at := len(dst)
		dst = strconv.AppendInt(append(dst, 0), v, 10)
		dst[at] = byte(len(dst) - at)
		return dst
	case uint64:
		at := len(dst)
		dst = strconv.AppendUint(append(dst, 0), v, 10)
		dst[at] = byte(len(dst) - at)
		return dst
	case float64:
		bits, scale := 64, -1
		if c.facts.base == "float" {
			bits = 32
		} else {
			scale = c.Scale
		}
		var text [400]byte // a DOUBLE(255,30) has no more
		return appendValue(dst, appendFloat(text[:0], v, bits, scale))
	}
	return appendValue(dst, []byte(str(v)))
}

// withoutZeros takes the zeros away with which ZEROFILL fills up.
func withoutZeros(digits []byte) []byte {
	for len(digits) > 1 && digits[0] == '0' && digits[1] != '.' {
		digits = digits[1:]
	}
	return digits
}

// Flush is one of Gatherer.
func (r *reader) Flush() error {
	b := r.batch
	r.batch = nil
	if b != nil && !b.HandOn(r.yield, &r.settler) {
		return errStopped
	}
	return nil
}

// emptyBatch takes a batch that was released, or makes one.
func (s *snapshot) emptyBatch(f *form) *engine.Batch {
	b, ok := s.pool.Get().(*engine.Batch)
	if !ok {
		b = &engine.Batch{Raw: make([]byte, 0, s.limits.BatchBytes+4096)}
	}
	b.Rows, b.Raw, b.Cells, b.Form = 0, b.Raw[:0], b.Cells[:0], f
	b.Free = func(b *engine.Batch) {
		if cap(b.Raw) <= 16*s.limits.BatchBytes { // one huge row must not stay for ever
			s.pool.Put(b)
		}
	}
	return b
}
