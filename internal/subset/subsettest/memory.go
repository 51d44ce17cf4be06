// Package subsettest makes random schemas with random rows and random subsets of
// them, and computes a subset the slow way, for tests of the selection: over
// rows in memory, and over the same rows in a real database.
package subsettest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Memory is a snapshot of rows held in memory. A value is *string, nil for NULL.
// A condition is "COLUMN < NUMBER" or two of them, "(A) AND (B)"; an order is
// "COLUMN" or "COLUMN desc".
type Memory struct {
	// Rows are a table's rows in the order they were added; row i has identity IDs[i].
	Rows map[schema.Name][][]*string
	IDs  map[schema.Name][]engine.RowID
	// Chunk is the number of rows in a Found.
	Chunk int
	// Finds counts the calls.
	Finds atomic.Int64

	mu      sync.Mutex
	indexes map[string]map[string][]int
}

var _ engine.Snapshot = (*Memory)(nil)

// NewMemory makes a snapshot without rows.
func NewMemory() *Memory {
	return &Memory{Rows: map[schema.Name][][]*string{}, IDs: map[schema.Name][]engine.RowID{}, Chunk: 1000, indexes: map[string]map[string][]int{}}
}

// Add appends a row; its identity is made so that identities are neither dense nor ordered.
func (m *Memory) Add(t schema.Name, values ...*string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.indexes)
	m.Rows[t] = append(m.Rows[t], values)
	n := uint64(len(m.Rows[t]))
	m.IDs[t] = append(m.IDs[t], n%3<<48|n/100<<16|n%100)
}

// Value gives a value that is not NULL.
func Value(v any) *string {
	s := fmt.Sprint(v)
	return &s
}

func columnIndex(t *schema.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == name })
}

// comparable writes a value so that values the database holds equal are equal.
func comparable(c schema.Column, v string) string {
	if c.FoldCase {
		return strings.ToLower(v)
	}
	if c.Kind == schema.Decimal {
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	return v
}

func (m *Memory) index(t *schema.Table, by []string) map[string][]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := t.Name.String() + "|" + strings.Join(by, "|")
	if ix, ok := m.indexes[name]; ok {
		return ix
	}
	ix := map[string][]int{}
	for i, row := range m.Rows[t.Name] {
		if key, null := keyOf(t, by, row); !null {
			ix[key] = append(ix[key], i)
		}
	}
	m.indexes[name] = ix
	return ix
}

// keyOf writes the values of a row's columns so that equal keys are written
// alike; null tells that one is NULL.
func keyOf(t *schema.Table, by []string, row []*string) (key string, null bool) {
	var b strings.Builder
	for _, name := range by {
		at := columnIndex(t, name)
		if row[at] == nil {
			return "", true
		}
		fmt.Fprintf(&b, "%q", comparable(t.Columns[at], *row[at]))
	}
	return b.String(), false
}

func holds(t *schema.Table, row []*string, where string) bool {
	if where == "" {
		return true
	}
	if a, b, several := strings.Cut(where, ") AND ("); several {
		return holds(t, row, a[1:]) && holds(t, row, b[:len(b)-1])
	}
	column, bound, ok := strings.Cut(where, " < ")
	if !ok {
		panic("condition " + where)
	}
	v := row[columnIndex(t, column)]
	if v == nil {
		return false
	}
	a, _ := strconv.Atoi(*v)
	b, _ := strconv.Atoi(bound)
	return a < b
}

