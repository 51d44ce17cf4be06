package mysql

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An exchange is a load of a target that stays where it is: rows wait in side
// tables in its databases, and one transaction exchanges them. Finish does all of
// it but the COMMIT, so that what Prove and Count ask is the target itself as it
// will be; Switch commits. Until then readers see what they saw, and do not wait.
// The transaction holds no statement that would end it: side tables, and the table
// of the claim, are there before it begins.
type exchange struct {
	t        *inPlace
	spec     engine.Spec
	guard    *conn // holds the target's lock
	made     time.Time
	pool     pool
	local    locality
	own      map[schema.Name]string // the target's tables when the load began, with their definitions
	tables   []*exchanged           // in one order, in which they are locked
	staying, // tables that are preserved
	tied []schema.Name // of them, those that foreign keys tie to others
	references []schema.Reference
	begun      bool // side tables may be there

	mu       sync.Mutex // guards what follows, and serves main to one at a time
	main     *conn      // the session of the transaction, from Finish on
	proved   bool       // that every foreign key holds, in the transaction as it is
	switched bool
	ended    bool
}

var _ engine.Load = (*exchange)(nil)

func (x *exchange) begin(ctx context.Context) error {
	const doing = "begin"
	if x.spec.Structure != nil {
		return &engine.Error{Code: engine.Unsupported, Doing: doing, Say: "the target has no tables of its own, and rows alone are exchanged in place",
			Hint: "give the target its structure first, by its own migrations, or write `load: {mode: swap}` once"}
	}
	t := x.t.target
	if err := t.lock(ctx, x.guard); err != nil {
		return err
	}
	x.spec.Step("clear what an earlier run left")
	if err := t.endExchange(ctx, x.guard); err != nil {
		return err
	}
	if err := t.clearSides(ctx, x.guard); err != nil {
		return err
	}
	if err := x.t.clearBeside(ctx, x.guard, math.MaxInt); err != nil {
		return err
	}
	x.spec.Step("read the structure")
	inv, err := inspect(ctx, x.guard, t.databases)
	if err != nil {
		return err
	}
	if err := x.admit(ctx, inv); err != nil {
		return err
	}
	x.spec.Step("make side tables")
	return x.makeSides(ctx, inv)
}

// admit takes the structure in, if rows can be exchanged in it.
func (x *exchange) admit(ctx context.Context, inv *inventory) error {
	x.own, x.references = inv.definitions(), inv.schema.References
	for _, database := range x.t.databases {
		s, err := findSides(ctx, x.guard, database)
		if err != nil {
			return err
		}
		if s.other != "" {
			return &engine.Error{Code: engine.Unsupported, Doing: "begin", Say: s.other}
		}
	}
	bars, err := barred(ctx, x.guard, x.t.databases)
	if err != nil {
		return err
	}
	for _, b := range bars {
		if !slices.Contains(x.spec.Preserve, b.Table) {
			return &engine.Error{Code: engine.Unsupported, Doing: "begin", Table: b.Table, Say: b.Say}
		}
	}
	for i := range inv.schema.Tables {
		if name := inv.schema.Tables[i].Name; slices.Contains(x.spec.Preserve, name) {
			x.staying = append(x.staying, name)
			if slices.ContainsFunc(x.references, func(r schema.Reference) bool { return r.From == name || r.To == name }) {
				x.tied = append(x.tied, name)
			}
		}
	}
	return nil
}

// makeSides marks the databases and makes the side tables, and an empty table for
// the claim where there is none: only a row in it claims the target.
func (x *exchange) makeSides(ctx context.Context, inv *inventory) error {
	x.begun = true
	if err := x.guard.exec(ctx, "make side tables", "SET SESSION sql_mode = "+literal(structureMode)); err != nil {
		return err
	}
	for _, database := range x.t.databases {
		if err := (journal{Kind: markSides, Of: database, Run: x.spec.RunID, Made: x.made}).write(ctx, x.guard, database); err != nil {
			return err
		}
		if err := makeClaimTable(ctx, x.guard, database); err != nil {
			return err
		}
	}
	if err := x.t.pauses.at(ctx, "created"); err != nil {
		return err
	}
	for i := range inv.schema.Tables {
		t := &inv.schema.Tables[i]
		if slices.Contains(x.staying, t.Name) {
			continue
		}
		e, sql := newExchanged(takeApart(t, inv.tables[t.Name]), schema.Name{Schema: t.Name.Schema, Table: fmt.Sprint(sidePrefix, len(x.tables)+1)})
		if err := x.guard.exec(ctx, "make a side table of "+t.Name.String(), sql); err != nil {
			return err
		}
		x.tables = append(x.tables, e)
	}
	if err := x.guard.exec(ctx, "make side tables", "SET SESSION sql_mode = "+literal(plainMode)); err != nil {
		return err
	}
	return x.t.pauses.at(ctx, "tables")
}

