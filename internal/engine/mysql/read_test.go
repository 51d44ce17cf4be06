package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch"
	"understudy/internal/secret"
)

// opened is a source with its structure and a snapshot.
type opened struct {
	engine.Source
	schema *schema.Schema
	snap   engine.Snapshot
}

// open opens a source and takes a moment of it.
func open(t testing.TB, url string, limits engine.Limits) *opened {
	t.Helper()
	s := openSource(t, url, limits)
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), structure)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = snap.Close() })
	return &opened{s, structure, snap}
}

func openSource(t testing.TB, url string, limits engine.Limits) engine.Source {
	t.Helper()
	at, err := New().Parse(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New().Source(t.Context(), at, limits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (o *opened) table(t testing.TB, name string) *schema.Table {
	t.Helper()
	out, err := o.schema.Resolve(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// texts collects the canonical texts of a Read's looked-into columns.
func (o *opened) texts(t *testing.T, r engine.Read) []string {
	t.Helper()
	var out []string
	for b, err := range o.snap.Read(t.Context(), r) {
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(b.Cells); i += len(r.Look) {
			var row []string
			for k, c := range b.Cells[i : i+len(r.Look)] {
				if c.Null {
					row = append(row, "NULL")
				} else {
					row = append(row, string(b.Form.Value(nil, b.Raw[c.Start:c.End], r.Look[k])))
				}
			}
			out = append(out, strings.Join(row, "|"))
		}
		b.Release()
	}
	return out
}

// found collects what a Find gives.
func (o *opened) found(t *testing.T, f engine.Find) (ids []engine.RowID, values []string) {
	t.Helper()
	for b, err := range o.snap.Find(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range b.IDs {
			var row []string
			for c := range b.Values.Width {
				v, ok := b.Values.At(i, c)
				if !ok {
					v = []byte("NULL")
				}
				row = append(row, string(v))
			}
			ids, values = append(ids, id), append(values, strings.Join(row, "|"))
		}
	}
	return ids, values
}

// TestCanonicalTexts reads every awkward value of the suite.
func TestCanonicalTexts(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		values := suiteValues(server.MariaDB())
		for i, v := range values {
			must(t, db, fmt.Sprintf("CREATE TABLE v%03d (id int PRIMARY KEY, v %s)", i, v.Type),
				fmt.Sprintf("INSERT INTO v%03d (id, v) VALUES (1, %s), (2, NULL)", i, v.Literal))
		}
		o := open(t, url, engine.Limits{})
		for i, v := range values {
			if v.Canonical == "-" {
				continue
			}
			got := o.texts(t, engine.Read{Table: o.table(t, fmt.Sprintf("v%03d", i)), Columns: []string{"v"}, Look: []int{0}})
			if len(got) != 2 || got[0] != v.Canonical || got[1] != "NULL" {
				t.Errorf("%s %s: %q, want %q", v.Type, v.Literal, got, v.Canonical)
			}
		}
	})
}

// TestRowsAreToldApart finds rows by value and reads them again by number, for
// each way in which rows are told apart.
func TestRowsAreToldApart(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db,
			`CREATE TABLE signed (id bigint PRIMARY KEY, v int)`, `INSERT INTO signed VALUES (-9223372036854775808, 1), (-1, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (9223372036854775807, 8)`,
			`CREATE TABLE unsig (id bigint unsigned PRIMARY KEY, v int)`, `INSERT INTO unsig VALUES (0, 1), (18446744073709551615, 2), (5, 3), (9223372036854775808, 4)`,
			`CREATE TABLE pairs (a smallint NOT NULL, b int unsigned NOT NULL, v int, PRIMARY KEY (b, a))`, `INSERT INTO pairs VALUES (-32768, 4294967295, 1), (32767, 0, 2), (-1, 7, 3), (0, 7, 4)`,
			`CREATE TABLE other (code varchar(20) NOT NULL, n int NOT NULL, v int, UNIQUE KEY (n), PRIMARY KEY (code))`, `INSERT INTO other VALUES ('x', 3, 1), ('y', -3, 2), ('z', 9, 3), ('zz', 10, 4)`,
			`CREATE TABLE uuids (id char(36) NOT NULL, part varchar(10) NOT NULL, v int, PRIMARY KEY (id, part))`,
			`INSERT INTO uuids VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '', 1), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'x', 2), ('short', 'a''\b', 3), ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', '🦆', 4)`,
			`CREATE TABLE bytes (id binary(16) PRIMARY KEY, v int)`, `INSERT INTO bytes VALUES (x'00', 1), (x'27', 2), (x'5c00ff', 3), (repeat(x'ff', 16), 4)`,
			`CREATE TABLE moments (at datetime(6) PRIMARY KEY, v int)`, `INSERT INTO moments VALUES ('0000-00-00', 1), ('2020-01-01 00:00:00.000001', 2), ('2020-01-01', 3), ('9999-12-31 23:59:59.999999', 4)`,
			`CREATE TABLE keyless (a int, b varchar(10), v float)`, `INSERT INTO keyless VALUES (1, 'x', 1), (1, 'x', 1), (1, 'x', 1), (2, NULL, 2), (NULL, NULL, NULL), (3, 'y', 0.1)`)
		o := open(t, url, engine.Limits{})
		for _, name := range []string{"signed", "unsig", "pairs", "other", "uuids", "bytes", "moments", "keyless"} {
			table := o.table(t, name)
			all, _ := o.found(t, engine.Find{Table: table, Columns: []string{"v"}})
			slices.Sort(all)
			if len(slices.Compact(slices.Clone(all))) != len(all) {
				t.Errorf("%s: two rows have one number: %v", name, all)
			}
			r := engine.Read{Table: table, Columns: []string{"v"}, Look: []int{0}}
			whole := o.texts(t, r)
			r.Rows = all
			got := o.texts(t, r)
			slices.Sort(whole)
			slices.Sort(got)
			if !slices.Equal(got, whole) {
				t.Errorf("%s: all rows by number are %q, want %q", name, got, whole)
			}
			for half := range 2 {
				ids, want := o.found(t, engine.Find{Table: table, Columns: []string{"v"}, Where: fmt.Sprintf("mod(coalesce(v, 1), 2) >= 0.5 + %d", half-1)})
				slices.Sort(ids)
				r.Rows = ids
				got := o.texts(t, r)
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s: rows found are %q, read again %q", name, want, got)
				}
			}
		}
		// Equal rows count each: two finds of the same rows are the same rows.
		table := o.table(t, "keyless")
		first, _ := o.found(t, engine.Find{Table: table, Where: "a = 1"})
		keys := &engine.Tuples{Width: 1}
		keys.AddString("x")
		second, _ := o.found(t, engine.Find{Table: table, By: []string{"b"}, Keys: keys})
		if len(first) != 3 || !slices.Equal(first, second) {
			t.Errorf("equal rows are %v and %v", first, second)
		}
	})
}

