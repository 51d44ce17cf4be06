package mysql

import (
	"regexp"
	"slices"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// tableKinds are the kinds of facts that declarations give.
func tableKinds() []string {
	return []string{"table", "column", "primary key", "unique", "foreign key", "check", "index"}
}

var (
	counter      = regexp.MustCompile(`(?m)^(\).*?) AUTO_INCREMENT=\d+`)
	displayWidth = regexp.MustCompile(`^(tinyint|smallint|mediumint|int|bigint|year)\(\d+\)`)
)

// A declaration tells a table's CREATE TABLE, as the server writes it, in facts.
type declaration struct {
	name  schema.Name
	text  string
	facts []catalog.Fact
	order []string
	// places writes every column with the one before it, as a statement orders them.
	places []string
	last   string // column that was read
	// collation is the table's, which its own statement leaves out where it is usual.
	collation string
}

// declare gives the facts of a table.
func declare(name schema.Name, f *tableFacts) []catalog.Fact {
	d := &declaration{name: name, text: f.ddl.text, collation: f.collation}
	all := tokens(d.text)
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return nil
	}
	end := matching(all, open)
	table := catalog.Fact{Kind: "table", Object: name.String(), Table: name.String(), Create: made(d.text, len(f.ddl.foreign) > 0), Drop: "DROP TABLE " + quote(name.Table)}
	options := d.options(all[min(end+1, len(all)):])
	for _, item := range parts(all[open+1 : end]) {
		d.item(item, f)
	}
	order := catalog.Part{Name: catalog.ColumnOrder, Text: strings.Join(d.order, "\n"), Alter: d.alter(strings.Join(d.places, ", "))}
	table.Parts = append([]catalog.Part{order}, options...)
	return append(d.facts, table)
}

// made is the statement with the number that AUTO_INCREMENT has come to taken out,
// which is of the rows. Tables that foreign keys lead to may be made after it.
func made(text string, tied bool) string {
	text = counter.ReplaceAllString(text, "$1")
	if tied {
		return "SET SESSION foreign_key_checks = 0;\n" + text + ";\nSET SESSION foreign_key_checks = DEFAULT"
	}
	return text
}

// alter is a statement that changes the table.
func (d *declaration) alter(how string) string {
	return "ALTER TABLE " + quote(d.name.Table) + " " + how
}

// unset gives what takes an option of a table away.
func unset(option string) string {
	switch option {
	case "KEY_BLOCK_SIZE", "CHECKSUM", "AVG_ROW_LENGTH", "MIN_ROWS", "MAX_ROWS", "DELAY_KEY_WRITE":
		return option + "=0"
	}
	if option == "COMPRESSION" {
		return option + "='none'"
	}
	return option + "=DEFAULT"
}

// options reads what follows the columns.
func (d *declaration) options(all []token) (out []catalog.Part) {
	part := func(name, text string) {
		if text != "" {
			out = append(out, catalog.Part{Name: name, Text: text})
		}
	}
	partitions := func(text string) {
		part(catalog.Partitions, plain(tokens(text)))
		out[len(out)-1].Alter, out[len(out)-1].Clear = d.alter(text), d.alter("REMOVE PARTITIONING")
	}
	for i := 0; i < len(all); i++ {
		t := all[i]
		value := func() string {
			if i+2 < len(all) && all[i+1].mark("=") {
				i += 2
				return all[i].text
			}
			return ""
		}
		switch {
		case t.kind == comment:
			if text := conditional(t.text); strings.HasPrefix(strings.ToUpper(text), "PARTITION") {
				partitions(text)
			} else if text != "" {
				part("option", text)
			}
		case t.is("PARTITION"):
			partitions(d.source(all[i:]))
			i = len(all)
		case t.is("ENGINE"):
			text := value()
			part("storage engine", text)
			out[len(out)-1].Alter = d.alter("ENGINE=" + text)
		case t.is("CHARSET"):
			part("character set", value())
		case t.is("COLLATE"):
			d.collation = value()
		case t.is("COMMENT"):
			if text := value(); text != "" {
				part("comment", text)
				out[len(out)-1].Alter, out[len(out)-1].Clear = d.alter("COMMENT="+text), d.alter("COMMENT=''")
			}
		case t.is("AUTO_INCREMENT"):
			value()
		case t.is("WITH") && i+2 < len(all) && all[i+2].is("VERSIONING"):
			part("system versioning", "on")
			out[len(out)-1].Alter, out[len(out)-1].Clear = d.alter("ADD SYSTEM VERSIONING"), d.alter("DROP SYSTEM VERSIONING")
			i += 2
		case (t.kind == word || t.kind == quoted) && i+2 < len(all) && all[i+1].mark("="): // MariaDB quotes options of storage engines
			name, _ := t.name()
			name = strings.ToLower(name)
			if text := value(); text != "" && !(name == "compression" && strings.EqualFold(text, "'none'")) {
				part(strings.ReplaceAll(name, "_", " "), text)
				out[len(out)-1].Alter, out[len(out)-1].Clear = d.alter(t.text+"="+text), d.alter(unset(strings.ToUpper(t.text)))
			}
		}
	}
	part("collation", d.collation)
	d.coded(out)
	return out
}

