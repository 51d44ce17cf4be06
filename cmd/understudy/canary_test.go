package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/canarytest"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// A cage is one masked column with canaries in it.
type cage struct {
	column, ddl, rule string
	// bird gives a planted value as an SQL literal.
	bird func(t *testing.T, l *canarytest.List, name string) string
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func word(n int, form string) func(*testing.T, *canarytest.List, string) string {
	return func(t *testing.T, l *canarytest.List, name string) string {
		return fmt.Sprintf(form, l.Text(t, name, n))
	}
}

func number(n int, form string) func(*testing.T, *canarytest.List, string) string {
	return func(t *testing.T, l *canarytest.List, name string) string {
		return fmt.Sprintf(form, l.Number(t, name, n))
	}
}

func address(t *testing.T, l *canarytest.List, name string) string { return quoted(l.Email(t, name)) }

// planted plants what make makes and puts it into a literal.
func planted(form string, make func() string) func(*testing.T, *canarytest.List, string) string {
	return func(t *testing.T, l *canarytest.List, name string) string {
		return fmt.Sprintf(form, l.Plant(t, name, make()))
	}
}

func below(n int64) int64 {
	r, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err)
	}
	return r.Int64()
}

func hexes(n int) string {
	b := make([]byte, (n+1)/2)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)[:n]
}

// day is a day that nobody else names.
func day() string { return fmt.Sprintf("%d-%02d-%02d", 3000+below(6000), 1+below(12), 1+below(28)) }

