package mask

import (
	"math/big"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// An arithmetic is scratch space for exact decimals of any size: a number is an
// integer at a scale. Numbers up to eighteen digits cost no allocation.
type arithmetic struct {
	x, y, step, low, high, word, quotient, rest big.Int
	text                                        []byte
}

// arithmetic gives the worker's scratch space.
func (w *Worker) arithmetic() *arithmetic {
	if w.numbers == nil {
		w.numbers = &arithmetic{}
	}
	return w.numbers
}

// A figure is a decimal number as it is written: digits without point, and where
// the point stands.
type figure struct {
	negative bool
	digits   []byte // without leading zeros; empty for zero
	scale    int    // digits after the point; negative where zeros follow
}

// mostExponent bounds what an exponent may add to a number.
const mostExponent = 400

// parseFigure reads a decimal number, with an exponent or without. digits are
// appended to scratch.
func parseFigure(scratch, value []byte) (f figure, ok bool) {
	f.digits = scratch
	if len(value) > 0 && (value[0] == '-' || value[0] == '+') {
		f.negative, value = value[0] == '-', value[1:]
	}
	seen, point := false, false
	for i, c := range value {
		switch {
		case c-'0' < 10:
			seen = true
			if c != '0' || len(f.digits) > 0 {
				f.digits = append(f.digits, c)
			}
			if point {
				f.scale++
			}
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && seen && len(value)-i <= 6:
			n, err := strconv.Atoi(string(value[i+1:]))
			f.scale -= n
			return f, err == nil && n >= -mostExponent && n <= mostExponent
		default:
			return f, false
		}
	}
	return f, seen
}

// trim takes zeros off the end, which change no value.
func (f *figure) trim() {
	for n := len(f.digits); n > 0 && f.digits[n-1] == '0'; n-- {
		f.digits = f.digits[:n-1]
		f.scale--
	}
	if len(f.digits) == 0 {
		f.negative, f.scale = false, 0
	}
}

// AppendNormal appends the normal form of a decimal number, the same for all ways
// to write it (1.50, 1.5 and 15e-1); what is no number is appended as it is.
func AppendNormal(dst, value []byte) []byte {
	f, ok := parseFigure(dst[len(dst):], value)
	if !ok {
		return append(dst, value...)
	}
	f.trim()
	sign := byte('+')
	if f.negative {
		sign = '-'
	}
	dst = append(append(dst, f.digits...), sign)
	return strconv.AppendInt(dst, int64(f.scale), 10)
}

// AppendStored is AppendNormal for a number as a column of a type gives it back:
// binary floating point keeps no more of it than a float of its size does.
func AppendStored(dst, value []byte, typ string) []byte {
	size := 0
	switch precision(Limits{Kind: schema.Decimal, Scale: -1, Type: typ}) {
	case singleDigits:
		size = 32
	case doubleDigits:
		size = 64
	}
	if size == 0 {
		return AppendNormal(dst, value)
	}
	x, err := strconv.ParseFloat(string(value), size)
	if err != nil || special(value) {
		return AppendNormal(dst, value)
	}
	var room [32]byte
	return AppendNormal(dst, strconv.AppendFloat(room[:0], x, 'e', -1, size))
}

// The decimal digits that survive in binary floating point of either size.
const (
	singleDigits = 6
	doubleDigits = 15
)

// at puts a figure as an integer at a scale into x, rounded towards zero.
func (a *arithmetic) at(x *big.Int, f figure, scale int) {
	digits := f.digits
	for n := f.scale - scale; n > 0 && len(digits) > 0; n-- {
		digits = digits[:len(digits)-1]
	}
	zeros := 0
	if len(digits) > 0 {
		zeros = max(0, scale-f.scale)
	}
	if len(digits)+zeros <= longestDecimal {
		var n uint64
		for _, c := range digits {
			n = n*10 + uint64(c-'0')
		}
		for range zeros {
			n *= 10
		}
		x.SetUint64(n)
	} else {
		x.SetString(string(digits)+strings.Repeat("0", zeros), 10)
	}
	if f.negative {
		x.Neg(x)
	}
}

// write appends x, an integer at a scale, as a plain decimal number.
func (a *arithmetic) write(dst []byte, x *big.Int, scale int) []byte {
	negative := x.Sign() < 0
	if x.IsInt64() {
		n := x.Int64()
		a.text = strconv.AppendUint(a.text[:0], map[bool]uint64{true: -uint64(n), false: uint64(n)}[negative], 10)
	} else {
		a.text = a.quotient.Abs(x).Append(a.text[:0], 10)
	}
	if negative {
		dst = append(dst, '-')
	}
	text := a.text
	if scale <= 0 {
		dst = append(dst, text...)
		for n := scale; n < 0 && x.Sign() != 0; n++ {
			dst = append(dst, '0')
		}
		return dst
	}
	if len(text) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(text) {
			dst = append(dst, '0')
		}
		return append(dst, text...)
	}
	dst = append(dst, text[:len(text)-scale]...)
	return append(append(dst, '.'), text[len(text)-scale:]...)
}

// precision is how many digits a column keeps of any number: those of binary
// floating point, by the words that types of it have; 0 for all.
func precision(l Limits) int {
	typ := strings.ToLower(l.Type)
	switch {
	case l.Kind != schema.Decimal || l.Scale >= 0:
		return 0
	case strings.HasPrefix(typ, "double"), strings.HasPrefix(typ, "float8"):
		return doubleDigits
	case strings.HasPrefix(typ, "real"), strings.HasPrefix(typ, "float"): // of four bytes or of eight: what is eight loses digits of fakes, no more
		return singleDigits
	}
	return 0
}

// places is how many places after the point a column tells apart in the smallest
// numbers that it holds; 0 for all. Below, binary floating point has no digits left.
func places(l Limits) int {
	switch precision(l) {
	case singleDigits:
		return 44
	case doubleDigits:
		return 323
	}
	return 0
}

// special tells numbers that are none, which masks leave as they are.
func special(value []byte) bool {
	switch strings.ToLower(strings.TrimPrefix(string(value), "-")) {
	case "nan", "infinity", "inf":
		return true
	}
	return false
}

// decimal reads a parameter that is a decimal number; nil where it is not given.
func (o *options) decimal(name string) *figure {
	text, given := o.given[name]
	if !given {
		return nil
	}
	f, ok := parseFigure(nil, []byte(text))
	if !ok || len(f.digits) > longestDecimal || f.scale > longestDecimal || f.scale < -longestDecimal {
		o.problem("%s %q is not a number of at most %d digits", name, text, longestDecimal)
		return nil
	}
	return &f
}
