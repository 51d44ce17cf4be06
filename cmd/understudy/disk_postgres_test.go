package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// wide is a production of some megabytes: rows, and indexes of about their size.
const wide = `CREATE TABLE wide (id int PRIMARY KEY, boss int REFERENCES wide, a text, b text, c text); CREATE INDEX ON wide (a); CREATE INDEX ON wide (b); CREATE INDEX ON wide (c);`

const wideRows = `INSERT INTO wide SELECT i, i / 2 + 1, md5(i::text) || md5('a' || i), md5('b' || i) || md5('c' || i), md5('d' || i) || md5('e' || i) FROM generate_series(1, 40000) i;`

const wideRules = `version: 1
tables:
  wide: {columns: {id: {keep: "a number"}, "a, b": {keep: "digests"}, c: hash}}
`

// ownDatabase makes a database on a disk of its own.
func ownDatabase(t *testing.T, server *scratch.Postgres, megabytes int, setup string) (address, folder string) {
	t.Helper()
	folder = scratchtest.SmallDisk(t, server, megabytes)
	scratchtest.SQL(t, server.URL("postgres"), "CREATE TABLESPACE small LOCATION '"+folder+"'")
	scratchtest.SQL(t, server.URL("postgres"), "CREATE DATABASE shop TABLESPACE small")
	address = server.URL("shop")
	scratchtest.SQL(t, address, setup)
	return address, folder
}

// A disk that fills up under the new generation, be it by rows or by indexes,
// ends the run with 6; the old generation stands, and nothing lies beside it.
func TestTheTargetsDiskIsFull(t *testing.T) {
	t.Parallel()
	sizes := map[string]int{"rows": 19, "indexes": 24, "last": 29, "side tables": 13, "exchange": 25}
	for _, name := range scratchtest.Some(t, slices.Sorted(maps.Keys(sizes)), 2) {
		megabytes := sizes[name]
		t.Run(name, func(t *testing.T) {
			prod := scratchtest.Database(t)
			scratchtest.SQL(t, prod, wide)
			server := scratchtest.Own(t, scratch.Options{})
			staging, folder := ownDatabase(t, server, megabytes, wide)
			job := plainJob(keepNone)
			if name == "side tables" || name == "exchange" {
				job = plainJob("load: {mode: replace}")
			}
			e := newErrand(t, prod, staging, job, map[string]string{"r.yaml": wideRules})
			scratchtest.SQL(t, prod, "INSERT INTO wide VALUES (1, 1, 'first', 'generation', 'x')")
			e.run(t, 0, "refresh")
			before := scratchtest.Digest(t, staging)
			scratchtest.SQL(t, prod, "DELETE FROM wide; "+wideRows)
			e.run(t, 6, "refresh").wants(t, "target: ", "disk is full", "free space")
			same(t, "staging", before, scratchtest.Digest(t, staging))
			wantAlone(t, server, "shop")
			wantNothingLeft(t, prod)
			scratchtest.GrowDisk(t, folder, 200)
			e.run(t, 0, "refresh")
			wantWhole(t, prod, staging)
		})
	}
}

// wantAlone wants no database beside one on a server.
func wantAlone(t *testing.T, server *scratch.Postgres, name string) {
	t.Helper()
	if got := scratchtest.Query(t, server.URL("postgres"), "SELECT string_agg(datname, ' ') FROM pg_database WHERE datname LIKE '"+name+"%'"); got != name {
		t.Errorf("on the target's server stand %s", got)
	}
}

// A server whose write-ahead log finds no room ends itself; the old generation
// is there when it comes back.
func TestTheTargetsLogHasNoRoom(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	prod := scratchtest.Database(t)
	scratchtest.SQL(t, prod, wide+"INSERT INTO wide VALUES (1, 1, 'first', 'generation', 'x')")
	server := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"max_wal_size": "1GB", "checkpoint_timeout": "1h"}})
	folder := scratchtest.SmallDisk(t, server, 52)
	server.Kill()
	wal := filepath.Join(server.DataDir(), "pg_wal")
	out, err := exec.Command("cp", "-a", wal+"/.", folder).CombinedOutput()
	if err == nil {
		err = os.RemoveAll(wal)
	}
	if err == nil {
		err = os.Symlink(folder, wal)
	}
	if err == nil {
		err = server.Restart(t.Context(), nil)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	staging := scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, staging, wide)
	e := newErrand(t, prod, staging, plainJob(keepNone), map[string]string{"r.yaml": wideRules})
	e.run(t, 0, "refresh")
	before := scratchtest.Digest(t, staging)
	scratchtest.SQL(t, prod, "DELETE FROM wide; "+wideRows+strings.ReplaceAll(strings.Replace(wideRows, "SELECT i, i / 2 + 1,", "SELECT i + 100000, 1,", 1), "40000", "60000"))
	e.run(t, 6, "refresh")
	wantNothingLeft(t, prod)
	scratchtest.GrowDisk(t, folder, 400)
	if err := server.Restart(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	same(t, "staging", before, scratchtest.Digest(t, staging))
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
}

// Where the source has no room for the temporary files of a sort, or the role's
// share of it is used up, the run ends with 6 and leaves nothing there.
func TestTheSourceHasNoRoomToSort(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	server := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"work_mem": "64kB", "max_parallel_workers_per_gather": "0"}})
	folder := scratchtest.SmallDisk(t, server, 1)
	prod, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.Database(t)
	scratchtest.SQL(t, prod, strings.Replace(wide, "CREATE INDEX", "CREATE INDEX ON wide (boss); CREATE INDEX", 1)+wideRows+"VACUUM ANALYZE wide")
	scratchtest.SQL(t, server.URL("postgres"), "CREATE TABLESPACE small LOCATION '"+folder+"'")
	scratchtest.SQL(t, staging, wide+"INSERT INTO wide VALUES (1, 1, 'the old', 'generation', 'x')")
	reader := scratchtest.Role(t, prod, "GRANT SELECT ON wide TO %s", "GRANT CREATE ON TABLESPACE small TO %s")
	e := newErrand(t, reader, staging, plainJob(keepNone, `subset: {seeds: [{table: wide, limit: 39000, order: "c || b || a"}]}`), map[string]string{"r.yaml": wideRules})
	before := scratchtest.Digest(t, staging)
	role := `"` + reader[strings.Index(reader, "//")+2:strings.LastIndex(reader, ":")]
	role = role[:strings.IndexByte(role, ':')] + `"`
	for setting, says := range map[string]string{"temp_tablespaces TO small": "disk is full", "temp_file_limit TO '100kB'": "limit of the server"} {
		scratchtest.SQL(t, prod, "ALTER ROLE "+role+" SET "+setting)
		e.run(t, 6, "refresh", "--claim").wants(t, says)
		same(t, "staging", before, scratchtest.Digest(t, staging))
		wantNothingLeft(t, prod)
		if got := scratchtest.Query(t, prod, "SELECT count(*) FROM pg_ls_tmpdir() a UNION ALL SELECT count(*) FROM pg_ls_tmpdir((SELECT oid FROM pg_tablespace WHERE spcname = 'small'))"); got != "0\n0" {
			t.Errorf("temporary files are left: %s", got)
		}
		scratchtest.SQL(t, prod, "ALTER ROLE "+role+" RESET ALL")
	}
	e.run(t, 0, "refresh", "--claim")
}
