package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// plain gives a staging whose tables belong to a role that may make no database
// and does not own this one either.
func plain(t *testing.T, structure string) (address, role string) {
	t.Helper()
	owner := scratchtest.Database(t)
	address = scratchtest.Role(t, owner, "GRANT CREATE, TEMP ON DATABASE "+quote(databaseOf(t, owner))+" TO %s", "GRANT ALL ON SCHEMA public TO %s")
	scratchtest.SQL(t, address, structure)
	return address, scratchtest.Query(t, address, "SELECT current_user")
}

func openInPlace(t testing.TB, address string) *inPlace {
	t.Helper()
	return openTarget(t, address).InPlace().(*inPlace)
}

// catalogOf lists what an exchange leaves alone, with the server's own numbers.
func catalogOf(t *testing.T, address string) string {
	t.Helper()
	return scratchtest.Query(t, address, `
		SELECT 'class', c.oid, c.relname, c.relkind, c.relowner, c.relacl::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL SELECT 'constraint', o.oid, o.conname, o.contype, o.convalidated::int, pg_get_constraintdef(o.oid) FROM pg_constraint o WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT 'trigger', g.oid, g.tgname, g.tgenabled, 0, '' FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL SELECT 'rule', r.oid, r.rulename, r.ev_enabled, 0, '' FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL SELECT 'function', p.oid, p.proname, p.prokind, p.proowner, p.proacl::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
		ORDER BY 1, 2`)
}

func leftInPlace(t *testing.T, address string) string {
	t.Helper()
	return scratchtest.Query(t, address, `SELECT nspname FROM pg_namespace WHERE nspname = 'understudy_next'`)
}

