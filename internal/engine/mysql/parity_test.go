package mysql

import (
	"slices"
	"strings"
	"testing"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch"
)

func catalogOf(t *testing.T, url string) *catalog.Catalog {
	t.Helper()
	c, err := openSource(t, url, engine.Limits{}).Catalog(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// twins makes two databases of one structure.
func twins(t *testing.T, server *scratch.MySQL) (one, two string) {
	t.Helper()
	for _, to := range []*string{&one, &two} {
		*to = freshDatabase(t, server)
		db := application(t, *to)
		db.SetMaxOpenConns(1)
		must(t, db, shopDDL(server.MariaDB())...)
	}
	return one, two
}

func TestEqualStructuresAreEqual(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		one, two := twins(t, server)
		out, err := catalog.Compare(t.Context(), catalogOf(t, one), catalogOf(t, two), map[string]string{databaseOf(one): databaseOf(two)})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.Differences {
			t.Errorf("%+v", d)
		}
		counts := map[string]int{}
		for _, c := range out.Compared {
			counts[c.Kind] = c.Source
		}
		for _, kind := range []string{"table", "column", "primary key", "unique", "foreign key", "check", "index", "view", "trigger", "function", "procedure", "event", "setting", "schema"} {
			if counts[kind] == 0 {
				t.Errorf("no %s was compared", kind)
			}
		}
		if len(out.Unseen) > 0 {
			t.Errorf("unseen: %q", out.Unseen)
		}
	})
}

// TestEventsThatNobodyDated: two databases made by the same statements at different hours
// are equal, though the server wrote each hour into its event; an hour that somebody chose is not.
func TestEventsThatNobodyDated(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		made := func(hour, starts string) string {
			url := freshDatabase(t, server)
			db := application(t, url)
			db.SetMaxOpenConns(1)
			for _, zone := range []string{"+00:00", "+05:30"} {
				must(t, db, "SET SESSION time_zone = '"+zone+"', timestamp = "+hour, "CREATE EVENT `at "+zone+"` ON SCHEDULE EVERY 1 DAY "+starts+" DO SELECT 'STARTS'")
			}
			return url
		}
		one := made("1900000000", "")
		for url, want := range map[string]int{made("1900012345", ""): 0, made("1900012345", "STARTS '2033-01-01 00:00:00'"): 2} {
			out, err := catalog.Compare(t.Context(), catalogOf(t, one), catalogOf(t, url), map[string]string{databaseOf(one): databaseOf(url)})
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Differences) != want {
				t.Errorf("%d differences, want %d: %+v", len(out.Differences), want, out.Differences)
			}
		}
	})
}

// TestEveryDifferenceIsTold changes one thing after another in the second of two
// equal databases; each must show, and nothing else. A statement that is shown
// for it, where it is one, closes it.
func TestEveryDifferenceIsTold(t *testing.T) {
	changes := []struct {
		kind, object string
		change       string // catalog's
		statements   []string
	}{
		{"column", "customers.email", catalog.Different, []string{"ALTER TABLE customers MODIFY email varchar(81) CHARACTER SET latin1 NOT NULL DEFAULT 'it''s; a \"test\"'"}},
		{"column", "customers.email", catalog.Different, []string{"ALTER TABLE customers MODIFY email varchar(80) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'it''s; a \"test\"'"}},
		{"column", "customers.hidden", catalog.Different, []string{"ALTER TABLE customers MODIFY hidden int DEFAULT 7"}},
		{"column", "customers.kind", catalog.Different, []string{"ALTER TABLE customers MODIFY kind enum('a','b','c')"}},
		{"column", "customers.seen", catalog.Different, []string{"ALTER TABLE customers MODIFY seen timestamp NULL DEFAULT current_timestamp"}},
		{"column", "orders.note", catalog.Missing, []string{"DROP TRIGGER stamp", "ALTER TABLE orders DROP COLUMN note", "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.qty = 1"}},
		{"column", "orders.extra", catalog.Extra, []string{"ALTER TABLE orders ADD COLUMN extra int"}},
		{"unique", "customers.by_email", catalog.Different, []string{"ALTER TABLE customers DROP INDEX by_email, ADD UNIQUE by_email (email(10))"}},
		{"index", "customers.by_kind", catalog.Missing, []string{"ALTER TABLE customers DROP INDEX by_kind"}},
		{"index", "customers.words", catalog.Missing, []string{"ALTER TABLE customers DROP INDEX words"}},
		{"check", "customers.sane", catalog.Different, []string{"ALTER TABLE customers DROP CONSTRAINT sane", "ALTER TABLE customers ADD CONSTRAINT sane CHECK (email <> 'x')"}},
		{"foreign key", "orders.other", catalog.Missing, []string{"ALTER TABLE orders DROP FOREIGN KEY other"}},
		{"primary key", "log", catalog.Extra, []string{"ALTER TABLE log ADD PRIMARY KEY (at)"}},
		{"table", "log", catalog.Different, []string{"ALTER TABLE log ADD PARTITION (PARTITION p2 VALUES LESS THAN (2030))"}},
		{"table", "customers", catalog.Different, []string{"ALTER TABLE customers COMMENT 'others'"}},
		{"table", "plain", catalog.Extra, []string{"CREATE TABLE plain (id int)"}},
		{"view", "recent", catalog.Different, []string{"CREATE OR REPLACE VIEW recent AS SELECT id, email FROM customers"}},
		{"function", "twice", catalog.Missing, []string{"DROP FUNCTION twice"}},
		{"procedure", "tidy", catalog.Different, []string{"DROP PROCEDURE tidy", "CREATE PROCEDURE tidy () MODIFIES SQL DATA DELETE FROM log"}},
		{"event", "nightly", catalog.Different, []string{"ALTER EVENT nightly ON SCHEDULE EVERY 2 DAY STARTS '2030-01-01 00:00:00'"}},
		{"trigger", "orders.stamp", catalog.Different, []string{"DROP TRIGGER stamp", "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x'"}},
	}
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		one, _ := twins(t, server)
		source := catalogOf(t, one)
		for _, c := range changes {
			two := freshDatabase(t, server)
			db := application(t, two)
			db.SetMaxOpenConns(1)
			must(t, db, shopDDL(server.MariaDB())...)
			statements := c.statements
			if c.object == "log" && c.kind == "table" { // MAXVALUE stands in the way
				statements = []string{"ALTER TABLE log REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (2030), PARTITION p2 VALUES LESS THAN MAXVALUE)"}
			}
			if c.kind == "primary key" {
				statements = []string{"ALTER TABLE log ADD PRIMARY KEY (at)"}
			}
			must(t, db, statements...)
			out, err := catalog.Compare(t.Context(), source, catalogOf(t, two), map[string]string{databaseOf(one): databaseOf(two)})
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, d := range out.Differences {
				told = append(told, d.Kind+" "+strings.TrimPrefix(d.Object, databaseOf(one)+".")+" "+d.Change)
				if d.SQL == "" {
					t.Errorf("%s %s: no statement closes it", d.Kind, d.Object)
				}
			}
			want := c.kind + " " + c.object + " " + c.change
			if !slices.Contains(told, want) || len(told) > 1 && c.kind+c.object != "columnorders.note" {
				t.Errorf("%q: told %q, want %q", statements, told, want)
			}
		}
	})
}

