package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/engine"
	"understudy/internal/mask"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// portableTypes is a table of every type whose rows travel in binary and that
// has a codec, and one of those that have none; then tables that stay text.
const portableTypes = `
CREATE TYPE mood AS ENUM ('sad', 'it''s, {ok}', 'NULL', '');
CREATE DOMAIN flag AS boolean; CREATE DOMAIN short AS varchar(20) CHECK (VALUE <> 'no');
CREATE TABLE known (
	id int PRIMARY KEY, t text, vc varchar(30), c char(5), b bytea, f boolean, f2 flag, d2 short, i2 smallint, i4 integer, i8 bigint, o oid, n numeric, n2 numeric(12,3), r real, d double precision,
	dt date, ts timestamp, ts3 timestamp(3), tz timestamptz, tm time, tm2 time(2), ttz timetz, iv interval, u uuid, j json, jb jsonb, m mood, ip inet, net cidr, mac macaddr, mac8 macaddr8);
INSERT INTO known (id) VALUES (0);
INSERT INTO known VALUES
 (1, E'tab\t nl\n cr\r bs\\ b\b f\f v\x0b é \\N \\. "q" ''s''', '日本 🦆  ', 'ab', '\x00ff0a095c7830', true, false, 'NULL', -32768, 2147483647, '-9223372036854775808', 4294967295, 'NaN', 12.5, 1.1, 'Infinity',
  'infinity', '4713-01-01 BC', '2024-02-29 12:34:56.7895', '294276-12-31 23:59:59.999999+00', '24:00:00', '12:34:56.789', '12:00:00+05:30', '1 year -2 mons 3 days 04:05:06.789', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
  '{"a" : 1, "a":2}', '{"b": "x\\n"}', 'it''s, {ok}', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
 (2, '', '', '', '', false, true, '', 0, 0, 0, 0, 0, -0.001, '-0', '5e-324', '0001-01-01', 'epoch', '-infinity', '-infinity', '00:00', '00:00', '00:00+00', '0', '00000000-0000-0000-0000-000000000000',
  'null', '[]', '', '0.0.0.0', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00'),
 (3, 'x', 'x', 'x', '\x5c', true, true, 'x', 1, 1, 1, 1, '1e1000', 999999999.999, '1e-45', 'NaN', '5874897-12-31', 'infinity', 'infinity', '1800-01-01 00:00:00-04:56:02', '23:59:59.999999', '23:59:59.999', '23:59:59.5-15:59:59',
  '-1 mons +2 days -00:00:00.000001', 'ffffffff-ffff-4fff-bfff-ffffffffffff', ' [ 1 ] ', '1.50', 'NULL', '::ffff:1.2.3.4', '1.2.3.4/32', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff');
CREATE TABLE unknown (
	id int PRIMARY KEY, nm name, arr text[], ints int[], moments timestamptz[], bits bit(3), vb varbit, rng int4range, trng tstzrange, pt point, ln line, ls lseg, bx box, pa path, po polygon, ci circle, v tsvector);
INSERT INTO unknown (id) VALUES (0);
INSERT INTO unknown VALUES (1, 'nm', ARRAY['a', NULL, 'NULL', '', E'{"\\,}'], '[2:3]={1,2}', '{infinity,2024-02-29 12:34:56.789+00}', '101', '1', '[1,5)', '[2024-01-01,)', '(1.5,-2)', '{1,2,3}', '((0,0),(1,1e300))', '((1,1),(0,0))', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),1>', 'a:1A b:2 ''it''''s'''),
 (2, '', '{}', '{{1,2},{3,NULL}}', '{}', '000', '', 'empty', '(,)', '(0,-0)', '{0,1,0}', '((0,0),(0,0))', '((0,0),(0,0))', '((0,0))', '((0,0))', '<(0,0),0>', '');
CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE hollow (id int, t text);
CREATE TABLE made (id int, twice int GENERATED ALWAYS AS (id * 2) STORED, t text); INSERT INTO made (id, t) SELECT i, 'x' || i FROM generate_series(1, 50) i;
CREATE TABLE parent (id int, t text); CREATE TABLE child (extra date) INHERITS (parent); INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', '2024-01-01');
CREATE TABLE split (id int, at date, t text) PARTITION BY RANGE (at);
CREATE TABLE split_1 (t text, at date, id int); ALTER TABLE split ATTACH PARTITION split_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE split_2 PARTITION OF split DEFAULT; INSERT INTO split SELECT i, date '2019-06-01' + i * 10, 't' || i FROM generate_series(1, 100) i;
CREATE TABLE huge (id int, t text, b bytea); INSERT INTO huge VALUES (1, repeat('é\', 300000), decode(repeat('5c0a', 200000), 'hex')), (2, NULL, ''), (3, 'small', NULL);
DO $$ BEGIN EXECUTE 'CREATE TABLE broad (' || (SELECT string_agg('c' || i || CASE i % 2 WHEN 0 THEN ' int' ELSE ' bool' END, ', ') FROM generate_series(1, 1600) i) || ')'; END $$;
INSERT INTO broad (c1, c2, c1600) VALUES (true, 2, 1600), (NULL, NULL, NULL);
`

