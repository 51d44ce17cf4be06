package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// What production's structure needs of a server and the target's lacks is told
// before anything is made, each with its remedy.
func TestFitOfASourcesStructure(t *testing.T) {
	here, there := scratchtest.Own(t, scratch.Options{}), scratchtest.Database(t)
	production := scratchtest.DatabaseOn(t, here.URL("postgres"))
	scratchtest.SQL(t, production, `CREATE ROLE "app Team"; CREATE ROLE analyst; CREATE SCHEMA app; CREATE TABLE app.u (id int PRIMARY KEY, who text); CREATE TABLE plain (id int);
		CREATE POLICY sees ON app.u TO "app Team" USING (true); CREATE POLICY all_of_it ON app.u TO PUBLIC USING (true); GRANT SELECT ON app.u TO analyst;
		CREATE EXTENSION postgres_fdw; CREATE FUNCTION lower_too(text) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'lower';`)
	source := sourceAt(t, production, engine.Limits{})
	staging := scratchtest.Role(t, there, "ALTER ROLE %s CREATEDB", "ALTER DATABASE "+quote(databaseOf(t, there))+" OWNER TO %s")
	fit := func(address string, schemas ...string) (obstacles, notes string) {
		t.Helper()
		o, n, err := openTarget(t, address).Fit(t.Context(), source, schemas)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(o, "\n"), strings.Join(n, "\n")
	}
	obstacles, notes := fit(staging)
	for _, want := range []string{`the role "app Team", which the target's server lacks (policy sees of app.u): CREATE ROLE "app Team" NOLOGIN`,
		`only a superuser may create the extensions "postgres_fdw"`, "only a superuser may make function public.lower_too(text)"} {
		if !strings.Contains(obstacles, want) {
			t.Errorf("missing %q in\n%s", want, obstacles)
		}
	}
	if !strings.Contains(notes, "privileges that production grants to analyst are not carried over") {
		t.Errorf("notes: %s", notes)
	}
	if obstacles, notes = fit(staging, "public"); strings.Contains(obstacles, "app Team") || strings.Contains(notes, "analyst") || !strings.Contains(obstacles, "lower_too") {
		t.Errorf("of the schema public alone: %s; %s", obstacles, notes)
	}
	if obstacles, _ = fit(there); strings.Count(obstacles, "\n") != 0 || !strings.Contains(obstacles, "app Team") {
		t.Errorf("for a superuser: %s", obstacles)
	}
	// A plan that was not heeded fails by name and leaves nothing.
	_, err := refresh(t.Context(), source, openTarget(t, there), quietSpec("r1"), true)
	var e *engine.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "policy app.u sees: a role that it names does not exist") || !strings.Contains(e.Hint, "CREATE ROLE") {
		t.Errorf("without the role: %v", err)
	}
	if left := besides(t, there); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// Policies go with the structure once their roles are there.
func TestPoliciesOfASource(t *testing.T) {
	production, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, production, `CREATE TABLE u (id int PRIMARY KEY, who text); INSERT INTO u VALUES (1, 'a'); ALTER TABLE u ENABLE ROW LEVEL SECURITY; CREATE POLICY sees ON u TO pg_read_all_settings USING (who = current_user);`)
	tg, source := openTarget(t, staging), sourceAt(t, production, engine.Limits{})
	if obstacles, _, err := tg.Fit(t.Context(), source, nil); err != nil || len(obstacles) != 0 {
		t.Errorf("obstacles: %v, %v", obstacles, err)
	}
	mustRefresh(t, source, tg, quietSpec("r1"), true)
	const policies = `SELECT schemaname, tablename, policyname, roles, qual, (SELECT relrowsecurity FROM pg_class WHERE oid = 'u'::regclass) FROM pg_policies`
	same(t, "policies", scratchtest.Query(t, production, policies), scratchtest.Query(t, staging, policies))
}

// A role with SELECT and a policy is told that rows are hidden from it: for whole
// tables before any is read, and never as a missing privilege.
func TestRowSecurityOfASource(t *testing.T) {
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, `CREATE SCHEMA app; CREATE TABLE app.u (id int PRIMARY KEY, who text); CREATE TABLE app.plain (id int PRIMARY KEY); INSERT INTO app.u VALUES (1, 'a'), (2, 'b');
		ALTER TABLE app.u ENABLE ROW LEVEL SECURITY; CREATE POLICY everything ON app.u USING (true);
		CREATE TABLE app.off (id int PRIMARY KEY); CREATE POLICY dormant ON app.off USING (false);`)
	reader := scratchtest.Role(t, production)
	s := sourceAt(t, reader, engine.Limits{})
	structure, snap := openSnapshot(t, s)
	var names []schema.Name
	for _, table := range structure.Tables {
		names = append(names, table.Name)
	}
	withheld, err := s.Withheld(t.Context(), names)
	if err != nil || len(withheld) != 1 || withheld[0].Table.String() != "app.u" || !strings.Contains(withheld[0].Hint, "BYPASSRLS") || !strings.Contains(withheld[0].Hint, "owner") {
		t.Errorf("withheld: %+v, %v", withheld, err)
	}
	var e *engine.Error
	for _, err := range snap.Read(t.Context(), engine.Read{Table: mustTable(t, structure, "app.u"), Columns: []string{"id", "who"}}) {
		if !errors.As(err, &e) || e.Code != engine.Denied || !strings.Contains(e.Error(), "app.u: row-level security would hide rows") || !strings.Contains(e.Hint, "BYPASSRLS") {
			t.Errorf("reading: %v", err)
		}
	}
	if withheld, err = sourceAt(t, production, engine.Limits{}).Withheld(t.Context(), names); err != nil || len(withheld) != 0 {
		t.Errorf("from a superuser is withheld: %+v, %v", withheld, err)
	}
}

