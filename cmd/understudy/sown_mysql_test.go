package main

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

// sownOnMySQL are twenty changes of a well-known sample, and what parity calls each.
func sownOnMySQL() [][2]string {
	return [][2]string{
		{"ALTER TABLE actor ADD COLUMN nickname text", "column actor.nickname: extra in target"},
		{"ALTER TABLE staff DROP COLUMN picture", "column staff.picture: missing in target"},
		{"ALTER TABLE film ALTER rental_rate SET DEFAULT 5.99", "column film.rental_rate: different"},
		{"ALTER TABLE store MODIFY last_update timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", "column store.last_update: different"},
		{"ALTER TABLE category MODIFY name varchar(30) NOT NULL", "column category.name: different"},
		{"ALTER TABLE country MODIFY country varchar(50) CHARACTER SET latin1 NOT NULL", "column country.country: different"},
		{"ALTER TABLE film DROP INDEX idx_title", "index film.idx_title: missing in target"},
		{"CREATE INDEX idx_first ON actor (first_name)", "index actor.idx_first: extra in target"},
		{"ALTER TABLE rental DROP FOREIGN KEY fk_rental_staff", "foreign key rental.fk_rental_staff: missing in target"},
		{"ALTER TABLE inventory DROP FOREIGN KEY fk_inventory_store;; ALTER TABLE inventory ADD CONSTRAINT fk_inventory_store FOREIGN KEY (store_id) REFERENCES store (store_id)", "foreign key inventory.fk_inventory_store: different"},
		{"ALTER TABLE rental DROP INDEX rental_date, ADD UNIQUE rental_date (rental_date, customer_id, inventory_id)", "unique rental.rental_date: different"},
		{"ALTER TABLE address ADD CONSTRAINT short_code CHECK (char_length(postal_code) < 20)", "check address.short_code: extra in target"},
		{"CREATE TABLE more (id integer PRIMARY KEY, what varchar(9) NOT NULL)", "table more: extra in target"},
		{"ALTER TABLE store COMMENT 'where it happens'", "table store: different"},
		{"ALTER TABLE film_category ROW_FORMAT = COMPRESSED", "table film_category: different"},
		{"DROP VIEW staff_list", "view staff_list: missing in target"},
		{"DROP FUNCTION inventory_in_stock;; CREATE FUNCTION inventory_in_stock (p_inventory_id INT) RETURNS BOOLEAN READS SQL DATA RETURN true", "function inventory_in_stock: different"},
		{"DROP TRIGGER upd_film", "trigger film.upd_film: missing in target"},
		{"DROP TRIGGER del_film;; CREATE TRIGGER del_film AFTER DELETE ON film FOR EACH ROW DELETE FROM film_text WHERE film_id = old.film_id", "trigger film.del_film: different"},
		{"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM payment", "event nightly: extra in target"},
	}
}

// TestSeededDifferencesOnMySQL: against a copy of a sample made by a dump nothing
// differs; against one with twenty changes these twenty do, and their closing
// statements close them all, in a copy: rows and structure stay as they were.
func TestSeededDifferencesOnMySQL(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		product := filepath.Base(t.Name())
		source, from := fresh()
		target, to := fresh()
		statement(t, from, "SET GLOBAL log_bin_trust_function_creators = 1")
		sampleOnMySQL(t, product, source, "sakila/sakila-mysql-schema.sql.gz")
		args := []string{"--routines", "--triggers", "--events", "--skip-comments"}
		if product == "MySQL" {
			args = append(args, "--set-gtid-purged=OFF")
		}
		dump := func(address string, more ...string) []byte {
			return clientOf(t, mysqlProgram(t, product, "mariadb-dump", "mysqldump"), address, nil, append(more, args...)...)
		}
		clientOf(t, mysqlProgram(t, product, "mariadb", "mysql"), target, bytes.NewReader(dump(source)))
		e := newErrand(t, source, target, plainJob(keepNone), nil)
		e.run(t, 0, "parity").wants(t, "no difference found")
		statement(t, to, "INSERT INTO actor (first_name, last_name) VALUES ('ANN', 'ARBOR')")
		var want []string
		for _, s := range sownOnMySQL() {
			statement(t, to, strings.Split(s[0], ";; ")...)
			kind, name, _ := strings.Cut(s[1], " ")
			if rest, ok := strings.CutPrefix(s[1], "foreign key "); ok {
				kind, name = "foreign key", rest
			}
			want = append(want, kind+" "+column(t, from, "SELECT database()")+"."+name)
		}
		before := dump(target)
		e.differAndClose(t, want)
		if after := dump(target); !bytes.Equal(before, after) {
			t.Error("the target is not what it was")
		}
		if left := column(t, to, `SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE concat(database(), '\_%')`); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}
