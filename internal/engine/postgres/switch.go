package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// How long the switch tries: a single try holds up new connections, so it is
// short; between tries clients are let in.
const (
	switchTry      = 2 * time.Second
	switchDeadline = 30 * time.Second
	endEvery       = 10 * time.Millisecond
)

// A swap is two renames in one transaction: the target becomes a kept
// generation, and another database takes its name.
type swap struct {
	target   string
	present  uint32 // the oid that bears the target's name now
	incoming string // the database that takes the name
	oid      uint32 // of incoming
	away     string // the name the present one gets
	mark     mark   // its comment
	comment  string // the comment of the one that takes the name
	limit    int    // its connection limit
	template bool   // the present one is a template, which nobody could drop
}

// Switch leaves the manifest in the new generation and puts it in the target's
// place. Clients of the target lose their sessions and may be refused for the
// blink of an eye.
func (l *load) Switch(ctx context.Context, manifest []byte) error {
	l.spec.Step("leave the manifest")
	err := l.with(ctx, func(c *conn) error { return leaveClaim(ctx, c, l.t.at.database, l.spec.RunID, l.made, manifest) })
	if err != nil {
		return err
	}
	l.pool.hangUp(true)
	if err := l.t.pauses.at(ctx, "manifest"); err != nil {
		return err
	}
	present, err := l.t.present(ctx)
	if err != nil {
		return err
	}
	asIs := func(ctx context.Context) error {
		if err := l.unchanged(ctx, l.t.at.database); err != nil {
			return err
		}
		return l.carriedAsIs(ctx, l.t.at.database)
	}
	if err := asIs(ctx); err != nil {
		return err
	}
	l.spec.Step("switch")
	s, err := l.t.prepareSwap(ctx, l.guard, present, l.spec.RunID)
	if err != nil {
		return err
	}
	if s.present != l.facts.database.oid {
		return &engine.Error{Code: engine.Changed, Doing: "switch", Say: "the target was replaced by somebody else while the new generation was built"}
	}
	s.incoming, s.oid, s.mark.Pending = l.next, l.oid, true
	err = l.t.swap(ctx, l.guard, s, asIs)
	if err == nil || errors.Is(err, engine.ErrSwitched) {
		l.mu.Lock()
		l.switched = true
		l.mu.Unlock()
	}
	if err != nil {
		return err
	}
	if err := l.lastMoment(ctx, s.away); err != nil {
		return engine.Switched(err)
	}
	l.spec.Step("drop older generations")
	err = l.t.pauses.at(ctx, "switched")
	if err == nil {
		err = tidy(ctx, l.guard, s.target, l.spec.Keep)
	}
	return engine.Switched(err)
}

// unchanged compares the target's structure with what it was when the load
// began: what somebody did to it since would be lost.
func (l *load) unchanged(ctx context.Context, database string) error {
	before := l.plan.origin.tables
	if before == nil {
		return nil
	}
	c, err := connect(ctx, l.t.at, session{name: l.spec.RunID + " look", database: database, readOnly: true, limits: l.t.limits})
	if err != nil {
		return err
	}
	defer c.hangUp() // before the switch, which no session of ours may hold up
	changed := &engine.Error{Code: engine.Changed, Doing: "switch", Say: "the target's structure changed while the new generation was built: ",
		Hint: "run the refresh again when nobody migrates the target"}
	now, err := inspect(ctx, c, nil)
	if err != nil {
		return err
	}
	table, column, what := schema.FirstChange(before, now.schema)
	if what != "" {
		changed.Say, changed.Table, changed.Column = changed.Say+what, table, column
		return changed
	}
	objects, err := watch(ctx, c)
	if err != nil {
		return err
	}
	if kinds := changedKinds(l.plan.origin.watched, objects); len(kinds) > 0 {
		changed.Say += "other " + strings.Join(kinds, "; ")
		return changed
	}
	return nil
}

// lastMoment looks at the generation that was switched away, where nobody comes any
// more: what was done to it between the last look and the switch is not in the new
// one. It then stays, whatever the job keeps.
func (l *load) lastMoment(ctx context.Context, away string) error {
	err := l.unchanged(ctx, away)
	if err == nil {
		err = l.carriedAsIs(ctx, away)
	}
	var e *engine.Error
	if errors.As(err, &e) && e.Code == engine.Changed {
		e.Say += ", in the moment of the switch"
		e.Hint = "what was done stands in the database " + quote(away) + " alone, which is kept: do it again in the target, or go back with `understudy rollback`"
	}
	return err
}

// leaveClaim writes understudy's table into a database, which makes it claimed.
// The manifest is empty for a generation that understudy did not load; database is
// the target's name, which a copy of it does not bear.
func leaveClaim(ctx context.Context, c *conn, database, run string, made time.Time, manifest []byte) error {
	return c.transaction(ctx, "BEGIN", func() error { return writeClaim(ctx, c, database, run, made, manifest) })
}

