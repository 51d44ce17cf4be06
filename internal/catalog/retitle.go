package catalog

import (
	"fmt"
	"slices"
	"strings"

	atlas "ariga.io/atlas/sql/schema"

	"understudy/internal/schema"
)

// A retitled table is one that the source calls otherwise than the target. It is
// compared as if the target called it so too, and its statements are to be run when the
// target does: else all that differs in it would be hidden behind its name.
type retitled struct {
	was  schema.Name // in the target's schema names
	is   string
	pair Difference // that says so
	// schemas of the target, one of which may bear the table's name
	schemas []string
}

// retitle finds the tables that most probably only have another name in the target,
// and gives the target as if they had the source's. Atlas's half of it is changed in
// place, until undo.
func retitle(src, dst *inventory, target *Catalog, names map[string]string) (as *Catalog, all []retitled, undo func()) {
	only := func(list []Difference) []Difference {
		return slices.DeleteFunc(list, func(d Difference) bool { return d.Kind != "table" })
	}
	gone, more, _ := sides(src, dst)
	gone, more = only(gone), only(more)
	var schemas []string
	for _, f := range target.Facts {
		if name := schemaOf(f.Object); f.Kind == "table" && !slices.Contains(schemas, name) {
			schemas = append(schemas, name)
		}
	}
	r := &renamer{src: src, dst: dst, here: members(src), there: members(dst)}
	for _, p := range r.pairs("table", gone, more) {
		one := underTwoNames(gone[p.gone], more[p.more], p.sure)
		was, err := schema.ParseName(requalify(one.there, names))
		is, bad := schema.ParseName(requalify(one.Object, names))
		if err == nil && bad == nil && len(was) == 2 && len(is) == 2 {
			all = append(all, retitled{schema.Name{Schema: was[0], Table: was[1]}, is[1], one, schemas})
		}
	}
	if len(all) == 0 {
		return target, nil, func() {}
	}
	as = new(Catalog)
	*as = *target
	as.Facts, as.Depends = slices.Clone(target.Facts), slices.Clone(target.Depends)
	changed := make(map[*atlas.Table]string)
	for _, t := range all {
		for i := range as.Facts {
			if strings.HasSuffix(as.Facts[i].Kind, "schema") { // named after itself
				continue
			}
			f := as.Facts[i].rewritten(t.write)
			if old := as.Facts[i]; slices.Contains(target.dialect.ByText, f.Kind) {
				f.Definition, f.Parts = old.Definition, old.Parts
			} else {
				for k, p := range old.Parts {
					if p.Name == "comment" { // words
						f.Parts[k].Text = p.Text
					}
				}
				if f.Kind == "comment" {
					f.Definition = old.Definition
				}
			}
			f.Parts = target.dialect.follow(f, as.Facts[i].Object, f.Object)
			as.Facts[i] = f
		}
		for i := range as.Depends {
			d := &as.Depends[i]
			d.Of.Object, d.On.Object = t.write(d.Of.Object), t.write(d.On.Object)
		}
		if table := target.table(t.was.Schema, t.was.Table); table != nil {
			changed[table], table.Name = table.Name, t.is
		}
	}
	return as, all, func() {
		for table, name := range changed {
			table.Name = name
		}
	}
}

// underTwoNames tells a pair as one difference with its confidence.
func underTwoNames(from, to Difference, sure float64) Difference {
	one := from
	one.Change, one.there, one.Objects = Different, to.Object, 1
	one.Detail = fmt.Sprintf("name: %s is %s in target, most probably (%d %% sure)", last(from.Object), last(to.Object), int(sure*100))
	one.Pieces = []Piece{{OwnName, last(from.Object), last(to.Object)}}
	one.Renamed = sure
	return one
}

// tell puts the names into the comparison of all else.
func (p *planner) tell(out *Comparison) {
	for _, t := range p.retitled {
		d := t.pair
		d.set("ALTER TABLE " + p.source.dialect.quote(t.was.Schema, t.was.Table) + " RENAME TO " + p.source.dialect.quote(t.is))
		out.Differences = append(out.Differences, d)
	}
}

// tableWords are the words behind which a text names a table, with its schema or without.
var tableWords = []string{"TABLE", "ONLY", "ON", "FROM", "JOIN", "INTO", "UPDATE", "REFERENCES"}

// write gives the table its name of the source in a text: wherever its schema stands
// before it, or one of these words, or a column behind it. A routine may bear its name,
// and so may a schema; what stands in single quotes is a value, unless it is told to be
// the name of a relation.
func (t retitled) write(text string) string {
	var b strings.Builder
	var before, last string // the words before, as far as nothing but a dot or spaces stands between
	dotted := false
	for i := 0; i < len(text); {
		if text[i] == '\'' {
			end := literalEnd(text, i)
			if strings.HasPrefix(text[end:], "::regclass") {
				b.WriteString("'" + t.write(text[i+1:end-1]) + "'")
			} else {
				b.WriteString(text[i:end])
			}
			before, last, dotted, i = "", "", false, end
			continue
		}
		word, end := wordAt(text, i)
		if word == "" {
			if text[i] == '.' {
				dotted = true
			} else if text[i] > ' ' {
				before, last, dotted = "", "", false
			}
			b.WriteByte(text[i])
			i++
			continue
		}
		quote := text[i : i+1]
		if quote != "`" && quote != `"` {
			quote = ""
		}
		follows := func(char byte) bool { return end < len(text) && text[end] == char }
		named := func(word string) bool {
			return slices.ContainsFunc(tableWords, func(w string) bool { return strings.EqualFold(w, word) })
		}
		table := word == t.was.Table
		switch {
		case !table:
		case dotted:
			table = last == t.was.Schema && (!follows('(') || named(before))
		case follows('.'):
			table = !slices.Contains(t.schemas, word)
		default:
			table = named(last)
		}
		inner := word
		if quote != "" && strings.ContainsAny(word, " .") && word != t.was.Table {
			inner = t.write(word) // a name made of others', as of what a comment is on
		}
		switch {
		case table && quote == "`":
			b.WriteString("`" + strings.ReplaceAll(t.is, "`", "``") + "`")
		case table:
			b.WriteString(schema.Ident(t.is))
		case inner != word:
			b.WriteString(quote + strings.ReplaceAll(inner, quote, quote+quote) + quote)
		default:
			b.WriteString(text[i:end])
		}
		if !dotted {
			before = last
		}
		last, dotted, i = word, false, end
	}
	return b.String()
}

// literalEnd is where the text in single quotes that begins at i has ended.
func literalEnd(text string, i int) int {
	for j := i + 1; j < len(text); j++ {
		if text[j] != '\'' {
			continue
		}
		if j+1 < len(text) && text[j+1] == '\'' {
			j++
			continue
		}
		return j + 1
	}
	return len(text)
}
