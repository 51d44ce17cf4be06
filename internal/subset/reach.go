package subset

import "understudy/internal/schema"

// reached tells, by structure alone, to which tables rows can come.
type reached struct {
	down map[schema.Name]bool // as seeds, or downward
	any  map[schema.Name]bool // downward, or as parents
}

// reach walks the references from the seeds and from the tables that are taken
// whole by a rule, as the closure will walk rows, to a fix point.
func reach(spec *Spec, s *schema.Schema) reached {
	r := reached{down: map[schema.Name]bool{}, any: map[schema.Name]bool{}}
	for _, seed := range spec.Seeds {
		r.down[seed.Table.Name], r.any[seed.Table.Name] = true, true
	}
	whole := map[schema.Name]bool{}
	fixed := map[schema.Name]bool{} // no edge changes what becomes of these
	rules := map[schema.Name]Rule{}
	for _, rule := range spec.Rules {
		rules[rule.Table.Name] = rule
		whole[rule.Table.Name] = rule.Rows == AllRows
		fixed[rule.Table.Name] = rule.Rows != Reached
	}
	follow, closed := make([]bool, len(s.References)), make([]bool, len(s.References))
	for i, ref := range s.References {
		follow[i], closed[i] = spec.follows(ref), !rules[ref.From].descends(ref)
	}
	for changed := true; changed; {
		changed = false
		for i, ref := range s.References {
			if (r.down[ref.To] || follow[i] && r.any[ref.To]) && !closed[i] && !fixed[ref.From] && !r.down[ref.From] {
				r.down[ref.From], r.any[ref.From], changed = true, true, true
			}
			if (r.any[ref.From] || whole[ref.From]) && !fixed[ref.To] && !r.any[ref.To] {
				r.any[ref.To], changed = true, true
			}
		}
	}
	return r
}
