package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// viewKeys judges the unique indexes of views whose rows are kept: what they
// compare of masked columns must stay apart as if the tables' columns were
// unique themselves. A view's query is not run over masked rows, so that what
// it computes of masked columns is told, not judged. A view that stays empty has no
// rows to keep apart; one that is empty in the target is filled where the source's is.
func (s *Session) viewKeys() []finding.Finding {
	w := s.work
	keys, structure := w.targetViews, w.target
	if w.shape.FromSource {
		keys, structure = w.sourceViews, w.source
	}
	names := w.shape.Renamed()
	fills := func(k engine.ViewKey) bool {
		return k.Filled || !w.shape.FromSource && slices.ContainsFunc(w.filled, func(n schema.Name) bool {
			n.Schema = cmp.Or(names[n.Schema], n.Schema)
			return n == k.View
		})
	}
	var out []finding.Finding
	w.viewed = map[engine.ColumnOf]string{}
	for _, k := range keys {
		if !fills(k) {
			continue
		}
		name := fmt.Sprintf("the unique index %s of the materialized view %s", schema.Ident(k.Name), k.View)
		if !comparesKey(structure, k) {
			for _, c := range k.Columns {
				d := s.decisionFor(c)
				if d == nil || !masking(*d) {
					continue
				}
				w.viewed[c] = name
				if d.Outcome == rules.ByPath {
					out = append(out, finding.Finding{Check: "mask", Severity: finding.Error, Code: int(fault.Usage), At: d.At, Table: d.Table.String(), Column: d.Column,
						Message: fmt.Sprintf("%s compares the documents of %s.%s, and two of them may be the same once their paths are masked", name, d.Table, schema.Ident(d.Column)), Hint: "drop the index, or keep the column with a reason"})
				}
			}
		}
		reads := slices.IndexFunc(k.Reads, func(c engine.ColumnOf) bool { d := s.decisionFor(c); return d != nil && masking(*d) })
		if k.Computed && reads >= 0 {
			of := k.Reads[reads]
			out = append(out, finding.Finding{Check: "unique-unmeasured", Severity: finding.Warning, Table: k.View.String(),
				Message: fmt.Sprintf("whether the rows satisfy %s, which compares what the view computes, of %s.%s for one, the load will tell", name, of.Table, schema.Ident(of.Column)),
				Hint:    "if the load refuses them, choose masks whose fakes stay apart there, or drop the index"})
		}
	}
	return out
}

// viewKeysOf asks a side, if it keeps rows of views.
func viewKeysOf(ctx context.Context, side engine.Side) ([]engine.ViewKey, error) {
	if k, ok := side.(engine.ViewKeeper); ok {
		return k.ViewKeys(ctx)
	}
	return nil, nil
}

// masking tells whether a decision changes values.
func masking(d rules.Decision) bool { return d.Outcome == rules.Mask || d.Outcome == rules.ByPath }

// decisionFor gives the decision of a column of the side that gives the
// structure; nil if its table is not loaded.
func (s *Session) decisionFor(c engine.ColumnOf) *rules.Decision {
	for i := range s.work.binding.Decisions {
		d := &s.work.binding.Decisions[i]
		if d.Column == c.Column && s.viewedAs(*d) == c {
			if shape := s.work.shape.Table(d.Table); shape != nil && shape.Fate == plan.Copied {
				return d
			}
		}
	}
	return nil
}

// viewedAs names a decision's column as the side that gives the structure does.
func (s *Session) viewedAs(d rules.Decision) engine.ColumnOf {
	table := d.Table
	if !s.work.shape.FromSource {
		table = s.work.shape.TargetName(table)
	}
	return engine.ColumnOf{Table: table, Column: d.Column}
}

// comparesKey tells whether a view of one table compares a key of it, so that
// what it compares beside tells no rows apart.
func comparesKey(structure *schema.Schema, k engine.ViewKey) bool {
	if k.Computed || slices.ContainsFunc(k.Reads, func(c engine.ColumnOf) bool { return c.Table != k.Columns[0].Table }) {
		return false
	}
	var compared []string
	for _, c := range k.Columns {
		compared = append(compared, c.Column)
	}
	table := structure.Table(k.Columns[0].Table)
	return table != nil && slices.ContainsFunc(table.Keys, func(key schema.Key) bool { return key.Identifies() && isSubset(key.Columns, compared) })
}
