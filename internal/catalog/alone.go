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
			if f.Kind == "table" || f.Kind == "partition" && len(c.alone[f.Object]) > 0 {
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
