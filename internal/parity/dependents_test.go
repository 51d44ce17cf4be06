package parity_test

import (
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"understudy/internal/scratch"
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
		"a renamed column that needs a function, under a view": {
			`CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (id int PRIMARY KEY, customer_no int NOT NULL DEFAULT f(), c int, d date); CREATE INDEX i ON t (customer_no); CREATE VIEW v AS SELECT customer_no AS x FROM t`,
			`CREATE TABLE t (id int PRIMARY KEY, cust_no int DEFAULT 3, c int, d date); CREATE INDEX i ON t (cust_no); CREATE VIEW v AS SELECT cust_no AS x FROM t`},
		"a renamed column that a key keeps from NULL": {
			`CREATE TABLE t (id int PRIMARY KEY, customer_no int, c int, d date)`,
			`CREATE TABLE t (id int, cust_no int PRIMARY KEY, c int, d date)`},
		"a renamed column's collation under a view": {
			`CREATE TABLE t (id int PRIMARY KEY, customer_name text COLLATE "C", c int, d date); CREATE VIEW v AS SELECT customer_name AS x FROM t; CREATE TABLE n (id int)`,
			`CREATE TABLE t (id int PRIMARY KEY, cust_name text, c int, d date); CREATE VIEW v AS SELECT cust_name AS x FROM t`},
		"a renamed column's identity": {
			`CREATE TABLE t (id int PRIMARY KEY, customer_no int GENERATED ALWAYS AS IDENTITY, c int, d date)`,
			`CREATE TABLE t (id int PRIMARY KEY, cust_no int DEFAULT 4, c int, d date)`},
		"an identity, which keeps its column from NULL": {
			`CREATE TABLE t (id int DEFAULT 4, n int)`,
			`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, n int)`},
		"a renamed column that heirs have": {
			`CREATE TABLE t (id int, customer_no int NOT NULL, c int, d date); CREATE TABLE h (x int) INHERITS (t)`,
			`CREATE TABLE t (id int, cust_no int, c int, d date); CREATE TABLE h (x int) INHERITS (t)`},
		"a renamed column that is like the other's in an heir alone": {
			`CREATE TABLE animal (id int, name text NOT NULL); CREATE TABLE dog (breed text) INHERITS (animal); CREATE TABLE pup () INHERITS (dog)`,
			`CREATE TABLE animal (id int, called text NOT NULL); CREATE TABLE dog (breed text) INHERITS (animal); CREATE TABLE pup () INHERITS (dog)`},
		"a renamed column of a renamed table": {
			`CREATE TABLE customer (id int, customer_name text NOT NULL, c int, d date)`,
			`CREATE TABLE customers (id int, cust_name text DEFAULT 'x', c int, d date)`},
		"a renamed column called as its table": {
			`CREATE TABLE customer (id int, customer text NOT NULL DEFAULT 'customers', c int, d date)`,
			`CREATE TABLE customer (id int, customers text COLLATE "C" DEFAULT 'customers', c int, d date)`},
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
		"columns whose names break lines": {
			"CREATE TABLE t (id int PRIMARY KEY, \"a\nb\" text, \"q\"\"\nr\" int, c text); CREATE TABLE u (id int, \"x\ny\" int, z int)",
			"CREATE TABLE u (id int)"},
		"attributes of a type that is in use": {
			`CREATE TYPE c AS (b bigint, a int, d text COLLATE "C"); CREATE FUNCTION f(c) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE e AS (x int); CREATE TABLE t (e e)`,
			`CREATE TYPE c AS (b int, a int); CREATE FUNCTION f(c) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE e AS (x int, y text); CREATE TABLE t (e e)`},
		"an argument's name": {
			`CREATE FUNCTION f(new int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE TABLE t (id int, x int DEFAULT f(1), CHECK (f(id) > 0)); CREATE VIEW v AS SELECT f(id) FROM t; COMMENT ON FUNCTION f IS 'f'`,
			`CREATE FUNCTION f(old int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE TABLE t (id int, x int DEFAULT f(1), CHECK (f(id) > 0)); CREATE VIEW v AS SELECT f(id) FROM t; COMMENT ON FUNCTION f IS 'f'`},
		"a primary key, and what it keeps from NULL": {
			`CREATE TABLE p (id int, a int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p)`,
			`CREATE TABLE p (id int PRIMARY KEY, a int); CREATE TABLE c (p int REFERENCES p)`},
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
		"what differs beneath a table that was renamed": {
			roles + `CREATE TABLE couriers (id int PRIMARY KEY, name text NOT NULL DEFAULT 'z', phone text, d4 text CHECK (d4 <> ''), d5 text, d6 text); ALTER TABLE couriers ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON couriers USING (id > 0);
				GRANT SELECT ON couriers TO order_reader; COMMENT ON TABLE couriers IS 'who brings'; CREATE INDEX by_name ON couriers (name); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g BEFORE INSERT ON couriers FOR EACH ROW EXECUTE FUNCTION f(); CREATE TABLE r (c int REFERENCES couriers); CREATE VIEW v AS SELECT id, name FROM couriers`,
			roles + `CREATE TABLE carriers (id int PRIMARY KEY, name varchar(20), phone text, d4 text, d5 text, d6 text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE r (c int REFERENCES carriers ON DELETE CASCADE); CREATE VIEW v AS SELECT id FROM carriers WHERE id > 0`},
		"a function and a view of a column that was renamed": {
			`CREATE TABLE t (id int PRIMARY KEY, full_name text NOT NULL, mail text); CREATE VIEW v AS SELECT id, full_name FROM t; CREATE INDEX i ON t (full_name); CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT max(full_name) FROM t'`,
			`CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, mail text); CREATE VIEW v AS SELECT id, name FROM t; CREATE INDEX i ON t (name); CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT max(name) FROM t'`},
		"a default of another type, and under an index": {
			`CREATE TYPE e AS ENUM ('new', 'paid'); CREATE TYPE n AS ENUM ('x'); CREATE TABLE t (id int PRIMARY KEY, s e NOT NULL DEFAULT 'new', x n, code varchar(10)); CREATE INDEX i ON t (code) WHERE code <> 'x'`,
			`CREATE TYPE e AS ENUM ('new', 'paid'); CREATE TYPE o AS ENUM ('x'); CREATE TABLE t (id int PRIMARY KEY, s text NOT NULL DEFAULT 'new', x o, code int); CREATE INDEX i ON t (code) WHERE code <> 5`},
		"a column under a generated one": {
			roles + `CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (id int, price numeric(10,2), gross numeric GENERATED ALWAYS AS (price * 1.19) STORED); CREATE INDEX i ON t (gross); CREATE VIEW v AS SELECT gross FROM t; CREATE TABLE u (a int, g int GENERATED ALWAYS AS (f(a)) STORED); CREATE INDEX ui ON u (g); GRANT SELECT (gross) ON t TO order_reader; GRANT SELECT (g) ON u TO order_reader`,
			roles + `CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (id int, price numeric(12,4), gross numeric GENERATED ALWAYS AS (price * 1.07) STORED); CREATE INDEX i ON t (gross); CREATE VIEW v AS SELECT gross FROM t; CREATE TABLE u (a int, g int GENERATED ALWAYS AS (a) STORED); CREATE INDEX ui ON u (g); GRANT SELECT (gross) ON t TO order_reader; GRANT SELECT (g) ON u TO order_reader`},
		"what counts": {
			`CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY); CREATE TABLE u (id serial PRIMARY KEY, n text)`,
			`CREATE TABLE t (id serial PRIMARY KEY)`},
		"a function that defaults, checks, columns and indexes need": {
			`CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT a::bigint'; CREATE TABLE t (id int, c bigint DEFAULT f(1), CHECK (f(id) > 0), g bigint GENERATED ALWAYS AS (f(id)) STORED); CREATE INDEX i ON t (f(id)); CREATE VIEW v AS SELECT f(id) AS x FROM t`,
			`CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a'; CREATE TABLE t (id int, c bigint DEFAULT f(1), CHECK (f(id) > 0), g bigint GENERATED ALWAYS AS (f(id)) STORED); CREATE INDEX i ON t (f(id)); CREATE VIEW v AS SELECT f(id) AS x FROM t`},
		"a schema that a function needs": {
			`CREATE SCHEMA audit; CREATE FUNCTION audit.track() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TABLE t (id int); CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION audit.track()`,
			`CREATE FUNCTION track() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TABLE t (id int); CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION track()`},
		"owners, of what is made anew as well, and privileges by default": {
			roles + `CREATE SCHEMA s; GRANT ALL ON SCHEMA public, s TO order_reader; CREATE TABLE t (id int, a bigint); CREATE VIEW v AS SELECT a FROM t; COMMENT ON COLUMN v.a IS 'a'; ALTER VIEW v OWNER TO order_reader; ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO order_reader; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; CREATE FUNCTION h(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION h(int) TO PUBLIC; ALTER FUNCTION h(int) OWNER TO order_reader`,
			roles + `CREATE SCHEMA s; GRANT ALL ON SCHEMA public, s TO order_reader; CREATE TABLE t (id int, a int); CREATE VIEW v AS SELECT a FROM t; COMMENT ON COLUMN v.a IS 'a'; ALTER VIEW v OWNER TO order_reader; CREATE FUNCTION h(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE t OWNER TO order_reader`},
		"partitions whose bounds change among themselves": {
			`CREATE TABLE e (id int, k text, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE ea PARTITION OF e FOR VALUES IN ('a', 'b'); CREATE TABLE eb PARTITION OF e FOR VALUES IN ('c'); CREATE TABLE r (id int, k text, FOREIGN KEY (id, k) REFERENCES e)`,
			`CREATE TABLE e (id int, k text, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE ea PARTITION OF e FOR VALUES IN ('a'); CREATE TABLE eb PARTITION OF e FOR VALUES IN ('c', 'b'); CREATE TABLE ec PARTITION OF e FOR VALUES IN ('d')`},
		"a table that was renamed, whose old name a schema, a function and texts bear": {
			`CREATE SCHEMA inventory; CREATE TABLE inventory.stock (id int PRIMARY KEY, name text DEFAULT 'from inventory', x int, y int, z int); CREATE TABLE inventory.orders (id int, s int REFERENCES inventory.stock); CREATE FUNCTION inventory.inventory() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON TABLE inventory.stock IS 'once inventory.inventory'; CREATE VIEW v AS SELECT inventory.inventory() AS i`,
			`CREATE SCHEMA inventory; CREATE TABLE inventory.inventory (id int PRIMARY KEY, name text DEFAULT 'from inventory', x int, y int); CREATE TABLE inventory.orders (id int, s int REFERENCES inventory.inventory); CREATE FUNCTION inventory.inventory() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON TABLE inventory.inventory IS 'once inventory.inventory'; CREATE VIEW v AS SELECT inventory.inventory() AS i`},
		"a table that was renamed, whose old name a view bears": {
			`CREATE TABLE customers (id int PRIMARY KEY, name text, x int, y int); CREATE TABLE o (c int REFERENCES customers)`,
			`CREATE TABLE clients (id int PRIMARY KEY, name text, x int, y int); CREATE TABLE o (c int REFERENCES clients); CREATE VIEW customers AS SELECT * FROM clients`},
		"a collation, and an extension, that a column has": {
			`CREATE EXTENSION hstore; CREATE COLLATION c (provider = icu, locale = 'de-u-co-phonebk'); CREATE TABLE t (id int, h hstore, x text COLLATE c)`,
			`CREATE TABLE t (id int, h text, x text)`},
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

var comments = regexp.MustCompile(`(?m)^--.*\n`)

var noCollation = regexp.MustCompile(`collation: (none|\S+ is none)`)

// TestStatementsStandInOrderOnMySQL: as on PostgreSQL, with what these need.
func TestStatementsStandInOrderOnMySQL(t *testing.T) {
	for product, start := range map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL} {
		t.Run(product, func(t *testing.T) {
			server := start(t)
			for name, sides := range map[string][2]string{
				"tables that refer to one another": {
					`CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int, CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id), c int); CREATE TABLE c (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a (id)); ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id); ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c (id)`,
					`CREATE TABLE z (id int)`},
				"a table under others' keys": {
					`CREATE TABLE z (id int PRIMARY KEY)`,
					`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE z (id int PRIMARY KEY, x int, CONSTRAINT za FOREIGN KEY (x) REFERENCES a (id)); CREATE TABLE zz (x int, FOREIGN KEY (x) REFERENCES a (id))`},
				"types of columns of a foreign key": {
					`CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (a bigint, c int, CONSTRAINT ba FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE, FOREIGN KEY (c) REFERENCES d (id)); CREATE TABLE y (a bigint, FOREIGN KEY (a) REFERENCES a (id))`,
					`CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int, c int, CONSTRAINT ba FOREIGN KEY (a) REFERENCES a (id), FOREIGN KEY (c) REFERENCES d (id)); CREATE TABLE y (a int, FOREIGN KEY (a) REFERENCES a (id))`},
				"keys under foreign keys": {
					`CREATE TABLE a (id int, n int, UNIQUE u (id), UNIQUE k (id, n)); CREATE TABLE b (a int, a2 int, KEY kx (a), CONSTRAINT ba FOREIGN KEY (a) REFERENCES a (id)); CREATE TABLE c (a int, n int, KEY other (a, n), CONSTRAINT ca FOREIGN KEY (a) REFERENCES a (id))`,
					`CREATE TABLE a (id int, n int, UNIQUE u (id), UNIQUE k (n)); CREATE TABLE b (a int, a2 int, KEY kx (a, a2), CONSTRAINT ba FOREIGN KEY (a) REFERENCES a (id)); CREATE TABLE c (a int, n int, KEY one (a), CONSTRAINT ca FOREIGN KEY (a) REFERENCES a (id))`},
				"a primary key that is wider": {
					`CREATE TABLE a (id int AUTO_INCREMENT, n int NOT NULL, PRIMARY KEY (id, n)); CREATE TABLE b (id int, n int NOT NULL, PRIMARY KEY (id), UNIQUE (id)); CREATE TABLE c (b int, FOREIGN KEY (b) REFERENCES b (id))`,
					`CREATE TABLE a (id int AUTO_INCREMENT, n int NOT NULL, PRIMARY KEY (id)); CREATE TABLE b (id int, n int NOT NULL, PRIMARY KEY (id, n), UNIQUE (id)); CREATE TABLE c (b int, FOREIGN KEY (b) REFERENCES b (id))`},
				"a column that counts, by another key": {
					`CREATE TABLE a (id int NOT NULL AUTO_INCREMENT, n int NOT NULL, PRIMARY KEY (id))`,
					`CREATE TABLE a (id int NOT NULL AUTO_INCREMENT, n int NOT NULL, PRIMARY KEY (n), KEY counts (id))`},
				"a column that counts on one side": {
					`CREATE TABLE a (id int NOT NULL AUTO_INCREMENT, n int NOT NULL, PRIMARY KEY (id))`,
					`CREATE TABLE a (id int NOT NULL, n int NOT NULL)`},
				"checks that belong to a column": {
					`CREATE TABLE t (id int PRIMARY KEY, j json, a int CHECK (a > 0))`,
					`CREATE TABLE t (id int PRIMARY KEY, j longtext, a int CHECK (a >= 0), k json)`},
				"a view of a table that was renamed": {
					`CREATE TABLE couriers (id int PRIMARY KEY, name varchar(20), phone varchar(20), x int); CREATE VIEW v AS SELECT id, name FROM couriers`,
					`CREATE TABLE carriers (id int PRIMARY KEY, name varchar(20), phone varchar(30), x int); CREATE VIEW v AS SELECT id, name FROM carriers`},
				"views over views": {
					`CREATE TABLE t (id int, n int); CREATE VIEW z AS SELECT n, id FROM t; CREATE VIEW m AS SELECT id, n FROM z; CREATE VIEW a AS SELECT n FROM m`,
					`CREATE TABLE t (id int); CREATE VIEW z AS SELECT id FROM t`},
				"columns that keys keep from NULL or want with it": {
					`CREATE TABLE p (id int, a int, PRIMARY KEY (a)); CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (a))`,
					`CREATE TABLE p (id int, a int, PRIMARY KEY (id)); CREATE TABLE c (id int PRIMARY KEY, p int, KEY k (p), CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL)`},
				"columns under expressions": {
					`CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (b + 1) STORED, b int, v int GENERATED ALWAYS AS (b) VIRTUAL, w int, e int, CONSTRAINT k CHECK (b > 0))`,
					`CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + b) STORED, b int, v int, w int GENERATED ALWAYS AS (a) VIRTUAL, CONSTRAINT k CHECK (a > 0 AND b > 0))`},
				"a renamed column in which more differs": {
					`CREATE TABLE t (id int PRIMARY KEY, customer_name varchar(20) NOT NULL DEFAULT 'x', c int, d date, KEY k (customer_name)); CREATE VIEW v AS SELECT customer_name AS x FROM t`,
					`CREATE TABLE t (id int PRIMARY KEY, cust_name varchar(20) DEFAULT 'x' COMMENT 'y', c int, d date, KEY k (cust_name)); CREATE VIEW v AS SELECT cust_name AS x FROM t`},
				"a renamed column at another place": {
					`CREATE TABLE t (id int PRIMARY KEY, customer_name varchar(20), c int, d date)`,
					`CREATE TABLE t (id int PRIMARY KEY, c int, d date, cust_name varchar(20))`},
				"a renamed column that counts": {
					`CREATE TABLE t (customer_no int NOT NULL AUTO_INCREMENT, c int NOT NULL, d date, PRIMARY KEY (customer_no), KEY k (c))`,
					`CREATE TABLE t (cust_no int NOT NULL, c int NOT NULL AUTO_INCREMENT, d date, PRIMARY KEY (cust_no), KEY k (c))`},
				"a renamed column that is computed": {
					`CREATE TABLE t (id int PRIMARY KEY, customer_no int AS (id + 1) VIRTUAL, c int, d date)`,
					`CREATE TABLE t (id int PRIMARY KEY, cust_no int AS (id + 2) VIRTUAL, c int, d date)`},
				"columns between others": {
					`CREATE TABLE t (z int, id int PRIMARY KEY, y int, a int, g int GENERATED ALWAYS AS (y) VIRTUAL, last int)`,
					`CREATE TABLE t (id int PRIMARY KEY, n int, m int, last int)`},
				"columns that are computed from later ones": {
					`CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (h + 1) VIRTUAL, h int, i int GENERATED ALWAYS AS (j) STORED, j int, k int GENERATED ALWAYS AS (id) VIRTUAL)`,
					`CREATE TABLE t (id int PRIMARY KEY, k int DEFAULT 3)`},
				"which column counts": {
					`CREATE TABLE t (id int NOT NULL AUTO_INCREMENT, a int, PRIMARY KEY (id)); CREATE TABLE u (id int NOT NULL, a int, PRIMARY KEY (id))`,
					`CREATE TABLE t (id int NOT NULL, a int AUTO_INCREMENT, PRIMARY KEY (id), KEY (a)); CREATE TABLE u (id int NOT NULL AUTO_INCREMENT, a int, PRIMARY KEY (a), KEY (id))`},
				"triggers of one moment": {
					`CREATE TABLE t (a int); CREATE TABLE l (m int); CREATE TRIGGER a1 BEFORE INSERT ON t FOR EACH ROW INSERT INTO l VALUES (1); CREATE TRIGGER a2 BEFORE INSERT ON t FOR EACH ROW INSERT INTO l VALUES (2)`,
					`CREATE TABLE t (a int); CREATE TABLE l (m int); CREATE TRIGGER a1 BEFORE INSERT ON t FOR EACH ROW INSERT INTO l VALUES (3); CREATE TRIGGER a2 BEFORE INSERT ON t FOR EACH ROW INSERT INTO l VALUES (2)`},
				"triggers of which some stay": {
					`CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET @a = 1; CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW SET @a = 2; CREATE TRIGGER c BEFORE INSERT ON t FOR EACH ROW SET @a = 3; CREATE TRIGGER d BEFORE INSERT ON t FOR EACH ROW SET @a = 4; CREATE TRIGGER ` + "`a x`" + ` AFTER INSERT ON t FOR EACH ROW SET @a = 5; CREATE TRIGGER b6 AFTER INSERT ON t FOR EACH ROW SET @a = 6; CREATE TRIGGER ua BEFORE INSERT ON u FOR EACH ROW SET @a = 7; CREATE TRIGGER ub BEFORE INSERT ON u FOR EACH ROW SET @a = 8`,
					`CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET @a = 1; CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW SET @a = 2; CREATE TRIGGER d BEFORE INSERT ON t FOR EACH ROW SET @a = 4; CREATE TRIGGER c BEFORE INSERT ON t FOR EACH ROW SET @a = 3; CREATE TRIGGER ` + "`a x`" + ` AFTER INSERT ON t FOR EACH ROW SET @a = 9; CREATE TRIGGER b6 AFTER INSERT ON t FOR EACH ROW SET @a = 6; CREATE TRIGGER ub BEFORE INSERT ON u FOR EACH ROW SET @a = 8`},
				"triggers of one moment, and others between them": {
					`CREATE TABLE t (a int); CREATE TRIGGER a1 BEFORE INSERT ON t FOR EACH ROW SET @a = 1; CREATE TRIGGER a2 BEFORE INSERT ON t FOR EACH ROW SET @a = 2; CREATE TRIGGER a3 BEFORE INSERT ON t FOR EACH ROW SET @a = 3; CREATE TRIGGER u1 BEFORE UPDATE ON t FOR EACH ROW SET @a = 4`,
					`CREATE TABLE t (a int); CREATE TRIGGER a3 BEFORE INSERT ON t FOR EACH ROW SET @a = 3; CREATE TRIGGER a0 BEFORE INSERT ON t FOR EACH ROW SET @a = 0; CREATE TRIGGER a2 BEFORE INSERT ON t FOR EACH ROW SET @a = 2; CREATE TRIGGER u1 BEFORE UPDATE ON t FOR EACH ROW SET @a = 4`},
				"a trigger of a table that was renamed": {
					`CREATE TABLE customers (id int PRIMARY KEY, name varchar(20), age int, x int); CREATE TRIGGER tr BEFORE INSERT ON customers FOR EACH ROW SET NEW.age = 1`,
					`CREATE TABLE clients (id int PRIMARY KEY, name varchar(20), age int, x int); CREATE TRIGGER tr BEFORE INSERT ON clients FOR EACH ROW SET NEW.age = 1`},
				"character sets of a table and of its columns": {
					`CREATE TABLE t (id int PRIMARY KEY, d varchar(20) CHARACTER SET latin1) CHARACTER SET utf8mb4`,
					`CREATE TABLE t (id int PRIMARY KEY, d varchar(20)) CHARACTER SET latin1`},
				"options of a table": {
					`CREATE TABLE t (id int PRIMARY KEY, v text) COMMENT 'x'; CREATE TABLE u (id int PRIMARY KEY) ROW_FORMAT=COMPRESSED`,
					`CREATE TABLE t (id int PRIMARY KEY, v text) ENGINE=MyISAM CHARACTER SET latin1; CREATE TABLE u (id int PRIMARY KEY) ENGINE=MyISAM`},
				"columns by which rows are parted": {
					`CREATE TABLE t (id int, k int NOT NULL, r int NOT NULL) PARTITION BY HASH (k) PARTITIONS 4; CREATE TABLE u (id int, k int NOT NULL); CREATE TABLE a (id int, a int NOT NULL, r int) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN MAXVALUE); CREATE TABLE b (id int, a int); CREATE TABLE v (id int PRIMARY KEY, a int) PARTITION BY KEY(id) PARTITIONS 3; CREATE TABLE w (id int, a int NOT NULL, c int, PRIMARY KEY (id,a), UNIQUE k (a)) PARTITION BY HASH(a) PARTITIONS 2; CREATE TABLE x (id int AUTO_INCREMENT, a int NOT NULL, PRIMARY KEY(id,a)) PARTITION BY RANGE COLUMNS (a) (PARTITION p0 VALUES LESS THAN (5)); CREATE TABLE y (id int, a int NOT NULL, UNIQUE k (a)) PARTITION BY HASH(a)`,
					`CREATE TABLE t (id int, r int NOT NULL); CREATE TABLE u (id int, k int NOT NULL) PARTITION BY HASH(k) PARTITIONS 2; CREATE TABLE a (id int, b int NOT NULL, r int) PARTITION BY RANGE (b) (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN MAXVALUE); CREATE TABLE b (id int, a int, b int) PARTITION BY LIST (b) (PARTITION p1 VALUES IN (0,1,2)); CREATE TABLE v (id int, z int NOT NULL, a int, PRIMARY KEY(id,z)) PARTITION BY KEY(z) PARTITIONS 3; CREATE TABLE w (id int, b int NOT NULL, c int, PRIMARY KEY (id,b), UNIQUE k (b,id)) PARTITION BY HASH(b) PARTITIONS 2; CREATE TABLE x (id int AUTO_INCREMENT, b varchar(9) NOT NULL, PRIMARY KEY(id,b)) PARTITION BY RANGE COLUMNS (b) (PARTITION p0 VALUES LESS THAN ('x')); CREATE TABLE y (id int, a int NOT NULL, UNIQUE k (id)) PARTITION BY HASH(id)`},
				"columns that move behind new ones": {
					`CREATE TABLE t (b int, x int, id int PRIMARY KEY); CREATE TABLE u (b bigint, x varchar(9), id int NOT NULL AUTO_INCREMENT PRIMARY KEY, y varchar(9), v int AS (b) VIRTUAL) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; CREATE TABLE c (x int, d int, FOREIGN KEY (d) REFERENCES d (id))`,
					`CREATE TABLE t (id int PRIMARY KEY, b int); CREATE TABLE u (y varchar(9), id int NOT NULL, b int, z int) CHARACTER SET latin1; CREATE TABLE c (d int NOT NULL, a int, x bigint, FOREIGN KEY (d) REFERENCES d (id))`},
				"a column that counts, which one side lacks": {
					`CREATE TABLE t (a int, id bigint unsigned AUTO_INCREMENT, PRIMARY KEY (id)); CREATE TABLE u (a int, id int AUTO_INCREMENT, UNIQUE u (id)); CREATE TABLE v (a int, id int AUTO_INCREMENT, b int, PRIMARY KEY (id), KEY b (b))`,
					`CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE TABLE v (a int PRIMARY KEY)`},
				"a column that ceases to count, and its key": {
					`CREATE TABLE v (a int, b int); CREATE TABLE w (x int PRIMARY KEY, id int)`,
					`CREATE TABLE v (a int PRIMARY KEY AUTO_INCREMENT, b int); CREATE TABLE w (x int, id int AUTO_INCREMENT PRIMARY KEY)`},
				"an index that the server made for a foreign key": {
					`CREATE TABLE t (a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES d (id), KEY kk (a, b)); CREATE TABLE u (a int, b int, FOREIGN KEY (a) REFERENCES d (id), UNIQUE (a, b))`,
					`CREATE TABLE t (a int, b int, CONSTRAINT f FOREIGN KEY (a) REFERENCES d (id)); CREATE TABLE u (a int, b int, FOREIGN KEY (a) REFERENCES d (id))`},
				"a key of a column that ceases to count, under a foreign key": {
					`CREATE TABLE t (id int, u char(36) NOT NULL PRIMARY KEY, UNIQUE (id)); CREATE TABLE c (r int, FOREIGN KEY (r) REFERENCES t (id))`,
					`CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, u char(36)); CREATE TABLE c (r int, FOREIGN KEY (r) REFERENCES t (id))`},
				"columns between which rows hold": {
					"CREATE TABLE t (id int, f date NOT NULL, t date NOT NULL /*M! , PERIOD FOR pp (f, t) */); CREATE TABLE u (id int, f date NOT NULL, t date NOT NULL /*M! , PERIOD FOR pp (f, t), UNIQUE k (id, pp WITHOUT OVERLAPS) */); CREATE TABLE v (id int, f date NOT NULL, t date NOT NULL, g date NOT NULL /*M! , PERIOD FOR p1 (f, g) */); CREATE TABLE w (id int, s date NOT NULL, e date NOT NULL /*M! , PERIOD FOR pp (s, e) */)",
					"CREATE TABLE t (id int, f date NOT NULL, t date NOT NULL); CREATE TABLE u (id int, z int); CREATE TABLE v (id int, f date NOT NULL, t date NOT NULL, g date /*M! , PERIOD FOR p2 (f, t) */); CREATE TABLE w (id int, s datetime NOT NULL, e datetime NOT NULL /*M! , PERIOD FOR pp (s, e) */)"},
				"a key that takes another's name under a foreign key": {
					`CREATE TABLE t (id int AUTO_INCREMENT, x int NOT NULL, y int, PRIMARY KEY (x, id), KEY (id)); CREATE TABLE u (a int, b int, KEY n (a), CONSTRAINT f FOREIGN KEY (a) REFERENCES d (id))`,
					`CREATE TABLE t (y int PRIMARY KEY, x int); CREATE TABLE u (a int, b int, UNIQUE n (a, b), CONSTRAINT f FOREIGN KEY (a) REFERENCES d (id))`},
				"a column that counts among computed ones": {
					`CREATE TABLE t (id int AUTO_INCREMENT, k int, PRIMARY KEY (id), CHECK (k > 0), g int AS (k + 1) VIRTUAL) CHARACTER SET latin1`,
					`CREATE TABLE t (k int, other int AUTO_INCREMENT PRIMARY KEY, s varchar(9)) CHARACTER SET utf8mb4`},
				"triggers of a new table, and of new columns": {
					`CREATE TABLE t (n int, a int, b varchar(9)); CREATE TRIGGER z BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 1; CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 2; CREATE TRIGGER m BEFORE INSERT ON t FOR EACH ROW SET NEW.b = 'x;y'; CREATE TABLE fresh (a int); CREATE TRIGGER fz BEFORE INSERT ON fresh FOR EACH ROW SET @a = 1; CREATE TRIGGER fa BEFORE INSERT ON fresh FOR EACH ROW SET @a = 2`,
					`CREATE TABLE t (a int, b varchar(9), c int); CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET NEW.c = 2; CREATE TRIGGER m BEFORE UPDATE ON t FOR EACH ROW SET NEW.b = 'x'`},
				"the order in a table that was renamed": {
					`CREATE TABLE customers (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20), age int, x int, y int); CREATE TRIGGER tr BEFORE INSERT ON customers FOR EACH ROW SET NEW.age = 1; CREATE TRIGGER ta BEFORE INSERT ON customers FOR EACH ROW SET NEW.age = 2`,
					`CREATE TABLE clients (id int, name varchar(20), age int, y int, x int); CREATE TRIGGER tr BEFORE INSERT ON clients FOR EACH ROW SET NEW.age = 3; CREATE TRIGGER ta BEFORE INSERT ON clients FOR EACH ROW SET NEW.age = 2`},
				"keys that change places under foreign keys": {
					`CREATE TABLE p (id bigint AUTO_INCREMENT, k int, PRIMARY KEY (id), UNIQUE k (k)); CREATE TABLE c (p bigint, k int, CONSTRAINT a FOREIGN KEY (p) REFERENCES p (id), CONSTRAINT b FOREIGN KEY (k) REFERENCES p (k))`,
					`CREATE TABLE p (id int AUTO_INCREMENT, k int NOT NULL, PRIMARY KEY (k), UNIQUE (id)); CREATE TABLE c (p int, k int, CONSTRAINT a FOREIGN KEY (p) REFERENCES p (id), CONSTRAINT b FOREIGN KEY (k) REFERENCES p (k))`},
				"a storage engine without foreign keys": {
					`CREATE TABLE c (a int, x text, FOREIGN KEY (a) REFERENCES d (id)) COLLATE utf8mb4_bin`,
					`CREATE TABLE c (x text, a int, KEY a (a)) ENGINE=MyISAM CHARACTER SET latin1 ROW_FORMAT=FIXED`},
				"labels in the place of what counts": {
					`CREATE TABLE t (id enum('1','2'), b int AUTO_INCREMENT PRIMARY KEY)`,
					`CREATE TABLE t (b int, id int AUTO_INCREMENT PRIMARY KEY)`},
				"a view that does not work on one side": {
					`CREATE TABLE t (id int PRIMARY KEY, a int, z int); CREATE VIEW v AS SELECT id, z FROM t WHERE z > 1; CREATE VIEW w AS SELECT d.id, t.z FROM d JOIN t ON t.id = d.id; ALTER TABLE t DROP z`,
					`CREATE TABLE t (id int PRIMARY KEY, a int, z int); CREATE VIEW v AS SELECT id, z FROM t WHERE z > 1; CREATE VIEW w AS SELECT d.id, t.z FROM d JOIN t ON t.id = d.id`},
				"columns whose history is kept by itself": {
					`CREATE TABLE t (id int PRIMARY KEY, x int, y bigint) /*M! WITH SYSTEM VERSIONING */; CREATE TABLE u (id int PRIMARY KEY, x int /*M! WITH SYSTEM VERSIONING */, y int); CREATE TABLE v (id int PRIMARY KEY, x int, y int); CREATE TABLE w (id int PRIMARY KEY, x int /*M! WITHOUT SYSTEM VERSIONING */, y int, v int AS (x + 1)) /*M! WITH SYSTEM VERSIONING */`,
					`CREATE TABLE t (id int PRIMARY KEY, x int /*M! WITHOUT SYSTEM VERSIONING */, y int) /*M! WITH SYSTEM VERSIONING */; CREATE TABLE u (id int PRIMARY KEY, x int, y int); CREATE TABLE v (id int PRIMARY KEY, x int, y int /*M! WITH SYSTEM VERSIONING */); CREATE TABLE w (id int PRIMARY KEY, y int, v int AS (y + 1)) /*M! WITH SYSTEM VERSIONING */`},
				"tables that keep their history": {
					`CREATE TABLE t (id int PRIMARY KEY, x int, y int) /*M! WITH SYSTEM VERSIONING */; CREATE TABLE u (id int PRIMARY KEY, x bigint)`,
					`CREATE TABLE t (id int PRIMARY KEY, x bigint) /*M! WITH SYSTEM VERSIONING */; CREATE TABLE u (id int PRIMARY KEY, x int, z int) /*M! WITH SYSTEM VERSIONING */`},
			} {
				t.Run(name, func(t *testing.T) {
					var at [2]string
					admin := mysqlClient(t, server.URL(""))
					for i := range at {
						at[i] = "test_" + strings.ToLower(rand.Text()[:12])
						runs(t, admin, "CREATE DATABASE "+at[i]+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
						db := mysqlClient(t, server.URL(at[i]))
						runs(t, db, "CREATE TABLE d (id int PRIMARY KEY)")
						runs(t, db, strings.Split(sides[i], "; ")...)
					}
					both := [2]string{server.URL(at[0]), server.URL(at[1])}
					one, other := mysqlCatalog(t, both[0]), mysqlCatalog(t, both[1])
					for i, source := range []int{0, 1} {
						target := 1 - source
						from, to := one, other
						if i == 1 {
							from, to = other, one
						}
						r := compareMySQL(t, from, to, at[source], at[target])
						if len(r.Differences) == 0 {
							t.Fatal("nothing differs")
						}
						if i == 0 && os.Getenv("UNDERSTUDY_TEST_PROOFS") != "" { // each makes a copy
							provesMySQL(t, name, both[source], both[target], compareMySQL(t, from, to, at[source], at[target]))
						}
						for _, d := range r.Differences {
							if d.Kind == "table" && noCollation.MatchString(d.Detail) {
								t.Errorf("every table has a collation: %s", d.Detail)
							}
						}
						var closing []string
						for s := range strings.SplitSeq(comments.ReplaceAllString(r.Script(), ""), ";\n") {
							if s = strings.TrimSpace(s); s != "" {
								closing = append(closing, s)
							}
						}
						if left := closesMySQL(t, mysqlClient(t, both[target]), closing, from, both[target], at[source], at[target]); left != "" {
							t.Errorf("towards the side %d: %s", source+1, left)
						}
					}
				})
			}
		})
	}
}

// TestBrokenViewsAreTold: no statement makes a view that does not work in production, and
// none takes staging's away for it.
func TestBrokenViewsAreTold(t *testing.T) {
	for product, start := range map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL} {
		t.Run(product, func(t *testing.T) {
			server := start(t)
			var at [2]string
			for i, statements := range [][]string{
				{"CREATE TABLE t (id int)", "CREATE VIEW v AS SELECT id FROM t", "CREATE VIEW w AS SELECT id FROM t", "DROP TABLE t"},
				{"CREATE TABLE u (id int)", "CREATE VIEW w AS SELECT id FROM u WHERE id > 2"},
			} {
				at[i] = "test_" + strings.ToLower(rand.Text()[:12])
				runs(t, mysqlClient(t, server.URL("")), "CREATE DATABASE "+at[i])
				runs(t, mysqlClient(t, server.URL(at[i])), statements...)
			}
			views := 0
			for _, d := range compareMySQL(t, mysqlCatalog(t, server.URL(at[0])), mysqlCatalog(t, server.URL(at[1])), at[0], at[1]).Differences {
				if d.Kind != "view" {
					continue
				}
				views++
				if !strings.HasPrefix(d.SQL, "-- no statement: it does not work in production") || strings.Contains(d.SQL, ";") || d.Destructive {
					t.Errorf("%s: %s", d.Object, d.SQL)
				}
			}
			if views != 2 {
				t.Errorf("%d views differ, not 2", views)
			}
		})
	}
}

