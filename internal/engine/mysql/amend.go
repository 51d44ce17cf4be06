package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/script"
)

var (
	_ engine.Scripted  = (*target)(nil)
	_ engine.Amendable = (*load)(nil)
	_ engine.Amendable = (*exchange)(nil)
)

// Statements takes a script apart. A statement that names a database is refused:
// the generation stands in one of another name, so it would reach rows in use.
func (t *target) Statements(text string) ([]script.Statement, []script.Mistake) {
	statements, mistakes := script.Parse(text, script.Dialect{Ticks: true, Backslash: true, Hash: true, Modifiers: true})
	own := func(name string) bool {
		return serverDatabase(name) || slices.ContainsFunc(t.databases, func(d string) bool { return strings.EqualFold(d, name) })
	}
	for _, s := range statements {
		if say, hint := reach(s.Text, own); say != "" {
			mistakes = append(mistakes, script.Mistake{Line: s.Line, Say: say, Hint: hint})
		}
	}
	if len(t.databases) > 1 && len(mistakes) == 0 {
		mistakes = append(mistakes, script.Mistake{Line: 1, Say: "statements after the load are not there yet for a target of several databases", Hint: "run them after `understudy refresh`"})
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return statements, nil
}

// reach tells why a statement may reach beyond the tables of the present
// database; empty if it does not. isDatabase knows names of databases.
func reach(statement string, isDatabase func(string) bool) (say, hint string) {
	all := tokens(statement)
	for _, t := range all {
		if t.kind == comment && (strings.HasPrefix(t.text, "/*!") || strings.HasPrefix(t.text, "/*M!")) {
			return "it holds a comment that the server executes", "write what it says as plain SQL"
		}
	}
	all = slices.DeleteFunc(all, func(t token) bool { return t.kind == comment }) // a name and its dot may stand around one
	for i, t := range all {
		if joined(all, i) {
			return "a name that begins with a digit stands beside a dot", "write names in backticks, and a number with its zero: 0.5"
		}
		name, ok := t.name()
		if !ok || i+1 >= len(all) || !all[i+1].mark(".") || i > 0 && all[i-1].mark(".") {
			continue
		}
		if isDatabase(name) || !stands(all, name) {
			return fmt.Sprintf("%s names a database, or a table that the statement does not open", schema.Ident(name)),
				"write the table alone, and before a column the table or its alias: the new generation stands in a database of its own until the switch"
		}
	}
	return "", ""
}

// joined tells whether the dot inside a token may stand between names, as in
// shop.1st and 1shop.orders, and not in a number.
func joined(all []token, i int) bool {
	t := all[i]
	if t.kind != word || !strings.Contains(t.text, ".") {
		return false
	}
	if !numeral.MatchString(t.text) {
		return true
	}
	before := i > 0 && (all[i-1].kind == word || all[i-1].kind == quoted)
	return t.text[0] == '.' && before
}

// numeral is a number with a dot, up to the sign of its exponent.
var numeral = regexp.MustCompile(`^([0-9]+\.[0-9]*|\.[0-9]+)([eE][0-9]*)?$`)

// stands tells whether a name stands in a statement with no dot beside it, as a
// table that is opened or its alias does.
func stands(all []token, name string) bool {
	for i, t := range all {
		if n, ok := t.name(); ok && strings.EqualFold(n, name) && (i == 0 || !all[i-1].mark(".")) && (i+1 == len(all) || !all[i+1].mark(".")) {
			return true
		}
	}
	return false
}

// Amend runs the statements on the new generation in one transaction, with
// foreign keys enforced. The triggers that the switch will make stand there
// meanwhile, and the routines and views that they may need.
func (l *load) Amend(ctx context.Context, statements []script.Statement) (failed int, err error) {
	d := &l.plan.databases[0]
	c, err := l.t.session(ctx, l.spec.RunID+" amend")
	if err != nil {
		return 0, err
	}
	defer c.hangUp()
	if i, err := beyond(ctx, c, statements); err != nil {
		return i, err
	}
	if err := l.arm(ctx, c, d); err != nil {
		return 0, err
	}
	const doing = "run the statement"
	for _, sql := range []string{"USE " + quote(d.next), "SET SESSION foreign_key_checks = 1, unique_checks = 1", "START TRANSACTION"} {
		if err := c.exec(ctx, doing, sql); err != nil {
			return 0, err
		}
	}
	if i, err := runAll(ctx, c, statements); err != nil {
		if e := (*engine.Error)(nil); errors.As(err, &e) && e.Code == engine.Denied {
			e.Hint = "they run in the database that is built beside the target: GRANT UPDATE, or what the statement does, ON " + quote(pattern(d.name+"_")+"%") + ".* with what is granted there"
		}
		return i, err
	}
	if err := c.exec(ctx, doing, "COMMIT"); err != nil {
		return len(statements), err
	}
	if err := l.disarm(ctx, c, d); err != nil {
		return len(statements), err
	}
	now, err := c.value(ctx, "ask the server's time", "SELECT NOW(6)")
	if err != nil {
		return len(statements), err
	}
	l.mu.Lock()
	l.loaded = now // whose snapshot is older would see the rows from before
	l.mu.Unlock()
	return len(statements), nil
}

// runAll runs statements one by one, each within the limit of one.
func runAll(ctx context.Context, c *conn, statements []script.Statement) (failed int, err error) {
	for i, s := range statements {
		limited, cancel := context.WithTimeout(ctx, c.limits.WithDefaults().Statement)
		err := c.exec(limited, "run the statement", s.Text)
		cancel()
		if err != nil {
			return i, err
		}
	}
	return len(statements), nil
}

// Amend runs the statements inside the open transaction, as the target's users
// would: with foreign keys enforced, and followed. The keys are proved again.
func (x *exchange) Amend(ctx context.Context, statements []script.Statement) (failed int, err error) {
	const doing = "run the statement"
	set := func(ctx context.Context, c *conn, checks, mode string) error {
		return c.exec(ctx, doing, "SET SESSION foreign_key_checks = "+checks+", sql_mode = "+literal(mode))
	}
	return failed, x.inside(func(c *conn) error {
		if failed, err = beyond(ctx, c, statements); err != nil {
			return err
		}
		x.proved = false
		if err := c.exec(ctx, doing, "SAVEPOINT amend"); err != nil {
			return err
		}
		if err := set(ctx, c, "1", plainMode); err != nil {
			return err
		}
		failed, err = runAll(ctx, c, statements)
		undo := context.WithoutCancel(ctx)
		if err != nil && !c.broken {
			_ = c.exec(undo, doing, "ROLLBACK TO SAVEPOINT amend") // the run ends, and with it the transaction
		}
		return errors.Join(err, set(undo, c, "0", writeMode))
	})
}

// beyond refuses statements in which a name before a dot is that of any database
// of the server.
func beyond(ctx context.Context, c *conn, statements []script.Statement) (failed int, err error) {
	rows, err := c.rows(ctx, "list the databases", "SELECT schema_name FROM information_schema.schemata")
	if err != nil {
		return 0, err
	}
	isDatabase := func(name string) bool {
		return slices.ContainsFunc(rows, func(r []string) bool { return strings.EqualFold(r[0], name) })
	}
	for i, s := range statements {
		if say, hint := reach(s.Text, isDatabase); say != "" {
			return i, &engine.Error{Code: engine.Syntax, Doing: "run the statement", Say: say, Hint: hint}
		}
	}
	return 0, nil
}

// arm makes the target's triggers on the new tables. Of routines and views those
// that cannot be made there are left out: a statement that needs one fails.
func (l *load) arm(ctx context.Context, c *conn, d *databasePlan) error {
	there := func(name string) string {
		if p := l.plan.database(name); p != nil {
			return p.next
		}
		return name
	}
	if !l.plan.foreign { // else Finish has made them
		others, _, err := readOthers(ctx, c, d.name)
		if err != nil {
			return err
		}
		var list []object
		for _, o := range others {
			if made, why := o.foreign(there); why == "" && o.Kind != "EVENT" {
				list = append(list, made)
			}
		}
		if err := makeAll(ctx, c, within(d.next, list)); err != nil && (ctx.Err() != nil || c.broken) {
			return err
		}
	}
	for _, o := range d.triggers {
		made, why := o.foreign(there)
		if why != "" {
			return &engine.Error{Code: engine.Unsupported, Doing: "make trigger " + schema.Ident(o.Name), Table: schema.Name{Schema: d.name, Table: o.Table},
				Say: why, Hint: "triggers fire when statements of load.after change rows: run the statements after `understudy refresh` instead"}
		}
		if err := made.make(ctx, c, d.next); err != nil {
			return err
		}
	}
	return nil
}

// disarm takes the triggers away: a table that has one cannot change its database.
func (l *load) disarm(ctx context.Context, c *conn, d *databasePlan) error {
	for _, o := range d.triggers {
		if err := o.drop(ctx, c, d.next); err != nil {
			return err
		}
	}
	return nil
}
