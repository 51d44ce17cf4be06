package report

import (
	"fmt"
	"io"
	"strings"

	"understudy/internal/check"
	"understudy/internal/finding"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/rules"
)

// Plan writes a plan the way a good pull request reads: what, how much, why,
// what differs, what to look at.
func Plan(w io.Writer, p *plan.Plan) {
	head(w, p)
	if len(p.Tables) > 0 {
		rowsOf(w, p)
	}
	masksOf(w, p)
	if len(p.Fragments) > 0 {
		fmt.Fprintf(w, "\nSQL from the job, to run on the source\n")
		g := grid{indent: 2}
		for _, f := range p.Fragments {
			g.add(f.At.String(), f.Text)
		}
		g.write(w)
	}
	if p.Parity != nil {
		fmt.Fprintln(w)
		Parity(w, p.Parity)
	}
	warnings(w, p.Findings)
}

func head(w io.Writer, p *plan.Plan) {
	fmt.Fprintf(w, "Run %s at %s\n", p.RunID, p.Now.Format("2006-01-02 15:04:05 MST"))
	g := grid{indent: 2}
	g.add("from", p.Source)
	g.add("to", p.Target)
	if p.Structure == "source" {
		g.add("structure", "production's, for the target has none")
	} else if p.Structure != "" {
		g.add("structure", "the target's own")
	}
	if p.Mechanism != "" {
		g.add("switch", p.Mechanism)
	}
	g.add("key", p.KeyFingerprint)
	for _, side := range p.Insecure {
		g.add("transport", "the "+side+" is reached without verified TLS, as its URL asks")
	}
	for _, l := range p.Leftovers {
		g.add("leftover", l+": will be cleared")
	}
	g.write(w)
}

func rowsOf(w io.Writer, p *plan.Plan) {
	var copied int
	for _, t := range p.Tables {
		if t.Fate == plan.Copied {
			copied++
		}
	}
	fmt.Fprintf(w, "\nRows: %s in %d tables\n", Number(p.Rows()), copied)
	g := grid{indent: 2, right: map[int]bool{1: true, 2: true}}
	g.add("table", "rows", "of", "why")
	for _, t := range p.Tables {
		rows, of := Number(t.Rows), ""
		switch {
		case t.Fate == plan.Preserved || t.Fate == plan.History && t.Rows == 0:
			rows = "own"
		case t.About:
			rows = "~" + rows
		}
		if t.Of >= 0 {
			of = "~" + Number(t.Of)
		}
		g.add(t.Table.String(), rows, of, t.Reason)
	}
	g.write(w)
}

func masksOf(w io.Writer, p *plan.Plan) {
	count := map[rules.Outcome]int{}
	for _, m := range p.Masks {
		count[m.Decision]++
	}
	if len(p.Masks) == 0 {
		return
	}
	fmt.Fprintf(w, "\nColumns: %d masked, %d kept, %d derived", count[rules.Mask], count[rules.Keep], count[rules.Derived])
	if n := count[rules.Undecided]; n > 0 {
		fmt.Fprintf(w, ", %d UNDECIDED", n)
	}
	fmt.Fprintln(w)
	last, g := "", grid{indent: 4}
	flush := func() {
		if len(g.rows) > 0 {
			fmt.Fprintf(w, "  %s\n", line(last))
			g.write(w)
			g.rows = nil
		}
	}
	for _, m := range p.Masks {
		if m.Decision == rules.Keep || m.Decision == rules.Derived {
			continue
		}
		if name := m.Table.String(); name != last {
			flush()
			last = name
		}
		if m.Decision == rules.Undecided {
			g.add(m.Column, m.Type, "UNDECIDED", "")
			continue
		}
		why := m.At.String()
		if m.By == rules.ByReference {
			why = "as " + m.Via
		}
		g.add(m.Column, m.Type, m.Mask, why)
	}
	flush()
	fmt.Fprintf(w, "  kept columns, with their reasons: understudy rules list\n")
}

func warnings(w io.Writer, fs []finding.Finding) {
	var out []finding.Finding
	for _, f := range fs {
		if f.Severity != finding.Error {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return
	}
	fmt.Fprintf(w, "\nTo look at: %d\n", len(out))
	g := grid{indent: 2}
	for _, f := range out {
		where := f.Table
		if f.Column != "" {
			where += "." + f.Column
		}
		if where == "" {
			where = f.At.String()
		}
		g.add(where, f.Message)
	}
	g.write(w)
}

// Run writes what a refresh did, below its plan.
func Run(w io.Writer, r *pipeline.Report) {
	fmt.Fprintf(w, "\nGeneration %s: %s rows, %s, in %s\n", r.Generation, Number(r.TotalRows), Bytes(r.Bytes), r.Finished.Sub(r.Started).Round(1e7))
	Verdicts(w, r.Verification)
	var parts []string
	for _, t := range r.Timings {
		parts = append(parts, fmt.Sprintf("%s %.1f s", t.Stage, t.Seconds))
	}
	fmt.Fprintf(w, "  %s\n", strings.Join(parts, ", "))
}

// Verdicts sums proofs up by kind and lists those that did not pass.
func Verdicts(w io.Writer, vs []check.Verdict) {
	type tally struct{ passed, all int }
	var order []string
	by := map[string]*tally{}
	for _, v := range vs {
		t := by[v.Check]
		if t == nil {
			t = &tally{}
			by[v.Check] = t
			order = append(order, v.Check)
		}
		t.all++
		if v.Outcome == check.Passed {
			t.passed++
		}
	}
	fmt.Fprintf(w, "Proofs\n")
	g := grid{indent: 2, right: map[int]bool{1: true}}
	for _, name := range order {
		t := by[name]
		verdict := "all passed"
		if t.passed < t.all {
			verdict = fmt.Sprintf("%d did NOT pass", t.all-t.passed)
		}
		g.add(name, fmt.Sprint(t.all), verdict)
	}
	g.write(w)
	g = grid{indent: 4}
	for _, v := range vs {
		if v.Outcome != check.Passed {
			where := ""
			if v.Table.Table != "" {
				where = v.Table.String()
			}
			g.add(string(v.Outcome), where, v.Detail)
		}
	}
	g.write(w)
}
