package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"understudy/internal/engines"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
	"understudy/schemas"
)

// TestTheShopIsOneOnAllEngines refreshes the demo's shop on every engine with one
// rules file, one key and one seed: what arrives is equal, row by row.
func TestTheShopIsOneOnAllEngines(t *testing.T) {
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	fillShop(t, prod, staging)
	shopErrand(t, prod, staging).run(t, 0, "refresh", "--claim")
	tables := strings.Fields(scratchtest.Query(t, staging, `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`))
	columns := map[string][]string{}
	want := map[string][]string{}
	for _, name := range tables {
		columns[name] = strings.Fields(scratchtest.Query(t, staging, `SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '`+name+`' ORDER BY 1`))
		rows := scratchtest.Query(t, staging, "SELECT "+strings.Join(columns[name], ", ")+" FROM "+name)
		for line := range strings.Lines(rows) {
			var row []string
			for _, v := range strings.Split(strings.TrimSuffix(line, "\n"), "\t") {
				row = append(row, plainly(v))
			}
			want[name] = append(want[name], strings.Join(row, "|"))
		}
		slices.Sort(want[name])
	}
	if len(want["customers"]) < 10 || len(tables) < 15 {
		t.Fatalf("%d customers in %d tables", len(want["customers"]), len(tables))
	}
	compare := func(t *testing.T, db *sql.DB) {
		t.Helper()
		for _, name := range tables {
			got := shopRows(t, db, name, columns[name])
			if slices.Equal(got, want[name]) {
				continue
			}
			at := 0
			for at < min(len(got), len(want[name])) && got[at] == want[name][at] {
				at++
			}
			t.Errorf("%s: %d rows, want %d; the first that differs:\n%s\nwant\n%s", name, len(got), len(want[name]), append(got, "")[at], append(want[name], "")[at])
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		one, two := schemas.Shop("sqlite")
		files := map[string]string{}
		for name, statements := range map[string][]string{"production.db": one, "staging.db": two} {
			files[name] = "sqlite:" + filepath.Join(dir, name)
			executeShop(t, files[name], statements)
		}
		shopErrand(t, files["production.db"], files["staging.db"]).run(t, 0, "refresh", "--claim")
		db, err := sql.Open("sqlite", filepath.Join(dir, "staging.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		compare(t, db)
	})
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		one, two := schemas.Shop("mysql")
		prod, from := fresh()
		staging, to := fresh()
		statement(t, from, "SET GLOBAL log_bin_trust_function_creators = 1")
		executeShop(t, prod, one)
		executeShop(t, staging, two)
		shopErrand(t, prod, staging).run(t, 0, "refresh", "--claim")
		compare(t, to)
	})
}

func executeShop(t testing.TB, url string, statements []string) {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry, _, at, err := engines.Open(secret.New(url), "test")
	if err == nil {
		err = entry.Execute(t.Context(), at, statements)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func shopRows(t *testing.T, db *sql.DB, table string, columns []string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT "+strings.Join(columns, ", ")+" FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var row []string
		for _, v := range values {
			switch v := v.(type) {
			case nil:
				row = append(row, `\N`)
			case []byte:
				row = append(row, plainly(string(v)))
			default:
				row = append(row, plainly(fmt.Sprint(v)))
			}
		}
		out = append(out, strings.Join(row, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

var instant = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.0+)?(?: ?(?:\+00(?::?00)?|Z|\+0000 UTC))?)?$`)

// plainly writes a value in the one way of the many that engines have.
func plainly(v string) string {
	switch v {
	case "t", "true":
		v = "1"
	case "f", "false":
		v = "0"
	}
	if n, ok := new(big.Rat).SetString(v); ok && !strings.Contains(v, "/") && (len(v) < 2 || v[0] != '0' || v[1] == '.') {
		return n.FloatString(6) // SQLite computes with binary fractions
	}
	if m := instant.FindStringSubmatch(v); m != nil {
		if m[2] == "00:00:00" || m[2] == "" {
			return m[1]
		}
		return m[1] + " " + m[2]
	}
	var document any
	if v != "" && (v[0] == '{' || v[0] == '[') && json.Unmarshal([]byte(v), &document) == nil {
		text, err := json.Marshal(document)
		if err == nil {
			return string(text)
		}
	}
	return v
}
