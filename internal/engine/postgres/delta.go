package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An exchanged table is one whose rows are exchanged: those that wait in its
// side table come in, those that are not among them go, and rows that are there
// already are not touched. Rows are the same when their columns are, byte by
// byte; which is whose successor, a key tells where there is one.
type exchanged struct {
	name        schema.Name
	oid         uint32
	partitioned bool
	bytes       int64    // by the server's estimate
	columns     []string // that a load writes
	always      []string // of them, those that only INSERT may give a value (GENERATED ALWAYS AS IDENTITY)
	match       []string // columns by which rows are matched; empty: by all
	equals      map[string]string
	leaves      []leaf
	// waiting: rows wait in the side table; without, every row goes.
	waiting bool
	// seen: rows that came were paired, as they came, with those that stood in the
	// table, so that only what found no pair is in the side table, sent rows, and
	// the table of candidates, left rows. Nil: every row that came is in the side table.
	seen       *look
	sent, left int64
	measured   bool // the server knows how many rows wait in the side table, and of which keys
	// continued: exactly these rows stand in the table, and what waits are rows that
	// come in or take the place of the one with their key; no other row goes.
	continued *memory
	// departs: so many rows of a continued table go, whose places wait in a table of
	// their own.
	departs int64
	// copied: what was written stands once more in a table of its own, for the many
	// questions that are asked of it alone.
	copied bool
	// stayed: what was to be written stood there already, so that what was met is what
	// stands there.
	stayed bool
	// met: the rows that stood under the keys of so many that waited are in a table of their
	// own, with their places, which stay theirs as long as nobody writes to the table.
	met int64
	// recalled: what rows that go from a continued table were referred to by stands in a
	// table of its own.
	recalled bool
	counted  int64 // rows of the table after the exchange, once Count has counted them, else -1
	// What the delta holds, once it is made.
	gone, changed, came int64
}

// side and delta name the table's side table and the table of what is to be done.
func (e *exchanged) side() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("rows_%d", e.oid)}
}
func (e *exchanged) delta() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("delta_%d", e.oid)}
}

// candidates names the table of the places of rows that may have to go; kept the
// one for what stood in the table when rows came, where that is needed again.
func (e *exchanged) candidates() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("left_%d", e.oid)}
}
func (e *exchanged) kept() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("kept_%d", e.oid)}
}

// writtenCopy names the table of what was written to a table that is continued.
func (e *exchanged) writtenCopy() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("written_%d", e.oid)}
}

// metCopy names the table of what stood under the keys of those that wait.
func (e *exchanged) metCopy() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("met_%d", e.oid)}
}

// referred names the table of what rows that go were referred to by.
func (e *exchanged) referred() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("referred_%d", e.oid)}
}

// staying names the table of the keys of all rows that are to be in a continued
// table, or of the gaps between them, departing that of the places of those that go.
func (e *exchanged) staying() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("keys_%d", e.oid)}
}
func (e *exchanged) departing() schema.Name {
	return schema.Name{Schema: sideSchema, Table: fmt.Sprintf("gone_%d", e.oid)}
}

// parts lists the numbers of the tables that hold rows, as an array.
func (e *exchanged) parts() []byte {
	if !e.partitioned {
		return []byte("{" + string(appendUint(nil, uint64(e.oid))) + "}")
	}
	out := []byte{'{'}
	for _, l := range e.leaves {
		out = appendElement(out, parameter(l.oid))
	}
	return append(out, '}')
}

func (e *exchanged) from() string { return tableKind{partitioned: e.partitioned}.from(e.name) }

func (e *exchanged) touched() bool { return e.gone+e.changed+e.came > 0 }

// makeSide makes the side table: the columns that are written, and what fills
// those that no row brings. Other constraints wait for the table itself.
func (e *exchanged) makeSide(ctx context.Context, c *conn, brought []string) error {
	like := "(LIKE " + quoteName(e.name)
	if slices.ContainsFunc(e.columns, func(n string) bool { return !slices.Contains(brought, n) }) {
		like += " INCLUDING DEFAULTS INCLUDING IDENTITY" // the numbers are then the side table's own
	}
	sql := "CREATE UNLOGGED TABLE " + quoteName(e.side()) + " " + like + ")"
	rows, err := c.query(ctx, "read the columns of "+e.name.String(), `SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated <> ''`, e.oid)
	if err != nil {
		return err
	}
	for _, r := range rows { // without its expression it would want a value
		sql += "; ALTER TABLE " + quoteName(e.side()) + " DROP COLUMN " + quote(string(r[0]))
	}
	return c.exec(ctx, "make the side table of "+e.name.String(), sql)
}

// places are the delta's own names for the columns: c1, c2, ... The others are
// rel and at, which tell a row of the table, and here, which tells that a row
// waits. A row that goes has no c, one that comes has no rel and at.
func (e *exchanged) places() []string {
	out := make([]string, len(e.columns))
	for i := range out {
		out[i] = fmt.Sprintf("c%d", i+1)
	}
	return out
}

