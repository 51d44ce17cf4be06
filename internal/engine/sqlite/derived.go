package sqlite

import (
	"context"
	"database/sql/driver"
	"math"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Unique keys over expressions, conditions and generated columns: what they
// compare is computed over rows in a database in memory, as Try does.

// A writtenIndex is an index as it was written.
type writtenIndex struct {
	name       string
	parts      []string // expressions
	collations []string // of the parts
	predicate  string
	reads      []string // columns, generated ones too
}

// A computation is a generated column.
type computation struct {
	expr  string
	reads []string
}

// readIndexed reads the table's indexes, or of these the unique ones.
func readIndexed(ctx context.Context, c *conn, table *schema.Table, unique bool) ([]writtenIndex, error) {
	var out []writtenIndex
	err := c.each(ctx, "SELECT name FROM pragma_index_list(?) WHERE \"unique\" OR NOT ? ORDER BY name", []any{table.Name.Table, unique}, func(row []driver.Value) error {
		out = append(out, writtenIndex{name: str(row[0])})
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		x := &out[i]
		sql, err := c.text(ctx, "SELECT sql FROM sqlite_schema WHERE type='index' AND name=?", x.name)
		if err != nil {
			return nil, err
		}
		all := slices.DeleteFunc(tokens(sql), func(t token) bool { return t.kind == comment })
		var written [][]token
		if open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") }); open >= 0 {
			end := matching(all, open)
			written = items(all[open+1:])
			x.read(table, all[open:end+1])
			if rest := all[end+1:]; len(rest) > 1 && rest[0].is("where") {
				x.predicate = textOf(sql, rest[1:])
				x.read(table, rest[1:])
			}
		}
		err = c.each(ctx, "SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key=1 ORDER BY seqno", []any{x.name}, func(row []driver.Value) error {
			part := quote(str(row[1]))
			if cid, _ := row[0].(int64); cid >= 0 && !slices.Contains(x.reads, str(row[1])) {
				x.reads = append(x.reads, str(row[1]))
			} else if cid == -2 && len(x.parts) < len(written) {
				part = textOf(sql, unordered(written[len(x.parts)]))
			}
			x.parts, x.collations = append(x.parts, part), append(x.collations, capitals(str(row[2])))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// read adds the columns that tokens name.
func (x *writtenIndex) read(table *schema.Table, all []token) {
	for _, name := range columnsIn(table, all) {
		if !slices.Contains(x.reads, name) {
			x.reads = append(x.reads, name)
		}
	}
}

func columnsIn(table *schema.Table, all []token) []string {
	var out []string
	for _, t := range all {
		if id, ok := t.name(); ok && t.kind != stringLit {
			if c := column(table, id); c != nil && !slices.Contains(out, c.Name) {
				out = append(out, c.Name)
			}
		}
	}
	return out
}

// unordered leaves out the direction at the end of an index's part.
func unordered(part []token) []token {
	if last := part[len(part)-1]; last.is("asc") || last.is("desc") {
		return part[:len(part)-1]
	}
	return part
}

// textOf gives the SQL from the first token to the last.
func textOf(sql string, part []token) string {
	if len(part) == 0 {
		return ""
	}
	last := part[len(part)-1]
	return sql[part[0].start : last.start+len(last.text)]
}

// readComputed finds the expressions of generated columns, by name.
func readComputed(table *schema.Table, sql string) map[string]computation {
	out := map[string]computation{}
	all := slices.DeleteFunc(tokens(sql), func(t token) bool { return t.kind == comment })
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if open < 0 {
		return out
	}
	for _, item := range items(all[open+1:]) {
		if len(item) == 0 {
			continue
		}
		name, _ := item[0].name()
		c := column(table, name)
		if c == nil || !c.Generated {
			continue
		}
		for i := 1; i < len(item); i++ {
			if item[i].is("as") && i+1 < len(item) && item[i+1].mark("(") {
				inside := item[i+2 : matching(item, i+1)]
				out[c.Name] = computation{textOf(sql, inside), columnsIn(table, inside)}
				break
			}
			if item[i].mark("(") {
				i = matching(item, i)
			}
		}
	}
	return out
}

// through parts the columns that an index depends on in the written ones and the
// computed ones, which may be made of others.
func through(reads []string, made map[string]computation) (written, generated []string) {
	queue, seen := slices.Clone(reads), map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		if g, ok := made[name]; ok {
			generated = append(generated, name)
			queue = append(queue, g.reads...)
		} else {
			written = append(written, name)
		}
	}
	return written, generated
}

// Derived lists unique keys over expressions, conditions and generated columns.
func (s *side) Derived(ctx context.Context, table *schema.Table) ([]engine.Derived, error) {
	indexes, sh, err := s.indexesOf(ctx, table)
	if err != nil || sh == nil {
		return nil, err
	}
	made := readComputed(table, sh.sql)
	var out []engine.Derived
	for _, k := range table.Keys {
		i := slices.IndexFunc(indexes, func(x writtenIndex) bool { return x.name == k.Name })
		if i < 0 {
			continue
		}
		written, generated := through(indexes[i].reads, made)
		if k.Partial || k.Expression || len(generated) > 0 {
			out = append(out, engine.Derived{Key: k, Reads: written})
		}
	}
	return out, nil
}

func (s *side) indexesOf(ctx context.Context, table *schema.Table) (indexes []writtenIndex, sh *shape, err error) {
	err = s.with(ctx, func(ctx context.Context, c *conn) error {
		shapes, err := s.triedShapes(ctx, c)
		if err != nil {
			return err
		}
		if sh = shapes[table.Name.Table]; sh == nil || sh.virtual {
			sh = nil
			return nil
		}
		indexes, err = readIndexed(ctx, c, table, true)
		return err
	})
	return indexes, sh, err
}

// Derive computes what the key compares in a database in memory.
func (s *side) Derive(ctx context.Context, table *schema.Table, key engine.Derived, rows *engine.Tuples) (*engine.Tuples, error) {
	doing := "compute what " + schema.Ident(key.Key.Name) + " compares"
	unsupported := func(err error, say string) error {
		return &engine.Error{Code: engine.Unsupported, Doing: doing, Table: table.Name, Constraint: key.Key.Name, Say: say, Err: err}
	}
	indexes, sh, err := s.indexesOf(ctx, table)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(indexes, func(x writtenIndex) bool { return x.name == key.Key.Name })
	if i < 0 {
		return nil, &engine.Error{Code: engine.Changed, Doing: doing, Table: table.Name, Say: "there is no such index", Hint: "start again"}
	}
	x := indexes[i]
	for _, collation := range x.collations {
		if collation != "BINARY" && collation != "NOCASE" && collation != "RTRIM" {
			return nil, unsupported(nil, "it compares by a collation that only the application has")
		}
	}
	mem, err := s.product.open(ctx, "", readWrite, 0)
	if err != nil {
		return nil, err
	}
	defer mem.close()
	mem.doing = doing
	t := trial{conn: mem, table: table, shape: sh, counts: map[cause]int{}}
	for _, name := range key.Reads {
		t.columns = append(t.columns, table.Column(name))
	}
	made := readComputed(table, sh.sql)
	var defs []string
	_, generated := through(x.reads, made)
	for _, name := range generated {
		defs = append(defs, t.definition(table.Column(name))+" AS ("+made[name].expr+"\n)")
	}
	failed := func(err error) error {
		if ctx.Err() != nil || engine.CodeOf(err) != engine.Syntax && engine.CodeOf(err) != engine.Failed {
			return err
		}
		return unsupported(err, "it calls something that this program's SQLite does not have")
	}
	if err := t.create(ctx, defs); err != nil {
		return nil, failed(err)
	}
	if err := t.insert(ctx, rows); err != nil {
		return nil, err
	}
	var parts []string
	for _, p := range x.parts {
		parts = append(parts, "+("+p+"\n)") // no bare column, whose type the driver would interpret
	}
	query := "SELECT " + strings.Join(parts, ", ") + " FROM " + quote(table.Name.Table)
	if x.predicate != "" {
		query += " WHERE " + x.predicate
	}
	out := &engine.Tuples{Width: 1}
	var value []byte
	err = mem.each(ctx, query, nil, func(row []driver.Value) error {
		value = value[:0]
		for i, v := range row {
			if v == nil {
				return nil // NULLs are not equal
			}
			value = appendCompared(value, v, x.collations[i])
		}
		out.AddValue(value)
		return nil
	})
	if err != nil {
		return nil, failed(err)
	}
	return out, nil
}

// appendCompared appends a value so that what SQLite takes for equal is equal:
// a whole number is one in both of its forms, and texts are as the collation sees them.
func appendCompared(dst []byte, v driver.Value, collation string) []byte {
	var text, class string
	switch v := v.(type) {
	case int64:
		class, text = "n", strconv.FormatInt(v, 10)
	case float64:
		class, text = "n", strconv.FormatFloat(v, 'g', -1, 64)
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			text = strconv.FormatInt(int64(v), 10)
		}
	case []byte:
		class, text = "b", string(v)
	default:
		class, text = "t", str(v)
		switch collation {
		case "NOCASE":
			text = small(text)
		case "RTRIM":
			text = strings.TrimRight(text, " ")
		}
	}
	dst = strconv.AppendInt(append(dst, class...), int64(len(text)), 10)
	return append(append(dst, ':'), text...)
}
