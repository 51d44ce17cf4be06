package postgres

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An exchange is a load of a target that stays where it is: rows wait in side
// tables, and one transaction exchanges them. Finish does all of it but the
// COMMIT, so that what Prove and Count ask is the target itself as it will be;
// Switch commits. Until then readers see what they saw, and do not wait, unless
// a foreign key has to be set aside.
type exchange struct {
	t       *inPlace
	spec    engine.Spec
	guard   *conn // on the maintenance database; holds the target's lock
	made    time.Time
	before  *inventory // the target as it stood when the load began
	pool    *pool      // sessions that fill side tables
	events  []string   // the target's event triggers, as they are written in SQL
	asking  sync.Mutex // held while the guard is asked about values
	looking sync.Mutex // held while first is looked for
	first   *firstLook
	lookers chan *looker // sessions that read the target, beside those of the pool; nil where one is yet to be opened

	mu        sync.Mutex // guards what follows, and serves main to one at a time
	main      *conn      // the session of the transaction, from Finish on
	tables    map[schema.Name]*exchanged
	again     map[schema.Name][]string // foreign keys by table that were set aside and added again to all rows
	kinds     map[schema.Name]tableKind
	dear      bool // the server takes what it looks up to be dearer than it is in the transaction
	uncounted bool // a session that counted rows was lost: the exchange counts them itself
	switched  bool
	ended     bool
}

var _ engine.Load = (*exchange)(nil)

// undo aborts a load that could not begin.
func (x *exchange) undo() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // undoing: the run's context may be over
	defer cancel()
	_ = x.Abort(ctx) // what stays is cleared by the next run
}

func (x *exchange) begin(ctx context.Context) error {
	if x.spec.Structure != nil {
		return &engine.Error{Code: engine.Unsupported, Doing: "begin", Say: "the target has no tables of its own, and rows alone are exchanged in place",
			Hint: "give the target its structure first, by its own migrations, or write `load: {mode: swap}` once"}
	}
	if err := x.t.lock(ctx, x.guard); err != nil {
		return err
	}
	set := loadSettings()
	set["lock_timeout"] = milliseconds(x.t.limits.WithDefaults().LockWait)
	set["client_connection_check_interval"] = "10s" // a session whose client vanished must not hold locks
	sessions := max(1, x.spec.Writers)
	x.pool = &pool{free: make(chan *conn, sessions), slots: make(chan struct{}, sessions), open: func(ctx context.Context) (*conn, error) {
		return connect(ctx, x.t.at, session{name: x.spec.RunID + " load", limits: x.t.limits, set: set})
	}}
	x.lookers = make(chan *looker, sessions)
	for range sessions {
		x.lookers <- nil
	}
	x.spec.Step("clear what an earlier run left")
	if err := x.t.clearBeside(ctx, x.guard, math.MaxInt); err != nil {
		return err
	}
	return x.pool.with(ctx, func(c *conn) error {
		rows, err := c.query(ctx, "look for event triggers", `SELECT pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger WHERE evtenabled IN ('A', `+firing+`) ORDER BY 1`)
		if err != nil {
			return err
		}
		for _, r := range rows {
			x.events = append(x.events, string(r[0]))
		}
		if err := clearSides(ctx, c, x.t.at.database); err != nil {
			return x.triggered(err)
		}
		x.spec.Step("read the structure")
		if x.before, err = inspect(ctx, c, nil); err != nil {
			return err
		}
		if x.tables, err = exchangedTables(ctx, c, x.before, x.spec.Preserve); err != nil {
			return err
		}
		x.spec.Step("make the schema " + sideSchema)
		if err := makeSides(ctx, c, mark{Kind: markSides, Of: x.t.at.database, Run: x.spec.RunID, Made: x.made}); err != nil {
			return x.triggered(err)
		}
		return x.t.pauses.at(ctx, "created")
	})
}

// Write takes rows for a table: those that stand there already are told by what
// they look like and go no further, and the others wait in the table's side table.
func (x *exchange) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (sent int64, err error) {
	x.mu.Lock()
	e := x.tables[table]
	first := e != nil && !e.waiting
	if first {
		e.waiting = true
	}
	x.mu.Unlock()
	if e == nil {
		return 0, &engine.Error{Code: engine.Changed, Doing: "write " + table.String(), Say: "the target has no such table", Table: table}
	}
	err = x.pool.with(ctx, func(c *conn) error {
		if first {
			if err := e.makeSide(ctx, c, columns); err != nil {
				return x.triggered(err)
			}
		}
		return inPath(ctx, c, c.path, func() (err error) {
			if first && e.continued == nil && e.comparable(columns) {
				sent, err = x.meet(ctx, c, e, columns, rows)
				return err
			}
			sent, err = copyInto(ctx, c, e.side(), columns, rows)
			x.mu.Lock()
			e.sent += sent
			x.mu.Unlock()
			return err
		})
	})
	return sent, renamed(err, e)
}

