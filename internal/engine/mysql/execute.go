package mysql

import (
	"context"

	"understudy/internal/engine"
)

// Create makes an empty database of the address's name. The demo makes its
// databases with it; no run uses it.
func Create(ctx context.Context, at engine.Address) error {
	return demonstrate(ctx, at, session{name: "demo", nowhere: true}, func(a *address) []string {
		return []string{"CREATE DATABASE " + quote(a.database) + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"}
	})
}

// Execute runs statements in a database, whose texts are standard SQL: a
// backslash means itself. The demo fills its databases with it; no run uses it.
func Execute(ctx context.Context, at engine.Address, statements []string) error {
	return demonstrate(ctx, at, session{name: "demo", mode: plainMode + ",NO_BACKSLASH_ESCAPES"}, func(*address) []string { return statements })
}

func demonstrate(ctx context.Context, at engine.Address, s session, statements func(*address) []string) error {
	a, err := ours(at)
	if err != nil {
		return err
	}
	c, err := connect(ctx, a, s)
	if err != nil {
		return err
	}
	defer c.hangUp()
	for _, s := range statements(a) {
		if err := c.exec(ctx, "run a statement of the demo", s); err != nil {
			return err
		}
	}
	return nil
}
