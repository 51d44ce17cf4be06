package report

import (
	"fmt"
	"io"
	"strings"

	"understudy/internal/parity"
)

// Parity writes a parity report: score and gates, differences by table with what
// they do and the SQL that would close them, what is waived, what migrations say,
// then what was compared and what could not be seen.
func Parity(w io.Writer, r *parity.Report) {
	parityHead(w, r)
	differences(w, r, true)
	aside(w, r)
	compared(w, r)
}

// Drift writes the differences alone, each on a line, for a plan.
func Drift(w io.Writer, r *parity.Report) {
	parityHead(w, r)
	if len(r.Groups()) > 0 {
		fmt.Fprintf(w, "  (the SQL that would close them: understudy parity)\n")
	}
	differences(w, r, false)
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "  not seen: %s\n", wrap(line(u), Width-12, 12))
	}
}

// parityHead writes the figures.
func parityHead(w io.Writer, r *parity.Report) {
	text := "Parity: no difference found"
	if n := len(r.Differences); n > 0 {
		text = fmt.Sprintf("Parity: %s between production and staging", many(n, "difference"))
	}
	if r.Minimum != nil || len(r.Differences) > 0 {
		text += ", score " + Score(r.Score)
	}
	if r.Unexplained != nil {
		text += "; " + Score(*r.Unexplained) + " without what pending migrations explain"
	}
	if r.Minimum != nil {
		text += " (at least " + Score(*r.Minimum) + " is wanted)"
	}
	fmt.Fprintf(w, "%s\n", wrap(text, Width, 2))
	if len(r.Differences) == 0 {
		return
	}
	parts := []string{fmt.Sprintf("%s of %s alike", Number(int64(r.Tables.Alike)), many(r.Tables.Of, "table"))}
	for _, c := range r.ByEffect() {
		parts = append(parts, Number(int64(c.N))+" "+effectWords(c.Effect, c.N))
	}
	if n := r.WaivedDifferences(); n > 0 {
		parts = append(parts, Number(int64(n))+" waived")
	}
	fmt.Fprintf(w, "  %s\n", wrap(strings.Join(parts, ", "), Width-2, 2))
	if r.Since != nil {
		fresh := 0
		for _, d := range r.Differences {
			if d.New {
				fresh++
			}
		}
		fmt.Fprintf(w, "  since %s: %d new, %d gone, %d still there\n", r.Since.UTC().Format("2006-01-02 15:04 UTC"), fresh, len(r.Gone), len(r.Differences)-fresh)
	}
}

