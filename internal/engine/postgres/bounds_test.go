package postgres

import (
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// TestTryFindsRowsWithoutPartition tries rows against list, range and hash
// partitions of several levels: a row that no partition takes is refused.
func TestTryFindsRowsWithoutPartition(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
		CREATE TABLE closed (id int, region text) PARTITION BY LIST (region);
		CREATE TABLE closed_n PARTITION OF closed FOR VALUES IN ('north');
		CREATE TABLE closed_s PARTITION OF closed FOR VALUES IN ('south') PARTITION BY RANGE (id);
		CREATE TABLE closed_s1 PARTITION OF closed_s FOR VALUES FROM (0) TO (100);
		CREATE TABLE open (id int, region text) PARTITION BY LIST (region);
		CREATE TABLE open_d PARTITION OF open DEFAULT;
		CREATE TABLE hashed (id int, region text) PARTITION BY HASH (id);
		CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		CREATE TABLE none (id int, region text) PARTITION BY LIST (region);`)
	e := New()
	at, err := e.Parse(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	source, err := e.Source(t.Context(), at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	s, err := source.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := &engine.Tuples{Width: 2}
	for _, r := range [][2]string{{"1", "north"}, {"2", "south"}, {"500", "south"}, {"3", "masked"}} {
		rows.AddString(r[0])
		rows.AddString(r[1])
	}
	for table, want := range map[string]int{"closed": 2, "open": 0, "hashed": 0, "none": 4} {
		rejections, err := source.Try(t.Context(), s.Table(schema.Name{Schema: "public", Table: table}), []string{"id", "region"}, rows)
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		got := 0
		for _, r := range rejections {
			got += r.Rows
		}
		if got != want {
			t.Errorf("%s: %d rows refused, want %d: %+v", table, got, want, rejections)
		}
	}
}
