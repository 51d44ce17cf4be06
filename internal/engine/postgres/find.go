package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

const (
	// foundAtOnce is how many rows one batch of Found holds.
	foundAtOnce = 10000
	// keysAtOnce is how many keys one statement looks for.
	keysAtOnce = 100_000
)

// Find gives identities and values of rows. An identity is the row's place: the
// partition's number in 16 bits, the block in 32, the line pointer in 16. It
// needs no key and stays true while the snapshot is open.
//
// Conditions and orders from files run on the exporter, one at a time, so that
// now() is one instant for all; looking up keys runs on the readers.
func (s *snapshot) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return s.FindAny(ctx, []engine.Find{f})
}

// FindAny joins the lookups by OR: the server reads a page once, by a scan or by
// the indexes of them all.
func (s *snapshot) FindAny(ctx context.Context, finds []engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		ctx, stop := s.bounded(ctx)
		defer stop()
		f := finds[0]
		h, err := s.hunt(f)
		for _, other := range finds[1:] {
			if err == nil {
				err = h.join(s, other)
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		on := s.withReader
		if f.Where != "" || f.Order != "" || len(f.Tests) > 0 {
			on = s.withExporter
		}
		h.yield = yield
		err = on(ctx, func(c *conn) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			h.stop = cancel
			defer func() {
				if !h.done { // the consumer left by a panic: a statement is under way
					_ = c.Conn().Close()
				}
			}()
			err := h.run(ctx, c)
			h.done = true
			return err
		})
		if err != nil && !h.stopped {
			yield(nil, s.because(err, f.Table.Name))
		}
	}
}

// A hunt is one Find under way.
type hunt struct {
	find   engine.Find
	facts  *tableFacts
	number map[uint32]uint64 // a partition's place in the list
	values []translation
	keys   []keyColumn
	parent *tableFacts // of Orphaned
	others []*hunt     // lookups of the same rows by other keys
	yield  func(*engine.Found, error) bool
	stop   context.CancelFunc

	found   *engine.Found
	scratch []byte
	stopped bool
	done    bool
}

// keyColumn says how a By column's keys are written.
type keyColumn struct {
	array     string // the parameter's type
	each      string // a cast of each element; only for arrays, which would be flattened in an array
	equals    string
	translate translation
	bits      int  // the width of an integer; 0 for other types
	written   bool // keys are texts, which equal what the column writes
}

func (s *snapshot) hunt(f engine.Find) (*hunt, error) {
	facts, err := s.facts(f.Table, slices.Concat(f.Columns, f.By))
	if err != nil {
		return nil, err
	}
	h := &hunt{find: f, facts: facts, number: map[uint32]uint64{}}
	for i, l := range facts.leaves {
		h.number[l.oid] = uint64(i)
	}
	for _, c := range f.Columns {
		h.values = append(h.values, translationOf(facts.columns[c].base))
	}
	for range f.Tests {
		h.values = append(h.values, oneChar)
	}
	for i, c := range f.By {
		h.keys = append(h.keys, keyColumnOf(facts.columns[c]))
		h.keys[i].written = f.Written != nil && f.Written[i]
	}
	if f.Orphaned != nil {
		h.parent, err = s.facts(f.Orphaned.Table, f.Orphaned.Columns)
	}
	return h, err
}

// join has a hunt look for the rows of another one too.
func (h *hunt) join(s *snapshot, f engine.Find) error {
	other, err := s.hunt(f)
	h.others = append(h.others, other)
	return err
}

// keyColumnOf chooses the parameter's type. Integers go in the column's own width: the
// server hashes no list of another, and compares every row with every key. A type
// goes without its length: casting to char(3) would cut a longer key to one that
// matches.
func keyColumnOf(c columnFacts) keyColumn {
	k := keyColumn{array: c.cast + "[]", equals: c.equals, translate: translationOf(c.base)}
	switch {
	case strings.HasSuffix(c.cast, "[]"):
		k.array, k.each = "pg_catalog.text[]", "::"+c.cast
	case c.base == 20:
		k.array, k.bits = "pg_catalog.int8[]", 64
	case c.base == 21:
		k.array, k.bits = "pg_catalog.int2[]", 16
	case c.base == 23:
		k.array, k.bits = "pg_catalog.int4[]", 32
	case c.base == 1043 || c.base == 25:
		k.array = "pg_catalog.text[]"
	}
	return k
}

