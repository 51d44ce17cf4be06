package postgres

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// reading gathers the rows of the catalog's queries and makes an inventory of them.
type reading struct {
	largeObjects string // how many there are

	want []string // schemas; none means all

	relations   map[uint32]*relation
	order       []uint32 // of relations, by name
	parents     map[uint32][]uint32
	types       map[uint32]typeRow
	labels      map[uint32][]string
	columns     map[uint32][]columnRow
	checks      map[uint32][]checkRow // by table or domain
	foreignKeys []foreignKeyRow
	indexes     map[uint32][]indexRow
}

type relation struct {
	oid         uint32
	name        schema.Name
	kind        byte
	partition   bool
	unlogged    bool
	rows, bytes int64
}

type typeRow struct {
	oid              uint32
	name, namespace  string
	typtype          byte
	category         byte
	elem, base       uint32
	typmod           int
	notNull          bool
	full             string
	nondeterministic bool
	fallback         string // the domain's default
}

type columnRow struct {
	num              int
	name             string
	typ              uint32
	typmod           int
	full             string
	notNull          bool
	identity         bool
	generated        bool
	expr             string
	nondeterministic bool
	listed           bool // partitions list its values, and none takes the others
}

type checkRow struct {
	name, expr string
	key        []int
	valid      bool
}

type foreignKeyRow struct {
	name        string
	from, to    uint32
	key, toKey  []int
	valid, full bool
	copied      bool // the server's own copy of another constraint
	period      bool // the last column refers by containment (PERIOD, since 18)
}

type indexRow struct {
	name            string
	unique, primary bool
	key             []int // key parts only; 0 is an expression
	valid           bool
	predicate       string
	expression      string // of the parts that are expressions, in one list
	method          string
	reads           []int // with expressions: all columns it depends on
	exclusion       bool
	nullsEqual      bool
	overlap         []int // of an exclusion constraint: places in key, from 1, that are not compared by equality
}

func (r *reading) begin() {
	r.relations = map[uint32]*relation{}
	r.order = nil
	r.parents = map[uint32][]uint32{}
	r.types = map[uint32]typeRow{}
	r.labels = map[uint32][]string{}
	r.columns = map[uint32][]columnRow{}
	r.checks = map[uint32][]checkRow{}
	r.foreignKeys = nil
	r.indexes = map[uint32][]indexRow{}
}

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64) // a number column of the catalog
	return n
}

func letter(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reading) takeTable(row [][]byte) {
	t := &relation{oid: parseUint(row[0]), name: schema.Name{Schema: string(row[1]), Table: string(row[2])}, kind: letter(row[3]),
		partition: isTrue(row[4]), unlogged: letter(row[5]) == 'u', bytes: number(row[8])}
	t.rows = estimate(string(row[6]), number(row[7]), number(row[9]))
	if t.kind == 'f' {
		t.rows, t.bytes = -1, -1
	}
	r.relations[t.oid] = t
	r.order = append(r.order, t.oid)
}

// estimate scales the density found by the last ANALYZE or VACUUM to the
// table's present size, as the server's planner does; -1 means not known.
func estimate(tuples string, pages, size int64) int64 {
	n, err := strconv.ParseFloat(tuples, 64)
	switch {
	case size == 0:
		return 0
	case err != nil || n < 0 || pages == 0:
		return -1
	}
	return int64(math.Round(n / float64(pages) * float64(size) / 8192))
}

func (r *reading) takeParent(row [][]byte) {
	child := parseUint(row[0])
	r.parents[child] = append(r.parents[child], parseUint(row[1]))
}

func (r *reading) takeType(row [][]byte) {
	t := typeRow{oid: parseUint(row[0]), name: string(row[1]), namespace: string(row[2]), typtype: letter(row[3]), category: letter(row[4]),
		elem: parseUint(row[5]), base: parseUint(row[6]), typmod: int(number(row[7])), notNull: isTrue(row[8]), full: string(row[9]),
		nondeterministic: isTrue(row[10]), fallback: string(row[11])}
	r.types[t.oid] = t
}

func (r *reading) takeLabel(row [][]byte) {
	oid := parseUint(row[0])
	r.labels[oid] = append(r.labels[oid], string(row[1]))
}

func (r *reading) takeColumn(row [][]byte) {
	oid := parseUint(row[0])
	r.columns[oid] = append(r.columns[oid], columnRow{num: int(number(row[1])), name: string(row[2]), typ: parseUint(row[3]), typmod: int(number(row[4])),
		full: string(row[5]), notNull: isTrue(row[6]), identity: letter(row[7]) != 0, generated: letter(row[8]) != 0, expr: string(row[9]),
		nondeterministic: isTrue(row[10]), listed: isTrue(row[11])})
}

