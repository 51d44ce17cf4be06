package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// replacePlaces are where an exchange can be stopped.
func replacePlaces() []string {
	return []string{"created", "waiting", "locked", "exchanged", "manifest", "committing", "switched"}
}

// renewedFor changes production so that the next exchange inserts, updates and deletes.
func renewedFor(t *testing.T, production, run string) {
	t.Helper()
	scratchtest.SQL(t, production, fmt.Sprintf(`INSERT INTO flags VALUES ('%[1]s', true); UPDATE parent SET favourite = NULL, name = '%[1]s ' || id; DELETE FROM child WHERE id = (SELECT min(id) FROM child)`, run))
}

// afterKillInPlace asserts that staging is the old rows or the new, whole, that
// triggers are as they were, and that the next run needs no hand work.
func afterKillInPlace(t *testing.T, production, staging, before, triggers, run string) (switched bool) {
	t.Helper()
	after := contents(t, staging)
	switch after {
	case contents(t, production):
		switched = true
	case before:
	default:
		t.Error("staging holds neither the old rows nor the new ones")
	}
	same(t, "triggers", triggers, triggersOf(t, staging))
	tg := openInPlace(t, staging)
	defer tg.Close()
	renewedFor(t, production, "after "+run)
	deadline := time.Now().Add(20 * time.Second)
	for {
		proofs, err := refresh(t.Context(), openSource(t, production), tg, quietSpec("next"+run), false)
		if engine.CodeOf(err) == engine.Busy && err != nil && time.Now().Before(deadline) {
			_ = wait(t.Context(), 20*time.Millisecond)
			continue
		}
		if err != nil {
			t.Errorf("the run after the kill: %v", err)
		}
		checkProofs(t, proofs)
		break
	}
	same(t, "staging after the next run", contents(t, production), contents(t, staging))
	same(t, "triggers", triggers, triggersOf(t, staging))
	if left := leftInPlace(t, staging); left != "" {
		t.Errorf("left behind: %s", left)
	}
	return switched
}

func TestReplaceKilled(t *testing.T) {
	scratchtest.Long(t)
	t.Setenv(childMode, "replace")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	production, _ := pair(t)
	staging, _ := plain(t, small)
	begin := time.Now()
	mustRefresh(t, openSource(t, production), openInPlace(t, staging), quietSpec("whole"), false)
	whole := time.Since(begin)
	triggers := triggersOf(t, staging)
	kill := func(run, place string, after time.Duration) (last string) {
		cmd, lines := startChild(t, production, staging, run, place)
		timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		for line := range lines {
			last = line
			if line == "at "+place {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // it was killed, or had ended just before
		return last
	}
	for i, place := range replacePlaces() {
		run := fmt.Sprintf("k%d", i)
		renewedFor(t, production, run)
		before := contents(t, staging)
		if last := kill(run, place, time.Minute); last != "at "+place {
			t.Fatalf("%s: not reached, but %s", place, last)
		}
		if switched := afterKillInPlace(t, production, staging, before, triggers, run); switched != (place == "switched") {
			t.Errorf("%s: switched %v", place, switched)
		}
	}
	histogram := map[string]int{}
	for i := range scratchtest.Few(3, 1) {
		run := fmt.Sprintf("a%d", i)
		renewedFor(t, production, run)
		before := contents(t, staging)
		histogram[kill(run, "", time.Duration(random.Int64N(int64(whole))))]++
		afterKillInPlace(t, production, staging, before, triggers, run)
	}
	t.Logf("killed after: %v", histogram)
}

// The server dies by kill -9; after its own recovery the target is whole, and
// the next run needs no hand work.
func TestReplaceServerKilled(t *testing.T) {
	scratchtest.Long(t)
	server := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"fsync": "on", "synchronous_commit": "on"}})
	production, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, production, small+smallRows)
	scratchtest.SQL(t, staging, small)
	triggers := triggersOf(t, staging)
	for _, place := range []string{"exchanged", "committing", "switched"} {
		renewedFor(t, production, place)
		before := contents(t, staging)
		source, tg := openSource(t, production), openInPlace(t, staging)
		tg.pauses = func(_ context.Context, at string) error {
			if at == place {
				server.Kill()
				err := server.Restart(t.Context(), nil)
				if err != nil {
					t.Errorf("the server does not start again: %v", err)
				}
				return err
			}
			return nil
		}
		_, err := refresh(t.Context(), source, tg, quietSpec("s"+place), false)
		if t.Failed() {
			return
		}
		if switched := afterKillInPlace(t, production, staging, before, triggers, "s"+place); switched != (place == "switched") || switched != (err == nil || errors.Is(err, engine.ErrSwitched)) {
			t.Errorf("%s: switched %v, error %v", place, switched, err)
		}
		tg.Close()
		source.Close()
	}
}

// A COMMIT whose answer never came is settled by what the claim says.
func TestReplaceCommitWithoutAnswer(t *testing.T) {
	production, _ := pair(t)
	staging, _ := plain(t, small)
	before := contents(t, staging)
	tg := openInPlace(t, staging)
	tg.pauses = func(_ context.Context, at string) error {
		if at == "committing" {
			scratchtest.SQL(t, staging, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'understudy unanswered exchange'")
		}
		return nil
	}
	_, err := refresh(t.Context(), openSource(t, production), tg, quietSpec("unanswered"), false)
	if err == nil || errors.Is(err, engine.ErrSwitched) {
		t.Errorf("error: %v", err)
	}
	same(t, "staging", before, contents(t, staging))
	tg.pauses = nil
	mustRefresh(t, openSource(t, production), tg, quietSpec("answered"), false)
	cause := errors.New("the connection broke")
	if err := (&exchange{t: tg, spec: quietSpec("answered")}).outcome(0, cause); !errors.Is(err, engine.ErrSwitched) || !errors.Is(err, cause) {
		t.Errorf("an exchange that took place: %v", err)
	}
}

// One run at a time, whichever way it replaces.
func TestReplaceIsBusy(t *testing.T) {
	_, staging := pair(t)
	swap, place := openTarget(t, staging), openInPlace(t, staging)
	for _, c := range []struct{ first, second engine.Target }{{swap, place}, {place, swap}, {place, place}} {
		l, err := c.first.Begin(t.Context(), quietSpec("first"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.second.Begin(t.Context(), quietSpec("second")); engine.CodeOf(err) != engine.Busy {
			t.Errorf("the second run: %v", err)
		}
		state, err := c.second.State(t.Context())
		if err != nil || !strings.Contains(state.Busy, "run first") || len(state.Leftovers) > 0 {
			t.Errorf("state: %+v, %v", state, err)
		}
		if err := l.Abort(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
