package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch"
)

func openInPlace(t *testing.T, url string) *inPlace {
	t.Helper()
	return openTarget(t, url).InPlace().(*inPlace)
}

// shelf has what makes an exchange of rows hard: circles of keys with every action,
// unique values that rows hand to each other, keys whose collation folds, a table
// without a key, generated and invisible columns, an UPDATE trigger.
func shelf() []string {
	return []string{
		"CREATE TABLE parent (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, code varchar(20) COLLATE utf8mb4_general_ci NOT NULL, place int, favourite int, twice varchar(40) GENERATED ALWAYS AS (concat(code, code)) STORED, hidden int INVISIBLE DEFAULT 7, UNIQUE KEY by_code (code), UNIQUE KEY by_place (place), UNIQUE KEY by_twice (twice), KEY favourite (favourite), CONSTRAINT sane CHECK (code <> 'bad'))",
		"CREATE TABLE child (id int NOT NULL PRIMARY KEY, parent bigint unsigned NOT NULL, code varchar(20) COLLATE utf8mb4_general_ci, CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE, CONSTRAINT child_code FOREIGN KEY (code) REFERENCES parent (code) ON DELETE SET NULL ON UPDATE CASCADE)",
		"ALTER TABLE parent ADD CONSTRAINT parent_favourite FOREIGN KEY (favourite) REFERENCES child (id) ON DELETE SET NULL",
		"CREATE TABLE word (w varchar(20) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, n decimal(10,2), f double, e enum('x','y'), d date, j json)",
		"CREATE TABLE bag (x int, y text)",
		"CREATE TRIGGER stamped BEFORE UPDATE ON child FOR EACH ROW SET NEW.parent = NULL",
	}
}

// contents lists the rows of the shelf, byte by byte.
func contents(t *testing.T, db *sql.DB) string {
	t.Helper()
	var out []string
	for _, q := range []string{
		"SELECT id, hex(code), place, favourite, hex(twice), hidden FROM parent ORDER BY id",
		"SELECT id, parent, hex(code) FROM child ORDER BY id",
		"SELECT hex(w), n, f, e + 0, hex(e), d, j FROM word ORDER BY hex(w)",
		"SELECT x, hex(y) FROM bag ORDER BY 1, 2",
	} {
		rows, err := query(t.Context(), db, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		out = append(out, strings.Join(rows, "\n"))
	}
	return strings.Join(out, "\n--\n")
}

// shelves makes a production and a staging with the same structure.
func shelves(t *testing.T, server *scratch.MySQL) (production, staging string) {
	t.Helper()
	production, staging = freshDatabase(t, server), freshDatabase(t, server)
	must(t, application(t, production), shelf()...)
	must(t, application(t, staging), shelf()...)
	must(t, application(t, production), "INSERT INTO parent (id, code, place, hidden) VALUES (0, 'zero', 1, 1), (1, 'one', 2, NULL), (2, 'two', 3, 3), (18446744073709551000, 'big', NULL, 7)",
		"INSERT INTO child VALUES (1, 1, 'one'), (2, 2, 'zero'), (3, 18446744073709551000, NULL)", "UPDATE parent SET favourite = 1 WHERE id < 2",
		"INSERT INTO word VALUES ('Ada', 1.5, 0.1, 'x', '2024-02-29', '[1, 2]'), ('bob ', NULL, 1e300, NULL, '0000-00-00', NULL), ('', 0, 0, 'y', '2020-05-00', '1.0')",
		"INSERT INTO bag VALUES (1, 'a'), (1, 'a'), (NULL, NULL)")
	return production, staging
}

// leftInPlace lists what an exchange left behind.
func leftInPlace(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := query(t.Context(), db, "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE 'understudy%' AND table_name <> 'understudy_generation'")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, " ") + besides(t, db)
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// TestReplaceExchangesRows: whatever differs by a byte is exchanged, in every
// order that keys would forbid row by row, for a user who may make no database.
func TestReplaceExchangesRows(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := shelves(t, server)
		from, to := application(t, production), application(t, staging)
		must(t, to, "INSERT INTO parent (id, code, place) VALUES (5, 'old', 1), (1, 'ONE', 9)", "INSERT INTO child VALUES (7, 5, 'old'), (1, 1, 'one')", "UPDATE parent SET favourite = 7", "INSERT INTO bag VALUES (9, 'z')")
		tg := openInPlace(t, confined(t, server, staging, "SELECT, INSERT, DELETE, CREATE, DROP, TRIGGER"))
		triggers := triggersOf(t, to)
		state, err := tg.State(t.Context())
		if err != nil || len(state.Obstacles)+len(state.Bars) != 0 || state.Claimed || !strings.Contains(state.Mechanism, "in place") {
			t.Fatalf("state before: %+v, %v", state, err)
		}
		for i, change := range []string{
			"DO 0", "DO 0",
			"UPDATE parent SET code = 'ONE' WHERE id = 1", // a change in case alone
			"UPDATE word SET w = 'bob' WHERE w = 'bob'",   // of a trailing space
			"UPDATE word SET w = 'ADA', j = '[1,2.0]' WHERE w = 'ada'",
			"UPDATE word SET f = -0.0e0, e = 'x' WHERE w = ''",
			"UPDATE parent SET place = -place", "UPDATE parent SET place = CASE place WHEN -1 THEN 2 WHEN -2 THEN 1 ELSE 3 END WHERE place IS NOT NULL", // exchanged
			"UPDATE parent SET code = CASE id WHEN 0 THEN 'tmp' ELSE code END", "UPDATE parent SET code = 'zero' WHERE id = 2", "UPDATE parent SET code = 'two' WHERE id = 0", // exchanged
			"DELETE FROM parent WHERE id = 0", "INSERT INTO parent (id, code, place) VALUES (77, 'seven', 2)",
			"DELETE FROM bag WHERE x = 1 LIMIT 1", "DELETE FROM child", "DELETE FROM parent",
		} {
			must(t, from, change)
			tg.insert = i%2 == 0
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("run%d", i)}); err != nil {
				t.Fatalf("%s: %v", change, err)
			}
			same(t, change, contents(t, to), contents(t, from))
			if left := leftInPlace(t, to); left != "" {
				t.Errorf("left behind: %s", left)
			}
			if t.Failed() {
				return
			}
		}
		same(t, "triggers", triggersOf(t, to), triggers)
		if state, err = tg.State(t.Context()); err != nil || !state.Claimed || string(state.Manifest) != "{}" || len(state.Generations) != 1 || len(state.Leftovers) > 0 {
			t.Errorf("state afterwards: %+v, %v", state, err)
		}
		must(t, to, "INSERT INTO parent (code) VALUES ('later')")
	})
}

// confined makes a user with privileges in one database and in no other.
func confined(t *testing.T, server *scratch.MySQL, url, privileges string) string {
	t.Helper()
	admin := application(t, url)
	name := "c_" + databaseOf(url)
	must(t, admin, "CREATE USER '"+name+"'@'%' IDENTIFIED BY 'secret'", "GRANT "+privileges+" ON `"+strings.ReplaceAll(databaseOf(url), "_", `\_`)+"`.* TO '"+name+"'@'%'")
	t.Cleanup(func() {
		_, _ = admin.ExecContext(context.WithoutCancel(t.Context()), "DROP USER '"+name+"'@'%'") // the server may be stopped by now
	})
	return "mysql://" + name + ":secret" + url[strings.LastIndex(url, "@"):]
}
