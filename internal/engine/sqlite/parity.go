package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// tableStructure reads tables and what belongs to them. Atlas is not asked: it compares
// types by affinity and sees no collation, and what closes a difference is SQLite's own
// words, or the table made anew (see remake).
func tableStructure(ctx context.Context, c *conn) (*catalog.Structure, error) {
	r := &factReader{ctx: ctx, c: c}
	err := r.all()
	return &catalog.Structure{
		LooseTypes: true, // https://www.sqlite.org/datatype3.html; STRICT tables, which refuse, are told by their options
		FoldNames:  true,
		Dialect:    catalog.Dialect{Remake: remake, Client: byLine, ByText: []string{"virtual table"}, Rechecks: true, Preamble: "-- By sqlite3, which goes on behind a statement that failed unless it is told:\n.bail on\n"},
		Facts:      r.facts,
		Kinds:      []string{"table", "column", "primary key", "unique", "foreign key", "check", "index"},
	}, err
}

// A factReader collects the facts about tables, from the text of CREATE
// statements: the pragmas tell neither collations nor checks nor names.
type factReader struct {
	ctx   context.Context
	c     *conn
	facts []catalog.Fact
}

func (r *factReader) all() error {
	kinds, err := tableKinds(r.ctx, r.c)
	if err != nil {
		return err
	}
	return r.c.each(r.ctx, `SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY type, name`, nil, func(row []driver.Value) error {
		kind, name, table, text := str(row[0]), str(row[1]), str(row[2]), words(str(row[3]))
		on := schema.Name{Schema: mainSchema, Table: table}.String()
		switch {
		case isOwn(table) || kinds[table] != "table": // a virtual table's text is the catalog's
		case kind == "index":
			r.facts = append(r.facts, catalog.Fact{Kind: "index", Object: on + "." + schema.Ident(name), Table: on, Definition: indexText(text),
				Create: str(row[3]), Drop: "DROP INDEX " + quote(name)})
		default:
			d := &declaration{name: table, table: on}
			d.read(text)
			d.facts[len(d.facts)-1].Create = str(row[3])
			d.facts[len(d.facts)-1].Drop = "DROP TABLE " + quote(table)
			r.facts = append(r.facts, d.facts...)
		}
		return nil
	})
}

// byLine writes statements so that the sqlite3 client, which reads a file line by line,
// hands them on as they are: of a line break it keeps no carriage return, unless there are
// two, and a line of / or GO alone ends a statement for it.
func byLine(sql string) string {
	var b strings.Builder
	end := 0
	for _, t := range tokens(sql) {
		before, behind := sql[:t.start], sql[t.start+len(t.text):]
		b.WriteString(sql[end:t.start])
		if t.mark("/") || t.is("go") {
			begins := strings.TrimRight(before, " \t\r\f")
			rest, _, _ := strings.Cut(behind, "\n")
			if rest = strings.TrimSpace(rest); strings.HasSuffix(begins, "\n") && (rest == "" || strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*")) {
				b.WriteString("/**/ ")
			}
		}
		if end = t.start + len(t.text); t.kind == comment {
			b.WriteString(t.text)
		} else {
			b.WriteString(strings.ReplaceAll(t.text, "\r\n", "\r\r\n"))
		}
	}
	return b.String() + sql[end:]
}

// words cuts SQL into tokens without comments.
func words(sql string) []token {
	return slices.DeleteFunc(tokens(sql), func(t token) bool { return t.kind == comment })
}

// plain writes tokens so that two spellings of the same SQL are equal: no
// comments, one space, names and keywords in lower case, quotes only where needed.
func plain(list []token) string {
	return joined(list, func(t token) string {
		name, ok := t.name()
		switch {
		case !ok || t.kind == stringLit:
			return t.text
		case t.kind == word:
			return small(name)
		}
		return schema.Ident(small(name))
	})
}

// spelled writes tokens as they were written, without comments and line breaks.
func spelled(list []token) string { return joined(list, func(t token) string { return t.text }) }

func joined(list []token, text func(token) string) string {
	var b strings.Builder
	for i, t := range list {
		if i > 0 && spaced(list[i-1], t) {
			b.WriteByte(' ')
		}
		b.WriteString(text(t))
	}
	return b.String()
}

// spaced tells whether a space stands between two tokens. Marks that were written
// together are one operator: >=, ||.
func spaced(before, t token) bool {
	switch {
	case t.mark(")"), t.mark(","), t.mark("."), before.mark("("), before.mark("."):
		return false
	}
	return !operator(before) || !operator(t) || t.start != before.start+len(before.text)
}

