package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"understudy/internal/catalog"
	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
)

// A scratch is a copy of a structure beside the target, without rows, in which
// statements are tried.
type scratch struct {
	load engine.Load
	engine.Alterable
}

// admit tells whether a copy may be made beside the target to try texts in, and
// which of the texts must not be tried there; nothing is made. A target that is the
// source is refused, for beside production nothing is made, and so is one that may
// be somebody's: the copy is made as a refresh makes a generation.
func admit(ctx context.Context, in Input, source engine.Source, target engine.Target, texts, schemas []string) (refused []error, err error) {
	if err := apart(ctx, in, source, target); err != nil {
		return nil, err
	}
	t, ok := target.(engine.Tryable)
	if !ok {
		return nil, fault.New(fault.Usage, "parity-prove", "leave out --prove and parity.migrations", "this engine cannot try structures out")
	}
	state, err := target.State(ctx)
	if err != nil {
		return nil, Explain(err, "target")
	}
	if err := fault.From(check.Beside(state, in.Claim), fault.Refused); err != nil {
		return nil, err
	}
	refused, err = t.Admit(ctx, texts, schemas)
	return refused, Explain(err, "target")
}

// newScratch makes a copy of a structure, once it was admitted; nil is the
// target's own. It holds the target's lock until it is dropped.
func newScratch(ctx context.Context, in Input, target engine.Target, structure engine.Structure, schemas []string) (*scratch, error) {
	load, err := target.Begin(ctx, engine.Spec{RunID: in.RunID, Structure: structure, Schemas: schemas, Keep: in.Job.Load.Keep, Writers: 1, Step: func(string) {}})
	if err != nil {
		return nil, Explain(err, "target")
	}
	s := &scratch{load: load}
	alterable, ok := load.(engine.Alterable)
	if !ok {
		s.drop()
		return nil, fmt.Errorf("a load of a target that takes trials is not alterable")
	}
	s.Alterable = alterable
	if err := load.Finish(ctx); err != nil {
		s.drop()
		return nil, Explain(err, "target")
	}
	return s, nil
}

// drop takes the copy away. What cannot be taken away is cleared by the next run.
func (s *scratch) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // undoing: the run's context may be over
	defer cancel()
	_ = s.load.Abort(ctx)
}

// ProveClosing runs the report's closing statements on a copy of the target's
// structure and compares it with the source. A statement that fails is tried
// again after the others: it may need what they make.
func ProveClosing(ctx context.Context, in Input, source engine.Source, target engine.Target, r *parity.Report) error {
	ordered := slices.DeleteFunc(r.Ordered(), parity.Difference.Personal)
	var texts []string
	for _, d := range ordered {
		texts = append(texts, d.SQL)
	}
	refused, err := admit(ctx, in, source, target, texts, nil)
	if err != nil {
		return err
	}
	proof := &parity.Proof{Applied: []string{}, Failed: []parity.Unapplied{}}
	var list []parity.Difference
	for i, d := range ordered {
		if refused[i] == nil {
			list = append(list, d)
			continue
		}
		proof.Failed = append(proof.Failed, parity.Unapplied{ID: d.ID, Object: d.Object, Reason: refused[i].Error()})
	}
	s, err := newScratch(ctx, in, target, nil, in.Job.TargetSchemas())
	if err != nil {
		return err
	}
	defer s.drop()
	for never := len(proof.Failed); len(list) > 0; {
		var left []parity.Difference
		proof.Failed = proof.Failed[:never]
		for _, d := range list {
			err := s.Alter(ctx, d.SQL)
			if err == nil {
				proof.Applied = append(proof.Applied, d.ID)
				continue
			}
			var e *engine.Error
			if !errors.As(err, &e) || e.Code == engine.Unreachable || e.Code == engine.Stopped || ctx.Err() != nil {
				return Explain(err, "target")
			}
			left = append(left, d)
			proof.Failed = append(proof.Failed, parity.Unapplied{ID: d.ID, Object: d.Object, Reason: e.Error()})
		}
		if len(left) == len(list) {
			break
		}
		list = left
	}
	after, err := compareScratch(ctx, in, source, s)
	if err != nil {
		return err
	}
	proof.Settle(r, after)
	r.Proof = proof
	return nil
}

