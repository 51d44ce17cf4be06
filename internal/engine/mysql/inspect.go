package mysql

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An inventory is what one look at the server found: the plain structure that
// the rest of the program works on, and beside it what only this package needs.
type inventory struct {
	schema *schema.Schema
	tables map[schema.Name]*tableFacts
}

// tableFacts is what reading and loading need of a table beyond schema.Table.
type tableFacts struct {
	kind      string // BASE TABLE or SYSTEM VERSIONED
	engine    string // the storage engine, as the server spells it
	collation string // of columns that name none
	ddl       *definition
	columns   map[string]*columnFacts
}

// transactional tells whether the table has a part in a consistent moment.
func (f *tableFacts) transactional() bool {
	switch strings.ToLower(f.engine) {
	case "innodb", "rocksdb", "tokudb":
		return true
	}
	return false
}

// columnFacts is what reading and loading need of a column beyond schema.Column.
type columnFacts struct {
	base      string // the type's name in lower case, without arguments
	unsigned  bool
	charset   string // of a text; empty elsewhere
	collation string
	bits      int  // of a BIT
	trims     bool // trailing spaces do not count where the column is compared as a key
	invisible bool
	late      bool // a TIMESTAMP reaches to 2106: MariaDB from 11.5 on
	versioned bool // ROW START and ROW END of a system-versioned table
}

// inspect reads the structure of the given databases: three queries over
// information_schema, and SHOW CREATE TABLE for every table.
func inspect(ctx context.Context, c *conn, schemas []string) (*inventory, error) {
	r := &structureReader{c: c, in: "(" + literals(schemas) + ")", out: &inventory{schema: &schema.Schema{}, tables: map[schema.Name]*tableFacts{}}}
	if err := present(ctx, c, schemas); err != nil { // no tables would be an answer, too
		return nil, err
	}
	for _, step := range []func(context.Context) error{r.tables, r.columns, r.definitions, r.beyond(schemas)} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	r.assemble()
	return r.out, nil
}

// present fails where a database is not there, or is there by another spelling: where
// lower_case_table_names is set the server takes any, tells its own, and what is
// compared with that in this program would find nothing.
func present(ctx context.Context, c *conn, names []string) error {
	rows, err := c.rows(ctx, "look for the databases", "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.ContainsFunc(rows, func(row []string) bool { return row[0] == name }) {
			continue
		}
		e := &engine.Error{Code: engine.Unreachable, Doing: "look for the database " + quote(name), Say: "there is none that this user may see",
			Hint: "check the name, and that the user has a privilege in it"}
		if i := slices.IndexFunc(rows, func(row []string) bool { return strings.EqualFold(row[0], name) }); i >= 0 {
			e.Code, e.Say, e.Hint = engine.Unsupported, "the server writes it "+quote(rows[i][0]), "write it so in the URL, and in the job's schemas and rules"
		}
		return e
	}
	return nil
}

// beyond notes the databases in which the user sees only tables that were granted one by one.
func (r *structureReader) beyond(databases []string) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := readPrivileges(ctx, r.c)
		if err != nil {
			return err
		}
		for _, d := range databases {
			if !p.has("SELECT", d) {
				r.out.schema.Notes = append(r.out.schema.Notes, schema.Note{Say: "of the database " + schema.Ident(d) + " the user " + p.user + " sees only the tables that were granted one by one: others would be missing: GRANT SELECT ON " + quote(pattern(d)) + ".*"})
			}
		}
		return nil
	}
}

type structureReader struct {
	c     *conn
	in    string // the databases, as a list of literals
	order []schema.Name
	found map[schema.Name]*schema.Table
	out   *inventory
}

func (r *structureReader) tables(ctx context.Context) error {
	r.found = map[schema.Name]*schema.Table{}
	rows, err := r.c.rows(ctx, "read the tables", `SELECT table_schema, table_name, table_type, coalesce(engine, ''), coalesce(table_rows, -1), coalesce(data_length + index_length, -1), coalesce(table_collation, '')
		FROM information_schema.tables WHERE table_schema IN `+r.in+` AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_schema, table_name`)
	if err != nil {
		return err
	}
	for _, row := range withoutOwn(rows) {
		name := schema.Name{Schema: row[0], Table: row[1]}
		t := &schema.Table{Name: name}
		t.Rows, _ = strconv.ParseInt(row[4], 10, 64) // always numbers
		t.Bytes, _ = strconv.ParseInt(row[5], 10, 64)
		f := &tableFacts{kind: row[2], engine: row[3], collation: row[6], columns: map[string]*columnFacts{}}
		if !f.transactional() {
			t.Note = "storage engine " + f.engine + ": its rows are not part of the moment"
		}
		r.found[name], r.out.tables[name] = t, f
		r.order = append(r.order, name)
	}
	return nil
}

