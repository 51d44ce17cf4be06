package postgres

import (
	"context"
	"fmt"
	"strings"
)

// lateWrites is the error of a try that found tables written to since their rows
// were paired.
type lateWrites struct{ tables []*exchanged }

func (l *lateWrites) Error() string { return fmt.Sprintf("%d tables were written to", len(l.tables)) }

// late looks for tables that are not as they were when rows were paired with
// theirs. Nobody can write to them now. The session that holds the locks looks
// itself: another one would queue behind whoever waits for our locks.
func (x *exchange) late(ctx context.Context, c *conn) error {
	x.spec.Step("look for late writes")
	now, err := c.value(ctx, "look for late writes", `SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())`)
	if err != nil {
		return err
	}
	var out []*exchanged
	for _, e := range x.sorted() {
		if e.continued != nil || e.seen == nil { // see countAside
			continue
		}
		changed, err := x.lateTo(ctx, c, e, uint64(number([]byte(now))))
		if err != nil {
			return err
		}
		if changed {
			out = append(out, e)
		}
	}
	if len(out) > 0 {
		return &lateWrites{out}
	}
	return nil
}

// lateTo tells whether a table whose rows were paired was written to since then.
func (x *exchange) lateTo(ctx context.Context, c *conn, e *exchanged, now uint64) (bool, error) {
	files, err := e.files(ctx, c)
	if err != nil || files != e.seen.files {
		return err == nil, err
	}
	state, err := e.stateOf(ctx, c, e.seen.by.from, now)
	return state != e.seen.state, err
}

// recall puts into the side table what was left out of it because it stood in
// the table already, so that it does no more matter what stands there now.
func (x *exchange) recall(ctx context.Context, e *exchanged) error {
	x.spec.Step("read " + e.name.String() + " again, which was written to meanwhile")
	doing := "read " + e.name.String() + " again"
	return x.pool.with(ctx, func(c *conn) error {
		return inPath(ctx, c, c.path, func() error {
			kept := quoteName(e.kept())
			var named, places []string // as in the delta
			for _, n := range e.seen.columns {
				places = append(places, e.place(n))
				named = append(named, quote(n)+" AS "+e.place(n))
			}
			err := c.exec(ctx, doing, "CREATE UNLOGGED TABLE "+kept+" AS SELECT NULL::pg_catalog.oid AS rel, NULL::pg_catalog.tid AS at"+comma(named)+" FROM "+quoteName(e.side())+" WHERE false")
			if err != nil {
				return err
			}
			if err := e.seen.again(ctx, e, c); err != nil {
				return err
			}
			sql := "INSERT INTO " + quoteName(e.side()) + " (" + quoteList(e.seen.columns) + ") SELECT " + strings.Join(places, ", ") + " FROM " + kept + " k"
			if e.left > 0 {
				sql += " WHERE NOT EXISTS (SELECT FROM " + quoteName(e.candidates()) + " l WHERE l.at = k.at AND l.rel = k.rel)"
			}
			if err := c.exec(ctx, doing, sql+"; DROP TABLE "+kept); err != nil {
				return err
			}
			e.seen = nil
			return nil
		})
	})
}