// TestTriggersThatStay: of triggers that fire in another order those alone are made again
// that come behind the first which stands elsewhere.
func TestTriggersThatStay(t *testing.T) {
	server := scratchtest.MariaDB(t)
	var at [2]string
	for i, order := range []string{"abcd", "abdc"} {
		at[i] = "test_" + strings.ToLower(rand.Text()[:12])
		runs(t, mysqlClient(t, server.URL("")), "CREATE DATABASE "+at[i])
		db := mysqlClient(t, server.URL(at[i]))
		runs(t, db, "CREATE TABLE t (n int)", "CREATE TRIGGER u BEFORE UPDATE ON t FOR EACH ROW SET @a = 1", "CREATE TRIGGER v BEFORE UPDATE ON t FOR EACH ROW SET @a = 2")
		for _, name := range order {
			runs(t, db, "CREATE TRIGGER "+string(name)+" BEFORE INSERT ON t FOR EACH ROW SET @a = 3")
		}
	}
	r := compareMySQL(t, mysqlCatalog(t, server.URL(at[0])), mysqlCatalog(t, server.URL(at[1])), at[0], at[1])
	if len(r.Differences) != 1 || strings.Count(r.Differences[0].SQL, "DROP TRIGGER IF EXISTS ") != 1 || !strings.Contains(r.Differences[0].SQL, "DROP TRIGGER IF EXISTS `d`;") {
		t.Errorf("%+v", r.Differences)
	}
}

