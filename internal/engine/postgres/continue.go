package postgres

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

var _ engine.Continuing = (*exchange)(nil)

// Continue looks whether a table is what the load that left the word left, and
// has its next rows taken as what changed since. To count its rows would tell for
// certain, but that is done when nobody can write to it any more: until then the
// server's statistics of writes will do where they say that there were none.
func (x *exchange) Continue(ctx context.Context, table schema.Name, word string) (rows int64, ok bool, err error) {
	m, readable := readMemory(word)
	x.mu.Lock()
	e := x.tables[table]
	x.mu.Unlock()
	if !readable || e == nil || e.waiting || len(e.match) == 0 || len(e.columns) == 0 {
		return 0, false, nil
	}
	err = x.pool.with(ctx, func(c *conn) error {
		first, err := x.firstLook(ctx, c)
		if err != nil {
			return err
		}
		there := first.of[table]
		if ok = first.age.holds(m) && there.structure == m.structure; !ok {
			return nil
		}
		if !x.spec.Anew && first.counted && there.writes == m.writes { // after a try that was led astray, that likelihood does not do
			return nil
		}
		ok, err = e.holds(ctx, c, m)
		return err
	})
	if err != nil || !ok {
		return 0, false, err
	}
	x.mu.Lock()
	e.continued = &m
	x.mu.Unlock()
	return m.rows, true, nil
}

// A firstLook is what was found of all tables when the first was to be continued. It is
// looked again under the locks; here it tells what may be built on.
type firstLook struct {
	age     age
	counted bool // the server keeps statistics of everybody's writes
	of      map[schema.Name]seenTable
}

type seenTable struct {
	structure string
	writes    int64
}

func (x *exchange) firstLook(ctx context.Context, c *conn) (*firstLook, error) {
	x.looking.Lock()
	defer x.looking.Unlock()
	if x.first != nil {
		return x.first, nil
	}
	list := x.sorted()
	out := &firstLook{of: map[schema.Name]seenTable{}}
	var err error
	if out.age, err = c.age(ctx); err != nil {
		return nil, err
	}
	structures, err := structuresOf(ctx, c, x.factsOf(list), true)
	if err != nil {
		return nil, err
	}
	if out.counted, err = counted(ctx, c); err != nil {
		return nil, err
	}
	writes, err := writesTo(ctx, c, x.factsOf(list))
	if err != nil {
		return nil, err
	}
	for i, e := range list {
		out.of[e.name] = seenTable{structures[i], writes[i]}
	}
	x.first = out
	return out, nil
}

// factsOf gives what is known of tables, in their order.
func (x *exchange) factsOf(list []*exchanged) []*tableFacts {
	out := make([]*tableFacts, len(list))
	for i, e := range list {
		out[i] = x.before.tables[e.name]
	}
	return out
}

// moved gives the first of the tables that are continued that does not stand there, read
// as it was when its memory was made; nil where all do.
func (x *exchange) moved(ctx context.Context, c *conn, list []*exchanged) (*exchanged, error) {
	if len(list) == 0 {
		return nil, nil
	}
	now, err := c.age(ctx)
	if err != nil {
		return nil, err
	}
	structures, err := structuresOf(ctx, c, x.factsOf(list), true)
	if err != nil {
		return nil, err
	}
	for i, e := range list {
		if !now.holds(*e.continued) || structures[i] != e.continued.structure {
			return e, nil
		}
	}
	return nil, nil
}

// holds counts whether exactly the memory's rows stand in the table.
func (e *exchanged) holds(ctx context.Context, c *conn, m memory) (bool, error) {
	// The youngest of the rows tells as well as a second count, and costs less.
	rows, err := c.query(ctx, "look for late writes to "+e.name.String(), "SELECT count(*), coalesce("+afterAge("min(pg_catalog.age(xmin))", m.from)+", false) FROM "+e.from())
	return err == nil && number(rows[0][0]) == m.rows && string(rows[0][1]) == "f", err
}

// same writes that two rows have one key.
func (e *exchanged) same(a, b string) string {
	var on []string
	for _, m := range e.match {
		on = append(on, a+quote(m)+" "+e.equals[m]+" "+b+quote(m))
	}
	return strings.Join(on, " AND ")
}

// written gives, in brackets for a FROM clause, the table's rows under the keys of those that wait.
func (e *exchanged) written() string {
	switch {
	case e.copied && e.stayed:
		return e.metRows()
	case e.copied:
		return quoteName(e.writtenCopy())
	}
	which := "false"
	if e.waiting {
		which = e.awaited()
	}
	return "(SELECT t.* FROM " + e.from() + " t WHERE " + which + ")"
}

