package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// foundRows is the size of a batch of rows found.
const foundRows = 10_000

// Find gives identities and key values.
func (s *snapshot) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		doing := "look rows up in " + f.Table.Name.String()
		c, err := s.acquire(ctx, doing)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.release(c)
		fd := finder{snapshot: s, conn: c, find: f, doing: doing, yield: yield}
		if err := fd.run(ctx); err != nil && !errors.Is(err, errStopped) {
			yield(nil, wrapTable(err, doing, f.Table.Name, nil))
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
	shape    *shape
	columns  []*schema.Column
	by       []*schema.Column
	parent   *shape // of Orphaned
	batch    *engine.Found
	// seen keeps rows from being found twice, where two keys can mean one row.
	seen         map[engine.RowID]struct{}
	key, raw, tx []byte
}

func (f *finder) run(ctx context.Context) error {
	if err := f.prepare(); err != nil {
		return err
	}
	query, tail := f.query()
	if f.find.Keys == nil {
		condition := "true"
		if f.find.Orphaned != nil {
			condition = f.orphaned()
		}
		if err := f.search(ctx, query+" WHERE "+condition+tail, nil); err != nil {
			return err
		}
		return f.flush()
	}
	if f.folds() {
		f.seen = map[engine.RowID]struct{}{}
	}
	for at := 0; at < f.find.Keys.Len(); {
		args, tuples := f.keys(&at)
		if tuples == 0 {
			continue
		}
		if err := f.search(ctx, query+" WHERE "+f.matches(tuples)+tail, args); err != nil {
			return err
		}
	}
	return f.flush()
}

func (f *finder) prepare() (err error) {
	if f.shape, err = f.snapshot.shapeOf(f.doing, f.find.Table, true); err != nil {
		return err
	}
	column := func(name string) *schema.Column {
		c := f.find.Table.Column(name)
		if c == nil && err == nil {
			err = &engine.Error{Code: engine.Changed, Doing: f.doing, Table: f.find.Table.Name, Column: name, Say: "there is no such column in the source"}
		}
		return c
	}
	for _, name := range f.find.Columns {
		f.columns = append(f.columns, column(name))
	}
	for _, name := range f.find.By {
		f.by = append(f.by, column(name))
	}
	for range f.find.Tests {
		f.columns = append(f.columns, &schema.Column{Kind: schema.Boolean})
	}
	if f.find.Orphaned != nil && err == nil {
		f.parent, err = f.snapshot.shapeOf(f.doing, f.find.Orphaned.Table, false)
	}
	return err
}

// query gives the statement up to the condition on keys, and what follows that.
func (f *finder) query() (head, tail string) {
	identity := []string{f.shape.rowid}
	if len(f.shape.primary) > 0 {
		identity = nil
		for _, p := range f.shape.primary {
			identity = append(identity, "+"+quote(p))
		}
	}
	wanted := slices.Clone(identity)
	for _, name := range f.find.Columns {
		wanted = append(wanted, "+"+quote(name))
	}
	for _, test := range f.find.Tests {
		wanted = append(wanted, "("+instant(test, f.find.Now)+") IS TRUE")
	}
	from := " FROM main." + quote(f.find.Table.Name.Table)
	head = "SELECT " + strings.Join(wanted, ", ") + from
	if f.find.Where != "" {
		tail = " AND (" + instant(f.find.Where, f.find.Now) + ")"
	}
	switch {
	case f.find.PerKey > 0:
		return f.perKey(wanted, identity, from, tail)
	case f.find.Order != "":
		tail += " ORDER BY " + instant(f.find.Order, f.find.Now) + ", " + f.tieBreak(identity)
	case f.find.Where != "":
		// Sorting by an expression makes the whole search one step of the
		// statement, and only the first step of a statement can be interrupted.
		tail += " ORDER BY " + f.tieBreak(identity)
	}
	return head, tail
}

// perKey ranks the rows of each key and keeps the first of them. The columns of
// the ranking have names of their own. Sorting the outcome by an expression lets
// it be interrupted, as in query.
func (f *finder) perKey(wanted, identity []string, from, conditions string) (head, tail string) {
	names := make([]string, len(wanted))
	for i := range names {
		names[i] = "c" + strconv.Itoa(i+1)
	}
	order := f.tieBreak(identity)
	if f.find.Order != "" {
		order = instant(f.find.Order, f.find.Now) + ", " + order
	}
	key := f.compared()
	for i, c := range f.by {
		if c.Kind == schema.UUID { // it may be written in capitals as well
			key[i] = "lower(" + key[i] + ")"
		}
	}
	head = "WITH understudy_ranked (" + strings.Join(names, ", ") + ", place) AS (SELECT " + strings.Join(wanted, ", ") +
		", row_number() OVER (PARTITION BY " + strings.Join(key, ", ") + " ORDER BY " + order + ")" + from
	tail = conditions + ") SELECT " + strings.Join(names, ", ") + " FROM understudy_ranked WHERE place <= " + strconv.FormatInt(f.find.PerKey, 10) + " ORDER BY +place, +c1"
	return head, tail
}

