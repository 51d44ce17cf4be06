package mysql

import (
	"database/sql"
	"reflect"
	"slices"
	"strings"
	"testing"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/scratch"
)

// copyOf makes a copy of a target's structure in which statements can be tried.
func copyOf(t *testing.T, tg *target, spec engine.Spec) *load {
	t.Helper()
	spec.RunID, spec.Writers, spec.Step = "trial", 1, func(string) {}
	out, err := tg.Begin(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Abort(t.Context()) })
	if err := out.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.(*load)
}

// standing is all that can be seen of some databases and of the server around them.
func standing(t *testing.T, admin *sql.DB, urls ...string) string {
	t.Helper()
	var out []string
	ask := func(text string) {
		rows, err := query(t.Context(), admin, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out = append(out, rows...)
	}
	for _, url := range urls {
		for _, f := range catalogOf(t, url).Facts {
			out = append(out, f.Kind+" "+f.Object+" "+f.Definition+" "+f.Create)
			if f.Kind == "table" && !strings.HasSuffix(f.Object, ".ticks") { // an event fills it
				ask("SELECT count(*) FROM " + f.Object)
			}
		}
	}
	ask("SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT LIKE '%next%' ORDER BY 1")
	ask("SELECT count(*) FROM mysql.user")
	ask("SHOW GLOBAL VARIABLES LIKE 'max_connections'")
	return strings.Join(out, "\n")
}

// unchanged fails the test for each line that is not as it was.
func unchanged(t *testing.T, before, after string) {
	t.Helper()
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Errorf("from line %d on what stands beside the copy is not as it was:\n%s\nwas\n%s", i+1, strings.Join(is[min(i, len(is)):min(i+3, len(is))], "\n"), strings.Join(was[min(i, len(was)):min(i+3, len(was))], "\n"))
			return
		}
	}
}

// TestACopyIsWhatItIsACopyOf: a copy has all that its origin has, read under its
// name; texts that name the database name the copy there, and no event runs.
func TestACopyIsWhatItIsACopyOf(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		own := freshDatabase(t, server)
		name, db := databaseOf(own), application(t, own)
		db.SetMaxOpenConns(1)
		must(t, db, shopDDL(server.MariaDB())...)
		must(t, db,
			"CREATE TABLE ticks (at datetime(6))",
			"CREATE TRIGGER far AFTER INSERT ON orders FOR EACH ROW INSERT INTO "+name+".log VALUES (NOW(), NEW.note)",
			"CREATE TRIGGER one AFTER DELETE ON orders FOR EACH ROW SET @a = 1", "CREATE TRIGGER two AFTER DELETE ON orders FOR EACH ROW SET @a = 2",
			"CREATE PROCEDURE wipe () DELETE FROM `"+name+"`.log",
			"CREATE VIEW few AS SELECT l.what FROM "+name+".log l WHERE l.what LIKE 'a\\b%'",
			"CREATE EVENT often ON SCHEDULE EVERY 1 SECOND COMMENT 'DO it' DO INSERT INTO "+name+".ticks VALUES (NOW(6))",
			"INSERT INTO customers (email) VALUES ('a')", "INSERT INTO orders (id, customer, qty) VALUES (1, 1, 1)")
		if server.MariaDB() {
			must(t, db, "CREATE TABLE counted (id bigint DEFAULT nextval(`"+name+"`.`numbers`) PRIMARY KEY, v int)")
		}
		must(t, db, "SET GLOBAL event_scheduler = ON") // the target's own event writes rows; the copy's must not
		defer must(t, db, "SET GLOBAL event_scheduler = OFF")
		before := standing(t, db, own)
		l := copyOf(t, openTarget(t, own), engine.Spec{})
		there, err := l.Catalog(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		here := catalogOf(t, own)
		compared, err := catalog.Compare(t.Context(), here, there, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range compared.Differences {
			t.Errorf("the copy differs: %s %s %s: %s", d.Kind, d.Object, d.Change, d.Detail)
		}
		if !reflect.DeepEqual(here.Kinds, there.Kinds) || !reflect.DeepEqual(here.Unseen, there.Unseen) {
			t.Errorf("compared are %q, not %q; unseen %q, not %q", there.Kinds, here.Kinds, there.Unseen, here.Unseen)
		}
		next := l.plan.databases[0].next
		if server.MariaDB() {
			if err := l.Alter(t.Context(), "INSERT INTO counted (v) VALUES (1), (2), (3)"); err != nil {
				t.Error(err)
			}
		}
		// The trigger and the routine name the database: in the copy they name the copy.
		if err := l.Alter(t.Context(), "INSERT INTO customers (email) VALUES ('b'); INSERT INTO orders (id, customer, qty) VALUES (5, 1, 2); INSERT INTO "+name+".orders (id, customer, qty) VALUES (6, 1, 2)"); err != nil {
			t.Error(err)
		}
		count := func(text string) string {
			rows, err := query(t.Context(), db, text)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(rows, ";")
		}
		if got := count("SELECT count(*) FROM " + next + ".log"); got != "2" {
			t.Errorf("the copy's trigger made %s rows in the copy", got)
		}
		if err := l.Alter(t.Context(), "CALL wipe(); CALL "+name+".wipe()"); err != nil {
			t.Error(err)
		}
		if got := count("SELECT count(*) FROM " + next + ".log"); got != "0" {
			t.Errorf("%s rows are left in the copy", got)
		}
		if err := l.Alter(t.Context(), "CREATE EVENT more ON SCHEDULE EVERY 1 SECOND DO INSERT INTO ticks VALUES (NOW(6)); ALTER EVENT often ENABLE"); err != nil {
			t.Error(err)
		}
		for ticks := "0"; ticks < "2"; { // the scheduler runs the target's event: the copy's had the same time
			ticks = count("SELECT least(count(*), 2) FROM ticks")
		}
		if got := count("SELECT count(*) FROM " + next + ".ticks"); got != "0" {
			t.Errorf("an event ran in the copy: %s rows", got)
		}
		if there, err = l.Catalog(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if compared, err = catalog.Compare(t.Context(), here, there, nil); err != nil || len(compared.Differences) != 1 || compared.Differences[0].Kind != "event" || compared.Differences[0].Change != catalog.Extra {
			t.Errorf("%v, %+v", err, compared.Differences)
		}
		unchanged(t, before, standing(t, db, own))
		if server.MariaDB() {
			if got := count("SELECT next_not_cached_value FROM numbers"); got != "5" {
				t.Errorf("the target's sequence went on to %s", got)
			}
		}
		if err := l.Alter(t.Context(), "DROP TRIGGER one; CREATE TRIGGER one AFTER DELETE ON orders FOR EACH ROW SET @a = 1"); err != nil {
			t.Error(err)
		}
		if there, err = l.Catalog(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if compared, err = catalog.Compare(t.Context(), here, there, nil); err != nil || !slices.ContainsFunc(compared.Differences, func(d catalog.Difference) bool { return d.Detail == catalog.TriggerOrder }) {
			t.Errorf("triggers of a copy in another order: %v, %+v", err, compared.Differences)
		}
	})
}

// TestNothingReachesBeyondACopy: no text reaches the target, another database or
// the server, whatever the caller asked before.
func TestNothingReachesBeyondACopy(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		own, other := freshDatabase(t, server), freshDatabase(t, server)
		db := application(t, own)
		db.SetMaxOpenConns(1)
		for _, name := range []string{databaseOf(own), databaseOf(other)} {
			must(t, db, "CREATE TABLE "+name+".t (a int, p int) ENGINE=InnoDB", "CREATE TABLE "+name+".1t (a int)", "CREATE TABLE "+name+".x (a int)", "CREATE VIEW "+name+".v AS SELECT 1 AS a",
				"INSERT INTO "+name+".t VALUES (1, 1), (2, 2)", "CREATE FUNCTION "+name+".f () RETURNS int DETERMINISTIC RETURN 1", "CREATE PROCEDURE "+name+".p () DELETE FROM "+name+".t")
		}
		before := standing(t, db, own, other)
		l := copyOf(t, openTarget(t, own), engine.Spec{})
		for _, text := range beyondTheCopy() {
			text = strings.NewReplacer("live", databaseOf(other), "LIVE", strings.ToUpper(databaseOf(other)), "shop", databaseOf(own), "SHOP", strings.ToUpper(databaseOf(own))).Replace(text)
			if err := l.Alter(t.Context(), text); err == nil {
				t.Errorf("%s: was run", text)
			}
		}
		unchanged(t, before, standing(t, db, own, other))
	})
}

