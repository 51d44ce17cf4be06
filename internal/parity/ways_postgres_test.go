package parity_test

import (
	"fmt"
	"strings"
	"testing"

	"understudy/internal/parity"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// TestClosingBothWaysOnPostgres takes pairs of databases, makes the second as the first
// and the other way round: the statements run as they stand, and nothing differs then.
func TestClosingBothWaysOnPostgres(t *testing.T) {
	for name, sides := range map[string][2]string{
		"the limits of a sequence": {
			`CREATE SEQUENCE s START 1000 MINVALUE 1000 MAXVALUE 2000; CREATE SEQUENCE d INCREMENT -1 MINVALUE -2000 MAXVALUE -1000 START -1000`,
			`CREATE SEQUENCE s; CREATE SEQUENCE d MAXVALUE 5`},
		"the limits of an identity": {
			`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (START 1000 MINVALUE 1000 MAXVALUE 2000), n int)`,
			`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, n int)`},
		"the type of a sequence": {
			`CREATE SEQUENCE s AS smallint START 5`,
			`CREATE SEQUENCE s START 100000`},
		"own default of an heir": {
			`CREATE TABLE p (a int DEFAULT 1); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 7`,
			`CREATE TABLE p (a int); CREATE TABLE c (b int) INHERITS (p)`},
		"own default of an heir, the parent's alone differs": {
			`CREATE TABLE p (a int DEFAULT 1); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 7`,
			`CREATE TABLE p (a int DEFAULT 2); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 7`},
		"own default of an heir, both differ": {
			`CREATE TABLE p (a int DEFAULT 1, n int NOT NULL); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 7`,
			`CREATE TABLE p (a int DEFAULT 2, n int); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 8; ALTER TABLE c ALTER n SET NOT NULL; COMMENT ON COLUMN c.a IS 'of c'`},
		"the type of a column that heirs have, with defaults of their own": {
			`CREATE TABLE p (a int DEFAULT 1, n int NOT NULL); CREATE TABLE c (b int) INHERITS (p); CREATE TABLE g (x int) INHERITS (c); ALTER TABLE c ALTER a SET DEFAULT 7; ALTER TABLE g ALTER a DROP DEFAULT`,
			`CREATE TABLE p (a text DEFAULT 'x', n int); CREATE TABLE c (b int) INHERITS (p); CREATE TABLE g (x int) INHERITS (c); ALTER TABLE c ALTER a SET DEFAULT 'y'; ALTER TABLE g ALTER n SET NOT NULL; COMMENT ON COLUMN c.a IS 'of c'; ALTER TABLE p ALTER n SET STATISTICS 7`},
		"own default of a new heir": {
			`CREATE TABLE p (a int DEFAULT 1); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 7`,
			`CREATE TABLE p (a int DEFAULT 2)`},
		"own default of a column of heirs that comes": {
			`CREATE TABLE p (x int, a int DEFAULT 1); CREATE TABLE c (b int) INHERITS (p); ALTER TABLE c ALTER a SET DEFAULT 7; ALTER TABLE c ALTER a SET NOT NULL`,
			`CREATE TABLE p (x int); CREATE TABLE c (b int) INHERITS (p)`},
		"own default of a partition": {
			`CREATE TABLE m (id int, a int DEFAULT 1) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER a SET DEFAULT 7`,
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1)`},
		"own default of a partition, the table's alone differs": {
			`CREATE TABLE m (id int, a int DEFAULT 1) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER a SET DEFAULT 7`,
			`CREATE TABLE m (id int, a int DEFAULT 2) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER a SET DEFAULT 7`},
		"own default of a partition, the table's alone has one": {
			`CREATE TABLE m (id int, a int DEFAULT 1) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER a DROP DEFAULT`,
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1)`},
		"own default of a partition of partitions": {
			`CREATE TABLE m (id int, a int DEFAULT 1, n int NOT NULL) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1) PARTITION BY LIST (a); CREATE TABLE m1a PARTITION OF m1 FOR VALUES IN (1); ALTER TABLE m1 ALTER a SET DEFAULT 7`,
			`CREATE TABLE m (id int, a int DEFAULT 2, n int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1) PARTITION BY LIST (a); CREATE TABLE m1a PARTITION OF m1 FOR VALUES IN (1); ALTER TABLE ONLY m1 ALTER a SET DEFAULT 8; ALTER TABLE m1a ALTER n SET NOT NULL`},
		"own default of a partition that comes": {
			`CREATE TABLE m (id int, a int DEFAULT 1) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER a SET DEFAULT 7; ALTER TABLE m1 ALTER a SET NOT NULL`,
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id)`},
		"own default of a table of partitions that comes": {
			`CREATE TABLE m (id int, a int DEFAULT 1) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1) WITH (fillfactor = 50); ALTER TABLE m1 ALTER a SET DEFAULT 7; COMMENT ON TABLE m1 IS 'one'; COMMENT ON COLUMN m1.a IS 'a of one'`,
			`SELECT 1`},
		"names of constraints that were swapped": {
			`CREATE TABLE t (a int, b int, CONSTRAINT x CHECK (a > 0), CONSTRAINT y CHECK (b > 0))`,
			`CREATE TABLE t (a int, b int, CONSTRAINT y CHECK (a > 0), CONSTRAINT x CHECK (b > 0))`},
		"names of unique constraints that were swapped": {
			`CREATE TABLE t (a int, b int, CONSTRAINT x UNIQUE (a), CONSTRAINT y UNIQUE (b)); CREATE TABLE r (a int REFERENCES t (a))`,
			`CREATE TABLE t (a int, b int, CONSTRAINT y UNIQUE (a), CONSTRAINT x UNIQUE (b)); CREATE TABLE r (a int REFERENCES t (a))`},
		"names of indexes that were swapped": {
			`CREATE TABLE t (a int, b int, c int); CREATE INDEX x ON t (a); CREATE INDEX y ON t (b); CREATE UNIQUE INDEX z ON t (c)`,
			`CREATE TABLE t (a int, b int, c int); CREATE INDEX y ON t (a); CREATE INDEX z ON t (b); CREATE UNIQUE INDEX x ON t (c)`},
		"names of indexes that were swapped between tables": {
			`CREATE TABLE t (a int); CREATE TABLE u (b int); CREATE INDEX x ON t (a); CREATE INDEX y ON u (b)`,
			`CREATE TABLE t (a int); CREATE TABLE u (b int); CREATE INDEX y ON t (a); CREATE INDEX x ON u (b)`},
		"names of keys that were swapped between tables": {
			`CREATE TABLE t (a int, CONSTRAINT x UNIQUE (a)); CREATE TABLE u (b int, CONSTRAINT y PRIMARY KEY (b)); CREATE TABLE r (a int REFERENCES t (a), b int REFERENCES u)`,
			`CREATE TABLE t (a int, CONSTRAINT y UNIQUE (a)); CREATE TABLE u (b int, CONSTRAINT x PRIMARY KEY (b)); CREATE TABLE r (a int REFERENCES t (a), b int REFERENCES u)`},
		"names of a key and an index that were swapped": {
			`CREATE TABLE t (a int, b int, CONSTRAINT x UNIQUE (a)); CREATE INDEX y ON t (b)`,
			`CREATE TABLE t (a int, b int, CONSTRAINT y UNIQUE (a)); CREATE INDEX x ON t (b)`},
		"names of foreign keys that were swapped": {
			`CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE r (a int, b int, CONSTRAINT x FOREIGN KEY (a) REFERENCES t, CONSTRAINT y FOREIGN KEY (b) REFERENCES t)`,
			`CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE r (a int, b int, CONSTRAINT y FOREIGN KEY (a) REFERENCES t, CONSTRAINT x FOREIGN KEY (b) REFERENCES t)`},
		"a name of a key that moved on to another": {
			`CREATE TABLE t (a int, b int, CONSTRAINT x UNIQUE (a), CONSTRAINT y UNIQUE (b))`,
			`CREATE TABLE t (a int, b int, CONSTRAINT y UNIQUE (a))`},
		"names of a primary key and an index that were swapped": {
			`CREATE TABLE t (a int, b int, CONSTRAINT x PRIMARY KEY (a)); CREATE INDEX y ON t (b)`,
			`CREATE TABLE t (a int, b int, CONSTRAINT y PRIMARY KEY (a)); CREATE INDEX x ON t (b)`},
		"names of triggers and policies that were swapped": {
			`CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER y BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE POLICY x ON t USING (a > 0); CREATE POLICY y ON t USING (a > 1)`,
			`CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER y BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE TRIGGER x BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE POLICY y ON t USING (a > 0); CREATE POLICY x ON t USING (a > 1)`},
		"an operator that is in use": {
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f, COMMUTATOR = ===); CREATE VIEW v AS SELECT 1 === 2 AS x; CREATE TABLE t (a int CHECK (a === 1), b bool DEFAULT 1 === 2); CREATE INDEX i ON t ((a === 2))`,
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f); CREATE VIEW v AS SELECT 1 === 2 AS x; CREATE TABLE t (a int CHECK (a === 1), b bool DEFAULT 1 === 2); CREATE INDEX i ON t ((a === 2))`},
		"an operator's function": {
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f); CREATE VIEW v AS SELECT 1 === 2 AS x`,
			`CREATE FUNCTION g(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 <> $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = g); CREATE VIEW v AS SELECT 1 === 2 AS x`},
		"an operator that comes with what uses it": {
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f); CREATE VIEW v AS SELECT 1 === 2 AS x; CREATE TABLE t (a int CHECK (a === 1))`,
			`CREATE TABLE t (a int)`},
		"a column that becomes a list": {
			`CREATE TABLE t (a int[], b text[] DEFAULT '{}', c varchar(5)[])`,
			`CREATE TABLE t (a int, b text DEFAULT '', c varchar(5))`},
		"an enum that becomes a domain": {
			`CREATE DOMAIN e AS text CHECK (VALUE IN ('a', 'b')); CREATE TABLE t (id int)`,
			`CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (id int)`},
		"a table that becomes a view": {
			`CREATE TABLE b (id int); CREATE VIEW v AS SELECT id FROM b; COMMENT ON VIEW v IS 'v'`,
			`CREATE TABLE b (id int); CREATE TABLE v (id int)`},
		"a table that becomes a materialized view": {
			`CREATE TABLE b (id int); CREATE MATERIALIZED VIEW v AS SELECT id FROM b; CREATE UNIQUE INDEX vi ON v (id); CREATE VIEW w AS SELECT * FROM v`,
			`CREATE TABLE b (id int); CREATE TABLE v (id int); CREATE INDEX vi ON v (id); CREATE VIEW w AS SELECT * FROM v`},
		"a view that becomes a materialized one": {
			`CREATE TABLE b (id int); CREATE MATERIALIZED VIEW v AS SELECT id FROM b; CREATE VIEW w AS SELECT * FROM v`,
			`CREATE TABLE b (id int); CREATE VIEW v AS SELECT id FROM b; CREATE VIEW w AS SELECT * FROM v`},
		"a key under that of a table that goes": {
			`CREATE TABLE t (id int, b int, PRIMARY KEY (id) INCLUDE (b)); CREATE TABLE o (id int)`,
			`CREATE TABLE t (id int, b int, PRIMARY KEY (id)); CREATE TABLE u (t int REFERENCES t, n int); CREATE TABLE o (id int); CREATE POLICY p ON u USING (n IN (SELECT id FROM t))`},
		"a column's type under what goes with a view": {
			`CREATE TABLE t (id bigint, b int)`,
			`CREATE TABLE t (id int, b int); CREATE VIEW v AS SELECT id FROM t; CREATE RULE r AS ON UPDATE TO v DO INSTEAD UPDATE t SET id = NEW.id`},
		"a computed column among others": {
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED, b int)`,
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 3) STORED, b int)`},
		"targets of statistics of an index": {
			`CREATE TABLE t (a int, b int); CREATE INDEX i ON t ((a + b), (b - a)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 500`,
			`CREATE TABLE t (a int, b int); CREATE INDEX i ON t ((a + b), (b - a)); ALTER INDEX i ALTER COLUMN 2 SET STATISTICS 400`},
		"targets of statistics of an index that comes": {
			`CREATE TABLE t (a int, b int); CREATE INDEX i ON t ((a + b), (b - a)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 500`,
			`CREATE TABLE t (a int, b int)`},
		"comments on what is the server's": {
			`CREATE EXTENSION hstore; COMMENT ON SCHEMA public IS 'ours'; COMMENT ON EXTENSION hstore IS 'own words'; COMMENT ON LANGUAGE plpgsql IS 'own words'`,
			`CREATE EXTENSION hstore`},
		"comments of a partition": {
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1) WITH (fillfactor = 50); COMMENT ON TABLE m1 IS 'one'; COMMENT ON COLUMN m1.a IS 'a of one'; ALTER TABLE m1 ALTER a SET STATISTICS 7; ALTER TABLE m1 ALTER a SET (n_distinct = 5)`,
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER id SET STATISTICS 9`},
		"a publication's filters and columns": {
			`CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int); CREATE PUBLICATION p FOR TABLE t (id, a) WHERE (id > 1), u`,
			`CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int); CREATE PUBLICATION p FOR TABLE t WHERE (id > 2)`},
		"a publication of a schema": {
			`CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE PUBLICATION p FOR TABLES IN SCHEMA s`,
			`CREATE SCHEMA s; CREATE TABLE s.t (id int)`},
		"a publication that comes": {
			`CREATE TABLE t (id int PRIMARY KEY, a int, "B" int); CREATE PUBLICATION p FOR TABLE t (id, "B") WHERE (id > 1)`,
			`CREATE TABLE t (id int PRIMARY KEY, a int, "B" int)`},
		"a column's type under a publication's filter": {
			`CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE PUBLICATION p FOR TABLE t (id, a) WHERE (id > 1)`,
			`CREATE TABLE t (id int PRIMARY KEY, a int); CREATE PUBLICATION p FOR TABLE t (id, a) WHERE (id > 1)`},
		"composites and ranges under other names, in use": {
			`CREATE TYPE address AS (street text, n int); CREATE TYPE fr AS RANGE (SUBTYPE = float8); CREATE DOMAIN home AS address; CREATE TABLE t (id int, a address, b address[], c fr, d home, e fr[]); CREATE FUNCTION f(a address) RETURNS int LANGUAGE sql AS 'SELECT a.n'; CREATE VIEW v AS SELECT id, a FROM t; INSERT INTO t VALUES (1, ROW('x', 1), ARRAY[ROW('y', 2)::address], '[1,2)', ROW('z', 3), '{"[1,2)"}'), (2, NULL, NULL, NULL, NULL, NULL)`,
			`CREATE TYPE addr AS (street text, n int); CREATE TYPE floats AS RANGE (SUBTYPE = float8); CREATE DOMAIN house AS addr; CREATE TABLE t (id int, a addr, b addr[], c floats, d house, e floats[]); CREATE FUNCTION f(a addr) RETURNS int LANGUAGE sql AS 'SELECT a.n'; CREATE VIEW v AS SELECT id, a FROM t; INSERT INTO t VALUES (1, ROW('x', 1), ARRAY[ROW('y', 2)::addr], '[1,2)', ROW('z', 3), '{"[1,2)"}'), (2, NULL, NULL, NULL, NULL, NULL)`},
		"a policy of another name over a column of another type": {
			`CREATE TABLE t (id int, a bigint, b bigint); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p2 ON t USING (a + b > 0); COMMENT ON POLICY p2 ON t IS 'x'`,
			`CREATE TABLE t (id int, a int, b int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a + b > 0); COMMENT ON POLICY p ON t IS 'y'`},
		"an heir that has a column by itself too": {
			`CREATE TABLE p (id int); CREATE TABLE c (z int) INHERITS (p); CREATE TABLE d (a int, z int) INHERITS (p)`,
			`CREATE TABLE p (id int, a int); CREATE TABLE c (a int, z int) INHERITS (p); CREATE TABLE d (a int, z int) INHERITS (p)`},
		"an heir's own column of another type": {
			`CREATE TABLE p (id int, a bigint, b text); CREATE TABLE c (a bigint DEFAULT 4, z int) INHERITS (p); CREATE VIEW v AS SELECT a FROM c`,
			`CREATE TABLE p (id int, a int, e text); CREATE TABLE c (a int, z int) INHERITS (p); CREATE VIEW v AS SELECT a FROM c`},
		"an heir's own NOT NULL": {
			`CREATE TABLE p (a int NOT NULL); CREATE TABLE c () INHERITS (p); CREATE TABLE g () INHERITS (c)`,
			`CREATE TABLE p (a int); CREATE TABLE c () INHERITS (p); CREATE TABLE g (a int NOT NULL) INHERITS (c)`},
		"a table that becomes an heir of what changes": {
			`CREATE TABLE a (id int PRIMARY KEY, n text NOT NULL CHECK (n <> '')); CREATE TABLE b (extra int) INHERITS (a); CREATE TABLE c (z int) INHERITS (b)`,
			`CREATE TABLE a (id int PRIMARY KEY, n text); CREATE TABLE b (extra text) INHERITS (a); CREATE TABLE c (id int, n text, extra int, z int)`},
		"a parent's column under a view of its heir": {
			`CREATE TABLE a (n bigint); CREATE TABLE b (z int) INHERITS (a); CREATE VIEW vb AS SELECT n FROM b; COMMENT ON VIEW vb IS 'x'`,
			`CREATE TABLE a (n int); CREATE TABLE b (z int) INHERITS (a); CREATE VIEW vb AS SELECT n FROM b; COMMENT ON VIEW vb IS 'x'`},
		"comments on what is made again": {
			`CREATE TABLE t (id int, a numeric); CREATE VIEW v AS SELECT id, a FROM t; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER io INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f(); COMMENT ON TRIGGER io ON v IS 'x'; CREATE TRIGGER "W w" BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a > 1) EXECUTE FUNCTION f(); COMMENT ON TRIGGER "W w" ON t IS 'y'; CREATE POLICY p ON t USING (a > 1); COMMENT ON POLICY p ON t IS 'z'; CREATE RULE r AS ON UPDATE TO t WHERE NEW.a > 3 DO NOTHING; COMMENT ON RULE r ON t IS 'u'`,
			`CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT id, a FROM t; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER io INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f(); COMMENT ON TRIGGER io ON v IS 'x'; CREATE TRIGGER "W w" BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.a > 1) EXECUTE FUNCTION f(); COMMENT ON TRIGGER "W w" ON t IS 'y'; CREATE POLICY p ON t USING (a > 1); COMMENT ON POLICY p ON t IS 'z'; CREATE RULE r AS ON UPDATE TO t WHERE NEW.a > 3 DO NOTHING; COMMENT ON RULE r ON t IS 'u'`},
		"a key of another name under a foreign key": {
			`CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL, UNIQUE (code), z int, y text); CREATE TABLE c (k text REFERENCES t (code))`,
			`CREATE TABLE t (id int PRIMARY KEY, kode text NOT NULL, UNIQUE (kode), z int, y text); CREATE TABLE c (k text REFERENCES t (kode))`},
		"a function of other arguments, by its name in use": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE VIEW v AS SELECT f(1) AS q; COMMENT ON VIEW v IS 'v'; CREATE VIEW w AS SELECT q FROM v; CREATE TABLE t (a int DEFAULT f(1))`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE VIEW v AS SELECT f(1) AS q; COMMENT ON VIEW v IS 'v'; CREATE VIEW w AS SELECT q FROM v; CREATE TABLE t (a int DEFAULT f(1))`},
		"a view of a partition over a column of another type": {
			`CREATE TABLE p (k int NOT NULL, v numeric) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10); CREATE VIEW vp AS SELECT v FROM p1`,
			`CREATE TABLE p (k int NOT NULL, v int) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10); CREATE VIEW vp AS SELECT v FROM p1`},
		"a function of other arguments in checks and indexes": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (a int CONSTRAINT ck CHECK (f(a) > 0)); CREATE INDEX fi ON t (f(a))`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (a int CONSTRAINT ck CHECK (f(a) > 0)); CREATE INDEX fi ON t (f(a))`},
		"an heir of other tables": {
			`CREATE TABLE a2 (m int, s text, w int); CREATE TABLE b (x int) INHERITS (a2); CREATE TABLE a (id int, s text)`,
			`CREATE TABLE a2 (m int, s text); CREATE TABLE a (id int, s text); CREATE TABLE b (x int) INHERITS (a, a2)`},
		"statistics over a column that goes": {
			`CREATE TABLE t (id int PRIMARY KEY, code text, z int); CREATE STATISTICS s ON code, z FROM t`,
			`CREATE TABLE t (id int PRIMARY KEY, code text, w text); CREATE STATISTICS s ON code, w FROM t`},
		"a constraint that becomes an index of its name, under a foreign key": {
			`CREATE TABLE t (u int NOT NULL); CREATE UNIQUE INDEX uu ON t (u); CREATE TABLE c (k int REFERENCES t (u))`,
			`CREATE TABLE t (u int NOT NULL CONSTRAINT uu UNIQUE); CREATE TABLE c (k int REFERENCES t (u))`},
		"domains over one another, in use": {
			`CREATE DOMAIN d AS text CHECK (VALUE <> 'y'); CREATE DOMAIN d2 AS d; CREATE DOMAIN e AS int; CREATE TABLE t (x d, y d2, z e)`,
			`CREATE DOMAIN d AS text NOT NULL DEFAULT 'q' CONSTRAINT ck CHECK (VALUE <> 'z'); CREATE DOMAIN d2 AS d CHECK (length(VALUE) < 9); CREATE DOMAIN e AS int NOT NULL CHECK (VALUE > 1); CREATE TABLE t (x d, y d2, z e)`},
		"an heir of columns that come": {
			`CREATE TABLE a (id int, n text DEFAULT 'x', m int NOT NULL); CREATE TABLE c (z int) INHERITS (a)`,
			`CREATE TABLE a (id int); CREATE TABLE c (id int, z int)`},
		"a table that is no heir any more, and changes as its parents do": {
			`CREATE TABLE a (id int PRIMARY KEY, n text NOT NULL CHECK (n <> '')); CREATE TABLE b (extra int) INHERITS (a); CREATE TABLE c (z int) INHERITS (b)`,
			`CREATE TABLE a (id int PRIMARY KEY, n text); CREATE TABLE b (extra text) INHERITS (a); CREATE TABLE c (id int, n text, extra text, z int)`},
		"what is named after a column that bears another name": {
			`CREATE TABLE c (id int, mail text CHECK (mail <> ''), d int, UNIQUE (mail)); CREATE INDEX ON c (lower(mail)); CREATE INDEX ON c (mail, d)`,
			`CREATE TABLE c (id int, email text CHECK (email <> ''), d int, UNIQUE (email)); CREATE INDEX ON c (lower(email)); CREATE INDEX ON c (email, d)`},
		"columns that come in their order": {
			`CREATE TABLE t (id int, phone text, age int, b text DEFAULT 'x')`,
			`CREATE TABLE t (id int)`},
		"a table of other columns alone": {
			`CREATE TABLE t (a int, b text)`,
			`CREATE TABLE t (x text, y int)`},
		"a partition that is a table by itself, with less and more": {
			`CREATE TABLE r (id int PRIMARY KEY); INSERT INTO r VALUES (1); CREATE TABLE m (id int NOT NULL, v text DEFAULT 'x', n bigint CHECK (n > 0), r int REFERENCES r, PRIMARY KEY (id, v), UNIQUE (n, v)) PARTITION BY LIST (v); CREATE INDEX mi ON m (n); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); ALTER TABLE m1 ADD CONSTRAINT own CHECK (id > 0); CREATE INDEX owni ON m1 (r); COMMENT ON COLUMN m1.n IS 'x'; ALTER TABLE m1 ALTER n SET STATISTICS 5; INSERT INTO m VALUES (1, 'a', 1, 1)`,
			`CREATE TABLE r (id int PRIMARY KEY); INSERT INTO r VALUES (1); CREATE TABLE m (id int NOT NULL, v text DEFAULT 'x', n bigint CHECK (n > 0), r int REFERENCES r, PRIMARY KEY (id, v), UNIQUE (n, v)) PARTITION BY LIST (v); CREATE INDEX mi ON m (n); CREATE TABLE m1 (id int, v text NOT NULL DEFAULT 'y', n int, r int, z text); INSERT INTO m1 VALUES (1, 'a', 1, 1)`},
		"a partition that is a table by itself, and both change": {
			`CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE m (id int NOT NULL, v text, n bigint, c date, r int REFERENCES r, PRIMARY KEY (id, v), CHECK (n > 0)) PARTITION BY LIST (v); CREATE INDEX mi ON m (n); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); INSERT INTO m VALUES (1, 'a', 1)`,
			`CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE m (id int NOT NULL, v text, n int, x int) PARTITION BY LIST (v); CREATE TABLE m1 (id int, v text, n text, y int UNIQUE, CHECK (y > 0)); CREATE INDEX mj ON m1 (n); INSERT INTO m1 VALUES (1, 'a', 1)`},
		"partitions that were tables before their table was": {
			`CREATE TABLE m (id int NOT NULL, v text, n bigint, PRIMARY KEY (id, v), CHECK (n > 0)) PARTITION BY LIST (v); CREATE INDEX mi ON m (n); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); CREATE TABLE m2 PARTITION OF m FOR VALUES IN ('b'); INSERT INTO m VALUES (1, 'a', 1)`,
			`CREATE TABLE m1 (id int, v text, n int); INSERT INTO m1 VALUES (1, 'a', 1); CREATE VIEW w AS SELECT n FROM m1`},
		"a partition that was taken out, and nothing else": {
			`CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE m (id int NOT NULL, v text DEFAULT 'x', n bigint CHECK (n > 0), r int REFERENCES r, PRIMARY KEY (id, v), UNIQUE (n, v)) PARTITION BY LIST (v); CREATE INDEX mi ON m (n); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a')`,
			`CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE m (id int NOT NULL, v text DEFAULT 'x', n bigint CHECK (n > 0), r int REFERENCES r, PRIMARY KEY (id, v), UNIQUE (n, v)) PARTITION BY LIST (v); CREATE INDEX mi ON m (n); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); ALTER TABLE m DETACH PARTITION m1`},
		"a partition that comes before keys lead to its table": {
			`CREATE TABLE m (id int NOT NULL, v text, PRIMARY KEY (id, v)) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); INSERT INTO m VALUES (1, 'a'); CREATE TABLE x (id int, v text, FOREIGN KEY (id, v) REFERENCES m); INSERT INTO m VALUES (2, 'a')`,
			`CREATE TABLE m (id int NOT NULL, v text, PRIMARY KEY (id, v)) PARTITION BY LIST (v); CREATE TABLE m1 (id int, v text); INSERT INTO m1 VALUES (1, 'a'); CREATE TABLE x (id int, v text); INSERT INTO x VALUES (1, 'a')`},
		"a table of partitions that is a partition itself": {
			`CREATE TABLE m (id int, v text, n int NOT NULL DEFAULT 3) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a') PARTITION BY LIST (id); CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (1); CREATE INDEX mi ON m (n); INSERT INTO m VALUES (1, 'a', 1)`,
			`CREATE TABLE m (id int, v text, n int NOT NULL) PARTITION BY LIST (v); CREATE TABLE m1 (id int, v text, n bigint) PARTITION BY LIST (id); CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (1); INSERT INTO m1 VALUES (1, 'a', 1)`},
		"a partition of a partition that is a table by itself": {
			`CREATE TABLE m (id int, v text, n int NOT NULL DEFAULT 3) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a') PARTITION BY LIST (id); CREATE TABLE m11 PARTITION OF m1 FOR VALUES IN (1); CREATE INDEX mi ON m (n); INSERT INTO m VALUES (1, 'a', 1)`,
			`CREATE TABLE m (id int, v text, n int NOT NULL) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a') PARTITION BY LIST (id); CREATE TABLE m11 (id int, v text, n text); INSERT INTO m11 VALUES (1, 'a', 1)`},
		"a partition that is a table by itself, with triggers": {
			`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE m (id int, v text, g int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY LIST (v); CREATE TRIGGER tr AFTER INSERT ON m FOR EACH ROW EXECUTE FUNCTION f(); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); GRANT SELECT ON m1 TO PUBLIC; CREATE TRIGGER tr2 AFTER INSERT ON m1 FOR EACH ROW EXECUTE FUNCTION f(); CREATE POLICY p ON m1 USING (id > 1)`,
			`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE m (id int, v text, g int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY LIST (v); CREATE TRIGGER tr AFTER INSERT ON m FOR EACH ROW EXECUTE FUNCTION f(); CREATE TABLE m1 (id int, v text, g int GENERATED ALWAYS AS (id * 2) STORED); CREATE TRIGGER tr AFTER INSERT ON m1 FOR EACH ROW EXECUTE FUNCTION f()`},
		"a partition that is a table by itself, and names differ": {
			`CREATE TABLE orders (id int, v text, customer_name text, created date) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF orders FOR VALUES IN ('a')`,
			`CREATE TABLE ordrs (id int, v text, cust_name text, created date) PARTITION BY LIST (v); CREATE TABLE m1 (id int, v text, cust_name text, created date)`},
		"a partition with an identity that is a table by itself": {
			`CREATE TABLE m (id int GENERATED ALWAYS AS IDENTITY, v text, s serial) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a')`,
			`CREATE TABLE m (id int GENERATED ALWAYS AS IDENTITY, v text, s serial) PARTITION BY LIST (v); CREATE TABLE m1 (id int NOT NULL, v text, s int)`},
		"an identity of a table of partitions, or of one that is none": {
			`CREATE TABLE m (id int GENERATED ALWAYS AS IDENTITY, v text) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a')`,
			`CREATE TABLE m (id int NOT NULL, v text) PARTITION BY LIST (v); CREATE TABLE m1 (id int GENERATED ALWAYS AS IDENTITY, v text)`},
		"a partition under a view that is a table by itself": {
			`CREATE TABLE m (id bigint, v text) PARTITION BY LIST (v); CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); CREATE VIEW w AS SELECT id FROM m1; CREATE VIEW x AS SELECT id FROM m`,
			`CREATE TABLE m (id int, v text) PARTITION BY LIST (v); CREATE TABLE m1 (id int, v text); CREATE VIEW w AS SELECT id FROM m1; CREATE VIEW x AS SELECT id FROM m`},
		"an heir of a check that its table has": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (b int) INHERITS (p)`,
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (a int, b int)`},
		"an heir of a check that it has otherwise": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (b int) INHERITS (p)`,
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (a int CONSTRAINT ck CHECK (a > 1) CONSTRAINT more CHECK (a > 2), b int)`},
		"an heir of a check that it has by itself": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (b int) INHERITS (p)`,
			`CREATE TABLE p (a int); CREATE TABLE c (a int CONSTRAINT ck CHECK (a > 0), b int)`},
		"an heir of a check that differs": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (b int) INHERITS (p)`,
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 1)); CREATE TABLE c (a int, b int)`},
		"an heir of heirs and of their checks": {
			`CREATE TABLE g (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE p (x int CHECK (x > 1)) INHERITS (g); CREATE TABLE c (b int) INHERITS (p); CREATE TABLE d () INHERITS (c)`,
			`CREATE TABLE g (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE p (x int CHECK (x > 1)) INHERITS (g); CREATE TABLE c (a int, x int, b int); CREATE TABLE d () INHERITS (c)`},
		"an heir of one table more, with a check": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE q (a int CONSTRAINT cq CHECK (a > 2)); CREATE TABLE c (b int) INHERITS (p)`,
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE q (a int CONSTRAINT cq CHECK (a > 2)); CREATE TABLE c (b int) INHERITS (p, q)`},
		"an heir of other tables, whose checks differ": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE q (a int CONSTRAINT cq CHECK (a > 2)); CREATE TABLE c (b int CONSTRAINT w CHECK (b > 1)) INHERITS (p)`,
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 7)); CREATE TABLE q (a int); CREATE TABLE c (b int) INHERITS (q)`},
		"a check of an heir alone": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (b int, CONSTRAINT ck CHECK (a > 0)) INHERITS (p)`,
			`CREATE TABLE p (a int); CREATE TABLE c (b int, CONSTRAINT ck CHECK (a > 0)) INHERITS (p)`},
		"an heir of a table that goes, and of its check": {
			`CREATE TABLE p (a int CONSTRAINT ck CHECK (a > 0)); CREATE TABLE c (b int) INHERITS (p)`,
			`CREATE TABLE c (a int, b int)`},
		"the type of a column that is stored and counted in its own way": {
			`CREATE TABLE t (a text COLLATE "C", b int, c text); ALTER TABLE t ALTER a SET STATISTICS 77, ALTER a SET (n_distinct = 5), ALTER a SET STORAGE EXTERNAL, ALTER a SET COMPRESSION pglz; COMMENT ON COLUMN t.a IS 'x'`,
			`CREATE TABLE t (a varchar(5), b int, c text); ALTER TABLE t ALTER a SET STATISTICS 77, ALTER a SET (n_distinct = 5), ALTER a SET STORAGE EXTERNAL, ALTER a SET COMPRESSION pglz; COMMENT ON COLUMN t.a IS 'x'`},
		"a type that is stored in another way": {
			`CREATE TABLE t (a text, b int, c text); ALTER TABLE t ALTER a SET STATISTICS 77, ALTER a SET STORAGE MAIN, ALTER a SET COMPRESSION pglz`,
			`CREATE TABLE t (a jsonb, b int, c text); ALTER TABLE t ALTER a SET STATISTICS 77, ALTER a SET STORAGE MAIN, ALTER a SET COMPRESSION pglz`},
		"the type of a column under targets of statistics": {
			`CREATE TABLE t (a bigint, b int); CREATE INDEX i ON t ((a + b)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 500; CREATE STATISTICS s ON a, b FROM t; ALTER STATISTICS s SET STATISTICS 9; COMMENT ON STATISTICS s IS 'x'; COMMENT ON INDEX i IS 'y'`,
			`CREATE TABLE t (a int, b int); CREATE INDEX i ON t ((a + b)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 500; CREATE STATISTICS s ON a, b FROM t; ALTER STATISTICS s SET STATISTICS 9; COMMENT ON STATISTICS s IS 'x'; COMMENT ON INDEX i IS 'y'`},
		"the type of a column that heirs store in their own way": {
			`CREATE TABLE p (a text); CREATE TABLE c (b int) INHERITS (p); CREATE TABLE d () INHERITS (c); ALTER TABLE c ALTER a SET STORAGE EXTERNAL; ALTER TABLE d ALTER a SET STORAGE MAIN, ALTER a SET COMPRESSION pglz`,
			`CREATE TABLE p (a varchar(9)); CREATE TABLE c (b int) INHERITS (p); CREATE TABLE d () INHERITS (c); ALTER TABLE c ALTER a SET STORAGE EXTERNAL; ALTER TABLE d ALTER a SET STORAGE EXTERNAL`},
		"a computed column with comment and targets": {
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED, z int); ALTER TABLE t ALTER g SET STATISTICS 500, ALTER g SET (n_distinct = 5); COMMENT ON COLUMN t.g IS 'x'`,
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 3) STORED, z int); ALTER TABLE t ALTER g SET STATISTICS 500, ALTER g SET (n_distinct = 5); COMMENT ON COLUMN t.g IS 'x'`},
		"a computed column of partitions with comments of their own": {
			`CREATE TABLE m (a int, g int GENERATED ALWAYS AS (a * 2) STORED) PARTITION BY LIST (a); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER g SET STATISTICS 500; COMMENT ON COLUMN m1.g IS 'y'; COMMENT ON COLUMN m.g IS 'x'`,
			`CREATE TABLE m (a int, g int GENERATED ALWAYS AS (a * 3) STORED) PARTITION BY LIST (a); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER g SET STATISTICS 500; COMMENT ON COLUMN m1.g IS 'y'; COMMENT ON COLUMN m.g IS 'x'`},
		"a computed column of heirs with comments of their own": {
			`CREATE TABLE p (a int, g int GENERATED ALWAYS AS (a * 2) STORED); CREATE TABLE c (z int) INHERITS (p); ALTER TABLE c ALTER g SET STATISTICS 500; COMMENT ON COLUMN c.g IS 'y'`,
			`CREATE TABLE p (a int, g int GENERATED ALWAYS AS (a * 3) STORED); CREATE TABLE c (z int) INHERITS (p); ALTER TABLE c ALTER g SET STATISTICS 500; COMMENT ON COLUMN c.g IS 'y'`},
		"statistics over a computed column": {
			`CREATE TABLE t (a int, b int, g int GENERATED ALWAYS AS (a * 2) STORED); CREATE STATISTICS s ON g, b FROM t; ALTER STATISTICS s SET STATISTICS 9; COMMENT ON STATISTICS s IS 'x'`,
			`CREATE TABLE t (a int, b int, g int GENERATED ALWAYS AS (a * 3) STORED); CREATE STATISTICS s ON g, b FROM t; ALTER STATISTICS s SET STATISTICS 9; COMMENT ON STATISTICS s IS 'x'`},
		"statistics over expressions of a column of another type": {
			`CREATE TABLE t (a bigint, b int); CREATE STATISTICS s ON (a + b), b FROM t; ALTER STATISTICS s SET STATISTICS 9; CREATE STATISTICS u ON a, b FROM t; CREATE TABLE m (a bigint, b int) PARTITION BY LIST (b); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); CREATE STATISTICS m1s ON (a + b), b FROM m1; ALTER STATISTICS m1s SET STATISTICS 9; `,
			`CREATE TABLE t (a int, b int); CREATE STATISTICS s ON (a + b), b FROM t; ALTER STATISTICS s SET STATISTICS 9; CREATE STATISTICS u (mcv) ON a, b FROM t; CREATE TABLE m (a int, b int) PARTITION BY LIST (b); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); CREATE STATISTICS m1s ON (a + b), b FROM m1; ALTER STATISTICS m1s SET STATISTICS 9; `},
		"statistics over a function of other arguments": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (a int, b int); CREATE STATISTICS s ON f(a), b FROM t; ALTER STATISTICS s SET STATISTICS 9; COMMENT ON STATISTICS s IS 'x'`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (a int, b int); CREATE STATISTICS s ON f(a), b FROM t; ALTER STATISTICS s SET STATISTICS 9; COMMENT ON STATISTICS s IS 'x'`},
		"a function of other arguments in a computed column": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, g int GENERATED ALWAYS AS (f(a)) STORED); COMMENT ON COLUMN t.g IS 'x'; CREATE INDEX gi ON t (g); CREATE VIEW v AS SELECT g FROM t; GRANT SELECT (g) ON t TO PUBLIC`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, g int GENERATED ALWAYS AS (f(a)) STORED); COMMENT ON COLUMN t.g IS 'x'; CREATE INDEX gi ON t (g); CREATE VIEW v AS SELECT g FROM t; GRANT SELECT (g) ON t TO PUBLIC`},
		"a function of other arguments in a domain's check": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE DOMAIN d AS int CONSTRAINT ck CHECK (f(VALUE) > 0) CONSTRAINT more CHECK (VALUE < 10); CREATE TABLE t (a d, b int); COMMENT ON CONSTRAINT ck ON DOMAIN d IS 'x'`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE DOMAIN d AS int CONSTRAINT ck CHECK (f(VALUE) > 0) CONSTRAINT more CHECK (VALUE < 10); CREATE TABLE t (a d, b int); COMMENT ON CONSTRAINT ck ON DOMAIN d IS 'x'`},
		"a function of other arguments in a domain's default": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE DOMAIN d AS int DEFAULT f(1); CREATE TABLE t (a d, b int)`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE DOMAIN d AS int DEFAULT f(1); CREATE TABLE t (a d, b int)`},
		"a function of other arguments in domains in use": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE DOMAIN d AS int CHECK (f(VALUE) > 0); CREATE DOMAIN e AS d CHECK (f(VALUE) > 0); CREATE FUNCTION g(x d) RETURNS d LANGUAGE sql AS 'SELECT x'; CREATE TABLE t (a d, b e DEFAULT f(2)); CREATE VIEW v AS SELECT a, b FROM t`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE DOMAIN d AS int CHECK (f(VALUE) > 0); CREATE DOMAIN e AS d CHECK (f(VALUE) > 0); CREATE FUNCTION g(x d) RETURNS d LANGUAGE sql AS 'SELECT x'; CREATE TABLE t (a d, b e DEFAULT f(2)); CREATE VIEW v AS SELECT a, b FROM t`},
		"a function of other arguments in an exclusion's condition": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, b int, CONSTRAINT ex EXCLUDE USING btree (b WITH =) WHERE (f(a) > 0)); COMMENT ON CONSTRAINT ex ON t IS 'x'`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, b int, CONSTRAINT ex EXCLUDE USING btree (b WITH =) WHERE (f(a) > 0)); COMMENT ON CONSTRAINT ex ON t IS 'x'`},
		"a function of other arguments in a computed column of partitions": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, g int GENERATED ALWAYS AS (f(a)) STORED) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, g int GENERATED ALWAYS AS (f(a)) STORED) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)`},
		"a function of other arguments in a computed column of heirs": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, g int GENERATED ALWAYS AS (f(a)) STORED); CREATE TABLE t1 () INHERITS (t)`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int, g int GENERATED ALWAYS AS (f(a)) STORED); CREATE TABLE t1 () INHERITS (t)`},
		"a function of other arguments in what partitions have otherwise": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int CONSTRAINT ck CHECK (f(a) > 0), b int DEFAULT f(2)) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE INDEX ti ON t (f(a)); ALTER TABLE t1 ALTER b SET DEFAULT f(3)`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int CONSTRAINT ck CHECK (f(a) > 0), b int DEFAULT f(2)) PARTITION BY LIST (a); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE INDEX ti ON t (f(a)); ALTER TABLE t1 ALTER b SET DEFAULT f(3)`},
		"a function of other arguments in a view's default": {
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; ALTER VIEW v ALTER a SET DEFAULT f(1)`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; ALTER VIEW v ALTER a SET DEFAULT f(1)`},
		"a column that a publication has on one side": {
			`CREATE TABLE t (id int PRIMARY KEY, a int, b int); CREATE PUBLICATION p FOR TABLE t (id, b) WHERE (id > 1)`,
			`CREATE TABLE t (id int PRIMARY KEY, a int, c text); CREATE PUBLICATION p FOR TABLE t (id, c) WHERE (id > 1)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closesBothWays(t, sides)
		})
	}
}

