package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// inPlace is a target whose tables stay where they are: their rows are exchanged
// in one transaction. No database is made, and no table renamed.
type inPlace struct {
	*target

	mu        sync.Mutex // guards exchanges
	exchanges []*exchange
}

var (
	_ engine.Replaceable = (*target)(nil)
	_ engine.Target      = (*inPlace)(nil)
)

// InPlace gives the target as one whose rows are exchanged where they stand.
func (t *target) InPlace() engine.Target { return &inPlace{target: t} }

// Begin locks the target, clears what a crashed run left, and makes the tables in
// which rows will wait.
func (t *inPlace) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	if err := nameable(spec.RunID); err != nil {
		return nil, err
	}
	guard, err := t.session(ctx, spec.RunID)
	if err != nil {
		return nil, err
	}
	x := &exchange{t: t, spec: spec, guard: guard, made: time.Now().UTC(), pool: newPool(spec, t.target), local: locality{never: t.insert}}
	if err := x.begin(ctx); err != nil {
		undo, cancel := context.WithTimeout(context.Background(), time.Minute) // undoing: the run's context may be over
		defer cancel()
		_ = x.Abort(undo) // what stays is cleared by the next run
		return nil, err
	}
	t.mu.Lock()
	t.exchanges = append(t.exchanges, x)
	t.mu.Unlock()
	return x, nil
}

func (t *inPlace) forget(x *exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges = slices.DeleteFunc(t.exchanges, func(o *exchange) bool { return o == x })
}

// Close ends every session of the target, those of exchanges too.
func (t *inPlace) Close() error {
	t.mu.Lock()
	open := t.exchanges
	t.exchanges = nil
	t.mu.Unlock()
	for _, x := range open {
		x.hangUp()
	}
	return t.target.Close()
}

// Fit has nothing to tell: a target without tables of its own is refused.
func (t *inPlace) Fit(context.Context, engine.Source, []string) (obstacles, notes []string, err error) {
	return nil, nil, nil
}

// Rollback puts back what a switch kept before the target's job came to exchange
// rows; an exchange itself keeps nothing to go back to.
func (t *inPlace) Rollback(ctx context.Context, generation string) error {
	var kept []neighbour
	err := t.with(ctx, func(c *conn) (err error) {
		_, kept, err = neighbours(ctx, c, t.databases[0])
		return err
	})
	switch {
	case err != nil:
		return err
	case len(kept) == 0:
		return &engine.Error{Code: engine.Failed, Doing: "roll back", Say: "rows that were exchanged in place are not kept", Hint: "`load: {mode: swap}` keeps earlier generations"}
	}
	return t.target.Rollback(ctx, generation)
}

// State tells what stands in the databases. It takes no lock beyond those of reading.
func (t *inPlace) State(ctx context.Context) (*engine.State, error) {
	state := &engine.State{Renames: true, Mechanism: "rows exchanged in place, in one transaction; no generation is kept"}
	err := t.with(ctx, func(c *conn) error {
		may, err := readPrivileges(ctx, c)
		if err != nil {
			return err
		}
		if err := t.readable(may, may.missingInPlace); err != nil {
			return err
		}
		if err := t.look(ctx, c, state); err != nil {
			return err
		}
		if err := t.obstacles(ctx, c, may, state); err != nil {
			return err
		}
		return t.keptBefore(ctx, c, may, state)
	})
	if err != nil {
		return nil, err
	}
	return state, nil
}

