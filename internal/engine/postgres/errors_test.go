package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// A value planted in failing statements appears in no error, however it is printed.
func TestErrorsHoldNoValue(t *testing.T) {
	const canary = "CANARY7731"
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN tiny AS text CHECK (length(VALUE) < 3);
CREATE TABLE p (id int PRIMARY KEY, t text UNIQUE, n varchar(3), c int CHECK (c > 0), m mood, d date, j jsonb, nn text NOT NULL DEFAULT '', x tiny);
CREATE TABLE c (p int REFERENCES p (id), t text REFERENCES p (t)); INSERT INTO p (id, t) VALUES (1, 'CANARY7731');
CREATE FUNCTION boom() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'CANARY7731 %', 1 USING DETAIL = 'CANARY7731'; END$$;`)
	at, err := parseAddress(secretOf(url))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), at, session{name: "test", limits: engine.Limits{Statement: 300 * time.Millisecond}, set: map[string]string{"search_path": "public"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	for _, e := range []struct {
		sql   string
		code  engine.Code
		state string
	}{
		{"INSERT INTO p (id, t) VALUES (2, 'CANARY7731')", engine.Constraint, "23505"},
		{"INSERT INTO p (id, n) VALUES (3, 'CANARY7731')", engine.Constraint, "22001"},
		{"INSERT INTO p (id, c) VALUES (3, -7731)", engine.Constraint, "23514"},
		{"INSERT INTO p (id, nn, t) VALUES (3, NULL, 'CANARY7731')", engine.Constraint, "23502"},
		{"INSERT INTO p (id, x) VALUES (3, 'CANARY7731')", engine.Constraint, "23514"},
		{"INSERT INTO p (id, m) VALUES (3, 'CANARY7731')", engine.Constraint, "22P02"},
		{"INSERT INTO p (id, d) VALUES (3, 'CANARY7731')", engine.Constraint, "22007"},
		{"INSERT INTO p (id, d) VALUES (3, '2020-02-31 CANARY7731')", engine.Constraint, ""},
		{"INSERT INTO p (id, j) VALUES (3, '{CANARY7731')", engine.Constraint, "22P02"},
		{"INSERT INTO c (t) VALUES ('CANARY7731x')", engine.Constraint, "23503"},
		{"DELETE FROM p; INSERT INTO c VALUES (1)", engine.Constraint, "23503"},
		{"SELECT 'CANARY7731'::int", engine.Constraint, "22P02"},
		{"SELECT 99999999999::int", engine.Constraint, "22003"},
		{"SELECT 1/0", engine.Constraint, "22012"},
		{"SELECT CANARY7731 FROM p", engine.Syntax, "42703"},
		{"SELECT * FROM CANARY7731", engine.Syntax, "42P01"},
		{"SELECT CANARY7731()", engine.Syntax, "42883"},
		{"SELEC 'CANARY7731'", engine.Syntax, "42601"},
		{"SELECT boom()", engine.Failed, "P0001"},
		{"SELECT pg_sleep(5), 'CANARY7731'", engine.Timeout, "57014"},
		{"BEGIN READ ONLY; INSERT INTO p (id, t) VALUES (4, 'CANARY7731')", engine.Denied, "25006"},
		{"SELECT 'CANARY7731' FROM p; SELECT 1/0", engine.Stopped, "25P02"},
		{"ROLLBACK; SET ROLE 'CANARY7731'", engine.Constraint, "22023"},
		{"SELECT convert_from('\\xff43414e', 'UTF8') || 'CANARY7731'", engine.Constraint, "22021"},
		{"CREATE TABLE p (CANARY7731 int)", engine.Failed, "42P07"},
		{"SELECT pg_terminate_backend(pg_backend_pid()), 'CANARY7731'", engine.Stopped, "57P01"},
	} {
		err := c.exec(t.Context(), "try it", e.sql)
		if err == nil {
			t.Errorf("%s: no error", e.sql)
			continue
		}
		var wrapped *engine.Error
		if !errors.As(err, &wrapped) {
			t.Errorf("%s: not wrapped", e.sql)
			continue
		}
		if e.state == "25P02" { // the transaction before has failed
			e.code = wrapped.Code
		}
		if wrapped.Code != e.code || e.state != "" && wrapped.State != e.state {
			t.Errorf("%s: code %s state %s", e.sql, wrapped.Code, wrapped.State)
		}
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", wrapped), fmt.Sprintf("%v", errors.Unwrap(err))} {
			if strings.Contains(strings.ToUpper(text), canary) || strings.Contains(text, "7731") {
				t.Errorf("%s: the error holds the value: %s", e.sql, text)
			}
		}
	}
}

// The server is the tests' own: it asks for passwords and speaks no TLS.
func TestErrorsOfConnecting(t *testing.T) {
	url := scratchtest.DatabaseOn(t, scratchtest.Postgres(t).URL("postgres"))
	at, err := parseAddress(secretOf(url))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*address)
		code   engine.Code
		say    string
	}{
		{"password", func(a *address) { a.password = secretOf("CANARY7731") }, engine.Denied, "password is wrong, missing or no longer valid"},
		{"user", func(a *address) { a.user = "nosuch" }, engine.Denied, ""},
		{"database", func(a *address) { a.database = "nosuch" }, engine.Unreachable, "no such database"},
		{"port", func(a *address) { a.port = 1 }, engine.Unreachable, "refused"},
		{"host", func(a *address) { a.host = "nosuch.invalid" }, engine.Unreachable, "host name"},
		{"socket", func(a *address) { a.host = "/nosuch" }, engine.Unreachable, "no such socket"},
		{"tls", func(a *address) { a.tls.Mode = "verify-full" }, engine.Unreachable, "TLS"},
		{"roots", func(a *address) { a.tls.Mode, a.tls.CA = "verify-full", "/nosuch" }, engine.Failed, "sslrootcert"},
	} {
		changed := *at
		c.change(&changed)
		conn, err := connect(t.Context(), &changed, session{name: "test"})
		if err == nil {
			conn.hangUp()
			t.Errorf("%s: connected", c.name)
			continue
		}
		if engine.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.say) || strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), at.password.Reveal()) {
			t.Errorf("%s: %s, %v", c.name, engine.CodeOf(err), err)
		}
	}
}

// A context that ends stops the statement on the server and passes through the error.
func TestCancelStopsTheStatement(t *testing.T) {
	url := scratchtest.Database(t)
	at, _ := parseAddress(secretOf(url))
	c, err := connect(t.Context(), at, session{name: "cancelled"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = c.exec(ctx, "sleep", "SELECT pg_sleep(60)")
	if !errors.Is(err, context.DeadlineExceeded) || engine.CodeOf(err) != engine.Timeout {
		t.Errorf("got %v", err)
	}
	if err := c.exec(t.Context(), "go on", "SELECT 1"); err != nil {
		t.Errorf("the connection is not usable: %v", err)
	}
}

func TestSessionIsPinned(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET DateStyle = ''German, DMY''; ALTER DATABASE %I SET IntervalStyle = ''iso_8601''; ALTER DATABASE %I SET TimeZone = ''Asia/Tokyo''; ALTER DATABASE %I SET bytea_output = ''escape''; ALTER DATABASE %I SET extra_float_digits = -3; ALTER DATABASE %I SET search_path = ''a, b'', public', current_database(), current_database(), current_database(), current_database(), current_database(), current_database()); END$$`)
	s := sourceAt(t, url, engine.Limits{})
	err := s.with(t.Context(), func(c *conn) error {
		got, err := c.value(t.Context(), "ask", `SELECT concat_ws('|', date '2020-01-31', interval '1 day 2 hours', timestamptz '2020-01-01 00:00:00+00', bytea '\x00', 0.1::float8 + 0.2, current_setting('search_path'), current_setting('application_name'), current_setting('transaction_read_only'), current_setting('row_security'))`)
		if want := `2020-01-31|1 day 02:00:00|2020-01-01 00:00:00+00|\x00|0.30000000000000004||understudy source|on|off`; got != want {
			t.Errorf("got %s", got)
		}
		if c.path != `"a, b", public` {
			t.Errorf("path %s", c.path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRowSecurityIsAnError(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); ALTER TABLE a ENABLE ROW LEVEL SECURITY")
	s, snap := openSnapshot(t, sourceAt(t, scratchtest.Role(t, url), engine.Limits{}))
	for _, err := range snap.Read(t.Context(), engine.Read{Table: mustTable(t, s, "a"), Columns: []string{"id"}}) {
		if engine.CodeOf(err) != engine.Denied {
			t.Errorf("hidden rows were read as none: %v", err)
		}
	}
}
