package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"understudy/internal/engine"
)

// maintenanceDatabase is the one that every server has for clients that want none
// in particular.
const maintenanceDatabase = "postgres"

// maintenance opens a session on the database from which the target is renamed:
// postgres, or template1 where that is missing or is the target itself. All
// runs against one target meet in the same one, because advisory locks hold
// within one database only.
func (t *target) maintenance(ctx context.Context, name string) (*conn, error) {
	var first error
	for _, database := range []string{maintenanceDatabase, "template1"} {
		if database == t.at.database {
			continue
		}
		c, err := connect(ctx, t.at, session{name: name, database: database, limits: t.limits, set: map[string]string{
			// A client that vanished without a word must not hold the lock for hours.
			"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
			"client_connection_check_interval": "10s",
			"statement_timeout":                "0", // making and dropping a database takes what it takes
		}})
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if e, ok := err.(*engine.Error); !ok || e.State != "3D000" && e.State != "42501" {
			break
		}
	}
	return nil, first
}

var _ engine.Holder = (*target)(nil)

// Hold takes the target's lock on a session of its own.
func (t *target) Hold(ctx context.Context, runID string) error {
	c, err := t.maintenance(ctx, runID+" lock")
	if err != nil {
		return err
	}
	if err := t.lock(ctx, c); err != nil {
		c.hangUp()
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = c
	return nil
}

// guard gives the session on which a load holds the target's lock: the one that
// holds it already, for which taking it again is nothing new, or one that will.
func (t *target) guard(ctx context.Context, runID string) (*conn, error) {
	t.mu.Lock()
	c := t.held
	t.held = nil
	t.mu.Unlock()
	if c != nil {
		return c, nil
	}
	return t.maintenance(ctx, runID+" lock")
}

// lockKey is the target's number for advisory locks: the server is the one that
// holds the lock, so the name is enough.
func lockKey(database string) int64 {
	sum := sha256.Sum256([]byte("understudy target " + database))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// lock takes the target's lock for as long as the session lives. It does not
// wait: a held lock is code Busy, naming the holder as far as it can be seen.
func (t *target) lock(ctx context.Context, c *conn) error {
	key := lockKey(t.at.database)
	got, err := c.value(ctx, "lock the target", `SELECT pg_catalog.pg_try_advisory_lock($1)`, key)
	if err != nil {
		return err
	}
	if got == "t" {
		return nil
	}
	return &engine.Error{Code: engine.Busy, Doing: "lock the target", Say: "another run holds it" + holder(ctx, c, key),
		Hint: "wait for it to end; its lock goes with its session, however it ends"}
}

// unlock lets go of the target's lock before the session that holds it ends.
func unlock(c *conn) {
	if c.IsClosed() || c.IsBusy() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // undoing
	defer cancel()
	_ = c.exec(ctx, "let go of the target", "SELECT pg_catalog.pg_advisory_unlock_all()") // the session's end does the same
}

// heldLock selects the target's lock among pg_locks; $1 and $2 are the halves of its key.
const heldLock = `l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid::bigint = $1 AND l.objid::bigint = $2
	AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`

// locked tells whether some run holds the target's lock.
func (t *target) locked(ctx context.Context, c *conn) (bool, error) {
	key := lockKey(t.at.database)
	held, err := c.value(ctx, "look at the lock", `SELECT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE `+heldLock+`)`, int64(uint64(key)>>32), int64(uint32(key)))
	return held == "t", err
}

// holder describes the session that holds the lock; empty if it cannot be seen.
func holder(ctx context.Context, c *conn, key int64) string {
	rows, err := c.query(ctx, "look who holds the lock", `
		SELECT a.pid, a.application_name, extract(epoch FROM pg_catalog.now() - a.backend_start)::bigint
		FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
		WHERE `+heldLock+` LIMIT 1`, int64(uint64(key)>>32), int64(uint32(key)))
	if err != nil || len(rows) == 0 {
		return ""
	}
	text := fmt.Sprintf(" (%s, pid %s", shownApplication(string(rows[0][1])), rows[0][0])
	if age, err := time.ParseDuration(string(rows[0][2]) + "s"); err == nil {
		text += fmt.Sprintf(", for %s", age)
	}
	return text + ")"
}

// shownApplication gives an application's name when it is one of ours: others
// may have put anything there.
func shownApplication(name string) string {
	if run, ok := strings.CutPrefix(name, applicationName("")); ok {
		return "run " + strings.TrimSuffix(run, " lock")
	}
	return "another program"
}
