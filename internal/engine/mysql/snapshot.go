package mysql

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A snapshot is one moment of the source. One session, the keeper, has touched
// every table in an open transaction, so that none can be changed, emptied or
// renamed; up to Limits.Readers others read the moment.
//
// A consumer that calls Find or Read inside a loop over another one holds one
// reader for each; with all of them held that way, the next call waits for ever.
type snapshot struct {
	source *source
	limits engine.Limits
	inv    *inventory
	moment string // how it was taken, in words
	pool   sync.Pool

	life  context.Context         // ends with the snapshot; its cause says why
	end   context.CancelCauseFunc // ends it early
	timer *time.Timer             // the age limit
	watch sync.WaitGroup          // the watcher of waiting.go

	keeper  *conn
	readers []*conn
	idle    chan *conn
	numbers numbers
}

var (
	_ engine.Snapshot  = (*snapshot)(nil)
	_ engine.Momentary = (*snapshot)(nil)
)

// errClosed is why a snapshot ends that nothing ended early.
var errClosed = errors.New("the snapshot is closed")

// Snapshot keeps the tables from change, takes the moment, reads the structure
// again and compares. Because the tables are kept first, none can have been
// renamed, emptied or rebuilt between the moment and the reading.
func (s *source) Snapshot(ctx context.Context, want *schema.Schema) (engine.Snapshot, error) {
	snap := &snapshot{source: s, limits: s.limits}
	snap.numbers.tables = map[schema.Name]*numbering{}
	if err := snap.take(ctx, want); err != nil {
		snap.hangUp()
		return nil, err
	}
	snap.idle = make(chan *conn, len(snap.readers))
	for _, c := range snap.readers {
		snap.idle <- c
	}
	snap.life, snap.end = context.WithCancelCause(context.WithoutCancel(ctx)) // it outlives the call, until Close
	snap.timer = time.AfterFunc(s.limits.SnapshotAge, func() {
		snap.expire(&engine.Error{Code: engine.Timeout, Doing: "read the source", Say: "the snapshot is older than " + s.limits.SnapshotAge.String(),
			Hint: "raise limits.snapshot_age, or copy less"})
	})
	snap.watch.Go(snap.giveWay)
	return snap, nil
}

func (s *snapshot) take(ctx context.Context, want *schema.Schema) (err error) {
	if s.keeper, err = s.session(ctx, "source keeper"); err != nil {
		return err
	}
	if err := s.keeper.exec(ctx, "begin to read", "START TRANSACTION READ ONLY"); err != nil {
		return err
	}
	if err := s.keep(ctx, want); err != nil {
		return err
	}
	if s.readers, s.moment, err = s.source.moment(ctx); err != nil {
		return err
	}
	err = s.source.with(ctx, func(c *conn) (err error) {
		s.inv, err = inspect(ctx, c, s.source.covered(schemasOf(want)))
		return err
	})
	if err != nil {
		return err
	}
	if table, column, what := schema.FirstChange(want, s.inv.schema); what != "" {
		return &engine.Error{Code: engine.Changed, Doing: "read the structure again under lock", Say: "it changed since it was planned: " + what,
			Table: table, Column: column, Hint: "run again"}
	}
	return nil
}

// session opens a session of the snapshot and makes sure that it only reads.
// Fragments run in it, so double quotes begin names.
func (s *snapshot) session(ctx context.Context, name string) (*conn, error) {
	return s.source.reading(ctx, name)
}

