package sqlite

import (
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/subset/subsettest"
)

// Random structures with random rows in a file: the rows selected from it are
// the least fix point over its references.
func TestSelectionIsTheLeastFixPoint(t *testing.T) {
	dialect := subsettest.Dialect{Type: func(c schema.Column) string {
		switch {
		case c.Kind == schema.Integer:
			return "INTEGER"
		case c.FoldCase:
			return "TEXT COLLATE NOCASE"
		}
		return "TEXT"
	}}
	worlds := 60
	if testing.Short() {
		worlds = 10
	}
	ends := map[string]int{}
	for _, seed := range subsettest.Seeds(worlds) {
		w := subsettest.NewWorld(seed, "main")
		db := fresh("wal")(t)
		script := "BEGIN; " + strings.Join(w.SQL(dialect), ";\n") + "; COMMIT"
		if err := db.Exec(script); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		at, err := New().Parse(db.URL)
		if err != nil {
			t.Fatal(err)
		}
		source, err := New().Source(t.Context(), at, engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		ends[w.Check(t, source)]++
		if err := source.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%v", ends)
}
