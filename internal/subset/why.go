package subset

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// An Answer tells why a row comes along, or why it does not. It names tables,
// references and places only: the keys of other rows are data.
type Answer struct {
	Table schema.Name `json:"table"`
	// Selected tells which of the two lists is filled.
	Selected bool `json:"selected"`
	// Chain leads from a seed or a whole table to the row.
	Chain []Link `json:"chain,omitempty"`
	// Cuts are the ways on which the row could have come, and what closed each.
	Cuts []Cut `json:"cuts,omitempty"`
	// Nulled are the columns of a row that comes along which lead nowhere, and are
	// NULL in the target.
	Nulled []string `json:"nulled,omitempty"`
}

// A Link is one step of a chain: how a row of Table came.
type Link struct {
	Table schema.Name `json:"table"`
	// Edge is the reference that was followed, as table.column of the
	// referencing side; empty for the first link.
	Edge string `json:"edge,omitempty"`
	// Down: the row references the one before it; else the one before references it.
	Down bool       `json:"down"`
	Why  string     `json:"why"`
	At   finding.At `json:"at,omitempty"`
}

// A Cut is one way on which a row did not come.
type Cut struct {
	Edge string     `json:"edge,omitempty"`
	Why  string     `json:"why"`
	Hint string     `json:"hint,omitempty"`
	At   finding.At `json:"at,omitempty"`
	// By is the table whose rows, had one come along, would have needed this one.
	By string `json:"-"`
}

// Why computes the selection and tells, for the row of a table that has the
// given values of its identifying key, in key order, the chain that brought it
// in or what left it out. A row that does not exist is a fault of code Usage;
// errors of Select come back as they are.
func Why(ctx context.Context, snap engine.Snapshot, s *schema.Schema, spec *Spec, opts Options, table schema.Name, key []string) (*Answer, error) {
	t := s.Table(table)
	if t == nil {
		return nil, fault.New(fault.Usage, "why-table", "", "there is no table %s", table)
	}
	identity := t.Identity()
	if identity == nil {
		return nil, fault.New(fault.Usage, "why-key", "ask for a row of another table", "%s has no unique key without NULL that could name a row", table)
	}
	if len(key) != len(identity.Columns) {
		return nil, fault.New(fault.Usage, "why-key", "", "the key of %s has %s, and %d were given", table, many(int64(len(identity.Columns)), "column"), len(key))
	}
	for i, name := range identity.Columns {
		if _, ok := new(big.Int).SetString(key[i], 10); !ok && t.Column(name).Kind == schema.Integer {
			return nil, noKey(t, identity)
		}
	}
	// One reader, so that of several chains the same one is told each time.
	opts.Trace, opts.Readers = true, 1
	selection, err := Select(ctx, snap, s, spec, opts)
	if err != nil {
		return nil, err
	}
	a := &asker{snap: snap, spec: spec, opts: opts, selection: selection}
	keys := &engine.Tuples{Width: len(key)}
	for _, v := range key {
		keys.AddString(v)
	}
	a.keys = keys
	row, err := a.row(ctx, a.node(table), identity.Columns, nil, keys, "", func(engine.RowID) bool { return true })
	switch engine.CodeOf(err) {
	case engine.Constraint, engine.Syntax: // the key is all that this search was given
		return nil, noKey(t, identity)
	}
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fault.New(fault.Usage, "why-key", "check the key; a composite key is given in key order", "%s has no row with this key", table)
	}
	return a.answer(ctx, row)
}

// noKey says that what was given cannot be a key of the table, without repeating it.
func noKey(t *schema.Table, k *schema.Key) error {
	var types []string
	for _, name := range k.Columns {
		types = append(types, schema.Ident(name)+" is "+t.Column(name).Type)
	}
	return fault.New(fault.Usage, "why-key", "give values of these types; those of a composite key in key order, with commas",
		"what was given is no key of %s: %s", t.Name, strings.Join(types, ", "))
}

// asker goes back from a row to what brought it in.
type asker struct {
	snap      engine.Snapshot
	spec      *Spec
	opts      Options
	selection *Selection
	keys      *engine.Tuples // the identity of the row that was asked about
}

// A located row is one with the values of its node's columns.
type located struct {
	node   *node
	id     engine.RowID
	values *engine.Tuples
	at     int
}

func (a *asker) node(n schema.Name) *node {
	i := slices.IndexFunc(a.selection.nodes, func(x *node) bool { return x.table.Name == n })
	return a.selection.nodes[i]
}

// row finds the first row with one of the keys that satisfies where and that ok
// accepts; nil if there is none.
func (a *asker) row(ctx context.Context, n *node, by []string, written []bool, keys *engine.Tuples, where string, ok func(engine.RowID) bool) (*located, error) {
	columns := n.columns
	if len(columns) == 0 {
		columns = by
	}
	f := engine.Find{Table: n.table, Columns: columns, By: by, Keys: keys, Written: written, Where: where, Now: a.opts.Now}
	for found, err := range a.snap.Find(ctx, f) {
		if err != nil {
			return nil, err
		}
		for i, id := range found.IDs {
			if ok(id) {
				return &located{n, id, &found.Values, i}, nil
			}
		}
	}
	return nil, nil
}

