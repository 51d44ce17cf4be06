package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// inPlace is a target that stays the database it is: its rows are exchanged in
// one transaction. Its owner's rights are enough; no database is made.
type inPlace struct {
	*target
	remember int // by a test: instead of pairless

	mu        sync.Mutex // guards exchanges
	exchanges []*exchange
}

var (
	_ engine.Replaceable = (*target)(nil)
	_ engine.Target      = (*inPlace)(nil)
)

// InPlace gives the target as one whose rows are exchanged where they stand.
func (t *target) InPlace() engine.Target { return &inPlace{target: t} }

// Begin locks the target, clears what a crashed run left, and makes the schema
// in which rows will wait.
func (t *inPlace) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	guard, err := t.guard(ctx, spec.RunID)
	if err != nil {
		return nil, err
	}
	x := &exchange{t: t, spec: spec, guard: guard, made: time.Now().UTC()}
	if err := x.begin(ctx); err != nil {
		x.undo()
		return nil, err
	}
	t.mu.Lock()
	t.exchanges = append(t.exchanges, x)
	t.mu.Unlock()
	return x, nil
}

func (t *inPlace) forget(x *exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges = slices.DeleteFunc(t.exchanges, func(o *exchange) bool { return o == x })
}

// Close ends every session of the target, those of exchanges too.
func (t *inPlace) Close() error {
	t.mu.Lock()
	open := t.exchanges
	t.exchanges = nil
	t.mu.Unlock()
	for _, x := range open {
		x.hangUp()
	}
	return t.target.Close()
}

// Inspect reads the structure. While an exchange is open only its own session
// can be sure not to wait for its locks.
func (t *inPlace) Inspect(ctx context.Context, schemas []string) (*schema.Schema, error) {
	t.mu.Lock()
	open := slices.Clone(t.exchanges)
	t.mu.Unlock()
	for _, x := range open {
		var inv *inventory
		err := x.inside(func(c *conn) (err error) {
			inv, err = inspect(ctx, c, schemas)
			return err
		})
		if inv != nil {
			return inv.schema, err
		}
	}
	return t.target.Inspect(ctx, schemas)
}

// Rollback puts back what a switch kept before the target's job came to exchange
// rows; an exchange itself keeps nothing to go back to.
func (t *inPlace) Rollback(ctx context.Context, generation string) error {
	c, err := t.maintenance(ctx, "rollback")
	if err != nil {
		return err
	}
	_, kept, err := neighbours(ctx, c, t.at.database)
	c.hangUp()
	switch {
	case err != nil:
		return err
	case len(kept) == 0:
		return &engine.Error{Code: engine.Failed, Doing: "roll back", Say: "rows that were exchanged in place are not kept", Hint: "`load: {mode: swap}` keeps earlier generations"}
	}
	return t.target.Rollback(ctx, generation)
}