// TestRowsStayWhereACopyCouldLetThemOut: what a trigger, a routine or an engine
// does elsewhere is not tried; changes of structure are.
func TestRowsStayWhereACopyCouldLetThemOut(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		other := freshDatabase(t, server)
		elsewhere := databaseOf(other)
		must(t, application(t, other), "CREATE TABLE seen (a int)")
		for what, ddl := range map[string]string{
			"trigger":   "CREATE TRIGGER away AFTER INSERT ON t FOR EACH ROW INSERT INTO " + elsewhere + ".seen VALUES (NEW.a)",
			"procedure": "CREATE PROCEDURE away () BEGIN SET @s = concat('DELETE FROM ', '" + elsewhere + "', '.seen'); PREPARE s FROM @s; EXECUTE s; END",
			"view":      "CREATE VIEW away AS SELECT a FROM " + elsewhere + ".seen",
		} {
			own := freshDatabase(t, server)
			must(t, application(t, own), "CREATE TABLE t (a int)", ddl)
			l := copyOf(t, openTarget(t, own), engine.Spec{})
			err := l.Alter(t.Context(), "INSERT INTO t VALUES (1)")
			if err == nil || !strings.Contains(err.Error(), what+" away may reach beyond it") {
				t.Errorf("%s: %v", what, err)
			}
			if err := l.Alter(t.Context(), "ALTER TABLE t ADD b int"); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		if rows, err := query(t.Context(), application(t, other), "SELECT count(*) FROM seen"); err != nil || rows[0] != "0" {
			t.Errorf("%v rows came, %v", rows, err)
		}
	})
}

// TestATextGoesOnWhereItFailed: what a database did not take back is not done again.
func TestATextGoesOnWhereItFailed(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		own := freshDatabase(t, server)
		must(t, application(t, own), "CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t")
		l := copyOf(t, openTarget(t, own), engine.Spec{})
		const text = "DROP VIEW v; CREATE VIEW v AS SELECT a, b FROM t"
		if err := l.Alter(t.Context(), text); engine.CodeOf(err) != engine.Syntax {
			t.Fatalf("without the column: %v", err)
		}
		for _, text := range []string{"ALTER TABLE t ADD b int", text} {
			if err := l.Alter(t.Context(), text); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}
