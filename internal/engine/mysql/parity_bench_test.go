package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"understudy/internal/catalog"
	"understudy/internal/engine"
)

// BenchmarkCatalog reads what parity compares of a thousand tables with twenty
// columns, keys and indexes, and compares it with itself. s/side is what reading one
// side takes alone; on MariaDB it should be 2 at most.
func BenchmarkCatalog(b *testing.B) {
	for product, start := range products() {
		b.Run(product, func(b *testing.B) {
			url := freshDatabase(b, start(b))
			db := application(b, url)
			db.SetMaxOpenConns(1)
			must(b, db, "CREATE TABLE t0 (id bigint PRIMARY KEY)")
			for i := 1; i <= 1000; i++ {
				var columns strings.Builder
				for c := range 18 {
					fmt.Fprintf(&columns, "c%d varchar(%d) DEFAULT 'x',", c, c+1)
				}
				must(b, db, fmt.Sprintf("CREATE TABLE t%d (id bigint PRIMARY KEY, parent bigint REFERENCES t%d (id), %s CHECK (id > 0), KEY (c1, c2))", i, i-1, columns.String()))
			}
			side := openSource(b, url, engine.Limits{})
			var reading time.Duration
			for b.Loop() {
				began := time.Now()
				one, err := side.Catalog(b.Context(), nil)
				if err != nil {
					b.Fatal(err)
				}
				reading += time.Since(began)
				c, err := catalog.Compare(b.Context(), one, one, nil)
				if err != nil || len(c.Differences) > 0 {
					b.Fatalf("%v, %d differences", err, len(c.Differences))
				}
			}
			b.ReportMetric(reading.Seconds()/float64(b.N), "s/side")
		})
	}
}
