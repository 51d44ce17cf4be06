package mysql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	neturl "net/url"
	"os"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/engine/enginetest"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

func TestMain(m *testing.M) { os.Exit(scratchtest.Main(m)) }

// products are the servers that every test runs on.
func products() map[string]func(testing.TB) *scratch.MySQL {
	return map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL}
}

// onBoth runs a test on both products.
func onBoth(t *testing.T, test func(t *testing.T, server *scratch.MySQL)) {
	for name, start := range products() {
		t.Run(name, func(t *testing.T) { test(t, start(t)) })
	}
}

// clientMode is the sql_mode of the tests' own client: standard quotes.
const clientMode = "ANSI,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO"

// application opens a database as an application does.
func application(t testing.TB, url string) *sql.DB {
	t.Helper()
	at, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", at.User.String()+"@tcp("+at.Host+")"+at.Path+"?charset=utf8mb4&lock_wait_timeout=2&sql_mode=%27"+strings.ReplaceAll(clientMode, ",", "%2C")+"%27&time_zone=%27%2B00%3A00%27")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(ctx context.Context, db *sql.DB, text string) ([]string, error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = v.String
		}
		out = append(out, strings.Join(row, "|"))
	}
	return out, rows.Err()
}

// exactCollation is one in which texts are equal only if their bytes are.
func exactCollation(server *scratch.MySQL) string {
	if server.MariaDB() {
		return "utf8mb4_nopad_bin"
	}
	return "utf8mb4_0900_bin"
}

// freshDatabase makes an empty database and gives its URL.
func freshDatabase(t testing.TB, server *scratch.MySQL) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:12])
	admin := application(t, server.URL(""))
	must(t, admin, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE "+exactCollation(server))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // undo
		defer cancel()
		_, _ = admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name) // the server may be stopped by now
	})
	return server.URL(name)
}

// must runs statements as a client of the test's own.
func must(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v\nin %.300s", err, s)
		}
	}
}

func fresh(server *scratch.MySQL) func(t *testing.T) enginetest.Database {
	return func(t *testing.T) enginetest.Database {
		t.Helper()
		url := freshDatabase(t, server)
		db := application(t, url)
		if _, err := db.ExecContext(t.Context(), "DO 0"); err != nil {
			t.Fatal(err)
		}
		recursion := "SET SESSION cte_max_recursion_depth = 100000"
		if server.MariaDB() {
			recursion = "SET SESSION max_recursive_iterations = 100000"
		}
		db.SetMaxOpenConns(1)
		must(t, db, recursion)
		spellings := []secret.Text{secret.New(strings.Replace(url, "127.0.0.1", "localhost", 1)), secret.New(strings.Replace(url, "mysql://", "mariadb://", 1))}
		if socket := server.SocketURL(url[strings.LastIndex(url, "/")+1:]); socket != "" {
			spellings = append(spellings, secret.New(socket))
		}
		return enginetest.Database{
			URL: secret.New(url), Spellings: spellings,
			Exec: func(text string) error {
				_, err := db.ExecContext(t.Context(), text)
				return err
			},
			Query: func(text string) ([]string, error) { return query(t.Context(), db, text) },
		}
	}
}

func harness(server *scratch.MySQL) enginetest.Harness {
	return enginetest.Harness{
		Engine: New(),
		Named:  true,
		Fresh:  fresh(server),
		Words: enginetest.Words{
			Identity: "bigint AUTO_INCREMENT PRIMARY KEY", Integer: "bigint", Key: "varchar(700)", Longest: 700, Indexes: true,
			Long: "longtext", Bytes: "longblob",
			Repeat:  func(text string, n int) string { return fmt.Sprintf("repeat(%s, %d)", text, n) },
			AsBytes: func(text string) string { return "CAST(" + text + " AS BINARY)" },
			Show:    func(e string) string { return "coalesce(hex(" + e + "), '<null>'), " + e },
			Recent:  func(e string) string { return e + " > now() + interval 78 year and current_timestamp() < '2021-01-01'" },
		},
		Values: suiteValues(server.MariaDB()),
		Crash: func(t *testing.T, l engine.Load) {
			t.Helper()
			mine := enginetest.Own(l).(*load)
			mine.hangUp()
			mine.ended = true // its Abort does nothing
			gone(t, server, mine.guard.id)
		},
	}
}

