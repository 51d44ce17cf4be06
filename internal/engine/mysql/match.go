package mysql

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"understudy/internal/schema"
)

// A matcher collects tuples of values and writes the condition that a row has
// one of them. Values stand in the statement as literals of their column's kind,
// because a server that must convert them uses no index.
type matcher struct {
	columns []formColumn
	maria   bool
	tuples  [][]string
	bytes   int
}

func (m *matcher) add(tuple []string) {
	m.tuples = append(m.tuples, tuple)
	for _, t := range tuple {
		m.bytes += len(t)
	}
}

// full tells that a statement should not grow more.
func (m *matcher) full() bool { return len(m.tuples) >= together || m.bytes >= 1<<20 }

// condition writes it. MySQL finds ranges in a list of tuples, MariaDB does not,
// but in alternatives.
func (m *matcher) condition() string {
	var b strings.Builder
	if len(m.columns) == 1 {
		b.WriteString(quote(m.columns[0].Name) + " IN (")
		for i, t := range m.tuples {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(t[0])
		}
		return b.String() + ")"
	}
	names := make([]string, len(m.columns))
	for i := range m.columns {
		names[i] = quote(m.columns[i].Name)
	}
	if !m.maria {
		b.WriteString("(" + strings.Join(names, ",") + ") IN (")
		for i, t := range m.tuples {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString("(" + strings.Join(t, ",") + ")")
		}
		return b.String() + ")"
	}
	b.WriteByte('(')
	for i, t := range m.tuples {
		if i > 0 {
			b.WriteString(" OR ")
		}
		for j, v := range t {
			if j > 0 {
				b.WriteString(" AND ")
			}
			b.WriteString(names[j] + "=" + v)
		}
	}
	return b.String() + ")"
}

// asked writes canonical text as a literal that equals the column's value; ok is
// false where no value of the column's type can be equal.
func (c *formColumn) asked(text []byte) (lit string, ok bool) {
	switch {
	case c.Kind == schema.Boolean && string(text) == "true":
		return "1", true
	case c.Kind == schema.Boolean && string(text) == "false":
		return "0", true
	case c.facts.base == "bit":
		return digits(text)
	}
	return c.stored(text)
}

// writes tells whether a text is one that the column, a number or a UUID, may write.
func (c *formColumn) writes(text []byte) bool {
	if c.Kind == schema.Integer {
		lit, ok := digits(text)
		d := strings.TrimPrefix(lit, "-")
		return ok && (d[0] != '0' || lit == "0")
	}
	return bytes.Equal(bytes.ToLower(text), text)
}

// stored is asked for a value as rows carry it.
func (c *formColumn) stored(value []byte) (lit string, ok bool) {
	switch base := c.facts.base; {
	case base == "bit":
		return string(appendHex(nil, value)), true
	case base == "float":
		v, err := strconv.ParseFloat(string(value), 32)
		if err != nil || math.IsInf(v, 0) {
			return "", false
		}
		return strconv.FormatFloat(float64(float32(v)), 'e', -1, 64), true
	case base == "double":
		v, err := strconv.ParseFloat(string(value), 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
			return "", false
		}
		return strconv.FormatFloat(v, 'e', -1, 64), true
	case base == "decimal":
		return decimal(value)
	case c.numeric():
		return digits(value)
	case c.raw():
		return string(appendHex(nil, value)), true
	case !utf8.Valid(value):
		return "_utf8mb4 " + string(appendHex(nil, value)), true
	}
	return literal(string(value)), true
}

// digits passes an integer on, and nothing else.
func digits(text []byte) (string, bool) {
	d := bytes.TrimPrefix(text, []byte("-"))
	if len(d) == 0 || len(d) > 20 {
		return "", false
	}
	for _, c := range d {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return string(text), true
}

// decimal passes a number without an exponent on, and nothing else.
func decimal(text []byte) (string, bool) {
	whole, fraction, point := bytes.Cut(bytes.TrimPrefix(text, []byte("-")), []byte("."))
	if len(whole) == 0 || point && len(fraction) == 0 || len(text) > 100 {
		return "", false
	}
	for _, part := range [][]byte{whole, fraction} {
		for _, c := range part {
			if c < '0' || c > '9' {
				return "", false
			}
		}
	}
	return string(text), true
}
