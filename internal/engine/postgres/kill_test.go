package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// The test binary, started anew with these in its environment, does one refresh
// and tells its steps on standard output; its parent kills it.
const (
	childSource = "UNDERSTUDY_TEST_CHILD_SOURCE"
	childTarget = "UNDERSTUDY_TEST_CHILD_TARGET"
	childRun    = "UNDERSTUDY_TEST_CHILD_RUN"
	childPlace  = "UNDERSTUDY_TEST_CHILD_PLACE" // to stop at
	childMode   = "UNDERSTUDY_TEST_CHILD_MODE"  // replace: rows are exchanged in place
)

// TestChild is the process that the tests below kill; alone it does nothing.
func TestChild(t *testing.T) {
	if os.Getenv(childRun) == "" {
		return
	}
	if err := childRefresh(); err != nil {
		fmt.Println("failed:", err)
		t.Fail()
	}
}

func childRefresh() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // this process's main
	defer cancel()
	at, err := New().Parse(secret.New(os.Getenv(childSource)))
	if err != nil {
		return err
	}
	source, err := New().Source(ctx, at, engine.Limits{})
	if err != nil {
		return err
	}
	to, err := parseAddress(secret.New(os.Getenv(childTarget)))
	if err != nil {
		return err
	}
	tg, err := newTarget(ctx, to, engine.Limits{})
	if err != nil {
		return err
	}
	tg.pauses = func(ctx context.Context, place string) error {
		fmt.Println("at", place)
		if place == os.Getenv(childPlace) {
			<-ctx.Done() // the parent kills
		}
		return nil
	}
	spec := quietSpec(os.Getenv(childRun))
	spec.Step = func(step string) { fmt.Println("step", step) }
	var whole engine.Target = tg
	if os.Getenv(childMode) == "replace" {
		whole = tg.InPlace()
	}
	_, err = refresh(ctx, source, whole, spec, false)
	return err
}

// startChild starts a refresh in a process of its own and gives the lines it writes.
func startChild(t *testing.T, production, staging, run, place string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childSource+"="+production, childTarget+"="+staging, childRun+"="+run, childPlace+"="+place)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return cmd, lines
}

// afterKill asserts that staging is one generation or the other, whole, and
// that the next run needs no hand work.
func afterKill(t *testing.T, production, staging, before, run string) (switched bool) {
	t.Helper()
	after := contents(t, staging)
	switch after {
	case contents(t, production):
		switched = true
	case before:
	default:
		t.Error("staging is neither the old generation nor the new one")
	}
	tg := openTarget(t, staging)
	defer tg.Close()
	scratchtest.SQL(t, production, "INSERT INTO flags VALUES ('after "+run+"', true)")
	// The server may take a moment to see that the killed process's sessions are
	// gone, as anybody who starts again right after a crash would find.
	deadline := time.Now().Add(20 * time.Second)
	for {
		proofs, err := refresh(t.Context(), openSource(t, production), tg, quietSpec("next"+run), false)
		if engine.CodeOf(err) == engine.Busy && err != nil && time.Now().Before(deadline) {
			_ = wait(t.Context(), 20*time.Millisecond)
			continue
		}
		if err != nil {
			t.Errorf("the run after the kill: %v", err)
		}
		checkProofs(t, proofs)
		break
	}
	same(t, "staging after the next run", contents(t, production), contents(t, staging))
	if left := besides(t, staging); strings.Contains(left, "_next_") || strings.Count(left, "_prev_") != 1 {
		t.Errorf("left behind: %s", left)
	}
	return switched
}