// takes chooses the form of rows for the table they are for, which is that of its side table.
func (x *exchange) takes(ctx context.Context, r engine.Read, from *tableFacts, version int) *tupleForm {
	if x.t.asText {
		return nil
	}
	f := tuplesFor(r, from, x.before.tables[r.As], version, x.guard.version)
	if f != nil {
		f.ask = func(oid uint32, text []byte) ([]byte, error) { return ask(ctx, &x.asking, x.guard, oid, text) }
	}
	return f
}

// triggered adds to an error that the target's own code raised whose that may be:
// event triggers fire at side tables and triggers that are silenced.
func (x *exchange) triggered(err error) error {
	var e *engine.Error
	if len(x.events) > 0 && errors.As(err, &e) && strings.HasPrefix(e.State, "P0") {
		e.Say = "the target's own code refused it"
		e.Hint = "ALTER EVENT TRIGGER ... DISABLE, or let this role pass, for whichever of them it was: " + strings.Join(x.events, ", ")
	}
	return err
}

// renamed tells an error about a side table as one about the table itself.
func renamed(err error, e *exchanged) error {
	var known *engine.Error
	if errors.As(err, &known) && known.Table.Schema == sideSchema {
		known.Table = e.name
	}
	if known != nil {
		known.Doing = strings.ReplaceAll(known.Doing, e.side().String(), e.name.String())
	}
	return err
}

// inside runs do with the transaction's session, alone.
func (x *exchange) inside(do func(c *conn) error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.main == nil {
		return &engine.Error{Code: engine.Failed, Doing: "ask the new generation", Say: "it is not finished"}
	}
	return do(x.main)
}

// Count counts in the transaction: what readers will see. Before there is one it
// counts the rows that wait or stand there already.
func (x *exchange) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	x.mu.Lock()
	e := x.tables[table]
	waits := x.main == nil && e != nil && e.waiting
	x.mu.Unlock()
	if waits {
		err = x.pool.with(ctx, func(c *conn) error {
			rows, nulls, err = countIn(ctx, c, table, e.waits(), columns)
			return err
		})
		return rows, nulls, renamed(err, e)
	}
	err = x.inside(func(c *conn) error {
		if x.kinds == nil {
			if x.kinds, err = tableKinds(ctx, c, schema.Name{}); err != nil {
				return err
			}
		}
		kind, err := known(x.kinds, table)
		if err != nil {
			return err
		}
		if e != nil && e.continued != nil {
			rows, nulls, err = e.countContinued(ctx, c, x.before.tables[e.name], columns)
		} else {
			rows, nulls, err = count(ctx, c, table, kind, columns)
		}
		if e != nil && err == nil {
			e.counted = rows
		}
		return err
	})
	return rows, nulls, err
}

// Prove proves the target as it will be, every row of it: those that stay were
// not proved by this run. Where a table continues what an earlier load left, that
// load proved them and nobody wrote to them since: then those that came are asked about.
func (x *exchange) Prove(ctx context.Context, schemas []string) (proofs []engine.Proof, err error) {
	return proofs, x.inside(func(c *conn) error {
		p := prover{waived: map[int]bool{}, exchange: x}
		if err := p.read(ctx, c, schemas, true); err != nil {
			return err
		}
		if x.dear { // most questions are of the few rows that came
			if err := c.exec(ctx, "prove the constraints", cheapLookups); err != nil {
				return err
			}
		}
		for _, q := range p.questions {
			// A question that fails must not end the transaction.
			if err := c.exec(ctx, "prove the constraints", "SAVEPOINT question"); err != nil {
				return err
			}
			rows, asked := c.query(ctx, "prove the constraints", q.sql)
			if asked != nil && ctx.Err() == nil && !c.IsClosed() { // a check's function may find its tables by its users' search_path
				if err := c.exec(ctx, "prove the constraints", "ROLLBACK TO SAVEPOINT question"); err != nil {
					return err
				}
				if asked = localPath(ctx, c, c.path); asked == nil {
					rows, asked = c.query(ctx, "prove the constraints", q.sql)
				}
			}
			if asked != nil && (ctx.Err() != nil || c.IsClosed()) {
				return asked
			}
			if err := c.exec(ctx, "prove the constraints", "ROLLBACK TO SAVEPOINT question; RELEASE SAVEPOINT question"); err != nil {
				return err
			}
			p.answer(q, rows, asked)
		}
		proofs = p.sorted()
		if x.dear {
			return c.exec(ctx, "plan as the server does", usualLookups)
		}
		return nil
	})
}

