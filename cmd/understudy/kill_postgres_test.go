package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// A postgresStaging is the shop on a server of its own.
type postgresStaging struct {
	staging
	server         *scratch.Postgres
	source, target string
	written        string // to production, before any run
}

func newPostgresStaging(t testing.TB) *postgresStaging {
	t.Helper()
	// The server's own upkeep would write into production as well.
	s := &postgresStaging{server: scratchtest.Own(t, scratch.Options{Settings: map[string]string{"autovacuum": "off", "max_connections": "400"}})}
	production, drifted := schemas.Shop("postgres")
	for name, statements := range map[string][]string{"production": production, "stage": drifted} {
		if err := s.server.CreateDatabase(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		scratchtest.SQL(t, s.server.URL(name), strings.Join(statements, ";\n")+";")
	}
	s.source, s.target = s.server.URL("production"), s.server.URL("stage")
	s.written = s.writes(t)
	s.look = func(t testing.TB) string {
		return scratchtest.Digest(t, s.target) + "\n" + scratchtest.ForeignKeys(t, s.target)
	}
	s.settle = s.waitForSessions
	s.trash = func(t testing.TB) string { return s.leftovers(t) + s.sourceHeld(t) }
	s.prepare(t, s.source, s.target)
	return s
}

// unharmed asserts, at the end of a test, that nobody wrote to production and
// that staging has no orphans.
func (s *postgresStaging) unharmed(t testing.TB) {
	t.Helper()
	if after := s.writes(t); after != s.written {
		t.Errorf("production was written to:\n%s\nbefore:\n%s", after, s.written)
	}
	if bad := scratchtest.Orphans(t, s.target); bad != "" {
		t.Errorf("orphans in staging:\n%s", bad)
	}
}

// writes gives production's counters of writes, without those of the catalogs
// that all databases of a server share: staging is made on the same one.
func (s *postgresStaging) writes(t testing.TB) string {
	t.Helper()
	shared := scratchtest.Query(t, s.source, `SELECT string_agg('pg_catalog.' || relname, ' ') FROM pg_class WHERE relisshared`)
	var own []string
	for line := range strings.Lines(scratchtest.Written(t, s.source)) {
		if name, _, _ := strings.Cut(line, "\t"); !strings.Contains(shared+" ", name+" ") {
			own = append(own, line)
		}
	}
	return strings.Join(own, "")
}

// leftovers lists databases beside staging that should not be there: any that
// was being built, and kept ones beyond the one that the job keeps.
func (s *postgresStaging) leftovers(t testing.TB) string {
	t.Helper()
	return scratchtest.Query(t, s.server.URL("postgres"), `
		SELECT datname FROM pg_database WHERE datname ~ '_next_'
		UNION ALL SELECT 'kept generations: ' || count(*) FROM pg_database WHERE datname ~ '_prev_' HAVING count(*) > 1`)
}

// sourceHeld lists what would hold production up.
func (s *postgresStaging) sourceHeld(t testing.TB) string {
	t.Helper()
	return scratchtest.Query(t, s.server.URL("postgres"), `
		SELECT 'open transaction of ' || application_name FROM pg_stat_activity WHERE datname = 'production' AND xact_start IS NOT NULL
		UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots
		UNION ALL SELECT 'prepared transaction in ' || database FROM pg_prepared_xacts`)
}

// waitForSessions waits until the server has ended every session of the program.
func (s *postgresStaging) waitForSessions(t testing.TB) {
	t.Helper()
	c := s.connect(t, "postgres")
	poll(t, "the server still has sessions of a program that has ended", func() bool {
		return one[int](t, c, `SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'understudy %'`) == 0
	})
}

// connect opens a session of the test's own.
func (s *postgresStaging) connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.server.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) }) // the server may be gone
	return c
}

