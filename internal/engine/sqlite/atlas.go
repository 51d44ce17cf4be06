package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"

	atlas "ariga.io/atlas/sql/schema"
	dialect "ariga.io/atlas/sql/sqlite"

	"understudy/internal/catalog"
)

// atlasStructure reads tables and what belongs to them, for parity: from the
// text of CREATE statements what differs, and from Atlas what closes a
// difference (it compares types by affinity and sees no collation). The
// connection is the caller's and stays open; nobody else uses it meanwhile.
// Kinds of facts it gives: table, column, primary key, unique, foreign key,
// check, index.
func atlasStructure(ctx context.Context, c *conn) (*catalog.Structure, error) {
	r := &factReader{ctx: ctx, c: c}
	if err := r.all(); err != nil {
		return nil, err
	}
	out := &catalog.Structure{
		LooseTypes: true, // https://www.sqlite.org/datatype3.html; STRICT tables, which refuse, are told by their options
		Dialect:    catalog.Dialect{Differ: dialect.DefaultDiff, Planner: dialect.DefaultPlan},
		Facts:      r.facts,
		Kinds:      []string{"table", "column", "primary key", "unique", "foreign key", "check", "index"},
	}
	db := sql.OpenDB(lent{c.raw})
	db.SetMaxOpenConns(1)
	defer func() { _ = db.Close() }() // closes nothing of the caller's
	if s := r.atlas(db); len(s.Tables) > 0 {
		out.Schemas = []*atlas.Schema{s}
	}
	return out, ctx.Err()
}

// atlas reads Atlas's view, table by table if need be: one that Atlas cannot read
// (a name with a quote in it) is left out, and only its closing statements are lost.
func (r *factReader) atlas(db *sql.DB) *atlas.Schema {
	out := atlas.New(mainSchema)
	conn, err := db.Conn(r.ctx)
	if err != nil {
		return out
	}
	defer func() { _ = conn.Close() }()
	inspector, err := dialect.Open(completed{conn})
	if err != nil {
		return out
	}
	inspect := func(tables []string) bool {
		// A failed inspection leaves rows open; ending its context closes them.
		ctx, cancel := context.WithCancel(r.ctx)
		defer cancel()
		s, err := inspector.InspectSchema(ctx, mainSchema, &atlas.InspectOptions{Tables: tables, Mode: atlas.InspectTables})
		if err == nil {
			out.AddTables(s.Tables...)
		}
		return err == nil
	}
	if len(r.tables) > 0 && !inspect(r.tables) {
		for _, name := range r.tables {
			inspect([]string{name})
		}
	}
	return r.trim(out)
}

// completed answers Atlas's query for foreign keys with the columns they mean:
// REFERENCES without a column means the primary key, for which the pragma gives
// NULL, on which Atlas fails.
type completed struct{ *sql.Conn }

// QueryContext is part of Atlas's ExecQuerier.
func (c completed) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	const pragma = "FROM pragma_foreign_key_list("
	if strings.Contains(query, pragma) {
		query = strings.Replace(query, "`to`", "coalesce(`to`, (SELECT p.name FROM pragma_table_info(f.`table`) AS p WHERE p.pk = f.seq + 1), '') AS `to`", 1)
		at := strings.Index(query, pragma)
		if end := strings.LastIndex(query, "')"); end > at {
			query = query[:end+2] + " AS f" + query[end+2:]
		}
	}
	return c.Conn.QueryContext(ctx, query, args...)
}

func (r *factReader) trim(s *atlas.Schema) *atlas.Schema {
	s.Tables = slices.DeleteFunc(s.Tables, func(t *atlas.Table) bool { return !slices.Contains(r.tables, t.Name) })
	return s
}

// lent gives database/sql a connection that is not its own.
type lent struct{ raw driver.Conn }

// Connect gives the lent connection; with one open connection at most it is
// given to one user at a time.
func (l lent) Connect(context.Context) (driver.Conn, error) { return lentConn{l.raw}, nil }

// Driver is part of driver.Connector; nothing here calls it.
func (l lent) Driver() driver.Driver { return nil }

type lentConn struct{ driver.Conn }

// Close leaves the connection open for its owner.
func (lentConn) Close() error { return nil }

// QueryContext passes a query on; without it every query would be prepared first.
func (l lentConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return l.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}
