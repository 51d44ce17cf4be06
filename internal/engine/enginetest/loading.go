package enginetest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

func fragments(t *testing.T, h Harness) {
	db := h.people(t)
	before := content(t, db)
	s := h.source(t, db)
	structure, err := s.Inspect(t.Context(), nil)
	ok(t, err)
	people := table(t, structure, "people")
	good := []engine.Fragment{
		{Text: "age > 17"}, {Text: "country = 'de' and (age is null or age in (1, 2))"}, {Text: `name like '%;--%'`}, {Text: `"name" = 'a'')b'`},
		{Text: "age between 1 and 2 or lower(name) = 'ada'"}, {Text: "age desc, name", Order: true}, {Text: "coalesce(age, 0) desc", Order: true},
		{Text: "boss in (select id from people)", Subqueries: true},
	}
	bad := []engine.Fragment{
		{Text: ""}, {Text: "age >"}, {Text: "no_such_column = 1"}, {Text: "age = 1; delete from people"}, {Text: "age = 1 -- comment"}, {Text: "age /* x */ = 1"},
		{Text: "true) to stdout; commit; insert into flags (name) values ('x'); copy (select 1"},
		{Text: "true) union select id, name, email, country, boss, age, loud from people where (true"},
		{Text: "age = 1 union select 1"}, {Text: "id in (select boss from people)"}, {Text: "exists (select 1 from flags)"}, {Text: "age = 1 limit 1"},
		{Text: "age = 1 order by name"}, {Text: "(age = 1"}, {Text: "age = 1)"}, {Text: "name = 'open"}, {Text: `"name = 'a'`}, {Text: "age = $1"}, {Text: "age = ?"},
		{Text: "true or 1 = (with x as (select 1) select 1 from x)"}, {Text: "1; drop table flags", Order: true}, {Text: "age limit 1", Order: true},
		{Text: "age) union select 1 from flags order by (1", Order: true}, {Text: "(select max(id) from people)", Order: true},
		{Text: "(delete from flags returning 1) = 1", Subqueries: true}, {Text: "age = 1) ; vacuum; select (1", Subqueries: true},
	}
	for i := range good {
		good[i].Table = people
	}
	for i := range bad {
		bad[i].Table = people
	}
	for i, err := range s.Accept(t.Context(), good) {
		if err != nil {
			t.Errorf("refused %q: %v", good[i].Text, err)
		}
	}
	verdicts := s.Accept(t.Context(), bad)
	if len(verdicts) != len(bad) {
		t.Fatalf("%d verdicts on %d fragments", len(verdicts), len(bad))
	}
	for i, err := range verdicts {
		if err == nil {
			t.Errorf("accepted %q", bad[i].Text)
		}
	}
	equal(t, "the source afterwards", content(t, db), before)
}

func loadSwitches(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	to.exec(t, `INSERT INTO flags (name, state) VALUES ('staging', 'old')`)
	m := h.moment(t, from)
	target := h.target(t, to)
	before := content(t, to)
	var steps []string
	s := spec("first", m)
	s.Structure = nil // the target's own
	s.Step = func(step string) { steps = append(steps, step) }
	l, err := target.Begin(t.Context(), s)
	ok(t, err)
	defer abort(t, l)
	fill(t, m, l)
	ok(t, l.Finish(t.Context()))
	equal(t, "what readers see before the switch", content(t, to), before)
	people := table(t, m.schema, "people")
	n, nulls, err := l.Count(t.Context(), people.Name, []string{"country", "boss", "name"})
	ok(t, err)
	if n != 4 || !slices.Equal(nulls, []int64{1, 1, 0}) {
		t.Errorf("counted %d rows, %v NULLs", n, nulls)
	}
	noFailures(t, l)
	ok(t, l.Switch(t.Context(), []byte("manifest")))
	equal(t, "what readers see after it", content(t, to), content(t, from))
	state, err := target.State(t.Context())
	ok(t, err)
	if !state.Claimed || string(state.Manifest) != "manifest" || len(state.Generations) != 2 || !state.Generations[0].Present || state.Generations[0].ID != "first" {
		t.Errorf("state after the switch: %+v", state)
	}
	if len(steps) == 0 {
		t.Error("no step was told")
	}
	structure, err := target.Inspect(t.Context(), nil)
	ok(t, err)
	if len(structure.Tables) != len(m.schema.Tables) {
		t.Errorf("the target shows tables of ours: %d tables", len(structure.Tables))
	}
	to.exec(t, `INSERT INTO people (name, email) VALUES ('next', 'next@example.com')`)
	equal(t, "the next number", to.query(t, `SELECT id FROM people WHERE name = 'next'`), []string{"5"})
}

