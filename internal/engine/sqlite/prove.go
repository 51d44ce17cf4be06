package sqlite

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// most is how many values one statement gives at most: half of what SQLite allows.
const most = 1000

// count counts rows and NULLs, in one scan unless the columns are very many.
func count(ctx context.Context, c *conn, table schema.Name, columns []string) (total int64, nulls []int64, err error) {
	for first := true; first || len(columns) > 0; first = false {
		n := min(len(columns), most-1)
		terms := []string{"count(*)"}
		for _, name := range columns[:n] {
			terms = append(terms, "count(*)-count("+quote(name)+")")
		}
		err := c.each(ctx, "SELECT "+strings.Join(terms, ", ")+" FROM main."+quote(table.Table), nil, func(row []driver.Value) error {
			total, _ = row[0].(int64)
			for _, v := range row[1:] {
				n, _ := v.(int64)
				nulls = append(nulls, n)
			}
			return nil
		})
		if err != nil {
			return 0, nil, wrapTable(err, "count "+table.String(), table, nil)
		}
		columns = columns[n:]
	}
	return total, nulls, nil
}

// prover asks a database about its constraints.
type prover struct {
	ctx    context.Context
	conn   *conn
	found  *inspection
	made   *structure // what the database was made from; nil where that is not known
	proofs []engine.Proof
}

func prove(ctx context.Context, c *conn, schemas []string, made *structure) ([]engine.Proof, error) {
	found, err := inspect(ctx, c, schemas)
	if err != nil {
		return nil, err
	}
	p := prover{ctx: ctx, conn: c, found: found, made: made}
	for i := range found.schema.Tables {
		t := &found.schema.Tables[i]
		for _, step := range []func(*schema.Table) error{p.references, p.rows, p.keys, p.sequence} {
			if err := step(t); err != nil {
				return nil, err
			}
		}
	}
	if len(schemas) == 0 || slices.Contains(schemas, mainSchema) {
		err = p.views()
	}
	return p.proofs, err
}

// references lets SQLite check the foreign keys of a table, whatever they say
// of themselves: it never checked rows that were written with the check off. It
// checks none of a table of which one has no key to point at; then the others
// are looked up one by one.
func (p *prover) references(t *schema.Table) error {
	for _, l := range p.found.loose {
		if l.from == t.Name {
			if err := p.loose(l); err != nil {
				return err
			}
		}
	}
	var mine []schema.Reference
	for _, r := range p.found.schema.References {
		if r.From == t.Name {
			mine = append(mine, r)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	ids, err := p.referenceIDs(t.Name.Table)
	if err != nil {
		return err
	}
	failures := map[int64]int64{}
	err = p.conn.each(p.ctx, "SELECT fkid, count(*) FROM pragma_foreign_key_check(?) GROUP BY fkid", []any{t.Name.Table}, func(row []driver.Value) error {
		id, _ := row[0].(int64)
		failures[id], _ = row[1].(int64)
		return nil
	})
	if err != nil && p.ctx.Err() != nil {
		return err
	}
	whole := err == nil
	for _, r := range mine {
		proof := engine.Proof{Kind: "foreign-key", Table: t.Name, Name: r.Name, Method: "foreign_key_check"}
		numbers := ids[small(strings.Join(r.Columns, "\x00"))+"\x01"+small(r.To.Table)]
		switch {
		case !p.found.pointsAtKey(r):
			proof.Failures, proof.Detail = -1, "SQLite cannot check it: no unique index is over the referenced columns of "+r.To.String()
		case !whole:
			proof.Method = "anti-join"
			if proof.Failures, err = p.orphans(r); err != nil {
				return err
			}
		case len(numbers) == 0:
			proof.Failures, proof.Detail = -1, "SQLite does not list it"
		default:
			for _, id := range numbers {
				proof.Failures += failures[id]
			}
		}
		p.proofs = append(p.proofs, proof)
	}
	return nil
}

// loose tells of a foreign key whose parent is none: it cannot be checked, unless no row has a key.
func (p *prover) loose(l loose) error {
	proof := engine.Proof{Kind: "foreign-key", Table: l.from, Name: l.name, Method: "no row has a key"}
	n, err := p.conn.integer(p.ctx, "SELECT count(*) FROM (SELECT 1 FROM main."+quote(l.from.Table)+" WHERE "+notNull("", l.columns)+" LIMIT 1)")
	if err != nil {
		return wrapTable(err, "prove "+l.from.String(), l.from, nil)
	}
	if n > 0 {
		proof.Failures, proof.Detail = -1, "it cannot be checked: "+l.why
	}
	p.proofs = append(p.proofs, proof)
	return nil
}

func notNull(prefix string, columns []string) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = prefix + quote(c) + " IS NOT NULL"
	}
	return strings.Join(out, " AND ")
}

