package postgres

import (
	"errors"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// lookups is a structure in which much calls a function that finds its table by
// the search_path: two materialized views, one of them through a view, indexes
// of plain and partitioned tables, an exclusion, a generated column.
const lookups = `
CREATE TABLE rate (code text PRIMARY KEY, r numeric NOT NULL);
CREATE FUNCTION rate_of(c text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN (SELECT r FROM rate WHERE code = c); END$$;
CREATE FUNCTION rate_too(c text) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$SELECT r FROM rate WHERE code = c$$;
CREATE TABLE sale (id int PRIMARY KEY, amt numeric NOT NULL, code text NOT NULL, worth numeric GENERATED ALWAYS AS (amt * rate_of(code)) STORED,
	EXCLUDE USING btree ((rate_of(code) + id) WITH =));
CREATE INDEX sale_rate ON sale (rate_of(code)); CREATE UNIQUE INDEX sale_rate_too ON sale (rate_too(code), id); COMMENT ON INDEX sale_rate IS 'by rate';
CREATE TABLE part (id int, code text) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (1000);
CREATE INDEX part_rate ON part (rate_of(code));
CREATE SCHEMA util; CREATE FUNCTION util.inner_of(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT trim(t)$$;
CREATE FUNCTION util.outer_of(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT lower(inner_of(t))$$;
CREATE TABLE kept (id serial PRIMARY KEY, what text NOT NULL, small text GENERATED ALWAYS AS (util.outer_of(what)) STORED); CREATE INDEX kept_small ON kept (util.outer_of(what));
CREATE TABLE split (id int, code text) PARTITION BY LIST (util.outer_of(code)); CREATE TABLE split_a PARTITION OF split FOR VALUES IN ('eur'); CREATE TABLE split_b PARTITION OF split DEFAULT;
CREATE FUNCTION first_kept() RETURNS kept LANGUAGE sql STABLE AS $$SELECT * FROM kept ORDER BY id LIMIT 1$$; CREATE VIEW kepts AS SELECT what FROM first_kept();
CREATE INDEX sale_inlined ON sale (util.outer_of(code)) WHERE util.outer_of(code) <> 'x';
CREATE VIEW rated AS SELECT id, amt * rate_of(code) AS v FROM sale;
CREATE MATERIALIZED VIEW sales_eur AS SELECT id, amt * rate_too(code) AS v FROM sale; CREATE UNIQUE INDEX ON sales_eur (id);
CREATE MATERIALIZED VIEW rated_eur AS SELECT sum(v) AS v FROM rated;
`

const lookupRows = `INSERT INTO rate VALUES ('EUR', 1), ('USD', 0.5); INSERT INTO sale SELECT i, i, (ARRAY['EUR', 'USD'])[1 + i % 2] FROM generate_series(1, 50) i;
INSERT INTO part SELECT id, code FROM sale; INSERT INTO split SELECT id, code FROM sale; REFRESH MATERIALIZED VIEW sales_eur; REFRESH MATERIALIZED VIEW rated_eur;`

// What calls a function that counts on a search_path is built and filled as the
// target's users would, whichever side the structure comes from. From version
// 17 on a server does so with no search_path but its own, for production too.
func TestFunctionsThatCountOnASearchPath(t *testing.T) {
	production := scratchtest.Database(t)
	if scratchtest.Query(t, production, "SELECT current_setting('server_version_num')::int < 170000") != "t" {
		t.Skip("this server itself refuses to make such a structure")
	}
	inPath := func(address, sql string) {
		t.Helper()
		scratchtest.SQL(t, address, "ALTER DATABASE "+quote(databaseOf(t, address))+" SET search_path = public, util")
		scratchtest.SQL(t, address, sql)
	}
	inPath(production, lookups+lookupRows+"INSERT INTO kept (what) VALUES (' A ')")
	structure, snap := openSnapshot(t, sourceAt(t, production, engine.Limits{}))
	if ids, _ := findAll(t, snap, engine.Find{Table: mustTable(t, structure, "sale"), Columns: []string{"id"}}); len(ids) != 50 {
		t.Errorf("found %d rows", len(ids))
	}
	if got := collect(t, snap, engine.Read{Table: mustTable(t, structure, "sale"), Columns: []string{"id"}, Limit: 1}); got == "" {
		t.Error("no row was read")
	}
	for _, foreign := range []bool{true, false} {
		staging, _ := owned(t)
		if !foreign {
			inPath(staging, lookups+"REFRESH MATERIALIZED VIEW sales_eur; REFRESH MATERIALIZED VIEW rated_eur; INSERT INTO kept (what) VALUES (' A ')")
		}
		tg, spec := openTarget(t, staging), quietSpec("r1")
		if foreign {
			_, notes, err := tg.Fit(t.Context(), sourceAt(t, production, engine.Limits{}), nil)
			if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "SET search_path = public, util") {
				t.Errorf("notes: %v, %v", notes, err)
			}
			inPath(staging, "")
			tg = openTarget(t, staging)
		} else {
			spec.Preserve = []schema.Name{{Schema: "public", Table: "kept"}}
		}
		mustRefresh(t, openSource(t, production), tg, spec, foreign)
		if state, err := tg.State(t.Context()); err != nil || len(state.Rows) != 5 {
			t.Errorf("state: %+v, %v", state, err)
		}
		if n, _, err := tg.Count(t.Context(), schema.Name{Schema: "public", Table: "sale"}, []string{"code"}); err != nil || n != 50 {
			t.Errorf("count: %d, %v", n, err)
		}
		proofs, err := tg.Prove(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		checkProofs(t, proofs)
		for what, query := range map[string]string{"constraints": constraintsQuery, "objects": objectsQuery, "indexes": indexesQuery,
			"attached": `SELECT inhrelid::regclass, inhparent::regclass FROM pg_inherits ORDER BY 1`} {
			same(t, what, scratchtest.Query(t, production, query), scratchtest.Query(t, staging, query))
		}
		same(t, "rows", contents(t, production), contents(t, staging))
		if got := scratchtest.Query(t, staging, `SELECT obj_description('sale_rate'::regclass)`); !foreign && got != "by rate" {
			t.Errorf("what needs the index was not built: comment %s", got)
		}
	}
}

// A function that finds nothing in any search_path is told with the object that
// calls it and the remedy, and is no mistake of the job.
func TestFunctionsThatFindNothing(t *testing.T) {
	const base = `CREATE TABLE rate (code text PRIMARY KEY, r numeric); INSERT INTO rate VALUES ('EUR', 4711);
		CREATE FUNCTION rate_of(c text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN (SELECT r FROM rate WHERE code = c); END$$;
		ALTER FUNCTION rate_of SET search_path = public;
		CREATE TABLE sale (id int PRIMARY KEY, code text); INSERT INTO sale VALUES (1, 'EUR');`
	for _, c := range []struct{ what, sql, object string }{
		{"a materialized view", "CREATE MATERIALIZED VIEW sales_eur AS SELECT id, rate_of(code) FROM sale", "materialized view public.sales_eur"},
		{"a view below", "CREATE VIEW v AS SELECT id, rate_of(code) AS r FROM sale; CREATE MATERIALIZED VIEW sales_eur AS SELECT sum(r) FROM v", "materialized view public.sales_eur"},
		{"an index", "CREATE UNIQUE INDEX by_rate ON sale (rate_of(code))", "index public.by_rate"},
		{"a check", "ALTER TABLE sale ADD CONSTRAINT rated CHECK (rate_of(code) > 0)", "rated"},
		{"a generated column", "ALTER TABLE sale ADD worth numeric GENERATED ALWAYS AS (rate_of(code)) STORED", "public.sale"},
	} {
		t.Run(c.what, func(t *testing.T) {
			production := scratchtest.Database(t)
			scratchtest.SQL(t, production, base+c.sql+"; ALTER FUNCTION rate_of RESET search_path; ALTER DATABASE "+quote(databaseOf(t, production))+" SET search_path = nowhere")
			staging, _ := owned(t)
			tg := openTarget(t, staging)
			_, err := refresh(t.Context(), openSource(t, production), tg, quietSpec("r1"), true)
			var e *engine.Error
			if !errors.As(err, &e) || e.Code != engine.Failed || !strings.Contains(e.Error(), c.object) || !strings.Contains(e.Error(), "search_path") ||
				!strings.Contains(e.Hint, "ALTER FUNCTION public.rate_of(text) SET search_path = nowhere") || strings.Contains(e.Error(), "constraint") {
				t.Errorf("%v\nhint: %s", err, e.Hint)
			}
			if strings.Contains(e.Error(), "4711") || strings.Contains(e.Error(), "EUR") {
				t.Errorf("the error holds a value: %v", err)
			}
			if left := besides(t, staging); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// A failure of pg_restore names the object by the archive's own word.
func TestFailedEntry(t *testing.T) {
	builds := parseContents([]byte("3; 3256 16431 POLICY app u sees owner\n7; 1259 5 INDEX app by_canary owner\n9; 0 0 TABLE s t owner\n"))
	for _, c := range []struct{ text, want, hint string }{
		{"pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 3; 3256 16431 POLICY u sees owner\npg_restore: error: could not execute query: ERROR:  role \"canary\" does not exist\nCommand was: CREATE POLICY sees ON app.u TO canary;\n",
			"policy app.u sees: a role that it names does not exist on this server", "CREATE ROLE"},
		{"pg_restore: from TOC entry 7; 1259 5 INDEX by_canary owner\npg_restore: error: could not execute query: ERROR:  relation \"canary\" does not exist\nLINE 1: SELECT r FROM canary\nQUERY:  SELECT r FROM canary\nCONTEXT:  PL/pgSQL function public.f(text) line 1 at RETURN\nCommand was: CREATE INDEX by_canary ON app.u USING btree (public.f(x));\n",
			"index app.by_canary: a function that it calls does not find what it names", "search_path"},
		{"pg_restore: from TOC entry 9; 0 0 TABLE t owner\npg_restore: error: could not execute query: ERROR:  something canary\n", "table s.t: the program failed", "log"},
		{"pg_restore: from TOC entry 8; 0 0 TABLE canary owner\npg_restore: error: could not execute query: ERROR:  something canary\n", "build: the program failed", "log"},
	} {
		var e *engine.Error
		if !errors.As(complaintError("build", []byte(c.text), builds), &e) || !strings.Contains(e.Error(), c.want) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("got %v, hint %q; want %s", e, e.Hint, c.want)
		}
		if strings.Contains(strings.ReplaceAll(e.Error(), "by_canary", ""), "canary") {
			t.Errorf("the error quotes: %v", e)
		}
		if e.Constraint != "" || e.Table != (schema.Name{}) && e.Table.Table != "u" {
			t.Errorf("an index or policy became a constraint: %+v", e)
		}
	}
}
