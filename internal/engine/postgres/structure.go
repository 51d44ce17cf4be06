package postgres

import (
	"context"

	"understudy/internal/engine"
)

// A structure stands for the source's whole DDL: where pg_dump reads it, and in
// which moment. It serves while the snapshot is open.
type structure struct {
	at       *address
	snapshot string // for pg_dump --snapshot
	version  int    // the server's, as server_version_num
	pooled   bool   // a pooler stands before the server

	// bounded gives a context that ends with the snapshot and then says why.
	bounded func(context.Context) (context.Context, context.CancelFunc)
}

var _ engine.Structure = (*structure)(nil)

// Describe names the database whose structure it is.
func (s *structure) Describe() string { return "the structure of " + s.at.String() }
