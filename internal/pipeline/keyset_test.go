package pipeline

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestKeySetGivesItsGaps(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	sets := [][]int64{nil, {0}, {math.MinInt64}, {math.MaxInt64}, {math.MinInt64, math.MaxInt64}, {-1, 0, 1}, {63, 64, 65535, 65536, -65536, -65537}}
	for range 200 {
		var one []int64
		span := int64(1) << random.IntN(24)
		for range random.IntN(3000) {
			one = append(one, random.Int64N(span)-span/2)
		}
		sets = append(sets, one)
	}
	for _, keys := range sets {
		var s keySet
		for _, k := range keys {
			if !s.add(k) {
				t.Fatalf("no room for %d of %d", k, len(keys))
			}
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		// What lies between the gaps are the keys, each alone.
		var got []int64
		at, done := int64(math.MinInt64), false
		for first, last := range s.gaps() {
			if done || first > last {
				t.Fatalf("gap %d to %d of %v", first, last, keys)
			}
			for ; at < first; at++ {
				got = append(got, at)
			}
			at, done = last+1, last == math.MaxInt64
		}
		if !done {
			got = append(got, math.MaxInt64)
		}
		if !slices.Equal(got, keys) {
			t.Fatalf("keys %v, of the gaps %v", keys, got)
		}
	}
}

func TestKeySetHasAnEnd(t *testing.T) {
	var s keySet
	for i := range int64(keyPages) {
		if !s.add(i << 20) {
			t.Fatal("no room")
		}
	}
	if s.add(-1) || !s.add(7) {
		t.Error("room for a page too many, or none in a page that is there")
	}
}
