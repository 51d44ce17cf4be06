package main

import (
	"fmt"
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

const cards = `CREATE TABLE cards (id int PRIMARY KEY, note text, badge text, fee numeric(8,2), at timestamptz, since date, tags text[],
	code uuid, noon time, seen timestamp, gone timestamptz, raw bytea, doc jsonb, plain json, ok boolean, name char(20));`

const cardRows = `INSERT INTO cards SELECT i, 'real note ' || i, CASE WHEN i > 2 THEN 'badge ' || i END, i, now(), '2020-01-01', ARRAY['a', 'b'],
	gen_random_uuid(), '10:11', now(), now(), 'bytes', '{"a": 1}', '{"a": 1}', true, 'name ' || i FROM generate_series(1, 40) i;`

const cardRules = `version: 1
tables:
  cards: {columns: {id: {keep: "a number"}, note: redact, badge: fpe, fee: redact, at: {keep: "a time"}, since: redact, tags: {keep: "no personal data"},
    code: redact, noon: {keep: "no personal data"}, seen: {keep: "no personal data"}, gone: {keep: "a time"}, raw: {keep: "no personal data"}, doc: {keep: "no personal data"}, plain: {keep: "no personal data"}, ok: redact, name: {mask: constant, value: "Erika "}}}
`

// Whoever puts real values in place of a constant is found out, as is a table or
// a column that is no longer there; the other proofs are told beside it.
func TestVerifyFindsOverwrittenConstantsAndLostColumns(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, cards+cardRows+"CREATE TABLE others (id int PRIMARY KEY, name text); INSERT INTO others VALUES (1, 'x')")
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"r.yaml": cardRules + "  others: {columns: {id: {keep: \"a number\"}, name: redact}}\n"})
	e.run(t, 0, "refresh")
	e.run(t, 0, "verify").wants(t, "all passed")
	for _, change := range []string{"note = 'Real secret'", "fee = 17.5", "since = '1999-09-09'", "code = gen_random_uuid()", "ok = true", "name = 'Real name'"} {
		scratchtest.SQL(t, staging, "CREATE TABLE saved AS SELECT * FROM cards; UPDATE cards SET "+change)
		e.run(t, 5, "verify").wants(t, "masked values changed since the refresh")
		scratchtest.SQL(t, staging, "TRUNCATE cards; INSERT INTO cards SELECT * FROM saved; DROP TABLE saved")
	}
	e.run(t, 0, "verify")
	scratchtest.SQL(t, staging, "ALTER TABLE cards RENAME badge TO token")
	e.run(t, 5, "verify").wants(t, "badge is gone or has another name", "rows 2")
	scratchtest.SQL(t, staging, "DROP TABLE others")
	e.run(t, 5, "verify").wants(t, "1 rows were loaded, the table is gone", "badge is gone or has another name")
}

// What a database may write in another way is not compared, and verify says so.
func TestVerifySaysWhichConstantsItDoesNotCompare(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, cards+cardRows)
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"r.yaml": strings.Replace(cardRules, `gone: {keep: "a time"}`, "gone: redact", 1)})
	e.run(t, 0, "refresh")
	e.run(t, 0, "verify").wants(t, "1 not measured", "masked values of gone were not compared")
}

// A key of the target alone to which NULL is a value is judged by the plan.
func TestPlanCountsNullsThatAreEqualInTheTarget(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, cards+cardRows)
	scratchtest.SQL(t, staging, cards+"ALTER TABLE cards ADD CONSTRAINT one_badge UNIQUE NULLS NOT DISTINCT (badge)")
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"r.yaml": cardRules})
	e.run(t, 2, "plan").wants(t, "only the target says that (badge) is unique (one_badge), and 1 of the rows")
	scratchtest.SQL(t, prod, "DELETE FROM cards WHERE id = 1")
	e.run(t, 0, "refresh")
}

