package mask

import (
	"syscall"
	"testing"
	"time"

	"understudy/internal/schema"
)

// A fake of each kind over a million distinct values, through the interface that
// the pipeline uses. Goals: 150 ns for names, addresses and phones, 600 ns for
// permutations, and no allocation for any but numbers of more than eighteen digits.
func BenchmarkMask(b *testing.B) {
	const distinct = 1000000
	run := func(name string, m *Mask, value func(i int) string) {
		b.Run(name, func(b *testing.B) {
			var data []byte
			ends := make([]int, 0, distinct)
			for i := range distinct {
				data = append(data, value(i)...)
				ends = append(ends, len(data))
			}
			w, out := m.Worker(), make([]byte, 0, 256)
			b.ReportAllocs()
			i, start, before := 0, 0, spent()
			for b.Loop() {
				var err error
				if out, _, err = w.Append(out[:0], data[start:ends[i]]); err != nil {
					b.Fatal(err)
				}
				if start, i = ends[i], i+1; i == distinct {
					start, i = 0, 0
				}
			}
			b.ReportMetric(float64(spent()-before)/float64(b.N), "cpu-ns/op")
		})
	}
	for _, k := range Kinds() {
		limits := Limits{Kind: kindFor(k.Name), Scale: -1}
		run(k.Name, makeMask(b, k.Name, limits, paramsFor(k.Name)...), func(i int) string { return typical(k.Name, i) })
	}
	unique := Limits{Kind: schema.Text, Unique: true}
	run("phone_unique", makeMask(b, "phone", unique), func(i int) string { return typical("phone", i) })
	run("fpe_card", makeMask(b, "fpe", unique), func(i int) string { return "4111" + string(appendNumber(nil, 100000000000+uint64(i))) })
	run("fpe_mixed", makeMask(b, "fpe", unique), func(i int) string { return "AB-" + string(appendNumber(nil, 100000+uint64(i))) + "xyz" })
	run("fpe_number", makeMask(b, "fpe", Limits{Kind: schema.Integer}), func(i int) string { return string(appendNumber(nil, 10000000+uint64(i))) })
	run("fpe_small", makeMask(b, "fpe", unique), func(i int) string { return typical("postcode", i) })
	run("card_permuted", makeMask(b, "credit_card", unique, "bin", "permute"), func(i int) string { return typical("credit_card", i) })
	run("iban_permuted", makeMask(b, "iban", unique, "bank", "permute"), func(i int) string { return typical("iban", i) })
	run("ip_network", makeMask(b, "ip", Limits{Kind: schema.Net}), func(i int) string { return typical("ip", i<<8) + "/24" })
	run("noise_long", makeMask(b, "noise", Limits{Kind: schema.Decimal, Scale: 20}), func(i int) string { return typical("noise", i) + "123456789.12345678901234567890" })
	run("first_name_folded", foldedMask(b), func(i int) string { return typical("first_name", i) })
}

func foldedMask(b *testing.B) *Mask {
	m, err := New(testKey(b, 1), Spec{Mask: "first_name", Domain: "d", Fold: true}, Limits{Kind: schema.Text})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func BenchmarkDigester(b *testing.B) {
	d, row := testKey(b, 1).Digester("public.users"), make([]byte, 361)
	b.SetBytes(int64(len(row)))
	b.ReportAllocs()
	for b.Loop() {
		d.AddRow(row)
	}
}

func BenchmarkSampler(b *testing.B) {
	s, id := testKey(b, 1).Sampler("public.users"), []byte("1234567")
	b.ReportAllocs()
	for b.Loop() {
		s.Hash(id)
	}
}

// spent is the processor time of this process, which says more than the clock on
// a machine that has other work to do.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
