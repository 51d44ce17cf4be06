package sqlite

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// inspection is a structure and what only this engine needs to know of it.
type inspection struct {
	schema schema.Schema
	shapes map[string]*shape // by table
	loose  []loose
}

// loose is a foreign key that points at nothing that could be its parent.
type loose struct {
	from    schema.Name
	name    string
	columns []string
	why     string
}

// shape is what reading and loading a table need beyond the plain model.
type shape struct {
	sql           string
	withoutRowid  bool
	strict        bool
	virtual       bool
	module        string   // of a virtual table
	kept          carriage // what it holds
	autoincrement bool
	// rowid is a name of the row's number that no column hides; "" if there is none.
	rowid   string
	primary []string // the primary key of a WITHOUT ROWID table
	columns map[string]columnShape
	checks  []schema.Check
	targets [][]string // column lists, sorted and in lower case, that a foreign key may point at
}

type columnShape struct {
	collation string // BINARY, NOCASE, RTRIM or an application's own
	// trims: trailing spaces do not count where the column is compared as a key.
	trims bool
}

// object is a row of the schema table.
type object struct{ kind, name, table, sql string }

// inspect reads the structure through pragmas and the text of CREATE TABLE.
func inspect(ctx context.Context, c *conn, schemas []string) (_ *inspection, err error) {
	defer func() { // a virtual table of a module that is not here stops every look at the structure
		if err != nil {
			err = lacking(err, err)
		}
	}()
	out := &inspection{shapes: map[string]*shape{}}
	if len(schemas) > 0 && !slices.Contains(schemas, mainSchema) {
		return out, nil
	}
	objects, err := readObjects(ctx, c)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, o := range objects {
		if o.kind == "table" {
			texts[o.name] = o.sql
		}
	}
	var tables []string
	shapes := out.shapes
	err = c.each(ctx, "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema='main' AND type IN ('table','virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name", nil, func(row []driver.Value) error {
		name := str(row[0])
		if isOwn(name) {
			return nil
		}
		if name == "" {
			return nameless("a table")
		}
		tables = append(tables, name)
		shapes[name] = &shape{sql: texts[name], virtual: str(row[1]) == "virtual", withoutRowid: str(row[2]) == "1", strict: str(row[3]) == "1"}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range tables {
		x := tableReader{ctx: ctx, c: c, all: tables, shape: shapes[name]}
		if err := x.read(name); err != nil {
			return nil, err
		}
		if !shapes[name].loaded() {
			continue // it shows what other tables hold
		}
		out.schema.Tables = append(out.schema.Tables, x.table)
		out.schema.References = append(out.schema.References, x.references...)
		out.loose = append(out.loose, x.loose...)
	}
	out.foldReferences()
	out.trimReferences()
	out.schema.Sort()
	return out, nil
}

// pointsAtKey tells whether a foreign key references what SQLite takes for a
// key: a primary key or a whole unique index with the columns' own collations.
func (x *inspection) pointsAtKey(r schema.Reference) bool {
	sh := x.shapes[r.To.Table]
	return sh != nil && slices.ContainsFunc(sh.targets, func(t []string) bool { return slices.Equal(t, folded(r.ToColumns)) })
}

// folded gives names in lower case, sorted.
func folded(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = small(n)
	}
	slices.Sort(out)
	return out
}

// isOwn tells the program's marker from the tables of a database. No other name
// is left out, however it begins: a table that is not seen is never decided.
func isOwn(name string) bool { return sameName(name, manifestTable) }

// foldCase marks a column that compares by NOCASE, which knows no letters but
// those from A to Z.
func foldCase(c *schema.Column) { c.FoldCase, c.Folding = true, schema.FoldASCII }

// foldReferences marks columns that reference a case-insensitive one: SQLite
// compares a foreign key by the parent's collation.
func (x *inspection) foldReferences() {
	x.schema.Sort()
	for range x.schema.References { // along chains
		changed := false
		for _, r := range x.schema.References {
			from, to := x.schema.Table(r.From), x.schema.Table(r.To)
			for i := range r.Columns {
				a, b := from.Column(r.Columns[i]), to.Column(r.ToColumns[i])
				if a != nil && b != nil && b.FoldCase && !a.FoldCase {
					changed = true
					foldCase(a)
				}
			}
		}
		if !changed {
			return
		}
	}
}

// trimReferences lets a column that references others ignore trailing spaces if
// and only if one of these does, for the same reason.
func (x *inspection) trimReferences() {
	for range x.schema.References { // along chains
		want := map[*shape]map[string]bool{}
		for _, r := range x.schema.References {
			from, to := x.shapes[r.From.Table], x.shapes[r.To.Table]
			if r.From == r.To && slices.Equal(r.Columns, r.ToColumns) {
				continue
			}
			if want[from] == nil {
				want[from] = map[string]bool{}
			}
			for i, name := range r.Columns {
				want[from][name] = want[from][name] || to.columns[r.ToColumns[i]].trims
			}
		}
		changed := false
		for sh, columns := range want {
			for name, trims := range columns {
				if c := sh.columns[name]; c.trims != trims {
					c.trims, changed = trims, true
					sh.columns[name] = c
				}
			}
		}
		if !changed {
			return
		}
	}
}

// readObjects reads the schema table without the server's own objects.
func readObjects(ctx context.Context, c *conn) ([]object, error) {
	var out []object
	err := c.each(ctx, "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid", nil, func(row []driver.Value) error {
		o := object{str(row[0]), str(row[1]), str(row[2]), str(row[3])}
		if !isOwn(o.table) {
			out = append(out, o)
		}
		return nil
	})
	return out, err
}

// tableKinds gives table, view, virtual or shadow for each name.
func tableKinds(ctx context.Context, c *conn) (map[string]string, error) {
	out := map[string]string{}
	err := c.each(ctx, "SELECT name, type FROM pragma_table_list WHERE schema='main'", nil, func(row []driver.Value) error {
		out[str(row[0])] = str(row[1])
		return nil
	})
	return out, err
}

// tableReader reads one table.
type tableReader struct {
	ctx        context.Context
	c          *conn
	all        []string
	shape      *shape
	table      schema.Table
	references []schema.Reference
	text       tableText
	pk         []string // in key order
	notes      []string
	loose      []loose
	trimmed    []string   // columns that a unique index compares without trailing spaces
	leading    [][]string // columns of indexes, for finding rows by a foreign key
}

func (x *tableReader) read(name string) error {
	x.table = schema.Table{Name: schema.Name{Schema: mainSchema, Table: name}, Rows: -1, Bytes: -1}
	if x.shape.virtual {
		x.notes = append(x.notes, "virtual table")
		v := parseVirtual(x.shape.sql)
		x.shape.module, x.shape.kept = v.module, v.carriage
	} else {
		x.text = parseTable(name, x.shape.sql)
		x.shape.autoincrement = x.text.autoincrement
	}
	for _, step := range []func() error{x.readColumns, x.readKeys, x.readReferences, x.estimate} {
		if err := step(); err != nil {
			return err
		}
	}
	x.fillShape()
	x.readChecks()
	if err := x.readComputed(); err != nil {
		return err
	}
	x.table.Note = strings.Join(x.notes, "; ")
	return nil
}

func (x *tableReader) readColumns() error {
	type ranked struct {
		name string
		rank int64
	}
	var pk []ranked
	err := x.c.each(x.ctx, "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid", []any{x.table.Name.Table}, func(row []driver.Value) error {
		hidden, _ := row[5].(int64)
		if hidden == 1 {
			return nil
		}
		if str(row[0]) == "" {
			return nameless("a column of " + x.table.Name.String())
		}
		notNull, _ := row[2].(int64)
		col := schema.Column{Name: str(row[0]), Type: str(row[1]), NotNull: notNull != 0, Default: str(row[3]), Generated: hidden == 2 || hidden == 3}
		if col.Generated {
			col.Type = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(col.Type), "GENERATED ALWAYS"))
		}
		describe(&col)
		if x.text.collations[small(col.Name)] == "NOCASE" {
			foldCase(&col)
		}
		if rank, _ := row[4].(int64); rank > 0 {
			pk = append(pk, ranked{col.Name, rank})
		}
		x.table.Columns = append(x.table.Columns, col)
		return nil
	})
	slices.SortFunc(pk, func(a, b ranked) int { return int(a.rank - b.rank) })
	for _, p := range pk {
		x.pk = append(x.pk, p.name)
	}
	if x.shape.withoutRowid {
		x.shape.primary = x.pk
		for _, p := range x.pk {
			x.table.Column(p).NotNull = true
		}
	}
	return err
}