// Switch leaves the manifest and commits.
func (x *exchange) Switch(ctx context.Context, manifest []byte) error {
	x.spec.Step("leave the manifest")
	err := x.inside(func(c *conn) error {
		if err := writeClaim(ctx, c, x.t.at.database, x.spec.RunID, x.made, manifest); err != nil {
			return err
		}
		if err := x.t.pauses.at(ctx, "manifest"); err != nil {
			return err
		}
		if err := x.guard.Ping(ctx); err != nil { // the lock went with its session: another run may have begun
			return wrap(ctx, err, "hold the target's lock")
		}
		x.spec.Step("commit")
		if err := x.t.pauses.at(ctx, "committing"); err != nil {
			return err
		}
		return x.commit(ctx, c)
	})
	if err == nil || errors.Is(err, engine.ErrSwitched) {
		x.mu.Lock()
		x.switched = true
		x.mu.Unlock()
	}
	if err != nil {
		return err
	}
	if err = x.t.pauses.at(ctx, "switched"); err == nil {
		err = x.tidy(ctx)
	}
	return engine.Switched(err)
}

// commit commits. Without an answer the server is asked what became of it.
func (x *exchange) commit(ctx context.Context, c *conn) error {
	pid := c.PID()
	// From here on an interrupt comes too late to be told from success.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchDeadline)
	defer cancel()
	err := c.exec(last, "commit the exchange", "COMMIT")
	if err == nil || !c.IsClosed() && c.TxStatus() == 'I' { // the server's own answer, either way
		return err
	}
	return x.outcome(pid, err)
}

// outcome finds out what became of a COMMIT without an answer: the claim was
// written in the same transaction. The committing process must be gone first.
func (x *exchange) outcome(pid uint32, cause error) error {
	return engine.Outcome("commit the exchange", cause, switchDeadline, func(ctx context.Context) (over, stands bool, err error) {
		return over, stands, x.t.with(ctx, func(c *conn) error {
			there, err := c.value(ctx, "look for the session", `SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = $1)`, pid)
			if err != nil {
				return err
			}
			present, _, _, err := readClaim(ctx, c, x.t.at.database)
			over, stands = there == "f", present != nil && present.ID == x.spec.RunID
			return err
		})
	})
}

// tidy drops the side tables, gathers statistics of what changed much, and
// removes what switches before kept.
func (x *exchange) tidy(ctx context.Context) error {
	x.spec.Step("drop side tables")
	if err := x.pool.with(ctx, func(c *conn) error { return dropSides(ctx, c) }); err != nil {
		return err
	}
	x.spec.Step("gather statistics")
	var touched []*exchanged
	for _, e := range x.sorted() {
		// As the server itself would think, but sooner; few changes are no other distribution.
		if changes := e.gone + e.changed + e.came; e.touched() && !few(changes, e) {
			touched = append(touched, e)
		}
	}
	err := spread(ctx, x.pool, min(len(touched), max(1, x.spec.Writers)), len(touched), func(ctx context.Context, c *conn, i int) error {
		return analyze(ctx, c, quoteName(touched[i].name), x.spec.Step)
	})
	if err != nil {
		return err
	}
	return x.t.clearBeside(ctx, x.guard, x.spec.Keep)
}

// few tells whether so many changes leave a table's statistics as good as they were.
func few(changes int64, e *exchanged) bool {
	return e.seen != nil && changes <= e.seen.rows/20 || e.continued != nil && changes <= e.continued.rows/20
}

// Abort gives the transaction up, drops the side tables and frees the lock.
func (x *exchange) Abort(ctx context.Context) error {
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return nil
	}
	x.ended = true
	switched := x.switched
	if x.main != nil {
		x.main.hangUp()
	}
	x.mu.Unlock()
	var err error
	if x.before != nil && !switched { // without it the lock was not taken, or nothing was made
		err = x.drop(ctx)
	}
	x.hangUp()
	return err
}

// drop removes the side tables through a session of its own, once the server has
// seen that the others are gone.
func (x *exchange) drop(ctx context.Context) error {
	x.pool.hangUp(true)
	c, err := connect(ctx, x.t.at, session{name: "abort " + x.spec.RunID, limits: x.t.limits, set: map[string]string{"statement_timeout": "0"}})
	if err != nil {
		return err
	}
	defer c.hangUp()
	return clearSides(ctx, c, x.t.at.database)
}

// hangUp ends the load's sessions and frees the target's lock.
func (x *exchange) hangUp() {
	if x.pool != nil {
		x.pool.hangUp(true)
	}
	x.dismiss()
	x.mu.Lock()
	if x.main != nil {
		x.main.hangUp()
	}
	x.mu.Unlock()
	unlock(x.guard) // before the session is gone, which takes its time: the next run may begin at once
	x.guard.hangUp()
	x.t.forget(x)
}
