package pipeline

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/catalog"
	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/parity"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
	"understudy/internal/script"
	"understudy/internal/subset"
)

// work is everything between a plan and its carrying out.
type work struct {
	source, target *schema.Schema // as inspected
	state          *engine.State
	shape          *plan.Shape
	scope          *schema.Schema // shape.Scope with declared references
	declared       []schema.Reference
	binding        *rules.Binding
	spec           *subset.Spec
	// refusals of the target as it stands, where a plan is only looked at.
	refusals []finding.Finding
	// contradicted tables, by name, hold values of other types than declared: nothing is tried on them.
	contradicted map[string]bool
	masks        map[schema.Name][]maskedColumn // Copied tables only
	// What unique indexes of views compare, of both sides, and in whose name
	// columns of the side that gives the structure must stay apart.
	sourceViews, targetViews []engine.ViewKey
	filled                   []schema.Name // views of the source that hold rows
	viewed                   map[engine.ColumnOf]string
	gates                    []finding.Finding // of parity
	plan                     *plan.Plan
	after                    []script.Statement // of load.after
	selection                *subset.Selection
}

// Plan makes the plan. When something stands against the run it gives both, the
// plan as far as it came and the fault; no row is read before every column has
// a decision.
func (s *Session) Plan(ctx context.Context) (*plan.Plan, error) {
	w, err := s.decided(ctx)
	if err != nil {
		return w.plan, err
	}
	if target, ok := s.target.(engine.Holder); ok && !s.in.Look { // before a row is read: another run may have begun since
		if err := target.Hold(ctx, s.in.RunID); err != nil {
			return w.plan, Explain(err, "target")
		}
	}
	if err := s.selectRows(ctx); err != nil {
		return w.plan, err
	}
	s.note(StageTry, "trying fakes against types, lengths and checks")
	found, err := s.contradictions(ctx)
	w.contradicted = tablesOf(found)
	for _, look := range []func(context.Context) ([]finding.Finding, error){s.folding, s.try} {
		if err == nil {
			var more []finding.Finding
			more, err = look(ctx)
			found = addNew(found, more)
		}
	}
	if err != nil {
		return w.plan, err
	}
	found = append(append(w.placed(found), w.refusals...), w.gates...)
	w.plan.Findings = append(w.plan.Findings, found...)
	return w.plan, fault.From(found, fault.Usage)
}

// placed tells of findings about a column where its decision is written.
func (w *work) placed(found []finding.Finding) []finding.Finding {
	for i, f := range found {
		if f.At.File != "" || f.Column == "" {
			continue
		}
		for _, d := range w.binding.Decisions {
			if d.Table.String() == f.Table && d.Column == f.Column {
				found[i].At = d.At
			}
		}
	}
	return found
}

// decided inspects both sides and decides everything that needs no row.
func (s *Session) decided(ctx context.Context) (*work, error) {
	w := &work{masks: map[schema.Name][]maskedColumn{}}
	s.work = w
	w.plan = &plan.Plan{RunID: s.in.RunID, Source: s.in.SourceAt.String(), Target: s.in.TargetAt.String(), Now: s.in.Now,
		KeyFingerprint: s.in.Key.Fingerprint(), Tables: []plan.Table{}, Masks: []plan.Mask{}, Undecided: []plan.Open{}, Fragments: []plan.Fragment{}}
	for _, one := range s.in.Job.Schemas {
		if one.At != s.in.Job.TargetAt { // else the URLs say it
			w.plan.Schemas = append(w.plan.Schemas, schema.Ident(one.Source)+" -> "+schema.Ident(cmp.Or(one.Target, one.Source)))
		}
	}
	for _, side := range []struct {
		name string
		at   engine.Address
	}{{"source", s.in.SourceAt}, {"target", s.in.TargetAt}} {
		if side.at.Insecure() {
			w.plan.Insecure = append(w.plan.Insecure, side.name)
		}
	}
	if err := s.inspect(ctx); err != nil {
		return w, err
	}
	found := s.decide(ctx)
	foreseen, err := s.foresee(ctx)
	if err != nil {
		return w, err
	}
	found = append(found, foreseen...)
	w.plan.Findings = append(w.plan.Findings, found...)
	if err := fault.From(found, fault.Usage); err != nil {
		return w, fault.From(append(found, w.refusals...), fault.Usage)
	}
	return w, nil
}

