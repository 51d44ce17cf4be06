package main

import (
	"fmt"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// A unique index of a materialized view is kept as one of a table is: its
// columns' fakes stay apart or the plan refuses their masks, whoever gives the
// structure. What the view's query makes apart by itself takes any mask.
func TestPlanKnowsUniqueKeysOfViews(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, source, `
CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, city text, mail text, code text);
CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES people) PARTITION BY HASH (id); CREATE TABLE orders_0 PARTITION OF orders FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE VIEW ")odd (\ :resorigtbl" AS SELECT o.id, p.name AS ":resorigtbl", p.mail AS "m {", '} :resno 9' AS t FROM orders o JOIN people p ON p.id = o.person;
CREATE MATERIALIZED VIEW through AS SELECT "m {", id, ":resorigtbl" FROM ")odd (\ :resorigtbl" WITH NO DATA;
CREATE UNIQUE INDEX through_mail ON through ("m {");
CREATE MATERIALIZED VIEW cities AS SELECT city, count(*) AS n, max(name) AS most FROM people GROUP BY city; CREATE UNIQUE INDEX ON cities (city);
CREATE MATERIALIZED VIEW names AS SELECT DISTINCT name, city FROM people; CREATE UNIQUE INDEX ON names (city, name);
CREATE MATERIALIZED VIEW total AS SELECT max(name) AS m FROM people; CREATE UNIQUE INDEX ON total (m);
CREATE MATERIALIZED VIEW either AS SELECT name FROM people UNION SELECT city FROM people; CREATE UNIQUE INDEX ON either (name);
CREATE MATERIALIZED VIEW copy AS SELECT id, name FROM people; CREATE UNIQUE INDEX ON copy (id, name);
CREATE MATERIALIZED VIEW short AS SELECT id, left(code, 40) AS c FROM people; CREATE UNIQUE INDEX short_code ON short (c);
INSERT INTO people SELECT i, 'Name ' || i, 'City ' || i % 3, 'p' || i || '@private.test', 'c' || i FROM generate_series(1, 900) i; INSERT INTO orders SELECT id, id FROM people;
REFRESH MATERIALIZED VIEW cities; REFRESH MATERIALIZED VIEW names; REFRESH MATERIALIZED VIEW total; REFRESH MATERIALIZED VIEW either; REFRESH MATERIALIZED VIEW copy; REFRESH MATERIALIZED VIEW short`)
	rules := func(mail string) map[string]string {
		return map[string]string{"people.yaml": fmt.Sprintf(`version: 1
tables:
  public.people: {columns: {id: {keep: a number}, name: {mask: choice, values: [A, B]}, city: lorem, mail: %s, code: fpe}}
  public.orders: {columns: {"id, person": {keep: a number}}}
`, mail)}
	}
	for _, byTarget := range []bool{false, true} { // the first refresh gives the target its structure
		// A view without rows has none to keep apart.
		if !byTarget {
			newErrand(t, source, target, plainJob(), rules("redact")).run(t, 0, "plan", "--claim")
			scratchtest.SQL(t, source, "REFRESH MATERIALIZED VIEW through")
		}
		for _, mask := range []string{"redact", `{mask: choice, values: [a, b]}`, `{mask: constant, value: x}`} {
			e := newErrand(t, source, target, plainJob(), rules(mask))
			e.run(t, 2, "plan", "--claim").wants(t, "through_mail", "materialized view", "unique")
			e.refuses(t, target, 2, "--claim")
		}
		e := newErrand(t, source, target, plainJob(), rules("email"))
		e.run(t, 0, "plan", "--claim").wants(t, "short_code", "the load will tell")
		e.run(t, 0, "refresh", "--claim")
		if n := scratchtest.Query(t, target, `SELECT count(DISTINCT "m {") || ' ' || (SELECT count(*) FROM names) FROM through`); n[:4] != "900 " {
			t.Errorf("%s", n)
		}
	}
}
