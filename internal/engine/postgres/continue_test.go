package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
)

var parents, children = schema.Name{Schema: "public", Table: "parents"}, schema.Name{Schema: "public", Table: "children"}

// first loads two tables in place and gives the words it leaves of them.
func first(t *testing.T, tg *inPlace) map[schema.Name]string {
	t.Helper()
	l, err := tg.Begin(t.Context(), quietSpec("r1"))
	if err != nil {
		t.Fatal(err)
	}
	defer abort(t, l)
	write(t, l, parents, []string{"id"}, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n")
	write(t, l, children, []string{"id", "parent"}, "1\t1\n2\t2\n")
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []schema.Name{parents, children} {
		if _, _, err := l.Count(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	words, err := l.(engine.Continuing).Left(t.Context(), []schema.Name{parents, children})
	if err != nil || words[parents] == "" || words[children] == "" {
		t.Fatalf("words: %v, %v", words, err)
	}
	if err := l.Switch(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	return words
}

func write(t *testing.T, l engine.Load, table schema.Name, columns []string, raw string) {
	t.Helper()
	if _, err := l.Write(t.Context(), table, columns, func(yield func(*engine.Batch, error) bool) {
		yield(&engine.Batch{Rows: strings.Count(raw, "\n"), Raw: []byte(raw)}, nil)
	}); err != nil {
		t.Fatal(err)
	}
}

func abort(t *testing.T, l engine.Load) {
	if err := l.Abort(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// second begins a load that takes both tables of a family up where a first one left them.
// It is given up at the test's end.
func second(t *testing.T) *exchange {
	t.Helper()
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, family)
	tg := openInPlace(t, staging)
	return takenUp(t, tg, first(t, tg))
}

// takenUp begins a load that takes tables up where they were left. It is given up at the
// test's end.
func takenUp(t *testing.T, tg *inPlace, words map[schema.Name]string) *exchange {
	t.Helper()
	l, err := tg.Begin(t.Context(), quietSpec("r2"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { abort(t, l) })
	if !continues(t, l, words) {
		t.Fatal("the tables are not taken up")
	}
	return l.(*exchange)
}

// continues says whether a load takes both tables up where they were left.
func continues(t *testing.T, l engine.Load, words map[schema.Name]string) bool {
	t.Helper()
	out := true
	for name, word := range words {
		_, ok, err := l.(engine.Continuing).Continue(t.Context(), name, word)
		if err != nil {
			t.Fatal(err)
		}
		out = out && ok
	}
	return out
}

const family = `CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (id int PRIMARY KEY, parent int NOT NULL REFERENCES parents);`

// Of rows that stay, only those are asked about that referred to what went: one that
// refers to nothing is found there, whether it came or stood there.
func TestProofOfWhatStaysWhereParentsWent(t *testing.T) {
	for what, c := range map[string]struct {
		secretly string // done where foreign keys see nothing
		failures int64
	}{
		"nothing":           {"", 0},
		"a child stays":     {"INSERT INTO public.children VALUES (7, 12)", 1},
		"a child came":      {"UPDATE public.children SET parent = 4711 WHERE id = 3", 1},
		"a parent is back":  {"INSERT INTO public.parents VALUES (12); INSERT INTO public.children VALUES (7, 12)", 0},
		"of another parent": {"INSERT INTO public.children VALUES (7, 13)", 0},
	} {
		t.Run(what, func(t *testing.T) {
			l := second(t)
			write(t, l, children, []string{"id", "parent"}, "3\t3\n")
			if err := l.Sift(t.Context(), parents, func(yield func(int64, int64) bool) { yield(12, 12) }); err != nil {
				t.Fatal(err)
			}
			if err := l.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rows, _, err := l.Count(t.Context(), parents, nil); err != nil || rows != 19 {
				t.Errorf("%d parents, %v", rows, err)
			}
			if c.secretly != "" {
				if err := l.main.exec(t.Context(), "act secretly", "SET LOCAL session_replication_role = replica; "+c.secretly); err != nil {
					t.Fatal(err)
				}
			}
			proofs, err := l.Prove(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(proofs, func(p engine.Proof) bool { return p.Kind == "foreign-key" })
			if p := proofs[i]; p.Failures != c.failures || !strings.Contains(p.Method, "referred to what went") {
				t.Errorf("%+v", p)
			}
		})
	}
}

// A row that was to go and did not is no row less.
func TestCountOfWhatDidNotGo(t *testing.T) {
	l := second(t)
	if err := l.Sift(t.Context(), parents, func(yield func(int64, int64) bool) { yield(12, 13) }); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	delta := quoteName(l.tables[parents].delta())
	if err := l.main.exec(t.Context(), "claim more", fmt.Sprintf("INSERT INTO %s (rel, at, here) SELECT tableoid, ctid, false FROM public.parents WHERE id = 14", delta)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Count(t.Context(), parents, nil); err == nil || !strings.Contains(err.Error(), "were to go") {
		t.Errorf("a row that is still there: %v", err)
	}
}

// A write that the server's statistics know nothing of is found under the lock, and the
// try after that trusts no statistics.
func TestWritesThatStatisticsMiss(t *testing.T) {
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, family)
	tg := openInPlace(t, staging)
	words := first(t, tg)
	scratchtest.SQL(t, staging, "SET track_counts = off; UPDATE children SET parent = 3 WHERE id = 1")
	l, err := tg.Begin(t.Context(), quietSpec("r2"))
	if err != nil {
		t.Fatal(err)
	}
	if !continues(t, l, words) {
		t.Fatal("the statistics told, so this test shows nothing")
	}
	err = l.Finish(t.Context())
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Changed || !e.Again || e.Table != children {
		t.Errorf("a write that nobody knew of: %v", err)
	}
	abort(t, l)
	spec := quietSpec("r3")
	spec.Anew = true
	if l, err = tg.Begin(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	defer abort(t, l)
	if continues(t, l, words) {
		t.Error("the next try takes the table up nevertheless")
	}
}

// A session that counts is lost while rows are exchanged: the exchange begins again and
// counts itself, and finds a late write no less.
func TestALostCount(t *testing.T) {
	for _, late := range []bool{false, true} {
		staging := scratchtest.Database(t)
		scratchtest.SQL(t, staging, family)
		tg := openInPlace(t, staging)
		words := first(t, tg)
		if late {
			scratchtest.SQL(t, staging, "SET track_counts = off; UPDATE children SET parent = 3 WHERE id = 1")
		}
		l, err := tg.Begin(t.Context(), quietSpec("r2"))
		if err != nil {
			t.Fatal(err)
		}
		if !continues(t, l, words) {
			t.Fatal("the tables are not taken up")
		}
		write(t, l, children, []string{"id", "parent"}, "3\t3\n")
		lost := 0
		tg.pauses = func(_ context.Context, at string) error {
			if at == "counting" {
				lost++
				return errors.New("the session is lost")
			}
			return nil
		}
		err = l.Finish(t.Context())
		if lost != 1 {
			t.Errorf("%d sessions were lost, want one", lost)
		}
		if late && engine.CodeOf(err) != engine.Changed || !late && err != nil {
			t.Errorf("late write %v: %v", late, err)
		}
		if !late {
			if rows, _, err := l.Count(t.Context(), children, nil); err != nil || rows != 3 {
				t.Errorf("%d children, %v", rows, err)
			}
		}
		abort(t, l)
	}
}

// Writes that the statistics know of are known before a row is read, and so is that a
// database's statistics say nothing because somebody's writes are not counted.
func TestWritesThatStatisticsKnow(t *testing.T) {
	for what, c := range map[string]struct {
		between string
		stands  bool
	}{
		"none":                      {"SELECT 1", true},
		"an update":                 {"UPDATE children SET parent = 3 WHERE id = 1", false},
		"none that lasts":           {"BEGIN; UPDATE children SET parent = 3 WHERE id = 1; ROLLBACK", true},
		"statistics begun anew":     {"SELECT pg_stat_reset()", true},
		"begun anew, and an update": {"SELECT pg_stat_reset(); UPDATE children SET parent = 3 WHERE id = 1", false},
		"uncounted in the database": {"ALTER DATABASE %s SET track_counts = off", false},
	} {
		staging := scratchtest.Database(t)
		scratchtest.SQL(t, staging, family)
		tg := openInPlace(t, staging)
		words := first(t, tg)
		if strings.Contains(c.between, "%s") {
			c.between = fmt.Sprintf(c.between, quote(databaseOf(t, staging)))
			scratchtest.SQL(t, staging, c.between)
			scratchtest.SQL(t, staging, "UPDATE children SET parent = 3 WHERE id = 1")
		} else {
			scratchtest.SQL(t, staging, c.between)
		}
		l, err := tg.Begin(t.Context(), quietSpec("r2"))
		if err != nil {
			t.Fatal(err)
		}
		if continues(t, l, words) != c.stands {
			t.Errorf("%s: taken up: %v", what, !c.stands)
		}
		abort(t, l)
	}
}

// familyOf40 has the tables of a family with 40 rows each, of which a load takes only what
// changed, and a third that is partitioned.
const familyOf40 = `CREATE TABLE parents (id int PRIMARY KEY, note text); CREATE TABLE children (id int PRIMARY KEY, parent int NOT NULL REFERENCES parents);
	CREATE TABLE spread (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part); CREATE TABLE spread1 PARTITION OF spread FOR VALUES IN (1); CREATE TABLE spread2 PARTITION OF spread DEFAULT;`

var spreads = schema.Name{Schema: "public", Table: "spread"}

// third begins a load that takes up a family of 40, and what more there is, where a load
// before it left it. It is given up at the test's end.
func third(t *testing.T, more string) *exchange {
	t.Helper()
	staging := scratchtest.Database(t)
	scratchtest.SQL(t, staging, familyOf40+more)
	tg := openInPlace(t, staging)
	l, err := tg.Begin(t.Context(), quietSpec("r1"))
	if err != nil {
		t.Fatal(err)
	}
	var notes, pairs, parts strings.Builder
	for i := range 40 {
		fmt.Fprintf(&notes, "%d\told\n", i)
		fmt.Fprintf(&pairs, "%d\t%d\n", i, i)
		fmt.Fprintf(&parts, "%d\t1\told\n", i)
	}
	write(t, l, parents, []string{"id", "note"}, notes.String())
	write(t, l, children, []string{"id", "parent"}, pairs.String())
	write(t, l, spreads, []string{"id", "part", "v"}, parts.String())
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	names := []schema.Name{parents, children, spreads}
	for _, name := range names {
		if _, _, err := l.Count(t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	words, err := l.(engine.Continuing).Left(t.Context(), names)
	if err != nil || len(words) != 3 {
		t.Fatalf("words: %v, %v", words, err)
	}
	if err := l.Switch(t.Context(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	abort(t, l)
	return takenUp(t, tg, words)
}

// What was written is set apart right after its statement. Where a later statement writes
// to the table once more, it is set apart again: what is proved is what stands there in the
// end.
func TestWrittenIsSetApartAsItStandsInTheEnd(t *testing.T) {
	const touching = `CREATE FUNCTION touch(child int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN UPDATE public.parents SET note = 'touched' WHERE child = 5 AND id = 3; RETURN true; END $$;
		ALTER TABLE children ADD CHECK (touch(id));`
	for what, c := range map[string]struct{ more, note string }{
		"nobody writes again": {"", "new"},
		"a check does":        {touching, "touched"},
	} {
		t.Run(what, func(t *testing.T) {
			l := third(t, c.more)
			write(t, l, parents, []string{"id", "note"}, "3\tnew\n")
			write(t, l, children, []string{"id", "parent"}, "5\t3\n")
			write(t, l, spreads, []string{"id", "part", "v"}, "7\t1\tnew\n8\t2\tnew\n")
			if err := l.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[schema.Name]string{parents: "(3," + c.note + ")", children: "(5,3)", spreads: "(7,1,new) (8,2,new)"} {
				e := l.tables[name]
				got, err := l.main.value(t.Context(), "look", "SELECT string_agg(w::text, ' ' ORDER BY w::text) FROM "+quoteName(e.writtenCopy())+" w")
				if !e.copied || err != nil || got != want {
					t.Errorf("set apart of %s: %q (%t), %v; want %q", name, got, e.copied, err, want)
				}
			}
			for _, name := range []schema.Name{children, spreads} {
				if rows, _, err := l.Count(t.Context(), name, nil); err != nil || rows < 40 {
					t.Errorf("%d rows of %s, %v", rows, name, err)
				}
			}
			// One row of the parents was to be written, and is; that it was written twice shows.
			if rows, _, err := l.Count(t.Context(), parents, nil); err != nil || rows != 40 {
				t.Errorf("%d parents, %v", rows, err)
			}
		})
	}
}

// A row that was written and refers to what it referred to before is as good as one that
// stays; one that refers elsewhere is asked about. What anybody else writes meanwhile in
// the transaction is found.
func TestProofOfWhatRefersElsewhere(t *testing.T) {
	for what, c := range map[string]struct {
		written, secretly string
		failures          int64
		wrong             string // with the count
	}{
		"nothing":                   {"5\t3\n6\t6\n", "", 0, ""},
		"what refers elsewhere":     {"5\t3\n6\t6\n", "UPDATE public.children SET parent = 4711 WHERE id = 5", 1, ""},
		"what referred there":       {"5\t3\n6\t6\n", "UPDATE public.children SET parent = 4711 WHERE id = 6", 1, "were to be written"},
		"nothing changed":           {"5\t5\n6\t6\n", "", 0, ""},
		"nothing changed, and then": {"5\t5\n6\t6\n", "UPDATE public.children SET parent = 4711 WHERE id = 6", 1, "were to be written"},
		"of what stays":             {"5\t5\n6\t6\n", "UPDATE public.children SET parent = 4711 WHERE id = 7", 0, "were to be written"},
	} {
		t.Run(what, func(t *testing.T) {
			l := third(t, "")
			write(t, l, children, []string{"id", "parent"}, c.written)
			for b, err := range l.Met(t.Context(), children, engine.Read{Columns: []string{"id", "parent"}}) {
				if err != nil || b.Rows != 2 {
					t.Fatalf("met: %d, %v", b.Rows, err)
				}
			}
			if err := l.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e := l.tables[children]; !e.copied || e.stayed != strings.HasPrefix(c.written, "5\t5") {
				t.Errorf("set apart: %t, %t", e.copied, e.stayed)
			}
			if c.secretly != "" {
				if err := l.main.exec(t.Context(), "act secretly", "SET LOCAL session_replication_role = replica; "+c.secretly); err != nil {
					t.Fatal(err)
				}
			}
			_, _, err := l.Count(t.Context(), children, nil)
			if wrong := fmt.Sprint(err); (c.wrong == "") != (err == nil) || !strings.Contains(wrong, c.wrong) {
				t.Errorf("the count: %v", err)
			}
			proofs, err := l.Prove(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(proofs, func(p engine.Proof) bool { return p.Kind == "foreign-key" })
			if p := proofs[i]; p.Failures != c.failures || !strings.Contains(p.Method, "refer to another one") {
				t.Errorf("%+v", p)
			}
		})
	}
}
