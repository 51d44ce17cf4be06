package pipeline

import (
	"iter"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// A keySet holds whole numbers, such as the keys of a table's rows, a bit for each in
// pages of near ones. Not safe for use by several goroutines.
type keySet struct {
	pages map[int64]*keyPage
}

// keyPage are the bits of 2^16 numbers, 8 KiB.
type keyPage [1 << 10]uint64

// keyPages is how many pages a keySet takes: 16 MiB, which hold 134 million keys that a
// sequence gave, and few that are spread over all numbers.
const keyPages = 1 << 11

// add puts a number into the set; false where there is no room.
func (s *keySet) add(n int64) bool {
	page := s.pages[n>>16]
	if page == nil {
		if len(s.pages) == keyPages {
			return false
		}
		if s.pages == nil {
			s.pages = map[int64]*keyPage{}
		}
		page = new(keyPage)
		s.pages[n>>16] = page
	}
	page[n>>6&(1<<10-1)] |= 1 << (n & 63)
	return true
}

// gaps gives the ranges, first and last, of all numbers that are not in the set, in order.
func (s *keySet) gaps() iter.Seq2[int64, int64] {
	return func(yield func(first, last int64) bool) {
		from, full := int64(math.MinInt64), false // the first number behind the last one of the set; full: there is none
		for _, at := range slices.Sorted(maps.Keys(s.pages)) {
			for i, word := range s.pages[at] {
				for ; word != 0; word &= word - 1 {
					n := at<<16 + int64(i)<<6 + int64(bits.TrailingZeros64(word))
					if n > from && !yield(from, n-1) {
						return
					}
					from, full = n+1, n == math.MaxInt64
				}
			}
		}
		if !full {
			yield(from, math.MaxInt64)
		}
	}
}
