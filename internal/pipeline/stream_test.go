package pipeline

import "testing"

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
