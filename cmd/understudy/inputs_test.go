package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"understudy/internal/cli"
)

// inputCanary stands wherever a bad input can hold a secret or a value. It must
// not come back in any output.
const inputCanary = "Qx7canaryZw"

// A badInput is one mistake that a user can make, and what the program must say to it.
type badInput struct {
	name  string
	args  string            // after understudy; default: plan
	edit  []string          // file, old, new: changes of the good files
	write map[string]string // files written as a whole
	env   map[string]string // changes of the good environment
	setup func(t *testing.T, dir string)
	real  bool // the URLs are those of the SQLite files; else of a listener that must stay alone
	exit  int
	at    string // where the mistake stands
	says  string // part of the message
	hint  string // part of the hint; "-" where there is none to give
	// shows: the canary stands in a name or fragment that the plan must show; the complaint still must not.
	shows bool
}

const (
	goodJob = `version: 1
source: ${PROD_URL}
target: ${STAGING_URL}
key: {env: UNDERSTUDY_KEY}
rules: [rules/rules.yaml]
subset:
  seeds:
    - {table: customers, percent: 50}
report: {dir: reports, keep: 3}
`
	goodRules = `version: 1
defaults:
  - {match: {key: surrogate}, keep: "generated number"}
tables:
  customers:
    columns:
      name: full_name
      email: {mask: email}
      city: city
      note: {mask: redact, class: free_text}
      "age, vip": {keep: "a number says little"}
  orders:
    columns:
      total: {keep: "an amount"}
      placed_at: {keep: "event time"}
`
	prodSQL = `create table customers (id integer primary key, name varchar(60) not null, email varchar(80) not null unique, city varchar(40), note text, age integer, vip boolean);
create table orders (id integer primary key, customer_id integer not null references customers(id), total numeric(10,2), placed_at timestamp);
create index orders_customer on orders(customer_id);
insert into customers values (1, 'Anna ` + inputCanary + `', 'anna@` + inputCanary + `.test', 'Oslo', 'call ` + inputCanary + `', 41, 1), (2, 'Bo', 'bo@private.test', null, null, 17, 0);
insert into orders values (1, 1, 10.50, '2026-01-02 03:04:05'), (2, 2, 3, null);`
	emptySQL = `create table customers (id integer primary key, name varchar(60) not null, email varchar(80) not null unique, city varchar(40), note text, age integer, vip boolean);
create table orders (id integer primary key, customer_id integer not null references customers(id), total numeric(10,2), placed_at timestamp);
create index orders_customer on orders(customer_id);`
)

// job edits the job file: what stands there, what stands there instead.
func job(old, replacement string) []string { return []string{"understudy.yaml", old, replacement} }

// inRules edits the rules file.
func inRules(old, replacement string) []string { return []string{"rules/rules.yaml", old, replacement} }

// sqlFile runs statements on one of the SQLite files before the program starts.
func sqlFile(name, statements string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { execute(t, filepath.Join(dir, name), statements) }
}

func execute(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatalf("%s: %v", filepath.Base(path), err)
	}
}

