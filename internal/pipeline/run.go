package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// A Report is what a run did. Its JSON holds the plan's fields with rows as loaded.
type Report struct {
	*plan.Plan
	Generation   string          `json:"generation"` // that stands in the target now; empty when the target is unchanged
	Started      time.Time       `json:"started"`
	Finished     time.Time       `json:"finished"`
	TotalRows    int64           `json:"rows"`
	Bytes        int64           `json:"bytes"` // sent to the target
	Verification []check.Verdict `json:"verification"`
	Ledger       []check.Ledger  `json:"ledger"`
	Timings      []Timing        `json:"timings"`
	// Missed: what the new generation should have and could not be given.
	Missed []finding.Finding `json:"-"`
}

// A Timing is how long a stage took.
type Timing struct {
	Stage   Stage   `json:"stage"`
	Seconds float64 `json:"seconds"`
}

// tableRun carries one table through the load, perhaps by several streams.
type tableRun struct {
	mu      sync.Mutex // guards ledger, rewrite and open while streams run
	open    int        // streams that have not ended
	source  *schema.Table
	target  schema.Name
	columns []string
	parts   []subset.Part
	whole   bool
	weight  int64
	ledger  check.Ledger
	amended *amended // nil unless statements changed the generation
	rewrite *rewriter
	reckons map[string]string // ManifestTable.Reckoned
	since   Since             // what the manifest will say
	stood   stood
}

// Run carries the plan out: Plan came first and gave no error. The target is
// replaced when it returns nil or an error with code LaterFailed, and is what it
// was otherwise. undo is the context for cleaning up: it outlives ctx.
func (s *Session) Run(ctx, undo context.Context) (report *Report, err error) {
	w := s.work
	report = &Report{Plan: w.plan, Started: s.in.Now, Verification: []check.Verdict{}, Ledger: []check.Ledger{}, Timings: []Timing{}}
	defer func() { report.Finished = time.Now().UTC() }()
	spec := engine.Spec{RunID: s.in.RunID, Schemas: s.in.Job.TargetSchemas(), Preserve: w.shape.Preserve, Keep: s.in.Job.Load.Keep,
		Anew: s.in.Anew, Writers: s.in.Job.Limits.Readers, Step: func(step string) { s.note(s.stage, "%s", step) },
		Missed: func(what string) {
			report.Missed = append(report.Missed, finding.Finding{Check: "not-carried", Severity: finding.Warning, Message: what})
		}}
	if w.shape.FromSource {
		spec.Structure, spec.Names = s.snapshot.Structure(), w.shape.Renamed()
	}
	if spec.Positions, spec.Filled, err = s.standing(ctx); err != nil {
		return report, Explain(err, "source")
	}
	begun := time.Now()
	lap := func(stage Stage) {
		report.Timings = append(report.Timings, Timing{stage, time.Since(begun).Seconds()})
		begun = time.Now()
	}
	s.enter(StageBegin, "building the new generation's structure beside the present one")
	load, err := s.target.Begin(ctx, spec)
	if err != nil {
		return report, Explain(err, "target")
	}
	switched := false
	defer func() {
		if cleanup := Explain(load.Abort(undo), "target"); cleanup != nil && err == nil && switched {
			err = later(cleanup)
		}
	}()
	lap(StageBegin)

	s.enter(StageLoad, "loading")
	runs := s.tableRuns()
	if err := s.loadTables(ctx, load, runs, report); err != nil {
		return report, err
	}
	if reckoner, ok := s.snapshot.(engine.Reckoner); ok {
		for _, run := range runs {
			run.reckoned(reckoner)
		}
	}
	if err := s.remember(ctx, load, runs); err != nil {
		return report, err
	}
	// The source has given everything: its locks and its moment end here, not after the indexes.
	if err := s.snapshot.Close(); err != nil {
		return report, Explain(err, "source")
	}
	s.snapshot = nil
	lap(StageLoad)

	s.enter(StageFinish, "building indexes and constraints")
	if err := load.Finish(ctx); err != nil {
		return report, s.preservedOrphan(Explain(err, "target"), err)
	}
	lap(StageFinish)

	s.enter(StageProve, "having the database prove keys, counts and sequences")
	if err := s.prove(ctx, load, runs, report); err != nil {
		return report, err
	}
	lap(StageProve)

	if len(w.after) > 0 {
		if err := s.amend(ctx, load, runs, report); err != nil {
			return report, err
		}
		lap(StageAmend)
	}

	s.enter(StageSwitch, "switching")
	if err := s.sameTarget(ctx); err != nil {
		return report, err
	}
	if err := s.left(ctx, load, runs); err != nil {
		return report, err
	}
	report.Finished = time.Now().UTC()
	manifest, err := json.Marshal(manifestOf(report, runs))
	if err != nil {
		return report, err
	}
	if err := load.Switch(ctx, manifest); err != nil {
		if errors.Is(err, engine.ErrSwitched) {
			report.Generation = s.in.RunID
			return report, later(Explain(err, "target"))
		}
		return report, Explain(err, "target")
	}
	switched, report.Generation = true, s.in.RunID
	lap(StageSwitch)
	return report, s.unmeasured(report)
}

