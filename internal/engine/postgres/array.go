package postgres

import (
	"bytes"
	"slices"

	"understudy/internal/engine"
)

// Arrays in the server's text form (PostgreSQL documentation, "Array Input and
// Output Syntax"): bounds where they do not begin at one, braces by dimension,
// commas, elements in double quotes where they would be misread.

var _ engine.Arrays = (*form)(nil)

// AppendArray appends an array with its elements replaced. Bounds, dimensions
// and NULLs are copied as they are.
func (f *form) AppendArray(dst, value []byte, column int, element engine.Element) ([]byte, error) {
	a := arrayText{src: value, translate: f.elements[column]}
	return a.rewrite(dst, element)
}

// An arrayText is an array being rewritten.
type arrayText struct {
	src       []byte
	translate translation // of the elements
	plain     []byte      // an element without quotes
	canon     []byte
	fake      []byte
}

// rewrite goes through the text once. The server wrote it, so what does not
// read as an array is a form that this program does not know.
func (a *arrayText) rewrite(dst []byte, element engine.Element) ([]byte, error) {
	src, at, depth := a.src, 0, 0
	if len(src) > 0 && src[0] == '[' {
		at = bytes.IndexByte(src, '=') + 1
	}
	out := append(dst, src[:at]...)
	before := byte(',') // what stood last: a sign, or e for an element
	for at < len(src) {
		c := src[at]
		begins := before == ',' || before == '{' // a value may begin here
		switch {
		case c == '{' && begins:
			depth++
		case c == '}' && depth > 0 && before != ',':
			depth--
		case c == ',' && depth > 0 && !begins:
		case depth == 0 || !begins:
			return dst, a.unknown()
		default:
			end, isNull := a.read(at)
			if end < 0 {
				return dst, a.unknown()
			}
			if isNull {
				out = append(out, src[at:end]...)
			} else {
				var err error
				if out, err = a.replace(out, element); err != nil {
					return dst, err
				}
			}
			at, before = end, 'e'
			continue
		}
		out, before = append(out, c), c
		if at++; depth == 0 {
			break
		}
	}
	if at != len(src) || depth != 0 || at == 0 {
		return dst, a.unknown()
	}
	return out, nil
}

func (a *arrayText) unknown() error {
	return &engine.Error{Code: engine.Unsupported, Doing: "read an array", Say: "its text is not of a form that this program knows",
		Hint: "give the column `nullify` or `constant`, which look at no value"}
}

// read takes the element at a place into a.plain and gives its end; -1 if it has none.
func (a *arrayText) read(at int) (end int, isNull bool) {
	a.plain = a.plain[:0]
	if rest := len(a.src) - at; rest >= engine.HugeBytes {
		a.plain = slices.Grow(a.plain, rest)
	}
	if a.src[at] != '"' {
		n := bytes.IndexAny(a.src[at:], ",}")
		if n <= 0 {
			return -1, false
		}
		for i := at; i < at+n; i++ {
			if a.src[i] == '\\' && i+1 < at+n {
				i++
			}
			a.plain = append(a.plain, a.src[i])
		}
		return at + n, bytes.EqualFold(a.src[at:at+n], []byte("NULL"))
	}
	for i := at + 1; i < len(a.src); i++ {
		switch c := a.src[i]; {
		case c == '"':
			return i + 1, false
		case c == '\\' && i+1 < len(a.src):
			i++
			a.plain = append(a.plain, a.src[i])
		default:
			a.plain = append(a.plain, c)
		}
	}
	return -1, false
}

// replace appends what stands for the element in hand.
func (a *arrayText) replace(dst []byte, element engine.Element) ([]byte, error) {
	value := a.translate.canonical(a.canon[:0], a.plain)
	if len(value) >= engine.HugeBytes {
		a.fake = slices.Grow(a.fake[:0], len(value))
	}
	fake, null, err := element(a.fake[:0], value)
	if err != nil {
		return dst, err
	}
	a.fake = fake[:0]
	if null {
		return append(dst, "NULL"...), nil
	}
	if a.translate == hexed {
		a.canon = a.translate.input(a.canon, fake)
		fake = a.canon
	}
	return appendArrayElement(dst, fake), nil
}

// appendArrayElement writes an element as the server does: in quotes only where
// it would be misread without.
func appendArrayElement(dst, value []byte) []byte {
	if len(value) > 0 && !bytes.ContainsAny(value, "\"\\{}, \t\n\r\v\f") && !bytes.EqualFold(value, []byte("NULL")) {
		return append(dst, value...)
	}
	return appendQuoted(dst, value)
}
