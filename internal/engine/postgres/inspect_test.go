package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

const hardSchema = `
CREATE SCHEMA "Odd"; CREATE SCHEMA understudy; CREATE TABLE understudy.generation (x int);
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE DOMAIN short AS varchar(10) NOT NULL CONSTRAINT no_value CHECK (VALUE <> 'VALUE' AND length(VALUE) > 1);
CREATE DOMAIN shorter AS short CHECK (VALUE <> '');
CREATE COLLATION fold (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE SEQUENCE free;
CREATE TABLE people (
	id bigserial PRIMARY KEY, uid uuid DEFAULT gen_random_uuid() UNIQUE, code shorter, mood mood, moods mood[],
	price numeric(10,2), ratio numeric, small smallint, email varchar(40) NOT NULL, nick text COLLATE fold,
	fixed char(5), names varchar(7)[], blob bytea, doubled bigint GENERATED ALWAYS AS (small * 2) STORED,
	CONSTRAINT small_ok CHECK (small > 0 AND price > 0),
	CONSTRAINT people_contact UNIQUE (email, code));
ALTER TABLE people ADD CONSTRAINT later CHECK (ratio > 1) NOT VALID;
CREATE UNIQUE INDEX people_nick ON people (lower(nick)) WHERE small > 5;
CREATE TABLE dropped (a int, b int, c int PRIMARY KEY); ALTER TABLE dropped DROP COLUMN a;
CREATE TABLE events (id bigint, at date NOT NULL, person bigint REFERENCES people (id), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (id);
CREATE TABLE events_1a PARTITION OF events_1 FOR VALUES IN (1, 2, 3);
CREATE TABLE odd_order (person bigint, at date NOT NULL, id bigint NOT NULL, extra int);
ALTER TABLE odd_order DROP COLUMN extra;
ALTER TABLE events ATTACH PARTITION odd_order FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER TABLE odd_order ADD CONSTRAINT part_key FOREIGN KEY (id) REFERENCES people (id);
CREATE TABLE notes (event bigint, at date, FOREIGN KEY (event, at) REFERENCES events (id, at) MATCH FULL);
CREATE INDEX ON notes (at, event);
CREATE TABLE base (id int PRIMARY KEY, v text); CREATE TABLE child (extra text) INHERITS (base);
CREATE TABLE "Odd"."My Table" ("a ""b"" c" int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, "SELECT" int REFERENCES "Odd"."My Table" ("a ""b"" c"), person varchar(40), code varchar(10));
ALTER TABLE "Odd"."My Table" ADD FOREIGN KEY (person, code) REFERENCES people (email, code) NOT VALID;
CREATE INDEX ON "Odd"."My Table" ("SELECT") WHERE "SELECT" IS NOT NULL;
CREATE VIEW v AS SELECT 1; CREATE MATERIALIZED VIEW mv AS SELECT 1; CREATE TEMP TABLE tmp (x int);
CREATE UNLOGGED TABLE fast (x int);
INSERT INTO people (code, email, small, price) SELECT 'c' || i, 'e' || i, 1, 1 FROM generate_series(1, 100) i; ANALYZE people;
`

