// Package scratch starts servers from installed programs in temporary
// directories, on free loopback ports, for the demo, for rehearsals and for
// tests. Nothing is downloaded and nothing of the machine's own is touched.
//
// The one idea in it: a scratch server belongs to the process that started it
// and may not outlive it. The kernel tells the server when its parent dies
// (where the platform can), and each start first removes what a killed process
// left behind. The package knows how to run a server and how to feed it SQL
// through the server's own client; it knows neither drivers nor schemas.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dirPrefix starts the name of every scratch directory; sweep looks for it.
const dirPrefix = "understudy-scratch-"

// lockName is the file in a scratch directory that its owner holds locked for
// as long as it lives. A lock, unlike a process id, cannot be inherited by an
// unrelated process or mean another one in another container.
const lockName = "owner.lock"

// unlockedGrace is how long a directory may stand without a lock file before
// it counts as left behind: its owner may be just making it.
const unlockedGrace = time.Hour

// directory is a scratch directory and the lock that says its owner lives.
type directory struct {
	path string
	lock *os.File
}

// newDirectory makes a directory that only the account may enter and locks it.
func newDirectory(as account) (*directory, error) {
	sweep(os.TempDir())
	path, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("scratch directory: %w", err)
	}
	// The file takes its name when it is locked: a sweep in between would take
	// an unlocked one for a dead owner's.
	making := filepath.Join(path, lockName+".new")
	lock, err := os.OpenFile(making, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		err = os.Rename(making, filepath.Join(path, lockName))
	}
	if err == nil {
		err = as.own(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("scratch directory %s: %w", path, err), os.RemoveAll(path))
	}
	return &directory{path: path, lock: lock}, nil
}

// remove deletes the directory and lets the lock go.
func (d *directory) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// sweep removes the scratch directories under tmp whose owner is gone, and
// kills the servers in them that survived it. What belongs to another user or
// cannot be removed stays: sweeping is a courtesy, never a reason to fail.
func sweep(tmp string) {
	found, err := filepath.Glob(filepath.Join(tmp, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range found {
		sweepOne(path)
	}
}

func sweepOne(path string) {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if time.Since(info.ModTime()) < unlockedGrace {
			return
		}
	case err != nil:
		return
	default:
		defer lock.Close()
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return // its owner lives
		}
	}
	data := filepath.Join(path, "data")
	for _, find := range []func() (int, error){
		func() (int, error) { return postmasterPID(data) },
		func() (int, error) { return pidIn(filepath.Join(path, serverPID)) },
	} {
		if pid, err := find(); err == nil && servesDirectory(pid, data) {
			killTree(pid)
		}
	}
	_ = os.RemoveAll(path)
}

// postmasterPID reads the server's process id from the file it keeps beside its data.
func postmasterPID(data string) (int, error) {
	lines, err := postmasterLines(data)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(lines[0])
}

// pidIn reads a file that holds a process id alone.
func pidIn(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// postmasterLines gives the lines of postmaster.pid, trimmed, at least one.
// Their meaning is PostgreSQL's (miscadmin.h): process id, data directory,
// start time, port, socket directory, address, shared memory key, status.
func postmasterLines(data string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines, nil
}
