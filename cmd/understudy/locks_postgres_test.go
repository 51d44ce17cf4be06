package main

import (
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// TestTooManyTablesForTheServer reads from, and builds on, a server that has no
// room for a lock on each partition: the run ends with what to raise.
func TestTooManyTablesForTheServer(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	small := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"max_locks_per_transaction": "10", "max_connections": "10", "max_worker_processes": "0", "max_wal_senders": "0", "autovacuum_max_workers": "1"}})
	many := `CREATE TABLE events (id int NOT NULL) PARTITION BY RANGE (id);
		DO $$ BEGIN FOR i IN 0..599 LOOP EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10); IF i % 10 = 0 THEN COMMIT; END IF; END LOOP; END $$;
		CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1)`
	source, target := scratchtest.DatabaseOn(t, small.URL("postgres")), scratchtest.DatabaseOn(t, small.URL("postgres"))
	scratchtest.SQL(t, source, many)
	const say, hint = "no room for a lock on each of so many tables", "raise max_locks_per_transaction"
	e := newErrand(t, source, scratchtest.Database(t), plainJob(keepNone), nil)
	e.keepAll(t)
	e.run(t, 6, "refresh").wants(t, "source", say, hint)

	scratchtest.SQL(t, target, many)
	fine := scratchtest.Database(t)
	scratchtest.SQL(t, fine, "CREATE TABLE other (id int PRIMARY KEY)")
	e.env["PROD_URL"], e.env["STAGING_URL"] = fine, target
	e.write(t, "understudy.yaml", plainJob("load: {mode: swap, keep: 0, discard: [events]}"))
	e.keepAll(t)
	e.run(t, 6, "refresh", "--claim").wants(t, "target", say, hint)
}
