package scratchtest

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// CasesVariable, set to "all", makes tests try every case and every round that
// they have. Without it a test of many long cases tries some of them, others each
// time, and says which seed it took them by.
const CasesVariable = "UNDERSTUDY_CASES"

// All tells whether every case is to be tried.
func All() bool { return os.Getenv(CasesVariable) == "all" }

// Few is how often something is done: all times, or few where not all are asked for.
func Few(all, few int) int {
	if All() {
		return all
	}
	return min(all, few)
}

// Some gives all cases, or few of them at random where not all are asked for, in
// their order.
func Some[T any](t testing.TB, all []T, few int) []T {
	t.Helper()
	if All() || len(all) <= few {
		return all
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d of %d cases, by the seed %d; %s=all tries all", few, len(all), seed, CasesVariable)
	picked := make([]bool, len(all))
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(len(all))[:few] {
		picked[i] = true
	}
	var out []T
	for i, c := range all {
		if picked[i] {
			out = append(out, c)
		}
	}
	return out
}

// LeftOutVariable names a file to which the names of tests are appended that
// [Long] left to another run.
const LeftOutVariable = "UNDERSTUDY_LEFT_OUT"

// Long begins a test that takes long and seldom finds what the others do not. Where
// not all cases are asked for it runs one time in three, by chance; else it is
// skipped, and said.
func Long(t testing.TB) {
	t.Helper()
	if All() || rand.IntN(3) == 0 {
		return
	}
	if path := os.Getenv(LeftOutVariable); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(t.Name() + "\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Skip("runs one time in three; " + CasesVariable + "=all runs it always")
}
