package jsondoc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/jsondoc"
)

// rules reads "path fate" lines: keep, redact, nullify, or a mask by any other word.
func tree(t testing.TB, others jsondoc.Others, lines ...string) *jsondoc.Tree {
	t.Helper()
	var rules []jsondoc.Rule
	for i, line := range lines {
		at := strings.LastIndexByte(line, ' ')
		path, err := jsondoc.ParsePath(line[:at])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		fate, ok := map[string]jsondoc.Fate{"keep": jsondoc.Keep, "redact": jsondoc.Redact, "nullify": jsondoc.Nullify}[line[at+1:]]
		if !ok {
			fate = jsondoc.Mask
		}
		rules = append(rules, jsondoc.Rule{Path: path, Fate: fate, Number: i})
	}
	return jsondoc.NewTree(rules, others)
}

// marked masks a text by brackets, a number by 7, a boolean by true.
func marked(_ int, kind jsondoc.Kind, dst, value []byte) ([]byte, bool, error) {
	switch kind {
	case jsondoc.Number:
		return append(dst, '7'), false, nil
	case jsondoc.Boolean:
		return append(dst, "true"...), false, nil
	}
	if string(value) == "nil" {
		return dst, true, nil
	}
	return append(append(append(dst, '<'), value...), '>'), false, nil
}