// badFiles are mistakes in the YAML and the structure of the files.
func badFiles() []badInput {
	c := inputCanary
	return []badInput{
		{name: "yaml tab", edit: job("\n  seeds:", "\n\tseeds:"), exit: 2, at: "understudy.yaml:7:2", says: "tab"},
		{name: "yaml indentation", edit: job("  seeds:\n", "  seeds:\n  tables: {}\n seeds: "+c+"\n"), exit: 2, at: "understudy.yaml:9"},
		{name: "yaml quote left open", edit: job("rules: [rules/rules.yaml]", `rules: ["`+c), exit: 2, at: "understudy.yaml:5", says: "quote"},
		{name: "yaml bracket left open", edit: job("[rules/rules.yaml]", "[rules/rules.yaml"), exit: 2, at: "understudy.yaml:"},
		{name: "yaml key twice", edit: job("target: ${STAGING_URL}", "target: ${STAGING_URL}\ntarget: "+c), exit: 2, at: "understudy.yaml:4:1", says: "twice"},
		{name: "yaml anchor", edit: job("rules: [", "rules: &"+c+" ["), exit: 2, at: "understudy.yaml:5:8", says: "anchor"},
		{name: "yaml alias", edit: job("rules: [rules/rules.yaml]", "rules: *all"), exit: 2, at: "understudy.yaml:5:8"},
		{name: "yaml tag", edit: job("[rules/rules.yaml]", "!!binary "+c), exit: 2, at: "understudy.yaml:5:8", says: "tag"},
		{name: "yaml two documents", edit: job("report:", "---\nreport:"), exit: 2, at: "understudy.yaml:9:1", says: "document"},
		{name: "yaml not utf-8", edit: job("rules: [", "rules: [\"\xff\xfe"+c+"\", "), exit: 2, at: "understudy.yaml:5", says: "UTF-8"},
		{name: "yaml empty file", write: map[string]string{"understudy.yaml": ""}, exit: 2, at: "understudy.yaml", says: "empty"},
		{name: "yaml a directory", write: map[string]string{"job.d/x": ""}, args: "plan -f job.d", exit: 2, at: "job.d", says: "directory"},
		{name: "yaml no file", args: "plan -f other.yaml", exit: 2, at: "other.yaml", says: "no such file", hint: "--job FILE"},
		{name: "yaml unquoted glob", edit: inRules("{match: {key: surrogate},", "{match: {column: *"+c+"*},"), exit: 2, at: "rules/rules.yaml:3:22", says: "quote"},
		{name: "yaml comma in a reason", edit: inRules(`{keep: "an amount"}`, "{keep: an amount, "+c+"}"), exit: 2, at: "rules/rules.yaml:14"},
		{name: "yaml control character", edit: inRules("an amount", `an \e[31m`+c), exit: 2, at: "rules/rules.yaml:14:21", says: "control character"},

		{name: "structure unknown key", edit: job("target:", "targt:"), exit: 2, at: "understudy.yaml:3:1", says: `unknown key "targt"`, hint: "target"},
		{name: "structure missing key", edit: job("key: {env: UNDERSTUDY_KEY}\n", ""), exit: 2, at: "understudy.yaml:1:1", says: "lacks key", hint: "key: {env: UNDERSTUDY_KEY}"},
		{name: "structure version", edit: job("version: 1", "version: 2"), exit: 2, at: "understudy.yaml:1:10"},
		{name: "structure list for a map", edit: job("report: {dir: reports, keep: 3}", "report: ["+c+"]"), exit: 2, at: "understudy.yaml:9:9", says: "mapping"},
		{name: "structure map for a text", edit: job("source: ${PROD_URL}", "source: {url: "+c+"}"), exit: 2, at: "understudy.yaml:2:9"},
		{name: "structure text for a number", edit: job("percent: 50", "percent: "+c), exit: 2, at: "understudy.yaml:8:35", says: "number"},
		{name: "structure percent out of range", edit: job("percent: 50", "percent: 120"), exit: 2, at: "understudy.yaml:8:35", says: "100"},
		{name: "structure fraction of rows", edit: job("percent: 50", "limit: 2.5"), exit: 2, at: "understudy.yaml:8:33", says: "whole number"},
		{name: "structure duration", edit: job("report:", "limits: {lock_wait: "+c+"}\nreport:"), exit: 2, at: "understudy.yaml:9:21", says: "duration such as 30s"},
		{name: "structure readers", edit: job("report:", "limits: {readers: 0}\nreport:"), exit: 2, at: "understudy.yaml:9:19"},
		{name: "structure word", edit: job("report:", "orphans: "+c+"\nreport:"), exit: 2, at: "understudy.yaml:9:10", says: "fail"},
		{name: "structure mode", edit: job("report:", "load: {mode: "+c+"}\nreport:"), exit: 2, at: "understudy.yaml:9:14", says: "replace"},
		{name: "structure by without per_parent", edit: job("percent: 50}", "percent: 50}\n  tables: {orders: {where: id > 1, by: customer_id}}"), exit: 2, at: "understudy.yaml:9:36", says: "none", hint: "per_parent"},
		{name: "structure parity out of range", edit: job("report:", "parity: {minimum: "+c+"}\nreport:"), exit: 2, at: "understudy.yaml:9:19", says: "number"},
		{name: "structure parity without waivers", edit: job("report:", "parity: {waivers: none.yaml}\nreport:"), exit: 2, at: "understudy.yaml:9:19", says: "there is no file"},
		{name: "structure table name", edit: job("table: customers", `table: "a.b.`+c+`.d"`), exit: 2, at: "understudy.yaml:8:15", says: "not a name"},
		{name: "structure no seeds", edit: job("  seeds:\n    - {table: customers, percent: 50}\n", "  unreached: small\n"), exit: 2, at: "understudy.yaml:7:3", says: "seeds"},
		{name: "structure order without limit", edit: job("percent: 50", "order: id"), exit: 2, at: "understudy.yaml:8:26", says: "limit"},
		{name: "structure preserved and discarded", edit: job("report:", "load: {preserve: [flags], discard: [flags]}\nreport:"), exit: 2, at: "understudy.yaml:9:37", says: "preserved as well"},
		{name: "structure variable inside", edit: job("${PROD_URL}", "postgres://u:${PASSWORD}@h/"+c), exit: 2, at: "understudy.yaml:2:9", says: "${NAME}"},
		{name: "structure schema twice", edit: job("report:", "schemas: [a, a]\nreport:"), exit: 2, at: "understudy.yaml:9:14", says: "already"},
		{name: "structure rule masks and keeps", edit: inRules("{mask: email}", `{mask: email, keep: "`+c+` because"}`), exit: 2, at: "rules/rules.yaml:8:14", says: "not both"},
		{name: "structure keep without a reason", edit: inRules(`{keep: "an amount"}`, `{keep: ""}`), exit: 2, at: "rules/rules.yaml:14:21"},
		{name: "structure default keeps", edit: inRules("{key: surrogate}, keep: \"generated number\"", "{column: \"*n*\"}, keep: \""+c+" number\""), exit: 2, at: "rules/rules.yaml:3:36", says: "surrogate"},
		{name: "structure unknown mask", edit: inRules("name: full_name", "name: fullname"), exit: 2, at: "rules/rules.yaml:7:13", says: "no mask of this name", hint: "full_name"},
		{name: "structure mask parameter", edit: inRules("{mask: redact, class: free_text}", "{mask: date_shift, within: "+c+"}"), exit: 2, at: "rules/rules.yaml:10:40", says: "date_shift"},
		{name: "structure no such rules file", edit: job("rules/rules.yaml", "rules/other.yaml"), exit: 2, at: "understudy.yaml:5:9", says: "rules/other.yaml"},
		{name: "structure empty glob", edit: job("rules/rules.yaml", `"rules/x-*.yaml"`), exit: 2, at: "understudy.yaml:5:9"},
		{name: "structure json without others", edit: inRules("city: city", "city: {json: {$.a: {mask: redact}}}"), exit: 2, at: "rules/rules.yaml:9:13", says: "lacks others", hint: "others: redact"},
	}
}

