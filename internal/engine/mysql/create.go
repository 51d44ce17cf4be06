package mysql

import (
	"slices"
	"strings"

	"understudy/internal/schema"
)

// A creation is a table's CREATE TABLE, as the server writes it, taken apart so
// that the table can be made in another database, and its indexes and foreign
// keys after its rows.
type creation struct {
	name   schema.Name
	engine string // the storage engine
	// parts are columns, checks and the keys that rows need; later are the indexes
	// that are made faster after the rows, as ALTER TABLE adds them.
	parts, later []string
	foreign      []foreignKey
	options      string // what follows the closing parenthesis
	facts        *tableFacts
	shape        *schema.Table
}

// A foreignKey is one CONSTRAINT ... FOREIGN KEY, around the name that it references.
type foreignKey struct {
	before, after string
	to            schema.Name
}

// takeApart reads what SHOW CREATE TABLE says.
func takeApart(t *schema.Table, f *tableFacts) creation {
	text := f.ddl.text
	all := tokens(text)
	c := creation{name: t.Name, engine: f.engine, facts: f, shape: t}
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return c
	}
	end := matching(all, open)
	entries := parts(all[open+1 : end])
	numbered, leads := "", false
	for _, e := range entries { // the number that the server gives needs a key from the start
		if len(e) > 0 && e[0].kind == quoted && slices.ContainsFunc(e, func(t token) bool { return t.is("AUTO_INCREMENT") }) {
			numbered, _ = e[0].name()
		}
	}
	primary := false
	for _, k := range f.ddl.keys {
		primary = primary || k.primary
		leads = leads || k.primary && len(k.columns) > 0 && k.columns[0] == numbered
	}
	// A key that rows need brings those before it along: the server keeps keys of a
	// kind in the order in which they came.
	needed := map[string]int{} // by kind, the last of them
	for i, e := range entries {
		if len(e) == 0 || !isIndex(e[0]) {
			continue
		}
		mentions := numbered != "" && !leads && slices.ContainsFunc(e, func(t token) bool { name, _ := t.name(); return t.kind == quoted && name == numbered })
		if mentions || !primary && e[0].is("UNIQUE") {
			needed[strings.ToUpper(e[0].text)] = i + 1
		}
	}
	for i, e := range entries {
		if len(e) == 0 {
			continue
		}
		entry := text[e[0].start:e[len(e)-1].end()]
		if fk, ok := readForeign(t.Name, text, e); ok {
			c.foreign = append(c.foreign, fk)
			continue
		}
		if f.transactional() && isIndex(e[0]) && i >= needed[strings.ToUpper(e[0].text)] {
			c.later = append(c.later, entry)
		} else {
			c.parts = append(c.parts, entry)
		}
	}
	c.options = options(text, all, end)
	return c
}

func isIndex(t token) bool {
	return t.is("KEY") || t.is("INDEX") || t.is("UNIQUE") || t.is("FULLTEXT") || t.is("SPATIAL")
}

// readForeign takes a foreign key apart; false for another entry.
func readForeign(of schema.Name, text string, e []token) (foreignKey, bool) {
	if !slices.ContainsFunc(e[:min(3, len(e))], func(t token) bool { return t.is("FOREIGN") }) {
		return foreignKey{}, false
	}
	at := slices.IndexFunc(e, func(t token) bool { return t.is("REFERENCES") })
	if at < 0 || at+1 >= len(e) {
		return foreignKey{}, false
	}
	first, last := at+1, at+1
	to := schema.Name{Schema: of.Schema}
	to.Table, _ = e[first].name()
	if at+3 < len(e) && e[at+2].mark(".") {
		last = at + 3
		to.Schema = to.Table
		to.Table, _ = e[last].name()
	}
	return foreignKey{before: text[e[0].start:e[first].start], after: text[e[last].end():e[len(e)-1].end()], to: to}, true
}

// options gives what stands behind the columns, without the number that
// AUTO_INCREMENT has come to: it tells of rows that are not there.
func options(text string, all []token, end int) string {
	if end+1 >= len(all) {
		return ""
	}
	from := all[end].end()
	rest := all[end+1:]
	for i, t := range rest {
		if t.is("AUTO_INCREMENT") && i+2 < len(rest) && rest[i+1].mark("=") {
			return text[from:t.start] + strings.TrimPrefix(text[rest[i+2].end():], " ")
		}
		if t.is("PARTITION") || t.is("COMMENT") {
			break
		}
	}
	return text[from:]
}

// create writes the statement that makes the table in a database, for rows.
func (c *creation) create(database string) string {
	return "CREATE TABLE " + quote(database) + "." + quote(c.name.Table) + " (\n  " + strings.Join(c.parts, ",\n  ") + "\n)" + c.options
}

// complete lists what ALTER TABLE adds after the rows: indexes, and foreign keys
// whose referenced database may have another name.
func (c *creation) complete(rename func(string) string) []string {
	var out []string
	for _, key := range c.later {
		out = append(out, "ADD "+key)
	}
	for _, f := range c.foreign {
		to := schema.Name{Schema: rename(f.to.Schema), Table: f.to.Table}
		out = append(out, "ADD "+f.before+quoteName(to)+f.after)
	}
	return out
}
