package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
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

// steps records what a load says that it does.
func steps(into *[]string) func(string) {
	return func(step string) { *into = append(*into, step) }
}

// TestReplaceEveryType exchanges each awkward value for each other of its type, and
// then nothing for the same.
func TestReplaceEveryType(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := freshDatabase(t, server), freshDatabase(t, server)
		from, to := application(t, production), application(t, staging)
		literals := map[string][]string{}
		for _, v := range suiteValues(server.MariaDB()) {
			literals[v.Type] = append(literals[v.Type], v.Literal)
		}
		for kind, more := range map[string][]string{
			"double": {"-0e0", "0e0", "1"}, "float": {"0e0", "16777216"}, "text": {"'a'", "'A'", "'ä'", "'a '", "''"}, "varchar(20) character set latin1": {"'a'", "'A'", "'a '"},
			"char(5)": {"'AB'"}, "enum('','x')": {"'x'"}, "set('x','y','z')": {"'x'"}, "blob": {"x'61'", "x'6120'", "x'6100'"}, "time": {"'00:00:00'", "'-00:00:01'"},
			"decimal(10,2)": {"0"}, "date": {"'2020-00-05'", "NULL"}, "json": {`'1'`, `'1.0'`, `'"1"'`, `'[1, 2]'`, `'[2, 1]'`, `'null'`},
			"text character set utf8mb4 collate utf8mb4_general_ci": {"'straße'", "'STRASSE'", "'é'", "'e'", "'é'", "'e '"},
		} {
			literals[kind] = append(literals[kind], more...)
		}
		var ask []string
		n := 0
		for kind, list := range literals {
			table := fmt.Sprintf("v%d", n)
			n++
			list = append(list, "NULL")
			for i, db := range []*sql.DB{from, to} {
				must(t, db, "SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'", "CREATE TABLE "+table+" (id int PRIMARY KEY, v "+kind+")")
				var values []string
				for a := range list {
					for b := range list {
						values = append(values, fmt.Sprintf("(%d, %s)", a*len(list)+b, list[[]int{a, b}[i]]))
					}
				}
				must(t, db, "INSERT INTO "+table+" VALUES "+strings.Join(values, ", "))
			}
			shown := "hex(v), v"
			if strings.HasPrefix(kind, "enum") {
				shown = "v + 0, v"
			}
			ask = append(ask, "SELECT '"+strings.ReplaceAll(kind, "'", "''")+"', id, "+shown+" FROM "+table+" ORDER BY id")
		}
		tg := openInPlace(t, staging)
		for i := range 2 {
			var said []string
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("run%d", i), Step: steps(&said)}); err != nil {
				t.Fatal(err)
			}
			for _, q := range ask {
				got, err := query(t.Context(), to, q)
				want, err2 := query(t.Context(), from, q)
				if err != nil || err2 != nil {
					t.Fatalf("%s: %v %v", q, err, err2)
				}
				same(t, "run "+fmt.Sprint(i), strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if wrote := wroteSomewhere(said); i == 1 && wrote != "" {
				t.Errorf("the same rows again: %s", wrote)
			}
		}
	})
}

// wroteSomewhere gives what was told of tables in which rows went or came.
func wroteSomewhere(said []string) string {
	var out []string
	for _, s := range said {
		if strings.HasPrefix(s, "exchanged ") && !strings.HasSuffix(s, ": 0 went, 0 came") {
			out = append(out, s)
		}
	}
	return strings.Join(out, "; ")
}

