package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	neturl "net/url"
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

// user makes a user with the grants, in which %s stands for it, and gives the
// URL of a database for it.
func user(t *testing.T, admin *sql.DB, url string, grants ...string) string {
	t.Helper()
	name := "u_" + strings.ToLower(rand.Text()[:10])
	must(t, admin, "CREATE USER '"+name+"'@'%' IDENTIFIED BY 'pw'")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // undo
		defer cancel()
		_, _ = admin.ExecContext(ctx, "DROP USER '"+name+"'@'%'") // the server may be stopped by now
	})
	for _, g := range grants {
		must(t, admin, strings.ReplaceAll(g, "%s", "'"+name+"'@'%'"))
	}
	u, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	u.User = neturl.UserPassword(name, "pw")
	return u.String()
}

// TestSelectAlone: a user who may only SELECT sees every key, reads one moment with one
// reader, or with several where it sees what the binary log has, looks for rows at an instant and is told what is hidden.
func TestSelectAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		db.SetMaxOpenConns(1)
		must(t, db, shopDDL(server.MariaDB())...)
		must(t, db, "INSERT INTO customers (email, seen) VALUES ('a@example.com', '2020-01-01 00:00:00'), ('b@example.com', now())")
		o := open(t, user(t, db, url, "GRANT SELECT ON "+databaseOf(url)+".* TO %s"), engine.Limits{Readers: 2})
		if len(o.schema.References) != 2 || o.table(t, "customers").Identity() == nil || len(o.table(t, "customers").Checks) != 1 || len(o.table(t, "customers").Keys) != 2 {
			t.Errorf("references %v, keys %+v, checks %+v", o.schema.References, o.table(t, "customers").Keys, o.table(t, "customers").Checks)
		}
		if moment := o.snap.(engine.Momentary).Moment(); !strings.HasPrefix(moment, "one session") || !strings.Contains(moment, "REPLICATION CLIENT") {
			t.Errorf("the moment: %s", moment) // a database may be left out of the log
		}
		seeing := open(t, user(t, db, url, "GRANT SELECT ON "+databaseOf(url)+".* TO %s", "GRANT REPLICATION CLIENT ON *.* TO %s"), engine.Limits{Readers: 2})
		if moment := seeing.snap.(engine.Momentary).Moment(); !strings.HasPrefix(moment, "2 sessions") || strings.Contains(moment, "InnoDB") {
			t.Errorf("the moment of who sees the log: %s", moment)
		}
		if _, got := o.found(t, engine.Find{Table: o.table(t, "customers"), Columns: []string{"email"}, Where: "seen < now() - interval 1 year", Now: time.Date(2021, 1, 2, 0, 0, 0, 0, time.UTC)}); !slices.Equal(got, []string{"a@example.com"}) {
			t.Errorf("found %q", got)
		}
	})
}

