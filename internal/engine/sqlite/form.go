package sqlite

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"math"
	"strconv"

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
type form struct{ columns []schema.Column }

// Value gives the canonical text.
func (f *form) Value(scratch, raw []byte, column int) []byte {
	return canonical(scratch, raw, &f.columns[column])
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
		if c.Kind == schema.UUID {
			return bytes.ToLower(out)
		}
		return out
	}
	return nil
}

const zeros = "000000000000000000"

// appendDecimal writes a number with the column's scale where that says the
// same number, else as the shortest decimal that reads back as v.
func appendDecimal(dst []byte, v float64, c *schema.Column) []byte {
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
		if v, err := strconv.ParseFloat(string(value), 64); err == nil && !math.IsInf(v, 0) && len(value) <= 16 {
			return v
		}
	case schema.Bytes:
		return append([]byte{}, value...)
	}
	return string(value)
}
