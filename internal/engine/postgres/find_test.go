package postgres

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

func TestFindByKeys(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, awkward+`
CREATE TABLE multi (a int, b text, c numeric(10,2), d mood, PRIMARY KEY (a, b)); INSERT INTO multi VALUES (1, 'x', 5, 'NULL'), (1, 'y"\,{}', 5.5, ''), (2, 'x', 7, 'sad'), (3, 'NULL', 1, 'sad');`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	odd, multi := mustTable(t, s, "odd"), mustTable(t, s, "multi")
	for _, c := range []struct {
		table *schema.Table
		by    []string
		keys  *engine.Tuples
		want  string
	}{
		{odd, []string{"id"}, tuples(1, "1", "2", "1", "99999999999999999999", "1.00", "2.5"), "1 2"},
		{odd, []string{"b"}, tuples(1, "\x00\xff\n\t\\x0"), "1"},
		{odd, []string{"b"}, tuples(1, ""), "2"},
		{odd, []string{"f"}, tuples(1, "true", "false"), "1 2"},
		{odd, []string{"ci"}, tuples(1, "mixed"), "1"},
		{odd, []string{"c"}, tuples(1, "ab"), "1"},
		{odd, []string{"c"}, tuples(1, "ab   x"), ""},
		{odd, []string{"m"}, tuples(1, "it's, {ok}"), "1"},
		{odd, []string{"u"}, tuples(1, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "1"},
		{odd, []string{"t"}, tuples(1, "tab\t nl\n cr\r bs\\ b\b f\f v\x0b é \\N \\. \"q\" 's'"), "1"},
		{odd, []string{"ci", "id"}, tuples(2, "mixed", "1", "x", "1"), "1"},
		{odd, []string{"id"}, tuples(1), ""},
		{odd, []string{"id", "f"}, tuples(2, "1", "true", "2", "true", "1", "true"), "1"},
		{odd, []string{"n", "arr"}, tuples(2, "0.00", "{}"), "2"},
		{multi, []string{"a", "b"}, tuples(2, "1", `y"\,{}`, "3", "NULL", "2", "y"), "1 3"},
		{multi, []string{"c", "d"}, tuples(2, "5", "NULL", "5.50", ""), "1 1"},
	} {
		_, got := findAll(t, snap, engine.Find{Table: c.table, Columns: c.table.Identity().Columns[:1], By: c.by, Keys: c.keys})
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s by %v: got %v, want %s", c.table.Name, c.by, got, c.want)
		}
	}
}

// Integer keys go in the width of their column, for only then does the server hash them:
// without an index it would compare every row with every key. What the column cannot
// hold is no key of it.
func TestFindByKeysOfAnotherWidth(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `CREATE DOMAIN small AS int2; CREATE TABLE w (id int PRIMARY KEY, two int2, four int4, eight int8, d small);
		INSERT INTO w SELECT i, i, i, i, i FROM generate_series(1, 20) i; INSERT INTO w VALUES (21, -32768, -2147483648, -9223372036854775808, -32768)`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	table := mustTable(t, s, "w")
	for column, array := range map[string]string{"two": "pg_catalog.int2[]", "four": "pg_catalog.int4[]", "eight": "pg_catalog.int8[]", "d": "pg_catalog.int2[]"} {
		facts, err := snap.(*snapshot).facts(table, []string{column})
		if err != nil {
			t.Fatal(err)
		}
		if k := keyColumnOf(facts.columns[column]); k.array != array {
			t.Errorf("keys of %s go as %s", column, k.array)
		}
		_, got := findAll(t, snap, engine.Find{Table: table, Columns: []string{"id"}, By: []string{column},
			Keys: tuples(1, "7", "32768", "-32768", "2147483648", "-2147483648", "9223372036854775807", "-9223372036854775808", "65543", "4294967303")})
		slices.Sort(got)
		if strings.Join(got, " ") != "21 7" {
			t.Errorf("by %s: %v, want 7 and 21", column, got)
		}
	}
}

