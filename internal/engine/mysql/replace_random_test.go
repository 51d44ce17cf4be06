package mysql

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
)

// tangled has what makes an order of statements hard to find: a circle of NOT NULL
// keys, keys to what is not the primary key, actions of every kind, unique values
// that rows hand to each other, keys of several columns, partitions, histories.
func tangled(maria bool) []string {
	out := []string{
		"CREATE TABLE a (id int PRIMARY KEY, b int NOT NULL, code varchar(20) COLLATE utf8mb4_general_ci NOT NULL UNIQUE, twice varchar(50) GENERATED ALWAYS AS (concat(code, code)) VIRTUAL UNIQUE)",
		"CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL, v varchar(10), FULLTEXT KEY words (v), CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)",
		"ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b) REFERENCES b (id)",
		"CREATE TABLE tree (id int AUTO_INCREMENT PRIMARY KEY, up int, mail varchar(20), n decimal(20,5), UNIQUE KEY (mail, n), CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE SET NULL)",
		"CREATE TABLE bycode (x varchar(5) COLLATE utf8mb4_general_ci, y tinyint unsigned, code varchar(20) COLLATE utf8mb4_general_ci, PRIMARY KEY (x, y), CONSTRAINT by_code FOREIGN KEY (code) REFERENCES a (code) ON UPDATE CASCADE ON DELETE CASCADE)",
		"CREATE TABLE bypair (id int NOT NULL, x varchar(5) COLLATE utf8mb4_general_ci, y tinyint unsigned, UNIQUE KEY (id), KEY (x, y), CONSTRAINT by_pair FOREIGN KEY (x, y) REFERENCES bycode (x, y) ON DELETE CASCADE)",
		"CREATE TABLE bag (x int, v varchar(5), p point, KEY (x))",
		"CREATE TABLE part (id int, at int, v varchar(10), PRIMARY KEY (id, at)) PARTITION BY RANGE (at) (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN MAXVALUE)",
		"CREATE TABLE numbered (v int, n int AUTO_INCREMENT, KEY (n))",
		"CREATE TRIGGER loud BEFORE UPDATE ON a FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a trigger fired'",
	}
	if maria {
		return append(out, "CREATE TABLE versioned (id int PRIMARY KEY, v varchar(10)) WITH SYSTEM VERSIONING")
	}
	return append(out, "CREATE TABLE versioned (id int PRIMARY KEY, v varchar(10), INDEX ((upper(v))))")
}

// tangle gives statements that write rows for it, whatever was there.
func tangle(r *rand.Rand) []string {
	out := []string{"SET SESSION foreign_key_checks = 0"}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, t := range []string{"a", "b", "tree", "bycode", "bypair", "bag", "part", "numbered", "versioned"} {
		add("DELETE FROM %s", t)
	}
	ids := func() []int { return r.Perm(12)[:2+r.IntN(10)] }
	pick := func(list []int) int { return list[r.IntN(len(list))] }
	null := func(s string) string {
		if r.IntN(4) == 0 {
			return "NULL"
		}
		return s
	}
	cased := func(s string) string { // equal to its collation
		switch r.IntN(3) {
		case 0:
			return strings.ToUpper(s)
		case 1:
			return s + " "
		}
		return s
	}
	as, bs, shuffled := ids(), ids(), r.Perm(14)
	var codes []string
	for i, id := range as {
		codes = append(codes, fmt.Sprintf("c%d", shuffled[i]))
		add("INSERT INTO a (id, b, code) VALUES (%d, %d, '%s')", id, pick(bs), cased(codes[i]))
	}
	for _, id := range bs {
		add("INSERT INTO b VALUES (%d, %d, '%s')", id, pick(as), cased("v"))
	}
	trees := ids()
	for i, id := range trees {
		add("INSERT INTO tree VALUES (%d, %s, %s, %s)", id+1, null(fmt.Sprint(pick(trees)+1)), null(fmt.Sprintf("'m%d'", shuffled[i])), null("1.5"))
	}
	pairs := ids()
	for _, id := range pairs {
		add("INSERT INTO bycode VALUES ('%s', %d, %s)", cased("x"), id, null("'"+cased(codes[r.IntN(len(codes))])+"'"))
	}
	for i, id := range ids() {
		add("INSERT INTO bypair VALUES (%d, %s, %d)", shuffled[i]+id%2*100, null("'X'"), pick(pairs))
	}
	for range r.IntN(8) {
		add("INSERT INTO bag VALUES (%s, '%s', ST_GeomFromText('POINT(%d 0)'))", null("1"), cased("b"), r.IntN(2))
		add("INSERT INTO numbered (v) VALUES (%d)", r.IntN(3))
	}
	for _, id := range ids() {
		add("INSERT INTO part VALUES (%d, %d, '%s')", id, r.IntN(10), cased("p"))
		add("INSERT INTO versioned VALUES (%d, %s)", id, null("'"+cased("v")+"'"))
	}
	return append(out, "SET SESSION foreign_key_checks = 1")
}

