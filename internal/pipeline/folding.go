package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// folding finds unique keys that masking would break because a column's domain
// folds case: two values that differ in case only have one fake. It masks the key
// of each selected row of such a table once, and remembers eight bytes of it.
func (s *Session) folding(ctx context.Context) ([]finding.Finding, error) {
	var out []finding.Finding
	for _, shape := range s.work.shape.Tables {
		table := s.work.scope.Table(shape.Name)
		if shape.Fate != plan.Copied || table == nil || s.work.contradicted[shape.Name.String()] {
			continue
		}
		for _, key := range table.Keys {
			merged := merging(s.work.masks[shape.Name], table, key)
			if len(merged) == 0 {
				continue
			}
			s.note(StageTry, "looking for values of %s that differ in case only", shape.Name)
			count, err := s.twice(ctx, &shape, table, key)
			if failed := unmaskables(err); failed != nil {
				out = addNew(out, failed)
				continue
			}
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

func mergedFinding(table *schema.Table, key schema.Key, merged []string, count int) finding.Finding {
	f := finding.Finding{Check: "fold-collision", Severity: finding.Error, Code: int(fault.Usage), Table: table.Name.String(), Column: merged[0],
		Message: fmt.Sprintf("the domain of %s.%s folds case, and %d rows differ from another only by that: their fakes would be equal and break the unique key over %s",
			table.Name, schema.Ident(merged[0]), count, strings.Join(key.Columns, ", ")),
		Hint: "mask it with fpe, which keeps them apart, give the column a `domain` of its own that does not fold, or mend the values in the source"}
	return f
}
