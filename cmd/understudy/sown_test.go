package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// sown are twenty changes of a well-known sample, and what parity calls each.
func sown() [][2]string {
	return [][2]string{
		{`ALTER TABLE actor ADD COLUMN nickname text`, "column public.actor.nickname: extra in target"},
		{`ALTER TABLE staff DROP COLUMN picture`, "column public.staff.picture: missing in target"},
		{`ALTER TABLE film ALTER rental_rate SET DEFAULT 5.99`, "column public.film.rental_rate: different"},
		{`ALTER TABLE store ALTER last_update DROP NOT NULL`, "column public.store.last_update: different"},
		{`ALTER TABLE category RENAME COLUMN name TO title`, "column public.category.name: different"},
		{`DROP INDEX idx_title`, "index public.film.idx_title: missing in target"},
		{`CREATE INDEX idx_first ON actor (first_name)`, "index public.actor.idx_first: extra in target"},
		{`ALTER TABLE rental DROP CONSTRAINT rental_staff_id_fkey`, "foreign key public.rental.rental_staff_id_fkey: missing in target"},
		{`ALTER TABLE inventory DROP CONSTRAINT inventory_store_id_fkey, ADD CONSTRAINT inventory_store_id_fkey FOREIGN KEY (store_id) REFERENCES store (store_id) DEFERRABLE`, "foreign key public.inventory.inventory_store_id_fkey: different"},
		{`ALTER TABLE address ADD CONSTRAINT short_code CHECK (length(postal_code) < 20)`, "check public.address.short_code: extra in target"},
		{`CREATE TABLE more (id integer PRIMARY KEY, what text NOT NULL)`, "table public.more: extra in target"},
		{`DROP VIEW staff_list`, "view public.staff_list: missing in target"},
		{`CREATE OR REPLACE FUNCTION last_day(timestamp with time zone) RETURNS date LANGUAGE sql IMMUTABLE STRICT AS 'SELECT $1::date'`, "function public.last_day(timestamp with time zone): different"},
		{`DROP TRIGGER last_updated ON language`, "trigger public.language.last_updated: missing in target"},
		{`ALTER TABLE country DISABLE TRIGGER last_updated`, "trigger public.country.last_updated: different"},
		{`ALTER DOMAIN year ADD CONSTRAINT modern CHECK (VALUE > 1900)`, "domain public.year: different"},
		{`ALTER SEQUENCE actor_actor_id_seq INCREMENT 5`, "sequence public.actor_actor_id_seq: different"},
		{`COMMENT ON TABLE store IS 'where it happens'`, "table public.store: different"},
		{`CREATE FUNCTION nothing() RETURNS integer LANGUAGE sql AS 'SELECT 1'`, "function public.nothing(): extra in target"},
		{`ALTER TABLE film_actor SET (fillfactor = 70)`, "table public.film_actor: different"},
	}
}

// TestSeededDifferencesAreFoundAndClosed: against a copy of a sample made by a
// dump nothing differs; against one with twenty changes these twenty do, no more
// and no fewer, and their closing statements close them all.
func TestSeededDifferencesAreFoundAndClosed(t *testing.T) {
	t.Parallel()
	source, target := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.Load(t, source, scratchtest.SampleDatabase(t, "pagila/pagila.sql.gz"))
	copyStructure(t, source, target)
	e := newErrand(t, source, target, plainJob(keepNone), nil)
	e.run(t, 0, "parity").wants(t, "no difference found")
	var want []string
	for _, s := range sown() {
		scratchtest.SQL(t, target, s[0])
		want = append(want, s[1])
	}
	e.differAndClose(t, want)
}

// differAndClose wants these differences, no more and no fewer, and that their
// closing statements close them all.
func (e *errand) differAndClose(t *testing.T, want []string) {
	t.Helper()
	r := e.run(t, 0, "parity", "--claim", "--prove", "--json")
	var doc struct {
		Differences []struct{ Kind, Object, Change string }
		Proof       struct {
			Failed    []struct{ Object, Reason string }
			Remaining []struct{ Kind, Object, Change string }
		}
	}
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range doc.Differences {
		got = append(got, d.Kind+" "+d.Object+": "+d.Change)
	}
	slices.Sort(got)
	slices.Sort(want)
	same(t, "what differs", strings.Join(want, "\n"), strings.Join(got, "\n"))
	if len(doc.Proof.Failed)+len(doc.Proof.Remaining) > 0 {
		t.Errorf("the closing statements leave %+v", doc.Proof)
	}
}
