package subsettest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"understudy/internal/schema"
	"understudy/internal/subset"
)

// World is a random schema with random rows.
type World struct {
	Schema *schema.Schema
	Memory *Memory
	r      *rand.Rand
}

// NewWorld makes a world from a seed. Its tables stand in the given schemas.
func NewWorld(seed uint64, schemas ...string) *World {
	r := rand.New(rand.NewPCG(seed, 2))
	w := &World{r: r, Schema: &schema.Schema{}}
	for i := range 1 + r.IntN(30) {
		w.table(i, schemas[r.IntN(len(schemas))])
	}
	for range r.IntN(2*len(w.Schema.Tables) + 1) {
		w.reference()
	}
	w.Schema.Sort()
	w.Memory = NewMemory()
	w.Memory.Chunk = 1 + r.IntN(7)
	w.fill()
	return w
}

// table makes a table with an integer, text or composite key, sometimes a
// unique column beside it, and a number w for conditions.
func (w *World) table(i int, in string) {
	t := schema.Table{Name: schema.Name{Schema: in, Table: fmt.Sprintf("t%02d", i)}, Rows: -1, Bytes: -1}
	kind := []schema.Kind{schema.Integer, schema.Integer, schema.Text}[w.r.IntN(3)]
	t.Columns = append(t.Columns, schema.Column{Name: "id", Kind: kind, NotNull: true})
	key := []string{"id"}
	if w.r.IntN(4) == 0 {
		t.Columns = append(t.Columns, schema.Column{Name: "id2", Kind: schema.Integer, NotNull: true})
		key = []string{"id", "id2"}
		if w.r.IntN(2) == 0 {
			key = []string{"id2", "id"}
		}
	}
	if w.r.IntN(8) != 0 {
		t.Keys = append(t.Keys, schema.Key{Name: "pk", Columns: key, Primary: true, NotNull: true})
	}
	t.Columns = append(t.Columns, schema.Column{Name: "w", Kind: schema.Integer, NotNull: true})
	if w.r.IntN(3) == 0 {
		t.Columns = append(t.Columns, schema.Column{Name: "u", Kind: schema.Text, FoldCase: w.r.IntN(3) == 0})
		t.Keys = append(t.Keys, schema.Key{Name: "u", Columns: []string{"u"}})
	}
	w.Schema.Tables = append(w.Schema.Tables, t)
}

// reference adds a foreign key, or a declared relation, between two random
// tables, which may be one; its columns are new ones or, sometimes, used before.
func (w *World) reference() {
	from := &w.Schema.Tables[w.r.IntN(len(w.Schema.Tables))]
	to := &w.Schema.Tables[w.r.IntN(len(w.Schema.Tables))]
	ref := schema.Reference{Name: fmt.Sprintf("fk%d", len(w.Schema.References)), From: from.Name, To: to.Name,
		Valid: true, Indexed: w.r.IntN(4) != 0}
	switch {
	case w.r.IntN(5) == 0:
		ref.Declared, ref.Valid, ref.ToColumns = true, false, []string{"w"}
		if len(to.Keys) > 0 && w.r.IntN(2) == 0 {
			ref.ToColumns = slices.Clone(to.Keys[w.r.IntN(len(to.Keys))].Columns)
		}
		if w.r.IntN(2) == 0 {
			ref.When = fmt.Sprintf("w < %d", w.r.IntN(11))
		}
	case len(to.Keys) == 0:
		return
	default:
		ref.ToColumns = slices.Clone(to.Keys[w.r.IntN(len(to.Keys))].Columns)
	}
	switch w.r.IntN(12) {
	case 0:
		ref.Part = true
	case 1:
		ref.Valid = false
	}
	notNull := w.r.IntN(3) == 0
	for i := range ref.ToColumns {
		kind, fold := to.Column(ref.ToColumns[i]).Kind, to.Column(ref.ToColumns[i]).FoldCase
		name := fmt.Sprintf("%s_%d", ref.Name, i)
		if old := w.usedBefore(from, kind, fold); old != "" && w.r.IntN(12) == 0 && !slices.Contains(ref.Columns, old) {
			ref.Columns = append(ref.Columns, old)
			continue
		}
		if ref.Declared && kind == schema.Integer && w.r.IntN(3) == 0 {
			kind = schema.Text // which writes the number
		}
		from.Columns = append(from.Columns, schema.Column{Name: name, Kind: kind, FoldCase: fold, NotNull: notNull})
		ref.Columns = append(ref.Columns, name)
	}
	w.Schema.References = append(w.Schema.References, ref)
}

