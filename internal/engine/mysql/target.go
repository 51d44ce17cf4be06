package mysql

import (
	"context"
	"slices"
	"sync"
	"time"

	"understudy/internal/engine"
)

// A target is one database, or several, whose tables are replaced as a whole:
// new ones are built in databases beside them, and one RENAME TABLE switches.
type target struct {
	side
	databases []string // that are replaced: the URL's, or those of the job

	lists  sync.Mutex // guards loads
	loads  []*load    // begun and not yet aborted
	pauses pauses
	// patience is how long the switch tries to get the locks.
	patience time.Duration
	insert   bool // by a test: rows never travel by LOAD DATA
}

var (
	_ engine.Target = (*target)(nil)
	_ engine.Scoped = (*target)(nil)
	_ engine.Fitter = (*target)(nil)
	_ engine.Mender = (*target)(nil)
)

// pauses lets a test fail or stop the work at a named place; nil does nothing.
type pauses func(ctx context.Context, place string) error

func (p pauses) at(ctx context.Context, place string) error {
	if p == nil {
		return nil
	}
	return p(ctx, place)
}

// newTarget opens a database to replace. It must exist: its defaults and the
// user's privileges in it are what the next generation gets.
func newTarget(ctx context.Context, at *address, limits engine.Limits) (engine.Target, error) {
	t := &target{side: side{at: at, limits: limits.WithDefaults(), name: "target"}, databases: []string{at.database}, patience: switchDeadline}
	if err := t.with(ctx, func(c *conn) error { return present(ctx, c, t.databases) }); err != nil {
		_ = t.Close() // nothing was begun
		return nil, err
	}
	return t, nil
}

// Scope tells which databases are replaced; none given leaves it at the URL's.
func (t *target) Scope(schemas []string) {
	if len(schemas) > 0 {
		t.databases = slices.Clone(schemas)
	}
}

func (t *target) meant() []string { return t.databases }

// Close ends every session of the target, those of loads too.
func (t *target) Close() error {
	t.lists.Lock()
	loads := t.loads
	t.loads = nil
	t.lists.Unlock()
	for _, l := range loads {
		l.hangUp()
	}
	return t.side.Close()
}

// session opens one of the target's own sessions, which may take as long as it needs.
func (t *target) session(ctx context.Context, name string) (*conn, error) {
	c, err := connect(ctx, t.at, session{name: name, nowhere: true, limits: t.limits})
	if err != nil {
		return nil, err
	}
	unlimited := "SET SESSION unique_checks = 1, max_execution_time = 0"
	if c.maria {
		unlimited = "SET SESSION unique_checks = 1, max_statement_time = 0, system_versioning_alter_history = KEEP"
	}
	if err := c.exec(ctx, "pin the session's settings", unlimited); err != nil {
		c.hangUp()
		return nil, err
	}
	if err := plainKeys(ctx, c); err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// plainKeys has the server make no key for a table that is shown without one, and, where
// the user may have it so, make such a table at all: else see keysOnly.
func plainKeys(ctx context.Context, c *conn) error {
	on, err := c.rows(ctx, "pin the session's settings", "SHOW SESSION VARIABLES WHERE variable_name IN ('sql_generate_invisible_primary_key', 'sql_require_primary_key') AND value = 'ON'")
	for _, r := range on {
		if err == nil {
			err = c.exec(ctx, "turn "+r[0]+" off for the session", "SET SESSION "+r[0]+" = OFF")
		}
		if r[0] == "sql_require_primary_key" && engine.CodeOf(err) == engine.Denied {
			err = nil
		}
	}
	return err
}

// inDatabases runs do with the side's session; databases are those to ask about.
func (t *target) asked(schemas []string) []string {
	if len(schemas) > 0 {
		return schemas
	}
	return t.databases
}
