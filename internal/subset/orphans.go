package subset

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// An Orphan is a reference along which rows that would come along lead nowhere,
// and what became of them.
type Orphan struct {
	Reference schema.Reference
	// Rows lead to no row at all. Cascaded lead to rows only that were dropped.
	Rows, Cascaded int64
	// Nulled are the columns that were set to NULL; none if the rows were dropped.
	Nulled []string
}

// Nulls are rows of which some columns are to be read as NULL.
type Nulls struct {
	Columns []string // sorted
	Rows    *roaring64.Bitmap
}

// A loss is what one reference lost.
type loss struct {
	edge     *edge
	rows     roaring64.Bitmap // lead nowhere
	cascaded roaring64.Bitmap // lead to dropped rows only
	nulled   []string
}

// mourning finds the rows of a finished closure that lead nowhere. Whether a
// row is an orphan depends on what it references alone, and all that is pulled
// with it, so what is found here holds however the row came.
type mourning struct {
	c       *closure
	losses  []*loss
	mu      sync.Mutex // over what follows, while several tables are searched at once
	dropped map[*node]*roaring64.Bitmap
	pending map[*target]*keyList // of dropped rows
	gather  gatherer
}

// mourn finds the orphans that the selection answers for and, where they are
// dropped, all rows that hang on them.
func (c *closure) mourn(ctx context.Context) (*mourning, error) {
	m := &mourning{c: c, dropped: map[*node]*roaring64.Bitmap{}, pending: map[*target]*keyList{}}
	byTarget := map[*target][]*loss{}
	var compared []*loss // by the database itself
	for _, e := range c.edges {
		if !c.minds(e) || e.from.mode == none || e.to.mode == none {
			continue
		}
		l := &loss{edge: e}
		m.losses = append(m.losses, l)
		byTarget[e.target] = append(byTarget[e.target], l)
		switch {
		case e.from.mode == whole && e.to.mode == whole:
			compared = append(compared, l)
		case e.needs > 0 && e.target.missing.len() > 0:
			if err := m.users(ctx, e, e.target.missing.list(), &l.rows); err != nil {
				return nil, err
			}
		}
	}
	if err := m.compare(ctx, compared); err != nil {
		return nil, err
	}
	for c.spec.Orphans == Drop && len(m.pending) > 0 {
		for _, t := range c.targets {
			if keys := m.pending[t]; keys != nil {
				delete(m.pending, t)
				if err := m.cascade(ctx, t, *keys, byTarget[t]); err != nil {
					return nil, err
				}
			}
		}
	}
	m.losses = slices.DeleteFunc(m.losses, func(l *loss) bool { return l.rows.IsEmpty() && l.cascaded.IsEmpty() })
	return m, nil
}

