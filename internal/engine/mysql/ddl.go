package mysql

import (
	"slices"
	"strings"

	"understudy/internal/schema"
)

// A definition is what SHOW CREATE TABLE says of a table, taken apart as far as
// the structure needs it. The statement is the one source of keys, foreign keys
// and checks that every user who may read the table can see.
type definition struct {
	text    string
	columns map[string]*columnDefinition
	order   []string
	keys    []keyDefinition
	foreign []schema.Reference
	checks  []schema.Check
	// system: WITH SYSTEM VERSIONING.
	system bool
	listed []string // columns, see listed
	bounds string   // see bounding
}

type columnDefinition struct {
	text      string // the whole definition
	value     string // the default, as written; empty for none and for NULL
	generated bool
	computed  string   // what a generated column is computed as
	uses      []token  // of that
	reads     []string // the columns that it reads, generated ones too
	invisible bool
	json      bool // MariaDB's JSON: a text under the check json_valid
	zerofill  bool
	srid      string
}

// A keyDefinition is an index.
type keyDefinition struct {
	name       string
	columns    []string // in key order; those that an expression reads, too
	parts      []string // what is compared, as expressions
	unique     bool
	primary    bool
	other      bool // FULLTEXT, SPATIAL and the like, which find no equal values
	prefix     bool // of a column's beginning only
	expression bool
}

// parseTable takes the server's CREATE TABLE apart.
func parseTable(name schema.Name, text string) *definition {
	d := &definition{text: text, columns: map[string]*columnDefinition{}}
	all := tokens(text)
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return d
	}
	end := matching(all, open)
	p := ddlParser{name: name, text: text, out: d}
	for _, part := range parts(all[open+1 : end]) {
		p.part(part)
	}
	for _, c := range d.columns { // which may read one that stands behind it
		c.reads, c.uses = p.read(c.uses), nil
	}
	for _, t := range all[min(end+1, len(all)):] {
		d.system = d.system || t.is("VERSIONING")
	}
	d.listed = listed(all[min(end+1, len(all)):])
	d.bounds = bounding(all[min(end+1, len(all)):])
	return d
}

// behind gives the column behind which another can be added; "" for none. It is the one
// before it, but for those that are computed from it, which come later.
func (d *definition) behind(name string) string {
	var reads func(of string, seen []string) bool
	reads = func(of string, seen []string) bool {
		c := d.columns[of]
		return c != nil && !slices.Contains(seen, of) && (slices.Contains(c.reads, name) || slices.ContainsFunc(c.reads, func(from string) bool { return reads(from, append(seen, of)) }))
	}
	out := ""
	for _, before := range d.order {
		if before == name {
			break
		}
		if !reads(before, nil) {
			out = before
		}
	}
	return out
}

// bounding gives the words by which a table's partitions may refuse rows; empty where they
// take all.
func bounding(options []token) string {
	for i, t := range options {
		if text := conditional(t.text); t.kind != quoted && strings.HasPrefix(strings.ToUpper(text), "PARTITION") { // as MySQL hides it from others
			return bounding(tokens(text))
		}
		if t.is("PARTITION") && i+2 < len(options) && options[i+1].is("BY") && (options[i+2].is("LIST") || options[i+2].is("RANGE")) {
			return plain(options[i:])
		}
	}
	return ""
}

// listed names the columns whose values the table's partitions list, where none takes
// a row with others; options are what stands behind the columns of CREATE TABLE.
func listed(options []token) (columns []string) {
	for i, t := range options {
		if text := conditional(t.text); t.kind != quoted && strings.HasPrefix(strings.ToUpper(text), "PARTITION") { // as MySQL hides it from others
			return listed(tokens(text))
		}
		if !t.is("PARTITION") || i+3 >= len(options) || !options[i+2].is("LIST") {
			continue
		}
		rest := options[i+3:]
		open := slices.IndexFunc(rest, func(t token) bool { return t.mark("(") })
		if open < 0 {
			return nil
		}
		within := rest[:matching(rest, open)]
		for j, t := range within {
			if t.mark("(") && j > 1 {
				return nil // an expression
			}
			if name, ok := t.name(); ok && !t.is("COLUMNS") {
				columns = append(columns, name)
			}
		}
		for j, t := range rest[1:] { // MariaDB: PARTITION name DEFAULT
			if t.is("DEFAULT") && j > 0 && rest[j-1].is("PARTITION") {
				return nil
			}
		}
		return columns
	}
	return nil
}

