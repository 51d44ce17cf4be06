package scratch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"understudy/internal/fault"
)

// InstallMariaDB is the command that puts a MariaDB server on the machine, for hints.
const InstallMariaDB = "apt-get install mariadb-server (Debian, Ubuntu; stop the service it starts), dnf install mariadb-server (Fedora), brew install mariadb (macOS)"

// administrator is the user that StartMySQL makes; it may do everything.
const administrator = "understudy"

// MySQLOptions say how a MariaDB or MySQL server is started. The zero value is a
// small one that keeps nothing safe from a power cut.
type MySQLOptions struct {
	// Server is the server's program, mariadbd or mysqld; empty means FindMySQL's answer.
	// Beside it, or in PATH, is mariadb-install-db.
	Server string
	// Settings are added to those of this package, for example {"general_log": "1"}.
	Settings map[string]string
}

// MySQL is a running MariaDB or MySQL server. Its methods may be called from any
// goroutine; Stop, Kill and Restart exclude each other.
type MySQL struct {
	server   string
	maria    bool
	as       account
	dir      *directory
	port     int
	password string
	settings map[string]string

	mu   sync.Mutex // guards proc
	proc *process
}

// FindMySQL gives the program of an installed MariaDB server, or where there is
// none that of MySQL. The error names the command that installs one.
func FindMySQL() (server string, err error) {
	for _, name := range []string{"mariadbd", "mysqld"} {
		for _, dir := range []string{"", "/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/homebrew/opt/mariadb/bin", "/usr/local/mysql/bin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return filepath.Abs(path)
			}
		}
	}
	return "", fault.New(fault.Unavailable, "scratch-server", InstallMariaDB, "no MariaDB or MySQL server is installed (mariadbd and mysqld not found)")
}

// StartMySQL makes a data directory and starts a server on it; ctx bounds the
// start only. The caller owns the server and ends it with Stop.
func StartMySQL(ctx context.Context, o MySQLOptions) (*MySQL, error) {
	server := o.Server
	if server == "" {
		var err error
		if server, err = FindMySQL(); err != nil {
			return nil, err
		}
	}
	as, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := newDirectory(as)
	if err != nil {
		return nil, err
	}
	m := &MySQL{server: server, as: as, dir: dir, password: rand.Text(), settings: maps.Clone(o.Settings)}
	if err := m.make(ctx); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	if err := m.startOnFreePort(ctx); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	return m, nil
}

// make makes the data directory and the file with which each start makes sure of the administrator.
func (m *MySQL) make(ctx context.Context) error {
	version, err := exec.CommandContext(ctx, m.server, "--no-defaults", "--version").Output()
	if err != nil {
		return fault.New(fault.Unavailable, "scratch-server", InstallMariaDB, "%s does not tell its version: %v", filepath.Base(m.server), err)
	}
	m.maria = strings.Contains(string(version), "MariaDB")
	program, args := m.server, append(m.home(), "--datadir="+m.DataDir(), "--initialize-insecure")
	if m.maria {
		if program, err = exec.LookPath(filepath.Join(filepath.Dir(m.server), "mariadb-install-db")); err != nil {
			program, err = exec.LookPath("mariadb-install-db")
		}
		if err != nil {
			return fault.New(fault.Unavailable, "scratch-server", InstallMariaDB, "mariadb-install-db is not installed")
		}
		args = []string{"--no-defaults", "--datadir=" + m.DataDir(), "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"}
	}
	if out, err := m.command(ctx, program, args...).CombinedOutput(); err != nil {
		return fault.New(fault.Unavailable, "scratch-server", "is the temporary directory open to other users? TMPDIR may name another",
			"%s: %v: %s", filepath.Base(program), err, lastLine(out))
	}
	first := fmt.Sprintf("CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\nGRANT ALL PRIVILEGES ON *.* TO '%s'@'%%' WITH GRANT OPTION;\nALTER USER 'root'@'localhost' IDENTIFIED BY '%s';\n",
		administrator, m.password, administrator, m.password)
	if err := os.WriteFile(m.first(), []byte(first), 0o600); err != nil {
		return err
	}
	return m.as.own(m.first())
}

// first is the file of statements that each start runs.
func (m *MySQL) first() string { return filepath.Join(m.dir.path, "first.sql") }

// home tells a server that was unpacked somewhere where the rest of it is.
func (m *MySQL) home() []string {
	base := filepath.Join(filepath.Dir(m.server), "usr")
	if _, err := os.Stat(filepath.Join(base, "share", "mysql")); err != nil {
		return []string{"--no-defaults"}
	}
	return []string{"--no-defaults", "--basedir=" + base, "--lc-messages-dir=" + filepath.Join(base, "share", "mysql")}
}

// arguments are those of the server's program.
func (m *MySQL) arguments() []string {
	all := map[string]string{
		"datadir": m.DataDir(), "port": strconv.Itoa(m.port), "bind_address": "127.0.0.1", "socket": m.socket(), "pid_file": m.pidFile(),
		"log_error": m.LogFile(), "init_file": m.first(), "skip_name_resolve": "1", "log_bin": "bin", "server_id": "1", "sync_binlog": "0",
		"innodb_flush_log_at_trx_commit": "2", // commits stay: Kill must lose none
		"innodb_buffer_pool_size":        "64M", "max_connections": "100", "default_time_zone": "+00:00",
	}
	if !m.maria {
		maps.Copy(all, map[string]string{"mysqlx": "OFF", "gtid_mode": "ON", "enforce_gtid_consistency": "ON", "secure_file_priv": "NULL"})
	}
	maps.Copy(all, m.settings)
	out := m.home()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, "--"+name+"="+all[name])
	}
	return out
}

