package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/canarytest"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// mysqlCages has the masks and the kinds of columns of MariaDB and MySQL.
func mysqlCages() []cage {
	return []cage{
		{"full_name", "varchar(80) NOT NULL", "full_name", word(14, "'%s Berg'")},
		{"first_name", "tinytext", "first_name", word(12, "'%s'")},
		{"username", "varchar(60) NOT NULL UNIQUE", "username", word(14, "'%s'")},
		{"email", "varchar(90) NOT NULL UNIQUE CHECK (email LIKE '%@%.%')", "email", address},
		{"latin", "varchar(60) CHARACTER SET latin1", "email", word(24, "'%s@x.test'")},
		{"phone", "varchar(30)", "phone", number(12, "'+%d'")},
		{"mobile", "bigint", "phone", number(13, "%d")},
		{"street", "varchar(90)", "street", word(16, "'%s Road 7'")},
		{"city", "varchar(60)", "city", word(12, "'%s'")},
		{"company", "varchar(60)", "company", word(14, "'%s & Sons'")},
		{"account", "char(20) NOT NULL UNIQUE", "fpe", word(20, "'%s'")},
		{"account_no", "bigint unsigned UNIQUE", "fpe", number(15, "%d")},
		{"balance", "decimal(18,2)", "fpe", number(14, "%d.25")},
		{"serial_no", "bigint NOT NULL CHECK (serial_no > 0)", "int", number(15, "%d")},
		{"token", "char(36) NOT NULL UNIQUE", "uuid", planted("'%s'", uuid)},
		{"secret", "varchar(64) NOT NULL", "hash", word(24, "'%s'")},
		{"secret_bytes", "varbinary(64)", "hash", word(24, "'%s'")},
		{"born", "date", "{mask: date_shift, within: 30d}", planted("'%s'", day)},
		{"seen", "datetime(6)", "{mask: date_shift, within: 30d, class: visit}", planted("'%s 11:22:33.123456'", day)},
		{"notes", "text NOT NULL", "{mask: redact, class: free_text}", word(24, "'before %s after'")},
		{"essay", "longtext", "{mask: redact, class: free_text}", word(24, "concat(repeat('x', 20000), ' %s ', repeat('y', 9000))")},
		{"picture", "mediumblob", "{mask: redact, class: free_text}", word(24, "concat(repeat('x', 20000), '%s')")},
		{"doc", "json", `{json: {"$.mail": email, "$.list[*].name": full_name}, others: redact}`, word(24, `'{"mail": "%[1]s@x.test", "list": [{"name": "%[1]s", "odd %[1]s": 1}, "%[1]s"], "%[1]s": {"x": "%[1]s"}}'`)},
		{"blank", "json", "{mask: redact, class: free_text}", word(24, `'{"contact": {"%[1]s key": ["%[1]s"]}}'`)},
		{"bare", "varchar(60)", "{mask: constant, value: x, class: free_text}", word(24, "'%s'")},
		{"ratio", "decimal(30,15)", "{mask: redact, class: score}", number(15, "0.%d")},
		{"place", "varchar(60)", "nullify", word(24, "'%s'")},
		{"padded", "char(60) CHARACTER SET utf8mb3", "{mask: redact, class: free_text}", word(24, "'%s'")},
	}
}

// TestCanariesStayInTheSourceOnMySQL masks a database whole and searches the
// target's dump, its files with redo, undo and binary logs, its log of all
// statements, the reports and all that was said.
func TestCanariesStayInTheSourceOnMySQL(t *testing.T) {
	for product, start := range map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL} {
		t.Run(product, func(t *testing.T) {
			server := start(t)
			list := canarytest.New()
			from := mysqlClient(t, server.URL(""))
			name := "canaries_" + strings.ToLower(hexes(8))
			statement(t, from, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
			from = mysqlClient(t, server.URL(name))
			var columns, names []string
			rules := []string{"version: 1", "tables:", "  people:", "    columns:", "      id: {keep: a number}"}
			for _, c := range mysqlCages() {
				columns, names = append(columns, c.column+" "+c.ddl), append(names, c.column)
				rules = append(rules, "      "+c.column+": "+c.rule)
			}
			rules = append(rules, "  logins: {columns: {realm: {mask: redact, class: free_text}}}", "  keyless: {columns: {word: hash}}")
			structure := []string{"CREATE TABLE people (id int PRIMARY KEY, " + strings.Join(columns, ", ") + ", loud varchar(120) AS (upper(email)) STORED, quiet varchar(120) AS (lower(full_name)) VIRTUAL, FULLTEXT KEY words (notes), KEY by_name (full_name))",
				"CREATE TABLE logins (username varchar(60) PRIMARY KEY, realm varchar(60) NOT NULL, FOREIGN KEY (username) REFERENCES people (username))", "CREATE TABLE keyless (word varchar(60))",
				"CREATE VIEW directory AS SELECT full_name, quiet FROM people"}
			statement(t, from, structure...)
			for row := range 20 {
				var values []string
				for _, c := range mysqlCages() {
					values = append(values, c.bird(t, list, fmt.Sprintf("people.%s %d", c.column, row)))
				}
				statement(t, from, fmt.Sprintf("INSERT INTO people (id, %s) VALUES (%d, %s)", strings.Join(names, ", "), row, strings.Join(values, ", ")))
			}
			statement(t, from, "INSERT INTO logins SELECT username, full_name FROM people", "INSERT INTO keyless VALUES ('"+list.Text(t, "keyless.word", 24)+"')")
			dump := mysqlProgram(t, product, "mariadb-dump", "mysqldump")
			list.MissingNone(t, "the source", list.InText("dump", string(clientOf(t, dump, server.URL(name), nil))))

			target := scratchtest.OwnMySQL(t, product == "MariaDB", map[string]string{"general_log": "1", "general_log_file": "all.log", "binlog_format": "ROW", "slow_query_log": "1", "long_query_time": "0"})
			statement(t, mysqlClient(t, target.URL("")), "CREATE DATABASE staging CHARACTER SET utf8mb4")
			for _, infile := range []string{"1", "0"} { // rows by LOAD DATA LOCAL, rows by INSERT
				statement(t, mysqlClient(t, target.URL("")), "SET GLOBAL local_infile = "+infile)
				e := newErrand(t, server.URL(name), target.URL("staging"), plainJob("load: {mode: swap, keep: 1}"), map[string]string{"all.yaml": strings.Join(rules, "\n") + "\n"})
				var told strings.Builder
				for _, args := range [][]string{{"plan"}, {"refresh", "--claim"}, {"verify"}, {"parity"}, {"refresh", "--json"}} {
					s := e.run(t, 0, args...)
					told.WriteString(s.all())
				}
				if n := column(t, mysqlClient(t, target.URL("staging")), "SELECT count(*) FROM people"); n != "20" {
					t.Errorf("%s rows came", n)
				}
				list.FoundNone(t, "what was said", list.InText("output", told.String()))
				list.FoundNone(t, "the reports", list.InFiles(t, e.dir))
			}
			list.FoundNone(t, "the target's dump", list.InText("dump", string(clientOf(t, dump, target.URL("staging"), nil))))
			if log, err := os.ReadFile(filepath.Join(target.DataDir(), "all.log")); err != nil || !strings.Contains(string(log), "INSERT INTO") || !strings.Contains(string(log), "LOAD DATA") {
				t.Errorf("the log of all statements holds none that loads rows (%v)", err)
			}
			list.FoundNone(t, "the target's files", list.InFiles(t, filepath.Dir(target.DataDir())))
		})
	}
}
