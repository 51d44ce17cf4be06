package rules

import (
	"slices"

	"understudy/internal/schema"
)

// A graph holds the columns of a schema as numbers, in the order of tables and
// columns, and which columns each one takes its decision from.
type graph struct {
	tables  []*schema.Table
	first   []int // number of a table's first column
	columns []node
	byTable map[schema.Name]int
}

// A node is one column.
type node struct {
	table  *schema.Table
	column *schema.Column
	// follows are the columns whose decision this one takes over: those it
	// references, those of inheritance parents. Sorted, without itself.
	follows []edge
	// tied is set when a foreign key or declared reference touches the column.
	tied bool
	// group numbers the strongly connected columns: those that follow each other in a circle.
	group int
}

type edge struct {
	to       int
	by       Source
	declared bool // only the job says so: no database holds the values to it
}

func newGraph(s *schema.Schema, without map[schema.Name]bool) *graph {
	g := &graph{byTable: map[schema.Name]int{}}
	for i := range s.Tables {
		t := &s.Tables[i]
		if without[t.Name] {
			continue
		}
		g.byTable[t.Name] = len(g.tables)
		g.tables = append(g.tables, t)
		g.first = append(g.first, len(g.columns))
		for j := range t.Columns {
			g.columns = append(g.columns, node{table: t, column: &t.Columns[j]})
		}
	}
	for _, t := range g.tables {
		for _, parent := range t.Inherits {
			for _, c := range t.Columns {
				g.connect(g.number(t.Name, c.Name), g.number(parent, c.Name), ByParent, false)
			}
		}
	}
	for _, r := range s.References {
		for i := range min(len(r.Columns), len(r.ToColumns)) {
			g.connect(g.number(r.From, r.Columns[i]), g.number(r.To, r.ToColumns[i]), ByReference, r.Declared)
		}
	}
	for i := range g.columns {
		slices.SortFunc(g.columns[i].follows, func(a, b edge) int { return a.to - b.to })
	}
	g.findGroups()
	return g
}

// number gives a column's number, -1 if there is none.
func (g *graph) number(table schema.Name, column string) int {
	t, ok := g.byTable[table]
	if !ok {
		return -1
	}
	i := slices.IndexFunc(g.tables[t].Columns, func(c schema.Column) bool { return c.Name == column })
	if i < 0 {
		return -1
	}
	return g.first[t] + i
}

// connect adds an edge. A generated column has no decision to take over and
// takes none; its values follow from the columns it is computed from.
func (g *graph) connect(from, to int, by Source, declared bool) {
	if from < 0 || to < 0 || g.columns[from].column.Generated || g.columns[to].column.Generated {
		return
	}
	if by == ByReference {
		g.columns[from].tied, g.columns[to].tied = true, true
	}
	if from == to {
		return
	}
	for i, e := range g.columns[from].follows {
		if e.to == to {
			if by == ByReference {
				g.columns[from].follows[i].by = by
			}
			g.columns[from].follows[i].declared = e.declared && declared
			return
		}
	}
	g.columns[from].follows = append(g.columns[from].follows, edge{to, by, declared})
}

// findGroups numbers the strongly connected components so that a group's
// number is larger than those of all groups it follows (Tarjan's algorithm, with
// a stack of its own because chains may be long).
func (g *graph) findGroups() {
	n := len(g.columns)
	index, low, onStack := make([]int, n), make([]int, n), make([]bool, n)
	var stack []int
	next, group := 1, 0
	type frame struct{ at, edge int }
	for start := range n {
		if index[start] != 0 {
			continue
		}
		work := []frame{{start, 0}}
		for len(work) > 0 {
			f := &work[len(work)-1]
			if f.edge == 0 {
				index[f.at], low[f.at] = next, next
				next++
				stack, onStack[f.at] = append(stack, f.at), true
			} else if c := g.columns[f.at].follows[f.edge-1].to; onStack[c] {
				low[f.at] = min(low[f.at], low[c])
			}
			if f.edge < len(g.columns[f.at].follows) {
				c := g.columns[f.at].follows[f.edge].to
				f.edge++
				if index[c] == 0 {
					work = append(work, frame{c, 0})
				}
				continue
			}
			if low[f.at] == index[f.at] {
				for {
					c := stack[len(stack)-1]
					stack, onStack[c] = stack[:len(stack)-1], false
					g.columns[c].group = group
					if c == f.at {
						break
					}
				}
				group++
			}
			work = work[:len(work)-1]
		}
	}
}

// groups gives the columns of each group, those that are followed before those that follow.
func (g *graph) groups() [][]int {
	var out [][]int
	for i := range g.columns {
		for len(out) <= g.columns[i].group {
			out = append(out, nil)
		}
		out[g.columns[i].group] = append(out[g.columns[i].group], i)
	}
	return out
}

// components gives each column the number of its connected component, and each
// component its columns in order.
func (g *graph) components() (of []int, members [][]int) {
	of = make([]int, len(g.columns))
	for i := range of {
		of[i] = i
	}
	root := func(i int) int {
		for of[i] != i {
			of[i] = of[of[i]]
			i = of[i]
		}
		return i
	}
	for i := range g.columns {
		for _, e := range g.columns[i].follows {
			a, b := root(i), root(e.to)
			of[max(a, b)] = min(a, b)
		}
	}
	number := map[int]int{}
	for i := range of {
		r := root(i)
		k, ok := number[r]
		if !ok {
			k = len(members)
			number[r] = k
			members = append(members, nil)
		}
		members[k] = append(members[k], i)
	}
	for k, m := range members {
		for _, i := range m {
			of[i] = k
		}
	}
	return of, members
}

// isEnd tells whether column i follows none of members but those that follow it
// as well. Members always hold at least one: the one with the smallest group.
func (g *graph) isEnd(i int, members []int) bool {
	for _, j := range members {
		if g.columns[j].group != g.columns[i].group {
			continue
		}
		for _, e := range g.columns[j].follows {
			if g.columns[e.to].group != g.columns[i].group && slices.Contains(members, e.to) {
				return false
			}
		}
	}
	return true
}

// name gives schema.table.column of a column, as it is written in a file.
func (n *node) name() string { return n.table.Name.String() + "." + schema.Ident(n.column.Name) }
