package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An object is what a database has beside tables: a trigger, view, routine or
// event. It is kept as data, in a journal too, and made by make.
type object struct {
	Kind  string `json:"kind"` // TRIGGER, VIEW, FUNCTION, PROCEDURE, EVENT
	Name  string `json:"name"`
	Table string `json:"table,omitempty"` // of a trigger
	// Moment is when a trigger fires: BEFORE INSERT.
	Moment string `json:"-"`
	// Create is the statement without its database, which is the present one.
	Create string `json:"create"`
	// Definer is in Create as well; empty means whoever makes it.
	Definer string `json:"definer,omitempty"`
	// What the session must have when it is made, because the object keeps it.
	Mode      string `json:"mode"`
	Charset   string `json:"charset"`
	Collation string `json:"collation"`
	Zone      string `json:"zone,omitempty"` // of an event: what its schedule's times are told in
	// Undated: an event's schedule starts when it was made, for nobody said when.
	Undated bool `json:"-"`
}

// A routine's and a trigger's settings that are not texts are pinned by the
// session; a text outside ASCII travels in utf8mb4, whatever its maker used.
func (o object) settings() string {
	set := "SET SESSION sql_mode = " + literal(o.Mode) + ", character_set_client = " + o.charset()
	if o.Collation != "" {
		set += ", collation_connection = " + o.Collation
	}
	if o.Zone != "" {
		set += ", time_zone = " + literal(o.Zone)
	}
	return set
}

func (o object) charset() string {
	if o.Charset == "" || strings.IndexFunc(o.Create, func(r rune) bool { return r > unicode.MaxASCII }) >= 0 {
		return "utf8mb4"
	}
	return o.Charset
}

// make makes the object in a database, whatever stood there under its name.
// The session is as it was before, afterwards.
func (o object) make(ctx context.Context, c *conn, database string) error {
	doing := "make " + strings.ToLower(o.Kind) + " " + schema.Ident(o.Name)
	if err := c.exec(ctx, doing, "USE "+quote(database)); err != nil {
		return err
	}
	if o.Kind != "TRIGGER" {
		if err := c.exec(ctx, doing, "DROP "+o.Kind+" IF EXISTS "+quote(o.Name)); err != nil {
			return err
		}
	}
	err := c.exec(ctx, doing, o.settings())
	if err == nil {
		err = c.exec(ctx, doing, o.Create)
	}
	if back := c.exec(context.WithoutCancel(ctx), doing, "SET SESSION sql_mode = "+literal(plainMode)+", character_set_client = utf8mb4, collation_connection = utf8mb4_general_ci, time_zone = '+00:00'"); err == nil {
		err = back
	}
	return err
}

// drop removes it.
func (o object) drop(ctx context.Context, c *conn, database string) error {
	return c.exec(ctx, "drop "+strings.ToLower(o.Kind)+" "+schema.Ident(o.Name), "DROP "+o.Kind+" IF EXISTS "+quote(database)+"."+quote(o.Name))
}

// readTriggers reads the triggers of a database in an order in which they can be
// made again: those of one table and event fire in the order they were made.
func readTriggers(ctx context.Context, c *conn, database string) ([]object, error) {
	rows, err := c.rows(ctx, "read the triggers", `SELECT trigger_name, event_object_table, action_timing, event_manipulation, definer, sql_mode, character_set_client, collation_connection
		FROM information_schema.triggers WHERE trigger_schema = `+literal(database)+` ORDER BY event_object_table, action_timing, event_manipulation, action_order`)
	var out []object
	for _, r := range rows {
		o := object{Kind: "TRIGGER", Name: r[0], Table: r[1], Moment: r[2] + " " + r[3], Definer: r[4], Mode: r[5], Charset: r[6], Collation: r[7]}
		doing := "read trigger " + schema.Ident(o.Name)
		shown, err := c.row(ctx, doing, "SHOW CREATE TRIGGER "+quote(database)+"."+quote(o.Name)) // elsewhere MariaDB shows characters beyond the BMP as ?
		if err != nil {
			return nil, err
		}
		text := shown[min(2, len(shown)-1)]
		body, ok := triggerBody(text)
		if !ok {
			return nil, &engine.Error{Code: engine.Unsupported, Doing: doing, Table: schema.Name{Schema: database, Table: o.Table}, Say: "its statement has a form that is not known"}
		}
		o.Create = "CREATE DEFINER=" + account(o.Definer) + " TRIGGER " + quote(o.Name) + " " + r[2] + " " + r[3] + " ON " + quote(o.Table) + " FOR EACH ROW " + body
		if head, ok := triggerHead(text); ok { // the server shows it as it was written
			o.Create = "CREATE DEFINER=" + account(o.Definer) + " " + head + body
		}
		out = append(out, o)
	}
	return out, err
}