// gone waits until the server has ended a session, as it does soon after its client has gone.
func gone(t *testing.T, server *scratch.MySQL, id string) {
	t.Helper()
	admin := application(t, server.URL(""))
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); _ = wait(t.Context(), 10*time.Millisecond) {
		rows, err := query(t.Context(), admin, "SELECT 1 FROM information_schema.processlist WHERE id = "+id)
		if err == nil && len(rows) == 0 {
			return
		}
	}
	t.Fatal("the session of a load that crashed does not end")
}

func TestSuite(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) { enginetest.Run(t, harness(server)) })
}

func suiteValues(maria bool) []enginetest.Value {
	out := []enginetest.Value{
		{Type: "bigint", Literal: "-9223372036854775808", Canonical: "-9223372036854775808"},
		{Type: "bigint unsigned", Literal: "18446744073709551615", Canonical: "18446744073709551615"},
		{Type: "smallint", Literal: "7", Canonical: "7"},
		{Type: "mediumint(6) zerofill", Literal: "42", Canonical: "42"},
		{Type: "decimal(8,2) zerofill", Literal: "1.5", Canonical: "1.50"},
		{Type: "tinyint(1)", Literal: "1", Canonical: "true"},
		{Type: "tinyint(1)", Literal: "0", Canonical: "false"},
		{Type: "tinyint(1)", Literal: "2", Canonical: "2"},
		{Type: "bit(1)", Literal: "1", Canonical: "true"},
		{Type: "bit(12)", Literal: "b'100000000001'", Canonical: "2049"},
		{Type: "bit(64)", Literal: "x'ffffffffffffffff'", Canonical: "18446744073709551615"},
		{Type: "year", Literal: "0", Canonical: "0"},
		{Type: "year", Literal: "'2024'", Canonical: "2024"},
		{Type: "decimal(65,30)", Literal: "-12345678901234567890123456789012345.123456789012345678901234567890", Canonical: "-12345678901234567890123456789012345.123456789012345678901234567890"},
		{Type: "decimal(10,2)", Literal: "12.5", Canonical: "12.50"},
		{Type: "double", Literal: "0.1e0", Canonical: "0.1"},
		{Type: "double", Literal: "1e300", Canonical: "1e+300"},
		{Type: "double", Literal: "5e-324", Canonical: "-"},
		{Type: "double", Literal: "0.30000000000000004e0", Canonical: "0.30000000000000004"},
		{Type: "double", Literal: "1.7976931348623157e308", Canonical: "-"},
		{Type: "float", Literal: "16777217", Canonical: "1.6777216e+07"},
		{Type: "float", Literal: "0.1", Canonical: "0.1"},
		{Type: "float(7,3)", Literal: "12.3456", Canonical: "-"},
		{Type: "varchar(20)", Literal: "''", Canonical: ""},
		{Type: "text", Literal: `'O''Brien \N {a,b} "q" ' || x'09' || x'0a' || x'0d'`, Canonical: "O'Brien \\N {a,b} \"q\" \t\n\r"},
		{Type: "text", Literal: "'日本 🦆'", Canonical: "日本 🦆"},
		{Type: "text", Literal: "'a' || x'00' || 'b' || x'1a5c'", Canonical: "a\x00b\x1a\\"},
		{Type: "char(5)", Literal: "'ab '", Canonical: "ab"},
		{Type: "varchar(20)", Literal: "'trail '", Canonical: "trail "},
		{Type: "varchar(20)", Literal: "'NULL'", Canonical: "NULL"},
		{Type: "varchar(20) character set latin1", Literal: "'Ünï€'", Canonical: "Ünï€"},
		{Type: "varchar(40) character set latin1", Literal: "x'80818d8f909da0ffe4'", Canonical: "-"},
		{Type: "varchar(20) character set utf8mb3", Literal: "'日本'", Canonical: "日本"},
		{Type: "varchar(20) character set utf16", Literal: "'日本🦆'", Canonical: "日本🦆"},
		{Type: "varchar(20) character set sjis", Literal: "'日本ソ'", Canonical: "日本ソ"},
		{Type: "blob", Literal: "x''", Canonical: ""},
		{Type: "blob", Literal: "x'00ff27225c0a0d09'", Canonical: "\x00\xff'\"\\\n\r\t"},
		{Type: "binary(4)", Literal: "x'61'", Canonical: "a\x00\x00\x00"},
		{Type: "varbinary(20)", Literal: "x'6120'", Canonical: "a "},
		{Type: "longblob", Literal: "repeat(x'5c', 300000)", Canonical: strings.Repeat("\\", 300000)},
		{Type: "date", Literal: "'2024-02-29'", Canonical: "2024-02-29"},
		{Type: "date", Literal: "'0000-00-00'", Canonical: "-"},
		{Type: "date", Literal: "'2020-05-00'", Canonical: "-"},
		{Type: "datetime", Literal: "'9999-12-31 23:59:59'", Canonical: "9999-12-31 23:59:59"},
		{Type: "datetime(6)", Literal: "'2024-02-29 12:34:56.789'", Canonical: "2024-02-29 12:34:56.789"},
		{Type: "datetime(3)", Literal: "'2024-02-29 12:34:56'", Canonical: "2024-02-29 12:34:56"},
		{Type: "datetime(6)", Literal: "'0000-00-00 00:00:00'", Canonical: "-"},
		{Type: "timestamp(6) null", Literal: "'2038-01-19 03:14:07.999999'", Canonical: "2038-01-19 03:14:07.999999"},
		{Type: "timestamp null", Literal: "'1970-01-01 00:00:01'", Canonical: "1970-01-01 00:00:01"},
		{Type: "time(3)", Literal: "'-838:59:58.999'", Canonical: "-838:59:58.999"},
		{Type: "time", Literal: "'838:59:59'", Canonical: "838:59:59"},
		{Type: "enum('a','b''c','日')", Literal: "'b''c'", Canonical: "b'c"},
		{Type: "enum('','x')", Literal: "''", Canonical: ""},
		{Type: "set('x','y','z')", Literal: "'z,x'", Canonical: "x,z"},
		{Type: "set('x','y','z')", Literal: "''", Canonical: ""},
		{Type: "point", Literal: "ST_GeomFromText('POINT(1.5 -2)')", Canonical: "-"},
		{Type: "geometry", Literal: "ST_GeomFromText('LINESTRING(0 0,1 1)', 4326)", Canonical: "-"},
	}
	if maria {
		return append(out,
			enginetest.Value{Type: "json", Literal: `'{"a" : 1, "a":[1,null,"x"]}'`, Canonical: `{"a" : 1, "a":[1,null,"x"]}`},
			enginetest.Value{Type: "uuid", Literal: "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'", Canonical: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
			enginetest.Value{Type: "inet6", Literal: "'2001:DB8::1'", Canonical: "2001:db8::1"},
			enginetest.Value{Type: "inet4", Literal: "'192.0.2.7'", Canonical: "192.0.2.7"})
	}
	return append(out,
		enginetest.Value{Type: "json", Literal: `'{"b":"\n","a" : [1,null,1.50]}'`, Canonical: `{"a": [1, null, 1.5], "b": "\n"}`},
		enginetest.Value{Type: "json", Literal: `'12345678901234567890.5'`, Canonical: "-"},
		enginetest.Value{Type: "vector(2)", Literal: "string_to_vector('[1.5,2]')", Canonical: "-"})
}

// shopDDL is a database with one of every kind of object.
func shopDDL(maria bool) []string {
	out := []string{
		"CREATE TABLE customers (id int unsigned AUTO_INCREMENT PRIMARY KEY, email varchar(80) CHARACTER SET latin1 NOT NULL DEFAULT 'it''s; a \"test\"', seen timestamp NULL DEFAULT current_timestamp ON UPDATE current_timestamp, " +
			"hidden int INVISIBLE DEFAULT 7, kind enum('a','b'), loud varchar(90) AS (upper(email)) VIRTUAL, UNIQUE KEY by_email (email), KEY by_kind (kind, seen), FULLTEXT KEY words (email), CONSTRAINT sane CHECK (email <> '')) COMMENT 'who buys'",
		"CREATE TABLE orders (id bigint PRIMARY KEY, customer int unsigned, note text, qty int, FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE CASCADE, CONSTRAINT other FOREIGN KEY (customer) REFERENCES customers (id), CHECK (qty > 0))",
		"CREATE TABLE log (at date NOT NULL, what varchar(10)) PARTITION BY RANGE (year(at)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE)",
		"CREATE VIEW recent AS SELECT id, email FROM customers WHERE seen > '2020-01-01'",
		"CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = coalesce(NEW.note, 'none')",
		"CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN 2 * n",
		"CREATE PROCEDURE tidy () MODIFIES SQL DATA DELETE FROM log WHERE at < '2000-01-01'",
		"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM log",
	}
	if maria {
		return append(out, "CREATE SEQUENCE numbers START WITH 5", "CREATE TABLE versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING")
	}
	return append(out, "SET SESSION sql_generate_invisible_primary_key = ON", "CREATE TABLE made (v int)", "SET SESSION sql_generate_invisible_primary_key = OFF")
}

func databaseOf(url string) string { return url[strings.LastIndex(url, "/")+1:] }