// column finds a column as SQLite does, without regard to case.
func column(t *schema.Table, name string) *schema.Column {
	for i := range t.Columns {
		if sameName(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

type index struct {
	name, origin       string
	unique, partial    bool
	columns            []string
	expression, nocase bool
	rtrim              bool
	foreign            bool // a part has another collation than its column
}

func (x *tableReader) indexes() ([]index, error) {
	var out []index
	err := x.c.each(x.ctx, "SELECT name, \"unique\", origin, partial FROM pragma_index_list(?) ORDER BY name", []any{x.table.Name.Table}, func(row []driver.Value) error {
		out = append(out, index{name: str(row[0]), unique: str(row[1]) == "1", origin: str(row[2]), partial: str(row[3]) == "1"})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		ix := &out[i]
		err := x.c.each(x.ctx, "SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key=1 ORDER BY seqno", []any{ix.name}, func(row []driver.Value) error {
			if cid, _ := row[0].(int64); cid >= 0 {
				ix.columns = append(ix.columns, str(row[1]))
				ix.foreign = ix.foreign || !sameName(str(row[2]), x.text.collation(str(row[1])))
			} else if cid == -2 {
				ix.expression = true
			}
			ix.nocase = ix.nocase || sameName(str(row[2]), "NOCASE")
			ix.rtrim = ix.rtrim || sameName(str(row[2]), "RTRIM")
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (x *tableReader) readKeys() error {
	list, err := x.indexes()
	if err != nil {
		return err
	}
	hasPrimary := false
	for i := range list {
		ix := &list[i]
		if ix.expression {
			if err := x.expressionColumns(ix); err != nil {
				return err
			}
		}
		if !ix.unique {
			continue
		}
		if !ix.partial && !ix.expression && !ix.foreign {
			x.shape.targets = append(x.shape.targets, folded(ix.columns))
		}
		hasPrimary = hasPrimary || ix.origin == "pk"
		x.addKey(schema.Key{Name: ix.name, Columns: ix.columns, Primary: ix.origin == "pk", Partial: ix.partial, Expression: ix.expression})
		for _, name := range ix.columns {
			if ix.nocase {
				foldCase(x.table.Column(name))
			}
			if ix.rtrim {
				x.trimmed = append(x.trimmed, name)
			}
		}
	}
	if !hasPrimary && len(x.pk) == 1 && !x.shape.virtual { // INTEGER PRIMARY KEY is the row's number and has no index
		alias := x.table.Column(x.pk[0])
		alias.NotNull, alias.Surrogate = true, true
		x.shape.targets = append(x.shape.targets, folded(x.pk))
		x.addKey(schema.Key{Name: x.table.Name.Table + "_pkey", Columns: x.pk, Primary: true})
	}
	x.surrogateDefault()
	if x.shape.virtual {
		x.completeVirtual()
	}
	return x.markIndexed(list)
}

// surrogateDefault marks a single-column key whose default makes random values.
func (x *tableReader) surrogateDefault() {
	for _, k := range x.table.Keys {
		if len(k.Columns) != 1 || !k.Primary {
			continue
		}
		if c := x.table.Column(k.Columns[0]); strings.Contains(small(c.Default), "randomblob") {
			c.Surrogate = true
		}
	}
}

func (x *tableReader) addKey(k schema.Key) {
	k.NotNull = len(k.Columns) > 0
	for _, name := range k.Columns {
		c := x.table.Column(name)
		k.NotNull = k.NotNull && c != nil && c.NotNull
	}
	x.table.Keys = append(x.table.Keys, k)
}

// expressionColumns finds the columns that an index on expressions reads.
func (x *tableReader) expressionColumns(ix *index) error {
	sql, err := x.c.text(x.ctx, "SELECT sql FROM sqlite_schema WHERE type='index' AND name=?", ix.name)
	if err != nil {
		return err
	}
	all := tokens(sql)
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return nil
	}
	ix.columns = nil
	for _, t := range all[open : matching(all, open)+1] {
		id, ok := t.name()
		if c := column(&x.table, id); ok && t.kind != stringLit && c != nil && !slices.Contains(ix.columns, c.Name) {
			ix.columns = append(ix.columns, c.Name)
		}
	}
	return nil
}

func (x *tableReader) readReferences() error {
	type part struct {
		to, from, column string
		id               int64
	}
	var parts []part
	err := x.c.each(x.ctx, "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?) ORDER BY id, seq", []any{x.table.Name.Table}, func(row []driver.Value) error {
		id, _ := row[0].(int64)
		parts = append(parts, part{to: str(row[1]), from: str(row[2]), column: str(row[3]), id: id})
		return nil
	})
	if err != nil {
		return err
	}
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].id == parts[0].id {
			n++
		}
		r := schema.Reference{From: x.table.Name}
		var to []string
		for _, p := range parts[:n] {
			c := column(&x.table, p.from)
			r.Columns = append(r.Columns, c.Name)
			if p.column != "" {
				to = append(to, p.column)
			}
		}
		if err := x.addReference(r, parts[0].to, to, parts[0].id); err != nil {
			return err
		}
		parts = parts[n:]
	}
	return nil
}

// addReference resolves the referenced end: SQLite ignores case, takes the
// primary key where no columns are named, and lets the table be missing or a view.
func (x *tableReader) addReference(r schema.Reference, table string, to []string, id int64) error {
	i := slices.IndexFunc(x.all, func(n string) bool { return sameName(n, table) })
	if i < 0 {
		kind, err := x.c.text(x.ctx, "SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ? COLLATE NOCASE", table)
		why := "its parent " + schema.Ident(table) + " does not exist"
		switch kind {
		case "view":
			why = "its parent " + schema.Ident(table) + " is a view"
		case "table":
			why = "its parent " + schema.Ident(table) + " is not a table of the application"
		}
		x.loosen(r, id, why)
		return err
	}
	r.To = schema.Name{Schema: mainSchema, Table: x.all[i]}
	var pk, named []string
	err := x.c.each(x.ctx, "SELECT name, pk FROM pragma_table_xinfo(?) ORDER BY pk, cid", []any{x.all[i]}, func(row []driver.Value) error {
		if rank, _ := row[1].(int64); rank > 0 {
			pk = append(pk, str(row[0]))
		}
		for _, t := range to {
			if sameName(t, str(row[0])) {
				named = append(named, str(row[0]))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.ToColumns = pk
	if len(to) > 0 {
		r.ToColumns = make([]string, 0, len(to))
		for _, t := range to {
			if k := slices.IndexFunc(named, func(n string) bool { return sameName(n, t) }); k >= 0 {
				r.ToColumns = append(r.ToColumns, named[k])
			}
		}
	}
	if len(r.ToColumns) != len(r.Columns) {
		x.loosen(r, id, "its columns do not match the key of its parent "+r.To.String())
		return nil
	}
	r.Name = x.referenceName(r, id)
	x.references = append(x.references, r)
	if c := x.table.Column(r.Columns[0]); len(r.Columns) == 1 && c.Surrogate {
		c.Surrogate = false // its values come from the referenced table
	}
	return nil
}

// loosen puts a foreign key that points at nothing aside.
func (x *tableReader) loosen(r schema.Reference, id int64, why string) {
	x.loose = append(x.loose, loose{from: x.table.Name, name: x.referenceName(r, id), columns: r.Columns, why: why})
}

// referenceName takes the name from the text; the pragma numbers foreign keys from the last one written.
func (x *tableReader) referenceName(r schema.Reference, id int64) string {
	if i := len(x.text.foreignKeys) - 1 - int(id); i >= 0 && i < len(x.text.foreignKeys) && x.text.foreignKeys[i] != "" {
		return x.text.foreignKeys[i]
	}
	return x.table.Name.Table + "_" + strings.Join(r.Columns, "_") + "_fkey"
}

// markIndexed runs before the references are read; it keeps the leading columns for them.
func (x *tableReader) markIndexed(list []index) error {
	x.shape.columns = map[string]columnShape{}
	for _, ix := range list {
		if !ix.partial && !ix.expression {
			x.leading = append(x.leading, ix.columns)
		}
	}
	if len(x.pk) > 0 {
		x.leading = append(x.leading, x.pk)
	}
	return nil
}

// estimate takes the statistics where there are any; else it counts, up to a
// bound, and past the bound takes the highest row number for the count.
func (x *tableReader) estimate() error {
	for i := range x.references {
		x.references[i].Indexed = leads(x.leading, x.references[i].Columns)
	}
	if x.shape.virtual {
		return nil
	}
	const bound = 100_000
	name := quote(x.table.Name.Table)
	n, err := x.c.integer(x.ctx, "SELECT count(*) FROM (SELECT 1 FROM "+name+" LIMIT "+strconv.Itoa(bound)+")")
	if err == nil && n == bound && !x.shape.withoutRowid {
		if rowid := rowidName(&x.table); rowid != "" {
			n, err = x.c.integer(x.ctx, "SELECT max("+rowid+") FROM "+name)
		}
	}
	x.table.Rows = n
	return err
}

// leads tells whether one of the column lists begins with columns, in any order.
func leads(lists [][]string, columns []string) bool {
	for _, l := range lists {
		if len(l) < len(columns) {
			continue
		}
		all := true
		for _, c := range columns {
			all = all && slices.Contains(l[:len(columns)], c)
		}
		if all {
			return true
		}
	}
	return false
}

func (x *tableReader) fillShape() {
	if !x.shape.withoutRowid {
		x.shape.rowid = rowidName(&x.table)
	}
	for i := range x.table.Columns {
		c := &x.table.Columns[i]
		shape := columnShape{collation: x.text.collation(c.Name)}
		shape.trims = shape.collation == "RTRIM" || slices.Contains(x.trimmed, c.Name)
		x.shape.columns[c.Name] = shape
	}
}

// rowidName gives a name of the row's number that no column has taken.
func rowidName(t *schema.Table) string {
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if column(t, name) == nil {
			return name
		}
	}
	for _, k := range t.Keys {
		if k.Primary && len(k.Columns) == 1 && sameName(t.Column(k.Columns[0]).Type, "INTEGER") {
			return quote(k.Columns[0])
		}
	}
	return ""
}

// readComputed lists what the database computes of the table's rows.
func (x *tableReader) readComputed() error {
	if x.shape.virtual {
		return nil
	}
	made := readComputed(&x.table, x.shape.sql)
	for _, name := range slices.Sorted(maps.Keys(made)) {
		x.table.Computed = append(x.table.Computed, name+" = "+made[name].expr)
	}
	indexes, err := readIndexed(x.ctx, x.c, &x.table, false)
	for _, i := range indexes {
		plain := func(part string) bool {
			return slices.ContainsFunc(x.table.Columns, func(c schema.Column) bool { return quote(c.Name) == part })
		}
		if i.predicate != "" || slices.ContainsFunc(i.parts, func(part string) bool { return !plain(part) }) {
			x.table.Computed = append(x.table.Computed, "index on "+strings.Join(i.parts, ", ")+" where "+i.predicate)
		}
	}
	return err
}

func (x *tableReader) readChecks() {
	for _, c := range x.text.checks {
		check := schema.Check{Name: c.name, Expr: c.expr, Valid: true}
		for _, col := range x.table.Columns {
			if slices.Contains(c.reads, small(col.Name)) {
				check.Columns = append(check.Columns, col.Name)
			}
		}
		if call := tokens(c.expr); len(call) == 4 && call[0].is("json_valid") && len(check.Columns) == 1 {
			if of := x.table.Column(check.Columns[0]); of.Kind == schema.Text { // the type that documents have here
				of.Kind = schema.JSON
			}
		}
		slices.Sort(check.Columns)
		x.table.Checks = append(x.table.Checks, check)
	}
	x.shape.checks = x.table.Checks
}

// nameless refuses what SQLite alone lets have the empty name: a rule could not be told
// from one that forgot it.
func nameless(what string) error {
	return &engine.Error{Code: engine.Unsupported, Doing: "read the structure", Say: what + " has the empty name", Hint: "give it a name: ALTER TABLE ... RENAME"}
}

// unsupported tells that a table cannot be carried, and why.
func unsupported(doing string, table schema.Name, say string) error {
	return &engine.Error{Code: engine.Unsupported, Doing: doing, Table: table, Say: say}
}
