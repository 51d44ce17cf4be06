package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/check"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
	"understudy/internal/subset"
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
		kept, looked := s.lookedInto(shape)
		bad, err := judge.Contradictions(ctx, table, kept, looked)
		if err != nil {
			return out, Explain(err, "source")
		}
		for _, name := range bad {
			out = append(out, finding.Finding{Check: "type-contradicted", Severity: finding.Error, Code: int(fault.Undecided), Table: shape.Name.String(), Column: name,
				Message: fmt.Sprintf("%s.%s holds values that are not of its declared type, so its decision may miss what they are", shape.Name, schema.Ident(name)),
				Hint:    "give the column `nullify` or `constant`, which look at no value; or mend the values in the source (typeof() finds them)"})
		}
	}
	return out, nil
}

// lookedInto parts the loaded columns of a table: those that are kept, and those
// whose masks look into the values. The rest is replaced whatever it holds.
func (s *Session) lookedInto(shape plan.TableShape) (kept, looked []string) {
	masked := map[string]bool{}
	for _, c := range s.work.masks[shape.Name] {
		masked[c.name] = true
		if !c.unlooked() {
			looked = append(looked, c.name)
		}
	}
	for _, name := range shape.Columns {
		if !masked[name] {
			kept = append(kept, name)
		}
	}
	return kept, looked
}

// How many rows of each table are masked and tried in the plan, and how many
// bytes of them at a time: they are held in memory, and a row can be huge.
const (
	trySample = 500
	tryBytes  = 4 << 20
	// tryRows is how many rows are tried where the target takes less than production holds,
	// and where it judges what masks change: few rows may be those that it refuses.
	tryRows = 100_000
	// tryRefused is how many refused rows for one reason end a trial.
	tryRefused = 1000
)

// try masks rows of each table that has masks, or that the target holds in
// another shape, and asks the database that gives the structure whether it
// would take them: a sample of what masks change, and all rows, up to a limit
// that is told, where only the target demands something. Nothing is written.
func (s *Session) try(ctx context.Context) ([]finding.Finding, error) {
	w := s.work
	var out []finding.Finding
	for i := range w.shape.Tables {
		shape := &w.shape.Tables[i]
		if shape.Fate != plan.Copied || w.scope.Table(shape.Name) == nil || w.contradicted[shape.Name.String()] {
			continue
		}
		t := trial{shape: shape, masks: withNulled(w.masks[shape.Name], shape.Columns, w.selection.Find(shape.Name)), side: s.target, table: w.target.Table(shape.Target), most: trySample}
		from := w.source.Table(shape.Name)
		t.same = w.shape.FromSource
		if w.shape.FromSource {
			t.side, t.table = s.source, from
		} else if t.same = alike(from, t.table, shape.Columns); !t.same && demandsMore(from, t.table, shape.Columns) {
			t.most = tryRows
		}
		if t.same && len(t.masks) == 0 {
			continue
		}
		columns := judged(t.table, t.masks, shape.Columns)
		if columns != nil && t.most == trySample {
			t.most, t.judges = tryRows, true
		}
		if t.columns = shape.Columns; t.same { // what is kept and stands apart, the source's rows prove
			t.columns = slices.DeleteFunc(slices.Clone(shape.Columns), func(name string) bool { return !isMasked(t.masks, name) && !slices.Contains(columns, name) })
		}
		if err := s.tryTable(ctx, &t); err != nil {
			if t.unmasked = unmaskables(err); t.unmasked == nil {
				return out, err
			}
		}
		told := t.findings()
		out = append(out, told...)
		if len(told) == 0 && t.triedAll(w.selection.Find(shape.Name)) { // every value that will be written is known to fit
			w.plan.Findings = slices.DeleteFunc(w.plan.Findings, func(f finding.Finding) bool {
				return f.Check == "column-narrower" && f.Table == shape.Name.String()
			})
		}
	}
	for _, look := range []func(context.Context, []finding.Finding) ([]finding.Finding, error){s.derived, s.stricter} {
		more, err := look(ctx, out)
		if out = addNew(out, more); err != nil {
			return out, err
		}
	}
	return out, nil
}

