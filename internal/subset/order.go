package subset

import "slices"

// feeding knows, by structure alone, which lookups can bring rows that make
// others necessary. A lookup without an index is a scan, so it should wait for
// all that can still add to what it asks for; scans that cannot add to each
// other run side by side.
//
// A state is a node's index doubled for rows that are down, and one more for
// rows that came as parents.
type feeding struct {
	at    map[*node]int
	steps [][]int        // from a state to those that it makes rows of
	seen  map[int][]bool // what a state reaches, itself included, as far as asked for
}

func newFeeding(nodes []*node, edges []*edge) *feeding {
	f := &feeding{at: map[*node]int{}, steps: make([][]int, 2*len(nodes)), seen: map[int][]bool{}}
	for i, n := range nodes {
		f.at[n] = 2 * i
	}
	step := func(from, to int) { f.steps[from] = append(f.steps[from], to) }
	for _, e := range edges {
		from, to := f.at[e.from], f.at[e.to]
		if e.from.mode == partial && !e.closed {
			step(to, from)
			if e.follow {
				step(to+1, from)
			}
		}
		if e.to.mode == partial {
			step(from, to+1)
			step(from+1, to+1)
		}
	}
	return f
}

// reaches tells whether rows in one state can lead to rows in another.
func (f *feeding) reaches(from, to int) bool {
	seen, ok := f.seen[from]
	if !ok {
		seen = make([]bool, len(f.steps))
		seen[from] = true
		for work := []int{from}; len(work) > 0; {
			state := work[len(work)-1]
			work = work[:len(work)-1]
			for _, next := range f.steps[state] {
				if !seen[next] {
					seen[next] = true
					work = append(work, next)
				}
			}
		}
		f.seen[from] = seen
	}
	return seen[to]
}

// A lookup is what is pending for an edge, downward, or for a target, upward.
type lookup struct {
	edge   *edge
	target *target
	keys   int
	// indexed: an index leads to the rows.
	indexed bool
	others  []*edge // whose children can be looked for in the same statement
}

// node is the table whose rows the lookup finds.
func (l lookup) node() *node {
	if l.edge != nil {
		return l.edge.from
	}
	return l.target.node
}

// of is the state of the rows that a job finds.
func (f *feeding) of(j *job) int {
	if j.down {
		return f.at[j.node]
	}
	return f.at[j.node] + 1
}

// makes is the state of the rows that the lookup finds.
func (f *feeding) makes(l lookup) int {
	if l.edge != nil {
		return f.at[l.edge.from]
	}
	return f.at[l.target.node] + 1
}

// feeds tells whether rows in a state can add to what a lookup asks for, or could
// ask for in the same statement.
func (f *feeding) feeds(state int, l lookup) bool {
	down := func(e *edge) bool {
		to := f.at[e.to]
		return f.reaches(state, to) || e.follow && f.reaches(state, to+1)
	}
	if l.edge != nil {
		return down(l.edge) || slices.ContainsFunc(l.others, down)
	}
	return slices.ContainsFunc(l.target.edges, func(e *edge) bool {
		from := f.at[e.from]
		return f.reaches(state, from) || f.reaches(state, from+1)
	})
}

// free chooses the scan to start now: one that no running job and no other
// waiting scan can add to. Of scans that add to each other the fullest goes first.
func (f *feeding) free(scans []lookup, running []*job) *lookup {
	slices.SortStableFunc(scans, func(a, b lookup) int { return b.keys - a.keys })
	for i := range scans {
		blocked := slices.ContainsFunc(running, func(j *job) bool {
			return f.feeds(f.of(j), scans[i])
		})
		for k := range scans {
			mutual := f.feeds(f.makes(scans[i]), scans[k])
			if k != i && f.feeds(f.makes(scans[k]), scans[i]) && (!mutual || k < i) {
				blocked = true
			}
		}
		if !blocked {
			return &scans[i]
		}
	}
	if len(running) == 0 && len(scans) > 0 {
		return &scans[0]
	}
	return nil
}
