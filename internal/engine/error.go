package engine

import (
	"errors"
	"strings"

	"understudy/internal/schema"
)

// A Code says what kind of trouble a database had. Callers branch on it; they
// never read an error's text.
type Code string

const (
	Unreachable Code = "unreachable" // no connection, or it broke
	Denied      Code = "denied"      // wrong password, missing privilege
	Timeout     Code = "timeout"     // a lock or a statement took too long
	Changed     Code = "changed"     // the structure changed underneath
	Busy        Code = "busy"        // another run holds the target
	Constraint  Code = "constraint"  // a row broke a constraint or a type
	Contradicts Code = "contradicts" // a value is not of the type its column declares (exit 3: the type is undecided)
	Full        Code = "full"        // out of space
	Stopped     Code = "stopped"     // an administrator, a server limit or a conflict ended the session
	Unsupported Code = "unsupported" // the server or its version cannot do this
	Syntax      Code = "syntax"      // the server does not understand a statement or fragment
	Failed      Code = "failed"      // anything else
)

// ErrSwitched is wrapped by errors of Load.Switch and Target.Rollback that came
// after the switch took place: the new generation stands.
var ErrSwitched = errors.New("the new generation is in place")

// ErrUnknown is wrapped by errors of Load.Switch and Target.Rollback after which nobody
// knows whether the target is what it was: the server could not be asked, or what had been
// taken from it could not be given back. The next run finds out and mends it.
var ErrUnknown = errors.New("whether the target is what it was is not known")

// An Error is what went wrong in a database, told without any value: codes and
// object names only, because messages, details and contexts of servers quote rows.
type Error struct {
	Code Code
	// Doing says what was tried: "read public.orders", "connect to target".
	Doing string
	// State is the server's own code: an SQLSTATE, an error number.
	State string
	// Say is the meaning of State in our words; never the server's text.
	Say        string
	Table      schema.Name
	Column     string
	Constraint string
	// Hint is a remedy where one is known.
	Hint string
	// Again: a reading ended because somebody needed the source, or had changed it;
	// begun anew from the inspection on, it may succeed.
	Again bool
	// Err is the cause for errors.Is; it is never printed.
	Err error
}

// Error gives what was tried, the meaning and the codes.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Doing)
	b.WriteString(": ")
	if e.Say != "" {
		b.WriteString(e.Say)
	} else {
		b.WriteString(string(e.Code))
	}
	if e.Table.Table != "" && !strings.Contains(e.Doing+" "+e.Say, e.Table.String()) {
		b.WriteString(", table " + e.Table.String())
	}
	if e.Column != "" {
		b.WriteString(", column " + schema.Ident(e.Column))
	}
	if e.Constraint != "" {
		b.WriteString(", constraint " + schema.Ident(e.Constraint))
	}
	if e.State != "" {
		b.WriteString(" (" + e.State + ")")
	}
	return b.String()
}

// Unwrap gives the cause, for errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// LateWrite is the error of a switch that would lose rows which somebody wrote to
// a preserved table after its rows were carried over.
func LateWrite(table schema.Name) *Error {
	return &Error{Code: Changed, Doing: "switch", Table: table,
		Say:  "rows of a preserved table changed while the new generation was built, and the change would be lost",
		Hint: "start again; refresh when nothing writes to the preserved tables"}
}

// CodeOf gives the code of an error of an engine; Failed if it has none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Failed
}
