package parity_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/catalog"
	"understudy/internal/parity"
)

// everythingInAFile is written in pieces, so that a mutation can write one of them otherwise.
func everythingInAFile() []string {
	return []string{
		`CREATE TABLE parent (id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now', UNIQUE (name))`,
		`CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE, v text COLLATE NOCASE, n numeric CHECK (n > 0), g text AS (v || '!') STORED)`,
		`CREATE TABLE pair (a integer, b integer, CONSTRAINT pair_key PRIMARY KEY (a, b)) WITHOUT ROWID`,
		`CREATE TABLE exact (id integer PRIMARY KEY, w text) STRICT`,
		`CREATE INDEX child_by_n ON child (n) WHERE n > 1`,
		`CREATE VIEW v AS SELECT id FROM child`,
		`CREATE TRIGGER tr AFTER INSERT ON child BEGIN SELECT 1; END`,
		`CREATE VIRTUAL TABLE words USING fts5 (w)`,
		`PRAGMA user_version = 3`, `PRAGMA application_id = 7`,
	}
}

// A fileMutation writes the piece that begins with old otherwise; "" adds one.
type fileMutation struct {
	old, piece, want string
	effect           parity.Effect
}

func fileMutations() []fileMutation {
	const (
		missing, extra, different = ": missing in target", ": extra in target", ": different"
		parent, child, pair       = "CREATE TABLE parent", "CREATE TABLE child", "CREATE TABLE pair"
	)
	p := func(columns string) string { return "CREATE TABLE parent (" + columns + ")" }
	c := func(columns string) string { return "CREATE TABLE child (" + columns + ")" }
	return []fileMutation{
		{"", `CREATE TABLE more (id integer PRIMARY KEY)`, "table main.more" + extra, parity.ChangesRehearsal},
		{"CREATE TABLE exact", "", "table main.exact" + missing, parity.LosesData},
		{"CREATE TABLE exact", `CREATE TABLE exact (id integer PRIMARY KEY, w text)`, "table main.exact" + different, parity.ChangesRehearsal},
		{pair, `CREATE TABLE pair (a integer, b integer, CONSTRAINT pair_key PRIMARY KEY (a, b))`, "table main.pair" + different, parity.ChangesRehearsal},
		{pair, `CREATE TABLE pair (a integer, b integer, CONSTRAINT pair_key PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT`, "table main.pair" + different, parity.BreaksLoad},
		{pair, `CREATE TABLE pair (b integer, a integer, CONSTRAINT pair_key PRIMARY KEY (a, b)) WITHOUT ROWID`, "table main.pair" + different, parity.ChangesBehaviour},
		{pair, `CREATE TABLE pair (a integer, b integer, CONSTRAINT other_key PRIMARY KEY (a, b)) WITHOUT ROWID`, "primary key main.pair" + different, parity.ChangesRehearsal},
		{pair, `CREATE TABLE pair (a integer, b integer, CONSTRAINT pair_key PRIMARY KEY (b, a)) WITHOUT ROWID`, "primary key main.pair" + different, parity.ChangesBehaviour},
		{parent, p(`id integer PRIMARY KEY AUTOINCREMENT, name varchar(40) NOT NULL, at text DEFAULT 'now', UNIQUE (name)`), "primary key main.parent" + different, parity.ChangesBehaviour},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now', UNIQUE (name) ON CONFLICT REPLACE`), "unique main.parent.\"unique (name)\"" + different, parity.ChangesBehaviour},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, UNIQUE (name)`), "column main.parent.at" + missing, parity.LosesData},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now', note text, UNIQUE (name)`), "column main.parent.note" + extra, parity.ChangesRehearsal},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now', note text NOT NULL, UNIQUE (name)`), "column main.parent.note" + extra, parity.BreaksLoad},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now', note text NOT NULL DEFAULT '', UNIQUE (name)`), "column main.parent.note" + extra, parity.ChangesRehearsal},
		{parent, p(`id integer PRIMARY KEY, full_name varchar(40) NOT NULL, at text DEFAULT 'now', UNIQUE (full_name)`), "column main.parent.name" + different, parity.LosesData},
		{parent, p(`id integer PRIMARY KEY, full_name varchar(40) DEFAULT 'x', at text DEFAULT 'now', UNIQUE (full_name)`), "column main.parent.name" + different, parity.LosesData},
		{parent, p(`id integer PRIMARY KEY, name varchar(60) NOT NULL, at text DEFAULT 'now', UNIQUE (name)`), "column main.parent.name" + different, parity.ChangesBehaviour},
		{parent, p(`id integer PRIMARY KEY, name varchar(40), at text DEFAULT 'now', UNIQUE (name)`), "column main.parent.name" + different, parity.ChangesRehearsal},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text NOT NULL DEFAULT 'now', UNIQUE (name)`), "column main.parent.at" + different, parity.BreaksLoad},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'then', UNIQUE (name)`), "column main.parent.at" + different, parity.ChangesBehaviour},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now'`) + "", "unique main.parent.\"unique (name)\"" + missing, parity.ChangesRehearsal},
		{parent, p(`id integer PRIMARY KEY, name varchar(40) NOT NULL, at text DEFAULT 'now' UNIQUE, UNIQUE (name)`), "unique main.parent.\"unique (at)\"" + extra, parity.BreaksLoad},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE, v text, n numeric CHECK (n > 0), g text AS (v || '!') STORED`), "column main.child.v" + different, parity.ChangesBehaviour},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE, v text COLLATE NOCASE, n numeric CHECK (n > 0), g text AS (v || '?') STORED`), "column main.child.g" + different, parity.ChangesBehaviour},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE, v text COLLATE NOCASE, n numeric CHECK (n > 0), g text`), "column main.child.g" + different, parity.ChangesBehaviour},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE, v text COLLATE NOCASE, n numeric, g text AS (v || '!') STORED`), `check main.child."check (n)"` + missing, parity.ChangesRehearsal},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE, v text COLLATE NOCASE, n numeric CHECK (n > 1), g text AS (v || '!') STORED`), `check main.child."check (n)"` + different, parity.BreaksLoad},
		{child, c(`id integer PRIMARY KEY, parent integer, v text COLLATE NOCASE, n numeric CHECK (n > 0), g text AS (v || '!') STORED`), `foreign key main.child."foreign key (parent)"` + missing, parity.ChangesRehearsal},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id), v text COLLATE NOCASE, n numeric CHECK (n > 0), g text AS (v || '!') STORED`), `foreign key main.child."foreign key (parent)"` + different, parity.ChangesBehaviour},
		{child, c(`id integer PRIMARY KEY, parent integer REFERENCES parent (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, v text COLLATE NOCASE, n numeric CHECK (n > 0), g text AS (v || '!') STORED`), `foreign key main.child."foreign key (parent)"` + different, parity.ChangesBehaviour},
		{"CREATE INDEX child_by_n", "", "index main.child.child_by_n" + missing, parity.ChangesBehaviour},
		{"CREATE INDEX child_by_n", `CREATE INDEX child_by_n ON child (n DESC) WHERE n > 1`, "index main.child.child_by_n" + different, parity.ChangesBehaviour},
		{"CREATE INDEX child_by_n", `CREATE INDEX child_by_n ON child (n) WHERE n > 2`, "index main.child.child_by_n" + different, parity.ChangesBehaviour},
		{"CREATE INDEX child_by_n", `CREATE INDEX by_n ON child (n) WHERE n > 1`, "index main.child.child_by_n" + different, parity.ChangesRehearsal},
		{"", `CREATE UNIQUE INDEX one ON child (v)`, "index main.child.one" + extra, parity.BreaksLoad},
		{"CREATE VIEW", "", "view main.v" + missing, parity.ApplicationFails},
		{"CREATE VIEW", `CREATE VIEW v AS SELECT id FROM child WHERE id > 1`, "view main.v" + different, parity.ChangesBehaviour},
		{"CREATE TRIGGER", "", "trigger main.tr" + missing, parity.ChangesBehaviour},
		{"CREATE TRIGGER", `CREATE TRIGGER tr AFTER UPDATE ON child BEGIN SELECT 1; END`, "trigger main.tr" + different, parity.ChangesBehaviour},
		{"CREATE VIRTUAL", "", "virtual table main.words" + missing, parity.ApplicationFails},
		{"CREATE VIRTUAL", `CREATE VIRTUAL TABLE words USING fts5 (w, x)`, "virtual table main.words" + different, parity.ChangesBehaviour},
		{"PRAGMA user_version", `PRAGMA user_version = 4`, "setting user_version" + different, parity.ChangesBehaviour},
		{"PRAGMA application_id", `PRAGMA application_id = 8`, "setting application_id" + different, parity.ChangesBehaviour},
		{"", `PRAGMA page_size = 8192; VACUUM`, "setting page_size" + different, parity.ChangesBehaviour},
		{"CREATE VIEW", "CREATE  VIEW v AS\n SELECT id FROM child -- the same", "", ""},
		{pair, `CREATE TABLE "Pair" (A integer, "B" integer, CONSTRAINT PAIR_key PRIMARY KEY (a, B)) WITHOUT ROWID`, "", ""},
		{"CREATE INDEX child_by_n", `CREATE INDEX Child_BY_n ON CHILD (N) WHERE n > 1`, "", ""},
		{"", "CREATE TABLE goose_db_version (id integer, version_id integer, is_applied integer)", "", ""},
	}
}

