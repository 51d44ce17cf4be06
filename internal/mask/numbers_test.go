package mask

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/schema"
)

func rational(t *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not a number", text)
	}
	return r
}

// decimalText draws a plain decimal number of up to so many digits before and behind the point.
func decimalText(t *rapid.T, whole, places int) string {
	text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})`).Draw(t, "whole")
	if sign := strings.HasPrefix(text, "-"); len(text) > whole {
		text = text[:whole]
		if sign && text == "-" {
			text = "-1"
		}
	}
	if places > 0 {
		fraction := rapid.StringMatching(`[0-9]{30}`).Draw(t, "fraction")
		text += "." + fraction[:places]
	}
	if rational(t, text).Sign() == 0 {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

func TestNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.IntRange(0, 25).Draw(t, "scale")
		value := decimalText(t, rapid.IntRange(1, 30).Draw(t, "whole"), scale)
		percent := rapid.SampledFrom([]string{"0.01", "1", "10", "12.5", "100"}).Draw(t, "percent")
		limits := Limits{Kind: schema.Decimal, Scale: scale}
		m := makeMask(through(t), "noise", limits, "percent", percent)
		f := fake(through(t), m.Worker(), value)
		x, y, p := rational(t, value), rational(t, f), rational(t, percent)
		if m.Keeps([]byte(value)) != (x.Sign() == 0) || (f == value) != (x.Sign() == 0) || x.Cmp(y) == 0 && x.Sign() != 0 {
			t.Fatalf("%s becomes %s", value, f)
		}
		_, behind, _ := strings.Cut(f, ".")
		whole := func(s string) int { return len(strings.Split(strings.TrimPrefix(s, "-"), ".")[0]) }
		if len(behind) != scale || whole(f) > whole(value) {
			t.Fatalf("%s becomes %s: scale %d or digits do not stay", value, f, scale)
		}
		// At most the share, or one unit of the last place.
		unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		most := new(big.Rat).Abs(x)
		most.Mul(most, p).Quo(most, big.NewRat(100, 1))
		if most.Cmp(unit) < 0 {
			most = unit
		}
		if d := new(big.Rat).Sub(y, x); d.Abs(d).Cmp(most) > 0 {
			t.Fatalf("%s becomes %s: more than %s per cent", value, f, percent)
		}
	})
}

func TestNoiseKeepsToBounds(t *testing.T) {
	m := makeMask(t, "noise", Limits{Kind: schema.Integer, Min: -32768, Max: 32767}, "by", "100", "min", "0", "max", "120")
	w := m.Worker()
	changed := map[string]bool{}
	for i := range 121 {
		v := string(appendNumber(nil, uint64(i)))
		f := fake(t, w, v)
		x, _, ok := parseInteger([]byte(f))
		if f == v || !ok || x > 120 || f[0] == '-' {
			t.Errorf("%s becomes %s", v, f)
		}
		changed[f] = true
	}
	if len(changed) < 40 {
		t.Errorf("only %d different fakes of 121", len(changed))
	}
	for v, want := range map[string]func(string) bool{
		"500":  func(f string) bool { return len(f) <= 3 },
		"-500": func(f string) bool { return f[0] != '-' },
	} {
		if f := fake(t, w, v); !want(f) {
			t.Errorf("%s becomes %s, which is outside", v, f)
		}
	}
	edge := makeMask(t, "noise", Limits{Kind: schema.Integer, Min: -1 << 63, Max: 1<<63 - 1}).Worker()
	for _, v := range []string{"9223372036854775807", "-9223372036854775808", "1", "-1", "9", "10"} {
		f := fake(t, edge, v)
		if x, ok := new(big.Int).SetString(f, 10); !ok || f == v || !x.IsInt64() {
			t.Errorf("%s becomes %s, which no bigint holds", v, f)
		}
	}
	unsigned := makeMask(t, "noise", Limits{Kind: schema.Integer, Max: 1<<63 - 1}, "by", "10").Worker()
	for _, v := range []string{"18446744073709551615", "9223372036854775808", "18446744073709551000", "0"} {
		x, _ := new(big.Int).SetString(v, 10)
		f, ok := new(big.Int).SetString(fake(t, unsigned, v), 10)
		if !ok || !f.IsUint64() || f.Cmp(x) == 0 || new(big.Int).Sub(f, x).CmpAbs(big.NewInt(10)) > 0 {
			t.Errorf("%s without a sign becomes %s", v, f)
		}
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	for _, name := range []string{"noise", "bucket"} {
		m := makeMask(t, name, Limits{Kind: schema.Decimal, Scale: -1}, paramsFor(name)...)
		w := m.Worker()
		for _, v := range []string{"NaN", "Infinity", "-Infinity", "0", "0.00"} {
			if f := fake(t, w, v); !m.Keeps([]byte(v)) || f != v && v != "0.00" {
				t.Errorf("%s: %s becomes %s", name, v, f)
			}
		}
		for _, v := range []string{"", "ten", "1.2.3", "1e", "--1", ".", "1e99999"} {
			if _, _, err := w.Append(nil, []byte(v)); v != "" && err == nil {
				t.Errorf("%s: %q is taken for a number", name, v)
			}
		}
	}
	zero := makeMask(t, "noise", Limits{Kind: schema.Decimal, Scale: 2}, "by", "0.50").Worker()
	if f := fake(t, zero, "0.00"); f == "0.00" || f == "-0.00" {
		t.Errorf("zero moved by an amount becomes %s", f)
	}
}

// What a column of binary floating point stores is what was made: no more digits
// than the type keeps.
func TestNoiseOfFloats(t *testing.T) {
	for _, c := range []struct {
		typ    string
		digits int
	}{{"double precision", 15}, {"real", 6}} {
		w := makeMask(t, "noise", Limits{Kind: schema.Decimal, Scale: -1, Type: c.typ}).Worker()
		for _, v := range []string{"1", "0.5", "3.14159265358979", "1.7976931348623157e+300", "5e-30", "123456789012345680", "1e-05", "99999.9", "2.5e+20"} {
			f := fake(t, w, v)
			normal, _, _ := strings.Cut(string(AppendNormal(nil, []byte(f))), "+")
			if len(normal) > c.digits || string(AppendNormal(nil, []byte(f))) == string(AppendNormal(nil, []byte(v))) {
				t.Errorf("%s: %s becomes %s", c.typ, v, f)
			}
		}
	}
}

func TestNormalForm(t *testing.T) {
	for _, same := range [][]string{{"1.50", "1.5", "15e-1", "+1.5", "01.5"}, {"0", "-0", "0.000", "0e5"}, {"1e300", "1" + strings.Repeat("0", 300)}, {"NaN"}, {"12:30"}} {
		for _, text := range same {
			if a, b := AppendNormal([]byte("x"), []byte(text)), AppendNormal([]byte("x"), []byte(same[0])); string(a) != string(b) || a[0] != 'x' {
				t.Errorf("%s is %s, %s is %s", text, a, same[0], b)
			}
		}
	}
	if string(AppendNormal(nil, []byte("15"))) == string(AppendNormal(nil, []byte("-15"))) || string(AppendNormal(nil, []byte("15"))) == string(AppendNormal(nil, []byte("1.5"))) {
		t.Error("different numbers have one normal form")
	}
}

func TestBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.IntRange(0, 4).Draw(t, "scale")
		value := decimalText(t, 22, scale)
		width := rapid.SampledFrom([]string{"2", "7", "100", "1000000"}).Draw(t, "width")
		m := makeMask(through(t), "bucket", Limits{Kind: schema.Decimal, Scale: scale}, "width", width)
		f := fake(through(t), m.Worker(), value)
		x, y, w := rational(t, value), rational(t, f), rational(t, width)
		if q := new(big.Rat).Quo(y, w); !q.IsInt() || y.Cmp(x) > 0 || new(big.Rat).Add(y, w).Cmp(x) <= 0 {
			t.Fatalf("%s becomes %s in buckets of %s", value, f, width)
		}
		if m.Keeps([]byte(value)) != (x.Cmp(y) == 0) {
			t.Fatalf("%s becomes %s, Keeps is %t", value, f, m.Keeps([]byte(value)))
		}
	})
	m := makeMask(t, "bucket", Limits{Kind: schema.Integer, Min: -100, Max: 1000}, "bounds", "65, 18,0")
	for v, want := range map[string]string{"-5": "0", "0": "0", "17": "0", "18": "18", "64": "18", "65": "65", "999": "65"} {
		if f := fake(t, m.Worker(), v); f != want || m.Keeps([]byte(v)) != (v == want) {
			t.Errorf("%s becomes %s, want %s", v, f, want)
		}
	}
	low := makeMask(t, "bucket", Limits{Kind: schema.Integer, Min: -32768, Max: 32767}, "width", "1000").Worker()
	if f := fake(t, low, "-32500"); f != "-32768" {
		t.Errorf("a bucket that begins below the column's range gives %s", f)
	}
}

func TestDateTruncate(t *testing.T) {
	for _, c := range []struct{ to, value, want string }{
		{"year", "2024-08-17", "2024-01-01"}, {"quarter", "2024-08-17", "2024-07-01"}, {"month", "2024-02-29", "2024-02-01"},
		{"week", "2024-02-29", "2024-02-26"}, {"week", "2024-02-26", "2024-02-26"}, {"week", "2024-03-03", "2024-02-26"}, {"week", "0001-01-03", "0001-01-01"},
		{"day", "2024-02-29 12:34:56.789+00", "2024-02-29 00:00:00+00"}, {"hour", "2024-02-29 12:34:56.789-04:56:02", "2024-02-29 12:00:00-04:56:02"},
		{"month", "2024-02-29T12:34:56Z", "2024-02-01T00:00:00Z"}, {"year", "0044-03-15 BC", "0044-01-01 BC"}, {"day", "0044-03-15 12:00:00 BC", "0044-03-15 00:00:00 BC"},
		{"year", "4714-11-30 BC", "4714-11-24 BC"}, {"week", "1969-12-31", "1969-12-29"}, {"month", "infinity", "infinity"}, {"year", "0000-00-00", "0000-00-00"}, {"year", "294276-12-31 23:59:59", "294276-01-01 00:00:00"},
	} {
		m := makeMask(t, "date_truncate", Limits{Kind: schema.Timestamp}, "to", c.to)
		f := fake(t, m.Worker(), c.value)
		if f != c.want || m.Keeps([]byte(c.value)) != (c.value == c.want) {
			t.Errorf("%s of %s is %s, want %s", c.to, c.value, f, c.want)
		}
		if again := fake(t, m.Worker(), f); again != f {
			t.Errorf("%s of %s is %s, which is truncated to %s", c.to, c.value, f, again)
		}
	}
	text := makeMask(t, "date_truncate", Limits{Kind: schema.Text}, "to", "hour").Worker()
	if f := fake(t, text, "2024-02-29T12:34:56.789Z"); f != "2024-02-29T12:00:00.000Z" {
		t.Errorf("in a text the fraction's places go: %s", f)
	}
	if _, err := New(testKey(t, 1), Spec{Mask: "date_truncate", Domain: "d", Params: map[string]string{"to": "day"}}, Limits{Kind: schema.Date}); err == nil {
		t.Error("dates truncated to days are accepted, though nothing would change")
	}
}

// The smallest numbers have hardly a digit, and change all the same.
func TestNoiseOfTheSmallestFloats(t *testing.T) {
	double := makeMask(t, "noise", Limits{Kind: schema.Decimal, Scale: -1, Type: "double precision"}).Worker()
	for i := uint64(1); i < 2000; i++ {
		v := strconv.FormatFloat(math.Float64frombits(i), 'g', -1, 64)
		if y, err := strconv.ParseFloat(fake(t, double, v), 64); err != nil || math.Float64bits(y) == i {
			t.Fatalf("%s becomes %g, %v", v, y, err)
		}
	}
	single := makeMask(t, "noise", Limits{Kind: schema.Decimal, Scale: -1, Type: "real"}).Worker()
	for i := uint32(1); i < 2000; i++ {
		v := strconv.FormatFloat(float64(math.Float32frombits(i)), 'g', -1, 32)
		if y, err := strconv.ParseFloat(fake(t, single, v), 32); err != nil || math.Float32bits(float32(y)) == i {
			t.Fatalf("%s becomes %g, %v", v, y, err)
		}
	}
}

// No range is cut so that a value has nowhere to go.
func TestIntegersHaveRoom(t *testing.T) {
	for _, r := range [][2]int64{{1, 1 << 53}, {1<<53 - 2, 1<<53 + 5000}, {1, 1<<53 + 10}, {1 << 53, 1<<53 + 5000}} {
		w := makeMask(t, "int", Limits{Kind: schema.Integer, Min: r[0], Max: r[1]}).Worker()
		same := 0
		for _, v := range []int64{r[0], r[0] + 1, r[1] - 1, r[1]} {
			text := strconv.FormatInt(v, 10)
			if fake(t, w, text) == text {
				same++
			}
		}
		if same > 0 {
			t.Errorf("%v: %d of 4 values stay themselves", r, same)
		}
	}
}

// What a reader of JSON can hold exactly has a fake that it can hold, and stays apart from the rest.
func TestIntegersStayExact(t *testing.T) {
	w := makeMask(t, "int", Limits{Kind: schema.Integer, Min: -1 << 63, Max: 1<<63 - 1}).Worker()
	for _, v := range []string{"1", "7", "123456789", "4503599627370495", "4503599627370496", "9007199254740991", "9007199254740992", "9223372036854775807"} {
		for _, sign := range []string{"", "-"} {
			whole, _ := new(big.Int).SetString(sign+v, 10)
			f, ok := new(big.Int).SetString(fake(t, w, sign+v), 10)
			if limit := big.NewInt(1<<53 - 1); !ok || f.Sign() != whole.Sign() || (f.CmpAbs(limit) > 0) != (whole.CmpAbs(limit) > 0) {
				t.Errorf("%s becomes %s", whole, f)
			}
		}
	}
}
