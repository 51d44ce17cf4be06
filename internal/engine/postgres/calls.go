package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
)

// Index expressions, checks, generated columns and views may call functions that
// find names by the search_path, of which a dump says nothing and a restore
// empties it. What calls such a function is built as the target's users would.

// calledFunctions selects what calls functions that have no search_path of their
// own and are written in a language that looks names up when it runs: kind,
// schema and name as a table of contents writes them, and the function.
const calledFunctions = `
	WITH RECURSIVE bound AS (
		SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language g ON g.oid = p.prolang JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE g.lanname NOT IN ('c', 'internal') AND NOT ` + serverSchemas + `
			AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search\_path=%')
	), uses (class, object, function) AS (
		SELECT d.classid, d.objid, d.refobjid FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid >= 16384
		UNION SELECT d.classid, d.objid, o.oprcode FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_operator o ON o.oid = d.refobjid
		WHERE d.refclassid = 'pg_catalog.pg_operator'::regclass AND d.refobjid >= 16384
	), calls (class, object, function) AS (
		SELECT class, object, function FROM uses
		UNION SELECT c.class, c.object, u.function FROM calls c JOIN uses u ON u.class = 'pg_catalog.pg_proc'::regclass AND u.object = c.function
	), reads (view, source) AS (
		SELECT DISTINCT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
			ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
	), depth (view, source) AS (
		SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'm'
		UNION SELECT depth.view, reads.source FROM depth JOIN reads ON reads.view = depth.source
	), callers (kind, namespace, name, function) AS (
		SELECT 'INDEX', c.relnamespace, c.relname::text, u.function FROM calls u JOIN pg_catalog.pg_class c ON c.oid = u.object AND c.relkind IN ('i', 'I')
			WHERE u.class = 'pg_catalog.pg_class'::regclass
		UNION ALL SELECT 'CONSTRAINT', t.relnamespace, t.relname || ' ' || o.conname, u.function
			FROM calls u JOIN pg_catalog.pg_constraint o ON o.conindid = u.object AND o.contype = 'x' JOIN pg_catalog.pg_class t ON t.oid = o.conrelid
			WHERE u.class = 'pg_catalog.pg_class'::regclass
		UNION ALL SELECT 'CHECK CONSTRAINT', t.relnamespace, t.relname || ' ' || o.conname, u.function
			FROM calls u JOIN pg_catalog.pg_constraint o ON o.oid = u.object AND o.contype = 'c' JOIN pg_catalog.pg_class t ON t.oid = o.conrelid
			WHERE u.class = 'pg_catalog.pg_constraint'::regclass
		UNION ALL SELECT 'TABLE', t.relnamespace, t.relname::text, u.function
			FROM calls u JOIN pg_catalog.pg_attrdef a ON a.oid = u.object JOIN pg_catalog.pg_class t ON t.oid = a.adrelid
			WHERE u.class = 'pg_catalog.pg_attrdef'::regclass
		UNION ALL SELECT 'TABLE', t.relnamespace, t.relname::text, u.function FROM calls u JOIN pg_catalog.pg_class t ON t.oid = u.object AND t.relkind = 'p'
			WHERE u.class = 'pg_catalog.pg_class'::regclass
		UNION ALL SELECT 'TABLE ATTACH', t.relnamespace, t.relname::text, u.function FROM calls u JOIN pg_catalog.pg_class p ON p.oid = u.object AND p.relkind = 'p'
			JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid JOIN pg_catalog.pg_class t ON t.oid = i.inhrelid
			WHERE u.class = 'pg_catalog.pg_class'::regclass
		UNION ALL SELECT 'MATERIALIZED VIEW', v.relnamespace, v.relname::text, u.function
			FROM depth JOIN pg_catalog.pg_class v ON v.oid = depth.view JOIN pg_catalog.pg_rewrite r ON r.ev_class = depth.source
			JOIN calls u ON u.class = 'pg_catalog.pg_rewrite'::regclass AND u.object = r.oid
	)
	SELECT DISTINCT k.kind, n.nspname, k.name, k.function::regprocedure::text FROM callers k JOIN bound ON bound.oid = k.function
	JOIN pg_catalog.pg_namespace n ON n.oid = k.namespace WHERE NOT ` + serverSchemas + ` ORDER BY 1, 2, 3, 4`

// A caller is something whose making or filling calls functions.
type caller struct {
	kind, schema, name string
	functions          []string
}

