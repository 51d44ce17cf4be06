package pipeline

import (
	"errors"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
)

// preservedOrphan gives the fault of a load that could not be finished its
// remedy where a foreign key of a preserved table is what failed: its rows are
// the target's own, and what they refer to did not come along.
func (s *Session) preservedOrphan(explained, err error) error {
	var e *engine.Error
	var f *fault.Error
	if !errors.As(err, &e) || !errors.As(explained, &f) || len(f.Findings) != 1 || e.Code != engine.Constraint ||
		!slices.Contains(s.work.shape.Preserve, e.Table) ||
		!slices.ContainsFunc(s.work.target.References, func(r schema.Reference) bool { return r.From == e.Table && r.Name == e.Constraint }) {
		return explained
	}
	f.Findings[0].Hint = "the target's own rows refer to rows that the new generation lacks: let those come along (`subset` in the job), delete or mend the rows in the target, or take the table out of load.preserve"
	return explained
}
