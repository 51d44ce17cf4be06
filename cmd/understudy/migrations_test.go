package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// A migrationTool is how one tool keeps its history and its files: the statements
// that make the history with versions 1 and 2, then those that add 3 and 4.
type migrationTool struct {
	name, history, ahead string
	third, fourth        string // names of files
	form                 string // of a file; SQL stands for its statements
}

func migrationTools() []migrationTool {
	return []migrationTool{
		{"Flyway", `CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200), type varchar(20), script varchar(1000), success boolean);
			INSERT INTO flyway_schema_history VALUES (1, '1', 'one', 'SQL', 'V1__one.sql', true), (2, '2', 'two', 'SQL', 'V2__two.sql', true)`,
			`INSERT INTO flyway_schema_history VALUES (3, '3', 'three', 'SQL', 'V3__three.sql', true), (4, '4', 'four', 'SQL', 'V4__four.sql', true)`,
			"V3__three.sql", "V4__four.sql", "SQL"},
		{"goose", `CREATE TABLE goose_db_version (id int PRIMARY KEY, version_id bigint, is_applied boolean);
			INSERT INTO goose_db_version VALUES (1, 0, true), (2, 1, true), (3, 2, true)`,
			`INSERT INTO goose_db_version VALUES (4, 3, true), (5, 4, false), (6, 4, true)`,
			"00003_three.sql", "00004_four.sql", "-- +goose Up\nSQL\n-- +goose Down\nDROP TABLE nothing;\n"},
		{"golang-migrate", `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean); INSERT INTO schema_migrations VALUES (2, false)`,
			`UPDATE schema_migrations SET version = 4`, "000003_three.up.sql", "000004_four.up.sql", "BEGIN;\nSQL\nCOMMIT;\n"},
		{"Rails", `CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY); INSERT INTO schema_migrations VALUES ('1'), ('2')`,
			`INSERT INTO schema_migrations VALUES ('3'), ('4')`, "3_three.sql", "4_four.sql", "-- migrate:up\nSQL\n-- migrate:down\nDROP TABLE nothing;\n"},
		{"Prisma", `CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, migration_name varchar(255), started_at varchar(30), finished_at varchar(30), rolled_back_at varchar(30));
			INSERT INTO _prisma_migrations VALUES ('a', '1_one', 'x', 'x', NULL), ('b', '2_two', 'x', 'x', NULL)`,
			`INSERT INTO _prisma_migrations VALUES ('c', '3_three', 'x', NULL, 'x'), ('d', '3_three', 'x', 'x', NULL), ('e', '4_four', 'x', 'x', NULL)`,
			"3_three/migration.sql", "4_four/migration.sql", "SQL"},
		{"Atlas", `CREATE TABLE atlas_schema_revisions (version varchar(255) PRIMARY KEY, applied bigint, total bigint); INSERT INTO atlas_schema_revisions VALUES ('1', 1, 1), ('2', 1, 1)`,
			`INSERT INTO atlas_schema_revisions VALUES ('3', 1, 1), ('4', 1, 1)`, "3_three.sql", "4_four.sql", "SQL"},
	}
}

const (
	beforeMigrations = `CREATE TABLE customers (id integer PRIMARY KEY, name varchar(40) NOT NULL); CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers (id), total integer NOT NULL DEFAULT 0);`
	thirdMigration   = `ALTER TABLE customers ADD COLUMN loyalty varchar(10);`
	fourthMigration  = `CREATE INDEX orders_by_total ON orders (total);`
	byHand           = `ALTER TABLE orders ADD COLUMN quick_fix integer;`
)

