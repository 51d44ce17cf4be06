package mysql

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// tryRows is how many rows one statement of a trial takes.
const tryRows = 200

// Try judges the rows by the columns' types as a strict session would, and has
// the server evaluate the checks over them, in a statement that only selects.
func (s *side) Try(ctx context.Context, table *schema.Table, columns []string, rows *engine.Tuples) ([]engine.Rejection, error) {
	if rows.Len() == 0 || len(columns) == 0 {
		return nil, nil
	}
	var out []engine.Rejection
	err := s.with(ctx, func(c *conn) error {
		facts, err := s.factsOf(ctx, c, table)
		if err != nil {
			return err
		}
		t := &trial{c: c, table: table, columns: columns, rows: rows, bad: make([]bool, rows.Len())}
		for _, name := range columns {
			column := table.Column(name)
			if column == nil || facts.columns[name] == nil {
				return &engine.Error{Code: engine.Changed, Doing: "try rows on " + table.Name.String(), Table: table.Name, Column: name, Say: "there is no such column"}
			}
			t.fields = append(t.fields, formColumn{Column: *column, facts: facts.columns[name], srid: sridOf(facts, name)})
		}
		out, err = t.run(ctx)
		return err
	})
	return out, err
}

// factsOf gives what is known of a table's columns, read once for all trials.
func (s *side) factsOf(ctx context.Context, c *conn, table *schema.Table) (*tableFacts, error) {
	if f := s.tried[table.Name]; f != nil {
		return f, nil
	}
	inv, err := inspect(ctx, c, []string{table.Name.Schema})
	if err != nil {
		return nil, err
	}
	if s.tried == nil {
		s.tried = map[schema.Name]*tableFacts{}
	}
	for n, f := range inv.tables {
		s.tried[n] = f
	}
	if f := s.tried[table.Name]; f != nil {
		return f, nil
	}
	return nil, &engine.Error{Code: engine.Changed, Doing: "try rows on " + table.Name.String(), Table: table.Name, Say: "there is no such table"}
}

// A trial is one Try under way.
type trial struct {
	c       *conn
	table   *schema.Table
	columns []string
	fields  []formColumn
	rows    *engine.Tuples
	bad     []bool // rows that a type refused; no check is asked about them
	out     []engine.Rejection
}

func (t *trial) run(ctx context.Context) ([]engine.Rejection, error) {
	for i := range t.fields {
		if err := t.column(ctx, i); err != nil {
			return nil, err
		}
	}
	for _, check := range t.table.Checks {
		if err := t.check(ctx, check); err != nil {
			return nil, err
		}
	}
	return t.out, t.partitions(ctx)
}

func (t *trial) reject(column, check, reason string, columns ...string) {
	for i := range t.out {
		if r := &t.out[i]; r.Column == column && r.Check == check && r.Reason == reason {
			r.Rows++
			return
		}
	}
	t.out = append(t.out, engine.Rejection{Column: column, Check: check, Reason: reason, Rows: 1, Columns: columns, Loses: lossy(reason)})
}

// column judges the values of one column.
func (t *trial) column(ctx context.Context, i int) error {
	f := &t.fields[i]
	var ask []int // rows whose value only the server can judge
	drawn := map[string]bool{}
	for row := range t.rows.Len() {
		value, ok := t.rows.At(row, i)
		reason := ""
		switch {
		case !ok && f.NotNull:
			reason = "null in a column that allows none"
		case ok:
			reason = f.refuses(value)
			if f.Kind == schema.Geo && !geometry(value) {
				good, known := drawn[string(value)]
				if !known {
					var err error
					if good, err = t.draws(ctx, f, value); err != nil {
						return err
					}
					drawn[string(value)] = good
				}
				if !good {
					reason = "not a geometry"
				}
			} else if reason == "" && f.asks(value) {
				ask = append(ask, row)
			}
		}
		if reason != "" {
			t.bad[row] = t.bad[row] || !lossy(reason)
			t.reject(f.Name, "", reason, f.Name)
		}
	}
	for start := 0; start < len(ask); start += tryRows {
		if err := t.ask(ctx, i, ask[start:min(start+tryRows, len(ask))]); err != nil {
			return err
		}
	}
	return nil
}

// draws asks the server whether a text is a geometry.
func (t *trial) draws(ctx context.Context, f *formColumn, text []byte) (bool, error) {
	is, err := t.c.value(ctx, "try rows on "+t.table.Name.String(), "SELECT "+f.drawn(text)+" IS NOT NULL")
	if err != nil && ctx.Err() == nil && !t.c.broken {
		return false, nil
	}
	return is == "1", err
}

// asks tells whether the server must say if a text's characters exist in the
// column's character set, and how many bytes they take there.
func (f *formColumn) asks(value []byte) bool {
	if repertoire(f.facts.charset) == "" {
		return false
	}
	for _, b := range value {
		if b >= 0x80 {
			return true
		}
	}
	return false
}

// repertoire is a character set that lacks characters; empty for the others.
func repertoire(charset string) string {
	switch charset {
	case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030":
		return ""
	case "utf8": // as MySQL before 8.0.28 calls it
		return "utf8mb3"
	}
	return charset
}