func TestWalk(t *testing.T) {
	redact, drop, stop := jsondoc.RedactOthers, jsondoc.DropOthers, jsondoc.StopOthers
	for _, c := range []struct {
		name    string
		others  jsondoc.Others
		rules   []string
		in, out string
		unnamed string
	}{
		{"a path, the rest redacted", redact, []string{"$.contact.phone m"},
			`{"contact": {"phone": "1", "fax": "2"}, "x": {"y": 1}, "n": null}`,
			`{"contact": {"phone": "<1>", "redacted_1": "redacted"}, "redacted_1": {}, "redacted_2": null}`, "$ 2, $.contact 1"},
		{"the rest dropped", drop, []string{"$.a m"}, `{ "x": 1 , "a" : "1" , "y": [1] , "b":2}`, `{ "a" : "<1>" }`, "$ 3"},
		{"everything dropped", drop, []string{"$.a m"}, `{ "x": 1, "y": null }`, `{}`, "$ 2"},
		{"items dropped", drop, []string{"$.a[*].b m"}, `{"a": [1, {"b": "1", "c": 2}, "x", null, [2]]}`, `{"a": [ {"b": "<1>"}, null, []]}`, "$.a[*] 4"},
		{"to stop", stop, []string{"$.a m"}, `{"a": "1", "b": "2"}`, `{"a": "<1>", "redacted_1": "redacted"}`, "$ 1"},
		{"items", redact, []string{"$.tags[*] m"}, `{"tags": ["a", 1, true, null, "", {"k": "v"}]}`,
			`{"tags": ["<a>", 7, true, null, "<>", {"redacted_1": "redacted"}]}`, "$.tags[*] 1"},
		{"a list where an object is named", redact, []string{"$.a.b m"}, `{"a": ["x", {"b": "y"}]}`, `{"a": ["redacted", {}]}`, "$.a 2"},
		{"a scalar where an object is named", redact, []string{"$.a.b m"}, `{"a": "secret"}`, `{"a": "redacted"}`, "$.a 1"},
		{"a scalar where an object is named, dropped", drop, []string{"$.a.b m"}, `{"a": "secret", "c": 1}`, `{}`, "$ 1, $.a 1"},
		{"an odd name", redact, []string{`$['odd "key\'s'] m`}, `{"odd \"key's": "1", "odd \u0022key's": "2"}`, `{"odd \"key's": "<1>", "odd \u0022key's": "<2>"}`, ""},
		{"names of members are data", redact, []string{"$.people.* m"}, `{"people": {"anna@x.de": "1", "bob": {"k": "v"}}}`,
			`{"people": {"redacted_1": "<1>", "redacted_2": {"redacted_1": "redacted"}}}`, "$.people.* 1"},
		{"names of members are kept with their container", redact, []string{"$.people keep", "$.people.* m"}, `{"people": {"en": "1", "de": "2"}}`, `{"people": {"en": "<1>", "de": "<2>"}}`, ""},
		{"names under stop", stop, []string{"$.people.*.name m"}, `{"people": {"x": {"name": "1"}}}`, `{"people": {"redacted_1": {"name": "<1>"}}}`, ""},
		{"a name that could be meant", redact, []string{"$.redacted_1 m"}, `{"redacted_1": "1", "x": 2}`, `{"redacted_1": "<1>", "_redacted_1": 0}`, "$ 1"},
		{"the most specific wins", redact, []string{"$.*.b keep", "$.a.* m", "$.*.* redact"}, `{"a": {"b": "1", "c": "2"}, "x": {"b": "3", "c": "4"}}`,
			`{"a": {"b": "<1>", "redacted_1": "<2>"}, "redacted_1": {"b": "3", "redacted_1": "redacted"}}`, ""},
		{"a kept container with a masked part", redact, []string{"$.a keep", "$.a.b m"}, `{"a": {"k": [1, {"z": "z"}], "b": "1"}, "c": 1.50}`, `{"a": {"k": [1, {"z": "z"}], "b": "<1>"}, "redacted_1": 0}`, "$ 1"},
		{"what was singled out is not kept with its container", redact, []string{"$.a keep", "$.a.b m"}, `{"a": {"b": {"secret": "x"}}}`, `{"a": {"b": {"redacted_1": "redacted"}}}`, "$.a.b 1"},
		{"a redacted container with a kept part", drop, []string{"$.a redact", "$.a.b keep"}, `{"a": {"k": [1], "b": "1", "n": 5}}`, `{"a": {"redacted_1": [], "b": "1", "redacted_2": 0}}`, ""},
		{"redacted", redact, []string{"$.a redact", "$.b redact", "$.c redact"}, `{"a": {"b": 1}, "b": [1, 2], "c": "x"}`, `{"a": {}, "b": [], "c": "redacted"}`, ""},
		{"nullified", redact, []string{"$.a nullify", "$.b nullify"}, `{"a": {"b": 1}, "b": "x"}`, `{"a": null, "b": null}`, ""},
		{"duplicates", redact, []string{"$.a m"}, `{"a": "1", "\u0061": "2", "a": 3}`, `{"a": "<1>", "\u0061": "<2>", "a": 7}`, ""},
		{"numbers keep their text", redact, []string{"$[*] keep"}, `[ 1.50, 1E+5, -0, 123456789012345678901234567890.10 ]`, `[ 1.50, 1E+5, -0, 123456789012345678901234567890.10 ]`, ""},
		{"escapes", redact, []string{"$[*] m"}, `["\u0041\n\"\\\/\ud83d\ude00\ud83d x\u0000", "é"]`, `["<A\n\"\\/😀� x\u0000>", "<é>"]`, ""},
		{"JSON in a text is a text", redact, []string{"$.a m"}, `{"a": "{\"b\": 1}"}`, `{"a": "<{\"b\": 1}>"}`, ""},
		{"null by the mask", redact, []string{"$ m"}, `"nil"`, `null`, ""},
		{"a scalar document", redact, []string{"$.a m"}, ` "x" `, ` "redacted" `, "$ 1"},
		{"a scalar document, dropped", drop, []string{"$.a m"}, `5`, `null`, "$ 1"},
		{"nothing named", redact, nil, `{"a": {"b": 1}}`, `{}`, ""},
		{"null and empty stay", redact, []string{"$.a m"}, `{"a": null, "b": "", "c": {}}`, `{"a": null, "redacted_1": "", "redacted_2": {}}`, "$ 2"},
	} {
		w := tree(t, c.others, c.rules...).Walker(marked)
		out, err := w.Append([]byte("head "), []byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := string(out[5:]); got != c.out {
			t.Errorf("%s:\n  %s\nwant\n  %s", c.name, got, c.out)
		}
		if !json.Valid(out[5:]) {
			t.Errorf("%s: %s is not JSON", c.name, out[5:])
		}
		var unnamed []string
		for _, u := range w.Unnamed() {
			unnamed = append(unnamed, fmt.Sprintf("%s %d", u.Under, u.Values))
		}
		if got := strings.Join(unnamed, ", "); got != c.unnamed {
			t.Errorf("%s: unnamed %q, want %q", c.name, got, c.unnamed)
		}
	}
}

func TestMetValues(t *testing.T) {
	w := tree(t, jsondoc.RedactOthers, "$.a m", "$.a.* redact", "$.list[*] m", "$.gone keep").Walker(marked)
	if _, err := w.Append(nil, []byte(`{"a": {"x": 1, "y": null}, "list": ["u", ["v"], null], "z": 1}`)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int64{"$.a": 1, "$.a.*": 2, "$.list[*]": 3, "$.gone": 0, "$.list": 0, "$.z": 0} {
		p, err := jsondoc.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Met(p); got != want {
			t.Errorf("%s: %d values, want %d", text, got, want)
		}
	}
}

func BenchmarkWalk(b *testing.B) {
	doc := []byte(`{"contact": {"email": "ada@private.test", "phone": "+1 202 555 0143", "street": "1 Some Street"}, "tags": ["one", "two", "three"], "newsletter": true, "visits": 1234, "notes": "a text of some length, as people write them"}`)
	w := tree(b, jsondoc.RedactOthers, "$.contact.phone m", "$.contact.email m", "$.tags[*] keep", "$.visits keep").Walker(marked)
	var out []byte
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if out, err = w.Append(out[:0], doc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	doc := []byte(`{"contact": {"email": "ada@private.test", "phone": "+1 202 555 0143", "street": "1 Some Street"}, "tags": ["one", "two", "three"], "newsletter": true, "visits": 1234, "notes": "a text of some length, as people write them"}`)
	var c jsondoc.Canonizer
	var out []byte
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		out = c.Append(out[:0], doc)
	}
}

func TestRefusedDocuments(t *testing.T) {
	const canary = "Canary"
	for _, doc := range []string{
		``, ` `, `{`, `[1,]`, `{"a":1,}`, `{"Canary"}`, `{"a" 1}`, `{a: 1}`, `'Canary'`, `"Canary`, `"\x"`, `"\u12"`, `01`, `1.`, `-`, `1e`, `nul`, `truefalse`, `[1 2]`, `{} {}`,
		"\"Canary\n\"", "\"\xff\"", `{"x": "` + "\xc3\x28" + `"}`, strings.Repeat("[", 1001) + strings.Repeat("]", 1001), "\ufeff{}", `{"a": Canary}`,
	} {
		for _, rule := range []string{"$ keep", "$ redact", "$.a m", "$[*] m"} {
			out, err := tree(t, jsondoc.RedactOthers, rule).Walker(marked).Append([]byte("x"), []byte(doc))
			var bad *jsondoc.SyntaxError
			if !errors.As(err, &bad) || string(out) != "x" {
				t.Errorf("%s on %q: %q, %v", rule, doc, out, err)
			} else if strings.Contains(err.Error(), canary) {
				t.Errorf("the error repeats the document: %v", err)
			}
		}
	}
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	if _, err := tree(t, jsondoc.RedactOthers, "$ keep").Walker(marked).Append(nil, []byte(deep)); err != nil {
		t.Errorf("1000 levels: %v", err)
	}
}

func TestMaskersErrorTellsThePath(t *testing.T) {
	bad := errors.New("no")
	w := tree(t, jsondoc.RedactOthers, "$.a[*].b m").Walker(func(int, jsondoc.Kind, []byte, []byte) ([]byte, bool, error) { return nil, false, bad })
	if _, err := w.Append(nil, []byte(`{"a": [{"b": "x"}]}`)); !errors.Is(err, bad) || err.Error() != "at $.a[*].b: no" {
		t.Errorf("%v", err)
	}
	w = tree(t, jsondoc.RedactOthers, "$.a m").Walker(func(_ int, _ jsondoc.Kind, dst, _ []byte) ([]byte, bool, error) {
		return append(dst, "07"...), false, nil
	})
	if _, err := w.Append(nil, []byte(`{"a": 1}`)); err == nil {
		t.Error("a fake that is no number was written as one")
	}
}

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		"$": "$", "$.a.b": "$.a.b", "$.a[*].b": "$.a[*].b", "$.*": "$.*", "$['a b']": "$['a b']", `$["a'b"]`: `$['a\'b']`, `$['a\\b']`: `$['a\\b']`,
		"$['a']": "$.a", "$.größe": "$.größe", "$['']": "$['']", "$.a-b": "$.a-b", "$['*']": "$['*']", "$['a.b']": "$['a.b']",
	} {
		p, err := jsondoc.ParsePath(text)
		if err != nil || p.String() != want {
			t.Errorf("%s: %s, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "a", "$a", "$.", "$..a", "$[0]", "$[", "$['a", "$['a'", "$[a]", "$.a b", "$. a", "$.a]", "$.a*", "$" + strings.Repeat(".a", 65), "$.\xff"} {
		if p, err := jsondoc.ParsePath(text); err == nil {
			t.Errorf("%q is read as %s", text, p)
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, same := range [][]string{
		{`{"b": 1.50, "a": "\u0041"}`, `{"a":"A","b":15e-1}`, ` {"a": 1, "b": 1.5, "a": "A"} `},
		{`[1, 2]`, `[1.0,20e-1]`}, {`0`, `-0.00`, `0e9`}, {`100`, `1E2`, `1e+2`},
	} {
		first := jsondoc.AppendCanonical(nil, []byte(same[0]))
		for _, s := range same[1:] {
			if got := jsondoc.AppendCanonical(nil, []byte(s)); !bytes.Equal(got, first) {
				t.Errorf("%s is %s, %s is %s", same[0], first, s, got)
			}
		}
	}
	var c jsondoc.Canonizer // whose memory the next document does not meet
	for _, doc := range [][2]string{
		{`{"b": {"d": 1, "c": [{"z": 0.10e+2, "y": null, "z": "\n"}]}, "a": -12.5e400, "a": true}`, `{"a":true,"b":{"c":[{"y":null,"z":"\n"}],"d":1e0}}`},
		{`{"a": {"b": 1`, `{"a": {"b": 1`}, {`{"b":1,"a":-1e99999999999999999999}`, `{"a":-1e99999999999999999999,"b":1e0}`}, {`"x"`, `"x"`},
	} {
		if got := c.Append(nil, []byte(doc[0])); string(got) != doc[1] {
			t.Errorf("%s became %s", doc[0], got)
		}
	}
	if got := jsondoc.AppendCanonical(nil, []byte(`[[],[[]],{}, `)); string(got) != `[[],[[]],{}, ` {
		t.Errorf("%s", got)
	}
	if got := jsondoc.AppendCanonical(nil, []byte(`[[],[[ ]], {}]`)); string(got) != `[[],[[]],{}]` {
		t.Errorf("%s", got)
	}
}

// value draws a document; texts and names hold the marker of what may not stay.
func value(t *rapid.T, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "boolean")
	case 2:
		return json.Number(rapid.SampledFrom([]string{"0", "-1", "1.50", "1e3", "12345678901234567890"}).Draw(t, "number"))
	case 3:
		return rapid.StringOf(rapid.RuneFrom([]rune("aé\"\\\n\x00😀/<"))).Draw(t, "text") + "secret"
	case 4:
		out := make([]any, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range out {
			out[i] = value(t, depth-1)
		}
		return out
	}
	out := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		name := rapid.SampledFrom([]string{"a", "b", "c", "secret key", "redacted_1"}).Draw(t, "name")
		out[name] = value(t, depth-1)
	}
	return out
}

func paths(t *rapid.T) []string {
	words := rapid.SampledFrom([]string{".a", ".b", ".c", ".*", "[*]"})
	seen, out := map[string]bool{}, []string{}
	for range rapid.IntRange(0, 5).Draw(t, "rules") {
		path := "$" + strings.Join(rapid.SliceOfN(words, 0, 3).Draw(t, "steps"), "")
		if !seen[path] {
			seen[path] = true
			out = append(out, path)
		}
	}
	return out
}

// Without a rule that keeps, nothing of the texts and unnamed names is left;
// the outcome is JSON; a second walk meets the same paths.
func TestNothingUnnamedStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(value(t, 4))
		if err != nil {
			t.Fatal(err)
		}
		var rules []jsondoc.Rule
		for i, text := range paths(t) {
			p, err := jsondoc.ParsePath(text)
			if err != nil {
				t.Fatal(err)
			}
			fate := rapid.SampledFrom([]jsondoc.Fate{jsondoc.Mask, jsondoc.Redact, jsondoc.Nullify}).Draw(t, "fate")
			rules = append(rules, jsondoc.Rule{Path: p, Fate: fate, Number: i})
		}
		others := rapid.SampledFrom([]jsondoc.Others{jsondoc.RedactOthers, jsondoc.DropOthers, jsondoc.StopOthers}).Draw(t, "others")
		w := jsondoc.NewTree(rules, others).Walker(func(_ int, kind jsondoc.Kind, dst, value []byte) ([]byte, bool, error) {
			if kind == jsondoc.Text {
				return append(dst, "fake"...), false, nil
			}
			return append(dst, value...), false, nil
		})
		out, err := w.Append(nil, doc)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		if !json.Valid(out) || bytes.Contains(out, []byte("secret")) {
			t.Fatalf("%s became %s", doc, out)
		}
	})
}

// What is kept as a whole is kept to the byte, and what is masked by a mask that
// changes nothing leaves the same document.
func TestStructureStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.MarshalIndent(value(t, 4), " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		same := func(_ int, _ jsondoc.Kind, dst, value []byte) ([]byte, bool, error) {
			return append(dst, value...), false, nil
		}
		rules := []jsondoc.Rule{{Path: jsondoc.Path{}, Fate: jsondoc.Keep}}
		out, err := jsondoc.NewTree(rules, jsondoc.StopOthers).Walker(same).Append(nil, doc)
		if err != nil || !bytes.Equal(out, doc) {
			t.Fatalf("kept, %s became %s (%v)", doc, out, err)
		}
		for i, text := range paths(t) {
			p, err := jsondoc.ParsePath(text)
			if err != nil {
				t.Fatal(err)
			}
			if len(p) > 0 && p[len(p)-1].Kind != jsondoc.Members {
				rules = append(rules, jsondoc.Rule{Path: p, Fate: jsondoc.Mask, Number: i})
			}
		}
		out, err = jsondoc.NewTree(rules, jsondoc.StopOthers).Walker(same).Append(nil, doc)
		if err != nil {
			t.Fatal(err)
		}
		if !singled(rules, doc) && !bytes.Equal(jsondoc.AppendCanonical(nil, out), jsondoc.AppendCanonical(nil, doc)) {
			t.Fatalf("%s became %s", doc, out)
		}
	})
}

