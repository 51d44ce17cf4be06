package sqlite

import "strings"

// A token is a piece of SQL, as SQLite's own tokenizer cuts it
// (https://www.sqlite.org/draft/tokenreq.html). White space is left out.
type token struct {
	kind  kind
	text  string // as written
	start int    // place in the SQL
}

type kind byte

const (
	word      kind = iota // keyword or bare identifier
	quotedID              // "x", `x` or [x]
	stringLit             // 'x'
	blobLit               // x'00'
	number
	punct    // one character
	comment  // -- or /* */
	variable // ?1 :a @a $a
	broken   // an unclosed quote or comment, a character that SQL does not have
)

// tokens cuts SQL. It never fails: what it does not understand is a broken token.
func tokens(sql string) []token {
	var out []token
	for i := 0; i < len(sql); {
		if isSpace(sql[i]) {
			i++
			continue
		}
		k, n := next(sql[i:])
		out = append(out, token{kind: k, text: sql[i : i+n], start: i})
		i += n
	}
	return out
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\f' }

func isWord(b byte) bool {
	return b == '_' || b == '$' || b >= 0x80 || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9'
}

// next gives the kind and the length of the first token.
func next(s string) (kind, int) {
	switch b := s[0]; {
	case b == '\'':
		return closed(s, '\'', stringLit)
	case b == '"' || b == '`':
		return closed(s, b, quotedID)
	case b == '[':
		if i := strings.IndexByte(s, ']'); i > 0 {
			return quotedID, i + 1
		}
		return broken, len(s)
	case strings.HasPrefix(s, "--"):
		if i := strings.IndexByte(s, '\n'); i > 0 {
			return comment, i + 1
		}
		return comment, len(s)
	case strings.HasPrefix(s, "/*"):
		if i := strings.Index(s[2:], "*/"); i >= 0 {
			return comment, i + 4
		}
		return broken, len(s)
	case (b == 'x' || b == 'X') && len(s) > 1 && s[1] == '\'':
		k, n := closed(s[1:], '\'', blobLit)
		return k, n + 1
	case b >= '0' && b <= '9' || b == '.' && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
		return number, numberLength(s)
	case b == '?' || b == ':' || b == '@' || b == '$' || b == '#':
		return variable, 1 + wordLength(s[1:])
	case isWord(b):
		return word, wordLength(s)
	case strings.IndexByte("()+-*/%,.;<>=!&|~", b) >= 0:
		return punct, 1
	}
	return broken, 1
}

func closed(s string, quote byte, k kind) (kind, int) {
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			i++
			continue
		}
		return k, i + 1
	}
	return broken, len(s)
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

func numberLength(s string) int {
	n := 0
	for n < len(s) && (isWord(s[n]) || s[n] == '.' || (s[n] == '+' || s[n] == '-') && n > 0 && (s[n-1] == 'e' || s[n-1] == 'E') && !strings.HasPrefix(s, "0x")) {
		n++
	}
	return n
}

// is tells whether the token is a keyword, without regard to case.
func (t token) is(keyword string) bool { return t.kind == word && sameName(t.text, keyword) }

// mark tells whether the token is a punctuation mark.
func (t token) mark(m string) bool { return t.kind == punct && t.text == m }

// name gives the identifier that the token writes; ok is false if it writes none.
func (t token) name() (string, bool) {
	switch t.kind {
	case word:
		return t.text, true
	case stringLit: // SQLite takes a string for a name where only a name can stand
		return strings.ReplaceAll(t.text[1:len(t.text)-1], "''", "'"), true
	case quotedID:
		q := t.text[:1]
		if q == "[" {
			return t.text[1 : len(t.text)-1], true
		}
		return strings.ReplaceAll(t.text[1:len(t.text)-1], q+q, q), true
	}
	return "", false
}
