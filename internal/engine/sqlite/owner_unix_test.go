//go:build unix

package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/secret"
)

// TestWALOfAnotherUser: whoever may only read a WAL database that nobody has open would
// leave files beside it that its owner cannot write. It is refused before anything is
// made, and read while its application is connected. Another user is played by a child.
func TestWALOfAnotherUser(t *testing.T) {
	const other = 65534 // by custom nobody
	if path := os.Getenv("UNDERSTUDY_TEST_WAL"); path != "" {
		at, err := New().Parse(secret.New("sqlite:" + path))
		if err != nil {
			t.Fatal(err)
		}
		s, err := New().Source(t.Context(), at, engine.Limits{})
		if err != nil {
			t.Fatalf("%v: %s", err, hintOf(err))
		}
		if _, err := s.Inspect(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: only root can play another user")
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, path := filepath.Join(dir, "test"), made(t, "prod.db", []string{`PRAGMA journal_mode = WAL`, `CREATE TABLE a (id INTEGER PRIMARY KEY)`})
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	// Everybody may write into the directory, as an application's often is for its group.
	for _, open := range []string{filepath.Dir(dir), dir, filepath.Dir(filepath.Dir(path)), filepath.Dir(path)} {
		if err := os.Chmod(open, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	asOther := func() (string, error) {
		child := exec.CommandContext(t.Context(), program, "-test.run=^TestWALOfAnotherUser$", "-test.v")
		child.Dir = dir
		child.Env = append(os.Environ(), "UNDERSTUDY_TEST_WAL="+path)
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: other, Gid: other}}
		out, err := child.CombinedOutput()
		return string(out), err
	}
	beside := func() []string {
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	if out, err := asOther(); err == nil || !strings.Contains(out, "belongs to another user") || !strings.Contains(out, ".backup") {
		t.Errorf("%v\n%s", err, out)
	}
	if files := beside(); len(files) != 1 {
		t.Errorf("files left: %q", files)
	}
	app := client(t, path, "&_pragma=journal_mode(wal)")
	if _, err := app.ExecContext(t.Context(), `INSERT INTO a VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	for _, shared := range beside() {
		if err := os.Chmod(shared, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := asOther(); err != nil {
		t.Errorf("while its application is connected: %v\n%s", err, out)
	}
	if _, err := app.ExecContext(t.Context(), `INSERT INTO a VALUES (2)`); err != nil {
		t.Errorf("the owner cannot write any more: %v", err)
	}
}