// writeClaim is leaveClaim inside the caller's transaction.
func writeClaim(ctx context.Context, c *conn, database, run string, made time.Time, manifest []byte) error {
	err := c.exec(ctx, "leave the manifest", `
		CREATE SCHEMA IF NOT EXISTS `+markSchema+`;
		REVOKE ALL ON SCHEMA `+markSchema+` FROM PUBLIC;
		DROP TABLE IF EXISTS `+markSchema+`.generation;
		CREATE TABLE `+markSchema+`.generation (run text PRIMARY KEY, made timestamptz NOT NULL, manifest text NOT NULL, database text NOT NULL);
		COMMENT ON SCHEMA `+markSchema+` IS 'that understudy may replace this database, and what it loaded into it'`)
	if err != nil {
		return err
	}
	_, err = c.query(ctx, "leave the manifest", `INSERT INTO `+markSchema+`.generation VALUES ($1, $2, $3, $4)`, run, made.Format(time.RFC3339Nano), string(manifest), database)
	return err
}

// present tells which generation stands in the target; nil when the content is
// not understudy's.
func (t *target) present(ctx context.Context) (g *engine.Generation, err error) {
	return g, t.with(ctx, func(c *conn) error {
		g, _, _, err = readClaim(ctx, c, t.at.database)
		return err
	})
}

// prepareSwap looks up, from the maintenance database, what the present one
// will be called and how it is recognized.
func (t *target) prepareSwap(ctx context.Context, c *conn, present *engine.Generation, run string) (swap, error) {
	s := swap{target: t.at.database}
	rows, err := c.query(ctx, "look at the target", `SELECT oid, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), ''), datconnlimit, datistemplate, clock_timestamp()
		FROM pg_catalog.pg_database WHERE datname = $1`, s.target)
	if err != nil {
		return s, err
	}
	if len(rows) != 1 {
		return s, &engine.Error{Code: engine.Changed, Doing: "switch", Say: "the target was dropped or renamed"}
	}
	s.present, s.comment, s.limit, s.template = parseUint(rows[0][0]), string(rows[0][1]), int(number(rows[0][2])), isTrue(rows[0][3])
	now, err := parseInstant(string(rows[0][4])) // the server's clock: runs come from several machines
	if err != nil {
		return s, &engine.Error{Code: engine.Failed, Doing: "switch", Say: "the server's time cannot be read"}
	}
	s.mark = mark{Kind: markKept, Of: s.target, Run: "before-" + run, Made: now, By: run, At: now, Comment: s.comment}
	if present != nil {
		s.mark.Run, s.mark.Made = present.ID, present.Made
	}
	s.away = beside(s.target, "prev", s.mark.Run)
	taken, err := c.value(ctx, "look for a free name", `SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)`, s.away)
	if err == nil && taken == "t" { // the same generation was restored by hand, or copied
		s.away = beside(s.target, "prev", s.mark.Run+"-"+run)
	}
	return s, err
}

// swap renames. Nothing is durable before its COMMIT, and everything after. A try
// that follows one that failed is made only if asIs, unless nil, gives no error.
func (t *target) swap(ctx context.Context, c *conn, s swap, asIs func(context.Context) error) error {
	_ = t.side.Close() // our own session on the target would be in the way; it is made anew when needed
	statements, err := s.statements(ctx, c)
	if err != nil {
		return err
	}
	ender, err := t.maintenance(ctx, s.mark.By+" switch")
	if err != nil {
		return err
	}
	defer ender.hangUp()
	deadline := time.Now().Add(switchDeadline)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := t.trySwap(ctx, c, ender, s, statements)
		var e *engine.Error
		if err == nil || !errors.As(err, &e) || e.State != "55006" && e.State != "57014" && e.State != "55P03" && e.State != "40P01" || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			e.Doing, e.Code, e.Say = "switch", engine.Timeout, "the target's sessions could not be ended in time"
			e.Hint = "close the sessions that the role may not end, such as a superuser's, and try again"
			return e
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		if asIs != nil {
			if err := asIs(ctx); err != nil {
				return err
			}
		}
	}
}

// statements lists what happens between the two renames and the commit.
func (s swap) statements(ctx context.Context, c *conn) ([]string, error) {
	out := []string{"ALTER DATABASE " + quote(s.incoming) + " RENAME TO " + quote(s.target)}
	privileges, err := grants(ctx, c, s.present, s.target)
	if err != nil {
		return nil, err
	}
	out = append(out, privileges...)
	if s.template {
		out = append(out, "ALTER DATABASE "+quote(s.away)+" IS_TEMPLATE false", "ALTER DATABASE "+quote(s.target)+" IS_TEMPLATE true")
	}
	return append(out,
		fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", quote(s.target), s.limit),
		comment(s.target, s.comment),
		comment(s.away, s.mark.String())), nil
}

