package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// documentsOf makes the mask of a column from "path mask" lines; keep is no mask.
func documentsOf(t *testing.T, key mask.Key, others rules.Others, lines ...string) maskedColumn {
	t.Helper()
	d := rules.Decision{Column: "doc", Outcome: rules.ByPath, Documents: &rules.DocumentDecision{Others: others}}
	for _, line := range lines {
		text, name, _ := strings.Cut(line, " ")
		path, err := jsondoc.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		p := rules.PathDecision{Path: path, Outcome: rules.Keep}
		if name != "keep" {
			name, value, _ := strings.Cut(name, " ")
			p.Outcome, p.Spec = rules.Mask, mask.Spec{Mask: name, Domain: name}
			if value != "" {
				param, given, ok := strings.Cut(value, "=")
				if !ok {
					param, given = "value", value
				}
				p.Spec.Params = map[string]string{param: given}
			}
			kind, _ := mask.Lookup(name)
			for _, k := range kind.Accepts {
				if k == schema.Text || k == schema.Integer || k == schema.Decimal || k == schema.Boolean {
					p.Limits = append(p.Limits, mask.Limits{Kind: k, Scale: -1})
				}
			}
		}
		d.Documents.Paths = append(d.Documents.Paths, p)
	}
	c, bad := maskOf(key, d)
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	return c
}

func newKey(t *testing.T) mask.Key {
	t.Helper()
	key, _, err := mask.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestScalarsOfEveryType(t *testing.T) {
	key := newKey(t)
	c := documentsOf(t, key, rules.RedactOthers, "$.mail email", "$.id fpe", "$.flag constant true", "$.five constant 5", "$.plan keep", "$.none nullify")
	email, err := mask.New(key, mask.Spec{Mask: "email", Domain: "email"}, mask.Limits{Kind: schema.Text, Scale: -1})
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := email.Worker().Append(nil, []byte("ada@private.test"))
	if err != nil {
		t.Fatal(err)
	}
	m := c.maker()
	out, null, err := m.fake([]byte("x"), []byte(`{"mail": "ada@private.test", "id": "ab-12", "plan": 1.50, "flag": false, "five": 17.25, "none": {"a": 1}, "mail": ""}`), verbatim{})
	if err != nil || null {
		t.Fatal(err)
	}
	text := string(out[1:])
	if !strings.HasPrefix(text, fmt.Sprintf(`{"mail": %q, "id": "`, want)) || !strings.HasSuffix(text, `"plan": 1.50, "flag": true, "five": 5, "none": null, "mail": ""}`) {
		t.Errorf("%s, the column has %s", text, want)
	}
	for in, shape := range map[string]string{`12345`: "99999", `-12.50`: "-99.99", `0.1234567`: "9.9999999", `0`: "9", `9.0`: "9.9"} {
		out, _, err := m.fake(nil, []byte(`{"id": `+in+`}`), verbatim{})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var doc struct{ ID json.Number }
		if err := json.Unmarshal(out, &doc); err != nil || shapeOf(doc.ID.String()) != shape {
			t.Errorf("%s became %s (%v)", in, out, err)
		}
	}
	for in, says := range map[string]string{`{"mail": 1}`: "at $.mail: mask email cannot take a value: it is a number", `{"mail": true}`: "it is a boolean", `{"id": 1e5}`: "at $.id: ",
		`{"flag": "yes", "five": true}`: "at $.five: mask constant cannot take a value: it is a boolean"} {
		if out, _, err := m.fake([]byte("x"), []byte(in), verbatim{}); err == nil || !strings.Contains(err.Error(), says) || string(out) != "x" {
			t.Errorf("%s became %s, %v", in, out, err)
		}
	}
}

// Numbers in documents have no bounds, whatever integers masks know.
func TestNumbersBeyondIntegers(t *testing.T) {
	c := documentsOf(t, newKey(t), rules.RedactOthers, "$.n noise percent=10")
	m := c.maker()
	for _, in := range []string{"18446744073709551616", "10000000000000000000", "-10000000000000000000000000", "1e19", "-1e25", "1" + strings.Repeat("0", 300), "9223372036854775807", "12345678901234567890.25"} {
		out, _, err := m.fake(nil, []byte(`{"n": `+in+`}`), verbatim{})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var doc struct{ N float64 }
		was, _ := strconv.ParseFloat(in, 64)
		if err := json.Unmarshal(out, &doc); err != nil || doc.N/was < 0.89 || doc.N/was > 1.11 || doc.N == was && in != "9223372036854775807" {
			t.Errorf("%s became %s (%v)", in, out, err)
		}
	}
}

func shapeOf(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '9'
		}
		return r
	}, number)
}

