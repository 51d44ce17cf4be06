package postgres

import (
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/subset/subsettest"
)

// Random structures with random rows on a server: the rows selected from it are
// the least fix point over its references.
func TestSelectionIsTheLeastFixPoint(t *testing.T) {
	dialect := subsettest.Dialect{Schemas: []string{"a", "B c"}, Late: true, Type: func(c schema.Column) string {
		if c.Kind == schema.Integer {
			return "bigint"
		}
		return "text"
	}}
	ends := map[string]int{}
	for _, seed := range subsettest.Seeds(25) {
		w := subsettest.NewWorld(seed, dialect.Schemas...)
		url := scratchtest.Database(t)
		scratchtest.SQL(t, url, strings.Join(w.SQL(dialect), ";\n"))
		source := sourceAt(t, url, engine.Limits{})
		ends[w.Check(t, source)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%v", ends)
}