// TestLabelsKeepTheirWords: a label becomes the number that it says, and a number the label
// that says it, not the one at its place.
func TestLabelsKeepTheirWords(t *testing.T) {
	for product, start := range map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL} {
		t.Run(product, func(t *testing.T) {
			server := start(t)
			var at [2]string
			for i, table := range []string{
				"CREATE TABLE t (a int NOT NULL DEFAULT 10, b enum('10','20'), c decimal(5,1), d enum('x','y'), KEY (a))",
				"CREATE TABLE t (a enum('10','20') NOT NULL DEFAULT '10', b int, c enum('1.5','2.5'), d varchar(9), KEY (a))",
			} {
				at[i] = "test_" + strings.ToLower(rand.Text()[:12])
				runs(t, mysqlClient(t, server.URL("")), "CREATE DATABASE "+at[i])
				runs(t, mysqlClient(t, server.URL(at[i])), table)
			}
			db, base := mysqlClient(t, server.URL(at[1])), mysqlCatalog(t, server.URL(at[0]))
			runs(t, db, "INSERT INTO t VALUES ('20', 10, '2.5', 'y')")
			var closing []string
			for _, d := range compareMySQL(t, base, mysqlCatalog(t, server.URL(at[1])), at[0], at[1]).Ordered() {
				closing = append(closing, d.SQL)
			}
			if left := closesMySQL(t, db, closing, base, server.URL(at[1]), at[0], at[1]); left != "" {
				t.Error(left)
			}
			var row string
			if err := db.QueryRowContext(t.Context(), "SELECT concat_ws(' ', a, b, c, d) FROM t").Scan(&row); err != nil || row != "20 10 2.5 y" {
				t.Errorf("the row is %s, %v", row, err)
			}
		})
	}
}

