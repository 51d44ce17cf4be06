package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	sqlite "modernc.org/sqlite"

	"understudy/internal/engine"
)

// Switch marks the generation, keeps a copy of the present one and copies all
// pages into the target in one transaction. Applications that hold the target
// open see the old rows until it commits and the new ones after it.
func (l *load) Switch(ctx context.Context, manifest []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return err
	}
	l.spec.Step("switch")
	l.conn.doing = "write the manifest"
	if err := writeMark(ctx, l.conn, mark{generation: l.spec.RunID, made: l.made, manifest: append([]byte{}, manifest...), path: l.target.path}); err != nil {
		return err
	}
	l.conn.close()
	l.conn = nil
	kept := ""
	if l.spec.Keep > 0 && !absent(l.target.path) {
		id, err := l.target.keep(ctx, "before-"+l.spec.RunID)
		if err != nil {
			return err
		}
		kept = beside(l.target.path, "prev-"+id)
	}
	err := l.carriedAsIs(ctx)
	if err == nil {
		err = l.target.replace(ctx, l.path)
	}
	if err != nil {
		if kept != "" {
			err = errors.Join(err, removeDatabase(kept)) // a copy of what still is the present one
		}
		return err
	}
	// What is left is short, and to stop in it would only leave files behind.
	if err := l.target.prune(context.WithoutCancel(ctx), l.spec.Keep); err != nil {
		return engine.Switched(err)
	}
	if err := removeDatabase(l.path); err != nil {
		return engine.Switched(err)
	}
	return nil
}

// keep copies the present generation, page by page, into a file beside the
// target, and gives its id; a database without a marker is given the id unmarked.
func (t *target) keep(ctx context.Context, unmarked string) (id string, err error) {
	part := beside(t.path, "part-"+unmarked)
	if err := removeDatabase(part); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = removeDatabase(part) // the next run would do it
		}
	}()
	if err := t.reserve(part); err != nil {
		return "", err
	}
	if err := t.copyOut(ctx, part); err != nil {
		return "", err
	}
	c, err := t.product.open(ctx, part, readWrite, t.limits.LockWait)
	if err != nil {
		return "", err
	}
	defer c.close()
	c.doing = "keep the present generation"
	if err := c.exec(ctx, "PRAGMA journal_mode=DELETE"); err != nil { // a copy of a WAL database says that it is one
		return "", err
	}
	m, err := readMark(ctx, c)
	if err == nil && m == nil {
		m = &mark{generation: unmarked, made: time.Now().Add(-time.Second), path: t.path}
		err = writeMark(ctx, c, *m)
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(part, beside(t.path, "prev-"+m.generation)); err != nil {
		return "", fileError("keep the present generation", err)
	}
	return m.generation, syncDirectory(t.path)
}

// reserve makes an empty file for a copy of the target: who may not read the
// target may not read what it held.
func (t *target) reserve(path string) error {
	doing := "keep the present generation"
	info, err := os.Stat(t.path)
	if err != nil {
		return fileError(doing, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fileError(doing, err)
	}
	return nil
}

// copyOut copies the target as it is at one moment.
func (t *target) copyOut(ctx context.Context, to string) error {
	c, err := t.product.open(ctx, t.path, queryOnly, t.limits.LockWait)
	if err != nil {
		return err
	}
	defer c.close()
	c.doing = "copy the present generation"
	for _, sql := range []string{"BEGIN", "SELECT count(*) FROM sqlite_schema"} { // the copy's one moment
		if err := c.each(ctx, sql, nil, discard); err != nil {
			return err
		}
	}
	return c.backup(ctx, t.limits.LockWait, func(b backer) (*sqlite.Backup, error) {
		return b.NewBackup(dsn(to, readWrite))
	})
}

// replace copies a database's pages over the target's, in one transaction of
// the target. The target's journals are left to SQLite: they may be in use.
func (t *target) replace(ctx context.Context, from string) error {
	c, err := t.product.open(ctx, t.path, readWrite, t.limits.LockWait)
	if err != nil {
		return err
	}
	defer c.close()
	c.doing = "switch"
	if err := c.exec(ctx, "PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	return c.backup(ctx, t.limits.LockWait, func(b backer) (*sqlite.Backup, error) {
		return b.NewRestore(dsn(from, readOnly))
	})
}

