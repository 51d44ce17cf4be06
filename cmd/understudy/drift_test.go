package main

import (
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// A drift is a way in which staging differs from production.
type drift struct {
	name string
	// prod and staging change the two structures; values changes production's rows.
	prod, staging, values string
	exit                  int
	says                  []string
	// query is asked of staging after a run that ended well, and answers answer.
	query, answer string
}

func drifts() []drift {
	const all = "SELECT count(*) FROM people"
	return []drift{
		{name: "another nullable column", staging: "ALTER TABLE people ADD COLUMN tier text", query: "SELECT count(*), count(tier) FROM people", answer: "300\t0"},
		{name: "another NOT NULL column with a default", staging: "ALTER TABLE people ADD COLUMN tier text NOT NULL DEFAULT 'basic'", query: "SELECT count(*) FROM people WHERE tier = 'basic'", answer: "300"},
		{name: "another NOT NULL identity column", staging: "ALTER TABLE people ADD COLUMN place int GENERATED ALWAYS AS IDENTITY", query: "SELECT count(DISTINCT place) FROM people", answer: "300"},
		{name: "another NOT NULL column without a default", staging: "ALTER TABLE people ADD COLUMN tier text NOT NULL", exit: 2, says: []string{"tier", "public.people"}},
		{name: "another column of a domain that is NOT NULL", staging: "CREATE DOMAIN needed AS text NOT NULL; ALTER TABLE people ADD COLUMN tier needed", exit: 2, says: []string{"tier", "public.people"}},
		{name: "another column computed from masked ones", staging: "ALTER TABLE people ADD COLUMN handle text GENERATED ALWAYS AS (split_part(email, '@', 1)) STORED",
			query: "SELECT count(*) FROM people WHERE handle = split_part(email, '@', 1) AND handle NOT LIKE 'person%'", answer: "300"},
		{name: "narrower text that fits", staging: "ALTER TABLE people ALTER COLUMN name TYPE varchar(30); ALTER TABLE visits ALTER COLUMN note TYPE varchar(20)", query: all, answer: "300"},
		{name: "narrower masked text", staging: "ALTER TABLE people ALTER COLUMN email TYPE varchar(30)", query: "SELECT count(DISTINCT email) FROM people", answer: "300"},
		{name: "masked text narrower than any fake", staging: "ALTER TABLE people ALTER COLUMN email TYPE varchar(12)", exit: 2, says: []string{"public.people", "email"}},
		{name: "narrower text that does not fit", staging: "ALTER TABLE visits ALTER COLUMN note TYPE varchar(5)", exit: 2, says: []string{"public.visits", "note"}},
		{name: "narrower numbers that do not fit", staging: "ALTER TABLE visits ALTER COLUMN score TYPE int", exit: 2, says: []string{"public.visits", "score"}},
		{name: "wider types", staging: "ALTER TABLE visits ALTER COLUMN note TYPE text, ALTER COLUMN score TYPE numeric; ALTER TABLE people ALTER COLUMN name TYPE text", query: all, answer: "300"},
		{name: "a type that takes no such value", staging: "ALTER TABLE visits ALTER COLUMN note TYPE int USING 0", exit: 2, says: []string{"public.visits", "note"}},
		{name: "a missing table", staging: "DROP TABLE visits", query: all, answer: "300", says: []string{"public.visits", "has no such table"}},
		{name: "a missing referenced table", staging: "DROP TABLE people CASCADE", query: "SELECT count(*) FROM visits", answer: "900", says: []string{"public.people", "has no such table"}},
		{name: "a missing column", staging: "ALTER TABLE people DROP COLUMN born", query: all, answer: "300", says: []string{"born", "no such column"}},
		{name: "columns in another order", staging: "ALTER TABLE people DROP COLUMN name; ALTER TABLE people ADD COLUMN name varchar(60) NOT NULL", query: "SELECT count(*) FROM people WHERE length(name) > 2 AND name NOT LIKE 'Person%'", answer: "300"},
		{name: "a check that no fake satisfies", staging: "ALTER TABLE people ADD CONSTRAINT corporate CHECK (email LIKE '%@corp.test')", exit: 2, says: []string{"public.people", "corporate"}},
		{name: "a check that no kept value satisfies", staging: "ALTER TABLE visits ADD CONSTRAINT brief CHECK (length(note) < 3)", exit: 2, says: []string{"public.visits", "brief"}},
		{name: "a check that a few rows break", staging: "ALTER TABLE visits ADD CONSTRAINT early CHECK (id <> 777)", exit: 2, says: []string{"public.visits", "early"}},
		{name: "NOT NULL where production has NULL", staging: "ALTER TABLE visits ALTER COLUMN score SET NOT NULL", values: "UPDATE visits SET score = NULL", exit: 2, says: []string{"public.visits", "score"}},
		{name: "an enum that lacks a label", staging: "ALTER TABLE people ALTER COLUMN feeling TYPE text; ALTER TYPE mood RENAME TO moods; CREATE TYPE mood AS ENUM ('calm', 'glad'); ALTER TABLE people ALTER COLUMN feeling TYPE mood USING feeling::mood",
			exit: 2, says: []string{"public.people", "feeling"}},
		{name: "an enum with one more label", staging: "ALTER TYPE mood ADD VALUE 'cross' BEFORE 'sad'", query: all, answer: "300"},
		{name: "generated in production, plain in staging", staging: "ALTER TABLE people ALTER COLUMN loud DROP EXPRESSION", query: "SELECT count(loud) FROM people", answer: "0"},
		{name: "generated in production, needed in staging", staging: "ALTER TABLE people ALTER COLUMN loud DROP EXPRESSION; ALTER TABLE people ALTER COLUMN loud SET NOT NULL", exit: 2, says: []string{"public.people", "loud"}},
		{name: "plain in production, generated in staging", staging: "ALTER TABLE visits DROP COLUMN score; ALTER TABLE visits ADD COLUMN score bigint GENERATED ALWAYS AS (id * 2) STORED",
			query: "SELECT count(*) FROM visits WHERE score = id * 2", answer: "900"},
		{name: "another expression", staging: "ALTER TABLE people DROP COLUMN loud; ALTER TABLE people ADD COLUMN loud text GENERATED ALWAYS AS (lower(code)) STORED",
			query: "SELECT count(*) FROM people WHERE loud = lower(code)", answer: "300"},
		{name: "an identity that allows no value", staging: "ALTER TABLE people ALTER COLUMN id SET GENERATED ALWAYS", query: "SELECT min(id), max(id) FROM people", answer: "1\t300"},
		{name: "a foreign key that production lacks", staging: "ALTER TABLE visits ADD CONSTRAINT friends FOREIGN KEY (friend_id) REFERENCES people", exit: 5, says: []string{"public.visits", "friends"}},
		{name: "a unique index that production breaks", staging: "CREATE UNIQUE INDEX one_each ON visits (person_id)", exit: 2, says: []string{"public.visits", "one_each", "600 of the rows"}},
		{name: "a unique index that production does not break", staging: "CREATE UNIQUE INDEX once ON visits (person_id, id)", query: all, answer: "300"},
		{name: "a unique index over masked values", staging: "CREATE UNIQUE INDEX one_name ON people (name)", exit: 2, says: []string{"public.people", "name"}},
		{name: "a foreign key that production satisfies", staging: "ALTER TABLE visits ADD FOREIGN KEY (id) REFERENCES visits", query: all, answer: "300"},
		{name: "a partition that is missing", staging: `CREATE TABLE new (LIKE visits INCLUDING ALL, FOREIGN KEY (person_id) REFERENCES people) PARTITION BY RANGE (id);
			DROP TABLE visits; ALTER TABLE new RENAME TO visits; CREATE TABLE visits_early PARTITION OF visits FOR VALUES FROM (0) TO (700)`, exit: 2, says: []string{"public.visits", "partition bounds"}},
		{name: "a missing foreign key", staging: "ALTER TABLE visits DROP CONSTRAINT visits_person_id_fkey", query: "SELECT count(*) FROM visits", answer: "900"},
		{name: "a foreign key that is not validated", staging: "ALTER TABLE visits DROP CONSTRAINT visits_person_id_fkey; ALTER TABLE visits ADD CONSTRAINT visits_person_id_fkey FOREIGN KEY (person_id) REFERENCES people NOT VALID",
			query: "SELECT count(*) FROM visits", answer: "900"},
		{name: "orphans in production under a key that it does not vouch for", exit: 5, says: []string{"public.visits", "900 rows", "orphans: drop"},
			values: "ALTER TABLE visits ADD CONSTRAINT friends FOREIGN KEY (friend_id) REFERENCES people NOT VALID"},
		{name: "a table of its own that references", staging: "CREATE TABLE follows (person_id bigint REFERENCES people, since date)", query: "SELECT count(*) FROM people, (SELECT count(*) AS n FROM follows) f WHERE n = 0", answer: "300"},
		{name: "a view in the way of a name", staging: "DROP TABLE visits; CREATE VIEW visits AS SELECT id, name FROM people", query: "SELECT count(*) FROM visits", answer: "300"},
	}
}

func TestStagingAheadOfOrBehindProduction(t *testing.T) {
	t.Parallel()
	for _, d := range drifts() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			e, prod, staging := peopleErrand(t, d.staging+";")
			scratchtest.SQL(t, prod, d.prod+";"+d.values)
			if d.exit != 0 {
				e.run(t, d.exit, "plan").wants(t, d.says...)
				e.refuses(t, staging, d.exit).wants(t, d.says...)
				return
			}
			e.run(t, 0, "refresh").wants(t, d.says...)
			if got := scratchtest.Query(t, staging, d.query); got != d.answer {
				t.Errorf("%s gives %q, want %q", d.query, got, d.answer)
			}
			if orphans := scratchtest.Orphans(t, staging); orphans != "" && d.name != "a missing referenced table" {
				t.Errorf("orphans:\n%s", orphans)
			}
		})
	}
}