// trySwap is one try. While the first rename waits for the target to be empty,
// another session ends who is there and who comes.
func (t *target) trySwap(ctx context.Context, c, ender *conn, s swap, statements []string) error {
	begin := "BEGIN; SET LOCAL statement_timeout = " + milliseconds(switchTry) + "; SET LOCAL lock_timeout = " + milliseconds(switchTry) + "; SET LOCAL synchronous_commit = on"
	if err := c.exec(ctx, "begin the switch", begin); err != nil {
		return err
	}
	err := func() error {
		stop := keepEnding(ctx, ender, s.target, s.incoming)
		defer stop()
		if err := c.exec(ctx, "rename "+quote(s.target), "ALTER DATABASE "+quote(s.target)+" RENAME TO "+quote(s.away)); err != nil {
			return err
		}
		if err := t.pauses.at(ctx, "renamed"); err != nil {
			return err
		}
		for _, statement := range statements {
			if err := c.exec(ctx, "switch", statement); err != nil {
				return err
			}
		}
		return t.pauses.at(ctx, "committing")
	}()
	if err != nil {
		c.rollback()
		return err
	}
	pid := c.PID()
	// From here on an interrupt comes too late to be told from success.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchDeadline)
	defer cancel()
	err = c.exec(last, "commit the switch", "COMMIT")
	if err == nil || !c.IsClosed() && c.TxStatus() == 'I' { // the server's own answer, either way
		return err
	}
	return t.outcome(s, pid, err)
}

// keepEnding ends the sessions on the databases every few milliseconds until
// stop is called, which waits for the last round.
func keepEnding(ctx context.Context, c *conn, databases ...string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, d := range databases {
				if endSessions(context.WithoutCancel(ctx), c, d) != nil && c.IsClosed() {
					return // the rename's own time limit ends the try
				}
			}
			if wait(ctx, endEvery) != nil {
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// outcome finds out what became of a COMMIT without an answer, by looking which
// database bears the target's name. The committing process must be gone first.
func (t *target) outcome(s swap, pid uint32, cause error) error {
	return engine.Outcome("commit the switch", cause, switchDeadline, func(ctx context.Context) (over, stands bool, err error) {
		oid, gone, err := t.whoBears(ctx, s.target, pid)
		return gone, oid == s.oid, err
	})
}

func (t *target) whoBears(ctx context.Context, name string, pid uint32) (oid uint32, gone bool, err error) {
	c, err := t.maintenance(ctx, "outcome")
	if err != nil {
		return 0, false, err
	}
	defer c.hangUp()
	rows, err := c.query(ctx, "look at the target", `SELECT (SELECT oid FROM pg_catalog.pg_database WHERE datname = $1),
		NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $2)`, name, pid)
	if err != nil || len(rows) != 1 {
		return 0, false, err
	}
	return parseUint(rows[0][0]), isTrue(rows[0][1]), nil
}

// Rollback puts a kept generation back in the target's place; the present one
// is kept instead. No generation named means the newest kept one.
func (t *target) Rollback(ctx context.Context, generation string) error {
	run := "rollback-" + time.Now().UTC().Format("20060102T150405.000")
	c, err := t.maintenance(ctx, run+" lock")
	if err != nil {
		return err
	}
	defer c.hangUp()
	if err := t.lock(ctx, c); err != nil {
		return err
	}
	defer unlock(c) // who rolls back again at once does not meet a session that is on its way out
	_, kept, err := neighbours(ctx, c, t.at.database)
	if err != nil {
		return err
	}
	if err := t.recover(ctx, c, len(kept)); err != nil {
		return err
	}
	back, err := choose(kept, generation)
	if err != nil {
		return err
	}
	present, err := t.present(ctx)
	if err != nil {
		return err
	}
	if err := t.claimKept(ctx, back); err != nil {
		return err
	}
	s, err := t.prepareSwap(ctx, c, present, run)
	if err != nil {
		return err
	}
	s.incoming, s.oid, s.comment = back.name, back.oid, back.mark.Comment
	return t.swap(ctx, c, s, nil)
}

// claimKept marks a kept generation that stood in the target before the first
// refresh, and so bears no claim: the target that it returns to is claimed.
func (t *target) claimKept(ctx context.Context, back neighbour) error {
	c, err := connect(ctx, t.at, session{name: "rollback", database: back.name, limits: t.limits})
	if err != nil {
		return err
	}
	defer c.hangUp() // before the switch, which it would hold up
	g, _, _, err := readClaim(ctx, c, t.at.database)
	if err != nil || g != nil {
		return err
	}
	return leaveClaim(ctx, c, t.at.database, back.mark.Run, back.mark.Made, nil)
}

func choose(kept []neighbour, generation string) (neighbour, error) {
	var known []string
	for _, k := range kept {
		if generation == "" || k.mark.Run == generation {
			return k, nil
		}
		known = append(known, k.mark.Run)
	}
	e := &engine.Error{Code: engine.Failed, Doing: "roll back", Say: "no earlier generation is kept", Hint: "load.keep says how many stay after a refresh"}
	if len(kept) > 0 {
		e.Say, e.Hint = "there is no such generation", "kept are "+strings.Join(known, ", ")
	}
	return neighbour{}, e
}
