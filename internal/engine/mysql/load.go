package mysql

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A load is a new generation of the target, being filled in databases beside it.
type load struct {
	t       *target
	spec    engine.Spec
	plan    *blueprint
	guard   *conn // holds the target's lock; the switch runs on it, so that no other run begins before it has ended
	made    time.Time
	carried []carried
	own     map[schema.Name]string // the target's tables when the load began, with their definitions
	watches bool                   // the user sees other sessions' transactions
	pool    pool
	local   locality
	copied  copied

	mu       sync.Mutex            // guards what follows
	sent     map[schema.Name]int64 // rows of each table
	loaded   string                // the server's time when rows had come
	filling  time.Duration         // how long they took to come
	switched bool
	ended    bool
}

var _ engine.Load = (*load)(nil)

// Begin locks the target, clears what a crashed run left, and makes the tables of
// the next generation in databases of its own.
func (t *target) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	if err := nameable(spec.RunID); err != nil {
		return nil, err
	}
	guard, err := t.session(ctx, spec.RunID)
	if err != nil {
		return nil, err
	}
	l := &load{t: t, spec: spec, guard: guard, made: time.Now().UTC(), local: locality{never: t.insert}, sent: map[schema.Name]int64{}}
	l.pool = newPool(spec, l.t)
	if err := l.begin(ctx); err != nil {
		undo, cancel := context.WithTimeout(context.Background(), time.Minute) // undoing: the run's context may be over
		defer cancel()
		_ = l.Abort(undo) // what stays is cleared by the next run
		return nil, err
	}
	t.lists.Lock()
	t.loads = append(t.loads, l)
	t.lists.Unlock()
	return l, nil
}

// nameable refuses an id of a run that would be no part of a name.
func nameable(run string) error {
	for _, r := range run {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return &engine.Error{Code: engine.Failed, Doing: "begin a generation", Say: "the run's id must be made of letters, digits, - and _"}
		}
	}
	return nil
}

func (l *load) begin(ctx context.Context) error {
	if err := l.t.lock(ctx, l.guard); err != nil {
		return err
	}
	l.spec.Step("clear what an earlier run left")
	if err := l.t.recover(ctx, l.guard, l.spec.Keep); err != nil {
		return err
	}
	may, err := readPrivileges(ctx, l.guard)
	if err != nil {
		return err
	}
	l.watches = !may.opaque && may.has("PROCESS", "")
	l.spec.Step("read the structure")
	if l.own, err = l.t.definitions(ctx, l.guard); err != nil {
		return err
	}
	if l.plan, err = l.t.read(ctx, l.guard, l.spec); err != nil {
		return err
	}
	if len(l.plan.refused) > 0 {
		return &engine.Error{Code: engine.Unsupported, Doing: "begin a generation", Say: l.plan.refused[0]}
	}
	l.spec.Step("make the tables")
	for i := range l.plan.databases {
		if err := l.makeDatabase(ctx, &l.plan.databases[i]); err != nil {
			return err
		}
	}
	for i := range l.plan.databases {
		if err := l.makeTables(ctx, &l.plan.databases[i]); err != nil {
			return err
		}
	}
	if err := l.t.pauses.at(ctx, "tables"); err != nil {
		return err
	}
	return l.preserve(ctx)
}

// makeDatabase makes the database beside one of the target's, with its defaults,
// and marks it. If it ends between the two, the database is empty and recovery can tell.
func (l *load) makeDatabase(ctx context.Context, d *databasePlan) error {
	next := beside(d.name, "next", l.spec.RunID)
	doing := "make the database " + quote(next)
	defaults, err := l.guard.row(ctx, doing, "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = "+literal(d.name))
	if err != nil {
		return err
	}
	if err := l.guard.exec(ctx, doing, "CREATE DATABASE "+quote(next)+" CHARACTER SET "+defaults[0]+" COLLATE "+defaults[1]); err != nil {
		return err
	}
	d.next = next // from here on it is ours to drop
	if err := l.t.pauses.at(ctx, "created"); err != nil {
		return err
	}
	return journal{Kind: markNext, Of: d.name, Run: l.spec.RunID, Made: l.made}.write(ctx, l.guard, next)
}

