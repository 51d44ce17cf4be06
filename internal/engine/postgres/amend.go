package postgres

import (
	"context"
	"fmt"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/script"
)

var (
	_ engine.Scripted  = (*target)(nil)
	_ engine.Amendable = (*load)(nil)
	_ engine.Amendable = (*exchange)(nil)
	_ engine.Alterable = (*load)(nil)
	_ engine.Tryable   = (*target)(nil)
)

// Alter runs statements on the new database in one transaction, by the protocol
// that takes several at once.
func (l *load) Alter(ctx context.Context, statements string) error {
	c, err := connect(ctx, l.t.at, session{name: l.spec.RunID + " alter", database: l.next, limits: l.t.limits})
	if err != nil {
		return err
	}
	defer c.hangUp()
	path := l.plan.origin.path
	if path == "" {
		path = c.path
	}
	return c.transaction(ctx, "BEGIN; SET LOCAL synchronous_commit = off", func() error {
		if err := localPath(ctx, c, path); err != nil {
			return err
		}
		return c.exec(ctx, "run the statement", statements)
	})
}

// Catalog reads the new database as a target's is read.
func (l *load) Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error) {
	at := *l.t.at
	at.database = l.next
	s := side{at: &at, limits: l.t.limits, name: "scratch", readOnly: true}
	defer s.Close()
	return s.Catalog(ctx, schemas)
}

// quoting is how PostgreSQL writes quotes and comments.
func quoting() script.Dialect { return script.Dialect{Dollar: true, Escapes: true, Nested: true} }

// Statements takes a script apart.
func (t *target) Statements(text string) ([]script.Statement, []script.Mistake) {
	return script.Parse(text, quoting())
}

// Amend runs the statements on the new database in one transaction, through a
// session of its own: those that load keep a superuser's triggers silent.
func (l *load) Amend(ctx context.Context, statements []script.Statement) (failed int, err error) {
	c, err := connect(ctx, l.t.at, session{name: l.spec.RunID + " amend", database: l.next, limits: l.t.limits})
	if err != nil {
		return 0, err
	}
	defer c.hangUp() // before the switch, which no session of ours may hold up
	path := l.plan.origin.path
	if path == "" {
		path = c.path
	}
	err = c.transaction(ctx, "BEGIN; SET LOCAL synchronous_commit = off", func() error {
		failed, err = amend(ctx, c, path, statements)
		return err
	})
	if err != nil {
		return failed, err
	}
	if err := l.with(ctx, func(c *conn) error { return l.setCounted(ctx, c) }); err != nil {
		return len(statements), err
	}
	return len(statements), l.with(ctx, func(c *conn) error { return l.refreshViews(ctx, c) })
}

// setCounted puts the sequences past the values of their columns.
func (l *load) setCounted(ctx context.Context, c *conn) error {
	list, err := sequences(ctx, c)
	if err != nil {
		return err
	}
	for _, s := range list {
		if !s.counted() {
			continue
		}
		if _, err := c.value(ctx, "set the sequence "+s.name.String(), s.set()); err != nil {
			return err
		}
	}
	return nil
}

// Amend runs the statements inside the open transaction.
func (x *exchange) Amend(ctx context.Context, statements []script.Statement) (failed int, err error) {
	err = x.inside(func(c *conn) error {
		if failed, err = amend(ctx, c, c.path, statements); err != nil {
			return err
		}
		if err := x.setSequences(ctx, c, true); err != nil {
			return err
		}
		return x.refreshViews(ctx, c)
	})
	return failed, err
}

// amend runs statements in the transaction that c is in, one by one by the
// protocol that takes one statement at a time, and has what is deferred checked.
func amend(ctx context.Context, c *conn, path string, statements []script.Statement) (failed int, err error) {
	if err := localPath(ctx, c, path); err != nil {
		return 0, err
	}
	limit := "SET LOCAL statement_timeout = "
	before, err := c.value(ctx, "look at statement_timeout", "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'")
	if err != nil {
		return 0, err
	}
	if err := c.exec(ctx, "set the time limit", limit+milliseconds(c.limits.WithDefaults().Statement)); err != nil {
		return 0, err
	}
	for i, s := range statements {
		_, err := c.PgConn.ExecParams(ctx, s.Text, nil, nil, nil, nil).Close() // rows it gives are not looked at
		if err != nil {
			return i, wrap(ctx, err, "run the statement")
		}
		if c.TxStatus() != 'T' {
			return i, &engine.Error{Code: engine.Failed, Doing: "run the statement", Say: "it ended the transaction",
				Hint: "leave out what commits or rolls back: the statements take place all together or not at all"}
		}
	}
	if err := c.exec(ctx, "check what was deferred", "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return len(statements), err
	}
	if err := c.exec(ctx, "set the time limit", limit+fmt.Sprintf("'%s'", before)); err != nil {
		return len(statements), err
	}
	return len(statements), localPath(ctx, c, "")
}
