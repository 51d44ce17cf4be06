package postgres

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

// benchRows is how many rows BenchmarkReplace makes; 30,000 if it is unset.
const benchRows = "UNDERSTUDY_BENCH_ROWS"

// BenchmarkReplace exchanges the rows of a database of which one in a hundred
// changed, and tells how long that takes, in all and while writers are locked
// out, against a whole load of the same rows into a new database (the ratios are
// of times, and of the processor's time that both servers and this process take:
// below 1 is less than the whole load); -v prints each step.
func BenchmarkReplace(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv(benchRows))
	if err != nil {
		n = 30_000
	}
	structure := `
		CREATE TABLE customer (id int PRIMARY KEY, mail text NOT NULL UNIQUE, note text);
		CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customer ON DELETE CASCADE, at timestamptz NOT NULL, total numeric(12, 2));
		CREATE TABLE item (orders int NOT NULL REFERENCES orders, line int NOT NULL, what text NOT NULL, price numeric(12, 2), PRIMARY KEY (orders, line));
		CREATE INDEX ON orders (customer); CREATE INDEX ON orders (at);`
	production, staging, beside := scratchtest.Database(b), scratchtest.Database(b), scratchtest.Database(b)
	scratchtest.SQL(b, production, structure+fmt.Sprintf(`
		INSERT INTO customer SELECT i, 'mail' || i || '@example.com', repeat('note ', 10) FROM generate_series(1, %[1]d / 6) i;
		INSERT INTO orders SELECT i, 1 + i %% (%[1]d / 6), 'epoch'::timestamptz + i * interval '1 minute', i FROM generate_series(1, %[1]d / 3) i;
		INSERT INTO item SELECT 1 + i / 2, i %% 2, 'article ' || i, i / 7.0 FROM generate_series(0, %[1]d / 2) i; ANALYZE`, n))
	for _, address := range []string{staging, beside} {
		scratchtest.SQL(b, address, structure)
	}
	source, tg, whole := openSource(b, production), openInPlace(b, staging), openTarget(b, beside)
	files, _ := os.ReadFile(filepath.Join(scratchtest.Query(b, staging, "SHOW data_directory"), "postmaster.pid"))
	server, _, _ := strings.Cut(string(files), "\n")
	measure := func(target engine.Target, run string) (all, locked, worked float64) {
		spec := quietSpec(fmt.Sprintf("bench%d-%s", os.Getpid(), run))
		spec.Keep = 0
		worked = -processorTime(server)
		begun, last, at := time.Now(), "open", time.Now()
		then := -worked
		var lock time.Time
		spec.Step = func(step string) {
			now := processorTime(server)
			b.Logf("%s %7.3fs %7.3fs CPU %s", run, time.Since(at).Seconds(), now-then, last)
			then = now
			last, at = step, time.Now()
			if strings.HasPrefix(step, "lock the tables") {
				lock = time.Now()
			}
			if step == "drop side tables" {
				locked = time.Since(lock).Seconds()
			}
		}
		if err := quickly(b.Context(), source, target, spec); err != nil {
			b.Fatal(err)
		}
		spec.Step("end")
		return time.Since(begun).Seconds(), locked, worked + processorTime(server)
	}
	first, _, firstWork := measure(tg, "first")
	load, _, loadWork := measure(whole, "whole")
	var all, locked, work float64
	rounds := 0
	for ; b.Loop(); rounds++ {
		scratchtest.SQL(b, production, fmt.Sprintf(`
			UPDATE item SET what = 'changed %[1]d' WHERE orders %% 100 = %[1]d; UPDATE customer SET note = '%[1]d' WHERE id %% 100 = %[1]d;
			UPDATE orders SET total = %[1]d WHERE id %% 125 = %[1]d; DELETE FROM item WHERE orders %% 500 = %[1]d; DELETE FROM orders WHERE id %% 500 = %[1]d;
			INSERT INTO orders SELECT (SELECT max(id) FROM orders) + i, i, now(), 1 FROM generate_series(1, %[2]d / 1500) i`, rounds, n))
		a, l, w := measure(tg, fmt.Sprint(rounds))
		all, locked, work = all+a, locked+l, work+w
	}
	b.ReportMetric(all/float64(rounds)/load, "of-whole-load")
	b.ReportMetric(locked/float64(rounds)/load, "locked-of-whole-load")
	b.ReportMetric(load, "s/whole-load")
	b.ReportMetric(first/load, "first-of-whole-load")
	if loadWork > 0 {
		b.ReportMetric(work/float64(rounds)/loadWork, "CPU-of-whole-load")
		b.ReportMetric(firstWork/loadWork, "first-CPU-of-whole-load")
		b.ReportMetric(loadWork, "CPU-s/whole-load")
	}
}

// quickly refreshes as a run does: tables side by side, counted when all is there.
func quickly(ctx context.Context, source engine.Source, target engine.Target, spec engine.Spec) error {
	spec.Writers = 2
	s, err := source.Inspect(ctx, nil)
	if err != nil {
		return err
	}
	snap, err := source.Snapshot(ctx, s)
	if err != nil {
		return err
	}
	defer snap.Close()
	l, err := target.Begin(ctx, spec)
	if err != nil {
		return err
	}
	defer l.Abort(context.WithoutCancel(ctx))
	tables := slices.Clone(s.Tables)
	slices.SortFunc(tables, func(a, b schema.Table) int { return cmp.Compare(b.Bytes, a.Bytes) })
	each := func(do func(ctx context.Context, t *schema.Table) error) error {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(2)
		for i := range tables {
			g.Go(func() error { return do(ctx, &tables[i]) })
		}
		return g.Wait()
	}
	spec.Step("load")
	err = each(func(ctx context.Context, t *schema.Table) error {
		columns := t.Written()
		_, err := l.Write(ctx, t.Name, columns, snap.Read(ctx, engine.Read{Table: t, Columns: columns, Into: l, As: t.Name}))
		return err
	})
	if err != nil {
		return err
	}
	if err := l.Finish(ctx); err != nil {
		return err
	}
	spec.Step("prove")
	if _, err := l.Prove(ctx, nil); err != nil {
		return err
	}
	spec.Step("count")
	err = each(func(ctx context.Context, t *schema.Table) error {
		_, _, err := l.Count(ctx, t.Name, []string{t.Columns[0].Name})
		return err
	})
	if err != nil {
		return err
	}
	return l.Switch(ctx, []byte("{}"))
}

// processorTime is what this process and those of a server, told by its first,
// have taken of the processors, in seconds; 0 where the system does not tell.
func processorTime(server string) float64 {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0
	}
	ticks := 0.0
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		stat, _ := os.ReadFile(f)
		_, after, ok := strings.Cut(string(stat), ") ")
		fields := strings.Fields(after) // from the state on
		if !ok || len(fields) < 15 || fields[1] != server && filepath.Base(filepath.Dir(f)) != server {
			continue
		}
		for _, n := range fields[11:15] { // its own, and its children's that have ended
			t, _ := strconv.ParseFloat(n, 64)
			ticks += t
		}
	}
	if ticks == 0 {
		return 0
	}
	return ticks/100 + time.Duration(own.Utime.Nano()+own.Stime.Nano()).Seconds()
}
