package mask

import (
	"fmt"
	"math"
	"math/big"

	"understudy/internal/schema"
)

// A noise moves a number up or down by a share of itself (percent) or by an
// amount (by): between a tenth of that and all of it, by the key and the number.
// The arithmetic is exact and in decimals. The fake has the column's scale; it
// has no more digits before the point than the number or the amount, so it fits
// where they do; it stays between min and max, where that needs it by moving
// the other way. It always differs from the number, by at least one unit of
// the last place, but for zero, which a share of itself leaves zero. NaN and the
// infinities stay as they are.
type noise struct {
	percent   uint64 // in ten thousandths of a per cent; 0 for an amount
	by        *figure
	low, high *figure
	limits    Limits
	digits    int // that the column keeps, 0 for all
	places    int // that it tells apart, 0 for all
}

const percentUnit = 10000

// At a scale that nothing fixes, numbers get places until they have three
// digits, so that a small one does not double.
const fewDigits = 3

func (n *noise) append(w *Worker, dst, value []byte) ([]byte, error) {
	if special(value) {
		return append(dst, value...), nil
	}
	f, ok := parseFigure(w.figures[:0], value)
	if !ok {
		return dst, w.refuse("it is not a decimal number")
	}
	w.figures = f.digits
	if n.by == nil && len(f.digits) == 0 {
		return append(dst, value...), nil
	}
	w.shape = AppendNormal(w.shape[:0], value)
	hi, lo := w.mask.mac.sum(&w.scratch, w.shape)
	scale := n.scale(f)
	a := w.arithmetic()
	a.at(&a.x, f, scale)
	n.step(a, hi, scale)
	if n.places > 0 && f.scale > scale && a.step.IsUint64() && a.step.Uint64() == 1 {
		a.step.SetUint64(2) // what was cut off may be nearly one, and to move by the rest of it is not to move
	}
	up := lo>>63 == 1
	if !n.move(a, up, scale) {
		return dst, w.refuse("no other number lies between min and max")
	}
	return a.write(dst, &a.y, scale), nil
}

// scale is how many places the fake of a number has.
func (n *noise) scale(f figure) int {
	switch {
	case n.limits.Kind == schema.Integer:
		return 0
	case n.limits.Scale >= 0:
		return n.limits.Scale
	}
	scale, count := f.scale, len(f.digits)
	if n.by != nil {
		scale, count = max(scale, n.by.scale), fewDigits
	}
	for ; count > 0 && count < fewDigits; count++ {
		scale++
	}
	if n.digits > 0 && len(f.digits)+scale-f.scale > n.digits {
		scale = n.digits - len(f.digits) + f.scale
	}
	if n.places > 0 {
		scale = min(scale, n.places)
	}
	return scale
}

// step puts the distance into a.step: at least one.
func (n *noise) step(a *arithmetic, word uint64, scale int) {
	const tenth = (1<<32 + 9) / 10
	share := uint64(tenth + pick(word, 1<<32-tenth+1)) // of 2^32
	whole := &a.low
	if n.by != nil {
		a.at(whole, *n.by, scale)
	} else {
		a.word.SetUint64(n.percent)
		a.high.Mul(&a.x, &a.word)
		a.word.SetUint64(100 * percentUnit)
		whole.QuoRem(&a.high, &a.word, &a.rest)
		whole.Abs(whole)
	}
	a.word.SetUint64(share)
	a.high.Mul(whole, &a.word)
	a.step.Rsh(&a.high, 32)
	if a.step.Sign() == 0 {
		a.step.SetUint64(1)
	}
}

// move puts the fake into a.y; false where there is none.
func (n *noise) move(a *arithmetic, up bool, scale int) bool {
	n.bounds(a, scale)
	if a.low.Cmp(&a.high) >= 0 {
		return false
	}
	for range 2 {
		if up {
			a.y.Add(&a.x, &a.step)
		} else {
			a.y.Sub(&a.x, &a.step)
		}
		if a.y.Cmp(&a.low) >= 0 && a.y.Cmp(&a.high) <= 0 {
			return true
		}
		up = !up
	}
	// Neither way is free: to the bound that is farther off.
	a.y.Set(&a.low)
	if a.rest.Sub(&a.x, &a.low).CmpAbs(a.quotient.Sub(&a.high, &a.x)) < 0 {
		a.y.Set(&a.high)
	}
	return a.y.Cmp(&a.x) != 0
}