// asksTable tells whether a check asks which table a row is of, or hands the whole row on,
// whose type is the table's: a copy's rows cannot answer that.
func asksTable(table *schema.Table) bool {
	return slices.ContainsFunc(table.Checks, func(k schema.Check) bool {
		return strings.Contains(k.Expr, "tableoid") || strings.Contains(k.Expr, ".*")
	})
}

// proved gives what follows FROM where the table's checks are asked of the rows that were
// written, under the table's own name: a check may bear it.
func (e *exchanged) proved(table *schema.Table) string {
	name := quote(e.name.Table)
	switch {
	case !asksTable(table):
		return e.written() + " " + name
	case !e.waiting:
		return e.from() + " AS " + name + " WHERE false"
	}
	return e.from() + " AS " + name + " WHERE EXISTS (SELECT FROM " + quoteName(e.side()) + " understudy_waiting WHERE " + e.same("understudy_waiting.", name+".") + ")"
}

// awaited writes that a row waits under the key of the table's row t.
func (e *exchanged) awaited() string {
	return "EXISTS (SELECT FROM " + quoteName(e.side()) + " w WHERE " + e.same("w.", "t.") + ")"
}

// copiedShare of a table's rows is written at most where they are set apart: to copy more
// would take longer, under the locks, than to ask the table itself.
const copiedShare = 10

// copyWritten copies what was written, as it stands in the table now, to a table of its
// own, in the transaction that wrote it: to find it costs as much as a question does.
func (e *exchanged) copyWritten(ctx context.Context, c *conn, table *schema.Table) error {
	e.copied, e.stayed = false, false
	if e.continued == nil || !e.waiting || e.sent > e.continued.rows/copiedShare {
		return nil
	}
	if !e.touched() && e.met > 0 && e.met == e.sent && table != nil && len(table.Columns) == len(e.columns) && !asksTable(table) {
		e.copied, e.stayed = true, true
		return nil
	}
	if table == nil || asksTable(table) {
		return nil
	}
	err := c.exec(ctx, "set apart what was written to "+e.name.String(), "CREATE TABLE "+quoteName(e.writtenCopy())+" AS SELECT * FROM "+e.written()+" t")
	e.copied = err == nil
	return err
}

