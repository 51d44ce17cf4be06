package main

import (
	"crypto/rand"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// mending finds the statement in what verify says of a sequence.
var mending = regexp.MustCompile(`hint: run (.*); or refresh the target again`)

// Somebody set a sequence back: verify says what is wrong and which statement mends
// it, and after that statement all is proved.
func TestVerifyTellsWhatMendsASequence(t *testing.T) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		e, _, staging := peopleErrand(t, "")
		e.run(t, 0, "refresh")
		scratchtest.SQL(t, staging, "SELECT setval('people_id_seq', 7)")
		said := e.run(t, 5, "verify")
		said.wants(t, "public.people_id_seq", "it gives next")
		scratchtest.SQL(t, staging, statementIn(t, said))
		e.run(t, 0, "verify")
	})
	t.Run("file", func(t *testing.T) {
		dir := t.TempDir()
		source, target := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
		execute(t, source, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT); INSERT INTO t (x) VALUES ('a'), ('b'), ('c')")
		e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(keepNone), nil)
		e.keepAll(t)
		e.run(t, 0, "refresh")
		execute(t, target, "UPDATE sqlite_sequence SET seq = 1")
		said := e.run(t, 5, "verify")
		said.wants(t, "it gives next")
		execute(t, target, statementIn(t, said))
		e.run(t, 0, "verify")
	})
}

func statementIn(t *testing.T, s said) string {
	t.Helper()
	found := mending.FindStringSubmatch(s.all())
	if found == nil {
		t.Fatalf("no statement in\n%s", s.all())
	}
	return found[1]
}

// The role that reads production has privileges there and none in staging: that is no
// drift. Those of an application are.
func TestPrivilegesOfTheReaderAreNoDrift(t *testing.T) {
	t.Parallel()
	e, prod, staging := peopleErrand(t, "", "parity: {minimum: 100}")
	app := "app_" + strings.ToLower(rand.Text()[:10])
	scratchtest.SQL(t, prod, "CREATE ROLE "+app)
	scratchtest.SQL(t, prod, "GRANT INSERT ON visits TO "+app)
	scratchtest.SQL(t, staging, "GRANT INSERT ON visits TO "+app)
	e.env["PROD_URL"] = scratchtest.Role(t, prod, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s", "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO %s", "GRANT USAGE ON SCHEMA public TO %s")
	e.run(t, 0, "parity").wants(t, "no difference found")
	scratchtest.SQL(t, staging, "REVOKE INSERT ON visits FROM "+app)
	e.run(t, 1, "parity").wants(t, "1 difference", "public.visits")
}