// Readers never wait and never see anything but the old rows or the new ones, in a
// statement or in a snapshot that outlives the exchanges.
func TestReplaceUnderReaders(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := freshDatabase(t, server), freshDatabase(t, server)
		from, to := application(t, production), application(t, staging)
		for _, db := range []*sql.DB{from, to} {
			must(t, db, "CREATE TABLE keyed (id int PRIMARY KEY, v varchar(10))", "CREATE TABLE heap (v varchar(10))")
		}
		tg := openInPlace(t, staging)
		renew := func(i int) {
			t.Helper()
			var values []string
			for n := range 500 {
				values = append(values, fmt.Sprintf("(%d, 'r%d')", n*10+i, i))
			}
			must(t, from, "DELETE FROM keyed", "DELETE FROM heap", "INSERT INTO keyed VALUES "+strings.Join(values, ", ")+fmt.Sprintf(", (-1, 'r%d')", i), "INSERT INTO heap SELECT v FROM keyed")
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("r%d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		renew(0)
		const look = "SELECT concat(min(v), max(v), count(*), (SELECT concat(min(v), max(v), count(*)) FROM keyed)) FROM heap"
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		read := func(begin string) <-chan map[string]int {
			out, started := make(chan map[string]int, 1), make(chan struct{})
			go func() {
				seen := map[string]int{}
				defer func() { out <- seen }()
				c, err := to.Conn(ctx)
				if err == nil {
					defer func() { _ = c.Close() }() // the test ends
					_, err = c.ExecContext(ctx, begin)
				}
				for n := 0; err == nil && ctx.Err() == nil; n++ {
					var text string
					if err = c.QueryRowContext(ctx, look).Scan(&text); err == nil {
						seen[text]++
					}
					if n == 0 {
						close(started)
					}
				}
				if ctx.Err() == nil {
					seen[err.Error()]++
				}
			}()
			<-started
			return out
		}
		statements, snapshot := read("DO 0"), read("START TRANSACTION WITH CONSISTENT SNAPSHOT")
		for i := 1; i <= 5; i++ {
			renew(i)
		}
		late := read("START TRANSACTION WITH CONSISTENT SNAPSHOT")
		cancel()
		for text := range <-statements {
			if want := text[:2] + text[:2] + "501" + text[:2] + text[:2] + "501"; text != want {
				t.Errorf("a statement saw %s", text)
			}
		}
		if seen := <-snapshot; len(seen) != 1 || seen["r0r0501r0r0501"] < 2 {
			t.Errorf("the snapshot saw %v", seen)
		}
		if seen := <-late; len(seen) != 1 || seen["r5r5501r5r5501"] < 1 {
			t.Errorf("the late snapshot saw %v", seen)
		}
	})
}

// What speaks against an exchange is told with its remedy, before a row is read.
func TestReplaceObstacles(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		admin := application(t, staging)
		other := freshDatabase(t, server)
		database := databaseOf(staging)
		must(t, admin, "CREATE TABLE loose (id int PRIMARY KEY) ENGINE=MyISAM", "ALTER TABLE film_text ADD FULLTEXT KEY words (title)", "CREATE TABLE understudy_side_3 (id int PRIMARY KEY)")
		must(t, application(t, other), "CREATE TABLE notes (film int, CONSTRAINT of_film FOREIGN KEY (film) REFERENCES "+database+".film (id))")
		user := "'c_" + database + "'@'%'"
		url := confined(t, server, staging, "DELETE")
		_, err := openInPlace(t, url).State(t.Context())
		if engine.CodeOf(err) != engine.Denied || !strings.Contains(err.Error(), "lacks SELECT, INSERT, CREATE, DROP, TRIGGER in the target") || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, DELETE, CREATE, DROP, TRIGGER ON ") {
			t.Errorf("without SELECT: %v", err)
		}
		must(t, admin, "GRANT SELECT ON `"+pattern(database)+"`.* TO "+user, "REVOKE DELETE ON `"+pattern(database)+"`.* FROM "+user)
		tg := openInPlace(t, url) // a session keeps what it may do in its database
		must(t, admin, "GRANT SELECT ON "+databaseOf(other)+".* TO "+user)
		state, err := tg.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told := strings.Join(state.Obstacles, "\n")
		for _, want := range []string{"lacks INSERT, DELETE, CREATE, DROP, TRIGGER in the target", "GRANT SELECT, INSERT, DELETE, CREATE, DROP, TRIGGER ON ", "understudy_side_3"} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not among the obstacles:\n%s", want, told)
			}
		}
		for _, o := range state.Obstacles {
			if at := strings.Index(o, ": GRANT "); at >= 0 {
				must(t, admin, o[at+2:])
			}
		}
		if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "named"}); engine.CodeOf(err) != engine.Unsupported || !strings.Contains(err.Error(), "understudy_side_3") {
			t.Errorf("a table of that name: %v", err)
		}
		must(t, admin, "DROP TABLE understudy_side_3", "GRANT REFERENCES, PROCESS ON *.* TO "+user)
		tg = openInPlace(t, "mysql://c_"+database+":secret"+staging[strings.LastIndex(staging, "@"):]) // a session keeps the global privileges that it began with
		if state, err = tg.State(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(state.Obstacles) != 1 || !strings.Contains(state.Obstacles[0], "notes") {
			t.Errorf("obstacles %q", state.Obstacles)
		}
		if notes := strings.Join(state.Notes, "\n"); !strings.Contains(notes, "film_text by its full-text index") {
			t.Errorf("notes: %s", notes)
		}
		told = fmt.Sprint(state.Bars)
		for _, want := range []string{"film_named", "film_added", "mode: swap", "loose", "ENGINE=InnoDB"} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not among the bars: %s", want, told)
			}
		}
		// Each stops a run that does not preserve its table; what is preserved stays.
		before := filmContent(t, admin)
		film, text, loose := schema.Name{Schema: database, Table: "film"}, schema.Name{Schema: database, Table: "film_text"}, schema.Name{Schema: database, Table: "loose"}
		for _, preserve := range [][]schema.Name{nil, {film}, {loose}} {
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "barred", Preserve: preserve}); engine.CodeOf(err) != engine.Unsupported {
				t.Errorf("preserving %v: %v", preserve, err)
			}
		}
		if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "kept", Preserve: []schema.Name{film, text, loose}}); err != nil {
			t.Error(err)
		}
		same(t, "films", filmContent(t, admin), before)
		if left := leftInPlace(t, admin); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

