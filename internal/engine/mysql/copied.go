package mysql

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/schema"
)

var (
	_ engine.Tryable   = (*target)(nil)
	_ engine.Alterable = (*load)(nil)
)

// A copied is what a load that is a copy of a structure, and will never be switched,
// knows of itself.
type copied struct {
	mu        sync.Mutex
	furnished bool
	// loose is what in the copy could reach beyond it, once statements about rows
	// run; empty if nothing could.
	loose string
	// enabled are the events that would run. In the copy none does.
	enabled map[string]bool
	// undated are the events whose schedule starts when they were made.
	undated map[string]bool
	// unseen are kinds of objects that grants hide, with the reason.
	unseen map[string]string
	// kept are the target's objects, where the copy is another's: what a migration
	// made there kept the settings of the session that the migration had.
	kept []object
	// done counts the statements of a text that failed which had run before.
	done map[string]int
}

// Alter runs statements in a session whose present database is the copy. A change
// of structure is never taken back: what ran before one that failed stays.
func (l *load) Alter(ctx context.Context, statements string) error {
	l.copied.mu.Lock()
	defer l.copied.mu.Unlock()
	d, c, err := l.tryingOn(ctx)
	if err != nil {
		return err
	}
	defer c.hangUp()
	b, err := readBounds(ctx, c, d.name, d.next)
	if err != nil {
		return err
	}
	b.own = slices.Compact([]string{d.name, d.from})
	b.all = slices.DeleteFunc(b.all, func(name string) bool { return name == d.next })
	list, err := b.take(statements)
	if err != nil {
		return err
	}
	const doing = "run the statement"
	const usual = "SET SESSION sql_mode = @@GLOBAL.sql_mode" // as whoever runs them by hand has it
	if err := c.exec(ctx, doing, usual); err != nil {
		return err
	}
	for i, s := range list {
		if i < l.copied.done[statements] && !s.sets {
			continue
		}
		if s.rows && l.copied.loose != "" {
			return &engine.Error{Code: engine.Unsupported, Doing: doing, Say: "rows are not touched in the copy, because " + l.copied.loose,
				Hint: "statements about rows are tried where triggers, routines and storage engines stay within the database"}
		}
		settings := l.copied.settings(s)
		if settings != "" {
			if err := c.exec(ctx, doing, settings); err != nil {
				return err
			}
		}
		limited, cancel := context.WithTimeout(ctx, c.limits.WithDefaults().Statement)
		err := c.exec(limited, doing, s.text)
		cancel()
		if settings != "" && err == nil {
			for _, sql := range []string{usual, "SET NAMES utf8mb4"} {
				if err := c.exec(ctx, doing, sql); err != nil {
					return err
				}
			}
		}
		if err != nil {
			l.copied.done[statements] = i
			return err
		}
		if s.loose {
			l.copied.loose = "a statement makes what may reach beyond it"
		}
		switch s.enabled {
		case "yes":
			l.copied.enabled[s.event] = true
		case "no":
			delete(l.copied.enabled, s.event)
		}
	}
	return c.exec(ctx, doing, "COMMIT")
}

// tryingOn gives the copy, which has all that its origin has, and a session in it.
func (l *load) tryingOn(ctx context.Context) (*databasePlan, *conn, error) {
	l.mu.Lock()
	over := l.ended || l.switched
	l.mu.Unlock()
	if over || len(l.plan.databases) != 1 {
		return nil, nil, &engine.Error{Code: engine.Unsupported, Doing: "try statements", Say: "there is no copy of one database to try them on"}
	}
	d := &l.plan.databases[0]
	c, err := l.t.session(ctx, l.spec.RunID+" try")
	if err != nil {
		return nil, nil, err
	}
	if !l.copied.furnished {
		err = l.furnish(ctx, c, d)
		l.copied.furnished = err == nil
	}
	if err == nil {
		err = c.exec(ctx, "turn to the copy", "USE "+quote(d.next))
	}
	if err != nil {
		c.hangUp()
		return nil, nil, err
	}
	return d, c, nil
}

