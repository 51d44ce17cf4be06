package catalog

import (
	"fmt"
	"slices"

	"understudy/internal/schema"
)

// newName gives the names of an index or constraint that only bears another one in the
// target, and its table; false for other differences.
func (p *planner) newName(d Difference) (table []string, from, to string, ok bool) {
	if p.source.dialect.Rename == nil || d.Change != Different || d.Renamed > 0 || len(d.Pieces) != 1 || d.Pieces[0].Name != OwnName {
		return nil, "", "", false
	}
	from, to = bareLast(d.there), bareLast(d.Object)
	if d.Kind == "primary key" { // told by its table
		from, to = d.Pieces[0].Target, d.Pieces[0].Source
	}
	table, err := schema.ParseName(requalify(d.Table, p.names))
	return table, from, to, err == nil && d.SQL != "" && d.SQL == p.source.dialect.Rename(d.Kind, table, from, to)
}

// swaps has each index and constraint get its name once that is free: behind the one that
// bears it in the target. Of a circle one steps aside for a while.
func (p *planner) swaps(list []Difference, first func(a int, bs []int)) {
	type place struct{ within, name string }
	of := func(d Difference, name string) place {
		if p.source.dialect.Unqualified { // each table has names of its own
			return place{d.Table, name}
		}
		return place{schemaOf(d.Table), name}
	}
	bears := make(map[place]int)
	for i, d := range list {
		if _, from, _, ok := p.newName(d); ok {
			bears[of(d, from)] = i
		}
	}
	wants := make(map[int]int) // of two that are renamed: whose name
	for i, d := range list {
		name := bareLast(d.Object)
		_, _, to, ok := p.newName(d)
		if ok {
			name = to
		}
		j, borne := bears[of(d, name)]
		switch {
		case !borne || j == i || d.Change == Extra || !checked(d.Kind) && d.Kind != "primary key" && d.Kind != "foreign key":
		case ok:
			wants[i] = j
		default: // it is made under that name
			first(i, []int{j})
		}
	}
	for i := range list {
		j, ok := wants[i]
		for at, seen := j, 0; ok && seen <= len(wants); seen++ {
			if at == i {
				p.stepAside(list, i, j)
				delete(wants, i)
				break
			}
			next, more := wants[at]
			if at = next; !more {
				break
			}
		}
	}
	for i, j := range wants {
		first(i, []int{j})
	}
}

// stepAside frees the name that one difference needs of another, which gets its own later.
func (p *planner) stepAside(list []Difference, needs, bears int) {
	d := &list[bears]
	taken := func(name string) bool {
		return slices.ContainsFunc(slices.Concat(p.source.Facts, p.target.Facts), func(f Fact) bool { return bareLast(f.Object) == name })
	}
	n := 1
	for taken(fmt.Sprint("aside_", n)) {
		n++
	}
	aside := fmt.Sprint("aside_", n)
	table, from, to, _ := p.newName(*d)
	list[needs].set(join([]string{p.source.dialect.Rename(d.Kind, table, from, aside), list[needs].SQL}))
	d.set(p.source.dialect.Rename(d.Kind, table, aside, to))
}