// What several lookups find at once is what they find one after the other, also
// where the keys of one fill more statements than those of another.
func TestFindAny(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TABLE visit (id int PRIMARY KEY, account_id int, user_id bigint, code uuid);
INSERT INTO visit SELECT i, i % 500, nullif(i % 70, 9), ('00000000-0000-4000-8000-' || lpad((i % 300)::text, 12, '0'))::uuid FROM generate_series(1, 3000) i;
CREATE INDEX ON visit (account_id); CREATE INDEX ON visit (user_id);
CREATE TABLE log (id int, account_id int, user_id bigint) PARTITION BY LIST (id); CREATE TABLE log1 PARTITION OF log FOR VALUES IN (1, 2, 3); CREATE TABLE log2 PARTITION OF log DEFAULT;
INSERT INTO log SELECT id % 9, account_id, user_id FROM visit`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	many := tuples(1)
	for i := range 2*keysAtOnce + 10 {
		many.AddString(strconv.Itoa(i + 498))
	}
	for _, table := range []string{"visit", "log"} {
		find := func(by string, keys *engine.Tuples) engine.Find {
			return engine.Find{Table: mustTable(t, s, table), Columns: []string{"id", "account_id"}, By: []string{by}, Keys: keys}
		}
		for _, finds := range [][]engine.Find{
			{find("account_id", tuples(1, "1", "2", "499")), find("user_id", tuples(1, "1", "8", "x"))},
			{find("user_id", tuples(1, "none")), find("account_id", tuples(1, "7"))},
			{find("user_id", tuples(1, "3")), find("account_id", many), find("id", tuples(1, "5"))},
		} {
			want := map[engine.RowID]bool{}
			for _, f := range finds {
				ids, _ := findAll(t, snap, f)
				for _, id := range ids {
					want[id] = true
				}
			}
			got := map[engine.RowID]bool{}
			for found, err := range snap.(engine.Combiner).FindAny(t.Context(), finds) {
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range found.IDs {
					got[id] = true
				}
			}
			if len(want) == 0 || !maps.Equal(got, want) {
				t.Errorf("%s by %v and %v: %d rows at once, %d one after the other", table, finds[0].By, finds[1].By, len(got), len(want))
			}
		}
	}
}

// Keys of any content find exactly their rows: the array's text form against the server.
func TestFindRandomKeys(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	alphabet := []string{"\\", "\"", "{", "}", ",", "'", " ", "\t", "\n", "NULL", "é", "\u2028", "a", "(", ")", "\x7f", "\\N", "\r"}
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE k (id int GENERATED ALWAYS AS IDENTITY, t text NOT NULL, u text NOT NULL)")
	var rows strings.Builder
	keys := &engine.Tuples{Width: 2}
	for range 400 {
		for i := range 2 {
			var key string
			for range random.IntN(6) {
				key += alphabet[random.IntN(len(alphabet))]
			}
			keys.AddString(key)
			if i == 1 {
				rows.WriteByte('\t')
			}
			rows.Write(appendEscaped(nil, []byte(key)))
		}
		rows.WriteByte('\n')
	}
	at, _ := parseAddress(secretOf(url))
	c, err := connect(t.Context(), at, session{name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	if _, err := c.CopyFrom(t.Context(), strings.NewReader(rows.String()), "COPY public.k (t, u) FROM STDIN"); err != nil {
		t.Fatal(err)
	}
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	ids, values := findAll(t, snap, engine.Find{Table: mustTable(t, s, "k"), Columns: []string{"t", "u"}, By: []string{"t", "u"}, Keys: keys})
	if len(ids) != 400 {
		t.Errorf("%d rows found", len(ids))
	}
	want := map[string]bool{}
	for i := range keys.Len() {
		a, _ := keys.At(i, 0)
		b, _ := keys.At(i, 1)
		want[string(a)+"|"+string(b)] = true
	}
	for _, v := range values {
		if !want[v] {
			t.Errorf("found a row that no key asks for: %q", v)
		}
	}
}

func TestFindWhereAndOrder(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `CREATE TABLE w (id int PRIMARY KEY, grp int, at timestamptz); INSERT INTO w SELECT i, i % 3, now() - i * interval '1 hour' FROM generate_series(1, 10) i;
CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	w := mustTable(t, s, "w")
	for _, c := range []struct {
		find engine.Find
		want string
	}{
		{engine.Find{Where: "grp = 1 OR grp = 2", Order: "grp desc, at"}, "8 5 2 10 7 4 1"},
		{engine.Find{Where: "at > now() - interval '3.5 hours'", Order: "at"}, "3 2 1"},
		{engine.Find{Order: "grp"}, "3 6 9 1 4 7 10 2 5 8"},
		{engine.Find{Where: "id = 1 OR id = 2", By: []string{"grp"}, Keys: tuples(1, "2"), Order: "id"}, "2"},
		{engine.Find{Where: "twice(id) = 8"}, "4"},
	} {
		c.find.Table, c.find.Columns = w, []string{"id"}
		if _, got := findAll(t, snap, c.find); strings.Join(got, " ") != c.want {
			t.Errorf("%+v: got %v, want %s", c.find, got, c.want)
		}
	}
	// A condition that fails on a row leaves the snapshot in order.
	failed := false
	for _, err := range snap.Find(t.Context(), engine.Find{Table: w, Where: "1 / (id - 5) > 0"}) {
		failed = failed || err != nil
	}
	if !failed {
		t.Error("a division by zero went unseen")
	}
	if got := collect(t, snap, engine.Read{Table: w, Columns: []string{"grp"}, Limit: 2}); strings.Count(got, "\n") != 2 {
		t.Errorf("read %q", got)
	}
}

// tuples makes keys of a width from values.
func tuples(width int, values ...string) *engine.Tuples {
	k := &engine.Tuples{Width: width}
	for _, v := range values {
		k.AddString(v)
	}
	return k
}
