package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"understudy/internal/engine"
)

// A counting has sessions of the pool count the tables that are continued, while the
// one that holds their locks goes on. They see what was committed, so it does not
// matter to them what that one writes meanwhile; after it has written, it could not
// count for them. Everything but the sessions belongs to the goroutine of the exchange.
type counting struct {
	x     *exchange
	list  []*exchanged
	taken []bool // a session counts it: read once locked is closed
	// Of each, written by a session until done is closed.
	counted, changed []bool
	locked, done     chan struct{}
	cancel           context.CancelFunc
}

// lockedSoon bounds the wait of a session beside the one that holds the locks: whoever
// waits for these stands before it.
const lockedSoon = "100ms"

// errUncounted tells that a session counted a table that it had locked not to the end.
var errUncounted = errors.New("a session that counted rows was lost")

// countAside begins; stop has to be called. Alone: the locks keep readers away too.
func (x *exchange) countAside(ctx context.Context, alone bool) *counting {
	k := &counting{x: x, list: slices.DeleteFunc(x.sorted(), func(e *exchanged) bool { return e.continued == nil }),
		locked: make(chan struct{}), done: make(chan struct{})}
	k.taken, k.counted, k.changed = make([]bool, len(k.list)), make([]bool, len(k.list)), make([]bool, len(k.list))
	aside, cancel := context.WithCancel(ctx)
	k.cancel = cancel
	sessions := 0
	if !alone && len(k.list) > 0 {
		sessions = min(len(k.list), max(1, x.spec.Writers-1)) // the exchange is one of the writers
	}
	var locks, work sync.WaitGroup
	for i := range sessions {
		locks.Add(1)
		work.Go(func() {
			tried := sync.OnceFunc(locks.Done)
			defer tried()
			_ = k.session(aside, i, sessions, tried) // what it did not do is told by taken and counted
		})
	}
	go func() { locks.Wait(); close(k.locked) }()
	go func() { work.Wait(); close(k.done) }()
	return k
}

// session counts every step-th table. It holds all their locks before it begins, so
// that nobody comes between.
func (k *counting) session(ctx context.Context, first, step int, tried func()) error {
	return k.x.pool.with(ctx, func(c *conn) error {
		err := c.transaction(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY; SET LOCAL lock_timeout = '"+lockedSoon+"'", func() error {
			var tables []string
			for i := first; i < len(k.list); i += step {
				tables = append(tables, k.list[i].from())
			}
			if err := c.exec(ctx, "look for late writes", "LOCK TABLE "+strings.Join(tables, ", ")+" IN ACCESS SHARE MODE"); err != nil {
				return err
			}
			for i := first; i < len(k.list); i += step {
				k.taken[i] = true
			}
			tried()
			if err := k.x.t.pauses.at(ctx, "counting"); err != nil {
				return err
			}
			for i := first; i < len(k.list); i += step {
				holds, err := k.list[i].holds(ctx, c, *k.list[i].continued)
				if err != nil {
					return err
				}
				k.counted[i], k.changed[i] = true, !holds
			}
			return nil
		})
		if e := (*engine.Error)(nil); errors.As(err, &e) && e.State == "55P03" {
			return nil
		}
		return err
	})
}

// begin makes sure, before rows are exchanged, that the tables stand as they did, and
// counts those that no session counts.
func (k *counting) begin(ctx context.Context, c *conn) error {
	<-k.locked
	return k.count(ctx, c, k.taken)
}

// finish counts the others too, before locks are taken that a session that counts
// would stand in the way of, and before rows are exchanged.
func (k *counting) finish(ctx context.Context, c *conn) error {
	<-k.done
	return k.count(ctx, c, k.counted)
}

// count has the session that holds the locks count, but those that others do.
func (k *counting) count(ctx context.Context, c *conn, others []bool) error {
	if err := ctx.Err(); err != nil {
		return wrap(ctx, err, "look for late writes")
	}
	if e, err := k.x.moved(ctx, c, k.list); err != nil {
		return err
	} else if e != nil {
		return lateWriter(e)
	}
	for i, e := range k.list {
		if others[i] {
			continue
		}
		ok, err := e.holds(ctx, c, *e.continued)
		if err != nil {
			return err
		}
		if !ok {
			return lateWriter(e)
		}
		k.counted[i] = true
	}
	return nil
}

// sure waits for the sessions; errUncounted where one did not come to an end.
func (k *counting) sure(ctx context.Context) error {
	<-k.done
	if err := ctx.Err(); err != nil {
		return wrap(ctx, err, "look for late writes")
	}
	for i, e := range k.list {
		if k.changed[i] {
			return lateWriter(e)
		}
		if !k.counted[i] {
			return errUncounted
		}
	}
	return nil
}

// stop ends the sessions.
func (k *counting) stop() {
	k.cancel()
	<-k.done
}

func lateWriter(e *exchanged) error {
	return &engine.Error{Code: engine.Changed, Doing: "exchange rows", Table: e.name, Again: true, Say: "somebody wrote to the target's table while rows were loaded",
		Hint: "run the refresh again"}
}
