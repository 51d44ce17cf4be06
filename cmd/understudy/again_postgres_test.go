package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/cli"
	"understudy/internal/scratch/scratchtest"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// atStage runs the program in this process, and do when it first tells that a
// stage begins; nothing goes on before do has returned.
func (e *errand) atStage(t *testing.T, stage string, do func(), args ...string) (code int, told string) {
	t.Helper()
	var mu sync.Mutex
	var text bytes.Buffer
	once := sync.OnceFunc(do)
	write := writerFunc(func(p []byte) (int, error) {
		if bytes.HasPrefix(p, []byte(stage+" ")) {
			once()
		}
		mu.Lock()
		defer mu.Unlock()
		return text.Write(p)
	})
	code = cli.Run(t.Context(), context.WithoutCancel(t.Context()), append(args, "--job", filepath.Join(e.dir, "understudy.yaml")), cli.World{
		Stdout: io.Discard, Stderr: write, Now: time.Now, Getenv: func(name string) string { return e.env[name] }})
	mu.Lock()
	defer mu.Unlock()
	return code, text.String()
}

// A migration of production that wants a table we read gets it within three
// seconds, in whichever stage we are; the refresh begins anew and is done.
func TestARefreshGivesWayToAMigrationAndBeginsAnew(t *testing.T) {
	t.Parallel()
	for stage, limits := range map[string]string{"select": "limits: {lock_wait: 500ms}", "try": "limits: {lock_wait: 500ms}", "begin": "limits: {lock_wait: 500ms}", "load": ""} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			prod, staging := orphanage(t), scratchtest.Database(t)
			e := newErrand(t, prod, staging, plainJob("orphans: drop", orphanReferences, limits), map[string]string{"r.yaml": orphanRules})
			code, told := e.atStage(t, stage, func() {
				scratchtest.SQL(t, prod, "SET lock_timeout = '3s'; TRUNCATE notes; INSERT INTO notes VALUES (1, 'order', 7, 'x')")
			}, "refresh")
			if code != 0 || !strings.Contains(told, "it gave way to a change of structure that waited for a table we read, table public.notes: beginning anew in ") || !strings.Contains(told, "the run began anew") {
				t.Errorf("exit %d\n%s", code, told)
			}
			wantQuery(t, "the notes of the second reading", staging, "SELECT count(*) FROM notes", "1")
			wantNothingLeft(t, prod)
		})
	}
}

// A migration that adds a column is seen by the second reading: nobody has
// decided what becomes of it.
func TestAMigrationThatTheRulesDoNotKnow(t *testing.T) {
	t.Parallel()
	prod, staging := orphanage(t), scratchtest.Database(t)
	e := newErrand(t, prod, staging, plainJob("orphans: drop", orphanReferences, "limits: {lock_wait: 400ms}"), map[string]string{"r.yaml": orphanRules})
	e.run(t, 0, "refresh")
	before := scratchtest.Digest(t, staging)
	migrate := func() {
		scratchtest.SQL(t, prod, "SET lock_timeout = '3s'; ALTER TABLE products ADD COLUMN weight int")
	}
	if code, told := e.atStage(t, "begin", migrate, "refresh"); code != 3 || !strings.Contains(told, "gave way") || !strings.Contains(told, "products.weight") {
		t.Errorf("exit %d\n%s", code, told)
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))
	wantNothingLeft(t, prod)
}

// Where somebody always needs the table, or the job wants no second try, the
// refresh ends with 6, and staging is what it was.
func TestGivingWayHasAnEnd(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	prod, staging := orphanage(t), scratchtest.Database(t)
	job := func(limits string) string { return plainJob("orphans: drop", orphanReferences, limits) }
	e := newErrand(t, prod, staging, job(""), map[string]string{"r.yaml": orphanRules})
	e.run(t, 0, "refresh")
	before := scratchtest.Digest(t, staging)

	e.write(t, "understudy.yaml", job("limits: {retries: 0}"))
	code, told := e.atStage(t, "load", func() { scratchtest.SQL(t, prod, "SET lock_timeout = '3s'; TRUNCATE notes") }, "refresh")
	if code != 6 || strings.Contains(told, "anew") || !strings.Contains(told, "public.notes") {
		t.Errorf("exit %d\n%s", code, told)
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))

	e.write(t, "understudy.yaml", job("limits: {retries: 2, lock_wait: 100ms}"))
	release := holdLock(t, prod, "LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
	code, told = e.atStage(t, "-", func() {}, "refresh")
	release()
	if code != 6 || strings.Count(told, "beginning anew in ") != 2 || !strings.Contains(told, "in 1s (2 of 2)") || !strings.Contains(told, "is changing a table") {
		t.Errorf("exit %d\n%s", code, told)
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))
	wantNothingLeft(t, prod)
}
