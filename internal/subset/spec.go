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
	Reached   Rows = ""     // those that are reached, within Where
	AllRows   Rows = "all"  // every row; not followed down
	NoneAtAll Rows = "none" // structure only
)

// A Rule is what the job says about one table.
type Rule struct {
	Table   *schema.Table
	Rows    Rows
	Where   string // for rows reached downward; never for a needed parent
	At      finding.At
	WhereAt finding.At
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
	for _, f := range s.Follow {
		if f.Name == r.Name && f.String() == r.String() {
			return true
		}
	}
	return false
}

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
	}
	return out
}

// edgeName names a reference as the job file does: table.column, or table.(a, b).
func edgeName(r schema.Reference) string {
	if len(r.Columns) == 1 {
		return r.From.String() + "." + schema.Ident(r.Columns[0])
	}
	text := r.From.String() + ".("
	for i, c := range r.Columns {
		if i > 0 {
			text += ", "
		}
		text += schema.Ident(c)
	}
	return text + ")"
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
