package parity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"understudy/internal/catalog"
	"understudy/internal/fault"
	"understudy/internal/finding"
)

// A Proof tells what became of the closing statements when they were run on a
// copy of the target's structure. Its JSON is part of the contract.
type Proof struct {
	// Applied are the IDs of the differences whose statements ran, in the order in which they did.
	Applied []string `json:"applied"`
	// Failed are those whose statements the database refused.
	Failed []Unapplied `json:"failed"`
	// Remaining differences stood afterwards. None: the statements close all.
	Remaining []Past `json:"remaining"`
	// Reordered are tables whose columns stand in another order than production's
	// afterwards though they did not before: a column that is added, or made anew, stands
	// last, and no statement moves it. An order that differed before remains.
	Reordered []string `json:"reordered,omitempty"`
	// Untried are differences of what a copy does not have as its own: the database's
	// settings, owners, privileges by default. Nothing is told of them.
	Untried []Past `json:"untried,omitempty"`
}

// An Unapplied is a difference whose statement did not run, and why not; no row is in it.
type Unapplied struct {
	ID     string `json:"id"`
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Judge gives a finding (code 1) when the statements do not close everything.
func (p *Proof) Judge() []finding.Finding {
	if len(p.Remaining) == 0 && len(p.Failed) == 0 {
		return nil
	}
	if len(p.Remaining) == 0 {
		return []finding.Finding{{Check: "parity-proof", Severity: finding.Error, Code: int(fault.Gate), Hint: "`understudy parity --json` tells why under proof; take them out of the file",
			Message: fmt.Sprintf("nothing would differ after the closing statements, but %s failed", many(len(p.Failed), "statement"))}}
	}
	hint := "`understudy parity --json` lists them under proof: these are closed by hand"
	if len(p.Failed) > 0 {
		hint = "the statements that failed, and why, stand under proof"
	}
	return []finding.Finding{{Check: "parity-proof", Severity: finding.Error, Code: int(fault.Gate), Hint: hint,
		Message: fmt.Sprintf("after the closing statements %s would remain", many(len(p.Remaining), "difference"))}}
}

// Ordered gives the differences that have statements in the order in which these can
// run (see catalog.Difference.Place): in the one in which they did, if that was tried.
func (r *Report) Ordered() []Difference {
	var out []Difference
	for _, d := range r.Differences {
		if d.SQL != "" && !strings.HasPrefix(d.SQL, "--") {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return cmp.Compare(a.place, b.place) })
	if r.Proof != nil && len(r.Proof.Applied) > 0 { // in this order they did run; those that failed stand last
		ran := make([]Difference, 0, len(r.Proof.Applied))
		for _, id := range r.Proof.Applied {
			if d := r.Find(id); d != nil {
				ran = append(ran, *d)
			}
		}
		at := func(d Difference) int {
			if i := slices.IndexFunc(ran, func(o Difference) bool { return o.ID == d.ID }); i >= 0 {
				return 2*i + 1
			}
			if i := slices.IndexFunc(ran, func(o Difference) bool { return o.place > d.place }); i >= 0 && beyond(d.Kind, d.Object) { // it was not tried
				return 2 * i
			}
			return 2 * len(ran)
		}
		slices.SortStableFunc(out, func(a, b Difference) int { return cmp.Compare(at(a), at(b)) })
	}
	return out
}

// commented begins each line of a comment; a carriage return ends one as well (PostgreSQL's
// src/fe_utils/psqlscan.l).
var commented = strings.NewReplacer("\n", "\n-- ", "\r", "\r-- ")

// Script writes all closing statements in their order, those that take something
// away marked. It is for reading and for whoever runs it by hand.
func (r *Report) Script() string {
	var b strings.Builder
	b.WriteString("-- Statements that would make staging's structure as production's. understudy\n-- never runs them. Read them first: \"takes away\" marks what destroys something.\n")
	b.WriteString(r.preamble)
	open := func(s string) string { // a comment ends with its line, and steers no terminal
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
				return ' '
			}
			return r
		}, s)
	}
	inside := false
	turn := func(to bool) { // into a transaction, or out of it
		word := r.within[1]
		if to {
			word = r.within[0]
		}
		if inside != to && word != "" {
			b.WriteString("\n" + word + ";\n")
			inside = to
		}
	}
	for _, d := range r.Ordered() {
		failed := -1
		if r.Proof != nil {
			failed = slices.IndexFunc(r.Proof.Failed, func(u Unapplied) bool { return u.ID == d.ID })
		}
		if failed < 0 {
			turn(r.apart == nil || !r.apart(d.SQL))
		}
		b.WriteString("\n-- " + open(d.Kind+" "+d.Object+": "+d.Change))
		if d.Destructive {
			b.WriteString("; takes away")
		}
		if !d.Open() {
			b.WriteString("; waived")
		}
		if d.Expected {
			b.WriteString("; takes back what is expected: " + open(d.Cause))
		}
		if failed >= 0 {
			b.WriteString("; failed on the copy: " + open(r.Proof.Failed[failed].Reason))
		}
		sql := strings.TrimRight(d.SQL, "; \n") + ";\n"
		if r.client != nil {
			sql = r.client(sql)
		}
		if failed >= 0 && r.within[0] != "" { // it would take the others back
			sql = "-- " + commented.Replace(strings.TrimSuffix(sql, "\n")) + "\n"
		}
		b.WriteString("\n" + sql)
	}
	turn(false)
	var without []string
	for _, d := range r.Differences {
		if d.SQL == "" || strings.HasPrefix(d.SQL, "--") && !catalog.Together(d.SQL) {
			without = append(without, "--   "+open(d.Kind+" "+d.Object+": "+d.Change))
		}
	}
	if len(without) > 0 {
		b.WriteString("\n-- Nothing closes these by one statement:\n" + strings.Join(without, "\n") + "\n")
	}
	return b.String()
}

