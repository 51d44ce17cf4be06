package report

import (
	"fmt"
	"io"
	"strings"

	"understudy/internal/plan"
	"understudy/internal/schema"
)

// orphansTitle heads what becomes of rows whose parent is missing.
const orphansTitle = "Orphans: rows of the source whose parent is missing"

// orphanLine is a number of rows and what becomes of them.
type orphanLine struct{ Rows, Text string }

// orphanLines tells, by reference, what becomes of rows whose parent is missing.
func orphanLines(p *plan.Plan) []orphanLine {
	var out []orphanLine
	for _, o := range p.Orphans {
		edge := o.Table.String() + "." + identList(o.Columns)
		text := "dropped"
		if o.Outcome == "nullified" {
			text = identList(o.Nulled) + " set to NULL"
		}
		if o.Rows > 0 {
			out = append(out, orphanLine{Number(o.Rows), edge + " leads to no row of " + o.References.String() + ": " + text})
		}
		if o.Cascaded > 0 {
			out = append(out, orphanLine{Number(o.Cascaded), edge + " leads to a dropped row of " + o.References.String() + ": dropped as well"})
		}
	}
	return out
}

func orphansOf(w io.Writer, p *plan.Plan) {
	lines := orphanLines(p)
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", orphansTitle)
	g := grid{indent: 2, right: map[int]bool{0: true}}
	for _, l := range lines {
		g.add(l.Rows, l.Text)
	}
	g.write(w)
}

// identList writes names as a job file does: a, or (a, b).
func identList(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = schema.Ident(n)
	}
	if len(out) == 1 {
		return out[0]
	}
	return "(" + strings.Join(out, ", ") + ")"
}