// judged gives the columns that have to be tried together because the table has something
// to say of masked ones beside their types: checks, what it computes of them, partitions.
// None where it has not.
func judged(table *schema.Table, masks []maskedColumn, all []string) []string {
	if len(masks) == 0 {
		return nil
	}
	if len(table.Partitions) > 0 {
		return all
	}
	read := map[string]bool{}
	take := func(names []string) {
		if slices.ContainsFunc(names, func(name string) bool { return isMasked(masks, name) }) {
			for _, name := range names {
				read[name] = true
			}
		}
	}
	for _, k := range table.Checks {
		if take(k.Columns); slices.ContainsFunc(k.Columns, func(name string) bool { return !slices.Contains(all, name) }) {
			return all // of a generated column
		}
	}
	for _, text := range table.Computed {
		names := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !strings.Contains(text, name) })
		if take(names); len(names) == 0 || strings.Contains(text, ".*") {
			return all // of the row as a whole
		}
	}
	if len(read) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return !read[name] })
}

// tablesOf gives the tables, as findings name them, of which any is told.
func tablesOf(found []finding.Finding) map[string]bool {
	out := map[string]bool{}
	for _, f := range found {
		out[f.Table] = true
	}
	return out
}

// refusedAmong gives the first of the columns whose values were refused: nothing can
// be told of what is made of them. "" if none was.
func refusedAmong(found []finding.Finding, table schema.Name, columns []string) string {
	for _, f := range found {
		if f.Code != 0 && f.Table == table.String() && slices.Contains(columns, f.Column) {
			return f.Column
		}
	}
	return ""
}

// addNew adds findings, of columns with values that no mask takes only those that
// are not there yet: more than one reading meets them.
func addNew(out, more []finding.Finding) []finding.Finding {
	for _, f := range more {
		if !isUnmaskable(f) || !slices.ContainsFunc(out, func(have finding.Finding) bool {
			return have.Check == f.Check && have.Table == f.Table && have.Column == f.Column
		}) {
			out = append(out, f)
		}
	}
	return out
}

// A trial is one table under trial.
type trial struct {
	shape   *plan.TableShape
	masks   []maskedColumn
	side    engine.Side   // whose table would take the rows
	table   *schema.Table // of side
	same    bool          // it takes what the source's table takes
	most    int           // rows to try
	columns []string      // to try, in the order of shape.Columns

	judges bool // so many because the table judges masked columns by more than their types

	nulled    bool // orphans that are nullified are among the rows
	tried     int
	all       bool // no row was left out
	refused   []engine.Rejection
	undecided []finding.Finding // what no path of documents names
	unmasked  []finding.Finding // columns with values that their masks do not take
}

func (s *Session) tryTable(ctx context.Context, t *trial) error {
	sel := s.work.selection.Find(t.shape.Name)
	if sel == nil || sel.Count == 0 {
		return nil
	}
	t.nulled = len(sel.Nulls) > 0
	parts, atOnce := sel.Parts(), trySample
	if t.most > trySample {
		atOnce = 4 * trySample // so many statements cost more than the rows
	}
	for i := range parts {
		most := t.most
		if len(parts[i].Null) > 0 { // what is nullified comes first, and leaves room for the others
			most = max(1, t.most/(2*len(parts)))
		}
		if parts[i].Rows != nil {
			parts[i].Rows = spread(parts[i].Rows, most)
		}
	}
	chunk := &engine.Tuples{Width: len(t.columns)}
	ask := func() error {
		if chunk.Len() == 0 {
			return nil
		}
		found, err := t.side.Try(ctx, t.table, t.columns, chunk)
		if err != nil {
			return Explain(err, "target")
		}
		t.tried += chunk.Len()
		t.add(found)
		chunk.Reset()
		return nil
	}
	r, err := s.masked(ctx, t.shape, t.columns, parts, t.most, func(batch *engine.Tuples) error {
		for row := range batch.Len() {
			chunk.AddRow(batch, row)
			full := chunk.Len() == atOnce || chunk.Bytes() > tryBytes
			if full {
				if err := ask(); err != nil {
					return err
				}
			}
			if t.tried+chunk.Len() >= t.most || full && (t.most == trySample || t.plenty()) {
				return errEnough
			}
		}
		return nil
	})
	failed := unmaskables(err)
	if err != nil && failed == nil && !errors.Is(err, errEnough) {
		return err
	}
	for i := range r.columns {
		t.undecided = append(t.undecided, r.undecidedPaths(i)...)
		t.undecided = append(t.undecided, r.idle(i)...)
		s.work.plan.Findings = append(s.work.plan.Findings, append(r.weak(i), r.real(i)...)...)
	}
	r.countPaths(s.work.plan.Masks)
	ended := err == nil
	if failed := ask(); failed != nil {
		return failed
	}
	t.all = sel.Count >= 0 && int64(t.tried) >= sel.Count || sel.Count < 0 && ended && t.tried < t.most
	if failed != nil {
		return err
	}
	return nil
}