// parts splits tokens at the commas that stand in no parentheses.
func parts(all []token) [][]token {
	var out [][]token
	depth, from := 0, 0
	for i, t := range all {
		switch {
		case t.mark("("):
			depth++
		case t.mark(")"):
			depth--
		case t.mark(",") && depth == 0:
			out = append(out, all[from:i])
			from = i + 1
		}
	}
	return append(out, all[from:])
}

type ddlParser struct {
	name schema.Name
	text string
	out  *definition
}

// source gives the text of tokens.
func (p *ddlParser) source(all []token) string {
	if len(all) == 0 {
		return ""
	}
	return p.text[all[0].start:all[len(all)-1].end()]
}

// part reads one entry of the table: a column, an index or a constraint.
func (p *ddlParser) part(all []token) {
	if len(all) == 0 {
		return
	}
	if all[0].kind == quoted {
		p.column(all)
		return
	}
	constraint := ""
	if all[0].is("CONSTRAINT") && len(all) > 2 {
		constraint, _ = all[1].name()
		all = all[2:]
	}
	switch first := all[0]; {
	case first.is("FOREIGN"):
		p.foreign(constraint, all)
	case first.is("CHECK"):
		p.check(constraint, all)
	case first.is("PRIMARY"), first.is("UNIQUE"), first.is("KEY"), first.is("INDEX"), first.is("FULLTEXT"), first.is("SPATIAL"), first.is("VECTOR"):
		p.key(all)
	case first.is("PERIOD"): // of a system-versioned table
	}
}

func (p *ddlParser) column(all []token) {
	name, _ := all[0].name()
	c := &columnDefinition{text: p.source(all[1:])}
	p.out.columns[name] = c
	p.out.order = append(p.out.order, name)
	for i := 1; i < len(all); i++ {
		t := all[i]
		switch {
		case t.mark("("): // arguments of the type, an expression
			i = i + matching(all[i:], 0)
		case t.is("DEFAULT") && i+1 < len(all):
			n := defaultEnd(all, i+1)
			if c.value = p.source(all[i+1 : n]); strings.EqualFold(c.value, "NULL") {
				c.value = ""
			}
			i = n - 1
		case t.is("GENERATED"), t.is("AS") && i+1 < len(all):
			c.generated = true
			if as := i + slices.IndexFunc(all[i:], func(t token) bool { return t.is("AS") }); as >= i && as+1 < len(all) && all[as+1].mark("(") {
				end := as + 1 + matching(all[as+1:], 0)
				c.computed, c.uses = p.source(all[as+2:end]), all[as+2:end]
				i = end
			}
		case t.is("ZEROFILL"), t.is("zerofill"):
			c.zerofill = true
		case t.is("INVISIBLE"):
			c.invisible = true
		case t.kind == comment && strings.Contains(t.text, "INVISIBLE"): // /*!80023 INVISIBLE */
			c.invisible = true
		case t.kind == comment && strings.Contains(t.text, "SRID"): // /*!80003 SRID 4326 */
			c.srid = strings.TrimSpace(strings.TrimSuffix(t.text[strings.Index(t.text, "SRID")+4:], "*/"))
		case t.is("CHECK") && i+1 < len(all) && all[i+1].mark("("):
			end := i + 1 + matching(all[i+1:], 0)
			p.check(name, all[i:end+1])
			inside := all[i+2 : end]
			if len(inside) == 4 && inside[0].is("json_valid") {
				if of, _ := inside[2].name(); of == name {
					c.json = true
				}
			}
			i = end
		}
	}
}

