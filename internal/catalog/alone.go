package catalog

import (
	"maps"
	"slices"
	"strings"
)

// byThemselves gives both sides as if the tables that are partitions on one of them alone
// were tables of their own there: else all that differs in them would be hidden behind
// that. A difference tells of each that it is a partition; its statement takes the table
// out before all else, or puts it in once it has what it needs.
func byThemselves(source, target *Catalog, names map[string]string) (src, dst *Catalog, parted []Difference) {
	back := backwards(names)
	find := func(c *Catalog, rename map[string]string) map[factID]Fact {
		all := make(map[factID]Fact)
		for _, f := range c.Facts {
			if f.Kind == "table" || f.Kind == "partition" && len(c.alone[f.Object]) > 0 && c.alone[f.Object][0]().Kind == "table" {
				all[factID{f.Kind, requalify(f.Object, rename)}] = f
			}
		}
		return all
	}
	here, there := find(source, nil), find(target, back)
	loose := func(change string, parts, tables map[factID]Fact, rename, write map[string]string) map[string]bool {
		out := make(map[string]bool)
		for _, id := range slices.SortedFunc(maps.Keys(parts), byID) {
			f := parts[id]
			if _, table := tables[factID{"table", id.object}]; id.kind != "partition" || !table {
				continue
			}
			out[f.Object] = true
			told := f.renamed(rename)
			d := Difference{Kind: id.kind, Object: id.object, Table: told.Table, Change: change, Detail: "a table of its own in target", Pieces: pieces(&told, nil), SQL: trimmed(f.renamed(write).Alter), Objects: 1, parted: true}
			if change == Extra {
				d.Detail, d.Pieces, d.SQL = "a table of its own in source", pieces(nil, &told), trimmed(f.Clear)
			}
			parted = append(parted, d)
		}
		return out
	}
	src, dst = source, target
	if out := loose(Missing, here, there, nil, names); len(out) > 0 {
		src = source.loosened(out)
	}
	if out := loose(Extra, there, here, back, nil); len(out) > 0 {
		dst = target.loosened(out)
	}
	return src, dst, parted
}

// loosened gives the catalog as if some partitions were tables of their own.
func (c *Catalog) loosened(partitions map[string]bool) *Catalog {
	out := new(Catalog)
	*out = *c
	out.Facts, out.Depends = nil, slices.Clone(c.Depends)
	for _, f := range c.Facts {
		switch {
		case f.Kind == "partition" && partitions[f.Object]:
			for _, fact := range c.alone[f.Object] {
				out.Facts = append(out.Facts, fact())
			}
		case f.Kind == "trigger" && partitions[f.Table] && strings.HasPrefix(f.Definition, AsParted): // it is there with that alone
		default:
			out.Facts = append(out.Facts, f)
		}
	}
	slices.SortStableFunc(out.Facts, byKind)
	for i := range out.Depends {
		for _, ref := range []*Ref{&out.Depends[i].Of, &out.Depends[i].On} {
			if ref.Kind == "partition" && partitions[ref.Object] {
				ref.Kind = "table"
			}
		}
	}
	return out
}

// asNoHeirs gives both sides as if the tables that inherit from others on one of them alone,
// or from other ones, inherited nothing: with the checks that they have of these, which an
// heir has to have before it is one, and which stay when it is none any more. A check that
// an heir has by itself too is no difference where it only has it of its table.
func asNoHeirs(source, target *Catalog, names map[string]string) (src, dst *Catalog) {
	back := backwards(names)
	read := func(c *Catalog, rename map[string]string) (parents map[string]string, checks map[factID]Fact) {
		parents, checks = make(map[string]string), make(map[factID]Fact)
		for _, f := range c.Facts {
			if f.Kind == "table" || f.Kind == "foreign table" {
				parents[requalify(f.Object, rename)] += ""
			}
			if f.Kind == "inheritance" {
				parents[requalify(f.Object, rename)] = requalify(f.Definition, rename)
			}
		}
		for table, all := range c.alone {
			if _, here := parents[requalify(table, rename)]; !here {
				continue
			}
			for _, fact := range all {
				if f := fact().renamed(rename); f.Kind == "check" {
					checks[factID{f.Kind, f.Object}] = f
				}
			}
		}
		return parents, checks
	}
	if len(source.alone) == 0 && len(target.alone) == 0 {
		return source, target
	}
	here, inherited := read(source, nil)
	there, has := read(target, back)
	as := func(c *Catalog, rename map[string]string, other map[factID]Fact) *Catalog {
		out := new(Catalog)
		*out = *c
		out.Facts = slices.DeleteFunc(slices.Clone(c.Facts), func(f Fact) bool {
			same, ok := other[factID{f.Kind, requalify(f.Object, rename)}]
			return ok && f.Under != "" && f.renamed(rename).text() == same.text()
		})
		for table, all := range c.alone {
			table = requalify(table, rename)
			is, ok := here[table]
			if was, both := there[table]; !ok || !both || is == was {
				continue
			}
			for _, fact := range all {
				if f := fact(); f.Kind == "check" {
					out.Facts = append(out.Facts, f)
				}
			}
		}
		slices.SortStableFunc(out.Facts, byKind)
		return out
	}
	return as(source, nil, has), as(target, back, inherited)
}

// betweenTables has the checks of a table that inherits from other tables change while it
// inherits from none.
func betweenTables(list []Difference, target *graph) {
	for i := range list {
		d := &list[i]
		drop := trimmed(target.facts[factID{d.Kind, d.Object}].Drop)
		rest, ok := strings.CutPrefix(d.SQL, drop+";\n")
		if d.Kind != "inheritance" || d.Change != Different || !ok {
			continue
		}
		var goes, comes []string
		for k := range list {
			c := &list[k]
			switch {
			case c.Kind != "check" || c.Table != d.Object || !runs(*c):
				continue
			case c.Change == Extra:
				goes = append(goes, c.SQL)
			default:
				comes = append(comes, c.SQL)
			}
			c.SQL, c.Destructive = together+d.Kind+" "+d.Object, false
		}
		d.set(join(slices.Concat([]string{drop}, goes, comes, []string{rest})))
	}
}