func TestDocumentsLongerThanTheirColumn(t *testing.T) {
	c := documentsOf(t, newKey(t), rules.RedactOthers, "$[*] constant éééé")
	c.document.limit = 9
	m := c.maker()
	if out, _, err := m.fake(nil, []byte(`["a"]`), verbatim{}); err != nil || string(out) != `["éééé"]` {
		t.Errorf("%s, %v", out, err)
	}
	if _, _, err := m.fake(nil, []byte(`["a","b"]`), verbatim{}); err == nil || !strings.Contains(err.Error(), "longer than the column's 9 characters") {
		t.Errorf("%v", err)
	}
}

// rewritten puts documents through a rewriter, as a load does.
func rewritten(t *testing.T, c maskedColumn, docs ...string) (*rewriter, error) {
	t.Helper()
	r := newRewriter(schema.Name{Schema: "public", Table: "people"}, []maskedColumn{c}, newKey(t))
	b := &engine.Batch{Form: verbatim{}}
	for _, d := range docs {
		b.Cells = append(b.Cells, engine.Cell{Start: len(b.Raw), End: len(b.Raw) + len(d)})
		b.Raw = append(b.Raw, d...)
		b.Rows++
	}
	return r, r.rewrite(b)
}

func TestEqualityIsJudgedByPath(t *testing.T) {
	c := documentsOf(t, newKey(t), rules.DropOthers, "$.a email", "$.b constant x", "$.c fpe")
	var docs []string
	for i := range 200 {
		docs = append(docs, fmt.Sprintf(`{"a": "person%d@private.test", "b": "x", "other": %d}`, i, i), `{}`, `{"a": null, "c": ""}`, `[]`)
	}
	r, err := rewritten(t, c, docs...)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := r.verdicts([]int64{0})
	var details []string
	for _, v := range verdicts {
		if v.Outcome != check.Passed {
			t.Errorf("%+v", v)
		}
		details = append(details, v.Detail)
	}
	all := strings.Join(details, "; ")
	for _, want := range []string{"$.a: 0 of 200 distinct values became themselves", "$.b: the mask does not depend on the value", "$.c: 0 of 0 distinct"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among %s", want, all)
		}
	}
	for i, j := range r.makers[0].judged() {
		if j.Same = j.Distinct; i == 0 && r.verdicts([]int64{0})[1].Outcome != check.Failed {
			t.Error("a path whose values all became themselves passes")
		}
	}
}

func TestUnnamedPathsEndALoad(t *testing.T) {
	c := documentsOf(t, newKey(t), rules.StopOthers, "$.a.b email")
	_, err := rewritten(t, c, `{"a": {"b": "x"}}`, `{"a": {"private": 1, "b": "y"}, "secret": 2}`)
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Undecided || len(f.Findings) != 2 || strings.Contains(fmt.Sprint(f.Findings), "private") || !strings.Contains(f.Findings[1].Message, "right under $.a ") {
		t.Errorf("%v", err)
	}
	if _, err := rewritten(t, c, `{"a": {"b": "x"}}`, `{"a": private}`); fault.CodeOf(err) != fault.Undecided || strings.Contains(err.Error(), "private") {
		t.Errorf("%v", err)
	}
	if _, err := rewritten(t, c, `{"a": {"b": 5550143}}`); fault.CodeOf(err) != fault.Usage || strings.Contains(err.Error(), "5550143") {
		t.Errorf("%v", err)
	}
}

// What a database writes anew, in its own order and spelling, has the digest of
// what was sent.
func TestDigestOfDocumentsIsOfTheirContent(t *testing.T) {
	c := documentsOf(t, newKey(t), rules.RedactOthers, "$.a keep", "$.b keep")
	r, err := rewritten(t, c, `{"b": 1.50, "a": "é", "z": "x"}`)
	if err != nil {
		t.Fatal(err)
	}
	sent := r.row
	if again := mask.AppendPart(nil, jsondoc.AppendCanonical(nil, []byte(`{"a":"\u00e9","b":1.5,"redacted_1":"redacted"}`)), false); string(again) != string(sent) {
		t.Errorf("%q and %q", sent, again)
	}
}