func TestInspectHardSchema(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, hardSchema)
	s, err := sourceAt(t, url, engine.Limits{}).Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range s.Tables {
		names = append(names, table.Name.String())
	}
	want := `"Odd"."My Table" public.base public.child public.dropped public.events public.fast public.notes public.people`
	if got := strings.Join(names, " "); got != want {
		t.Errorf("tables\n got %s\nwant %s", got, want)
	}
	for _, c := range []struct{ column, want string }{
		{"people.id", "bigint integer notnull surrogate min=-9223372036854775808 max=9223372036854775807"},
		{"people.uid", "uuid uuid surrogate"},
		{"people.code", "public.shorter text notnull len=10"},
		{"people.mood", "public.mood enum labels=sad,it's ok,happy"},
		{"people.moods", "public.mood[] array labels=sad,it's ok,happy"},
		{"people.price", "numeric(10,2) decimal scale=2"},
		{"people.ratio", "numeric decimal"},
		{"people.small", "smallint integer min=-32768 max=32767"},
		{"people.nick", "text text fold"},
		{"people.fixed", "character(5) text len=5"},
		{"people.names", "character varying(7)[] array len=7"},
		{"people.blob", "bytea bytes"},
		{"people.doubled", "bigint integer generated min=-9223372036854775808 max=9223372036854775807"},
		{`"Odd"."My Table"."a ""b"" c"`, "integer integer notnull surrogate min=-2147483648 max=2147483647"},
		{"events.id", "bigint integer notnull min=-9223372036854775808 max=9223372036854775807"},
	} {
		_, column, err := s.ResolveColumn(c.column)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := describe(column); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.column, got, c.want)
		}
	}
	people := mustTable(t, s, "people")
	if got := fmt.Sprintf("%+v", people.Keys); got != "[{Name:people_pkey Columns:[id] Primary:true NotNull:true Partial:false Expression:false NullsEqual:false Overlap:[]} "+
		"{Name:people_contact Columns:[email code] Primary:false NotNull:true Partial:false Expression:false NullsEqual:false Overlap:[]} "+
		"{Name:people_nick Columns:[nick] Primary:false NotNull:false Partial:true Expression:true NullsEqual:false Overlap:[]} "+
		"{Name:people_uid_key Columns:[uid] Primary:false NotNull:false Partial:false Expression:false NullsEqual:false Overlap:[]}]" {
		t.Errorf("keys of people: %s", got)
	}
	checks := fmt.Sprintf("%+v", people.Checks)
	for _, want := range []string{
		`{Name:later Columns:[ratio] Expr:(ratio > (1)::numeric) Valid:false}`,
		`{Name:no_value Columns:[code] Expr:((("code")::text <> 'VALUE'::text) AND (length(("code")::text) > 1)) Valid:true}`,
		`{Name:small_ok Columns:[price small]`,
	} {
		if !strings.Contains(checks, want) {
			t.Errorf("checks of people: %s\nlack %s", checks, want)
		}
	}
	if people.Rows != 100 {
		t.Errorf("people: %d rows estimated", people.Rows)
	}
	events := mustTable(t, s, "events")
	if got := fmt.Sprint(events.Partitions); got != "[public.events_1a public.odd_order]" {
		t.Errorf("partitions of events: %s", got)
	}
	if got := fmt.Sprint(mustTable(t, s, "child").Inherits); got != "[public.base]" {
		t.Errorf("child inherits %s", got)
	}
	var refs []string
	for _, r := range s.References {
		refs = append(refs, fmt.Sprintf("%s valid=%t part=%t full=%t indexed=%t", r, r.Valid, r.Part, r.Full, r.Indexed))
	}
	wantRefs := []string{
		`"Odd"."My Table"("SELECT") -> "Odd"."My Table"("a ""b"" c") valid=true part=false full=false indexed=true`,
		`"Odd"."My Table"(person, code) -> public.people(email, code) valid=false part=false full=false indexed=false`,
		`public.events(person) -> public.people(id) valid=true part=false full=false indexed=false`,
		`public.events(id) -> public.people(id) valid=true part=true full=false indexed=true`,
		`public.notes(event, at) -> public.events(id, at) valid=true part=false full=true indexed=true`,
	}
	if got, want := strings.Join(refs, "\n"), strings.Join(wantRefs, "\n"); got != want {
		t.Errorf("references\n got %s\nwant %s", got, want)
	}
}

// describe gives what is known of a column, shortly.
func describe(c *schema.Column) string {
	out := c.Type + " " + string(c.Kind)
	for _, f := range []struct {
		is   bool
		word string
	}{{c.NotNull, "notnull"}, {c.Generated, "generated"}, {c.Surrogate, "surrogate"}, {c.FoldCase, "fold"}} {
		if f.is {
			out += " " + f.word
		}
	}
	if c.Length > 0 {
		out += fmt.Sprintf(" len=%d", c.Length)
	}
	if c.Min != 0 || c.Max != 0 {
		out += fmt.Sprintf(" min=%d max=%d", c.Min, c.Max)
	}
	if c.Scale >= 0 {
		out += fmt.Sprintf(" scale=%d", c.Scale)
	}
	if len(c.Labels) > 0 {
		out += " labels=" + strings.Join(c.Labels, ",")
	}
	return out
}

func TestInspectSeesTheSameWithSelectOnly(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, hardSchema)
	owner, err := sourceAt(t, url, engine.Limits{}).Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := sourceAt(t, scratchtest.Role(t, url), engine.Limits{}).Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(owner)
	b, _ := json.Marshal(reader)
	if string(a) != string(b) {
		t.Errorf("a SELECT-only role sees another structure:\n%s\n%s", a, b)
	}
}

