package main

import (
	"os"
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
	testscript.Main(servers{m}, map[string]func(){
		"understudy": func() { os.Exit(run()) },
		"sqlite3":    sqliteShell,
	})
}