// TestPendingMigrationsExplain: staging has had two migrations that production
// has not, and one change by hand. The two are told from the one, by applying the
// migrations, and --prove closes all three, on a copy: staging stays as it was.
func TestPendingMigrationsExplain(t *testing.T) {
	for _, tool := range migrationTools() {
		for _, engine := range []string{"sqlite", "postgres", "MariaDB", "MySQL"} {
			if engine != "sqlite" && tool.name != "Flyway" && tool.name != "goose" {
				continue // the files are read alike
			}
			t.Run(tool.name+" "+engine, func(t *testing.T) {
				t.Parallel()
				var source, target string
				fill := func(address, text string) { scratchtest.SQL(t, address, text) }
				switch engine {
				case "postgres":
					source, target = scratchtest.Database(t), scratchtest.Database(t)
				case "MariaDB", "MySQL":
					source, target = mysqlDatabase(t, engine), mysqlDatabase(t, engine)
					fill = func(address, text string) {
						statement(t, mysqlClient(t, address), strings.Split(strings.Trim(text, "; "), ";")...)
					}
				default:
					dir := t.TempDir()
					source, target = "sqlite:"+filepath.Join(dir, "prod.db"), "sqlite:"+filepath.Join(dir, "staging.db")
					fill = func(address, text string) { execute(t, strings.TrimPrefix(address, "sqlite:"), text) }
				}
				fill(source, beforeMigrations+tool.history)
				fill(target, beforeMigrations+tool.history+";"+thirdMigration+fourthMigration+byHand+tool.ahead)
				e := newErrand(t, source, target, plainJob(keepNone, "parity: {migrations: db}"), nil)
				e.write(t, filepath.Join("db", tool.third), strings.Replace(tool.form, "SQL", thirdMigration, 1))
				e.write(t, filepath.Join("db", tool.fourth), strings.Replace(tool.form, "SQL", fourthMigration, 1))

				e.run(t, 4, "parity").wants(t, "no understudy marker") // its history holds rows
				r := e.run(t, 0, "parity", "--claim", "--prove", "--json", "--sql", filepath.Join(e.dir, "close.sql"))
				var doc struct {
					Migrations []struct {
						Tool          string
						Ahead, Behind []string
					}
					Differences []struct {
						Object, Cause string
						Expected      bool
					}
					Proof       struct{ Applied, Failed, Remaining []any }
					Score       float64
					Unexplained float64 `json:"unexplained_score"`
				}
				if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
					t.Fatal(err)
				}
				if len(doc.Migrations) != 1 || doc.Migrations[0].Tool != tool.name || len(doc.Migrations[0].Ahead) == 0 || len(doc.Migrations[0].Behind) > 0 {
					t.Errorf("histories: %+v", doc.Migrations)
				}
				var expected, unexplained []string
				for _, d := range doc.Differences {
					name := d.Object[strings.LastIndexByte(d.Object, '.')+1:]
					if d.Expected {
						expected = append(expected, name)
					} else if strings.HasPrefix(d.Cause, "unexplained") {
						unexplained = append(unexplained, name)
					}
				}
				slices.Sort(expected)
				if len(doc.Differences) != 3 || strings.Join(expected, " ") != "loyalty orders_by_total" || strings.Join(unexplained, " ") != "quick_fix" {
					t.Errorf("expected %v, unexplained %v of %+v", expected, unexplained, doc.Differences)
				}
				if doc.Unexplained <= doc.Score || doc.Unexplained >= 100 {
					t.Errorf("score %v, %v without what is expected", doc.Score, doc.Unexplained)
				}
				if len(doc.Proof.Applied) != 3 || len(doc.Proof.Failed)+len(doc.Proof.Remaining) > 0 {
					t.Errorf("proof: %+v", doc.Proof)
				}
				e.run(t, 0, "parity", "--claim").wants(t, "3 differences") // nothing was changed, nothing is left
			})
		}
	}
}

// TestNothingIsTriedBesideProduction: where the target is the source, under its own
// name or another, a proof is refused before anything is made.
func TestNothingIsTriedBesideProduction(t *testing.T) {
	t.Parallel()
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, beforeMigrations)
	file := filepath.Join(t.TempDir(), "prod.db")
	execute(t, file, beforeMigrations)
	for source, target := range map[string]string{production: strings.Replace(production, "127.0.0.1", "localhost", 1), "sqlite:" + file: "sqlite:" + filepath.Dir(file) + "/./prod.db"} {
		e := newErrand(t, source, target, plainJob(keepNone), nil)
		e.run(t, 4, "parity", "--prove").wants(t, "source and target are the same database")
		e.run(t, 0, "parity").wants(t, "no difference found", "the same database") // which only reads
	}
}

