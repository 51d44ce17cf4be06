package mysql

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
)

// lockName is a target's name for GET_LOCK, which holds on the whole server.
func lockName(database string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(database)))
	return "understudy " + hex.EncodeToString(sum[:16])
}

// lock takes the lock of every database of the target for as long as the session
// lives, in one order. It does not wait: a held lock is code Busy.
func (t *target) lock(ctx context.Context, c *conn) error {
	for _, database := range slices.Sorted(slices.Values(t.databases)) {
		got, err := c.value(ctx, "lock the target", "SELECT GET_LOCK("+literal(lockName(database))+", 0)")
		if err != nil {
			return err
		}
		if got != "1" {
			who, _ := t.holder(ctx, c) // says less without
			return &engine.Error{Code: engine.Busy, Doing: "lock the target", Say: "another run holds it" + who,
				Hint: "wait for it to end; its lock goes with its session, however it ends"}
		}
	}
	return nil
}

// unlock lets go of the target's locks before the session that holds them ends, which
// the server notices in its own time: whoever runs at once does not meet it.
func (t *target) unlock(c *conn) {
	if c.broken {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // undoing
	defer cancel()
	for _, database := range t.databases {
		_ = c.exec(ctx, "let go of the target", "DO RELEASE_LOCK("+literal(lockName(database))+")") // the session's end does the same
	}
}

// holder describes the session that holds the lock; empty if none does.
func (t *target) holder(ctx context.Context, c *conn) (string, error) {
	for _, database := range t.databases {
		id, err := c.value(ctx, "look at the lock", "SELECT IS_USED_LOCK("+literal(lockName(database))+")")
		if err != nil {
			return "", err
		}
		if id != "" {
			return " (connection " + id + ")", nil
		}
	}
	return "", nil
}

// number reads a number that the server wrote; 0 for none.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64) // a NULL is 0
	return n
}
