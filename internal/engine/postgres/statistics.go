package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A census gathers statistics of every table and materialized view by name: a
// bare ANALYZE complains about each of the server's own that it may not touch.
type census struct {
	l    *load
	mu   sync.Mutex
	done []string // quoted names
}

// chores gathers the statistics of tables, whose indexes stand, the largest first.
func (s *census) chores(ctx context.Context, t trees) ([]chore, error) {
	names, err := s.left(ctx, "'r'")
	if err != nil {
		return nil, err
	}
	roots := map[string]string{}
	for id, root := range t.root {
		roots[t.names[id].quoted()] = t.names[root].quoted()
	}
	var out []chore
	for _, name := range names {
		c := chore{locks: []string{name}, shared: true, do: func(ctx context.Context, c *conn) error { return s.gather(ctx, c, name) }}
		if root, ok := roots[name]; ok { // who locks that locks its partitions
			c.locks = append(c.locks, root)
		}
		out = append(out, c)
	}
	return out, nil
}

// rest gathers the statistics that are not gathered yet.
func (s *census) rest(ctx context.Context) error {
	names, err := s.left(ctx, "'r', 'm'")
	if err != nil {
		return err
	}
	return s.l.each(ctx, len(names), func(ctx context.Context, c *conn, i int) error { return s.gather(ctx, c, names[i]) })
}

// gather has the server compute what is indexed, as its users would.
func (s *census) gather(ctx context.Context, c *conn, name string) error {
	err := s.l.inUsersPath(ctx, c, func() error { return analyze(ctx, c, name, s.l.spec.Step) })
	s.mu.Lock()
	s.done = append(s.done, name)
	s.mu.Unlock()
	return s.l.plan.origin.calling(err, nil)
}

// left lists, quoted, the relations of the kinds that have rows and no statistics
// yet, the largest first.
func (s *census) left(ctx context.Context, kinds string) (names []string, err error) {
	err = s.l.with(ctx, func(c *conn) error {
		rows, err := c.query(ctx, "list what has rows", `
			SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN (`+kinds+`) AND pg_catalog.pg_relation_size(c.oid) > 0 AND NOT `+serverSchemas+` AND `+notExtensions+`
			ORDER BY pg_catalog.pg_relation_size(c.oid) DESC`)
		for _, r := range rows {
			if name := quoteName(schema.Name{Schema: string(r[0]), Table: string(r[1])}); !slices.Contains(s.done, name) {
				names = append(names, name)
			}
		}
		return err
	})
	return names, err
}

// analyze has the server gather a relation's statistics. Columns that no server
// can gather them of, for it cannot compare their values (a range over rows that
// hold a polygon), are left out and told; what else stands in the way is the error.
func analyze(ctx context.Context, c *conn, name string, step func(string)) error {
	doing := "gather statistics of " + name
	err := c.exec(ctx, doing, "ANALYZE "+name)
	if !incomparable(err) {
		return err
	}
	rows, asked := c.query(ctx, doing, `SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute
		WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attstattarget IS DISTINCT FROM 0 ORDER BY attnum`, name)
	if asked != nil {
		return asked
	}
	var left []string
	for _, r := range rows {
		column := string(r[0])
		switch one := c.exec(ctx, doing, "ANALYZE "+name+" ("+column+")"); {
		case incomparable(one):
			left = append(left, column)
		case one != nil:
			return one
		}
	}
	if len(left) == 0 {
		return err // it is not a column's own values: an index calls what is not there
	}
	step("gathered no statistics of " + name + " (" + strings.Join(left, ", ") + "), whose values the server cannot compare")
	return nil
}

// incomparable tells a type that lacks the function or operator that was needed.
func incomparable(err error) bool {
	var e *engine.Error
	return errors.As(err, &e) && e.State == "42883"
}
