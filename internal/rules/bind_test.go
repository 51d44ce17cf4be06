package rules_test

import (
	"strings"
	"testing"

	"understudy/internal/finding"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

func bind(t *testing.T, s *schema.Schema, text string) *rules.Binding {
	t.Helper()
	b, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\n"+text)}, s)
	if len(finding.Errors(bad)) > 0 {
		t.Fatal(lines(bad))
	}
	return b
}

func TestChainOfReferences(t *testing.T) {
	s := build(t, `
a.t: code varchar(40) unique
b.t: code varchar(30) -> a.t.code
unique b.t(code)
c.t: code varchar(50) -> b.t.code
c.u: x varchar(20)
declared c.u(x) -> c.t(code)
`)
	b := bind(t, s, "tables: {a.t: {columns: {code: {mask: hash, length: 20, class: product}}}}\n")
	for column, via := range map[string]string{"a.t.code": "", "b.t.code": "a.t.code", "c.t.code": "b.t.code", "c.u.x": "c.t.code"} {
		d := decision(t, b, column)
		if d.Via != via || d.Spec.Domain != "t.code" || d.Limits.Length != 20 || !d.Limits.Unique || d.Spec.Params["length"] != "20" || d.Spec.Class != "product" {
			t.Errorf("%s: %+v", column, d)
		}
	}
	text := rules.Explain(b, schema.Name{Schema: "c", Table: "u"}, "x")
	for _, step := range []string{"c.u.x references c.t.code", "c.t.code references b.t.code", "b.t.code references a.t.code", "a.t.code has its own line at r.yaml:2:39", "domain: t.code"} {
		if !strings.Contains(text, step) {
			t.Errorf("the explanation lacks %q:\n%s", step, text)
		}
	}
}

func TestCircleOfReferences(t *testing.T) {
	s := build(t, `
p.a: id int pk -> p.c.id
p.b: id int pk -> p.a.id
p.c: id int pk -> p.b.id
p.d: a int -> p.b.id
`)
	b := bind(t, s, "tables: {p.b: {columns: {id: {mask: int}}}}\n")
	for _, column := range []string{"p.a.id", "p.b.id", "p.c.id", "p.d.a"} {
		if d := decision(t, b, column); d.Spec.Mask != "int" || d.Spec.Domain != "a.id" {
			t.Errorf("%s: %+v", column, d)
		}
	}
	_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables: {p.b: {columns: {id: int}}, p.c: {columns: {id: {keep: \"our own\"}}}}\n")}, s)
	if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.c.id contradicts the line at r.yaml:2:30") {
		t.Error(lines(bad))
	}
	// A default that fits one of the circle decides for all of it.
	b = bind(t, s, "defaults: [{match: {table: c}, mask: int}]\n")
	if d := decision(t, b, "p.a.id"); d.Spec.Mask != "int" || d.Via == "" {
		t.Errorf("p.a.id: %+v", d)
	}
	if text := rules.Explain(b, schema.Name{Schema: "p", Table: "a"}, "id"); strings.Count(text, "because") > 3 {
		t.Errorf("the explanation goes round in circles:\n%s", text)
	}
}

func TestTwoMasters(t *testing.T) {
	s := build(t, "p.a: id int pk\np.b: id int pk\np.c: x int -> p.a.id -> p.b.id\n")
	_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables:\n  p.a: {columns: {id: int}}\n  p.b: {columns: {id: {keep: \"our own\"}}}\n")}, s)
	if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.c.x references both p.a.id, decided at r.yaml:3:23, and p.b.id, decided at r.yaml:4:30") {
		t.Error(lines(bad))
	}
}

// A reference that holds on a condition binds the columns as any other does: one
// column may lead to several tables, whose decisions must then be one.
func TestReferencesOnACondition(t *testing.T) {
	s := build(t, "p.posts: id int pk\np.photos: id int pk\np.comments: kind text, subject int\ndeclared p.comments(subject) -> p.posts(id)\ndeclared p.comments(subject) -> p.photos(id)\n")
	for i := range s.References {
		s.References[i].When = "kind = '" + s.References[i].To.Table + "'"
	}
	b := bind(t, s, "tables:\n  p.posts: {columns: {id: int}}\n  p.photos: {columns: {id: int}}\n  p.comments: {columns: {kind: {keep: \"a fixed word\"}}}\n")
	for _, column := range []string{"p.posts.id", "p.photos.id", "p.comments.subject"} {
		if d := decision(t, b, column); d.Spec.Mask != "int" || d.Spec.Domain != decision(t, b, "p.posts.id").Spec.Domain {
			t.Errorf("%s: %+v", column, d)
		}
	}
	_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables:\n  p.posts: {columns: {id: int}}\n  p.photos: {columns: {id: {keep: \"our own\"}}}\n  p.comments: {columns: {kind: {keep: \"a fixed word\"}}}\n")}, s)
	if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.comments.subject references both") || !strings.Contains(bad[0].Message, "p.posts.id, decided at r.yaml:3:27") ||
		!strings.Contains(bad[0].Message, "p.photos.id, decided at r.yaml:4:35") {
		t.Error(lines(bad))
	}
}