// orphaned is the condition that a row's key is nobody's. NULL references
// nothing. A list of the parents' keys is made once, or their index is used.
func (f *finder) orphaned() string {
	var all, parents, there []string
	own := f.compared()
	for i, c := range f.by {
		all = append(all, quote(c.Name)+" IS NOT NULL")
		name := f.find.Orphaned.Columns[i]
		if collation := f.parent.columns[name].collation; collation != "" && f.shape.columns[c.Name].collation != collation {
			own[i] = quote(c.Name) + " COLLATE " + quote(collation)
		}
		there = append(there, quote(name)+" IS NOT NULL")
		if to := f.find.Orphaned.Table.Column(name); f.find.Orphaned.Written != nil && f.find.Orphaned.Written[i] { // one is the text of the other
			own[i] = written(c) + " COLLATE BINARY"
			parents = append(parents, written(to))
			continue
		}
		parents = append(parents, quote(name))
	}
	return strings.Join(all, " AND ") + " AND (" + strings.Join(own, ", ") + ") NOT IN (SELECT " + strings.Join(parents, ", ") +
		" FROM main." + quote(f.find.Orphaned.Table.Name.Table) + " WHERE " + strings.Join(there, " AND ") + ")"
}

// written gives the text of a column's value as rows carry it.
func written(c *schema.Column) string {
	text := "CAST(" + quote(c.Name) + " AS TEXT)"
	if c.Kind != schema.UUID {
		return text
	}
	digits := "lower(hex(" + quote(c.Name) + "))"
	parts := make([]string, 0, 5)
	for _, at := range []string{"1, 8", "9, 4", "13, 4", "17, 4", "21"} {
		parts = append(parts, "substr("+digits+", "+at+")")
	}
	return "CASE typeof(" + quote(c.Name) + ") WHEN 'blob' THEN " + strings.Join(parts, " || '-' || ") + " ELSE lower(" + text + ") END"
}

// compared writes the By columns as keys are compared with them: a foreign key
// compares by the collation of the referenced column.
func (f *finder) compared() []string {
	names := make([]string, len(f.by))
	for i, c := range f.by {
		names[i] = quote(c.Name)
		switch own := f.shape.columns[c.Name]; {
		case c.FoldCase && own.collation != "NOCASE":
			names[i] += " COLLATE NOCASE"
		case !c.FoldCase && own.trims && own.collation != "RTRIM":
			names[i] += " COLLATE RTRIM"
		case !own.trims && own.collation == "RTRIM":
			names[i] += " COLLATE BINARY"
		}
	}
	return names
}

// tieBreak orders rows by the key that identifies them.
func (f *finder) tieBreak(identity []string) string {
	if k := f.find.Table.Identity(); k != nil {
		parts := make([]string, len(k.Columns))
		for i, c := range k.Columns {
			parts[i] = "+" + quote(c)
		}
		return strings.Join(parts, ", ")
	}
	return strings.Join(identity, ", ")
}

// folds tells whether two tuples of keys can mean one row.
func (f *finder) folds() bool {
	for _, c := range f.by {
		if c.FoldCase || f.shape.columns[c.Name].trims || c.Kind == schema.UUID || c.Kind == schema.Boolean || affinityOf(c.Type) == blobAffinity {
			return true
		}
	}
	return false
}

// matches is the condition that the columns equal one of n tuples.
func (f *finder) matches(n int) string {
	names := f.compared()
	if len(names) == 1 {
		return names[0] + " IN (" + list(n, "?") + ")"
	}
	return "(" + strings.Join(names, ", ") + ") IN (VALUES " + list(n, "("+list(len(names), "?")+")") + ")"
}

// keys gives the parameters for as many tuples as a statement takes, from *at on.
func (f *finder) keys(at *int) (args []any, tuples int) {
	width := len(f.by)
	for ; *at < f.find.Keys.Len() && len(args)+4*width <= parameters; *at++ {
		variants := [][]any{{}}
		for i, c := range f.by {
			v, ok := f.find.Keys.At(*at, i)
			if !ok {
				variants = nil // NULL equals nothing
				break
			}
			if f.find.Written != nil && f.find.Written[i] && !writes(c, v) {
				variants = nil
				break
			}
			variants = multiply(variants, storedAs(v, c))
		}
		for _, tuple := range variants {
			args = append(args, tuple...)
			tuples++
		}
	}
	return args, tuples
}

