package postgres

import "understudy/internal/schema"

// components orders tables so that every table stands behind those it refers
// to. Tables that refer to each other in a circle stand together. needs gives
// the tables a table refers to; others than those given are left out.
func components(tables []schema.Name, needs func(schema.Name) []schema.Name) [][]schema.Name {
	// Tarjan's algorithm gives each circle after all that it leads to.
	w := walk{needs: needs, index: map[schema.Name]int{}, low: map[schema.Name]int{}, open: map[schema.Name]bool{}, known: map[schema.Name]bool{}}
	for _, t := range tables {
		w.known[t] = true
	}
	for _, t := range tables {
		if w.index[t] == 0 {
			w.visit(t)
		}
	}
	return w.out
}

// A walk is one pass over the tables.
type walk struct {
	needs      func(schema.Name) []schema.Name
	known      map[schema.Name]bool
	index, low map[schema.Name]int // from 1
	open       map[schema.Name]bool
	stack      []schema.Name
	out        [][]schema.Name
}

func (w *walk) visit(t schema.Name) {
	w.index[t] = len(w.index) + 1
	w.low[t] = w.index[t]
	w.stack, w.open[t] = append(w.stack, t), true
	for _, n := range w.needs(t) {
		switch {
		case !w.known[n]:
		case w.index[n] == 0:
			w.visit(n)
			w.low[t] = min(w.low[t], w.low[n])
		case w.open[n]:
			w.low[t] = min(w.low[t], w.index[n])
		}
	}
	if w.low[t] != w.index[t] {
		return
	}
	for i := len(w.stack) - 1; ; i-- {
		w.open[w.stack[i]] = false
		if w.stack[i] == t {
			w.out = append(w.out, append([]schema.Name(nil), w.stack[i:]...))
			w.stack = w.stack[:i]
			return
		}
	}
}
