package postgres

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// integerCodec knows integers of a width in bytes.
func integerCodec(oid uint32, width int) *codec {
	return &codec{oid: oid,
		decode: func(dst, raw []byte) ([]byte, bool) {
			if len(raw) != width {
				return dst, false
			}
			var n int64
			switch width {
			case 2:
				n = int64(int16(binary.BigEndian.Uint16(raw)))
			case 4:
				n = int64(int32(binary.BigEndian.Uint32(raw)))
			case 8:
				n = int64(binary.BigEndian.Uint64(raw))
			}
			return strconv.AppendInt(dst, n, 10), true
		},
		encode: func(dst, text []byte) ([]byte, bool) {
			if len(text) == 0 || text[0] == '+' { // the server decides what a sign is good for
				return dst, false
			}
			n, err := strconv.ParseInt(string(text), 10, 8*width)
			if err != nil {
				return dst, false
			}
			switch width {
			case 2:
				dst = binary.BigEndian.AppendUint16(dst, uint16(n))
			case 4:
				dst = binary.BigEndian.AppendUint32(dst, uint32(n))
			case 8:
				dst = binary.BigEndian.AppendUint64(dst, uint64(n))
			}
			return dst, true
		}}
}

// A numeric is a count of digits to the base 10,000, the weight of the first, a
// sign or a word, the count of decimal digits after the point, and the digits
// (src/backend/utils/adt/numeric.c, numeric_send).
const (
	negative         = 0x4000
	notANumber       = 0xC000
	infinite         = 0xD000
	negativeInfinite = 0xF000
	// wholeAtMost and scaleAtMost are the decimal digits the server takes before and after the point.
	wholeAtMost = 131072
	scaleAtMost = 16383
)

func decodeNumeric(dst, raw []byte) ([]byte, bool) {
	if len(raw) < 8 {
		return dst, false
	}
	count, weight := int(binary.BigEndian.Uint16(raw)), int(int16(binary.BigEndian.Uint16(raw[2:])))
	sign, scale := binary.BigEndian.Uint16(raw[4:]), int(binary.BigEndian.Uint16(raw[6:]))
	digits := raw[8:]
	if len(digits) != 2*count {
		return dst, false
	}
	switch sign {
	case notANumber:
		return append(dst, "NaN"...), true
	case infinite:
		return append(dst, "Infinity"...), true
	case negativeInfinite:
		return append(dst, "-Infinity"...), true
	case negative:
		dst = append(dst, '-')
	case 0:
	default:
		return dst, false
	}
	group := func(i int) uint64 { // the i-th group of four digits, counted from the first
		if i < 0 || i >= count {
			return 0
		}
		return uint64(binary.BigEndian.Uint16(digits[2*i:]))
	}
	if weight < 0 {
		dst = append(dst, '0')
	} else {
		dst = appendUint(dst, group(0))
		for i := 1; i <= weight; i++ {
			dst = appendFour(dst, group(i))
		}
	}
	if scale > 0 {
		dst = append(dst, '.')
		end := len(dst) + scale
		for i := weight + 1; len(dst) < end; i++ {
			dst = appendFour(dst, group(i))
		}
		dst = dst[:end]
	}
	return dst, true
}

