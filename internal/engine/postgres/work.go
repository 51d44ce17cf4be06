package postgres

import (
	"context"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A sequenceOfWork is the order in which deltas are carried out while foreign
// keys stay in force. Parents come before their children and go after them, so
// that at the end of every statement each row finds what it refers to, and no
// row that stays refers to one that goes. Tables in a circle are written by one
// statement, at whose end the server looks at all of them. Tables that no key
// refers to are free: their old values go first, so that new rows can take them.
type sequenceOfWork struct {
	tables     map[schema.Name]*exchanged
	ties       []*tie         // in force
	referenced [][]*exchanged // parents first
	leaves     []*exchanged
	// written sets apart what was written to a table, while the server still has it at hand.
	written func(context.Context, *conn, *exchanged) error
}

func (w *sequenceOfWork) run(ctx context.Context, c *conn, step func(string)) error {
	for _, e := range w.leaves {
		if e.gone > 0 {
			step(doingExchange(e))
			if err := c.exec(ctx, doingExchange(e), e.remove(shareGone)); err != nil {
				return err
			}
		}
	}
	for _, group := range w.referenced {
		if err := together(ctx, c, group, step, func(e *exchanged) (string, int64) { return e.insert(shareCame), e.came }); err != nil {
			return err
		}
	}
	for _, group := range w.referenced {
		for _, e := range group {
			if e.changed == 0 {
				continue
			}
			step(doingExchange(e))
			if err := c.exec(ctx, doingExchange(e), e.update()); err != nil {
				return err
			}
			if e.gone > 0 {
				continue // it is not done with
			}
			if err := w.written(ctx, c, e); err != nil {
				return err
			}
		}
	}
	for _, e := range w.leaves {
		step(doingExchange(e))
		if err := e.renew(ctx, c); err != nil {
			return err
		}
		if err := w.written(ctx, c, e); err != nil {
			return err
		}
	}
	for _, k := range w.ties {
		if err := k.guard(ctx, c, w.tables); err != nil {
			return err
		}
	}
	for i := len(w.referenced) - 1; i >= 0; i-- {
		if err := together(ctx, c, w.referenced[i], step, func(e *exchanged) (string, int64) { return e.remove(shareGone), e.gone }); err != nil {
			return err
		}
	}
	return nil
}

// together runs one statement for each table of a group as one, so that the
// server checks foreign keys when all of them are done.
func together(ctx context.Context, c *conn, group []*exchanged, step func(string), write func(*exchanged) (sql string, rows int64)) error {
	var parts, names []string
	for _, e := range group {
		sql, rows := write(e)
		if rows == 0 {
			continue
		}
		names = append(names, e.name.String())
		parts = append(parts, sql)
	}
	if len(parts) == 0 {
		return nil
	}
	doing := "exchange the rows of " + strings.Join(names, ", ")
	step(doing)
	sql := parts[0]
	if len(parts) > 1 {
		var b strings.Builder
		for i, p := range parts {
			b.WriteString([]string{"WITH ", ", "}[min(i, 1)] + "w" + string(appendUint(nil, uint64(i))) + " AS (" + p + ")")
		}
		sql = b.String() + " SELECT"
	}
	return c.exec(ctx, doing, sql)
}

// renew gives a free table its changed and new rows. When rows exchange a unique
// value among themselves, the server refuses to change one after the other: they
// are then deleted and inserted.
func (e *exchanged) renew(ctx context.Context, c *conn) error {
	doing := doingExchange(e)
	left := shareCame
	if e.changed > 0 {
		if err := c.exec(ctx, doing, "SAVEPOINT change"); err != nil {
			return err
		}
		err := c.exec(ctx, doing, e.update())
		switch {
		case err == nil:
			err = c.exec(ctx, doing, "RELEASE SAVEPOINT change")
		case engine.CodeOf(err) == engine.Constraint:
			err = c.exec(ctx, doing, "ROLLBACK TO SAVEPOINT change; RELEASE SAVEPOINT change")
			if err == nil {
				err = c.exec(ctx, doing, e.remove(shareChanged))
			}
			left = shareHere
		}
		if err != nil {
			return err
		}
	}
	if e.came == 0 && left == shareCame {
		return nil
	}
	return c.exec(ctx, doing, e.insert(left))
}
