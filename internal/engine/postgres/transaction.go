package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Finish exchanges the rows in a transaction that stays open. Locks that are not
// to be had in time are tried for again, from the beginning.
func (x *exchange) Finish(ctx context.Context) error {
	if err := x.measure(ctx); err != nil {
		return err
	}
	x.pool.hangUp(false)
	if err := x.t.pauses.at(ctx, "waiting"); err != nil {
		return err
	}
	deadline := time.Now().Add(max(switchDeadline, 10*x.t.limits.WithDefaults().LockWait))
	aside := false // foreign keys were set aside in an earlier try, so the locks that it takes are taken at once
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := x.try(ctx, &aside)
		if late := (*lateWrites)(nil); errors.As(err, &late) {
			for _, e := range late.tables {
				if err := x.recall(ctx, e); err != nil {
					return renamed(err, e)
				}
			}
			x.pool.hangUp(false)
			continue
		}
		if errors.Is(err, errUncounted) && !x.uncounted {
			x.uncounted = true
			continue
		}
		if err == nil {
			x.dismiss()
		}
		var e *engine.Error
		if err == nil || !errors.As(err, &e) || e.State != "55P03" && e.State != "40P01" || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			e.Code, e.Say = engine.Timeout, "its tables could not be locked in time: somebody writes to them, or holds a transaction open in which he did"
			if aside {
				e.Say += "; while a foreign key is set aside, one in which he read them counts as well"
			}
			e.Hint = "end that transaction, or raise limits.lock_wait, and try again"
			return e
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// fewRows are compared soon, however that is done.
const fewRows = 1000

// measure has the server count what waits, where that decides how it is compared.
func (x *exchange) measure(ctx context.Context) error {
	type relation struct{ name, columns string }
	var todo []relation
	for _, e := range x.sorted() {
		if e.incoming() {
			continue // nothing to compare with
		}
		if e.sent > fewRows && !e.measured {
			columns := ""
			if len(e.match) > 0 {
				columns = " (" + quoteList(e.match) + ")"
			}
			todo = append(todo, relation{quoteName(e.side()), columns})
		}
		if e.left > fewRows {
			todo = append(todo, relation{quoteName(e.candidates()), ""})
		}
	}
	return spread(ctx, x.pool, min(len(todo), max(1, x.spec.Writers)), len(todo), func(ctx context.Context, c *conn, i int) error {
		if r := todo[i]; r.columns != "" {
			if err := c.exec(ctx, "gather statistics of "+r.name, "ANALYZE "+r.name+r.columns); !incomparable(err) {
				return err
			}
		}
		return analyze(ctx, c, todo[i].name, x.spec.Step)
	})
}

// try is one try of Finish. After it, main is in its transaction or gone.
func (x *exchange) try(ctx context.Context, aside *bool) error {
	set := map[string]string{"statement_timeout": "0", "client_connection_check_interval": "10s", "tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
	c, err := connect(ctx, x.t.at, session{name: x.spec.RunID + " exchange", limits: x.t.limits, set: set})
	if err != nil {
		return err
	}
	err = uncompared(x.triggered(x.exchange(ctx, c, aside)))
	if err != nil {
		c.hangUp()
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.main = c
	return nil
}

// uncompared adds to an error what it may be where a key's type has no order:
// the server compares nothing as long as an index holds one row, and until the end
// of the transaction rows that go stand in it beside those that come.
func uncompared(err error) error {
	var e *engine.Error
	if incomparable(err) && errors.As(err, &e) && e.Hint == "" {
		e.Code = engine.Unsupported
		e.Hint = "a key or an index over values that the server cannot compare lets one row in and none beside it: drop it, or write `load: {mode: swap}`; a function in a CHECK or an index that counts on a search_path: ALTER FUNCTION ... SET search_path"
	}
	return err
}

// moreMemory is what a transaction that compares whole tables begins with, behind another
// statement; empty where the server gives as much already.
func moreMemory(ctx context.Context, c *conn) (string, error) {
	more, err := c.value(ctx, "look at work_mem", `SELECT setting::bigint < 65536 FROM pg_catalog.pg_settings WHERE name = 'work_mem'`)
	if err != nil || more != "t" {
		return "", err
	}
	return "; SET LOCAL work_mem = '64MB'", nil
}

// cheapLookups has the server plan as if what it looks up were in memory, as what
// was just written is; usualLookups has it plan as it is set up to.
const (
	cheapLookups = "SET LOCAL random_page_cost = 1.1"
	usualLookups = "SET LOCAL random_page_cost TO DEFAULT"
)

// exchange does the transaction's work up to its COMMIT.
func (x *exchange) exchange(ctx context.Context, c *conn, aside *bool) error {
	begin := "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL synchronous_commit = on; SET CONSTRAINTS ALL DEFERRED"
	more, err := moreMemory(ctx, c)
	if err != nil {
		return err
	}
	begin += more
	// Until rows are exchanged, those that are looked up one by one are those that are
	// then written: to read a whole table for them costs more wherever they are few.
	if dear, err := c.value(ctx, "look at random_page_cost", `SELECT setting::float8 > 1.1 FROM pg_catalog.pg_settings WHERE name = 'random_page_cost'`); err != nil {
		return err
	} else if x.dear = dear == "t"; x.dear {
		begin += "; " + cheapLookups
	}
	if err := c.exec(ctx, "begin the exchange", begin); err != nil {
		return err
	}
	ties, err := readTies(ctx, c)
	if err != nil {
		return err
	}
	x.spec.Step("lock the tables against writers")
	if err := x.lock(ctx, c, ties, *aside); err != nil {
		return err
	}
	if err := x.unchanged(ctx, c); err != nil {
		return err
	}
	if ties, err = readTies(ctx, c); err != nil { // as they are now that nobody can change them
		return err
	}
	if err := x.late(ctx, c); err != nil {
		return err
	}
	if err := x.t.pauses.at(ctx, "locked"); err != nil {
		return err
	}
	counting := x.countAside(ctx, *aside || x.uncounted)
	defer counting.stop()
	list := x.sorted()
	for _, e := range list {
		x.spec.Step("compare the rows of " + e.name.String())
		if err := e.makeDelta(ctx, c); err != nil {
			return renamed(err, e)
		}
	}
	for _, e := range list {
		if err := e.copyReferred(ctx, c, ties); err != nil {
			return err
		}
	}
	if err := counting.begin(ctx, c); err != nil {
		return err
	}
	loud, err := x.silence(ctx, c, counting)
	if err != nil {
		return err
	}
	if err := x.swapRows(ctx, c, ties, aside, counting); err != nil {
		return err
	}
	for i := len(loud) - 1; i >= 0; i-- {
		if err := c.exec(ctx, "let the triggers fire again", loud[i].awake); err != nil {
			return err
		}
	}
	if err := x.copyLeft(ctx, c, list); err != nil {
		return err
	}
	if err := c.exec(ctx, "plan as the server does", usualLookups); err != nil {
		return err
	}
	if err := counting.sure(ctx); err != nil {
		return err
	}
	if err := x.t.pauses.at(ctx, "exchanged"); err != nil {
		return err
	}
	x.spec.Step("set sequences")
	if err := x.setSequences(ctx, c, false); err != nil {
		return err
	}
	x.spec.Step("refresh materialized views")
	return x.refreshViews(ctx, c)
}

// sorted lists the tables by name.
func (x *exchange) sorted() []*exchanged {
	out := make([]*exchanged, 0, len(x.tables))
	for _, e := range x.tables {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *exchanged) int { return a.name.Compare(b.name) })
	return out
}

// lock keeps writers away, and readers not, from every table that is exchanged
// and from preserved ones that are tied to those. When foreign keys will be set
// aside their tables are locked for that at once, so that nobody comes between.
func (x *exchange) lock(ctx context.Context, c *conn, ties []*tie, aside bool) error {
	names := map[schema.Name]string{}
	hard := map[schema.Name]bool{}
	for _, e := range x.tables {
		names[e.name] = e.from()
	}
	for _, k := range ties {
		if x.tables[k.childRoot] == nil && x.tables[k.toRoot] == nil {
			continue
		}
		for _, n := range []schema.Name{k.childRoot, k.toRoot} {
			if facts := x.before.tables[n]; facts != nil {
				names[n] = tableKind{partitioned: facts.partitioned}.from(n)
			}
			hard[n] = true
		}
	}
	var soft, full []string
	for n, from := range names {
		if aside && hard[n] {
			full = append(full, from)
		} else {
			soft = append(soft, from)
		}
	}
	slices.Sort(soft)
	slices.Sort(full)
	if len(full) > 0 { // whoever reads one of them and then another may hold what we wait for: we give up before the server ends either
		if _, err := c.value(ctx, "bound the wait for locks", `SELECT pg_catalog.set_config('lock_timeout', LEAST(nullif(l.setting::int, 0), d.setting::int * 4 / 5)::text, true)
			FROM pg_catalog.pg_settings l, pg_catalog.pg_settings d WHERE l.name = 'lock_timeout' AND d.name = 'deadlock_timeout'`); err != nil {
			return err
		}
	}
	for _, l := range []struct {
		tables []string
		mode   string
	}{{full, "ACCESS EXCLUSIVE"}, {soft, "SHARE ROW EXCLUSIVE"}} {
		if len(l.tables) == 0 {
			continue
		}
		if err := c.exec(ctx, "lock the target's tables", "LOCK TABLE "+strings.Join(l.tables, ", ")+" IN "+l.mode+" MODE"); err != nil {
			return err
		}
	}
	return nil
}

// unchanged compares the structure with what it was when rows began to wait.
func (x *exchange) unchanged(ctx context.Context, c *conn) error {
	now, err := inspect(ctx, c, nil)
	if err != nil {
		return err
	}
	table, column, what := schema.FirstChange(x.before.schema, now.schema)
	if what == "" {
		return nil
	}
	return &engine.Error{Code: engine.Changed, Doing: "exchange rows", Say: "the target's structure changed while rows were loaded: " + what, Table: table, Column: column,
		Hint: "run the refresh again when nobody migrates the target"}
}

// silence keeps triggers and rules from acting on the exchange, and gives what
// lets them act again.
func (x *exchange) silence(ctx context.Context, c *conn, k *counting) ([]silenced, error) {
	var touched []uint32
	for _, e := range x.sorted() {
		if e.touched() {
			touched = append(touched, e.oid)
		}
	}
	loud, err := findLoud(ctx, c, touched)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(loud, func(s silenced) bool { return s.rule }) {
		if err := k.finish(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, s := range loud {
		if err := c.exec(ctx, "silence triggers", s.asleep); err != nil {
			return nil, err
		}
	}
	return loud, nil
}

// swapRows does to the tables what the deltas say. First with every foreign key
// in force that is not known to be in the way; if the server then refuses a row,
// some value has to be free before another row can take it, and it begins again
// with all keys and checks of the touched tables set aside.
func (x *exchange) swapRows(ctx context.Context, c *conn, ties []*tie, aside *bool, counting *counting) error {
	inTheWay, changes := false, make(map[string]bool)
	for _, k := range ties {
		in, err := k.inTheWay(ctx, c, x.tables, changes)
		if err != nil {
			return err
		}
		k.dropped = in
		inTheWay = inTheWay || in
	}
	if inTheWay || *aside {
		if err := counting.finish(ctx, c); err != nil {
			return err
		}
	}
	if !*aside {
		if err := c.exec(ctx, "exchange rows", "SAVEPOINT light"); err != nil {
			return err
		}
		err := x.swapOnce(ctx, c, ties, false)
		if err == nil || engine.CodeOf(err) != engine.Constraint {
			return err
		}
		if err := c.exec(ctx, "exchange rows", "ROLLBACK TO SAVEPOINT light"); err != nil {
			return err
		}
		if err := counting.finish(ctx, c); err != nil {
			return err
		}
		*aside = true
		x.spec.Step("exchange rows again, with foreign keys set aside")
	}
	for _, k := range ties {
		child, parent := x.tables[k.childRoot], x.tables[k.toRoot]
		k.dropped = child != nil && child.touched() || parent != nil && parent.touched()
	}
	return x.swapOnce(ctx, c, ties, true)
}

// swapOnce sets aside, exchanges, and puts back.
func (x *exchange) swapOnce(ctx context.Context, c *conn, ties []*tie, checks bool) error {
	x.again = map[schema.Name][]string{}
	for _, e := range x.tables {
		e.copied = false
	}
	for _, k := range ties {
		if k.dropped {
			if err := k.drop(ctx, c); err != nil {
				return err
			}
		}
	}
	var aside []setAside
	if checks {
		var err error
		if aside, err = setChecksAside(ctx, c); err != nil {
			return err
		}
	}
	// What functions of checks and generated columns do may depend on the users' search_path.
	if err := localPath(ctx, c, c.path); err != nil {
		return err
	}
	if err := x.order(ties).run(ctx, c, x.spec.Step); err != nil {
		return unidentified(overRows(err))
	}
	if err := c.exec(ctx, "check what was deferred", "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
		return err
	}
	for i := len(aside) - 1; i >= 0; i-- {
		if err := aside[i].putBack(ctx, c); err != nil {
			return err
		}
	}
	for _, k := range ties {
		if k.dropped {
			x.spec.Step("prove " + k.String())
			if err := k.putBack(ctx, c); err != nil {
				return err
			}
			x.again[k.child] = append(x.again[k.child], k.name)
		}
	}
	return localPath(ctx, c, "")
}

// localPath sets the search_path for the rest of the transaction.
func localPath(ctx context.Context, c *conn, path string) error {
	return c.exec(ctx, "set the search_path", "SELECT pg_catalog.set_config('search_path', "+literal(path)+", true)")
}

// setSequences puts the sequences of touched tables, or of all that are exchanged, past their columns' values,
// and every one on to where the source's stands.
// RESTART gives the sequence a new place that the transaction's end decides on;
// setval alone would be seen at once and stay after a rollback.
func (x *exchange) setSequences(ctx context.Context, c *conn, all bool) error {
	list, err := sequences(ctx, c)
	if err != nil {
		return err
	}
	present, err := positions(ctx, c, list)
	if err != nil {
		return err
	}
	for _, s := range list {
		doing, there, restart := "set the sequence "+s.name.String(), s.inSource(&x.spec), "ALTER SEQUENCE "+quoteName(s.name)+" RESTART"
		exchanged, touched := false, all
		for _, col := range s.columns {
			if e := x.tables[col.table]; e != nil {
				exchanged, touched = true, touched || e.touched()
			}
		}
		if exchanged && s.counted() && !touched { // somebody may have set it back
			behind, err := c.value(ctx, doing, s.behind())
			if err != nil {
				return err
			}
			touched = behind == "1"
		}
		if exchanged && s.counted() && touched {
			if err := c.exec(ctx, doing, restart); err != nil {
				return err
			}
			if _, err := c.value(ctx, doing, s.set()); err != nil {
				return err
			}
		} else if !s.short(position(present, s.name), there) {
			continue
		} else if err := c.holdSequence(ctx, s.name); err != nil {
			return err
		}
		now, err := positions(ctx, c, []sequence{s}) // by now nobody else moves it
		if err != nil {
			return err
		}
		if !s.short(position(now, s.name), there) {
			continue
		}
		if err := c.exec(ctx, doing, restart); err != nil {
			return err
		}
		if _, err := c.value(ctx, doing, s.put(there)); err != nil {
			return err
		}
	}
	return nil
}

// holdSequence keeps others from drawing numbers until the transaction ends, and changes
// nothing: LOCK takes no sequence.
func (c *conn) holdSequence(ctx context.Context, name schema.Name) error {
	doing := "hold the sequence " + name.String()
	cache, err := c.value(ctx, doing, "SELECT seqcache FROM pg_catalog.pg_sequence WHERE seqrelid = $1::pg_catalog.regclass", quoteName(name))
	if err != nil {
		return err
	}
	return c.exec(ctx, doing, "ALTER SEQUENCE "+quoteName(name)+" CACHE "+cache)
}

// refreshViews fills the materialized views again: row by row where a unique
// index allows it, so that their readers neither wait nor see what their
// snapshot does not hold.
func (x *exchange) refreshViews(ctx context.Context, c *conn) error {
	views, err := materializedViews(ctx, c)
	if err != nil {
		return err
	}
	temporary, err := c.value(ctx, "look at the privileges", `SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP')`)
	if err != nil {
		return err
	}
	if err := localPath(ctx, c, c.path); err != nil { // functions that views call find names as they do for the target's users
		return err
	}
	for _, v := range views {
		if !v.filled && !slices.Contains(x.spec.Filled, v.name) {
			continue
		}
		if err := refreshView(ctx, c, v.name, v.filled && v.keyed && temporary == "t"); err != nil {
			return err
		}
	}
	return localPath(ctx, c, "")
}

// refreshView fills one, row by row if asked for and if its rows can be told
// apart: an index over values that cannot be compared is unique as long as it
// holds one.
func refreshView(ctx context.Context, c *conn, name schema.Name, rows bool) error {
	doing, refresh := "refresh the materialized view "+name.String(), "REFRESH MATERIALIZED VIEW "
	if !rows {
		return c.exec(ctx, doing, refresh+quoteName(name))
	}
	if err := c.exec(ctx, doing, "SAVEPOINT refresh"); err != nil {
		return err
	}
	err := c.exec(ctx, doing, refresh+"CONCURRENTLY "+quoteName(name))
	if engine.CodeOf(err) == engine.Syntax {
		if err = c.exec(ctx, doing, "ROLLBACK TO SAVEPOINT refresh"); err == nil {
			err = c.exec(ctx, doing, refresh+quoteName(name))
		}
	}
	if err != nil {
		return err
	}
	return c.exec(ctx, doing, "RELEASE SAVEPOINT refresh")
}

// order decides in which order statements touch the tables.
func (x *exchange) order(ties []*tie) *sequenceOfWork {
	w := &sequenceOfWork{tables: x.tables, written: func(ctx context.Context, c *conn, e *exchanged) error {
		err := localPath(ctx, c, "")
		if err == nil {
			err = e.copyWritten(ctx, c, x.before.schema.Table(e.name))
		}
		if err == nil {
			err = localPath(ctx, c, c.path)
		}
		return err
	}}
	referenced := map[schema.Name]bool{}
	needs := map[schema.Name][]schema.Name{}
	for _, k := range ties {
		if k.dropped {
			continue
		}
		w.ties = append(w.ties, k)
		referenced[k.toRoot] = true
		needs[k.childRoot] = append(needs[k.childRoot], k.toRoot)
	}
	var names []schema.Name
	for _, e := range x.sorted() {
		if e.touched() {
			names = append(names, e.name)
		}
	}
	for _, circle := range components(names, func(n schema.Name) []schema.Name { return needs[n] }) {
		group := make([]*exchanged, len(circle))
		for i, n := range circle {
			group[i] = x.tables[n]
		}
		if len(group) == 1 && !referenced[group[0].name] {
			w.leaves = append(w.leaves, group[0])
		} else {
			w.referenced = append(w.referenced, group)
		}
	}
	return w
}

// doingExchange names a table's exchange for errors.
func doingExchange(e *exchanged) string { return fmt.Sprintf("exchange the rows of %s", e.name) }