// readCallers reads what calls functions in the database of a structure.
func readCallers(ctx context.Context, c *conn) ([]caller, error) {
	rows, err := c.query(ctx, "look which functions are called", calledFunctions)
	if err != nil {
		return nil, err
	}
	var out []caller
	for _, r := range rows {
		k := caller{kind: string(r[0]), schema: string(r[1]), name: string(r[2])}
		if n := len(out); n == 0 || out[n-1].kind != k.kind || out[n-1].schema != k.schema || out[n-1].name != k.name {
			out = append(out, k)
		}
		last := &out[len(out)-1]
		last.functions = append(last.functions, string(r[3]))
	}
	return out, nil
}

// readingPath gives the search_path that is needed to read the tables of a
// database: its users', where indexes, checks or computed columns call functions
// that count on it, for whoever plans a query may put such a function's body in
// its place. Everywhere else it is empty.
func readingPath(ctx context.Context, c *conn) (string, error) {
	callers, err := readCallers(ctx, c)
	if err == nil && slices.ContainsFunc(callers, func(k caller) bool { return k.kind != "MATERIALIZED VIEW" }) {
		return c.path, nil
	}
	return "", err
}

// queryRows is query for rows of the target's tables, outside a transaction. When
// a name is not found it tries again with the search_path of the database's users.
func (c *conn) queryRows(ctx context.Context, doing, sql string, args ...any) ([][][]byte, error) {
	rows, err := c.query(ctx, doing, sql, args...)
	var e *engine.Error
	if !errors.As(err, &e) || !unfound(e.State) || c.path == "" || c.TxStatus() != 'I' {
		return rows, err
	}
	if err := c.exec(ctx, "set the search_path", "SELECT pg_catalog.set_config('search_path', "+literal(c.path)+", false)"); err != nil {
		return nil, err
	}
	rows, err = c.query(ctx, doing, sql, args...)
	if errors.As(err, &e) && unfound(e.State) {
		e.Code, e.Say = engine.Failed, "a function that an index or a column calls does not find what it names: "+e.Say
		e.Hint = "let the database's search_path name its schemas: ALTER DATABASE ... SET search_path = ..., or ALTER FUNCTION ... SET search_path = ..."
	}
	if back := c.exec(ctx, "reset the search_path", "SELECT pg_catalog.set_config('search_path', '', false)"); err == nil {
		err = back
	}
	return rows, err
}

// callsOf gives the functions that something calls, as far as it is known.
func (o *origin) callsOf(kind, schema, name string) []string {
	for _, k := range o.callers {
		if k.kind == kind && k.schema == schema && k.name == name {
			return k.functions
		}
	}
	return nil
}

// callsIn is callsOf for an entry of a table of contents.
func (o *origin) callsIn(e entry) []string {
	for _, k := range o.callers {
		if k.kind == e.kind && strings.HasPrefix(e.text, k.kind+" "+k.schema+" "+k.name+" ") {
			return k.functions
		}
	}
	return nil
}

// calling explains the failure of a statement of ours that calls functions of
// the database. Names that are not found are none that we wrote, so it is no
// mistake of syntax.
func (o *origin) calling(err error, functions []string) error {
	var e *engine.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Code == engine.Syntax {
		e.Code = engine.Failed
	}
	if !unfound(e.State) {
		return err
	}
	e.Say = "a function that it calls does not find what it names, as when it counts on a search_path: " + e.Say
	e.Hint = o.pathHint(functions)
	return err
}

// unfound tells whether a SQLSTATE says that a name was not found.
func unfound(state string) bool {
	return slices.Contains([]string{"42P01", "42883", "42704", "3F000", "42703"}, state)
}

// pathHint is the remedy for functions that do not find what they name.
func (o *origin) pathHint(functions []string) string {
	const few = 3
	where := "in production"
	if o.tables != nil {
		where = "in the target"
	}
	path := o.path
	if path == "" {
		path = "..."
	}
	if len(functions) == 0 {
		return fmt.Sprintf("let the functions that it calls find names by themselves, %s: ALTER FUNCTION ... SET search_path = %s", where, path)
	}
	var out []string
	for _, f := range functions[:min(few, len(functions))] {
		out = append(out, fmt.Sprintf("ALTER FUNCTION %s SET search_path = %s", f, path))
	}
	hint := "let the function find names by itself, " + where + ": " + strings.Join(out, "; ")
	if n := len(functions) - few; n > 0 {
		hint += fmt.Sprintf("; and %d more", n)
	}
	return hint
}

