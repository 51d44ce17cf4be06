package postgres

import (
	"context"

	"understudy/internal/engine"
)

// A source is a database that is only read.
type source struct {
	side
}

var _ engine.Source = (*source)(nil)

// newSource opens the source and asks the server, inside a transaction, whether
// it will only be read.
func newSource(ctx context.Context, at *address, limits engine.Limits) (*source, error) {
	if err := direct(ctx, at, "source"); err != nil {
		return nil, err
	}
	s := &source{side: side{at: at, limits: limits.WithDefaults(), name: "source", readOnly: true}}
	err := s.with(ctx, func(c *conn) error {
		return c.transaction(ctx, "BEGIN", func() error { return c.checkReadOnly(ctx) })
	})
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// checkReadOnly asks the server about the transaction that is open now.
func (c *conn) checkReadOnly(ctx context.Context) error {
	// The default is ours: it is missing where a pooler gave the transaction a
	// server session that never saw our settings.
	mode, err := c.value(ctx, "ask whether the session is read-only",
		`SELECT current_setting('transaction_read_only') || ' ' || current_setting('default_transaction_read_only')`)
	if err != nil {
		return err
	}
	if mode != "on on" {
		return &engine.Error{Code: engine.Unsupported, Doing: "open the source read-only", Say: "the server does not keep the session read-only",
			Hint: "connect to the server itself, not to a pooler that drops settings"}
	}
	return nil
}
