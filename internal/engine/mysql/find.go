package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// foundRows is the size of a batch of rows found.
const foundRows = 10_000

// Find gives identities and key values.
func (s *snapshot) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		doing := "look rows up in " + f.Table.Name.String()
		ctx, cancel := s.bounded(ctx)
		defer cancel()
		c, err := s.reader(ctx, doing)
		if err != nil {
			yield(nil, s.because(err, f.Table.Name))
			return
		}
		defer s.release(c)
		fd := finder{snapshot: s, conn: c, find: f, doing: doing, yield: yield}
		if err := fd.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(nil, s.because(err, f.Table.Name))
		}
	}
}

// finder carries out one Find.
type finder struct {
	snapshot *snapshot
	conn     *conn
	find     engine.Find
	doing    string
	yield    func(*engine.Found, error) bool
	facts    *tableFacts
	key      *rowKey
	identity *form // of the key's columns
	wanted   *form // of Columns and Tests
	by       *form
	numbers  *numbering
	met      map[string]uint64 // equal rows of a table without a key
	batch    *engine.Found
	// seen keeps rows from being found twice, where two keys can mean one row.
	seen             map[engine.RowID]struct{}
	raw, value, text []byte
}

func (f *finder) run(ctx context.Context) error {
	if err := f.prepare(ctx); err != nil {
		return err
	}
	head, tail := f.statement()
	if f.find.Keys == nil {
		condition := "true"
		if f.find.Orphaned != nil {
			if none, err := f.noOrphans(ctx); err != nil || none {
				return err
			}
			condition = f.orphaned()
		}
		if err := f.conn.each(ctx, f.doing, head+" WHERE "+condition+tail, f.add); err != nil {
			return err
		}
		return f.flush()
	}
	for next := 0; next < f.find.Keys.Len(); {
		m := matcher{columns: f.by.columns, maria: f.conn.maria}
		for ; next < f.find.Keys.Len() && !m.full(); next++ {
			if tuple, ok := f.tuple(next); ok {
				m.add(tuple)
			}
		}
		if len(m.tuples) == 0 {
			continue
		}
		f.met = nil // equal rows have equal keys: they come with one statement
		if err := f.conn.each(ctx, f.doing, head+" WHERE "+m.condition()+tail, f.add); err != nil {
			return err
		}
	}
	return f.flush()
}

func (f *finder) prepare(ctx context.Context) (err error) {
	if f.facts, err = f.snapshot.facts(f.doing, f.find.Table); err != nil {
		return err
	}
	columns, err := columnsOf(f.doing, f.find.Table, f.find.Columns)
	if err != nil {
		return err
	}
	by, err := columnsOf(f.doing, f.find.Table, f.find.By)
	if err != nil {
		return err
	}
	f.key = keyOf(f.find.Table, f.facts)
	f.identity, f.wanted, f.by = newForm(f.key.columns, f.facts), newForm(columns, f.facts), newForm(by, f.facts)
	for range f.find.Tests {
		f.wanted.columns = append(f.wanted.columns, formColumn{Column: schema.Column{Kind: schema.Boolean}, facts: &columnFacts{base: "tinyint"}})
	}
	if f.key.how != packed {
		f.numbers = f.snapshot.numbers.of(f.find.Table.Name)
	}
	for _, c := range f.by.columns {
		if c.FoldCase || c.facts.trims || c.facts.charset != "" && !strings.HasSuffix(c.facts.collation, "_bin") {
			f.seen = map[engine.RowID]struct{}{}
		}
	}
	if f.find.Where+f.find.Order == "" && len(f.find.Tests) == 0 {
		return nil
	}
	return f.conn.pretend(ctx, f.doing, f.find.Now)
}

// pretend makes an instant what now() and its kin mean in the session.
func (c *conn) pretend(ctx context.Context, doing string, now time.Time) error {
	if now.IsZero() {
		return nil
	}
	micros := now.UnixMicro()
	return c.exec(ctx, doing, "SET SESSION timestamp = "+strconv.FormatInt(micros/1e6, 10)+"."+strconv.FormatInt(1e6+micros%1e6, 10)[1:])
}

