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
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// replicated makes a server with a standby and a database on both.
func replicated(t *testing.T, settings map[string]string, setup string) (first, second, database, replica string) {
	t.Helper()
	server := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"autovacuum": "off"}})
	database = scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, database, setup)
	standby := scratchtest.Standby(t, server, settings)
	replica = standby.URL(database[strings.LastIndex(database, "/")+1 : strings.Index(database, "?")])
	wantCaughtUp(t, database, replica)
	return server.URL("postgres"), standby.URL("postgres"), database, replica
}

// whenTold runs the program in this process, and do when it first says a text,
// however quickly things follow each other: its clock leaps a minute at every look.
func (e *errand) whenTold(t *testing.T, says string, do func(), args ...string) (code int, told string) {
	t.Helper()
	var mu sync.Mutex
	var text bytes.Buffer
	now, once := time.Now(), sync.OnceFunc(do)
	code = cli.Run(t.Context(), context.WithoutCancel(t.Context()), append(args, "--job", filepath.Join(e.dir, "understudy.yaml")), cli.World{
		Stdout: io.Discard, Getenv: func(name string) string { return e.env[name] },
		Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(time.Minute)
			return now
		},
		Stderr: writerFunc(func(p []byte) (int, error) {
			if bytes.Contains(p, []byte(says)) {
				once()
			}
			mu.Lock()
			defer mu.Unlock()
			return text.Write(p)
		})})
	mu.Lock()
	defer mu.Unlock()
	return code, text.String()
}

// A standby that must replay what our moment stands in the way of ends the
// reading: the run begins anew, or ends with 6 and the settings that would help.
// With hot_standby_feedback it reads on, whatever is written meanwhile.
func TestAStandbyUnderWritingLoad(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	_, second, prod, replica := replicated(t, map[string]string{"max_standby_streaming_delay": "0", "hot_standby_feedback": "off"}, people+peopleRows)
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, people)
	write := func() {
		scratchtest.SQL(t, prod, "UPDATE visits SET score = score + 1; DELETE FROM visits WHERE id % 7 = 3")
		scratchtest.SQL(t, prod, "VACUUM visits")
		wantCaughtUp(t, prod, replica)
	}
	job := func(limits string) string { return plainJob(keepNone, limits) }
	e := newErrand(t, replica, staging, job("limits: {lock_wait: 300ms}"), map[string]string{"people.yaml": peopleRules})
	for _, stage := range scratchtest.Some(t, []string{"select", "begin", "load"}, 1) {
		code, told := e.atStage(t, stage, write, "refresh")
		if code != 0 || !strings.Contains(told, "conflict with recovery") || !strings.Contains(told, "beginning anew in ") {
			t.Errorf("%s: exit %d\n%s", stage, code, told)
		}
		wantWhole(t, prod, staging)
	}
	before := scratchtest.Digest(t, staging)
	e.write(t, "understudy.yaml", job("limits: {retries: 0}"))
	code, told := e.atStage(t, "load", write, "refresh")
	if code != 6 || !strings.Contains(told, "conflict with recovery") || !strings.Contains(told, "max_standby_streaming_delay") || !strings.Contains(told, "hot_standby_feedback") {
		t.Errorf("exit %d\n%s", code, told)
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))
	wantNothingLeft(t, replica)

	scratchtest.SQL(t, second, "ALTER SYSTEM SET hot_standby_feedback = on")
	scratchtest.SQL(t, second, "SELECT pg_reload_conf()")
	waitFor(t, prod, "SELECT bool_and(backend_xmin IS NOT NULL) FROM pg_stat_replication")
	e.write(t, "understudy.yaml", job("limits: {retries: 0, snapshot_age: 30m}"))
	// The feedback that tells the primary of our moment comes once in a while.
	hold := func() {
		waitFor(t, prod, "SELECT bool_and(backend_xmin::text::bigint <= txid_current()) FROM pg_stat_replication")
		scratchtest.SQL(t, prod, "UPDATE people SET code = code || '!'")
		scratchtest.SQL(t, prod, "VACUUM people")
		wantCaughtUp(t, prod, replica)
	}
	if code, told := e.atStage(t, "load", hold, "refresh"); code != 0 {
		t.Errorf("exit %d\n%s", code, told)
	}
}