func (w *World) usedBefore(t *schema.Table, kind schema.Kind, fold bool) string {
	for _, c := range t.Columns {
		if c.Kind == kind && c.FoldCase == fold && c.Name[0] == 'f' {
			return c.Name
		}
	}
	return ""
}

// fill makes rows: keys first, then references to what stands there.
func (w *World) fill() {
	perTable := w.r.IntN(30)
	for i := range w.Schema.Tables {
		t := &w.Schema.Tables[i]
		for n := range w.r.IntN(perTable + 1) {
			row := make([]*string, len(t.Columns))
			for c := range t.Columns {
				switch name := t.Columns[c].Name; {
				case name == "id" && t.Columns[c].Kind == schema.Text && n == 0:
					row[c] = Value("") // which is not NULL
				case name == "id" && t.Columns[c].Kind == schema.Text:
					row[c] = Value(hostile[n%len(hostile)] + fmt.Sprint(n))
				case name == "id":
					row[c] = Value(int64(n) * []int64{1, -1, 1 << 40}[i%3])
				case name == "id2":
					row[c] = Value(n % 5)
				case name == "w":
					row[c] = Value(w.r.IntN(10))
				case name == "u" && w.r.IntN(3) != 0:
					row[c] = Value(fmt.Sprintf("Key-%d", n))
				}
			}
			w.Memory.Add(t.Name, row...)
		}
	}
	for _, ref := range w.Schema.References {
		w.point(ref)
	}
}

// hostile are pieces of keys that could be mistaken for something else.
var hostile = []string{"", "0", "-", " ", "a,b", `{"x"}`, `\N`, "NULL", "é", "'", "007", "+"}

// almost are texts that write no key, though databases might make one of them.
var almost = []string{"x", "", "01", "+1", "-0", "1.0", "1e0", " 1", "0x1", "99999999999999999999", "1;", "1a"}

// point gives the columns of a reference their values, row by row: one of the
// referenced keys that agrees with columns filled before, or NULL, or, rarely, nothing there.
func (w *World) point(ref schema.Reference) {
	from, to := w.Schema.Table(ref.From), w.Schema.Table(ref.To)
	parents := w.Memory.Rows[to.Name]
	lost := w.r.IntN(40) == 0 || ref.Part || !ref.Declared && !ref.Valid
	for _, row := range w.Memory.Rows[from.Name] {
		if w.r.IntN(5) == 0 && !from.Column(ref.Columns[0]).NotNull {
			continue
		}
		elsewhere := !holds(from, row, ref.When) && w.r.IntN(2) == 0 // the key is of something else
		if elsewhere || lost && w.r.IntN(8) == 0 {
			w.set(from, row, ref, func(i int) *string {
				if from.Column(ref.Columns[i]).Kind == schema.Text && to.Column(ref.ToColumns[i]).Kind == schema.Integer {
					return Value(almost[w.r.IntN(len(almost))])
				}
				return Value(99991)
			})
			continue
		}
		var fit [][]*string
		for _, p := range parents {
			if w.agrees(from, to, row, p, ref) {
				fit = append(fit, p)
			}
		}
		if len(fit) == 0 {
			continue
		}
		p := fit[w.r.IntN(len(fit))]
		swap := w.r.IntN(2) == 0
		w.set(from, row, ref, func(i int) *string {
			c := to.Column(ref.ToColumns[i])
			v := p[columnIndex(to, c.Name)]
			if c.FoldCase && swap && v != nil {
				return Value("KEY" + (*v)[3:])
			}
			return v
		})
		if len(ref.Columns) > 1 && w.r.IntN(8) == 0 && !from.Column(ref.Columns[1]).NotNull && row[columnIndex(from, ref.Columns[1])] != nil {
			row[columnIndex(from, ref.Columns[1])] = nil // half null: references nothing
		}
	}
}