func (r *reading) takeConstraint(row [][]byte) {
	name, table := string(row[1]), parseUint(row[3])
	if letter(row[2]) == 'c' {
		owner := table
		if owner == 0 {
			owner = parseUint(row[4])
		}
		r.checks[owner] = append(r.checks[owner], checkRow{name: name, expr: string(row[11]), key: parseInts(row[6]), valid: isTrue(row[8])})
		return
	}
	r.foreignKeys = append(r.foreignKeys, foreignKeyRow{name: name, from: table, to: parseUint(row[5]), key: parseInts(row[6]), toKey: parseInts(row[7]),
		valid: isTrue(row[8]), full: letter(row[9]) == 'f', copied: parseUint(row[10]) != 0, period: isTrue(row[12])})
}

func (r *reading) takeIndex(row [][]byte) {
	table := parseUint(row[0])
	key := parseInts(row[4])
	r.indexes[table] = append(r.indexes[table], indexRow{name: string(row[1]), unique: isTrue(row[2]), primary: isTrue(row[3]),
		key: key[:min(len(key), int(number(row[5])))], valid: isTrue(row[6]), predicate: string(row[7]), expression: string(row[8]),
		method: string(row[9]), reads: parseInts(row[10]), exclusion: isTrue(row[11]), nullsEqual: isTrue(row[12]), overlap: parseInts(row[13])})
}

// assemble makes the inventory. Partitions are folded into their root.
func (r *reading) assemble() *inventory {
	inv := &inventory{schema: &schema.Schema{}, tables: map[schema.Name]*tableFacts{}}
	leaves := map[uint32][]leaf{}
	for _, oid := range r.order {
		if t := r.relations[oid]; t.partition && t.kind != 'p' {
			root := r.root(oid)
			leaves[root] = append(leaves[root], leaf{oid, t.name})
		}
	}
	for _, oid := range r.order {
		t := r.relations[oid]
		if t.partition || !r.wanted(t.name.Schema) {
			continue
		}
		table, facts := r.table(t, leaves[oid])
		inv.schema.Tables = append(inv.schema.Tables, table)
		inv.tables[t.name] = facts
	}
	if r.largeObjects != "0" {
		inv.schema.Notes = append(inv.schema.Notes, schema.Note{Say: "large objects (" + r.largeObjects + ") are not copied: numbers in columns that point to them lead nowhere",
			Hint: "mask or nullify such columns, or keep the content in a bytea column"})
	}
	inv.schema.References = r.references(leaves)
	for _, k := range r.foreignKeys {
		if from := r.relations[r.root(k.from)]; from != nil && k.period && !k.copied && r.wanted(from.name.Schema) {
			inv.schema.Notes = append(inv.schema.Notes, schema.Note{Table: from.name, Refuses: true, Say: "the foreign key " + schema.Ident(k.name) + " leads to the rows whose period contains its own (PERIOD), and foreign keys are followed by equal values",
				Hint: "leave its rows out (`none` under subset.tables): which of them lead nowhere could not be told"})
		}
	}
	inv.schema.Sort()
	return inv
}

func (r *reading) wanted(name string) bool { return len(r.want) == 0 || slices.Contains(r.want, name) }

// root follows a partition up to the table that is not one.
func (r *reading) root(oid uint32) uint32 {
	for r.relations[oid] != nil && r.relations[oid].partition && len(r.parents[oid]) > 0 {
		oid = r.parents[oid][0]
	}
	return oid
}

