package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// mechanism says how the switch works here.
const mechanism = "a new database beside the target, then two renames in one transaction"

// State tells what stands there. It takes no lock beyond those of reading.
func (t *target) State(ctx context.Context) (*engine.State, error) {
	state := &engine.State{Mechanism: mechanism}
	var facts *standing
	var pooled bool
	err := t.with(ctx, func(c *conn) (err error) {
		if facts, err = stand(ctx, c); err != nil {
			return err
		}
		pooled = c.pooled()
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
		if state.Obstacles, state.Notes, err = obstacles(ctx, c, facts); err != nil {
			return err
		}
		free, err := freeSequences(ctx, c)
		if err != nil {
			return err
		}
		u, err := unreadable(ctx, c, append(closed, free...))
		if err == nil && !u.none() {
			state.Obstacles = append(state.Obstacles, u.say()+"; pg_dump locks the tables, and positions of sequences are carried over: "+u.grants())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if pooled && !t.takesOptions(ctx) {
		state.Obstacles = append(state.Obstacles, "the pooler before the target does not pass on the option that pg_restore needs: put the address of the server itself into the URL, or write load: {mode: replace}")
	}
	if _, err := findPrograms(ctx, facts.version/10000); err != nil {
		state.Obstacles = append(state.Obstacles, sentence(err))
	}
	c, err := t.maintenance(ctx, "state")
	if err != nil {
		state.Obstacles = append(state.Obstacles, "no connection to the database postgres, from where the target is renamed: "+sentence(err))
		return state, nil
	}
	defer c.hangUp()
	return state, t.lookBeside(ctx, c, state)
}

// sentence is an error with its hint.
func sentence(err error) string {
	if e, ok := err.(*engine.Error); ok && e.Hint != "" {
		return e.Error() + ": " + e.Hint
	}
	return err.Error()
}

// lookBeside tells of the databases beside the target.
func (t *target) lookBeside(ctx context.Context, c *conn, state *engine.State) error {
	next, kept, err := neighbours(ctx, c, t.at.database)
	if err != nil {
		return err
	}
	busy, err := t.locked(ctx, c)
	if err != nil {
		return err
	}
	if busy {
		state.Busy = "another run holds the target" + holder(ctx, c, lockKey(t.at.database))
	}
	for _, n := range next {
		if !busy { // else it is the work of the run that holds the lock
			state.Leftovers = append(state.Leftovers, fmt.Sprintf("database %s, begun by a run that did not end", quote(n.name)))
		}
	}
	for _, k := range kept {
		state.Generations = append(state.Generations, engine.Generation{ID: k.mark.Run, Made: k.mark.Made})
		if k.mark.Pending {
			state.Switched = k.mark.By
		}
	}
	return nil
}

// readClaim reads understudy's own table in the target; nil if it has none. A
// database made as a copy of another brings that one's marker along, which claims
// nothing here: copyOf is then the other's name.
func readClaim(ctx context.Context, c *conn, database string) (g *engine.Generation, manifest []byte, copyOf string, err error) {
	is, err := c.value(ctx, "look for the claim", `
		SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'generation' AND c.relkind = 'r'`, markSchema)
	switch {
	case err != nil || is == "":
		return nil, nil, "", err
	case is != "t": // claimed, but what stands in it is not for this role
		return &engine.Generation{Present: true}, nil, "", nil
	}
	rows, err := c.query(ctx, "read the claim", `SELECT run, made, manifest, pg_catalog.to_jsonb(g) ->> 'database' FROM `+quote(markSchema)+`.generation g ORDER BY made DESC LIMIT 1`)
	if err != nil || len(rows) == 0 {
		return nil, nil, "", err
	}
	if of := rows[0][3]; of != nil && string(of) != database {
		return nil, nil, string(of), nil
	}
	made, _ := parseInstant(string(rows[0][1]))
	manifest = rows[0][2]
	if len(manifest) == 0 { // understudy did not load it
		manifest = nil
	}
	return &engine.Generation{ID: string(rows[0][0]), Made: made, Present: true}, manifest, "", nil
}

// parseInstant reads a timestamptz as our sessions write it (ISO, UTC).
func parseInstant(text string) (time.Time, error) {
	t, err := time.Parse("2006-01-02 15:04:05.999999999-07", text)
	return t.UTC(), err
}

// filledTables lists the tables that hold any row, a partitioned table as one,
// and those the role may not read. One whose rows are hidden from the role is
// in neither list: it is an obstacle of its own.
func filledTables(ctx context.Context, c *conn) (filled, closed []schema.Name, err error) {
	rows, err := c.query(ctx, "list the tables", `
		SELECT n.nspname, c.relname, c.relkind, 
			pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'), c.relispartition, pg_catalog.row_security_active(c.oid)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT `+serverSchemas+` AND `+notExtensions+`
		ORDER BY n.nspname, c.relname`)
	if err != nil {
		return nil, nil, err
	}
	var ask []schema.Name
	var only []string
	for _, r := range rows {
		name := schema.Name{Schema: string(r[0]), Table: string(r[1])}
		switch {
		case !isTrue(r[3]):
			closed = append(closed, name)
		case isTrue(r[4]), isTrue(r[5]): // its root is asked, or nobody can be
		case letter(r[2]) == 'p':
			ask, only = append(ask, name), append(only, quoteName(name))
		default:
			ask, only = append(ask, name), append(only, "ONLY "+quoteName(name))
		}
	}
	for start := 0; start < len(ask); start += 100 {
		end := min(start+100, len(ask))
		var parts []string
		for i := start; i < end; i++ {
			parts = append(parts, fmt.Sprintf("SELECT %d WHERE EXISTS (SELECT FROM %s LIMIT 1)", i, only[i]))
		}
		found, err := c.queryRows(ctx, "look for rows in the target", strings.Join(parts, " UNION ALL "))
		if err != nil {
			return nil, nil, err
		}
		for _, r := range found {
			if i, err := strconv.Atoi(string(r[0])); err == nil {
				filled = append(filled, ask[i])
			}
		}
	}
	slices.SortFunc(filled, schema.Name.Compare)
	return filled, closed, nil
}

// freeSequences lists the sequences of which no column tells how far they are, so
// that they have to be read.
func freeSequences(ctx context.Context, c *conn) ([]schema.Name, error) {
	list, err := sequences(ctx, c)
	var free []schema.Name
	for _, s := range list {
		if !s.counted() {
			free = append(free, s.name)
		}
	}
	return free, err
}

// obstacles finds what would stop a new generation here, each with its remedy,
// and what the switch would change beside rows.
func obstacles(ctx context.Context, c *conn, f *standing) (obstacles, notes []string, err error) {
	say := func(format string, args ...any) { obstacles = append(obstacles, fmt.Sprintf(format, args...)) }
	role, database := quote(f.role), quote(f.database.name)
	if f.standby {
		say("the server is a standby, which cannot be written: use the primary's address")
	}
	if name := f.database.name; name == "template0" || name == "template1" {
		say("%s is the template of the databases that are made on this server, and each of them would hold the rows: name a database of staging's own", name)
	}
	if f.database.name == maintenanceDatabase {
		say("the database %s is where clients and runs meet to make and rename others, so it cannot change places with one: name a database of staging's own, or write `load: {mode: replace}` in the job", database)
	}
	if !f.createdb {
		say("the role %s may not create databases: ALTER ROLE %s CREATEDB; or write `load: {mode: replace}` in the job, for which owning the tables is enough", role, role)
	}
	if !f.owns {
		say("the role %s does not own the database %s: ALTER DATABASE %s OWNER TO %s", role, database, database, role)
	}
	for _, q := range obstacleQueries() {
		if q.superuser && f.superuser || q.since > f.version {
			continue
		}
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
		text := fmt.Sprintf(q.say, strings.Join(names, ", "))
		if q.note {
			notes = append(notes, text)
		} else {
			obstacles = append(obstacles, text)
		}
	}
	if !f.mayGiveAway {
		notes = append(notes, fmt.Sprintf("objects of other owners (%s) will belong to %s afterwards: to keep them, connect as a superuser, or as a member of those roles where they own the schema too", strings.Join(f.others, ", "), role))
	}
	if len(f.lost) > 0 {
		notes = append(notes, fmt.Sprintf("default privileges that the roles %s set will be missing afterwards, because %s may not act for them: to keep them, connect as a superuser, or as a member of those roles", strings.Join(f.lost, ", "), role))
	}
	return obstacles, notes, nil
}

type obstacleQuery struct {
	superuser bool   // no obstacle for a superuser
	since     int    // the first version that has what is asked for; 0 for all
	note      bool   // tell it, do not refuse
	sql, say  string // one name a row; %s is the names
}

func obstacleQueries() []obstacleQuery {
	return []obstacleQuery{
		{sql: `SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database() HAVING count(*) > 0`,
			say: "%s prepared transactions are open in the target, so it cannot be renamed: COMMIT PREPARED or ROLLBACK PREPARED them"},
		{sql: `SELECT pg_catalog.quote_ident(slot_name) FROM pg_catalog.pg_replication_slots WHERE database = pg_catalog.current_database() ORDER BY 1`,
			say: "replication slots hang on the target, so it cannot be replaced: SELECT pg_drop_replication_slot(...) for %s"},
		{sql: `SELECT pg_catalog.quote_ident(subname) FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database() ORDER BY 1`,
			say: "the target subscribes to another database, whose rows would mix with ours: DROP SUBSCRIPTION %s"},
		{sql: `SELECT count(*) FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0`,
			say: "the target holds %s large objects, which are not carried over: remove them (vacuumlo, or lo_unlink) if nobody needs them"},
		{superuser: true, sql: `
			SELECT a.pid || ' (' || pg_catalog.quote_ident(coalesce(a.usename, '')) || ')' FROM pg_catalog.pg_stat_activity a
			JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
			WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
				AND (r.rolsuper OR NOT (pg_catalog.pg_has_role(r.oid, 'MEMBER') OR pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER'))) ORDER BY a.pid`,
			say: "sessions on the target that the role may not end stand in the way of the switch, process %s: close them, or GRANT pg_signal_backend (a superuser's session only a superuser can end)"},
		{superuser: true, sql: `
			SELECT pg_catalog.quote_ident(e.extname) FROM pg_catalog.pg_extension e WHERE e.extname <> 'plpgsql' AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_available_extensions x JOIN pg_catalog.pg_available_extension_versions v ON v.name = x.name AND v.version = x.default_version
				WHERE v.name = e.extname AND (NOT v.superuser OR coalesce((to_jsonb(v) ->> 'trusted')::boolean, false))) ORDER BY 1`,
			say: "only a superuser may create the extensions %s in a new database: connect as one"},
		{superuser: true, sql: `SELECT pg_catalog.quote_ident(pubname) FROM pg_catalog.pg_publication WHERE puballtables ORDER BY 1`,
			say: "only a superuser may create publications FOR ALL TABLES in a new database: connect as one, or DROP PUBLICATION %s"},
		{superuser: true, since: 150000, sql: `SELECT DISTINCT pg_catalog.quote_ident(pubname) FROM pg_catalog.pg_publication p JOIN pg_catalog.pg_publication_namespace n ON n.pnpubid = p.oid ORDER BY 1`,
			say: "only a superuser may create publications FOR TABLES IN SCHEMA in a new database: connect as one, or DROP PUBLICATION %s"},
		// A database's owner is a member of pg_database_owner, who owns public since 15, but before
		// 16 by inheritance alone (PostgreSQL's manual, Predefined Roles).
		{superuser: true, since: 150000, sql: `SELECT pg_catalog.quote_ident(rolname) FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT rolinherit
			AND current_setting('server_version_num')::int < 160000 AND EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public')`,
			say: "the role %[1]s is NOINHERIT, so it may make nothing in schema public of a database of its own: ALTER ROLE %[1]s INHERIT"},
		{superuser: true, sql: superuserObjects("true"), say: superuserSay},
		{superuser: true, sql: `
			SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p') AND NOT ` + serverSchemas + ` AND pg_catalog.row_security_active(c.oid) ORDER BY 1`,
			say: "row-level security would hide rows of %s from the role, so they could be neither counted nor carried: ALTER ROLE ... BYPASSRLS, or connect as a superuser"},
		{superuser: true, note: true, sql: `SELECT pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger ORDER BY 1`,
			say: "event triggers will be missing afterwards, because only a superuser may create them: %s"},
		{note: true, sql: manyPartitions("true"), say: manyPartitionsSay},
	}
}

// manyPartitions lists the tables with so many partitions that building them
// takes long, each with their number.
func manyPartitions(where string) string {
	return `SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) || ' (' || count(*) || ')'
		FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhparent JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'p' AND NOT ` + serverSchemas + ` AND ` + where + ` GROUP BY n.nspname, c.relname HAVING count(*) >= 2000 ORDER BY 1`
}

const manyPartitionsSay = "the server attaches partitions one by one and looks at all others each time, which takes with the square of their number - a quarter of a minute for 2,000, four minutes and more for 10,000: %s"
