package main

import (
	"database/sql"
	"strings"
	"testing"
)

// What decides whether source and target are one is which databases the job means, not
// which the URLs name.
func TestSchemasThatNameProductionOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		source, from := fresh()
		target, to := fresh()
		for i, db := range []*sql.DB{from, to} {
			statement(t, db, "CREATE TABLE people (id int PRIMARY KEY, email varchar(90))", "INSERT INTO people VALUES (1, 'a@private.test'), (2, 'b@private.test')")
			if i == 1 {
				statement(t, db, "UPDATE people SET email = 'x@staging.test'")
			}
		}
		one, other := databaseIn(source), databaseIn(target)
		rules := map[string]string{"r.yaml": "version: 1\ntables:\n  " + one + ".people: {columns: {id: {keep: \"a number\"}, email: email}}\n"}
		rows := func() string {
			const all = "SELECT group_concat(id, email ORDER BY id) FROM people"
			return column(t, from, all) + " " + column(t, to, all)
		}
		before := rows()
		for _, schemas := range []string{"schemas: [" + one + "]", "schemas: [{source: " + one + ", target: " + one + "}]", "schemas: [{source: " + one + ", target: " + other + "}, {source: " + other + ", target: " + one + "}]"} {
			for _, mode := range []string{"swap", "replace"} {
				e := newErrand(t, source, target, plainJob("load: {mode: "+mode+"}", schemas), rules)
				e.run(t, 4, "refresh", "--claim").wants(t, "the same database")
				e.run(t, 4, "plan", "--claim")
			}
		}
		same(t, "both databases", before, rows())
		// Both URLs may name production, where the job means another database for the target.
		e := newErrand(t, source, source, plainJob("schemas: [{source: "+one+", target: "+other+"}]"), rules)
		e.run(t, 0, "plan", "--claim").wants(t, one+" -> "+other)
		e.run(t, 0, "refresh", "--claim")
		if after := rows(); !strings.HasPrefix(after, strings.Fields(before)[0]) || strings.Contains(after, "staging.test") {
			t.Errorf("after the refresh: %s", after)
		}
	})
}

// A key that is 0 stays so beside columns of bytes, however rows travel.
func TestKeysOfZeroOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		source, from := fresh()
		target, to := fresh()
		statement(t, from, "CREATE TABLE zeros (id int AUTO_INCREMENT PRIMARY KEY, b blob, n bigint unsigned, f float)", "CREATE TABLE refers (zero int, FOREIGN KEY (zero) REFERENCES zeros (id))",
			"INSERT INTO zeros VALUES (7, x'00ff', 18446744073709551000, 0.33333334), (1, 'one', 1, 16777217)", "UPDATE zeros SET id = 0 WHERE id = 7", "INSERT INTO refers VALUES (0), (1)")
		rules := map[string]string{"r.yaml": "version: 1\ntables:\n  zeros: {columns: {\"id, b\": {keep: \"for a test\"}, n: {mask: noise, percent: 5}, f: noise}}\n  refers: {columns: {zero: {keep: \"for a test\"}}}\n"}
		for _, mode := range []string{"swap", "replace"} {
			e := newErrand(t, source, target, plainJob("load: {mode: "+mode+"}"), rules)
			e.run(t, 0, "refresh")
			e.run(t, 0, "verify")
			const all = "SELECT concat(group_concat(id, hex(b) ORDER BY id), ' ', (SELECT group_concat(zero ORDER BY zero) FROM refers)) FROM zeros"
			same(t, "rows by "+mode, column(t, from, all), column(t, to, all))
			if n := column(t, to, "SELECT n > 17000000000000000000 AND n <> 18446744073709551000 FROM zeros WHERE id = 0"); n != "1" {
				t.Errorf("a number without a sign was not moved a little: %s", column(t, to, "SELECT n FROM zeros WHERE id = 0"))
			}
		}
	})
}

// What partitions and character sets refuse is told before a row is read.
func TestPlanKnowsPartitionsAndCharactersOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		source, from := fresh()
		target, to := fresh()
		for _, db := range []*sql.DB{from, to} {
			statement(t, db, "CREATE TABLE days (id int, d date NOT NULL, KEY (id, d)) PARTITION BY RANGE COLUMNS (d) (PARTITION a VALUES LESS THAN ('2020-02-01'), PARTITION b VALUES LESS THAN ('2020-03-01'))",
				"CREATE TABLE spans (id int, d date) PARTITION BY RANGE (to_days(d)) (PARTITION a VALUES LESS THAN (to_days('2020-03-01')))",
				"CREATE TABLE kinds (id int, k varchar(20)) PARTITION BY LIST COLUMNS (k) (PARTITION a VALUES IN ('a', 'b'), PARTITION c VALUES IN ('c', NULL))",
				"CREATE TABLE open (id int, d date NOT NULL) PARTITION BY RANGE (year(d)) (PARTITION a VALUES LESS THAN (2000), PARTITION z VALUES LESS THAN MAXVALUE)")
		}
		statement(t, from, "INSERT INTO days VALUES (1, '2020-02-28'), (2, '2020-02-27'), (3, '2020-02-26')", "INSERT INTO spans VALUES (1, '2020-02-28'), (2, NULL), (3, '2020-02-29')",
			"INSERT INTO kinds VALUES (1, 'a'), (2, 'c'), (3, NULL)", "INSERT INTO open VALUES (1, '1999-12-31'), (2, '2020-01-01')",
			"CREATE TABLE words (id int PRIMARY KEY, v varchar(20) CHARACTER SET utf8mb4)", "INSERT INTO words VALUES (1, 'plain'), (2, '\U0001F600')")
		statement(t, to, "CREATE TABLE words (id int PRIMARY KEY, v varchar(20) CHARACTER SET latin1)")
		rules := func(d, k string) map[string]string {
			return map[string]string{"r.yaml": "version: 1\ntables:\n" +
				"  days: {columns: {id: {keep: \"for a test\"}, d: " + d + "}}\n  spans: {columns: {id: {keep: \"for a test\"}, d: " + d + "}}\n  open: {columns: {id: {keep: \"for a test\"}, d: " + d + "}}\n" +
				"  kinds: {columns: {id: {keep: \"for a test\"}, k: " + k + "}}\n  words: {columns: {\"id, v\": {keep: \"for a test\"}}}\n"}
		}
		e := newErrand(t, source, target, plainJob(), rules("{mask: date_shift, within: 400d}", "hash"))
		s := e.run(t, 2, "plan")
		s.wants(t, "days.d", "spans.d", "kinds.k", "no partition takes them", "words.v", "character set lacks")
		if strings.Contains(s.all(), "open.d") {
			t.Errorf("a partition without an end is told: %s", s.all())
		}
		statement(t, from, "DELETE FROM words WHERE id = 2")
		newErrand(t, source, target, plainJob(), rules("{keep: \"for a test\"}", "{keep: \"for a test\"}")).run(t, 0, "refresh")
	})
}
