package postgres

import (
	"context"
	"errors"

	"understudy/internal/engine"
)

// told gives a failure of pg_restore whose words are not known the server's own
// reason: the one statement is repeated by a session of ours, which hears its
// SQLSTATE, the same in every language, and undone. Other errors stay as they are.
func (l *load) told(ctx context.Context, name string, set map[string]string, err error) error {
	var u *untoldError
	if !errors.As(err, &u) {
		return err
	}
	begin, statements, failed := l.plan.statements(ctx, []entry{u.entry})
	if failed != nil || statements == nil {
		return u.err
	}
	c, failed := connect(ctx, l.t.at, session{name: name, database: l.next, limits: l.t.limits, set: set})
	if failed != nil {
		return u.err
	}
	defer c.hangUp()
	doing := "build the " + u.entry.describe()
	failed = c.exec(ctx, doing, "BEGIN")
	if failed == nil {
		failed = c.exec(ctx, doing, begin)
	}
	if failed == nil {
		failed = c.exec(ctx, doing, statements[u.entry.id])
	}
	var e *engine.Error
	if !errors.As(failed, &e) {
		return u.err // it was a matter of the moment
	}
	if u.entry.kind == "INDEX" {
		e.Constraint = "" // the server calls a unique index so
	}
	if e.Code == engine.Syntax { // the structure was dumped a moment ago: nobody wrote it wrongly
		e.Code = engine.Failed
	}
	return overRows(e)
}

// overRows says of a function that failed while something was built over rows
// that the rows are what it refused.
func overRows(err error) error {
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Failed || len(e.State) != 5 {
		return err
	}
	switch e.State[:2] {
	case "38", "39", "2F", "P0":
		refused := *e
		refused.Code = engine.Constraint
		return &refused
	}
	return err
}

// unidentified says of a change or deletion that the server refused what most probably
// stands behind it: a publication could not tell which row it was.
func unidentified(err error) error {
	var e *engine.Error
	if !errors.As(err, &e) || e.State != "55000" && e.State != "42P10" {
		return err
	}
	told := *e
	told.Say = "the object is not in a state for this, as when a publication of the table takes no changed or deleted rows, for its replica identity does not tell them, or not what the publication's row filter asks"
	told.Hint = "if it is that: ALTER TABLE ... REPLICA IDENTITY FULL in the target, or take the table out of the publication"
	return &told
}
