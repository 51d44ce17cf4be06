package catalog

import (
	"slices"
	"strings"
)

// clearForNames takes views and triggers away before the first column gets its name, and
// makes them again behind the last, where the database refuses a name with which one of
// them would not work: a view's own columns are called otherwise then, and what names
// those is not written anew. Those of them that differ in nothing else are not told by
// themselves, and close here.
func (p *planner) clearForNames(list []Difference, source, target *graph) {
	if !p.source.dialect.Rechecks {
		return
	}
	first, last := -1, -1
	at := make(map[factID]int)
	for i, d := range list {
		at[factID{d.Kind, d.Object}] = i
		if !runs(d) || !strings.Contains(d.SQL, " RENAME COLUMN ") {
			continue
		}
		if first < 0 || d.Place < list[first].Place {
			first = i
		}
		if last < 0 || d.Place > list[last].Place {
			last = i
		}
	}
	if first < 0 {
		return
	}
	away := make(map[factID]bool) // that go for a while
	own := make(map[factID]bool)  // of those, the ones that their own differences make again
	for _, f := range p.target.Facts {
		id := factID{f.Kind, f.Object}
		drop := trimmed(target.facts[id].Drop)
		if f.Kind != "trigger" && f.Kind != "view" || drop == "" {
			continue
		}
		if i, told := at[id]; told {
			if d := &list[i]; d.Change == Different && strings.HasPrefix(d.SQL, drop+";\n") {
				away[id], own[id] = true, true
				d.SQL = strings.TrimPrefix(d.SQL, drop+";\n")
			}
			continue
		}
		create := trimmed(source.facts[id].renamed(p.names).Create)
		away[id] = create != "" && create != trimmed(target.facts[id].Create)
	}
	for again := true; again; { // what names one that is away does not work either
		again = false
		for _, f := range p.target.Facts {
			id := factID{f.Kind, f.Object}
			if _, told := at[id]; told || away[id] || f.Kind != "trigger" && f.Kind != "view" || source.facts[id].Create == "" {
				continue
			}
			for of, is := range away {
				if is && of.kind == "view" && (f.Table == of.object || hasWord(f.Create, bareLast(of.object))) {
					away[id], again = true, true
					break
				}
			}
		}
	}
	var drops, makes []string
	for _, kind := range []string{"trigger", "view"} {
		for _, f := range p.target.Facts {
			id := factID{f.Kind, f.Object}
			if f.Kind != kind || !away[id] {
				continue
			}
			drops = append(drops, trimmed(target.facts[id].Drop))
			create := trimmed(source.facts[id].renamed(p.names).Create)
			if !own[id] && !slices.ContainsFunc(list, func(d Difference) bool { return strings.Contains(";\n"+d.SQL+";\n", ";\n"+create+";\n") }) { // with what is made anew
				makes = append(makes, create)
			}
		}
	}
	if len(drops) == 0 {
		return
	}
	slices.Reverse(makes) // triggers behind the views that they are on
	list[first].SQL = join(append(drops, list[first].SQL))
	list[last].SQL = join(append([]string{list[last].SQL}, makes...))
}
