package subset

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"

	"understudy/internal/engine"
	"understudy/internal/fault"
)

// choose decides what becomes of tables that no edge reaches, then prepares the
// jobs that the closure starts from.
func (c *closure) choose(ctx context.Context) error {
	if err := c.settleUnreached(ctx); err != nil {
		return err
	}
	for _, n := range c.nodes {
		c.ask(n)
	}
	for i := range c.spec.Seeds {
		seed := &c.spec.Seeds[i]
		if seed.sampled() && c.opts.Sample == nil {
			return fault.New(fault.Bug, "subset-sample", "", "%s is sampled without a sampling function", seed.Table.Name)
		}
		n := c.node(seed.Table.Name)
		n.seeded = true
		n.complete = n.complete || seed.everything()
		find := engine.Find{Table: n.table, Columns: n.columns, Tests: n.tests, Where: seed.Where, Now: c.opts.Now}
		if seed.sampled() {
			find.Columns = slices.Concat(n.columns, n.table.Identity().Columns)
			find.Order = seed.Order
		}
		c.first = append(c.first, &job{node: n, down: true, seed: seed, find: find})
	}
	for _, n := range c.nodes {
		if n.mode != whole {
			continue
		}
		needsParents := slices.ContainsFunc(n.out, func(e *edge) bool { return e.at != nil })
		if needsParents || c.spec.Budget > 0 && n.count < 0 {
			if len(n.columns) == 0 {
				n.columns = cheapest(n.table)
			}
			n.count = 0
			c.first = append(c.first, &job{node: n, find: engine.Find{Table: n.table, Columns: n.columns, Tests: n.tests, Now: c.opts.Now}})
		} else if n.count > 0 {
			c.rows += n.count
		}
	}
	return c.withinBudget()
}

// settleUnreached turns tables to which no edge leads into whole ones where the spec says so.
func (c *closure) settleUnreached(ctx context.Context) error {
	if c.spec.Whole {
		return nil
	}
	reached := reach(c.spec, c.schema)
	for _, n := range c.nodes {
		if n.mode != partial || reached.any[n.table.Name] {
			continue
		}
		n.unreached = true
		switch c.spec.Unreached {
		case All:
			n.mode, n.reason = whole, "whole: no edge leads here, unreached is all"
		case Small:
			rows, err := c.countSmall(ctx, n)
			if err != nil {
				return err
			}
			if n.large = rows > SmallRows; !n.large {
				n.mode, n.count, n.reason = whole, rows, "whole: no edge leads here, "+many(rows, "row")
			}
		}
	}
	return nil
}

// countSmall counts rows until there are more than SmallRows.
func (c *closure) countSmall(ctx context.Context, n *node) (int64, error) {
	var rows int64
	for found, err := range c.snap.Find(ctx, engine.Find{Table: n.table, Columns: cheapest(n.table), Now: c.opts.Now}) {
		if err != nil {
			return 0, err
		}
		if rows += int64(len(found.IDs)); rows > SmallRows {
			break
		}
	}
	return rows, nil
}

// seed sends the rows of a sampled seed: of those found, the ones whose sample
// falls under the percentage, of these the first by the seed's order or by sample.
func (w *worker) seed(ctx context.Context) error {
	seed := w.job.seed
	key := make([]int, len(seed.Table.Identity().Columns))
	for i := range key {
		key[i] = len(w.job.node.columns) + i
	}
	p := picker{sample: w.sample(seed.Table.Name), key: key, percent: seed.Percent, left: seed.Limit}
	if seed.Limit > 0 && seed.Order == "" {
		return w.lowest(ctx, &p)
	}
	for found, err := range w.snap.Find(ctx, w.job.find) {
		if err != nil {
			return err
		}
		only := make([]int, 0, 16)
		for row := range found.IDs {
			if _, under := p.hash(&found.Values, row); under {
				only = append(only, row)
			}
		}
		if seed.Limit > 0 {
			only = only[:min(int64(len(only)), p.left)]
			p.left -= int64(len(only))
		}
		if len(only) > 0 && !w.send(ctx, message{job: w.job, found: found, only: only}) {
			return context.Cause(ctx)
		}
		if seed.Limit > 0 && p.left == 0 {
			break
		}
	}
	return nil
}

// lowest sends the rows with the lowest samples, and holds little more than them.
func (w *worker) lowest(ctx context.Context, p *picker) error {
	limit := int(min(w.job.seed.Limit, math.MaxInt32))
	for found, err := range w.snap.Find(ctx, w.job.find) {
		if err != nil {
			return err
		}
		for row := range found.IDs {
			p.offer(found, row, limit)
		}
	}
	p.cut(limit)
	out := &engine.Found{Values: engine.Tuples{Width: len(w.job.find.Columns) + len(w.job.find.Tests)}}
	for _, k := range p.kept {
		out.IDs = append(out.IDs, k.id)
		k.values.each(out.Values.Add)
	}
	if len(out.IDs) > 0 && !w.send(ctx, message{job: w.job, found: out}) {
		return context.Cause(ctx)
	}
	return nil
}

// A picker samples the rows of one seed.
type picker struct {
	sample  func([]byte) uint64
	key     []int // columns of the identifying key
	percent float64
	left    int64 // rows that a limit with an order still admits
	text    []byte
	kept    []candidate
	full    bool   // limit rows are kept, and
	highest uint64 // none above this sample can come in
}

// A candidate is a row that may be among the lowest.
type candidate struct {
	hash   uint64
	key    []byte
	id     engine.RowID
	values record
}

// A record is one row's values, apart from the batch they came in.
type record [][]byte

func (r record) each(add func([]byte)) {
	for _, v := range r {
		add(v)
	}
}

// hash samples a row; under tells whether it falls under the percentage. A
// smaller percentage admits a part of what a larger one does.
func (p *picker) hash(values *engine.Tuples, row int) (hash uint64, under bool) {
	p.text = appendTuple(p.text[:0], values, row, p.key)
	hash = p.sample(p.text)
	if p.percent == 0 || p.percent >= 100 {
		return hash, true
	}
	return hash, hash < uint64(math.Ldexp(p.percent/100, 64))
}

func (p *picker) offer(found *engine.Found, row, limit int) {
	hash, under := p.hash(&found.Values, row)
	if !under || p.full && hash > p.highest {
		return
	}
	c := candidate{hash: hash, key: bytes.Clone(p.text), id: found.IDs[row]}
	for i := range found.Values.Width {
		v, ok := found.Values.At(row, i)
		if ok {
			v = append([]byte{}, v...)
		}
		c.values = append(c.values, v)
	}
	p.kept = append(p.kept, c)
	if len(p.kept) >= 2*limit+1000 {
		p.cut(limit)
	}
}

// cut keeps the limit lowest; equal samples are told apart by the key.
func (p *picker) cut(limit int) {
	slices.SortFunc(p.kept, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.hash, b.hash), bytes.Compare(a.key, b.key)) })
	if len(p.kept) >= limit {
		clear(p.kept[limit:])
		p.kept = p.kept[:limit]
		p.full, p.highest = true, p.kept[limit-1].hash
	}
}
