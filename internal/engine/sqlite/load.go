package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// load builds the next generation in a file beside the target. SQLite takes
// one writer: parallel Writes share the connection, insert by insert.
type load struct {
	target    *target
	lock      *lock
	spec      engine.Spec
	path      string
	made      time.Time
	structure *structure
	shapes    map[string]*shape
	mu        sync.Mutex
	conn      *conn
	carried   []carried // what stood in the preserved tables when they were copied
	counters  []counter // of the structure, but of tables that are read from a source the source's
}

// carried is a preserved table as it was copied.
type carried struct {
	table   schema.Name
	columns []string
	print   string
}

// Begin locks the target, clears what dead runs left and makes the next
// generation's file with its tables and the rows of preserved ones.
func (t *target) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	if !plainID(spec.RunID) {
		return nil, &engine.Error{Code: engine.Failed, Doing: "begin a generation", Say: "the run's id must be made of letters, digits, - and _"}
	}
	held, err := t.lock()
	if err != nil {
		return nil, err
	}
	l := &load{target: t, lock: held, spec: spec, path: beside(t.path, "next-"+spec.RunID), made: time.Now()}
	if err := l.begin(ctx); err != nil {
		_ = l.Abort(ctx) // the first error says more
		return nil, err
	}
	return l, nil
}

func plainID(id string) bool {
	for _, r := range id {
		if !(r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return false
		}
	}
	return id != "" && len(id) <= 100
}

