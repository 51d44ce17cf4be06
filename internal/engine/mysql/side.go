package mysql

import (
	"context"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A side is what source and target have in common: a database whose structure
// is read through one connection, made when it is first needed.
type side struct {
	at       *address
	limits   engine.Limits
	name     string // of its sessions: "source", "target"
	readOnly bool

	mu   sync.Mutex
	main *conn
	// tried is what trials know of tables.
	tried map[schema.Name]*tableFacts
}

// with runs do with the side's connection, alone, and makes a new one if the
// last broke meanwhile.
func (s *side) with(ctx context.Context, do func(c *conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// That a server ended an idle session is noticed only by asking.
	if s.main != nil && !s.main.broken && s.main.exec(ctx, "ask for the session", "DO 0") != nil && ctx.Err() == nil {
		s.main.hangUp()
	}
	if s.main == nil || s.main.broken {
		c, err := connect(ctx, s.at, session{name: s.name, readOnly: s.readOnly, limits: s.limits})
		if err != nil {
			return err
		}
		s.main = c
	}
	return do(s.main)
}

// Inspect reads the structure.
func (s *side) Inspect(ctx context.Context, schemas []string) (*schema.Schema, error) {
	var inv *inventory
	err := s.with(ctx, func(c *conn) (err error) {
		inv, err = inspect(ctx, c, s.covered(schemas))
		return err
	})
	if err != nil {
		return nil, err
	}
	return inv.schema, nil
}

// covered is the databases that are meant: those given, else the URL's.
func (s *side) covered(schemas []string) []string {
	if len(schemas) == 0 {
		return []string{s.at.database}
	}
	return schemas
}

// Close ends the side's connection.
func (s *side) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.main != nil {
		s.main.hangUp()
		s.main = nil
	}
	return nil
}
