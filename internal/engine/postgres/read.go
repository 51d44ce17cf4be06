package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// rowsAtOnce is how many rows one statement asks for by their places.
const rowsAtOnce = 10000

// Read gives whole rows. All rows of a table come by COPY; given rows by their
// places (ctid), which do not change while the snapshot is open, and are then
// written as COPY would have written them, so both have one form: the text form,
// or the binary one if the table that takes them means the same by it.
func (s *snapshot) Read(ctx context.Context, r engine.Read) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		caller := ctx
		ctx, stop := s.bounded(ctx)
		defer stop()
		facts, err := s.facts(r.Table, r.Columns)
		if err != nil {
			yield(nil, err)
			return
		}
		var p *packer
		err = s.withReader(ctx, func(c *conn) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			p = s.packer(caller, r, facts, yield, cancel)
			defer p.drop()
			defer closeUnlessDone(c, p)
			if r.Rows != nil {
				err = c.readRows(ctx, facts, r, p)
			} else {
				err = c.readAll(ctx, facts, r, p)
			}
			if err == nil && !p.stopped && ctx.Err() != nil {
				// The server may have sent everything before the cancel reached it:
				// the caller, who gave up in the middle, is told so all the same.
				err = wrap(ctx, ctx.Err(), "read "+r.Table.Name.String())
			}
			if err == nil {
				p.flush()
			}
			p.done = true
			return err
		})
		if err != nil && (p == nil || !p.stopped) {
			yield(nil, s.because(err, r.Table.Name))
		}
	}
}

// closeUnlessDone breaks the connection when the consumer left by a panic: a
// statement is still under way on it.
func closeUnlessDone(c *conn, p *packer) {
	if !p.done {
		_ = c.Conn().Close()
	}
}

// readAll copies a table. The server writes one message for each row, and the
// consumer runs inside the write, so that nothing stands between them.
func (c *conn) readAll(ctx context.Context, facts *tableFacts, r engine.Read, p *packer) error {
	doing := "read " + r.Table.Name.String()
	sql, err := copyStatement(facts, r)
	if err != nil {
		return err
	}
	return c.copyOut(ctx, sql, p, doing)
}

func (c *conn) copyOut(ctx context.Context, sql string, p *packer, doing string) error {
	if p.binary {
		sql += " WITH (FORMAT binary)"
	}
	p.begun, p.arrived = false, 0
	tag, err := c.CopyTo(ctx, p, sql)
	if p.stopped {
		return err
	}
	if err != nil {
		return wrap(ctx, err, doing)
	}
	if tag.RowsAffected() != p.arrived {
		return &engine.Error{Code: engine.Failed, Doing: doing, Say: "the server's count of rows is not the count that arrived"}
	}
	return nil
}

func copyStatement(facts *tableFacts, r engine.Read) (string, error) {
	columns := quoteList(r.Columns)
	if r.Within != (engine.Span{}) {
		sql, err := spanStatement(facts, r.Table, columns, r.Within)
		return "COPY (" + sql + ") TO STDOUT", err
	}
	plain := !facts.partitioned && r.Since == "" && r.Limit == 0 && len(r.Columns) > 0
	for _, name := range r.Columns {
		if col := r.Table.Column(name); col != nil && col.Generated {
			plain = false // COPY does not take generated columns by name
		}
	}
	if plain {
		return "COPY " + quoteName(r.Table.Name) + " (" + columns + ") TO STDOUT", nil
	}
	sql := "SELECT " + columns + " FROM " + rangeOf(facts, r.Table)
	if r.Since != "" {
		m, ok := readMemory(r.Since)
		if !ok {
			return "", &engine.Error{Code: engine.Failed, Doing: "read " + r.Table.Name.String(), Say: "there is no such moment"}
		}
		sql += " WHERE " + after(m.from)
	}
	if r.Limit > 0 {
		sql += " LIMIT " + string(parameter(r.Limit))
	}
	return "COPY (" + sql + ") TO STDOUT", nil
}

// rangeOf names the rows that are a table's own: with its partitions, without
// the tables that inherit from it.
func rangeOf(facts *tableFacts, t *schema.Table) string {
	if facts.partitioned {
		return quoteName(t.Name)
	}
	return "ONLY " + quoteName(t.Name)
}

// readRows reads rows by their places.
func (c *conn) readRows(ctx context.Context, facts *tableFacts, r engine.Read, p *packer) error {
	doing := "read rows of " + r.Table.Name.String()
	rows := r.Rows
	if r.Limit > 0 {
		rows = rows[:min(len(rows), r.Limit)]
	}
	direct, err := c.readable(ctx, facts)
	if err != nil {
		return err
	}
	for len(rows) > 0 && !p.stopped {
		if n := c.worthScanning(r, rows, direct); n > 0 {
			if err := c.scanRows(ctx, facts, r, rows[:n], p); err != nil || p.stopped {
				return err
			}
			rows = rows[n:]
			continue
		}
		n := chunk(rows)
		sql, err := rowsStatement(facts, r, int(rows[0]>>48), direct)
		if err != nil {
			return err
		}
		result := c.ExecParams(ctx, sql, [][]byte{places(rows[:n])}, nil, nil, p.formats())
		before := p.rows
		for result.NextRow() {
			p.add(result.Values())
			if p.stopped {
				break
			}
		}
		_, err = result.Close()
		if p.stopped {
			return err
		}
		if err != nil {
			return wrap(ctx, err, doing)
		}
		if p.rows-before != int64(n) {
			return &engine.Error{Code: engine.Changed, Doing: doing, Say: "rows found in the snapshot are not there any more"}
		}
		rows = rows[n:]
	}
	return nil
}

