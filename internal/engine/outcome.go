package engine

import (
	"context"
	"errors"
	"time"
)

// Switched marks an error as one that came after the switch took place: it wraps
// [ErrSwitched]. No error stays none.
func Switched(err error) error {
	if err == nil {
		return nil
	}
	return &afterSwitch{err}
}

type afterSwitch struct{ err error }

func (e *afterSwitch) Error() string   { return ErrSwitched.Error() + ", but then: " + e.err.Error() }
func (e *afterSwitch) Unwrap() []error { return []error{ErrSwitched, e.err} }

// outcomeEvery is the time between two looks at what became of a commit.
const outcomeEvery = 100 * time.Millisecond

// Outcome finds out what became of a commit whose answer never came, because of
// cause: nobody may guess it, since a half of these took place. look asks the server,
// over a session of its own, whether the committing session is over, which it must
// be before its work can be judged, and whether that work stands. It is asked until it
// knows, at most for patience; the run's own context may be over by then, so there is
// none to pass. doing is what was tried, for errors.
//
// The answer is cause where nothing took place, cause marked by [Switched] where it
// did, and one that wraps [ErrUnknown] where the server could not be asked.
func Outcome(doing string, cause error, patience time.Duration, look func(context.Context) (over, stands bool, err error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience) // undo: the run's context may be over, and the answer matters
	defer cancel()
	tick := time.NewTicker(outcomeEvery)
	defer tick.Stop()
	for {
		over, stands, err := look(ctx)
		switch {
		case err == nil && over && stands:
			return Switched(cause)
		case err == nil && over:
			return cause
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &Error{Code: Unreachable, Doing: doing, Err: errors.Join(ErrUnknown, cause),
				Say: "the connection broke and the server cannot be asked whether it took place", Hint: "the next refresh finds out by itself"}
		}
	}
}