// backer is the driver's door to SQLite's backup interface.
type backer interface {
	NewBackup(to string) (*sqlite.Backup, error)
	NewRestore(from string) (*sqlite.Backup, error)
}

// chunk is how many pages are copied between two looks at the context.
const chunk = 4096

// backup copies all pages, which is one transaction of the database copied
// into: it commits with the last of them. While somebody holds a lock it tries
// again, until it has waited so long without getting on.
func (c *conn) backup(ctx context.Context, wait time.Duration, start func(backer) (*sqlite.Backup, error)) error {
	door, ok := c.raw.(backer)
	if !ok {
		return &engine.Error{Code: engine.Unsupported, Doing: c.doing, Say: "the driver has no backup interface"}
	}
	b, err := start(door)
	if err != nil {
		return c.wrap(ctx, err)
	}
	err = copyPages(ctx, b, wait)
	finish := b.Finish() // gives up what is not whole
	if err == nil {
		err = finish
	}
	if ctx.Err() == nil && busy(err) {
		return &engine.Error{Code: engine.Timeout, Doing: c.doing, State: fmt.Sprintf("SQLITE %d", codeOf(err)), Err: err,
			Say:  "an application holds a lock on the target and does not let go",
			Hint: "end its long transaction, or raise limits.lock_wait"}
	}
	if err != nil {
		return wrap(err, c.doing)
	}
	return nil
}

// copyPages takes the steps. An error of ctx comes only while the copy is not whole.
func copyPages(ctx context.Context, b *sqlite.Backup, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		more, err := b.Step(chunk)
		switch {
		case err == nil && !more:
			return nil
		case err == nil:
			deadline = time.Now().Add(wait)
		case !busy(err) || time.Now().After(deadline):
			return err
		default:
			pause := time.NewTimer(10 * time.Millisecond)
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func busy(err error) bool {
	code := codeOf(err) & 0xff
	return code == codeBusy || code == codeLocked
}

// prune removes kept generations beyond the newest so many.
func (t *target) prune(ctx context.Context, keep int) error {
	var present *mark
	err := t.with(ctx, func(ctx context.Context, c *conn) (err error) {
		present, err = readMark(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	kept, err := t.kept(ctx, present)
	if err != nil || len(kept) <= keep {
		return err
	}
	for _, g := range kept[max(0, keep):] {
		if err := removeDatabase(beside(t.path, "prev-"+g.ID)); err != nil {
			return err
		}
	}
	return nil
}

// Rollback copies a kept generation over the present one, which is kept instead.
func (t *target) Rollback(ctx context.Context, generation string) error {
	held, err := take(t.path)
	if err != nil {
		return err
	}
	defer held.free()
	missing := &engine.Error{Code: engine.Changed, Doing: "roll back", Say: "there is no such generation", Hint: "list them: understudy rollback --list"}
	if !plainID(generation) {
		return missing
	}
	from := beside(t.path, "prev-"+generation)
	if absent(from) {
		return missing
	}
	if m, err := t.markOf(ctx, from); err != nil || m == nil {
		return missing
	}
	id, err := t.keep(ctx, "before-"+generation)
	if err != nil {
		return err
	}
	if id == generation {
		return &engine.Error{Code: engine.Changed, Doing: "roll back", Say: "this generation is the present one", Hint: "`understudy rollback --list` shows the others"}
	}
	if err := t.replace(ctx, from); err != nil {
		return err
	}
	if err := removeDatabase(from); err != nil {
		return engine.Switched(err)
	}
	return nil
}

// syncDirectory makes a new name in the target's directory last.
func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fileError("keep the present generation", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fileError("keep the present generation", err)
	}
	return nil
}
