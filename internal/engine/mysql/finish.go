package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	client "github.com/go-sql-driver/mysql"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Finish makes the indexes and foreign keys that rows did not need, tries what
// the target will get beside tables, and gathers statistics. AUTO_INCREMENT goes
// on past the rows' numbers, or where the source's stands if that is further.
func (l *load) Finish(ctx context.Context) error {
	now, err := l.guard.value(ctx, "ask the server's time", "SELECT NOW(6)")
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.loaded, l.filling = now, time.Since(l.made)
	l.mu.Unlock()
	l.spec.Step("make the indexes")
	if err := l.parallel(ctx, l.index); err != nil {
		return err
	}
	l.spec.Step("make the foreign keys")
	for i := range l.plan.databases { // one by one: each locks the tables it points at
		for j := range l.plan.databases[i].tables {
			if err := l.tie(ctx, &l.plan.databases[i], &l.plan.databases[i].tables[j]); err != nil {
				return err
			}
		}
	}
	if err := l.t.pauses.at(ctx, "indexes"); err != nil {
		return err
	}
	if err := l.rehearse(ctx); err != nil {
		return err
	}
	l.spec.Step("gather statistics")
	return l.parallel(ctx, func(ctx context.Context, d *databasePlan, c *creation) error {
		return l.with(ctx, func(s *conn) error {
			_, err := s.rows(ctx, "gather statistics of "+c.name.String(), "ANALYZE NO_WRITE_TO_BINLOG TABLE "+quoteName(schema.Name{Schema: d.next, Table: c.name.Table}))
			return err
		})
	})
}

// parallel calls do for every table, on as many sessions as there are writers, the
// table with the most rows first.
func (l *load) parallel(ctx context.Context, do func(context.Context, *databasePlan, *creation) error) error {
	type place struct {
		d *databasePlan
		c *creation
	}
	var tables []place
	var weights []int64
	l.mu.Lock()
	for i := range l.plan.databases {
		d := &l.plan.databases[i]
		for j := range d.tables {
			tables = append(tables, place{d, &d.tables[j]})
			weights = append(weights, l.sent[schema.Name{Schema: d.name, Table: d.tables[j].name.Table}])
		}
	}
	l.mu.Unlock()
	return inOrder(ctx, cap(l.pool.slots), weights, func(ctx context.Context, i int) error { return do(ctx, tables[i].d, tables[i].c) })
}

// index adds the indexes. Where other sessions' transactions cannot be seen, the
// table is rebuilt by the same statement: to a snapshot that is older than its
// rows it would be empty, and after that the server refuses to read it.
func (l *load) index(ctx context.Context, d *databasePlan, c *creation) error {
	var add, words []string
	for _, key := range c.later {
		if strings.HasPrefix(key, "FULLTEXT") {
			words = append(words, "ADD "+key)
		} else {
			add = append(add, "ADD "+key)
		}
	}
	if len(words) > 0 {
		add, words = append(add, words[0]), words[1:]
	}
	if !l.watches && c.facts.transactional() {
		add = append(add, "FORCE")
	}
	if next := goesOn(l.spec.Positions, schema.Name{Schema: d.name, Table: c.name.Table}, c.shape, c.facts); next != "" {
		add = append(add, "AUTO_INCREMENT = "+next)
	}
	if len(add) == 0 {
		return nil
	}
	const doing = "make the indexes of "
	err := l.alter(ctx, d, c, doing, add)
	for _, one := range words { // InnoDB makes one at a time (error 1795)
		if err == nil {
			err = l.alter(ctx, d, c, doing, []string{one})
		}
	}
	return err
}

func (l *load) tie(ctx context.Context, d *databasePlan, c *creation) error {
	var add []string
	for _, f := range c.foreign {
		add = append(add, "ADD "+f.before+quoteName(schema.Name{Schema: l.plan.nextOf(f.to.Schema), Table: f.to.Table})+f.after)
	}
	if len(add) == 0 {
		return nil
	}
	return l.alter(ctx, d, c, "make the foreign keys of ", add)
}

// structural are errors about a table's structure that a strict session meets in
// each statement which rebuilds the table: 1067 a default its type does not take,
// 1291 labels that its collation takes for one.
var structural = []int{1067, 1291}

// notInPlace are errors about what a table can be made with and copied to, and not
// changed into where it stands: 138 on MariaDB a foreign key on a column that a
// stored one is computed from, 1845 and 1846 where the server's settings
// (alter_algorithm) want it in place.
var notInPlace = []int{138, 1845, 1846}

