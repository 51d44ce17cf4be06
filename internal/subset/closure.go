package subset

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// mode is how a table's rows are chosen.
type mode int

const (
	partial mode = iota // those that are reached
	whole               // all, and never looked for by key
	none                // none
)

// A node is a table within the closure.
type node struct {
	table     *schema.Table
	mode      mode
	rule      Rule
	reason    string // where it is fixed from the start
	unreached bool
	large     bool  // unreached, and too large for Small
	seeded    bool  // rows came from a seed
	complete  bool  // a seed took every row
	count     int64 // of a whole table; -1 unknown
	columns   []string
	tests     []string // conditions of references, asked for beside columns
	// without are rows that are not there: orphans that are dropped.
	without *roaring64.Bitmap
	// down holds rows reached downward, up those pulled only as parents until now.
	down, up roaring64.Bitmap
	targets  []*target
	out, in  []*edge
}

// A target is a list of columns of a table that references lead to.
type target struct {
	node    *node
	columns []string
	at      []int // in node.columns
	// unique: at most one row has a given key. exact: equal keys have equal texts.
	unique, exact, indexed bool
	written                []bool  // of columns: keys are texts that reference numbers or UUIDs; nil for none
	known                  keySet  // keys asked for and, where unique, keys of pulled rows
	pending                keyList // to be asked for
	missing                keySet  // asked for and not found
	edges                  []*edge // in the order of the schema
	pulled                 int64   // rows first pulled this way
	scanned                bool
}

// An edge is a reference within the closure.
type edge struct {
	ref      schema.Reference
	from, to *node
	target   *target
	at       []int  // of ref.Columns in from.columns; nil if they are not needed
	written  []bool // of ref.Columns: the keys of parents are texts of numbers or UUIDs; nil for none
	plain    bool   // lookups downward have keys of one integer, UUID or date, and nothing beside
	test     int    // of the reference's condition in from.tests; -1 where it has none
	follow   bool
	closed   bool    // rows do not come down along it
	asked    *keySet // downward, only where the target is not unique
	pending  keyList // keys of parents whose children are to be asked for
	needs    int64   // pulled rows whose key is not null
	found    int64   // rows found downward
	pulled   int64   // rows first pulled this way, downward
	orphans  int64   // distinct keys that lead nowhere
	scanned  bool    // for lack of an index
}

// dangles tells whether a key that leads nowhere is no failure of the source:
// the database checks the reference on some partitions only.
func (e *edge) dangles() bool { return e.ref.Part }

// closure is the state of one Select. One goroutine owns it; workers only get
// jobs and send back what they found.
type closure struct {
	snap     engine.Snapshot
	combiner engine.Combiner // the snapshot, where it is one
	schema   *schema.Schema
	spec     *Spec
	opts     Options
	nodes    []*node
	edges    []*edge
	targets  []*target
	first    []*job // seeds and whole tables
	findings []finding.Finding
	rows     int64 // pulled, whole tables included where counted
	gather   gatherer
	fresh    []int // rows of the batch at hand that were not pulled before
	lowered  []int // rows of the batch at hand that were not down before
	held     []int // fresh rows for which the reference at hand holds
	steps    []step
	work
}

// A step of the trace: the rows that one job brought in first.
type step struct {
	job  int
	node *node
	down bool
	edge *edge   // downward
	to   *target // upward
	seed *Seed
	rows *roaring64.Bitmap
}

