package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strconv"
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
// That rows went from the source is known by their number: then the keys of all its
// rows are read, and which of the target's have none of these shows what went. Where
// many did, the table is read whole.

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
		if !ok || t.Since.Made != run.since.Made || !run.keyedAlike(continuing.Keys(run.target), s.work.target.Table(run.target)) {
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

// keyedAlike tells whether production tells its rows by the target's key as well,
// value by value alike. By a key that takes for one what production tells apart, a row
// that came could stand in for one that went.
func (run *tableRun) keyedAlike(keys []string, there *schema.Table) bool {
	named := slices.Sorted(slices.Values(keys))
	if !slices.ContainsFunc(run.source.Keys, func(k schema.Key) bool {
		return k.Identifies() && slices.Equal(slices.Sorted(slices.Values(k.Columns)), named)
	}) {
		return false
	}
	for _, name := range keys {
		a, b := run.source.Column(name), there.Column(name)
		if a == nil || b == nil || a.Type != b.Type || a.FoldCase || b.FoldCase {
			return false
		}
	}
	return true
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
			if gone > 0 && gone <= run.stood.before.Rows/goneShare {
				s.note(StageLoad, "rows are gone from %s: its keys are read", run.source.Name)
				if found, err := s.depart(gctx, continuing, run, gone, held, bytes); found || err != nil {
					return err
				}
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
	before, there := run.stood.before, s.work.target.Table(run.target)
	met, err := s.told(run, func(columns []string) iter.Seq2[*engine.Batch, error] {
		return load.Met(ctx, run.target, engine.Read{Table: there, Columns: columns, Look: upTo(len(columns))})
	})
	if err != nil {
		return 0, err
	}
	run.ledger.Stood = run.stood.rows - run.ledger.Read
	if whole, ok := mask.ParseDigest(before.Digest); ok && len(before.Digested) > 0 {
		run.stood.digest = whole.Sub(met.digest)
	}
	run.stood.nulls = map[string]int64{}
	for _, name := range before.Masked {
		run.stood.nulls[name] = before.Nulls[name] - met.nulls[name]
	}
	return before.Rows - run.ledger.Stood - met.rows, nil
}

// goneShare is the part of a table's rows up to which those that went are found by
// the keys of those that did not.
const goneShare = 4

// depart finds which of the target's rows went from the source, so many by their
// number, and lets them go. It says false where it does not find as many, so that
// the table is read whole.
func (s *Session) depart(ctx context.Context, load engine.Continuing, run *tableRun, gone int64, held *brake, bytes *atomic.Int64) (found bool, err error) {
	keys := load.Keys(run.target)
	if slices.ContainsFunc(keys, func(k string) bool { return !slices.Contains(run.columns, k) }) {
		return false, nil
	}
	rewrite := newRewriter(run.source.Name, only(run.rewrite.columns, keys), s.in.Key)
	var broken error // of the source, so that it is not blamed on the target
	rows := func(look []int) iter.Seq2[*engine.Batch, error] {
		return func(yield func(*engine.Batch, error) bool) {
			read := engine.Read{Table: run.source, Columns: keys, Look: look, Blind: rewrite.unseen(), Into: load, As: run.target}
			for b, err := range held.braked(ctx, readAhead(s.snapshot.Read(ctx, read), 2)) {
				if err != nil {
					broken = Explain(err, "source")
					yield(nil, broken)
					return
				}
				if err = rewrite.rewrite(b); err == nil {
					bytes.Add(int64(len(b.Raw)))
				}
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}
	var sent int64
	numbers, there := (*keySet)(nil), s.work.target.Table(run.target)
	if len(keys) == 1 && run.source.Column(keys[0]).Kind == schema.Integer && len(rewrite.columns) == 0 {
		numbers, sent, err = collect(rows([]int{0}))
	}
	switch {
	case err != nil:
	case numbers == nil:
		sent, err = load.Stay(ctx, run.target, rows(rewrite.look()))
	case sent == run.stood.rows:
		err = load.Sift(ctx, run.target, numbers.gaps())
	}
	if broken != nil || err != nil {
		return false, cmp.Or(broken, Explain(err, "target"))
	}
	if sent != run.stood.rows {
		return false, Explain(&engine.Error{Code: engine.Failed, Doing: "read the keys of " + run.source.Name.String(), Table: run.source.Name,
			Say: fmt.Sprintf("%d came of the %d rows that the moment has", sent, run.stood.rows)}, "source")
	}
	left, err := s.told(run, func(columns []string) iter.Seq2[*engine.Batch, error] {
		return load.Gone(ctx, run.target, engine.Read{Table: there, Columns: columns, Look: upTo(len(columns))})
	})
	if err != nil || left.rows != gone {
		return false, Explain(err, "target")
	}
	if run.stood.digest != (mask.Digest{}) { // else there is none
		run.stood.digest = run.stood.digest.Sub(left.digest)
	}
	for name, n := range left.nulls {
		run.stood.nulls[name] -= n
	}
	return true, nil
}

// collect takes the numbers that the rows hold, each a value looked into; nil where they
// are too far apart, or no numbers.
func collect(rows iter.Seq2[*engine.Batch, error]) (*keySet, int64, error) {
	set, n := &keySet{}, int64(0)
	scratch := make([]byte, 0, 20)
	for b, err := range rows {
		if err != nil {
			return nil, 0, err
		}
		for _, cell := range b.Cells {
			if cell.Null {
				return nil, 0, nil
			}
			number, err := strconv.ParseInt(string(b.Form.Value(scratch, b.Raw[cell.Start:cell.End], 0)), 10, 64)
			if err != nil || !set.add(number) {
				return nil, 0, nil
			}
		}
		n += int64(b.Rows)
		b.Release()
	}
	return set, n, nil
}

// only gives those of a table's masked columns that are among names, as they are
// looked at where these alone are read.
func only(columns []maskedColumn, names []string) (out []maskedColumn) {
	for _, c := range columns {
		if i := slices.Index(names, c.name); i >= 0 {
			c.index = i
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b maskedColumn) int { return cmp.Compare(a.index, b.index) })
	return out
}

// told is what some of the rows that stand in the target add up to.
type told struct {
	rows   int64
	digest mask.Digest
	nulls  map[string]int64 // of masked columns
}

// told adds up rows that the refresh before left, by the columns that it is asked for.
func (s *Session) told(run *tableRun, rows func(columns []string) iter.Seq2[*engine.Batch, error]) (t told, err error) {
	before := run.stood.before
	columns := before.Masked
	if len(columns) == 0 {
		columns = run.columns[:1] // to be counted
	}
	d, nulls := s.in.Key.Digester(run.source.Name.Table), make([]int64, len(columns))
	counted := func(yield func(*engine.Batch, error) bool) {
		for b, err := range rows(columns) {
			if err == nil {
				t.rows += int64(b.Rows)
			}
			if !yield(b, err) {
				return
			}
		}
	}
	if err := tellRows(counted, s.work.target.Table(run.target), columns, before, d, nulls); err != nil {
		return t, err
	}
	t.digest, t.nulls = d.Sum(), map[string]int64{}
	for i, name := range before.Masked {
		t.nulls[name] = nulls[i]
	}
	return t, nil
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
