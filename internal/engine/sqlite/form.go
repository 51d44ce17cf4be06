package sqlite

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// The form of a row: each value is a tag, then for numbers eight bytes (little
// endian), for texts and blobs the length (uvarint) and the bytes.
const (
	tagNull byte = iota
	tagInteger
	tagReal
	tagText
	tagBlob
)

// form encodes the values of the columns it was made for.
type form struct {
	columns []schema.Column
	clocks  []clock // of the numbers in columns of times that are looked into
	trims   []bool  // columns whose trailing spaces do not count
}

func newForm(columns []schema.Column) *form {
	return &form{columns: columns, clocks: make([]clock, len(columns)), trims: make([]bool, len(columns))}
}

// Value gives the canonical text.
func (f *form) Value(scratch, raw []byte, column int) []byte {
	if c := f.clocks[column]; c.known() && (raw[0] == tagInteger || raw[0] == tagReal) {
		if out, ok := c.text(scratch, raw); ok {
			if f.columns[column].Kind == schema.Date {
				return bytes.TrimSuffix(out, []byte(" 00:00:00"))
			}
			return out
		}
	}
	return trimmed(canonical(scratch, raw, &f.columns[column]), f.trims[column])
}

// trimmed takes trailing spaces away where they do not count.
func trimmed(value []byte, trims bool) []byte {
	if trims {
		return bytes.TrimRight(value, " ")
	}
	return value
}

// Replace encodes canonical text in the form that old has, where its column
// holds values in several: times in numbers, truths in words, uuids in bytes.
func (f *form) Replace(dst, value, old []byte, column int) []byte {
	c := &f.columns[column]
	switch tag := old[0]; {
	case f.clocks[column].known() && (tag == tagInteger || tag == tagReal):
		if out, ok := f.clocks[column].moved(dst, value, old); ok {
			return out
		}
	case c.Kind == schema.Boolean && tag == tagText:
		if v, ok := truth(value); ok {
			was, _ := decode(old)
			return appendBytes(dst, tagText, truthLike(v, []byte(str(was))))
		}
	case c.Kind == schema.UUID && tag == tagBlob:
		if b, ok := uuidBytes(value); ok {
			return appendBytes(dst, tagBlob, b)
		}
	}
	return f.Append(dst, value, column)
}

// Stored gives a value as Try takes it.
func (f *form) Stored(scratch, raw []byte, column int) []byte {
	c := &f.columns[column]
	if c.Kind == schema.UUID && raw[0] == tagBlob {
		b, _ := decode(raw)
		return b.([]byte)
	}
	return trimmed(canonical(scratch, raw, c), f.trims[column])
}

// Append encodes canonical text in the storage class that the column's type asks for.
func (f *form) Append(dst, value []byte, column int) []byte {
	switch v := native(value, &f.columns[column]).(type) {
	case int64:
		return appendInteger(dst, v)
	case float64:
		return appendReal(dst, v)
	case []byte:
		return appendBytes(dst, tagBlob, v)
	}
	return appendBytes(dst, tagText, value)
}

// AppendNull encodes NULL.
func (f *form) AppendNull(dst []byte, _ int) []byte { return append(dst, tagNull) }

func appendInteger(dst []byte, v int64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, tagInteger), uint64(v))
}

func appendReal(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, tagReal), math.Float64bits(v))
}

func appendBytes(dst []byte, tag byte, v []byte) []byte {
	return append(binary.AppendUvarint(append(dst, tag), uint64(len(v))), v...)
}

// appendValue encodes a value as the driver gives it.
func appendValue(dst []byte, v driver.Value) []byte {
	switch v := v.(type) {
	case int64:
		return appendInteger(dst, v)
	case float64:
		return appendReal(dst, v)
	case string:
		dst = binary.AppendUvarint(append(dst, tagText), uint64(len(v)))
		return append(dst, v...)
	case []byte:
		return appendBytes(dst, tagBlob, v)
	}
	return append(dst, tagNull)
}

// classOf gives the storage class of an encoded value; 0 for NULL.
func classOf(tag byte) classes {
	if tag == tagNull {
		return 0
	}
	return 1 << (tag - 1)
}

