package postgres

import (
	"context"
	"errors"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A changer is a session that changes a table's structure, or waits to.
type changer struct {
	pid, application string
	table            schema.Name
	holds            bool
}

// who names the session as far as it may be named: never what it runs.
func (c changer) who() string { return c.pid + " (" + shownApplication(c.application) + ")" }

// changers lists the sessions with a lock on a table of this database that keeps
// readers out, held or waited for, held ones first; no schemas given means all.
func changers(ctx context.Context, c *conn, schemas []string) ([]changer, error) {
	rows, err := c.query(ctx, "look who changes tables", `
		SELECT l.pid, coalesce(a.application_name, ''), l.granted, n.nspname, t.relname
		FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class t ON t.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
		LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND t.relkind IN ('r', 'p')
			AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
			AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1))
		ORDER BY l.granted DESC, l.pid, n.nspname, t.relname`, schemas)
	var out []changer
	for _, r := range rows {
		out = append(out, changer{string(r[0]), string(r[1]), schema.Name{Schema: string(r[3]), Table: string(r[4])}, isTrue(r[2])})
	}
	return out, err
}

// nameChanger says of a lock that was not to be had who stands in the way: a
// statement that waits to change a table keeps readers out of it as well as one
// that does. The looking is done by a session of its own, because the one that
// waited has failed. Who has ended meanwhile is not named.
func (s *side) nameChanger(ctx context.Context, err error, schemas []string) error {
	var e *engine.Error
	if !errors.As(err, &e) || e.Say != lockMissed {
		return err
	}
	c, failed := connect(ctx, s.at, session{name: "look", readOnly: true, limits: s.limits})
	if failed != nil {
		return err
	}
	defer c.hangUp()
	found, failed := changers(ctx, c, schemas)
	if failed != nil || len(found) == 0 {
		return err
	}
	does := " waits to change a table"
	if found[0].holds {
		does = " is changing a table"
	}
	e.Table = found[0].table
	e.Say = lockMissed + ": process " + found[0].who() + does
	e.Hint = "run again when that change is through, or end it; limits.lock_wait says how long we wait"
	return err
}