// TestAtlasReadsWhatItFailsOn: an invisible column, and the primary key that
// MySQL makes by itself, would fail its whole inspection.
func TestAtlasReadsWhatItFailsOn(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		db.SetMaxOpenConns(1)
		must(t, db, shopDDL(server.MariaDB())...)
		s := openSource(t, url, engine.Limits{}).(*source)
		c, err := connect(t.Context(), s.at, session{name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.hangUp()
		inv, err := inspect(t.Context(), c, []string{databaseOf(url)})
		if err != nil {
			t.Fatal(err)
		}
		seen := atlasSchemas(t.Context(), c, schemaNames(inv))
		if len(seen) != 1 || len(seen[0].Tables) != len(inv.schema.Tables) {
			t.Errorf("Atlas sees %d of %d tables", len(seen[0].Tables), len(inv.schema.Tables))
		}
	})
}

func schemaNames(inv *inventory) (out []schema.Name) {
	for _, t := range inv.schema.Tables {
		out = append(out, t.Name)
	}
	return out
}

// TestWhatGrantsHideIsTold: a user who may only SELECT is shown no routine or
// trigger, and that must not count as none.
func TestWhatGrantsHideIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		db.SetMaxOpenConns(1)
		must(t, db, shopDDL(server.MariaDB())...)
		c := catalogOf(t, user(t, db, url, "GRANT SELECT ON "+databaseOf(url)+".* TO %s"))
		for _, kind := range []string{"view", "trigger", "event", "function", "procedure"} {
			if slices.Contains(c.Kinds, kind) || !slices.ContainsFunc(c.Unseen, func(s string) bool { return strings.HasPrefix(s, kind+": ") }) {
				t.Errorf("what is hidden of every %s is not told: %q", kind, c.Unseen)
			}
		}
		out, err := catalog.Compare(t.Context(), c, catalogOf(t, url), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"view", "trigger", "event", "function", "procedure"} {
			told := slices.DeleteFunc(slices.Clone(out.Unseen), func(s string) bool { return !strings.HasPrefix(s, "source: "+kind) })
			if len(told) != 1 || !strings.HasPrefix(told[0], "source: "+kind+": ") {
				t.Errorf("a comparison tells of every %s: %q", kind, told)
			}
		}
	})
}

// TestHistoriesAndNames: a migration tool's table is read and no difference, and
// another name for a column or a table is one, which its statement closes.
func TestHistoriesAndNames(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		one, two := twins(t, server)
		db := application(t, two)
		db.SetMaxOpenConns(1)
		must(t, db, "CREATE TABLE goose_db_version (id int PRIMARY KEY, version_id bigint, is_applied boolean)", "INSERT INTO goose_db_version VALUES (1, 0, true), (2, 7, true), (3, 8, true), (4, 8, false)",
			"CREATE TABLE plain (id int PRIMARY KEY, mail varchar(9), at date)")
		must(t, application(t, one), "CREATE TABLE plain (id int PRIMARY KEY, email varchar(9), at date)")
		source, target := catalogOf(t, one), catalogOf(t, two)
		if len(target.Histories) != 1 || target.Histories[0].Tool != "goose" || strings.Join(target.Histories[0].Versions, " ") != "7" {
			t.Errorf("histories: %+v", target.Histories)
		}
		names := map[string]string{databaseOf(one): databaseOf(two)}
		out, err := catalog.Compare(t.Context(), source, target, names)
		if err != nil || len(out.Differences) != 1 || out.Differences[0].Renamed == 0 {
			t.Fatalf("%v, %+v", err, out.Differences)
		}
		must(t, db, out.Differences[0].SQL)
		if out, err = catalog.Compare(t.Context(), source, catalogOf(t, two), names); err != nil || len(out.Differences) > 0 {
			t.Errorf("the statement leaves %v, %+v", err, out.Differences)
		}
	})
}

// TestUnknownGrantsHideAll: where the grants could not be read, no kind of object
// counts as seen.
func TestUnknownGrantsHideAll(t *testing.T) {
	if got := (&privileges{opaque: true}).blindTo("shop"); len(got) != 4 {
		t.Errorf("hidden: %+v", got)
	}
}
