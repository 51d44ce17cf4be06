package postgres

import (
	"context"

	"understudy/internal/schema"
)

// A check that calls a function may read other tables, whose rows are not there
// yet while its own are loaded: production's rows would break it. Such checks
// are set aside while rows come and put back, validated, when all are there.

// A setAside is a check constraint that waits for the rows of other tables.
type setAside struct {
	table                     schema.Name
	name, definition, comment string
}

// setChecksAside drops the checks of the new generation that call functions
// written in SQL or a procedural language, and those that rows older than
// themselves may break (NOT VALID), in production as here. Dropping a parent's check leaves that
// of a child which declares it as well, so it looks again until none is left.
func (l *load) setChecksAside(ctx context.Context, c *conn) (err error) {
	l.aside, err = setChecksAside(ctx, c)
	return err
}

func setChecksAside(ctx context.Context, c *conn) (aside []setAside, err error) {
	for {
		rows, err := c.query(ctx, "list the checks that call functions", `
			SELECT n.nspname, t.relname, o.conname, pg_catalog.pg_get_constraintdef(o.oid), coalesce(pg_catalog.obj_description(o.oid, 'pg_constraint'), '')
			FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_class t ON t.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
			WHERE o.contype = 'c' AND o.conislocal AND o.coninhcount = 0 AND t.relkind IN ('r', 'p') AND NOT `+serverSchemas+`
				AND (NOT o.convalidated OR EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid JOIN pg_catalog.pg_language g ON g.oid = p.prolang
					WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = o.oid AND d.refclassid = 'pg_catalog.pg_proc'::regclass
						AND g.lanname NOT IN ('c', 'internal')))
			ORDER BY 1, 2, 3`)
		if err != nil || len(rows) == 0 {
			return aside, err
		}
		for _, r := range rows {
			a := setAside{schema.Name{Schema: string(r[0]), Table: string(r[1])}, string(r[2]), string(r[3]), string(r[4])}
			if err := c.exec(ctx, "set the check "+schema.Ident(a.name)+" aside", "ALTER TABLE "+quoteName(a.table)+" DROP CONSTRAINT "+quote(a.name)); err != nil {
				return aside, err
			}
			aside = append(aside, a)
		}
	}
}

// putChecksBack adds the checks again, children's before their parents', which
// the database then joins as they were. Their functions find names as they do
// for the target's users.
func (l *load) putChecksBack(ctx context.Context, c *conn) error {
	for i := len(l.aside) - 1; i >= 0; i-- {
		a := l.aside[i]
		if err := l.inUsersPath(ctx, c, func() error { return a.putBack(ctx, c) }); err != nil {
			return l.plan.origin.calling(err, l.plan.origin.callsOf("CHECK CONSTRAINT", a.table.Schema, a.table.Table+" "+a.name))
		}
	}
	return nil
}

// putBack adds the check again, with its comment.
func (a setAside) putBack(ctx context.Context, c *conn) error {
	sql := "ALTER TABLE " + quoteName(a.table) + " ADD CONSTRAINT " + quote(a.name) + " " + a.definition
	if a.comment != "" {
		sql += "; COMMENT ON CONSTRAINT " + quote(a.name) + " ON " + quoteName(a.table) + " IS " + literal(a.comment)
	}
	return c.exec(ctx, "put the check "+schema.Ident(a.name)+" of "+a.table.String()+" back", sql)
}

// inUsersPath runs do with the search_path of the database that the structure
// comes from: what functions do while rows come may depend on it.
func (l *load) inUsersPath(ctx context.Context, c *conn, do func() error) error {
	return inPath(ctx, c, l.plan.origin.path, do)
}

// inPath runs do with a search_path; empty means the session's own, which is none.
func inPath(ctx context.Context, c *conn, path string, do func() error) error {
	if path == "" {
		return do()
	}
	if err := c.exec(ctx, "set the search_path", "SELECT pg_catalog.set_config('search_path', "+literal(path)+", false)"); err != nil {
		return err
	}
	if err := do(); err != nil {
		c.hangUp() // the session is not lent again
		return err
	}
	return c.exec(ctx, "reset the search_path", "SELECT pg_catalog.set_config('search_path', '', false)")
}