// coded gives a table's character set and collation their statement, which is one.
func (d *declaration) coded(parts []catalog.Part) {
	set := "DEFAULT"
	for _, p := range parts {
		switch p.Name {
		case "character set":
			set += " CHARACTER SET " + p.Text
		case "collation":
			set += " COLLATE " + p.Text
		}
	}
	for i := range parts {
		if parts[i].Name == "character set" || parts[i].Name == "collation" {
			parts[i].Alter = d.alter(set)
		}
	}
}

// conditional gives what a comment says to a server that reads it: to every one, or
// to MariaDB alone.
func conditional(text string) string {
	inside, ok := strings.CutPrefix(text, "/*!")
	if !ok {
		inside, ok = strings.CutPrefix(text, "/*M!")
	}
	if !ok {
		return ""
	}
	return strings.TrimSpace(strings.TrimLeft(strings.TrimSuffix(inside, "*/"), "0123456789M"))
}

// plain writes tokens with single spaces, without comments; words in lower case.
// The character set before a text is left out: the server adds and changes it
// without anybody having asked.
func plain(all []token) string {
	var b strings.Builder
	for i, t := range all {
		if t.kind == comment {
			if t.text = conditional(t.text); t.text == "" {
				continue
			}
		}
		if t.kind == word && t.text[0] == '_' && i+1 < len(all) && all[i+1].kind == stringLit {
			continue
		}
		tight := t.mark(")") || t.mark(",") || t.mark(".") || i > 0 && (all[i-1].mark("(") || all[i-1].mark(".")) || i > 0 && t.mark("(") && all[i-1].kind == word
		if b.Len() > 0 && !tight {
			b.WriteByte(' ')
		}
		if t.kind == word {
			t.text = strings.ToLower(t.text)
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// item reads a column, an index or a constraint.
func (d *declaration) item(all []token, f *tableFacts) {
	if len(all) == 0 {
		return
	}
	if all[0].kind == quoted {
		d.column(all, f)
		return
	}
	name := ""
	rest := all
	if all[0].is("CONSTRAINT") && len(all) > 2 {
		name, _ = all[1].name()
		rest = all[2:]
	}
	switch first := rest[0]; {
	case first.is("FOREIGN"):
		d.constraint("foreign key", name, all, rest, "DROP FOREIGN KEY ")
	case first.is("CHECK"):
		d.constraint("check", name, all, rest, "DROP CONSTRAINT ")
	case first.is("PRIMARY"): // in one statement, so that a column that counts is never without it
		d.add(catalog.Fact{Kind: "primary key", Object: d.name.String(), Definition: plain(rest), Alter: d.alter("DROP PRIMARY KEY, ADD " + d.source(all))}, "ADD "+d.source(all), "DROP PRIMARY KEY")
	case first.is("PERIOD"): // it refuses rows that end before they begin; that of the rows' own history is the server's
		if len(rest) > 2 && rest[2].kind == quoted {
			name, _ = rest[2].name()
			d.add(catalog.Fact{Kind: "check", Object: d.name.String() + "." + schema.Ident(name), Definition: plain(rest)}, "ADD "+d.source(rest), "DROP PERIOD FOR "+quote(name))
		}
	default:
		kind, at := "index", slices.IndexFunc(rest, func(t token) bool { return t.kind == quoted })
		if first.is("UNIQUE") {
			kind = "unique"
		}
		if at < 0 {
			return
		}
		name, _ = rest[at].name()
		definition := plain(rest[:at]) + " " + plain(rest[at+1:])
		d.add(catalog.Fact{Kind: kind, Object: d.name.String() + "." + schema.Ident(name), Definition: definition}, "ADD "+d.source(all), "DROP INDEX "+quote(name))
	}
}

// madeName tells the names that a server gives to constraints without one.
func (d *declaration) madeName(name string) bool {
	for _, prefix := range []string{d.name.Table + "_ibfk_", d.name.Table + "_chk_", "CONSTRAINT_", "fk_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && strings.Trim(rest, "0123456789") == "" {
			return true
		}
	}
	return strings.Trim(name, "0123456789") == "" // MariaDB, of late
}

func (d *declaration) constraint(kind, name string, all, rest []token, drop string) {
	f := catalog.Fact{Kind: kind, Definition: plain(rest)}
	shown := name
	if f.Unnamed = d.madeName(name); f.Unnamed {
		shown = f.Definition
		if open := slices.IndexFunc(rest, func(t token) bool { return t.mark("(") }); kind == "foreign key" && open >= 0 {
			var columns []string
			for _, t := range rest[open:matching(rest, open)] {
				if column, _ := t.name(); t.kind == quoted {
					columns = append(columns, column)
				}
			}
			shown = catalog.ByColumns(kind, columns)
		}
	}
	f.Object = d.name.String() + "." + schema.Ident(shown)
	add := "ADD " + d.source(rest)
	if !f.Unnamed {
		add = "ADD " + d.source(all)
	}
	d.add(f, add, drop+quote(name))
}

// add adds a fact with the statements that make it and take it away.
func (d *declaration) add(f catalog.Fact, create, drop string) {
	f.Table = d.name.String()
	f.Create, f.Drop = "ALTER TABLE "+quote(d.name.Table)+" "+create, "ALTER TABLE "+quote(d.name.Table)+" "+drop
	d.facts = append(d.facts, f)
}

func (d *declaration) source(all []token) string {
	return d.text[all[0].start:all[len(all)-1].end()]
}

// column reads a column. The type's display width means nothing but with
// ZEROFILL and as TINYINT(1), and only some servers write it.
func (d *declaration) column(all []token, t *tableFacts) {
	name, _ := all[0].name()
	place := "FIRST"
	if at := len(d.places); at > 0 {
		place = "AFTER " + quote(d.last)
	}
	d.places = append(d.places, "MODIFY COLUMN "+d.source(all)+" "+place)
	place = "FIRST"
	if before := t.ddl.behind(name); before != "" {
		place = "AFTER " + quote(before)
	}
	d.last = name
	d.order = append(d.order, schema.Ident(name))
	f := catalog.Fact{Kind: "column", Object: d.name.String() + "." + schema.Ident(name)}
	part := func(name, text string) {
		if text != "" {
			f.Parts = append(f.Parts, catalog.Part{Name: name, Text: text})
		}
	}
	n := 1
	for n < len(all) && !clauseWord(all[n]) {
		if all[n].mark("(") {
			n += matching(all[n:], 0)
		}
		n++
	}
	part("type", withoutWidth(plain(all[1:n])))
	null := ""
	for i := n; i < len(all); {
		end := clauseEnd(all, i)
		clause := all[i:end]
		switch first := clause[0]; {
		case first.is("CHARACTER"), first.is("COLLATE"): // left out where they are usual
		case first.is("NOT"):
			null = "not null"
		case first.is("NULL"):
		case first.is("DEFAULT"):
			if text := plain(clause[1:]); text != "null" {
				part("default", text)
			}
		case first.is("GENERATED"), first.is("AS"):
			part("generated", plain(clause))
			again := d.alter("DROP COLUMN " + quote(name) + ", ADD COLUMN " + d.source(all) + " " + place) // it holds nothing of its own
			f.Parts[len(f.Parts)-1].Alter, f.Parts[len(f.Parts)-1].Add = again, again
		case first.is("ON"):
			part("on update", plain(clause[2:]))
		case first.is("COMMENT"):
			part("comment", plain(clause[1:]))
		case first.is("CHECK"):
			d.constraint("check", name, clause, clause, "DROP CONSTRAINT ")
			check := &d.facts[len(d.facts)-1] // a part of the column's declaration, and comes and goes with that alone
			check.Create = d.alter("MODIFY COLUMN " + d.source(all))
			check.Alter, check.Drop = check.Create, d.alter("MODIFY COLUMN "+strings.TrimSpace(d.source(all[:i])+d.text[clause[len(clause)-1].end():all[len(all)-1].end()]))
		case first.kind == comment:
			part("option", conditional(first.text))
		default:
			part(strings.ToLower(strings.ReplaceAll(plain(clause), "_", " ")), "yes")
		}
		i = end
	}
	part("null", null)
	if c := t.columns[name]; c != nil && textual(all[1]) {
		part("collation", c.collation)
	}
	f.Alter = d.alter("MODIFY COLUMN " + d.source(all))
	if computed := slices.IndexFunc(all, func(t token) bool { return t.is("VIRTUAL") }); computed > n { // which no column becomes, or ceases to be
		f.Shape = "virtual"
	} else {
		f.Shape = "stored"
	}
	if f.Sort = sort(all[1]); f.Sort != "" && !t.ddl.columns[name].generated {
		f.Halfway = d.alter("MODIFY COLUMN " + quote(name) + " varchar(255) CHARACTER SET utf8mb4")
	}
	d.add(f, "ADD COLUMN "+d.source(all)+" "+place, "DROP COLUMN "+quote(name))
}

// sort tells types of labels and of numbers, which are turned into one another by the
// labels' places; empty for others.
func sort(t token) string {
	for sort, names := range map[string][]string{
		"labels":  {"enum", "set"},
		"numbers": {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "year"},
	} {
		if slices.ContainsFunc(names, t.is) {
			return sort
		}
	}
	return ""
}

// textual tells types that have a collation.
func textual(t token) bool {
	for _, name := range []string{"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"} {
		if t.is(name) {
			return true
		}
	}
	return false
}

// clauseWord tells whether a token begins a clause of a column definition.
func clauseWord(t token) bool {
	for _, w := range []string{"CHARACTER", "COLLATE", "NOT", "NULL", "DEFAULT", "GENERATED", "AS", "ON", "COMMENT", "CHECK", "AUTO_INCREMENT", "INVISIBLE", "COMPRESSED", "WITHOUT", "REF_SYSTEM_ID", "SRID", "COLUMN_FORMAT", "STORAGE"} {
		if t.is(w) {
			return true
		}
	}
	return t.kind == comment
}

// clauseEnd is where the clause that begins at i ends.
func clauseEnd(all []token, i int) int {
	switch first := all[i]; {
	case first.kind == comment:
		return i + 1
	case first.is("DEFAULT") && i+1 < len(all):
		return defaultEnd(all, i+1)
	}
	for n := i + 1; n < len(all); n++ {
		switch {
		case all[n].mark("("):
			n += matching(all[n:], 0)
		case all[i].is("NOT") && n == i+1, all[i].is("GENERATED") && all[n].is("AS"):
		case clauseWord(all[n]):
			return n
		}
	}
	return len(all)
}

// withoutWidth takes a display width away.
func withoutWidth(kind string) string {
	if strings.HasPrefix(kind, "tinyint(1)") || strings.Contains(kind, "zerofill") {
		return kind
	}
	return displayWidth.ReplaceAllString(kind, "$1")
}
