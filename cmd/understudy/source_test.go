package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// left lists what a run may not leave on the source's server: replication
// slots, open transactions, locks, prepared transactions, sessions.
const left = `
	SELECT 'slot', slot_name::text FROM pg_replication_slots
	UNION ALL SELECT 'prepared', gid FROM pg_prepared_xacts WHERE database = current_database()
	UNION ALL SELECT 'lock', l.locktype || ' ' || l.mode FROM pg_locks l WHERE l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND l.pid IN (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'understudy%')
	UNION ALL SELECT 'session', application_name || ' ' || coalesce(state, '') FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'understudy%'`

// wantNothingLeft waits until the source's sessions have ended, as they do
// a moment after the program, and wants nothing of the run there.
func wantNothingLeft(t *testing.T, source string) {
	t.Helper()
	var found string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if found = scratchtest.Query(t, source, left); found == "" {
			return
		}
	}
	t.Errorf("left on the source:\n%s", found)
}

// settled gives what was written in a database, once its sessions have told:
// when two looks agree and nobody but us is connected.
func settled(t *testing.T, address string) string {
	t.Helper()
	last := "none yet"
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		others := scratchtest.Query(t, address, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'")
		now := scratchtest.Written(t, address)
		if others == "0" && now == last {
			return now
		}
		last = now
	}
	t.Fatal("the database does not come to rest")
	return ""
}

// sourceCatalog is the structure as the catalog tells it.
func sourceCatalog(t *testing.T, address string) string {
	t.Helper()
	return scratchtest.Query(t, address, `
		SELECT 'class', c.oid::text, c.relname, c.relkind::text, c.relfilenode::text, coalesce(c.relacl::text, '') FROM pg_class c WHERE c.oid >= 16384
		UNION ALL SELECT 'attribute', attrelid::text, attname, attnum::text, atttypid::text, '' FROM pg_attribute WHERE attrelid >= 16384
		UNION ALL SELECT 'constraint', oid::text, conname, contype::text, convalidated::text, '' FROM pg_constraint WHERE oid >= 16384
		UNION ALL SELECT 'function', oid::text, proname, '', '', '' FROM pg_proc WHERE oid >= 16384
		UNION ALL SELECT 'schema', oid::text, nspname, '', '', coalesce(nspacl::text, '') FROM pg_namespace
		UNION ALL SELECT 'setting', setdatabase::text, setrole::text, setconfig::text, '', '' FROM pg_db_role_setting
		ORDER BY 1, 2, 3, 4`)
}

func TestSourceIsReadAsARoleWithSelectOnly(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T, string) (string, string, *errand){
		"shop": func(t *testing.T, target string) (string, string, *errand) {
			p := scratchtest.Database(t)
			fillShop(t, p, "")
			r := scratchtest.Role(t, p)
			return p, r, emptyShopErrand(t, r, target)
		},
		"pagila": func(t *testing.T, target string) (string, string, *errand) {
			p := pagila(t)
			r := scratchtest.Role(t, p)
			return p, r, sampleErrand(t, "pagila", r, target)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			staging := scratchtest.Database(t)
			prod, _, e := make(t, staging)
			e.run(t, 0, "refresh")
			wantWhole(t, prod, staging)
			wantNothingLeft(t, prod)
		})
	}
}

// emptyShopErrand is the shop's for a target without any table.
func emptyShopErrand(t *testing.T, source, target string) *errand {
	t.Helper()
	e := shopErrand(t, source, target)
	e.write(t, "understudy.yaml", replaced(t, shopJob(), ", preserve: [feature_flags]", ""))
	return e
}

func TestSourceIsUnchangedAsItsOwner(t *testing.T) {
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"autovacuum": "off"}})
	for name, fill := range map[string]func(t *testing.T, prod, staging string) *errand{
		"shop": func(t *testing.T, prod, staging string) *errand {
			fillShop(t, prod, staging)
			return shopErrand(t, prod, staging)
		},
		"pagila": func(t *testing.T, prod, staging string) *errand {
			scratchtest.Load(t, prod, scratchtest.SampleDatabase(t, "pagila/pagila.sql.gz"))
			return sampleErrand(t, "pagila", prod, staging)
		},
	} {
		t.Run(name, func(t *testing.T) {
			prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.Database(t) // on two servers: some catalogs are shared
			e := fill(t, prod, staging)
			scratchtest.SQL(t, prod, "VACUUM ANALYZE") // pages are as a reader would leave them
			catalog, digest := sourceCatalog(t, prod), scratchtest.Digest(t, prod)
			written := settled(t, prod)
			numbers := scratchtest.Query(t, prod, "SELECT txid_snapshot_xmax(txid_current_snapshot())")
			e.run(t, 0, "plan", "--claim")
			e.run(t, 0, "refresh", "--claim")
			same(t, "what the server counted as written", written, settled(t, prod))
			same(t, "transaction numbers", numbers, scratchtest.Query(t, prod, "SELECT txid_snapshot_xmax(txid_current_snapshot())"))
			same(t, "catalogs", catalog, sourceCatalog(t, prod))
			same(t, "contents", digest, scratchtest.Digest(t, prod))
			wantNothingLeft(t, prod)
		})
	}
	files, err := os.ReadDir(filepath.Join(server.DataDir(), "base", "pgsql_tmp"))
	if err == nil && len(files) > 0 {
		t.Errorf("%d temporary files are left on the server", len(files))
	}
}

func TestSourceMayBeAHotStandby(t *testing.T) {
	t.Parallel()
	first := scratchtest.Own(t, scratch.Options{})
	prod := scratchtest.DatabaseOn(t, first.URL("postgres"))
	fillShop(t, prod, "")
	standby := scratchtest.Standby(t, first, nil)
	name := prod[strings.LastIndex(prod, "/")+1:]
	replica := standby.URL(strings.TrimSuffix(name, "?sslmode=disable"))
	wantCaughtUp(t, prod, replica)

	staging := scratchtest.Database(t)
	e := emptyShopErrand(t, replica, staging)
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
	first1 := sortedDump(t, staging)

	// The same rows, whether read from the standby or from the first server.
	e.env["PROD_URL"] = prod
	e.run(t, 0, "refresh")
	same(t, "dumps of what the standby and the first server gave", first1, sortedDump(t, staging))

	// The standby's own first server is not a staging, nor is the standby.
	before := scratchtest.Digest(t, prod)
	e.env["PROD_URL"], e.env["STAGING_URL"] = replica, prod
	e.run(t, 4, "refresh", "--claim").wants(t, "target_is_a_clone")
	same(t, "the first server's contents", before, scratchtest.Digest(t, prod))
	e.env["PROD_URL"], e.env["STAGING_URL"] = prod, replica
	e.run(t, 4, "refresh", "--claim")
}

// wantCaughtUp waits until a standby shows what its first server does.
func wantCaughtUp(t *testing.T, first, standby string) {
	t.Helper()
	want := scratchtest.Query(t, first, "SELECT pg_current_wal_lsn()")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if scratchtest.Query(t, standby, "SELECT pg_last_wal_replay_lsn() >= '"+want+"'") == "t" {
			return
		}
	}
	t.Fatal("the standby does not catch up")
}