// inspect reads both structures and the target's state.
func (s *Session) inspect(ctx context.Context) error {
	w := s.work
	s.note(StageInspect, "reading the structure of both sides")
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		w.plan.Pools = mask.PoolHash() // which takes as long as the servers do
		return nil
	})
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		if w.source, err = s.source.Inspect(gctx, s.in.Job.SourceSchemas()); err != nil {
			return Explain(err, "source")
		}
		if w.sourceViews, err = viewKeysOf(gctx, s.source); err != nil {
			return Explain(err, "source")
		}
		if source, ok := s.source.(engine.Filling); ok {
			w.filled, err = source.Filled(gctx, s.in.Job.SourceSchemas())
		}
		return Explain(err, "source")
	})
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		if w.state, err = s.settled(gctx); err != nil {
			return Explain(err, "target")
		}
		if err = s.mend(gctx); err != nil {
			return Explain(err, "target")
		}
		if w.target, err = s.target.Inspect(gctx, s.in.Job.TargetSchemas()); err != nil {
			return Explain(err, "target")
		}
		w.targetViews, err = viewKeysOf(gctx, s.target)
		return Explain(err, "target")
	})
	if err := g.Wait(); err != nil {
		return err
	}
	w.plan.Claimed, w.plan.Leftovers, w.plan.Mechanism = w.state.Claimed, w.state.Leftovers, w.state.Mechanism
	for _, n := range w.state.Notes {
		w.plan.Findings = append(w.plan.Findings, finding.Finding{Check: "switch-changes", Severity: finding.Warning, Message: n})
	}
	return nil
}

// mend finishes what a killed run left undone in its switch before anything can refuse
// this one: whoever reads the target misses it. Where a plan is only looked at, it is told.
func (s *Session) mend(ctx context.Context) (err error) {
	w := s.work
	if w.state.Unfinished == "" || w.state.Busy != "" {
		return nil
	}
	target, ok := s.target.(engine.Mender)
	if s.in.Look || !ok {
		w.plan.Findings = append(w.plan.Findings, finding.Finding{Check: "unfinished-switch", Severity: finding.Warning, Message: w.state.Unfinished,
			Hint: "the next `understudy refresh` makes them first, also one that is refused, and so does `understudy rollback`"})
		return nil
	}
	s.note(StageInspect, "%s: making them", w.state.Unfinished)
	if err := target.Mend(ctx, s.in.RunID, s.in.Job.Load.Keep); err != nil {
		return err
	}
	w.state, err = s.target.State(ctx)
	return err
}

