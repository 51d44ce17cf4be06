package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"understudy/internal/check"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// A Page is all that the HTML and the Markdown form tell of a command: its
// outcome and whatever it came to know before it ended. Nothing in it is a row's value.
type Page struct {
	Command string // plan, refresh, parity
	Code    fault.Code
	Version string // of the program
	Ended   time.Time
	// Plan, Run and Parity are nil as far as the command did not come to them; a
	// run has its plan, a plan its parity.
	Plan   *plan.Plan
	Run    *pipeline.Report
	Parity *parity.Report
	// Findings are all of them, those of the plan included; one that is told twice is shown once.
	Findings []finding.Finding
}

// Caution stands on every page that tells of masked data.
const Caution = "The outcome is pseudonymised, not anonymous: by the GDPR (article 4(5), recital 26) it remains personal data. " +
	"Whoever has the key, or knows enough from elsewhere, can link rows to people."

// tone is how good an outcome is, for colours.
type tone string

const (
	good tone = "good"
	warn tone = "warn"
	bad  tone = "bad"
)

// tone judges the page as a whole.
func (p Page) tone() tone {
	switch p.Code {
	case fault.Done:
		return good
	case fault.Unmeasured, fault.LaterFailed:
		return warn
	}
	return bad
}

// verdict says in a sentence what came of the command.
func (p Page) verdict() string {
	differences := 0
	if p.Parity != nil {
		differences = len(p.Parity.Differences)
	}
	switch {
	case p.Code == fault.Bug:
		return "understudy has a bug; the findings say where"
	case p.Code == fault.Interrupted:
		return "Interrupted; staging is unchanged"
	case p.Command == "parity" && p.Parity != nil && p.Code == fault.Done && differences == 0:
		return "No difference between production and staging"
	case p.Command == "parity" && p.Parity != nil && p.Code == fault.Done:
		return many(differences, "difference") + " between production and staging"
	case p.Command == "parity" && p.Parity != nil:
		return many(differences, "difference") + "; " + because(p.Code)
	case p.Command == "parity":
		return "The structures were not compared: " + because(p.Code)
	case p.Command == "plan" && p.Code == fault.Done:
		return "Nothing stands against a refresh"
	case p.Command == "plan":
		return "A refresh would stop: " + because(p.Code)
	case p.Code == fault.Done:
		return "Staging has a new generation, and every gate passed"
	case p.Code == fault.Unmeasured || p.Code == fault.LaterFailed:
		return "Staging has a new generation, but " + because(p.Code)
	}
	return "Staging is unchanged: " + because(p.Code)
}

// because is an exit code within a sentence.
func because(c fault.Code) string {
	if text := reasons[c]; text != "" {
		return text
	}
	return "it ended with " + c.Outcome()
}

// reasons are what exit codes mean for staging.
var reasons = map[fault.Code]string{
	fault.Gate:        "a gate said no",
	fault.Usage:       "configuration or rules are wrong",
	fault.Undecided:   "something has no decision",
	fault.Refused:     "it was refused for safety",
	fault.Integrity:   "a leak or an integrity failure was found",
	fault.Unavailable: "a database was unavailable, or changed underneath",
	fault.Unmeasured:  "something asked for was not measured",
	fault.LaterFailed: "a later step failed",
}

// masking tells whether the page is about masked data, not about structures alone.
func (p Page) masking() bool { return p.Plan != nil }

// fact is one figure of the page's head.
type fact struct {
	Label, Value, Note string
	Tone               tone
}

