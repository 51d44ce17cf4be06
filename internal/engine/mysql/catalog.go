package mysql

import (
	"context"

	"understudy/internal/catalog"
	"understudy/internal/engine"
)

// Catalog reads what parity compares.
func (s *side) Catalog(context.Context, []string) (*catalog.Catalog, error) {
	return nil, &engine.Error{Code: engine.Unsupported}
}