// one asks for one value.
func one[T any](t testing.TB, c *pgx.Conn, query string, args ...any) (value T) {
	t.Helper()
	if err := c.QueryRow(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// poll asks every few milliseconds until the answer is yes; a minute without
// one fails the test.
func poll(t testing.TB, otherwise string, answer func() bool) {
	t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !answer(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}

// hold takes a lock on a database that lets everything but its renaming happen.
func hold(t testing.TB, c *pgx.Conn, database string) (release func()) {
	t.Helper()
	for _, statement := range []string{"BEGIN", "COMMENT ON DATABASE " + scratch.Quote(database) + " IS 'held by a test'"} {
		if _, err := c.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		if _, err := c.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// unfinished gives the name of the database that is being built.
func unfinished(t testing.TB, c *pgx.Conn) string {
	t.Helper()
	return one[string](t, c, `SELECT max(datname) FROM pg_database WHERE datname ~ '^stage_next_'`)
}

// between tells which transaction of the program has done the first rename of
// the switch and waits to do the second; empty if none does.
func between(t testing.TB, c *pgx.Conn, next string) string {
	t.Helper()
	return one[string](t, c, `SELECT coalesce(max(pid || ' ' || xact_start), '') FROM pg_stat_activity
		WHERE application_name LIKE 'understudy %' AND wait_event_type = 'Lock' AND query LIKE 'ALTER DATABASE "' || $1 || '" RENAME TO %'`, next)
}

// Everything that may happen to the program happens to one staging, one after
// the other, and the server's own death comes last.
func TestPostgresKill(t *testing.T) {
	killing(t)
	s := newPostgresStaging(t)
	t.Run("in every stage", func(t *testing.T) { killInEveryStage(t, &s.staging, scratchtest.Few(5, 1)) })
	t.Run("between the statements of the switch", s.killBetweenRenames)
	t.Run("by interrupts", func(t *testing.T) {
		interruptInEveryStage(t, &s.staging, func() string { s.waitForSessions(t); return s.leftovers(t) + s.sourceHeld(t) })
	})
	t.Run("nobody in twenty starts", func(t *testing.T) {
		holder, watcher := s.connect(t, "postgres"), s.connect(t, "postgres")
		twentyStarts(t, &s.staging, func() (release func()) { return hold(t, holder, unfinished(t, watcher)) })
	})
	s.unharmed(t)
	t.Run("the server", func(t *testing.T) { killServer(t, &s.staging, s.server, s.target, func() {}) })
}

func (s *postgresStaging) killBetweenRenames(t *testing.T) {
	s.patient = 0
	random := newRandom(t)
	holder, watcher := s.connect(t, "postgres"), s.connect(t, "postgres")
	var waits []string
	for i := range scratchtest.Few(10, 2) {
		p := s.begin(t)
		if !p.in("load") {
			_, told := p.wait()
			t.Fatalf("the run ended before its load:\n%s", told)
		}
		next := unfinished(t, watcher)
		release := hold(t, holder, next)
		if !p.in("switch") {
			_, told := p.wait()
			t.Fatalf("the run ended before its switch:\n%s", told)
		}
		seen := ""
		waiting := func() bool { seen = between(t, watcher, next); return seen != "" }
		poll(t, "the switch does not wait for the test's lock", waiting)
		delay := time.Duration(random.Int64N(int64(time.Second)))
		p.after(delay)
		// The program gives a try up after two seconds and begins again, so it is looked at once more.
		poll(t, "the switch does not wait for the test's lock", waiting)
		p.kill()
		if died := p.death(); died != "switch" {
			t.Fatalf("died in %q", died)
		}
		if i%2 == 0 { // the server has to end the dead program's transaction although the lock stays
			s.waitForSessions(t)
			release()
		} else {
			release()
		}
		waits = append(waits, fmt.Sprint(delay.Round(time.Millisecond)))
		if s.whole(t, "killed between the renames") {
			t.Error("killed between the renames: staging is the new generation")
		}
		s.next(t, "killed between the renames")
	}
	t.Logf("%d deaths between the first and the last statement of the switch, after %s of waiting; %d next runs met the dead one's lock", len(waits), strings.Join(waits, ", "), s.patient)
}
