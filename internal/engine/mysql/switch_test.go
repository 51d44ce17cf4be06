package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// TestTriggersStaySilentAndStay: the trigger that fills film_text is there
// afterwards, in its order, and did not add a row to what was copied.
func TestTriggersStaySilentAndStay(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		from, to := application(t, production), application(t, staging)
		triggers := triggersOf(t, to)
		for _, insert := range []bool{true, false} {
			tg := openTarget(t, staging)
			tg.insert = insert
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("run-%v", insert), Keep: 1}); err != nil {
				t.Fatal(err)
			}
			if got, want := filmContent(t, to), filmContent(t, from); got != want {
				t.Errorf("arrived:\n%s\nwant\n%s", got, want)
			}
			if got := triggersOf(t, to); got != triggers {
				t.Errorf("triggers:\n%s\nwant\n%s", got, triggers)
			}
		}
		must(t, to, "INSERT INTO film (title) VALUES (' new ')")
		if rows, err := query(t.Context(), to, "SELECT film_id, title FROM film_text ORDER BY film_id DESC LIMIT 1"); err != nil || len(rows) != 1 || rows[0] != "12|new🦆" {
			t.Errorf("a new row: %q, %v", rows, err)
		}
	})
}

// TestIntoAnEmptyDatabase brings the structure along: tables, keys, triggers,
// views, routines and events, which do not run.
func TestIntoAnEmptyDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, _ := films(t, server)
		staging := freshDatabase(t, server)
		from, to := application(t, production), application(t, staging)
		must(t, from, "CREATE FUNCTION named(t varchar(50)) RETURNS varchar(60) DETERMINISTIC RETURN concat('é ', t)", "CREATE VIEW above AS SELECT title FROM titles WHERE named(title) <> 'x'")
		must(t, from, "CREATE PROCEDURE clean() DELETE FROM film WHERE title = 'x'", "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM film")
		if err := run(t.Context(), t, production, openTarget(t, staging), engine.Spec{RunID: "first", Keep: 1, Structure: &structure{}}); err != nil {
			t.Fatal(err)
		}
		if got, want := filmContent(t, to), filmContent(t, from); got != want {
			t.Errorf("arrived:\n%s\nwant\n%s", got, want)
		}
		for _, q := range []string{
			"SELECT trigger_name, action_timing, event_manipulation, action_statement FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY action_order, 1",
			"SELECT constraint_name, table_name FROM information_schema.table_constraints WHERE table_schema = database() AND table_name NOT LIKE 'understudy%' ORDER BY 1, 2",
			"SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = database() ORDER BY 1",
			"SELECT table_name FROM information_schema.views WHERE table_schema = database() ORDER BY 1",
			"SELECT event_name FROM information_schema.events WHERE event_schema = database()",
			"SELECT title FROM above ORDER BY 1",
		} {
			got, err := query(t.Context(), to, q)
			want, err2 := query(t.Context(), from, q)
			if err := errors.Join(err, err2); err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) == 0 {
				t.Errorf("%s:\n got %q\nwant %q %v", q, got, want, err)
			}
		}
		if rows, err := query(t.Context(), to, "SELECT status FROM information_schema.events WHERE event_schema = database()"); err != nil || len(rows) != 1 || rows[0] == "ENABLED" {
			t.Errorf("the event is %q, %v", rows, err)
		}
	})
}

// TestOldSnapshotsNeverSeeEmptyTables opens a snapshot between the making of the
// tables and their rows. After the switch it is told that it is too old; empty
// tables it never sees. The user of the second round may not see transactions.
func TestOldSnapshotsNeverSeeEmptyTables(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		for _, user := range []string{"", "plain"} {
			url := staging
			if user != "" {
				url = userOf(t, server, staging, "ALL PRIVILEGES")
				must(t, application(t, staging), "DROP TRIGGER film_named", "DROP TRIGGER film_ducked", "DROP TRIGGER film_added") // another's, whom this user is not
			}
			db := application(t, staging)
			old, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tg := openTarget(t, url)
			tg.limits.LockWait = 100 * time.Millisecond
			tg.pauses = func(ctx context.Context, place string) error {
				if place != "tables" {
					return nil
				}
				_, err := old.ExecContext(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
				return err
			}
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: "run" + user, Keep: 1}); err != nil {
				t.Fatal(err)
			}
			var n int
			err = old.QueryRowContext(t.Context(), "SELECT count(*) FROM film").Scan(&n)
			if err == nil && n == 0 || err != nil && !strings.Contains(err.Error(), "1412") {
				t.Errorf("user %q: the old snapshot sees %d rows, %v", user, n, err)
			}
			if _, err := old.ExecContext(t.Context(), "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			_ = old.Close() // back to the pool
			if rows, err := query(t.Context(), db, "SELECT count(*) FROM film"); err != nil || rows[0] != "3" {
				t.Errorf("others see %q, %v", rows, err)
			}
		}
	})
}

