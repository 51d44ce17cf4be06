package mysql

import (
	"context"
	"strings"

	"understudy/internal/schema"
)

// allThere tells quickly whether every value of the child's columns that is not
// NULL stands in the parent's: each value is looked up once, and the server takes
// the different values from the child's index without reading its rows. The
// columns compare alike on both sides, as those of a foreign key do.
func allThere(ctx context.Context, c *conn, doing string, child schema.Name, columns []string, parent schema.Name, theirs []string) (bool, error) {
	var set, same []string
	for i := range columns {
		set = append(set, quote(columns[i])+" IS NOT NULL")
		same = append(same, "p."+quote(theirs[i])+" = c."+quote(columns[i]))
	}
	stray, err := c.value(ctx, doing, "SELECT EXISTS (SELECT 1 FROM (SELECT DISTINCT "+quotes(columns)+" FROM "+quoteName(child)+" WHERE "+strings.Join(set, " AND ")+
		") AS c WHERE NOT EXISTS (SELECT 1 FROM "+quoteName(parent)+" AS p WHERE "+strings.Join(same, " AND ")+"))")
	return stray == "0", err
}
