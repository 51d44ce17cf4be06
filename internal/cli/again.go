package cli

import (
	"context"
	"time"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/pipeline"
	"understudy/internal/report"
)

// longestRest bounds how long a run rests before it begins anew.
const longestRest = 5 * time.Minute

// again does once, and anew from the beginning after a rest when it had to give
// way on the source, as often as the job's limits allow. Each rest is twice as
// long as the one before, so that a migration of a minute is outlived.
func (a *app) again(ctx context.Context, once func() error) error {
	var rest time.Duration
	for tried := 0; ; tried++ {
		notes := len(a.notes)
		err := once()
		if a.job == nil || !pipeline.Again(err) || tried >= a.job.Limits.Retries {
			return err
		}
		// Whoever waited for us has the table by now, and may need it for a while.
		if rest *= 2; rest == 0 {
			rest = 5 * engine.Limits{LockWait: a.job.Limits.LockWait}.WithDefaults().LockWait
		}
		rest = min(rest, longestRest)
		a.progress.end()
		a.notes, a.payload, a.anew = a.notes[:notes], nil, true
		for _, f := range fault.FindingsOf(err) {
			if !a.quiet {
				a.complain("%-9s %s: beginning anew in %s (%d of %d)\n", "again", report.Clean(f.Message), rest, tried+1, a.job.Limits.Retries)
			}
			f.Severity, f.Code, f.Message, f.Hint = finding.Warning, 0, "the run began anew: "+f.Message, ""
			a.notes = append(a.notes, f)
		}
		if err := pass(ctx, rest); err != nil {
			return err
		}
	}
}

// pass lets time pass, unless the run ends.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
