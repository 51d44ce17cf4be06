package postgres

import (
	"context"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Unique keys over expressions, conditions and generated columns: what they
// compare is computed by the server over rows that are in no table, as Try does.

// A uniqueIndex is a unique index as the server writes it.
type uniqueIndex struct {
	name      string
	predicate string
	parts     []uniquePart
	reads     []string // columns, generated ones too
}

type uniquePart struct {
	expr      string
	collation string // of a nondeterministic one the name; else empty
}

// A computation is a generated column.
type computation struct {
	name, expr string
	reads      []string
	virtual    bool // since 18: computed when it is read, not when the row comes
}

// definitions are a table's unique indexes and generated columns.
type definitions struct {
	indexes   []uniqueIndex
	generated []computation
}

// readDefinitions reads them with nothing in the search_path, so that names are
// written in full. Exclusion constraints are left out.
func readDefinitions(ctx context.Context, c *conn, oid uint32) (*definitions, error) {
	out := &definitions{}
	const doing = "read what unique indexes compare"
	rows, err := c.query(ctx, doing, `
		SELECT c.relname, pg_catalog.pg_get_expr(i.indpred, i.indrelid), pg_catalog.pg_get_indexdef(i.indexrelid, n.n, false),
			CASE WHEN NOT l.collisdeterministic THEN pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(l.collname) END
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS n (n)
		LEFT JOIN pg_catalog.pg_collation l ON l.oid = i.indcollation[n.n - 1] LEFT JOIN pg_catalog.pg_namespace s ON s.oid = l.collnamespace
		WHERE i.indrelid = $1 AND i.indisunique AND NOT i.indisexclusion AND i.indisvalid AND i.indislive ORDER BY 1, n.n`, int64(oid))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if n := len(out.indexes); n == 0 || out.indexes[n-1].name != string(r[0]) {
			out.indexes = append(out.indexes, uniqueIndex{name: string(r[0]), predicate: string(r[1])})
		}
		last := &out.indexes[len(out.indexes)-1]
		last.parts = append(last.parts, uniquePart{string(r[2]), string(r[3])})
	}
	// An index of a constraint depends on the constraint, not on the columns.
	rows, err = c.query(ctx, doing, `
		SELECT c.relname, a.attname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0 AND (a.attnum = ANY (i.indkey) OR EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
			AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
		WHERE i.indrelid = $1 AND i.indisunique ORDER BY 1, a.attnum`, int64(oid))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if i := slices.IndexFunc(out.indexes, func(x uniqueIndex) bool { return x.name == string(r[0]) }); i >= 0 {
			out.indexes[i].reads = append(out.indexes[i].reads, string(r[1]))
		}
	}
	// The dependencies are those of the column in some versions, of its expression in others.
	rows, err = c.query(ctx, "read what generated columns are made of", `
		SELECT g.attname, pg_catalog.pg_get_expr(e.adbin, e.adrelid), a.attname, g.attgenerated = 'v'
		FROM pg_catalog.pg_attribute g JOIN pg_catalog.pg_attrdef e ON e.adrelid = g.attrelid AND e.adnum = g.attnum
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = g.attrelid AND a.attnum > 0 AND a.attnum <> g.attnum AND EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE (d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = e.oid OR d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = g.attrelid AND d.objsubid = g.attnum)
			AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = g.attrelid AND d.refobjsubid = a.attnum)
		WHERE g.attrelid = $1 AND g.attgenerated <> '' AND NOT g.attisdropped ORDER BY g.attnum, a.attnum`, int64(oid))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if n := len(out.generated); n == 0 || out.generated[n-1].name != string(r[0]) {
			out.generated = append(out.generated, computation{name: string(r[0]), expr: string(r[1]), virtual: isTrue(r[3])})
		}
		if last := &out.generated[len(out.generated)-1]; r[2] != nil {
			last.reads = append(last.reads, string(r[2]))
		}
	}
	return out, nil
}

// computed gives a generated column; nil if the column is a written one.
func (d *definitions) computed(name string) *computation {
	for i := range d.generated {
		if d.generated[i].name == name {
			return &d.generated[i]
		}
	}
	return nil
}

// written lists the written columns that an index depends on.
func (d *definitions) written(x uniqueIndex) []string {
	var out []string
	add := func(name string) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, name := range x.reads {
		if g := d.computed(name); g != nil {
			for _, from := range g.reads {
				add(from)
			}
			continue
		}
		add(name)
	}
	return out
}

