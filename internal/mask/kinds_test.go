package mask

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/schema"
)

func TestErrorsCarryNoValue(t *testing.T) {
	const canary = "canary7731"
	for _, c := range []struct {
		name  string
		kind  schema.Kind
		value string
	}{
		{"fpe", schema.Text, canary + "é"}, {"fpe", schema.Text, "日本"}, {"fpe", schema.Text, strings.Repeat(canary, 500)},
		{"fpe", schema.Integer, canary}, {"fpe", schema.Decimal, canary}, {"int", schema.Integer, canary},
		{"int", schema.Integer, "99999999999999999999"}, {"uuid", schema.UUID, canary}, {"uuid", schema.Text, "AAAAAAAA-aaaa-4aaa-8aaa-aaaaaaaaaaaa"},
		{"date_shift", schema.Date, canary}, {"date_shift", schema.Date, "2023-02-29"}, {"date_shift", schema.Date, "7731-13-01"},
		{"uuid", schema.Bytes, canary}, {"postcode", schema.Integer, canary},
	} {
		m := makeMask(t, c.name, Limits{Kind: c.kind, Scale: -1})
		before := []byte("row")
		out, _, err := m.Worker().Append(before, []byte(c.value))
		var bad *ValueError
		if !errors.As(err, &bad) || bad.Reason == "" {
			t.Errorf("%s on %s: no ValueError: %v", c.name, c.kind, err)
			continue
		}
		if strings.Contains(err.Error(), "7731") || string(out) != "row" {
			t.Errorf("%s on %s: the error shows the value or the row changed", c.name, c.kind)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		params map[string]string
		limits Limits
		want   string
	}{
		{"emial", nil, Limits{Kind: schema.Text}, "no mask of this name"},
		{"shuffle", nil, Limits{Kind: schema.Text}, "is not there yet"},
		{"email", nil, Limits{Kind: schema.Integer}, "does not take integer columns"},
		{"email", nil, Limits{Kind: schema.Text, Length: 12, Unique: true, Rows: 8000000}, "a length of 12 leaves 25 bits; 8000000 rows need 65"},
		{"email", nil, Limits{Kind: schema.Text, Length: 20, Unique: true}, "an unknown number of rows needs 80"},
		{"email", nil, Limits{Kind: schema.Text, Length: 6}, "too short"},
		{"email", map[string]string{"at": "gmail.com"}, Limits{Kind: schema.Text}, "not reserved"},
		{"hash", map[string]string{"lenght": "8"}, Limits{Kind: schema.Text}, "did you mean length?"},
		{"username", nil, Limits{Kind: schema.Text, Length: 8, Unique: true, Rows: 100000}, "leaves 39 bits; 100000 rows need 53"},
		{"full_name", nil, Limits{Kind: schema.Text, Unique: true, Rows: 10}, "the column is unique"},
		{"redact", nil, Limits{Kind: schema.Text, Unique: true, Rows: 10}, "the column is unique"},
		{"date_shift", nil, Limits{Kind: schema.Date, Unique: true, Rows: 10}, "the column is unique"},
		{"date_shift", map[string]string{"within": "soon"}, Limits{Kind: schema.Date}, "not a span"},
		{"date_shift", map[string]string{"within": "0d"}, Limits{Kind: schema.Date}, "not a span"},
		{"nullify", nil, Limits{Kind: schema.Text, NotNull: true}, "NOT NULL"},
		{"constant", nil, Limits{Kind: schema.Text}, "parameter value is missing"},
		{"constant", map[string]string{"value": "long"}, Limits{Kind: schema.Text, Length: 3}, "has 4 characters"},
		{"constant", map[string]string{"value": "7"}, Limits{Kind: schema.Integer, Min: 1, Max: 5}, "outside 1 to 5"},
		{"constant", map[string]string{"value": "red"}, Limits{Kind: schema.Enum, Labels: []string{"green"}}, "not a label"},
		{"int", map[string]string{"min": "9", "max": "3"}, Limits{Kind: schema.Integer}, "above max"},
		{"int", map[string]string{"min": "x"}, Limits{Kind: schema.Integer}, "not a whole number"},
		{"int", nil, Limits{Kind: schema.Integer, Min: 1, Max: 1}, "nothing to permute"},
		{"hash", map[string]string{"length": "99"}, Limits{Kind: schema.Text}, "not between 1 and 64"},
		{"hash", map[string]string{"length": "40"}, Limits{Kind: schema.Text, Length: 30}, "does not fit"},
		{"hash", map[string]string{"encoding": "hexx"}, Limits{Kind: schema.Text}, "did you mean hex?"},
		{"phone", nil, Limits{Kind: schema.Text, Length: 15, Unique: true, Rows: 100000}, "bits"},
		{"phone", nil, Limits{Kind: schema.Integer, Max: 32767}, "too short"},
		{"street", nil, Limits{Kind: schema.Text, Length: 6}, "too short"},
		{"uuid", nil, Limits{Kind: schema.Text, Length: 20}, "cannot hold a uuid"},
		{"first_name", map[string]string{"locale": "de"}, Limits{Kind: schema.Text}, "takes none"},
	} {
		_, err := New(testKey(t, 1), Spec{Mask: c.name, Domain: "d", Params: c.params}, c.limits)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s %v: not refused: %v", c.name, c.limits, err)
			continue
		}
		if !strings.Contains(err.Error()+refusal.Hint, c.want) || refusal.Hint == "" || refusal.Mask != c.name {
			t.Errorf("%s: %v (hint %q), want %q", c.name, err, refusal.Hint, c.want)
		}
	}
	if _, err := New(Key{}, Spec{Mask: "email"}, Limits{Kind: schema.Text}); err == nil {
		t.Error("the zero key is accepted")
	}
}

