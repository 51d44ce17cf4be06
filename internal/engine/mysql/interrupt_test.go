package mysql

import (
	"context"
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
