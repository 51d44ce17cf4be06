// Package pipeline carries a plan out. It opens both sides, makes the plan,
// moves rows from the source through the masks into a new generation of the
// target, has the database prove it, and switches. It is the home of x/sync.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/mask"
	"understudy/internal/parity"
	"understudy/internal/rules"
)

// Input is what a run is made of; the command line gathers it.
type Input struct {
	Job   *config.Job
	Rules []*rules.File
	Key   mask.Key
	// Engine serves both URLs; At are their parsed forms.
	Engine   engine.Engine
	SourceAt engine.Address
	TargetAt engine.Address
	RunID    string
	Now      time.Time
	Claim    bool // take the target over although it bears no marker
	Anew     bool // the run gave way before and begins once more
	// Look: the plan is only looked at, so what speaks against the target as it
	// stands is told at its end instead of ending it.
	Look       bool
	BatchBytes int // 0: the engine's default
	Observer   Observer
	Lock       []byte // schema.lock.json; nil when there is none
	After      *After // the file of load.after; nil when there is none
	// Standard is what the job demands of parity, and Past what the last comparison left.
	Standard parity.Standard
	Past     *parity.Memory
}

// A Session holds both sides open between planning and loading. Close it always.
type Session struct {
	in       Input
	source   engine.Source
	target   engine.Target
	snapshot engine.Snapshot
	work     *work
	stage    Stage // the present one; changed between stages only, when no other goroutine runs
}

// Input is what the session was opened with.
func (s *Session) Input() Input { return s.in }

// Open connects to both sides and makes sure that they are two.
func Open(ctx context.Context, in Input) (*Session, error) {
	s := &Session{in: in}
	if in.Observer == nil {
		s.in.Observer = func(Event) {}
	}
	limits := engine.Limits{Readers: in.Job.Limits.Readers, LockWait: in.Job.Limits.LockWait, SnapshotAge: in.Job.Limits.SnapshotAge,
		Statement: in.Job.Limits.Statement, BatchBytes: in.BatchBytes}.WithDefaults()
	s.note(StageInspect, "connecting to %s and %s", in.SourceAt, in.TargetAt)
	if err := s.connect(ctx, limits); err != nil {
		s.Close()
		return nil, err
	}
	var err error
	if err = apart(ctx, in, s.source, s.target); err == nil {
		s.target, err = inMode(s.target, in.Job)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// connect opens both sides side by side, so that what is wrong with either is told
// at once.
func (s *Session) connect(ctx context.Context, limits engine.Limits) error {
	var there sync.WaitGroup
	var broken error
	there.Go(func() {
		defer fault.Guard(&broken)
		target, err := s.in.Engine.Target(ctx, s.in.TargetAt, limits)
		if broken = Explain(err, "target"); err == nil {
			s.target = target
		}
	})
	source, err := s.in.Engine.Source(ctx, s.in.SourceAt, limits)
	if err == nil {
		s.source = source
	}
	there.Wait()
	err = Explain(err, "source")
	if err == nil || broken == nil {
		return cmp.Or(err, broken)
	}
	return cmp.Or(fault.From(append(slices.Clone(fault.FindingsOf(err)), fault.FindingsOf(broken)...), fault.CodeOf(err)), err)
}

// scope tells both sides what the job covers. Either may be nil.
func scope(job *config.Job, source engine.Source, target engine.Target) {
	if s, ok := source.(engine.Scoped); ok {
		s.Scope(job.SourceSchemas())
	}
	if t, ok := target.(engine.Scoped); ok {
		t.Scope(job.TargetSchemas())
	}
}

// inMode gives the target as load.mode wants it replaced; on an error it stays as it is.
func inMode(target engine.Target, job *config.Job) (engine.Target, error) {
	if job.Load.Mode != "replace" {
		return target, nil
	}
	r, ok := target.(engine.Replaceable)
	if !ok {
		err := fault.New(fault.Usage, "load-mode", "write `mode: swap`, or leave it out", "mode: replace is not there yet for a target of this kind")
		err.Findings[0].At = job.Load.ModeAt
		return target, err
	}
	return r.InPlace(), nil
}

// OneDatabase tells how it is known that both sides are one database; empty where they are not.
func OneDatabase(ctx context.Context, in Input, source engine.Source, target engine.Target) (string, error) {
	scope(in.Job, source, target)
	d, err := in.Engine.Apart(ctx, source, target)
	if err != nil || !d.Same {
		return "", Explain(err, "target")
	}
	return d.Why, nil
}

// apart refuses a target that is, or may be, the source. Whatever is written to a
// target or beside it has to come after this.
func apart(ctx context.Context, in Input, source engine.Source, target engine.Target) error {
	scope(in.Job, source, target)
	d, err := in.Engine.Apart(ctx, source, target)
	switch {
	case err != nil:
		return Explain(err, "target")
	case d.Same:
		return fault.New(fault.Refused, "same-database", "point target at a staging database of its own",
			"source and target are the same database (%s)", d.Why)
	case d.Kin && in.Job.TargetIsAClone == "":
		return fault.New(fault.Refused, "kin-database", `if staging was restored from production's backup, say so in the job: target_is_a_clone: "reason"`,
			"source and target have one origin: a standby, or a copy of the files (%s)", d.Why)
	}
	return nil
}

// Close lets go of everything. It may be called more than once.
func (s *Session) Close() error {
	var errs []error
	if s.snapshot != nil {
		errs = append(errs, s.snapshot.Close())
		s.snapshot = nil
	}
	if s.source != nil {
		errs = append(errs, s.source.Close())
		s.source = nil
	}
	if s.target != nil {
		errs = append(errs, s.target.Close())
		s.target = nil
	}
	return errors.Join(errs...)
}

func (s *Session) note(stage Stage, format string, args ...any) {
	s.in.Observer(Event{Stage: stage, Note: fmt.Sprintf(format, args...)})
}

// OpenSource opens one database to read from, for commands that need no other;
// which names it in errors.
func OpenSource(ctx context.Context, e engine.Engine, at engine.Address, job *config.Job, which string) (engine.Source, error) {
	src, err := e.Source(ctx, at, engine.Limits{Readers: job.Limits.Readers, LockWait: job.Limits.LockWait, SnapshotAge: job.Limits.SnapshotAge, Statement: job.Limits.Statement}.WithDefaults())
	return src, Explain(err, which)
}

// OpenTarget opens the target alone, for commands that need no source.
func OpenTarget(ctx context.Context, e engine.Engine, at engine.Address, job *config.Job) (engine.Target, error) {
	dst, err := e.Target(ctx, at, engine.Limits{LockWait: job.Limits.LockWait, Statement: job.Limits.Statement}.WithDefaults())
	if err != nil {
		return nil, Explain(err, "target")
	}
	scope(job, nil, dst)
	placed, err := inMode(dst, job)
	if err != nil {
		dst.Close()
		return nil, err
	}
	return placed, nil
}

// Explain turns an engine's error into a fault with the exit code and a remedy.
// Faults and nil pass through; which names the side in the message.
func Explain(err error, which string) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		if errors.Is(err, engine.ErrUnknown) {
			return fault.New(fault.Interrupted, "interrupted", hintUnknown, "interrupted in the switch; %s", engine.ErrUnknown).Because(err)
		}
		return fault.New(fault.Interrupted, "interrupted", "", "interrupted").Because(err)
	}
	var e *engine.Error
	if !errors.As(err, &e) {
		return err
	}
	if failed := fragmentFailed(err); failed != nil {
		return failed
	}
	code, hint := codeFor(e.Code), e.Hint
	if e.Code == engine.Constraint && which == "source" { // reading breaks no constraint: a fragment met a value it cannot take
		code, hint = fault.Usage, "a where, when or order of the job fails on the value of some row: let it exclude such rows first, as CASE does"
	}
	switch {
	case errors.Is(err, engine.ErrUnknown):
		hint = hintUnknown
	case hint == "":
		hint = hintFor(e.Code, which)
	}
	out := fault.New(code, "database-"+string(e.Code), hint, "%s: %s", which, e.Error()).Because(err)
	out.Findings[0].Table, out.Findings[0].Column = tableName(e), e.Column
	return out
}