// named lists the columns, each with the delta's name for it.
func (e *exchanged) named() []string {
	out := e.places()
	for i, c := range e.columns {
		out[i] = quote(c) + " AS " + out[i]
	}
	return out
}

// place gives the delta's name of a column.
func (e *exchanged) place(column string) string {
	return fmt.Sprintf("c%d", slices.Index(e.columns, column)+1)
}

// compare writes the query that finds what is to be done.
func (e *exchanged) compare() string {
	departing := ""
	if e.departs > 0 {
		departing = "SELECT rel, at, false AS here FROM " + quoteName(e.departing())
	}
	switch {
	case !e.waiting && departing != "":
		return departing
	case !e.waiting:
		return "SELECT t.tableoid AS rel, t.ctid AS at, false AS here FROM " + e.from() + " t"
	case departing != "":
		departing = " UNION ALL SELECT rel, at, false" + strings.Repeat(", NULL", len(e.columns)) + " FROM " + quoteName(e.departing())
	}
	places, named := e.places(), e.named()
	came := comma(prefixed("n.", places))
	join := " FULL JOIN ("
	if e.continued != nil {
		join = " LEFT JOIN ("
	}
	old := "SELECT tableoid AS rel, ctid AS at" + comma(named) + " FROM " + e.from()
	switch {
	case e.met > 0 && e.met == e.sent:
		old = "TABLE " + quoteName(e.metCopy())
	case e.seen != nil:
		old = "SELECT t.tableoid AS rel, t.ctid AS at" + comma(prefixed("t.", named)) + " FROM " + e.from() + " t JOIN " + quoteName(e.candidates()) + " k ON t.ctid = k.at AND t.tableoid = k.rel"
	}
	waiting := "SELECT true AS here" + comma(named) + " FROM " + quoteName(e.side())
	out := "SELECT o.rel, o.at, n.here IS NOT NULL AS here" + came
	if len(e.match) == 0 { // by all columns, as text, because not every type has an equality; the same row may be there several times
		text := "ROW(" + strings.Join(places, ", ") + `)::text COLLATE "C"`
		return out + " FROM (SELECT *, row_number() OVER (PARTITION BY x) AS y FROM (SELECT *, " + text + " AS x FROM (" + waiting + ") w) w) n" +
			" FULL JOIN (SELECT rel, at, x, row_number() OVER (PARTITION BY x) AS y FROM (SELECT *, " + text + " AS x FROM (" + old + ") t) t) o" +
			" ON n.x = o.x AND n.y = o.y WHERE n.here IS NULL OR o.at IS NULL"
	}
	var on []string
	for _, m := range e.match {
		on = append(on, "n."+e.place(m)+" "+e.equals[m]+" o."+e.place(m))
	}
	image := func(q string) string { return "ROW(" + q + strings.Join(places, ", "+q) + ")::record" }
	return out + " FROM (" + waiting + ") n" + join + old + ") o ON " + strings.Join(on, " AND ") +
		" WHERE n.here IS NULL OR o.at IS NULL OR " + image("n.") + " OPERATOR(pg_catalog.*<>) " + image("o.") + departing
}

// waits gives, for a FROM clause, the rows that came.
func (e *exchanged) waits() string {
	if e.seen == nil {
		return quoteName(e.side())
	}
	columns := quoteList(e.columns)
	stay := "SELECT " + columns + " FROM " + e.from() + " t"
	if e.left > 0 {
		stay += " WHERE NOT EXISTS (SELECT FROM " + quoteName(e.candidates()) + " k WHERE k.at = t.ctid AND k.rel = t.tableoid)"
	}
	return "(SELECT " + columns + " FROM " + quoteName(e.side()) + " UNION ALL " + stay + ") q"
}

// comma writes a list that follows others.
func comma(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return ", " + strings.Join(items, ", ")
}

// incoming tells whether all that waits comes in and nothing goes, because every
// row that stood in the table found its pair, as in an empty table.
func (e *exchanged) incoming() bool { return e.waiting && e.seen != nil && e.left == 0 }

// todo gives, for a FROM clause, the delta. Where rows only come in it is the side
// table itself: there is nothing to compare them with, and they are not copied.
func (e *exchanged) todo() string {
	if !e.incoming() {
		return quoteName(e.delta())
	}
	return "(SELECT NULL::pg_catalog.oid AS rel, NULL::pg_catalog.tid AS at, true AS here" + comma(e.named()) + " FROM " + quoteName(e.side()) + ")"
}