// Derived lists unique keys over expressions, conditions and generated columns.
func (s *side) Derived(ctx context.Context, table *schema.Table) ([]engine.Derived, error) {
	var out []engine.Derived
	err := s.with(ctx, func(c *conn) error {
		facts, err := s.factsOf(ctx, c, table)
		if err != nil {
			return err
		}
		defined, err := readDefinitions(ctx, c, facts.oid)
		if err != nil {
			return err
		}
		for _, k := range table.Keys {
			i := slices.IndexFunc(defined.indexes, func(x uniqueIndex) bool { return x.name == k.Name })
			if i < 0 {
				continue
			}
			x := defined.indexes[i]
			if k.Partial || k.Expression || slices.ContainsFunc(x.reads, func(name string) bool { return defined.computed(name) != nil }) {
				out = append(out, engine.Derived{Key: k, Reads: defined.written(x)})
			}
		}
		return nil
	})
	return out, err
}

// Derive computes what the key compares, in a read-only transaction. The server
// hashes it by the types' own hash functions, to which what is equal is equal;
// where a type has none, its text is taken.
func (s *side) Derive(ctx context.Context, table *schema.Table, key engine.Derived, rows *engine.Tuples) (*engine.Tuples, error) {
	out := &engine.Tuples{Width: 1}
	if rows.Len() == 0 {
		return out, nil
	}
	err := s.with(ctx, func(c *conn) error {
		facts, err := s.factsOf(ctx, c, table)
		if err != nil {
			return err
		}
		defined, err := readDefinitions(ctx, c, facts.oid)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(defined.indexes, func(x uniqueIndex) bool { return x.name == key.Key.Name })
		if i < 0 {
			return &engine.Error{Code: engine.Changed, Doing: "compute a unique key", Say: "the index is not there", Table: table.Name, Constraint: key.Key.Name, Hint: "start again"}
		}
		t := &trial{c: c, table: table, columns: key.Reads, rows: rows, facts: facts}
		return t.derive(ctx, defined, defined.indexes[i], key.Key.NullsEqual, out)
	})
	return out, err
}

func (t *trial) derive(ctx context.Context, defined *definitions, x uniqueIndex, nullsEqual bool, out *engine.Tuples) error {
	begin := beginReading + "; SELECT set_config('search_path', " + literal(t.c.path) + ", true)"
	if err := t.c.exec(ctx, "compute a unique key", begin); err != nil {
		return err
	}
	defer t.c.rollback()
	t.good = map[string]bool{}
	for _, name := range t.columns {
		t.good[name] = true // the trial said so
	}
	for _, name := range x.reads {
		if g := defined.computed(name); g != nil {
			t.made = append(t.made, *g)
		}
	}
	from, params := t.source(t.columns)
	var parts []string
	for _, p := range x.parts {
		part := "(" + p.expr + ")"
		if p.collation != "" {
			part = "pg_catalog.hashtextextended(" + part + "::text COLLATE " + p.collation + ", 0)"
		}
		parts = append(parts, part)
	}
	all := strings.Join(parts, ", ")
	where := " WHERE pg_catalog.num_nulls(" + all + ") = 0"
	if nullsEqual {
		where = " WHERE true"
	}
	if x.predicate != "" {
		where += " AND (" + x.predicate + ")"
	}
	forms := []string{"pg_catalog.md5(ROW(" + all + ")::text)"}
	if t.c.version >= 140000 { // the first that hashes a record
		forms = append([]string{"pg_catalog.hash_record_extended(ROW(" + all + "), 0)"}, forms...)
	}
	var err error
	for _, form := range forms {
		if err = t.c.exec(ctx, "compute a unique key", "SAVEPOINT "+savepoint); err != nil {
			return err
		}
		var rows [][][]byte
		if rows, err = t.c.query(ctx, "compute what "+schema.Ident(x.name)+" compares", "SELECT "+form+" FROM "+from+where, params...); err == nil {
			for _, r := range rows {
				out.Add(r[0])
			}
			return nil
		}
		if undone := t.undo(ctx, err); undone != nil {
			return undone
		}
	}
	e := *err.(*engine.Error) // undo let a refusal through
	e.Code = engine.Unsupported
	return &e
}
