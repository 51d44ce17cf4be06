package postgres

import (
	"context"
	"slices"
	"strings"
	"time"

	"understudy/internal/engine"
)

// giveWay watches whether a change of structure waits for the exporter's locks:
// every statement on that table then queues behind it. One that has waited for
// Limits.LockWait ends the snapshot. Without a connection to spare there is no
// watch; the age limit still holds.
func (s *snapshot) giveWay() {
	c, err := connect(s.life, s.at, session{name: "source watch", readOnly: true, limits: s.limits})
	if err != nil {
		return
	}
	defer c.hangUp()
	var before []string
	tick := time.NewTicker(s.limits.LockWait)
	defer tick.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
		}
		now, err := s.waiting(s.life, c)
		if err != nil {
			return
		}
		if slices.ContainsFunc(now, func(w string) bool { return slices.Contains(before, w) }) {
			s.expire(&engine.Error{Code: engine.Stopped, Doing: "read the source", Say: "it gave way to a change of structure that waited for a table we read",
				Hint: "run again when the change is through"})
			return
		}
		before = now
	}
}

// waiting lists who waits for a lock that the exporter's keep away.
func (s *snapshot) waiting(ctx context.Context, c *conn) ([]string, error) {
	rows, err := c.query(ctx, "look who waits", `
SELECT w.pid, w.relation FROM pg_catalog.pg_locks w JOIN pg_catalog.pg_locks m USING (locktype, database, relation)
WHERE w.locktype = 'relation' AND NOT w.granted AND w.mode = 'AccessExclusiveLock' AND m.granted AND m.pid = $1`, s.exporter.PID())
	var out []string
	for _, row := range rows {
		out = append(out, strings.Join([]string{string(row[0]), string(row[1])}, " "))
	}
	return out, err
}
