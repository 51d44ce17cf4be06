package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A sequence together with the columns that take their values from it: owned
// by the column, its identity, or named in its default.
type sequence struct {
	name             schema.Name
	start, increment string
	minimum, maximum string
	columns          []sequenceColumn
}

type sequenceColumn struct {
	table       schema.Name
	name        string
	partitioned bool
	number      bool // an integer or numeric column; of others no maximum can be told
}

// sequences lists the sequences of a database outside the server's own schemas.
func sequences(ctx context.Context, c *conn) ([]sequence, error) {
	rows, err := c.query(ctx, "list the sequences", `
		WITH used AS (
			SELECT d.objid AS seq, d.refobjid AS tab, d.refobjsubid AS num FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
			UNION
			SELECT d.refobjid, a.adrelid, a.adnum FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid
			WHERE d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
		)
		SELECT n.nspname, c.relname, s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
			tn.nspname, t.relname, a.attname, t.relkind, coalesce(nullif(ty.typbasetype, 0), ty.oid) IN (20, 21, 23, 1700)
		FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN (used u JOIN pg_catalog.pg_class t ON t.oid = u.tab AND t.relkind IN ('r', 'p') JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
			JOIN pg_catalog.pg_attribute a ON a.attrelid = u.tab AND a.attnum = u.num JOIN pg_catalog.pg_type ty ON ty.oid = a.atttypid) ON u.seq = s.seqrelid
		WHERE NOT `+serverSchemas+`
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
			-- of a partition's columns the root speaks, unless the sequence is the partition's alone
			AND (t.oid IS NULL OR NOT t.relispartition OR NOT EXISTS (SELECT FROM used o JOIN pg_catalog.pg_class p ON p.oid = o.tab
				WHERE o.seq = s.seqrelid AND p.relkind = 'p' AND NOT p.relispartition))
		ORDER BY n.nspname, c.relname, tn.nspname, t.relname, a.attname`)
	if err != nil {
		return nil, err
	}
	var out []sequence
	for _, r := range rows {
		name := schema.Name{Schema: string(r[0]), Table: string(r[1])}
		if len(out) == 0 || out[len(out)-1].name != name {
			out = append(out, sequence{name: name, start: string(r[2]), increment: string(r[3]), minimum: string(r[4]), maximum: string(r[5])})
		}
		if r[8] != nil {
			last := &out[len(out)-1]
			last.columns = append(last.columns, sequenceColumn{table: schema.Name{Schema: string(r[6]), Table: string(r[7])}, name: string(r[8]),
				partitioned: letter(r[9]) == 'p', number: isTrue(r[10])})
		}
	}
	return out, nil
}

func (s sequence) descending() bool { return strings.HasPrefix(s.increment, "-") }

// counted tells whether some column's values say how far the sequence is.
func (s sequence) counted() bool {
	for _, c := range s.columns {
		if c.number {
			return true
		}
	}
	return false
}

// extreme writes a query for the furthest value in any of its columns; NULL if
// there is none. Rows of inheriting tables count, for they share the default.
func (s sequence) extreme() string {
	function := "max"
	if s.descending() {
		function = "min"
	}
	var parts []string
	for _, c := range s.columns {
		if c.number {
			parts = append(parts, "(SELECT "+function+"("+quote(c.name)+")::numeric FROM "+quoteName(c.table)+")")
		}
	}
	if function == "min" {
		return "least(" + strings.Join(parts, ", ") + ")"
	}
	return "greatest(" + strings.Join(parts, ", ") + ")"
}

// set writes the statement that puts the sequence past its columns' values: to
// its start where they have not come so far, to its end where they are beyond it.
func (s sequence) set() string {
	past, clamp := ">=", "least(trunc(x.v), "+s.maximum+")"
	if s.descending() {
		past, clamp = "<=", "greatest(ceil(x.v), "+s.minimum+")"
	}
	return fmt.Sprintf(`SELECT CASE WHEN x.v IS NOT NULL AND x.v <> 'NaN' AND x.v %[1]s %[2]s THEN pg_catalog.setval(%[3]s::regclass, (%[4]s)::bigint, true)
		ELSE pg_catalog.setval(%[3]s::regclass, %[2]s, false) END FROM (SELECT %[5]s AS v) x`, past, s.start, literal(quoteName(s.name)), clamp, s.extreme())
}

