package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// small is a structure with what a load must get right, in few rows.
const small = `
CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, upper_name text GENERATED ALWAYS AS (upper(name)) STORED, favourite int);
CREATE TABLE child (id serial PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, amount numeric CHECK (amount > 0));
ALTER TABLE parent ADD FOREIGN KEY (favourite) REFERENCES child DEFERRABLE;
CREATE TABLE flags (name text PRIMARY KEY, enabled boolean);
CREATE TABLE log (what text);
CREATE SEQUENCE free_sequence;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE child ENABLE ALWAYS TRIGGER note;
`

const smallRows = `
INSERT INTO parent (name) SELECT 'name ' || i FROM generate_series(1, 50) i;
INSERT INTO child (parent_id, amount) SELECT 1 + i % 50, i FROM generate_series(1, 200) i;
UPDATE parent SET favourite = id; TRUNCATE log;
`

func databaseOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

func pair(t *testing.T) (production, staging string) {
	t.Helper()
	production, staging = scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, production, small+smallRows)
	scratchtest.SQL(t, staging, small)
	return production, staging
}

// owned gives a staging that belongs to a role which may make databases and nothing else.
func owned(t *testing.T) (address, role string) {
	t.Helper()
	address = scratchtest.Database(t)
	name := quote(databaseOf(t, address))
	address = scratchtest.Role(t, address, "ALTER ROLE %s CREATEDB", "ALTER DATABASE "+name+" OWNER TO %s")
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return address, u.User.Username()
}

func TestOwnerWithCreatedbIsEnough(t *testing.T) {
	production, _ := pair(t)
	staging, role := owned(t)
	scratchtest.SQL(t, staging, small)
	tg := openTarget(t, staging)
	state, err := tg.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(state.Obstacles) != 0 || state.Claimed || len(state.Rows) != 0 {
		t.Errorf("state before: %+v", state)
	}
	mustRefresh(t, openSource(t, production), tg, quietSpec("r1"), false)
	if owner := scratchtest.Query(t, staging, `SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()`); owner != role {
		t.Errorf("owner is %s", owner)
	}
	same(t, "rows", contents(t, production), contents(t, staging))
	if n := scratchtest.Query(t, staging, `SELECT count(*) FROM log`); n != "0" {
		t.Errorf("a trigger fired: %s", n)
	}
	scratchtest.SQL(t, staging, `INSERT INTO parent (name) VALUES ('later'); INSERT INTO child (parent_id, amount) VALUES (1, 1)`)
	if n := scratchtest.Query(t, staging, `SELECT tgenabled FROM pg_trigger WHERE NOT tgisinternal`); n != "A" {
		t.Errorf("the trigger's state is %s", n)
	}
}

