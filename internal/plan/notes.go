package plan

import (
	"slices"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Notes gives what is amiss with the structures themselves. A note of both sides
// is told once. An obstacle on the side that gives the structure stops the run:
// no generation can be made from it.
func Notes(source, target *schema.Schema, fromSource bool) []finding.Finding {
	var out []finding.Finding
	add := func(n schema.Note, side string, builds bool) {
		f := finding.Finding{Check: "structure", Severity: finding.Warning, Table: n.Table.String(), Column: n.Column, Message: side + n.Say, Hint: n.Hint}
		if n.Obstacle && builds {
			f.Severity, f.Code = finding.Error, int(fault.Usage)
		}
		out = append(out, f)
	}
	for _, n := range source.Notes {
		switch {
		case fromSource:
			add(n, "", true)
		case slices.Contains(target.Notes, n):
			add(n, "on both sides: ", true)
		default:
			add(n, "in the source: ", false)
		}
	}
	for _, n := range target.Notes {
		if !fromSource && !slices.Contains(source.Notes, n) {
			add(n, "in the target: ", true)
		}
	}
	return out
}
