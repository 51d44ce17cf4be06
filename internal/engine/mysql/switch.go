package mysql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// How long the switch tries to get the locks of all tables: each try holds up
// others for limits.lock_wait at most, and between tries they go on.
const switchDeadline = 30 * time.Second

// A swap puts the tables of databases beside the target in the place of its own,
// which go to other databases beside it, in one RENAME TABLE.
type swap struct {
	t     *target
	c     *conn // holds the target's lock
	run   string
	parts []swapPart
	// as tells that rows somebody wrote meanwhile would be lost; at gives where a
	// table of the target stands when it is asked.
	as func(ctx context.Context, at func(schema.Name) schema.Name) error
}

// A swapPart is one database of the target.
type swapPart struct {
	target, incoming, away string
	mark                   journal // of away
	old, incomes           []string
}

// Switch leaves the manifest in the new generation and puts it in the target's
// place. Who reads the target sees the old tables or the new ones.
func (l *load) Switch(ctx context.Context, manifest []byte) error {
	l.spec.Step("leave the manifest")
	for _, d := range l.plan.databases {
		if err := writeClaim(ctx, l.guard, d.next, l.spec.RunID, l.made, append([]byte{}, manifest...)); err != nil {
			return err
		}
	}
	if err := l.t.pauses.at(ctx, "manifest"); err != nil {
		return err
	}
	now, err := l.t.definitions(ctx, l.guard)
	if err != nil {
		return err
	}
	if !maps.Equal(now, l.own) {
		return &engine.Error{Code: engine.Changed, Doing: "switch", Say: "the target's structure changed while the new generation was built",
			Hint: "run the refresh again when nobody migrates the target"}
	}
	if err := l.outlast(ctx); err != nil {
		return err
	}
	l.pool.hangUp()
	l.spec.Step("switch")
	s := &swap{t: l.t, c: l.guard, run: l.spec.RunID, as: l.carriedAsIs}
	for _, d := range l.plan.databases {
		after := slices.Clone(d.triggers)
		after = append(after, d.after...)
		if err := s.add(ctx, d.name, d.next, l.spec.RunID, after); err != nil {
			err = errors.Join(err, s.giveUp(ctx))
			l.guard = s.c
			return err
		}
	}
	if err := l.t.pauses.at(ctx, "prepared"); err != nil {
		err = errors.Join(err, s.giveUp(ctx))
		l.guard = s.c
		return err
	}
	err = s.do(ctx)
	l.guard = s.c
	if err != nil && !errors.Is(err, engine.ErrSwitched) {
		return err
	}
	l.mu.Lock()
	l.switched = true
	l.mu.Unlock()
	if err != nil {
		return err
	}
	l.spec.Step("drop older generations")
	err = l.t.pauses.at(ctx, "switched")
	if err == nil {
		err = l.t.tidy(context.WithoutCancel(ctx), l.guard, l.spec.Keep)
	}
	return engine.Switched(err)
}

