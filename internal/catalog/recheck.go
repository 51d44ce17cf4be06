package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// clearForNames takes views and triggers away before the first table or column gets its
// name, or the first column goes, and makes them again behind the last, where the database
// refuses that as long as one of them does not work: it never did, or names what has gone
// by then or has not come, or has columns of its own that are called otherwise and what
// names those is not written anew. Those of them that differ in nothing else are not told
// by themselves, and close here.
func (p *planner) clearForNames(list []Difference, source, target *graph) {
	if !p.source.dialect.Rechecks {
		return
	}
	first, last := -1, -1
	named := false // a column gets another name
	at := make(map[factID]int)
	for i, d := range list {
		at[factID{d.Kind, d.Object}] = i
		name := strings.Contains(d.SQL, " RENAME COLUMN ")
		if !runs(d) || !name && !strings.Contains(d.SQL, " DROP COLUMN ") && (d.Kind != "table" || d.Renamed == 0) {
			continue
		}
		named = named || name
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
	names := func(sql, object string) bool { return hasWord(strings.ToLower(sql), strings.ToLower(bareLast(object))) }
	create := func(id factID) string { return trimmed(source.facts[id].renamed(p.names).Create) }
	fails := func(id factID) bool {
		f := target.facts[id]
		_, told := at[id]
		return source.facts[id].Fails || f.Fails || slices.ContainsFunc(list, func(d Difference) bool {
			gone := d.Change == Extra && holder(d.Kind) && d.Object != f.Table
			anew := told && strings.Contains(d.SQL, "\nDROP TABLE ") && d.Place < list[last].Place
			return gone && names(f.Definition, d.Object) || anew && names(f.Definition, cmp.Or(d.Table, d.Object))
		})
	}
	away := make(map[factID]bool) // that go for a while
	bearer := func(f Fact) int {  // of the statement that drops it and makes what takes its place
		return slices.IndexFunc(list, func(d Difference) bool { return strings.HasPrefix(d.SQL, trimmed(f.Drop)+";\n") })
	}
	can := func(f Fact) bool {
		i, told := at[factID{f.Kind, f.Object}]
		if !rechecked(f.Kind) || trimmed(f.Drop) == "" {
			return false
		}
		b := bearer(f)
		return !told || list[i].Change == Different && (b == i || Together(list[i].SQL)) || list[i].Change == Extra && b >= 0 && list[b].Place > list[first].Place
	}
	for _, f := range p.target.Facts {
		id := factID{f.Kind, f.Object}
		_, told := at[id]
		away[id] = can(f) && (fails(id) || named && (told || create(id) != "" && create(id) != trimmed(f.Create)))
	}
	for again := true; again; { // what names one that is away does not work either
		again = false
		for _, f := range p.target.Facts {
			id := factID{f.Kind, f.Object}
			if away[id] || !can(f) {
				continue
			}
			for of, is := range away {
				if is && of.kind == "view" && (f.Table == of.object || names(f.Definition, of.object)) {
					away[id], again = true, true
					break
				}
			}
		}
	}
	var drops, makes []string
	for _, kind := range []string{"trigger", "view"} { // a view's triggers go with it
		for _, f := range p.target.Facts {
			if id := (factID{f.Kind, f.Object}); f.Kind == kind && away[id] {
				drops = append(drops, trimmed(f.Drop))
				if b := bearer(f); b >= 0 {
					list[b].SQL = strings.TrimPrefix(list[b].SQL, trimmed(f.Drop)+";\n")
				}
			}
		}
	}
	for _, kind := range []string{"view", "trigger"} {
		for i := range list { // that come too early
			d := &list[i]
			if d.Kind == kind && (away[factID{d.Kind, d.Object}] || d.Change == Missing) && runs(*d) && d.Place < list[last].Place {
				makes = append(makes, d.SQL)
				d.SQL, d.Destructive = together+list[last].Kind+" "+list[last].Object, false
			}
		}
		for _, f := range p.source.Facts {
			id := factID{f.Kind, f.Object}
			_, there := target.facts[id]
			_, told := at[id]
			if f.Kind != kind || !away[id] && (there || told) || create(id) == "" {
				continue
			}
			made := ";\n" + create(id) + ";\n"
			holds := func(sql string) bool { return strings.Contains(";\n"+sql+";\n", made) }
			i := slices.IndexFunc(list, func(d Difference) bool { return holds(d.SQL) }) // with what is made anew, or its table
			switch {
			case i >= 0 && list[i].Place < list[last].Place:
				list[i].SQL = strings.TrimSuffix(strings.TrimPrefix(strings.Replace(";\n"+list[i].SQL+";\n", made, ";\n", 1), ";\n"), ";\n")
				makes = append(makes, create(id))
			case i < 0 && away[id] && !slices.ContainsFunc(makes, holds):
				makes = append(makes, create(id))
			}
		}
	}
	list[first].SQL = join(append(drops, list[first].SQL))
	list[last].SQL = join(append([]string{list[last].SQL}, makes...))
}

// rechecked tells of a kind whether the database looks whether such an object works.
func rechecked(kind string) bool { return kind == "view" || kind == "trigger" }
