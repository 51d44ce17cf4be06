package pipeline

import (
	"context"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// Beforehand asks a database, without a row of it being read, what a draft of its
// rules wants to know: whether its checks take what redact writes, and of which
// columns it makes what unique keys compare. Of what it cannot tell, as checks that
// only the application's own connection has functions for, nothing is told: the plan
// says what becomes of that.
func Beforehand(ctx context.Context, side engine.Side, s *schema.Schema) (rules.Beforehand, error) {
	out := rules.Beforehand{Made: map[schema.Name][]string{}, Unfit: map[schema.Name][]string{}}
	deriver, able := side.(engine.Deriver)
	for i := range s.Tables {
		t := &s.Tables[i]
		out.Unfit[t.Name] = unfit(ctx, side, t)
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if !able || !slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return compares(t, k) }) {
			continue
		}
		known, err := deriver.Derived(ctx, t)
		if ctx.Err() != nil {
			return out, Explain(err, "source")
		}
		for _, d := range known { // none where err is not nil
			out.Made[t.Name] = append(out.Made[t.Name], d.Reads...)
		}
	}
	return out, nil
}

// unfit lists the columns of a table whose own checks refuse what redact writes.
func unfit(ctx context.Context, side engine.Side, t *schema.Table) (out []string) {
	row := &engine.Tuples{}
	var columns []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Generated || !slices.ContainsFunc(t.Checks, func(k schema.Check) bool { return len(k.Columns) == 1 && k.Columns[0] == c.Name }) {
			continue
		}
		if text, ok := rules.Neutral(t, c); ok {
			columns = append(columns, c.Name)
			row.AddString(text)
		}
	}
	if len(columns) == 0 {
		return nil
	}
	row.Width = len(columns)
	refused, err := side.Try(ctx, t, columns, row)
	if err != nil {
		return nil
	}
	for _, r := range refused {
		out = append(out, r.Column)
	}
	return out
}
