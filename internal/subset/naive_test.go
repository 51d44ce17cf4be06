package subset

import (
	"slices"
	"sort"

	"understudy/internal/schema"
)

// naive computes a subset the slow way: every reference is tried on every pair
// of rows until nothing changes. It shares no code with the closure.
type naive struct {
	w       *world
	spec    *Spec
	whole   map[schema.Name]bool
	none    map[schema.Name]bool
	marks   map[schema.Name][]int // per row: 0 out, 1 parent, 2 down
	needed  bool                  // a row of a none table is needed
	orphans bool                  // a reference that must hold leads nowhere
}

func newNaive(w *world, spec *Spec) *naive {
	n := &naive{w: w, spec: spec, whole: map[schema.Name]bool{}, none: map[schema.Name]bool{}, marks: map[schema.Name][]int{}}
	for _, rule := range spec.Rules {
		n.whole[rule.Table.Name] = rule.Rows == AllRows
		n.none[rule.Table.Name] = rule.Rows == NoneAtAll
	}
	for _, t := range w.schema.Tables {
		n.marks[t.Name] = make([]int, len(w.memory.rows[t.Name]))
	}
	n.unreached()
	for _, seed := range spec.Seeds {
		n.seed(seed)
	}
	for name := range n.whole {
		if n.whole[name] {
			for i := range n.marks[name] {
				n.marks[name][i] = 1
			}
		}
	}
	for n.round() {
	}
	n.check()
	return n
}

// unreached makes tables whole that no path of references connects to a start.
func (n *naive) unreached() {
	type mark struct{ down, any bool }
	at := map[schema.Name]*mark{}
	for _, t := range n.w.schema.Tables {
		at[t.Name] = &mark{}
	}
	for _, s := range n.spec.Seeds {
		*at[s.Table.Name] = mark{true, true}
	}
	for range 4 * len(n.w.schema.Tables) {
		for _, r := range n.w.schema.References {
			if n.whole[r.From] || at[r.From].any {
				if !n.whole[r.To] && !n.none[r.To] {
					at[r.To].any = true
				}
			}
			if (at[r.To].down || at[r.To].any && n.follows(r)) && !n.whole[r.From] && !n.none[r.From] {
				*at[r.From] = mark{true, true}
			}
		}
	}
	if n.spec.Unreached == Empty {
		return
	}
	for _, t := range n.w.schema.Tables {
		if !at[t.Name].any && !n.none[t.Name] {
			n.whole[t.Name] = true
		}
	}
}

func (n *naive) follows(r schema.Reference) bool {
	return slices.ContainsFunc(n.spec.Follow, func(f schema.Reference) bool { return f.Name == r.Name })
}

func (n *naive) seed(s Seed) {
	t := s.Table
	type pick struct {
		row  int
		hash uint64
	}
	var picks []pick
	for i, row := range n.w.memory.rows[t.Name] {
		if !holds(t, row, s.Where) {
			continue
		}
		p := pick{row: i}
		if s.Percent != 0 || s.Limit != 0 {
			p.hash = testSample(t.Name)(naiveKey(t, row))
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
			n.w.memory.order(findOrdered(t, s.Order), rows)
			for i := range picks {
				picks[i].row = rows[i]
			}
		}
		picks = picks[:min(len(picks), int(s.Limit))]
	}
	for _, p := range picks {
		n.marks[t.Name][p.row] = 2
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
func (n *naive) references(r schema.Reference, child, parent []*string) (key, hit bool) {
	from, to := n.w.schema.Table(r.From), n.w.schema.Table(r.To)
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
func (n *naive) round() (changed bool) {
	for _, r := range n.w.schema.References {
		from := n.w.schema.Table(r.From)
		children, parents := n.w.memory.rows[r.From], n.w.memory.rows[r.To]
		for i, child := range children {
			for j, parent := range parents {
				if _, hit := n.references(r, child, parent); !hit {
					continue
				}
				mark := &n.marks[r.From][i]
				up := &n.marks[r.To][j]
				if *mark > 0 && *up == 0 && !n.none[r.To] && !n.whole[r.To] {
					*up, changed = 1, true
				}
				if n.whole[r.To] || n.whole[r.From] || n.none[r.From] || *mark == 2 {
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

func (n *naive) rule(name schema.Name) string {
	for _, r := range n.spec.Rules {
		if r.Table.Name == name {
			return r.Where
		}
	}
	return ""
}

// check looks for rows that are needed and cannot be had.
func (n *naive) check() {
	for _, r := range n.w.schema.References {
		for i, child := range n.w.memory.rows[r.From] {
			if n.marks[r.From][i] == 0 {
				continue
			}
			if key, _ := n.references(r, child, nil); !key {
				continue
			}
			if n.none[r.To] {
				n.needed = true
				continue
			}
			if n.whole[r.To] || r.Part || !r.Declared && !r.Valid {
				continue
			}
			found := false
			for _, parent := range n.w.memory.rows[r.To] {
				_, hit := n.references(r, child, parent)
				found = found || hit
			}
			n.orphans = n.orphans || !found
		}
	}
}
