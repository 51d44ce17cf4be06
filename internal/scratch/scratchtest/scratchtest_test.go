package scratchtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

func TestMain(m *testing.M) { os.Exit(scratchtest.Main(m)) }

func TestDatabasesAreSeparate(t *testing.T) {
	a, b := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, a, "CREATE TABLE only_here (id int)")
	if got := scratchtest.Query(t, b, "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'"); got != "0" {
		t.Errorf("table is seen from the other database: %s", got)
	}
}

func TestRoleMaySelectOnly(t *testing.T) {
	db := scratchtest.Database(t)
	scratchtest.SQL(t, db, "CREATE TABLE t (id int); INSERT INTO t VALUES (7)")
	role := scratchtest.Role(t, db)
	if got := scratchtest.Query(t, role, "SELECT id FROM t"); got != "7" {
		t.Errorf("the role reads %q", got)
	}
	if err := scratch.SQL(t.Context(), role, "INSERT INTO t VALUES (8)"); err == nil {
		t.Error("the role may write")
	}
}

func TestKilledServerComesBackWithItsData(t *testing.T) {
	p := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"log_statement": "all"}})
	db := scratchtest.DatabaseOn(t, p.URL("postgres"))
	scratchtest.SQL(t, db, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id")
	pid := p.PID()
	p.Kill()
	if p.PID() != 0 || syscall.Kill(pid, 0) == nil {
		t.Error("the server lives on")
	}
	if err := scratch.SQL(t.Context(), db, "SELECT 1"); err == nil {
		t.Error("a killed server answers")
	}
	if err := p.Restart(t.Context(), map[string]string{"work_mem": "1MB"}); err != nil {
		t.Fatal(err)
	}
	if got := scratchtest.Query(t, db, "SELECT count(*), current_setting('work_mem') FROM t"); got != "1000\t1MB" {
		t.Errorf("after the crash: %q", got)
	}
	log, err := os.ReadFile(p.LogFile())
	if err != nil || !strings.Contains(string(log), "CREATE TABLE t AS SELECT") {
		t.Errorf("log_statement=all did not reach the log (%v)", err)
	}
	if url := p.SocketURL("postgres"); url != "" {
		if got := scratchtest.Query(t, url, "SELECT 1"); got != "1" {
			t.Errorf("by the socket: %q", got)
		}
	}
}

func TestStopLeavesNothing(t *testing.T) {
	p := scratchtest.Own(t, scratch.Options{})
	pid, dir := p.PID(), filepath.Dir(p.DataDir())
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("the server lives on")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("directory: %v", err)
	}
}

func TestErrorsHoldNoPasswordAndNoRow(t *testing.T) {
	db := scratchtest.Database(t)
	scratchtest.SQL(t, db, "CREATE TABLE t (id text PRIMARY KEY)")
	err := scratch.SQL(t.Context(), db, "INSERT INTO t VALUES ('marker-7041'), ('marker-7041')")
	if err == nil || strings.Contains(err.Error(), "marker-7041") {
		t.Errorf("error: %v", err)
	}
	gone := strings.Replace(db, "/test_", "/nowhere_", 1)
	if err := scratch.SQL(t.Context(), gone, "SELECT 1"); err == nil || strings.Contains(err.Error(), strings.SplitN(strings.SplitN(db, ":", 3)[2], "@", 2)[0]) {
		t.Errorf("the error repeats the password, or there is none: %t", err == nil)
	}
}

