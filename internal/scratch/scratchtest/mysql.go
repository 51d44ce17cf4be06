package scratchtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"understudy/internal/scratch"
)

// MySQLVariable names the folder of an unpacked MySQL server, with its program
// mysqld; tests that need MySQL itself, not MariaDB, are skipped without it.
const MySQLVariable = "UNDERSTUDY_TEST_MYSQL_HOME"

// MariaDB gives the test binary's own MariaDB server, started at the first call.
// Tests must not stop, kill or reconfigure it; those start one with OwnMySQL.
func MariaDB(t testing.TB) *scratch.MySQL {
	t.Helper()
	needsServer(t)
	m, err := shared.maria.get(func(ctx context.Context) (*scratch.MySQL, error) {
		return scratch.StartMySQL(ctx, scratch.MySQLOptions{})
	})
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
	program := mysqlProgram(t)
	m, err := shared.mysql.get(func(ctx context.Context) (*scratch.MySQL, error) {
		return scratch.StartMySQL(ctx, scratch.MySQLOptions{Server: program})
	})
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
	stopAfter(t, m)
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
