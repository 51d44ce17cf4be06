package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Unique indexes of materialized views. What they compare is told by the views'
// queries as the server keeps them: trees of nodes, of which a few fields are
// read that all versions write in the same way.

// A columnID is a column by its table's OID and its number.
type columnID struct {
	table  uint32
	number int
}

// A viewQuery is what a view or a materialized view gives and reads.
type viewQuery struct {
	origins map[int]columnID // of the columns that are another's as it is
	groups  [][]int          // columns that are different in any two rows, together
	reads   []columnID
	views   []uint32 // relations that it reads, views among them
}

// ViewKeys lists the unique indexes of materialized views.
func (s *side) ViewKeys(ctx context.Context) ([]engine.ViewKey, error) {
	var out []engine.ViewKey
	err := s.with(ctx, func(c *conn) error {
		const doing = "read what unique indexes of materialized views compare"
		rows, err := c.query(ctx, doing, `
			SELECT n.nspname, v.relname, x.relname, v.oid, array_to_string(i.indkey, ' '), i.indnkeyatts, i.indpred IS NOT NULL, v.relispopulated
			FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class v ON v.oid = i.indrelid
			JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
			WHERE v.relkind = 'm' AND i.indisunique AND i.indisvalid AND NOT `+serverSchemas+` ORDER BY 1, 2, 3`)
		if err != nil || len(rows) == 0 {
			return err
		}
		names, err := columnNames(ctx, c, doing)
		if err != nil {
			return err
		}
		views, err := viewQueries(ctx, c, doing)
		if err != nil {
			return err
		}
		for _, r := range rows {
			view := uint32(parseUint(r[3]))
			k := engine.ViewKey{View: schema.Name{Schema: string(r[0]), Table: string(r[1])}, Name: string(r[2]), Computed: isTrue(r[6]), Filled: isTrue(r[7])}
			var numbers []int
			for _, n := range strings.Fields(string(r[4]))[:number(r[5])] {
				at, _ := strconv.Atoi(n) // 0 is an expression
				numbers = append(numbers, at)
			}
			if views[view].apart(numbers) {
				continue
			}
			for _, at := range numbers {
				if name, ok := names[views.origin(columnID{view, at})]; ok {
					k.Columns = append(k.Columns, name)
				} else {
					k.Computed = true
				}
			}
			for _, id := range views.read(view) {
				if name, ok := names[id]; ok {
					k.Reads = append(k.Reads, name)
				}
			}
			out = append(out, k)
		}
		return nil
	})
	return out, err
}

// columnNames names the columns of tables; those of a partition are its root's.
func columnNames(ctx context.Context, c *conn, doing string) (map[columnID]engine.ColumnOf, error) {
	rows, err := c.query(ctx, doing, `
		SELECT c.oid, a.attnum, n.nspname, r.relname, a.attname FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_catalog.pg_class r ON r.oid = coalesce(pg_catalog.pg_partition_root(c.oid), c.oid) JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
		WHERE c.relkind IN ('r', 'p', 'f') AND (NOT c.relispartition OR EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid)) AND NOT `+serverSchemas)
	out := make(map[columnID]engine.ColumnOf, len(rows))
	for _, r := range rows {
		out[columnID{uint32(parseUint(r[0])), int(number(r[1]))}] = engine.ColumnOf{Table: schema.Name{Schema: string(r[2]), Table: string(r[3])}, Column: string(r[4])}
	}
	return out, err
}

type viewSet map[uint32]*viewQuery

// viewQueries reads what views are made of.
func viewQueries(ctx context.Context, c *conn, doing string) (viewSet, error) {
	rows, err := c.query(ctx, doing, `
		SELECT c.oid, r.ev_action::text, (SELECT string_agg(d.refobjid || ' ' || d.refobjsubid, ' ') FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid)
		FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('v', 'm') AND r.rulename = '_RETURN' AND NOT `+serverSchemas)
	out := viewSet{}
	for _, r := range rows {
		q := &viewQuery{origins: map[int]columnID{}}
		q.understand(string(r[1]))
		pairs := strings.Fields(string(r[2]))
		for i := 0; i+1 < len(pairs); i += 2 {
			table, _ := strconv.ParseUint(pairs[i], 10, 32)
			if at, _ := strconv.Atoi(pairs[i+1]); at > 0 {
				q.reads = append(q.reads, columnID{uint32(table), at})
			}
			q.views = append(q.views, uint32(table))
		}
		out[uint32(parseUint(r[0]))] = q
	}
	return out, err
}