// setSequences puts every sequence past the values of its columns, and where the source's
// is further, there: others may draw from it. One that no column tells about goes on where
// the present target's stands, if that is further still.
func (l *load) setSequences(ctx context.Context, c *conn) error {
	list, err := sequences(ctx, c)
	if err != nil {
		return err
	}
	var free []sequence
	for _, s := range list {
		if !s.counted() {
			free = append(free, s)
			continue
		}
		if _, err := c.value(ctx, "set the sequence "+s.name.String(), s.set()); err != nil {
			return err
		}
	}
	now, err := positions(ctx, c, list)
	if err != nil {
		return err
	}
	var present []engine.Position
	if !l.plan.foreign && len(free) > 0 {
		err := l.t.with(ctx, func(from *conn) (err error) {
			present, err = positions(ctx, from, free)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, s := range list {
		at := s.further(position(present, s.name), s.inSource(&l.spec))
		if at.Last == "" || s.counted() && !s.short(position(now, s.name), at) {
			continue
		}
		if _, err := c.value(ctx, "set the sequence "+s.name.String(), s.put(at)); err != nil {
			return err
		}
	}
	return nil
}

// put writes the statement that puts a sequence to a position, as near as its own bounds allow.
func (s sequence) put(at engine.Position) string {
	return fmt.Sprintf(`SELECT pg_catalog.setval(%s::regclass, greatest(least((%s)::numeric, %s), %s)::bigint, %t)`, literal(quoteName(s.name)), at.Last, s.maximum, s.minimum, at.Called)
}

// further gives that of two positions which the sequence comes to later.
func (s sequence) further(a, b engine.Position) engine.Position {
	if a.Last == "" {
		return b
	}
	x, y := number([]byte(a.Last)), number([]byte(b.Last))
	switch {
	case b.Last == "" || x == y && a.Called:
		return a
	case x == y:
		return b
	case (x > y) == s.descending():
		return b
	}
	return a
}

// short tells whether the sequence, standing here, would give a number again that it gave there.
func (s sequence) short(here, there engine.Position) bool {
	return there.Last != "" && s.further(here, there) != here
}

// inSource gives where the sequence stands in the source, and tells if that may not be read.
func (s sequence) inSource(spec *engine.Spec) engine.Position {
	at := position(spec.Positions, s.name)
	if at.Last == "" && slices.Contains(spec.Positions, at) {
		spec.Miss("the sequence " + s.name.String() + " may give numbers again that production gave: no column tells, and the source's role may not read it: GRANT SELECT ON SEQUENCE " + quoteName(s.name) + " TO that role")
	}
	return at
}

// position finds a sequence's position; one without Last if there is none.
func position(all []engine.Position, name schema.Name) engine.Position {
	for _, p := range all {
		if p.Name == name {
			return p
		}
	}
	return engine.Position{Name: name}
}

// positions reads where sequences stand. Those that are not there are left out, those
// that may not be read have no Last; what a standby cannot show of unlogged ones as well.
func positions(ctx context.Context, c *conn, list []sequence) ([]engine.Position, error) {
	const atOnce = 200
	var out []engine.Position
	for part := range slices.Chunk(list, atOnce) {
		names := make([]string, len(part))
		for i, s := range part {
			names[i] = quoteName(s.name)
		}
		rows, err := c.query(ctx, "look for sequences", `
			SELECT n.ord, pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE')
				AND (c.relpersistence = 'p' OR NOT pg_catalog.pg_is_in_recovery())
			FROM pg_catalog.unnest($1::text[]) WITH ORDINALITY n(name, ord) JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(n.name) AND c.relkind = 'S'`, names)
		if err != nil {
			return nil, err
		}
		var reads []string
		for _, r := range rows {
			i := int(number(r[0])) - 1
			if !isTrue(r[1]) {
				out = append(out, engine.Position{Name: part[i].name})
				continue
			}
			reads = append(reads, fmt.Sprintf("SELECT %d, last_value, is_called FROM %s", i, names[i]))
		}
		if len(reads) == 0 {
			continue
		}
		if rows, err = c.query(ctx, "read sequences", strings.Join(reads, " UNION ALL ")); err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, engine.Position{Name: part[number(r[0])].name, Last: string(r[1]), Called: isTrue(r[2])})
		}
	}
	return out, nil
}

var (
	_ engine.Counting = (*source)(nil)
	_ engine.Filling  = (*source)(nil)
)

// Filled lists the materialized views that hold rows.
func (s *source) Filled(ctx context.Context, schemas []string) (out []schema.Name, err error) {
	err = s.with(ctx, func(c *conn) error {
		views, err := materializedViews(ctx, c)
		for _, v := range views {
			if v.filled && (len(schemas) == 0 || slices.Contains(schemas, v.name.Schema)) {
				out = append(out, v.name)
			}
		}
		return err
	})
	return out, err
}

// Positions reads in a session of its own: in that of a snapshot the sequences would be
// locked against their change for as long as it lasts.
func (s *source) Positions(ctx context.Context, schemas []string) (out []engine.Position, err error) {
	err = s.with(ctx, func(c *conn) error {
		list, err := sequences(ctx, c)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(q sequence) bool { return len(schemas) > 0 && !slices.Contains(schemas, q.name.Schema) })
		if out, err = positions(ctx, c, list); err != nil {
			return err
		}
		out = slices.DeleteFunc(out, func(p engine.Position) bool {
			return p.Last == "" && slices.ContainsFunc(list, func(q sequence) bool { return q.name == p.Name && q.counted() })
		})
		return nil
	})
	return out, err
}