// idle finds a mask that leaves each of the values tried as it is.
func (r *rewriter) idle(i int) (out []finding.Finding) {
	if r.makers[i] == nil {
		return nil
	}
	for _, j := range r.makers[i].judged() {
		what := r.table.String() + "." + schema.Ident(r.columns[i].name)
		if j.path != "" {
			what += ", " + j.path
		}
		if !j.blind && j.Distinct > 0 && j.Left > j.Distinct {
			s := finding.Finding{Check: "mask-changes-little", Severity: finding.Warning, Table: r.table.String(), Column: r.columns[i].name,
				Message: fmt.Sprintf("%s: the mask leaves %d of the %d values tried as they are", what, j.Left, j.Left+j.Distinct),
				Hint:    "choose a mask, or a width or a unit of it, that changes more of them"}
			out = append(out, s)
		}
		if j.blind || !check.Idle(j.Distinct, j.Left) {
			continue
		}
		out = append(out, finding.Finding{Check: "mask-changes-nothing", Severity: finding.Error, Code: int(fault.Usage), Table: r.table.String(), Column: r.columns[i].name,
			Message: fmt.Sprintf("%s: the mask leaves each of the %d values tried as it is", what, j.Left),
			Hint:    "choose a mask, or a width or a unit of it, that changes them; or keep the column with a reason"})
	}
	return out
}

// real warns of a mask by whose parameters fakes are made that production has as values.
func (r *rewriter) real(i int) []finding.Finding {
	v, ok := r.makers[i].(*valueMaker)
	if !ok || v.met == nil || v.met.shared() == 0 {
		return nil
	}
	return []finding.Finding{{Check: "mask-makes-real-values", Severity: finding.Warning, Table: r.table.String(), Column: r.columns[i].name,
		Message: fmt.Sprintf("%s.%s: %d of the %d fakes tried are values that production has, in other rows or the same", r.table, schema.Ident(r.columns[i].name), v.met.shared(), len(v.met.fakes)),
		Hint:    "choose parameters that make what production does not hold"}}
}

// weak warns of a permutation of so few values that it leaves many of them in their place.
func (r *rewriter) weak(i int) (out []finding.Finding) {
	m := r.columns[i].mask
	if r.makers[i] == nil || m == nil || m.Kind().Name != "fpe" && m.Kind().Name != "int" {
		return nil
	}
	for _, j := range r.makers[i].judged() {
		if j.Distinct > 0 && j.Expected > float64(j.Distinct)/4 {
			out = append(out, finding.Finding{Check: "small-domain", Severity: finding.Warning, Table: r.table.String(), Column: r.columns[i].name,
				Message: fmt.Sprintf("%s.%s: so few values can stand there that of %d distinct ones %.2g stay what they are, on average", r.table, schema.Ident(r.columns[i].name), j.Distinct, j.Expected),
				Hint:    "choice and nullify do not depend on the value, and tell nothing of it"})
		}
	}
	return out
}

// plenty tells that counting on would cost time and tell nothing new: a refused row
// takes several statements to find.
func (t *trial) plenty() bool {
	return slices.ContainsFunc(t.refused, func(r engine.Rejection) bool { return r.Rows >= tryRefused })
}

