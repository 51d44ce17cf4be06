package pipeline

import (
	"context"
	"fmt"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// trySample is how many rows of each table are masked and tried in the plan.
const trySample = 200

// try masks a few rows of each table that has masks and asks the database that
// gives the structure whether it would take them. Nothing is written.
func (s *Session) try(ctx context.Context) ([]finding.Finding, error) {
	w := s.work
	var out []finding.Finding
	for _, shape := range w.shape.Tables {
		columns := w.masks[shape.Name]
		if shape.Fate != plan.Copied || len(columns) == 0 || w.scope.Table(shape.Name) == nil {
			continue
		}
		rows, err := s.sample(ctx, shape, columns)
		if err != nil {
			return out, err
		}
		if rows.Len() == 0 {
			continue
		}
		var side engine.Side = s.target
		table := w.target.Table(shape.Target)
		if w.shape.FromSource {
			side, table = s.source, w.source.Table(shape.Name)
		}
		rejections, err := side.Try(ctx, table, shape.Columns, rows)
		if err != nil {
			return out, Explain(err, "target")
		}
		out = append(out, refused(shape.Name, columns, rejections, rows.Len())...)
	}
	return out, nil
}

// refused tells what a trial found. A rejection that no mask has a part in is a
// warning: the row is production's own.
func refused(table schema.Name, masked []maskedColumn, rs []engine.Rejection, tried int) []finding.Finding {
	var out []finding.Finding
	for _, r := range rs {
		f := finding.Finding{Check: "fake-refused", Severity: finding.Error, Code: int(fault.Usage), Table: table.String(), Column: r.Column,
			Hint: "choose a mask or parameters whose fakes satisfy it; `understudy rules explain` shows the rule"}
		what := r.Reason
		if r.Check != "" {
			what = fmt.Sprintf("check %s: %s", schema.Ident(r.Check), r.Reason)
		}
		f.Message = fmt.Sprintf("%d of %d masked rows would be refused: %s", r.Rows, tried, what)
		if r.Column != "" && !isMasked(masked, r.Column) {
			f.Check, f.Hint = "row-refused", "the target is stricter than production here: loosen it, or mend the data"
			f.Message = fmt.Sprintf("%d of %d rows would be refused: %s", r.Rows, tried, what)
		}
		out = append(out, f)
	}
	return out
}

func isMasked(columns []maskedColumn, name string) bool {
	for _, c := range columns {
		if c.name == name {
			return true
		}
	}
	return false
}

// sample reads a few of the selected rows and masks them, in memory.
func (s *Session) sample(ctx context.Context, shape plan.TableShape, columns []maskedColumn) (*engine.Tuples, error) {
	out := &engine.Tuples{Width: len(shape.Columns)}
	sel := s.work.selection.Find(shape.Name)
	if sel == nil || sel.Count == 0 {
		return out, nil
	}
	read := engine.Read{Table: s.work.scope.Table(shape.Name), Columns: shape.Columns, Limit: trySample}
	if !sel.Whole {
		it := sel.Rows.Iterator()
		for it.HasNext() && len(read.Rows) < trySample {
			read.Rows = append(read.Rows, it.Next())
		}
	}
	for i := range shape.Columns {
		read.Look = append(read.Look, i)
	}
	r := newRewriter(shape.Name, columns, s.in.Key)
	for b, err := range s.snapshot.Read(ctx, read) {
		if err != nil {
			return nil, Explain(err, "source")
		}
		err = r.tuples(b, len(shape.Columns), out)
		b.Release()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tuples appends the rows of a batch whose every column was looked into, masked.
func (r *rewriter) tuples(b *engine.Batch, width int, out *engine.Tuples) error {
	at := map[int]int{}
	for i, c := range r.columns {
		at[c.index] = i
	}
	for row := 0; row < b.Rows; row++ {
		for column, cell := range b.Cells[row*width : (row+1)*width] {
			if cell.Null {
				out.AddNull()
				continue
			}
			value := b.Form.Value(nil, b.Raw[cell.Start:cell.End], column)
			if i, ok := at[column]; ok {
				fake, null, err := r.workers[i].Append(nil, value)
				switch {
				case err != nil:
					return r.unmaskable(i, err)
				case null:
					out.AddNull()
					continue
				}
				value = fake
			}
			out.AddString(string(value))
		}
	}
	return nil
}
