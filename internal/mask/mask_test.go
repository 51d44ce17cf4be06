package mask

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"understudy/internal/schema"
	"understudy/internal/secret"
)

// testKey makes a fixed key from a number.
func testKey(t testing.TB, n byte) Key {
	t.Helper()
	var raw [32]byte
	source := rand.NewChaCha8([32]byte{n})
	if _, err := source.Read(raw[:]); err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(secret.New(keyPrefix + base64.RawURLEncoding.EncodeToString(raw[:])))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func makeMask(t testing.TB, name string, limits Limits, params ...string) *Mask {
	t.Helper()
	spec := Spec{Mask: name, Domain: "test." + name, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		spec.Params[params[i]] = params[i+1]
	}
	m, err := New(testKey(t, 1), spec, limits)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

func fake(t testing.TB, w *Worker, value string) string {
	t.Helper()
	out, null, err := w.Append(nil, []byte(value))
	if err != nil || null {
		t.Fatalf("%s: null %t, error %v", w.mask.spec.Mask, null, err)
	}
	return string(out)
}

// typical gives a value of the kind of data that a mask is for, number i of many
// different ones.
func typical(name string, i int) string {
	switch name {
	case "full_name":
		return fmt.Sprintf("Person Number%d", i)
	case "first_name", "last_name", "city", "company", "username", "hash", "redact", "constant", "job_title", "region", "country", "choice", "regex", "template":
		return fmt.Sprintf("Original%d", i)
	case "email":
		return fmt.Sprintf("person.%d@shop.com", i)
	case "phone":
		return fmt.Sprintf("+49 30 %07d", i)
	case "street":
		return fmt.Sprintf("%d Main Street", i)
	case "postcode":
		return fmt.Sprintf("%05d", i%100000)
	case "fpe":
		return fmt.Sprintf("%03d-%02d-%04d", i/1000000%1000, i/10000%100, i%10000)
	case "int":
		return fmt.Sprint(i + 1)
	case "uuid":
		return fmt.Sprintf("%08x-1234-4abc-8def-%012x", i, i*7)
	case "national_id":
		return fmt.Sprintf("%03d-%02d-%04d", i/1000000%1000, i/10000%100, i%10000)
	case "credit_card":
		return fmt.Sprintf("4929 %04d %04d %04d", i/100000000%10000, i/10000%10000, i%10000)
	case "iban":
		return fmt.Sprintf("DE%02d 3704 0044 %04d %04d %02d", i%97+2, i/1000000%10000, i/100%10000, i%100)
	case "ip":
		return fmt.Sprintf("%d.%d.%d.%d", 1+i>>24, i>>16&255, i>>8&255, i&255)
	case "mac":
		return fmt.Sprintf("08:00:2b:ff:fe:%02x:%02x:%02x", i>>16&255, i>>8&255, i&255)
	case "url":
		return fmt.Sprintf("https://shop.com/p/%d?who=me", i)
	case "hostname":
		return fmt.Sprintf("host%d.shop.com", i)
	case "user_agent":
		return fmt.Sprintf("Mozilla/5.0 (Odd; %d) Rare/1", i)
	case "noise", "bucket":
		return fmt.Sprint(100*i + 7)
	case "lorem":
		return fmt.Sprintf("Customer %d called about the late parcel and will call again.", i)
	case "date_shift", "date_truncate":
		return fmt.Sprintf("%04d-%02d-%02d 10:11:12.%06d", 1950+i/336%70, 1+i%12, 1+i/12%28, i%1000000)
	}
	return fmt.Sprint(i)
}

func kindFor(name string) schema.Kind {
	switch name {
	case "int":
		return schema.Integer
	case "uuid":
		return schema.UUID
	case "date_shift", "date_truncate":
		return schema.Timestamp
	case "ip", "mac":
		return schema.Net
	case "noise", "bucket":
		return schema.Decimal
	}
	return schema.Text
}

func paramsFor(name string) []string {
	switch name {
	case "constant":
		return []string{"value", "same"}
	case "national_id":
		return []string{"scheme", "us_ssn"}
	case "bucket":
		return []string{"width", "1000"}
	case "choice":
		return []string{"values", "gold, silver, bronze", "weights", "1, 2, 3"}
	case "regex":
		return []string{"pattern", "[A-Z]{3}-[0-9a-f]{20}"}
	case "template":
		return []string{"format", "{tag}.{first_name:lower}@example.com"}
	}
	return nil
}

// uniqueParams are those that a unique column needs.
func uniqueParams(name string) []string {
	switch name {
	case "credit_card":
		return []string{"bin", "permute"}
	case "iban":
		return []string{"bank", "permute"}
	case "ip":
		return []string{"family", "v6"}
	}
	return paramsFor(name)
}

func paramMap(name string, unique bool) map[string]string {
	list := paramsFor(name)
	if unique {
		list = uniqueParams(name)
	}
	out := map[string]string{}
	for i := 0; i < len(list); i += 2 {
		out[list[i]] = list[i+1]
	}
	return out
}

func typeFor(name string) string {
	if name == "mac" {
		return "macaddr8"
	}
	return ""
}

// few tells the masks whose fakes are so few that two keys often agree.
func few(name string) bool {
	return name == "choice" || name == "bucket" || name == "date_truncate"
}

// The same value gives the same fake whatever came before and whichever worker
// makes it; other keys and other domains give other fakes.
func TestDeterminismAndSeparation(t *testing.T) {
	for _, k := range Kinds() {
		switch k.Name {
		case "nullify", "constant", "redact":
			continue
		}
		if few(k.Name) {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			limits := Limits{Kind: kindFor(k.Name), Scale: -1}
			m := makeMask(t, k.Name, limits, paramsFor(k.Name)...)
			other, err := New(testKey(t, 2), m.spec, limits)
			if err != nil {
				t.Fatal(err)
			}
			spec := m.spec
			spec.Domain = "another"
			apart, err := New(testKey(t, 1), spec, limits)
			if err != nil {
				t.Fatal(err)
			}
			const n = 2000
			first, second := m.Worker(), m.Worker()
			fakes := make([]string, n)
			for i := range n {
				fakes[i] = fake(t, first, typical(k.Name, i))
			}
			sameKey, sameDomain := 0, 0
			wk, wd := other.Worker(), apart.Worker()
			for i := n - 1; i >= 0; i-- {
				v := typical(k.Name, i)
				if got := fake(t, second, v); got != fakes[i] {
					t.Fatalf("value %d: two workers, two fakes", i)
				}
				if fake(t, wk, v) == fakes[i] {
					sameKey++
				}
				if fake(t, wd, v) == fakes[i] {
					sameDomain++
				}
			}
			most := n/20 + 5
			if sameKey > most || sameDomain > most {
				t.Errorf("of %d fakes %d are the same under another key, %d in another domain", n, sameKey, sameDomain)
			}
		})
	}
}

// Whatever the length of a column, New refuses or every fake fits it.
func TestFakesFitEveryLength(t *testing.T) {
	for _, k := range Kinds() {
		if !slices.Contains(k.Accepts, schema.Text) || k.Name == "nullify" || k.Name == "uuid" || k.Name == "date_shift" || k.Name == "date_truncate" {
			continue
		}
		for _, unique := range []bool{false, true} {
			accepted := 0
			for length := 1; length <= 255; length++ {
				m, err := New(testKey(t, 1), Spec{Mask: k.Name, Domain: "d", Params: paramMap(k.Name, unique)}, Limits{Kind: schema.Text, Length: length, Unique: unique, Rows: 1000})
				if err != nil {
					var refusal *Refusal
					if !errors.As(err, &refusal) || refusal.Hint == "" {
						t.Fatalf("%s: refused without a hint: %v", k.Name, err)
					}
					continue
				}
				accepted++
				w := m.Worker()
				for i := range 60 {
					v := typical(k.Name, i*7919)
					v = v[:min(len(v), length)]
					out, _, err := w.Append(nil, []byte(v))
					if err != nil || utf8.RuneCount(out) > length {
						t.Fatalf("%s, length %d: fake of %d characters, error %v", k.Name, length, len(out), err)
					}
				}
			}
			if want := !unique || k.Injective; (accepted > 0) != want {
				t.Errorf("%s, unique %t: %d of 255 lengths accepted", k.Name, unique, accepted)
			}
		}
	}
}

// Masks that keep unique columns unique do so.
func TestUniqueStaysUnique(t *testing.T) {
	const n = 200000
	for _, k := range Kinds() {
		if !k.Injective {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			m := makeMask(t, k.Name, Limits{Kind: kindFor(k.Name), Type: typeFor(k.Name), Unique: true, Rows: n, Length: 64, Scale: -1}, uniqueParams(k.Name)...)
			if !m.Injective() {
				t.Error("the mask does not call itself injective")
			}
			w, seen := m.Worker(), make(map[string]bool, n)
			for i := range n {
				f := fake(t, w, typical(k.Name, i))
				if seen[f] {
					t.Fatalf("a fake came twice after %d values", i)
				}
				seen[f] = true
			}
		})
	}
}