// tuple gives a row's values at columns as the keys of a Find; ok is false if one is NULL.
func (r *located) tuple(columns []int) (keys *engine.Tuples, ok bool) {
	keys = &engine.Tuples{Width: len(columns)}
	for _, c := range columns {
		v, ok := r.values.At(r.at, c)
		if !ok {
			return nil, false
		}
		keys.AddString(string(v))
	}
	return keys, true
}

func (a *asker) answer(ctx context.Context, row *located) (*Answer, error) {
	out := &Answer{Table: row.node.table.Name}
	part := a.selection.Find(row.node.table.Name)
	if out.Cuts = a.lost(row); len(out.Cuts) > 0 {
		return out, nil
	}
	for _, p := range part.Nulls {
		if p.Rows.Contains(row.id) {
			out.Nulled = p.Columns
		}
	}
	switch {
	case row.node.mode == whole:
		out.Selected = true
		out.Chain = []Link{a.wholeLink(row.node)}
		return out, nil
	case part.Rows.Contains(row.id):
		out.Selected = true
		var err error
		out.Chain, err = a.chain(ctx, row)
		return out, err
	}
	var err error
	out.Cuts, err = a.cuts(ctx, row)
	return out, err
}

// lost tells along which references a row was dropped as an orphan.
func (a *asker) lost(row *located) []Cut {
	var cuts []Cut
	for _, l := range a.selection.losses {
		e := l.edge
		switch {
		case e.from.table.Name != row.node.table.Name || a.spec.Orphans != Drop:
		case l.rows.Contains(row.id):
			cuts = append(cuts, Cut{Edge: edgeName(e.ref), Why: "it leads to no row of " + e.ref.To.String() + ", and orphans are dropped"})
		case l.cascaded.Contains(row.id):
			cuts = append(cuts, Cut{Edge: edgeName(e.ref), Why: "the row of " + e.ref.To.String() + " that it references was dropped as an orphan",
				Hint: "understudy why " + e.ref.To.String() + " KEY tells why"})
		}
	}
	return cuts
}

func (a *asker) wholeLink(n *node) Link {
	return Link{Table: n.table.Name, Why: n.reason, At: a.spec.rule(n.table.Name).At}
}

// brought finds the step that brought a row in, of those before a job; with
// down, the one that made it a row to be followed down.
func (a *asker) brought(n *node, id engine.RowID, down bool, before int) *step {
	for i := range a.selection.steps {
		s := &a.selection.steps[i]
		if s.node == n && s.job < before && (s.down || !down) && s.rows.Contains(id) {
			return s
		}
	}
	return nil
}

// chain goes from a row back to a seed or a whole table. Each link lies before
// the job that used it, so the way back ends.
func (a *asker) chain(ctx context.Context, row *located) ([]Link, error) {
	var links []Link
	s := a.brought(row.node, row.id, false, int(^uint(0)>>1))
	for s != nil {
		if s.seed != nil {
			links = append(links, Link{Table: s.node.table.Name, Down: true, Why: "seed", At: s.seed.At})
			break
		}
		var next *located
		var link Link
		var err error
		if s.edge != nil {
			next, link, err = a.parent(ctx, row, s)
		} else {
			next, link, err = a.child(ctx, row, s)
		}
		if err != nil {
			return nil, err
		}
		links = append(links, link)
		if next == nil {
			return nil, fault.New(fault.Bug, "why-chain", "", "the row that brought in a row of %s was not found again", row.node.table.Name)
		}
		if next.node.mode == whole {
			links = append(links, a.wholeLink(next.node))
			break
		}
		// The row before must have been down, unless it came as a child's parent or over a followed edge.
		needsDown := s.edge != nil && !s.edge.follow
		row, s = next, a.brought(next.node, next.id, needsDown, s.job)
	}
	slices.Reverse(links)
	return links, nil
}

// parent finds the row along whose key a row was reached downward.
func (a *asker) parent(ctx context.Context, row *located, s *step) (*located, Link, error) {
	e := s.edge
	link := Link{Table: row.node.table.Name, Edge: edgeName(e.ref), Down: true, Why: "references a row of " + e.ref.To.String() + " that came along"}
	keys, ok := row.tuple(e.at)
	if !ok {
		return nil, link, nil
	}
	next, err := a.row(ctx, e.to, e.target.columns, e.target.written, keys, "", func(id engine.RowID) bool {
		return a.brought(e.to, id, !e.follow, s.job) != nil
	})
	return next, link, err
}