// furnish makes what a structure has beside tables: sequences, routines, views,
// triggers, and events that do not run. Where their text names the database, it
// names the copy.
func (l *load) furnish(ctx context.Context, c *conn, d *databasePlan) error {
	k := &l.copied
	k.loose, k.enabled, k.undated, k.unseen, k.done = "", map[string]bool{}, map[string]bool{}, map[string]string{}, map[string]int{}
	b, err := readBounds(ctx, c, d.from, d.next)
	if err != nil {
		return err
	}
	const doing = "make a copy of the structure"
	if err := c.exec(ctx, doing, "ALTER DATABASE "+quote(d.next)+" CHARACTER SET "+d.charset+" COLLATE "+d.collation); err != nil {
		return err
	}
	for _, t := range d.tables {
		if !slices.Contains([]string{"innodb", "myisam", "aria", "rocksdb", "memory", "archive", "csv", "blackhole"}, strings.ToLower(t.engine)) {
			l.copied.loose = "the storage engine " + t.engine + " of " + schema.Ident(t.name.Table) + " may keep rows elsewhere"
		}
	}
	var triggers, others []object
	err = l.origin(ctx, func(c *conn) error {
		var hidden []string
		if triggers, err = readTriggers(ctx, c, d.from); err != nil {
			return err
		}
		if others, hidden, err = readOthers(ctx, c, d.from); err != nil {
			return err
		}
		for _, h := range hidden {
			kind, name, _ := strings.Cut(h, " ")
			l.copied.unseen[kind] = "the user may not read the definition of every one (" + name + ")"
		}
		may, err := readPrivileges(ctx, c)
		if err != nil {
			return err
		}
		for _, k := range may.blindTo(d.from) {
			l.copied.unseen[k.kind] = "the user may not see any (GRANT " + k.needs + " ON " + quote(pattern(d.from)) + ".*)"
		}
		return l.copySequences(ctx, c, d, b)
	})
	if err != nil {
		return err
	}
	if l.plan.foreign {
		if k.kept, err = readTriggers(ctx, l.guard, d.name); err != nil {
			return err
		}
		others, _, err := readOthers(ctx, l.guard, d.name)
		if err != nil {
			return err
		}
		k.kept = append(k.kept, others...)
	}
	for _, list := range [][]object{others, triggers} {
		for i := range list {
			list[i] = l.copied.within(b, list[i])
		}
		if err := makeAll(ctx, c, within(d.next, list)); err != nil {
			return err
		}
	}
	return c.exec(ctx, doing, "SET SESSION sql_mode = "+literal(plainMode))
}

// settings gives the session that a statement's object kept in the target; empty
// where nothing is known of it, or texts would end elsewhere in that session.
func (k *copied) settings(s tried) string {
	for _, o := range k.kept {
		if o.Kind == s.kind && o.Name == s.name && s.kind != "" && !bends(o.Mode) && safeCharset(token{text: o.Charset}) {
			mode := ""
			if o.Kind == "VIEW" {
				mode = plainMode
			}
			return object{Create: s.text, Mode: o.Mode + mode, Charset: o.Charset, Collation: o.Collation}.settings()
		}
	}
	return ""
}

// origin runs do with a session where the structure comes from.
func (l *load) origin(ctx context.Context, do func(c *conn) error) error {
	if s, ok := l.spec.Structure.(*structure); ok && s != nil {
		return s.side.with(ctx, do)
	}
	return do(l.guard) // statements run in sessions that never turn to the target
}

