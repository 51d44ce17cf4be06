package mask

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"understudy/internal/schema"
)

// shapeOf writes a text with its digits and letters replaced by their class.
func shapeOf(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return '0'
		case r >= 'a' && r <= 'z':
			return 'a'
		case r >= 'A' && r <= 'Z':
			return 'A'
		}
		return r
	}, s)
}

// All strings of a small shape map to all strings of that shape, once each.
func TestFormatIsABijection(t *testing.T) {
	w := makeMask(t, "fpe", Limits{Kind: schema.Text, Unique: true}).Worker()
	for _, shape := range []string{"0", "a", "0-0", "a0", "0A", "(00) 0", "0000", "aa", "00a"} {
		values := []string{""}
		for _, c := range shape {
			var next []string
			for _, v := range values {
				switch c {
				case '0':
					for d := range 10 {
						next = append(next, v+string(rune('0'+d)))
					}
				case 'a', 'A':
					for d := range 26 {
						next = append(next, v+string(c+rune(d)))
					}
				default:
					next = append(next, v+string(c))
				}
			}
			values = next
		}
		seen, fixed := map[string]bool{}, 0
		for _, v := range values {
			f := fake(t, w, v)
			if shapeOf(f) != shape || seen[f] {
				t.Fatalf("shape %s: %q has another shape or came twice", shape, f)
			}
			seen[f] = true
			if f == v {
				fixed++
			}
		}
		// A random permutation has one fixed point on average, whatever its size.
		if fixed > 8 {
			t.Errorf("shape %s: %d fixed points among %d", shape, fixed, len(values))
		}
	}
}

