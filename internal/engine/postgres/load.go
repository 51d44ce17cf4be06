package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
)

// A load is a new database beside the target, being filled.
type load struct {
	carried map[schema.Name]string // what stood in each preserved table when it was copied
	t       *target
	spec    engine.Spec
	facts   *standing // as the target stood when the load began
	plan    *blueprint
	guard   *conn // on the maintenance database; holds the target's lock
	next    string
	oid     uint32                      // of next
	tables  map[schema.Name]*tableFacts // of next, as rows meet them
	alone   map[schema.Name]bool        // tables that one Write brings all rows of
	asking  sync.Mutex                  // held while the guard is asked about values
	made    time.Time
	pool    *pool // sessions on next
	aside   []setAside

	mu       sync.Mutex // guards what follows
	kinds    map[schema.Name]tableKind
	switched bool
	ended    bool
}

var _ engine.Load = (*load)(nil)

// Begin locks the target, clears what a crashed run left, makes a database
// beside it that nobody but its owner may connect to, and builds in it what
// rows need: types, tables, functions.
func (t *target) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	guard, err := t.guard(ctx, spec.RunID)
	if err != nil {
		return nil, err
	}
	l := &load{t: t, spec: spec, guard: guard, next: beside(t.at.database, "next", spec.RunID), made: time.Now().UTC()}
	if err := l.begin(ctx); err != nil {
		l.undo()
		return nil, err
	}
	t.mu.Lock()
	t.loads = append(t.loads, l)
	t.mu.Unlock()
	return l, nil
}

// undo aborts a load that could not begin.
func (l *load) undo() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // undoing: the run's context may be over
	defer cancel()
	_ = l.Abort(ctx) // what stays is cleared by the next run
}

