package postgres

import (
	"context"
	"errors"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// lockNotAvailable is the server's code for a lock that was not to be had in time.
const lockNotAvailable = "55P03"

// patience is how long others may wait for a lock of ours: less than our own
// readers wait for one, who would queue behind them, and short however long
// these are allowed to wait.
func patience(l engine.Limits) time.Duration { return min(l.LockWait/2, 2*time.Second) }

// giveWay watches whether the exporter still holds its locks, and whether somebody
// waits for a table that they keep: every statement on that table then queues behind them. One that has
// waited for longer than patience ends the snapshot. Without a connection to
// spare there is no watch; the age limit still holds.
func (s *snapshot) giveWay() {
	c, err := connect(s.life, s.at, session{name: "source watch", readOnly: true, limits: s.limits})
	if err != nil {
		return
	}
	defer c.hangUp()
	since := map[string]time.Time{} // by who waits for what
	tick := time.NewTicker(min(max(patience(s.limits)/4, 10*time.Millisecond), 500*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
		}
		// Readers that have joined do not notice that the session with the locks is gone.
		if len(s.alone) == 0 { // else whoever uses the exporter will see
			if ended := s.ended(); ended != nil && s.life.Err() == nil {
				s.expire(ended)
				return
			}
		}
		now, err := s.waiting(s.life, c)
		if err != nil {
			return
		}
		seen := map[string]time.Time{}
		for who, table := range now {
			if first, before := since[who]; !before {
				seen[who] = time.Now()
			} else if seen[who] = first; time.Since(first) >= patience(s.limits) {
				s.expire(gaveWay(table))
				return
			}
		}
		since = seen
	}
}

func gaveWay(table schema.Name) error {
	return &engine.Error{Code: engine.Stopped, Doing: "read the source", Table: table,
		Say:  "it gave way to a change of structure that waited for a table we read",
		Hint: "run again when the migration (or TRUNCATE, or VACUUM FULL) is through", Again: true}
}

// again marks the failure of a reading that stood behind somebody's lock, or in
// somebody's way: it may go well when these are through.
func again(err error) error {
	var e *engine.Error
	if errors.As(err, &e) && (e.State == lockNotAvailable || e.State == "40P01") {
		e.Again = true
	}
	return err
}

// waiting lists who waits for a lock that the exporter's keep away, with the
// table, where it is one that is read by name.
func (s *snapshot) waiting(ctx context.Context, c *conn) (map[string]schema.Name, error) {
	rows, err := c.query(ctx, "look who waits", `
SELECT w.pid, w.relation FROM pg_catalog.pg_locks w JOIN pg_catalog.pg_locks m USING (locktype, database, relation)
WHERE w.locktype = 'relation' AND NOT w.granted AND w.mode = 'AccessExclusiveLock' AND m.granted AND m.pid = $1`, s.exporter.PID())
	out := map[string]schema.Name{}
	for _, row := range rows {
		out[string(row[0])+" "+string(row[1])] = s.tableOf(parseUint(row[1]))
	}
	return out, err
}

// tableOf names the table that a relation is or is a partition of.
func (s *snapshot) tableOf(oid uint32) schema.Name {
	for name, f := range s.inv.tables {
		if f.oid == oid {
			return name
		}
		for _, l := range f.leaves {
			if l.oid == oid {
				return name
			}
		}
	}
	return schema.Name{}
}
