package postgres

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/scratch/scratchtest"
)

// TestCodecsReadAsTheServerWrites sends values made at random to the server,
// which gives each back in both forms: the codec's text is the server's text,
// and its bytes for that text are the server's bytes.
func TestCodecsReadAsTheServerWrites(t *testing.T) {
	c := testConn(t, scratchtest.Database(t))
	for name, g := range map[string]struct {
		oid   uint32
		make  func(*rapid.T) []byte
		asked bool // the server reads the texts
	}{
		"smallint":                    {oid: 21, make: bytesOf(2)},
		"integer":                     {oid: 23, make: bytesOf(4)},
		"bigint":                      {oid: 20, make: bytesOf(8)},
		"oid":                         {oid: 26, make: bytesOf(4)},
		"real":                        {oid: 700, make: drawFloat32},
		"double precision":            {oid: 701, make: drawFloat64},
		"numeric":                     {oid: 1700, make: drawNumeric},
		"uuid":                        {oid: 2950, make: bytesOf(16)},
		"date":                        {oid: 1082, make: drawInt32(firstDay, lastDay, math.MaxInt32, math.MinInt32, -730122, -730121)},
		"timestamp without time zone": {oid: 1114, make: drawStamp},
		"timestamp with time zone":    {oid: 1184, make: drawStamp},
		"time without time zone":      {oid: 1083, make: drawClock},
		"time with time zone": {oid: 1266, make: func(t *rapid.T) []byte {
			zone := rapid.Int32Range(-57599, 57599).Draw(t, "zone")
			if rapid.Bool().Draw(t, "whole hours") {
				zone = zone / 3600 * 3600
			}
			return binary.BigEndian.AppendUint32(drawClock(t), uint32(zone))
		}},
		"interval": {oid: 1186, make: drawInterval, asked: true},
		"inet":     {oid: 869, make: drawNetwork(false)},
		"cidr":     {oid: 650, make: drawNetwork(true)},
		"macaddr":  {oid: 829, make: bytesOf(6)},
		"macaddr8": {oid: 774, make: bytesOf(8)},
		"boolean":  {oid: 16, make: func(t *rapid.T) []byte { return []byte{byte(rapid.IntRange(0, 1).Draw(t, "bool"))} }},
		"text":     {oid: 25, make: drawText},
		"varchar":  {oid: 1043, make: drawText},
		"bytea":    {oid: 17, make: func(t *rapid.T) []byte { return rapid.SliceOf(rapid.Byte()).Draw(t, "bytes") }},
		"json":     {oid: 114, make: drawJSON},
		"jsonb":    {oid: 3802, make: func(t *rapid.T) []byte { return append([]byte{1}, drawJSON(t)...) }},
		"char":     {oid: 1042, make: func(t *rapid.T) []byte { return append(drawText(t), "  "...) }},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				values := make([][]byte, 20)
				for i := range values {
					values[i] = g.make(rt)
				}
				agree(t, rt, c, g.oid, values, g.asked)
			})
		})
	}
}

// fatal is what *testing.T and *rapid.T have in common here.
type fatal interface{ Fatalf(string, ...any) }

