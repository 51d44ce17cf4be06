package engines_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/engines"
	"understudy/internal/parity"
	"understudy/internal/secret"
	"understudy/schemas"
)

// TestStagingDriftedAlike stages the demo's shop on every engine and finds the
// same drift on each, every piece of it with a statement that would close it.
func TestStagingDriftedAlike(t *testing.T) {
	want := []string{
		"check orders: different", "column customers.loyalty_tier: extra in target", "column customers.phone: different",
		"column orders.gift_note: missing in target", "index orders.orders_placed_at: missing in target", "table feature_flags: extra in target",
		"view revenue: missing in target",
	}
	for _, entry := range engines.List() {
		t.Run(entry.Name, func(t *testing.T) {
			if testing.Short() && entry.Name != "sqlite" {
				t.Skip("NOT RUN: needs servers, and -short asks for none")
			}
			stage, err := entry.Stage(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stage.Stop(context.WithoutCancel(t.Context())) })
			production, staging := schemas.Shop(entry.Name)
			from, source := made(t, entry, stage.Production, production)
			to, target := made(t, entry, stage.Staging, staging)
			r, err := parity.Make(t.Context(), source, target, map[string]string{from: to})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, drift(t, r, from)); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

// made runs statements in an empty database and reads its catalog; the schema is
// what an unqualified name of it means.
func made(t *testing.T, entry engines.Entry, url secret.Text, statements []string) (schema string, c *catalog.Catalog) {
	t.Helper()
	_, e, at, err := engines.Open(url, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := entry.Execute(t.Context(), at, statements); err != nil {
		t.Fatal(err)
	}
	source, err := e.Source(t.Context(), at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	c, err = source.Catalog(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return at.Schema(), c
}

// drift tells differences in names that are the same on every engine: without
// the schema, and a check by its table, for not every engine names it.
func drift(t *testing.T, r *parity.Report, schema string) []string {
	t.Helper()
	bare := strings.NewReplacer(schema+".", "")
	var out []string
	for _, d := range r.Differences {
		object := d.Object
		if d.Kind == "check" {
			object = d.Table
		}
		out = append(out, d.Kind+" "+bare.Replace(object)+": "+d.Change)
		if d.SQL == "" {
			t.Errorf("no statement closes %s %s", d.Kind, d.Object)
		}
	}
	slices.Sort(out)
	return out
}