// appendFour writes a number below 10,000 with leading zeros.
func appendFour(dst []byte, n uint64) []byte {
	return append(dst, byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
}

func encodeNumeric(dst, text []byte) ([]byte, bool) {
	var sign uint16
	switch string(text) {
	case "NaN":
		return append(dst, 0, 0, 0, 0, notANumber>>8, 0, 0, 0), true
	case "Infinity", "-Infinity":
		return dst, false // older servers have none: ask
	}
	if len(text) > 0 && text[0] == '-' {
		sign, text = negative, text[1:]
	}
	whole, fraction, _ := bytes.Cut(text, []byte{'.'})
	if len(whole) == 0 || len(whole) > wholeAtMost || len(fraction) > scaleAtMost || len(fraction) == 0 && len(whole) != len(text) {
		return dst, false
	}
	scale := len(fraction)
	for _, part := range [...][]byte{whole, fraction} {
		if slices.ContainsFunc(part, func(c byte) bool { return c < '0' || c > '9' }) {
			return dst, false
		}
	}
	whole = bytes.TrimLeft(whole, "0")
	fraction = bytes.TrimRight(fraction, "0")
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	weight, count := (len(whole)+3)/4-1, 0
	first := -1 // the place of the first group that is not zero
	place := 0
	add := func(group uint16) {
		if first < 0 && group != 0 {
			first = place
		}
		if first >= 0 {
			dst = binary.BigEndian.AppendUint16(dst, group)
			count++
		}
		place++
	}
	for i := 0; i < len(whole); {
		end := len(whole) - (len(whole)-i-1)/4*4 // of the group that begins at i, so that the rest is whole groups
		add(fourOf(whole[i:end]))
		i = end
	}
	for i := 0; i < len(fraction); i += 4 {
		group := fraction[i:min(i+4, len(fraction))]
		n := fourOf(group)
		for range 4 - len(group) {
			n *= 10
		}
		add(n)
	}
	for count > 0 && dst[len(dst)-1] == 0 && dst[len(dst)-2] == 0 {
		dst = dst[:len(dst)-2]
		count--
	}
	if count == 0 {
		weight, sign = 0, 0
	} else {
		weight -= first
	}
	binary.BigEndian.PutUint16(dst[start:], uint16(count))
	binary.BigEndian.PutUint16(dst[start+2:], uint16(int16(weight)))
	binary.BigEndian.PutUint16(dst[start+4:], sign)
	binary.BigEndian.PutUint16(dst[start+6:], uint16(scale))
	return dst, true
}

// fourOf reads up to four digits.
func fourOf(digits []byte) (n uint16) {
	for _, c := range digits {
		n = n*10 + uint16(c-'0')
	}
	return n
}

// floatCodec knows real and double precision.
func floatCodec(oid uint32, size int) *codec {
	return &codec{oid: oid,
		decode: func(dst, raw []byte) ([]byte, bool) {
			if len(raw) != size/8 {
				return dst, false
			}
			if size == 32 {
				return appendFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), size), true
			}
			return appendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(raw)), size), true
		},
		encode: func(dst, text []byte) ([]byte, bool) {
			switch string(text) {
			case "NaN", "Infinity", "-Infinity":
			default: // neither the words nor the hexadecimal numbers of strconv
				if slices.ContainsFunc(text, func(c byte) bool { return (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' }) {
					return dst, false
				}
			}
			f, err := strconv.ParseFloat(string(text), size)
			if err != nil || f == 0 && bytes.ContainsAny(text, "123456789") { // out of range, to the server
				return dst, false
			}
			if size == 32 {
				return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), true
			}
			return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), true
		}}
}

// appendFloat writes a number in the shortest digits that read back as it, in
// the server's notation (src/common/d2s.c and f2s.c).
func appendFloat(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if math.Signbit(f) {
		dst, f = append(dst, '-'), -f
	}
	if f == 0 {
		return append(dst, '0')
	}
	var space [32]byte
	digits, exponent := shortest(space[:0], f, size) // d.ddd times ten to the exponent
	fixedBelow := 15
	if size == 32 {
		fixedBelow = 6
	}
	switch {
	case exponent < -4 || exponent >= fixedBelow:
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(append(dst, '.'), digits[1:]...)
		}
		dst = append(dst, 'e', '+')
		if exponent < 0 {
			dst[len(dst)-1] = '-'
			exponent = -exponent
		}
		if exponent < 10 {
			dst = append(dst, '0')
		}
		return appendUint(dst, uint64(exponent))
	case exponent < 0:
		dst = append(dst, "0.000"[:1-exponent]...)
		return append(dst, digits...)
	case len(digits) <= exponent+1:
		dst = append(dst, digits...)
		for range exponent + 1 - len(digits) {
			dst = append(dst, '0')
		}
		return dst
	}
	dst = append(dst, digits[:exponent+1]...)
	return append(append(dst, '.'), digits[exponent+1:]...)
}