// settled reads the target's state. A run that was killed a moment ago may still
// hold the target, until the server has noticed; so one that holds it is given as
// long as a lock is waited for. A plan that is only looked at does not wait.
func (s *Session) settled(ctx context.Context) (*engine.State, error) {
	wait := engine.Limits{LockWait: s.in.Job.Limits.LockWait}.WithDefaults().LockWait
	for deadline := time.Now().Add(wait); ; {
		state, err := s.target.State(ctx)
		if err != nil || state.Busy == "" || s.in.Look || time.Now().After(deadline) {
			return state, err
		}
		pause := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

// decide does everything that needs no row: claim, fit, rules, masks, seeds and
// fragments. It gives all that is wrong at once.
func (s *Session) decide(ctx context.Context) []finding.Finding {
	w := s.work
	found := check.Start(w.state, s.in.Claim)
	if s.in.Look {
		w.refusals, found = found, nil
	}
	found = append(found, check.Running(w.state, s.in.Look)...)
	if len(w.source.Tables) == 0 {
		found = append(found, finding.Finding{Check: "empty-source", Severity: finding.Error, Code: int(fault.Usage),
			Message: "the source has no table that this role can see in the job's schemas", Hint: "check the URL's database, the role's privileges and `schemas` in the job"})
	}
	if s.in.Lock == nil {
		found = append(found, finding.Finding{Check: "no-lock-file", Severity: finding.Warning, Message: "no schema.lock.json lies beside the job, so a column whose type has changed since its rule was reviewed does not stop a run",
			Hint: "`understudy init --lock-only` writes it"})
	}
	if s.in.Lock != nil {
		if locked, err := rules.ReadLock(s.in.Lock); err != nil {
			found = append(found, finding.Finding{Check: "lock-file", Severity: finding.Error, Code: int(fault.Usage), Message: err.Error(), Hint: "write it anew with `understudy init --lock-only`"})
		} else {
			found = append(found, rules.CompareLock(locked.Within(s.in.Job.SourceSchemas()), w.source)...)
		}
	}
	for _, c := range s.in.Standard.Critical { // of either side; whether it is equal shows later
		if _, err := w.source.Resolve(c.Table); err == nil {
			continue
		}
		if _, err := w.target.Resolve(c.Table); err != nil && len(w.target.Tables) > 0 {
			found = append(found, finding.Finding{Check: "parity-critical", Severity: finding.Error, At: c.At, Code: int(fault.Usage), Message: "critical: " + err.Error(), Hint: "name a table of production or staging"})
		}
	}
	var fs []finding.Finding
	w.shape, fs = plan.Fit(s.in.Job, w.source, w.target, w.state)
	found = append(found, fs...)
	w.plan.Shape = w.shape
	found = append(found, plan.Notes(s.in.Job, w.source, w.target, w.shape.FromSource)...)
	w.plan.Structure = "target"
	if w.shape.FromSource {
		w.plan.Structure = "source"
	}
	found = append(found, s.readAfter()...)
	if w.shape.FromSource && s.in.Job.Load.Mode == "replace" {
		found = append(found, finding.Finding{Check: "no-structure", Severity: finding.Error, At: s.in.Job.Load.ModeAt, Code: int(fault.Refused),
			Message: "the target has no tables, and `mode: replace` exchanges rows only", Hint: "give the target its structure first, by its own migrations, or write `mode: swap` once"})
	}
	w.scope = &schema.Schema{Tables: w.shape.Scope.Tables, References: slices.Clone(w.shape.Scope.References)}
	w.declared, fs = plan.Declare(s.in.Job.References, w.scope, w.source)
	found = append(found, fs...)
	w.scope.References = append(w.scope.References, w.declared...)
	w.scope.Sort()

	w.binding, fs = plan.Bind(s.in.Rules, w.source, w.scope)
	found = append(found, fs...)
	w.plan.Masks = plan.Masks(w.binding, w.scope)
	w.plan.Undecided = plan.OpenColumns(w.plan.Masks)
	if open, _ := rules.UndecidedColumns(w.binding, w.scope); len(open) > 0 {
		found = append(found, open...)
	}
	found = append(found, rules.Doubts(w.binding, w.scope, s.in.Now)...)
	found = append(found, s.viewKeys()...)
	found = append(found, s.makeMasks()...)

	w.spec, fs = subset.Resolve(s.in.Job.Subset, w.scope)
	found = append(found, fs...)
	if w.spec != nil {
		w.spec.Orphans = subset.Orphans(s.in.Job.Orphans)
		found = append(found, s.acceptFragments(ctx)...)
	}
	return found
}

// fragments lists every piece of SQL in the job that reads rows.
func (s *Session) fragments() []subset.Placed {
	return append(plan.Conditions(s.in.Job.References, s.work.declared, s.work.scope, s.in.Job.AllowSubqueries),
		subset.Fragments(s.work.spec, s.in.Job.AllowSubqueries)...)
}

// acceptFragments has the source judge every fragment by itself.
func (s *Session) acceptFragments(ctx context.Context) []finding.Finding {
	fragments := s.fragments()
	if len(fragments) == 0 {
		return nil
	}
	list := make([]engine.Fragment, len(fragments))
	for i, f := range fragments {
		s.work.plan.Fragments = append(s.work.plan.Fragments, plan.Fragment{At: f.At, Text: f.Fragment.Text})
		list[i] = f.Fragment
	}
	var out []finding.Finding
	for i, err := range s.source.Accept(ctx, list) {
		if err == nil {
			continue
		}
		f := finding.Finding{Check: "fragment", Severity: finding.Error, At: fragments[i].At, Table: list[i].Table.Name.String(), Code: int(fault.Refused),
			Message: "the fragment is refused: " + err.Error(), Hint: "a fragment is one condition over the table's columns: balanced, without `;`, comments or subqueries"}
		if e := (*engine.Error)(nil); errors.As(err, &e) && e.Say != "" {
			f.Message, f.Hint = "the fragment is refused: "+e.Say, cmp.Or(e.Hint, f.Hint)
			if e.State != "" && e.Code == engine.Syntax { // the server's word on a mistake; what is not let through never comes to it
				f.Code = int(fault.Usage)
			}
		}
		switch engine.CodeOf(err) {
		case engine.Constraint:
			f.Code, f.Hint = int(fault.Usage), "give each value in it the form of its column's type"
		case engine.Unreachable, engine.Stopped, engine.Timeout:
			f.Code, f.Hint = int(fault.Unavailable), ""
		}
		out = append(out, f)
	}
	return out
}

// selectRows takes the snapshot, compares the schemas beside it, and finds the rows.
func (s *Session) selectRows(ctx context.Context) error {
	w := s.work
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		return s.compare(gctx)
	})
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		s.note(StageSnapshot, "holding the structure of %d tables still and taking one moment", len(w.source.Tables))
		if s.snapshot, err = s.source.Snapshot(gctx, w.source); err != nil {
			return Explain(err, "source")
		}
		if t, ok := s.snapshot.(engine.Timed); ok {
			w.plan.Now = t.Instant()
		}
		if m, ok := s.snapshot.(engine.Momentary); ok {
			w.plan.Moment = m.Moment()
		}
		s.note(StageSelect, "finding the rows that come along")
		w.selection, err = subset.Select(gctx, placed(s.snapshot, s.fragments()), w.scope, w.spec, subset.Options{
			Readers: s.in.Job.Limits.Readers, Sample: s.sampler, Now: s.in.Now,
		})
		return Explain(err, "source")
	})
	if err := g.Wait(); err != nil {
		return err
	}
	w.plan.Findings = append(w.plan.Findings, w.selection.Findings...)
	w.plan.Orphans = plan.Orphans(w.selection, w.shape)
	s.fillTables()
	bad := plan.Unnullable(w.selection, w.shape, w.target)
	w.plan.Findings = append(w.plan.Findings, bad...)
	return fault.From(bad, fault.Integrity)
}

