package parity_test

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/catalog"
	"understudy/internal/engine/sqlite"
)

// sqliteShell runs a script by the sqlite3 client, as README says.
func sqliteShell(t *testing.T, path, script string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Fatal("the sqlite3 client is needed: ", err)
	}
	client := exec.CommandContext(t.Context(), program, "-bail", path)
	client.Stdin = strings.NewReader(script)
	out, err := client.CombinedOutput()
	return string(out), err
}

// fileOf makes a database of statements.
func fileOf(t *testing.T, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	if out, err := sqliteShell(t, path, statements); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// fileCatalog reads a database file as parity does.
func fileCatalog(t *testing.T, path string) *catalog.Catalog {
	return catalogBy(t, sqlite.New(), "sqlite:"+path)
}

// TestFilesForSQLite: the file of closing statements closes every difference when the
// sqlite3 client runs it, and keeps staging's rows.
func TestFilesForSQLite(t *testing.T) {
	for name, c := range map[string]struct{ production, staging, query, rows string }{
		"tables of the name that a new one has for a while": {
			"CREATE TABLE t (id integer PRIMARY KEY, a int NOT NULL); CREATE TABLE Understudy_Anew (id integer PRIMARY KEY, b int NOT NULL)",
			"CREATE TABLE t (id integer PRIMARY KEY, a int); INSERT INTO t VALUES (1, 2); CREATE TABLE Understudy_Anew (id integer PRIMARY KEY, b int); INSERT INTO Understudy_Anew VALUES (3, 4)",
			"SELECT a FROM t; SELECT b FROM Understudy_Anew", "2\n4\n"},
		"a table of that name in staging alone": {
			"CREATE TABLE t (id integer PRIMARY KEY, a int NOT NULL)",
			"CREATE TABLE t (id integer PRIMARY KEY, a int); INSERT INTO t VALUES (1, 2); CREATE TABLE understudy_anew (x, y)",
			"SELECT a FROM t", "2\n"},
		"children of a table that is made anew": {
			"CREATE TABLE p (id integer PRIMARY KEY, a int NOT NULL); CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE)",
			"CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE TABLE c (p int REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (1, 2); INSERT INTO c VALUES (1)",
			"SELECT p FROM c", "1\n"},
		"a renamed column in which more differs, and what calls it": {
			"CREATE TABLE t (id integer PRIMARY KEY, customer_name varchar(20) NOT NULL DEFAULT 'x' UNIQUE, c int, d date); CREATE INDEX i ON t (customer_name); CREATE VIEW v AS SELECT customer_name AS x FROM t; CREATE TABLE h (n int REFERENCES t (customer_name)); CREATE TRIGGER g AFTER INSERT ON h BEGIN UPDATE t SET customer_name = 1; END; CREATE TRIGGER tr AFTER UPDATE OF customer_name ON t BEGIN SELECT 1; END",
			"CREATE TABLE t (id integer PRIMARY KEY, cust_name varchar(20) DEFAULT 'x' UNIQUE, c int, d date); INSERT INTO t VALUES (1, 'a', 2, 3); CREATE INDEX i ON t (cust_name); CREATE VIEW v AS SELECT cust_name AS x FROM t; CREATE TABLE h (n int REFERENCES t (cust_name)); INSERT INTO h VALUES ('a'); CREATE TRIGGER g AFTER INSERT ON h BEGIN UPDATE t SET cust_name = 1; END; CREATE TRIGGER tr AFTER UPDATE OF cust_name ON t BEGIN SELECT 1; END",
			"SELECT x, n FROM v, h", "a|a\n"},
		"a renamed column beside one in which something differs": {
			"CREATE TABLE t (id integer PRIMARY KEY, customer_name text, c int NOT NULL, d date); CREATE VIEW v AS SELECT customer_name AS x FROM t",
			"CREATE TABLE t (id integer PRIMARY KEY, cust_name text, c int, d date); INSERT INTO t VALUES (1, 'a', 2, 3); CREATE VIEW v AS SELECT cust_name AS x FROM t",
			"SELECT x FROM v", "a\n"},
		"a renamed column at another place": {
			"CREATE TABLE t (id integer PRIMARY KEY, customer_name text, c int, d date)",
			"CREATE TABLE t (id integer PRIMARY KEY, c int, d date, cust_name text); INSERT INTO t VALUES (1, 2, 3, 'a')",
			"SELECT * FROM t", "1|a|2|3\n"},
		"a renamed column that is computed from another": {
			"CREATE TABLE t (id integer PRIMARY KEY, first_name text, last_name text, full_name text AS (first_name || last_name))",
			"CREATE TABLE t (id integer PRIMARY KEY, firstname text, lastname text, fullname text AS (firstname || lastname)); INSERT INTO t VALUES (1, 'a', 'b')",
			"SELECT full_name FROM t", "ab\n"},
		"a renamed column of a renamed table": {
			"CREATE TABLE customer (id integer PRIMARY KEY, customer_name text NOT NULL, c int, d date)",
			"CREATE TABLE customers (id integer PRIMARY KEY, cust_name text, c int, d date); INSERT INTO customers VALUES (1, 'a', 2, 3)",
			"SELECT customer_name FROM customer", "a\n"},
		"clauses on conflict, and rows that are in none": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text UNIQUE ON CONFLICT IGNORE)",
			"CREATE TABLE t (id integer PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y')",
			"SELECT count(*) FROM t", "2\n"},
		"a full-text index over a column that is added": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text, b text DEFAULT 'new'); CREATE VIRTUAL TABLE f USING fts5 (a, b, content='t', content_rowid='id')",
			"CREATE TABLE t (id integer PRIMARY KEY, a text); INSERT INTO t VALUES (5, 'old'); CREATE VIRTUAL TABLE f USING fts5 (a, content='t', content_rowid='id')",
			"SELECT rowid FROM f WHERE f MATCH 'old AND new'", "5\n"},
		"a full-text index over a table that is made anew": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text, b text DEFAULT 'new' UNIQUE ON CONFLICT IGNORE, c int NOT NULL); CREATE VIRTUAL TABLE f USING fts5 (a, b, content='t', content_rowid='id')",
			"CREATE TABLE t (id integer PRIMARY KEY, a text, c int); INSERT INTO t VALUES (5, 'old', 1); CREATE VIRTUAL TABLE f USING fts5 (a, content='t', content_rowid='id')",
			"SELECT rowid FROM f WHERE f MATCH 'old AND new'", "5\n"},
		"a full-text index over a table whose rows have numbers of their own": {
			"CREATE TABLE t (a text PRIMARY KEY, b int NOT NULL); CREATE VIRTUAL TABLE f USING fts5 (a, content='t')",
			"CREATE TABLE t (a text PRIMARY KEY, b int); INSERT INTO t VALUES ('one', 1), ('two', 2); DELETE FROM t WHERE b = 1; CREATE VIRTUAL TABLE f USING fts5 (a, content='t'); INSERT INTO f (f) VALUES ('rebuild')",
			"SELECT t.a FROM f JOIN t ON t.rowid = f.rowid WHERE f MATCH 'two'", "two\n"},
		"rows that have no numbers, or a column that is called so": {
			"CREATE TABLE t (a text PRIMARY KEY, b int NOT NULL) WITHOUT ROWID; CREATE TABLE u (RowID text, b int NOT NULL); CREATE TABLE w (a int PRIMARY KEY, b int)",
			"CREATE TABLE t (a text PRIMARY KEY, b int) WITHOUT ROWID; INSERT INTO t VALUES ('one', 1); CREATE TABLE u (rowid text, b int); INSERT INTO u VALUES ('two', 1); CREATE TABLE w (a int PRIMARY KEY, b int) WITHOUT ROWID; INSERT INTO w VALUES (3, 4)",
			"SELECT t.a, u.rowid, w.a FROM t, u, w", "one|two|3\n"},
		"a column that becomes the rows' number": {
			"CREATE TABLE t (\"Id\" integer, b int, PRIMARY KEY (\"Id\" ASC))",
			"CREATE TABLE t (id int PRIMARY KEY, b int); INSERT INTO t VALUES (7, 1)",
			"SELECT id, rowid FROM t", "7|7\n"},
		"a full-text index that is not there": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text); CREATE VIRTUAL TABLE f USING fts5 (a, content='t', content_rowid='id')",
			"CREATE TABLE t (id integer PRIMARY KEY, a text); INSERT INTO t VALUES (5, 'old')",
			"SELECT rowid FROM f WHERE f MATCH 'old'", "5\n"},
		"a full-text index over what is not there": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text); CREATE VIRTUAL TABLE f USING fts5 (a, content='gone')",
			"CREATE TABLE t (id integer PRIMARY KEY, a text); CREATE VIRTUAL TABLE f USING fts5 (b, content='gone')",
			"SELECT 1", "1\n"},
		"a full-text index without a text": {
			"CREATE VIRTUAL TABLE f USING fts5 (a, b, content='')",
			"CREATE VIRTUAL TABLE f USING fts5 (a, content=''); INSERT INTO f (rowid, a) VALUES (1, 'old')",
			"SELECT count(*) FROM f WHERE f MATCH 'old'", "0\n"},
		"a full-text table of rows of its own, and what names it": {
			"CREATE VIRTUAL TABLE f USING fts5 (a, b, c, tokenize='porter'); INSERT INTO f (f, rank) VALUES ('automerge', 6); CREATE VIEW v AS SELECT a FROM f; CREATE TABLE t (x); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO f (a) VALUES (new.x); END",
			"CREATE VIRTUAL TABLE f USING fts5 (A, b); INSERT INTO f (rowid, a, b) VALUES (7, 'running', 'two'); CREATE VIEW v AS SELECT a FROM f; CREATE TABLE t (x); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO f (a) VALUES (new.x); END",
			"INSERT INTO t VALUES ('runs'); SELECT rowid, a, b FROM f WHERE f MATCH 'run'; SELECT v FROM f_config WHERE k = 'automerge'; SELECT count(*) FROM v", "7|running|two\n8|runs|\n6\n2\n"},
		"a full-text table of rows of its own that has renamed columns": {
			"CREATE VIRTUAL TABLE f USING fts5 (title, body, written_by); CREATE VIEW v AS SELECT title, written_by FROM f; CREATE TABLE t (id integer PRIMARY KEY, mail text, b text)",
			"CREATE VIRTUAL TABLE f USING fts5 (name, body, writtenby, extra); INSERT INTO f (rowid, name, body, writtenby) VALUES (7, 'a', 'b', 'c'); CREATE VIEW v AS SELECT name, writtenby, extra FROM f; CREATE TABLE t (id integer PRIMARY KEY, email text, b text, c int)",
			"SELECT rowid, body FROM f; SELECT * FROM v", "7|b\na|c\n"},
		"a full-text index over a column that is renamed": {
			"CREATE TABLE t (id integer PRIMARY KEY, title text, b text); CREATE VIRTUAL TABLE f USING fts5 (title, b, content='t', content_rowid='id'); CREATE VIEW v AS SELECT title FROM f; CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO f (rowid, title, b) VALUES (new.id, new.title, new.b); END",
			"CREATE TABLE t (id integer PRIMARY KEY, titel text, b text); INSERT INTO t VALUES (1, 'old', 'b'); CREATE VIRTUAL TABLE f USING fts5 (titel, b, content='t', content_rowid='id'); CREATE VIEW v AS SELECT titel FROM f; CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO f (rowid, titel, b) VALUES (new.id, new.titel, new.b); END",
			"INSERT INTO t VALUES (2, 'new', 'c'); SELECT title FROM f WHERE f MATCH 'old OR new'", "old\nnew\n"},
		"a renamed column that a view reads through another": {
			"CREATE TABLE c (id integer PRIMARY KEY, name text NOT NULL, mail text); CREATE VIEW v AS SELECT id, mail FROM c; CREATE VIEW w AS SELECT mail FROM v; CREATE VIEW s AS SELECT * FROM c; CREATE VIEW z AS SELECT mail FROM s; CREATE VIEW q AS WITH k AS (SELECT mail FROM c) SELECT k.mail FROM k; CREATE TABLE d (n int, x)",
			"CREATE TABLE c (id integer PRIMARY KEY, name text NOT NULL, email text); INSERT INTO c VALUES (1, 'a', 'm'); CREATE VIEW v AS SELECT id, email FROM c; CREATE VIEW w AS SELECT email FROM v; CREATE VIEW s AS SELECT * FROM c; CREATE VIEW z AS SELECT email FROM s; CREATE VIEW q AS WITH k AS (SELECT email FROM c) SELECT k.email FROM k; CREATE VIEW extra AS SELECT email FROM s; CREATE TABLE d (n int, y)",
			"SELECT w.mail, z.mail, q.mail FROM w, z, q", "m|m|m\n"},
		"a renamed column under triggers, of views too": {
			"CREATE TABLE c (id integer PRIMARY KEY, mail text, z int); CREATE TABLE log (x); CREATE VIEW v AS SELECT id, mail FROM c; CREATE TRIGGER t INSTEAD OF UPDATE ON v BEGIN UPDATE c SET mail = new.mail WHERE id = new.id; END; CREATE TRIGGER e INSTEAD OF DELETE ON v BEGIN DELETE FROM c WHERE id = old.id; END; CREATE TRIGGER a AFTER UPDATE OF mail ON c BEGIN INSERT INTO log VALUES (new.mail); END; CREATE TRIGGER b AFTER INSERT ON c BEGIN INSERT INTO log SELECT mail || 'new' FROM v; END",
			"CREATE TABLE c (id integer PRIMARY KEY, email text, z int); INSERT INTO c VALUES (1, 'm', 2), (2, 'n', 3); CREATE TABLE log (x); CREATE VIEW v AS SELECT id, email FROM c; CREATE TRIGGER t INSTEAD OF UPDATE ON v BEGIN UPDATE c SET email = new.email WHERE id = new.id; END; CREATE TRIGGER e INSTEAD OF DELETE ON v BEGIN DELETE FROM c WHERE id = old.id; END; CREATE TRIGGER a AFTER UPDATE OF email ON c BEGIN INSERT INTO log VALUES (new.email); END; CREATE TRIGGER b AFTER INSERT ON c BEGIN INSERT INTO log SELECT email || 'old' FROM v; END",
			"UPDATE v SET mail = 'o' WHERE id = 1; DELETE FROM v WHERE id = 2; SELECT mail FROM c; SELECT x FROM log", "o\no\n"},
		"a renamed column, and a value of that name": {
			"CREATE TABLE c (id integer PRIMARY KEY, mail text, z int); CREATE VIEW v AS SELECT mail, 'mail' AS lit FROM c",
			"CREATE TABLE c (id integer PRIMARY KEY, email text, z int); INSERT INTO c VALUES (1, 'm', 2); CREATE VIEW v AS SELECT email, 'email' AS lit FROM c",
			"SELECT lit FROM v", "mail\n"},
		"an index that loses a column": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text, n text); CREATE INDEX i ON t (a, n); CREATE TABLE u (id integer PRIMARY KEY, a1 text, b1 int, c text DEFAULT 'k'); CREATE INDEX j ON u (a1, b1)",
			"CREATE TABLE t (id integer PRIMARY KEY, a text, b int); CREATE INDEX i ON t (a, b); INSERT INTO t VALUES (1, 'x', 2); CREATE TABLE u (id integer PRIMARY KEY, a2 text, b2 int, d int); CREATE INDEX j ON u (a2, b2); INSERT INTO u VALUES (1, 'y', 2, 3)",
			"SELECT t.a, u.a1 FROM t, u", "x|y\n"},
		"a renamed and a retyped column under views over one another": {
			"CREATE TABLE t (id integer PRIMARY KEY, email text, amt numeric, z int); CREATE VIEW v1 AS SELECT email, amt FROM t; CREATE VIEW v2 AS SELECT upper(email) u, amt FROM v1; CREATE VIEW v3 AS SELECT u FROM v2; CREATE TRIGGER g INSTEAD OF INSERT ON v3 BEGIN INSERT INTO t (z) VALUES (length(new.u)); END; CREATE TABLE l (x); CREATE TRIGGER h AFTER INSERT ON l BEGIN INSERT INTO v3 VALUES (new.x); END",
			"CREATE TABLE t (id integer PRIMARY KEY, mail text, amt int, y blob); INSERT INTO t VALUES (1, 'm', 2, NULL); CREATE VIEW v1 AS SELECT mail, amt FROM t; CREATE VIEW v2 AS SELECT upper(mail) u, amt FROM v1; CREATE VIEW v3 AS SELECT u FROM v2; CREATE TRIGGER g INSTEAD OF INSERT ON v3 BEGIN INSERT INTO t (z) VALUES (length(new.u)); END; CREATE TABLE l (x); CREATE TRIGGER h AFTER INSERT ON l BEGIN INSERT INTO v3 VALUES (new.x); END",
			"SELECT u FROM v3; INSERT INTO l VALUES ('abc'); SELECT max(z) FROM t", "M\n3\n"},
		"a renamed column that a view calls so already": {
			"CREATE TABLE \"my t\" (\"new col\" text, id integer PRIMARY KEY); CREATE VIEW \"v w\" AS SELECT \"new col\" AS \"old col\" FROM \"my t\"; CREATE VIEW v2 AS SELECT \"old col\" FROM \"v w\"",
			"CREATE TABLE \"my t\" (\"old col\" text, id integer PRIMARY KEY); INSERT INTO \"my t\" VALUES ('x', 1); CREATE VIEW \"v w\" AS SELECT \"old col\" AS \"old col\" FROM \"my t\"; CREATE VIEW v2 AS SELECT \"old col\" FROM \"v w\"",
			"SELECT * FROM v2", "x\n"},
		"a column that goes, and a view that loses the view it reads": {
			"CREATE TABLE t (id integer PRIMARY KEY, a text, b text); CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT a FROM v; CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT a FROM v; END",
			"CREATE TABLE t (id integer PRIMARY KEY, a text, b text, c int); INSERT INTO t VALUES (1, 'x', 'y', 2); CREATE VIEW [x 1] AS SELECT a FROM t; CREATE VIEW v AS SELECT a FROM [X 1]; CREATE VIEW w AS SELECT a FROM [v]; CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT a FROM `x 1`; END",
			"INSERT INTO t VALUES (2, 'z', 'y'); SELECT a FROM w", "x\nz\n"},
		"a view that names a table which is nowhere, beside columns that go and are renamed": {
			"CREATE TABLE t (id integer PRIMARY KEY, mail text, b text); CREATE VIEW v AS SELECT a FROM gone; CREATE VIEW w AS SELECT a FROM v; CREATE TRIGGER g INSTEAD OF INSERT ON w BEGIN INSERT INTO t (mail) VALUES (new.a); END",
			"CREATE TABLE t (id integer PRIMARY KEY, email text, b text, c int); INSERT INTO t VALUES (1, 'x', 'y', 2); CREATE VIEW v AS SELECT a FROM gone; CREATE VIEW w AS SELECT a FROM v; CREATE TRIGGER g INSTEAD OF INSERT ON w BEGIN INSERT INTO t (email) VALUES (new.a); END",
			"SELECT mail FROM t; SELECT name FROM sqlite_schema WHERE type = 'trigger'", "x\ng\n"},
		"a trigger that names a table which is nowhere, beside a column that goes": {
			"CREATE TABLE t (id integer PRIMARY KEY, b text); CREATE TRIGGER g AFTER UPDATE OF b ON t BEGIN INSERT INTO gone VALUES (1); END",
			"CREATE TABLE t (id integer PRIMARY KEY, b text, c int); INSERT INTO t VALUES (1, 'y', 2); CREATE TRIGGER g AFTER UPDATE OF b ON t BEGIN INSERT INTO gone VALUES (1); END",
			"SELECT * FROM t", "1|y\n"},
		"a table that is renamed, and a view that does not work": {
			"CREATE TABLE customer (id integer PRIMARY KEY, mail text, b text); CREATE VIEW v AS SELECT a FROM customer; CREATE VIEW w AS SELECT mail FROM customer",
			"CREATE TABLE customers (id integer PRIMARY KEY, mail text, b text); INSERT INTO customers VALUES (1, 'x', 'y'); CREATE VIEW v AS SELECT a FROM customers; CREATE VIEW w AS SELECT mail FROM customers",
			"SELECT mail FROM w", "x\n"},
		"a column that goes with one that is computed from it": {
			"CREATE TABLE t (id integer PRIMARY KEY)",
			"CREATE TABLE t (id integer PRIMARY KEY, a int, b int AS (a + 1), c int AS (b + 1)); INSERT INTO t VALUES (1, 2)",
			"SELECT * FROM t", "1\n"},
		"indexes that come to a table that is made anew, go from it, or have another name there": {
			"CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (id integer PRIMARY KEY, a int, b int, c int REFERENCES p); CREATE INDEX i ON t (a); CREATE INDEX k ON t (b) WHERE a > 1; CREATE TABLE u (id integer PRIMARY KEY, a int, b int)",
			"CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (id integer PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 2, 3); CREATE INDEX j ON t (b) WHERE a > 1; CREATE TABLE u (id integer PRIMARY KEY, a int, b int, c int REFERENCES p); CREATE INDEX l ON u (a); INSERT INTO u VALUES (1, 2, 3, NULL)",
			"SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name; SELECT t.a, u.a FROM t, u", "i\nk\n2|2\n"},
		"triggers of tables that come and go beside a renamed column": {
			"CREATE TABLE c (id integer PRIMARY KEY, mail text, z int); CREATE VIEW v AS SELECT mail FROM c; CREATE TABLE l (x); CREATE TRIGGER a AFTER INSERT ON l BEGIN SELECT mail FROM v; END",
			"CREATE TABLE c (id integer PRIMARY KEY, email text, z int); INSERT INTO c VALUES (1, 'm', 2); CREATE VIEW v AS SELECT email FROM c; CREATE TABLE m (p int, q int, r int); CREATE TRIGGER b AFTER INSERT ON m BEGIN SELECT email FROM v; INSERT INTO gone VALUES (1); END",
			"INSERT INTO l VALUES (1); SELECT * FROM v", "m\n"},
		"a trigger that is on another table, and an index of one name": {
			"CREATE TABLE t (id integer PRIMARY KEY, p int, q int); CREATE INDEX i ON t (p); CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT new.p; END; CREATE TABLE k (x)",
			"CREATE TABLE u (id integer PRIMARY KEY, a int, b int); CREATE INDEX i ON u (a); CREATE TRIGGER g AFTER INSERT ON u BEGIN SELECT new.a; END; CREATE TABLE k (x); INSERT INTO k VALUES (1)",
			"SELECT name FROM sqlite_schema WHERE tbl_name = 't'", "t\ni\ng\n"},
		"tables that swap their names, with triggers, indexes and views": {
			"CREATE TABLE a (id integer PRIMARY KEY, m text, n int); CREATE TABLE b (id integer PRIMARY KEY, q int CHECK (q > 0), r text); CREATE INDEX i ON a (m); CREATE TRIGGER s AFTER INSERT ON a BEGIN SELECT new.m; END; CREATE TRIGGER t AFTER INSERT ON b BEGIN SELECT new.r; END; CREATE VIEW v AS SELECT * FROM a; CREATE VIEW w AS SELECT m FROM v WHERE n IN (SELECT q FROM b); CREATE TABLE c (x int)",
			"CREATE TABLE b (id integer PRIMARY KEY, m text, n int); CREATE TABLE a (id integer PRIMARY KEY, q int CHECK (q > 0), r text); CREATE INDEX i ON b (m); CREATE TRIGGER s AFTER INSERT ON b BEGIN SELECT new.m; END; CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT new.r; END; CREATE VIEW v AS SELECT * FROM b; CREATE VIEW w AS SELECT m FROM v WHERE n IN (SELECT q FROM a); CREATE TABLE c (x int, y int); INSERT INTO c VALUES (1, 2)",
			"SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name; SELECT * FROM c", "s|a\nt|b\n1\n"},
		"a table in place of a view, which loses the view that it reads": {
			"CREATE TABLE t (id integer PRIMARY KEY, b int); CREATE TABLE v (q int)",
			"CREATE TABLE t (id integer PRIMARY KEY, b int, c int); INSERT INTO t VALUES (1, 2, 3); CREATE VIEW x AS SELECT b AS q FROM t; CREATE VIEW v AS SELECT q FROM x",
			"SELECT * FROM t; SELECT count(*) FROM v", "1|2\n0\n"},
		"views over one another that differ, beside a table that is renamed and one that goes": {
			"CREATE TABLE orders (id integer PRIMARY KEY, a int, b int); CREATE TABLE n (z int, y int); CREATE VIEW v AS SELECT * FROM n; CREATE VIEW w AS SELECT z, y FROM v",
			"CREATE TABLE orderss (id integer PRIMARY KEY, a int, b int); INSERT INTO orderss VALUES (1, 2, 3); CREATE TABLE g (z int, p int, q int); CREATE VIEW v AS SELECT * FROM g; CREATE VIEW w AS SELECT z FROM v",
			"SELECT * FROM orders", "1|2|3\n"},
		"an index of the name of one whose table becomes a view": {
			"CREATE TABLE t (id integer PRIMARY KEY, a int, b int); CREATE INDEX i ON t (a); CREATE VIEW l AS SELECT a FROM t",
			"CREATE TABLE t (id integer PRIMARY KEY, b int, a int); INSERT INTO t VALUES (1, 2, 3); CREATE TABLE l (x int); CREATE INDEX i ON l (x)",
			"SELECT * FROM l", "3\n"},
		"columns that come in their order": {
			"CREATE TABLE c (id integer PRIMARY KEY, phone text, age int, b text)",
			"CREATE TABLE c (id integer PRIMARY KEY); INSERT INTO c VALUES (1)",
			"SELECT * FROM c", "1|||\n"},
		"a table of other columns alone": {
			"CREATE TABLE a (x int, y text, z real)",
			"CREATE TABLE a (p blob, q int); INSERT INTO a VALUES (1, 2)",
			"SELECT count(*) FROM a", "1\n"},
		"the highest number of a table that is made anew": {
			"CREATE TABLE c (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL); CREATE TABLE e (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL); CREATE TABLE f (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL)",
			"CREATE TABLE c (id integer PRIMARY KEY AUTOINCREMENT, name text); INSERT INTO c VALUES (1, 'a'), (9, 'b'); DELETE FROM c WHERE id = 9; CREATE TABLE e (id integer PRIMARY KEY AUTOINCREMENT, name text); INSERT INTO e VALUES (7, 'b'); DELETE FROM e; CREATE TABLE f (id integer PRIMARY KEY AUTOINCREMENT, name text)",
			"INSERT INTO c (name) VALUES ('c'); INSERT INTO e (name) VALUES ('c'); INSERT INTO f (name) VALUES ('c'); SELECT max(id) FROM c; SELECT id FROM e; SELECT id FROM f; SELECT count(*) FROM sqlite_sequence", "10\n8\n1\n3\n"},
		"shapes of fewer dimensions": {
			"CREATE VIRTUAL TABLE g USING rtree (id, x0, x1, +name)",
			"CREATE VIRTUAL TABLE g USING rtree (id, x0, x1, y0, y1, +name); INSERT INTO g VALUES (7, 1, 2, 3, 4, 'here')",
			"SELECT * FROM g", "7|1.0|2.0|here\n"},
	} {
		t.Run(name, func(t *testing.T) {
			production, staging := fileCatalog(t, fileOf(t, c.production)), fileOf(t, c.staging)
			r := compareAll(t, production, fileCatalog(t, staging))
			if len(r.Differences) == 0 {
				t.Fatal("nothing differs")
			}
			if out, err := sqliteShell(t, staging, r.Script()); err != nil {
				t.Fatalf("%v: %s\n%s", err, out, r.Script())
			}
			for _, d := range compareAll(t, production, fileCatalog(t, staging)).Differences {
				t.Errorf("left: %s %s %s %s\n%s", d.Kind, d.Object, d.Change, d.Detail, r.Script())
			}
			if rows, err := sqliteShell(t, staging, c.query); err != nil || rows != c.rows {
				t.Errorf("rows: %s%v, want %s\n%s", rows, err, c.rows, r.Script())
			}
		})
	}
}