const stayingText = `
CREATE EXTENSION citext; CREATE TYPE pair AS (a int, b text);
CREATE TABLE composite (id int, p pair); INSERT INTO composite VALUES (1, '(1,"x,""y""")'), (2, NULL);
CREATE TABLE moods (id int, m mood[]); INSERT INTO moods VALUES (1, '{sad,"NULL"}');
CREATE TABLE extended (id int, ci citext); INSERT INTO extended VALUES (1, 'MiXed');
CREATE TABLE priced (id int, mon money, x xml); INSERT INTO priced VALUES (1, '12.34', '<a>b</a>');
`

// carried is a source, a snapshot of it, and two loads of the same rows: one may
// choose the binary form, the other may not.
type carried struct {
	url          string
	schema       *schema.Schema
	snap         engine.Snapshot
	binary, text *load
}

func bothWays(t *testing.T, source, target string) *carried {
	t.Helper()
	c := &carried{url: scratchtest.Database(t)}
	scratchtest.SQL(t, c.url, source)
	c.schema, c.snap = openSnapshot(t, sourceAt(t, c.url, engine.Limits{BatchBytes: 2000}))
	begin := func(run string, asText bool) *load {
		url := scratchtest.Database(t)
		spec := quietSpec(run)
		if target == "" {
			spec.Structure = c.snap.Structure()
		} else {
			scratchtest.SQL(t, url, target)
		}
		tg := openTarget(t, url)
		tg.asText = asText
		l, err := tg.Begin(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tg.Close() })
		return l.(*load)
	}
	c.binary, c.text = begin("binary", false), begin("text", true)
	return c
}

// read describes all rows of a table, for a load.
func (c *carried) read(t *testing.T, name string, look bool, l *load) engine.Read {
	t.Helper()
	table := mustTable(t, c.schema, name)
	r := engine.Read{Table: table, Columns: table.Written(), Into: l, As: table.Name}
	for i := range r.Columns {
		if look {
			r.Look = append(r.Look, i)
		}
	}
	return r
}

