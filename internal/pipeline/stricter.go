package pipeline

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/plan"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// What only the target demands of rows, production has not proved: a plan must
// find out before the load does. Uniqueness and foreign keys are judged here over
// all rows that would be loaded, as they would be loaded; keys over more than
// plain columns in derived.go; types, lengths and checks in try.go.

// stricter judges the unique keys and foreign keys that the target has and the
// source lacks.
func (s *Session) stricter(ctx context.Context, refused []finding.Finding) ([]finding.Finding, error) {
	w := s.work
	if w.shape.FromSource {
		return nil, nil
	}
	var out []finding.Finding
	for i := range w.shape.Tables {
		shape := &w.shape.Tables[i]
		from, to := w.source.Table(shape.Name), w.target.Table(shape.Target)
		if shape.Fate != plan.Copied || from == nil || to == nil || w.contradicted[shape.Name.String()] {
			continue
		}
		for _, k := range to.Keys {
			covered, folds := coveredBy(from.Keys, k), coarser(from, to, k.Columns)
			if compares(to, k) || covered && len(folds) == 0 || !isSubset(k.Columns, shape.Columns) {
				continue
			}
			if refusedAmong(refused, shape.Name, k.Columns) != "" {
				continue
			}
			twice, err := s.twice(ctx, shape, to, k)
			if failed := unmaskables(err); failed != nil {
				out = addNew(out, failed)
				continue
			}
			if err != nil {
				return out, err
			}
			if twice > 0 && covered {
				out = append(out, finding.Finding{Check: "target-unique", Severity: finding.Error, Code: int(fault.Usage), Table: shape.Name.String(), Column: onlyOne(k.Columns),
					Message: fmt.Sprintf("the target compares %s without regard to case and production does not, so that under its unique key %s %d of the rows to be loaded repeat another's", idents(folds), schema.Ident(k.Name), twice),
					Hint:    "give the column production's collation in the target, or mend the rows in production"})
			} else if twice > 0 {
				out = append(out, finding.Finding{Check: "target-unique", Severity: finding.Error, Code: int(fault.Usage), Table: shape.Name.String(), Column: onlyOne(k.Columns),
					Message: fmt.Sprintf("only the target says that (%s) is unique (%s), and %d of the rows to be loaded repeat another's", idents(k.Columns), schema.Ident(k.Name), twice),
					Hint:    "drop the key in the target, or mend the rows in production"})
			}
		}
	}
	for _, r := range w.target.References {
		f, err := s.targetReference(ctx, r, refused)
		if failed := unmaskables(err); failed != nil {
			f, err = failed, nil
		}
		if err != nil {
			return out, err
		}
		out = addNew(out, f)
	}
	return out, nil
}

// coarser lists the columns of a key that the target compares without regard to case
// and the source does not, so that no key of the source proves it.
func coarser(from, to *schema.Table, columns []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool {
		a, b := from.Column(name), to.Column(name)
		return a == nil || b == nil || !b.FoldCase || a.FoldCase && (a.Folding == b.Folding || a.Folding == schema.FoldLetters)
	})
}

// coveredBy tells whether a key of the source proves that k holds.
func coveredBy(keys []schema.Key, k schema.Key) bool {
	return slices.ContainsFunc(keys, func(have schema.Key) bool {
		if have.Name == k.Name && have.Partial == k.Partial && have.Expression == k.Expression && have.NullsEqual == k.NullsEqual &&
			slices.Equal(have.Columns, k.Columns) && slices.Equal(have.Overlap, k.Overlap) {
			return true
		}
		return !have.Partial && !have.Expression && !k.Expression && (have.NullsEqual || have.NotNull || !k.NullsEqual) && isSubset(have.Columns, k.Columns)
	})
}

func isSubset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(name string) bool { return !slices.Contains(all, name) })
}

func onlyOne(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return ""
}

func idents(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = schema.Ident(n)
	}
	return strings.Join(out, ", ")
}

// twice counts the rows whose values in a key's columns another row has too.
// NULLs are equal only where the key says so.
func (s *Session) twice(ctx context.Context, shape *plan.TableShape, to *schema.Table, key schema.Key) (int, error) {
	hashes, err := s.hashes(ctx, shape, key.Columns, folding(to, key.Columns), key.NullsEqual, maphash.MakeSeed())
	if err != nil {
		return 0, err
	}
	n := 0
	for i := 1; i < len(hashes); i++ {
		if hashes[i] == hashes[i-1] {
			n++
		}
	}
	return n, nil
}

// folding tells which letters the columns take for the same in capital and small;
// nil for a column that takes none.
func folding(t *schema.Table, columns []string) []*schema.Folding {
	out := make([]*schema.Folding, len(columns))
	for i, name := range columns {
		if c := t.Column(name); c != nil && c.FoldCase {
			out[i] = &c.Folding
		}
	}
	return out
}

