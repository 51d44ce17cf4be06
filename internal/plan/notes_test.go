package plan

import (
	"slices"
	"testing"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// What is amiss is told once, with its side, and an obstacle stops only where the
// structure is taken from.
func TestNotesStopOnlyWhereTheyStandInTheWay(t *testing.T) {
	note := func(table string, obstacle bool) schema.Note {
		return schema.Note{Table: schema.Name{Schema: "main", Table: table}, Say: "amiss", Obstacle: obstacle}
	}
	source := &schema.Schema{Notes: []schema.Note{note("both", true), note("there", true), note("view", false)}}
	target := &schema.Schema{Notes: []schema.Note{note("both", true), note("here", true)}}
	for _, x := range []struct {
		name       string
		target     *schema.Schema
		fromSource bool
		want       []string
	}{
		{"the target's structure", target, false, []string{"main.both error on both sides: amiss", "main.there warning in the source: amiss", "main.view warning in the source: amiss", "main.here error in the target: amiss"}},
		{"the source's structure", &schema.Schema{}, true, []string{"main.both error amiss", "main.there error amiss", "main.view warning amiss"}},
	} {
		var got []string
		for _, f := range Notes(&config.Job{}, source, x.target, x.fromSource) {
			got = append(got, f.Table+" "+string(f.Severity)+" "+f.Message)
			if (f.Severity == finding.Error) != (f.Code == int(fault.Usage)) {
				t.Errorf("%+v", f)
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %q", x.name, got)
		}
	}
}