// defaultEnd gives the place behind the default that begins at i.
func defaultEnd(all []token, i int) int {
	for i < len(all)-1 && (all[i].mark("-") || all[i].mark("+") || all[i].kind == word && all[i+1].kind == stringLit) { // a sign, an introducer
		i++
	}
	if all[i].mark("(") {
		return i + matching(all[i:], 0) + 1
	}
	if i+1 < len(all) && all[i+1].mark("(") {
		return i + 1 + matching(all[i+1:], 0) + 1
	}
	return i + 1
}

func (p *ddlParser) key(all []token) {
	k := keyDefinition{}
	for i, t := range all {
		switch {
		case t.is("PRIMARY"):
			k.primary, k.unique, k.name = true, true, "PRIMARY"
		case t.is("UNIQUE"):
			k.unique = true
		case t.is("FULLTEXT"), t.is("SPATIAL"), t.is("VECTOR"):
			k.other = true
		case t.kind == quoted:
			k.name, _ = t.name()
		case t.mark("("):
			for _, part := range parts(all[i+1 : i+matching(all[i:], 0)]) {
				p.keyPart(&k, part)
			}
			p.out.keys = append(p.out.keys, k)
			return
		}
	}
}

func (p *ddlParser) keyPart(k *keyDefinition, part []token) {
	if len(part) == 0 {
		return
	}
	if slices.ContainsFunc(part, func(t token) bool { return t.is("OVERLAPS") }) { // a period, no column: with it nothing is compared by equality
		k.other = true
		return
	}
	if part[0].kind == quoted {
		name, _ := part[0].name()
		k.columns = append(k.columns, name)
		if len(part) > 2 && part[1].mark("(") {
			k.prefix = true
			k.parts = append(k.parts, "LEFT("+quote(name)+", "+part[2].text+")")
		} else {
			k.parts = append(k.parts, quote(name))
		}
		return
	}
	k.expression = true
	if last := part[len(part)-1]; len(part) > 1 && (last.is("ASC") || last.is("DESC")) {
		part = part[:len(part)-1]
	}
	k.parts = append(k.parts, p.source(part))
	for _, name := range p.read(part) {
		if !slices.Contains(k.columns, name) {
			k.columns = append(k.columns, name)
		}
	}
}

// read lists the columns that an expression of the server's writing reads: they
// stand in backticks there. Sorted.
func (p *ddlParser) read(all []token) []string {
	var out []string
	for _, t := range all {
		if name, _ := t.name(); t.kind == quoted && (p.out.columns[name] != nil) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func (p *ddlParser) check(name string, all []token) {
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return
	}
	end := open + matching(all[open:], 0)
	inside := all[open+1 : end]
	c := schema.Check{Name: name, Columns: p.read(inside), Expr: p.source(inside), Valid: true}
	for _, t := range all[end+1:] {
		if t.kind == comment && strings.Contains(t.text, "NOT ENFORCED") {
			c.Valid = false
		}
	}
	p.out.checks = append(p.out.checks, c)
}

// foreign reads a foreign key. That its rows hold is not taken from the server:
// foreign_key_checks may have been off when they were written.
func (p *ddlParser) foreign(name string, all []token) {
	r := schema.Reference{Name: name, From: p.name}
	at := 0
	list := func() (out []string) {
		for at < len(all) && !all[at].mark("(") {
			at++
		}
		for at < len(all) && !all[at].mark(")") {
			if all[at].kind == quoted {
				id, _ := all[at].name()
				out = append(out, id)
			}
			at++
		}
		return out
	}
	r.Columns = list()
	for at < len(all) && !all[at].is("REFERENCES") {
		at++
	}
	if at+1 >= len(all) {
		return
	}
	r.To.Table, _ = all[at+1].name()
	r.To.Schema = p.name.Schema
	if at+3 < len(all) && all[at+2].mark(".") {
		r.To.Schema = r.To.Table
		r.To.Table, _ = all[at+3].name()
	}
	r.ToColumns = list()
	p.out.foreign = append(p.out.foreign, r)
}
