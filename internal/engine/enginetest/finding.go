package enginetest

import (
	"fmt"
	"slices"
	"testing"

	"understudy/internal/engine"
)

// family makes parents and children between which the database enforces
// nothing: children of the first parent are many, some have none, some half a key.
func (h Harness) family(t *testing.T) moment {
	t.Helper()
	db := h.Fresh(t)
	db.exec(t, `CREATE TABLE parents (id integer NOT NULL PRIMARY KEY, part integer NOT NULL, word varchar(20), UNIQUE (id, part))`,
		`CREATE TABLE children (id integer NOT NULL PRIMARY KEY, parent integer, part integer, word varchar(20), grade integer, code varchar(20))`,
		`INSERT INTO parents (id, part, word) VALUES (1, 1, 'one'), (2, 1, 'it''s'), (3, 2, NULL)`,
		`INSERT INTO children (id, parent, part, word, grade) VALUES (1, 1, 1, 'one', 5), (2, 1, 1, 'one', 5), (3, 1, 2, 'it''s', 9), (4, 1, 1, 'One', NULL),
			(5, 2, 1, 'two', 1), (6, 2, NULL, NULL, 2), (7, 9, 1, '', 3), (8, NULL, 1, 'one', 4), (9, 9, NULL, 'one', 0)`,
		`UPDATE children SET code = CASE id WHEN 1 THEN '1' WHEN 2 THEN '03' WHEN 3 THEN '3' WHEN 4 THEN '1.0' WHEN 6 THEN 'x' WHEN 7 THEN ' 2' WHEN 8 THEN '9' WHEN 9 THEN '' END`)
	return h.moment(t, db)
}

func findPerKey(t *testing.T, h Harness) {
	m := h.family(t)
	children := table(t, m.schema, "children")
	by := []string{"parent"}
	for _, c := range []struct {
		name string
		find engine.Find
		want []string
	}{
		{"by order, then key", engine.Find{By: by, Keys: tuples([]string{"1"}, []string{"2"}), PerKey: 2, Order: "coalesce(grade, 0) desc"}, []string{"1", "3", "5", "6"}},
		{"by key alone", engine.Find{By: by, Keys: tuples([]string{"1"}, []string{"2"}, []string{"9"}), PerKey: 1}, []string{"1", "5", "7"}},
		{"after the condition", engine.Find{By: by, Keys: tuples([]string{"1"}, []string{"2"}), PerKey: 1, Where: "grade > 5 or grade is null or id = 6", Order: "id desc"}, []string{"4", "6"}},
		{"whatever else is asked for", engine.Find{By: by, Keys: tuples([]string{"2"}), PerKey: 1, Order: "grade desc"}, []string{"6"}},
		{"of a composite key", engine.Find{By: []string{"parent", "part"}, Keys: tuples([]string{"1", "1"}, []string{"1", "2"}, []string{"2", "1"}), PerKey: 2, Order: "grade is null, id desc"}, []string{"1", "2", "3", "5"}},
		{"of a text", engine.Find{By: []string{"word"}, Keys: tuples([]string{"one"}, []string{""}, []string{"it's"}), PerKey: 2, Order: "grade"}, []string{"3", "7", "8", "9"}},
	} {
		c.find.Table, c.find.Columns = children, []string{"id", "parent"}
		got, ids := find(t, m, c.find)
		for i := range got {
			got[i] = got[i][:1]
		}
		slices.Sort(got)
		equal(t, "the first rows of each key "+c.name, got, c.want)
		slices.Sort(ids)
		equal(t, "the rows found "+c.name, read(t, m, engine.Read{Table: children, Columns: []string{"id"}, Look: []int{0}, Rows: ids}), c.want)
	}
	// More keys than one statement takes change nothing.
	keys := &engine.Tuples{Width: 1}
	for i := range 60_000 {
		keys.AddString(fmt.Sprint(60_000 - i))
	}
	got, _ := find(t, m, engine.Find{Table: children, Columns: []string{"id"}, By: by, Keys: keys, PerKey: 2, Order: "grade desc"})
	if len(got) != 6 {
		t.Errorf("%d rows of many keys, want 6: %q", len(got), got)
	}
}

func findTests(t *testing.T, h Harness) {
	m := h.family(t)
	children := table(t, m.schema, "children")
	for name, f := range map[string]engine.Find{
		"whole":   {},
		"by keys": {By: []string{"id"}, Keys: tuples([]string{"1"}, []string{"4"}, []string{"6"})},
		"per key": {By: []string{"id"}, Keys: tuples([]string{"1"}, []string{"4"}, []string{"6"}), PerKey: 1},
	} {
		f.Table, f.Columns, f.Tests = children, []string{"id"}, []string{"grade > 4", "part = 1 or word = 'x'"}
		told := map[string]string{}
		for found, err := range m.Find(t.Context(), f) {
			ok(t, err)
			for i := range found.IDs {
				id, _ := found.Values.At(i, 0)
				for c := 1; c <= 2; c++ {
					v, _ := found.Values.At(i, c)
					told[string(id)] += string(v) + " "
				}
			}
		}
		for id, want := range map[string]string{"1": "true true ", "4": "false true ", "6": "false false "} {
			if told[id] != want {
				t.Errorf("%s: conditions on row %s: %q, want %q", name, id, told[id], want)
			}
		}
	}
}

func findOrphaned(t *testing.T, h Harness) {
	m := h.family(t)
	children, parents := table(t, m.schema, "children"), table(t, m.schema, "parents")
	for _, c := range []struct {
		by, to []string
		where  string
		want   []string
		texts  []bool
	}{
		{[]string{"parent"}, []string{"id"}, "", []string{"7", "9"}, nil},
		{[]string{"parent"}, []string{"id"}, "grade > 0", []string{"7"}, nil},
		{[]string{"parent", "part"}, []string{"id", "part"}, "", []string{"3", "7"}, nil},
		{[]string{"word"}, []string{"word"}, "", []string{"4", "5", "7"}, nil},
		{[]string{"code"}, []string{"id"}, "", []string{"2", "4", "6", "7", "8", "9"}, []bool{true}}, // a text that writes a number
		{[]string{"part", "code"}, []string{"part", "id"}, "", []string{"2", "4", "7", "8"}, []bool{false, true}},
	} {
		got, _ := find(t, m, engine.Find{Table: children, Columns: []string{"id"}, By: c.by, Orphaned: &engine.Parent{Table: parents, Columns: c.to, Written: c.texts}, Where: c.where})
		slices.Sort(got)
		equal(t, fmt.Sprintf("orphans of %v %s", c.by, c.where), got, c.want)
	}
	got, _ := find(t, m, engine.Find{Table: parents, Columns: []string{"id"}, By: []string{"id"}, Orphaned: &engine.Parent{Table: children, Columns: []string{"code"}, Written: []bool{true}}})
	equal(t, "orphans of a number that a text writes", got, []string{"2"})
	for _, key := range []string{"1", "01", "1.0", "1.", " 1", "1 ", "+1", "1e0", "x", "", "-0", "0x1"} {
		var want []string
		if key == "1" {
			want = []string{"1"}
		}
		got, _ = find(t, m, engine.Find{Table: parents, Columns: []string{"id"}, By: []string{"id"}, Keys: tuples([]string{key}), Written: []bool{true}})
		equal(t, fmt.Sprintf("numbers found by the text %q", key), got, want)
	}
	got, _ = find(t, m, engine.Find{Table: children, Columns: []string{"id"}, By: []string{"code"}, Keys: tuples([]string{""})})
	equal(t, "rows found by an empty text", got, []string{"9"})
}
