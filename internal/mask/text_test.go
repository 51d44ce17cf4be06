package mask

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"understudy/internal/schema"
)

func TestLoremHidesTheLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.SampledFrom([]int{0, 8, 20, 100}).Draw(t, "column")
		w := makeMask(through(t), "lorem", Limits{Kind: schema.Text, Length: length}).Worker()
		value := rapid.StringN(1, 300, -1).Draw(t, "value")
		f := fake(through(t), w, value)
		class := func(n int) int { return int(math.Log2(float64(max(n, 4)))) }
		n := utf8.RuneCountInString(value)
		if length > 0 && len(f) > length || len(f) >= 2<<class(n) && length == 0 {
			t.Fatalf("a text of %d becomes one of %d in a column of %d", n, len(f), length)
		}
		if length == 0 && n > 40 && len(f) < 1<<class(n)-16 {
			t.Fatalf("a text of %d becomes one of %d", n, len(f))
		}
	})
	w, lengths := makeMask(t, "lorem", Limits{Kind: schema.Text}).Worker(), map[int]bool{}
	for i := range 500 {
		lengths[len(fake(t, w, typical("lorem", 1000+i)))] = true
	}
	if len(lengths) < 30 {
		t.Errorf("texts of one length become texts of %d lengths", len(lengths))
	}
}

// The proof of masking counts what comes out as itself against this.
func TestChoiceKnowsItsChance(t *testing.T) {
	m := makeMask(t, "choice", Limits{Kind: schema.Text}, "values", `gold, "silver, plated", bronze`, "weights", "1, 2, 1")
	if c := m.ChanceOf([]byte("silver, plated")); math.Abs(c-0.5) > 1e-9 || m.ChanceOf([]byte("tin")) != 0 || m.Keeps([]byte("gold")) {
		t.Errorf("chance of the likeliest %g", c)
	}
	w, counts, n := m.Worker(), map[string]int{}, 40000
	for i := range n {
		counts[fake(t, w, typical("choice", i))]++
	}
	for v, share := range map[string]float64{"gold": 0.25, "silver, plated": 0.5, "bronze": 0.25} {
		if got := float64(counts[v]) / float64(n); math.Abs(got-share) > 0.015 {
			t.Errorf("%s comes with %f, want %f", v, got, share)
		}
	}
	if len(counts) != 3 {
		t.Errorf("%d different fakes", len(counts))
	}
	money := makeMask(t, "choice", Limits{Kind: schema.Decimal, Scale: 2}, "values", "1, 2.5").Worker()
	if f := fake(t, money, "9.99"); f != "1.00" && f != "2.50" {
		t.Errorf("a decimal of scale 2 is written %s", f)
	}
}

func TestRegexTexts(t *testing.T) {
	for _, c := range []struct {
		pattern string
		size    string
		longest int
	}{
		{`[a-c]{2}`, "9", 2}, {`(a|a|b)`, "2", 1}, {`a?a?`, "3", 2}, {`^x(yes|no)$`, "2", 4}, {`[A-Z]{3}-\d{4}`, "175760000", 8},
		{`(?i)ab`, "4", 2}, {`[^a]`, "94", 1}, {`.{1,2}`, "9120", 2}, {`(?:foo|foobar)?`, "3", 6}, {`[a-zé]`, "26", 1},
	} {
		a, why := compilePattern(c.pattern)
		if why != "" || a.size.String() != c.size || a.longest != c.longest {
			t.Errorf("%s: %s; %v texts up to %d, want %s up to %d", c.pattern, why, a.size, a.longest, c.size, c.longest)
			continue
		}
		if c.size == "3" && c.longest == 6 {
			continue // the empty text is among them
		}
		m := makeMask(t, "regex", Limits{Kind: schema.Text}, "pattern", c.pattern)
		whole, w := regexp.MustCompile(`^(?:`+c.pattern+`)$`), m.Worker()
		for i := range 500 {
			f := fake(t, w, typical("regex", i))
			if !whole.MatchString(f) || m.ChanceOf([]byte(f)) != a.chance() {
				t.Fatalf("%s gives %q, chance %g", c.pattern, f, m.ChanceOf([]byte(f)))
			}
		}
		if m.ChanceOf([]byte("something else")) != 0 {
			t.Errorf("%s: a text that does not match has a chance", c.pattern)
		}
	}
}

