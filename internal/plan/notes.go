package plan

import (
	"fmt"
	"slices"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Notes gives what is amiss with the structures themselves. A note of both sides
// is told once. An obstacle on the side that gives the structure stops the run:
// no generation can be made from it.
func Notes(job *config.Job, source, target *schema.Schema, fromSource bool) []finding.Finding {
	var out []finding.Finding
	without := map[schema.Name]bool{} // tables of which no row is taken
	if job.Subset != nil {
		for _, t := range job.Subset.Tables {
			if named, err := source.Resolve(t.Table.Value); err == nil && t.Rows == "none" {
				without[named.Name] = true
			}
		}
	}
	add := func(n schema.Note, side string, builds bool) {
		f := finding.Finding{Check: "structure", Severity: finding.Warning, Table: n.Table.String(), Column: n.Column, Message: side + n.Say, Hint: n.Hint}
		if n.Obstacle && builds || n.Refuses && side != "in the target: " && !without[n.Table] {
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
	if fromSource {
		out = append(out, literals(source)...)
	}
	return out
}

// literals tells that a structure which comes from production brings along what is
// written in it: nobody masks a default or a CHECK.
func literals(s *schema.Schema) []finding.Finding {
	defaults, checks, labels := 0, 0, 0
	for _, t := range s.Tables {
		checks += len(t.Checks)
		for _, c := range t.Columns {
			if c.Default != "" && !c.Identity {
				defaults++
			}
			if len(c.Labels) > 0 {
				labels++
			}
		}
	}
	if defaults+checks+labels == 0 {
		return nil
	}
	return []finding.Finding{{Check: "structure-literals", Severity: finding.Warning,
		Message: fmt.Sprintf("production's structure comes along with what is written in it, which no rule masks: %d defaults, %d checks, columns of enumerations: %d, and the texts of views, routines and triggers", defaults, checks, labels),
		Hint:    "look through it once; or give staging its structure by its own migrations, and only rows come"}}
}
