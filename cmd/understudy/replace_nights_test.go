package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/scratch/scratchtest"
)

const nights = `CREATE TABLE people (id bigint PRIMARY KEY, boss bigint REFERENCES people ON DELETE SET NULL, email text NOT NULL UNIQUE, name text, pad text, born date);
CREATE TABLE accounts (region int, no int, owner bigint NOT NULL REFERENCES people ON DELETE CASCADE, balance numeric(12,2) NOT NULL CHECK (balance > -1000), pad text, PRIMARY KEY (region, no));
CREATE TABLE moves (region int NOT NULL, no int NOT NULL, at date NOT NULL, amount numeric, pad text, id bigint GENERATED ALWAYS AS IDENTITY, doubled numeric GENERATED ALWAYS AS (amount * 2) STORED,
	PRIMARY KEY (id, at), FOREIGN KEY (region, no) REFERENCES accounts ON UPDATE CASCADE ON DELETE CASCADE) PARTITION BY RANGE (at);
CREATE TABLE moves_old PARTITION OF moves FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE moves_new PARTITION OF moves FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
CREATE TABLE notes (word text, pad text);
CREATE TABLE tags (tag text PRIMARY KEY, pad text);
`

const nightRows = `INSERT INTO people SELECT i, NULL, 'p' || i || '@private.test', 'Name ' || i, repeat('p', 90), '1970-01-01'::date + i % 9000 FROM generate_series(1, 9000) i;
UPDATE people SET boss = 1 + id * 7 % 9000 WHERE id % 3 = 0;
INSERT INTO accounts SELECT i % 5, i, 1 + i % 9000, i, repeat('a', 90) FROM generate_series(1, 11000) i;
INSERT INTO moves (region, no, at, amount, pad) SELECT i % 5, 1 + (i - 1) % 11000, '2024-06-01'::date + i % 400, i, repeat('m', 60) FROM generate_series(1, 80000) i WHERE (1 + (i - 1) % 11000) % 5 = i % 5;
INSERT INTO notes SELECT 'w' || i % 50, repeat('n', 100) FROM generate_series(1, 10000) i;
INSERT INTO tags SELECT 'tag ' || i, repeat('t', 120) FROM generate_series(1, 9000) i;
VACUUM ANALYZE;
`

const nightRules = `version: 1
tables:
  people: {columns: {id: fpe, email: email, name: full_name, pad: {keep: "filler"}, born: {mask: date_shift, within: 30d}}}
  accounts: {columns: {region: {keep: "a region"}, no: {keep: "a number"}, balance: {keep: "invented"}, pad: {keep: "filler"}}}
  moves: {columns: {at: {keep: "invented"}, amount: {keep: "invented"}, pad: hash, id: {keep: "a number"}}}
  notes: {columns: {word: redact, pad: {keep: "filler"}}}
  tags: {columns: {tag: hash, pad: {keep: "filler"}}}
`

// A night changes production, and sometimes staging, as it comes.
type night struct{ r *rand.Rand }

// one writes a statement for production that may change any rows.
func (n *night) one() string {
	k := func() int { return 1 + n.r.IntN(9000) }
	some := func(column string) string {
		switch n.r.IntN(4) {
		case 0:
			return fmt.Sprintf("%s = %d", column, k())
		case 1:
			from := k()
			return fmt.Sprintf("%s BETWEEN %d AND %d", column, from, from+n.r.IntN(40))
		case 2:
			return fmt.Sprintf("%s %% %d = 0", column, 200+n.r.IntN(2000))
		}
		return fmt.Sprintf("%s %% %d = 1", column, 2+n.r.IntN(5))
	}
	switch n.r.IntN(16) {
	case 0:
		return "UPDATE people SET name = name || 'x', born = born + 1 WHERE " + some("id")
	case 1:
		return "UPDATE people SET email = 'n' || id || '.' || length(email) || '@private.test' WHERE " + some("id")
	case 2:
		return fmt.Sprintf("DELETE FROM people WHERE id = %d", k())
	case 3:
		return "INSERT INTO people SELECT max(id) + 1, min(id), 'new' || max(id) || '@private.test', NULL, repeat('p', 90), NULL FROM people"
	case 4:
		return "UPDATE people SET boss = NULL WHERE " + some("id")
	case 5:
		return fmt.Sprintf("UPDATE people SET id = id + 1000000 WHERE id = %d AND NOT EXISTS (SELECT FROM accounts WHERE owner = people.id) AND NOT EXISTS (SELECT FROM people p WHERE p.boss = people.id)", k())
	case 6:
		return "DELETE FROM accounts WHERE " + some("no")
	case 7:
		return "UPDATE accounts SET balance = balance + 1 WHERE " + some("no")
	case 8:
		return fmt.Sprintf("UPDATE accounts SET region = region + 10 WHERE no BETWEEN %d AND %[1]d + 20", k())
	case 9:
		return "INSERT INTO accounts SELECT 99, coalesce(max(no), 0) + 1, (SELECT min(id) FROM people), 5, repeat('a', 90) FROM accounts"
	case 10:
		return "DELETE FROM moves WHERE " + some("id")
	case 11:
		return "UPDATE moves SET amount = amount + 1 WHERE " + some("id")
	case 12:
		return fmt.Sprintf("UPDATE moves SET at = at + 300 WHERE id BETWEEN %d AND %[1]d + 30", k())
	case 13:
		return fmt.Sprintf("INSERT INTO moves (region, no, at, amount, pad) SELECT region, no, '2025-02-02', %d, repeat('m', 60) FROM accounts ORDER BY no LIMIT 3", k())
	case 14:
		return fmt.Sprintf("DELETE FROM notes WHERE ctid = (SELECT ctid FROM notes ORDER BY ctid LIMIT 1 OFFSET %d)", k())
	}
	return fmt.Sprintf("UPDATE tags SET tag = 'renamed ' || %d WHERE tag = 'tag %[1]d'; DELETE FROM tags WHERE tag = 'tag %d'", k(), k())
}

