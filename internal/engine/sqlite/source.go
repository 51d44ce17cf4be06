package sqlite

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// source is a file that is only read.
type source struct{ side }

// Snapshot opens as many connections as readers are allowed and takes one
// moment for all of them: another connection watches, by PRAGMA data_version,
// that nobody committed between the first and the last beginning. If writers
// are too quick for that, one reader remains. The structure cannot change
// within a moment, so no lock on it is needed.
func (s *source) Snapshot(ctx context.Context, want *schema.Schema) (engine.Snapshot, error) {
	conns, err := s.moment(ctx)
	if err != nil {
		return nil, err
	}
	snap := newSnapshot(s, conns)
	first := conns[0]
	if snap.found, err = inspect(ctx, first, nil); err == nil {
		err = same(want, &snap.found.schema)
	}
	if err == nil {
		snap.structure, err = readStructure(ctx, first)
	}
	if err == nil {
		err = s.withMode(ctx, s.mode|lax, func(ctx context.Context, c *conn) error {
			snap.structure.broken, err = brokenViews(ctx, c)
			return err
		})
	}
	if err != nil {
		_ = snap.Close() // the reading failed already
		return nil, err
	}
	return snap, nil
}

// moment gives connections in read transactions that see one moment.
func (s *source) moment(ctx context.Context) ([]*conn, error) {
	const tries = 8
	readers := s.limits.Readers
	for n := 0; ; n++ {
		if n == tries {
			readers = 1
		}
		conns, whole, err := s.begin(ctx, readers)
		if err != nil || whole {
			return conns, err
		}
		closeAll(conns)
	}
}

// begin starts a read transaction on each connection; whole tells that nobody committed meanwhile.
func (s *source) begin(ctx context.Context, readers int) (conns []*conn, whole bool, err error) {
	defer func() {
		if err != nil {
			closeAll(conns)
			conns = nil
		}
	}()
	watch, err := s.product.open(ctx, s.path, readOnly, s.limits.LockWait)
	if err != nil {
		return nil, false, err
	}
	defer watch.close()
	before, err := watch.integer(ctx, "PRAGMA data_version")
	if err != nil {
		return nil, false, err
	}
	for range readers {
		c, err := s.product.open(ctx, s.path, readOnly, s.limits.LockWait)
		if err != nil {
			return conns, false, err
		}
		conns = append(conns, c)
		if err := checkReadOnly(ctx, c); err != nil {
			return conns, false, err
		}
		// A deferred transaction takes its moment with the first read.
		if err := c.exec(ctx, "BEGIN"); err != nil {
			return conns, false, err
		}
		if err := c.each(ctx, "SELECT count(*) FROM sqlite_schema", nil, discard); err != nil {
			return conns, false, err
		}
	}
	after, err := watch.integer(ctx, "PRAGMA data_version")
	return conns, readers == 1 || before == after, err
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}

// same compares two structures, estimates aside, and names the first table that differs.
func same(want, got *schema.Schema) error {
	changed := func(table schema.Name, say string) error {
		return &engine.Error{Code: engine.Changed, Doing: "take a moment of the source", Table: table, Say: say,
			Hint: "the structure changed since it was inspected: run again"}
	}
	for i := range want.Tables {
		a := want.Tables[i]
		b := got.Table(a.Name)
		if b == nil {
			return changed(a.Name, "the table is gone")
		}
		c := *b
		a.Rows, a.Bytes, c.Rows, c.Bytes = 0, 0, 0, 0
		if !reflect.DeepEqual(a, c) {
			return changed(a.Name, "its structure changed")
		}
	}
	for _, t := range got.Tables {
		if want.Table(t.Name) == nil {
			return changed(t.Name, "the table is new")
		}
	}
	if fmt.Sprint(databaseReferences(want)) != fmt.Sprint(databaseReferences(got)) {
		return changed(schema.Name{}, "the foreign keys changed")
	}
	return nil
}

// databaseReferences gives the references that the database declares; the job
// may have added others.
func databaseReferences(s *schema.Schema) []string {
	var out []string
	for _, r := range s.References {
		if !r.Declared {
			out = append(out, r.Name+" "+r.String())
		}
	}
	return out
}

// structure is a database's whole DDL and the settings that stand in the file's header.
type structure struct {
	pageSize, autoVacuum, userVersion, applicationID int64
	encoding                                         string
	objects                                          []object
	virtual, shadow                                  map[string]bool
	broken                                           map[string]string // views that do not compile, and why
	settings                                         []setting         // of full-text tables
	counters                                         []counter
}

// Describe says in a few words what it is.
func (s *structure) Describe() string {
	counts := map[string]int{}
	for _, o := range s.objects {
		counts[o.kind]++
	}
	return fmt.Sprintf("the source's schema table: %d tables, %d indexes, %d views, %d triggers", counts["table"], counts["index"], counts["view"], counts["trigger"])
}

func readStructure(ctx context.Context, c *conn) (*structure, error) {
	s := &structure{virtual: map[string]bool{}, shadow: map[string]bool{}}
	for name, to := range map[string]*int64{"page_size": &s.pageSize, "auto_vacuum": &s.autoVacuum, "user_version": &s.userVersion, "application_id": &s.applicationID} {
		n, err := c.integer(ctx, "PRAGMA "+name)
		if err != nil {
			return nil, err
		}
		*to = n
	}
	var err error
	if s.encoding, err = c.text(ctx, "PRAGMA encoding"); err != nil {
		return nil, err
	}
	if s.objects, err = readObjects(ctx, c); err != nil {
		return nil, err
	}
	if s.settings, err = fullTextSettings(ctx, c, s.objects); err != nil {
		return nil, err
	}
	if s.counters, err = readCounters(ctx, c, s.objects); err != nil {
		return nil, err
	}
	kinds, err := tableKinds(ctx, c)
	for name, k := range kinds {
		s.virtual[name], s.shadow[name] = k == "virtual", k == "shadow"
	}
	return s, err
}

// hasTables tells whether there is any table.
func (s *structure) hasTables() bool {
	for _, o := range s.objects {
		if o.kind == "table" {
			return true
		}
	}
	return false
}

// nowLiteral writes the run's instant as SQLite writes times.
func nowLiteral(at time.Time) string {
	return literal(strings.TrimSuffix(at.UTC().Format("2006-01-02 15:04:05.000"), ".000"))
}

// leavesNothing refuses a database in WAL mode that nobody has open and that another
// user owns: SQLite would make the files that its readers share as ours, they would
// stay, and the owner's application could not write any more.
func leavesNothing(path string) error {
	info, err := os.Stat(path)
	if err != nil || !foreign(info) {
		return nil // what cannot be seen is told where it is opened
	}
	if _, err := os.Stat(path + "-shm"); err == nil {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, 20)
	if _, err := io.ReadFull(f, head); err != nil || head[18] != 2 && head[19] != 2 { // the format for writing and reading: 2 is WAL (sqlite.org/fileformat.html, section 1.3)
		return nil
	}
	return &engine.Error{Code: engine.Denied, Doing: "open " + filepath.Base(path), Say: "it is in WAL mode, belongs to another user, and no application has it open: reading it would leave files beside it that its owner cannot write",
		Hint: "run as the file's owner, or while its application is connected, or read a copy: sqlite3 FILE '.backup COPY'"}
}
