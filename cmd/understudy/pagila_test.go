package main

import (
	"strconv"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// pagila makes a database of the sample: a DVD rental with partitioned payments.
func pagila(t *testing.T) string {
	t.Helper()
	dump := scratchtest.SampleDatabase(t, "pagila/pagila.sql.gz")
	db := scratchtest.Database(t)
	scratchtest.Load(t, db, dump)
	scratchtest.SQL(t, db, "REFRESH MATERIALIZED VIEW rental_by_category") // the dump leaves it unfilled
	return db
}

// outburst is a trigger that no load may fire, on tables that a load fills.
const outburst = `
	CREATE FUNCTION public.outburst() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a trigger fired'; END $$;
	CREATE TRIGGER outburst BEFORE INSERT OR UPDATE ON public.customer FOR EACH ROW EXECUTE FUNCTION public.outburst();
	CREATE TRIGGER outburst_always AFTER INSERT ON public.rental FOR EACH ROW EXECUTE FUNCTION public.outburst();
	ALTER TABLE public.rental ENABLE ALWAYS TRIGGER outburst_always;
	CREATE TRIGGER outburst_statement BEFORE INSERT ON public.film FOR EACH STATEMENT EXECUTE FUNCTION public.outburst();`

const triggersOf = `SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2`

func TestPagilaTenthIntoStagingWithSchema(t *testing.T) {
	t.Parallel()
	prod, staging := pagila(t), scratchtest.Database(t)
	copyStructure(t, prod, staging)
	scratchtest.SQL(t, staging, outburst+"REFRESH MATERIALIZED VIEW rental_by_category")
	triggers := scratchtest.Query(t, staging, triggersOf)
	e := sampleErrand(t, "pagila", prod, staging)
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
	wantPagilaTenth(t, prod, staging)
	same(t, "triggers", triggers, scratchtest.Query(t, staging, triggersOf))
	wantMatviewsFilled(t, staging)
	e.run(t, 0, "verify")
	wantSequencesAhead(t, staging)
}

func TestPagilaTenthIntoEmptyTargetIsRepeatable(t *testing.T) {
	t.Parallel()
	prod, staging := pagila(t), scratchtest.Database(t)
	e := sampleErrand(t, "pagila", prod, staging)
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
	wantPagilaTenth(t, prod, staging)
	same(t, "triggers", scratchtest.Query(t, prod, triggersOf), scratchtest.Query(t, staging, triggersOf))
	wantMatviewsFilled(t, staging)
	first := sortedDump(t, staging)
	wantRepeatable(t, e, staging, first)

	// Tomorrow's column: nobody decided it, so nothing happens.
	before := sortedDump(t, staging)
	scratchtest.SQL(t, prod, "ALTER TABLE public.customer ADD COLUMN passport text")
	s := e.run(t, 3, "refresh")
	s.wants(t, "public.customer.passport")
	same(t, "stagings before and after the refused run", before, sortedDump(t, staging))
	wantSequencesAhead(t, staging)
}

// wantRepeatable runs again with other parallelism and batches, and wants the
// same dump; and other content under another key.
func wantRepeatable(t *testing.T, e *errand, staging, first string) {
	t.Helper()
	for _, how := range []struct{ processors, batch string }{{"1", "4096"}, {"4", "1048576"}} {
		e.runWith(t, map[string]string{"GOMAXPROCS": how.processors}, 0, "refresh", "--batch-bytes", how.batch)
		same(t, "dumps of the first run and of one with GOMAXPROCS="+how.processors+" --batch-bytes "+how.batch, first, sortedDump(t, staging))
	}
	e.runWith(t, otherKey(t), 0, "refresh")
	differ(t, "dumps under two keys", first, sortedDump(t, staging))
}

// wantPagilaTenth wants about a tenth of the customers, all that hangs on
// them, no value of theirs, and what the database computes computed.
func wantPagilaTenth(t *testing.T, prod, staging string) {
	t.Helper()
	customers, err := strconv.Atoi(scratchtest.Query(t, staging, "SELECT count(*) FROM customer"))
	if err != nil || customers < 25 || customers > 110 {
		t.Errorf("%d customers of 599 came along (%v)", customers, err)
	}
	ids := seeded(t, prod, staging)
	for _, table := range []string{"rental", "payment"} {
		q := "SELECT count(*), sum(rental_id) FROM " + table + " WHERE customer_id IN (" + ids + ")"
		if want, got := scratchtest.Query(t, prod, q), scratchtest.Query(t, staging, q); want != got {
			t.Errorf("%s of the customers who were drawn: %s, production has %s", table, got, want)
		}
	}
	for _, table := range []string{"country", "language", "category"} {
		q := "SELECT count(*) FROM " + table
		if want, got := scratchtest.Query(t, prod, q), scratchtest.Query(t, staging, q); want != got {
			t.Errorf("%s rows of %s, production has %s", got, table, want)
		}
	}
	wantNoneOf(t, prod, staging, "customer", "customer_id", "email", "first_name", "last_name")
	wantNoneOf(t, prod, staging, "address", "address_id", "address", "phone")
	kept := "SELECT customer_id, store_id, activebool, last_update, active FROM customer WHERE customer_id IN (" + ids + ") ORDER BY 1"
	same(t, "kept columns", scratchtest.Query(t, prod, kept), scratchtest.Query(t, staging, kept))
	films := "SELECT film_id, title, fulltext, special_features, rating FROM film WHERE film_id IN (" +
		scratchtest.Query(t, staging, "SELECT string_agg(film_id::text, ',') FROM film") + ") ORDER BY 1"
	same(t, "films", scratchtest.Query(t, prod, films), scratchtest.Query(t, staging, films))
}

// seeded lists the customers in staging who were drawn, not pulled as somebody
// else's parent: in the samples some payments are for another customer's rental.
func seeded(t *testing.T, prod, staging string) string {
	t.Helper()
	others := scratchtest.Query(t, prod, "SELECT coalesce(string_agg(DISTINCT r.customer_id::text, ','), '0') FROM payment p JOIN rental r USING (rental_id) WHERE r.customer_id <> p.customer_id")
	return scratchtest.Query(t, staging, "SELECT string_agg(customer_id::text, ',') FROM customer WHERE customer_id NOT IN ("+others+")")
}

// wantNoneOf wants that hardly a row kept its value of a masked column: a name
// from a list may be met by chance, an address or an e-mail not.
func wantNoneOf(t *testing.T, prod, staging, table, key string, columns ...string) {
	t.Helper()
	for _, column := range columns {
		q := "SELECT " + key + ", " + column + " FROM " + table + " WHERE " + column + " <> '' ORDER BY 1"
		real := map[string]bool{}
		for line := range strings.Lines(scratchtest.Query(t, prod, q)) {
			real[strings.TrimSpace(line)] = true
		}
		kept, rows := 0, 0
		for line := range strings.Lines(scratchtest.Query(t, staging, q)) {
			rows++
			if real[strings.TrimSpace(line)] {
				kept++
			}
		}
		if rows == 0 || kept*50 > rows {
			t.Errorf("%s.%s: %d of %d rows have production's value", table, column, kept, rows)
		}
	}
}

// wantMatviewsFilled wants every materialized view to hold what its query gives now.
func wantMatviewsFilled(t *testing.T, address string) {
	t.Helper()
	names := scratchtest.Query(t, address, "SELECT oid::regclass FROM pg_class WHERE relkind = 'm' AND relispopulated")
	if names == "" {
		t.Error("no materialized view is filled")
	}
	for name := range strings.Lines(names) {
		name = strings.TrimSpace(name)
		count := "SELECT count(*), md5(string_agg(v::text, ',' ORDER BY v::text)) FROM " + name + " v"
		before := scratchtest.Query(t, address, count)
		if strings.HasPrefix(before, "0\t") {
			t.Errorf("%s is empty", name)
		}
		scratchtest.SQL(t, address, "REFRESH MATERIALIZED VIEW "+name)
		if after := scratchtest.Query(t, address, count); after != before {
			t.Errorf("%s was stale", name)
		}
	}
}

func TestPagilaWhole(t *testing.T) {
	t.Parallel()
	prod, staging := pagila(t), scratchtest.Database(t)
	e := sampleErrand(t, "pagila", prod, staging)
	e.wholeOf(t, "pagila")
	e.run(t, 0, "refresh")
	wantWhole(t, prod, staging)
	wantAllRows(t, prod, staging)
	wantMatviewsFilled(t, staging)
	wantSequencesAhead(t, staging)
}

// wantAllRows wants as many rows in every table as production has.
func wantAllRows(t *testing.T, prod, staging string) {
	t.Helper()
	counts := func(db string) string {
		var b strings.Builder
		for line := range strings.Lines(scratchtest.Digest(t, db)) {
			fields := strings.Split(line, "\t")
			b.WriteString(strings.Join(fields[:2], " ") + "\n")
		}
		return b.String()
	}
	same(t, "row counts", counts(prod), counts(staging))
}

func TestShopTenthIntoDriftedAndEmptyStaging(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	prod, drifted := shopDatabases(t)
	before := scratchtest.Digest(t, drifted)
	e := shopErrand(t, prod, drifted)
	e.run(t, 4, "refresh")
	same(t, "stagings before and after the refused run", before, scratchtest.Digest(t, drifted))
	e.run(t, 0, "refresh", "--claim")
	if orphans := scratchtest.Orphans(t, drifted); orphans != "" {
		t.Errorf("orphans in the target:\n%s", orphans)
	}
	first := sortedDump(t, drifted)
	wantRepeatable(t, e, drifted, first)
	wantSequencesAhead(t, drifted)

	empty := scratchtest.Database(t)
	e = emptyShopErrand(t, prod, empty)
	e.run(t, 0, "refresh")
	wantWhole(t, prod, empty)
	first = sortedDump(t, empty)
	wantRepeatable(t, e, empty, first)
	scratchtest.SQL(t, prod, "ALTER TABLE customers ADD COLUMN passport text")
	before = sortedDump(t, empty)
	e.run(t, 3, "refresh").wants(t, "public.customers.passport")
	same(t, "stagings before and after the refused run", before, sortedDump(t, empty))
	wantSequencesAhead(t, empty)
}
