package postgres

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"understudy/internal/engine"
)

// pairless is how many of the target's rows are remembered that found no pair;
// of those that came and found none, heldFor bytes for each of them.
const (
	pairless = 256 << 10
	heldFor  = 32
)

// comparable tells whether rows with these columns can be told from the
// table's by their bytes: if they bring every column there is.
func (e *exchanged) comparable(columns []string) bool {
	return len(columns) > 0 && len(columns) == len(e.columns) && !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(e.columns, c) })
}

// A meeting is the rows that come for a table, met with those that stand there.
type meeting struct {
	pairing
	e       *exchanged
	c       *conn // for the side table
	columns []string
	binary  bool
	form    engine.Form
	most    int // see pairless
}

// meet pairs the rows that come with those that stand in the table, as they come,
// and sends only what found no pair. What is sent too much, because its pair
// stood far away or is written differently, is found equal by the server.
func (x *exchange) meet(ctx context.Context, c *conn, e *exchanged, columns []string, rows iter.Seq2[*engine.Batch, error]) (sent int64, err error) {
	next, stop := iter.Pull2(rows)
	defer stop()
	b, err, ok := next()
	if !ok || err != nil { // no rows: all that stand there go
		return 0, err
	}
	_, isBinary := b.Form.(*tupleForm)
	m := &meeting{e: e, c: c, columns: columns, binary: isBinary, form: b.Form, most: cmp.Or(x.t.remember, pairless)}
	k := &look{columns: columns, binary: isBinary}
	if k.by, err = x.looker(ctx); err != nil {
		b.Release()
		return 0, err
	}
	defer func() { x.lookers <- k.by }()
	s := k.begin(ctx, e)
	defer s.end()
	m.more = s.next

	for ok && err == nil {
		n := int64(b.Rows)
		switch now, is := b.Form.(*tupleForm); {
		case is != isBinary:
			err = &engine.Error{Code: engine.Failed, Doing: "write rows", Say: "they come in two forms"}
		case is:
			m.form = now
			err = now.broken()
		}
		if err == nil {
			err = m.take(ctx, b)
		}
		b.Release()
		if err != nil {
			return sent, err
		}
		if sent += n; m.exhausted() || m.hopeless() {
			break
		}
		b, err, ok = next()
	}
	if err != nil {
		return sent, err
	}
	if m.hopeless() { // the server compares every row with every other
		s.end()
	} else {
		if err := m.pass(1 << 62); err != nil {
			return sent, err
		}
		if err := m.sendLeft(ctx); err != nil {
			return sent, err
		}
		e.seen = k
	}
	if err := m.sendComing(ctx); err != nil || !ok {
		return sent, err
	}
	rest, err := copyInto(ctx, c, e.side(), columns, pulled(next))
	e.sent += rest
	return sent + rest, err
}

// pulled gives what is left of an iterator that was pulled from.
func pulled(next func() (*engine.Batch, error, bool)) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		for b, err, ok := next(); ok && yield(b, err); b, err, ok = next() {
		}
	}
}

// take looks for the pairs of a batch's rows.
func (m *meeting) take(ctx context.Context, b *engine.Batch) error {
	raw, from := b.Raw, 0
	if m.binary {
		from = 2 // the count of fields
	}
	rows := 0
	for ; len(raw) > 0; rows++ {
		end := rowEnd(raw, m.binary)
		if end == 0 {
			break
		}
		if err := m.come(raw[:end], from); err != nil {
			return err
		}
		raw = raw[end:]
	}
	if len(raw) > 0 || rows != b.Rows {
		return &engine.Error{Code: engine.Failed, Doing: "write " + m.e.name.String(), Table: m.e.name, Say: fmt.Sprintf("a batch said to be of %d rows is not", b.Rows)}
	}
	if len(m.held) > heldFor*m.most {
		if m.tidy(); len(m.held) > heldFor*m.most/2 {
			if err := m.sendComing(ctx); err != nil {
				return err
			}
		}
	}
	if len(m.standing.items) > m.most && !m.hopeless() {
		if m.standing.pack(); m.standing.live > m.most/2 {
			return m.sendLeft(ctx)
		}
	}
	return nil
}

// hopeless: so many rows stand there and came, and not one is the same, that the
// others are hardly worth reading.
func (m *meeting) hopeless() bool {
	return m.pairs == 0 && m.standing.live > m.most/2 && m.e.left == 0
}

// sendComing sends the rows that found no pair to the side table.
func (m *meeting) sendComing(ctx context.Context) error {
	raw, n := m.rest()
	if n == 0 {
		return nil
	}
	sent, err := copyInto(ctx, m.c, m.e.side(), m.columns, func(yield func(*engine.Batch, error) bool) {
		yield(&engine.Batch{Rows: n, Raw: raw, Form: m.form}, nil)
	})
	m.e.sent += sent
	return err
}

// sendLeft sends the places of the target's rows that found no pair.
func (m *meeting) sendLeft(ctx context.Context) error {
	raw, n := m.pairing.left()
	if n == 0 {
		return nil
	}
	doing := "write down what is left of " + m.e.name.String()
	if m.e.left == 0 {
		if err := m.c.exec(ctx, doing, "CREATE UNLOGGED TABLE "+quoteName(m.e.candidates())+" (rel pg_catalog.oid, at pg_catalog.tid)"); err != nil {
			return err
		}
	}
	stream := io.MultiReader(strings.NewReader(binaryHead), bytes.NewReader(raw), strings.NewReader(binaryTail))
	if _, err := m.c.PgConn.CopyFrom(ctx, stream, "COPY "+quoteName(m.e.candidates())+" FROM STDIN WITH (FORMAT binary)"); err != nil {
		return wrap(ctx, err, doing)
	}
	m.e.left += int64(n)
	return nil
}

// looker lends a session that reads the target.
func (x *exchange) looker(ctx context.Context) (*looker, error) {
	select {
	case l := <-x.lookers:
		if l != nil && l.TxStatus() == 'T' && !l.IsClosed() {
			return l, nil
		}
		if l != nil {
			l.hangUp()
		}
	case <-ctx.Done():
		return nil, wrap(ctx, ctx.Err(), "wait for a session")
	}
	l, err := openLooker(ctx, x.t.at, session{name: x.spec.RunID + " look", readOnly: true, limits: x.t.limits, set: map[string]string{"statement_timeout": "0"}})
	if err != nil {
		x.lookers <- nil
	}
	return l, err
}

// dismiss ends the sessions that read the target.
func (x *exchange) dismiss() {
	for {
		select {
		case l := <-x.lookers:
			if l != nil {
				l.hangUp()
			}
		default:
			return
		}
	}
}
