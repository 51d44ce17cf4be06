package subsettest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// A Dialect is how a database says what a world needs.
type Dialect struct {
	// Type writes a column's type, with its collation.
	Type func(schema.Column) string
	// Late adds foreign keys after the rows, without checking these; otherwise
	// they stand in CREATE TABLE and the database does not check them.
	Late bool
	// Schemas are made first.
	Schemas []string
}

// SQL gives the statements that make the world's tables, rows, foreign keys and indexes.
func (w *World) SQL(d Dialect) []string {
	var out, late []string
	for _, s := range d.Schemas {
		out = append(out, "CREATE SCHEMA "+quote(s))
	}
	for i := range w.Schema.Tables {
		t := &w.Schema.Tables[i]
		var parts []string
		for _, c := range t.Columns {
			part := quote(c.Name) + " " + d.Type(c)
			if c.NotNull && c.Name[0] != 'f' { // references may be NULL where nothing stands to point at
				part += " NOT NULL"
			}
			parts = append(parts, part)
		}
		for _, k := range t.Keys {
			kind := "UNIQUE"
			if k.Primary {
				kind = "PRIMARY KEY"
			}
			parts = append(parts, kind+" ("+quoteAll(k.Columns)+")")
		}
		for _, r := range w.Schema.References {
			if r.From != t.Name || r.Declared || r.Part {
				continue
			}
			key := "CONSTRAINT " + quote(r.Name) + " FOREIGN KEY (" + quoteAll(r.Columns) + ") REFERENCES "
			if d.Late {
				late = append(late, "ALTER TABLE "+d.name(t.Name)+" ADD "+key+d.name(r.To)+" ("+quoteAll(r.ToColumns)+") NOT VALID")
			} else {
				parts = append(parts, key+quote(r.To.Table)+" ("+quoteAll(r.ToColumns)+")")
			}
		}
		out = append(out, "CREATE TABLE "+d.name(t.Name)+" ("+strings.Join(parts, ", ")+")")
		if rows := w.Memory.Rows[t.Name]; len(rows) > 0 {
			out = append(out, "INSERT INTO "+d.name(t.Name)+" VALUES "+literals(rows))
		}
	}
	for i, r := range w.Schema.References {
		if r.Indexed {
			late = append(late, fmt.Sprintf("CREATE INDEX ix%d ON %s (%s)", i, d.name(r.From), quoteAll(r.Columns)))
		}
	}
	return append(out, late...)
}

func (d Dialect) name(n schema.Name) string {
	if len(d.Schemas) == 0 {
		return quote(n.Table)
	}
	return quote(n.Schema) + "." + quote(n.Table)
}

func quote(name string) string { return `"` + name + `"` }

func quoteAll(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

func literals(rows [][]*string) string {
	var out []string
	for _, row := range rows {
		values := make([]string, len(row))
		for i, v := range row {
			values[i] = "NULL"
			if v != nil {
				values[i] = "'" + strings.ReplaceAll(*v, "'", "''") + "'"
			}
		}
		out = append(out, "("+strings.Join(values, ", ")+")")
	}
	return strings.Join(out, ", ")
}

// adopt puts the structure that an engine read in place of the world's own.
// References that no database declares are added as a job would add them.
func (w *World) adopt(s *schema.Schema) {
	for _, r := range w.Schema.References {
		if r.Declared || r.Part {
			s.References = append(s.References, r)
		}
	}
	s.Sort()
	w.Schema = s
}

// Check makes a selection from a database that holds the world's rows, and
// fails the test unless it is the least fix point or fails as it must. It
// reports how it ended. The world takes over the structure that the source shows.
func (w *World) Check(t *testing.T, source engine.Source) string {
	t.Helper()
	ctx := t.Context()
	s, err := source.Inspect(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := source.Snapshot(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if len(s.Tables) != len(w.Schema.Tables) {
		t.Fatalf("the source shows %d tables, the world has %d", len(s.Tables), len(w.Schema.Tables))
	}
	declared := len(slices.DeleteFunc(slices.Clone(w.Schema.References), func(r schema.Reference) bool { return r.Declared || r.Part }))
	if len(s.References) != declared {
		t.Fatalf("the source shows %d references, the world has %d", len(s.References), declared)
	}
	w.adopt(s)
	spec := w.Spec()
	want := NewNaive(w, spec)
	got, err := subset.Select(ctx, snap, w.Schema, spec, subset.Options{Readers: 2, Sample: Sample})
	switch {
	case want.Needed:
		if fault.CodeOf(err) != fault.Usage {
			t.Errorf("a row of a none table is needed, and Select says %v", err)
		}
		return "none is needed"
	case want.Orphans:
		if fault.CodeOf(err) != fault.Integrity {
			t.Errorf("a key leads nowhere, and Select says %v", err)
		}
		return "orphans"
	case err != nil:
		t.Errorf("Select: %v", err)
		return "error"
	}
	for _, d := range want.Compare(got, func(n schema.Name) []engine.RowID { return w.identities(ctx, t, snap, n) }) {
		t.Error(d)
	}
	return want.Outcome()
}

// identities gives the identities of a table's rows in the order of the world's.
func (w *World) identities(ctx context.Context, t *testing.T, snap engine.Snapshot, n schema.Name) []engine.RowID {
	t.Helper()
	byID := map[string]engine.RowID{}
	for found, err := range snap.Find(ctx, engine.Find{Table: w.Schema.Table(n), Columns: []string{"id"}}) {
		if err != nil {
			t.Fatal(err)
		}
		for row, id := range found.IDs {
			v, _ := found.Values.At(row, 0)
			byID[string(v)] = id
		}
	}
	var out []engine.RowID
	at := columnIndex(w.Schema.Table(n), "id")
	for _, row := range w.Memory.Rows[n] {
		id, ok := byID[*row[at]]
		if !ok {
			t.Fatalf("%s: a row was not found by its id", n)
		}
		out = append(out, id)
	}
	return out
}

// Seeds gives a number of seeds that differ from run to run, to be told when one fails.
func Seeds(n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = rand.Uint64()
	}
	return out
}
