// Package fault is an error with an exit code and hints. The exit codes are
// the contract with cron jobs and pipelines and are defined here, once.
//
// Below the command line an error is usually plain (fmt.Errorf with %w); it
// becomes a fault where the code and the remedy are known.
package fault

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"understudy/internal/finding"
)

// Code is a process exit code. The target is unchanged unless the code says otherwise.
type Code int

const (
	Done        Code = 0   // done, every gate passed
	Gate        Code = 1   // a gate said no
	Usage       Code = 2   // usage, configuration or rules wrong; a column its mask cannot keep
	Undecided   Code = 3   // a column, table or type without a decision
	Refused     Code = 4   // refused for safety
	Integrity   Code = 5   // a leak or an integrity failure found before the switch
	Unavailable Code = 6   // source or target unavailable, changed underneath, timed out, out of space
	Unmeasured  Code = 7   // done, but something asked for was not measured
	LaterFailed Code = 8   // done (new generation), but a later step failed
	Bug         Code = 70  // a bug in understudy
	Interrupted Code = 130 // SIGINT, SIGTERM
)

// Outcome names a code in one word, for JSON and logs.
func (c Code) Outcome() string {
	switch c {
	case Done:
		return "done"
	case Gate:
		return "gate"
	case Usage:
		return "usage"
	case Undecided:
		return "undecided"
	case Refused:
		return "refused"
	case Integrity:
		return "integrity"
	case Unavailable:
		return "unavailable"
	case Unmeasured:
		return "unmeasured"
	case LaterFailed:
		return "later-failed"
	case Interrupted:
		return "interrupted"
	}
	return "bug"
}

// rank orders codes where several apply: 2, 4, 3, 5, 1, then the others.
func (c Code) rank() int {
	for i, o := range []Code{Interrupted, Bug, Usage, Refused, Undecided, Integrity, Gate, Unavailable, LaterFailed, Unmeasured} {
		if c == o {
			return i
		}
	}
	return 99
}

// Worse returns the code that wins when both apply.
func Worse(a, b Code) Code {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// An Error is a refusal or a failure with everything the user needs to mend it:
// the code, one or many findings, each with its place and hint, and the cause.
type Error struct {
	Code     Code
	Findings []finding.Finding // at least one
	Cause    error             // for errors.Is; never printed, because a driver's text may hold a row value
}

// Error lists all findings, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a fault with one finding. The check names what failed, in kebab case.
func New(code Code, check, hint, format string, args ...any) *Error {
	return &Error{Code: code, Findings: []finding.Finding{{
		Check: check, Severity: finding.Error, Message: fmt.Sprintf(format, args...), Hint: hint, Code: int(code),
	}}}
}

// Because adds the cause and returns e.
func (e *Error) Because(err error) *Error { e.Cause = err; return e }

// From turns findings into an error: nil if none has severity Error. The code
// is the one that wins among theirs, or fallback where a finding names none.
func From(fs []finding.Finding, fallback Code) error {
	bad := finding.Errors(fs)
	if len(bad) == 0 {
		return nil
	}
	finding.Sort(bad)
	bad = slices.Compact(bad) // of a file that was read twice
	code := Code(-1)
	for i, f := range bad {
		c := Code(f.Code)
		if f.Code == 0 {
			c = fallback
			bad[i].Code = int(fallback)
		}
		if code == -1 {
			code = c
		}
		code = Worse(code, c)
	}
	return &Error{Code: code, Findings: bad}
}

// CodeOf says with which code a process ends on err.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return Done
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Interrupted
	case errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	}
	return Bug
}

// FindingsOf gives what err has to tell, as findings. An error that is no fault
// was not foreseen, and its text may hold anything: only its kind is told.
func FindingsOf(err error) []finding.Finding {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e.Findings
	}
	code := CodeOf(err)
	f := finding.Finding{Check: code.Outcome(), Severity: finding.Error, Message: code.Outcome(), Code: int(code)}
	if code == Bug {
		f.Message, f.Hint = fmt.Sprintf("this is a bug in understudy (an error without a code, %T)", err), "please report it with the command"
	}
	return []finding.Finding{f}
}

// Guard turns a panic of the goroutine that defers it into an error in *err, so
// that a bug ends the run in order, with its place and never with a value.
func Guard(err *error) {
	if r := recover(); r != nil {
		*err = Panicked()
	}
}

// Panicked makes the error of a panic. It is called while the stack still stands:
// from a deferred function that recovered.
func Panicked() *Error {
	place := "unknown place"
	for skip := 2; skip < 40; skip++ {
		_, file, line, ok := runtime.Caller(skip)
		if !ok {
			break
		}
		i := strings.LastIndex(file, "/internal/")
		if i >= 0 && !strings.Contains(file, "/runtime/") && !strings.HasSuffix(file, "/fault/fault.go") && !strings.HasSuffix(file, "/cli/root.go") {
			place = fmt.Sprintf("%s:%d", file[i+1:], line)
			break
		}
	}
	return New(Bug, "bug", "please report it with the command and this place", "this is a bug in understudy (%s)", place)
}
