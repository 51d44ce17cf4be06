package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Count counts the rows of a table of the new generation and its columns' NULLs, in one scan.
func (l *load) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	err = l.with(ctx, func(c *conn) error {
		kind, err := l.kind(ctx, c, table)
		if err != nil {
			return err
		}
		return l.inUsersPath(ctx, c, func() error {
			rows, nulls, err = count(ctx, c, table, kind, columns)
			return err
		})
	})
	return rows, nulls, err
}

// kind looks a table of the new generation up; what there is does not change while it is loaded.
func (l *load) kind(ctx context.Context, c *conn, table schema.Name) (tableKind, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds == nil {
		kinds, err := tableKinds(ctx, c, schema.Name{})
		if err != nil {
			return tableKind{}, err
		}
		l.kinds = kinds
	}
	return known(l.kinds, table)
}

func known(kinds map[schema.Name]tableKind, table schema.Name) (tableKind, error) {
	if kind, ok := kinds[table]; ok {
		return kind, nil
	}
	return tableKind{}, &engine.Error{Code: engine.Changed, Doing: "count " + table.String(), Say: "there is no such table", Table: table}
}

// Count counts the rows of a table of the target and its columns' NULLs, in one scan.
func (t *target) Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error) {
	err = t.with(ctx, func(c *conn) error {
		kinds, err := tableKinds(ctx, c, table)
		if err != nil {
			return err
		}
		kind, err := known(kinds, table)
		if err != nil {
			return err
		}
		rows, nulls, err = count(ctx, c, table, kind, columns)
		return err
	})
	return rows, nulls, err
}

func count(ctx context.Context, c *conn, table schema.Name, kind tableKind, columns []string) (int64, []int64, error) {
	return countIn(ctx, c, table, kind.from(table), columns)
}

// countRows begins a count of what may just have been written to. It names each row's
// place, which no index holds: an index alone says nothing of pages that were written to,
// and the server, which does not know of them yet, would look each row up in its order.
const countRows = "SELECT count(ctid) FROM "

// countIn counts rows that stand for the table's.
func countIn(ctx context.Context, c *conn, table schema.Name, from string, columns []string) (int64, []int64, error) {
	var b strings.Builder
	b.WriteString("SELECT count(*)")
	for _, column := range columns {
		b.WriteString(", count(*) - count(" + quote(column) + ")")
	}
	b.WriteString(" FROM " + from)
	rows, err := c.queryRows(ctx, "count "+table.String(), b.String())
	if err != nil {
		return 0, nil, err
	}
	nulls := make([]int64, len(columns))
	for i := range nulls {
		nulls[i] = number(rows[0][i+1])
	}
	return number(rows[0][0]), nulls, nil
}

