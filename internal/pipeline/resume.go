package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/mask"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// A refresh that exchanges rows builds on the one before, table by table, where
// that is proved to be the same as beginning anew: the same key, rules and
// structure, so the same fakes; the target's rows are those that it left; and the
// source can tell which of its rows came or changed since. Those alone are read.
// Rows that went from the source are known by their number: where there are any,
// the table is read whole.

// stood is what is known of the rows of a table that are left where they stand.
type stood struct {
	word   string // of the source; empty unless the run builds on the one before
	before ManifestTable
	rows   int64 // of the source, now
	digest mask.Digest
	nulls  map[string]int64
}

// resume finds out which tables can be built on. They are few words to ask, and a
// count of rows on both sides.
func (s *Session) resume(ctx context.Context, load engine.Load, runs []*tableRun) error {
	before := s.before()
	continuing, ok := load.(engine.Continuing)
	snapshot, also := s.snapshot.(engine.Remembering)
	if !ok || !also {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.readers())
	for _, run := range runs {
		if !run.lasting() {
			continue
		}
		run.since.Made = s.madeOf(run)
		t, ok := before[run.target]
		if there := s.work.target.Table(run.target); there == nil || len(there.Written()) != len(run.columns) {
			continue // what no row brings, a load fills anew
		}
		if !ok || t.Since.Made != run.since.Made {
			continue
		}
		g.Go(func() (err error) {
			defer fault.Guard(&err)
			rows, ok, err := snapshot.Since(ctx, run.source, t.Since.Source)
			if err != nil || !ok {
				return Explain(err, "source")
			}
			there, ok, err := continuing.Continue(ctx, run.target, t.Since.Target)
			if err != nil || !ok {
				return Explain(err, "target")
			}
			if there != t.Rows {
				return Explain(continuing.Renounce(ctx, run.target), "target")
			}
			run.stood = stood{word: t.Since.Source, before: t, rows: rows}
			return nil
		})
	}
	return g.Wait()
}

// worthwhile is the size in bytes from which on a table is built on; a smaller one
// is read sooner than it is asked about.
const worthwhile = 1 << 20

// lasting tells a table whose rows are all wanted, whatever is in the others.
func (run *tableRun) lasting() bool {
	return run.whole && run.source.Bytes >= worthwhile && len(run.parts) == 1 && run.parts[0].Rows == nil && len(run.parts[0].Null) == 0 && len(run.columns) > 0
}

// before gives the tables that the present generation left words of.
func (s *Session) before() map[schema.Name]ManifestTable {
	m, err := ReadManifest(s.work.state.Manifest)
	if err != nil || m.After != "" || len(s.work.after) > 0 || m.KeyFingerprint != s.in.Key.Fingerprint() {
		return nil
	}
	out := map[schema.Name]ManifestTable{}
	for _, t := range m.Tables {
		if t.Since != nil && len(t.Reckoned) == 0 {
			out[t.Table] = t
		}
	}
	return out
}

// madeWith writes down what a mask is made with.
func madeWith(d rules.Decision) []byte {
	out, err := json.Marshal(struct {
		rules.Decision
		Limits mask.Limits
		Paths  []mask.Limits
		At     string `json:"at"` // not where the rule stands
		Reason string `json:"reason"`
	}{Decision: d, Limits: d.Limits.Alike(), Paths: pathLimits(d)})
	if err != nil {
		return nil
	}
	return out
}

func pathLimits(d rules.Decision) (out []mask.Limits) {
	if d.Documents == nil {
		return nil
	}
	for _, p := range d.Documents.Paths {
		for _, l := range p.Limits {
			out = append(out, l.Alike())
		}
	}
	return out
}

// probes are values whose fakes tell one version of a mask from another.
var probes = [...]string{"", "a", "Anna", "anna@mail.example", "+1-555-0100", "1984-02-03", "1984-02-03 04:05:06", "42", "4111111111111111", "1.5", "true",
	"0a1b2c3d-0000-4000-8000-000000000001", "192.0.2.1", "a longer text, of several words"}

