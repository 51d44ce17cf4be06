package catalog

import (
	"maps"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// likely is the least confidence with which two names are taken for one thing, alikeInAll
// that of two columns that differ in nothing but name and place.
const likely, alikeInAll = 0.65, 0.45

// A renamer joins a column or a table that is missing with one that is too much,
// where they are most probably one under two names: tables first (see retitle).
type renamer struct {
	src, dst *inventory
	dialect  Dialect                // of the target
	order    map[string][2][]string // the columns of a table in both sides' order
	// members are the columns of each table with their types, by side.
	here, there map[string]map[string]bool
}

// join takes pairs of columns out of both lists and tells each as one difference with
// its confidence. Differences in other objects are left out where nothing but the name
// of what was renamed, one of the tables too, differs in them.
func (r *renamer) join(differ, gone, more []Difference, titles []retitled) (d, g, m []Difference) {
	r.order = make(map[string][2][]string)
	for id, fs := range r.src.facts {
		if id.kind == "table" {
			there := ""
			if f := r.dst.facts[id]; f != nil {
				there = f[0].part(ColumnOrder)
			}
			r.order[id.object] = [2][]string{Listed(fs[0].part(ColumnOrder)), Listed(there)}
		}
	}
	var renamed []Difference
	follows := func(d Difference) bool { // a view does not by the names of its own columns
		here, there := r.src.facts[factID{d.Kind, d.Object}], r.dst.facts[factID{d.Kind, d.Object}]
		return !slices.Contains(r.dialect.ByText, d.Kind) && (here == nil || there == nil || here[0].Shape == there[0].Shape)
	}
	for _, t := range titles {
		renamed = append(renamed, t.pair)
	}
	list := r.pairs("column", gone, more)
	for _, p := range list {
		renamed = append(renamed, underTwoNames(gone[p.gone], more[p.more], p.sure))
	}
	columns := renamed[len(titles):]
	for i := range columns {
		r.besides(&columns[i], renamed)
	}
	differ = r.reorder(append(differ, columns...), columns)
	for _, p := range list {
		gone[p.gone].Kind, more[p.more].Kind = "", "" // taken
	}
	taken := func(d Difference) bool { return d.Kind == "" }
	gone, more = slices.DeleteFunc(gone, taken), slices.DeleteFunc(more, taken)
	differ = slices.DeleteFunc(differ, func(d Difference) bool {
		return d.Renamed == 0 && follows(d) && slices.ContainsFunc(renamed, func(one Difference) bool {
			return (d.Table == one.Table || mentions(d, one.Table)) && onlyNamed(d, last(one.Object), last(one.there))
		})
	})
	// What bears another name too, such as the server makes of the column's.
	gone, more, pairs := paired(gone, more, r.src, r.dst, func(table, t, u string) bool {
		return slices.ContainsFunc(columns, func(one Difference) bool {
			return one.Table == table && sameBut(t, u, strings.Trim(last(one.Object), `"`), strings.Trim(last(one.there), `"`))
		})
	})
	return append(differ, pairs...), gone, more
}

// besides tells what else differs in a column that has another name in the target. What
// is computed from columns that were renamed follows their names.
func (r *renamer) besides(one *Difference, renamed []Difference) {
	there := slices.Clone(r.dst.facts[factID{one.Kind, one.there}])
	if len(there) > 0 {
		there[0].Parts = r.dialect.follow(there[0], one.there, one.Object)
	}
	_, all := differ(r.src.facts[factID{one.Kind, one.Object}], there)
	for _, p := range all {
		if p.Name == "generated" && slices.ContainsFunc(renamed, func(o Difference) bool {
			return onlyNamed(Difference{Kind: one.Kind, Change: Different, Pieces: []Piece{p}}, last(o.Object), last(o.there))
		}) {
			continue
		}
		one.Pieces, one.Detail = append(one.Pieces, p), one.Detail+"; "+contrast(p.Name, p.Source, p.Target)
	}
}

// reorder tells of tables whose columns stand in another order once these have their names.
func (r *renamer) reorder(differing, columns []Difference) []Difference {
	there := make(map[string][]string) // by table, the target's order in the source's names
	for _, c := range columns {
		if there[c.Table] == nil {
			there[c.Table] = slices.Clone(r.order[c.Table][1])
		}
		if at := slices.Index(there[c.Table], last(c.there)); at >= 0 {
			there[c.Table][at] = last(c.Object)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(there)) {
		x, y := strings.Join(r.order[table][0], "\n"), strings.Join(there[table], "\n")
		p := Piece{ColumnOrder, common(x, y), common(y, x)}
		if p.Source == p.Target {
			continue
		}
		at := slices.IndexFunc(differing, func(d Difference) bool {
			return d.Kind == "table" && d.Object == table && d.Change == Different && d.Renamed == 0
		})
		if at < 0 {
			differing = append(differing, Difference{Kind: "table", Object: table, Table: table, Change: Different, Detail: ColumnOrder, Pieces: []Piece{p}, Objects: 1})
			continue
		}
		d := &differing[at]
		if k := slices.IndexFunc(d.Pieces, func(p Piece) bool { return p.Name == ColumnOrder }); k >= 0 {
			d.Pieces[k] = p
		} else {
			d.Pieces, d.Detail = append(d.Pieces, p), d.Detail+"; "+ColumnOrder
		}
	}
	return differing
}

// calls gives what writes a column's new name in the statements of its own that call it
// by the old one, in quotes: behind its table, or by itself and not behind the word for one.
func calls(from, to string) func(string) string {
	return func(text string) string {
		var b strings.Builder
		depth, before := 0, "" // the dots before, and the word before those
		for i := 0; i < len(text); {
			if text[i] == '\'' {
				end := literalEnd(text, i)
				b.WriteString(text[i:end])
				i = end
				continue
			}
			word, end := wordAt(text, i)
			if word == "" {
				if text[i] == '.' {
					depth++
				}
				b.WriteByte(text[i])
				i++
				continue
			}
			if i == 0 || text[i-1] != '.' {
				depth = 0
			}
			quote := text[i : i+1]
			if (quote == "`" || quote == `"`) && word == from && (depth == 2 || depth == 0 && !strings.EqualFold(before, "TABLE")) {
				b.WriteString(quote + strings.ReplaceAll(to, quote, quote+quote) + quote)
			} else {
				b.WriteString(text[i:end])
			}
			before, i = word, end
		}
		return b.String()
	}
}

// mentions tells whether each side of a difference names a table.
func mentions(d Difference, table string) bool {
	name := strings.Trim(last(table), `"`)
	return !slices.ContainsFunc(d.Pieces, func(p Piece) bool { return !hasWord(p.Source, name) || !hasWord(p.Target, name) })
}

func hasWord(text, name string) bool {
	for i := 0; i < len(text); {
		word, end := wordAt(text, i)
		if word == name {
			return true
		}
		i = max(end, i+1)
	}
	return false
}

// onlyNamed tells whether the sides of a difference are equal but for a name that
// the source writes in one way and the target in another.
func onlyNamed(d Difference, source, target string) bool {
	if d.Change != Different || len(d.Pieces) == 0 || d.Kind == "table" && !slices.ContainsFunc(d.Pieces, func(p Piece) bool { return p.Name != ColumnOrder }) {
		return false
	}
	return !slices.ContainsFunc(d.Pieces, func(p Piece) bool {
		return !sameBut(p.Source, p.Target, strings.Trim(source, `"`), strings.Trim(target, `"`))
	})
}

// sameBut compares two texts word by word: wherever they differ, one has the one
// name and the other the other.
func sameBut(a, b, one, other string) bool {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if a[i] == '\'' && b[j] == '\'' { // a value is no name, unless it is told to be a relation's
			xEnd, yEnd := literalEnd(a, i), literalEnd(b, j)
			if x, y := a[i:xEnd], b[j:yEnd]; x != y && (!strings.HasPrefix(a[xEnd:], "::regclass") || !sameBut(strings.Trim(x, "'"), strings.Trim(y, "'"), one, other)) {
				return false
			}
			i, j = xEnd, yEnd
			continue
		}
		x, xEnd := wordAt(a, i)
		y, yEnd := wordAt(b, j)
		switch {
		case x == "" && y == "":
			if a[i] != b[j] {
				return false
			}
			i, j = i+1, j+1
		case x == y, x == one && y == other:
			i, j = xEnd, yEnd
		default:
			return false
		}
	}
	return i == len(a) && j == len(b)
}

// A pair is one thing under two names, by its places in both lists.
type pair struct {
	gone, more int
	sure       float64
}

// surest gives the one of several that most probably is the thing looked for, and how
// sure that is; -1 for none.
func surest(n int, sure func(i int) float64) (at int, most float64) {
	at = -1
	second := 0.0
	for i := range n {
		if s := sure(i); s > most {
			at, most, second = i, s, most
		} else {
			second = max(second, s)
		}
	}
	if most < likely || most-second < 0.05 { // nobody can tell which of two it is
		return -1, 0
	}
	return at, most
}

// pairs finds those whose best match is each other.
func (r *renamer) pairs(kind string, gone, more []Difference) []pair {
	heirs := make(map[[2]string][]pair) // of two columns by the names of these, theirs by them
	if kind == "column" {
		for g := range gone {
			for m := range more {
				if gone[g].Table != more[m].Table {
					continue
				}
				if x, y := r.tops(gone[g], more[m]); x != "" && y != "" {
					heirs[[2]string{x, y}] = append(heirs[[2]string{x, y}], pair{gone: g, more: m})
				}
			}
		}
	}
	sure := func(g, m int) float64 {
		if gone[g].Kind != kind || more[m].Kind != kind || kind == "column" && gone[g].Table != more[m].Table {
			return 0
		}
		if kind == "table" {
			return r.tables(gone[g], more[m])
		}
		if x, y := r.tops(gone[g], more[m]); x != "" && y != "" {
			return 0 // what heirs have is called as their table's is
		}
		most := r.columns(gone[g], more[m])
		for _, h := range heirs[[2]string{gone[g].Object, more[m].Object}] {
			most = max(most, r.columns(gone[h.gone], more[h.more]))
		}
		return most
	}
	var out []pair
	for g := range gone {
		if gone[g].Kind != kind {
			continue
		}
		m, most := surest(len(more), func(i int) float64 { return sure(g, i) })
		if m < 0 {
			continue
		}
		if back, _ := surest(len(gone), func(i int) float64 { return sure(i, m) }); back == g {
			out = append(out, pair{g, m, most})
			for _, h := range heirs[[2]string{gone[g].Object, more[m].Object}] {
				out = append(out, pair{h.gone, h.more, most})
			}
		}
	}
	return out
}

// tops gives, of two columns that tables inherit, those that they are in the end
// inherited from; empty for those that are not.
func (r *renamer) tops(a, b Difference) (x, y string) {
	top := func(inv *inventory, object string) (at string) {
		for f := inv.facts[factID{"column", object}]; f != nil && f[0].Through != "" && f[0].Through != at; f = inv.facts[factID{"column", at}] {
			at = f[0].Through
		}
		return at
	}
	if a.Kind != "column" || b.Kind != "column" {
		return "", ""
	}
	return top(r.src, a.Object), top(r.dst, b.Object)
}

// columns tells how sure it is that two columns of a table are one: they have
// one type; the rest is like; they stand at the same place, which says little at
// the end, where columns are added; their names are alike.
func (r *renamer) columns(a, b Difference) float64 {
	x, y := r.src.facts[factID{"column", a.Object}][0], r.dst.facts[factID{"column", b.Object}][0]
	if x.part("type") != y.part("type") {
		return 0
	}
	sure := 0.3
	if !slices.ContainsFunc(partNames(x, y), func(n string) bool { return n != "comment" && x.part(n) != y.part(n) }) {
		sure = alikeInAll
	}
	order := r.order[a.Table]
	return min(sure+placedAlike(order[0], order[1], last(a.Object), last(b.Object)), 0.99)
}

// placedAlike tells of two columns how much their places and names say that they are one.
func placedAlike(here, there []string, a, b string) (sure float64) {
	if before, end := place(here, a); before != "" {
		if other, alsoEnd := place(there, b); other == before {
			if end || alsoEnd {
				sure = 0.05
			} else {
				sure = 0.2
			}
		}
	}
	return sure + 0.35*alike(a, b)
}

// carried gives the columns of a table that holds rows of its own, of which only their
// names are known, by which the rows come into one that is made anew, as both sides call
// them: those of one name, and behind them those that most probably have another there.
func carried(source, target string) (to, from []string) {
	here, there := Listed(source), Listed(target)
	to = Listed(common(source, target))
	from = slices.Clone(to)
	only := func(list, other []string) (out []string) {
		return slices.DeleteFunc(slices.Clone(list), func(c string) bool { return slices.Contains(other, c) })
	}
	gone, more := only(here, there), only(there, here)
	sure := func(g, m int) float64 { return alikeInAll + placedAlike(here, there, gone[g], more[m]) }
	for g := range gone {
		if m, _ := surest(len(more), func(i int) float64 { return sure(g, i) }); m >= 0 {
			if back, _ := surest(len(gone), func(i int) float64 { return sure(i, m) }); back == g {
				to, from = append(to, gone[g]), append(from, more[m])
			}
		}
	}
	return to, from
}

// place gives the column before one, and whether it is the last.
func place(order []string, name string) (before string, end bool) {
	at := slices.Index(order, name)
	switch {
	case at < 0:
		return "", false
	case at == 0:
		return "the first", at == len(order)-1
	}
	return order[at-1], at == len(order)-1
}

// tables tells how sure it is that two tables are one, by the columns that they share.
func (r *renamer) tables(a, b Difference) float64 {
	x, y := r.here[a.Object], r.there[b.Object]
	if schemaOf(a.Object) != schemaOf(b.Object) {
		return 0 // it would have moved as well
	}
	both := 0
	for c := range x {
		if y[c] {
			both++
		}
	}
	all := len(x) + len(y) - both
	if both < 2 || all == 0 {
		return 0
	}
	return min(0.75*float64(both)/float64(all)+0.25*alike(last(a.Object), last(b.Object)), 0.99)
}

func schemaOf(object string) string {
	parts, err := schema.ParseName(object)
	if err != nil || len(parts) < 2 {
		return ""
	}
	return parts[0]
}

// members lists the columns of each table with their types.
func members(inv *inventory) map[string]map[string]bool {
	out := make(map[string]map[string]bool)
	for id, fs := range inv.facts {
		if id.kind == "column" {
			if out[fs[0].Table] == nil {
				out[fs[0].Table] = make(map[string]bool)
			}
			out[fs[0].Table][last(id.object)+" "+fs[0].part("type")] = true
		}
	}
	return out
}

// alike is from 0 to 1 how alike two names are: 0.8 at least if one holds the
// other, else by the letters to change.
func alike(a, b string) float64 {
	a, b = strings.ToLower(strings.Trim(a, `"`)), strings.ToLower(strings.Trim(b, `"`))
	longest := max(len(a), len(b))
	if longest == 0 {
		return 0
	}
	out := 1 - float64(schema.Distance(a, b, longest))/float64(longest)
	if min(len(a), len(b)) >= 3 && (strings.Contains(a, b) || strings.Contains(b, a)) {
		out = max(out, 0.8)
	}
	return out
}