// badRules are rules that do not fit the structure in the lock file.
func badRules() []badInput {
	c := inputCanary
	const run = "rules check"
	return []badInput{
		{name: "schema unknown table", args: run, edit: inRules("  orders:", "  orderz:"), exit: 2, at: "rules/rules.yaml:12:3", says: "orderz", hint: "orders"},
		{name: "schema unknown column", args: run, edit: inRules("email: {mask", "emial: {mask"), exit: 2, at: "rules/rules.yaml:8:7", says: "emial", hint: "email"},
		{name: "schema default does not fit the keys", args: run, edit: inRules(`keep: "generated number"`, "mask: email"), exit: 3, says: "main.customers.id"},
		{name: "schema mask refuses the type", args: run, edit: inRules(`"age, vip": {keep: "a number says little"}`, "age: email\n      vip: {keep: \"two values\"}"), exit: 2, at: "rules/rules.yaml:11", says: "email"},
		{name: "schema column twice", args: run, edit: inRules("city: city", "city: city\n      \"city, note\": redact"), exit: 2, at: "rules/rules.yaml:10:7"},
		{name: "schema contradiction along a key", args: run, edit: inRules("total: {keep", "customer_id: {mask: int, class: "+c+"}\n      total: {keep"), exit: 2, at: "rules/rules.yaml:14:27"},
		{name: "schema unique column made constant", args: run, edit: inRules("{mask: email}", "{mask: constant, value: "+c+"}"), exit: 2, at: "rules/rules.yaml:8", says: "unique"},
		{name: "schema NOT NULL made NULL", args: run, edit: inRules("name: full_name", "name: nullify"), exit: 2, at: "rules/rules.yaml:7", says: "NOT NULL"},
		{name: "schema undecided column", args: run, edit: inRules("      city: city\n", ""), exit: 3, says: "main.customers.city", hint: "city"},
		{name: "schema undecided table", args: run, edit: inRules("  orders:\n    columns:\n      total: {keep: \"an amount\"}\n      placed_at: {keep: \"event time\"}\n", ""), exit: 3, says: "main.orders.total"},
		{name: "schema lock file broken", args: run, write: map[string]string{"schema.lock.json": "{\"" + c}, exit: 2, says: "schema.lock.json", hint: "--lock-only"},
		{name: "schema lock file of another version", args: run, write: map[string]string{"schema.lock.json": `{"version": 99}`}, exit: 2, says: "schema.lock.json", hint: "--lock-only"},
		{name: "schema reference to no table", args: run, edit: job("report:", "references: [{from: orders.total, to: clients.id}]\nreport:"), exit: 2, at: "understudy.yaml:9", shows: true},
		{name: "schema explain without a column", args: "rules explain customers", exit: 2, says: "customers", hint: "rules list"},
		{name: "schema explain unknown column", args: "rules explain customers.emial", exit: 2, says: "emial", hint: "rules list"},
	}
}

