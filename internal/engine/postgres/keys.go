package postgres

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"

	"understudy/internal/fault"
	"understudy/internal/schema"
)

// Foreign keys are added by sessions of our own. A key locks both its tables, so
// that few can be added at once, and pg_restore begins them in the order of its
// archive, which leaves most of the time one session alone with the tables that
// all others refer to. Here what meets in such tables comes first, and a session
// that no key is left for gathers the statistics of a table that none locks.

// A chore is one statement's worth of work.
type chore struct {
	locks  []string // names of tables, quoted
	shared bool     // others that share them may run meanwhile
	do     func(ctx context.Context, c *conn) error
}

// A roster gives out chores, the first ones first, such that none waits for a
// lock that another one has.
type roster struct {
	mu      sync.Mutex
	changed sync.Cond
	todo    []chore
	held    map[string]int // by how many that share; -1: by one that does not
	ended   bool
}

func newRoster(chores []chore) *roster {
	r := &roster{todo: chores, held: map[string]int{}}
	r.changed.L = &r.mu
	return r
}

// take waits for a chore; nil when there is none left.
func (r *roster) take() *chore {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.ended && len(r.todo) > 0 {
		if i := slices.IndexFunc(r.todo, r.free); i >= 0 {
			c := r.todo[i]
			r.todo = slices.Delete(r.todo, i, i+1)
			for _, name := range c.locks {
				if c.shared {
					r.held[name]++
				} else {
					r.held[name] = -1
				}
			}
			return &c
		}
		r.changed.Wait()
	}
	return nil
}

func (r *roster) free(c chore) bool {
	return !slices.ContainsFunc(c.locks, func(name string) bool { return r.held[name] < 0 || r.held[name] > 0 && !c.shared })
}

// give tells that a chore is done.
func (r *roster) give(c *chore) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range c.locks {
		if c.shared {
			r.held[name]--
		} else {
			r.held[name] = 0
		}
	}
	r.changed.Broadcast()
}

// end leaves the rest undone.
func (r *roster) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.changed.Broadcast()
}

// carryOut does chores by so many sessions, and gives the first error.
func carryOut(ctx context.Context, chores []chore, sessions int, open func(ctx context.Context) (*conn, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := newRoster(chores)
	defer context.AfterFunc(ctx, r.end)()
	work := func() (err error) {
		defer fault.Guard(&err)
		var session *conn
		for c := r.take(); c != nil; c = r.take() {
			if session == nil {
				if session, err = open(ctx); err != nil {
					return err
				}
				defer session.hangUp()
			}
			if err := c.do(ctx, session); err != nil {
				return err
			}
			r.give(c)
		}
		return nil
	}
	var workers sync.WaitGroup
	var once sync.Once
	var first error
	for range min(sessions, len(chores)) {
		workers.Go(func() {
			if err := work(); err != nil {
				once.Do(func() { first = err; cancel(err) })
			}
		})
	}
	workers.Wait()
	if first == nil && ctx.Err() != nil {
		first = wrap(ctx, ctx.Err(), "add foreign keys")
	}
	return first
}

// addKeys adds the foreign keys of one pass and gathers statistics beside them.
// It reports false if it cannot tell the keys' statements.
func (l *load) addKeys(ctx context.Context, name string, keys []entry, by builders) (done bool, err error) {
	begin, statements, err := l.plan.statements(ctx, keys)
	if err != nil || statements == nil {
		return false, err
	}
	trees := treesIn(l.plan.contents)
	var chores []chore
	for _, e := range keys {
		c := chore{do: func(ctx context.Context, c *conn) error {
			err := c.exec(ctx, "build the "+e.describe(), statements[e.id])
			return l.plan.origin.calling(err, l.plan.origin.callsIn(e))
		}}
		for _, id := range e.needs {
			if t, ok := trees.names[id]; ok && !slices.Contains(c.locks, t.quoted()) {
				c.locks = append(c.locks, t.quoted())
			}
		}
		chores = append(chores, c)
	}
	if by.statistics != nil {
		more, err := by.statistics.chores(ctx, trees)
		if err != nil {
			return false, err
		}
		chores = append(chores, more...)
	}
	return true, carryOut(ctx, chores, by.jobs, func(ctx context.Context) (*conn, error) {
		c, err := connect(ctx, l.t.at, session{name: name, database: l.next, limits: l.t.limits, set: by.set})
		if err == nil {
			if err = c.exec(ctx, "begin to build", begin); err != nil {
				c.hangUp()
			}
		}
		return c, err
	})
}

// quoted is a table's name in SQL.
func (e entry) quoted() string { return quoteName(schema.Name{Schema: e.schema, Table: e.tag}) }

var tocComment = regexp.MustCompile(`(?m)^-- TOC entry (\d+) \(class \d+ OID \d+\)\n`)

// statements gives what a session begins with and each entry's own statements,
// by id; none where pg_restore's text does not part into them one by one, as with
// names that look like its comments.
func (b *blueprint) statements(ctx context.Context, entries []entry) (begin string, by map[string]string, err error) {
	list, err := hiddenFile(listing(entries))
	if err != nil {
		return "", nil, err
	}
	defer discard(list)
	run := tool{program: b.tools.restore, args: append(b.restoreOptions(), "--file=-", "--verbose"), files: []option{{"--use-list=", list}, {"", b.archive}}}
	output, err := run.run(ctx, "read the statements of foreign keys")
	if err != nil {
		return "", nil, err
	}
	var kept strings.Builder
	for line := range strings.Lines(string(output)) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) { // for psql alone
			kept.WriteString(line)
		}
	}
	begin, by = parted(kept.String(), entries)
	return begin, by, nil
}

// parted parts a text of pg_restore into what comes before the entries and the
// text of each; nothing if it does not hold just these.
func parted(text string, entries []entry) (begin string, by map[string]string) {
	heads := tocComment.FindAllStringSubmatchIndex(text, -1)
	by = map[string]string{}
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		by[text[h[2]:h[3]]] = text[h[1]:end]
	}
	if len(heads) != len(entries) || len(by) != len(entries) || len(heads) == 0 || slices.ContainsFunc(entries, func(e entry) bool { return by[e.id] == "" }) {
		return "", nil
	}
	return text[:heads[0][0]], by
}
