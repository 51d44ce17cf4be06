//go:build !unix

package sqlite

import "io/fs"

// foreign cannot be told from the mode bits of this platform.
func foreign(fs.FileInfo) bool { return false }
