package sqlite

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	driver "modernc.org/sqlite"

	"understudy/internal/engine"
)

// Accept judges fragments: first by their tokens, then by SQLite itself, which
// compiles them in the read-only session under an authorizer that allows
// reading the fragment's table and calling functions, and nothing else.
func (s *source) Accept(ctx context.Context, fragments []engine.Fragment) []error {
	out := make([]error, len(fragments))
	err := s.with(ctx, func(ctx context.Context, c *conn) error {
		for i, f := range fragments {
			out[i] = accept(ctx, c, f)
		}
		return nil
	})
	if err != nil {
		for i := range out {
			out[i] = err
		}
	}
	return out
}

func refuse(f engine.Fragment, say, hint string) error {
	return &engine.Error{Code: engine.Denied, Doing: "accept a fragment for " + f.Table.Name.String(), Say: say, Hint: hint}
}

func accept(ctx context.Context, c *conn, f engine.Fragment) error {
	if err := judgeTokens(f); err != nil {
		return err
	}
	text := instant(f.Text, time.Unix(0, 0))
	table := "main." + quote(f.Table.Name.Table)
	trials := []string{"EXPLAIN SELECT 1 FROM " + table + " WHERE " + text, "EXPLAIN SELECT 1 FROM " + table + " WHERE true AND (" + text + ")"}
	if f.Order {
		trials = []string{"EXPLAIN SELECT 1 FROM " + table + " ORDER BY " + text, "EXPLAIN SELECT 1 FROM " + table + " WHERE true ORDER BY " + text + ", 1",
			"EXPLAIN SELECT row_number() OVER (ORDER BY " + text + ", 1) FROM " + table}
	}
	guard := &authorizer{table: f.Table.Name.Table, subqueries: f.Subqueries, order: f.Order}
	registry, ok := c.raw.(driver.AuthorizerRegisterer)
	if !ok {
		return refuse(f, "the driver cannot guard it", "")
	}
	if err := registry.RegisterAuthorizer(guard.judge); err != nil {
		return wrap(err, "guard a fragment")
	}
	defer registry.RegisterAuthorizer(nil)
	for _, sql := range trials {
		err := c.each(ctx, sql, nil, discard)
		if guard.refused != "" {
			return refuse(f, guard.refused, "")
		}
		if err != nil {
			var e *engine.Error
			if errors.As(err, &e) {
				e.Doing = "accept a fragment for " + f.Table.Name.String()
				if e.Code == engine.Syntax {
					e.Say, e.Hint = "the database does not understand it", "a column's name stands bare or in double quotes, a text in single quotes"
				}
			}
			return err
		}
	}
	return nil
}

// judgeTokens refuses what an expression does not need.
func judgeTokens(f engine.Fragment) error {
	all := tokens(f.Text)
	if len(all) == 0 {
		return refuse(f, "it is empty", "leave the line out")
	}
	depth := 0
	for i, t := range all {
		switch {
		case t.is("from") && i > 0 && all[i-1].is("distinct"): // IS DISTINCT FROM
		case t.kind == broken:
			return refuse(f, "a quote is not closed, or a character is not SQL's", "")
		case t.kind == comment:
			return refuse(f, "it holds a comment", "comments belong into the file, behind #")
		case t.kind == variable:
			return refuse(f, "it holds a parameter", "")
		case t.mark(";"):
			return refuse(f, "it holds a semicolon", "write one expression")
		case t.mark("("):
			depth++
		case t.mark(")"):
			if depth--; depth < 0 {
				return refuse(f, "a parenthesis closes that was not opened", "")
			}
		case t.kind == word && !f.Subqueries && slices.Contains([]string{"select", "with", "values", "exists"}, small(t.text)):
			return refuse(f, "it holds a subquery", "allow_subqueries: true allows them, at the cost of scans that nothing bounds")
		case t.kind == word && depth == 0 && slices.Contains(clauses(), small(t.text)):
			return refuse(f, "it holds the keyword "+strings.ToUpper(t.text), "write one expression")
		}
	}
	if depth != 0 {
		return refuse(f, "a parenthesis is not closed", "")
	}
	return nil
}