func compareScratch(ctx context.Context, in Input, source engine.Side, s *scratch) (*parity.Report, error) {
	a, err := source.Catalog(ctx, in.Job.SourceSchemas())
	if err != nil {
		return nil, Explain(err, "source")
	}
	b, err := s.Catalog(ctx, in.Job.TargetSchemas())
	if err != nil {
		return nil, Explain(err, "target")
	}
	return parity.Make(ctx, a, b, schemaNames(in))
}

// schemaNames maps the job's schemas from the source's names to the target's.
func schemaNames(in Input) map[string]string {
	names := map[string]string{}
	for _, s := range in.Job.Schemas {
		names[s.Source] = s.Target
	}
	return names
}

// ProveCauses finds which differences pending migrations bring about: it applies
// them to a copy of production's structure and compares that with staging. It
// does nothing where the job names no migrations, or staging is not ahead.
func ProveCauses(ctx context.Context, in Input, source engine.Source, target engine.Target, r *parity.Report) error {
	name := in.Job.Parity.Migrations
	if name.Value == "" || len(r.Differences) == 0 {
		return nil
	}
	var pending []catalog.Migration
	var which []string
	for _, m := range r.Migrations {
		if len(m.Ahead) == 0 {
			continue
		}
		dir := name.Value
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(in.Job.Dir, dir)
		}
		all, err := catalog.Migrations(dir, m.Tool)
		if err != nil {
			return &fault.Error{Code: fault.Usage, Cause: err, Findings: []finding.Finding{{Check: "parity-migrations", Severity: finding.Error, At: name.At, Code: int(fault.Usage),
				Message: err.Error(), Hint: "name the directory that the tool applies, relative to the job file; Flyway, goose, golang-migrate, Atlas, Prisma and dbmate are understood"}}}
		}
		some := m.Pending(all)
		var versions []string
		for _, p := range some {
			versions = append(versions, p.Version)
		}
		if len(some) > 0 {
			which = append(which, m.Tool+" "+strings.Join(versions, ", "))
		}
		pending = append(pending, some...)
	}
	if len(pending) == 0 {
		return nil
	}
	var texts []string
	for _, p := range pending {
		texts = append(texts, p.Text)
	}
	called := in.Job.SourceSchemas()
	if len(called) == 0 {
		called = []string{in.SourceAt.Schema()}
	}
	refused, err := admit(ctx, in, source, target, texts, called)
	if err != nil {
		return err
	}
	for i, why := range refused {
		if why != nil {
			return inapplicable(why, filepath.Join(name.Value, pending[i].File))
		}
	}
	found, err := source.Inspect(ctx, in.Job.SourceSchemas())
	if err != nil {
		return Explain(err, "source")
	}
	snapshot, err := source.Snapshot(ctx, found)
	if err != nil {
		return Explain(err, "source")
	}
	s, err := newScratch(ctx, in, target, snapshot.Structure(), in.Job.SourceSchemas())
	_ = snapshot.Close() // it was read from only
	if err != nil {
		return err
	}
	defer s.drop()
	for _, p := range pending {
		if err := s.Alter(ctx, p.Text); err != nil {
			return inapplicable(err, filepath.Join(name.Value, p.File))
		}
	}
	ahead, err := s.Catalog(ctx, in.Job.SourceSchemas())
	if err != nil {
		return Explain(err, "target")
	}
	staging, err := target.Catalog(ctx, in.Job.TargetSchemas())
	if err != nil {
		return Explain(err, "target")
	}
	after, err := parity.Make(ctx, ahead, staging, schemaNames(in))
	if err != nil {
		return err
	}
	r.Account(after, strings.Join(which, "; "))
	return nil
}

// inapplicable tells why a migration cannot be applied.
func inapplicable(err error, file string) error {
	var e *engine.Error
	if !errors.As(err, &e) {
		return Explain(err, "target")
	}
	hint := e.Hint
	if hint == "" {
		hint = "it needs rows, privileges or an order that production's structure alone does not have; leave parity.migrations out, or mend it"
	}
	return &fault.Error{Code: fault.Usage, Cause: err, Findings: []finding.Finding{{Check: "parity-migrations", Severity: finding.Error, At: finding.At{File: file}, Code: int(fault.Usage),
		Message: fmt.Sprintf("the migration cannot be applied to a copy of production's structure: %s", e.Error()), Hint: hint}}}
}