// triggerBody gives what stands behind FOR EACH ROW, and behind the place among
// other triggers, which their order gives again.
func triggerBody(text string) (string, bool) {
	all := tokens(text)
	for i := 0; i+3 < len(all); i++ {
		if !all[i].is("FOR") || !all[i+1].is("EACH") || !all[i+2].is("ROW") {
			continue
		}
		at := i + 3
		if (all[at].is("FOLLOWS") || all[at].is("PRECEDES")) && at+2 < len(all) {
			at += 2
		}
		return text[all[at].start:], true
	}
	return "", false
}

// triggerHead gives the words from TRIGGER to FOR EACH ROW, with the space behind
// them, unless they name a database, which may be another one next time.
func triggerHead(text string) (string, bool) {
	all := tokens(text)
	from := slices.IndexFunc(all, func(t token) bool { return t.is("TRIGGER") })
	if from < 0 {
		return "", false
	}
	for i := from; i+3 < len(all); i++ {
		switch {
		case all[i].mark("."), all[i].kind == comment, all[i].is("IF"):
			return "", false
		case all[i].is("FOR") && all[i+1].is("EACH") && all[i+2].is("ROW"):
			return text[all[from].start:all[i+2].end()] + " ", true
		}
	}
	return "", false
}

// account writes user@host, as information_schema gives it, as SQL.
func account(text string) string {
	user, host, ok := lastCut(text, "@")
	if !ok {
		return quote(text)
	}
	return quote(user) + "@" + quote(host)
}

// readOthers reads views, routines and events of a database. What grants hide is
// named in hidden, and so are views that do not work there.
func readOthers(ctx context.Context, c *conn, database string) (out []object, hidden []string, err error) {
	out, broken, hidden, err := readEach(ctx, c, database)
	for _, o := range broken {
		hidden = append(hidden, "view "+schema.Ident(o.Name)+", which does not work there")
	}
	return out, hidden, err
}

// readEach is readOthers that gives views which do not work, because they name what is
// not there or what their definer may not read, by themselves.
func readEach(ctx context.Context, c *conn, database string) (out, broken []object, hidden []string, err error) {
	if err := c.exec(ctx, "read the views", "USE "+quote(database)); err != nil { // else views name the database everywhere
		return nil, nil, nil, err
	}
	names, err := c.rows(ctx, "read the views", `
		SELECT 'FUNCTION', routine_name FROM information_schema.routines WHERE routine_schema = `+literal(database)+` AND routine_type = 'FUNCTION'
		UNION ALL SELECT 'PROCEDURE', routine_name FROM information_schema.routines WHERE routine_schema = `+literal(database)+` AND routine_type = 'PROCEDURE'
		UNION ALL SELECT 'VIEW', table_name FROM information_schema.tables WHERE table_schema = `+literal(database)+` AND table_type = 'VIEW'
		UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = `+literal(database))
	if err != nil {
		return nil, nil, nil, err
	}
	for _, r := range names {
		o := object{Kind: r[0], Name: r[1]}
		shown, err := c.rows(ctx, "read "+strings.ToLower(o.Kind)+" "+schema.Ident(o.Name), "SHOW CREATE "+o.Kind+" "+quote(database)+"."+quote(o.Name))
		if engine.CodeOf(err) == engine.Denied || err == nil && (len(shown) == 0 || !o.take(shown[0])) {
			hidden = append(hidden, strings.ToLower(o.Kind)+" "+schema.Ident(o.Name))
			continue
		}
		if err != nil {
			return nil, nil, nil, err
		}
		if o.Kind == "EVENT" {
			if o.Undated, err = undated(ctx, c, database, o); err != nil {
				return nil, nil, nil, err
			}
		}
		if o.Kind == "VIEW" { // one that names what is not there cannot be made elsewhere
			_, err := c.rows(ctx, "open view "+schema.Ident(o.Name), "SELECT 1 FROM "+quote(database)+"."+quote(o.Name)+" LIMIT 0")
			if code := engine.CodeOf(err); err != nil && (code == engine.Syntax || code == engine.Denied) {
				broken = append(broken, o)
				continue
			} else if err != nil {
				return nil, nil, nil, err
			}
		}
		out = append(out, o)
	}
	return out, broken, hidden, nil
}

// undated tells whether an event starts at the moment when it was made, which is what the
// server writes into one that says no STARTS (MySQL's and MariaDB's manuals, CREATE EVENT).
func undated(ctx context.Context, c *conn, database string, o object) (bool, error) {
	doing := "read event " + schema.Ident(o.Name)
	if err := c.exec(ctx, doing, "SET SESSION time_zone = "+literal(o.Zone)); err != nil { // STARTS is told in the event's zone, CREATED in the session's
		return false, nil // a zone that the server has forgotten
	}
	n, err := c.value(ctx, doing, "SELECT count(*) FROM information_schema.events WHERE event_schema = "+literal(database)+" AND event_name = "+literal(o.Name)+" AND timestampdiff(SECOND, created, starts) BETWEEN 0 AND 1")
	if err != nil {
		return false, err
	}
	return n == "1", c.exec(ctx, doing, "SET SESSION time_zone = '+00:00'")
}

