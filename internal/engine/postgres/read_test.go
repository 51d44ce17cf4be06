package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

const awkward = `
CREATE TYPE mood AS ENUM ('sad', 'it''s, {ok}', 'NULL', '');
CREATE TYPE pair AS (a int, b text);
CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE DOMAIN flag AS boolean; CREATE DOMAIN raw AS bytea;
CREATE TABLE odd (
	id int PRIMARY KEY, t text, b bytea, f boolean, f2 flag, r raw, n numeric, d double precision, r4 real, dt date, ts timestamp, tz timestamptz, iv interval,
	tm time, ttz timetz, u uuid, j json, jb jsonb, arr text[], ints int[], m mood, p pair, c char(5), ci citext, h hstore, ip inet, net cidr, mac macaddr,
	bits bit(3), vb varbit, rng int4range, pt point, ch "char", mon money, x xml, v tsvector, oid oid, nm name);
INSERT INTO odd (id) VALUES (0);
INSERT INTO odd VALUES
 (1, E'tab\t nl\n cr\r bs\\ b\b f\f v\x0b é \\N \\. "q" ''s''', '\x00ff0a095c7830', true, false, '\x5c5c', 'NaN', 'Infinity', 1.1, 'infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999+00', '1 year -2 mons 3 days 04:05:06.789',
  '24:00:00', '12:00:00+05:30', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a" : 1, "a":2}', '{"b": "x\\n"}', ARRAY['a', NULL, 'NULL', '', E'{"\\,}'], '[2:3]={1,2}', 'it''s, {ok}', '(1,"x,""y""")', 'ab', 'MiXed', 'a=>NULL, b=>"c"', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03',
  '101', '1', '[1,5)', '(1.5,-2)', 'x', '12.34', '<a>b</a>', 'a:1 b:2', 4294967295, 'nm'),
 (2, '', '', false, true, '', 0, '-0', 'NaN', '0001-01-01', 'epoch', '-infinity', '0', '00:00', '00:00+00', '00000000-0000-0000-0000-000000000000', 'null', '[]', '{}', '{}', '', '(,)', '', '', '', '0.0.0.0', '::/0', '00:00:00:00:00:00', '000', '', 'empty', '(0,0)', '', '0', '', '', 0, '');
`

// The relay's form is the server's own: COPY and rows by place agree byte for
// byte, and values looked into come out and go in unchanged.
func TestReadFormsAgree(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, awkward)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	odd := mustTable(t, s, "odd")
	columns := odd.Written()
	look := make([]int, len(columns))
	for i := range look {
		look[i] = i
	}
	all := collect(t, snap, engine.Read{Table: odd, Columns: columns, Look: look})
	ids, _ := findAll(t, snap, engine.Find{Table: odd})
	slices.Sort(ids)
	byPlace := collect(t, snap, engine.Read{Table: odd, Columns: columns, Look: look, Rows: ids})
	if all != byPlace {
		t.Errorf("COPY and rows by place differ:\n%q\n%q", all, byPlace)
	}
	if n := strings.Count(all, "\n"); n != 3 {
		t.Errorf("%d rows", n)
	}
	reload(t, url, odd, all)
	for b, err := range snap.Read(t.Context(), engine.Read{Table: odd, Columns: columns, Look: look}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Cells) != b.Rows*len(look) {
			t.Fatalf("%d cells for %d rows", len(b.Cells), b.Rows)
		}
		for i, c := range b.Cells {
			column := i % len(look)
			raw := b.Raw[c.Start:c.End]
			if c.Null {
				if got := b.Form.AppendNull(nil, column); string(got) != string(raw) {
					t.Errorf("%s: NULL is %q, written %q", columns[column], raw, got)
				}
				continue
			}
			value := b.Form.Value(nil, slices.Clone(raw), column)
			if got := b.Form.Append(nil, value, column); string(got) != string(raw) && !strings.HasPrefix(columns[column], "f") && columns[column] != "c" {
				t.Errorf("%s: %q became %q", columns[column], raw, got)
			}
		}
		b.Release()
	}
}

// reload puts rows back through COPY FROM and compares what the server then sees.
func reload(t *testing.T, url string, table *schema.Table, rows string) {
	t.Helper()
	scratchtest.SQL(t, url, "CREATE TABLE again (LIKE odd)")
	at, err := parseAddress(secretOf(url))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), at, session{name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	if _, err := c.CopyFrom(t.Context(), strings.NewReader(rows), "COPY public.again ("+quoteList(table.Written())+") FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	differ := scratchtest.Query(t, url, "SELECT count(*) FROM (SELECT a::text FROM again a EXCEPT SELECT o::text FROM odd o) x")
	if strings.TrimSpace(differ) != "0" {
		t.Errorf("%s rows differ after reloading", differ)
	}
}

func TestReadCanonicalText(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, awkward)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	odd := mustTable(t, s, "odd")
	columns := []string{"b", "f", "f2", "r", "u", "dt", "tz", "n"}
	_, values := findAll(t, snap, engine.Find{Table: odd, Columns: columns, By: []string{"id"}, Keys: tuples(1, "1")})
	want := "\x00\xff\n\t\\x0|true|false|\\\\|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|infinity|294276-12-31 23:59:59.999999+00|NaN"
	if len(values) != 1 || values[0] != want {
		t.Errorf("got %q, want %q", values, want)
	}
}

