package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "modernc.org/sqlite"

	"understudy/internal/catalog"
)

const parityShop = `
CREATE TABLE people (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  email VARCHAR(80) NOT NULL UNIQUE COLLATE NOCASE, -- the address
  name TEXT DEFAULT 'nobody',
  "born" DATE,
  boss INTEGER REFERENCES people,
  full_name TEXT GENERATED ALWAYS AS (name || ' ' || email) STORED,
  score NUMERIC(8, 2) DEFAULT (1 + 1) CHECK (score >= 0),
  CONSTRAINT born_late CHECK (born > '1900-01-01'));
CREATE INDEX people_born ON people (born);
CREATE INDEX people_lower ON people (lower(name) DESC) WHERE born IS NOT NULL;
CREATE TABLE orders (id int, line int, person bigint NOT NULL, at timestamp DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (id, line), CONSTRAINT orders_person FOREIGN KEY (person) REFERENCES people (id) ON DELETE SET NULL) WITHOUT ROWID;
CREATE TABLE spare (a int, b int);
CREATE TABLE "it's ""odd""; --" ("a ""b"" c" int PRIMARY KEY, "d.e" text, [SELECT] int UNIQUE, ` + "`check`" + ` int REFERENCES "it's ""odd""; --");
CREATE INDEX "i ON j" ON "it's ""odd""; --" ("d.e");
`

