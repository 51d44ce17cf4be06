package mysql

import (
	"context"

	"understudy/internal/engine"
)

// newTarget opens a database to replace.
func newTarget(context.Context, *address, engine.Limits) (engine.Target, error) {
	return nil, &engine.Error{Code: engine.Unsupported, Doing: "open the target", Say: "replacing a database of this product is not there yet"}
}
