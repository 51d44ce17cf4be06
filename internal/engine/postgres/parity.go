package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// A factReader collects the facts about tables from pg_catalog, six
// queries for a whole database.
type factReader struct {
	ctx     context.Context
	conn    *sql.Conn
	facts   []catalog.Fact
	schemas []string          // that were read
	oids    []string          // of the relations that were read
	tables  map[string]string // by oid
	kinds   map[string]string // by oid
	names   []string          // schema NUL table, for Atlas's view
	keys    []string          // schema NUL table NUL constraint: foreign keys that somebody declared
	alone   map[string][]func() catalog.Fact
	version int // of the server, as server_version_num
}

func (r *factReader) all(schemas []string) error {
	version, err := r.rows("SELECT current_setting('server_version_num')")
	if err != nil {
		return err
	}
	r.version = int(number([]byte(version[0][0])))
	for _, read := range []func() error{
		func() error { return r.readSchemas(schemas) }, r.readTables, r.readColumns, r.readPartitions, r.readConstraints, r.readIndexes, r.readEnums,
	} {
		if err := read(); err != nil {
			return err
		}
	}
	r.declareColumns()
	return nil
}

// rows runs a query and gives every row as text, NULL as the empty text.
func (r *factReader) rows(query string, args ...any) ([][]string, error) {
	rows, err := r.conn.QueryContext(r.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for rows.Next() {
		row, at := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range row {
			at[i] = &row[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = v.String
		}
		out = append(out, line)
	}
	return out, rows.Err()
}

// readSchemas finds the schemas: those asked for, or all that are not the
// server's, an extension's or understudy's own.
func (r *factReader) readSchemas(schemas []string) error {
	rows, err := r.rows(`
SELECT n.nspname FROM pg_namespace n
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('understudy', 'understudy_next')
  AND ($1 = '{}'::text[] OR n.nspname = ANY ($1))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_namespace'::regclass AND d.objid = n.oid AND d.deptype = 'e')
ORDER BY 1`, nonNil(schemas))
	for _, row := range rows {
		r.schemas = append(r.schemas, row[0])
	}
	return err
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// part adds a piece unless it is empty, with the statements that give it to an
// object, take it away and, if that is another one, add it.
func part(parts *[]catalog.Part, name, text string, closing ...string) {
	if text == "" {
		return
	}
	p := catalog.Part{Name: name, Text: text}
	if len(closing) > 0 {
		p.Alter, p.Clear = closing[0], closing[1]
	}
	if len(closing) > 2 {
		p.Add = closing[2]
	}
	*parts = append(*parts, p)
}

func (r *factReader) readTables() error {
	rows, err := r.rows(`
SELECT c.oid::text, n.nspname, c.relname, c.relkind::text,
  CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
  pg_get_partkeydef(c.oid),
  CASE WHEN c.relispartition THEN (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = c.oid LIMIT 1) END,
  pg_get_expr(c.relpartbound, c.oid),
  (SELECT string_agg(o, ', ' ORDER BY o) FROM (SELECT unnest(c.reloptions) UNION ALL SELECT 'toast.' || unnest(b.reloptions) FROM pg_class b WHERE b.oid = c.reltoastrelid) x (o)),
  CASE WHEN c.relreplident <> 'd' THEN c.relreplident::text END,
  CASE WHEN c.relkind IN ('r', 'm') AND a.amname <> 'heap' THEN a.amname END,
  obj_description(c.oid, 'pg_class'),
  (SELECT string_agg(quote_ident(t.attname), E'\n' ORDER BY t.attnum) FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped),
  v.srvname, `+harmless("f.ftoptions")+`
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid LEFT JOIN pg_foreign_server v ON v.oid = f.ftserver
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname = ANY ($1)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`, nonNil(r.schemas))
	for _, row := range rows {
		oid := row[0]
		name := schema.Name{Schema: row[1], Table: row[2]}.String()
		r.oids = append(r.oids, oid)
		r.tables[oid] = name
		if row[6] == "" && row[3] == "m" { // a view is not ours, its indexes are
			r.kinds[oid] = "materialized view"
			continue
		}
		f := r.tableFact(name, row)
		r.kinds[oid] = f.Kind
		switch {
		case f.Kind != "partition":
			r.names = append(r.names, row[1]+"\x00"+row[2])
		default:
			r.alone[name] = append(r.alone[name], func() catalog.Fact {
				row := slices.Clone(row)
				row[6] = ""
				f := r.tableFact(name, row)
				f.Create, f.Drop = "", ""
				return f
			})
		}
		r.facts = append(r.facts, f)
	}
	return err
}

// tableFact tells one row of readTables'.
func (r *factReader) tableFact(name string, row []string) catalog.Fact {
	f := catalog.Fact{Kind: "table", Object: name, Table: name}
	switch {
	case row[6] != "": // a partition, whose columns are its parent's
		f.Kind, f.Table, f.Definition = "partition", row[6], "PARTITION OF "+row[6]+" "+row[7]
	case row[3] == "f":
		f.Kind = "foreign table"
	}
	part(&f.Parts, "partition key", row[5])
	if f.Kind != "partition" {
		part(&f.Parts, catalog.ColumnOrder, row[12])
	}
	table := sqlName(name)
	alter := "ALTER TABLE " + table + " "
	part(&f.Parts, "persistence", row[4], alter+"SET UNLOGGED", alter+"SET LOGGED")
	part(&f.Parts, "storage options", row[8], alter+"SET ("+row[8]+")", alter+"RESET ("+optionNames(row[8])+")")
	identity := map[string]string{"f": alter + "REPLICA IDENTITY FULL", "n": alter + "REPLICA IDENTITY NOTHING"}[row[9]]
	part(&f.Parts, "replica identity", row[9], identity, alter+"REPLICA IDENTITY DEFAULT")
	part(&f.Parts, "access method", row[10])
	part(&f.Parts, "server", row[13])
	part(&f.Parts, "foreign options", row[14])
	part(&f.Parts, "comment", row[11], "COMMENT ON TABLE "+table+" IS "+literal(row[11]), "COMMENT ON TABLE "+table+" IS NULL")
	f.Create = r.createTable(f, row)
	if f.Create != "" {
		f.Drop = "DROP TABLE " + table
	}
	if f.Kind == "partition" {
		for _, p := range f.Parts {
			if (p.Name == "comment" || p.Name == "replica identity") && p.Alter != "" {
				f.Create += ";\n" + p.Alter
			}
		}
		f.Clear = "ALTER TABLE " + f.Table + " DETACH PARTITION " + table
		f.Alter = "ALTER TABLE " + f.Table + " ATTACH PARTITION " + table + " " + row[7]
	}
	return f
}

// sqlName writes an object's name as statements want it: the names of facts leave
// out quotes around words that SQL reserves.
func sqlName(object string) string {
	parts, err := schema.ParseName(object)
	if err != nil {
		return object
	}
	for i, p := range parts {
		parts[i] = quote(p)
	}
	return strings.Join(parts, ".")
}

// optionNames leaves the values of storage options out.
func optionNames(options string) string {
	list := strings.Split(options, ", ")
	for i, o := range list {
		list[i], _, _ = strings.Cut(o, "=")
	}
	return strings.Join(list, ", ")
}

// createTable writes the statement that makes a table; its columns are filled in
// when they are read. Atlas would leave out what it does not model.
func (r *factReader) createTable(f catalog.Fact, row []string) string {
	var tail []string
	if row[5] != "" {
		tail = append(tail, " PARTITION BY "+row[5])
	}
	if row[10] != "" {
		tail = append(tail, " USING "+row[10])
	}
	if row[8] != "" {
		tail = append(tail, " WITH ("+row[8]+")")
	}
	words := "CREATE TABLE "
	if row[4] != "" {
		words = "CREATE UNLOGGED TABLE "
	}
	switch f.Kind {
	case "partition":
		return words + sqlName(f.Object) + " " + f.Definition + strings.Join(tail, "")
	case "table":
		return words + sqlName(f.Object) + " (" + columnsHere + ")" + strings.Join(tail, "")
	}
	return ""
}

// columnsHere stands in a statement until the columns are known. No name holds it.
const columnsHere = "\x00columns\x00"

// declareColumns puts the columns into the statements that make tables, and what
// is said of both behind them.
func (r *factReader) declareColumns() {
	columns, after := make(map[string][]string), make(map[string][]string)
	order := make(map[string][]string)
	for _, f := range r.facts {
		if f.Kind == "table" {
			for _, p := range f.Parts {
				switch {
				case p.Name == catalog.ColumnOrder:
					order[f.Object] = catalog.Listed(p.Text)
				case (p.Name == "comment" || p.Name == "replica identity") && p.Alter != "":
					after[f.Object] = append(after[f.Object], p.Alter)
				}
			}
		}
	}
	declared := make(map[string]string)
	for _, f := range r.facts {
		if f.Kind != "column" {
			continue
		}
		declared[f.Object] = declaration(f)
		for _, p := range f.Parts {
			if besideDeclared(p) {
				after[f.Table] = append(after[f.Table], p.Alter)
			}
		}
	}
	for table, names := range order {
		for _, n := range names {
			if parts, err := schema.ParseName(n); err == nil {
				columns[table] = append(columns[table], n+" "+declared[table+"."+schema.Ident(parts[0])])
			}
		}
	}
	for i, f := range r.facts {
		if f.Kind == "table" {
			r.facts[i].Create = strings.Join(append([]string{strings.Replace(f.Create, columnsHere, strings.Join(columns[f.Object], ", "), 1)}, after[f.Object]...), ";\n")
		}
	}
}

// declaration writes a column's definition without its name.
func declaration(f catalog.Fact) string {
	part := func(name string) string {
		for _, p := range f.Parts {
			if p.Name == name {
				return p.Text
			}
		}
		return ""
	}
	out := part("type")
	if c := part("collation"); c != "" {
		out += " COLLATE " + c
	}
	if d := part("default"); d != "" {
		out += " DEFAULT " + d
	}
	if g := part("generated"); len(g) > 2 {
		out += " GENERATED ALWAYS AS (" + g[2:] + ")" + map[byte]string{'s': " STORED", 'v': " VIRTUAL"}[g[0]]
	}
	if i := part("identity"); i != "" {
		out += " " + identityClause(i, part("identity numbers"))
	}
	if named := part(notNullName); named != "" && !strings.HasSuffix(named, "NOT VALID") { // which is said behind it
		out += " " + notNull(named, "")
	} else if part("null") != "" && named == "" {
		out += " NOT NULL"
	}
	return out
}

// notNullName is the part of a column that tells of its NOT NULL as a constraint.
const notNullName = "not null constraint"

// serverNotNull is the name that a server gives a column's NOT NULL as a constraint.
func serverNotNull(table, column string) string {
	return table + "_" + column + "_not_null"
}

// notNullPart writes notNullName's part.
func notNullPart(table, column, text string) catalog.Part {
	bare := table
	if parts, err := schema.ParseName(table); err == nil {
		bare = parts[len(parts)-1]
	}
	usual, alter := serverNotNull(bare, column), "ALTER TABLE "+sqlName(table)+" ALTER "+quote(column)+" "
	out := catalog.Part{Name: notNullName, Text: text}
	if rename := "ALTER TABLE " + sqlName(table) + " RENAME CONSTRAINT "; len(usual) <= nameLimit && !strings.HasSuffix(text, "NO INHERIT") && !strings.HasSuffix(text, "NOT VALID") {
		out.Clear, out.Add = rename+text+" TO "+quote(usual), rename+quote(usual)+" TO "+text
		return out
	}
	out.Alter = alter + "DROP NOT NULL;\nALTER TABLE " + sqlName(table) + " ADD " + notNull(text, quote(column))
	out.Clear = alter + "DROP NOT NULL;\n" + alter + "SET NOT NULL"
	return out
}

// followNotNull has a column that is called otherwise keep the old name in its NOT NULL's,
// as servers do since 18, which give it one.
func followNotNull(column catalog.Fact, was, is string) []catalog.Part {
	old, err := schema.ParseName(was)
	now, bad := schema.ParseName(is)
	forced := slices.ContainsFunc(column.Parts, func(p catalog.Part) bool { return p.Name == "null" })
	if err != nil || bad != nil || len(old) < 2 || len(now) < 2 || !forced || column.Through != "" {
		return column.Parts
	}
	before, usual := serverNotNull(old[len(old)-2], old[len(old)-1]), serverNotNull(now[len(now)-2], now[len(now)-1])
	if max(len(before), len(usual)) > nameLimit { // the server cuts them, in more than one way
		return column.Parts
	}
	name, rest := "", ""
	parts := slices.DeleteFunc(slices.Clone(column.Parts), func(p catalog.Part) bool {
		if p.Name == notNullName {
			name, rest = splitNotNull(p.Text)
		}
		return p.Name == notNullName
	})
	if name = cmp.Or(name, schema.Ident(before)); name == schema.Ident(usual) {
		name = ""
	}
	if text := strings.TrimSpace(name + rest); text != "" {
		parts = append(parts, notNullPart(column.Table, now[len(now)-1], text))
	}
	return parts
}

// splitNotNull parts what is told of a NOT NULL as a constraint into its name, if that
// is said, and the words behind.
func splitNotNull(told string) (name, rest string) {
	name = told
	for _, words := range []string{" NOT VALID", " NO INHERIT"} {
		if before, ok := strings.CutSuffix(" "+name, words); ok {
			name, rest = strings.TrimPrefix(before, " "), words+rest
		}
	}
	return name, rest
}

// notNull writes what is told of a NOT NULL as a constraint, of a column where that is
// not said by its place.
func notNull(told, column string) string {
	name, rest := splitNotNull(told)
	out := ""
	if name != "" {
		out = " CONSTRAINT " + name
	}
	return strings.TrimSpace(out+" NOT NULL "+column) + rest
}

// identityClause writes what readColumns tells of an identity as it is declared.
func identityClause(how, numbers string) string {
	return "GENERATED " + strings.ToUpper(how) + " AS IDENTITY (" + numbers + ")"
}

// sequenceOf is a subquery named s, whose id is the sequence of an identity column. A
// serial's may belong to the column too, until it is dropped.
func sequenceOf(table, column string) string {
	return "(SELECT d.objid::pg_catalog.regclass FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE d.deptype = 'i' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass" +
		" AND d.refobjid = " + literal(sqlName(table)) + "::pg_catalog.regclass AND a.attname = " + literal(column) + ") s (id)"
}

// renumber writes the statements that give an identity other numbers. One that stands at
// a number beyond them begins anew.
func renumber(alter, kind, sequence, numbers string) string {
	words := strings.Fields(numbers)
	var set string
	for i := 0; i+1 < len(words) && i < 10; i += 2 {
		set += "SET " + strings.ToUpper(words[i]) + " " + words[i+1] + " "
	}
	least, most := limitsOf(kind)
	return strings.Join([]string{alter + "SET MINVALUE " + least + " SET MAXVALUE " + most,
		"SELECT pg_catalog.setval(s.id, " + words[1] + ", false) FROM " + sequence + " JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.id WHERE coalesce(pg_catalog.pg_sequence_last_value(s.id), q.seqstart) NOT BETWEEN " + words[3] + " AND " + words[5],
		alter + set + "SET " + strings.ToUpper(strings.Join(words[10:], " "))}, ";\n")
}

func (r *factReader) readColumns() error {
	compression, forced := "''", "NULL"
	if r.version >= 140000 {
		compression = "CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END"
	}
	if r.version >= 180000 { // where NOT NULL has a name of its own, and more
		forced = `(SELECT nullif(concat_ws(' ', CASE WHEN k.conname <> left(c.relname || '_' || a.attname || '_not_null', 63) THEN quote_ident(k.conname) END, CASE WHEN k.connoinherit THEN 'NO INHERIT' END, CASE WHEN NOT k.convalidated THEN 'NOT VALID' END), '')
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND (k.conislocal OR c.relispartition))`
	}
	// pg_attver is the server's own count of a column's changes, kept among its options since
	// the minor releases of November 2026 (15.20); pg_dump leaves it out too.
	rows, err := r.rows(`
SELECT a.attrelid::bigint::text, a.attname, format_type(a.atttypid, a.atttypmod),
  CASE WHEN a.attnotnull THEN 'NOT NULL' END,
  CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
  CASE WHEN a.attgenerated <> '' THEN a.attgenerated::text || ' ' || pg_get_expr(d.adbin, d.adrelid) END,
  CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
  CASE WHEN a.attidentity <> '' THEN (SELECT format('start %s minvalue %s maxvalue %s increment %s cache %s %s', s.seqstart, s.seqmin, s.seqmax, s.seqincrement, s.seqcache,
        CASE WHEN s.seqcycle THEN 'cycle' ELSE 'no cycle' END)
      FROM pg_depend p JOIN pg_sequence s ON s.seqrelid = p.objid
      WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum AND p.deptype = 'i' LIMIT 1) END,
  CASE WHEN a.attcollation <> t.typcollation THEN (SELECT quote_ident(n.nspname) || '.' || quote_ident(c.collname) FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE c.oid = a.attcollation) END,
  CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END,
  col_description(a.attrelid, a.attnum), `+compression+`, CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END,
  (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'), `+harmless("a.attfdwoptions")+`, `+forced+`,
  (SELECT 'key' FROM pg_partitioned_table q WHERE q.partrelid = a.attrelid AND a.attnum = ANY (q.partattrs)),
  (SELECT 'by its text' WHERE EXISTS (SELECT FROM pg_type e WHERE e.oid IN (t.oid, t.typelem, t.typbasetype) AND e.typtype IN ('e', 'c', 'r', 'm'))),
  CASE WHEN a.attinhcount > 0 THEN (SELECT i.inhparent::bigint::text FROM pg_inherits i JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname AND NOT p.attisdropped WHERE i.inhrelid = a.attrelid ORDER BY i.inhseqno LIMIT 1) END,
  CASE WHEN a.attislocal THEN 'own' END, t.typstorage::text, CASE WHEN o.relhassubclass THEN o.relkind::text END
FROM pg_attribute a JOIN pg_class o ON o.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid::bigint = ANY ($1::text[]::bigint[]) AND a.attnum > 0 AND NOT a.attisdropped`, nonNil(r.oids))
	for _, row := range rows {
		table := r.tables[row[0]]
		switch r.kinds[row[0]] {
		case "partition":
			row[6], row[7], row[len(row)-4] = "", "", "" // which only a table of its own has, or what has heirs
			r.alone[table] = append(r.alone[table], func() catalog.Fact { return r.columnFact(table, row) })
		case "materialized view":
		default:
			r.facts = append(r.facts, r.columnFact(table, row))
		}
	}
	return err
}

// columnFact tells one row of readColumns'.
func (r *factReader) columnFact(table string, row []string) catalog.Fact {
	f := catalog.Fact{Kind: "column", Object: table + "." + schema.Ident(row[1]), Table: table}
	if parent := r.tables[row[len(row)-4]]; parent != "" {
		f.Through = parent + "." + schema.Ident(row[1])
		if row[len(row)-3] != "" {
			f.Through, f.Under = "", f.Through
		}
	}
	alter := "ALTER TABLE " + sqlName(table) + " ALTER " + quote(row[1]) + " "
	// What heirs have is told of each; what partitions have where it is not their table's.
	alone, all := alter, alter
	if row[len(row)-1] != "" {
		alone = "ALTER TABLE ONLY " + strings.TrimPrefix(alter, "ALTER TABLE ")
	}
	if row[len(row)-1] == "r" {
		all = alone
	}
	storage := map[string]string{"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
	for i, name := range []string{"type", "null", "default", "generated", "identity", "identity numbers", "collation", "storage", "comment", "compression", "statistics target", "column options", "foreign options", notNullName} {
		text := row[i+2]
		if text == "" {
			continue
		}
		switch name {
		case "type":
			if row[16] != "" {
				part(&f.Parts, name, text, "-- no statement: its table is parted by it, and is to be made anew", "")
				continue
			}
			as := alter + "TYPE " + text
			if row[8] != "" {
				as += " COLLATE " + row[8]
			}
			if row[5] != "" {
				part(&f.Parts, name, text, as, "")
				continue
			}
			value, through, list := quote(row[1]), "", "" // nothing but a text becomes an enum, a composite or a range of another name
			if row[len(row)-5] != "" {
				through, list = "::text", "::text[]"
			}
			part(&f.Parts, name, text, as+" USING "+value+through+"::"+text, "")
			own := &f.Parts[len(f.Parts)-1]
			own.Many = as + " USING CASE WHEN " + value + " IS NOT NULL THEN ARRAY[" + value + "]" + list + "::" + text + " END"
			// Several do not become one, unless it is a text.
			own.One = as + " USING CASE WHEN cardinality(" + value + ") > 1 THEN " + value + "::text::" + text + " ELSE (" + value + ")[1]" + through + "::" + text + " END"
		case "null":
			how := all
			if r.version >= 180000 { // heirs cannot be without what their table has
				how = alter
			}
			part(&f.Parts, name, text, how+"SET NOT NULL", how+"DROP NOT NULL")
			if r.version >= 180000 {
				f.Parts[len(f.Parts)-1].Follows = catalog.Follows{Column: cmp.Or(f.Through, f.Under), Part: name}
			}
		case "default":
			part(&f.Parts, name, text, all+"SET DEFAULT "+text, all+"DROP DEFAULT")
		case "identity", "identity numbers": // both come and go as one
			given, again := row[7], alter+"SET GENERATED "+strings.ToUpper(text)
			if name == "identity numbers" {
				again = renumber(alter, row[2], sequenceOf(table, row[1]), given)
			}
			add := alter + "ADD " + identityClause(row[6], given)
			if !strings.Contains(given, "increment -") { // past those of rows that are there already
				add += ";\nSELECT pg_catalog.setval((SELECT s.id FROM " + sequenceOf(table, row[1]) + "), max(" + quote(row[1]) + ")) FROM " + sqlName(table) + " HAVING max(" + quote(row[1]) + ") IS NOT NULL"
			}
			part(&f.Parts, name, text, again, alter+"DROP IDENTITY", add)
		case "collation":
			part(&f.Parts, name, text, alter+"TYPE "+row[2]+" COLLATE "+text, alter+"TYPE "+row[2])
		case "storage":
			part(&f.Parts, name, text, all+"SET STORAGE "+storage[text], all+"SET STORAGE "+storage[row[len(row)-2]])
		case "compression":
			part(&f.Parts, name, text, alter+"SET COMPRESSION "+text, alter+"SET COMPRESSION DEFAULT")
		case "statistics target":
			part(&f.Parts, name, text, alone+"SET STATISTICS "+text, alone+"SET STATISTICS -1")
		case notNullName: // by a name that is not the server's own, or one that is not valid, or not inherited
			f.Parts = append(f.Parts, notNullPart(table, row[1], text))
		case "column options":
			part(&f.Parts, name, text, alter+"SET ("+text+")", alter+"RESET ("+optionNames(text)+")")
		case "comment":
			part(&f.Parts, name, text, "COMMENT ON COLUMN "+sqlName(table)+"."+quote(row[1])+" IS "+literal(text), "COMMENT ON COLUMN "+sqlName(table)+"."+quote(row[1])+" IS NULL")
		default:
			part(&f.Parts, name, text)
		}
	}
	f.Create, f.Drop = "ALTER TABLE "+sqlName(table)+" ADD COLUMN "+quote(row[1])+" "+declaration(f), "ALTER TABLE "+sqlName(table)+" DROP COLUMN "+quote(row[1])
	for i := range f.Parts {
		if p := &f.Parts[i]; p.Name == "generated" { // it holds nothing of its own
			p.Add = f.Drop + ", ADD COLUMN " + quote(row[1]) + " " + declaration(f)
			p.Alter = p.Add
			if p.Text[0] == 's' { // else it has no values to keep
				p.Clear = alter + "DROP EXPRESSION"
			}
			if r.version >= 170000 {
				p.Alter = alter + "SET EXPRESSION AS (" + strings.TrimSpace(p.Text[1:]) + ")"
			}
		}
	}
	for _, p := range f.Parts {
		if besideDeclared(p) {
			f.Create += ";\n" + p.Alter
			if p.Name == "storage" || p.Name == "compression" || row[5] != "" { // one that is computed goes and comes
				f.Again = strings.TrimPrefix(f.Again+";\n"+p.Alter, ";\n")
			}
		}
	}
	return f
}

// besideDeclared tells of a part that a column's declaration has no place for it.
func besideDeclared(p catalog.Part) bool {
	switch p.Name {
	case "comment", "storage", "compression", "statistics target", "column options":
		return p.Alter != ""
	case notNullName:
		return strings.HasSuffix(p.Text, "NOT VALID")
	}
	return false
}

// harmless writes those options of what is foreign that hold no secret: the others are
// told by their names alone.
func harmless(options string) string {
	return `(SELECT string_agg(o.option_name || CASE WHEN o.option_name IN ('schema_name', 'table_name', 'column_name', 'updatable', 'truncatable', 'fetch_size', 'batch_size', 'use_remote_estimate', 'async_capable',
	'fdw_startup_cost', 'fdw_tuple_cost', 'extensions', 'analyze_sampling', 'keep_connections', 'parallel_commit', 'parallel_abort', 'format', 'header', 'delimiter', 'encoding', 'null', 'force_not_null', 'force_null')
	THEN ' ' || o.option_value ELSE '' END, ', ' ORDER BY o.option_name) FROM pg_catalog.pg_options_to_table(` + options + `) o)`
}

// readPartitions finds what columns of a partition have otherwise than those of the
// table that it is a part of: a default, which holds where rows are put into the
// partition itself, NOT NULL, and what is theirs alone in any case.
func (r *factReader) readPartitions() error {
	rows, err := r.rows(`
WITH RECURSIVE below (id, top, up) AS (
  SELECT h.inhrelid, h.inhparent, h.inhparent FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhparent JOIN pg_class q ON q.oid = h.inhrelid WHERE c.relkind = 'p' AND NOT c.relispartition AND q.relispartition
  UNION ALL SELECT h.inhrelid, b.top, h.inhparent FROM below b JOIN pg_inherits h ON h.inhparent = b.id JOIN pg_class q ON q.oid = h.inhrelid WHERE q.relispartition)
SELECT x.id::bigint::text, x.top::bigint::text, a.attname,
  CASE WHEN a.attgenerated = '' AND pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM pg_get_expr(e.adbin, e.adrelid) THEN coalesce(pg_get_expr(d.adbin, d.adrelid), 'none') END, pg_get_expr(e.adbin, e.adrelid),
  CASE WHEN a.attnotnull AND NOT p.attnotnull THEN 'NOT NULL' END,
  col_description(x.id, a.attnum), CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::text END,
  (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'), nullif(a.attgenerated::text, '')
FROM below x JOIN pg_attribute a ON a.attrelid = x.id AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_attribute p ON p.attrelid = x.up AND p.attname = a.attname AND NOT p.attisdropped JOIN pg_attribute t ON t.attrelid = x.top AND t.attname = a.attname AND NOT t.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum LEFT JOIN pg_attrdef e ON e.adrelid = t.attrelid AND e.adnum = t.attnum
WHERE x.id::bigint = ANY ($1::text[]::bigint[]) ORDER BY 1, a.attname`, nonNil(r.oids))
	at := make(map[string]*catalog.Fact)
	for i := range r.facts {
		if f := &r.facts[i]; f.Kind == "partition" {
			at[f.Object] = f
		}
	}
	for _, row := range rows {
		f, column := at[r.tables[row[0]]], quote(row[2])
		if f == nil {
			continue
		}
		name := schema.Ident(row[2])
		own := func(what, follows, text string, closing ...string) {
			if text == "" {
				return
			}
			part(&f.Parts, "own "+what+" of column "+name, text, closing...)
			if top := r.tables[row[1]]; follows != "" && top != "" {
				f.Parts[len(f.Parts)-1].Follows = catalog.Follows{Column: top + "." + name, Part: follows}
			}
			f.Create += ";\n" + closing[0]
		}
		alter := "ALTER TABLE " + sqlName(f.Object) + " ALTER " + column + " "
		alone := "ALTER TABLE ONLY " + sqlName(f.Object) + " ALTER " + column + " "
		set := func(expression string) string {
			if expression == "" || expression == "none" {
				return alone + "DROP DEFAULT"
			}
			return alone + "SET DEFAULT " + expression
		}
		own("default", "default", row[3], set(row[3]), set(row[4]))
		own("not null", "null", row[5], alter+"SET NOT NULL", alter+"DROP NOT NULL")
		on := "COMMENT ON COLUMN " + sqlName(f.Object) + "." + column + " IS "
		lost := ""
		if row[9] != "" && r.version < 170000 { // it goes and comes where it is computed otherwise
			lost = "generated"
		}
		own("comment", lost, row[6], on+literal(row[6]), on+"NULL")
		own("statistics target", lost, row[7], alone+"SET STATISTICS "+row[7], alone+"SET STATISTICS -1")
		own("options", lost, row[8], alter+"SET ("+row[8]+")", alter+"RESET ("+optionNames(row[8])+")")
	}
	return err
}

// constraintKind tells pg_constraint.contype in words.
func constraintKind(contype string) string {
	switch contype {
	case "p":
		return "primary key"
	case "u":
		return "unique"
	case "f":
		return "foreign key"
	case "c":
		return "check"
	case "x":
		return "exclusion"
	}
	return ""
}

// tell puts a fact among those of the database, or what is inherited among those that only
// a table of its own has.
func (r *factReader) tell(f catalog.Fact, inherited bool) {
	if inherited {
		r.alone[f.Table] = append(r.alone[f.Table], func() catalog.Fact { return f })
	} else {
		r.facts = append(r.facts, f)
	}
}

// readConstraints reads constraints as the server writes them, DEFERRABLE, NOT
// VALID and MATCH FULL included. Those that a partition or a child has from its
// parent are the parent's.
func (r *factReader) readConstraints() error {
	rows, err := r.rows(`
SELECT c.conrelid::bigint::text, c.conname, c.contype::text, pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'), n.nspname, t.relname,
  CASE WHEN c.connoinherit AND c.contype = 'c' THEN 'no inherit' END,
  (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(i.reloptions) o),
  format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)),
  format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
  CASE WHEN c.conparentid <> 0 OR NOT c.conislocal AND c.coninhcount > 0 THEN 'inherited' END,
  CASE WHEN c.contype = 'c' AND c.conislocal THEN (SELECT h.inhparent::bigint::text FROM pg_inherits h JOIN pg_constraint u ON u.conrelid = h.inhparent AND u.contype = 'c' AND u.conname = c.conname WHERE h.inhrelid = c.conrelid AND c.coninhcount > 0 ORDER BY h.inhseqno LIMIT 1) END
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_class i ON i.oid = c.conindid AND c.contype IN ('p', 'u', 'x')
WHERE c.conrelid::bigint = ANY ($1::text[]::bigint[]) AND c.contype IN ('p', 'u', 'f', 'c', 'x')
  AND (c.conparentid = 0 AND (c.conislocal OR c.coninhcount = 0)
    OR c.contype = 'c' OR t.relispartition AND NOT EXISTS (SELECT FROM pg_constraint u WHERE u.oid = c.conparentid AND u.conrelid = c.conrelid))`, nonNil(r.oids))
	for _, row := range rows {
		table := r.tables[row[0]]
		kind := constraintKind(row[2])
		f := catalog.Fact{Kind: kind, Object: table + "." + schema.Ident(row[1]), Table: table, Definition: row[3], Create: row[9], Drop: row[10]}
		if kind == "primary key" { // one to a table, so its name is a part of it
			f.Object = table
			part(&f.Parts, "name", row[1])
		}
		if up := r.tables[row[12]]; up != "" {
			f.Under = up + "." + schema.Ident(row[1])
		}
		if kind == "foreign key" && row[11] == "" {
			r.keys = append(r.keys, row[5]+"\x00"+row[6]+"\x00"+row[1])
		}
		on := quote(row[1]) + " ON " + sqlName(table) + " IS "
		part(&f.Parts, "comment", row[4], "COMMENT ON CONSTRAINT "+on+literal(row[4]), "COMMENT ON CONSTRAINT "+on+"NULL")
		if row[4] != "" {
			f.Create += ";\nCOMMENT ON CONSTRAINT " + on + literal(row[4])
		}
		part(&f.Parts, "inheritance", row[7])
		part(&f.Parts, "storage options", row[8])
		r.tell(f, row[11] != "")
	}
	return err
}

// readIndexes reads the indexes that no constraint stands for. The name is cut
// out of the definition, so that a renamed index is told from another one.
func (r *factReader) readIndexes() error {
	rows, err := r.rows(`
SELECT x.indrelid::bigint::text, i.relname, pg_get_indexdef(x.indexrelid), quote_ident(i.relname),
  CASE WHEN NOT x.indisvalid THEN 'not valid' END,
  CASE WHEN x.indisclustered THEN 'clustered' END,
  CASE WHEN x.indisreplident THEN 'replica identity' END,
  obj_description(i.oid, 'pg_class'),
  format('DROP INDEX %s', i.oid::regclass), i.relkind::text,
  (SELECT string_agg(a.attnum || ' ' || a.attstattarget, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = i.oid AND a.attstattarget >= 0),
  (SELECT 'inherited' FROM pg_inherits h WHERE h.inhrelid = x.indexrelid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid::bigint = ANY ($1::text[]::bigint[])
  AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u', 'x'))`, nonNil(r.oids))
	for _, row := range rows {
		table := r.tables[row[0]]
		f := catalog.Fact{Kind: "index", Object: table + "." + schema.Ident(row[1]), Table: table}
		f.Create, f.Drop = row[2], row[8]
		if row[9] == "I" { // told of the partitioned table alone, where it would be invalid until every partition has its own
			f.Create = strings.Replace(row[2], " ON ONLY ", " ON ", 1)
		}
		f.Definition = strings.Replace(row[2], " "+row[3]+" ON ", " ON ", 1)
		alter := "ALTER TABLE " + sqlName(table) + " "
		part(&f.Parts, "validity", row[4])
		part(&f.Parts, "cluster", row[5], alter+"CLUSTER ON "+row[3], alter+"SET WITHOUT CLUSTER")
		part(&f.Parts, "replica identity", row[6], alter+"REPLICA IDENTITY USING INDEX "+row[3], alter+"REPLICA IDENTITY DEFAULT")
		name := strings.TrimPrefix(row[8], "DROP INDEX ")
		for _, of := range strings.FieldsFunc(row[10], func(c rune) bool { return c == ',' }) { // of expressions; they have no names
			column, target, _ := strings.Cut(of, " ")
			set := "ALTER INDEX " + name + " ALTER COLUMN " + column + " SET STATISTICS "
			part(&f.Parts, "statistics target of column "+column, target, set+target, set+"-1")
			f.Again = strings.TrimPrefix(f.Again+";\n"+set+target, ";\n")
		}
		for _, p := range f.Parts {
			if p.Alter != "" {
				f.Create += ";\n" + p.Alter
			}
		}
		part(&f.Parts, "comment", row[7], "COMMENT ON INDEX "+name+" IS "+literal(row[7]), "COMMENT ON INDEX "+name+" IS NULL")
		if row[7] != "" {
			f.Create += ";\nCOMMENT ON INDEX " + name + " IS " + literal(row[7])
		}
		r.tell(f, row[11] != "")
	}
	return err
}

func (r *factReader) readEnums() error {
	rows, err := r.rows(`
SELECT n.nspname, t.typname, (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
  obj_description(t.oid, 'pg_type')
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND n.nspname = ANY ($1)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')`, nonNil(r.schemas))
	for _, row := range rows {
		f := catalog.Fact{Kind: "enum", Object: schema.Name{Schema: row[0], Table: row[1]}.String()}
		name := sqlName(f.Object)
		f.Create, f.Drop = "CREATE TYPE "+name+" AS ENUM ("+row[2]+")", "DROP TYPE "+name
		part(&f.Parts, "labels", row[2])
		part(&f.Parts, "comment", row[3], "COMMENT ON TYPE "+name+" IS "+literal(row[3]), "COMMENT ON TYPE "+name+" IS NULL")
		r.facts = append(r.facts, f)
	}
	return err
}