// statement gives it up to the condition on keys, and what follows that.
func (f *finder) statement() (head, tail string) {
	identity := f.identity.expressions()
	list := slices.Clone(identity)
	for i := range f.find.Columns {
		list = append(list, f.wanted.expressions()[i])
	}
	for _, test := range f.find.Tests {
		list = append(list, "("+test+") IS TRUE")
	}
	from := " FROM " + quoteName(f.find.Table.Name)
	head = "SELECT " + strings.Join(list, ", ") + from
	if f.find.Where != "" {
		tail = " AND (" + f.find.Where + ")"
	}
	switch {
	case f.find.PerKey > 0:
		return f.perKey(list, from, tail)
	case f.find.Order != "":
		tail += " ORDER BY " + f.find.Order + ", " + f.tieBreak()
	}
	return head, tail
}

// perKey ranks the rows of each key and keeps the first of them.
func (f *finder) perKey(list []string, from, conditions string) (head, tail string) {
	names := make([]string, len(list))
	for i := range list {
		names[i] = "c" + strconv.Itoa(i+1)
		list[i] += " AS " + names[i]
	}
	order := f.tieBreak()
	if f.find.Order != "" {
		order = f.find.Order + ", " + order
	}
	head = "SELECT " + strings.Join(names, ", ") + " FROM (SELECT " + strings.Join(list, ", ") +
		", row_number() OVER (PARTITION BY " + quotes(f.find.By) + " ORDER BY " + order + ") AS place" + from
	return head, conditions + ") AS understudy_ranked WHERE place <= " + strconv.FormatInt(f.find.PerKey, 10) + " ORDER BY place"
}

// tieBreak orders rows by the key that identifies them.
func (f *finder) tieBreak() string {
	if k := f.find.Table.Identity(); k != nil {
		return quotes(k.Columns)
	}
	return strings.Join(f.key.names(), ", ")
}

// noOrphans tells quickly that there are none, where both ends have an index and
// compare alike: in that case, which is the common one, no row need be looked at.
func (f *finder) noOrphans(ctx context.Context) (bool, error) {
	parent := f.find.Orphaned
	there := f.snapshot.inv.tables[parent.Table.Name]
	if f.find.Where != "" || there == nil || !there.leads(parent.Columns) || !f.facts.leads(f.find.By) {
		return false, nil
	}
	for i, name := range f.find.By {
		own, theirs := f.facts.columns[name], there.columns[parent.Columns[i]]
		if own == nil || theirs == nil || own.base != theirs.base || own.charset != theirs.charset || own.collation != theirs.collation {
			return false, nil
		}
	}
	return allThere(ctx, f.conn, f.doing, f.find.Table.Name, f.find.By, parent.Table.Name, parent.Columns)
}

// orphaned is the condition that a row's key is nobody's. NULL references
// nothing. With an index of the parent each row is looked up in it; else the
// parents' keys are listed once.
func (f *finder) orphaned() string {
	parent := f.find.Orphaned
	there := f.snapshot.inv.tables[parent.Table.Name]
	var terms, own, theirs, equal []string
	for i, name := range f.find.By {
		a, b := quoteName(f.find.Table.Name)+"."+quote(name), "understudy_parent."+quote(parent.Columns[i])
		terms = append(terms, a+" IS NOT NULL")
		switch from, to := f.find.Table.Column(name), parent.Table.Column(parent.Columns[i]); {
		case there == nil:
		case parent.Written != nil && parent.Written[i]: // one is the text of the other
			a, b = written(a, from, f.facts.columns[name]), written(b, to, there.columns[to.Name])
		default:
			a, b = comparable(a, b, f.facts.columns[name], there.columns[to.Name])
		}
		own, theirs, equal = append(own, a), append(theirs, b), append(equal, b+" = "+a)
	}
	from := " FROM " + quoteName(parent.Table.Name) + " AS understudy_parent WHERE "
	if there != nil && there.leads(parent.Columns) {
		return strings.Join(terms, " AND ") + " AND NOT EXISTS (SELECT 1" + from + strings.Join(equal, " AND ") + ")"
	}
	var set []string
	for _, b := range theirs {
		set = append(set, b+" IS NOT NULL")
	}
	return strings.Join(terms, " AND ") + " AND (" + strings.Join(own, ", ") + ") NOT IN (SELECT " + strings.Join(theirs, ", ") + from + strings.Join(set, " AND ") + ")"
}