// There is no night after which an exchange that builds on the refresh before
// leaves other rows than one that begins anew.
func TestReplaceAnyNights(t *testing.T) {
	scratchtest.Long(t)
	seed := uint64(time.Now().UnixNano())
	if v, err := strconv.ParseUint(os.Getenv("UNDERSTUDY_NIGHTS_SEED"), 10, 64); err == nil {
		seed = v
	}
	t.Logf("UNDERSTUDY_NIGHTS_SEED=%d", seed)
	n := &night{rand.New(rand.NewPCG(seed, 47))}
	prod, staging, control := scratchtest.Database(t), scratchtest.Database(t), scratchtest.Database(t)
	rules := map[string]string{"nights.yaml": nightRules}
	e, anew := newErrand(t, prod, staging, plainJob(inPlaceJob), rules), newErrand(t, prod, control, plainJob(inPlaceJob), rules)
	scratchtest.SQL(t, prod, nights+nightRows)
	scratchtest.SQL(t, staging, nights)
	scratchtest.SQL(t, control, nights)
	rows := func(address string) string {
		return scratchtest.Query(t, address, `SELECT 'people', p::text FROM people p UNION ALL SELECT 'accounts', a::text FROM accounts a UNION ALL SELECT tableoid::regclass::text, m::text FROM moves m
			UNION ALL SELECT 'notes', n::text FROM notes n UNION ALL SELECT 'tags', t::text FROM tags t ORDER BY 1, 2`)
	}
	built := map[string]int{}
	for i := range scratchtest.Few(25, 6) {
		var did []string
		for range n.r.IntN(5) {
			did = append(did, n.one())
		}
		for _, s := range did {
			scratchtest.SQL(t, prod, s)
		}
		if n.r.IntN(4) == 0 {
			table := []string{"people", "accounts", "moves", "tags"}[n.r.IntN(4)]
			s := "UPDATE " + table + " SET pad = 'meddled' WHERE ctid IN (SELECT ctid FROM " + table + " LIMIT 2)"
			scratchtest.SQL(t, staging, s)
			did = append(did, "in staging "+s)
		}
		t.Logf("night %d: %s", i, strings.Join(did, "; "))
		s := e.run(t, 0, "refresh", "--json")
		var doc struct {
			Ledger []struct {
				Table string
				Stood int64
			}
		}
		if err := json.Unmarshal([]byte(s.out), &doc); err != nil {
			t.Fatal(err)
		}
		for _, l := range doc.Ledger {
			if l.Stood > 0 {
				built[l.Table]++
			}
		}
		scratchtest.SQL(t, control, `DO $x$ BEGIN UPDATE understudy.generation SET manifest = regexp_replace(manifest, '"since":', '"forgotten":', 'g'); EXCEPTION WHEN OTHERS THEN NULL; END $x$`)
		anew.run(t, 0, "refresh")
		same(t, "rows", rows(control), rows(staging))
		e.run(t, 0, "verify")
		if t.Failed() {
			return
		}
	}
	t.Logf("tables that were built on: %v", built)
	if len(built) == 0 {
		t.Error("no night built on the one before")
	}
}

// Where staging's key takes for one what production tells apart, a row that came must
// not stand in for one that went.
func TestReplaceByACoarserKey(t *testing.T) {
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE TABLE tags (tag text PRIMARY KEY, pad text); INSERT INTO tags SELECT 'tag ' || i, repeat('t', 150) FROM generate_series(1, 9000) i; VACUUM ANALYZE`)
	scratchtest.SQL(t, staging, `CREATE COLLATION coarse (provider = icu, locale = 'und-u-ks-level2', deterministic = false); CREATE TABLE tags (tag text COLLATE coarse PRIMARY KEY, pad text)`)
	e := newErrand(t, prod, staging, plainJob(inPlaceJob), map[string]string{"tags.yaml": "version: 1\ntables: {tags: {columns: {tag: {keep: \"a word\"}, pad: {keep: \"filler\"}}}}\n"})
	e.run(t, 0, "refresh")
	before := scratchtest.Query(t, staging, "SELECT tag FROM tags ORDER BY 1")
	scratchtest.SQL(t, prod, "INSERT INTO tags VALUES ('TAG 5', 'new'); DELETE FROM tags WHERE tag = 'tag 9'")
	if code, s := e.start(t, nil, "refresh"); code == 0 {
		t.Errorf("two rows of production have one key in staging, and the refresh says:\n%s", s.all())
	}
	same(t, "staging", before, scratchtest.Query(t, staging, "SELECT tag FROM tags ORDER BY 1"))
}