func TestReplaceByAnOwnerOfTables(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small+`
		CREATE VIEW totals AS SELECT parent_id, sum(amount) FROM child GROUP BY 1;
		CREATE MATERIALIZED VIEW names AS SELECT id, name FROM parent; CREATE UNIQUE INDEX ON names (id);
		CREATE FUNCTION many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.child';
		GRANT SELECT ON parent TO PUBLIC;
		CREATE RULE loud AS ON INSERT TO parent DO ALSO INSERT INTO log VALUES ('rule');
		INSERT INTO parent (name) SELECT 'old ' || i FROM generate_series(1, 30) i;
		ALTER TABLE child DISABLE TRIGGER USER; INSERT INTO child (parent_id, amount) SELECT 1 + i % 30, i FROM generate_series(1, 60) i; ALTER TABLE child ENABLE ALWAYS TRIGGER note;
		UPDATE parent SET favourite = 60 - id; TRUNCATE log; INSERT INTO log SELECT 'old' FROM generate_series(1, 5)`)
	scratchtest.SQL(t, production, "INSERT INTO log SELECT what FROM generate_series(1, 3), (VALUES ('a'), ('b')) v (what)")
	tg := openInPlace(t, staging)
	state, err := tg.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(state.Obstacles) != 0 || state.Claimed || !strings.Contains(state.Mechanism, "in place") {
		t.Errorf("state before: %+v", state)
	}
	before := catalogOf(t, staging)
	mustRefresh(t, openSource(t, production), tg, quietSpec("r1"), false)
	same(t, "the catalog", before, catalogOf(t, staging))
	rows := func(address string) string {
		return scratchtest.Query(t, address, `SELECT (SELECT md5(string_agg(p::text, '|' ORDER BY id)) FROM parent p), (SELECT md5(string_agg(c::text, '|' ORDER BY id)) FROM child c),
			(SELECT string_agg(what, ',' ORDER BY what) FROM log), (SELECT count(*) FROM flags)`)
	}
	same(t, "rows", rows(production), rows(staging))
	for query, want := range map[string]string{
		"SELECT many()": "200", "SELECT count(*), max(parent_id) FROM totals": "50\t50", "SELECT count(*), min(name) FROM names": "50\tname 1",
		"SELECT run FROM understudy.generation": "r1",
	} {
		if got := scratchtest.Query(t, staging, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if left := leftInPlace(t, staging); left != "" {
		t.Errorf("left behind: %s", left)
	}
	scratchtest.SQL(t, staging, `INSERT INTO parent (name) VALUES ('later'); INSERT INTO child (parent_id, amount) VALUES (1, 1)`)
	if got := scratchtest.Query(t, staging, "SELECT max(p.id), max(c.id), (SELECT count(*) FROM log) FROM parent p, child c"); got != "51\t201\t8" {
		t.Errorf("the next numbers, and the triggers' and rules' rows: %s", got)
	}
	if state, err = tg.State(t.Context()); err != nil || !state.Claimed || string(state.Manifest) != `{"run":"r1"}` || len(state.Generations) != 1 {
		t.Errorf("state afterwards: %+v, %v", state, err)
	}
}

// A refresh of rows that hardly changed writes hardly anything.
func TestReplaceWritesWhatChanged(t *testing.T) {
	const structure = `CREATE TABLE event (id int PRIMARY KEY, at timestamptz, what text, body json); CREATE TABLE heap (a int, b text);`
	production, _ := pair(t)
	scratchtest.SQL(t, production, structure+`
		INSERT INTO event SELECT i, 'epoch'::timestamptz + i * interval '1 second', 'what ' || i, '{"a": 1}' FROM generate_series(1, 20000) i; INSERT INTO heap SELECT i % 1000, 'x' FROM generate_series(1, 5000) i`)
	staging, _ := plain(t, small+structure)
	tg, source := openInPlace(t, staging), openSource(t, production)
	mustRefresh(t, source, tg, quietSpec("r1"), false)
	counts := func(inserted int) (out [9]int) {
		t.Helper()
		// The server counts what a session did when it ends.
		for range 500 {
			text := scratchtest.Query(t, staging, `SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname IN ('child', 'event', 'heap') ORDER BY relname`)
			now := [9]int{}
			for i, f := range strings.Fields(text) {
				now[i], _ = strconv.Atoi(f)
			}
			if now == out && now[3] >= inserted {
				return now
			}
			out = now
			_ = wait(t.Context(), 100*time.Millisecond)
		}
		t.Fatal("the server's counters do not settle")
		return out
	}
	before := counts(20000)
	scratchtest.SQL(t, production, "UPDATE event SET what = 'changed' WHERE id % 100 = 0; DELETE FROM event WHERE id IN (7, 8); INSERT INTO event VALUES (20001), (20002), (20003); DELETE FROM heap WHERE ctid IN (SELECT ctid FROM heap WHERE a = 5 LIMIT 2); INSERT INTO heap VALUES (6, 'x')")
	mustRefresh(t, source, tg, quietSpec("r2"), false)
	after := counts(before[3] + 3)
	for i, want := range []int{0, 0, 0, 3, 200, 2, 1, 0, 2} { // inserted, updated, deleted
		if after[i]-before[i] != want {
			t.Errorf("%s: %d written, want %d", []string{"child", "event", "heap"}[i/3], after[i]-before[i], want)
		}
	}
	same(t, "rows", contents(t, production), contents(t, staging))
}

func TestReplacePreserves(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small)
	scratchtest.SQL(t, staging, `INSERT INTO flags VALUES ('mine', true);
		CREATE TABLE own (parent_id int CONSTRAINT own_parent REFERENCES parent ON DELETE CASCADE, secret text);
		INSERT INTO parent (name) SELECT 'x' || i FROM generate_series(1, 60) i; INSERT INTO own VALUES (3, 'a'), (7, 'b')`)
	spec := quietSpec("r1")
	spec.Preserve = []schema.Name{{Schema: "public", Table: "flags"}, {Schema: "public", Table: "own"}}
	tg, source := openInPlace(t, staging), openSource(t, production)
	mustRefresh(t, source, tg, spec, false)
	if got := scratchtest.Query(t, staging, "SELECT (SELECT string_agg(name, ',') FROM flags), (SELECT count(*) FROM own), (SELECT count(*) FROM parent)"); got != "mine\t2\t50" {
		t.Errorf("rows: %s", got)
	}
	// A preserved row whose parent goes stops the exchange: a cascade would lose it.
	scratchtest.SQL(t, production, "UPDATE parent SET favourite = NULL; DELETE FROM child WHERE parent_id = 7; DELETE FROM parent WHERE id = 7")
	before := contents(t, staging)
	spec.RunID = "r2"
	_, err := refresh(t.Context(), source, tg, spec, false)
	if engine.CodeOf(err) != engine.Constraint || !strings.Contains(err.Error(), "own_parent") {
		t.Errorf("error: %v", err)
	}
	same(t, "staging", before, contents(t, staging))
	if left := leftInPlace(t, staging); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// Readers never wait and never see anything but the old rows or the new ones,
// in a statement or in a snapshot that outlives the exchanges.
func TestReplaceUnderReaders(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small)
	tg, source := openInPlace(t, staging), openSource(t, production)
	renew := func(i int) {
		scratchtest.SQL(t, production, fmt.Sprintf(`DELETE FROM log; INSERT INTO log SELECT 'r%[1]d' FROM generate_series(1, 500); UPDATE parent SET favourite = NULL;
			DELETE FROM child WHERE id %% 9 = %[1]d; UPDATE parent SET name = 'r%[1]d ' || id, favourite = (SELECT max(id) FROM child WHERE parent_id = parent.id)`, i))
		mustRefresh(t, source, tg, quietSpec(fmt.Sprintf("r%d", i)), false)
	}
	renew(0)
	// Of one generation, whichever table is looked at.
	const look = `SELECT min(what) || max(what) || count(*) || (SELECT min(left(name, 2)) || max(left(name, 2)) || count(*) FROM public.parent) FROM public.log`
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	read := func(begin string) <-chan map[string]int {
		out, started := make(chan map[string]int, 1), make(chan struct{})
		go func() {
			seen := map[string]int{}
			defer func() { out <- seen }()
			c, err := connect(ctx, tg.at, session{name: "reader", limits: engine.Limits{LockWait: 50 * time.Millisecond}})
			if err == nil {
				defer c.hangUp()
				err = c.exec(ctx, "begin", begin)
			}
			for n := 0; err == nil && ctx.Err() == nil; n++ {
				var text string
				if text, err = c.value(ctx, "read", look); err == nil {
					seen[text]++
				}
				if n == 0 {
					close(started)
				}
			}
			if ctx.Err() == nil {
				seen[err.Error()]++
			}
		}()
		<-started
		return out
	}
	statements, snapshot := read(""), read("BEGIN ISOLATION LEVEL REPEATABLE READ")
	for i := 1; i <= 5; i++ {
		renew(i)
	}
	late := read("BEGIN ISOLATION LEVEL REPEATABLE READ")
	cancel()
	for text := range <-statements {
		if want := text[:2] + text[:2] + "500" + text[:2] + text[:2] + "50"; text != want {
			t.Errorf("a statement saw %s", text)
		}
	}
	if seen := <-snapshot; len(seen) != 1 || seen["r0r0500r0r050"] < 2 {
		t.Errorf("the snapshot saw %v", seen)
	}
	if seen := <-late; len(seen) != 1 || seen["r5r5500r5r550"] < 1 {
		t.Errorf("the late snapshot saw %v", seen)
	}
}

