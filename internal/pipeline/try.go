package pipeline

import (
	"context"
	"fmt"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// contradictions finds loaded columns that hold values of another type than they
// declare, on engines where that can be. Such a column is undecided: its mask, or
// the reason to keep it, was chosen for the declared type.
func (s *Session) contradictions(ctx context.Context) ([]finding.Finding, error) {
	judge, ok := s.snapshot.(engine.Contradictor)
	if !ok {
		return nil, nil
	}
	var out []finding.Finding
	for _, shape := range s.work.shape.Tables {
		table := s.work.scope.Table(shape.Name)
		sel := s.work.selection.Find(shape.Name)
		if shape.Fate != plan.Copied || table == nil || sel == nil || sel.Count == 0 {
			continue // no value of it is loaded
		}
		bad, err := judge.Contradictions(ctx, table, shape.Columns)
		if err != nil {
			return out, Explain(err, "source")
		}
		for _, name := range bad {
			out = append(out, finding.Finding{Check: "type-contradicted", Severity: finding.Error, Code: int(fault.Undecided), Table: shape.Name.String(), Column: name,
				Message: fmt.Sprintf("%s.%s holds values that are not of its declared type, so its decision may miss what they are", shape.Name, schema.Ident(name)),
				Hint:    "mend the values in the source (typeof() finds them), or declare the type that the column holds"})
		}
	}
	return out, nil
}

// How many rows of each table are masked and tried in the plan, and how many
// bytes of them: they are held in memory, and a row can be huge.
const (
	trySample = 500
	tryBytes  = 4 << 20
)

// try masks a few rows of each table that has masks, or that the target holds
// in another shape, and asks the database that gives the structure whether it
// would take them. Nothing is written.
func (s *Session) try(ctx context.Context) ([]finding.Finding, error) {
	w := s.work
	var out []finding.Finding
	for _, shape := range w.shape.Tables {
		columns := w.masks[shape.Name]
		if shape.Fate != plan.Copied || w.scope.Table(shape.Name) == nil {
			continue
		}
		if len(columns) == 0 && (w.shape.FromSource || alike(w.source.Table(shape.Name), w.target.Table(shape.Target), shape.Columns)) {
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
		if w.shape.FromSource || alike(w.source.Table(shape.Name), table, shape.Columns) {
			rejections = slices.DeleteFunc(rejections, func(r engine.Rejection) bool { return heldBySource(table, columns, r) })
		}
		out = append(out, refused(shape.Name, columns, rejections, rows.Len())...)
	}
	return out, nil
}

// heldBySource tells whether a rejection is by a check that the source has too,
// over columns that no mask changes: the source's rows satisfy it, and where a
// trial says otherwise, the check reads other rows than its own.
func heldBySource(table *schema.Table, masked []maskedColumn, r engine.Rejection) bool {
	i := slices.IndexFunc(table.Checks, func(c schema.Check) bool { return r.Check != "" && c.Name == r.Check })
	return i >= 0 && !slices.ContainsFunc(table.Checks[i].Columns, func(name string) bool { return isMasked(masked, name) })
}

// alike tells whether two tables take the same values into the columns: what
// one holds, the other need not be asked about.
func alike(from, to *schema.Table, columns []string) bool {
	for _, name := range columns {
		a, b := from.Column(name), to.Column(name)
		if a.Type != b.Type || a.NotNull != b.NotNull || !slices.Equal(a.Labels, b.Labels) {
			return false
		}
	}
	return slices.EqualFunc(from.Checks, to.Checks, func(a, b schema.Check) bool { return a.Expr == b.Expr && a.Valid == b.Valid })
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
		read.Rows = spread(sel.Rows.ToArray(), trySample)
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
		if out.Bytes() > tryBytes {
			break
		}
	}
	return out, nil
}

// spread gives at most n of the rows, evenly distributed over all of them: rows
// that stand together were often written together and are alike.
func spread(rows []engine.RowID, n int) []engine.RowID {
	if len(rows) <= n {
		return rows
	}
	out := make([]engine.RowID, n)
	for i := range out {
		out[i] = rows[i*len(rows)/n]
	}
	return out
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
