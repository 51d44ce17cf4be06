package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"

	dialect "ariga.io/atlas/sql/mysql"
	atlas "ariga.io/atlas/sql/schema"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// atlasDialect compares and plans without asking a server.
func atlasDialect() catalog.Dialect {
	return catalog.Dialect{Differ: dialect.DefaultDiff, Planner: dialect.DefaultPlan, Quote: quote, Rename: rename, Client: delimited, ByText: []string{"view", "function", "procedure", "event"}, Whole: true, Joint: true, Unqualified: true}
}

// delimited puts statements that hold semicolons of their own, in the body of a routine,
// between delimiters of another kind: the mysql client ends a statement at the first one.
func delimited(sql string) string {
	all, unclear := unfold(tokens(sql))
	if unclear != nil {
		return sql
	}
	var out strings.Builder
	for from := 0; len(all) > 0; {
		n, ok := statementEnd(all)
		if !ok {
			return sql
		}
		to, rest := len(sql), all[n:]
		if n < len(all) {
			to, rest = all[n].start, all[n+1:]
		}
		text := strings.TrimSpace(sql[from:to])
		switch {
		case n == 0:
		case slices.ContainsFunc(all[:n], func(t token) bool { return t.mark(";") }):
			end := delimiter(text)
			out.WriteString("DELIMITER " + end + "\n" + text + end + "\nDELIMITER ;\n")
		default:
			out.WriteString(text + ";\n")
		}
		from, all = min(to+1, len(sql)), rest
	}
	return out.String()
}

// delimiter gives one that is not in the text, nor made by its end.
func delimiter(text string) string {
	for n := 2; ; n++ {
		for _, c := range []string{"/", "$", "|", "&"} {
			if end := strings.Repeat(c, n); !strings.Contains(text, end) && !strings.HasSuffix(text, c) {
				return end
			}
		}
	}
}

// atlasSchemas reads Atlas's view of tables, of which closing statements are
// planned; facts decide what differs. A database that Atlas cannot read whole it
// reads table by table, and what it cannot read at all is left out. The
// connection is used up.
func atlasSchemas(ctx context.Context, c *conn, tables []schema.Name) []*atlas.Schema {
	db := sql.OpenDB(lent{c.raw})
	db.SetMaxOpenConns(1)
	defer func() { _ = db.Close() }() // everything was read
	session, err := db.Conn(ctx)
	if err != nil {
		return nil
	}
	defer func() { _ = session.Close() }() // as above
	inspector, err := dialect.Open(plainExtra{session})
	if err != nil {
		return nil
	}
	inspect := func(database string, names []string) (*atlas.Schema, bool) {
		s, err := inspector.InspectSchema(ctx, database, &atlas.InspectOptions{Tables: names, Mode: atlas.InspectTables})
		return s, err == nil
	}
	byDatabase := map[string][]string{}
	var order []string
	for _, n := range tables {
		if byDatabase[n.Schema] == nil {
			order = append(order, n.Schema)
		}
		byDatabase[n.Schema] = append(byDatabase[n.Schema], n.Table)
	}
	var out []*atlas.Schema
	for _, database := range order {
		s, ok := inspect(database, byDatabase[database])
		if !ok {
			s = atlas.New(database)
			for _, name := range byDatabase[database] {
				if one, ok := inspect(database, []string{name}); ok {
					s.AddTables(one.Tables...)
				}
			}
		}
		out = append(out, s)
	}
	return out
}

// plainExtra answers Atlas's query for columns without the words in EXTRA that it
// fails on: INVISIBLE, which also stands with the primary key that MySQL makes
// by itself, and what else a server adds. It shows system-versioned tables, too.
type plainExtra struct{ *sql.Conn }

// QueryContext is part of Atlas's ExecQuerier.
func (p plainExtra) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if strings.Contains(query, "`INFORMATION_SCHEMA`.`COLUMNS`") {
		query = strings.Replace(query, "`EXTRA`", "TRIM(REGEXP_REPLACE(`EXTRA`, '[, ]*(INVISIBLE|WITHOUT SYSTEM VERSIONING|NOT SECONDARY)', '')) AS `EXTRA`", 1)
	}
	query = strings.Replace(query, "TABLE_TYPE = 'BASE TABLE'", "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')", 1)
	return p.Conn.QueryContext(ctx, query, args...)
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

// rename keeps an index and gives it another name: one that a foreign key needs
// could not be made anew.
func rename(kind string, table []string, from, to string) string {
	if kind != "index" && kind != "unique" {
		return ""
	}
	return "ALTER TABLE " + quote(table[len(table)-1]) + " RENAME INDEX " + quote(from) + " TO " + quote(to)
}