// obstacles finds what would stop an exchange here, each with its remedy.
func (t *inPlace) obstacles(ctx context.Context, c *conn, may *privileges, state *engine.State) error {
	say := func(format string, args ...any) {
		state.Obstacles = append(state.Obstacles, fmt.Sprintf(format, args...))
	}
	if may.opaque { // a trigger that the user may not see would fire
		say("the grants of %s cannot be read, so tables may have triggers that it does not see, which an exchange of rows would fire: `load: {mode: swap}` fires none", may.user)
	}
	writes, err := may.writes(ctx, c)
	if err != nil {
		return err
	}
	if !writes {
		say(isReplica)
	}
	open, err := t.withoutKey(ctx, c) // side tables are without one too
	if err != nil {
		return err
	}
	state.Obstacles = append(state.Obstacles, open...)
	for _, database := range t.databases {
		state.Obstacles = append(state.Obstacles, may.missingInPlace(database)...)
		s, err := findSides(ctx, c, database)
		if err != nil {
			return err
		}
		if s.other != "" {
			say("%s", s.other)
		}
	}
	outside, err := t.outside(ctx, c, may)
	if err != nil {
		return err
	}
	for _, r := range outside {
		say("a foreign key of %s.%s references %s.%s, and its rows are not among those that are proved: take that database into the job's schemas, or drop the key", r[0], r[1], r[2], r[3])
	}
	if !may.has("PROCESS", "") {
		state.Notes = append(state.Notes, fmt.Sprintf("foreign keys of databases that the user may not see stay unseen, and are neither asked nor followed when rows go: GRANT PROCESS ON *.* TO %s shows them", may.user))
	}
	searched, err := c.rows(ctx, "look for full-text indexes", "SELECT DISTINCT table_schema, table_name FROM information_schema.statistics WHERE index_type = 'FULLTEXT' AND table_schema IN ("+literals(t.databases)+") ORDER BY 1, 2")
	if err != nil {
		return err
	}
	for _, r := range searched {
		state.Notes = append(state.Notes, fmt.Sprintf("a transaction that is older than the exchange no longer finds the old rows of %s.%s by its full-text index", schema.Ident(r[0]), schema.Ident(r[1])))
	}
	if state.Bars, err = barred(ctx, c, t.databases); err != nil {
		return err
	}
	compressed, err := refusedCompressed(ctx, c, t.databases)
	state.Bars = append(state.Bars, compressed...)
	return err
}

// barred lists the tables whose rows cannot be exchanged, and why. A trigger of the
// event UPDATE is none: rows are deleted and inserted, never updated.
func barred(ctx context.Context, c *conn, databases []string) ([]engine.Bar, error) {
	var out []engine.Bar
	rows, err := c.rows(ctx, "look for triggers", "SELECT event_object_schema, event_object_table, trigger_name FROM information_schema.triggers WHERE event_object_schema IN ("+literals(databases)+
		") AND event_manipulation <> 'UPDATE' ORDER BY 1, 2, 3")
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if i > 0 && slices.Equal(rows[i-1][:2], r[:2]) {
			continue
		}
		var names []string
		for _, o := range rows[i:] {
			if slices.Equal(o[:2], r[:2]) {
				names = append(names, schema.Ident(o[2]))
			}
		}
		name := schema.Name{Schema: r[0], Table: r[1]}
		out = append(out, engine.Bar{Table: name, Say: fmt.Sprintf("%s has triggers that would fire at every row that goes or comes (%s), and the server cannot silence them: `load: {mode: swap}` fires none, or drop them", name, strings.Join(names, ", "))})
	}
	rows, err = c.rows(ctx, "look at the storage engines", "SELECT table_schema, table_name, engine FROM information_schema.tables WHERE table_schema IN ("+literals(databases)+
		") AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND engine <> 'InnoDB' ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	for _, r := range withoutOwn(rows) {
		name := schema.Name{Schema: r[0], Table: r[1]}
		out = append(out, engine.Bar{Table: name, Say: fmt.Sprintf("%s has the storage engine %s, whose rows cannot be exchanged in one transaction with the others: ALTER TABLE %s ENGINE=InnoDB", name, r[2], quoteName(name))})
	}
	return out, nil
}

// keptBefore tells what becomes of the generations that switches kept.
func (t *inPlace) keptBefore(ctx context.Context, c *conn, may *privileges, state *engine.State) error {
	for _, database := range t.databases {
		_, kept, err := neighbours(ctx, c, database)
		if err != nil {
			return err
		}
		for _, k := range kept {
			say := "an earlier switch kept the database %s: `understudy rollback` goes back to it until the next refresh, which removes it, because nothing is kept where rows are exchanged in place"
			if !may.has("DROP", k.name) {
				say = "an earlier switch kept the database %s, which the user may not drop: it stays until somebody does"
			}
			state.Notes = append(state.Notes, fmt.Sprintf(say, quote(k.name)))
		}
	}
	return nil
}

// clearBeside finishes or clears what runs that switch left beside the target, and
// of the generations they kept removes all but the newest so many. What the user
// may not drop stays, and State tells of it; but a switch that has to be finished
// is no matter of taste.
func (t *inPlace) clearBeside(ctx context.Context, c *conn, keep int) error {
	pending := false
	for _, database := range t.databases {
		_, kept, err := neighbours(ctx, c, database)
		if err != nil {
			return err
		}
		pending = pending || slices.ContainsFunc(kept, func(k neighbour) bool { return k.mark.Pending })
	}
	err := t.recoverBeside(ctx, c, keep)
	if err == nil {
		err = t.tidy(ctx, c, keep)
	}
	if engine.CodeOf(err) == engine.Denied && !pending {
		return nil
	}
	return err
}
