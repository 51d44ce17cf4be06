package subset_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
	"understudy/internal/subset"
	"understudy/internal/subset/subsettest"
)

func seedOf(s *schema.Schema, table string) subset.Seed {
	return subset.Seed{Table: s.Table(public(table))}
}

func TestWholeCopyAsksNothing(t *testing.T) {
	m, s := shop()
	got := find(t, m, s, &subset.Spec{Whole: true}, subset.Options{})
	for _, part := range got.Tables {
		if !part.Whole || part.Rows != nil || part.Count != -1 {
			t.Errorf("%s: %+v, want whole, not counted", part.Table, part)
		}
	}
	if n := m.Finds.Load(); n != 0 {
		t.Errorf("%d finds for a whole copy", n)
	}
}

func TestReasonsSayWhatLedToATable(t *testing.T) {
	m, s := shop()
	spec := &subset.Spec{Unreached: subset.Small, Seeds: []subset.Seed{{Table: s.Table(public("customers")), Where: "id < 2"}}}
	got := find(t, m, s, spec, subset.Options{Readers: 2})
	for table, want := range map[string]string{
		"customers": "seed",
		"orders":    "reached from public.orders.customer_id",
		"products":  "needed by public.orders.product_id; needed by public.reviews.product_id",
		"reviews":   "whole: no edge leads here, 2 rows",
		"audit":     "whole: no edge leads here, 12 rows",
		"log":       "whole: no edge leads here, 0 rows",
	} {
		part := got.Find(public(table))
		if part.Reason != want {
			t.Errorf("%s: reason %q, want %q", table, part.Reason, want)
		}
		if part.Unreached != strings.HasPrefix(want, "whole") {
			t.Errorf("%s: unreached %v", table, part.Unreached)
		}
	}
	if c := got.Find(public("orders")).Count; c != 2 {
		t.Errorf("orders: %d rows, want 2", c)
	}
}

func TestAnUnreachedLargeTableStaysEmptyAndSaysSo(t *testing.T) {
	m, s := shop()
	for i := range subset.SmallRows {
		m.Add(public("log"), subsettest.Value(i))
	}
	spec := &subset.Spec{Unreached: subset.Small, Seeds: []subset.Seed{seedOf(s, "customers")}}
	if part := find(t, m, s, spec, subset.Options{}).Find(public("log")); !part.Whole || part.Count != subset.SmallRows {
		t.Errorf("with %d rows: %+v, want whole", subset.SmallRows, part)
	}
	m.Add(public("log"), subsettest.Value(-1))
	part := find(t, m, s, spec, subset.Options{}).Find(public("log"))
	if part.Whole || part.Count != 0 || part.Reason != "no edge leads here, more than 10,000 rows: empty" {
		t.Errorf("with one more: %+v, want empty", part)
	}
}

func TestASeedOfEverythingIsWholeAndFollowedDown(t *testing.T) {
	m, s := shop()
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "customers")}}
	got := find(t, m, s, spec, subset.Options{})
	if part := got.Find(public("customers")); !part.Whole || part.Count != 3 {
		t.Errorf("customers: %+v, want whole with 3 rows", part)
	}
	if part := got.Find(public("orders")); part.Count != 3 {
		t.Errorf("orders: %d rows, want 3", part.Count)
	}
}

func TestALargerPercentageContainsASmallerOne(t *testing.T) {
	m, s := shop()
	for i := range 20_000 {
		m.Add(public("log"), subsettest.Value(i))
	}
	log := s.Table(public("log"))
	log.Keys = []schema.Key{{Name: "log_at", Columns: []string{"at"}, NotNull: true}}
	var last *roaring64.Bitmap
	for _, percent := range []float64{0.5, 2, 5, 37.5, 99.9, 100} {
		spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: log, Percent: percent}}}
		rows := find(t, m, s, spec, subset.Options{Sample: subsettest.Sample}).Find(public("log")).Rows
		if want := percent * 200; float64(rows.GetCardinality()) < want*0.7-10 || float64(rows.GetCardinality()) > want*1.3+10 {
			t.Errorf("%v %% of 20,000 rows are %d", percent, rows.GetCardinality())
		}
		if last != nil && last.AndCardinality(rows) != last.GetCardinality() {
			t.Errorf("%v %% lacks rows that a smaller percentage has", percent)
		}
		last = rows
	}
	for _, limit := range []int64{1, 10, 3000} {
		spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: log, Limit: limit}}}
		rows := find(t, m, s, spec, subset.Options{Sample: subsettest.Sample}).Find(public("log")).Rows
		if int64(rows.GetCardinality()) != limit {
			t.Errorf("limit %d gives %d rows", limit, rows.GetCardinality())
		}
	}
}