// find gives the table of a name.
func (x *exchange) find(table schema.Name) *exchanged {
	i := slices.IndexFunc(x.tables, func(e *exchanged) bool { return e.name == table })
	if i < 0 {
		return nil
	}
	return x.tables[i]
}

// Write takes rows for a table, which wait in its side table.
func (x *exchange) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (int64, error) {
	e := x.find(table)
	if e == nil {
		return 0, &engine.Error{Code: engine.Changed, Doing: "load " + table.String(), Table: table, Say: "the target has no such table"}
	}
	w, err := newWriter(table, &e.waiting, e.side, columns)
	if err != nil {
		return 0, err
	}
	err = x.with(ctx, func(c *conn) error { return w.write(ctx, c, &x.local, rows) })
	return w.sent, e.renamed(err)
}

// with runs do with one of the sessions that fill side tables.
func (x *exchange) with(ctx context.Context, do func(c *conn) error) error {
	x.mu.Lock()
	over := x.ended || x.main != nil
	x.mu.Unlock()
	if over {
		return &engine.Error{Code: engine.Stopped, Doing: "load", Say: "the generation was given up or is finished"}
	}
	return x.pool.with(ctx, do)
}

// Finish exchanges the rows in a transaction that stays open. While others hold
// locks on rows it gives them up and tries again.
func (x *exchange) Finish(ctx context.Context) error {
	x.pool.hangUp()
	deadline := time.Now().Add(x.t.patience)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := x.try(ctx)
		if err == nil {
			x.mu.Lock()
			x.main, x.proved = c, false
			x.mu.Unlock()
			return nil
		}
		number := numberOf(err)
		if ctx.Err() == nil && (number == errLockWait || number == errDeadlock) && time.Now().Before(deadline) && wait(ctx, pause) == nil {
			continue
		}
		if number == errLockWait || number == errDeadlock {
			err = &engine.Error{Code: engine.Timeout, Doing: "exchange rows", State: fmt.Sprint("error ", number), Say: "others hold locks on the target's tables and do not let go",
				Hint: "end their long transactions, or raise limits.lock_wait"}
		}
		return err
	}
}

// try is one try: a transaction in which everything is exchanged, or nothing.
func (x *exchange) try(ctx context.Context) (c *conn, err error) {
	if c, err = x.t.session(ctx, x.spec.RunID+" exchange"); err != nil {
		return nil, err
	}
	if err = x.exchangeAll(ctx, c); err != nil {
		giveUp(c)
		return nil, err
	}
	return c, nil
}

// giveUp has the server undo the transaction of a session before it ends.
func giveUp(c *conn) {
	if !c.broken {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // undoing
		defer cancel()
		_ = c.exec(ctx, "give the exchange up", "ROLLBACK") // it ends with the session, too
	}
	c.hangUp()
}

func (x *exchange) exchangeAll(ctx context.Context, c *conn) error {
	const doing = "begin the exchange"
	wait := seconds(x.t.limits.LockWait)
	for _, database := range x.t.databases {
		if _, err := c.rows(ctx, doing, "SELECT GET_LOCK("+literal(exchangeLock(database))+", 0)"); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		// Rows go and come in any order, and no key's action follows: all keys are proved afterwards.
		"SET SESSION foreign_key_checks = 0, unique_checks = 1, sql_mode = " + literal(writeMode) + ", lock_wait_timeout = " + wait + ", innodb_lock_wait_timeout = " + wait,
		"USE " + quote(x.t.databases[0]),
		"START TRANSACTION",
	} {
		if err := c.exec(ctx, doing, sql); err != nil {
			return err
		}
	}
	x.spec.Step("lock the tables")
	if err := x.lockTables(ctx, c); err != nil {
		return err
	}
	if err := x.t.pauses.at(ctx, "locked"); err != nil {
		return err
	}
	for _, e := range x.tables {
		x.spec.Step("exchange the rows of " + e.name.String())
		gone, came, err := e.exchange(ctx, c)
		if err != nil {
			return err
		}
		x.spec.Step(fmt.Sprintf("exchanged the rows of %s: %d went, %d came", e.name, gone, came))
		if err := x.t.pauses.at(ctx, "exchanging"); err != nil {
			return err
		}
	}
	x.spec.Step("look for rows that preserved ones refer to")
	if err := x.provePreserved(ctx, c); err != nil {
		return err
	}
	return x.t.pauses.at(ctx, "exchanged")
}