// outlast waits until no transaction is left that is older than the rows: to its
// snapshot the tables would be empty. Those that do not end find the tables
// rebuilt, which they cannot read at all.
func (l *load) outlast(ctx context.Context) error {
	if !l.watches {
		return nil // they were rebuilt with their indexes
	}
	doing := "wait for transactions that are older than the rows"
	deadline := time.Now().Add(min(l.filling/2, 10*l.t.limits.LockWait)) // a rebuild takes about as long
	for {
		n, err := l.guard.value(ctx, doing, "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_started <= "+literal(l.loaded)+
			" AND trx_isolation_level IN ('REPEATABLE READ', 'SERIALIZABLE') AND trx_mysql_thread_id NOT IN (0, CONNECTION_ID())")
		if err != nil || n == "0" {
			return err
		}
		if time.Now().After(deadline) {
			break
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	l.spec.Step("rebuild the tables, because an old transaction is still open")
	for i := range l.plan.databases { // one by one: each locks the tables it is tied to
		d := &l.plan.databases[i]
		for j := range d.tables {
			if !d.tables[j].facts.transactional() {
				continue
			}
			if err := l.alter(ctx, d, &d.tables[j], "rebuild ", []string{"FORCE"}); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait pauses, or returns as soon as ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return wrap(ctx, ctx.Err(), "wait")
	case <-timer.C:
		return nil
	}
}

// baseTables lists the tables of a database that hold rows, the one that claims it last.
func baseTables(ctx context.Context, c *conn, database string) ([]string, error) {
	rows, err := c.rows(ctx, "list the tables", "SELECT table_name FROM information_schema.tables WHERE table_schema = "+literal(database)+
		" AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_name <> "+literal(markTable)+" ORDER BY table_name = "+literal(generationTable)+", table_name")
	var out []string
	for _, r := range rows {
		out = append(out, r[0])
	}
	return out, err
}

// add prepares one database: it makes the one to which the present tables go, and
// writes into it all that recovery needs.
func (s *swap) add(ctx context.Context, target, incoming, takes string, after []object) error {
	present, _, err := readClaim(ctx, s.c, target)
	if err != nil {
		return err
	}
	p := swapPart{target: target, incoming: incoming}
	if p.old, err = baseTables(ctx, s.c, target); err != nil {
		return err
	}
	if p.incomes, err = baseTables(ctx, s.c, incoming); err != nil {
		return err
	}
	triggers, err := readTriggers(ctx, s.c, target)
	if err != nil {
		return err
	}
	clock, err := s.c.value(ctx, "ask the server's time", "SELECT UTC_TIMESTAMP(6)")
	if err != nil {
		return err
	}
	now, err := time.Parse("2006-01-02 15:04:05.999999", clock) // the server's clock: runs come from several machines
	if err != nil {
		return &engine.Error{Code: engine.Failed, Doing: "switch", Say: "the server's time cannot be read"}
	}
	p.mark = journal{Kind: markKept, Of: target, Run: "before-" + s.run, Made: now, By: s.run, At: now, Pending: true, Incoming: incoming, Takes: takes, Triggers: triggers, After: after}
	if present != nil {
		p.mark.Run, p.mark.Made = present.ID, present.Made
	}
	p.away = beside(target, "prev", p.mark.Run)
	taken, err := s.c.value(ctx, "look for a free name", "SELECT count(*) FROM information_schema.schemata WHERE schema_name = "+literal(p.away))
	if err != nil {
		return err
	}
	if taken != "0" { // the same generation was restored by hand, or copied
		p.away = beside(target, "prev", p.mark.Run+"-"+s.run)
	}
	defaults, err := s.c.row(ctx, "make the database "+quote(p.away), "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = "+literal(target))
	if err != nil {
		return err
	}
	if err := s.c.exec(ctx, "make the database "+quote(p.away), "CREATE DATABASE "+quote(p.away)+" CHARACTER SET "+defaults[0]+" COLLATE "+defaults[1]); err != nil {
		if numberOf(err) == 0 { // no answer came: it may be there, and is to be given up with the others
			s.parts = append(s.parts, p)
		}
		return err
	}
	s.parts = append(s.parts, p)
	return p.mark.write(ctx, s.c, p.away)
}

// giveUp removes what add made.
func (s *swap) giveUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var first error
	if s.c.broken && len(s.parts) > 0 {
		if err := s.renew(ctx); err != nil {
			return err // the next run clears them
		}
	}
	for _, p := range s.parts {
		if err := dropDatabase(ctx, s.c, p.away); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// do switches, trying again while others hold locks on the tables. When it fails,
// the target is what it was, or the error says that it is not: then the journal stays,
// and the next run has all that it needs to mend that.
func (s *swap) do(ctx context.Context) error {
	deadline := time.Now().Add(s.t.patience)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := s.try(ctx)
		if err == nil {
			return s.follow(ctx)
		}
		took, unknown := s.took(ctx)
		if unknown != nil {
			return errors.Join(engine.ErrUnknown, err, unknown)
		}
		if took {
			return s.follow(ctx)
		}
		if back := s.undo(ctx); back != nil {
			return errors.Join(engine.ErrUnknown, err, back)
		}
		number := numberOf(err)
		again := ctx.Err() == nil && (number == errLockWait || number == errDeadlock) && time.Now().Before(deadline)
		if again && wait(ctx, pause) == nil {
			continue
		}
		if number == errLockWait {
			err = &engine.Error{Code: engine.Timeout, Doing: "switch", State: fmt.Sprint("error ", number), Say: "others hold locks on the target's tables and do not let go",
				Hint: "end their long transactions, or raise limits.lock_wait"}
		}
		return errors.Join(err, s.giveUp(ctx))
	}
}

// try is one try: up to RENAME TABLE, and on MySQL the triggers with it.
func (s *swap) try(ctx context.Context) error {
	if err := s.c.exec(ctx, "begin the switch", "SET SESSION foreign_key_checks = 0, lock_wait_timeout = "+seconds(s.t.limits.LockWait)); err != nil {
		return err
	}
	var locks, renames []string
	for _, p := range s.parts {
		for _, name := range p.old {
			locks = append(locks, quoteName(schema.Name{Schema: p.target, Table: name})+" WRITE")
			renames = append(renames, quoteName(schema.Name{Schema: p.target, Table: name})+" TO "+quoteName(schema.Name{Schema: p.away, Table: name}))
		}
	}
	for _, p := range s.parts {
		for _, name := range p.incomes {
			locks = append(locks, quoteName(schema.Name{Schema: p.incoming, Table: name})+" WRITE")
			renames = append(renames, quoteName(schema.Name{Schema: p.incoming, Table: name})+" TO "+quoteName(schema.Name{Schema: p.target, Table: name}))
		}
	}
	if err := s.c.exec(ctx, "lock the tables for the switch", "LOCK TABLES "+strings.Join(locks, ", ")); err != nil {
		return err
	}
	if err := s.as(ctx, func(n schema.Name) schema.Name { return n }); err != nil {
		return err
	}
	for _, p := range s.parts {
		for _, o := range slices.Backward(p.mark.Triggers) { // what a kill leaves of them is in their order
			if err := o.drop(ctx, s.c, p.target); err != nil {
				return err
			}
		}
	}
	if err := s.t.pauses.at(ctx, "triggers dropped"); err != nil {
		return err
	}
	if s.c.maria { // it renames no table that its own session has locked
		if err := s.c.exec(ctx, "unlock the tables for the switch", "UNLOCK TABLES"); err != nil {
			return err
		}
	}
	if err := s.c.exec(ctx, "switch", "RENAME TABLE "+strings.Join(renames, ", ")); err != nil {
		return err
	}
	if err := s.t.pauses.at(ctx, "renamed"); err != nil {
		return err
	}
	if s.c.maria {
		return s.late(ctx)
	}
	for _, p := range s.parts {
		if err := makeTriggers(ctx, s.c, p.target, p.mark.After); err != nil {
			return err
		}
	}
	return s.c.exec(ctx, "unlock the tables for the switch", "UNLOCK TABLES")
}

// late looks, where the tables could not stay locked, whether somebody wrote to a
// preserved one at the last moment: then everything goes back.
func (s *swap) late(ctx context.Context) error {
	lost := s.as(ctx, func(n schema.Name) schema.Name {
		for _, p := range s.parts {
			if p.target == n.Schema {
				n.Schema = p.away
			}
		}
		return n
	})
	if engine.CodeOf(lost) != engine.Changed {
		return lost
	}
	var back []string
	for _, p := range s.parts {
		for _, name := range p.incomes {
			back = append(back, quoteName(schema.Name{Schema: p.target, Table: name})+" TO "+quoteName(schema.Name{Schema: p.incoming, Table: name}))
		}
	}
	for _, p := range s.parts {
		for _, name := range p.old {
			back = append(back, quoteName(schema.Name{Schema: p.away, Table: name})+" TO "+quoteName(schema.Name{Schema: p.target, Table: name}))
		}
	}
	if err := s.c.exec(ctx, "take the switch back", "RENAME TABLE "+strings.Join(back, ", ")); err != nil {
		return err
	}
	return lost
}

// took tells whether the tables are switched, whatever became of the statement
// and its session; an error where the server cannot be asked.
func (s *swap) took(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for tries := 0; ; tries++ {
		took, err := s.switched(ctx)
		if err == nil || tries > 0 {
			return took, err
		}
		if err := s.renew(ctx); err != nil {
			return false, err
		}
	}
}

// renew puts a session of its own in the place of one that may not be fit for use.
func (s *swap) renew(ctx context.Context) error {
	s.c.hangUp()
	c, err := s.t.again(ctx, s.run)
	if err == nil {
		s.c = c
	}
	return err
}

func (s *swap) switched(ctx context.Context) (bool, error) {
	p := s.parts[0]
	present, _, err := readClaim(ctx, s.c, p.target)
	if err != nil || present == nil || present.ID != p.mark.Takes {
		return false, err
	}
	left, err := baseTables(ctx, s.c, p.incoming) // a rollback may put back the run that stands there
	return len(left) == 0, err
}

// again opens a session in place of one that broke, as soon as the server has let
// go of what that one did.
func (t *target) again(ctx context.Context, run string) (*conn, error) {
	deadline := time.Now().Add(t.patience)
	for {
		c, err := t.session(ctx, run)
		if err == nil {
			if err = t.lock(ctx, c); err == nil {
				return c, nil
			}
			c.hangUp()
		}
		if time.Now().After(deadline) {
			return nil, err
		}
		if err := wait(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// undo gives the target its triggers back and its tables free. A session that was
// interrupted in a DROP TRIGGER may have lost the lock of that table alone, and makes
// none then until it holds no lock; another session does in any case.
func (s *swap) undo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	err := s.makeOld(ctx)
	if err == nil {
		return s.c.exec(ctx, "unlock the tables", "UNLOCK TABLES")
	}
	if s.c.exec(ctx, "unlock the tables", "UNLOCK TABLES") == nil && s.makeOld(ctx) == nil {
		return nil
	}
	if err := s.renew(ctx); err != nil {
		return err
	}
	return s.makeOld(ctx)
}

// makeOld makes those of the target's triggers that are not there.
func (s *swap) makeOld(ctx context.Context) error {
	for _, p := range s.parts {
		if err := makeTriggers(ctx, s.c, p.target, p.mark.Triggers); err != nil {
			return err
		}
	}
	return nil
}

// follow does what comes after the tables are in place.
func (s *swap) follow(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
	defer cancel()
	var all []journal
	for _, p := range s.parts {
		all = append(all, p.mark)
	}
	if err := follow(ctx, s.c, all); err != nil {
		return engine.Switched(err)
	}
	return engine.Switched(s.t.pauses.at(ctx, "followed"))
}

// follow makes what the journals say belongs to the tables that are now in place; it may
// be done again and again.
func follow(ctx context.Context, c *conn, all []journal) error {
	if err := c.exec(ctx, "unlock the tables", "UNLOCK TABLES"); err != nil {
		return err
	}
	var others []placed
	for _, m := range all {
		if err := makeTriggers(ctx, c, m.Of, m.After); err != nil {
			return err
		}
		others = append(others, within(m.Of, slices.DeleteFunc(slices.Clone(m.After), func(o object) bool { return o.Kind == "TRIGGER" }))...)
	}
	return makeAll(ctx, c, others)
}

// makeTriggers makes those of the objects that are triggers and not there. A trigger
// fires after those of its table that were made before it, so behind one that was
// missing all of the table are made anew.
func makeTriggers(ctx context.Context, c *conn, database string, list []object) error {
	if !slices.ContainsFunc(list, func(o object) bool { return o.Kind == "TRIGGER" }) {
		return nil
	}
	there, err := c.rows(ctx, "look for triggers", "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = "+literal(database))
	if err != nil {
		return err
	}
	gap := map[string]bool{} // by table
	for _, o := range list {
		present := slices.ContainsFunc(there, func(r []string) bool { return r[0] == o.Name })
		if o.Kind != "TRIGGER" || present && !gap[o.Table] {
			continue
		}
		gap[o.Table] = true
		if present {
			if err := o.drop(ctx, c, database); err != nil {
				return err
			}
		}
		if err := o.make(ctx, c, database); err != nil {
			return err
		}
	}
	return nil
}
