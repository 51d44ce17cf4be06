package mysql

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/secret"
)

// The test binary, started anew with these in its environment, does one refresh
// and tells its steps on standard output; its parent kills it.
const (
	childSource = "UNDERSTUDY_TEST_CHILD_SOURCE"
	childTarget = "UNDERSTUDY_TEST_CHILD_TARGET"
	childRun    = "UNDERSTUDY_TEST_CHILD_RUN"
	childPlace  = "UNDERSTUDY_TEST_CHILD_PLACE" // to stop at
	childMode   = "UNDERSTUDY_TEST_CHILD_MODE"  // replace, or empty
)

// TestChild is the process that the tests below kill; alone it does nothing.
func TestChild(t *testing.T) {
	if os.Getenv(childRun) == "" {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tg := openTarget(t, os.Getenv(childTarget))
	tg.pauses = func(ctx context.Context, place string) error {
		fmt.Println("at", place)
		if place == os.Getenv(childPlace) {
			<-ctx.Done() // the parent kills
		}
		return nil
	}
	var in engine.Target = tg
	if os.Getenv(childMode) == "replace" {
		tg.limits.LockWait = time.Minute
		in = tg.InPlace()
	}
	if err := run(ctx, t, os.Getenv(childSource), in, engine.Spec{RunID: os.Getenv(childRun), Keep: 1}); err != nil {
		fmt.Println("failed:", err)
		t.Fail()
	}
}

// startChild starts a refresh, of mode swap or replace, in a process of its own that
// stops at a place, and returns when it is there.
func startChild(t *testing.T, production, staging, run, place, mode string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childSource+"="+production, childTarget+"="+staging, childRun+"="+run, childPlace+"="+place, childMode+"="+mode)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reached := false
	for s := bufio.NewScanner(out); !reached && s.Scan(); {
		reached = s.Text() == "at "+place
	}
	if !reached {
		kill(cmd)
		t.Fatalf("the run did not come to %s", place)
	}
	return cmd
}

func kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // SIGKILL
	_ = cmd.Wait()         // it was killed
}

// openTarget opens a target that waits for locks as short as can be.
func openTarget(t *testing.T, url string) *target {
	t.Helper()
	at, err := New().Parse(secret.New(url))
	if err != nil {
		t.Fatal(err)
	}
	tg, err := New().Target(t.Context(), at, engine.Limits{LockWait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tg.Close() })
	return tg.(*target)
}

// run copies every table of a source into a target by their names.
func run(ctx context.Context, t *testing.T, from string, tg engine.Target, spec engine.Spec) error {
	at, err := New().Parse(secret.New(from))
	if err != nil {
		return err
	}
	source, err := New().Source(ctx, at, engine.Limits{})
	if err != nil {
		return err
	}
	defer source.Close()
	return copyAll(ctx, source, nil, tg, spec)
}

// copyAll copies the tables of the given schemas; names gives those that have
// another name in the target.
func copyAll(ctx context.Context, source engine.Source, schemas []string, tg engine.Target, spec engine.Spec) error {
	own, ok := tg.(*target)
	if x, inPlace := tg.(*inPlace); inPlace {
		own, ok = x.target, true
	}
	if !ok {
		return fmt.Errorf("a target of another kind: %T", tg)
	}
	structure, err := source.Inspect(ctx, schemas)
	if err != nil {
		return err
	}
	moment, err := source.Snapshot(ctx, structure)
	if err != nil {
		return err
	}
	defer moment.Close()
	if spec.Step == nil {
		spec.Step = func(string) {}
	}
	spec.Writers = 2
	if spec.Structure != nil {
		spec.Structure = moment.Structure()
	}
	l, err := tg.Begin(ctx, spec)
	if err != nil {
		return err
	}
	defer l.Abort(context.WithoutCancel(ctx))
	for i := range structure.Tables {
		table := &structure.Tables[i]
		name := table.Name
		if to, ok := spec.Names[name.Schema]; ok {
			name.Schema = to
		} else if len(own.databases) == 1 {
			name.Schema = own.databases[0]
		}
		if slices.Contains(spec.Preserve, name) {
			continue
		}
		columns := table.Written()
		if _, err := l.Write(ctx, name, columns, moment.Read(ctx, engine.Read{Table: table, Columns: columns, Into: l, As: name})); err != nil {
			return err
		}
	}
	if err := moment.Close(); err != nil {
		return err
	}
	if err := l.Finish(ctx); err != nil {
		return err
	}
	proofs, err := l.Prove(ctx, nil)
	if err != nil {
		return err
	}
	for _, p := range proofs {
		if p.Failures != 0 {
			return fmt.Errorf("proof %+v", p)
		}
	}
	return l.Switch(ctx, []byte("{}"))
}

