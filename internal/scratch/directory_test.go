package scratch

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childVariable makes this test binary start a server, tell where it is, and wait to be killed.
const childVariable = "UNDERSTUDY_SCRATCH_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		leaveServerBehind()
	}
	os.Exit(m.Run())
}

func leaveServerBehind() {
	p, err := StartPostgres(context.Background(), Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(p.PID(), filepath.Dir(p.DataDir()))
	select {}
}

func TestKilledOwnerLeavesNoServer(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN: needs a PostgreSQL server, and -short asks for none")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pidText, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(pidText)
	if err != nil {
		t.Fatalf("the child said %q", line)
	}
	sweep(os.TempDir())
	if gone(pid) {
		t.Fatal("the sweep took a server whose owner lives")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	end := time.Now().Add(20 * time.Second)
	for dirExists(dir) && time.Now().Before(end) {
		sweep(os.TempDir()) // what the next start does; also ends the server where the kernel did not
	}
	if dirExists(dir) || !gone(pid) {
		t.Errorf("left behind: directory %t, server %t", dirExists(dir), !gone(pid))
	}
}

func TestSweepLeavesOthersAlone(t *testing.T) {
	tmp := t.TempDir()
	fresh := filepath.Join(tmp, dirPrefix+"fresh")
	stale := filepath.Join(tmp, dirPrefix+"stale")
	other := filepath.Join(tmp, "other")
	for _, d := range []string{fresh, stale, other} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * unlockedGrace)
	if err := os.Chtimes(stale, old, old); err != nil {
		t.Fatal(err)
	}
	sweep(tmp)
	if !dirExists(fresh) || !dirExists(other) || dirExists(stale) {
		t.Errorf("fresh %t, other %t, stale %t", dirExists(fresh), dirExists(other), dirExists(stale))
	}
}

func TestPasswordsStayOutOfTheCommandLine(t *testing.T) {
	for _, c := range []struct{ address, shown, password string }{
		{"postgres://u:geheim@h:5/db?sslmode=disable", "postgres://u@h:5/db?sslmode=disable", "geheim"},
		{"postgres://u:ge%3Aheim@h/db", "postgres://u@h/db", "ge:heim"},
		{"postgres:///db?host=%2Ftmp%2Fa+b&password=geheim&user=u", "postgres:///db?host=%2Ftmp%2Fa%20b&user=u", "geheim"},
		{"postgres://h/db", "postgres://h/db", ""},
	} {
		shown, password := withoutPassword(c.address)
		if shown != c.shown || password != c.password {
			t.Errorf("%s: shown %q, password %q", c.address, shown, password)
		}
	}
}

func dirExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