// tangleContent lists every row byte by byte, and the rows without a parent.
func tangleContent(t *testing.T, db *sql.DB) (rows, orphans string) {
	t.Helper()
	ask := func(q string) string {
		out, err := query(t.Context(), db, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		return strings.Join(out, ";")
	}
	for _, q := range []string{
		"SELECT id, b, hex(code), hex(twice) FROM a ORDER BY id", "SELECT id, a, hex(v) FROM b ORDER BY id", "SELECT * FROM tree ORDER BY id", "SELECT hex(x), y, hex(code) FROM bycode ORDER BY y",
		"SELECT id, hex(x), y FROM bypair ORDER BY id", "SELECT x, hex(v), hex(p) FROM bag ORDER BY 1, 2, 3", "SELECT id, at, hex(v) FROM part ORDER BY id, at", "SELECT v, n FROM numbered ORDER BY n", "SELECT id, hex(v) FROM versioned ORDER BY id",
	} {
		rows += ask(q) + "\n"
	}
	for _, q := range []string{
		"a AS c LEFT JOIN b AS p ON p.id = c.b WHERE p.id IS NULL", "b AS c LEFT JOIN a AS p ON p.id = c.a WHERE p.id IS NULL", "tree AS c LEFT JOIN tree AS p ON p.id = c.up WHERE p.id IS NULL AND c.up IS NOT NULL",
		"bycode AS c LEFT JOIN a AS p ON p.code = c.code WHERE p.id IS NULL AND c.code IS NOT NULL", "bypair AS c LEFT JOIN bycode AS p ON p.x = c.x AND p.y = c.y WHERE p.x IS NULL AND c.x IS NOT NULL AND c.y IS NOT NULL",
	} {
		if n := ask("SELECT count(*) FROM " + q); n != "0" {
			orphans += n + " of " + q + "\n"
		}
	}
	return rows, orphans
}

// TestReplaceAnyRowsByAny exchanges random rows for random rows.
func TestReplaceAnyRowsByAny(t *testing.T) {
	scratchtest.Long(t)
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := freshDatabase(t, server), freshDatabase(t, server)
		from, to := application(t, production), application(t, staging)
		for _, db := range []*sql.DB{from, to} {
			db.SetMaxOpenConns(1) // the statements set the session's checks
			must(t, db, tangled(server.MariaDB())...)
		}
		must(t, to, tangle(rand.New(rand.NewPCG(1, 1)))...)
		seed := rand.Uint64()
		tg := openInPlace(t, staging)
		rounds := 12
		if testing.Short() {
			rounds = 3
		}
		for i := range rounds {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			must(t, from, tangle(r)...)
			tg.insert = i%2 == 0
			if err := run(t.Context(), t, production, tg, engine.Spec{RunID: fmt.Sprintf("run%d", i)}); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, i, err)
			}
			got, orphans := tangleContent(t, to)
			want, _ := tangleContent(t, from)
			if got != want || orphans != "" {
				t.Fatalf("seed %d, round %d:\n%s\nwant\n%s\norphans %s", seed, i, got, want, orphans)
			}
			if left := leftInPlace(t, to); left != "" {
				t.Fatalf("left behind: %s", left)
			}
		}
		must(t, to, "INSERT INTO numbered (v) VALUES (1)", "INSERT INTO tree (mail) VALUES ('next')") // a number that is free
	})
}

// TestReplaceInTwoDatabases exchanges rows of two databases with keys across them.
func TestReplaceInTwoDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		var names []string
		var url string
		for range 4 {
			url = freshDatabase(t, server)
			names = append(names, databaseOf(url))
		}
		db := application(t, url)
		for i := range 2 {
			a, b := names[2*i], names[2*i+1]
			must(t, db, "CREATE TABLE "+a+".users (id int PRIMARY KEY, best int)", "CREATE TABLE "+b+".orders (id int PRIMARY KEY, owner int, CONSTRAINT owner FOREIGN KEY (owner) REFERENCES "+a+".users (id))",
				"ALTER TABLE "+a+".users ADD CONSTRAINT best FOREIGN KEY (best) REFERENCES "+b+".orders (id)")
		}
		must(t, db, "INSERT INTO "+names[0]+".users VALUES (1, NULL), (2, NULL)", "INSERT INTO "+names[1]+".orders VALUES (5, 1)", "UPDATE "+names[0]+".users SET best = 5")
		must(t, db, "INSERT INTO "+names[2]+".users VALUES (9, NULL)", "INSERT INTO "+names[3]+".orders VALUES (5, 9)")
		tg := openInPlace(t, url)
		tg.Scope(names[2:])
		source, err := New().Source(t.Context(), tg.at, engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		for i := range 2 {
			if err := copyAll(t.Context(), source, names[:2], tg, engine.Spec{RunID: fmt.Sprintf("two%d", i), Names: map[string]string{names[0]: names[2], names[1]: names[3]}}); err != nil {
				t.Fatal(err)
			}
			rows, err := query(t.Context(), db, "SELECT u.id, u.best, o.owner FROM "+names[2]+".users u JOIN "+names[3]+".orders o ON o.id = u.best ORDER BY 1")
			if got := strings.Join(rows, ";"); err != nil || got != "1|5|1;2|5|1" {
				t.Errorf("arrived %q, %v", got, err)
			}
			state, err := tg.State(t.Context())
			if err != nil || !state.Claimed || len(state.Leftovers)+len(state.Obstacles) > 0 {
				t.Errorf("state %+v, %v", state, err)
			}
		}
	})
}
