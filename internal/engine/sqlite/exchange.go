package sqlite

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// inPlace is a target whose file stays what it is: the next generation is built
// and proved beside it as for a switch, but then rows that differ are exchanged,
// in one transaction, instead of every page.
type inPlace struct{ *target }

var _ engine.Replaceable = (*target)(nil)

// InPlace gives the target as one whose rows are exchanged where they stand.
func (t *target) InPlace() engine.Target { return &inPlace{t} }

// State tells what stands in the file and beside it.
func (t *inPlace) State(ctx context.Context) (*engine.State, error) {
	s, err := t.target.State(ctx)
	if err == nil {
		s.Mechanism = "rows exchanged in place, in one transaction; no generation is kept"
	}
	return s, err
}

// Begin makes the next generation beside the target, whose structure it has.
func (t *inPlace) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	if spec.Structure != nil {
		return nil, &engine.Error{Code: engine.Unsupported, Doing: "begin", Say: "the target has no tables of its own, and rows alone are exchanged in place",
			Hint: "give the target its structure first, by its own migrations, or write `load: {mode: swap}` once"}
	}
	l, err := t.target.Begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &exchange{l.(*load)}, nil
}

// An exchange is a load whose rows are taken over one by one.
type exchange struct{ *load }

// Switch exchanges the rows that differ and leaves the manifest, in one
// transaction of the target: who reads it sees the old rows or the new ones.
func (x *exchange) Switch(ctx context.Context, manifest []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.open(); err != nil {
		return err
	}
	next, err := inspect(ctx, x.conn, nil)
	if err != nil {
		return err
	}
	x.conn.close()
	x.conn = nil
	c, err := x.target.product.open(ctx, x.target.path, readWrite, x.target.limits.LockWait)
	if err != nil {
		return err
	}
	defer c.close()
	c.doing = "exchange rows"
	for _, sql := range []string{"PRAGMA foreign_keys=OFF", "PRAGMA synchronous=FULL", "PRAGMA secure_delete=ON"} {
		if err := c.exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := c.exec(ctx, "ATTACH DATABASE ? AS next", strings.TrimSuffix(dsn(x.path, readOnly), "&_dqs=0")); err != nil {
		return err
	}
	if err := c.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return inUse(err)
	}
	mark := mark{generation: x.spec.RunID, made: x.made, manifest: append([]byte{}, manifest...), path: x.target.path}
	err = x.swapRows(ctx, c, next, mark)
	if err == nil {
		c.doing = "commit the exchange"
		err = inUse(c.exec(context.WithoutCancel(ctx), "COMMIT"))
	}
	if err != nil {
		c.rollback()
		return err
	}
	if err := removeDatabase(x.path); err != nil {
		return engine.Switched(err)
	}
	return nil
}

// rollback gives the transaction up; closing the connection would do it as well.
func (c *conn) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // undoing
	defer cancel()
	_ = c.exec(ctx, "ROLLBACK")
}

// inUse tells a lock that was not to be had in the words of the switch.
func inUse(err error) error {
	var e *engine.Error
	if errors.As(err, &e) && e.Code == engine.Timeout {
		e.Say, e.Hint = "an application holds a lock on the target and does not let go", "end its long transaction, or raise limits.lock_wait"
	}
	return err
}