// withoutStart leaves STARTS and its time out of an event.
func withoutStart(all []token) []token {
	for i, t := range all {
		switch {
		case t.is("DO"):
			return all
		case t.is("STARTS") && i+1 < len(all):
			return append(slices.Clone(all[:i]), all[i+2:]...)
		}
	}
	return all
}

// readPackages lists the stored packages of a database (MariaDB's manual, CREATE PACKAGE).
func readPackages(ctx context.Context, c *conn, database string) (names []string, err error) {
	rows, err := c.rows(ctx, "look for packages", "SELECT DISTINCT routine_name FROM information_schema.routines WHERE routine_type LIKE 'PACKAGE%' AND routine_schema = "+literal(database)+" ORDER BY 1")
	for _, r := range rows {
		names = append(names, r[0])
	}
	return names, err
}

// take reads a row of SHOW CREATE; false where the text is hidden.
func (o *object) take(row []string) bool {
	at := map[string][4]int{"VIEW": {1, -1, 2, 3}, "FUNCTION": {2, 1, 3, 4}, "PROCEDURE": {2, 1, 3, 4}, "EVENT": {3, 1, 4, 5}}[o.Kind]
	if len(row) <= at[3] || row[at[0]] == "" {
		return false
	}
	o.Create, o.Charset, o.Collation = row[at[0]], row[at[2]], row[at[3]]
	if o.Kind == "EVENT" {
		o.Zone = row[2]
	}
	if at[1] >= 0 {
		o.Mode = row[at[1]]
	}
	return true
}

// foreign makes the object one of other databases than its own: it belongs to
// whoever makes it, an event does not run, and databases that have another name
// there are renamed. It tells why that cannot be done.
func (o object) foreign(rename func(string) string) (made object, why string) {
	made, named := o.moved(rename)
	if named != "" && o.Kind != "VIEW" { // the server keeps their text as it was written
		return o, fmt.Sprintf("the %s %s names the database %s, which has another name here: take the name out of it", strings.ToLower(o.Kind), schema.Ident(o.Name), quote(named))
	}
	return made, ""
}

// moved is foreign for every kind, and gives a name that it replaced. What looks like
// a database's name in a body may be that of a variable.
func (o object) moved(rename func(string) string) (made object, named string) {
	text := o.Create
	all := tokens(text)
	if i := slices.IndexFunc(all, func(t token) bool { return t.is("DEFINER") }); i > 0 && i+2 < len(all) && all[i+1].mark("=") {
		end := i + 2
		for end < len(all) && !slices.ContainsFunc([]string{"TRIGGER", "SQL", "VIEW", "FUNCTION", "PROCEDURE", "EVENT", "AGGREGATE"}, all[end].is) {
			end++
		}
		if end < len(all) {
			text = text[:all[i].start] + text[all[end].start:]
			all = tokens(text)
		}
	}
	o.Definer = ""
	for i, t := range all {
		if o.Kind != "EVENT" || i > 0 && t.is("DO") {
			break
		}
		if t.is("ENABLE") {
			text = text[:t.start] + "DISABLE" + text[t.end():]
			all = tokens(text)
			break
		}
	}
	for i := len(all) - 2; i >= 0; i-- {
		t := all[i]
		name, ok := t.name()
		if !ok || !all[i+1].mark(".") || i > 0 && all[i-1].mark(".") || rename(name) == name {
			continue
		}
		named = name
		text = text[:t.start] + quote(rename(name)) + text[t.end():]
	}
	o.Create = text
	return o, named
}

// A placed is an object and the database that it is made in.
type placed struct {
	object
	database string
}

// makeAll makes objects in an order in which those that need others come later, in
// whichever of the databases these are.
func makeAll(ctx context.Context, c *conn, list []placed) error {
	for len(list) > 0 {
		var open []placed
		var first error
		for _, o := range list {
			err := o.make(ctx, c, o.database)
			if err != nil && (engine.CodeOf(err) != engine.Syntax || ctx.Err() != nil) {
				return err
			}
			if err != nil {
				open = append(open, o)
				if first == nil {
					first = unfit(err)
				}
			}
		}
		if len(open) == len(list) {
			return first
		}
		list = open
	}
	return nil
}

// unfit says how to mend what the server does not make again, because of what it names.
func unfit(err error) error {
	var e *engine.Error
	if errors.As(err, &e) && e.Code == engine.Syntax && e.Hint == "" {
		e.Hint = "as it stands now it is broken, or needs what is not copied: mend it or drop it there"
	}
	return err
}

// within places objects in a database.
func within(database string, list []object) []placed {
	out := make([]placed, len(list))
	for i, o := range list {
		out[i] = placed{o, database}
	}
	return out
}
