package mysql

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"understudy/internal/engine"
)

const beginReading = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"

// moment opens readers that see one moment, and says how that is known. MariaDB
// tells each consistent snapshot its place in the binary log: equal places are
// one moment. MySQL tells which transactions it has done and which are on their
// way: if none is on its way before, and none was added until all have begun,
// nobody committed between. Else one reader remains, unless the URL allows a
// short global lock.
func (s *source) moment(ctx context.Context) (conns []*conn, way string, err error) {
	if conns, err = s.open(ctx, s.limits.Readers); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			hangUpAll(conns)
			conns = nil
		}
	}()
	var why string
	switch {
	case len(conns) == 1:
		return conns, "one session with a consistent snapshot", begin(ctx, conns)
	case s.at.globalLock:
		way, err = s.underLock(ctx, conns)
		return conns, way, err
	}
	if way, why, err = s.together(ctx, conns); err != nil || way != "" {
		return conns, way, err
	}
	hangUpAll(conns[1:])
	conns = conns[:1]
	return conns, "one session with a consistent snapshot; more would not be known to see one moment, because " + why, begin(ctx, conns)
}

// open opens sessions that only read.
func (s *source) open(ctx context.Context, n int) (conns []*conn, err error) {
	for range n {
		c, err := s.reading(ctx, "source reader")
		if err != nil {
			hangUpAll(conns)
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// begin begins a consistent snapshot in every session, and ends one that there was before.
func begin(ctx context.Context, conns []*conn) error {
	errs := make([]error, len(conns))
	var all sync.WaitGroup
	for i, c := range conns { // at once, so that little lies between
		all.Go(func() { errs[i] = c.exec(ctx, "take the moment", beginReading) })
	}
	all.Wait()
	return cmp.Or(errs...)
}

func hangUpAll(conns []*conn) {
	for _, c := range conns {
		c.hangUp()
	}
}

// together begins all readers until they see one moment. way is empty where they
// do not; reason then says why.
func (s *source) together(ctx context.Context, conns []*conn) (way, reason string, err error) {
	err = s.with(ctx, func(c *conn) (err error) {
		if reason, err = unlogged(ctx, c); err != nil || reason != "" {
			return err
		}
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if way, reason, err = s.attempt(ctx, c, conns); err != nil || way+reason != "" {
				return err
			}
		}
		reason = "others committed all the time"
		return nil
	})
	return way, reason, err
}

// patience is for how long readers try to begin at one moment.
const patience = 2 * time.Second

// attempt begins all readers once; c is a session beside them. Neither way nor
// reason is given where another attempt may succeed.
func (s *source) attempt(ctx context.Context, c *conn, conns []*conn) (way, reason string, err error) {
	if c.maria {
		if err := begin(ctx, conns); err != nil {
			return "", "", err
		}
		return samePlace(ctx, conns)
	}
	before, err := committed(ctx, c)
	if err != nil || before == "" {
		return "", "", err
	}
	if err := begin(ctx, conns); err != nil {
		return "", "", err
	}
	if after, err := committed(ctx, c); err != nil || before != after {
		return "", "", err
	}
	return fmt.Sprintf("%d sessions with consistent snapshots between which no transaction was committed (GTIDs)", len(conns)), "", nil
}

// unlogged says why the binary log does not tell of every transaction; empty
// where it does.
func unlogged(ctx context.Context, c *conn) (string, error) {
	const doing = "ask for the binary log"
	if c.maria {
		row, err := c.row(ctx, doing, "SELECT @@GLOBAL.log_bin, @@GLOBAL.log_slave_updates, @@GLOBAL.gtid_slave_pos")
		switch {
		case err != nil:
			return "", err
		case row[0] != "1":
			return "the server writes no binary log", nil
		case row[1] != "1" && row[2] != "":
			return "the server is a replica that does not log what it applies (log_slave_updates)", nil
		}
		return "", nil
	}
	row, err := c.row(ctx, doing, "SELECT @@GLOBAL.log_bin, @@GLOBAL.gtid_mode")
	switch {
	case err != nil:
		return "", err
	case row[0] != "1":
		return "the server writes no binary log", nil
	case row[1] != "ON":
		return "the server does not number its transactions (gtid_mode is not ON)", nil
	}
	return "", nil
}

// committed gives the transactions that MySQL has done; empty while some are on
// their way. Those are asked for first: what leaves their list between the two
// is in the other one by then.
func committed(ctx context.Context, c *conn) (string, error) {
	const doing = "ask for the transactions done"
	owned, err := c.value(ctx, doing, "SELECT @@GLOBAL.gtid_owned")
	if err != nil || owned != "" {
		return "", err
	}
	done, err := c.value(ctx, doing, "SELECT @@GLOBAL.gtid_executed")
	return "done " + done, err
}

// samePlace asks MariaDB's consistent snapshots for their place in the binary log.
func samePlace(ctx context.Context, conns []*conn) (way, reason string, err error) {
	first := ""
	for i, c := range conns {
		rows, err := c.rows(ctx, "ask for the moment's place", "SHOW STATUS WHERE variable_name IN ('binlog_snapshot_file', 'binlog_snapshot_position')")
		if err != nil {
			return "", "", err
		}
		place := ""
		for _, r := range rows {
			place += r[1] + " "
		}
		switch {
		case len(rows) != 2 || rows[0][1] == "":
			return "", "the server does not tell a snapshot's place in its binary log", nil
		case i > 0 && place != first:
			return "", "", nil
		}
		first = place
	}
	return fmt.Sprintf("%d sessions with consistent snapshots at one place in the binary log", len(conns)), "", nil
}

// underLock begins all readers while a global lock keeps everybody from writing.
func (s *source) underLock(ctx context.Context, conns []*conn) (way string, err error) {
	c, err := connect(ctx, s.at, session{name: "source lock", limits: s.limits})
	if err != nil {
		return "", err
	}
	defer c.hangUp()
	if err := c.exec(ctx, "take the global lock", "FLUSH TABLES WITH READ LOCK"); err != nil {
		if engine.CodeOf(err) == engine.Denied {
			err = &engine.Error{Code: engine.Denied, Doing: "take the global lock", Say: "the user lacks a privilege", Hint: "GRANT RELOAD ON *.*, or take global-lock=yes out of the URL"}
		}
		return "", err
	}
	if err := begin(ctx, conns); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d sessions with consistent snapshots, begun under a short global lock", len(conns)), c.exec(ctx, "give the global lock back", "UNLOCK TABLES")
}
