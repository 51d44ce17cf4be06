package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A fragment that the database takes and that fails on a row is told with its
// place, and without the row's value.
func TestFragmentThatFailsOnARow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "from.db")
	db := openFile(t, source)
	fillFile(t, db, "CREATE TABLE p (id INTEGER PRIMARY KEY, doc TEXT)", "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p, doc TEXT)",
		"INSERT INTO p VALUES (1, '{}'), (2, 'secret1')", "INSERT INTO c VALUES (1, 1, 'secret2')")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := newErrand(t, "sqlite:"+source, "sqlite:"+filepath.Join(dir, "to.db"), plainJob(), nil)
	e.keepAll(t)
	const bad = `"json_extract(doc, '$.a') IS NULL"`
	for _, c := range []struct{ job, at string }{
		{`subset: {seeds: [{table: p, where: ` + bad + `}]}`, "understudy.yaml:6:36: "},
		{`subset: {seeds: [{table: p, where: "id < 2"}], tables: {c: {where: ` + bad + `}}}`, "understudy.yaml:6:68: "},
		{`subset: {seeds: [{table: p, where: "id = 1"}], tables: {c: {per_parent: 1, order: "json_extract(doc, '$.a')"}}}`, "understudy.yaml:6:83: "},
		{`subset: {seeds: [{table: p, where: "id = 1"}], tables: {c: {where: "id > 0 AND json_extract(doc, '$.a') IS NULL", per_parent: 1, order: "id"}}}`, "fragments at understudy.yaml:6:68, understudy.yaml:6:"},
	} {
		e.write(t, "understudy.yaml", plainJob(c.job))
		s := e.run(t, 2, "plan")
		s.wants(t, c.at, "as CASE does")
		if strings.Contains(s.all(), "secret") {
			t.Errorf("a value is told:\n%s", s.all())
		}
	}
}
