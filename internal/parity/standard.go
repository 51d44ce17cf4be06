package parity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// A Standard is what a job demands of parity.
type Standard struct {
	Minimum   *float64 // the least score; nil demands none
	MinimumAt finding.At
	Critical  []Critical
	Waivers   []Waiver
	WaiversAt finding.At // of the line that names their file
}

// A Critical is a table that must be equal on both sides.
type Critical struct {
	Table string // as the job writes it
	At    finding.At
}

// Judge holds the report against a standard. It waives what may be waived, gives
// the score anew, and finds the gates that said no (code 1) and the names that are
// no table (code 2). It is called once.
func (r *Report) Judge(s Standard, now time.Time) []finding.Finding {
	var found []finding.Finding
	r.waive(s.Waivers, now)
	r.score()
	gate := func(name string, at finding.At, passed bool, hint, format string, args ...any) {
		g := Gate{Gate: name, At: at, Passed: passed, Detail: fmt.Sprintf(format, args...)}
		r.Gates = append(r.Gates, g)
		if !passed {
			found = append(found, finding.Finding{Check: "parity-" + name, Severity: finding.Error, At: at, Code: int(fault.Gate), Message: g.Detail, Hint: hint})
		}
	}
	if s.Minimum != nil {
		r.Minimum = s.Minimum
		gate("minimum", s.MinimumAt, r.Score >= *s.Minimum, "`understudy parity` lists what differs, with the SQL that closes it; a waiver lets one pass until a day",
			"the parity score is %s, the job wants at least %s", number(r.Score), number(*s.Minimum))
	}
	tables := r.tables()
	for _, c := range s.Critical {
		table, problem, hint := resolve(c.Table, tables)
		if problem != "" {
			found = append(found, finding.Finding{Check: "parity-critical", Severity: finding.Error, At: c.At, Code: int(fault.Usage), Message: problem, Hint: hint})
			continue
		}
		n, waived := 0, 0
		for _, d := range r.Differences {
			switch {
			case d.Table != table:
			case d.Open():
				n++
			default:
				waived++
			}
		}
		detail := fmt.Sprintf("%s is critical and equal on both sides", table)
		switch {
		case n > 0:
			detail = fmt.Sprintf("%s is critical and differs: %s", table, many(n, "difference"))
		case waived > 0:
			detail = fmt.Sprintf("%s is critical and differs as waivers let it: %s", table, many(waived, "difference"))
		}
		gate("critical", c.At, n == 0, "`understudy parity` lists them, with the SQL that closes each", "%s", detail)
	}
	for _, w := range r.Waivers {
		switch w.Outcome {
		case "expired":
			gate("waivers", w.At, false, "close the difference, or renew the waiver with its owner's word", "a waiver of %s expired on %s (%s, %s)", w.about(), w.Expires, w.Owner, w.Ticket)
		case "unused":
			hint := "take it out, so that it hides nothing later"
			if i := slices.IndexFunc(r.Differences, func(d Difference) bool { return w.Object != "" && strings.HasPrefix(d.Object, w.Object+".") }); i >= 0 {
				hint = "what differs there is a part of it: name that, as in object: " + r.Differences[i].Object
			}
			found = append(found, finding.Finding{Check: "parity-waivers", Severity: finding.Warning, At: w.At, Message: "a waiver matches no difference: " + w.about(), Hint: hint})
		}
	}
	return found
}

// Blind tells, where gates were asked for and all of them passed, that something
// was not seen: what nobody saw may differ. It is a warning; whoever was asked for
// the gates alone has not measured them (code 7). What is never compared counts for
// nothing there.
func (r *Report) Blind() []finding.Finding {
	hidden := slices.DeleteFunc(slices.Clone(r.Unseen), func(u string) bool { return slices.Contains(r.never, u) })
	if len(r.Gates) == 0 || len(hidden) == 0 || slices.ContainsFunc(r.Gates, func(g Gate) bool { return !g.Passed }) {
		return nil
	}
	return []finding.Finding{{Check: "parity-unseen", Severity: finding.Warning,
		Message: "the gates passed on what could be seen; not seen: " + strings.Join(hidden, "; "),
		Hint:    "grant the reading roles what is named here, and what is hidden is compared as well"}}
}

// about names what a waiver is for.
func (w Waived) about() string {
	if w.Object != "" {
		return w.Object
	}
	return w.ID
}

// tables lists the names that `critical` may mean.
func (r *Report) tables() []string { return slices.Clone(r.names) }

// resolve finds the table that a job's text means; a name without a schema must be unique.
func resolve(text string, tables []string) (table, problem, hint string) {
	parts, err := schema.ParseName(text)
	if err != nil {
		return "", "this is not a name", "write table or schema.table"
	}
	var hits, near []string
	for _, t := range tables {
		have, err := schema.ParseName(t)
		if err != nil {
			continue
		}
		if slices.Equal(have, parts) || len(parts) == 1 && have[len(have)-1] == parts[0] {
			hits = append(hits, t)
		}
		near = append(near, t, schema.Ident(have[len(have)-1]))
	}
	switch len(hits) {
	case 1:
		return hits[0], "", ""
	case 0:
		return "", fmt.Sprintf("neither side has a table %s%s", text, schema.DidYouMean(text, near)), "write table or schema.table as production names it"
	}
	return "", text + " may mean " + strings.Join(hits, " or "), "write the schema before it"
}

// number writes a score without needless digits.
func number(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