// Rows that the keys do not let through end the run before the commit, are told
// without a value and by the names of the table itself, and change nothing.
func TestReplaceRefusesBadRows(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := freshDatabase(t, server), freshDatabase(t, server)
		from, to := application(t, production), application(t, staging)
		must(t, to, "CREATE TABLE parent (id int PRIMARY KEY, v varchar(20) COLLATE utf8mb4_general_ci, UNIQUE KEY by_v (v), CONSTRAINT sane CHECK (v <> 'canary-4'))",
			"CREATE TABLE child (id int PRIMARY KEY, parent int, v varchar(5) NOT NULL, CONSTRAINT child_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)",
			"CREATE TABLE own (parent int, CONSTRAINT own_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)",
			"INSERT INTO parent VALUES (1, 'stays'), (2, 'goes')", "INSERT INTO child VALUES (1, 1, 'x')", "INSERT INTO own VALUES (2)")
		must(t, from, "CREATE TABLE parent (id int PRIMARY KEY, v varchar(20) COLLATE utf8mb4_bin)", "CREATE TABLE child (id int PRIMARY KEY, parent int, v varchar(20))", "CREATE TABLE own (parent int)")
		own := schema.Name{Schema: databaseOf(staging), Table: "own"}
		rows := func() string {
			out, err := query(t.Context(), to, "SELECT id, v FROM parent UNION ALL SELECT id, v FROM child UNION ALL SELECT parent, 'own' FROM own")
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(out, ";")
		}
		before := rows()
		for _, c := range []struct{ what, rows, table, column, constraint string }{
			{"too long", "INSERT INTO child VALUES (1, NULL, 'canary-1')", "child", "v", ""},
			{"missing", "INSERT INTO child VALUES (1, NULL, NULL)", "child", "v", ""},
			{"unique", "INSERT INTO parent VALUES (3, 'canary-2'), (4, 'CANARY-2')", "parent", "", "by_v"},
			{"check", "INSERT INTO parent VALUES (3, 'canary-4')", "parent", "", "sane"},
			{"orphan", "INSERT INTO child VALUES (5, 4711, 'x')", "child", "", "child_parent"},
			{"orphan of what is preserved", "DELETE FROM parent", "own", "", "own_parent"},
		} {
			must(t, from, "DELETE FROM parent", "DELETE FROM child", "INSERT INTO parent VALUES (2, 'there')", c.rows)
			for _, insert := range []bool{true, false} {
				tg := openInPlace(t, staging)
				tg.insert = insert
				l, err := beginAndFill(t, production, tg, engine.Spec{RunID: "bad", Preserve: []schema.Name{own}})
				if err == nil {
					err = l.Finish(t.Context())
				}
				if err == nil { // nobody proved
					err = l.Switch(t.Context(), []byte("{}"))
				}
				var e *engine.Error
				if !errors.As(err, &e) || e.Code != engine.Constraint || e.Table != (schema.Name{Schema: own.Schema, Table: c.table}) || e.Column != c.column || e.Constraint != c.constraint {
					t.Errorf("%s, INSERT %v: %v (%+v)", c.what, insert, err, e)
				} else if text := strings.ToLower(fmt.Sprintf("%v %+v", err, e)); strings.Contains(text, "canary") || strings.Contains(text, "4711") || strings.Contains(text, sidePrefix) {
					t.Errorf("%s: the error tells %s", c.what, text)
				}
				if err := l.Abort(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
				same(t, c.what, rows(), before)
				if left := leftInPlace(t, to); left != "" {
					t.Errorf("%s: left behind: %s", c.what, left)
				}
			}
		}
		if claim, err := query(t.Context(), to, "SHOW TABLES LIKE 'understudy%'"); err != nil || len(claim) > 0 {
			t.Errorf("the target bears %q, %v", claim, err)
		}
	})
}

