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

func TestImportsGoDownward(t *testing.T) { report(t, upwardImports(source(t), floorOf(t))) }

// upwardImports lists the imports of the module's own packages that the floors
// forbid, and the packages that stand on no floor.
func upwardImports(files []sourceFile, floors map[string]int) (wrong []string) {
	for _, f := range files {
		own, known := floors[f.pkg]
		if !known {
			if strings.HasPrefix(f.pkg, module+"/cmd/") {
				continue // a main package stands above all floors
			}
			wrong = append(wrong, f.name+": package "+f.pkg+" has no floor in internal/README.md")
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
				wrong = append(wrong, f.name+" imports "+name+", which has no floor in internal/README.md")
			case f.outside(): // a test from outside a package stands above all floors, as its users do
			case f.test && (other == forTests || name == "scratch" || name == "engine/enginetest"):
			case other == forTests && own != forTests:
				wrong = append(wrong, f.name+" imports "+name+", which is for tests only")
			case own != forTests && other >= own:
				wrong = append(wrong, f.name+" imports "+name+" from floor "+strconv.Itoa(other)+", but stands on floor "+strconv.Itoa(own)+" itself: imports go to lower floors only")
			}
		}
	}
	return wrong
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

// home is one row of the homes table.
type home struct {
	library  string
	packages []string
}

func homes(t *testing.T) []home {
	t.Helper()
	var list []home
	for _, row := range table(t, "Homes") {
		list = append(list, home{library: names(row[0])[0], packages: names(row[1])})
	}
	return list
}

func TestLibrariesStayAtHome(t *testing.T) {
	files := source(t)
	report(t, strayImports(files, homes(t), floorOf(t)))
	for _, h := range homes(t) {
		for _, pkg := range h.packages {
			if !slices.ContainsFunc(files, func(f sourceFile) bool { return f.pkg == pkg && slices.ContainsFunc(f.imports(), h.has) }) {
				t.Errorf("internal/README.md calls %s a home of %s, which it does not import", pkg, h.library)
			}
		}
	}
}

// has tells whether an import path is of the library, whatever its version.
func (h home) has(path string) bool {
	return path == h.library || strings.HasPrefix(path, h.library+"/")
}

// strayImports lists the imports of outside libraries away from their homes,
// and of those that have none. Test files are free.
func strayImports(files []sourceFile, homes []home, floors map[string]int) (wrong []string) {
	for _, f := range files {
		if f.test || floors[f.pkg] == forTests {
			continue
		}
		for _, path := range f.imports() {
			if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
				continue // the standard library, or the module's own
			}
			i := slices.IndexFunc(homes, func(h home) bool { return h.has(path) })
			switch {
			case i < 0:
				wrong = append(wrong, f.name+" imports "+path+", which has no home in internal/README.md")
			case !slices.Contains(homes[i].packages, f.pkg):
				wrong = append(wrong, f.name+" imports "+path+", whose homes are "+strings.Join(homes[i].packages, ", "))
			}
		}
	}
	return wrong
}
