// Package parity turns the comparison of two catalogs into the parity report:
// what differs, what it may do, since when, what would close it, what was
// compared, what could not be seen, and a score. A job's standard (the least
// score, critical tables, waivers) judges it. Nothing here opens anything.
package parity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"understudy/internal/catalog"
	"understudy/internal/finding"
)

// A Report is the outcome of comparing two structures. Its JSON is part of the contract.
type Report struct {
	// Score is from 0 to 100, by the arithmetic that stands at (*Report).score.
	Score float64 `json:"score"`
	// Unexplained is the score without the differences that pending migrations
	// were proved to bring about; absent where there are none.
	Unexplained *float64 `json:"unexplained_score,omitempty"`
	// Minimum is what the job demands; nil where it demands nothing.
	Minimum *float64 `json:"minimum,omitempty"`
	// Tables tells how many tables are wholly alike, of those that either side has.
	Tables      Share        `json:"tables"`
	Differences []Difference `json:"differences"`
	Compared    []Count      `json:"compared"`
	// Unseen says what was not compared and why; it never counts as equal.
	Unseen []string `json:"unseen"`
	// Migrations tell what the tools' history tables hold on one side only.
	Migrations []Migrations `json:"migrations,omitempty"`
	// Waivers of the job's file, with what became of each.
	Waivers []Waived `json:"waivers,omitempty"`
	// Since is when the comparison before this one was made, and Gone what it
	// found that is no longer so; both are absent where nothing is known of one.
	Since *time.Time `json:"since,omitempty"`
	Gone  []Past     `json:"gone,omitempty"`
	// Proof of the closing statements, where it was asked for.
	Proof *Proof `json:"proof,omitempty"`
	// Gates that the job asked for.
	Gates []Gate `json:"gates,omitempty"`

	objects  int                     // that either side has
	names    []string                // of the tables of either side
	preamble string                  // of a file of statements
	client   func(sql string) string // see catalog.Dialect
	within   [2]string               // likewise
	apart    func(sql string) bool
	never    []string // of what was not seen: what never is
}

// A Share is a part of a whole.
type Share struct {
	Alike int `json:"alike"`
	Of    int `json:"of"`
}

// A Difference is one object that is not the same on both sides.
type Difference struct {
	// ID names the difference from one run to the next: the same object that
	// differs in the same way has the same one.
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Object string `json:"object"`
	Table  string `json:"table,omitempty"` // schema.table that it belongs to
	// Change is "missing in target", "extra in target" or "different".
	Change string `json:"change"`
	// Detail says which parts differ, where that can be told in a line.
	Detail string `json:"detail,omitempty"`
	// Effect is what it may do, and Why says why in a sentence.
	Effect Effect `json:"effect"`
	Why    string `json:"why"`
	// Cause is a migration that explains it, or what is known instead.
	Cause string `json:"cause,omitempty"`
	// Expected: pending migrations were proved to bring it about.
	Expected bool   `json:"expected,omitempty"`
	Waived   string `json:"waived,omitempty"` // the reason it was waived for
	// Since is when it was first seen, and New tells that the comparison before
	// this one did not have it. Both are absent where nothing is known of one.
	Since *time.Time `json:"since,omitempty"`
	New   bool       `json:"new,omitempty"`
	// SQL would make the target as the source. It is for reading and is never run.
	SQL string `json:"sql,omitempty"`
	// Destructive: the statement takes something away.
	Destructive bool `json:"destructive,omitempty"`

	objects, place int
}

// Open tells whether the difference counts: it is not waived.
func (d Difference) Open() bool { return d.Waived == "" }

// A Count is how many objects of a kind each side has.
type Count struct {
	Kind   string `json:"kind"`
	Source int    `json:"source"`
	Target int    `json:"target"`
}

