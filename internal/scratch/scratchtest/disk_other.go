//go:build !linux

package scratchtest

import (
	"testing"

	"understudy/internal/scratch"
)

// SmallDisk skips the test, aloud: it mounts a small disk on Linux only.
func SmallDisk(t testing.TB, _ *scratch.Postgres, _ int) (folder string) {
	t.Helper()
	t.Skip("NOT RUN: a small disk can be mounted on Linux only")
	return ""
}

// GrowDisk has no disk here that could grow.
func GrowDisk(t testing.TB, _ string, _ int) { t.Helper() }