// What speaks against an exchange is told with its remedy, before a row is read.
func TestReplaceObstacles(t *testing.T) {
	owner := scratchtest.Database(t)
	scratchtest.SQL(t, owner, `CREATE TABLE theirs (id int); ALTER TABLE theirs FORCE ROW LEVEL SECURITY; CREATE MATERIALIZED VIEW stale AS SELECT 1 AS a; CREATE SCHEMA understudy_next; CREATE SCHEMA understudy`)
	poor := scratchtest.Role(t, owner, "GRANT CONNECT ON DATABASE "+quote(databaseOf(t, owner))+" TO %s")
	state, err := openInPlace(t, poor).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(append(state.Obstacles, state.Notes...), "\n")
	for _, want := range []string{"GRANT CREATE ON DATABASE", "does not own public.stale, public.theirs", "row security is forced on the role for public.theirs", "may not read the table public.theirs: GRANT SELECT ON public.theirs TO ",
		"schema understudy_next that is not this target's", "ALTER SCHEMA understudy OWNER TO", "readers of the materialized views public.stale wait"} {
		if !strings.Contains(all, want) {
			t.Errorf("no word of %q in:\n%s", want, all)
		}
	}
	swap, err := openTarget(t, poor).State(t.Context())
	if err != nil || !strings.Contains(strings.Join(swap.Obstacles, "\n"), "load: {mode: replace}") {
		t.Errorf("a role that may make no database is not told of the other way: %+v, %v", swap, err)
	}
	spec := quietSpec("r1")
	spec.Structure = &structure{}
	if _, err := openInPlace(t, poor).Begin(t.Context(), spec); engine.CodeOf(err) != engine.Unsupported {
		t.Errorf("a target without structure: %v", err)
	}
	if err := openInPlace(t, poor).Rollback(t.Context(), ""); err == nil {
		t.Error("a rollback went back to nothing")
	}
}

