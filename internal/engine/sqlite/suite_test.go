package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/engine/enginetest"
	"understudy/internal/secret"
)

// client opens a file as an application does.
func client(t *testing.T, path, parameters string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(500)"+parameters)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(ctx context.Context, db *sql.DB, text string) ([]string, error) {
	rows, err := db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = v.String
		}
		out = append(out, strings.Join(row, "|"))
	}
	return out, rows.Err()
}

// fresh makes an empty file in a WAL or rollback-journal mode.
func fresh(mode string) func(t *testing.T) enginetest.Database {
	return func(t *testing.T) enginetest.Database {
		t.Helper()
		dir := t.TempDir()
		path := filepath.Join(dir, "shop #1.db")
		link := filepath.Join(t.TempDir(), "link.db")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		escaped := strings.ReplaceAll(strings.ReplaceAll(path, "#", "%23"), " ", "%20")
		db := client(t, escaped, "&_pragma=journal_mode("+mode+")")
		return enginetest.Database{
			URL:       secret.New("sqlite:" + escaped),
			Spellings: []secret.Text{secret.New("sqlite://" + escaped), secret.New("sqlite:" + link), secret.New("sqlite:" + filepath.Dir(escaped) + "/../" + filepath.Base(dir) + "/" + filepath.Base(escaped))},
			Exec: func(text string) error {
				_, err := db.ExecContext(t.Context(), text)
				return err
			},
			Query: func(text string) ([]string, error) { return query(t.Context(), db, text) },
		}
	}
}

func harness(mode string) enginetest.Harness {
	return enginetest.Harness{
		Engine: New(),
		Fresh:  fresh(mode),
		Words: enginetest.Words{
			Identity: "INTEGER PRIMARY KEY", Integer: "INTEGER", Long: "TEXT", Bytes: "BLOB",
			Repeat:  func(text string, n int) string { return fmt.Sprintf("replace(hex(zeroblob(%d)), '00', %s)", n, text) },
			AsBytes: func(text string) string { return "CAST(" + text + " AS BLOB)" },
			Show:    func(e string) string { return "typeof(" + e + ") || ' ' || quote(" + e + ")" },
			Recent:  func(e string) string { return e + " > datetime('now', '+78 years') and datetime() < now() || '1'" },
		},
		Values: values(),
		Lax:    true,
		Crash: func(t *testing.T, l engine.Load) {
			t.Helper()
			mine := l.(*load)
			mine.conn.close()
			mine.conn = nil
			_ = mine.lock.file.Close() // as the kernel does
			mine.lock.file = nil
			mine.path = filepath.Join(t.TempDir(), "gone")
		},
	}
}

func values() []enginetest.Value {
	return []enginetest.Value{
		{Type: "INTEGER", Literal: "0", Canonical: "0"},
		{Type: "INTEGER", Literal: "-9223372036854775808", Canonical: "-9223372036854775808"},
		{Type: "BIGINT", Literal: "9223372036854775807", Canonical: "9223372036854775807"},
		{Type: "REAL", Literal: "0.1", Canonical: "0.1"},
		{Type: "REAL", Literal: "1e300", Canonical: "1e+300"},
		{Type: "REAL", Literal: "-2.5e-310", Canonical: "-"},
		{Type: "REAL", Literal: "9e999", Canonical: "Infinity"},
		{Type: "NUMERIC", Literal: "-9e999", Canonical: "-Infinity"},
		{Type: "REAL", Literal: "3", Canonical: "3"},
		{Type: "DOUBLE PRECISION", Literal: "0.30000000000000004", Canonical: "0.30000000000000004"},
		{Type: "NUMERIC(10,2)", Literal: "12.5", Canonical: "12.50"},
		{Type: "DECIMAL(10,2)", Literal: "12", Canonical: "12.00"},
		{Type: "NUMERIC", Literal: "12345678901234567890123", Canonical: "-"},
		{Type: "TEXT", Literal: "''", Canonical: ""},
		{Type: "TEXT", Literal: "'O''Brien \\N {a,b} \"q\" ' || char(9, 10, 13)", Canonical: "O'Brien \\N {a,b} \"q\" \t\n\r"},
		{Type: "TEXT", Literal: "'a' || char(0) || 'b'", Canonical: "a\x00b"},
		{Type: "TEXT", Literal: "cast(x'ff00fe' as text)", Canonical: "\xff\x00\xfe"},
		{Type: "TEXT", Literal: "'日本 🦆'", Canonical: "日本 🦆"},
		{Type: "TEXT", Literal: "'0012'", Canonical: "0012"},
		{Type: "VARCHAR(20)", Literal: "'1e5'", Canonical: "1e5"},
		{Type: "STRING", Literal: "'007x'", Canonical: "007x"},
		{Type: "BLOB", Literal: "x''", Canonical: ""},
		{Type: "BLOB", Literal: "x'00ff27'", Canonical: "\x00\xff'"},
		{Type: "BLOB", Literal: "zeroblob(100000)", Canonical: strings.Repeat("\x00", 100000)},
		{Type: "BOOLEAN", Literal: "1", Canonical: "true"},
		{Type: "BOOLEAN", Literal: "false", Canonical: "false"},
		{Type: "DATE", Literal: "'2024-02-29'", Canonical: "2024-02-29"},
		{Type: "DATETIME", Literal: "'2024-02-29 12:34:56.789'", Canonical: "2024-02-29 12:34:56.789"},
		{Type: "TIMESTAMP", Literal: "'2024-02-29T12:34:56Z'", Canonical: "2024-02-29T12:34:56Z"},
		{Type: "TIMESTAMP", Literal: "1709210096", Canonical: "2024-02-29 12:34:56"},
		{Type: "DATETIME", Literal: "1709210096789", Canonical: "2024-02-29 12:34:56.789"},
		{Type: "DATETIME", Literal: "1709210096789012", Canonical: "2024-02-29 12:34:56.789012"},
		{Type: "DATE", Literal: "2460369.5", Canonical: "2024-02-29"},
		{Type: "BOOLEAN", Literal: "'t'", Canonical: "true"},
		{Type: "BOOLEAN", Literal: "'FALSE'", Canonical: "false"},
		{Type: "UUID", Literal: "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'", Canonical: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{Type: "TIME", Literal: "'12:34'", Canonical: "12:34"},
		{Type: "UUID", Literal: "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", Canonical: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{Type: "JSON", Literal: `'{"a":[1,null,"x"]}'`, Canonical: `{"a":[1,null,"x"]}`},
		{Type: "JSON", Literal: `'12'`, Canonical: `12`},
		{Type: "", Literal: "'text'", Canonical: "text"},
		{Type: "", Literal: "12", Canonical: "-"},
		{Type: "", Literal: "1.5", Canonical: "-"},
		{Type: "", Literal: "x'01'", Canonical: "-"},
		{Type: "INTEGER", Literal: "'not a number'", Canonical: "-"},
		{Type: "TEXT", Literal: "x'01'", Canonical: "-"},
	}
}

func TestSuite(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			h := harness(mode)
			h.Blocks = mode == "delete"
			enginetest.Run(t, h)
		})
	}
}
