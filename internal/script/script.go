// Package script takes a file of SQL statements apart, so that each can be run
// and named alone. It knows how quotes and comments hide a semicolon, not what
// a statement means: the database decides that. Only statements about rows are
// let through; what could end a transaction or change the structure is not.
package script

import (
	"slices"
	"strings"
)

// A Dialect is how a database writes quotes and comments, beyond '...', "..."
// and --, which all have.
type Dialect struct {
	Dollar   bool // $tag$...$tag$
	Escapes  bool // E'...\'...'
	Nested   bool // /* /* */ */
	Brackets bool // [...]
	Ticks    bool // `...`
	// Backslash: one escapes the next character in '...' and "...".
	Backslash bool
	Hash      bool // # begins a comment
	// Modifiers: words such as IGNORE may stand between INSERT and INTO.
	Modifiers bool
}

// A Statement is one statement, without its semicolon.
type Statement struct {
	Text string
	Line int // in which it begins, from 1
}

// A Mistake is why a script is refused.
type Mistake struct {
	Line      int
	Say, Hint string
}

// Parse gives the statements of a script, or every mistake in it.
func Parse(text string, d Dialect) ([]Statement, []Mistake) {
	p := &parser{text: strings.TrimPrefix(text, "\ufeff"), dialect: d, line: 1}
	p.run()
	if len(p.mistakes) > 0 {
		return nil, p.mistakes
	}
	return p.statements, nil
}

type parser struct {
	text       string
	dialect    Dialect
	at, line   int
	start      int // of the statement that is being read; its line is from
	from       int
	begun      bool
	words      [2]string // the last two
	makes      bool      // a table
	statements []Statement
	mistakes   []Mistake
	outline    *[]Outlined // nil where statements are to be run
	heard      []string    // for it
}

// An Outlined is what a statement says outside quotes and comments.
type Outlined struct {
	Statement
	Words []string // in capitals
}

// Outline takes any statements apart, whatever they do. A body that is not quoted
// (BEGIN ATOMIC) counts as statements of its own.
func Outline(text string, d Dialect) ([]Outlined, []Mistake) {
	var out []Outlined
	p := &parser{text: strings.TrimPrefix(text, "\ufeff"), dialect: d, line: 1, outline: &out}
	p.run()
	return out, p.mistakes
}

func (p *parser) run() {
	for p.at < len(p.text) {
		rest := p.text[p.at:]
		switch c := rest[0]; {
		case c == ';':
			p.end()
			p.skip(1)
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			p.skip(1)
		case strings.HasPrefix(rest, "--"), c == '#' && p.dialect.Hash:
			p.skip(1 + strings.IndexByte(rest+"\n", '\n'))
		case strings.HasPrefix(rest, "/*"):
			p.comment()
		case c == '\\' && !p.begun:
			p.refuse(p.line, "it holds a command of psql's own", "write it in SQL")
			p.skip(1 + strings.IndexByte(rest+"\n", '\n'))
		default:
			p.begin()
			p.token(rest)
		}
	}
	p.end()
}

// skip goes on by n bytes and counts lines.
func (p *parser) skip(n int) {
	n = min(n, len(p.text)-p.at)
	p.line += strings.Count(p.text[p.at:p.at+n], "\n")
	p.at += n
}

func (p *parser) refuse(line int, say, hint string) {
	p.mistakes = append(p.mistakes, Mistake{line, say, hint})
}

func (p *parser) begin() {
	if !p.begun {
		p.begun, p.start, p.from = true, p.at, p.line
		p.words, p.makes, p.heard = [2]string{}, false, nil
	}
}

// end closes the statement that is being read, if one is.
func (p *parser) end() {
	if !p.begun {
		return
	}
	p.begun = false
	s := Statement{strings.TrimSpace(p.text[p.start:p.at]), p.from}
	if p.outline != nil {
		*p.outline = append(*p.outline, Outlined{s, p.heard})
		return
	}
	if say, hint := refusal(s.Text); say != "" {
		p.refuse(s.Line, say, hint)
		return
	}
	if p.makes {
		p.refuse(s.Line, "SELECT ... INTO makes a table", "fill one that a migration made: INSERT INTO ... SELECT")
		return
	}
	p.statements = append(p.statements, s)
}