// film is a small database whose trigger fills a table beside the one it watches.
func film() []string {
	return []string{
		`CREATE TABLE film (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, title varchar(50) NOT NULL, sequel int, KEY sequel (sequel), CONSTRAINT film_sequel FOREIGN KEY (sequel) REFERENCES film (id))`,
		`CREATE TABLE film_text (film_id int NOT NULL PRIMARY KEY, title varchar(50), CONSTRAINT film_text_film FOREIGN KEY (film_id) REFERENCES film (id) ON DELETE CASCADE)`,
		`CREATE TRIGGER film_named BEFORE INSERT ON film FOR EACH ROW SET NEW.title = trim(NEW.title)`,
		`CREATE TRIGGER film_ducked BEFORE INSERT ON film FOR EACH ROW SET NEW.title = concat(NEW.title, '🦆')`,
		`CREATE TRIGGER film_added AFTER INSERT ON film FOR EACH ROW INSERT INTO film_text VALUES (NEW.id, NEW.title)`,
		`CREATE VIEW titles AS SELECT f.title, t.title AS text FROM film f JOIN film_text t ON t.film_id = f.id`,
	}
}

// films makes a production with rows and a staging with the same structure and other rows.
func films(t *testing.T, server *scratch.MySQL) (production, staging string) {
	t.Helper()
	production, staging = freshDatabase(t, server), freshDatabase(t, server)
	from, to := application(t, production), application(t, staging)
	must(t, from, film()...)
	must(t, from, `INSERT INTO film (id, title) VALUES (0, 'zero'), (10, 'ten '), (11, 'eleven')`, `UPDATE film SET sequel = 11 WHERE id <> 11`)
	must(t, to, film()...)
	must(t, to, `INSERT INTO film (id, title) VALUES (1, 'old')`)
	return production, staging
}

func filmContent(t *testing.T, db *sql.DB) string {
	t.Helper()
	var out []string
	for _, q := range []string{"SELECT id, title, sequel FROM film ORDER BY id", "SELECT film_id, title FROM film_text ORDER BY film_id", "SELECT title, text FROM titles ORDER BY title"} {
		rows, err := query(t.Context(), db, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		out = append(out, strings.Join(rows, ";"))
	}
	return strings.Join(out, "\n")
}

// triggersOf lists a database's triggers in the order in which they fire.
func triggersOf(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := query(t.Context(), db, "SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement, definer, sql_mode FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY 2, 3, 4, action_order")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, "\n")
}