// A Gate is one demand of the job and whether it holds.
type Gate struct {
	Gate   string     `json:"gate"` // minimum, critical, waivers
	At     finding.At `json:"at"`
	Passed bool       `json:"passed"`
	Detail string     `json:"detail"`
}

// Make compares two catalogs. Names maps schemas of the source to those of the
// target, where they are called differently.
func Make(ctx context.Context, source, target *catalog.Catalog, names map[string]string) (*Report, error) {
	c, err := catalog.Compare(ctx, source, target, names)
	if err != nil {
		return nil, err
	}
	r := &Report{Differences: []Difference{}, Compared: []Count{}, Unseen: append(append([]string{}, c.Unseen...), c.Never...), never: c.Never, preamble: c.Preamble, client: c.Client, within: c.Within, apart: c.Apart, objects: c.Objects, names: c.Tables} // [] in JSON, never null
	touched := make(map[string]bool)
	for _, d := range c.Differences {
		j := judge(d, c.LooseTypes)
		if sameRule(d, c.Differences) {
			j = ruleElse
		}
		r.Differences = append(r.Differences, Difference{ID: identify(d), Kind: d.Kind, Object: d.Object, Table: d.Table, Change: d.Change, Detail: d.Detail,
			Effect: j.effect, Why: j.why, SQL: d.SQL, Destructive: d.Destructive || d.SQL != "" && cuts(d, c.LooseTypes), objects: max(d.Objects, 1), place: d.Place})
		touched[d.Table] = true
	}
	for _, n := range c.Compared {
		r.Compared = append(r.Compared, Count(n))
	}
	for _, t := range c.Tables {
		if !touched[t] {
			r.Tables.Alike++
		}
		r.Tables.Of++
	}
	r.Migrations = migrations(source, target)
	r.explain()
	r.score()
	return r, nil
}

// identify makes a difference's ID: a hash of what differs, without the names
// of the target's objects, cut to 64 bits.
func identify(d catalog.Difference) string {
	h := sha256.New()
	for _, s := range []string{d.Kind, d.Object, d.Change, d.Detail} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Find gives the difference with an ID; nil if there is none.
func (r *Report) Find(id string) *Difference {
	for i := range r.Differences {
		if r.Differences[i].ID == id {
			return &r.Differences[i]
		}
	}
	return nil
}

// Counted is how many open differences have an effect.
type Counted struct {
	Effect Effect
	N      int
}

// ByEffect counts the differences that are not waived, the gravest effect first;
// effects that none has are left out.
func (r *Report) ByEffect() []Counted {
	var out []Counted
	for _, e := range Effects() {
		n := 0
		for _, d := range r.Differences {
			if d.Effect == e && d.Open() {
				n++
			}
		}
		if n > 0 {
			out = append(out, Counted{e, n})
		}
	}
	return out
}

// WaivedDifferences counts the differences that are waived.
func (r *Report) WaivedDifferences() int {
	n := 0
	for _, d := range r.Differences {
		if !d.Open() {
			n++
		}
	}
	return n
}

// A Group is what differs in one table, or beside the tables.
type Group struct {
	Table       string // "" beside the tables
	Differences []Difference
}

// Groups gives the open differences by table, the table with the gravest first,
// the gravest first in each.
func (r *Report) Groups() []Group {
	var out []Group
	for _, d := range r.Differences {
		if !d.Open() {
			continue
		}
		i := slices.IndexFunc(out, func(g Group) bool { return g.Table == d.Table })
		if i < 0 {
			i, out = len(out), append(out, Group{Table: d.Table})
		}
		out[i].Differences = append(out[i].Differences, d)
	}
	gravity := func(a, b Difference) int {
		return cmp.Compare(slices.Index(Effects(), a.Effect), slices.Index(Effects(), b.Effect))
	}
	for _, g := range out {
		slices.SortStableFunc(g.Differences, gravity)
	}
	slices.SortStableFunc(out, func(a, b Group) int { return gravity(a.Differences[0], b.Differences[0]) })
	return out
}
