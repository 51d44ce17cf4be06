package pipeline

import (
	"bytes"
	"fmt"
	"iter"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// maskedColumn is one column that a rewriter looks into.
type maskedColumn struct {
	name  string
	index int // in Read.Columns
	mask  *mask.Mask
}

// columnCount is what a rewriter counted in one column.
type columnCount struct {
	Values int64 // that were not NULL in the source
	Nulls  int64 // in the source
	Same   int64 // fakes that equal their original
	Made   int64 // NULLs that the mask made
}

// rewriter replaces the values of masked columns inside batches of one table.
// It serves one goroutine. Its output buffer changes places with each batch's,
// so that a steady stream allocates nothing.
type rewriter struct {
	table    schema.Name
	columns  []maskedColumn
	workers  []*mask.Worker
	counts   []columnCount
	digester *mask.Digester
	rows     int64
	out      []byte
	scratch  []byte
	fake     []byte
}

func newRewriter(table schema.Name, columns []maskedColumn, key mask.Key) *rewriter {
	r := &rewriter{table: table, columns: columns, counts: make([]columnCount, len(columns)), digester: key.Digester()}
	for _, c := range columns {
		r.workers = append(r.workers, c.mask.Worker())
	}
	return r
}

// look gives the indexes for engine.Read.Look.
func (r *rewriter) look() []int {
	out := make([]int, len(r.columns))
	for i, c := range r.columns {
		out[i] = c.index
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
		cells := b.Cells[row*width : (row+1)*width]
		for i, cell := range cells {
			count := &r.counts[i]
			if cell.Null {
				count.Nulls++
				r.digester.Null()
				continue
			}
			count.Values++
			out = append(out, raw[at:cell.Start]...)
			at = cell.End
			column := r.columns[i].index
			value := b.Form.Value(r.scratch[:0], raw[cell.Start:cell.End], column)
			fake, null, err := r.workers[i].Append(r.fake[:0], value)
			if err != nil {
				return r.unmaskable(i, err)
			}
			r.fake = fake[:0]
			if null {
				count.Made++
				r.digester.Null()
				out = b.Form.AppendNull(out, column)
				continue
			}
			if bytes.Equal(fake, value) {
				count.Same++
			}
			r.digester.Value(fake)
			out = b.Form.Append(out, fake, column)
		}
		r.digester.EndRow()
	}
	out = append(out, raw[at:]...)
	b.Raw, r.out = out, raw[:0]
	return nil
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
