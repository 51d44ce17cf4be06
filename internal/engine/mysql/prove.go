package mysql

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Prove asks the new generation itself.
func (l *load) Prove(ctx context.Context, schemas []string) (proofs []engine.Proof, err error) {
	var databases []string
	names := map[string]string{}
	for _, d := range l.plan.databases {
		databases = append(databases, d.next)
		names[d.next] = d.name
	}
	return prove(ctx, sessions{l.with, cap(l.pool.slots)}, databases, prover{names: names, enforced: true})
}

// Prove asks what stands in the target.
func (t *target) Prove(ctx context.Context, schemas []string) (proofs []engine.Proof, err error) {
	err = t.with(ctx, func(c *conn) error {
		proofs, err = prove(ctx, alone(c), t.asked(schemas), prover{})
		return err
	})
	return proofs, err
}

// prover asks databases about their constraints, through one session.
type prover struct {
	c      *conn
	inv    *inventory
	names  map[string]string // of databases, as messages have them
	proofs []engine.Proof
	// changing: the session's own transaction has changed many rows.
	changing bool
	// enforced: every unique index there is took the rows one by one or was made over all of
	// them, by statements of the load's own.
	enforced bool
}

// sessions lend a session at a time to each of so many.
type sessions struct {
	with func(ctx context.Context, do func(c *conn) error) error
	n    int
}

// alone lends one session, to one at a time.
func alone(c *conn) sessions {
	return sessions{func(_ context.Context, do func(c *conn) error) error { return do(c) }, 1}
}

