package postgres

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"understudy/internal/scratch/scratchtest"
)

// tangled has what makes an order of statements hard to find: a circle of NOT
// NULL keys, keys to what is not the primary key, actions of every kind, unique
// values that rows hand to each other, tables without keys, and partitions.
const tangled = `
CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL, code text NOT NULL UNIQUE, twice text GENERATED ALWAYS AS (code || code) STORED UNIQUE);
CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL REFERENCES a ON DELETE CASCADE, v text);
ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
CREATE TABLE tree (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, up int REFERENCES tree ON DELETE SET NULL, mail text UNIQUE, n numeric);
CREATE TABLE bycode (id serial PRIMARY KEY, code text REFERENCES a (code) ON UPDATE CASCADE ON DELETE CASCADE, bytwice text REFERENCES a (twice));
CREATE TABLE late (id int PRIMARY KEY, o int UNIQUE DEFERRABLE INITIALLY DEFERRED, tree int REFERENCES tree ON DELETE RESTRICT DEFERRABLE, half int, CHECK (half IS NULL OR half % 2 = 0));
CREATE TABLE bag (x int, y json, p point);
CREATE TABLE nothing ();
CREATE TABLE other (alt int NOT NULL UNIQUE, id bigint GENERATED ALWAYS AS IDENTITY, v text);
CREATE TABLE part (id int, at int, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (5);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (5) TO (10) PARTITION BY LIST (at);
CREATE TABLE part2x PARTITION OF part2 DEFAULT;
CREATE TABLE ofpart (id int PRIMARY KEY, pid int, pat int, FOREIGN KEY (pid, pat) REFERENCES part ON DELETE CASCADE);
CREATE TABLE loose (id int, at int) PARTITION BY LIST (at);
CREATE TABLE loose1 PARTITION OF loose FOR VALUES IN (0, 1, 2); CREATE TABLE loose2 PARTITION OF loose DEFAULT;
CREATE TABLE base (id int PRIMARY KEY, v text); CREATE TABLE heir (extra int) INHERITS (base); ALTER TABLE heir ADD PRIMARY KEY (id);
CREATE FUNCTION known(int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM tree WHERE id = $1)';
CREATE TABLE checked (id int PRIMARY KEY, tree int CHECK (known(tree)));
CREATE TABLE spread (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&));
CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''a trigger fired''; END';
CREATE TRIGGER loud BEFORE INSERT OR UPDATE OR DELETE ON tree FOR EACH ROW EXECUTE FUNCTION loud();
CREATE TRIGGER loud AFTER INSERT OR UPDATE OR DELETE ON part FOR EACH ROW EXECUTE FUNCTION loud();
CREATE CONSTRAINT TRIGGER loudly AFTER INSERT OR UPDATE ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION loud();
ALTER TABLE tree ENABLE ALWAYS TRIGGER loud; ALTER TABLE part1 DISABLE TRIGGER loud;
`

