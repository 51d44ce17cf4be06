package main

import (
	"database/sql"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// granting finds the statements that a plan tells to run.
var granting = regexp.MustCompile(`GRANT [A-Z_, ]+ ON [^ ]+ TO [^ \n]+`)

// mysqlFamily is two databases with a foreign key across them.
func mysqlFamily(one, other string) (parents, children []string) {
	return []string{"CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(60) NOT NULL, email varchar(120) NOT NULL UNIQUE)"},
		[]string{"CREATE TABLE visits (id int AUTO_INCREMENT PRIMARY KEY, person_id int NOT NULL, note varchar(40), CONSTRAINT visitor FOREIGN KEY (person_id) REFERENCES `" + one + "`.people (id))",
			"CREATE DEFINER = owner@'%' TRIGGER noted BEFORE INSERT ON visits FOR EACH ROW SET NEW.note = 'fired'"}
}

const familyRules = `version: 1
tables:
  %s.people: {columns: {id: {keep: "number"}, name: full_name, email: email}}
  %s.visits: {columns: {"id, person_id": {keep: "number"}, note: redact}}
`

// Two databases with a foreign key across them come into two with other names, on a
// server that allows no LOAD DATA LOCAL, read by a user who has SELECT alone, and
// written by one to whom just what the plan names was granted.
func TestTwoDatabasesAndTheirUsersOnMySQL(t *testing.T) {
	for product, maria := range map[string]bool{"MariaDB": true, "MySQL": false} {
		t.Run(product, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, map[string]string{"local_infile": "OFF"})
			admin := mysqlClient(t, server.URL(""))
			statement(t, admin, "SET GLOBAL log_bin_trust_function_creators = 1")
			statement(t, admin, "CREATE USER owner@'%' IDENTIFIED BY 'secret'", "GRANT TRIGGER, UPDATE ON *.* TO owner@'%'")
			dbs := map[string]*sql.DB{}
			for _, name := range []string{"crm", "web", "crm_stage", "web_stage"} {
				statement(t, admin, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
				dbs[name] = mysqlClient(t, server.URL(name))
			}
			for _, pair := range [][2]string{{"crm", "web"}, {"crm_stage", "web_stage"}} {
				parents, children := mysqlFamily(pair[0], pair[1])
				statement(t, dbs[pair[0]], parents...)
				statement(t, dbs[pair[1]], children...)
			}
			for i := range 40 {
				statement(t, dbs["crm"], fmt.Sprintf("INSERT INTO people (name, email) VALUES ('Person %d', 'p%d@private.test')", i, i))
				statement(t, dbs["web"], fmt.Sprintf("INSERT INTO visits (person_id, note) VALUES (%d, 'x')", i+1))
			}
			as := func(user, database string) string {
				statement(t, admin, "CREATE USER "+user+"@'%' IDENTIFIED BY 'secret'")
				u, err := url.Parse(server.URL(database))
				if err != nil {
					t.Fatal(err)
				}
				u.User = url.UserPassword(user, "secret")
				return u.String()
			}
			source, target := as("reader", "crm"), as("writer", "crm_stage")
			statement(t, admin, "GRANT SELECT ON crm.* TO reader@'%'", "GRANT SELECT ON web.* TO reader@'%'", "GRANT USAGE ON *.* TO writer@'%'", "GRANT SELECT ON `%stage`.* TO writer@'%'")
			e := newErrand(t, source, target, plainJob(keepNone, "schemas: [{source: crm, target: crm_stage}, {source: web, target: web_stage}]"),
				map[string]string{"family.yaml": fmt.Sprintf(familyRules, "crm", "web")})

			// What is missing is named all at once, and with the grant whose it is.
			granted := func(want int) (grants []string) {
				said := e.run(t, 4, "refresh")
				for _, g := range granting.FindAllString(said.all(), -1) {
					if g = strings.TrimRight(strings.TrimSuffix(g, ","), ".:;"); !slices.Contains(grants, g) {
						grants = append(grants, g)
						statement(t, admin, g)
					}
				}
				if len(grants) != want {
					t.Fatalf("%d grants are named, want %d:\n%s", len(grants), want, said.all())
				}
				return grants
			}
			grants := granted(4) // each database, and what is built beside it
			granted(1)           // whose trigger it is shows only now
			e.run(t, 0, "refresh")
			want := column(t, dbs["crm"], "SELECT count(*) FROM people") + "|" + column(t, dbs["web"], "SELECT group_concat(person_id ORDER BY id) FROM visits")
			got := column(t, dbs["crm_stage"], "SELECT count(*) FROM people") + "|" + column(t, dbs["web_stage"], "SELECT group_concat(person_id ORDER BY id) FROM visits")
			same(t, "the rows", want, got)
			if fired := column(t, dbs["web_stage"], "SELECT count(*) FROM visits WHERE note = 'fired'"); fired != "0" {
				t.Errorf("the trigger fired for %s rows", fired)
			}
			leads := "SELECT concat_ws(' ', constraint_name, unique_constraint_schema, referenced_table_name) FROM information_schema.referential_constraints WHERE constraint_schema = "
			same(t, "the foreign key across", "visitor crm_stage people", column(t, admin, leads+"'web_stage'"))
			if leaked := column(t, dbs["crm_stage"], "SELECT count(*) FROM people WHERE email LIKE '%@private.test'"); leaked != "0" {
				t.Errorf("%s e-mail addresses are production's", leaked)
			}
			before := mysqlContent(t, dbs["crm_stage"]) + mysqlContent(t, dbs["web_stage"])
			var single [][2]string // a privilege, and where
			for _, g := range grants {
				names, where, _ := strings.Cut(strings.TrimPrefix(g, "GRANT "), " ON ")
				for _, name := range strings.Split(names, ", ") {
					single = append(single, [2]string{name, where})
				}
			}
			for _, one := range scratchtest.Some(t, single, 6) {
				statement(t, admin, "REVOKE "+one[0]+" ON "+strings.Replace(one[1], " TO ", " FROM ", 1))
				code := 4
				if one[0] == "SELECT" && !strings.Contains(one[1], "%`.*") { // nothing can be told of the rest then
					code = 6
				}
				e.run(t, code, "refresh").wants(t, "lacks "+one[0]+" in ")
				same(t, "staging after a refused run", before, mysqlContent(t, dbs["crm_stage"])+mysqlContent(t, dbs["web_stage"]))
				statement(t, admin, "GRANT "+one[0]+" ON "+one[1])
			}
			e.run(t, 0, "refresh")
			// An owner mightier than the user is found before the switch, not after it.
			before = mysqlContent(t, dbs["crm_stage"]) + mysqlContent(t, dbs["web_stage"])
			statement(t, dbs["web_stage"], "DROP TRIGGER noted", "CREATE TRIGGER noted BEFORE INSERT ON visits FOR EACH ROW SET NEW.note = 'fired'")
			if !maria {
				e.run(t, 6, "refresh").wants(t, "may not make it again for", "SYSTEM_USER")
				same(t, "staging after a refused run", before, mysqlContent(t, dbs["crm_stage"])+mysqlContent(t, dbs["web_stage"]))
			} else {
				e.run(t, 0, "refresh")
			}
			statement(t, admin, "REVOKE SELECT ON web.* FROM reader@'%'")
			if said := e.run(t, 6, "refresh"); !strings.Contains(said.all(), "web") {
				t.Errorf("it does not say which database cannot be read:\n%s", said.all())
			}
		})
	}
}

