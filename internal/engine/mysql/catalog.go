package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// Catalog reads everything that parity compares: tables and what belongs to
// them from their declarations, all other objects from SHOW CREATE. A kind of
// which grants may hide something is not compared, and said.
func (s *side) Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error) {
	c, err := connect(ctx, s.at, session{name: s.name + " parity", readOnly: s.readOnly, limits: s.limits})
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	tables, r, err := readFacts(ctx, c, s.covered(schemas))
	if err != nil {
		return nil, err
	}
	histories, err := readHistories(ctx, c, tables.Facts)
	if err != nil {
		return nil, err
	}
	var names []schema.Name
	for _, f := range tables.Facts {
		if n, err := schema.ParseName(f.Object); err == nil && f.Kind == "table" {
			names = append(names, schema.Name{Schema: n[0], Table: n[1]})
		}
	}
	tables.Schemas = atlasSchemas(ctx, c, names) // last: it may leave the connection broken
	if err := ctx.Err(); err != nil {
		return nil, wrap(ctx, err, "read the structure for parity")
	}
	facts, kinds, unseen := r.outcome()
	out := catalog.New(tables, facts, kinds, unseen)
	out.Histories, out.Depends, out.Partly = histories, r.depends, len(r.partly) > 0
	return out, nil
}

// readFacts reads the facts about tables and about all else.
func readFacts(ctx context.Context, c *conn, databases []string) (*catalog.Structure, *objectReader, error) {
	inv, err := inspect(ctx, c, databases)
	if err != nil {
		return nil, nil, err
	}
	tables := &catalog.Structure{Dialect: atlasDialect(), Kinds: tableKinds()}
	for _, t := range inv.schema.Tables {
		tables.Facts = append(tables.Facts, declare(t.Name, inv.tables[t.Name])...)
		if inv.tables[t.Name].ddl.system {
			tables.Dialect.Preamble = keepHistory
		}
	}
	depends := dependencies(inv, tables.Facts)
	r := &objectReader{ctx: ctx, c: c, unseen: map[string]string{}, orders: map[string][]object{}, depends: depends}
	for _, step := range []func([]string) error{r.settings, r.databases, r.sequences, r.others, r.privileges} {
		if err := step(databases); err != nil {
			return nil, nil, err
		}
	}
	r.firing(tables.Facts)
	return tables, r, nil
}

// keepHistory lets statements change tables that keep their rows' history, which the
// server refuses otherwise (error 4119).
const keepHistory = "\n-- What became of rows stays with them as their table changes:\nSET SESSION system_versioning_alter_history = 'KEEP';\n"

// readHistories reads what migration tools say that they applied.
func readHistories(ctx context.Context, c *conn, facts []catalog.Fact) (out []catalog.History, err error) {
	for _, t := range catalog.HistoryTables(facts) {
		rows, err := c.rows(ctx, "read the migration history in "+t.Name.String(), "SELECT "+quotes(t.Columns)+" FROM "+quoteName(t.Name))
		if err != nil {
			return nil, err
		}
		out = append(out, t.Read(rows))
	}
	return out, nil
}

// An objectReader collects the facts about what is no table.
type objectReader struct {
	ctx     context.Context
	c       *conn
	facts   []catalog.Fact
	unseen  map[string]string   // kinds, and why
	partly  []string            // of tables, why some may be hidden
	orders  map[string][]object // triggers, by table
	depends []catalog.Dependency
}

// outcome leaves out kinds of which something may be hidden.
func (r *objectReader) outcome() (facts []catalog.Fact, kinds, unseen []string) {
	for _, kind := range []string{"schema", "server", "setting", "view", "function", "procedure", "trigger", "event", "sequence"} {
		if why := r.unseen[kind]; why != "" {
			unseen = append(unseen, kind+": "+why)
		} else {
			kinds = append(kinds, kind)
		}
	}
	if why := r.unseen["package"]; why != "" {
		unseen = append(unseen, "package: "+why)
	}
	unseen = append(unseen, r.partly...)
	return slices.DeleteFunc(r.facts, func(f catalog.Fact) bool { return r.unseen[f.Kind] != "" }), kinds, unseen
}