func operator(t token) bool { return t.kind == punct && strings.Contains("<>=!|&-", t.text) }

// indexText leaves the index's name out.
func indexText(list []token) string {
	index := slices.IndexFunc(list, func(t token) bool { return t.is("index") })
	on := slices.IndexFunc(list, func(t token) bool { return t.is("on") })
	if index < 0 || on < index {
		return plain(list)
	}
	list = slices.Concat(list[:index+1], within(list[on:], ascending))
	if where := slices.IndexFunc(list, func(t token) bool { return t.is("where") }); where > 0 {
		list = slices.Concat(list[:where+1], unwrapped(list[where+1:]))
	}
	return plain(list)
}

// unwrapped takes away the parentheses around all of an expression, which change nothing.
func unwrapped(list []token) []token {
	for len(list) > 2 && list[0].mark("(") && matching(list, 0) == len(list)-1 {
		list = list[1 : len(list)-1]
	}
	return list
}

// within writes what stands in the first parentheses otherwise.
func within(list []token, write func([]token) []token) []token {
	open := slices.IndexFunc(list, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return list
	}
	end := matching(list, open)
	return slices.Concat(list[:open+1], write(list[open+1:end]), list[end:])
}

// ascending leaves out of the columns of a key or an index the order that they have
// without a word.
func ascending(list []token) (out []token) {
	for i, item := range items(list) {
		if i > 0 {
			out = append(out, token{kind: punct, text: ","})
		}
		if n := len(item) - 1; n > 0 && item[n].is("asc") {
			item = item[:n]
		}
		out = append(out, unwrapped(item)...)
	}
	return out
}

// A declaration reads one CREATE TABLE statement, which SQLite has accepted
// before. Constraints of a column and of the table give the same facts.
type declaration struct {
	name  string // as SQLite knows the table
	table string // as facts write it
	facts []catalog.Fact
	order []string
}

// read adds the facts of what belongs to the table, and then the table's own.
func (d *declaration) read(list []token) {
	f := catalog.Fact{Kind: "table", Object: d.table, Table: d.table}
	defer func() { d.facts = append(d.facts, f) }()
	open := slices.IndexFunc(list, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return
	}
	end := matching(list, open)
	for _, item := range items(list[open+1 : end+1]) {
		if len(item) == 0 {
			continue
		}
		if constraintWord(item[0]) {
			d.constraints("", item)
		} else {
			d.column(item)
		}
	}
	f.Parts = append(f.Parts, catalog.Part{Name: catalog.ColumnOrder, Text: strings.Join(d.order, "\n")})
	var options []string
	for _, o := range strings.Split(plain(list[end+1:]), ",") {
		if o = strings.TrimSpace(o); o != "" {
			options = append(options, o)
		}
	}
	slices.Sort(options)
	f.Parts = append(f.Parts, catalog.Part{Name: "options", Text: strings.Join(options, ", ")})
}

// constraintWord tells whether a token begins a constraint rather than a
// column. A quoted name never does.
func constraintWord(t token) bool {
	return t.is("constraint") || t.is("primary") || t.is("unique") || t.is("check") || t.is("foreign")
}

// clauseWord tells whether a token begins a clause of a column definition.
func clauseWord(t token) bool {
	for _, w := range []string{"constraint", "primary", "unique", "check", "not", "null", "default", "collate", "references", "generated", "as"} {
		if t.is(w) {
			return true
		}
	}
	return false
}

func (d *declaration) column(item []token) {
	name, _ := item[0].name()
	n := 1
	for n < len(item) && !clauseWord(item[n]) {
		if item[n].mark("(") {
			n = matching(item, n)
		}
		n++
	}
	f := catalog.Fact{Kind: "column", Object: d.table + "." + schema.Ident(name), Table: d.table}
	f.Parts = append(f.Parts, catalog.Part{Name: "type", Text: plain(item[1:n])})
	f.Sort = strconv.Itoa(int(affinityOf(plain(item[1:n]))))
	f.Drop = "ALTER TABLE " + quote(d.name) + " DROP COLUMN " + quote(name)
	if addable(item[n:]) {
		f.Create = "ALTER TABLE " + quote(d.name) + " ADD COLUMN " + spelled(item)
	}
	d.order = append(d.order, schema.Ident(name))
	f.Parts = append(f.Parts, d.constraints(name, item[n:])...)
	d.facts = append(d.facts, f)
}

