package sqlite

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"understudy/internal/schema"
)

// TestTypesPageIsTrue holds TYPES.md to the code: each type that it names has
// the kind, the storage classes that are kept and those that a mask looks into,
// and no kind is left out.
func TestTypesPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("TYPES.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("`([^`]+)`")
	told := map[schema.Kind]bool{}
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 6 || strings.HasPrefix(line, "| declared") {
			continue
		}
		types := []string{}
		for _, m := range example.FindAllStringSubmatch(cells[0], -1) {
			types = append(types, m[1])
		}
		if strings.Contains(cells[0], "no type") {
			types = append(types, "")
		}
		if len(types) == 0 {
			t.Errorf("no type in %q", cells[0])
		}
		for _, declared := range types {
			c := schema.Column{Type: declared}
			describe(&c)
			told[c.Kind] = true
			for _, x := range []struct{ what, page, code string }{
				{"kind", cells[1], string(c.Kind)}, {"kept values", cells[2], storage(holds(&c))}, {"values looked into", cells[3], storage(fits(&c))},
			} {
				if x.page != x.code {
					t.Errorf("%s of %q: the page says %q, the code %q", x.what, declared, x.page, x.code)
				}
			}
		}
	}
	for _, declared := range []string{"INT", "BOOL", "REAL", "TEXT", "BLOB", "DATE", "DATETIME", "TIME", "INTERVAL", "UUID", "JSON", "INET", "POINT", "", "what"} {
		if k := kindOf(declared); !told[k] {
			t.Errorf("the page does not tell of kind %s", k)
		}
	}
}

func storage(c classes) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(c.names(), "'null',"), "'", ""), ",", " ")
}

// TestTypesPageNamesTheModules holds TYPES.md to the modules that the program's SQLite has.
func TestTypesPageNamesTheModules(t *testing.T) {
	page, err := os.ReadFile("TYPES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range rowsOf(t, made(t, "a.db", []string{"CREATE TABLE a (x)"}), "SELECT name FROM pragma_module_list WHERE name NOT LIKE 'pragma%'") {
		if !strings.Contains(string(page), module) {
			t.Errorf("the page does not name %s", module)
		}
	}
}
