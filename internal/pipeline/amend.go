package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/script"
)

// An After is the file of load.after: statements that change the new generation
// before it is proved and switched in.
type After struct {
	File string // as findings call it
	Text string
	At   finding.At // of its name in the job
}

// readAfter takes the file apart and notes it in the plan.
func (s *Session) readAfter() []finding.Finding {
	after := s.in.After
	if after == nil {
		return nil
	}
	target, ok := s.target.(engine.Scripted)
	if !ok {
		return []finding.Finding{{Check: "after", Severity: finding.Error, At: after.At, Code: int(fault.Usage),
			Message: "statements after the load are not there yet for a target of this kind", Hint: "run them after `understudy refresh`"}}
	}
	statements, mistakes := target.Statements(after.Text)
	var out []finding.Finding
	for _, m := range mistakes {
		out = append(out, finding.Finding{Check: "after", Severity: finding.Error, At: finding.At{File: after.File, Line: m.Line}, Code: int(fault.Usage), Message: m.Say, Hint: m.Hint})
	}
	sum := sha256.Sum256([]byte(after.Text))
	s.work.after = statements
	s.work.plan.After = &plan.After{File: after.File, SHA256: hex.EncodeToString(sum[:]), Statements: len(statements)}
	return out
}

// amend runs the statements of load.after on the finished generation, whose rows
// were counted as they were loaded. What they changed is proved and counted again.
func (s *Session) amend(ctx context.Context, load engine.Load, runs []*tableRun, report *Report) error {
	statements := s.work.after
	if len(statements) == 0 {
		return nil
	}
	s.enter(StageAmend, fmt.Sprintf("running %d statements of %s", len(statements), s.in.After.File))
	amendable, ok := load.(engine.Amendable)
	if !ok {
		return fault.New(fault.Usage, "after", "run the statements after `understudy refresh`", "statements after the load are not there yet for a target of this kind")
	}
	if failed, err := amendable.Amend(ctx, statements); err != nil {
		return s.amendFault(err, failed, statements)
	}
	proofs, err := load.Prove(ctx, s.in.Job.TargetSchemas())
	if err != nil {
		return Explain(err, "target")
	}
	report.Verification = slices.DeleteFunc(report.Verification, func(v check.Verdict) bool { return v.Name != "" })
	for _, p := range proofs {
		report.Verification = append(report.Verification, check.Proved(p))
	}
	for _, run := range runs {
		a := &amended{nulls: map[string]int64{}}
		names := make([]string, len(run.rewrite.columns))
		for i, c := range run.rewrite.columns {
			names[i] = c.name
		}
		rows, nulls, err := load.Count(ctx, run.target, names)
		if err != nil {
			return Explain(err, "target")
		}
		a.rows = rows
		for i, n := range names {
			a.nulls[n] = nulls[i]
		}
		run.amended = a
	}
	return fault.From(check.Judge(report.Verification), fault.Integrity)
}

// amended is what a table holds after the statements of load.after.
type amended struct {
	rows  int64
	nulls map[string]int64
}

// amendFault tells which statement failed. What the database did not take is a
// generation that is not whole, unless it did not understand it or went away.
func (s *Session) amendFault(err error, failed int, statements []script.Statement) error {
	err = Explain(err, "target")
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	at, which := finding.At{File: s.in.After.File}, "at its end"
	if failed < len(statements) {
		at.Line, which = statements[failed].Line, fmt.Sprintf("statement %d", failed+1)
	}
	code := f.Code
	var e *engine.Error
	if errors.As(err, &e) && (e.Code == engine.Constraint || e.Code == engine.Failed || e.Code == engine.Denied) {
		code = fault.Integrity
	}
	out := &fault.Error{Code: code, Findings: slices.Clone(f.Findings), Cause: err}
	for i := range out.Findings {
		out.Findings[i].At, out.Findings[i].Check, out.Findings[i].Code = at, "after", int(code)
		out.Findings[i].Message = which + ": " + out.Findings[i].Message
	}
	return out
}
