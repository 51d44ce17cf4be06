// Package scratchtest gives tests a real PostgreSQL: one server per test
// binary, one database per test. Only test files import it.
//
// The server is the one that UNDERSTUDY_TEST_POSTGRES_URL or TEST_POSTGRES_URL
// names (a superuser's address), else one started from installed programs. If
// there is neither, a test fails with the command that installs one; under
// -short it is skipped, aloud.
package scratchtest

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/scratch"
)

// SamplesVariable names the folder with the sample databases, one folder each.
const SamplesVariable = "UNDERSTUDY_SAMPLES"

// shared is the one server of each product of this test binary. It is the
// package's only variable: tests run in parallel in many files, and a server for
// each would take seconds each. The servers end with the process.
var shared struct {
	postgres     shareable[*scratch.Postgres]
	maria, mysql shareable[*scratch.MySQL]
}

// A stopper is a server that ends.
type stopper interface {
	Stop(context.Context) error
	Died() (problem string, died bool)
}

// shareable starts at its first use and is then the same for all.
type shareable[S stopper] struct {
	mu      sync.Mutex
	tried   bool
	running S
	err     error
}

// get gives the server, started if this is the first call.
func (s *shareable[S]) get(start func(context.Context) (S, error)) (S, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tried {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // undo: no test owns the server, so none may cancel its start
		defer cancel()
		s.running, s.err = start(ctx)
		s.tried = true
	}
	return s.running, s.err
}

// stop ends the server if it was ever started.
func (s *shareable[S]) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tried && s.err == nil {
		if problem, died := s.running.Died(); died {
			fmt.Fprintf(os.Stderr, "the tests' own server ended by itself: %s\n", problem)
		}
		ctx, cancel := undoing()
		defer cancel()
		_ = s.running.Stop(ctx) // the outcome of the tests is what counts
	}
}

// stopAfter stops a server of a test's own when the test has ended.
func stopAfter(t testing.TB, server stopper) {
	t.Cleanup(func() {
		ctx, cancel := undoing()
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("stop the test's server: %v", err)
		}
	})
}

// Postgres gives the test binary's own server, started at the first call, also
// when the environment names another for Database. Tests must not stop, kill or
// reconfigure it; those start one with Own.
func Postgres(t testing.TB) *scratch.Postgres {
	t.Helper()
	needsServer(t)
	p, err := shared.postgres.get(func(ctx context.Context) (*scratch.Postgres, error) {
		return scratch.StartPostgres(ctx, scratch.Options{})
	})
	if err != nil {
		t.Fatalf("no PostgreSQL for this test: %v", err)
	}
	return p
}

// Own starts a server for this test alone and stops it afterwards.
func Own(t testing.TB, o scratch.Options) *scratch.Postgres {
	t.Helper()
	needsServer(t)
	p, err := scratch.StartPostgres(t.Context(), o)
	if err != nil {
		t.Fatalf("no PostgreSQL for this test: %v", err)
	}
	stopAfter(t, p)
	return p
}

// Standby starts a hot standby of a server for this test and stops it afterwards;
// without pg_basebackup the test is skipped, aloud.
func Standby(t testing.TB, first *scratch.Postgres, settings map[string]string) *scratch.Postgres {
	t.Helper()
	p, err := first.Standby(t.Context(), settings)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NOT RUN: the server's programs have no pg_basebackup to make a standby with: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, p)
	return p
}

// Pooled gives the address of a database behind a pooler of this test's own
// (see scratch.Postgres.Pooler); where none is installed the test is skipped, aloud.
func Pooled(t testing.TB, server *scratch.Postgres, database, mode string, size int) string {
	t.Helper()
	p, err := server.Pooler(t.Context(), mode, size)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NOT RUN: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("stop the test's pooler: %v", err)
		}
	})
	return p.URL(strings.TrimPrefix(parse(t, database).Path, "/"))
}

// Main runs the tests and then stops the shared servers, for packages that
// have a TestMain: os.Exit(scratchtest.Main(m)). Without it a server still
// ends with the process; only its directory stays until the next start.
func Main(m *testing.M) int {
	defer shared.postgres.stop()
	defer shared.maria.stop()
	defer shared.mysql.stop()
	return m.Run()
}

