package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// withholding finds, of the tables in $1 (schemas) and $2 (names), those of which
// not every row is to be had here, and why: a table's own kind and those of its
// partitions count, row-level security counts at the root alone, through which
// partitions that have their own are read.
const withholding = `
	SELECT n.nspname, c.relname, k.why, pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)), pg_catalog.quote_ident(current_user), c.relforcerowsecurity
	FROM unnest($1::text[], $2::text[]) AS u (schema, name) JOIN pg_catalog.pg_namespace n ON n.nspname = u.schema
	JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = u.name,
	LATERAL (
		SELECT 'policy' WHERE pg_catalog.row_security_active(c.oid)
		UNION ALL SELECT 'foreign' WHERE EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class x ON x.oid = p.relid WHERE x.relkind = 'f')
		UNION ALL SELECT 'unlogged' WHERE pg_catalog.pg_is_in_recovery() AND (c.relpersistence = 'u'
			OR EXISTS (SELECT FROM pg_catalog.pg_partition_tree(c.oid) p JOIN pg_catalog.pg_class x ON x.oid = p.relid WHERE x.relpersistence = 'u'))
	) AS k (why)`

// Withheld asks the server of which tables it does not give every row: where
// row-level security hides some from the role, where some lie in another server,
// and where there are none, because a standby has no unlogged tables' rows.
func (s *source) Withheld(ctx context.Context, tables []schema.Name) (out []engine.Withholding, err error) {
	schemas, names := pairs(tables)
	err = s.with(ctx, func(c *conn) error {
		rows, err := c.query(ctx, "look for rows that are withheld", withholding, schemas, names)
		for _, r := range rows {
			w := engine.Withholding{Table: schema.Name{Schema: string(r[0]), Table: string(r[1])}}
			switch string(r[2]) {
			case "policy":
				w.Say, w.Hint = rowsHidden, fmt.Sprintf("ALTER ROLE %s BYPASSRLS", r[4])
				if !isTrue(r[5]) {
					w.Hint += fmt.Sprintf(", or read as the table's owner %s", r[3])
				}
			case "foreign":
				w.Say, w.Hint = "rows of a partition lie in another server, which has no part in the snapshot", "detach the foreign partition"
			case "unlogged":
				w.Say, w.Hint = "the table is unlogged, and a standby has no rows of it", "read from the primary"
			}
			w.Hint += ", or leave its rows out: subset.tables: " + w.Table.String() + ": none"
			out = append(out, w)
		}
		return err
	})
	slices.SortFunc(out, func(a, b engine.Withholding) int { return cmp.Or(a.Table.Compare(b.Table), cmp.Compare(a.Say, b.Say)) })
	return out, err
}