// State tells what stands there. It takes no lock beyond those of reading.
func (t *inPlace) State(ctx context.Context) (*engine.State, error) {
	state := &engine.State{Mechanism: "rows exchanged in place, in one transaction; no generation is kept"}
	var left *mark
	err := t.with(ctx, func(c *conn) error {
		present, manifest, copyOf, err := readClaim(ctx, c, t.at.database)
		if err != nil {
			return err
		}
		state.CopyOf = copyOf
		if present != nil {
			state.Claimed, state.Manifest = true, manifest
			state.Generations = append(state.Generations, *present)
		}
		var closed []schema.Name
		if state.Rows, closed, err = filledTables(ctx, c); err != nil {
			return err
		}
		if state.Obstacles, state.Notes, err = obstaclesInPlace(ctx, c); err != nil {
			return err
		}
		u, err := unreadable(ctx, c, closed)
		if err != nil {
			return err
		}
		u.schemas = nil // those are told for all kinds of objects
		if !u.none() {
			state.Obstacles = append(state.Obstacles, u.say()+": "+u.grants())
		}
		var foreign bool
		left, foreign, err = findSides(ctx, c, t.at.database)
		if foreign {
			state.Obstacles = append(state.Obstacles, notOurs)
		}
		if left != nil && present != nil && left.Run == present.ID {
			state.Switched = left.Run
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := t.maintenance(ctx, "state")
	if err != nil {
		state.Obstacles = append(state.Obstacles, "no connection to the database postgres, where runs keep out of each other's way: "+sentence(err))
		return state, nil
	}
	defer c.hangUp()
	exchanged := state.Switched
	if err := t.lookBeside(ctx, c, state); err != nil {
		return nil, err
	}
	if exchanged != "" {
		state.Switched = exchanged
	}
	if left != nil && state.Busy == "" {
		state.Leftovers = append(state.Leftovers, "schema "+sideSchema+" with side tables, begun by a run that did not end")
	}
	note, err := keptBefore(ctx, c, t.at.database)
	state.Notes = append(state.Notes, note...)
	return state, err
}

// keptBefore tells what becomes of the generations that switches kept.
func keptBefore(ctx context.Context, c *conn, target string) (notes []string, err error) {
	_, kept, err := neighbours(ctx, c, target)
	for _, k := range kept {
		may, err := c.value(ctx, "ask who may drop "+quote(k.name), `SELECT pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = $1`, k.name)
		if err != nil {
			return nil, err
		}
		say := "an earlier switch kept the database %s: `understudy rollback` goes back to it until the next refresh, which removes it, because nothing is kept where rows are exchanged in place"
		if may != "t" {
			say = "an earlier switch kept the database %s, which the role may not drop: it stays until its owner does"
		}
		notes = append(notes, fmt.Sprintf(say, quote(k.name)))
	}
	return notes, err
}

// clearBeside removes databases that runs which switch left beside the target:
// those of a run that did not end, and of the kept ones all but the newest so
// many. What the role may not drop stays; State tells of it.
func (t *target) clearBeside(ctx context.Context, c *conn, keep int) error {
	err := t.recover(ctx, c, keep)
	if err == nil {
		err = tidy(ctx, c, t.at.database, keep)
	}
	if engine.CodeOf(err) == engine.Denied {
		return nil
	}
	return err
}

// obstaclesInPlace finds what would stop an exchange here, each with its
// remedy, and what readers will notice of one.
func obstaclesInPlace(ctx context.Context, c *conn) (obstacles, notes []string, err error) {
	say := func(format string, args ...any) { obstacles = append(obstacles, fmt.Sprintf(format, args...)) }
	rows, err := c.query(ctx, "look at the target", `
		SELECT pg_catalog.quote_ident(current_user), pg_catalog.quote_ident(pg_catalog.current_database()), pg_catalog.pg_is_in_recovery(),
			pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
			EXISTS (SELECT FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid WHERE n.nspname = '`+markSchema+`'
				AND NOT (pg_catalog.pg_has_role(n.nspowner, 'USAGE') AND pg_catalog.pg_has_role(coalesce(c.relowner, n.nspowner), 'USAGE')))`)
	if err != nil {
		return nil, nil, err
	}
	role, database := string(rows[0][0]), string(rows[0][1])
	if isTrue(rows[0][2]) {
		say("the server is a standby, which cannot be written: use the primary's address")
	}
	if database == "template0" || database == "template1" {
		say("%s is the template of the databases that are made on this server, and each of them would hold the rows: name a database of staging's own", database)
	}
	if !isTrue(rows[0][3]) {
		say("the role %s may not make the schema in which rows wait: GRANT CREATE ON DATABASE %s TO %s", role, database, role)
	}
	if isTrue(rows[0][4]) {
		say("the schema %s, with understudy's marker, belongs to another role: ALTER SCHEMA %s OWNER TO %s; ALTER TABLE %s.generation OWNER TO %s", markSchema, markSchema, role, markSchema, role)
	}
	for _, q := range inPlaceQueries() {
		rows, err := c.query(ctx, "look for obstacles", q.sql)
		if err != nil {
			return nil, nil, err
		}
		if len(rows) == 0 {
			continue
		}
		var names []string
		for _, r := range rows {
			names = append(names, string(r[0]))
		}
		text := fmt.Sprintf(strings.ReplaceAll(q.say, "{role}", strings.ReplaceAll(role, "%", "%%")), strings.Join(names, ", "))
		if q.note {
			notes = append(notes, text)
		} else {
			obstacles = append(obstacles, text)
		}
	}
	return obstacles, notes, nil
}

// mostExchanged is how many columns a table may have that is exchanged: a delta has three
// more, and the server makes no table of more than 1,600 (its appendix K).
const mostExchanged = 1597

// inPlaceQueries are about an exchange what obstacleQueries are about a swap.
// {role} in a sentence stands for the role.
func inPlaceQueries() []obstacleQuery {
	const name = `pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)`
	const from = ` FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT ` + serverSchemas + ` AND ` + notExtensions
	return []obstacleQuery{
		{note: true, sql: `SELECT pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger WHERE evtenabled IN ('A', ` + firing + `) ORDER BY 1`,
			say: "event triggers fire for the side tables that are made and dropped and for the triggers that are silenced; what they write into a table counts as rows of it, and is found to be too much: %s; ALTER EVENT TRIGGER ... DISABLE those that write"},
		{note: true, sql: `SELECT DISTINCT ` + name + ` || ' (' || pg_catalog.quote_ident(b.pubname) || ')' FROM pg_catalog.pg_publication_tables u JOIN pg_catalog.pg_publication b ON b.pubname = u.pubname AND (b.pubupdate OR b.pubdelete)
			JOIN pg_catalog.pg_namespace n ON n.nspname = u.schemaname JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = u.tablename
			WHERE NOT ` + serverSchemas + ` AND c.relreplident <> 'f' AND (pg_catalog.to_jsonb(u) ->> 'rowfilter' IS NOT NULL
				OR NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END)) ORDER BY 1`,
			say: "a publication in the target takes no changed or deleted rows of tables whose replica identity does not tell them, or not what its row filter asks, so rows of these come in and the exchange fails where some change or go: %s; ALTER TABLE ... REPLICA IDENTITY FULL"},
		{sql: `SELECT ` + name + from + ` AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND (SELECT count(*) FROM pg_catalog.pg_attribute a
			WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') > ` + strconv.Itoa(mostExchanged) + ` ORDER BY 1`,
			say: "%s has more columns than rows can be compared by in place, where three are added to them (the server's limit is 1,600): write load: {mode: swap}"},
		{sql: `SELECT ` + name + from + ` AND c.relkind IN ('r', 'p', 'm', 'S') AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') ORDER BY 1`,
			say: "the role does not own %s, so it can neither silence their triggers nor set their sequences: ALTER TABLE ... OWNER TO {role}"},
		{sql: `SELECT DISTINCT pg_catalog.quote_ident(n.nspname)` + from + ` AND c.relkind IN ('r', 'p', 'm', 'S') AND NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') ORDER BY 1`,
			say: "the role may not use the schemas %s: GRANT USAGE ON SCHEMA ... TO {role}"},
		{sql: `SELECT ` + name + from + ` AND c.relforcerowsecurity AND NOT (SELECT rolbypassrls OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) ORDER BY 1`,
			say: "row security is forced on the role for %s, so it would not see every row: ALTER ROLE {role} BYPASSRLS, or ALTER TABLE ... NO FORCE ROW LEVEL SECURITY"},
		{note: true, sql: `SELECT ` + name + from + ` AND c.relkind = 'm' AND c.relispopulated AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
			WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL) ORDER BY 1`,
			say: "readers of the materialized views %s wait while rows are exchanged, and older snapshots see their new rows: a unique index over columns of theirs avoids both"},
	}
}