// compare has the database find the orphans of references between whole tables,
// as many at once as there are readers.
func (m *mourning) compare(ctx context.Context, losses []*loss) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, max(m.c.opts.Readers, 1))
	for _, l := range losses {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		workers.Go(func() {
			defer func() { <-slots }()
			if err := m.compareOne(ctx, l); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

func (m *mourning) compareOne(ctx context.Context, l *loss) (err error) {
	defer fault.Guard(&err)
	ref := l.edge.ref
	return m.search(ctx, l.edge.from, engine.Find{By: ref.Columns, Where: ref.When,
		Orphaned: &engine.Parent{Table: l.edge.to.table, Columns: ref.ToColumns, Written: either(l.edge.written, l.edge.target.written)}}, &l.rows)
}

// either joins two lists of which each may be nil.
func either(a, b []bool) []bool {
	if a == nil || b == nil {
		return append(a, b...)
	}
	out := slices.Clone(a)
	for i := range out {
		out[i] = out[i] || b[i]
	}
	return out
}

// users adds to into the rows that came along and have one of the keys.
func (m *mourning) users(ctx context.Context, e *edge, keys keyList, into *roaring64.Bitmap) error {
	step := keysPerFind
	if !e.ref.Indexed {
		step = keysPerScan
	}
	for i := 0; i < keys.len(); i += step {
		part := keys.slice(i, min(i+step, keys.len()))
		find := engine.Find{By: e.ref.Columns, Keys: part.tuples(len(e.ref.Columns)), Written: e.written, Where: e.ref.When}
		if err := m.search(ctx, e.from, find, into); err != nil {
			return err
		}
	}
	return nil
}

// search adds to into the rows of n that came along, of those that are found,
// and drops them where orphans are dropped.
func (m *mourning) search(ctx context.Context, n *node, find engine.Find, into *roaring64.Bitmap) error {
	var at map[*target][]int
	find.Table, find.Now = n.table, m.c.opts.Now
	find.Columns, at = m.keysOf(n)
	for found, err := range m.c.snap.Find(ctx, find) {
		if err != nil {
			return err
		}
		m.enter(n, found, at, into)
	}
	return nil
}

func (m *mourning) enter(n *node, found *engine.Found, at map[*target][]int, into *roaring64.Bitmap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var fresh []int
	for row, id := range found.IDs {
		if n.mode == partial && !n.down.Contains(id) && !n.up.Contains(id) {
			continue
		}
		into.Add(id)
		if m.c.spec.Orphans == Drop && m.drop(n, id) {
			fresh = append(fresh, row)
		}
	}
	if len(fresh) == 0 {
		return
	}
	for t, columns := range at {
		if m.pending[t] == nil {
			m.pending[t] = &keyList{}
		}
		m.gather.collect(&found.Values, fresh, columns, m.pending[t])
	}
}

func (m *mourning) drop(n *node, id engine.RowID) (fresh bool) {
	if m.dropped[n] == nil {
		m.dropped[n] = roaring64.New()
	}
	return m.dropped[n].CheckedAdd(id)
}

// keysOf names the columns of n that others reference, and where each target's are among them.
func (m *mourning) keysOf(n *node) (columns []string, at map[*target][]int) {
	at = map[*target][]int{}
	for _, t := range n.targets {
		if m.c.spec.Orphans != Drop || !slices.ContainsFunc(t.edges, func(e *edge) bool { return m.c.minds(e) && e.from.mode != none }) {
			continue
		}
		for _, name := range t.columns {
			i := slices.Index(columns, name)
			if i < 0 {
				i, columns = len(columns), append(columns, name)
			}
			at[t] = append(at[t], i)
		}
	}
	if len(columns) == 0 {
		columns = cheapest(n.table)
	}
	return columns, at
}

// cascade drops the rows whose parents were dropped. A key is lost when every
// row that has it was dropped.
func (m *mourning) cascade(ctx context.Context, t *target, keys keyList, losses []*loss) error {
	var err error
	if !t.unique {
		if keys, err = m.bereft(ctx, t, keys); err != nil {
			return err
		}
	}
	for _, l := range losses {
		if err := m.users(ctx, l.edge, keys, &l.cascaded); err != nil {
			return err
		}
	}
	return nil
}

// bereft gives those of the keys that only dropped rows have. Keys that may be
// equal without looking alike are asked for one by one.
func (m *mourning) bereft(ctx context.Context, t *target, keys keyList) (keyList, error) {
	var out keyList
	step := keysPerFind
	if !t.exact {
		step = 1
	}
	for i := 0; i < keys.len(); i += step {
		part := keys.slice(i, min(i+step, keys.len()))
		find := engine.Find{Table: t.node.table, Columns: t.columns, By: t.columns, Keys: part.tuples(len(t.columns)), Written: t.written, Now: m.c.opts.Now}
		var alive keyList
		for found, err := range m.c.snap.Find(ctx, find) {
			if err != nil {
				return out, err
			}
			var rows []int
			for row, id := range found.IDs {
				if d := m.dropped[t.node]; d == nil || !d.Contains(id) {
					rows = append(rows, row)
				}
			}
			m.gather.collect(&found.Values, rows, upTo(len(t.columns)), &alive)
		}
		switch {
		case t.exact:
			out.append(minus(part, alive))
		case alive.len() == 0:
			out.append(part)
		}
	}
	return out, nil
}

// failures are the findings of orphans that nothing mends.
func (m *mourning) failures() []finding.Finding {
	var out []finding.Finding
	for _, l := range m.losses {
		e := l.edge
		f := finding.Finding{Check: "orphans", Severity: finding.Error, Table: e.ref.From.String(), Column: strings.Join(e.ref.Columns, ", "), Code: int(fault.Integrity),
			Message: fmt.Sprintf("%s of %s %s to no row of %s", many(int64(l.rows.GetCardinality()), "row"), edgeName(e.ref), leads(int64(l.rows.GetCardinality())), e.ref.To)}
		switch m.c.spec.Orphans {
		case Drop:
			continue
		case Nullify:
			var why string
			if l.nulled, why = m.c.nullable(e); why == "" {
				continue
			}
			f.Message += ", and cannot be nullified: " + why
			f.Hint = "write `orphans: drop`, or mend these rows in the source"
		default:
			if e.from.mode != whole || e.to.mode != whole {
				continue // judge tells of these by their keys
			}
			f.Hint = hintOrphans
		}
		out = append(out, f)
	}
	return out
}

const hintOrphans = "mend these rows in the source, leave them out by where, or write `orphans: drop` or `orphans: nullify`"

// nullable chooses the columns that make a row reference nothing once they are
// NULL: of those that may be, those that belong to no other reference, else all.
// why says what forbids it.
func (c *closure) nullable(e *edge) (columns []string, why string) {
	var own []string
	for _, name := range e.ref.Columns {
		if no := c.forbids(e, name); no == "" {
			columns = append(columns, name)
		} else {
			why = no
		}
	}
	if e.ref.Full && why != "" {
		return nil, why + " (MATCH FULL asks for all columns or none)"
	}
	if len(columns) == 0 {
		return nil, why
	}
	for _, name := range columns {
		if !slices.ContainsFunc(e.from.out, func(o *edge) bool { return o != e && slices.Contains(o.ref.Columns, name) }) {
			own = append(own, name)
		}
	}
	if len(own) > 0 && !e.ref.Full {
		columns = own
	}
	slices.Sort(columns)
	return columns, ""
}

// forbids says why a column must keep its value.
func (c *closure) forbids(e *edge, name string) string {
	t, shown := e.from.table, schema.Ident(name)
	column := t.Column(name)
	switch {
	case column == nil || column.Generated:
		return shown + " is computed by the database"
	case column.NotNull:
		return shown + " is NOT NULL"
	case slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return k.Primary && slices.Contains(k.Columns, name) }):
		return shown + " is part of the primary key"
	}
	for _, in := range e.from.in {
		if slices.Contains(in.ref.ToColumns, name) {
			return shown + " is referenced by " + edgeName(in.ref)
		}
	}
	for _, o := range e.from.out {
		if o.ref.Full && o != e && slices.Contains(o.ref.Columns, name) && !slices.Equal(o.ref.Columns, e.ref.Columns) {
			return shown + " belongs to " + edgeName(o.ref) + " as well, which is MATCH FULL"
		}
	}
	return ""
}

// summary tells what became of the orphans of each reference.
func (m *mourning) summary() []Orphan {
	var out []Orphan
	for _, l := range m.losses {
		out = append(out, Orphan{Reference: l.edge.ref, Rows: int64(l.rows.GetCardinality()), Cascaded: int64(l.cascaded.GetCardinality()), Nulled: l.nulled})
	}
	return out
}

// nulls gathers the rows of a table that lose a key, by the columns they lose;
// no row stands twice.
func (m *mourning) nulls(table schema.Name) []Nulls {
	columns := map[string]*roaring64.Bitmap{}
	all := roaring64.New()
	for _, l := range m.losses {
		if l.edge.ref.From != table {
			continue
		}
		for _, name := range l.nulled {
			if columns[name] == nil {
				columns[name] = roaring64.New()
			}
			columns[name].Or(&l.rows)
			all.Or(&l.rows)
		}
	}
	parts := []Nulls{{Rows: all}}
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		var split []Nulls
		for _, p := range parts {
			with, without := roaring64.And(p.Rows, columns[name]), roaring64.AndNot(p.Rows, columns[name])
			if !with.IsEmpty() {
				split = append(split, Nulls{append(slices.Clone(p.Columns), name), with})
			}
			if !without.IsEmpty() {
				split = append(split, Nulls{p.Columns, without})
			}
		}
		parts = split
	}
	return slices.DeleteFunc(parts, func(p Nulls) bool { return len(p.Columns) == 0 })
}

// list gives the identities of a whole table's rows, less those that count as not there.
func (c *closure) list(ctx context.Context, n *node) (*roaring64.Bitmap, error) {
	out := roaring64.New()
	for found, err := range c.snap.Find(ctx, engine.Find{Table: n.table, Columns: cheapest(n.table), Now: c.opts.Now}) {
		if err != nil {
			return nil, err
		}
		out.AddMany(found.IDs)
	}
	if n.without != nil {
		out.AndNot(n.without)
	}
	out.RunOptimize()
	return out, nil
}
