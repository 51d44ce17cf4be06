package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// State tells what stands in the databases and beside them. It takes no lock
// beyond those of reading.
func (t *target) State(ctx context.Context) (*engine.State, error) {
	state := &engine.State{Renames: true}
	err := t.with(ctx, func(c *conn) (err error) {
		state.Mechanism = "tables built in a database beside the target, then one RENAME TABLE of them all"
		if c.maria {
			state.Mechanism += "; triggers follow at once, by a journalled step"
		}
		may, err := readPrivileges(ctx, c)
		if err != nil {
			return err
		}
		if err := t.readable(may, may.missing); err != nil {
			return err
		}
		if err := t.look(ctx, c, state); err != nil {
			return err
		}
		state.Obstacles, state.Notes, err = t.obstacles(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return state, nil
}

// readable fails where the user may not read a database of the target, of which then
// nothing else can be told: but what is missing is, of all of them.
func (t *target) readable(may *privileges, missing func(database string) []string) error {
	var say []string
	blind := false
	for _, database := range t.databases {
		blind = blind || !may.has("SELECT", database)
		say = append(say, missing(database)...)
	}
	if !blind {
		return nil
	}
	return &engine.Error{Code: engine.Denied, Doing: "look at the target", Say: strings.Join(say, "; "), Hint: "check the names in the URL and in the job's schemas, or run the statements as somebody who may grant"}
}

// look tells of the claim, of rows, and of what stands beside them.
func (t *target) look(ctx context.Context, c *conn, state *engine.State) (err error) {
	claimed := 0
	for _, database := range t.databases {
		present, manifest, err := readClaim(ctx, c, database)
		if err != nil {
			return err
		}
		if present != nil {
			claimed++
		}
		if present != nil && database == t.databases[0] {
			state.Manifest, state.Generations = manifest, []engine.Generation{*present}
		}
	}
	state.Claimed = claimed == len(t.databases)
	if state.Rows, err = filled(ctx, c, t.databases); err != nil {
		return err
	}
	return t.lookBeside(ctx, c, state)
}

// lookBeside tells of side tables and of the databases beside the target.
func (t *target) lookBeside(ctx context.Context, c *conn, state *engine.State) error {
	who, err := t.holder(ctx, c)
	if err != nil {
		return err
	}
	if who != "" {
		state.Busy = "another run holds the target" + who
	}
	for _, database := range t.databases {
		next, kept, err := neighbours(ctx, c, database)
		if err != nil {
			return err
		}
		present, _, err := readClaim(ctx, c, database)
		if err != nil {
			return err
		}
		sides, err := findSides(ctx, c, database)
		if err != nil {
			return err
		}
		if sides.marked && sides.other == "" && who == "" {
			state.Leftovers = append(state.Leftovers, "side tables in "+quote(database)+", made by a run that did not end")
			if present != nil && present.ID == sides.mark.Run {
				state.Switched = present.ID
			}
		}
		if who == "" { // else it is the work of the run that holds the lock
			for _, n := range next {
				state.Leftovers = append(state.Leftovers, "database "+quote(n.name)+", begun by a run that did not end")
			}
		}
		for _, k := range kept {
			switched := present != nil && present.ID == k.mark.Takes
			if k.mark.Pending && who == "" && state.Unfinished == "" {
				if state.Unfinished, err = k.missing(ctx, c, switched); err != nil {
					return err
				}
			}
			switch {
			case k.mark.Pending && switched:
				state.Switched = k.mark.By
			case k.mark.Pending:
				if who == "" {
					state.Leftovers = append(state.Leftovers, "database "+quote(k.name)+", made for a switch that did not take place")
				}
				continue
			}
			if database == t.databases[0] && k.tables > 0 {
				state.Generations = append(state.Generations, engine.Generation{ID: k.mark.Run, Made: k.mark.Made})
			}
		}
	}
	return nil
}

// filled lists the tables that hold any row, sorted.
func filled(ctx context.Context, c *conn, databases []string) ([]schema.Name, error) {
	rows, err := c.rows(ctx, "list the tables", "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ("+literals(databases)+
		") AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_schema, table_name")
	if err != nil {
		return nil, err
	}
	rows = withoutOwn(rows)
	var out []schema.Name
	for start := 0; start < len(rows); start += 50 {
		var ask []string
		for i := start; i < min(start+50, len(rows)); i++ {
			ask = append(ask, fmt.Sprintf("(SELECT %d FROM %s LIMIT 1)", i, quoteName(schema.Name{Schema: rows[i][0], Table: rows[i][1]})))
		}
		found, err := c.rows(ctx, "look for rows in the target", strings.Join(ask, " UNION ALL "))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			r := rows[number(f[0])]
			out = append(out, schema.Name{Schema: r[0], Table: r[1]})
		}
	}
	slices.SortFunc(out, schema.Name.Compare)
	return out, nil
}

// obstacles finds what would stop a new generation here, each with its remedy,
// and what the switch would change beside rows.
func (t *target) obstacles(ctx context.Context, c *conn) (obstacles, notes []string, err error) {
	say := func(format string, args ...any) { obstacles = append(obstacles, fmt.Sprintf(format, args...)) }
	may, err := readPrivileges(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if may.opaque {
		notes = append(notes, "the user's grants cannot be read, so what is missing shows only when it is needed")
	}
	writes, err := may.writes(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	if !writes {
		say(isReplica)
	}
	for _, database := range t.databases {
		obstacles = append(obstacles, may.missing(database)...)
		if !may.has("TRIGGER", database) {
			continue
		}
		triggers, err := readTriggers(ctx, c, database)
		if err != nil {
			return nil, nil, err
		}
		if len(triggers) > 0 {
			only, err := onlySuper(ctx, c, may, "the target "+quote(database))
			if err != nil {
				return nil, nil, err
			}
			if only != "" {
				obstacles = append(obstacles, only)
			}
		}
		for _, o := range triggers {
			if account(o.Definer) != may.user && !may.mayDefine() {
				privilege := "SET_ANY_DEFINER"
				if c.maria {
					privilege = "SET USER"
				} else if c.version < 802 {
					privilege = "SET_USER_ID"
				}
				say("the trigger %s belongs to %s, and the user may not make it again for them: GRANT %s ON *.* TO %s", schema.Ident(o.Name), account(o.Definer), privilege, may.user)
			}
		}
		if c.maria && len(triggers) > 0 {
			notes = append(notes, fmt.Sprintf("for a moment of the switch the tables of %s have no triggers, because MariaDB does not move tables that have them; a kill in that moment leaves them so until the next run", quote(database)))
		} else if len(triggers) > 0 {
			notes = append(notes, fmt.Sprintf("the triggers of %s go and come again while its tables are locked for the switch, because MySQL does not move tables that have them; a kill in that moment leaves them so until the next run", quote(database)))
		}
	}
	engines, err := c.rows(ctx, "look at the storage engines", "SELECT table_schema, table_name, engine FROM information_schema.tables WHERE table_schema IN ("+literals(t.databases)+
		") AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND engine NOT IN ("+literals(switchableEngines)+") ORDER BY table_schema, table_name")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range engines {
		name := schema.Name{Schema: r[0], Table: r[1]}
		say("%s has the storage engine %s, whose tables cannot be switched: ALTER TABLE %s ENGINE=InnoDB", name, r[2], quoteName(name))
	}
	labels, err := c.rows(ctx, "look at labels", "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema IN ("+literals(t.databases)+
		") AND data_type IN ('enum', 'set') AND column_type LIKE '%?%' AND character_set_name IN ('utf8mb4', 'utf16', 'utf16le', 'utf32') ORDER BY 1, 2, 3")
	if err != nil {
		return nil, nil, err
	}
	for _, r := range labels {
		notes = append(notes, fmt.Sprintf("a label of %s.%s has a ?: if that stands for a character of four bytes, which the server does not tell in labels, the new generation has ? for it, and rows with it do not load: give it another label, or write `load: {mode: replace}`", schema.Name{Schema: r[0], Table: r[1]}, schema.Ident(r[2])))
	}
	err = plainKeys(ctx, c)
	if engine.CodeOf(err) == engine.Denied {
		obstacles = append(obstacles, "sql_generate_invisible_primary_key is on for the target's user, who may not turn it off for a session, and tables would get a key that they have not: GRANT SESSION_VARIABLES_ADMIN ON *.* to the user, or turn it off")
	} else if err != nil {
		return nil, nil, err
	}
	open, err := t.withoutKey(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	obstacles = append(obstacles, open...)
	compressed, err := refusedCompressed(ctx, c, t.databases)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range compressed {
		obstacles = append(obstacles, f.Say)
	}
	if strict, err := gtidsOnly(ctx, c); err != nil {
		return nil, nil, err
	} else if strict {
		rows, err := c.rows(ctx, "look at the storage engines", "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ("+literals(t.databases)+
			") AND table_type = 'BASE TABLE' AND engine = 'MyISAM' ORDER BY table_schema, table_name")
		if err != nil {
			return nil, nil, err
		}
		for _, r := range rows {
			obstacles = append(obstacles, unsafeForGTIDs(schema.Name{Schema: r[0], Table: r[1]}))
		}
	}
	outside, err := t.outside(ctx, c, may)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range outside {
		say("a foreign key of %s.%s references %s.%s and would go with the old rows: take that database into the job's schemas, or drop the key", r[0], r[1], r[2], r[3])
	}
	if !may.has("PROCESS", "") {
		notes = append(notes, fmt.Sprintf("the user may not see other sessions' transactions, so every table is rebuilt once after it is loaded, that old ones do not see it empty, and foreign keys of other databases may stay unseen: GRANT PROCESS ON *.* TO %s", may.user))
	}
	return obstacles, notes, nil
}

// onlySuper tells, in a sentence or none, that the server lets nobody but SUPER make
// triggers and functions, which owner has some of.
func onlySuper(ctx context.Context, c *conn, may *privileges, owner string) (string, error) {
	row, err := c.row(ctx, "look at the server", "SELECT @@GLOBAL.log_bin, @@GLOBAL.log_bin_trust_function_creators")
	if err != nil || row[0] == "0" || row[1] != "0" || may.has("SUPER", "") {
		return "", err
	}
	return fmt.Sprintf("the server writes a binary log and lets only SUPER make triggers and functions, of which %s has some: SET GLOBAL log_bin_trust_function_creators = 1, or GRANT SUPER ON *.* TO %s", owner, may.user), nil
}

const isReplica = "the server is read-only, as replicas are: use the primary's address"

// writes tells whether the user may write on the server.
func (p *privileges) writes(ctx context.Context, c *conn) (bool, error) {
	ask := "SELECT @@GLOBAL.read_only, 0"
	if !c.maria {
		ask = "SELECT @@GLOBAL.read_only, @@GLOBAL.super_read_only"
	}
	row, err := c.row(ctx, "look at the server", ask)
	if err != nil || row[0] == "0" || row[1] != "0" {
		return err == nil && row[0] == "0", err
	}
	return slices.ContainsFunc([]string{"SUPER", "READ_ONLY ADMIN", "READ ONLY ADMIN", "CONNECTION_ADMIN"}, func(name string) bool { return p.has(name, "") }), nil
}

// outside lists foreign keys of other databases that point into the target:
// database, table, referenced database and table.
func (t *target) outside(ctx context.Context, c *conn, may *privileges) ([][]string, error) {
	in := "(" + literals(t.databases) + ")"
	rows, err := c.rows(ctx, "look for foreign keys from outside", "SELECT DISTINCT table_schema, table_name, referenced_table_schema, referenced_table_name FROM information_schema.key_column_usage WHERE referenced_table_schema IN "+
		in+" AND table_schema NOT IN "+in+" ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	if may.has("PROCESS", "") {
		view := "innodb_foreign"
		if c.maria {
			view = "innodb_sys_foreign"
		}
		more, err := c.rows(ctx, "look for foreign keys from outside", "SELECT DISTINCT for_name, ref_name FROM information_schema."+view+" ORDER BY 1")
		if err != nil {
			return nil, err
		}
		for _, r := range more {
			from, to := storedName(r[0]), storedName(r[1])
			row := []string{from.Schema, from.Table, to.Schema, to.Table}
			if slices.Contains(t.databases, to.Schema) && !slices.Contains(t.databases, from.Schema) && !slices.ContainsFunc(rows, func(o []string) bool { return slices.Equal(o, row) }) {
				rows = append(rows, row)
			}
		}
	}
	// Those of our own databases beside the target point inside them; before a
	// switch is cleared up they may not.
	return slices.DeleteFunc(rows, func(r []string) bool {
		return slices.ContainsFunc(t.databases, func(d string) bool {
			return strings.HasPrefix(r[0], beside(d, "next", "")) || strings.HasPrefix(r[0], beside(d, "prev", ""))
		})
	}), nil
}

// storedName reads database/table as InnoDB writes it, with bytes outside words as @hhhh.
func storedName(text string) schema.Name {
	database, table, _ := strings.Cut(text, "/")
	return schema.Name{Schema: unstored(database), Table: unstored(table)}
}

func unstored(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		var r rune
		if text[i] == '@' && i+5 <= len(text) {
			if n, err := fmt.Sscanf(text[i+1:i+5], "%04x", &r); err == nil && n == 1 {
				b.WriteRune(r)
				i += 4
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// switchableEngines are the storage engines whose tables keep their rows when they
// move from one database to another, and take part in LOCK TABLES.
var switchableEngines = []string{"InnoDB", "MyISAM", "Aria", "ROCKSDB"}

func switchable(engine string) bool {
	return slices.ContainsFunc(switchableEngines, func(e string) bool { return strings.EqualFold(e, engine) })
}

// gtidsOnly tells whether the server takes only what GTIDs can name: then it locks
// no table without transactions together with others, as a switch must.
func gtidsOnly(ctx context.Context, c *conn) (bool, error) {
	if c.maria {
		return false, nil
	}
	value, err := c.value(ctx, "look at the server", "SELECT @@GLOBAL.enforce_gtid_consistency")
	return strings.EqualFold(value, "ON") || value == "1", err
}

func unsafeForGTIDs(name schema.Name) string {
	return fmt.Sprintf("%s has the storage engine MyISAM, whose tables a server that enforces GTIDs does not lock together with others: ALTER TABLE %s ENGINE=InnoDB", name, quoteName(name))
}

// keysOnly names the setting by which the server makes no table without a key in the
// session; empty for none. MariaDB's means InnoDB's tables, and takes a unique key
// without NULL for a primary one.
func keysOnly(ctx context.Context, c *conn) (string, error) {
	setting := "sql_require_primary_key"
	if c.maria {
		setting = forceKey
	}
	return c.value(ctx, "look at the server", "SHOW SESSION VARIABLES WHERE variable_name = "+literal(setting)+" AND value = 'ON'")
}

const forceKey = "innodb_force_primary_key"

func withoutKey(name schema.Name, setting string) string {
	out := name.String() + " has no primary key, and the target's server makes no such table (" + setting + "): give it one, or "
	if setting == forceKey {
		return out + "SET GLOBAL " + forceKey + " = OFF there"
	}
	return out + "the target's user what it takes to turn that off for a session: GRANT SESSION_VARIABLES_ADMIN ON *.*"
}

// refusesCompressed tells whether the server writes no table of InnoDB whose pages are compressed
// (MariaDB's manual, innodb_read_only_compressed).
func refusesCompressed(ctx context.Context, c *conn) (bool, error) {
	on, err := c.value(ctx, "look at the server", "SHOW GLOBAL VARIABLES WHERE variable_name = 'innodb_read_only_compressed' AND value = 'ON'")
	return on != "", err
}

// refusedCompressed tells which tables the server would not make again, nor write.
func refusedCompressed(ctx context.Context, c *conn, databases []string) ([]engine.Bar, error) {
	on, err := refusesCompressed(ctx, c)
	if err != nil || !on {
		return nil, err
	}
	rows, err := c.rows(ctx, "look for compressed tables", "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ("+literals(databases)+
		") AND engine = 'InnoDB' AND (create_options LIKE '%row_format=compressed%' OR create_options LIKE '%key_block_size=%') ORDER BY 1, 2")
	var out []engine.Bar
	for _, r := range withoutOwn(rows) {
		name := schema.Name{Schema: r[0], Table: r[1]}
		out = append(out, engine.Bar{Table: name, Say: compressedSay(name) + "ALTER TABLE " + quoteName(name) + " ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=0"})
	}
	return out, err
}

func compressedSay(name schema.Name) string {
	return name.String() + " is compressed (ROW_FORMAT or KEY_BLOCK_SIZE), and the target's server writes no such table (innodb_read_only_compressed): SET GLOBAL innodb_read_only_compressed = OFF there, or "
}

// compressed tells whether refusedCompressed would name the table.
func (c *creation) compressed() bool {
	all := tokens(c.options)
	return strings.EqualFold(c.engine, "InnoDB") && slices.ContainsFunc(all, func(t token) bool { return t.is("KEY_BLOCK_SIZE") || t.is("COMPRESSED") })
}

// keyed tells whether the table has what a server with that setting asks of it.
func (c *creation) keyed(setting string) bool {
	if setting == forceKey && !strings.EqualFold(c.engine, "InnoDB") {
		return true
	}
	return slices.ContainsFunc(c.facts.ddl.keys, func(k keyDefinition) bool {
		return k.primary || setting == forceKey && k.unique && !slices.ContainsFunc(k.columns, func(name string) bool {
			column := c.shape.Column(name)
			return column == nil || !column.NotNull
		})
	})
}

// withoutKey tells which tables of the target the server would not make again.
func (t *target) withoutKey(ctx context.Context, c *conn) (out []string, err error) {
	if err := plainKeys(ctx, c); err != nil && engine.CodeOf(err) != engine.Denied { // told by others
		return nil, err
	}
	setting, err := keysOnly(ctx, c)
	if err != nil || setting == "" {
		return nil, err
	}
	unless := ""
	if setting == forceKey {
		unless = " AND engine = 'InnoDB' AND NOT EXISTS (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name AND s.non_unique = 0 GROUP BY s.index_name HAVING max(s.nullable) <> 'YES')"
	}
	rows, err := c.rows(ctx, "look at the keys", "SELECT table_schema, table_name FROM information_schema.tables t WHERE table_schema IN ("+literals(t.databases)+") AND table_type = 'BASE TABLE' AND NOT EXISTS"+
		" (SELECT 1 FROM information_schema.table_constraints c WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.constraint_type = 'PRIMARY KEY')"+unless+" ORDER BY 1, 2")
	for _, r := range rows {
		out = append(out, withoutKey(schema.Name{Schema: r[0], Table: r[1]}, setting))
	}
	return out, err
}
