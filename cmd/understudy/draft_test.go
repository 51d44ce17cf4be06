package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestDraftIsEnoughForADatabaseNobodyPrepared drafts job and rules from the
// database alone, as somebody does on the first day, and refreshes with them.
func TestDraftIsEnoughForADatabaseNobodyPrepared(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{
		"shop":    nil,
		"chinook": {"chinook/chinook-pg.sql.gz"},
		"pagila":  {"pagila/pagila.sql.gz"},
		"sakila":  {"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, f := range files {
				files[i] = scratchtest.SampleDatabase(t, f)
			}
			prod, staging := scratchtest.Database(t), scratchtest.Database(t)
			if files == nil {
				fillShop(t, prod, "")
			}
			for _, f := range files {
				scratchtest.Load(t, prod, f)
			}
			e := &errand{dir: t.TempDir(), env: map[string]string{"PROD_URL": prod, "STAGING_URL": staging, "UNDERSTUDY_KEY": testKey}}
			e.run(t, 0, "init", "--source", "${PROD_URL}", "--target", "${STAGING_URL}")
			e.run(t, 0, "rules", "check")
			e.run(t, 0, "refresh")
			wantWhole(t, prod, staging)
			wantAllRows(t, prod, staging)
			e.run(t, 0, "verify")
		})
	}
}

// TestDraftKeepsWhatPartitionsList: a column by whose values a list of partitions takes
// rows is kept, so that the draft's own plan passes; one that some partition takes in
// any case, or whose bounds are ranges, is masked as its name says.
func TestDraftKeepsWhatPartitionsList(t *testing.T) {
	t.Parallel()
	kept := func(t *testing.T, e *errand, column string, want bool) {
		t.Helper()
		rules, err := os.ReadFile(filepath.Join(e.dir, "rules", "rules.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(rules), column+`: {keep: "review: the table's partitions list its values`); got != want {
			t.Errorf("%s kept for its partitions: %v, want %v\n%s", column, got, want, rules)
		}
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		prod, staging := scratchtest.Database(t), scratchtest.Database(t)
		scratchtest.SQL(t, prod, `CREATE TABLE people (id int, country text, city text, PRIMARY KEY (id, country)) PARTITION BY LIST (country);
			CREATE TABLE people_de PARTITION OF people FOR VALUES IN ('DE', 'AT'); CREATE TABLE people_us PARTITION OF people FOR VALUES IN ('US');
			INSERT INTO people SELECT i, (ARRAY['DE', 'AT', 'US'])[1 + i % 3], 'Berlin' FROM generate_series(1, 30) i;
			CREATE TABLE others (id int, region text) PARTITION BY LIST (region); CREATE TABLE others_x PARTITION OF others DEFAULT; INSERT INTO others VALUES (1, 'North');
			CREATE TABLE towns (id int, town text) PARTITION BY RANGE (town); CREATE TABLE towns_x PARTITION OF towns FOR VALUES FROM (MINVALUE) TO (MAXVALUE); INSERT INTO towns VALUES (1, 'Bonn')`)
		e := newErrand(t, prod, staging, "", nil)
		if err := os.Remove(filepath.Join(e.dir, "understudy.yaml")); err != nil {
			t.Fatal(err)
		}
		e.run(t, 0, "init")
		e.run(t, 0, "plan", "--claim")
		kept(t, e, "country", true)
		kept(t, e, "region", false)
		kept(t, e, "town", false)
		e.run(t, 0, "refresh", "--claim")
	})
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		prod, from := fresh()
		statement(t, from, "CREATE TABLE people (id int, country varchar(9), city varchar(40), PRIMARY KEY (id, country)) PARTITION BY LIST COLUMNS(country) (PARTITION a VALUES IN ('DE', 'AT'), PARTITION b VALUES IN ('US'))")
		statement(t, from, "INSERT INTO people VALUES (1, 'DE', 'Bonn'), (2, 'US', 'Troy'), (3, 'AT', 'Graz')")
		statement(t, from, "CREATE TABLE towns (id int, town varchar(60)) PARTITION BY RANGE COLUMNS(town) (PARTITION a VALUES LESS THAN (MAXVALUE))")
		staging, _ := fresh()
		e := newErrand(t, prod, staging, "", nil)
		if err := os.Remove(filepath.Join(e.dir, "understudy.yaml")); err != nil {
			t.Fatal(err)
		}
		e.run(t, 0, "init")
		kept(t, e, "country", true)
		kept(t, e, "town", false)
		e.run(t, 0, "refresh", "--claim")
	})
}

// TestDraftKeepsUniqueValuesApart: unique values of types that few masks take are masked
// by the draft all the same, and its own check, which nobody counted rows for, passes.
func TestDraftKeepsUniqueValuesApart(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE TABLE devices (id int PRIMARY KEY, blob bytea UNIQUE NOT NULL, names text[] UNIQUE NOT NULL, others text[] UNIQUE, address inet UNIQUE NOT NULL, hardware macaddr UNIQUE);
		INSERT INTO devices SELECT i, decode('deadbeef', 'hex') || int4send(i), ARRAY['first' || i, 'second'], ARRAY['other' || i], ('10.1.2.' || i)::inet, ('08:00:2b:01:02:' || to_hex(16 + i))::macaddr FROM generate_series(1, 90) i; ANALYZE devices`)
	e := newErrand(t, prod, staging, "", nil)
	if err := os.Remove(filepath.Join(e.dir, "understudy.yaml")); err != nil {
		t.Fatal(err)
	}
	e.run(t, 0, "init")
	e.run(t, 0, "rules", "check")
	e.run(t, 0, "refresh", "--claim")
	wantAllRows(t, prod, staging)
	for _, column := range []string{"blob", "names", "others", "address", "hardware"} {
		const values = "SELECT string_agg(%s::text, ' ') FROM devices"
		for value := range strings.FieldsSeq(scratchtest.Query(t, prod, strings.ReplaceAll(values, "%s", column))) {
			if strings.Contains(scratchtest.Query(t, staging, strings.ReplaceAll(values, "%s", column)), value) {
				t.Fatalf("%s: a value of production is in staging", column)
			}
		}
	}
	// A mask that leaves few fakes apart is judged where rows are counted.
	e.write(t, "rules/rules.yaml", "version: 1\ntables:\n  devices: {columns: {id: {keep: a number}, blob: hash, \"names, others\": hash, address: {mask: ip, family: v6}, hardware: mac}}\n")
	e.run(t, 0, "rules", "check")
	e.run(t, 0, "refresh")
}
