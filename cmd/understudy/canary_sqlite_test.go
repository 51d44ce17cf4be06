package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/canarytest"
)

// liteCages has the masks and the kinds of columns of a file.
func liteCages() []cage {
	return []cage{
		{"full_name", "VARCHAR(80) NOT NULL", "full_name", word(14, "'%s Berg'")},
		{"first_name", "TEXT", "first_name", word(12, "'%s'")},
		{"username", "TEXT NOT NULL UNIQUE COLLATE NOCASE", "username", word(14, "'%s'")},
		{"email", "TEXT NOT NULL UNIQUE CHECK (email LIKE '%@%.%')", "email", address},
		{"phone", "TEXT", "phone", number(12, "'+%d'")},
		{"mobile", "BIGINT", "phone", number(13, "%d")},
		{"street", "STRING", "street", word(16, "'%s Road 7'")},
		{"account", "CHARACTER(24) NOT NULL UNIQUE CHECK (length(account) = 20)", "fpe", word(20, "'%s'")},
		{"account_no", "INTEGER UNIQUE", "fpe", number(15, "%d")},
		{"balance", "NUMERIC(18,2)", "fpe", number(13, "%d.25")},
		{"serial_no", "INT NOT NULL CHECK (serial_no > 0)", "int", number(15, "%d")},
		{"token", "UUID NOT NULL UNIQUE", "uuid", planted("'%s'", uuid)},
		{"token_bytes", "GUID", "uuid", word(16, "cast('%s' AS BLOB)")},
		{"secret", "TEXT NOT NULL", "hash", word(24, "'%s'")},
		{"secret_bytes", "BLOB", "hash", word(24, "cast('%s' AS BLOB)")},
		{"born", "DATE", "{mask: date_shift, within: 30d}", planted("'%s'", day)},
		{"seen", "DATETIME", "{mask: date_shift, within: 30d, class: visit}", planted("'%s 11:22:33.123'", day)},
		{"notes", "CLOB NOT NULL", "{mask: redact, class: free_text}", word(24, "'before %s ' || char(0) || ' after'")},
		{"essay", "TEXT", "{mask: redact, class: free_text}", word(24, "replace(hex(zeroblob(9000)), '00', ' x') || ' %s'")},
		{"picture", "BLOB", "{mask: redact, class: free_text}", word(24, "cast('%s' AS BLOB) || zeroblob(9000)")},
		{"doc", "JSON", `{json: {"$.mail": email, "$.list[*].name": full_name}, others: redact}`, word(24, `'{"mail": "%[1]s@x.test", "list": [{"name": "%[1]s", "odd %[1]s": 1}, "%[1]s"], "%[1]s": {"x": "%[1]s"}}'`)},
		{"host", "INET", "{mask: redact, class: address}", planted("'%s'", ipv6)},
		{"bare", "", "{mask: constant, value: x, class: free_text}", word(24, "'%s'")},
		{"place", "POINT", "nullify", word(24, "'%s'")},
		{"anything", "ANY", "nullify", number(15, "%d")},
	}
}

// liteAviary makes the statements of a file of cages, its rows, and the rules.
func liteAviary(t *testing.T, list *canarytest.List) (structure, rows []string, rules string) {
	t.Helper()
	var columns, values []string
	cages := liteCages()
	lines := []string{"version: 1", "tables:", "  people:", "    columns:", "      id: {keep: a number}"}
	for _, c := range cages {
		columns = append(columns, c.column+" "+c.ddl)
		lines = append(lines, "      "+c.column+": "+c.rule)
	}
	birds := func(row int) string {
		values = values[:0]
		for _, c := range cages {
			values = append(values, c.bird(t, list, fmt.Sprintf("people.%s %d", c.column, row)))
		}
		return strings.Join(values, ", ")
	}
	structure = []string{
		"CREATE TABLE people (id INTEGER PRIMARY KEY, " + strings.Join(columns, ", ") + ", loud TEXT AS (upper(email) || serial_no) STORED, quiet AS (lower(notes) || account))",
		"CREATE TABLE logins (mail TEXT COLLATE NOCASE PRIMARY KEY REFERENCES people (username), realm TEXT NOT NULL) WITHOUT ROWID",
		"CREATE TABLE stricts (t TEXT PRIMARY KEY, a ANY) STRICT",
		"CREATE INDEX by_name ON people (lower(full_name), secret)", "CREATE UNIQUE INDEX by_part ON people (substr(account, 1, 19)) WHERE id > 1",
		"CREATE VIEW directory AS SELECT full_name, quiet FROM people",
		"CREATE VIRTUAL TABLE words USING fts5(t, u)", "CREATE VIRTUAL TABLE found USING fts5(full_name, notes, content='people', content_rowid='id')",
		"CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, +label)",
		"CREATE TRIGGER told AFTER INSERT ON people BEGIN INSERT INTO stricts VALUES (new.full_name, new.secret); END",
	}
	for row := range 30 {
		rows = append(rows, fmt.Sprintf("INSERT INTO people (id, %s) VALUES (%d, %s)", columnNames(cages), row, birds(row)),
			fmt.Sprintf("INSERT INTO words (rowid, t, u) VALUES (%d, '%s', '%s')", row*3, list.Text(t, "words.t", 14), list.Text(t, "words.u", 14)),
			fmt.Sprintf("INSERT INTO boxes VALUES (%d, 1, 2, '%s')", row, list.Text(t, "boxes.label", 14)))
	}
	rows = append(rows, "DELETE FROM stricts", "INSERT INTO logins SELECT username, full_name FROM people", "INSERT INTO found (found) VALUES ('rebuild')",
		fmt.Sprintf("INSERT INTO stricts VALUES ('%s', '%s')", list.Text(t, "stricts.t", 14), list.Text(t, "stricts.a", 14)), "ANALYZE")
	lines = append(lines, "  logins: {columns: {realm: {mask: redact, class: free_text}}}", "  stricts: {columns: {t: hash, a: nullify}}",
		"  words: {columns: {rowid: {keep: a number}, t: {mask: lorem, class: free_text}, u: {mask: redact, class: free_text}}}",
		"  boxes: {columns: {id: {keep: a number}, x0: {keep: a number}, x1: {keep: a number}, label: nullify}}")
	return structure, rows, strings.Join(lines, "\n") + "\n"
}