// agree fails where a codec and the server differ.
func agree(t *testing.T, rt fatal, c *conn, oid uint32, values [][]byte, asked bool) {
	t.Helper()
	array := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1, 0, 0, 0, 0}, oid)
	array = binary.BigEndian.AppendUint32(array, uint32(len(values)))
	array = binary.BigEndian.AppendUint32(array, 1)
	for _, v := range values {
		array = append(binary.BigEndian.AppendUint32(array, uint32(len(v))), v...)
	}
	name, err := c.value(t.Context(), "name a type", "SELECT format_type(typarray, NULL) FROM pg_catalog.pg_type WHERE oid = $1", oid)
	if err != nil {
		t.Fatal(err)
	}
	result := c.ExecParams(t.Context(), "SELECT v, v FROM unnest($1::"+name+") v", [][]byte{array}, nil, []int16{1}, []int16{1, 0}).Read()
	if result.Err != nil {
		rt.Fatalf("the server refused values: %v", result.Err)
	}
	k, text := codecOf(oid), translationOf(oid)
	f := &tupleForm{columns: []string{"v"}, codecs: []*codec{k}}
	f.ask = func(uint32, []byte) ([]byte, error) { return nil, errRowsEnded }
	for _, row := range result.Rows {
		cell := append(binary.BigEndian.AppendUint32(nil, uint32(len(row[0]))), row[0]...)
		want := string(text.canonical(nil, append([]byte{}, row[1]...)))
		got := string(f.Value(nil, cell, 0))
		if got != want || f.broken() != nil {
			rt.Fatalf("% x is read as %q, which the server writes as %q (%v)", row[0], got, want, f.broken())
		}
		back := f.Append(nil, []byte(want), 0)
		switch {
		case asked:
			f.failure = nil
		case f.broken() != nil:
			rt.Fatalf("the codec cannot write %q", want)
		case string(back) != string(cell) && oid != 1042 && want != "NaN":
			rt.Fatalf("%q is written as % x, by the server as % x", want, back, cell)
		}
	}
}

func bytesOf(n int) func(*rapid.T) []byte {
	return func(t *rapid.T) []byte {
		b := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "small") { // numbers near zero, addresses with runs of zeros
			fill := byte(0)
			if rapid.Bool().Draw(t, "negative") {
				fill = 0xff
			}
			for i := range n - 1 {
				b[i] = fill
			}
		}
		return b
	}
}

func drawFloat64(t *rapid.T) []byte {
	bits := rapid.Uint64().Draw(t, "bits")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0: // powers of two and their neighbours
		bits = rapid.Uint64Range(0, 2047).Draw(t, "exponent")<<52 + rapid.Uint64Range(0, 2).Draw(t, "near") - 1
	case 1:
		bits = math.Float64bits(float64(rapid.Int64Range(-1<<56, 1<<56).Draw(t, "whole")))
	case 2:
		bits = math.Float64bits(float64(rapid.Int64Range(-1e9, 1e9).Draw(t, "cents")) / 100)
	case 3: // near the changes of notation
		bits = math.Float64bits(math.Pow10(rapid.IntRange(-6, 17).Draw(t, "power"))) + rapid.Uint64Range(0, 4).Draw(t, "near") - 2
	}
	return binary.BigEndian.AppendUint64(nil, bits)
}

func drawFloat32(t *rapid.T) []byte {
	bits := rapid.Uint32().Draw(t, "bits")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		bits = rapid.Uint32Range(0, 255).Draw(t, "exponent")<<23 + rapid.Uint32Range(0, 2).Draw(t, "near") - 1
	case 1:
		bits = math.Float32bits(float32(rapid.Int64Range(-1<<26, 1<<26).Draw(t, "whole")))
	case 2:
		bits = math.Float32bits(float32(rapid.Int64Range(-1e6, 1e6).Draw(t, "cents")) / 100)
	case 3:
		bits = math.Float32bits(float32(math.Pow10(rapid.IntRange(-6, 9).Draw(t, "power")))) + rapid.Uint32Range(0, 4).Draw(t, "near") - 2
	}
	return binary.BigEndian.AppendUint32(nil, bits)
}

