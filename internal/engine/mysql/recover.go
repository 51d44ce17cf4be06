package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// recover clears what a crashed run left: it holds the target's lock, so the run
// that left it is over, and so is its last statement. What happened is read off
// the server, never off a note of the last step: the generation that stands in
// the target is in the table that claims it, which moves with all others.
func (t *target) recover(ctx context.Context, c *conn, keep int) error {
	if err := t.endExchange(ctx, c); err != nil {
		return err
	}
	if err := t.clearSides(ctx, c); err != nil {
		return err
	}
	return t.recoverBeside(ctx, c, keep)
}

// Mend is recover, for runs that may not come to a Begin.
func (t *target) Mend(ctx context.Context, runID string, keep int) error {
	c, err := t.recovered(ctx, runID, keep)
	if err == nil {
		t.unlock(c)
		c.hangUp()
	}
	return err
}

// recovered gives a session that holds the target's lock, once what a crashed run left is cleared.
func (t *target) recovered(ctx context.Context, runID string, keep int) (*conn, error) {
	c, err := t.session(ctx, runID)
	if err != nil {
		return nil, err
	}
	if err = t.lock(ctx, c); err == nil {
		err = t.recover(ctx, c, keep)
	}
	if err != nil {
		t.unlock(c)
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// missing tells what the target lacks of what belongs to its tables, while the switch
// that displaced k, or was to, is pending; switched: it took place.
func (k neighbour) missing(ctx context.Context, c *conn, switched bool) (string, error) {
	want := k.mark.Triggers
	if switched {
		want = k.mark.After
	}
	if len(want) == 0 {
		return "", nil
	}
	in := " = " + literal(k.mark.Of)
	there, err := c.rows(ctx, "look for what a switch left undone", "SELECT 'TRIGGER', trigger_name FROM information_schema.triggers WHERE trigger_schema"+in+
		" UNION ALL SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema"+in+
		" UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema"+in+
		" UNION ALL SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema"+in)
	if err != nil {
		return "", err
	}
	var lacks []string
	for _, o := range want {
		if !slices.ContainsFunc(there, func(r []string) bool { return r[0] == o.Kind && r[1] == o.Name }) {
			lacks = append(lacks, strings.ToLower(o.Kind)+" "+schema.Ident(o.Name))
		}
	}
	const shown = 5
	if n := len(lacks); n > shown {
		lacks = append(lacks[:shown], fmt.Sprintf("%d more", n-shown))
	}
	if len(lacks) == 0 {
		return "", nil
	}
	return "a run was killed in its switch, and " + quote(k.mark.Of) + " lacks " + strings.Join(lacks, ", "), nil
}

// recoverBeside is recover for the databases beside the target.
func (t *target) recoverBeside(ctx context.Context, c *conn, keep int) error {
	finished := false
	var follows []journal
	for _, database := range t.databases {
		next, kept, err := neighbours(ctx, c, database)
		if err != nil {
			return err
		}
		for _, k := range kept {
			if !k.mark.Pending {
				continue
			}
			present, _, err := readClaim(ctx, c, database)
			if err != nil {
				return err
			}
			if present != nil && present.ID == k.mark.Takes {
				finished = true
				follows = append(follows, k.mark)
				continue
			}
			if err := t.putBack(ctx, c, k); err != nil {
				return err
			}
		}
		if finished {
			continue
		}
		for _, n := range next {
			if err := dropDatabase(ctx, c, n.name); err != nil {
				return err
			}
		}
	}
	if finished {
		if err := follow(ctx, c, follows); err != nil {
			return err
		}
		return t.tidy(ctx, c, keep)
	}
	return nil
}

// putBack undoes a switch that did not take place: no server was seen to leave
// one half done, and if one did, its tables return in one statement.
func (t *target) putBack(ctx context.Context, c *conn, k neighbour) error {
	away, err := baseTables(ctx, c, k.name)
	if err != nil {
		return err
	}
	there, err := baseTables(ctx, c, k.mark.Of)
	if err != nil {
		return err
	}
	var renames []string
	for _, name := range away {
		if slices.Contains(there, name) {
			renames = append(renames, quoteName(schema.Name{Schema: k.mark.Of, Table: name})+" TO "+quoteName(schema.Name{Schema: k.mark.Incoming, Table: name}))
		}
	}
	for _, name := range away {
		renames = append(renames, quoteName(schema.Name{Schema: k.name, Table: name})+" TO "+quoteName(schema.Name{Schema: k.mark.Of, Table: name}))
	}
	if len(renames) > 0 {
		if err := c.exec(ctx, "put the target's tables back", "RENAME TABLE "+strings.Join(renames, ", ")); err != nil {
			return err
		}
	}
	if err := makeTriggers(ctx, c, k.mark.Of, k.mark.Triggers); err != nil {
		return err
	}
	return dropDatabase(ctx, c, k.name)
}

// tidy ends a switch's work: databases that gave their tables away go, of the
// kept generations the newest stay, and none is pending.
func (t *target) tidy(ctx context.Context, c *conn, keep int) error {
	for _, database := range t.databases {
		next, kept, err := neighbours(ctx, c, database)
		if err != nil {
			return err
		}
		for _, n := range next {
			if err := dropDatabase(ctx, c, n.name); err != nil {
				return err
			}
		}
		stay := 0
		for _, k := range kept {
			if k.tables == 0 || stay >= max(keep, 0) {
				if err := dropDatabase(ctx, c, k.name); err != nil {
					return err
				}
				continue
			}
			stay++
			if k.mark.Pending {
				k.mark.Pending, k.mark.Incoming, k.mark.Takes, k.mark.After = false, "", "", nil
				if err := k.mark.write(ctx, c, k.name); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Rollback puts a kept generation back in the target's place; the present one is
// kept instead. No generation named means the one put away last.
func (t *target) Rollback(ctx context.Context, generation string) error {
	run := "rollback-" + time.Now().UTC().Format("20060102T150405")
	c, err := t.recovered(ctx, run, 1<<20)
	if err != nil {
		return err
	}
	defer func() { t.unlock(c); c.hangUp() }()
	s := &swap{t: t, c: c, run: run, as: func(context.Context, func(schema.Name) schema.Name) error { return nil }}
	for _, database := range t.databases {
		_, kept, err := neighbours(ctx, c, database)
		if err != nil {
			return err
		}
		back, err := choose(kept, generation)
		if err != nil {
			return err
		}
		generation = back.mark.Run // the same in every database
		claim, _, err := readClaim(ctx, c, back.name)
		if err != nil {
			return err
		}
		if claim == nil { // it stood there before the first refresh: the target that it returns to is claimed
			if err := writeClaim(ctx, c, back.name, back.mark.Run, back.mark.Made, nil); err != nil {
				return err
			}
		}
		if err := s.add(ctx, database, back.name, generation, back.mark.Triggers); err != nil {
			return err
		}
	}
	err = s.do(ctx)
	c = s.c
	if err != nil {
		return err
	}
	return engine.Switched(t.tidy(context.WithoutCancel(ctx), c, 1<<20))
}

func choose(kept []neighbour, generation string) (neighbour, error) {
	var known []string
	for _, k := range kept {
		if k.tables == 0 {
			continue
		}
		if generation == "" || k.mark.Run == generation {
			return k, nil
		}
		known = append(known, k.mark.Run)
	}
	e := &engine.Error{Code: engine.Failed, Doing: "roll back", Say: "no earlier generation is kept", Hint: "load.keep says how many stay after a refresh"}
	if len(known) > 0 {
		e.Say, e.Hint = "there is no such generation", "kept are "+strings.Join(known, ", ")
	}
	return neighbour{}, e
}
