package mysql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// TestReplaceKilledAtAPlace kills a run at each step: staging is the old rows or
// the new ones, and the next run clears what is left and needs no hand work.
func TestReplaceKilledAtAPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := shelves(t, server)
		from, to := application(t, production), application(t, staging)
		if err := run(t.Context(), t, production, openInPlace(t, staging), engine.Spec{RunID: "first"}); err != nil {
			t.Fatal(err)
		}
		for i, place := range []string{"created", "tables", "locked", "exchanging", "exchanged", "manifest", "committing", "switched"} {
			t.Run(place, func(t *testing.T) {
				must(t, from, fmt.Sprintf("INSERT INTO parent (code) VALUES ('at %d')", i), fmt.Sprintf("UPDATE bag SET y = 'at %d'", i))
				before := contents(t, to)
				kill(startChild(t, production, staging, fmt.Sprintf("run%d", i), place, "replace"))
				after, whole := contents(t, to), contents(t, from)
				want := before
				if place == "switched" {
					want = whole
				}
				same(t, "killed at "+place, after, want)
				tg := openInPlace(t, staging)
				state, err := tg.State(t.Context())
				if err != nil || state.Busy == "" && len(state.Leftovers) != 1 || len(state.Rows) != 4 {
					t.Errorf("state: %+v, %v", state, err)
				}
				if next, err := tg.Inspect(t.Context(), nil); err != nil || len(next.Tables) != 4 {
					t.Errorf("side tables are seen: %v, %v", next, err)
				}
				must(t, from, fmt.Sprintf("INSERT INTO parent (code) VALUES ('after %d')", i))
				var next engine.Target = tg
				if i%2 == 1 { // a job that has come to switch clears them as well
					must(t, to, "DROP TRIGGER stamped")
					next = openTarget(t, staging)
				}
				if err := untilFree(t.Context(), t, production, next, engine.Spec{RunID: fmt.Sprintf("next%d", i)}); err != nil {
					t.Fatal(err)
				}
				if i%2 == 1 {
					must(t, to, "CREATE TRIGGER stamped BEFORE UPDATE ON child FOR EACH ROW SET NEW.parent = NULL")
				}
				same(t, "after the next run", contents(t, to), contents(t, from))
				if left := leftInPlace(t, to); left != "" {
					t.Errorf("left behind: %s", left)
				}
			})
		}
	})
}

// The server goes on with a statement whose client has died: the next run ends it.
func TestReplaceKilledInAStatement(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := shelves(t, server)
		from, to := application(t, production), application(t, staging)
		must(t, to, "INSERT INTO bag VALUES (4, 'held'), (5, 'too')")
		before := contents(t, to)
		tx, err := to.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE bag SET x = 6 WHERE x = 5"); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
		cmd.Env = append(os.Environ(), childSource+"="+production, childTarget+"="+staging, childRun+"=waits", childPlace+"=nowhere", childMode+"=replace")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waiting := "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'DELETE FROM `" + databaseOf(staging) + "`.`bag`%'"
		for deadline := time.Now().Add(20 * time.Second); ; _ = wait(t.Context(), 10*time.Millisecond) {
			rows, err := query(t.Context(), from, waiting)
			if err == nil && len(rows) > 0 {
				break
			}
			if time.Now().After(deadline) {
				kill(cmd)
				t.Fatalf("it does not wait: %v", err)
			}
		}
		kill(cmd)
		if rows, err := query(t.Context(), from, waiting); err != nil || len(rows) == 0 {
			t.Errorf("the server noticed by itself: %v, %v", rows, err)
		}
		tg := openInPlace(t, staging)
		spec := engine.Spec{RunID: "next", Step: func(step string) {
			if step == "lock the tables" {
				_ = tx.Rollback() // once
				same(t, "rows", contents(t, to), before)
			}
		}}
		if err := untilFree(t.Context(), t, production, tg, spec); err != nil {
			t.Fatal(err)
		}
		same(t, "after the next run", contents(t, to), contents(t, from))
		if left := leftInPlace(t, to); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

// TestReplaceServerKilled kills the server at each step of the transaction.
func TestReplaceServerKilled(t *testing.T) {
	scratchtest.Long(t)
	for name, maria := range map[string]bool{"MariaDB": true, "MySQL": false} {
		t.Run(name, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, map[string]string{"innodb_flush_log_at_trx_commit": "1"})
			production, staging := shelves(t, server)
			from, to := application(t, production), application(t, staging)
			for i, place := range scratchtest.Some(t, []string{"tables", "exchanging", "exchanged", "committing", "switched"}, 2) {
				must(t, from, fmt.Sprintf("INSERT INTO parent (code) VALUES ('at %d')", i), fmt.Sprintf("UPDATE bag SET y = 'at %d'", i))
				before, whole := contents(t, to), contents(t, from)
				tg, killed := openInPlace(t, staging), false
				tg.pauses = func(_ context.Context, at string) error {
					if at == place && !killed {
						killed = true
						server.Kill()
					}
					return nil
				}
				err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("run%d", i)})
				if place == "switched" != errors.Is(err, engine.ErrSwitched) || err == nil || !killed {
					t.Errorf("%s: killed %v, %v", place, killed, err)
				}
				if err := server.Restart(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				want := before
				if place == "switched" {
					want = whole
				}
				from, to = application(t, production), application(t, staging)
				same(t, place, contents(t, to), want)
				if err := run(t.Context(), t, production, openInPlace(t, staging), engine.Spec{RunID: fmt.Sprintf("next%d", i)}); err != nil {
					t.Fatal(err)
				}
				same(t, "after the next run", contents(t, to), whole)
				if left := leftInPlace(t, to); left != "" {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

// A COMMIT without an answer is looked into: it took place, or it did not.
func TestReplaceCommitWithoutAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := shelves(t, server)
		from, to := application(t, production), application(t, staging)
		tg := openInPlace(t, staging)
		tg.pauses = func(_ context.Context, place string) error {
			if place == "committing" {
				tg.exchanges[0].main.net.cut()
			}
			return nil
		}
		before := contents(t, to)
		if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "cut"}); err == nil || errors.Is(err, engine.ErrSwitched) {
			t.Errorf("a COMMIT that was not sent: %v", err)
		}
		same(t, "rows", contents(t, to), before)
		tg.pauses = nil
		l, err := beginAndFill(t, production, tg, engine.Spec{RunID: "answerless"})
		if err == nil {
			err = l.Finish(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		x := l.(*exchange)
		if err := writeClaimRow(t.Context(), x.main, databaseOf(staging), "answerless", time.Now(), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := x.main.exec(t.Context(), "commit", "COMMIT"); err != nil {
			t.Fatal(err)
		}
		x.main.hangUp()
		if err := x.outcome(x.main.id, errors.New("the connection broke")); !errors.Is(err, engine.ErrSwitched) {
			t.Errorf("one that took place: %v", err)
		}
		x.switched = true
		if err := l.Abort(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		same(t, "rows", contents(t, to), contents(t, from))
		if state, err := tg.State(t.Context()); err != nil || state.Switched != "answerless" || !slices.ContainsFunc(state.Leftovers, func(s string) bool { return strings.Contains(s, "side tables") }) {
			t.Errorf("state: %+v, %v", state, err)
		}
		if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "next"}); err != nil {
			t.Fatal(err)
		}
		if left := leftInPlace(t, to); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}
