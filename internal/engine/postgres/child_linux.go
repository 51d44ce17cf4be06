package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// runChild runs a child that dies with this process, so that a killed run
// leaves nobody working on its behalf. The kernel ties the child to the thread
// that started it, so the thread is held until the child has ended.
func runChild(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return cmd.Run()
}

// conceal takes a file's name away, so that its content is gone with the last
// process that has it open, however that ends.
func conceal(f *os.File) error { return os.Remove(f.Name()) }

// lend gives a child the file and tells the path under which the child, and
// every process it forks, opens it afresh.
func lend(cmd *exec.Cmd, f *os.File) string {
	cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	return fmt.Sprintf("/dev/fd/%d", 2+len(cmd.ExtraFiles))
}