// copyLeft copies what was written to the tables of which no copy was made yet, or whose
// rows were written to once more after it was: by a trigger, or because a row elsewhere
// took those that refer to it along. The transaction's own counts of its writes tell.
func (x *exchange) copyLeft(ctx context.Context, c *conn, list []*exchanged) error {
	var copied []*exchanged
	for _, e := range list {
		if e.copied {
			copied = append(copied, e)
		}
	}
	counts, err := ownWrites(ctx, c, x.factsOf(copied))
	if err != nil {
		return err
	}
	for i, e := range copied {
		if counts[i] == e.work() {
			continue
		}
		e.copied = false
		if err := c.exec(ctx, "set apart again what was written to "+e.name.String(), "DROP TABLE "+quoteName(e.writtenCopy())); err != nil {
			return err
		}
	}
	for _, e := range list {
		if !e.copied {
			if err := e.copyWritten(ctx, c, x.before.schema.Table(e.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownWrites gives, of each table, how many rows the transaction has put in, changed and
// taken out, also what it has undone since; empty where the server does not count.
func ownWrites(ctx context.Context, c *conn, tables []*tableFacts) ([]string, error) {
	return ofEach(ctx, c, "look at the transaction's writes", `WITH `+ofMembers+`
		SELECT g, sum(pg_catalog.pg_stat_get_xact_tuples_inserted(o)) || ' ' || sum(pg_catalog.pg_stat_get_xact_tuples_updated(o)) || ' ' || sum(pg_catalog.pg_stat_get_xact_tuples_deleted(o))
			FROM p WHERE pg_catalog.current_setting('track_counts') = 'on' GROUP BY g`, tables)
}

// work is what the exchange itself does to the table, as ownWrites tells it.
func (e *exchanged) work() string { return fmt.Sprintf("%d %d %d", e.came, e.changed, e.gone) }

// copyReferred copies what rows that go from a continued table are referred to by, before
// they go: rows of other tables that refer to none of it lose nothing by that.
func (e *exchanged) copyReferred(ctx context.Context, c *conn, ties []*tie) error {
	e.recalled = false
	if e.continued == nil || e.gone == 0 || e.gone > e.continued.rows/copiedShare {
		return nil
	}
	var columns []string // quoted
	for _, k := range ties {
		if k.parent == e.name {
			columns = append(columns, k.referenced...)
		}
	}
	if len(columns) == 0 {
		return nil
	}
	slices.Sort(columns)
	err := c.exec(ctx, "set apart what went from "+e.name.String(), "CREATE TABLE "+quoteName(e.referred())+" AS SELECT "+strings.Join(prefixed("t.", slices.Compact(columns)), ", ")+
		" FROM "+e.from()+" t JOIN "+quoteName(e.delta())+" d ON t.ctid = d.at AND t.tableoid = d.rel WHERE "+string(shareGone))
	e.recalled = err == nil
	return err
}

// Met gives the rows that stand there under the keys of those that wait.
func (x *exchange) Met(ctx context.Context, table schema.Name, r engine.Read) iter.Seq2[*engine.Batch, error] {
	e := x.exchangedOf(table)
	if e.sent > fewRows && !e.measured {
		err := x.pool.with(ctx, func(c *conn) error {
			err := c.exec(ctx, "gather statistics of "+e.side().String(), "ANALYZE "+quoteName(e.side())+" ("+quoteList(e.match)+")")
			if incomparable(err) {
				return nil
			}
			e.measured = err == nil
			return err
		})
		if err != nil {
			return func(yield func(*engine.Batch, error) bool) { yield(nil, err) }
		}
	}
	return x.standing(ctx, table, r, func(ctx context.Context, c *conn) (string, error) {
		from, err := e.keepMet(ctx, c)
		return from, x.triggered(err)
	})
}

// keepMet has the rows that stand under the keys of those that wait looked for once: the
// exchange asks for them again, under its locks. It gives what can follow FROM.
func (e *exchanged) keepMet(ctx context.Context, c *conn) (from string, err error) {
	if !e.waiting || e.sent > e.continued.rows/copiedShare || e.met > 0 && e.met != e.sent {
		return e.written(), nil
	}
	if e.met == 0 {
		if err := c.exec(ctx, "set apart what is met in "+e.name.String(), "CREATE UNLOGGED TABLE "+quoteName(e.metCopy())+" AS SELECT tableoid AS rel, ctid AS at"+comma(e.named())+" FROM "+e.from()+" t WHERE "+e.awaited()); err != nil {
			return "", err
		}
		e.met = e.sent
	}
	return e.metRows(), nil
}

// metRows gives, in brackets for a FROM clause, what stood under the keys of those that wait.
func (e *exchanged) metRows() string {
	columns := e.places()
	for i, name := range e.columns {
		columns[i] += " AS " + quote(name)
	}
	return "(SELECT " + strings.Join(columns, ", ") + " FROM " + quoteName(e.metCopy()) + ")"
}

// referring gives, in brackets for a FROM clause, those of the rows that were written
// that do not refer to what they referred to before, by the columns as SQL names them:
// the others are as good as rows that were not written.
func (e *exchanged) referring(columns []string) string {
	if e.met == 0 || e.met != e.sent {
		return e.written()
	}
	was, is := make([]string, len(columns)), prefixed("w.", columns)
	for i, column := range columns {
		at := slices.IndexFunc(e.columns, func(c string) bool { return column == c || column == quote(c) })
		if at < 0 {
			return e.written()
		}
		was[i] = "m." + e.places()[at]
	}
	var on []string
	for _, m := range e.match {
		on = append(on, "m."+e.place(m)+" "+e.equals[m]+" w."+quote(m))
	}
	return "(SELECT w.* FROM " + e.written() + " w WHERE NOT EXISTS (SELECT FROM " + quoteName(e.metCopy()) + " m WHERE " + strings.Join(on, " AND ") +
		" AND ROW(" + strings.Join(was, ", ") + ")::record OPERATOR(pg_catalog.*=) ROW(" + strings.Join(is, ", ") + ")::record))"
}

// Gone gives the rows that stand there and are to go.
func (x *exchange) Gone(ctx context.Context, table schema.Name, r engine.Read) iter.Seq2[*engine.Batch, error] {
	e := x.tables[table]
	from := "(SELECT t.* FROM " + e.from() + " t JOIN " + quoteName(e.departing()) + " d ON t.ctid = d.at AND t.tableoid = d.rel)"
	return x.standing(ctx, table, r, func(context.Context, *conn) (string, error) { return from, nil })
}

// standing reads rows of the target that stand in what prepare gives, which can follow FROM.
func (x *exchange) standing(ctx context.Context, table schema.Name, r engine.Read, prepare func(ctx context.Context, c *conn) (from string, err error)) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		var p *packer
		err := x.pool.with(ctx, func(c *conn) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			p = &packer{snap: &snapshot{limits: x.t.limits.WithDefaults()}, look: r.Look, form: newForm(x.before.tables[table], r.Columns), yield: yield, stop: cancel}
			p.size = p.snap.limits.BatchBytes
			defer p.drop()
			defer closeUnlessDone(c, p)
			// They are few among many, and looked up one by one.
			_, err := c.value(ctx, "plan lookups", "SELECT pg_catalog.set_config('random_page_cost', LEAST(1.1, pg_catalog.current_setting('random_page_cost')::float8)::text, false)")
			var from string
			if err == nil {
				from, err = prepare(ctx, c)
			}
			if err == nil {
				err = c.copyOut(ctx, "COPY (SELECT "+quoteList(r.Columns)+" FROM "+from+" t) TO STDOUT", p, "read rows of "+table.String())
			}
			if err == nil {
				err = c.exec(ctx, "plan as the server does", "RESET random_page_cost")
			}
			if err == nil {
				p.flush()
			}
			p.done = true
			return err
		})
		if err != nil && (p == nil || !p.stopped) {
			yield(nil, err)
		}
	}
}

// Keys names the columns by which the table's rows are told.
func (x *exchange) Keys(table schema.Name) []string { return slices.Clone(x.tables[table].match) }

// Stay takes the keys of all rows that are to be there.
func (x *exchange) Stay(ctx context.Context, table schema.Name, keys iter.Seq2[*engine.Batch, error]) (sent int64, err error) {
	e := x.exchangedOf(table)
	columns := quoteList(e.match)
	err = x.part(ctx, e, "AS SELECT "+columns+" FROM "+e.from()+" WHERE false",
		func(c *conn) error {
			return inPath(ctx, c, c.path, func() (err error) {
				sent, err = copyInto(ctx, c, e.staying(), e.match, keys)
				return err
			})
		}, e.from()+" t WHERE NOT EXISTS (SELECT FROM "+quoteName(e.staying())+" w WHERE "+e.same("w.", "t.")+")")
	return sent, renamed(err, e)
}

// Sift takes the gaps between the keys of all rows that are to be there. The table's
// index finds what lies in one, so that the rows that stay are not looked at.
func (x *exchange) Sift(ctx context.Context, table schema.Name, gaps iter.Seq2[int64, int64]) error {
	e := x.exchangedOf(table)
	key := "t." + quote(e.match[0])
	err := x.part(ctx, e, "(first bigint NOT NULL, last bigint NOT NULL)",
		func(c *conn) error {
			from := newRangeReader(gaps)
			defer from.stop()
			_, err := c.PgConn.CopyFrom(ctx, from, "COPY "+quoteName(e.staying())+" FROM STDIN")
			return wrap(ctx, err, e.parting())
		}, quoteName(e.staying())+" w JOIN "+e.from()+" t ON "+key+" BETWEEN w.first AND w.last")
	return renamed(err, e)
}

func (x *exchange) exchangedOf(table schema.Name) *exchanged {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tables[table]
}

// parting says what is done when rows are found that go.
func (e *exchanged) parting() string { return "find the rows of " + e.name.String() + " that go" }

// part notes which rows of a table go: it fills a table of a shape with what tells those
// that stay, and finds the others in what can follow FROM. They are noted by their place,
// which stays theirs as long as nobody writes to the table.
func (x *exchange) part(ctx context.Context, e *exchanged, shape string, fill func(c *conn) error, others string) error {
	doing := e.parting()
	return x.pool.with(ctx, func(c *conn) error {
		if err := c.exec(ctx, doing, "CREATE UNLOGGED TABLE "+quoteName(e.staying())+" "+shape); err != nil {
			return x.triggered(err)
		}
		if err := fill(c); err != nil {
			return err
		}
		more, err := moreMemory(ctx, c)
		if err != nil {
			return err
		}
		// The server knows nothing yet of how many there are; what they are like it need not know.
		err = c.exec(ctx, doing, "SET LOCAL default_statistics_target = 1; ANALYZE "+quoteName(e.staying())+more+"; CREATE UNLOGGED TABLE "+quoteName(e.departing())+
			" AS SELECT t.tableoid AS rel, t.ctid AS at FROM "+others+"; DROP TABLE "+quoteName(e.staying()))
		if err != nil {
			return x.triggered(err)
		}
		n, err := c.value(ctx, doing, "SELECT count(*) FROM "+quoteName(e.departing()))
		e.departs = number([]byte(n))
		return err
	})
}

// rangeReader writes ranges as COPY reads them.
type rangeReader struct {
	next func() (first, last int64, ok bool)
	stop func()
	text []byte // not read yet
}

func newRangeReader(ranges iter.Seq2[int64, int64]) *rangeReader {
	r := &rangeReader{}
	r.next, r.stop = iter.Pull2(ranges)
	return r
}

func (r *rangeReader) Read(p []byte) (n int, err error) {
	for len(r.text) < len(p) {
		first, last, ok := r.next()
		if !ok {
			err = io.EOF
			break
		}
		r.text = strconv.AppendInt(r.text, first, 10)
		r.text = append(r.text, '\t')
		r.text = strconv.AppendInt(r.text, last, 10)
		r.text = append(r.text, '\n')
	}
	n = copy(p, r.text)
	if r.text = r.text[:copy(r.text, r.text[n:])]; len(r.text) > 0 {
		err = nil
	}
	return n, err
}

// Renounce takes a Continue back.
func (x *exchange) Renounce(ctx context.Context, table schema.Name) error {
	x.mu.Lock()
	e := x.tables[table]
	e.continued, e.waiting, e.measured, e.met, e.sent, e.departs = nil, false, false, 0, 0, 0
	x.mu.Unlock()
	return x.pool.with(ctx, func(c *conn) error {
		return x.triggered(c.exec(ctx, "begin "+table.String()+" anew", "DROP TABLE IF EXISTS "+quoteName(e.side())+", "+quoteName(e.metCopy())+", "+quoteName(e.staying())+", "+quoteName(e.departing())))
	})
}

// countContinued counts the rows of the table, and the NULLs of those written. What
// stood there was counted under the lock, and no row of it goes because another
// table's does (see guard). So once those that were written are found there, and those
// that were to go are not, what stood there, what came and what went tell how many
// there are. Nobody else can have put a row where one went: within the transaction
// that deletes it, its place is not free.
func (e *exchanged) countContinued(ctx context.Context, c *conn, facts *tableFacts, columns []string) (all int64, nulls []int64, err error) {
	all, nulls = e.continued.rows+e.came-e.gone, make([]int64, len(columns))
	counts, err := ownWrites(ctx, c, []*tableFacts{facts})
	if err != nil {
		return 0, nil, err
	}
	if counts[0] != e.work() { // a trigger of an event may have written to it, in the same transaction
		e.copied = false
		own, err := c.value(ctx, "look at the transaction", "SELECT pg_catalog.txid_current()")
		if err != nil {
			return 0, nil, err
		}
		rows, err := c.query(ctx, "count "+e.name.String(), "SELECT count(*), count(*) FILTER (WHERE "+after(uint64(number([]byte(own))))+") FROM "+e.from())
		if err != nil {
			return 0, nil, err
		}
		if all = number(rows[0][0]); all == e.continued.rows+e.came-e.gone && number(rows[0][1]) != e.came+e.changed {
			return 0, nil, &engine.Error{Code: engine.Failed, Doing: "count " + e.name.String(), Table: e.name, Say: fmt.Sprintf("%d rows were to be written, and %d were, by a trigger in the target", e.came+e.changed, number(rows[0][1]))}
		}
	}
	if e.waiting {
		var written int64
		written, nulls, err = countIn(ctx, c, e.name, e.written()+" t", columns)
		if err == nil && written != e.sent {
			err = &engine.Error{Code: engine.Failed, Doing: "count " + e.name.String(), Table: e.name, Say: fmt.Sprintf("of %d rows that were written %d are there", e.sent, written)}
		}
		if err != nil {
			return 0, nil, err
		}
	}
	if e.gone > 0 {
		left, err := c.value(ctx, "count "+e.name.String(), "SELECT count(*) FROM "+e.from()+" t JOIN "+quoteName(e.delta())+" d ON t.ctid = d.at AND t.tableoid = d.rel WHERE "+string(shareGone))
		if err == nil && left != "0" {
			err = &engine.Error{Code: engine.Failed, Doing: "count " + e.name.String(), Table: e.name, Say: fmt.Sprintf("of %d rows that were to go %s are there", e.gone, left)}
		}
		return all, nulls, err
	}
	return all, nulls, nil
}

// provedBefore says how rows that stay are proved where a load continues.
const provedBefore = "those that came: counted; the others: by the refresh before, and not written to since"

// keyProof tells how a foreign key is proved when rows are exchanged, and of which
// of the child's rows, by its columns that refer and by how these of c match p, it is still
// to be asked; none where it is proved already. An empty method leaves it at all of them.
func (x *exchange) keyProof(child, parent schema.Name, name string, columns, matches []string) (method, rows string) {
	if slices.Contains(x.again[child], name) {
		return "added to the exchanged rows", ""
	}
	from, to := x.tables[child], x.tables[parent]
	if from == nil || to == nil || from.continued == nil || to.continued == nil || to.gone > 0 && !to.recalled {
		return "", ""
	}
	// What the parent's rows are referred to by has not changed: that would have
	// set the key aside (see inTheWay).
	if to.gone == 0 {
		return "anti-join of the rows that came or refer to another one; the others: by the refresh before, and not written to since", from.referring(columns)
	}
	return "anti-join of the rows that came or refer to another one, and of those that referred to what went; the others: by the refresh before, and not written to since",
		"(SELECT * FROM " + from.referring(columns) + " w UNION ALL SELECT c.* FROM " + from.from() + " c WHERE EXISTS (SELECT FROM " + quoteName(to.referred()) + " p WHERE " + strings.Join(matches, " AND ") + "))"
}

// settled is how long Left waits for others' transactions to end, whose later
// writes could not be told from rows of before.
const settled = 200 * time.Millisecond

// leastLooks is how often it looks at least, however long a look takes: a transaction
// of the server's own work that ends between the two halves of a look, the numbers
// that are open and whose they are, seems to be somebody's.
const leastLooks = 5

// Left gives words for those of the tables that a later load could continue.
func (x *exchange) Left(ctx context.Context, tables []schema.Name) (map[schema.Name]string, error) {
	out := map[schema.Name]string{}
	err := x.inside(func(c *conn) error {
		own, err := c.value(ctx, "look at the transaction", "SELECT pg_catalog.txid_current()")
		if err != nil {
			return err
		}
		now, alone, err := x.alone(ctx, own)
		if err != nil || !alone || now.life == "" {
			return err
		}
		var list []*exchanged
		for _, name := range tables {
			if e := x.tables[name]; e != nil && e.counted >= 0 && len(e.match) > 0 && !x.before.tables[name].foreign {
				list = append(list, e)
			}
		}
		plain, err := plainTables(ctx, c, x.factsOf(list))
		if err != nil {
			return err
		}
		structures, err := structuresOf(ctx, c, x.factsOf(list), true)
		if err != nil {
			return err
		}
		writes, err := writesTo(ctx, c, x.factsOf(list))
		if err != nil {
			return err
		}
		for i, e := range list {
			if plain[i] && structures[i] != "" {
				out[e.name] = memory{now.life, structures[i], now.to, e.counted, writes[i]}.String()
			}
		}
		return nil
	})
	return out, err
}

// alone waits until no transaction but our own has a number and is not over: who
// writes to the tables after it then has a later one. Taking a number and giving
// it back moves the server's idea of the latest that is over past our own.
func (x *exchange) alone(ctx context.Context, own string) (now age, alone bool, err error) {
	err = x.pool.with(ctx, func(c *conn) error {
		for end, looks := time.Now().Add(settled), 1; ; looks++ {
			if _, err := c.value(ctx, "look at the server's age", "SELECT pg_catalog.txid_current()"); err != nil {
				return err
			}
			if now, err = c.age(ctx); err != nil {
				return err
			}
			// Those of the server's own work, of a session without a user, write no rows.
			others, err := c.value(ctx, "look for other transactions", `SELECT count(*) FROM pg_catalog.txid_snapshot_xip(pg_catalog.txid_current_snapshot()) x WHERE x < $2 AND x <> $1
				AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
					WHERE l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' AND l.transactionid::text::bigint = x % 4294967296 AND a.usesysid IS NULL)`, own, fmt.Sprint(now.to))
			if err != nil {
				return err
			}
			if alone = others == "0"; alone || looks >= leastLooks && time.Now().After(end) {
				return nil
			}
			if err := wait(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	})
	return now, alone, err
}
