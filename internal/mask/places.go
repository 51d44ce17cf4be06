package mask

import (
	"fmt"
	"math/bits"
	"unicode/utf8"

	"understudy/internal/schema"
)

// A street is a house number and a made-up street.
type street struct {
	names []string
	most  int // the highest house number
}

func (s *street) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	at, i, house := len(dst), pick(hi, len(s.names)), 1+pick(lo, s.most)
	dst = s.write(dst, house, i)
	if w.own(dst[at:]) {
		dst = s.write(dst[:at], house, (i+1+int(lo%uint64(len(s.names)-1)))%len(s.names))
	}
	return dst, nil
}

func (s *street) write(dst []byte, house, name int) []byte {
	dst = appendNumber(dst, uint64(house))
	dst = append(dst, ' ')
	return append(dst, s.names[name]...)
}

func buildStreet(d *draft) (recipe, *Refusal) {
	for _, try := range []struct{ most, width int }{{9999, 5}, {99, 3}} {
		names := fitting(streetNames(), d.length()-try.width)
		if len(names) >= 500 || try.most == 99 && len(names) >= fewest {
			d.text = fmt.Sprintf("house number and one of %d streets", len(names))
			return &street{names, try.most}, nil
		}
	}
	return nil, d.narrow(shortest(streetNames()) + 5)
}

// A postcode has the shape of the value: digits become digits, letters letters
// of the same case, whatever else is ASCII stays, other characters become
// letters.
type postcode struct{}

func (p *postcode) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, lo := w.draw(value)
	return appendAlike(dst, value, hi, lo), nil
}

// appendAlike gives a text of the shape of value that is another one, unless
// value has nothing to hide.
func appendAlike(dst, value []byte, hi, lo uint64) []byte {
	d := &dice{word: hi, next: lo}
	at, last := len(dst), -1
	for rest := value; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		rest = rest[n:]
		c, random := d.like(r)
		if random {
			last = len(dst)
		}
		dst = append(dst, c)
	}
	if last >= 0 && string(dst[at:]) == string(value) {
		dst[last] = following(dst[last])
	}
	return dst
}

func (p *postcode) keeps(value []byte) bool { return !hasSubstance(value) }

// hasSubstance tells whether a text has a letter, a digit or anything that is not
// ASCII; what is left has nothing to hide.
func hasSubstance(value []byte) bool {
	for _, b := range value {
		if b >= 0x80 || b-'0' < 10 || lower(b)-'a' < 26 {
			return true
		}
	}
	return false
}

// dice spells characters from 128 random bits: twelve from each word, then from
// words mixed anew.
type dice struct {
	word, next uint64
	count      int
}

// like gives a character of the same class; random is false for what stays.
func (d *dice) like(r rune) (c byte, random bool) {
	switch {
	case r >= '0' && r <= '9':
		return '0' + d.roll(10), true
	case r >= 'a' && r <= 'z':
		return 'a' + d.roll(26), true
	case r >= 'A' && r <= 'Z' || r >= 0x80:
		return 'A' + d.roll(26), true
	}
	return byte(r), false
}

func (d *dice) roll(sides uint64) byte {
	if d.count == 12 {
		// Long values go round: the digits repeat a mix of the same bits, which is
		// no weakness, since all of them depend on the whole value already.
		d.word, d.next = d.next, bits.RotateLeft64(d.word^d.next*0x9e3779b97f4a7c15, 29)
		d.count = 0
	}
	d.count++
	var c byte
	c, d.word = nextDigit(d.word, sides)
	return c
}

// nextDigit takes the leading digit of a fraction of 2^64 in a base.
func nextDigit(word, base uint64) (digit byte, rest uint64) {
	hi, lo := bits.Mul64(word, base)
	return byte(hi), lo
}

// following is the next character of the same class, in a circle.
func following(c byte) byte {
	switch c {
	case '9':
		return '0'
	case 'z':
		return 'a'
	case 'Z':
		return 'A'
	}
	return c + 1
}

// A postNumber is a postcode in an integer column: as many digits as the value's.
type postNumber struct{ limits Limits }

func (p *postNumber) append(w *Worker, dst, value []byte) ([]byte, error) {
	x, negative, ok := parseInteger(value)
	if !ok {
		return dst, w.refuse("it is not an integer")
	}
	low, high := digitClass(x, negative, p.limits)
	if negative || x < low || x > high {
		return dst, w.refuse("it is outside the column's range")
	}
	hi, lo := w.draw(value)
	size := high - low + 1
	y := low + mulShift(hi, size)
	if y == x && size > 1 {
		y = low + (y-low+1+mulShift(lo, size-1))%size
	}
	return appendNumber(dst, y), nil
}

// keeps tells the numbers that are the only ones of their class: zero, most often.
func (p *postNumber) keeps(value []byte) bool {
	x, negative, ok := parseInteger(value)
	low, high := digitClass(x, negative, p.limits)
	return ok && !negative && low == high && x == low
}

func mulShift(word, size uint64) uint64 {
	hi, _ := bits.Mul64(word, size)
	return hi
}

func buildPostcode(d *draft) (recipe, *Refusal) {
	d.text = "characters of the same classes in the same places"
	if d.limits.Kind == schema.Integer {
		return &postNumber{d.limits}, nil
	}
	return &postcode{}, nil
}
