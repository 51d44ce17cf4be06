package report

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"understudy/internal/check"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/plan"
	"understudy/internal/rules"
)

// pageText is the page's template: structure and style in one file, no script,
// nothing from elsewhere.
//
//go:embed page.html
var pageText string

// HTML writes the page as one file that stands alone: it loads nothing, runs
// nothing, follows the reader's light or dark, folds up on a phone and prints.
func HTML(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"v":      func(s string) string { return visible(s, false) },
		"code":   func(s string) string { return strings.TrimRight(visible(s, true), "\n") },
		"number": func(n int) string { return Number(int64(n)) },
		"many":   many,
		"why":    why, "words": maskWords,
		"pieces":    pieces,
		"moment":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"of":        func(n map[rules.Outcome]int, o string) int { return n[rules.Outcome(o)] },
		"changed":   changed,
		"score":     func(f any) string { return scoreOf(f) },
		"grave":     func(e parity.Effect) string { return string(gravity(e)) },
		"effect":    effectWords,
		"told":      history,
		"migrated":  migrationWords,
		"remaining": remaining,
		"waived": func(r *parity.Report) []parity.Difference {
			return slices.DeleteFunc(slices.Clone(r.Differences), parity.Difference.Open)
		},
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, sheet{Page: p, Caution: Caution, Title: p.title(), Verdict: p.verdict(), Tone: p.tone(), Masking: p.masking(),
		Facts: p.facts(), Notes: groups(p.findings()), Rows: p.rowLines(), Columns: p.columnsByTable(), Drifts: p.drifts(),
		Proofs: p.proofs(), Missed: p.missed(), Laps: p.laps(), About: p.about()})
}

// sheet is a page as the template wants it.
type sheet struct {
	Page
	Caution, Title, Verdict string
	Tone                    tone
	Masking                 bool
	Facts                   []fact
	Notes                   []grouped
	Rows                    []rowLine
	Columns                 []tableColumns
	Drifts                  []drift
	Proofs                  []proofKind
	Missed                  []check.Verdict
	Laps                    []lap
	About                   [][2]string
}

// Fragments are the pieces of SQL from the job.
func (s sheet) Fragments() []plan.Fragment {
	if s.Plan == nil {
		return nil
	}
	return s.Plan.Fragments
}

// Orphans tell what becomes of rows whose parent is missing.
func (s sheet) Orphans() []orphanLine {
	if s.Plan == nil {
		return nil
	}
	return orphanLines(s.Plan)
}

// Worst is the severity of the gravest finding.
func (s sheet) Worst() finding.Severity {
	if len(s.Notes) == 0 {
		return finding.Note
	}
	return s.Notes[0].Severity
}

func (p Page) title() string {
	switch p.Command {
	case "refresh", "demo":
		return "Refresh"
	case "parity":
		return "Parity"
	}
	return "Plan"
}

// about lists what the plan was made of, for the page's end.
func (p Page) about() [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	if p.Plan != nil {
		add("Run", p.Plan.RunID)
		add("Instant", p.Plan.Now.UTC().Format("2006-01-02 15:04:05 UTC")+", which now() means in the job's conditions")
		add("From", p.Plan.Source)
		add("To", p.Plan.Target)
		add("Schemas", strings.Join(p.Plan.Schemas, ", "))
		switch p.Plan.Structure {
		case "source":
			add("Structure", "production's, for the target has none")
		case "target":
			add("Structure", "the target's own")
		}
		if p.Plan.Moment != "" {
			add("Moment", p.Plan.Moment)
		}
		add("Switch", p.Plan.Mechanism)
		add("Key", p.Plan.KeyFingerprint+" (its fingerprint; the key stands nowhere)")
		add("Fakes", "lists "+p.Plan.Pools+": with the key and the rules they decide every fake")
		for _, side := range p.Plan.Insecure {
			add("Transport", "the "+side+" is reached without verified TLS, as its URL asks")
		}
		for _, l := range p.Plan.Leftovers {
			add("Leftover", l+": will be cleared")
		}
	}
	if p.Run != nil {
		add("Generation", p.Run.Generation)
	}
	add("Program", "understudy "+p.Version)
	return out
}

// scoreOf writes a score, or one that may be absent.
func scoreOf(f any) string {
	switch f := f.(type) {
	case float64:
		return Score(f)
	case *float64:
		return Score(*f)
	}
	return ""
}

// gravity is the colour of an effect.
func gravity(e parity.Effect) tone {
	switch e {
	case parity.BreaksLoad, parity.LosesData, parity.ApplicationFails:
		return bad
	case parity.Cosmetic:
		return ""
	}
	return warn
}

// changed puts what a difference is into words.
func changed(d parity.Difference) string {
	if d.Detail != "" {
		return d.Change + ", " + d.Detail
	}
	return d.Change
}

// sides counts objects of both structures: one number where they are equal.
func sides(c parity.Count) string {
	if c.Source == c.Target {
		return Number(int64(c.Source))
	}
	return Number(int64(c.Source)) + " / " + Number(int64(c.Target))
}
