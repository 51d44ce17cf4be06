package mysql

import (
	"database/sql/driver"
	"slices"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/secret"
)

// BenchmarkRead reads a table of 400,000 rows and, in turn, only takes what the same
// statement streams on a session of its own. bare/read is the part of that speed that
// reading has; it should be 0.9 at least.
func BenchmarkRead(b *testing.B) {
	for product, start := range products() {
		b.Run(product, func(b *testing.B) {
			url := freshDatabase(b, start(b))
			db := application(b, url)
			db.SetMaxOpenConns(1)
			must(b, db, "CREATE TABLE digits (d int)", "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
				"CREATE TABLE wide (id bigint PRIMARY KEY, account bigint, name varchar(80), mail varchar(80), url text, at datetime(3), k int, price decimal(12,4), notes text, uid char(36), flag tinyint, lang char(2))",
				`INSERT INTO wide SELECT n, n % 977, concat('Name of ', n), concat('mail', n, '@example.com'), concat('https://shop.example.com/path/', n, '?q=', n), '2024-01-01' + interval n second, n % 7, n / 7, repeat('lorem ipsum ', 12), uuid(), n % 2, 'en'
FROM (SELECT a.d + b.d * 10 + c.d * 100 + e.d * 1000 + f.d * 10000 + g.d * 100000 AS n FROM digits a, digits b, digits c, digits e, digits f, digits g WHERE g.d < 4) x`)
			o := open(b, url, engine.Limits{})
			wide := o.table(b, "wide")
			at, err := parseAddress(secret.New(url))
			if err != nil {
				b.Fatal(err)
			}
			bare, err := connect(b.Context(), at, session{name: "bare"})
			if err != nil {
				b.Fatal(err)
			}
			defer bare.hangUp()
			var alone, reading []time.Duration
			for b.Loop() {
				began, n := time.Now(), 0
				if err := bare.each(b.Context(), "stream", "SELECT * FROM wide", func([]driver.Value) error { n++; return nil }); err != nil || n != 400000 {
					b.Fatal(err, n)
				}
				alone = append(alone, time.Since(began))
				began, n = time.Now(), 0
				for batch, err := range o.snap.Read(b.Context(), engine.Read{Table: wide, Columns: wide.Written(), Look: []int{2, 3, 4}}) {
					if err != nil {
						b.Fatal(err)
					}
					n += batch.Rows
					batch.Release()
				}
				if n != 400000 {
					b.Fatal(n)
				}
				reading = append(reading, time.Since(began))
			}
			slices.Sort(alone)
			slices.Sort(reading)
			b.ReportMetric(alone[len(alone)/2].Seconds()/reading[len(reading)/2].Seconds(), "bare/read")
			b.ReportMetric(400000/reading[len(reading)/2].Seconds(), "rows/s")
		})
	}
}
