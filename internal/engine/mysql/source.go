package mysql

import (
	"cmp"
	"context"
	"slices"

	"understudy/internal/engine"
)

// A source is a database that is only read.
type source struct {
	side
	databases []string // that the job covers; none for the URL's
}

var (
	_ engine.Source = (*source)(nil)
	_ engine.Scoped = (*source)(nil)
)

// Scope tells which databases are read; none given leaves it at the URL's.
func (s *source) Scope(schemas []string) { s.databases = slices.Clone(schemas) }

func (s *source) meant() []string { return s.covered(s.databases) }

// newSource opens the source and asks the server whether it will only be read.
func newSource(ctx context.Context, at *address, limits engine.Limits) (*source, error) {
	s := &source{side: side{at: at, limits: limits.WithDefaults(), name: "source", readOnly: true}}
	err := s.with(ctx, func(c *conn) error {
		return cmp.Or(c.checkReadOnly(ctx), present(ctx, c, []string{at.database}))
	})
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}