// TestClosingOfNewNotNullOnPostgres: as above, for what PostgreSQL 18 brought.
func TestClosingOfNewNotNullOnPostgres(t *testing.T) {
	if v := scratchtest.Query(t, scratchtest.Database(t), "SHOW server_version_num"); v < "180000" {
		t.Skip("NOT RUN: needs PostgreSQL 18, the server is " + v)
	}
	for name, sides := range map[string][2]string{
		"columns that are kept or computed": {
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED, h int GENERATED ALWAYS AS (a * 2) VIRTUAL, i int GENERATED ALWAYS AS (a * 2) VIRTUAL, j int)`,
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) VIRTUAL, h int GENERATED ALWAYS AS (a * 3) VIRTUAL, i int, j int)`},
		"not inherited": {
			`CREATE TABLE t (a int NOT NULL NO INHERIT, b int CONSTRAINT named NOT NULL NO INHERIT, c int NOT NULL NO INHERIT)`,
			`CREATE TABLE t (a int NOT NULL, b int NOT NULL, c int)`},
		"not valid": {
			`CREATE TABLE t (a int, b int, c int); ALTER TABLE t ADD CONSTRAINT named NOT NULL a NOT VALID; ALTER TABLE t ADD NOT NULL b NOT VALID; ALTER TABLE t ADD NOT NULL c NOT VALID`,
			`CREATE TABLE t (a int NOT NULL, b int CONSTRAINT other NOT NULL, c int)`},
		"by names": {
			`CREATE TABLE t (a int CONSTRAINT x NOT NULL, b int CONSTRAINT y NOT NULL, c int CONSTRAINT "Z z" NOT NULL)`,
			`CREATE TABLE t (a int CONSTRAINT z NOT NULL, b int, c int NOT NULL)`},
		"of tables and columns that come": {
			`CREATE TABLE t (a int NOT NULL NO INHERIT, b int CONSTRAINT named NOT NULL); ALTER TABLE t ADD c int; ALTER TABLE t ADD CONSTRAINT later NOT NULL c NOT VALID; CREATE TABLE u (a int); ALTER TABLE u ADD b int CONSTRAINT ub NOT NULL; ALTER TABLE u ADD c int; ALTER TABLE u ADD NOT NULL c NOT VALID`,
			`CREATE TABLE u (a int)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closesBothWays(t, sides)
		})
	}
}

// TestNothingIsWrittenThatFailsOnPostgres: what no statement closes is told, with what
// keeps it from that, and the other statements run as they stand, both ways.
func TestNothingIsWrittenThatFailsOnPostgres(t *testing.T) {
	for name, c := range map[string]struct {
		sides [2]string
		says  string
	}{
		"a domain over an array of a type of another name, in use": {[2]string{
			`CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN dm AS mood[] DEFAULT '{a}'; CREATE TABLE t (m dm)`,
			`CREATE TYPE feel AS ENUM ('a', 'b'); CREATE DOMAIN dm AS feel[] DEFAULT '{a}'; CREATE TABLE t (m dm)`}, "column public.t.m"},
		"a domain's own type, in use": {[2]string{
			`CREATE DOMAIN d AS varchar(40); CREATE TABLE t (i int PRIMARY KEY, x d)`,
			`CREATE DOMAIN d AS varchar(20); CREATE TABLE t (i int PRIMARY KEY, x d)`}, "column public.t.x"},
		"an enum that becomes a domain, in use": {[2]string{
			`CREATE DOMAIN e AS text CHECK (VALUE IN ('a', 'b')); CREATE TABLE t (id int, e e DEFAULT 'a', f e)`,
			`CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (id int, e e DEFAULT 'a', f e)`}, "column public.t."},
		"an attribute's type, in use": {[2]string{
			`CREATE TYPE c AS (a bigint, b int); CREATE TABLE t (c c[]); CREATE FUNCTION f(c) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
			`CREATE TYPE c AS (a int, b int); CREATE TABLE t (c c[]); CREATE FUNCTION f(c) RETURNS int LANGUAGE sql AS 'SELECT 1'`}, "column public.t.c"},
		"the order of attributes, in use": {[2]string{
			`CREATE TYPE c AS (b int, a int); CREATE TABLE t (c c)`,
			`CREATE TYPE c AS (a int, b int); CREATE TABLE t (c c)`}, "column public.t.c"},
		"an operator of a class": {[2]string{
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2'; CREATE OPERATOR <<< (LEFTARG = int, RIGHTARG = int, FUNCTION = f, RESTRICT = scalarltsel); CREATE OPERATOR CLASS k FOR TYPE int USING btree AS OPERATOR 1 <<<, FUNCTION 1 btint4cmp(int, int)`,
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < $2'; CREATE OPERATOR <<< (LEFTARG = int, RIGHTARG = int, FUNCTION = f, MERGES); CREATE OPERATOR CLASS k FOR TYPE int USING btree AS OPERATOR 1 <<<, FUNCTION 1 btint4cmp(int, int)`}, "operator"},
		"an index of a class that comes": {[2]string{
			`CREATE OPERATOR CLASS k FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int); CREATE TABLE t (a int); CREATE INDEX i ON t (a k); CREATE TABLE n (a int, b int); CREATE INDEX ni ON n (a k); CREATE INDEX nj ON n (b)`,
			`CREATE TABLE t (a int)`}, "operator class public.k using btree"},
		"a class of a function that goes": {[2]string{
			`CREATE TABLE t (a int)`,
			`CREATE FUNCTION f(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE OPERATOR CLASS k FOR TYPE int USING btree AS OPERATOR 1 <, FUNCTION 1 f(int, int); CREATE TABLE t (a int)`}, "operator"},
		"an enum of another name that a table is parted by": {[2]string{
			`CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (a mood, b int) PARTITION BY LIST (a)`,
			`CREATE TYPE feel AS ENUM ('a', 'b'); CREATE TABLE t (a feel, b int) PARTITION BY LIST (a)`}, "its table is parted by it"},
		"a function of other arguments that a table is parted by": {[2]string{
			`CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int) PARTITION BY LIST (f(a))`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (a int) PARTITION BY LIST (f(a))`}, "table public.t is parted by it"},
		"a function of a language that comes": {[2]string{
			`CREATE LANGUAGE tongue HANDLER plpgsql_call_handler; CREATE FUNCTION f() RETURNS int LANGUAGE tongue AS 'BEGIN RETURN 1; END'; CREATE VIEW v AS SELECT f()`,
			`CREATE TABLE t (a int)`}, "language tongue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := scratchtest.Database(t), scratchtest.Database(t)
			scratchtest.SQL(t, a, c.sides[0])
			scratchtest.SQL(t, b, c.sides[1])
			one, other := catalogOf(t, a), catalogOf(t, b)
			told := false
			for _, to := range []struct {
				address string
				report  *parity.Report
			}{{b, compareAll(t, one, other)}, {a, compareAll(t, other, one)}} {
				script := to.report.Script()
				if err := scratch.Script(t.Context(), to.address, strings.NewReader(script)); err != nil {
					t.Errorf("%s\n%v", script, err)
				}
				for _, d := range to.report.Differences {
					told = told || strings.Contains(d.SQL, "-- ") && strings.Contains(d.SQL, c.says)
				}
			}
			if !told {
				t.Errorf("nothing tells of %s", c.says)
			}
		})
	}
}

// TestOrderOfColumnsOnPostgres: an order that the statements bring about is told apart
// from one that differed before and that none of them mends.
func TestOrderOfColumnsOnPostgres(t *testing.T) {
	for name, c := range map[string]struct{ source, target, remaining, reordered string }{
		"a column among others comes, and more differs": {`CREATE TABLE t (a int, x int, b int); COMMENT ON TABLE t IS 't'`, `CREATE TABLE t (a int, b int)`, "[]", "[public.t]"},
		"a computed column is made anew": {`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED, b int); COMMENT ON TABLE t IS 't'`,
			`CREATE TABLE t (a int, g int, b int)`, "[]", "[public.t]"},
		"another order":                     {`CREATE TABLE t (a int, x int, b int)`, `CREATE TABLE t (a int, b int, x int)`, "[public.t]", "[]"},
		"another order, and more differs":   {`CREATE TABLE t (a int, x int, b int); COMMENT ON TABLE t IS 't'`, `CREATE TABLE t (a int, b int, x int)`, "[public.t]", "[]"},
		"a renamed column at another place": {`CREATE TABLE t (id int, customer_name text, c int, d date)`, `CREATE TABLE t (id int, c int, d date, cust_name text)`, "[public.t]", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := scratchtest.Database(t), scratchtest.Database(t)
			scratchtest.SQL(t, a, c.source)
			scratchtest.SQL(t, b, c.target)
			one := catalogOf(t, a)
			before := compareAll(t, one, catalogOf(t, b))
			proof := parity.Proof{}
			for _, d := range before.Ordered() {
				scratchtest.SQL(t, b, d.SQL)
				proof.Applied = append(proof.Applied, d.ID)
			}
			proof.Settle(before, compareAll(t, one, catalogOf(t, b)))
			var remaining []string
			for _, d := range proof.Remaining {
				remaining = append(remaining, d.Object)
			}
			if got := fmt.Sprint(remaining, proof.Reordered); got != c.remaining+" "+c.reordered {
				t.Errorf("%s\nremaining and reordered: %s", before.Script(), got)
			}
		})
	}
}

// closesBothWays makes each of two databases as the other was.
func closesBothWays(t *testing.T, sides [2]string) {
	t.Helper()
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
}