// The samples' tables and foreign keys, against the server's own count: a
// partition's constraint counts once for its root and column list.
func TestInspectSamples(t *testing.T) {
	for _, files := range [][]string{{"pagila/pagila.sql.gz"}, {"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"}, {"chinook/chinook-pg.sql.gz"}} {
		t.Run(strings.SplitN(files[0], "/", 2)[0], func(t *testing.T) {
			url := sampleDatabase(t, files...)
			src := sourceAt(t, url, engine.Limits{})
			s, snap := openSnapshot(t, src)
			want := scratchtest.Query(t, url, `SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY n.nspname, c.relname`)
			var got strings.Builder
			for _, table := range s.Tables {
				got.WriteString(table.Name.String() + "\n")
			}
			if strings.TrimSpace(got.String()) != strings.TrimSpace(want) {
				t.Errorf("tables\n got %s\nwant %s", got.String(), want)
			}
			keys := strings.TrimSpace(scratchtest.Query(t, url, `SELECT count(DISTINCT (coalesce(pg_partition_root(conrelid), conrelid), confrelid,
	(SELECT array_agg(attname ORDER BY o) FROM unnest(conkey) WITH ORDINALITY u (n, o) JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = n)))
FROM pg_constraint WHERE contype = 'f' AND conparentid = 0`))
			if fmt.Sprint(len(s.References)) != keys {
				t.Errorf("%d references, the server has %s", len(s.References), keys)
			}
			for i := range s.Tables {
				table := &s.Tables[i]
				rows := collect(t, snap, engine.Read{Table: table, Columns: table.Written()})
				only := "ONLY "
				if len(table.Partitions) > 0 {
					only = ""
				}
				if n := strings.TrimSpace(scratchtest.Query(t, url, "SELECT count(*) FROM "+only+quoteName(table.Name))); fmt.Sprint(strings.Count(rows, "\n")) != n {
					t.Errorf("%s: %d rows read of %s", table.Name, strings.Count(rows, "\n"), n)
				}
			}
		})
	}
}

// The inspection costs a fixed number of queries; its time grows with the rows
// of the catalog alone.
func BenchmarkInspectThousandTables(b *testing.B) {
	url := scratchtest.Database(b)
	for i := range 10 {
		var sql strings.Builder
		for j := range 100 {
			fmt.Fprintf(&sql, "CREATE TABLE t%d_%d (id serial PRIMARY KEY, a text, b int UNIQUE, c date, d numeric, e text, f text CHECK (f <> ''), parent int REFERENCES t%d_%d (id));\n", i, j, i, max(0, j-1))
		}
		scratchtest.SQL(b, url, sql.String())
	}
	s := sourceAt(b, url, engine.Limits{})
	for b.Loop() {
		if _, err := s.Inspect(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSchemaOfOurNameIsNotPassedOver: tables in a schema that happens to be called
// as understudy's own would be decided by nobody.
func TestSchemaOfOurNameIsNotPassedOver(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `CREATE SCHEMA understudy; CREATE TABLE understudy.people (name text)`)
	_, err := sourceAt(t, url, engine.Limits{}).Inspect(t.Context(), nil)
	if e := (*engine.Error)(nil); !errors.As(err, &e) || e.Code != engine.Unsupported || !strings.Contains(e.Hint, "rename the schema") {
		t.Errorf("%v", err)
	}
}

// A column that the server rounds to hundreds is one that no mask makes numbers for:
// they would be others than were proved.
func TestNumbersThatTheServerRounds(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE rounded (id int PRIMARY KEY, whole numeric(5,0), cents numeric(8,2), hundreds numeric(3,-2), list numeric(5,-2)[])")
	s, _ := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	table := mustTable(t, s, "rounded")
	for name, want := range map[string]schema.Kind{"whole": schema.Decimal, "cents": schema.Decimal, "hundreds": schema.Other} {
		if got := table.Column(name).Kind; got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
	if c := table.Column("list"); c.Kind == schema.Array && c.Element == schema.Decimal {
		t.Errorf("the elements of %s are masked as decimals", c.Name)
	}
}

// TestSpellings: types that one family of operators compares with others are told apart,
// behind a domain too; those whose equal values have one text are not.
func TestSpellings(t *testing.T) {
	production, _ := pair(t)
	scratchtest.SQL(t, production, `CREATE DOMAIN share AS double precision; CREATE TABLE spelled (a double precision, b share, c real, d date, e timestamp(3), f timestamptz, g bigint, h numeric(9,2), i text, j interval)`)
	s, err := openSource(t, production).Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Table(schema.Name{Schema: "public", Table: "spelled"}).Columns {
		got = append(got, c.Spelling)
	}
	want := []string{"double precision", "double precision", "real", "date", "timestamp without time zone", "timestamp with time zone", "", "", "", ""}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
