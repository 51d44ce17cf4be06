package mask

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// A bucket replaces a number by the lower end of the bucket it lies in: buckets
// of one width from zero on, or those between bounds. What lies below the first
// bound, or below the column's range, becomes that. NaN and the infinities stay.
type bucket struct {
	width  *figure
	bounds []figure // ascending
	limits Limits
}

func (b *bucket) append(w *Worker, dst, value []byte) ([]byte, error) {
	if special(value) {
		return append(dst, value...), nil
	}
	f, ok := parseFigure(w.figures[:0], value)
	if !ok {
		return dst, w.refuse("it is not a decimal number")
	}
	w.figures = f.digits
	a := w.arithmetic()
	scale := b.lower(a, f)
	return a.write(dst, &a.y, scale), nil
}

// lower puts the lower end of a number's bucket into a.y; it gives its scale. x
// is rounded away from what it is only beyond the scale of all ends.
func (b *bucket) lower(a *arithmetic, f figure) int {
	scale := max(b.scale(), f.scale)
	a.at(&a.x, f, scale)
	if b.width != nil {
		a.at(&a.step, *b.width, scale)
		a.quotient.DivMod(&a.x, &a.step, &a.rest) // the rest is never negative
		a.y.Sub(&a.x, &a.rest)
	} else {
		a.at(&a.y, b.bounds[0], scale)
		for _, bound := range b.bounds[1:] {
			if a.at(&a.step, bound, scale); a.step.Cmp(&a.x) > 0 {
				break
			}
			a.y.Set(&a.step)
		}
	}
	if b.limits.Kind == schema.Integer && a.y.Cmp(a.word.SetInt64(b.limits.Min)) < 0 {
		a.y.SetInt64(b.limits.Min)
	}
	out := b.scale()
	for ; scale > out; scale-- { // only zeros are lost: every end has a scale of its own
		a.quotient.QuoRem(&a.y, a.word.SetUint64(10), &a.rest)
		a.y.Set(&a.quotient)
	}
	return out
}

// scale of the ends, as they are written.
func (b *bucket) scale() int {
	switch {
	case b.limits.Kind == schema.Integer:
		return 0
	case b.limits.Scale >= 0:
		return b.limits.Scale
	}
	scale := 0
	if b.width != nil {
		scale = max(scale, b.width.scale)
	}
	for _, bound := range b.bounds {
		scale = max(scale, bound.scale)
	}
	return scale
}

// keeps tells numbers that are the lower end of their bucket.
func (b *bucket) keeps(value []byte) bool {
	if special(value) {
		return true
	}
	f, ok := parseFigure(nil, value)
	if !ok {
		return false
	}
	a := &arithmetic{}
	made := a.write(nil, &a.y, b.lower(a, f))
	return string(AppendNormal(nil, made)) == string(AppendNormal(nil, value))
}

func readBucket(o *options) *bucket {
	b := &bucket{width: o.decimal("width")}
	bounds, hasBounds := o.given["bounds"]
	_, hasWidth := o.given["width"]
	switch {
	case hasBounds == hasWidth:
		o.problem("give either width or bounds")
		return b
	case b.width != nil && (b.width.negative || len(b.width.digits) == 0):
		o.problem("width %q is not above zero", o.given["width"])
		b.width = nil
	}
	if !hasBounds {
		return b
	}
	for _, text := range strings.Split(bounds, ",") {
		f, ok := parseFigure(nil, []byte(strings.TrimSpace(text)))
		if !ok || len(f.digits) > longestDecimal || f.scale > longestDecimal || f.scale < -longestDecimal {
			o.problem("bounds %q is not a list of numbers such as 0, 18, 65", bounds)
			return b
		}
		b.bounds = append(b.bounds, f)
	}
	if len(b.bounds) < 2 {
		o.problem("bounds %q has fewer than two numbers", bounds)
	}
	slices.SortFunc(b.bounds, func(x, y figure) int {
		a := &arithmetic{}
		a.at(&a.x, x, longestDecimal)
		a.at(&a.y, y, longestDecimal)
		return a.x.Cmp(&a.y)
	})
	return b
}

func buildBucket(d *draft) (recipe, *Refusal) {
	b := readBucket(&d.options)
	b.limits = d.limits
	ends := b.bounds
	if b.width != nil {
		ends = []figure{*b.width}
		d.text = "rounded down to a multiple of " + d.given["width"]
	} else {
		d.text = "the lower end of its bucket among " + d.given["bounds"]
	}
	if b.width != nil && (d.limits.Kind == schema.Integer || d.limits.Scale >= 0) {
		unit := *b.width
		if unit.trim(); len(unit.digits) == 1 && unit.digits[0] == '1' && unit.scale == b.scale() {
			return nil, &Refusal{Reason: "a bucket as wide as the column's last digit holds one number and changes nothing", Hint: "make it wider"}
		}
	}
	a := &arithmetic{}
	for _, end := range ends {
		trimmed := end
		if trimmed.trim(); trimmed.scale > b.scale() {
			return nil, &Refusal{Reason: fmt.Sprintf("its ends have more decimals than the column, which has %d", b.scale()), Hint: "round them"}
		}
		if a.at(&a.x, end, 0); d.limits.Kind == schema.Integer && b.width == nil && (a.x.Cmp(big.NewInt(d.limits.Min)) < 0 || a.x.Cmp(big.NewInt(d.limits.Max)) > 0) {
			return nil, &Refusal{Reason: fmt.Sprintf("its ends are outside %d to %d", d.limits.Min, d.limits.Max), Hint: "give bounds that the column can hold"}
		}
	}
	return b, nil
}
