package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"understudy/internal/scratch/scratchtest"
)

// servers runs the tests and stops the servers they started.
type servers struct{ m *testing.M }

func (s servers) Run() int { return scratchtest.Main(s.m) }

// TestMain lets the test binary be the program: scripts and kill tests run it
// under the name understudy.
func TestMain(m *testing.M) {
	testscript.Main(servers{m}, map[string]func(){"understudy": func() { os.Exit(run()) }})
}

// TestScript runs testdata/script: each file is a terminal session of a user.
// The verb `exits N command...` runs a command and wants that exit code.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("UNDERSTUDY_KEY", testKey)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// testKey is a key for tests. It guards nothing.
const testKey = "usk1_PZJPIKqqPbxc2uMVCVb1eZ7R3kKBYxHxbQ3zWnQ9u2k"

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}