func TestGenerationsAndRollback(t *testing.T) {
	production, staging := pair(t)
	scratchtest.SQL(t, staging, "INSERT INTO flags VALUES ('original', true); COMMENT ON DATABASE "+quote(databaseOf(t, staging))+" IS 'the team''s staging'")
	tg, source := openTarget(t, staging), openSource(t, production)
	ids := func() string {
		t.Helper()
		state, err := tg.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, g := range state.Generations {
			out = append(out, g.ID)
		}
		return strings.Join(out, " ")
	}
	spec := quietSpec("r1")
	spec.Keep = 2
	for _, run := range []string{"r1", "r2", "r3"} {
		scratchtest.SQL(t, production, "INSERT INTO flags VALUES ('"+run+"', true)")
		spec.RunID = run
		mustRefresh(t, source, tg, spec, false)
	}
	if got := ids(); got != "r3 r2 r1" {
		t.Errorf("generations: %s", got)
	}
	if err := tg.Rollback(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	if got := ids(); got != "r1 r3 r2" {
		t.Errorf("generations after the first rollback: %s", got)
	}
	if n := scratchtest.Query(t, staging, "SELECT string_agg(name, ' ' ORDER BY name) FROM flags"); n != "r1" {
		t.Errorf("rows after the rollback: %s", n)
	}
	if c := scratchtest.Query(t, staging, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"); c != "the team's staging" {
		t.Errorf("comment after the rollback: %s", c)
	}
	if err := tg.Rollback(t.Context(), "nobody"); err == nil || !strings.Contains(err.(*engine.Error).Hint, "r3, r2") {
		t.Errorf("rollback to nowhere: %v", err)
	}
	if err := tg.Rollback(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := ids(); got != "r3 r1 r2" {
		t.Errorf("generations after the second rollback: %s", got)
	}
	spec.RunID, spec.Keep = "r4", 0
	mustRefresh(t, source, tg, spec, false)
	if got := ids(); got != "r4" {
		t.Errorf("generations with keep 0: %s", got)
	}
}

func TestPreserve(t *testing.T) {
	production, staging := pair(t)
	scratchtest.SQL(t, staging, `INSERT INTO flags SELECT E'a\tflag\\ ' || i, i % 2 = 0 FROM generate_series(1, 5000) i; INSERT INTO flags VALUES ('null', NULL)`)
	want := scratchtest.Query(t, staging, "SELECT md5(string_agg(f::text, '|' ORDER BY name)) FROM flags f")
	scratchtest.SQL(t, staging, "SELECT nextval('free_sequence') FROM generate_series(1, 41)")
	spec := quietSpec("r1")
	spec.Preserve = []schema.Name{{Schema: "public", Table: "flags"}}
	mustRefresh(t, openSource(t, production), openTarget(t, staging), spec, false)
	if got := scratchtest.Query(t, staging, "SELECT md5(string_agg(f::text, '|' ORDER BY name)) FROM flags f"); got != want {
		t.Error("the preserved rows changed")
	}
	if got := scratchtest.Query(t, staging, "SELECT nextval('free_sequence')"); got != "42" {
		t.Errorf("the free sequence goes on at %s", got)
	}
}

// A preserved row that refers to a row which is not loaded is found while the key is added.
func TestPreservedOrphan(t *testing.T) {
	production, staging := pair(t)
	scratchtest.SQL(t, staging, `CREATE TABLE own (parent_id int CONSTRAINT own_parent REFERENCES parent, secret text);
		INSERT INTO parent (name) SELECT i::text FROM generate_series(1, 990) i; INSERT INTO own VALUES (980, 'canary-5150')`)
	before := contents(t, staging)
	spec := quietSpec("r1")
	spec.Preserve = []schema.Name{{Schema: "public", Table: "own"}}
	tg := openTarget(t, staging)
	_, err := refresh(t.Context(), openSource(t, production), tg, spec, false)
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Constraint || e.Constraint != "own_parent" || e.Table.Table != "own" {
		t.Errorf("error: %v", err)
	}
	if text := fmt.Sprintf("%v %+v", err, e); strings.Contains(text, "980") || strings.Contains(text, "canary") {
		t.Errorf("the error holds a value: %s", text)
	}
	same(t, "staging", before, contents(t, staging))
	if left := besides(t, staging); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// besides lists the databases beside a target.
func besides(t *testing.T, address string) string {
	t.Helper()
	return scratchtest.Query(t, address, `SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE current_database() || '\_%' HAVING count(*) > 0`)
}

// Whether one Write brings a table's rows alone or others may, its failures are told
// alike and leave nothing; alone, the rows stand there frozen and seen by all.
func TestBadRow(t *testing.T) {
	for _, alone := range []bool{false, true} {
		t.Run(fmt.Sprintf("alone %v", alone), func(t *testing.T) { badRow(t, alone) })
	}
}

func badRow(t *testing.T, alone bool) {
	_, staging := pair(t)
	tg := openTarget(t, staging)
	l, err := tg.Begin(t.Context(), quietSpec("r1"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Abort(t.Context())
	parent := schema.Name{Schema: "public", Table: "parent"}
	if alone {
		l.(engine.Informed).Alone([]schema.Name{parent})
	}
	batch := func(raw string, rows int) func(func(*engine.Batch, error) bool) {
		return func(yield func(*engine.Batch, error) bool) { yield(&engine.Batch{Rows: rows, Raw: []byte(raw)}, nil) }
	}
	_, err = l.Write(t.Context(), parent, []string{"id", "name"}, batch("canary-1\tx\n", 1))
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Constraint || e.State != "22P02" || e.Table != parent || strings.Contains(fmt.Sprintf("%v%+v", err, e), "canary") {
		t.Errorf("a value of the wrong type: %v", err)
	}
	_, err = l.Write(t.Context(), parent, []string{"id", "name"}, batch("1\t\\N\n", 1))
	if !errors.As(err, &e) || e.State != "23502" || e.Column != "name" {
		t.Errorf("a missing value: %v", err)
	}
	upstream := errors.New("canary-2 from upstream")
	_, err = l.Write(t.Context(), parent, []string{"id", "name"}, func(yield func(*engine.Batch, error) bool) {
		_ = yield(&engine.Batch{Rows: 1, Raw: []byte("1\tx\n")}, nil) && yield(nil, upstream)
	})
	if err != upstream {
		t.Errorf("an error of the rows' maker: %v", err)
	}
	if n, err := l.Write(t.Context(), parent, []string{"id", "name"}, batch("1\tx\n2\ty\n", 2)); n != 2 || err != nil {
		t.Errorf("after the errors: %d rows, %v", n, err)
	}
	if rows, nulls, err := l.Count(t.Context(), parent, []string{"name", "favourite"}); rows != 2 || !slices.Equal(nulls, []int64{0, 2}) || err != nil {
		t.Errorf("count: %d %v %v", rows, nulls, err)
	}
	const seen = "SELECT relallvisible > 0 FROM pg_catalog.pg_class WHERE oid = 'public.parent'::regclass"
	if err := l.(*load).with(t.Context(), func(c *conn) error {
		if err := c.exec(t.Context(), "analyze", "ANALYZE public.parent"); err != nil {
			return err
		}
		frozen, err := c.value(t.Context(), "look", seen)
		if frozen == "t" != alone {
			t.Errorf("rows are seen by all: %s", frozen)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestBusy(t *testing.T) {
	_, staging := pair(t)
	var won, busy atomic.Int32
	var wg sync.WaitGroup
	start, end := make(chan struct{}), make(chan struct{})
	var decided sync.WaitGroup
	for i := range 20 {
		tg := openTarget(t, staging)
		decided.Add(1)
		wg.Go(func() {
			<-start
			l, err := tg.Begin(t.Context(), quietSpec(fmt.Sprintf("run%d", i)))
			switch {
			case err == nil:
				won.Add(1)
			case engine.CodeOf(err) == engine.Busy:
				busy.Add(1)
				if !strings.Contains(err.Error(), "(run run") {
					t.Errorf("the holder is not named: %v", err)
				}
			default:
				t.Errorf("begin: %v", err)
			}
			decided.Done()
			if l != nil {
				<-end
				if err := l.Abort(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	close(start)
	decided.Wait()
	close(end)
	wg.Wait()
	if won.Load() != 1 || busy.Load() != 19 {
		t.Errorf("%d began, %d were told that it is busy", won.Load(), busy.Load())
	}
	if left := besides(t, staging); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// Whatever place a run ends at, as if it were killed there, the target is the
// old or the new generation, and the next run succeeds.
func TestEndsAnywhere(t *testing.T) {
	production, staging := pair(t)
	source := openSource(t, production)
	for _, place := range scratchtest.Some(t, []string{"created", "tables", "indexes", "manifest", "renamed", "committing", "switched"}, 4) {
		t.Run(place, func(t *testing.T) {
			before := contents(t, staging)
			tg := openTarget(t, staging)
			tg.pauses = func(_ context.Context, at string) error {
				if at != place {
					return nil
				}
				// The sessions die with the process: nothing of the run is undone by itself.
				admin, err := pgconn.Connect(t.Context(), strings.Replace(staging, databaseOf(t, staging), "postgres", 1))
				if err != nil {
					return err
				}
				defer admin.Close(t.Context())
				_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'understudy killed%'`).ReadAll()
				return errors.Join(errors.New("killed"), err)
			}
			killed(t, source, tg, "killed"+place)
			if place != "switched" {
				same(t, "staging after the end", before, contents(t, staging))
			}
			next := openTarget(t, staging)
			state, err := next.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (place == "switched") != (state.Switched == "killed"+place) || (place != "switched") != (len(state.Leftovers) > 0) {
				t.Errorf("state after the end: %+v", state)
			}
			scratchtest.SQL(t, production, "INSERT INTO flags VALUES ('"+place+"', true)")
			mustRefresh(t, source, next, quietSpec("after"+place), false)
			same(t, "staging after the next run", contents(t, production), contents(t, staging))
			if left := besides(t, staging); strings.Contains(left, "_next_") || strings.Count(left, "_prev_") != 1 {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// killed runs up to where pauses ends it and drops everything without undoing.
func killed(t *testing.T, source engine.Source, tg *target, run string) {
	t.Helper()
	s, err := source.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := source.Snapshot(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	guard, err := tg.maintenance(t.Context(), run+" lock")
	if err != nil {
		t.Fatal(err)
	}
	spec := quietSpec(run)
	l := &load{t: tg, spec: spec, guard: guard, next: beside(tg.at.database, "next", run), made: time.Now()}
	defer l.hangUp()
	for _, step := range []func() error{
		func() error { return l.begin(t.Context()) },
		func() error { return copyAll(t.Context(), snap, s, l) },
		func() error { return l.Finish(t.Context()) },
		func() error { return l.Switch(t.Context(), []byte("{}")) },
	} {
		if err := step(); err != nil {
			if !strings.Contains(err.Error(), "killed") {
				t.Fatalf("ended by %v", err)
			}
			return
		}
	}
	t.Fatal("was not ended")
}

func TestSwitchUnderLoad(t *testing.T) {
	production, staging := pair(t)
	scratchtest.SQL(t, staging, "INSERT INTO log SELECT 'old' FROM generate_series(1, 10)")
	scratchtest.SQL(t, production, "INSERT INTO log SELECT 'new' FROM generate_series(1, 10)")
	tg, source := openTarget(t, staging), openSource(t, production)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var reads, refused, wrong, news atomic.Int64
	for range 20 {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := pgconn.Connect(ctx, staging)
				if err != nil {
					refused.Add(1)
					continue
				}
				for range 20 {
					r := c.ExecParams(ctx, "SELECT count(*), min(what), max(what) FROM log", nil, nil, nil, nil).Read()
					if r.Err != nil {
						refused.Add(1)
						break
					}
					reads.Add(1)
					row := string(r.Rows[0][0]) + string(r.Rows[0][1]) + string(r.Rows[0][2])
					switch row {
					case "10oldold":
					case "10newnew":
						news.Add(1)
					default:
						wrong.Add(1)
					}
				}
				_ = c.Close(ctx)
			}
		})
	}
	proofs, err := refresh(t.Context(), source, tg, quietSpec("r1"), false)
	if err != nil {
		t.Error(err)
	}
	checkProofs(t, proofs)
	for deadline := time.Now().Add(10 * time.Second); news.Load() < 100 && time.Now().Before(deadline); {
		_ = wait(t.Context(), 10*time.Millisecond)
	}
	cancel()
	wg.Wait()
	t.Logf("%d reads, %d of them of the new generation, %d refused or ended", reads.Load(), news.Load(), refused.Load())
	if wrong.Load() != 0 || news.Load() == 0 {
		t.Errorf("%d reads were of neither generation, %d of the new one", wrong.Load(), news.Load())
	}
}

func TestDatabaseSettingsAreCarried(t *testing.T) {
	production, staging := pair(t)
	name := quote(databaseOf(t, staging))
	scratchtest.Role(t, staging, "GRANT CONNECT ON DATABASE "+name+" TO %s", "REVOKE CONNECT ON DATABASE "+name+" FROM PUBLIC", "ALTER ROLE %s IN DATABASE "+name+" SET work_mem = '7MB'")
	scratchtest.SQL(t, staging, `CREATE SCHEMA "a, b"; ALTER DATABASE `+name+` SET search_path = "a, b", public; ALTER DATABASE `+name+` SET app.tenant = 'it''s; "x"';
		ALTER DATABASE `+name+` SET default_transaction_read_only = on; ALTER DATABASE `+name+` CONNECTION LIMIT 33`)
	const query = `SELECT d.datacl, d.datconnlimit, (SELECT string_agg(setrole::text || setconfig::text, ' ' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = current_database()`
	before := scratchtest.Query(t, staging, query)
	mustRefresh(t, openSource(t, production), openTarget(t, staging), quietSpec("r1"), false)
	if after := scratchtest.Query(t, staging, query); after != before {
		t.Errorf("settings:\n%s\nbecame\n%s", before, after)
	}
}

func TestObstacles(t *testing.T) {
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, `CREATE TABLE secret (a int); INSERT INTO secret VALUES (1); SELECT lo_create(0)`)
	poor := scratchtest.Role(t, staging, "GRANT CONNECT ON DATABASE "+quote(databaseOf(t, staging))+" TO %s")
	state, err := openTarget(t, poor).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(state.Obstacles, "\n")
	for _, want := range []string{"may not create databases: ALTER ROLE", "does not own the database", "1 large objects", "may not read the table public.secret", "other owners"} {
		if !strings.Contains(all+strings.Join(state.Notes, "\n"), want) {
			t.Errorf("no word of %q in:\n%s", want, all)
		}
	}
}

// TestOwnerThatInheritsNothing: where such an owner could make nothing in the new
// database, that is told before; else a generation is made.
func TestOwnerThatInheritsNothing(t *testing.T) {
	production, staging := pair(t)
	owner := scratchtest.Role(t, staging, "ALTER ROLE %s CREATEDB NOINHERIT", "ALTER DATABASE "+quote(databaseOf(t, staging))+" OWNER TO %s", "GRANT ALL ON SCHEMA public TO %s")
	scratchtest.SQL(t, staging, "GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO PUBLIC")
	state, err := openTarget(t, owner).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v := scratchtest.Query(t, staging, "SELECT current_setting('server_version_num')::int / 10000"); v == "15" {
		if all := strings.Join(state.Obstacles, "\n"); !strings.Contains(all, "is NOINHERIT") || !strings.Contains(all, " INHERIT") {
			t.Errorf("not told: %s", all)
		}
		return
	}
	if len(state.Obstacles) > 0 {
		t.Fatal(state.Obstacles)
	}
	mustRefresh(t, openSource(t, production), openTarget(t, owner), quietSpec("r1"), false)
}
