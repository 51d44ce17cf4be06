package pipeline_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"understudy/internal/schema"
)

// keysAtOnce is how many keys one statement of the bare strategy asks for.
const keysAtOnce = 100_000

// A bare is the least that a subset by key batches can do: sets of integer keys
// on the client, whole rows fetched by = ANY and thrown away in the same pass,
// nothing kept, checked or explained. Rows reached both ways are fetched twice.
// Tables need one integer column that identifies rows; it takes the first of the key.
type bare struct {
	tables map[schema.Name]*bareTable
	conns  []*pgconn.PgConn
	mu     sync.Mutex // guards the tables and what follows
	wake   *sync.Cond
	busy   int
	failed bool
}

type bareTable struct {
	name     string
	id       int
	key      string // the column id is
	down, up roaring64.Bitmap
	known    roaring64.Bitmap // asked for as parents
	parents  []uint64         // to be asked for by id
	out, in  []*bareEdge
}

type bareEdge struct {
	from, to *bareTable
	at       int // in from's columns
	column   string
	pending  []uint64
}

func newBare(b *testing.B, url string, s *schema.Schema, sessions int) *bare {
	w := &bare{tables: map[schema.Name]*bareTable{}}
	w.wake = sync.NewCond(&w.mu)
	at := func(t *schema.Table, column string) int {
		return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == column })
	}
	for i := range s.Tables {
		t := &s.Tables[i]
		w.tables[t.Name] = &bareTable{name: t.Name.String(), id: at(t, t.Identity().Columns[0]), key: t.Identity().Columns[0]}
	}
	for _, r := range s.References {
		from, to := w.tables[r.From], w.tables[r.To]
		if from == nil || to == nil || r.Part {
			continue
		}
		e := &bareEdge{from: from, to: to, at: at(s.Table(r.From), r.Columns[0]), column: r.Columns[0]}
		if len(r.Columns) > 1 || at(s.Table(r.To), r.ToColumns[0]) != to.id {
			b.Fatalf("the bare strategy knows single keys only: %s", r)
		}
		from.out, to.in = append(from.out, e), append(to.in, e)
	}
	for range sessions {
		c, err := pgconn.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close(context.Background()) })
		w.conns = append(w.conns, c)
	}
	return w
}

// run pulls what hangs on the seeds and gives the number of rows.
func (w *bare) run(b *testing.B, seeds schema.Name, where string) (rows int64) {
	for _, t := range w.tables {
		t.down.Clear()
		t.up.Clear()
		t.known.Clear()
	}
	if err := w.fetch(b.Context(), w.conns[0], w.tables[seeds], true, "SELECT * FROM "+w.tables[seeds].name+" WHERE "+where, nil); err != nil {
		b.Fatal(err)
	}
	w.failed = false
	g, ctx := errgroup.WithContext(b.Context())
	for _, c := range w.conns {
		g.Go(func() error { return w.work(ctx, c) })
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	for _, t := range w.tables {
		t.up.Or(&t.down)
		rows += int64(t.up.GetCardinality())
	}
	return rows
}

// work asks for what is pending until nothing is and nobody works.
func (w *bare) work(ctx context.Context, c *pgconn.PgConn) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.failed {
		t, column, down, keys := w.next()
		if keys == nil {
			if w.busy == 0 {
				w.wake.Broadcast()
				return nil
			}
			w.wake.Wait()
			continue
		}
		w.busy++
		w.mu.Unlock()
		err := w.fetch(ctx, c, t, down, "SELECT * FROM "+t.name+" WHERE "+column+" = ANY ($1::bigint[])", keys)
		w.mu.Lock()
		w.busy--
		w.wake.Broadcast()
		if err != nil {
			w.failed = true
			return err
		}
	}
	return nil
}

// next takes keys from the longest list.
func (w *bare) next() (table *bareTable, column string, down bool, keys []uint64) {
	var list *[]uint64
	for _, t := range w.tables {
		if len(t.parents) > 0 && (list == nil || len(t.parents) > len(*list)) {
			list, table, column, down = &t.parents, t, t.key, false
		}
		for _, e := range t.in {
			if len(e.pending) > 0 && (list == nil || len(e.pending) > len(*list)) {
				list, table, column, down = &e.pending, e.from, e.column, true
			}
		}
	}
	if list == nil {
		return nil, "", false, nil
	}
	n := min(len(*list), keysAtOnce)
	keys = slices.Clone((*list)[:n])
	*list = append((*list)[:0], (*list)[n:]...)
	return table, column, down, keys
}

// fetch runs one statement. Of each row it keeps the identity and the references.
func (w *bare) fetch(ctx context.Context, c *pgconn.PgConn, t *bareTable, down bool, sql string, keys []uint64) error {
	var params [][]byte
	if keys != nil {
		p := []byte{'{'}
		for i, k := range keys {
			if i > 0 {
				p = append(p, ',')
			}
			p = strconv.AppendUint(p, k, 10)
		}
		params = [][]byte{append(p, '}')}
	}
	const none = ^uint64(0)
	width := 1 + len(t.out)
	var got []uint64
	result := c.ExecParams(ctx, sql, params, nil, nil, nil)
	for result.NextRow() {
		row := result.Values()
		got = append(got, digits(row[t.id]))
		for _, e := range t.out {
			if row[e.at] == nil {
				got = append(got, none)
				continue
			}
			got = append(got, digits(row[e.at]))
		}
		if len(got) >= 10_000*width {
			w.mark(t, down, got, width, none)
			got = got[:0]
		}
	}
	_, err := result.Close()
	w.mark(t, down, got, width, none)
	return err
}

func (w *bare) mark(t *bareTable, down bool, got []uint64, width int, none uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ; len(got) > 0; got = got[width:] {
		id := got[0]
		fresh := !t.up.Contains(id) && !t.down.Contains(id)
		if down && t.down.CheckedAdd(id) {
			for _, e := range t.in {
				e.pending = append(e.pending, id)
			}
		}
		if !down {
			t.up.Add(id)
		}
		if !fresh {
			continue
		}
		for i, e := range t.out {
			if key := got[i+1]; key != none && !e.to.down.Contains(key) && e.to.known.CheckedAdd(key) {
				e.to.parents = append(e.to.parents, key)
			}
		}
	}
	w.wake.Broadcast()
}

func digits(text []byte) (n uint64) {
	for _, d := range text {
		n = n*10 + uint64(d-'0')
	}
	return n
}
