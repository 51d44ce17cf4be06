package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// Nobody but the test tells the server how many rows there are: the numbers decide how
// long some fakes are, and at another length everything is read anew.
const ledgers = `CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE owners (id bigint PRIMARY KEY, name text NOT NULL, email text UNIQUE, note text, mood mood) WITH (autovacuum_enabled = false);
CREATE TABLE entries (owner_id bigint NOT NULL REFERENCES owners, line int, text text CHECK (text <> 'never'), amount numeric, PRIMARY KEY (owner_id, line)) WITH (autovacuum_enabled = false);
`

const ledgerRows = `INSERT INTO owners SELECT i, 'Owner ' || i, 'o' || i || '@private.test', CASE WHEN i % 3 > 0 THEN repeat('x', 40) || i END, 'calm' FROM generate_series(1, 12000) i;
INSERT INTO entries SELECT 1 + i % 12000, i, 'entry ' || i || repeat(' and more', 5), i FROM generate_series(1, 24000) i;
VACUUM ANALYZE;
`

const ledgerRules = `version: 1
tables:
  owners: {columns: {id: fpe, name: full_name, email: email, note: hash, mood: {keep: "no person is told by it"}}}
  entries: {columns: {line: {keep: "a number"}, text: {keep: "invented"}, amount: {keep: "invented"}}}
`

