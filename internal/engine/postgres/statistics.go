package postgres

import (
	"context"
	"slices"
	"sync"

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
	err := s.l.inUsersPath(ctx, c, func() error { return c.exec(ctx, "gather statistics of "+name, "ANALYZE "+name) })
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