// userOf makes a user with privileges in a database and in those beside it.
func userOf(t *testing.T, server *scratch.MySQL, url, privileges string) string {
	t.Helper()
	admin := application(t, url)
	database := url[strings.LastIndex(url, "/")+1:]
	name := "u_" + database
	must(t, admin, "CREATE USER '"+name+"'@'%' IDENTIFIED BY 'secret'")
	t.Cleanup(func() {
		_, _ = admin.ExecContext(context.WithoutCancel(t.Context()), "DROP USER '"+name+"'@'%'") // the server may be stopped by now
	})
	for _, on := range []string{strings.ReplaceAll(database, "_", `\_`), strings.ReplaceAll(database+"_", "_", `\_`) + "%"} {
		must(t, admin, "GRANT "+privileges+" ON `"+on+"`.* TO '"+name+"'@'%'")
	}
	at := strings.LastIndex(url, "@")
	return "mysql://" + name + ":secret" + url[at:]
}

// TestOthersHoldLocks: while an application does not let go of a table, the switch
// gives up, and the target is what it was, triggers and all.
func TestOthersHoldLocks(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		db := application(t, staging)
		before, triggers := filmContent(t, db), triggersOf(t, db)
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM film").Scan(&n); err != nil {
			t.Fatal(err)
		}
		tg := openTarget(t, staging)
		tg.patience = 1500 * time.Millisecond
		err = run(t.Context(), t, production, tg, engine.Spec{RunID: "waits", Keep: 1})
		if engine.CodeOf(err) != engine.Timeout || errors.Is(err, engine.ErrSwitched) {
			t.Errorf("the switch: %v", err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got := filmContent(t, db); got != before {
			t.Errorf("the target:\n%s", got)
		}
		if got := triggersOf(t, db); got != triggers {
			t.Errorf("triggers:\n%s", got)
		}
		if left := besides(t, db); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

// TestTwoDatabases refreshes two databases with foreign keys across them from two
// with other names, on one server, with the target's structure and with the source's.
func TestTwoDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		base := func() (string, string) {
			url := freshDatabase(t, server)
			return url, url[strings.LastIndex(url, "/")+1:]
		}
		_, a1 := base()
		from, b1 := base()
		_, a2 := base()
		to, b2 := base()
		make := func(db, a, b string) {
			must(t, application(t, db), "CREATE TABLE "+a+".users (id int PRIMARY KEY, name varchar(20), best int)",
				"CREATE TABLE "+b+".orders (id int PRIMARY KEY, owner int, CONSTRAINT owner FOREIGN KEY (owner) REFERENCES "+a+".users (id))",
				"ALTER TABLE "+a+".users ADD CONSTRAINT best FOREIGN KEY (best) REFERENCES "+b+".orders (id)")
		}
		make(from, a1, b1)
		source := application(t, from)
		must(t, source, "INSERT INTO "+a1+".users VALUES (1, 'ada', NULL)", "INSERT INTO "+b1+".orders VALUES (5, 1)", "UPDATE "+a1+".users SET best = 5", "CREATE VIEW "+b1+".owners AS SELECT u.name FROM "+a1+".users u JOIN "+b1+".orders o ON o.owner = u.id",
			"CREATE FUNCTION "+b1+".much() RETURNS int DETERMINISTIC RETURN 1",
			"CREATE VIEW "+a1+".best AS SELECT name FROM "+b1+".owners WHERE "+b1+".much() = 1", "CREATE VIEW "+b1+".better AS SELECT name FROM "+a1+".best") // each way
		at, err := New().Parse(secret.New(from))
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]string{a1: a2, b1: b2}
		for _, own := range []bool{false, true} {
			s, err := New().Source(t.Context(), at, engine.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			tg := openTarget(t, to)
			tg.Scope([]string{a2, b2})
			spec := engine.Spec{RunID: fmt.Sprintf("two-%v", own), Keep: 1, Names: names}
			if !own {
				spec.Structure = &structure{}
			}
			if err := copyAll(t.Context(), s, []string{a1, b1}, tg, spec); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			db := application(t, to)
			rows, err := query(t.Context(), db, "SELECT u.id, u.best, o.owner FROM "+a2+".users u JOIN "+b2+".orders o ON o.id = u.best JOIN "+b2+".owners w ON w.name = u.name JOIN "+b2+".better b ON b.name = u.name")
			if err != nil || len(rows) != 1 || rows[0] != "1|5|1" {
				t.Errorf("arrived %q, %v", rows, err)
			}
			structure, err := tg.Inspect(t.Context(), []string{a2, b2})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range structure.References {
				if r.To.Schema != a2 && r.To.Schema != b2 {
					t.Errorf("%s points elsewhere", r)
				}
			}
			if len(structure.References) != 2 {
				t.Errorf("%d foreign keys", len(structure.References))
			}
			state, err := tg.State(t.Context())
			if err != nil || !state.Claimed || len(state.Leftovers) > 0 {
				t.Errorf("state %+v, %v", state, err)
			}
		}
		// A third database's key would go with the old rows.
		_, c := base()
		must(t, source, "CREATE TABLE "+c+".notes (author int, CONSTRAINT author FOREIGN KEY (author) REFERENCES "+a2+".users (id))")
		tg := openTarget(t, to)
		tg.Scope([]string{a2, b2})
		state, err := tg.State(t.Context())
		if err != nil || len(state.Obstacles) != 1 || !strings.Contains(state.Obstacles[0], c+".notes") {
			t.Errorf("obstacles %q, %v", state.Obstacles, err)
		}
		must(t, source, "DROP TABLE "+c+".notes")
	})
}