// TestMissingGrants: what a user may not read is named, before a row is read.
func TestMissingGrants(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE a (id int PRIMARY KEY, v int)", "CREATE TABLE b (id int PRIMARY KEY, v int)", "CREATE TABLE c (id int PRIMARY KEY, v int)")
		name := databaseOf(url)
		for what, c := range map[string]struct {
			grants []string
			hint   string
		}{
			"single columns": {[]string{"GRANT SELECT ON " + name + ".a TO %s", "GRANT SELECT (id) ON " + name + ".b TO %s", "GRANT SELECT (v) ON " + name + ".c TO %s"}, "GRANT SELECT ON " + quoteName(schema.Name{Schema: name, Table: "b"}) + "; GRANT SELECT ON " + quoteName(schema.Name{Schema: name, Table: "c"}) + " ("},
			"no SELECT":      {[]string{"GRANT SELECT ON " + name + ".a TO %s", "GRANT INSERT ON " + name + ".b TO %s", "GRANT DELETE ON " + name + ".c TO %s"}, "GRANT SELECT ON " + quoteName(schema.Name{Schema: name, Table: "b"}) + "; GRANT SELECT ON " + quoteName(schema.Name{Schema: name, Table: "c"}) + " ("},
		} {
			s := openSource(t, user(t, db, url, c.grants...), engine.Limits{})
			structure, err := s.Inspect(t.Context(), nil)
			if err == nil {
				_, err = s.Snapshot(t.Context(), structure)
			}
			var e *engine.Error
			if !errors.As(err, &e) || e.Code != engine.Denied || !strings.HasPrefix(e.Hint, c.hint) {
				t.Errorf("%s: %v, %+v", what, err, e)
			}
		}
		at, err := New().Parse(secret.New(user(t, db, url)))
		if err != nil {
			t.Fatal(err)
		}
		var e *engine.Error
		if _, err = New().Source(t.Context(), at, engine.Limits{}); !errors.As(err, &e) || e.Code != engine.Denied || !strings.HasPrefix(e.Hint, "GRANT SELECT ON "+quote(pattern(name))+".* ") || !strings.HasSuffix(e.Hint, "or check the database name in the URL") {
			t.Errorf("without any grant: %v, %+v", err, e)
		}
		tg := openTarget(t, userOf(t, server, url, strings.Join(append(generational(), "TRIGGER"), ", ")))
		tg.Scope([]string{name, "mistyped"})
		if _, err := tg.State(t.Context()); !errors.As(err, &e) || e.Code != engine.Denied || !strings.Contains(e.Say, "`mistyped`") || !strings.HasPrefix(e.Hint, "check the names ") {
			t.Errorf("a database that is not there: %v, %+v", err, e)
		}
		at, err = New().Parse(secret.New(strings.Replace(user(t, db, url), ":pw@", ":wrong@", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = New().Source(t.Context(), at, engine.Limits{}); engine.CodeOf(err) != engine.Denied || strings.Contains(err.Error(), "wrong") {
			t.Errorf("a wrong password: %v", err)
		}
	})
}

// TestInitConnectThatFails: who is let in and put out again is told why.
func TestInitConnectThatFails(t *testing.T) {
	for name, maria := range map[string]bool{"MariaDB": true, "MySQL": false} {
		t.Run(name, func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, map[string]string{"init_connect": "SELECT 1 FROM nowhere.nothing"}) // its own user is spared
			url := freshDatabase(t, server)
			at, err := New().Parse(secret.New(confined(t, server, url, "SELECT")))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := New().Source(t.Context(), at, engine.Limits{}); engine.CodeOf(err) != engine.Stopped || !strings.Contains(err.Error(), "init_connect") {
				t.Errorf("a session: %v", err)
			}
		})
	}
}

// TestReferencesAcrossDatabases: a foreign key to another database counts.
func TestReferencesAcrossDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		one, two := freshDatabase(t, server), freshDatabase(t, server)
		first, second := databaseOf(one), databaseOf(two)
		db := application(t, one)
		must(t, db, "CREATE TABLE parents (id int PRIMARY KEY)", "INSERT INTO parents VALUES (1)",
			"CREATE TABLE "+second+".children (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES "+first+".parents (id))", "INSERT INTO "+second+".children VALUES (1, 1), (2, NULL)")
		s := openSource(t, one, engine.Limits{})
		structure, err := s.Inspect(t.Context(), []string{first, second})
		if err != nil {
			t.Fatal(err)
		}
		want := schema.Reference{From: schema.Name{Schema: second, Table: "children"}, To: schema.Name{Schema: first, Table: "parents"}, Columns: []string{"parent"}, ToColumns: []string{"id"}}
		if len(structure.References) != 1 || structure.References[0].String() != want.String() {
			t.Fatalf("references: %v", structure.References)
		}
		snap, err := s.Snapshot(t.Context(), structure)
		if err != nil {
			t.Fatal(err)
		}
		o := &opened{s, structure, snap}
		defer func() { _ = snap.Close() }()
		keys := &engine.Tuples{Width: 1}
		keys.AddString("1")
		if _, got := o.found(t, engine.Find{Table: o.table(t, "children"), Columns: []string{"id"}, By: []string{"parent"}, Keys: keys}); !slices.Equal(got, []string{"1"}) {
			t.Errorf("children found: %q", got)
		}
		if _, err := s.Inspect(t.Context(), []string{first, "nowhere"}); engine.CodeOf(err) != engine.Unreachable {
			t.Errorf("a database that is not there: %v", err)
		}
	})
}

