package postgres

import (
	"slices"
	"strconv"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// Looking rows up by keys and then reading them by place, against reading whole
// rows by keys in one statement.
func BenchmarkFindAndRead(b *testing.B) {
	url := scratchtest.Database(b)
	scratchtest.SQL(b, url, `CREATE TABLE lines (id bigint PRIMARY KEY, parent bigint, product int, n int, price numeric, note text, at timestamptz);
INSERT INTO lines SELECT i, hashint4(i) & 262143, i % 1000, i % 7, i::numeric / 7, repeat('x', 60), now() FROM generate_series(1, 1500000) i; CREATE INDEX ON lines (parent); VACUUM ANALYZE lines`)
	src := sourceAt(b, url, engine.Limits{})
	s, snap := openSnapshot(b, src)
	lines := mustTable(b, s, "lines")
	keys := &engine.Tuples{Width: 1}
	for i := range 13000 { // one parent in twenty
		keys.AddString(strconv.Itoa(i * 20))
	}
	var ids []engine.RowID
	b.Run("find", func(b *testing.B) {
		for b.Loop() {
			ids = ids[:0]
			for f, err := range snap.Find(b.Context(), engine.Find{Table: lines, Columns: []string{"id", "parent", "product"}, By: []string{"parent"}, Keys: keys}) {
				if err != nil {
					b.Fatal(err)
				}
				ids = append(ids, f.IDs...)
			}
		}
		b.ReportMetric(float64(len(ids)), "rows")
	})
	slices.Sort(ids)
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for batch, err := range snap.Read(b.Context(), engine.Read{Table: lines, Columns: lines.Written(), Rows: ids}) {
				if err != nil {
					b.Fatal(err)
				}
				batch.Release()
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		param := array(func() (out []string) {
			for i := range keys.Len() {
				v, _ := keys.At(i, 0)
				out = append(out, string(v))
			}
			return out
		}())
		err := src.with(b.Context(), func(c *conn) error {
			for b.Loop() {
				rows := 0
				result := c.ExecParams(b.Context(), "SELECT * FROM public.lines WHERE parent = ANY ($1::bigint[])", [][]byte{param}, nil, nil, nil)
				for result.NextRow() {
					rows++
				}
				if _, err := result.Close(); err != nil {
					return err
				}
				b.ReportMetric(float64(rows), "rows")
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}
