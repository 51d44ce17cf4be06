package catalog

import (
	"maps"
	"slices"
	"strings"
)

// withhold takes statements back that would fail: of what needs an object that no
// statement makes, and what goes from under one that no statement takes away.
func (p *planner) withhold(list []Difference, source, target *graph, comes, goes func(factID) []int) {
	stays := func(i int, change string) bool {
		return list[i].Change == change && !runs(list[i]) && !Together(list[i].SQL)
	}
	for again := true; again; {
		again = false
		leave := func(i int, of factID, why string) {
			d := &list[i]
			again = true
			create := trimmed(source.facts[of].renamed(p.names).Create)
			if rest := strings.Replace(d.SQL, ";\n"+create, "", 1); d.Object != of.object && create != "" && rest != d.SQL {
				d.SQL = join([]string{rest, "-- left out: " + of.kind + " " + of.object + " " + why})
				return
			}
			d.SQL, d.Destructive, d.with, d.after = "-- no statement: "+why, false, nil, nil
		}
		for _, of := range sorted(source.on) {
			for _, on := range source.on[of] {
				for _, a := range comes(of) {
					made := trimmed(source.facts[of].renamed(p.names).Create)
					if !runs(list[a]) || list[a].Object != of.object && !strings.Contains(list[a].SQL, made) {
						continue
					}
					if slices.ContainsFunc(comes(on), func(b int) bool { return b != a && stays(b, Missing) }) {
						leave(a, of, "needs "+on.kind+" "+on.object+", which no statement makes")
					}
				}
			}
		}
		for _, of := range sorted(target.on) {
			for _, on := range target.on[of] {
				for _, b := range goes(on) {
					if list[b].Change == Extra && runs(list[b]) && slices.ContainsFunc(goes(of), func(a int) bool {
						return a != b && (stays(a, Extra) || (bound(of.kind) || of.kind == "column") && stays(a, Different))
					}) {
						leave(b, on, of.kind+" "+of.object+" depends on it, which no statement takes away")
					}
				}
			}
		}
	}
	p.ties = slices.DeleteFunc(p.ties, func(t tie) bool {
		return slices.ContainsFunc(append(source.on[t.id], t.id), func(id factID) bool {
			return slices.ContainsFunc(comes(id), func(i int) bool { return stays(i, Missing) })
		})
	})
}

// sorted gives what has dependencies in one order.
func sorted(on map[factID][]factID) []factID {
	return slices.SortedFunc(maps.Keys(on), byID)
}