// Every text of a pattern is as likely as any other, however unevenly it branches.
func TestRegexIsUniform(t *testing.T) {
	w, counts := makeMask(t, "regex", Limits{Kind: schema.Text}, "pattern", "a|b[0-8]|c(x|yy)?").Worker(), map[string]int{}
	const n = 13000
	for i := range n {
		counts[fake(t, w, typical("regex", i))]++
	}
	sum := 0.0
	for _, c := range counts {
		d := float64(c) - n/13
		sum += d * d / (n / 13)
	}
	if len(counts) != 13 || sum > 45 { // 12 degrees of freedom; one in a hundred thousand
		t.Errorf("%d texts, chi-square %f", len(counts), sum)
	}
}

// Whatever stands in a rules file is compiled or refused, soon.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"[a-z]{3}", "(a|b){1,9}", "((a{0,30}){0,30}){0,30}", "(.{0,60}a.{0,60}b){2}", "(?i)x?y?", "[^\\x00-\\x{10FFFF}]", "^$", "\\pL{2}", "(|a)(|b)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, why := compilePattern(text)
		if (a == nil) != (why != "") {
			t.Fatalf("%q: %q", text, why)
		}
		if a == nil || a.longest > 200 {
			return
		}
		m := &Mask{mac: newMAC([32]byte{1})}
		s := m.Worker().stream([]byte(text))
		if out := a.spell(nil, &s); !a.matches(out) || len(out) > a.longest {
			t.Fatalf("%q gives %q", text, out)
		}
	})
}

func TestTemplates(t *testing.T) {
	for format, want := range map[string]string{
		"EMP-{digits:6}":                                        `^EMP-[0-9]{6}$`,
		"{first_name:lower}.{last_name:upper}":                  `^[a-z]+\.[A-Z]+$`,
		"{first_name} {last_name}@{word}.test":                  `^[A-Z][a-z]+ [A-Za-z]+@[a-z]+\.test$`,
		"{{{hex:3}}} {letters:2}":                               `^\{[0-9a-f]{3}\} [A-Z]{2}$`,
		"{tag}":                                                 `^[a-km-z2-9]{16}$`,
		"https://{word}.example.com/{digits:2}?é":               `^https://[a-z]+\.example\.com/[0-9]{2}\?é$`,
		"{job_title} at {company}, {city}, {country}, {street}": `^[A-Za-z ]+ at [A-Za-z ]+(, [A-Za-z ]+){3}$`,
		"@{first_name}":                                         `^@[A-Z][a-z]+$`,
	} {
		m := makeMask(t, "template", Limits{Kind: schema.Text}, "format", format)
		w, whole := m.Worker(), regexp.MustCompile(want)
		for i := range 300 {
			v := typical("template", i)
			f := fake(t, w, v)
			if !whole.MatchString(f) {
				t.Fatalf("%s gives %q", format, f)
			}
			if g := fake(t, w, f); g == f {
				t.Fatalf("%s: %q becomes itself", format, f)
			}
		}
	}
}

