package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
)

// tableKind is what statements about a table depend on.
type tableKind struct {
	oid         uint32
	partitioned bool
}

// from writes the table for a FROM clause: its own rows, not those of tables
// that inherit from it; a partitioned table has none but its partitions'.
func (k tableKind) from(name schema.Name) string {
	if k.partitioned {
		return quoteName(name)
	}
	return "ONLY " + quoteName(name)
}

// tableKinds reads the tables of a database outside the server's own schemas;
// only one of them if it is named.
func tableKinds(ctx context.Context, c *conn, one schema.Name) (map[schema.Name]tableKind, error) {
	rows, err := c.query(ctx, "list the tables", `
		SELECT n.nspname, c.relname, c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT `+serverSchemas+` AND ($2 = '' OR n.nspname = $1 AND c.relname = $2)`, one.Schema, one.Table)
	if err != nil {
		return nil, err
	}
	kinds := make(map[schema.Name]tableKind, len(rows))
	for _, r := range rows {
		kinds[schema.Name{Schema: string(r[0]), Table: string(r[1])}] = tableKind{oid: parseUint(r[2]), partitioned: letter(r[3]) == 'p'}
	}
	return kinds, nil
}

// Finish carries the preserved rows over and builds what comes after rows. What
// fails here names the constraint or index that the rows break.
func (l *load) Finish(ctx context.Context) error {
	l.spec.Step("carry preserved rows")
	if err := l.preserve(ctx); err != nil {
		return err
	}
	sizes, err := l.sizes(ctx)
	if err != nil {
		return err
	}
	l.pool.hangUp(false) // idle sessions would only hold memory while indexes are built
	l.spec.Step("build indexes and keys")
	statistics := &census{l: l}
	by := builders{jobs: max(1, l.spec.Writers), set: l.buildSettings(ctx), sizes: sizes, statistics: statistics}
	if err := l.buildSection(ctx, l.spec.RunID+" indexes", "post-data", by); err != nil {
		return err
	}
	if err := l.t.pauses.at(ctx, "indexes"); err != nil {
		return err
	}
	if err := l.with(ctx, func(c *conn) error { return l.putChecksBack(ctx, c) }); err != nil {
		return err
	}
	l.spec.Step("set sequences")
	if err := l.with(ctx, func(c *conn) error {
		return l.inUsersPath(ctx, c, func() error { return l.setSequences(ctx, c) })
	}); err != nil {
		return err
	}
	l.spec.Step("refresh materialized views")
	if err := l.with(ctx, func(c *conn) error { return l.refreshViews(ctx, c) }); err != nil {
		return err
	}
	l.spec.Step("gather statistics")
	if err := statistics.rest(ctx); err != nil {
		return err
	}
	l.spec.Step("carry the database's settings")
	return l.carrySettings(ctx)
}

// sizes tells how large the loaded tables are, in bytes.
func (l *load) sizes(ctx context.Context) (map[schema.Name]int64, error) {
	out := map[schema.Name]int64{}
	return out, l.with(ctx, func(c *conn) error {
		rows, err := c.query(ctx, "look at the tables' sizes", `
			SELECT n.nspname, c.relname, pg_catalog.pg_relation_size(c.oid) FROM pg_catalog.pg_class c
			JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'`)
		for _, r := range rows {
			out[schema.Name{Schema: string(r[0]), Table: string(r[1])}] = number(r[2])
		}
		return err
	})
}

// buildSettings give the sessions that build indexes and check keys memory to
// sort in, unless the server already gives more.
func (l *load) buildSettings(ctx context.Context) map[string]string {
	set := loadSettings()
	have, err := l.guard.value(ctx, "look at maintenance_work_mem", `SELECT setting FROM pg_catalog.pg_settings WHERE name = 'maintenance_work_mem'`)
	if n, _ := strconv.Atoi(have); err == nil && n < 256<<10 { // in kB
		set["maintenance_work_mem"] = "256MB"
	}
	return set
}

