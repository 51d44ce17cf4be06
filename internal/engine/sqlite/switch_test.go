package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"understudy/internal/engine"
)

// generation makes a source whose rows all say n.
func generation(t *testing.T, n int) string {
	t.Helper()
	return made(t, "from.db", []string{
		`CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, pad TEXT)`, `CREATE INDEX a_n ON a (n)`,
		fmt.Sprintf(`INSERT INTO a WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i < 20000) SELECT i, %d, printf('%%0100d', i) FROM s`, n),
	})
}

// whole says which generation a database holds; it fails if it is a mixture.
func whole(ctx context.Context, db *sql.DB) (int, error) {
	var low, high, count int
	if err := db.QueryRowContext(ctx, `SELECT min(n), max(n), count(*) FROM a NOT INDEXED`).Scan(&low, &high, &count); err != nil {
		return 0, err
	}
	var byIndex int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM a INDEXED BY a_n WHERE n = ?`, low).Scan(&byIndex); err != nil {
		return 0, err
	}
	if low != high || count != 20000 || byIndex != count {
		return 0, fmt.Errorf("a mixture: n from %d to %d, %d rows, %d by the index", low, high, count, byIndex)
	}
	return low, nil
}

// TestSwitchUnderReaders switches while applications hold the target open and read it.
func TestSwitchUnderReaders(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			path := generation(t, 1)
			app := client(t, path, "&_pragma=journal_mode("+mode+")")
			if _, err := whole(t.Context(), app); err != nil {
				t.Fatal(err)
			}
			var reads atomic.Int64
			stop, done := make(chan struct{}), make(chan error, 1)
			go func() {
				for {
					select {
					case <-stop:
						done <- nil
						return
					default:
					}
					tx, err := app.BeginTx(context.WithoutCancel(t.Context()), nil)
					if err == nil {
						var n int
						err = tx.QueryRow(`SELECT CASE WHEN min(n) = max(n) AND count(*) = 20000 THEN 1 ELSE 0 END FROM a NOT INDEXED`).Scan(&n)
						_ = tx.Rollback()
						if err == nil && n != 1 {
							done <- errors.New("a reader saw a mixture")
							return
						}
					}
					if err != nil && !strings.Contains(err.Error(), "locked") {
						done <- err
						return
					}
					reads.Add(1)
				}
			}()
			to := targetOf(t, path)
			for n := 2; n <= 4; n++ {
				structure, snap := snapshotOf(t, generation(t, n))
				l, err := begin(t.Context(), to, structure, snap, fmt.Sprint("run-", n))
				if err == nil {
					err = l.Switch(t.Context(), nil)
				}
				if l != nil {
					_ = l.Abort(context.WithoutCancel(t.Context()))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			close(stop)
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n, err := whole(t.Context(), app); n != 4 || err != nil {
				t.Errorf("the application sees generation %d: %v", n, err)
			}
			var journal string
			if err := app.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&journal); err != nil || journal != mode {
				t.Errorf("journal mode afterwards: %q %v", journal, err)
			}
			t.Logf("%d reads meanwhile", reads.Load())
		})
	}
}

// TestSwitchGivesUp: an application that does not let go leaves the old generation,
// and is waited for as long as the limit says, not several times.
func TestSwitchGivesUp(t *testing.T) {
	path := generation(t, 1)
	app := client(t, path, "")
	tx, err := app.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`UPDATE a SET n = n WHERE id = 1`); err != nil { // holds the write lock
		t.Fatal(err)
	}
	structure, snap := snapshotOf(t, generation(t, 2))
	to := targetOf(t, path)
	l, err := begin(t.Context(), to, structure, snap, "busy")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = l.Switch(t.Context(), nil)
	if engine.CodeOf(err) != engine.Timeout || errors.Is(err, engine.ErrSwitched) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 5*to.limits.LockWait {
		t.Errorf("it was waited for %v, with a limit of %v", took, to.limits.LockWait)
	}
	if err := l.Abort(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	_ = tx.Rollback()
	if n, err := whole(t.Context(), app); n != 1 || err != nil {
		t.Errorf("generation %d: %v", n, err)
	}
	state, err := to.State(t.Context())
	if err != nil || len(state.Leftovers) != 0 || len(state.Generations) != 0 {
		t.Errorf("%v %+v", err, state)
	}
}

// TestKill kills a child between the beginning of a run and its end, at moments
// spread over the run, with an application holding the target open in WAL mode.
func TestKill(t *testing.T) {
	if from := os.Getenv("UNDERSTUDY_TEST_KILL_FROM"); from != "" {
		run(t, from, os.Getenv("UNDERSTUDY_TEST_KILL_TO"))
		return
	}
	if testing.Short() {
		t.Skip("short: starts and kills child processes")
	}
	path := generation(t, 1)
	app := client(t, path, "&_pragma=journal_mode(wal)")
	sources := map[int]string{0: generation(t, 2), 1: generation(t, 3)}
	histogram := map[string]int{}
	const kills = 24
	for i := range kills {
		old, err := whole(t.Context(), app)
		if err != nil {
			t.Fatal(err)
		}
		at := killOnce(t, sources[i%2], path, i, kills)
		now, err := whole(t.Context(), app)
		if err != nil {
			t.Fatalf("after kill %d (%s): %v", i, at, err)
		}
		outcome := "old"
		if now != old {
			outcome = "new"
		}
		histogram[at+", "+outcome]++
	}
	t.Logf("kills by last step and generation found: %v", histogram)
	run(t, sources[0], path) // the next run needs no hand work
	if n, err := whole(t.Context(), app); n != 2 || err != nil {
		t.Errorf("generation %d: %v", n, err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if err != nil || len(left) != 1 { // the kept generation
		t.Errorf("%v: files left: %q", err, left)
	}
}

// killOnce starts a child and kills it some time after it has begun.
func killOnce(t *testing.T, from, to string, i, kills int) string {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
	child.Env = append(os.Environ(), "UNDERSTUDY_TEST_KILL_FROM="+from, "UNDERSTUDY_TEST_KILL_TO="+to)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	buffer := make([]byte, 256)
	for wanted := []string{"begun", "loaded", "switching"}[i%3]; !strings.Contains(said.String(), wanted); {
		n, err := out.Read(buffer)
		said.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	pause := time.NewTimer(time.Duration(i/3) * 12 * time.Millisecond)
	<-pause.C
	_ = child.Process.Kill()
	_ = child.Wait() // it was killed
	words := strings.Fields(said.String())
	if len(words) == 0 {
		return "nothing"
	}
	return words[len(words)-1]
}

// run does a whole refresh and tells on stdout how far it is.
func run(t *testing.T, from, to string) {
	structure, snap := snapshotOf(t, from)
	defer snap.Close()
	target := targetOf(t, to)
	fmt.Println("begun")
	l, err := begin(t.Context(), target, structure, snap, fmt.Sprint("pid-", os.Getpid(), "-", time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("loaded")
	fmt.Println("switching")
	if err := l.Switch(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	fmt.Println("switched")
	if err := l.Abort(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}