func file(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	c := opened(t, path, readWrite)
	for _, s := range statements {
		if err := c.exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func opened(t *testing.T, path string, m mode) *conn {
	t.Helper()
	c, err := (&product{driver: &driver.Driver{}}).open(t.Context(), path, m, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func tablesOf(t *testing.T, path string) *catalog.Catalog {
	t.Helper()
	s, err := tableStructure(t.Context(), opened(t, path, readOnly))
	if err != nil {
		t.Fatal(err)
	}
	return catalog.New(s, nil, nil, nil)
}

func compared(t *testing.T, source, target *catalog.Catalog) *catalog.Comparison {
	t.Helper()
	c, err := catalog.Compare(t.Context(), source, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func changes(c *catalog.Comparison, mirrored bool) string {
	var out []string
	for _, d := range c.Differences {
		how := d.Change
		if mirrored && how == catalog.Missing {
			how = catalog.Extra
		} else if mirrored && how == catalog.Extra {
			how = catalog.Missing
		}
		out = append(out, d.Kind+" "+d.Object+": "+how)
	}
	return strings.Join(out, "\n")
}

// edited is the shop with one piece of its text exchanged.
func edited(t *testing.T, from, to string) string {
	t.Helper()
	if strings.Count(parityShop, from) != 1 {
		t.Fatalf("%q does not stand in the schema once", from)
	}
	return file(t, strings.Replace(parityShop, from, to, 1))
}

// TestParityOfOneChange exchanges one thing in the text of the target and
// expects exactly that difference, mirrored with the sides swapped, and that the
// statement given closes it.
func TestParityOfOneChange(t *testing.T) {
	cases := []struct {
		from, to, want string
		closes         bool
	}{
		{`VARCHAR(80)`, `VARCHAR(60)`, `column main.people.email: different`, false},
		{`VARCHAR(80)`, `varchar ( 80 )`, ``, false},
		{`VARCHAR(80)`, `INTEGER`, `column main.people.email: different`, false},
		{`VARCHAR(80) NOT NULL`, `VARCHAR(80)`, `column main.people.email: different`, false},
		{` COLLATE NOCASE`, ``, `column main.people.email: different`, false},
		{` -- the address`, ``, ``, false},
		{` NOT NULL UNIQUE`, ` NOT NULL`, `unique main.people."unique (email)": missing in target`, false},
		{`DEFAULT 'nobody'`, `DEFAULT 'Nobody'`, `column main.people.name: different`, false},
		{`DEFAULT 'nobody'`, ``, `column main.people.name: different`, false},
		{`DEFAULT (1 + 1)`, `DEFAULT (1+1)`, ``, false},
		{`DEFAULT 'nobody'`, `DEFAULT (('nobody'))`, ``, false},
		{`CHECK (score >= 0)`, `CHECK(((score >= 0)))`, ``, false},
		{`CHECK (score >= 0)`, `CHECK ((score) >= (0))`, `check main.people."check (score)": different`, false},
		{`(name || ' ' || email) STORED`, `((name || ' ' || email)) STORED`, ``, false},
		{`PRIMARY KEY AUTOINCREMENT`, `PRIMARY KEY ASC AUTOINCREMENT`, ``, false},
		{`PRIMARY KEY (id, line)`, `PRIMARY KEY (id ASC, line ASC)`, ``, false},
		{`PRIMARY KEY (id, line)`, `PRIMARY KEY (id, line DESC)`, `primary key main.orders: different`, false},
		{`people_born ON people (born)`, `people_born ON people (born ASC)`, ``, false},
		{`(lower(name) DESC) WHERE born IS NOT NULL`, `(lower(name) DESC) WHERE (born IS NOT NULL)`, ``, false},
		{`(lower(name) DESC)`, `((lower(name)))`, `index main.people.people_lower: different`, true},
		{`(a int, b int)`, `(a int, "asc" int, b int); CREATE INDEX named ON spare ("asc", asc ASC)`, "column main.spare.asc: extra in target\nindex main.spare.named: extra in target", false},
		{`"born" DATE`, `[born] date`, ``, false},
		{` STORED`, ``, `column main.people.full_name: different`, false},
		{`|| ' ' ||`, `|| '  ' ||`, `column main.people.full_name: different`, false},
		{`CHECK (score >= 0)`, `CHECK (score > 0)`, `check main.people."check (score)": different`, false},
		{`CHECK (score >= 0)`, ``, `check main.people."check (score)": missing in target`, false},
		{`'1900-01-01'`, `'1910-01-01'`, `check main.people.born_late: different`, false},
		{`CONSTRAINT born_late CHECK`, `CONSTRAINT born CHECK`, `check main.people.born_late: different`, false},
		{` AUTOINCREMENT`, ``, `primary key main.people: different`, false},
		{`REFERENCES people,`, `,`, `foreign key main.people."foreign key (boss)": missing in target`, false},
		{`REFERENCES people,`, `REFERENCES people ON DELETE SET NULL NOT DEFERRABLE,`, `foreign key main.people."foreign key (boss)": different`, false},
		{` ON DELETE SET NULL`, ` ON DELETE CASCADE`, `foreign key main.orders.orders_person: different`, false},
		{`CONSTRAINT orders_person `, `CONSTRAINT op `, `foreign key main.orders.orders_person: different`, false},
		{`PRIMARY KEY (id, line)`, `PRIMARY KEY (line, id)`, `primary key main.orders: different`, false},
		{` WITHOUT ROWID`, ``, `table main.orders: different`, false},
		{`person bigint NOT NULL`, `person bigint`, `column main.orders.person: different`, false},
		{`at timestamp DEFAULT CURRENT_TIMESTAMP`, `at timestamp DEFAULT (1)`, `column main.orders.at: different`, false},
		{`, at timestamp DEFAULT CURRENT_TIMESTAMP`, ``, `column main.orders.at: missing in target`, false},
		{`(a int, b int)`, `(a int, b int, c text)`, `column main.spare.c: extra in target`, true},
		{`(a int, b int)`, `(a int)`, `column main.spare.b: missing in target`, true},
		{`(a int, b int)`, `(b int, a int)`, `table main.spare: different`, false},
		{`(a int, b int)`, `(a int, b int) STRICT`, `table main.spare: different`, false},
		{`(a int, b int)`, `(a int, b int, UNIQUE (a, b))`, `unique main.spare."unique (a, b)": extra in target`, false},
		{`(a int, b int)`, `(a int PRIMARY KEY, b int)`, `primary key main.spare: extra in target`, false},
		{`CREATE TABLE spare (a int, b int);`, ``, `table main.spare: missing in target`, true},
		{`CREATE TABLE spare`, `CREATE TABLE more (a int UNIQUE); CREATE INDEX mi ON more (a); CREATE TABLE spare`, `table main.more: extra in target`, true},
		{`CREATE INDEX people_born ON people (born);`, ``, `index main.people.people_born: missing in target`, true},
		{`CREATE INDEX people_born`, `CREATE INDEX born_people`, `index main.people.people_born: different`, true},
		{`CREATE INDEX people_born ON people (born)`, `CREATE INDEX people_born ON people (born DESC)`, `index main.people.people_born: different`, true},
		{`CREATE INDEX people_born ON people (born)`, `CREATE INDEX people_born ON people (born COLLATE NOCASE)`, `index main.people.people_born: different`, true},
		{`CREATE INDEX people_born`, `CREATE UNIQUE INDEX people_born`, `index main.people.people_born: different`, true},
		{` WHERE born IS NOT NULL`, ` WHERE born IS NULL`, `index main.people.people_lower: different`, true},
		{`(lower(name) DESC)`, `(upper(name) DESC)`, `index main.people.people_lower: different`, true},
		{`CREATE INDEX people_born`, `CREATE INDEX more ON people (name); CREATE INDEX people_born`, `index main.people.more: extra in target`, true},
		{`"d.e" text`, `"d.e" text, "x""y" int`, `column main."it's ""odd""; --"."x""y": extra in target`, true},
		{`[SELECT] int UNIQUE`, `[SELECT] int`, `unique main."it's ""odd""; --"."unique (SELECT)": missing in target`, false},
		{`CREATE TABLE spare`, `CREATE TABLE understudy_manifest (x); CREATE TABLE spare`, ``, false},
	}
	whole := tablesOf(t, file(t, parityShop))
	for _, c := range cases {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			path := edited(t, c.from, c.to)
			changed := tablesOf(t, path)
			there, back := compared(t, whole, changed), compared(t, changed, whole)
			if got := changes(there, false); got != c.want {
				t.Errorf("differences:\n%s\nwant %s", got, c.want)
			}
			if a, b := changes(there, false), changes(back, true); a != b && !strings.Contains(c.from, "CREATE INDEX people_born") && !strings.Contains(c.from, "CONSTRAINT") {
				t.Errorf("not mirrored:\n%s\nand\n%s", a, b)
			}
			for _, d := range there.Differences {
				if d.SQL == "" {
					t.Errorf("no statement for %s %s", d.Kind, d.Object)
				}
			}
			if c.closes {
				closes(t, whole, path, there)
			}
		})
	}
}

// closes runs the statement of the only difference.
func closes(t *testing.T, whole *catalog.Catalog, path string, c *catalog.Comparison) {
	t.Helper()
	sql := c.Differences[0].SQL
	if sql == "" {
		t.Fatal("no statement closes it")
	}
	w := opened(t, path, readWrite)
	if err := w.exec(context.WithoutCancel(t.Context()), sql); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	after := compared(t, whole, tablesOf(t, path))
	for _, d := range after.Differences {
		if d.Detail != catalog.ColumnOrder && !strings.HasPrefix(d.Detail, "name: ") {
			t.Errorf("%s\nleaves %s", sql, fmt.Sprint(after.Differences))
		}
	}
}
