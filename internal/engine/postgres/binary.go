package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Rows that a known table will take travel in the binary form of COPY where
// both sides mean the same by every byte of it: it spares the servers the text
// of numbers and times. A row is a 16-bit count of fields, then for each field
// a 32-bit length (-1 for NULL) and so many bytes (PostgreSQL documentation,
// COPY, "Binary Format").

const (
	// binaryHead is what a binary COPY begins with: signature, flags, no extension.
	binaryHead = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	// binaryTail is what one ends with: a count of fields that no row has.
	binaryTail = "\xff\xff"
)

// anyEnum stands for every enumeration: their values travel as labels.
const anyEnum = 3500

// wireOf gives the type as whose values those of a type travel in binary, so
// that equal answers on two servers mean equal bytes for equal values; 0 if
// there is no such promise: the bytes of composites, of other arrays and ranges
// hold numbers of types, which differ between databases, and those of an
// extension's types may change with its version.
func wireOf(t, element typeRow) uint32 {
	switch {
	case t.typtype == 'e':
		return anyEnum
	case t.namespace != "pg_catalog" || t.oid >= 10000: // numbers that never change end there (src/include/access/transam.h)
		return 0
	case portable(t.oid):
		return t.oid
	case t.category == 'A' && t.name == "_"+element.name && portable(element.oid):
		return t.oid
	}
	return 0
}

// portable lists the built-in types whose binary form is the same in every
// supported version.
func portable(oid uint32) bool {
	switch oid {
	case 16, 17, 19, 20, 21, 23, 25, 26, 114, 700, 701, 1042, 1043, 1700, 2950, 3802: // boolean, bytea, name, integers, strings, oid, json, floats, numeric, uuid, jsonb
		return true
	case 1082, 1083, 1114, 1184, 1186, 1266: // dates and times
		return true
	case 650, 774, 829, 869: // networks
		return true
	case 600, 601, 602, 603, 604, 628, 718: // geometry
		return true
	case 1560, 1562, 3614: // bit, varbit, tsvector
		return true
	case 3904, 3906, 3908, 3910, 3912, 3926: // ranges
		return true
	}
	return false
}

// sameWire tells whether a value's bytes mean the same on two servers. Since
// version 17 an interval may be infinite, by numbers that were finite before.
func sameWire(a, b columnFacts, from, to int) bool {
	if a.wire == 0 || a.wire != b.wire {
		return false
	}
	return a.wire != 1186 && a.wire != 1187 || (from >= 170000) == (to >= 170000)
}

// A taker is a load that can tell in which form it takes the rows of a Read.
type taker interface {
	takes(ctx context.Context, r engine.Read, from *tableFacts, version int) *tupleForm
}

func (l *load) takes(ctx context.Context, r engine.Read, from *tableFacts, version int) *tupleForm {
	if l.t.asText {
		return nil
	}
	f := tuplesFor(r, from, l.tables[r.As], version, l.facts.version)
	if f != nil {
		f.ask = func(oid uint32, text []byte) ([]byte, error) { return ask(ctx, &l.asking, l.guard, oid, text) }
	}
	return f
}

// tuplesFor chooses the binary form for rows that a Read gives to a table; nil
// where they have to travel as text: if a column's bytes might mean something
// else there, or if a value that will be looked into has no codec.
func tuplesFor(r engine.Read, from, to *tableFacts, version, toVersion int) *tupleForm {
	if to == nil || len(r.Columns) == 0 {
		return nil
	}
	for _, name := range r.Columns {
		if !sameWire(from.columns[name], to.columns[name], version, toVersion) {
			return nil
		}
	}
	f := &tupleForm{table: r.As, columns: r.Columns, codecs: make([]*codec, len(r.Columns))}
	for _, i := range r.Look {
		if f.codecs[i] = codecOf(from.columns[r.Columns[i]].wire); f.codecs[i] == nil {
			return nil
		}
	}
	return f
}

// ask has the target's server read a text as a value of a built-in type, through
// a session that others ask as well. It is for texts that no codec knows for
// sure, such as a constant from a rule file.
func ask(ctx context.Context, alone *sync.Mutex, c *conn, oid uint32, text []byte) ([]byte, error) {
	alone.Lock()
	defer alone.Unlock()
	result := c.ExecParams(ctx, "SELECT $1", [][]byte{text}, []uint32{oid}, nil, []int16{1}).Read()
	if result.Err != nil {
		return nil, wrap(ctx, result.Err, "read a value")
	}
	return result.Rows[0][0], nil
}

