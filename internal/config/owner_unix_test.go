//go:build unix

package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// strange is a file as another user's would look.
type strange struct {
	fs.FileInfo
	uid uint32
}

func (s strange) Sys() any { return &syscall.Stat_t{Uid: s.uid} }

func TestOwned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !owned(info) {
		t.Error("a file of our own is not owned")
	}
	if owned(strange{info, uint32(os.Geteuid()) + 1}) {
		t.Error("a file of another user is owned")
	}
}
