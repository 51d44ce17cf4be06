package postgres

import (
	"context"

	"understudy/internal/engine"
)

// Execute runs statements in a database, in one transaction, with the server's
// own search_path. The demo makes its databases with it; no run uses it.
func Execute(ctx context.Context, at engine.Address, statements []string) error {
	a, err := ours(at)
	if err != nil {
		return err
	}
	c, err := connect(ctx, a, session{name: "demo", set: map[string]string{"search_path": a.Schema()}})
	if err != nil {
		return err
	}
	defer c.hangUp()
	return c.transaction(ctx, "BEGIN", func() error {
		for _, s := range statements {
			if err := c.exec(ctx, "run a statement of the demo", s); err != nil {
				return err
			}
		}
		return nil
	})
}