// beginAndFill writes every table of a source that is not preserved.
func beginAndFill(t *testing.T, from string, tg *inPlace, spec engine.Spec) (engine.Load, error) {
	t.Helper()
	source, err := New().Source(t.Context(), openTarget(t, from).at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	structure, err := source.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	moment, err := source.Snapshot(t.Context(), structure)
	if err != nil {
		t.Fatal(err)
	}
	defer moment.Close()
	spec.Writers, spec.Step = 2, func(string) {}
	l, err := tg.Begin(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	for i := range structure.Tables {
		table := &structure.Tables[i]
		name := schema.Name{Schema: tg.databases[0], Table: table.Name.Table}
		if slices.Contains(spec.Preserve, name) {
			continue
		}
		columns := table.Written()
		if _, err := l.Write(t.Context(), name, columns, moment.Read(t.Context(), engine.Read{Table: table, Columns: columns})); err != nil {
			return l, err
		}
	}
	return l, nil
}

// A writer in the way is waited for; what came meanwhile goes with the old rows; a
// structure or trigger that changed stops the run.
func TestReplaceMeetsOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := shelves(t, server)
		from, to := application(t, production), application(t, staging)
		must(t, to, "INSERT INTO parent (id, code) VALUES (40, 'forty')")
		tx, err := to.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO child VALUES (90, 40, NULL)"); err != nil {
			t.Fatal(err)
		}
		tg, tries := openInPlace(t, staging), 0
		spec := engine.Spec{RunID: "r1", Step: func(step string) {
			if step == "lock the tables" {
				if tries++; tries == 2 {
					if err := tx.Commit(); err != nil {
						t.Error(err)
					}
				}
			}
		}}
		if err := run(t.Context(), t, production, tg, spec); err != nil || tries != 2 {
			t.Errorf("%d tries, %v", tries, err)
		}
		same(t, "rows", contents(t, to), contents(t, from))
		if tx, err = to.BeginTx(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE word SET n = 77 WHERE w = ''"); err != nil {
			t.Fatal(err)
		}
		tg.patience = time.Second
		if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "waits"}); engine.CodeOf(err) != engine.Timeout {
			t.Errorf("one that does not let go: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		for _, change := range []string{"ALTER TABLE bag ADD COLUMN more int", "CREATE TRIGGER sudden AFTER INSERT ON bag FOR EACH ROW SET @x = 1"} {
			tg := openInPlace(t, staging)
			tg.pauses = func(_ context.Context, place string) error {
				if place == "tables" {
					must(t, to, change)
				}
				return nil
			}
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "changed"}); engine.CodeOf(err) != engine.Changed {
				t.Errorf("%s: %v", change, err)
			}
			if left := leftInPlace(t, to); left != "" {
				t.Errorf("left behind: %s", left)
			}
		}
	})
}
