package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Rows that are to be exchanged in place wait in side tables, in a schema of
// ours inside the target. Its comment is the journal: a mark, as that of a
// database beside the target, so that whoever comes next, on whatever machine,
// knows whose the tables are.

// sideSchema is the schema of the side tables; there is none between runs.
const sideSchema = "understudy_next"

// dropAtOnce is how many side tables one statement drops: a server can lock
// only so many in one transaction.
const dropAtOnce = 50

// makeSides makes the schema and marks it, in one transaction. Whatever the
// database's default privileges say, nobody but its owner may look into it.
func makeSides(ctx context.Context, c *conn, m mark) error {
	doing := "make the schema " + sideSchema
	return c.transaction(ctx, "BEGIN", func() error {
		err := c.exec(ctx, doing, "CREATE SCHEMA "+sideSchema+"; REVOKE ALL ON SCHEMA "+sideSchema+" FROM PUBLIC; COMMENT ON SCHEMA "+sideSchema+" IS "+literal(m.String()))
		if err != nil {
			return err
		}
		others, err := c.query(ctx, doing, `
			SELECT DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
			WHERE n.nspname = $1 AND a.grantee NOT IN (0, n.nspowner)`, sideSchema)
		if err != nil {
			return err
		}
		for _, r := range others {
			if err := c.exec(ctx, doing, "REVOKE ALL ON SCHEMA "+sideSchema+" FROM "+string(r[0])); err != nil {
				return err
			}
		}
		return nil
	})
}

// findSides reads the mark of the side schema. There is none if there is no
// schema; foreign is true for a schema of that name that is not understudy's.
func findSides(ctx context.Context, c *conn, target string) (m *mark, foreign bool, err error) {
	rows, err := c.query(ctx, "look for side tables", `SELECT pg_catalog.obj_description(oid, 'pg_namespace') FROM pg_catalog.pg_namespace WHERE nspname = $1`, sideSchema)
	if err != nil || len(rows) == 0 {
		return nil, false, err
	}
	found, ok := readMark(string(rows[0][0]))
	if !ok || found.Of != target { // a copy of another target, by its backup or by CREATE DATABASE ... TEMPLATE, is somebody's as well
		return nil, true, nil
	}
	return &found, false, nil
}

// notOurs is the sentence about a schema of the side schema's name.
const notOurs = "there is a schema " + sideSchema + " that is not this target's: rename or drop it"

// clearSides removes what a run left: first its sessions, which the server may
// not yet know to be orphaned, then its tables. The caller holds the target's lock.
func clearSides(ctx context.Context, c *conn, target string) error {
	m, foreign, err := findSides(ctx, c, target)
	switch {
	case err != nil:
		return err
	case foreign:
		return &engine.Error{Code: engine.Failed, Doing: "clear what an earlier run left", Say: notOurs}
	case m == nil:
		return nil
	}
	if err := endRun(ctx, c, m.Run); err != nil {
		return err
	}
	return dropSides(ctx, c)
}

// dropSides drops the side tables, some at a time, and then their schema.
func dropSides(ctx context.Context, c *conn) error {
	rows, err := c.query(ctx, "list the side tables", `SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.oid`, sideSchema)
	if err != nil {
		return err
	}
	for start := 0; start < len(rows); start += dropAtOnce {
		var names []string
		for _, r := range rows[start:min(start+dropAtOnce, len(rows))] {
			names = append(names, quoteName(schema.Name{Schema: sideSchema, Table: string(r[0])}))
		}
		if err := c.exec(ctx, "drop side tables", "DROP TABLE IF EXISTS "+strings.Join(names, ", ")); err != nil {
			return err
		}
	}
	return c.exec(ctx, "drop the schema "+sideSchema, "DROP SCHEMA IF EXISTS "+sideSchema+" CASCADE")
}

// endRun ends the sessions that a dead run has on this database and waits until
// they are gone: only then is it settled whether its transaction took place.
func endRun(ctx context.Context, c *conn, run string) error {
	deadline := time.Now().Add(switchDeadline)
	prefix := applicationName(run + " ")
	for {
		rows, err := c.query(ctx, "look for a dead run's sessions", `SELECT pid FROM pg_catalog.pg_stat_activity
			WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND pg_catalog.starts_with(application_name, $1)`, prefix)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			_, err := c.value(ctx, fmt.Sprintf("end the session of process %s", r[0]), `SELECT pg_catalog.pg_terminate_backend($1)`, r[0])
			if err != nil && engine.CodeOf(err) != engine.Denied {
				return err
			}
		}
		if time.Now().After(deadline) {
			return &engine.Error{Code: engine.Timeout, Doing: "end a dead run's sessions", Say: "they do not end", Hint: "end them as a superuser: SELECT pg_terminate_backend(pid) ..."}
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}
