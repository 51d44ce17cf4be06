package catalog

import (
	"strings"
	"testing"
)

// facts makes a table of columns, written "name type", with an index on its last one.
func tableFacts(table string, columns ...string) []Fact {
	var names []string
	var out []Fact
	for _, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		names = append(names, name)
		out = append(out, Fact{Kind: "column", Object: table + "." + name, Table: table, Parts: []Part{{Name: "type", Text: typ}}})
	}
	return append(out, Fact{Kind: "table", Object: table, Table: table, Parts: []Part{{Name: ColumnOrder, Text: strings.Join(names, "\n")}}},
		Fact{Kind: "index", Object: table + ".by", Table: table, Definition: "CREATE INDEX ON " + table + " (" + names[len(names)-1] + ")"})
}

// TestRenames: what was most probably renamed is one difference, with what closes
// it and without what only follows from the name; what was not stays two.
func TestRenames(t *testing.T) {
	for name, c := range map[string]struct {
		source, target []Fact
		want           string
	}{
		"a column": {tableFacts("s.t", "id int", "mail text", "at date"), tableFacts("s.t", "id int", "email text", "at date"),
			`column s.t.mail different: ALTER TABLE "s"."t" RENAME COLUMN "email" TO "mail"`},
		"a column that is indexed": {tableFacts("s.t", "id int", "phone text"), tableFacts("s.t", "id int", "phone_number text"),
			`column s.t.phone different: ALTER TABLE "s"."t" RENAME COLUMN "phone_number" TO "phone"`},
		"another name in the same place": {tableFacts("s.t", "id int", "surname text", "at date"), tableFacts("s.t", "id int", "last_name text", "at date"),
			`column s.t.surname different: ALTER TABLE "s"."t" RENAME COLUMN "last_name" TO "surname"`},
		"another type": {tableFacts("s.t", "id int", "mail text", "at date"), tableFacts("s.t", "id int", "email int", "at date"),
			"column s.t.email extra in target\ncolumn s.t.mail missing in target"},
		"two that are alike": {tableFacts("s.t", "id int", "a text", "at date"), tableFacts("s.t", "id int", "at date", "a1 text", "a2 text"),
			"column s.t.a missing in target\ncolumn s.t.a1 extra in target\ncolumn s.t.a2 extra in target\nindex s.t.by different"},
		"one gone and another added": {tableFacts("s.t", "id int", "at date", "note text"), tableFacts("s.t", "id int", "at date", "loyalty text"),
			"column s.t.loyalty extra in target\ncolumn s.t.note missing in target\nindex s.t.by different"},
		"a table": {tableFacts("s.customer", "id int", "mail text", "at date"), tableFacts("s.customers", "id int", "mail text", "at date", "note text"),
			"column s.customer.note extra in target\nindex s.customer.by different\n" + `table s.customer different: ALTER TABLE "s"."customers" RENAME TO "customer"`},
		"a table that nothing else differs in": {tableFacts("s.customer", "id int", "mail text", "at date"), tableFacts("s.customers", "id int", "mail text", "at date"),
			`table s.customer different: ALTER TABLE "s"."customers" RENAME TO "customer"`},
		"a table and a column of it": {tableFacts("s.customer", "id int", "mail text", "at date", "on date"), tableFacts("s.customers", "id int", "email text", "at date", "on date"),
			`column s.customer.mail different: ALTER TABLE "s"."customer" RENAME COLUMN "email" TO "mail"` + "\n" + `table s.customer different: ALTER TABLE "s"."customers" RENAME TO "customer"`},
		"a table of another schema": {tableFacts("s.customer", "id int", "mail text", "at date"), tableFacts("other.customer", "id int", "mail text", "at date"),
			"table other.customer extra in target\ntable s.customer missing in target"},
		"two tables that have little in common": {tableFacts("s.a", "id int", "x text", "y text"), tableFacts("s.b", "id int", "v text", "w date", "u date"),
			"table s.a missing in target\ntable s.b extra in target"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compare(t.Context(), New(nil, c.source, nil, nil), New(nil, c.target, nil, nil), nil)
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, d := range got.Differences {
				line := d.Kind + " " + d.Object + " " + d.Change
				if d.Renamed > 0 {
					line += ": " + d.SQL
				}
				lines = append(lines, line)
				if d.Renamed > 0 && (d.Renamed < 0.65 || d.Renamed > 0.99 || !strings.Contains(d.Detail, "% sure")) {
					t.Errorf("%v: %s", d.Renamed, d.Detail)
				}
			}
			if s := strings.Join(lines, "\n"); s != c.want {
				t.Errorf("got\n%s\nwant\n%s", s, c.want)
			}
		})
	}
}

// TestRenamedColumnsTellWhatElseDiffers: it stands in the same difference, and its
// statements call the column by its new name, whatever else has the old one.
func TestRenamedColumnsTellWhatElseDiffers(t *testing.T) {
	table := func(column string, parts ...Part) []Fact {
		facts := tableFacts("s.email", "id int", column+" text", "at date")
		facts[1].Parts = append(facts[1].Parts, parts...)
		return facts
	}
	clear := Part{Name: "null", Text: "not null", Clear: `ALTER TABLE "s"."email" ALTER "email" DROP NOT NULL; COMMENT ON COLUMN "s"."email"."email" IS '"email"'`}
	for name, c := range map[string]struct {
		source, target []Fact
		detail, sql    string
	}{
		"it gets a part": {table("mail", Part{Name: "null", Text: "not null", Alter: "ALTER mail"}), table("email"),
			"; null: not null is none in target", "ALTER mail"},
		"it loses a part": {table("mail"), table("email", clear),
			"; null: none is not null in target", `ALTER TABLE "s"."email" ALTER "mail" DROP NOT NULL; COMMENT ON COLUMN "s"."email"."mail" IS '"email"'`},
		"nothing closes it": {table("mail", Part{Name: "storage", Text: "far"}), table("email"),
			"; storage: far is none in target", "-- no statement closes what else differs in it"},
	} {
		got, err := Compare(t.Context(), New(nil, c.source, nil, nil), New(nil, c.target, nil, nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Differences) != 1 {
			t.Fatalf("%s: %v", name, got.Differences)
		}
		d := got.Differences[0]
		if want := `ALTER TABLE "s"."email" RENAME COLUMN "email" TO "mail";` + "\n" + c.sql; d.SQL != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, d.SQL, want)
		}
		if !strings.HasPrefix(d.Detail, "name: mail is email in target, most probably") || !strings.HasSuffix(d.Detail, c.detail) {
			t.Errorf("%s: %s", name, d.Detail)
		}
	}
}