func (r *structureReader) columns(ctx context.Context) error {
	rows, err := r.c.rows(ctx, "read the columns", `SELECT table_schema, table_name, column_name, data_type, column_type, is_nullable, coalesce(character_maximum_length, 0),
		coalesce(numeric_precision, 0), coalesce(numeric_scale, -1), coalesce(character_set_name, ''), coalesce(collation_name, ''), extra
		FROM information_schema.columns WHERE table_schema IN `+r.in+` ORDER BY table_schema, table_name, ordinal_position`)
	if err != nil {
		return err
	}
	for _, row := range rows {
		name := schema.Name{Schema: row[0], Table: row[1]}
		t := r.found[name]
		if t == nil { // of a view
			continue
		}
		col := schema.Column{Name: row[2], Type: row[4], NotNull: row[5] == "NO"}
		facts := &columnFacts{base: strings.ToLower(row[3]), charset: row[9], collation: row[10], unsigned: strings.Contains(row[4], "unsigned"), late: r.c.maria && r.c.version >= 1105}
		length, _ := strconv.Atoi(row[6]) // a longtext's is beyond what matters
		precision, _ := strconv.Atoi(row[7])
		scale, _ := strconv.Atoi(row[8])
		describe(&col, facts, length, precision, scale)
		col.Repertoire = repertoire(facts.charset)
		if strings.Contains(strings.ToLower(row[11]), "auto_increment") {
			col.Surrogate, col.Identity = true, true
		}
		t.Columns = append(t.Columns, col)
		r.out.tables[name].columns[col.Name] = facts
	}
	return nil
}

// definitions reads SHOW CREATE TABLE of every table. A column that only one of
// the two sources shows is one that grants hide.
func (r *structureReader) definitions(ctx context.Context) error {
	var hidden []schema.Name
	for _, name := range r.order {
		doing := "read the definition of " + name.String()
		rows, err := r.c.rows(ctx, doing, "SHOW CREATE TABLE "+quoteName(name))
		var e *engine.Error
		switch {
		case errors.As(err, &e) && e.Code == engine.Denied:
			hidden = append(hidden, name)
			continue
		case errors.As(err, &e) && e.Code == engine.Syntax:
			e.Table, e.Code, e.Say, e.Hint = name, engine.Changed, "the table is gone, or a table of its union or its server is", "run again"
			return e
		case err != nil:
			return err
		case len(rows) == 0 || len(rows[0]) < 2:
			return &engine.Error{Code: engine.Failed, Doing: doing, Table: name, Say: "the server gave no answer"}
		}
		d := parseTable(name, rows[0][1])
		r.out.tables[name].ddl = d
		t := r.found[name]
		for i := range t.Columns {
			t.Columns[i].Listed = slices.Contains(d.listed, t.Columns[i].Name)
		}
		if slices.ContainsFunc(d.order, func(column string) bool { return t.Column(column) == nil }) {
			hidden = append(hidden, name)
		}
	}
	if len(hidden) == 0 {
		return nil
	}
	for _, name := range r.order { // some show their definition to who may not read them: all are told at once
		if err := r.c.exec(ctx, "look at "+name.String(), touched([]schema.Name{name})); engine.CodeOf(err) == engine.Denied && !slices.Contains(hidden, name) {
			hidden = append(hidden, name)
		}
	}
	slices.SortFunc(hidden, schema.Name.Compare)
	return unread(hidden)
}

// unread is the error of tables that the user may not read, or not every column
// of, all at once; nil if there are none.
func unread(names []schema.Name) error {
	if len(names) == 0 {
		return nil
	}
	e := &engine.Error{Code: engine.Denied, Doing: "read the structure", Say: "the user may not read the whole of " + names[0].String()}
	grants := []string{"GRANT SELECT ON " + quoteName(names[0])}
	for _, n := range names[1:] {
		e.Say += ", " + n.String()
		grants = append(grants, "GRANT SELECT ON "+quoteName(n))
	}
	if len(names) == 1 {
		e.Table = names[0]
	}
	e.Hint = strings.Join(grants, "; ") + " (on tables, not on single columns)"
	return e
}