func TestARowNeededFromANoneTableIsRefused(t *testing.T) {
	m, s := shop()
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "customers")},
		Rules: []subset.Rule{{Table: s.Table(public("products")), Rows: subset.NoneAtAll, At: finding.At{File: "job.yaml", Line: 7}}}}
	_, err := subset.Select(context.Background(), m, s, spec, subset.Options{})
	want := "job.yaml:7: public.products is none, and 3 pulled rows need its rows through public.orders.product_id"
	if fault.CodeOf(err) != fault.Usage || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	spec.Rules = append(spec.Rules, subset.Rule{Table: s.Table(public("orders")), Rows: subset.NoneAtAll})
	if part := find(t, m, s, spec, subset.Options{}).Find(public("orders")); part.Count != 0 || part.Reason != "none: structure only" {
		t.Errorf("orders: %+v, want none", part)
	}
}

func TestOrphansAreCountedForEachReferenceAndNeverQuoted(t *testing.T) {
	m, s := shop()
	m.Add(public("orders"), subsettest.Value(40), subsettest.Value(1), subsettest.Value(777001))
	m.Add(public("orders"), subsettest.Value(41), subsettest.Value(1), subsettest.Value(777001))
	m.Add(public("orders"), subsettest.Value(42), subsettest.Value(1), subsettest.Value(777002))
	m.Add(public("orders"), subsettest.Value(43), subsettest.Value(777003), subsettest.Value(1)) // not pulled: its customer is not there
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "customers"), seedOf(s, "reviews")}}
	_, err := subset.Select(context.Background(), m, s, spec, subset.Options{})
	want := "public.orders.product_id: 2 keys of public.orders.product_id lead to no row of public.products"
	if fault.CodeOf(err) != fault.Integrity || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for i := range s.References {
		s.References[i].Part = true
	}
	got := find(t, m, s, spec, subset.Options{})
	if len(got.Findings) != 1 || got.Findings[0].Severity != finding.Warning || got.Findings[0].Check != "orphans" {
		t.Errorf("references that hold on some partitions only: %+v, want one warning", got.Findings)
	}
}

func TestEqualKeysThatLookDifferentAreNoOrphans(t *testing.T) {
	m, s := shop()
	for _, c := range []struct{ table, column string }{{"products", "id"}, {"orders", "product_id"}, {"reviews", "product_id"}} {
		s.Table(public(c.table)).Column(c.column).Kind = schema.Decimal
	}
	for i := range 50 {
		m.Add(public("products"), subsettest.Value(fmt.Sprintf("%d.00", 100+i)))
		m.Add(public("orders"), subsettest.Value(100+i), subsettest.Value(1), subsettest.Value(fmt.Sprintf("%d.0", 100+i)))
	}
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "customers")}}
	if part := find(t, m, s, spec, subset.Options{}).Find(public("products")); part.Count != 52 {
		t.Errorf("products: %d rows, want 52", part.Count)
	}
	m.Add(public("orders"), subsettest.Value(900), subsettest.Value(1), subsettest.Value("900.5"))
	m.Add(public("orders"), subsettest.Value(901), subsettest.Value(1), subsettest.Value("901"))
	_, err := subset.Select(context.Background(), m, s, spec, subset.Options{})
	if fault.CodeOf(err) != fault.Integrity || !strings.Contains(err.Error(), "2 keys") {
		t.Errorf("got %v, want 2 missing keys", err)
	}
}

