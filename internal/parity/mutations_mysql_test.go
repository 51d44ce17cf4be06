package parity_test

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	neturl "net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	"understudy/internal/catalog"
	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/engine/mysql"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// everythingOnMySQL holds one of each thing that MariaDB and MySQL tell of.
func everythingOnMySQL(maria bool) []string {
	srid := map[bool]string{true: "REF_SYSTEM_ID=4326", false: "SRID 4326"}[maria]
	place := "place point " + map[bool]string{true: srid + " NOT NULL", false: "NOT NULL " + srid}[maria]
	out := []string{
		`CREATE TABLE parent (id int AUTO_INCREMENT PRIMARY KEY, code varchar(20) NOT NULL, region char(2), other_code varchar(20), UNIQUE KEY by_code (code), UNIQUE KEY by_both (region, code)) COMMENT 'parents'`,
		`CREATE TABLE child (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, parent_id int NOT NULL, parent_code varchar(20), amount decimal(10,2) NOT NULL DEFAULT 0.00,
			big bigint unsigned, small smallint(5) unsigned zerofill, label enum('a','b') DEFAULT 'a', flags set('x','y'), note varchar(80) COMMENT 'a note', body text, at datetime(3),
			touched timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, doubled decimal(12,2) AS (amount * 2) STORED, virt int AS (bits + 1) VIRTUAL,
			hidden int INVISIBLE, ` + place + `, data json, bits bit(8), raw binary(4), ratio double,
			KEY by_note (note), KEY by_two (label, at), KEY by_prefix (body(20)), FULLTEXT KEY words (body), SPATIAL KEY spots (place), KEY by_parent (parent_id), KEY by_parent_code (parent_code),
			CONSTRAINT owner FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE, CONSTRAINT coded FOREIGN KEY (parent_code) REFERENCES parent (code) ON UPDATE CASCADE,
			CONSTRAINT sane CHECK (amount >= 0)) ROW_FORMAT=DYNAMIC`,
		`CREATE TABLE log (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (year(at)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN (2030))`,
		`CREATE TABLE plain (id int, what varchar(9))`,
		`CREATE TABLE knot (id int PRIMARY KEY, other int, what varchar(9), n int, UNIQUE KEY said (what), KEY others (other), CONSTRAINT counted CHECK (n > 0))`,
		`CREATE TABLE knots (id int AUTO_INCREMENT PRIMARY KEY, other int, KEY others (other), CONSTRAINT here FOREIGN KEY (other) REFERENCES knot (id))`,
		`ALTER TABLE knot ADD CONSTRAINT there FOREIGN KEY (other) REFERENCES knots (id)`,
		`CREATE VIEW recent AS SELECT id, note FROM child WHERE amount > 0`,
		`CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN n * 2`,
		`CREATE PROCEDURE tidy (IN n int) MODIFIES SQL DATA DELETE FROM log WHERE id < n`,
		`CREATE TRIGGER stamp BEFORE INSERT ON child FOR EACH ROW SET NEW.note = 'x'`,
		`CREATE TRIGGER one BEFORE UPDATE ON child FOR EACH ROW SET NEW.note = concat(NEW.note, '1')`,
		`CREATE TRIGGER two BEFORE UPDATE ON child FOR EACH ROW SET NEW.note = concat(NEW.note, '2')`,
		`CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM log`,
	}
	if maria {
		out = append(out, `CREATE SEQUENCE numbers START WITH 1 INCREMENT BY 1`, `CREATE TABLE kept (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING`)
	}
	return out
}

// A changed is one thing that is changed on MariaDB and MySQL, in one or more
// statements, and what must be found.
type changed struct {
	sql, want string
	effect    parity.Effect
	only      string // a product
}

