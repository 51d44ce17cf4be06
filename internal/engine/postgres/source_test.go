package postgres

import (
	"os"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

func TestMain(m *testing.M) { os.Exit(scratchtest.Main(m)) }

// sourceAt opens a database as a source for one test.
func sourceAt(t testing.TB, url string, limits engine.Limits) *source {
	t.Helper()
	at, err := New().Parse(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New().Source(t.Context(), at, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.(*source)
}

func secretOf(url string) secret.Text { return secret.New(url) }

// openSnapshot inspects a source and takes a snapshot of all of it.
func openSnapshot(t testing.TB, s *source) (*schema.Schema, engine.Snapshot) {
	t.Helper()
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), structure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	return structure, snap
}

// mustTable finds a table that the test made.
func mustTable(t testing.TB, s *schema.Schema, name string) *schema.Table {
	t.Helper()
	table, err := s.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// collect reads everything a Read gives, as one text.
func collect(t testing.TB, snap engine.Snapshot, r engine.Read) string {
	t.Helper()
	var out []byte
	for b, err := range snap.Read(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Raw...)
		b.Release()
	}
	return string(out)
}

// find reads everything a Find gives.
func findAll(t testing.TB, snap engine.Snapshot, f engine.Find) (ids []engine.RowID, values []string) {
	t.Helper()
	for found, err := range snap.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range found.IDs {
			ids = append(ids, id)
			line := ""
			for c := range f.Columns {
				if c > 0 {
					line += "|"
				}
				if v, ok := found.Values.At(i, c); ok {
					line += string(v)
				} else {
					line += "<null>"
				}
			}
			values = append(values, line)
		}
	}
	return ids, values
}

// urlOf gives the address a source was opened with.
func urlOf(s *source) string {
	u := s.at.String()
	return u[:len("postgres://"+s.at.user)] + ":" + s.at.password.Reveal() + u[len("postgres://"+s.at.user):]
}