// startOnFreePort tries ports until one is still free when the server binds it.
func (m *MySQL) startOnFreePort(ctx context.Context) error {
	var err error
	for range 5 {
		if m.port, err = freePort(); err != nil {
			return err
		}
		if err = m.start(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Bind on TCP/IP port") {
			return err
		}
	}
	return err
}

// start starts the server on its port and waits until it takes connections.
func (m *MySQL) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd := exec.Command(m.server, m.arguments()...)
	cmd.Dir, cmd.Env = m.dir.path, environment(os.Environ(), m.dir.path)
	cmd.SysProcAttr = m.as.attributes(syscall.SIGKILL)
	_ = os.Remove(m.pidFile()) // of a server that was killed
	proc, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(m.server), err)
	}
	if err := m.ready(ctx, proc); err != nil {
		killTree(proc.pid())
		return err
	}
	m.proc = proc
	return nil
}

// ready waits until the server has written its process id, which it does last,
// and greets who connects.
func (m *MySQL) ready(ctx context.Context, proc *process) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(m.pidFile()); err == nil && greets(m.port) {
			return nil
		}
		select {
		case <-proc.done:
			return fault.New(fault.Unavailable, "scratch-server", "its settings or the machine's limits are the usual cause",
				"%s ended while starting: %s", filepath.Base(m.server), m.lastProblem())
		case <-ctx.Done():
			return fmt.Errorf("%s: start: %w", filepath.Base(m.server), ctx.Err())
		case <-tick.C:
		}
	}
}

// greets tells whether a server's first packet comes from a port.
func greets(port int) bool {
	c, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(time.Second)) // fails on a closed one only
	var head [5]byte
	n, err := c.Read(head[:])
	return err == nil && n == len(head) && head[4] == 10 // the protocol's version
}

// URL is the server's address with the administrator's name and password, for
// one of its databases.
func (m *MySQL) URL(db string) string {
	u := url.URL{Scheme: "mysql", User: url.UserPassword(administrator, m.password), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(m.port)), Path: "/" + db}
	return u.String()
}

// SocketURL is the same server by its Unix socket, another name for the same
// database; empty if the temporary directory's path is too long for one.
func (m *MySQL) SocketURL(db string) string {
	if len(m.socket()) > 100 {
		return ""
	}
	u := url.URL{Scheme: "mysql", User: url.UserPassword(administrator, m.password), Host: "localhost", Path: "/" + db, RawQuery: url.Values{"socket": {m.socket()}}.Encode()}
	return u.String()
}

// MariaDB tells which of the products it is.
func (m *MySQL) MariaDB() bool { return m.maria }

// DataDir is the server's data directory.
func (m *MySQL) DataDir() string { return filepath.Join(m.dir.path, "data") }

// LogFile is the file that takes what the server logs.
func (m *MySQL) LogFile() string { return filepath.Join(m.dir.path, "server.log") }

func (m *MySQL) socket() string  { return filepath.Join(m.dir.path, "s.sock") }
func (m *MySQL) pidFile() string { return filepath.Join(m.dir.path, serverPID) }

// serverPID is the file in a scratch directory in which such a server keeps its process id.
const serverPID = "server.pid"

// PID is the process id of the server; 0 while it does not run.
func (m *MySQL) PID() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.proc == nil || m.proc.ended() {
		return 0
	}
	return m.proc.pid()
}

// Kill ends the server by SIGKILL, as a crash would, and returns when it is gone.
// The data stays; Restart brings the server back.
func (m *MySQL) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kill()
}

func (m *MySQL) kill() {
	if m.proc != nil && !m.proc.ended() {
		killTree(m.proc.pid())
		<-m.proc.done
	}
	m.proc = nil
}

// Restart stops the server if it runs and starts it again on the same port and
// data. Settings are added to those it had; nil leaves them.
func (m *MySQL) Restart(ctx context.Context, settings map[string]string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.halt(ctx)
	if m.settings == nil {
		m.settings = map[string]string{}
	}
	maps.Copy(m.settings, settings)
	return m.start(ctx)
}

// Stop ends the server and removes its directory. A server that does not end
// before ctx does is killed. A second Stop does nothing.
func (m *MySQL) Stop(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.halt(ctx)
	err := m.dir.remove()
	if errors.Is(err, os.ErrClosed) {
		err = nil
	}
	return err
}

// halt asks for a shutdown: sessions are ended, data is left in order.
func (m *MySQL) halt(ctx context.Context) {
	if m.proc == nil || m.proc.ended() {
		m.proc = nil
		return
	}
	_ = syscall.Kill(m.proc.pid(), syscall.SIGTERM)
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case <-m.proc.done:
	case <-ctx.Done():
	case <-limit.C:
	}
	m.kill()
}

// command is one of the server's programs, run as the server's account.
func (m *MySQL) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = m.dir.path, environment(os.Environ(), m.dir.path)
	cmd.SysProcAttr = m.as.attributes(0)
	return cmd
}

// lastProblem gives the reason of a failed start from the log.
func (m *MySQL) lastProblem() string {
	text, err := os.ReadFile(m.LogFile())
	if err != nil {
		return "no log"
	}
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(text)), "\n")) {
		if _, problem, ok := strings.Cut(line, "[ERROR]"); ok && !strings.Contains(problem, "Aborting") {
			return strings.TrimSpace(problem)
		}
	}
	return lastLine(text)
}