// TestEveryMutationIsFoundInFiles is TestEveryMutationIsFoundOnPostgres for SQLite.
func TestEveryMutationIsFoundInFiles(t *testing.T) {
	dir := t.TempDir()
	read := func(name string, pieces []string) *catalog.Catalog {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, p := range pieces {
			if _, err := db.Exec(p); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
		}
		return fileCatalog(t, path)
	}
	base := read("base.db", everythingInAFile())
	seen := map[string]bool{}
	for i, m := range fileMutations() {
		pieces := everythingInAFile()
		if at := slices.IndexFunc(pieces, func(p string) bool { return m.old != "" && strings.HasPrefix(p, m.old) }); at >= 0 {
			pieces[at] = m.piece
		} else {
			pieces = append(pieces, m.piece)
		}
		changed := read(strings.Repeat("m", i+1)+".db", slices.DeleteFunc(pieces, func(p string) bool { return p == "" }))
		there, back := compareAll(t, base, changed), compareAll(t, changed, base)
		var lines []string
		for _, d := range there.Differences {
			lines = append(lines, d.Kind+" "+d.Object+": "+d.Change)
			seen[d.Kind] = true
			if d.Effect != m.effect {
				t.Errorf("%s: %s (%s), want %s", m.piece, d.Effect, d.Why, m.effect)
			}
		}
		if got := strings.Join(lines, "\n"); got != m.want {
			t.Errorf("%s\nfound\n%s\nwant\n%s", m.piece, got, m.want)
		}
		if len(back.Differences) != len(there.Differences) {
			t.Errorf("%s: %d differences, mirrored %d", m.piece, len(there.Differences), len(back.Differences))
		}
		var closing []string
		for _, d := range there.Ordered() {
			closing = append(closing, d.SQL)
		}
		for _, d := range compareAll(t, base, read(strings.Repeat("m", i+1)+".db", closing)).Differences {
			if d.Detail != catalog.ColumnOrder && (d.Kind != "setting" || d.Object == "user_version") { // a column that is added stands last
				t.Errorf("%s\nis not closed by\n%s\nleft: %s %s %s %s", m.piece, strings.Join(closing, ";\n"), d.Kind, d.Object, d.Change, d.Detail)
			}
		}
	}
	for _, kind := range base.Kinds {
		if !seen[kind] {
			t.Errorf("no mutation touches a %s", kind)
		}
	}
}