// atPlaces is the condition for the rows of $1. The subquery hides the array's
// content from the planner, which would estimate each element by itself: that
// costs ten times what reading the rows does.
const atPlaces = "ctid = ANY (ARRAY(SELECT pg_catalog.unnest($1::pg_catalog.tid[])))"

// chunk counts the leading rows that one statement reads: of one partition, not too many.
func chunk(rows []engine.RowID) int {
	n := 1
	for n < len(rows) && n < rowsAtOnce && rows[n]>>48 == rows[0]>>48 {
		n++
	}
	return n
}

// readable tells for each partition whether it may be read by its own name; a
// role may have been granted the partitioned table alone, and a partition may
// have policies of its own, which do not hold for those who come by its root.
func (c *conn) readable(ctx context.Context, facts *tableFacts) ([]bool, error) {
	if !facts.partitioned {
		return nil, nil
	}
	oids := []byte{'{'}
	for _, l := range facts.leaves {
		oids = appendElement(oids, parameter(l.oid))
	}
	rows, err := c.query(ctx, "ask for privileges", `SELECT has_table_privilege(o, 'SELECT') AND NOT row_security_active(o::oid) FROM unnest($1::oid[]) WITH ORDINALITY AS x (o, n) ORDER BY n`, append(oids, '}'))
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(rows))
	for i, row := range rows {
		out[i] = isTrue(row[0])
	}
	return out, nil
}

func rowsStatement(facts *tableFacts, r engine.Read, part int, direct []bool) (string, error) {
	columns := quoteList(r.Columns)
	if !facts.partitioned {
		return "SELECT " + columns + " FROM ONLY " + quoteName(r.Table.Name) + " WHERE " + atPlaces, nil
	}
	if part >= len(facts.leaves) {
		return "", &engine.Error{Code: engine.Failed, Doing: "read rows of " + r.Table.Name.String(), Say: "a row's identity is of another snapshot"}
	}
	leaf := facts.leaves[part]
	if direct[part] {
		return "SELECT " + columns + " FROM ONLY " + quoteName(leaf.name) + " WHERE " + atPlaces, nil
	}
	return "SELECT " + columns + " FROM " + quoteName(r.Table.Name) + " WHERE tableoid = " + string(parameter(leaf.oid)) + " AND " + atPlaces, nil
}

// A packer makes batches of rows and hands them to the consumer.
type packer struct {
	snap   *snapshot
	look   []int
	size   int
	form   engine.Form
	binary bool // form is a tupleForm
	yield  func(*engine.Batch, error) bool
	stop   context.CancelFunc

	settler engine.Settler
	batch   *engine.Batch
	rows    int64
	wanted  *choice // of the rows of a COPY, which begin with their places; nil wants all as they are
	arrived int64   // rows of the COPY under way
	begun   bool    // the head of a binary COPY has passed
	stopped bool    // the consumer wants no more
	done    bool    // the statement ended in an orderly way
}

// packer chooses the form of the rows. ctx is the caller's: rows are looked into
// when reading has ended.
func (s *snapshot) packer(ctx context.Context, r engine.Read, facts *tableFacts, yield func(*engine.Batch, error) bool, stop context.CancelFunc) *packer {
	p := &packer{snap: s, look: r.Look, size: s.limits.BatchBytes, form: newForm(facts, r.Columns), yield: yield, stop: stop}
	if l, ok := r.Into.(taker); ok {
		if f := l.takes(ctx, r, facts, s.exporter.version); f != nil {
			p.form, p.binary = f, true
		}
	}
	return p
}

// formats are those of the result of a query: one for all columns.
func (p *packer) formats() []int16 {
	if p.binary {
		return []int16{1}
	}
	return nil
}

