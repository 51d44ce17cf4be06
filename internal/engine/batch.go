package engine

import (
	"database/sql/driver"
	"runtime/debug"
)

// HugeBytes is the size from which a batch is huge. Batches are handed on when they are
// full, far below it: a huge one is a single row.
const HugeBytes = 8 << 20

// settleBytes is how much may be let go before the memory is given back: each time takes
// some milliseconds, and what comes next has to fetch it again.
const settleBytes = 64 << 20

// A Settler gives the memory of huge values back to the system now and then: the collector
// would let as much garbage come together as is in use. Its zero value is ready, for one
// goroutine.
type Settler struct{ letGo int }

// LetGo says that so many bytes were let go.
func (s *Settler) LetGo(bytes int) {
	if s.letGo += bytes; s.letGo >= settleBytes {
		s.letGo = 0
		debug.FreeOSMemory()
	}
}

// A Gatherer makes batches of the rows that a driver gives.
type Gatherer interface {
	// InHand is the batch in hand; nil for none.
	InHand() *Batch
	// Append adds a row to the batch in hand, or to a new one.
	Append(row []driver.Value) error
	// Flush hands the batch in hand on, if there is one.
	Flush() error
}

// emptyRows is how many rows without a column a batch holds.
const emptyRows = 4096

// Gather adds a row, and hands the batch on when it has so many bytes. A huge row is a
// batch of its own, handed on when what the driver gave is gone: the row is empty then.
func (s *Settler) Gather(g Gatherer, row []driver.Value, full int) error {
	size := 0
	for _, v := range row {
		switch v := v.(type) {
		case []byte:
			size += len(v)
		case string:
			size += len(v)
		}
	}
	if b := g.InHand(); b != nil && len(b.Raw)+size >= HugeBytes {
		if err := g.Flush(); err != nil {
			return err
		}
	}
	huge := size >= HugeBytes
	if huge {
		s.LetGo(size)
	}
	if err := g.Append(row); err != nil {
		return err
	}
	if huge {
		clear(row)
		s.LetGo(size)
	}
	if b := g.InHand(); huge || len(b.Raw) >= full || len(b.Raw) == 0 && b.Rows == emptyRows {
		return g.Flush()
	}
	return nil
}

// A Batch is a run of whole rows in the engine's own form, back to back in Raw.
// It belongs to whoever received it until Release.
type Batch struct {
	Rows int
	Raw  []byte
	// Cells are the looked-into values, row by row: Rows × len(Read.Look).
	Cells []Cell
	Form  Form
	// Free takes the batch back; nil where nothing is reused.
	Free func(*Batch)
}

// A Cell is the place of one value in Batch.Raw. Start and End bound the whole
// encoding of the value, so that a new encoding can stand in its place; bytes
// between cells are copied as they are.
type Cell struct {
	Start, End int
	Null       bool
}

// A Form encodes values as the engine's rows carry them. Column indexes are
// those of Read.Columns.
type Form interface {
	// Value gives the canonical text of an encoded value that is not NULL. The
	// result may alias raw or scratch and holds until either changes.
	Value(scratch, raw []byte, column int) []byte
	// Append encodes a value given as canonical text.
	Append(dst, value []byte, column int) []byte
	// AppendNull encodes NULL.
	AppendNull(dst []byte, column int) []byte
}

// A Replacer is a Form of an engine whose columns may hold one kind of value in
// several forms, as times in texts and in numbers.
type Replacer interface {
	// Replace encodes canonical text in the form that the encoded value old has.
	Replace(dst, value, old []byte, column int) []byte
	// Stored gives an encoded value that is not NULL as Side.Try takes it, so that
	// what is tried has the form that would be loaded.
	Stored(scratch, raw []byte, column int) []byte
}

// An Element appends what stands for one element of an array, given as
// canonical text, as canonical text; null where that is NULL.
type Element func(dst, value []byte) (out []byte, null bool, err error)

// Arrays is a Form of an engine whose columns can hold arrays; it serves the
// columns with schema.Column.Element.
type Arrays interface {
	// AppendArray appends the array that is the canonical text value, with each
	// element that is not NULL replaced. Dimensions, bounds and NULLs stay. On an
	// error, which is element's own unless the text is no array, dst is as it was.
	AppendArray(dst, value []byte, column int, element Element) ([]byte, error)
}

// Huge tells a batch of so many bytes that whoever waits with another one beside it
// would hold a multiple of them.
func (b *Batch) Huge() bool { return cap(b.Raw) >= HugeBytes }

// HandOn gives the batch to a consumer and tells whether he wants more. When he is done
// with a huge one, its memory is let go before the next is read.
func (b *Batch) HandOn(yield func(*Batch, error) bool, settler *Settler) bool {
	size := cap(b.Raw)
	more := yield(b, nil)
	if size >= HugeBytes {
		settler.LetGo(size)
	}
	return more
}

// Release gives the batch back to its maker. The caller uses it no more.
func (b *Batch) Release() {
	switch {
	case b.Huge():
		b.Raw, b.Cells = nil, nil
	case b.Free != nil:
		b.Free(b)
	}
}

// Tuples is a list of value tuples of one width, as canonical text. The zero
// value with a Width is empty and ready. It is not safe for concurrent change.
type Tuples struct {
	Width int
	data  []byte
	ends  []int // end of each value in data; negative-1 of the end for NULL
}

// Len counts the tuples.
func (t *Tuples) Len() int {
	if t.Width == 0 {
		return 0
	}
	return len(t.ends) / t.Width
}

// Bytes is the size of the values.
func (t *Tuples) Bytes() int { return len(t.data) }

// Add appends one value; the caller adds Width of them for a tuple. nil means NULL.
func (t *Tuples) Add(value []byte) {
	if value == nil {
		t.AddNull()
		return
	}
	t.AddValue(value)
}

// AddString is Add for a string.
func (t *Tuples) AddString(value string) {
	t.data = append(t.data, value...)
	t.ends = append(t.ends, len(t.data))
}

// AddValue is Add for bytes that are a value, be it the empty one that is nil.
func (t *Tuples) AddValue(value []byte) {
	t.data = append(t.data, value...)
	t.ends = append(t.ends, len(t.data))
}

// AddNull appends one NULL.
func (t *Tuples) AddNull() { t.ends = append(t.ends, -1-len(t.data)) }

// AddRow appends a tuple of another list of the same width. If neither has another one
// it is moved: a huge value is not copied, and other is empty then.
func (t *Tuples) AddRow(other *Tuples, row int) {
	if t.Len() == 0 && other.Len() == 1 {
		*t, *other = *other, *t
		return
	}
	for column := range t.Width {
		if value, ok := other.At(row, column); ok {
			t.AddValue(value)
		} else {
			t.AddNull()
		}
	}
}

// At gives a value; ok is false for NULL. The bytes are valid until Reset.
func (t *Tuples) At(row, column int) (value []byte, ok bool) {
	i := row*t.Width + column
	end := t.ends[i]
	if end < 0 {
		return nil, false
	}
	start := 0
	if i > 0 {
		if start = t.ends[i-1]; start < 0 {
			start = -1 - start
		}
	}
	if start == end {
		return []byte{}, true // nil would mean NULL to others
	}
	return t.data[start:end:end], true
}

// Reset empties t and keeps its memory, unless a huge value made it huge.
func (t *Tuples) Reset() {
	t.data, t.ends = t.data[:0], t.ends[:0]
	if cap(t.data) >= HugeBytes {
		t.data = nil
	}
}
