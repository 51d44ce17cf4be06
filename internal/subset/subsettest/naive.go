package subsettest

import (
	"fmt"
	"slices"
	"sort"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// Naive computes a subset the slow way: every reference is tried on every pair
// of rows until nothing changes. It shares no code with the closure.
type Naive struct {
	// Whole tables come along with every row.
	Whole map[schema.Name]bool
	// Marks of the rows of each table: 0 left out, 1 parent, 2 reached downward.
	Marks map[schema.Name][]int
	// Needed: a row of a none table is needed. Orphans: a reference that must
	// hold leads nowhere and nothing mends it. Either must fail a selection.
	Needed, Orphans bool
	// Gone are the rows that are dropped as orphans, Nulls the columns that rows
	// lose.
	Gone  map[schema.Name]map[int]bool
	Nulls map[schema.Name]map[int][]string

	w    *World
	spec *subset.Spec
	none map[schema.Name]bool
	// first tells of each reference which children are among the first of their parent.
	first map[int]map[int]bool
}

// NewNaive computes the subset of a world.
func NewNaive(w *World, spec *subset.Spec) *Naive {
	n := &Naive{w: w, spec: spec, Whole: map[schema.Name]bool{}, none: map[schema.Name]bool{}, Marks: map[schema.Name][]int{},
		Gone: map[schema.Name]map[int]bool{}, Nulls: map[schema.Name]map[int][]string{}, first: map[int]map[int]bool{}}
	for _, rule := range spec.Rules {
		n.Whole[rule.Table.Name] = rule.Rows == subset.AllRows
		n.none[rule.Table.Name] = rule.Rows == subset.NoneAtAll
	}
	for _, t := range w.Schema.Tables {
		n.Whole[t.Name] = n.Whole[t.Name] || spec.Whole
	}
	n.unreached()
	for i, r := range w.Schema.References {
		n.rank(i, r)
	}
	n.compute()
	if spec.Orphans == subset.Drop && n.bury() {
		n.compute()
	}
	n.check()
	return n
}

// compute makes the marks, of rows that are not gone.
func (n *Naive) compute() {
	for _, t := range n.w.Schema.Tables {
		n.Marks[t.Name] = make([]int, len(n.w.Memory.Rows[t.Name]))
	}
	for _, seed := range n.spec.Seeds {
		n.seed(seed)
	}
	for name := range n.Whole {
		if n.Whole[name] {
			for i := range n.Marks[name] {
				n.Marks[name][i] = 1
			}
		}
	}
	for name, gone := range n.Gone {
		for i := range gone {
			n.Marks[name][i] = 0
		}
	}
	for n.round() {
	}
}

// rank finds the children that per_parent lets a parent keep along a reference:
// each child is compared with all that have its key.
func (n *Naive) rank(at int, r schema.Reference) {
	from := n.w.Schema.Table(r.From)
	rule := n.ruleOf(r.From)
	n.first[at] = map[int]bool{}
	children := n.w.Memory.Rows[r.From]
	in := func(row []*string) bool { return holds(from, row, rule.Where) && holds(from, row, r.When) }
	for i, child := range children {
		key, null := keyOf(from, r.Columns, child)
		if null || !in(child) {
			continue
		}
		var siblings []int
		for j, other := range children {
			if k, null := keyOf(from, r.Columns, other); !null && k == key && in(other) {
				siblings = append(siblings, j)
			}
		}
		if rule.PerParent > 0 {
			n.w.Memory.order(from, rule.Order, siblings)
			siblings = siblings[:min(len(siblings), int(rule.PerParent))]
		}
		n.first[at][i] = slices.Contains(siblings, i)
	}
}

// lost tells whether a row leads to no row along a reference that should hold.
func (n *Naive) lost(r schema.Reference, child []*string) bool {
	if key, _ := n.references(r, child, nil); !key || r.Part || n.none[r.To] {
		return false
	}
	for j, parent := range n.w.Memory.Rows[r.To] {
		if _, hit := n.references(r, child, parent); hit && !n.Gone[r.To][j] {
			return false
		}
	}
	return true
}

// bury marks as gone, of the rows that came along, the orphans and all that
// leads to them only. It reports whether there are any.
func (n *Naive) bury() bool {
	for changed := true; changed; {
		changed = false
		for _, r := range n.w.Schema.References {
			for i, child := range n.w.Memory.Rows[r.From] {
				if n.Marks[r.From][i] > 0 && !n.Gone[r.From][i] && n.lost(r, child) {
					if n.Gone[r.From] == nil {
						n.Gone[r.From] = map[int]bool{}
					}
					n.Gone[r.From][i], changed = true, true
				}
			}
		}
	}
	return len(n.Gone) > 0
}

// nullable gives the columns that a row loses when a reference leads nowhere.
func (n *Naive) nullable(r schema.Reference) []string {
	from := n.w.Schema.Table(r.From)
	var free, own []string
	for _, name := range r.Columns {
		kept, shared := from.Column(name).NotNull, false
		for _, k := range from.Keys {
			kept = kept || k.Primary && slices.Contains(k.Columns, name)
		}
		for _, o := range n.w.Schema.References {
			kept = kept || o.To == r.From && slices.Contains(o.ToColumns, name)
			shared = shared || o.From == r.From && o.Name != r.Name && slices.Contains(o.Columns, name)
		}
		if !kept {
			free = append(free, name)
		}
		if !kept && !shared {
			own = append(own, name)
		}
	}
	if len(own) > 0 {
		return own
	}
	return free
}

// unreached makes tables whole that no path of references connects to a start.
func (n *Naive) unreached() {
	type mark struct{ down, any bool }
	at := map[schema.Name]*mark{}
	for _, t := range n.w.Schema.Tables {
		at[t.Name] = &mark{}
	}
	for _, s := range n.spec.Seeds {
		*at[s.Table.Name] = mark{true, true}
	}
	for range 4 * len(n.w.Schema.Tables) {
		for _, r := range n.w.Schema.References {
			if n.Whole[r.From] || at[r.From].any {
				if !n.Whole[r.To] && !n.none[r.To] {
					at[r.To].any = true
				}
			}
			if (at[r.To].down || at[r.To].any && n.follows(r)) && n.descends(r) && !n.Whole[r.From] && !n.none[r.From] {
				*at[r.From] = mark{true, true}
			}
		}
	}
	if n.spec.Unreached == subset.Empty {
		return
	}
	for _, t := range n.w.Schema.Tables {
		if !at[t.Name].any && !n.none[t.Name] {
			n.Whole[t.Name] = true
		}
	}
}

func (n *Naive) follows(r schema.Reference) bool {
	return slices.ContainsFunc(n.spec.Follow, func(f schema.Reference) bool { return f.Name == r.Name && f.String() == r.String() })
}

// descends tells whether rows come down along a reference, or by another only.
func (n *Naive) descends(r schema.Reference) bool {
	by := n.ruleOf(r.From).By
	return len(by) == 0 || slices.ContainsFunc(by, func(b schema.Reference) bool { return b.Name == r.Name })
}

func (n *Naive) seed(s subset.Seed) {
	t := s.Table
	type pick struct {
		row  int
		hash uint64
	}
	var picks []pick
	for i, row := range n.w.Memory.Rows[t.Name] {
		if !holds(t, row, s.Where) {
			continue
		}
		p := pick{row: i}
		if s.Percent != 0 || s.Limit != 0 {
			p.hash = Sample(t.Name)(naiveKey(t, row))
		}
		if s.Percent != 0 && s.Percent < 100 && float64(p.hash)/(1<<64) >= s.Percent/100 {
			continue
		}
		picks = append(picks, p)
	}
	if s.Limit > 0 {
		sort.Slice(picks, func(a, b int) bool { return picks[a].hash < picks[b].hash })
		if s.Order != "" {
			var rows []int
			for _, p := range picks {
				rows = append(rows, p.row)
			}
			n.w.Memory.order(t, s.Order, rows)
			for i := range picks {
				picks[i].row = rows[i]
			}
		}
		picks = picks[:min(len(picks), int(s.Limit))]
	}
	for _, p := range picks {
		n.Marks[t.Name][p.row] = 2
	}
}

// naiveKey writes a row's key: a single value as it is, several each after its length.
func naiveKey(t *schema.Table, row []*string) []byte {
	columns := t.Identity().Columns
	if len(columns) == 1 {
		return []byte(*row[columnIndex(t, columns[0])])
	}
	var out []byte
	for _, c := range columns {
		v := *row[columnIndex(t, c)]
		out = append(append(out, byte(len(v))), v...)
	}
	return out
}

// references tells whether a child row's key is the parent row's; key is false where it is null.
func (n *Naive) references(r schema.Reference, child, parent []*string) (key, hit bool) {
	from, to := n.w.Schema.Table(r.From), n.w.Schema.Table(r.To)
	hit = true
	if !holds(from, child, r.When) {
		return false, false
	}
	for i, c := range r.Columns {
		v := child[columnIndex(from, c)]
		if v == nil {
			return false, false
		}
		if parent == nil {
			hit = false
			continue
		}
		column := to.Column(r.ToColumns[i])
		p := parent[columnIndex(to, column.Name)]
		hit = hit && p != nil && comparable(*column, *v) == comparable(*column, *p)
	}
	return true, hit
}

// round applies every rule once; it reports whether anything changed.
func (n *Naive) round() (changed bool) {
	for at, r := range n.w.Schema.References {
		children, parents := n.w.Memory.Rows[r.From], n.w.Memory.Rows[r.To]
		for i, child := range children {
			for j, parent := range parents {
				if _, hit := n.references(r, child, parent); !hit || n.Gone[r.From][i] || n.Gone[r.To][j] {
					continue
				}
				mark := &n.Marks[r.From][i]
				up := &n.Marks[r.To][j]
				if *mark > 0 && *up == 0 && !n.none[r.To] && !n.Whole[r.To] {
					*up, changed = 1, true
				}
				if n.Whole[r.To] || n.Whole[r.From] || n.none[r.From] || *mark == 2 {
					continue
				}
				if (*up == 2 || *up == 1 && n.follows(r)) && n.descends(r) && n.first[at][i] {
					*mark, changed = 2, true
				}
			}
		}
	}
	return changed
}

func (n *Naive) ruleOf(name schema.Name) subset.Rule {
	for _, r := range n.spec.Rules {
		if r.Table.Name == name {
			return r
		}
	}
	return subset.Rule{}
}

// check looks for rows that are needed and cannot be had.
func (n *Naive) check() {
	for _, r := range n.w.Schema.References {
		for i, child := range n.w.Memory.Rows[r.From] {
			if n.Marks[r.From][i] == 0 {
				continue
			}
			if key, _ := n.references(r, child, nil); !key {
				continue
			}
			if n.none[r.To] {
				n.Needed = true
				continue
			}
			if !n.lost(r, child) {
				continue
			}
			if n.spec.Orphans == subset.Nullify {
				columns := n.nullable(r)
				n.Orphans = n.Orphans || len(columns) == 0
				if n.Nulls[r.From] == nil {
					n.Nulls[r.From] = map[int][]string{}
				}
				n.Nulls[r.From][i] = append(n.Nulls[r.From][i], columns...)
				continue
			}
			// The target proves foreign keys that lead to whole tables.
			n.Orphans = n.Orphans || !n.Whole[r.To] || r.Declared || !r.Valid
		}
	}
}

// Compare tells where a selection differs from the naive one: at most one
// difference for each table. ids gives the identities of a table's rows, in the
// order of the world's.
func (n *Naive) Compare(got *subset.Selection, ids func(schema.Name) []engine.RowID) (wrong []string) {
	for i, table := range n.w.Schema.Tables {
		if got.Tables[i].Table != table.Name {
			return append(wrong, fmt.Sprintf("table %d is %s, want %s", i, got.Tables[i].Table, table.Name))
		}
		if d := n.difference(got.Tables[i], ids(table.Name)); d != "" {
			wrong = append(wrong, table.Name.String()+": "+d)
		}
	}
	return wrong
}

func (n *Naive) difference(part subset.Table, ids []engine.RowID) string {
	marks := n.Marks[part.Table]
	if len(ids) != len(marks) {
		return fmt.Sprintf("%d identities for %d rows", len(ids), len(marks))
	}
	if d := n.orphans(part, ids); d != "" {
		return d
	}
	if n.Whole[part.Table] && len(n.Gone[part.Table]) == 0 && len(n.Nulls[part.Table]) == 0 {
		switch {
		case !part.Whole || part.Rows != nil:
			return "not whole"
		case part.Count >= 0 && part.Count != int64(len(marks)):
			return fmt.Sprintf("%d rows counted, there are %d", part.Count, len(marks))
		}
		return ""
	}
	count := int64(0)
	for row, mark := range marks {
		if part.Rows.Contains(ids[row]) != (mark > 0) {
			return fmt.Sprintf("row %d: selected %v, mark of the naive fix point %d (%s)", row, mark == 0, mark, part.Reason)
		}
		if mark > 0 {
			count++
		}
	}
	if part.Count != count {
		return fmt.Sprintf("count %d, want %d", part.Count, count)
	}
	return ""
}

// Outcome says in a word what kind of selection it is.
func (n *Naive) Outcome() string {
	switch {
	case len(n.Gone) > 0:
		return "orphans dropped"
	case len(n.Nulls) > 0:
		return "orphans nullified"
	}
	return "selected"
}

// orphans tells how what became of a table's orphans differs.
func (n *Naive) orphans(part subset.Table, ids []engine.RowID) string {
	if int(part.Dropped) != len(n.Gone[part.Table]) {
		return fmt.Sprintf("%d rows dropped, want %d", part.Dropped, len(n.Gone[part.Table]))
	}
	for row, id := range ids {
		want := slices.Compact(slices.Sorted(slices.Values(n.Nulls[part.Table][row])))
		var got []string
		for _, p := range part.Nulls {
			if p.Rows.Contains(id) {
				got = append(got, p.Columns...)
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Sprintf("row %d loses %v, want %v", row, got, want)
		}
	}
	return ""
}