// rowsIn gives the rows that a load holds, as the server writes them, sorted.
func rowsIn(t *testing.T, l *load, name string) (out []string) {
	t.Helper()
	err := l.with(t.Context(), func(c *conn) error {
		rows, err := c.query(t.Context(), "read back", "SELECT x::text FROM ONLY public."+name+" x UNION ALL SELECT p::text FROM public."+name+" p WHERE tableoid <> 'public."+name+"'::regclass ORDER BY 1")
		for _, r := range rows {
			out = append(out, string(r[0]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// looked gives every value that a Read looks into, and whether rows came in binary.
func (c *carried) looked(t *testing.T, r engine.Read) (values []string, binary bool) {
	t.Helper()
	for b, err := range c.snap.Read(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		_, binary = b.Form.(*tupleForm)
		if len(b.Cells) != b.Rows*len(r.Look) {
			t.Fatalf("%d cells for %d rows", len(b.Cells), b.Rows)
		}
		for i, cell := range b.Cells {
			column := r.Look[i%len(r.Look)]
			value := "NULL"
			if !cell.Null {
				value = string(b.Form.Value(nil, slices.Clone(b.Raw[cell.Start:cell.End]), column))
			}
			values = append(values, r.Columns[column]+"="+value)
		}
		b.Release()
	}
	return values, binary
}

// write loads what a Read gives, each value changed on its way.
func (c *carried) write(t *testing.T, r engine.Read, change func(column string, value []byte) []byte) error {
	t.Helper()
	rows := func(yield func(*engine.Batch, error) bool) {
		for b, err := range c.snap.Read(t.Context(), r) {
			if err == nil {
				raw, at := []byte{}, 0
				for i, cell := range b.Cells {
					column := r.Look[i%len(r.Look)]
					raw = append(raw, b.Raw[at:cell.Start]...)
					at = cell.End
					if cell.Null {
						raw = b.Form.AppendNull(raw, column)
					} else {
						raw = b.Form.Append(raw, change(r.Columns[column], b.Form.Value(nil, b.Raw[cell.Start:cell.End], column)), column)
					}
				}
				b.Raw = append(raw, b.Raw[at:]...)
			}
			if !yield(b, err) {
				return
			}
		}
	}
	_, err := r.Into.Write(t.Context(), r.As, r.Columns, rows)
	return err
}

func unchanged(_ string, v []byte) []byte { return v }

// Both forms carry the same rows and show the same texts, by COPY and by places.
func TestBinaryAndTextCarryTheSame(t *testing.T) {
	c := bothWays(t, portableTypes+stayingText, "")
	binaries := []string{"known", "unknown", "made", "parent", "child", "split", "huge", "broad", "hollow"}
	for _, table := range c.schema.Tables {
		name := table.Name.Table
		look := name != "unknown" && name != "nothing" && !strings.Contains("composite moods extended priced", name)
		inBinary, inText := c.read(t, name, look, c.binary), c.read(t, name, look, c.text)
		got, binary := c.looked(t, inBinary)
		want, text := c.looked(t, inText)
		if text || name != "hollow" && binary != slices.Contains(binaries, name) {
			t.Errorf("%s: in binary %v, %v", name, binary, text)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: read in binary and as text:\n%q\n%q", name, got, want)
		}
		ids, _ := findAll(t, c.snap, engine.Find{Table: inBinary.Table})
		slices.Sort(ids)
		inBinary.Rows = append([]engine.RowID{}, ids...)
		if inBinary.Columns != nil {
			byPlace, _ := c.looked(t, inBinary)
			if slices.Sort(byPlace); !slices.Equal(byPlace, want) {
				t.Errorf("%s: read by places in binary and as text:\n%q\n%q", name, byPlace, want)
			}
		}
		if name != "split" {
			inBinary.Rows = nil
		}
		for _, r := range []engine.Read{inBinary, inText} {
			if err := c.write(t, r, unchanged); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		there := scratchtest.Query(t, c.url, "SELECT count(*) FROM ONLY "+name+" WHERE true")
		if name == "split" {
			there = "100"
		}
		a, b := rowsIn(t, c.binary, name), rowsIn(t, c.text, name)
		if !slices.Equal(a, b) || fmt.Sprint(len(a)) != strings.TrimSpace(there) && name != "parent" {
			t.Errorf("%s: %d rows arrived in binary, %d as text, of %s", name, len(a), len(b), there)
			for i := range a {
				if i < len(b) && a[i] != b[i] && len(a[i]) < 2000 {
					t.Errorf("%s\n%s", a[i], b[i])
				}
			}
		}
	}
}

// Values made at random have one text, one digest and one fate in both forms.
func TestBinaryAndTextOfRandomRows(t *testing.T) {
	words := rapid.StringOf(rapid.RuneFrom([]rune("ab\\\t\n\r'\"N .,{}é日🦆\v\b")))
	quoted := rapid.Map(words, func(s string) string { return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" })
	one := func(format string, g *rapid.Generator[int64]) *rapid.Generator[string] {
		return rapid.Map(g, func(n int64) string { return fmt.Sprintf(format, n) })
	}
	any64, some := rapid.Int64(), rapid.Int64Range(-10000000000, 10000000000)
	columns := []struct {
		ddl   string
		value *rapid.Generator[string]
	}{
		{"t text", quoted}, {"c char(60)", rapid.Map(rapid.StringMatching(`[a-c ]{0,60}`), func(s string) string { return "'" + s + "'" })},
		{"b bytea", rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return fmt.Sprintf(`'\x%x'`, b) })},
		{"i bigint", one("%d", any64)}, {"n numeric", one("%d / 10000000.0", any64)}, {"d float8", one("%d / 7.0::float8", some)}, {"r real", one("%d / 7.0::real", some)},
		{"dt date", one("date '2000-01-01' + %d", rapid.Int64Range(-2451545, 3000000))}, {"ts timestamp", one("timestamp '2000-01-01' + %d * interval '0.0137 s'", some)},
		{"tz timestamptz", one("timestamptz '2000-01-01' + %d * interval '1 s'", some)}, {"tm time", one("time '00:00' + %d * interval '1 us'", some)}, {"iv interval", one("%d * interval '3.7 hours'", rapid.Int64Range(-1e8, 1e8))},
		{"u uuid", one("md5('%d')::uuid", any64)}, {"f boolean", one("%d > 0", any64)}, {"ip inet", one("inet '::' + %d", rapid.Int64Range(0, 1<<62))}, {"jb jsonb", one(`jsonb_build_object('a', %d, 'b', '"\')`, any64)},
	}
	ddl, rows := []string{"id int"}, []string{}
	for _, col := range columns {
		ddl = append(ddl, col.ddl)
	}
	rapid.Check(t, func(rt *rapid.T) { // the rows of all checks go into one table
		row := []string{fmt.Sprint(len(rows))}
		for _, col := range columns {
			v := "NULL"
			if rapid.IntRange(0, 9).Draw(rt, "null") > 0 {
				v = col.value.Draw(rt, "value")
			}
			row = append(row, v)
		}
		rows = append(rows, "("+strings.Join(row, ", ")+")")
	})
	c := bothWays(t, "CREATE TABLE random ("+strings.Join(ddl, ", ")+"); INSERT INTO random VALUES "+strings.Join(rows, ",\n"), "")
	key, _, err := mask.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, l := range []*load{c.binary, c.text} {
		r := c.read(t, "random", true, l)
		values, binary := c.looked(t, r)
		if binary != (l == c.binary) {
			t.Errorf("in binary: %v", binary)
		}
		d := key.Digester("random")
		for i := 0; i < len(values); i += len(r.Columns) {
			var row []byte
			for _, v := range values[i : i+len(r.Columns)] {
				row = mask.AppendPart(row, []byte(v), strings.HasSuffix(v, "=NULL"))
			}
			d.AddRow(row)
		}
		sums = append(sums, d.Sum().String())
		if err := c.write(t, r, unchanged); err != nil {
			t.Fatal(err)
		}
	}
	if sums[0] != sums[1] {
		t.Error("digests of one table differ between the forms")
	}
	if a, b := rowsIn(t, c.binary, "random"), rowsIn(t, c.text, "random"); !slices.Equal(a, b) || len(a) != len(rows) {
		t.Errorf("%d rows arrived in binary, %d as text, of %d", len(a), len(b), len(rows))
	}
}

// What is put in a value's place arrives alike in both forms, written in the
// canonical way or in another that the server reads; or it is refused in both.
func TestBinaryAndTextTakeTheSameFakes(t *testing.T) {
	c := bothWays(t, portableTypes, "")
	for i, fakes := range []map[string]string{
		{"t": "\\N\t\n\\.", "vc": "日本", "c": "abc", "b": "\x00\\\n", "f": "true", "f2": "false", "i2": "-7", "i4": "12", "i8": "9000000000", "o": "77", "n": "-0012.500", "n2": "1.2345", "r": "1e10", "d": "0.1", "dt": "0044-03-15 BC",
			"ts": "2024-02-29 12:34:56.789", "ts3": "2024-02-29 12:34:56.7895", "tz": "2024-02-29 12:34:56+00", "tm": "24:00:00", "tm2": "12:00:00.129", "ttz": "01:02:03-05:30:15", "iv": "1 year 2 days -00:00:01", "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
			"j": "[1,  2]", "jb": `{"b":1,"a":2}`, "m": "sad", "ip": "1.2.3.4", "net": "::/64", "mac": "00:11:22:33:44:55", "mac8": "00:11:22:33:44:55:66:77", "d2": "yes"},
		{"f": "yes", "f2": " 0 ", "i2": "+7", "i4": " 12 ", "n": "1e3", "n2": "Infinity", "r": ".5", "d": "-inf", "dt": "March 5, 2024", "ts": "20240229T123456", "ts3": "epoch", "tz": "2024-02-29 12:34:56+05", "tm": "3:04 PM", "ttz": "1:00 UTC",
			"iv": "P1D", "u": "{a0eebc999c0b4ef8bb6d6bb9bd380a11}", "ip": "10.1/16", "net": "10.1", "mac": "001122-334455", "mac8": "001122334455"},
	} {
		for _, column := range mustTable(t, c.schema, "known").Written() {
			fake, ok := fakes[column]
			if !ok || fake == "Infinity" { // numeric(p,s) holds no infinity
				continue
			}
			var got [2][]string
			for k, l := range []*load{c.binary, c.text} {
				r := c.read(t, "known", false, l)
				r.Look = []int{slices.Index(r.Columns, column)}
				emptied(t, l, "known")
				if err := c.write(t, r, func(string, []byte) []byte { return []byte(fake) }); err != nil {
					t.Errorf("round %d: %s = %q: %v", i, column, fake, err)
				}
				got[k] = rowsIn(t, l, "known")
			}
			if !slices.Equal(got[0], got[1]) {
				t.Errorf("round %d: %s = %q arrived in two ways:\n%q\n%q", i, column, fake, got[0], got[1])
			}
		}
	}
	for column, fake := range map[string]string{"vc": strings.Repeat("é", 31), "c": "abcdef", "f": "maybe", "d2": "no", "i2": "32768", "i4": "x", "n": "1.2.3", "n2": "1e9", "r": "1e39", "dt": "2023-02-29", "ts": "2024-02-29 25:00:00", "u": "g",
		"tz": "x", "tm": "25:00", "j": "{", "jb": "{", "m": "happy", "ip": "::g", "net": "10.0.0.1/8", "mac": "00:11", "t": "\xff", "iv": "often"} {
		var codes [2]string
		for k, l := range []*load{c.binary, c.text} {
			r := c.read(t, "known", false, l)
			r.Look = []int{slices.Index(r.Columns, column)}
			emptied(t, l, "known")
			err := c.write(t, r, func(string, []byte) []byte { return []byte(fake) })
			codes[k] = string(engine.CodeOf(err))
			var e *engine.Error
			if !errors.As(err, &e) || e.Table.Table != "known" || e.Column != column && (l == c.binary || column != "t") { // of a text in another encoding, the server knows the line only
				t.Errorf("%s: %+v", column, e)
			}
			if err == nil || strings.Contains(err.Error(), fake) && len(fake) > 3 {
				t.Errorf("%s = %q: %v", column, fake, err)
			}
			if rows := rowsIn(t, l, "known"); len(rows) > 0 {
				t.Errorf("%s = %q: %d rows stand there", column, fake, len(rows))
			}
		}
		if codes[0] != codes[1] || codes[0] != string(engine.Constraint) {
			t.Errorf("%s = %q is refused in two ways: %v", column, fake, codes)
		}
	}
}

// emptied takes a table's rows away for another attempt.
func emptied(t *testing.T, l *load, name string) {
	t.Helper()
	if err := l.with(t.Context(), func(c *conn) error { return c.exec(t.Context(), "empty", "TRUNCATE public."+name) }); err != nil {
		t.Fatal(err)
	}
}

// Rows of several reads go into one table as one stream, but not in two forms.
func TestBinaryFromSeveralReads(t *testing.T) {
	c := bothWays(t, "CREATE TABLE split (id int, t text); INSERT INTO split SELECT i, 't' || i FROM generate_series(1, 900) i", "")
	r := c.read(t, "split", true, c.binary)
	ids, _ := findAll(t, c.snap, engine.Find{Table: r.Table})
	slices.Sort(ids)
	first, second, none, text := r, r, r, r
	first.Rows, second.Rows, none.Rows, text.Into = ids[:100], ids[100:], []engine.RowID{}, nil
	write := func(reads ...engine.Read) error {
		_, err := c.binary.Write(t.Context(), r.As, r.Columns, func(yield func(*engine.Batch, error) bool) {
			for _, r := range reads {
				for b, err := range c.snap.Read(t.Context(), r) {
					if !yield(b, err) {
						return
					}
				}
			}
		})
		return err
	}
	if err := write(none, first, none, second, r, none); err != nil {
		t.Fatal(err)
	}
	if n := len(rowsIn(t, c.binary, "split")); n != 1800 {
		t.Errorf("%d rows arrived of 1800", n)
	}
	if err := write(none); err != nil {
		t.Error(err)
	}
	if err := write(first, text); err == nil || !strings.Contains(err.Error(), "two forms") {
		t.Errorf("rows in two forms: %v", err)
	}
	if n := len(rowsIn(t, c.binary, "split")); n != 1800 {
		t.Errorf("%d rows stand there after that", n)
	}
}

// Where the target's types are others, rows go as text and the server converts.
func TestOtherTypesGoAsText(t *testing.T) {
	c := bothWays(t, `CREATE TYPE mood AS ENUM ('ok'); CREATE TYPE pair AS (a int);
CREATE TABLE wider (id int, t varchar(5)); INSERT INTO wider VALUES (1, 'a'), (2, NULL);
CREATE TABLE enumerated (id int, m mood); INSERT INTO enumerated VALUES (1, 'ok');
CREATE TABLE domains (id int, t text); INSERT INTO domains VALUES (1, 'a');
CREATE TABLE shorter (id int, t varchar(50)); INSERT INTO shorter VALUES (1, 'four    ');
CREATE TABLE masked_name (id int, n name, a int[]); INSERT INTO masked_name VALUES (1, 'x', '{1}');`, `CREATE TYPE pair AS (b text); CREATE TYPE mood AS ENUM ('other', 'ok'); CREATE DOMAIN word AS text;
CREATE TABLE wider (id bigint, t text); CREATE TABLE enumerated (m mood, id int); CREATE TABLE domains (t word, id int); CREATE TABLE shorter (t varchar(4), id int); CREATE TABLE masked_name (id int, n name, a int[]);`)
	for name, want := range map[string]bool{"wider": false, "enumerated": true, "domains": true, "shorter": true, "masked_name": true} {
		r := c.read(t, name, false, c.binary)
		if err := c.write(t, r, unchanged); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.Look = []int{0}
		if _, got := c.looked(t, r); got != want {
			t.Errorf("%s: in binary %v", name, got)
		}
		if err := c.write(t, c.read(t, name, false, c.text), unchanged); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if a, b := rowsIn(t, c.binary, name), rowsIn(t, c.text, name); !slices.Equal(a, b) || len(a) == 0 {
			t.Errorf("%s: %q and %q", name, a, b)
		}
	}
	r := c.read(t, "masked_name", true, c.binary)
	if _, got := c.looked(t, r); got {
		t.Error("a value without a codec was looked into in binary")
	}
}

// An interval crosses the version that made it infinite as text.
func TestWiresByVersion(t *testing.T) {
	for _, c := range []struct {
		wire     uint32
		from, to int
		want     bool
	}{{1186, 150000, 160000, true}, {1186, 170000, 180000, true}, {1186, 160000, 170000, false}, {1187, 180000, 160000, false}, {23, 120000, 180000, true}, {0, 150000, 150000, false}} {
		if got := sameWire(columnFacts{wire: c.wire}, columnFacts{wire: c.wire}, c.from, c.to); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
