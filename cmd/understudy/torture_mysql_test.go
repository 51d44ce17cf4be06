package main

import (
	"bytes"
	"database/sql"
	"strings"
	"testing"
)

// tortureOnMySQL is a database of hard cases: types with their odd values, names,
// keys, engines, partitions, and what stands beside tables.
func tortureOnMySQL(maria bool) []string {
	out := []string{
		"SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'",
		"CREATE TABLE numbers (id bigint unsigned PRIMARY KEY, t tinyint, tu tinyint unsigned zerofill, s smallint, m mediumint, i int(7) zerofill, b bigint, dec65 decimal(65,30), d0 decimal(10,0), f float, d double, f2 float(7,3), b1 bit(1), b64 bit(64), y year, flag boolean)",
		"INSERT INTO numbers VALUES (0, -128, 255, -32768, -8388608, 0, -9223372036854775808, -12345678901234567890123456789012345.123456789012345678901234567890, 9999999999, 3.4e38, -1.7976931348623157e308, 1234.567, b'1', ~0, 0, true), (18446744073709551615, 127, 7, 32767, 8388607, 42, 9223372036854775807, 99999999999999999999999999999999999.999999999999999999999999999999, -1, 1e-38, 2.2250738585072014e-308, -0.001, b'0', 0, 2155, 2), (5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
		"CREATE TABLE times (id int PRIMARY KEY, d date, dt datetime, dt6 datetime(6), ts timestamp NULL, ts3 timestamp(3) NULL, t time, t6 time(6))",
		"INSERT INTO times VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00', '-838:59:59', '838:59:58.999999'), (2, '2020-00-00', '2020-05-00 01:02:03', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '1970-01-01 00:00:01.001', '00:00:00', '-00:00:00.000001'), (3, '1000-01-01', '1000-01-01', '2024-02-29 23:59:59.1', '2024-03-31 02:30:00', NULL, '25:00:00', NULL), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
		"CREATE TABLE texts (id int PRIMARY KEY, c char(10), v varchar(40), l varchar(40) CHARACTER SET latin1, u3 varchar(40) CHARACTER SET utf8mb3, cs varchar(40) COLLATE utf8mb4_bin, tt tinytext, t text, mt mediumtext, lt longtext, e enum('a','b''c','d,e','ä') , s set('x','y y','z\"'), j json)",
		"INSERT INTO texts VALUES (1, 'pad ', 'trail  ', 'ÄöÜß€', 'ÄöÜ', '🦆', '', 'tab\\tnew\\nline\\rback\\\\slash\\0null\\Z', repeat('m', 100000), repeat('ä', 500000), 'b''c', 'x,z\"', '{\"a\": [1, 2.50, null, \"\\\\u00e4\"], \"b\": \"x\"}'), (2, '', '', '', '', '', NULL, NULL, NULL, NULL, '', '', '[]'), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, '''\"`', '\\'', '%_', '\\\\N', 'NULL', '\\n', ',', ';', '--', 'ä', 'y y', 'null')",
		"CREATE TABLE bytes (id int PRIMARY KEY, b binary(5), vb varbinary(40), tb tinyblob, bl blob, mb mediumblob, lb longblob)",
		"INSERT INTO bytes VALUES (1, x'00ff0d0a1a', x'00', x'5c5c30', x'0a0d001a5c27225c', repeat(x'00ff', 60000), repeat(x'1a5c', 2000000)), (2, 'ab', '', '', NULL, '', NULL)",
		"CREATE TABLE shapes (id int PRIMARY KEY, p point NOT NULL, g geometry, poly polygon, SPATIAL KEY (p))",
		"INSERT INTO shapes VALUES (1, point(1.5, -2), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'), ST_GeomFromText('POLYGON((0 0,0 1,1 1,0 0))')), (2, ST_GeomFromText('POINT(10 20)', 4326), NULL, NULL)",
		"CREATE TABLE made (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, a int, twice int AS (a * 2) STORED, thrice int AS (a * 3) VIRTUAL, hidden int INVISIBLE DEFAULT 7, at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, KEY (thrice), CHECK (a < 1000)) AUTO_INCREMENT = 77 COMMENT 'it''s \"made\"'",
		"INSERT INTO made (id, a, hidden, at) VALUES (0, 1, 8, '2020-01-01'), (5, NULL, NULL, '2021-01-01'), (90, 999, 0, '2022-01-01')",
		// The numbers of rows that are gone are given to no other.
		"INSERT INTO made (id, a, at) VALUES (4000, 1, '2022-01-01')", "DELETE FROM made WHERE id = 4000",
		"CREATE TABLE spent (id tinyint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, v int) AUTO_INCREMENT = 100", "CREATE TABLE used_up (id tinyint NOT NULL AUTO_INCREMENT PRIMARY KEY)", "INSERT INTO used_up VALUES (127)",
		"CREATE TABLE `odd \"name`` ; --` (`sel ect` int, `from` varchar(9), `ü` int, `a.b` int, PRIMARY KEY (`sel ect`, `from`), UNIQUE KEY `k \"``` (`ü`))",
		"INSERT INTO `odd \"name`` ; --` VALUES (1, 'x', 1, 2), (1, 'y', NULL, 3)",
		"CREATE TABLE child (id int PRIMARY KEY, a int, b varchar(9), up int, CONSTRAINT fk_odd FOREIGN KEY (a, b) REFERENCES `odd \"name`` ; --` (`sel ect`, `from`) ON DELETE CASCADE ON UPDATE CASCADE, CONSTRAINT fk_up FOREIGN KEY (up) REFERENCES child (id) ON DELETE SET NULL)",
		"INSERT INTO child VALUES (1, 1, 'x', NULL), (2, NULL, 'y', 1), (3, 1, 'y', 3)",
		"CREATE TABLE chicken (id int PRIMARY KEY, egg int NOT NULL)", "CREATE TABLE egg (id int PRIMARY KEY, chicken int NOT NULL, FOREIGN KEY (chicken) REFERENCES chicken (id))",
		"INSERT INTO chicken VALUES (1, 1)", "INSERT INTO egg VALUES (1, 1)", "ALTER TABLE chicken ADD CONSTRAINT laid FOREIGN KEY (egg) REFERENCES egg (id)",
		"CREATE TABLE keyless (a int, b varchar(9))", "INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL)",
		"CREATE TABLE prefixed (id int PRIMARY KEY, t text, v varchar(200), UNIQUE KEY (t(20)), KEY (v(5), id), FULLTEXT KEY words (t, v), FULLTEXT KEY other_words (v), FULLTEXT KEY more_words (t))", "INSERT INTO prefixed VALUES (1, 'some words to find', 'v'), (2, 'others', NULL)",
		"CREATE TABLE ranged (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (year(at)) (PARTITION old VALUES LESS THAN (2000), PARTITION new VALUES LESS THAN MAXVALUE)", "INSERT INTO ranged VALUES (1, '1999-01-01'), (1, '2020-01-01')",
		"CREATE TABLE hashed (id int PRIMARY KEY, v int) PARTITION BY KEY (id) PARTITIONS 5", "INSERT INTO hashed VALUES (1, 1), (2, 2), (3, 3)",
		"CREATE TABLE squeezed (id int PRIMARY KEY, v text) ROW_FORMAT = COMPRESSED KEY_BLOCK_SIZE = 8", "INSERT INTO squeezed VALUES (1, repeat('x', 5000))",
		"CREATE TABLE empty_one (id int PRIMARY KEY)",
		"CREATE VIEW seen AS SELECT m.id, m.twice, c.b FROM made m LEFT JOIN child c ON c.id = m.id WHERE m.a > 0", "CREATE VIEW guarded AS SELECT id, a FROM made WHERE a > 0 WITH CHECK OPTION",
		"CREATE FUNCTION doubled (n int) RETURNS int DETERMINISTIC RETURN n * 2", "CREATE PROCEDURE cleans (IN n int) MODIFIES SQL DATA BEGIN DELETE FROM keyless WHERE a = n; DELETE FROM keyless WHERE a IS NULL; END",
		"CREATE TRIGGER first_one BEFORE INSERT ON child FOR EACH ROW SET NEW.up = NULL", "CREATE TRIGGER second_one BEFORE INSERT ON child FOR EACH ROW SET NEW.b = concat(NEW.b, 'x')",
	}
	if maria {
		return append(out, "CREATE TABLE isam (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, v varchar(9)) ENGINE = MyISAM", "INSERT INTO isam VALUES (1, 'x'), (9, 'y')",
			"CREATE TABLE ids (id uuid PRIMARY KEY, net inet6, v4 inet4)", "INSERT INTO ids VALUES ('123e4567-e89b-12d3-a456-426655440000', '2001:db8::ff00:42:8329', '192.0.2.1'), ('ffffffff-ffff-ffff-ffff-ffffffffffff', '::', NULL)",
			"CREATE TABLE kept (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING", "INSERT INTO kept VALUES (1, 1), (2, 2)", "UPDATE kept SET v = 3 WHERE id = 1")
	}
	return append(out, "CREATE TABLE computed (id int PRIMARY KEY, v int, w varchar(20), KEY e ((v + 1)), KEY down (v DESC, w ASC), KEY unseen (w) INVISIBLE)", "INSERT INTO computed VALUES (1, 2, 'x')",
		"CREATE TABLE placed (id int PRIMARY KEY, p point NOT NULL SRID 4326, SPATIAL KEY (p))", "INSERT INTO placed VALUES (1, ST_GeomFromText('POINT(10 20)', 4326))")
}