func (r *reading) table(t *relation, leaves []leaf) (schema.Table, *tableFacts) {
	table := schema.Table{Name: t.name, Rows: t.rows, Bytes: t.bytes}
	facts := &tableFacts{oid: t.oid, partitioned: t.kind == 'p', leaves: leaves, foreign: t.kind == 'f', unlogged: t.unlogged, columns: map[string]columnFacts{}}
	if t.kind == 'p' {
		table.Rows, table.Bytes = 0, 0
	}
	for _, l := range leaves {
		table.Partitions = append(table.Partitions, l.name)
		p := r.relations[l.oid]
		facts.foreign = facts.foreign || p.kind == 'f'
		if p.rows < 0 || table.Rows < 0 {
			table.Rows = -1
		} else {
			table.Rows += p.rows
		}
		table.Bytes += max(0, p.bytes)
	}
	if !t.partition && t.kind != 'p' {
		for _, p := range r.parents[t.oid] {
			if parent := r.relations[p]; parent != nil {
				table.Inherits = append(table.Inherits, parent.name)
			}
		}
	}
	names := map[int]string{}
	for _, c := range r.columns[t.oid] {
		names[c.num] = c.name
		column, fact := r.column(c)
		table.Columns = append(table.Columns, column)
		facts.columns[c.name] = fact
	}
	table.Computed = r.computed(t.oid, names)
	table.Keys = r.keys(t.oid, &table, names)
	table.Checks = r.tableChecks(t.oid, names)
	markSurrogates(&table, r.columns[t.oid])
	switch {
	case t.kind == 'f':
		table.Note = "foreign table"
	case facts.foreign:
		table.Note = "has a foreign partition"
	case t.unlogged:
		table.Note = "unlogged"
	}
	return table, facts
}

// computed lists what the server computes of a table's rows.
func (r *reading) computed(oid uint32, names map[int]string) (out []string) {
	for _, c := range r.columns[oid] {
		if c.generated {
			out = append(out, c.name+" = "+respelled(c.expr))
		}
	}
	for _, i := range r.indexes[oid] {
		if i.valid && (i.expression != "" || i.predicate != "") {
			on := []string{respelled(i.expression)}
			for _, n := range i.key {
				if n != 0 {
					on = append(on, names[n])
				}
			}
			out = append(out, "index on "+strings.Join(on, ", ")+" where "+respelled(i.predicate))
		}
	}
	return out
}

// column resolves domains to what stands below them.
func (r *reading) column(c columnRow) (schema.Column, columnFacts) {
	out := schema.Column{Name: c.name, Type: c.full, NotNull: c.notNull, Generated: c.generated, Identity: c.identity, Listed: c.listed, Scale: -1}
	if !c.generated {
		out.Default = c.expr
	}
	typmod, folds := c.typmod, c.nondeterministic
	t := r.types[c.typ]
	domain := ""
	for t.typtype == 'd' {
		if domain == "" {
			domain = t.full
		}
		out.NotNull = out.NotNull || t.notNull
		if out.Default == "" && !c.generated {
			out.Default = t.fallback
		}
		if t.typmod >= 0 {
			typmod = t.typmod
		}
		t = r.types[t.base]
	}
	facts := columnFacts{base: t.oid, cast: t.full, declared: c.full, check: domain, equals: "="}
	if t.typtype == 'b' && t.category != 'A' && t.namespace != "pg_catalog" {
		facts.equals = "OPERATOR(" + quote(t.namespace) + ".=)" // a type's operators come with it, as citext's do
	}
	facts.wire = wireOf(t, r.types[t.elem])
	if t.oid == 0 { // a type that is not listed: a table's row type
		facts.base, facts.cast = c.typ, strings.TrimSpace(c.full)
	}
	out.Kind = kindOf(t)
	element := t
	if out.Kind == schema.Array {
		element = r.types[t.elem]
		for element.typtype == 'd' {
			if element.typmod >= 0 {
				typmod = element.typmod
			}
			element = r.types[element.base]
		}
		facts.element = element.oid
		if t.oid != int2vector && t.oid != oidvector {
			out.Element = kindOf(element)
		}
	}
	switch t.oid {
	case 700, 701, 1082, 1114, 1184: // real, double precision, date, timestamp, timestamptz: one family of operators for several
		out.Spelling = t.full
	}
	out.FoldCase = folds || element.name == "citext"
	if element.typtype == 'e' {
		out.Labels = r.labels[element.oid]
	}
	limits(&out, element.oid, typmod)
	return out, facts
}

// limits reads a type's bounds; typmod is the length plus 4 for strings, and
// precision and scale packed for numeric (src/include/utils/numeric.h).
func limits(c *schema.Column, oid uint32, typmod int) {
	switch oid {
	case 21:
		c.Min, c.Max = math.MinInt16, math.MaxInt16
	case 23:
		c.Min, c.Max = math.MinInt32, math.MaxInt32
	case 20:
		c.Min, c.Max = math.MinInt64, math.MaxInt64
	case 1042, 1043:
		if typmod >= 4 {
			c.Length = typmod - 4
		}
	case 1700:
		if typmod >= 4 {
			scale := (typmod - 4) & 0x7ff
			if scale >= 0x400 { // eleven bits with a sign, since version 15
				scale -= 0x800
			}
			if c.Scale = scale; scale < 0 { // the server rounds to tens or more, which no mask does
				c.Kind, c.Scale = schema.Other, -1
			}
		}
	case 19:
		c.Length = 63
	}
}

