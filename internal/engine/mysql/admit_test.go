package mysql

import (
	"strings"
	"testing"
)

func testBounds() *bounds {
	return &bounds{own: []string{"shop"}, next: "shop_next_x", all: []string{"shop", "live"}, mode: "STRICT_TRANS_TABLES"}
}

// What is tried on a copy names the copy where it names the database, is nobody
// else's, and its events do not run.
func TestStatementsAreWrittenForTheCopy(t *testing.T) {
	for text, want := range map[string]string{
		"ALTER TABLE `shop`.`bare` RENAME TO `plain`":                                                                                          "ALTER TABLE `shop_next_x`.`bare` RENAME TO `plain`",
		"alter table shop . bare add x int; USE shop; USE `shop`; -- shop.x":                                                                   "alter table shop_next_x . bare add x int",
		"DROP FUNCTION twice;\nDROP FUNCTION IF EXISTS `a`; DROP FUNCTION shop.b":                                                              "DROP FUNCTION `shop_next_x`.twice|DROP FUNCTION IF EXISTS `shop_next_x`.`a`|DROP FUNCTION shop_next_x.b",
		"CREATE DEFINER=`ann`@`%` SQL SECURITY INVOKER VIEW v AS SELECT t.a FROM shop.t":                                                       "CREATE SQL SECURITY INVOKER VIEW v AS SELECT t.a FROM shop_next_x.t",
		"CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW IF NEW.a > 1.5 THEN SET NEW.a = 1; END IF; DROP VIEW v":                              "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW IF NEW.a > 1.5 THEN SET NEW.a = 1; END IF|DROP VIEW v",
		"CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT IF(a, 1, 2); END CASE; l: LOOP LEAVE l; END LOOP; END; DROP TABLE t":             "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT IF(a, 1, 2); END CASE; l: LOOP LEAVE l; END LOOP; END|DROP TABLE t",
		"CREATE FUNCTION f(a int) RETURNS int RETURN CASE WHEN a THEN IF(a, 1, 2) ELSE repeat('x', 3) END; DROP TABLE t":                       "CREATE FUNCTION f(a int) RETURNS int RETURN CASE WHEN a THEN IF(a, 1, 2) ELSE repeat('x', 3) END|DROP TABLE t",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t":                                                                              "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM t",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY COMMENT 'DO' DO BEGIN DELETE FROM t; END":                                                      "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE COMMENT 'DO' DO BEGIN DELETE FROM t; END",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENABLE DO DELETE FROM t; ALTER EVENT e ENABLE":                                                 "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM t|ALTER EVENT e DISABLE",
		"/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER x AFTER DELETE ON shop.t FOR EACH ROW SET @a = 1 */":         "/*!50003 CREATE*/ /*!50017 TRIGGER x AFTER DELETE ON shop_next_x.t FOR EACH ROW SET @a = 1 */",
		"CREATE TABLE t (a int /*!80023 INVISIBLE */, b decimal(5,2) DEFAULT 0.00, c double DEFAULT 1.5e-3) /*!50100 PARTITION BY HASH (a) */": "CREATE TABLE t (a int /*!80023 INVISIBLE */, b decimal(5,2) DEFAULT 0.00, c double DEFAULT 1.5e-3) /*!50100 PARTITION BY HASH (a) */",
		"SET NAMES utf8mb4; SET @a = 1, sql_mode = 'ANSI_QUOTES'; /*!40101 SET foreign_key_checks = 0 */":                                      "SET NAMES utf8mb4|SET @a = 1, sql_mode = 'ANSI_QUOTES'|/*!40101 SET foreign_key_checks = 0 */",
		"INSERT INTO t VALUES ('live.t; live.t'), (\"a;b\"); ALTER DATABASE CHARACTER SET latin1":                                              "INSERT INTO t VALUES ('live.t; live.t'), (\"a;b\")|ALTER DATABASE CHARACTER SET latin1",
		"ALTER TABLE t ALTER id SET DEFAULT nextval(`shop`.`ids`)":                                                                             "ALTER TABLE t ALTER id SET DEFAULT nextval(`shop_next_x`.`ids`)",
		"SELECT 5--1, a FROM t": "SELECT 5--1, a FROM t",
		"SET SESSION sql_mode = 'STRICT_ALL_TABLES', character_set_client = latin1; SELECT '\\''; SET sql_mode = DEFAULT": "SET SESSION sql_mode = 'STRICT_ALL_TABLES', character_set_client = latin1|SELECT '\\''|SET sql_mode = DEFAULT",
	} {
		list, err := testBounds().take(text)
		var got []string
		for _, s := range list {
			got = append(got, strings.Join(strings.Fields(s.text), " "))
		}
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s\nis   %s %v\nwant %s", text, strings.Join(got, "|"), err, want)
		}
	}
}