// A target's obstacles are known from its state: sequences that may not be read,
// rows that are hidden, publications of other owners.
func TestObstaclesOfOthers(t *testing.T) {
	staging, role := owned(t)
	admin := scratchtest.Database(t) // a superuser's address, for its user and password
	super := strings.Replace(admin, databaseOf(t, admin), databaseOf(t, staging), 1)
	scratchtest.SQL(t, super, `CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO `+quote(role)+`;
		CREATE SEQUENCE shared; CREATE TABLE counted (id serial PRIMARY KEY); GRANT SELECT ON counted TO `+quote(role)+`;
		CREATE TABLE secured (id int); GRANT SELECT ON secured TO `+quote(role)+`; ALTER TABLE secured ENABLE ROW LEVEL SECURITY;`)
	tg := openTarget(t, staging)
	state, err := tg.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(state.Obstacles, "\n")
	for _, want := range []string{"may not read the sequence public.shared", "GRANT SELECT ON SEQUENCE public.shared TO " + role, "row-level security would hide rows of public.secured"} {
		if !strings.Contains(all, want) {
			t.Errorf("missing %q in\n%s", want, all)
		}
	}
	if strings.Contains(all, "public.counted") {
		t.Errorf("a sequence that its column tells about is no obstacle: %s", all)
	}
}

// A publication, and tables, of other owners belong to the role afterwards, as
// its state says; those of a role that may own them in a new database stay.
func TestOwnersOfPublicationsAndTables(t *testing.T) {
	production := scratchtest.Database(t)
	const structure = `CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE s.other (id int PRIMARY KEY);`
	scratchtest.SQL(t, production, "CREATE SCHEMA s; "+structure)
	for _, member := range []bool{false, true} {
		staging, role := owned(t)
		admin := scratchtest.Database(t)
		super := strings.Replace(admin, databaseOf(t, admin), databaseOf(t, staging), 1)
		team := "team_" + role
		grant := ""
		if member {
			grant = "GRANT " + quote(team) + " TO " + quote(role) + ";"
		}
		scratchtest.SQL(t, super, "CREATE ROLE "+quote(team)+";"+grant+"CREATE SCHEMA s AUTHORIZATION "+quote(team)+";"+structure+"ALTER TABLE t OWNER TO "+quote(role)+"; ALTER TABLE s.other OWNER TO "+quote(team)+
			"; GRANT USAGE ON SCHEMA s TO "+quote(role)+"; GRANT SELECT ON s.other TO "+quote(role)+"; CREATE PUBLICATION news FOR TABLE t;")
		t.Cleanup(func() {
			undo, cancel := context.WithTimeout(context.Background(), 20*time.Second) // undo: the test's context is over
			defer cancel()
			_ = scratch.SQL(undo, super, "DROP OWNED BY "+quote(team)+" CASCADE; DROP ROLE "+quote(team))
		})
		if member {
			scratchtest.SQL(t, super, "ALTER PUBLICATION news OWNER TO "+quote(role))
		}
		tg := openTarget(t, staging)
		state, err := tg.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(strings.Join(state.Notes, "\n"), "will belong to"); told == member || len(state.Obstacles) != 0 {
			t.Errorf("member %v: notes %v, obstacles %v", member, state.Notes, state.Obstacles)
		}
		mustRefresh(t, sourceAt(t, production, engine.Limits{}), tg, quietSpec("r1"), false)
		want := role
		if member {
			want = team
		}
		if got := scratchtest.Query(t, staging, `SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 's.other'::regclass`); got != want {
			t.Errorf("member %v: the table belongs to %s, not %s", member, got, want)
		}
		if got := scratchtest.Query(t, staging, `SELECT pg_get_userbyid(pubowner) || ' ' || (SELECT count(*) FROM pg_publication_rel) FROM pg_publication`); got != role+" 1" {
			t.Errorf("member %v: publication of %s", member, got)
		}
	}
}