// TestFilesKeepEveryLineBreak: what the client reads line by line comes as it is in production.
func TestFilesKeepEveryLineBreak(t *testing.T) {
	by := func(statements ...string) string {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := sql.Open("sqlite", path) // which takes statements as they are
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, s := range statements {
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
		return path
	}
	production := fileCatalog(t, by("CREATE TABLE t (id integer PRIMARY KEY, \"a\r\nb\" text DEFAULT 'x\r\ny\rz\n', c text CHECK (c <> '\r\n') NOT NULL)",
		"CREATE TABLE \"u\r\n\r\nv\" (\"w\r\" int, \"\nx\" int)", "CREATE INDEX \"i\r\n\" ON t (\"a\r\nb\") WHERE c > '\r\r\n'",
		"CREATE VIEW w AS SELECT '\r\n.quit\r\n;\r\n' AS x, -- a\rb\r\n 6\n/\n2 AS\n -- c\n go\t-- d\r\n FROM t",
		"CREATE TRIGGER \"g\r\n\" AFTER INSERT ON t BEGIN SELECT '\r\n'; SELECT '\n\r'; END"))
	for _, staging := range []string{by("CREATE TABLE t (id integer PRIMARY KEY)"),
		by("CREATE TABLE t (id integer PRIMARY KEY, \"a\r\nb\" text DEFAULT 'x\ny\rz\n', c text CHECK (c <> '\n'))", "CREATE TABLE \"u\n\nv\" (\"w\n\" int, \"\nx\" int)",
			"CREATE INDEX \"i\n\" ON t (\"a\r\nb\") WHERE c > '\r\n'", "CREATE VIEW w AS SELECT '\n.quit\n;\n' AS x, 6 / 2 AS go FROM t",
			"CREATE TRIGGER \"g\n\" AFTER INSERT ON t BEGIN SELECT '\n'; SELECT '\n\r'; END")} {
		script := compareAll(t, production, fileCatalog(t, staging)).Script()
		if out, err := sqliteShell(t, staging, script); err != nil {
			t.Fatalf("%v: %s\n%q", err, out, script)
		}
		for _, d := range compareAll(t, production, fileCatalog(t, staging)).Differences {
			t.Errorf("left: %s %s %s %s\n%q", d.Kind, d.Object, d.Change, d.Detail, script)
		}
	}
}

// TestFilesThatFailChangeNothing: rows that production's table refuses, or would pass over
// by its own clauses, end the client, and staging is as it was.
func TestFilesThatFailChangeNothing(t *testing.T) {
	for name, c := range map[string][2]string{
		"a NULL":                      {"CREATE TABLE t (id integer PRIMARY KEY, a int NOT NULL); CREATE INDEX i ON t (a)", "CREATE TABLE t (id integer PRIMARY KEY, a int); INSERT INTO t VALUES (1, 2), (2, NULL); CREATE INDEX i ON t (a)"},
		"unique on conflict ignore":   {"CREATE TABLE t (id integer PRIMARY KEY, a text UNIQUE ON CONFLICT IGNORE)", "CREATE TABLE t (id integer PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'x'), (3, 'y')"},
		"not null on conflict ignore": {"CREATE TABLE t (id integer PRIMARY KEY, a int NOT NULL ON CONFLICT IGNORE)", "CREATE TABLE t (id integer PRIMARY KEY, a int); INSERT INTO t VALUES (1, 2), (2, NULL)"},
		"a key on conflict replace":   {"CREATE TABLE t (x text PRIMARY KEY ON CONFLICT REPLACE, a int)", "CREATE TABLE t (x text, a int); INSERT INTO t VALUES ('x', 1), ('x', 2)"},
		"a key on conflict rollback":  {"CREATE TABLE t (x text PRIMARY KEY ON CONFLICT ROLLBACK, a int)", "CREATE TABLE t (x text, a int); INSERT INTO t VALUES ('x', 1), ('x', 2)"},
		"a default on conflict":       {"CREATE TABLE t (id integer PRIMARY KEY, a int NOT NULL ON CONFLICT REPLACE DEFAULT 7)", "CREATE TABLE t (id integer PRIMARY KEY, a int); INSERT INTO t VALUES (1, NULL)"},
	} {
		t.Run(name, func(t *testing.T) {
			staging := fileOf(t, c[1])
			script := compareAll(t, fileCatalog(t, fileOf(t, c[0])), fileCatalog(t, staging)).Script()
			before, _ := sqliteShell(t, staging, ".dump")
			if out, err := sqliteShell(t, staging, script); err == nil {
				t.Errorf("the client ended with 0: %s\n%s", out, script)
			}
			if after, err := sqliteShell(t, staging, ".dump"); err != nil || after != before {
				t.Errorf("%v: staging was\n%s\nand is\n%s\nby\n%s", err, before, after, script)
			}
		})
	}
}

// TestLossesAreTold: statements that rows do not outlast are marked and say so; those that
// bring all rows along are not marked.
func TestLossesAreTold(t *testing.T) {
	const gone = "-- the rows that it held are gone with it"
	for _, c := range []struct {
		production, staging string
		marked, told        bool
	}{
		{"CREATE TABLE t (a int NOT NULL)", "CREATE TABLE t (a int)", false, false},
		{"CREATE TABLE t (a int NOT NULL)", "CREATE TABLE t (a int, b int)", true, false},
		{"CREATE TABLE t (a int NOT NULL)", "CREATE TABLE t (b int)", true, true},
		{"CREATE TABLE t (n text, up text AS (upper(n)))", "CREATE TABLE t (n text, up text)", true, false},
		{"CREATE TABLE t (n text, up text)", "CREATE TABLE t (n text, up text AS (upper(n)))", false, false},
		{"CREATE TABLE t (n int)", "CREATE TABLE t (n text)", true, false},
		{"CREATE TABLE t (n varchar(30))", "CREATE TABLE t (n text)", false, false},
		{"CREATE VIRTUAL TABLE f USING fts5 (a, b, prefix=2)", "CREATE VIRTUAL TABLE f USING fts5 (a, b)", false, false},
		{"CREATE VIRTUAL TABLE f USING fts5 (a)", "CREATE VIRTUAL TABLE f USING fts5 (a, b)", true, false},
		{"CREATE VIRTUAL TABLE f USING fts5 (a)", "CREATE VIRTUAL TABLE f USING fts5 (b)", true, true},
		{"CREATE VIRTUAL TABLE f USING fts5 (a, content='')", "CREATE VIRTUAL TABLE f USING fts5 (a)", true, true},
	} {
		script := compareAll(t, fileCatalog(t, fileOf(t, c.production)), fileCatalog(t, fileOf(t, c.staging))).Script()
		if marked, told := strings.Contains(script, "; takes away\n"), strings.Contains(script, gone); marked != c.marked || told != c.told {
			t.Errorf("%s\nfrom %s: marked %v, told %v\n%s", c.production, c.staging, marked, told, script)
		}
	}
}

// TestWhatIsNotFilledIsTold: where nothing can fill a full-text table, its statement says so.
func TestWhatIsNotFilledIsTold(t *testing.T) {
	for from, want := range map[string]string{
		"CREATE VIRTUAL TABLE f USING fts5 (a, content='')":     "\n-- it keeps no text, ",
		"CREATE VIRTUAL TABLE f USING fts5 (a, content='gone')": "\n-- nothing fills it in production either: no such table: main.gone",
	} {
		script := compareAll(t, fileCatalog(t, fileOf(t, from)), fileCatalog(t, fileOf(t, "CREATE VIRTUAL TABLE f USING fts5 (b)"))).Script()
		if !strings.Contains(script, want) || strings.Contains(script, "rebuild") {
			t.Errorf("%s\n%s", from, script)
		}
	}
}