// beyond tells what belongs to the database or the server, which a copy of the
// structure does not have as its own.
func beyond(kind, object string) bool {
	switch kind {
	case "comment":
		return object == "database"
	case "database", "server", "setting", "role", "grant on a database", "owner", "subscription", "user mapping", "collation version", "event trigger", "default privilege", "security label":
		return true
	}
	return false
}

// Personal tells whether the difference's statement is about a role as much as about the
// database: to be allowed to run it tells nothing of the structure.
func (d Difference) Personal() bool { return d.Kind == "owner" || d.Kind == "default privilege" }

// misplaced tells whether the columns of a table stand in another order, whatever else
// differs in it.
func (r *Report) misplaced(table string) bool {
	return slices.ContainsFunc(r.Differences, func(d Difference) bool {
		return d.Kind == "table" && d.Object == table && slices.Contains(strings.Split(d.Detail, "; "), catalog.ColumnOrder)
	})
}

// Settle fills in what of another comparison still stands, as far as a copy of
// the structure can tell. Before is the comparison whose statements ran.
func (p *Proof) Settle(before, after *Report) {
	p.Remaining = []Past{}
	given := slices.ContainsFunc(before.Differences, func(d Difference) bool { return d.Kind == "default privilege" && d.SQL != "" })
	for _, d := range after.Differences {
		switch {
		case beyond(d.Kind, d.Object):
		case given && strings.HasPrefix(d.Kind, "grant") && before.Find(d.ID) == nil: // by what is not tried
			p.Untried = append(p.Untried, Past{ID: d.ID, Kind: d.Kind, Object: d.Object, Change: d.Change})
		case d.Kind == "table" && d.Detail == catalog.ColumnOrder && !before.misplaced(d.Object):
			p.Reordered = append(p.Reordered, d.Object)
		default:
			p.Remaining = append(p.Remaining, Past{ID: d.ID, Kind: d.Kind, Object: d.Object, Change: d.Change})
		}
	}
	// What no statement touched stands, though a copy may have no place for it.
	for _, d := range before.Differences {
		if beyond(d.Kind, d.Object) {
			p.Untried = append(p.Untried, Past{ID: d.ID, Kind: d.Kind, Object: d.Object, Change: d.Change})
		}
		if d.SQL != "" || beyond(d.Kind, d.Object) || after.Find(d.ID) != nil || slices.ContainsFunc(p.Applied, func(id string) bool {
			done := before.Find(id)
			return done != nil && (done.Object == d.Object || d.Table != "" && (done.Table == d.Table || done.Object == d.Table))
		}) {
			continue
		}
		p.Remaining = append(p.Remaining, Past{ID: d.ID, Kind: d.Kind, Object: d.Object, Change: d.Change})
	}
}
