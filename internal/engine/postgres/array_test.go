package postgres

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"understudy/internal/engine"
)

func TestArraysElementByElement(t *testing.T) {
	fm := &form{columns: make([]translation, 4), elements: []translation{asIs, hexed, oneChar, padded}}
	for _, c := range []struct {
		column   int
		in, seen string
		to       string
		out      string
	}{
		{0, `{}`, ``, `x`, `{}`},
		{0, `{a,b}`, `a|b`, `x`, `{x,x}`},
		{0, `{NULL,"NULL",null,nUlL}`, `NULL`, `NULL`, `{NULL,"NULL",null,nUlL}`},
		{0, `[0:1]={a,b}`, `a|b`, `x y`, `[0:1]={"x y","x y"}`},
		{0, `[-1:0][2:3]={{a,b},{c,NULL}}`, `a|b|c`, ``, `[-1:0][2:3]={{"",""},{"",NULL}}`},
		{0, `{{{"a,b"},{"{c}"}}}`, `a,b|{c}`, `{"\}`, `{{{"{\"\\}"},{"{\"\\}"}}}`},
		{0, `{"a \"b\" \\c",""}`, `a "b" \c|`, `null`, `{"null","null"}`},
		{1, `{"\\x6162","\\x"}`, "ab|", "A", `{"\\x41","\\x41"}`},
		{2, `{t,f,NULL}`, `true|false`, `true`, `{true,true,NULL}`},
		{3, `{"ab   ","c  "}`, `ab|c`, `x`, `{x,x}`},
	} {
		var seen []string
		out, err := fm.AppendArray([]byte("h"), []byte(c.in), c.column, func(dst, value []byte) ([]byte, bool, error) {
			seen = append(seen, string(value))
			return append(dst, c.to...), false, nil
		})
		if err != nil || string(out) != "h"+c.out || strings.Join(seen, "|") != c.seen {
			t.Errorf("%s: %s, saw %q, %v", c.in, out, seen, err)
		}
	}
	out, err := fm.AppendArray(nil, []byte(`{a,b}`), 0, func(dst, _ []byte) ([]byte, bool, error) { return dst, true, nil })
	if string(out) != `{NULL,NULL}` || err != nil {
		t.Errorf("%s, %v", out, err)
	}
	bad := errors.New("no")
	if out, err := fm.AppendArray([]byte("h"), []byte(`{a}`), 0, func(dst, _ []byte) ([]byte, bool, error) { return dst, false, bad }); !errors.Is(err, bad) || string(out) != "h" {
		t.Errorf("%s, %v", out, err)
	}
	for _, text := range []string{"", "a", "1 2 3", "{", "{a", `{"a`, "{a}}", "{a}b", "{,a}x", "[0:1]", "[0:1", "}"} {
		if out, err := fm.AppendArray([]byte("h"), []byte(text), 0, func(dst, v []byte) ([]byte, bool, error) { return append(dst, v...), false, nil }); engine.CodeOf(err) != engine.Unsupported || string(out) != "h" {
			t.Errorf("%q is taken for an array: %s, %v", text, out, err)
		}
	}
}

// FuzzArray: an array whose elements stay reads the same again, and elements
// that change never break out of their place.
func FuzzArray(f *testing.F) {
	for _, s := range []string{`{}`, `{a,"b c",NULL}`, `[0:1]={a,b}`, `{{"\\x41"},{"\""}}`, `{a,b`, `{"NULL"}`} {
		f.Add([]byte(s), []byte(`a"},{\`))
	}
	fm := &form{columns: make([]translation, 1), elements: make([]translation, 1)}
	f.Fuzz(func(t *testing.T, text, fake []byte) {
		count := func(text []byte, with func(value []byte) []byte) (out []byte, elements []string, err error) {
			out, err = fm.AppendArray(nil, text, 0, func(dst, value []byte) ([]byte, bool, error) {
				elements = append(elements, string(value))
				return append(dst, with(value)...), false, nil
			})
			return out, elements, err
		}
		same, elements, err := count(text, func(v []byte) []byte { return v })
		if err != nil {
			return
		}
		again, twice, err := count(same, func(v []byte) []byte { return v })
		if err != nil || !bytes.Equal(same, again) || strings.Join(elements, "\x00") != strings.Join(twice, "\x00") {
			t.Errorf("%q became %q, then %q (%v)", text, same, again, err)
		}
		changed, _, err := count(text, func([]byte) []byte { return fake })
		if err != nil {
			t.Fatal(err)
		}
		_, fakes, err := count(changed, func(v []byte) []byte { return v })
		if err != nil || len(fakes) != len(elements) {
			t.Errorf("%q with %q became %q: %d elements, then %d (%v)", text, fake, changed, len(elements), len(fakes), err)
		}
		for _, v := range fakes {
			if v != string(fake) {
				t.Errorf("%q came back as %q", fake, v)
			}
		}
	})
}
