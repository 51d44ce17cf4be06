package scratch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"understudy/internal/fault"
)

// SQL runs statements through psql, PostgreSQL's own client, and stops at the
// first that fails. The password travels in the environment, never on the
// command line.
func SQL(ctx context.Context, address, statements string) error {
	_, err := psql(ctx, address, strings.NewReader(statements), "--quiet")
	return err
}

// Script is SQL for a plain dump, psql's own commands and COPY data included.
func Script(ctx context.Context, address string, script io.Reader) error {
	_, err := psql(ctx, address, script, "--quiet")
	return err
}

// Query runs one query and gives its rows as text, one line a row, columns
// separated by a tab, NULL as \N.
func Query(ctx context.Context, address, query string) (string, error) {
	out, err := psql(ctx, address, strings.NewReader(query), "--quiet", "--tuples-only", "--no-align", "--field-separator=\t", `--pset=null=\N`)
	return strings.TrimRight(out, "\n"), err
}

// Quote writes a name as a quoted SQL identifier.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func psql(ctx context.Context, address string, input io.Reader, args ...string) (string, error) {
	program, err := findPsql()
	if err != nil {
		return "", err
	}
	shown, password := withoutPassword(address)
	cmd := exec.CommandContext(ctx, program, append([]string{"--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname=" + shown}, args...)...)
	cmd.Env = environment(os.Environ(), os.Getenv("HOME"), "PGPASSWORD="+password, "PGOPTIONS=-c client_min_messages=warning", "PGCLIENTENCODING=UTF8")
	cmd.Stdin = input
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("psql: %w: %s", err, firstError(problem.String()))
	}
	return out.String(), nil
}

// findPsql prefers the client that belongs to the server over the one in PATH,
// which may be older than the server.
func findPsql() (string, error) {
	if bin, err := FindPostgres(); err == nil {
		if path, err := exec.LookPath(filepath.Join(bin, "psql")); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath("psql")
	if err != nil {
		return "", fault.New(fault.Unavailable, "scratch-client", "apt-get install postgresql-client", "psql is not installed")
	}
	return path, nil
}

// withoutPassword takes the password out of an address, be it in the user part
// or among the parameters.
func withoutPassword(address string) (shown, password string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "" // psql will say that the address is none; it may hold a password, so it is not repeated
	}
	if u.User != nil {
		if p, ok := u.User.Password(); ok {
			password = p
			u.User = url.User(u.User.Username())
		}
	}
	q := u.Query()
	if q.Has("password") {
		password = q.Get("password")
		q.Del("password")
		u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	}
	shown = u.String()
	if u.Host == "" && !strings.HasPrefix(shown, u.Scheme+"://") {
		shown = u.Scheme + "://" + strings.TrimPrefix(shown, u.Scheme+":") // libpq wants both slashes
	}
	return shown, password
}

// firstError keeps the first line of what psql complained about; the lines
// after it (DETAIL, CONTEXT) may hold row values.
func firstError(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
