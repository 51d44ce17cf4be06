// Package mask turns a value into a fake: deterministically, under a key, so
// that the same value of a domain becomes the same fake in every table, every
// run and every database. One file for each family of masks, one table of kinds
// (kinds.go), one place for keys (key.go). It is the home of gofakeit, which
// fills the pools that fakes are picked from; it knows no database.
//
// A fake is a function of the key, the domain, the value and the parameters.
// Nothing else has a part in it: no clock, no locale, no order of rows.
package mask

import (
	"cmp"

	"understudy/internal/schema"
)

// A Spec is a mask as a rule asks for it.
type Spec struct {
	Mask   string            `json:"mask"`   // a name from Kinds
	Params map[string]string `json:"params"` // as written; checked by Kind.Check
	Domain string            `json:"domain"` // values of one domain share their fakes
	Class  string            `json:"class"`  // what the data is
	// Fold: values that differ in case only are one value; Folding says in which letters.
	Fold    bool           `json:"fold,omitempty"`
	Folding schema.Folding `json:"folding,omitempty"`
}

// Limits is what the fakes of a domain must fit. Where several columns share a
// domain it is the intersection over them, fixed before the first row.
type Limits struct {
	Kind schema.Kind
	// Length in characters (bytes for Kind Bytes); 0 means none.
	Length int
	// Min and Max bound integers, inclusive; both 0 mean those of int64.
	Min, Max int64
	// Scale of decimals; -1 for any.
	Scale int
	// Unique: a column of the domain must stay unique, so fakes must not collide.
	Unique bool
	// NullsEqual: NULL counts as a value where the column must stay unique.
	NullsEqual bool
	// Overlap: an exclusion constraint compares the column's values by more than equality.
	Overlap bool
	// Rows is the largest number of distinct values expected, for the bound on
	// collisions; 0 means unknown (the source's whole row count is a safe bound).
	Rows int64
	// NotNull: no fake may be NULL.
	NotNull bool
	// Labels of an enum.
	Labels []string
	// Type is the column's own type as its engine writes it; it tells types of one
	// kind apart where a constant must fit (an address of a network from one of a card).
	Type string
	// LengthOf, RangeOf and UniqueOf name the column that sets Length, Min and Max,
	// and Unique; empty where nobody need be told, as where it is the masked one.
	LengthOf, RangeOf, UniqueOf string
}

// Alike gives the limits with all left out that changes no fake: two limits that
// are alike make the same mask.
func (l Limits) Alike() Limits {
	l.LengthOf, l.RangeOf, l.UniqueOf = "", "", ""
	if l.Rows > 1 {
		l.Rows = 1 + int64(bitsNeeded(l.Rows))
	}
	return l
}

// Named gives the limits with one column named for all that they demand.
func (l Limits) Named(column string) Limits {
	l.LengthOf, l.RangeOf, l.UniqueOf = column, column, column
	return l
}

// Otherwise names a column for what no other is named for.
func (l Limits) Otherwise(column string) Limits {
	l.LengthOf, l.RangeOf, l.UniqueOf = cmp.Or(l.LengthOf, column), cmp.Or(l.RangeOf, column), cmp.Or(l.UniqueOf, column)
	return l
}

// Beyond names no column for what a column of these own limits demands itself.
func (l Limits) Beyond(own Limits) Limits {
	if own.Length == l.Length {
		l.LengthOf = ""
	}
	if own.Min == l.Min && own.Max == l.Max {
		l.RangeOf = ""
	}
	if own.Unique || !l.Unique {
		l.UniqueOf = ""
	}
	return l
}

// A Kind describes one mask: what rule files, plans and audits say about it.
type Kind struct {
	Name    string
	Family  string        // people, places, ids, money, net, time, text, shape
	Class   string        // what the data is by nature; "" where a rule must say or the column decides
	Accepts []schema.Kind // column kinds it can mask
	Params  []Param
	// Injective: the mask can keep a unique column unique, by a permutation or by
	// a tag whose chance of a collision New has bounded below one in a million.
	Injective bool
	// Strength in one word for the audit: strong, linkable, weak.
	Strength string
	// Reversible by whoever has the key.
	Reversible bool
	Doc        string // one sentence
}

// A Param is a parameter of a mask.
type Param struct {
	Name     string
	Doc      string // one phrase, with the unit
	Default  string
	Required bool
	// List: a list of values, which Params holds as one line of CSV.
	List bool
}

// Intersect gives limits that fit both.
func (l Limits) Intersect(o Limits) Limits {
	out := l
	if o.Length > 0 && (l.Length == 0 || o.Length < l.Length) {
		out.Length, out.LengthOf = o.Length, o.LengthOf
	}
	if l.Min == 0 && l.Max == 0 {
		out.Min, out.Max, out.RangeOf = o.Min, o.Max, o.RangeOf
	} else if o.Min != 0 || o.Max != 0 {
		out.Min, out.Max = max(l.Min, o.Min), min(l.Max, o.Max)
		if o.Min > l.Min || o.Max < l.Max {
			out.RangeOf = o.RangeOf
		}
	}
	if o.Scale >= 0 && (l.Scale < 0 || o.Scale < l.Scale) {
		out.Scale = o.Scale
	}
	if out.Unique = l.Unique || o.Unique; !l.Unique {
		out.UniqueOf = o.UniqueOf
	}
	out.NullsEqual, out.Overlap = l.NullsEqual || o.NullsEqual, l.Overlap || o.Overlap
	out.Rows = max(l.Rows, o.Rows)
	out.NotNull = l.NotNull || o.NotNull
	return out
}