// What rows break is found before the COMMIT, and told without a value.
func TestReplaceRefusesBadRows(t *testing.T) {
	_, staging := pair(t)
	parent, child := schema.Name{Schema: "public", Table: "parent"}, schema.Name{Schema: "public", Table: "child"}
	scratchtest.SQL(t, staging, "INSERT INTO parent (name) VALUES ('stays')")
	for _, c := range []struct {
		what, rows, children string
		state                string
		table                schema.Name
		constraint           string
	}{
		{"type", "canary-1\tx\n", "", "22P02", parent, ""},
		{"missing", "1\t\\N\n", "", "23502", parent, ""},
		{"unique", "1\tcanary-2\n2\tcanary-2\n", "", "23505", parent, "parent_name_key"},
		{"check", "1\tx\n", "5\t1\t-4711\n", "23514", child, "child_amount_check"},
		{"orphan", "1\tx\n", "5\t4711\t1\n", "23503", child, "child_parent_id_fkey"},
	} {
		before := contents(t, staging)
		tg := openInPlace(t, staging)
		l, err := tg.Begin(t.Context(), quietSpec(c.what))
		if err != nil {
			t.Fatal(err)
		}
		batch := func(raw string) func(func(*engine.Batch, error) bool) {
			return func(yield func(*engine.Batch, error) bool) {
				yield(&engine.Batch{Rows: strings.Count(raw, "\n"), Raw: []byte(raw)}, nil)
			}
		}
		_, err = l.Write(t.Context(), parent, []string{"id", "name"}, batch(c.rows))
		if err == nil {
			_, err = l.Write(t.Context(), child, []string{"id", "parent_id", "amount"}, batch(c.children))
		}
		if err == nil {
			err = l.Finish(t.Context())
		}
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Constraint || e.State != c.state || e.Table != c.table || e.Constraint != c.constraint {
			t.Errorf("%s: %v", c.what, err)
		} else if text := fmt.Sprintf("%v %+v", err, e); strings.Contains(text, "canary") || strings.Contains(text, "4711") || strings.Contains(text, sideSchema) {
			t.Errorf("%s: the error tells %s", c.what, text)
		}
		if err := l.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		same(t, c.what, before, contents(t, staging))
		if left := leftInPlace(t, staging); left != "" {
			t.Errorf("%s: left behind: %s", c.what, left)
		}
		if code := scratchtest.Query(t, staging, "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"); code != "2" {
			t.Errorf("%s: %s foreign keys are left", c.what, code)
		}
	}
}

// A writer in the way is waited for, a structure that changed stops the run.
func TestReplaceMeetsOthers(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small)
	tg, source := openInPlace(t, staging), openSource(t, production)
	tg.limits.LockWait = 100 * time.Millisecond
	writer, err := connect(t.Context(), tg.at, session{name: "writer", limits: engine.Limits{}})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.hangUp()
	if err := writer.exec(t.Context(), "write", "BEGIN; INSERT INTO public.log VALUES ('late')"); err != nil {
		t.Fatal(err)
	}
	spec, tries := quietSpec("r1"), 0
	spec.Step = func(step string) {
		if strings.HasPrefix(step, "lock the tables") {
			if tries++; tries == 3 {
				if err := writer.exec(t.Context(), "write", "COMMIT"); err != nil {
					t.Error(err)
				}
			}
		}
	}
	mustRefresh(t, source, tg, spec, false)
	if tries < 3 {
		t.Errorf("%d tries", tries)
	}
	same(t, "staging", contents(t, production), contents(t, staging))
	spec = quietSpec("r2")
	tg.pauses = func(_ context.Context, at string) error {
		if at == "waiting" {
			scratchtest.SQL(t, staging, "ALTER TABLE log ADD COLUMN more int")
		}
		return nil
	}
	if _, err := refresh(t.Context(), source, tg, spec, false); engine.CodeOf(err) != engine.Changed {
		t.Errorf("a structure that changed: %v", err)
	}
}