func uuid() string {
	h := hexes(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func ipv6() string {
	return fmt.Sprintf("2a0%x:%x:%x:%x:%x:%x:%x:%x", 1+below(9), 0x1000+below(0xe000), 0x1000+below(0xe000), 0x1000+below(0xe000), 0x1000+below(0xe000), 0x1000+below(0xe000), 0x1000+below(0xe000), 0x1000+below(0xe000))
}

// cages has every mask and every kind of column that a mask takes.
func cages() []cage {
	return []cage{
		{"full_name", "varchar(80) NOT NULL", "full_name", word(14, "'%s Berg'")},
		{"first_name", "text", "first_name", word(12, "'%s'")},
		{"last_name", "varchar(40)", "last_name", word(12, "'%s'")},
		{"username", "text NOT NULL UNIQUE", "username", word(14, "'%s'")},
		{"email", "text NOT NULL UNIQUE CHECK (email LIKE '%@%.%')", "email", address},
		{"contact", "mail_address NOT NULL", "email", address},
		{"phone", "text", "phone", number(12, "'+%d'")},
		{"mobile", "bigint", "phone", number(13, "%d")},
		{"street", "text", "street", word(16, "'%s Road 7'")},
		{"city", "text", "city", word(12, "'%s'")},
		{"postcode", "text", "postcode", word(12, "'%s'")},
		{"company", "text", "company", word(14, "'%s & Sons'")},
		{"account", "varchar(24) NOT NULL UNIQUE CHECK (length(account) = 20)", "fpe", word(20, "'%s'")},
		{"account_no", "bigint UNIQUE", "fpe", number(15, "%d")},
		{"balance", "numeric(18,2)", "fpe", number(14, "%d.25")},
		{"serial_no", "bigint NOT NULL CHECK (serial_no > 0)", "int", number(15, "%d")},
		{"token", "uuid NOT NULL UNIQUE", "uuid", planted("'%s'", uuid)},
		{"token_text", "text", "uuid", planted("'%s'", uuid)},
		{"secret", "text NOT NULL", "hash", word(24, "'%s'")},
		{"secret_bytes", "bytea", "hash", word(24, `convert_to('%s', 'UTF8')`)},
		{"born", "date", "{mask: date_shift, within: 30d}", planted("'%s'", day)},
		{"seen", "timestamptz", "{mask: date_shift, within: 30d, class: visit}", planted("'%s 11:22:33.123456+00'", day)},
		{"died_text", "text", "{mask: date_shift, within: 30d, class: end}", planted("'%s'", day)},
		{"notes", "text NOT NULL CHECK (length(notes) < 500000)", "{mask: redact, class: free_text}", word(24, "'before %s after'")},
		{"essay", "text", "{mask: redact, class: free_text}", word(24, "(SELECT string_agg(md5(n::text), ' ') FROM generate_series(1, 3000) n) || ' %s ' || repeat('x', 9000)")},
		{"blob", "bytea", "{mask: redact, class: free_text}", word(24, `convert_to('%s', 'UTF8')`)},
		{"doc", "jsonb", "{mask: redact, class: free_text}", word(24, `'{"contact": {"%[1]s key": ["%[1]s"]}}'`)},
		{"doc_text", "json", "{mask: redact, class: free_text}", word(24, `'{"a":   "%s"}'`)},
		{"tags", "text[] NOT NULL", "{mask: redact, class: free_text}", word(24, `ARRAY['one', '%s', NULL, 'a "quoted" one']`)},
		{"numbers", "bigint[]", "{mask: redact, class: free_text}", number(15, `ARRAY[1, %d]`)},
		{"mails", "varchar(60)[] NOT NULL", "email", word(24, `ARRAY['%s@x.test', NULL, 'a "b"@x.test']`)},
		{"codes", "bigint[]", "fpe", number(15, `'[0:1][1:2]={{%[1]d,NULL},{%[1]d,7}}'`)},
		{"papers", "jsonb", `{json: {"$.mail": email, "$.list[*].name": full_name, "$.keys.*": fpe, "$.n": {mask: fpe, class: score}}, others: redact}`,
			word(24, `'{"mail": "%[1]s@x.test", "list": [{"name": "%[1]s", "odd %[1]s": 1}, "%[1]s", ["%[1]s"]], "keys": {"%[1]s": "%[1]s"}, "n": 123456789012, "%[1]s": {"x": "%[1]s"}}'`)},
		{"papers_text", "json", `{json: {"$.a.b": {mask: hash}, "$.c": redact}, others: drop}`,
			word(24, `'{"a": {"b": "%[1]s", "b":   "\u0041%[1]s", "%[1]s": null}, "a": "%[1]s", "c": {"%[1]s": "%[1]s"}, "d": "%[1]s"}'`)},
		{"papers_words", "text NOT NULL", `{json: {"$[*]": street}, others: redact}`, word(24, `'["%[1]s", {"a": "%[1]s"}, "%[1]s\n"]'`)},
		{"host", "inet", "{mask: redact, class: address}", planted("'%s'", ipv6)},
		{"net", "cidr", "{mask: redact, class: address}", planted("'%s/128'", ipv6)},
		{"card", "macaddr", "{mask: redact, class: address}", planted("'%s'", func() string {
			h := hexes(12)
			return h[:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:10] + ":" + h[10:]
		})},
		{"at_time", "time", "{mask: redact, class: hour}", planted("'%s'", func() string {
			return fmt.Sprintf("%02d:%02d:%02d.%d", 10+below(13), 10+below(49), 10+below(49), 100001+2*below(400000))
		})},
		{"took", "interval", "{mask: redact, class: hour}", planted("'%s days'", func() string { return fmt.Sprint(10000001 + below(80000000)) })},
		{"ratio", "numeric", "{mask: redact, class: score}", number(15, "0.%d")},
		{"words", "tsvector", "{mask: nullify, class: free_text}", word(24, "to_tsvector('simple', '%s')")},
		{"spot", "point", "{mask: nullify, class: place}", number(12, "point(%d, 1)")},
		{"span", "int8range", "{mask: nullify, class: score}", number(15, "int8range(%d, NULL)")},
		{"paper", "xml", "{mask: nullify, class: free_text}", word(24, "'<a>%s</a>'")},
		{"pair", "pair", "{mask: nullify, class: free_text}", word(24, "ROW(1, '%s')::pair")},
		{"folded", "citext", "email", word(24, "'%s@x.test'")},
		{"called", "name", "{mask: redact, class: free_text}", word(24, "'%s'")},
		{"padded", "char(30)", "{mask: redact, class: free_text}", word(24, "'%s'")},
		{"worth", "money", "{mask: nullify, class: score}", planted("'%s'", func() string {
			return fmt.Sprintf("$%d,%03d,%03d,%03d,%03d.17", 1+below(9), below(1000), below(1000), below(1000), below(1000))
		})},
		{"zoned", "timetz", "{mask: redact, class: hour}", planted("'%s+03'", func() string {
			return fmt.Sprintf("%02d:%02d:%02d.%d", 10+below(13), 10+below(49), 10+below(49), 100001+2*below(400000))
		})},
		{"card8", "macaddr8", "mac", planted("'%s'", func() string {
			h := hexes(16)
			return h[:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:10] + ":" + h[10:12] + ":" + h[12:14] + ":" + h[14:]
		})},
		{"flags", "bit(64)", "{mask: nullify, class: score}", planted("B'%s'", func() string { return fmt.Sprintf("1%063b", below(1<<62)) })},
		{"pairs", "hstore", "{mask: nullify, class: free_text}", word(24, `'"%[1]s key"=>"%[1]s"'`)},
		{"route", "ltree", "{mask: nullify, class: free_text}", word(24, "'a.%s.b'")},
		{"query", "tsquery", "{mask: nullify, class: free_text}", word(24, "'%s & b'")},
		{"jpath", "jsonpath", "{mask: nullify, class: free_text}", word(24, `'$."%s"'`)},
		{"spans", "int8multirange", "{mask: nullify, class: score}", number(15, "'{[%d,)}'")},
		{"own_span", "word_range", "{mask: nullify, class: free_text}", word(24, "word_range('%s', NULL)")},
		{"place", "pg_lsn", "{mask: nullify, class: place}", planted("'%s'", func() string { return strings.ToUpper("1" + hexes(7) + "/1" + hexes(7)) })},
		{"number", "oid", `{mask: constant, value: "0", class: score}`, planted("'%s'", func() string { return fmt.Sprint(3000000000 + below(1000000000)) })},
		{"shape", "polygon", "{mask: nullify, class: place}", number(12, "'((%d,1),(2,2))'")},
		{"couples", "pair[]", "{mask: nullify, class: free_text}", word(24, "ARRAY[ROW(1, '%s')::pair, NULL]")},
		{"nested", "nest", "{mask: nullify, class: free_text}", word(24, "ROW(ROW(1, '%[1]s'), ARRAY['%[1]s'])::nest")},
		{"grid", "word_grid", "{mask: redact, class: free_text}", word(24, "'[0:0][2:3]={{%s,NULL}}'")},
		{"marks", "bytea[]", "hash", word(24, "ARRAY[convert_to('%s', 'UTF8'), NULL]")},
		{"tokens", "uuid[]", "uuid", planted("ARRAY['%s']::uuid[]", uuid)},
		{"dates", "date[]", "{mask: date_shift, within: 30d, class: visit}", planted("ARRAY['%s', 'infinity']::date[]", day)},
		{"docs", "jsonb[]", "{mask: redact, class: free_text}", word(24, `ARRAY['{"%[1]s": "%[1]s"}']::jsonb[]`)},
		{"hosts", "inet[]", "ip", planted("ARRAY['%s']::inet[]", ipv6)},
		{"boxes", "box[]", "{mask: nullify, class: place}", number(12, "'{(%d,1),(0,0)}'")},
		{"motto", "text NOT NULL", `{mask: constant, value: "carpe diem", class: free_text}`, word(24, "'%s'")},
		{"Odd, \"name\"", "text", "{mask: hash, class: odd}", word(24, "'%s'")},
	}
}

// ruleName is a column's name as a rules file writes it.
func (c cage) ruleName() string {
	if strings.ContainsAny(c.column, `", `) {
		return `'"` + strings.ReplaceAll(c.column, `"`, `""`) + `"'`
	}
	return c.column
}

const aviaryTypes = `
	CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree;
	CREATE TYPE pair AS (n int, what text);
	CREATE TYPE nest AS (p pair, list text[]);
	CREATE TYPE word_range AS RANGE (SUBTYPE = text);
	CREATE DOMAIN word_grid AS text[];
	CREATE TYPE shade AS ENUM ('light', 'dark', 'rare');
	CREATE DOMAIN mail_address AS text CHECK (VALUE ~ '^[^@]+@[^@]+$');`

// aviaryKeys has masked values as keys: referenced, composite, partitioning.
const aviaryKeys = `
	CREATE TABLE members (code varchar(16) PRIMARY KEY, shade shade NOT NULL);
	CREATE TABLE friends (code varchar(16) REFERENCES members ON UPDATE CASCADE, friend varchar(16) NOT NULL REFERENCES members, PRIMARY KEY (code, friend));
	CREATE TABLE logins (email text, realm bigint, PRIMARY KEY (email, realm));
	CREATE TABLE visits (id uuid PRIMARY KEY, email text NOT NULL, realm bigint NOT NULL, FOREIGN KEY (email, realm) REFERENCES logins);
	CREATE TABLE parts (email text NOT NULL, n int NOT NULL, PRIMARY KEY (email, n)) PARTITION BY HASH (email);
	CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE INDEX ON people (lower(email)); CREATE INDEX ON people (city) WHERE last_name IS NOT NULL; CREATE INDEX ON people USING gin (doc);
	CREATE STATISTICS both_names (mcv) ON first_name, last_name FROM people;
	CREATE MATERIALIZED VIEW directory AS SELECT p.email, p.full_name, p.token, m.code FROM people p, members m;
	CREATE VIEW phones AS SELECT phone, mobile FROM people;`

// birdsPerCage is how many rows have a canary in every column.
const birdsPerCage = 3

// aviary makes the structure and the rows, with canaries in every masked
// column and key, and the rules that mask them.
func aviary(t *testing.T, l *canarytest.List) (structure, rows, masking, keeping string) {
	t.Helper()
	columns := []string{"id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"}
	var names, masks []string
	for _, c := range cages() {
		name := scratch.Quote(c.column)
		names = append(names, name)
		columns = append(columns, name+" "+c.ddl)
		masks = append(masks, "      "+c.ruleName()+": "+c.rule)
	}
	columns = append(columns, `loud text GENERATED ALWAYS AS (upper(email) || ' ' || serial_no) STORED`, `tail text GENERATED ALWAYS AS (right(account, 12)) STORED`)
	structure = aviaryTypes + "CREATE TABLE people (" + strings.Join(columns, ", ") + ");" + aviaryKeys

	var b strings.Builder
	for range birdsPerCage {
		var values []string
		for _, c := range cages() {
			values = append(values, c.bird(t, l, "people."+c.column))
		}
		fmt.Fprintf(&b, "INSERT INTO people (%s) VALUES (%s);\n", strings.Join(names, ", "), strings.Join(values, ", "))
		code, login, realm := l.Text(t, "members.code", 14), l.Email(t, "logins.email"), l.Number(t, "logins.realm", 15)
		fmt.Fprintf(&b, "INSERT INTO members VALUES ('%[1]s', 'rare'); INSERT INTO friends VALUES ('%[1]s', '%[1]s');\n", code)
		fmt.Fprintf(&b, "INSERT INTO logins VALUES ('%[1]s', %[2]d); INSERT INTO visits VALUES ('%[3]s', '%[1]s', %[2]d);\n", login, realm, l.Plant(t, "visits.id", uuid()))
		part := l.Email(t, "parts.email")
		fmt.Fprintf(&b, "INSERT INTO parts SELECT '%s', n FROM generate_series(1, 40) n;\n", part)
	}
	rows = b.String() + "REFRESH MATERIALIZED VIEW directory; ANALYZE;"

	const head = "version: 1\ndefaults:\n  - {match: {key: surrogate, column: id, type: integer}, keep: \"a number the database made\"}\ntables:\n"
	masking = head + "  people:\n    columns:\n" + strings.Join(masks, "\n") + `
  members:
    columns:
      code: {mask: fpe, class: member}
      shade: {mask: redact, class: shade}
  logins:
    columns:
      email: email
      realm: int
  visits:
    columns:
      id: uuid
  parts:
    columns:
      email: email
      n: {keep: "a position"}
`
	keeping = head + "  people:\n    columns:\n"
	for _, c := range cages() {
		keeping += "      " + c.ruleName() + ": {keep: \"masking is switched off\"}\n"
	}
	for _, table := range []string{"members: code shade", "logins: email realm", "visits: id", "parts: email n"} {
		name, list, _ := strings.Cut(table, ": ")
		keeping += "  " + name + ":\n    columns:\n"
		for column := range strings.FieldsSeq(list) {
			keeping += "      " + column + ": {keep: \"masking is switched off\"}\n"
		}
	}
	return structure, rows, masking, keeping
}

// A lookout is the target's server with everything about it that is searched.
type lookout struct {
	list   *canarytest.List
	server *scratch.Postgres
	said   strings.Builder // all that the program said
}

// clean fails the test if a canary is anywhere that is not the source.
func (l *lookout) clean(t *testing.T, e *errand, databases ...string) {
	t.Helper()
	for _, db := range databases {
		l.list.FoundNone(t, "dump of the target", l.list.InText("dump", string(dumped(t, db))))
		l.list.FoundNone(t, "inserts of the target", l.list.InText("dump --inserts", string(dumped(t, db, "--inserts", "--data-only"))))
		for _, q := range []string{"SELECT * FROM pg_stats", "SELECT * FROM pg_stats_ext", "SELECT * FROM understudy.generation", "SELECT query FROM pg_stat_activity"} {
			if strings.Contains(q, "understudy") && scratchtest.Query(t, db, "SELECT to_regclass('understudy.generation') IS NOT NULL") != "t" {
				continue
			}
			l.list.FoundNone(t, q, l.list.InText(q, scratchtest.Query(t, db, q)))
		}
	}
	scratchtest.SQL(t, l.server.URL("postgres"), "CHECKPOINT")
	l.list.FoundNone(t, "data directory and log of the target's server", l.list.InFiles(t, l.server.DataDir(), l.server.LogFile()))
	l.list.FoundNone(t, "job, rules, reports and temporary files", l.list.InFiles(t, e.dir))
	l.list.FoundNone(t, "stdout and stderr", l.list.InText("terminal", l.said.String()))
}

// run runs the program and keeps what it said.
func (l *lookout) run(t *testing.T, e *errand, want int, args ...string) said {
	t.Helper()
	s := e.run(t, want, args...)
	l.said.WriteString(s.all())
	return s
}

// cagedErrand is an errand whose temporary files stay in its own folder.
func cagedErrand(t *testing.T, source, target, rules string, more ...string) *errand {
	t.Helper()
	e := newErrand(t, source, target, plainJob(append([]string{"load: {mode: swap, keep: 1}", "report: {dir: reports, keep: 30}"}, more...)...), map[string]string{"aviary.yaml": rules})
	e.write(t, filepath.Join("tmp", "here"), "temporary files are made beside this one")
	e.env["TMPDIR"] = filepath.Join(e.dir, "tmp")
	if err := os.Chmod(filepath.Join(e.dir, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCanariesStayInTheSource(t *testing.T) {
	t.Parallel()
	list := canarytest.New()
	structure, rows, masking, keeping := aviary(t, list)
	from := scratchtest.Own(t, scratch.Options{})
	prod := scratchtest.DatabaseOn(t, from.URL("postgres"))
	scratchtest.SQL(t, prod, structure+rows)
	list.MissingNone(t, "dump of the source", list.InText("dump", string(dumped(t, prod))))

	to := scratchtest.Own(t, scratch.Options{Settings: map[string]string{
		"log_statement": "all", "log_min_duration_statement": "0", "log_min_messages": "debug1", "log_error_verbosity": "verbose", "log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1"}})
	empty, there := scratchtest.DatabaseOn(t, to.URL("postgres")), scratchtest.DatabaseOn(t, to.URL("postgres"))
	scratchtest.SQL(t, there, structure+"REFRESH MATERIALIZED VIEW directory")
	look := &lookout{list: list, server: to}
	for _, target := range scratchtest.Some(t, []string{empty, there}, 1) {
		e := cagedErrand(t, prod, target, masking)
		for _, args := range [][]string{{"plan"}, {"plan", "--json"}, {"refresh"}, {"refresh", "--json"}, {"verify"}, {"verify", "--json"}, {"parity"}, {"parity", "--json"},
			{"why", "people", "1"}, {"rules", "list"}, {"rules", "list", "--json"}, {"rollback", "--list", "--json"}, {"rollback"}} {
			look.run(t, e, 0, args...)
		}
		wantWhole(t, prod, target)
		wantCaged(t, target)
		scratchtest.SQL(t, target, "ANALYZE")
		look.clean(t, e, target)
	}

	t.Run("masking switched off", func(t *testing.T) {
		e := cagedErrand(t, prod, empty, keeping)
		e.run(t, 0, "refresh")
		list.MissingNone(t, "dump of a target whose masking was switched off", list.InText("dump", string(dumped(t, empty))))
		if t.Failed() {
			return
		}
		scratchtest.SQL(t, to.URL("postgres"), "CHECKPOINT")
		met := map[string]bool{}
		for _, h := range list.InFiles(t, to.DataDir()) {
			met[h.Canary] = true
		}
		for _, column := range []string{"people.email", "people.full_name", "people.account_no", "people.blob", "people.tags", "members.code", "logins.realm"} {
			if !met[column] {
				t.Errorf("the search of the data directory does not find %s where it is", column)
			}
		}
	})
}

// wantCaged wants rows, with what is computed from masked columns computed from the fakes.
func wantCaged(t *testing.T, target string) {
	t.Helper()
	got := scratchtest.Query(t, target, `SELECT count(*), count(*) FILTER (WHERE loud = upper(email) || ' ' || serial_no AND tail = right(account, 12)), (SELECT count(*) FROM members WHERE shade <> 'rare'),
		(SELECT count(*) FROM directory), (SELECT count(*) FROM parts), (SELECT count(*) FROM visits JOIN logins USING (email, realm)), (SELECT count(*) FROM friends) FROM people`)
	if want := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%d\t%d\t%[1]d\t%[1]d", birdsPerCage, birdsPerCage*birdsPerCage, 40*birdsPerCage); got != want {
		t.Errorf("the target holds %q, want %q", got, want)
	}
}

// manyParts is more rows than a plan tries, the last ones like no other.
const manyParts = `INSERT INTO parts SELECT email, n FROM (SELECT DISTINCT email FROM parts) e, generate_series(41, 400) n;
	INSERT INTO parts SELECT DISTINCT email, 70000 FROM parts;`

// A mishap is what is different on one side, or in a file, so that a run fails:
// with which code, and what it says of the cause.
type mishap struct {
	prod, staging, rules, job string
	exit                      int
	says                      string
}

// mishaps are ways in which a run fails after it has read rows, or because of them.
func mishaps() map[string]mishap {
	return map[string]mishap{
		"a type that takes no fake":          {exit: 2, says: "public.people.username", staging: "ALTER TABLE people ALTER COLUMN username TYPE bigint USING 0, ALTER COLUMN company TYPE int USING 0"},
		"a unique index only there":          {exit: 2, says: "one_motto", staging: "CREATE UNIQUE INDEX one_motto ON people (motto)"},
		"a unique index over masked columns": {exit: 5, says: "one_", staging: "CREATE UNIQUE INDEX one_part ON parts_0 ((n > 0)); CREATE UNIQUE INDEX one_other ON parts_1 ((n > 0))"},
		"a check that a row breaks":          {exit: 2, says: "not_two", staging: "ALTER TABLE people ADD CONSTRAINT not_two CHECK (id <> 2)"},
		"a check that a late row breaks":     {exit: 2, says: "not_late", prod: manyParts, staging: "ALTER TABLE parts ADD CONSTRAINT not_late CHECK (n <> 399)"},
		"a late row that is out of range":    {exit: 2, says: "public.parts.n", prod: manyParts, staging: "ALTER TABLE parts ALTER COLUMN n TYPE smallint"},
		"a check that no fake satisfies":     {exit: 2, says: "corporate", staging: "ALTER TABLE people ADD CONSTRAINT corporate CHECK (email LIKE '%@corp.test')"},
		"NOT NULL where a mask makes NULL":   {exit: 2, says: "public.people.pair", staging: "ALTER TABLE people ALTER COLUMN pair SET NOT NULL"},
		"a mask that cannot take a value":    {exit: 2, says: "public.people.secret", prod: "UPDATE people SET secret = secret || 'ü' || city", rules: "secret: fpe"},
		"a fragment that fails on values":    {exit: 2, says: "understudy.yaml:8:", job: `subset: {seeds: [{table: people, where: "notes::int > 0"}]}`},
		"another that fails in a function":   {exit: 2, says: "understudy.yaml:8:", job: `subset: {seeds: [{table: people, where: "1 / (length(city) - length(city)) = 1 or to_date(email, 'YYYY') is null"}]}`},
		"an orphan": {exit: 5, says: "public.visits.(email, realm)", prod: `ALTER TABLE visits DROP CONSTRAINT visits_email_realm_fkey; UPDATE visits SET realm = realm - 1;
			ALTER TABLE visits ADD FOREIGN KEY (email, realm) REFERENCES logins NOT VALID`},
		"a foreign key only there":      {exit: 5, says: "parts_email_fkey", staging: "CREATE TABLE vips (email text PRIMARY KEY); ALTER TABLE parts ADD FOREIGN KEY (email) REFERENCES vips"},
		"a generated column that fails": {exit: 2, says: "the generated column bad", staging: "ALTER TABLE people ADD COLUMN bad int GENERATED ALWAYS AS (length(full_name) / (serial_no - serial_no)) STORED"},
		"a view that fails":             {exit: 5, says: "public.bad", staging: "CREATE MATERIALIZED VIEW bad AS SELECT email::int FROM people"},
		"another that cannot be read":   {exit: 2, says: "no table", job: "schemas: [nowhere]"},
	}
}

func TestCanariesStayInTheSourceWhenRunsFail(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	from := scratchtest.Own(t, scratch.Options{})
	to := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"log_statement": "all", "log_min_duration_statement": "0", "log_error_verbosity": "verbose", "log_parameter_max_length_on_error": "-1"}})
	look := &lookout{list: canarytest.New(), server: to}
	structure, rows, masking, _ := aviary(t, look.list)
	shared := scratchtest.DatabaseOn(t, from.URL("postgres"))
	scratchtest.SQL(t, shared, structure+rows)
	cases := mishaps()
	for _, name := range scratchtest.Some(t, slices.Sorted(maps.Keys(cases)), 5) {
		t.Run(name, func(t *testing.T) {
			m, prod, staging := cases[name], shared, scratchtest.DatabaseOn(t, to.URL("postgres"))
			if m.prod != "" {
				prod = scratchtest.DatabaseOn(t, from.URL("postgres"))
				scratchtest.SQL(t, prod, structure+rows+m.prod)
			}
			scratchtest.SQL(t, staging, structure+m.staging+"; REFRESH MATERIALIZED VIEW directory")
			rules := masking
			if column, _, ok := strings.Cut(m.rules, ":"); ok {
				rules = replaced(t, masking, "      "+column+": hash\n", "      "+m.rules+"\n")
			}
			e := cagedErrand(t, prod, staging, rules, m.job)
			before := sortedDump(t, staging)
			for _, args := range [][]string{{"refresh"}, {"refresh", "--json"}} {
				code, s := e.start(t, nil, args...)
				if code != m.exit {
					t.Errorf("exit %d, want %d\n%s", code, m.exit, s.all())
				}
				if args[len(args)-1] != "--json" { // which names the parts apart
					said{err: s.err}.wants(t, m.says)
				}
				if strings.Contains(m.says, "pair") && strings.Contains(s.all(), "people.words: mask") {
					t.Errorf("a column that may be NULL is blamed for one that may not:\n%s", s.all())
				}
				look.list.FoundNone(t, "stdout and stderr", look.list.InText("terminal", s.all()))
			}
			same(t, "stagings before and after the failed run", before, sortedDump(t, staging))
			look.list.FoundNone(t, "job, rules, reports and temporary files", look.list.InFiles(t, e.dir))
		})
	}
	scratchtest.SQL(t, to.URL("postgres"), "CHECKPOINT")
	look.list.FoundNone(t, "data directory and log of the target's server", look.list.InFiles(t, to.DataDir(), to.LogFile()))
}
