package sqlite

import (
	"context"

	"understudy/internal/engine"
)

// Execute runs statements in a database, in one transaction; the file is made if
// it does not exist. The demo makes its databases with it; no run uses it.
func Execute(ctx context.Context, at engine.Address, statements []string) error {
	p := New().(*product)
	a, err := p.address(at, "make a database")
	if err != nil {
		return err
	}
	path, err := resolve(a.path)
	if err != nil {
		return err
	}
	c, err := p.open(ctx, path, readWrite, engine.Limits{}.WithDefaults().LockWait)
	if err != nil {
		return err
	}
	defer c.close()
	for _, s := range append(append([]string{"BEGIN"}, statements...), "COMMIT") {
		if err := c.exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
