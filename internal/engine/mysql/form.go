package mysql

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// The form of a row: each value is the length of its bytes plus one (uvarint)
// and the bytes, or a zero for NULL. The bytes are what the text protocol gives
// in a session with utf8mb4 and UTC: digits of numbers, ISO times, texts as
// UTF-8; raw bytes of binary columns, BIT, spatial and vector columns.

// A form encodes the values of the columns it was made for.
type form struct{ columns []formColumn }

// A formColumn is what encoding needs of a column.
type formColumn struct {
	schema.Column
	facts *columnFacts
	zeros bool   // a DECIMAL that the server fills up with zeros
	srid  string // that a spatial column demands; empty for none
}

// raw tells columns whose bytes are no text in the session's character set.
func (c *formColumn) raw() bool { return c.facts.binary() }

// numeric tells columns whose values are digits, which a statement takes without quotes.
func (c *formColumn) numeric() bool {
	switch c.facts.base {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "year", "decimal", "float", "double":
		return true
	}
	return false
}

// binary tells types whose values travel as bytes that are no text.
func (f *columnFacts) binary() bool {
	switch f.base {
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "vector",
		"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		return true
	}
	return false
}

// newForm makes the form of columns of a table; facts are of the same table.
func newForm(columns []*schema.Column, facts *tableFacts) *form {
	f := &form{columns: make([]formColumn, len(columns))}
	for i, c := range columns {
		f.columns[i] = formColumn{Column: *c, facts: facts.columns[c.Name]}
		f.columns[i].zeros = f.columns[i].facts.base == "decimal" && strings.Contains(c.Type, "zerofill")
	}
	return f
}

var _ engine.Form = (*form)(nil)

// Value gives the canonical text.
func (f *form) Value(scratch, raw []byte, column int) []byte {
	value, _, _ := decode(raw)
	return f.columns[column].canonical(scratch, value)
}

// Append encodes canonical text.
func (f *form) Append(dst, value []byte, column int) []byte {
	c := &f.columns[column]
	switch {
	case c.facts.base == "bit":
		return appendBit(dst, value, c.facts.bits)
	case c.Kind == schema.Boolean && string(value) == "true":
		return append(dst, 2, '1')
	case c.Kind == schema.Boolean && string(value) == "false":
		return append(dst, 2, '0')
	}
	return appendValue(dst, value)
}

// AppendNull encodes NULL.
func (f *form) AppendNull(dst []byte, _ int) []byte { return append(dst, 0) }

// appendValue encodes a value that is not NULL.
func appendValue(dst, value []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(value))+1), value...)
}

// decode gives the first value of raw, which it aliases, and the rest.
func decode(raw []byte) (value []byte, null bool, rest []byte) {
	n, w := binary.Uvarint(raw)
	if n == 0 {
		return nil, true, raw[w:]
	}
	end := w + int(n) - 1
	return raw[w:end:end], false, raw[end:]
}

// canonical gives the text of a value that is the same on every engine. It may
// alias value or scratch.
func (c *formColumn) canonical(scratch, value []byte) []byte {
	switch c.facts.base {
	case "bit":
		var n uint64
		for _, b := range value {
			n = n<<8 | uint64(b)
		}
		if c.Kind == schema.Boolean {
			return strconv.AppendBool(scratch[:0], n == 1)
		}
		return strconv.AppendUint(scratch[:0], n, 10)
	case "tinyint":
		if c.Kind == schema.Boolean && len(value) == 1 && value[0] <= '1' { // other numbers stay numbers
			return strconv.AppendBool(scratch[:0], value[0] == '1')
		}
	case "datetime", "timestamp", "time":
		if bytes.IndexByte(value, '.') >= 0 {
			return bytes.TrimSuffix(bytes.TrimRight(value, "0"), []byte("."))
		}
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set":
		if c.facts.trims {
			return bytes.TrimRight(value, " ")
		}
	}
	return value
}

// appendBit encodes a decimal number as the bytes of a BIT.
func appendBit(dst, value []byte, bits int) []byte {
	n, err := strconv.ParseUint(string(value), 10, 64)
	switch {
	case string(value) == "true":
		n = 1
	case string(value) == "false":
		n = 0
	case err != nil:
		return appendValue(dst, value) // the server refuses it
	}
	width := (bits + 7) / 8
	if bits < 64 && n>>bits != 0 {
		width = 9 // more than the column holds, which the server refuses
	}
	dst = binary.AppendUvarint(dst, uint64(width)+1)
	for i := width - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

// appendFloat writes a number as the shortest text that reads back as it, in the
// form that other engines give it; bits is 32 or 64.
func appendFloat(dst []byte, v float64, bits, scale int) []byte {
	if scale >= 0 {
		return strconv.AppendFloat(dst, v, 'f', scale, 64)
	}
	most := 1e15
	if bits == 32 {
		most = 1e6
	}
	if v == 0 || math.Abs(v) >= 1e-4 && math.Abs(v) < most {
		return strconv.AppendFloat(dst, v, 'f', -1, bits)
	}
	if bits == 32 && math.Abs(v) > 3.4e38 { // the shortest text of the greatest FLOAT is more than it, which the server refuses
		bits = 64
	}
	return strconv.AppendFloat(dst, v, 'e', -1, bits)
}
