package postgres

import (
	"context"
	"fmt"
	"time"

	"understudy/internal/engine"
)

// recover clears what a crashed run left: it holds the target's lock, so the
// run that left it is over, whatever machine it ran on. What happened is read
// off the server, never off a note of the last step: a database that bears the
// mark of one being built is not the target, hence it was not switched; a kept
// one that is pending was displaced, hence the switch took place.
func (t *target) recover(ctx context.Context, c *conn, keep int) error {
	next, kept, err := neighbours(ctx, c, t.at.database)
	if err != nil {
		return err
	}
	for _, n := range next {
		if !n.marked {
			empty, err := t.bare(ctx, c, n.name)
			if err != nil || !empty {
				continue // made by somebody else, as far as can be told
			}
		}
		if err := dropDatabase(ctx, c, n.name); err != nil {
			return err
		}
	}
	for _, k := range kept {
		if k.mark.Pending {
			return tidy(ctx, c, t.at.database, keep)
		}
	}
	return nil
}

// bare tells whether a database holds nothing but what an empty one has. A run
// that is killed between making a database and marking it leaves one like that.
func (t *target) bare(ctx context.Context, c *conn, name string) (bool, error) {
	invalid, err := c.value(ctx, "look at "+quote(name), `SELECT datconnlimit = -2 FROM pg_catalog.pg_database WHERE datname = $1`, name)
	if err != nil || invalid == "t" { // -2: its removal was interrupted
		return invalid == "t", err
	}
	in, err := connect(ctx, t.at, session{name: "recover", database: name, limits: t.limits})
	if err != nil {
		return false, err
	}
	defer in.hangUp()
	empty, err := in.value(ctx, "look into "+quote(name), `SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= 16384)
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE oid >= 16384)`)
	return empty == "t", err
}

// dropDatabase removes a database of ours and ends the sessions on it. One that
// is gone already is fine.
func dropDatabase(ctx context.Context, c *conn, name string) error {
	doing := "drop the database " + quote(name)
	deadline := time.Now().Add(30 * time.Second)
	for {
		if err := endSessions(ctx, c, name); err != nil {
			return err
		}
		err := c.exec(ctx, doing, "DROP DATABASE IF EXISTS "+quote(name))
		e, ok := err.(*engine.Error)
		if err == nil || !ok || e.State != "55006" || time.Now().After(deadline) {
			return err
		}
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// endSessions ends the sessions on a database, one process at a time: a
// statement over all would stop at the first that the role may not end.
func endSessions(ctx context.Context, c *conn, database string) error {
	rows, err := c.query(ctx, "look for sessions on "+quote(database), `SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()`, database)
	if err != nil {
		return err
	}
	for _, r := range rows {
		_, err := c.value(ctx, fmt.Sprintf("end the session of process %s", r[0]), `SELECT pg_catalog.pg_terminate_backend($1)`, r[0])
		if err != nil && engine.CodeOf(err) != engine.Denied {
			return err
		}
	}
	return nil
}

// tidy ends a switch's work: of the kept generations the newest stay, the
// others go, and the newest is no longer pending.
func tidy(ctx context.Context, c *conn, target string, keep int) error {
	_, kept, err := neighbours(ctx, c, target)
	if err != nil {
		return err
	}
	for i, k := range kept {
		if i >= max(keep, 0) {
			if err := dropDatabase(ctx, c, k.name); err != nil {
				return err
			}
			continue
		}
		if k.mark.Pending {
			k.mark.Pending = false
			if err := c.exec(ctx, "mark "+quote(k.name), comment(k.name, k.mark.String())); err != nil {
				return err
			}
		}
	}
	return nil
}

// comment writes the statement that gives a database a comment; empty takes it away.
func comment(database, text string) string {
	value := "NULL"
	if text != "" {
		value = literal(text)
	}
	return "COMMENT ON DATABASE " + quote(database) + " IS " + value
}

// wait pauses, or returns as soon as ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return wrap(ctx, ctx.Err(), "wait")
	case <-timer.C:
		return nil
	}
}
