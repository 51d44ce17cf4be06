package main

import (
	"database/sql"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// A mysqlStaging is the shop, with triggers, on a MariaDB or MySQL of its own.
type mysqlStaging struct {
	staging
	server         *scratch.MySQL
	source, target string
	app, admin     *sql.DB // an application's sessions on staging, and the test's own
	all            string  // staging's triggers
}

func newMySQLStaging(t testing.TB, maria bool) *mysqlStaging {
	t.Helper()
	s := &mysqlStaging{server: scratchtest.OwnMySQL(t, maria, nil)}
	s.admin = mysqlClient(t, s.server.URL(""))
	statement(t, s.admin, "SET GLOBAL log_bin_trust_function_creators = 1", "CREATE DATABASE production CHARACTER SET utf8mb4", "CREATE DATABASE stage CHARACTER SET utf8mb4")
	s.source, s.target = s.server.URL("production"), s.server.URL("stage")
	production, drifted := schemas.Shop("mysql")
	executeShop(t, s.source, production)
	executeShop(t, s.target, drifted)
	s.app = mysqlClient(t, s.target)
	for _, db := range []*sql.DB{mysqlClient(t, s.source), s.app} {
		statement(t, db, "CREATE TABLE noted (what varchar(200))",
			"CREATE TRIGGER noted_first BEFORE UPDATE ON customers FOR EACH ROW INSERT INTO noted VALUES ('first')",
			"CREATE TRIGGER noted_again BEFORE UPDATE ON customers FOR EACH ROW INSERT INTO noted VALUES ('again')",
			"CREATE TRIGGER noted_order AFTER INSERT ON orders FOR EACH ROW INSERT INTO noted VALUES (NEW.id)")
	}
	s.rules = func(text string) string { return text + "  noted: {columns: {what: redact}}\n" }
	// A trigger that fired while rows came would leave rows in noted. The last statement
	// of a dead program goes on until it is done: the list of tables tells of the half of
	// it, which no statement on the tables sees.
	s.look = func(t testing.TB) string { s.waitForSessions(t); return mysqlContent(t, s.app) }
	s.all = s.triggers(t)
	s.settle = s.waitForSessions
	s.trash = func(t testing.TB) string {
		beside := column(t, s.admin, `SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'stage\_%next%'`)
		if kept := column(t, s.admin, `SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE 'stage\_%prev%'`); kept > "1" {
			beside += " kept generations: " + kept
		}
		if now := s.triggers(t); now != s.all {
			beside += " the triggers are " + now
		}
		return beside + column(t, s.admin, "SELECT concat('open transaction of ', trx_mysql_thread_id) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id > 0")
	}
	s.prepare(t, s.source, s.target)
	return s
}

// triggers lists staging's, which a run that was killed in the switch may leave to the
// next one to bring back.
func (s *mysqlStaging) triggers(t testing.TB) string {
	t.Helper()
	return column(t, s.app, `SELECT concat_ws(' ', trigger_name, event_object_table, action_timing, event_manipulation, action_order, action_statement)
		FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY 1`)
}

// waitForSessions waits until the server has ended every session but the test's own,
// whose pools keep theirs.
func (s *mysqlStaging) waitForSessions(t testing.TB) {
	t.Helper()
	poll(t, "the server still has sessions of a program that has ended", func() bool {
		return column(t, s.admin, `SELECT count(*) FROM information_schema.processlist WHERE command NOT IN ('Sleep', 'Daemon', 'Binlog Dump') AND id <> connection_id() AND user NOT IN ('system user', 'event_scheduler')`) == "0"
	})
}

// hold keeps a table of staging in use, so that the switch waits for its locks.
func (s *mysqlStaging) hold(t testing.TB) (release func()) {
	t.Helper()
	tx, err := s.app.BeginTx(t.Context(), nil)
	if err == nil {
		_, err = tx.ExecContext(t.Context(), "SELECT count(*) FROM countries")
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

// killSwitching kills the program at random moments of the switch: while it waits for
// the tables that an application uses, and while it renames them and makes their
// triggers anew.
func (s *mysqlStaging) killSwitching(t *testing.T) {
	random := newRandom(t)
	s.patient = 0
	switched, late, waiting, lost := 0, 0, 0, 0
	for n := 0; n < scratchtest.Few(10, 3); {
		p := s.begin(t)
		release := func() {}
		if n%2 == 0 {
			if !p.in("prove") {
				_, told := p.wait()
				t.Fatalf("the run ended before its proofs:\n%s", told)
			}
			release = s.hold(t)
			waiting++
		}
		if !p.in("switch") {
			_, told := p.wait()
			t.Fatalf("the run ended before its switch:\n%s", told)
		}
		p.after(s.moment(random, n%2 == 0))
		p.kill()
		died := p.death()
		release()
		if died == "switch" {
			n++
		} else {
			late++
			s.lasts["switch"] = s.lasts["switch"] * 4 / 5 // it is over sooner than was thought
		}
		if late > 60 {
			t.Fatalf("%d kills came too late", late)
		}
		if s.whole(t, "killed in the switch") {
			switched++
		}
		if s.triggers(t) != s.all {
			lost++
			s.tells(t)
		}
		s.next(t, "killed in the switch")
	}
	t.Logf("deaths in the switch, %d of them while it waited; %d found the new generation in place, %d left triggers undone, %d kills came too late, %d next runs met the dead one's lock", waiting, switched, lost, late, s.patient)
}

// tells wants what a killed run left undone to be told, and a run that is itself refused
// to make it.
func (s *mysqlStaging) tells(t *testing.T) {
	t.Helper()
	s.waitForSessions(t)
	runs := func(want int, says string, args ...string) {
		t.Helper()
		p := start(t, s.dir, append(s.env, "UNDERSTUDY_KEY="+killKeys()[s.present]), args...)
		if code, told := p.wait(); code != want || !strings.Contains(told, says) {
			t.Errorf("%v: exit %d, want %d and %q\n%s", args, code, want, says, told)
		}
	}
	runs(5, "lacks trigger noted_", "verify")
	source := mysqlClient(t, s.source)
	statement(t, source, "ALTER TABLE customers ADD passport varchar(20)")
	runs(3, "passport", "refresh")
	statement(t, source, "ALTER TABLE customers DROP passport")
	if now := s.triggers(t); now != s.all {
		t.Errorf("after a run that was refused the triggers are\n%s\nwant\n%s", now, s.all)
	}
	runs(0, "", "verify")
	if s.whole(t, "after a run that was refused") {
		t.Error("a run that was refused switched")
	}
}

// moment gives a random moment of the switch.
func (s *mysqlStaging) moment(r *rand.Rand, held bool) time.Duration {
	if held {
		return time.Duration(r.Int64N(int64(300 * time.Millisecond)))
	}
	return s.within(r, "switch")
}

func TestMariaDBKill(t *testing.T) { killing(t); mysqlKill(t, true) }

func TestMySQLKill(t *testing.T) { killing(t); mysqlKill(t, false) }

// mysqlKill lets everything that may happen to the program happen to one staging.
func mysqlKill(t *testing.T, maria bool) {
	s := newMySQLStaging(t, maria)
	t.Run("in every stage", func(t *testing.T) { killInEveryStage(t, &s.staging, scratchtest.Few(5, 1)) })
	t.Run("in the switch", s.killSwitching)
	t.Run("by interrupts", func(t *testing.T) {
		interruptInEveryStage(t, &s.staging, func() string { s.waitForSessions(t); return s.trash(t) })
	})
	if bad := strings.TrimSpace(mysqlOrphans(t, s.app)); bad != "" {
		t.Errorf("orphans in staging:\n%s", bad)
	}
	t.Run("the server", func(t *testing.T) {
		killServer(t, &s.staging, s.server, s.target, func() { s.app, s.admin = mysqlClient(t, s.target), mysqlClient(t, s.server.URL("")) })
	})
}
