package mysql

import (
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// giveWay watches whether the keeper still holds the tables, and whether somebody
// waits for one of them: every statement on that table then queues behind him. No
// privilege is needed to see it: the watcher's own look at the table waits, too.
// Without a connection to spare there is no watch; the age limit still holds.
func (s *snapshot) giveWay() {
	c, err := s.session(s.life, "source watch")
	if err != nil {
		return
	}
	defer c.hangUp()
	if c.exec(s.life, "pin the session's settings", "SET SESSION lock_wait_timeout = 1") != nil {
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for at := 0; ; {
		select {
		case <-s.life.Done():
			return
		case <-tick.C:
		}
		if err := s.alive(s.life); err != nil {
			if s.life.Err() == nil {
				s.expire(err)
			}
			return
		}
		var names []schema.Name
		for range min(len(s.inv.schema.Tables), 200) { // the others are next
			names = append(names, s.inv.schema.Tables[at%len(s.inv.schema.Tables)].Name)
			at++
		}
		if len(names) == 0 || c.exec(s.life, "look who waits", touched(names)) == nil {
			continue
		}
		for _, n := range names {
			if numberOf(c.exec(s.life, "look who waits", touched([]schema.Name{n}))) == errLockWait {
				s.expire(gaveWay(n))
				return
			}
		}
		if c.broken {
			return
		}
	}
}

func gaveWay(table schema.Name) error {
	return &engine.Error{Code: engine.Stopped, Doing: "read the source", Table: table,
		Say:  "it gave way to a change of structure, or a lock, that waited for a table we read",
		Hint: "run again when the migration (or TRUNCATE, OPTIMIZE, LOCK TABLES) is through"}
}
