// Package parity turns the comparison of two catalogs into the parity report:
// what differs, what would close it, what was compared, and what could not be
// seen. It opens nothing and judges nothing yet: there is no score.
package parity

import (
	"context"

	"understudy/internal/catalog"
)

// A Report is the outcome of comparing two structures. Its JSON is part of the contract.
type Report struct {
	// Score and Minimum are nil until a score is given: an absent score is not a score of nought.
	Score       *float64     `json:"score,omitempty"`
	Minimum     *float64     `json:"minimum,omitempty"`
	Differences []Difference `json:"differences"`
	Compared    []Count      `json:"compared"`
	// Unseen says what was not compared and why; it never counts as equal.
	Unseen []string `json:"unseen"`
}

// A Difference is one object that is not the same on both sides.
type Difference struct {
	Kind   string `json:"kind"`
	Object string `json:"object"`
	Table  string `json:"table,omitempty"` // schema.table that it belongs to
	// Change is "missing in target", "extra in target" or "different".
	Change string `json:"change"`
	// Detail says which parts differ, where that can be told in a line.
	Detail string `json:"detail,omitempty"`
	// Effect, Cause and Waived are left out until they are judged.
	Effect string `json:"effect,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Waived string `json:"waived,omitempty"` // the reason it was waived for
	// SQL would make the target as the source. It is for reading and is never run.
	SQL string `json:"sql,omitempty"`
	// Destructive: the statement takes something away.
	Destructive bool `json:"destructive,omitempty"`
}

// A Count is how many objects of a kind each side has.
type Count struct {
	Kind   string `json:"kind"`
	Source int    `json:"source"`
	Target int    `json:"target"`
}

// Make compares two catalogs. Names maps schemas of the source to those of the
// target, where they are called differently.
func Make(ctx context.Context, source, target *catalog.Catalog, names map[string]string) (*Report, error) {
	c, err := catalog.Compare(ctx, source, target, names)
	if err != nil {
		return nil, err
	}
	r := &Report{Differences: []Difference{}, Compared: []Count{}, Unseen: append([]string{}, c.Unseen...)} // [] in JSON, never null
	for _, d := range c.Differences {
		r.Differences = append(r.Differences, Difference{Kind: d.Kind, Object: d.Object, Table: d.Table, Change: d.Change, Detail: d.Detail,
			SQL: d.SQL, Destructive: d.Destructive})
	}
	for _, n := range c.Compared {
		r.Compared = append(r.Compared, Count(n))
	}
	return r, nil
}
