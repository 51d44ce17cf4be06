package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"fmt"
	"io"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// mysqlProgram finds a client program of the product that a test runs on.
func mysqlProgram(t *testing.T, product, mariadb, mysql string) string {
	t.Helper()
	if product == "MySQL" {
		return filepath.Join(os.Getenv(scratchtest.MySQLVariable), mysql)
	}
	path, err := exec.LookPath(mariadb)
	if err != nil {
		t.Fatalf("no %s: apt-get install mariadb-client", mariadb)
	}
	return path
}

// clientOf runs a client program on a database.
func clientOf(t *testing.T, program, address string, input io.Reader, args ...string) []byte {
	t.Helper()
	u, err := neturl.Parse(address)
	if err != nil {
		t.Fatal("the address is no URL")
	}
	password, _ := u.User.Password()
	args = append([]string{"--host=" + u.Hostname(), "--port=" + u.Port(), "--user=" + u.User.Username(), "--default-character-set=utf8mb4"}, append(args, strings.TrimPrefix(u.Path, "/"))...)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", filepath.Base(program), err, complaint.String())
	}
	return out.Bytes()
}

// sampleOnMySQL fills a database from the samples' files. What they say of the
// database itself is left out.
func sampleOnMySQL(t *testing.T, product, address string, files ...string) {
	t.Helper()
	for _, name := range files {
		f, err := os.Open(scratchtest.SampleDatabase(t, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		text, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(text)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for line := range strings.Lines(string(all)) {
			if upper := strings.ToUpper(line); !strings.HasPrefix(upper, "USE ") && !strings.HasPrefix(upper, "CREATE DATABASE") && !strings.HasPrefix(upper, "DROP DATABASE") {
				kept = append(kept, strings.ReplaceAll(line, "sakila.", "")) // its views name the database
			}
		}
		clientOf(t, mysqlProgram(t, product, "mariadb", "mysql"), address, strings.NewReader(strings.Join(kept, "")))
	}
}

// mysqlForeignKeys lists a database's foreign keys by their definitions.
func mysqlForeignKeys(t *testing.T, db *sql.DB) string {
	t.Helper()
	return strings.ReplaceAll(column(t, db, `SELECT concat_ws(' ', k.table_name, k.constraint_name, group_concat(k.column_name ORDER BY k.ordinal_position), '->', k.referenced_table_name,
		group_concat(k.referenced_column_name ORDER BY k.ordinal_position), r.update_rule, r.delete_rule) FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
		ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name AND r.table_name = k.table_name WHERE k.table_schema = database() AND k.referenced_table_name IS NOT NULL
		GROUP BY k.table_name, k.constraint_name, k.referenced_table_name, r.update_rule, r.delete_rule ORDER BY 1`), ";", "\n")
}

// mysqlOrphans counts rows whose foreign key finds no row, key by key.
func mysqlOrphans(t testing.TB, db *sql.DB) (orphans string) {
	t.Helper()
	keys := column(t, db, `SELECT concat_ws('|', k.table_name, k.referenced_table_name, group_concat(concat(k.column_name, '=', k.referenced_column_name) ORDER BY k.ordinal_position SEPARATOR '|'))
		FROM information_schema.key_column_usage k WHERE k.table_schema = database() AND k.referenced_table_name IS NOT NULL GROUP BY k.table_name, k.constraint_name, k.referenced_table_name`)
	for _, key := range strings.Split(keys, ";") {
		parts := strings.Split(key, "|")
		var on, set []string
		for _, pair := range parts[2:] {
			from, to, _ := strings.Cut(pair, "=")
			on, set = append(on, "a.`"+from+"` = b.`"+to+"`"), append(set, "a.`"+from+"` IS NOT NULL")
		}
		n := column(t, db, fmt.Sprintf("SELECT count(*) FROM `%s` a WHERE %s AND NOT EXISTS (SELECT 1 FROM `%s` b WHERE %s)", parts[0], strings.Join(set, " AND "), parts[1], strings.Join(on, " AND ")))
		if n != "0" {
			orphans += key + ": " + n + "\n"
		}
	}
	return orphans
}

// mysqlTables lists the base tables, and mysqlContent the digests of their rows: what
// CHECKSUM TABLE gives for equal rows differs on MariaDB where a column is computed.
func mysqlTables(t testing.TB, db *sql.DB) []string {
	t.Helper()
	return strings.Split(column(t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'understudy%' ORDER BY 1"), ";")
}

func mysqlContent(t testing.TB, db *sql.DB) string {
	t.Helper()
	var out []string
	for _, name := range mysqlTables(t, db) {
		var cells []string
		for _, c := range strings.Split(column(t, db, "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = '"+name+"' ORDER BY ordinal_position"), ";") {
			cells = append(cells, "coalesce(hex(`"+c+"`), 'NULL')")
		}
		out = append(out, name+" "+column(t, db, "SELECT concat(count(*), ' ', hex(coalesce(bit_xor(CAST(conv(left(sha2(concat_ws('|', "+strings.Join(cells, ", ")+"), 256), 16), 16, 10) AS unsigned)), 0))) FROM `"+name+"`"))
	}
	return strings.Join(out, "\n")
}

// The samples, whole and a tenth of their customers, into a staging with the
// schema and into an empty one, by the rules that init drafts.
func TestSamplesOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		product := filepath.Base(t.Name())
		for _, sample := range []struct {
			name, customers string
			files           []string
		}{
			{"sakila", "customer", []string{"sakila/sakila-mysql-schema.sql.gz", "sakila/sakila-mysql-data.sql.gz"}},
			{"chinook", "Customer", []string{"chinook/chinook-mysql.sql.gz"}},
		} {
			prod, from := fresh()
			statement(t, from, "SET GLOBAL log_bin_trust_function_creators = 1")
			sampleOnMySQL(t, product, prod, sample.files...)
			for _, c := range []struct {
				empty bool
				seeds string
			}{{true, ""}, {false, "subset: {seeds: [{table: " + sample.customers + ", percent: 10}]}"}} {
				t.Run(sample.name+" "+map[bool]string{true: "whole, into an empty one", false: "a tenth, into one with the schema"}[c.empty], func(t *testing.T) {
					staging, to := fresh()
					if !c.empty {
						args := []string{"--no-data", "--routines", "--triggers", "--skip-comments"}
						if product == "MySQL" {
							args = append(args, "--set-gtid-purged=OFF")
						}
						structure := clientOf(t, mysqlProgram(t, product, "mariadb-dump", "mysqldump"), prod, nil, args...)
						clientOf(t, mysqlProgram(t, product, "mariadb", "mysql"), staging, bytes.NewReader(structure))
					}
					e := newErrand(t, prod, staging, "", nil)
					if err := os.Remove(filepath.Join(e.dir, "understudy.yaml")); err != nil {
						t.Fatal(err)
					}
					e.run(t, 0, "init")
					e.write(t, "understudy.yaml", plainJob("load: {mode: swap, keep: 0}", c.seeds))
					if !c.empty {
						e.run(t, 0, "parity").wants(t, "no difference found")
					}
					e.run(t, 0, "refresh", "--claim")
					e.run(t, 0, "parity").wants(t, "no difference found")
					if want, got := mysqlForeignKeys(t, from), mysqlForeignKeys(t, to); got != want || got == "" {
						t.Errorf("foreign keys\n%s\nwant\n%s", got, want)
					}
					if orphans := mysqlOrphans(t, to); orphans != "" {
						t.Errorf("orphans: %s", orphans)
					}
					for _, q := range []string{"SELECT concat_ws(' ', trigger_name, event_object_table, action_timing, event_manipulation) FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY 1",
						"SELECT concat_ws(' ', table_name, table_type) FROM information_schema.tables WHERE table_schema = database() AND table_name NOT LIKE 'understudy%' ORDER BY 1"} {
						same(t, q, column(t, from, q), column(t, to, q))
					}
					if sample.name == "sakila" {
						same(t, "films and their texts", column(t, to, "SELECT count(*) FROM film"), column(t, to, "SELECT count(*) FROM film_text"))
					}
					for _, name := range mysqlTables(t, from) {
						of, got := column(t, from, "SELECT count(*) FROM `"+name+"`"), column(t, to, "SELECT count(*) FROM `"+name+"`")
						if c.empty && of != got {
							t.Errorf("%s: %s rows of %s", name, got, of)
						}
					}
					if n, _ := strconv.Atoi(column(t, to, "SELECT count(*) FROM `"+sample.customers+"`")); !c.empty && (n == 0 || n > 130) {
						t.Errorf("%d customers came along", n)
					}
					e.run(t, 0, "verify")
					first := mysqlContent(t, to)
					e.run(t, 0, "refresh")
					same(t, "the same again", first, mysqlContent(t, to))
					e.runWith(t, otherKey(t), 0, "refresh")
					other := mysqlContent(t, to)
					if other == first {
						t.Error("another key gave the same content")
					}
					statement(t, from, "ALTER TABLE `"+sample.customers+"` ADD undecided varchar(9)")
					e.run(t, 3, "refresh").wants(t, "undecided")
					statement(t, from, "ALTER TABLE `"+sample.customers+"` DROP undecided")
					same(t, "staging after the refusal", other, mysqlContent(t, to))
				})
			}
		}
	})
}