// Write takes one row as COPY writes it. It never fails: to stop, it cancels
// the statement and lets the rest pass, so that the connection stays in order.
// What is no row is not counted, so that the server's count tells.
func (p *packer) Write(message []byte) (int, error) {
	row := message
	if p.binary {
		row = p.tuple(message)
	}
	if p.stopped || len(row) == 0 {
		return len(message), nil
	}
	rest := row
	if p.wanted != nil {
		id, after, ok := placed(row, p.binary)
		if !ok {
			return len(message), nil
		}
		if !p.wanted.has(id) {
			p.arrived++
			return len(message), nil
		}
		rest = after
	}
	p.alone(len(rest))
	b := p.current()
	start, cells, ok := len(b.Raw), b.Cells, true
	if p.wanted != nil && p.binary { // one field less
		b.Raw = binary.BigEndian.AppendUint16(b.Raw, binary.BigEndian.Uint16(row)-1)
	}
	b.Raw = append(b.Raw, rest...)
	switch {
	case len(p.look) == 0:
	case p.binary:
		cells, ok = appendFields(b.Cells, b.Raw[start:], start, p.look)
	default:
		cells = appendCells(b.Cells, b.Raw[start:], start, p.look)
	}
	if !ok {
		b.Raw = b.Raw[:start]
		return len(message), nil
	}
	b.Cells = cells
	p.arrived++
	p.count()
	return len(message), nil
}

// tuple gives the row of a message of a binary COPY, without the head before
// the first one; nothing for the tail.
func (p *packer) tuple(message []byte) []byte {
	if !p.begun {
		var ok bool
		if message, ok = withoutHead(message); !ok {
			return nil
		}
		p.begun = true
	}
	if len(message) < 2 || string(message[:2]) == binaryTail {
		return nil
	}
	return message
}

// appendCells finds the looked-into values of a row. It reads no further than the last of them.
func appendCells(cells []engine.Cell, row []byte, base int, look []int) []engine.Cell {
	at, column := 0, 0
	for _, want := range look {
		for column < want {
			at += bytes.IndexByte(row[at:], '\t') + 1
			column++
		}
		end := bytes.IndexByte(row[at:], '\t')
		if end < 0 {
			end = len(row) - at - 1 // the line's end
		}
		null := end == 2 && row[at] == '\\' && row[at+1] == 'N'
		cells = append(cells, engine.Cell{Start: base + at, End: base + at + end, Null: null})
	}
	return cells
}

// add takes one row as a query gives it and writes it as COPY would.
func (p *packer) add(values [][]byte) {
	size := 0
	for _, v := range values {
		size += len(v)
	}
	p.alone(size)
	b := p.current()
	if p.binary {
		b.Raw = binary.BigEndian.AppendUint16(b.Raw, uint16(len(values)))
	}
	next := 0
	for i, v := range values {
		if i > 0 && !p.binary {
			b.Raw = append(b.Raw, '\t')
		}
		start := len(b.Raw)
		switch {
		case v == nil:
			b.Raw = p.form.AppendNull(b.Raw, i)
		case p.binary:
			b.Raw = append(binary.BigEndian.AppendUint32(b.Raw, uint32(len(v))), v...)
		default:
			b.Raw = appendEscaped(b.Raw, v)
		}
		if next < len(p.look) && p.look[next] == i {
			b.Cells = append(b.Cells, engine.Cell{Start: start, End: len(b.Raw), Null: v == nil})
			next++
		}
	}
	if !p.binary {
		b.Raw = append(b.Raw, '\n')
	}
	p.count()
}

func (p *packer) count() {
	p.rows++
	p.batch.Rows++
	if len(p.batch.Raw) >= p.size {
		p.flush()
	}
}

func (p *packer) current() *engine.Batch {
	if p.batch == nil {
		b, ok := p.snap.pool.Get().(*engine.Batch)
		if !ok {
			b = &engine.Batch{Raw: make([]byte, 0, p.size+p.size/8), Free: p.snap.reuse}
		}
		b.Rows, b.Raw, b.Cells, b.Form = 0, b.Raw[:0], b.Cells[:0], p.form
		p.batch = b
	}
	return p.batch
}

// alone prepares for a row of so many bytes: a huge one is a batch of its own, and what
// the driver read the one before it into is let go.
func (p *packer) alone(size int) {
	switch {
	case size >= engine.HugeBytes:
		p.flush()
		p.settler.LetGo(size)
	case p.batch != nil && len(p.batch.Raw)+size >= engine.HugeBytes:
		p.flush()
	}
}

// flush hands the batch over.
func (p *packer) flush() {
	b := p.batch
	if b == nil || p.stopped {
		return
	}
	p.batch = nil
	if !b.HandOn(p.yield, &p.settler) {
		p.stopped = true
		p.stop()
	}
}

// drop takes back a batch that nobody got.
func (p *packer) drop() {
	if p.batch != nil {
		p.batch.Release()
		p.batch = nil
	}
}

// reuse keeps a batch for the next one, unless a huge row made it huge.
func (s *snapshot) reuse(b *engine.Batch) {
	if cap(b.Raw) <= 4*s.limits.BatchBytes {
		s.pool.Put(b)
	}
}

// places writes row identities as an array of tids.
func places(rows []engine.RowID) []byte {
	dst := make([]byte, 0, 16*len(rows)+2)
	dst = append(dst, '{')
	for i, id := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"', '(')
		dst = appendUint(dst, id>>16&0xffffffff)
		dst = append(dst, ',')
		dst = appendUint(dst, id&0xffff)
		dst = append(dst, ')', '"')
	}
	return append(dst, '}')
}