func (p *parser) comment() {
	if rest := p.text[p.at:]; p.dialect.Hash && p.outline == nil && (strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!")) {
		p.refuse(p.line, "it has a comment that the server executes", "write what it says as plain SQL")
	}
	depth, i := 1, p.at+2
	for depth > 0 && i < len(p.text) {
		switch {
		case strings.HasPrefix(p.text[i:], "*/"):
			depth, i = depth-1, i+2
		case p.dialect.Nested && strings.HasPrefix(p.text[i:], "/*"):
			depth, i = depth+1, i+2
		default:
			i++
		}
	}
	if depth > 0 {
		p.refuse(p.line, "a comment is not closed", "close it with */")
	}
	p.skip(i - p.at)
}

// token goes over what begins at rest: a quoted text, a word, or one character.
func (p *parser) token(rest string) {
	c := rest[0]
	switch {
	case c == '\'':
		p.quoted(1, "'", p.dialect.Backslash)
	case c == '"':
		p.quoted(1, `"`, p.dialect.Backslash)
	case c == '`' && p.dialect.Ticks:
		p.quoted(1, "`", false)
	case c == '[' && p.dialect.Brackets:
		p.quoted(1, "]", false)
	case p.dialect.Escapes && len(rest) > 1 && (c == 'e' || c == 'E') && rest[1] == '\'':
		p.quoted(2, "'", true)
	case c == '$' && p.dialect.Dollar && dollarTag(rest) != "":
		tag := dollarTag(rest)
		end := strings.Index(rest[len(tag):], tag)
		if end < 0 {
			p.refuse(p.line, "a dollar quote is not closed", "close it with the tag it begins with")
			end = len(rest)
		}
		p.skip(end + 2*len(tag))
	case isWord(c):
		n := 1
		for n < len(rest) && (isWord(rest[n]) || rest[n] == '$') { // a $ inside a word begins no quote
			n++
		}
		p.word(strings.ToUpper(rest[:n]))
		p.skip(n)
	default:
		p.skip(1)
	}
}

// word takes note of a word outside quotes: INTO that belongs to no INSERT, MERGE or
// REPLACE makes a table.
func (p *parser) word(w string) {
	p.heard = append(p.heard, w)
	before, or := p.words[1], p.words[0] == "OR"
	into := before == "INSERT" || before == "MERGE" || before == "REPLACE" ||
		or && slices.Contains([]string{"IGNORE", "ABORT", "FAIL", "ROLLBACK"}, before) ||
		p.dialect.Modifiers && slices.Contains([]string{"IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"}, before)
	p.makes = p.makes || w == "INTO" && !into
	p.words = [2]string{before, w}
}

// quoted goes over a text that began with n bytes and ends with quote; the quote
// twice is one inside.
func (p *parser) quoted(n int, quote string, escapes bool) {
	line := p.line
	for i := p.at + n; i < len(p.text); i++ {
		switch {
		case escapes && p.text[i] == '\\':
			i++
		case p.text[i] == quote[0] && i+1 < len(p.text) && p.text[i+1] == quote[0] && quote != "]":
			i++
		case p.text[i] == quote[0]:
			p.skip(i + 1 - p.at)
			return
		}
	}
	p.refuse(line, "a quote is not closed", "close it; a quote inside a text is written twice")
	p.skip(len(p.text))
}

// dollarTag gives the tag with which s begins; empty if it is none.
func dollarTag(s string) string {
	end := strings.IndexByte(s[1:], '$')
	if end < 0 {
		return ""
	}
	tag := s[1 : 1+end]
	for i := range len(tag) {
		if !isWord(tag[i]) || i == 0 && tag[0] >= '0' && tag[0] <= '9' {
			return ""
		}
	}
	return s[:end+2]
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// refusal says why a statement is not let through; empty if it is.
func refusal(statement string) (say, hint string) {
	n := 0
	for n < len(statement) && isWord(statement[n]) {
		n++
	}
	word := strings.ToUpper(statement[:n])
	switch {
	case slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "SELECT", "VALUES", "WITH"}, word):
		return "", ""
	case slices.Contains([]string{"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE"}, word):
		return "it controls the transaction", "leave it out: the file runs as a whole or not at all"
	case strings.HasPrefix(statement, "("):
		return "it begins with a bracket", "begin it with SELECT"
	}
	return "it is not about rows", "only INSERT, UPDATE, DELETE, MERGE, SELECT and WITH may stand here; structure belongs into migrations"
}
