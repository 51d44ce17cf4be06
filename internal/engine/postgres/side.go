package postgres

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
	seen *inventory // what the last Inspect found, for Try
}

// with runs do with the side's connection, alone, and makes a new one if the
// last broke meanwhile.
func (s *side) with(ctx context.Context, do func(c *conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A switch of the target ends every session there, this one too; it is
	// noticed only by asking.
	if s.main != nil && !s.main.IsClosed() && s.main.Ping(ctx) != nil && ctx.Err() == nil {
		s.main.hangUp()
	}
	if s.main == nil || s.main.IsClosed() {
		c, err := connect(ctx, s.at, session{name: s.name, readOnly: s.readOnly, limits: s.limits})
		if err != nil {
			return err
		}
		s.main = c
	}
	err := do(s.main)
	if s.readOnly {
		err = again(err)
	}
	if s.main.TxStatus() != 'I' && !s.main.IsClosed() {
		s.main.rollback()
	}
	return err
}

// Inspect reads the structure.
func (s *side) Inspect(ctx context.Context, schemas []string) (*schema.Schema, error) {
	var inv *inventory
	err := s.with(ctx, func(c *conn) (err error) {
		if inv, err = inspect(ctx, c, schemas); err == nil && s.readOnly {
			err = ownNames(ctx, c)
		}
		return err
	})
	if err != nil {
		return nil, s.nameChanger(ctx, err, schemas)
	}
	s.mu.Lock()
	s.seen = inv
	s.mu.Unlock()
	return inv.schema, nil
}

// factsOf gives what is known of a table's types: from the last Inspect if the
// table is still as it was then found, else from a new look. with holds the lock.
func (s *side) factsOf(ctx context.Context, c *conn, table *schema.Table) (*tableFacts, error) {
	if s.seen != nil {
		if known := s.seen.schema.Table(table.Name); known != nil {
			if _, what := known.FirstChange(table); what == "" {
				return s.seen.tables[table.Name], nil
			}
		}
	}
	inv, err := inspect(ctx, c, []string{table.Name.Schema})
	if err != nil {
		return nil, err
	}
	if inv.tables[table.Name] == nil {
		return nil, &engine.Error{Code: engine.Changed, Doing: "look at the table", Say: "the table is not there", Table: table.Name}
	}
	return inv.tables[table.Name], nil
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
