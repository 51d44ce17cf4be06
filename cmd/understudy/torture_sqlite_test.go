package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// liteTold tells a whole file as lines, sorted: each object's SQL, and each row
// with the storage class of every value. What refresh adds is left out, and of
// virtual tables the tables that hold their indexes, whose pages depend on the
// order in which rows came.
func liteTold(t *testing.T, path string) string {
	t.Helper()
	db := openFile(t, path)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // nothing was written
	var out []string
	told := func(prefix, query string) {
		t.Helper()
		rows, err := tx.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatalf("%v in %s", err, query)
		}
		defer rows.Close()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			line := prefix
			for i, v := range values {
				switch v := v.(type) {
				case float64:
					line += fmt.Sprintf(" %s=real:%x", names[i], math.Float64bits(v))
				case []byte:
					line += fmt.Sprintf(" %s=blob:%x", names[i], v)
				case string:
					line += fmt.Sprintf(" %s=%q", names[i], v)
				default:
					line += fmt.Sprintf(" %s=%v", names[i], v)
				}
			}
			out = append(out, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatalf("%v in %s", err, query)
		}
	}
	told("object", `SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> 'understudy_manifest' AND name NOT LIKE 'sqlite_stat%'`)
	for _, pragma := range []string{"user_version", "application_id", "encoding", "auto_vacuum"} {
		told("setting", "PRAGMA "+pragma)
	}
	tables, err := linesOf(tx, `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name <> 'understudy_manifest' AND name NOT LIKE 'sqlite\_s%' ESCAPE '\' OR name = 'sqlite_sequence'`)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		columns, err := linesOf(tx, fmt.Sprintf(`SELECT '+"' || replace(name, '"', '""') || '" AS "' || replace(name, '"', '""') || '"' FROM pragma_table_xinfo(%s) WHERE hidden <> 1 ORDER BY cid`, quoted(name)))
		if err != nil {
			t.Fatal(err)
		}
		told("row of "+name, "SELECT "+strings.Join(columns, ", ")+` FROM "`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// liteTorture makes a file out of the torture's SQL.
func liteTorture(t *testing.T, path string, settings ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "torture", "sqlite.sql"))
	if err != nil {
		t.Fatal(err)
	}
	db := openFile(t, path)
	db.SetMaxOpenConns(1)
	for _, s := range append(settings, "PRAGMA foreign_keys = OFF", string(text)) {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// disturb changes rows of a target, as staging does in a day.
func disturb(t *testing.T, path string) {
	t.Helper()
	db := openFile(t, path)
	db.SetMaxOpenConns(1)
	for _, s := range []string{
		"DROP TRIGGER classes_all; DROP TRIGGER pets_gone; DROP TRIGGER people_log",
		"UPDATE classes SET x = x + 1 WHERE id % 3 = 0", "DELETE FROM classes WHERE id % 5 = 0", "UPDATE no_key SET b = 1.0 WHERE a = 1", "DELETE FROM strict_flat", "INSERT INTO nullable VALUES (NULL, 9, 9)",
		"UPDATE people SET mail = 'b@x.test-' WHERE id = 2; UPDATE people SET mail = 'B@x.test' WHERE id = 1", "DELETE FROM pets", "INSERT INTO counted VALUES (5000, 'x')", `UPDATE flat SET a = 'b' WHERE a = 'A'`,
		"DELETE FROM own_text WHERE rowid = 3", "INSERT INTO own_text (rowid, title) VALUES (4, 'staging')", "DELETE FROM boxes WHERE id = 1", "UPDATE shapes SET name = 'moved'", "UPDATE posts SET body = 'other' WHERE id = 2",
		"INSERT INTO log VALUES (1, 'kept by staging')", "UPDATE computed SET a = 'z' WHERE id = 1", `DELETE FROM "Odd ""child"`,
	} {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
	}
	text, err := os.ReadFile(filepath.Join("testdata", "torture", "sqlite.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "CREATE TRIGGER classes_all") || strings.HasPrefix(line, "CREATE TRIGGER pets_gone") || strings.HasPrefix(line, "CREATE TRIGGER people_log") {
			if _, err := db.ExecContext(t.Context(), line); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSQLiteTorture carries a file of hard cases whole, with nothing masked: into
// an empty target, into one that has the structure, and by an exchange of rows.
func TestSQLiteTorture(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"as made": nil, "UTF-16 in small pages with WAL": {"PRAGMA encoding = 'UTF-16be'", "PRAGMA page_size = 512", "PRAGMA auto_vacuum = FULL", "PRAGMA journal_mode = WAL"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			source, target := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
			liteTorture(t, source, settings...)
			e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(keepNone), nil)
			e.keepAll(t)
			want := liteTold(t, source)
			for _, mode := range []string{"swap", "swap", "replace"} {
				e.write(t, "understudy.yaml", plainJob("load: {mode: "+mode+", keep: 0}"))
				e.run(t, 0, "refresh")
				same(t, "the file after "+mode, want, liteTold(t, target))
				e.run(t, 0, "verify")
				e.run(t, 0, "parity").wants(t, "no difference found")
				disturb(t, target)
			}
			e.run(t, 0, "refresh")
			same(t, "the file after an exchange of what staging had changed", want, liteTold(t, target))
			e.run(t, 0, "verify")
		})
	}
}

// TestSQLiteHugeRows carries a value of a hundred megabytes, and a table as wide
// as SQLite allows, into an empty target and by an exchange of rows.
func TestSQLiteHugeRows(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	dir := t.TempDir()
	source, target := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
	columns, values := make([]string, 2000), make([]string, 2000)
	for i := range columns {
		columns[i], values[i] = fmt.Sprintf("c%d TEXT NOT NULL CHECK (c%[1]d <> '')", i), fmt.Sprintf("'v%d'", i)
	}
	db := openFile(t, source)
	fillFile(t, db, "CREATE TABLE wide ("+strings.Join(columns, ", ")+")", "INSERT INTO wide VALUES ("+strings.Join(values, ", ")+")",
		"CREATE TABLE keyed (id INTEGER PRIMARY KEY, "+strings.Join(columns[:1999], ", ")+")", "INSERT INTO keyed VALUES (1, "+strings.Join(values[:1999], ", ")+")",
		"CREATE TABLE huge (id INTEGER PRIMARY KEY, b BLOB, t TEXT)", "INSERT INTO huge VALUES (1, zeroblob(100000000), NULL), (2, x'01', replace(hex(zeroblob(1000000)), '0', 'ab'))")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(keepNone), nil)
	e.keepAll(t)
	e.run(t, 0, "refresh")
	const told = "SELECT id, length(b), typeof(b), length(t), substr(t, 3999990, 20), (SELECT count(*) FROM wide WHERE c1999 = 'v1999'), (SELECT c1998 FROM keyed) FROM huge ORDER BY id"
	want := liteQuery(t, source, told)
	same(t, "rows", want, liteQuery(t, target, told))
	db = openFile(t, target)
	fillFile(t, db, "UPDATE wide SET c7 = 'staging'", "UPDATE keyed SET c7 = 'staging'", "DELETE FROM huge WHERE id = 2")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e.write(t, "understudy.yaml", plainJob("load: {mode: replace, keep: 0}"))
	e.run(t, 0, "refresh")
	same(t, "rows after an exchange", want, liteQuery(t, target, told))
	e.run(t, 0, "verify")

	e.write(t, "rules/all.yaml", "version: 1\ndefaults: [{match: {type: text}, mask: redact}, {match: {type: bytes}, mask: nullify}, {match: {key: surrogate}, keep: a number}]\n")
	e.write(t, "understudy.yaml", plainJob(keepNone))
	e.run(t, 0, "refresh")
	if got := liteQuery(t, target, "SELECT count(*) FROM wide WHERE c1999 <> 'v1999' AND c0 <> 'v0'"); got != "1" {
		t.Errorf("%s masked rows", got)
	}
}