const hintUnknown = "`understudy verify` tells what stands in the target now, and the next run mends what is left"

// Again tells whether a run that failed may succeed when it is begun anew, by
// another session: it gave way to somebody on the source, and nothing came of it.
func Again(err error) bool {
	var e *engine.Error
	return fault.CodeOf(err) == fault.Unavailable && errors.As(err, &e) && e.Again
}

func tableName(e *engine.Error) string {
	if e.Table.Table == "" {
		return ""
	}
	return e.Table.String()
}

func codeFor(c engine.Code) fault.Code {
	switch c {
	case engine.Busy:
		return fault.Refused
	case engine.Constraint:
		return fault.Integrity
	case engine.Unsupported, engine.Syntax:
		return fault.Usage
	case engine.Contradicts:
		return fault.Undecided
	}
	return fault.Unavailable
}

func hintFor(c engine.Code, which string) string {
	switch c {
	case engine.Unreachable:
		return "is the server running, and the host and port of the URL right?"
	case engine.Denied:
		return "check user, password and privileges of the URL's role"
	case engine.Timeout:
		return "try again later, or raise limits.lock_wait or limits.statement in the job"
	case engine.Changed:
		return "somebody changed the structure during the run: start again"
	case engine.Busy:
		return "another refresh of this target is running: wait for it to end"
	case engine.Full:
		return "free some space; the target is unchanged"
	case engine.Stopped:
		if which == "target" {
			return "start again; if it happens often, ask for a longer server-side limit there"
		}
		return "start again; if it happens often, ask for a longer server-side limit or read from a replica"
	}
	return ""
}
