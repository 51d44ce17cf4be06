package parity

import (
	"math"
	"slices"
)

// cost is what a difference takes from the score for each object that it stands
// for: a whole object where rows or statements fail, half of one where both sides
// work but not alike, a tenth where nobody but a reader notices.
var cost = map[Effect]float64{
	BreaksLoad: 1, LosesData: 1, ApplicationFails: 1, ChangesBehaviour: 0.5, ChangesRehearsal: 0.5, Cosmetic: 0.1,
}

// score gives the report its score:
//
//	100 x (1 - cost of the open differences / objects that either side has)
//
// where an object that both sides have counts once, a table that one side lacks
// stands for all that belongs to it, and a waived difference costs nothing. It is
// rounded down to a tenth, so that 100 means that nothing open differs. What was
// not seen is no object and earns nothing. Differences that pending migrations
// bring about count, for staging is what it is; what the score is without them is
// told beside it.
func (r *Report) score() {
	r.Score = r.scoreOf(func(d Difference) bool { return d.Open() })
	r.Unexplained = nil
	if slices.ContainsFunc(r.Differences, func(d Difference) bool { return d.Open() && d.Expected }) {
		s := r.scoreOf(func(d Difference) bool { return d.Open() && !d.Expected })
		r.Unexplained = &s
	}
}

// scoreOf is the score if these differences alone count.
func (r *Report) scoreOf(counts func(Difference) bool) float64 {
	if r.objects == 0 {
		return 100
	}
	lost := 0.0
	for _, d := range r.Differences {
		if counts(d) {
			lost += cost[d.Effect] * float64(d.objects)
		}
	}
	s := 100 * (1 - lost/float64(r.objects))
	return math.Max(0, math.Floor(s*10+1e-9)/10)
}
