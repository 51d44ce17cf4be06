package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An expression is what the server computes from a row as it takes it, or makes what
// stands beside the rows: an index, extended statistics. Where it fails, so does the load.
type expression struct {
	of        string // what it belongs to, in words
	predicate string // of the rows of which it is computed; empty for all
	parts     []string
	reads     []string // columns, generated ones too
}

// readExpressions reads those of indexes and of statistics.
func readExpressions(ctx context.Context, c *conn, oid uint32) (out []expression, err error) {
	statistics := ""
	if c.version >= 140000 { // before, they are of columns only
		statistics = `
		UNION ALL SELECT 'statistics object ' || pg_catalog.quote_ident(s.stxname), NULL, x.expr, 'pg_catalog.pg_statistic_ext'::regclass, s.oid, s.stxkeys::int2[]
		FROM pg_catalog.pg_statistic_ext s, unnest(pg_catalog.pg_get_statisticsobjdef_expressions(s.oid)) AS x (expr) WHERE s.stxrelid = $1`
	}
	rows, err := c.query(ctx, "read what indexes compute", `
		WITH computed (what, predicate, expr, class, id, keys) AS (
			SELECT 'index ' || pg_catalog.quote_ident(c.relname), pg_catalog.pg_get_expr(i.indpred, i.indrelid), CASE WHEN i.indkey[n.n - 1] = 0 THEN pg_catalog.pg_get_indexdef(i.indexrelid, n.n, false) END,
				'pg_catalog.pg_class'::regclass, i.indexrelid, i.indkey::int2[]
			FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS n (n)
			WHERE i.indrelid = $1 AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND i.indisvalid AND i.indislive`+statistics+`)
		SELECT x.what, x.predicate, x.expr, a.attname FROM computed x
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = $1 AND a.attnum > 0 AND (a.attnum = ANY (x.keys) OR EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = x.class AND d.objid = x.id AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1 AND d.refobjsubid = a.attnum))
		ORDER BY 1, 3, 4`, int64(oid))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if n := len(out); n == 0 || out[n-1].of != string(r[0]) {
			out = append(out, expression{of: string(r[0]), predicate: string(r[1])})
		}
		last := &out[len(out)-1]
		if part := string(r[2]); r[2] != nil && !slices.Contains(last.parts, part) {
			last.parts = append(last.parts, part)
		}
		if name := string(r[3]); r[3] != nil && !slices.Contains(last.reads, name) {
			last.reads = append(last.reads, name)
		}
	}
	return out, nil
}

// triedAll tells whether the columns are among those whose rows are tried, and of those
// that they make; types took them all.
func (t *trial) triedAll(columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool { return !t.good[name] })
}

