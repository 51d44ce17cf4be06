package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// exchanged does a whole run in place.
func exchanged(t *testing.T, from, to, run string, preserve ...schema.Name) error {
	t.Helper()
	structure, snap := snapshotOf(t, from)
	defer snap.Close()
	l, err := targetOf(t, to).InPlace().Begin(t.Context(), engine.Spec{RunID: run, Preserve: preserve, Step: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Abort(context.WithoutCancel(t.Context()))
	for i := range structure.Tables {
		tab := &structure.Tables[i]
		if slices.Contains(preserve, tab.Name) {
			continue
		}
		if _, err := l.Write(t.Context(), tab.Name, tab.Written(), snap.Read(t.Context(), engine.Read{Table: tab, Columns: tab.Written()})); err != nil {
			return err
		}
	}
	if err := l.Finish(t.Context()); err != nil {
		return err
	}
	return l.Switch(t.Context(), []byte(`{"run":"`+run+`"}`))
}

func rowsOf(t *testing.T, path, text string) []string {
	t.Helper()
	out, err := query(t.Context(), client(t, path, ""), text)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return out
}

func TestExchangeOfAHardSchema(t *testing.T) {
	from, to := made(t, "from.db", hardSchema(), hardRows()), made(t, "to.db", hardSchema(), hardRows(), []string{
		`DELETE FROM codes WHERE length(code) > 1`, `DELETE FROM keyless WHERE a = 'c'`, `INSERT INTO keyless VALUES (NULL, 'b')`, `DELETE FROM strict_one`, `UPDATE bare SET y = NULL`})
	const objects = `SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'understudy%' AND name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2`
	before := rowsOf(t, to, objects)
	if err := exchanged(t, from, to, "one"); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`SELECT "select", "a,b" FROM "Odd ""name" ORDER BY 1, 2`, `SELECT code, typeof(v), v FROM codes ORDER BY 1, 2, 3`, `SELECT a, b, d FROM pairs ORDER BY 1, 2`,
		`SELECT id, quote(code), a, b FROM kids ORDER BY id`, `SELECT id, t, typeof(r), r, quote(b), quote(x) FROM strict_one ORDER BY id`, `SELECT quote(x), quote(y), quote(g) FROM bare ORDER BY 1, 2`,
		`SELECT a, b FROM keyless ORDER BY 1, 2`, `SELECT at FROM log`, `SELECT s FROM seen`, `SELECT count(*) FROM words WHERE words MATCH 'abc'`, `PRAGMA integrity_check`,
	} {
		if a, b := rowsOf(t, from, q), rowsOf(t, to, q); !slices.Equal(a, b) {
			t.Errorf("%s:\n%q\n%q", q, a, b)
		}
	}
	if after := rowsOf(t, to, objects); !slices.Equal(before, after) {
		t.Errorf("objects:\n%q\n%q", before, after)
	}
	if got := rowsOf(t, to, "SELECT generation, manifest FROM understudy_manifest"); !slices.Equal(got, []string{`one|{"run":"one"}`}) {
		t.Errorf("the manifest: %q", got)
	}
	if entries, err := filepath.Glob(filepath.Join(filepath.Dir(to), "*next*")); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// Rows hand unique values to each other, a trigger would refuse everything, and
// a reader of a WAL file keeps what it saw.
func TestExchangeUnderAReader(t *testing.T) {
	structure := []string{
		`CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, mail TEXT NOT NULL UNIQUE COLLATE NOCASE, up INTEGER REFERENCES p)`,
		`CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p ON DELETE CASCADE, pad TEXT)`, `CREATE TABLE own (p INTEGER REFERENCES p ON DELETE CASCADE, v TEXT)`,
	}
	fill := `INSERT INTO c WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) SELECT i, 1 + i % 3, printf('%050d', i) FROM n`
	from := made(t, "from.db", structure, []string{`INSERT INTO p VALUES (1, 'b', 2), (2, 'A', NULL), (3, 'c', 3), (9, 'd', 1)`, `DELETE FROM p WHERE id = 9`, fill, `UPDATE c SET pad = 'new' WHERE id % 100 = 0`})
	to := made(t, "to.db", []string{`PRAGMA journal_mode=WAL`}, structure, []string{`INSERT INTO p VALUES (1, 'a', NULL), (2, 'b', 1), (4, 'c', 4)`, fill, `UPDATE c SET p = 4 WHERE p = 3`, `INSERT INTO own VALUES (2, 'mine')`,
		`CREATE TRIGGER loud BEFORE DELETE ON c BEGIN SELECT raise(ABORT, 'fired'); END`})
	app := client(t, to, "")
	tx, err := app.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	look := func() (text string) {
		t.Helper()
		if err := tx.QueryRow(`SELECT (SELECT group_concat(mail, '') FROM (SELECT mail FROM p ORDER BY id)) || (SELECT count(*) FROM c WHERE pad = 'new') || (SELECT count(*) FROM c)`).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if got := look(); got != "abc020000" {
		t.Errorf("before: %s", got)
	}
	own := schema.Name{Schema: mainSchema, Table: "own"}
	if err := exchanged(t, from, to, "one", own); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "abc020000" {
		t.Errorf("in the snapshot from before: %s", got)
	}
	_ = tx.Rollback()
	if got := rowsOf(t, to, `SELECT group_concat(mail, ''), (SELECT count(*) FROM c WHERE pad = 'new'), (SELECT count(*) FROM c), (SELECT v FROM own) FROM (SELECT mail FROM p ORDER BY id)`); !slices.Equal(got, []string{"bAc|200|20000|mine"}) {
		t.Errorf("after: %q", got)
	}
	if got := rowsOf(t, to, `SELECT name FROM sqlite_schema WHERE type = 'trigger' UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'p' UNION ALL SELECT "table" FROM pragma_foreign_key_check`); !slices.Equal(got, []string{"loud", "3"}) {
		t.Errorf("triggers, numbers, orphans: %q", got)
	}
	// The same again writes next to nothing: a hundredth of the file at most.
	if _, err := app.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	if err := exchanged(t, from, to, "two", own); err != nil {
		t.Fatal(err)
	}
	wal, err := os.Stat(to + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.Stat(to)
	if err != nil || wal.Size() > whole.Size()/20 {
		t.Errorf("%d bytes of %d were written again, %v", wal.Size(), whole.Size(), err)
	}
}

// A preserved row whose parent goes, and a target that changed, stop the exchange.
func TestExchangeStops(t *testing.T) {
	tables := []string{`CREATE TABLE p (id INTEGER PRIMARY KEY)`, `CREATE TABLE own (p INTEGER REFERENCES p ON DELETE CASCADE)`}
	from, to := made(t, "from.db", tables), made(t, "to.db", tables, []string{`INSERT INTO p VALUES (1)`, `INSERT INTO own VALUES (1)`})
	own := schema.Name{Schema: mainSchema, Table: "own"}
	if err := exchanged(t, from, to, "one", own); engine.CodeOf(err) != engine.Constraint {
		t.Errorf("an orphan of staging's own: %v", err)
	}
	if got := rowsOf(t, to, "SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM own)"); !slices.Equal(got, []string{"1|1"}) {
		t.Errorf("rows: %q", got)
	}
	target := targetOf(t, to).InPlace()
	if _, err := target.Begin(t.Context(), engine.Spec{RunID: "x", Structure: &structure{}, Step: func(string) {}}); engine.CodeOf(err) != engine.Unsupported {
		t.Errorf("a structure from elsewhere: %v", err)
	}
	l, err := target.Begin(t.Context(), engine.Spec{RunID: "y", Step: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Abort(context.WithoutCancel(t.Context()))
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	rowsOf(t, to, "CREATE INDEX late ON p (id)")
	if err := l.Switch(t.Context(), nil); engine.CodeOf(err) != engine.Changed {
		t.Errorf("a structure that changed: %v", err)
	}
}
