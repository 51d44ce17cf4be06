package postgres

import (
	"context"
	"fmt"
	"strings"

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

// setSequences puts every sequence past the values of its columns. One that no
// column tells about goes on where the present target's stands; when the
// structure is the source's, it begins at its start, which says nothing of the source.
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
	if l.plan.foreign || len(free) == 0 {
		return nil
	}
	return l.carrySequences(ctx, c, free)
}

// carrySequences takes the position of free sequences over from the present target.
func (l *load) carrySequences(ctx context.Context, c *conn, free []sequence) error {
	return l.t.with(ctx, func(from *conn) error {
		for _, s := range free {
			is, err := from.value(ctx, "look for the sequence "+s.name.String(), `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind = 'S')`, quoteName(s.name))
			if err != nil {
				return err
			}
			if is != "t" {
				continue // dropped there since
			}
			rows, err := from.query(ctx, "read the sequence "+s.name.String(), "SELECT last_value, is_called FROM "+quoteName(s.name))
			if err != nil || len(rows) != 1 {
				return err
			}
			if _, err := c.value(ctx, "set the sequence "+s.name.String(), `SELECT pg_catalog.setval($1::regclass, $2, $3)`, quoteName(s.name), rows[0][0], isTrue(rows[0][1])); err != nil {
				return err
			}
		}
		return nil
	})
}
