package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/secret"
)

// hardSchema has what SQLite allows and other databases do not.
func hardSchema() []string {
	return []string{
		`CREATE TABLE "Odd ""name" ("rowid" TEXT, "_rowid_" TEXT, "select" INTEGER PRIMARY KEY AUTOINCREMENT, "a,b" TEXT DEFAULT ('x,)'))`,
		`CREATE TABLE codes (code TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID`,
		`CREATE TABLE pairs (a TEXT NOT NULL, b INTEGER NOT NULL, d DATETIME, PRIMARY KEY (a, b)) WITHOUT ROWID`,
		`CREATE TABLE kids (id INTEGER PRIMARY KEY, code REFERENCES CODES, a TEXT, b INTEGER,
			missing INTEGER REFERENCES nowhere(id), CONSTRAINT "pair of" FOREIGN KEY (a, B) REFERENCES pairs)`,
		`CREATE TABLE strict_one (id INTEGER PRIMARY KEY REFERENCES kids(id), t TEXT CHECK (length(t) < 5 /* ) */ AND t <> 'x)'), r REAL, b BLOB, x ANY, CHECK (r > 0), CONSTRAINT both CHECK (id > 0 AND r < 1e9)) STRICT`,
		`CREATE TABLE bare (x, y, g AS (x || 'g'))`,
		`CREATE TABLE keyless (a TEXT, b TEXT, UNIQUE (a, b))`,
		`CREATE TABLE log (at TEXT)`,
		`CREATE UNIQUE INDEX some_a ON keyless (a) WHERE b IS NOT NULL`,
		`CREATE UNIQUE INDEX lower_a ON keyless (lower(a), b)`,
		`CREATE INDEX kids_b ON kids (b, a)`,
		`CREATE VIRTUAL TABLE words USING fts5(t, content='strict_one', content_rowid='id')`,
		`CREATE VIEW seen AS SELECT "select" AS s FROM "Odd ""name"`,
		`CREATE TRIGGER noisy AFTER INSERT ON kids BEGIN INSERT INTO log VALUES ('fired'); END`,
		`PRAGMA user_version = 77`, `PRAGMA application_id = 4711`,
	}
}

func hardRows() []string {
	return []string{
		`INSERT INTO "Odd ""name" VALUES ('r', NULL, 41, 'v'), (NULL, 'u', 7, '')`, `DELETE FROM "Odd ""name" WHERE "select" = 41`,
		`INSERT INTO codes VALUES ('Ab', 1), ('5', 'five'), ('', x'')`, `INSERT INTO pairs VALUES ('p', 1, '2024-01-01'), ('p', 2, NULL), ('', 1, '')`,
		`INSERT INTO kids (id, code, a, b) VALUES (1, 'aB', 'p', 1), (2, 5, 'p', 2), (3, '5', NULL, 1), (-4, NULL, '', 1)`, `DELETE FROM log`,
		`INSERT INTO strict_one VALUES (1, 'abc', 1, x'00', 'any'), (2, NULL, 2.5, NULL, 12)`,
		`INSERT INTO words(words) VALUES ('rebuild')`,
		`INSERT INTO bare (x, y) VALUES (1, 2), ('one', 1.5), (x'61', NULL)`, `INSERT INTO keyless VALUES ('a', 'b'), ('c', NULL), (NULL, NULL), (NULL, NULL)`,
	}
}

