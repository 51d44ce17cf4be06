package scratchtest

import (
	"strings"
	"testing"
)

// own leaves out the server's schemas and those that understudy keeps its notes
// and waiting rows in.
const own = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'understudy', 'understudy_next')`

// Digest tells the content of every table that holds rows itself, a line each:
// its name, its rows, and an MD5 over its sorted rows. Two databases with equal
// digests hold equal rows, whatever order they were loaded in. It is written
// for tests and independent of the program's own digests.
func Digest(t testing.TB, address string) string {
	t.Helper()
	return union(t, address, `
		SELECT format('SELECT %L AS name, count(*), md5(coalesce(string_agg(r, E''\n'' ORDER BY r COLLATE "C"), '''')) FROM (SELECT (x.*)::text AS r FROM ONLY %I.%I x) rows',
		              n.nspname || '.' || c.relname, n.nspname, c.relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND `+own)
}

// Orphans counts, by an anti-join of the test's own, the rows of each foreign
// key whose parent is missing, and gives a line for each key that has any;
// empty means that all hold. Constraints marked valid are not believed.
func Orphans(t testing.TB, address string) string {
	t.Helper()
	all := union(t, address, `
		SELECT format('SELECT %L AS name, count(*) FROM %s%s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s%s p WHERE %s)',
		              f.conrelid::regclass || ' ' || f.conname,
		              CASE child.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, f.conrelid::regclass,
		              (SELECT string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ') FROM unnest(f.conkey) k JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k),
		              CASE parent.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, f.confrelid::regclass,
		              (SELECT string_agg(format('p.%I = c.%I', b.attname, a.attname), ' AND ')
		               FROM unnest(f.conkey, f.confkey) k(from_, to_)
		               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.from_
		               JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.to_))
		FROM pg_constraint f JOIN pg_class child ON child.oid = f.conrelid JOIN pg_class parent ON parent.oid = f.confrelid
		JOIN pg_namespace n ON n.oid = child.relnamespace WHERE f.contype = 'f' AND f.conparentid = 0 AND `+own) // copies for partitions are not keys of their own
	var bad []string
	for line := range strings.Lines(all) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasSuffix(line, "\t0") {
			bad = append(bad, line)
		}
	}
	return strings.Join(bad, "\n")
}

// ForeignKeys lists every foreign key, those of partitions too: table, name,
// definition, and whether the server calls it validated.
func ForeignKeys(t testing.TB, address string) string {
	t.Helper()
	return Query(t, address, `
		SELECT n.nspname || '.' || c.relname, f.conname, pg_get_constraintdef(f.oid), f.convalidated
		FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE f.contype = 'f' AND `+own+` ORDER BY 1, 2`)
}

// Written tells what the server has counted as written in this database since
// it was made: inserts, updates and deletes by table, those of the catalog too,
// and temporary files. Statistics are left out, which the server gathers on its own.
// Sessions report what they did at their end, at the latest, and are listed until
// they have; so it looks again while another one is ending.
func Written(t testing.TB, address string) string {
	t.Helper()
	const others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
	for look := 0; look < 200 && Query(t, address, others) != "0"; look++ {
	}
	return Query(t, address, `
		SELECT schemaname || '.' || relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_all_tables
		WHERE relname NOT LIKE 'pg_statistic%' AND schemaname <> 'pg_toast' AND n_tup_ins + n_tup_upd + n_tup_del > 0
		UNION ALL SELECT 'temporary files', temp_files, temp_bytes, 0 FROM pg_stat_database WHERE datname = current_database()
		ORDER BY 1`)
}

// union runs a query that gives queries, and those, joined and sorted by their first column.
func union(t testing.TB, address, queries string) string {
	t.Helper()
	all := Query(t, address, "SELECT string_agg(q, ' UNION ALL ') FROM ("+queries+") made(q)")
	if all == "" || all == `\N` {
		return ""
	}
	return Query(t, address, "SET extra_float_digits = 1; SET TimeZone = 'UTC'; "+all+" ORDER BY 1")
}
