package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// derivedRows is how many rows of a table are computed for a unique key, and
// derivedAtOnce and tryBytes how many at a time.
const (
	derivedRows   = 2_000_000
	derivedAtOnce = 5_000
)

// derived finds unique keys that the rows would break by what the database makes
// of them: a mask keeps a column's values apart, but not what an expression, a
// condition or a generated column leaves of its fakes. The rows that come are
// masked and the database that gives the structure computes what each key compares.
// Of a key that reads a column whose values were refused nothing is told.
func (s *Session) derived(ctx context.Context, refused []finding.Finding) ([]finding.Finding, error) {
	w := s.work
	var out []finding.Finding
	for i := range w.shape.Tables {
		shape := &w.shape.Tables[i]
		from, to, side := w.source.Table(shape.Name), w.target.Table(shape.Target), engine.Side(s.target)
		if w.shape.FromSource {
			to, side = from, s.source
		}
		if shape.Fate != plan.Copied || from == nil || to == nil || w.contradicted[shape.Name.String()] {
			continue
		}
		var known []engine.Derived
		deriver, able := side.(engine.Deriver)
		if able && slices.ContainsFunc(to.Keys, func(k schema.Key) bool { return compares(to, k) }) {
			var err error
			if known, err = deriver.Derived(ctx, to); err != nil {
				return out, Explain(err, "target")
			}
		}
		for _, k := range to.Keys {
			if !compares(to, k) {
				continue
			}
			proved := w.shape.FromSource || coveredBy(from.Keys, k)
			masked := w.masks[shape.Name]
			at := slices.IndexFunc(known, func(d engine.Derived) bool { return d.Key.Name == k.Name })
			if at < 0 {
				// What a computed column reads is not known here.
				computed := slices.ContainsFunc(k.Columns, func(name string) bool { c := to.Column(name); return c != nil && c.Generated })
				if !proved || len(masked) > 0 && (computed || k.Partial || maskedAmong(masked, k.Columns) != "") {
					out = append(out, unmeasured(shape.Name, k, "what it compares is not known beforehand"))
				}
				continue
			}
			if proved && maskedAmong(masked, known[at].Reads) == "" || refusedAmong(refused, shape.Name, known[at].Reads) != "" {
				continue
			}
			f, err := s.deriveKey(ctx, shape, to, deriver, known[at])
			if failed := unmaskables(err); failed != nil {
				f, err = failed, nil
			}
			if err != nil {
				return out, err
			}
			out = addNew(out, f)
		}
	}
	return append(out, s.computedReferences()...), nil
}

// computedReferences tells of foreign keys over computed columns: where these lead once
// what they are made of is masked, only the load can tell.
func (s *Session) computedReferences() (out []finding.Finding) {
	w := s.work
	structure := w.target
	if w.shape.FromSource {
		structure = w.source
	}
	for i := range w.shape.Tables {
		shape := &w.shape.Tables[i]
		name := shape.Target
		if w.shape.FromSource {
			name = shape.Name
		}
		t := structure.Table(name)
		if shape.Fate != plan.Copied || t == nil || len(w.masks[shape.Name]) == 0 {
			continue
		}
		for _, r := range structure.References {
			if r.From == name && slices.ContainsFunc(r.Columns, func(column string) bool { c := t.Column(column); return c != nil && c.Generated }) {
				out = append(out, finding.Finding{Check: "reference-unmeasured", Severity: finding.Warning, Table: shape.Name.String(),
					Message: fmt.Sprintf("the foreign key %s is over a column that the database computes: whether it still leads to a row once its table is masked, the load will tell", schema.Ident(r.Name)),
					Hint:    "if the load refuses the rows, keep with a reason what the column is computed from"})
			}
		}
	}
	return out
}

// compares tells whether a key compares more, or of fewer rows, than plain columns.
func compares(t *schema.Table, k schema.Key) bool {
	return k.Partial || k.Expression || slices.ContainsFunc(k.Columns, func(name string) bool { c := t.Column(name); return c != nil && c.Generated })
}