func (h *hunt) run(ctx context.Context, c *conn) error {
	sql := h.statement()
	if h.find.Keys == nil {
		return h.ask(ctx, c, sql, nil)
	}
	total, step := h.find.Keys.Len(), keysAtOnce
	for _, o := range h.others {
		total = max(total, o.find.Keys.Len())
	}
	if h.find.Order != "" && h.find.PerKey == 0 {
		step = max(1, total) // an order holds over all keys
	}
	for from := 0; from < total && !h.stopped; from += step {
		params, n := h.parameters(from, from+step)
		for _, o := range h.others {
			more, m := o.parameters(from, from+step)
			params, n = append(params, more...), n+m
		}
		if n == 0 {
			continue
		}
		if err := h.ask(ctx, c, sql, params); err != nil {
			return err
		}
	}
	return nil
}

func (h *hunt) statement() string {
	f := h.find
	wanted := []string{"ctid"}
	if h.facts.partitioned {
		wanted = append(wanted, "tableoid")
	}
	for _, c := range f.Columns {
		wanted = append(wanted, quote(c))
	}
	for _, t := range f.Tests {
		wanted = append(wanted, "(("+t+") IS TRUE)")
	}
	order := tieBreak(f.Table, h.facts)
	if f.Order != "" {
		order = f.Order + ", " + order
	}
	if f.PerKey > 0 {
		return perKey(wanted, "FROM "+rangeOf(h.facts, f.Table)+h.conditions(), quoteList(f.By), order, f.PerKey)
	}
	sql := "SELECT " + strings.Join(wanted, ", ") + " FROM " + rangeOf(h.facts, f.Table) + h.conditions()
	if f.Order != "" {
		sql += " ORDER BY " + order
	}
	return sql
}