// badAddresses are URLs that no engine reads.
func badAddresses() []badInput {
	c := inputCanary
	source := func(url string) map[string]string { return map[string]string{"PROD_URL": url} }
	const at = "understudy.yaml:2:9"
	return []badInput{
		{name: "url unset", env: source(""), exit: 2, at: at, says: "PROD_URL is not set", hint: "export PROD_URL="},
		{name: "url both unset", env: map[string]string{"PROD_URL": "", "STAGING_URL": ""}, exit: 2, at: "understudy.yaml:3:9", says: "STAGING_URL is not set"},
		{name: "url no scheme", env: source("reader:" + c + "@db/shop"), exit: 2, at: at, says: "scheme", hint: "postgres://"},
		{name: "url bare path", env: source("/data/" + c + ".db"), exit: 2, at: at, says: "scheme", hint: "sqlite:"},
		{name: "url misspelt scheme", env: source("postgers://u:" + c + "@h/db"), exit: 2, at: at, says: "postgers", hint: "postgres://"},
		{name: "url mysql", env: source("mysql://u:" + c + "@h/db"), exit: 2, at: "understudy.yaml:3:9", says: "both must be one product"},
		{name: "url no database", env: source("postgres://u:" + c + "@h"), exit: 2, at: at, says: "no database", hint: "postgres://"},
		{name: "url no user", env: source("postgres://db.example/shop?password=" + c), exit: 2, at: at, says: "user"},
		{name: "url port", env: source("postgres://u:" + c + "@h:99999/db"), exit: 2, at: at, says: "port"},
		{name: "url password not encoded", env: source("postgres://u:a/" + c + "@h:5432/db"), exit: 2, at: at},
		{name: "url bad escape", env: source("postgres://u:%zz" + c + "@h/db"), exit: 2, at: at, says: "percent-encode"},
		{name: "url unknown parameter", env: source("postgres://u:" + c + "@h/db?sslmod=require"), exit: 2, at: at, says: "sslmode"},
		{name: "url options", env: source("postgres://u@h/db?options=-c%20" + c), exit: 2, at: at, says: "options"},
		{name: "url sslmode prefer", env: source("postgres://u:" + c + "@h/db?sslmode=prefer"), exit: 2, at: at, says: "plaintext", hint: "verify-full"},
		{name: "url several hosts", env: source("postgres://u:" + c + "@a,b/db"), exit: 2, at: at, says: "several hosts"},
		{name: "url sqlite parameter", env: source("sqlite:" + c + ".db?mode=rwc"), exit: 2, at: at, says: "no parameters"},
		{name: "url sqlite memory", env: source("sqlite::memory:"), exit: 2, at: at, says: "memory"},
		{name: "url sqlite host", env: source("sqlite://host/" + c + ".db"), exit: 2, at: at, says: "host"},
		{name: "url two products", env: source("sqlite:" + c + ".db"), exit: 2, at: "understudy.yaml:3:9", says: "sqlite and the target is postgres"},
		{name: "url init with a password", args: "init --source postgres://u:" + c + "@h/db", exit: 2, says: "--source holds a password", hint: "${NAME}"},
		{name: "url init target with a password", args: "init --target postgres://h/db?password=" + c, exit: 2, says: "--target holds a password", hint: "${NAME}"},
		{name: "url init unset", args: "init", env: source(""), exit: 2, says: "PROD_URL is not set", hint: "--source"},
	}
}

// badFlags are command lines that cannot be.
func badFlags() []badInput {
	c := inputCanary
	return []badInput{
		{name: "flag unknown command", args: "refesh", exit: 2, says: `no command "refesh"`, hint: "refresh"},
		{name: "flag unknown subcommand", args: "rules chek", exit: 2, says: `"check"`, hint: "rules --help"},
		{name: "flag unknown key command", args: "key make", exit: 2, says: "make", hint: "understudy key --help"},
		{name: "flag unknown", args: "plan --clam=" + c, exit: 2, says: `"--claim"`, hint: "plan --help"},
		{name: "flag unknown letter", args: "plan -x", exit: 2, says: "-x", hint: "--help"},
		{name: "flag without its value", args: "plan --job", exit: 2, says: "--job", hint: "--help"},
		{name: "flag not a number", args: "plan --batch-bytes " + c, exit: 2, says: "--batch-bytes", hint: "--help"},
		{name: "flag out of range", args: "plan --batch-bytes 5", exit: 2, says: "--batch-bytes 5", hint: "1024"},
		{name: "flag not a boolean", args: "refresh --claim=" + c, exit: 2, says: "--claim", hint: "--help"},
		{name: "flag stray argument", args: "refresh " + c, exit: 2, says: "takes no arguments", hint: "--help"},
		{name: "flag argument missing", args: "why customers", exit: 2, says: "KEY", hint: "understudy why"},
		{name: "flag explain nothing", args: "rules explain", exit: 2, says: "TABLE.COLUMN", hint: "rules explain"},
		{name: "flag list of what", args: "rules list makss", exit: 2, says: "makss", hint: "masks"},
		{name: "flag demo engine", args: "demo --engine oracle", exit: 2, says: "oracle", hint: "postgres"},
		{name: "flag key two places", args: "key fingerprint --file a --env B", exit: 2, says: "--file and --env"},
		{name: "flag key as json", args: "key new --json", exit: 2, says: "not printed as JSON", hint: "key new >"},
	}
}

