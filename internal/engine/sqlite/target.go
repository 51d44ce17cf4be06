package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// target is a file that is replaced as a whole.
type target struct {
	side
	held *lock // for a load that has not begun; side.mu guards it
}

var _ engine.Holder = (*target)(nil)

// Hold takes the target's lock.
func (t *target) Hold(context.Context, string) error {
	held, err := take(t.path)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = held
	return nil
}

// lock gives the target's lock: the one that is held already, or a new one.
func (t *target) lock() (*lock, error) {
	t.mu.Lock()
	held := t.held
	t.held = nil
	t.mu.Unlock()
	if held != nil {
		return held, nil
	}
	return take(t.path)
}

// Close lets go of a lock that no load has taken over.
func (t *target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held.free()
	return nil
}

// manifestTable is the marker of a claimed target; its only row tells the generation.
const manifestTable = "understudy_manifest"

// mark is what the manifest table holds. A file is known by its path, links
// resolved: under another one it is a copy, or was moved.
type mark struct {
	generation string
	made       time.Time
	manifest   []byte
	path       string
}

// readMark reads the marker; nil if the database bears none.
func readMark(ctx context.Context, c *conn) (*mark, error) {
	n, err := c.integer(ctx, "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name=?", manifestTable)
	if err != nil || n == 0 {
		return nil, err
	}
	var out *mark
	err = c.each(ctx, "SELECT * FROM "+manifestTable, nil, func(row []driver.Value) error {
		made, _ := time.Parse(time.RFC3339Nano, str(row[1])) // the zero time if somebody changed it
		out = &mark{generation: str(row[0]), made: made}
		if row[2] != nil {
			out.manifest = []byte(str(row[2]))
		}
		if len(row) > 3 {
			out.path = str(row[3])
		}
		return nil
	})
	return out, err
}

// writeMark marks a database as ours.
func writeMark(ctx context.Context, c *conn, m mark) error {
	statements := []string{
		"DROP TABLE IF EXISTS " + manifestTable,
		"CREATE TABLE " + manifestTable + " (generation TEXT NOT NULL PRIMARY KEY, made TEXT NOT NULL, manifest BLOB, path TEXT) WITHOUT ROWID",
	}
	for _, s := range statements {
		if err := c.exec(ctx, s); err != nil {
			return err
		}
	}
	var manifest any
	if m.manifest != nil {
		manifest = m.manifest
	}
	return c.exec(ctx, "INSERT INTO "+manifestTable+" VALUES (?, ?, ?, ?)", m.generation, m.made.UTC().Format(time.RFC3339Nano), manifest, m.path)
}

// files lists our files of one sort beside the target, by what follows the sort in their names.
func (t *target) files(sort string) (map[string]string, error) {
	dir, prefix := filepath.Split(beside(t.path, sort+"-"))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fileError("read the target's directory", err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), prefix); ok && e.Type().IsRegular() {
			out[id] = filepath.Join(dir, e.Name())
		}
	}
	return out, nil
}

// sideFile tells whether a name is that of a journal or its kin.
func sideFile(id string) bool {
	for _, s := range []string{"-journal", "-wal", "-shm"} {
		if strings.HasSuffix(id, s) {
			return true
		}
	}
	return false
}