// refreshViews fills the materialized views, those first that others read.
// Views that are not filled where the structure came from stay so. Functions
// that they call find names as they do for the target's users.
func (l *load) refreshViews(ctx context.Context, c *conn) error {
	views, err := materializedViews(ctx, c)
	if err != nil {
		return err
	}
	for _, v := range views {
		if !l.plan.origin.filled[v.name] && !slices.Contains(l.spec.Filled, v.name) {
			continue
		}
		err := l.inUsersPath(ctx, c, func() error {
			return c.exec(ctx, "refresh the materialized view "+v.name.String(), "REFRESH MATERIALIZED VIEW "+quoteName(v.name))
		})
		if err != nil {
			return overRows(l.plan.origin.calling(err, l.plan.origin.callsOf("MATERIALIZED VIEW", v.name.Schema, v.name.Table)))
		}
	}
	return nil
}

// A materializedView is one that may be refreshed.
type materializedView struct {
	name   schema.Name
	filled bool
	// keyed: a unique index tells its rows apart, so that it can be refreshed row by row.
	keyed bool
}

// materializedViews lists them, those first that others read.
func materializedViews(ctx context.Context, c *conn) ([]materializedView, error) {
	rows, err := c.query(ctx, "list the materialized views", `
		WITH RECURSIVE reads (view, source) AS (
			SELECT DISTINCT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
			JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
				AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
		), depth (view, source) AS (
			SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'm'
			UNION SELECT depth.view, reads.source FROM depth JOIN reads ON reads.view = depth.source
		)
		SELECT n.nspname, c.relname, c.relispopulated,
			EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
			(SELECT count(*) FROM depth d JOIN pg_catalog.pg_class m ON m.oid = d.source AND m.relkind = 'm' WHERE d.view = c.oid) AS below
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'm' AND NOT `+serverSchemas+` ORDER BY below, n.nspname, c.relname`)
	var out []materializedView
	for _, r := range rows {
		out = append(out, materializedView{schema.Name{Schema: string(r[0]), Table: string(r[1])}, isTrue(r[2]), isTrue(r[3])})
	}
	return out, err
}

// each runs do for 0 to n-1 over as many sessions as the load may use, in
// order of starting, and gives the first error.
func (l *load) each(ctx context.Context, n int, do func(ctx context.Context, c *conn, i int) error) error {
	return spread(ctx, l.pool, min(n, max(1, l.spec.Writers)), n, do)
}