// prove proves table by table, the largest first, as by does; the proofs stand in
// the tables' order.
func prove(ctx context.Context, s sessions, databases []string, by prover) ([]engine.Proof, error) {
	var inv *inventory
	err := s.with(ctx, func(c *conn) (err error) {
		inv, err = inspect(ctx, c, databases)
		return err
	})
	if err != nil {
		return nil, err
	}
	tables := inv.schema.Tables
	sizes, proofs := make([]int64, len(tables)), make([][]engine.Proof, len(tables))
	for i := range tables {
		sizes[i] = tables[i].Bytes
	}
	err = inOrder(ctx, s.n, sizes, func(ctx context.Context, i int) error {
		return s.with(ctx, func(c *conn) error {
			p := by
			p.c, p.inv = c, inv
			for _, step := range []func(context.Context, *schema.Table) error{p.references, p.rows, p.keys, p.number} {
				if err := step(ctx, &tables[i]); err != nil {
					return err
				}
			}
			proofs[i] = p.proofs
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	p := by
	p.proofs = slices.Concat(proofs...)
	err = s.with(ctx, func(c *conn) error {
		p.c = c
		return p.views(ctx, databases)
	})
	return p.proofs, err
}

func (p *prover) named(n schema.Name) schema.Name {
	if to, ok := p.names[n.Schema]; ok {
		n.Schema = to
	}
	return n
}

func (p *prover) add(proof engine.Proof) {
	proof.Table = p.named(proof.Table)
	p.proofs = append(p.proofs, proof)
}

// references looks for rows without a parent, whatever the keys say of
// themselves: they were off while rows came.
func (p *prover) references(ctx context.Context, t *schema.Table) error {
	for _, r := range p.inv.schema.References {
		if r.From != t.Name {
			continue
		}
		proof, err := p.reference(ctx, r)
		if err != nil {
			return err
		}
		p.add(proof)
	}
	return nil
}

func (p *prover) reference(ctx context.Context, r schema.Reference) (engine.Proof, error) {
	proof := engine.Proof{Kind: "foreign-key", Table: r.From, Name: r.Name, Method: "anti-join"}
	doing := "prove " + p.named(r.From).String()
	unreadable := func(err error) bool {
		code := engine.CodeOf(err)
		return err != nil && (code == engine.Syntax || code == engine.Denied)
	}
	if !p.changing { // else the index is slow to read
		all, err := allThere(ctx, p.c, doing, r.From, r.Columns, r.To, r.ToColumns)
		if all || err != nil && !unreadable(err) {
			return proof, err
		}
	}
	var set, same []string
	for i := range r.Columns {
		set = append(set, "c."+quote(r.Columns[i])+" IS NOT NULL")
		same = append(same, "p."+quote(r.ToColumns[i])+" = c."+quote(r.Columns[i]))
	}
	n, err := p.c.value(ctx, doing, "SELECT count(*) FROM "+quoteName(r.From)+" AS c WHERE "+strings.Join(set, " AND ")+
		" AND NOT EXISTS (SELECT 1 FROM "+quoteName(r.To)+" AS p WHERE "+strings.Join(same, " AND ")+")")
	if unreadable(err) {
		proof.Failures, proof.Detail = -1, "the referenced table "+p.named(r.To).String()+" cannot be read"
		return proof, nil
	}
	proof.Failures = number(n)
	return proof, err
}

// rows checks CHECK constraints in one scan. A column that is NOT NULL has no place for
// one: to count them would have the server answer by the definition as well.
func (p *prover) rows(ctx context.Context, t *schema.Table) error {
	for _, c := range t.Columns {
		if c.NotNull && !c.Generated {
			p.add(engine.Proof{Kind: "not-null", Table: t.Name, Name: c.Name, Method: "defined so in the table that holds the rows"})
		}
	}
	var terms []string
	var proofs []engine.Proof
	for _, c := range t.Checks {
		if !c.Valid { // NOT ENFORCED: the database does not ask for it
			continue
		}
		terms = append(terms, "coalesce(sum(NOT ("+c.Expr+")), 0)")
		proofs = append(proofs, engine.Proof{Kind: "check", Table: t.Name, Name: c.Name, Method: "scan"})
	}
	if len(terms) == 0 {
		return nil
	}
	from := quoteName(t.Name)
	if p.changing {
		from += clustered(t)
	}
	row, err := p.c.row(ctx, "prove "+p.named(t.Name).String(), "SELECT "+strings.Join(terms, ", ")+" FROM "+from)
	if err != nil {
		return err
	}
	for i, proof := range proofs {
		proof.Failures = number(row[i])
		p.add(proof)
	}
	return nil
}

// clustered has a table read by its rows themselves: after changes that are not
// committed, another index has to look each of its entries up among them.
func clustered(t *schema.Table) string {
	if !slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return k.Primary }) {
		return ""
	}
	return " FORCE INDEX (PRIMARY)"
}

// keys looks for values that stand twice under a unique index, as the columns'
// collations compare them.
func (p *prover) keys(ctx context.Context, t *schema.Table) error {
	for _, k := range t.Keys {
		proof := engine.Proof{Kind: "unique", Table: t.Name, Name: k.Name, Method: "grouped by the index"}
		if p.enforced || k.Expression || k.Partial || len(k.Columns) == 0 {
			proof.Method = "enforced by the index over the rows"
			p.add(proof)
			continue
		}
		var set []string
		for _, c := range k.Columns {
			set = append(set, quote(c)+" IS NOT NULL")
		}
		n, err := p.c.value(ctx, "prove "+p.named(t.Name).String(), "SELECT count(*) FROM (SELECT 1 FROM "+quoteName(t.Name)+" WHERE "+strings.Join(set, " AND ")+
			" GROUP BY "+quotes(k.Columns)+" HAVING count(*) > 1) AS twice")
		if err != nil {
			return err
		}
		proof.Failures = number(n)
		p.add(proof)
	}
	return nil
}

// number compares what AUTO_INCREMENT gives next with the highest number there is.
func (p *prover) number(ctx context.Context, t *schema.Table) error {
	i := slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Identity })
	if i < 0 {
		return nil
	}
	c, doing := t.Columns[i], "prove "+p.named(t.Name).String()
	row, err := p.c.row(ctx, doing, "SELECT coalesce(max("+quote(c.Name)+"), 0) FROM "+quoteName(t.Name))
	if err != nil {
		return err
	}
	proof := engine.Proof{Kind: "sequence", Table: t.Name, Name: c.Name, Method: "compared with the highest number"}
	next, err := p.c.value(ctx, doing, "SELECT auto_increment > "+literal(row[0])+" OR "+literal(row[0])+" <= 0 OR "+literal(row[0])+" >= "+limitOf(c, p.inv.tables[t.Name].columns[c.Name])+
		// of MyISAM one that leads no index counts within each group of the columns before it
		" OR NOT EXISTS (SELECT 1 FROM information_schema.statistics s WHERE s.table_schema = "+literal(t.Name.Schema)+" AND s.table_name = "+literal(t.Name.Table)+" AND s.column_name = "+literal(c.Name)+" AND s.seq_in_index = 1)"+
		" FROM information_schema.tables WHERE table_schema = "+literal(t.Name.Schema)+" AND table_name = "+literal(t.Name.Table))
	if err != nil {
		return err
	}
	switch next {
	case "1":
	case "0":
		proof.Failures, proof.Detail = 1, "the number it gives next is one that is there"
		proof.Mend = "ALTER TABLE " + quoteName(t.Name) + " AUTO_INCREMENT = 1" // InnoDB makes of it the first that is free
	default:
		proof.Failures, proof.Detail = -1, "the server does not tell the next number"
	}
	p.add(proof)
	return nil
}

// limitOf gives the highest number of a column's type: at it, there is no next one.
func limitOf(c schema.Column, f *columnFacts) string {
	if f != nil && f.base == "bigint" {
		if f.unsigned {
			return "18446744073709551615"
		}
		return "9223372036854775807"
	}
	if c.Max > 0 {
		return strconv.FormatInt(c.Max, 10)
	}
	return "16777216" // FLOAT and DOUBLE
}

// views has the server open each view, which fails where it names what is not there.
func (p *prover) views(ctx context.Context, databases []string) error {
	rows, err := p.c.rows(ctx, "list the views", "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ("+literals(databases)+") AND table_type = 'VIEW' ORDER BY 1, 2")
	if err != nil {
		return err
	}
	for _, r := range rows {
		name := schema.Name{Schema: r[0], Table: r[1]}
		proof := engine.Proof{Kind: "view", Table: name, Name: name.Table, Method: "opened"}
		_, err := p.c.rows(ctx, "open the view "+name.String(), "SELECT 1 FROM "+quoteName(name)+" LIMIT 0")
		switch code := engine.CodeOf(err); {
		case err != nil && (code == engine.Denied || code == engine.Syntax): // it never was proved: who made it knows why
			continue
		case err != nil:
			return err
		}
		p.add(proof)
	}
	return nil
}
