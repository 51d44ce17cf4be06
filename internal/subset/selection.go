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
	// Orphans tells of each reference that rows were dropped or nullified for.
	Orphans []Orphan

	steps  []step // with Options.Trace
	nodes  []*node
	losses []*loss
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
	// Dropped counts the rows that would have come along, were they not orphans
	// or hung on one.
	Dropped int64
	// Nulls are the chosen rows that lose a key.
	Nulls []Nulls
}

// Find gives a table's part of the selection; nil if the schema had no such table.
func (s *Selection) Find(n schema.Name) *Table {
	i, ok := slices.BinarySearchFunc(s.Tables, n, func(t Table, n schema.Name) int { return t.Table.Compare(n) })
	if !ok {
		return nil
	}
	return &s.Tables[i]
}

// A Part is rows of one table that are read alike.
type Part struct {
	Rows []engine.RowID // ascending; nil: every row
	Null []string       // columns that are to be read as NULL
}

// Parts divides the chosen rows by what is read as NULL, the ordinary rows last.
func (t *Table) Parts() []Part {
	if t.Whole {
		return []Part{{}}
	}
	var out []Part
	rest := t.Rows
	for _, n := range t.Nulls {
		out = append(out, Part{n.Rows.ToArray(), n.Columns})
		rest = roaring64.AndNot(rest, n.Rows)
	}
	if !rest.IsEmpty() {
		out = append(out, Part{rest.ToArray(), nil})
	}
	return out
}

// Select computes the closure of the spec's seeds over the references of s, in
// the snapshot. Its outcome does not depend on Readers or on the order in which
// the snapshot answers. It leaves no goroutine behind.
//
// Parents in a table that is Whole are asked for only where the spec mends
// orphans or the job declares the reference; otherwise a key that leads to no row
// of one is not found here but where the target proves its references.
//
// Orphans that are dropped, and what hangs on them, are chosen as if they were
// not there, but they count for the limits of seeds and for PerParent.
//
// It fails with a fault: Usage if a row is needed from a table that is none,
// Integrity if a reference that must hold leads nowhere, Refused past the
// budget. Errors of the snapshot come back as they are.
func Select(ctx context.Context, snap engine.Snapshot, s *schema.Schema, spec *Spec, opts Options) (*Selection, error) {
	c := newClosure(snap, s, spec, opts)
	if spec.Whole && !slices.ContainsFunc(c.edges, c.minds) {
		return c.selection(ctx, &mourning{c: c})
	}
	if err := c.compute(ctx); err != nil {
		return nil, err
	}
	m, err := c.mourn(ctx)
	if err != nil {
		return nil, err
	}
	if len(m.dropped) > 0 {
		c = newClosure(snap, s, spec, opts)
		for n, rows := range m.dropped {
			c.node(n.table.Name).without = rows
		}
		if err := c.compute(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.judge(ctx, m.failures()); err != nil {
		return nil, err
	}
	return c.selection(ctx, m)
}

// compute runs the closure from its seeds to the fix point.
func (c *closure) compute(ctx context.Context) error {
	if err := c.choose(ctx); err != nil {
		return err
	}
	return c.run(ctx)
}

// selection puts the finished closure into the form callers read.
func (c *closure) selection(ctx context.Context, m *mourning) (*Selection, error) {
	out := &Selection{Findings: c.findings, Orphans: m.summary(), losses: m.losses}
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
		if n.seeded && t.Count == 0 {
			out.Findings = append(out.Findings, barren(n.table.Name))
		}
		if err := c.bury(ctx, n, m, &t); err != nil {
			return nil, err
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
	return out, nil
}

// barren tells of a table whose seeds matched no row: a condition that is
// mistyped would empty the target without a word.
func barren(table schema.Name) finding.Finding {
	return finding.Finding{Check: "subset-seed", Severity: finding.Warning, Table: table.String(),
		Message: "the seeds here match no row: nothing comes along because of them", Hint: "see whether where, percent and limit mean what they should"}
}

// bury writes into a table's part what became of its orphans. A whole table that
// lacks some is read by its rows.
func (c *closure) bury(ctx context.Context, n *node, m *mourning, t *Table) error {
	if n.without != nil {
		t.Dropped = int64(n.without.GetCardinality())
		t.Reason += "; " + many(t.Dropped, "orphan") + " dropped"
	}
	if t.Nulls = m.nulls(t.Table); len(t.Nulls) > 0 {
		rows := uint64(0)
		for _, p := range t.Nulls {
			rows += p.Rows.GetCardinality()
		}
		t.Reason += "; " + many(int64(rows), "orphan") + " nullified"
	}
	if !t.Whole || t.Dropped == 0 && len(t.Nulls) == 0 {
		return nil
	}
	t.Whole = false
	if t.Rows != nil {
		return nil
	}
	var err error
	if t.Rows, err = c.list(ctx, n); err == nil {
		t.Count = int64(t.Rows.GetCardinality())
	}
	return err
}

// why gives the reason of a partial table from what led to its rows. It uses
// only what does not depend on the order of the work.
func (n *node) why() string {
	var parts []string
	if n.seeded {
		parts = append(parts, "seed")
	}
	reached := false
	for _, e := range n.out {
		if e.found > 0 {
			parts, reached = append(parts, "reached from "+edgeName(e.ref)), true
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
	if bounds := n.rule.bounds(); reached && bounds != "" {
		parts = append(parts, bounds)
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

// bounds says in a few words which of the rows reached downward stay.
func (r Rule) bounds() string {
	var parts []string
	if r.Where != "" {
		parts = append(parts, "where it says so")
	}
	if r.PerParent > 0 {
		text := "at most " + many(r.PerParent, "row") + " per parent"
		if len(r.By) > 0 {
			text += " by " + columnNames(r.By[0].Columns)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func scanFinding(e *edge, table schema.Name, columns []string) finding.Finding {
	return finding.Finding{Check: "subset-scan", Severity: finding.Warning, Table: table.String(), Column: strings.Join(columns, ", "),
		Message: "no index leads with these columns, so the table was scanned to follow " + edgeName(e.ref),
		Hint:    "an index on them makes the selection cheaper"}
}
