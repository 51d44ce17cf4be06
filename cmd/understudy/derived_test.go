package main

import (
	"path/filepath"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

const derivedRules = `version: 1
tables:
  %people:
    columns:
      "id, active": {keep: "a number of ours"}
      full_name: %name
      email: email
      code: %code
      price: %price
`

func derivedRule(t *testing.T, people, name, code, price string) map[string]string {
	t.Helper()
	text := replaced(t, derivedRules, "%people", people)
	text = replaced(t, text, "%name", name)
	return map[string]string{"people.yaml": replaced(t, replaced(t, text, "%code", code), "%price", price)}
}

// A unique key over what the database makes of masked columns is judged by the
// plan over all rows: what the load would refuse, the plan refuses, and what the
// plan lets pass, the load takes.
func TestPlanComputesUniqueKeys(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, source, `
CREATE SCHEMA other; CREATE FUNCTION other.shorter(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT left($1, 30)';
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE people (id int PRIMARY KEY, active boolean NOT NULL, full_name varchar(90) NOT NULL, email text NOT NULL, code varchar(24) NOT NULL, price numeric(12,2),
	slug text GENERATED ALWAYS AS (lower(replace(full_name, ' ', '-'))) STORED UNIQUE);
CREATE UNIQUE INDEX by_mail ON people (lower(email), other.shorter(email)); CREATE UNIQUE INDEX by_code ON people (substr(code, 1, 5));
CREATE UNIQUE INDEX by_case ON people ((code || '') COLLATE caseless) WHERE active; CREATE UNIQUE INDEX by_price ON people (trunc(price / 100)) WHERE active;
INSERT INTO people SELECT i, i % 2 = 0, 'Person Number ' || i, 'p' || i || '@private.test', lpad(i::text, 5, '0') || 'secret', i * 100 FROM generate_series(1, 2000) i`)
	for _, byTarget := range []bool{false, true} {
		if byTarget {
			copyStructure(t, source, target)
		}
		for _, c := range []struct {
			name, code, price string
			says              []string
		}{
			{"full_name", "fpe", "fpe", []string{"people_slug_key", "by_code", "of 2000 rows"}},
			{`{mask: template, format: "{tag} {first_name}"}`, `{mask: hash}`, "fpe", []string{"by_price", "of 2000 rows"}},
		} {
			e := newErrand(t, source, target, plainJob(), derivedRule(t, "public.people", c.name, c.code, c.price))
			e.run(t, 2, "plan", "--claim").wants(t, append(c.says, "mask", "stay apart")...)
			e.refuses(t, target, 2, "--claim")
		}
	}
	e := newErrand(t, source, target, plainJob(), derivedRule(t, "public.people", `{mask: template, format: "{tag} {first_name}"}`, `{mask: hash}`, "fpe"))
	for _, side := range []string{source, target} {
		scratchtest.SQL(t, side, "DROP INDEX by_code; DROP INDEX by_price")
	}
	scratchtest.SQL(t, target, "CREATE UNIQUE INDEX only_here ON people (((id - 1) % 1999))")
	e.run(t, 2, "plan", "--claim").wants(t, "only_here", "1 of 2000 rows", "mend the rows")
	scratchtest.SQL(t, target, "DROP INDEX only_here; CREATE UNIQUE INDEX only_here ON people ((id % 2000))")
	e.run(t, 0, "plan", "--claim")
	e.run(t, 0, "refresh", "--claim")
}

// The same in a file, where what is equal depends on the index's collation.
func TestPlanComputesUniqueKeysOfAFile(t *testing.T) {
	t.Parallel()
	source, target := filepath.Join(t.TempDir(), "from.db"), filepath.Join(t.TempDir(), "to.db")
	db := openFile(t, source)
	fillFile(t, db, `CREATE TABLE people (id INTEGER PRIMARY KEY, active BOOLEAN NOT NULL, full_name VARCHAR(90) NOT NULL, email TEXT NOT NULL, code VARCHAR(24) NOT NULL, price NUMERIC,
	first TEXT GENERATED ALWAYS AS (lower(substr(full_name, 1, 3))), "second part" TEXT AS (/* of */ first || substr(full_name, 4)) STORED)`,
		`CREATE UNIQUE INDEX by_first ON people (first)`, `CREATE UNIQUE INDEX by_second ON people ("second part" COLLATE NOCASE DESC)`,
		`CREATE UNIQUE INDEX by_mail ON people (lower(email) ASC, email) -- both`, `CREATE UNIQUE INDEX by_code ON people (substr(code, 1, 5))`,
		`CREATE UNIQUE INDEX by_price ON people (CAST(price / 100 AS INTEGER)) WHERE active`,
		`INSERT INTO people (id, active, full_name, email, code, price) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
			SELECT i, i % 2 = 0, printf('%03d Person', i), 'p' || i || '@private.test', printf('%05dsecret', i), i * 100 FROM n`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code, price string
		says              []string
	}{
		{"{mask: redact, class: free_text}", "fpe", "fpe", []string{"by_first", "by_second", "499 of 500 rows", "by_code"}},
		{`{mask: template, format: "{tag} {first_name}"}`, `{mask: hash}`, "fpe", []string{"by_first", "by_price", "of 500 rows"}},
	} {
		e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(), derivedRule(t, "people", c.name, c.code, c.price))
		e.run(t, 2, "plan").wants(t, c.says...)
		e.run(t, 2, "refresh")
	}
	db = openFile(t, source)
	fillFile(t, db, "DROP INDEX by_first", "DROP INDEX by_code", "DROP INDEX by_price", "CREATE UNIQUE INDEX by_part ON people (code || '') WHERE active")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(), derivedRule(t, "people", `{mask: template, format: "{tag} {first_name}"}`, `{mask: hash}`, "fpe"))
	e.run(t, 0, "plan")
	e.run(t, 0, "refresh")
	e.run(t, 0, "verify")
}
