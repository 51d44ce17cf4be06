package scratchtest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"understudy/internal/scratch"
)

// SmallDisk mounts a disk of some megabytes for a server and gives its folder,
// which belongs to whom the server runs as. Only root may mount; for others the
// test is skipped, aloud.
func SmallDisk(t testing.TB, server *scratch.Postgres, megabytes int) (folder string) {
	t.Helper()
	dir := filepath.Join(os.TempDir(), filepath.Base(t.TempDir())+fmt.Sprint(server.PID())) // a test's own folder is closed to the server
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Skipf("NOT RUN: a small disk cannot be mounted (%v): run the tests as root on a machine that allows it", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	info, err := os.Stat(server.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// GrowDisk gives a disk of SmallDisk another size.
func GrowDisk(t testing.TB, folder string, megabytes int) {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		t.Fatal(err)
	}
}