// Database makes an empty database for this test, dropped afterwards, and gives
// its address with the superuser's rights.
func Database(t testing.TB) string {
	t.Helper()
	needsServer(t)
	server := serverURL()
	if server == "" {
		server = Postgres(t).URL("postgres")
	}
	return DatabaseOn(t, server)
}

// DatabaseOn is Database on a server of the test's own, given by a superuser's
// address of any of its databases.
func DatabaseOn(t testing.TB, server string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text()[:12])
	SQL(t, server, "CREATE DATABASE "+scratch.Quote(name))
	t.Cleanup(func() {
		ctx, cancel := undoing()
		defer cancel()
		_ = scratch.SQL(ctx, server, "DROP DATABASE IF EXISTS "+scratch.Quote(name)+" WITH (FORCE)") // the server may be stopped by now
	})
	return withDatabase(t, server, name)
}

// Role makes a login role without any right but to connect, runs the grants
// (statements in which %s stands for its quoted name), and gives the address
// of the same database for it. With no grants it may SELECT from every table
// that there is in the database's own schemas.
func Role(t testing.TB, database string, grants ...string) string {
	t.Helper()
	name, password := "role_"+strings.ToLower(rand.Text()[:12]), rand.Text()
	quoted := scratch.Quote(name)
	SQL(t, database, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", quoted, password))
	t.Cleanup(func() {
		ctx, cancel := undoing()
		defer cancel()
		_ = scratch.SQL(ctx, database, fmt.Sprintf("DROP OWNED BY %s; DROP ROLE %s", quoted, quoted)) // the server may be stopped by now
	})
	if len(grants) == 0 {
		grants = selectOnly(t, database)
	}
	for _, g := range grants {
		SQL(t, database, strings.ReplaceAll(g, "%s", quoted))
	}
	u := parse(t, database)
	u.User = url.UserPassword(name, password)
	return u.String()
}

// selectOnly grants USAGE and SELECT in every schema that is not the server's own.
func selectOnly(t testing.TB, database string) []string {
	t.Helper()
	schemas := Query(t, database, `SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`)
	var grants []string
	for schema := range strings.Lines(schemas) {
		s := strings.TrimSpace(schema)
		grants = append(grants, "GRANT USAGE ON SCHEMA "+s+" TO %s; GRANT SELECT ON ALL TABLES IN SCHEMA "+s+" TO %s")
	}
	return grants
}

// SQL runs statements and fails the test if one fails.
func SQL(t testing.TB, address, statements string) {
	t.Helper()
	if err := scratch.SQL(t.Context(), address, statements); err != nil {
		t.Fatal(err)
	}
}

// Query gives a query's rows as text: a line a row, tabs between columns, NULL as \N.
func Query(t testing.TB, address, query string) string {
	t.Helper()
	out, err := scratch.Query(t.Context(), address, query)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Load runs a plain SQL dump, compressed if its name ends in .gz.
func Load(t testing.TB, address, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var script io.Reader = bufio.NewReader(f)
	if strings.HasSuffix(file, ".gz") {
		if script, err = gzip.NewReader(f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	if err := scratch.Script(t.Context(), address, script); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// SampleDatabase gives the path of a file among the sample databases, for
// example "pagila/pagila.sql.gz". Without UNDERSTUDY_SAMPLES the test is
// skipped and says so; with it, a missing file fails the test.
func SampleDatabase(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(SamplesVariable)
	if dir == "" {
		t.Skipf("NOT RUN: %s is unset, so the sample database %s cannot be tried; set it to the folder with the samples", SamplesVariable, name)
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("sample database: %v", err)
	}
	return path
}

// needsServer skips, aloud, under -short.
func needsServer(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT RUN: needs a PostgreSQL server, and -short asks for none")
	}
}

// serverURL is the server given by the environment; empty if none is.
func serverURL() string {
	for _, name := range []string{"UNDERSTUDY_TEST_POSTGRES_URL", "TEST_POSTGRES_URL"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}

func withDatabase(t testing.TB, server, name string) string {
	t.Helper()
	u := parse(t, server)
	u.Path = "/" + name
	return u.String()
}

func parse(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the server's address is not a URL") // it may hold a password, so it is not repeated
	}
	return u
}

// undoing is the context of clean-up: the test's own has ended by then.
func undoing() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second) // undo: drops what the test made
}