func TestTheBudgetStopsTheRunAndNamesTheLargest(t *testing.T) {
	m, s := shop()
	for i := range 5000 {
		m.Add(public("orders"), subsettest.Value(100+i), subsettest.Value(1), subsettest.Value(1))
	}
	m.Chunk = 100
	at := finding.At{File: "job.yaml", Line: 3}
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "customers")}, Budget: 1000, BudgetAt: at}
	_, err := subset.Select(context.Background(), m, s, spec, subset.Options{Readers: 2})
	if fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), "job.yaml:3: ") ||
		!strings.Contains(err.Error(), "budget of 1,000 rows; largest so far: public.orders (") || !strings.Contains(err.Error(), "pulled most: public.orders.customer_id (") {
		t.Errorf("got %v", err)
	}
	// A table that is copied whole counts as well.
	spec = &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "audit")}, Budget: 1000, Rules: []subset.Rule{{Table: s.Table(public("orders")), Rows: subset.AllRows}}}
	if _, err := subset.Select(context.Background(), m, s, spec, subset.Options{}); fault.CodeOf(err) != fault.Refused {
		t.Errorf("with orders: all: %v, want a refusal", err)
	}
	spec.Budget = 6000
	if got := find(t, m, s, spec, subset.Options{}); got.Find(public("orders")).Count != 5003 {
		t.Errorf("orders: %d rows counted, want 5003", got.Find(public("orders")).Count)
	}
}

// A chain of 10,000 rows that each reference the one before takes as many
// Finds, each of them cheap.
func TestADeepChain(t *testing.T) {
	m, s := shop()
	m.Add(public("customers"), subsettest.Value(1000), subsettest.Value(1))
	for i := 1001; i < 11_000; i++ {
		m.Add(public("customers"), subsettest.Value(i), subsettest.Value(i-1))
	}
	down := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: s.Table(public("customers")), Where: "id < 2"}}}
	if c := find(t, m, s, down, subset.Options{Readers: 2}).Find(public("customers")).Count; c != 10_001 {
		t.Errorf("down: %d rows, want 10,001", c)
	}
	m.Add(public("orders"), subsettest.Value(77), subsettest.Value(10_999), subsettest.Value(1))
	up := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: s.Table(public("orders")), Where: "id < 78"}}}
	if c := find(t, m, s, up, subset.Options{}).Find(public("customers")).Count; c != 10_002 {
		t.Errorf("up: %d rows, want 10,002", c)
	}
}

func TestAnEdgeWithoutAnIndexIsAskedOnceAndReported(t *testing.T) {
	m, s := shop()
	for i := range s.References {
		if s.References[i].Name == "reviews_product_id" {
			s.References[i].Indexed = false
		}
	}
	for i := range 3000 {
		m.Add(public("products"), subsettest.Value(100+i))
		m.Add(public("reviews"), subsettest.Value(100+i), subsettest.Value(100+i))
	}
	m.Chunk = 10
	counted := &counting{Memory: m, table: public("reviews")}
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "products")}}
	got, err := subset.Select(context.Background(), counted, s, spec, subset.Options{Readers: 4})
	if err != nil {
		t.Fatal(err)
	}
	if n := counted.asked.Load(); n != 1 {
		t.Errorf("reviews were scanned %d times, want once", n)
	}
	if len(got.Findings) != 1 || got.Findings[0].Check != "subset-scan" || got.Findings[0].Table != "public.reviews" || got.Findings[0].Column != "product_id" {
		t.Errorf("findings %+v, want one scan of public.reviews", got.Findings)
	}
	if c := got.Find(public("reviews")).Count; c != 3002 {
		t.Errorf("reviews: %d rows, want 3002", c)
	}
}