// bounds puts the least and the greatest number allowed into a.low and a.high.
func (n *noise) bounds(a *arithmetic, scale int) {
	// As many digits as the number has, or the amount.
	a.low.Abs(&a.x)
	if n.by != nil {
		a.at(&a.high, *n.by, scale)
		if a.high.Cmp(&a.low) > 0 {
			a.low.Set(&a.high)
		}
	}
	nines(a)
	a.low.Neg(&a.high)
	if n.limits.Kind == schema.Integer {
		narrow(a, a.word.SetInt64(n.limits.Min), nil)
		a.word.SetInt64(n.limits.Max)
		if n.limits.Min >= 0 && n.limits.Max == math.MaxInt64 { // without a sign: as far as the type goes
			a.word.SetUint64(math.MaxUint64)
		}
		narrow(a, nil, &a.word)
	}
	if n.low != nil {
		a.at(&a.word, *n.low, scale)
		narrow(a, &a.word, nil)
	}
	if n.high != nil {
		a.at(&a.word, *n.high, scale)
		narrow(a, nil, &a.word)
	}
}

// nines puts the greatest number with as many digits as a.low into a.high; of
// numbers of one digit that is nine.
func nines(a *arithmetic) {
	a.word.SetUint64(10)
	a.high.Set(&a.word)
	for a.high.Cmp(&a.low) <= 0 {
		a.quotient.Mul(&a.high, &a.word)
		a.high.Set(&a.quotient)
	}
	a.high.Sub(&a.high, a.word.SetUint64(1))
}

func narrow(a *arithmetic, low, high *big.Int) {
	if low != nil && a.low.Cmp(low) < 0 {
		a.low.Set(low)
	}
	if high != nil && a.high.Cmp(high) > 0 {
		a.high.Set(high)
	}
}

func (n *noise) keeps(value []byte) bool {
	if special(value) {
		return true
	}
	f, ok := parseFigure(nil, value)
	return ok && n.by == nil && len(f.digits) == 0
}

func readNoise(o *options) *noise {
	n := &noise{by: o.decimal("by"), low: o.decimal("min"), high: o.decimal("max")}
	_, hasBy := o.given["by"]
	_, hasPercent := o.given["percent"]
	percent := o.decimal("percent")
	switch {
	case hasBy && hasPercent:
		o.problem("percent and by exclude each other")
	case n.by != nil && (n.by.negative || len(n.by.digits) == 0):
		o.problem("by %q is not above zero", o.given["by"])
	case !hasBy && !hasPercent:
		percent = &figure{digits: []byte("10")}
	}
	if percent != nil {
		a := &arithmetic{}
		a.at(&a.x, *percent, 4)
		if a.x.Sign() <= 0 || a.x.Cmp(big.NewInt(100*percentUnit)) > 0 || percent.scale > 4 {
			o.problem("percent %q is not above 0 and at most 100, with four decimals", o.given["percent"])
		} else {
			n.percent = a.x.Uint64()
		}
	}
	if n.low != nil && n.high != nil {
		a := &arithmetic{}
		a.at(&a.low, *n.low, longestDecimal)
		a.at(&a.high, *n.high, longestDecimal)
		if a.low.Cmp(&a.high) >= 0 {
			o.problem("min %q is not below max %q", o.given["min"], o.given["max"])
		}
	}
	return n
}

func buildNoise(d *draft) (recipe, *Refusal) {
	n := readNoise(&d.options)
	n.limits, n.digits, n.places = d.limits, precision(d.limits), places(d.limits)
	scale := unlimited
	if d.limits.Kind == schema.Integer {
		scale = 0
	} else if d.limits.Scale >= 0 {
		scale = d.limits.Scale
	}
	for _, p := range []struct {
		name string
		f    *figure
	}{{"by", n.by}, {"min", n.low}, {"max", n.high}} {
		if p.f == nil {
			continue
		}
		f := *p.f
		if f.trim(); f.scale > scale {
			return nil, &Refusal{Reason: fmt.Sprintf("%s %q has more decimals than the column, which has %d", p.name, d.given[p.name], scale), Hint: "round it"}
		}
	}
	switch {
	case n.by != nil:
		d.text = "moved up or down by up to " + d.given["by"] + ", never by nothing"
	case d.given["percent"] != "":
		d.text = "moved up or down by up to " + d.given["percent"] + " per cent, never by nothing; zero stays"
	default:
		d.text = "moved up or down by up to 10 per cent, never by nothing; zero stays"
	}
	return n, nil
}