func columnNames(cages []cage) string {
	var out []string
	for _, c := range cages {
		out = append(out, c.column)
	}
	return strings.Join(out, ", ")
}

// TestCanariesStayInTheSourceFile masks a file whole, by a switch and by an
// exchange of rows, and searches every file beside the target and all that was said.
func TestCanariesStayInTheSourceFile(t *testing.T) {
	t.Parallel()
	list := canarytest.New()
	structure, rows, rules := liteAviary(t, list)
	from := t.TempDir()
	source := filepath.Join(from, "from.db")
	db := openFile(t, source)
	fillFile(t, db, append(structure, rows...)...)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const numbers = "SELECT mobile, account_no, printf('%.2f', balance), serial_no, anything FROM people" // which files hold in fewer bytes than are searched for
	list.MissingNone(t, "the source", append(list.InFiles(t, from), list.InText("numbers", liteQuery(t, source, numbers))...))
	for _, journal := range []string{"DELETE", "WAL", "PERSIST"} {
		t.Run(journal, func(t *testing.T) {
			to := t.TempDir()
			target := filepath.Join(to, "to.db")
			app := openFile(t, target)
			app.SetMaxOpenConns(1)
			if _, err := app.Exec("PRAGMA journal_mode = " + journal); err != nil {
				t.Fatal(err)
			}
			if _, err := app.Exec("SELECT count(*) FROM sqlite_schema"); err != nil {
				t.Fatal(err)
			}
			e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob(), map[string]string{"all.yaml": rules})
			var told strings.Builder
			for i, mode := range []string{"swap, keep: 2", "swap, keep: 2", "replace, keep: 0", "replace, keep: 0"} {
				e.write(t, "understudy.yaml", plainJob("load: {mode: "+mode+"}"))
				commands := [][]string{{"refresh"}, {"verify"}}
				if i == 0 {
					commands = append(commands, []string{"plan", "--json"}, []string{"rules", "list"}, []string{"why", "people", "1"})
				}
				for _, args := range commands {
					told.WriteString(e.run(t, 0, args...).all())
				}
				if _, err := app.Exec("UPDATE people SET email = 'staging' || id || '@x.test' WHERE id % 2 = 0; DELETE FROM logins WHERE mail > 'm'; DELETE FROM words WHERE rowid % 2 = 0"); err != nil {
					t.Fatal(err)
				}
				// Another process copies the files: opening and closing them here would take the application's locks away.
				seen := filepath.Join(t.TempDir(), "seen")
				if err := exec.CommandContext(t.Context(), "cp", "-r", to, seen).Run(); err != nil {
					t.Fatal(err)
				}
				list.FoundNone(t, "every file beside the target", list.InFiles(t, seen))
			}
			list.FoundNone(t, "numbers of the target", list.InText("numbers", liteQuery(t, target, numbers)))
			list.FoundNone(t, "what was said", list.InText("terminal", told.String()))
			list.FoundNone(t, "job, rules and reports", list.InFiles(t, e.dir))
			e.run(t, 0, "refresh")
			got := liteQuery(t, target, `SELECT count(*), (SELECT count(*) FROM people JOIN logins ON username = mail), (SELECT count(*) FROM words), (SELECT count(*) FROM stricts), (SELECT count(*) FROM boxes WHERE label IS NULL), (SELECT count(*) FROM pragma_foreign_key_check),
				(SELECT count(*) FROM people WHERE loud = upper(email) || serial_no), (SELECT count(*) FROM found JOIN people ON id = found.rowid AND found.notes = people.notes) FROM people`)
			if want := "30\t30\t30\t1\t30\t0\t30\t30"; got != want {
				t.Errorf("the target holds %q, want %q", got, want)
			}
		})
	}
}