// A tupleForm is the form of rows as binary COPY writes them. A cell is a field with
// its length. Columns that are not looked into have no codec.
type tupleForm struct {
	table   schema.Name
	columns []string
	codecs  []*codec
	ask     func(oid uint32, text []byte) ([]byte, error)

	mu      sync.Mutex
	answers map[answerKey][]byte
	failure error
}

type answerKey struct {
	oid  uint32
	text string
}

// answersAtMost bounds the answers of the server that are kept.
const answersAtMost = 1000

var _ engine.Form = (*tupleForm)(nil)

// Value gives the canonical text of an encoded value.
func (f *tupleForm) Value(scratch, raw []byte, column int) []byte {
	c := f.codecs[column]
	if c.verbatim {
		return raw[4:]
	}
	text, ok := c.decode(scratch[:0], raw[4:])
	if !ok {
		f.fail(&engine.Error{Code: engine.Failed, Doing: "read a value", Say: "its bytes are not those of its type", Table: f.table, Column: f.columns[column]})
	}
	return text
}

// Append encodes a value given as canonical text. A text that is no value of
// the type leaves bytes that the server refuses, and Failure says why.
func (f *tupleForm) Append(dst, value []byte, column int) []byte {
	c := f.codecs[column]
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if c.verbatim {
		dst = append(dst, value...)
	} else if encoded, ok := c.encode(dst, value); ok {
		dst = encoded
	} else {
		dst = append(dst[:start+4], f.answer(c.oid, value, column)...)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// AppendNull encodes NULL.
func (f *tupleForm) AppendNull(dst []byte, _ int) []byte { return append(dst, 0xff, 0xff, 0xff, 0xff) }

// answer is the server's encoding of a text; empty, with a failure noted, if it refuses.
func (f *tupleForm) answer(oid uint32, text []byte, column int) []byte {
	f.mu.Lock()
	known, ok := f.answers[answerKey{oid, string(text)}]
	f.mu.Unlock()
	if ok {
		return known
	}
	got, err := f.ask(oid, text)
	if err != nil {
		if e, ok := err.(*engine.Error); ok && e.State != "" {
			e.Table, e.Column = f.table, f.columns[column]
		}
		f.fail(err)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.answers == nil {
		f.answers = map[answerKey][]byte{}
	}
	if len(f.answers) < answersAtMost {
		f.answers[answerKey{oid, string(text)}] = got
	}
	return got
}

// fail notes the first failure.
func (f *tupleForm) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure == nil {
		f.failure = err
	}
}

// broken gives the first failure: rows written since then must not be loaded.
func (f *tupleForm) broken() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// appendFields finds the looked-into values of a row in binary form. It reads
// no further than the last of them; ok is false if the row is no such row.
func appendFields(cells []engine.Cell, row []byte, base int, look []int) (_ []engine.Cell, ok bool) {
	at, column := 2, 0
	for _, want := range look {
		for {
			if at+4 > len(row) {
				return cells, false
			}
			end := at + 4
			n := int32(binary.BigEndian.Uint32(row[at:]))
			if n > 0 {
				end += int(n)
			}
			if end > len(row) {
				return cells, false
			}
			if column == want {
				cells = append(cells, engine.Cell{Start: base + at, End: base + end, Null: n < 0})
			}
			at = end
			if column++; column > want {
				break
			}
		}
	}
	return cells, true
}

// withoutHead takes the head of a binary COPY off the first message; ok is false if it is another.
func withoutHead(message []byte) (_ []byte, ok bool) {
	const fixed = len(binaryHead)
	if len(message) < fixed || !bytes.Equal(message[:fixed-8], []byte(binaryHead[:fixed-8])) {
		return nil, false
	}
	if flags := binary.BigEndian.Uint32(message[fixed-8:]); flags>>16 != 0 { // critical ones, which change the format
		return nil, false
	}
	more := int64(binary.BigEndian.Uint32(message[fixed-4:]))
	if int64(len(message)-fixed) < more {
		return nil, false
	}
	return message[fixed+int(more):], true
}