func (l *load) alter(ctx context.Context, d *databasePlan, c *creation, doing string, add []string) error {
	name := schema.Name{Schema: d.name, Table: c.name.Table}
	return l.with(ctx, func(s *conn) error {
		w := &writer{c: s, doing: doing + name.String(), table: name}
		shape := *c.shape
		shape.Name = schema.Name{Schema: d.next, Table: c.name.Table}
		w.shape = &shape
		sql := "ALTER TABLE " + quoteName(shape.Name) + " " + strings.Join(add, ", ")
		run := func() error {
			_, err := w.run(ctx, sql)
			if slices.Contains(notInPlace, numberOf(err)) && !strings.HasSuffix(sql, copying) {
				sql += copying
				_, err = w.run(ctx, sql)
			}
			return err
		}
		if err := s.exec(ctx, w.doing, "SET SESSION sql_mode = "+literal(writeMode)); err != nil {
			return err
		}
		if err := run(); !slices.Contains(structural, numberOf(err)) {
			return err
		}
		// As the table was made: what it holds of such a kind was let in elsewhere. A
		// value that is computed anew must not change for all that.
		if err := s.exec(ctx, w.doing, "SET SESSION sql_mode = "+literal(structureMode+",ALLOW_INVALID_DATES")); err != nil {
			return err
		}
		err := run()
		if err == nil {
			var said []*client.MySQLError
			said, err = w.warnings(ctx)
			for _, m := range said {
				if !slices.Contains(structural, int(m.Number)) && err == nil {
					err = w.wrap(ctx, m)
				}
			}
		}
		if back := s.exec(context.WithoutCancel(ctx), w.doing, "SET SESSION sql_mode = "+literal(writeMode)); err == nil {
			err = back
		} else if back != nil {
			s.hangUp() // it must not serve others as it is
		}
		return err
	})
}

// copying makes a table anew beside itself.
const copying = ", ALGORITHM=COPY"

// rehearse makes triggers, and of a structure from elsewhere views, routines and
// events, beside the target: what the server does not take, such as a trigger of an
// account that only the mightiest may make one for, shows before the switch. They go
// with the database; triggers would keep its tables there.
func (l *load) rehearse(ctx context.Context) error {
	if !l.plan.foreign {
		for _, d := range l.plan.databases {
			for _, o := range d.triggers {
				err := o.make(ctx, l.guard, d.next)
				if engine.CodeOf(err) == engine.Denied {
					return &engine.Error{Code: engine.Denied, Doing: "make trigger " + schema.Ident(o.Name) + " beside the target", Table: schema.Name{Schema: d.name, Table: o.Table}, Err: err,
						Say: "the user may not make it again for " + account(o.Definer) + ", to whom it belongs", Hint: "make the trigger in the target as the user of the refresh, or on MySQL: GRANT SYSTEM_USER ON *.* to that user, where the owner has it"}
				}
				if err == nil {
					err = o.drop(ctx, l.guard, d.next)
				}
				if err != nil {
					return unfit(err)
				}
			}
		}
		return nil
	}
	l.spec.Step("try views, routines and triggers")
	there := func(name string) string {
		if d := l.plan.database(name); d != nil {
			return d.next
		}
		return name
	}
	var all, named []placed
	for _, d := range l.plan.databases {
		for _, o := range d.after {
			made, why := o.foreign(there)
			if why == "" {
				all = append(all, placed{made, d.next})
				continue
			}
			// It names the target's database, where it will stand; here views may need it.
			if made, _ = o.moved(there); o.Kind == "EVENT" {
				continue
			}
			if err := made.make(ctx, l.guard, d.next); err != nil && engine.CodeOf(err) != engine.Syntax {
				return err
			}
			named = append(named, placed{made, d.next})
		}
	}
	if err := makeAll(ctx, l.guard, all); err != nil {
		return err
	}
	for _, o := range named { // as on later nights: statements of load.after find none that names its database
		if err := o.drop(ctx, l.guard, o.database); err != nil {
			return err
		}
	}
	for _, d := range l.plan.databases {
		for _, o := range d.triggers {
			if made, why := o.foreign(there); why != "" {
				continue
			} else if err := made.make(ctx, l.guard, d.next); err != nil {
				return err
			}
			if err := o.drop(ctx, l.guard, d.next); err != nil {
				return err
			}
		}
	}
	return nil
}