// made makes a file and gives its path.
func made(t *testing.T, name string, statements ...[]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	db := client(t, path, "")
	db.SetMaxOpenConns(1)
	for _, s := range slices.Concat(statements...) {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func sourceOf(t *testing.T, path string) *source {
	t.Helper()
	at, err := New().Parse(secret.New("sqlite:" + path))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New().Source(t.Context(), at, engine.Limits{LockWait: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*source)
}

func targetOf(t *testing.T, path string) *target {
	t.Helper()
	at, err := New().Parse(secret.New("sqlite:" + path))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New().Target(t.Context(), at, engine.Limits{LockWait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*target)
}

func snapshotOf(t *testing.T, path string) (*schema.Schema, *snapshot) {
	t.Helper()
	s := sourceOf(t, path)
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), structure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	return structure, snap.(*snapshot)
}

// begin starts a load and fills it with all of the source.
func begin(ctx context.Context, to *target, structure *schema.Schema, snap *snapshot, run string) (engine.Load, error) {
	l, err := to.Begin(ctx, engine.Spec{RunID: run, Structure: snap.Structure(), Keep: 1, Step: func(string) {}})
	if err != nil {
		return nil, err
	}
	for i := range structure.Tables {
		tab := &structure.Tables[i]
		if _, err := l.Write(ctx, tab.Name, tab.Written(), snap.Read(ctx, engine.Read{Table: tab, Columns: tab.Written()})); err != nil {
			return l, err
		}
	}
	return l, l.Finish(ctx)
}

func TestHardSchemaArrivesWhole(t *testing.T) {
	from := made(t, "from.db", []string{`PRAGMA page_size = 8192`, `PRAGMA encoding = 'UTF-16le'`, `PRAGMA auto_vacuum = 1`}, hardSchema(), hardRows())
	before := digest(t, from)
	structure, snap := snapshotOf(t, from)
	to := targetOf(t, filepath.Join(t.TempDir(), "to.db"))
	l, err := begin(t.Context(), to, structure, snap, "hard")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Abort(context.WithoutCancel(t.Context()))
	proofs, err := l.Prove(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range proofs {
		if p.Failures != 0 { // no row has a key for the missing table
			t.Errorf("proof %+v", p)
		}
	}
	if err := l.Switch(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`SELECT "rowid", "_rowid_", "select", "a,b" FROM "Odd ""name"`, `SELECT code, typeof(v), v FROM codes`, `SELECT a, b, d FROM pairs`,
		`SELECT id, quote(code), a, b FROM kids ORDER BY id`, `SELECT id, t, typeof(r), r, quote(b), quote(x) FROM strict_one`, `SELECT quote(x), quote(y), quote(g) FROM bare`,
		`SELECT a, b FROM keyless`, `SELECT at FROM log`, `SELECT s FROM seen`, `SELECT rowid FROM words WHERE words MATCH 'abc'`,
		`PRAGMA user_version`, `PRAGMA application_id`, `PRAGMA page_size`, `PRAGMA encoding`, `PRAGMA auto_vacuum`, `PRAGMA integrity_check`,
		`SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'understudy%' AND name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2`,
	} {
		a, errA := query(t.Context(), client(t, from, ""), q)
		b, errB := query(t.Context(), client(t, to.path, ""), q)
		if errA != nil || errB != nil || !slices.Equal(a, b) {
			t.Errorf("%s:\n%v %q\n%v %q", q, errA, a, errB, b)
		}
	}
	if got := digest(t, from); got != before {
		t.Error("the source's bytes changed")
	}
	entries, err := os.ReadDir(filepath.Dir(to.path))
	if err != nil || len(entries) != 2 { // the target and the lock, until Abort
		t.Errorf("%v: files beside the target: %v", err, entries)
	}
}

func digest(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

func TestInspectHardSchema(t *testing.T) {
	structure, _ := snapshotOf(t, made(t, "a.db", hardSchema(), hardRows()))
	var got []string
	for _, tab := range structure.Tables {
		for _, k := range tab.Keys {
			got = append(got, fmt.Sprintf("key %s %v primary=%v identifies=%v", tab.Name.Table, k.Columns, k.Primary, k.Identifies()))
		}
		for _, c := range tab.Checks {
			got = append(got, fmt.Sprintf("check %s %s %v %s", tab.Name.Table, c.Name, c.Columns, c.Expr))
		}
		for _, c := range tab.Columns {
			if c.FoldCase || c.Surrogate || c.Generated {
				got = append(got, fmt.Sprintf("column %s.%s fold=%v surrogate=%v generated=%v", tab.Name.Table, c.Name, c.FoldCase, c.Surrogate, c.Generated))
			}
		}
	}
	for _, n := range structure.Notes {
		got = append(got, "note "+n.Table.Table+" "+n.Say)
	}
	for _, r := range structure.References {
		got = append(got, fmt.Sprintf("reference %s %s indexed=%v", r.Name, r, r.Indexed))
	}
	want := []string{
		`key Odd "name [select] primary=true identifies=true`,
		`column Odd "name.select fold=false surrogate=true generated=false`,
		`column bare.g fold=false surrogate=false generated=true`,
		`key codes [code] primary=true identifies=true`,
		`column codes.code fold=true surrogate=false generated=false`,
		`key keyless [a b] primary=false identifies=false`,
		`key keyless [a] primary=false identifies=false`,
		`key keyless [a b] primary=false identifies=false`,
		`key kids [id] primary=true identifies=true`,
		`note kids foreign key kids_missing_fkey cannot be checked: its parent nowhere does not exist`,
		`column kids.id fold=false surrogate=true generated=false`,
		`column kids.code fold=true surrogate=false generated=false`,
		`key pairs [a b] primary=true identifies=true`,
		`key strict_one [id] primary=true identifies=true`,
		`check strict_one both [id r] id > 0 AND r < 1e9`,
		`check strict_one strict_one_check [r] r > 0`,
		`check strict_one strict_one_t_check [t] length(t) < 5 /* ) */ AND t <> 'x)'`,
		`reference kids_code_fkey main.kids(code) -> main.codes(code) indexed=false`,
		`reference pair of main.kids(a, b) -> main.pairs(a, b) indexed=true`,
		`reference strict_one_id_fkey main.strict_one(id) -> main.kids(id) indexed=true`,
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestFindComparesAsForeignKeysDo looks up children by the values of parents.
func TestFindComparesAsForeignKeysDo(t *testing.T) {
	structure, snap := snapshotOf(t, made(t, "a.db", hardSchema(), hardRows()))
	look := func(table string, by []string, keys ...string) string {
		tab := structure.Table(schema.Name{Schema: "main", Table: table})
		tuples := &engine.Tuples{Width: len(by)}
		for _, k := range keys {
			tuples.AddString(k)
		}
		var out []string
		for f, err := range snap.Find(t.Context(), engine.Find{Table: tab, Columns: []string{tab.Identity().Columns[0]}, By: by, Keys: tuples}) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range f.IDs {
				v, _ := f.Values.At(i, 0)
				out = append(out, string(v))
			}
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		table string
		by    []string
		keys  []string
		want  string
	}{
		{"kids", []string{"code"}, []string{"AB", "ab", "5"}, "1 2 3"}, // without regard to case, numbers and texts, each once
		{"codes", []string{"code"}, []string{"aB", ""}, " Ab"},
		{"pairs", []string{"a", "b"}, []string{"p", "1", "", "1"}, " p"},
		{"kids", []string{"a", "b"}, []string{"p", "2", "", "1"}, "-4 2"},
		{"strict_one", []string{"t"}, []string{"abc"}, "1"},
	} {
		if got := look(c.table, c.by, c.keys...); got != c.want {
			t.Errorf("%s by %v %q: %q, want %q", c.table, c.by, c.keys, got, c.want)
		}
	}
}

// TestFindUsesIndexes asks SQLite how it would look the rows up.
func TestFindUsesIndexes(t *testing.T) {
	structure, snap := snapshotOf(t, made(t, "a.db", hardSchema(), hardRows()))
	c := snap.all[0]
	for table, by := range map[string][]string{"kids": {"b", "a"}, "pairs": {"a", "b"}, "codes": {"code"}} {
		f := finder{snapshot: snap, conn: c, find: engine.Find{Table: structure.Table(schema.Name{Schema: "main", Table: table}), By: by}}
		if err := f.prepare(); err != nil {
			t.Fatal(err)
		}
		head, tail := f.query()
		var args []any
		for range 3 * len(by) {
			args = append(args, "x")
		}
		var steps []string
		err := c.each(t.Context(), "EXPLAIN QUERY PLAN "+head+" WHERE "+f.matches(3)+tail, args, func(row []driver.Value) error {
			steps = append(steps, str(row[3]))
			return nil
		})
		if err != nil || !slices.ContainsFunc(steps, func(s string) bool { return strings.HasPrefix(s, "SEARCH main."+table) }) {
			t.Errorf("%s by %v: %v %q", table, by, err, steps)
		}
	}
}

func TestContradictionStops(t *testing.T) {
	const canary = "cAnArY"
	path := made(t, "a.db", []string{`CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER, born DATE, ok TEXT, yes BOOLEAN, whole INTEGER, u UUID, name BOOLEAN, memo TEXT, hollow INTEGER)`,
		`INSERT INTO a VALUES (1, '` + canary + `', 170000, 'x', 't', 1.5, x'00', '` + canary + `', x'00', ''), (2, 5, '2020-01-01', 'y', 'FALSE', 2, x'a0eebc999c0b4ef8bb6d6bb9bd380a11', 1, '', 3), (3, 5, 2460369.5, 'y', 0, 9e999, NULL, NULL, NULL, NULL)`})
	structure, snap := snapshotOf(t, path)
	a := &structure.Tables[0]
	for _, c := range []struct{ kept, looked, want []string }{
		{[]string{"id", "n", "born", "ok", "yes", "whole", "u", "name", "memo", "hollow"}, nil, []string{"n", "name"}},
		{nil, []string{"id", "n", "born", "ok", "yes", "whole", "u", "name", "memo", "hollow"}, []string{"n", "whole", "u", "name", "memo", "hollow"}},
		{[]string{"whole"}, []string{"born", "u"}, []string{"u"}},
		{nil, nil, nil},
	} {
		if found, err := snap.Contradictions(t.Context(), a, c.kept, c.looked); err != nil || !slices.Equal(found, c.want) {
			t.Errorf("kept %q, looked into %q: %v %q, want %q", c.kept, c.looked, err, found, c.want)
		}
	}
	for b, err := range snap.Read(t.Context(), engine.Read{Table: a, Columns: []string{"ok", "n"}, Look: []int{1}, Blind: []int{1}}) { // replaced whatever it holds
		if err != nil || b.Rows != 3 || len(b.Cells) != 3 {
			t.Errorf("%v", err)
		}
	}
	for _, err := range snap.Read(t.Context(), engine.Read{Table: a, Columns: []string{"ok", "n"}, Look: []int{1}}) {
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Contradicts || e.Column != "n" || strings.Contains(err.Error()+e.Hint, canary) {
			t.Errorf("%v", err)
		}
	}
	for b, err := range snap.Read(t.Context(), engine.Read{Table: a, Columns: []string{"n", "ok"}, Look: []int{1}}) { // carried, not looked into
		if err != nil || b.Rows != 3 {
			t.Errorf("%v", err)
		}
	}
}

// TestCancelInterruptsASearch cancels a condition that would run for minutes.
func TestCancelInterruptsASearch(t *testing.T) {
	path := made(t, "a.db", []string{`CREATE TABLE a (id INTEGER PRIMARY KEY)`, `INSERT INTO a WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM s WHERE n < 2000) SELECT n FROM s`})
	structure, snap := snapshotOf(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	slow := "(SELECT count(*) FROM a x, a y, a z WHERE x.id + y.id + z.id + a.id < 0) > 0"
	for _, err := range snap.Find(ctx, engine.Find{Table: &structure.Tables[0], Columns: []string{"id"}, Where: slow}) {
		if engine.CodeOf(err) != engine.Timeout {
			t.Errorf("%v", err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("interrupted after %s", took)
	}
	rows := 0
	for b, err := range snap.Read(t.Context(), engine.Read{Table: &structure.Tables[0], Columns: []string{"id"}}) {
		if err != nil {
			t.Fatal(err)
		}
		rows += b.Rows
	}
	if rows != 2000 {
		t.Errorf("%d rows after the interruption", rows)
	}
}