// A copy of staging is somebody's own, although it brings staging's marker along.
func TestACopyOfAClaimedDatabaseIsNotClaimed(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	prod, staging, copied := scratchtest.Database(t), scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, cards+cardRows)
	e := newErrand(t, prod, staging, plainJob("load: {mode: swap, keep: 1}"), map[string]string{"r.yaml": cardRules})
	e.run(t, 0, "refresh")
	from, to := scratchtest.Query(t, staging, "SELECT current_database()"), scratchtest.Query(t, copied, "SELECT current_database()")
	scratchtest.SQL(t, prod, "DROP DATABASE "+scratch.Quote(to))
	scratchtest.SQL(t, prod, "CREATE DATABASE "+scratch.Quote(to)+" TEMPLATE "+scratch.Quote(from))
	scratchtest.SQL(t, copied, "UPDATE cards SET note = 'mine'")
	e.env["STAGING_URL"] = copied
	for _, job := range []string{"load: {mode: replace}", "load: {mode: swap, keep: 1}"} {
		e.write(t, "understudy.yaml", plainJob(job))
		e.run(t, 4, "refresh").wants(t, "of which it is a copy", "--claim")
		wantQuery(t, "rows of the copy", copied, "SELECT count(*) FROM cards WHERE note = 'mine'", "40")
	}
	e.run(t, 0, "refresh", "--claim")
	e.run(t, 0, "refresh")
	e.run(t, 0, "rollback")
	e.run(t, 0, "refresh")
	e.env["STAGING_URL"] = staging
	e.run(t, 0, "refresh")
}

// What a run could not carry over stands in its report, and PUBLIC's rights most of all.
func TestWhatWasNotCarriedIsTold(t *testing.T) {
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, prod, cards+cardRows+"REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC; CREATE ROLE app")
	name := scratch.Quote(scratchtest.Query(t, staging, "SELECT current_database()"))
	owner := scratchtest.Role(t, staging, "ALTER ROLE %s CREATEDB", "ALTER DATABASE "+name+" OWNER TO %s")
	set := "ALTER ROLE app IN DATABASE " + name + " SET statement_timeout = '5s'"
	scratchtest.SQL(t, staging, set)
	e := newErrand(t, prod, owner, plainJob(keepNone, "report: {dir: reports}"), map[string]string{"r.yaml": cardRules})
	s := e.run(t, 0, "refresh")
	s.wants(t, "the setting statement_timeout of the role", "was not carried over", "PUBLIC keeps USAGE on the language plpgsql")
	scratchtest.SQL(t, staging, set)
	if s = e.run(t, 0, "refresh", "--json"); !strings.Contains(s.out, `"not-carried"`) {
		t.Errorf("the document does not tell it:\n%s", s.out)
	}
	e.env["STAGING_URL"] = server.URL("template1")
	e.run(t, 4, "refresh").wants(t, "template1 is the template of the databases")
	e.write(t, "understudy.yaml", plainJob("load: {mode: replace}"))
	e.run(t, 4, "plan").wants(t, "template1 is the template of the databases")
}

