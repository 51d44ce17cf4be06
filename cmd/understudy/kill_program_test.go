package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stages lists the parts of a run in the order in which the program tells them.
func stages() []string {
	return []string{"inspect", "snapshot", "select", "try", "begin", "load", "finish", "prove", "switch", "report"}
}

// A program is one understudy in a process of its own. Its stage is read from
// what it tells on standard error; report begins with the first line about
// the run on standard output, which is printed after the switch.
type program struct {
	cmd     *exec.Cmd
	reached map[string]chan struct{} // closed when the stage begins
	done    chan struct{}            // closed when the process has ended and its lines are read

	mu    sync.Mutex
	stage string
	began map[string]time.Time
	told  []string // on standard error
	code  int      // -1: ended by a signal
	ended time.Time
}

// start starts understudy with the arguments; it is killed at the end of the test at the latest.
func start(t testing.TB, dir string, env []string, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command("understudy", args...), done: make(chan struct{}), reached: map[string]chan struct{}{}, began: map[string]time.Time{}}
	for _, s := range stages() {
		p.reached[s] = make(chan struct{})
	}
	p.cmd.Dir, p.cmd.Env = dir, append(os.Environ(), env...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(); <-p.done })
	go p.follow(stdout, stderr)
	return p
}

// follow reads all that the program says and then waits for its end.
func (p *program) follow(stdout, stderr io.Reader) {
	var both sync.WaitGroup
	both.Go(func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			if strings.HasPrefix(s.Text(), "Generation") {
				p.enter("report", "")
			}
		}
	})
	both.Go(func() {
		for s := bufio.NewScanner(stderr); s.Scan(); {
			stage, _, _ := strings.Cut(s.Text(), " ")
			p.enter(stage, s.Text())
		}
	})
	both.Wait()
	err := p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		p.code = exit.ExitCode()
	}
	p.ended = time.Now()
	close(p.done)
}

// enter notes a line; one that is not about a stage leaves the stage as it is.
func (p *program) enter(stage, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if line != "" {
		p.told = append(p.told, line)
	}
	reached, ok := p.reached[stage]
	if !ok || p.stage == "report" {
		return
	}
	p.stage = stage
	if p.began[stage].IsZero() {
		p.began[stage] = time.Now()
		close(reached)
	}
}

// now gives the present stage.
func (p *program) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stage
}

// in waits until the stage begins; false if the program ended before.
func (p *program) in(stage string) bool {
	select {
	case <-p.reached[stage]:
		return true
	case <-p.done:
		return false
	}
}

// after waits, but not beyond the program's end.
func (p *program) after(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.done:
	}
}

// signal sends a signal; a process that has ended gets none.
func (p *program) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

func (p *program) kill() { p.signal(syscall.SIGKILL) }

// wait waits for the end and gives the exit code and what stood on standard error.
func (p *program) wait() (code int, told string) {
	<-p.done
	return p.code, strings.Join(p.told, "\n")
}

// death waits for the end and gives the stage in which a signal ended the
// program; empty if it ended by itself.
func (p *program) death() string {
	<-p.done
	if p.code != -1 {
		return ""
	}
	if p.stage == "" {
		return "start"
	}
	return p.stage
}

// durations gives how long each stage of an ended program lasted.
func (p *program) durations() map[string]time.Duration {
	<-p.done
	out := map[string]time.Duration{}
	var last string
	for _, s := range stages() {
		if p.began[s].IsZero() {
			continue
		}
		if last != "" {
			out[last] = p.began[s].Sub(p.began[last])
		}
		last = s
	}
	out[last] = p.ended.Sub(p.began[last])
	return out
}
