package enginetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

func valuesSurvive(t *testing.T, h Harness) {
	from, to := h.Fresh(t), h.Fresh(t)
	var columns []string
	for i, v := range h.Values {
		from.exec(t, fmt.Sprintf("CREATE TABLE v%03d (id %s, v %s)", i, h.Words.Identity, v.Type),
			fmt.Sprintf("INSERT INTO v%03d (id, v) VALUES (1, %s), (2, NULL)", i, v.Literal))
		columns = append(columns, fmt.Sprintf("v%03d", i))
	}
	m := h.moment(t, from)
	l, err := h.target(t, to).Begin(t.Context(), spec("values", m))
	ok(t, err)
	defer abort(t, l)
	for i, name := range columns {
		tab := table(t, m.schema, name)
		r := engine.Read{Table: tab, Columns: []string{"id", "v"}, Into: l, As: tab.Name}
		if want := h.Values[i].Canonical; want != "-" {
			r.Look = []int{1}
			if got := read(t, m, r); !slices.Contains(got, want) {
				t.Errorf("%s %s: canonical text is %q, want %q", h.Values[i].Type, h.Values[i].Literal, got, want)
			}
		}
		// What was looked into and written back unchanged is the same value.
		same := rewritten(m.Read(t.Context(), r), r.Look, func(_ int, v []byte) []byte { return slices.Clone(v) })
		if _, err := l.Write(t.Context(), tab.Name, r.Columns, same); err != nil {
			t.Errorf("%s %s: %v", h.Values[i].Type, h.Values[i].Literal, err)
		}
	}
	ok(t, l.Finish(t.Context()))
	ok(t, l.Switch(t.Context(), []byte("{}")))
	for i, name := range columns {
		q := "SELECT " + h.Words.Show("v") + " FROM " + name + " ORDER BY id"
		if got, want := to.query(t, q), from.query(t, q); !slices.Equal(got, want) {
			t.Errorf("%s %s: arrived as %q, was %q", h.Values[i].Type, h.Values[i].Literal, got, want)
		}
	}
}

// longValues carries values that are written in pieces, and rows so long that nothing
// else is read beside them: each is a batch of its own, and all arrive as they were.
func longValues(t *testing.T, h Harness) {
	from, to := h.Fresh(t), h.Fresh(t)
	w := h.Words
	odd := "'é\t\n\"x'" // a piece's end falls anywhere in it
	rows := [][3]string{
		{w.Repeat(odd, 700_000), w.AsBytes(w.Repeat(odd, 700_000)), "'short'"},
		{"''", w.AsBytes("''"), w.Repeat(odd, 12_000)},
		{"NULL", w.AsBytes(w.Repeat(odd, 12_000)), "NULL"},
		{w.Repeat(odd, 12_000), "NULL", w.Repeat(odd, 1_500_000)},
		{"'a'", w.AsBytes("'b'"), "'c'"},
	}
	from.exec(t, fmt.Sprintf("CREATE TABLE long_values (id %s, a %s, b %s, c %s)", w.Identity, w.Long, w.Bytes, w.Long))
	for i, r := range rows {
		from.exec(t, fmt.Sprintf("INSERT INTO long_values (id, a, b, c) VALUES (%d, %s, %s, %s)", i+1, r[0], r[1], r[2]))
	}
	m := h.moment(t, from)
	tab := table(t, m.schema, "long_values")
	l, err := h.target(t, to).Begin(t.Context(), spec("long", m))
	ok(t, err)
	defer abort(t, l)
	huge := 0
	r := engine.Read{Table: tab, Columns: tab.Written(), Into: l, As: tab.Name}
	n, err := l.Write(t.Context(), tab.Name, r.Columns, func(yield func(*engine.Batch, error) bool) {
		for b, err := range m.Read(t.Context(), r) {
			if err == nil && b.Huge() {
				huge++
				if b.Rows != 1 {
					t.Errorf("%d rows in a huge batch", b.Rows)
				}
			}
			if !yield(b, err) {
				return
			}
		}
	})
	ok(t, err)
	if n != int64(len(rows)) || huge != 2 {
		t.Errorf("%d rows sent and %d huge batches, want %d and 2", n, huge, len(rows))
	}
	ok(t, l.Finish(t.Context()))
	ok(t, l.Switch(t.Context(), []byte("{}")))
	for i, r := range rows {
		for k, column := range []string{"a", "b", "c"} {
			is := column + " = " + r[k]
			if r[k] == "NULL" {
				is = column + " IS NULL"
			}
			if got := to.query(t, fmt.Sprintf("SELECT count(*) FROM long_values WHERE id = %d AND %s", i+1, is)); got[0] != "1" {
				t.Errorf("row %d: column %s arrived otherwise", i+1, column)
			}
		}
	}
}

