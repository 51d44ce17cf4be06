package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"understudy/internal/check"
	"understudy/internal/pipeline"
)

// Run writes what a refresh did, below its plan: the new generation, or, where
// there is none, the proofs that stopped it.
func Run(w io.Writer, r *pipeline.Report) {
	if r.Generation == "" {
		fmt.Fprintf(w, "\nNo new generation: the target is unchanged, after %s\n", span(r.Finished.Sub(r.Started)))
		if len(r.Verification) > 0 {
			Verdicts(w, r.Verification)
		}
		return
	}
	fmt.Fprintf(w, "\nGeneration %s: %s rows, %s, in %s\n", r.Generation, Number(r.TotalRows), Bytes(r.Bytes), span(r.Finished.Sub(r.Started)))
	var parts []string
	for _, t := range r.Timings {
		if t.Seconds >= 1 {
			parts = append(parts, fmt.Sprintf("%s %s", t.Stage, span(time.Duration(t.Seconds*float64(time.Second)))))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  %s\n", wrap(strings.Join(parts, ", "), Width-2, 2))
	}
	Verdicts(w, r.Verification)
}

// span writes a duration for people.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// Verdicts sums proofs up by kind and lists those that did not pass.
func Verdicts(w io.Writer, vs []check.Verdict) {
	type tally struct{ passed, all int }
	var order []string
	by := map[string]*tally{}
	failed, unmeasured, excused := 0, 0, 0
	for _, v := range vs {
		t := by[v.Check]
		if t == nil {
			t = &tally{}
			by[v.Check] = t
			order = append(order, v.Check)
		}
		t.all++
		switch v.Outcome {
		case check.Passed:
			t.passed++
			if v.Excused > 0 {
				excused++
			}
		case check.Unmeasured:
			unmeasured++
		default:
			failed++
		}
	}
	var parts []string
	for _, name := range order {
		t := by[name]
		text := fmt.Sprintf("%s %d", name, t.all)
		if t.passed < t.all {
			text = fmt.Sprintf("%s %d of %d", name, t.passed, t.all)
		}
		parts = append(parts, text)
	}
	verdict := "all passed"
	if excused > 0 {
		verdict = fmt.Sprintf("all passed, %d with rows that the database excuses", excused)
	}
	switch {
	case failed > 0:
		verdict = fmt.Sprintf("%d did NOT pass", failed)
	case unmeasured > 0:
		verdict = fmt.Sprintf("%d not measured", unmeasured)
	}
	fmt.Fprintf(w, "Proofs: %s, %s\n", Number(int64(len(vs))), verdict)
	if len(parts) > 0 {
		fmt.Fprintf(w, "  %s\n", wrap(strings.Join(parts, ", "), Width-2, 2))
	}
	g := grid{indent: 4}
	for _, v := range vs {
		if v.Outcome != check.Passed || v.Excused > 0 {
			where := ""
			if v.Table.Table != "" {
				where = v.Table.String()
			}
			outcome, detail := string(v.Outcome), v.Detail
			if v.Excused > 0 {
				outcome, detail = "excused", fmt.Sprintf("%s (%d here)", detail, v.Excused)
			}
			g.add(outcome, where, detail)
		}
	}
	g.write(w)
}
