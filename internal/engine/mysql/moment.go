package mysql

import (
	"context"
	"fmt"

	"understudy/internal/engine"
)

const beginReading = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"

// moment opens readers that see one moment, and says how that is known. MariaDB
// tells each consistent snapshot its place in the binary log: equal places are
// one moment. MySQL tells which transactions it has done and which are on their
// way: if none is on its way before, and none was added until all have begun,
// nobody committed between. Else one reader remains, unless the URL allows a
// short global lock.
func (s *source) moment(ctx context.Context) ([]*conn, string, error) {
	if s.limits.Readers == 1 {
		conns, err := s.begin(ctx, 1)
		return conns, "one session with a consistent snapshot", err
	}
	if s.at.globalLock {
		return s.underLock(ctx)
	}
	const tries = 8
	why := "others committed all the time"
	for range tries {
		conns, way, reason, err := s.together(ctx)
		if err != nil || way != "" {
			return conns, way, err
		}
		hangUpAll(conns)
		if reason != "" {
			why = reason
			break
		}
	}
	conns, err := s.begin(ctx, 1)
	return conns, "one session with a consistent snapshot; more would not be known to see one moment, because " + why, err
}

// begin opens sessions and begins a consistent snapshot in each.
func (s *source) begin(ctx context.Context, n int) (conns []*conn, err error) {
	for range n {
		c, err := s.reading(ctx, "source reader")
		if err != nil {
			hangUpAll(conns)
			return nil, err
		}
		conns = append(conns, c)
	}
	for _, c := range conns { // together, so that little lies between
		if err := c.exec(ctx, "take the moment", beginReading); err != nil {
			hangUpAll(conns)
			return nil, err
		}
	}
	return conns, nil
}

func hangUpAll(conns []*conn) {
	for _, c := range conns {
		c.hangUp()
	}
}

// together begins all readers and looks whether they see one moment. way is
// empty where they do not; reason then says why it is no use to try again.
func (s *source) together(ctx context.Context) (conns []*conn, way, reason string, err error) {
	var before, after string
	look := func(to *string) error {
		return s.with(ctx, func(c *conn) (err error) {
			if reason, err = unlogged(ctx, c); err != nil || reason != "" || c.maria {
				return err
			}
			*to, err = committed(ctx, c)
			return err
		})
	}
	if err := look(&before); err != nil || reason != "" {
		return nil, "", reason, err
	}
	if conns, err = s.begin(ctx, s.limits.Readers); err != nil {
		return nil, "", "", err
	}
	if conns[0].maria {
		way, reason, err = samePlace(ctx, conns)
	} else if err = look(&after); err == nil && before != "" && before == after {
		way = fmt.Sprintf("%d sessions with consistent snapshots between which no transaction was committed (GTIDs)", len(conns))
	}
	if err != nil {
		hangUpAll(conns)
		return nil, "", "", err
	}
	return conns, way, reason, nil
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
func (s *source) underLock(ctx context.Context) ([]*conn, string, error) {
	c, err := connect(ctx, s.at, session{name: "source lock", limits: s.limits})
	if err != nil {
		return nil, "", err
	}
	defer c.hangUp()
	if err := c.exec(ctx, "take the global lock", "FLUSH TABLES WITH READ LOCK"); err != nil {
		if engine.CodeOf(err) == engine.Denied {
			err = &engine.Error{Code: engine.Denied, Doing: "take the global lock", Say: "the user lacks a privilege", Hint: "GRANT RELOAD ON *.*, or take global-lock=yes out of the URL"}
		}
		return nil, "", err
	}
	conns, err := s.begin(ctx, s.limits.Readers)
	if err != nil {
		return nil, "", err
	}
	if err := c.exec(ctx, "give the global lock back", "UNLOCK TABLES"); err != nil {
		hangUpAll(conns)
		return nil, "", err
	}
	return conns, fmt.Sprintf("%d sessions with consistent snapshots, begun under a short global lock", len(conns)), nil
}
