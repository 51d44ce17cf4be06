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
