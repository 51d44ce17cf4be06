package pipeline

import (
	"context"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// foresee asks the engines what would stop the run later, as far as they can
// tell it before a row is read.
func (s *Session) foresee(ctx context.Context) ([]finding.Finding, error) {
	w := s.work
	out, err := s.lagIsSeen(ctx)
	if err != nil {
		return nil, err
	}
	if source, ok := s.source.(engine.Withholder); ok {
		withheld, err := source.Withheld(ctx, s.read())
		if err != nil {
			return nil, Explain(err, "source")
		}
		for _, h := range withheld {
			out = append(out, finding.Finding{Check: "rows-hidden", Severity: finding.Error, Code: int(fault.Refused), Table: h.Table.String(),
				Message: "source: " + h.Say, Hint: h.Hint})
		}
	}
	if source, ok := s.source.(engine.Counting); ok {
		positions, err := source.Positions(ctx, s.in.Job.SourceSchemas())
		if err != nil {
			return out, Explain(err, "source")
		}
		for _, p := range positions {
			if p.Last == "" {
				out = append(out, finding.Finding{Check: "sequence-unread", Severity: finding.Warning,
					Message: "the role may not read the sequence " + p.Name.String() + " of production, and no column tells how far it is: staging may give its numbers again",
					Hint:    "GRANT SELECT ON SEQUENCE " + p.Name.String() + " TO the source's role"})
			}
		}
	}
	target, ok := s.target.(engine.Fitter)
	if !ok || !w.shape.FromSource {
		return out, nil
	}
	obstacles, notes, err := target.Fit(ctx, s.source, s.in.Job.SourceSchemas())
	if err != nil {
		return out, Explain(err, "target")
	}
	for _, o := range obstacles {
		f := finding.Finding{Check: "target-obstacle", Severity: finding.Error, Code: int(fault.Refused), Message: o}
		if s.in.Look { // as with the target's own obstacles, the plan is shown all the same
			w.refusals = append(w.refusals, f)
		} else {
			out = append(out, f)
		}
	}
	for _, n := range notes {
		out = append(out, finding.Finding{Check: "switch-changes", Severity: finding.Warning, Message: n})
	}
	return out, nil
}

// read lists the source's tables of which rows may be read.
func (s *Session) read() []schema.Name {
	var out []schema.Name
	for _, shape := range s.work.shape.Tables {
		if shape.Fate != plan.Copied && !(shape.Fate == plan.History && s.work.shape.FromSource) {
			continue
		}
		none := s.work.spec != nil && slices.ContainsFunc(s.work.spec.Rules, func(r subset.Rule) bool {
			return r.Table.Name == shape.Name && r.Rows == subset.NoneAtAll
		})
		if !none {
			out = append(out, shape.Name)
		}
	}
	return out
}