// Scans wait for what can add to them: order lines that hang on many orders of a
// seed are not scanned before the few orders that come from a customer.
func TestScansWaitForWhatFeedsThem(t *testing.T) {
	m, s := shop()
	lines := schema.Table{Name: public("lines"), Columns: []schema.Column{{Name: "id", Kind: schema.Integer, NotNull: true}, {Name: "order_id", Kind: schema.Integer}},
		Keys: []schema.Key{{Name: "pk", Columns: []string{"id"}, Primary: true, NotNull: true}}}
	s.Tables = append(s.Tables, lines)
	s.References = append(s.References, schema.Reference{Name: "lines_order_id", From: lines.Name, Columns: []string{"order_id"}, To: public("orders"), ToColumns: []string{"id"}, Valid: true})
	s.Sort()
	for i := range s.References {
		s.References[i].Indexed = false
	}
	for i := range 500 {
		m.Add(public("orders"), subsettest.Value(1000+i), subsettest.Value(3), subsettest.Value(1))
		m.Add(lines.Name, subsettest.Value(i), subsettest.Value(1000+i))
	}
	m.Add(lines.Name, subsettest.Value(900), subsettest.Value(10))
	m.Chunk = 7
	for _, readers := range []int{1, 2, 8} {
		spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: s.Table(public("orders")), Where: "customer_id < 4"}, {Table: s.Table(public("customers")), Where: "id < 2"}}}
		for _, table := range []string{"lines", "orders"} {
			counted := &counting{Memory: m, table: public(table), keyed: true}
			got, err := subset.Select(context.Background(), counted, s, spec, subset.Options{Readers: readers})
			if err != nil {
				t.Fatal(err)
			}
			if n := counted.asked.Load(); n != 1 {
				t.Errorf("%d readers: %s were scanned %d times, want once", readers, table, n)
			}
			if c := got.Find(lines.Name).Count; c != 501 {
				t.Errorf("%d readers: %d lines, want 501", readers, c)
			}
		}
	}
}

// Children that hang on two tables are looked for once, by the keys of both, after
// the rows of both are there.
func TestChildrenOfSeveralParentsAreLookedForAtOnce(t *testing.T) {
	id := schema.Column{Name: "id", Kind: schema.Integer, NotNull: true}
	table := func(name string, references ...string) schema.Table {
		t := schema.Table{Name: public(name), Columns: []schema.Column{id}, Rows: 1000, Keys: []schema.Key{{Name: "pk", Columns: []string{"id"}, Primary: true, NotNull: true}}}
		for _, r := range references {
			t.Columns = append(t.Columns, schema.Column{Name: r + "_id", Kind: schema.Integer})
		}
		return t
	}
	s := &schema.Schema{Tables: []schema.Table{table("account"), table("user", "account"), table("visit", "account", "user")}}
	for _, from := range s.Tables {
		for _, c := range from.Columns[1:] {
			to := public(strings.TrimSuffix(c.Name, "_id"))
			s.References = append(s.References, schema.Reference{Name: from.Name.Table + c.Name, From: from.Name, Columns: []string{c.Name}, To: to, ToColumns: []string{"id"}, Valid: true, Indexed: true})
		}
	}
	s.Sort()
	m := subsettest.NewMemory()
	for i := range 1000 {
		m.Add(public("account"), subsettest.Value(i))
		m.Add(public("user"), subsettest.Value(i), subsettest.Value(i%700))
		m.Add(public("visit"), subsettest.Value(i), subsettest.Value((i+1)%900), subsettest.Value(i%300))
	}
	for _, readers := range []int{1, 3} {
		snap := &combined{Combining: subsettest.Combining{Memory: m}, table: public("visit")}
		spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: s.Table(public("account")), Where: "id < 400"}}}
		got := find(t, snap, s, spec, subset.Options{Readers: readers})
		want := find(t, m, s, spec, subset.Options{Readers: readers})
		for i := range got.Tables {
			if !got.Tables[i].Rows.Equals(want.Tables[i].Rows) || got.Tables[i].Reason != want.Tables[i].Reason {
				t.Errorf("%d readers: at once %+v, one after the other %+v", readers, got.Tables[i], want.Tables[i])
			}
		}
		if len(snap.lookups) != 1 || len(snap.lookups[0]) != 2 {
			t.Errorf("%d readers: visits were looked for by %q, want account_id and user_id at once", readers, snap.lookups)
		}
	}
}