// badKeys are masking keys that cannot be used.
func badKeys() []badInput {
	c := inputCanary
	key := func(v string) map[string]string { return map[string]string{"UNDERSTUDY_KEY": v} }
	keyed := func(mode fs.FileMode, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, "staging.key")
			if err := os.WriteFile(path, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := job("{env: UNDERSTUDY_KEY}", "{file: staging.key}")
	const at = "understudy.yaml:4:6"
	return []badInput{
		{name: "key unset", env: key(""), exit: 2, at: at, says: "UNDERSTUDY_KEY is not set", hint: "key new"},
		{name: "key a password", env: key(c), exit: 2, at: at, says: "usk1_", hint: "key new"},
		{name: "key too short", env: key("usk1_" + c), exit: 2, at: at, hint: "key new"},
		{name: "key of zeros", env: key("usk1_" + strings.Repeat("A", 43)), exit: 2, at: at, hint: "key new"},
		{name: "key with a stray letter", env: key(testKey[:len(testKey)-1] + "!"), exit: 2, at: at, hint: "key new"},
		{name: "key written into the job", edit: job("{env: UNDERSTUDY_KEY}", "usk1_"+c), exit: 2, at: at, hint: "env"},
		{name: "key two places", edit: job("{env: UNDERSTUDY_KEY}", "{env: A, file: "+c+"}"), exit: 2, at: at},
		{name: "key file missing", edit: file, exit: 2, at: at, says: "no key file", hint: "key new >"},
		{name: "key file others read", edit: file, setup: keyed(0o644, testKey+c), exit: 2, at: at, says: "0644", hint: "chmod 600"},
		{name: "key file empty", edit: file, setup: keyed(0o600, "\n"), exit: 2, at: at, says: "empty", hint: "key new"},
		{name: "key file of something else", edit: file, setup: keyed(0o600, "-----BEGIN "+c), exit: 2, at: at, hint: "key new"},
		{name: "key command missing", edit: job("{env: UNDERSTUDY_KEY}", "{command: [no-such-program-here]}"), exit: 2, at: at, says: "no-such-program-here", hint: "path"},
		{name: "key command fails", edit: job("{env: UNDERSTUDY_KEY}", "{command: [sh, -c, 'echo "+c+"; exit 3']}"), exit: 2, at: at, says: "status 3", hint: "by hand"},
		{name: "key command says nothing", edit: job("{env: UNDERSTUDY_KEY}", "{command: ['true']}"), exit: 2, at: at, says: "empty", hint: "key new"},
		{name: "key fingerprint of nothing", args: "key fingerprint --env NOT_SET_ANYWHERE", exit: 2, says: "NOT_SET_ANYWHERE is not set", hint: "key new"},
	}
}

// badSides are databases that a run must leave alone.
func badSides() []badInput {
	c := inputCanary
	return []badInput{
		{name: "guard same file", real: true, env: map[string]string{"STAGING_URL": "sqlite:prod.db"}, exit: 4, says: "same database", hint: "staging database of its own"},
		{name: "guard same file by a link", real: true, setup: func(t *testing.T, dir string) {
			if err := os.Symlink("prod.db", filepath.Join(dir, "link.db")); err != nil {
				t.Fatal(err)
			}
		}, env: map[string]string{"STAGING_URL": "sqlite:link.db"}, exit: 4, says: "same database"},
		{name: "guard unclaimed", real: true, args: "refresh", setup: sqlFile("staging.db", "insert into customers(id, name, email) values (9, 'old', 'old@"+c+".test')"), exit: 4, says: "main.customers", hint: "--claim"},
		{name: "guard rows that would be lost", real: true, args: "refresh --claim", setup: sqlFile("staging.db", "create table flags(id integer primary key, v text); insert into flags values (1, '"+c+"')"), exit: 4, says: "main.flags", hint: "load.preserve"},
		{name: "guard no source file", real: true, env: map[string]string{"PROD_URL": "sqlite:nowhere.db"}, exit: 6, says: "source"},
		{name: "guard not a database", real: true, setup: func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte(strings.Repeat(c, 500)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, env: map[string]string{"PROD_URL": "sqlite:text.db"}, exit: 6, says: "source"},
		{name: "guard budget", real: true, edit: job("percent: 50}", "percent: 100}\n  budget: {rows: 1}"), exit: 4, says: "budget", at: "understudy.yaml:9:18"},
		{name: "guard new column", real: true, args: "refresh", setup: sqlFile("prod.db", "alter table customers add column passport text default '"+c+"'"), exit: 3, says: "main.customers.passport", hint: "passport"},
		{name: "guard new table", real: true, args: "refresh", setup: sqlFile("prod.db", "create table tokens(id integer primary key, secret text); insert into tokens values (1, '"+c+"')"), exit: 3, says: "main.tokens.secret"},
		{name: "guard kept value of another type", real: true, args: "refresh", setup: sqlFile("prod.db",
			"with recursive n(i) as (select 10 union all select i+1 from n where i < 400) insert into customers(id, name, email, age) select i, 'n', i||'@x.test', i from n; update customers set age = '"+c+"' where id = 400"), exit: 3, says: "main.customers.age", hint: "typeof"},
		{name: "guard orphans", real: true, args: "refresh", edit: job("{table: customers, percent: 50}", "{table: orders, percent: 100}"), setup: sqlFile("prod.db", "insert into orders values (77, 4711, 1, null)"), exit: 5, says: "main.orders"},
		{name: "guard column that staging must have", real: true, setup: sqlFile("staging.db", "create table t2(x); drop table orders; create table orders(id integer primary key, customer_id integer not null references customers(id), total numeric(10,2), placed_at timestamp, channel text not null)"), exit: 2, says: "channel", hint: "default"},
		{name: "guard none but needed", real: true, edit: job("- {table: customers, percent: 50}", "- {table: orders, percent: 100}\n  tables: {customers: none}"), exit: 2, says: "main.customers"},
		{name: "guard seed of no table", real: true, edit: job("table: customers", "table: custmers"), exit: 2, at: "understudy.yaml:8:15", says: "custmers", hint: "customers"},
		{name: "guard preserve of no table", real: true, edit: job("report:", "load: {preserve: [flagz]}\nreport:"), exit: 2, at: "understudy.yaml:9:19", says: "flagz"},
		{name: "guard follow of no key", real: true, edit: job("percent: 50}", "percent: 50}\n  follow: [orders.total]"), exit: 2, at: "understudy.yaml:9:12", says: "orders.total"},
		{name: "guard verify what was never loaded", real: true, args: "verify", exit: 4, says: "manifest", hint: "refresh"},
		{name: "guard rollback without generations", real: true, args: "rollback", exit: 4, says: "no earlier generation", hint: "load.keep"},
		{name: "guard why of no table", real: true, args: "why custmers 1", exit: 2, says: "custmers", hint: "customers"},
		{name: "guard why of no row", real: true, args: "why customers 999", exit: 2, says: "main.customers"},
		{name: "guard why of a word for a number", real: true, args: "why customers first", exit: 2, says: "what was given is no key of main.customers: id is ", hint: "these types"},
		{name: "guard why of a half key", real: true, args: "why orders " + c, exit: 2, says: "main.orders"},
		{name: "guard init over files", real: true, args: "init", exit: 2, says: "understudy.yaml exists already", hint: "--force"},
		{name: "guard init of a job", real: true, args: "init -f understudy.yaml", exit: 2, says: "-f would say nothing", hint: "--lock-only"},
		{name: "guard init of nothing", real: true, args: "init --source sqlite:void.db --dir other", setup: sqlFile("void.db", "create table t(x); drop table t"), exit: 2, says: "no table"},
	}
}

// badFragments are pieces of SQL that must not reach production.
func badFragments() []badInput {
	c := inputCanary
	where := func(text string) []string {
		return job("percent: 50", "where: "+quotedYAML(text))
	}
	return []badInput{
		{name: "fragment copies out", edit: where("true) to stdout; commit; insert into customers values ('" + c + "'); copy (select 1"), says: "parenthesis"},
		{name: "fragment union", edit: where("true) union select * from orders where (true"), says: "parenthesis"},
		{name: "fragment statement", edit: where("true; drop table customers"), says: "semicolon"},
		{name: "fragment line comment", edit: where("true -- " + c), says: "comment"},
		{name: "fragment block comment", edit: where("true /* " + c + " */"), says: "comment"},
		{name: "fragment open comment", edit: where("true /* " + c), says: "comment"},
		{name: "fragment open quote", edit: where("name = '" + c), says: "quote"},
		{name: "fragment open parenthesis", edit: where("(age > 1"), says: "parenthesis"},
		{name: "fragment subquery", edit: where("id in (select customer_id from orders)"), says: "subquery", hint: "allow_subqueries"},
		{name: "fragment unknown column", edit: where("nosuch = '" + c + "'"), exit: 2, says: "fragment"},
		{name: "fragment misspelt", edit: where("age >>> 3 '" + c + "'"), exit: 2, says: "fragment"},
		{name: "fragment random", edit: where("random() > 0"), says: "random"},
		{name: "fragment reads files", edit: where("load_extension('" + c + "')"), says: "load_extension"},
		{name: "fragment limit", edit: where("true limit 1"), says: "LIMIT"},
		{name: "fragment parameter", edit: where("id = ?1"), says: "parameter"},
		{name: "fragment order", edit: job("percent: 50", "limit: 1, order: 'id; drop table orders'"), says: "semicolon"},
		{name: "fragment window", edit: where("row_number() over () < 3"), says: "fragment"},
		{name: "fragment of a reference", edit: job("subset:", "references: [{from: orders.id, to: customers.id, when: \"total > 1) or (1\"}]\nsubset:"), says: "parenthesis"},
		{name: "fragment order of children", edit: job("percent: 50}", "percent: 50}\n  tables:\n    orders: {per_parent: 2, order: \"id; drop table orders\"}"), says: "semicolon"},
		{name: "fragment window in an order", edit: job("percent: 50}", "percent: 50}\n  tables:\n    orders: {per_parent: 2, order: \"row_number() over ()\"}"), says: "fragment"},
		{name: "fragment in a table's conditions", edit: job("percent: 50}", "percent: 50}\n  tables:\n    orders: {where: \"total > 1) or (1\"}"), says: "parenthesis"},
	}
}

func quotedYAML(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// TestInputs makes every mistake once as text and once as JSON, and wants the
// exit code, the place, the words and the hint, nothing written, no connection
// where none is needed, and no value back.
func TestInputs(t *testing.T) {
	good := goodFolder(t)
	listener := listen(t)
	classes := map[string][]badInput{"files": badFiles(), "rules": badRules(), "urls": badAddresses(), "flags": badFlags(), "keys": badKeys(), "sides": badSides(), "fragments": badFragments()}
	total := 0
	for class, rows := range classes {
		total += len(rows)
		for _, row := range rows {
			if class == "fragments" {
				if row.real, row.shows = true, true; row.exit == 0 {
					row.exit = 4
				}
				if row.at == "" {
					row.at = "understudy.yaml:"
				}
			}
			t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				row.prepare(t, good, dir)
				before := digestFolder(t, dir)
				for _, asJSON := range []bool{false, true} {
					row.try(t, dir, listener, asJSON)
				}
				after := digestFolder(t, dir)
				maps.DeleteFunc(after, func(name, _ string) bool {
					report := strings.HasPrefix(name, "reports/refresh-") // of a run that was refused once its plan was made
					if report {
						wantNoCanary(t, filepath.Join(dir, name))
					}
					return report
				})
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("something was written:\n%s", diff)
				}
			})
		}
	}
	if total < 120 {
		t.Errorf("%d bad inputs are tried, want 120 or more", total)
	}
	t.Cleanup(func() {
		if n := listener.count.Load(); n != 0 {
			t.Errorf("%d connections were opened although nothing was to be asked", n)
		}
	})
}

