package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// documentRules decide a table of documents and arrays; OTHERS stands for what
// becomes of paths that are not named.
const documentRules = `version: 1
tables:
  people:
    columns:
      id: {keep: "a number of ours"}
      email: email
      profile:
        json:
          $.email: email
          $.contact.phones[*]: phone
          $.ssn: {mask: fpe, class: national_id}
          $.born: {mask: date_shift, within: 30d}
          $.plan: {keep: "product name"}
          $.settings: {keep: "switches of the program"}
          $.settings.name: full_name
          $.friends.*: full_name
        others: OTHERS
`

func rulesOf(others string) string { return strings.Replace(documentRules, "OTHERS", others, 1) }

const (
	documentOne = `{"email": "ada@private.test", "contact": {"phones": ["+1 202 555 0143", null, ""]}, "ssn": "078-05-1120", "born": "1990-05-05", "plan": "plus",
		"settings": {"dark": true, "size": 1.50, "name": "Ada Private"}, "friends": {"bob@private.test": "Bob Private"}}`
	documentTwo = `{"ssn": 780511200, "contact": "call Private", "private key": {"Private": "Private"}, "list": ["Private", {}], "email": "ada@private.test"}`
)

// wantMasked wants the two documents as the rules make them of the two above.
func wantMasked(t *testing.T, email, one, two string) {
	t.Helper()
	var first struct {
		Email, SSN, Born, Plan string
		Contact                struct{ Phones []*string }
		Settings               map[string]any
		Friends                map[string]string
	}
	var second map[string]any
	if err := json.Unmarshal([]byte(one), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(two), &second); err != nil {
		t.Fatal(err)
	}
	if first.Email != email || second["email"] != email || !strings.Contains(email, "@example.") {
		t.Errorf("the column says %s, the documents %s and %s", email, first.Email, second["email"])
	}
	if p := first.Contact.Phones; len(p) != 3 || p[0] == nil || p[1] != nil || *p[2] != "" || *p[0] == "" {
		t.Errorf("phones: %v", p)
	}
	if first.Plan != "plus" || first.Born == "" || first.Born == "1990-05-05" || len(first.SSN) != 11 || first.SSN[3] != '-' || first.SSN == "078-05-1120" {
		t.Errorf("%+v", first)
	}
	if first.Settings["dark"] != true || first.Settings["name"] == "" || !strings.Contains(one, "1.50") {
		t.Errorf("settings: %s", one)
	}
	if name := first.Friends["redacted_1"]; len(first.Friends) != 1 || name == "" {
		t.Errorf("friends: %v", first.Friends)
	}
	if n, ok := second["ssn"].(float64); !ok || n < 1e8 || n >= 1e9 || n == 780511200 {
		t.Errorf("the number became %v", second["ssn"])
	}
}