// enter begins a stage.
func (s *Session) enter(stage Stage, note string) {
	s.stage = stage
	s.note(stage, "%s", note)
}

// later marks a failure after the switch.
func later(err error) error {
	fs := slices.Clone(fault.FindingsOf(err))
	for i := range fs {
		fs[i].Code = int(fault.LaterFailed)
		const rest = "the next run does what is left"
		if fs[i].Check == "interrupted" {
			fs[i].Message, fs[i].Hint = "interrupted after the switch: the new generation is in place", rest
			continue
		}
		fs[i].Hint = strings.TrimSuffix("the new generation is in place, and "+rest+"; "+fs[i].Hint, "; ")
	}
	return &fault.Error{Code: fault.LaterFailed, Findings: fs, Cause: err}
}

// unmeasured turns proofs that could not run into exit 7.
func (s *Session) unmeasured(r *Report) error {
	var open []finding.Finding
	for _, f := range check.Judge(r.Verification) {
		if f.Code == int(fault.Unmeasured) {
			open = append(open, f)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return &fault.Error{Code: fault.Unmeasured, Findings: open}
}

// tableRuns lists what to load, the heaviest first, so that the longest table
// does not begin when the others have ended.
func (s *Session) tableRuns() []*tableRun {
	w := s.work
	var out []*tableRun
	for _, shape := range w.shape.Tables {
		t := w.source.Table(shape.Name)
		if t == nil || len(shape.Columns) == 0 && shape.Fate != plan.Copied {
			continue
		}
		run := &tableRun{source: t, target: shape.Target, columns: shape.Columns, whole: true, parts: []subset.Part{{}}, ledger: check.Ledger{Table: shape.Name, Selected: -1}}
		columns := w.masks[shape.Name]
		switch shape.Fate {
		case plan.Copied:
			sel := w.selection.Find(shape.Name)
			if sel == nil {
				continue
			}
			run.whole = sel.Whole
			run.ledger.Selected = sel.Count
			run.parts = sel.Parts()
			columns = withNulled(columns, shape.Columns, sel)
		case plan.History:
			if !w.shape.FromSource {
				continue
			}
		default:
			continue
		}
		run.rewrite = newRewriter(shape.Name, columns, s.in.Key)
		run.weight = max(t.Bytes, 1)
		if !run.whole {
			run.weight = run.ledger.Selected * max(t.Bytes/max(t.Rows, 1), 1)
		}
		out = append(out, run)
	}
	slices.SortStableFunc(out, func(a, b *tableRun) int { return cmp.Compare(b.weight, a.weight) })
	return out
}

func (s *Session) loadTables(ctx context.Context, load engine.Load, runs []*tableRun, report *Report) error {
	if err := s.resume(ctx, load, runs); err != nil {
		return err
	}
	streams, err := s.streams(ctx, load, runs)
	if err != nil {
		return err
	}
	var bytes atomic.Int64
	var held brake
	err = s.minding(ctx, &held, func(ctx context.Context) error {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(s.readers())
		for _, st := range streams {
			g.Go(func() (err error) {
				defer fault.Guard(&err)
				return s.carry(gctx, load, st, &held, &bytes)
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		return s.settle(ctx, load, runs, &held, &bytes)
	})
	report.Bytes = bytes.Load()
	for _, run := range runs {
		run.ledger.Masked = run.rewrite.rows
		if run.whole && run.ledger.Selected < 0 {
			run.ledger.Selected = run.ledger.Read // not counted before; the engine compared its rows with the server's own count
		}
		run.rewrite.countPaths(report.Masks)
		report.TotalRows += run.ledger.Sent + run.ledger.Stood
		for i := range report.Tables {
			if line := &report.Tables[i]; line.Table == run.ledger.Table {
				line.Rows, line.About = run.ledger.Sent+run.ledger.Stood, false
			}
		}
	}
	return err
}

func (s *Session) readers() int {
	return engine.Limits{Readers: s.in.Job.Limits.Readers}.WithDefaults().Readers
}

// prove counts every table in the target, has the engine prove the constraints,
// and stops the run if anything fails.
func (s *Session) prove(ctx context.Context, load engine.Load, runs []*tableRun, report *Report) error {
	var mu sync.Mutex
	add := func(vs ...check.Verdict) {
		mu.Lock()
		defer mu.Unlock()
		report.Verification = append(report.Verification, vs...)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.readers())
	g.Go(func() (err error) {
		defer fault.Guard(&err)
		proofs, err := load.Prove(gctx, s.in.Job.TargetSchemas())
		for _, p := range proofs {
			add(check.Proved(p))
		}
		return Explain(err, "target")
	})
	for _, run := range runs {
		g.Go(func() (err error) {
			defer fault.Guard(&err)
			names := make([]string, len(run.rewrite.columns))
			for i, c := range run.rewrite.columns {
				names[i] = c.name
			}
			rows, nulls, err := load.Count(gctx, run.target, names)
			if err != nil {
				return Explain(err, "target")
			}
			run.ledger.Counted = rows
			add(check.Rows(run.ledger))
			add(run.rewrite.verdicts(nulls)...)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, run := range runs {
		report.Ledger = append(report.Ledger, run.ledger)
	}
	slices.SortFunc(report.Ledger, func(a, b check.Ledger) int { return a.Table.Compare(b.Table) })
	slices.SortStableFunc(report.Verification, func(a, b check.Verdict) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), a.Table.Compare(b.Table), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Detail, b.Detail))
	})
	return fault.From(check.Judge(report.Verification), fault.Integrity)
}

// standing reads where sequences of the source stand, and which of its views hold rows,
// and names them as the target does.
func (s *Session) standing(ctx context.Context) (positions []engine.Position, filled []schema.Name, err error) {
	names := s.work.shape.Renamed()
	if source, ok := s.source.(engine.Counting); ok {
		if positions, err = source.Positions(ctx, s.in.Job.SourceSchemas()); err != nil {
			return nil, nil, err
		}
	}
	if source, ok := s.source.(engine.Filling); ok {
		filled, err = source.Filled(ctx, s.in.Job.SourceSchemas())
	}
	for i := range positions {
		positions[i].Name.Schema = cmp.Or(names[positions[i].Name.Schema], positions[i].Name.Schema)
	}
	for i := range filled {
		filled[i].Schema = cmp.Or(names[filled[i].Schema], filled[i].Schema)
	}
	return positions, filled, err
}

// verdicts judges each masked column by what was counted on the way and in the target.
func (r *rewriter) verdicts(nulls []int64) []check.Verdict {
	var out []check.Verdict
	for i, c := range r.columns {
		column := check.Column{Table: r.table, Name: c.name, Nulls: r.counts[i].Nulls, Made: r.counts[i].Made, Nullified: r.counts[i].Nullified, Counted: nulls[i]}
		out = append(out, check.Nulls(column))
		if r.makers[i] == nil {
			continue
		}
		for _, j := range r.makers[i].judged() {
			column.Path, column.Distinct, column.Same, column.Expected, column.Left, column.Blind = j.path, j.Distinct, j.Same, j.Expected, j.Left, j.blind
			out = append(out, check.Changed(column))
		}
	}
	return out
}

// sameTarget makes sure that nobody migrated the target while its successor was
// built: what is about to be switched in was made from the structure seen then.
func (s *Session) sameTarget(ctx context.Context) error {
	now, err := s.target.Inspect(ctx, s.in.Job.TargetSchemas())
	if err != nil {
		return Explain(err, "target")
	}
	if !reflect.DeepEqual(withoutEstimates(now), withoutEstimates(s.work.target)) {
		return fault.New(fault.Refused, "target-changed", "start again", "the target's structure changed during the run; it was left as it is")
	}
	return nil
}

func withoutEstimates(s *schema.Schema) *schema.Schema {
	out := &schema.Schema{Tables: slices.Clone(s.Tables), References: s.References}
	for i := range out.Tables {
		out.Tables[i].Rows, out.Tables[i].Bytes = 0, 0
	}
	return out
}
