package pipeline

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/plan"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// maskedColumn is one column that a rewriter looks into.
type maskedColumn struct {
	name  string
	index int            // in Read.Columns
	there *schema.Column // as the target has it; nil for a kept column
	// mask is nil for documents that are masked by path, and for a kept column of
	// which orphans become NULL.
	mask *mask.Mask
	// rounded: the target may store a time less exactly than the fake is.
	rounded bool
	// each: the mask takes the elements of arrays one by one.
	each     bool
	document *documentMask
	// made is the decision and the limits that the mask was made with, as JSON.
	made []byte
}

// withNulled adds to a table's masked columns those that only orphans lose.
// all are the columns that are read.
func withNulled(masked []maskedColumn, all []string, sel *subset.Table) []maskedColumn {
	out := slices.Clone(masked)
	if sel == nil {
		return out
	}
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

// columnCount is what a rewriter counted in one column.
type columnCount struct {
	Nulls     int64 // in the source
	Made      int64 // NULLs that the mask made
	Nullified int64 // values that led to no row
}

// rewriter replaces the values of masked columns inside batches of one table.
// It serves one goroutine at a time. Its output buffer changes places with each batch's,
// so that a steady stream allocates nothing.
type rewriter struct {
	table    schema.Name
	columns  []maskedColumn
	makers   []maker
	counts   []*columnCount
	digester *mask.Digester
	row      []byte // the masked values of a row, for the digest
	telling  []bool // by column: the digest takes it in
	nulled   []bool // by column: it leads nowhere in the rows at hand
	rows     int64
	failed   []error // by column: why its mask did not take a value; nil: the first one ends the reading
	out      []byte
	scratch  []byte
	fake     []byte
}

func newRewriter(table schema.Name, columns []maskedColumn, key mask.Key) *rewriter {
	r := &rewriter{table: table, columns: columns, digester: key.Digester(table.Table)}
	for _, c := range columns {
		r.counts = append(r.counts, &columnCount{})
		r.makers = append(r.makers, c.maker())
		r.telling = append(r.telling, c.telling())
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
	for _, c := range r.columns {
		if c.unlooked() {
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
			if r.makers[i] == nil && !r.nulled[i] {
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
	for _, kept := range []*[]byte{&r.out, &r.row, &r.fake, &r.scratch} {
		if cap(*kept) >= engine.HugeBytes {
			*kept = nil
		}
	}
	return nil
}

// cell appends the fake of one value that is not NULL.
func (r *rewriter) cell(out []byte, i int, form engine.Form, raw []byte) ([]byte, error) {
	c, count := &r.columns[i], r.counts[i]
	if need := len(raw) + 32; cap(r.scratch) < min(need, engine.HugeBytes/4) { // for a number's text, or what an escape stands for
		r.scratch = make([]byte, 0, 2*min(need, engine.HugeBytes/4)) // a huge value, if it is not its own text, makes its own room
	}
	if len(raw) >= engine.HugeBytes && !r.columns[i].blind() {
		r.fake = slices.Grow(r.fake[:0], len(raw)) // growing bit by bit would take twice as much
	}
	value := form.Value(r.scratch[:0], raw, c.index)
	fake, null, err := r.makers[i].fake(r.fake[:0], value, form)
	if err != nil {
		return out, r.unmaskable(i, err)
	}
	r.fake = fake[:0]
	if null {
		count.Made++
		r.digest(i, nil, true)
		return form.AppendNull(out, c.index), nil
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

// digest takes a masked value into its row's digest, where it tells.
func (r *rewriter) digest(i int, fake []byte, null bool) {
	switch {
	case !r.telling[i]:
	case null:
		r.row = mask.AppendPart(r.row, nil, true)
	default:
		r.row = mask.AppendPart(r.row, r.makers[i].told(fake), false)
	}
}

func (r *rewriter) unmaskable(i int, err error) error {
	c := r.columns[i]
	name := r.table.String() + "." + schema.Ident(c.name)
	f := fault.New(fault.Usage, "unmaskable", "choose another mask for this column; `understudy rules explain "+name+"` shows the rule",
		"a value of %s cannot be masked: %s", name, err)
	var syntax *jsondoc.SyntaxError
	switch {
	case errors.As(err, &syntax):
		f = fault.New(fault.Undecided, "not-json", "mend the value in the source, or mask the column as a whole, for instance with `mask: redact`",
			"%s is decided by paths, and a value of it is no JSON document: %s", name, syntax)
	case errors.Is(err, errUnnamed):
		found := r.undecidedPaths(i)
		return (&fault.Error{Code: fault.Undecided, Findings: found}).Because(err)
	}
	f.Findings[0].Table, f.Findings[0].Column = r.table.String(), c.name
	return f.Because(err)
}

// undecidedPaths tells where column i has values that no path names and that
// stop the run. Names and values stay untold: only named paths are printed.
func (r *rewriter) undecidedPaths(i int) []finding.Finding {
	m := documentMakerOf(r.makers[i])
	if m == nil || !m.stop {
		return nil
	}
	c := r.columns[i]
	var out []finding.Finding
	for _, u := range m.walker.Unnamed() {
		out = append(out, finding.Finding{Check: "undecided-path", Severity: finding.Error, Code: int(fault.Undecided), Table: r.table.String(), Column: c.name,
			Message: fmt.Sprintf("no path of %s.%s names what is right under %s (values met: %d in %d documents), and its rule says `others: stop`", r.table, schema.Ident(c.name), u.Under, u.Values, m.documents),
			Hint:    "name their paths under json, or write `others: redact` or `others: drop`"})
	}
	return out
}

// beLenient has what would stop the run remembered for each column, so that a trial
// finds all of it: what no path names, and values that a mask does not take.
func (r *rewriter) beLenient() {
	r.failed = make([]error, len(r.columns))
	for _, m := range r.makers {
		if d := documentMakerOf(m); d != nil {
			d.lenient = true
		}
		if v, ok := m.(*valueMaker); ok && (v.mask.Kind().Name == "regex" || v.mask.Kind().Name == "template") {
			v.met = &meeting{map[string]struct{}{}, map[string]struct{}{}}
		}
	}
}

// failures tells of every column with a value that its mask did not take; nil if
// there is none.
func (r *rewriter) failures() error {
	var out []finding.Finding
	for i, err := range r.failed {
		if err != nil {
			out = append(out, fault.FindingsOf(r.unmaskable(i, err))...)
		}
	}
	return fault.From(out, fault.Usage)
}

// unmaskables gives what failures told; nil for any other error.
func unmaskables(err error) []finding.Finding {
	var f *fault.Error
	if !errors.As(err, &f) || slices.ContainsFunc(f.Findings, func(f finding.Finding) bool { return !isUnmaskable(f) }) {
		return nil
	}
	return f.Findings
}

func isUnmaskable(f finding.Finding) bool { return f.Check == "unmaskable" || f.Check == "not-json" }

// countPaths writes down how often each path was met, and what no path names,
// into the lines of the table's columns.
func (r *rewriter) countPaths(lines []plan.Mask) {
	for i, m := range r.makers {
		d := documentMakerOf(m)
		if d == nil {
			continue
		}
		for k := range lines {
			if line := &lines[k]; line.Table == r.table && line.Column == r.columns[i].name {
				line.Documents, line.Unnamed = d.documents, []plan.Unnamed{}
				for _, u := range d.walker.Unnamed() {
					line.Unnamed = append(line.Unnamed, plan.Unnamed{Under: u.Under.String(), Values: u.Values})
				}
				for j := range line.Paths {
					path, _ := jsondoc.ParsePath(line.Paths[j].Path) // as it was written by String
					line.Paths[j].Values = d.walker.Met(path)
				}
			}
		}
	}
}

// readAhead pulls from in on a goroutine of its own, at most depth items ahead
// of the consumer, so that reading and writing overlap. When the consumer stops
// early it waits until the goroutine has let go of in. Beside a huge batch nothing is
// read: of those there is one at a time.
func readAhead(in iter.Seq2[*engine.Batch, error], depth int) iter.Seq2[*engine.Batch, error] {
	type item struct {
		batch *engine.Batch
		err   error
	}
	return func(yield func(*engine.Batch, error) bool) {
		items, stop, done := make(chan item, depth), make(chan struct{}), make(chan struct{})
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
				huge := err == nil && b.Huge()
				select {
				case items <- item{b, err}:
				case <-stop:
					return
				}
				if err != nil {
					return
				}
				if huge {
					select {
					case <-done:
					case <-stop:
						return
					}
				}
			}
		}()
		defer func() {
			close(stop)
			for range items { // until the reader has ended
			}
		}()
		for it := range items {
			huge := it.err == nil && it.batch.Huge()
			if !yield(it.batch, it.err) {
				return
			}
			if huge {
				done <- struct{}{}
			}
		}
	}
}
