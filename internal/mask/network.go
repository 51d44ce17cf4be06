package mask

import (
	"crypto/cipher"
	"encoding/binary"
	"math/big"
	"math/bits"
)

// rounds of the Feistel network, as FF1 has them.
const rounds = 10

// A network is FF1 of NIST SP 800-38G for halves below 2^63, without big
// integers: a keyed permutation of the pairs (a, b) with 0 <= a < sizes[0] and
// 0 <= b < sizes[1]. In FF1 the sizes are powers of one radix (radix^u and
// radix^v); nothing in its proof of being a permutation needs that, so strings
// of mixed digits and letters and plain ranges of integers use the same network
// with their own sizes. A network holds no state between calls.
type network struct {
	cipher cipher.Block
	sizes  [2]uint64
	// hi and lo are the last block of P||Q of the standard, without the round and
	// the half, already added to the chained state of the blocks before it.
	hi, lo uint64
	shift  uint // of the round number in lo; 64 when it stands at the end of hi
	wide   bool // twelve bytes of the block are used, not eight
}

// newNetwork prepares FF1's constant blocks. radix is 0 where the positions
// differ in radix; u and v are the lengths of the halves.
func newNetwork(c cipher.Block, radix, u, v int, sizes [2]uint64, tweak []byte) *network {
	n := &network{cipher: c, sizes: sizes}
	width := (bits.Len64(max(sizes[0], sizes[1])-1) + 7) / 8
	n.wide, n.shift = width > 4, uint(8*width)
	q := append(firstBlock(radix, u, u+v, len(tweak)), tweak...)
	q = append(q, make([]byte, pad(len(tweak)+width+1))...)
	q = append(q, make([]byte, width+1)...)
	var x block
	for ; len(q) > len(x); q = q[len(x):] {
		for i := range x {
			x[i] ^= q[i]
		}
		c.Encrypt(x[:], x[:])
	}
	for i := range x {
		x[i] ^= q[i]
	}
	n.hi, n.lo = binary.BigEndian.Uint64(x[:]), binary.BigEndian.Uint64(x[8:])
	return n
}

// firstBlock is P of the standard.
func firstBlock(radix, u, n, t int) []byte {
	p := []byte{1, 2, 1, byte(radix >> 16), byte(radix >> 8), byte(radix), rounds, byte(u)}
	p = binary.BigEndian.AppendUint32(p, uint32(n))
	return binary.BigEndian.AppendUint32(p, uint32(t))
}

// pad is how many zeros make a length a multiple of sixteen.
func pad(length int) int { return -length & 15 }

// permute maps (a, b) to its place in the permutation.
func (n *network) permute(x *block, a, b uint64) (uint64, uint64) {
	for i := uint64(0); i < rounds; i += 2 {
		a = addMod(a, n.round(x, i, b, n.sizes[0]), n.sizes[0])
		b = addMod(b, n.round(x, i+1, a, n.sizes[1]), n.sizes[1])
	}
	return a, b
}

func (n *network) round(x *block, i, half, size uint64) uint64 {
	hi, lo := n.hi, n.lo^half
	if n.shift < 64 {
		lo ^= i << n.shift
	} else {
		hi ^= i
	}
	binary.BigEndian.PutUint64(x[:], hi)
	binary.BigEndian.PutUint64(x[8:], lo)
	n.cipher.Encrypt(x[:], x[:])
	y, over := binary.BigEndian.Uint64(x[:]), uint64(0)
	if n.wide {
		y, over = y<<32|uint64(binary.BigEndian.Uint32(x[8:])), y>>32
	}
	switch {
	case size&(size-1) == 0: // of a power of two its last digits, without the division
		return y & (size - 1)
	case over == 0:
		return y % size
	}
	return bits.Rem64(over, y, size)
}

// addMod needs both terms below size and size at most 2^63.
func addMod(a, b, size uint64) uint64 {
	s := a + b
	if s >= size {
		s -= size
	}
	return s
}

// permuteLong is FF1 over numerals of any length, by big integers: slower, for
// strings whose halves do not fit a word. radixes gives the radix of each
// position; the numerals are replaced in place. For one radix throughout it is
// FF1 to the letter.
func permuteLong(c cipher.Block, radixes []int, numerals []byte, tweak []byte) {
	n := len(numerals)
	u := n / 2
	sizes := [2]*big.Int{product(radixes[:u]), product(radixes[u:])}
	larger := sizes[1]
	if sizes[0].Cmp(larger) > 0 {
		larger = sizes[0]
	}
	width := (new(big.Int).Sub(larger, big.NewInt(1)).BitLen() + 7) / 8
	draw := 4*((width+3)/4) + 4
	head := append(firstBlock(common(radixes), u, n, len(tweak)), tweak...)
	head = append(head, make([]byte, pad(len(tweak)+width+1))...)
	halves := [2]*big.Int{number(radixes[:u], numerals[:u]), number(radixes[u:], numerals[u:])}
	for i := range rounds {
		at := i % 2
		q := append(append([]byte{}, head...), byte(i))
		q = append(q, halves[1-at].FillBytes(make([]byte, width))...)
		y := new(big.Int).SetBytes(expand(c, q, draw))
		halves[at].Mod(y.Add(y, halves[at]), sizes[at])
	}
	spell(radixes[:u], numerals[:u], halves[0])
	spell(radixes[u:], numerals[u:], halves[1])
}

// expand is the CBC-MAC of msg, stretched to length bytes as the standard says.
func expand(c cipher.Block, msg []byte, length int) []byte {
	r := make([]byte, 16)
	for ; len(msg) > 0; msg = msg[16:] {
		for i := range r {
			r[i] ^= msg[i]
		}
		c.Encrypt(r, r)
	}
	s := append([]byte{}, r...)
	for j := uint64(1); len(s) < length; j++ {
		more := append([]byte{}, r...)
		binary.BigEndian.PutUint64(more[8:], binary.BigEndian.Uint64(more[8:])^j)
		c.Encrypt(more, more)
		s = append(s, more...)
	}
	return s[:length]
}

// common is the radix of all positions, or 0 where they differ.
func common(radixes []int) int {
	for _, r := range radixes {
		if r != radixes[0] {
			return 0
		}
	}
	return radixes[0]
}

func product(radixes []int) *big.Int {
	p := big.NewInt(1)
	for _, r := range radixes {
		p.Mul(p, big.NewInt(int64(r)))
	}
	return p
}

func number(radixes []int, numerals []byte) *big.Int {
	x := new(big.Int)
	for i, d := range numerals {
		x.Mul(x, big.NewInt(int64(radixes[i])))
		x.Add(x, big.NewInt(int64(d)))
	}
	return x
}

func spell(radixes []int, numerals []byte, x *big.Int) {
	rest, digit := new(big.Int).Set(x), new(big.Int)
	for i := len(numerals) - 1; i >= 0; i-- {
		rest.DivMod(rest, big.NewInt(int64(radixes[i])), digit)
		numerals[i] = byte(digit.Uint64())
	}
}