// conditions gives the WHERE clause; empty if every row is wanted.
func (h *hunt) conditions() string {
	var all []string
	if h.find.Keys != nil {
		either := []string{h.lookup(1)}
		for _, o := range h.others {
			either = append(either, o.lookup(1+len(either)))
		}
		all = append(all, "("+strings.Join(either, " OR ")+")")
	}
	if h.find.Orphaned != nil {
		all = append(all, h.orphaned())
	}
	if h.find.Where != "" {
		all = append(all, "("+h.find.Where+")")
	}
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// perKey ranks the rows of each key and keeps the first of them. Its columns
// have names of their own, so that none of the table's can be mistaken for one.
func perKey(wanted []string, from, key, order string, first int64) string {
	names := make([]string, len(wanted))
	for i := range names {
		names[i] = "c" + strconv.Itoa(i+1)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM (SELECT " + strings.Join(wanted, ", ") +
		", pg_catalog.row_number() OVER (PARTITION BY " + key + " ORDER BY " + order + ") " + from +
		") AS understudy_ranked (" + strings.Join(names, ", ") + ", place) WHERE place <= " + strconv.FormatInt(first, 10)
}

// orphaned is the condition that a row's key is nobody's. NULL references
// nothing. Texts are equal if their bytes are, which needs no common collation.
func (h *hunt) orphaned() string {
	child, parent := quoteName(h.find.Table.Name), h.find.Orphaned
	var all, pairs []string
	for i, by := range h.find.By {
		a, b := child+"."+quote(by), "understudy_parent."+quote(parent.Columns[i])
		all = append(all, present(a))
		from, to := h.find.Table.Column(by), parent.Table.Column(parent.Columns[i])
		equals := h.parent.columns[parent.Columns[i]].equals
		switch {
		case parent.Written != nil && parent.Written[i]: // one is the text of the other
			a, b, equals = "("+a+`)::pg_catalog.text COLLATE "C"`, "("+b+`)::pg_catalog.text COLLATE "C"`, "OPERATOR(pg_catalog.=)"
		case from.Kind == schema.Text && to.Kind == schema.Text && !from.FoldCase && !to.FoldCase:
			a, b = a+` COLLATE "C"`, b+` COLLATE "C"`
		case from.Kind == schema.Text && to.Kind == schema.Text && h.facts.columns[by].cast != h.parent.columns[parent.Columns[i]].cast:
			a = "(" + a + ")::" + h.parent.columns[parent.Columns[i]].cast // what is equal is the parent's to say
		}
		pairs = append(pairs, b+" "+equals+" "+a)
	}
	return strings.Join(all, " AND ") + " AND NOT EXISTS (SELECT FROM " + rangeOf(h.parent, parent.Table) + " AS understudy_parent WHERE " + strings.Join(pairs, " AND ") + ")"
}

// tieBreak makes an order total: by the key that identifies rows, else by place.
func tieBreak(t *schema.Table, facts *tableFacts) string {
	if k := t.Identity(); k != nil {
		return quoteList(k.Columns)
	}
	if facts.partitioned {
		return "tableoid, ctid"
	}
	return "ctid"
}

// lookup is the condition for the keys; they are parameters from the given one
// on, one array a column.
func (h *hunt) lookup(first int) string {
	if len(h.keys) == 1 && h.keys[0].each == "" {
		return quote(h.find.By[0]) + " " + h.keys[0].equals + " ANY ($" + strconv.Itoa(first) + "::" + h.keys[0].array + ")"
	}
	var arrays, names, pairs []string
	for i, k := range h.keys {
		name := "k" + strconv.Itoa(i+1)
		arrays = append(arrays, "pg_catalog.unnest($"+strconv.Itoa(first+i)+"::"+k.array+")")
		names = append(names, name)
		pairs = append(pairs, quoteName(h.find.Table.Name)+"."+quote(h.find.By[i])+" "+k.equals+" understudy_keys."+name+k.each)
	}
	// A semijoin: keys that are there twice do not double a row.
	return "EXISTS (SELECT FROM ROWS FROM (" + strings.Join(arrays, ", ") + ") AS understudy_keys (" + strings.Join(names, ", ") + ") WHERE " +
		strings.Join(pairs, " AND ") + ")"
}

// parameters writes the keys between two of them as arrays in text form and counts them. A key that no
// integer column can hold is left out, and so is a text that no column writes: it
// matches nothing, and would fail the cast.
func (h *hunt) parameters(from, to int) ([][]byte, int) {
	to = min(to, h.find.Keys.Len())
	params := make([][]byte, len(h.keys))
	for i := range params {
		params[i] = append(make([]byte, 0, 16*max(to-from, 0)), '{')
	}
	n := 0
	for row := from; row < to; row++ {
		if !h.usable(row) {
			continue
		}
		n++
		for i, k := range h.keys {
			value, _ := h.find.Keys.At(row, i)
			if k.bits > 0 {
				value, _ = wholeNumber(value, k.bits)
			}
			params[i] = appendElement(params[i], k.translate.input(nil, value))
		}
	}
	for i := range params {
		params[i] = append(params[i], '}')
	}
	return params, n
}

func (h *hunt) usable(row int) bool {
	for i, k := range h.keys {
		value, ok := h.find.Keys.At(row, i)
		if !ok {
			return false
		}
		if k.bits > 0 {
			digits, ok := wholeNumber(value, k.bits)
			if !ok || k.written && len(digits) < len(value) {
				return false
			}
		} else if k.written {
			if _, ok := schema.ParseUUID(value); !ok {
				return false
			}
		}
	}
	return true
}

// wholeNumber gives an integer's digits where the text is one as columns of that width
// write it: without a sign or zeros before it that say nothing, perhaps with a
// fraction of zeros, as those of decimals do.
func wholeNumber(text []byte, bits int) ([]byte, bool) {
	if dot := bytes.IndexByte(text, '.'); dot >= 0 {
		if len(bytes.Trim(text[dot+1:], "0")) > 0 {
			return nil, false
		}
		text = text[:dot]
	}
	n, err := strconv.ParseInt(string(text), 10, bits)
	return text, err == nil && strconv.FormatInt(n, 10) == string(text)
}

// ask runs the statement and hands on what it finds.
func (h *hunt) ask(ctx context.Context, c *conn, sql string, params [][]byte) error {
	formats := make([]int16, 0, 2+len(h.find.Columns))
	formats = append(formats, 1) // the place in binary: block and line pointer
	if h.facts.partitioned {
		formats = append(formats, 1)
	}
	for range h.values {
		formats = append(formats, 0)
	}
	result := c.ExecParams(ctx, sql, params, nil, nil, formats)
	for result.NextRow() {
		h.take(result.Values())
		if h.stopped {
			break
		}
	}
	_, err := result.Close()
	if h.stopped {
		return nil
	}
	if err != nil {
		return wrap(ctx, err, "look for rows of "+h.find.Table.Name.String())
	}
	h.flush()
	return nil
}

func (h *hunt) take(row [][]byte) {
	if h.found == nil {
		h.found = &engine.Found{Values: engine.Tuples{Width: len(h.values)}}
	}
	id := uint64(binary.BigEndian.Uint32(row[0]))<<16 | uint64(binary.BigEndian.Uint16(row[0][4:]))
	row = row[1:]
	if h.facts.partitioned {
		id |= h.number[binary.BigEndian.Uint32(row[0])] << 48
		row = row[1:]
	}
	h.found.IDs = append(h.found.IDs, id)
	for i, v := range row {
		if v == nil {
			h.found.Values.AddNull()
			continue
		}
		value := h.values[i].canonical(h.scratch, v)
		if value == nil {
			value = []byte{} // an empty value is no NULL
		}
		h.found.Values.Add(value)
	}
	if len(h.found.IDs) >= foundAtOnce {
		h.flush()
	}
}

func (h *hunt) flush() {
	if h.found == nil || h.stopped {
		return
	}
	f := h.found
	h.found = nil
	if !h.yield(f, nil) {
		h.stopped = true
		h.stop()
	}
}