func TestReadPartitionsAndInheritance(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, hardSchema+`
INSERT INTO events SELECT 1 + i % 3, date '2020-01-01' + i, 1 + i % 100 FROM generate_series(0, 700) i WHERE i < 366 OR i > 366;
INSERT INTO base SELECT i, 'b' FROM generate_series(1, 5) i; INSERT INTO child SELECT i, 'c', 'x' FROM generate_series(10, 12) i;
DELETE FROM events WHERE at BETWEEN '2020-02-01' AND '2020-03-01'; `)
	limited := scratchtest.Role(t, url, "GRANT SELECT ON events, base, child TO %s")
	for _, who := range []string{url, limited} {
		src := sourceAt(t, who, engine.Limits{})
		s, err := src.Inspect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Tables = slices.DeleteFunc(s.Tables, func(t schema.Table) bool { return !slices.Contains([]string{"events", "base", "child"}, t.Name.Table) })
		taken := partial(t, src)
		events := mustTable(t, s, "events")
		all := collect(t, taken, engine.Read{Table: events, Columns: []string{"person", "at", "id"}})
		ids, _ := findAll(t, taken, engine.Find{Table: events})
		slices.Sort(ids)
		some := collect(t, taken, engine.Read{Table: events, Columns: []string{"person", "at", "id"}, Rows: ids})
		if sorted(all) != sorted(some) || len(ids) < 600 {
			t.Errorf("%d rows by place differ from COPY's", len(ids))
		}
		if got := collect(t, taken, engine.Read{Table: mustTable(t, s, "base"), Columns: []string{"id"}}); got != "1\n2\n3\n4\n5\n" {
			t.Errorf("the parent's own rows: %q", got)
		}
		if ids, _ := findAll(t, taken, engine.Find{Table: mustTable(t, s, "base")}); len(ids) != 5 {
			t.Errorf("the parent's own rows found: %d", len(ids))
		}
	}
}

// partial takes a snapshot of three tables only, as a role that may read no more.
func partial(t *testing.T, src *source) *snapshot {
	t.Helper()
	c, err := connect(t.Context(), src.at, session{name: "test", readOnly: true, limits: src.limits})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec(t.Context(), "begin", beginReading); err != nil {
		t.Fatal(err)
	}
	id, err := c.value(t.Context(), "export", "SELECT pg_export_snapshot()")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inspect(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	snap := newSnapshot(t.Context(), src, c, id, time.Now(), inv)
	t.Cleanup(func() { _ = snap.Close() })
	return snap
}

func sorted(rows string) string {
	lines := strings.Split(rows, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A consumer that leaves early ends the statement and leaves the connection usable.
func TestReadStopsEarly(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE big AS SELECT i AS id, repeat('x', 100) AS t FROM generate_series(1, 300000) i")
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{Readers: 1}))
	big := mustTable(t, s, "big")
	ids, _ := findAll(t, snap, engine.Find{Table: big})
	for range 3 {
		for _, rows := range [][]engine.RowID{nil, ids} {
			for b, err := range snap.Read(t.Context(), engine.Read{Table: big, Columns: []string{"id", "t"}, Rows: rows}) {
				if err != nil {
					t.Fatal(err)
				}
				b.Release()
				break
			}
		}
		for _, err := range snap.Find(t.Context(), engine.Find{Table: big, Columns: []string{"t"}, Where: "id > 5"}) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if got := strings.Count(collect(t, snap, engine.Read{Table: big, Columns: []string{"id"}}), "\n"); got != 300000 {
		t.Errorf("%d rows after stops", got)
	}
	if pids := scratchtest.Query(t, url, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'understudy%reader' AND datname = current_database()"); strings.TrimSpace(pids) != "1" {
		t.Errorf("%s reader connections", strings.TrimSpace(pids))
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE big AS SELECT i AS id, repeat('x', 100) AS t FROM generate_series(1, 300000) i")
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	ctx, cancel := context.WithCancel(t.Context())
	var last error
	for b, err := range snap.Read(ctx, engine.Read{Table: mustTable(t, s, "big"), Columns: []string{"id", "t"}}) {
		if last = err; err == nil {
			b.Release()
			cancel()
		}
	}
	cancel()
	if !errors.Is(last, context.Canceled) {
		t.Errorf("got %v", last)
	}
}

// Reading costs the client little beside the servers' work; see the reference
// figures for what a relay of 865 MB may cost.
func BenchmarkRead(b *testing.B) {
	url := scratchtest.Database(b)
	scratchtest.SQL(b, url, `CREATE TABLE wide AS SELECT i AS id, md5(i::text) AS a, i * 2 AS c1, i * 3 AS c2, 'name ' || i AS name, 'mail' || i || '@example.com' AS email,
 now() + i * interval '1 second' AS at, i % 7 AS k, i::numeric / 7 AS price, repeat('lorem ipsum ', 15) AS notes FROM generate_series(1, 300000) i; VACUUM ANALYZE wide`)
	s, snap := openSnapshot(b, sourceAt(b, url, engine.Limits{}))
	wide := mustTable(b, s, "wide")
	ids, _ := findAll(b, snap, engine.Find{Table: wide})
	for _, c := range []struct {
		name string
		look []int
		rows []engine.RowID
	}{{"relay", nil, nil}, {"look3", []int{1, 4, 5}, nil}, {"lookall", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, nil}, {"rows", []int{1, 4, 5}, ids}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n, size := 0, 0
				for batch, err := range snap.Read(b.Context(), engine.Read{Table: wide, Columns: wide.Written(), Look: c.look, Rows: c.rows}) {
					if err != nil {
						b.Fatal(err)
					}
					n += batch.Rows
					size += len(batch.Raw)
					batch.Release()
				}
				if n != 300000 {
					b.Fatal(fmt.Sprint(n))
				}
				b.SetBytes(int64(size))
			}
		})
	}
}
