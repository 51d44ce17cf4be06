package subset_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
	"understudy/internal/subset"
	"understudy/internal/subset/subsettest"
)

// For any row of a random world, Why says what the naive fix point says, and
// its chain starts at a seed or a whole table and goes along references that
// join each link to the one before.
func TestWhyTellsAChainOfReferencesOrACut(t *testing.T) {
	start := uint64(time.Now().UnixNano())
	chains, cuts, longest := 0, 0, 0
	for i := range 400 {
		seed := start + uint64(i)
		w := subsettest.NewWorld(seed, "a", "b")
		spec := w.Spec()
		want := subsettest.NewNaive(w, spec)
		if want.Needed || want.Orphans {
			continue
		}
		r := rand.New(rand.NewPCG(seed, 3))
		table := &w.Schema.Tables[r.IntN(len(w.Schema.Tables))]
		rows := w.Memory.Rows[table.Name]
		if len(rows) == 0 || table.Identity() == nil {
			continue
		}
		row := r.IntN(len(rows))
		var key []string
		for _, c := range table.Identity().Columns {
			key = append(key, *rows[row][columnIndex(table, c)])
		}
		got, err := subset.Why(context.Background(), w.Memory, w.Schema, spec, subset.Options{Sample: subsettest.Sample}, table.Name, key)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if selected := want.Marks[table.Name][row] > 0; got.Selected != selected {
			t.Fatalf("seed %d: Why says selected %v for a row of %s, the naive fix point %v", seed, got.Selected, table.Name, selected)
		}
		if !got.Selected {
			cuts++
			if len(got.Cuts) == 0 {
				t.Fatalf("seed %d: a row of %s was left out and nothing says why", seed, table.Name)
			}
			continue
		}
		chains++
		longest = max(longest, len(got.Chain))
		checkChain(t, seed, w.Schema, want, got)
	}
	t.Logf("from seed %d on: %d chains, the longest of %d links, %d cuts", start, chains, longest, cuts)
	if longest < 3 {
		t.Errorf("seed %d: no chain had three links", start)
	}
}

func checkChain(t *testing.T, seed uint64, s *schema.Schema, want *subsettest.Naive, got *subset.Answer) {
	t.Helper()
	if len(got.Chain) == 0 || got.Chain[len(got.Chain)-1].Table != got.Table {
		t.Fatalf("seed %d: the chain does not end at %s: %+v", seed, got.Table, got.Chain)
	}
	first := got.Chain[0]
	if first.Edge != "" || first.Why != "seed" && !want.Whole[first.Table] {
		t.Fatalf("seed %d: the chain does not start at a seed or a whole table: %+v", seed, got.Chain)
	}
	for i, link := range got.Chain[1:] {
		child, parent := got.Chain[i].Table, link.Table
		if link.Down {
			child, parent = parent, child
		}
		joined := false
		for _, r := range s.References {
			joined = joined || edgeName(r) == link.Edge && r.From == child && r.To == parent
		}
		if !joined {
			t.Fatalf("seed %d: no reference joins link %d to the one before: %+v", seed, i+1, got.Chain)
		}
	}
}

func TestWhyTellsOfBoundsConditionsAndOrphans(t *testing.T) {
	m, s := shop()
	customers, orders := s.Table(public("customers")), s.Table(public("orders"))
	byCustomer := s.References[slices.IndexFunc(s.References, func(r schema.Reference) bool { return r.Name == "orders_customer_id" })]
	when := schema.Reference{Name: "declared 1", From: public("log"), Columns: []string{"at"}, To: public("customers"), ToColumns: []string{"id"}, Declared: true, When: "at < 3", At: "u.yaml:9:1"}
	s.References = append(s.References, when)
	s.Table(public("log")).Keys = []schema.Key{{Name: "log_at", Columns: []string{"at"}, NotNull: true}}
	s.Sort()
	m.Add(public("orders"), subsettest.Value(31), subsettest.Value(3), subsettest.Value(555)) // no such product
	m.Add(public("customers"), subsettest.Value(4), subsettest.Value(777))                    // no such referrer
	m.Add(public("orders"), subsettest.Value(40), subsettest.Value(4), subsettest.Value(1))
	for _, at := range []int{2, 3} {
		m.Add(public("log"), subsettest.Value(at))
	}
	spec := &subset.Spec{Unreached: subset.Empty, Orphans: subset.Drop, Seeds: []subset.Seed{{Table: customers}}, Follow: []schema.Reference{s.References[slices.IndexFunc(s.References, func(r schema.Reference) bool { return r.Name == "orders_product_id" })]},
		Rules: []subset.Rule{{Table: orders, PerParent: 1, Where: "id < 41", By: []schema.Reference{byCustomer}}}}
	ask := func(table, key string) *subset.Answer {
		t.Helper()
		got, err := subset.Why(context.Background(), m, s, spec, subset.Options{}, public(table), []string{key})
		if err != nil {
			t.Fatalf("%s %s: %v", table, key, err)
		}
		return got
	}
	for _, c := range []struct{ table, key, edge, why string }{
		{"orders", "21", "public.orders.customer_id", "not among the 1 row that per_parent keeps of its row of public.customers"},
		{"orders", "21", "public.orders.product_id", "rows do not come down along it: per_parent counts by customer_id"},
		{"log", "3", "public.log.at to public.customers", "the row does not satisfy its when, so it does not reference public.customers"},
		{"customers", "4", "public.customers.referrer", "it leads to no row of public.customers, and orphans are dropped"},
		{"orders", "40", "public.orders.customer_id", "the row of public.customers that it references was dropped as an orphan"},
	} {
		got := ask(c.table, c.key)
		if got.Selected || !slices.ContainsFunc(got.Cuts, func(cut subset.Cut) bool { return cut.Edge == c.edge && cut.Why == c.why }) {
			t.Errorf("%s %s: got %+v, want a cut of %s: %s", c.table, c.key, got, c.edge, c.why)
		}
	}
	if got := ask("log", "2"); !got.Selected || len(got.Chain) != 2 || got.Chain[1].Edge != "public.log.at to public.customers" {
		t.Errorf("a row whose reference holds: %+v", got)
	}
	spec.Orphans = subset.Nullify
	if got := ask("customers", "4"); !got.Selected || !slices.Equal(got.Nulled, []string{"referrer"}) {
		t.Errorf("a row that is nullified: %+v", got)
	}
}

