package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Bounds are what statements must stay within that are tried on a copy: a database
// beside the live one, on the same server, in a session that may reach both. What
// is not certain to stay within is refused.
type bounds struct {
	own  []string // names of the database that was copied, here and where it comes from
	next string   // the copy's name
	all  []string // every database of the server that the user sees
	mode string   // the sql_mode that a session has there
}

// A tried is one statement as it is run on a copy: whoever runs it is its definer,
// names of the database are the copy's, and an event that it makes does not run.
type tried struct {
	text string
	// rows: it reads or writes rows, or calls, so that triggers and routines run.
	rows bool
	// loose: it makes what could reach beyond the copy, once it runs.
	loose bool
	// sets: it changes the session, and is run again when a text goes on.
	sets bool
	// skip: it needs not be run.
	skip bool
	// kind and name are those of the object that it makes.
	kind, name string
	// event is the event that it is about, and enabled what is said of it: "yes",
	// "no", or nothing.
	event, enabled string
}

// take takes a text apart, or tells what in it must not be tried, and where.
func (b *bounds) take(text string) ([]tried, error) {
	if at := strings.IndexFunc(text, func(r rune) bool { return r == 0 || r == utf8.RuneError }); at >= 0 {
		return nil, untried(1+strings.Count(text[:at], "\n"), "it is no text in UTF-8", "")
	}
	all, at := unfold(tokens(text))
	line := func(t token) int { return 1 + strings.Count(text[:t.start], "\n") }
	if at != nil {
		return nil, untried(line(*at), "a comment that the server executes cannot be told apart", "write what it says as plain SQL")
	}
	bent := bends(b.mode)
	for i, t := range all {
		if t.kind == broken {
			return nil, untried(line(t), "a quote or a comment is not closed, or a character is not SQL's", "")
		}
		if strings.EqualFold(strings.Trim(t.text, "@`\""), "sql_mode") {
			known := i+2 < len(all) && all[i+1].mark("=") && (all[i+2].kind == stringLit && !bends(all[i+2].text) || all[i+2].is("DEFAULT"))
			bent = bent || !known || i+3 < len(all) && !all[i+3].mark(",") && !all[i+3].mark(";")
		}
	}
	var out []tried
	for from := 0; len(all) > 0; {
		n, ok := statementEnd(all)
		if !ok {
			return nil, untried(line(all[0]), "where the statement ends cannot be told", "write each BEGIN, CASE, IF and loop with its END")
		}
		to := len(text)
		if n < len(all) {
			to = all[n].start
		}
		if one := all[:n]; n > 0 {
			for _, t := range one {
				if bent && (t.kind == stringLit || t.kind == quoted && t.text[0] == '"') && strings.Contains(t.text, `\`) {
					return nil, untried(line(t), "where a text with a backslash ends depends on sql_mode", "write the text without one")
				}
			}
			s, edits, say, hint := b.one(one)
			if say != "" {
				return nil, untried(line(one[0]), say, hint)
			}
			if !s.skip {
				s.text = rewrite(text, from, to, edits)
				out = append(out, s)
			}
		}
		from, all = min(to+1, len(text)), all[min(n+1, len(all)):]
	}
	return out, nil
}

// untried is the error for a text that is not tried.
func untried(line int, say, hint string) error {
	return &engine.Error{Code: engine.Syntax, Doing: fmt.Sprintf("try the statement in line %d", line), Say: say, Hint: hint}
}

// bends tells whether under a sql_mode texts end elsewhere than tokens has it.
func bends(mode string) bool {
	mode = strings.ToUpper(mode)
	if strings.Contains(mode, `\`) {
		return true
	}
	return strings.Contains(mode, "NO_BACKSLASH_ESCAPES") || strings.Contains(mode, "ANSI") // ANSI_QUOTES, and ANSI, which has them
}

// unfold takes comments away and puts what an executable one says in its place,
// whatever its version says: a server that passes over it runs less. It gives the
// comment whose end would not be the same for both.
func unfold(all []token) (out []token, unclear *token) {
	for i, t := range all {
		if t.kind != comment {
			out = append(out, t)
			continue
		}
		inside, ok := strings.CutPrefix(t.text, "/*M!")
		if !ok {
			if inside, ok = strings.CutPrefix(t.text, "/*!"); !ok {
				continue
			}
		}
		rest := strings.TrimSuffix(strings.TrimLeft(inside, "0123456789"), "*/")
		if rest == "" || strings.IndexByte(" \t\r\n", rest[0]) < 0 {
			return nil, &all[i]
		}
		from := t.start + len(t.text) - len("*/") - len(rest)
		for _, u := range tokens(rest) {
			if u.kind == comment || u.kind == broken {
				return nil, &all[i]
			}
			u.start += from
			out = append(out, u)
		}
	}
	return out, nil
}

// statementEnd gives the place of the semicolon that ends the first statement, or
// of the end. One inside the body of a routine, trigger or event ends none.
func statementEnd(all []token) (n int, ok bool) {
	depth, body := 0, false
	for i := 0; i < len(all); i++ {
		t := all[i]
		if t.mark(";") && depth == 0 {
			return i, true
		}
		if !body {
			body = t.kind == word && (all[0].is("CREATE") || all[0].is("ALTER")) && oneOf(t, "FUNCTION PROCEDURE TRIGGER EVENT") &&
				!slices.ContainsFunc(all[:i], func(t token) bool { return oneOf(t, "TABLE VIEW INDEX SEQUENCE DATABASE SCHEMA") })
			continue
		}
		before := all[i-1]
		begins := before.mark(";") || before.mark(":") || before.mark(")") || before.kind == stringLit || oneOf(before, "THEN ELSE DO BEGIN LOOP REPEAT ROW DETERMINISTIC SQL DATA DEFINER INVOKER")
		switch {
		case t.is("END"):
			if depth--; depth < 0 {
				return 0, false
			}
			if i+1 < len(all) && oneOf(all[i+1], "IF CASE LOOP WHILE REPEAT FOR") {
				i++
			}
		case oneOf(t, "BEGIN CASE LOOP WHILE"), oneOf(t, "IF REPEAT") && begins && !computes(all[i:]), t.is("FOR") && begins && !before.mark(")"):
			depth++
		}
	}
	return len(all), depth == 0
}

// computes tells whether IF or REPEAT is the function, not the statement.
func computes(all []token) bool {
	if len(all) < 2 || !all[1].mark("(") {
		return false
	}
	return all[0].is("REPEAT") || len(parts(all[2:1+matching(all[1:], 0)])) == 3
}

// oneOf tells whether a token is one of the words.
func oneOf(t token, words string) bool {
	return t.kind == word && slices.Contains(strings.Fields(words), strings.ToUpper(t.text))
}

// one judges a statement of a text, and tells how it is to be written.
func (b *bounds) one(all []token) (s tried, edits []edit, say, hint string) {
	h := readHead(all)
	edits, say, hint = b.judge(all, h, &s)
	if say != "" || s.skip {
		return s, nil, say, hint
	}
	named, outside, say := b.names(all, h.verb == "CREATE" && h.object == "TRIGGER")
	if say == "" && outside != "" {
		say = outside + " names a database, or a table that the statement does not open"
	}
	if say != "" {
		return s, nil, say, "write the table alone, and before a column the table or its alias; names in backticks, and a number with its zero (0.5): it is tried on a copy, in a database of its own"
	}
	return s, append(edits, named...), "", ""
}

// names finds names of the copied database before a dot and has them name the
// copy. Outside is the first name that may be that of another database; what may be
// either the database or a table called as it is said.
func (b *bounds) names(all []token, trigger bool) (edits []edit, outside, say string) {
	for i, t := range all {
		if joined(all, i) {
			return nil, "", "a name that begins with a digit stands beside a dot"
		}
		name, ok := t.name()
		if !ok || i+1 >= len(all) || !all[i+1].mark(".") || i > 0 && all[i-1].mark(".") {
			continue
		}
		row := trigger && (strings.EqualFold(name, "NEW") || strings.EqualFold(name, "OLD"))
		switch {
		case slices.Contains(b.own, name) && stands(all, name):
			return nil, "", schema.Ident(name) + " may be the database or what is called as it is"
		case slices.Contains(b.own, name):
			edits = append(edits, edit{t.start, t.end(), b.copyName(t)})
		case b.isDatabase(name) || !row && !stands(all, name) && !b.opens(all, name):
			if outside == "" {
				outside = schema.Ident(name)
			}
		}
	}
	return edits, outside, ""
}

// opens tells whether a name stands behind that of the copied database.
func (b *bounds) opens(all []token, name string) bool {
	for i := 2; i < len(all); i++ {
		database, _ := all[i-2].name()
		n, ok := all[i].name()
		if ok && strings.EqualFold(n, name) && all[i-1].mark(".") && slices.Contains(b.own, database) && (i == 2 || !all[i-3].mark(".")) {
			return true
		}
	}
	return false
}

func (b *bounds) isDatabase(name string) bool {
	return serverDatabase(name) || slices.ContainsFunc(append(slices.Clone(b.all), b.own...), func(d string) bool { return strings.EqualFold(d, name) })
}

// copyName writes the copy's name as the token wrote its own.
func (b *bounds) copyName(t token) string {
	if t.kind == word && !strings.ContainsFunc(b.next, func(r rune) bool { return r >= 0x80 || !wordByte(byte(r)) }) {
		return b.next
	}
	return quote(b.next)
}

// An edit puts a text in the place of another.
type edit struct {
	from, to int
	text     string
}

// rewrite gives a part of the text with the edits made, of those that overlap the first.
func rewrite(text string, from, to int, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var b strings.Builder
	for _, e := range edits {
		if e.from < from {
			continue
		}
		b.WriteString(text[from:e.from] + e.text)
		from = e.to
	}
	return strings.TrimSpace(b.String() + text[from:to])
}

// Admit tells which texts must not be tried on a copy.
func (t *target) Admit(ctx context.Context, texts, schemas []string) (refused []error, err error) {
	if len(t.databases) != 1 {
		return nil, &engine.Error{Code: engine.Unsupported, Doing: "look at the statements", Say: "statements are not tried on copies of several databases yet",
			Hint: "leave out --prove and parity.migrations, or name one database"}
	}
	refused = make([]error, len(texts))
	err = t.with(ctx, func(c *conn) error {
		may, err := readPrivileges(ctx, c)
		if err != nil {
			return err
		}
		if missing := may.missing(t.databases[0]); len(missing) > 0 {
			return &engine.Error{Code: engine.Denied, Doing: "make a copy beside the target", Say: missing[0]}
		}
		b, err := readBounds(ctx, c, t.databases[0], beside(t.databases[0], "next", "x"))
		if err != nil {
			return err
		}
		b.own = append(b.own, schemas...)
		for i, text := range texts {
			_, refused[i] = b.take(text)
		}
		return nil
	})
	return refused, err
}

// readBounds asks the server what there is beside a copy.
func readBounds(ctx context.Context, c *conn, own, next string) (*bounds, error) {
	b := &bounds{own: []string{own}, next: next}
	rows, err := c.rows(ctx, "list the databases", "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		b.all = append(b.all, r[0])
	}
	b.mode, err = c.value(ctx, "ask for the server's sql_mode", "SELECT @@GLOBAL.sql_mode")
	return b, err
}
