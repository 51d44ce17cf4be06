package subset

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Options say how Select works; none of them changes which rows are chosen,
// except Sample and Now.
type Options struct {
	// Readers is how many Finds run at once; less than 1 means 1.
	Readers int
	// Sample makes a keyed hash over the canonical text of a table's key, for
	// percent and limit. Each function it returns is used by one goroutine.
	// It may be nil if no seed samples.
	Sample func(table schema.Name) func(value []byte) uint64
	// Now is the run's instant, for now() in fragments.
	Now time.Time
	// Trace remembers which step brought in which rows; Why sets it.
	Trace bool
	// Progress is told after each batch, from one goroutine; it may be nil.
	Progress func(Progress)
}

// Progress is how far Select has come.
type Progress struct {
	Rows  int64 // pulled up to now
	Finds int64 // finished
}

// A Selection is which rows come along.
type Selection struct {
	// Tables has every table of the schema, in its order.
	Tables []Table
	// Findings warn of references without an index that needed scans, and of
	// keys that lead nowhere where that is allowed.
	Findings []finding.Finding
	// Rows counts the rows of all tables whose Count is known.
	Rows int64

	steps []step // with Options.Trace
	nodes []*node
}

// A Table is what comes along of one table.
type Table struct {
	Table schema.Name
	// Whole: every row, so that it can be read without naming rows.
	Whole bool
	// Rows are the chosen rows; nil for a Whole table whose rows were not looked at.
	Rows *roaring64.Bitmap
	// Count is the number of chosen rows; -1 where a Whole table was not counted.
	Count int64
	// Reason says in a few words why these rows, without any value.
	Reason string
	// Unreached: no edge leads here from the seeds.
	Unreached bool
}

// Find gives a table's part of the selection; nil if the schema had no such table.
func (s *Selection) Find(n schema.Name) *Table {
	i, ok := slices.BinarySearchFunc(s.Tables, n, func(t Table, n schema.Name) int { return t.Table.Compare(n) })
	if !ok {
		return nil
	}
	return &s.Tables[i]
}

// Select computes the closure of the spec's seeds over the references of s, in
// the snapshot. Its outcome does not depend on Readers or on the order in which
// the snapshot answers. It leaves no goroutine behind.
//
// Parents in a table that is Whole are not asked for, so a key that leads to no
// row of one is not found here but where the target proves its references.
//
// It fails with a fault: Usage if a row is needed from a table that is none,
// Integrity if a reference that must hold leads nowhere, Refused past the
// budget. Errors of the snapshot come back as they are.
func Select(ctx context.Context, snap engine.Snapshot, s *schema.Schema, spec *Spec, opts Options) (*Selection, error) {
	c := newClosure(snap, s, spec, opts)
	if spec.Whole {
		return c.selection(), nil
	}
	if err := c.choose(ctx); err != nil {
		return nil, err
	}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	if err := c.judge(ctx); err != nil {
		return nil, err
	}
	return c.selection(), nil
}

// selection puts the finished closure into the form callers read.
func (c *closure) selection() *Selection {
	out := &Selection{Findings: c.findings}
	if c.opts.Trace {
		out.steps, out.nodes = c.steps, c.nodes
	}
	for _, n := range c.nodes {
		t := Table{Table: n.table.Name, Whole: n.mode == whole, Count: n.count, Unreached: n.unreached, Reason: n.reason}
		if n.mode != whole {
			t.Rows = roaring64.Or(&n.down, &n.up)
			t.Rows.RunOptimize()
			t.Count = int64(t.Rows.GetCardinality())
			t.Whole = n.complete
		}
		if t.Reason == "" {
			t.Reason = n.why()
		}
		if t.Count > 0 {
			out.Rows += t.Count
		}
		out.Tables = append(out.Tables, t)
	}
	for _, e := range c.edges {
		if e.scanned {
			out.Findings = append(out.Findings, scanFinding(e, e.ref.From, e.ref.Columns))
		}
	}
	for _, t := range c.targets {
		if t.scanned {
			out.Findings = append(out.Findings, scanFinding(t.edges[0], t.node.table.Name, t.columns))
		}
	}
	finding.Sort(out.Findings)
	return out
}

// why gives the reason of a partial table from what led to its rows. It uses
// only what does not depend on the order of the work.
func (n *node) why() string {
	var parts []string
	if n.seeded {
		parts = append(parts, "seed")
	}
	for _, e := range n.out {
		if e.found > 0 {
			parts = append(parts, "reached from "+edgeName(e.ref))
		}
	}
	asParents := n.up.GetCardinality() > n.up.AndCardinality(&n.down)
	for _, e := range n.in {
		if asParents && e.needs > 0 {
			parts = append(parts, "needed by "+edgeName(e.ref))
		}
	}
	if len(parts) > 4 {
		parts = append(parts[:3], many(int64(len(parts)-3), "more edge"))
	}
	text := strings.Join(parts, "; ")
	if n.unreached {
		lead := "no edge leads here"
		if n.large {
			lead += ", more than " + many(SmallRows, "row")
		}
		if text == "" {
			return lead + ": empty"
		}
		return lead + ": only rows that are " + text
	}
	if text == "" {
		return "no row is reached"
	}
	return text
}

func scanFinding(e *edge, table schema.Name, columns []string) finding.Finding {
	return finding.Finding{Check: "subset-scan", Severity: finding.Warning, Table: table.String(), Column: strings.Join(columns, ", "),
		Message: "no index leads with these columns, so the table was scanned to follow " + edgeName(e.ref),
		Hint:    "an index on them makes the selection cheaper"}
}