func TestEveryMutationIsFoundOnMySQL(t *testing.T) {
	if testing.Short() {
		t.Skip("the many mutations run without -short")
	}
	for product, start := range map[string]func(testing.TB) *scratch.MySQL{"MariaDB": scratchtest.MariaDB, "MySQL": scratchtest.MySQL} {
		t.Run(product, func(t *testing.T) {
			server := start(t)
			admin := mysqlClient(t, server.URL(""))
			runs(t, admin, "SET GLOBAL log_bin_trust_function_creators = 1")
			fresh := func() (name string, db *sql.DB) {
				name = "test_" + strings.ToLower(rand.Text()[:12])
				runs(t, admin, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
				db = mysqlClient(t, server.URL(name))
				runs(t, db, everythingOnMySQL(server.MariaDB())...)
				return name, db
			}
			source, _ := fresh()
			base := mysqlCatalog(t, server.URL(source))
			target, db := fresh()
			seen, proved := map[string]bool{}, map[string]bool{}
			proofs := scratchtest.Some(t, changesOnMySQL(), 25) // each that makes a copy takes a second
			for _, m := range changesOnMySQL() {
				if m.only != "" && m.only != product {
					continue
				}
				runs(t, db, strings.Split(m.sql, ";; ")...)
				after := mysqlCatalog(t, server.URL(target))
				there := compareMySQL(t, base, after, source, target)
				back := compareMySQL(t, after, base, target, source)
				var lines, closing []string
				for _, d := range there.Differences {
					object := strings.ReplaceAll(strings.ReplaceAll(d.Object, source+".", ""), source, "own")
					lines = append(lines, d.Kind+" "+object+": "+d.Change)
					seen[d.Kind] = true
					if m.effect != "" && d.Effect != m.effect {
						t.Errorf("%s: %s (%s), want %s", m.sql, d.Effect, d.Why, m.effect)
					}
				}
				for _, d := range there.Ordered() {
					closing = append(closing, d.SQL)
				}
				slices.Sort(lines)
				if got := strings.Join(lines, "; "); got != m.want {
					t.Errorf("%s\nfound %s\nwant  %s", m.sql, got, m.want)
				}
				if len(back.Differences) != len(there.Differences) {
					t.Errorf("%s: %d differences, mirrored %d", m.sql, len(there.Differences), len(back.Differences))
				}
				what := ""
				for _, d := range there.Differences {
					what += d.Kind + " " + d.Change + " " + d.Detail[:strings.IndexByte(d.Detail+":", ':')] + ";"
				}
				if !proved[what] && slices.Contains(proofs, m) || os.Getenv("UNDERSTUDY_TEST_PROOFS") != "" { // one for each sort shows that they close
					proved[what] = true
					provesMySQL(t, m.sql, server.URL(source), server.URL(target), there)
				}
				if left := closesMySQL(t, db, closing, base, server.URL(target), source, target); left != "" {
					t.Errorf("%s: the closing statements do not close it: %s", m.sql, left)
					target, db = fresh()
				}
			}
			for _, kind := range base.Kinds {
				if !seen[kind] && kind != "setting" && kind != "server" && (kind != "sequence" || server.MariaDB()) { // settings are the server's, which both sides share here
					t.Errorf("no mutation touches a %s", kind)
				}
			}
		})
	}
}

// provesMySQL tries the closing statements on a copy: they close what differs,
// and the target is what it was.
func provesMySQL(t *testing.T, changed, source, target string, r *parity.Report) {
	t.Helper()
	before := mysqlCatalog(t, target)
	e := mysql.New()
	in := pipeline.Input{Job: &config.Job{Schemas: []config.Schema{{Source: source[strings.LastIndexByte(source, '/')+1:], Target: target[strings.LastIndexByte(target, '/')+1:]}}}, Engine: e, RunID: "proof"}
	at, err := e.Parse(secret.New(source))
	if err != nil {
		t.Fatal(err)
	}
	from, err := e.Source(t.Context(), at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if at, err = e.Parse(secret.New(target)); err != nil {
		t.Fatal(err)
	}
	to, err := pipeline.OpenTarget(t.Context(), e, at, in.Job)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := pipeline.ProveClosing(t.Context(), in, from, to, r); err != nil {
		t.Errorf("%s: no proof: %v", changed, err)
		return
	}
	if len(r.Proof.Failed) > 0 {
		t.Errorf("%s: the proof's statements failed: %+v", changed, r.Proof.Failed)
	}
	for _, left := range r.Proof.Remaining {
		t.Errorf("%s: the proof leaves %+v", changed, left)
	}
	if after := mysqlCatalog(t, target); !reflect.DeepEqual(before.Facts, after.Facts) {
		t.Errorf("%s: the proof changed the target", changed)
	}
}

// closesMySQL runs the closing statements and gives what is left; what is whole
// again can be changed again.
func closesMySQL(t *testing.T, db *sql.DB, closing []string, base *catalog.Catalog, url, source, target string) string {
	t.Helper()
	for _, s := range closing {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			return fmt.Sprintf("%s: %v", s, err)
		}
	}
	left := ""
	for _, d := range compareMySQL(t, base, mysqlCatalog(t, url), source, target).Differences {
		left += fmt.Sprintf("\n%s left %s %s %s %s", strings.Join(closing, ";\n"), d.Kind, d.Object, d.Change, d.Detail)
	}
	return left
}

func compareMySQL(t *testing.T, a, b *catalog.Catalog, source, target string) *parity.Report {
	t.Helper()
	r, err := parity.Make(t.Context(), a, b, map[string]string{source: target})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mysqlCatalog(t *testing.T, url string) *catalog.Catalog { return catalogBy(t, mysql.New(), url) }

func mysqlClient(t *testing.T, url string) *sql.DB {
	t.Helper()
	at, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", at.User.String()+"@tcp("+at.Host+")"+at.Path+"?multiStatements=true")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // settings of the session stay
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func runs(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func changesOnMySQL() []changed {
	const maria, my = "MariaDB", "MySQL"
	return []changed{
		{`CREATE TABLE extra (id int)`, "table extra: extra in target", parity.ChangesRehearsal, ""},
		{`ALTER TABLE log DROP PARTITION p1`, "table log: different", parity.BreaksLoad, ""},
		{`SET SESSION foreign_key_checks = 0;; DROP TABLE knot, knots;; SET SESSION foreign_key_checks = DEFAULT`, "table knot: missing in target; table knots: missing in target", parity.LosesData, ""},
		{`ALTER TABLE plain CONVERT TO CHARACTER SET latin1`, "column plain.what: different; table plain: different", "", ""},
		{`DROP TABLE plain`, "table plain: missing in target", parity.LosesData, ""},
		{`ALTER TABLE child CHANGE raw raws binary(4) NOT NULL DEFAULT 'x'`, "column child.raw: different", parity.BreaksLoad, ""},
		{`ALTER TABLE plain RENAME TO bare`, "table plain: different", parity.LosesData, ""},
		{`ALTER TABLE plain ENGINE = MyISAM`, "table plain: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain ROW_FORMAT = COMPRESSED`, "table plain: different", parity.Cosmetic, ""},
		{`ALTER TABLE plain KEY_BLOCK_SIZE = 8 ROW_FORMAT = COMPRESSED`, "table plain: different", parity.Cosmetic, ""},
		{`ALTER TABLE plain CHECKSUM = 1`, "table plain: different", parity.Cosmetic, ""},
		{`ALTER TABLE plain STATS_PERSISTENT = 0`, "table plain: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain AVG_ROW_LENGTH = 99`, "table plain: different", parity.Cosmetic, ""},
		{`ALTER TABLE plain DEFAULT CHARACTER SET latin1`, "table plain: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain DEFAULT COLLATE utf8mb4_unicode_ci`, "table plain: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE parent COMMENT 'others'`, "table parent: different", parity.Cosmetic, ""},
		{`ALTER TABLE parent COMMENT ''`, "table parent: different", parity.Cosmetic, ""},
		{`ALTER TABLE kept DROP SYSTEM VERSIONING`, "table kept: different", parity.ChangesBehaviour, maria},
		{`ALTER TABLE plain ADD SYSTEM VERSIONING`, "table plain: different", parity.ChangesBehaviour, maria},
		{`ALTER TABLE plain PAGE_CHECKSUM = 0`, "table plain: different", parity.Cosmetic, maria},
		{`ALTER TABLE plain PAGE_COMPRESSED = 1`, "table plain: different", parity.Cosmetic, maria},
		{`ALTER TABLE plain COMPRESSION = 'zlib'`, "table plain: different", parity.Cosmetic, my},
		{`ALTER TABLE log ADD PARTITION (PARTITION p2 VALUES LESS THAN (2040))`, "table log: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE log DROP PARTITION p0`, "table log: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE log REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (2031))`, "table log: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE log REMOVE PARTITIONING`, "table log: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain PARTITION BY HASH (id) PARTITIONS 3`, "table plain: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain ADD f date NOT NULL, ADD t date NOT NULL, ADD PERIOD FOR pp (f, t)`, "check plain.pp: extra in target; column plain.f: extra in target; column plain.t: extra in target", "", maria},
		{`ALTER TABLE plain ADD COLUMN more int`, "column plain.more: extra in target", parity.ChangesRehearsal, ""},
		{`ALTER TABLE plain DROP COLUMN what`, "column plain.what: missing in target", parity.LosesData, ""},
		{`ALTER TABLE plain CHANGE what which varchar(9)`, "column plain.what: missing in target; column plain.which: extra in target", "", ""},
		{`ALTER TABLE plain MODIFY what varchar(9) FIRST`, "table plain: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain MODIFY what varchar(10)`, "column plain.what: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE plain MODIFY what varchar(8)`, "column plain.what: different", parity.BreaksLoad, ""},
		{`ALTER TABLE plain MODIFY what text`, "column plain.what: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE plain MODIFY id bigint`, "column plain.id: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE plain MODIFY id int unsigned`, "column plain.id: different", parity.BreaksLoad, ""},
		{`ALTER TABLE plain MODIFY id int NOT NULL`, "column plain.id: different", parity.BreaksLoad, ""},
		{`ALTER TABLE plain MODIFY id int DEFAULT 7`, "column plain.id: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain MODIFY what varchar(9) CHARACTER SET latin1`, "column plain.what: different", parity.BreaksLoad, ""},
		{`ALTER TABLE plain MODIFY what varchar(9) COLLATE utf8mb4_bin`, "column plain.what: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain MODIFY what varchar(9) COMMENT 'said'`, "column plain.what: different", parity.Cosmetic, ""},
		{`ALTER TABLE plain MODIFY what varchar(9) INVISIBLE`, "column plain.what: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY note varchar(80)`, "column child.note: different", parity.Cosmetic, ""},
		{`ALTER TABLE child MODIFY note varchar(80) COMMENT 'another note'`, "column child.note: different", parity.Cosmetic, ""},
		{`ALTER TABLE child MODIFY amount decimal(10,3) NOT NULL DEFAULT 0.00`, "column child.amount: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child MODIFY amount decimal(12,2) NOT NULL DEFAULT 0.00`, "column child.amount: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child MODIFY amount decimal(10,2) DEFAULT 0.00`, "column child.amount: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child MODIFY amount decimal(10,2) NOT NULL`, "column child.amount: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY amount decimal(10,2) NOT NULL DEFAULT 1.00`, "column child.amount: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY big bigint`, "column child.big: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child MODIFY small smallint(5) unsigned`, "column child.small: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY small smallint(4) unsigned zerofill`, "column child.small: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY label enum('a','b','c') DEFAULT 'a'`, "column child.label: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child MODIFY label enum('b','a') DEFAULT 'a'`, "column child.label: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY label enum('a') DEFAULT 'a'`, "column child.label: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child MODIFY flags set('x','y','z')`, "column child.flags: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child MODIFY at datetime(6)`, "column child.at: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child MODIFY at timestamp(3) NULL`, "column child.at: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child MODIFY touched timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP`, "column child.touched: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY touched timestamp NOT NULL DEFAULT '2000-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP`, "column child.touched: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY hidden int`, "column child.hidden: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child MODIFY bits bit(9)`, "column child.bits: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child MODIFY raw varbinary(4)`, "column child.raw: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child MODIFY ratio float`, "column child.ratio: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child MODIFY data longtext`, "column child.data: different", parity.BreaksLoad, my},
		{`ALTER TABLE child DROP COLUMN doubled;; ALTER TABLE child ADD doubled decimal(12,2) AS (amount * 3) STORED AFTER touched`, "column child.doubled: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP COLUMN virt;; ALTER TABLE child ADD virt int AS (bits + 1) STORED AFTER doubled`, "column child.virt: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP COLUMN virt;; ALTER TABLE child ADD virt int AFTER doubled`, "column child.virt: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP INDEX spots;; ALTER TABLE child MODIFY place point NOT NULL`, "column child.place: different; index child.spots: missing in target", "", my},
		{`ALTER TABLE plain ADD PRIMARY KEY (id)`, "column plain.id: different; primary key plain: extra in target", "", ""},
		{`ALTER TABLE child DROP FOREIGN KEY owner;; ALTER TABLE parent MODIFY id int NOT NULL`, "column parent.id: different; foreign key child.owner: missing in target", "", ""},
		{`ALTER TABLE parent DROP INDEX by_both`, "unique parent.by_both: missing in target", parity.ChangesRehearsal, ""},
		{`ALTER TABLE parent DROP INDEX by_both, ADD UNIQUE by_both (code, region)`, "unique parent.by_both: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE parent DROP INDEX by_both, ADD KEY by_both (region, code)`, "index parent.by_both: extra in target; unique parent.by_both: missing in target", "", ""},
		{`ALTER TABLE parent DROP INDEX by_both, ADD UNIQUE by_both (region, code(5))`, "unique parent.by_both: different", parity.BreaksLoad, ""},
		{`ALTER TABLE parent ADD UNIQUE (other_code)`, "unique parent.other_code: extra in target", parity.BreaksLoad, ""},
		{`ALTER TABLE child DROP FOREIGN KEY owner`, "foreign key child.owner: missing in target", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child DROP FOREIGN KEY owner;; ALTER TABLE child ADD CONSTRAINT owner FOREIGN KEY (parent_id) REFERENCES parent (id)`, "foreign key child.owner: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP FOREIGN KEY owner;; ALTER TABLE child ADD CONSTRAINT owner FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE`, "foreign key child.owner: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP FOREIGN KEY coded;; ALTER TABLE child ADD CONSTRAINT coded FOREIGN KEY (parent_code) REFERENCES parent (code) ON UPDATE SET NULL`, "foreign key child.coded: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child ADD CONSTRAINT second FOREIGN KEY (hidden) REFERENCES parent (id)`, "foreign key child.second: extra in target; index child.second: extra in target", "", ""},
		{`ALTER TABLE child DROP CONSTRAINT sane`, "check child.sane: missing in target", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child DROP CONSTRAINT sane;; ALTER TABLE child ADD CONSTRAINT sane CHECK (amount > 0)`, "check child.sane: different", parity.BreaksLoad, ""},
		{`ALTER TABLE child ALTER CHECK sane NOT ENFORCED`, "check child.sane: different", parity.ChangesRehearsal, my},
		{`ALTER TABLE plain ADD CHECK (id > 0)`, "check plain.\"check(`id` > 0)\": extra in target", parity.BreaksLoad, maria},
		{`ALTER TABLE plain ADD CHECK (id > 0)`, "check plain.\"check((`id` > 0))\": extra in target", parity.BreaksLoad, my},
		{`ALTER TABLE child DROP INDEX by_note`, "index child.by_note: missing in target", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child RENAME INDEX by_note TO note_by`, "index child.by_note: different", parity.ChangesRehearsal, ""},
		{`ALTER TABLE child DROP INDEX by_note, ADD INDEX by_note (note(10))`, "index child.by_note: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP INDEX by_note, ADD INDEX by_note (note DESC)`, "index child.by_note: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP INDEX by_note, ADD INDEX by_note (note) COMMENT 'said'`, "index child.by_note: different", parity.Cosmetic, ""},
		{`ALTER TABLE child DROP INDEX by_note, ADD INDEX by_note (note) USING HASH`, "index child.by_note: different", parity.ChangesBehaviour, maria},
		{`ALTER TABLE child DROP INDEX by_note, ADD UNIQUE by_note (note)`, "index child.by_note: missing in target; unique child.by_note: extra in target", "", ""},
		{`ALTER TABLE child DROP INDEX by_two, ADD INDEX by_two (at, label)`, "index child.by_two: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child ALTER INDEX by_note INVISIBLE`, "index child.by_note: different", parity.ChangesBehaviour, my},
		{`ALTER TABLE child ALTER INDEX by_note IGNORED`, "index child.by_note: different", parity.ChangesBehaviour, maria},
		{`ALTER TABLE child DROP INDEX by_prefix, ADD INDEX by_prefix (body(21))`, "index child.by_prefix: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child ADD INDEX computed ((amount * 2))`, "index child.computed: extra in target", parity.ChangesBehaviour, my},
		{`ALTER TABLE child DROP INDEX words`, "index child.words: missing in target", parity.ChangesBehaviour, ""},
		{`ALTER TABLE child DROP INDEX words;; ALTER TABLE child ADD FULLTEXT KEY words (body) WITH PARSER ngram`, "index child.words: different", parity.ChangesBehaviour, my},
		{`ALTER TABLE child DROP INDEX spots`, "index child.spots: missing in target", parity.ChangesBehaviour, ""},
		{`CREATE INDEX new ON plain (what)`, "index plain.new: extra in target", parity.ChangesBehaviour, ""},
		{`DROP VIEW recent`, "view recent: missing in target", parity.ApplicationFails, ""},
		{`CREATE VIEW more AS SELECT 1 AS a`, "view more: extra in target", parity.ChangesRehearsal, ""},
		{`CREATE TABLE gone (id int);; CREATE VIEW lost AS SELECT id FROM gone;; DROP TABLE gone`, "view lost: extra in target", parity.ChangesRehearsal, ""},
		{`CREATE OR REPLACE VIEW recent AS SELECT id, note FROM child WHERE amount > 1`, "view recent: different", parity.ChangesBehaviour, ""},
		{`CREATE OR REPLACE ALGORITHM = MERGE VIEW recent AS SELECT id, note FROM child WHERE amount > 0`, "view recent: different", parity.ChangesBehaviour, ""},
		{`CREATE OR REPLACE SQL SECURITY INVOKER VIEW recent AS SELECT id, note FROM child WHERE amount > 0`, "view recent: different", parity.ChangesBehaviour, ""},
		{`CREATE OR REPLACE VIEW recent AS SELECT id, note FROM child WHERE amount > 0 WITH CHECK OPTION`, "view recent: different", parity.ChangesBehaviour, ""},
		{`DROP FUNCTION twice`, "function twice: missing in target", parity.ApplicationFails, ""},
		{`DROP FUNCTION twice;; CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN n + n`, "function twice: different", parity.ChangesBehaviour, ""},
		{`DROP FUNCTION twice;; CREATE FUNCTION twice (n bigint) RETURNS int DETERMINISTIC RETURN n * 2`, "function twice: different", parity.ChangesBehaviour, ""},
		{`DROP FUNCTION twice;; CREATE FUNCTION twice (n int) RETURNS bigint DETERMINISTIC RETURN n * 2`, "function twice: different", parity.ChangesBehaviour, ""},
		{`DROP FUNCTION twice;; CREATE FUNCTION twice (n int) RETURNS int NO SQL RETURN n * 2`, "function twice: different", parity.ChangesBehaviour, ""},
		{`ALTER FUNCTION twice SQL SECURITY INVOKER`, "function twice: different", parity.ChangesBehaviour, ""},
		{`ALTER FUNCTION twice COMMENT 'said'`, "function twice: different", parity.Cosmetic, ""},
		{`SET SESSION sql_mode = 'ANSI_QUOTES';; DROP FUNCTION twice;; CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN n * 2;; SET SESSION sql_mode = DEFAULT`, "function twice: different", parity.ChangesBehaviour, ""},
		{`DROP PROCEDURE tidy`, "procedure tidy: missing in target", parity.ApplicationFails, ""},
		{`DROP PROCEDURE tidy;; CREATE PROCEDURE tidy (IN n int) MODIFIES SQL DATA DELETE FROM log WHERE id > n`, "procedure tidy: different", parity.ChangesBehaviour, ""},
		{`DROP PROCEDURE tidy;; CREATE PROCEDURE tidy (INOUT n int) MODIFIES SQL DATA DELETE FROM log WHERE id < n`, "procedure tidy: different", parity.ChangesBehaviour, ""},
		{`CREATE PROCEDURE more () SELECT 1`, "procedure more: extra in target", parity.ChangesRehearsal, ""},
		{`SET NAMES utf8mb4 COLLATE utf8mb4_general_ci;; DROP TRIGGER one;; CREATE TRIGGER one BEFORE UPDATE ON child FOR EACH ROW SET NEW.note = concat(NEW.note, '1')`, "table child: different", parity.ChangesBehaviour, ""},
		{`DROP TRIGGER two`, "trigger child.two: missing in target", parity.ChangesBehaviour, ""},
		{`DROP TRIGGER stamp`, "trigger child.stamp: missing in target", parity.ChangesBehaviour, ""},
		{`DROP TRIGGER stamp;; CREATE TRIGGER stamp BEFORE INSERT ON child FOR EACH ROW SET NEW.note = 'y'`, "trigger child.stamp: different", parity.ChangesBehaviour, ""},
		{`DROP TRIGGER stamp;; CREATE TRIGGER stamp BEFORE UPDATE ON child FOR EACH ROW SET NEW.note = 'x'`, "trigger child.stamp: different", parity.ChangesBehaviour, ""},
		{`CREATE TRIGGER later AFTER DELETE ON plain FOR EACH ROW DELETE FROM log WHERE id = OLD.id`, "trigger plain.later: extra in target", parity.ChangesBehaviour, ""},
		{`DROP EVENT nightly`, "event nightly: missing in target", parity.ChangesBehaviour, ""},
		{`ALTER EVENT nightly DISABLE`, "event nightly: different", parity.ChangesBehaviour, ""},
		{`ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY STARTS '2037-01-01 00:00:00'`, "event nightly: different", parity.ChangesBehaviour, ""},
		{`ALTER EVENT nightly DO DELETE FROM plain`, "event nightly: different", parity.ChangesBehaviour, ""},
		{`ALTER EVENT nightly ON COMPLETION PRESERVE`, "event nightly: different", parity.ChangesBehaviour, ""},
		{`SET SESSION time_zone = '+05:00';; ALTER EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 05:00:00';; SET SESSION time_zone = DEFAULT`, "event nightly: different", parity.ChangesBehaviour, ""},
		{`SET SESSION sql_mode = 'ANSI_QUOTES';; DROP TRIGGER stamp;; CREATE TRIGGER stamp BEFORE INSERT ON child FOR EACH ROW SET NEW.note = 'x';; SET SESSION sql_mode = DEFAULT`, "trigger child.stamp: different", parity.ChangesBehaviour, ""},
		{`SET SESSION collation_connection = latin1_bin;; DROP FUNCTION twice;; CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN n * 2;; SET SESSION collation_connection = DEFAULT`, "function twice: different", parity.ChangesBehaviour, ""},
		{`ALTER EVENT nightly RENAME TO weekly`, "event nightly: missing in target; event weekly: extra in target", "", ""},
		{`ALTER EVENT nightly ON SCHEDULE AT '2038-01-01 00:00:00'`, "event nightly: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain MODIFY what varchar(9) COMPRESSED`, "column plain.what: different", "", maria},
		{`SET SESSION system_versioning_alter_history = KEEP;; ALTER TABLE kept MODIFY v int WITHOUT SYSTEM VERSIONING`, "column kept.v: different", "", maria},
		{`ALTER TABLE plain MODIFY id int DEFAULT (1 + 1)`, "column plain.id: different", parity.ChangesBehaviour, ""},
		{`ALTER TABLE plain PARTITION BY LIST (id) (PARTITION a VALUES IN (1, 2))`, "table plain: different", parity.BreaksLoad, ""},
		{`ALTER SEQUENCE numbers MAXVALUE 99`, "sequence numbers: different", parity.ChangesBehaviour, maria},
		{`ALTER SEQUENCE numbers CACHE 7`, "sequence numbers: different", parity.ChangesBehaviour, maria},
		{`ALTER SEQUENCE numbers CYCLE`, "sequence numbers: different", parity.ChangesBehaviour, maria},
		{`ALTER EVENT nightly COMMENT 'said'`, "event nightly: different", "", ""},
		{`ALTER SEQUENCE numbers INCREMENT BY 2`, "sequence numbers: different", parity.ChangesBehaviour, maria},
		{`DROP SEQUENCE numbers`, "sequence numbers: missing in target", parity.ApplicationFails, maria},
		{`ALTER DATABASE CHARACTER SET latin1`, "schema own: different", parity.ChangesBehaviour, ""},
		{`ALTER DATABASE COLLATE utf8mb4_unicode_ci`, "schema own: different", parity.ChangesBehaviour, ""},
	}
}

// TestServersThatAreSetOtherwise compares two servers of one product.
func TestServersThatAreSetOtherwise(t *testing.T) {
	server := scratchtest.MariaDB(t)
	other := scratchtest.OwnMySQL(t, true, map[string]string{"default_time_zone": "+05:00", "sql_mode": "ANSI", "event_scheduler": "ON", "transaction_isolation": "READ-COMMITTED", "group_concat_max_len": "99"})
	name := "test_" + strings.ToLower(rand.Text()[:12])
	for _, s := range []*scratch.MySQL{server, other} {
		runs(t, mysqlClient(t, s.URL("")), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
		runs(t, mysqlClient(t, s.URL(name)), "CREATE TABLE t (id int)")
	}
	var found []string
	for _, d := range compareMySQL(t, mysqlCatalog(t, server.URL(name)), mysqlCatalog(t, other.URL(name)), name, name).Differences {
		found = append(found, d.Kind+" "+d.Object+": "+d.Change)
	}
	slices.Sort(found)
	want := []string{"setting event_scheduler: different", "setting group_concat_max_len: different", "setting sql_mode: different", "setting time_zone: different", "setting transaction_isolation: different"}
	if !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}
