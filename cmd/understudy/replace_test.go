package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

const inPlaceJob = "load: {mode: replace}"

// replaceErrand makes the small production and a staging whose tables belong to
// a role that may make no database.
func replaceErrand(t *testing.T, ddl string, job ...string) (e *errand, prod, staging string) {
	t.Helper()
	prod = scratchtest.Database(t)
	scratchtest.SQL(t, prod, people+peopleRows)
	owner := scratchtest.Database(t)
	staging = scratchtest.Role(t, owner, "GRANT ALL ON SCHEMA public TO %s", "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO %s', current_database()); END $$")
	if ddl != "" {
		scratchtest.SQL(t, staging, ddl)
	}
	return newErrand(t, prod, staging, plainJob(job...), map[string]string{"people.yaml": peopleRules}), prod, staging
}

func TestReplaceForARoleThatMayMakeNoDatabase(t *testing.T) {
	e, prod, staging := replaceErrand(t, people, keepNone)
	e.refuses(t, staging, 4).wants(t, "may not create databases", "load: {mode: replace}")
	e.write(t, "understudy.yaml", plainJob(inPlaceJob))
	e.run(t, 0, "plan").wants(t, "rows exchanged in place, in one transaction; no generation is kept")
	e.run(t, 0, "refresh")
	first := sortedDump(t, staging)
	e.run(t, 0, "verify").wants(t, "all passed")
	e.run(t, 0, "refresh")
	same(t, "the same production again", first, sortedDump(t, staging))
	scratchtest.SQL(t, prod, "DELETE FROM visits WHERE id % 100 = 0; UPDATE people SET email = 'new' || id || '@private.test' WHERE id % 50 = 0")
	e.run(t, 0, "refresh")
	if got := scratchtest.Query(t, staging, "SELECT (SELECT count(*) FROM visits), (SELECT count(*) FROM people WHERE email LIKE '%@private.test'), (SELECT count(*) FROM people)"); got != "891\t0\t300" {
		t.Errorf("rows: %s", got)
	}
	e.run(t, 0, "verify").wants(t, "all passed")
	e.run(t, 0, "rollback", "--list").wants(t, "present")
	e.run(t, 4, "rollback").wants(t, "keeps no earlier generation")
}

func TestReplaceNeedsTheTargetsOwnTables(t *testing.T) {
	e, _, staging := replaceErrand(t, "", inPlaceJob)
	s := e.refuses(t, staging, 4)
	s.wants(t, "the target has no tables", "its own migrations", "understudy.yaml:")
	if strings.Contains(s.all(), "understudy_next") {
		t.Error("it went further than it had to")
	}
}

func TestReplaceFindsWhatPreservedRowsNeed(t *testing.T) {
	e, prod, staging := replaceErrand(t, people+"CREATE TABLE notes (person bigint REFERENCES people ON DELETE CASCADE, note text)", "load: {mode: replace, preserve: [notes]}")
	e.run(t, 0, "refresh")
	scratchtest.SQL(t, staging, "INSERT INTO notes VALUES (7, 'staging''s own')")
	e.run(t, 0, "refresh")
	scratchtest.SQL(t, prod, "DELETE FROM visits WHERE person_id = 7; DELETE FROM people WHERE id = 7")
	e.refuses(t, staging, 5).wants(t, "notes_person_fkey", "table public.notes", "hint: the target's own rows refer to rows")
}

// Who changes the mode of a job is told what the switch before kept, may go back
// to it, and finds nothing left on the server after the next exchange.
func TestReplaceAfterASwitch(t *testing.T) {
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, people+peopleRows)
	scratchtest.SQL(t, staging, people)
	e := newErrand(t, prod, staging, plainJob(), map[string]string{"people.yaml": peopleRules})
	beside := func() string {
		return scratchtest.Query(t, staging, "SELECT count(*) FROM pg_database WHERE datname LIKE left(current_database(), 40) || '%' AND datname <> current_database()")
	}
	e.run(t, 0, "refresh", "--claim")
	first := sortedDump(t, staging)
	scratchtest.SQL(t, prod, "DELETE FROM visits WHERE id % 2 = 0")
	e.run(t, 0, "refresh")
	second := sortedDump(t, staging)
	e.write(t, "understudy.yaml", plainJob(inPlaceJob))
	e.run(t, 0, "plan").wants(t, "an earlier switch kept the database", "the next refresh, which removes it")
	e.run(t, 0, "rollback")
	same(t, "back at the first generation", first, sortedDump(t, staging))
	e.run(t, 0, "rollback")
	same(t, "and forth to the second", second, sortedDump(t, staging))
	if got := beside(); got != "1" {
		t.Errorf("%s databases beside the target before the exchange", got)
	}
	e.run(t, 0, "refresh")
	same(t, "the same rows exchanged", second, sortedDump(t, staging))
	if got := beside(); got != "0" {
		t.Errorf("%s databases beside the target after the exchange", got)
	}
	e.run(t, 4, "rollback").wants(t, "keeps no earlier generation")
}
