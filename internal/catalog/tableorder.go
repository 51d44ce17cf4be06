package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// ordersLast has the statements that put a table's columns and triggers in order run
// behind those that make them. A trigger that is made fires behind all others of its
// moment: where the source has one behind it, the order's statement makes it.
func (p *planner) ordersLast(list []Difference, source *graph) {
	at := make(map[string]int)
	for i, d := range list {
		if d.Kind == "table" && d.Change == Different && d.Renamed == 0 {
			at[d.Object] = i
		}
	}
	for _, f := range p.source.Facts {
		if f.Kind != "table" {
			continue
		}
		own, ok := at[f.Object]
		if !ok {
			own = -1
		}
		for _, part := range f.renamed(p.names).Parts {
			if isOrder(part.Name) && part.Alter != "" {
				p.orderLast(list, source, f.Object, part, own)
			}
		}
	}
}

// orderLast does so for one order of a table; own is the table's difference, -1 for none.
func (p *planner) orderLast(list []Difference, source *graph, table string, order Part, own int) {
	statement := trimmed(order.Alter)
	if order.Name == ColumnOrder && (own < 0 || !slices.ContainsFunc(list[own].Pieces, func(p Piece) bool { return p.Name == order.Name })) { // no column that is made stands elsewhere than it says
		return
	}
	bearer := -1
	var makes []int // by the order's statement
	for i, d := range list {
		kind := d.Kind == "trigger"
		if order.Name == ColumnOrder {
			kind = d.Kind == "column" || d.Kind == "primary key" || d.Kind == "unique" || d.Kind == "index"
		}
		if !kind || d.Table != table || d.Change == Extra || d.SQL == "" || strings.HasPrefix(d.SQL, "--") {
			continue
		}
		if bearer < 0 || d.Place > list[bearer].Place {
			bearer = i
		}
		if create := trimmed(source.facts[factID{d.Kind, d.Object}].renamed(p.names).Create); order.Name == TriggerOrder && create != "" && strings.Contains(statement, create) {
			makes = append(makes, i)
		}
	}
	if bearer < 0 || own >= 0 && list[own].Place > list[bearer].Place && len(makes) == 0 {
		return
	}
	d := &list[bearer]
	if own >= 0 && strings.Contains(list[own].SQL, statement) {
		if rest := slices.DeleteFunc(strings.Split(strings.Replace(list[own].SQL, statement, "", 1), ";\n"), func(s string) bool { return s == "" }); len(rest) > 0 {
			list[own].set(join(rest))
		} else {
			list[own].SQL, list[own].Destructive = together+d.Kind+" "+d.Object, false
		}
	}
	if !slices.Contains(makes, bearer) {
		statement = join([]string{d.SQL, statement})
	}
	d.set(statement)
	for _, i := range makes {
		if i != bearer {
			list[i].SQL, list[i].Destructive = together+d.Kind+" "+d.Object, false
		}
	}
}

// firesInOrder gives each table of the source the statement by which its triggers come to
// fire in its order. One that is made fires behind all others of its moment, so those
// are made, and made again, that come behind the first that is missing, differs or stands
// behind another there. One that comes behind all that stay is made by itself.
func (p *planner) firesInOrder(out *Comparison) {
	source, target := p.graphs()
	differs := make(map[string]bool)
	for _, d := range out.Differences {
		differs[d.Object] = differs[d.Object] || d.Kind == "trigger" && d.Change != Extra
	}
	for i := range p.source.Facts {
		f := &p.source.Facts[i]
		at := slices.IndexFunc(f.Parts, func(p Part) bool { return p.Name == TriggerOrder })
		if at < 0 {
			continue
		}
		object := func(line string) string { return f.Object + "." + strings.SplitN(line, " ", 3)[2] }
		should := Listed(f.Parts[at].Text)
		stay := slices.Clone(should) // of one alone no order is told
		if order := target.facts[factID{f.Kind, f.Object}].part(TriggerOrder); order != "" {
			stay = Listed(order)
		}
		stay = slices.DeleteFunc(stay, func(line string) bool {
			_, there := target.facts[factID{"trigger", object(line)}]
			return !there || differs[object(line)]
		})
		var drops, makes []string
		for len(should) > 0 {
			n := 1
			for n < len(should) && moment(should[n]) == moment(should[0]) {
				n++
			}
			kept := 0
			for _, line := range stay {
				if kept < n && line == should[kept] {
					kept++
				}
			}
			if rest := should[kept:n]; len(rest) > 1 || len(rest) == 1 && !differs[object(rest[0])] {
				for _, line := range rest {
					made := source.facts[factID{"trigger", object(line)}].renamed(p.names)
					drops = append(drops, strings.Replace(trimmed(made.Drop), "DROP TRIGGER ", "DROP TRIGGER IF EXISTS ", 1))
					makes = append(makes, trimmed(made.Create))
				}
			}
			should = should[n:]
		}
		f.Parts = slices.Clone(f.Parts)
		f.Parts[at].Alter = join(append(drops, makes...))
	}
}

// moment is when the trigger in a line of an order fires.
func moment(line string) string { return strings.Join(strings.SplitN(line, " ", 3)[:2], " ") }

// togetherFirst has the rows of a table that is parted in another way lie together while
// what its partitions are by changes, on either side: unique keys hold the columns of both.
func (p *planner) togetherFirst(list []Difference, source, target *graph) {
	for i, d := range list {
		parted := d.Kind == "table" && d.Change == Different && slices.ContainsFunc(d.Pieces, func(p Piece) bool {
			return p.Name == Partitions && p.Source != "" && p.Target != ""
		})
		if !parted || !runs(d) {
			continue
		}
		id := factID{d.Kind, d.Object}
		by := slices.Concat(source.placed[id], target.placed[id])
		first := i
		for j, o := range list {
			if o.Table == d.Object && o.Change != Extra && runs(o) && slices.Contains(by, factID{o.Kind, cmp.Or(o.there, o.Object)}) && !onlyComes(o) && o.Place < list[first].Place {
				first = j
			}
		}
		for _, part := range target.facts[factID{d.Kind, cmp.Or(d.there, d.Object)}].Parts {
			if part.Name == Partitions && part.Clear != "" && first != i {
				list[first].set(join([]string{part.Clear, list[first].SQL}))
			}
		}
	}
}

// onlyComes tells of a difference whether it changes nothing that is there.
func onlyComes(d Difference) bool { return d.Kind == "column" && d.Change == Missing }

// turns gives triggers their places among those of their table, as they fire.
func (c *Catalog) turns() map[string]int {
	orders, out := make(map[string][]string), make(map[string]int)
	for _, f := range c.Facts {
		if order := f.part(TriggerOrder); order != "" {
			orders[f.Object] = Listed(order)
		}
	}
	for _, f := range c.Facts {
		if f.Kind == "trigger" {
			out[f.Object] = slices.IndexFunc(orders[f.Table], func(line string) bool { return strings.HasSuffix(line, " "+last(f.Object)) })
		}
	}
	return out
}