func newClosure(snap engine.Snapshot, s *schema.Schema, spec *Spec, opts Options) *closure {
	c := &closure{snap: snap, schema: s, spec: spec, opts: opts}
	c.combiner, _ = snap.(engine.Combiner)
	for i := range s.Tables {
		t := &s.Tables[i]
		rule := spec.rule(t.Name)
		n := &node{table: t, rule: rule, count: -1}
		switch {
		case spec.Whole:
			n.mode, n.reason = whole, "whole: everything is copied"
		case rule.Rows == AllRows:
			n.mode, n.reason = whole, "whole: all"
		case rule.Rows == NoneAtAll:
			n.mode, n.reason = none, "none: structure only"
		case len(spec.Seeds) == 0 && spec.Unreached == All:
			n.mode, n.reason = whole, "whole: no seeds choose rows"
		}
		c.nodes = append(c.nodes, n)
	}
	for _, ref := range s.References {
		c.connect(ref)
	}
	return c
}

// connect adds a reference between two nodes.
func (c *closure) connect(ref schema.Reference) {
	from, to := c.node(ref.From), c.node(ref.To)
	if from == nil || to == nil {
		if from != nil && from.mode != none {
			c.findings = append(c.findings, finding.Finding{Check: "subset-outside", Severity: finding.Warning, Table: ref.From.String(),
				Message: edgeName(ref) + " leads to " + ref.To.String() + ", which is outside the job's schemas: its rows are not selected",
				Hint:    "add the schema to the job, or make sure that the target has these rows"})
		}
		return
	}
	e := &edge{ref: ref, from: from, to: to, test: -1, follow: c.spec.follows(ref), closed: !from.rule.descends(ref)}
	for i, name := range ref.Columns {
		a, b := from.table.Column(name), to.table.Column(ref.ToColumns[i])
		if from.mode == partial && a != nil && b != nil && b.FoldCase && !a.FoldCase {
			c.findings = append(c.findings, finding.Finding{Check: "subset-collation", Severity: finding.Warning, Table: ref.From.String(), Column: name,
				Message: ref.To.String() + " compares the key without regard to case and this column does not: rows whose key differs in case are not reached downward",
				Hint:    "give both columns one collation"})
		}
	}
	var texts []bool
	if ref.Declared { // the database has its own way to compare the keys of its foreign keys
		texts = writtenKeys(to.table, ref.ToColumns, from.table, ref.Columns)
		e.written = writtenKeys(from.table, ref.Columns, to.table, ref.ToColumns)
	}
	for _, t := range to.targets {
		if slices.Equal(t.columns, ref.ToColumns) && slices.Equal(t.written, texts) {
			e.target = t
		}
	}
	if e.target == nil {
		e.target = newTarget(to, ref.ToColumns)
		e.target.written = texts
		to.targets = append(to.targets, e.target)
		c.targets = append(c.targets, e.target)
	}
	t := e.target
	t.edges = append(t.edges, e)
	t.exact = t.exact && sameText(from.table, ref.Columns, to.table, ref.ToColumns, texts)
	if !t.unique {
		e.asked = &keySet{}
	}
	from.out = append(from.out, e)
	to.in = append(to.in, e)
	c.edges = append(c.edges, e)
}

func newTarget(n *node, columns []string) *target {
	t := &target{node: n, columns: columns, exact: true}
	for _, k := range n.table.Keys {
		if k.Expression || k.Partial {
			continue
		}
		if len(k.Columns) == len(columns) && contains(k.Columns, columns) {
			t.unique = true
		}
		if len(k.Columns) >= len(columns) && contains(k.Columns[:len(columns)], columns) {
			t.indexed = true
		}
	}
	return t
}

// writtenKeys tells for which of a table's columns the keys that the other end of a
// reference gives are texts of its numbers or UUIDs; nil for none.
func writtenKeys(t *schema.Table, columns []string, other *schema.Table, others []string) []bool {
	var out []bool
	for i, name := range columns {
		a, b := t.Column(name), other.Column(others[i])
		if a != nil && b != nil && (a.Kind == schema.Integer || a.Kind == schema.UUID) && b.Kind == schema.Text {
			if out == nil {
				out = make([]bool, len(columns))
			}
			out[i] = true
		}
	}
	return out
}

