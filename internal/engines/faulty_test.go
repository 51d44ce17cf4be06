package engines_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/engine/faulty"
	"understudy/internal/engine/sqlite"
	"understudy/internal/secret"
)

// TestEachPointFails runs a small refresh once for each point and looks whether
// exactly the planned fault came back, and what then stands in the target.
func TestEachPointFails(t *testing.T) {
	for _, at := range faulty.Points() {
		t.Run(string(at), func(t *testing.T) {
			dir := t.TempDir()
			from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
			execute(t, from, "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)", "INSERT INTO a VALUES (1, 'x'), (2, 'y')")
			execute(t, to, "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)")
			e := faulty.New(sqlite.New(), faulty.Fault{At: at, Nth: 1, Code: engine.Stopped})
			err := refresh(t, e, from, to)
			if e.Struck() != 1 || engine.CodeOf(err) != engine.Stopped {
				t.Fatalf("%d faults struck; error %v", e.Struck(), err)
			}
			switched := at == faulty.SwitchAfter || at == faulty.Abort
			if errors.Is(err, engine.ErrSwitched) != (at == faulty.SwitchAfter) {
				t.Errorf("ErrSwitched: %v", err)
			}
			if n := rows(t, to); (n == 2) != switched {
				t.Errorf("%d rows in the target afterwards", n)
			}
			if err := refresh(t, faulty.New(sqlite.New()), from, to); err != nil {
				t.Errorf("the next run: %v", err)
			}
		})
	}
}

// TestFaultyCanDoWhatItsEngineCan compares what both sides and a load offer,
// wrapped and not.
func TestFaultyCanDoWhatItsEngineCan(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
	execute(t, from, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
	execute(t, to, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
	offers := func(e engine.Engine) []bool {
		open := func(path string) engine.Address {
			at, err := e.Parse(secret.New("sqlite:" + path))
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		src, err := e.Source(t.Context(), open(from), engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		dst, err := e.Target(t.Context(), open(to), engine.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := src.Inspect(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		snap, err := src.Snapshot(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		var out []bool
		add := func(ok bool) { out = append(out, ok) }
		for _, target := range []engine.Target{dst, dst.(engine.Replaceable).InPlace()} {
			load, err := target.Begin(t.Context(), engine.Spec{RunID: "run", Step: func(string) {}})
			if err != nil {
				t.Fatal(err)
			}
			_, ok := target.(engine.Scripted)
			add(ok)
			_, ok = target.(engine.Replaceable)
			add(ok)
			_, ok = load.(engine.Amendable)
			add(ok)
			if err := load.Abort(context.WithoutCancel(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		_, ok := src.(engine.Withholder)
		add(ok)
		_, ok = snap.(engine.Contradictor)
		add(ok)
		_, ok = snap.(engine.Timed)
		add(ok)
		_, ok = snap.(engine.Combiner)
		add(ok)
		return out
	}
	if bare, wrapped := offers(sqlite.New()), offers(faulty.New(sqlite.New())); !slices.Equal(bare, wrapped) {
		t.Errorf("the engine offers %v, wrapped %v", bare, wrapped)
	}
}

func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func rows(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM a").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func refresh(t *testing.T, e engine.Engine, from, to string) (err error) {
	t.Helper()
	ctx := t.Context()
	source, target := open(t, e, from, e.Source), open(t, e, to, e.Target)
	structure, err := source.Inspect(ctx, nil)
	if err != nil {
		return err
	}
	snap, err := source.Snapshot(ctx, structure)
	if err != nil {
		return err
	}
	defer snap.Close()
	if _, err := target.State(ctx); err != nil {
		return err
	}
	a := &structure.Tables[0]
	for _, err := range snap.Find(ctx, engine.Find{Table: a, Columns: []string{"id"}}) {
		if err != nil {
			return err
		}
	}
	l, err := target.Begin(ctx, engine.Spec{RunID: "run", Step: func(string) {}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Abort(context.WithoutCancel(ctx))) }()
	if _, err := l.Write(ctx, a.Name, a.Written(), snap.Read(ctx, engine.Read{Table: a, Columns: a.Written()})); err != nil {
		return err
	}
	if err := l.Finish(ctx); err != nil {
		return err
	}
	if _, _, err := l.Count(ctx, a.Name, nil); err != nil {
		return err
	}
	if _, err := l.Prove(ctx, nil); err != nil {
		return err
	}
	return l.Switch(ctx, []byte("{}"))
}

func open[S interface{ Close() error }](t *testing.T, e engine.Engine, path string, how func(context.Context, engine.Address, engine.Limits) (S, error)) S {
	t.Helper()
	at, err := e.Parse(secret.New("sqlite:" + path))
	if err != nil {
		t.Fatal(err)
	}
	side, err := how(t.Context(), at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = side.Close() })
	return side
}
