package pipeline

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync/atomic"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// A stream carries rows of one table: all of them, or a part of a big table
// beside others, so that the largest does not set the end of a run. The streams
// of a table share its masks, one batch at a time: what is counted and judged on
// the way does not depend on how a table was divided.
type stream struct {
	run    *tableRun
	reads  []reading
	weight int64
}

// A reading is rows that are read alike.
type reading struct {
	engine.Read
	null []string // columns that are to be read as NULL
}

// smallestPart is the weight, in bytes, below which no table is divided.
const smallestPart = 16 << 20

// streams divides what is to be loaded, the heaviest first.
func (s *Session) streams(ctx context.Context, load engine.Load, runs []*tableRun) ([]*stream, error) {
	divider, divides := s.snapshot.(engine.Divider)
	weights := make([]int64, len(runs))
	for i, run := range runs {
		weights[i] = run.weight
	}
	part := partWeight(weights, s.readers())
	var out []*stream
	for _, run := range runs {
		st := &stream{run: run, weight: run.weight}
		for _, p := range run.parts {
			st.reads = append(st.reads, run.reading(load, p))
		}
		parts := []*stream{st}
		if n := partsOf(run.weight, part); divides && n > 1 && run.stood.word == "" && len(st.reads) == 1 && len(st.reads[0].null) == 0 {
			reads, err := divider.Divide(ctx, st.reads[0].Read, n)
			if err != nil {
				return nil, Explain(err, "source")
			}
			parts = nil
			for _, r := range reads {
				parts = append(parts, &stream{run: run, weight: run.weight / int64(len(reads)), reads: []reading{{Read: r}}})
			}
		}
		if len(st.reads) > 0 {
			run.open = len(parts)
			out = append(out, parts...)
		}
	}
	slices.SortStableFunc(out, func(a, b *stream) int { return cmp.Compare(b.weight, a.weight) })
	if informed, ok := load.(engine.Informed); ok {
		informed.Alone(alone(out))
	}
	return out, nil
}

// alone lists the tables that one stream carries, and no other comes into.
func alone(streams []*stream) []schema.Name {
	count := make(map[schema.Name]int)
	for _, st := range streams {
		count[st.run.target]++
	}
	maps.DeleteFunc(count, func(_ schema.Name, n int) bool { return n > 1 })
	return slices.SortedFunc(maps.Keys(count), schema.Name.Compare)
}

// partWeight gives the weight that no part of a table should exceed: as much as
// may be, as long as the readers end at about the same time.
func partWeight(weights []int64, readers int) int64 {
	total := int64(0)
	for _, w := range weights {
		total += w
	}
	fair, limit := total/int64(readers), total
	for divisor := int64(1); divisor <= 8; divisor *= 2 {
		if longest(weights, limit, readers) <= fair+fair/10 {
			break
		}
		limit = max(fair/divisor, smallestPart)
	}
	return limit
}

// partsOf tells in how many parts a table goes.
func partsOf(weight, limit int64) int {
	return int(max(1, min((weight+limit-1)/max(limit, 1), weight/smallestPart)))
}

// longest foretells what the reader with the most to do carries.
func longest(weights []int64, limit int64, readers int) int64 {
	var parts []int64
	for _, w := range weights {
		n := partsOf(w, limit)
		for range n {
			parts = append(parts, w/int64(n))
		}
	}
	slices.SortFunc(parts, func(a, b int64) int { return cmp.Compare(b, a) })
	loads := make([]int64, readers)
	for _, p := range parts {
		least := 0
		for i := range loads {
			if loads[i] < loads[least] {
				least = i
			}
		}
		loads[least] += p
	}
	return slices.Max(loads)
}

func (run *tableRun) reading(load engine.Load, part subset.Part) reading {
	return reading{engine.Read{Table: run.source, Columns: run.columns, Look: run.rewrite.look(), Blind: run.rewrite.unseen(), Rows: part.Rows, Since: run.stood.word, Into: load, As: run.target}, part.Null}
}

// carry reads, masks and writes what a stream carries.
func (s *Session) carry(ctx context.Context, load engine.Load, st *stream, held *brake, bytes *atomic.Int64) error {
	run := st.run
	var broken error // of the source, so that it is not blamed on the target
	rows := func(yield func(*engine.Batch, error) bool) {
		for _, r := range st.reads {
			run.nullify(r.null)
			for b, err := range held.braked(ctx, readAhead(s.snapshot.Read(ctx, r.Read), 2)) {
				if err != nil {
					broken = Explain(err, "source")
					yield(nil, broken)
					return
				}
				passed, err := run.mask(b)
				if err == nil {
					bytes.Add(int64(len(b.Raw)))
					s.in.Observer(Event{Stage: StageLoad, Table: run.source.Name, Rows: passed})
				}
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}
	sent, err := load.Write(ctx, run.target, run.columns, rows)
	all, done := run.sent(sent)
	if broken != nil {
		return broken
	}
	if err != nil {
		return Explain(err, "target")
	}
	if done {
		s.in.Observer(Event{Stage: StageLoad, Table: run.source.Name, Rows: all, Done: true})
	}
	return nil
}

func (run *tableRun) nullify(names []string) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.rewrite.nullify(names)
}

// mask rewrites a batch and gives the rows of the table that have passed.
func (run *tableRun) mask(b *engine.Batch) (passed int64, err error) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.ledger.Read += int64(b.Rows)
	err = run.rewrite.rewrite(b)
	return run.rewrite.rows, err
}

// sent notes what a stream wrote; done with the table's last one.
func (run *tableRun) sent(rows int64) (all int64, done bool) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.ledger.Sent += rows
	run.open--
	return run.ledger.Sent, run.open == 0
}
