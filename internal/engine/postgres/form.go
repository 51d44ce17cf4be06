package postgres

import (
	"bytes"
	"encoding/hex"
	"slices"

	"understudy/internal/engine"
)

// A form encodes values as rows carry them: the text form of COPY. Its columns
// differ only in how their canonical text is told from the server's text.
type form struct {
	columns  []translation
	elements []translation // of arrays
}

// A translation says what stands between the server's text of a value and the
// canonical text, which is the same on every engine.
type translation uint8

const (
	asIs    translation = iota // the server's text is canonical
	hexed                      // bytea: \x0aff stands for raw bytes
	oneChar                    // boolean: t and f stand for true and false
	padded                     // char(n): trailing spaces have no meaning
)

var _ engine.Form = (*form)(nil)

// newForm gives the form of rows with these columns.
func newForm(facts *tableFacts, columns []string) *form {
	f := &form{columns: make([]translation, len(columns)), elements: make([]translation, len(columns))}
	for i, name := range columns {
		f.columns[i] = translationOf(facts.columns[name].base)
		f.elements[i] = translationOf(facts.columns[name].element)
	}
	return f
}

func translationOf(base uint32) translation {
	switch base {
	case 17:
		return hexed
	case 16:
		return oneChar
	case 1042:
		return padded
	}
	return asIs
}

// Value gives the canonical text of an encoded value.
func (f *form) Value(scratch, raw []byte, column int) []byte {
	if bytes.IndexByte(raw, '\\') >= 0 {
		scratch = appendUnescaped(scratch[:0], raw)
		raw = scratch
	}
	switch f.columns[column] {
	case hexed:
		if len(raw) < 2 || raw[0] != '\\' || raw[1] != 'x' {
			return raw
		}
		n, err := hex.Decode(raw, raw[2:]) // in place: the read position stays ahead of the written one
		if err != nil {
			return raw
		}
		return raw[:n]
	case oneChar:
		return boolean(raw)
	case padded:
		return bytes.TrimRight(raw, " ")
	}
	return raw
}

func boolean(raw []byte) []byte {
	if len(raw) == 1 && raw[0] == 't' {
		return []byte("true")
	}
	if len(raw) == 1 && raw[0] == 'f' {
		return []byte("false")
	}
	return raw
}

// Append encodes a value given as canonical text.
func (f *form) Append(dst, value []byte, column int) []byte {
	if f.columns[column] == hexed {
		dst = append(dst, `\\x`...)
		return hex.AppendEncode(dst, value)
	}
	return appendEscaped(dst, value)
}

// AppendNull encodes NULL.
func (f *form) AppendNull(dst []byte, _ int) []byte { return append(dst, '\\', 'N') }

// canonical is Value for the server's text as a query gives it, which has no
// escapes. The result may alias text or be appended to scratch.
func (t translation) canonical(scratch, text []byte) []byte {
	switch t {
	case hexed:
		if len(text) >= 2 && text[0] == '\\' && text[1] == 'x' {
			out, err := hex.AppendDecode(scratch[:0], text[2:])
			if err == nil {
				return out
			}
		}
	case oneChar:
		return boolean(text)
	case padded:
		return bytes.TrimRight(text, " ")
	}
	return text
}

// input is the inverse of canonical: the text the server reads.
func (t translation) input(scratch, value []byte) []byte {
	if t == hexed {
		return hex.AppendEncode(append(scratch[:0], '\\', 'x'), value)
	}
	return value
}

// escapes maps a byte to the letter that stands for it after a backslash; 0 for
// bytes that stand for themselves. These are the bytes that COPY TO escapes
// (PostgreSQL documentation, COPY, "Text Format").
func escapeOf(c byte) byte {
	switch c {
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	case '\v':
		return 'v'
	case '\\':
		return '\\'
	}
	return 0
}

// appendEscaped writes a value as COPY TO does. Runs of ordinary bytes are
// copied as a whole.
func appendEscaped(dst, value []byte) []byte {
	start := 0
	for i, c := range value {
		if c > '\r' && c != '\\' || c < '\b' {
			continue
		}
		if e := escapeOf(c); e != 0 {
			dst = append(dst, value[start:i]...)
			dst = append(dst, '\\', e)
			start = i + 1
		}
	}
	return append(dst, value[start:]...)
}

// appendUnescaped reads a value as COPY FROM does, octal and hexadecimal
// escapes included, though COPY TO never writes them.
func appendUnescaped(dst, raw []byte) []byte {
	if len(raw) >= engine.HugeBytes {
		dst = slices.Grow(dst, len(raw))
	}
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' || i+1 == len(raw) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = raw[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		case 'x':
			if value, n := digits(raw[i+1:], 16, 2); n > 0 {
				c, i = value, i+n
			}
		case '0', '1', '2', '3', '4', '5', '6', '7':
			value, n := digits(raw[i:], 8, 3)
			c, i = value, i+n-1
		}
		dst = append(dst, c)
	}
	return dst
}

// digits reads at most so many digits of a base.
func digits(text []byte, base, most int) (value byte, n int) {
	for n < len(text) && n < most {
		d := -1
		switch c := text[n]; {
		case c >= '0' && c <= '9':
			d = int(c - '0')
		case c >= 'a' && c <= 'f':
			d = int(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = int(c-'A') + 10
		}
		if d < 0 || d >= base {
			break
		}
		value = value*byte(base) + byte(d)
		n++
	}
	return value, n
}
