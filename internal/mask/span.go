package mask

import (
	"math/bits"
	"math/rand/v2"
)

// tableLimit is the size below which a permutation is a table: Feistel networks
// are weak on small sets (message recovery below a million values), a shuffled
// table is exactly uniform and costs at most four megabytes.
const tableLimit = 1 << 20

// A span is a keyed permutation of 0 <= x < size: a table where that is small,
// else a network over a rectangle hardly larger than the span, walked until the
// value falls inside (cycle walking; more than one step is rare). It is safe for
// use by several goroutines with a scratch block each.
type span struct {
	size  uint64
	table []uint32
	net   *network
	width uint64 // of the rectangle's rows
}

// newSpan derives the permutation of a size from the key and its names.
func newSpan(key Key, size uint64, names ...string) *span {
	sub := key.subkey(purposeTable, names...)
	if size < tableLimit {
		return &span{size: size, table: shuffled(sub, int(size))}
	}
	width := root(size)
	height := (size-1)/width + 1
	net := newNetwork(newCipher(sub[:]), 0, 0, 0, [2]uint64{height, width}, []byte("range"))
	return &span{size: size, net: net, width: width}
}

// at gives the image of x, which must be below the size.
func (s *span) at(scratch *block, x uint64) uint64 {
	if s.table != nil {
		return uint64(s.table[x])
	}
	for {
		a, b := s.net.permute(scratch, x/s.width, x%s.width)
		x = a*s.width + b
		if x < s.size {
			return x
		}
	}
}

// root is the least integer whose square is at least n.
func root(n uint64) uint64 {
	r := uint64(1) << ((bits.Len64(n-1) + 1) / 2)
	low := uint64(0)
	for low+1 < r {
		mid := low + (r-low)/2
		if hi, lo := bits.Mul64(mid, mid); hi > 0 || lo >= n {
			r = mid
		} else {
			low = mid
		}
	}
	return r
}

// shuffled is the Fisher-Yates shuffle of 0..size-1, drawn from ChaCha8 (its
// stream is specified, so it is the same with every Go release) with Lemire's
// unbiased bounded numbers.
func shuffled(seed [32]byte, size int) []uint32 {
	source := rand.NewChaCha8(seed)
	t := make([]uint32, size)
	for i := range t {
		t[i] = uint32(i)
	}
	for i := size - 1; i > 0; i-- {
		j := below(source, uint64(i+1))
		t[i], t[j] = t[j], t[i]
	}
	return t
}

func below(source *rand.ChaCha8, n uint64) uint64 {
	hi, lo := bits.Mul64(source.Uint64(), n)
	for floor := -n % n; lo < floor; {
		hi, lo = bits.Mul64(source.Uint64(), n)
	}
	return hi
}