// A nightly exchange reads of production only what came or changed since the one
// before, where that is known to be all; the outcome is always that of a refresh
// that begins anew. Whatever happens to either side between is found out.
func TestReplaceBuildsOnTheRefreshBefore(t *testing.T) {
	scratchtest.Long(t)
	server := scratchtest.Own(t, scratch.Options{})
	url := server.URL("postgres")
	prod, staging, control := scratchtest.DatabaseOn(t, url), scratchtest.DatabaseOn(t, url), scratchtest.DatabaseOn(t, url)
	rules := map[string]string{"ledgers.yaml": ledgerRules}
	e, anew := newErrand(t, prod, staging, plainJob(inPlaceJob), rules), newErrand(t, prod, control, plainJob(inPlaceJob), rules)
	scratchtest.SQL(t, prod, ledgers+ledgerRows)
	scratchtest.SQL(t, staging, ledgers)
	scratchtest.SQL(t, control, ledgers)
	anew.run(t, 0, "refresh")
	rows := func(address string) string {
		return scratchtest.Query(t, address, "SELECT id, name, email, note, mood FROM owners ORDER BY id") + scratchtest.Query(t, address, "SELECT * FROM entries ORDER BY owner_id, line")
	}
	// refresh gives, for both tables, how many rows were read.
	refresh := func(what string) (read map[string]int64) {
		t.Helper()
		s := e.run(t, 0, "refresh", "--json")
		var doc struct {
			Ledger []struct {
				Table                string
				Read, Stood, Counted int64
			}
		}
		if err := json.Unmarshal([]byte(s.out), &doc); err != nil {
			t.Fatal(err)
		}
		read = map[string]int64{}
		for _, l := range doc.Ledger {
			read[strings.TrimPrefix(l.Table, "public.")] = l.Read
			if l.Read+l.Stood != l.Counted {
				t.Errorf("%s: ledger of %s: %+v", what, l.Table, l)
			}
		}
		scratchtest.SQL(t, control, `UPDATE understudy.generation SET manifest = regexp_replace(manifest, '"since":', '"forgotten":', 'g')`)
		anew.run(t, 0, "refresh")
		same(t, what, rows(control), rows(staging))
		return read
	}
	const all, lines = 12000, 24000
	wants := func(what string, owners, entries int64) {
		t.Helper()
		if read := refresh(what); read["owners"] != owners || read["entries"] != entries {
			t.Errorf("%s: read %d owners and %d entries, not %d and %d", what, read["owners"], read["entries"], owners, entries)
		}
	}
	change := func(address, sql string) { t.Helper(); scratchtest.SQL(t, address, sql) }

	wants("into an empty target", all, lines)
	wants("nothing changed", 0, 0)
	change(prod, "UPDATE owners SET note = NULL WHERE id % 100 = 0; UPDATE owners SET email = 'new' || id || '@private.test', note = 'new' WHERE id % 100 = 1; UPDATE entries SET amount = 0 WHERE line < 11")
	wants("rows changed", 240, 10)
	change(prod, "INSERT INTO owners VALUES (12001, 'New', NULL, 'n', 'cross'); INSERT INTO entries VALUES (12001, 1, 'new', 1), (7, 30000, 'new', 1)")
	wants("rows came", 1, 2)
	change(prod, "VACUUM (FREEZE) owners; ANALYZE owners; CREATE TEMP TABLE elsewhere (id int)")
	change(staging, "VACUUM (FREEZE) owners")
	wants("only the servers' own work", 0, 0)
	e.run(t, 0, "verify").wants(t, "all passed")
	change(prod, "DELETE FROM entries WHERE line % 1000 = 1")
	wants("rows went", 0, 0)
	e.run(t, 0, "verify").wants(t, "all passed")
	change(prod, "DELETE FROM entries WHERE line % 1000 = 3; UPDATE entries SET text = 'changed' WHERE line % 1000 = 4; INSERT INTO entries SELECT 2, line, text, amount FROM entries WHERE line % 1000 = 5")
	change(prod, "DELETE FROM entries WHERE owner_id BETWEEN 100 AND 120; DELETE FROM owners WHERE id BETWEEN 100 AND 120; UPDATE owners SET note = 'late' WHERE id = 121")
	wants("rows went, changed and came", 1, 48)
	e.run(t, 0, "verify").wants(t, "all passed")
	change(prod, "DELETE FROM entries WHERE line % 3 = 0")
	count := func(table string) int64 {
		n := int64(0)
		for range strings.Lines(scratchtest.Query(t, prod, "SELECT 1 FROM "+table) + "\n") {
			n++
		}
		return n
	}
	wants("a third of the rows went", 0, count("entries"))
	change(prod, "DELETE FROM entries WHERE owner_id = 9; UPDATE owners SET id = 20000 WHERE id = 9; INSERT INTO owners VALUES (9, 'Another', 'n9@private.test', 'same key', 'calm')")
	read := refresh("a key changed, and another row took it")
	if read["owners"] != 2 {
		t.Errorf("read %d owners", read["owners"])
	}
	change(prod, "UPDATE owners SET email = 'swap' WHERE id = 1; UPDATE owners SET email = 'o1@private.test' WHERE id = 2; UPDATE owners SET email = 'o2@private.test' WHERE id = 1")
	wants("two rows exchanged unique values", 2, 0)

	change(staging, "UPDATE entries SET amount = 4711 WHERE owner_id = (SELECT min(owner_id) FROM entries)")
	wants("staging was written to", 0, count("entries"))
	change(staging, "DELETE FROM entries WHERE line = 2; INSERT INTO entries SELECT owner_id, 2, 'x', 1 FROM entries WHERE line = 3")
	wants("staging lost a row and got one", 0, count("entries"))
	change(staging, "ALTER TABLE owners DROP COLUMN note, ADD COLUMN note text")
	wants("a column of staging was made anew", count("owners"), 0)

	// A transaction that is open while a refresh reads is later than the refresh.
	ctx := t.Context()
	open := func(address string) *pgx.Conn {
		c, err := pgx.Connect(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(ctx) })
		if _, err := c.Exec(ctx, "BEGIN; SELECT txid_current()"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	finish := func(c *pgx.Conn, sql string) {
		t.Helper()
		if _, err := c.Exec(ctx, sql+"; COMMIT"); err != nil {
			t.Fatal(err)
		}
		_ = c.Close(ctx)
	}
	late := open(prod)
	if _, err := late.Exec(ctx, "UPDATE owners SET name = 'Late' WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	wants("a writer is under way in production", 0, 0)
	finish(late, "UPDATE entries SET amount = 1 WHERE line = 3")
	// That transaction was open on the same server while the target's rows were
	// exchanged, and it might have written there for all that can be told.
	wants("it has ended", count("owners"), count("entries"))
	late = open(staging)
	wants("a writer is under way in staging", 0, 0)
	finish(late, "UPDATE entries SET amount = 4712 WHERE line = 3")
	wants("it wrote to a table of staging", count("owners"), count("entries"))

	e.write(t, "rules/ledgers.yaml", replaced(t, ledgerRules, "name: full_name", "name: redact"))
	anew.write(t, "rules/ledgers.yaml", replaced(t, ledgerRules, "name: full_name", "name: redact"))
	e.run(t, 0, "verify").wants(t, "all passed")
	wants("another mask", count("owners"), 0)
	if err := server.Restart(ctx, nil); err != nil {
		t.Fatal(err)
	}
	wants("the server was started again", count("owners"), count("entries"))
}

// Which rows went is found by their keys, however these lie: beside one another, at the
// ends of all numbers, far apart, in partitions, as fakes.
func TestReplaceFindsWhatWent(t *testing.T) {
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	structure := "CREATE TABLE parts (id int PRIMARY KEY, body text) PARTITION BY RANGE (id); CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (6000); CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (6000) TO (MAXVALUE);"
	rows, rules := "INSERT INTO parts SELECT i, repeat('x', 150) || i FROM generate_series(1, 12000) i;", "version: 1\ntables:\n  parts: {columns: {id: {keep: a number}, body: {keep: invented}}}\n"
	tables := []string{"parts"}
	for name, id := range map[string]string{"near": "bigint:i - 6000", "ends": "bigint:CASE i WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE i END", "far": "bigint:i * 1000000::bigint", "small": "smallint:i", "words": "text:'w' || i", "fakes": "bigint:i"} {
		kind, value, _ := strings.Cut(id, ":")
		structure += "CREATE TABLE " + name + " (id " + kind + " PRIMARY KEY, body text) WITH (autovacuum_enabled = false);"
		rows += "INSERT INTO " + name + " SELECT " + value + ", repeat('x', 150) || i FROM generate_series(1, 12000) i;"
		mask := "{keep: a number}"
		if name == "fakes" {
			mask = "fpe"
		}
		rules += "  " + name + ": {columns: {id: " + mask + ", body: {keep: invented}}}\n"
		tables = append(tables, name)
	}
	scratchtest.SQL(t, prod, structure+rows+"VACUUM ANALYZE;")
	scratchtest.SQL(t, staging, structure)
	e := newErrand(t, prod, staging, plainJob(inPlaceJob), map[string]string{"all.yaml": rules})
	e.run(t, 0, "refresh")
	for _, gone := range []string{"id IN (SELECT min(id) FROM %s)", "id IN (SELECT max(id) FROM %s)", "body LIKE '%%77'", "ctid IN (SELECT ctid FROM %s WHERE length(body) = 153)"} {
		for _, name := range tables {
			scratchtest.SQL(t, prod, "DELETE FROM "+name+" WHERE "+strings.ReplaceAll(strings.ReplaceAll(gone, "%s", name), "%%", "%"))
		}
		s := e.run(t, 0, "refresh", "--json")
		var doc struct {
			Ledger []struct {
				Table string
				Read  int64
			}
		}
		if err := json.Unmarshal([]byte(s.out), &doc); err != nil || len(doc.Ledger) == 0 {
			t.Fatal(err, s.out)
		}
		for _, l := range doc.Ledger {
			if l.Read != 0 {
				t.Errorf("%s: %d rows of %s were read whole", gone, l.Read, l.Table)
			}
		}
		for _, name := range tables {
			const all = "SELECT count(*), count(DISTINCT id), md5(string_agg(body, ',' ORDER BY body)) FROM "
			same(t, gone+" of "+name, scratchtest.Query(t, prod, all+name), scratchtest.Query(t, staging, all+name))
		}
	}
	e.run(t, 0, "verify").wants(t, "all passed")
}
