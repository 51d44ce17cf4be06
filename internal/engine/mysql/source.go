package mysql

import (
	"context"

	"understudy/internal/engine"
)

// A source is a database that is only read.
type source struct {
	side
}

var _ engine.Source = (*source)(nil)

// newSource opens the source and asks the server whether it will only be read.
func newSource(ctx context.Context, at *address, limits engine.Limits) (*source, error) {
	s := &source{side: side{at: at, limits: limits.WithDefaults(), name: "source", readOnly: true}}
	err := s.with(ctx, func(c *conn) error { return c.checkReadOnly(ctx) })
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}
