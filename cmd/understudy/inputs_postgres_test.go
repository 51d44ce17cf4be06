package main

import (
	"net/url"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestInputsOnPostgres makes the mistakes that only a server can tell: wrong
// passwords, missing privileges, transport, one database under two names. The
// target's content is the same afterwards, and no password comes back.
func TestInputsOnPostgres(t *testing.T) {
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	const tables = `CREATE TABLE customers (id integer PRIMARY KEY, name varchar(60) NOT NULL, email varchar(80) NOT NULL UNIQUE, city varchar(40), note text, age integer, vip boolean);
		CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers, total numeric(10,2), placed_at timestamp)`
	scratchtest.SQL(t, source, tables+`; INSERT INTO customers VALUES (1, 'Anna `+inputCanary+`', 'anna@`+inputCanary+`.test', NULL, '`+inputCanary+`', 41, true);
		INSERT INTO orders VALUES (1, 1, 10.50, NULL)`)
	scratchtest.SQL(t, target, tables+`; INSERT INTO customers VALUES (9, 'old', 'old@`+inputCanary+`.test', NULL, NULL, 1, false)`)
	change := func(address string, f func(*url.URL)) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	port := func(p string) func(*url.URL) { return func(u *url.URL) { u.Host = u.Hostname() + ":" + p } }
	query := func(q string) func(*url.URL) { return func(u *url.URL) { u.RawQuery = q } }
	user := func(name string) func(*url.URL) {
		return func(u *url.URL) { u.User = url.UserPassword(name, inputCanary) }
	}
	blind := scratchtest.Role(t, source, "GRANT USAGE ON SCHEMA public TO %s")
	closed := listen(t)
	where := func(text string) []string { return job("percent: 50", "where: "+quotedYAML(text)) }
	rows := []badInput{
		{name: "nobody listens", env: map[string]string{"PROD_URL": change(source, port("1"))}, exit: 6, says: "source", hint: "host and port"},
		{name: "not a database server", env: map[string]string{"PROD_URL": closed.url("db")}, exit: 6, says: "source"},
		{name: "no such database", env: map[string]string{"PROD_URL": change(source, func(u *url.URL) { u.Path = "/nowhere" })}, exit: 6, says: "source"},
		{name: "no such role", env: map[string]string{"PROD_URL": change(source, user("nobody_here"))}, exit: 6, says: "source"},
		{name: "no TLS where it is wanted", env: map[string]string{"PROD_URL": change(source, query("sslmode=verify-full"))}, exit: 6, says: "source"},
		{name: "role that may not read", args: "refresh --claim", env: map[string]string{"PROD_URL": blind}, exit: 6, says: "source"},
		{name: "same database", env: map[string]string{"STAGING_URL": source}, exit: 4, says: "same database", hint: "staging database of its own"},
		{name: "same database by another name", env: map[string]string{"STAGING_URL": change(source, func(u *url.URL) { u.Host = "localhost:" + u.Port() })}, exit: 4, says: "same database"},
		{name: "unclaimed", args: "refresh", exit: 4, says: "public.customers", hint: "--claim"},
		{name: "new column", args: "refresh --claim", edit: inRules("      city: city\n", ""), exit: 3, says: "public.customers.city", hint: "city"},
		{name: "fragment copies out", args: "refresh --claim", edit: where("true) to stdout; commit; insert into customers values (2, '" + inputCanary + "'); copy (select 1"), exit: 4, at: "understudy.yaml:8", says: "fragment", shows: true},
		{name: "fragment union", args: "refresh --claim", edit: where("true) union select * from orders where (true"), exit: 4, at: "understudy.yaml:8", says: "fragment", shows: true},
		{name: "fragment subquery", args: "refresh --claim", edit: where("id in (select customer_id from orders)"), exit: 4, at: "understudy.yaml:8", says: "fragment", shows: true},
		{name: "fragment writes", args: "refresh --claim", edit: where("pg_terminate_backend(1)"), exit: 4, at: "understudy.yaml:8", says: "fragment", shows: true},
		{name: "fragment unknown column", args: "refresh --claim", edit: where("nosuch = '" + inputCanary + "'"), exit: 2, at: "understudy.yaml:8", says: "fragment", shows: true},
	}
	good := map[string]string{"understudy.yaml": goodJob, "rules/rules.yaml": strings.Replace(goodRules, "{match: {key: surrogate}, keep: \"generated number\"}", "{match: {type: boolean}, keep: \"two values\"}", 1)}
	good["rules/rules.yaml"] = strings.Replace(good["rules/rules.yaml"], `"age, vip"`, `"id, age"`, 1)
	good["rules/rules.yaml"] = strings.Replace(good["rules/rules.yaml"], "      total:", "      id: {keep: \"a number\"}\n      total:", 1)
	before, ours := scratchtest.Digest(t, target), scratchtest.Digest(t, source)
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
			if scratchtest.Digest(t, target) != before || scratchtest.Digest(t, source) != ours {
				t.Error("a database was changed")
			}
		})
	}
}

// TestDemoOnPostgres runs the demo on servers that it starts and stops itself.
func TestDemoOnPostgres(t *testing.T) {
	if testing.Short() {
		t.Skip("the demo on PostgreSQL starts a server")
	}
	dir := t.TempDir()
	code, stdout, stderr := understudy(t, nil, "demo", "--engine", "postgres", "--dir", dir)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	for _, want := range []string{"Columns: 26 masked, 56 kept", "Parity: 7 differences", "all passed", "The same five in staging"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if n := strings.Count(stdout+stderr, "\n"); n > 110 {
		t.Errorf("%d lines are more than a first minute reads", n)
	}
}
