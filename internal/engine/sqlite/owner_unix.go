//go:build unix

package sqlite

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign tells whether a file belongs to another user than the one that runs the
// program. For root SQLite gives the files that it makes to the database's owner.
func foreign(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Geteuid() != 0 && int(st.Uid) != os.Geteuid()
}