// TestKeysOfEveryType finds rows by keys of many types, some of which no row can have.
func TestKeysOfEveryType(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		o := func() *opened { return open(t, url, engine.Limits{}) }
		cases := []struct{ kind, literal, key string }{
			{"int", "5", "5"}, {"bigint unsigned", "18446744073709551615", "18446744073709551615"}, {"decimal(20,5)", "1.5", "1.50000"}, {"double", "0.1", "0.1"}, {"float", "0.1", "0.1"},
			{"bit(9)", "300", "300"}, {"bit(1)", "1", "true"}, {"tinyint(1)", "0", "false"}, {"year", "2020", "2020"}, {"varchar(20)", "'a''\\b'", "a'\\b"}, {"varchar(20) character set latin1", "'é'", "é"},
			{"binary(3)", "x'5c2700'", "\\'\x00"}, {"date", "'2020-02-29'", "2020-02-29"}, {"datetime(3)", "'2020-02-29 01:02:03.5'", "2020-02-29 01:02:03.5"},
			{"timestamp null", "'2020-02-29 01:02:03'", "2020-02-29 01:02:03"}, {"time", "'-12:00:00'", "-12:00:00"}, {"enum('a','b')", "'b'", "b"}, {"set('a','b')", "'a,b'", "a,b"},
		}
		for i, c := range cases {
			must(t, db, fmt.Sprintf("CREATE TABLE k%02d (id int PRIMARY KEY, k %s)", i, c.kind), fmt.Sprintf("INSERT INTO k%02d VALUES (1, %s), (2, NULL)", i, c.literal))
		}
		m := o()
		for i, c := range cases {
			table := m.table(t, fmt.Sprintf("k%02d", i))
			keys := &engine.Tuples{Width: 1}
			for _, k := range []string{"no such thing", "1e5", "--", "", c.key, c.key} {
				keys.AddString(k)
			}
			if _, got := m.found(t, engine.Find{Table: table, Columns: []string{"k"}, By: []string{"k"}, Keys: keys}); !slices.Equal(got, []string{c.key}) {
				t.Errorf("%s: %q found by %q", c.kind, got, c.key)
			}
		}
	})
}