// What a table, an index or statistics compute of masked columns is computed by the plan:
// each table here would fail the load.
func TestPlanComputesWhatIsMadeOfMaskedColumns(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	cases := map[string]struct{ ddl, mask string }{
		"a": {`CREATE TABLE a (id int PRIMARY KEY, v int, c int GENERATED ALWAYS AS (v + 1) STORED, CHECK (c < 1000)); INSERT INTO a VALUES (1, 1), (2, 2)`, "int"},
		"b": {`CREATE TABLE b (id int PRIMARY KEY, v text, c text GENERATED ALWAYS AS (nullif(v, 'redacted')) STORED NOT NULL); INSERT INTO b VALUES (1, 'a')`, "redact"},
		"c": {`CREATE TABLE c (id int PRIMARY KEY, v text); INSERT INTO c VALUES (1, '12'); CREATE INDEX ON c ((v::int))`, "lorem"},
		"d": {`CREATE TABLE d (id int PRIMARY KEY, v text); INSERT INTO d VALUES (1, '12'); CREATE INDEX ON d (id) WHERE v::int > 1`, "lorem"},
		"e": {`CREATE TABLE e (id int, v int) PARTITION BY RANGE ((v * 2)); CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (0) TO (100); INSERT INTO e VALUES (1, 3)`, "{mask: int, min: 0, max: 2000000000}"},
		"f": {`CREATE TABLE f (id int PRIMARY KEY, v text, EXCLUDE ((v::int) WITH =)); INSERT INTO f VALUES (1, '1')`, "hash"},
		"g": {`CREATE DOMAIN small AS int CHECK (VALUE < 1000); CREATE TABLE g (id int PRIMARY KEY, v int, c small GENERATED ALWAYS AS (v + 1) STORED); INSERT INTO g VALUES (1, 1)`, "{mask: int, min: 0, max: 2000000000}"},
		"h": {`CREATE TABLE h (id int PRIMARY KEY, v int, c int GENERATED ALWAYS AS (v * 2) STORED); INSERT INTO h SELECT i, i FROM generate_series(1, 50) i`, "{mask: int, min: 0, max: 2000000000}"},
		"i": {`CREATE TABLE i (id int PRIMARY KEY, v varchar(40), c varchar(6) GENERATED ALWAYS AS (left(v, 1) || '@' || v) STORED); INSERT INTO i VALUES (1, 'abc')`, "hash"},
		"k": {`CREATE TABLE k (id int PRIMARY KEY, v date CHECK (v < '2021-01-01')); INSERT INTO k SELECT i, '2000-01-01' FROM generate_series(1, 3000) i; UPDATE k SET v = date '2021-01-01' - (id - 1400) WHERE id BETWEEN 1401 AND 1440`, "{mask: date_shift, within: 60d}"},
		"j": {`CREATE FUNCTION picky(x text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF x <> 'fine' THEN RAISE 'no'; END IF; RETURN x; END $$; CREATE TABLE j (id int PRIMARY KEY, v text); INSERT INTO j VALUES (1, 'fine'); CREATE INDEX ON j (picky(v))`, "lorem"},
	}
	rules, kept := "version: 1\ntables:\n", "version: 1\ntables:\n"
	for name, c := range cases {
		scratchtest.SQL(t, prod, c.ddl)
		rules += "  " + name + ": {columns: {id: {keep: \"for a test\"}, v: " + c.mask + "}}\n"
		kept += "  " + name + ": {columns: {\"id, v\": {keep: \"for a test\"}}}\n"
	}
	e := newErrand(t, prod, staging, plainJob(), map[string]string{"r.yaml": rules})
	s := e.run(t, 2, "plan")
	for name := range cases {
		s.wants(t, name+".v: ")
	}
	if n := strings.Count(s.err, " would be refused: "); n != len(cases) {
		t.Errorf("%d of %d tables are told to be refused: %s", n, len(cases), s.err)
	}
	e = newErrand(t, prod, staging, plainJob(), map[string]string{"r.yaml": kept})
	e.run(t, 0, "refresh")
	// What only staging computes, over columns that are kept, is told as well.
	scratchtest.SQL(t, prod, "DROP INDEX c_v_idx, d_id_idx, j_picky_idx; UPDATE c SET v = 'x'; UPDATE d SET v = 'x'; UPDATE j SET v = 'x'; ALTER TABLE a DROP COLUMN c; UPDATE a SET v = v + 1000; ALTER TABLE h DROP COLUMN c")
	s = e.run(t, 2, "plan")
	s.wants(t, "a.v: 2 of 2 rows would be refused", "c.v: 1 of 1 rows", "public.d: 1 of 1 rows", "j.v: 1 of 1 rows")
	if n := strings.Count(s.err, " would be refused: "); n != 4 {
		t.Errorf("%d tables are told to be refused, want 4: %s", n, s.err)
	}
}

