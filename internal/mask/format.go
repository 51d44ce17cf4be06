package mask

import (
	"crypto/cipher"
	"math"
	"sync"

	"understudy/internal/schema"
)

// longestFormat is how many letters and digits a value may have: longer strings
// are texts, not identifiers, and the arithmetic grows with the square.
const longestFormat = 4096

// A format permutes the strings of one shape among themselves: digits stay
// digits, letters stay letters of the same case, other ASCII characters stay
// where they are. So 123-45-6789 becomes another nine digits with the same
// dashes, and different strings stay different.
//
// The tweak is the sequence of letters and digits without case and punctuation:
// one number written in two ways becomes one other number written in two ways.
// Shapes of fewer than 2^20 strings are shuffled tables, the others FF1 with
// AES-256 (network). One string in about as many as the shape has maps to itself,
// as in any permutation; mending that would leak more than it hides.
type format struct {
	key    Key
	domain string
	cipher cipher.Block
	mac    mac
	others bool // characters beyond ASCII stay
	digits bool // only digits are permuted, and letters stay
	tables cache
}

// A layout is what the worker knows of a shape.
type layout struct {
	radixes []byte
	half    int
	table   *span
	net     *network // nil for a table and for long strings
	tweak   []byte
	size    float64 // strings of the shape
}

func (f *format) append(w *Worker, dst, value []byte) ([]byte, error) {
	if reason := f.classify(w, value); reason != "" {
		return dst, w.refuse(reason)
	}
	if len(w.figures) == 0 {
		return append(dst, value...), nil
	}
	l := f.layout(w)
	switch {
	case l.table != nil:
		l.spell(w.figures, 0, l.table.at(&w.scratch, l.number(w.figures, 0)))
	case l.net != nil:
		a, b := l.number(w.figures[:l.half], 0), l.number(w.figures[l.half:], l.half)
		a, b = l.net.permute(&w.scratch, a, b)
		l.spell(w.figures[:l.half], 0, a)
		l.spell(w.figures[l.half:], l.half, b)
	default:
		radixes := make([]int, len(l.radixes))
		for i, r := range l.radixes {
			radixes[i] = int(r)
		}
		permuteLong(f.cipher, radixes, w.figures, l.tweak)
	}
	return dress(dst, value, w.figures, f.digits), nil
}

// classify splits a value into its shape and the numerals to permute, or says
// why it cannot be masked.
func (f *format) classify(w *Worker, value []byte) string {
	w.shape, w.figures = w.shape[:0], w.figures[:0]
	letters, beyond, others := 0, false, 0 // bytes of characters beyond ASCII, and how many characters they are
	for _, c := range value {
		switch {
		case c-'0' < 10:
			w.shape, w.figures = append(w.shape, 10), append(w.figures, c-'0')
		case lower(c)-'a' < 26:
			if letters++; !f.digits {
				w.shape, w.figures = append(w.shape, 26), append(w.figures, lower(c)-'a')
			}
		case c >= 0x80:
			if beyond = true; c >= 0xc0 { // where a character begins
				others++
			}
		}
	}
	switch {
	case f.digits && len(w.figures) == 0 && letters > 0:
		return "it has no digit to permute, and letters stay"
	case beyond && !f.others:
		return "it has characters beyond ASCII, which cannot be permuted (others: keep leaves them in place)"
	case beyond && len(w.figures) == 0:
		return "it has no ASCII letter or digit to permute"
	case others > len(w.figures):
		return "most of it is characters beyond ASCII, which would stay as they are"
	case len(w.figures) > longestFormat:
		return "it has more than 4096 letters and digits"
	}
	return ""
}

// dress puts numerals into the places of the value's letters and digits, or of its
// digits only.
func dress(dst, value, figures []byte, digits bool) []byte {
	i := 0
	for _, c := range value {
		switch {
		case c-'0' < 10:
			c = '0' + figures[i]
			i++
		case digits:
		case c-'a' < 26:
			c = 'a' + figures[i]
			i++
		case c-'A' < 26:
			c = 'A' + figures[i]
			i++
		}
		dst = append(dst, c)
	}
	return dst
}

func (l *layout) number(figures []byte, from int) uint64 {
	var x uint64
	for i, d := range figures {
		x = x*uint64(l.radixes[from+i]) + uint64(d)
	}
	return x
}

func (l *layout) spell(figures []byte, from int, x uint64) {
	for i := len(figures) - 1; i >= 0; i-- {
		// Division by a constant is several times as fast as by a variable.
		if l.radixes[from+i] == 10 {
			figures[i], x = byte(x%10), x/10
		} else {
			figures[i], x = byte(x%26), x/26
		}
	}
}

// mostLayouts bounds what a worker remembers of the shapes it has seen.
const mostLayouts = 4096

// layout finds or makes what the shape in w.shape needs.
func (f *format) layout(w *Worker) *layout {
	if l := w.layouts[string(w.shape)]; l != nil {
		return l
	}
	if w.layouts == nil || len(w.layouts) >= mostLayouts {
		w.layouts = map[string]*layout{}
	}
	l := f.newLayout(w)
	w.layouts[string(w.shape)] = l
	return l
}