// TestCancelStopsTheServer cancels a statement that would run for long and looks
// whether the server still works on it.
func TestCancelStopsTheServer(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE slow (id int PRIMARY KEY)", "INSERT INTO slow VALUES (1), (2), (3)")
		o := open(t, url, engine.Limits{})
		table := o.table(t, "slow")
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		began := time.Now()
		var failed error
		for _, err := range o.snap.Find(ctx, engine.Find{Table: table, Where: "sleep(20) = 0 /* never accepted, but slow */"}) {
			failed = err
		}
		if engine.CodeOf(failed) != engine.Timeout || time.Since(began) > 5*time.Second {
			t.Errorf("the cancelled statement ended with %v after %s", failed, time.Since(began))
		}
		// A statement leaves the list a moment after its answer.
		for deadline := began.Add(5 * time.Second); ; _ = wait(t.Context(), 10*time.Millisecond) {
			running, err := query(t.Context(), db, "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%never accepted%' AND info NOT LIKE '%processlist%'")
			if err == nil && slices.Equal(running, []string{"0"}) {
				break
			}
			if err != nil || time.Now().After(deadline) {
				t.Errorf("statements that still run: %q, %v", running, err)
				break
			}
		}
		if got := o.texts(t, engine.Read{Table: table, Columns: []string{"id"}, Look: []int{0}}); len(got) != 3 {
			t.Errorf("the moment is gone after a cancelled statement: %q", got)
		}
	})
}

// TestReadersSeeOneMomentUnderLoad takes moments while transactions that move an
// amount between two rows commit all the time.
func TestReadersSeeOneMomentUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE accounts (id int PRIMARY KEY, amount int)", "INSERT INTO accounts VALUES (1, 1000), (2, 1000)")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				tx, err := db.BeginTx(ctx, nil)
				if err != nil {
					return
				}
				_, _ = tx.ExecContext(ctx, "UPDATE accounts SET amount = amount - 1 WHERE id = 1")
				_, _ = tx.ExecContext(ctx, "UPDATE accounts SET amount = amount + 1 WHERE id = 2")
				_ = tx.Commit()
			}
		}()
		ways := map[string]int{}
		for range 10 {
			o := open(t, url, engine.Limits{Readers: 3})
			snap := o.snap.(*snapshot)
			ways[snap.Moment()]++
			seen := map[string]bool{}
			for range snap.readers { // each in turn
				got := o.texts(t, engine.Read{Table: o.table(t, "accounts"), Columns: []string{"amount"}, Look: []int{0}})
				seen[strings.Join(got, " ")] = true
			}
			if len(seen) != 1 {
				t.Errorf("readers of one moment (%s) saw %v", snap.Moment(), seen)
			}
			if err := o.snap.Close(); err != nil {
				t.Error(err)
			}
			o.snap = nil
		}
		stop()
		<-done
		t.Log(ways)
	})
}

// TestGivesWay lets a change of structure wait for a table that is read.
func TestGivesWay(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE kept (id int PRIMARY KEY)", "INSERT INTO kept VALUES (1)", "CREATE TABLE free (id int PRIMARY KEY)")
		o := open(t, url, engine.Limits{})
		must(t, db, "SET SESSION lock_wait_timeout = 30", "ALTER TABLE kept ADD COLUMN more int") // on one of the client's connections
		var failed error
		for _, err := range o.snap.Read(t.Context(), engine.Read{Table: o.table(t, "free"), Columns: []string{"id"}}) {
			failed = err
		}
		e, _ := failed.(*engine.Error)
		if e == nil || e.Code != engine.Stopped || e.Table.Table != "kept" {
			t.Errorf("after it gave way: %v", failed)
		}
	})
}

// TestPartialDatesAreTold: a date without a month or day cannot be looked into.
func TestPartialDatesAreTold(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		url := freshDatabase(t, server)
		db := application(t, url)
		must(t, db, "CREATE TABLE t (id int PRIMARY KEY, a date, b datetime(3), c date, d timestamp NULL)",
			"INSERT INTO t VALUES (1, '2020-02-29', '2020-00-01 10:00:00', '0000-00-00', '2020-01-01'), (2, NULL, NULL, '2021-01-01', NULL)")
		o := open(t, url, engine.Limits{})
		table := o.table(t, "t")
		got, err := o.snap.(engine.Contradictor).Contradictions(t.Context(), table, []string{"b"}, []string{"a", "b", "c", "d"})
		if err != nil || !slices.Equal(got, []string{"b"}) {
			t.Errorf("columns with partial dates: %q, %v", got, err)
		}
		read := func(blind []int) (err error) {
			for _, err = range o.snap.Read(t.Context(), engine.Read{Table: table, Columns: []string{"c", "b"}, Look: []int{0, 1}, Blind: blind}) {
				if err != nil {
					return err
				}
			}
			return nil
		}
		if err := read(nil); engine.CodeOf(err) != engine.Contradicts {
			t.Errorf("looked into: %v", err)
		}
		if err := read([]int{1}); err != nil {
			t.Errorf("replaced whatever it holds: %v", err)
		}
	})
}
