package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// kinds lists the kinds of sessions that a run has open on a server, without the run's name.
const kinds = `SELECT DISTINCT ` + kind + ` FROM pg_stat_activity WHERE application_name LIKE 'understudy%' ORDER BY 1`

const kind = `regexp_replace(application_name, '[0-9]{14}[0-9a-f]{4}', 'run')`

// Whichever of its sessions an administrator ends, in whichever stage: a run ends
// with 6 and staging as it was, or goes on to the new generation because it did
// not need that one any more. Nothing stays open on the source.
func TestKillEachSessionOfARun(t *testing.T) {
	killing(t)
	for _, mode := range []string{"swap", "replace"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			killEachSession(t, mode)
		})
	}
}

func killEachSession(t *testing.T, mode string) {
	t.Helper()
	random := newRandom(t)
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, prod, people+peopleRows)
	scratchtest.SQL(t, staging, people)
	e := newErrand(t, prod, staging, plainJob("load: {mode: "+mode+", keep: 0}", "limits: {retries: 0}"), map[string]string{"people.yaml": peopleRules})
	for _, stage := range []string{"snapshot", "select", "try", "begin", "load", "finish", "prove", "switch"} {
		var open []string
		code, told := e.atStage(t, stage, func() { open = strings.Split(scratchtest.Query(t, prod, kinds), "\n") }, "refresh")
		if code != 0 {
			t.Fatalf("%s: exit %d\n%s", stage, code, told)
		}
		random.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
		for _, name := range open[:scratchtest.Few(len(open), 1)] {
			end := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'understudy%' AND " + kind + " = '" + name + "'"
			e.survives(t, prod, staging, stage+", "+name, func() (int, string) {
				return e.atStage(t, stage, func() { scratchtest.SQL(t, prod, end) }, "refresh")
			})
		}
	}
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
	name := staging[strings.LastIndex(staging, "/")+1 : strings.Index(staging, "?")]
	wantAlone(t, server, name)
}

// survives runs a refresh that is harmed and wants one of both generations: the
// new one with exit 0, or the old one with 6.
func (e *errand) survives(t *testing.T, prod, staging, harm string, refresh func() (int, string)) {
	t.Helper()
	before := scratchtest.Digest(t, staging)
	scratchtest.SQL(t, prod, "INSERT INTO visits (person_id, note, score) VALUES (1, 'one more', 1)")
	code, told := refresh()
	after := scratchtest.Digest(t, staging)
	if code != 6 && code != 0 || (code == 0) != (after != before) || code == 6 && !strings.Contains(told, "understudy: ") {
		t.Errorf("%s: exit %d, the generation is new: %v\n%s", harm, code, after != before, told)
	}
	if code == 0 {
		if rows := "SELECT count(*) FROM visits"; scratchtest.Query(t, prod, rows) != scratchtest.Query(t, staging, rows) {
			t.Errorf("%s: the new generation is not whole", harm)
		}
	}
	wantNothingLeft(t, prod)
}

// Sessions that are ended while rows pass through them, at any moment of the load.
func TestKillSessionsWhileRowsPass(t *testing.T) {
	killing(t)
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, prod, people+peopleRows+"INSERT INTO visits (person_id, note, score) SELECT 1 + n % 300, 'more ' || n, n FROM generate_series(1, 200000) n")
	scratchtest.SQL(t, staging, people)
	e := newErrand(t, prod, staging, plainJob(keepNone, "limits: {retries: 0}"), map[string]string{"people.yaml": peopleRules})
	e.run(t, 0, "refresh")
	ended := 0
	for _, name := range []string{"understudy source reader", "understudy run load", "understudy source snapshot", "understudy run lock"} {
		condition := "application_name LIKE 'understudy%' AND " + kind + " = '" + name + "'"
		if strings.HasSuffix(name, "reader") || strings.HasSuffix(name, "load") {
			condition += " AND state = 'active' AND query LIKE 'COPY%'"
		}
		e.survives(t, prod, staging, name, func() (int, string) {
			done, stopped := make(chan struct{}), make(chan struct{})
			start := func() {
				go func() {
					defer close(stopped)
					for {
						select {
						case <-done:
							return
						default:
						}
						// COPY is seen a moment before its first row: some pass first.
						out, err := scratch.Query(t.Context(), prod, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "+condition)
						if err == nil && out != "0" {
							ended++
							return
						}
					}
				}()
			}
			code, told := e.atStage(t, "load", start, "refresh")
			close(done)
			<-stopped
			return code, told
		})
	}
	if ended < 2 {
		t.Errorf("only %d sessions were ended in time", ended)
	}
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
}

// Limits that a database sets for its roles do not end a run's long transaction,
// nor the wait between its stages; the job's own limits do, with 6 and the word for it.
func TestLimitsOfServerAndJob(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, prod, people+peopleRows)
	scratchtest.SQL(t, staging, people)
	for _, setting := range []string{"idle_in_transaction_session_timeout", "statement_timeout", "transaction_timeout", "idle_session_timeout", "lock_timeout"} {
		if scratchtest.Query(t, prod, "SELECT count(*) FROM pg_settings WHERE name = '"+setting+"'") == "1" {
			scratchtest.SQL(t, server.URL("postgres"), "ALTER ROLE postgres SET "+setting+" = '700ms'")
		} else {
			t.Logf("NOT RUN: this server has no %s; one of version 17 has", setting)
		}
	}
	e := newErrand(t, prod, staging, plainJob(keepNone, "limits: {retries: 0}"), map[string]string{"people.yaml": peopleRules})
	for _, stage := range []string{"begin", "prove"} {
		// Longer than all of these: since the snapshot, since the last statement of each session.
		wait := func() {
			for range 4 {
				scratchtest.SQL(t, prod, "DO $$ BEGIN PERFORM pg_sleep(0.5); END $$")
			}
		}
		if code, told := e.atStage(t, stage, wait, "refresh"); code != 0 {
			t.Fatalf("%s: exit %d\n%s", stage, code, told)
		}
	}
	scratchtest.SQL(t, server.URL("postgres"), "ALTER ROLE postgres RESET ALL")
	before := scratchtest.Digest(t, staging)
	for limit, says := range map[string]string{"statement: 1ms": "limits.statement", "snapshot_age: 1ms": "limits.snapshot_age"} {
		e.write(t, "understudy.yaml", plainJob(keepNone, "limits: {retries: 0, "+limit+"}"))
		e.run(t, 6, "refresh").wants(t, says)
		same(t, "staging", before, scratchtest.Digest(t, staging))
		wantNothingLeft(t, prod)
	}
}