// spread runs do for 0 to n-1 over some of a pool's sessions at once.
func spread(ctx context.Context, p *pool, workers, n int, do func(ctx context.Context, c *conn, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan int)
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for range workers {
		wg.Go(func() {
			err := p.with(ctx, func(c *conn) (err error) {
				defer fault.Guard(&err)
				for i := range work {
					if err := do(ctx, c, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				once.Do(func() { first = err; cancel(err) })
			}
		})
	}
	for i := range n {
		select {
		case work <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	wg.Wait()
	if first == nil && ctx.Err() != nil && n > 0 {
		first = wrap(ctx, ctx.Err(), "build the generation")
	}
	return first
}

// preserve copies the preserved tables' rows from the present target, all as of
// one moment, and notes what stood there then: Switch compares.
func (l *load) preserve(ctx context.Context) error {
	if len(l.spec.Preserve) == 0 {
		return nil
	}
	l.carried = map[schema.Name]string{}
	from, err := l.presentSession(ctx, l.t.at.database)
	if err != nil {
		return err
	}
	defer from.hangUp()
	return from.transaction(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", func() error {
		kinds, err := tableKinds(ctx, from, schema.Name{})
		if err != nil {
			return err
		}
		for _, name := range l.spec.Preserve {
			kind, ok := kinds[name]
			if !ok {
				return &engine.Error{Code: engine.Changed, Doing: "carry " + name.String(), Say: "the target has no such table any more", Table: name}
			}
			l.spec.Step("carry " + name.String())
			err := l.with(ctx, func(to *conn) error {
				return l.inUsersPath(ctx, to, func() error { return carry(ctx, from, to, name, kind) })
			})
			if err != nil {
				return err
			}
			if l.carried[name], err = fingerprint(ctx, from, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// presentSession opens a session to read preserved rows with, where functions
// find names as the target's users do. The caller closes it.
func (l *load) presentSession(ctx context.Context, database string) (*conn, error) {
	c, err := connect(ctx, l.t.at, session{name: l.spec.RunID + " preserve", database: database, readOnly: true, limits: l.t.limits, set: map[string]string{"statement_timeout": "0"}})
	if err != nil {
		return nil, err
	}
	if err := c.exec(ctx, "set the search_path", "SELECT pg_catalog.set_config('search_path', "+literal(c.path)+", false)"); err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// fingerprint sums a table's rows up, whatever their order, inside the server.
// It guards against accidents, not against forgery.
func fingerprint(ctx context.Context, c *conn, name schema.Name) (string, error) {
	return c.value(ctx, "sum up "+name.String(), "SELECT count(*) || ':' || coalesce(sum(pg_catalog.hashtextextended(t::text, 0)), 0) FROM "+quoteName(name)+" AS t")
}

// carriedAsIs makes sure that nobody wrote to the preserved tables since their
// rows were copied: what was written would stay in the generation that is put
// away. Only the moment between this look and the switch is left.
func (l *load) carriedAsIs(ctx context.Context, database string) error {
	if len(l.carried) == 0 {
		return nil
	}
	c, err := l.presentSession(ctx, database)
	if err != nil {
		return err
	}
	defer c.hangUp() // before the switch, which no session of ours may hold up
	for _, name := range l.spec.Preserve {
		now, err := fingerprint(ctx, c, name)
		if err != nil {
			return err
		}
		if now != l.carried[name] {
			return engine.LateWrite(name)
		}
	}
	return nil
}

// carry copies one table's rows between two databases of the same structure.
func carry(ctx context.Context, from, to *conn, name schema.Name, kind tableKind) error {
	doing := "carry " + name.String()
	columns, err := writtenColumns(ctx, to, name)
	if err != nil {
		return err
	}
	if columns == nil {
		return &engine.Error{Code: engine.Changed, Doing: doing, Say: "the new generation has no such table", Table: name}
	}
	var list, into string
	if len(columns) > 0 {
		list = quoteList(columns)
		into = " (" + list + ")"
	}
	sent, got, err := relay(ctx, from, to, "COPY (SELECT "+list+" FROM "+kind.from(name)+") TO STDOUT", "COPY "+quoteName(name)+into+" FROM STDIN", doing)
	if err != nil {
		return err
	}
	if sent != got {
		return &engine.Error{Code: engine.Failed, Doing: doing, Table: name, Say: fmt.Sprintf("%d rows were read and %d taken", sent, got)}
	}
	return nil
}

// writtenColumns names a table's columns that are not generated; nil if there is no such table.
func writtenColumns(ctx context.Context, c *conn, name schema.Name) ([]string, error) {
	rows, err := c.query(ctx, "read the columns of "+name.String(), `
		SELECT a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p') ORDER BY a.attnum`, name.Schema, name.Table)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	columns := []string{}
	for _, r := range rows {
		if r[0] != nil {
			columns = append(columns, string(r[0]))
		}
	}
	return columns, nil
}

// quotedSettings are the settings whose value is a list of names: a value read
// from the catalog would be taken for one name if it were written as a string.
func quotedSettings() []string {
	return []string{"search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries", "shared_preload_libraries", "unix_socket_directories"}
}

func isQuotedSetting(name string) bool {
	for _, q := range quotedSettings() {
		if strings.EqualFold(name, q) {
			return true
		}
	}
	return false
}
