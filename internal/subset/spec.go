// Package subset decides which rows come along: from the seeds down to all that
// hangs on them, from every pulled row up to all it references, to a fix point.
// It works on a schema and on one snapshot's Find, keeps keys in memory only,
// and writes nothing anywhere.
//
// Resolve turns the job's words into a Spec, Select computes the Selection, Why
// tells the chain that brought one row in or the edges that left it out.
package subset

import (
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// A Spec is the subset part of a job with every name resolved. It belongs to
// the schema it was resolved against and is not changed afterwards.
type Spec struct {
	// Whole copies every table; nothing else is set then.
	Whole bool
	Seeds []Seed
	// Rules are sorted by table; a table stands there once at most.
	Rules []Rule
	// Follow lists references that are also followed down from rows pulled as parents only.
	Follow []schema.Reference
	// Unreached is what becomes of tables to which no edge leads.
	Unreached Unreached
	// Orphans is what becomes of rows whose parent is missing; it holds for Whole as well.
	Orphans Orphans
	// Budget is the most rows that may be pulled; 0 means any number.
	Budget   int64
	BudgetAt finding.At
}

// Unreached says what becomes of a table to which no edge leads from the seeds.
type Unreached string

const (
	Small Unreached = "small" // whole up to SmallRows rows, else empty
	Empty Unreached = "empty" // only rows that other pulled rows need
	All   Unreached = "all"   // whole
)

// Orphans says what becomes of rows that lead to no row.
type Orphans string

const (
	Fail    Orphans = "fail"    // the selection fails; so does the zero value
	Drop    Orphans = "drop"    // they are left out, with all that hangs on them
	Nullify Orphans = "nullify" // they come along, and reference nothing
)

// mends tells whether rows whose parent is missing end the selection no more.
func (s *Spec) mends() bool { return s.Orphans == Drop || s.Orphans == Nullify }

// SmallRows is how many rows a table may have to be copied whole under Small.
const SmallRows = 10_000

// A Seed is where a subset begins: the rows that satisfy Where, of these the
// ones whose sample falls under Percent, of these the first Limit.
type Seed struct {
	Table   *schema.Table
	Where   string  // empty: every row
	Percent float64 // 0: not asked for
	Limit   int64   // 0: not asked for
	Order   string  // for Limit; empty: lowest sample first
	At      finding.At
	WhereAt finding.At
	OrderAt finding.At
}

// sampled tells whether the rows' keys decide which of them are taken.
func (s Seed) sampled() bool { return s.Limit != 0 || s.Percent != 0 && s.Percent < 100 }

// everything tells whether the seed takes all rows of its table.
func (s Seed) everything() bool { return s.Where == "" && !s.sampled() }

// Rows says what becomes of one table's rows whatever leads to it.
type Rows string

const (
	Reached   Rows = ""     // those that are reached, within Where and PerParent
	AllRows   Rows = "all"  // every row; not followed down
	NoneAtAll Rows = "none" // structure only
)

// A Rule is what the job says about one table.
type Rule struct {
	Table *schema.Table
	Rows  Rows
	Where string // for rows reached downward; never for a needed parent
	// PerParent keeps, of the rows that one parent row is followed down to and that
	// satisfy Where, the first so many by Order, then by key; 0 keeps all. A row
	// comes along if it is among the first of any parent.
	PerParent int64
	Order     string // for PerParent
	// By are the references along which PerParent counts, and the only ones along
	// which rows of Table come down then; none given means all.
	By               []schema.Reference
	At               finding.At
	WhereAt, OrderAt finding.At
}

// descends tells whether rows of Table come down along a reference of it.
func (r Rule) descends(ref schema.Reference) bool {
	return len(r.By) == 0 || slices.ContainsFunc(r.By, func(b schema.Reference) bool { return same(b, ref) })
}

// rule finds the rule of a table; the zero Rule if it has none.
func (s *Spec) rule(n schema.Name) Rule {
	for _, r := range s.Rules {
		if r.Table.Name == n {
			return r
		}
	}
	return Rule{}
}

// follows tells whether a reference is also followed down from parents.
func (s *Spec) follows(r schema.Reference) bool {
	return slices.ContainsFunc(s.Follow, func(f schema.Reference) bool { return same(f, r) })
}

func same(a, b schema.Reference) bool { return a.Name == b.Name && a.String() == b.String() }

// A Placed fragment is one with its place in the job file.
type Placed struct {
	engine.Fragment
	At finding.At
}

// Fragments lists every piece of SQL in the spec, in the order of the file's
// parts, so that the caller can have them accepted before Select uses them.
// subqueries is the job's allow_subqueries.
func Fragments(spec *Spec, subqueries bool) []Placed {
	var out []Placed
	add := func(t *schema.Table, text string, order bool, at finding.At) {
		if text != "" {
			out = append(out, Placed{engine.Fragment{Table: t, Text: text, Order: order, Subqueries: subqueries}, at})
		}
	}
	for _, s := range spec.Seeds {
		add(s.Table, s.Where, false, s.WhereAt)
		add(s.Table, s.Order, true, s.OrderAt)
	}
	for _, r := range spec.Rules {
		add(r.Table, r.Where, false, r.WhereAt)
		add(r.Table, r.Order, true, r.OrderAt)
	}
	return out
}

// edgeName names a reference as the job file does: table.column, or table.(a, b).
// One that holds on a condition may be one of several, so it says where it leads.
func edgeName(r schema.Reference) string {
	text := r.From.String() + "." + columnNames(r.Columns)
	if r.When != "" {
		text += " to " + r.To.String()
	}
	return text
}

// columnNames writes a reference's columns: a, or (a, b).
func columnNames(columns []string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = schema.Ident(c)
	}
	if len(names) == 1 {
		return names[0]
	}
	return "(" + strings.Join(names, ", ") + ")"
}

// both joins two conditions, of which each may be empty.
func both(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return "(" + a + ") AND (" + b + ")"
}

// leads is the verb for a number of things.
func leads(n int64) string {
	if n == 1 {
		return "leads"
	}
	return "lead"
}

// many writes a number of things: "1 row", "12,345 rows".
func many(n int64, thing string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		thing += "s"
	}
	return digits + " " + thing
}