// hashes reads the selected rows of a table and gives, sorted, one hash for each
// tuple, as it would be loaded; of tuples with a NULL only where nulls says so. Eight bytes a row stay in memory;
// two values meet in one hash with a chance of n^2/2^65, which is below one in a
// million up to eight million rows.
func (s *Session) hashes(ctx context.Context, shape *plan.TableShape, columns []string, fold []*schema.Folding, nulls bool, seed maphash.Seed) ([]uint64, error) {
	var out []uint64
	var row, folded []byte
	sel := s.work.selection.Find(shape.Name)
	if sel == nil || sel.Count == 0 {
		return nil, nil
	}
	_, err := s.masked(ctx, shape, columns, sel.Parts(), 0, func(t *engine.Tuples) error {
		for i := range t.Len() {
			row = row[:0]
			null := false
			for j := range columns {
				value, ok := t.At(i, j)
				null = null || !ok
				if fold[j] != nil {
					folded = fold[j].Append(folded[:0], value)
					value = folded
				}
				row = mask.AppendPart(row, value, !ok)
			}
			if !null || nulls {
				out = append(out, maphash.Bytes(seed, row))
			}
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// masked reads columns of some selected rows of a table (at most limit of each
// part, where it is not 0), masks them as the load would, and hands them on batch
// by batch; the tuples are reused. What no path of documents names is counted in
// the rewriter and does not stop it; of values that a mask does not take the error
// at the end tells, for every column, and they are handed on as NULL.
func (s *Session) masked(ctx context.Context, shape *plan.TableShape, columns []string, parts []subset.Part, limit int, take func(*engine.Tuples) error) (*rewriter, error) {
	read := engine.Read{Table: s.work.scope.Table(shape.Name), Columns: columns, Limit: limit}
	for i := range columns {
		read.Look = append(read.Look, i)
	}
	var masks []maskedColumn
	for _, m := range withNulled(s.work.masks[shape.Name], shape.Columns, s.work.selection.Find(shape.Name)) {
		if i := slices.Index(columns, m.name); i >= 0 {
			m.index = i
			masks = append(masks, m)
		}
	}
	slices.SortFunc(masks, func(a, b maskedColumn) int { return a.index - b.index })
	r := newRewriter(shape.Name, masks, s.in.Key)
	r.beLenient()
	read.Blind = r.unseen()
	for i, name := range columns {
		if !isMasked(masks, name) {
			read.Blind = append(read.Blind, i) // kept: taken as it is
		}
	}
	tuples, settler := &engine.Tuples{Width: len(columns)}, engine.Settler{}
	for _, part := range parts {
		read.Rows = part.Rows
		r.nullify(part.Null)
		for b, err := range s.snapshot.Read(ctx, read) {
			if err != nil {
				return r, Explain(err, "source")
			}
			tuples.Reset()
			size := cap(b.Raw)
			err = r.tuples(b, len(columns), tuples)
			b.Release()
			if size >= engine.HugeBytes {
				settler.LetGo(size)
			}
			if err == nil {
				err = take(tuples)
			}
			if failed := r.failures(); err != nil && failed != nil {
				return r, failed
			}
			if err != nil {
				return r, err
			}
		}
	}
	return r, r.failures()
}

// targetReference judges a foreign key of the target, unless the source has it
// too, which then proved it. Rows that the target preserves are not looked at:
// their keys are proved before the switch.
func (s *Session) targetReference(ctx context.Context, r schema.Reference, refused []finding.Finding) ([]finding.Finding, error) {
	w := s.work
	var from, to *plan.TableShape
	for i := range w.shape.Tables {
		switch t := &w.shape.Tables[i]; t.Target {
		case r.From:
			from = t
			if r.To == r.From {
				to = t
			}
		case r.To:
			to = t
		}
	}
	if from == nil || to == nil || from.Fate != plan.Copied || to.Fate != plan.Copied && to.Fate != plan.Emptied ||
		!isSubset(r.Columns, from.Columns) || slices.ContainsFunc(w.source.References, func(have schema.Reference) bool {
		return have.From == from.Name && have.To == to.Name && slices.Equal(have.Columns, r.Columns) && slices.Equal(have.ToColumns, r.ToColumns)
	}) {
		return nil, nil
	}
	if w.contradicted[from.Name.String()] || w.contradicted[to.Name.String()] || refusedAmong(refused, from.Name, r.Columns) != "" {
		return nil, nil
	}
	seed := maphash.MakeSeed()
	fold := folding(w.target.Table(r.To), r.ToColumns)
	children, err := s.hashes(ctx, from, r.Columns, fold, false, seed)
	if err != nil {
		return nil, err
	}
	var parents []uint64
	if to.Fate == plan.Copied && isSubset(r.ToColumns, to.Columns) {
		if parents, err = s.hashes(ctx, to, r.ToColumns, fold, false, seed); err != nil {
			return nil, err
		}
	}
	lost := 0
	for _, c := range children {
		if _, ok := slices.BinarySearch(parents, c); !ok {
			lost++
		}
	}
	if lost == 0 {
		return nil, nil
	}
	return []finding.Finding{{Check: "target-reference", Severity: finding.Error, Code: int(fault.Integrity), Table: from.Name.String(), Column: onlyOne(r.Columns),
		Message: fmt.Sprintf("only the target has the foreign key %s, %s, and %d of the rows to be loaded have no parent there", schema.Ident(r.Name), r, lost),
		Hint:    "drop the foreign key in the target, mend the rows in production, or declare it under `references` in the job so that parents come along"}}, nil
}