// singled tells whether a masked path may lead to a container, whose parts then
// are unnamed.
func singled(rules []jsondoc.Rule, doc []byte) bool {
	found := false
	probe := jsondoc.NewTree(rules, jsondoc.StopOthers).Walker(func(_ int, _ jsondoc.Kind, dst, value []byte) ([]byte, bool, error) {
		return append(dst, value...), false, nil
	})
	if _, err := probe.Append(nil, doc); err == nil {
		found = len(probe.Unnamed()) > 0
	}
	return found
}

// FuzzWalk: whatever is taken is JSON before and after, and what Go's own
// decoder refuses is refused.
func FuzzWalk(f *testing.F) {
	for _, s := range []string{`{"a": [1, "x", {"b": null}], "c": "\u00e9\ud800"}`, `[[[[]]]]`, `"a`, `1e5`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`} {
		f.Add([]byte(s), uint8(0))
	}
	f.Fuzz(func(t *testing.T, doc []byte, others uint8) {
		w := tree(t, jsondoc.Others(others%3), "$.a m", "$.a[*].b keep", "$.*.c m", "$[*] m").Walker(marked)
		out, err := w.Append(nil, doc)
		if err == nil && (!json.Valid(doc) || !json.Valid(out)) {
			t.Errorf("%q became %q", doc, out)
		}
		if again := jsondoc.AppendCanonical(nil, doc); err == nil && !bytes.Equal(jsondoc.AppendCanonical(nil, doc), again) {
			t.Errorf("%q has two canonical forms", doc)
		}
	})
}