// TestSpecialTables reads what is no ordinary InnoDB table.
func TestSpecialTables(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		db.SetMaxOpenConns(1)
		must(t, db, shopDDL(server.MariaDB())...)
		must(t, db, "CREATE TABLE old (id int PRIMARY KEY) ENGINE = MyISAM", "INSERT INTO old VALUES (1)",
			"INSERT INTO log VALUES ('2019-01-01', 'a'), ('2030-01-01', 'b')", "INSERT INTO customers (id, email, hidden) VALUES (0, 'x', 5)", "CREATE TABLE nothing (id int)")
		versions := []string{"INSERT INTO made VALUES (7), (8)"}
		if server.MariaDB() {
			versions = []string{"INSERT INTO versioned VALUES (1), (2)", "UPDATE versioned SET id = 3 WHERE id = 2", "DELETE FROM versioned WHERE id = 1",
				"CREATE TABLE periods (id int PRIMARY KEY, a timestamp(6) GENERATED ALWAYS AS ROW START, b timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (a, b)) WITH SYSTEM VERSIONING", "INSERT INTO periods VALUES (4, DEFAULT, DEFAULT)"}
		}
		must(t, db, versions...)
		o := open(t, url, engine.Limits{})
		read := func(name string) []string {
			table := o.table(t, name)
			r := engine.Read{Table: table, Columns: table.Written()}
			for i := range r.Columns {
				r.Look = append(r.Look, i)
			}
			out := o.texts(t, r)
			slices.Sort(out)
			return out
		}
		want := map[string][]string{"old": {"1"}, "log": {"2019-01-01|a", "2030-01-01|b"}, "nothing": nil, "customers": {"0|x|" + read("customers")[0][4:23] + "|5|NULL"}}
		if server.MariaDB() {
			want["versioned"], want["periods"] = []string{"3"}, []string{"4"}
		} else {
			want["made"] = []string{"1|7", "2|8"}
		}
		for name, rows := range want {
			if got := read(name); !slices.Equal(got, rows) {
				t.Errorf("%s: %q, want %q", name, got, rows)
			}
		}
		if moment := o.snap.(engine.Momentary).Moment(); !strings.Contains(moment, databaseOf(url)+".old") {
			t.Errorf("that MyISAM has no part in the moment is not said: %s", moment)
		}
		if !slices.ContainsFunc(o.schema.Notes, func(n schema.Note) bool { return n.Table.Table == "old" }) {
			t.Errorf("notes: %+v", o.schema.Notes)
		}
	})
}

