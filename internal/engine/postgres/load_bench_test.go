package postgres

import (
	"fmt"
	"os"
	"testing"
	"time"

	"understudy/internal/scratch/scratchtest"
)

// The addresses of a database to copy and of one of the same structure, whose
// content is replaced. Without them the benchmark copies a small one of its own.
const (
	benchSource = "UNDERSTUDY_BENCH_SOURCE"
	benchTarget = "UNDERSTUDY_BENCH_TARGET"
)

// BenchmarkLoad copies a whole database, keys and indexes built, proofs taken,
// switched in; -v prints how long each step took.
func BenchmarkLoad(b *testing.B) {
	production, staging := os.Getenv(benchSource), os.Getenv(benchTarget)
	if production == "" || staging == "" {
		production, staging = scratchtest.Database(b), scratchtest.Database(b)
		scratchtest.SQL(b, production, small+smallRows)
		scratchtest.SQL(b, staging, small)
	}
	source, tg := openSource(b, production), openTarget(b, staging)
	for i := 0; b.Loop(); i++ {
		spec := quietSpec(fmt.Sprintf("bench%d-%d", os.Getpid(), i))
		spec.Keep = 0
		last, at := "open", time.Now()
		spec.Step = func(step string) {
			b.Logf("%7.3fs %s", time.Since(at).Seconds(), last)
			last, at = step, time.Now()
		}
		if _, err := refresh(b.Context(), source, tg, spec, false); err != nil {
			b.Fatal(err)
		}
		spec.Step("end")
	}
}
