package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestReaderThatGoesAway closes the pipe that a refresh prints into: the refresh
// goes on to its end, and so does its report.
func TestReaderThatGoesAway(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("understudy", "demo", "-q", "--dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	before, err := filepath.Glob(filepath.Join(dir, "reports", "*.json"))
	if err != nil || len(before) != 1 {
		t.Fatalf("%v reports after the demo (%v)", before, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	refresh := exec.Command("understudy", "refresh", "-q")
	refresh.Dir, refresh.Stdout = dir, w
	refresh.Env = append(os.Environ(), "PROD_URL=sqlite:production.db", "STAGING_URL=sqlite:staging.db", "UNDERSTUDY_KEY="+testKey)
	if err := refresh.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // before a word was printed
		t.Fatal(err)
	}
	w.Close()
	if err := refresh.Wait(); err != nil {
		t.Errorf("refresh: %v", err)
	}
	after, err := filepath.Glob(filepath.Join(dir, "reports", "refresh-*.json"))
	if err != nil || len(after) != 2 {
		t.Errorf("%v reports after the refresh (%v)", after, err)
	}
}