// drawNumeric makes a text and has the codec write it, so that both of its
// halves are checked against the server.
func drawNumeric(t *rapid.T) []byte {
	if rapid.IntRange(0, 20).Draw(t, "special") == 0 {
		return []byte{0, 0, 0, 0, notANumber >> 8, 0, 0, 0}
	}
	text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,40}|[1-9]0{0,30}|0{1,9}[0-9])(\.[0-9]{1,30}|\.0{1,20}[0-9]{0,5})?`).Draw(t, "numeric")
	out, ok := encodeNumeric(nil, []byte(text))
	if !ok {
		t.Fatalf("the codec cannot write %q", text)
	}
	return out
}

func drawInt32(low, high int32, others ...int32) func(*rapid.T) []byte {
	return func(t *rapid.T) []byte {
		g := rapid.OneOf(rapid.Int32Range(low, high), rapid.Int32Range(-800000, 40000), rapid.SampledFrom(append(others, low, high)))
		return binary.BigEndian.AppendUint32(nil, uint32(g.Draw(t, "number")))
	}
}

func drawStamp(t *rapid.T) []byte {
	low, high := int64(firstDay*microsADay), int64(lastStampDay*microsADay+microsADay-1)
	g := rapid.OneOf(rapid.Int64Range(low, high), rapid.SampledFrom([]int64{low, high, math.MaxInt64, math.MinInt64, -63082281600000000, -63082281600000001}),
		rapid.Map(rapid.Int64Range(-2e9, 2e9), func(s int64) int64 { return s * microsASecond }), rapid.Map(rapid.Int64Range(-2e9, 2e9), func(s int64) int64 { return s * 10000 }))
	return binary.BigEndian.AppendUint64(nil, uint64(g.Draw(t, "micros")))
}

func drawClock(t *rapid.T) []byte {
	g := rapid.OneOf(rapid.Int64Range(0, microsADay), rapid.Just(int64(microsADay)), rapid.Map(rapid.Int64Range(0, 86399), func(s int64) int64 { return s * microsASecond }))
	return binary.BigEndian.AppendUint64(nil, uint64(g.Draw(t, "micros")))
}

func drawInterval(t *rapid.T) []byte {
	small := rapid.OneOf(rapid.Int32Range(-30, 30), rapid.Int32Range(math.MinInt32+1, math.MaxInt32-1))
	micros := rapid.OneOf(rapid.Int64Range(-microsADay, microsADay), rapid.Just(int64(0)), rapid.Int64Range(math.MinInt64/2, math.MaxInt64/2)).Draw(t, "micros")
	out := binary.BigEndian.AppendUint64(nil, uint64(micros))
	out = binary.BigEndian.AppendUint32(out, uint32(small.Draw(t, "days")))
	return binary.BigEndian.AppendUint32(out, uint32(small.Draw(t, "months")))
}

func drawNetwork(cidr bool) func(*rapid.T) []byte {
	return func(t *rapid.T) []byte {
		size, family := 4, byte(familyFour)
		if rapid.Bool().Draw(t, "six") {
			size, family = 16, familySix
		}
		raw := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address")
		for i := range raw { // runs of zero words, leading and in the middle, and what looks like version 4
			if size == 16 && rapid.IntRange(0, 3).Draw(t, "zero") > 0 {
				raw[i] = 0
			}
		}
		if size == 16 && rapid.IntRange(0, 4).Draw(t, "mapped") == 0 {
			copy(raw, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff")
		}
		bits := byte(size * 8)
		if rapid.Bool().Draw(t, "network") {
			bits = byte(rapid.IntRange(0, size*8).Draw(t, "bits"))
		}
		if cidr {
			ip, _ := netip.AddrFromSlice(raw)
			p, err := ip.Prefix(int(bits))
			if err != nil {
				t.Fatalf("%v", err)
			}
			raw = p.Addr().AsSlice()
		}
		return append([]byte{family, bits, map[bool]byte{true: 1}[cidr], byte(size)}, raw...)
	}
}

func drawText(t *rapid.T) []byte {
	return []byte(strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", ""))
}

func drawJSON(t *rapid.T) []byte {
	return []byte(rapid.SampledFrom([]string{`{"a" : 1, "a":[1,null,"x"]}`, `[]`, `"\n\u00e9 \\"`, `1.50`, `{"b": {"c": "` + "日本" + `"}, "a": 1e3}`, ` null `}).Draw(t, "json"))
}

// Texts that are not the canonical ones are left to the server, or read as the
// server reads them.
func TestCodecsReadNoMoreThanTheServer(t *testing.T) {
	c := testConn(t, scratchtest.Database(t))
	texts := []string{"", " 1", "1 ", "+1", "-0", "0x10", "1_000", "1e3", ".5", "5.", "-.5", "00012", "-", "1.2.3", "NaN", "nan", "Infinity", "-Infinity", "inf", "infinity", "-infinity",
		"99999999999999999999", "32768", "-32769", "2147483648", "4294967296", "-1", "1e400", "1e-400", "1e-45", "3.5e38", "0x1p-2", "t", "f", "true", "false", "on", "TRUE", "yes",
		"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
		"2024-02-29", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "0001-01-01 BC", "4714-11-24 BC", "4714-11-23 BC", "4713-02-29 BC", "5874897-12-31", "5874898-01-01", "20240229", "2024-2-9", "Jan 5 2024", "12345-01-01", "01234-01-01",
		"2024-02-29 12:34:56", "2024-02-29T12:34:56", "2024-02-29 12:34:56.789", "2024-02-29 12:34:56.1234567", "2024-02-29 12:34:56.", "2024-02-29 24:00:00", "2024-02-29 24:00:01", "2024-02-29 12:34:60",
		"2024-02-29 12:34:56+00", "2024-02-29 12:34:56+02", "2024-02-29 12:34:56.5+00 BC", "294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999+00", "294277-01-01 00:00:00", "4714-11-24 00:00:00 BC",
		"12:00:00", "24:00:00", "24:00:00.1", "12:00", "12:60:00", "12:00:00+05:30", "12:00:00-15:59:59", "12:00:00+16", "12:00:00+15:60", "12:00:00+5", "12:00:00 UTC", "12:00:00+00", "12:00:00-00",
		"1 day", "-1 day +02:00:00", "P1D", "::1", "::1/64", "::1/129", "::1%eth0", "10.0.0.1", "10.0.0.1/8", "10.0.0.0/8", "10.0.0.1/33", "10", "010.0.0.1", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:7::", "::FFFF:A", "10.0.0.0/08",
		"08:00:2b:01:02:03", "08-00-2b-01-02-03", "08002b:010203", "08:00:2B:01:02:03", "08:00:2b:01:02:03:04:05", "08:00:2b:01:02:0g", "{\"a\": 1}", "1.5000", "12345678901234567890.123456789", "0.00001", "10000", "100000000.0001", "-0.0"}
	for _, oid := range []uint32{16, 20, 21, 23, 26, 700, 701, 1700, 2950, 1082, 1083, 1266, 1114, 1184, 1186, 650, 869, 829, 774} {
		k := codecOf(oid)
		for _, text := range texts {
			got, ok := k.encode(nil, []byte(text))
			if !ok {
				continue
			}
			result := c.ExecParams(t.Context(), "SELECT $1", [][]byte{[]byte(text)}, []uint32{oid}, nil, []int16{1}).Read()
			if result.Err != nil {
				t.Errorf("type %d: %q is written as % x, the server refuses it", oid, text, got)
			} else if want := result.Rows[0][0]; string(want) != string(got) && text != "NaN" {
				t.Errorf("type %d: %q is written as % x, by the server as % x", oid, text, got, want)
			}
		}
	}
}

// FuzzTupleForm: no bytes and no text break the codecs or leave their field.
func FuzzTupleForm(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x40\x00\x00\x02\x00\x05"))
	f.Add([]byte("2024-02-29 12:34:56+00 BC"))
	f.Add([]byte("-12.50"))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, oid := range []uint32{16, 17, 20, 21, 23, 25, 26, 114, 700, 701, 1042, 1043, 1700, 2950, 3802, 1082, 1083, 1114, 1184, 1186, 1266, 650, 774, 829, 869, anyEnum} {
			form := &tupleForm{columns: []string{"v"}, codecs: []*codec{codecOf(oid)}, ask: func(uint32, []byte) ([]byte, error) { return nil, errRowsEnded }}
			cell := append(binary.BigEndian.AppendUint32(nil, uint32(len(value))), value...)
			form.Value(nil, cell, 0)
			row := append([]byte{0, 1}, form.Append(nil, value, 0)...)
			cells, ok := appendFields(nil, row, 0, []int{0})
			if !ok || cells[0].End != len(row) || cells[0].Null {
				t.Errorf("type %d: %q is written as % x", oid, value, row)
			}
			appendFields(nil, value, 0, []int{0, 1, 5})
		}
		withoutHead(value)
	})
}

// testConn opens a session that closes with the test.
func testConn(t testing.TB, url string) *conn {
	t.Helper()
	at, err := parseAddress(secretOf(url))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), at, session{name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.hangUp)
	return c
}
