package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"understudy/internal/engine"
)

// A source's privileges are not taken over: they speak of its roles, and who
// may read staging is staging's to say. But PUBLIC is everywhere, and what it
// was denied on purpose must not be open in the copy.

// An object is something that privileges are granted on, as GRANT writes it.
type object struct{ kind, name string }

// openToPublic tells for each object outside the server's own schemas what
// PUBLIC may do with it; the objects of which it may do nothing are there too.
func openToPublic(ctx context.Context, c *conn) (map[object][]string, error) {
	rows, err := c.query(ctx, "look at the privileges of PUBLIC", publicPrivileges)
	if err != nil {
		return nil, err
	}
	out := map[object][]string{}
	for _, r := range rows {
		o := object{string(r[0]), string(r[1])}
		out[o] = append(out[o], strings.Fields(string(r[2]))...)
	}
	return out, nil
}

const publicPrivileges = `
	SELECT o.kind, o.name, coalesce(string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type), '') FROM (
		SELECT 'ROUTINE', p.oid::regprocedure::text, coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
			FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE NOT ` + serverSchemas + `
		UNION ALL SELECT 'TYPE', pg_catalog.format_type(t.oid, NULL), coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))
			FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class r ON r.oid = t.typrelid
			WHERE t.typtype IN ('b', 'c', 'd', 'e', 'r') AND t.typcategory <> 'A' AND (r.oid IS NULL OR r.relkind = 'c') AND NOT ` + serverSchemas + `
		UNION ALL SELECT 'SCHEMA', pg_catalog.quote_ident(n.nspname), coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
			FROM pg_catalog.pg_namespace n WHERE NOT ` + serverSchemas + `
		UNION ALL SELECT 'LANGUAGE', pg_catalog.quote_ident(g.lanname), coalesce(g.lanacl, pg_catalog.acldefault('l', g.lanowner))
			FROM pg_catalog.pg_language g WHERE g.lanispl
		UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text,
				coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
			FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT ` + serverSchemas + `
	) AS o (kind, name, privileges) LEFT JOIN LATERAL pg_catalog.aclexplode(o.privileges) a ON a.grantee = 0
	GROUP BY o.kind, o.name ORDER BY o.kind, o.name`

// closeToPublic takes from PUBLIC in the new generation what it has not where
// the structure comes from. What the role may not take away goes into the report.
func (l *load) closeToPublic(ctx context.Context, c *conn) error {
	if !l.plan.foreign { // a target's own privileges come with its structure
		return nil
	}
	extra, err := l.widened(ctx, c)
	if err != nil || len(extra) == 0 {
		return err
	}
	for _, w := range extra {
		doing := "take privileges on the " + w.on() + " from PUBLIC"
		err := c.exec(ctx, doing, "REVOKE "+strings.Join(w.privileges, ", ")+" ON "+w.kind+" "+w.name+" FROM PUBLIC")
		if err != nil && engine.CodeOf(err) != engine.Denied {
			return err
		}
	}
	if extra, err = l.widened(ctx, c); err != nil { // of another's objects a server takes nothing, and says so in a notice at most
		return err
	}
	for _, w := range extra {
		l.spec.Miss("PUBLIC keeps " + strings.Join(w.privileges, ", ") + " on the " + w.on() + ", which belongs to another role; production denies it")
	}
	return nil
}

// A widening is what PUBLIC may do in the new generation and may not in production.
type widening struct {
	object
	privileges []string
}

func (w widening) on() string { return strings.ToLower(w.kind) + " " + w.name }

func (l *load) widened(ctx context.Context, c *conn) ([]widening, error) {
	now, err := openToPublic(ctx, c)
	if err != nil {
		return nil, err
	}
	var out []widening
	for o, privileges := range now {
		allowed, known := l.plan.origin.open[o]
		privileges = slices.DeleteFunc(privileges, func(p string) bool { return slices.Contains(allowed, p) })
		if known && len(privileges) > 0 {
			out = append(out, widening{o, privileges})
		}
	}
	slices.SortFunc(out, func(a, b widening) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name)) })
	return out, nil
}
