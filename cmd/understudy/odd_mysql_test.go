package main

import (
	"database/sql"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the plan says of a server or a structure that a run could not cope with, and
// values at the edge of their types.
func TestOddOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		product := filepath.Base(t.Name())
		keep := func(columns ...string) map[string]string {
			text := "version: 1\ntables:\n  t:\n    columns:\n"
			for _, c := range columns {
				text += "      " + c + ": {keep: a reason}\n"
			}
			return map[string]string{"rules.yaml": text}
		}
		t.Run("a storage engine whose tables the next night could not switch", func(t *testing.T) {
			prod, from := fresh()
			staging, _ := fresh()
			statement(t, from, "CREATE TABLE t (id int PRIMARY KEY) ENGINE=MEMORY")
			e := newErrand(t, prod, staging, plainJob(), keep("id"))
			e.run(t, 4, "plan", "--claim").wants(t, "MEMORY", "cannot be switched")
		})
		t.Run("the greatest FLOAT", func(t *testing.T) {
			prod, from := fresh()
			staging, to := fresh()
			statement(t, from, "CREATE TABLE t (id int PRIMARY KEY, f float)", "INSERT INTO t VALUES (1, 3.4028234663852886e38), (2, -3.4028234663852886e38), (3, 1.17549435e-38), (4, 0.1)")
			e := newErrand(t, prod, staging, plainJob(), keep("id", "f"))
			e.run(t, 0, "refresh", "--claim")
			const q = "SELECT f + 0e0 FROM t ORDER BY id"
			same(t, "the values", column(t, from, q), column(t, to, q))
		})
		t.Run("short statements", func(t *testing.T) {
			prod, from := fresh()
			staging, to := fresh()
			var limit string
			if err := from.QueryRow("SELECT @@GLOBAL.max_allowed_packet").Scan(&limit); err != nil {
				t.Fatal(err)
			}
			statement(t, from, "CREATE TABLE t (id int PRIMARY KEY, v varchar(200))", "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, repeat('x', 190) FROM n")
			statement(t, from, "SET GLOBAL max_allowed_packet = 65536")
			defer statement(t, from, "SET GLOBAL max_allowed_packet = "+limit)
			e := newErrand(t, prod, staging, plainJob(), keep("id", "v"))
			e.run(t, 0, "refresh", "--claim")
			same(t, "rows", "900", column(t, to, "SELECT count(*) FROM t"))
		})
		t.Run("settings of the server's", func(t *testing.T) {
			prod, from := fresh()
			staging, to := fresh()
			statement(t, from, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
			reads := map[string]string{"MariaDB": "tx_read_only", "MySQL": "transaction_read_only"}[product]
			statement(t, from, "SET GLOBAL "+reads+" = 1", "SET GLOBAL sql_select_limit = 1")
			defer statement(t, from, "SET GLOBAL "+reads+" = 0", "SET GLOBAL sql_select_limit = 18446744073709551615")
			e := newErrand(t, prod, staging, plainJob(), keep("id", "v"))
			e.run(t, 0, "refresh", "--claim")
			same(t, "rows", "3", column(t, to, "SELECT count(*) FROM t"))
		})
		t.Run("a server that says nothing", func(t *testing.T) {
			silent, err := net.Listen("tcp", "127.0.0.1:0") // the system takes connections for it
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			_, port, _ := strings.Cut(silent.Addr().String(), ":")
			e := newErrand(t, "mysql://app:x@127.0.0.1:"+port+"/shop?connect-timeout=1", "mysql://app:x@127.0.0.1:"+port+"/other?connect-timeout=1", plainJob(), keep("id"))
			e.run(t, 6, "plan")
		})
		if product != "MariaDB" {
			return
		}
		t.Run("packages and periods", func(t *testing.T) {
			prod, from := fresh()
			staging, to := fresh()
			const period = "CREATE TABLE t (id int, f date, u date, PERIOD FOR p (f, u), UNIQUE (id, p WITHOUT OVERLAPS))"
			statement(t, from, period, "INSERT INTO t VALUES (1, '2020-01-01', '2021-01-01'), (1, '2021-01-01', '2022-01-01')")
			e := newErrand(t, prod, staging, plainJob(), keep("id", "f", "u"))
			e.run(t, 0, "refresh", "--claim")
			e.run(t, 0, "verify")
			same(t, "rows", "2", column(t, to, "SELECT count(*) FROM t"))
			conn, err := from.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, s := range []string{"SET sql_mode = ORACLE", "CREATE PACKAGE pk AS FUNCTION f1 RETURN int; END"} {
				if _, err := conn.ExecContext(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			empty, _ := fresh()
			newErrand(t, prod, empty, plainJob(), keep("id", "f", "u")).run(t, 4, "plan", "--claim").wants(t, "package", "pk")
			e.run(t, 0, "refresh")
			e.run(t, 0, "parity").wants(t, "packages are not compared")
		})
	})
}

// A reader to whom tables were granted one by one does not see the others: the plan says so.
func TestTablesGrantedOneByOneOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		prod, from := fresh()
		staging, to := fresh()
		database := column(t, from, "SELECT database()")
		user := "few_" + database[5:]
		statement(t, from, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE hidden (id int PRIMARY KEY)", "CREATE USER "+user+" IDENTIFIED BY 'x'", "GRANT SELECT ON t TO "+user)
		t.Cleanup(func() { _, _ = from.Exec("DROP USER " + user) }) // the server may be stopped by now
		u, err := url.Parse(prod)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, "x")
		e := newErrand(t, u.String(), staging, plainJob(), map[string]string{"rules.yaml": "version: 1\ntables:\n  t:\n    columns:\n      id: {keep: a reason}\n"})
		e.run(t, 0, "plan", "--claim").wants(t, "sees only", "GRANT SELECT")
		statement(t, to, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE hidden (id int PRIMARY KEY)")
		e.run(t, 0, "parity", "--sql", "close.sql").wants(t, "granted one by one", "hidden")
		if text, err := os.ReadFile(filepath.Join(e.dir, "close.sql")); err != nil || strings.Contains(string(text), "DROP TABLE") {
			t.Errorf("what production may have as well is dropped: %v\n%s", err, text)
		}
	})
}
