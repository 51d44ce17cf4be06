package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/secret"
)

func provedOf(t *testing.T, path string) map[string]engine.Proof {
	t.Helper()
	proofs, err := targetOf(t, path).Prove(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]engine.Proof{}
	for _, p := range proofs {
		out[p.Kind+" "+p.Name] = p
	}
	return out
}

// One key that SQLite cannot check must not hide what is wrong with the others.
func TestKeysWithoutParentsAreNotMeasuredAndHideNothing(t *testing.T) {
	path := made(t, "a.db", []string{
		`CREATE TABLE parent (id INTEGER PRIMARY KEY, n INT, code TEXT COLLATE NOCASE UNIQUE, other TEXT)`,
		`CREATE UNIQUE INDEX others ON parent (other COLLATE NOCASE)`, `CREATE UNIQUE INDEX some ON parent (n) WHERE n > 5`,
		`CREATE VIEW seen AS SELECT * FROM parent`,
		`CREATE TABLE child (id INTEGER PRIMARY KEY, n INT REFERENCES parent(n), p TEXT REFERENCES parent(id), c TEXT REFERENCES parent(code), o TEXT REFERENCES parent(other))`,
		`CREATE TABLE lone (id INTEGER PRIMARY KEY, a INT REFERENCES gone(id), b INT REFERENCES gone(id), v INT REFERENCES seen(id), two INT, FOREIGN KEY (a, two) REFERENCES parent)`,
		`INSERT INTO parent VALUES (1, 10, 'Ab', 'x'), (2, 20, 'cd', 'y')`,
		`INSERT INTO child VALUES (1, 10, '1', 'aB', 'x'), (2, 99, 3, 'zz', 'y'), (3, NULL, NULL, NULL, NULL)`,
		`INSERT INTO lone VALUES (1, NULL, 7, 1, 1)`,
	})
	got := provedOf(t, path)
	for name, want := range map[string]int64{
		"child_n_fkey": -1, "child_o_fkey": -1, "child_p_fkey": 1, "child_c_fkey": 1,
		"lone_a_fkey": 0, "lone_b_fkey": -1, "lone_v_fkey": -1, "lone_a_two_fkey": 0,
	} {
		p, ok := got["foreign-key "+name]
		if !ok || p.Failures != want || (want < 0) != (p.Detail != "") {
			t.Errorf("%s: %+v, want %d failures", name, p, want)
		}
	}
	structure, err := sourceOf(t, path).Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, n := range structure.Notes {
		told = append(told, n.Table.Table+"."+n.Column)
		if n.Obstacle || n.Hint == "" {
			t.Errorf("%+v", n)
		}
	}
	if want := []string{"child.n", "child.o", "lone.a", "lone.a", "lone.b", "lone.v"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
}

// A view is a failure only where it compiled in the structure, or failed for another reason.
func TestViewsAreComparedWithTheStructure(t *testing.T) {
	path := made(t, "a.db", []string{`CREATE TABLE a (id INTEGER PRIMARY KEY)`, `CREATE VIEW stale AS SELECT * FROM nowhere`, `CREATE VIEW quoted AS SELECT id FROM a WHERE 'x' <> "text"`})
	c, err := New().(*product).open(t.Context(), path, queryOnly|lax, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	const why = "no such table: main.nowhere"
	for name, x := range map[string]struct {
		made *structure
		want []string
	}{
		"not known":      {nil, []string{"quoted 0"}},
		"compiled":       {&structure{}, []string{"quoted 0", "stale 1"}},
		"the same":       {&structure{broken: map[string]string{"stale": why}}, []string{"quoted 0"}},
		"another reason": {&structure{broken: map[string]string{"stale": "no such function: f"}}, []string{"quoted 0", "stale 1"}},
	} {
		proofs, err := prove(t.Context(), c, nil, x.made)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range proofs {
			if p.Kind == "view" {
				got = append(got, p.Name+" "+string(rune('0'+p.Failures)))
			}
			if p.Failures > 0 && !strings.Contains(p.Detail, why) {
				t.Errorf("%s: %+v", name, p)
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
}

// Columns tied by a key agree on whether trailing spaces count.
func TestTrailingSpacesFollowTheParent(t *testing.T) {
	_, snap := snapshotOf(t, made(t, "a.db", []string{
		`CREATE TABLE loose (k TEXT COLLATE RTRIM PRIMARY KEY)`, `CREATE TABLE exact (k TEXT PRIMARY KEY)`,
		`CREATE TABLE mid (k TEXT UNIQUE REFERENCES loose(k))`, `CREATE TABLE leaf (k TEXT REFERENCES mid(k), e TEXT COLLATE RTRIM REFERENCES exact(k), own TEXT COLLATE RTRIM)`,
	}))
	for column, want := range map[string]bool{"loose.k": true, "exact.k": false, "mid.k": true, "leaf.k": true, "leaf.e": false, "leaf.own": true} {
		table, name, _ := strings.Cut(column, ".")
		if got := snap.found.shapes[table].columns[name].trims; got != want {
			t.Errorf("%s: trims is %v", column, got)
		}
	}
}

func TestShortageCountsWhatWillStandThere(t *testing.T) {
	for _, x := range []struct {
		size, free int64
		keep, want bool
	}{{10, 30, true, false}, {10, 29, true, true}, {10, 29, false, false}, {10, 19, false, true}, {0, 0, true, false}} {
		if got := tooLittle(x.size, x.free, x.keep) != ""; got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
}

// A reader who may not make the -shm file of a WAL database is told what it needs.
func TestWALInADirectoryThatMayNotBeWritten(t *testing.T) {
	for _, code := range []int{readOnlyCantInit, readOnlyDirectory, readOnlyCantLock} {
		if m := meaningOf(code); !strings.Contains(m.hint, "-shm") {
			t.Errorf("%d: %+v", code, m)
		}
	}
	if syscall.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	path := made(t, "a.db", []string{`PRAGMA journal_mode = WAL`, `CREATE TABLE a (id INTEGER PRIMARY KEY)`})
	dir := filepath.Dir(path)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	at, err := New().Parse(secret.New("sqlite:" + path))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New().Source(context.Background(), at, engine.Limits{})
	if err == nil {
		_, err = s.Inspect(t.Context(), nil)
	}
	if hint := hintOf(err); !strings.Contains(hint, "directory") {
		t.Errorf("%v, hint %q", err, hint)
	}
}

func hintOf(err error) string {
	e, _ := err.(*engine.Error)
	if e == nil {
		return ""
	}
	return e.Hint
}

// A table whose rows cannot be told apart can still be copied whole.
func TestRowsWithoutANumberAreReadWhole(t *testing.T) {
	structure, snap := snapshotOf(t, made(t, "a.db", []string{`CREATE TABLE a (rowid TEXT, oid TEXT, _rowid_ TEXT)`, `INSERT INTO a VALUES ('a', 'b', 'c')`}))
	a := &structure.Tables[0]
	rows := 0
	for b, err := range snap.Read(t.Context(), engine.Read{Table: a, Columns: a.Written()}) {
		if err != nil {
			t.Fatal(err)
		}
		rows += b.Rows
	}
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
	for _, err := range snap.Find(t.Context(), engine.Find{Table: a, Columns: []string{"oid"}}) {
		if engine.CodeOf(err) != engine.Unsupported || !strings.Contains(hintOf(err), "rowid") {
			t.Errorf("%v", err)
		}
	}
}