// decode gives an encoded value as the driver takes it, and the rest. A text
// is copied; a blob aliases raw.
func decode(raw []byte) (driver.Value, []byte) {
	switch tag := raw[0]; tag {
	case tagInteger:
		return int64(binary.LittleEndian.Uint64(raw[1:])), raw[9:]
	case tagReal:
		return math.Float64frombits(binary.LittleEndian.Uint64(raw[1:])), raw[9:]
	case tagText, tagBlob:
		n, w := binary.Uvarint(raw[1:])
		from, to := 1+w, 1+w+int(n)
		if tag == tagText {
			return string(raw[from:to]), raw[to:]
		}
		return raw[from:to:to], raw[to:]
	}
	return nil, raw[1:]
}

// canonical gives the text of an encoded value that is the same on every
// engine: decimal integers, true and false, shortest decimals (with the scale
// of the column where it has one), raw text and raw bytes.
func canonical(scratch, raw []byte, c *schema.Column) []byte {
	switch tag := raw[0]; tag {
	case tagInteger:
		v := int64(binary.LittleEndian.Uint64(raw[1:]))
		if c.Kind == schema.Boolean && (v == 0 || v == 1) {
			return strconv.AppendBool(scratch[:0], v == 1)
		}
		out := strconv.AppendInt(scratch[:0], v, 10)
		if c.Kind == schema.Decimal && c.Scale > 0 {
			out = append(append(out, '.'), zeros[:min(c.Scale, len(zeros))]...)
		}
		return out
	case tagReal:
		return appendDecimal(scratch[:0], math.Float64frombits(binary.LittleEndian.Uint64(raw[1:])), c)
	case tagText, tagBlob:
		n, w := binary.Uvarint(raw[1:])
		out := raw[1+w : 1+w+int(n)]
		switch {
		case c.Kind == schema.UUID && tag == tagBlob && len(out) == uuidLength:
			return uuidText(scratch[:0], out)
		case c.Kind == schema.UUID:
			return bytes.ToLower(out)
		case c.Kind == schema.Boolean:
			if v, ok := truth(out); ok {
				return strconv.AppendBool(scratch[:0], v)
			}
		}
		return out
	}
	return nil
}

// uuidLength is the length of a uuid in a blob, in the order of its text.
const uuidLength = 16

func uuidText(dst, b []byte) []byte {
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

func uuidBytes(text []byte) ([]byte, bool) {
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "-", ""))
	return b, err == nil && len(b) == uuidLength
}

const zeros = "000000000000000000"

// appendDecimal writes a number with the column's scale where that says the
// same number, else as the shortest decimal that reads back as v.
func appendDecimal(dst []byte, v float64, c *schema.Column) []byte {
	if math.IsInf(v, 0) {
		return append(dst, map[bool]string{true: "Infinity", false: "-Infinity"}[v > 0]...)
	}
	if c.Kind == schema.Decimal && c.Scale >= 0 {
		out := strconv.AppendFloat(dst, v, 'f', c.Scale, 64)
		if back, err := strconv.ParseFloat(string(out[len(dst):]), 64); err == nil && back == v {
			return out
		}
	}
	if math.Abs(v) < 1e15 {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// native gives canonical text in the storage class that the column's declared
// type asks for; text where it asks for none or the text does not read as such.
func native(value []byte, c *schema.Column) driver.Value {
	switch c.Kind {
	case schema.Boolean:
		switch string(value) {
		case "true", "t", "1":
			return int64(1)
		case "false", "f", "0":
			return int64(0)
		}
	case schema.Integer:
		if v, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return v
		}
	case schema.Decimal:
		// Only where the number keeps every digit; what it cannot hold goes as
		// text and meets the column's affinity in the database.
		if v, err := strconv.ParseInt(string(value), 10, 64); err == nil && affinityOf(c.Type) != realAffinity {
			return v
		}
		v, err := strconv.ParseFloat(string(value), 64)
		if err == nil && len(value) <= 16 && !math.IsInf(v, 0) || string(value) == "Infinity" || string(value) == "-Infinity" {
			return v
		}
	case schema.Bytes:
		return append([]byte{}, value...)
	}
	return string(value)
}