// assemble joins what the two sources say.
func (r *structureReader) assemble() {
	s := r.out.schema
	for _, name := range r.order {
		t, f := r.found[name], r.out.tables[name]
		for i := range t.Columns {
			f.complete(&t.Columns[i])
		}
		keys(t, f)
		t.Checks = f.checks(t)
		if f.ddl.bounds != "" {
			t.Computed = []string{f.ddl.bounds}
		}
		if !f.transactional() {
			s.Notes = append(s.Notes, schema.Note{Table: name, Say: "its storage engine " + f.engine + " knows no transactions: its rows are read as they are at that time, not at the moment of the others",
				Hint: "ALTER TABLE " + quoteName(name) + " ENGINE = InnoDB, or refresh when nobody writes to it"})
		}
		if f.kind == "SYSTEM VERSIONED" || f.ddl.system {
			t.Note = joinNotes(t.Note, "system-versioned: the current rows, without their history")
		}
		s.Tables = append(s.Tables, *t)
		for _, ref := range f.ddl.foreign {
			ref.Indexed = f.leads(ref.Columns)
			s.References = append(s.References, ref)
		}
	}
	s.Sort()
	r.foldReferences()
	r.trimKeys()
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// complete adds to a column what its definition says.
func (f *tableFacts) complete(c *schema.Column) {
	d, facts := f.ddl.columns[c.Name], f.columns[c.Name]
	if d == nil { // ROW START and ROW END that nobody named
		c.Generated, facts.versioned = true, true
		return
	}
	c.Default, c.Generated, facts.invisible = d.value, d.generated, d.invisible
	if d.json {
		c.Kind, c.Length = schema.JSON, 0
	}
}

// keys fills a table's primary key and unique keys.
func keys(t *schema.Table, f *tableFacts) {
	for _, k := range f.ddl.keys {
		if !k.unique || k.other {
			continue
		}
		key := schema.Key{Name: k.name, Columns: k.columns, Primary: k.primary, Expression: k.expression || k.prefix, NotNull: len(k.columns) > 0}
		for _, name := range k.columns {
			c := t.Column(name)
			key.NotNull = key.NotNull && c != nil && c.NotNull
			if c != nil && k.primary && len(k.columns) == 1 && madeUUID(c) {
				c.Surrogate = true
			}
		}
		t.Keys = append(t.Keys, key)
	}
}

// madeUUID tells a default that makes a new uuid for each row.
func madeUUID(c *schema.Column) bool {
	return strings.Contains(strings.ToLower(c.Default), "uuid")
}

// checks gives the table's checks without those that only say that a text is JSON.
func (f *tableFacts) checks(t *schema.Table) []schema.Check {
	var out []schema.Check
	for _, c := range f.ddl.checks {
		if len(c.Columns) == 1 && c.Name == c.Columns[0] && f.ddl.columns[c.Name].json {
			continue
		}
		out = append(out, c)
	}
	return out
}

// leads tells whether an index begins with a foreign key's columns. The server
// makes one for every foreign key that has none.
func (f *tableFacts) leads(columns []string) bool {
	want := slices.Sorted(slices.Values(columns))
	return slices.ContainsFunc(f.ddl.keys, func(k keyDefinition) bool {
		return !k.other && !k.expression && len(k.columns) >= len(want) && slices.Equal(slices.Sorted(slices.Values(k.columns[:len(want)])), want)
	})
}

// foldReferences marks columns on both ends of a reference of which one end
// compares without regard to case.
func (r *structureReader) foldReferences() {
	for range r.out.schema.References { // along chains
		changed := false
		for _, ref := range r.out.schema.References {
			from, to := r.out.schema.Table(ref.From), r.out.schema.Table(ref.To)
			if from == nil || to == nil {
				continue
			}
			for i := range min(len(ref.Columns), len(ref.ToColumns)) {
				a, b := from.Column(ref.Columns[i]), to.Column(ref.ToColumns[i])
				if a != nil && b != nil && b.FoldCase && !a.FoldCase {
					a.FoldCase, changed = true, true
				}
			}
		}
		if !changed {
			return
		}
	}
}

// trimKeys notes the columns of keys and of references whose collation does not
// count trailing spaces: there 'a' and 'a ' are one value.
func (r *structureReader) trimKeys() {
	mark := func(n schema.Name, columns []string) {
		f := r.out.tables[n]
		if f == nil {
			return
		}
		for _, name := range columns {
			if c := f.columns[name]; c != nil && pads(c) {
				c.trims = true
			}
		}
	}
	for _, t := range r.out.schema.Tables {
		for _, k := range t.Keys {
			mark(t.Name, k.Columns)
		}
	}
	for _, ref := range r.out.schema.References {
		mark(ref.From, ref.Columns)
		mark(ref.To, ref.ToColumns)
	}
}
