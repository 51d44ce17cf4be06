package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs testdata/script: each file is a terminal session of a user.
// It knows three verbs besides testscript's own:
//
//	exits N command...        the command ends with exit code N
//	json N FIELDS command...  it does so with --json, and stdout is one document that has the fields (a,b,c)
//	narrow N file             no line of the file is wider than N letters
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("UNDERSTUDY_KEY", testKey)
			e.Setenv("TMPDIR", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "json": jsonExits, "narrow": narrow},
	})
}

// testKey is a key for tests. It guards nothing.
const testKey = "usk1_PZJPIKqqPbxc2uMVCVb1eZ7R3kKBYxHxbQ3zWnQ9u2k"

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitOf(ts, args[1:]); got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

func exitOf(ts *testscript.TestScript, command []string) int {
	err := ts.Exec(command[0], command[1:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	return 0
}

func jsonExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: json CODE FIELD,FIELD command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := exitOf(ts, append(args[2:], "--json"))
	text := ts.ReadFile("stdout")
	var doc map[string]json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&doc); err != nil || decoder.More() {
		ts.Fatalf("stdout is not one JSON document: %v", err)
	}
	if string(doc["version"]) != "1" || string(doc["exit"]) != strconv.Itoa(got) || got != want {
		ts.Fatalf("version %s, exit %s in the document, %d of the process, want %d", doc["version"], doc["exit"], got, want)
	}
	fields := []string{"command", "outcome", "findings"}
	if args[1] != "-" {
		fields = append(fields, strings.Split(args[1], ",")...)
	}
	for _, f := range fields {
		if value, ok := doc[f]; !ok || f == "findings" && !strings.HasPrefix(string(value), "[") {
			ts.Fatalf("the document has no %s", f)
		}
	}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if strings.HasPrefix(line, "{") || strings.HasPrefix(line, "understudy:") {
			ts.Fatalf("stderr holds what belongs into the document: %s", line)
		}
	}
}

func narrow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: narrow COLUMNS FILE")
	}
	limit, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		line = strings.TrimRight(line, "\n")
		if len([]rune(line)) > limit && strings.Contains(strings.TrimSpace(line), " ") {
			ts.Fatalf("%d letters wide: %s", len([]rune(line)), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			ts.Fatalf("a control character: %q", line)
		}
	}
}

// sqliteShell is a small sqlite3 for scripts: a file, then statements or `.read FILE`.
func sqliteShell() {
	if err := runSQL(os.Args[1], strings.Join(os.Args[2:], ";")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runSQL(path, text string) error {
	if file, ok := strings.CutPrefix(text, ".read "); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = string(data)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	for statement := range strings.SplitSeq(text, ";") { // scripts have none within quotes
		if err := printRows(db, statement); err != nil {
			return err
		}
	}
	return nil
}

func printRows(db *sql.DB, statement string) error {
	rows, err := db.Query(statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		cells := make([]any, len(names))
		for i := range cells {
			cells[i] = new(sql.NullString)
		}
		if err := rows.Scan(cells...); err != nil {
			return err
		}
		texts := make([]string, len(names))
		for i, c := range cells {
			texts[i] = c.(*sql.NullString).String
		}
		fmt.Println(strings.Join(texts, "|"))
	}
	return rows.Err()
}
