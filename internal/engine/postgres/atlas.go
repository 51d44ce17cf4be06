package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	dialect "ariga.io/atlas/sql/postgres"
	atlas "ariga.io/atlas/sql/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"understudy/internal/catalog"
)

// atlasStructure reads tables and what belongs to them, for parity: from pg_catalog
// what differs, which a role without privileges sees as well, and from Atlas
// what closes a difference. It opens a connection of its own and closes it.
// Kinds of facts it gives: table, partition, foreign table, column, primary key,
// unique, foreign key, check, exclusion, index, enum.
func atlasStructure(ctx context.Context, at *address, s session, schemas []string) (*catalog.Structure, error) {
	config, err := at.config(s)
	if err != nil {
		return nil, wrap(ctx, err, "connect to "+at.String())
	}
	db, err := openAtlas(config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // everything was read
	out, err := readStructure(ctx, db, s, schemas)
	return out, wrap(ctx, err, "read the structure for parity")
}

// openAtlas makes a database/sql handle of the driver's configuration, because
// Atlas wants one.
func openAtlas(config *pgconn.Config) (*sql.DB, error) {
	c, err := pgx.ParseConfig(neutral)
	if err != nil {
		return nil, fmt.Errorf("the driver's configuration could not be made")
	}
	c.Config = *config
	return stdlib.OpenDB(*c), nil
}

// prepared gives one connection of db, fit for reading a structure. With nested
// loops a thousand tables take Atlas ten times as long; an empty search path
// makes the server qualify every name.
func prepared(ctx context.Context, db *sql.DB, s session) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	settings := s.pinned()
	settings["enable_nestloop"] = "off"
	settings["search_path"] = ""
	var names, values []string
	for name, value := range settings {
		names, values = append(names, name), append(values, value)
	}
	// Only what this server knows: a setting of a newer one must not fail the session.
	if _, err := conn.ExecContext(ctx, `SELECT set_config(s.name, v.value, false) FROM unnest($1::text[], $2::text[]) AS v (name, value)
JOIN pg_catalog.pg_settings s ON lower(s.name) = lower(v.name)`, names, values); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// readStructure reads on connections of db.
func readStructure(ctx context.Context, db *sql.DB, s session, schemas []string) (*catalog.Structure, error) {
	conn, err := prepared(ctx, db, s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	r := &factReader{ctx: ctx, conn: conn, tables: make(map[string]string), kinds: make(map[string]string), alone: make(map[string][]func() catalog.Fact)}
	if err := r.all(schemas); err != nil {
		return nil, err
	}
	var follow func(column catalog.Fact, was, is string) []catalog.Part
	if r.version >= 180000 {
		follow = followNotNull
	}
	out := &catalog.Structure{
		Dialect: catalog.Dialect{Differ: dialect.DefaultDiff, Planner: dialect.DefaultPlan, Rename: rename, Follow: follow, Advance: advance, ByText: []string{"function", "procedure"},
			Preamble: "SET check_function_bodies = off; -- a function may come before what it names\n", Within: [2]string{"BEGIN", "COMMIT"},
			Apart: func(sql string) bool {
				return strings.HasPrefix(sql, "ALTER TYPE ") && strings.Contains(sql, " ADD VALUE ")
			}}, // no label is used in the transaction that adds it
		Facts: r.facts, Alone: r.alone,
		Kinds: []string{"table", "partition", "foreign table", "column", "primary key", "unique", "foreign key", "check", "exclusion",
			"index", "enum"},
	}
	if len(r.schemas) > 0 {
		out.Schemas = r.atlas(db, s)
	}
	return out, ctx.Err()
}

// atlas reads Atlas's view of the same schemas, schema by schema if need be.
// What it cannot read is left out: the facts decide what differs, so only
// closing statements are lost.
func (r *factReader) atlas(db *sql.DB, s session) (out []*atlas.Schema) {
	inspect := func(schemas []string) bool {
		// A failed inspection leaves rows open; ending its context closes them, and the connection with them.
		ctx, cancel := context.WithCancel(r.ctx)
		defer cancel()
		conn, err := prepared(ctx, db, s)
		if err != nil {
			return false
		}
		defer func() { cancel(); _ = conn.Close() }()
		driver, err := dialect.Open(conn)
		if err != nil {
			return false
		}
		realm, err := driver.InspectRealm(ctx, &atlas.InspectRealmOption{Schemas: schemas, Mode: atlas.InspectSchemas | atlas.InspectTables | atlas.InspectTypes})
		if err == nil {
			out = append(out, realm.Schemas...)
		}
		return err == nil
	}
	if !inspect(r.schemas) {
		for _, name := range r.schemas {
			inspect([]string{name})
		}
	}
	r.trim(out)
	return out
}

// trim takes out of Atlas's view what is not there: the foreign keys that the
// server keeps for each partition of a referenced table.
func (r *factReader) trim(schemas []*atlas.Schema) {
	for _, s := range schemas {
		s.Tables = slices.DeleteFunc(s.Tables, func(t *atlas.Table) bool {
			return !slices.Contains(r.names, s.Name+"\x00"+t.Name)
		})
		for _, t := range s.Tables {
			t.ForeignKeys = slices.DeleteFunc(t.ForeignKeys, func(f *atlas.ForeignKey) bool {
				return !slices.Contains(r.keys, s.Name+"\x00"+t.Name+"\x00"+f.Symbol)
			})
		}
	}
}

// advance has a new sequence go on where its column's rows end.
func advance(sequence, table, column string) string {
	return "SELECT pg_catalog.setval(" + literal(sequence) + ", max(" + column + ")) FROM " + table + " HAVING max(" + column + ") IS NOT NULL"
}

// rename keeps what belongs to a table and gives it another name: a partitioned
// index made anew would take those of all partitions with it.
func rename(kind string, table []string, from, to string) string {
	if len(table) != 2 {
		return ""
	}
	full := quote(table[0]) + "." + quote(table[1])
	switch kind {
	case "index":
		return "ALTER INDEX " + quote(table[0]) + "." + quote(from) + " RENAME TO " + quote(to)
	case "primary key", "unique", "exclusion", "foreign key", "check":
		return "ALTER TABLE " + full + " RENAME CONSTRAINT " + quote(from) + " TO " + quote(to)
	case "policy":
		return "ALTER POLICY " + quote(from) + " ON " + full + " RENAME TO " + quote(to)
	}
	return ""
}
