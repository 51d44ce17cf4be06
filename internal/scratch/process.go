package scratch

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// process is a child that runs until it is told to end. Exactly one goroutine
// waits for it; done closes when it has ended.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// startProcess starts cmd on a thread of its own that lives as long as the
// child: the kernel ties "die with the parent" to the starting thread, and Go
// ends idle threads whenever it likes.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is told by its log
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended tells whether the child has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// killTree kills a server and its children by id, without giving them a chance
// to tidy up, and returns when none is left. The server is frozen first, so
// that it cannot make a child between the listing and the kill.
func killTree(pid int) {
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	all := append([]int{pid}, children(pid)...)
	for _, p := range all {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	for _, p := range all {
		_ = waitFor(10*time.Second, func() bool { return gone(p) })
	}
}

// waitFor asks until the answer is yes, a hundred times a second.
func waitFor(limit time.Duration, yes func() bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !yes(); <-tick.C {
		if time.Now().After(end) {
			return fmt.Errorf("nothing within %s", limit)
		}
	}
	return nil
}

// environment is what a scratch program sees of this process's environment:
// without the variables that would make a PostgreSQL client or server go elsewhere.
func environment(own []string, home string, extra ...string) []string {
	kept := slices.DeleteFunc(slices.Clone(own), func(kv string) bool {
		return len(kv) > 2 && kv[:2] == "PG" || hasName(kv, "HOME") || hasName(kv, "LC_ALL") || hasName(kv, "LANG") || hasName(kv, "TZ")
	})
	return append(append(kept, "HOME="+home, "LC_ALL=C", "TZ=UTC"), extra...)
}

func hasName(kv, name string) bool {
	return len(kv) > len(name) && kv[len(name)] == '=' && kv[:len(name)] == name
}