// TestGrantsMissing takes privileges away one by one; each is told with the
// statement that gives it back, and with all of them a refresh goes through.
func TestGrantsMissing(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		admin := application(t, staging)
		must(t, admin, "DROP TRIGGER film_named", "DROP TRIGGER film_ducked", "DROP TRIGGER film_added")
		all := []string{"SELECT", "INSERT", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "LOCK TABLES", "TRIGGER"}
		url := userOf(t, server, staging, strings.Join(all, ", "))
		user := "'u_" + staging[strings.LastIndex(staging, "/")+1:] + "'@'%'"
		for _, privilege := range all {
			must(t, admin, "REVOKE "+privilege+" ON `"+strings.ReplaceAll(staging[strings.LastIndex(staging, "/")+1:]+"_", "_", `\_`)+"%`.* FROM "+user)
			state, err := openTarget(t, url).State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(state.Obstacles) != 1 || !strings.Contains(state.Obstacles[0], "lacks "+privilege+" in ") {
				t.Errorf("without %s: %q", privilege, state.Obstacles)
				continue
			}
			_, grant, _ := strings.Cut(state.Obstacles[0], ": ")
			grant, _, _ = strings.Cut(grant, ", or ")
			must(t, admin, grant)
		}
		if err := run(t.Context(), t, production, openTarget(t, url), engine.Spec{RunID: "granted", Keep: 1}); err != nil {
			t.Error(err)
		}
		if got, want := filmContent(t, admin), filmContent(t, application(t, production)); got != want {
			t.Errorf("arrived:\n%s\nwant\n%s", got, want)
		}
	})
}

// TestRoutinesThatNameTheirDatabase: into an empty target of the same name on another
// server come views that need routines which name a database, each way across two.
func TestRoutinesThatNameTheirDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		other := scratchtest.OwnMySQL(t, server.MariaDB(), nil)
		from, beside := freshDatabase(t, server), freshDatabase(t, server)
		a, b := databaseOf(from), databaseOf(beside)
		to := other.URL(a)
		must(t, application(t, other.URL("")), "CREATE DATABASE "+a, "CREATE DATABASE "+b)
		must(t, application(t, from), "CREATE TABLE "+a+".users (id int PRIMARY KEY)", "CREATE TABLE "+b+".orders (id int PRIMARY KEY, owner int REFERENCES "+a+".users (id))",
			"INSERT INTO "+a+".users VALUES (1)", "INSERT INTO "+b+".orders VALUES (5, 1)",
			"CREATE FUNCTION "+b+".many() RETURNS int READS SQL DATA RETURN (SELECT count(*) FROM "+b+".orders o JOIN "+a+".users u ON u.id = o.owner)",
			"CREATE VIEW "+a+".much AS SELECT "+b+".many() AS n", "CREATE VIEW "+b+".more AS SELECT n FROM "+a+".much",
			"CREATE FUNCTION "+a+".most() RETURNS int READS SQL DATA RETURN (SELECT n FROM "+b+".more)",
			"CREATE VIEW "+b+".best AS SELECT "+a+".most() AS n", "CREATE VIEW "+a+".all_of_it AS SELECT n FROM "+b+".best")
		tg := openTarget(t, to)
		tg.Scope([]string{a, b})
		spec := engine.Spec{RunID: "named", Keep: 1, Structure: &structure{}}
		if err := copyAll(t.Context(), openSource(t, from, engine.Limits{}), []string{a, b}, tg, spec); err != nil {
			t.Fatal(err)
		}
		if rows, err := query(t.Context(), application(t, to), "SELECT n FROM "+a+".all_of_it"); err != nil || !slices.Equal(rows, []string{"1"}) {
			t.Errorf("arrived %q, %v", rows, err)
		}
	})
}

