package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/secret"
)

// BenchmarkCopy carries 200,000 rows of five columns from file to file, one of
// them looked into, indexes, proofs and the switch included.
func BenchmarkCopy(b *testing.B) {
	const rows = 200_000
	dir := b.TempDir()
	from := filepath.Join(dir, "from.db")
	e := New().(*product)
	at, err := e.Parse(secret.New("sqlite:" + from))
	if err != nil {
		b.Fatal(err)
	}
	err = Execute(b.Context(), at, []string{
		`CREATE TABLE a (id INTEGER PRIMARY KEY, email TEXT UNIQUE, n INTEGER, at TIMESTAMP, note TEXT)`, `CREATE INDEX a_n ON a (n)`,
		fmt.Sprintf(`INSERT INTO a WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i < %d)
			SELECT i, 'somebody' || i || '@example.com', i %% 1000, '2024-01-01 00:00:00', printf('%%080d', i) FROM s`, rows),
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		copyOnce(b, e, at, filepath.Join(dir, fmt.Sprintf("to%d.db", i)))
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func copyOnce(b *testing.B, e *product, from engine.Address, to string) {
	b.Helper()
	fail := func(err error) {
		if err != nil {
			b.Helper()
			b.Fatal(err)
		}
	}
	ctx := b.Context()
	source, err := e.Source(ctx, from, engine.Limits{})
	fail(err)
	structure, err := source.Inspect(ctx, nil)
	fail(err)
	snap, err := source.Snapshot(ctx, structure)
	fail(err)
	defer snap.Close()
	at, err := e.Parse(secret.New("sqlite:" + to))
	fail(err)
	target, err := e.Target(ctx, at, engine.Limits{})
	fail(err)
	l, err := target.Begin(ctx, engine.Spec{RunID: "copy", Structure: snap.Structure(), Step: func(string) {}})
	fail(err)
	defer l.Abort(context.WithoutCancel(ctx))
	t := &structure.Tables[0]
	_, err = l.Write(ctx, t.Name, t.Written(), snap.Read(ctx, engine.Read{Table: t, Columns: t.Written(), Look: []int{1}}))
	fail(err)
	fail(l.Finish(ctx))
	_, err = l.Prove(ctx, nil)
	fail(err)
	fail(l.Switch(ctx, nil))
}
