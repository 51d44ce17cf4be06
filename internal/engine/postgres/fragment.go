package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Accept judges fragments: first by their words, then by the server, which
// prepares each alone, bare and in parentheses, in the read-only session.
// Nothing is executed.
func (s *source) Accept(ctx context.Context, fragments []engine.Fragment) []error {
	out := make([]error, len(fragments))
	for i, f := range fragments {
		words, err := guard(f)
		if err == nil {
			err = s.with(ctx, func(c *conn) error { return c.acceptable(ctx, f, words) })
		}
		out[i] = err
	}
	return out
}

// refused makes the error for a fragment that is not let through.
func refused(why, hint string) error {
	return &engine.Error{Code: engine.Syntax, Doing: "accept the fragment", Say: why, Hint: hint}
}

// A word is an identifier of a fragment, as the server would read it.
type word struct {
	text   string // lower case unless quoted
	quoted bool
	called bool // "(" follows
	member bool // "." precedes
}

// guard reads a fragment as the server's scanner would and refuses whatever
// could end it, hide part of it, or reach beyond one expression. It gives the
// words that may be functions.
func guard(f engine.Fragment) ([]word, error) {
	text := f.Text
	switch {
	case strings.TrimSpace(text) == "":
		return nil, refused("it is empty", "")
	case len(text) > 10000:
		return nil, refused("it is longer than 10,000 bytes", "")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, refused("it is not valid UTF-8 text", "")
	}
	words, err := scan(text)
	if err != nil {
		return nil, err
	}
	for i, w := range words {
		if err := judge(f, words, i, w); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// scan splits a fragment into words; it refuses unbalanced brackets and quotes,
// comments, statement ends, dollar quotes and parameters.
func scan(text string) ([]word, error) {
	var words []word
	var open []byte
	member, afterText := false, false
	for i := 0; i < len(text); {
		c := text[i]
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case c == ';':
			return nil, refused("it holds a semicolon", "a fragment is one expression")
		case c == '-' && next == '-' || c == '/' && next == '*' || c == '*' && next == '/':
			return nil, refused("it holds a comment", "comments belong into the job file")
		case c == '$' || c == '\\' || c == '`':
			return nil, refused(fmt.Sprintf("it holds %q outside quotes", string(c)), "write strings in single quotes")
		case c == '(' || c == '[':
			open = append(open, c)
			i++
		case c == ')' || c == ']':
			if len(open) == 0 || open[len(open)-1] != map[byte]byte{')': '(', ']': '['}[c] {
				return nil, refused("its parentheses are not balanced", "a fragment is one expression")
			}
			open = open[:len(open)-1]
			i++
		case c == '\'' && afterText:
			// The server joins such texts into one and reads escapes by the first.
			return nil, refused("two quoted texts stand side by side", "join them with ||")
		case c == '\'':
			end, ok := quotedEnd(text, i)
			if !ok {
				return nil, refused("a quote is not closed", "")
			}
			i = end
		case c == '"':
			end, ok := quotedEnd(text, i)
			if !ok {
				return nil, refused("a quote is not closed", "")
			}
			words = append(words, word{text: strings.ReplaceAll(text[i+1:end-1], `""`, `"`), quoted: true, called: called(text, end), member: member})
			i = end
		case isWord(c) && (c < '0' || c > '9'):
			end := i
			for end < len(text) && isWord(text[end]) {
				end++
			}
			if (c == 'u' || c == 'U') && next == '&' && i+2 < len(text) && (text[i+2] == '"' || text[i+2] == '\'') {
				return nil, refused("it holds a quoted text with Unicode escapes (U&)", "write the characters themselves")
			}
			if strings.Contains(text[i:end], "$") {
				return nil, refused("it holds a dollar sign outside quotes", "quote the name")
			}
			words = append(words, word{text: strings.ToLower(text[i:end]), called: called(text, end), member: member})
			i = end
		case c >= '0' && c <= '9':
			for i < len(text) && (isWord(text[i]) || text[i] == '.') {
				i++
			}
			if i < len(text) && (text[i] == '\'' || text[i] == '"') {
				return nil, refused("a quote follows a number without a blank", "")
			}
		default:
			i++
		}
		if !isSpace(c) {
			afterText = c == '\''
		}
		if c == '.' {
			member = true
		} else if !isSpace(c) {
			member = false
		}
	}
	if len(open) > 0 {
		return nil, refused("its parentheses are not balanced", "a fragment is one expression")
	}
	return words, nil
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func called(text string, end int) bool {
	return strings.HasPrefix(strings.TrimLeft(text[end:], " \t\r\n\f\v"), "(")
}

// statements are words that begin or join statements and change something or
// run text as a statement; no expression needs them.
func statements() []string {
	return []string{"into", "insert", "update", "delete", "merge", "copy", "call", "do", "execute", "prepare", "returning", "truncate",
		"lock", "listen", "notify", "vacuum", "grant", "revoke", "commit", "rollback", "savepoint", "begin", "create", "drop", "alter"}
}

// queries are words that begin or join queries.
func queries() []string {
	return []string{"select", "with", "table", "values", "union", "intersect", "except", "from"}
}

// dangerous tells why a function must not be called. The server is asked as
// well (see acceptable): what it calls volatile is refused whatever its name.
func dangerous(name string) string {
	switch {
	case name == "pg_catalog" || name == "pg_typeof" || name == "pg_column_size" || name == "pg_trgm":
		return ""
	case strings.HasPrefix(name, "pg_"), strings.HasPrefix(name, "lo_"), strings.HasPrefix(name, "dblink"), strings.HasPrefix(name, "http_"),
		name == "loread", name == "lowrite", name == "set_config", name == "setseed", name == "ts_stat", name == "ts_rewrite",
		strings.HasPrefix(name, "query_to_xml"), strings.HasPrefix(name, "table_to_xml"), strings.HasPrefix(name, "cursor_to_xml"),
		strings.HasPrefix(name, "schema_to_xml"), strings.HasPrefix(name, "database_to_xml"):
		return "may reach beyond the row"
	case name == "nextval" || name == "setval" || name == "currval" || name == "lastval":
		return "reads or moves a sequence"
	case name == "random" || name == "random_normal" || name == "clock_timestamp" || name == "statement_timestamp" || name == "timeofday" ||
		name == "gen_random_uuid" || strings.HasPrefix(name, "uuid_generate_v") || strings.HasPrefix(name, "txid_"):
		return "gives something else at every call"
	}
	return ""
}

// judge refuses words by their meaning.
func judge(f engine.Fragment, words []word, i int, w word) error {
	if !w.quoted {
		if slices.Contains(statements(), w.text) && !w.member {
			return refused(fmt.Sprintf("it holds the word %s", w.text), "a fragment is one expression; if it is a column, put it in double quotes")
		}
		if slices.Contains(queries(), w.text) && !w.member && !f.Subqueries && !(w.text == "from" && insideCall(words, i)) {
			return refused(fmt.Sprintf("it holds the word %s, as a subquery would", w.text), "allow_subqueries: true in the job file allows subqueries")
		}
		if w.text == "for" && i+1 < len(words) && slices.Contains([]string{"update", "share", "no", "key"}, words[i+1].text) {
			return refused("it locks rows", "")
		}
		if w.text == "offset" || w.text == "limit" || w.text == "fetch" || w.text == "window" {
			if !f.Subqueries {
				return refused(fmt.Sprintf("it holds the word %s", w.text), "a fragment is one expression")
			}
		}
	}
	if why := dangerous(w.text); why != "" && (w.called || w.member) {
		return refused(fmt.Sprintf("the function %s %s", schema.Ident(w.text), why), "use now() for the run's instant, and columns of the row")
	}
	return nil
}

// insideCall tells whether a FROM belongs to extract, substring, trim,
// overlay, position or IS DISTINCT FROM.
func insideCall(words []word, i int) bool {
	for j := i - 1; j >= 0; j-- {
		switch words[j].text {
		case "extract", "substring", "trim", "overlay", "distinct":
			return true
		case "from":
			return false
		}
	}
	return false
}

// acceptable lets the server prepare a fragment, and asks it about the functions in it.
func (c *conn) acceptable(ctx context.Context, f engine.Fragment, words []word) error {
	if err := c.exec(ctx, "accept the fragment", "BEGIN READ ONLY; SELECT set_config('search_path', "+literal(c.path)+", true)"); err != nil {
		return err
	}
	defer c.rollback()
	if err := c.checkReadOnly(ctx); err != nil {
		return err
	}
	if err := c.steady(ctx, f, words); err != nil {
		return err
	}
	from := "SELECT 1 FROM " + quoteName(f.Table.Name)
	statements := []string{from + " WHERE " + f.Text, from + " WHERE (" + f.Text + ")"}
	if f.Order {
		statements = []string{from + " ORDER BY " + f.Text, from + " ORDER BY " + f.Text + ", 1",
			"SELECT row_number() OVER (ORDER BY " + f.Text + ", 1) FROM " + quoteName(f.Table.Name)}
	}
	for _, sql := range statements {
		if _, err := c.Prepare(ctx, "", sql, nil); err != nil {
			return wrap(ctx, err, "prepare the fragment for "+f.Table.Name.String())
		}
	}
	return nil
}

// steady refuses functions that the server calls volatile in any of their forms:
// they may write, or give something else at every call. A name after a dot is
// asked about too, because t.f means f(t) where t has no column f.
func (c *conn) steady(ctx context.Context, f engine.Fragment, words []word) error {
	var names []string
	for _, w := range words {
		if w.called || w.member && f.Table.Column(w.text) == nil {
			names = append(names, w.text)
		}
	}
	if err := c.steadyBeneath(ctx, f, words); err != nil || len(names) == 0 {
		return err
	}
	name, err := c.value(ctx, "ask about the fragment's functions",
		`SELECT min(proname::text) FROM pg_catalog.pg_proc WHERE proname = ANY ($1::text[]) AND provolatile = 'v' AND prokind IN ('f', 'p')`, names)
	if err != nil {
		return err
	}
	if name != "" {
		return refused(fmt.Sprintf("the function %s is volatile: it may write, or give something else at every call", schema.Ident(name)),
			"use a function that is declared STABLE or IMMUTABLE")
	}
	return nil
}

// steadyBeneath refuses the functions that run without being called: those behind
// operators, casts and the checks of domains. Which one of several the server takes is
// its own affair, so that one volatile among them is enough. What every fragment may use
// without a sign of its own (IN, BETWEEN, CASE, ORDER BY) are comparisons.
func (c *conn) steadyBeneath(ctx context.Context, f engine.Fragment, words []word) error {
	var named []string
	casts := strings.Contains(f.Text, "::")
	for _, w := range words {
		named = append(named, w.text)
		casts = casts || w.called && !w.quoted && w.text == "cast"
	}
	rows, err := c.query(ctx, "ask about the fragment's operators and casts", `
		WITH volatile AS (SELECT oid, proname FROM pg_catalog.pg_proc WHERE provolatile = 'v' AND oid >= 16384),
			held AS (SELECT atttypid AS typ FROM pg_catalog.pg_attribute WHERE attrelid = $3::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped)
		SELECT pg_catalog.format('the operator %s runs', o.oprname), v.proname FROM pg_catalog.pg_operator o JOIN volatile v ON v.oid = o.oprcode
			WHERE o.oprname = ANY ($1::text[]) OR o.oprname IN ('=', '<>', '<', '<=', '>', '>=', '~~', '!~~', '~~*', '!~~*') AND (o.oprleft IN (SELECT typ FROM held) OR o.oprright IN (SELECT typ FROM held))
		UNION ALL SELECT pg_catalog.format('the cast from %s to %s runs', k.castsource::pg_catalog.regtype, k.casttarget::pg_catalog.regtype), v.proname FROM pg_catalog.pg_cast k JOIN volatile v ON v.oid = k.castfunc
			WHERE k.castcontext = 'i' OR $4::boolean OR EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = k.casttarget AND t.typname = ANY ($2::text[]))
		UNION ALL SELECT pg_catalog.format('a check of the domain %s runs', t.typname), v.proname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_constraint n ON n.contypid = t.oid
			JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = n.oid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
			JOIN volatile v ON v.oid = d.refobjid WHERE t.typname = ANY ($2::text[])
		ORDER BY 1, 2 LIMIT 1`, symbols(f.Text), named, quoteName(f.Table.Name), casts)
	if err != nil || len(rows) == 0 {
		return err
	}
	return refused(fmt.Sprintf("%s the function %s, which is volatile: it may write, or give something else at every call", rows[0][0], schema.Ident(string(rows[0][1]))),
		"declare the function STABLE or IMMUTABLE, if it is, or do without it")
}

// symbols lists what of a fragment that scan let through may be operators: of a run of
// their characters each part, for where the server ends one depends on what they are.
func symbols(text string) []string {
	out := []string{}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			end, ok := quotedEnd(text, i)
			if !ok {
				return out
			}
			i = end
		case strings.IndexByte(operatorCharacters, c) >= 0:
			end := i
			for end < len(text) && strings.IndexByte(operatorCharacters, text[end]) >= 0 {
				end++
			}
			for from := i; from < end; from++ {
				for to := from + 1; to <= min(end, from+nameLength); to++ {
					out = append(out, text[from:to])
				}
			}
			i = end
		default:
			i++
		}
	}
	return out
}

// nameLength is the longest name a server keeps, in bytes (NAMEDATALEN).
const nameLength = 63

// operatorCharacters are those of which names of operators are made (PostgreSQL's manual, 4.1.3).
const operatorCharacters = "+-*/<>=~!@#%^&|`?"