// A value never becomes itself where Chance is 0, and seldom elsewhere.
func TestOwnValueIsAvoided(t *testing.T) {
	for _, name := range []string{"first_name", "last_name", "full_name", "city", "company", "street", "phone", "postcode", "job_title", "region", "country", "user_agent", "lorem", "credit_card", "iban", "national_id"} {
		for _, fold := range []bool{false, true} {
			length := 12
			if slices.Contains([]string{"user_agent", "lorem", "credit_card", "iban", "national_id"}, name) {
				length = 200
			}
			m, err := New(testKey(t, 1), Spec{Mask: name, Domain: "own", Fold: fold, Params: paramMap(name, false)}, Limits{Kind: schema.Text, Length: length})
			if err != nil {
				t.Fatal(err)
			}
			if m.Chance() != 0 {
				t.Errorf("%s: chance %g", name, m.Chance())
			}
			w, own := m.Worker(), 0
			for i := range 20000 {
				v := fake(t, w, typical(name, i)) // a value from the mask's own space
				if f := fake(t, w, v); f == v || fold && strings.EqualFold(f, v) {
					own++
				}
			}
			if own > 0 {
				t.Errorf("%s, fold %t: %d values became themselves", name, fold, own)
			}
		}
	}
}

// A value that comes out as itself was said to: by Keeps, or by a chance above
// zero. The proof of masking rests on that, in both directions: values that are
// kept by rule are few, else nothing would be proved.
func TestEqualityIsForetold(t *testing.T) {
	for _, k := range Kinds() {
		if k.Name == "nullify" {
			continue
		}
		for _, kind := range k.Accepts {
			limits := Limits{Kind: kind, Scale: -1, Labels: []string{"gold", "silver", "bronze"}}
			m, err := New(testKey(t, 1), Spec{Mask: k.Name, Domain: "d", Params: paramMap(k.Name, false)}, limits)
			if err != nil {
				continue // a parameter for another type
			}
			w, kept, n, same, expected := m.Worker(), 0, 0, 0, 0.0
			for i := range 2000 {
				v := []byte(typical(k.Name, 7*i+3))
				for range 3 { // a value, its fake, and the fake's
					f, _, err := w.Append(nil, v)
					if err != nil {
						break
					}
					n++
					if m.Keeps(v) {
						kept++
					} else if expected += m.ChanceOf(v); string(f) == string(v) {
						if same++; m.ChanceOf(v) == 0 {
							t.Fatalf("%s on %s: %s becomes itself, which was not foretold", k.Name, kind, v)
						}
					}
					v = f
				}
			}
			if m.Chance() < 1 && (kept > 2*n/3+1 || float64(same) > 2*expected+20) {
				t.Errorf("%s on %s: of %d values %d kept by rule, %d became themselves, %g expected", k.Name, kind, n, kept, same, expected)
			}
		}
	}
}