// TestRefusedRows: rows that the target's types or keys refuse stop the load, with
// LOAD DATA as with INSERT, and nothing of them is told.
func TestRefusedRows(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := freshDatabase(t, server), freshDatabase(t, server)
		from, to := application(t, production), application(t, staging)
		for i, c := range []struct{ source, target, value, column string }{
			{"varchar(50)", "varchar(6)", "'cAnArY4711'", "v"},
			{"varchar(50)", "varchar(6)", "'cAnArY    '", "v"}, // the server would cut the spaces
			{"varchar(50)", "int", "'cAnArY'", "v"},
			{"int", "tinyint", "4711", "v"},
			{"decimal(10,4)", "decimal(10,2)", "4711.1234", "v"},
			{"varchar(50)", "enum('x')", "'cAnArY'", "v"},
			{"varchar(50)", "date", "'cAnArY'", "v"},
			{"varchar(50)", "varchar(50) character set latin1", "'cAnArY日'", "v"},
			{"int", "int not null", "null", "v"},
		} {
			for _, insert := range []bool{true, false} {
				must(t, from, "DROP TABLE IF EXISTS a", "CREATE TABLE a (id int PRIMARY KEY, v "+c.source+")", "INSERT INTO a VALUES (1, "+c.value+")")
				must(t, to, "DROP TABLE IF EXISTS a", "CREATE TABLE a (id int PRIMARY KEY, v "+c.target+")")
				tg := openTarget(t, staging)
				tg.insert = insert
				err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("r%d-%v", i, insert), Keep: 1})
				var e *engine.Error
				if !errors.As(err, &e) || e.Code != engine.Constraint || e.Column != c.column || (e.Table != schema.Name{Schema: tg.databases[0], Table: "a"}) {
					t.Errorf("%s into %s, INSERT %v: %v", c.source, c.target, insert, err)
				}
				if err != nil && (strings.Contains(err.Error(), "cAnArY") || strings.Contains(err.Error(), "4711")) {
					t.Errorf("a value stands in %q", err)
				}
			}
		}
	})
}

// TestServersThatRefuse: what a server's settings forbid is told before the load: to
// write at all, and to make tables without a key, which a user who may turns off.
func TestServersThatRefuse(t *testing.T) {
	server := scratchtest.OwnMySQL(t, false, map[string]string{"sql_require_primary_key": "ON"})
	production, staging, empty := freshDatabase(t, server), freshDatabase(t, server), freshDatabase(t, server)
	for _, url := range []string{production, staging} {
		must(t, application(t, url), "CREATE TABLE keyed (id int PRIMARY KEY)")
		db := application(t, url)
		db.SetMaxOpenConns(1)
		must(t, db, "SET SESSION sql_require_primary_key = OFF", "CREATE TABLE bare (v int)", "INSERT INTO bare VALUES (1)")
	}
	privileges := strings.Join(append(generational(), "TRIGGER"), ", ")
	for _, tg := range []engine.Target{openTarget(t, userOf(t, server, staging, privileges)), openInPlace(t, confined(t, server, staging, privileges))} {
		state, err := tg.State(t.Context())
		if err != nil || len(state.Obstacles) != 1 || !strings.Contains(state.Obstacles[0], ".bare has no primary key") {
			t.Errorf("%T: %v, %+v", tg, err, state)
		}
	}
	obstacles, _, err := openTarget(t, userOf(t, server, empty, privileges)).Fit(t.Context(), openSource(t, production, engine.Limits{}), nil)
	if err != nil || len(obstacles) != 1 || !strings.Contains(obstacles[0], ".bare has no primary key") {
		t.Errorf("into an empty database: %v, %q", err, obstacles)
	}
	if err := run(t.Context(), t, production, openTarget(t, staging), engine.Spec{RunID: "mighty", Keep: 1}); err != nil {
		t.Error(err)
	}
	if state, err := openInPlace(t, staging).State(t.Context()); err != nil || len(state.Obstacles) > 0 {
		t.Errorf("a user who may turn it off: %v, %+v", err, state)
	}
	must(t, application(t, production), "INSERT INTO bare VALUES (2)")
	if err := run(t.Context(), t, production, openInPlace(t, staging), engine.Spec{RunID: "exchanged"}); err != nil {
		t.Error(err)
	}
	if rows, err := query(t.Context(), application(t, staging), "SELECT v FROM bare ORDER BY v"); err != nil || !slices.Equal(rows, []string{"1", "2"}) {
		t.Errorf("exchanged %q, %v", rows, err)
	}
	must(t, application(t, server.URL("")), "SET GLOBAL super_read_only = ON")
	if state, err := openTarget(t, staging).State(t.Context()); err != nil || !slices.Contains(state.Obstacles, isReplica) {
		t.Errorf("super_read_only: %v, %+v", err, state)
	}
	must(t, application(t, server.URL("")), "SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF")
}