// What tells of a person by its name does not take over what is kept, but is not masked
// by one reference where another leads to what is kept, nor by a default.
func TestReferencesToKeptAndMasked(t *testing.T) {
	const schema = "p.posts: id text pk\np.photos: id text pk\np.comments: kind text, email text\ndeclared p.comments(email) -> p.posts(id)\n"
	for _, when := range []string{"", "kind = 'x'"} {
		s := build(t, schema+"declared p.comments(email) -> p.photos(id)\n")
		for i := range s.References {
			s.References[i].When = when
		}
		for _, ids := range [][2]string{{"hash", `{keep: "our own"}`}, {`{keep: "our own"}`, "hash"}} {
			_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ntables:\n  p.posts: {columns: {id: "+ids[0]+"}}\n  p.photos: {columns: {id: "+ids[1]+"}}\n  p.comments: {columns: {kind: {keep: \"a fixed word\"}}}\n")}, s)
			if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.comments.email references both") || !strings.Contains(bad[0].Message, "p.posts.id, decided at r.yaml:3:") ||
				!strings.Contains(bad[0].Message, "p.photos.id, decided at r.yaml:4:") {
				t.Error(lines(bad))
			}
		}
	}
	s := build(t, schema)
	_, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", "version: 1\ndefaults: [{match: {column: email}, mask: email}]\ntables:\n  p.posts: {columns: {id: {keep: \"our own\"}}}\n  p.photos: {columns: {id: {keep: \"our own\"}}}\n  p.comments: {columns: {kind: {keep: \"a fixed word\"}}}\n")}, s)
	if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.comments.email is masked, and by a reference of the job it is to be equal to p.posts.id, which is kept at r.yaml:4:") {
		t.Error(lines(bad))
	}
}

// A reference that only the job declares holds no value to anything, so it must not
// bring a keep to a column that tells of a person.
func TestKeepIsNotTakenOverFromADeclaredReference(t *testing.T) {
	s := build(t, "p.films: title text, code int pk\np.people: email text, film int\ndeclared p.people(email) -> p.films(title)\ndeclared p.people(film) -> p.films(code)\n")
	s.References[0].When = "film < 0"
	const films = "version: 1\ntables:\n  p.films: {columns: {title: {keep: \"of films\"}, code: {keep: \"a number\"}}}\n"
	b, bad := rules.Bind([]*rules.File{parse(t, "r.yaml", films)}, s)
	open, _ := rules.UndecidedColumns(b, s)
	if len(bad) != 0 || len(open) != 1 || open[0].Column != "email" || !strings.Contains(open[0].Hint, "reason") {
		t.Errorf("%s, undecided %s", lines(bad), lines(open))
	}
	_, bad = rules.Bind([]*rules.File{parse(t, "r.yaml", films+"  p.people: {columns: {email: email}}\n")}, s)
	if len(bad) != 1 || !strings.Contains(bad[0].Message, "p.people.email is masked, and by a reference of the job") {
		t.Error(lines(bad))
	}
	b, bad = rules.Bind([]*rules.File{parse(t, "r.yaml", films+"  p.people: {columns: {email: {keep: \"no address: a title\"}}}\n")}, s)
	if open, _ := rules.UndecidedColumns(b, s); len(bad) != 0 || len(open) != 0 {
		t.Errorf("%s, undecided %s", lines(bad), lines(open))
	}
}