func inspectSees(t *testing.T, h Harness) {
	m := h.moment(t, h.people(t))
	var names []string
	for _, tab := range m.schema.Tables {
		names = append(names, tab.Name.Table)
	}
	equal(t, "tables", names, []string{"countries", "flags", "items", "parts", "people"})
	people := table(t, m.schema, "people")
	for name, want := range map[string]func(*schema.Column) bool{
		"id":      func(c *schema.Column) bool { return c.Kind == schema.Integer && c.Surrogate && c.NotNull },
		"name":    func(c *schema.Column) bool { return c.Kind == schema.Text && c.NotNull && c.Length == 0 },
		"email":   func(c *schema.Column) bool { return c.Length == 40 && !c.FoldCase },
		"boss":    func(c *schema.Column) bool { return c.Kind == schema.Integer && !c.NotNull && !c.Surrogate },
		"loud":    func(c *schema.Column) bool { return c.Generated },
		"country": func(c *schema.Column) bool { return c.Length == 2 },
	} {
		if c := people.Column(name); c == nil || !want(c) {
			t.Errorf("column %s: %+v", name, c)
		}
	}
	if k := people.Identity(); k == nil || !k.Primary || !slices.Equal(k.Columns, []string{"id"}) {
		t.Errorf("identity of people: %+v", k)
	}
	if !slices.ContainsFunc(people.Keys, func(k schema.Key) bool { return slices.Equal(k.Columns, []string{"email"}) && k.Identifies() }) {
		t.Errorf("keys of people: %+v", people.Keys)
	}
	if len(people.Checks) != 1 || people.Checks[0].Name != "people_age_check" || !slices.Equal(people.Checks[0].Columns, []string{"age"}) {
		t.Errorf("checks of people: %+v", people.Checks)
	}
	var refs []string
	for _, r := range m.schema.References {
		refs = append(refs, fmt.Sprintf("%s(%s) -> %s(%s) %v", r.From.Table, strings.Join(r.Columns, ","), r.To.Table, strings.Join(r.ToColumns, ","), r.Indexed))
	}
	slices.Sort(refs)
	indexed := fmt.Sprint(h.Words.Indexes)
	equal(t, "references", refs, []string{
		"items(person) -> people(id) " + indexed, "parts(order_id,line) -> items(order_id,line) " + indexed,
		"people(boss) -> people(id) true", "people(country) -> countries(code) " + indexed,
	})
}