// clauses lists keywords that end a condition or a list to order by.
func clauses() []string {
	return []string{"union", "intersect", "except", "limit", "offset", "group", "having", "window", "over", "order", "returning", "from", "where", "join"}
}

// authorizer is asked by SQLite about each thing that a statement would do.
type authorizer struct {
	table      string
	subqueries bool
	order      bool
	refused    string
}

func (a *authorizer) judge(action driver.AuthorizerActionCode, first, second, _, _ string) driver.AuthorizerReturnCode {
	switch action {
	case driver.AuthSelect:
		return driver.AuthorizerOK
	case driver.AuthRead:
		if a.subqueries || sameName(first, a.table) {
			return driver.AuthorizerOK
		}
		a.refused = "it reads another table"
	case driver.AuthRecursive:
		if a.subqueries {
			return driver.AuthorizerOK
		}
		a.refused = "it holds a recursive subquery"
	case driver.AuthFunction:
		function := small(second)
		a.refused = forbidden(function)
		if a.refused == "" && a.order && aggregate(function) {
			a.refused = "it orders by " + function + ", which makes one row of all"
		}
		if a.refused == "" {
			return driver.AuthorizerOK
		}
	default:
		a.refused = "it would do more than read"
	}
	return driver.AuthorizerDeny
}

// forbidden says why a function may not be called: it has effects, or it gives
// another result each time, so that a second run would pull other rows.
func forbidden(function string) string {
	switch function {
	case "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zeroblob":
		return "it calls " + function + ", which does more than compute"
	case "random", "randomblob", "changes", "total_changes", "last_insert_rowid":
		return "it calls " + function + ", which answers differently each time"
	}
	return ""
}

func aggregate(function string) bool {
	switch function {
	case "count", "sum", "total", "avg", "group_concat", "string_agg", "json_group_array", "json_group_object", "jsonb_group_array", "jsonb_group_object":
		return true
	}
	return false
}

// dateFunctions are those that take a time, with the place of that argument.
func dateFunctions() map[string]int {
	return map[string]int{"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1, "timediff": 0}
}

// instant writes the run's instant where a fragment says now: 'now' as a time
// of a date function, a date function without arguments, now(), and the
// CURRENT_ keywords. So every statement of a run means the same moment.
func instant(text string, at time.Time) string {
	all := tokens(text)
	now := nowLiteral(at)
	var out strings.Builder
	var calls []call
	copied := 0
	put := func(from, to int, with string) {
		out.WriteString(text[copied:from])
		out.WriteString(with)
		copied = to
	}
	for i, t := range all {
		end := t.start + len(t.text)
		switch {
		case t.mark("("):
			calls = append(calls, callOf(all, i))
		case t.mark(")") && len(calls) > 0:
			c := calls[len(calls)-1]
			calls = calls[:len(calls)-1]
			switch {
			case c.function == "now" && all[i-1].mark("("):
				put(all[i-2].start, end, now)
			case c.function != "" && c.function != "now" && c.place == 0 && all[i-1].mark("("):
				put(t.start, t.start, now)
			case c.function == "strftime" && c.argument == 0: // a format alone means now
				put(t.start, t.start, ", "+now)
			}
		case t.mark(",") && len(calls) > 0:
			calls[len(calls)-1].argument++
		case t.kind == stringLit && sameName(t.text, "'now'") && len(calls) > 0 && calls[len(calls)-1].function != "":
			put(t.start, end, now)
		case t.is("current_timestamp"):
			put(t.start, end, literal(at.UTC().Format(time.DateTime)))
		case t.is("current_date"):
			put(t.start, end, literal(at.UTC().Format(time.DateOnly)))
		case t.is("current_time"):
			put(t.start, end, literal(at.UTC().Format(time.TimeOnly)))
		}
	}
	out.WriteString(text[copied:])
	return out.String()
}

// call is an open parenthesis: of a date function, or of anything else.
type call struct {
	function string
	place    int // of the time among the arguments
	argument int // the one that is being read
}

func callOf(all []token, open int) call {
	if open == 0 || all[open-1].kind != word {
		return call{}
	}
	name := small(all[open-1].text)
	if name == "now" {
		return call{function: name}
	}
	if place, ok := dateFunctions()[name]; ok {
		return call{function: name, place: place}
	}
	return call{}
}
