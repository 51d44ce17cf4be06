// Package sqlite is the engine for SQLite files. A source is read through
// read-only connections that share one moment; a target is replaced by building
// the next generation in a file beside it and copying all its pages into the
// target in one transaction (the backup interface), so that applications that
// hold the target open go on. TYPES.md says how values are carried.
package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"

	driver "modernc.org/sqlite"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/secret"
)

// mainSchema is the only schema of a file.
const mainSchema = "main"

type product struct{ driver *driver.Driver }

// New gives the engine. It holds nothing open and may be used by all goroutines.
func New() engine.Engine { return &product{driver: &driver.Driver{}} }

// Parse reads sqlite:path, where path is relative to the working directory or
// absolute, with %HH for bytes that have a meaning in URLs.
func (p *product) Parse(url secret.Text) (engine.Address, error) { return parse(url.Reveal()) }

// Source opens a file that exists. Nothing is written to it; SQLite itself may
// make the -shm file that readers of a WAL database share.
func (p *product) Source(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Source, error) {
	a, err := p.address(at, "open the source")
	if err != nil {
		return nil, err
	}
	path, err := existing(a.path)
	if err != nil {
		return nil, err
	}
	if err := leavesNothing(path); err != nil {
		return nil, err
	}
	s := &source{side: side{product: p, path: path, mode: readOnly, limits: limits.WithDefaults()}}
	if err := s.with(ctx, checkReadOnly); err != nil {
		return nil, err
	}
	return s, nil
}

// Target opens a file to replace, which need not exist yet: then it is empty.
func (p *product) Target(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Target, error) {
	a, err := p.address(at, "open the target")
	if err != nil {
		return nil, err
	}
	path, err := resolve(a.path)
	if err != nil {
		return nil, err
	}
	t := &target{side: side{product: p, path: path, mode: queryOnly, limits: limits.WithDefaults()}}
	return t, t.with(ctx, func(ctx context.Context, c *conn) error {
		return c.each(ctx, "SELECT count(*) FROM sqlite_schema", nil, discard)
	})
}

// Apart compares the files themselves, whatever their paths say.
func (p *product) Apart(_ context.Context, from engine.Source, to engine.Target) (engine.Distance, error) {
	s, ok := from.(*source)
	t, ok2 := to.(*target)
	if !ok || !ok2 {
		return engine.Distance{}, &engine.Error{Code: engine.Failed, Doing: "compare source and target", Say: "they were not opened by this engine"}
	}
	if s.path == t.path {
		return engine.Distance{Same: true, Why: "both paths lead to one file"}, nil
	}
	a, errA := os.Stat(s.path)
	b, errB := os.Stat(t.path)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return engine.Distance{Same: true, Why: "both paths are names of one file (same device and inode)"}, nil
	}
	return engine.Distance{Why: "they are different files"}, nil
}

func (p *product) address(at engine.Address, doing string) (*address, error) {
	a, ok := at.(*address)
	if !ok {
		return nil, &engine.Error{Code: engine.Failed, Doing: doing, Say: "the address is not one of this engine"}
	}
	return a, nil
}

// existing gives the real path of a regular file.
func existing(path string) (string, error) {
	real, err := resolve(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", fileError("open "+path, err)
	}
	if !info.Mode().IsRegular() {
		return "", &engine.Error{Code: engine.Unreachable, Doing: "open " + path, Say: "it is not a regular file", Hint: "the URL must be that of the database file itself"}
	}
	return real, nil
}

// resolve follows symbolic links, so that one file has one path; the last part need not exist.
func resolve(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fileError("open "+path, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err == nil {
		return real, nil
	}
	if !os.IsNotExist(err) {
		return "", fileError("open "+path, err)
	}
	if to, linkErr := os.Readlink(abs); linkErr == nil { // a link whose end does not exist yet
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(abs), to)
		}
		return resolve(to)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if os.IsNotExist(err) {
		return "", &engine.Error{Code: engine.Unreachable, Doing: "open " + path, Err: err, Say: "there is no directory " + filepath.Dir(abs),
			Hint: "correct the path, or make the directory; a relative path of a URL counts from the directory that understudy is called in"}
	}
	if err != nil {
		return "", fileError("open "+path, err)
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}

// side is what source and target have in common: a file, opened for each question anew.
type side struct {
	product *product
	path    string
	mode    mode
	limits  engine.Limits

	mu     sync.Mutex
	shapes map[string]*shape // of the last trial
	asOf   int64             // the schema's version then
}

// with opens the file for the time of f. A file that does not exist or is empty
// is an empty database.
func (s *side) with(ctx context.Context, f func(context.Context, *conn) error) error {
	return s.withMode(ctx, s.mode, f)
}

func (s *side) withMode(ctx context.Context, m mode, f func(context.Context, *conn) error) error {
	path := s.path
	if s.mode != readOnly && absent(path) {
		path = ""
	}
	c, err := s.product.open(ctx, path, m, s.limits.LockWait)
	if err != nil {
		return err
	}
	defer c.close()
	ctx, cancel := context.WithTimeout(ctx, s.limits.Statement)
	defer cancel()
	return f(ctx, c)
}

// absent tells that there is no database at path yet. It never opens the file:
// closing it again would drop the locks that SQLite holds on it in this process.
func absent(path string) bool {
	info, err := os.Stat(path)
	return err != nil && os.IsNotExist(err) || err == nil && info.Size() == 0
}

// Inspect reads the structure, and notes what is amiss with it.
func (s *side) Inspect(ctx context.Context, schemas []string) (*schema.Schema, error) {
	var out *schema.Schema
	err := s.withMode(ctx, s.mode|lax, func(ctx context.Context, c *conn) error {
		found, err := inspect(ctx, c, schemas)
		if err != nil {
			return err
		}
		out = &found.schema
		if len(schemas) > 0 && !slices.Contains(schemas, mainSchema) {
			return nil
		}
		out.Notes, err = s.product.notes(ctx, c, found)
		out.Sort()
		return err
	})
	return out, err
}

// Catalog reads what parity compares.
func (s *side) Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error) {
	var out *catalog.Catalog
	err := s.with(ctx, func(ctx context.Context, c *conn) (err error) {
		out, err = s.readCatalog(ctx, c, schemas)
		return err
	})
	return out, err
}

// Close does nothing: no session outlives a call.
func (s *side) Close() error { return nil }