func findByKeys(t *testing.T, h Harness) {
	m := h.moment(t, h.people(t))
	people, items, parts := table(t, m.schema, "people"), table(t, m.schema, "items"), table(t, m.schema, "parts")
	got, ids := find(t, m, engine.Find{Table: people, Columns: []string{"id", "boss", "name"}, By: []string{"boss"}, Keys: tuples([]string{"1"}, []string{"99"})})
	slices.Sort(got)
	equal(t, "by boss", got, []string{"2|1|Bob", "3|1|Çelik"})
	slices.Sort(ids)
	equal(t, "rows of these ids", read(t, m, engine.Read{Table: people, Columns: []string{"name", "id"}, Look: []int{0}, Rows: ids}), []string{"Bob", "Çelik"})
	got, _ = find(t, m, engine.Find{Table: items, Columns: []string{"note", "person"}, By: []string{"order_id", "line"}, Keys: tuples([]string{"1", "2"}, []string{"2", "1"}, []string{"2", "2"})})
	slices.Sort(got)
	equal(t, "by a composite key", got, []string{"NULL|2", "|2"})
	got, _ = find(t, m, engine.Find{Table: parts, Columns: []string{"label"}, By: []string{"order_id", "line"}, Keys: tuples([]string{"1", "1"}, []string{"1", "2"}, []string{"2", "1"})})
	slices.Sort(got)
	equal(t, "by a composite reference", got, []string{"a", "b"})
	got, _ = find(t, m, engine.Find{Table: people, Columns: []string{"id"}})
	slices.Sort(got)
	equal(t, "all", got, []string{"1", "2", "3", "4"})
	none := &engine.Tuples{Width: 1}
	if got, _ = find(t, m, engine.Find{Table: people, Columns: []string{"id"}, By: []string{"id"}, Keys: none}); len(got) != 0 {
		t.Errorf("no keys found %q", got)
	}
}

