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
	server
	daemon   string // the server's program
	maria    bool
	settings map[string]string
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
	daemon := o.Server
	if daemon == "" {
		var err error
		if daemon, err = FindMySQL(); err != nil {
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
	m := &MySQL{server: server{as: as, dir: dir, password: rand.Text()}, daemon: daemon, settings: maps.Clone(o.Settings)}
	m.product = m
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
	version, err := exec.CommandContext(ctx, m.daemon, "--no-defaults", "--version").Output()
	if err != nil {
		return fault.New(fault.Unavailable, "scratch-server", InstallMariaDB, "%s does not tell its version: %v", filepath.Base(m.daemon), err)
	}
	m.maria = strings.Contains(string(version), "MariaDB")
	if err := os.Mkdir(m.temporary(), 0o700); err != nil {
		return err
	}
	if err := m.as.own(m.temporary()); err != nil {
		return err
	}
	program, args := m.daemon, append(m.home(), "--datadir="+m.DataDir(), "--tmpdir="+m.temporary(), "--initialize-insecure")
	if names, ok := m.settings["lower_case_table_names"]; ok { // MySQL takes it at the first start alone
		args = append(args, "--lower_case_table_names="+names)
	}
	if m.maria {
		if program, err = exec.LookPath(filepath.Join(filepath.Dir(m.daemon), "mariadb-install-db")); err != nil {
			program, err = exec.LookPath("mariadb-install-db")
		}
		if err != nil {
			return fault.New(fault.Unavailable, "scratch-server", InstallMariaDB, "mariadb-install-db is not installed")
		}
		args = []string{"--no-defaults", "--datadir=" + m.DataDir(), "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve", "--tmpdir=" + m.temporary()}
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
	base := filepath.Join(filepath.Dir(m.daemon), "usr")
	if _, err := os.Stat(filepath.Join(base, "share", "mysql")); err != nil {
		return []string{"--no-defaults"}
	}
	return []string{"--no-defaults", "--basedir=" + base, "--lc-messages-dir=" + filepath.Join(base, "share", "mysql")}
}

// arguments are those of the server's program.
func (m *MySQL) arguments() []string {
	all := map[string]string{
		"datadir": m.DataDir(), "tmpdir": m.temporary(), "port": strconv.Itoa(m.port), "bind_address": "127.0.0.1", "socket": m.socket(), "pid_file": m.pidFile(),
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

func (m *MySQL) program() *exec.Cmd {
	_ = os.Remove(m.pidFile()) // of a server that was killed
	return exec.Command(m.daemon, m.arguments()...)
}

// ready: the server writes its process id last, and greets who connects.
func (m *MySQL) ready(*process) bool {
	_, err := os.Stat(m.pidFile())
	return err == nil && greets(m.port)
}

func (m *MySQL) problem(line string) (string, bool) {
	_, problem, ok := strings.Cut(line, "[ERROR]")
	return problem, ok && !strings.Contains(problem, "Aborting")
}

func (m *MySQL) habits() habits {
	return habits{stop: syscall.SIGTERM, orphan: syscall.SIGKILL, inUse: "Bind on TCP/IP port"}
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

func (m *MySQL) socket() string  { return filepath.Join(m.dir.path, "s.sock") }
func (m *MySQL) pidFile() string { return filepath.Join(m.dir.path, serverPID) }

// temporary is the server's own directory for temporary tables: a server that
// starts removes what it finds of such files, also those of one that runs.
func (m *MySQL) temporary() string { return filepath.Join(m.dir.path, "tmp") }

// serverPID is the file in a scratch directory in which such a server keeps its process id.
const serverPID = "server.pid"

// Restart stops the server if it runs and starts it again on the same port and
// data. Settings are added to those it had; nil leaves them.
func (m *MySQL) Restart(ctx context.Context, settings map[string]string) error {
	return m.restart(ctx, func() error {
		if m.settings == nil {
			m.settings = map[string]string{}
		}
		maps.Copy(m.settings, settings)
		return nil
	})
}
