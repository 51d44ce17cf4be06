package postgres

import (
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

func fragments(t *testing.T) (*source, func(text string, order, subqueries bool) error) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TABLE people (id int PRIMARY KEY, name text, country char(2), at timestamptz, tags text[], doc jsonb, "Odd;--" text, "order" int, random int);
CREATE TABLE secrets (v text); CREATE SCHEMA ext; CREATE SEQUENCE counter;
CREATE FUNCTION writes(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM secrets; RETURN true; END';
CREATE FUNCTION people_writes(people) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM secrets; RETURN true; END';
CREATE FUNCTION steady(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'`)
	s := sourceAt(t, url, engine.Limits{})
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	people := mustTable(t, structure, "people")
	return s, func(text string, order, subqueries bool) error {
		return s.Accept(t.Context(), []engine.Fragment{{Table: people, Text: text, Order: order, Subqueries: subqueries}})[0]
	}
}

func TestAcceptLetsExpressionsThrough(t *testing.T) {
	_, accept := fragments(t)
	for _, text := range []string{
		"country = 'DE'", "at > now() - interval '30 days'", "name LIKE 'O''Brien; --%'", "name = E'it\\'s; (('", "tags[1] = 'a' AND id IN (1, 2)",
		"doc ->> 'a' = 'x' OR doc @> '{\"a\": [1]}'", `"Odd;--" IS NOT NULL`, "extract(year FROM at) = 2024", "substring(name FROM 1 FOR 3) = 'abc'",
		"name IS DISTINCT FROM 'x'", "trim(both ' ' FROM name) <> ''", "steady(id) = 1", "people.id > 5", "CASE WHEN id > 1 THEN true ELSE false END", "at BETWEEN '2020-01-01' AND '2021-01-01'",
		"coalesce(country, '') = 'select'", "name ~ '^[a-z(]+'", "(id, country) = (1, 'DE')", "id % 10 = 3", "at AT TIME ZONE 'Europe/Berlin' > '2020-01-01'", `"order" = 1`, "random = 4", "name = 'ü'",
		"length(name) > 3 AND NOT (id = 4)", "id::text = '5'", "current_date > at",
	} {
		if err := accept(text, false, false); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"at desc", "id", "name COLLATE \"C\" desc nulls last, id", "lower(name), at"} {
		if err := accept(text, true, false); err != nil {
			t.Errorf("order %s: %v", text, err)
		}
	}
	for _, text := range []string{"id IN (SELECT 1)", "EXISTS (SELECT FROM secrets WHERE v = name)"} {
		if err := accept(text, false, true); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := accept(text, false, false); err == nil {
			t.Errorf("%s passed without leave for subqueries", text)
		}
	}
}

func TestAcceptRefusesAttacks(t *testing.T) {
	s, accept := fragments(t)
	for _, text := range []string{
		"true) to stdout; commit; insert into secrets values ('x'); copy (select 1",
		"true) union select v from secrets where (true",
		"true union select v from secrets", "true; drop table secrets", "true -- ", "true /* */", "true */ or /* true", "1=1) or (1=1", "true)(", "(true", "true]", "[1]]",
		"name = 'a", `"name`, "name = 'a'' or true", "id = $1", "name = $$a$$", "name = $x$a$x$", `\copy people`, "name = 'a' \n 'b'", "name = E'a' \n'\\' or true or '", "name = U&'\\0041'", `U&"\0041" = 1`, "1e'\\' or 1=1 --'",
		"pg_sleep(10) IS NULL", `"pg_sleep"(1) IS NULL`, "pg_catalog.pg_sleep(1) IS NULL", `pg_catalog . "pg_sleep" (1) IS NULL`, "pg_read_file('/etc/passwd') <> ''", "lo_import('/etc/passwd') > 0", "lo_unlink(1) > 0",
		"dblink('x', 'y') IS NULL", "set_config('transaction_read_only', 'off', false) = ''", "nextval('counter') > 0", "setval('counter', 1) > 0", "pg_advisory_lock(1) IS NULL", "pg_terminate_backend(1)", "pg_notify('a', 'b') IS NULL",
		"query_to_xml('select 1', true, true, '') IS NULL", "database_to_xml(true, true, '') IS NULL", "pg_export_snapshot() = ''", "random() < 0.5", "clock_timestamp() > at", "gen_random_uuid() IS NULL", "writes(1)", "public.writes(1)", "people.people_writes",
		"id IN (VALUES (1))", "id IN (TABLE secrets)", "exists(with a as (delete from secrets returning 1) select 1)", "true group by id", "true order by id", "true limit 1", "true for update", "true into outfile", "true window w as ()",
		"nosuch = 1", "id +", "", "   ", "id = 'x", "count(*) > 1", "row_number() over () = 1", "id", "name", "true\x00", "\xff", strings.Repeat("(", 20000), "currval('counter') = 1", "ts_stat('select 1') IS NULL", "loread(1, 2) IS NULL", "true returning id", "copy = 1",
	} {
		err := accept(text, false, false)
		if err == nil {
			t.Errorf("passed: %q", text)
			continue
		}
		if strings.Contains(err.Error(), "passwd") {
			t.Errorf("the error quotes the fragment: %v", err)
		}
	}
	for _, text := range []string{"id; drop table secrets", "id limit 1", "id -- x", "id) union (select 1", "(select 1)", "pg_sleep(1)", "random()", "nosuch", "id, ", "id for update", "1 offset 2"} {
		if accept(text, true, false) == nil {
			t.Errorf("passed as an order: %q", text)
		}
	}
	for _, text := range []string{"id IN (DELETE FROM secrets RETURNING 1)", "exists (select 1 into x)", "exists (select from secrets for update)", "true) union select (true", "exists (select pg_sleep(1))"} {
		if accept(text, false, true) == nil {
			t.Errorf("passed with subqueries: %q", text)
		}
	}
	// The session is in order afterwards.
	if err := accept("id = 1", false, false); err != nil {
		t.Error(err)
	}
	if got := scratchtest.Query(t, urlOf(s), "SELECT is_called FROM counter"); strings.TrimSpace(got) != "f" {
		t.Error("the sequence moved")
	}
}

// What runs without being called is judged as well: functions behind operators, casts
// and the checks of domains.
func TestAcceptRefusesVolatileOperatorsAndCasts(t *testing.T) {
	s, accept := fragments(t)
	for _, text := range []string{"id + 1 > 2 - -1", "name = 'a'::text", "CAST(id AS bigint) > 1", "id BETWEEN 1 AND 2", "name LIKE 'a%'"} {
		if err := accept(text, false, false); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	scratchtest.SQL(t, urlOf(s), `CREATE FUNCTION evil(bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN true; END $$;
		CREATE FUNCTION tame(bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN true; END $$;
		CREATE OPERATOR #!# (RIGHTARG = bigint, FUNCTION = evil); CREATE OPERATOR ##@ (RIGHTARG = bigint, FUNCTION = tame);
		CREATE DOMAIN checked AS bigint CHECK (evil(VALUE)); CREATE DOMAIN calm AS bigint CHECK (tame(VALUE))`)
	for _, text := range []string{"id < 4 AND #!# id", "#!#id", "id>-#!# 1", "OPERATOR(public.#!#) id", "id::checked > 0", "CAST(id AS checked) > 0", "CAST(id AS public.checked) > 0", `id::"checked" > 0`} {
		err := accept(text, false, false)
		if err == nil || !strings.Contains(err.Error(), "evil") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"##@ id", "id::calm > 0", "name = '#!#'", "name = 'a'::text"} {
		if err := accept(text, false, false); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	scratchtest.SQL(t, urlOf(s), `CREATE TYPE mood AS ENUM ('ü'); CREATE FUNCTION to_mood(bigint) RETURNS mood LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 'ü'; END $$;
		CREATE CAST (bigint AS mood) WITH FUNCTION to_mood(bigint)`)
	for _, text := range []string{"id::bigint::mood = 'ü'", "CAST(id AS mood) = 'ü'", "mood(id) = 'ü'"} {
		if err := accept(text, false, false); err == nil || !strings.Contains(err.Error(), "to_mood") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := accept("id = 1", false, false); err != nil {
		t.Error(err)
	}
	scratchtest.SQL(t, urlOf(s), `DROP CAST (bigint AS mood); CREATE CAST (bigint AS mood) WITH FUNCTION to_mood(bigint) AS IMPLICIT`)
	if err := accept("id = 1", false, false); err == nil {
		t.Error("an implicit cast passes")
	}
}

// FuzzGuard: whatever passes the guard leaves brackets and quotes as the server
// reads them, so that what follows the fragment is still outside of it.
func FuzzGuard(f *testing.F) {
	for _, s := range []string{"a = 'b'", "E'\\''", `"x"`, "(a)", "a--", "1e'x'", "'a' 'b'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := guard(engine.Fragment{Text: text}); err != nil {
			return
		}
		if _, err := guard(engine.Fragment{Text: "(" + text + ") AND 'x' = 'x'"}); err != nil {
			t.Errorf("%q passes alone and not inside parentheses: %v", text, err)
		}
		if _, err := guard(engine.Fragment{Text: "(" + text + ") ; x"}); err == nil {
			t.Errorf("%q hides what follows it", text)
		}
	})
}
