package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildWithoutMasks builds the program with its masking switched off. Such a
// build must not get rows into staging: the proof that masked values differ from
// their originals stops it. With that proof switched off as well the search for
// planted values must find them, for else it would find nothing anywhere.
func TestBuildWithoutMasks(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	maskOff := change(t, filepath.Join(root, "internal/mask/worker.go"),
		"func (w *Worker) Append(dst, value []byte) (out []byte, null bool, err error) {",
		"func (w *Worker) Append(dst, value []byte) (out []byte, null bool, err error) {\n\tif len(value) >= 0 {\n\t\treturn append(dst, value...), false, nil\n\t}")
	proofOff := change(t, filepath.Join(root, "internal/check/proof.go"), "	if c.Blind {", "	if c.Distinct >= 0 {")

	honest := build(t, root, nil)
	unmasked := build(t, root, []edit{maskOff})
	blind := build(t, root, []edit{maskOff, proofOff})
	for _, c := range []struct {
		name, program string
		exit          int
		found         bool
	}{{"honest", honest, 0, false}, {"masks off", unmasked, 5, false}, {"masks and proof off", blind, 0, true}} {
		dir := t.TempDir()
		if out, err := exec.Command(honest, "demo", "-q", "--dir", dir).CombinedOutput(); err != nil {
			t.Fatalf("demo: %v\n%s", err, out)
		}
		refresh := exec.Command(c.program, "refresh", "-q")
		refresh.Dir = dir
		refresh.Env = append(os.Environ(), "PROD_URL=sqlite:production.db", "STAGING_URL=sqlite:staging.db", "UNDERSTUDY_KEY="+testKey)
		out, _ := refresh.CombinedOutput()
		if got := refresh.ProcessState.ExitCode(); got != c.exit {
			t.Errorf("%s: exit %d, want %d\n%s", c.name, got, c.exit, out)
		}
		const canary = "@mail" // every production address of the shop is at mailN.example, no fake is
		if !contains(t, filepath.Join(dir, "production.db"), canary) {
			t.Fatalf("%s: the search does not find the addresses of production", c.name)
		}
		if got := contains(t, filepath.Join(dir, "staging.db"), canary); got != c.found {
			t.Errorf("%s: an address of production in staging: %t, want %t", c.name, got, c.found)
		}
	}
}

// An edit is a source file and what stands in its place for one build.
type edit struct{ file, replacement string }

func change(t *testing.T, file, from, to string) edit {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(data), from) != 1 {
		t.Fatalf("%s: %q does not stand there once", file, from)
	}
	path := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), from, to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return edit{file, path}
}

func build(t *testing.T, root string, edits []edit) string {
	t.Helper()
	overlay := map[string]map[string]string{"Replace": {}}
	for _, e := range edits {
		overlay["Replace"][e.file] = e.replacement
	}
	data, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "understudy")
	if err := os.WriteFile(list, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", list, "-o", program, "./cmd/understudy")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

func contains(t *testing.T, file, text string) bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(data, []byte(text))
}
