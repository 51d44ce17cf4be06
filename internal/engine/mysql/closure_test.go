package mysql

import (
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch"
	"understudy/internal/subset/subsettest"
)

// Random structures with random rows on a server: the rows selected from it are
// the least fix point over its references.
func TestSelectionIsTheLeastFixPoint(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		folding := "utf8mb4_0900_as_ci"
		if server.MariaDB() {
			folding = "utf8mb4_general_nopad_ci"
		}
		dialect := subsettest.Dialect{Type: func(c schema.Column) string {
			switch {
			case c.Kind == schema.Integer:
				return "bigint"
			case c.FoldCase:
				return "varchar(60) COLLATE " + folding
			}
			return "varchar(60)"
		}}
		ends := map[string]int{}
		for _, seed := range subsettest.Seeds(25) {
			url := freshDatabase(t, server)
			w := subsettest.NewWorld(seed, databaseOf(url))
			db := application(t, url)
			db.SetMaxOpenConns(1)
			must(t, db, "SET SESSION foreign_key_checks = 0, sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
			must(t, db, w.SQL(dialect)...)
			ends[w.Check(t, openSource(t, url, engine.Limits{}))]++
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		t.Logf("%v", ends)
	})
}
