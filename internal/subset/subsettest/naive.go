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
	// hold leads nowhere. Either must fail a selection.
	Needed, Orphans bool

	w    *World
	spec *subset.Spec
	none map[schema.Name]bool
}

// NewNaive computes the subset of a world.
func NewNaive(w *World, spec *subset.Spec) *Naive {
	n := &Naive{w: w, spec: spec, Whole: map[schema.Name]bool{}, none: map[schema.Name]bool{}, Marks: map[schema.Name][]int{}}
	for _, rule := range spec.Rules {
		n.Whole[rule.Table.Name] = rule.Rows == subset.AllRows
		n.none[rule.Table.Name] = rule.Rows == subset.NoneAtAll
	}
	for _, t := range w.Schema.Tables {
		n.Marks[t.Name] = make([]int, len(w.Memory.Rows[t.Name]))
	}
	n.unreached()
	for _, seed := range spec.Seeds {
		n.seed(seed)
	}
	for name := range n.Whole {
		if n.Whole[name] {
			for i := range n.Marks[name] {
				n.Marks[name][i] = 1
			}
		}
	}
	for n.round() {
	}
	n.check()
	return n
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
			if (at[r.To].down || at[r.To].any && n.follows(r)) && !n.Whole[r.From] && !n.none[r.From] {
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
	for _, r := range n.w.Schema.References {
		from := n.w.Schema.Table(r.From)
		children, parents := n.w.Memory.Rows[r.From], n.w.Memory.Rows[r.To]
		for i, child := range children {
			for j, parent := range parents {
				if _, hit := n.references(r, child, parent); !hit {
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
				if (*up == 2 || *up == 1 && n.follows(r)) && holds(from, child, n.rule(r.From)) {
					*mark, changed = 2, true
				}
			}
		}
	}
	return changed
}

func (n *Naive) rule(name schema.Name) string {
	for _, r := range n.spec.Rules {
		if r.Table.Name == name {
			return r.Where
		}
	}
	return ""
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
			if n.Whole[r.To] || r.Part {
				continue
			}
			found := false
			for _, parent := range n.w.Memory.Rows[r.To] {
				_, hit := n.references(r, child, parent)
				found = found || hit
			}
			n.Orphans = n.Orphans || !found
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
	if n.Whole[part.Table] {
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
