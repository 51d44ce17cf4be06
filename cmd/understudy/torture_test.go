package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"understudy/internal/schema"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// keepAll writes a rules file that keeps every column the program lists, under
// the names that it writes itself.
func (e *errand) keepAll(t *testing.T) {
	t.Helper()
	e.write(t, "rules/all.yaml", "version: 1\n")
	_, listed := e.start(t, nil, "rules", "list", "--json")
	var list struct {
		Masks []struct{ Table, Column, Decision string }
	}
	if err := json.Unmarshal([]byte(listed.out), &list); err != nil {
		t.Fatalf("%v\n%s", err, listed.all())
	}
	tables := map[string]map[string]any{}
	for _, m := range list.Masks {
		if m.Decision == "derived" {
			continue
		}
		if tables[m.Table] == nil {
			tables[m.Table] = map[string]any{"columns": map[string]any{}}
		}
		tables[m.Table]["columns"].(map[string]any)[schema.Ident(m.Column)] = map[string]string{"keep": "a test"}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"version": 1, "tables": tables}); err != nil {
		t.Fatal(err)
	}
	e.write(t, "rules/all.yaml", strings.ReplaceAll(text.String(), "\u0085", `\u0085`)) // which ends a line in YAML
}

// tortured makes a production out of a file of testdata/torture.
func tortured(t *testing.T, name string) string {
	t.Helper()
	address := scratchtest.Database(t)
	text, err := os.ReadFile(filepath.Join("testdata", "torture", name+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := scratch.Script(t.Context(), address, bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return address
}

// copySettings gives a database the settings of another, which no dump of one carries.
func copySettings(t *testing.T, from, to string) {
	t.Helper()
	statements := scratchtest.Query(t, from, `SELECT coalesce(string_agg(format('DO $x$ BEGIN EXECUTE format(''ALTER DATABASE %%I SET %s = %s'', current_database()); END $x$;',
	split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ''), 'SELECT 1') FROM pg_db_role_setting s, unnest(s.setconfig) o WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	scratchtest.SQL(t, to, statements)
}

// rowsOf is the sorted data lines of a dump.
func rowsOf(t *testing.T, address string) string {
	t.Helper()
	lines := strings.Split(string(dumped(t, address, "--data-only", "--no-blobs")), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "--") || strings.HasPrefix(l, "COPY ") || strings.HasPrefix(l, "SELECT pg_catalog.setval")
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestTorture carries databases of hard cases whole, with nothing masked: into an
// empty target, into one that has their structure, and by exchanging rows in
// place. Rows and structure are the source's, and every proof holds. Where the
// source has nothing that stays with it on purpose (comments, grants,
// publications, foreign servers, large objects), its dump is the target's.
func TestTorture(t *testing.T) {
	for _, name := range []string{"names", "keys", "partitions", "types", "constraints", "everything"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := tortured(t, name), scratchtest.Database(t)
			e := newErrand(t, source, target, plainJob(keepNone), nil)
			e.keepAll(t)
			e.run(t, 0, "refresh")
			rows := rowsOf(t, source)
			same(t, "rows in a target that was empty", rows, rowsOf(t, target))
			if name != "constraints" {
				same(t, "dumps of a target that was empty", string(dumped(t, source)), string(dumped(t, target)))
			}
			e.run(t, 0, "verify")

			staged := scratchtest.Database(t)
			copyStructure(t, source, staged)
			copySettings(t, source, staged)
			structure := string(dumped(t, staged, "--schema-only"))
			e.env["STAGING_URL"] = staged
			e.run(t, 0, "refresh")
			same(t, "rows in a target with the structure", rows, rowsOf(t, staged))
			same(t, "structure", structure, string(dumped(t, staged, "--schema-only")))
			e.run(t, 0, "verify")
			e.run(t, 0, "parity").wants(t, "no difference found")

			place := scratchtest.Database(t)
			copyStructure(t, source, place)
			structure = string(dumped(t, place, "--schema-only"))
			e.env["STAGING_URL"] = place
			e.write(t, "understudy.yaml", plainJob("load: {mode: replace}"))
			for _, what := range []string{"exchanged", "exchanged for the same"} {
				e.run(t, 0, "refresh")
				same(t, "rows "+what, rows, rowsOf(t, place))
				same(t, "structure of rows "+what, structure, string(dumped(t, place, "--schema-only")))
			}
			e.run(t, 0, "verify")
		})
	}
}

// TestTortureSubset takes a part of each table with an identity in turn; references hold in each.
func TestTortureSubset(t *testing.T) {
	for name, seeds := range map[string][]string{"keys": {"a.x", "a.comp", "a.chain"}, "partitions": {"public.ord"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := tortured(t, name), scratchtest.Database(t)
			e := newErrand(t, source, target, plainJob(keepNone), nil)
			e.keepAll(t)
			for _, seed := range seeds {
				e.write(t, "understudy.yaml", plainJob(keepNone, fmt.Sprintf("subset: {seeds: [{table: %s, percent: 20}]}", seed)))
				e.run(t, 0, "refresh")
				e.run(t, 0, "verify")
				wantWhole(t, source, target)
			}
		})
	}
}

// TestSameRowsHoweverRun runs the shop again with small batches and with one
// processor: the rows are equal.
func TestSameRowsHoweverRun(t *testing.T) {
	t.Parallel()
	production := scratchtest.Database(t)
	fillShop(t, production, "")
	var first string // the staging is made anew for each run
	for i, run := range []struct {
		env  map[string]string
		args []string
	}{{nil, nil}, {nil, []string{"--batch-bytes", "1024"}}, {map[string]string{"GOMAXPROCS": "1"}, nil}} {
		target := scratchtest.Database(t)
		fillShop(t, "", target)
		e := shopErrand(t, production, target)
		e.runWith(t, run.env, 0, append([]string{"refresh", "--claim"}, run.args...)...)
		if got := rowsOf(t, target); i == 0 {
			first = got
		} else {
			same(t, fmt.Sprintf("rows of run %d", i), first, got)
		}
	}
}

// TestOneMoment moves money between accounts while the source is read: the
// target holds a moment at which nothing was lost or made.
func TestOneMoment(t *testing.T) {
	t.Parallel()
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, source, `CREATE TABLE accounts (id int PRIMARY KEY, balance bigint); CREATE TABLE pockets (id int PRIMARY KEY REFERENCES accounts, balance bigint);
		CREATE TABLE moves (id bigserial PRIMARY KEY, account int REFERENCES accounts, amount bigint);
		INSERT INTO accounts SELECT i, 1000 FROM generate_series(1, 20000) i; INSERT INTO pockets SELECT id, 0 FROM accounts`)
	e := newErrand(t, source, target, plainJob(keepNone), nil)
	e.keepAll(t)
	var traffic sync.WaitGroup
	stop := make(chan struct{})
	for n := range 2 {
		traffic.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := 1 + (i*7919+n)%20000
				scratchtest.SQL(t, source, fmt.Sprintf(`BEGIN; UPDATE accounts SET balance = balance - 5 WHERE id = %[1]d; UPDATE pockets SET balance = balance + 5 WHERE id = %[1]d;
					INSERT INTO moves (account, amount) VALUES (%[1]d, 5); DELETE FROM moves WHERE id %% 50 = 0; COMMIT`, id))
			}
		})
	}
	for range 3 {
		e.run(t, 0, "refresh")
		if got := scratchtest.Query(t, target, `SELECT (SELECT sum(balance) FROM accounts) + (SELECT sum(balance) FROM pockets)`); got != "20000000" {
			t.Errorf("the sums add up to %s", got)
		}
	}
	close(stop)
	traffic.Wait()
}

// TestShopIsOneOnEveryEngine masks the shop on PostgreSQL and on SQLite with one
// key: every row has the same e-mail and name on both, inside documents as well,
// where the e-mail is that of the column.
func TestShopIsOneOnEveryEngine(t *testing.T) {
	t.Parallel()
	production, target := shopDatabases(t)
	shopErrand(t, production, target).run(t, 0, "refresh", "--claim")
	dir := t.TempDir()
	from, to := filepath.Join(dir, "production.db"), filepath.Join(dir, "staging.db")
	one, two := schemas.Shop("sqlite")
	execute(t, from, strings.Join(one, ";\n"))
	execute(t, to, strings.Join(two, ";\n"))
	shopErrand(t, "sqlite:"+from, "sqlite:"+to).run(t, 0, "refresh", "--claim")
	for _, query := range []string{
		"SELECT id, email, full_name, phone, national_id, street, city, postcode FROM customers ORDER BY id",
		"SELECT id, full_name, email FROM employees ORDER BY id", "SELECT id, recipient, street FROM addresses ORDER BY id", "SELECT id, card_number, card_holder FROM payments ORDER BY id",
		"SELECT id, profile -> 'contact' ->> 'phone', profile -> 'contact' ->> 'email', profile -> 'tags' ->> 0, CASE WHEN profile -> 'contact' ->> 'email' = email THEN 1 ELSE 0 END FROM customers ORDER BY id",
	} {
		same(t, query, scratchtest.Query(t, target, query), liteQuery(t, to, query))
	}
}

// liteQuery gives the rows of a query as scratchtest.Query does: tabs between
// columns, NULL as \N, a line each.
func liteQuery(t *testing.T, path, query string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values, to := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = `\N`
			if v.Valid {
				cells[i] = v.String
			}
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