// shortest gives the fewest digits of a positive number that lie strictly
// between the middles to its neighbours, and of these the nearest, the even one
// of two. strconv decides both otherwise: it takes a number that is exactly in
// the middle, where reading rounds to even, and the upper one of two.
func shortest(dst []byte, f float64, size int) (digits []byte, exponent int) {
	digits, exponent = scientific(dst, f, -1, size)
	for n := len(digits); n <= 17; n++ { // so many are always enough
		digits, exponent = scientific(dst, f, n-1, size)
		if isShort(digits, exponent, f, size) {
			break
		}
		// At a power of two the neighbour below is nearer than the one above, and so
		// may be the end of what reads back: the next number up can do where the nearest cannot.
		if increment(digits) && isShort(digits, exponent, f, size) {
			break
		}
	}
	return bytes.TrimRight(digits, "0"), exponent
}

// scientific gives the digits of f, rounded after so many of them beyond the first; -1: the shortest that read back.
func scientific(dst []byte, f float64, precision, size int) (digits []byte, exponent int) {
	text := strconv.AppendFloat(dst, f, 'e', precision, size)
	mantissa, e, _ := bytes.Cut(text, []byte{'e'})
	exponent, _ = strconv.Atoi(string(e)) // strconv wrote it
	if len(mantissa) > 1 {
		mantissa = append(mantissa[:1], mantissa[2:]...)
	}
	return mantissa, exponent
}

// increment adds one to the last digit; ok is false if that makes a digit more.
func increment(digits []byte) (ok bool) {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] < '9' {
			digits[i]++
			return true
		}
		digits[i] = '0'
	}
	return false
}

// isShort tells whether digits read back as f and lie strictly between the
// middles to its neighbours.
func isShort(digits []byte, exponent int, f float64, size int) bool {
	var space [32]byte
	text := append(append(append(space[:0], digits[0], '.'), digits[1:]...), 'e')
	back, err := strconv.ParseFloat(string(strconv.AppendInt(text, int64(exponent), 10)), size)
	return err == nil && back == f && !inTheMiddle(digits, exponent, f, size)
}

// inTheMiddle tells whether digits stand for a number exactly in the middle
// between f and one of its neighbours.
func inTheMiddle(digits []byte, exponent int, f float64, size int) bool {
	mantissa, power := wholeMantissa(f, size)
	d, ok := digitsOf(digits)
	if !ok {
		return false
	}
	tens := exponent - len(digits) + 1 // d times ten to this
	zeros := bits.TrailingZeros64(uint64(d))
	odd := timesFives(uint64(d)>>zeros, tens) // d is this, times two to zeros+tens, over five to -tens
	is := func(middle uint64, power int) bool {
		return odd != 0 && zeros+tens == power && odd == timesFives(middle, -tens)
	}
	least, width := -1074, 52
	if size == 32 {
		least, width = -149, 23
	}
	if mantissa == 1<<width && power > least { // the neighbour below is half as far
		return is(2*mantissa+1, power-1) || is(4*mantissa-1, power-2)
	}
	return is(2*mantissa+1, power-1) || is(2*mantissa-1, power-1)
}

// timesFives multiplies by five as often as n says, if it is positive; 0 if the product is too large.
func timesFives(x uint64, n int) uint64 {
	for ; n > 0; n-- {
		hi, lo := bits.Mul64(x, 5)
		if hi != 0 {
			return 0
		}
		x = lo
	}
	return x
}

// wholeMantissa splits a positive number into a whole number and a power of two.
func wholeMantissa(f float64, size int) (mantissa uint64, power int) {
	if size == 32 {
		b := math.Float32bits(float32(f))
		if e := int(b >> 23 & 0xff); e > 0 {
			return uint64(b&(1<<23-1) | 1<<23), e - 150
		}
		return uint64(b & (1<<23 - 1)), -149
	}
	b := math.Float64bits(f)
	if e := int(b >> 52 & 0x7ff); e > 0 {
		return b&(1<<52-1) | 1<<52, e - 1075
	}
	return b & (1<<52 - 1), -1074
}
