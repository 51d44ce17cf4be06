package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// likeness is a dump with the rows of each table sorted, those of partitions
// with their root's: values whose hash is not that of another database, such as
// enumerations, lie elsewhere there. The positions of sequences are left out.
func likeness(t *testing.T, address string, args ...string) string {
	t.Helper()
	var out []string
	rows := map[string][]string{}
	table, position := "", false
	for _, line := range strings.Split(string(dumped(t, address, append([]string{"--no-owner", "--no-privileges", "--load-via-partition-root"}, args...)...)), "\n") {
		switch {
		case table != "" && line == `\.`:
			table = ""
		case table != "":
			rows[table] = append(rows[table], line)
		case position || strings.HasPrefix(line, "SELECT pg_catalog.setval"):
			position = !strings.HasSuffix(line, ");") // names may have several lines
		case strings.HasSuffix(line, " FROM stdin;"):
			table = line
		default:
			out = append(out, line)
		}
	}
	for _, table := range slices.Sorted(maps.Keys(rows)) {
		slices.Sort(rows[table])
		out = append(append(out, table), rows[table]...)
	}
	return strings.Join(out, "\n")
}

// fillViews fills the materialized views that are filled elsewhere.
func fillViews(t *testing.T, like, address string) {
	t.Helper()
	for range 3 { // those that read others after them
		scratchtest.Query(t, address, scratchtest.Query(t, like, `SELECT coalesce(string_agg(format('DO $x$ BEGIN REFRESH MATERIALIZED VIEW %I.%I; EXCEPTION WHEN OTHERS THEN NULL; END $x$;', schemaname, matviewname), ' '), 'SELECT 1') FROM pg_matviews WHERE ispopulated`))
	}
}

// dropViewKeys drops the unique indexes of materialized views: masks that give
// several values one fake are refused for what they compare, and what views
// compute of masked columns the run that refreshes them tells.
func dropViewKeys(t *testing.T, address string) {
	t.Helper()
	scratchtest.SQL(t, address, `DO $x$ DECLARE i regclass; BEGIN
		FOR i IN SELECT x.indexrelid FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid WHERE c.relkind = 'm' AND x.indisunique LOOP EXECUTE 'DROP INDEX ' || i; END LOOP; END $x$`)
}

// TestTortureRandom carries databases that are made up, and masks them. With
// UNDERSTUDY_TORTURE_WORLDS and UNDERSTUDY_TORTURE_SEED it makes up more; a
// test's name is its seed.
func TestTortureRandom(t *testing.T) {
	worlds, seed := 2, uint64(1)
	if v, err := strconv.Atoi(os.Getenv("UNDERSTUDY_TORTURE_WORLDS")); err == nil {
		worlds = v
	}
	if v, err := strconv.ParseUint(os.Getenv("UNDERSTUDY_TORTURE_SEED"), 10, 64); err == nil {
		seed = v
	}
	for i := range worlds {
		seed := seed + uint64(i)
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			source, target := scratchtest.Database(t), scratchtest.Database(t)
			if err := scratch.Script(t.Context(), source, strings.NewReader(newTortureWorld(seed))); err != nil {
				t.Fatal(err)
			}
			e := newErrand(t, source, target, plainJob(keepNone), nil)
			e.keepAll(t)
			t.Logf("tables, columns, rows: %s", scratchtest.Query(t, source, "SELECT (SELECT count(*) FROM pg_class WHERE relkind IN ('r','p') AND oid > 16384), (SELECT count(*) FROM pg_attribute WHERE attrelid > 16384 AND attnum > 0), (SELECT count(*) FROM pg_type WHERE oid > 16384), (SELECT count(*) FROM pg_constraint WHERE oid > 16384 AND contype = 'f')"))
			e.run(t, 0, "refresh")
			// A dump that is restored and dumped again is not always the first one:
			// children put their parents' columns before their own.
			gold := scratchtest.Database(t)
			if err := scratch.Script(t.Context(), gold, bytes.NewReader(dumped(t, source, "--load-via-partition-root"))); err != nil {
				t.Fatal(err)
			}
			whole := likeness(t, gold)
			same(t, "dumps of a target that was empty", whole, likeness(t, target))
			e.run(t, 0, "verify")

			staged := scratchtest.Database(t)
			copyStructure(t, source, staged)
			fillViews(t, source, staged)
			before := likeness(t, staged, "--schema-only")
			e.env["STAGING_URL"] = staged
			e.run(t, 0, "refresh")
			same(t, "structures", before, likeness(t, staged, "--schema-only"))
			same(t, "rows", likeness(t, gold, "--data-only"), likeness(t, staged, "--data-only"))
			e.run(t, 0, "verify")

			dropViewKeys(t, staged)
			e.maskEverything(t)
			e.run(t, 0, "refresh")
			same(t, "foreign keys", scratchtest.ForeignKeys(t, gold), scratchtest.ForeignKeys(t, staged))
			e.verifies(t)

			place := scratchtest.Database(t)
			copyStructure(t, source, place)
			fillViews(t, source, place)
			e.env["STAGING_URL"] = place
			e.write(t, "understudy.yaml", plainJob("load: {mode: replace}"))
			e.keepAll(t)
			e.run(t, 0, "refresh")
			same(t, "dumps after an exchange", whole, likeness(t, place))
			e.run(t, 0, "refresh")
			same(t, "dumps after an exchange of nothing", whole, likeness(t, place))
			e.run(t, 0, "verify")
			dropViewKeys(t, place)
			e.maskEverything(t)
			e.run(t, 0, "refresh")
			same(t, "foreign keys", scratchtest.ForeignKeys(t, gold), scratchtest.ForeignKeys(t, place))
			e.verifies(t)
		})
	}
}
