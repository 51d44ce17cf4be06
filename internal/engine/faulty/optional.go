package faulty

import (
	"context"
	"iter"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// What only some engines can do is passed on as well: a wrapped side can do what
// its engine's can, and nothing else. Where the answer "nothing" says the same as
// not being asked, one method serves both.

// unwrapSource gives the source that the engine opened.
func unwrapSource(s engine.Source) engine.Source {
	if w, ok := s.(*source); ok {
		return w.Source
	}
	return s
}

// Withheld asks the wrapped source; nothing is hidden where it cannot tell.
func (s *source) Withheld(ctx context.Context, tables []schema.Name) ([]engine.Withholding, error) {
	if w, ok := s.Source.(engine.Withholder); ok {
		return w.Withheld(ctx, tables)
	}
	return nil, nil
}

// Contradictions asks the wrapped snapshot; none if it cannot hold any.
func (s *snapshot) Contradictions(ctx context.Context, table *schema.Table, kept, looked []string) ([]string, error) {
	if c, ok := s.Snapshot.(engine.Contradictor); ok {
		return c.Contradictions(ctx, table, kept, looked)
	}
	return nil, nil
}

// Moment asks the wrapped snapshot; nothing is said where it does not tell.
func (s *snapshot) Moment() string {
	if m, ok := s.Snapshot.(engine.Momentary); ok {
		return m.Moment()
	}
	return ""
}

// Reckoned asks the wrapped snapshot; nothing is said where it does not tell.
func (s *snapshot) Reckoned(table schema.Name, column string) string {
	if r, ok := s.Snapshot.(engine.Reckoner); ok {
		return r.Reckoned(table, column)
	}
	return ""
}

// Reckon tells the wrapped snapshot, where it listens.
func (s *snapshot) Reckon(table schema.Name, column, word string) {
	if r, ok := s.Snapshot.(engine.Reckoner); ok {
		r.Reckon(table, column, word)
	}
}

func wrapSnapshot(inner engine.Snapshot, p *plan) engine.Snapshot {
	s := &snapshot{inner, p}
	t, timed := inner.(engine.Timed)
	c, combines := inner.(engine.Combiner)
	switch {
	case timed && combines:
		return struct {
			*snapshot
			engine.Timed
			combiner
		}{s, t, combiner{c, p}}
	case timed:
		return struct {
			*snapshot
			engine.Timed
		}{s, t}
	case combines:
		return struct {
			*snapshot
			combiner
		}{s, combiner{c, p}}
	}
	return s
}

type combiner struct {
	inner engine.Combiner
	plan  *plan
}

// FindAny asks the wrapped snapshot, and fails as Find does.
func (c combiner) FindAny(ctx context.Context, finds []engine.Find) iter.Seq2[*engine.Found, error] {
	return failing(c.plan, Find, FindBatch, c.inner.FindAny(ctx, finds), func(*engine.Found) {})
}

func (t *target) inner() engine.Target { return t.Target }

// Fit asks the wrapped target; everything fits where it cannot tell.
func (t *target) Fit(ctx context.Context, from engine.Source, schemas []string) (obstacles, notes []string, err error) {
	if f, ok := t.Target.(engine.Fitter); ok {
		return f.Fit(ctx, unwrapSource(from), schemas)
	}
	return nil, nil, nil
}

// Hold asks the wrapped target; Begin takes the lock where it cannot before.
func (t *target) Hold(ctx context.Context, runID string) error {
	if h, ok := t.Target.(engine.Holder); ok {
		return h.Hold(ctx, runID)
	}
	return nil
}

// Mend is the wrapped target's, if it has one.
func (t *target) Mend(ctx context.Context, runID string, keep int) error {
	if m, ok := t.Target.(engine.Mender); ok {
		return m.Mend(ctx, runID, keep)
	}
	return nil
}

// replaceable wraps what it gives.
type replaceable struct {
	there engine.Replaceable
	plan  *plan
}

// InPlace gives the wrapped target, exchanged in place and as faulty.
func (r replaceable) InPlace() engine.Target { return wrapTarget(r.there.InPlace(), r.plan) }

func wrapTarget(inner engine.Target, p *plan) engine.Target {
	t := &target{inner, p}
	r, inPlace := inner.(engine.Replaceable)
	s, scripted := inner.(engine.Scripted)
	switch {
	case inPlace && scripted:
		return struct {
			*target
			replaceable
			engine.Scripted
		}{t, replaceable{r, p}, s}
	case inPlace:
		return struct {
			*target
			replaceable
		}{t, replaceable{r, p}}
	case scripted:
		return struct {
			*target
			engine.Scripted
		}{t, s}
	}
	return t
}

func (l *load) inner() engine.Load { return l.Load }

// Alone tells the wrapped load, where it listens.
func (l *load) Alone(tables []schema.Name) {
	if s, ok := l.Load.(engine.Informed); ok {
		s.Alone(tables)
	}
}

func wrapLoad(inner engine.Load, p *plan) engine.Load {
	l := &load{inner, p}
	if a, ok := inner.(engine.Amendable); ok {
		return struct {
			*load
			engine.Amendable
		}{l, a}
	}
	return l
}

// Derived asks the wrapped source; no key is told where it cannot.
func (s *source) Derived(ctx context.Context, table *schema.Table) ([]engine.Derived, error) {
	return derived(ctx, s.Source, table)
}

// Derive asks the wrapped source.
func (s *source) Derive(ctx context.Context, table *schema.Table, key engine.Derived, rows *engine.Tuples) (*engine.Tuples, error) {
	return derive(ctx, s.Source, table, key, rows)
}

// Derived asks the wrapped target; no key is told where it cannot.
func (t *target) Derived(ctx context.Context, table *schema.Table) ([]engine.Derived, error) {
	return derived(ctx, t.Target, table)
}

// Derive asks the wrapped target.
func (t *target) Derive(ctx context.Context, table *schema.Table, key engine.Derived, rows *engine.Tuples) (*engine.Tuples, error) {
	return derive(ctx, t.Target, table, key, rows)
}

func derived(ctx context.Context, side engine.Side, table *schema.Table) ([]engine.Derived, error) {
	if d, ok := side.(engine.Deriver); ok {
		return d.Derived(ctx, table)
	}
	return nil, nil
}

func derive(ctx context.Context, side engine.Side, table *schema.Table, key engine.Derived, rows *engine.Tuples) (*engine.Tuples, error) {
	if d, ok := side.(engine.Deriver); ok {
		return d.Derive(ctx, table, key, rows)
	}
	return &engine.Tuples{Width: 1}, nil
}

// ViewKeys asks the wrapped source; none are told where it cannot.
func (s *source) ViewKeys(ctx context.Context) ([]engine.ViewKey, error) {
	return viewKeys(ctx, s.Source)
}

// ViewKeys asks the wrapped target.
func (t *target) ViewKeys(ctx context.Context) ([]engine.ViewKey, error) {
	return viewKeys(ctx, t.Target)
}

func viewKeys(ctx context.Context, side engine.Side) ([]engine.ViewKey, error) {
	if k, ok := side.(engine.ViewKeeper); ok {
		return k.ViewKeys(ctx)
	}
	return nil, nil
}