func (p Page) facts() []fact {
	var out []fact
	if p.Plan != nil && len(p.Plan.Tables) > 0 {
		copied, total := 0, Number(p.Plan.Rows())
		for _, t := range p.Plan.Tables {
			if t.Fate == plan.Copied {
				copied++
			}
		}
		if p.Plan.Uncounted() {
			if total = "≥ " + total; p.Plan.Rows() == 0 {
				total = "?"
			}
		}
		note := "in " + many(copied, "table")
		if p.Run != nil && p.Run.Bytes > 0 {
			note += ", " + Bytes(p.Run.Bytes)
		}
		out = append(out, fact{Label: "Rows", Value: total, Note: note})
	}
	if p.Plan != nil && len(p.Plan.Masks) > 0 {
		n := tally(p.Plan.Masks)
		f := fact{Label: "Masked columns", Value: Number(int64(n[rules.Mask])), Note: Number(int64(n[rules.Keep])) + " kept for a reason"}
		if open := n[rules.Undecided]; open > 0 {
			f.Note, f.Tone = Number(int64(open))+" undecided", bad
		}
		out = append(out, f)
	}
	if p.Run != nil && len(p.Run.Verification) > 0 {
		f := fact{Label: "Proofs", Value: Number(int64(len(p.Run.Verification))), Note: "all passed", Tone: good}
		excused := 0
		for _, v := range p.Run.Verification {
			if v.Excused > 0 {
				excused++
			}
		}
		if excused > 0 {
			f.Note = "all passed, " + Number(int64(excused)) + " with rows that the database excuses"
		}
		if missed := p.missed(); len(missed) > 0 {
			f.Note, f.Tone = Number(int64(len(missed)))+" did not pass", bad
			if !slices.ContainsFunc(missed, func(v check.Verdict) bool { return v.Outcome == check.Failed }) {
				f.Note, f.Tone = Number(int64(len(missed)))+" not measured", warn
			}
		}
		out = append(out, f)
	}
	if p.Parity != nil {
		n := len(p.Parity.Differences)
		f := fact{Label: "Differences", Value: Number(int64(n)), Note: "between the two structures"}
		f.Note = "parity score " + Score(p.Parity.Score)
		if n == 0 {
			f.Tone = good
		}
		out = append(out, f)
	}
	if p.Run != nil && !p.Run.Finished.IsZero() {
		out = append(out, fact{Label: "Time", Value: span(p.Run.Finished.Sub(p.Run.Started)), Note: "from start to switch"})
	}
	return out
}

// tally counts columns by what becomes of them.
func tally(ms []plan.Mask) map[rules.Outcome]int {
	n := map[rules.Outcome]int{}
	for _, m := range ms {
		n[counted(m)]++
	}
	return n
}

// counted is what a column counts as: documents that are masked by path are masked.
func counted(m plan.Mask) rules.Outcome {
	if m.Decision == rules.ByPath {
		return rules.Mask
	}
	return m.Decision
}