// State tells what stands in the file and beside it.
func (t *target) State(ctx context.Context) (*engine.State, error) {
	s := &engine.State{Mechanism: "all pages copied into the file in one transaction"}
	var present *mark
	err := t.with(ctx, func(ctx context.Context, c *conn) (err error) {
		if present, err = readMark(ctx, c); err != nil {
			return err
		}
		s.Rows, err = filled(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	if present != nil {
		s.Claimed, s.Manifest = present.path == t.path, present.manifest
		if !s.Claimed {
			s.CopyOf = present.path
		}
		s.Generations = append(s.Generations, engine.Generation{ID: present.generation, Made: present.made, Present: true})
	}
	kept, err := t.kept(ctx, present)
	if err != nil {
		return nil, err
	}
	s.Generations = append(s.Generations, kept...)
	if err := t.leftovers(s, present); err != nil {
		return nil, err
	}
	s.Obstacles, s.Shortage = t.obstacles(), t.shortage(false)
	if _, err := os.Stat(t.path); os.IsNotExist(err) {
		s.Notes = append(s.Notes, "there is no file "+t.path+" yet: a refresh makes it")
	}
	return s, nil
}

// filled lists the tables that hold any row.
func filled(ctx context.Context, c *conn) ([]schema.Name, error) {
	found, err := inspect(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	var out []schema.Name
	for _, t := range found.schema.Tables {
		n, err := c.integer(ctx, "SELECT count(*) FROM (SELECT 1 FROM main."+quote(t.Name.Table)+" LIMIT 1)")
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out = append(out, t.Name)
		}
	}
	return out, nil
}

// kept lists the generations in files beside the target, the one put away last
// first: after a rollback that is not the one made last. One that is still the
// present one was left by a run that died before its switch.
func (t *target) kept(ctx context.Context, present *mark) ([]engine.Generation, error) {
	files, err := t.files("prev")
	if err != nil {
		return nil, err
	}
	var out []engine.Generation
	away := map[string]time.Time{} // when each was put away, which is when its file was written
	for id, path := range files {
		if sideFile(id) || present != nil && id == present.generation {
			continue
		}
		m, err := t.markOf(ctx, path)
		if ctx.Err() != nil {
			return nil, wrap(ctx.Err(), "look at the kept generations")
		}
		if err != nil || m == nil {
			continue // not one of ours, or damaged: it cannot be put back
		}
		if info, err := os.Stat(path); err == nil {
			away[m.generation] = info.ModTime()
		}
		out = append(out, engine.Generation{ID: m.generation, Made: m.made})
	}
	slices.SortFunc(out, func(a, b engine.Generation) int {
		return cmp.Or(away[b.ID].Compare(away[a.ID]), b.Made.Compare(a.Made), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (t *target) markOf(ctx context.Context, path string) (*mark, error) {
	c, err := t.product.open(ctx, path, readOnly, t.limits.LockWait)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return readMark(ctx, c)
}

// leftovers tells what a dead run left. While another run lives, its files are not leftovers.
func (t *target) leftovers(s *engine.State, present *mark) error {
	busy, err := held(t.path)
	if err != nil {
		return err
	}
	if busy {
		s.Busy = "another run holds the target"
		return nil
	}
	next, err := t.files("next")
	if err != nil {
		return err
	}
	part, err := t.files("part")
	if err != nil {
		return err
	}
	for id, path := range next {
		if present != nil && id == present.generation {
			s.Switched = id
		}
		s.Leftovers = append(s.Leftovers, "unfinished generation "+filepath.Base(path))
	}
	for _, path := range part {
		s.Leftovers = append(s.Leftovers, "unfinished copy "+filepath.Base(path))
	}
	slices.Sort(s.Leftovers)
	return nil
}

// obstacles tells why a generation could not be built here.
func (t *target) obstacles() []string {
	var out []string
	const writable = 2 // W_OK
	dir := filepath.Dir(t.path)
	if syscall.Access(dir, writable) != nil {
		out = append(out, "the target's directory is not writable, but the next generation is built there: chmod u+w it, or run as its owner")
	}
	if _, err := os.Stat(t.path); err == nil && syscall.Access(t.path, writable) != nil {
		out = append(out, "the target file is not writable: chmod u+w it, or run as its owner")
	}
	return out
}

// shortage tells that the target's disk cannot hold what stands beside the target
// at the switch: the next generation, the journal of its pages and, if one is
// kept, a copy of the present one, each taken to be as large as the target. What
// dead runs left is cleared before.
func (t *target) shortage(keep bool) string {
	info, err := os.Stat(t.path)
	var fs syscall.Statfs_t
	if err != nil || syscall.Statfs(filepath.Dir(t.path), &fs) != nil {
		return ""
	}
	free := int64(fs.Bavail) * int64(fs.Bsize)
	for _, sort := range []string{"next", "part"} {
		files, err := t.files(sort)
		if err != nil {
			return ""
		}
		for _, path := range files {
			if left, err := os.Stat(path); err == nil {
				free += left.Size()
			}
		}
	}
	return tooLittle(info.Size(), free, keep)
}

func tooLittle(size, free int64, keep bool) string {
	if keep && free < 3*size {
		return "the target's disk has less room than three times the target's size: free some, because the next generation, the journal of the switch and the kept generation stand beside it"
	}
	if free < 2*size {
		return "the target's disk has less room than twice the target's size: free some, because the next generation and the journal of the switch stand beside it"
	}
	return ""
}

// clear removes what dead runs left. The caller holds the lock.
func (t *target) clear(present *mark) error {
	for _, sort := range []string{"next", "part"} {
		files, err := t.files(sort)
		if err != nil {
			return err
		}
		for _, path := range files {
			if err := os.Remove(path); err != nil {
				return fileError("remove what a dead run left", err)
			}
		}
	}
	if present != nil {
		return removeDatabase(beside(t.path, "prev-"+present.generation))
	}
	return nil
}

// removeDatabase removes a file of ours with its journals. It is never called for the target.
func removeDatabase(path string) error {
	for _, s := range []string{"-journal", "-wal", "-shm", ""} {
		if err := os.Remove(path + s); err != nil && !os.IsNotExist(err) {
			return fileError("remove "+filepath.Base(path), err)
		}
	}
	return nil
}

// Count counts rows and NULLs of a table of the target.
func (t *target) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	err = t.with(ctx, func(ctx context.Context, c *conn) (err error) {
		rows, nulls, err = count(ctx, c, table, columns)
		return err
	})
	return rows, nulls, err
}

// Prove asks the target itself.
func (t *target) Prove(ctx context.Context, schemas []string) ([]engine.Proof, error) {
	var out []engine.Proof
	err := t.withMode(ctx, t.mode|lax, func(ctx context.Context, c *conn) (err error) {
		out, err = prove(ctx, c, schemas, nil)
		return err
	})
	return out, err
}
