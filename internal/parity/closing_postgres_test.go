package parity_test

import (
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestClosingOnPostgres takes pairs of databases that differ in more than one thing: the
// statements that are written run as they stand, and nothing differs afterwards.
func TestClosingOnPostgres(t *testing.T) {
	for name, c := range map[string]struct{ both, source, target, rows string }{
		"a serial column":                               {`CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)`, `ALTER TABLE t ADD b serial`, ``, ``},
		"a sequence that belongs to no column":          {`CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t VALUES (1), (2)`, `CREATE SEQUENCE s; ALTER TABLE t ALTER id SET DEFAULT nextval('s')`, ``, `(SELECT * FROM t WHERE nextval('s') > 2) x`},
		"a serial key":                                  {`CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)`, `ALTER TABLE t ADD id bigserial PRIMARY KEY`, ``, ``},
		"a function of a new column":                    {`CREATE TABLE users (id int)`, `ALTER TABLE users ADD org_id bigint; CREATE FUNCTION c() RETURNS bigint LANGUAGE sql AS 'SELECT count(org_id) FROM users'`, ``, ``},
		"functions of one another":                      {``, `CREATE FUNCTION z() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION b() RETURNS int LANGUAGE sql AS 'SELECT z()'`, ``, ``},
		"a new parent":                                  {`CREATE TABLE a (x int, y int); CREATE TABLE c (z int)`, `ALTER TABLE c ADD x int; ALTER TABLE c ADD y int; ALTER TABLE c INHERIT a`, ``, ``},
		"a comment on statistics":                       {`CREATE TABLE t (a int, b int); CREATE STATISTICS st ON a, b FROM t`, `COMMENT ON STATISTICS st IS 'x'`, ``, ``},
		"a table of sub-partitions":                     {``, `CREATE TABLE h (a int, b int) PARTITION BY RANGE (a); CREATE TABLE h1 PARTITION OF h FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (b); CREATE TABLE h1a PARTITION OF h1 FOR VALUES FROM (0) TO (10)`, ``, ``},
		"an expression of a column":                     {`CREATE TABLE t (a int, z int)`, `ALTER TABLE t ADD b int GENERATED ALWAYS AS (a * 3) STORED`, `ALTER TABLE t ADD b int GENERATED ALWAYS AS (a * 2) STORED`, ``},
		"a column of a filter":                          {`CREATE TABLE t (a int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t WHERE (a > 1)`, ``, ``, ``},
		"a partition that was a table":                  {`CREATE TABLE m (id int, v text) PARTITION BY LIST (v)`, `CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a')`, `CREATE TABLE m1 (id int, v text); INSERT INTO m1 VALUES (1, 'a'), (2, 'a')`, `m1`},
		"a partition that was a table without NOT NULL": {`CREATE TABLE m (id int NOT NULL, v text DEFAULT 'a', n int NOT NULL) PARTITION BY LIST (v)`, `CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a')`, `CREATE TABLE m1 (id int, v text, n int); INSERT INTO m1 VALUES (1, 'a', 2), (2, 'a', 3)`, `m1`},
		"a table that was a partition":                  {`CREATE TABLE m (id int, v text) PARTITION BY LIST (v)`, `CREATE TABLE m1 (id int, v text)`, `CREATE TABLE m1 PARTITION OF m FOR VALUES IN ('a'); INSERT INTO m VALUES (1, 'a'), (2, 'a')`, `m1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, target := scratchtest.Database(t), scratchtest.Database(t)
			for _, sql := range []string{c.both, c.source} {
				scratchtest.SQL(t, source, sql+";")
			}
			for _, sql := range []string{c.both, c.target} {
				scratchtest.SQL(t, target, sql+";")
			}
			from := catalogOf(t, source)
			if left := closes(t, target, from, compareAll(t, from, catalogOf(t, target))); left != "" {
				t.Error(left)
			}
			if c.rows != "" {
				if n := scratchtest.Query(t, target, "SELECT count(*) FROM "+c.rows); n != "2" {
					t.Errorf("%s rows are left of 2", n)
				}
			}
		})
	}
}
