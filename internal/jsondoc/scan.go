package jsondoc

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// deepest bounds how far documents nest: far beyond what is written by hand or
// by programs, and within what databases take.
const deepest = 1000

// A SyntaxError says that a text is no JSON document. It holds no part of it.
type SyntaxError struct {
	Reason string
	Offset int // in bytes
}

// Error gives reason and place.
func (e *SyntaxError) Error() string { return e.Reason + " (byte " + strconv.Itoa(e.Offset) + ")" }

// A scanner goes through a document. Its methods move at past what they read.
type scanner struct {
	src   []byte
	at    int
	depth int
}

func (s *scanner) fail(reason string) error { return &SyntaxError{reason, s.at} }

func (s *scanner) wrong() error { return s.fail("it is not JSON") }

// blanks moves past white space.
func (s *scanner) blanks() {
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next gives the byte in hand; 0 at the end, which begins no token.
func (s *scanner) next() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

// take moves past one certain byte.
func (s *scanner) take(c byte) error {
	if s.next() != c {
		return s.wrong()
	}
	s.at++
	return nil
}

// enter begins an object or an array, leave ends it.
func (s *scanner) enter() error {
	if s.depth++; s.depth > deepest {
		return s.fail("it nests deeper than " + strconv.Itoa(deepest))
	}
	s.at++
	return nil
}

func (s *scanner) leave() { s.at++; s.depth-- }

// skip moves past a whole value.
func (s *scanner) skip() error {
	switch c := s.next(); c {
	case '{', '[':
		if err := s.enter(); err != nil {
			return err
		}
		if s.blanks(); s.next() == c+2 { // } and ] stand two after { and [
			s.leave()
			return nil
		}
		for {
			if s.blanks(); c == '{' {
				if err := s.name(); err != nil {
					return err
				}
			}
			if err := s.skip(); err != nil {
				return err
			}
			if s.blanks(); s.next() == c+2 {
				s.leave()
				return nil
			}
			if err := s.take(','); err != nil {
				return err
			}
		}
	}
	return s.scalar()
}

// name moves past a member's name, its colon and the blanks around that.
func (s *scanner) name() error {
	if err := s.text(); err != nil {
		return err
	}
	return s.colon()
}

func (s *scanner) colon() error {
	s.blanks()
	if err := s.take(':'); err != nil {
		return err
	}
	s.blanks()
	return nil
}

// scalar moves past a text, a number, true, false or null.
func (s *scanner) scalar() error {
	switch c := s.next(); {
	case c == '"':
		return s.text()
	case c == '-' || c-'0' < 10:
		n := numberAt(s.src[s.at:])
		if n == 0 {
			return s.wrong()
		}
		s.at += n
		return nil
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if len(s.src)-s.at >= len(word) && string(s.src[s.at:s.at+len(word)]) == word {
			s.at += len(word)
			return nil
		}
	}
	return s.wrong()
}

// text moves past a text in quotes.
func (s *scanner) text() error {
	if err := s.take('"'); err != nil {
		return err
	}
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			n := escapeAt(s.src[s.at:])
			if n == 0 {
				return s.wrong()
			}
			s.at += n
		case c < ' ':
			return s.wrong()
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, n := utf8.DecodeRune(s.src[s.at:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("it is not UTF-8")
			}
			s.at += n
		}
	}
	return s.wrong()
}

// escapeAt gives the length of the escape that text begins with; 0 for none.
func escapeAt(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := unit(text); ok {
			return 6
		}
	}
	return 0
}

// unit reads \uXXXX.
func unit(text []byte) (r rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:6] {
		switch {
		case c-'0' < 10:
			c -= '0'
		case c|' '-'a' < 6:
			c = c | ' ' - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// numberAt gives the length of the number that text begins with; 0 for none.
func numberAt(text []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(text) && text[i]-'0' < 10 {
			i++
		}
		return i > from
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(text) && text[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// appendDecoded appends what a text in quotes, which text moved past, stands
// for. Halves of surrogate pairs that stand alone become U+FFFD.
func appendDecoded(dst, quoted []byte) []byte {
	text := quoted[1 : len(quoted)-1]
	for i := 0; i < len(text); {
		if text[i] != '\\' {
			dst = append(dst, text[i])
			i++
			continue
		}
		switch c := text[i+1]; c {
		case 'u':
			r, _ := unit(text[i:])
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := unit(text[i:])
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// appendQuoted writes a text in quotes, with the escapes that JSON demands and
// no others. What is not UTF-8 becomes U+FFFD.
func appendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for len(text) > 0 {
		c := text[0]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRune(text)
			dst = utf8.AppendRune(dst, r)
			text = text[n:]
			continue
		}
		text = text[1:]
	}
	return append(dst, '"')
}
