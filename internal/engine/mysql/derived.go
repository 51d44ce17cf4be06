package mysql

import (
	"context"
	"database/sql/driver"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Unique keys over generated columns, expressions and beginnings of columns: the
// server computes what they compare, of rows that stand in the statement alone.

var _ engine.Deriver = (*side)(nil)

// Derived lists the unique keys that compare more than plain columns.
func (s *side) Derived(ctx context.Context, table *schema.Table) ([]engine.Derived, error) {
	var out []engine.Derived
	err := s.with(ctx, func(c *conn) error {
		facts, err := s.factsOf(ctx, c, table)
		if err != nil {
			return err
		}
		for _, k := range table.Keys {
			if x := facts.keyDefinition(k.Name); x != nil {
				written, generated := facts.through(x.columns)
				if k.Expression || len(generated) > 0 {
					out = append(out, engine.Derived{Key: k, Reads: written})
				}
			}
		}
		return nil
	})
	return out, err
}

func (f *tableFacts) keyDefinition(name string) *keyDefinition {
	for i := range f.ddl.keys {
		if k := &f.ddl.keys[i]; k.unique && !k.other && k.name == name {
			return k
		}
	}
	return nil
}

// through parts the columns that an index depends on in the written ones and the
// computed ones, each behind those that it is computed of.
func (f *tableFacts) through(reads []string) (written, generated []string) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		d := f.ddl.columns[name]
		if d == nil || seen[name] {
			return
		}
		seen[name] = true
		if !d.generated {
			written = append(written, name)
			return
		}
		for _, r := range d.reads {
			visit(r)
		}
		generated = append(generated, name)
	}
	for _, name := range reads {
		visit(name)
	}
	return written, generated
}

// Derive has the server compute what the key compares.
func (s *side) Derive(ctx context.Context, table *schema.Table, key engine.Derived, rows *engine.Tuples) (*engine.Tuples, error) {
	doing := "compute what " + schema.Ident(key.Key.Name) + " compares"
	out := &engine.Tuples{Width: 1}
	err := s.with(ctx, func(c *conn) error {
		facts, err := s.factsOf(ctx, c, table)
		if err != nil {
			return err
		}
		x := facts.keyDefinition(key.Key.Name)
		if x == nil {
			return &engine.Error{Code: engine.Changed, Doing: doing, Table: table.Name, Say: "there is no such index", Hint: "start again"}
		}
		d := derivation{facts: facts, parts: x.parts, columns: key.Reads}
		_, d.generated = facts.through(x.columns)
		for _, name := range slices.Concat(key.Reads, d.generated) {
			column := table.Column(name)
			if column == nil || facts.columns[name] == nil {
				return &engine.Error{Code: engine.Changed, Doing: doing, Table: table.Name, Column: name, Say: "there is no such column"}
			}
			d.fields = append(d.fields, formColumn{Column: *column, facts: facts.columns[name], srid: sridOf(facts, name)})
		}
		for start := 0; start < rows.Len(); start += tryRows {
			err := c.each(ctx, doing, d.query(rows, start, min(start+tryRows, rows.Len())), func(row []driver.Value) error {
				if slices.Contains(row, driver.Value(nil)) {
					return nil // NULLs are not equal
				}
				var value []byte
				for _, v := range row {
					value = append(append(strconv.AppendInt(value, int64(len(str(v))), 10), ':'), str(v)...)
				}
				out.AddValue(value)
				return nil
			})
			if code := engine.CodeOf(err); err != nil && (code == engine.Syntax || code == engine.Constraint || code == engine.Failed) {
				return &engine.Error{Code: engine.Unsupported, Doing: doing, Table: table.Name, Constraint: key.Key.Name, Say: "it cannot be computed outside the table", Err: err}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// A derivation is how a key's parts are computed.
type derivation struct {
	facts     *tableFacts
	columns   []string // written
	generated []string // each behind those that it is computed of
	fields    []formColumn
	parts     []string
}

// query computes the parts of some rows: the written columns stand in a list of rows,
// and one generated column after the other is put beside them. Names stand in lists of
// their own (see trial.evaluate).
func (d *derivation) query(rows *engine.Tuples, from, to int) string {
	var b strings.Builder
	level := func(n int) string { return "understudy_" + strconv.Itoa(n) }
	b.WriteString("WITH " + level(0) + " (" + quotes(d.columns) + ") AS (")
	for row := from; row < to; row++ {
		if row > from {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT ")
		for i := range d.columns {
			if i > 0 {
				b.WriteString(", ")
			}
			if value, ok := rows.At(row, i); ok {
				b.WriteString(d.fields[i].typed(value))
			} else {
				b.WriteString("NULL")
			}
		}
	}
	b.WriteString(")")
	have := slices.Clone(d.columns)
	for n, name := range d.generated {
		field := &d.fields[len(d.columns)+n]
		made := field.cast("(" + d.facts.ddl.columns[name].computed + ")")
		b.WriteString(", " + level(n+1) + " (" + quotes(append(slices.Clone(have), name)) + ") AS (SELECT " + quotes(have) + ", " + made + " FROM " + level(n) + ")")
		have = append(have, name)
	}
	b.WriteString(" SELECT ")
	for i, part := range d.parts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(compared(part))
	}
	b.WriteString(" FROM " + level(len(d.generated)))
	return b.String()
}

// compared writes an expression so that what the server takes for equal is equal byte by
// byte: texts by their weights, without the spaces at the end that many collations pass over.
func compared(e string) string {
	return "IF(CHARSET(" + e + ") = 'binary', HEX(CAST(" + e + " AS BINARY)), HEX(WEIGHT_STRING(IF(COLLATION(" + e + ") LIKE '%\\_0900\\_%' OR COLLATION(" + e + ") LIKE '%nopad%', " + e + ", RTRIM(" + e + ")))))"
}
