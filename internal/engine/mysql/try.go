package mysql

import (
	"context"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Try is the target side's.
func (s *side) Try(context.Context, *schema.Table, []string, *engine.Tuples) ([]engine.Rejection, error) {
	return nil, &engine.Error{Code: engine.Unsupported}
}
