package postgres

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
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

// The server's own arrays, of the types that masks take, pass through unchanged,
// and their elements are the canonical text of values of the element's type.
func TestArraysAsTheServerWritesThem(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'it''s, {ok}', 'NULL', ''); CREATE DOMAIN tag AS varchar(9); CREATE DOMAIN taglist AS tag[];
		CREATE TABLE lists (id int PRIMARY KEY, texts text[], tags taglist, fixed char(4)[], ints bigint[], nums numeric(9,2)[], flags boolean[], raws bytea[], days date[], moments timestamptz[], ids uuid[],
			moods mood[], docs jsonb[], folded citext[], vec int2vector, hosts inet[]);
		INSERT INTO lists VALUES (1, '[0:1][-1:0]={{"a,b","c}{"},{NULL,"NULL"}}', ARRAY['x y', 'null', ''], '{ab,"",NULL}', '{-1,9223372036854775807}', '{1.50,NaN}', '{t,f,NULL}',
				ARRAY['\x00ff'::bytea, '\x5c22', ''], '{1990-05-05,infinity,"4713-01-01 BC"}', '{"2020-01-01 00:00:00.5+02"}', '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}',
				ARRAY['sad', 'it''s, {ok}', 'NULL', '']::mood[], ARRAY['{"a": ["\\", "\""]}', 'null', NULL]::jsonb[], '{Ab}', '1 2', '{::1/64}'),
			(2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '', '{}'),
			(3, ARRAY[E'tab\t nl\n cr\r v\x0b f\f bs\\ b\b é', ' ', 'ünquoted', '"', '\'], NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	table := mustTable(t, s, "lists")
	kinds := map[string]schema.Kind{"texts": schema.Text, "tags": schema.Text, "fixed": schema.Text, "ints": schema.Integer, "nums": schema.Decimal, "flags": schema.Boolean, "raws": schema.Bytes,
		"days": schema.Date, "moments": schema.Timestamp, "ids": schema.UUID, "moods": schema.Enum, "docs": schema.JSON, "folded": schema.Text, "vec": "", "hosts": schema.Net}
	var columns []string
	for _, c := range table.Columns {
		if c.Kind == schema.Array && c.Element != kinds[c.Name] {
			t.Errorf("%s holds %q, want %q", c.Name, c.Element, kinds[c.Name])
		}
		if c.Element != "" {
			columns = append(columns, c.Name)
		}
	}
	if c := table.Column("tags"); c.Length != 9 || len(columns) != len(kinds)-1 {
		t.Errorf("%d columns of arrays, tags of length %d", len(columns), c.Length)
	}
	look := make([]int, len(columns))
	for i := range look {
		look[i] = i
	}
	seen := map[string]string{}
	for b, err := range snap.Read(t.Context(), engine.Read{Table: table, Columns: columns, Look: look}) {
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range b.Cells {
			if c.Null {
				continue
			}
			column := i % len(columns)
			value := b.Form.Value(nil, b.Raw[c.Start:c.End], column)
			out, err := b.Form.(engine.Arrays).AppendArray(nil, value, column, func(dst, element []byte) ([]byte, bool, error) {
				seen[columns[column]] += string(element) + "|"
				return append(dst, element...), false, nil
			})
			if want := string(value); err != nil || string(out) != want && columns[column] != "fixed" && columns[column] != "flags" {
				t.Errorf("%s: %q became %q (%v)", columns[column], want, out, err)
			}
		}
		b.Release()
	}
	for column, want := range map[string]string{"tags": "x y|null||", "fixed": "ab||", "flags": "true|false|", "raws": "\x00\xff|\\\"||", "days": "1990-05-05|infinity|4713-01-01 BC|",
		"moments": "2019-12-31 22:00:00.5+00|", "ids": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|", "docs": `{"a": ["\\", "\""]}|null|`, "moods": "sad|it's, {ok}|NULL||"} {
		if seen[column] != want {
			t.Errorf("%s: %q, want %q", column, seen[column], want)
		}
	}
}
