package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// boundsAtMost bounds the conditions joined to try partitions; tables with more
// partitions are left to the load.
const boundsAtMost = 2000

// Try casts the rows' texts to the columns' types and evaluates the checks over
// them, in a read-only transaction and without touching the table. Lengths are
// compared, because a cast would cut what is too long.
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
		t := &trial{c: c, table: table, columns: columns, rows: rows, facts: facts}
		out, err = t.run(ctx)
		return err
	})
	return out, err
}

// A trial is one Try under way.
type trial struct {
	c       *conn
	table   *schema.Table
	columns []string
	rows    *engine.Tuples
	facts   *tableFacts
	good    map[string]bool // columns whose type took every row, and those of made
	made    []computation   // generated columns that could be computed of every row
	out     []engine.Rejection
}

func (t *trial) run(ctx context.Context) ([]engine.Rejection, error) {
	begin := beginReading + "; SELECT set_config('search_path', " + literal(t.c.path) + ", true)"
	if err := t.c.exec(ctx, "try rows", begin); err != nil {
		return nil, err
	}
	defer t.c.rollback()
	t.good = map[string]bool{}
	for i, name := range t.columns {
		column := t.table.Column(name)
		if column == nil {
			return nil, &engine.Error{Code: engine.Changed, Doing: "try rows", Say: "there is no such column", Table: t.table.Name, Column: name}
		}
		if err := t.column(ctx, i, column); err != nil {
			return nil, err
		}
	}
	if err := t.generated(ctx); err != nil {
		return nil, err
	}
	for _, check := range t.table.Checks {
		if err := t.check(ctx, check, false); err != nil {
			return nil, err
		}
	}
	if err := t.expressions(ctx); err != nil {
		return nil, err
	}
	if t.facts.partitioned {
		return t.out, t.partitions(ctx)
	}
	return t.out, nil
}

// partitions counts the rows that no partition would take: a row must satisfy
// the bounds of one of them, which the server writes as a condition for each.
func (t *trial) partitions(ctx context.Context) error {
	rows, err := t.c.query(ctx, "read the bounds of partitions", `
		WITH tree AS (SELECT relid, isleaf FROM pg_catalog.pg_partition_tree($1::oid::regclass))
		SELECT coalesce((SELECT string_agg('(' || coalesce(pg_catalog.pg_get_partition_constraintdef(relid), 'true') || ')', ' OR ') FROM tree WHERE isleaf), 'false'),
			(SELECT count(*) FROM tree WHERE isleaf)`, t.facts.oid)
	if err != nil || number(rows[0][1]) > boundsAtMost {
		return err
	}
	bounds := schema.Check{Name: "partition bounds", Expr: string(rows[0][0])}
	names, err := t.c.query(ctx, "read the keys of partitions", `
		SELECT DISTINCT a.attname FROM pg_catalog.pg_partition_tree($1::oid::regclass) tree
		JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = tree.relid
		JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum > 0 AND (a.attnum = ANY (p.partattrs) OR p.partexprs IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = p.partrelid AND d.objsubid = 0 AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = p.partrelid AND d.refobjsubid = a.attnum
				OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = p.partrelid AND d.objsubid = a.attnum AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = p.partrelid AND d.refobjsubid = 0)) ORDER BY 1`, t.facts.oid)
	if err != nil {
		return err
	}
	for _, n := range names {
		bounds.Columns = append(bounds.Columns, string(n[0]))
	}
	err = t.check(ctx, bounds, true) // a bound by hash takes values of the very type of its key
	if last := len(t.out) - 1; err == nil && last >= 0 && t.out[last].Check == bounds.Name {
		t.out[last].Reason = "no partition takes them, for these are by " + strings.Join(bounds.Columns, ", ")
	}
	return err
}

func (t *trial) reject(r engine.Rejection) {
	if r.Rows > 0 {
		t.out = append(t.out, r)
	}
}

// column tries one column: NULL, length, type.
func (t *trial) column(ctx context.Context, i int, column *schema.Column) error {
	if column.NotNull {
		missing := 0
		for row := range t.rows.Len() {
			if _, ok := t.rows.At(row, i); !ok {
				missing++
			}
		}
		t.reject(engine.Rejection{Column: column.Name, Columns: []string{column.Name}, Reason: "missing where the column requires a value", Rows: missing})
	}
	if err := t.length(ctx, i, column); err != nil {
		return err
	}
	bad, state, err := t.castFailures(ctx, i, column)
	if err != nil {
		return err
	}
	t.good[column.Name] = bad == 0
	if bad == 0 {
		if err := t.loses(ctx, i, column); err != nil {
			return err
		}
	}
	t.reject(engine.Rejection{Column: column.Name, Columns: []string{column.Name}, Reason: reason(state, column), Rows: bad})
	return nil
}

// length counts values longer than the column, blanks at the end aside, which
// the server cuts off by itself.
func (t *trial) length(ctx context.Context, i int, column *schema.Column) error {
	if column.Length == 0 || column.Kind != schema.Text && column.Kind != schema.Array {
		return nil
	}
	long := "char_length(rtrim(v, ' ')) > $2"
	if column.Kind == schema.Array {
		long = "EXISTS (SELECT FROM unnest(v::text[]) AS e WHERE char_length(rtrim(e, ' ')) > $2)"
	}
	err := t.c.exec(ctx, "try rows", "SAVEPOINT "+savepoint)
	if err != nil {
		return err
	}
	n, err := t.c.value(ctx, "try rows", "SELECT count(*) FROM unnest($1::text[]) AS v WHERE "+long, t.texts(i, 0, t.rows.Len()), column.Length)
	if err != nil {
		return t.undo(ctx, err) // no array at all: the cast will say so
	}
	count, _ := strconv.Atoi(n) // a count
	t.reject(engine.Rejection{Column: column.Name, Columns: []string{column.Name}, Reason: fmt.Sprintf("longer than %d characters", column.Length), Rows: count})
	return nil
}

