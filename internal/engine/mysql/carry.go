package mysql

import (
	"context"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// carried is a preserved table, with the checksum of its rows when they were copied.
type carried struct {
	table schema.Name
	sum   string
}

// preserve carries rows of the present generation over: the columns that both
// have, by name. Nobody writes to a table while its rows are copied.
func (l *load) preserve(ctx context.Context) error {
	if len(l.spec.Preserve) == 0 {
		return nil
	}
	inv, err := inspect(ctx, l.guard, l.t.databases)
	if err != nil {
		return err
	}
	for _, name := range l.spec.Preserve {
		l.spec.Step("preserve " + name.String())
		if err := l.preserveTable(ctx, inv, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *load) preserveTable(ctx context.Context, inv *inventory, name schema.Name) error {
	doing := "preserve " + name.String()
	to, next, err := l.find(name, doing)
	from := inv.schema.Table(name)
	if err != nil || from == nil {
		return &engine.Error{Code: engine.Unsupported, Doing: doing, Table: name, Say: "the table must exist in the target and in the new generation"}
	}
	var columns []string
	for _, c := range from.Written() {
		if slices.Contains(to.shape.Written(), c) {
			columns = append(columns, c)
		}
	}
	old, made := quoteName(name), quoteName(schema.Name{Schema: next, Table: name.Table})
	list := quotes(columns)
	c := l.guard
	if err := c.exec(ctx, doing, "SET SESSION lock_wait_timeout = "+seconds(l.t.limits.LockWait)+", foreign_key_checks = 0"); err != nil {
		return err
	}
	if err := c.exec(ctx, doing, "LOCK TABLES "+old+" READ, "+made+" WRITE"); err != nil {
		return err
	}
	err = func() error {
		if len(columns) > 0 {
			if err := c.exec(ctx, doing, "INSERT INTO "+made+" ("+list+") SELECT "+list+" FROM "+old); err != nil {
				return wrapTable(ctx, err, doing, to.shape)
			}
		}
		sum, err := checksum(ctx, c, name)
		l.carried = append(l.carried, carried{name, sum})
		return err
	}()
	if unlock := c.exec(context.WithoutCancel(ctx), doing, "UNLOCK TABLES"); err == nil {
		err = unlock
	}
	if err != nil {
		return err
	}
	was, _, err := countIn(ctx, c, name, quoteName(name), nil)
	if err != nil {
		return err
	}
	is, _, err := countIn(ctx, c, name, made, nil)
	if err == nil && was != is { // or somebody wrote since, which the switch would not let pass
		err = &engine.Error{Code: engine.Changed, Doing: doing, Table: name, Say: "the number of rows differs from the target's", Hint: "start again; refresh when nothing writes to the preserved tables"}
	}
	return err
}

// checksum sums up a table's rows, whatever their order.
func checksum(ctx context.Context, c *conn, name schema.Name) (string, error) {
	row, err := c.row(ctx, "look at "+name.String(), "CHECKSUM TABLE "+quoteName(name)+" EXTENDED")
	if err != nil {
		return "", err
	}
	return row[1], nil
}

// carriedAsIs makes sure that nobody wrote to the preserved tables since their rows
// were copied; at gives the database in which one stands now.
func (l *load) carriedAsIs(ctx context.Context, at func(schema.Name) schema.Name) error {
	for _, was := range l.carried {
		sum, err := checksum(ctx, l.guard, at(was.table))
		if err != nil {
			return err
		}
		if sum != was.sum {
			return engine.LateWrite(was.table)
		}
	}
	return nil
}