// Into an empty target come views, routines, triggers and events as well: what a user
// needs for them is all in the plan, and when a plan asks for nothing more, a refresh
// succeeds and leaves no grant of its own.
func TestGrantsForAWholeStructureOnMySQL(t *testing.T) {
	for product, maria := range map[string]bool{"MariaDB": true, "MySQL": false} {
		t.Run(product, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, map[string]string{"log-bin": "binlog", "server-id": "1"})
			admin := mysqlClient(t, server.URL(""))
			statement(t, admin, "CREATE DATABASE prod CHARACTER SET utf8mb4", "CREATE DATABASE stage CHARACTER SET utf8mb4", "CREATE USER owner@'%' IDENTIFIED BY 'secret'", "GRANT SELECT ON stage.* TO owner@'%'",
				"CREATE USER reader@'%' IDENTIFIED BY 'secret'", "GRANT SELECT ON prod.* TO reader@'%'", "SET GLOBAL log_bin_trust_function_creators = 0")
			statement(t, mysqlClient(t, server.URL("prod")), "CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY COMMENT 'a number', name varchar(60) NOT NULL)", "INSERT INTO people (name) VALUES ('Ann'), ('Bob')",
				"CREATE FUNCTION doubled(n int) RETURNS int DETERMINISTIC RETURN 2 * n", "CREATE PROCEDURE nothing() SELECT 1", "CREATE VIEW shown AS SELECT doubled(id) AS twice FROM people",
				"CREATE TRIGGER noted BEFORE INSERT ON people FOR EACH ROW SET NEW.name = upper(NEW.name)", "CREATE EVENT never ON SCHEDULE EVERY 1 YEAR DO DELETE FROM people")
			as := func(user, database string) string {
				u, err := url.Parse(server.URL(database))
				if err != nil {
					t.Fatal(err)
				}
				u.User = url.UserPassword(user, "secret")
				return u.String()
			}
			e := newErrand(t, as("reader", "prod"), as("owner", "stage"), plainJob(keepNone), map[string]string{"r.yaml": "version: 1\ntables:\n  people: {columns: {id: {keep: \"a number\"}, name: full_name}}\n"})
			asks := regexp.MustCompile(`SET GLOBAL log_bin_trust_function_creators = 1|GRANT [A-Z_, ]+ ON [^ ]+( TO [^ \n]+)?`)
			rounds := 0
			for ; rounds < 6; rounds++ {
				code, said := e.start(t, nil, "plan", "--json")
				asked := 0
				for _, g := range asks.FindAllString(strings.ReplaceAll(said.all(), `\\`, `\`), -1) {
					g = strings.TrimRight(g, "\",.:;\n")
					if strings.HasPrefix(g, "GRANT ") && !strings.Contains(g, " TO ") {
						g += " TO reader@'%'"
					}
					if !strings.Contains(g, " PROCESS ") && !strings.Contains(g, " SUPER ") {
						statement(t, admin, g)
						asked++
					}
				}
				if asked == 0 {
					if code != 0 {
						t.Fatalf("exit %d, and no grant is named:\n%s", code, said.all())
					}
					break
				}
			}
			if rounds > 2 { // what the source hides, then what the target needs for it
				t.Errorf("%d rounds", rounds)
			}
			e.run(t, 0, "plan").wants(t, "comments of tables and columns come along as they are, and no rule masks them:")
			e.run(t, 0, "refresh", "--claim")
			same(t, "what is there", "EVENT never|FUNCTION doubled|PROCEDURE nothing|TRIGGER noted|VIEW shown", column(t, admin, `SELECT group_concat(concat_ws(' ', k, n) ORDER BY 1 SEPARATOR '|') FROM (
				SELECT 'TRIGGER' k, trigger_name n FROM information_schema.triggers WHERE trigger_schema = 'stage' UNION ALL SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = 'stage'
				UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = 'stage' UNION ALL SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = 'stage') x`))
			if left := column(t, admin, `SELECT count(*) FROM mysql.procs_priv WHERE db LIKE 'stage\_%'`); left != "0" {
				t.Errorf("%s grants on routines of databases that are gone", left)
			}
			e.run(t, 0, "verify")
		})
	}
}