func TestDocumentsByPath(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE TABLE people (id int PRIMARY KEY, email text, profile jsonb, raw json, words text, tags varchar(40)[], grid date[], marks char(4)[]);
		INSERT INTO people VALUES (1, 'ada@private.test', '`+documentOne+`', '{"a": "Private", "a" : 123456789012345.10}', '["Private"]',
			'[0:1]={"Private, \"x\"",NULL}', '{{1990-05-05,NULL},{1991-01-01,infinity}}', '{ab,NULL}'),
		(2, NULL, '`+documentTwo+`', NULL, '', '{}', NULL, NULL), (3, NULL, 'null', 'null', NULL, NULL, '{}', '{}')`)
	more := `      raw: {json: {"$.a": {mask: fpe, class: code}}, others: drop}
      words: {json: {"$[*]": {mask: hash, length: 8}}, others: stop}
      tags: {mask: hash, class: tag}
      grid: {mask: date_shift, within: 10d}
      marks: fpe
`
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"people.yaml": rulesOf("redact") + more})
	e.run(t, 0, "rules", "check")
	e.run(t, 0, "plan").wants(t, "profile", "by path", "$.contact.phones[*]", "2 values under $", "1 value under $.contact", "in 3 documents", "people.yaml:10:32, 3 values", "hash, each element")
	refreshed := e.run(t, 0, "refresh")
	refreshed.wants(t, "1 value under $.contact")
	if dump := string(dumped(t, staging)); strings.Contains(strings.ToLower(dump), "private") || strings.Contains(refreshed.all(), "rivate") {
		t.Errorf("a value is left:\n%s", dump)
	}
	query := func(q string) string { return scratchtest.Query(t, staging, q) }
	wantMasked(t, query("SELECT email FROM people WHERE id = 1"), query("SELECT profile FROM people WHERE id = 1"), query("SELECT profile FROM people WHERE id = 2"))
	if got := query(`SELECT profile - 'ssn' - 'email' FROM people WHERE id = 2`); got != `{"contact": "redacted", "redacted_1": [], "redacted_2": {}}` {
		t.Errorf("what no path names became %s", got)
	}
	if got := query("SELECT profile, raw FROM people WHERE id = 3"); got != "null\tnull" {
		t.Errorf("null became %s", got)
	}
	if got := query(`SELECT array_dims(tags), array_length(string_to_array(tags::text, ','), 1), tags[0] ~ '^[0-9a-f]{32}$', tags[1] IS NULL, array_dims(grid), abs(grid[1][1] - '1990-05-05'::date) BETWEEN 1 AND 10,
		grid[1][2] IS NULL, grid[2][2], length(marks[1]), marks[2] IS NULL FROM people WHERE id = 1`); got != "[0:1]\t2\tt\tt\t[1:2][1:2]\tt\tt\tinfinity\t2\tt" {
		t.Errorf("arrays became %s", got)
	}
	if got := query(`SELECT tags, words = '' FROM people WHERE id = 2`); got != "{}\tt" {
		t.Errorf("what is empty became %s", got)
	}
	e.run(t, 0, "verify").wants(t, "all passed")
	scratchtest.SQL(t, staging, `UPDATE people SET profile = jsonb_set(profile, '{plan}', '"free"') WHERE id = 1`)
	e.run(t, 5, "verify").wants(t, "masked values changed")
}

func TestUnnamedPathsStop(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	const table = "CREATE TABLE people (id int PRIMARY KEY, email text, profile jsonb);"
	scratchtest.SQL(t, prod, table+`INSERT INTO people VALUES (1, NULL, '`+documentOne+`')`)
	scratchtest.SQL(t, staging, table+"INSERT INTO people VALUES (9, 'old', '{}')")
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"people.yaml": rulesOf("stop")})
	e.run(t, 0, "refresh", "--claim")

	scratchtest.SQL(t, prod, `INSERT INTO people VALUES (2, NULL, '`+documentTwo+`')`)
	for _, args := range [][]string{{"plan"}, {"refresh"}} {
		before := sortedDump(t, staging)
		s := e.run(t, 3, args...)
		s.wants(t, "names what is right under $ (values met: 2 in 2 documents)", "right under $.contact (values met: 1 in 2", "others: redact")
		if strings.Contains(strings.ToLower(s.all()), "private") {
			t.Errorf("a name or value was said:\n%s", s.all())
		}
		same(t, "stagings before and after", before, sortedDump(t, staging))
	}
	// A row that no plan tries: it is met in the load.
	scratchtest.SQL(t, prod, `DELETE FROM people WHERE id = 2; INSERT INTO people SELECT n, NULL, '{}' FROM generate_series(10, 5000) n; INSERT INTO people VALUES (6000, NULL, '{"private key": 1}')`)
	before := sortedDump(t, staging)
	e.run(t, 3, "refresh").wants(t, "right under $ (values met: 1 in ")
	same(t, "stagings before and after", before, sortedDump(t, staging))
}

func TestDocumentsInFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	prod, staging := filepath.Join(dir, "prod.db"), filepath.Join(dir, "staging.db")
	execute(t, prod, `CREATE TABLE people (id integer PRIMARY KEY, email text, profile json);
		INSERT INTO people VALUES (1, 'ada@private.test', '`+documentOne+`'), (2, NULL, '`+documentTwo+`'),
			(3, NULL, NULL), (4, NULL, 'null'), (5, NULL, '1.50'), (6, NULL, '')`)
	e := newErrand(t, "sqlite:"+prod, "sqlite:"+staging, plainJob(keepNone), map[string]string{"people.yaml": rulesOf("drop")})
	e.run(t, 0, "refresh")
	query := func(q string) string { return strings.TrimSpace(liteQuery(t, staging, q)) }
	wantMasked(t, query("SELECT email FROM people WHERE id = 1"), query("SELECT profile FROM people WHERE id = 1"), query("SELECT profile FROM people WHERE id = 2"))
	if got := query("SELECT group_concat(coalesce(profile, 'NULL'), '|') FROM people WHERE id > 2"); got != "NULL|null|null|" {
		t.Errorf("%s", got)
	}
	data, err := os.ReadFile(staging)
	if err != nil || strings.Contains(strings.ToLower(string(data)), "private") {
		t.Errorf("a value is left in the file (%v)", err)
	}
	e.run(t, 0, "verify").wants(t, "all passed")

	for text, says := range map[string]string{`{"email": 'private'}`: "no JSON document: it is not JSON (byte 10)", "{\"a\": \"private\xff\"}": "it is not UTF-8",
		strings.Repeat("[", 1001): "nests deeper than 1000"} {
		execute(t, prod, fmt.Sprintf("DELETE FROM people WHERE id > 9; INSERT INTO people VALUES (10, NULL, CAST(x'%x' AS text))", text))
		was, err := os.ReadFile(staging)
		if err != nil {
			t.Fatal(err)
		}
		s := e.run(t, 3, "refresh")
		s.wants(t, "main.people.profile", says)
		now, err := os.ReadFile(staging)
		if err != nil || string(now) != string(was) || strings.Contains(s.all(), "private") {
			t.Errorf("the target changed, or a value was said (%v):\n%s", err, s.all())
		}
	}
	execute(t, prod, `DELETE FROM people WHERE id > 9; INSERT INTO people VALUES (10, NULL, '{"email": 5550143}')`)
	s := e.run(t, 2, "refresh")
	s.wants(t, "at $.email: mask email cannot take a value: it is a number")
	if strings.Contains(s.all(), "5550143") {
		t.Error(s.all())
	}
}

// TestArraysOfDocuments: paths lead into each document of an array, whatever its
// shape; what they leave out, and what stops, is told as of single documents.
func TestArraysOfDocuments(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE DOMAIN doc AS jsonb CHECK (VALUE IS NOT NULL); CREATE TABLE people (id int PRIMARY KEY, email text, many jsonb[], raw json[], words text[], own doc[]);
INSERT INTO people VALUES (1, 'ada@private.test', ARRAY['{"email": "ada@private.test", "plan": "a\"b\\c {,} x", "no": "Private"}', NULL, '[]', '"Private"']::jsonb[],
	'[2:3][0:0]={{"{\"email\": \"ada@private.test\",  \"plan\":1.50}"},{"{\"plan\" :null}"}}', ARRAY['{"email": "ada@private.test"}', '', NULL], ARRAY['{"email": "ada@private.test"}']::doc[]),
	(2, NULL, '{}', NULL, '{}', NULL)`)
	const decide = `
        json: {$.email: email, $.plan: {keep: product name}}
        others: OTHERS`
	rules := func(others string) map[string]string {
		text := "version: 1\ntables:\n  people:\n    columns:\n      id: {keep: a number of ours}\n      email: email\n"
		for _, c := range []string{"many", "raw", "words", "own"} {
			text += "      " + c + ":" + strings.ReplaceAll(decide, "OTHERS", others) + "\n"
		}
		return map[string]string{"people.yaml": text}
	}
	e := newErrand(t, prod, staging, plainJob(), rules("stop"))
	e.refuses(t, staging, 3, "--claim")
	for range 2 { // production's structure, then staging's own
		e = newErrand(t, prod, staging, plainJob(), rules("redact"))
		e.run(t, 0, "refresh", "--claim")
		got := strings.Split(scratchtest.Query(t, staging, `SELECT email || '|' || (SELECT bool_and(x = email) FROM unnest(ARRAY[many[1] ->> 'email', raw[2][0] ->> 'email', words[1]::jsonb ->> 'email', own[1] ->> 'email']) x)
			|| '|' || (many[1] ->> 'plan') || '|' || array_dims(raw) || '|' || (raw[2][0] ->> 'plan') || '|' || array_length(many, 1) || (many[2] IS NULL) || many[3] || '|' || (words[2] = '') || (words[3] IS NULL) FROM people WHERE id = 1`), "|")
		if !strings.Contains(got[0], "@example.") || strings.Join(got[1:], "|") != `true|a"b\c {,} x|[2:3][0:0]|1.50|4true[]|truetrue` {
			t.Errorf("%q", got)
		}
		if left := scratchtest.Query(t, staging, `SELECT count(*) FROM people p WHERE p::text ~* 'private'`); left != "0" {
			t.Errorf("%s rows hold what is private", left)
		}
		if empty := scratchtest.Query(t, staging, `SELECT (many = '{}') || '' || (raw IS NULL) || (words = '{}') FROM people WHERE id = 2`); empty != "truetruetrue" {
			t.Errorf("empty arrays: %s", empty)
		}
		e.run(t, 0, "verify")
	}
	scratchtest.SQL(t, staging, `UPDATE people SET many[1] = jsonb_set(many[1], '{plan}', '"free"') WHERE id = 1`)
	e.run(t, 5, "verify").wants(t, "masked values changed")
}
