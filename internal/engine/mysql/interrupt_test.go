package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// TestInterruptsInTheSwitch ends the run's context at random moments of the switch: the
// target is all old or all new, and has its triggers, whatever the server was stopped in.
func TestInterruptsInTheSwitch(t *testing.T) {
	rounds := scratchtest.Few(300, 40)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		random := rand.New(rand.NewPCG(seed, 0))
		production, staging := films(t, server)
		from, to := application(t, production), application(t, staging)
		must(t, to, "CREATE TRIGGER film_gone AFTER DELETE ON film FOR EACH ROW DELETE FROM film_text WHERE film_id = OLD.id")
		triggers, stopped, done := triggersOf(t, to), 0, 0
		tg := openTarget(t, staging)
		for i := range rounds {
			before := filmContent(t, to)
			must(t, from, fmt.Sprintf("UPDATE film SET title = 'night %d' WHERE id = 11", i))
			want := filmContent(t, from)
			ctx, cancel := context.WithCancel(t.Context())
			after := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
			tg.pauses = func(_ context.Context, place string) error {
				if place == "prepared" {
					time.AfterFunc(after, cancel)
				}
				return nil
			}
			err := run(ctx, t, production, tg, engine.Spec{RunID: fmt.Sprintf("run-%d", i), Keep: 1})
			cancel()
			if err != nil {
				stopped++
			} else {
				done++
			}
			if got := filmContent(t, to); got != before && got != want {
				t.Fatalf("round %d, interrupted after %s (%v): the target has\n%s\nwant\n%s\nor\n%s", i, after, err, got, before, want)
			}
			if got := triggersOf(t, to); got != triggers {
				t.Fatalf("round %d, interrupted after %s (%v): the target has the triggers\n%s\nwant\n%s", i, after, err, got, triggers)
			}
		}
		t.Logf("%d rounds went through, %d were stopped", done, stopped)
	})
}

// TestInterruptedAndTheServerGone: what became of the switch is not known then, and said
// so; the triggers, which had been dropped, are the next run's to make.
func TestInterruptedAndTheServerGone(t *testing.T) {
	for name, maria := range map[string]bool{"MariaDB": true, "MySQL": false} {
		t.Run(name, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, map[string]string{"innodb_flush_log_at_trx_commit": "1"})
			production, staging := films(t, server)
			want := filmContent(t, application(t, production))
			before, triggers := filmContent(t, application(t, staging)), triggersOf(t, application(t, staging))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tg := openTarget(t, staging)
			tg.patience = time.Second
			tg.pauses = func(_ context.Context, place string) error {
				if place == "triggers dropped" {
					cancel()
					server.Kill()
				}
				return nil
			}
			err := run(ctx, t, production, tg, engine.Spec{RunID: "gone", Keep: 1})
			if !errors.Is(err, engine.ErrUnknown) || errors.Is(err, engine.ErrSwitched) {
				t.Errorf("the run ended with %v", err)
			}
			if err := server.Restart(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			to := application(t, staging)
			if got := filmContent(t, to); got != before {
				t.Errorf("the target has\n%s\nwant\n%s", got, before)
			}
			again := openTarget(t, staging)
			state, err := again.State(t.Context())
			if err != nil || state.Unfinished == "" {
				t.Errorf("that triggers are missing is not told: %+v, %v", state, err)
			}
			if err := run(t.Context(), t, production, again, engine.Spec{RunID: "next", Keep: 1}); err != nil {
				t.Fatal(err)
			}
			if got := filmContent(t, to); got != want {
				t.Errorf("the next run left\n%s\nwant\n%s", got, want)
			}
			if got := triggersOf(t, to); got != triggers {
				t.Errorf("the next run left the triggers\n%s\nwant\n%s", got, triggers)
			}
		})
	}
}