// What PUBLIC may not do in production it may not do in a copy of its structure.
func TestPublicIsNotLetInMore(t *testing.T) {
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, `CREATE SCHEMA "in"; CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE sq; CREATE TYPE mood AS ENUM ('x'); CREATE DOMAIN "in"."D" AS int;
		CREATE FUNCTION secret(a text, b int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION open() RETURNS int LANGUAGE sql AS 'SELECT 1';
		CREATE PROCEDURE "in"."Do"() LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE summed(int) (SFUNC = int4pl, STYPE = int);
		REVOKE ALL ON FUNCTION secret FROM PUBLIC; REVOKE ALL ON PROCEDURE "in"."Do" FROM PUBLIC; REVOKE ALL ON FUNCTION summed FROM PUBLIC;
		REVOKE ALL ON TYPE mood, "in"."D" FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT SELECT ON t TO PUBLIC;`)
	const allowed = `SELECT name, has_function_privilege('public', name, 'EXECUTE') FROM (VALUES ('secret(text, int[])'), ('open()'), ('"in"."Do"()'), ('summed(int)')) v (name)
		UNION ALL SELECT name, has_type_privilege('public', name, 'USAGE') FROM (VALUES ('mood'), ('"in"."D"')) v (name)
		UNION ALL SELECT 'public', has_schema_privilege('public', 'public', 'USAGE') ORDER BY 1`
	staging, _ := owned(t)
	tg, source := openTarget(t, staging), sourceAt(t, production, engine.Limits{})
	for _, foreign := range []bool{true, false} { // the second time it is the target's own structure
		spec := quietSpec(map[bool]string{true: "r1", false: "r2"}[foreign])
		mustRefresh(t, source, tg, spec, foreign)
		same(t, "PUBLIC", scratchtest.Query(t, production, allowed), scratchtest.Query(t, staging, allowed))
		if got := scratchtest.Query(t, staging, "SELECT has_table_privilege('public', 't', 'SELECT')"); got != "f" {
			t.Error("what production opens is not opened in the target")
		}
	}
}

// A generation from before the first refresh that a rollback puts back stands in
// a claimed target, and its kept successor can come back.
func TestRollbackBeforeTheFirstRefresh(t *testing.T) {
	production, _ := pair(t)
	staging, _ := owned(t)
	scratchtest.SQL(t, staging, small+"INSERT INTO flags VALUES ('original', true)")
	tg, source := openTarget(t, staging), openSource(t, production)
	mustRefresh(t, source, tg, quietSpec("r1"), false)
	for _, c := range []struct {
		to, manifest, rows string
	}{{"before-r1", "", "original"}, {"r1", `{"run":"r1"}`, "\\N"}, {"before-r1", "", "original"}} {
		if err := tg.Rollback(t.Context(), c.to); err != nil {
			t.Fatal(err)
		}
		state, err := tg.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !state.Claimed || string(state.Manifest) != c.manifest || (state.Manifest == nil) != (c.manifest == "") || state.Generations[0].ID != c.to {
			t.Errorf("after the rollback to %s: %+v", c.to, state)
		}
		if got := scratchtest.Query(t, staging, "SELECT string_agg(name, ' ') FROM flags"); got != c.rows {
			t.Errorf("after the rollback to %s: %s", c.to, got)
		}
	}
	mustRefresh(t, source, tg, quietSpec("r2"), false)
}

// Whoever changes a table, or waits to, is named when we give up on its lock;
// what it runs is not.
func TestChangeOfStructureInTheWay(t *testing.T) {
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)")
	s := sourceAt(t, scratchtest.Role(t, production), engine.Limits{LockWait: 200 * time.Millisecond})
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	try := func(want ...string) {
		t.Helper()
		_, err := s.Snapshot(t.Context(), structure)
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Timeout || e.Table.Table != "b" || !strings.Contains(e.Hint, "when that change is through") {
			t.Fatalf("error: %v", err)
		}
		for _, w := range want {
			if !strings.Contains(e.Error(), w) {
				t.Errorf("%q is not in: %v", w, err)
			}
		}
		if strings.Contains(e.Error(), "canary") {
			t.Errorf("the query is quoted: %v", err)
		}
	}
	exec := func(c *conn, sql string) {
		t.Helper()
		if err := c.exec(t.Context(), "try it", sql); err != nil {
			t.Fatal(err)
		}
	}
	reader, waiter, watcher := sessionOn(t, production), sessionOn(t, production), sessionOn(t, production)
	exec(reader, "BEGIN; SELECT 'canary' FROM public.b") // in front of a change that waits
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- waiter.exec(ctx, "wait", "SET lock_timeout = 0; SET application_name = psql; ALTER TABLE public.b ADD canary int")
	}()
	for waits := "0"; waits == "0"; {
		if waits, err = watcher.value(t.Context(), "look", "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'public.b'::regclass"); err != nil {
			t.Fatal(err)
		}
	}
	try("process ", "(another program) waits to change a table, table public.b")
	cancel()
	<-done
	exec(reader, "COMMIT")
	holder := sessionOn(t, production)
	exec(holder, "SET application_name = 'understudy 42 indexes'; BEGIN; ALTER TABLE public.b ADD canary int")
	try(fmt.Sprintf("process %d (run 42 indexes) is changing a table, table public.b", holder.PID()))
	exec(holder, "ROLLBACK")
	snap, err := s.Snapshot(t.Context(), structure)
	if err != nil {
		t.Fatal(err)
	}
	_ = snap.Close()
}

// sessionOn opens a session of the test's own.
func sessionOn(t *testing.T, url string) *conn {
	t.Helper()
	at, err := parseAddress(secretOf(url))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), at, session{name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.hangUp)
	return c
}