// TestFilesForTheClient: the file of closing statements is what the mysql client runs,
// whatever stands in the bodies of routines.
func TestFilesForTheClient(t *testing.T) {
	program, err := exec.LookPath("mysql")
	if err != nil {
		t.Fatal("the mysql client is needed (mariadb-client): ", err)
	}
	server := scratchtest.MariaDB(t)
	admin := mysqlClient(t, server.URL(""))
	source, target := "test_"+strings.ToLower(rand.Text()[:12]), "test_"+strings.ToLower(rand.Text()[:12])
	for name, statements := range map[string][]string{
		source: {"CREATE TABLE t (id int PRIMARY KEY, a int)",
			"CREATE PROCEDURE p (a int) BEGIN DECLARE x text; SET x = '// $$ ;'; IF a > 1 THEN SELECT x; END IF; END",
			"CREATE FUNCTION f (a int) RETURNS int DETERMINISTIC BEGIN DECLARE x int DEFAULT a; /* ; */ RETURN CASE WHEN x > 1 THEN 2 ELSE 3 END; END",
			"CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.a = f(2); END",
			"CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 3; SET @a = ';'; END",
			"CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DISABLE DO BEGIN DELETE FROM t; DELETE FROM t; END"},
		target: {"CREATE TABLE t (id int PRIMARY KEY, a int)", "CREATE PROCEDURE p (a int) BEGIN SELECT 1; SELECT 2; END",
			"CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 3; SET @a = ';'; END"},
	} {
		runs(t, admin, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
		runs(t, mysqlClient(t, server.URL(name)), statements...)
	}
	base := mysqlCatalog(t, server.URL(source))
	r := compareMySQL(t, base, mysqlCatalog(t, server.URL(target)), source, target)
	at, err := url.Parse(server.URL(target))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := at.User.Password()
	client := exec.CommandContext(t.Context(), program, "--no-defaults", "--protocol=tcp", "-h", at.Hostname(), "-P", at.Port(), "-u", at.User.Username(), "--password="+password, target)
	client.Stdin = strings.NewReader(r.Script())
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, r.Script())
	}
	for _, d := range compareMySQL(t, base, mysqlCatalog(t, server.URL(target)), source, target).Differences {
		t.Errorf("left: %s %s %s %s", d.Kind, d.Object, d.Change, d.Detail)
	}
}