// sameText tells whether two column lists hold kinds of which equal values
// always have equal canonical text. Others (numbers with a scale, text with a
// collation) may be equal and look different.
func sameText(a *schema.Table, as []string, b *schema.Table, bs []string, texts []bool) bool {
	for i := range as {
		if texts != nil && texts[i] {
			continue // compared by their texts
		}
		x, y := a.Column(as[i]), b.Column(bs[i])
		if x == nil || y == nil || x.Kind != y.Kind {
			return false
		}
		switch x.Kind {
		case schema.Integer, schema.UUID, schema.Date:
		default:
			return false
		}
	}
	return true
}

func (c *closure) node(n schema.Name) *node {
	i, ok := slices.BinarySearchFunc(c.nodes, n, func(x *node, n schema.Name) int { return x.table.Name.Compare(n) })
	if !ok {
		return nil
	}
	return c.nodes[i]
}

// looksUp tells whether parents are asked for although their table is whole,
// because a key that leads nowhere matters and nobody else would see it. Where
// both tables are whole the database compares them by itself; see mourn.
func (c *closure) looksUp(e *edge) bool {
	return e.to.mode == whole && e.from.mode == partial && c.minds(e)
}

// minds tells whether the selection answers for a reference's orphans. Foreign
// keys that the source's database has proved have none.
func (c *closure) minds(e *edge) bool {
	return !e.dangles() && (c.spec.mends() || e.ref.Declared || !e.ref.Valid)
}

// ask fixes which columns every Find of a node asks for: all that a later step
// needs, so that no row is looked up twice for its keys.
func (c *closure) ask(n *node) {
	add := func(names []string) []int {
		at := make([]int, len(names))
		for i, name := range names {
			at[i] = slices.Index(n.columns, name)
			if at[i] < 0 {
				at[i] = len(n.columns)
				n.columns = append(n.columns, name)
			}
		}
		return at
	}
	for _, e := range n.out {
		if e.to.mode == whole && !c.looksUp(e) {
			continue
		}
		e.at = add(e.ref.Columns)
		if e.ref.When != "" {
			e.test = len(n.tests)
			n.tests = append(n.tests, e.ref.When)
		}
	}
	for _, e := range n.out {
		e.plain = len(e.at) == 1 && e.written == nil && e.ref.When == "" && len(n.tests) == 0 && n.rule.bounds() == "" &&
			sameText(n.table, e.ref.Columns, e.to.table, e.ref.ToColumns, nil)
	}
	for _, t := range n.targets {
		for _, e := range t.edges {
			if (n.mode == partial && e.from.mode != none || c.looksUp(e)) && t.at == nil {
				t.at = add(t.columns)
			}
		}
	}
	if n.mode != partial {
		return
	}
	if len(n.columns) == 0 {
		n.columns = cheapest(n.table)
	}
}

// cheapest names a column that costs little to ask for; none where the table has none.
func cheapest(t *schema.Table) []string {
	if k := t.Identity(); k != nil {
		return k.Columns[:1]
	}
	for _, c := range t.Columns {
		if c.Kind == schema.Integer {
			return []string{c.Name}
		}
	}
	if len(t.Columns) == 0 {
		return nil
	}
	return []string{t.Columns[0].Name}
}

// take enters the rows of a batch that a job found, all or those listed in
// only, and makes what follows from them pending.
func (c *closure) take(j *job, found *engine.Found, only []int) {
	n := j.node
	if n.mode == whole {
		c.fresh = c.fresh[:0]
		for row, id := range found.IDs {
			if !n.lacks(id) {
				c.fresh = append(c.fresh, row)
			}
		}
		n.count += int64(len(c.fresh))
		c.rows += int64(len(c.fresh))
		c.climb(j, &found.Values)
		return
	}
	c.mark(j, found, only)
	c.rows += int64(len(c.fresh))
	c.climb(j, &found.Values)
	c.descend(n, &found.Values)
}

