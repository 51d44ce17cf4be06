// Package check holds the reasons not to start a run and the proofs asked for
// after the rows are loaded. It judges facts that an engine or the pipeline
// gathered; it opens nothing itself.
package check

import (
	"fmt"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Start gives every reason why a refresh of this target must not begin.
func Start(state *engine.State, claim bool) []finding.Finding {
	var out []finding.Finding
	if !state.Claimed && !claim && len(state.Rows) > 0 {
		bears := "no understudy marker"
		if state.CopyOf != "" {
			bears = "the understudy marker of the database " + schema.Ident(state.CopyOf) + ", of which it is a copy,"
		}
		out = append(out, finding.Finding{Check: "unclaimed", Severity: finding.Error, Code: int(fault.Refused),
			Message: fmt.Sprintf("the target bears %s and holds rows in %s: it may be somebody's database", bears, some(state.Rows)),
			Hint:    "if it may be replaced, run `understudy refresh --claim` once"})
	}
	for _, o := range state.Obstacles {
		out = append(out, finding.Finding{Check: "target-obstacle", Severity: finding.Error, Code: int(fault.Refused), Message: o})
	}
	if state.Shortage != "" {
		out = append(out, finding.Finding{Check: "target-space", Severity: finding.Error, Code: int(fault.Unavailable), Message: state.Shortage})
	}
	return out
}

// Beside gives every reason why no copy of a structure may be made beside the
// target, in which statements are tried. It is made as a refresh makes a
// generation, but nothing in the target is replaced.
func Beside(state *engine.State, claim bool) []finding.Finding {
	out := Start(&engine.State{Claimed: state.Claimed, CopyOf: state.CopyOf, Rows: state.Rows}, claim)
	for i := range out {
		out[i].Message += ", beside which a copy of the structure would be made"
		out[i].Hint += "; `understudy parity --claim` makes the copy this once and replaces nothing"
	}
	return append(out, Running(state, false)...)
}

// Running tells of another run that holds the target. It is an error for a run
// that would replace it, which then does not read production for nothing, and
// only a warning where a plan is looked at.
func Running(state *engine.State, look bool) []finding.Finding {
	if state.Busy == "" {
		return nil
	}
	f := finding.Finding{Check: "target-busy", Severity: finding.Error, Code: int(fault.Refused), Message: "one refresh at a time: " + state.Busy,
		Hint: "wait for it to end; its lock goes with it, however it ends"}
	if look {
		f.Severity, f.Code = finding.Warning, 0
	}
	return []finding.Finding{f}
}

// some names the first few tables and counts the rest.
func some(names []schema.Name) string {
	const few = 3
	text := ""
	for i, n := range names {
		if i == few {
			return fmt.Sprintf("%s and %d more tables", text, len(names)-few)
		}
		if i > 0 {
			text += ", "
		}
		text += n.String()
	}
	return text
}