// TestInputsAllAtOnce makes ten mistakes in one file and wants ten complaints.
func TestInputsAllAtOnce(t *testing.T) {
	dir := t.TempDir()
	badInput{write: map[string]string{"understudy.yaml": `version: 3
sorce: ${PROD_URL}
target: ${NOT_SET}
key: {envv: UNDERSTUDY_KEY}
rules: []
orphans: maybe
subset:
  seeds:
    - {table: customers, percent: 250}
    - {percent: 5}
  unreached: big
load: {keep: -1}
limits: {lock_wait: soon}
`}}.prepare(t, goodFolder(t), dir)
	code, stdout, _ := understudy(t, map[string]string{"UNDERSTUDY_KEY": testKey}, "plan", "--json", "-f", filepath.Join(dir, "understudy.yaml"))
	doc := decode(t, stdout)
	if code != 2 || len(doc.Findings) < 10 {
		t.Errorf("exit %d with %d findings, want 2 with 10 or more:\n%s", code, len(doc.Findings), stdout)
	}
	places := map[string]bool{}
	for _, f := range doc.Findings {
		if f.Severity == "error" && (f.At == "" || f.Hint == "") {
			t.Errorf("%q has place %q and hint %q", f.Message, f.At, f.Hint)
		}
		places[f.At] = true
	}
	if len(places) < 10 {
		t.Errorf("%d places are named, want 10", len(places))
	}
}

