package parity

import (
	"fmt"
	"slices"
	"strings"

	"understudy/internal/catalog"
)

// Migrations tell what one tool's history holds on one side only. Its JSON is
// part of the contract.
type Migrations struct {
	Tool  string `json:"tool"`
	Table string `json:"table"` // the history's, in the source's names
	// Ahead were applied in staging only, Behind in production only. Of a tool that
	// keeps only where it stands they are these versions alone.
	Ahead  []string `json:"ahead"`
	Behind []string `json:"behind"`
	// Unfinished began and did not end; each says on which side.
	Unfinished []string `json:"unfinished,omitempty"`
	// Heads: the tool keeps only where it stands, so that of two versions it does not
	// tell which came first.
	Heads bool `json:"heads,omitempty"`
	// Applied in production, where the tool keeps it.
	applied []string
}

// migrations compares the histories of both sides, table by table. A history
// that only one side has is told as such, with all its versions.
func migrations(source, target *catalog.Catalog) []Migrations {
	var out []Migrations
	add := func(m Migrations) {
		m.Ahead, m.Behind = append([]string{}, m.Ahead...), append([]string{}, m.Behind...)
		out = append(out, m)
	}
	unfinished := func(side string, h catalog.History) (list []string) {
		for _, v := range h.Unfinished {
			list = append(list, v+" in "+side)
		}
		return list
	}
	for _, a := range source.Histories {
		m := Migrations{Tool: a.Tool, Table: a.Table.String(), applied: a.Versions, Heads: a.Head, Unfinished: unfinished("production", a)}
		i := slices.IndexFunc(target.Histories, func(h catalog.History) bool {
			return h.Tool == a.Tool && strings.EqualFold(h.Table.Table, a.Table.Table)
		})
		var b catalog.History
		if i >= 0 {
			b = target.Histories[i]
		}
		m.Unfinished = append(m.Unfinished, unfinished("staging", b)...)
		m.Ahead, m.Behind = without(b.Versions, a.Versions), without(a.Versions, b.Versions)
		if a.Head && b.Head && len(m.Ahead) == 1 && len(m.Behind) == 1 && number64(m.Ahead[0]) && number64(m.Behind[0]) {
			if catalog.CompareVersions(m.Ahead[0], m.Behind[0]) > 0 { // the later one says all
				m.Behind = nil
			} else {
				m.Ahead = nil
			}
		}
		add(m)
	}
	for _, b := range target.Histories {
		if !slices.ContainsFunc(source.Histories, func(h catalog.History) bool {
			return h.Tool == b.Tool && strings.EqualFold(h.Table.Table, b.Table.Table)
		}) {
			add(Migrations{Tool: b.Tool, Table: b.Table.String(), Ahead: b.Versions, Unfinished: unfinished("staging", b), Heads: b.Head})
		}
	}
	return out
}

// Pending gives those of a tool's migrations that staging has had and production has not.
func (m Migrations) Pending(all []catalog.Migration) []catalog.Migration {
	list := catalog.Pending(all, m.applied, m.Heads)
	return slices.DeleteFunc(list, func(p catalog.Migration) bool {
		return !slices.ContainsFunc(m.Ahead, func(v string) bool {
			c := catalog.CompareVersions(p.Version, v)
			return c == 0 || m.Heads && c < 0
		})
	})
}

// without gives the elements of a that b lacks.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(v string) bool { return slices.Contains(b, v) })
}

func number64(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// explain gives each difference the cause that histories suggest. Only a proof
// says which migration it was: see Prove.
func (r *Report) explain() {
	if len(r.Migrations) == 0 {
		return
	}
	var parts []string
	for _, m := range r.Migrations {
		if m.Heads && len(m.Ahead) > 0 && len(m.Behind) > 0 {
			parts = append(parts, fmt.Sprintf("%s stands at %s in staging and at %s in production", m.Tool, few(m.Ahead), few(m.Behind)))
			continue
		}
		if len(m.Ahead) > 0 {
			parts = append(parts, fmt.Sprintf("staging is ahead by %s %s", m.Tool, few(m.Ahead)))
		}
		if len(m.Behind) > 0 {
			parts = append(parts, fmt.Sprintf("staging is behind by %s %s", m.Tool, few(m.Behind)))
		}
	}
	cause := "unexplained: both sides have had the same migrations"
	if len(parts) > 0 {
		cause = "perhaps a migration: " + strings.Join(parts, "; ")
	}
	for i := range r.Differences {
		r.Differences[i].Cause = cause
	}
}

// few lists versions, of many the first and the last.
func few(list []string) string {
	if len(list) > 4 {
		return fmt.Sprintf("%s, %s, ... %s (%d)", list[0], list[1], list[len(list)-1], len(list))
	}
	return strings.Join(list, ", ")
}

// Account marks the differences that pending migrations bring about: those that
// are gone when the target is compared with production as it will be after them.
// Remaining is that comparison; which names the migrations. The score is told anew.
func (r *Report) Account(remaining *Report, which string) {
	left := make(map[string]bool)
	for _, d := range remaining.Differences {
		left[d.Kind+"\x00"+d.Object] = true
	}
	for i := range r.Differences {
		d := &r.Differences[i]
		if beyond(d.Kind, d.Object) {
			continue // a copy of the structure cannot tell
		}
		if left[d.Kind+"\x00"+d.Object] {
			d.Cause = "unexplained: it remains after " + which
		} else {
			d.Cause, d.Expected = which, true
		}
	}
	r.score()
}
