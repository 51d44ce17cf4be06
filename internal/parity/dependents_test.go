package parity_test

import (
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestStatementsStandInOrderOnPostgres: the closing statements run as they stand in the
// file, and close everything, though objects depend on those that change; both ways.
func TestStatementsStandInOrderOnPostgres(t *testing.T) {
	const roles = `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'order_reader') THEN CREATE ROLE order_reader; END IF; END $$; `
	for name, sides := range map[string][2]string{
		"a column's type under views": {
			roles + `CREATE TABLE t (id int PRIMARY KEY, a bigint); CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a + 1 AS b FROM v; COMMENT ON VIEW w IS 'w'; GRANT SELECT ON v TO order_reader`,
			roles + `CREATE TABLE t (id int PRIMARY KEY, a int); CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a + 1 AS b FROM v; COMMENT ON VIEW w IS 'w'; GRANT SELECT ON v TO order_reader`},
		"two columns' types under one view, which differs too": {
			`CREATE TABLE t (id int, a bigint, b varchar(9)); CREATE VIEW v AS SELECT a, b, id FROM t`,
			`CREATE TABLE t (id int, a int, b text); CREATE VIEW v AS SELECT a, b FROM t`},
		"a column that a view has on one side": {
			`CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a FROM t; CREATE VIEW w AS SELECT * FROM v`,
			`CREATE TABLE t (id int, b int); CREATE VIEW v AS SELECT id, b FROM t; CREATE VIEW w AS SELECT * FROM v`},
		"a column under a materialized view with an index": {
			`CREATE TABLE t (id int, a numeric(8,2)); CREATE MATERIALIZED VIEW m AS SELECT id, a FROM t; CREATE UNIQUE INDEX m_id ON m (id); COMMENT ON MATERIALIZED VIEW m IS 'filled'`,
			`CREATE TABLE t (id int, a numeric(9,3)); CREATE MATERIALIZED VIEW m AS SELECT id, a FROM t; CREATE UNIQUE INDEX m_id ON m (id); COMMENT ON MATERIALIZED VIEW m IS 'filled'`},
		"a column under a policy": {
			`CREATE TABLE t (id int, a bigint); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0)`,
			`CREATE TABLE t (id int, a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0)`},
		"a column that a policy has on one side": {
			`CREATE TABLE t (id int, a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0)`,
			`CREATE TABLE t (id int, b int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (b > 0)`},
		"a column under a trigger's condition": {
			`CREATE TABLE t (id int, a bigint); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (NEW.a > 3) EXECUTE FUNCTION f()`,
			`CREATE TABLE t (id int, a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (NEW.a > 3) EXECUTE FUNCTION f()`},
		"a function that views need gives something else": {
			`CREATE FUNCTION f(x int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 1::bigint'; CREATE TABLE t (id int); CREATE VIEW v AS SELECT f(id) AS y FROM t; CREATE VIEW w AS SELECT y FROM v`,
			`CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (id int); CREATE VIEW v AS SELECT f(id) AS y FROM t; CREATE VIEW w AS SELECT y FROM v`},
		"a function of the rows of a table": {
			`CREATE TABLE t (id int, n text); CREATE FUNCTION f(r t) RETURNS text LANGUAGE sql AS 'SELECT r.n'; CREATE FUNCTION g() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'; CREATE VIEW v AS SELECT * FROM g()`,
			`SELECT 1`},
		"a table with what needs a function": {
			`CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (id int DEFAULT f(2), n int CHECK (f(n) > 0), g int GENERATED ALWAYS AS (f(id)) STORED); CREATE INDEX ti ON t (f(id)); CREATE FUNCTION h(r t) RETURNS int LANGUAGE sql AS 'SELECT r.id'`,
			`CREATE TABLE t (id int)`},
		"tables that refer to one another": {
			`CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, c int); CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c`,
			`SELECT 1`},
		"a table under views and others' keys": {
			`CREATE TABLE z (id int PRIMARY KEY)`,
			`CREATE TABLE z (id int PRIMARY KEY, x int); CREATE TABLE a (id int PRIMARY KEY); ALTER TABLE z ADD CONSTRAINT za FOREIGN KEY (x) REFERENCES a; CREATE VIEW y AS SELECT id FROM a; CREATE VIEW b AS SELECT id FROM y; CREATE MATERIALIZED VIEW c AS SELECT id FROM b`},
		"views over views, whose names tell nothing": {
			`CREATE TABLE t (id int); CREATE VIEW z AS SELECT id FROM t; CREATE VIEW m AS SELECT id FROM z; CREATE VIEW a AS SELECT id FROM m`,
			`CREATE TABLE t (id int)`},
		"views over views that change shape": {
			`CREATE TABLE t (id int, n int); CREATE VIEW z AS SELECT n, id FROM t; CREATE VIEW m AS SELECT id, n FROM z; CREATE VIEW a AS SELECT n FROM m`,
			`CREATE TABLE t (id int, n int); CREATE VIEW z AS SELECT id FROM t; CREATE VIEW m AS SELECT id FROM z; CREATE VIEW a AS SELECT id FROM m`},
		"types and what has them": {
			`CREATE TYPE e AS ENUM ('a', 'b'); CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE TYPE c AS (x e, y d); CREATE TABLE t (id d, e e, c c, es e[]); CREATE FUNCTION f(e) RETURNS c LANGUAGE sql AS 'SELECT NULL::c'; CREATE VIEW v AS SELECT f(e) FROM t`,
			`CREATE TABLE t (id int)`},
		"a sequence that a default needs": {
			`CREATE SEQUENCE q; CREATE TABLE t (id int DEFAULT nextval('q'), n int); ALTER SEQUENCE q OWNED BY t.id; CREATE TABLE u (id int)`,
			`CREATE TABLE t (id int, n int); CREATE SEQUENCE p; CREATE TABLE u (id int DEFAULT nextval('p')); ALTER SEQUENCE p OWNED BY u.id`},
		"a rule, and a trigger of a view": {
			`CREATE TABLE t (id int, a bigint); CREATE VIEW v AS SELECT a FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (1, NEW.a); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g INSTEAD OF DELETE ON v FOR EACH ROW EXECUTE FUNCTION f()`,
			`CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT a FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (1, NEW.a); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`},
		"a key that foreign keys and a view need": {
			`CREATE TABLE t (id int, b int, n text, PRIMARY KEY (id) INCLUDE (b), CONSTRAINT bu UNIQUE (b) DEFERRABLE); CREATE TABLE u (t int REFERENCES t); CREATE VIEW v AS SELECT id, n FROM t GROUP BY id; CREATE TABLE w (t int CONSTRAINT w_t REFERENCES t)`,
			`CREATE TABLE t (id int, b int, n text, PRIMARY KEY (id), CONSTRAINT bu UNIQUE (b)); CREATE TABLE u (t int REFERENCES t); CREATE VIEW v AS SELECT id, n FROM t GROUP BY id; CREATE TABLE w (t int)`},
		"a new table whose key leads to a key that comes": {
			`CREATE TABLE t (id int CONSTRAINT one UNIQUE); CREATE TABLE a (t int REFERENCES t (id))`,
			`CREATE TABLE t (id int)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := scratchtest.Database(t), scratchtest.Database(t)
			scratchtest.SQL(t, a, sides[0])
			scratchtest.SQL(t, b, sides[1])
			one, other := catalogOf(t, a), catalogOf(t, b)
			there, back := compareAll(t, one, other), compareAll(t, other, one)
			if len(there.Differences) == 0 {
				t.Fatal("nothing differs")
			}
			if left := closes(t, b, one, there); left != "" {
				t.Errorf("towards the first: %s", left)
			}
			if left := closes(t, a, other, back); left != "" {
				t.Errorf("towards the second: %s", left)
			}
		})
	}
}
