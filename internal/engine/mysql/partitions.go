package mysql

import (
	"context"
	"slices"
	"strings"

	"understudy/internal/schema"
)

// partitions tries the rows on the bounds of the table's partitions: a range without an
// end and a list without a default take what they name, and refuse other rows (errors
// 1526 and 4134 of MySQL's and MariaDB's manuals).
func (t *trial) partitions(ctx context.Context) error {
	rows, err := t.c.rows(ctx, "read the bounds of partitions", "SELECT DISTINCT partition_name, partition_method, partition_expression, partition_description, partition_ordinal_position FROM information_schema.partitions"+
		" WHERE table_schema = "+literal(t.table.Name.Schema)+" AND table_name = "+literal(t.table.Name.Table)+" AND partition_name IS NOT NULL AND partition_method IS NOT NULL ORDER BY partition_ordinal_position")
	if err != nil || len(rows) == 0 {
		return err
	}
	var bounds []string
	for _, r := range rows {
		if description := strings.ToUpper(r[3]); strings.Contains(description, "MAXVALUE") || description == "DEFAULT" || description == "" {
			return nil // it takes all, or what it takes is not told by a bound
		}
		bounds = append(bounds, r[3])
	}
	key := "(" + rows[0][2] + ")"
	var fits string
	switch strings.ToUpper(rows[0][1]) {
	case "RANGE", "RANGE COLUMNS":
		fits = key + " < (" + bounds[len(bounds)-1] + ")"
	case "LIST", "LIST COLUMNS":
		fits = "(" + key + " IN (" + strings.Join(bounds, ", ") + ")) IS TRUE OR " + key + " IS NULL"
		if strings.Contains(rows[0][2], ",") {
			fits = "(" + key + " IN (" + strings.Join(bounds, ", ") + ")) IS TRUE"
		}
	default:
		return nil
	}
	check := schema.Check{Name: "partition bounds", Expr: fits}
	for _, token := range tokens(rows[0][2]) {
		if name, ok := token.name(); ok && token.kind == quoted && t.table.Column(name) != nil && !slices.Contains(check.Columns, name) {
			check.Columns = append(check.Columns, name)
		}
	}
	before := len(t.out)
	if err := t.check(ctx, check); err != nil {
		return err
	}
	for i := before; i < len(t.out); i++ {
		t.out[i].Reason = "no partition takes them, for these are by " + strings.Join(check.Columns, ", ")
	}
	return nil
}
