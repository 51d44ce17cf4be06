package pipeline

import (
	"context"
	"strings"

	"understudy/internal/fault"
	"understudy/internal/rules"
	"understudy/internal/subset"
)

// Why tells how a row came into the subset, or what left it out. It makes the
// plan's decisions first, so that it answers for the very run that would be made.
func (s *Session) Why(ctx context.Context, table, key string) (*subset.Answer, error) {
	w, err := s.decided(ctx)
	if err != nil {
		return nil, err
	}
	t, err := w.scope.Resolve(table)
	if err != nil {
		return nil, fault.New(fault.Usage, "usage", "name a table that the job copies", "%s", err)
	}
	snap, err := s.source.Snapshot(ctx, w.source)
	if err != nil {
		return nil, Explain(err, "source")
	}
	s.snapshot = snap
	parts := []string{key}
	if id := t.Identity(); id != nil && len(id.Columns) > 1 {
		parts = strings.Split(key, ",")
	}
	answer, err := subset.Why(ctx, placing{snap, s.fragments()}, w.scope, w.spec, subset.Options{Sample: s.sampler, Now: s.in.Now}, t.Name, parts)
	return answer, Explain(err, "source")
}

// Proposal gives lines for a rules file that decide every undecided column.
func (s *Session) Proposal() string {
	if s.work == nil || s.work.binding == nil {
		return ""
	}
	_, text := rules.UndecidedColumns(s.work.binding, s.work.scope)
	return text
}