// multiply appends each of the values to each of the tuples.
func multiply(tuples [][]any, values []any) [][]any {
	out := make([][]any, 0, len(tuples)*len(values))
	for _, t := range tuples {
		for _, v := range values {
			out = append(out, append(append(make([]any, 0, len(t)+1), t...), v))
		}
	}
	return out
}

// storedAs gives the values that canonical text may stand for in a column:
// where the column has no type, a number as well as a text; a uuid in capitals as well.
func storedAs(text []byte, c *schema.Column) []any {
	switch {
	case c.Kind == schema.UUID:
		out := []any{string(text)}
		if upper := bytes.ToUpper(text); !bytes.Equal(upper, text) {
			out = append(out, string(upper))
		}
		if b, ok := uuidBytes(text); ok {
			out = append(out, b)
		}
		return out
	case c.Kind == schema.Boolean:
		v, ok := truth(text)
		if !ok {
			break
		}
		out := []any{native(text, c)}
		for _, like := range []string{"t", "T", "true", "TRUE", "True"} {
			out = append(out, string(truthLike(v, []byte(like))))
		}
		return out
	case c.Kind == schema.Decimal:
		// The column's affinity makes of a text the number it would have stored.
		return []any{string(text)}
	case c.Kind == schema.Bytes && affinityOf(c.Type) != blobAffinity:
		return []any{append([]byte{}, text...), string(text)}
	case affinityOf(c.Type) == blobAffinity && c.Kind == schema.Other:
		out := []any{string(text), append([]byte{}, text...)}
		number := schema.Column{Kind: schema.Decimal, Scale: -1}
		switch v := native(text, &number).(type) {
		case int64, float64:
			if string(canonical(nil, appendValue(nil, v), &number)) == string(text) {
				out = append(out, v)
			}
		}
		return out
	}
	return []any{native(text, c)}
}

// writes tells whether a text is one that rows carry for a number or a UUID of the column.
func writes(c *schema.Column, text []byte) bool {
	if c.Kind == schema.Integer {
		n, err := strconv.ParseInt(string(text), 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == string(text)
	}
	return bytes.Equal(bytes.ToLower(text), text)
}

func (f *finder) search(ctx context.Context, query string, args []any) error {
	rows, err := f.conn.raw.(driver.QueryerContext).QueryContext(ctx, query, named(args))
	if err != nil {
		return f.conn.wrap(ctx, err)
	}
	defer rows.Close()
	row := make([]driver.Value, max(1, len(f.shape.primary))+len(f.columns))
	for n := 1; ; n++ {
		if n&0xff == 0 && ctx.Err() != nil {
			return f.conn.wrap(ctx, ctx.Err())
		}
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return f.conn.wrap(ctx, err)
		}
		if err := f.add(row); err != nil {
			return err
		}
	}
}

func (f *finder) add(row []driver.Value) error {
	var id engine.RowID
	if n := len(f.shape.primary); n > 0 {
		f.key = f.key[:0]
		for _, v := range row[:n] {
			f.key = appendValue(f.key, v)
		}
		id, row = f.snapshot.numbers.number(f.find.Table.Name, f.key), row[n:]
	} else {
		n, _ := row[0].(int64)
		id, row = engine.RowID(n), row[1:]
	}
	if f.seen != nil {
		if _, again := f.seen[id]; again {
			return nil
		}
		f.seen[id] = struct{}{}
	}
	if f.batch == nil {
		f.batch = &engine.Found{Values: engine.Tuples{Width: len(f.columns)}}
	}
	f.batch.IDs = append(f.batch.IDs, id)
	for i, v := range row {
		if v == nil {
			f.batch.Values.AddNull()
			continue
		}
		f.raw = appendValue(f.raw[:0], v)
		text := trimmed(canonical(f.tx, f.raw, f.columns[i]), f.shape.columns[f.columns[i].Name].trims)
		f.tx = append(f.tx[:0], text...)
		f.batch.Values.AddValue(f.tx) // an empty text is not NULL
	}
	if len(f.batch.IDs) >= foundRows {
		return f.flush()
	}
	return nil
}

func (f *finder) flush() error {
	b := f.batch
	f.batch = nil
	if b == nil {
		return nil
	}
	if err := f.snapshot.old(f.doing); err != nil {
		return err
	}
	if !f.yield(b, nil) {
		return errStopped
	}
	return nil
}
