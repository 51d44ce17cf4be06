package pipeline

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
)

// A brake holds rows back while a replica of either side is too far behind. The
// zero value lets them pass.
type brake struct {
	mu   sync.Mutex
	held chan struct{} // closed when rows may pass again; nil while they may
}

// pass waits until rows may pass.
func (b *brake) pass(ctx context.Context) error {
	b.mu.Lock()
	held := b.held
	b.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// set pulls or lets go of the brake, and tells whether that changed anything.
func (b *brake) set(hold bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case hold && b.held == nil:
		b.held = make(chan struct{})
		return true
	case !hold && b.held != nil:
		close(b.held)
		b.held = nil
		return true
	}
	return false
}

// trailing asks one side, if its engine knows of replicas.
func trailing(ctx context.Context, side engine.Side, which string) (engine.Lag, error) {
	followed, ok := side.(engine.Followed)
	if !ok {
		return engine.Lag{}, nil
	}
	lag, err := followed.Lag(ctx)
	return lag, Explain(err, which)
}

// lagIsSeen refuses a limit that could not be kept, because nobody tells how far
// the replicas are behind.
func (s *Session) lagIsSeen(ctx context.Context) ([]finding.Finding, error) {
	if s.in.Job.Limits.ReplicaLag == 0 {
		return nil, nil
	}
	var out []finding.Finding
	for which, side := range map[string]engine.Side{"source": s.source, "target": s.target} {
		_, err := trailing(ctx, side, which)
		if err != nil && engine.CodeOf(err) != engine.Denied {
			return nil, err
		}
		for _, f := range fault.FindingsOf(err) {
			f.Check, f.Code = "replica-lag", int(fault.Refused)
			out = append(out, f)
		}
	}
	return out, nil
}

// A minder asks how far the replicas of both sides are behind.
type minder struct {
	*Session
	brake          *brake
	limit, longest time.Duration
	since          time.Time // rows have been held
}

// minding runs do, and meanwhile minds the replicas: while one is further behind
// than the job allows, the brake is pulled. Where the source itself is the
// replica, what holds it back is our reading, which gives way.
func (s *Session) minding(ctx context.Context, b *brake, do func(ctx context.Context) error) error {
	limits := s.in.Job.Limits
	m := &minder{Session: s, brake: b, limit: limits.ReplicaLag, longest: engine.Limits{SnapshotAge: limits.SnapshotAge}.WithDefaults().SnapshotAge}
	if m.limit == 0 {
		return do(ctx)
	}
	if err := m.look(ctx); err != nil { // before the first row passes
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }()
		defer fault.Guard(&err)
		if err = m.mind(ctx); err != nil {
			stop(err) // the rows end, held or not
		}
	}()
	err := do(ctx)
	stop(nil)
	if lagging := <-done; lagging != nil && errors.Is(context.Cause(ctx), lagging) {
		return lagging
	}
	return err
}

// mind looks again and again until ctx ends, or a reason comes to end the run.
func (m *minder) mind(ctx context.Context) error {
	tick := time.NewTicker(min(max(m.limit/4, 20*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := m.look(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// look asks once, and pulls the brake or lets go of it.
func (m *minder) look(ctx context.Context) error {
	late := ""
	for _, which := range []string{"source", "target"} {
		side := engine.Side(m.source)
		if which == "target" {
			side = m.target
		}
		lag, err := trailing(ctx, side, which)
		switch {
		case err != nil:
			return err
		case lag.Behind <= m.limit:
		case lag.Itself && which == "source":
			return Explain(&engine.Error{Code: engine.Stopped, Doing: "read the source", Again: true,
				Say:  "it is a standby, and our reading holds it back by more than limits.replica_lag",
				Hint: "run again at a quieter hour, raise limits.replica_lag, or read from another standby"}, which)
		default:
			late = which
		}
	}
	switch changed := m.brake.set(late != ""); {
	case late == "":
	case changed:
		m.since = time.Now()
		m.note(m.stage, "a replica of the %s is more than %s behind: rows wait for it", late, m.limit)
	case time.Since(m.since) > m.longest:
		return Explain(&engine.Error{Code: engine.Timeout, Doing: "wait for the replicas", Say: "one stays more than " + m.limit.String() + " behind",
			Hint: "look why it does not follow, or raise limits.replica_lag"}, late)
	}
	return nil
}

// braked lets rows pass while the brake does.
func (b *brake) braked(ctx context.Context, in iter.Seq2[*engine.Batch, error]) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		for batch, err := range in {
			if err == nil {
				if err = b.pass(ctx); err != nil {
					batch.Release()
					batch = nil
				}
			}
			if !yield(batch, err) || err != nil {
				return
			}
		}
	}
}