func (s *source) reading(ctx context.Context, name string) (*conn, error) {
	c, err := connect(ctx, s.at, session{name: name, readOnly: true, mode: fragmentMode, limits: s.limits})
	if err != nil {
		return nil, err
	}
	settings := "SET SESSION range_optimizer_max_mem_size = 0" // else long lists of keys become scans
	if c.maria {
		settings = "SET SESSION in_predicate_conversion_threshold = 0" // else long lists of keys become temporary tables
	}
	if err = c.checkReadOnly(ctx); err == nil {
		err = c.exec(ctx, "pin the session's settings", settings)
	}
	if err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// touched is the condition that keeps tables from change: it opens each, and
// the transaction then holds it, but no row is read.
func touched(tables []schema.Name) string {
	parts := make([]string, len(tables))
	for i, n := range tables {
		parts[i] = "(SELECT 1 FROM " + quoteName(n) + " LIMIT 0)"
	}
	return strings.Join(parts, " UNION ALL ")
}

// keep touches every table in the keeper's transaction.
func (s *snapshot) keep(ctx context.Context, want *schema.Schema) error {
	const together = 50
	var closed []schema.Name
	for from := 0; from < len(want.Tables); from += together {
		var names []schema.Name
		for _, t := range want.Tables[from:min(from+together, len(want.Tables))] {
			names = append(names, t.Name)
		}
		const doing = "keep the source's tables from change"
		err := s.keeper.exec(ctx, doing, touched(names))
		if err == nil {
			continue
		}
		before := len(closed)
		for _, n := range names { // which was it
			switch own := s.keeper.exec(ctx, doing, touched([]schema.Name{n})); {
			case own == nil:
			case engine.CodeOf(own) == engine.Denied:
				closed = append(closed, n)
			default:
				return named(own, n)
			}
		}
		if len(closed) == before {
			return err
		}
	}
	return unread(closed)
}

// named gives an error the table that it is about, and the meaning that it has
// where that table was there before.
func named(err error, table schema.Name) error {
	var e *engine.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	if out.Table.Table == "" {
		out.Table = table
	}
	switch numberOf(err) {
	case errNoTable, errBadColumn:
		out.Code, out.Say, out.Hint = engine.Changed, "the table or a column of it is gone", "run again"
	case errDenied:
		out.Say, out.Hint = "the user may not read the table", "GRANT SELECT ON "+quoteName(table)
	}
	return &out
}

// schemasOf lists the databases that a structure's tables are in.
func schemasOf(s *schema.Schema) []string {
	var out []string
	for i, t := range s.Tables {
		if i == 0 || t.Name.Schema != s.Tables[i-1].Name.Schema {
			out = append(out, t.Name.Schema)
		}
	}
	return out
}

// Structure is the source's DDL, which cannot change while the snapshot is open.
func (s *snapshot) Structure() engine.Structure {
	return &structure{side: &s.source.side, databases: s.source.covered(schemasOf(s.inv.schema))}
}

// Moment says how the moment was taken, and of which tables it is none.
func (s *snapshot) Moment() string {
	var outside []string
	for _, t := range s.inv.schema.Tables {
		if !s.inv.tables[t.Name].transactional() {
			outside = append(outside, t.Name.String())
		}
	}
	if len(outside) > 0 {
		return s.moment + "; not part of it, because their storage engine knows no moment: " + strings.Join(outside, ", ")
	}
	return s.moment
}

// Close lets go of the tables and the moment. Its error says that they were lost
// before, so that what was read since may not be what it should be.
func (s *snapshot) Close() error {
	s.timer.Stop()
	s.end(errClosed)
	s.watch.Wait() // only then the keeper is idle
	var lost error
	if why := context.Cause(s.life); errors.Is(why, errClosed) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.life), 5*time.Second)
		defer cancel()
		lost = s.alive(ctx)
	}
	s.hangUp()
	return lost
}

func (s *snapshot) hangUp() {
	for _, c := range append(s.readers, s.keeper) {
		if c != nil {
			c.hangUp()
		}
	}
}

// alive fails when the server has ended the keeper's session.
func (s *snapshot) alive(ctx context.Context) error {
	return s.keeper.exec(ctx, "read the source", "DO 0")
}

// expire ends the snapshot for a reason and breaks every connection: also those
// that wait, idle, for a run that hangs elsewhere, because an open moment and
// kept tables weigh on the source. The server is told to stop what runs.
func (s *snapshot) expire(why error) {
	s.end(why)
	for _, c := range append([]*conn{s.keeper}, s.readers...) {
		c.net.cut()
	}
}

// bounded gives a context that ends with the snapshot and then says why.
func (s *snapshot) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(context.Cause(s.life)) })
	return ctx, func() { stop(); cancel(nil) }
}

// because gives the reason for which the snapshot ended in place of the failure
// that a reader met by it. The keeper holds every table, so a reader that waited
// in vain for one stood behind somebody who waits for us: that ends it as well.
func (s *snapshot) because(err error, table schema.Name) error {
	if err == nil {
		return nil
	}
	err = named(err, table)
	if s.life.Err() == nil && numberOf(err) == errLockWait {
		s.expire(gaveWay(table))
	}
	var why *engine.Error
	if s.life.Err() != nil && errors.As(context.Cause(s.life), &why) {
		return why
	}
	return err
}

// reader waits for a session that nobody reads through; release takes it back.
func (s *snapshot) reader(ctx context.Context, doing string) (*conn, error) {
	select {
	case c := <-s.idle:
		if c.broken {
			s.idle <- c
			return nil, &engine.Error{Code: engine.Stopped, Doing: doing, Say: "a session that saw the moment is gone, and no other can see it again", Hint: "run again"}
		}
		return c, nil
	case <-ctx.Done():
		return nil, wrap(ctx, ctx.Err(), doing)
	}
}

func (s *snapshot) release(c *conn) { s.idle <- c }

// facts gives what reading needs of a table, and refuses columns that are not there.
func (s *snapshot) facts(doing string, t *schema.Table) (*tableFacts, error) {
	f := s.inv.tables[t.Name]
	if f == nil {
		return nil, &engine.Error{Code: engine.Failed, Doing: doing, Table: t.Name, Say: "the table is not in the snapshot"}
	}
	return f, nil
}