// TestServersThatForceKeys: MariaDB's setting takes a unique key without NULL, and means
// InnoDB's tables alone.
func TestServersThatForceKeys(t *testing.T) {
	server := scratchtest.OwnMySQL(t, true, map[string]string{"innodb_force_primary_key": "OFF"})
	production, staging, empty := freshDatabase(t, server), freshDatabase(t, server), freshDatabase(t, server)
	for _, url := range []string{production, staging} {
		must(t, application(t, url), "CREATE TABLE keyed (id int PRIMARY KEY)", "CREATE TABLE only (id int NOT NULL, UNIQUE (id))", "CREATE TABLE bare (v int, UNIQUE (v))", "CREATE TABLE other (v int) ENGINE=Aria")
	}
	must(t, application(t, server.URL("")), "SET GLOBAL innodb_force_primary_key = ON")
	for _, tg := range []engine.Target{openTarget(t, staging), openInPlace(t, staging)} {
		state, err := tg.State(t.Context())
		if told := strings.Join(state.Obstacles, "\n"); err != nil || strings.Count(told, "innodb_force_primary_key") != 2 || !strings.Contains(told, ".bare has no primary key") || strings.Contains(told, "only has") || strings.Contains(told, "other has no") {
			t.Errorf("%T: %v, %+v", tg, err, state)
		}
	}
	obstacles, _, err := openTarget(t, empty).Fit(t.Context(), openSource(t, production, engine.Limits{}), nil)
	if told := strings.Join(obstacles, "\n"); err != nil || !strings.Contains(told, ".bare has no primary key") || strings.Contains(told, "only has") || strings.Contains(told, "other has no primary") {
		t.Errorf("into an empty database: %v, %q", err, obstacles)
	}
}

// TestServersThatFreeze: a MariaDB that does not write compressed tables of InnoDB tells so
// before the load.
func TestServersThatFreeze(t *testing.T) {
	server := scratchtest.OwnMySQL(t, true, map[string]string{"innodb_read_only_compressed": "OFF"})
	production, staging, empty := freshDatabase(t, server), freshDatabase(t, server), freshDatabase(t, server)
	for _, url := range []string{production, staging} {
		must(t, application(t, url), "CREATE TABLE plain (id int PRIMARY KEY, v int, KEY (v) KEY_BLOCK_SIZE=8) COMMENT 'not COMPRESSED'", "CREATE TABLE pages (id int PRIMARY KEY) PAGE_COMPRESSED=1",
			"CREATE TABLE other (id int PRIMARY KEY) ENGINE=Aria ROW_FORMAT=COMPRESSED", "CREATE TABLE squeezed (id int PRIMARY KEY) ROW_FORMAT=COMPRESSED",
			"CREATE TABLE blocks (id int PRIMARY KEY) KEY_BLOCK_SIZE=8 PARTITION BY HASH (id) PARTITIONS 2")
	}
	must(t, application(t, server.URL("")), "SET GLOBAL innodb_read_only_compressed = ON")
	told := func(list []string) bool {
		list = slices.DeleteFunc(slices.Clone(list), func(say string) bool { return !strings.Contains(say, "innodb_read_only_compressed") })
		return len(list) == 2 && strings.Contains(list[0], ".blocks is compressed") && strings.Contains(list[1], ".squeezed is compressed")
	}
	state, err := openTarget(t, staging).State(t.Context())
	if err != nil || !told(state.Obstacles) {
		t.Errorf("a switch: %v, %+v", err, state)
	}
	state, err = openInPlace(t, staging).State(t.Context())
	if err != nil || len(state.Obstacles) > 0 {
		t.Fatalf("an exchange: %v, %+v", err, state)
	}
	var bars []string
	for _, b := range state.Bars {
		bars = append(bars, b.Say)
	}
	if !told(bars) {
		t.Errorf("an exchange: %q", bars)
	}
	obstacles, _, err := openTarget(t, empty).Fit(t.Context(), openSource(t, production, engine.Limits{}), nil)
	if err != nil || !told(obstacles) {
		t.Errorf("into an empty database: %v, %q", err, obstacles)
	}
	var mend []string
	for _, o := range state.Bars {
		if _, sql, ok := strings.Cut(o.Say, "ALTER TABLE "); ok && strings.Contains(o.Say, "innodb_read_only_compressed") {
			mend = append(mend, "ALTER TABLE "+sql)
		}
	}
	db := application(t, staging)
	must(t, db, append(mend, "DROP TABLE other")...)
	must(t, application(t, production), "DROP TABLE other")
	if err := run(t.Context(), t, production, openTarget(t, staging), engine.Spec{RunID: "thawed", Keep: 1}); err != nil {
		t.Error(err)
	}
	if state, err := openTarget(t, staging).State(t.Context()); err != nil || len(state.Obstacles) > 0 {
		t.Errorf("once mended: %v, %+v", err, state)
	}
}