// A stage is a part of the contents that is built before the next stage begins.
type stage struct {
	contents []entry
	calling  bool // they are built in the users' search_path, by us
}

// inStages parts the contents of one section into what pg_restore builds and
// what calls functions, as often as one needs the other.
func (b *blueprint) inStages(section string) []stage {
	own := []string{"INDEX", "CONSTRAINT", "CHECK CONSTRAINT"}
	if section == "pre-data" {
		own = []string{"TABLE", "TABLE ATTACH"}
	}
	at := make(map[string]int, len(b.contents))
	stages := []stage{{}}
	var last stage // what tells of all that is built is built when nothing is any more
	watching := make(map[string]bool)
	for _, e := range b.contents { // an entry stands behind what it needs
		if e.section != section {
			continue
		}
		if e.kind == "EVENT TRIGGER" || slices.ContainsFunc(e.needs, func(id string) bool { return watching[id] }) {
			watching[e.id] = true
			last.contents = append(last.contents, e)
			continue
		}
		n := 0
		for _, id := range e.needs {
			n = max(n, at[id])
		}
		calling := slices.Contains(own, e.kind) && b.origin.callsIn(e) != nil
		if calling != (n%2 == 1) { // plain stages and calling ones take turns
			n++
		}
		for len(stages) <= n {
			stages = append(stages, stage{calling: len(stages)%2 == 1})
		}
		at[e.id] = n
		stages[n].contents = append(stages[n].contents, e)
	}
	return append(stages, last)
}

// buildSection builds what a section of the structure holds.
func (l *load) buildSection(ctx context.Context, name, section string, by builders) error {
	for _, s := range l.plan.inStages(section) {
		var err error
		switch {
		case len(s.contents) == 0:
		case s.calling:
			err = l.buildCalling(ctx, name, s.contents, by.set)
		default:
			err = l.build(ctx, name, section, s.contents, by)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// build restores entries of one section.
func (l *load) build(ctx context.Context, name, section string, contents []entry, by builders) error {
	for _, p := range inPasses(contents, l.plan.contents, by.jobs, by.sizes) {
		var done bool
		var err error
		if p.references {
			done, err = l.addKeys(ctx, name, p.contents, by)
		}
		if err == nil && !done {
			err = l.plan.restore(ctx, tool{program: l.plan.tools.restore, at: l.t.at, name: name, set: by.set, builds: p.contents}, l.next, section, p.jobs)
			err = l.told(ctx, name, by.set, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// buildCalling builds entries one after the other by a session that finds names
// as the target's users do.
func (l *load) buildCalling(ctx context.Context, name string, entries []entry, set map[string]string) error {
	c, err := connect(ctx, l.t.at, session{name: name, database: l.next, limits: l.t.limits, set: set})
	if err != nil {
		return err
	}
	defer c.hangUp()
	for _, e := range entries {
		script, err := l.plan.script(ctx, e)
		if err != nil {
			return err
		}
		if err := c.exec(ctx, "build the "+e.describe(), script); err != nil {
			var failed *engine.Error
			if errors.As(err, &failed) && e.kind == "INDEX" {
				failed.Constraint = "" // the server calls a unique index so
			}
			return overRows(l.plan.origin.calling(err, l.plan.origin.callsIn(e)))
		}
	}
	return nil
}

// script gives an entry's statements, to be run in the users' search_path.
func (b *blueprint) script(ctx context.Context, e entry) (string, error) {
	list, err := hiddenFile(listing([]entry{e}))
	if err != nil {
		return "", err
	}
	defer discard(list)
	run := tool{program: b.tools.restore, args: append(b.restoreOptions(), "--file=-"), files: []option{{"--use-list=", list}, {"", b.archive}}}
	text, err := run.run(ctx, "read the statements of the "+e.describe())
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, `\restrict `), strings.HasPrefix(line, `\unrestrict `): // for psql alone
		case strings.TrimSpace(line) == "SELECT pg_catalog.set_config('search_path', '', false);" && b.origin.path != "":
			out.WriteString("SELECT pg_catalog.set_config('search_path', " + literal(b.origin.path) + ", false);\n")
		default:
			out.WriteString(line)
		}
	}
	return out.String(), nil
}