// A type of staging that would keep less of a value, without a word, is told of; one that
// keeps the values there are is not.
func TestPlanKnowsTypesThatKeepLess(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	types := []string{"numeric > numeric(6,2) > 1.23456", `text > "char" > abc`, "timestamptz > date > 2020-01-01 13:00", "timestamptz > timestamptz(0) > 2020-01-01 13:00:00.6", "time > time(0) > 10:00:00.9",
		"interval > interval day > 1 day 05:00", "float8 > float4 > 0.1234567890123", "int > oid > -1", "bit(4) > bit(3) > 1010"}
	fine := []string{"numeric > numeric(6,2) > 1.5", "timestamptz > date > 2020-01-01", "float8 > float4 > 0.1", "float8 > float4 > 1234567", "bit(4) > bit(4) > 1010", "interval > interval day > 1 day", "date > timestamp > 2020-01-01", "int > numeric(4,1) > 7", "time > time(0) > 10:00"}
	rules := "version: 1\ntables:\n"
	for i, all := range [][]string{types, fine} {
		for j, one := range all {
			p := strings.Split(one, " > ")
			name := fmt.Sprintf("t%d%d", i, j)
			scratchtest.SQL(t, prod, fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY, v %s); INSERT INTO %[1]s VALUES (1, '%[3]s')", name, p[0], p[2]))
			scratchtest.SQL(t, staging, fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY, v %s)", name, p[1]))
			rules += "  " + name + ": {columns: {\"id, v\": {keep: \"for a test\"}}}\n"
		}
	}
	e := newErrand(t, prod, staging, plainJob(), map[string]string{"r.yaml": rules})
	said := e.run(t, 2, "plan").all()
	for j := range types {
		if !strings.Contains(said, fmt.Sprintf("t0%d.v: ", j)) {
			t.Errorf("%s is not told of", types[j])
		}
	}
	for j := range fine {
		if strings.Contains(said, fmt.Sprintf("t1%d.v: 1 of", j)) {
			t.Errorf("%s is told of", fine[j])
		}
	}
}

// Who may make types of ranges may have them in a new generation.
func TestRangeTypesOfAnOrdinaryRole(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, "CREATE TYPE span AS RANGE (SUBTYPE = int4); CREATE TABLE t (id int PRIMARY KEY, v span); INSERT INTO t VALUES (1, '[1,4)')")
	role := scratchtest.Role(t, staging, "ALTER ROLE %s CREATEDB", "ALTER DATABASE "+scratchtest.Query(t, staging, "SELECT quote_ident(current_database())")+" OWNER TO %s")
	e := newErrand(t, prod, role, plainJob(), map[string]string{"r.yaml": "version: 1\ntables: {t: {columns: {\"id, v\": {keep: \"for a test\"}}}}\n"})
	e.run(t, 0, "refresh")
}

// What the role that reads cannot compute, or a trial has no whole rows for, is left to the
// load; so is what is computed when it is read.
func TestPlanLeavesWhatItCannotCompute(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE FUNCTION norm(x text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower(x)'; REVOKE EXECUTE ON FUNCTION norm FROM PUBLIC;
		CREATE TABLE people (id int PRIMARY KEY, name text, half text GENERATED ALWAYS AS (left(name, 2)) STORED, more text); INSERT INTO people (id, name) VALUES (1, 'Anna'), (2, 'Berta');
		CREATE INDEX ON people (norm(name)); CREATE FUNCTION shown(p people) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT p.name || coalesce(p.more, '') $$; CREATE INDEX ON people (shown(people.*))`)
	reader := scratchtest.Role(t, prod, "GRANT USAGE ON SCHEMA public TO %s", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s")
	e := newErrand(t, reader, staging, plainJob(), map[string]string{"r.yaml": "version: 1\ntables: {people: {columns: {\"id, more\": {keep: \"for a test\"}, name: full_name}}}\n"})
	e.run(t, 0, "plan")
	e.run(t, 0, "refresh")
}
