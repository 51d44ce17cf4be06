package main

import (
	"crypto/rand"
	"database/sql"
	neturl "net/url"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// eachMySQL runs a test on MariaDB and on MySQL. fresh makes an empty database.
func eachMySQL(t *testing.T, test func(t *testing.T, fresh func() (url string, db *sql.DB))) {
	for name, start := range map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			test(t, func() (string, *sql.DB) {
				name := "test_" + strings.ToLower(rand.Text()[:12])
				statement(t, mysqlClient(t, server.URL("")), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
				return server.URL(name), mysqlClient(t, server.URL(name))
			})
		})
	}
}

// mysqlDatabase makes an empty database on MariaDB or MySQL.
func mysqlDatabase(t *testing.T, product string) (url string) {
	t.Helper()
	server := map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL}[product](t)
	name := "test_" + strings.ToLower(rand.Text()[:12])
	statement(t, mysqlClient(t, server.URL("")), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	return server.URL(name)
}

func mysqlClient(t testing.TB, url string) *sql.DB {
	t.Helper()
	at, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", at.User.String()+"@tcp("+at.Host+")"+at.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func statement(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// column gives the first column of a query's rows, joined.
func column(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v sql.NullString
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v.String)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, ";")
}

const mysqlFixups = `# a person to log in as; the trigger notes it
INSERT IGNORE INTO people (name, email) VALUES ('Tester', "it's; \"staging\""), ('again', 'tester');
UPDATE visits v JOIN people p ON p.id = v.person_id SET v.note = initials('staging') WHERE v.id = 1;
DELETE FROM visits WHERE id = 2;
`

// The statements of load.after change the generation on MariaDB and MySQL:
// triggers fire, foreign keys hold, and no name reaches the rows in use.
func TestAfterOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		prod, from := fresh()
		staging, to := fresh()
		_, other := fresh()
		ddl := []string{
			"CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(60) NOT NULL, email varchar(120) NOT NULL UNIQUE)",
			"CREATE TABLE visits (id int AUTO_INCREMENT PRIMARY KEY, person_id int NOT NULL, note varchar(40), FOREIGN KEY (person_id) REFERENCES people (id))",
			"CREATE TABLE seen (what varchar(60))",
			"CREATE FUNCTION initials(t varchar(50)) RETURNS varchar(60) DETERMINISTIC RETURN concat(left(t, 1), '.')",
			"CREATE TRIGGER noted AFTER INSERT ON people FOR EACH ROW INSERT INTO seen VALUES (initials(NEW.name))",
		}
		for _, db := range []*sql.DB{from, to} {
			statement(t, db, "SET GLOBAL log_bin_trust_function_creators = 1")
			statement(t, db, ddl...)
		}
		statement(t, other, "CREATE TABLE theirs (id int)")
		statement(t, from, "INSERT INTO people (id, name, email) VALUES (1, 'a', 'a@private.test'), (2, 'b', 'b@private.test')", "INSERT INTO visits (id, person_id, note) VALUES (1, 1, 'x'), (2, 2, 'y')", "DELETE FROM seen")
		e := newErrand(t, prod, staging, plainJob("load: {mode: swap, keep: 0, after: fixups.sql}"), map[string]string{"people.yaml": `version: 1
tables:
  people: {columns: {id: {keep: "number"}, name: full_name, email: email}}
  visits: {columns: {"id, person_id": {keep: "number"}, note: redact}}
  seen: {columns: {what: redact}}
`})
		e.write(t, "fixups.sql", mysqlFixups)
		state := func() string {
			return column(t, to, "SELECT concat(id, email) FROM people WHERE name = 'Tester'") + "|" + column(t, to, "SELECT note FROM visits ORDER BY id") + "|" +
				column(t, to, "SELECT what FROM seen ORDER BY what") + "|" + column(t, to, "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()")
		}
		const rows = `3it's; "staging"|s.|a.;T.|noted`
		for range 2 {
			e.run(t, 0, "refresh", "--claim")
			if got := state(); got != rows {
				t.Errorf("rows: %s", got)
			}
		}
		there := column(t, other, "SELECT database()")
		for text, want := range map[string]struct {
			code int
			says string
		}{
			"SELECT 1;\nCOMMIT;\nALTER TABLE visits ADD x int":                                                 {2, "fixups.sql:2: "},
			"UPDATE " + column(t, to, "SELECT database()") + ".people SET name = 'cAnArY'":                     {2, "names a database"},
			"DELETE FROM " + there + ".theirs":                                                                 {2, "names a database"},
			"DELETE FROM " + there + ".theirs WHERE id IN (SELECT id AS " + there + ")":                        {2, "names a database"},
			"DELETE FROM visits /*! WHERE id = 1 */":                                                           {2, "a comment that the server executes"},
			"SELECT 1;\n\nINSERT INTO visits (person_id, note) VALUES (4711, 'cAnArY')":                        {5, "fixups.sql:3: "},
			"INSERT INTO people (name, email) SELECT 'cAnArY', 'tester2' UNION ALL SELECT 'cAnArY', 'tester2'": {5, "fixups.sql:1: "},
			"SELECT cAnArY FROM people":                                                                        {2, "fixups.sql:1: "},
		} {
			e.write(t, "fixups.sql", text)
			s := e.run(t, want.code, "refresh")
			s.wants(t, want.says)
			if strings.Contains(s.all(), "cAnArY") || strings.Contains(s.all(), "4711") {
				t.Errorf("%q: a value was said: %s", text, s.all())
			}
			if got := state(); got != rows {
				t.Errorf("%q changed staging: %s", text, got)
			}
		}
		own := column(t, to, "SELECT database()")
		statement(t, to, "CREATE TRIGGER far AFTER INSERT ON visits FOR EACH ROW INSERT INTO "+own+".seen VALUES ('far')")
		e.write(t, "fixups.sql", "INSERT INTO visits (person_id) VALUES (1)")
		e.run(t, 2, "refresh").wants(t, "trigger far", "names the database")
		if left := column(t, to, "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE concat(database(), '\\_%')"); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}
