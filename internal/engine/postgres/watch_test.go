package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// What somebody does to the target while its successor is built would be lost with
// the switch, whatever kind of object it is: the run ends before it.
func TestEveryChangeUnderneathIsSeen(t *testing.T) {
	production, staging := pair(t)
	scratchtest.SQL(t, staging, `CREATE FUNCTION old() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW seen AS SELECT 1 AS x; CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN few AS int`)
	source := openSource(t, production)
	role := scratchtest.Query(t, scratchtest.Role(t, staging, "GRANT USAGE ON SCHEMA public TO %s"), "SELECT quote_ident(current_user)")
	changes := map[string]string{
		"CREATE FUNCTION late() RETURNS int LANGUAGE sql AS 'SELECT 1'":                                                  "functions",
		"CREATE OR REPLACE FUNCTION old() RETURNS int LANGUAGE sql AS 'SELECT 2'":                                        "functions",
		"CREATE VIEW late_view AS SELECT 1 AS x":                                                                         "views",
		"CREATE OR REPLACE VIEW seen AS SELECT 1 AS x, 2 AS y":                                                           "views",
		"CREATE RULE late_rule AS ON DELETE TO parent DO INSTEAD NOTHING":                                                "rules",
		"GRANT INSERT ON parent TO " + role:                                                                              "privileges",
		"GRANT UPDATE (name) ON parent TO " + role:                                                                       "columns",
		"GRANT CREATE ON SCHEMA public TO " + role:                                                                       "schemas",
		"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO " + role:                                    "default privileges",
		"CREATE INDEX late_index ON parent (name)":                                                                       "indexes",
		"CREATE SEQUENCE late_sequence":                                                                                  "sequences",
		"COMMENT ON TABLE parent IS 'late'":                                                                              "comments",
		"ALTER TYPE mood ADD VALUE 'b'":                                                                                  "types",
		"ALTER DOMAIN few ADD CONSTRAINT late CHECK (value > 0)":                                                         "constraints",
		"CREATE TRIGGER late BEFORE UPDATE ON parent FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()": "triggers",
		"CREATE POLICY late ON parent":                                                                                   "policies",
		"ALTER TABLE parent ALTER name SET DEFAULT 'late'":                                                               "column",
		"CREATE STATISTICS late_statistics ON id, name FROM parent":                                                      "statistics",
		"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database()); END $$":             "settings",
	}
	for _, change := range scratchtest.Some(t, slices.Sorted(maps.Keys(changes)), 6) {
		says := changes[change]
		tg := openTarget(t, staging)
		tg.pauses = func(_ context.Context, place string) error {
			if place == "indexes" {
				scratchtest.SQL(t, staging, change)
			}
			return nil
		}
		_, err := refresh(t.Context(), source, tg, quietSpec("r1"), false)
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Changed || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", change, err)
		}
		tg.Close()
	}
	// What the server and its users do to rows is no change of that kind.
	tg := openTarget(t, staging)
	tg.pauses = func(_ context.Context, place string) error {
		if place == "indexes" {
			scratchtest.SQL(t, staging, "VACUUM ANALYZE parent; REINDEX TABLE parent; CREATE TEMP TABLE own (id serial PRIMARY KEY); SELECT nextval('free_sequence'); DELETE FROM parent WHERE false")
		}
		return nil
	}
	if _, err := refresh(t.Context(), source, tg, quietSpec("r2"), false); err != nil {
		t.Errorf("the server's own work: %v", err)
	}
}

// Writes to preserved rows count until the target is out of reach: between two
// tries of the switch as before the first.
func TestPreservedRowsAreWrittenToWhileTheSwitchWaits(t *testing.T) {
	production, staging := pair(t)
	scratchtest.SQL(t, staging, "INSERT INTO flags VALUES ('own', true)")
	spec := quietSpec("r1")
	spec.Preserve = []schema.Name{{Schema: "public", Table: "flags"}}
	tg := openTarget(t, staging)
	var written atomic.Bool
	tg.pauses = func(_ context.Context, place string) error {
		if place == "renamed" && !written.Load() { // as if sessions had not ended in time
			return &engine.Error{Code: engine.Timeout, State: "57014", Doing: "rename"}
		}
		return nil
	}
	waits := func(step string) {
		if step == "switch" {
			go func() {
				for t.Context().Err() == nil {
					c, err := connect(t.Context(), tg.at, session{name: "late", limits: tg.limits})
					if err != nil {
						continue
					}
					err = c.exec(t.Context(), "write", "INSERT INTO public.flags VALUES ('late', true)")
					c.hangUp()
					if err == nil {
						written.Store(true)
						return
					}
				}
			}()
		}
	}
	spec.Step = waits
	_, err := refresh(t.Context(), openSource(t, production), tg, spec, false)
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Changed || e.Table.Table != "flags" {
		t.Fatalf("a late write: %v", err)
	}
	// It stands in the target, or where the words of the error say.
	address := staging
	if errors.Is(err, engine.ErrSwitched) {
		if e == nil || !strings.Contains(e.Hint, besides(t, staging)) {
			t.Errorf("the generation that has it is not named: %v, hint %q", err, e.Hint)
		}
		address = scratchtest.Postgres(t).URL(besides(t, staging))
	}
	if scratchtest.Query(t, address, "SELECT count(*) FROM flags WHERE name = 'late'") != "1" {
		t.Errorf("the late row is lost: %v", err)
	}
}

// Default privileges that a role set for itself are its own to carry, also where
// other roles own something.
func TestDefaultPrivilegesAreCarried(t *testing.T) {
	production, _ := pair(t)
	staging, role := owned(t)
	scratchtest.SQL(t, staging, small)
	superuser := scratchtest.Postgres(t).URL(databaseOf(t, staging))
	scratchtest.SQL(t, superuser, "CREATE FUNCTION anothers() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER DEFAULT PRIVILEGES FOR ROLE CURRENT_USER GRANT SELECT ON TABLES TO "+role)
	scratchtest.SQL(t, staging, "ALTER DEFAULT PRIVILEGES GRANT UPDATE ON TABLES TO PUBLIC")
	tg := openTarget(t, staging)
	state, err := tg.State(t.Context())
	if err != nil || !strings.Contains(strings.Join(state.Notes, "\n"), "default privileges that the roles") {
		t.Errorf("the other role's are lost without a word: %v %v", state, err)
	}
	mustRefresh(t, openSource(t, production), tg, quietSpec("r1"), false)
	if got := scratchtest.Query(t, staging, "SELECT count(*) FROM pg_default_acl WHERE defaclacl::text LIKE '%=w/%'"); got != "1" {
		t.Errorf("%s default privileges are left", got)
	}
}

// The database where all runs meet is nobody's staging.
func TestTheMaintenanceDatabaseIsNotReplaced(t *testing.T) {
	server := scratchtest.Postgres(t)
	state, err := openTarget(t, server.URL("postgres")).State(t.Context())
	if err != nil || !strings.Contains(strings.Join(state.Obstacles, "\n"), "name a database of staging's own") {
		t.Errorf("%v %v", state, err)
	}
}
