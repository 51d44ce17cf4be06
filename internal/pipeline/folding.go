package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// folding finds unique keys that masking would break because a column's domain
// folds case: two values that differ in case only have one fake. It reads the key
// of each selected row of such a table once, and remembers eight bytes of it.
func (s *Session) folding(ctx context.Context) ([]finding.Finding, error) {
	var out []finding.Finding
	for _, shape := range s.work.shape.Tables {
		table := s.work.scope.Table(shape.Name)
		if shape.Fate != plan.Copied || table == nil {
			continue
		}
		for _, key := range table.Keys {
			merged := merging(s.work.masks[shape.Name], table, key)
			if len(merged) == 0 {
				continue
			}
			s.note(StageTry, "looking for values of %s that differ in case only", shape.Name)
			count, err := s.merged(ctx, shape, table, key)
			if err != nil {
				return out, err
			}
			if count > 0 {
				out = append(out, mergedFinding(table, key, merged, count))
			}
		}
	}
	return out, nil
}

// merging lists the columns of a key whose masks take values that differ in
// case for one. Keys over a part of the rows, over expressions or over what the
// database computes are the database's to judge.
func merging(columns []maskedColumn, table *schema.Table, key schema.Key) []string {
	if key.Partial || key.Expression || slices.ContainsFunc(key.Columns, func(name string) bool { c := table.Column(name); return c == nil || c.Generated }) {
		return nil
	}
	var out []string
	for _, c := range columns {
		if c.mask != nil && c.mask.Merges() && slices.Contains(key.Columns, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// merged counts the rows whose key is that of another row once case is folded.
func (s *Session) merged(ctx context.Context, shape plan.TableShape, table *schema.Table, key schema.Key) (int, error) {
	sel := s.work.selection.Find(shape.Name)
	if sel == nil || sel.Count == 0 {
		return 0, nil
	}
	read := engine.Read{Table: table, Columns: key.Columns}
	if !sel.Whole {
		read.Rows = sel.Rows.ToArray()
	}
	workers := make([]*mask.Worker, len(key.Columns))
	for i, name := range key.Columns {
		read.Look = append(read.Look, i)
		for _, c := range s.work.masks[shape.Name] {
			if c.name == name && c.mask != nil && c.mask.Merges() {
				workers[i] = c.mask.Worker()
			}
		}
		if workers[i] == nil {
			read.Blind = append(read.Blind, i) // compared as it is
		}
	}
	var hashes []uint64
	var row []byte
	sampler := s.in.Key.Sampler("folding")
	for b, err := range s.snapshot.Read(ctx, read) {
		if err != nil {
			return 0, Explain(err, "source")
		}
	rows:
		for r := range b.Rows {
			row = row[:0]
			for i, cell := range b.Cells[r*len(workers) : (r+1)*len(workers)] {
				if cell.Null {
					continue rows // NULLs are not equal
				}
				value := b.Form.Value(nil, b.Raw[cell.Start:cell.End], i)
				if workers[i] != nil {
					value = workers[i].Canonical(value)
				}
				row = mask.AppendPart(row, value, false)
			}
			hashes = append(hashes, sampler.Hash(row))
		}
		b.Release()
	}
	slices.Sort(hashes)
	return len(hashes) - len(slices.Compact(hashes)), nil
}

func mergedFinding(table *schema.Table, key schema.Key, merged []string, count int) finding.Finding {
	f := finding.Finding{Check: "fold-collision", Severity: finding.Error, Code: int(fault.Usage), Table: table.Name.String(), Column: merged[0],
		Message: fmt.Sprintf("the domain of %s.%s folds case, and %d rows differ from another only by that: their fakes would be equal and break the unique key over %s",
			table.Name, schema.Ident(merged[0]), count, strings.Join(key.Columns, ", ")),
		Hint: "mask it with fpe, which keeps them apart, give the column a `domain` of its own that does not fold, or mend the values in the source"}
	return f
}