// hostile are keys that break whoever writes them into SQL, arrays or lists.
func (w Words) hostile() []string {
	longest := w.Longest
	if longest == 0 {
		longest = 5000
	}
	return []string{"", "'", "''", `"`, `\`, `\\`, `\N`, "NULL", "null", "{}", "{a,b}", ",", "a,b", "(1,2)", " ", " lead", "trail ", "tab\there", "new\nline",
		"cr\rhere", "1); DROP TABLE flags; --", "$1", "?", "%s", "Ünïcödé", "日本語", "🦆", "e\u0301", "\u00e9", strings.Repeat("x", longest)}
}

func findHostile(t *testing.T, h Harness) {
	db := h.empty(t)
	keys := &engine.Tuples{Width: 1}
	for i, k := range h.Words.hostile() {
		db.exec(t, fmt.Sprintf("INSERT INTO flags (name, state) VALUES ('%s', '%d')", strings.ReplaceAll(k, "'", "''"), i))
		keys.AddString(k)
	}
	db.exec(t, `INSERT INTO flags (name, state) VALUES ('not asked for', 'x')`)
	for i := range 5000 { // several statements' worth
		keys.AddString(fmt.Sprintf("absent %d", i))
	}
	m := h.moment(t, db)
	flags := table(t, m.schema, "flags")
	got, ids := find(t, m, engine.Find{Table: flags, Columns: []string{"name"}, By: []string{"name"}, Keys: keys})
	slices.Sort(got)
	want := slices.Sorted(slices.Values(h.Words.hostile()))
	equal(t, "found", got, want)
	slices.Sort(ids)
	equal(t, "read", read(t, m, engine.Read{Table: flags, Columns: []string{"state", "name"}, Look: []int{1}, Rows: ids}), want)
}

func findWhere(t *testing.T, h Harness) {
	db := h.people(t)
	m := h.moment(t, db)
	people := table(t, m.schema, "people")
	now := time.Date(2020, 5, 6, 7, 8, 9, 0, time.UTC)
	got, _ := find(t, m, engine.Find{Table: people, Columns: []string{"name"}, Where: "age > 16 or country = 'nowhere'", Order: "age desc", Now: now})
	equal(t, "where and order", got, []string{"NULL", "Ada", "Bob"})
	got, _ = find(t, m, engine.Find{Table: people, Columns: []string{"name"}, By: []string{"boss"}, Keys: tuples([]string{"1"}), Where: "age is null or false", Now: now})
	equal(t, "where among keys", got, []string{"Çelik"})
	got, _ = find(t, m, engine.Find{Table: people, Columns: []string{"name"}, Order: "country is null, country", Now: now})
	equal(t, "order, the key breaking ties", got, []string{"Ada", "Bob", "NULL", "Çelik"})
	if h.Words.Recent != nil {
		got, _ = find(t, m, engine.Find{Table: people, Columns: []string{"id"}, Where: h.Words.Recent("'2099-01-01 00:00:00'"), Now: now})
		if len(got) != 4 {
			t.Errorf("a condition on the run's instant found %q", got)
		}
	}
}

func readRows(t *testing.T, h Harness) {
	db := h.people(t)
	db.exec(t, series("flags"))
	m := h.moment(t, db)
	people, flags := table(t, m.schema, "people"), table(t, m.schema, "flags")
	equal(t, "whole", read(t, m, engine.Read{Table: people, Columns: []string{"id", "name", "country", "email"}, Look: []int{1, 2}}),
		[]string{"Ada|de", "Bob|fr", "NULL|xx", "Çelik|NULL"})
	if got := read(t, m, engine.Read{Table: people, Columns: []string{"email"}, Look: []int{0}, Limit: 3}); len(got) != 3 {
		t.Errorf("limit 3 gave %d rows", len(got))
	}
	want, ids := find(t, m, engine.Find{Table: flags, Columns: []string{"state", "name"}, Where: "name like '%7'"})
	slices.Sort(want)
	slices.Sort(ids)
	if len(ids) != 3000 {
		t.Fatalf("%d rows found, want 3000", len(ids))
	}
	equal(t, "by rows", read(t, m, engine.Read{Table: flags, Columns: []string{"state", "name"}, Look: []int{0, 1}, Rows: ids}), want)
	if got := read(t, m, engine.Read{Table: flags, Columns: []string{"state"}, Look: []int{0}, Rows: []engine.RowID{}}); len(got) != 0 {
		t.Errorf("no rows asked for, %d given", len(got))
	}
}

// series inserts many rows.
func series(name string) string {
	return `INSERT INTO ` + name + ` (name, state) SELECT 'flag ' || n, 'state of ' || n FROM (
		WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 30000) SELECT n FROM s) q`
}

func readRewrites(t *testing.T, h Harness) {
	from, to := h.people(t), h.Fresh(t)
	m := h.moment(t, from)
	l, err := h.target(t, to).Begin(t.Context(), spec("rewrite", m))
	ok(t, err)
	defer abort(t, l)
	people := table(t, m.schema, "people")
	r := engine.Read{Table: people, Columns: people.Written()}
	for i, c := range r.Columns {
		if c == "name" || c == "age" || c == "country" {
			r.Look = append(r.Look, i)
		}
	}
	change := func(column int, v []byte) []byte {
		switch r.Columns[column] {
		case "age":
			return append(slices.Clone(v), '0')
		case "country":
			return v
		}
		return append([]byte("a much longer 'name' \\ \t\n of "), v...)
	}
	n, err := l.Write(t.Context(), people.Name, r.Columns, rewritten(m.Read(t.Context(), r), r.Look, change))
	ok(t, err)
	if n != 4 {
		t.Errorf("%d rows sent, want 4", n)
	}
	fill(t, m, l, "people")
	ok(t, l.Finish(t.Context()))
	ok(t, l.Switch(t.Context(), []byte("{}")))
	equal(t, "arrived", to.query(t, `SELECT name, age, country, email, boss FROM people ORDER BY id`), []string{
		"a much longer 'name' \\ \t\n of Ada|360|de|ada@example.com|", "a much longer 'name' \\ \t\n of Bob|170|fr|bob@example.com|1",
		"a much longer 'name' \\ \t\n of Çelik|||c@example.com|1", "a much longer 'name' \\ \t\n of NULL|800|xx|d@example.com|3"})
}

func stopEarly(t *testing.T, h Harness) {
	db := h.people(t)
	db.exec(t, series("flags"))
	m := h.moment(t, db)
	flags := table(t, m.schema, "flags")
	for range 5 { // more often than there are readers
		for b, err := range m.Read(t.Context(), engine.Read{Table: flags, Columns: []string{"name", "state"}}) {
			ok(t, err)
			b.Release()
			break
		}
		for _, err := range m.Find(t.Context(), engine.Find{Table: flags, Columns: []string{"name"}}) {
			ok(t, err)
			break
		}
	}
	if got := read(t, m, engine.Read{Table: flags, Columns: []string{"name"}, Look: []int{0}}); len(got) != 30001 {
		t.Errorf("%d rows after early stops, want 30001", len(got))
	}
}

func oneMoment(t *testing.T, h Harness) {
	db := h.people(t)
	db.exec(t, series("flags"))
	m := h.moment(t, db)
	for _, change := range []string{`INSERT INTO flags (name, state) VALUES ('later', 'x')`, `UPDATE flags SET state = 'changed'`, `DELETE FROM people WHERE id = 4`} {
		if err := db.Exec(change); err != nil && !h.Blocks {
			t.Fatal(err)
		}
	}
	flags, people := table(t, m.schema, "flags"), table(t, m.schema, "people")
	var wg sync.WaitGroup
	got := make([][]string, 4)
	errs := make([]error, 4)
	for i := range got {
		wg.Go(func() {
			got[i], errs[i] = cells(m.Read(t.Context(), engine.Read{Table: flags, Columns: []string{"name", "state"}, Look: []int{0, 1}}), []int{0, 1})
		})
	}
	wg.Wait()
	for i := range got {
		ok(t, errs[i])
		if len(got[i]) != 30001 || slices.ContainsFunc(got[i], func(r string) bool { return strings.Contains(r, "changed") }) {
			t.Errorf("reader %d saw %d rows or later ones", i, len(got[i]))
		}
	}
	if got := read(t, m, engine.Read{Table: people, Columns: []string{"name"}, Look: []int{0}}); len(got) != 4 {
		t.Errorf("people: %q", got)
	}
}

func structureChanged(t *testing.T, h Harness) {
	db := h.people(t)
	s := h.source(t, db)
	before, err := s.Inspect(t.Context(), nil)
	ok(t, err)
	snap, err := s.Snapshot(t.Context(), before)
	ok(t, err)
	// Within the moment the change waits, or is not seen, or the reader gives way to it.
	_ = db.Exec(`ALTER TABLE people ADD COLUMN added text`)
	r := engine.Read{Table: table(t, before, "people"), Columns: []string{"id", "name"}, Look: []int{1}}
	got, err := cells(snap.Read(t.Context(), r), r.Look)
	if code := engine.CodeOf(err); err != nil && code != engine.Stopped && code != engine.Changed || err == nil && len(got) != 4 {
		t.Errorf("after the change: %q, %v", got, err)
	}
	ok(t, snap.Close())
	db.exec(t, `ALTER TABLE flags ADD COLUMN more text`)
	if snap, err = s.Snapshot(t.Context(), before); err == nil {
		_ = snap.Close()
	}
	codeIs(t, err, engine.Changed)
}

func cancelled(t *testing.T, h Harness) {
	db := h.people(t)
	db.exec(t, series("flags"))
	m := h.moment(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	var failed error
	for b, err := range m.Read(ctx, engine.Read{Table: table(t, m.schema, "flags"), Columns: []string{"name", "state"}}) {
		if failed = err; err != nil {
			break
		}
		b.Release()
		cancel()
	}
	cancel()
	if failed == nil {
		t.Error("a read that was cancelled in its middle ended as if it were whole")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it returned after %s", took)
	}
}

func sourceUntouched(t *testing.T, h Harness) {
	from, to := h.people(t), h.Fresh(t)
	before := content(t, from)
	h.refresh(t, "untouched", from, to, nil)
	equal(t, "the source afterwards", content(t, from), before)
}