func (m *Memory) match(f engine.Find) []int {
	var out []int
	if f.Keys == nil {
		for i := range m.Rows[f.Table.Name] {
			out = append(out, i)
		}
	} else {
		ix := m.index(f.Table, f.By)
		seen := map[int]bool{}
		for k := range f.Keys.Len() {
			var key strings.Builder
			for j, b := range f.By {
				v, ok := f.Keys.At(k, j)
				if !ok {
					panic("a key is null")
				}
				fmt.Fprintf(&key, "%q", comparable(*f.Table.Column(b), string(v)))
			}
			for _, i := range ix[key.String()] {
				if !seen[i] {
					seen[i] = true
					out = append(out, i)
				}
			}
		}
	}
	rows := m.Rows[f.Table.Name]
	out = slices.DeleteFunc(out, func(i int) bool { return !holds(f.Table, rows[i], f.Where) })
	if f.Orphaned != nil {
		there := m.index(f.Orphaned.Table, f.Orphaned.Columns)
		out = slices.DeleteFunc(out, func(i int) bool {
			key, null := keyOf(f.Table, f.By, rows[i])
			return null || there[key] != nil
		})
	}
	if f.PerKey > 0 {
		m.order(f.Table, f.Order, out)
		taken := map[string]int64{}
		out = slices.DeleteFunc(out, func(i int) bool {
			key, _ := keyOf(f.Table, f.By, rows[i])
			taken[key]++
			return taken[key] > f.PerKey
		})
	} else if f.Order != "" {
		m.order(f.Table, f.Order, out)
	}
	return out
}

// order sorts rows of t by an order, if there is one, then by the key.
func (m *Memory) order(t *schema.Table, by string, rows []int) {
	columns := t.Identity().Columns
	by, falling := strings.CutSuffix(by, " desc")
	if by != "" {
		columns = append([]string{by}, columns...)
	}
	slices.SortFunc(rows, func(a, b int) int {
		for k, c := range columns {
			at := columnIndex(t, c)
			x, y := m.Rows[t.Name][a][at], m.Rows[t.Name][b][at]
			d := cmp.Compare(*x, *y)
			if t.Columns[at].Kind == schema.Integer {
				i, _ := strconv.Atoi(*x)
				j, _ := strconv.Atoi(*y)
				d = cmp.Compare(i, j)
			}
			if k == 0 && falling {
				d = -d
			}
			if d != 0 {
				return d
			}
		}
		return 0
	})
}

// Find implements engine.Snapshot.
func (m *Memory) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		m.Finds.Add(1)
		rows := m.match(f)
		at := make([]int, len(f.Columns))
		for i, c := range f.Columns {
			at[i] = columnIndex(f.Table, c)
		}
		for len(rows) > 0 {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			n := min(m.Chunk, len(rows))
			found := &engine.Found{Values: engine.Tuples{Width: len(f.Columns) + len(f.Tests)}}
			for _, i := range rows[:n] {
				found.IDs = append(found.IDs, m.IDs[f.Table.Name][i])
				for _, c := range at {
					if v := m.Rows[f.Table.Name][i][c]; v == nil {
						found.Values.AddNull()
					} else {
						found.Values.AddString(*v)
					}
				}
				for _, test := range f.Tests {
					found.Values.AddString(fmt.Sprint(holds(f.Table, m.Rows[f.Table.Name][i], test)))
				}
			}
			if !yield(found, nil) {
				return
			}
			rows = rows[n:]
		}
	}
}

// Combining is a Memory that looks for rows by several keys at once.
type Combining struct{ *Memory }

// FindAny implements engine.Combiner; rows that two Finds describe come twice.
func (c Combining) FindAny(ctx context.Context, finds []engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		for _, f := range finds {
			for found, err := range c.Find(ctx, f) {
				if !yield(found, err) {
					return
				}
			}
		}
	}
}

// Read implements engine.Snapshot; the selection never reads rows.
func (m *Memory) Read(context.Context, engine.Read) iter.Seq2[*engine.Batch, error] {
	panic("rows are not read here")
}

// Structure implements engine.Snapshot.
func (m *Memory) Structure() engine.Structure { return nil }

// Close implements engine.Snapshot.
func (m *Memory) Close() error { return nil }

// Sample is a sampling function without secrets.
func Sample(t schema.Name) func([]byte) uint64 {
	return func(v []byte) uint64 {
		h := uint64(14695981039346656037)
		for _, b := range append([]byte(t.String()+"|"), v...) {
			h = (h ^ uint64(b)) * 1099511628211
		}
		// FNV leaves the high bits of short inputs alike; mix them.
		h ^= h >> 33
		h *= 0xff51afd7ed558ccd
		h ^= h >> 33
		h *= 0xc4ceb9fe1a85ec53
		return h ^ h>>33
	}
}