// within gives an object as it is made in the copy.
func (k *copied) within(b *bounds, o object) object {
	all, unclear := unfold(tokens(o.Create))
	edits, outside, say := b.names(all, o.Kind == "TRIGGER")
	for _, t := range all { // as in take
		if bends(o.Mode) && (t.kind == stringLit || t.kind == quoted && t.text[0] == '"') && strings.Contains(t.text, `\`) {
			edits, say = nil, "where a text ends depends on sql_mode"
		}
	}
	if unclear != nil || say != "" || outside != "" || loose(all) {
		k.loose = strings.ToLower(o.Kind) + " " + schema.Ident(o.Name) + " may reach beyond it"
	}
	h := readHead(all)
	if h.definer > 0 { // whoever makes the copy
		edits = append(edits, edit{all[h.definer].start, all[h.defined].start, ""})
	}
	if o.Kind == "EVENT" {
		s := tried{}
		edits, _, _ = b.event(all, h, &s, edits)
		k.enabled[o.Name], k.undated[o.Name] = s.enabled == "yes", o.Undated
	}
	o.Create, o.Definer = rewrite(o.Create, 0, len(o.Create), edits), ""
	return o
}

// copySequences makes the sequences, and has the defaults that count on them count
// on those of the copy.
func (l *load) copySequences(ctx context.Context, from *conn, d *databasePlan, b *bounds) error {
	run := func(doing, sql string) error {
		_, err := l.guard.change(ctx, doing, sql)
		return err
	}
	for _, name := range d.sequences {
		doing := "make the sequence " + schema.Ident(name)
		made, err := from.row(ctx, doing, "SHOW CREATE SEQUENCE "+quoteName(schema.Name{Schema: d.from, Table: name}))
		if err != nil {
			return err
		}
		for _, sql := range []string{"USE " + quote(d.next), made[1]} {
			if err := run(doing, sql); err != nil {
				return err
			}
		}
	}
	for _, t := range d.tables {
		for _, name := range t.facts.ddl.order {
			text := t.facts.ddl.columns[name].text
			edits, outside, say := b.names(tokens(text), false)
			if say != "" || outside != "" && !slices.Contains(b.own, outside) {
				l.copied.loose = "a default of " + t.name.String() + " may reach beyond it"
			}
			if len(edits) == 0 {
				continue
			}
			if err := run("make the table "+t.name.String(), "ALTER TABLE "+quoteName(schema.Name{Schema: d.next, Table: t.name.Table})+" MODIFY COLUMN "+quote(name)+" "+rewrite(text, 0, len(text), edits)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Catalog reads the copy as the database that it is a copy of: under its name,
// with its events' states. It fails when the target changed meanwhile.
func (l *load) Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error) {
	l.copied.mu.Lock()
	defer l.copied.mu.Unlock()
	d, c, err := l.tryingOn(ctx)
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	tables, r, err := readFacts(ctx, c, []string{d.next})
	if err != nil {
		return nil, err
	}
	now, err := l.t.definitions(ctx, c)
	if err != nil {
		return nil, err
	}
	if !maps.Equal(now, l.own) {
		return nil, &engine.Error{Code: engine.Changed, Doing: "compare the copy", Say: "the target's structure changed while statements were tried on a copy of it", Hint: "run again when nobody changes it"}
	}
	maps.Copy(r.unseen, l.copied.unseen)
	facts, kinds, unseen := r.outcome()
	for i, f := range facts {
		if f.Kind == "event" && l.copied.enabled[lastName(f.Object)] {
			facts[i].Create, facts[i].Definition = enabledAgain(f.Create, "ENABLE"), enabledAgain(f.Definition, "enable")
		}
		if f.Kind == "event" && (f.Bare != "" || l.copied.undated[lastName(f.Object)]) {
			facts[i].Bare = bare(facts[i].Definition)
		}
	}
	for _, list := range [][]catalog.Fact{tables.Facts, facts} {
		for i := range list {
			list[i] = underName(list[i], d.next, d.from)
		}
	}
	return catalog.New(tables, facts, kinds, unseen), nil
}

func lastName(object string) string {
	n, err := schema.ParseName(object)
	if err != nil {
		return ""
	}
	return n[len(n)-1]
}

// enabledAgain writes an event that was made so that it does not run as it is elsewhere.
func enabledAgain(text, word string) string {
	for _, t := range tokens(text) {
		if t.is("DO") {
			break
		}
		if t.is("DISABLE") {
			return text[:t.start] + word + text[t.end():]
		}
	}
	return text
}

// underName writes a fact of the copy under the name of its origin.
func underName(f catalog.Fact, next, name string) catalog.Fact {
	object := func(text string) string {
		n, err := schema.ParseName(text)
		if err != nil {
			return text
		}
		for i := range n {
			if i == 0 && n[i] == next || f.Kind == "schema" && n[i] == next {
				n[i] = name
			}
			n[i] = schema.Ident(n[i])
		}
		return strings.Join(n, ".")
	}
	text := strings.NewReplacer(quote(next), quote(name), next, name, strings.ToLower(next), strings.ToLower(name)).Replace
	f.Object, f.Table, f.Definition = object(f.Object), object(f.Table), text(f.Definition)
	f.Create, f.Drop, f.Alter, f.Clear = text(f.Create), text(f.Drop), text(f.Alter), text(f.Clear)
	f.Parts = slices.Clone(f.Parts)
	for i := range f.Parts {
		p := &f.Parts[i]
		p.Text, p.Alter, p.Add, p.Clear = text(p.Text), text(p.Alter), text(p.Add), text(p.Clear)
	}
	return f
}
