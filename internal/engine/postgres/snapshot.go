package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A snapshot is one moment of the source. One connection, the exporter, holds
// the locks and the moment; up to Limits.Readers others join it. Conditions
// from files run on the exporter, so that now() is one instant for all of them:
// the start of its transaction, which the server gives and nobody can set.
//
// A consumer that calls Find or Read inside a loop over another one holds one
// reader for each; with all of them held that way, the next call waits for ever.
type snapshot struct {
	at     *address
	limits engine.Limits
	inv    *inventory
	id     string
	now    time.Time // the exporter's now()
	path   string    // the search_path that reading needs; empty for none
	pool   sync.Pool // of *engine.Batch

	life  context.Context         // ends with the snapshot; its cause says why
	end   context.CancelCauseFunc // ends it early
	timer *time.Timer             // the age limit
	watch sync.WaitGroup          // the watcher of waiting.go

	exporter *conn
	alone    chan struct{} // holds one token: the right to use exporter
	slots    chan struct{} // one token for each reader that may be in use

	recalling sync.Mutex // guards what follows: see words
	recalled  map[schema.Name]memory
	aged      age

	mu      sync.Mutex
	idle    []*conn
	working map[*conn]bool
	closed  bool
}

var (
	_ engine.Snapshot = (*snapshot)(nil)
	_ engine.Timed    = (*snapshot)(nil)
)

// errClosed is why a snapshot ends that nothing ended early.
var errClosed = errors.New("the snapshot is closed")

const (
	beginReading = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
	savepoint    = "understudy"
)

// Snapshot locks the tables, takes the moment, reads the structure again and
// compares. LOCK TABLE as a transaction's first statement takes no snapshot, so
// the moment is later than all locks, and no table can have been emptied or
// rewritten between.
func (s *source) Snapshot(ctx context.Context, want *schema.Schema) (engine.Snapshot, error) {
	c, err := connect(ctx, s.at, session{name: "source snapshot", readOnly: true, limits: s.limits})
	if err != nil {
		return nil, err
	}
	taken, err := s.take(ctx, c, want)
	if err != nil {
		c.hangUp()
		return nil, err
	}
	return taken, nil
}

func (s *source) take(ctx context.Context, c *conn, want *schema.Schema) (*snapshot, error) {
	if err := mayRead(ctx, c, want); err != nil {
		return nil, err
	}
	if err := c.exec(ctx, "begin to read", beginReading); err != nil {
		return nil, err
	}
	if err := lockTables(ctx, c, want); err != nil {
		return nil, again(s.gone(ctx, s.side.nameChanger(ctx, err, schemasOf(want)), want))
	}
	moment, err := c.query(ctx, "take a snapshot of the source", `SELECT pg_catalog.pg_export_snapshot(), pg_catalog.now()`)
	if err != nil {
		return nil, err
	}
	now, err := parseInstant(string(moment[0][1]))
	if err != nil {
		return nil, &engine.Error{Code: engine.Failed, Doing: "take a snapshot of the source", Say: "the server's clock has no readable time", Err: err}
	}
	if err := c.checkReadOnly(ctx); err != nil {
		return nil, err
	}
	inv, err := inspect(ctx, c, schemasOf(want))
	if err != nil {
		return nil, err
	}
	if table, column, what := schema.FirstChange(want, inv.schema); what != "" {
		return nil, notAsPlanned(table, column, what)
	}
	path, err := readingPath(ctx, c)
	if err != nil {
		return nil, err
	}
	snap := newSnapshot(ctx, s, c, string(moment[0][0]), now, inv)
	snap.path = path
	return snap, nil
}

func notAsPlanned(table schema.Name, column, what string) error {
	return &engine.Error{Code: engine.Changed, Doing: "read the structure again under lock", Say: "it changed since it was planned: " + what,
		Table: table, Column: column, Hint: "run again", Again: true}
}

// gone explains a lock that was refused because something else stands under a
// table's name, or nothing.
func (s *source) gone(ctx context.Context, err error, want *schema.Schema) error {
	var e *engine.Error
	if !errors.As(err, &e) || e.State != "42P01" && e.State != "42809" && e.State != "3F000" {
		return err
	}
	now, failed := s.Inspect(ctx, schemasOf(want))
	if failed != nil {
		return failed
	}
	if table, column, what := schema.FirstChange(want, now); what != "" {
		return notAsPlanned(table, column, what)
	}
	return notAsPlanned(schema.Name{}, "", "a table was gone for a moment")
}

