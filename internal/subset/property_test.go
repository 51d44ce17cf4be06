package subset

import (
	"context"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
)

func findOrdered(t *schema.Table, order string) engine.Find {
	return engine.Find{Table: t, Order: order}
}

// Random schemas, rows and subsets: the closure is the least fix point, which
// the naive computation finds by trying everything, or it fails for the reason
// that the naive computation sees.
func TestClosureIsTheLeastFixPoint(t *testing.T) {
	start, cases := uint64(time.Now().UnixNano()), 3000
	if testing.Short() {
		cases = 300
	}
	outcomes := map[string]int{}
	for i := range cases {
		seed := start + uint64(i)
		outcomes[tryWorld(t, seed)]++
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("outcomes from seed %d on: %v", start, outcomes)
	if outcomes["selected"] < cases/4 {
		t.Errorf("seed %d: only %d of %d random cases end in a selection", start, outcomes["selected"], cases)
	}
}

func FuzzClosure(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { tryWorld(t, seed) })
}

func tryWorld(t *testing.T, seed uint64) string {
	t.Helper()
	w := newWorld(newRand(seed))
	spec := w.spec()
	want := newNaive(w, spec)
	opts := Options{Readers: 1 + w.r.IntN(4), Sample: testSample, Trace: w.r.IntN(2) == 0}
	got, err := Select(context.Background(), w.memory, w.schema, spec, opts)
	switch {
	case want.needed:
		if fault.CodeOf(err) != fault.Usage {
			t.Errorf("a row of a none table is needed, and Select says %v", err)
		}
		return "none is needed"
	case want.orphans:
		if fault.CodeOf(err) != fault.Integrity {
			t.Errorf("a key leads nowhere, and Select says %v", err)
		}
		return "orphans"
	case err != nil:
		t.Errorf("Select: %v", err)
		return "error"
	}
	want.compare(t, got)
	return "selected"
}

func (n *naive) compare(t *testing.T, got *Selection) {
	t.Helper()
	for i, table := range n.w.schema.Tables {
		part := got.Tables[i]
		if part.Table != table.Name {
			t.Fatalf("table %d is %s, want %s", i, part.Table, table.Name)
		}
		if n.whole[table.Name] {
			if !part.Whole || part.Rows != nil {
				t.Errorf("%s: whole %v, rows named %v; want whole", table.Name, part.Whole, part.Rows != nil)
			}
			if part.Count >= 0 && part.Count != int64(len(n.marks[table.Name])) {
				t.Errorf("%s: %d rows counted, there are %d", table.Name, part.Count, len(n.marks[table.Name]))
			}
			continue
		}
		count := int64(0)
		for row, mark := range n.marks[table.Name] {
			in := part.Rows.Contains(n.w.memory.ids[table.Name][row])
			if in != (mark > 0) {
				t.Errorf("%s row %d: selected %v, mark of the naive fix point %d (%s)", table.Name, row, in, mark, part.Reason)
			}
			if mark > 0 {
				count++
			}
		}
		if part.Count != count {
			t.Errorf("%s: count %d, want %d", table.Name, part.Count, count)
		}
	}
}
