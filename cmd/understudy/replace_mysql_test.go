package main

import (
	"database/sql"
	"strings"
	"testing"
)

// mysqlShop is a small production on MariaDB or MySQL, and its rules.
var mysqlShop = []string{
	"CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(60) NOT NULL, email varchar(120) NOT NULL UNIQUE, best int)",
	"CREATE TABLE visits (id int AUTO_INCREMENT PRIMARY KEY, person_id int NOT NULL, note varchar(40), FOREIGN KEY (person_id) REFERENCES people (id) ON DELETE CASCADE)",
	"ALTER TABLE people ADD FOREIGN KEY (best) REFERENCES visits (id)",
	"CREATE TRIGGER renewed BEFORE UPDATE ON visits FOR EACH ROW SET NEW.note = concat('renewed ', NEW.note)",
}

const mysqlShopRules = `version: 1
tables:
  people: {columns: {"id, best": {keep: "number"}, name: full_name, email: email}}
  visits: {columns: {"id, person_id": {keep: "number"}, note: {keep: "staging's tests look for it"}}}
`

func mysqlShopRows() []string {
	return []string{
		"INSERT INTO people (id, name, email) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, concat('name ', i), concat('n', i, '@private.test') FROM n",
		"INSERT INTO visits (id, person_id, note) SELECT id * 3 + k, id, concat('note ', k) FROM people, (SELECT 0 AS k UNION SELECT 1 UNION SELECT 2) AS k",
		"UPDATE people SET best = id * 3 + 1 WHERE id % 2 = 0",
	}
}

// mysqlShopContent tells all rows by two digests and counts.
func mysqlShopContent(t *testing.T, db *sql.DB) string {
	t.Helper()
	return column(t, db, "SELECT concat(count(*), ' ', sum(crc32(concat_ws('|', id, name, email, best)))) FROM people UNION ALL SELECT concat(count(*), ' ', sum(crc32(concat_ws('|', id, person_id, note)))) FROM visits")
}

// onlyThere makes a user that has privileges in one database alone.
func onlyThere(t *testing.T, admin *sql.DB, url, privileges string) string {
	t.Helper()
	database := url[strings.LastIndex(url, "/")+1:]
	statement(t, admin, "CREATE USER 'o_"+database+"'@'%' IDENTIFIED BY 'secret'", "GRANT "+privileges+" ON `"+strings.ReplaceAll(database, "_", `\_`)+"`.* TO 'o_"+database+"'@'%'")
	return "mysql://o_" + database + ":secret" + url[strings.LastIndex(url, "@"):]
}

// mysqlReplaced makes a production and a staging whose user may make no database.
func mysqlReplaced(t *testing.T, fresh func() (string, *sql.DB), job ...string) (e *errand, from, to *sql.DB) {
	t.Helper()
	prod, from := fresh()
	staging, to := fresh()
	statement(t, from, "SET GLOBAL log_bin_trust_function_creators = 1")
	for _, db := range []*sql.DB{from, to} {
		statement(t, db, mysqlShop...)
	}
	statement(t, from, mysqlShopRows()...)
	e = newErrand(t, prod, onlyThere(t, to, staging, "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, LOCK TABLES, TRIGGER"), plainJob(job...), map[string]string{"shop.yaml": mysqlShopRules})
	return e, from, to
}

func shopOrphans(t *testing.T, db *sql.DB) string {
	t.Helper()
	return column(t, db, "SELECT count(*) FROM visits v LEFT JOIN people p ON p.id = v.person_id WHERE p.id IS NULL UNION ALL SELECT count(*) FROM people p LEFT JOIN visits v ON v.id = p.best WHERE v.id IS NULL AND p.best IS NOT NULL")
}

func TestReplaceOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		e, from, to := mysqlReplaced(t, fresh, keepNone)
		e.run(t, 4, "refresh").wants(t, " in the databases that are built beside the target", "load: {mode: replace}")
		e.write(t, "understudy.yaml", plainJob(inPlaceJob))
		e.run(t, 0, "plan").wants(t, "rows exchanged in place, in one transaction; no generation is kept")
		e.run(t, 0, "refresh")
		first := mysqlShopContent(t, to)
		e.run(t, 0, "verify").wants(t, "all passed")
		e.run(t, 0, "refresh")
		same(t, "the same production again", first, mysqlShopContent(t, to))
		statement(t, from, "UPDATE people SET best = NULL WHERE id % 10 = 0", "DELETE FROM visits WHERE person_id % 10 = 0", "DELETE FROM people WHERE id % 30 = 0", "UPDATE people SET email = concat('new', id, '@private.test') WHERE id % 50 = 0",
			"INSERT INTO people (id, name, email) VALUES (5000, 'gone', 'gone@private.test')", "DELETE FROM people WHERE id = 5000")
		e.run(t, 0, "refresh")
		statement(t, to, "INSERT INTO people (name, email) VALUES ('staging''s', 'own@staging.test')")
		if got := column(t, to, "SELECT max(id) FROM people"); got != "5001" {
			t.Errorf("the next number is %s, not where production's stand", got)
		}
		statement(t, to, "DELETE FROM people WHERE id = 5001")
		// Whoever holds a table is not waited for, and the next exchange makes up for it.
		statement(t, from, "INSERT INTO people (id, name, email) VALUES (6000, 'gone', 'gone@private.test')", "DELETE FROM people WHERE id = 6000")
		held, err := to.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var rows int
		if err := held.QueryRowContext(t.Context(), "SELECT count(*) FROM people").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		e.run(t, 0, "refresh")
		if err := held.Rollback(); err != nil {
			t.Fatal(err)
		}
		e.run(t, 0, "refresh")
		statement(t, to, "INSERT INTO people (name, email) VALUES ('staging''s', 'own@staging.test')")
		if got := column(t, to, "SELECT max(id) FROM people"); got != "6001" {
			t.Errorf("the next number is %s, not where production's stand by then", got)
		}
		statement(t, to, "DELETE FROM people WHERE id = 6001")
		if got := column(t, to, "SELECT count(*) FROM visits UNION ALL SELECT count(*) FROM people UNION ALL SELECT count(*) FROM people WHERE email LIKE '%@private.test' UNION ALL SELECT count(*) FROM visits WHERE note LIKE 'renewed%'"); got != "810;290;0;0" {
			t.Errorf("rows: %s", got)
		}
		if got := shopOrphans(t, to); got != "0;0" {
			t.Errorf("orphans: %s", got)
		}
		e.run(t, 0, "verify").wants(t, "all passed")
		e.run(t, 0, "rollback", "--list").wants(t, "present")
		e.run(t, 4, "rollback").wants(t, "keeps no earlier generation")
		if got := column(t, to, "SELECT table_name FROM information_schema.tables WHERE table_schema = database() ORDER BY 1"); got != "people;understudy_generation;visits" {
			t.Errorf("tables: %s", got)
		}
		statement(t, to, "CREATE TABLE notes (person int, note text, FOREIGN KEY (person) REFERENCES people (id) ON DELETE CASCADE)", "INSERT INTO notes VALUES (7, 'staging''s own')",
			"CREATE TRIGGER noted BEFORE INSERT ON notes FOR EACH ROW SET NEW.note = 'x'")
		e.run(t, 4, "refresh").wants(t, "the target holds rows here", "noted", "mode: swap")
		e.write(t, "understudy.yaml", plainJob("load: {mode: replace, preserve: [notes]}"))
		e.run(t, 0, "refresh")
		statement(t, from, "UPDATE people SET best = NULL WHERE id = 7", "DELETE FROM people WHERE id = 7")
		before := mysqlShopContent(t, to)
		e.run(t, 5, "refresh").wants(t, "notes", "hint: the target's own rows refer to rows")
		same(t, "staging", before, mysqlShopContent(t, to))
		if got := column(t, to, "SELECT note FROM notes"); got != "staging's own" {
			t.Errorf("the preserved row: %s", got)
		}
	})
}