func (x *exchange) swapRows(ctx context.Context, c *conn, next *inspection, m mark) error {
	now, err := readStructure(ctx, c)
	if err != nil {
		return err
	}
	own := func(o object) bool { return o.name == manifestTable || o.table == manifestTable }
	if !reflect.DeepEqual(slices.DeleteFunc(now.objects, own), slices.DeleteFunc(slices.Clone(x.structure.objects), own)) {
		return &engine.Error{Code: engine.Changed, Doing: c.doing, Say: "the target's structure changed while rows were loaded",
			Hint: "run the refresh again when nobody migrates the target"}
	}
	for _, was := range x.carried {
		print, err := fingerprint(ctx, c, "main", was)
		if err != nil {
			return err
		}
		if print != was.print {
			return engine.LateWrite(was.table)
		}
	}
	for _, o := range now.objects { // they would fire, and rows of theirs are in the new generation already
		if o.kind == "trigger" {
			if err := c.exec(ctx, "DROP TRIGGER main."+quote(o.name)); err != nil {
				return err
			}
		}
	}
	for i := range next.schema.Tables {
		t := &next.schema.Tables[i]
		if err := x.swapTable(ctx, c, t, next.shapes[t.Name.Table]); err != nil {
			return err
		}
	}
	if err := x.swapNumbers(ctx, c, next); err != nil {
		return err
	}
	c.doing = "check the foreign keys"
	broken := schema.Name{Schema: mainSchema}
	if broken.Table, err = c.text(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`); err != nil {
		return err
	}
	if broken.Table != "" {
		return &engine.Error{Code: engine.Constraint, Doing: c.doing, Table: broken, Say: "a foreign key finds no row", Hint: "mend the rows that point nowhere, or drop the foreign key in the target"}
	}
	for _, o := range now.objects {
		if o.kind == "trigger" {
			c.doing = "make trigger " + schema.Ident(o.name)
			if err := c.exec(ctx, o.sql); err != nil {
				return err
			}
		}
	}
	x.spec.Step("gather statistics")
	c.doing = "gather statistics"
	if err := c.exec(ctx, "ANALYZE main"); err != nil {
		return err
	}
	c.doing = "write the manifest"
	return writeMark(ctx, c, m)
}

// swapTable makes one table equal to the next generation's. Rows that differ are
// deleted before others come, so that a value is free when another row takes it.
func (x *exchange) swapTable(ctx context.Context, c *conn, t *schema.Table, s *shape) error {
	c.doing = "exchange the rows of " + t.Name.String()
	x.spec.Step(c.doing)
	name, columns := quote(t.Name.Table), t.Written()
	remove, insert := "DELETE FROM main."+name, "INSERT OR ABORT INTO main."+name+" ("+quotes(columns)+") SELECT "+quotes(columns)+" FROM next."+name+" AS n"
	key := t.Identity()
	if key != nil && !s.virtual && !slices.ContainsFunc(key.Columns, func(k string) bool { return !slices.Contains(columns, k) }) {
		remove += " AS m WHERE NOT EXISTS (SELECT 1 FROM next." + name + " AS n WHERE " + keyEqual("m", "n", key.Columns) + " AND " + identical("m", "n", columns) + ")"
		insert += " WHERE NOT EXISTS (SELECT 1 FROM main." + name + " AS m WHERE " + keyEqual("n", "m", key.Columns) + ")"
	} else if equal, err := sameRows(ctx, c, t.Name, columns); err != nil {
		return wrapTable(err, c.doing, t.Name, s)
	} else if equal {
		return nil
	}
	for _, sql := range []string{remove, insert} {
		if err := c.exec(ctx, sql); err != nil {
			return wrapTable(err, c.doing, t.Name, s)
		}
	}
	n, err := c.integer(ctx, "SELECT (SELECT count(*) FROM main."+name+") - (SELECT count(*) FROM next."+name+")")
	if err == nil && n != 0 {
		err = &engine.Error{Code: engine.Failed, Doing: c.doing, Table: t.Name, Say: fmt.Sprintf("the number of rows differs from the new generation's by %d", n)}
	}
	return err
}

func keyEqual(a, b string, columns []string) string {
	var out []string
	for _, c := range columns {
		out = append(out, a+"."+quote(c)+" = "+b+"."+quote(c))
	}
	return strings.Join(out, " AND ")
}

// identical compares values byte by byte, whatever the columns' collations, and
// by their storage class: 1 and 1.0 are equal and not the same.
func identical(a, b string, columns []string) string {
	var out []string
	for _, c := range columns {
		x, y := a+"."+quote(c), b+"."+quote(c)
		out = append(out, "typeof("+x+") = typeof("+y+") AND "+x+" IS "+y+" COLLATE BINARY")
	}
	return all(out)
}

// all joins conditions so that they nest as little as they can: SQLite bounds how
// deep an expression is.
func all(conditions []string) string {
	if len(conditions) == 1 {
		return conditions[0]
	}
	half := len(conditions) / 2
	return "(" + all(conditions[:half]) + ") AND (" + all(conditions[half:]) + ")"
}

// sameRows tells whether both tables hold the same rows, each as often.
func sameRows(ctx context.Context, c *conn, table schema.Name, columns []string) (bool, error) {
	now, err := fingerprint(ctx, c, "main", carried{table: table, columns: columns})
	if err != nil {
		return false, err
	}
	then, err := fingerprint(ctx, c, "next", carried{table: table, columns: columns})
	return now == then, err
}

// swapNumbers takes over how far AUTOINCREMENT has come, and fills full-text
// indexes over other tables' text.
func (x *exchange) swapNumbers(ctx context.Context, c *conn, next *inspection) error {
	c.doing = "set the numbers of AUTOINCREMENT"
	n, err := c.integer(ctx, "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_sequence'")
	if err != nil {
		return err
	}
	if n > 0 {
		for _, sql := range []string{"DELETE FROM main.sqlite_sequence", "INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM next.sqlite_sequence"} {
			if err := c.exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	return fillFullText(ctx, c, next.shapes)
}