// A table with an index along one edge and none along others is scanned once, for all of
// these, after the edge with the index has brought what it can, step by step. Each of
// them is a finding.
func TestScansAreNotTakenAlongByIndexes(t *testing.T) {
	id := schema.Column{Name: "id", Kind: schema.Integer, NotNull: true}
	key := []schema.Key{{Name: "pk", Columns: []string{"id"}, Primary: true, NotNull: true}}
	s := &schema.Schema{Tables: []schema.Table{
		{Name: public("note"), Columns: []schema.Column{id, {Name: "message_id", Kind: schema.Integer}, {Name: "topic_id", Kind: schema.Integer}, {Name: "origin_id", Kind: schema.Integer}}, Keys: key, Rows: 100_000},
		{Name: public("message"), Columns: []schema.Column{id, {Name: "prev_id", Kind: schema.Integer}}, Keys: key, Rows: 100_000},
	}}
	for _, column := range []string{"message_id", "topic_id", "origin_id"} {
		s.References = append(s.References, schema.Reference{Name: "note_" + column, From: public("note"), Columns: []string{column}, To: public("message"), ToColumns: []string{"id"}, Valid: true, Indexed: column == "message_id"})
	}
	s.References = append(s.References, schema.Reference{Name: "prev", From: public("message"), Columns: []string{"prev_id"}, To: public("message"), ToColumns: []string{"id"}, Valid: true, Indexed: true})
	s.Sort()
	m := subsettest.NewMemory()
	for i := range 50 {
		m.Add(public("message"), subsettest.Value(i), subsettest.Value(max(i-1, 0)))
		m.Add(public("note"), subsettest.Value(i), subsettest.Value(i), subsettest.Value(i/2), subsettest.Value(i/3))
	}
	for _, readers := range []int{1, 3} {
		snap := &combined{Combining: subsettest.Combining{Memory: m}, table: public("note")}
		spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: s.Table(public("message")), Where: "id < 1"}}}
		got := find(t, snap, s, spec, subset.Options{Readers: readers})
		scans := 0
		for _, by := range snap.lookups {
			if slices.Contains(by, "topic_id") || slices.Contains(by, "origin_id") {
				scans++
				if slices.Contains(by, "message_id") || len(by) != 2 {
					t.Errorf("%d readers: one statement looks by %q", readers, by)
				}
			}
		}
		if scans != 1 {
			t.Errorf("%d readers: notes were scanned %d times, want once: %q", readers, scans, snap.lookups)
		}
		if c := got.Find(public("note")).Count; c != 50 {
			t.Errorf("%d readers: %d notes, want 50", readers, c)
		}
		var columns []string
		for _, f := range got.Findings {
			columns = append(columns, f.Check+" "+f.Column)
		}
		if want := []string{"subset-scan origin_id", "subset-scan topic_id"}; !slices.Equal(columns, want) {
			t.Errorf("%d readers: findings %q, want %q", readers, columns, want)
		}
	}
}

// combined notes by which columns one table's rows are looked for.
type combined struct {
	subsettest.Combining
	table   schema.Name
	mu      sync.Mutex
	lookups [][]string
}

func (c *combined) note(finds ...engine.Find) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var by []string
	for _, f := range finds {
		by = append(by, f.By...)
	}
	if finds[0].Table.Name == c.table {
		c.lookups = append(c.lookups, by)
	}
}

// Find implements engine.Snapshot.
func (c *combined) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	c.note(f)
	return c.Combining.Find(ctx, f)
}

// FindAny implements engine.Combiner.
func (c *combined) FindAny(ctx context.Context, finds []engine.Find) iter.Seq2[*engine.Found, error] {
	c.note(finds...)
	return c.Combining.FindAny(ctx, finds)
}

// counting counts the Finds by key of one table.
type counting struct {
	*subsettest.Memory
	table schema.Name
	keyed bool // only those by key
	asked atomic.Int64
}

