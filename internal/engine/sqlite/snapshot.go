package sqlite

import (
	"context"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// snapshot is one moment of a file, held by one or more connections. A Find or
// Read holds one of them until its iteration ends; more wait.
type snapshot struct {
	source    *source
	all       []*conn
	idle      chan *conn
	found     *inspection
	structure *structure
	taken     time.Time
	numbers   numbers
	batches   sync.Pool
	mu        sync.Mutex
	clocks    map[string]clock // by table and column
}

func newSnapshot(s *source, conns []*conn) *snapshot {
	snap := &snapshot{source: s, clocks: map[string]clock{}, all: conns, idle: make(chan *conn, len(conns)), taken: time.Now()}
	for _, c := range conns {
		snap.idle <- c
	}
	snap.numbers.tables = map[schema.Name]*numbering{}
	return snap
}

// Structure is the source's DDL.
func (s *snapshot) Structure() engine.Structure { return s.structure }

// counter gives the counter of a table for the table that takes its rows, if it has one.
func (s *snapshot) counter(table, as string) []counter {
	for _, x := range s.structure.counters {
		if x.table == table {
			return []counter{{as, x.last}}
		}
	}
	return nil
}

// Close ends the moment.
func (s *snapshot) Close() error {
	closeAll(s.all)
	return nil
}

// acquire waits for a connection that nobody reads through.
func (s *snapshot) acquire(ctx context.Context, doing string) (*conn, error) {
	if err := s.old(doing); err != nil {
		return nil, err
	}
	select {
	case c := <-s.idle:
		c.doing = doing
		return c, nil
	case <-ctx.Done():
		return nil, wrap(ctx.Err(), doing)
	}
}

func (s *snapshot) release(c *conn) { s.idle <- c }

// old fails when the moment has been held for longer than the source can bear:
// writers of a rollback-journal file wait for it, and a WAL file grows.
func (s *snapshot) old(doing string) error {
	if time.Since(s.taken) <= s.source.limits.SnapshotAge {
		return nil
	}
	return &engine.Error{Code: engine.Timeout, Doing: doing, Say: "the source's moment is older than limits.snapshot_age", Hint: "raise limits.snapshot_age, or take fewer rows"}
}

// shapeOf finds what reading a table needs; identified tells that its rows must be told apart.
func (s *snapshot) shapeOf(doing string, t *schema.Table, identified bool) (*shape, error) {
	sh := s.found.shapes[t.Name.Table]
	if sh == nil || t.Name.Schema != mainSchema {
		return nil, &engine.Error{Code: engine.Changed, Doing: doing, Table: t.Name, Say: "there is no such table in the source"}
	}
	if identified && sh.rowid == "" && len(sh.primary) == 0 {
		return nil, &engine.Error{Code: engine.Unsupported, Doing: doing, Table: t.Name, Say: "its columns hide every name of the row number, and it has no integer primary key",
			Hint: "copy the table whole or not at all (`subset: {tables: {NAME: all}}`, or none), rename one of its columns rowid, oid and _rowid_, or make one of them its INTEGER PRIMARY KEY"}
	}
	return sh, nil
}

// numbers gives rows of WITHOUT ROWID tables dense numbers, in the order in
// which they are met, because their primary keys are what identifies them.
type numbers struct {
	mu     sync.Mutex
	tables map[schema.Name]*numbering
}

type numbering struct {
	ids  map[string]engine.RowID
	keys []string // encoded as rows are
}

// number gives the number of a key, encoded as rows are.
func (n *numbers) number(table schema.Name, key []byte) engine.RowID {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tables[table]
	if t == nil {
		t = &numbering{ids: map[string]engine.RowID{}}
		n.tables[table] = t
	}
	if id, ok := t.ids[string(key)]; ok {
		return id
	}
	text := string(key)
	id := engine.RowID(len(t.keys))
	t.ids[text] = id
	t.keys = append(t.keys, text)
	return id
}

// key gives the encoded key of a number.
func (n *numbers) key(table schema.Name, id engine.RowID) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.tables[table]
	if t == nil || id >= engine.RowID(len(t.keys)) {
		return "", false
	}
	return t.keys[id], true
}
