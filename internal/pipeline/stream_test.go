package pipeline

import (
	"runtime"
	"sync/atomic"
	"testing"

	"understudy/internal/engine"
)

// TestPartsEvenOut: tables are divided only where one would be left over, into
// parts no smaller than is worth it.
func TestPartsEvenOut(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name    string
		weights []int64
		readers int
		parts   []int
	}{
		{"a large one among many", []int64{688 * mb, 328 * mb, 216 * mb, 208 * mb, 148 * mb, 141 * mb, 69 * mb, 84 * mb}, 2, []int{1, 1, 1, 1, 1, 1, 1, 1}},
		{"one large", []int64{1000 * mb, 10 * mb}, 2, []int{2, 1}},
		{"one large, four readers", []int64{1000 * mb, 10 * mb}, 4, []int{4, 1}},
		{"three of one size", []int64{300 * mb, 300 * mb, 300 * mb}, 2, []int{2, 2, 2}},
		{"one reader", []int64{1000 * mb}, 1, []int{1}},
		{"small ones", []int64{15 * mb, mb}, 4, []int{1, 1}},
		{"none", nil, 2, nil},
	} {
		limit := partWeight(c.weights, c.readers)
		for i, w := range c.weights {
			if got := partsOf(w, limit); got != c.parts[i] {
				t.Errorf("%s: table %d in %d parts, want %d", c.name, i, got, c.parts[i])
			}
		}
	}
}

// TestNothingIsReadBesideAHugeBatch: reading runs ahead of writing, but not while a
// huge batch is in hand, so that no more than one is in memory.
func TestNothingIsReadBesideAHugeBatch(t *testing.T) {
	var inHand atomic.Bool
	made := func(yield func(*engine.Batch, error) bool) {
		for i := range 20 {
			if inHand.Load() {
				t.Errorf("batch %d is read beside a huge one", i)
			}
			b := &engine.Batch{Rows: 1, Raw: make([]byte, 10)}
			if i%3 == 1 {
				b.Raw = make([]byte, engine.HugeBytes)
				inHand.Store(true)
			}
			if !yield(b, nil) {
				return
			}
		}
	}
	for _, stop := range []int{20, 7, 4, 2} { // a consumer may leave with a huge one in hand, or before
		n := 0
		for b, err := range readAhead(made, 2) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == stop {
				break
			}
			huge := b.Huge()
			b.Raw = nil // masked, as it may be, to something short
			if runtime.Gosched(); huge {
				inHand.Store(false)
			}
			b.Release()
		}
		if n != stop {
			t.Errorf("%d batches came, want %d", n, stop)
		}
		inHand.Store(false)
	}
}
