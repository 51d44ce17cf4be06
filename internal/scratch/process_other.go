//go:build !linux

package scratch

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing here: the platform has no such signal, and the
// next start sweeps up what a killed process left.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// children lists the processes whose parent is pid.
func children(pid int) []int {
	out, err := exec.Command("ps", "-axo", "ppid=,pid=").Output()
	if err != nil {
		return nil
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 || f[0] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(f[1]); err == nil {
			found = append(found, child)
		}
	}
	return found
}

// servesDirectory tells whether the process is a server of that data directory,
// so that an unrelated process with a reused id is left alone.
func servesDirectory(pid int, data string) bool {
	out, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), data)
}

// gone tells whether a process has ended; one that only waits to be reaped has.
func gone(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}
