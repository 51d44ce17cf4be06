package catalog

import (
	"cmp"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// handed is what columns hand down to those of heirs and of partitions, by differences.
type handed struct {
	with map[int]string  // the one by whose statements this one is closed
	own  map[int][]Piece // what is left of one that another's statements close in part
	// around are statements for heirs and partitions, before and after those of the column.
	around map[int]struct{ before, after []string }
}

// isHanded tells of a column's part whether an heir's is changed by its table's alone.
func isHanded(part string) bool {
	return part == "type" || part == "collation" || part == "generated" || part == OwnName
}

// handDown finds what the statements of columns close, or spoil, of columns that are
// inherited, and of a partition's own: what an heir has otherwise is its own statement's.
func (p *planner) handDown(out *Comparison, source, target map[factID]Fact) handed {
	h := handed{make(map[int]string), make(map[int][]Piece), make(map[int]struct{ before, after []string })}
	at := make(map[string]int)
	for i, d := range out.Differences {
		if d.Kind == "column" {
			at[d.Object] = i
		}
	}
	back := backwards(p.names)
	for i, d := range out.Differences {
		switch {
		case d.Kind == "column":
			p.inherit(&h, out.Differences, i, at, source, target)
		case d.Kind == "partition" && d.Change == Different:
			is, was := source[factID{d.Kind, d.Object}], target[factID{d.Kind, d.Object}]
			with := ""
			own := slices.DeleteFunc(slices.Clone(d.Pieces), func(piece Piece) bool {
				follows := requalify(is.piece(piece.Name).Follows.Column, back)
				part := is.piece(piece.Name).Follows.Part
				if part == "" {
					follows, part = requalify(was.piece(piece.Name).Follows.Column, back), was.piece(piece.Name).Follows.Part
				}
				j, ok := at[follows]
				ok = ok && part != "" && sets(out.Differences[j], part)
				if ok {
					with = "column " + follows
				}
				return ok
			})
			if len(own) == 0 {
				h.with[i] = with
			} else if with != "" {
				h.own[i] = own
			}
		}
	}
	for _, f := range p.source.Facts { // which keep their own
		if _, there := target[factID{f.Kind, f.Object}]; !there {
			continue
		}
		for _, part := range f.Parts {
			j, ok := at[part.Follows.Column]
			if ok && sets(out.Differences[j], part.Follows.Part) && out.Differences[j].Change != Extra && source[factID{"column", part.Follows.Column}].part(part.Follows.Part) != part.Text {
				around := h.around[j]
				around.after = append(around.after, source[factID{f.Kind, f.Object}].piece(part.Name).Alter)
				h.around[j] = around
			}
		}
	}
	return h
}

// sets tells whether the statements of a column's difference set a part of it.
func sets(d Difference, part string) bool {
	return d.Change != Different || slices.ContainsFunc(d.Pieces, func(p Piece) bool { return p.Name == part })
}

// inherit tells what becomes of one column that may come from another.
func (p *planner) inherit(h *handed, list []Difference, i int, at map[string]int, source, target map[factID]Fact) {
	d := list[i]
	from := func(d Difference) (int, bool) {
		of := source[factID{d.Kind, d.Object}].Through
		was := target[factID{d.Kind, cmp.Or(d.there, d.Object)}]
		switch d.Change {
		case Extra:
			of = was.Through
		case Different:
			of = cmp.Or(of, source[factID{d.Kind, d.Object}].Under)
		}
		if d.Change == Different && cmp.Or(was.Through, was.Under) == "" || slices.ContainsFunc(list, func(o Difference) bool {
			return o.Kind == "inheritance" && o.Object == d.Table && o.Change == d.Change && d.Change != Different
		}) {
			return 0, false // it is no heir yet, or no more
		}
		j, ok := at[requalify(of, backwards(p.names))]
		return j, ok && of != "" && list[j].Change == d.Change && (d.Renamed == 0 || last(list[j].there) == last(d.there))
	}
	j, ok := from(d)
	if !ok {
		return
	}
	first := j
	for k, more := from(list[first]); more; k, more = from(list[first]) {
		first = k
	}
	is, parent := source[factID{d.Kind, d.Object}], source[factID{d.Kind, list[j].Object}]
	around := h.around[first]
	switch d.Change {
	case Missing:
		for _, name := range partNames(is, parent) {
			mine, its := is.piece(name), parent.piece(name)
			switch {
			case isHanded(name) || mine.Text == its.Text && (name == "default" || name == "null"):
			case mine.Text != "":
				around.after = append(around.after, mine.Alter)
			case name == "default" || name == "null":
				around.after = append(around.after, strings.Replace(strings.Replace(its.Clear, "TABLE ONLY ", "TABLE ", 1), sqlTable(p, parent), sqlTable(p, is), 1))
			}
		}
	case Different:
		with := func(piece Piece) bool {
			return (isHanded(piece.Name) || is.piece(piece.Name).Follows.Column != "") && sets(list[j], piece.Name)
		}
		if !slices.ContainsFunc(d.Pieces, with) {
			return
		}
		if is.Again != "" && recast(d.Pieces) {
			around.after = append(around.after, trimmed(is.Again))
		}
		if !slices.ContainsFunc(d.Pieces, func(piece Piece) bool { return !with(piece) }) {
			break
		}
		there := target[factID{d.Kind, cmp.Or(d.there, d.Object)}]
		statements := piecewise(slices.DeleteFunc(slices.Clone(d.Pieces), func(piece Piece) bool { return piece.Name == OwnName }), is, there)
		if statements == nil {
			return
		}
		shared := func(sql string) bool { // with the column that it comes from
			return slices.ContainsFunc(d.Pieces, func(piece Piece) bool {
				part := is.piece(piece.Name)
				return with(piece) && (sql == trimmed(part.Alter) || sql == trimmed(part.Add) || sql == trimmed(there.piece(piece.Name).Clear))
			})
		}
		at := max(0, slices.IndexFunc(statements, shared))
		around.before = append(around.before, statements[:at]...)
		around.after = append(around.after, slices.DeleteFunc(statements[at:], shared)...)
	}
	h.with[i], h.around[first] = d.Kind+" "+list[first].Object, around
}

// sqlTable writes the name of a column's table as its statements do.
func sqlTable(p *planner, column Fact) string {
	parts, err := schema.ParseName(column.Table)
	if err != nil {
		return column.Table
	}
	return p.source.dialect.quote(parts...)
}

// piece gives a part by its name; an empty one if there is none.
func (f Fact) piece(name string) Part {
	if i := slices.IndexFunc(f.Parts, func(p Part) bool { return p.Name == name }); i >= 0 {
		return f.Parts[i]
	}
	return Part{}
}
