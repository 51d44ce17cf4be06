package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

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
	out, err := readStructure(ctx, db, s.readOnly, schemas)
	return out, wrap(ctx, err, "read the structure for parity")
}

// openAtlas makes a database/sql handle of the driver's configuration, because
// Atlas wants one.
func openAtlas(config *pgconn.Config) (*sql.DB, error) {
	c, err := pgx.ParseConfig("host=127.0.0.1 port=5432 user=nobody dbname=nothing password=none sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("the driver's configuration could not be made")
	}
	c.Config = *config
	return stdlib.OpenDB(*c), nil
}

// readStructure reads on one connection of db.
func readStructure(ctx context.Context, db *sql.DB, readOnly bool, schemas []string) (*catalog.Structure, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	// With nested loops a thousand tables take Atlas ten times as long. An empty
	// search path makes the server qualify every name.
	set := `SELECT set_config('enable_nestloop', 'off', false), set_config('search_path', '', false), set_config('default_transaction_read_only', $1, false)`
	mode := "off"
	if readOnly {
		mode = "on"
	}
	if _, err := conn.ExecContext(ctx, set, mode); err != nil {
		return nil, err
	}
	r := &factReader{ctx: ctx, conn: conn, tables: make(map[string]string), kinds: make(map[string]string)}
	if err := r.all(schemas); err != nil {
		return nil, err
	}
	out := &catalog.Structure{
		Dialect: catalog.Dialect{Differ: dialect.DefaultDiff, Planner: dialect.DefaultPlan},
		Facts:   r.facts,
		Kinds: []string{"table", "partition", "foreign table", "column", "primary key", "unique", "foreign key", "check", "exclusion",
			"index", "enum"},
	}
	if len(r.schemas) > 0 {
		out.Schemas = r.atlas()
	}
	return out, ctx.Err()
}

// atlas reads Atlas's view of the same schemas. What it cannot read is left out:
// the facts decide what differs, so only closing statements are lost.
func (r *factReader) atlas() []*atlas.Schema {
	driver, err := dialect.Open(r.conn)
	if err != nil {
		return nil
	}
	mode := atlas.InspectSchemas | atlas.InspectTables | atlas.InspectTypes
	realm, err := driver.InspectRealm(r.ctx, &atlas.InspectRealmOption{Schemas: r.schemas, Mode: mode})
	if err == nil {
		r.trim(realm.Schemas)
		return realm.Schemas
	}
	var out []*atlas.Schema
	for _, name := range r.schemas {
		if s, err := driver.InspectSchema(r.ctx, name, &atlas.InspectOptions{Mode: mode}); err == nil {
			out = append(out, s)
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
