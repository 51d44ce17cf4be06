package parity

import "math"

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
// not seen is no object and earns nothing.
func (r *Report) score() {
	if r.objects == 0 {
		r.Score = 100
		return
	}
	lost := 0.0
	for _, d := range r.Differences {
		if d.Open() {
			lost += cost[d.Effect] * float64(d.objects)
		}
	}
	s := 100 * (1 - lost/float64(r.objects))
	r.Score = math.Max(0, math.Floor(s*10+1e-9)/10)
}