// TestNothingLeadsOutOfAnEmptyTarget: what production's structure has to do with another
// of its databases would be production's own on one server, and nothing on another.
func TestNothingLeadsOutOfAnEmptyTarget(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, beyond, staging := freshDatabase(t, server), freshDatabase(t, server), freshDatabase(t, server)
		other := databaseOf(beyond)
		db := application(t, production)
		must(t, application(t, beyond), "CREATE TABLE p (id int PRIMARY KEY)")
		must(t, db, "CREATE TABLE own (id int PRIMARY KEY)", "CREATE TABLE c (id int PRIMARY KEY, p int, q int, FOREIGN KEY (p) REFERENCES "+other+".p (id), FOREIGN KEY (q) REFERENCES own (id))",
			"CREATE VIEW v AS SELECT p.id FROM "+other+".p", "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1", "CREATE VIEW w AS SELECT id, "+databaseOf(production)+".f() AS one FROM "+databaseOf(production)+".own", "CREATE TRIGGER tr AFTER INSERT ON c FOR EACH ROW DELETE FROM "+other+".p WHERE id = NEW.p", "CREATE PROCEDURE r() SELECT own.id FROM own")
		fit := func(databases ...string) string {
			t.Helper()
			tg := openTarget(t, staging)
			obstacles, _, err := tg.Fit(t.Context(), openSource(t, production, engine.Limits{}), databases)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(obstacles, "\n")
		}
		told := fit(databaseOf(production))
		for _, want := range []string{"a foreign key of " + databaseOf(production) + ".c would lead from the target to " + other + ".p", ".v would lead", ".tr would lead"} {
			if !strings.Contains(told, want) {
				t.Errorf("%q is not told:\n%s", want, told)
			}
		}
		if strings.Count(told, "would lead") != 3 {
			t.Errorf("told:\n%s", told)
		}
		if told = fit(databaseOf(production), other); strings.Contains(told, "would lead") {
			t.Errorf("with both databases: %s", told)
		}
	})
}

// TestCollationsOfAnotherServer: an empty target whose server does not know a collation
// of production's is told so before anything is read.
func TestCollationsOfAnotherServer(t *testing.T) {
	production, staging := freshDatabase(t, scratchtest.MySQL(t)), freshDatabase(t, scratchtest.MariaDB(t))
	must(t, application(t, production), "CREATE TABLE a (id int PRIMARY KEY, t varchar(9) COLLATE utf8mb4_general_ci, u varchar(9) COLLATE utf8mb4_is_0900_ai_ci) COLLATE utf8mb4_general_ci")
	obstacles, _, err := openTarget(t, staging).Fit(t.Context(), openSource(t, production, engine.Limits{}), nil)
	if err != nil || len(obstacles) != 1 || !strings.Contains(obstacles[0], "utf8mb4_is_0900_ai_ci, which "+databaseOf(production)+".a has") {
		t.Errorf("%v, %q", err, obstacles)
	}
}
