package scratch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"understudy/internal/fault"
)

// startLimit bounds a start when the caller's context does not.
const startLimit = time.Minute

// server is what the servers of all products are: a child of this process with
// a directory, a loopback port and a password of its own. A product's type
// embeds it. Its methods may be called from any goroutine; Stop, Kill and
// Restart exclude each other.
type server struct {
	product  product
	as       account
	dir      *directory
	port     int
	password string

	mu   sync.Mutex // guards proc
	proc *process
}

// product is what a server does in its product's own way.
type product interface {
	// program is the server's command on the chosen port.
	program() *exec.Cmd
	// ready tells whether a started server takes connections.
	ready(*process) bool
	// problem finds in a line of the log what made a start fail.
	problem(line string) (string, bool)
	// habits are the signals and words it has.
	habits() habits
}

// habits are a product's signals and words.
type habits struct {
	stop    syscall.Signal // asks for an end that leaves the data in order
	orphan  syscall.Signal // sent by the kernel when this process ends
	inUse   string         // what the log says of a port that is taken
	logsOut bool           // it logs to its standard output, not to a file
}

// startOnFreePort tries ports until one is still free when the server binds it.
func (s *server) startOnFreePort(ctx context.Context) error {
	var err error
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), s.product.habits().inUse) {
			return err
		}
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("a free loopback port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// start starts the server on its port and waits until it takes connections.
func (s *server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd, habits := s.product.program(), s.product.habits()
	name := filepath.Base(cmd.Path)
	cmd.Dir, cmd.Env = s.dir.path, environment(os.Environ(), s.dir.path)
	cmd.SysProcAttr = s.as.attributes(habits.orphan)
	if habits.logsOut {
		log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
	}
	proc, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := s.await(ctx, name, proc); err != nil {
		killTree(proc.pid())
		return err
	}
	s.proc = proc
	return nil
}

// await waits until a started server is ready.
func (s *server) await(ctx context.Context, name string, proc *process) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.product.ready(proc) {
		select {
		case <-proc.done:
			return fault.New(fault.Unavailable, "scratch-server", "its settings or the machine's limits are the usual cause",
				"%s ended while starting: %s", name, s.lastProblem())
		case <-ctx.Done():
			return fmt.Errorf("%s: start: %w", name, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

// DataDir is the server's data directory.
func (s *server) DataDir() string { return filepath.Join(s.dir.path, "data") }

// LogFile is the file that takes what the server logs.
func (s *server) LogFile() string { return filepath.Join(s.dir.path, "server.log") }

// PID is the process id of the server, the parent of those it makes; 0 while it does not run.
func (s *server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || s.proc.ended() {
		return 0
	}
	return s.proc.pid()
}

// Died tells that the server ended without being asked to, and the last
// problem in its log.
func (s *server) Died() (problem string, died bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || !s.proc.ended() {
		return "", false
	}
	return s.lastProblem(), true
}

// Kill ends the server and its children by SIGKILL, as a crash would, and
// returns when they are gone. The data stays; Restart brings the server back.
func (s *server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

func (s *server) kill() {
	if s.proc != nil && !s.proc.ended() {
		killTree(s.proc.pid())
		<-s.proc.done
	}
	s.proc = nil
}

// restart stops the server if it runs, changes its settings and starts it again
// on the same port and data.
func (s *server) restart(ctx context.Context, configure func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halt(ctx)
	if err := configure(); err != nil {
		return err
	}
	return s.start(ctx)
}

// Stop ends the server and removes its directory. A server that does not end
// before ctx does is killed. A second Stop does nothing.
func (s *server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halt(ctx)
	err := s.dir.remove()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	return err
}

// halt asks for an orderly end: sessions are ended, data is left in order.
func (s *server) halt(ctx context.Context) {
	if s.proc == nil || s.proc.ended() {
		s.proc = nil
		return
	}
	_ = syscall.Kill(s.proc.pid(), s.product.habits().stop)
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case <-s.proc.done:
	case <-ctx.Done():
	case <-limit.C:
	}
	s.kill()
}

// command is one of the server's programs, run as the server's account.
func (s *server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = s.dir.path, environment(os.Environ(), s.dir.path)
	cmd.SysProcAttr = s.as.attributes(0)
	return cmd
}

// lastProblem gives the reason of a failed start from the log.
func (s *server) lastProblem() string {
	text, err := os.ReadFile(s.LogFile())
	if err != nil {
		return "no log"
	}
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(text)), "\n")) {
		if problem, ok := s.product.problem(line); ok {
			return strings.TrimSpace(problem)
		}
	}
	return lastLine(text)
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}