// Prove proves the new generation. What the database proved itself while this
// load built it costs nothing again: COPY refuses a missing value and a broken
// check, an index over loaded rows refuses a duplicate, ADD FOREIGN KEY finds
// orphans. What it did not prove (NOT VALID) is counted.
func (l *load) Prove(ctx context.Context, schemas []string) ([]engine.Proof, error) {
	var p prover
	err := l.with(ctx, func(c *conn) (err error) {
		p, err = readProver(ctx, c, schemas, false)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.path = l.plan.origin.path
	return p.run(ctx, l.pool, max(1, l.spec.Writers))
}

// Prove proves a target afresh: every foreign key by an anti-join, NOT NULL and
// CHECK by one scan of each table, whatever the catalog says about them.
func (t *target) Prove(ctx context.Context, schemas []string) ([]engine.Proof, error) {
	var p prover
	err := t.with(ctx, func(c *conn) (err error) {
		p, err = readProver(ctx, c, schemas, true)
		return err
	})
	if err != nil {
		return nil, err
	}
	readers := t.limits.WithDefaults().Readers
	sessions := &pool{free: make(chan *conn, readers), slots: make(chan struct{}, readers), open: func(ctx context.Context) (*conn, error) {
		return connect(ctx, t.at, session{name: "verify", readOnly: true, limits: t.limits})
	}}
	defer sessions.hangUp(true)
	return p.run(ctx, sessions, readers)
}

// A prover is what is to be proved: what is known already, and questions.
type prover struct {
	proofs    []engine.Proof
	questions []question
	path      string       // the users' search_path, where it is not the database's own
	waived    map[int]bool // proofs that rows may fail: the database itself lets them
	exchange  *exchange    // whose rows are proved; nil for none
}

// A question is one statement that answers for some proofs, by index: each
// column of its one row is a number of offending rows.
type question struct {
	sql     string
	answers []int
}

// run asks the questions and sorts the proofs. A question that cannot be
// answered leaves its proofs not measured; only a lost connection is an error.
func (p *prover) run(ctx context.Context, sessions *pool, workers int) ([]engine.Proof, error) {
	var mu sync.Mutex
	err := spread(ctx, sessions, min(workers, len(p.questions)), len(p.questions), func(ctx context.Context, c *conn, i int) error {
		q := p.questions[i]
		rows, err := c.query(ctx, "prove the constraints", q.sql)
		if err != nil && ctx.Err() == nil && !c.IsClosed() { // a check's function may find its tables by its users' search_path
			path := "SELECT pg_catalog.set_config('search_path', " + literal(cmp.Or(p.path, c.path)) + ", false)"
			if again := c.exec(ctx, "set the search_path", path); again == nil {
				rows, err = c.query(ctx, "prove the constraints", q.sql)
				_ = c.exec(ctx, "reset the search_path", "SELECT pg_catalog.set_config('search_path', '', false)") // every name in a question bears its schema
			}
		}
		if err != nil && (ctx.Err() != nil || c.IsClosed()) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		p.answer(q, rows, err)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return p.sorted(), nil
}

// answer notes what a question found; one that failed leaves its proofs not measured.
func (p *prover) answer(q question, rows [][][]byte, err error) {
	for j, at := range q.answers {
		if err != nil {
			p.proofs[at].Failures, p.proofs[at].Detail = -1, err.Error()
			continue
		}
		p.proofs[at].Failures = number(rows[0][j])
		if n := p.proofs[at].Failures; n > 0 && p.waived[at] {
			p.proofs[at].Failures, p.proofs[at].Excused, p.proofs[at].Method = 0, n, "the database declares it NOT VALID or NOT ENFORCED, and rows that break it stand in production too"
		}
	}
}

// sorted gives the proofs by kind, table and name.
func (p *prover) sorted() []engine.Proof {
	slices.SortStableFunc(p.proofs, func(a, b engine.Proof) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), a.Table.Compare(b.Table), strings.Compare(a.Name, b.Name))
	})
	return p.proofs
}

// add notes a proof and gives its index.
func (p *prover) add(proof engine.Proof) int {
	p.proofs = append(p.proofs, proof)
	return len(p.proofs) - 1
}

// readProver lists what there is to prove in the schemas; none given means all.
func readProver(ctx context.Context, c *conn, schemas []string, afresh bool) (prover, error) {
	p := prover{waived: map[int]bool{}}
	return p, p.read(ctx, c, schemas, afresh)
}

func (p *prover) read(ctx context.Context, c *conn, schemas []string, afresh bool) error {
	inv, err := inspect(ctx, c, schemas)
	if err != nil {
		return err
	}
	for _, read := range []func() error{
		func() error { return p.foreignKeys(ctx, c, schemas, afresh) },
		func() error { p.rows(inv, afresh); return nil },
		func() error { return p.uniques(ctx, c, schemas) },
		func() error { return p.sequences(ctx, c, schemas) },
		func() error { return p.views(ctx, c, schemas) },
	} {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// inSchemas narrows a query on n, a pg_namespace, to $1; an empty list means all but the server's own.
const inSchemas = ` NOT ` + serverSchemas + ` AND (n.nspname = ANY ($1::text[]) OR $1::text[] = '{}')`

// foreignKeys are proved by the database's own ADD CONSTRAINT over the loaded
// rows, or by an anti-join with the operators the constraint itself uses.
func (p *prover) foreignKeys(ctx context.Context, c *conn, schemas []string, afresh bool) error {
	rows, err := c.query(ctx, "list the foreign keys", `
		SELECT o.conname, n.nspname, t.relname, t.relkind, pn.nspname, pt.relname, pt.relkind, o.convalidated, o.confmatchtype,
			(SELECT pg_catalog.array_to_json(pg_catalog.array_agg(pg_catalog.quote_ident(a.attname) ORDER BY k.i)) FROM unnest(o.conkey) WITH ORDINALITY k (num, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = o.conrelid AND a.attnum = k.num),
			(SELECT pg_catalog.array_to_json(pg_catalog.array_agg('p.' || pg_catalog.quote_ident(a.attname) || ' OPERATOR(' || pg_catalog.quote_ident(opn.nspname) || '.' || op.oprname || ') c.' || pg_catalog.quote_ident(ca.attname) ORDER BY k.i))
				FROM unnest(o.confkey, o.conkey, o.conpfeqop) WITH ORDINALITY k (pnum, num, op, i)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = o.confrelid AND a.attnum = k.pnum
				JOIN pg_catalog.pg_attribute ca ON ca.attrelid = o.conrelid AND ca.attnum = k.num
				JOIN pg_catalog.pg_operator op ON op.oid = k.op JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace)
		FROM pg_catalog.pg_constraint o
		JOIN pg_catalog.pg_class t ON t.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
		JOIN pg_catalog.pg_class pt ON pt.oid = o.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = pt.relnamespace
		WHERE o.contype = 'f' AND o.conparentid = 0 AND`+inSchemas+` ORDER BY 2, 3, 1`, schemas)
	if err != nil {
		return err
	}
	for _, r := range rows {
		proof := engine.Proof{Kind: "foreign-key", Table: schema.Name{Schema: string(r[1]), Table: string(r[2])}, Name: string(r[0]), Method: "added to the loaded rows"}
		if isTrue(r[7]) && !afresh {
			p.add(proof)
			continue
		}
		proof.Method = "anti-join"
		if !isTrue(r[7]) {
			proof.Detail = "the database declares it NOT VALID or NOT ENFORCED"
		}
		child := tableKind{partitioned: letter(r[3]) == 'p'}.from(proof.Table)
		if x := p.exchange; x != nil && isTrue(r[7]) {
			method, rows := x.keyProof(proof.Table, schema.Name{Schema: string(r[4]), Table: string(r[5])}, proof.Name, names(r[9]), names(r[10]))
			if proof.Method = cmp.Or(method, proof.Method); method != "" && rows == "" {
				p.add(proof)
				continue
			}
			child = cmp.Or(rows, child)
		}
		parent := tableKind{partitioned: letter(r[6]) == 'p'}.from(schema.Name{Schema: string(r[4]), Table: string(r[5])})
		i := p.add(proof)
		p.questions = append(p.questions, question{antiJoin(child, parent, names(r[9]), names(r[10]), letter(r[8]) == 'f'), []int{i}})
	}
	return nil
}

// antiJoin counts the child's rows whose parent is missing. A key with a NULL
// refers to nothing; under MATCH FULL a key half NULL is an offence as well.
func antiJoin(child, parent string, columns, matches []string, full bool) string {
	var all, some []string
	for _, c := range columns {
		all = append(all, present("c."+c))
		some = append(some, absent("c."+c))
	}
	sql := "SELECT count(*) FROM " + child + " c WHERE "
	missing := "(" + strings.Join(all, " AND ") + " AND NOT EXISTS (SELECT FROM " + parent + " p WHERE " + strings.Join(matches, " AND ") + "))"
	if full && len(columns) > 1 {
		return sql + missing + " OR ((" + strings.Join(some, " OR ") + ") AND NOT (" + strings.Join(some, " AND ") + "))"
	}
	return sql + missing
}

// rows proves NOT NULL and CHECK of every table, those of domains too. For a
// fresh load the database did it while the rows came in, except for checks that
// are NOT VALID; else one scan of the table counts all of them together.
func (p *prover) rows(inv *inventory, afresh bool) {
	for i := range inv.schema.Tables {
		table := &inv.schema.Tables[i]
		facts := inv.tables[table.Name]
		if facts.foreign {
			continue
		}
		method, from := "counted in one scan", tableKind{partitioned: facts.partitioned}.from(table.Name)
		if x := p.exchange; x != nil {
			if e := x.tables[table.Name]; e != nil && e.continued != nil {
				method, from = provedBefore, e.proved(table)
			}
		}
		var counts []string
		var answers []int
		put := func(kind, name, condition string, known bool) {
			proof := engine.Proof{Kind: kind, Table: table.Name, Name: name, Method: "held while the rows were loaded"}
			if !known {
				proof.Method = method
				counts = append(counts, "count(*) FILTER (WHERE "+condition+")")
				answers = append(answers, len(p.proofs))
			}
			p.add(proof)
		}
		for _, c := range table.Columns {
			if c.NotNull {
				put("not-null", c.Name, absent(quote(c.Name)), !afresh)
			}
		}
		for _, c := range table.Checks {
			p.waived[len(p.proofs)] = !c.Valid // rows older than the check may break it, in production as here
			put("check", c.Name, "("+c.Expr+") IS FALSE", c.Valid && !afresh)
		}
		// A SELECT has at most 1,664 columns.
		for start := 0; start < len(counts); start += 1000 {
			end := min(start+1000, len(counts))
			p.questions = append(p.questions, question{"SELECT " + strings.Join(counts[start:end], ", ") + " FROM " + from, answers[start:end]})
		}
	}
}

// uniques are proved by the index that enforces them: the database does not let
// one become valid over duplicates.
func (p *prover) uniques(ctx context.Context, c *conn, schemas []string) error {
	rows, err := c.query(ctx, "list the unique indexes", `
		SELECT n.nspname, t.relname, i.relname, x.indisvalid AND x.indisready AND x.indislive
		FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
		JOIN pg_catalog.pg_class t ON t.oid = x.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
		WHERE (x.indisunique OR x.indisexclusion) AND t.relkind IN ('r', 'p') AND NOT i.relispartition AND`+inSchemas+` ORDER BY 1, 2, 3`, schemas)
	for _, r := range rows {
		proof := engine.Proof{Kind: "unique", Table: schema.Name{Schema: string(r[0]), Table: string(r[1])}, Name: string(r[2]), Method: "valid unique index"}
		if !isTrue(r[3]) {
			proof.Failures, proof.Detail = -1, "the index is not valid, so nothing is proved"
		}
		p.add(proof)
	}
	return err
}

// sequences are compared with the furthest value of their columns.
func (p *prover) sequences(ctx context.Context, c *conn, schemas []string) error {
	list, err := sequences(ctx, c)
	if err != nil {
		return err
	}
	for _, s := range list {
		if len(schemas) > 0 && !slices.Contains(schemas, s.name.Schema) || !s.counted() {
			continue
		}
		proof := engine.Proof{Kind: "sequence", Name: s.name.String(), Method: "compared with the columns",
			Detail: "the number it gives next is one that its column holds already, or comes to", Mend: s.mend()}
		for _, column := range s.columns {
			proof.Table = column.table
		}
		p.questions = append(p.questions, question{s.behind(), []int{p.add(proof)}})
	}
	return nil
}

// mend writes a statement, to be run by hand, after which the sequence goes on past
// what its columns hold.
func (s sequence) mend() string {
	return "SELECT setval(" + literal(quoteName(s.name)) + ", (SELECT " + s.extreme() + "::bigint))"
}

// behind writes a query that is 1 when the sequence's next value is not beyond
// its columns' values, else 0. Values past its end it can never meet.
func (s sequence) behind() string {
	past, bound := ">", s.maximum
	if s.descending() {
		past, bound = "<", s.minimum
	}
	return fmt.Sprintf(`SELECT CASE WHEN x.v IS NULL OR x.v = 'NaN' OR x.v %[1]s %[2]s THEN 0
		WHEN (CASE WHEN q.is_called THEN q.last_value + %[3]s ELSE q.last_value END)::numeric %[1]s x.v THEN 0 ELSE 1 END
		FROM %[4]s q, (SELECT %[5]s AS v) x`, past, bound, "("+s.increment+")::numeric", quoteName(s.name), s.extreme())
}

// views tells whether every materialized view can be read.
func (p *prover) views(ctx context.Context, c *conn, schemas []string) error {
	rows, err := c.query(ctx, "list the materialized views", `
		SELECT n.nspname, c.relname, c.relispopulated FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'm' AND`+inSchemas+` ORDER BY 1, 2`, schemas)
	for _, r := range rows {
		proof := engine.Proof{Kind: "view", Table: schema.Name{Schema: string(r[0]), Table: string(r[1])}, Name: string(r[1]), Method: "filled"}
		if !isTrue(r[2]) {
			proof.Detail = "not filled, as in the target before"
		}
		p.add(proof)
	}
	return err
}

// names reads a JSON array of strings that the server wrote.
func names(text []byte) []string {
	var out []string
	_ = json.Unmarshal(text, &out) // array_to_json makes nothing else
	return out
}