// triedAll tells whether no row of a selection was left out of the trial.
func (t *trial) triedAll(sel *subset.Table) bool {
	switch {
	case t.most != tryRows || t.tried >= t.most || sel == nil:
		return false
	case sel.Count >= 0:
		return int64(t.tried) >= sel.Count
	}
	return !t.nulled
}

// errEnough ends a trial before the rows end.
var errEnough = errors.New("enough rows were tried")

// add counts rejections of one chunk with those of the chunks before.
func (t *trial) add(found []engine.Rejection) {
	for _, r := range found {
		if t.same && heldBySource(t.table, t.masks, r) || r.Loses && isMasked(t.masks, r.Column) { // a fake may be rounded
			continue
		}
		i := slices.IndexFunc(t.refused, func(have engine.Rejection) bool {
			return have.Column == r.Column && have.Check == r.Check && have.Reason == r.Reason
		})
		if i < 0 {
			t.refused = append(t.refused, r)
		} else {
			t.refused[i].Rows += r.Rows
		}
	}
}

func (t *trial) findings() []finding.Finding {
	out := t.told()
	for i := range out {
		if t.nulled {
			out[i].Hint += "; orphans that are nullified are among the rows: `orphans: drop` leaves them out"
		}
	}
	out = append(append(t.undecided, t.unmasked...), out...)
	if len(out) == 0 && t.tried >= tryRows && t.judges {
		return []finding.Finding{{Check: "masks-judged", Severity: finding.Warning, Table: t.shape.Name.String(),
			Message: fmt.Sprintf("checks, partitions or expressions read masked columns: %d rows were tried and fit, the load will tell of the others", t.tried)}}
	}
	if len(out) == 0 && t.tried >= tryRows {
		out = append(out, finding.Finding{Check: "target-stricter", Severity: finding.Warning, Table: t.shape.Name.String(),
			Message: fmt.Sprintf("the target takes less here than production may hold: %d rows were tried and fit, the load will tell of the others", t.tried)})
	}
	if len(out) == 0 && t.tried > 0 && !t.all && t.most == trySample && slices.ContainsFunc(t.masks, func(m maskedColumn) bool { return !m.blind() }) {
		out = append(out, finding.Finding{Check: "masks-sampled", Severity: finding.Note, Table: t.shape.Name.String(),
			Message: fmt.Sprintf("the masks were tried on %d rows: a value beyond them that a mask does not take stops the load", t.tried)})
	}
	return out
}

// heldBySource tells whether a rejection is by a type or a check that the source
// has too, over columns that no mask changes: the source's rows satisfy it. Where
// a trial of a check says otherwise, the check reads other rows than its own; of
// a type, the database enforces less than the type says.
func heldBySource(table *schema.Table, masked []maskedColumn, r engine.Rejection) bool {
	if r.Check != "" && !slices.ContainsFunc(table.Checks, func(c schema.Check) bool { return c.Name == r.Check }) {
		return false // the bounds of partitions, which are not compared
	}
	return (r.Check != "" || len(r.Columns) > 0) && !slices.ContainsFunc(r.Columns, func(name string) bool { return isMasked(masked, name) })
}

// alike tells whether two tables take the same values into the columns: what
// one holds, the other need not be asked about.
func alike(from, to *schema.Table, columns []string) bool {
	for _, name := range columns {
		a, b := from.Column(name), to.Column(name)
		if a.Type != b.Type || a.NotNull != b.NotNull || a.Repertoire != b.Repertoire || !slices.Equal(a.Labels, b.Labels) {
			return false
		}
	}
	return slices.Equal(names(from.Partitions), names(to.Partitions)) && isSubset(to.Computed, from.Computed) &&
		slices.EqualFunc(from.Checks, to.Checks, func(a, b schema.Check) bool { return a.Expr == b.Expr && a.Valid == b.Valid })
}

// names gives the bare names of partitions, because schemas may be named
// differently on both sides.
func names(partitions []schema.Name) []string {
	out := make([]string, len(partitions))
	for i, n := range partitions {
		out[i] = n.Table
	}
	slices.Sort(out)
	return out
}