// madeOf gives a digest of all that decides what becomes of a table's rows.
func (s *Session) madeOf(run *tableRun) string {
	h := sha256.New()
	put := json.NewEncoder(h)
	_ = put.Encode(s.in.Key.Fingerprint()) // a hash takes all
	if b, ok := debug.ReadBuildInfo(); ok {
		_ = put.Encode([]any{b.Main.Version, b.Settings, b.GoVersion})
	}
	_ = put.Encode(run.columns)
	there := s.work.target.Table(run.target)
	for _, name := range run.columns {
		from, to := run.source.Column(name), (*schema.Column)(nil)
		if there != nil {
			to = there.Column(name)
		}
		_ = put.Encode([]*schema.Column{from, to})
	}
	for _, c := range run.rewrite.columns {
		if c.made == nil {
			return ""
		}
		_ = put.Encode([]any{c.name, string(c.made), c.rounded, c.each})
		if c.mask != nil {
			w := c.mask.Worker()
			for _, p := range probes {
				fake, null, err := w.Append(nil, []byte(p))
				_ = put.Encode([]any{fake, null, err != nil})
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// settle makes sure, once the rows that came or changed are there, that no row of
// the source is gone, and has the others read whole.
func (s *Session) settle(ctx context.Context, load engine.Load, runs []*tableRun, held *brake, bytes *atomic.Int64) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.readers())
	for _, run := range runs {
		if run.stood.word == "" {
			continue
		}
		g.Go(func() (err error) {
			defer fault.Guard(&err)
			continuing := load.(engine.Continuing)
			gone, err := s.stay(gctx, continuing, run)
			if err != nil || gone == 0 {
				return Explain(err, "target")
			}
			if err := continuing.Renounce(gctx, run.target); err != nil {
				return Explain(err, "target")
			}
			s.note(StageLoad, "rows are gone from %s: it is read whole", run.source.Name)
			run.stood, run.rewrite = stood{}, newRewriter(run.source.Name, run.rewrite.columns, s.in.Key)
			run.ledger = check.Ledger{Table: run.ledger.Table, Selected: -1}
			run.open = 1
			return s.carry(gctx, load, &stream{run: run, reads: []reading{run.reading(load, run.parts[0])}}, held, bytes)
		})
	}
	return g.Wait()
}

// stay counts the rows that went from the source since the refresh before. The
// target has the rows of then; of these stay those that did not change, and those
// that did are found there under the keys of what was written.
func (s *Session) stay(ctx context.Context, load engine.Continuing, run *tableRun) (gone int64, err error) {
	before := run.stood.before
	there := s.work.target.Table(run.target)
	columns := before.Masked
	if len(columns) == 0 {
		columns = run.columns[:1] // to be counted
	}
	d := s.in.Key.Digester(run.source.Name.Table)
	nulls := make([]int64, len(columns))
	met := int64(0)
	counted := func(yield func(*engine.Batch, error) bool) {
		for b, err := range load.Met(ctx, run.target, engine.Read{Table: there, Columns: columns, Look: upTo(len(columns))}) {
			if err == nil {
				met += int64(b.Rows)
			}
			if !yield(b, err) {
				return
			}
		}
	}
	if err := tellRows(counted, there, columns, before, d, nulls); err != nil {
		return 0, err
	}
	run.ledger.Stood = run.stood.rows - run.ledger.Read
	gone = before.Rows - run.ledger.Stood - met
	if whole, ok := mask.ParseDigest(before.Digest); ok && len(before.Digested) > 0 {
		run.stood.digest = whole.Sub(d.Sum())
	}
	run.stood.nulls = map[string]int64{}
	for i, name := range before.Masked {
		run.stood.nulls[name] = before.Nulls[name] - nulls[i]
	}
	return gone, nil
}

// remember asks the source for words, while its snapshot is open.
func (s *Session) remember(ctx context.Context, load engine.Load, runs []*tableRun) error {
	snapshot, ok := s.snapshot.(engine.Remembering)
	if _, also := load.(engine.Continuing); !ok || !also || len(s.work.after) > 0 {
		return nil
	}
	for _, run := range runs {
		if run.since.Made == "" || !run.lasting() {
			continue
		}
		var err error
		if run.since.Source, err = snapshot.Remember(ctx, run.source); err != nil {
			return Explain(err, "source")
		}
	}
	return nil
}

// left asks the load for words.
func (s *Session) left(ctx context.Context, load engine.Load, runs []*tableRun) error {
	continuing, ok := load.(engine.Continuing)
	if !ok || len(s.work.after) > 0 {
		return nil
	}
	var names []schema.Name
	for _, run := range runs {
		if run.since.Source != "" {
			names = append(names, run.target)
		}
	}
	words, err := continuing.Left(ctx, names)
	if err != nil {
		return Explain(err, "target")
	}
	for _, run := range runs {
		run.since.Target = words[run.target]
	}
	return nil
}
