package mysql

import (
	"context"

	"understudy/internal/catalog"
	"understudy/internal/engine"
)

// Catalog refuses openly: what parity compares is not read yet.
func (s *side) Catalog(context.Context, []string) (*catalog.Catalog, error) {
	return nil, &engine.Error{Code: engine.Unsupported, Doing: "read the structure for parity", Say: "it is not there yet"}
}
