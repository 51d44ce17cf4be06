package postgres

import (
	"context"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An inventory is what one look at pg_catalog found: the plain structure that
// the rest of the program works on, and beside it what only this package needs.
type inventory struct {
	schema *schema.Schema
	tables map[schema.Name]*tableFacts
}

// tableFacts is what reading needs of a table beyond schema.Table.
type tableFacts struct {
	oid         uint32
	partitioned bool
	leaves      []leaf // of a partitioned table, sorted by name as Table.Partitions
	foreign     bool   // a foreign table, or one with a foreign partition
	unlogged    bool
	// What trials compute, once one of them has read it.
	defined     *definitions
	expressions []expression
	columns     map[string]columnFacts
}

type leaf struct {
	oid  uint32
	name schema.Name
}

// columnFacts is what reading needs of a column beyond schema.Column.
type columnFacts struct {
	base     uint32 // the type's oid, below domains
	element  uint32 // of an array: the oid of its elements' type, below domains
	cast     string // the type's name without a length, to cast a parameter to
	declared string // the type's name as declared
	check    string // the domain's name if it is one; else empty
	equals   string // the operator, qualified where the server would not find it by itself
	wire     uint32 // as whose values its values travel in binary; 0 for none
}

// inspect reads the structure of the given schemas; none means all that are
// neither the server's own nor understudy's. It makes eight queries, whatever
// the number of tables, and works inside the caller's transaction if there is one.
func inspect(ctx context.Context, c *conn, schemas []string) (*inventory, error) {
	r := &reading{want: schemas}
	look := func() error { return r.collect(ctx, c) }
	if c.TxStatus() == 'I' {
		err := c.transaction(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", look)
		if err != nil {
			return nil, err
		}
	} else if err := look(); err != nil {
		return nil, err
	}
	return r.assemble(), nil
}

// ownNames refuses a source in which a schema that bears a name of
// understudy's holds somebody else's tables, which would be seen by nobody.
func ownNames(ctx context.Context, c *conn) error {
	name, err := c.value(ctx, "look for schemas of understudy's name", `SELECT n.nspname FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f')
WHERE n.nspname = '`+markSchema+`' AND c.relname <> 'generation' OR n.nspname = '`+sideSchema+`' AND pg_catalog.obj_description(n.oid, 'pg_namespace') IS NULL LIMIT 1`)
	if err != nil || name == "" {
		return err
	}
	return &engine.Error{Code: engine.Unsupported, Doing: "read the structure", Say: "the schema " + name + " holds tables, and that name is understudy's own: nobody would decide about their columns",
		Hint: "rename the schema (ALTER SCHEMA " + name + " RENAME TO ...), or drop it if it is a left-over"}
}

// serverSchemas tells whether a schema is the server's or understudy's own.
const serverSchemas = `(n.nspname ~ '^pg_' OR n.nspname IN ('information_schema', 'understudy', 'understudy_next'))`

// notExtensions leaves out what belongs to an extension and comes with it.
const notExtensions = `NOT EXISTS (SELECT FROM pg_catalog.pg_depend x
	WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e')`

func (r *reading) collect(ctx context.Context, c *conn) error {
	nullsEqual := "false"
	if c.version >= 150000 {
		nullsEqual = "i.indnullsnotdistinct"
	}
	queries := []struct {
		doing, sql string
		take       func(row [][]byte)
	}{
		{"read the tables", `
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.relpersistence, c.reltuples::float8::numeric::text, c.relpages,
	CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) + coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0) ELSE 0 END,
	CASE WHEN c.relkind = 'r' THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND NOT ` + serverSchemas + ` AND ` + notExtensions + `
ORDER BY n.nspname, c.relname`, r.takeTable},
		{"read the partitions", `SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits ORDER BY inhrelid, inhseqno`, r.takeParent},
		{"read the types", `
SELECT t.oid, t.typname, n.nspname, t.typtype, t.typcategory, t.typelem, t.typbasetype, t.typtypmod, t.typnotnull,
	pg_catalog.format_type(t.oid, -1), coalesce(NOT l.collisdeterministic, false), t.typdefault
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_collation l ON l.oid = t.typcollation
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_catalog.pg_class ec ON ec.oid = e.typrelid
WHERE (c.oid IS NULL OR c.relkind = 'c') AND (ec.oid IS NULL OR ec.relkind = 'c')`, r.takeType},
		{"read the enumerations", `SELECT enumtypid, enumlabel FROM pg_catalog.pg_enum ORDER BY enumtypid, enumsortorder`, r.takeLabel},
		{"read the columns", `
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod),
	a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated), -- since 18: rows may lack it
	a.attidentity, a.attgenerated, pg_catalog.pg_get_expr(d.adbin, d.adrelid), coalesce(NOT l.collisdeterministic, false),
	EXISTS (SELECT FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = a.attrelid AND p.partstrat = 'l' AND p.partdefid = 0 AND a.attnum = ANY (p.partattrs))
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND NOT ` + serverSchemas + `
ORDER BY a.attrelid, a.attnum`, r.takeColumn},
		{"read the constraints", `
SELECT k.oid, k.conname, k.contype, k.conrelid, k.contypid, k.confrelid, k.conkey, k.confkey, k.convalidated, k.confmatchtype, k.conparentid,
	CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END, k.contype = 'f' AND to_jsonb(k) ->> 'conperiod' = 'true'
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE k.contype IN ('c', 'f') AND NOT ` + serverSchemas + `
	AND NOT (k.contype = 'c' AND coalesce(to_jsonb(k) ->> 'conenforced', '') = 'false') -- since 18: nobody asks for it
ORDER BY k.oid`, r.takeConstraint},
		{"read the indexes", `
SELECT i.indrelid, c.relname, i.indisunique, i.indisprimary, i.indkey, i.indnkeyatts, i.indisvalid AND i.indislive,
	pg_catalog.pg_get_expr(i.indpred, i.indrelid), pg_catalog.pg_get_expr(i.indexprs, i.indrelid), m.amname,
	CASE WHEN i.indexprs IS NOT NULL THEN ARRAY(SELECT DISTINCT x.refobjsubid FROM pg_catalog.pg_depend x
		WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = i.indexrelid
		AND x.refclassid = 'pg_catalog.pg_class'::regclass AND x.refobjid = i.indrelid AND x.refobjsubid > 0 ORDER BY 1) END,
	i.indisexclusion, ` + nullsEqual + `,
	CASE WHEN i.indisexclusion THEN ARRAY(SELECT p.place FROM pg_catalog.pg_constraint k, unnest(k.conexclop) WITH ORDINALITY AS p (operator, place)
		JOIN pg_catalog.pg_operator o ON o.oid = p.operator WHERE k.contype = 'x' AND k.conindid = i.indexrelid AND o.oprname <> '=') END
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE NOT ` + serverSchemas + `
ORDER BY i.indrelid, c.relname`, r.takeIndex},
		{"count the large objects", `SELECT count(*) FROM pg_catalog.pg_largeobject_metadata`, func(row [][]byte) { r.largeObjects = string(row[0]) }},
	}
	r.begin()
	for _, q := range queries {
		rows, err := c.query(ctx, q.doing, q.sql)
		if err != nil {
			return err
		}
		for _, row := range rows {
			q.take(row)
		}
	}
	return nil
}

// replaceValue puts a column in place of the word VALUE of a domain's check.
func replaceValue(expr, column string) string {
	return mapWords(expr, func(word string) string {
		if word == "VALUE" {
			return column
		}
		return word
	})
}

// mentions tells whether an expression of the server's names a column.
func mentions(expr, column string) bool {
	found := false
	mapWords(expr, func(word string) string {
		found = found || word == column || word == quote(column)
		return word
	})
	return found
}

// mapWords replaces the words and quoted names of an expression; strings stay.
func mapWords(expr string, change func(word string) string) string {
	var b strings.Builder
	for i := 0; i < len(expr); {
		end := i + 1
		switch c := expr[i]; {
		case c == '\'':
			end, _ = quotedEnd(expr, i)
			b.WriteString(expr[i:end])
		case c == '"':
			end, _ = quotedEnd(expr, i)
			b.WriteString(change(expr[i:end]))
		case isWord(c):
			for end < len(expr) && isWord(expr[end]) {
				end++
			}
			b.WriteString(change(expr[i:end]))
		default:
			b.WriteByte(c)
		}
		i = end
	}
	return b.String()
}

// quotedEnd finds the end of the quoted text that begins at i; ok is false if
// there is none. An E string (backslash escapes) is told by the letter before it.
func quotedEnd(s string, i int) (end int, ok bool) {
	quote := s[i]
	escapes := quote == '\'' && i > 0 && (s[i-1] == 'E' || s[i-1] == 'e') && (i == 1 || !isWord(s[i-2]))
	for j := i + 1; j < len(s); j++ {
		switch {
		case escapes && s[j] == '\\':
			j++
		case s[j] == quote && j+1 < len(s) && s[j+1] == quote:
			j++
		case s[j] == quote:
			return j + 1, true
		}
	}
	return len(s), false
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
