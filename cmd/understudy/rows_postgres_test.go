package main

import (
	"fmt"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// orphanage makes a production whose keys do not all lead somewhere: a composite
// one that is NOT VALID, one into a partitioned table that the server calls valid,
// and notes about one of two things.
func orphanage(t *testing.T) string {
	t.Helper()
	prod := scratchtest.Database(t)
	scratchtest.SQL(t, prod, `
		CREATE TABLE accounts (tenant int NOT NULL, id int NOT NULL, name text NOT NULL, PRIMARY KEY (tenant, id));
		CREATE TABLE orders (id bigint PRIMARY KEY, tenant int NOT NULL, account_id int, at timestamptz NOT NULL);
		CREATE TABLE lines (order_id bigint NOT NULL REFERENCES orders, no int NOT NULL, text text, PRIMARY KEY (order_id, no)) PARTITION BY HASH (order_id);
		CREATE TABLE lines_0 PARTITION OF lines FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE lines_1 PARTITION OF lines FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		CREATE TABLE notes (id int PRIMARY KEY, kind text NOT NULL, about bigint, body text);
		CREATE TABLE products (id bigint PRIMARY KEY, parent bigint REFERENCES products);
		CREATE INDEX ON orders (tenant, account_id);
		INSERT INTO accounts SELECT i % 3, i, 'private name ' || i FROM generate_series(1, 60) i;
		INSERT INTO orders SELECT i, (i % 60 + 1) % 3, i % 60 + 1, '2026-01-01'::timestamptz + i % 7 * interval '1 day' FROM generate_series(1, 600) i;
		INSERT INTO orders SELECT 1000 + i, 0, 900 + i, '2026-02-01' FROM generate_series(1, 5) i;
		INSERT INTO orders SELECT 2000 + i, 1, NULL, '2026-02-01' FROM generate_series(1, 4) i;
		ALTER TABLE orders ADD CONSTRAINT orders_account FOREIGN KEY (tenant, account_id) REFERENCES accounts NOT VALID;
		INSERT INTO lines SELECT id, n, 'text' FROM orders, generate_series(1, 2) n;
		INSERT INTO products SELECT i, nullif(i / 2, 0) FROM generate_series(1, 20) i;
		INSERT INTO notes VALUES (1, 'order', 7, 'x'), (2, 'product', 7, 'x'), (3, 'order', 1001, 'x'), (4, 'product', 9999, 'x'), (5, 'ticket', 424242, 'x');
		ANALYZE`)
	return prod
}

const orphanRules = `version: 1
tables:
  public.accounts: {columns: {"tenant, id": {keep: "numbers"}, name: full_name}}
  public.orders: {columns: {id: int, at: {keep: "event time"}}}
  public.lines: {columns: {no: {keep: "a number"}, text: redact}}
  public.products: {columns: {id: int}}
  public.notes: {columns: {id: {keep: "a number"}, kind: {keep: "a fixed word"}, body: redact}}
`

const orphanReferences = `references:
  - {from: notes.about, to: orders.id, when: "kind = 'order'"}
  - {from: notes.about, to: products.id, when: "kind = 'product'"}`

func wantQuery(t *testing.T, what, address, query, want string) {
	t.Helper()
	same(t, what, want, strings.ReplaceAll(scratchtest.Query(t, address, query), "\t", "|"))
}

// Orphans of a production that is copied whole are dropped with all that hangs
// on them, or lose the columns that may be NULL; staging's keys hold.
func TestOrphansOfAWholeProduction(t *testing.T) {
	scratchtest.Long(t)
	t.Parallel()
	prod, staging := orphanage(t), scratchtest.Database(t)
	before := scratchtest.Digest(t, prod)
	e := newErrand(t, prod, staging, plainJob("orphans: nullify", orphanReferences), map[string]string{"r.yaml": orphanRules})

	e.run(t, 0, "refresh").wants(t, "5  public.orders.(tenant, account_id) leads to no row of public.accounts:", "public.notes.about", "all passed")
	same(t, "orphans in staging", "", scratchtest.Orphans(t, staging))
	wantQuery(t, "orders", staging, "SELECT count(*), count(account_id) FROM orders", "609|600")
	wantQuery(t, "notes", staging, "SELECT id FROM notes WHERE about IS NULL ORDER BY id", "4")
	wantQuery(t, "notes about orders", staging, "SELECT count(*) FROM notes n JOIN orders o ON o.id = n.about WHERE kind = 'order'", "2")
	wantQuery(t, "notes about products", staging, "SELECT count(*) FROM notes n JOIN products p ON p.id = n.about WHERE kind = 'product'", "1")
	e.run(t, 0, "verify")

	e.write(t, "understudy.yaml", plainJob("orphans: drop", orphanReferences))
	e.run(t, 0, "refresh").wants(t, "10  public.lines.order_id leads to a dropped row of public.orders: dropped", "all passed")
	same(t, "orphans in staging", "", scratchtest.Orphans(t, staging))
	wantQuery(t, "rows", staging, "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM lines), (SELECT string_agg(id::text, ',' ORDER BY id) FROM notes)", "604|1208|1,2,5")
	e.run(t, 0, "why", "lines", "1001,1").wants(t, "that it references was dropped")
	e.run(t, 2, "why", "products", "first").wants(t, "what was given is no key of public.products: id is ", "give values of these types")

	// A key that the server calls valid is not believed; one that may not be NULL stops the run.
	scratchtest.SQL(t, prod, "SET session_replication_role = replica; INSERT INTO lines VALUES (777777, 1, 'lost'); DELETE FROM products WHERE id = 10")
	e.run(t, 0, "refresh").wants(t, "public.lines.order_id", "public.products.parent", "all passed")
	wantQuery(t, "rows", staging, "SELECT (SELECT count(*) FROM lines), (SELECT count(*) FROM products)", "1208|18") // without 10 itself, and 20, whose parent it was
	e.write(t, "understudy.yaml", plainJob("orphans: nullify", orphanReferences))
	e.run(t, 5, "refresh").wants(t, "public.lines.order_id leads to no row of public.orders, and cannot be nullified: order_id is NOT NULL")
	wantQuery(t, "rows of the generation before", staging, "SELECT count(*) FROM lines", "1208")

	scratchtest.SQL(t, prod, "SET session_replication_role = replica; DELETE FROM lines WHERE order_id = 777777; INSERT INTO products SELECT 10, 5")
	same(t, "the source", before, scratchtest.Digest(t, prod))
}

// A few children of each parent come, the same however many readers there are,
// and those that SQL itself would choose.
func TestRowsPerParent(t *testing.T) {
	t.Parallel()
	prod, staging := orphanage(t), scratchtest.Database(t)
	job := func(readers int) string {
		return plainJob(orphanReferences, fmt.Sprintf("limits: {readers: %d}", readers), `orphans: drop
subset:
  seeds: [{table: accounts, where: "id % 2 = 0"}]
  tables:
    orders: {where: "at < '2026-01-06'", per_parent: 3, order: at desc}
    lines: {per_parent: 1}
  unreached: empty`)
	}
	e := newErrand(t, prod, staging, job(1), map[string]string{"r.yaml": strings.ReplaceAll(orphanRules, "id: int", `id: {keep: "a number"}`)})
	e.run(t, 0, "refresh")
	wantQuery(t, "orders", staging, "SELECT string_agg(id::text, ',' ORDER BY id) FROM orders", strings.ReplaceAll(scratchtest.Query(t, prod, `
		SELECT string_agg(id::text, ',' ORDER BY id) FROM (SELECT id, row_number() OVER (PARTITION BY tenant, account_id ORDER BY at DESC, id) n FROM orders
		JOIN (SELECT tenant, id AS account_id FROM accounts WHERE id % 2 = 0) a USING (tenant, account_id) WHERE at < '2026-01-06') x WHERE n <= 3`), "\t", "|"))
	wantQuery(t, "lines", staging, "SELECT count(*) = (SELECT count(*) FROM orders), max(no) FROM lines", "t|1")
	wantQuery(t, "notes", staging, "SELECT count(*) FROM notes WHERE kind <> 'order'", "0")
	one := scratchtest.Digest(t, staging)
	e.write(t, "understudy.yaml", job(4))
	e.run(t, 0, "refresh")
	same(t, "what four readers bring", one, scratchtest.Digest(t, staging))
}
