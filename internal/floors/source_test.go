package floors_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "understudy"

// sourceFile is one parsed Go file of the module.
type sourceFile struct {
	name   string // relative to the module's root, with slashes
	pkg    string // the package as the table names it
	test   bool
	syntax *ast.File
	fset   *token.FileSet
}

// at says where a node stands, for messages.
func (f sourceFile) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// outside tells a test that stands outside the package it tests.
func (f sourceFile) outside() bool { return f.test && strings.HasSuffix(f.syntax.Name.Name, "_test") }

// imports lists the import paths of the file.
func (f sourceFile) imports() []string {
	var paths []string
	for _, s := range f.syntax.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// shortName turns an import path of the module into the table's name for it:
// without internal/, and with the module's name only outside internal.
func shortName(importPath string) string {
	return strings.TrimPrefix(importPath, module+"/internal/")
}

// ours tells whether an import path belongs to the module.
func ours(importPath string) bool { return strings.HasPrefix(importPath, module+"/") }

// root is the module's root.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// source parses every Go file of the module, test files and files for other
// platforms included.
func source(t *testing.T) []sourceFile {
	t.Helper()
	top := root(t)
	var files []sourceFile
	err := filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if file != top && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		rel, err := filepath.Rel(top, file)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), text)
		files = append(files, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// parse reads one file of the module, given by its path from the root.
func parse(name string, text []byte) (sourceFile, error) {
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments)
	return sourceFile{
		name: name, pkg: shortName(path.Join(module, path.Dir(name))), test: strings.HasSuffix(name, "_test.go"), syntax: syntax, fset: fset,
	}, err
}

// report fails the test with each complaint.
func report(t *testing.T, wrong []string) {
	t.Helper()
	for _, w := range wrong {
		t.Error(w)
	}
}

// table reads the rows of the first Markdown table under a heading, cells
// trimmed, without the heading row.
func table(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "internal", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("internal/README.md has no part %q", heading)
	}
	var rows [][]string
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("internal/README.md: the table under %q is empty", heading)
	}
	return rows[2:]
}

// names splits a cell that lists names.
func names(cell string) []string {
	var list []string
	for _, n := range strings.Split(cell, ",") {
		if n = strings.Trim(strings.TrimSpace(n), "`"); n != "" {
			list = append(list, n)
		}
	}
	return list
}