func TestOnlyFoldingDomainsMerge(t *testing.T) {
	pairs := [][2]string{{"Müller", "mu\u0308ller"}, {"MARY@Shop.com", "mary@shop.COM"}, {"ÅNGSTRÖM", "A\u030angstro\u0308m"}, {"ΣΊΣΥΦΟΣ", "σίσυφοσ"}}
	for _, name := range []string{"email", "first_name", "hash", "username", "street", "job_title", "url", "hostname", "lorem", "regex", "template", "choice", "user_agent"} {
		m, err := New(testKey(t, 1), Spec{Mask: name, Domain: "d", Fold: true, Params: paramMap(name, false)}, Limits{Kind: schema.Text})
		if err != nil {
			t.Fatal(err)
		}
		w := m.Worker()
		for _, p := range pairs {
			if fake(t, w, p[0]) != fake(t, w, p[1]) {
				t.Errorf("%s: a folding domain tells %q from %q", name, p[0], p[1])
			}
		}
		strict := makeMask(t, name, Limits{Kind: schema.Text}, paramsFor(name)...).Worker()
		// What the database tells apart, a unique column may hold both of.
		for _, other := range []string{"Ju\u0308rgen", "jürgen"} {
			if fake(t, strict, "Jürgen") == fake(t, strict, other) && (name == "email" || name == "hash" || name == "username") {
				t.Errorf("%s: a strict domain takes %q for its like", name, other)
			}
		}
	}
}

