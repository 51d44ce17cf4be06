package subset

import (
	"context"
	"slices"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/schema"
)

// How many key values one Find may ask for. Where no index helps, every Find is
// a scan, and fewer with more keys are cheaper.
const (
	keysPerFind = 100_000
	keysPerScan = 1_000_000
)

// A job is one Find and what its rows mean.
type job struct {
	number int
	node   *node
	down   bool
	seed   *Seed   // rows of a seed
	edge   *edge   // children
	target *target // parents
	asked  keyList // parents' keys
	find   engine.Find
	// parts are lookups of children along several edges at once. The first of them
	// is like the job itself.
	parts []*job
}

// A message is what a worker has to tell about a job.
type message struct {
	job   *job
	found *engine.Found
	only  []int // rows of found that count; nil means all
	// The last message of a job:
	done    bool
	missing keyList
	err     error
}

// work is the pool of workers of a closure.
type work struct {
	workers  sync.WaitGroup
	messages chan message
	running  []*job
	started  int
	finds    int64
	feeding  *feeding // made when the first scan waits
}

// run works until nothing is pending.
func (c *closure) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	readers := max(c.opts.Readers, 1)
	c.messages = make(chan message, readers)
	defer c.workers.Wait()
	defer cancel()
	for {
		for len(c.running) < readers {
			j := c.next()
			if j == nil {
				break
			}
			c.start(ctx, j)
		}
		if len(c.running) == 0 {
			return nil
		}
		select {
		case m := <-c.messages:
			if err := c.handle(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *closure) handle(m message) error {
	if m.err != nil {
		return m.err
	}
	if m.found != nil {
		c.take(m.job, m.found, m.only)
		if err := c.withinBudget(); err != nil {
			return err
		}
	}
	if m.done {
		c.running = slices.DeleteFunc(c.running, func(j *job) bool { return j == m.job })
		c.finds++
		if m.job.target != nil {
			m.job.target.missing.addList(m.missing)
		}
	}
	if c.opts.Progress != nil {
		c.opts.Progress(Progress{Rows: c.rows, Finds: c.finds})
	}
	return nil
}

// next makes a job of what is pending: seeds and whole tables first, then where
// most keys wait. Lookups without an index, and those of many keys, wait for all
// that can add to them.
func (c *closure) next() *job {
	if len(c.first) > 0 {
		j := c.first[0]
		c.first = c.first[1:]
		return j
	}
	var fullest lookup
	var scans []lookup
	consider := func(l lookup) {
		switch {
		case l.keys == 0:
		case !l.indexed || c.many(l):
			scans = append(scans, l)
		case l.keys > fullest.keys:
			fullest = l
		}
	}
	for _, t := range c.targets {
		consider(lookup{target: t, keys: t.pending.len(), indexed: t.indexed})
	}
	for _, e := range c.edges {
		consider(lookup{edge: e, keys: e.pending.len(), indexed: e.ref.Indexed, others: c.besides(e)})
	}
	if fullest.keys > 0 {
		fullest.others = slices.DeleteFunc(fullest.others, func(e *edge) bool { // these wait
			return c.many(lookup{edge: e, keys: e.pending.len()})
		})
		return c.job(fullest, keysPerFind)
	}
	if len(scans) == 0 {
		return nil
	}
	if c.feeding == nil {
		c.feeding = newFeeding(c.nodes, c.edges)
	}
	scan := c.feeding.free(scans, c.running)
	if scan == nil {
		return nil
	}
	if scan.indexed {
		return c.job(*scan, keysPerFind)
	}
	if scan.target != nil {
		scan.target.scanned = true
	}
	return c.job(*scan, keysPerScan)
}

// manyKeys: a lookup that asks for at least this part of a table's keys is of many.
const manyKeys = 200

// many tells whether a lookup asks for so many keys that the server may well read
// most pages of the table, as it would for more of them or for those of another
// edge. The keys of a lookup upward are the table's own.
func (c *closure) many(l lookup) bool {
	keysOf := l.node()
	if l.edge != nil {
		keysOf = l.edge.to
	}
	rows := keysOf.table.Rows
	return c.combiner != nil && rows >= 0 && int64(l.keys)*manyKeys >= rows
}

// besides lists the other edges whose children can be looked for in one statement
// with those of an edge: by the indexes of all, or by one scan for all that have none.
func (c *closure) besides(e *edge) []*edge {
	var out []*edge
	for _, other := range e.from.out {
		if c.combiner != nil && e.plain && other.plain && other.ref.Indexed == e.ref.Indexed && other != e && !other.closed && other.to.mode == partial {
			out = append(out, other)
		}
	}
	return out
}

// job takes up to limit key values of a lookup, and of those that can be made with it.
func (c *closure) job(l lookup, limit int) *job {
	if e := l.edge; e != nil {
		j := c.children(e, limit)
		for _, other := range l.others {
			if other.pending.len() == 0 {
				continue
			}
			if j.parts == nil {
				first := *j
				j.parts = []*job{&first}
			}
			j.parts = append(j.parts, c.children(other, limit))
		}
		return j
	}
	t := l.target
	keys := t.pending.take(max(limit/len(t.columns), 1))
	return &job{node: t.node, target: t, asked: keys, find: engine.Find{Table: t.node.table, Columns: t.node.columns, Tests: t.node.tests,
		By: t.columns, Keys: keys.tuples(len(t.columns)), Written: t.written, Now: c.opts.Now}}
}

// children takes up to limit key values of an edge.
func (c *closure) children(e *edge, limit int) *job {
	keys := e.pending.take(max(limit/len(e.ref.Columns), 1))
	e.scanned = e.scanned || !e.ref.Indexed
	rule := &e.from.rule
	return &job{node: e.from, down: true, edge: e, find: engine.Find{Table: e.from.table, Columns: e.from.columns, Tests: e.from.tests,
		By: e.ref.Columns, Keys: keys.tuples(len(e.ref.Columns)), Written: e.written, Where: both(e.ref.When, rule.Where), PerKey: rule.PerParent, Order: rule.Order, Now: c.opts.Now}}
}

// start runs a job on a worker of its own.
func (c *closure) start(ctx context.Context, j *job) {
	c.started++
	j.number = c.started
	for _, p := range j.parts {
		p.number = j.number
	}
	c.running = append(c.running, j)
	w := &worker{snap: c.snap, combiner: c.combiner, messages: c.messages, job: j}
	if j.seed != nil && j.seed.sampled() {
		w.sample = c.opts.Sample
	}
	c.workers.Go(func() { w.work(ctx) })
}

// A worker carries one job out and shares nothing but the channel.
type worker struct {
	snap     engine.Snapshot
	combiner engine.Combiner
	messages chan<- message
	job      *job
	sample   func(schema.Name) func([]byte) uint64
}

func (w *worker) work(ctx context.Context) {
	last := message{job: w.job, done: true}
	w.carryOut(ctx, &last)
	w.send(ctx, last)
}

func (w *worker) carryOut(ctx context.Context, last *message) {
	defer fault.Guard(&last.err)
	switch {
	case w.job.target != nil:
		last.missing, last.err = w.parents(ctx)
	case w.sample != nil:
		last.err = w.seed(ctx)
	case w.job.parts != nil:
		last.err = w.together(ctx)
	default:
		last.err = w.rows(ctx)
	}
}

// send reports false if nobody waits any more.
func (w *worker) send(ctx context.Context, m message) bool {
	select {
	case w.messages <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// rows sends all rows of the job.
func (w *worker) rows(ctx context.Context) error {
	for found, err := range w.snap.Find(ctx, w.job.find) {
		if err != nil {
			return err
		}
		if !w.send(ctx, message{job: w.job, found: found}) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// together sends the rows of all parts of the job, to each part those that have
// one of its keys.
func (w *worker) together(ctx context.Context) error {
	parts := w.job.parts
	finds := make([]engine.Find, len(parts))
	keys := make([]keySet, len(parts))
	var g gatherer
	for i, p := range parts {
		finds[i] = p.find
		g.gather(p.find.Keys, upTo(p.find.Keys.Len()), []int{0}, &keys[i], nil)
	}
	for found, err := range w.combiner.FindAny(ctx, finds) {
		if err != nil {
			return err
		}
		for i, p := range parts {
			if !w.send(ctx, message{job: p, found: found, only: keys[i].with(&found.Values, p.edge.at)}) {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// parents sends the rows that were asked for by key and returns the keys that no row has.
func (w *worker) parents(ctx context.Context) (missing keyList, err error) {
	t := w.job.target
	var g gatherer
	var have keyList
	rows := 0
	for found, err := range w.snap.Find(ctx, w.job.find) {
		if err != nil {
			return missing, err
		}
		rows += len(found.IDs)
		g.collect(&found.Values, upTo(len(found.IDs)), t.at, &have)
		if t.node.mode == whole { // its rows come along anyway
			continue
		}
		if !w.send(ctx, message{job: w.job, found: found}) {
			return missing, context.Cause(ctx)
		}
	}
	if t.unique && rows == w.job.asked.len() {
		return missing, nil
	}
	missing = minus(w.job.asked, have)
	if t.exact || missing.len() == 0 {
		return missing, nil
	}
	return w.confirm(ctx, missing)
}

// confirm asks for keys once more whose text was not among the answers: 1.0 is
// found as 1.00, and Ann as ann where the column folds case. It halves the list
// until a part is found as a whole or not at all.
func (w *worker) confirm(ctx context.Context, keys keyList) (missing keyList, err error) {
	f := w.job.find
	f.Tests, f.Columns, f.Keys = nil, f.By, keys.tuples(len(f.By))
	rows := 0
	for found, err := range w.snap.Find(ctx, f) {
		if err != nil {
			return missing, err
		}
		rows += len(found.IDs)
	}
	n := keys.len()
	switch {
	case rows == 0:
		return keys, nil
	case n == 1, w.job.target.unique && rows == n:
		return missing, nil
	}
	for _, half := range []keyList{keys.slice(0, n/2), keys.slice(n/2, n)} {
		part, err := w.confirm(ctx, half)
		if err != nil {
			return missing, err
		}
		missing.append(part)
	}
	return missing, nil
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