func TestStandbyFollowsAndOnlyReads(t *testing.T) {
	p := scratchtest.Own(t, scratch.Options{})
	scratchtest.SQL(t, p.URL("postgres"), "CREATE TABLE t AS SELECT 5 AS id")
	s, err := p.Standby(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	if got := scratchtest.Query(t, s.URL("postgres"), "SELECT id, pg_is_in_recovery() FROM t"); got != "5\tt" {
		t.Errorf("the standby answers %q", got)
	}
	if err := scratch.SQL(t.Context(), s.URL("postgres"), "INSERT INTO t VALUES (6)"); err == nil {
		t.Error("the standby may be written to")
	}
}

func TestSamplesLoad(t *testing.T) {
	for _, files := range [][]string{{"pagila/pagila.sql.gz"}, {"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"}, {"chinook/chinook-pg.sql.gz"}} {
		db := scratchtest.Database(t)
		for _, f := range files {
			scratchtest.Load(t, db, scratchtest.SampleDatabase(t, f))
		}
		if got := scratchtest.Query(t, db, "SELECT count(*) > 10 FROM pg_stat_user_tables"); got != "t" {
			t.Errorf("%s: too few tables", files[0])
		}
	}
}

func TestDigestSeesEveryRowAndNoOrder(t *testing.T) {
	a, b := scratchtest.Database(t), scratchtest.Database(t)
	const table = "CREATE TABLE \"Odd name\" (id int, at timestamptz, x float8, b bytea); "
	scratchtest.SQL(t, a, table+`INSERT INTO "Odd name" VALUES (1, '2024-02-29 12:00+00', 0.1, '\x00ff'), (2, NULL, 'NaN', '')`)
	scratchtest.SQL(t, b, table+`INSERT INTO "Odd name" VALUES (2, NULL, 'NaN', ''), (1, '2024-02-29 13:00+01', 0.1, '\x00ff')`)
	if x, y := scratchtest.Digest(t, a), scratchtest.Digest(t, b); x != y || !strings.HasPrefix(x, "public.Odd name\t2\t") {
		t.Errorf("digests of equal rows:\n%s\n%s", x, y)
	}
	before := scratchtest.Digest(t, a)
	scratchtest.SQL(t, a, `UPDATE "Odd name" SET b = NULL WHERE id = 2`)
	if scratchtest.Digest(t, a) == before {
		t.Error("the digest does not see NULL in place of nothing")
	}
}

func TestOrphansAreSeenThoughTheKeyIsCalledValid(t *testing.T) {
	db := scratchtest.Database(t)
	scratchtest.SQL(t, db, `
		CREATE TABLE parent (a int, b text, PRIMARY KEY (a, b));
		CREATE TABLE child (id int, a int, b text, FOREIGN KEY (a, b) REFERENCES parent);
		CREATE TABLE parted (id int, a int, b text, FOREIGN KEY (a, b) REFERENCES parent) PARTITION BY RANGE (id);
		CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (9);
		INSERT INTO parent VALUES (1, 'x');
		INSERT INTO child VALUES (1, 1, 'x'), (2, 1, NULL);
		INSERT INTO parted VALUES (1, 1, 'x')`)
	if got := scratchtest.Orphans(t, db); got != "" {
		t.Errorf("orphans where there are none: %s", got)
	}
	scratchtest.SQL(t, db, "SET session_replication_role = replica; INSERT INTO child VALUES (3, 2, 'x'); INSERT INTO parted VALUES (2, 1, 'y')")
	got := scratchtest.Orphans(t, db)
	// The key of the partitioned table is one, and judges the rows of its partitions.
	if strings.Count(got, "\t1") != 2 || !strings.Contains(got, "child child_a_b_fkey\t1") || !strings.Contains(got, "parted parted_a_b_fkey\t1") {
		t.Errorf("orphans: %q", got)
	}
	if keys := scratchtest.ForeignKeys(t, db); strings.Count(keys, "\n") != 2 || strings.Count(keys, "\tt") != 3 {
		t.Errorf("keys: %s", keys)
	}
}

func TestWritesAreCounted(t *testing.T) {
	db := scratchtest.Database(t)
	scratchtest.SQL(t, db, "CREATE TABLE t (id int)")
	before := scratchtest.Written(t, db)
	scratchtest.Query(t, db, "SELECT * FROM t")
	if after := scratchtest.Written(t, db); after != before {
		t.Errorf("reading counts as writing:\n%s\n%s", before, after)
	}
	scratchtest.SQL(t, db, "INSERT INTO t VALUES (1)")
	if after := scratchtest.Written(t, db); !strings.Contains(after, "public.t\t1\t0\t0") {
		t.Errorf("a row written is not counted:\n%s", after)
	}
}