// TestModulesThatAreNotHere: a virtual table of a module that this program does not have
// is told with the module's name, and the run is refused.
func TestModulesThatAreNotHere(t *testing.T) {
	t.Parallel()
	source := filepath.Join(t.TempDir(), "from.db")
	fillFile(t, openFile(t, source), "CREATE TABLE pages (id INTEGER PRIMARY KEY)", "PRAGMA writable_schema = ON",
		"INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', 'old', 'old', 0, 'CREATE VIRTUAL TABLE old USING fts4(t)')")
	e := newErrand(t, "sqlite:"+source, "sqlite:"+filepath.Join(t.TempDir(), "to.db"), plainJob(), map[string]string{"all.yaml": "version: 1\ntables:\n  pages: {columns: {id: {keep: a number}}}\n"})
	e.run(t, 2, "plan").wants(t, "no such module: fts4")
}

// TestFullTextOverNothing: a full-text index whose text was renamed under it can be
// filled by nobody. The plan says so, and staging's is empty, also where the rows of
// the night before stood in it.
func TestFullTextOverNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source, target := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
	fillFile(t, openFile(t, source), "CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT)", "INSERT INTO pages VALUES (1, 'alpha beta')",
		"CREATE VIEW shown AS SELECT id AS rowid, body AS told FROM pages",
		"CREATE VIRTUAL TABLE words USING fts5(body, content='pages', content_rowid='id')", "CREATE VIRTUAL TABLE seen USING fts5(told, content='shown')",
		"INSERT INTO words(words) VALUES ('rebuild')", "INSERT INTO seen(seen) VALUES ('rebuild')")
	e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(), map[string]string{"all.yaml": "version: 1\ntables:\n  pages: {columns: {id: {keep: a number}, body: {keep: not personal}}}\n"})
	found := func() string {
		return liteQuery(t, target, "SELECT (SELECT count(*) FROM words WHERE words MATCH 'alpha'), (SELECT count(*) FROM seen WHERE seen MATCH 'alpha')")
	}
	e.run(t, 0, "refresh")
	if got := found(); got != "1\t1" {
		t.Fatalf("found %q", got)
	}
	fillFile(t, openFile(t, source), "PRAGMA legacy_alter_table = ON", "ALTER TABLE pages RENAME COLUMN body TO text", "DROP VIEW shown", "CREATE VIEW shown AS SELECT id AS rowid, text AS told FROM pages")
	fillFile(t, openFile(t, target), "PRAGMA legacy_alter_table = ON", "ALTER TABLE pages RENAME COLUMN body TO text", "DROP VIEW shown", "CREATE VIEW shown AS SELECT id AS rowid, text AS told FROM pages")
	e.write(t, "rules/all.yaml", "version: 1\ntables:\n  pages: {columns: {id: {keep: a number}, text: {keep: not personal}}}\n")
	for _, mode := range []string{"replace", "swap"} {
		e.write(t, "understudy.yaml", plainJob("load: {mode: "+mode+"}"))
		if told := strings.Join(strings.Fields(e.run(t, 0, "plan").out), " "); !strings.Contains(told, "words: on both sides: the full-text index cannot be filled from the text it is over: no such column: T.body") {
			t.Errorf("%s: the plan says\n%s", mode, told)
		}
		e.run(t, 0, "refresh")
		if got := found(); got != "0\t1" {
			t.Errorf("%s: found %q", mode, got)
		}
	}
}
