package main

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"
)

// TestInputsOnMySQL makes the mistakes that belong to MariaDB and MySQL: forms of
// the URL, privileges, fragments of SQL. Both databases are the same afterwards,
// and no password or value comes back.
func TestInputsOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		source, from := fresh()
		target, to := fresh()
		tables := []string{`CREATE TABLE customers (id int PRIMARY KEY, name varchar(60) NOT NULL, email varchar(80) NOT NULL UNIQUE, city varchar(40), note text, age int, vip boolean)`,
			`CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, total numeric(10,2), placed_at datetime, FOREIGN KEY (customer_id) REFERENCES customers (id))`}
		statement(t, from, append(tables, `INSERT INTO customers VALUES (1, 'Anna `+inputCanary+`', 'anna@`+inputCanary+`.test', NULL, '`+inputCanary+`', 41, true)`, `INSERT INTO orders VALUES (1, 1, 10.50, NULL)`)...)
		statement(t, to, append(tables, `INSERT INTO customers VALUES (9, 'old', 'old@`+inputCanary+`.test', NULL, NULL, 1, false)`)...)
		blind := "blind_" + column(t, from, "SELECT database()")[5:]
		statement(t, from, "CREATE USER "+blind+" IDENTIFIED BY '"+inputCanary+"'", "GRANT SELECT (id) ON customers TO "+blind)
		t.Cleanup(func() { _, _ = from.Exec("DROP USER " + blind) }) // the server may be stopped by now
		change := func(address string, f func(*url.URL)) string {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			f(u)
			return u.String()
		}
		prod := func(f func(*url.URL)) map[string]string { return map[string]string{"PROD_URL": change(source, f)} }
		query := func(q string) map[string]string { return prod(func(u *url.URL) { u.RawQuery = q }) }
		path := func(p string) map[string]string { return prod(func(u *url.URL) { u.Path = p }) }
		user := func(name string) map[string]string {
			return prod(func(u *url.URL) { u.User = url.UserPassword(name, inputCanary) })
		}
		raw := func(text string) map[string]string { return map[string]string{"PROD_URL": text} }
		closed := listen(t)
		where := func(text string) []string { return job("percent: 50", "where: "+quotedYAML(text)) }
		const c, urlAt, seedAt = inputCanary, "understudy.yaml:2:9", "understudy.yaml:8"
		rows := []badInput{
			{name: "driver's form", env: raw("mysql://app:" + c + "@tcp(db:3306)/shop"), exit: 2, at: urlAt, says: "driver's form"},
			{name: "no scheme", env: raw("app:" + c + "@db/shop"), exit: 2, at: urlAt},
			{name: "a scheme of jdbc's", env: raw("jdbc:mysql://db/shop?password=" + c), exit: 2, at: urlAt},
			{name: "no database", env: path("/"), exit: 2, at: urlAt, says: "names no database"},
			{name: "two parts", env: path("/a/" + c), exit: 2, at: urlAt, says: "more than one part"},
			{name: "the server's own database", env: path("/mysql"), exit: 2, at: urlAt, says: "of the server's own"},
			{name: "information_schema", env: path("/information_schema"), exit: 2, at: urlAt, says: "of the server's own"},
			{name: "no user", env: prod(func(u *url.URL) { u.User = nil }), exit: 2, at: urlAt, says: "names no user"},
			{name: "several hosts", env: prod(func(u *url.URL) { u.Host = "a,b" }), exit: 2, at: urlAt, says: "several hosts"},
			{name: "open password", env: raw("mysql://app:a#" + c + "@db/shop"), exit: 2, at: urlAt, says: "percent-encode"},
			{name: "a setting", env: query("sql_mode=" + c), exit: 2, at: urlAt, says: "would change what values"},
			{name: "several statements", env: query("multiStatements=true"), exit: 2, at: urlAt, says: "would change what values"},
			{name: "a driver's tls", env: query("tls=skip-verify"), exit: 2, at: urlAt, says: "ssl-mode"},
			{name: "TLS that falls back", env: query("ssl-mode=preferred"), exit: 2, at: urlAt, says: "plaintext"},
			{name: "TLS of no mode", env: query("ssl-mode=" + c), exit: 2, at: urlAt, says: "not one of"},
			{name: "a parameter mistyped", env: query("ssl_mode=required"), exit: 2, at: urlAt, says: `did you mean "ssl-mode"`},
			{name: "a parameter twice", env: query("ssl-mode=required&ssl-mode=disabled"), exit: 2, at: urlAt, says: "twice"},
			{name: "half a certificate", env: query("ssl-cert=/x"), exit: 2, at: urlAt, says: "ssl-key"},
			{name: "no such authority", env: query("ssl-mode=verify_ca&ssl-ca=/nowhere/" + c), exit: 6, says: "ssl-ca"},
			{name: "a relative socket", env: query("socket=s.sock"), exit: 2, at: urlAt, says: "absolute path"},
			{name: "time limit", env: query("connect-timeout=" + c), exit: 2, at: urlAt, says: "connect-timeout"},
			{name: "another engine's target", env: map[string]string{"STAGING_URL": "sqlite:staging.db"}, exit: 2, says: "engine"},
			{name: "nobody listens", env: prod(func(u *url.URL) { u.Host = u.Hostname() + ":1" }), exit: 6, says: "source", hint: "host and port"},
			{name: "not a database server", env: map[string]string{"PROD_URL": strings.Replace(closed.url("db"), "postgres://", "mysql://", 1)}, exit: 6, says: "source"},
			{name: "no such database", env: path("/nowhere"), exit: 6, says: "source"},
			{name: "no such user", env: user("nobody_here"), exit: 6, says: "source"},
			{name: "a user who may not read", args: "refresh --claim", env: user(blind), exit: 6, says: "source"},
			{name: "same database", env: map[string]string{"STAGING_URL": source}, exit: 4, says: "same database", hint: "staging database of its own"},
			{name: "same database by another name", env: map[string]string{"STAGING_URL": change(source, func(u *url.URL) { u.Host = "localhost:" + u.Port() })}, exit: 4, says: "same database"},
			{name: "unclaimed", args: "refresh", exit: 4, says: "customers", hint: "--claim"},
			{name: "new column", args: "refresh --claim", edit: inRules("      city: city\n", ""), exit: 3, says: "customers.city", hint: "city"},
			{name: "fragment ends the statement", args: "refresh --claim", edit: where("true; delete from customers"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment closes a bracket", args: "refresh --claim", edit: where("true) union select * from orders where (true"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment subquery", args: "refresh --claim", edit: where("id in (select customer_id from orders)"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment writes a file", args: "refresh --claim", edit: where("true into outfile '/tmp/" + c + "'"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment sleeps", args: "refresh --claim", edit: where("sleep(1000)"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment reads a file", args: "refresh --claim", edit: where("load_file('/etc/passwd') is null"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment comment", args: "refresh --claim", edit: where("true /*! or sleep(9) */"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment variable", args: "refresh --claim", edit: where("@a := 1"), exit: 4, at: seedAt, says: "fragment", shows: true},
			{name: "fragment unknown column", args: "refresh --claim", edit: where("nosuch = '" + c + "'"), exit: 2, at: seedAt, says: "fragment", shows: true},
		}
		good := map[string]string{"understudy.yaml": goodJob, "rules/rules.yaml": strings.NewReplacer("{match: {key: surrogate}, keep: \"generated number\"}", "{match: {type: boolean}, keep: \"two values\"}",
			`"age, vip"`, `"id, age"`, "      total:", "      id: {keep: \"a number\"}\n      total:").Replace(goodRules)}
		ours, before := mysqlContent(t, from), mysqlContent(t, to)
		for _, row := range rows {
			t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
				dir := t.TempDir()
				row.prepare(t, good, dir)
				env := map[string]string{"PROD_URL": source, "STAGING_URL": target}
				for k, v := range row.env {
					env[k] = v
				}
				row.env = env
				for _, asJSON := range []bool{false, true} {
					row.try(t, dir, closed, asJSON)
				}
				if mysqlContent(t, to) != before || mysqlContent(t, from) != ours {
					t.Error("a database was changed")
				}
			})
		}
	})
}