// lockTables keeps the tables' structure and triggers as they are until the
// transaction ends, and makes sure that they are what they were: no row is read
// for that, so that no moment is taken before the rows are locked. Writers of
// preserved tables that keys tie to others wait from here on; those of the others
// once each row of theirs has been looked at.
func (x *exchange) lockTables(ctx context.Context, c *conn) error {
	names := slices.Clone(x.staying)
	for _, e := range x.tables {
		names = append(names, e.name)
	}
	for _, n := range names {
		if _, err := c.rows(ctx, "open "+n.String(), "SELECT 1 FROM "+quoteName(n)+" LIMIT 0"); err != nil {
			return err
		}
	}
	changed := &engine.Error{Code: engine.Changed, Doing: "exchange rows", Say: "the target's structure changed while rows were loaded",
		Hint: "run the refresh again when nobody migrates the target"}
	now, err := x.t.definitions(ctx, x.guard)
	if err != nil {
		return err
	}
	if !maps.Equal(now, x.own) {
		return changed
	}
	bars, err := barred(ctx, x.guard, x.t.databases)
	if err != nil {
		return err
	}
	for _, b := range bars {
		if !slices.Contains(x.staying, b.Table) {
			changed.Table, changed.Say = b.Table, b.Say
			return changed
		}
	}
	for _, n := range x.tied {
		if _, err := c.rows(ctx, "lock "+n.String(), "SELECT count(*) FROM "+quoteName(n)+" LOCK IN SHARE MODE"); err != nil {
			return err
		}
	}
	return nil
}

// provePreserved makes sure that preserved rows find what they refer to: they are
// the target's own, so that this has another remedy than a lost row.
func (x *exchange) provePreserved(ctx context.Context, c *conn) error {
	return x.proveReferences(ctx, c, func(r schema.Reference) bool { return slices.Contains(x.staying, r.From) })
}

// proveReferences fails at the first foreign key of those chosen that does not hold.
func (x *exchange) proveReferences(ctx context.Context, c *conn, which func(schema.Reference) bool) error {
	p := &prover{c: c, changing: true}
	for _, r := range x.references {
		if !which(r) {
			continue
		}
		proof, err := p.reference(ctx, r)
		if err != nil {
			return err
		}
		switch {
		case proof.Failures < 0:
			return &engine.Error{Code: engine.Denied, Doing: "prove the foreign keys", Table: r.From, Constraint: r.Name, Say: proof.Detail, Hint: "GRANT SELECT ON " + quoteName(r.To)}
		case proof.Failures > 0:
			return &engine.Error{Code: engine.Constraint, Doing: "prove the foreign keys", Table: r.From, Constraint: r.Name, Say: "rows refer to rows that are not there"}
		}
	}
	return nil
}

// inside runs do with the transaction's session, alone.
func (x *exchange) inside(do func(c *conn) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.main == nil || x.ended || x.switched {
		return &engine.Error{Code: engine.Failed, Doing: "ask the new generation", Say: "it is not finished, or was given up or switched"}
	}
	return do(x.main)
}

// Count counts in the transaction: what readers will see. Before there is one it
// counts the rows that wait.
func (x *exchange) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	x.mu.Lock()
	finished := x.main != nil
	x.mu.Unlock()
	if e := x.find(table); !finished && e != nil {
		err = x.with(ctx, func(c *conn) error {
			rows, nulls, err = countIn(ctx, c, table, quoteName(e.side), columns)
			return err
		})
		return rows, nulls, err
	}
	from := quoteName(table)
	if e := x.find(table); e != nil {
		from += clustered(e.shape)
	}
	err = x.inside(func(c *conn) error {
		rows, nulls, err = countIn(ctx, c, table, from, columns)
		return err
	})
	return rows, nulls, err
}

// Prove proves the target as it will be, every row of it.
func (x *exchange) Prove(ctx context.Context, schemas []string) (proofs []engine.Proof, err error) {
	return proofs, x.inside(func(c *conn) error {
		asked := x.t.asked(schemas)
		if proofs, err = prove(ctx, alone(c), asked, prover{changing: true}); err != nil {
			return err
		}
		all := !slices.ContainsFunc(x.t.databases, func(d string) bool { return !slices.Contains(asked, d) })
		x.proved = all && !slices.ContainsFunc(proofs, func(p engine.Proof) bool { return p.Kind == "foreign-key" && p.Failures != 0 })
		return nil
	})
}

