package catalog

import (
	"cmp"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// joint has one statement of a table do what no two could do one after the other: a
// column that counts comes, ceases to count or goes with the keys that it counts by, and
// a key takes the place of another under a foreign key, whose name it may bear, or which
// the database drops by itself once it is not needed.
func (p *planner) joint(list []Difference) {
	if !p.source.dialect.Joint {
		return
	}
	source, target := p.graphs()
	at, changed := make(map[factID]int), make(map[factID]bool)
	for i, d := range list {
		changed[factID{d.Kind, d.Object}], changed[factID{d.Kind, cmp.Or(d.there, d.Object)}] = true, true
		if d.SQL != "" && !strings.HasPrefix(d.SQL, "--") && d.Renamed == 0 && (d.Kind == "column" || d.Kind == "primary key" || d.Kind == "unique" || d.Kind == "index") {
			at[factID{d.Kind, cmp.Or(d.there, d.Object)}], at[factID{d.Kind, d.Object}] = i, i
		}
	}
	groups := make([]int, len(list)) // by difference, that of those it is done with
	for i := range groups {
		groups[i] = i
	}
	unite := func(ids []factID) {
		first := make(map[string]int) // by table
		for _, id := range ids {
			i, ok := at[id]
			if !ok {
				continue
			}
			of := list[i].Table
			if _, ok := first[of]; !ok {
				first[of] = i
			}
			from, to := groups[i], groups[first[of]]
			for k := range groups {
				if groups[k] == from {
					groups[k] = to
				}
			}
		}
	}
	for _, g := range []*graph{source, target} {
		for id, f := range g.facts {
			if f.part(countsOn) == "" {
				continue
			}
			ids := append([]factID{id}, slices.Concat(source.on[id], target.on[id])...)
			for _, key := range ids {
				if key.kind == "primary key" { // keeps its columns from NULL
					ids = append(ids, slices.Concat(source.placed[key], target.placed[key])...)
				}
			}
			unite(ids)
		}
	}
	for id, all := range source.joint {
		if !changed[id] { // else it is not there while they change
			unite(all)
		}
	}
	for id := range source.on {
		if id.kind != "foreign key" || changed[id] {
			continue
		}
		goes := func(on factID) bool {
			i, ok := at[on]
			return ok && on.kind != "column" && list[i].Change != Missing
		}
		if slices.ContainsFunc(target.on[id], goes) {
			unite(slices.DeleteFunc(slices.Concat(source.on[id], target.on[id]), func(on factID) bool { return on.kind == "column" }))
		}
	}
	members := make(map[int][]int)
	for i, g := range groups {
		members[g] = append(members[g], i)
	}
	for _, all := range members {
		if len(all) > 1 && p.unite(list, all) {
			p.free(list, all, source, target, changed)
		}
	}
}

// free has foreign keys gone while a statement for several differences makes one of their
// columns NOT NULL: one that does nothing else may do so under them.
func (p *planner) free(list []Difference, all []int, source, target *graph, changed map[factID]bool) {
	bearer := &list[all[len(all)-1]]
	for _, i := range all {
		d := list[i]
		if d.Kind != "column" || d.Change != Different || !slices.ContainsFunc(d.Pieces, func(p Piece) bool { return p.Name == "null" && p.Source != "" }) {
			continue
		}
		for _, of := range target.of[factID{d.Kind, cmp.Or(d.there, d.Object)}] {
			if of.kind != "foreign key" || changed[of] || source.facts[of].Create == "" || slices.Contains(bearer.with, of) {
				continue
			}
			bearer.with = append(bearer.with, of)
			if p.again[of] == nil {
				p.again[of] = []string{}
			}
		}
	}
}

// unite gives the last of some differences of one table the one statement for all, and
// has all end with it; false where there is none.
func (p *planner) unite(list []Difference, all []int) bool {
	table, err := schema.ParseName(requalify(list[all[0]].Table, p.names))
	if err != nil {
		return false
	}
	prefix := "ALTER TABLE " + p.source.dialect.quote(table[len(table)-1]) + " "
	var order []string // a column that comes behind another that comes is said behind it
	for _, f := range p.source.Facts {
		if f.Kind == "table" && f.Object == list[all[0]].Table {
			order = Listed(f.part(ColumnOrder))
		}
	}
	slices.SortFunc(all, func(a, b int) int {
		return cmp.Or(cmp.Compare(list[a].rank(), list[b].rank()), slices.Index(order, last(list[a].Object))-slices.Index(order, last(list[b].Object)), cmp.Compare(a, b))
	})
	var before, parts []string
	for _, i := range all {
		statements := strings.Split(list[i].SQL, ";\n")
		if n := len(statements) - 1; list[i].Kind == "column" { // one that goes halfway does so before
			before, statements = append(before, statements[:n]...), statements[n:]
		}
		for _, s := range statements {
			part, ok := strings.CutPrefix(s, prefix)
			if !ok {
				return false
			}
			parts = append(parts, part)
		}
	}
	bearer := &list[all[len(all)-1]]
	for _, i := range all {
		d := &list[i]
		if d == bearer {
			continue
		}
		for _, id := range d.with { // keys under several of them are dropped once
			if !slices.Contains(bearer.with, id) {
				bearer.with = append(bearer.with, id)
			}
		}
		bearer.after = append(bearer.after, d.after...)
		for k := range list { // what was to be closed with it
			if list[k].SQL == together+d.Kind+" "+d.Object {
				list[k].SQL = together + bearer.Kind + " " + bearer.Object
			}
		}
		d.SQL, d.Destructive, d.with, d.after = together+bearer.Kind+" "+bearer.Object, false, nil, nil
	}
	bearer.set(join(append(before, prefix+strings.Join(parts, ", "))))
	return true
}

// rank is where a difference stands among others by its kind alone: what goes comes
// before what comes, last things first.
func (d Difference) rank() int {
	k := cmp.Or(rank[d.Kind], 1000)
	if d.Change == Extra {
		return -k
	}
	return k
}
