package sqlite

import (
	"fmt"
	"slices"
	"strings"
)

// tableText is what only the text of CREATE TABLE tells: the pragmas do not
// give collations, checks and names of foreign keys.
type tableText struct {
	collations    map[string]string // by column, lower-cased; upper-case names
	checks        []checkText
	foreignKeys   []string // names in the order of the text; "" for none
	autoincrement bool
}

// collation gives a column's.
func (x *tableText) collation(column string) string {
	if c := x.collations[small(column)]; c != "" {
		return c
	}
	return "BINARY"
}

type checkText struct {
	name string
	expr string
	// reads are the identifiers in expr, lower-cased.
	reads []string
}

// parseTable reads the text of a CREATE TABLE statement, which SQLite has
// accepted before: what is not looked for is passed over.
func parseTable(table, sql string) tableText {
	out := tableText{collations: map[string]string{}}
	all := slices.DeleteFunc(tokens(sql), func(t token) bool { return t.kind == comment })
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return out
	}
	for _, item := range items(all[open+1:]) {
		out.item(table, sql, item)
	}
	out.nameChecks()
	return out
}

// items splits the tokens after an opening parenthesis at commas, up to its end.
func items(all []token) [][]token {
	var out [][]token
	depth, start := 0, 0
	for i, t := range all {
		switch {
		case t.mark("("):
			depth++
		case t.mark(")") && depth == 0:
			return append(out, all[start:i])
		case t.mark(")"):
			depth--
		case t.mark(",") && depth == 0:
			out = append(out, all[start:i])
			start = i + 1
		}
	}
	return append(out, all[start:])
}

// item reads one column definition or table constraint.
func (x *tableText) item(table, sql string, item []token) {
	if len(item) == 0 {
		return
	}
	column := ""
	if t := item[0]; !(t.is("constraint") || t.is("primary") || t.is("unique") || t.is("check") || t.is("foreign")) {
		column, _ = t.name()
		item = item[1:]
	}
	pending, foreign := "", false
	for i := 0; i < len(item); i++ {
		t := item[i]
		following := func() token {
			if i+1 < len(item) {
				return item[i+1]
			}
			return token{kind: broken}
		}
		switch {
		case t.mark("("):
			i = matching(item, i)
		case t.is("constraint"):
			pending, _ = following().name()
			i++
		case t.is("collate") && column != "":
			name, _ := following().name()
			x.collations[small(column)] = capitals(name)
			i++
		case t.is("autoincrement"):
			x.autoincrement = true
		case t.is("check") && following().mark("("):
			end := matching(item, i+1)
			x.check(table, column, pending, sql, item, i+1, end)
			i, pending = end, ""
		case t.is("foreign"):
			foreign = true
			x.foreignKeys = append(x.foreignKeys, pending)
			pending = ""
		case t.is("references"):
			if !foreign {
				x.foreignKeys = append(x.foreignKeys, pending)
			}
			pending, foreign = "", false
			i++
		}
	}
}

// matching gives the place of the parenthesis that closes the one at open.
func matching(item []token, open int) int {
	depth := 0
	for i := open; i < len(item); i++ {
		switch {
		case item[i].mark("("):
			depth++
		case item[i].mark(")"):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(item) - 1
}

func (x *tableText) check(table, column, name, sql string, item []token, open, end int) {
	c := checkText{name: name, expr: strings.TrimSpace(sql[item[open].start+1 : item[end].start])}
	for _, t := range item[open+1 : end] {
		if id, ok := t.name(); ok && t.kind != stringLit {
			c.reads = append(c.reads, small(id))
		}
	}
	if c.name == "" && column != "" {
		c.name = "\x00" + table + "_" + column + "_check"
	} else if c.name == "" {
		c.name = "\x00" + table + "_check"
	}
	x.checks = append(x.checks, c)
}

// nameChecks gives checks without a name one that says where they stand, unique in the table.
func (x *tableText) nameChecks() {
	taken := map[string]bool{}
	for _, c := range x.checks {
		taken[c.name] = true
	}
	for i := range x.checks {
		base, made := strings.CutPrefix(x.checks[i].name, "\x00")
		if !made {
			continue
		}
		name := base
		for n := 1; taken[name]; n++ {
			name = fmt.Sprintf("%s%d", base, n)
		}
		taken[name] = true
		x.checks[i].name = name
	}
}
