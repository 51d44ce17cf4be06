package schema

import (
	"unicode"
	"unicode/utf8"
)

// A Folding says what a database that compares without regard to case takes for
// one letter. The zero value is that of most: every letter that has a small form.
type Folding string

const (
	FoldLetters Folding = ""
	FoldASCII   Folding = "ascii" // A to Z alone
)

// With gives the folding under which everything is the same that is the same
// under one of the two.
func (f Folding) With(o Folding) Folding {
	if f == o {
		return f
	}
	return FoldLetters
}

// Append adds value with the letters that fold in small, letter by letter (simple
// case mapping); bytes that are not UTF-8 stay as they are.
func (f Folding) Append(dst, value []byte) []byte {
	for len(value) > 0 {
		r, n := utf8.DecodeRune(value)
		switch {
		case r < utf8.RuneSelf:
			b := byte(r)
			if b-'A' < 26 {
				b += 'a' - 'A'
			}
			dst = append(dst, b)
		case f == FoldASCII || r == utf8.RuneError && n == 1:
			dst = append(dst, value[:n]...)
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		value = value[n:]
	}
	return dst
}