// TestKilledSessions ends sessions of a snapshot as an administrator does: the
// reading ends with the table's name, and never as if it were whole.
func TestKilledSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE big (id int PRIMARY KEY, v varchar(2000))", "INSERT INTO big VALUES (1, repeat('x', 2000))")
		for n := 1; n < 16384; n *= 2 {
			must(t, db, "INSERT INTO big SELECT id + (SELECT count(*) FROM big b), v FROM big")
		}
		read := func(o *opened, during func()) error {
			rows := 0
			for b, err := range o.snap.Read(t.Context(), engine.Read{Table: o.table(t, "big"), Columns: []string{"id", "v"}}) {
				if err != nil {
					return err
				}
				if rows == 0 {
					during()
				}
				rows += b.Rows
				b.Release()
			}
			if rows != 16384 {
				t.Errorf("%d rows as if they were all", rows)
			}
			return nil
		}
		kill := func(kind, id string) { _, _ = db.ExecContext(t.Context(), "KILL "+kind+" "+id) }
		for what, do := range map[string]func(s *snapshot) func(){
			"statement": func(s *snapshot) func() { return func() { kill("QUERY", s.readers[0].id) } },
			"reader":    func(s *snapshot) func() { return func() { kill("CONNECTION", s.readers[0].id) } },
			"keeper":    func(s *snapshot) func() { return func() { kill("CONNECTION", s.keeper.id); <-s.life.Done() } },
		} {
			o := open(t, url, engine.Limits{Readers: 1})
			err := read(o, do(o.snap.(*snapshot)))
			var e *engine.Error
			if !errors.As(err, &e) || e.Code != engine.Stopped && e.Code != engine.Unreachable || !strings.Contains(err.Error(), "big") && what != "keeper" {
				t.Errorf("%s killed: %v", what, err)
			}
		}
	})
}

// TestErrorsCarryNoValue provokes errors of the server that quote what they are about.
func TestErrorsCarryNoValue(t *testing.T) {
	const marker = "cAnArY4711"
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20), d date, CONSTRAINT positive CHECK (id > 0))", "INSERT INTO t VALUES (1, '"+marker+"', NULL)")
		s := openSource(t, url, engine.Limits{}).(*source)
		structure, err := s.Inspect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		table := &structure.Tables[0]
		c, err := connect(t.Context(), s.at, session{name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.hangUp()
		for sql, want := range map[string]string{
			"INSERT INTO t VALUES (1, '" + marker + "', NULL)":                    "PRIMARY",
			"INSERT INTO t VALUES ('" + marker + "', 'x', NULL)":                  "id",
			"INSERT INTO t VALUES (2, '" + strings.Repeat(marker, 5) + "', NULL)": "v",
			"INSERT INTO t VALUES (2, 'x', '" + marker + "')":                     "d",
			"INSERT INTO t VALUES (NULL, 'x', NULL)":                              "id",
			"INSERT INTO t VALUES (-4711, 'x', NULL)":                             "positive",
			"INSERT INTO t VALUES (99999999999, 'x', NULL)":                       "id",
		} {
			_, raw := c.attempt(t.Context(), sql)
			err := wrapTable(t.Context(), raw, "load", table)
			var e *engine.Error
			if !errors.As(err, &e) || e.Code != engine.Constraint || e.Column+e.Constraint != want {
				t.Errorf("%s: %v, want %s (%v)", sql, err, want, raw)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), "4711") {
					t.Errorf("a value stands in %q", err)
				}
			}
		}
	})
}

// Where the server takes a database's name in any case, it is asked for as the server
// writes it: what is read of it would be compared with nothing.
func TestNamesInAnotherCase(t *testing.T) {
	for _, maria := range []bool{true, false} {
		t.Run(map[bool]string{true: "MariaDB", false: "MySQL"}[maria], func(t *testing.T) {
			server := scratchtest.OwnMySQL(t, maria, map[string]string{"lower_case_table_names": "1"})
			must(t, application(t, server.URL("")), "CREATE DATABASE Shop")
			at, err := New().Parse(secret.New(server.URL("Shop")))
			if err != nil {
				t.Fatal(err)
			}
			refused := func(what string, err error) {
				t.Helper()
				if engine.CodeOf(err) != engine.Unsupported || !strings.Contains(fmt.Sprint(err), "the server writes it `shop`") {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err = New().Source(t.Context(), at, engine.Limits{})
			refused("source", err)
			_, err = New().Target(t.Context(), at, engine.Limits{})
			refused("target", err)
			s := openSource(t, server.URL("shop"), engine.Limits{})
			_, err = s.Inspect(t.Context(), []string{"SHOP"})
			refused("a schema of the job", err)
			if _, err := s.Inspect(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
}