func (w *World) agrees(from, to *schema.Table, row, parent []*string, ref schema.Reference) bool {
	for i, c := range ref.Columns {
		have := row[columnIndex(from, c)]
		want := parent[columnIndex(to, ref.ToColumns[i])]
		if want == nil || have != nil && *have != *want {
			return false
		}
	}
	return true
}

func (w *World) set(from *schema.Table, row []*string, ref schema.Reference, value func(i int) *string) {
	for i, c := range ref.Columns {
		if at := columnIndex(from, c); row[at] == nil {
			row[at] = value(i)
		}
	}
}

// Spec makes a random subset of the world.
func (w *World) Spec() *subset.Spec {
	spec := &subset.Spec{Unreached: []subset.Unreached{subset.Small, subset.Empty, subset.All}[w.r.IntN(3)]}
	spec.Orphans = []subset.Orphans{"", subset.Fail, subset.Fail, subset.Drop, subset.Nullify}[w.r.IntN(5)]
	if spec.Whole = w.r.IntN(15) == 0; spec.Whole {
		return spec
	}
	tables := w.Schema.Tables
	for range 1 + w.r.IntN(3) {
		t := &tables[w.r.IntN(len(tables))]
		seed := subset.Seed{Table: t}
		if w.r.IntN(2) == 0 {
			seed.Where = fmt.Sprintf("w < %d", w.r.IntN(11))
		}
		if t.Identity() != nil && w.r.IntN(2) == 0 {
			seed.Percent = float64(1+w.r.IntN(100)) * []float64{1, 0.5}[w.r.IntN(2)]
		}
		if t.Identity() != nil && w.r.IntN(3) == 0 {
			seed.Limit = int64(1 + w.r.IntN(6))
			if w.r.IntN(2) == 0 {
				seed.Order = "w"
			}
		}
		spec.Seeds = append(spec.Seeds, seed)
	}
	for i := range tables {
		t := &tables[i]
		if slices.ContainsFunc(spec.Seeds, func(s subset.Seed) bool { return s.Table == t }) {
			continue
		}
		switch w.r.IntN(12) {
		case 0:
			spec.Rules = append(spec.Rules, subset.Rule{Table: t, Rows: subset.AllRows})
		case 1:
			if w.r.IntN(3) == 0 {
				spec.Rules = append(spec.Rules, subset.Rule{Table: t, Rows: subset.NoneAtAll})
			}
		case 2, 3:
			spec.Rules = append(spec.Rules, subset.Rule{Table: t, Where: fmt.Sprintf("w < %d", w.r.IntN(11))})
		case 4, 5, 6:
			if t.Identity() != nil {
				spec.Rules = append(spec.Rules, w.perParent(t))
			}
		}
	}
	for _, ref := range w.Schema.References {
		if w.r.IntN(5) == 0 {
			spec.Follow = append(spec.Follow, ref)
		}
	}
	return spec
}

// perParent makes a rule that bounds the children of each parent.
func (w *World) perParent(t *schema.Table) subset.Rule {
	rule := subset.Rule{Table: t, PerParent: int64(1 + w.r.IntN(3)), Order: []string{"", "w", "w desc"}[w.r.IntN(3)]}
	if w.r.IntN(2) == 0 {
		rule.Where = fmt.Sprintf("w < %d", w.r.IntN(11))
	}
	var own []schema.Reference
	for _, r := range w.Schema.References {
		if r.From == t.Name {
			own = append(own, r)
		}
	}
	if len(own) > 0 && w.r.IntN(3) == 0 {
		by := own[w.r.IntN(len(own))]
		for _, r := range own {
			if slices.Equal(r.Columns, by.Columns) {
				rule.By = append(rule.By, r)
			}
		}
	}
	return rule
}
