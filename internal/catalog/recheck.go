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
	var drops, makes []string
	gone := make(map[string]bool) // views that go for a while
	for _, kind := range []string{"trigger", "view"} {
		for _, f := range p.target.Facts {
			id := factID{f.Kind, f.Object}
			drop := trimmed(target.facts[id].Drop)
			if f.Kind != kind || drop == "" {
				continue
			}
			if i, told := at[id]; told {
				if d := &list[i]; d.Change == Different && strings.HasPrefix(d.SQL, drop+";\n") {
					drops, d.SQL = append(drops, drop), strings.TrimPrefix(d.SQL, drop+";\n")
				}
				continue
			}
			if create := trimmed(source.facts[id].renamed(p.names).Create); create != "" && create != trimmed(target.facts[id].Create) {
				drops = append(drops, drop)
				if !slices.ContainsFunc(list, func(d Difference) bool { return strings.Contains(";\n"+d.SQL+";\n", ";\n"+create+";\n") }) { // with a table that is made anew
					makes = append(makes, create)
				}
				gone[f.Object] = gone[f.Object] || kind == "view"
			}
		}
	}
	slices.Reverse(makes) // triggers behind the views that they are on
	for _, f := range p.source.Facts {
		id := factID{f.Kind, f.Object}
		create := trimmed(f.renamed(p.names).Create)
		if _, told := at[id]; f.Kind == "trigger" && gone[f.Table] && !told && create == trimmed(target.facts[id].Create) {
			makes = append(makes, create) // it went with its view
		}
	}
	if len(drops) == 0 {
		return
	}
	list[first].SQL = join(append(drops, list[first].SQL))
	list[last].SQL = join(append([]string{list[last].SQL}, makes...))
}
