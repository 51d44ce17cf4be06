package postgres

import (
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// A column that no server can gather statistics of costs the others none; what an
// index calls and does not find is an error still.
func TestStatisticsOfWhatHasNoOrder(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TYPE shape AS (p polygon); CREATE TYPE shapes AS RANGE (SUBTYPE = shape);
CREATE TABLE drawn (id int, "o""dd" shapes); INSERT INTO drawn SELECT i, '["(\"((0,0),(1,1),(2,0))\")",)' FROM generate_series(1, 3) i;
CREATE SCHEMA other; CREATE FUNCTION other.inner(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION lost(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN "inner"(i); END'; SET search_path = public, other;
CREATE TABLE calling (id int); CREATE INDEX ON calling (public.lost(id)); INSERT INTO calling SELECT generate_series(1, 3)`)
	s := sourceAt(t, url, engine.Limits{})
	c, err := connect(t.Context(), s.at, session{name: "statistics"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	var told []string
	step := func(text string) { told = append(told, text) }
	if err := analyze(t.Context(), c, "public.drawn", step); err != nil || len(told) != 1 || !strings.Contains(told[0], `("o""dd")`) {
		t.Errorf("%v, told %q", err, told)
	}
	if n := scratchtest.Query(t, url, "SELECT string_agg(attname, ',') FROM pg_stats WHERE tablename = 'drawn'"); n != "id" {
		t.Errorf("statistics of %q", n)
	}
	if err := analyze(t.Context(), c, "public.calling", step); !incomparable(err) {
		t.Errorf("an index that calls what is not found: %v", err)
	}
}

// What thousands of partitions cost, and that labels of production stay there, is
// told before anything is done.
func TestFitTellsWhatBuildingCosts(t *testing.T) {
	production, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, production, `CREATE TABLE parted (id int) PARTITION BY LIST (id); CREATE TABLE labelled (id int);
SET allow_system_table_mods = on; INSERT INTO pg_seclabel VALUES ('labelled'::regclass, 'pg_class'::regclass, 0, 'anon', 'MASKED');
INSERT INTO pg_inherits (inhrelid, inhparent, inhseqno, inhdetachpending) SELECT 100000 + i, 'parted'::regclass, 1, false FROM generate_series(1, 2000) i`)
	for schemas, want := range map[string]bool{"public": true, "other": false} {
		_, notes, err := openTarget(t, staging).Fit(t.Context(), sourceAt(t, production, engine.Limits{}), []string{schemas})
		all := strings.Join(notes, "\n")
		if err != nil || strings.Contains(all, "public.parted (2000)") != want || !strings.Contains(all, "anon (1)") {
			t.Errorf("%s: %v, %q", schemas, err, notes)
		}
	}
}