// ask has the server carry texts into the column's character set and back.
func (t *trial) ask(ctx context.Context, i int, rows []int) error {
	f := &t.fields[i]
	var texts []string
	for _, row := range rows {
		value, _ := t.rows.At(row, i)
		v := string(appendLiteral(nil, value))
		texts = append(texts, "(SELECT CONVERT(CONVERT("+v+" USING "+f.facts.charset+") USING utf8mb4) COLLATE utf8mb4_bin <> "+v+" AS lost)")
	}
	all, err := t.c.rows(ctx, "try rows on "+t.table.Name.String(), strings.Join(texts, " UNION ALL "))
	if err != nil {
		return err
	}
	for k, r := range all {
		if r[0] == "1" && k < len(rows) && !t.bad[rows[k]] {
			t.bad[rows[k]] = true
			t.reject(f.Name, "", "a character that the column's character set lacks", f.Name)
		}
	}
	return nil
}

// check evaluates a check whose columns are all there.
func (t *trial) check(ctx context.Context, check schema.Check) error {
	for _, name := range check.Columns {
		if t.place(name) < 0 {
			return nil
		}
	}
	var rows []int
	for row := range t.rows.Len() {
		if !t.bad[row] {
			rows = append(rows, row)
		}
	}
	for start := 0; start < len(rows); start += tryRows {
		if err := t.evaluate(ctx, check, rows[start:min(start+tryRows, len(rows))]); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) place(name string) int {
	for i, c := range t.columns {
		if c == name {
			return i
		}
	}
	return -1
}

func (t *trial) evaluate(ctx context.Context, check schema.Check, rows []int) error {
	number := "n"
	for slices.ContainsFunc(check.Columns, func(c string) bool { return strings.EqualFold(c, number) }) {
		number += "n"
	}
	// The columns' names stand in a list of their own: MySQL takes the space that a
	// name begins with away from an alias.
	var b strings.Builder
	b.WriteString("WITH " + quote(t.table.Name.Table) + " (" + quotes(append([]string{number}, check.Columns...)) + ") AS (")
	for k, row := range rows {
		if k > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT " + strconv.Itoa(row))
		for _, name := range check.Columns {
			i := t.place(name)
			value, ok := t.rows.At(row, i)
			b.WriteString(", ")
			if ok {
				b.WriteString(t.fields[i].typed(value))
			} else {
				b.WriteString("NULL")
			}
		}
	}
	b.WriteString(") SELECT " + quote(number) + " FROM " + quote(t.table.Name.Table) + " WHERE NOT (" + check.Expr + ")")
	found, err := t.c.rows(ctx, "try rows on "+t.table.Name.String(), b.String())
	switch {
	case engine.CodeOf(err) == engine.Constraint && len(rows) > 1: // the check itself fails on some value
		for _, row := range rows {
			if err := t.evaluate(ctx, check, []int{row}); err != nil {
				return err
			}
		}
		return nil
	case engine.CodeOf(err) == engine.Constraint:
		t.reject("", check.Name, "the check cannot be evaluated", check.Columns...)
		return nil
	case err != nil:
		return err
	}
	for range found {
		t.reject("", check.Name, "breaks the check", check.Columns...)
	}
	return nil
}

// typed writes a value as one of the column's type.
func (f *formColumn) typed(value []byte) string {
	text := string(appendLiteral(nil, value))
	switch {
	case f.integral() && string(value) == "true":
		return "1"
	case f.integral() && string(value) == "false":
		return "0"
	}
	if out := f.cast(text); out != text || !f.raw() {
		return out
	}
	return string(appendHex(nil, value))
}

// cast writes an expression as one of the column's type.
func (f *formColumn) cast(text string) string {
	if f.integral() {
		if f.facts.unsigned || f.facts.base == "bit" {
			return "CAST(" + text + " AS UNSIGNED)"
		}
		return "CAST(" + text + " AS SIGNED)"
	}
	switch f.facts.base {
	case "decimal":
		precision, scale := f.precision()
		return "CAST(" + text + " AS DECIMAL(" + strconv.Itoa(precision) + "," + strconv.Itoa(scale) + "))"
	case "float", "double":
		return "(" + text + " + 0e0)"
	case "date":
		return "CAST(" + text + " AS DATE)"
	case "datetime", "timestamp":
		return "CAST(" + text + " AS DATETIME(6))"
	case "time":
		return "CAST(" + text + " AS TIME(6))"
	case "json":
		return "CAST(" + text + " AS JSON)"
	case "uuid", "inet4", "inet6":
		return "CAST(" + text + " AS " + f.facts.base + ")"
	}
	if f.facts.charset != "" && f.facts.collation != "" && !f.raw() {
		return "CONVERT(" + text + " USING " + f.facts.charset + ") COLLATE " + f.facts.collation
	}
	return text
}

// integral tells types of whole numbers.
func (f *formColumn) integral() bool {
	return slices.Contains([]string{"tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit"}, f.facts.base)
}