// beyondTheCopy are texts that reach the rows in use, another database or the
// server, or of which that cannot be told. Each would do so in a session that
// stands in the copy.
func beyondTheCopy() []string {
	return []string{
		"DROP TABLE live.t", "DROP TABLE `live`.`t`", "DROP TABLE a, live . t", "DROP TABLE live/* */./* */t", "DROP TABLE LIVE.t", "DROP TABLE live.1t", "DROP TABLE 1live.t",
		"DROP TABLE unseen.t", "INSERT INTO t SELECT 5--1, x.a FROM live.x", "DELETE FROM t WHERE a--1 AND (SELECT 1 FROM live.t)", "DROP TABLE/*!50000 live.t */", "/*!50000 DROP TABLE live.t */",
		"DROP TABLE/*!50000live.t */", "/*! DROP TABLE t -- */ live.t", "/*!50000 SELECT '*/ live.t", "/*!99999 /* */ DROP TABLE live.t */",
		"ALTER TABLE t RENAME TO live.t", "ALTER TABLE t RENAME live.t", "RENAME TABLE t TO live.t", "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE live.t", "CREATE TABLE x LIKE live.t",
		"CREATE VIEW v AS SELECT live.t.a FROM t AS live JOIN live.t", "SELECT SHOP.t.a FROM SHOP.t", "UPDATE shop.t AS shop SET shop.a = 1",
		"CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW INSERT INTO live.t VALUES (NEW.a)", "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = live.f()",
		"CREATE PROCEDURE p() DELETE FROM live.t", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM live.t", "CALL live.p()",
		"USE live", "USE shop2", "CREATE DATABASE x", "DROP DATABASE live", "DROP SCHEMA shop", "ALTER DATABASE live CHARACTER SET latin1", "ALTER DATABASE `CHARACTER` COLLATE utf8mb4_bin",
		"GRANT ALL ON *.* TO ann", "REVOKE ALL ON t FROM ann", "CREATE USER ann", "DROP USER ann", "ALTER USER ann", "RENAME USER a TO b", "SET PASSWORD = 'x'", "CREATE ROLE r", "SET ROLE r", "SET DEFAULT ROLE r TO a",
		"SET GLOBAL max_connections = 1", "SET @a = 1, GLOBAL max_connections = 1", "SET @@global.max_connections = 1", "SET @@GLOBAL.max_connections = 1", "SET PERSIST max_connections = 1", "SET @@persist_only.x = 1", "SET STATEMENT max_statement_time = 1 FOR DROP TABLE t",
		"SET NAMES gbk", "SET CHARACTER SET sjis", "SET character_set_client = big5", "SET @@session.character_set_client = big5", "SET default_storage_engine = FEDERATED",
		"SET sql_mode = 'NO_BACKSLASH_ESCAPES'; INSERT INTO t VALUES ('\\'), ('; DROP TABLE live.t; -- ')", "SET @@sql_mode = @x; SELECT \"\\\" , live.t.a\"", "SET `sql_mode` = 1; SELECT '\\'", "SET sql_mode = 'ANSI_' 'QUOTES'; SELECT '\\''", "SET sql_mode = 'A' 'NSI'; SELECT '\\''", "SET SESSION character_set_client = DEFAULT",
		"FLUSH TABLES", "LOAD DATA INFILE 'x' INTO TABLE t", "LOAD XML INFILE 'x' INTO TABLE t", "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT a FROM t INTO DUMPFILE '/tmp/x'",
		"PREPARE s FROM @x", "EXECUTE s", "EXECUTE IMMEDIATE 'DROP TABLE live.t'", "DROP PREPARE s", "DEALLOCATE PREPARE s", "HANDLER t OPEN", "XA START 'x'", "BEGIN NOT ATOMIC DROP TABLE live.t; END",
		"CREATE TABLE x (a int) ENGINE=FEDERATED CONNECTION='mysql://a@b/live/t'", "CREATE TABLE x (a int) ENGINE = CONNECT", "ALTER TABLE t ENGINE SPIDER", "ALTER TABLE t ENGINE='FEDERATED'", "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')",
		"CREATE TABLE x (a int) ENGINE=MERGE UNION=(live.t)", "CREATE TABLESPACE x ADD DATAFILE 'x'", "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", "INSTALL PLUGIN x SONAME 'x.so'", "INSTALL COMPONENT 'x'",
		"KILL 1", "SHUTDOWN", "RESET MASTER", "PURGE BINARY LOGS TO 'x'", "CHANGE MASTER TO x = 1", "START SLAVE", "START REPLICA", "STOP SLAVE", "CLONE LOCAL DATA DIRECTORY 'x'", "LOCK INSTANCE FOR BACKUP", "BINLOG 'x'",
		"ANALYZE UPDATE live.t SET a = 1", "ANALYZE DELETE FROM t", "EXPLAIN ANALYZE DELETE FROM t", "IMPORT TABLE FROM 'x'", "ALTER EVENT e RENAME TO f", "ALTER INSTANCE ROTATE INNODB MASTER KEY",
		"DELIMITER //\nDROP TABLE live.t//", "source x.sql", "\\! rm x", "CREATE PROCEDURE p() BEGIN DROP TABLE t; END; END; DROP TABLE live.t", "CREATE PROCEDURE p() BEGIN DROP TABLE t;", "SELECT 'open", "SELECT 1 /* open", "SELECT 1\x00",
	}
}

