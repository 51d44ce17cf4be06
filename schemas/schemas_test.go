package schemas_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// tables of production, the children after their parents.
var tables = []string{"countries", "teams", "employees", "customers", "addresses", "categories", "products", "orders", "order_items", "returns",
	"payments", "comments", "newsletter", "sessions", "audit_log"}

// file runs statements on a new SQLite file and gives its path.
func file(t *testing.T, statements []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.db")
	db := open(t, path)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			t.Fatalf("%v\n%.200s", err, s)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func counts(t *testing.T, one func(query string) string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range tables {
		out[table] = one("SELECT count(*) FROM " + table)
	}
	return out
}

func scalar(t *testing.T, db *sql.DB) func(string) string {
	return func(query string) string {
		var out string
		if err := db.QueryRow(query).Scan(&out); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return out
	}
}

// TestShopIsWhole makes the shop in SQLite: about ten thousand rows, no orphan,
// and the cases a masked staging must keep.
func TestShopIsWhole(t *testing.T) {
	production, staging := schemas.Shop("sqlite")
	again, _ := schemas.Shop("sqlite")
	if !slices.Equal(production, again) {
		t.Error("the shop is another one the second time")
	}
	one := scalar(t, open(t, file(t, production)))
	if got := one("SELECT count(*) FROM pragma_foreign_key_check"); got != "0" {
		t.Errorf("%s orphans", got)
	}
	total := 0
	for table, n := range counts(t, one) {
		var rows int
		fmt.Sscan(n, &rows)
		if total += rows; rows == 0 {
			t.Errorf("%s is empty", table)
		}
	}
	if total < 9000 || total > 13000 {
		t.Errorf("%d rows, not about ten thousand", total)
	}
	for what, query := range map[string]string{
		"a name with an apostrophe":         "SELECT count(*) FROM customers WHERE full_name LIKE '%''%'",
		"a name beyond ASCII":               "SELECT count(*) FROM customers WHERE full_name GLOB '*[^ -~]*'",
		"an empty note":                     "SELECT count(*) FROM customers WHERE notes = ''",
		"no note":                           "SELECT count(*) FROM customers WHERE notes IS NULL",
		"a rare status":                     "SELECT count(*) FROM orders WHERE status = 'disputed'",
		"a boss over a boss":                "SELECT count(*) FROM employees a JOIN employees b ON a.manager_id = b.id WHERE b.manager_id IS NOT NULL",
		"a team whose lead is in a team":    "SELECT count(*) FROM teams t JOIN employees e ON t.lead_id = e.id",
		"a return of an order's line":       "SELECT count(*) FROM returns JOIN order_items USING (order_id, line)",
		"a comment on an order":             "SELECT count(*) FROM comments c JOIN orders o ON c.subject_id = o.id WHERE c.subject_type = 'Order'",
		"a reader who is a customer":        "SELECT count(*) FROM newsletter JOIN customers USING (email)",
		"a profile that is a JSON document": "SELECT count(*) FROM customers WHERE json_valid(profile)",
	} {
		if one(query) == "0" {
			t.Errorf("the shop has not %s", what)
		}
	}
	if got := one("SELECT count(*) FROM customers WHERE email NOT LIKE '%.example'"); got != "0" {
		t.Errorf("%s addresses outside the reserved domains", got)
	}
	there := scalar(t, open(t, file(t, staging)))
	if got := there("SELECT count(*) FROM feature_flags"); got == "0" {
		t.Error("staging has no rows of its own")
	}
}

// TestShopIsTheSameOnEveryEngine compares rows by count and by a few sums.
func TestShopIsTheSameOnEveryEngine(t *testing.T) {
	lite, _ := schemas.Shop("sqlite")
	production, _ := schemas.Shop("postgres")
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, strings.Join(production, ";\n"))
	one := scalar(t, open(t, file(t, lite)))
	other := func(query string) string { return strings.TrimSpace(scratchtest.Query(t, url, query)) }
	if d := cmp.Diff(counts(t, one), counts(t, other)); d != "" {
		t.Errorf("-sqlite +postgres\n%s", d)
	}
	for _, query := range []string{"SELECT sum(length(full_name)) FROM customers", "SELECT sum(length(body)) FROM comments", "SELECT sum(quantity * product_id) FROM order_items",
		"SELECT max(full_name) FROM employees WHERE salary = 984000"} {
		if a, b := one(query), other(query); a != b {
			t.Errorf("%s: %s and %s", query, a, b)
		}
	}
}