// Who waits for a lock that an exchange holds, as a migration does, holds up no
// session of the exchange.
func TestReplaceBeforeOneWhoWaits(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small)
	tg, source := openInPlace(t, staging), openSource(t, production)
	mustRefresh(t, source, tg, quietSpec("r1"), false)
	waiter, err := connect(t.Context(), tg.at, session{name: "waiter", limits: engine.Limits{}})
	if err != nil {
		t.Fatal(err)
	}
	defer waiter.hangUp()
	done := make(chan error, 1)
	spec, tries := quietSpec("r2"), 0
	spec.Writers = 4
	spec.Step = func(step string) {
		switch {
		case strings.HasPrefix(step, "lock the tables"):
			tries++
		case step == "look for late writes" && tries == 1:
			go func() {
				done <- waiter.exec(t.Context(), "wait", "BEGIN; LOCK TABLE public.log IN ACCESS EXCLUSIVE MODE; COMMIT")
			}()
			for len(done) == 0 && !strings.HasPrefix(scratchtest.Query(t, staging, "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'log'::regclass"), "1") {
			}
		}
	}
	mustRefresh(t, source, tg, spec, false)
	if tries != 1 {
		t.Errorf("it had to lock the tables %d times", tries)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	same(t, "staging", contents(t, production), contents(t, staging))
}

// Rows that break what production never proved come along, as production has them.
func TestReplaceKeepsWhatIsNotProved(t *testing.T) {
	const before, after = `CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, v int);`,
		`ALTER TABLE c ADD CONSTRAINT known FOREIGN KEY (p) REFERENCES p NOT VALID; ALTER TABLE c ADD CONSTRAINT positive CHECK (v > 0) NOT VALID;`
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, before+"INSERT INTO c VALUES (1, NULL, -1), (2, NULL, 1);"+after)
	staging, _ := plain(t, before+after)
	mustRefresh(t, openSource(t, production), openInPlace(t, staging), quietSpec("r1"), false)
	same(t, "rows", contents(t, production), contents(t, staging))
	same(t, "constraints", constraintsOf(t, production), constraintsOf(t, staging))
}

// An event trigger that wants no tables made is named, because nothing else
// would tell who refused.
func TestReplaceUnderAnEventTrigger(t *testing.T) {
	production, _ := pair(t)
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, small+`CREATE FUNCTION frozen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL here'; END $$;
		CREATE EVENT TRIGGER "no DDL" ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION frozen()`)
	_, err := refresh(t.Context(), openSource(t, production), openInPlace(t, staging), quietSpec("frozen"), false)
	var e *engine.Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint, `"no DDL"`) {
		t.Errorf("error: %v", err)
	}
	if left := leftInPlace(t, staging); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// Somebody reads one table, then another, while an exchange that sets foreign keys aside
// takes both: it gives way before the server would end either as deadlocked.
func TestReplaceGivesWayToWhoReadsOn(t *testing.T) {
	l := second(t)
	l.t.limits.LockWait = time.Minute // so that it is not this which ends the wait
	reader, err := connect(t.Context(), l.t.at, session{name: "reader", limits: engine.Limits{LockWait: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.hangUp()
	if err := reader.exec(t.Context(), "read", "BEGIN; SELECT FROM public.parents"); err != nil {
		t.Fatal(err)
	}
	tried := make(chan error, 1)
	go func() {
		aside := true
		tried <- l.try(t.Context(), &aside)
	}()
	watcher, err := connect(t.Context(), l.t.at, session{name: "watcher", limits: engine.Limits{}})
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.hangUp()
	for waits := ""; waits != "t"; { // it holds children, and waits for parents
		if waits, err = watcher.value(t.Context(), "look", "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'public.parents'::regclass)"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-tried:
			t.Fatalf("it ended before it was seen to wait: %v", err)
		default:
		}
	}
	if err := reader.exec(t.Context(), "read on", "SELECT FROM public.children"); err != nil {
		t.Errorf("the reader: %v", err)
	}
	var e *engine.Error
	if err := <-tried; !errors.As(err, &e) || e.State != "55P03" {
		t.Errorf("the exchange: %v", err)
	}
	if err := reader.exec(t.Context(), "end", "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context()); err != nil {
		t.Errorf("once nobody reads: %v", err)
	}
}
