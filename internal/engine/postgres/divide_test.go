package postgres

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// TestPartsOfATableAreTheTable: whatever number of parts is asked for, each row is in one.
func TestPartsOfATableAreTheTable(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TABLE plain (id int PRIMARY KEY, note text); INSERT INTO plain SELECT i, repeat('x', 300) FROM generate_series(1, 30000) i; DELETE FROM plain WHERE id % 7 = 0;
CREATE TABLE heir () INHERITS (plain); INSERT INTO heir VALUES (-1, 'another table''s');
CREATE TABLE parts (id int, note text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); CREATE TABLE parts_2 (note text, id int); ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (100) TO (9000);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (9000) TO (99999) PARTITION BY HASH (id);
CREATE TABLE "parts 3a" PARTITION OF parts_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE parts_3b PARTITION OF parts_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parts_4 PARTITION OF parts FOR VALUES FROM (100000) TO (100001);
INSERT INTO parts SELECT i, repeat('y', i % 500) FROM generate_series(1, 20000) i;
CREATE TABLE empty (id int, note text); CREATE TABLE none (id int, note text) PARTITION BY LIST (id)`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	rows := func(reads ...engine.Read) []string {
		var out []string
		for _, r := range reads {
			r.Into = nil
			out = append(out, strings.SplitAfter(collect(t, snap, r), "\n")...)
		}
		out = slices.DeleteFunc(out, func(line string) bool { return line == "" })
		slices.Sort(out)
		return out
	}
	for _, name := range []string{"plain", "parts", "empty", "none", "heir"} {
		whole := engine.Read{Table: mustTable(t, s, name), Columns: []string{"id", "note"}, Into: &load{}}
		want := rows(whole)
		ids, _ := findAll(t, snap, engine.Find{Table: whole.Table})
		slices.Sort(ids)
		chosen := whole
		chosen.Rows = ids
		for _, n := range []int{1, 2, 3, 7, 40} {
			for kind, r := range map[string]engine.Read{"whole": whole, "chosen": chosen} {
				reads, err := snap.(engine.Divider).Divide(t.Context(), r, n)
				if err != nil {
					t.Fatal(err)
				}
				if len(reads) > n || len(reads) < 2 && n == 2 && name == "plain" {
					t.Errorf("%s, %s: %d parts, of %d asked for", name, kind, len(reads), n)
				}
				if got := rows(reads...); !slices.Equal(got, want) {
					t.Errorf("%s, %s in %d parts: %d rows, want %d", name, kind, len(reads), len(got), len(want))
				}
			}
		}
	}
	other, err := snap.(engine.Divider).Divide(t.Context(), engine.Read{Table: mustTable(t, s, "plain"), Columns: []string{"id"}}, 4)
	if err != nil || len(other) != 1 {
		t.Errorf("for a load of another kind: %d parts, %v", len(other), err)
	}
}

// TestSpansFollowEachOther draws tables: spans begin where the one before ended
// and hold every block.
func TestSpansFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks := rapid.SliceOfN(rapid.Uint64Range(0, 50), 1, 6).Draw(t, "blocks")
		n := rapid.IntRange(1, 20).Draw(t, "n")
		within := rapid.Bool().Draw(t, "within")
		got := spans(blocks, n, within)
		at := engine.RowID(0)
		for _, s := range got {
			if s.From != at || s.To <= s.From || !within && s.From&(1<<48-1) != 0 {
				t.Fatalf("%v", got)
			}
			at = s.To
		}
		if at != uint64(len(blocks))<<48 || len(got) > n {
			t.Fatalf("%v", got)
		}
	})
}