// maskedAmong gives the first of the columns that is masked; "" if none is.
func maskedAmong(masked []maskedColumn, columns []string) string {
	for _, name := range columns {
		if isMasked(masked, name) {
			return name
		}
	}
	return ""
}

// deriveKey judges one key.
func (s *Session) deriveKey(ctx context.Context, shape *plan.TableShape, to *schema.Table, deriver engine.Deriver, key engine.Derived) ([]finding.Finding, error) {
	sel := s.work.selection.Find(shape.Name)
	if sel == nil || sel.Count == 0 {
		return nil, nil
	}
	if len(key.Reads) == 0 || !isSubset(key.Reads, shape.Columns) {
		return []finding.Finding{unmeasured(shape.Name, key.Key, "it reads columns that are not loaded")}, nil
	}
	s.note(StageTry, "computing what the unique key %s of %s compares", schema.Ident(key.Key.Name), shape.Name)
	seed := maphash.MakeSeed()
	var hashes []uint64
	rows := 0
	chunk := &engine.Tuples{Width: len(key.Reads)}
	ask := func() error {
		got, err := deriver.Derive(ctx, to, key, chunk)
		if err != nil {
			return err
		}
		for i := range got.Len() {
			value, _ := got.At(i, 0)
			hashes = append(hashes, maphash.Bytes(seed, value))
		}
		rows += chunk.Len()
		chunk.Reset()
		return nil
	}
	_, err := s.masked(ctx, shape, key.Reads, sel.Parts(), 0, func(batch *engine.Tuples) error {
		for row := range batch.Len() {
			if rows+chunk.Len() == derivedRows {
				return errEnough
			}
			chunk.AddRow(batch, row)
			if chunk.Len() == derivedAtOnce || chunk.Bytes() > tryBytes {
				if err := ask(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	enough := errors.Is(err, errEnough)
	if err == nil || enough {
		err = ask()
	}
	if e := (*engine.Error)(nil); errors.As(err, &e) && e.Code == engine.Unsupported {
		return []finding.Finding{unmeasured(shape.Name, key.Key, e.Say)}, nil
	}
	if err != nil {
		return nil, Explain(err, "target")
	}
	slices.Sort(hashes)
	if twice := len(hashes) - len(slices.Compact(hashes)); twice > 0 {
		return []finding.Finding{s.repeated(shape.Name, key, twice, rows)}, nil
	}
	if enough {
		return []finding.Finding{unmeasured(shape.Name, key.Key, fmt.Sprintf("the first %d rows satisfy it, and no more are computed", rows))}, nil
	}
	return nil, nil
}

func (s *Session) repeated(table schema.Name, key engine.Derived, twice, rows int) finding.Finding {
	f := finding.Finding{Check: "unique-derived", Severity: finding.Error, Code: int(fault.Usage), Table: table.String(), Column: maskedAmong(s.work.masks[table], key.Reads)}
	f.Message = fmt.Sprintf("the unique key %s compares what the database makes of (%s), and %d of %d rows, as they would be loaded, repeat another's",
		schema.Ident(key.Key.Name), idents(key.Reads), twice, rows)
	f.Hint = "drop the key in the target, or mend the rows in production"
	if f.Column != "" {
		f.Hint = "choose a mask whose fakes stay apart there: `fpe`, or `template` with {tag}" +
			" early in its format; where it compares a few characters only, no mask has enough: keep the column, or loosen the key"
	}
	return f
}

// unmeasured says that only the load will tell whether a key holds.
func unmeasured(table schema.Name, k schema.Key, why string) finding.Finding {
	return finding.Finding{Check: "unique-unmeasured", Severity: finding.Warning, Table: table.String(),
		Message: fmt.Sprintf("whether the rows satisfy the unique key %s, over a condition, an expression or a computed column, the load will tell: %s", schema.Ident(k.Name), strings.TrimSpace(why)),
		Hint:    "if the load refuses them, choose masks whose fakes stay apart there, or drop the key in the target"}
}