// tangle writes rows for it. Unless they are calm, unique values are shuffled
// among the rows, so that they wander from row to row.
func tangle(r *rand.Rand, calm bool) string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+";\n", args...) }
	ids := func() []int {
		out := r.Perm(12)[:3+r.IntN(9)]
		return out
	}
	pick := func(list []int) int { return list[r.IntN(len(list))] }
	null := func(s string) string {
		if r.IntN(4) == 0 {
			return "NULL"
		}
		return s
	}
	add("SET session_replication_role = replica; BEGIN; TRUNCATE a, b, tree, bycode, late, bag, nothing, other, part, ofpart, loose, base, heir, checked, spread RESTART IDENTITY")
	as, bs := ids(), ids()
	shuffled := r.Perm(14)
	code := func(i, id int) int {
		if calm {
			return id
		}
		return shuffled[i]
	}
	for i, id := range as {
		add("INSERT INTO a VALUES (%d, %d, 'c%d')", id, pick(bs), code(i, id))
	}
	for _, id := range bs {
		add("INSERT INTO b VALUES (%d, %d, 'v%d')", id, pick(as), r.IntN(3))
	}
	trees := ids()
	for i, id := range trees {
		add("INSERT INTO tree OVERRIDING SYSTEM VALUE VALUES (%d, %s, %s, %s)", id, null(fmt.Sprint(pick(trees))), null(fmt.Sprintf("'m%d'", code(i, id))), []string{"1", "1.0", "NULL", "'NaN'"}[r.IntN(4)])
	}
	for _, id := range ids() {
		n := r.IntN(len(as))
		c := code(n, as[n])
		add("INSERT INTO bycode VALUES (%d, %s, %s)", id, null(fmt.Sprintf("'c%d'", c)), null(fmt.Sprintf("'c%[1]dc%[1]d'", c)))
	}
	for i, id := range ids() {
		add("INSERT INTO late VALUES (%d, %d, %s, %d)", id, code(i, id), null(fmt.Sprint(pick(trees))), 2*r.IntN(2))
	}
	for range r.IntN(8) {
		add(`INSERT INTO bag VALUES (%s, '{"k": %d}', point(%d, 0))`, null("1"), r.IntN(2), r.IntN(2))
		add("INSERT INTO nothing DEFAULT VALUES")
		add("INSERT INTO loose VALUES (%d, %d)", r.IntN(2), r.IntN(5))
	}
	for i, id := range ids() {
		add("INSERT INTO other OVERRIDING SYSTEM VALUE VALUES (%d, %d, 'v%d')", id, code(i, id), r.IntN(2))
		add("INSERT INTO base VALUES (%d, 'v%d'); INSERT INTO heir VALUES (%d, 'h', %d)", id, r.IntN(2), code(i, id), r.IntN(2))
		add("INSERT INTO spread VALUES (%d, int4range(%d, %d))", id, 10*code(i, id), 10*code(i, id)+1+r.IntN(10))
		if !calm {
			add("INSERT INTO checked VALUES (%d, %d)", id, pick(trees))
		}
	}
	parts, at := ids(), map[int]int{}
	for _, id := range parts {
		at[id] = r.IntN(10)
		add("INSERT INTO part VALUES (%d, %d, 'v%d')", id, at[id], r.IntN(3))
	}
	for _, id := range ids() {
		p := pick(parts)
		add("INSERT INTO ofpart VALUES (%d, %d, %d)", id, p, at[p])
	}
	add("COMMIT; RESET session_replication_role")
	return b.String()
}

// Whatever rows stand in staging and whatever rows come, staging holds the rows
// that came, its constraints hold, and nothing but rows is different.
func TestReplaceAnyRowsByAny(t *testing.T) {
	scratchtest.Long(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, tangled+"ALTER TABLE tree DISABLE TRIGGER loud")
	staging, _ := plain(t, tangled)
	tg, source := openInPlace(t, staging), openSource(t, production)
	aside := map[bool]int{}
	for i := range scratchtest.Few(10, 8) {
		calm := i > 5 // the first calm rows meet others
		// Rows travel in either form, and find their pairs or are compared by the server.
		tg.asText, tg.remember = i%2 == 0, []int{0, 0, 6, 2}[r.IntN(4)]
		scratchtest.SQL(t, production, tangle(r, i >= 5))
		spec := quietSpec(fmt.Sprintf("r%d", i))
		spec.Step = func(step string) {
			if strings.Contains(step, "set aside") {
				aside[calm]++
			}
		}
		before := triggersOf(t, staging)
		mustRefresh(t, source, tg, spec, false)
		same(t, fmt.Sprintf("round %d", i), contents(t, production), contents(t, staging))
		same(t, "triggers", before, triggersOf(t, staging))
		if bad := scratchtest.Orphans(t, staging); bad != "" {
			t.Errorf("orphans: %s", bad)
		}
		same(t, "constraints", constraintsOf(t, production), constraintsOf(t, staging))
		if left := leftInPlace(t, staging); left != "" {
			t.Errorf("left behind: %s", left)
		}
		if t.Failed() {
			return
		}
	}
	if aside[false] == 0 || aside[true] > 0 {
		t.Errorf("foreign keys were set aside in %d rounds in which values wandered and in %d in which none did", aside[false], aside[true])
	}
}

func triggersOf(t *testing.T, address string) string {
	return scratchtest.Query(t, address, `SELECT c.relname, g.tgname, g.tgenabled FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid WHERE NOT g.tgisinternal ORDER BY 1, 2`)
}

func constraintsOf(t *testing.T, address string) string {
	return scratchtest.Query(t, address, `SELECT c.relname, o.conname, o.convalidated, pg_get_constraintdef(o.oid) FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
		WHERE o.connamespace = 'public'::regnamespace ORDER BY 1, 2`)
}
