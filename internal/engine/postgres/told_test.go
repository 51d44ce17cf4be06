package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// What an index or a materialized view makes of the new rows, and refuses, is
// told with its reason, in no row's words.
func TestExpressionsThatRefuseRows(t *testing.T) {
	for what, c := range map[string]struct{ ddl, object, state string }{
		"division":  {`CREATE INDEX halves ON parent ((1 / (length(name) - 7)))`, "index public.halves", "22012"},
		"exception": {`CREATE FUNCTION public.picky(v text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF v LIKE 'name%' THEN RAISE EXCEPTION 'no %', v; END IF; RETURN v; END $$; CREATE INDEX picked ON parent (public.picky(name))`, "index public.picked", "P0001"},
		"column":    {`CREATE FUNCTION public.picky(v text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %', v; END $$; ALTER TABLE parent ADD upper text GENERATED ALWAYS AS (public.picky(name)) STORED`, "public.parent", "P0001"},
		"view":      {`CREATE FUNCTION public.picky(v text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %', v; END $$; CREATE MATERIALIZED VIEW seen AS SELECT public.picky(name) FROM parent`, "public.seen", "P0001"},
	} {
		production, staging := pair(t)
		scratchtest.SQL(t, staging, c.ddl)
		_, err := refresh(t.Context(), openSource(t, production), openTarget(t, staging), quietSpec("r1"), false)
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Constraint || e.State != c.state || !strings.Contains(err.Error(), c.object) || strings.Contains(fmt.Sprintf("%v%+v", err, e), "name 1") {
			t.Errorf("%s: %v", what, err)
		}
		if left := besides(t, staging); left != "" {
			t.Errorf("%s left behind: %s", what, left)
		}
	}
}

// A broken key is told by its SQLSTATE, whatever language the server speaks.
func TestComplaintsInAnotherLanguage(t *testing.T) {
	builds := parseContents([]byte("3; 0 0 INDEX public once owner\n"))
	text := "pg_restore: from TOC entry 3; 0 0 INDEX once owner\npg_restore: error: could not execute query: FEHLER:  konnte Unique-Index »once« nicht erstellen\nDETAIL:  Schlüssel (what)=(canary) existiert doppelt.\nCommand was: CREATE UNIQUE INDEX once ON public.log USING btree (what);\n"
	var u *untoldError
	if err := complaintError("build", []byte(text), builds); !errors.As(err, &u) || u.entry.tag != "once" || strings.Contains(err.Error(), "canary") {
		t.Fatalf("%v", err)
	}
}

// The same on a server that speaks German, where its locale is installed.
func TestServerOfAnotherLanguage(t *testing.T) {
	server := scratchtest.Own(t, scratch.Options{}).URL("postgres")
	if err := scratch.SQL(t.Context(), server, `ALTER ROLE CURRENT_USER SET lc_messages = 'de_DE.UTF-8'`); err != nil {
		t.Skipf("NOT RUN: the locale de_DE.UTF-8 is not installed: %v", err)
	}
	production, staging := scratchtest.DatabaseOn(t, server), scratchtest.DatabaseOn(t, server)
	if err := scratch.SQL(t.Context(), staging, `SELECT 1 / 0`); err == nil || !strings.Contains(err.Error(), "durch Null") {
		t.Skipf("NOT RUN: the server has no German messages: %v", err)
	}
	scratchtest.SQL(t, production, `CREATE TABLE log (what text, n int); INSERT INTO log VALUES ('canary', NULL), ('canary', NULL)`)
	scratchtest.SQL(t, staging, `CREATE TABLE log (what text, n int)`)
	for _, c := range []struct{ ddl, undo, object, state string }{
		{`CREATE UNIQUE INDEX once ON log (what)`, `DROP INDEX once`, "index public.once", "23505"},
		{`ALTER TABLE log ADD CONSTRAINT sole UNIQUE (what)`, `ALTER TABLE log DROP CONSTRAINT sole`, "public.log", "23505"},
		{`CREATE INDEX cut ON log ((1 / (length(what) - 6)))`, `DROP INDEX cut`, "index public.cut", "22012"},
	} {
		scratchtest.SQL(t, staging, c.ddl)
		_, err := refresh(t.Context(), openSource(t, production), openTarget(t, staging), quietSpec("r1"), false)
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Constraint || e.State != c.state || !strings.Contains(err.Error(), c.object) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", c.object, err)
		}
		scratchtest.SQL(t, staging, c.undo)
	}
}
