package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// What would stop a run later is told by the plan, with exit 4, before a row is
// read: rows that production's server hides, roles and extensions that staging's
// server lacks for production's structure.
func TestPlanForeseesWhatStopsARefresh(t *testing.T) {
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{})
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.Database(t)
	scratchtest.SQL(t, prod, people+peopleRows+`CREATE ROLE "front desk"; CREATE POLICY own ON people TO "front desk" USING (email = current_user); CREATE POLICY all_of_it ON people USING (true);`)
	name := scratch.Quote(scratchtest.Query(t, staging, "SELECT current_database()"))
	owner := scratchtest.Role(t, staging, "ALTER ROLE %s CREATEDB", "ALTER DATABASE "+name+" OWNER TO %s")
	reader := scratchtest.Role(t, prod)
	e := newErrand(t, reader, owner, plainJob(keepNone), map[string]string{"people.yaml": peopleRules})
	e.run(t, 4, "plan").wants(t, `CREATE ROLE "front desk" NOLOGIN`, "policy own of public.people")
	scratchtest.SQL(t, prod, "ALTER TABLE people ENABLE ROW LEVEL SECURITY; CREATE EXTENSION postgres_fdw")
	s := e.refuses(t, staging, 4)
	s.wants(t, `CREATE ROLE "front desk" NOLOGIN`, "public.people", "row-level security would hide rows", "BYPASSRLS", `only a superuser may create the extensions "postgres_fdw"`)
	if strings.Contains(s.all(), "visits") {
		t.Errorf("a table without row-level security is named:\n%s", s.all())
	}
	// With nothing in the way it runs, and the policy stands in staging.
	scratchtest.SQL(t, prod, "DROP EXTENSION postgres_fdw; ALTER POLICY own ON people TO pg_monitor")
	e.env["PROD_URL"] = prod
	e.run(t, 0, "refresh")
	if got := scratchtest.Query(t, staging, "SELECT string_agg(policyname, ' ' ORDER BY policyname) FROM pg_policies"); got != "all_of_it own" {
		t.Errorf("policies: %s", got)
	}
}

// A rollback to what stood there before the first refresh leaves the target
// claimed; verify says what stands there, and the next refresh needs no claim.
func TestRollbackToBeforeTheFirstRefresh(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, people+peopleRows)
	scratchtest.SQL(t, staging, people+"INSERT INTO people (name, email, code, feeling) VALUES ('ours', 'ours', 'ours', 'sad')")
	e := newErrand(t, prod, staging, plainJob("load: {mode: swap, keep: 1}"), map[string]string{"people.yaml": peopleRules})
	e.run(t, 4, "refresh").wants(t, "--claim")
	e.run(t, 0, "refresh", "--claim")
	e.run(t, 0, "rollback")
	if got := scratchtest.Query(t, staging, "SELECT count(*) FROM people"); got != "1" {
		t.Errorf("rows after the rollback: %s", got)
	}
	e.run(t, 4, "verify").wants(t, "was not loaded by understudy", "a rollback put it back")
	e.run(t, 0, "refresh")
	e.run(t, 0, "verify")
}

// Rows that no partition takes, whose bounds are over several columns: the line of
// the mask is named.
func TestPlanForeseesPartitionBounds(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE TABLE sales (id int, region int, code int, PRIMARY KEY (id, region, code)) PARTITION BY RANGE (region, code);
		CREATE TABLE sales_low PARTITION OF sales FOR VALUES FROM (0, 0) TO (10, 10); CREATE TABLE sales_high PARTITION OF sales FOR VALUES FROM (10, 10) TO (20, 20);
		INSERT INTO sales SELECT g, g % 20, g % 10 FROM generate_series(1, 100) g; ANALYZE sales`)
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"sales.yaml": `version: 1
tables:
  sales:
    columns:
      id: {keep: a number}
      region: {mask: int, min: 0, max: 900}
      code: {keep: a number}
`})
	e.run(t, 2, "plan").wants(t, "rules/sales.yaml:6:22: public.sales.region: ", "no partition takes them, for these are by code, region")

	// The same partitions by name, which take less in staging: no mask has a part in it.
	prod, staging = scratchtest.Database(t), scratchtest.Database(t)
	for url, last := range map[string]string{prod: "100", staging: "50"} {
		scratchtest.SQL(t, url, "CREATE TABLE logs (id int PRIMARY KEY, who text) PARTITION BY RANGE (id); CREATE TABLE logs_all PARTITION OF logs FOR VALUES FROM (0) TO ("+last+")")
	}
	scratchtest.SQL(t, prod, "INSERT INTO logs SELECT g, 'w' || g FROM generate_series(1, 99) g; ANALYZE logs")
	e = newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"logs.yaml": "version: 1\ntables:\n  logs: {columns: {id: {keep: a number}, who: full_name}}\n"})
	e.run(t, 2, "plan").wants(t, "public.logs", "no partition takes them")
}
