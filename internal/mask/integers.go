package mask

import (
	"fmt"
	"math"
	"strconv"
)

// An integers permutes ranges of integers, each in itself: the positive numbers,
// the negative ones. Zero stays zero. Unless the rule gives a range, the lower
// and the upper half of a sign's range are apart, so that fakes of small numbers
// leave a sequence room to go on; so is what lies beyond 2^53.
type integers struct{ ranges []bracket }

// A bracket is the magnitudes low..high of one sign, with their permutation.
type bracket struct {
	low, high uint64
	negative  bool
	span      *span
}

func (r *integers) append(w *Worker, dst, value []byte) ([]byte, error) {
	x, negative, ok := parseInteger(value)
	if !ok {
		return dst, w.refuse("it is not an integer")
	}
	b := r.find(x, negative)
	if b == nil {
		return dst, w.refuse("it is outside the mask's range")
	}
	if b.negative {
		dst = append(dst, '-')
	}
	return appendNumber(dst, b.low+b.span.at(&w.scratch, x-b.low)), nil
}

func (r *integers) find(x uint64, negative bool) *bracket {
	for i := range r.ranges {
		if b := &r.ranges[i]; b.negative == negative && x >= b.low && x <= b.high {
			return b
		}
	}
	return nil
}

func (r *integers) keeps(value []byte) bool {
	x, _, ok := parseInteger(value)
	return ok && x == 0
}

func (r *integers) chanceOf(value []byte) float64 {
	x, negative, ok := parseInteger(value)
	if b := r.find(x, negative); ok && b != nil {
		return oneIn(float64(b.high-b.low) + 1)
	}
	return 0
}

func readIntegers(o *options) (low, high int64) {
	low, high = o.number("min", math.MinInt64), o.number("max", math.MaxInt64)
	if low > high {
		o.problem("min %q is above max %q", o.given["min"], o.given["max"])
	}
	return low, high
}

func buildIntegers(d *draft) (recipe, *Refusal) {
	low, high := readIntegers(&d.options)
	whole := d.given["min"] != "" || d.given["max"] != ""
	low, high = max(low, d.limits.Min), min(high, d.limits.Max)
	r := &integers{}
	if high >= 1 {
		r.add(d, uint64(max(low, 1)), uint64(high), false, whole)
	}
	if low <= 0 && high >= 0 {
		r.ranges = append(r.ranges, bracket{span: &span{size: 1, table: []uint32{0}}})
	}
	if low <= -1 {
		r.add(d, magnitude(min(high, -1)), magnitude(low), true, whole)
	}
	least := uint64(math.MaxUint64)
	for _, b := range r.ranges {
		if b.high > 0 {
			least = min(least, b.high-b.low)
		}
	}
	if least < 1 || least == math.MaxUint64 {
		return nil, &Refusal{Reason: fmt.Sprintf("a range from %d to %d leaves nothing to permute", low, high), Hint: "widen min and max, or use constant"}
	}
	d.chance = oneIn(float64(least) + 1)
	d.text = fmt.Sprintf("permutation of the integers from %d to %d", low, high)
	return r, nil
}

// exact is the largest number up to which readers of JSON, which take numbers for binary64,
// agree on integers (RFC 8259, section 6). Those that a program can read there have fakes
// that it can read as well.
const exact = 1<<53 - 1

// halvesFrom is the size from which a range is taken in two halves.
const halvesFrom = 1000

func (r *integers) add(d *draft, low, high uint64, negative, whole bool) {
	cuts := [][2]uint64{{low, high}}
	if !whole && high-low >= halvesFrom {
		near := high
		if low < exact && exact-low >= halvesFrom && high > exact && high-exact >= halvesFrom {
			near = exact
		}
		middle := low + (near-low)/2
		cuts = [][2]uint64{{low, middle}, {middle + 1, near}}
		if near < high {
			cuts = append(cuts, [2]uint64{near + 1, high})
		}
	}
	for _, c := range cuts {
		name := fmt.Sprintf("%t %d %d", negative, c[0], c[1])
		r.ranges = append(r.ranges, bracket{c[0], c[1], negative, newSpan(d.key, c[1]-c[0]+1, d.spec.Domain, "int", name)})
	}
}

// magnitude of a negative number, also of the least.
func magnitude(x int64) uint64 { return -uint64(x) }

// parseInteger reads a decimal integer of at most nineteen digits.
func parseInteger(value []byte) (x uint64, negative, ok bool) {
	if len(value) > 0 && value[0] == '-' {
		negative, value = true, value[1:]
	}
	if len(value) == 0 || len(value) > 19 {
		return 0, false, false
	}
	for _, c := range value {
		if c-'0' > 9 {
			return 0, false, false
		}
		x = x*10 + uint64(c-'0')
	}
	return x, negative && x > 0, true
}

// parseDecimal reads a decimal as an integer at a scale; reason says why not.
func parseDecimal(value []byte, scale int) (x uint64, negative bool, reason string) {
	if len(value) > 0 && value[0] == '-' {
		negative, value = true, value[1:]
	}
	places, seen, count := 0, false, 0
	for i, c := range value {
		switch {
		case c == '.' && !seen && i > 0:
			seen = true
			continue
		case c-'0' > 9:
			return 0, false, "it is not a plain decimal number"
		}
		if seen {
			if places == scale {
				if c != '0' {
					return 0, false, "it has more decimals than the column's scale"
				}
				continue
			}
			places++
		}
		if x = x*10 + uint64(c-'0'); x > 0 {
			count++
		}
		if count > longestDecimal {
			return 0, false, "it has more than 18 digits"
		}
	}
	if len(value) == 0 {
		return 0, false, "it is not a plain decimal number"
	}
	for ; places < scale && x > 0; places++ {
		if count++; count > longestDecimal {
			return 0, false, "it has more than 18 digits"
		}
		x *= 10
	}
	return x, negative && x > 0, ""
}

// digitClass bounds the numbers with as many digits as x, of its sign and within
// the column's range. Zero is a class of its own.
func digitClass(x uint64, negative bool, limits Limits) (low, high uint64) {
	if x == 0 {
		return 0, 0
	}
	low, high = 1, 9
	for high < x {
		low *= 10
		if high > (math.MaxUint64-9)/10 {
			high = math.MaxUint64
			break
		}
		high = high*10 + 9
	}
	if negative {
		if limits.Max < 0 {
			low = max(low, magnitude(limits.Max))
		}
		if limits.Min >= 0 {
			return 1, 0 // no negative number is in range
		}
		return low, min(high, magnitude(limits.Min))
	}
	if limits.Max < 0 {
		return 1, 0
	}
	if limits.Min > 0 {
		low = max(low, uint64(limits.Min))
	}
	return low, min(high, uint64(limits.Max))
}

func appendNumber(dst []byte, x uint64) []byte { return strconv.AppendUint(dst, x, 10) }

// appendDecimal writes x with a point before its last digits.
func appendDecimal(dst []byte, x uint64, scale int) []byte {
	var room [20]byte
	text := strconv.AppendUint(room[:0], x, 10)
	if len(text) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(text) {
			dst = append(dst, '0')
		}
		return append(dst, text...)
	}
	dst = append(dst, text[:len(text)-scale]...)
	dst = append(dst, '.')
	return append(dst, text[len(text)-scale:]...)
}