func TestNumbersInIntegerColumns(t *testing.T) {
	for _, name := range []string{"phone", "postcode"} {
		for _, top := range []int64{math.MaxInt32, math.MaxInt64} {
			w := makeMask(t, name, Limits{Kind: schema.Integer, Min: -top - 1, Max: top}).Worker()
			for i := range 3000 {
				v := fmt.Sprint(i * 700001 % 100000000)
				f := fake(t, w, v)
				x, err := strconv.ParseInt(f, 10, 64)
				if err != nil || x > top || x < 0 || fmt.Sprint(x) != f || f == v && v != "0" {
					t.Fatalf("%s up to %d: %s becomes %s", name, top, v, f)
				}
			}
		}
	}
	for _, name := range []string{"postcode", "credit_card"} {
		m := makeMask(t, name, Limits{Kind: schema.Integer, Max: math.MaxInt64})
		if f := fake(t, m.Worker(), "0"); f == "0" && !m.Keeps([]byte("0")) || m.Keeps([]byte("7")) {
			t.Errorf("%s: zero becomes itself, which was not foretold", name)
		}
	}
	seen := map[string]bool{}
	w := makeMask(t, "phone", Limits{Kind: schema.Integer, Max: math.MaxInt64, Unique: true, Rows: 20000}).Worker()
	for i := range 20000 {
		f := fake(t, w, fmt.Sprint(4930000000+i))
		if seen[f] || !strings.HasPrefix(f, lonePrefix) {
			t.Fatalf("%s is not in the unassigned country code or came twice", f)
		}
		seen[f] = true
	}
}

func TestRedactFitsItsType(t *testing.T) {
	for _, kind := range schema.Kinds {
		limits := Limits{Kind: kind, Scale: -1, Labels: []string{"first", "second"}, Min: 5, Max: 10, NotNull: true}
		m, err := New(testKey(t, 1), Spec{Mask: "redact", Domain: "d"}, limits)
		if kind == schema.Geo || kind == schema.Other {
			if err == nil {
				t.Errorf("%s: redact has no neutral value and is accepted", kind)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		neutral := fake(t, m.Worker(), "x")
		d := draft{limits: limits}
		if why := d.unfit(neutral); why != "" || m.Chance() != 1 {
			t.Errorf("%s: %q %s", kind, neutral, why)
		}
		if _, err := New(testKey(t, 1), Spec{Mask: "constant", Domain: "d", Params: map[string]string{"value": neutral}}, limits); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	unique := Limits{Kind: schema.Text, Unique: true, Rows: 1000}
	if m, err := New(testKey(t, 1), Spec{Mask: "nullify"}, unique); err != nil || m.Chance() != 0 {
		t.Errorf("nullify of a unique column: %v", err)
	}
}

func TestKinds(t *testing.T) {
	want := "full_name first_name last_name username email phone job_title company street city postcode region country fpe int uuid hash national_id credit_card iban ip mac url hostname user_agent " +
		"date_shift date_truncate noise bucket lorem regex template redact nullify constant choice"
	if got := strings.Join(names(), " "); got != want {
		t.Errorf("masks %s, want %s", got, want)
	}
	for _, k := range Kinds() {
		if k.Doc == "" || k.Family == "" || len(k.Accepts) == 0 || !strings.Contains("strong linkable weak", k.Strength) || k.Strength == "" {
			t.Errorf("%s: incomplete", k.Name)
		}
		again, ok := Lookup(k.Name)
		if !ok || again.Name != k.Name {
			t.Errorf("%s: not found", k.Name)
		}
		if bad := k.Check(map[string]string{"nonsense": "1"}); len(bad) == 0 {
			t.Errorf("%s: an unknown parameter is taken", k.Name)
		}
		for _, p := range k.Params {
			if p.Doc == "" || !p.Required && p.Default == "" {
				t.Errorf("%s: parameter %s is incomplete", k.Name, p.Name)
			}
		}
		m := makeMask(t, k.Name, Limits{Kind: kindFor(k.Name), Scale: -1}, paramsFor(k.Name)...)
		if d := m.Describe(); d == "" || strings.Contains(d, "\n") {
			t.Errorf("%s: description %q", k.Name, d)
		}
		if c := m.ChanceOf([]byte(typical(k.Name, 5))); c < 0 || c > 1 || c > m.Chance()+1e-9 {
			t.Errorf("%s: chance %g of a value, at most %g", k.Name, c, m.Chance())
		}
	}
}
