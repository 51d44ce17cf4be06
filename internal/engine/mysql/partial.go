package mysql

import (
	"context"
	"database/sql/driver"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

var _ engine.Contradictor = (*snapshot)(nil)

// dated tells columns that may hold a date which is none: with a month or day of zero.
func dated(c *schema.Column) bool { return c.Kind == schema.Date || c.Kind == schema.Timestamp }

// partial tells a date with a month or day of zero. That of all zeros is a value
// of its own, which masks keep.
func partial(v []byte) bool {
	return len(v) >= 10 && (string(v[5:7]) == "00" || string(v[8:10]) == "00") && string(v[:10]) != "0000-00-00"
}

func contradiction(doing string, table schema.Name, column string) error {
	return &engine.Error{Code: engine.Contradicts, Doing: doing, Table: table, Column: column,
		Say:  "a date has a month or day of zero",
		Hint: "find them with: SELECT count(*) FROM " + quoteName(table) + " WHERE " + zeroed(column) + "; then mend the rows, or give the column nullify or constant, which look at no value"}
}

// zeroed is the condition that a date is partial.
func zeroed(column string) string {
	name := quote(column)
	return "(MONTH(" + name + ") = 0 OR DAYOFMONTH(" + name + ") = 0) AND " + name + " <> 0"
}

// Contradictions finds the columns of dates that hold partial ones among those
// looked into; kept ones are carried as they are.
func (s *snapshot) Contradictions(ctx context.Context, table *schema.Table, _, looked []string) ([]string, error) {
	doing := "look for partial dates in " + table.Name.String()
	var asked, terms []string
	for _, name := range looked {
		if c := table.Column(name); c != nil && dated(c) {
			asked = append(asked, name)
			terms = append(terms, "COALESCE(MAX("+zeroed(name)+"), 0)")
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	c, err := s.reader(ctx, doing)
	if err != nil {
		return nil, s.because(err, table.Name)
	}
	defer s.release(c)
	var out []string
	err = c.each(ctx, doing, "SELECT "+strings.Join(terms, ", ")+" FROM "+quoteName(table.Name), func(row []driver.Value) error {
		for i, v := range row {
			if str(v) == "1" {
				out = append(out, asked[i])
			}
		}
		return nil
	})
	return out, s.because(err, table.Name)
}