// undo goes back to the savepoint after a statement that a value made fail; any
// other failure is passed on.
func (t *trial) undo(ctx context.Context, err error) error {
	if !refusal(err) {
		return err
	}
	return t.c.exec(ctx, "try rows", "ROLLBACK TO SAVEPOINT "+savepoint)
}

// refusal tells whether an error is about values rather than about the server.
func refusal(err error) bool {
	e, ok := err.(*engine.Error)
	if !ok || e.State == "" {
		return false
	}
	class := e.State[:2]
	return class == "22" || class == "23" || class == "P0" || class == "38" || class == "42" && e.State != "42501" || e.State == "XX000" || class == "2F"
}

// texts writes rows [from, to) of a column as a text array for the server.
func (t *trial) texts(i, from, to int) []byte {
	translate := translationOf(t.facts.columns[t.columns[i]].base)
	size := 2
	for row := from; row < to; row++ {
		value, _ := t.rows.At(row, i)
		size += len(value) + 3
	}
	if translate == hexed {
		size *= 2
	}
	dst := append(make([]byte, 0, size), '{')
	for row := from; row < to; row++ {
		value, ok := t.rows.At(row, i)
		if !ok {
			dst = appendElement(dst, nil)
			continue
		}
		dst = appendElement(dst, translate.input(nil, value))
	}
	return append(dst, '}')
}

// castType is the type to try a value with: as declared, with its precision;
// but strings without their length, which would cut, and domains by what stands
// below them, because their checks are tried by name.
func (t *trial) castType(name string) string {
	f := t.facts.columns[name]
	if f.check != "" || f.base == 1042 || f.base == 1043 {
		return f.cast
	}
	return f.declared
}

// castFailures counts the rows that the column's type refuses, by halving.
func (t *trial) castFailures(ctx context.Context, i int, column *schema.Column) (bad int, state string, err error) {
	sql := "SELECT count(v::" + t.castType(column.Name) + ") FROM unnest($1::text[]) AS v"
	var count func(from, to int) (int, error)
	count = func(from, to int) (int, error) {
		if err := t.c.exec(ctx, "try rows", "SAVEPOINT "+savepoint); err != nil {
			return 0, err
		}
		_, err := t.c.query(ctx, "try rows", sql, t.texts(i, from, to))
		if err == nil {
			return 0, nil
		}
		if err := t.undo(ctx, err); err != nil {
			return 0, err
		}
		state = err.(*engine.Error).State // undo let a refusal through
		if to-from == 1 {
			return to - from, nil
		}
		middle := (from + to) / 2
		left, err := count(from, middle)
		if err != nil {
			return 0, err
		}
		right, err := count(middle, to)
		return left + right, err
	}
	bad, err = count(0, t.rows.Len())
	return bad, state, err
}

// reason says why a type refused values.
func reason(state string, column *schema.Column) string {
	switch state {
	case "22003":
		return "out of the type's range"
	case "22001":
		return "too long"
	case "22008":
		return "no such date or time"
	}
	switch column.Kind {
	case schema.Enum:
		return "not one of the enumeration's labels"
	case schema.Integer, schema.UUID, schema.Interval, schema.Array:
		return "not an " + article(column.Kind)
	case schema.Other, schema.Geo, schema.Net, schema.Text:
		return "not in the form of type " + column.Type
	}
	return "not a " + article(column.Kind)
}

func article(k schema.Kind) string {
	switch k {
	case schema.UUID:
		return "uuid"
	case schema.JSON:
		return "JSON text"
	case schema.Decimal:
		return "number"
	}
	return string(k)
}

// check evaluates one check over the rows, if it reads only columns that are
// tried and that their types took.
func (t *trial) check(ctx context.Context, check schema.Check, domains bool) error {
	if !t.triedAll(check.Columns) {
		return nil
	}
	var strict []string
	if domains {
		strict = check.Columns
	}
	from, params := t.source(strict)
	if len(params) == 0 {
		return nil
	}
	sql := "SELECT count(*) FILTER (WHERE NOT (" + check.Expr + ")) FROM " + from
	if err := t.c.exec(ctx, "try rows", "SAVEPOINT "+savepoint); err != nil {
		return err
	}
	r := engine.Rejection{Check: check.Name, Reason: "breaks the check", Columns: t.written(check.Columns)}
	if len(r.Columns) == 1 {
		r.Column = r.Columns[0]
	}
	n, err := t.c.value(ctx, "try the check "+schema.Ident(check.Name), sql, params...)
	if err != nil {
		if err := t.undo(ctx, err); err != nil {
			return err
		}
		r.Reason, r.Rows = "the check itself fails: "+err.(*engine.Error).Say, t.rows.Len()
		t.reject(r)
		return nil
	}
	r.Rows, _ = strconv.Atoi(n) // a count
	t.reject(r)
	return nil
}