// makeTables makes them as the server that they come from has them, also what only
// a lenient sql_mode lets in, such as labels of an enum that its collation takes for one.
func (l *load) makeTables(ctx context.Context, d *databasePlan) (err error) {
	if err := l.guard.exec(ctx, "make the tables", "SET SESSION foreign_key_checks = 0, sql_mode = "+literal(structureMode)); err != nil {
		return err
	}
	defer func() {
		if back := l.guard.exec(ctx, "make the tables", "SET SESSION sql_mode = "+literal(plainMode)); err == nil {
			err = back
		}
	}()
	if err := l.guard.exec(ctx, "make the tables", "USE "+quote(d.next)); err != nil {
		return err
	}
	for i := range d.tables {
		c := &d.tables[i]
		if err := l.guard.exec(ctx, "make the table "+schema.Name{Schema: d.name, Table: c.name.Table}.String(), c.create(d.next)); err != nil {
			return err
		}
	}
	return nil
}

// definitions gives the target's tables as SHOW CREATE TABLE has them, but for the
// number that AUTO_INCREMENT has come to.
func (t *target) definitions(ctx context.Context, c *conn) (map[schema.Name]string, error) {
	inv, err := inspect(ctx, c, t.databases)
	if err != nil {
		return nil, err
	}
	return inv.definitions(), nil
}

func (inv *inventory) definitions() map[schema.Name]string {
	out := map[schema.Name]string{}
	for i := range inv.schema.Tables {
		table := &inv.schema.Tables[i]
		made := takeApart(table, inv.tables[table.Name])
		out[table.Name] = made.create("") + strings.Join(made.complete(func(n string) string { return n }), "\n")
	}
	return out
}

// find gives a table of the generation by its name in the target, and its
// database there.
func (l *load) find(n schema.Name, doing string) (*creation, string, error) {
	c, d := l.plan.table(n), l.plan.database(n.Schema)
	if c == nil || d == nil {
		return nil, "", &engine.Error{Code: engine.Changed, Doing: doing, Table: n, Say: "the new generation has no such table"}
	}
	return c, d.next, nil
}

// with runs do with one of the load's sessions.
func (l *load) with(ctx context.Context, do func(c *conn) error) error {
	l.mu.Lock()
	ended := l.ended || l.switched
	l.mu.Unlock()
	if ended {
		return &engine.Error{Code: engine.Stopped, Doing: "load", Say: "the generation was given up or has been switched"}
	}
	return l.pool.with(ctx, do)
}

// A pool is a few sessions, made when they are needed.
type pool struct {
	open  func(ctx context.Context) (*conn, error)
	slots chan struct{}
	free  chan *conn
}

// newPool makes the sessions that fill a generation.
func newPool(spec engine.Spec, t *target) pool {
	n := max(1, spec.Writers)
	return pool{slots: make(chan struct{}, n), free: make(chan *conn, n), open: func(ctx context.Context) (*conn, error) {
		c, err := t.session(ctx, spec.RunID+" load")
		if err != nil {
			return nil, err
		}
		// Every row is proved afterwards; what others see is not there before the switch.
		if err := c.exec(ctx, "pin the session's settings", "SET SESSION foreign_key_checks = 0, lock_wait_timeout = 3600, innodb_lock_wait_timeout = 3600"); err != nil {
			c.hangUp()
			return nil, err
		}
		return c, nil
	}}
}

func (p *pool) with(ctx context.Context, do func(c *conn) error) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return wrap(ctx, ctx.Err(), "wait for a session")
	}
	defer func() { <-p.slots }()
	var c *conn
	select {
	case c = <-p.free:
	default:
		var err error
		if c, err = p.open(ctx); err != nil {
			return err
		}
	}
	err := do(c)
	if c.broken {
		c.hangUp()
		return err
	}
	p.free <- c
	return err
}