// noFailures fails for every proof with a failure or that was not measured.
func noFailures(t *testing.T, p engine.Prover) {
	t.Helper()
	found, err := p.Prove(t.Context(), nil)
	ok(t, err)
	kinds := map[string]int{}
	for _, proof := range found {
		kinds[proof.Kind]++
		if proof.Failures != 0 {
			t.Errorf("proof %+v", proof)
		}
	}
	if kinds["foreign-key"] != 4 || kinds["unique"] == 0 || kinds["not-null"] == 0 || kinds["check"] == 0 {
		t.Errorf("proofs by kind: %v", kinds)
	}
}

func abortLeavesNothing(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	m := h.moment(t, from)
	target := h.target(t, to)
	before := content(t, to)
	l, err := target.Begin(t.Context(), spec("aborted", m))
	ok(t, err)
	fill(t, m, l)
	abort(t, l)
	equal(t, "the target", content(t, to), before)
	state, err := target.State(t.Context())
	ok(t, err)
	if len(state.Leftovers) != 0 || state.Claimed || len(state.Generations) != 0 {
		t.Errorf("state after an abort: %+v", state)
	}
	// A load whose reading fails can be given up as well.
	l, err = target.Begin(t.Context(), spec("aborted-2", m))
	ok(t, err)
	defer abort(t, l)
	broken := errors.New("reading broke")
	flags := table(t, m.schema, "flags")
	failing := func(yield func(*engine.Batch, error) bool) {
		for b, err := range m.Read(t.Context(), engine.Read{Table: flags, Columns: flags.Written()}) {
			if !yield(b, err) {
				return
			}
		}
		yield(nil, broken)
	}
	if _, err := l.Write(t.Context(), flags.Name, flags.Written(), failing); !errors.Is(err, broken) {
		t.Errorf("the reader's error came back as %v", err)
	}
}

func crashCleared(t *testing.T, h Harness) {
	if h.Crash == nil {
		t.Fatal("the harness cannot crash a load")
	}
	from, to := h.people(t), h.empty(t)
	m := h.moment(t, from)
	target := h.target(t, to)
	for _, finished := range []bool{false, true} {
		l, err := target.Begin(t.Context(), spec("crashed", m))
		ok(t, err)
		fill(t, m, l)
		if finished {
			ok(t, l.Finish(t.Context()))
		}
		h.Crash(t, l)
		state, err := target.State(t.Context())
		ok(t, err)
		if len(state.Leftovers) == 0 {
			t.Error("nothing is told of what the crashed run left")
		}
		h.refresh(t, "after", from, to, nil)
		if state, err = target.State(t.Context()); err != nil || len(state.Leftovers) != 0 {
			t.Errorf("after the next run: %v, %+v", err, state)
		}
		equal(t, "the target", content(t, to), content(t, from))
	}
}

func generations(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	to.exec(t, `INSERT INTO flags (name, state) VALUES ('original', 'x')`)
	original := content(t, to)
	target := h.target(t, to)
	ids := func() (out []string) {
		state, err := target.State(t.Context())
		ok(t, err)
		for _, g := range state.Generations {
			out = append(out, g.ID)
		}
		return out
	}
	keep := func(s *engine.Spec) { s.Keep = 2 }
	h.refresh(t, "one", from, to, keep)
	kept := ids()
	if len(kept) != 2 || kept[0] != "one" {
		t.Fatalf("generations after the first run: %q", kept)
	}
	ok(t, target.Rollback(t.Context(), kept[1]))
	equal(t, "rolled back", content(t, to), original)
	ok(t, target.Rollback(t.Context(), "one"))
	equal(t, "rolled forward", content(t, to), content(t, from))
	from.exec(t, `UPDATE flags SET state = 'second'`)
	h.refresh(t, "two", from, to, keep)
	from.exec(t, `UPDATE flags SET state = 'third'`)
	h.refresh(t, "three", from, to, keep)
	equal(t, "kept", ids(), []string{"three", "two", "one"})
	ok(t, target.Rollback(t.Context(), "two"))
	equal(t, "rows of the second", to.query(t, `SELECT state FROM flags`), []string{"second"})
	if got := ids(); len(got) != 3 || got[0] != "two" || !slices.Contains(got, "three") {
		t.Errorf("generations after the rollback: %q", got)
	}
	if err := target.Rollback(t.Context(), "nowhere"); err == nil || errors.Is(err, engine.ErrSwitched) {
		t.Errorf("rolling back to nothing: %v", err)
	}
}

