package pipeline

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// verbatim carries values as they are.
type verbatim struct{}

func (verbatim) Value(_, raw []byte, _ int) []byte      { return raw }
func (verbatim) Append(dst, value []byte, _ int) []byte { return append(dst, value...) }
func (verbatim) AppendNull(dst []byte, _ int) []byte    { return append(dst, `\N`...) }

// BenchmarkRewrite masks wide rows as they pass, everything counted and digested
// as in a run: a row of 20 columns and about 360 bytes, with no, one and six of
// them masked.
func BenchmarkRewrite(b *testing.B) {
	key, _, err := mask.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	all := []struct{ name, mask, value string }{{"first", "first_name", "Person%d"}, {"last", "last_name", "Family%d"}, {"email", "email", "person%d@shop.test"},
		{"phone", "phone", "+1 202 %07d"}, {"ssn", "fpe", "078-%07d"}, {"street", "street", "%d Some Street"}}
	const rows = 1000
	for _, n := range []int{0, 1, 6} {
		b.Run(fmt.Sprintf("masked%d", n), func(b *testing.B) {
			var columns []maskedColumn
			for i, c := range all[:n] {
				m, err := mask.New(key, mask.Spec{Mask: c.mask, Domain: c.name}, mask.Limits{Kind: schema.Text, Scale: -1})
				if err != nil {
					b.Fatal(err)
				}
				columns = append(columns, maskedColumn{name: c.name, index: 2 + 3*i, mask: m})
			}
			var raw []byte
			var cells []engine.Cell
			for row := range rows {
				for column := range 20 {
					if column > 0 {
						raw = append(raw, '\t')
					}
					start := len(raw)
					if i := (column - 2) / 3; column%3 == 2 && i < len(all) {
						raw = fmt.Appendf(raw, all[i].value, row*9176+column)
						if i < n {
							cells = append(cells, engine.Cell{Start: start, End: len(raw)})
						}
						continue
					}
					raw = fmt.Appendf(raw, "column %d of row %d", column, row)
				}
				raw = append(raw, '\n')
			}
			r := newRewriter(schema.Name{Schema: "public", Table: "people"}, columns, key)
			batch := &engine.Batch{Form: verbatim{}}
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			before := spent()
			for b.Loop() {
				batch.Rows, batch.Raw, batch.Cells = rows, append(batch.Raw[:0], raw...), append(batch.Cells[:0], cells...)
				if err := r.rewrite(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			b.ReportMetric(float64(spent()-before)/float64(b.N)/rows, "cpu-ns/row")
		})
	}
}

// spent is this process's processor time, which a busy machine stretches less than the clock.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
