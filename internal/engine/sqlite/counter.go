package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
)

// A counter is how far the AUTOINCREMENT of a table has come, where no row that
// stands there says so: the row with that number is gone, and no new one may
// take it. Where it does stand, loading its row counts as far.
type counter struct {
	table string
	last  int64
}

func readCounters(ctx context.Context, c *conn, objects []object) ([]counter, error) {
	n, err := c.integer(ctx, "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_sequence'")
	if err != nil || n == 0 {
		return nil, err
	}
	var all, out []counter
	err = c.each(ctx, "SELECT name, seq FROM main.sqlite_sequence ORDER BY rowid", nil, func(row []driver.Value) error {
		last, ok := row[1].(int64)
		if ok && slices.ContainsFunc(objects, func(o object) bool { return o.kind == "table" && o.name == str(row[0]) }) {
			all = append(all, counter{str(row[0]), last})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, x := range all { // AUTOINCREMENT is a column's that is another name of the row's number
		key, err := c.text(ctx, "SELECT name FROM pragma_table_info(?) WHERE pk = 1", x.table)
		if err != nil {
			return nil, err
		}
		n, err := c.integer(ctx, "SELECT EXISTS (SELECT 1 FROM main."+quote(x.table)+" WHERE "+quote(key)+" = ?)", x.last)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

// A counting Load takes over how far a table's numbers have come in its source.
type counting interface {
	countOn(table string, from []counter)
}

// countOn takes the counter of a table, of which rows are read, from the source's.
func (l *load) countOn(table string, from []counter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sh := l.shapes[table]; sh != nil && sh.autoincrement {
		l.counters = slices.DeleteFunc(l.counters, func(x counter) bool { return x.table == table })
		l.counters = append(l.counters, from...)
	}
}

// setCounters lets no counter stay behind.
func setCounters(ctx context.Context, c *conn, counters []counter) error {
	for _, x := range counters {
		if err := c.exec(ctx, "INSERT INTO main.sqlite_sequence (name, seq) SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = ?1)", x.table); err != nil {
			return err
		}
		if err := c.exec(ctx, "UPDATE main.sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", x.table, x.last); err != nil {
			return err
		}
	}
	return nil
}
