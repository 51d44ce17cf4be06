package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// journal has tables large enough that a replace takes only what changed since the last.
const journal = `CREATE TABLE log (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, tag text, pad text); CREATE TABLE pages (id int PRIMARY KEY, a int, b int, pad text);
	CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$; CREATE TRIGGER touch BEFORE UPDATE ON pages FOR EACH ROW EXECUTE FUNCTION touch();
	CREATE FUNCTION ordered(pages) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1.a < $1.b'; ALTER TABLE pages ADD CHECK (ordered(pages.*)), ADD CHECK (tableoid <> 0);
	CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log (tag) SELECT command_tag FROM pg_event_trigger_ddl_commands() WHERE schema_name = 'public'; END $$;`

const journalRows = `INSERT INTO log (tag, pad) SELECT 'x' || g, repeat('p', 200) FROM generate_series(1, 6000) g; INSERT INTO pages SELECT g, g, g + 1, repeat('x', 200) FROM generate_series(1, 8000) g; ANALYZE;`

const journalRules = `version: 1
tables:
  log: {columns: {id: {keep: "a number"}, tag: {keep: "a word"}, pad: {keep: "filler"}}}
  pages: {columns: {id: {keep: "a number"}, a: {keep: "a number"}, b: {keep: "a number"}, pad: {keep: "filler"}}}
`

func journalErrand(t *testing.T, ddl string) (e *errand, prod, staging string) {
	t.Helper()
	prod, staging = scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, journal+journalRows)
	scratchtest.SQL(t, staging, journal+ddl)
	return newErrand(t, prod, staging, plainJob(inPlaceJob), map[string]string{"r.yaml": journalRules}), prod, staging
}

// Rows that a trigger of the target's events writes into a table of which only what
// changed was taken are found, as they are in others; checks of whole rows are proved.
func TestReplaceFindsWhatEventsWriteWhereItContinues(t *testing.T) {
	t.Parallel()
	e, prod, staging := journalErrand(t, "")
	e.run(t, 0, "refresh")
	scratchtest.SQL(t, prod, "UPDATE pages SET b = b + 1 WHERE id = 7")
	e.run(t, 0, "refresh").wants(t, "all passed")
	e.run(t, 0, "refresh").wants(t, "all passed")
	scratchtest.SQL(t, staging, "CREATE EVENT TRIGGER note ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION note()")
	scratchtest.SQL(t, prod, "UPDATE pages SET b = b + 1 WHERE id = 7")
	before := sortedDump(t, staging)
	e.run(t, 5, "refresh").wants(t, "log")
	same(t, "staging after a refused refresh", before, sortedDump(t, staging))
	scratchtest.SQL(t, staging, "ALTER EVENT TRIGGER note DISABLE")
	e.run(t, 0, "refresh")
	wantQuery(t, "rows", staging, "SELECT (SELECT count(*) FROM log), (SELECT b FROM pages WHERE id = 7)", "6000|10")
}

// A database may have all its sessions be replicas: what fires in those is silenced.
func TestReplaceSilencesTriggersOfReplicas(t *testing.T) {
	t.Parallel()
	e, prod, staging := journalErrand(t, `CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.a := -1; RETURN new; END';
		CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON pages FOR EACH ROW EXECUTE FUNCTION spoil(); ALTER TABLE pages ENABLE REPLICA TRIGGER spoil;
		CREATE RULE spoil AS ON INSERT TO log DO ALSO DELETE FROM pages WHERE id = 1; ALTER TABLE log ENABLE REPLICA RULE spoil;
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$;`)
	for range 2 {
		e.run(t, 0, "refresh")
		wantQuery(t, "rows as in production", staging, "SELECT count(*), count(*) FILTER (WHERE a <> id) FROM pages", "8000|0")
		wantQuery(t, "the trigger and the rule as they were", staging, "SELECT (SELECT tgenabled FROM pg_trigger WHERE tgname = 'spoil'), (SELECT ev_enabled FROM pg_rewrite WHERE rulename = 'spoil')", "R|R")
		scratchtest.SQL(t, prod, "UPDATE pages SET pad = 'new' WHERE id = 8; INSERT INTO log (tag) VALUES ('new')")
	}
}

// A publication in the target that cannot tell which rows change or go is told of, and
// why an exchange fails by it; a sequence that somebody set back is set on again although
// its table's rows stay.
func TestReplaceUnderPublicationsAndSetBackSequences(t *testing.T) {
	t.Parallel()
	const ddl = `CREATE TABLE bare (x int, v text); CREATE TABLE t (id int PRIMARY KEY, v text); CREATE SEQUENCE ts OWNED BY t.id; ALTER TABLE t ALTER id SET DEFAULT nextval('ts');`
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, ddl+"INSERT INTO bare SELECT g, 'v' FROM generate_series(1, 10) g; INSERT INTO t SELECT g, 'v' FROM generate_series(1, 100) g")
	scratchtest.SQL(t, staging, ddl+"CREATE PUBLICATION changes FOR ALL TABLES")
	e := newErrand(t, prod, staging, plainJob(inPlaceJob), map[string]string{"r.yaml": `version: 1
tables:
  bare: {columns: {x: {keep: "a number"}, v: {keep: "a word"}}}
  t: {columns: {id: {keep: "a number"}, v: {keep: "a word"}}}
`})
	plan := e.run(t, 0, "plan")
	plan.wants(t, "public.bare", "REPLICA IDENTITY FULL")
	if strings.Contains(plan.all(), "public.t (") {
		t.Error("a table with a key is told of")
	}
	e.run(t, 0, "refresh")
	wantQuery(t, "the sequence", staging, "SELECT last_value FROM ts", "100")
	scratchtest.SQL(t, staging, "ALTER SEQUENCE ts RESTART 2")
	e.run(t, 0, "refresh").wants(t, "all passed")
	wantQuery(t, "the next number", staging, "SELECT nextval('ts')", "101")
	scratchtest.SQL(t, prod, "DELETE FROM bare WHERE x = 4")
	e.run(t, 6, "refresh").wants(t, "a publication of the table", "REPLICA IDENTITY FULL")
	scratchtest.SQL(t, staging, "ALTER TABLE bare REPLICA IDENTITY FULL")
	e.run(t, 0, "refresh")
	wantQuery(t, "rows", staging, "SELECT count(*) FROM bare", "9")
}

// A new generation's event triggers are made when nothing else is: they would write rows.
func TestSwapMakesEventTriggersLast(t *testing.T) {
	t.Parallel()
	e, prod, staging := journalErrand(t, "CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION note(); COMMENT ON EVENT TRIGGER note IS 'an audit'; DELETE FROM log")
	scratchtest.SQL(t, prod, "ALTER TABLE pages ADD FOREIGN KEY (a) REFERENCES pages")
	e.write(t, "understudy.yaml", plainJob("load: {mode: swap, keep: 0}"))
	e.run(t, 0, "refresh")
	wantQuery(t, "rows and the trigger", staging, "SELECT (SELECT count(*) FROM log), obj_description(oid, 'pg_event_trigger') FROM pg_event_trigger", "6000|an audit")
	e.run(t, 0, "verify")
}