// Rows wait while a replica of staging is too far behind, and pass when it is not.
func TestRowsWaitForAReplica(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	_, second, staging, _ := replicated(t, nil, people)
	prod := scratchtest.Database(t)
	scratchtest.SQL(t, prod, people+peopleRows)
	e := newErrand(t, prod, staging, plainJob(keepNone, "limits: {replica_lag: 500ms}"), map[string]string{"people.yaml": peopleRules})
	e.run(t, 0, "refresh")
	scratchtest.SQL(t, second, "SELECT pg_wal_replay_pause()")
	behind := func() {
		scratchtest.SQL(t, staging, "CREATE TABLE IF NOT EXISTS understudy.noise (i int); INSERT INTO understudy.noise VALUES (1)")
		waitFor(t, staging, "SELECT coalesce(max(replay_lag), '0') > '600ms' FROM pg_stat_replication")
	}
	scratchtest.SQL(t, prod, "INSERT INTO visits (person_id, note, score) VALUES (1, 'one more', 1)")
	behind()
	resumed := false
	code, told := e.whenTold(t, "rows wait for it", func() {
		scratchtest.SQL(t, second, "SELECT pg_wal_replay_resume()")
		resumed = true
	}, "refresh")
	if code != 0 || !resumed || !strings.Contains(told, "a replica of the target is more than 500ms behind") {
		t.Errorf("exit %d\n%s", code, told)
	}
	wantWhole(t, prod, staging)

	// One that does not come back ends the run when the moment would be too old.
	scratchtest.SQL(t, second, "SELECT pg_wal_replay_pause()")
	before := scratchtest.Digest(t, staging)
	behind()
	e.write(t, "understudy.yaml", plainJob(keepNone, "limits: {replica_lag: 500ms, snapshot_age: 4s, retries: 0}"))
	if s := e.run(t, 6, "refresh"); !strings.Contains(s.all(), "limits.replica_lag") && !strings.Contains(s.all(), "limits.snapshot_age") {
		t.Errorf("no limit was named:\n%s", s.all())
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))
	scratchtest.SQL(t, second, "SELECT pg_wal_replay_resume()")
}

// A limit that cannot be kept, because the role may not see the replicas, is
// refused before a row is read; a standby that we ourselves hold back is let go.
func TestTheLagOfASource(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	first, second, prod, replica := replicated(t, nil, people+peopleRows)
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, people)
	reader := scratchtest.Role(t, prod)
	e := newErrand(t, reader, staging, plainJob(keepNone, "limits: {replica_lag: 500ms, retries: 0}"), map[string]string{"people.yaml": peopleRules})
	e.refuses(t, staging, 4).wants(t, "source: ask how far the replicas are behind: the role may not see it", "GRANT pg_monitor TO ")
	role := reader[strings.Index(reader, "//")+2:]
	scratchtest.SQL(t, first, `GRANT pg_monitor TO "`+role[:strings.IndexByte(role, ':')]+`"`)
	e.run(t, 0, "refresh")

	e.env["PROD_URL"] = replica
	wantCaughtUp(t, prod, replica)
	e.run(t, 0, "refresh")
	before := scratchtest.Digest(t, staging)
	code, told := e.atStage(t, "begin", func() {
		scratchtest.SQL(t, second, "SELECT pg_wal_replay_pause()")
		scratchtest.SQL(t, prod, "INSERT INTO visits (person_id, note, score) VALUES (1, 'one more', 1)")
		waitFor(t, replica, "SELECT pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn() AND clock_timestamp() - pg_last_xact_replay_timestamp() > '600ms'")
	}, "refresh")
	if code != 6 || !strings.Contains(told, "our reading holds it back by more than limits.replica_lag") {
		t.Errorf("exit %d\n%s", code, told)
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))
	wantNothingLeft(t, replica)
	scratchtest.SQL(t, second, "SELECT pg_wal_replay_resume()")
}

// A pooler that shares sessions is refused before anything is read; one whose
// sessions are one's own serves.
func TestPoolersBeforeASource(t *testing.T) {
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.Database(t)
	scratchtest.SQL(t, prod, people+peopleRows)
	scratchtest.SQL(t, staging, people)
	e := newErrand(t, scratchtest.Pooled(t, server, prod, "transaction", 20), staging, plainJob(keepNone), map[string]string{"people.yaml": peopleRules})
	e.refuses(t, staging, 2).wants(t, "source: connect to ", "two sessions share one process of the server", "hint: put the address of the server itself into the URL")
	e.env["PROD_URL"] = scratchtest.Pooled(t, server, prod, "session", 20)
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
}
