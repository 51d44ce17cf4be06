package subset_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/subset"
	"understudy/internal/subset/subsettest"
)

// bank makes accounts, their sessions, orders and order lines, and products:
// with perAccount 20, some 61 rows hang on each account.
func bank(accounts int, key func(int) string) (*subsettest.Memory, *schema.Schema) {
	kind := schema.Integer
	if key(1) != "1" {
		kind = schema.Text
	}
	column := func(name string) schema.Column { return schema.Column{Name: name, Kind: kind, NotNull: true} }
	pk := func(columns ...string) []schema.Key {
		return []schema.Key{{Name: "pk", Columns: columns, Primary: true, NotNull: true}}
	}
	name := func(t string) schema.Name { return schema.Name{Schema: "public", Table: t} }
	s := &schema.Schema{Tables: []schema.Table{
		{Name: name("accounts"), Columns: []schema.Column{column("id")}, Keys: pk("id")},
		{Name: name("lines"), Columns: []schema.Column{column("order_id"), column("no"), column("product_id")}, Keys: pk("order_id", "no")},
		{Name: name("orders"), Columns: []schema.Column{column("id"), column("account_id")}, Keys: pk("id")},
		{Name: name("products"), Columns: []schema.Column{column("id")}, Keys: pk("id")},
		{Name: name("sessions"), Columns: []schema.Column{column("id"), column("account_id")}, Keys: pk("id")},
	}}
	refer := func(from, column, to string) {
		s.References = append(s.References, schema.Reference{Name: from + column, From: name(from), Columns: []string{column},
			To: name(to), ToColumns: []string{"id"}, Valid: true, Indexed: true})
	}
	refer("lines", "order_id", "orders")
	refer("lines", "product_id", "products")
	refer("orders", "account_id", "accounts")
	refer("sessions", "account_id", "accounts")
	s.Sort()
	m := subsettest.NewMemory()
	m.Chunk = 10_000
	text := func(n int) *string { return subsettest.Value(key(n)) }
	const products = 1000
	for p := range products {
		m.Add(name("products"), text(p))
	}
	order, session := 0, 0
	for a := range accounts {
		m.Add(name("accounts"), text(a))
		for range 20 {
			session++
			m.Add(name("sessions"), text(session), text(a))
		}
		for range 10 {
			order++
			m.Add(name("orders"), text(order), text(a))
			for l := range 3 {
				m.Add(name("lines"), text(order), text(l), text((order*31+l*7)%products))
			}
		}
	}
	return m, s
}

// replay answers each Find from what an earlier run of the same Find gave, so
// that a benchmark times the closure and not the test's own database.
type replay struct {
	*subsettest.Memory
	seed    maphash.Seed
	answers map[string][]*engine.Found
}

// Find implements engine.Snapshot.
func (p *replay) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		var h maphash.Hash
		h.SetSeed(p.seed)
		fmt.Fprint(&h, f.Table.Name, f.Columns, f.By, f.Where, f.Order)
		if f.Keys != nil {
			for i := range f.Keys.Len() {
				for c := range f.By {
					v, _ := f.Keys.At(i, c)
					h.Write(v)
					h.WriteByte(0)
				}
			}
		}
		name := fmt.Sprint(h.Sum64())
		if _, known := p.answers[name]; !known {
			for found, err := range p.Memory.Find(ctx, f) {
				if err != nil {
					yield(nil, err)
					return
				}
				p.answers[name] = append(p.answers[name], found)
			}
		}
		for _, found := range p.answers[name] {
			if !yield(found, nil) {
				return
			}
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, keys := range []struct {
		name string
		key  func(int) string
	}{
		{"integers", func(n int) string { return fmt.Sprint(n) }},
		{"uuids", func(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", n*2654435761&0xffffffff, n) }},
	} {
		b.Run(keys.name, func(b *testing.B) {
			m, s := bank(10_000, keys.key)
			r := &replay{Memory: m, seed: maphash.MakeSeed(), answers: map[string][]*engine.Found{}}
			spec := &subset.Spec{Unreached: subset.Small, Seeds: []subset.Seed{{Table: s.Table(schema.Name{Schema: "public", Table: "accounts"})}}}
			opts := subset.Options{Readers: 1, Sample: subsettest.Sample}
			run := func() *subset.Selection {
				sel, err := subset.Select(context.Background(), r, s, spec, opts)
				if err != nil {
					b.Fatal(err)
				}
				return sel
			}
			rows := run().Rows
			b.ResetTimer()
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(rows), "rows")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}
