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
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"understudy/internal/fault"
)

// InstallPostgres is the command that puts a PostgreSQL server on the machine,
// for hints.
const InstallPostgres = "apt-get install postgresql (Debian, Ubuntu), dnf install postgresql-server (Fedora), brew install postgresql (macOS)"

// superuser is the role that initdb makes.
const superuser = "postgres"

// Options say how a PostgreSQL server is started. The zero value is a small
// server that is fast and keeps nothing safe from a power cut.
type Options struct {
	// Bin is the folder of initdb and postgres; empty means FindPostgres's answer.
	Bin string
	// Settings are added to postgresql.conf, over the defaults of this package,
	// for example {"log_statement": "all"}. Values are plain; quoting is done here.
	Settings map[string]string
}

// Postgres is a running PostgreSQL server. Its methods may be called from any
// goroutine; Stop, Kill and Restart exclude each other.
type Postgres struct {
	server
	bin string
}

// FindPostgres gives the folder that holds initdb and postgres: that of PATH,
// else the newest of the usual places. The error names the command that
// installs a server.
func FindPostgres() (bin string, err error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil && isServer(filepath.Dir(real)) {
			return filepath.Dir(real), nil
		}
	}
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib64/pgsql/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		dirs, _ := filepath.Glob(pattern) // only a malformed pattern fails
		found = append(found, slices.DeleteFunc(dirs, func(d string) bool { return !isServer(d) })...)
	}
	if len(found) == 0 {
		return "", fault.New(fault.Unavailable, "scratch-server", InstallPostgres, "no PostgreSQL server is installed (initdb and postgres not found)")
	}
	return slices.MaxFunc(found, func(a, b string) int { return majorIn(a) - majorIn(b) }), nil
}

func isServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// majorIn finds the version in a path such as /usr/lib/postgresql/17/bin; 0 if there is none.
func majorIn(dir string) int {
	part := filepath.Base(filepath.Dir(dir))
	n, _ := strconv.Atoi(part[strings.LastIndexAny(part, "-@")+1:])
	return n
}

// StartPostgres makes a data directory and starts a server on it; ctx bounds
// the start only. The caller owns the server and ends it with Stop.
func StartPostgres(ctx context.Context, o Options) (*Postgres, error) {
	bin := o.Bin
	if bin == "" {
		var err error
		if bin, err = FindPostgres(); err != nil {
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
	p := newPostgres(bin, as, dir, rand.Text())
	if err := p.make(ctx, o.Settings); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	if err := p.startOnFreePort(ctx); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	return p, nil
}

func newPostgres(bin string, as account, dir *directory, password string) *Postgres {
	p := &Postgres{server: server{as: as, dir: dir, password: password}, bin: bin}
	p.product = p
	return p
}

// make runs initdb and writes the settings.
func (p *Postgres) make(ctx context.Context, settings map[string]string) error {
	file := filepath.Join(p.dir.path, "password")
	if err := os.WriteFile(file, []byte(p.password+"\n"), 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	if err := p.as.own(file); err != nil {
		return err
	}
	locale := "--locale=C"
	if runtime.GOOS == "linux" {
		locale = "--locale=C.UTF-8" // bytewise order, and upper and lower beyond ASCII
	}
	args := []string{"-D", p.DataDir(), "-U", superuser, "-A", "scram-sha-256", "--pwfile", file, "-E", "UTF8", locale, "--no-sync", "--no-instructions"}
	cmd := p.command(ctx, filepath.Join(p.bin, "initdb"), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fault.New(fault.Unavailable, "scratch-server", "is the temporary directory open to other users? TMPDIR may name another",
			"initdb: %v: %s", err, lastLine(out))
	}
	return p.configure(settings)
}

// configure appends this package's defaults and then the caller's settings.
func (p *Postgres) configure(settings map[string]string) error {
	all := map[string]string{
		"listen_addresses": "127.0.0.1", "unix_socket_directories": p.socketDir(),
		"fsync": "off", "full_page_writes": "off", // commits stay synchronous: Kill must lose none
		"shared_buffers": "32MB", "max_connections": "100", "jit": "off",
		"logging_collector": "off", "log_line_prefix": "%m [%p] ", "timezone": "UTC", "log_timezone": "UTC",
	}
	maps.Copy(all, settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''"))
	}
	conf, err := os.OpenFile(filepath.Join(p.DataDir(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString(text.String())
	return errors.Join(err, conf.Close())
}

func (p *Postgres) program() *exec.Cmd {
	return exec.Command(filepath.Join(p.bin, "postgres"), "-D", p.DataDir(), "-p", strconv.Itoa(p.port))
}

// ready looks for the word "ready" in the file the server keeps, as pg_ctl does.
func (p *Postgres) ready(proc *process) bool {
	lines, err := postmasterLines(p.DataDir())
	return err == nil && len(lines) > 7 && lines[7] == "ready" && lines[0] == strconv.Itoa(proc.pid())
}

func (p *Postgres) problem(line string) (string, bool) {
	_, problem, ok := strings.Cut(line, "FATAL:")
	return problem, ok
}

// habits: SIGINT is a fast shutdown, SIGQUIT an immediate one that takes the children along.
func (p *Postgres) habits() habits {
	return habits{stop: syscall.SIGINT, orphan: syscall.SIGQUIT, inUse: "could not create any TCP/IP sockets", logsOut: true}
}

// URL is the server's address with the superuser's name and password, for one
// of its databases.
func (p *Postgres) URL(db string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, p.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)), Path: "/" + db, RawQuery: "sslmode=disable"}
	return u.String()
}

// SocketURL is the same server by its Unix socket, another name for the same
// database; empty if the temporary directory's path is too long for one.
func (p *Postgres) SocketURL(db string) string {
	if p.socketDir() == "" {
		return ""
	}
	q := url.Values{"host": {p.socketDir()}, "port": {strconv.Itoa(p.port)}, "user": {superuser}, "password": {p.password}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", Path: "/" + db, RawQuery: q.Encode()}
	return "postgres:///" + db + "?" + u.RawQuery
}

// Bin is the folder of the programs the server was started from.
func (p *Postgres) Bin() string { return p.bin }

// CreateDatabase makes an empty database.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) error {
	return SQL(ctx, p.URL(superuser), "CREATE DATABASE "+Quote(name))
}

// Restart stops the server if it runs and starts it again on the same port and
// data. Settings are added to those it had; nil leaves them.
func (p *Postgres) Restart(ctx context.Context, settings map[string]string) error {
	return p.restart(ctx, func() error { return p.configure(settings) })
}

// socketDir is the folder of the Unix socket; empty if its path would be too
// long for one (107 bytes with the file name on Linux, 103 elsewhere).
func (p *Postgres) socketDir() string {
	if len(p.dir.path)+len("/.s.PGSQL.65535.lock") > 100 {
		return ""
	}
	return p.dir.path
}