// wantNoCanary wants a file in which no value stands that a bad input held.
func wantNoCanary(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), inputCanary) {
		t.Errorf("%s holds the canary, or cannot be read (%v)", path, err)
	}
}

// goodFolder makes a job that would run, and gives its files.
func goodFolder(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	execute(t, filepath.Join(dir, "prod.db"), prodSQL)
	execute(t, filepath.Join(dir, "staging.db"), emptySQL)
	env := map[string]string{"PROD_URL": "sqlite:" + filepath.Join(dir, "prod.db"), "STAGING_URL": "sqlite:" + filepath.Join(dir, "staging.db"), "UNDERSTUDY_KEY": testKey}
	if code, _, stderr := understudy(t, env, "init", "--dir", filepath.Join(dir, "drafts")); code != 0 {
		t.Fatalf("init: exit %d\n%s", code, stderr)
	}
	out := map[string]string{"understudy.yaml": goodJob, "rules/rules.yaml": goodRules}
	for name, path := range map[string]string{"prod.db": "prod.db", "staging.db": "staging.db", "schema.lock.json": "drafts/schema.lock.json"} {
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(data)
	}
	return out
}

// prepare writes the good files into dir and makes the mistake.
func (b badInput) prepare(t *testing.T, good map[string]string, dir string) {
	t.Helper()
	files := map[string]string{}
	for name, text := range good {
		files[name] = text
	}
	for i := 0; i+2 < len(b.edit); i += 3 {
		old := files[b.edit[i]]
		if files[b.edit[i]] = strings.Replace(old, b.edit[i+1], b.edit[i+2], 1); files[b.edit[i]] == old {
			t.Fatalf("%q does not stand in %s", b.edit[i+1], b.edit[i])
		}
	}
	for name, text := range b.write {
		files[name] = text
	}
	if b.real && !strings.HasPrefix(b.args, "rules") {
		delete(files, "schema.lock.json")
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if b.setup != nil {
		b.setup(t, dir)
	}
}

// environment gives the good environment with the row's changes. SQLite's
// relative paths are the test folder's.
func (b badInput) environment(dir string, l *listener) map[string]string {
	env := map[string]string{"UNDERSTUDY_KEY": testKey, "PROD_URL": l.url("prod"), "STAGING_URL": l.url("staging")}
	if b.real {
		env["PROD_URL"], env["STAGING_URL"] = "sqlite:prod.db", "sqlite:staging.db"
	}
	for k, v := range b.env {
		env[k] = v
	}
	if b.real {
		for k, v := range env {
			if path, ok := strings.CutPrefix(v, "sqlite:"); ok && !filepath.IsAbs(path) {
				env[k] = "sqlite:" + filepath.Join(dir, path)
			}
		}
	}
	return env
}

// arguments turns the row's command line into one that means files in dir.
func (b badInput) arguments(dir string, asJSON bool) []string {
	args := strings.Fields(b.args)
	if b.args == "" {
		args = []string{"plan"}
	}
	own := false
	for i, a := range args {
		own = own || a == "-f"
		if i > 0 && (args[i-1] == "-f" || args[i-1] == "--dir") {
			args[i] = filepath.Join(dir, a)
		}
		if rest, ok := strings.CutPrefix(a, "sqlite:"); ok {
			args[i] = "sqlite:" + filepath.Join(dir, rest)
		}
	}
	switch {
	case args[0] == "init": // which reads no job
		if !strings.Contains(b.args, "--dir") {
			args = append(args, "--dir", dir)
		}
	case !own && !strings.Contains(b.args, "--job"):
		args = append([]string{"-f", filepath.Join(dir, "understudy.yaml")}, args...)
	}
	if asJSON && !strings.Contains(b.args, "--json") {
		args = append([]string{"--json"}, args...)
	}
	return args
}

// try runs the mistake once and judges what comes back.
func (b badInput) try(t *testing.T, dir string, l *listener, asJSON bool) {
	t.Helper()
	code, stdout, stderr := understudy(t, b.environment(dir, l), b.arguments(dir, asJSON)...)
	all := stdout + stderr
	if code != b.exit {
		t.Errorf("exit %d, want %d\n%.2000s", code, b.exit, stderr)
	}
	if strings.Contains(stderr, inputCanary) || !b.shows && strings.Contains(all, inputCanary) {
		t.Errorf("a value comes back:\n%s", all)
	}
	asJSON = asJSON || strings.Contains(b.args, "--json")
	if !asJSON {
		b.judge(t, stderr)
		return
	}
	doc := decode(t, stdout)
	if doc.Version != 1 || doc.Exit != code || doc.Outcome == "" || doc.Command == "" && !strings.Contains(b.name, "unknown command") {
		t.Errorf("the envelope is %+v", doc)
	}
	var text strings.Builder
	for _, f := range doc.Findings {
		if f.Severity == "error" {
			fmt.Fprintf(&text, "understudy: %s: %s.%s %s\n  hint: %s\n", f.At, f.Table, f.Column, f.Message, f.Hint)
		}
	}
	b.judge(t, strings.ReplaceAll(text.String(), "  hint: \n", ""))
}

// judge looks for the place, the words and the hint of the complaint.
func (b badInput) judge(t *testing.T, text string) {
	t.Helper()
	const complaint, hint = "understudy: ", "  hint: "
	if !strings.Contains(text, complaint) {
		t.Errorf("there is no complaint:\n%s", text)
	}
	if b.at != "" && !strings.Contains(text, b.at) {
		t.Errorf("the place is not %s:\n%s", b.at, text)
	}
	if !strings.Contains(text, b.says) {
		t.Errorf("it does not say %q:\n%s", b.says, text)
	}
	switch {
	case b.hint == "-":
	case !strings.Contains(text, hint):
		t.Errorf("there is no hint:\n%s", text)
	case b.hint != "" && !strings.Contains(text, b.hint):
		t.Errorf("no hint tells of %q:\n%s", b.hint, text)
	}
}

// answer is what every JSON document holds.
type answer struct {
	Version  int    `json:"version"`
	Command  string `json:"command"`
	Exit     int    `json:"exit"`
	Outcome  string `json:"outcome"`
	Findings []struct {
		Check, Severity, At, Table, Column, Message, Hint string
	} `json:"findings"`
}

// decode reads stdout, which must be one JSON document and nothing else.
func decode(t *testing.T, stdout string) answer {
	t.Helper()
	var doc answer
	d := json.NewDecoder(strings.NewReader(stdout))
	if err := d.Decode(&doc); err != nil {
		t.Fatalf("stdout is not JSON: %v\n%s", err, stdout)
	}
	if d.More() {
		t.Errorf("stdout holds more than one document:\n%s", stdout)
	}
	return doc
}

// understudy runs one command line in this process, as main does.
func understudy(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), context.WithoutCancel(t.Context()), args, cli.World{
		Stdout: &out, Stderr: &errs, Now: time.Now, Getenv: func(name string) string { return env[name] },
	})
	return code, out.String(), errs.String()
}

// digestFolder gives every file below dir with its content's digest.
func digestFolder(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// listener is a server nobody should call; it counts who does.
type listener struct {
	count atomic.Int64
	at    string
}

func listen(t *testing.T) *listener {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{at: socket.Addr().String()}
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			c, err := socket.Accept()
			if err != nil {
				return
			}
			l.count.Add(1)
			c.Close()
		}
	}()
	return l
}

func (l *listener) url(database string) string {
	return "postgres://reader:" + inputCanary + "@" + l.at + "/" + database
}
