package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"understudy/internal/engine"
)

// lock is a locked file beside the target: the kernel frees it when the
// process dies. The target itself must not be opened for this, because closing
// it again would drop the locks that SQLite holds on it in this process.
type lock struct{ file *os.File }

// beside gives the name of a file of ours in the target's directory.
func beside(target, what string) string {
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".understudy-"+what)
}

// glances is how often take tries: whoever only looks whether the lock is held
// (see held) has it for some microseconds.
const glances = 5

// take locks, or says Busy.
func take(target string) (*lock, error) {
	name := beside(target, "lock")
	for try := 1; ; try++ {
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fileError("lock the target", err)
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = file.Close() // nothing was written
			if errors.Is(err, syscall.EWOULDBLOCK) && try < glances {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, &engine.Error{Code: engine.Busy, Doing: "lock the target", Say: "another run holds it", Hint: "wait until it has ended"}
			}
			return nil, fileError("lock the target", err)
		}
		if current(file, name) {
			return &lock{file}, nil
		}
		_ = file.Close() // the holder before us removed this file: take the one that stands there now
	}
}

// held tells whether a run holds the target, without leaving anything behind.
func held(target string) (bool, error) {
	const doing = "look whether another run holds the target"
	file, err := os.Open(beside(target, "lock"))
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, fileError(doing, err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) // shared, so that two who look do not see each other
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		return false, fileError(doing, err)
	}
	return err != nil, nil
}

// current tells whether the locked file still bears its name.
func current(file *os.File, name string) bool {
	a, errA := file.Stat()
	b, errB := os.Stat(name)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// free removes the file while it is locked, then lets go.
func (l *lock) free() {
	if l == nil || l.file == nil {
		return
	}
	_ = os.Remove(l.file.Name()) // a file that stays does no harm
	_ = l.file.Close()
	l.file = nil
}