// Find implements engine.Snapshot.
func (c *counting) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	if f.Table.Name == c.table && (f.Keys != nil || !c.keyed) {
		c.asked.Add(1)
	}
	return c.Memory.Find(ctx, f)
}

// failing fails the Find of one table after its first batch.
type failing struct {
	*subsettest.Memory
	table schema.Name
	err   error
}

// Find implements engine.Snapshot.
func (f *failing) Find(ctx context.Context, find engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		for found, err := range f.Memory.Find(ctx, find) {
			if !yield(found, err) {
				return
			}
			if find.Table.Name == f.table {
				yield(nil, f.err)
				return
			}
		}
	}
}

func TestAFailingReadAndACancelEndTheWork(t *testing.T) {
	m, s := shop()
	for i := range 1000 {
		m.Add(public("customers"), subsettest.Value(100+i), nil)
		m.Add(public("orders"), subsettest.Value(100+i), subsettest.Value(100+i), subsettest.Value(1))
	}
	m.Chunk = 5
	spec := &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{seedOf(s, "customers")}}
	broken := &engine.Error{Code: engine.Stopped, Doing: "find in public.orders"}
	_, err := subset.Select(context.Background(), &failing{m, public("orders"), broken}, s, spec, subset.Options{Readers: 3})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the snapshot's own error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	opts := subset.Options{Readers: 3, Progress: func(p subset.Progress) {
		if p.Rows > 100 {
			cancel()
		}
	}}
	if _, err := subset.Select(ctx, m, s, spec, opts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancel", err)
	}
}

func TestTheSelectionIsTheSameAtAnyParallelism(t *testing.T) {
	for seed := range uint64(50) {
		w := subsettest.NewWorld(seed, "a", "b")
		spec := w.Spec()
		first, errFirst := subset.Select(context.Background(), w.Memory, w.Schema, spec, subset.Options{Readers: 1, Sample: subsettest.Sample})
		w.Memory.Chunk = 3
		second, errSecond := subset.Select(context.Background(), w.Memory, w.Schema, spec, subset.Options{Readers: 8, Sample: subsettest.Sample})
		if fmt.Sprint(errFirst) != fmt.Sprint(errSecond) {
			t.Fatalf("seed %d: %v and %v", seed, errFirst, errSecond)
		}
		if errFirst != nil {
			continue
		}
		for i, a := range first.Tables {
			b := second.Tables[i]
			same := a.Whole == b.Whole && a.Count == b.Count && a.Reason == b.Reason && (a.Rows == nil) == (b.Rows == nil)
			if !same || a.Rows != nil && !a.Rows.Equals(b.Rows) {
				t.Errorf("seed %d: %+v with one reader, %+v with eight", seed, a, b)
			}
		}
	}
}

// What is dropped and what is nullified is counted by reference; a row that
// hangs on a dropped one is told apart from one that leads nowhere.
func TestOrphansAreCountedByWhatBecameOfThem(t *testing.T) {
	m, s := shop()
	m.Add(public("customers"), subsettest.Value(4), subsettest.Value(777))
	m.Add(public("customers"), subsettest.Value(5), subsettest.Value(4))
	m.Add(public("orders"), subsettest.Value(50), subsettest.Value(5), subsettest.Value(1))
	m.Add(public("orders"), subsettest.Value(51), subsettest.Value(1), subsettest.Value(555))
	for _, whole := range []bool{true, false} {
		spec := &subset.Spec{Whole: whole, Unreached: subset.All, Orphans: subset.Drop}
		if !whole {
			spec.Seeds = []subset.Seed{seedOf(s, "customers")}
		}
		got := find(t, m, s, spec, subset.Options{Readers: 2})
		var told []string
		for _, o := range got.Orphans {
			told = append(told, fmt.Sprint(o.Reference.Name, " ", o.Rows, " ", o.Cascaded, " ", o.Nulled))
		}
		want := []string{"customers_referrer 1 1 []", "orders_customer_id 0 1 []", "orders_product_id 1 0 []"}
		if !slices.Equal(told, want) {
			t.Errorf("whole %v: orphans %q, want %q", whole, told, want)
		}
		for _, table := range []string{"customers", "orders"} {
			if part := got.Find(public(table)); part.Whole || part.Count != 3 || part.Dropped != 2 || part.Rows.GetCardinality() != 3 {
				t.Errorf("whole %v: %s: %+v, want 3 rows, 2 dropped", whole, table, part)
			}
		}
	}
}