// TestNothingIsTriedBesideSomebodysDatabase: a proof makes a copy beside the target,
// so it is asked for as a refresh is, and marks nothing.
func TestNothingIsTriedBesideSomebodysDatabase(t *testing.T) {
	t.Parallel()
	filled := beforeMigrations + "INSERT INTO customers VALUES (1, 'Ann');"
	dir := t.TempDir()
	execute(t, filepath.Join(dir, "prod.db"), beforeMigrations)
	execute(t, filepath.Join(dir, "staging.db"), filled+byHand)
	production, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, production, beforeMigrations)
	scratchtest.SQL(t, staging, filled+byHand)
	for source, target := range map[string]string{production: staging, "sqlite:" + filepath.Join(dir, "prod.db"): "sqlite:" + filepath.Join(dir, "staging.db")} {
		e := newErrand(t, source, target, plainJob(keepNone), nil)
		for range 2 { // the second shows that the first marked nothing
			e.run(t, 4, "parity", "--prove").wants(t, "no understudy marker", "holds rows in", "understudy parity --claim")
			e.run(t, 0, "parity", "--prove", "--claim").wants(t, "1 difference")
		}
		e.run(t, 0, "parity").wants(t, "1 difference") // which only reads
	}
}

// TestMigrationsWithBodies: triggers and routines, with a delimiter of the client's
// or without, are applied; what names the database in use or another is refused
// with its place, and nothing is changed.
func TestMigrationsWithBodies(t *testing.T) {
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		prod, from := fresh()
		staging, to := fresh()
		_, other := fresh()
		tool := migrationTools()[0]
		for _, db := range []*sql.DB{from, to} {
			statement(t, db, "SET GLOBAL log_bin_trust_function_creators = 1")
			statement(t, db, strings.Split(beforeMigrations+tool.history, ";")...)
		}
		const trigger = "CREATE TRIGGER counted BEFORE INSERT ON orders FOR EACH ROW BEGIN IF NEW.total < 0 THEN SET NEW.total = 0; END IF; END"
		const routine = "CREATE PROCEDURE tidy () BEGIN DECLARE done int DEFAULT 0; WHILE done < 1 DO DELETE FROM orders; SET done = 1; END WHILE; END"
		const event = "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM orders"
		statement(t, to, trigger, routine, event, strings.Trim(byHand, ";"))
		statement(t, to, strings.Split(tool.ahead, ";")...)
		statement(t, to, "INSERT INTO customers VALUES (1, 'Ann')")
		statement(t, other, "CREATE TABLE theirs (id int)")
		e := newErrand(t, prod, staging, plainJob(keepNone, "parity: {migrations: db}"), nil)
		third, own, elsewhere := filepath.Join("db", tool.third), column(t, to, "SELECT database()"), column(t, other, "SELECT database()")
		e.write(t, filepath.Join("db", tool.fourth), routine+";\n"+event+";\n")
		for text, says := range map[string]string{
			"SELECT 1;\nDROP TABLE " + elsewhere + ".theirs":                    "line 2: " + elsewhere + " names a database",
			"UPDATE " + strings.ToUpper(own) + ".customers SET name = 'cAnArY'": "names a database",
			"USE " + elsewhere:           "it turns to another database",
			"GRANT ALL ON *.* TO nobody": "it does more than change the database's tables",
		} {
			e.write(t, third, text+";\n")
			e.run(t, 2, "parity", "--claim").wants(t, filepath.Join("db", tool.third), says)
		}
		// Both names of the database, production's and staging's, mean the copy.
		e.write(t, third, "DELIMITER //\n"+trigger+"//\nDELIMITER ;\nUPDATE "+own+".customers SET name = 'x';\nDELETE FROM "+column(t, from, "SELECT database()")+".customers;\n")
		r := e.run(t, 0, "parity", "--claim", "--prove", "--json")
		var doc struct {
			Differences []struct {
				Kind     string
				Expected bool
			}
			Proof struct{ Applied, Failed, Remaining []any }
		}
		if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, d := range doc.Differences {
			if d.Expected {
				kinds = append(kinds, d.Kind)
			}
		}
		slices.Sort(kinds)
		if strings.Join(kinds, " ") != "event procedure trigger" || len(doc.Differences) != 4 || len(doc.Proof.Applied) != 4 || len(doc.Proof.Failed)+len(doc.Proof.Remaining) > 0 {
			t.Errorf("explained are %v: %+v", kinds, doc)
		}
		if got := column(t, to, "SELECT name FROM customers") + column(t, to, "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = database()") + column(t, other, "SHOW TABLES"); got != "Ann1theirs" {
			t.Errorf("the databases are not what they were: %s", got)
		}
		if left := column(t, to, "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE concat(database(), '\\_%')"); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}