func TestDomains(t *testing.T) {
	s := build(t, `
p.a: email varchar(80), alias citext
p.b: email varchar(60) unique, mail varchar(99)
p.c: code text, name text
`)
	b := bind(t, s, `defaults:
  - {match: {column: "*mail"}, mask: email}
tables:
  p.a: {columns: {alias: {mask: email, domain: aliases}}}
  p.b: {columns: {mail: {mask: email, domain: own, fold: true}}}
  p.c: {columns: {code: hash, name: {mask: hash, class: names}}}
`)
	tests := []struct {
		column, domain string
		length         int
		unique, fold   bool
	}{
		{"p.a.email", "email", 60, true, false},
		{"p.b.email", "email", 60, true, false},
		{"p.a.alias", "aliases", 0, false, true},
		{"p.b.mail", "own", 99, false, true},
		{"p.c.code", "c.code", 0, false, false},
		{"p.c.name", "names", 0, false, false},
	}
	for _, tt := range tests {
		d := decision(t, b, tt.column)
		if d.Spec.Domain != tt.domain || d.Limits.Length != tt.length || d.Limits.Unique != tt.unique || d.Spec.Fold != tt.fold {
			t.Errorf("%s: %+v", tt.column, d)
		}
	}
}

func TestWhatMustStayUnique(t *testing.T) {
	s := build(t, `
p.a: x text unique, y text
p.b: x text, y text
unique p.b(x, y)
p.c: id int surrogate, at date
unique p.c(id, at)
p.d: id int pk, x text
unique p.d(id, x)
`)
	b := bind(t, s, "defaults: [{match: {type: text}, mask: hash}, {match: {type: date}, mask: date_shift}, {match: {type: integer}, mask: int}]\n")
	for column, want := range map[string]bool{"p.a.x": true, "p.a.y": false, "p.b.x": true, "p.b.y": true, "p.c.at": false, "p.c.id": true, "p.d.id": true, "p.d.x": false} {
		if d := decision(t, b, column); d.Limits.Unique != want {
			t.Errorf("%s: unique %t, want %t", column, d.Limits.Unique, want)
		}
	}
}

func TestDefaultsByKeyAndType(t *testing.T) {
	s := build(t, `
p.a: id int pk surrogate, k int unique, n int, Email text, EMAIL_ADDRESS text, when timestamptz, created_at timestamptz
p.b: a int -> p.a.k, id uuid pk surrogate, s int surrogate
`)
	b := bind(t, s, `defaults:
  - {match: {key: surrogate}, keep: "made by the database"}
  - {match: {key: unique}, mask: fpe}
  - {match: {column: "*email*"}, mask: date_shift, within: 5d}
  - {match: {column: "*email*"}, mask: email}
  - {match: {type: timestamp, column: "*_AT"}, keep: "event time"}
  - {match: {schema: "?", table: "b*", column: s}, mask: int}
`)
	for column, want := range map[string]string{"p.a.id": "keep", "p.a.k": "fpe", "p.a.n": "undecided", "p.a.Email": "date_shift", "p.a.EMAIL_ADDRESS": "date_shift",
		"p.a.when": "undecided", "p.a.created_at": "keep", "p.b.a": "fpe", "p.b.id": "keep", "p.b.s": "int"} {
		d := decision(t, b, column)
		got := string(d.Outcome)
		if d.Outcome == rules.Mask {
			got = d.Spec.Mask
		}
		if got != want {
			t.Errorf("%s: %s, want %s", column, got, want)
		}
	}
}

func TestTablesWithoutDecisions(t *testing.T) {
	s := build(t, shop)
	f := parse(t, "r.yaml", "version: 1\ntables: {events: {columns: {kind: redact, gone: redact}}}\n")
	b, bad := rules.Bind([]*rules.File{f}, s, schema.Name{Schema: "public", Table: "events"})
	if len(bad) > 0 {
		t.Error(lines(bad))
	}
	if len(b.Of(schema.Name{Schema: "public", Table: "events"})) > 0 {
		t.Error("a table that is not carried has decisions")
	}
}

func TestLockFindings(t *testing.T) {
	was, is := build(t, "p.a: id int pk, x varchar(20), old text\np.gone: id int\n"), build(t, "p.a: id int pk, x text, new text\np.more: id int\n")
	locked, err := rules.ReadLock(rules.Lock(was))
	if err != nil {
		t.Fatal(err)
	}
	fs := rules.CompareLock(locked, is)
	bad := finding.Errors(fs)
	if len(fs) != 5 || len(bad) != 1 || bad[0].Code != 3 || bad[0].Message != "the type is text, and schema.lock.json says varchar(20) (text)" {
		t.Error(lines(fs))
	}
	for _, text := range []string{"", "{", "[]", `{"version": 2}`, `{"version": 1, "secret": "CanaryValue7"}`, `{"version": "CanaryValue7"}`, `{"version":1} x`, `{"version":1,"tables":[{"name":"CanaryValue7."}]}`} {
		if _, err := rules.ReadLock([]byte(text)); err == nil || strings.Contains(err.Error(), "CanaryValue7") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
