//go:build unix

package config

import (
	"io/fs"
	"os"
	"syscall"
)

// owned tells whether a file belongs to the user that runs the program.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
