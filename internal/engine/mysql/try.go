package mysql

import (
	"context"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Try refuses openly: rows are tried where they would be loaded, which is not there yet.
func (s *side) Try(_ context.Context, table *schema.Table, _ []string, _ *engine.Tuples) ([]engine.Rejection, error) {
	return nil, &engine.Error{Code: engine.Unsupported, Doing: "try rows", Table: table.Name, Say: "trying rows is not there yet"}
}