func TestTextMasksRefuse(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]string
		limits Limits
		want   string
	}{
		{"regex", map[string]string{"pattern": "a+"}, Limits{}, "no longest text"},
		{"regex", map[string]string{"pattern": "a{2,}"}, Limits{}, "give a repetition a most"},
		{"regex", map[string]string{"pattern": `a\bb`}, Limits{}, "word boundary"},
		{"regex", map[string]string{"pattern": "(a"}, Limits{}, "not a regular expression"},
		{"regex", map[string]string{"pattern": "é"}, Limits{}, "no text of printable ASCII"},
		{"regex", map[string]string{"pattern": "[a-z]{9}"}, Limits{Length: 8}, "texts of 9 characters, the column takes 8"},
		{"regex", map[string]string{"pattern": "[0-9]{6}"}, Limits{Unique: true, Rows: 1000}, "1000000 texts: 19 bits; 1000 rows need 39"},
		{"regex", map[string]string{"pattern": "(.{0,60}a.{0,60}b){2}.{0,90}"}, Limits{}, "states"},
		{"template", map[string]string{"format": "{frist_name}"}, Limits{}, "did you mean {first_name}?"},
		{"template", map[string]string{"format": "{digits}"}, Limits{}, "number of characters"},
		{"template", map[string]string{"format": "{word:5}"}, Limits{}, "lower or upper"},
		{"template", map[string]string{"format": "a{b"}, Limits{}, "without its }"},
		{"template", map[string]string{"format": "a}b"}, Limits{}, "without its {"},
		{"template", map[string]string{"format": "same for all"}, Limits{}, "no part that is drawn"},
		{"template", map[string]string{"format": "{first_name}@gmail.com"}, Limits{}, "not at a reserved domain"},
		{"template", map[string]string{"format": "{word}@x.{word}.com"}, Limits{}, "not at a reserved domain"},
		{"template", map[string]string{"format": "http://{word}/"}, Limits{}, "not at a reserved domain"},
		{"template", map[string]string{"format": "{digits:20}"}, Limits{Length: 19}, "up to 20 characters, the column takes 19"},
		{"template", map[string]string{"format": "{digits:30}"}, Limits{Unique: true, Rows: 1000}, "are short: 0 bits; 1000 rows need 39"},
		{"choice", map[string]string{"values": "one"}, Limits{}, "two values or more"},
		{"choice", map[string]string{"values": "a, a"}, Limits{}, "one twice"},
		{"choice", map[string]string{"values": "a, b", "weights": "1"}, Limits{}, "2 numbers above zero"},
		{"choice", map[string]string{"values": "a, b", "weights": "1, 0"}, Limits{}, "2 numbers above zero"},
		{"choice", map[string]string{"values": "short, longer"}, Limits{Length: 5}, "has 6 characters"},
		{"choice", map[string]string{"values": "1, 9"}, Limits{Kind: schema.Integer, Max: 5, Min: 1}, "outside 1 to 5"},
		{"choice", nil, Limits{}, "values is missing"},
		{"lorem", nil, Limits{Length: 7}, "too short"},
		{"noise", map[string]string{"percent": "5", "by": "3"}, Limits{Kind: schema.Integer}, "exclude each other"},
		{"noise", map[string]string{"percent": "0"}, Limits{Kind: schema.Integer}, "not above 0"},
		{"noise", map[string]string{"percent": "200"}, Limits{Kind: schema.Integer}, "at most 100"},
		{"noise", map[string]string{"by": "0.5"}, Limits{Kind: schema.Integer}, "more decimals than the column"},
		{"noise", map[string]string{"min": "5", "max": "5"}, Limits{Kind: schema.Integer}, "not below max"},
		{"noise", nil, Limits{Kind: schema.Integer, Unique: true, Rows: 9}, "10 per cent"},
		{"noise", nil, Limits{Kind: schema.Text}, "does not take text"},
		{"bucket", nil, Limits{Kind: schema.Integer}, "either width or bounds"},
		{"bucket", map[string]string{"width": "-1"}, Limits{Kind: schema.Integer}, "not above zero"},
		{"bucket", map[string]string{"width": "0.5"}, Limits{Kind: schema.Integer}, "more decimals"},
		{"bucket", map[string]string{"width": "1"}, Limits{Kind: schema.Integer}, "changes nothing"},
		{"bucket", map[string]string{"width": "0.010"}, Limits{Kind: schema.Decimal, Scale: 2}, "changes nothing"},
		{"bucket", map[string]string{"bounds": "1"}, Limits{Kind: schema.Integer}, "fewer than two"},
		{"bucket", map[string]string{"bounds": "0, 70000"}, Limits{Kind: schema.Integer, Max: 32767}, "outside 0 to 32767"},
		{"date_truncate", map[string]string{"to": "yaer"}, Limits{Kind: schema.Date}, "did you mean year?"},
		{"national_id", nil, Limits{}, "scheme is missing"},
	} {
		if c.limits.Kind == "" {
			c.limits.Kind = schema.Text
		}
		_, err := New(testKey(t, 1), Spec{Mask: c.name, Domain: "d", Params: c.params}, c.limits)
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) || refusal.Hint == "" {
			t.Errorf("%s %v: %v, want %q", c.name, c.params, err, c.want)
		}
	}
}

func TestCountriesAndRegions(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"country", "DE", `^[A-Z]{2}$`}, {"country", "de", `^[a-z]{2}$`}, {"country", "DEU", `^[A-Z]{3}$`}, {"country", "Germany", `^[A-Z][a-z]{3,}$`},
		{"region", "NY", `^[A-Z]{2}$`}, {"region", "ny", `^[a-z]{2}$`}, {"region", "New South Wales", `^[A-Z][A-Za-z ]{4,}$`},
	} {
		w := makeMask(t, c.name, Limits{Kind: schema.Text}).Worker()
		v := c.value
		for range 2000 {
			f := fake(t, w, v)
			if !regexp.MustCompile(c.want).MatchString(f) || f == v {
				t.Fatalf("%s: %s becomes %s", c.name, v, f)
			}
			if v = f; len(c.value) > 3 {
				v = typical(c.name, len(f)) // names of another length class
			}
		}
	}
	for length, want := range map[int]int{2: 2, 3: 3} {
		w := makeMask(t, "country", Limits{Kind: schema.Text, Length: length}).Worker()
		for _, v := range []string{"DE", "USA", "x", "12"} {
			if f := fake(t, w, v); len(f) > want || f == v {
				t.Errorf("length %d: %s becomes %s", length, v, f)
			}
		}
	}
}
