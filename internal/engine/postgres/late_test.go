package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

const writtenTo = `
	CREATE TABLE plain (id int PRIMARY KEY, what text, tags int[]);
	CREATE TABLE bag (a int, b text);
	CREATE TABLE part (id int, at int, what text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (5);
	CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (5) TO (10);
	CREATE TABLE quiet (id int PRIMARY KEY, what text);`

// Rows that staging writes while others are read and loaded do not stay, whether
// they were written before, during or after the look at the table, and rows that
// it deletes are there again.
func TestReplaceLateWrites(t *testing.T) {
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, writtenTo+`
		INSERT INTO plain SELECT i, 'w' || i, ARRAY[i, NULL] FROM generate_series(1, 500) i; INSERT INTO bag SELECT i % 7, 'b' FROM generate_series(1, 100) i;
		INSERT INTO part SELECT i, i % 10, 'p' FROM generate_series(1, 300) i; INSERT INTO quiet SELECT i, 'q' FROM generate_series(1, 50) i`)
	staging, _ := plain(t, writtenTo)
	tg, source := openInPlace(t, staging), openSource(t, production)
	mustRefresh(t, source, tg, quietSpec("first"), false)
	writes := `UPDATE plain SET what = 'late' WHERE id % 5 = 1; DELETE FROM plain WHERE id % 50 = 2; INSERT INTO plain VALUES (9001, 'late'); UPDATE plain SET id = -id WHERE id = 10;
		DELETE FROM bag WHERE a = 3; INSERT INTO bag VALUES (1, 'late'), (1, 'b'); UPDATE part SET at = 9 - at WHERE id % 9 = 1; DELETE FROM part WHERE id = 20`
	round := func(run string, late func(), want int) {
		t.Helper()
		scratchtest.SQL(t, production, `UPDATE plain SET what = what || 'x' WHERE id % 100 = 3; DELETE FROM plain WHERE id = (SELECT max(id) FROM plain); INSERT INTO bag VALUES (5, 'new');
			UPDATE part SET what = 'changed' WHERE id = (SELECT min(id) FROM part WHERE what = 'p'); UPDATE quiet SET what = what || 'x' WHERE id = 7`)
		again := 0
		spec := quietSpec(run)
		spec.Step = func(step string) {
			if len(step) > 5 && step[:5] == "read " && step != "read the structure" {
				again++
			}
		}
		tg.pauses = func(_ context.Context, at string) error {
			if at == "waiting" {
				late()
			}
			return nil
		}
		mustRefresh(t, source, tg, spec, false)
		same(t, run, contents(t, production), contents(t, staging))
		if again != want {
			t.Errorf("%s: %d tables were read again, want %d", run, again, want)
		}
		if left := leftInPlace(t, staging); left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
	for _, asText := range []bool{false, true} {
		tg.asText = asText
		round(fmt.Sprintf("none %v", asText), func() {}, 0)
		round(fmt.Sprintf("late %v", asText), func() { scratchtest.SQL(t, staging, writes) }, 3)

		// A transaction that is open during the look, elsewhere and then here.
		other := openInPlace(t, staging)
		c, err := connect(t.Context(), other.at, session{name: "writer", limits: engine.Limits{LockWait: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.hangUp()
		do := func(sql string) {
			t.Helper()
			if err := c.exec(t.Context(), "write", sql); err != nil {
				t.Fatal(err)
			}
		}
		do("BEGIN; SELECT pg_catalog.txid_current()")
		scratchtest.SQL(t, staging, "UPDATE bag SET b = b") // committed, but later than what is open
		round(fmt.Sprintf("open %v", asText), func() {}, 0)
		do("SAVEPOINT s; UPDATE public.bag SET b = 'late' WHERE a = 2; RELEASE s; INSERT INTO public.quiet VALUES (99, 'late')")
		round(fmt.Sprintf("committed %v", asText), func() { do("COMMIT") }, 2)
	}
}

// Who empties or rewrites a table meanwhile stops the exchange; the next goes through.
func TestReplaceRewrittenMeanwhile(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small)
	tg, source := openInPlace(t, staging), openSource(t, production)
	mustRefresh(t, source, tg, quietSpec("first"), false)
	for i, sql := range []string{"CLUSTER flags USING flags_pkey", "TRUNCATE flags"} {
		renewedFor(t, production, sql)
		tg.pauses = func(_ context.Context, at string) error {
			if at != "waiting" {
				return nil
			}
			_, err := asClient(t, staging, sql)
			return err
		}
		_, err := refresh(t.Context(), source, tg, quietSpec("meanwhile"), false)
		if engine.CodeOf(err) != engine.Changed || !strings.Contains(err.Error(), "flags") {
			t.Errorf("%s: %v", sql, err)
		}
		if left := leftInPlace(t, staging); left != "" {
			t.Errorf("left behind: %s", left)
		}
		tg.pauses = nil
		mustRefresh(t, source, tg, quietSpec(fmt.Sprintf("next%d", i)), false)
		same(t, sql, contents(t, production), contents(t, staging))
	}
}
