package main

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestPlanComputesUniqueKeysOnMySQL is TestPlanComputesUniqueKeys for MariaDB and MySQL:
// generated columns, beginnings of columns, and on MySQL expressions.
func TestPlanComputesUniqueKeysOnMySQL(t *testing.T) {
	scratchtest.Long(t)
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		source, from := fresh()
		target, to := fresh()
		people := `CREATE TABLE people (id int PRIMARY KEY, active boolean NOT NULL, full_name varchar(90) NOT NULL, email varchar(90) NOT NULL, code varchar(24) NOT NULL, price decimal(12,2),
			low varchar(90) COLLATE utf8mb4_bin AS (lower(replace(full_name, ' ', '-'))) STORED, slug varchar(99) AS (concat(low, '/')) VIRTUAL, whole int AS (floor(price / 100)) STORED,
			UNIQUE by_slug (slug), UNIQUE by_code (code(5)), UNIQUE by_price (whole), KEY (email))`
		functional := filepath.Base(t.Name()) == "MySQL"
		for _, db := range []*sql.DB{from, to} {
			statement(t, db, people)
			if functional {
				statement(t, db, "CREATE UNIQUE INDEX by_mail ON people ((lower(email)), (substring(email, 2, 30)))")
			}
		}
		statement(t, from, `INSERT INTO people (id, active, full_name, email, code, price) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)
			SELECT i, i % 2 = 0, concat('Person Number ', i), concat('p', i, '@private.test'), concat(lpad(i, 5, '0'), 'secret'), i * 100 FROM n`)
		for _, c := range []struct {
			name, code, price string
			says              []string
		}{
			{"first_name", "fpe", "fpe", []string{"by_slug", "by_code", "of 900 rows"}},
			{`{mask: template, format: "{tag} {first_name}"}`, `{mask: hash}`, "fpe", []string{"by_price", "of 900 rows"}},
		} {
			e := newErrand(t, source, target, plainJob(), derivedRule(t, "people", c.name, c.code, c.price))
			e.run(t, 2, "plan", "--claim").wants(t, append(c.says, "mask", "stay apart")...)
		}
		for _, db := range []*sql.DB{from, to} {
			statement(t, db, "ALTER TABLE people DROP INDEX by_price")
		}
		e := newErrand(t, source, target, plainJob(), derivedRule(t, "people", `{mask: template, format: "{tag} {first_name}"}`, `{mask: hash}`, "fpe"))
		s := e.run(t, 0, "plan", "--claim")
		if strings.Contains(s.all(), "the load will tell") {
			t.Errorf("a key was not computed: %s", s.all())
		}
		e.run(t, 0, "refresh", "--claim")
		statement(t, to, "DELETE FROM people WHERE id > 1")
		statement(t, to, "CREATE UNIQUE INDEX only_here ON people (email(1))")
		e.run(t, 2, "plan").wants(t, "only_here")
	})
}