// Fit tells what of a source's structure could not be made in the target.
func (t *target) Fit(ctx context.Context, from engine.Source, schemas []string) (obstacles, notes []string, err error) {
	s, ok := from.(sided)
	if !ok {
		return nil, nil, &engine.Error{Code: engine.Unsupported, Doing: "look at the source's structure", Say: "it is another engine's"}
	}
	databases := s.self().covered(schemas)
	var plan *blueprint
	var comments string
	err = s.self().with(ctx, func(c *conn) (err error) {
		names := map[string]string{}
		for i := range min(len(databases), len(t.databases)) { // the job names both in one order
			names[databases[i]] = t.databases[i]
		}
		if plan, err = readBlueprint(ctx, c, databases, names); err != nil {
			return err
		}
		comments, err = c.value(ctx, "count the comments", "SELECT (SELECT count(*) FROM information_schema.columns WHERE table_schema IN ("+literals(databases)+") AND column_comment <> '')"+
			" + (SELECT count(*) FROM information_schema.tables WHERE table_schema IN ("+literals(databases)+") AND table_type <> 'VIEW' AND table_comment <> '')")
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if comments != "0" {
		notes = append(notes, "comments of tables and columns come along as they are, and no rule masks them: "+comments)
	}
	obstacles = plan.refused
	var reaching []string
	err = onBothSides(ctx, s.self(), &t.side, func(from, to *conn, together bool) (err error) {
		if reaching, err = plan.reaching(ctx, from, to, together); err != nil || together {
			return err
		}
		collations, err := plan.foreignCollations(ctx, from, to)
		reaching = append(reaching, collations...)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	obstacles = append(obstacles, reaching...)
	notes = append(notes, plan.blind...)
	notes = append(notes, plan.hidden...)
	kinds := map[string]bool{}
	for _, d := range plan.databases {
		for _, o := range append(d.triggers, d.after...) {
			kinds[o.Kind] = true
		}
		if kinds["EVENT"] {
			notes = append(notes, "events come disabled: ALTER EVENT ... ENABLE those that shall run")
		}
	}
	if len(kinds) > 0 {
		notes = append(notes, "triggers, views, routines and events will belong to the target's user")
	}
	err = t.with(ctx, func(c *conn) error {
		may, err := readPrivileges(ctx, c)
		if err != nil {
			return err
		}
		strict, err := gtidsOnly(ctx, c)
		if err != nil {
			return err
		}
		setting, err := keysOnly(ctx, c)
		if err != nil {
			return err
		}
		noneCompressed, err := refusesCompressed(ctx, c)
		if err != nil {
			return err
		}
		for _, d := range plan.databases {
			for _, table := range d.tables {
				if noneCompressed && table.compressed() {
					obstacles = append(obstacles, compressedSay(schema.Name{Schema: d.from, Table: table.name.Table})+"give the target its structure first, by its own migrations, with ROW_FORMAT=DYNAMIC there")
				}
				if setting != "" && !table.keyed(setting) {
					obstacles = append(obstacles, withoutKey(schema.Name{Schema: d.from, Table: table.name.Table}, setting))
				}
				if !switchable(table.engine) { // else this night makes what the next one refuses
					obstacles = append(obstacles, fmt.Sprintf("%s has the storage engine %s in production, whose tables cannot be switched: give the target its structure first, by its own migrations, with ENGINE=InnoDB there", schema.Name{Schema: d.from, Table: table.name.Table}, table.engine))
				}
				if strict && strings.EqualFold(table.engine, "MyISAM") {
					obstacles = append(obstacles, fmt.Sprintf("%s has the storage engine MyISAM in production, whose tables a target that enforces GTIDs does not lock together with others: give the target its structure first, by its own migrations, with ENGINE=InnoDB there", schema.Name{Schema: d.from, Table: table.name.Table}))
				}
			}
		}
		var needed []string
		routine := []string{"CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE"} // with the latter two the server grants nothing for each, which would stay
		for _, need := range []struct {
			kind       string
			privileges []string
		}{{"TRIGGER", []string{"TRIGGER"}}, {"VIEW", []string{"CREATE VIEW"}}, {"FUNCTION", routine}, {"PROCEDURE", routine}, {"EVENT", []string{"EVENT"}}} {
			for _, privilege := range need.privileges {
				if kinds[need.kind] && !slices.Contains(needed, privilege) {
					needed = append(needed, privilege)
				}
			}
		}
		besides := slices.DeleteFunc(append(generational(), "TRIGGER"), func(p string) bool { return slices.Contains(needed, p) })
		for _, database := range t.databases { // they are made beside the target first, to be tried
			obstacles = append(obstacles, may.lacks(needed, besides, database, "the target", pattern(database))...)
			obstacles = append(obstacles, may.lacks(needed, besides, beside(database, "next", "x"), "the databases that are built beside the target", pattern(database+"_")+"%")...)
		}
		if !kinds["FUNCTION"] && !kinds["TRIGGER"] {
			return nil
		}
		say, err := onlySuper(ctx, c, may, "the source")
		if say != "" {
			obstacles = append(obstacles, say)
		}
		return err
	})
	return obstacles, notes, err
}
