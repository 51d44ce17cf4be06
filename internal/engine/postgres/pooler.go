package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"understudy/internal/engine"
)

// Poolers are told by what they do, not by their names: a session whose server
// process changes, or that shares it with another session, is none that could
// hold a lock, a moment or a setting.

// directHint is the remedy for all of them.
const directHint = "put the address of the server itself into the URL, or that of the pooler's session mode"

// direct makes sure, before any setting is made or anything is read, that two
// connections to an address are two sessions of one server. It costs two
// connections, which are closed again.
func direct(ctx context.Context, at *address, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*at.timeout)
	defer cancel()
	var pair [2]*pgconn.PgConn
	for i := range pair {
		config, err := at.config(session{name: name})
		if err != nil {
			return &engine.Error{Code: engine.Failed, Doing: "connect to " + at.String(), Say: err.Error()}
		}
		pg, err := pgconn.ConnectConfig(ctx, config)
		if err != nil {
			return wrap(ctx, err, "connect to "+at.String())
		}
		defer (&conn{PgConn: pg}).hangUp()
		pair[i] = pg
	}
	// A pooler gives the process that was last used to whoever comes next, or
	// takes them in turns; others may come between, so it is asked more than once.
	first, second := &conn{PgConn: pair[0]}, &conn{PgConn: pair[1]}
	var last seat
	for round := range 3 {
		mine, err := first.seat(ctx, seatQuery)
		if err != nil {
			return err
		}
		if round > 0 && mine != last {
			return shared(at, "one session is served by several processes of the server, as a pooler does in transaction mode")
		}
		other, err := second.seat(ctx, "BEGIN READ ONLY; "+seatQuery)
		if err != nil {
			return unpaired(at, err)
		}
		if other.started != mine.started {
			return shared(at, "connections are spread over several servers")
		}
		if other.process == mine.process {
			return shared(at, "two sessions share one process of the server, as they do behind a pooler in transaction mode")
		}
		if last, err = first.seat(ctx, seatQuery); err != nil {
			return err
		}
		if last != mine {
			return shared(at, "one session is served by several processes of the server, as a pooler does in transaction mode")
		}
		if err := second.exec(ctx, "look who serves the session", "ROLLBACK"); err != nil {
			return err
		}
	}
	return nil
}

// A seat is where a session is served: which process, of which server.
type seat struct{ process, started string }

const seatQuery = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_postmaster_start_time()"

// seat asks by a simple query, because some poolers keep no prepared statement.
func (c *conn) seat(ctx context.Context, sql string) (seat, error) {
	results, err := c.PgConn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return seat{}, wrap(ctx, err, "look who serves the session")
	}
	row := results[len(results)-1].Rows[0]
	return seat{string(row[0]), string(row[1])}, nil
}

// takesOptions tells whether a session gets the settings that it is opened with.
func (t *target) takesOptions(ctx context.Context) bool {
	c, err := connect(ctx, t.at, session{name: "state", limits: t.limits, options: "-c geqo_seed=0.625"})
	if err != nil {
		return false
	}
	defer c.hangUp()
	got, err := c.value(ctx, "ask for a setting", "SELECT pg_catalog.current_setting('geqo_seed')")
	return err == nil && got == "0.625"
}

func shared(at *address, say string) error {
	return &engine.Error{Code: engine.Unsupported, Doing: "connect to " + at.String(), Say: say, Hint: directHint}
}

// unpaired explains why a transaction could not be begun: in statement mode a
// pooler allows none, and says so in the protocol's name.
func unpaired(at *address, err error) error {
	var e *engine.Error
	switch {
	case !errors.As(err, &e):
	case e.State == "08P01":
		return shared(at, "transactions are not allowed, as behind a pooler in statement mode")
	case e.Code == engine.Stopped && errors.Is(e.Err, context.DeadlineExceeded), e.Code == engine.Timeout:
		return &engine.Error{Code: engine.Unreachable, Doing: "connect to " + at.String(), Say: "a second session waits in vain while one is open",
			Hint: "a run needs some sessions at once: raise the pooler's default_pool_size, or put the address of the server itself into the URL"}
	}
	return err
}
