package scratch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"understudy/internal/fault"
)

// A Pooler is a PgBouncer that stands before a server.
type Pooler struct {
	first *Postgres
	dir   *directory
	port  int
	proc  *process
}

// Pooler starts a PgBouncer before the server; mode is session, transaction or
// statement, size how many of the server's sessions it keeps for a database. It
// is stopped by its caller, before the server. The error is fs.ErrNotExist where
// the program is not installed.
func (p *Postgres) Pooler(ctx context.Context, mode string, size int) (*Pooler, error) {
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return nil, fault.New(fault.Unavailable, "scratch-server", "apt-get install pgbouncer", "pgbouncer is not installed").Because(fs.ErrNotExist)
		}
	}
	b := &Pooler{first: p}
	if b.dir, err = newDirectory(p.as); err != nil {
		return nil, err
	}
	if b.port, err = freePort(); err == nil {
		err = b.configure(mode, size)
	}
	if err == nil {
		cmd := exec.Command(program, b.path("pgbouncer.ini"))
		cmd.Dir, cmd.Env = b.dir.path, environment(os.Environ(), b.dir.path)
		cmd.SysProcAttr = p.as.attributes(syscall.SIGKILL)
		b.proc, err = startProcess(cmd)
	}
	if err == nil {
		err = b.ready(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

// configure writes the pooler's files. Whoever reaches the loopback port is let
// in as the superuser: the server it stands before is a scratch one.
func (b *Pooler) configure(mode string, size int) error {
	settings := []string{"[databases]", "* = host=127.0.0.1 port=" + strconv.Itoa(b.first.port), "[pgbouncer]",
		"listen_addr = 127.0.0.1", "listen_port = " + strconv.Itoa(b.port), "unix_socket_dir =", "auth_type = trust", "auth_file = " + b.path("users"),
		"pool_mode = " + mode, "default_pool_size = " + strconv.Itoa(size), "logfile = " + b.path("pooler.log")}
	for name, text := range map[string]string{"pgbouncer.ini": strings.Join(settings, "\n") + "\n", "users": fmt.Sprintf("%q %q\n", superuser, b.first.password)} {
		if err := os.WriteFile(b.path(name), []byte(text), 0o600); err != nil {
			return err
		}
		if err := b.first.as.own(b.path(name)); err != nil {
			return err
		}
	}
	return nil
}

func (b *Pooler) path(name string) string { return filepath.Join(b.dir.path, name) }

func (b *Pooler) ready(ctx context.Context) error {
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", b.address())
		if err == nil {
			return conn.Close()
		}
		if b.proc.ended() || ctx.Err() != nil {
			text, _ := os.ReadFile(b.path("pooler.log"))
			return fmt.Errorf("pgbouncer ended while starting: %s", lastLine(text))
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (b *Pooler) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// URL is the address of one of the server's databases behind the pooler.
func (b *Pooler) URL(db string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(superuser, b.first.password), Host: b.address(), Path: "/" + db, RawQuery: "sslmode=disable"}
	return u.String()
}

// Stop ends the pooler and removes its directory.
func (b *Pooler) Stop() error {
	if b.proc != nil {
		killTree(b.proc.pid())
		<-b.proc.done
	}
	return b.dir.remove()
}