// orphans counts rows without a parent. The referenced column stands on the left
// and the plus takes the other's affinity away, so that both are the parent's,
// as in SQLite's own check.
func (p *prover) orphans(r schema.Reference) (int64, error) {
	var same []string
	for i := range r.Columns {
		same = append(same, "p."+quote(r.ToColumns[i])+" = +c."+quote(r.Columns[i]))
	}
	n, err := p.conn.integer(p.ctx, "SELECT count(*) FROM main."+quote(r.From.Table)+" AS c WHERE "+notNull("c.", r.Columns)+
		" AND NOT EXISTS (SELECT 1 FROM main."+quote(r.To.Table)+" AS p WHERE "+strings.Join(same, " AND ")+")")
	return n, wrapTable(err, "prove "+r.From.String(), r.From, nil)
}

// referenceIDs gives SQLite's numbers of a table's foreign keys, by their columns
// and referenced table: several where they differ in the columns referenced alone.
func (p *prover) referenceIDs(table string) (map[string][]int64, error) {
	columns := map[int64][]string{}
	to := map[int64]string{}
	err := p.conn.each(p.ctx, "SELECT id, \"from\", \"table\" FROM pragma_foreign_key_list(?) ORDER BY id, seq", []any{table}, func(row []driver.Value) error {
		id, _ := row[0].(int64)
		columns[id], to[id] = append(columns[id], small(str(row[1]))), small(str(row[2]))
		return nil
	})
	out := map[string][]int64{}
	for id, names := range columns {
		key := strings.Join(names, "\x00") + "\x01" + to[id]
		out[key] = append(out[key], id)
	}
	return out, err
}

// A term is an expression that counts the rows which break what its proof is about.
type term struct {
	sql   string
	proof engine.Proof
}

// rows checks NOT NULL and CHECK constraints by scans of the table.
func (p *prover) rows(t *schema.Table) error {
	var terms []term
	for _, c := range t.Columns {
		if c.NotNull && !c.Generated {
			terms = append(terms, term{"count(*)-count(" + quote(c.Name) + ")", engine.Proof{Kind: "not-null", Table: t.Name, Name: c.Name, Method: "scan"}})
		}
	}
	for _, c := range t.Checks {
		terms = append(terms, term{"coalesce(sum(NOT (" + c.Expr + "\n)),0)", engine.Proof{Kind: "check", Table: t.Name, Name: c.Name, Method: "scan"}})
	}
	for part := range slices.Chunk(terms, most) {
		if err := p.scan(t, part); err != nil {
			return err
		}
	}
	return nil
}

// scan counts several things in one scan. What this program's SQLite cannot
// evaluate is found by halving, so that it takes nothing else's proof away.
func (p *prover) scan(t *schema.Table, terms []term) error {
	list := make([]string, len(terms))
	for i, x := range terms {
		list[i] = x.sql
	}
	err := p.conn.each(p.ctx, "SELECT "+strings.Join(list, ", ")+" FROM main."+quote(t.Name.Table), nil, func(row []driver.Value) error {
		for i, v := range row {
			terms[i].proof.Failures, _ = v.(int64)
		}
		return nil
	})
	switch {
	case err != nil && p.ctx.Err() != nil:
		return err
	case err != nil && len(terms) > 1:
		half := len(terms) / 2
		if err := p.scan(t, terms[:half]); err != nil {
			return err
		}
		return p.scan(t, terms[half:])
	case err != nil:
		terms[0].proof.Failures, terms[0].proof.Detail = -1, "this program's SQLite cannot evaluate it"
	}
	for _, x := range terms {
		p.proofs = append(p.proofs, x.proof)
	}
	return nil
}

// keys looks for values that stand twice under a unique index.
func (p *prover) keys(t *schema.Table) error {
	for _, k := range t.Keys {
		proof := engine.Proof{Kind: "unique", Table: t.Name, Name: k.Name, Method: "grouped by the index"}
		query, err := p.duplicates(t, k)
		if err != nil {
			return err
		}
		if query == "" { // a primary key that is the row's number, or of parts that only the index can compute
			proof.Method = "built by the database over the rows"
			p.proofs = append(p.proofs, proof)
			continue
		}
		n, err := p.conn.integer(p.ctx, query)
		if err != nil {
			return wrapTable(err, "prove "+t.Name.String(), t.Name, nil)
		}
		proof.Failures = n
		p.proofs = append(p.proofs, proof)
	}
	return nil
}

