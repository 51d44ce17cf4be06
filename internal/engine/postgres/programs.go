package postgres

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/engine"
)

// Whole-schema DDL is left to PostgreSQL's own pg_dump and pg_restore: they are
// the ones who know every object of every version.

// programs are one version's pg_dump and pg_restore.
type programs struct {
	dump, restore string
	major         int
}

// findPrograms looks in PATH and in the usual places for the oldest pair that
// is at least as new as the server: older ones refuse the server, newer ones
// may write settings an old server does not know.
func findPrograms(ctx context.Context, major int) (programs, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/lib64/pgsql/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/opt/homebrew/opt/libpq/bin", "/usr/local/opt/postgresql@*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin"} {
		found, _ := filepath.Glob(pattern) // only a malformed pattern fails
		dirs = append(dirs, found...)
	}
	best, newest := programs{}, 0
	for _, dir := range wrappersLast(dirs) {
		if best.major == major {
			break // none fits better
		}
		p := programs{dump: filepath.Join(dir, "pg_dump"), restore: filepath.Join(dir, "pg_restore")}
		p.major = min(programMajor(ctx, p.dump), programMajor(ctx, p.restore))
		newest = max(newest, p.major)
		if p.major >= major && (best.major == 0 || p.major < best.major) {
			best = p
		}
	}
	if best.major != 0 {
		return best, nil
	}
	if ctx.Err() != nil { // they were not asked to the end
		return programs{}, wrap(ctx, ctx.Err(), "look for pg_dump and pg_restore")
	}
	e := &engine.Error{Code: engine.Unsupported, Doing: "look for pg_dump and pg_restore",
		Say:  "they are not installed",
		Hint: fmt.Sprintf("install PostgreSQL's client programs, version %d or newer: apt-get install postgresql-client-%d", major, major)}
	if newest > 0 {
		e.Say = fmt.Sprintf("the newest pair found is version %d, the server is version %d", newest, major)
	}
	return programs{}, e
}

// wrappersLast lists each directory once, those last whose pg_dump is Debian's
// wrapper: a script that only chooses among the programs of other directories,
// and costs more time than a small database's whole structure.
func wrappersLast(dirs []string) []string {
	var direct, wrapped []string
	seen := map[string]bool{"": true}
	for _, dir := range dirs {
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if to, err := filepath.EvalSymlinks(filepath.Join(dir, "pg_dump")); err == nil && filepath.Base(to) == "pg_wrapper" {
			wrapped = append(wrapped, dir)
			continue
		}
		direct = append(direct, dir)
	}
	return append(direct, wrapped...)
}

// programMajor asks a program for its version; 0 if it is not there or says nothing known.
func programMajor(ctx context.Context, path string) int {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return 0
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`\(PostgreSQL\) (\d+)`).FindSubmatch(out)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(m[1])) // digits
	return n
}

// conninfo is a libpq connection string for a database of the server, without
// the password. libpq's own defaults that would change what happens are
// answered, so that it connects as this process does.
func (a *address) conninfo(database string) string {
	parts := []struct{ name, value string }{
		{"host", a.host}, {"port", strconv.Itoa(int(a.port))}, {"user", a.user}, {"dbname", database},
		{"connect_timeout", strconv.Itoa(int(a.timeout / time.Second))},
		{"gssencmode", "disable"}, {"sslmode", a.tls.Mode}, {"sslrootcert", a.tls.CA}, {"sslcert", a.tls.Cert}, {"sslkey", a.tls.Key},
		{"target_session_attrs", libpqSession(a.session)},
	}
	var b strings.Builder
	for _, p := range parts {
		if p.value == "" {
			continue
		}
		if p.name == "sslmode" && a.socket() {
			p.value = "disable"
		}
		value := strings.ReplaceAll(strings.ReplaceAll(p.value, `\`, `\\`), `'`, `\'`)
		fmt.Fprintf(&b, "%s='%s' ", p.name, value)
	}
	if a.tls.CA == "" && (a.tls.Mode == "verify-full" || a.tls.Mode == "verify-ca") {
		b.WriteString("sslrootcert='" + systemRoots() + "' ")
	}
	return strings.TrimRight(b.String(), " ")
}

// libpqSession leaves out the session kinds that libpq before version 14 does not know.
func libpqSession(kind string) string {
	if kind == "read-write" {
		return kind
	}
	return ""
}

// systemRoots is the file of the certificate authorities this machine trusts:
// libpq has looked for it by itself only since version 16, where it is called "system".
func systemRoots() string {
	for _, file := range []string{os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return "system"
}

// A tool is one run of pg_dump or pg_restore.
type tool struct {
	program string
	args    []string
	files   []option          // options whose value is a file of ours
	output  *os.File          // takes the standard output; nil to have it returned
	at      *address          // nil for one that opens no connection
	name    string            // of the session
	set     map[string]string // settings of its sessions
	builds  []entry           // what it restores, to name in errors
}

// An option is a file that a tool reads: name=path, or the path alone without a name.
type option struct {
	name string
	file *os.File
}

// run runs a tool to its end and gives its standard output. It is killed when
// ctx ends or this process dies. What it writes about an error quotes DDL and
// rows; only names of objects are taken from it.
func (r tool) run(ctx context.Context, doing string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, r.program, r.args...)
	for _, o := range r.files {
		cmd.Args = append(cmd.Args, o.name+lend(cmd, o.file))
	}
	cmd.Env = r.environment()
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	complaint := &tail{limit: 32 << 10}
	cmd.Stdout, cmd.Stderr = &out, complaint
	if r.output != nil {
		cmd.Stdout = r.output
	}
	if err := runChild(cmd); err != nil {
		if ctx.Err() != nil {
			return nil, wrap(ctx, err, doing)
		}
		return nil, complaintError(doing, complaint.text, r.builds)
	}
	return out.Bytes(), nil
}

// environment is all the child gets: nothing of this process's PG* variables,
// which would change where it connects; English messages, to be recognized.
func (r tool) environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "PGPASSFILE=" + os.DevNull, "PGSERVICEFILE=" + os.DevNull, "PGSYSCONFDIR=" + os.DevNull}
	if dir := os.Getenv("TMPDIR"); dir != "" {
		env = append(env, "TMPDIR="+dir)
	}
	if r.at == nil {
		return env
	}
	var options []string
	for name, value := range r.set {
		options = append(options, "-c "+name+"="+strings.NewReplacer(`\`, `\\`, ` `, `\ `).Replace(value))
	}
	slices.Sort(options)
	env = append(env, "PGAPPNAME="+applicationName(r.name), "PGOPTIONS="+strings.Join(options, " "), "PGCLIENTENCODING=UTF8")
	if !r.at.password.Empty() {
		env = append(env, "PGPASSWORD="+r.at.password.Reveal())
	}
	return env
}