func oneAtATime(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	m := h.moment(t, from)
	const runs = 8
	loads := make([]engine.Load, runs)
	errs := make([]error, runs)
	var wg sync.WaitGroup
	for i := range runs {
		target := h.target(t, to)
		s := spec("run-"+string(rune('a'+i)), m)
		wg.Go(func() { loads[i], errs[i] = target.Begin(t.Context(), s) })
	}
	wg.Wait()
	won := 0
	for i, l := range loads {
		if errs[i] == nil {
			won++
			defer abort(t, l)
			continue
		}
		codeIs(t, errs[i], engine.Busy)
	}
	if won != 1 {
		t.Errorf("%d of %d runs took the target", won, runs)
	}
	state, err := h.target(t, to).State(t.Context())
	ok(t, err)
	if state.Busy == "" || len(state.Leftovers) > 0 {
		t.Errorf("while a run holds the target, its state tells %q and leftovers %q", state.Busy, state.Leftovers)
	}
}

// heldBefore takes the lock before a load begins: others find the target busy
// until that load is given up.
func heldBefore(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	m := h.moment(t, from)
	mine, other := h.target(t, to), h.target(t, to)
	holder, can := mine.(engine.Holder)
	if !can {
		return
	}
	ok(t, holder.Hold(t.Context(), "run-a"))
	codeIs(t, other.(engine.Holder).Hold(t.Context(), "run-b"), engine.Busy)
	_, err := other.Begin(t.Context(), spec("run-b", m))
	codeIs(t, err, engine.Busy)
	l, err := mine.Begin(t.Context(), spec("run-a", m))
	ok(t, err)
	_, err = other.Begin(t.Context(), spec("run-b", m))
	codeIs(t, err, engine.Busy)
	abort(t, l)
	l, err = other.Begin(t.Context(), spec("run-b", m))
	ok(t, err)
	abort(t, l)
}

func preserved(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	to.exec(t, `INSERT INTO flags (name, state) VALUES ('staging', 'mine'), ('O''Brien', NULL)`)
	h.refresh(t, "preserving", from, to, func(s *engine.Spec) {
		s.Structure = nil
		s.Preserve = []schema.Name{{Schema: table(t, h.moment(t, from).schema, "flags").Name.Schema, Table: "flags"}}
	})
	equal(t, "flags", to.query(t, `SELECT name, state FROM flags ORDER BY name`), []string{"O'Brien|", "staging|mine"})
	equal(t, "people", to.query(t, `SELECT count(*) FROM people`), []string{"4"})
}

// lateWrites writes to a preserved table after its rows were carried over: the
// switch must not lose the row, and a table that nobody wrote to goes through.
func lateWrites(t *testing.T, h Harness) {
	from, to := h.people(t), h.empty(t)
	to.exec(t, `INSERT INTO flags (name, state) VALUES ('staging', 'mine')`)
	name := table(t, h.moment(t, from).schema, "flags").Name
	for _, late := range []bool{true, false} {
		m := h.moment(t, from)
		s := spec("late-"+strconv.FormatBool(late), m)
		s.Structure, s.Preserve = nil, []schema.Name{name}
		l, err := h.target(t, to).Begin(t.Context(), s)
		ok(t, err)
		fill(t, m, l, "flags")
		ok(t, l.Finish(t.Context()))
		if late {
			to.exec(t, `INSERT INTO flags (name, state) VALUES ('late', 'mine')`)
		}
		err = l.Switch(t.Context(), []byte(`{}`))
		abort(t, l)
		m.done()
		if !late {
			ok(t, err)
		} else if codeIs(t, err, engine.Changed); errors.Is(err, engine.ErrSwitched) {
			t.Error("the late write was lost with the switch")
		}
		equal(t, "flags", to.query(t, `SELECT name FROM flags ORDER BY name`), []string{"late", "staging"})
	}
}