func (f *format) newLayout(w *Worker) *layout {
	n := len(w.shape)
	l := &layout{radixes: append([]byte{}, w.shape...), half: n / 2, size: 1}
	sizes, fits, counts := [2]uint64{1, 1}, true, [2]byte{}
	for i, r := range l.radixes {
		l.size *= float64(r)
		at := 0
		if i >= l.half {
			at = 1
		}
		if sizes[at] > (1<<63)/uint64(r) {
			fits = false
		}
		sizes[at] *= uint64(r)
		counts[r/26]++
	}
	if l.size < tableLimit {
		name := string([]byte{'0' + counts[0], '0' + counts[1]})
		l.table = f.tables.get(name, func() *span { return newSpan(f.key, uint64(l.size), f.domain, "fpe", name) })
		return l
	}
	tag, _ := f.mac.sum(&w.scratch, w.shape)
	l.tweak = []byte{byte(tag >> 56), byte(tag >> 48), byte(tag >> 40), byte(tag >> 32), byte(tag >> 24), byte(tag >> 16), byte(tag >> 8)}
	if fits {
		radix := int(l.radixes[0])
		if counts[0] > 0 && counts[1] > 0 {
			radix = 0
		}
		l.net = newNetwork(f.cipher, radix, l.half, n-l.half, sizes, l.tweak)
	}
	return l
}

func (f *format) keeps(value []byte) bool { return !hasSubstance(value) }

func (f *format) chanceOf(value []byte) float64 {
	n := 1.0
	for _, c := range value {
		switch {
		case c-'0' < 10:
			n *= 10
		case lower(c)-'a' < 26 && !f.digits:
			n *= 26
		}
	}
	return oneIn(n)
}

// A cache shares permutations among workers. Each is made once, by whoever needs
// it first; there are few, bounded by the number of small shapes.
type cache struct {
	mu    sync.Mutex
	spans map[string]*span
}

func (c *cache) get(name string, create func() *span) *span {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.spans[name]
	if s == nil {
		if c.spans == nil {
			c.spans = map[string]*span{}
		}
		s = create()
		c.spans[name] = s
	}
	return s
}

func readFormat(o *options) (others, digits bool) {
	return o.choice("others", "stop", "stop", "keep") == "keep", o.choice("letters", "permute", "permute", "keep") == "keep"
}

func buildFormat(d *draft) (recipe, *Refusal) {
	d.chance = oneIn(10)
	if d.limits.Kind == schema.Integer || d.limits.Kind == schema.Decimal {
		d.text = "permutation of the numbers with as many digits"
		limits := d.limits
		if limits.Kind == schema.Decimal {
			limits.Min, limits.Max = math.MinInt64, math.MaxInt64 // those bound integers only
		}
		return &digits{key: d.key, domain: d.spec.Domain, limits: limits}, nil
	}
	others, digits := readFormat(&d.options)
	d.text = "permutation of the strings of the same shape"
	if digits {
		d.text = "permutation of the digits; letters stay"
	}
	m := newFormat(d, "", others)
	m.digits = digits
	return m, nil
}

// newFormat makes the permutation of strings for a domain; other masks that fall
// back on it have one of their own, by name.
func newFormat(d *draft, name string, others bool) *format {
	domain := d.spec.Domain
	names, tweak := []string{domain}, []string{domain, "tweak"}
	if name != "" {
		names, tweak = append(names, name, "rest"), append(tweak, name)
		domain += "/" + name
	}
	sub := d.key.subkey(purposeFormat, names...)
	return &format{key: d.key, domain: domain, cipher: newCipher(sub[:]), others: others, mac: newMAC(d.key.subkey(purposeFormat, tweak...))}
}

// A digits permutes, in number columns, the numbers of as many digits and the
// same sign among themselves, within the column's range. Zero stays zero. A
// decimal is taken as the integer it is without its point, at the column's scale.
type digits struct {
	key    Key
	domain string
	limits Limits
	tables cache
}

// longestDecimal is the digits of a decimal that a word holds with room to spare.
const longestDecimal = 18

func (g *digits) append(w *Worker, dst, value []byte) ([]byte, error) {
	x, negative, reason := g.parse(value)
	if reason != "" {
		return dst, w.refuse(reason)
	}
	if x == 0 {
		return append(dst, value...), nil
	}
	low, high := digitClass(x, negative, g.limits)
	if x < low || x > high {
		return dst, w.refuse("it is outside the column's range")
	}
	y := low + g.span(w, low, high, negative).at(&w.scratch, x-low)
	if negative {
		dst = append(dst, '-')
	}
	if g.limits.Kind == schema.Decimal && g.limits.Scale > 0 {
		return appendDecimal(dst, y, g.limits.Scale), nil
	}
	return appendNumber(dst, y), nil
}

func (g *digits) parse(value []byte) (x uint64, negative bool, reason string) {
	if g.limits.Kind == schema.Integer {
		x, negative, ok := parseInteger(value)
		if !ok {
			return 0, false, "it is not an integer"
		}
		return x, negative, ""
	}
	return parseDecimal(value, max(g.limits.Scale, 0))
}

func (g *digits) span(w *Worker, low, high uint64, negative bool) *span {
	id := low << 1
	if negative {
		id |= 1
	}
	s := w.spans[id]
	if s == nil {
		name := string(appendNumber(appendNumber(nil, id), high))
		s = g.tables.get(name, func() *span {
			return newSpan(g.key, high-low+1, g.domain, "fpe", "number", name)
		})
		if w.spans == nil {
			w.spans = map[uint64]*span{}
		}
		w.spans[id] = s
	}
	return s
}

func (g *digits) keeps(value []byte) bool {
	x, _, reason := g.parse(value)
	return reason == "" && x == 0
}

func (g *digits) chanceOf(value []byte) float64 {
	x, negative, reason := g.parse(value)
	if reason != "" {
		return 0
	}
	low, high := digitClass(x, negative, g.limits)
	return oneIn(math.Max(1, float64(high)-float64(low)+1))
}
