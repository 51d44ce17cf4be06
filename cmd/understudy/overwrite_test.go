package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestReplaceOverwritesOnSQLite: what a former generation held, and a rule masks since,
// stands in no byte of the file after rows were exchanged.
func TestReplaceOverwritesOnSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	prod, staging := filepath.Join(dir, "prod.db"), filepath.Join(dir, "staging.db")
	rows := "CREATE TABLE people (id integer PRIMARY KEY, email text);"
	for i := range 3000 {
		rows += fmt.Sprintf("INSERT INTO people VALUES (%d, 'SECRETu%d-%d@shop.example');", i+1, i, i*7919)
	}
	from := openFile(t, prod)
	fillFile(t, from, rows)
	if err := from.Close(); err != nil {
		t.Fatal(err)
	}
	rules := func(email string) string {
		return "version: 1\ntables:\n  main.people:\n    columns:\n      id: {keep: a number}\n      email: " + email + "\n"
	}
	e := newErrand(t, "sqlite:"+prod, "sqlite:"+staging, plainJob("load: {keep: 0}"), map[string]string{"rules.yaml": rules("{keep: a leak}")})
	e.run(t, 0, "refresh", "--claim")
	if n := count(t, staging, "SECRETu"); n == 0 {
		t.Fatal("the leak is not there")
	}
	e.write(t, "understudy.yaml", plainJob("load: {mode: replace}"))
	e.write(t, filepath.Join("rules", "rules.yaml"), rules("email"))
	e.run(t, 0, "refresh")
	if n := count(t, staging, "SECRETu"); n > 0 {
		t.Errorf("%d of production's values stand in the file", n)
	}
}

// count counts how often a text stands in a file.
func count(t *testing.T, path, text string) int {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(all, []byte(text))
}
