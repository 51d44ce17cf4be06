package floors_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forTests is the floor of packages that only test files import.
const forTests = -1

// floorOf reads the floors table: package to floor.
func floorOf(t *testing.T) map[string]int {
	t.Helper()
	floors := map[string]int{}
	for _, row := range table(t, "Floors") {
		n, err := strconv.Atoi(row[0])
		if row[0] == "tests" {
			n, err = forTests, nil
		}
		if err != nil {
			t.Fatalf("internal/README.md: floor %q is no number", row[0])
		}
		for _, name := range names(row[1]) {
			if _, twice := floors[name]; twice {
				t.Errorf("internal/README.md: %s stands on two floors", name)
			}
			floors[name] = n
		}
	}
	return floors
}

func TestImportsGoDownward(t *testing.T) {
	floors := floorOf(t)
	for _, f := range source(t) {
		own, known := floors[f.pkg]
		if !known {
			if strings.HasPrefix(f.pkg, module+"/cmd/") {
				continue // a main package stands above all floors
			}
			t.Errorf("%s: package %s has no floor in internal/README.md", f.name, f.pkg)
			continue
		}
		for _, path := range f.imports() {
			if !ours(path) || shortName(path) == f.pkg {
				continue
			}
			name := shortName(path)
			other, known := floors[name]
			switch {
			case !known:
				t.Errorf("%s imports %s, which has no floor in internal/README.md", f.name, name)
			case f.test && (other == forTests || name == "scratch" || name == "engine/enginetest"):
			case other == forTests && own != forTests:
				t.Errorf("%s imports %s, which is for tests only", f.name, name)
			case own != forTests && other >= own:
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go to lower floors only", f.name, own, name, other)
			}
		}
	}
}

func TestFloorsNameWhatThereIs(t *testing.T) {
	for name := range floorOf(t) {
		dir := filepath.Join(root(t), "internal", filepath.FromSlash(name))
		if outside, ok := strings.CutPrefix(name, module+"/"); ok {
			dir = filepath.Join(root(t), filepath.FromSlash(outside))
		}
		entries, err := os.ReadDir(dir)
		if err != nil || !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".go") }) {
			t.Errorf("internal/README.md names the package %s, which does not exist", name)
		}
	}
}

func TestLibrariesStayAtHome(t *testing.T) {
	for _, row := range table(t, "Homes") {
		library, homes := names(row[0])[0], names(row[1])
		used := map[string]bool{}
		for _, f := range source(t) {
			for _, path := range f.imports() {
				if path != library && !strings.HasPrefix(path, library+"/") {
					continue
				}
				used[f.pkg] = true
				if !f.test && !slices.Contains(homes, f.pkg) {
					t.Errorf("%s imports %s; its homes are %s", f.name, path, strings.Join(homes, ", "))
				}
			}
		}
		for _, home := range homes {
			if !used[home] {
				t.Errorf("internal/README.md calls %s a home of %s, which it does not import", home, library)
			}
		}
	}
}

func TestOutsideLibrariesHaveAHome(t *testing.T) {
	var known []string
	for _, row := range table(t, "Homes") {
		known = append(known, names(row[0])[0])
	}
	for _, f := range source(t) {
		if f.test || floorOf(t)[f.pkg] == forTests {
			continue
		}
		for _, path := range f.imports() {
			first, _, _ := strings.Cut(path, "/")
			outside := strings.Contains(first, ".")
			if outside && !slices.ContainsFunc(known, func(l string) bool { return path == l || strings.HasPrefix(path, l+"/") }) {
				t.Errorf("%s imports %s, which has no home in internal/README.md", f.name, path)
			}
		}
	}
}