func TestWhyNamesTheRuleThatLeftARowOut(t *testing.T) {
	m, s := shop()
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: s.Table(public("customers")), Where: "id < 2"}},
		Rules: []subset.Rule{{Table: s.Table(public("orders")), Where: "id < 20"}}}
	for _, c := range []struct {
		table, key, why, hint string
	}{
		{"orders", "21", "where of public.orders leaves it out", ""},
		{"orders", "30", "the row of public.customers that it references did not come along", "understudy why public.customers KEY tells why"},
		{"customers", "3", "not among the rows that the seed takes", ""},
		{"reviews", "2", "the row of public.products that it references came only as a parent, and public.reviews.product_id is not followed from those", "follow: [public.reviews.product_id]"},
	} {
		got, err := subset.Why(context.Background(), m, s, spec, subset.Options{}, public(c.table), []string{c.key})
		if err != nil {
			t.Fatalf("%s %s: %v", c.table, c.key, err)
		}
		found := false
		for _, cut := range got.Cuts {
			found = found || cut.Why == c.why && cut.Hint == c.hint
		}
		if got.Selected || !found {
			t.Errorf("%s %s: got %+v, want a cut %q with hint %q", c.table, c.key, got, c.why, c.hint)
		}
	}
	for _, key := range [][]string{{"999"}, {"1", "2"}} {
		if _, err := subset.Why(context.Background(), m, s, spec, subset.Options{}, public("orders"), key); fault.CodeOf(err) != fault.Usage {
			t.Errorf("key %v: %v, want a usage fault", key, err)
		}
	}
}

func public(table string) schema.Name { return schema.Name{Schema: "public", Table: table} }

// shop is a small fixed world: customers 1 to 3, each with orders; orders have
// a product; products have reviews, the second by nobody pulled.
func shop() (*subsettest.Memory, *schema.Schema) {
	integer := func(name string, notNull bool) schema.Column {
		return schema.Column{Name: name, Kind: schema.Integer, NotNull: notNull}
	}
	pk := []schema.Key{{Name: "pk", Columns: []string{"id"}, Primary: true, NotNull: true}}
	s := &schema.Schema{Tables: []schema.Table{
		{Name: public("audit"), Columns: []schema.Column{integer("id", true)}, Keys: pk},
		{Name: public("customers"), Columns: []schema.Column{integer("id", true), integer("referrer", false)}, Keys: pk},
		{Name: public("log"), Columns: []schema.Column{integer("at", true)}},
		{Name: public("orders"), Columns: []schema.Column{integer("id", true), integer("customer_id", true), integer("product_id", true)}, Keys: pk},
		{Name: public("products"), Columns: []schema.Column{integer("id", true)}, Keys: pk},
		{Name: public("reviews"), Columns: []schema.Column{integer("id", true), integer("product_id", true)}, Keys: pk},
	}}
	for _, r := range [][3]string{{"customers", "referrer", "customers"}, {"orders", "customer_id", "customers"}, {"orders", "product_id", "products"}, {"reviews", "product_id", "products"}} {
		s.References = append(s.References, schema.Reference{Name: r[0] + "_" + r[1], From: public(r[0]), Columns: []string{r[1]},
			To: public(r[2]), ToColumns: []string{"id"}, Valid: true, Indexed: true})
	}
	s.Sort()
	m := subsettest.NewMemory()
	for c := 1; c <= 3; c++ {
		m.Add(public("customers"), subsettest.Value(c), nil)
	}
	for _, o := range [][3]int{{10, 1, 1}, {21, 1, 1}, {30, 3, 2}} {
		m.Add(public("orders"), subsettest.Value(o[0]), subsettest.Value(o[1]), subsettest.Value(o[2]))
	}
	for p := 1; p <= 2; p++ {
		m.Add(public("products"), subsettest.Value(p))
	}
	for _, r := range [][2]int{{1, 2}, {2, 1}} {
		m.Add(public("reviews"), subsettest.Value(r[0]), subsettest.Value(r[1]))
	}
	for a := range 12 {
		m.Add(public("audit"), subsettest.Value(a))
	}
	return m, s
}

func find(t *testing.T, snap engine.Snapshot, s *schema.Schema, spec *subset.Spec, opts subset.Options) *subset.Selection {
	t.Helper()
	got, err := subset.Select(context.Background(), snap, s, spec, opts)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// edgeName names a reference as answers do; every column here is a plain word.
func edgeName(r schema.Reference) string {
	columns := strings.Join(r.Columns, ", ")
	if len(r.Columns) > 1 {
		columns = "(" + columns + ")"
	}
	if r.When != "" {
		columns += " to " + r.To.String()
	}
	return r.From.String() + "." + columns
}

func columnIndex(t *schema.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == name })
}