// child finds a row that needed a row as its parent.
func (a *asker) child(ctx context.Context, row *located, s *step) (*located, Link, error) {
	keys, ok := row.tuple(s.to.at)
	if !ok {
		return nil, Link{}, nil
	}
	var link Link
	for _, e := range s.to.edges {
		if e.needs == 0 {
			continue
		}
		link = Link{Table: row.node.table.Name, Edge: edgeName(e.ref), Why: "needed by a row of " + e.ref.From.String() + " that came along"}
		next, err := a.row(ctx, e.from, e.ref.Columns, e.written, keys, e.ref.When, func(id engine.RowID) bool {
			return e.from.mode == whole && !e.from.lacks(id) || a.brought(e.from, id, false, s.job) != nil
		})
		if next != nil || err != nil {
			return next, link, err
		}
	}
	return nil, link, nil
}

// cuts lists what closed each way to a row that exists and was left out.
func (a *asker) cuts(ctx context.Context, row *located) ([]Cut, error) {
	n := row.node
	if n.mode == none {
		return []Cut{{Why: n.table.Name.String() + " is none: structure, no rows", At: a.spec.rule(n.table.Name).At}}, nil
	}
	var cuts []Cut
	for _, s := range a.spec.Seeds {
		if s.Table.Name == n.table.Name {
			cuts = append(cuts, Cut{Why: "not among the rows that the seed takes", At: s.At})
		}
	}
	for _, e := range n.out {
		cut, err := a.cut(ctx, row, e)
		if err != nil {
			return nil, err
		}
		cuts = append(cuts, cut)
	}
	for _, e := range n.in {
		cuts = append(cuts, Cut{Edge: edgeName(e.ref), By: e.ref.From.String(), Why: "no row of " + e.ref.From.String() + " that came along references it"})
	}
	if n.unreached {
		cuts = append(cuts, Cut{Why: "no edge leads to " + n.table.Name.String() + " from the seeds", Hint: "unreached: all, or " + n.table.Name.String() + ": all"})
	}
	return cuts, nil
}

// cut tells why a row was not reached down from the row it references.
func (a *asker) cut(ctx context.Context, row *located, e *edge) (Cut, error) {
	cut := Cut{Edge: edgeName(e.ref)}
	to := e.ref.To.String()
	if e.ref.When != "" {
		if ok, err := a.satisfies(ctx, row, e.ref.When); err != nil || !ok {
			cut.Why = "the row does not satisfy its when, so it does not reference " + to
			return cut, err
		}
	}
	if e.closed {
		rule := a.spec.rule(e.ref.From)
		cut.Why, cut.At = "rows do not come down along it: per_parent counts by "+columnNames(rule.By[0].Columns), rule.At
		return cut, nil
	}
	if e.to.mode != partial {
		rule := a.spec.rule(e.ref.To)
		cut.Why, cut.At = fmt.Sprintf("%s is taken by a rule and not followed down", to), rule.At
		if rule.Table == nil {
			cut.Why = to + " is copied whole because no edge leads there, and not followed down"
		}
		return cut, nil
	}
	keys, ok := row.tuple(e.at)
	if !ok {
		cut.Why = "the row's key is null, so it references nothing"
		return cut, nil
	}
	in := func(m *roaring64.Bitmap) func(engine.RowID) bool { return m.Contains }
	for _, try := range []struct {
		rows  *roaring64.Bitmap
		taken bool // rows so marked are followed along e
		why   string
	}{
		{&e.to.down, true, ""},
		{&e.to.up, e.follow, "the row of " + to + " that it references came only as a parent, and " + edgeName(e.ref) + " is not followed from those"},
	} {
		parent, err := a.row(ctx, e.to, e.target.columns, e.target.written, keys, "", in(try.rows))
		if err != nil {
			return cut, err
		}
		if parent == nil {
			continue
		}
		if cut.Why = try.why; try.taken {
			return cut, a.bounded(ctx, row, e, &cut)
		}
		cut.Hint = "follow: [" + e.ref.From.String() + "." + columnNames(e.ref.Columns) + "]"
		return cut, nil
	}
	cut.Why = "the row of " + to + " that it references did not come along"
	cut.Hint = "understudy why " + to + " KEY tells why"
	return cut, nil
}

// bounded tells which bound of its table left out a row whose parent is followed down.
func (a *asker) bounded(ctx context.Context, row *located, e *edge, cut *Cut) error {
	rule := a.spec.rule(e.ref.From)
	within, err := a.satisfies(ctx, row, rule.Where)
	if err != nil {
		return err
	}
	cut.Why, cut.At = "where of "+e.ref.From.String()+" leaves it out", rule.WhereAt
	if within {
		cut.Why, cut.At = fmt.Sprintf("not among the %s that per_parent keeps of its row of %s", many(rule.PerParent, "row"), e.ref.To), rule.At
	}
	return nil
}

// satisfies tells whether the row that was asked about satisfies a condition.
func (a *asker) satisfies(ctx context.Context, row *located, condition string) (bool, error) {
	if condition == "" {
		return true, nil
	}
	found, err := a.row(ctx, row.node, row.node.table.Identity().Columns, nil, a.keys, condition, func(engine.RowID) bool { return true })
	return found != nil, err
}
