package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// sidePrefix begins the names of side tables, a number ends them. Only where the
// mark stands beside them are they understudy's.
const sidePrefix = "understudy_side_"

func sideName(name string) bool {
	n, ok := strings.CutPrefix(name, sidePrefix)
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// sides are the side tables that stand in a database.
type sides struct {
	mark   journal
	marked bool   // there is a mark, or one that was being made
	other  string // why what stands there is not understudy's to remove, a sentence; empty if it is
	tables []string
}

// findSides looks for side tables in a database of the target.
func findSides(ctx context.Context, c *conn, database string) (s sides, err error) {
	rows, err := c.rows(ctx, "look for side tables", "SELECT table_name FROM information_schema.tables WHERE table_schema = "+literal(database)+" AND table_name LIKE "+literal(pattern("understudy_")+"%")+" ORDER BY 1")
	if err != nil {
		return s, err
	}
	for _, r := range rows {
		if sideName(r[0]) {
			s.tables = append(s.tables, r[0])
		}
		s.marked = s.marked || r[0] == markTable
	}
	if !s.marked {
		if len(s.tables) > 0 {
			s.other = fmt.Sprintf("the table %s has a name that is understudy's own, but is not: rename it", schema.Name{Schema: database, Table: s.tables[0]})
		}
		return s, nil
	}
	table := schema.Name{Schema: database, Table: markTable}
	notes, err := c.rows(ctx, "read the mark of "+quote(database), "SELECT note FROM "+quoteName(table)+" WHERE id = 1")
	if engine.CodeOf(err) == engine.Syntax {
		s.other = fmt.Sprintf("the table %s has a name that is understudy's own, but is not: rename it", table)
		return s, nil
	}
	if err != nil || len(notes) == 0 && len(s.tables) == 0 { // the first step of making them, and no more
		return s, err
	}
	ok := false
	if s.mark, ok, err = readMark(ctx, c, database); err == nil && (!ok || s.mark.Kind != markSides || !strings.EqualFold(s.mark.Of, database)) {
		s.other = fmt.Sprintf("the table %s is that of another database, which was copied: drop it, and the tables named %s with a number if there are any", table, sidePrefix)
	}
	return s, err
}

// clearSides removes the side tables of a run that is over, its mark last. What is
// not understudy's stays.
func clearSides(ctx context.Context, c *conn, database string) error {
	s, err := findSides(ctx, c, database)
	if err != nil || !s.marked || s.other != "" {
		return err
	}
	const doing = "drop side tables"
	if err := c.exec(ctx, doing, "SET SESSION lock_wait_timeout = 30"); err != nil { // the session that filled them may yet be ending
		return err
	}
	for _, name := range append(s.tables, markTable) {
		if err := c.exec(ctx, doing, "DROP TABLE IF EXISTS "+quoteName(schema.Name{Schema: database, Table: name})); err != nil {
			return err
		}
	}
	return nil
}

// clearSides removes the side tables of a run that is over from all databases.
func (t *target) clearSides(ctx context.Context, c *conn) error {
	for _, database := range t.databases {
		if err := clearSides(ctx, c, database); err != nil {
			return err
		}
	}
	return nil
}

// exchangeLock is the name of the lock that the session of an exchange holds
// beside the target's: by it the session is found when its program has died.
func exchangeLock(database string) string { return lockName(database) + " exchange" }

// endExchange ends the transaction of a run whose program died while the server
// was at one of its statements: the server would go on to the statement's end.
// The caller holds the target's lock, so that run is over.
func (t *target) endExchange(ctx context.Context, c *conn) error {
	const doing = "end the transaction of a run that was killed"
	deadline := time.Now().Add(10 * time.Minute) // going back takes about as long as coming there did
	for _, database := range t.databases {
		for killed := ""; ; {
			id, err := c.value(ctx, doing, "SELECT IS_USED_LOCK("+literal(exchangeLock(database))+")")
			if err != nil {
				return err
			}
			if id == "" {
				break
			}
			if id != killed {
				killed = id
				if err := c.exec(ctx, doing, "KILL "+id); err != nil && numberOf(err) != errNoThread {
					return err
				}
			}
			if time.Now().After(deadline) {
				return &engine.Error{Code: engine.Busy, Doing: doing, Say: "the server has not undone it yet (connection " + id + ")", Hint: "run again when that connection is gone"}
			}
			if err := wait(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// side writes the statement that makes a side table: the table with the keys that
// tell rows apart, its checks, and neither foreign keys nor other indexes. checks
// gives the table's own names of checks that have another one there.
func (c *creation) side(name schema.Name) (sql string, checks map[string]string) {
	entries, checks := slices.Clone(c.parts), map[string]string{}
	for _, e := range c.later {
		if tokens(e)[0].is("UNIQUE") {
			entries = append(entries, e)
		}
	}
	for i, e := range entries {
		all := tokens(e)
		if len(all) < 3 || !all[0].is("CONSTRAINT") || !all[2].is("CHECK") {
			continue
		}
		// MySQL has one name of a check for the whole database.
		other := fmt.Sprintf("%s_check_%d", name.Table, len(checks))
		checks[other], _ = all[1].name()
		entries[i] = "CONSTRAINT " + quote(other) + " " + e[all[2].start:]
	}
	return "CREATE TABLE " + quoteName(name) + " (\n  " + strings.Join(entries, ",\n  ") + "\n)" + c.options, checks
}
