package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// newReplacedStaging is the shop whose staging belongs to a role that may make
// no database, and is replaced in place.
func newReplacedStaging(t testing.TB) *postgresStaging {
	t.Helper()
	s := &postgresStaging{server: scratchtest.Own(t, scratch.Options{Settings: map[string]string{"autovacuum": "off", "max_connections": "400"}})}
	production, drifted := schemas.Shop("postgres")
	for _, name := range []string{"production", "stage"} {
		if err := s.server.CreateDatabase(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	s.source = s.server.URL("production")
	s.target = scratchtest.Role(t, s.server.URL("stage"), "GRANT CREATE ON DATABASE stage TO %s", "GRANT ALL ON SCHEMA public TO %s")
	scratchtest.SQL(t, s.source, strings.Join(production, ";\n")+";")
	scratchtest.SQL(t, s.target, strings.Join(drifted, ";\n")+";")
	s.written = s.writes(t)
	s.job = inPlaceInstead
	s.look = func(t testing.TB) string {
		return scratchtest.Digest(t, s.target) + "\n" + scratchtest.ForeignKeys(t, s.target)
	}
	s.settle = s.waitForSessions
	s.trash = func(t testing.TB) string {
		return scratchtest.Query(t, s.target, `SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname = 'understudy_next'`) + s.leftovers(t) + s.sourceHeld(t)
	}
	s.prepare(t, s.source, s.target)
	return s
}

func TestReplaceKill(t *testing.T) {
	killing(t)
	s := newReplacedStaging(t)
	t.Run("in every stage", func(t *testing.T) { killInEveryStage(t, &s.staging, scratchtest.Few(5, 1)) })
	t.Run("by interrupts", func(t *testing.T) {
		interruptInEveryStage(t, &s.staging, func() string { s.waitForSessions(t); return s.trash(t) })
	})
	s.unharmed(t)
}

// inPlaceInstead lets the shop's job replace in place.
func inPlaceInstead(job string) string {
	return strings.Replace(job, "load: {keep: 1,", "load: {mode: replace,", 1)
}

func TestReplaceKillOfAFile(t *testing.T) {
	killing(t)
	s := newSQLiteStaging(t, "wal", 0, inPlaceInstead)
	stop := s.watch(t)
	t.Run("in every stage", func(t *testing.T) { killInEveryStage(t, &s.staging, scratchtest.Few(5, 1)) })
	t.Run("by interrupts", func(t *testing.T) {
		interruptInEveryStage(t, &s.staging, func() string { return s.leftovers(t) })
	})
	stop()
	s.journal(t, "wal")
	if kept := s.kept(t); len(kept) > 0 {
		t.Errorf("kept: %v", kept)
	}
}