func TestReplaceOnMySQLNeedsTheTargetsOwnTables(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		prod, from := fresh()
		staging, to := fresh()
		statement(t, from, mysqlShop[0])
		e := newErrand(t, prod, onlyThere(t, to, staging, "ALL"), plainJob(inPlaceJob), map[string]string{"r.yaml": "version: 1\ntables:\n  people: {columns: {\"id, best\": {keep: \"number\"}, name: full_name, email: email}}\n"})
		e.run(t, 4, "refresh").wants(t, "the target has no tables", "its own migrations", "understudy.yaml:")
		if got := column(t, to, "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"); got != "" {
			t.Errorf("tables: %s", got)
		}
	})
}

// Who changes the mode of a job is told what the switch before kept, may go back
// to it, and finds nothing left after the next exchange; and the way back is open.
func TestReplaceAfterASwitchOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		prod, from := fresh()
		staging, to := fresh()
		for _, db := range []*sql.DB{from, to} {
			statement(t, db, mysqlShop...)
		}
		statement(t, from, mysqlShopRows()...)
		e := newErrand(t, prod, staging, plainJob(), map[string]string{"shop.yaml": mysqlShopRules})
		beside := func() string {
			return column(t, to, "SELECT count(*) FROM information_schema.schemata WHERE left(schema_name, length(database()) + 1) = concat(database(), '_')")
		}
		e.run(t, 0, "refresh")
		first := mysqlShopContent(t, to)
		statement(t, from, "UPDATE people SET best = NULL", "DELETE FROM visits WHERE id % 2 = 0")
		e.run(t, 0, "refresh")
		second := mysqlShopContent(t, to)
		e.write(t, "understudy.yaml", plainJob(inPlaceJob))
		e.run(t, 0, "plan").wants(t, "an earlier switch kept the database", "the next refresh, which removes it")
		e.run(t, 0, "rollback")
		same(t, "back at the first generation", first, mysqlShopContent(t, to))
		e.run(t, 0, "refresh")
		same(t, "exchanged", second, mysqlShopContent(t, to))
		if got := beside(); got != "0" {
			t.Errorf("%s databases beside the target after the exchange", got)
		}
		e.run(t, 4, "rollback").wants(t, "keeps no earlier generation")
		e.write(t, "understudy.yaml", plainJob())
		statement(t, from, "DELETE FROM visits")
		e.run(t, 0, "refresh")
		e.run(t, 0, "verify").wants(t, "all passed")
		e.run(t, 0, "rollback")
		same(t, "back at what was exchanged", second, mysqlShopContent(t, to))
		e.run(t, 0, "verify").wants(t, "all passed")
	})
}

// The statements of load.after change the rows in the same transaction: triggers
// fire, foreign keys hold and are followed, and a mistake leaves staging as it is.
func TestAfterAnExchangeOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		e, _, to := mysqlReplaced(t, fresh, "load: {mode: replace, after: fixups.sql}")
		e.write(t, "fixups.sql", "INSERT INTO people (id, name, email) VALUES (4000, 'Tester', 'tester');\nUPDATE visits SET note = 'x' WHERE id = 3;\nUPDATE people SET best = NULL WHERE id = 8;\nDELETE FROM people WHERE id = 8;\n")
		for range 2 {
			e.run(t, 0, "refresh")
			if got := column(t, to, "SELECT email FROM people WHERE id = 4000 UNION ALL SELECT note FROM visits WHERE id = 3 UNION ALL SELECT count(*) FROM visits WHERE person_id = 8"); got != "tester;renewed x;0" {
				t.Errorf("rows: %s", got)
			}
		}
		before := mysqlShopContent(t, to)
		e.write(t, "fixups.sql", "DELETE FROM visits WHERE id = 5;\nINSERT INTO visits (person_id, note) VALUES (4711, 'cAnArY')")
		s := e.run(t, 5, "refresh")
		s.wants(t, "fixups.sql:2: ")
		if strings.Contains(s.all(), "cAnArY") || strings.Contains(s.all(), "4711") {
			t.Errorf("a value was said: %s", s.all())
		}
		same(t, "staging", before, mysqlShopContent(t, to))
	})
}
