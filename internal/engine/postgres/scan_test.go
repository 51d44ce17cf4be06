package postgres

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// TestManyRowsByScan: most rows of a table, of a cluster in it, or of some
// partitions are the same rows, looked into alike, whichever way they are read.
func TestManyRowsByScan(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE TABLE plain (id int, note text, at date); INSERT INTO plain SELECT i, CASE WHEN i % 5 > 0 THEN E'x\t' || i END, date '2020-01-01' + i % 99 FROM generate_series(1, 60000) i; DELETE FROM plain WHERE id % 11 = 0; ANALYZE plain;
CREATE TABLE parts (id int, note text, at date) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (40000);
CREATE TABLE parts_2 (note text, at date, id int); ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (40000) TO (99999); INSERT INTO parts SELECT * FROM plain`)
	s, snap := openSnapshot(t, sourceAt(t, url, engine.Limits{}))
	random := rand.New(rand.NewPCG(1, 2))
	lines := func(text string) []string {
		out := strings.SplitAfter(text, "\n")
		slices.Sort(out)
		return out
	}
	for _, name := range []string{"plain", "parts"} {
		table := mustTable(t, s, name)
		all, _ := findAll(t, snap, engine.Find{Table: table})
		slices.Sort(all)
		few := func(ids []engine.RowID) []engine.RowID {
			return slices.DeleteFunc(slices.Clone(ids), func(engine.RowID) bool { return random.IntN(100) < 15 })
		}
		for what, rows := range map[string][]engine.RowID{"most": few(all), "all": all, "a cluster": few(all[17000:47000]), "a few": all[100:5000]} {
			read := engine.Read{Table: table, Columns: []string{"id", "note", "at"}, Look: []int{1, 2}, Rows: rows}
			got := map[string]bool{}
			count := 0
			for b, err := range snap.Read(t.Context(), read) {
				if err != nil {
					t.Fatal(err)
				}
				for i, c := range b.Cells {
					if value := b.Raw[c.Start:c.End]; !c.Null && i%2 == 0 && !strings.HasPrefix(string(value), `x\t`) || c.Null != (string(value) == `\N`) {
						t.Fatalf("%s, %s: %q is taken for a note", name, what, value)
					}
				}
				for _, line := range lines(string(b.Raw)) {
					got[line] = true
				}
				count += b.Rows
				b.Release()
			}
			if count != len(rows) {
				t.Fatalf("%s, %s: %d rows, want %d", name, what, count, len(rows))
			}
			for i := 0; i < len(rows); i += 5000 { // too few for a scan
				part := read
				part.Rows = rows[i:min(len(rows), i+5000)]
				for _, line := range lines(collect(t, snap, part)) {
					if line != "" && !got[line] {
						t.Fatalf("%s, %s: a scan misses %q", name, what, line)
					}
				}
			}
		}
		share, _ := density(all[:20000])
		if share < 0.8 || share > 1.01 {
			t.Errorf("%s: most of the rows are taken for %.2f of them", name, share)
		}
	}
	c := &conn{version: 150000}
	plain := mustTable(t, s, "plain")
	ids, _ := findAll(t, snap, engine.Find{Table: plain})
	slices.Sort(ids)
	read := engine.Read{Table: plain, Columns: []string{"id"}}
	third := slices.DeleteFunc(slices.Clone(ids), func(id engine.RowID) bool { return id%3 > 0 })
	if n := c.worthScanning(read, ids, nil); n != len(ids) {
		t.Errorf("%d rows of a whole table are worth a scan", n)
	}
	if n := c.worthScanning(read, third, nil); n != 0 {
		t.Errorf("%d rows of a third of a table are worth a scan", n)
	}
	c.version = 130000
	if n := c.worthScanning(read, ids, nil); n != 0 {
		t.Error("a server that reads no ranges is asked for one")
	}
}

func TestChoice(t *testing.T) {
	c := &choice{rows: []engine.RowID{3<<48 | 2, 3<<48 | 5, 3<<48 | 6, 3<<48 | 40}, part: 3 << 48}
	for _, place := range []engine.RowID{1, 2, 3, 5, 6, 7, 40, 41, 6, 2, 0, 40, 5} {
		if want := place == 2 || place == 5 || place == 6 || place == 40; c.has(place) != want {
			t.Errorf("place %d: %v", place, !want)
		}
	}
}