// settingNames are the server's settings that decide what an application's statements mean
// or whether they work, and that MariaDB and MySQL both have.
var settingNames = []string{
	"auto_increment_increment", "auto_increment_offset", "autocommit", "character_set_server", "collation_server", "default_storage_engine", "default_week_format", "div_precision_increment",
	"event_scheduler", "explicit_defaults_for_timestamp", "foreign_key_checks", "group_concat_max_len", "innodb_ft_min_token_size", "innodb_strict_mode", "lc_time_names", "lower_case_table_names",
	"max_allowed_packet", "sql_mode", "sql_safe_updates", "time_zone", "unique_checks",
}

// settings reads the server's product and version, and those settings.
func (r *objectReader) settings([]string) error {
	doing := "read the server's settings"
	row, err := r.c.row(r.ctx, doing, "SELECT @@GLOBAL.version, @@GLOBAL.system_time_zone")
	if err != nil {
		return err
	}
	server := catalog.Fact{Kind: "server", Object: "server", Parts: []catalog.Part{{Name: "product", Text: product(r.c)}}}
	if v := strings.SplitN(row[0], ".", 3); len(v) == 3 {
		server.Parts = append(server.Parts, catalog.Part{Name: "version", Text: v[0] + "." + v[1]})
	}
	r.facts = append(r.facts, server)
	found, err := r.c.rows(r.ctx, doing, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ("+literals(append([]string{"tx_isolation", "transaction_isolation"}, settingNames...))+")")
	isolation := ""
	for _, s := range found {
		name, value := strings.ToLower(s[0]), s[1]
		switch name {
		case "sql_mode":
			words := strings.Split(value, ",")
			slices.Sort(words)
			value = strings.Join(words, ",")
		case "time_zone":
			if value == "SYSTEM" {
				value += " (" + row[1] + ")"
			}
		case "tx_isolation", "transaction_isolation": // the same by its older and its newer name; a server may have both
			isolation = value
			continue
		}
		r.facts = append(r.facts, catalog.Fact{Kind: "setting", Object: name, Definition: value})
	}
	if isolation != "" {
		r.facts = append(r.facts, catalog.Fact{Kind: "setting", Object: "transaction_isolation", Definition: isolation})
	}
	return err
}

// product names what the server is.
func product(c *conn) string {
	if c.maria {
		return "MariaDB"
	}
	return "MySQL"
}

func (r *objectReader) databases(databases []string) error {
	rows, err := r.c.rows(r.ctx, "read the databases", "SELECT schema_name, default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name IN ("+literals(databases)+")")
	for _, row := range rows {
		alter := "" // it names none: the statement is run where it belongs, whatever that is called
		if len(databases) == 1 {
			alter = "ALTER DATABASE CHARACTER SET " + row[1] + " COLLATE " + row[2]
		}
		r.facts = append(r.facts, catalog.Fact{Kind: "schema", Object: schema.Name{Schema: row[0], Table: row[0]}.String(), Alter: alter,
			Parts: []catalog.Part{{Name: "character set", Text: row[1]}, {Name: "collation", Text: row[2]}}})
	}
	return err
}

func (r *objectReader) sequences(databases []string) error {
	rows, err := r.c.rows(r.ctx, "read the sequences", "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'SEQUENCE' AND table_schema IN ("+literals(databases)+")")
	if err != nil {
		return err
	}
	for _, row := range rows {
		name := schema.Name{Schema: row[0], Table: row[1]}
		made, err := r.c.row(r.ctx, "read the sequence "+name.String(), "SHOW CREATE SEQUENCE "+quoteName(name))
		if err != nil {
			return err
		}
		r.facts = append(r.facts, catalog.Fact{Kind: "sequence", Object: name.String(), Definition: plain(tokens(made[1])), Create: made[1], Drop: "DROP SEQUENCE " + quote(name.Table)})
	}
	return nil
}

// others reads triggers, views, routines and events.
func (r *objectReader) others(databases []string) error {
	for _, database := range databases {
		objects, err := readTriggers(r.ctx, r.c, database)
		if err != nil {
			return err
		}
		more, broken, hidden, err := readEach(r.ctx, r.c, database)
		if err != nil {
			return err
		}
		for _, o := range broken {
			f := o.fact(database)
			f.Drop = "DROP VIEW IF EXISTS " + quote(o.Name) // a copy has none that does not work
			f.Definition = plain(withoutDatabase(withoutDefiner(tokens(o.Create)), database))
			f.Parts = append(f.Parts, catalog.Part{Name: catalog.Broken, Text: "it names what is not there, or what may not be read"})
			r.facts = append(r.facts, f)
		}
		for _, o := range append(objects, more...) {
			r.facts = append(r.facts, o.fact(database))
		}
		for _, o := range objects { // in the order in which those of one table and moment fire
			table := schema.Name{Schema: database, Table: o.Table}.String()
			r.orders[table] = append(r.orders[table], o)
		}
		packages, err := readPackages(r.ctx, r.c, database)
		if err != nil {
			return err
		}
		if len(packages) > 0 {
			r.unseen["package"] = "stored packages are not compared (" + strings.Join(packages, ", ") + ")"
		}
		for _, h := range hidden {
			kind, name, _ := strings.Cut(h, " ")
			r.unseen[kind] = fmt.Sprintf("the user may not read the definition of every one (%s)%s", name, revealing(r.c, kind, database))
		}
	}
	return nil
}

// firing adds to tables of several triggers in which order they fire.
func (r *objectReader) firing(facts []catalog.Fact) {
	for i, f := range facts {
		order := r.orders[f.Object]
		if f.Kind != "table" || len(order) < 2 {
			continue
		}
		var lines []string
		for _, o := range order {
			lines = append(lines, o.Moment+" "+schema.Ident(o.Name))
		}
		facts[i].Parts = append(f.Parts, catalog.Part{Name: catalog.TriggerOrder, Text: strings.Join(lines, "\n")})
	}
}

// revealing is the grant, after ": ", that shows a user the definitions of a kind of
// objects that are not its own (MariaDB's and MySQL's manuals, SHOW CREATE). Objects that
// are hidden for another reason have none.
func revealing(c *conn, kind, database string) string {
	on := quote(pattern(database)) + ".*"
	switch {
	case kind == "view":
		return ": GRANT SHOW VIEW, SELECT ON " + on
	case kind == "event":
		return ": GRANT EVENT ON " + on
	case kind != "function" && kind != "procedure":
		return ""
	case !c.maria:
		return ": GRANT SHOW_ROUTINE ON *.*"
	case c.version >= 1103:
		return ": GRANT SHOW CREATE ROUTINE ON " + on
	}
	return ": GRANT SELECT ON mysql.proc"
}

// fact tells an object without whom it belongs to.
func (o object) fact(database string) catalog.Fact {
	kind := strings.ToLower(o.Kind)
	name := schema.Name{Schema: database, Table: o.Name}
	f := catalog.Fact{Kind: kind, Object: name.String(), Create: o.closing(), Drop: "DROP " + o.Kind + " " + quote(o.Name)}
	if kind == "trigger" {
		f.Table = schema.Name{Schema: database, Table: o.Table}.String()
		f.Object = f.Table + "." + schema.Ident(o.Name)
	}
	part := func(name, text string) {
		if text != "" {
			f.Parts = append(f.Parts, catalog.Part{Name: name, Text: text})
		}
	}
	// MySQL keeps the semicolon behind a body when another statement came with it.
	all := withoutDefiner(tokens(o.Create))
	if kind == "trigger" {
		all = quotedHead(all)
	}
	f.Definition = strings.TrimRight(plain(all), " ;")
	if o.Undated {
		f.Bare = bare(f.Definition)
	}
	part("sql_mode", o.Mode)
	part("character set", o.Charset)
	part("collation", o.Collation)
	part("time zone", o.Zone)
	return f
}

// bare gives the definition of an event without the moment at which it starts.
func bare(definition string) string { return plain(withoutStart(tokens(definition))) }

// closing gives the statements that make an object with the settings that it keeps
// of its maker's session, and put those back to what a session has.
func (o object) closing() string {
	set, back := []string{}, []string{}
	if o.Kind != "VIEW" {
		set, back = []string{"sql_mode = " + literal(o.Mode)}, []string{"SET SESSION sql_mode = DEFAULT"}
	}
	if charset := o.charset(); o.Collation != "" {
		set = append(set, "character_set_client = "+charset, "collation_connection = "+o.Collation)
		back = append(back, "SET NAMES utf8mb4")
	}
	if o.Zone != "" {
		set, back = append(set, "time_zone = "+literal(o.Zone)), append(back, "SET SESSION time_zone = DEFAULT")
	}
	if len(set) == 0 {
		return o.Create
	}
	return "SET SESSION " + strings.Join(set, ", ") + ";\n" + o.Create + ";\n" + strings.Join(back, ";\n")
}

// quotedHead writes the names before FOR EACH ROW in quotes: a server that renames the
// table writes it so, whatever its maker wrote.
func quotedHead(all []token) []token {
	all = slices.Clone(all)
	for i, t := range all {
		if t.is("ROW") {
			break
		}
		if name, ok := t.name(); ok && i > 0 && (all[i-1].is("TRIGGER") || all[i-1].is("ON")) {
			all[i].kind, all[i].text = quoted, quote(name)
		}
	}
	return all
}

// withoutDefiner takes DEFINER = user@host away, which names an account of its server.
func withoutDefiner(all []token) []token {
	at := slices.IndexFunc(all, func(t token) bool { return t.is("DEFINER") })
	if at < 0 || at > 4 || at+2 >= len(all) || !all[at+1].mark("=") {
		return all
	}
	end := at + 3
	if end < len(all) && all[end].kind == variable { // @`host`, or @ and then the host
		end++
		if end < len(all) && all[end].kind == quoted && all[end-1].text == "@" {
			end++
		}
	}
	return append(slices.Clone(all[:at]), all[end:]...)
}

// withoutDatabase takes the name of its own database away from before the tables of a
// view: the server writes it where it does not find the table or the column.
func withoutDatabase(all []token, database string) (out []token) {
	for i := 0; i < len(all); i++ {
		name, ok := all[i].name()
		if ok && name == database && all[i].kind == quoted && i+2 < len(all) && all[i+1].mark(".") && all[i+2].kind == quoted && (i == 0 || !all[i-1].mark(".")) {
			i++
			continue
		}
		out = append(out, all[i])
	}
	return out
}

// privileges finds kinds that a user sees nothing of, not even that there is
// something, because a privilege is missing.
func (r *objectReader) privileges(databases []string) error {
	p, err := readPrivileges(r.ctx, r.c)
	if err != nil {
		return err
	}
	for _, database := range databases {
		if p.opaque || !p.has("SELECT", database) {
			r.partly = append(r.partly, "table: of the database "+schema.Ident(database)+" the user sees only the tables and views that were granted one by one (GRANT SELECT ON "+quote(pattern(database))+".*)")
		}
		for _, k := range p.blindTo(database) {
			r.unseen[k.kind] = "the user may not see any (GRANT " + k.needs + " ON " + quote(pattern(database)) + ".*)"
		}
	}
	return nil
}

// A blindness is a kind of object of which a user sees none, and the privilege
// that would show them.
type blindness struct{ kind, needs string }

// blindTo lists what the user would not see in a database, were it there; all of
// it where the grants could not be read.
func (p *privileges) blindTo(database string) (out []blindness) {
	for _, k := range []struct {
		kind string
		any  []string // one of these shows them
	}{
		{"trigger", []string{"TRIGGER"}},
		{"event", []string{"EVENT"}},
		{"function", []string{"EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW_ROUTINE"}},
		{"procedure", []string{"EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW_ROUTINE"}},
	} {
		if p.routines && (k.kind == "function" || k.kind == "procedure") {
			continue
		}
		if p.opaque || !slices.ContainsFunc(k.any, func(name string) bool { return p.has(name, database) }) {
			out = append(out, blindness{k.kind, k.any[0]})
		}
	}
	return out
}