// besides lists the databases beside a target.
func besides(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := query(t.Context(), db, `SELECT schema_name FROM information_schema.schemata WHERE left(schema_name, length(database()) + 1) = concat(database(), '_') ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, " ")
}

// untilFree runs again while the server has not noticed that a killed run is gone.
func untilFree(ctx context.Context, t *testing.T, from string, tg engine.Target, spec engine.Spec) error {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		err := run(ctx, t, from, tg, spec)
		if err == nil || engine.CodeOf(err) != engine.Busy || time.Now().After(deadline) {
			return err
		}
		_ = wait(ctx, 20*time.Millisecond)
	}
}

// TestKilledAtAPlace kills a run at each step; the target is one generation or the
// other, whole, and the next run needs no hand work.
func TestKilledAtAPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		from, to := application(t, production), application(t, staging)
		triggers := triggersOf(t, to)
		for i, place := range []string{"created", "tables", "indexes", "manifest", "prepared", "triggers dropped", "renamed", "followed", "switched"} {
			t.Run(place, func(t *testing.T) {
				must(t, from, fmt.Sprintf("INSERT INTO film (title) VALUES ('at %d')", i))
				before := filmContent(t, to)
				kill(startChild(t, production, staging, fmt.Sprintf("run%d", i), place, "swap"))
				after := filmContent(t, to)
				whole := filmContent(t, from)
				if after != before && after != whole {
					t.Errorf("staging is neither generation:\n%s", after)
				}
				if switched := after == whole; switched != slices.Contains([]string{"renamed", "followed", "switched"}, place) {
					t.Errorf("killed at %s, switched: %v", place, switched)
				}
				missing := slices.Contains([]string{"triggers dropped", "renamed"}, place)
				unfinished(t, staging, missing)
				if missing {
					tg := openTarget(t, staging)
					if err := tg.Mend(t.Context(), fmt.Sprintf("mend%d", i), 1); err != nil {
						t.Fatal(err)
					}
					if state, err := tg.State(t.Context()); err != nil || state.Unfinished != "" || triggersOf(t, to) != triggers || filmContent(t, to) != after {
						t.Errorf("after mending: %v, %q, triggers %s", err, state.Unfinished, triggersOf(t, to))
					}
				}
				must(t, from, fmt.Sprintf("INSERT INTO film (title) VALUES ('after %d')", i))
				if err := untilFree(t.Context(), t, production, openTarget(t, staging), engine.Spec{RunID: fmt.Sprintf("next%d", i), Keep: 1}); err != nil {
					t.Fatal(err)
				}
				if got, want := filmContent(t, to), filmContent(t, from); got != want {
					t.Errorf("after the next run:\n%s\nwant\n%s", got, want)
				}
				if got := triggersOf(t, to); got != triggers {
					t.Errorf("triggers:\n%s\nwant\n%s", got, triggers)
				}
				if left := besides(t, to); strings.Contains(left, "_next_") || strings.Count(left, "_prev_") != 1 {
					t.Errorf("left behind: %s", left)
				}
			})
		}
	})
}

// unfinished wants the state to tell of triggers that a killed run left missing, or of
// nothing, as soon as the server has noticed that the run is gone.
func unfinished(t *testing.T, staging string, missing bool) {
	t.Helper()
	tg := openTarget(t, staging)
	for deadline := time.Now().Add(20 * time.Second); ; _ = wait(t.Context(), 20*time.Millisecond) {
		state, err := tg.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if state.Busy != "" && time.Now().Before(deadline) {
			continue
		}
		if said := strings.Contains(state.Unfinished, "lacks trigger "); said != missing || !missing && state.Unfinished != "" {
			t.Errorf("the state tells %q", state.Unfinished)
		}
		return
	}
}

// TestAFileLeftInAFolder leaves in the folder of a crashed run's database a file that
// the server does not know, as one does that was killed while it rebuilt a table: the
// folder then cannot go, and no later run may fail because of it.
func TestAFileLeftInAFolder(t *testing.T) {
	onBoth(t, func(t *testing.T, server *scratch.MySQL) {
		production, staging := films(t, server)
		from, to := application(t, production), application(t, staging)
		kill(startChild(t, production, staging, "crashed", "indexes", "swap"))
		left := besides(t, to)
		if !strings.Contains(left, "_next_") {
			t.Fatalf("the crashed run left no database: %q", left)
		}
		for _, name := range strings.Fields(left) {
			file := filepath.Join(server.DataDir(), name, "#sql-alter-1-2.tmp")
			if err := os.WriteFile(file, []byte("left"), 0o666); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Remove(file) }) // the folder may be gone
		}
		for i := range 3 {
			must(t, from, fmt.Sprintf("INSERT INTO film (title) VALUES ('after %d')", i))
			if err := untilFree(t.Context(), t, production, openTarget(t, staging), engine.Spec{RunID: fmt.Sprintf("next%d", i), Keep: 1}); err != nil {
				t.Fatal(err)
			}
			if got, want := filmContent(t, to), filmContent(t, from); got != want {
				t.Errorf("after run %d:\n%s\nwant\n%s", i, got, want)
			}
		}
	})
}
