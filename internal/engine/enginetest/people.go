package enginetest

import "testing"

// structure is the suite's small database: a text key, a self reference, a
// composite key, a check, a unique column, a generated one.
func (w Words) structure() []string {
	key := w.Key
	if key == "" {
		key = "text"
	}
	return []string{
		`CREATE TABLE countries (code varchar(2) NOT NULL PRIMARY KEY, name text NOT NULL)`,
		`CREATE TABLE people (id ` + w.Identity + `, name text NOT NULL, email varchar(40) NOT NULL UNIQUE,
			country varchar(2) REFERENCES countries (code), boss ` + w.Integer + ` REFERENCES people (id),
			age integer, loud text GENERATED ALWAYS AS (upper(name)) STORED, CONSTRAINT people_age_check CHECK (age >= 0))`,
		`CREATE TABLE items (order_id integer NOT NULL, line integer NOT NULL, person ` + w.Integer + ` REFERENCES people (id), note text,
			PRIMARY KEY (order_id, line))`,
		`CREATE TABLE parts (order_id integer, line integer, label text, CONSTRAINT parts_line FOREIGN KEY (order_id, line) REFERENCES items (order_id, line))`,
		`CREATE TABLE flags (name ` + key + ` NOT NULL PRIMARY KEY, state text)`,
		`CREATE INDEX people_boss ON people (boss)`,
		`CREATE VIEW grown AS SELECT id, name FROM people WHERE age >= 18`,
	}
}

func rows() []string {
	return []string{
		`INSERT INTO countries (code, name) VALUES ('de', 'Deutschland'), ('fr', 'France'), ('xx', 'O''Brien''s "land", {a,b} \x')`,
		`INSERT INTO people (id, name, email, country, boss, age) VALUES
			(1, 'Ada', 'ada@example.com', 'de', NULL, 36), (2, 'Bob', 'bob@example.com', 'fr', 1, 17),
			(3, 'Çelik', 'c@example.com', NULL, 1, NULL), (4, 'NULL', 'd@example.com', 'xx', 3, 80)`,
		`INSERT INTO items (order_id, line, person, note) VALUES (1, 1, 1, 'first'), (1, 2, 2, NULL), (2, 1, 2, '')`,
		`INSERT INTO parts (order_id, line, label) VALUES (1, 1, 'a'), (1, 2, 'b'), (2, NULL, 'half'), (NULL, NULL, 'none')`,
		`INSERT INTO flags (name, state) VALUES ('production', 'on')`,
	}
}

// people makes a database with the suite's structure and rows.
func (h Harness) people(t *testing.T) Database {
	t.Helper()
	db := h.empty(t)
	db.exec(t, rows()...)
	return db
}

// empty makes one with the structure alone.
func (h Harness) empty(t *testing.T) Database {
	t.Helper()
	db := h.Fresh(t)
	db.exec(t, h.Words.structure()...)
	return db
}

// content is all rows of all tables, comparable.
func content(t *testing.T, db Database) []string {
	t.Helper()
	var out []string
	for _, q := range []string{
		`SELECT code, name FROM countries ORDER BY code`, `SELECT id, name, email, country, boss, age, loud FROM people ORDER BY id`,
		`SELECT order_id, line, person, note FROM items ORDER BY order_id, line`, `SELECT order_id, line, label FROM parts ORDER BY label`,
		`SELECT name, state FROM flags ORDER BY name`, `SELECT id, name FROM grown ORDER BY id`,
	} {
		out = append(out, db.query(t, q)...)
	}
	return out
}