// Two types that the server counts among arrays and writes in a form of their own.
const (
	int2vector = 22
	oidvector  = 30
)

// kindOf sorts a type that is no domain into the words of rule files.
func kindOf(t typeRow) schema.Kind {
	switch t.oid {
	case 16:
		return schema.Boolean
	case 17:
		return schema.Bytes
	case 20, 21, 23:
		return schema.Integer
	case 700, 701, 1700:
		return schema.Decimal
	case 1082:
		return schema.Date
	case 1114, 1184:
		return schema.Timestamp
	case 1083, 1266:
		return schema.Time
	case 1186:
		return schema.Interval
	case 2950:
		return schema.UUID
	case 114, 3802:
		return schema.JSON
	case 650, 774, 829, 869:
		return schema.Net
	case 600, 601, 602, 603, 604, 628, 718:
		return schema.Geo
	case 18:
		return schema.Other
	}
	switch {
	case t.typtype == 'e':
		return schema.Enum
	case t.category == 'A' && t.elem != 0:
		return schema.Array
	case t.typtype == 'b' && (t.name == "geometry" || t.name == "geography"):
		return schema.Geo
	case t.category == 'S':
		return schema.Text
	}
	return schema.Other
}

// keys lists what is unique or excludes, valid indexes only.
func (r *reading) keys(oid uint32, table *schema.Table, names map[int]string) []schema.Key {
	var out []schema.Key
	for _, i := range r.indexes[oid] {
		if !i.unique && !i.exclusion || !i.valid {
			continue
		}
		k := schema.Key{Name: i.name, Primary: i.primary, Partial: i.predicate != "", Expression: i.expression != "" || i.exclusion, NullsEqual: i.nullsEqual, NotNull: true}
		for _, n := range i.key {
			if n != 0 {
				k.Columns = append(k.Columns, names[n])
			}
		}
		if i.expression != "" { // the index depends on its predicate's columns as well
			for _, n := range i.reads {
				if !slices.Contains(k.Columns, names[n]) && mentions(i.expression, names[n]) {
					k.Columns = append(k.Columns, names[n])
				}
			}
		}
		for _, place := range i.overlap {
			if n := i.key[place-1]; n != 0 {
				k.Overlap = append(k.Overlap, names[n])
			} else { // an expression over any of them
				k.Overlap = slices.Clone(k.Columns)
			}
		}
		for _, c := range k.Columns {
			k.NotNull = k.NotNull && table.Column(c) != nil && table.Column(c).NotNull
		}
		out = append(out, k)
	}
	return out
}

// tableChecks lists a table's checks and those of its columns' domains.
func (r *reading) tableChecks(oid uint32, names map[int]string) []schema.Check {
	var out []schema.Check
	for _, c := range r.checks[oid] {
		check := schema.Check{Name: c.name, Expr: respelled(c.expr), Valid: c.valid}
		for _, n := range c.key {
			if names[n] != "" {
				check.Columns = append(check.Columns, names[n])
			}
		}
		slices.Sort(check.Columns)
		out = append(out, check)
	}
	for _, column := range r.columns[oid] {
		for t := r.types[column.typ]; t.typtype == 'd'; t = r.types[t.base] {
			for _, c := range r.checks[t.oid] {
				out = append(out, schema.Check{Name: c.name, Columns: []string{column.name}, Expr: respelled(replaceValue(c.expr, quote(column.name))), Valid: c.valid})
			}
		}
	}
	return out
}

// markSurrogates finds the columns whose values the database makes: a key of
// one integer or uuid column with an identity, a sequence or a uuid function.
func markSurrogates(table *schema.Table, rows []columnRow) {
	for i := range table.Columns {
		c := &table.Columns[i]
		made := false
		switch c.Kind {
		case schema.Integer:
			made = rows[i].identity || strings.HasPrefix(c.Default, "nextval(")
		case schema.UUID:
			made = strings.Contains(c.Default, "gen_random_uuid(") || strings.Contains(c.Default, "uuid_generate_v") || strings.Contains(c.Default, "uuidv")
		}
		c.Surrogate = made && slices.ContainsFunc(table.Keys, func(k schema.Key) bool {
			return !k.Partial && !k.Expression && len(k.Columns) == 1 && k.Columns[0] == c.Name
		})
	}
}
