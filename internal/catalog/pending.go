package catalog

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
)

// A Migration is a file that a migration tool would apply.
type Migration struct {
	Version string // as the tool's history writes it
	File    string // within the directory
	Text    string // its statements, without those that control a transaction
}

// Migrations reads a tool's directory in the order in which the tool applies it.
// Supported are the tools whose migrations are SQL: Flyway, goose, golang-migrate,
// Atlas, Prisma, and dbmate, which keeps its history as Rails does. Errors name
// what is wrong with the directory.
func Migrations(dir, tool string) ([]Migration, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	var files interface {
		Files() ([]migrate.File, error)
	}
	var err error
	switch tool {
	case "Flyway":
		files, err = sqltool.NewFlywayDir(dir)
	case "goose":
		files, err = sqltool.NewGooseDir(dir)
	case "golang-migrate":
		files, err = sqltool.NewGolangMigrateDir(dir)
	case "Atlas":
		files, err = migrate.NewLocalDir(dir)
	case "Rails":
		files, err = sqltool.NewDBMateDir(dir)
	case "Prisma":
		return prismaMigrations(dir)
	default:
		return nil, fmt.Errorf("migrations of %s are no SQL files", tool)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read as migrations of %s", dir, tool)
	}
	list, err := files.Files()
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read as migrations of %s", dir, tool)
	}
	var out []Migration
	for _, f := range list {
		statements, err := f.Stmts()
		if err != nil {
			return nil, fmt.Errorf("%s cannot be taken apart into statements", filepath.Join(dir, f.Name()))
		}
		m := Migration{Version: f.Version(), File: f.Name(), Text: plainStatements(statements)}
		if base := path.Base(f.Name()); tool == "Flyway" && strings.HasPrefix(base, "R") {
			m.Version = base // repeatable ones are known by their script
		} else if tool == "Flyway" {
			m.Version = strings.ReplaceAll(m.Version, "_", ".")
		}
		out = append(out, m)
	}
	slices.SortStableFunc(out, func(a, b Migration) int { return CompareVersions(a.Version, b.Version) })
	return out, nil
}

func prismaMigrations(dir string) ([]Migration, error) {
	names, err := fs.Glob(os.DirFS(dir), "*/migration.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []Migration
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(n)))
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read", filepath.Join(dir, n))
		}
		statements, err := migrate.Stmts(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s cannot be taken apart into statements", filepath.Join(dir, n))
		}
		var texts []string
		for _, s := range statements {
			texts = append(texts, s.Text)
		}
		out = append(out, Migration{Version: path.Dir(n), File: n, Text: plainStatements(texts)})
	}
	return out, nil
}

var (
	begins = regexp.MustCompile(`(?i)^(BEGIN|START\s+TRANSACTION)\b[^;]*;?\s*$`)
	// ends a transaction; END is also that of a trigger's body, which was taken apart.
	ends = regexp.MustCompile(`(?i)^(COMMIT|END(\s+TRANSACTION)?|ROLLBACK)\b[^;]*;?\s*$`)
	body = regexp.MustCompile(`(?i)^END\b`)
	// concurrent builds of indexes cannot stand in a transaction; on a table that nobody uses they make no difference.
	concurrent = regexp.MustCompile(`(?i)^((?:CREATE\s+(?:UNIQUE\s+)?|DROP\s+|REINDEX\s+)INDEX)\s+CONCURRENTLY\b`)
)

// plainStatements joins the statements that may run within one transaction.
func plainStatements(list []string) string {
	var out []string
	begun := false
	for _, s := range list {
		s = strings.TrimSpace(s)
		switch {
		case begins.MatchString(s):
			begun = true
			continue
		case ends.MatchString(s) && (begun || !body.MatchString(s)):
			begun = false
			continue
		}
		s = concurrent.ReplaceAllString(s, "$1")
		if !strings.HasSuffix(s, ";") {
			s += ";"
		}
		out = append(out, s)
	}
	return strings.Join(out, "\n")
}

// Pending gives the migrations that stand in the directory and not in the
// history. Of a tool that keeps only where it stands these are the later ones.
func Pending(all []Migration, applied []string, head bool) []Migration {
	return slices.DeleteFunc(slices.Clone(all), func(m Migration) bool {
		return slices.ContainsFunc(applied, func(v string) bool {
			c := CompareVersions(m.Version, v)
			return c == 0 || head && c < 0
		})
	})
}