// addable tells whether ALTER TABLE ADD COLUMN takes a column with these clauses
// (https://www.sqlite.org/lang_altertable.html).
func addable(clauses []token) bool {
	has := func(w string) bool { return slices.ContainsFunc(clauses, func(t token) bool { return t.is(w) }) }
	return !has("primary") && !has("unique") && !has("stored") && (!has("not") || has("default"))
}

// constraints reads clauses one after the other. What is an object of its own
// becomes a fact; the rest are parts of the column.
func (d *declaration) constraints(column string, item []token) (parts []catalog.Part) {
	name := ""
	for len(item) > 0 {
		n := clauseLength(item)
		clause := item[:n]
		item = item[n:]
		if clause[0].is("constraint") {
			if len(clause) > 1 {
				name, _ = clause[1].name()
			}
			continue
		}
		switch word := small(clause[0].text); word {
		case "primary":
			f := catalog.Fact{Kind: "primary key", Object: d.table, Table: d.table}
			f.Parts = []catalog.Part{{Name: "name", Text: small(name)}}
			f.Definition = keyText("primary key", column, clause[min(2, len(clause)):])
			d.facts = append(d.facts, f)
		case "unique":
			d.object("unique", name, keyText("unique", column, clause[1:]), keyNames(column, clause[1:]))
		case "check":
			var of []string // a check that stands with a column is named by it
			if column != "" {
				of = []string{column}
			}
			d.object("check", name, plain(within(clause, unwrapped)), of)
		case "foreign":
			d.object("foreign key", name, plain(clause), keyNames("", clause))
		case "references":
			d.object("foreign key", name, "foreign key ("+schema.Ident(small(column))+") "+plain(clause), []string{column})
		case "default", "collate":
			if word == "default" && len(clause) == 2 && clause[1].is("null") { // the same as none
				break
			}
			parts = append(parts, catalog.Part{Name: word, Text: plain(unwrapped(clause[1:]))})
		case "null": // the same as nothing
		case "not":
			parts = append(parts, catalog.Part{Name: "null", Text: plain(clause)})
		case "generated", "as":
			at := slices.IndexFunc(clause, func(t token) bool { return t.is("as") })
			parts = append(parts, catalog.Part{Name: "generated", Text: plain(within(clause[max(at, 0):], unwrapped))})
		default:
			parts = append(parts, catalog.Part{Name: "clause", Text: plain(clause)})
		}
		name = ""
	}
	return parts
}

// clauseLength is where the next clause begins. ON DELETE SET NULL, NOT
// DEFERRABLE and GENERATED ALWAYS AS contain words that begin clauses elsewhere.
func clauseLength(item []token) int {
	n := 1
	first := item[0]
	if first.is("constraint") {
		return min(2, len(item))
	}
	for n < len(item) {
		t := item[n]
		switch {
		case t.mark("("):
			n = matching(item, n)
		case !clauseWord(t):
		case first.is("not") && n == 1, first.is("default") && n == 1: // NOT NULL, DEFAULT NULL
		case first.is("generated") && t.is("as"), first.is("foreign") && t.is("references"):
		case item[n-1].is("set") && (t.is("null") || t.is("default")):
		case t.is("not") && n+1 < len(item) && item[n+1].is("deferrable"):
		default:
			return n
		}
		n++
	}
	return n
}

// keyText writes a key of a column as one of the table would be written.
func keyText(kind, column string, rest []token) string {
	if column == "" {
		return kind + " " + plain(within(rest, ascending))
	}
	if len(rest) > 0 && rest[0].is("asc") {
		rest = rest[1:]
	}
	return strings.TrimSpace(kind + " (" + schema.Ident(small(column)) + ") " + plain(rest))
}

// keyNames gives the columns of the first parenthesis, or the column itself.
func keyNames(column string, clause []token) (out []string) {
	open := slices.IndexFunc(clause, func(t token) bool { return t.mark("(") })
	if column != "" || open < 0 {
		return []string{column}
	}
	for _, item := range items(clause[open+1 : matching(clause, open)+1]) {
		if len(item) > 0 {
			name, _ := item[0].name()
			out = append(out, name)
		}
	}
	return out
}

// object adds the fact of a constraint, named by its columns or its text if it has no name.
func (d *declaration) object(kind, name, definition string, columns []string) {
	f := catalog.Fact{Kind: kind, Table: d.table, Definition: definition, Unnamed: name == ""}
	switch {
	case name == "" && columns != nil:
		name = catalog.ByColumns(kind, columns)
	case name == "":
		name = definition
	}
	f.Object = d.table + "." + schema.Ident(name)
	d.facts = append(d.facts, f)
}
