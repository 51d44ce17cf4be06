package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// openTarget opens a target and clears what the test leaves beside it.
func openTarget(t testing.TB, address string) *target {
	t.Helper()
	at, err := parseAddress(secret.New(address))
	if err != nil {
		t.Fatal(err)
	}
	tg, err := newTarget(t.Context(), at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tg.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second) // undo: the test's context is over
		defer cancel()
		if c, err := tg.maintenance(ctx, "test"); err == nil {
			defer c.hangUp()
			rows, _ := c.query(ctx, "list", `SELECT datname FROM pg_database WHERE datname LIKE $1`, at.database+`\_%`)
			for _, r := range rows {
				_ = dropDatabase(ctx, c, string(r[0]))
			}
		}
	})
	return tg
}

func openSource(t testing.TB, address string) engine.Source {
	t.Helper()
	at, err := New().Parse(secret.New(address))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New().Source(t.Context(), at, engine.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func quietSpec(run string) engine.Spec {
	return engine.Spec{RunID: run, Keep: 1, Writers: 2, Step: func(string) {}}
}

// copyAll loads every row of a snapshot, but of the tables left out.
func copyAll(ctx context.Context, snap engine.Snapshot, s *schema.Schema, l engine.Load, leave ...schema.Name) error {
	for i := range s.Tables {
		table := &s.Tables[i]
		if slices.Contains(leave, table.Name) {
			continue
		}
		columns := table.Written()
		n, err := l.Write(ctx, table.Name, columns, snap.Read(ctx, engine.Read{Table: table, Columns: columns, Into: l, As: table.Name}))
		if err != nil {
			return err
		}
		rows, _, err := l.Count(ctx, table.Name, nil)
		if err != nil {
			return err
		}
		if rows != n {
			return fmt.Errorf("%s: %d rows sent, %d counted", table.Name, n, rows)
		}
	}
	return nil
}

// refresh does a whole run, everything kept as it is.
func refresh(ctx context.Context, source engine.Source, tg engine.Target, spec engine.Spec, foreign bool) (proofs []engine.Proof, err error) {
	s, err := source.Inspect(ctx, spec.Schemas)
	if err != nil {
		return nil, err
	}
	snap, err := source.Snapshot(ctx, s)
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	if foreign {
		spec.Structure = snap.Structure()
	}
	l, err := tg.Begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		err = errors.Join(err, l.Abort(undo))
	}()
	if err := copyAll(ctx, snap, s, l, spec.Preserve...); err != nil {
		return nil, err
	}
	if err := l.Finish(ctx); err != nil {
		return nil, err
	}
	if proofs, err = l.Prove(ctx, spec.Schemas); err != nil {
		return nil, err
	}
	return proofs, l.Switch(ctx, []byte(`{"run":"`+spec.RunID+`"}`))
}

func mustRefresh(t *testing.T, source engine.Source, tg engine.Target, spec engine.Spec, foreign bool) {
	t.Helper()
	proofs, err := refresh(t.Context(), source, tg, spec, foreign)
	if err != nil {
		t.Fatalf("refresh %s: %v", spec.RunID, err)
	}
	checkProofs(t, proofs)
}

func checkProofs(t *testing.T, proofs []engine.Proof) {
	t.Helper()
	if len(proofs) == 0 {
		t.Error("nothing was proved")
	}
	for _, p := range proofs {
		if p.Failures != 0 {
			t.Errorf("not proved: %+v", p)
		}
	}
}

// sampleDatabase makes a database of one of the samples' dumps.
func sampleDatabase(t *testing.T, files ...string) string {
	t.Helper()
	address := scratchtest.Database(t)
	for _, f := range files {
		scratchtest.Load(t, address, scratchtest.SampleDatabase(t, f))
	}
	return address
}

// structureOnly empties the tables of a database, triggers and keys staying.
func structureOnly(t *testing.T, address string) {
	t.Helper()
	tables := scratchtest.Query(t, address, `SELECT string_agg(quote_ident(nspname) || '.' || quote_ident(relname), ', ')
		FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r','p') AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'understudy')`)
	scratchtest.SQL(t, address, "TRUNCATE "+tables)
}

const (
	constraintsQuery = `SELECT n.nspname, t.relname, o.conname, o.contype, o.convalidated, pg_get_constraintdef(o.oid) FROM pg_constraint o
		JOIN pg_class t ON t.oid = o.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'understudy') ORDER BY 1, 2, 3`
	objectsQuery = `SELECT relkind, n.nspname, relname, relispopulated, relrowsecurity FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'understudy') ORDER BY 1, 2, 3`
	triggersQuery = `SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2`
	indexesQuery  = `SELECT indexrelid::regclass, indisvalid, pg_get_indexdef(indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'understudy') ORDER BY 1`
)

// contents gives a digest of every table's rows.
func contents(t *testing.T, address string) string {
	t.Helper()
	tables := scratchtest.Query(t, address, `SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE relkind IN ('r', 'm') AND relispopulated AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'understudy', 'understudy_next') ORDER BY 1`)
	var out strings.Builder
	for name := range strings.Lines(tables) {
		name = strings.TrimSpace(name)
		fmt.Fprintf(&out, "%s %s\n", name, scratchtest.Query(t, address, "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ONLY "+name+" t"))
	}
	return out.String()
}

func same(t *testing.T, what, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range w {
		if !slices.Contains(g, line) {
			t.Errorf("%s: missing: %s", what, line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			t.Errorf("%s: unexpected: %s", what, line)
		}
	}
}

func TestWholeDatabase(t *testing.T) {
	scratchtest.Long(t)
	samples := map[string][]string{
		"sakila": {"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"},
		"pagila": {"pagila/pagila.sql.gz"},
	}
	for name, files := range samples {
		for _, empty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, empty target %v", name, empty), func(t *testing.T) {
				production, staging := sampleDatabase(t, files...), scratchtest.Database(t)
				if !empty {
					staging = sampleDatabase(t, files...)
					structureOnly(t, staging)
				}
				tg := openTarget(t, staging)
				mustRefresh(t, openSource(t, production), tg, quietSpec("r1"), empty)
				for what, query := range map[string]string{"constraints": constraintsQuery, "objects": objectsQuery, "triggers": triggersQuery, "indexes": indexesQuery} {
					same(t, what, scratchtest.Query(t, production, query), scratchtest.Query(t, staging, query))
				}
				same(t, "rows", contents(t, production), contents(t, staging))
				proofs, err := tg.Prove(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				checkProofs(t, proofs)
				state, err := tg.State(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !state.Claimed || len(state.Generations) != 2 || state.Generations[0].ID != "r1" || state.Generations[1].ID != "before-r1" || string(state.Manifest) != `{"run":"r1"}` ||
					len(state.Leftovers) != 0 || state.Switched != "" || len(state.Obstacles) != 0 {
					t.Errorf("state after the switch: %+v", state)
				}
			})
		}
	}
}
