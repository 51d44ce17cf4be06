package postgres

import (
	"slices"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

const everyKind = `
CREATE SCHEMA s; CREATE EXTENSION citext; CREATE TABLE s.t (id int PRIMARY KEY, v text); CREATE TABLE s.kid () INHERITS (s.t);
CREATE VIEW s.view AS SELECT id FROM s.t; CREATE MATERIALIZED VIEW s.mat AS SELECT id FROM s.t; CREATE SEQUENCE s.seq START 5 INCREMENT 2;
CREATE FUNCTION s.fn(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE s.pr() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE s.agg (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE FUNCTION s.trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER tr BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.trg();
CREATE RULE ru AS ON DELETE TO s.t DO INSTEAD NOTHING; ALTER TABLE s.t ENABLE ROW LEVEL SECURITY; CREATE POLICY po ON s.t USING (id > 0);
CREATE DOMAIN s.dom AS text NOT NULL CHECK (VALUE <> ''); CREATE TYPE s.comp AS (a int, b text); CREATE TYPE s.rng AS RANGE (SUBTYPE = float8);
CREATE COLLATION s.col (provider = icu, locale = 'de'); CREATE STATISTICS s.st ON id, v FROM s.t; CREATE TEXT SEARCH CONFIGURATION s.cfg (COPY = simple);
CREATE PUBLICATION pub FOR TABLE s.t; GRANT SELECT ON s.t TO PUBLIC; GRANT UPDATE (v) ON s.t TO PUBLIC; GRANT USAGE ON SCHEMA s TO PUBLIC; GRANT USAGE ON SEQUENCE s.seq TO PUBLIC; REVOKE EXECUTE ON FUNCTION s.fn FROM PUBLIC;
CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'CANARY7731');
CREATE FUNCTION s.cmp(s.comp, s.comp) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR s.=== (LEFTARG = s.comp, RIGHTARG = s.comp, FUNCTION = s.cmp);
CREATE FUNCTION s.ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER ev ON ddl_command_end EXECUTE FUNCTION s.ev();
CREATE CAST (s.comp AS text) WITH INOUT;
`

func TestCatalogListsEveryKind(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, everyKind)
	for _, who := range []string{url, scratchtest.Role(t, url)} {
		c, err := sourceAt(t, who, engine.Limits{}).Catalog(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Never) != 1 || !strings.HasPrefix(c.Never[0], "user mapping: ") { // whose options may be secrets
			t.Errorf("never compared: %v", c.Never)
		}
		var facts []string
		for _, f := range c.Facts {
			facts = append(facts, f.Kind+" "+f.Object)
			if strings.Contains(f.Definition, "CANARY") {
				t.Errorf("a definition holds an option's value: %s", f.Kind)
			}
		}
		for _, want := range []string{
			"schema s.s", "extension citext", "view s.view", "materialized view s.mat", "sequence s.seq", "function s.fn(integer, text)", "procedure s.pr()", "aggregate s.agg(integer)", "trigger s.t.tr", "rule s.t.ru",
			"row security s.t", "policy s.t.po", "domain s.dom", "composite type s.comp", "range type s.rng", "collation s.col", "statistics object s.st", "text search configuration s.cfg", "publication pub", "grant s.t", "grant on a schema s.s",
			"grant on a sequence s.seq", "grant on a function s.fn(integer, text)", "foreign server far", `operator s."==="(s.comp, s.comp)`, "event trigger ev", `cast "s.comp as text"`, "inheritance s.kid", "table s.t",
		} {
			if !slices.Contains(facts, want) {
				t.Errorf("no %s", want)
			}
		}
		if t.Failed() {
			t.Log(strings.Join(facts, "\n"))
			return
		}
	}
}