func (l *load) begin(ctx context.Context) error {
	if err := l.t.lock(ctx, l.guard); err != nil {
		return err
	}
	l.spec.Step("clear what an earlier run left")
	if err := l.t.recover(ctx, l.guard, l.spec.Keep); err != nil {
		return err
	}
	err := l.t.with(ctx, func(c *conn) (err error) {
		l.facts, err = stand(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	if err := l.found(ctx); err != nil {
		return err
	}
	l.spec.Step("build the tables")
	if err := l.buildSection(ctx, l.spec.RunID+" tables", "pre-data", builders{jobs: 1, set: loadSettings()}); err != nil {
		return err
	}
	err = l.with(ctx, func(c *conn) error {
		there, err := inspect(ctx, c, nil)
		if err != nil {
			return err
		}
		l.tables = there.tables
		return l.setChecksAside(ctx, c)
	})
	if err != nil {
		return err
	}
	if err := l.with(ctx, func(c *conn) error { return l.closeToPublic(ctx, c) }); err != nil {
		return err
	}
	return l.t.pauses.at(ctx, "tables")
}

// found reads the structure and meanwhile makes the database for it.
func (l *load) found(ctx context.Context) error {
	l.spec.Step("read the structure, make the database " + quote(l.next))
	drawing, cancel := context.WithCancel(ctx)
	defer cancel()
	var drawn error
	var other sync.WaitGroup
	other.Go(func() {
		defer fault.Guard(&drawn)
		l.plan, drawn = l.t.drawBlueprint(drawing, l.spec, l.facts)
	})
	made := l.createNext(ctx)
	if made != nil {
		cancel()
	}
	other.Wait()
	if err := cmp.Or(made, drawn); err != nil {
		return err
	}
	return l.with(ctx, func(c *conn) error { return l.prepareSchemas(ctx, c) })
}

// loadSettings are those of sessions that fill a generation: nothing in it is
// worth waiting for a disk before the switch, whose commit waits for all of it.
func loadSettings() map[string]string {
	return map[string]string{"synchronous_commit": "off", "statement_timeout": "0", "lock_timeout": "0", "default_transaction_read_only": "off"}
}

// createNext makes the new database, marks it and closes it to others. If it
// ends between the first two, the database is empty and recovery can tell.
func (l *load) createNext(ctx context.Context) error {
	doing := "make the database " + quote(l.next)
	// An interrupted creation leaves nothing; a second of its statements could not be in one transaction with it.
	if err := l.guard.exec(ctx, doing, l.facts.database.create(l.next)); err != nil {
		return err
	}
	if err := l.t.pauses.at(ctx, "created"); err != nil {
		return err
	}
	m := mark{Kind: markNext, Of: l.t.at.database, Run: l.spec.RunID, Made: l.made}
	if err := l.guard.exec(ctx, doing, comment(l.next, m.String())+"; REVOKE ALL ON DATABASE "+quote(l.next)+" FROM PUBLIC"); err != nil {
		return err
	}
	oid, err := l.guard.value(ctx, doing, `SELECT oid FROM pg_catalog.pg_database WHERE datname = $1`, l.next)
	if err != nil {
		return err
	}
	l.oid = parseUint([]byte(oid))
	l.pool = &pool{free: make(chan *conn, max(1, l.spec.Writers)), slots: make(chan struct{}, max(1, l.spec.Writers)), open: func(ctx context.Context) (*conn, error) {
		set := loadSettings()
		if l.facts.superuser {
			set["session_replication_role"] = "replica" // the target's event triggers are not about us
		}
		return connect(ctx, l.t.at, session{name: l.spec.RunID + " load", database: l.next, limits: l.t.limits, set: set})
	}}
	return nil
}

// prepareSchemas makes the difference between an empty database and the one the
// dump expects.
func (l *load) prepareSchemas(ctx context.Context, c *conn) error {
	if !l.plan.foreign && !l.facts.database.hasPublic {
		err := c.exec(ctx, "drop the schema public", "DROP SCHEMA public")
		if err != nil && engine.CodeOf(err) != engine.Denied { // before version 15 it is the server's; empty, it does no harm
			return err
		}
	}
	for _, name := range l.plan.origin.extensions {
		if err := c.exec(ctx, "make the schema "+quote(name), "CREATE SCHEMA IF NOT EXISTS "+quote(name)); err != nil {
			return err
		}
	}
	return nil
}

// with runs do with one of the load's sessions on the new database.
func (l *load) with(ctx context.Context, do func(c *conn) error) error { return l.pool.with(ctx, do) }

// Write copies rows into a table. Triggers, rules and foreign keys do not exist
// yet; a partitioned table is written through its root.
func (l *load) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (int64, error) {
	var sent int64
	err := l.with(ctx, func(c *conn) (err error) {
		freeze, err := l.freezes(ctx, c, table)
		if err != nil {
			return err
		}
		return l.inUsersPath(ctx, c, func() error {
			if freeze {
				// The server freezes only what comes into a table that the transaction made or emptied.
				err = c.transaction(ctx, "BEGIN; TRUNCATE ONLY "+quoteName(table), func() error {
					sent, err = copyInto(ctx, c, table, columns, rows, "FREEZE")
					return err
				})
			} else {
				sent, err = copyInto(ctx, c, table, columns, rows)
			}
			return overRows(l.plan.origin.calling(err, l.plan.origin.callsOf("TABLE", table.Schema, table.Table)))
		})
	})
	return sent, err
}

var _ engine.Informed = (*load)(nil)

// Alone tells of tables that one Write brings all rows of.
func (l *load) Alone(tables []schema.Name) {
	l.alone = make(map[schema.Name]bool, len(tables))
	for _, name := range tables {
		l.alone[name] = true
	}
}

// freezes tells whether rows can be written as frozen and seen by all: who reads them
// next, beginning with the indexes, then need not find out who may see each, nor write
// that down in every page. The table must be empty, as those of extensions may not be,
// and one of its own, which no other Write waits for.
func (l *load) freezes(ctx context.Context, c *conn, table schema.Name) (bool, error) {
	facts := l.tables[table]
	if !l.alone[table] || facts == nil || facts.partitioned || facts.foreign {
		return false, nil
	}
	may, err := c.value(ctx, "look at "+table.String(), "SELECT pg_catalog.has_table_privilege($1::pg_catalog.regclass, 'TRUNCATE') AND NOT EXISTS (SELECT FROM ONLY "+quoteName(table)+")", quoteName(table))
	return may == "t", err
}

// copyInto sends rows to a table and returns how many the server took. Options are
// those of COPY.
func copyInto(ctx context.Context, c *conn, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error], options ...string) (int64, error) {
	doing := "write " + table.String()
	list := ""
	if len(columns) > 0 {
		list = " (" + quoteList(columns) + ")"
	}
	f := newFeed(rows)
	binary, err := f.begin()
	if err != nil {
		f.close()
		return 0, err
	}
	if binary {
		options = append(options, "FORMAT binary")
	}
	with := ""
	if len(options) > 0 {
		with = " WITH (" + strings.Join(options, ", ") + ")"
	}
	tag, err := c.PgConn.CopyFrom(ctx, f, "COPY "+quoteName(table)+list+" FROM STDIN"+with)
	f.close()
	if f.failure != nil {
		return f.rows, f.failure
	}
	if err != nil {
		wrapped := wrap(ctx, err, doing)
		var e *engine.Error
		if errors.As(wrapped, &e) && e.State != "" && e.Table.Table == "" {
			e.Table = table
		}
		var pg *pgconn.PgError
		if errors.As(err, &pg) && e != nil && e.Column == "" {
			e.Column = copiedColumn(pg.Where, columns)
		}
		return f.rows, wrapped
	}
	if tag.RowsAffected() != f.rows {
		return f.rows, &engine.Error{Code: engine.Failed, Doing: doing, Table: table,
			Say: fmt.Sprintf("%d rows were sent and %d taken", f.rows, tag.RowsAffected())}
	}
	return f.rows, nil
}

// copiedColumn finds the column in what a server says about where a COPY
// failed; empty if it names none of those given. The text goes on with the
// value, or ends its line where rows are in binary.
func copiedColumn(where string, columns []string) string {
	_, rest, _ := strings.Cut(where, ", column ")
	for _, c := range columns {
		if after, ok := strings.CutPrefix(rest, c); ok && (after == "" || after[0] == '\n' || strings.HasPrefix(after, ": ")) {
			return c
		}
	}
	return ""
}

// errRowsEnded is what the server is told when the rows cannot be read to their
// end: the true error may not travel there, because servers log it.
var errRowsEnded = errors.New("the rows ended early")

// A feed is batches as a stream of bytes, pulled by the driver's goroutine.
type feed struct {
	mu      sync.Mutex
	pull    func() (*engine.Batch, error, bool)
	stop    func()
	batch   *engine.Batch
	rest    []byte
	rows    int64
	failure error // of the rows' maker
	closed  bool

	first  *engine.Batch // until it is sent
	tuples *tupleForm    // the first rows' form, if it is the binary one
	tail   []byte        // what is to follow the rows
}

func newFeed(rows iter.Seq2[*engine.Batch, error]) *feed {
	f := &feed{}
	f.pull, f.stop = iter.Pull2(rows)
	return f
}

// begin waits for the first rows, whose form is that of all.
func (f *feed) begin() (binary bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.first = f.next()
	if f.first == nil || f.tuples == nil {
		return false, f.failure
	}
	f.rest, f.tail = []byte(binaryHead), []byte(binaryTail)
	return true, nil
}

// Read gives the next bytes.
func (f *feed) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(p) {
		if len(f.rest) == 0 {
			if n > 0 && n >= len(p)/2 {
				return n, nil // enough for one message; do not wait for more
			}
			if err := f.advance(); err != nil {
				if n > 0 && err == io.EOF {
					return n, nil // the next call ends it
				}
				return n, err
			}
		}
		k := copy(p[n:], f.rest)
		n, f.rest = n+k, f.rest[k:]
	}
	return n, nil
}

// advance lets go of the batch and takes the next that has bytes.
func (f *feed) advance() error {
	f.release()
	if f.closed || f.failure != nil {
		return errRowsEnded
	}
	b := f.first
	if f.first = nil; b == nil {
		b = f.next()
	}
	switch {
	case f.failure != nil:
		return errRowsEnded
	case b == nil && f.tail != nil:
		f.rest, f.tail = f.tail, nil
		return nil
	case b == nil:
		return io.EOF
	}
	f.batch, f.rest = b, b.Raw
	return nil
}

// next pulls a batch; nil at the end, and where a failure is noted.
func (f *feed) next() *engine.Batch {
	b, err, ok := f.pull()
	if !ok {
		return nil
	}
	if err != nil {
		f.failure = err
		return nil
	}
	form, _ := b.Form.(*tupleForm)
	if f.rows == 0 {
		f.tuples = form
	}
	switch {
	case (form == nil) != (f.tuples == nil):
		f.failure = &engine.Error{Code: engine.Failed, Doing: "write rows", Say: "they come in two forms"}
	case form != nil:
		f.failure = form.broken()
	}
	if f.failure != nil {
		b.Release()
		return nil
	}
	f.rows += int64(b.Rows)
	return b
}

func (f *feed) release() {
	if f.batch != nil {
		f.batch.Release()
	}
	f.batch, f.rest = nil, nil
}

// close ends the rows' maker. It waits for a Read that is under way.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.release()
	if f.first != nil {
		f.first.Release()
		f.first = nil
	}
	f.closed = true
	f.stop()
}