func TestEmptyTextAndNull(t *testing.T) {
	for _, k := range Kinds() {
		m := makeMask(t, k.Name, Limits{Kind: kindFor(k.Name), Scale: -1}, paramsFor(k.Name)...)
		out, null, err := m.Worker().Append([]byte("before"), nil)
		want := "before"
		if k.Name == "constant" {
			want = "beforesame"
		}
		if err != nil || string(out) != want || null != (k.Name == "nullify") {
			t.Errorf("%s: the empty text gives %q, null %t, error %v", k.Name, out, null, err)
		}
		if keeps := m.Keeps(nil); keeps != (k.Name != "constant" && k.Name != "nullify") {
			t.Errorf("%s: Keeps of the empty text is %t", k.Name, keeps)
		}
	}
}

// Errors say why and never show a value.
// Bits of fakes under two domains do not go together.
func TestDomainsDoNotCorrelate(t *testing.T) {
	const n = 100000
	one, two := newMAC(testKey(t, 1).subkey(purposeFake, "a", "email")), newMAC(testKey(t, 1).subkey(purposeFake, "b", "email"))
	var x block
	same := 0
	for i := range n {
		v := []byte(typical("email", i))
		a, _ := one.sum(&x, v)
		b, _ := two.sum(&x, v)
		if (a^b)>>63 == 0 {
			same++
		}
	}
	if r := 2*float64(same)/n - 1; r > 0.02 || r < -0.02 {
		t.Errorf("correlation %f", r)
	}
}

// Any text, also text that is not UTF-8, gives a fake or a ValueError, in any
// order and with a reused buffer.
func TestAnyText(t *testing.T) {
	for _, k := range Kinds() {
		if k.Name == "nullify" {
			continue
		}
		m := makeMask(t, k.Name, Limits{Kind: kindFor(k.Name), Scale: -1}, paramsFor(k.Name)...)
		w := m.Worker()
		rapid.Check(t, func(t *rapid.T) {
			v := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) })).Draw(t, "value")
			keep := bytes.Clone(v)
			out, null, err := w.Append([]byte("x"), v)
			again, _, _ := m.Worker().Append([]byte("x"), v)
			var bad *ValueError
			switch {
			case err != nil && !errors.As(err, &bad), null, !bytes.Equal(v, keep), !bytes.Equal(out, again), out[0] != 'x':
				t.Fatalf("%s: error %v", k.Name, err)
			}
			if err == nil && kindFor(k.Name) == schema.Text && k.Name != "fpe" && k.Name != "postcode" {
				for _, b := range out {
					if b >= 0x80 {
						t.Fatalf("%s: a fake is not ASCII", k.Name)
					}
				}
			}
		})
	}
}

// Entries of a list come equally often: chi-square over the last names.
func TestPicksAreUniform(t *testing.T) {
	list := lastNames()
	counts := map[string]int{}
	w := makeMask(t, "last_name", Limits{Kind: schema.Text}).Worker()
	n := 50 * len(list)
	for i := range n {
		counts[fake(t, w, typical("last_name", i))]++
	}
	sum := 0.0
	for _, name := range list {
		d := float64(counts[name]) - 50
		sum += d * d / 50
	}
	free := float64(len(list) - 1)
	if z := (sum - free) / math.Sqrt(2*free); z > 4 || z < -4 {
		t.Errorf("chi-square %f over %d entries, %f standard deviations off", sum, len(list), z)
	}
}

// Phones and postcodes in integer columns are numbers of the column's range.
// Each type's neutral value is one that the type can hold.
// No fake costs an allocation, unless the value's Unicode must be put into normal
// form first, which package norm does not do in place.
func TestNoAllocation(t *testing.T) {
	for _, k := range Kinds() {
		w := makeMask(t, k.Name, Limits{Kind: kindFor(k.Name), Scale: -1}, paramsFor(k.Name)...).Worker()
		values := [][]byte{[]byte(typical(k.Name, 12345678))}
		if kindFor(k.Name) == schema.Text && k.Name != "fpe" {
			values = append(values, []byte("J\u00fcrgen \u00c5ngstr\u00f6m"), []byte(strings.Repeat("long ", 100)))
		}
		out := make([]byte, 0, 1024)
		for i, v := range values {
			if n := testing.AllocsPerRun(100, func() { out, _, _ = w.Append(out[:0], v) }); n != 0 {
				t.Errorf("%s, value %d: %g allocations", k.Name, i, n)
			}
		}
	}
}

// The table of masks is complete and can be read by the code that prints it.
