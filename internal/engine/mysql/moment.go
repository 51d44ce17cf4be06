package mysql

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
)

const beginReading = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"

// moment opens readers that see one moment, and says how that is known. MariaDB
// tells each consistent snapshot its place in the binary log: equal places are
// one moment. MySQL tells which transactions it has done and which are on their
// way: if none is on its way before, and none was added until all have begun,
// nobody committed between. Where the log does not tell, InnoDB tells what each
// snapshot sees, to who may look (see byEngine). Else one reader remains, unless
// the URL allows a short global lock.
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
		unlogged, err := unlogged(ctx, c)
		if err != nil {
			return err
		}
		attempt := byLog
		if unlogged != "" {
			attempt = byEngine
		}
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if way, reason, err = attempt(ctx, c, conns); err != nil || way != "" {
				return err
			}
			if reason != "" {
				reason = join(unlogged, reason)
				return nil
			}
		}
		reason = join(unlogged, "transactions that write were open all the time")
		return nil
	})
	return way, reason, err
}

// patience is for how long readers try to begin at one moment.
const patience = 2 * time.Second

// byLog begins all readers once and asks the binary log whether they see one moment; c
// is a session beside them. Neither way nor reason is given where another attempt may
// succeed.
func byLog(ctx context.Context, c *conn, conns []*conn) (way, reason string, err error) {
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
		return filtered(ctx, c)
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
	return filtered(ctx, c)
}

// filtered says why databases may be left out of the binary log: what commits there
// moves no place and gets no number.
func filtered(ctx context.Context, c *conn) (string, error) {
	show := "SHOW MASTER STATUS"
	if !c.maria && c.version >= 802 {
		show = "SHOW BINARY LOG STATUS"
	}
	rows, err := c.rows(ctx, "ask for the binary log", show)
	switch {
	case engine.CodeOf(err) == engine.Denied:
		return "the user may not see whether databases are left out of the binary log (REPLICATION CLIENT)", nil
	case err != nil:
		return "", err
	case len(rows) != 1 || len(rows[0]) < 4:
		return "the server does not tell whether databases are left out of its binary log", nil
	case rows[0][2]+rows[0][3] != "":
		return "databases are left out of the server's binary log (binlog_do_db, binlog_ignore_db)", nil
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

// join puts reasons into one sentence.
func join(reasons ...string) string {
	return strings.Join(slices.DeleteFunc(reasons, func(r string) bool { return r == "" }), ", and ")
}

// viewLine is how MariaDB's SHOW ENGINE INNODB STATUS tells what a snapshot sees, and
// blockLine whose it is.
var (
	viewLine  = regexp.MustCompile(`^Trx read view will not see trx with id >= (\d+), sees < (\d+)$`)
	blockLine = regexp.MustCompile(`^(?:MariaDB|MySQL) thread id (\d+),`)
)

// byEngine is byLog that asks InnoDB.
//
// MariaDB tells what each snapshot sees: all transactions below one number but those
// that were on their way when it was taken. Where none was, both its numbers are one,
// and snapshots with equal numbers see the same transactions.
//
// MySQL does not tell it of sessions that only read. It lists the transactions that
// write, and numbers each when it begins to write and again when it commits: where none
// is listed before, and the next number is the same behind, none was there between.
func byEngine(ctx context.Context, c *conn, conns []*conn) (way, reason string, err error) {
	before := ""
	if !c.maria {
		if before, reason, err = status(ctx, c); err != nil || reason != "" {
			return "", reason, err
		}
	}
	if err := begin(ctx, conns); err != nil {
		return "", "", err
	}
	now, reason, err := status(ctx, c)
	switch {
	case err != nil || reason != "":
		return "", reason, err
	case c.maria:
		views := viewsIn(now)
		first := views[conns[0].id]
		for _, r := range conns {
			switch v := views[r.id]; {
			case v == view{}:
				return "", "InnoDB does not tell what the readers' snapshots see", nil
			case v.before != v.from || v != first:
				return "", "", nil
			}
		}
		return fmt.Sprintf("%d sessions with consistent snapshots that see the same transactions (InnoDB)", len(conns)), "", nil
	}
	if was, is := unwritten(before), unwritten(now); was == "" || was != is {
		return "", "", nil
	}
	return fmt.Sprintf("%d sessions with consistent snapshots between which no transaction wrote (InnoDB)", len(conns)), "", nil
}

// status is what InnoDB tells of itself, and of all that can be in a moment; reason
// says why it does not.
func status(ctx context.Context, c *conn) (text, reason string, err error) {
	const doing = "ask InnoDB for its transactions"
	others, err := c.value(ctx, doing, "SELECT COUNT(*) FROM information_schema.engines WHERE transactions = 'YES' AND support IN ('YES', 'DEFAULT') AND engine NOT IN ('InnoDB', 'SEQUENCE')")
	switch {
	case err != nil:
		return "", "", err
	case others != "0":
		return "", "it has engines with transactions beside InnoDB", nil
	}
	row, err := c.row(ctx, doing, "SHOW ENGINE INNODB STATUS")
	switch {
	case engine.CodeOf(err) == engine.Denied:
		return "", "the user may not ask InnoDB for its transactions (PROCESS)", nil
	case err != nil:
		return "", "", err
	case len(row) != 3:
		return "", "InnoDB does not tell of its transactions", nil
	}
	return row[2], "", nil
}

// unwritten gives the number of the next transaction that writes where MySQL lists none
// that does; empty else. What is not listed has not begun ("not started"). A list that
// was cut off, and lines that stand twice, which a statement's text may hold, tell nothing.
func unwritten(status string) (number string) {
	seen := make(map[string]int)
	for line := range strings.Lines(status) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "Trx id counter "):
			number = strings.TrimPrefix(line, "Trx id counter ")
			seen["Trx id counter"]++
		case line == "LIST OF TRANSACTIONS FOR EACH SESSION:", line == "FILE I/O":
			seen[line]++
		case strings.HasPrefix(line, "---TRANSACTION ") && !strings.HasSuffix(line, ", not started"), strings.HasPrefix(line, "... truncated"):
			return ""
		}
	}
	if seen["Trx id counter"] != 1 || seen["LIST OF TRANSACTIONS FOR EACH SESSION:"] != 1 || seen["FILE I/O"] != 1 {
		return ""
	}
	return number
}

// A view is what a snapshot sees: all transactions before the one number, none from the
// other on, and of those between some.
type view struct{ before, from string }

// viewsIn reads them out of MariaDB's status, by the number of the connection. Who is
// told of twice is left out: a statement's text, which stands there too, may look so.
func viewsIn(status string) map[string]view {
	out, seen := make(map[string]view), make(map[string]bool)
	id := ""
	for line := range strings.Lines(status) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "---") {
			id = ""
		}
		if m := blockLine.FindStringSubmatch(line); m != nil {
			id = m[1]
			if seen[id] {
				delete(out, id)
				id = ""
				continue
			}
			seen[id] = true
		}
		if m := viewLine.FindStringSubmatch(line); m != nil && id != "" {
			if _, twice := out[id]; twice {
				delete(out, id)
				id = ""
				continue
			}
			out[id] = view{before: m[2], from: m[1]}
		}
	}
	return out
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
