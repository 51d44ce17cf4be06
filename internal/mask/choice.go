package mask

import (
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// A choice picks one of a list of values for each value, with the weights that
// the rule gives. A value of the list may become itself, as often as its weight says.
type choice struct {
	values []string
	until  []uint64 // each value's share of 2^64 ends here; the last one's at its end
	shares []float64
}

func (c *choice) append(w *Worker, dst, value []byte) ([]byte, error) {
	hi, _ := w.draw(value)
	return append(dst, c.values[share(c.until, hi)]...), nil
}

// share is the index of the first bound above a word.
func share(until []uint64, word uint64) int {
	low, high := 0, len(until)-1
	for low < high {
		if mid := (low + high) / 2; word < until[mid] {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

func (c *choice) chanceOf(value []byte) float64 {
	for i, v := range c.values {
		if v == string(value) {
			return c.shares[i]
		}
	}
	return 0
}

// list reads a list of values: separated by commas, in double quotes where a
// value has one. Rule files may give a list as such.
func (o *options) list(name string) []string {
	text := o.text(name, "")
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	list, err := r.Read()
	if text == "" || err != nil {
		return nil
	}
	if _, err := r.Read(); err == nil {
		return nil // more than one line
	}
	return list
}

func readChoice(o *options) *choice {
	c := &choice{}
	if o.required("values"); o.given["values"] == "" {
		return c
	}
	c.values = o.list("values")
	if len(c.values) < 2 {
		o.problem("values %q is not a list of two values or more, such as gold, silver", o.given["values"])
		return c
	}
	for i, v := range c.values {
		if slices.Contains(c.values[:i], v) || v == "" {
			o.problem("values %q has an empty value, or one twice", o.given["values"])
			return c
		}
	}
	weights := make([]float64, len(c.values))
	for i := range weights {
		weights[i] = 1
	}
	if text, ok := o.given["weights"]; ok {
		list := o.list("weights")
		for i, v := range list {
			f, ok := parseFigure(nil, []byte(strings.TrimSpace(v)))
			if n := number64(f); ok && n > 0 && i < len(weights) {
				weights[i] = n
			} else {
				list = nil
			}
		}
		if len(list) != len(weights) {
			o.problem("weights %q is not a list of %d numbers above zero, one for each value", text, len(weights))
			return c
		}
	}
	c.weigh(weights)
	return c
}

func number64(f figure) float64 {
	if f.negative || len(f.digits) > longestDecimal {
		return 0
	}
	x := 0.0
	for _, d := range f.digits {
		x = x*10 + float64(d-'0')
	}
	return x * math.Pow10(-f.scale)
}

// weigh divides the words among the values.
func (c *choice) weigh(weights []float64) {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	sum := 0.0
	for i, w := range weights {
		sum += w
		until := uint64(math.MaxUint64)
		if i < len(weights)-1 {
			until = uint64(math.Min(sum/total, 1-0x1p-53) * 0x1p64)
		}
		c.until = append(c.until, until)
		c.shares = append(c.shares, w/total)
	}
}

func buildChoice(d *draft) (recipe, *Refusal) {
	c := readChoice(&d.options)
	for i, v := range c.values {
		if why := d.unfit(v); why != "" {
			return nil, &Refusal{Reason: fmt.Sprintf("value %q %s", v, why), Hint: "give values that the column can hold"}
		}
		c.values[i] = d.written(v)
	}
	d.chance = slices.Max(c.shares)
	d.text = fmt.Sprintf("one of %d values", len(c.values))
	return c, nil
}

// written is a value that fits as the database would write it.
func (d *draft) written(value string) string {
	switch d.limits.Kind {
	case schema.Integer, schema.Decimal:
		f, ok := parseFigure(nil, []byte(value))
		if !ok {
			return value
		}
		scale := max(f.scale, 0)
		if d.limits.Kind == schema.Integer {
			scale = 0
		} else if d.limits.Scale >= 0 {
			scale = d.limits.Scale
		}
		a := &arithmetic{}
		a.at(&a.x, f, scale)
		return string(a.write(nil, &a.x, scale))
	case schema.UUID:
		return strings.ToLower(value)
	}
	return value
}