// Large shapes: shape kept, distinct values distinct, case and punctuation of no
// influence on the digits and letters.
func TestFormatProperties(t *testing.T) {
	m := makeMask(t, "fpe", Limits{Kind: schema.Text, Unique: true})
	w := m.Worker()
	bare := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) || unicode.IsLetter(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[0-9A-Za-z ./_-]{1,90}`).Draw(t, "a")
		other := []byte(a)
		for i, c := range other {
			if c-'0' < 9 || c-'a' < 25 || c-'A' < 25 {
				other[i]++
				break
			}
		}
		fa, fb := fake(through(t), w, a), fake(through(t), w, string(other))
		if shapeOf(fa) != shapeOf(a) || (fa == fb) != (a == string(other)) {
			t.Fatal("a shape changed or two values have one fake")
		}
		if plain := fake(through(t), w, bare(a)); plain != bare(fa) {
			t.Fatal("case or punctuation has an influence")
		}
		if m.Keeps([]byte(a)) != (bare(a) == "") || m.Keeps([]byte(a)) && fa != a {
			t.Fatal("Keeps is wrong")
		}
	})
}

// Codes with fixed letters keep these; their digits are permuted, all different.
func TestFormatKeepsLetters(t *testing.T) {
	m := makeMask(t, "fpe", Limits{Kind: schema.Text, Unique: true}, "letters", "keep")
	w, code, seen, same := m.Worker(), regexp.MustCompile(`^MRN-[0-9]{4}$`), map[string]bool{}, 0
	for i := range 10_000 {
		value := fmt.Sprintf("MRN-%04d", i)
		f := fake(t, w, value)
		if !code.MatchString(f) || seen[f] {
			t.Fatal("a fake is no such code, or another one's")
		}
		if seen[f] = true; f == value {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d codes stay as they are", same)
	}
	if _, _, err := w.Append(nil, []byte("MRN-ABCD")); err == nil {
		t.Error("a value without digits stays as it is")
	}
	if !m.Keeps([]byte("--")) || m.Keeps([]byte("MRN-1")) {
		t.Error("Keeps is wrong")
	}
}

// through lets fake report through rapid.
func through(t *rapid.T) testing.TB { return quiet{nil, t} }

type quiet struct {
	testing.TB
	t *rapid.T
}

func (q quiet) Helper()                           {}
func (q quiet) Fatalf(format string, args ...any) { q.t.Fatalf(format, args...) }

// Workers in parallel share the tables and make the same fakes.
func TestWorkersInParallel(t *testing.T) {
	m := makeMask(t, "fpe", Limits{Kind: schema.Text})
	var wait sync.WaitGroup
	results := make([][]string, 4)
	for g := range results {
		wait.Go(func() {
			w := m.Worker()
			for i := range 3000 {
				v := fmt.Sprintf("%0*d", 1+i%9, i)
				out, _, err := w.Append(nil, []byte(v))
				if err != nil {
					t.Error(err)
					return
				}
				results[g] = append(results[g], string(out))
			}
		})
	}
	wait.Wait()
	for g := range results {
		if strings.Join(results[g], " ") != strings.Join(results[0], " ") {
			t.Errorf("worker %d made other fakes", g)
		}
	}
}

// Integers stay inside the range and in their half and sign, and stay distinct.
func TestIntegers(t *testing.T) {
	for _, l := range [][2]int64{{0, 0}, {math.MinInt16, math.MaxInt16}, {math.MinInt32, math.MaxInt32}, {0, 255}, {1, 9}, {-5, 5}, {-100, -10}, {0, math.MaxUint32}, {500, 3000000}} {
		limits := Limits{Kind: schema.Integer, Min: l[0], Max: l[1], Unique: true}
		m := makeMask(t, "int", limits)
		low, high := m.limits.Min, m.limits.Max
		w, seen := m.Worker(), map[int64]int64{}
		check := func(x int64) {
			f, err := strconv.ParseInt(fake(t, w, fmt.Sprint(x)), 10, 64)
			if err != nil || f < low || f > high || (f > 0) != (x > 0) || (f == 0) != (x == 0) {
				t.Fatalf("%d to %d: %d becomes %d, %v", low, high, x, f, err)
			}
			if before, twice := seen[f]; twice && before != x {
				t.Fatalf("%d to %d: %d and %d have one fake", low, high, before, x)
			}
			seen[f] = x
			if m.Keeps([]byte(fmt.Sprint(x))) != (x == 0) {
				t.Fatal("Keeps is wrong")
			}
		}
		for i := range int64(40000) {
			if x := low + i; x <= high && x >= low {
				check(x)
			}
			if x := high - i; x >= low && x <= high {
				check(x)
			}
			if x := i - 20000; x >= low && x <= high {
				check(x)
			}
		}
	}
	half := makeMask(t, "int", Limits{Kind: schema.Integer, Min: math.MinInt32, Max: math.MaxInt32}).Worker()
	for i := range 1000 {
		if f, _ := strconv.Atoi(fake(t, half, fmt.Sprint(i+1))); f > 1<<30 {
			t.Fatalf("a small number became %d: a sequence would run out", f)
		}
	}
	given := makeMask(t, "int", Limits{Kind: schema.Integer}, "min", "10", "max", "20").Worker()
	if _, _, err := given.Append(nil, []byte("21")); err == nil {
		t.Error("a value outside the given range is taken")
	}
}

// Number columns under fpe keep sign and count of digits, and stay in range.
func TestDigits(t *testing.T) {
	m := makeMask(t, "fpe", Limits{Kind: schema.Integer, Min: math.MinInt32, Max: math.MaxInt32, Unique: true})
	w, seen := m.Worker(), map[string]int{}
	for i := -12000; i <= 12000; i++ {
		v := fmt.Sprint(i)
		f := fake(t, w, v)
		if x, err := strconv.ParseInt(f, 10, 32); err != nil || len(f) != len(v) || (x < 0) != (i < 0) {
			t.Fatalf("%d becomes %s", i, f)
		}
		if other, twice := seen[f]; twice {
			t.Fatalf("%d and %d have one fake", other, i)
		}
		seen[f] = i
	}
	for _, v := range []string{"2147483647", "-2147483648", "1000000000", "999999999"} {
		if x, err := strconv.ParseInt(fake(t, w, v), 10, 32); err != nil {
			t.Errorf("%s becomes %d: %v", v, x, err)
		}
	}
	if _, _, err := w.Append(nil, []byte("2147483648")); err == nil {
		t.Error("a value outside the column's range is taken")
	}
	d := makeMask(t, "fpe", Limits{Kind: schema.Decimal, Scale: 2, Unique: true}).Worker()
	amounts := map[string]int{}
	for i := range 20000 {
		f := fake(t, d, fmt.Sprintf("%d.%02d", i/100, i%100))
		if _, twice := amounts[f]; twice || !strings.Contains(f, ".") {
			t.Fatalf("%d becomes %s", i, f)
		}
		amounts[f] = i
	}
	if fake(t, d, "5.3") != fake(t, d, "5.30") {
		t.Error("two ways of writing one amount have two fakes")
	}
}

func TestUUIDs(t *testing.T) {
	w := makeMask(t, "uuid", Limits{Kind: schema.Text, Unique: true}).Worker()
	const v = "0189f7e0-1234-7abc-9def-0123456789ab"
	f := fake(t, w, v)
	if f[14] != '7' || strings.IndexByte("89ab", f[19]) < 0 || f == v {
		t.Errorf("%s becomes %s", v, f)
	}
	if fake(t, w, strings.ToUpper(v)) != strings.ToUpper(f) || fake(t, w, strings.ReplaceAll(v, "-", "")) != strings.ReplaceAll(f, "-", "") {
		t.Error("the form of a uuid has an influence on its digits")
	}
	raw := makeMask(t, "uuid", Limits{Kind: schema.Bytes, Length: 16}).Worker()
	hi, lo, _, _ := parseUUID([]byte(v))
	bytes16 := []byte{byte(hi >> 56), byte(hi >> 48), byte(hi >> 40), byte(hi >> 32), byte(hi >> 24), byte(hi >> 16), byte(hi >> 8), byte(hi),
		byte(lo >> 56), byte(lo >> 48), byte(lo >> 40), byte(lo >> 32), byte(lo >> 24), byte(lo >> 16), byte(lo >> 8), byte(lo)}
	if got := fmt.Sprintf("%x", fake(t, raw, string(bytes16))); got != strings.ReplaceAll(f, "-", "") {
		t.Errorf("as bytes %s, as text %s", got, f)
	}
}

// What lies beyond ASCII may stay beside letters that are permuted, and may not be
// most of what stays.
func TestFPEKeepsNoMoreThanItPermutes(t *testing.T) {
	w := makeMask(t, "fpe", Limits{Kind: schema.Text}, "others", "keep").Worker()
	for value, fine := range map[string]bool{"Müller-Straße 5": true, "é1": true, "日本1": false, "日本12": true, "Żółć a": false, "日本": false} {
		out, _, err := w.Append(nil, []byte(value))
		if (err == nil) != fine {
			t.Errorf("%q: %q, %v", value, out, err)
		}
	}
}

func FuzzFPE(f *testing.F) {
	for _, s := range []string{"", "7", "123-45-6789", "AB-12 xyz", "é1", "\xff\x00", strings.Repeat("9", 40), strings.Repeat("zZ9-", 30), "-", "日本1"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, value string, keep bool) {
		others := "stop"
		if keep {
			others = "keep"
		}
		m := makeMask(t, "fpe", Limits{Kind: schema.Text, Unique: true}, "others", others)
		out, null, err := m.Worker().Append(nil, []byte(value))
		if err != nil {
			return
		}
		if null || shapeOf(string(out)) != shapeOf(value) && strings.ToValidUTF8(value, "") == value {
			t.Fatalf("%q becomes %q", value, out)
		}
		if m.Keeps([]byte(value)) && string(out) != value {
			t.Fatal("a value that should stay did not")
		}
	})
}