// newSnapshot owns the exporter c from now on.
func newSnapshot(ctx context.Context, s *source, c *conn, id string, now time.Time, inv *inventory) *snapshot {
	snap := &snapshot{at: s.at, limits: s.limits, inv: inv, id: id, now: now, exporter: c, working: map[*conn]bool{},
		alone: make(chan struct{}, 1), slots: make(chan struct{}, s.limits.Readers)}
	snap.life, snap.end = context.WithCancelCause(context.WithoutCancel(ctx)) // it outlives the call, until Close
	snap.timer = time.AfterFunc(s.limits.SnapshotAge, func() {
		snap.expire(&engine.Error{Code: engine.Timeout, Doing: "read the source", Say: "the snapshot is older than " + s.limits.SnapshotAge.String(),
			Hint: "raise limits.snapshot_age, or copy less"})
	})
	snap.watch.Go(snap.giveWay)
	return snap
}

// schemasOf lists the schemas that a structure's tables are in.
func schemasOf(s *schema.Schema) []string {
	var out []string
	for i, t := range s.Tables {
		if i == 0 || t.Name.Schema != s.Tables[i-1].Name.Schema {
			out = append(out, t.Name.Schema)
		}
	}
	return out
}

// mayRead names the tables that the role may not read, because the server's own
// refusal of a lock over many tables names none.
func mayRead(ctx context.Context, c *conn, s *schema.Schema) error {
	var names []schema.Name
	for _, t := range s.Tables {
		if t.Note != "foreign table" {
			names = append(names, t.Name)
		}
	}
	u, err := unreadable(ctx, c, names)
	if err != nil {
		return err
	}
	return u.error("lock the source's tables against change")
}

// lockTables takes the weakest lock that holds back changes of structure. A
// partitioned table's partitions are locked with it.
func lockTables(ctx context.Context, c *conn, s *schema.Schema) error {
	var names []string
	for _, t := range s.Tables {
		switch {
		case t.Note == "foreign table":
			continue
		case len(t.Partitions) > 0:
			names = append(names, quoteName(t.Name))
		default:
			names = append(names, "ONLY "+quoteName(t.Name))
		}
	}
	for len(names) > 0 {
		n := min(len(names), 200)
		if err := c.exec(ctx, "lock the source's tables against change", "LOCK TABLE "+strings.Join(names[:n], ", ")+" IN ACCESS SHARE MODE"); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// Structure is the source's DDL at this moment.
func (s *snapshot) Structure() engine.Structure {
	return &structure{at: s.at, snapshot: s.id, version: s.exporter.version, pooled: s.exporter.pooled(), bounded: s.bounded}
}

// Instant is what now() means in fragments.
func (s *snapshot) Instant() time.Time { return s.now }

// Close lets go of locks and the moment. Its error says that they were lost
// before, so that what was read since may not be what it should be.
func (s *snapshot) Close() error {
	s.timer.Stop()
	var lost error
	if s.life.Err() == nil {
		lost = s.ended()
	}
	s.end(errClosed)
	s.watch.Wait()
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		c.hangUp()
	}
	s.exporter.hangUp()
	return lost
}

// expire ends the snapshot for a reason and breaks every connection: also those
// that wait, idle, for a run that hangs elsewhere, because an open moment and
// its locks weigh on the source.
func (s *snapshot) expire(why error) {
	s.end(why)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.idle {
		_ = c.Conn().Close()
	}
	for c := range s.working {
		_ = c.Conn().Close()
	}
	_ = s.exporter.Conn().Close()
}

// bounded gives a context that ends with the snapshot and then says why.
func (s *snapshot) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	return ctx, func() { stop(); cancel(nil) }
}

// because gives the reason for which the snapshot ended in place of the failure
// that a reader met by it. The exporter has every table's lock, so a reader that
// got none in time stood behind somebody who waits for us: that ends it as well.
func (s *snapshot) because(err error, table schema.Name) error {
	var why *engine.Error
	if errors.As(err, &why) && s.life.Err() == nil {
		switch why.State {
		case lockNotAvailable:
			s.expire(gaveWay(table))
		case "22023", "42704": // the snapshot is not there; perhaps because the exporter is not
			if ended := s.ended(); ended != nil {
				s.expire(ended)
			}
		}
	}
	if err != nil && s.life.Err() != nil && errors.As(context.Cause(s.life), &why) {
		return why
	}
	return err
}

