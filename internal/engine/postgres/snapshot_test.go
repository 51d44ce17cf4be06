package postgres

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// All readers see one moment, whatever happens meanwhile, and the structure is held.
func TestSnapshotIsOneMoment(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT i, 1 FROM generate_series(1, 1000) i")
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{Readers: 3}))
	a := mustTable(t, s, "a")
	scratchtest.SQL(t, url, "UPDATE a SET n = 2; DELETE FROM a WHERE id > 500; INSERT INTO a SELECT i, 3 FROM generate_series(2000, 2999) i; VACUUM a")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			rows := 0
			for b, err := range snap.Read(t.Context(), engine.Read{Table: a, Columns: []string{"n"}}) {
				if err != nil {
					t.Error(err)
					return
				}
				rows += strings.Count(string(b.Raw), "1\n")
				b.Release()
			}
			if rows != 1000 {
				t.Errorf("%d rows of the moment", rows)
			}
		})
	}
	wg.Wait()
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.WithoutCancel(t.Context()))
	if _, err := other.Exec(t.Context(), "SET lock_timeout = 100; TRUNCATE a").ReadAll(); err == nil {
		t.Error("the table could be truncated under the snapshot")
	}
}

// What a plan shows as the run's instant is what now() means in conditions.
func TestInstantIsNow(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	instant := snap.(engine.Timed).Instant().Format("2006-01-02 15:04:05.999999-07")
	for where, want := range map[string]int{"now() = timestamptz '" + instant + "'": 1, "now() <> timestamptz '" + instant + "'": 0} {
		found := 0
		for f, err := range snap.Find(t.Context(), engine.Find{Table: mustTable(t, s, "a"), Columns: []string{"id"}, Where: where}) {
			if err != nil {
				t.Fatal(err)
			}
			found += len(f.IDs)
		}
		if found != want {
			t.Errorf("%d rows where %s, want %d", found, where, want)
		}
	}
}

// The moment is later than the locks: what was committed while the lock was
// waited for is seen.
func TestSnapshotFollowsItsLocks(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
	src := sourceAt(t, url, engine.Limits{LockWait: 20 * time.Second})
	s, err := src.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	config, _ := pgconn.ParseConfig(url)
	other, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.WithoutCancel(t.Context()))
	run := func(sql string) {
		if _, err := other.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Error(err)
		}
	}
	run("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE; TRUNCATE a; INSERT INTO a VALUES (2), (3)")
	go func() {
		for range 200 {
			result, err := other.Exec(t.Context(), "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass").ReadAll()
			if err != nil || len(result[0].Rows) > 0 {
				break
			}
		}
		run("COMMIT")
	}()
	snap, err := src.Snapshot(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if got := collect(t, snap, engine.Read{Table: mustTable(t, s, "a"), Columns: []string{"id"}}); got != "2\n3\n" {
		t.Errorf("read %q", got)
	}
}

func TestSnapshotRefusesAnotherStructure(t *testing.T) {
	for _, change := range []string{
		"ALTER TABLE a ADD COLUMN new text", "ALTER TABLE a DROP COLUMN t", "ALTER TABLE a ALTER COLUMN t TYPE varchar(5)", "DROP TABLE b",
		"CREATE TABLE c (x int)", "ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a (id)", "ALTER TABLE a ADD CHECK (id > 0)", "DROP TABLE b; CREATE VIEW b AS SELECT 1 AS a",
	} {
		url := scratchtest.Database(t)
		scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY, t text); CREATE TABLE b (a int)")
		src := sourceAt(t, url, engine.Limits{})
		s, err := src.Inspect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		scratchtest.SQL(t, url, change)
		snap, err := src.Snapshot(t.Context(), s)
		if err == nil {
			_ = snap.Close()
		}
		if code := engine.CodeOf(err); err == nil || code != engine.Changed && code != engine.Syntax {
			t.Errorf("%s: %v", change, err)
		}
	}
}

func TestSnapshotGrowsOld(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100000)")
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{SnapshotAge: 500 * time.Millisecond}))
	var last error
	for last == nil {
		for b, err := range snap.Read(t.Context(), engine.Read{Table: mustTable(t, s, "a"), Columns: []string{"id"}}) {
			if last = err; err == nil {
				b.Release()
			}
		}
	}
	if engine.CodeOf(last) != engine.Timeout || !strings.Contains(last.Error(), "older than 500ms") {
		t.Errorf("got %v", last)
	}
}

// A change of structure that waits for our lock holds up everybody behind it,
// so the snapshot gives way.
func TestSnapshotGivesWay(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 100000)")
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{LockWait: 300 * time.Millisecond}))
	done := make(chan error, 1)
	go func() {
		_, err := asClientWaiting(t, url, "ALTER TABLE a ADD COLUMN b int")
		done <- err
	}()
	var last error
	for last == nil {
		for b, err := range snap.Read(t.Context(), engine.Read{Table: mustTable(t, s, "a"), Columns: []string{"id"}}) {
			if last = err; err == nil {
				b.Release()
			}
		}
	}
	if code := engine.CodeOf(last); code != engine.Stopped || !strings.Contains(last.Error(), "gave way") || !strings.Contains(last.Error(), "public.a") {
		t.Errorf("got %v", last)
	}
	if err := <-done; err != nil {
		t.Errorf("the change of structure failed: %v", err)
	}
}

func TestSnapshotNamesWhatIsNotReadable(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)")
	src := sourceAt(t, scratchtest.Role(t, url, "GRANT SELECT ON a TO %s"), engine.Limits{})
	s, err := src.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = src.Snapshot(t.Context(), s)
	if engine.CodeOf(err) != engine.Denied || !strings.Contains(err.Error(), "the tables public.b, public.c") {
		t.Errorf("got %v", err)
	}
}

func TestSourceIsReadOnly(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int)")
	src := sourceAt(t, url, engine.Limits{})
	err := src.with(t.Context(), func(c *conn) error { return c.exec(t.Context(), "write", "INSERT INTO public.a VALUES (1)") })
	if engine.CodeOf(err) != engine.Denied {
		t.Errorf("got %v", err)
	}
}
