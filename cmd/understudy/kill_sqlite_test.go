package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// A sqliteStaging is the shop in two files, the target in WAL mode and held
// open by an application: this process. Nothing here opens the target's file
// but SQLite, because closing it would take the locks of the process away.
type sqliteStaging struct {
	staging
	target string // path
	app    *sql.DB
}

// openFile opens a file as an application would, in the default journal mode of the file.
func openFile(t testing.TB, path string) *sql.DB {
	t.Helper()
	name := "file://" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)"
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // what it holds is the test's
	return db
}

// fillFile runs statements in one transaction.
func fillFile(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// newSQLiteStaging makes the shop. Ballast is how many rows of a kilobyte
// staging has of its own, in a table that is preserved: they make the copying
// of pages last. Job may change the job.
func newSQLiteStaging(t testing.TB, journal string, ballast int, job ...func(string) string) *sqliteStaging {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "production.db")
	s := &sqliteStaging{target: filepath.Join(dir, "stage.db")}
	for _, change := range job {
		s.job = change
	}
	production, drifted := schemas.Shop("sqlite")
	p := openFile(t, source)
	fillFile(t, p, production...)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	s.app = openFile(t, s.target)
	if _, err := s.app.Exec("PRAGMA journal_mode=" + journal); err != nil {
		t.Fatal(err)
	}
	if ballast > 0 {
		drifted = append(drifted, fmt.Sprintf(`INSERT INTO feature_flags
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT printf('%%01000d', i), i %% 2 FROM n`, ballast))
	}
	fillFile(t, s.app, drifted...)
	s.look = func(t testing.TB) string { return s.sees(t, "integrity_check", "foreign_key_check") }
	s.settle = func(testing.TB) {} // the kernel frees a dead process's locks before anybody can know of its death
	s.trash = s.leftovers
	s.prepare(t, "sqlite:"+source, "sqlite:"+s.target)
	return s
}

// sees is what the application sees of staging in one transaction.
func (s *sqliteStaging) sees(t testing.TB, checks ...string) string {
	t.Helper()
	content, err := contentOf(t.Context(), s.app, checks...)
	if err != nil {
		t.Fatalf("the application cannot read staging: %v", err)
	}
	return content
}

// contentOf reads the whole database in one transaction: the output of the
// checks, and each table's rows and a checksum over them, sorted.
func contentOf(ctx context.Context, db *sql.DB, checks ...string) (string, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	var out strings.Builder
	for _, c := range checks {
		lines, err := linesOf(tx, "PRAGMA "+c)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s: %s\n", c, strings.Join(lines, " "))
	}
	tables, err := linesOf(tx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'understudy\_%' ESCAPE '\' ORDER BY name`)
	if err != nil {
		return "", err
	}
	for _, table := range tables {
		lines, err := linesOf(tx, `SELECT * FROM "`+table+`"`)
		if err != nil {
			return "", err
		}
		slices.Sort(lines)
		fmt.Fprintf(&out, "%s %d %x\n", table, len(lines), sha256.Sum256([]byte(strings.Join(lines, "\n"))))
	}
	return out.String(), nil
}

// linesOf gives a query's rows, each as one line.
func linesOf(tx *sql.Tx, query string) ([]string, error) {
	rows, err := tx.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	cells, places := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		places[i] = &cells[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		var line strings.Builder
		for i, c := range cells {
			if i > 0 {
				line.WriteByte('|')
			}
			if line.WriteString(c.String); !c.Valid {
				line.WriteString("NULL")
			}
		}
		out = append(out, line.String())
	}
	return out, rows.Err()
}

// leftovers lists the program's files beside staging that should not be there:
// any but one kept generation.
func (s *sqliteStaging) leftovers(t testing.TB) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(s.target))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	if kept := s.kept(t); len(kept) > 1 {
		left = kept[1:]
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, ".") && !strings.HasPrefix(name, keptPrefix) {
			left = append(left, name)
		}
	}
	return strings.Join(left, " ")
}

// keptPrefix begins the names of kept generations' files.
const keptPrefix = ".stage.db.understudy-prev-"

// kept lists the files of kept generations.
func (s *sqliteStaging) kept(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(s.target), keptPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// watch reads staging over and over, as an application would, until stop, which
// asserts that every single transaction saw one of both generations, whole.
func (s *sqliteStaging) watch(t testing.TB) (stop func()) {
	t.Helper()
	reader := openFile(t, s.target)
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := map[string]int{}, make(chan error, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			content, err := contentOf(ctx, reader)
			if ctx.Err() != nil {
				done <- nil
				return
			}
			if err != nil {
				done <- err
				return
			}
			seen[content]++
			<-tick.C
		}
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the application could not read staging: %v", err)
		}
		reads := 0
		for content, n := range seen {
			reads += n
			if !strings.HasSuffix(s.content[0], content) && !strings.HasSuffix(s.content[1], content) {
				t.Errorf("%d of the application's transactions saw neither generation", n)
			}
		}
		if reads == 0 {
			t.Error("the application read nothing")
		}
		t.Logf("%d transactions of an application saw %d different contents", reads, len(seen))
	}
}