// written gives the columns that are written, in place of those that are made of them.
func (t *trial) written(columns []string) (out []string) {
	for _, name := range columns {
		from := []string{name}
		if i := slices.IndexFunc(t.made, func(g computation) bool { return g.name == name }); i >= 0 {
			from = t.made[i].reads
		}
		for _, name := range from {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// generated computes the generated columns, which checks and indexes may read.
func (t *trial) generated(ctx context.Context) error {
	if t.facts.defined == nil {
		defined, err := readDefinitions(ctx, t.c, t.facts.oid)
		if err != nil {
			return err
		}
		t.facts.defined = defined
	}
	for _, g := range t.facts.defined.generated {
		column := t.table.Column(g.name)
		if column == nil || len(g.reads) == 0 || !t.triedAll(g.reads) {
			continue
		}
		from, params := t.source(nil)
		asks := []string{"count(x)", "count(*) FILTER (WHERE x IS NULL)", "0"}
		if column.Length > 0 && column.Kind == schema.Text {
			asks[2] = "count(*) FILTER (WHERE char_length(rtrim(x::text, ' ')) > " + strconv.Itoa(column.Length) + ")"
		}
		say := "the generated column " + schema.Ident(g.name)
		row, why, err := t.compute(ctx, "compute "+say, "SELECT "+strings.Join(asks, ", ")+" FROM (SELECT ("+g.expr+")::"+t.castType(g.name)+" AS x FROM "+from+") AS y", params)
		switch {
		case err != nil:
			return err
		case why != "" && g.virtual && !column.NotNull: // which is computed when it is read
			continue
		case why != "":
			t.refuse(g.reads, say+" cannot be computed: "+why, t.rows.Len())
			continue
		case row == nil:
			continue
		}
		if column.NotNull {
			t.refuse(g.reads, say+" would be NULL", int(number(row[1])))
		}
		if !g.virtual {
			t.refuse(g.reads, fmt.Sprintf("%s would be longer than %d characters", say, column.Length), int(number(row[2])))
		}
		t.made, t.good[g.name] = append(t.made, g), true
	}
	return nil
}

// expressions computes what indexes and statistics are made of.
func (t *trial) expressions(ctx context.Context) error {
	if t.facts.expressions == nil {
		list, err := readExpressions(ctx, t.c, t.facts.oid)
		if err != nil {
			return err
		}
		t.facts.expressions = append([]expression{}, list...)
	}
	for _, x := range t.facts.expressions {
		if len(x.reads) == 0 || !t.triedAll(x.reads) || t.ofWhole(x) {
			continue
		}
		asks := []string{"count(*)"}
		for _, p := range x.parts {
			asks = append(asks, "count(("+p+"))")
		}
		from, params := t.source(nil)
		sql := "SELECT " + strings.Join(asks, ", ") + " FROM " + from
		if x.predicate != "" {
			sql += " WHERE " + x.predicate
		}
		_, why, err := t.compute(ctx, "compute the "+x.of, sql, params)
		if err != nil {
			return err
		}
		if why != "" {
			t.refuse(x.reads, "the "+x.of+" cannot be computed: "+why, t.rows.Len())
		}
	}
	return nil
}

// ofWhole tells whether an expression reads the row as a whole, whose columns are those of
// the table in its order, as the trial's are not.
func (t *trial) ofWhole(x expression) bool {
	name := t.table.Name.Table
	return slices.ContainsFunc(append([]string{x.predicate}, x.parts...), func(sql string) bool {
		return strings.Contains(sql, name+".*") || strings.Contains(sql, quote(name)+".*")
	})
}

// compute asks for one row, or tells why a value keeps it from being computed. It gives
// neither where no row could be asked about: by a role that may not call a function, of
// one that writes.
func (t *trial) compute(ctx context.Context, doing, sql string, params []any) (row [][]byte, why string, err error) {
	for _, one := range []string{"SELECT * FROM (" + sql + ") AS probe LIMIT 0", sql} {
		if err := t.c.exec(ctx, "try rows", "SAVEPOINT "+savepoint); err != nil {
			return nil, "", err
		}
		rows, err := t.c.query(ctx, doing, one, params...)
		if err == nil {
			if one == sql {
				return rows[0], "", nil
			}
			continue
		}
		var e *engine.Error
		able := one == sql
		if errors.As(err, &e) && (e.State == "42501" || e.State == "25006") {
			able, err = false, t.c.exec(ctx, "try rows", "ROLLBACK TO SAVEPOINT "+savepoint)
		} else {
			err = t.undo(ctx, err)
		}
		if err != nil || !able {
			return nil, "", err
		}
		return nil, e.Say, nil // undo let a refusal through
	}
	return nil, "", nil
}

// refuse tells of rows that are refused for what is made of columns.
func (t *trial) refuse(columns []string, reason string, rows int) {
	r := engine.Rejection{Columns: t.written(columns), Reason: reason, Rows: rows}
	if len(r.Columns) == 1 {
		r.Column = r.Columns[0]
	}
	t.reject(r)
}

// source gives the rows for a FROM clause, under the table's name, with the columns that
// types took and those that are made of them. Strict are columns that are of their
// domain there.
func (t *trial) source(strict []string) (sql string, params []any) {
	var typed, names, arrays []string
	for i, name := range t.columns {
		if !t.good[name] {
			continue
		}
		params = append(params, t.texts(i, 0, t.rows.Len()))
		n := strconv.Itoa(len(params))
		names, arrays = append(names, "v"+n), append(arrays, "unnest($"+n+"::text[])")
		cast := "::" + t.castType(name)
		if f := t.facts.columns[name]; f.check != "" && slices.Contains(strict, name) {
			cast += "::" + f.declared
		}
		typed = append(typed, "v"+n+cast+" AS "+quote(name))
	}
	as := " AS " + quote(t.table.Name.Table)
	sql = "(SELECT " + strings.Join(typed, ", ") + " FROM ROWS FROM (" + strings.Join(arrays, ", ") + ") AS v (" + strings.Join(names, ", ") + "))" + as
	if len(t.made) > 0 {
		var made []string
		for _, g := range t.made {
			made = append(made, "("+g.expr+")::"+t.castType(g.name)+" AS "+quote(g.name))
		}
		sql = "(SELECT *, " + strings.Join(made, ", ") + " FROM " + sql + ")" + as
	}
	return sql, params
}

// loses counts values of which the column's type would keep less, without a word: digits
// behind the point, parts of a second, all but the first character of a "char".
func (t *trial) loses(ctx context.Context, i int, column *schema.Column) error {
	f := t.facts.columns[column.Name]
	as := t.castType(column.Name)
	lost := ""
	switch f.base {
	case 1700, 1083, 1266, 1114, 1184, 1186: // numeric, time, timetz, timestamp, timestamptz, interval: with a scale, a precision, fields
		lost = "v::" + as + " IS DISTINCT FROM v::" + formatOf[f.base]
	case 1082: // date
		lost = "v::" + as + "::timestamp IS DISTINCT FROM v::timestamp"
	case 700: // float4: another number, which is not shown as this one either
		lost = "v::float4::float8 IS DISTINCT FROM v::float8 AND v::float4::text::float8 IS DISTINCT FROM v::float8"
	case 18, 26, 1560, 1562: // "char", oid, bit, varbit: a cast cuts them
		lost = "v::" + as + "::text IS DISTINCT FROM v"
	default:
		return nil
	}
	row, _, err := t.compute(ctx, "try rows", "SELECT count(*) FILTER (WHERE "+lost+") FROM unnest($1::text[]) AS v", []any{t.texts(i, 0, t.rows.Len())})
	if err == nil && row != nil {
		t.reject(engine.Rejection{Column: column.Name, Columns: []string{column.Name}, Reason: "the type " + column.Type + " would keep less of the value", Rows: int(number(row[0])), Loses: true})
	}
	return err
}

// formatOf names types of the server's own without scale, precision or fields.
var formatOf = map[uint32]string{1700: "numeric", 1083: "time", 1266: "timetz", 1114: "timestamp", 1184: "timestamptz", 1186: "interval"}