// findings gives each finding once, errors first, else in the order they were told.
func (p Page) findings() []finding.Finding {
	var out []finding.Finding
	seen := map[finding.Finding]bool{}
	for _, f := range p.Findings {
		f.Code = 0
		if !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	rank := map[finding.Severity]int{finding.Error: 0, finding.Warning: 1, finding.Note: 2}
	slices.SortStableFunc(out, func(a, b finding.Finding) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
	return out
}

// grouped is one message with all the places it is about.
type grouped struct {
	finding.Finding
	Places []string
}

// groups puts findings with one message and one hint together.
func groups(fs []finding.Finding) []grouped {
	var out []grouped
	for _, f := range fs {
		i := slices.IndexFunc(out, func(g grouped) bool {
			return g.Severity == f.Severity && g.Message == f.Message && g.Hint == f.Hint
		})
		if i < 0 {
			i, out = len(out), append(out, grouped{Finding: f})
		}
		place := f.At.String()
		if f.Table != "" {
			name := where(f)
			if place != "" {
				name += " (" + place + ")"
			}
			place = name
		}
		if place != "" {
			out[i].Places = append(out[i].Places, place)
		}
	}
	return out
}

// piece is a part of a hint: a sentence, or what stands in backquotes to be typed.
type piece struct {
	Text string
	Code bool
}

// pieces takes a hint apart, line by line; a backquote without its fellow stays.
func pieces(hint string) [][]piece {
	var out [][]piece
	for l := range strings.SplitSeq(strings.TrimRight(hint, "\n"), "\n") {
		var parts []piece
		texts := strings.Split(l, "`")
		if len(texts)%2 == 0 {
			texts = []string{l}
		}
		for i, text := range texts {
			if text != "" {
				parts = append(parts, piece{text, i%2 == 1})
			}
		}
		out = append(out, parts)
	}
	return out
}

// tableColumns is what becomes of one table's columns.
type tableColumns struct {
	Table string
	Count map[rules.Outcome]int
	Lines []plan.Mask
}

// columnsByTable groups the decisions by table and shortens their places to what
// follows the folder of the rules.
func (p Page) columnsByTable() []tableColumns {
	if p.Plan == nil {
		return nil
	}
	dir := folder(p.Plan.Masks)
	var out []tableColumns
	var last schema.Name
	for i, m := range p.Plan.Masks {
		if i == 0 || m.Table != last {
			last = m.Table
			out = append(out, tableColumns{Table: m.Table.String(), Count: map[rules.Outcome]int{}})
		}
		m.At.File = strings.TrimPrefix(m.At.File, dir)
		t := &out[len(out)-1]
		t.Count[counted(m)]++
		t.Lines = append(t.Lines, m)
		for _, path := range m.Paths {
			path.At.File = strings.TrimPrefix(path.At.File, dir)
			t.Lines = append(t.Lines, plan.Mask{Column: m.Column + " " + path.Path, Decision: path.Decision, Mask: path.Mask, Parameters: path.Parameters, Class: path.Class, Domain: path.Domain, Reason: path.Reason, At: path.At})
		}
	}
	return out
}

// why tells how a column came to its decision.
func why(m plan.Mask) string {
	switch {
	case m.Decision == rules.Undecided:
		return "no rule decides it: a run stops here"
	case m.Decision == rules.Derived:
		return "computed by the database"
	}
	text := m.Reason
	if m.Decision == rules.Mask {
		var parts []string
		if m.Class != "" {
			parts = append(parts, "class "+m.Class)
		}
		if m.Domain != m.Class {
			parts = append(parts, "domain "+m.Domain)
		}
		text = strings.Join(parts, ", ")
	}
	if m.Decision == rules.ByPath {
		text = "paths not named: " + string(m.Others)
		if met := unnamed(m); met != "" {
			text += "; " + met
		}
	}
	if m.Via != "" {
		text = strings.TrimPrefix(text+", as "+m.Via, ", ")
	}
	return text
}

// rowLine is a table's line of the plan, in words.
type rowLine struct {
	Table, Rows, Of, Why string
	// Share is the part of the source's rows that comes along, in percent; -1 unknown.
	Share int
}

func (p Page) rowLines() []rowLine {
	if p.Plan == nil {
		return nil
	}
	schemas := map[string]bool{}
	for _, t := range p.Plan.Tables {
		schemas[t.Table.Schema] = true
	}
	var out []rowLine
	for _, t := range p.Plan.Tables {
		l := rowLine{Table: t.Table.String(), Share: -1}
		l.Rows, l.Of = figures(t)
		l.Why = reason(t, len(schemas) == 1)
		if t.Of > 0 && t.Rows >= 0 && l.Rows != "own" {
			l.Share = int(min(100, (t.Rows*100+t.Of-1)/t.Of)) // one row of many still shows
		}
		out = append(out, l)
	}
	return out
}

// drift is what differs in one table.
type drift struct {
	Table string // "" for what stands beside the tables
	Lines []parity.Difference
}

func (p Page) drifts() []drift {
	if p.Parity == nil {
		return nil
	}
	var out []drift
	for _, g := range p.Parity.Groups() {
		t := drift{Table: g.Table}
		for _, d := range g.Differences {
			if d.Object != d.Table {
				d.Object = strings.TrimPrefix(d.Object, d.Table+".")
			} else {
				d.Object = "" // the heading says it
			}
			t.Lines = append(t.Lines, d)
		}
		out = append(out, t)
	}
	return out
}

// proofKind sums the proofs of one kind up.
type proofKind struct {
	Check       string
	Passed, All int
	Proofs      []check.Verdict
}

func (p Page) proofs() []proofKind {
	if p.Run == nil {
		return nil
	}
	var out []proofKind
	for _, v := range p.Run.Verification {
		i := slices.IndexFunc(out, func(k proofKind) bool { return k.Check == v.Check })
		if i < 0 {
			i, out = len(out), append(out, proofKind{Check: v.Check})
		}
		out[i].All++
		if v.Outcome == check.Passed {
			out[i].Passed++
		}
		out[i].Proofs = append(out[i].Proofs, v)
	}
	return out
}

// missed lists the proofs that did not pass, the failed ones first.
func (p Page) missed() []check.Verdict {
	var out []check.Verdict
	for _, o := range []check.Outcome{check.Failed, check.Unmeasured} {
		for _, k := range p.proofs() {
			for _, v := range k.Proofs {
				if v.Outcome == o {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// lap is how long a stage took, and which part of the whole, in percent.
type lap struct {
	Stage, Text string
	Share       int
}

// laps are the stages of a run, with the time before the first of them as planning.
func (p Page) laps() []lap {
	if p.Run == nil || len(p.Run.Timings) == 0 {
		return nil
	}
	var timings []pipeline.Timing
	sum := 0.0
	for _, t := range p.Run.Timings {
		sum += t.Seconds
	}
	whole := sum
	if !p.Run.Finished.IsZero() {
		if before := p.Run.Finished.Sub(p.Run.Started).Seconds() - sum; before > 0 {
			timings = append(timings, pipeline.Timing{Stage: "plan", Seconds: before})
			whole += before
		}
	}
	var out []lap
	for _, t := range append(timings, p.Run.Timings...) {
		l := lap{Stage: string(t.Stage), Text: span(time.Duration(t.Seconds * float64(time.Second)))}
		if whole > 0 {
			l.Share = int(t.Seconds * 100 / whole)
		}
		out = append(out, l)
	}
	return out
}