// Score writes a score: one digit behind the point unless it is whole.
func Score(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

// effectWords puts an effect behind a number.
func effectWords(e parity.Effect, n int) string {
	if n == 1 {
		if e == parity.Cosmetic {
			return "is cosmetic"
		}
		return string(e)
	}
	switch e {
	case parity.BreaksLoad:
		return "break the load"
	case parity.LosesData:
		return "lose data"
	case parity.ApplicationFails:
		return "would make an application fail"
	case parity.ChangesBehaviour:
		return "change behaviour"
	case parity.ChangesRehearsal:
		return "change a rehearsal's outcome"
	}
	return "are cosmetic"
}

func differences(w io.Writer, r *parity.Report, whole bool) {
	for _, g := range r.Groups() {
		name := g.Table
		if name == "" {
			name = "beside the tables"
		}
		fmt.Fprintf(w, "  %s\n", line(name))
		for _, d := range g.Differences {
			text := d.Kind
			if d.Object != d.Table {
				text += " " + strings.TrimPrefix(d.Object, d.Table+".")
			}
			text += ": " + changed(d)
			if !whole {
				text += " (" + string(d.Effect) + ")"
			}
			fmt.Fprintf(w, "    %s\n", wrap(line(text), Width-4, 6))
			if whole {
				fmt.Fprintf(w, "      %s\n", wrap(line(string(d.Effect)+": "+d.Why), Width-6, 8))
				if told := history(d); told != "" {
					fmt.Fprintf(w, "      %s\n", wrap(line(told), Width-6, 8))
				}
				closing(w, d)
			}
		}
	}
}

// history tells since when a difference stands and what brought it about.
func history(d parity.Difference) string {
	var parts []string
	switch {
	case d.New:
		parts = append(parts, "new")
	case d.Since != nil:
		parts = append(parts, "since "+d.Since.UTC().Format("2006-01-02"))
	}
	if d.Expected {
		parts = append(parts, "expected, it comes with "+d.Cause)
	} else if d.Cause != "" {
		parts = append(parts, d.Cause)
	}
	return strings.Join(parts, "; ")
}

// fewLines of a statement are shown: a text is for people, the file for their client.
const fewLines = 4

// closing writes the statement that would close a difference, marked when it takes something away.
func closing(w io.Writer, d parity.Difference) {
	if d.SQL == "" {
		return
	}
	mark := "+ "
	switch {
	case strings.HasPrefix(d.SQL, "--"): // words
		mark = "  "
	case d.Destructive:
		mark = "! "
	}
	lines := strings.Split(strings.TrimRight(Clean(d.SQL), "\n"), "\n")
	more := len(lines) - fewLines
	if more > 1 {
		lines = append(lines[:fewLines], fmt.Sprintf("-- and %d lines more: `understudy parity --sql FILE` writes them all", more))
	}
	for _, l := range lines {
		fmt.Fprintf(w, "      %s%s\n", mark, wrap(l, Width-8, 8))
		mark = "  "
	}
}

// aside writes what stands beside the open differences: what is waived, gone,
// told by migration tools, and asked for by gates.
func aside(w io.Writer, r *parity.Report) {
	if r.WaivedDifferences() > 0 {
		fmt.Fprintf(w, "  waived\n")
		for _, d := range r.Differences {
			if !d.Open() {
				fmt.Fprintf(w, "    %s\n", wrap(line(d.Kind+" "+d.Object+": "+d.Change+"; "+d.Waived), Width-4, 6))
			}
		}
	}
	for _, wv := range r.Waivers {
		if wv.Outcome != "used" {
			fmt.Fprintf(w, "  waiver %s: %s\n", wv.Outcome, wrap(line(wv.At.String()+" "+waiverSubject(wv)), Width-18, 4))
		}
	}
	for _, p := range r.Gone {
		fmt.Fprintf(w, "  gone: %s\n", wrap(line(p.Kind+" "+p.Object+", "+p.Change+" since "+p.Since.UTC().Format("2006-01-02")), Width-8, 8))
	}
	for _, m := range r.Migrations {
		fmt.Fprintf(w, "  %s\n", wrap(line(migrationWords(m)), Width-2, 4))
	}
	if p := r.Proof; p != nil {
		text := fmt.Sprintf("proof: %s ran on a copy of staging's structure, %d failed, %s", many(len(p.Applied), "closing statement"), len(p.Failed), remaining(p))
		fmt.Fprintf(w, "  %s\n", wrap(text, Width-2, 4))
		for _, f := range p.Failed {
			fmt.Fprintf(w, "    failed: %s\n", wrap(line(f.Object+": "+f.Reason), Width-12, 6))
		}
		if len(p.Reordered) > 0 {
			fmt.Fprintf(w, "    columns in another order: %s\n", wrap(line(strings.Join(p.Reordered, ", ")), Width-30, 6))
		}
		if len(p.Untried) > 0 {
			var list []string
			for _, d := range p.Untried {
				list = append(list, d.Kind+" "+d.Object)
			}
			fmt.Fprintf(w, "    not tried, for a copy has none of its own: %s\n", wrap(line(strings.Join(list, ", ")), Width-48, 6))
		}
		for _, d := range p.Remaining {
			fmt.Fprintf(w, "    remains: %s\n", wrap(line(d.Kind+" "+d.Object+", "+d.Change), Width-13, 6))
		}
	}
	for _, g := range r.Gates {
		mark := "passed"
		if !g.Passed {
			mark = "FAILED"
		}
		fmt.Fprintf(w, "  gate %s: %s\n", mark, wrap(line(g.Detail), Width-15, 4))
	}
}

// remaining tells what a proof left.
func remaining(p *parity.Proof) string {
	if len(p.Remaining) == 0 {
		if len(p.Untried) > 0 {
			return "nothing else differs then"
		}
		return "nothing differs then"
	}
	return many(len(p.Remaining), "difference") + " would remain"
}

func waiverSubject(w parity.Waived) string {
	if w.Object != "" {
		return w.Object
	}
	return w.ID
}

// migrationWords tells how two histories of one tool differ.
func migrationWords(m parity.Migrations) string {
	text := m.Tool + " (" + m.Table + "): "
	var parts []string
	if m.Heads && len(m.Ahead) > 0 && len(m.Behind) > 0 {
		text += "staging stands at " + strings.Join(m.Ahead, ", ") + ", production at " + strings.Join(m.Behind, ", ") + ", and which came first the tool does not tell"
		if len(m.Unfinished) > 0 {
			text += "; unfinished: " + strings.Join(m.Unfinished, ", ")
		}
		return text
	}
	if len(m.Ahead) > 0 {
		parts = append(parts, "staging is ahead by "+strings.Join(m.Ahead, ", "))
	}
	if len(m.Behind) > 0 {
		parts = append(parts, "staging is behind by "+strings.Join(m.Behind, ", "))
	}
	if len(m.Unfinished) > 0 {
		parts = append(parts, "unfinished: "+strings.Join(m.Unfinished, ", "))
	}
	if len(parts) == 0 {
		parts = append(parts, "both sides have had the same migrations")
	}
	return text + strings.Join(parts, "; ")
}

// mostKinds is how many kinds a text lists that nobody has anything of.
const mostKinds = 12

func compared(w io.Writer, r *parity.Report) {
	var parts []string
	for _, c := range r.Compared {
		if c.Source == 0 && c.Target == 0 {
			continue
		}
		n := fmt.Sprint(c.Source)
		if c.Source != c.Target {
			n += "/" + fmt.Sprint(c.Target)
		}
		parts = append(parts, c.Kind+" "+n)
	}
	var none []string
	for _, c := range r.Compared {
		if c.Source == 0 && c.Target == 0 {
			none = append(none, c.Kind)
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  compared: %s\n", wrap(strings.Join(parts, ", "), Width-12, 12))
	}
	if len(none) > mostKinds {
		fmt.Fprintf(w, "  on neither side: %d other kinds of objects (--json lists them)\n", len(none))
	} else if len(none) > 0 {
		fmt.Fprintf(w, "  on neither side: %s\n", wrap(strings.Join(none, ", "), Width-19, 19))
	}
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "  not seen: %s\n", wrap(line(u), Width-12, 12))
	}
}