// origin follows a column to where its values come from as they are; to nothing
// if that is no column.
func (v viewSet) origin(id columnID) columnID {
	for q := v[id.table]; q != nil; q = v[id.table] {
		id = q.origins[id.number]
	}
	return id
}

// read lists the columns that a view reads, through others too.
func (v viewSet) read(view uint32) (out []columnID) {
	seen, open := map[uint32]bool{view: true}, []uint32{view}
	for len(open) > 0 {
		q := v[open[0]]
		if open = open[1:]; q == nil {
			continue
		}
		out = append(out, q.reads...)
		for _, next := range q.views {
			if !seen[next] {
				seen[next] = true
				open = append(open, next)
			}
		}
	}
	return out
}

// apart tells whether no two rows have the same in these columns, whatever the
// tables hold.
func (q *viewQuery) apart(columns []int) bool {
	return q != nil && slices.ContainsFunc(q.groups, func(group []int) bool {
		return !slices.ContainsFunc(group, func(at int) bool { return !slices.Contains(columns, at) })
	})
}

// understand reads a query's tree. What it does not know is not told.
func (q *viewQuery) understand(text string) {
	r := nodeReader{text: text}
	top := r.all()
	if len(top) != 1 || len(top[0].items) != 1 || top[0].items[0].name != "QUERY" {
		return
	}
	query := top[0].items[0]
	refs := map[string]int{} // column by the number that clauses call it by
	var all []int
	for _, t := range query.field("targetList").items {
		at := t.number("resno")
		if t.field("resjunk").word != "true" {
			all = append(all, at)
		}
		refs[t.field("ressortgroupref").word] = at
		if table := t.number("resorigtbl"); table != 0 {
			q.origins[at] = columnID{uint32(table), t.number("resorigcol")}
		}
	}
	// What several queries give together has its own first query's origins alone.
	if set := query.field("setOperations"); set.name == "SETOPERATIONSTMT" {
		q.origins = map[int]columnID{}
		if set.field("all").word == "false" {
			q.groups = append(q.groups, all)
		}
		return
	}
	clause := func(name string) (group []int) {
		for _, g := range query.field(name).items {
			at, known := refs[g.field("tleSortGroupRef").word]
			if !known {
				at = -1
			}
			group = append(group, at)
		}
		return group
	}
	if group := clause("distinctClause"); len(group) > 0 {
		q.groups = append(q.groups, group)
	}
	if query.field("hasTargetSRFs").word != "false" || len(query.field("groupingSets").items) > 0 {
		return // a group may give several rows
	}
	if group := clause("groupClause"); len(group) > 0 {
		q.groups = append(q.groups, group)
	} else if query.field("hasAggs").word == "true" {
		q.groups = append(q.groups, nil) // one row
	}
}

// A node is a piece of a tree: a word, a list, or a node with fields.
type node struct {
	word   string
	name   string
	items  []*node
	fields map[string]*node
}

// field gives a field, empty if there is none.
func (n *node) field(name string) *node {
	if f := n.fields[name]; f != nil {
		return f
	}
	return &node{}
}

func (n *node) number(field string) int {
	i, _ := strconv.Atoi(n.field(field).word)
	return i
}

// A nodeReader takes a tree's text apart.
type nodeReader struct {
	text string
	at   int
}

// token gives the next bracket or word; empty at the end. A backslash quotes a byte.
func (r *nodeReader) token() string {
	for r.at < len(r.text) && strings.IndexByte(" \n\t", r.text[r.at]) >= 0 {
		r.at++
	}
	from := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '\\':
			r.at++
		case strings.IndexByte("(){}", c) >= 0:
			if r.at == from {
				r.at++
			}
			return r.text[from:r.at]
		case strings.IndexByte(" \n\t", c) >= 0:
			return r.text[from:r.at]
		}
		r.at++
	}
	r.at = min(r.at, len(r.text))
	return r.text[from:r.at]
}

// all reads up to the bracket that closes, or the end.
func (r *nodeReader) all() (out []*node) {
	for {
		switch t := r.token(); t {
		case "", ")", "}":
			return out
		case "(":
			out = append(out, &node{items: r.all()})
		case "{":
			n := &node{name: r.token(), fields: map[string]*node{}}
			field := ""
			for _, v := range r.all() {
				switch {
				case strings.HasPrefix(v.word, ":"):
					field = v.word[1:]
				case n.fields[field] == nil:
					n.fields[field] = v
				}
			}
			out = append(out, n)
		default:
			out = append(out, &node{word: t})
		}
	}
}