// duplicates writes the query that counts groups of rows which the key takes for one;
// none where the database alone can compute it.
func (p *prover) duplicates(t *schema.Table, k schema.Key) (query string, err error) {
	if k.Partial || k.Expression || len(k.Columns) == 0 {
		return "", nil
	}
	if k.Primary && len(k.Columns) == 1 && t.Column(k.Columns[0]).Surrogate {
		return "", nil
	}
	var set, compared []string
	for _, c := range k.Columns {
		set, compared = append(set, quote(c)+" IS NOT NULL"), append(compared, quote(c))
	}
	i := 0 // an index may compare by another collation than its column's
	err = p.conn.each(p.ctx, "SELECT x.coll FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x WHERE l.name=? AND x.key=1 ORDER BY x.seqno", []any{t.Name.Table, k.Name}, func(row []driver.Value) error {
		if collation := str(row[0]); i < len(compared) && collation != "" {
			compared[i] += " COLLATE " + quote(collation)
		}
		i++
		return nil
	})
	return "SELECT count(*) FROM (SELECT 1 FROM main." + quote(t.Name.Table) + " WHERE " + strings.Join(set, " AND ") +
		" GROUP BY " + strings.Join(compared, ", ") + " HAVING count(*)>1)", err
}

// restart writes a statement after which AUTOINCREMENT goes on past the highest row number.
func (s *shape) restart(table string) string {
	return "DELETE FROM sqlite_sequence WHERE name = " + literal(table) + "; INSERT INTO sqlite_sequence SELECT " + literal(table) + ", max(" + s.rowid + ") FROM " + quote(table)
}

// sequence compares an AUTOINCREMENT counter with the highest row number.
func (p *prover) sequence(t *schema.Table) error {
	s := p.found.shapes[t.Name.Table]
	if !s.autoincrement || s.rowid == "" {
		return nil
	}
	behind, err := p.conn.integer(p.ctx, "SELECT coalesce((SELECT max("+s.rowid+") FROM main."+quote(t.Name.Table)+"),0) > coalesce((SELECT seq FROM main.sqlite_sequence WHERE name=?),0)", t.Name.Table)
	p.proofs = append(p.proofs, engine.Proof{Kind: "sequence", Table: t.Name, Name: t.Name.Table, Method: "compared with the highest row number", Failures: behind,
		Detail: "the number it gives next is one that the table holds already, or comes to", Mend: s.restart(t.Name.Table)})
	return err
}

// views compiles each view, which fails if it names what is not there. One that
// did not compile in the structure either, for the same reason, has nothing to
// prove: the note of that structure tells of it. Where the structure is not
// known, a view that does not compile is none that was ever proved.
func (p *prover) views() error {
	names, err := viewNames(p.ctx, p.conn)
	if err != nil {
		return err
	}
	broken, err := brokenViews(p.ctx, p.conn)
	if err != nil {
		return err
	}
	for _, name := range names {
		proof := engine.Proof{Kind: "view", Table: schema.Name{Schema: mainSchema, Table: name}, Name: name, Method: "compiled"}
		if why, bad := broken[name]; bad {
			if before, was := p.before(name); p.made == nil || was && before == why {
				continue
			}
			proof.Failures, proof.Detail = 1, "it no longer compiles: "+why
		}
		p.proofs = append(p.proofs, proof)
	}
	return nil
}

// before gives why a view did not compile in the structure.
func (p *prover) before(view string) (string, bool) {
	if p.made == nil {
		return "", false
	}
	why, ok := p.made.broken[view]
	return why, ok
}

func viewNames(ctx context.Context, c *conn) ([]string, error) {
	var names []string
	err := c.each(ctx, "SELECT name FROM sqlite_schema WHERE type='view' ORDER BY name", nil, func(row []driver.Value) error {
		names = append(names, str(row[0]))
		return nil
	})
	return names, err
}

// brokenViews gives the views that do not compile, and why.
func brokenViews(ctx context.Context, c *conn) (map[string]string, error) {
	names, err := viewNames(ctx, c)
	out := map[string]string{}
	for _, name := range names {
		bad := c.each(ctx, "EXPLAIN SELECT * FROM main."+quote(name), nil, discard)
		if bad != nil && (ctx.Err() != nil || engine.CodeOf(bad) != engine.Syntax) {
			return nil, bad
		}
		if bad != nil {
			out[name] = missing(bad)
		}
	}
	return out, err
}