// mark grows the marks of the rows found and leaves in fresh and lowered what changed.
func (c *closure) mark(j *job, found *engine.Found, only []int) {
	n := j.node
	c.fresh, c.lowered = c.fresh[:0], c.lowered[:0]
	each := func(row int) {
		id := found.IDs[row]
		if n.lacks(id) {
			return
		}
		if !j.down {
			if !n.down.Contains(id) && n.up.CheckedAdd(id) {
				c.fresh = append(c.fresh, row)
			}
			return
		}
		if !n.down.CheckedAdd(id) {
			return
		}
		c.lowered = append(c.lowered, row)
		if !n.up.Contains(id) {
			c.fresh = append(c.fresh, row)
		}
	}
	if only != nil {
		for _, row := range only {
			each(row)
		}
	} else {
		for row := range found.IDs {
			each(row)
		}
	}
	switch {
	case j.edge != nil:
		j.edge.found += int64(counted(found, only))
		j.edge.pulled += int64(len(c.fresh))
	case j.target != nil:
		j.target.pulled += int64(len(c.fresh))
	}
	if c.opts.Trace {
		c.trace(j, found)
	}
}

// counted gives how many rows of a batch count.
func counted(found *engine.Found, only []int) int {
	if only != nil {
		return len(only)
	}
	return len(found.IDs)
}

// lacks tells whether a row counts as not there.
func (n *node) lacks(id engine.RowID) bool { return n.without != nil && n.without.Contains(id) }

func (c *closure) trace(j *job, found *engine.Found) {
	changed := c.fresh
	if j.down {
		changed = c.lowered
	}
	if len(changed) == 0 {
		return
	}
	s := step{job: j.number, node: j.node, down: j.down, edge: j.edge, to: j.target, seed: j.seed, rows: roaring64.New()}
	for _, row := range changed {
		s.rows.Add(found.IDs[row])
	}
	c.steps = append(c.steps, s)
}

// climb makes the parents of fresh rows pending, after the rows' own keys
// became known, so that a row that references itself asks nothing. Where a key
// is not unique, a row that has it says nothing about the others that have it.
func (c *closure) climb(j *job, values *engine.Tuples) {
	n := j.node
	for _, t := range n.targets {
		if t.at != nil && t.unique {
			c.gather.gather(values, c.fresh, t.at, &t.known, nil)
		}
	}
	for _, e := range n.out {
		switch {
		case e.at == nil:
		case e.to.mode == none:
			e.needs += c.gather.gather(values, c.bound(j, e, values), e.at, &keySet{}, nil)
		case j.edge == e && e.target.unique:
			// Found by this very key, which a pulled parent has.
			e.needs += int64(len(c.fresh))
		default:
			e.needs += c.gather.gather(values, c.bound(j, e, values), e.at, &e.target.known, &e.target.pending)
		}
	}
}

// bound gives the fresh rows for which a reference holds.
func (c *closure) bound(j *job, e *edge, values *engine.Tuples) []int {
	if e.test < 0 {
		return c.fresh
	}
	c.held = c.held[:0]
	at := len(j.find.Columns) + e.test
	for _, row := range c.fresh {
		if v, _ := values.At(row, at); string(v) == "true" {
			c.held = append(c.held, row)
		}
	}
	return c.held
}

// descend makes the children of rows pending: of lowered rows along every edge,
// of fresh ones along the edges that are followed.
func (c *closure) descend(n *node, values *engine.Tuples) {
	for _, e := range n.in {
		rows := c.lowered
		if e.follow {
			// A row is fresh once, and lowered then or later; one asking is enough.
			rows = c.fresh
		}
		if e.from.mode != partial || e.closed || len(rows) == 0 {
			continue
		}
		if e.asked != nil {
			c.gather.gather(values, rows, e.target.at, e.asked, &e.pending)
			continue
		}
		c.gather.collect(values, rows, e.target.at, &e.pending)
	}
}