// What forbids NULL is named, and a composite key loses no more than it must.
func TestNullifyChoosesColumnsOrSaysWhatForbidsIt(t *testing.T) {
	name := func(n string) schema.Name { return public(n) }
	column := func(n string, notNull bool) schema.Column {
		return schema.Column{Name: n, Kind: schema.Integer, NotNull: notNull}
	}
	for _, c := range []struct {
		name   string
		change func(child *schema.Table, s *schema.Schema)
		want   string // the columns, or what the error says
	}{
		{"both may", func(*schema.Table, *schema.Schema) {}, "a b"},
		{"one is NOT NULL", func(c *schema.Table, _ *schema.Schema) { c.Columns[1].NotNull = true }, "b"},
		{"one belongs to another reference", func(_ *schema.Table, s *schema.Schema) {
			s.References = append(s.References, schema.Reference{Name: "other", From: name("child"), Columns: []string{"b"}, To: name("other"), ToColumns: []string{"id"}})
		}, "a"},
		{"one is of the primary key", func(c *schema.Table, _ *schema.Schema) { c.Keys[0].Columns = []string{"id", "a"} }, "b"},
		{"both are NOT NULL", func(c *schema.Table, _ *schema.Schema) { c.Columns[1].NotNull, c.Columns[2].NotNull = true, true }, "NOT NULL"},
		{"MATCH FULL and one is NOT NULL", func(c *schema.Table, s *schema.Schema) { c.Columns[1].NotNull, s.References[0].Full = true, true }, "MATCH FULL asks for all columns or none"},
		{"one is referenced, one generated", func(c *schema.Table, s *schema.Schema) {
			c.Columns[1].Generated = true
			s.References = append(s.References, schema.Reference{Name: "z", From: name("other"), Columns: []string{"id"}, To: name("child"), ToColumns: []string{"b"}, Valid: true, Declared: true, When: "id < 0"})
		}, "b is referenced by public.other.id"},
	} {
		pk := []schema.Key{{Name: "pk", Columns: []string{"id"}, Primary: true, NotNull: true}}
		s := &schema.Schema{Tables: []schema.Table{
			{Name: name("child"), Columns: []schema.Column{column("id", true), column("a", false), column("b", false)}, Keys: slices.Clone(pk)},
			{Name: name("other"), Columns: []schema.Column{column("id", true)}, Keys: pk},
			{Name: name("parent"), Columns: []schema.Column{column("x", true), column("y", true)}, Keys: []schema.Key{{Name: "pk", Columns: []string{"x", "y"}, Primary: true, NotNull: true}}},
		}, References: []schema.Reference{{Name: "fk", From: name("child"), Columns: []string{"a", "b"}, To: name("parent"), ToColumns: []string{"x", "y"}}}}
		c.change(&s.Tables[0], s)
		s.Sort()
		m := subsettest.NewMemory()
		m.Add(name("child"), subsettest.Value(1), subsettest.Value(7), subsettest.Value(8))
		m.Add(name("other"), subsettest.Value(8))
		got, err := subset.Select(context.Background(), m, s, &subset.Spec{Whole: true, Orphans: subset.Nullify}, subset.Options{})
		if err != nil {
			if fault.CodeOf(err) != fault.Integrity || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.name, err, c.want)
			}
			continue
		}
		if part := got.Find(name("child")); len(part.Nulls) != 1 || strings.Join(part.Nulls[0].Columns, " ") != c.want || part.Count != 1 {
			t.Errorf("%s: %+v, want %s", c.name, part, c.want)
		}
	}
}
