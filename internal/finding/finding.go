// Package finding holds one thing found: a mistake in a file, a column without
// a decision, a difference between two schemas, a proof that failed. Every
// report, on every command, is a list of findings, so a reader learns one shape.
//
// A finding never carries a row value; callers put only names, numbers and
// places into it.
package finding

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says what a finding means for the run.
type Severity string

const (
	// Error stops the run.
	Error Severity = "error"
	// Warning does not stop the run, and a reviewer should read it.
	Warning Severity = "warning"
	// Note is information.
	Note Severity = "note"
)

// At is a place in a file. The zero At means that the finding is about no file.
type At struct {
	File string
	Line int // from 1; 0 when only the file is known
	Col  int // from 1; 0 when only the line is known
}

// String gives file:line:col, as compilers do, so that editors jump there.
func (a At) String() string {
	switch {
	case a.File == "":
		return ""
	case a.Line == 0:
		return a.File
	case a.Col == 0:
		return fmt.Sprintf("%s:%d", a.File, a.Line)
	}
	return fmt.Sprintf("%s:%d:%d", a.File, a.Line, a.Col)
}

// MarshalText writes the place as String does, in JSON as well.
func (a At) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// A Finding is one thing found.
type Finding struct {
	// Check names what was looked at, in kebab case: "undecided", "rule-unknown-column".
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	At       At       `json:"at,omitempty"`
	Table    string   `json:"table,omitempty"`
	Column   string   `json:"column,omitempty"`
	// Message says what is wrong: lower case, no full stop, no row value.
	Message string `json:"message"`
	// Hint is the command or the line that mends it.
	Hint string `json:"hint,omitempty"`
	// Code is the exit code this finding asks for (see package fault); 0 when it asks for none.
	Code int `json:"-"`
}

// String gives the finding on one line, place first.
func (f Finding) String() string {
	where := f.At.String()
	if where == "" && f.Table != "" {
		where = f.Table
		if f.Column != "" {
			where += "." + f.Column
		}
	}
	if where == "" {
		return f.Message
	}
	return where + ": " + f.Message
}

// Sort orders findings by place, then table, column, check and message, so that
// reports do not depend on the order in which things were looked at. Those
// without a place come last: they are often what a mistake with a place led to.
func Sort(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		if (a.At.File == "") != (b.At.File == "") {
			if a.At.File == "" {
				return 1
			}
			return -1
		}
		return cmp.Or(
			cmp.Compare(a.At.File, b.At.File),
			cmp.Compare(a.At.Line, b.At.Line),
			cmp.Compare(a.At.Col, b.At.Col),
			cmp.Compare(a.Table, b.Table),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Check, b.Check),
			cmp.Compare(a.Message, b.Message),
		)
	})
}

// Errors returns those that stop a run.
func Errors(fs []Finding) []Finding {
	var out []Finding
	for _, f := range fs {
		if f.Severity == Error {
			out = append(out, f)
		}
	}
	return out
}