// sampler hashes seed keys. The domain is the table's bare name, so that a
// sample is the same on engines that name their schemas differently.
func (s *Session) sampler(table schema.Name) func([]byte) uint64 {
	return s.in.Key.Sampler(table.Table).Hash
}

// compare makes the parity report. A target without structure has nothing to compare.
func (s *Session) compare(ctx context.Context) error {
	w := s.work
	if w.shape.FromSource {
		return nil
	}
	r, err := Parity(ctx, s.source, s.target, s.in.Job.SourceSchemas(), s.in.Job.TargetSchemas())
	if err != nil {
		return err
	}
	r.Age(s.in.Past, s.in.Now)
	w.gates = append(r.Judge(s.in.Standard, s.in.Now), r.Blind()...)
	w.plan.Parity = r
	return nil
}

// Parity compares the structures of two sides.
func Parity(ctx context.Context, source, target engine.Side, sourceSchemas, targetSchemas []string) (*parity.Report, error) {
	var a, b *catalog.Catalog
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		a, err = source.Catalog(gctx, sourceSchemas)
		return Explain(err, "source")
	})
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		b, err = target.Catalog(gctx, targetSchemas)
		return Explain(err, "target")
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := range sourceSchemas {
		names[sourceSchemas[i]] = targetSchemas[i]
	}
	return parity.Make(ctx, a, b, names)
}

// fillTables writes the plan's lines from shapes and selection.
func (s *Session) fillTables() {
	w := s.work
	for _, shape := range w.shape.Tables {
		line := plan.Table{Table: shape.Name, Fate: shape.Fate, Of: -1}
		if t := w.source.Table(shape.Name); t != nil {
			line.Of = t.Rows
		}
		switch shape.Fate {
		case plan.Copied:
			sel := w.selection.Find(shape.Name)
			if sel == nil {
				continue // a foreign table
			}
			line.Reason, line.Rows = sel.Reason, sel.Count
			if sel.Whole && sel.Count < 0 {
				line.Rows, line.About = line.Of, true
			}
			if !sel.Whole && line.Of < line.Rows {
				line.Of = -1
			}
		case plan.History:
			line.Reason = "a migration tool's table: the target's rows stay with its structure"
			if w.shape.FromSource {
				line.Reason, line.Rows, line.About = "a migration tool's table: it comes with production's structure", line.Of, true
			}
		case plan.Preserved:
			line.Reason = "staging's own rows are carried over"
			if w.shape.FromSource {
				line.Reason = "preserved, but the target has no rows of it yet: it begins empty"
			}
		case plan.Emptied:
			line.Reason = "only the target has it: it will be empty"
		case plan.Absent:
			line.Reason = "the target has no such table"
		}
		w.plan.Tables = append(w.plan.Tables, line)
	}
}
