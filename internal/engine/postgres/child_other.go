//go:build !linux

package postgres

import (
	"os"
	"os/exec"
	"syscall"
)

// runChild runs a child. Where the kernel does not end it with this process,
// it ends when its sessions do: the next run ends those it finds.
func runChild(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd.Run()
}

// conceal leaves the file where it is: without its name nobody could open it afresh.
func conceal(*os.File) error { return nil }

// lend tells the path of the file.
func lend(_ *exec.Cmd, f *os.File) string { return f.Name() }