func (l *load) begin(ctx context.Context) error {
	var present *mark
	err := l.target.withMode(ctx, l.target.mode|lax, func(ctx context.Context, c *conn) (err error) {
		if present, err = readMark(ctx, c); err != nil {
			return err
		}
		if l.structure, err = readStructure(ctx, c); err == nil {
			l.structure.broken, err = brokenViews(ctx, c)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := l.target.clear(present); err != nil {
		return err
	}
	if say := l.target.shortage(l.spec.Keep > 0); say != "" {
		return &engine.Error{Code: engine.Full, Doing: "begin a generation", Say: say, Hint: "free some space, or keep no generation (`load: {keep: 0}`)"}
	}
	if s, ok := l.spec.Structure.(*structure); ok && s != nil {
		header := *s
		if l.structure.hasTables() { // pages of another size cannot be copied into a file that is in use
			header.pageSize = l.structure.pageSize
		}
		l.structure = &header
	} else if l.spec.Structure != nil {
		return &engine.Error{Code: engine.Unsupported, Doing: "begin a generation", Say: "the structure is another engine's"}
	}
	if !absent(l.target.path) {
		size, err := l.target.pageSize(ctx)
		if err != nil {
			return err
		}
		l.structure.pageSize = size
	}
	l.counters = slices.Clone(l.structure.counters)
	l.spec.Step("make the tables")
	if err := l.create(ctx); err != nil {
		return err
	}
	return l.preserve(ctx)
}

func (t *target) pageSize(ctx context.Context) (size int64, err error) {
	err = t.with(ctx, func(ctx context.Context, c *conn) error {
		size, err = c.integer(ctx, "PRAGMA page_size")
		return err
	})
	return size, err
}

// create makes the file. It needs no journal: a run that dies leaves a file
// that the next one removes.
func (l *load) create(ctx context.Context) (err error) {
	if l.conn, err = l.target.product.open(ctx, l.path, readWrite, l.target.limits.LockWait); err != nil {
		return err
	}
	if err := os.Chmod(l.path, 0o600); err != nil {
		return fileError("make the next generation's file", err)
	}
	l.conn.doing = "make the tables of the next generation"
	s := l.structure
	statements := []string{
		fmt.Sprintf("PRAGMA page_size=%d", s.pageSize),
		"PRAGMA encoding=" + literal(s.encoding),
		fmt.Sprintf("PRAGMA auto_vacuum=%d", s.autoVacuum),
		"PRAGMA main.journal_mode=OFF", "PRAGMA main.synchronous=OFF", "PRAGMA main.locking_mode=EXCLUSIVE", // not the file that is attached later
		"PRAGMA foreign_keys=OFF", "PRAGMA cache_size=-65536", "BEGIN",
	}
	for _, sql := range statements {
		if err := l.conn.exec(ctx, sql); err != nil {
			return err
		}
	}
	for _, o := range s.objects {
		if o.kind != "table" || s.shadow[o.name] || s.virtual[o.name] {
			continue
		}
		if err := l.conn.exec(ctx, o.sql); err != nil {
			return lacking(wrapTable(err, l.conn.doing, schema.Name{Schema: mainSchema, Table: o.name}, nil), err)
		}
	}
	for _, o := range s.objects { // virtual tables may need ordinary ones
		if s.virtual[o.name] {
			if err := l.conn.exec(ctx, o.sql); err != nil {
				return unsupported(l.conn.doing, schema.Name{Schema: mainSchema, Table: o.name}, "this program's SQLite lacks the module of the virtual table")
			}
		}
	}
	for _, f := range s.settings {
		l.conn.doing = "set " + f.key + " of the full-text table " + schema.Ident(f.table)
		if err := l.conn.exec(ctx, "INSERT INTO main."+quote(f.table)+" ("+quote(f.table)+", rank) VALUES (?, ?)", f.key, f.value); err != nil {
			return wrapTable(err, l.conn.doing, schema.Name{Schema: mainSchema, Table: f.table}, nil)
		}
	}
	found, err := inspect(ctx, l.conn, nil)
	if err == nil {
		l.shapes = found.shapes
	}
	return err
}

// preserve carries rows of the present generation over, file to file: the
// columns that both have, by name.
func (l *load) preserve(ctx context.Context) error {
	if len(l.spec.Preserve) == 0 {
		return nil
	}
	if absent(l.target.path) {
		return unsupported("preserve rows", l.spec.Preserve[0], "the target does not exist yet, so it has no rows to preserve")
	}
	var present *inspection
	err := l.target.with(ctx, func(ctx context.Context, c *conn) (err error) {
		present, err = inspect(ctx, c, nil)
		return err
	})
	if err != nil {
		return err
	}
	// A transaction cannot be open while a file is attached.
	if err := l.conn.exec(ctx, "COMMIT"); err != nil {
		return err
	}
	l.conn.doing = "open the present generation"
	if err := l.conn.exec(ctx, "ATTACH DATABASE ? AS present", strings.TrimSuffix(dsn(l.target.path, readOnly), "&_dqs=0")); err != nil {
		return err
	}
	if err := l.conn.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	for _, name := range l.spec.Preserve {
		if err := l.preserveTable(ctx, present, name); err != nil {
			return err
		}
	}
	for _, sql := range []string{"COMMIT", "DETACH DATABASE present", "BEGIN"} {
		if err := l.conn.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) preserveTable(ctx context.Context, present *inspection, name schema.Name) error {
	l.spec.Step("preserve " + name.String())
	l.conn.doing = "preserve " + name.String()
	from, to := present.schema.Table(name), l.shapes[name.Table]
	if from == nil || to == nil {
		return unsupported(l.conn.doing, name, "the table must exist in the target and in the new generation")
	}
	var columns []string
	for _, c := range from.Written() {
		if _, ok := to.columns[c]; ok {
			columns = append(columns, c)
		}
	}
	table := quote(name.Table)
	err := l.conn.exec(ctx, "INSERT OR ABORT INTO main."+table+" ("+quotes(columns)+") SELECT "+quotes(columns)+" FROM present."+table)
	if err != nil {
		return wrapTable(err, l.conn.doing, name, to)
	}
	n, err := l.conn.integer(ctx, "SELECT (SELECT count(*) FROM main."+table+") - (SELECT count(*) FROM present."+table+")")
	if err == nil && n != 0 {
		err = &engine.Error{Code: engine.Failed, Doing: l.conn.doing, Table: name, Say: "the number of rows differs from the target's"}
	}
	if err != nil {
		return err
	}
	was := carried{table: name, columns: columns}
	if was.print, err = fingerprint(ctx, l.conn, "present", was); err != nil {
		return err
	}
	l.carried = append(l.carried, was)
	return nil
}

// fingerprint sums up the rows of a table, whatever their order.
func fingerprint(ctx context.Context, c *conn, database string, t carried) (string, error) {
	list := make([]string, len(t.columns))
	for i, name := range t.columns {
		list[i] = "+" + quote(name) // the plus hides the declared type from the driver
	}
	var rows, sum uint64
	var row []byte
	err := c.each(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+database+"."+quote(t.table.Table), nil, func(values []driver.Value) error {
		row = row[:0]
		for _, v := range values {
			row = appendValue(row, v)
		}
		digest := sha256.Sum256(row)
		rows++
		sum += binary.LittleEndian.Uint64(digest[:8])
		return nil
	})
	return fmt.Sprintf("%d:%x", rows, sum), err
}

// carriedAsIs makes sure that nobody wrote to the preserved tables since their
// rows were copied: what was written would stay in the generation that is put
// away. Only the moment between this look and the switch is left.
func (l *load) carriedAsIs(ctx context.Context) error {
	if len(l.carried) == 0 {
		return nil
	}
	return l.target.with(ctx, func(ctx context.Context, c *conn) error {
		for _, was := range l.carried {
			c.doing = "look at " + was.table.String() + " again"
			now, err := fingerprint(ctx, c, "main", was)
			if err != nil {
				return err
			}
			if now != was.print {
				return engine.LateWrite(was.table)
			}
		}
		return nil
	})
}

// Write loads rows: as many per statement as it has parameters, at most 64. ABORT
// overrides what the table's constraints say ON CONFLICT: no row may be dropped,
// or take another's place, without a word.
func (l *load) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (int64, error) {
	doing := "load " + table.String()
	shape := l.shapes[table.Table]
	if shape == nil || table.Schema != mainSchema {
		return 0, &engine.Error{Code: engine.Changed, Doing: doing, Table: table, Say: "the new generation has no such table"}
	}
	for _, c := range columns {
		if _, ok := shape.columns[c]; !ok {
			return 0, &engine.Error{Code: engine.Changed, Doing: doing, Table: table, Column: c, Say: "the new generation has no such column"}
		}
	}
	w := writer{load: l, table: table, shape: shape, columns: columns, doing: doing, per: max(1, min(64, parameters/max(1, len(columns))))}
	defer w.close()
	for batch, err := range rows {
		if err != nil {
			return w.sent, err
		}
		err = w.write(ctx, batch)
		batch.Release()
		if err != nil {
			return w.sent, wrapTable(err, doing, table, shape)
		}
	}
	return w.sent, nil
}

// writer carries out one Write.
type writer struct {
	load    *load
	table   schema.Name
	shape   *shape
	columns []string
	doing   string
	per     int
	many    driver.Stmt
	args    []driver.NamedValue
	sent    int64
}

// write takes the rows of a batch; what does not fill a statement waits for more.
func (w *writer) write(ctx context.Context, b *engine.Batch) error {
	raw := b.Raw
	for range b.Rows {
		if len(w.columns) == 0 {
			if err := w.insertEmpty(ctx); err != nil {
				return err
			}
			continue
		}
		for range w.columns {
			var v driver.Value
			v, raw = decode(raw)
			w.args = append(w.args, driver.NamedValue{Ordinal: len(w.args) + 1, Value: v})
		}
		if len(w.args) == w.per*len(w.columns) {
			if err := w.insert(ctx, w.per); err != nil {
				return err
			}
		}
	}
	// Blobs alias the batch, which is released now.
	return w.insert(ctx, len(w.args)/max(1, len(w.columns)))
}

func (w *writer) insertEmpty(ctx context.Context) error {
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	if err := w.load.open(); err != nil {
		return err
	}
	if err := w.load.conn.exec(ctx, "INSERT OR ABORT INTO main."+quote(w.table.Table)+" DEFAULT VALUES"); err != nil {
		return err
	}
	w.sent++
	return nil
}

// insert runs one statement for n rows.
func (w *writer) insert(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	if err := w.load.open(); err != nil {
		return err
	}
	stmt := w.many
	if n != w.per || stmt == nil {
		var err error
		if stmt, err = w.prepare(ctx, n); err != nil {
			return err
		}
	}
	w.load.conn.doing = w.doing
	if _, err := stmt.(driver.StmtExecContext).ExecContext(ctx, w.args); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	}
	if stmt != w.many {
		_ = stmt.Close() // it has done its work
	}
	clear(w.args) // what they point to, huge values too, is done with
	w.args = w.args[:0]
	w.sent += int64(n)
	return nil
}

// prepare makes the statement for n rows; that for full ones is kept.
func (w *writer) prepare(ctx context.Context, n int) (driver.Stmt, error) {
	query := "INSERT OR ABORT INTO main." + quote(w.table.Table) + " (" + quotes(w.columns) + ") VALUES " + list(n, "("+list(len(w.columns), "?")+")")
	stmt, err := w.load.conn.raw.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err == nil && n == w.per {
		w.many = stmt
	}
	return stmt, err
}

func (w *writer) close() {
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	if w.many != nil && w.load.conn != nil {
		_ = w.many.Close()
	}
}

// open tells whether the generation can still be written. The caller holds mu.
func (l *load) open() error {
	if l.conn == nil {
		return &engine.Error{Code: engine.Stopped, Doing: "load", Say: "the generation was given up or has been switched"}
	}
	return nil
}

// Finish makes indexes, views and triggers, in this order, so that no trigger
// saw a row; fills full-text indexes; gathers statistics; and lets SQLite check the file.
func (l *load) Finish(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return err
	}
	for _, kind := range []string{"index", "view", "trigger"} {
		l.spec.Step("make the " + plural(kind))
		for _, o := range l.structure.objects {
			if o.kind != kind {
				continue
			}
			l.conn.doing = "make " + kind + " " + schema.Ident(o.name)
			if err := l.conn.exec(ctx, o.sql); err != nil {
				return lacking(wrapTable(err, l.conn.doing, schema.Name{Schema: mainSchema, Table: o.table}, l.shapes[o.table]), err)
			}
		}
	}
	if err := fillFullText(ctx, l.conn, l.shapes); err != nil {
		return err
	}
	l.conn.doing = "set the numbers of AUTOINCREMENT"
	if err := setCounters(ctx, l.conn, l.counters); err != nil {
		return err
	}
	l.spec.Step("gather statistics")
	l.conn.doing = "finish the next generation"
	settings := []string{"ANALYZE", fmt.Sprintf("PRAGMA user_version=%d", l.structure.userVersion), fmt.Sprintf("PRAGMA application_id=%d", l.structure.applicationID), "COMMIT"}
	for _, sql := range settings {
		if err := l.conn.exec(ctx, sql); err != nil {
			return err
		}
	}
	l.spec.Step("check the file")
	say, err := l.conn.text(ctx, "PRAGMA quick_check(1)")
	if err == nil && say != "ok" {
		err = &engine.Error{Code: engine.Failed, Doing: l.conn.doing, Say: "SQLite's check of the new file found a fault", Hint: "look at the disk and its file system, and start again"}
	}
	return err
}

func plural(kind string) string {
	if kind == "index" {
		return "indexes"
	}
	return kind + "s"
}

// Count counts rows and NULLs of a table of the new generation.
func (l *load) Count(ctx context.Context, table schema.Name, columns []string) (int64, []int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return 0, nil, err
	}
	l.conn.doing = "count " + table.String()
	return count(ctx, l.conn, table, columns)
}

// Prove asks the new generation itself.
func (l *load) Prove(ctx context.Context, schemas []string) ([]engine.Proof, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return nil, err
	}
	l.conn.doing = "prove the next generation"
	return prove(ctx, l.conn, schemas, l.structure)
}

// Abort removes the next generation's file, unless it was switched and is gone, and frees the lock.
func (l *load) Abort(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.close()
		l.conn = nil
	}
	err := removeDatabase(l.path)
	l.lock.free()
	return err
}