// journal asserts that staging's file still has its journal mode.
func (s *sqliteStaging) journal(t testing.TB, want string) {
	t.Helper()
	var mode string
	if err := s.app.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != want {
		t.Errorf("journal mode %q, want %q (%v)", mode, want, err)
	}
}

// Everything that may happen to the program happens to one staging, one after
// the other, while an application reads it.
func TestSQLiteKill(t *testing.T) {
	killing(t)
	s := newSQLiteStaging(t, "wal", 0)
	stop := s.watch(t)
	t.Run("in every stage", func(t *testing.T) { killInEveryStage(t, &s.staging, scratchtest.Few(5, 1)) })
	t.Run("while the switch waits", func(t *testing.T) { s.killWaiting(t, "BEGIN IMMEDIATE") })
	t.Run("by interrupts", func(t *testing.T) {
		interruptInEveryStage(t, &s.staging, func() string { return s.leftovers(t) })
	})
	t.Run("nobody in twenty starts", func(t *testing.T) {
		twentyStarts(t, &s.staging, func() (release func()) { return s.hold(t, "BEGIN IMMEDIATE") })
	})
	stop()
	s.journal(t, "wal")
}

// Without a write-ahead log a reader alone makes the switch wait.
func TestSQLiteKillWithoutWriteAheadLog(t *testing.T) {
	killing(t)
	s := newSQLiteStaging(t, "delete", 0)
	s.killWaiting(t, "BEGIN; SELECT count(*) FROM countries")
	s.journal(t, "delete")
}

// The switch copies enough pages here that a kill meets it in the middle.
func TestSQLiteKillInTheSwitch(t *testing.T) {
	killing(t)
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			s := newSQLiteStaging(t, journal, scratchtest.Few(8000, 6000))
			stop := func() {}
			if journal == "wal" {
				stop = s.watch(t)
			}
			s.killSwitching(t)
			stop()
			s.journal(t, journal)
		})
	}
}

// killSwitching kills the program at random moments after it has put the copy
// of the present generation aside, when it writes the pages of the new one.
func (s *sqliteStaging) killSwitching(t *testing.T) {
	random := newRandom(t)
	switched, died, torn := 0, 0, 0
	for n := scratchtest.Few(10, 2); died < n; {
		p := s.begin(t)
		p.in("switch")
		poll(t, "the present generation is never put aside", func() bool {
			select {
			case <-p.done:
				return true
			default:
				return len(s.kept(t)) > 1
			}
		})
		p.after(s.within(random, "switch") / 2)
		p.kill()
		stage := p.death()
		if stage == "switch" {
			died++
		}
		if _, err := os.Stat(s.target + "-journal"); err == nil {
			torn++
		}
		if s.whole(t, "killed in the switch") && stage == "switch" {
			switched++
		}
		s.next(t, "killed in the switch")
	}
	t.Logf("%d deaths in the switch, %d of them after it took place; %d left a rollback journal behind", died, switched, torn)
}

// hold takes an application's lock on staging.
func (s *sqliteStaging) hold(t testing.TB, lock string) (release func()) {
	t.Helper()
	c, err := s.app.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := c.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // back to the pool
	}
}

// killWaiting kills the program while its switch waits for an application's lock.
func (s *sqliteStaging) killWaiting(t *testing.T, lock string) {
	random := newRandom(t)
	n := scratchtest.Few(10, 2)
	for range n {
		p := s.begin(t)
		if !p.in("prove") {
			_, told := p.wait()
			t.Fatalf("the run ended before its proofs:\n%s", told)
		}
		release := s.hold(t, lock)
		if p.in("switch") {
			p.after(s.lasts["switch"] + time.Duration(random.Int64N(int64(time.Second))))
		}
		p.kill()
		if died := p.death(); died != "switch" {
			t.Fatalf("died in %q:\n%s", died, strings.Join(p.told, "\n"))
		}
		release()
		if s.whole(t, "killed while the switch waited") {
			t.Error("killed while the switch waited: staging is the new generation")
		}
		s.next(t, "killed while the switch waited")
	}
	t.Logf("%d deaths while the switch waited for an application", n)
}
