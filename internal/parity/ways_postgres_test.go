package parity_test

import (
	"testing"

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
		"an operator that comes with what uses it": {
			`CREATE FUNCTION f(int, int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2'; CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = f); CREATE VIEW v AS SELECT 1 === 2 AS x; CREATE TABLE t (a int CHECK (a === 1))`,
			`CREATE TABLE t (a int)`},
		"a table that becomes a view": {
			`CREATE TABLE b (id int); CREATE VIEW v AS SELECT id FROM b; COMMENT ON VIEW v IS 'v'`,
			`CREATE TABLE b (id int); CREATE TABLE v (id int)`},
		"a computed column among others": {
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED, b int)`,
			`CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 3) STORED, b int)`},
		"targets of statistics of an index that comes": {
			`CREATE TABLE t (a int, b int); CREATE INDEX i ON t ((a + b), (b - a)); ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 500`,
			`CREATE TABLE t (a int, b int)`},
		"comments of a partition": {
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1) WITH (fillfactor = 50); COMMENT ON TABLE m1 IS 'one'; COMMENT ON COLUMN m1.a IS 'a of one'; ALTER TABLE m1 ALTER a SET STATISTICS 7; ALTER TABLE m1 ALTER a SET (n_distinct = 5)`,
			`CREATE TABLE m (id int, a int) PARTITION BY LIST (id); CREATE TABLE m1 PARTITION OF m FOR VALUES IN (1); ALTER TABLE m1 ALTER id SET STATISTICS 9`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closesBothWays(t, sides)
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