// ended gives the reason for which the server ended the exporter's session, as a
// standby does that has to replay what the moment stands in the way of; nil if
// it did not.
func (s *snapshot) ended() error {
	ctx, stop := context.WithTimeout(s.life, 5*time.Second)
	defer stop()
	select {
	case s.alone <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-s.alone }()
	return s.exporter.exec(ctx, "read the source", "SELECT 1")
}

// reader gives a connection that sees the moment; release takes it back.
func (s *snapshot) reader(ctx context.Context) (*conn, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, wrap(ctx, ctx.Err(), "wait for a reader")
	}
	s.mu.Lock()
	var c *conn
	if n := len(s.idle); n > 0 {
		c, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	s.mu.Unlock()
	c, err := s.join(ctx, c)
	if err != nil {
		<-s.slots
		return nil, err
	}
	s.mu.Lock()
	s.working[c] = true
	s.mu.Unlock()
	return c, nil
}

// join opens a connection if there is none and makes it see the moment.
func (s *snapshot) join(ctx context.Context, c *conn) (*conn, error) {
	if c != nil && c.IsClosed() {
		c = nil
	}
	if c == nil {
		var err error
		if c, err = connect(ctx, s.at, session{name: "source reader", readOnly: true, limits: s.limits}); err != nil {
			return nil, err
		}
	}
	if c.TxStatus() == 'T' {
		return c, nil
	}
	begin := beginReading + "; SET TRANSACTION SNAPSHOT " + literal(s.id)
	if s.path != "" {
		begin += "; SELECT pg_catalog.set_config('search_path', " + literal(s.path) + ", true)"
	}
	err := c.exec(ctx, "join the source's snapshot", begin)
	if err == nil {
		err = c.checkReadOnly(ctx)
	}
	if err != nil {
		c.hangUp()
		if e, ok := err.(*engine.Error); ok && (e.State == "22023" || e.State == "42704") {
			e.Code, e.Say = engine.Unsupported, "the snapshot is not known to the server that answered"
			e.Hint = "connect to one server itself: a pooler or a reader endpoint spreads connections over several"
		}
		return nil, err
	}
	return c, nil
}

// release takes a reader back. A statement that failed or was stopped has ended
// its transaction; the connection joins again when it is next needed.
func (s *snapshot) release(c *conn) {
	if !c.IsClosed() && c.TxStatus() == 'E' {
		c.rollback()
	}
	s.mu.Lock()
	delete(s.working, c)
	keep := !s.closed && !c.IsClosed() && !c.IsBusy()
	if keep {
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	if !keep {
		c.hangUp()
	}
	<-s.slots
}

// withReader runs do on a reader.
func (s *snapshot) withReader(ctx context.Context, do func(c *conn) error) error {
	c, err := s.reader(ctx)
	if err != nil {
		return err
	}
	defer s.release(c)
	return do(c)
}

// withExporter runs do on the exporter behind a savepoint, so that a failing
// statement ends neither the locks nor the moment. There the server's own
// search path holds, because fragments are written by people who know that one.
func (s *snapshot) withExporter(ctx context.Context, do func(c *conn) error) error {
	select {
	case s.alone <- struct{}{}:
	case <-ctx.Done():
		return wrap(ctx, ctx.Err(), "wait for the source")
	}
	defer func() { <-s.alone }()
	c := s.exporter
	err := c.exec(ctx, "read the source", "SAVEPOINT "+savepoint+"; SELECT set_config('search_path', "+literal(c.path)+", true)")
	if err != nil {
		return err
	}
	defer func() {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if c.exec(undo, "read the source", "ROLLBACK TO SAVEPOINT "+savepoint+"; RELEASE SAVEPOINT "+savepoint) != nil {
			c.hangUp()
		}
	}()
	return do(c)
}

// facts gives what reading needs of a table, and refuses what cannot be read.
func (s *snapshot) facts(t *schema.Table, columns []string) (*tableFacts, error) {
	f := s.inv.tables[t.Name]
	switch {
	case f == nil:
		return nil, &engine.Error{Code: engine.Failed, Doing: "read " + t.Name.String(), Say: "the table is not in the snapshot"}
	case f.foreign:
		return nil, &engine.Error{Code: engine.Unsupported, Doing: "read " + t.Name.String(), Say: "its rows lie in another server, which has no part in the snapshot",
			Hint: "leave the table out: subset.tables: " + t.Name.String() + ": none"}
	}
	for _, c := range columns {
		if _, ok := f.columns[c]; !ok {
			return nil, &engine.Error{Code: engine.Failed, Doing: "read " + t.Name.String(), Say: "there is no such column", Column: c}
		}
	}
	return f, nil
}
