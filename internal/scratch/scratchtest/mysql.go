package scratchtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"understudy/internal/scratch"
)

// MySQLVariable names the folder of an unpacked MySQL server, with its program
// mysqld; tests that need MySQL itself, not MariaDB, are skipped without it.
const MySQLVariable = "UNDERSTUDY_TEST_MYSQL_HOME"

// mysqlServer starts at its first use and is then the same for all.
type mysqlServer struct {
	mu      sync.Mutex
	tried   bool
	running *scratch.MySQL
	err     error
}

func (s *mysqlServer) get(o scratch.MySQLOptions) (*scratch.MySQL, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tried {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // undo: no test owns the server, so none may cancel its start
		defer cancel()
		s.running, s.err = scratch.StartMySQL(ctx, o)
		s.tried = true
	}
	return s.running, s.err
}

func (s *mysqlServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		ctx, cancel := undoing()
		defer cancel()
		_ = s.running.Stop(ctx) // the outcome of the tests is what counts
	}
}

// MariaDB gives the test binary's own MariaDB server, started at the first call.
// Tests must not stop, kill or reconfigure it; those start one with OwnMySQL.
func MariaDB(t testing.TB) *scratch.MySQL {
	t.Helper()
	needsServer(t)
	m, err := shared.maria.get(scratch.MySQLOptions{})
	if err != nil {
		t.Fatalf("no MariaDB for this test: %v", err)
	}
	return m
}

// MySQL gives the test binary's own MySQL server. Without MySQLVariable the test
// is skipped and says so.
func MySQL(t testing.TB) *scratch.MySQL {
	t.Helper()
	needsServer(t)
	m, err := shared.mysql.get(scratch.MySQLOptions{Server: mysqlProgram(t)})
	if err != nil {
		t.Fatalf("no MySQL for this test: %v", err)
	}
	return m
}

// OwnMySQL starts a server for this test alone, MariaDB or else MySQL, and stops
// it afterwards.
func OwnMySQL(t testing.TB, maria bool, settings map[string]string) *scratch.MySQL {
	t.Helper()
	needsServer(t)
	o := scratch.MySQLOptions{Settings: settings}
	if !maria {
		o.Server = mysqlProgram(t)
	}
	m, err := scratch.StartMySQL(t.Context(), o)
	if err != nil {
		t.Fatalf("no server for this test: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := undoing()
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Errorf("stop the test's server: %v", err)
		}
	})
	return m
}

func mysqlProgram(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(MySQLVariable)
	if dir == "" {
		t.Skipf("NOT RUN: %s is unset, so MySQL cannot be tried; set it to the folder of an unpacked server with its program mysqld", MySQLVariable)
	}
	path := filepath.Join(dir, "mysqld")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("MySQL's program: %v", err)
	}
	return path
}