// comparable writes two texts of different collations so that they can be
// compared: as the parent's compares, or where that is of another character set
// by their characters.
func comparable(a, b string, own, parent *columnFacts) (string, string) {
	if own == nil || parent == nil || own.charset == "" || parent.charset == "" || own.collation == parent.collation {
		return a, b
	}
	if own.charset == parent.charset {
		return a + " COLLATE " + parent.collation, b
	}
	return "CONVERT(" + a + " USING utf8mb4) COLLATE utf8mb4_bin", "CONVERT(" + b + " USING utf8mb4) COLLATE utf8mb4_bin"
}

// written gives the bytes of a value's text as rows carry it, which no collation
// and no conversion makes equal to another's.
func written(value string, c *schema.Column, facts *columnFacts) string {
	switch {
	case c.Kind == schema.Integer:
		value += " + 0" // without the zeros of ZEROFILL
	case facts != nil && facts.trims:
		value = "TRIM(TRAILING ' ' FROM " + value + ")"
	}
	return "CAST(CAST(" + value + " AS CHAR CHARACTER SET utf8mb4) AS BINARY)"
}

// tuple writes the literals of one of the keys; false where no row can have it.
func (f *finder) tuple(at int) ([]string, bool) {
	out := make([]string, len(f.by.columns))
	for i := range f.by.columns {
		v, ok := f.find.Keys.At(at, i)
		if !ok {
			return nil, false // NULL equals nothing
		}
		if f.find.Written != nil && f.find.Written[i] && !f.by.columns[i].writes(v) {
			return nil, false
		}
		if out[i], ok = f.by.columns[i].asked(v); !ok {
			return nil, false
		}
	}
	return out, true
}

func (f *finder) add(row []driver.Value) error {
	width := len(f.identity.columns)
	id, err := f.number(row[:width])
	if err != nil {
		return err
	}
	if f.seen != nil {
		if _, again := f.seen[id]; again {
			return nil
		}
		f.seen[id] = struct{}{}
	}
	if f.batch == nil {
		f.batch = &engine.Found{Values: engine.Tuples{Width: len(f.wanted.columns)}}
	}
	f.batch.IDs = append(f.batch.IDs, id)
	for i := range f.wanted.columns {
		v := row[width+i]
		if v == nil {
			f.batch.Values.AddNull()
			continue
		}
		c := &f.wanted.columns[i]
		f.value = c.encode(f.value[:0], v)
		raw, _, _ := decode(f.value)
		f.text = append(f.text[:0], c.canonical(f.text, raw)...)
		if f.text == nil {
			f.text = []byte{} // an empty text is not NULL
		}
		f.batch.Values.Add(f.text)
	}
	if len(f.batch.IDs) >= foundRows {
		return f.flush()
	}
	return nil
}

// number gives the row's number.
func (f *finder) number(key []driver.Value) (engine.RowID, error) {
	f.raw = f.raw[:0]
	for i, v := range key {
		f.raw = f.identity.columns[i].encode(f.raw, v)
	}
	switch f.key.how {
	case packed:
		id, ok := f.key.pack(f.raw)
		if !ok {
			return 0, &engine.Error{Code: engine.Failed, Doing: f.doing, Table: f.find.Table.Name, Say: "a key is no number"}
		}
		return id, nil
	case content:
		if f.met == nil {
			f.met = map[string]uint64{}
		}
		sum := digest(f.raw)
		f.met[string(sum)]++
		return f.numbers.number(occurrence(nil, sum, f.met[string(sum)])), nil
	}
	return f.numbers.number(f.raw), nil
}

func (f *finder) flush() error {
	b := f.batch
	f.batch = nil
	if b != nil && !f.yield(b, nil) {
		return errStopped
	}
	return nil
}