// A pool lends sessions on one database, a bounded number at once.
type pool struct {
	slots chan struct{}
	free  chan *conn
	open  func(ctx context.Context) (*conn, error)

	mu     sync.Mutex
	closed bool
}

// with runs do with a session of its own.
func (p *pool) with(ctx context.Context, do func(c *conn) error) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return wrap(ctx, ctx.Err(), "wait for a session")
	}
	defer func() { <-p.slots }()
	c, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer p.give(c)
	return do(c)
}

func (p *pool) take(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return nil, &engine.Error{Code: engine.Failed, Doing: "take a session", Say: "the load has ended"}
	}
	var c *conn
	select {
	case c = <-p.free:
	default:
	}
	if c == nil || c.IsClosed() {
		var err error
		if c, err = p.open(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// give takes a session back; one in a transaction or broken is not kept.
func (p *pool) give(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && !c.IsClosed() && c.TxStatus() == 'I' {
		select {
		case p.free <- c:
			return
		default:
		}
	}
	c.hangUp()
}

// hangUp ends all sessions that are not lent; those that are end when given back.
func (p *pool) hangUp(forGood bool) {
	p.mu.Lock()
	p.closed = p.closed || forGood
	p.mu.Unlock()
	for {
		select {
		case c := <-p.free:
			c.hangUp()
		default:
			return
		}
	}
}

// Abort drops a generation that was not switched and ends the load.
func (l *load) Abort(ctx context.Context) error {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return nil
	}
	l.ended = true
	switched := l.switched
	l.mu.Unlock()
	if l.pool != nil {
		l.pool.hangUp(true)
	}
	var err error
	if l.facts != nil && !switched { // without facts the lock was not taken, or nothing was made
		err = l.drop(ctx)
	}
	l.hangUp()
	return err
}

// drop removes the new database, through a fresh session if the guard's broke.
// A switched one is no longer found under its name.
func (l *load) drop(ctx context.Context) error {
	c := l.guard
	if c.IsClosed() || c.TxStatus() != 'I' {
		var err error
		if c, err = l.t.maintenance(ctx, l.spec.RunID+" abort"); err != nil {
			return err
		}
		defer c.hangUp()
	}
	return dropDatabase(ctx, c, l.next)
}

// hangUp ends the load's sessions and frees the target's lock.
func (l *load) hangUp() {
	if l.pool != nil {
		l.pool.hangUp(true)
	}
	unlock(l.guard) // before the session is gone, which takes its time: the next run may begin at once
	l.guard.hangUp()
	l.plan.close()
	l.t.mu.Lock()
	l.t.loads = slices.DeleteFunc(l.t.loads, func(o *load) bool { return o == l })
	l.t.mu.Unlock()
}
