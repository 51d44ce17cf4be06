package pipeline

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/mask"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// maskedColumn is one column that a rewriter looks into.
type maskedColumn struct {
	name  string
	index int            // in Read.Columns
	there *schema.Column // as the target has it; nil for a kept column
	mask  *mask.Mask     // nil for a kept column, of which orphans become NULL
}

// withNulled adds to a table's masked columns those that only orphans lose.
// all are the columns that are read.
func withNulled(masked []maskedColumn, all []string, sel *subset.Table) []maskedColumn {
	out := slices.Clone(masked)
	for _, n := range sel.Nulls {
		for _, name := range n.Columns {
			if i := slices.Index(all, name); i >= 0 && !isMasked(out, name) {
				out = append(out, maskedColumn{name: name, index: i})
			}
		}
	}
	slices.SortFunc(out, func(a, b maskedColumn) int { return a.index - b.index })
	return out
}

// columnCount is what a rewriter counted in one column. All rows of one value
// share its fate, so equality of fake and original is judged over values seen
// for the first time; a bitmap of hashes makes that a sample of up to 65,536 of them.
type columnCount struct {
	Nulls     int64   // in the source
	Made      int64   // NULLs that the mask made
	Nullified int64   // values that led to no row
	Distinct  int64   // values judged
	Same      int64   // of these, fakes that equal their original
	Expected  float64 // of these, as many as chance alone makes equal, on average
	seen      [1 << 16 / 64]uint64
}