func (p *pool) hangUp() {
	for {
		select {
		case c := <-p.free:
			c.hangUp()
		default:
			return
		}
	}
}

// Count counts rows and NULLs of a table of the new generation.
func (l *load) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	_, database, err := l.find(table, "count "+table.String())
	if err != nil {
		return 0, nil, err
	}
	err = l.with(ctx, func(c *conn) error {
		rows, nulls, err = countIn(ctx, c, table, quoteName(schema.Name{Schema: database, Table: table.Table}), columns)
		return err
	})
	return rows, nulls, err
}

// Count counts rows and NULLs of a table of the target.
func (t *target) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	err = t.with(ctx, func(c *conn) error {
		rows, nulls, err = countIn(ctx, c, table, quoteName(table), columns)
		return err
	})
	return rows, nulls, err
}

// countIn counts in one scan; from is, for a FROM clause, where the table's rows stand.
func countIn(ctx context.Context, c *conn, table schema.Name, from string, columns []string) (int64, []int64, error) {
	terms := []string{"count(*)"}
	for _, name := range columns {
		terms = append(terms, "count(*) - count("+quote(name)+")")
	}
	row, err := c.row(ctx, "count "+table.String(), "SELECT "+strings.Join(terms, ", ")+" FROM "+from)
	if err != nil {
		return 0, nil, err
	}
	nulls := make([]int64, len(columns))
	for i := range nulls {
		nulls[i] = number(row[i+1])
	}
	return number(row[0]), nulls, nil
}

// Abort drops a generation that was not switched, frees the lock and ends the sessions.
func (l *load) Abort(ctx context.Context) error {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return nil
	}
	l.ended = true
	switched := l.switched
	l.mu.Unlock()
	l.pool.hangUp()
	var err error
	if !switched && l.plan != nil {
		err = l.drop(ctx)
	}
	l.t.unlock(l.guard)
	l.guard.hangUp()
	l.t.lists.Lock()
	l.t.loads = slices.DeleteFunc(l.t.loads, func(o *load) bool { return o == l })
	l.t.lists.Unlock()
	return err
}

// drop removes the databases of the generation. The guard may be gone; then the
// next run clears them.
func (l *load) drop(ctx context.Context) error {
	var first error
	for _, d := range l.plan.databases {
		if d.next == "" {
			continue
		}
		if err := dropDatabase(ctx, l.guard, d.next); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// hangUp ends the sessions of a load that nobody aborted.
func (l *load) hangUp() {
	l.pool.hangUp()
	l.guard.hangUp()
}

// dropDatabase removes a database of ours and what stands in it. A server that was
// killed may leave a file in the database's folder that it does not know itself: then
// it drops the tables and keeps the folder, until somebody removes the file (error
// 1010). What is left is empty and no reason to fail, now or in every later run.
func dropDatabase(ctx context.Context, c *conn, name string) error {
	doing := "drop the database " + quote(name)
	if err := c.exec(ctx, doing, "SET SESSION foreign_key_checks = 0, lock_wait_timeout = 30"); err != nil {
		return err
	}
	err := c.exec(ctx, doing, "DROP DATABASE IF EXISTS "+quote(name))
	if numberOf(err) != errFolderStays {
		return err
	}
	tables, looked := c.rows(ctx, doing, "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = "+literal(name))
	if looked != nil {
		return looked
	}
	for _, row := range tables {
		kind := "TABLE "
		if row[1] == "VIEW" {
			kind = "VIEW "
		}
		if err := c.exec(ctx, doing, "DROP "+kind+"IF EXISTS "+quoteName(schema.Name{Schema: name, Table: row[0]})); err != nil {
			return err
		}
	}
	return nil
}

// seconds writes a limit for a setting that counts seconds.
func seconds(d time.Duration) string { return strconv.FormatInt(max(1, int64(d/time.Second)), 10) }