func errorsCarryNoValue(t *testing.T, h Harness) {
	const marker = "cAnArY4711"
	from, to := h.people(t), h.empty(t)
	from.exec(t, `INSERT INTO people (id, name, email, age) VALUES (9, '`+marker+`', '`+marker+`@example.com', 4711)`)
	m := h.moment(t, from)
	people := table(t, m.schema, "people")
	columns := people.Written()
	place := func(name string) []int { return []int{slices.Index(columns, name)} }
	for what, change := range map[string]struct {
		look []int
		to   string
	}{
		"unique": {place("email"), marker + "@example.com"},
		"check":  {place("age"), "-4711"},
		"cast":   {place("age"), marker},
	} {
		l, err := h.target(t, to).Begin(t.Context(), spec("errors-"+what, m))
		ok(t, err)
		r := engine.Read{Table: people, Columns: columns, Look: change.look, Into: l, As: people.Name}
		rows := rewritten(m.Read(t.Context(), r), r.Look, func(int, []byte) []byte { return []byte(change.to) })
		_, err = l.Write(t.Context(), people.Name, columns, rows)
		if err == nil {
			err = l.Finish(t.Context())
		}
		abort(t, l)
		if what == "cast" && h.Lax && err == nil {
			continue
		}
		var e *engine.Error
		if !errors.As(err, &e) || e.Code != engine.Constraint {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if text := err.Error() + e.Hint; strings.Contains(text, marker) || strings.Contains(text, "4711") {
			t.Errorf("%s: a value stands in %q", what, text)
		}
	}
}

func tryTells(t *testing.T, h Harness) {
	s := h.source(t, h.people(t))
	structure, err := s.Inspect(t.Context(), nil)
	ok(t, err)
	people := table(t, structure, "people")
	try := func(columns []string, rows ...[]string) string {
		got, err := s.Try(t.Context(), people, columns, tuples(rows...))
		ok(t, err)
		var out []string
		for _, r := range got {
			what := r.Column
			if r.Check != "" {
				what = r.Check
			}
			out = append(out, what+":"+string(rune('0'+r.Rows)))
		}
		slices.Sort(out)
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		columns []string
		rows    [][]string
		want    string
	}{
		{[]string{"name", "email"}, [][]string{{"Ada", "a@example.com"}, {"'\\", "b"}}, ""},
		{[]string{"email"}, [][]string{{strings.Repeat("é", 40)}, {strings.Repeat("é", 41)}}, "email:1"},
		{[]string{"age", "name"}, [][]string{{"1", "x"}, {"-1", "y"}, {"-2", "z"}}, "people_age_check:2"},
		{[]string{"name"}, [][]string{{"checks of other columns are not tried"}}, ""},
		{[]string{"age"}, [][]string{{"not a number"}}, "age:1"},
	} {
		if got := try(c.columns, c.rows...); got != c.want {
			t.Errorf("%v %q: %q, want %q", c.columns, c.rows, got, c.want)
		}
	}
}

func apart(t *testing.T, h Harness) {
	one, two := h.people(t), h.empty(t)
	check := func(target Database, want bool) {
		t.Helper()
		to := h.target(t, target)
		if p, is := to.(*placedTarget); is {
			to = p.Target
		}
		d, err := h.Engine.Apart(t.Context(), h.source(t, one), to)
		ok(t, err)
		if d.Same != want || d.Why == "" {
			t.Errorf("%+v, want same %v", d, want)
		}
	}
	check(two, false)
	check(one, true)
	for _, url := range one.Spellings {
		check(Database{URL: url}, true)
	}
}

func proofs(t *testing.T, h Harness) {
	from, to := h.people(t), h.Fresh(t)
	m := h.moment(t, from)
	target := h.target(t, to)
	l, err := target.Begin(t.Context(), spec("orphan", m))
	ok(t, err)
	defer abort(t, l)
	fill(t, m, l, "items") // parts of (1,1) and (1,2) lose their parents
	if err := l.Finish(t.Context()); err != nil {
		codeIs(t, err, engine.Constraint) // found while the constraint was made
		return
	}
	found, err := l.Prove(t.Context(), nil)
	ok(t, err)
	var failures int64
	for _, p := range found {
		if p.Failures != 0 && p.Kind != "foreign-key" {
			t.Errorf("proof %+v", p)
		}
		if p.Table.Table == "parts" {
			failures += p.Failures
		}
	}
	if failures != 2 {
		t.Errorf("%d orphans found, want 2", failures)
	}
}