func TestKilledAtAPlace(t *testing.T) {
	production, staging := pair(t)
	for i, place := range scratchtest.Some(t, []string{"created", "tables", "indexes", "manifest", "renamed", "committing", "switched"}, 3) {
		run := fmt.Sprintf("k%d", i)
		scratchtest.SQL(t, production, "INSERT INTO flags VALUES ('before "+run+"', true)")
		before := contents(t, staging)
		cmd, lines := startChild(t, production, staging, run, place)
		reached := false
		for line := range lines {
			if line == "at "+place {
				reached = true
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // it was killed
		if !reached {
			t.Fatalf("%s: not reached", place)
		}
		if switched := afterKill(t, production, staging, before, run); switched != (place == "switched") {
			t.Errorf("%s: switched %v", place, switched)
		}
	}
}

func TestKilledAnyTime(t *testing.T) {
	scratchtest.Long(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	production, staging := pair(t)
	begin := time.Now()
	cmd, lines := startChild(t, production, staging, "whole", "")
	for line := range lines {
		if strings.HasPrefix(line, "failed") {
			t.Error(line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(begin)
	histogram := map[string]int{}
	for i := range scratchtest.Few(8, 3) {
		run := fmt.Sprintf("a%d", i)
		scratchtest.SQL(t, production, "INSERT INTO flags VALUES ('before "+run+"', true)")
		before := contents(t, staging)
		cmd, lines := startChild(t, production, staging, run, "")
		kill := time.AfterFunc(time.Duration(random.Int64N(int64(whole))), func() { _ = cmd.Process.Kill() })
		last := "start"
		for line := range lines {
			last = line
		}
		kill.Stop()
		_ = cmd.Wait() // it was killed, or had ended just before
		histogram[last]++
		afterKill(t, production, staging, before, run)
	}
	t.Logf("killed after: %v", histogram)
}

// The server dies by kill -9 at any place; after its own recovery the target is
// whole, and the next run needs no hand work.
func TestServerKilled(t *testing.T) {
	scratchtest.Long(t)
	server := scratchtest.Own(t, scratch.Options{Settings: map[string]string{"fsync": "on", "synchronous_commit": "on"}})
	production, staging := scratchtest.DatabaseOn(t, server.URL("postgres")), scratchtest.DatabaseOn(t, server.URL("postgres"))
	scratchtest.SQL(t, production, small+smallRows)
	scratchtest.SQL(t, staging, small)
	for _, place := range scratchtest.Some(t, []string{"created", "tables", "indexes", "manifest", "renamed", "committing", "switched"}, 3) {
		scratchtest.SQL(t, production, "INSERT INTO flags VALUES ('before "+place+"', true)")
		before := contents(t, staging)
		source, tg := openSource(t, production), openTarget(t, staging)
		tg.pauses = func(_ context.Context, at string) error {
			if at == place {
				server.Kill()
				return server.Restart(t.Context(), nil)
			}
			return nil
		}
		_, err := refresh(t.Context(), source, tg, quietSpec("s"+place), false)
		if err == nil {
			t.Errorf("%s: the run did not notice", place)
		}
		if switched := afterKill(t, production, staging, before, "s"+place); switched != (place == "switched") {
			t.Errorf("%s: switched %v, error %v", place, switched, err)
		}
		tg.Close()
		source.Close()
	}
}

// A COMMIT whose answer never came is settled by looking who bears the name.
func TestCommitWithoutAnswer(t *testing.T) {
	production, staging := pair(t)
	before := contents(t, staging)
	tg := openTarget(t, staging)
	tg.pauses = func(_ context.Context, at string) error {
		if at == "committing" {
			scratchtest.SQL(t, strings.Replace(staging, databaseOf(t, staging), "postgres", 1), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'understudy unanswered lock'")
		}
		return nil
	}
	_, err := refresh(t.Context(), openSource(t, production), tg, quietSpec("unanswered"), false)
	if err == nil || errors.Is(err, engine.ErrSwitched) {
		t.Errorf("error: %v", err)
	}
	same(t, "staging", before, contents(t, staging))
	c, err := tg.maintenance(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	oid, err := c.value(t.Context(), "look", "SELECT oid FROM pg_database WHERE datname = $1", tg.at.database)
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the connection broke")
	if err := tg.outcome(swap{target: tg.at.database, oid: parseUint([]byte(oid))}, 0, cause); !errors.Is(err, engine.ErrSwitched) || !errors.Is(err, cause) {
		t.Errorf("a switch that took place: %v", err)
	}
}
