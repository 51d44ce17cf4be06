package postgres

import (
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// What is equal to a unique key has one value, in whatever form it is written;
// what the key lets pass has none; what only a later transaction could compute is said.
func TestDerive(t *testing.T) {
	url := scratchtest.Database(t)
	scratchtest.SQL(t, url, `
CREATE EXTENSION citext; CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE p (id int PRIMARY KEY, n numeric, c citext, t text, v tsvector, "Odd ""x" text, g text GENERATED ALWAYS AS (t || n) STORED, EXCLUDE USING btree ((id + 1) WITH =));
CREATE UNIQUE INDEX number ON p ((n * 1)); CREATE UNIQUE INDEX folded ON p (c, (id / 10)); CREATE UNIQUE INDEX collated ON p (t COLLATE caseless) WHERE id > 0;
CREATE UNIQUE INDEX made ON p (g); CREATE UNIQUE INDEX vector ON p (v, (id / 10)); CREATE UNIQUE INDEX odd ON p (lower("Odd ""x")); CREATE UNIQUE INDEX dividing ON p ((10 / id));
CREATE UNIQUE INDEX plain ON p (t); CREATE INDEX many ON p (lower(t));
CREATE TABLE parted (id int, t text, g text GENERATED ALWAYS AS (lower(t)) STORED, UNIQUE (id, g)) PARTITION BY HASH (id); CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0)`)
	s := sourceAt(t, scratchtest.Role(t, url), engine.Limits{})
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	null := func(k *engine.Tuples) *engine.Tuples { k.AddNull(); return k }
	deriver := engine.Deriver(s)
	for table, cases := range map[string]map[string]struct {
		rows       *engine.Tuples
		all, apart int // values, and different ones
	}{
		"p": {
			"number":   {null(tuples(1, "1.0", "1.00", "2", "NaN", "NaN")), 5, 3},
			"folded":   {tuples(2, "1", "a", "2", "A", "11", "A"), 3, 2},
			"collated": {tuples(2, "1", "straße", "2", "STRASSE", "3", "b", "4", "B", "-1", "b"), 4, 3},
			"made":     {tuples(2, "1", "a", "1", "a", "11", "a"), 3, 2},
			"vector":   {tuples(2, "1", "a b", "2", "b a", "3", "a"), 3, 2},
			"odd":      {tuples(1, "X", "x", `"\`), 3, 2},
			"dividing": {tuples(1, "0", "5"), -1, 0},
		},
		"parted": {"parted_id_g_key": {tuples(2, "1", "A", "1", "a", "2", "a"), 3, 2}},
	} {
		p := mustTable(t, structure, table)
		found, err := deriver.Derived(t.Context(), p)
		if err != nil || len(found) != len(cases) {
			t.Fatalf("keys of %s: %+v, %v", table, found, err)
		}
		for _, key := range found {
			c, ok := cases[key.Key.Name]
			if !ok || len(key.Reads) != c.rows.Width {
				t.Errorf("an unexpected key %+v", key)
				continue
			}
			got, err := deriver.Derive(t.Context(), p, key, c.rows)
			if c.all < 0 {
				if engine.CodeOf(err) != engine.Unsupported {
					t.Errorf("%s: %v", key.Key.Name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", key.Key.Name, err)
				continue
			}
			apart := map[string]bool{}
			for i := range got.Len() {
				value, _ := got.At(i, 0)
				apart[string(value)] = true
			}
			if got.Len() != c.all || len(apart) != c.apart {
				t.Errorf("%s reads %v: %d values, %d apart; want %d and %d", key.Key.Name, key.Reads, got.Len(), len(apart), c.all, c.apart)
			}
		}
	}
}