// makeDelta finds out what is to be done. Nobody writes to the table meanwhile.
func (e *exchanged) makeDelta(ctx context.Context, c *conn) error {
	doing := "compare the rows of " + e.name.String()
	if e.continued != nil && !e.waiting && e.departs == 0 {
		return nil
	}
	e.gone, e.changed, e.came = 0, 0, 0
	if !e.waiting {
		if some, err := c.value(ctx, doing, "SELECT EXISTS (SELECT FROM "+e.from()+")"); err != nil || some == "f" {
			return err // empty, and stays so
		}
	}
	if e.incoming() {
		e.came = e.sent
		return nil
	}
	// Not UNLOGGED: the transaction may go back behind it, and a server that crashes
	// before it has written that down finds a file of such a table in its way.
	compare := func() error { return c.exec(ctx, doing, "CREATE TABLE "+quoteName(e.delta())+" AS "+e.compare()) }
	if err := c.exec(ctx, doing, "SAVEPOINT compare"); err != nil {
		return err
	}
	err := compare()
	if engine.CodeOf(err) == engine.Syntax && len(e.match) > 0 && e.continued == nil {
		// There are keys whose values cannot be compared, of arrays of what has no
		// order: the server takes their first row, and finds out with the second.
		e.match = nil
		if err = c.exec(ctx, doing, "ROLLBACK TO SAVEPOINT compare"); err == nil {
			err = compare()
		}
	}
	if err == nil {
		err = c.exec(ctx, doing, "RELEASE SAVEPOINT compare")
	}
	if err != nil {
		return err
	}
	rows, err := c.query(ctx, doing, "SELECT count(*) FILTER (WHERE NOT here), count(*) FILTER (WHERE here AND at IS NOT NULL), count(*) FILTER (WHERE here AND at IS NULL) FROM "+quoteName(e.delta()))
	if err != nil {
		return err
	}
	e.gone, e.changed, e.came = number(rows[0][0]), number(rows[0][1]), number(rows[0][2])
	if e.gone+e.changed == 0 {
		return nil
	}
	return c.exec(ctx, doing, "ANALYZE "+quoteName(e.delta())+" (rel)") // so that few rows are looked up, and many joined
}

// A share is one of the kinds of rows in a delta, as a condition on it.
type share string

const (
	shareGone    share = "NOT d.here"
	shareChanged share = "d.here AND d.at IS NOT NULL"
	shareCame    share = "d.here AND d.at IS NULL"
	shareHere    share = "d.here" // after the exchange: those that changed and those that came
)

// remove writes the statement that deletes the old rows of a share.
func (e *exchanged) remove(p share) string {
	return "DELETE FROM " + e.from() + " t USING " + e.todo() + " d WHERE t.ctid = d.at AND t.tableoid = d.rel AND " + string(p)
}

// insert writes the statement that inserts the new rows of a share.
func (e *exchanged) insert(p share) string {
	into := ""
	if len(e.columns) > 0 {
		into = " (" + quoteList(e.columns) + ") OVERRIDING SYSTEM VALUE"
	}
	return "INSERT INTO " + quoteName(e.name) + into + " SELECT " + strings.Join(prefixed("d.", e.places()), ", ") + " FROM " + e.todo() + " d WHERE " + string(p)
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

// update writes the statement that gives rows their new values. A column that
// only INSERT may fill is among those that rows are matched by, so it stays.
func (e *exchanged) update() string {
	var set []string
	for _, c := range e.columns {
		if !slices.Contains(e.always, c) {
			set = append(set, quote(c)+" = d."+e.place(c))
		}
	}
	return "UPDATE " + e.from() + " t SET " + strings.Join(set, ", ") + " FROM " + e.todo() + " d WHERE t.ctid = d.at AND t.tableoid = d.rel AND " + string(shareChanged)
}

// exchangedTables lists the tables to exchange: all that inspect found, but
// those to preserve and those whose rows belong to another server.
func exchangedTables(ctx context.Context, c *conn, inv *inventory, preserve []schema.Name) (map[schema.Name]*exchanged, error) {
	rows, err := c.query(ctx, "list the identity columns", `SELECT attrelid, attname FROM pg_catalog.pg_attribute WHERE attidentity = 'a' AND NOT attisdropped`)
	if err != nil {
		return nil, err
	}
	always := map[uint32][]string{}
	for _, r := range rows {
		always[parseUint(r[0])] = append(always[parseUint(r[0])], string(r[1]))
	}
	out := map[schema.Name]*exchanged{}
	for i := range inv.schema.Tables {
		t := &inv.schema.Tables[i]
		facts := inv.tables[t.Name]
		if slices.Contains(preserve, t.Name) {
			continue
		}
		if facts.foreign {
			if facts.partitioned {
				return nil, &engine.Error{Code: engine.Unsupported, Doing: "exchange the rows of " + t.Name.String(), Table: t.Name,
					Say: "one of its partitions is a foreign table, whose rows belong to another server", Hint: "preserve the table, or detach the partition"}
			}
			continue
		}
		e := &exchanged{name: t.Name, oid: facts.oid, partitioned: facts.partitioned, leaves: facts.leaves, bytes: t.Bytes, columns: t.Written(), counted: -1, always: always[facts.oid], equals: map[string]string{}}
		for _, k := range t.Keys {
			if k.Identifies() && !slices.ContainsFunc(k.Columns, func(n string) bool { return !slices.Contains(e.columns, n) }) {
				e.match = append(slices.Clone(k.Columns), e.always...)
				slices.Sort(e.match)
				e.match = slices.Compact(e.match)
				break
			}
		}
		for _, m := range e.match {
			e.equals[m] = facts.columns[m].equals
		}
		out[t.Name] = e
	}
	return out, nil
}