func TestWhatReachesBeyondTheCopyIsRefused(t *testing.T) {
	for _, text := range beyondTheCopy() {
		for _, before := range []string{"", "DROP VIEW v;\n"} {
			list, err := testBounds().take(before + text)
			if err == nil {
				t.Errorf("%s: let through as %+v", text, list)
			} else if before != "" && !strings.Contains(err.Error(), "line 2") {
				t.Errorf("%s: %v does not tell where", text, err)
			}
		}
	}
}

// What a body does that its names do not tell makes the copy one in which
// statements about rows are not tried.
func TestLooseBodiesAreSeen(t *testing.T) {
	for text, want := range map[string]bool{
		"CREATE PROCEDURE p() BEGIN PREPARE s FROM @x; EXECUTE s; END":                                       true,
		"CREATE PROCEDURE p() EXECUTE IMMEDIATE @x":                                                          true,
		"CREATE PROCEDURE p() SELECT 1 INTO OUTFILE '/tmp/x'":                                                true,
		"CREATE PROCEDURE p() SET GLOBAL max_connections = 1":                                                true,
		"CREATE PROCEDURE p() SET @@global.max_connections = 1":                                              true,
		"CREATE PROCEDURE p() DROP DATABASE x":                                                               true,
		"CREATE PROCEDURE p() CREATE USER x":                                                                 true,
		"CREATE FUNCTION f() RETURNS varchar(99) RETURN concat(DATABASE(), USER())":                          false,
		"CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK; UPDATE t SET a = 1; END": false,
	} {
		list, err := testBounds().take(text)
		if err != nil || len(list) != 1 || list[0].loose != want {
			t.Errorf("%s: %+v, %v", text, list, err)
		}
	}
}
