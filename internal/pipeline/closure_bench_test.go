package pipeline_test

import (
	"cmp"
	"context"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/engine"
	"understudy/internal/engine/postgres"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
	"understudy/internal/subset"
)

// BenchmarkClosure finds one account in twenty and all that hangs on them, and
// reads the rows: as a run does, and as the bare strategy does (bare_test.go),
// in turn, over the same number of sessions. It reports the medians of both and
// of their ratio, which says more than either on a machine that is shared.
//
// UNDERSTUDY_BENCH_SOURCE names the database; without it a small one is made.
// Run it with -benchtime 5x or more.
func BenchmarkClosure(b *testing.B) {
	url := os.Getenv("UNDERSTUDY_BENCH_SOURCE")
	if url == "" {
		url = scratchtest.Database(b)
		scratchtest.SQL(b, url, smallShop)
	}
	const seeds = "id % 20 = 0"
	e := postgres.New()
	at, err := e.Parse(secret.New(url))
	if err != nil {
		b.Fatal(err)
	}
	source, err := e.Source(b.Context(), at, engine.Limits{}.WithDefaults())
	if err != nil {
		b.Fatal(err)
	}
	defer source.Close()
	s, err := source.Inspect(b.Context(), []string{"public"})
	if err != nil {
		b.Fatal(err)
	}
	snap, err := source.Snapshot(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	defer snap.Close()
	accounts := s.Table(schema.Name{Schema: "public", Table: "accounts"})
	readers := engine.Limits{}.WithDefaults().Readers
	other := newBare(b, url, s, readers)

	var found, read, whole, bare, ratios []float64
	var rows, otherRows int64
	run := func() {
		start := time.Now()
		sel, err := subset.Select(b.Context(), snap, s, &subset.Spec{Unreached: subset.Empty, Seeds: []subset.Seed{{Table: accounts, Where: seeds}}},
			subset.Options{Readers: readers})
		if err != nil {
			b.Fatal(err)
		}
		closed := time.Since(start).Seconds()
		rows = readSelection(b, snap, s, sel, readers)
		all := time.Since(start).Seconds()
		found, read, whole = append(found, closed), append(read, all-closed), append(whole, all)
	}
	plain := func() {
		start := time.Now()
		otherRows = other.run(b, accounts.Name, seeds)
		bare = append(bare, time.Since(start).Seconds())
	}
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 {
			run()
			plain()
		} else {
			plain()
			run()
		}
		ratios = append(ratios, whole[i]/bare[i])
	}
	if rows != otherRows {
		b.Fatalf("the two ways disagree: %d rows and %d", rows, otherRows)
	}
	b.ReportMetric(float64(rows), "rows")
	for _, m := range []struct {
		values []float64
		unit   string
	}{{found, "find-s"}, {read, "read-s"}, {whole, "both-s"}, {bare, "bare-s"}, {ratios, "ratio"}} {
		b.ReportMetric(median(m.values), m.unit)
	}
}

// readSelection reads the selected rows, the table with most of them first, and
// throws them away.
func readSelection(b *testing.B, snap engine.Snapshot, s *schema.Schema, sel *subset.Selection, readers int) int64 {
	var rows atomic.Int64
	tables := slices.SortedFunc(slices.Values(sel.Tables), func(x, y subset.Table) int { return cmp.Compare(y.Count, x.Count) })
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(readers)
	for _, t := range tables {
		if t.Count == 0 {
			continue
		}
		g.Go(func() error {
			table := s.Table(t.Table)
			r := engine.Read{Table: table, Columns: table.Written()}
			if !t.Whole {
				r.Rows = t.Rows.ToArray()
			}
			return drain(ctx, snap, r, &rows)
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return rows.Load()
}

func drain(ctx context.Context, snap engine.Snapshot, r engine.Read, rows *atomic.Int64) error {
	for batch, err := range snap.Read(ctx, r) {
		if err != nil {
			return err
		}
		rows.Add(int64(batch.Rows))
		batch.Release()
	}
	return nil
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

// smallShop has a cycle, a self reference and two ways to most rows.
const smallShop = `
CREATE TABLE accounts (id int PRIMARY KEY, name text);
CREATE TABLE users (id int PRIMARY KEY, account_id int REFERENCES accounts, name text, bio text);
ALTER TABLE accounts ADD owner_id int REFERENCES users;
CREATE TABLE products (id int PRIMARY KEY, name text);
CREATE TABLE orders (id bigint PRIMARY KEY, account_id int NOT NULL REFERENCES accounts, user_id int REFERENCES users, note text);
CREATE TABLE lines (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES orders, product_id int REFERENCES products, n int);
CREATE TABLE messages (id bigint PRIMARY KEY, user_id int REFERENCES users, reply_to bigint REFERENCES messages, body text);
INSERT INTO accounts SELECT i, 'account ' || i FROM generate_series(1, 2000) i;
INSERT INTO users SELECT i, 1 + i % 2000, 'user ' || i, repeat('words ', 20) FROM generate_series(1, 20000) i;
UPDATE accounts SET owner_id = id * 7 % 20000 + 1;
INSERT INTO products SELECT i, 'product ' || i FROM generate_series(1, 1000) i;
INSERT INTO orders SELECT i, 1 + i % 2000, 1 + i * 13 % 20000, repeat('note ', 5) FROM generate_series(1, 100000) i;
INSERT INTO lines SELECT i, 1 + i % 100000, 1 + i * 31 % 1000, i % 5 FROM generate_series(1, 200000) i;
INSERT INTO messages SELECT i, 1 + i % 20000, CASE WHEN i % 3 = 0 THEN i / 2 END, repeat('text ', 10) FROM generate_series(1, 50000) i;
CREATE INDEX ON users (account_id); CREATE INDEX ON accounts (owner_id); CREATE INDEX ON orders (account_id); CREATE INDEX ON orders (user_id);
CREATE INDEX ON lines (order_id); CREATE INDEX ON lines (product_id); CREATE INDEX ON messages (user_id); CREATE INDEX ON messages (reply_to);
VACUUM ANALYZE;
`