// first tells whether a value is seen for the first time. Values whose hashes
// meet count as one.
func (c *columnCount) first(value []byte) bool {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range value {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h ^= h >> 32
	bit := uint64(1) << (h & 63)
	word := &c.seen[h>>6&(1<<10-1)]
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// rewriter replaces the values of masked columns inside batches of one table.
// It serves one goroutine. Its output buffer changes places with each batch's,
// so that a steady stream allocates nothing.
type rewriter struct {
	table    schema.Name
	columns  []maskedColumn
	workers  []*mask.Worker
	counts   []*columnCount
	digester *mask.Digester
	row      []byte // the masked values of a row, for the digest
	telling  []bool // by column: the fake depends on the value, so the digest takes it in
	nulled   []bool // by column: it leads nowhere in the rows at hand
	normal   []byte // a number as the digest takes it
	rows     int64
	out      []byte
	scratch  []byte
	fake     []byte
}

func newRewriter(table schema.Name, columns []maskedColumn, key mask.Key) *rewriter {
	r := &rewriter{table: table, columns: columns, digester: key.Digester(table.Table)}
	for _, c := range columns {
		r.counts = append(r.counts, &columnCount{})
		if c.mask == nil {
			r.workers, r.telling = append(r.workers, nil), append(r.telling, false)
			continue
		}
		r.workers = append(r.workers, c.mask.Worker())
		r.telling = append(r.telling, !blind(c.mask))
	}
	r.nulled = make([]bool, len(columns))
	return r
}

// nullify says which columns become NULL in all rows from now on.
func (r *rewriter) nullify(names []string) {
	for i, c := range r.columns {
		r.nulled[i] = slices.Contains(names, c.name)
	}
}

// look gives the indexes for engine.Read.Look.
func (r *rewriter) look() []int {
	out := make([]int, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.index
	}
	return out
}

// unseen gives the indexes for engine.Read.Blind.
func (r *rewriter) unseen() []int {
	var out []int
	for i, c := range r.columns {
		if !r.telling[i] {
			out = append(out, c.index)
		}
	}
	return out
}

// rewrite masks a batch in place.
func (r *rewriter) rewrite(b *engine.Batch) error {
	r.rows += int64(b.Rows)
	width := len(r.columns)
	if width == 0 {
		return nil
	}
	if len(b.Cells) != b.Rows*width {
		return fmt.Errorf("mask %s: %d cells for %d rows of %d masked columns", r.table, len(b.Cells), b.Rows, width)
	}
	out, raw, at := r.out[:0], b.Raw, 0
	for row := 0; row < b.Rows; row++ {
		r.row = r.row[:0]
		for i, cell := range b.Cells[row*width : (row+1)*width] {
			if cell.Null {
				r.counts[i].Nulls++
				r.digest(i, nil, true)
				continue
			}
			if r.columns[i].mask == nil && !r.nulled[i] {
				continue
			}
			out = append(out, raw[at:cell.Start]...)
			at = cell.End
			if r.nulled[i] {
				r.counts[i].Nullified++
				r.digest(i, nil, true)
				out = b.Form.AppendNull(out, r.columns[i].index)
				continue
			}
			var err error
			if out, err = r.cell(out, i, b.Form, raw[cell.Start:cell.End]); err != nil {
				return err
			}
		}
		r.digester.AddRow(r.row)
	}
	out = append(out, raw[at:]...)
	b.Raw, r.out = out, raw[:0]
	return nil
}

// cell appends the fake of one value that is not NULL.
func (r *rewriter) cell(out []byte, i int, form engine.Form, raw []byte) ([]byte, error) {
	c, count := &r.columns[i], r.counts[i]
	if need := len(raw) + 32; cap(r.scratch) < need { // for a number's text, or what an escape stands for
		r.scratch = make([]byte, 0, 2*need)
	}
	value := form.Value(r.scratch[:0], raw, c.index)
	fake, null, err := r.workers[i].Append(r.fake[:0], value)
	if err != nil {
		return out, r.unmaskable(i, err)
	}
	r.fake = fake[:0]
	if null {
		count.Made++
		r.digest(i, nil, true)
		return form.AppendNull(out, c.index), nil
	}
	if count.first(value) && !c.mask.Keeps(value) {
		count.Distinct++
		count.Expected += c.mask.ChanceOf(value)
		if bytes.Equal(fake, value) {
			count.Same++
		}
	}
	if like, ok := form.(engine.Replacer); ok {
		start := len(out)
		out = like.Replace(out, fake, raw, c.index)
		if r.telling[i] {
			r.digest(i, form.Value(r.scratch[:0], out[start:], c.index), false) // as it will be read back
		}
		return out, nil
	}
	r.digest(i, fake, false)
	return form.Append(out, fake, c.index), nil
}

// blind tells a mask whose fake does not depend on the value: constants.
func blind(m *mask.Mask) bool { return m.Chance() >= 1 }

// digest takes a masked value into its row's digest. Constants are left out:
// they tell nothing, and a database may write them in another way (0 as 0.00).
func (r *rewriter) digest(i int, fake []byte, null bool) {
	if r.telling[i] {
		r.normal = digestible(r.normal[:0], fake, r.columns[i].there)
		r.row = mask.AppendPart(r.row, r.normal, null)
	}
}

// digestible appends a value as a digest takes it: without trailing spaces, which
// fixed-length text columns add and drop; numbers in normal form, since
// databases write 1e+06 or 1000000.00 for 1000000.
func digestible(dst, value []byte, c *schema.Column) []byte {
	switch {
	case c != nil && c.Kind == schema.Decimal:
		return mask.AppendStored(dst, value, c.Type)
	case c != nil && c.Kind == schema.Integer:
		return mask.AppendNormal(dst, value)
	}
	return append(dst, bytes.TrimRight(value, " ")...)
}

func (r *rewriter) unmaskable(i int, err error) error {
	c := r.columns[i]
	f := fault.New(fault.Usage, "unmaskable", "choose another mask for this column; `understudy rules explain "+r.table.String()+"."+schema.Ident(c.name)+"` shows the rule",
		"a value of %s.%s cannot be masked: %s", r.table, schema.Ident(c.name), err)
	f.Findings[0].Table, f.Findings[0].Column = r.table.String(), c.name
	return f.Because(err)
}

// masked gives the sequence with every batch rewritten.
func (r *rewriter) masked(in iter.Seq2[*engine.Batch, error]) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		for b, err := range in {
			if err == nil {
				err = r.rewrite(b)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// readAhead pulls from in on a goroutine of its own, at most depth items ahead
// of the consumer, so that reading and writing overlap. When the consumer stops
// early it waits until the goroutine has let go of in.
func readAhead(in iter.Seq2[*engine.Batch, error], depth int) iter.Seq2[*engine.Batch, error] {
	type item struct {
		batch *engine.Batch
		err   error
	}
	return func(yield func(*engine.Batch, error) bool) {
		items, stop := make(chan item, depth), make(chan struct{})
		go func() {
			defer close(items)
			defer func() {
				if r := recover(); r != nil {
					select {
					case items <- item{nil, fault.Panicked()}:
					case <-stop:
					}
				}
			}()
			for b, err := range in {
				select {
				case items <- item{b, err}:
				case <-stop:
					return
				}
				if err != nil {
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range items { // until the reader has ended
			}
		}()
		for it := range items {
			if !yield(it.batch, it.err) {
				return
			}
		}
	}
}
