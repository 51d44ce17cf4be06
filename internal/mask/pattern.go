package mask

import (
	"fmt"
	"math"
	"math/big"
)

// A pattern gives a text that a regular expression matches, in whole.
type pattern struct{ automaton *automaton }

func (p *pattern) append(w *Worker, dst, value []byte) ([]byte, error) {
	s := w.stream(value)
	return p.automaton.spell(dst, &s), nil
}

func (p *pattern) chanceOf(value []byte) float64 {
	if !p.automaton.matches(value) {
		return 0
	}
	return p.automaton.chance()
}

// chance is one in the number of texts.
func (a *automaton) chance() float64 {
	f, _ := new(big.Float).SetInt(a.size).Float64()
	return oneIn(f)
}

func readPattern(o *options) *automaton {
	text := o.required("pattern")
	if text == "" {
		return nil
	}
	a, why := compilePattern(text)
	if why != "" {
		o.problem("pattern %q %s", text, why)
	}
	return a
}

func buildPattern(d *draft) (recipe, *Refusal) {
	a := readPattern(&d.options)
	if a == nil {
		return nil, &Refusal{Reason: "the pattern is empty", Hint: "use constant"}
	}
	has := min(a.bits(), 128)
	switch {
	case a.longest > d.length():
		return nil, &Refusal{Reason: fmt.Sprintf("the pattern has texts of %d characters, the column takes %d", a.longest, d.length()), Hint: "shorten its repetitions"}
	case d.limits.Unique && has < bitsNeeded(d.limits.Rows):
		return nil, d.fewReserved("the pattern has "+counted(a.size)+" texts", has, "lengthen the pattern, or use fpe, which keeps length and uniqueness")
	}
	d.chance = max(a.chance(), math.Exp2(-128))
	d.text = "one of " + counted(a.size) + " texts of the pattern"
	return &pattern{a}, nil
}

// counted writes a large number shortly.
func counted(n *big.Int) string {
	if n.BitLen() <= 53 {
		return n.String()
	}
	return fmt.Sprintf("2^%d", n.BitLen()-1)
}