// TestLabelsOfAnEnum: a name that would break out of quotes does not, and a label that
// nothing takes away is told of.
func TestLabelsOfAnEnum(t *testing.T) {
	a, b := scratchtest.Database(t), scratchtest.Database(t)
	const name = `CREATE TYPE "e"" RENAME TO z; CREATE TABLE broken (); --" AS ENUM `
	scratchtest.SQL(t, a, name+"('a', 'b', 'it''s')")
	scratchtest.SQL(t, b, name+"('b', 'more')")
	one := catalogOf(t, a)
	r := compareAll(t, one, catalogOf(t, b))
	if text := r.Script(); !strings.Contains(text, `-- "more" stays`) {
		t.Error(text)
	}
	if left := closes(t, b, one, r); !strings.Contains(left, "'a', 'b', 'it''s' is 'a', 'b', 'it''s', 'more' in target") {
		t.Errorf("left: %s", left)
	}
	if n := scratchtest.Query(t, b, "SELECT count(*) FROM pg_class WHERE relname = 'broken'"); n != "0" {
		t.Error("a name was run as SQL")
	}
}

// TestNumbersGoOn: what counts for a column in another way goes on behind its rows.
func TestNumbersGoOn(t *testing.T) {
	a, b := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, a, `CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n text); CREATE TABLE u (id serial PRIMARY KEY, n text, x text)`)
	scratchtest.SQL(t, b, `CREATE TABLE t (id serial PRIMARY KEY, n text); INSERT INTO t (n) VALUES ('a'), ('b'); CREATE TABLE u (id int PRIMARY KEY, n text, x text); INSERT INTO u VALUES (7, 'a')`)
	one := catalogOf(t, a)
	if left := closes(t, b, one, compareAll(t, one, catalogOf(t, b))); left != "" {
		t.Error(left)
	}
	scratchtest.SQL(t, b, "INSERT INTO t (n) VALUES ('c'); INSERT INTO u (n) VALUES ('b')")
	if got := scratchtest.Query(t, b, "SELECT (SELECT max(id) FROM t), (SELECT max(id) FROM u)"); got != "3\t8" {
		t.Errorf("numbers: %s", got)
	}
}

// What production grants to the role that reads it is no part of what is made.
func TestStatementsGrantNothingToTheReader(t *testing.T) {
	a, b := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, a, `DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'order_only') THEN CREATE ROLE order_only; CREATE ROLE order_app; END IF; END $$;
		CREATE TABLE t (id int); GRANT SELECT ON t TO order_only, order_app; CREATE TABLE u (id int); GRANT SELECT ON u TO order_only`)
	one, other := catalogOf(t, a), catalogOf(t, b)
	one.Reader = "order_only"
	text := compareAll(t, one, other).Script()
	if strings.Contains(text, "order_only") || !strings.Contains(text, "GRANT SELECT ON public.t TO order_app") {
		t.Error(text)
	}
}
