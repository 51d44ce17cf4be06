package subset_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
	"understudy/internal/subset"
	"understudy/internal/subset/subsettest"
)

// Random schemas, rows and subsets: the closure is the least fix point, which
// the naive computation finds by trying everything, or it fails for the reason
// that the naive computation sees.
func TestClosureIsTheLeastFixPoint(t *testing.T) {
	start, cases := uint64(time.Now().UnixNano()), 3000
	if testing.Short() {
		cases = 300
	}
	outcomes := map[string]int{}
	for i := range cases {
		seed := start + uint64(i)
		outcomes[tryWorld(t, seed)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("outcomes from seed %d on: %v", start, outcomes)
	for outcome, least := range map[string]int{"selected": cases / 4, "orphans dropped": cases / 60, "orphans nullified": cases / 100} {
		if outcomes[outcome] < least {
			t.Errorf("seed %d: only %d of %d random cases end with %s", start, outcomes[outcome], cases, outcome)
		}
	}
}

func FuzzClosure(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { tryWorld(t, seed) })
}

func tryWorld(t *testing.T, seed uint64) string {
	t.Helper()
	w := subsettest.NewWorld(seed, "a", "b")
	spec := w.Spec()
	want := subsettest.NewNaive(w, spec)
	r := rand.New(rand.NewPCG(seed, 4))
	opts := subset.Options{Readers: 1 + r.IntN(4), Sample: subsettest.Sample, Trace: r.IntN(2) == 0}
	snap := engine.Snapshot(w.Memory)
	if r.IntN(2) == 0 {
		snap = subsettest.Combining{Memory: w.Memory}
		for i := range w.Schema.Tables {
			w.Schema.Tables[i].Rows = []int64{-1, 0, 1000, 1e9}[r.IntN(4)] // whatever the server believes
		}
	}
	got, err := subset.Select(context.Background(), snap, w.Schema, spec, opts)
	switch {
	case want.Needed:
		if fault.CodeOf(err) != fault.Usage {
			t.Errorf("a row of a none table is needed, and Select says %v", err)
		}
		return "none is needed"
	case want.Orphans:
		if fault.CodeOf(err) != fault.Integrity {
			t.Errorf("a key leads nowhere, and Select says %v", err)
		}
		return "orphans"
	case err != nil:
		t.Errorf("Select: %v", err)
		return "error"
	}
	ids := func(n schema.Name) []engine.RowID { return w.Memory.IDs[n] }
	if wrong := want.Compare(got, ids); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
	return want.Outcome()
}
