package mysql

import "strings"

// tokenKind is what a token of SQL is.
type tokenKind byte

const (
	word      tokenKind = iota // a keyword, a bare name, a number
	quoted                     // a name in backticks or double quotes
	stringLit                  // a text in single quotes
	mark                       // one character of punctuation
	comment                    // a comment that the server passes over or, as /*! */, does not
	variable                   // @x, @@x, :x, ? and $1
	broken                     // a quote that does not close, a byte that is none of SQL's
)

type token struct {
	kind  tokenKind
	text  string // as written
	start int
}

// is tells whether the token is a keyword.
func (t token) is(keyword string) bool { return t.kind == word && strings.EqualFold(t.text, keyword) }

// mark tells whether the token is a character of punctuation.
func (t token) mark(c string) bool { return t.kind == mark && t.text == c }

func (t token) end() int { return t.start + len(t.text) }

// name gives the name that a token can be: bare, or in quotes.
func (t token) name() (string, bool) {
	switch t.kind {
	case word:
		return t.text, true
	case quoted:
		q := t.text[:1]
		return strings.ReplaceAll(t.text[1:len(t.text)-1], q+q, q), true
	}
	return "", false
}

// tokens takes SQL apart as the server does with backslash escapes on. Double
// quotes stand around names, as in fragmentMode; DDL that the server writes has none.
func tokens(text string) []token {
	var out []token
	for at := 0; at < len(text); {
		if strings.IndexByte(" \t\r\n\f\v", text[at]) >= 0 {
			at++
			continue
		}
		kind, n := next(text[at:])
		out = append(out, token{kind, text[at : at+n], at})
		at += n
	}
	return out
}

// next measures the token that text begins with.
func next(text string) (tokenKind, int) {
	switch c := text[0]; {
	case c == '\'':
		return closed(stringLit, text, true)
	case c == '`':
		return closed(quoted, text, false)
	case c == '"':
		return closed(quoted, text, true)
	case c == '#', dashes(text):
		if i := strings.IndexByte(text, '\n'); i >= 0 {
			return comment, i
		}
		return comment, len(text)
	case strings.HasPrefix(text, "/*"):
		if i := strings.Index(text[2:], "*/"); i >= 0 {
			return comment, i + 4
		}
		return broken, len(text)
	case c == '@', c == '?':
		n := 1
		for n < len(text) && (text[n] == '@' || wordByte(text[n])) {
			n++
		}
		return variable, n
	case c == '.' && len(text) > 1 && text[1] >= '0' && text[1] <= '9', wordByte(c):
		n := 1
		number := c == '.' || c >= '0' && c <= '9'
		for n < len(text) && (wordByte(text[n]) || number && text[n] == '.') {
			n++
		}
		if c == '$' && n > 1 && text[1] >= '0' && text[1] <= '9' {
			return variable, n
		}
		return word, n
	case c == ':' && len(text) > 1 && (wordByte(text[1]) || text[1] == '='):
		return variable, 2
	case c < ' ' || c == '\\' || c == 0x7f:
		return broken, 1
	}
	return mark, 1
}

// dashes tells whether text begins a comment: two dashes with nothing printed
// behind them. Else they are two signs, and what follows is run.
func dashes(text string) bool {
	return strings.HasPrefix(text, "--") && (len(text) == 2 || text[2] <= ' ' || text[2] == 0x7f)
}

// closed measures a quoted token; a doubled quote, and where escapes hold a
// backslash, does not end it.
func closed(kind tokenKind, text string, escapes bool) (tokenKind, int) {
	q := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case escapes && text[i] == '\\':
			i++
		case text[i] == q && i+1 < len(text) && text[i+1] == q:
			i++
		case text[i] == q:
			return kind, i + 1
		}
	}
	return broken, len(text)
}

func wordByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// matching gives the place of the parenthesis that closes the one at open; the
// last token where none does.
func matching(all []token, open int) int {
	depth := 0
	for i := open; i < len(all); i++ {
		switch {
		case all[i].mark("("):
			depth++
		case all[i].mark(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(all) - 1
}

// unquoted gives the text that a string literal means.
func unquoted(lit string) string {
	var b strings.Builder
	for i := 1; i < len(lit)-1; i++ {
		switch c := lit[i]; {
		case c == '\\' && i+1 < len(lit)-1:
			i++
			b.WriteByte(escaped(lit[i]))
		case c == '\'':
			b.WriteByte(c)
			i++
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func escaped(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'b':
		return '\b'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'Z':
		return 26
	}
	return c
}
