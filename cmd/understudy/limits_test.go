package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A mask that is refused for the sake of another column, with which its column
// shares its fakes, names that column; its own demands name nobody.
func TestRefusalNamesTheColumnThatSetsTheLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "from.db")
	db := openFile(t, source)
	fillFile(t, db, "CREATE TABLE p (code VARCHAR(60) PRIMARY KEY, realm TEXT)", "CREATE TABLE c (id INTEGER PRIMARY KEY, code VARCHAR(7) REFERENCES p, mail VARCHAR(5))",
		"INSERT INTO p VALUES ('a', 'b'), ('c', 'd')", "INSERT INTO c VALUES (1, 'a', 'x')")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rules string
		wants []string
		not   string // stands in no line of the answer
	}{
		{"p: {columns: {code: email, realm: redact}}, c: {columns: {mail: redact}}",
			[]string{"main.p.code: mask email: a length of 7 is too short, the shortest fake has 8 characters (the length is that of main.c.code, with which it shares its fakes)"}, "that of main.p"},
		{"p: {columns: {code: city, realm: redact}}, c: {columns: {mail: redact}}",
			[]string{"main.c.code: mask city", "(the uniqueness is that of main.p.code, with which it shares its fakes)"}, "uniqueness is that of main.c"},
		{"p: {columns: {code: {keep: a test}, realm: redact}}, c: {columns: {mail: {mask: email, domain: alone}}}", []string{"main.c.mail: mask email: a length of 5 is too short"}, "that of"},
	} {
		e := newErrand(t, "sqlite:"+source, "sqlite:"+filepath.Join(dir, "to.db"), plainJob(), map[string]string{
			"all.yaml": "version: 1\ndefaults: [{match: {key: surrogate}, keep: a number}]\ntables: {" + c.rules + "}\n"})
		for _, args := range [][]string{{"plan"}, {"rules", "check"}} {
			s := e.run(t, 2, args...)
			s.wants(t, c.wants...)
			if strings.Contains(s.all(), c.not) {
				t.Errorf("%q is said:\n%s", c.not, s.all())
			}
		}
	}
	// What only the target demands is told as its.
	target := filepath.Join(dir, "to.db")
	db = openFile(t, target)
	fillFile(t, db, "CREATE TABLE p (code VARCHAR(60) PRIMARY KEY, realm TEXT)", "CREATE TABLE c (id INTEGER PRIMARY KEY, code VARCHAR(4) REFERENCES p, mail VARCHAR(5))")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(), map[string]string{
		"all.yaml": "version: 1\ndefaults: [{match: {key: surrogate}, keep: a number}]\ntables: {p: {columns: {code: email, realm: redact}}, c: {columns: {mail: redact}}}\n"})
	e.run(t, 2, "plan").wants(t, "main.p.code: mask email: a length of 4 is too short", "(the length is that of the target's main.c.code, with which it shares its fakes)")
}