// demandsMore tells whether to may refuse a row that from holds: by a partition
// that is missing, a check, a type that is not known to be wider.
func demandsMore(from, to *schema.Table, columns []string) bool {
	for _, name := range columns {
		if a, b := from.Column(name), to.Column(name); b.NotNull && !a.NotNull || !wider(a, b) {
			return true
		}
	}
	if !isSubset(to.Computed, from.Computed) {
		return true
	}
	if len(to.Partitions) > 0 && !slices.Equal(names(from.Partitions), names(to.Partitions)) {
		return true
	}
	return slices.ContainsFunc(to.Checks, func(c schema.Check) bool {
		return !slices.ContainsFunc(from.Checks, func(have schema.Check) bool { return have.Expr == c.Expr && (have.Valid || !c.Valid) })
	})
}

// wider tells whether the type of b takes every value of the type of a.
func wider(a, b *schema.Column) bool {
	switch {
	case b.Repertoire != "" && a.Repertoire != b.Repertoire:
		return false
	case a.Type == b.Type:
		return isSubset(a.Labels, b.Labels)
	case a.Kind != b.Kind:
		return false
	case a.Kind == schema.Text:
		return b.Length == 0 || a.Length > 0 && a.Length <= b.Length
	case a.Kind == schema.Integer:
		return a.Min >= b.Min && a.Max <= b.Max && b.Min < b.Max
	}
	return false
}

// told tells what a trial found. A rejection that no mask has a part in is about
// production's own rows.
func (t *trial) told() []finding.Finding {
	var out []finding.Finding
	for _, r := range t.refused {
		if len(t.unmasked) > 0 && (r.Check != "" || slices.ContainsFunc(t.unmasked, func(f finding.Finding) bool { return f.Column == r.Column || slices.Contains(r.Columns, f.Column) })) {
			continue // it was tried without those values
		}
		f := finding.Finding{Check: "fake-refused", Severity: finding.Error, Code: int(fault.Usage), Table: t.shape.Name.String(), Column: r.Column,
			Hint: "choose a mask or parameters whose fakes satisfy it (`fpe` keeps the shape of codes, with `letters: keep` their letters too); `understudy rules explain` shows the rule"}
		if r.Column == "" {
			f.Column = maskedAmong(t.masks, r.Columns) // where the mask stands
		}
		what, rows := r.Reason, "masked rows"
		if r.Check != "" {
			what = fmt.Sprintf("check %s: %s", schema.Ident(r.Check), r.Reason)
		}
		if r.Column != "" && !isMasked(t.masks, r.Column) || r.Check == "" && maskedAmong(t.masks, r.Columns) == "" {
			f.Check, f.Hint, rows = "row-refused", "the target is stricter than production here: loosen it, or mend the data", "rows"
		}
		of := fmt.Sprintf("%d %s", t.tried, rows)
		if !t.all {
			of = fmt.Sprintf("the %s that were tried", of)
		}
		f.Message = fmt.Sprintf("%d of %s would be refused: %s", r.Rows, of, what)
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
	like, _ := b.Form.(engine.Replacer)
	var encoded []byte
	for row := 0; row < b.Rows; row++ {
		for column, cell := range b.Cells[row*width : (row+1)*width] {
			if cell.Null {
				out.AddNull()
				continue
			}
			raw := b.Raw[cell.Start:cell.End]
			value := b.Form.Value(nil, raw, column)
			i, ok := at[column]
			if ok && r.nulled[i] {
				out.AddNull()
				continue
			}
			if ok = ok && r.makers[i] != nil; ok {
				var room []byte
				if b.Huge() && !r.columns[i].blind() {
					room = make([]byte, 0, len(value))
				}
				fake, null, err := r.makers[i].fake(room, value, b.Form)
				switch {
				case err != nil && r.failed != nil:
					r.failed[i] = cmp.Or(r.failed[i], err)
					out.AddNull()
					continue
				case err != nil:
					return r.unmaskable(i, err)
				case null:
					out.AddNull()
					continue
				}
				value = fake
			}
			switch {
			case like != nil && ok:
				encoded = like.Replace(encoded[:0], value, raw, column)
				value = like.Stored(nil, encoded, column)
			case like != nil:
				value = like.Stored(nil, raw, column)
			}
			out.AddValue(value)
		}
	}
	return nil
}