// Switch leaves the manifest and commits.
func (x *exchange) Switch(ctx context.Context, manifest []byte) error {
	x.spec.Step("leave the manifest")
	err := x.inside(func(c *conn) error {
		if !x.proved {
			if err := x.proveReferences(ctx, c, func(schema.Reference) bool { return true }); err != nil {
				return err
			}
		}
		for _, database := range x.t.databases {
			if err := writeClaimRow(ctx, c, database, x.spec.RunID, x.made, append([]byte{}, manifest...)); err != nil {
				return err
			}
		}
		if err := x.t.pauses.at(ctx, "manifest"); err != nil {
			return err
		}
		if err := x.guard.exec(ctx, "hold the target's lock", "DO 0"); err != nil { // it went with its session: another run may have begun
			return err
		}
		x.spec.Step("commit")
		if err := x.t.pauses.at(ctx, "committing"); err != nil {
			return err
		}
		err := x.commit(ctx, c)
		x.switched = err == nil || errors.Is(err, engine.ErrSwitched)
		return err
	})
	if err != nil {
		return err
	}
	if err = x.t.pauses.at(ctx, "switched"); err == nil {
		x.goOn(context.WithoutCancel(ctx))
		err = x.tidy(context.WithoutCancel(ctx))
	}
	return engine.Switched(err)
}

// commit commits. Without an answer the server is asked what became of it.
func (x *exchange) commit(ctx context.Context, c *conn) error {
	// From here on an interrupt comes too late to be told from success.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
	defer cancel()
	err := c.exec(last, "commit the exchange", "COMMIT")
	if err == nil || !c.broken && numberOf(err) != 0 { // the server's own answer, either way
		return err
	}
	c.hangUp()
	return x.outcome(c.id, err)
}

// outcome finds out what became of a COMMIT without an answer: the claim was
// written in the same transaction. The committing session must be gone first.
func (x *exchange) outcome(id string, cause error) error {
	return engine.Outcome("commit the exchange", cause, switchDeadline, func(ctx context.Context) (over, stands bool, err error) {
		return over, stands, x.t.with(ctx, func(c *conn) error {
			holder, err := c.value(ctx, "look for the session", "SELECT IS_USED_LOCK("+literal(exchangeLock(x.t.databases[0]))+")")
			if err != nil {
				return err
			}
			present, _, err := readClaim(ctx, c, x.t.databases[0])
			over, stands = holder != id, present != nil && present.ID == x.spec.RunID
			return err
		})
	})
}

// tidy drops the side tables, and what switches before kept.
func (x *exchange) tidy(ctx context.Context) error {
	x.spec.Step("drop side tables")
	if err := x.t.clearSides(ctx, x.guard); err != nil {
		return err
	}
	return x.t.clearBeside(ctx, x.guard, x.spec.Keep)
}

// Abort gives the transaction up, drops the side tables and frees the lock.
func (x *exchange) Abort(ctx context.Context) error {
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return nil
	}
	x.ended = true
	if x.main != nil && !x.switched {
		giveUp(x.main)
	}
	x.mu.Unlock()
	x.pool.hangUp()
	var err error
	if x.begun && !x.switched {
		err = x.drop(ctx)
	}
	x.hangUp()
	return err
}

// drop removes what begin made.
func (x *exchange) drop(ctx context.Context) error {
	if x.guard.broken {
		return nil // the next run clears them
	}
	for _, database := range x.t.databases {
		rows, err := x.guard.rows(ctx, "look for the claim", "SELECT 1 FROM "+quote(database)+"."+quote(generationTable)+" LIMIT 1")
		if err == nil && len(rows) == 0 { // made for the first exchange, which did not take place
			err = x.guard.exec(ctx, "drop the claim's table", "DROP TABLE "+quote(database)+"."+quote(generationTable))
		}
		if err != nil && engine.CodeOf(err) != engine.Syntax { // it was not made yet
			return err
		}
	}
	return x.t.clearSides(ctx, x.guard)
}

// hangUp ends the exchange's sessions and frees the target's lock.
func (x *exchange) hangUp() {
	x.pool.hangUp()
	x.mu.Lock()
	if x.main != nil {
		x.main.hangUp()
	}
	x.mu.Unlock()
	x.t.unlock(x.guard)
	x.guard.hangUp()
	x.t.forget(x)
}