// TestTortureOnMySQL carries a database of hard cases whole, with nothing masked,
// into an empty target and into one that has its structure: dumps are the same.
func TestTortureOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		product := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		prod, from := fresh()
		from.SetMaxOpenConns(1)
		statement(t, from, "SET GLOBAL log_bin_trust_function_creators = 1")
		statement(t, from, tortureOnMySQL(product == "MariaDB")...)
		dump := func(address string, args ...string) string {
			args = append(args, "--routines", "--triggers", "--hex-blob", "--order-by-primary", "--skip-comments", "--skip-extended-insert", "--ignore-table="+databaseIn(address)+".understudy_generation")
			if product == "MySQL" {
				args = append(args, "--set-gtid-purged=OFF")
			}
			return string(clientOf(t, mysqlProgram(t, product, "mariadb-dump", "mysqldump"), address, nil, args...))
		}
		if product == "MySQL" { // as the tests' server is, with GTIDs
			staging, _ := fresh()
			statement(t, from, "CREATE TABLE isam (id int PRIMARY KEY) ENGINE = MyISAM")
			e := newErrand(t, prod, staging, plainJob(keepNone), nil)
			e.keepAll(t)
			e.run(t, 4, "plan").wants(t, "isam has the storage engine MyISAM", "ENGINE=InnoDB")
			statement(t, from, "DROP TABLE isam")
		}
		want := dump(prod)
		for _, has := range []bool{false, true} {
			t.Run(map[bool]string{false: "empty target", true: "target with the structure"}[has], func(t *testing.T) {
				staging, _ := fresh()
				if has {
					clientOf(t, mysqlProgram(t, product, "mariadb", "mysql"), staging, bytes.NewReader([]byte(dump(prod, "--no-data"))))
				}
				e := newErrand(t, prod, staging, plainJob(keepNone), nil)
				e.carriesAll(t, want, func() string { return dump(staging) })
			})
		}
		t.Run("masked", func(t *testing.T) {
			staging, to := fresh()
			e := newErrand(t, prod, staging, plainJob(keepNone), nil)
			masked, kept := e.maskEverything(t)
			if masked < 4*kept {
				t.Errorf("%d columns are masked, and %d are kept", masked, kept)
			}
			e.run(t, 0, "refresh")
			tables := 0
			for name := range strings.SplitSeq(column(t, from, "SELECT group_concat(table_name SEPARATOR '/') FROM information_schema.tables WHERE table_schema = database() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"), "/") {
				count := "SELECT count(*) FROM `" + strings.ReplaceAll(name, "`", "``") + "`"
				if want, got := column(t, from, count), column(t, to, count); want != got {
					t.Errorf("%s has %s rows, not %s", name, got, want)
				}
				tables++
			}
			if tables < 15 {
				t.Errorf("%d tables were compared", tables)
			}
			e.verifies(t)
		})
	})
}

// carriesAll keeps every column and wants the dump of production, after one refresh and
// after the next.
func (e *errand) carriesAll(t *testing.T, want string, dump func() string) {
	t.Helper()
	e.keepAll(t)
	e.run(t, 0, "refresh")
	same(t, "dumps", want, dump())
	e.run(t, 0, "verify")
	e.run(t, 0, "refresh")
	same(t, "dumps after another refresh", want, dump())
}

func databaseIn(address string) string { return address[strings.LastIndex(address, "/")+1:] }
