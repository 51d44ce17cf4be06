package postgres

import (
	"fmt"
	"strings"
	"testing"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// BenchmarkCatalog reads what parity compares of a thousand tables with twenty
// columns, keys and indexes, and compares it with itself.
func BenchmarkCatalog(b *testing.B) {
	url := scratchtest.Database(b)
	var sql strings.Builder
	sql.WriteString("CREATE SCHEMA wide; CREATE TABLE wide.t0 (id bigint PRIMARY KEY);")
	for i := 1; i <= 1000; i++ {
		fmt.Fprintf(&sql, "CREATE TABLE wide.t%d (id bigint PRIMARY KEY, parent bigint REFERENCES wide.t%d, ", i, i-1)
		for c := range 18 {
			fmt.Fprintf(&sql, "c%d varchar(%d) DEFAULT 'x',", c, c+1)
		}
		fmt.Fprintf(&sql, "CHECK (id > 0)); CREATE INDEX ON wide.t%d (c1, c2);\n", i)
	}
	scratchtest.SQL(b, url, sql.String())
	at, err := New().Parse(secret.New(url))
	if err != nil {
		b.Fatal(err)
	}
	side, err := New().Source(b.Context(), at, engine.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	defer side.Close()
	for b.Loop() {
		one, err := side.Catalog(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		c, err := catalog.Compare(b.Context(), one, one, nil)
		if err != nil || len(c.Differences) > 0 {
			b.Fatalf("%v, %d differences", err, len(c.Differences))
		}
	}
}
