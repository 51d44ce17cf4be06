package floors_test

import (
	"strings"
	"testing"
)

// Each check is shown source that breaks its rule, and source that just keeps
// it: a check that cannot fail keeps nothing true.
func TestChecksSeeWhatTheyForbid(t *testing.T) {
	floors := map[string]int{"low": 0, "mid": 1, "top": 2, "scratch": 1, "only": forTests}
	libraries := []home{{"example.com/lib", []string{"mid"}}}
	imports := func(files []sourceFile) []string { return upwardImports(files, floors) }
	stray := func(files []sourceFile) []string { return strayImports(files, libraries, floors) }
	for _, c := range []struct {
		rule  string
		check func([]sourceFile) []string
		name  string
		text  string
		want  int
	}{
		{"downward import", imports, "internal/mid/a.go", `import "understudy/internal/low"`, 0},
		{"upward import", imports, "internal/mid/a.go", `import "understudy/internal/top"`, 1},
		{"sideways import", imports, "internal/mid/a.go", `import "understudy/internal/scratch"`, 1},
		{"upward import in a test", imports, "internal/low/a_test.go", `import "understudy/internal/top"`, 1},
		{"scratch in a test", imports, "internal/low/a_test.go", `import "understudy/internal/scratch"`, 0},
		{"test package in a test", imports, "internal/low/a_test.go", `import "understudy/internal/only"`, 0},
		{"test package outside tests", imports, "internal/top/a.go", `import "understudy/internal/only"`, 1},
		{"package without a floor", imports, "internal/new/a.go", ``, 1},
		{"import without a floor", imports, "internal/top/a.go", `import "understudy/internal/new"`, 1},
		{"library at home", stray, "internal/mid/a.go", `import "example.com/lib/v2/part"`, 0},
		{"library away", stray, "internal/top/a.go", `import "example.com/lib"`, 1},
		{"library away in a test", stray, "internal/top/a_test.go", `import "example.com/lib"`, 0},
		{"library without a home", stray, "internal/mid/a.go", `import "example.com/library"`, 1},
		{"init", packageState, "internal/low/a.go", `func init() {}`, 1},
		{"method named init", packageState, "internal/low/a.go", "type t int\nfunc (t) init() {}", 0},
		{"empty variable", packageState, "internal/low/a.go", `var m sync.Mutex`, 1},
		{"table", packageState, "internal/low/a.go", `var m = map[int]int{1: 2}`, 0},
		{"cache", packageState, "internal/low/a.go", `var m = &sync.Map{}`, 1},
		{"channel", packageState, "internal/low/a.go", `var c = make(chan int)`, 1},
		{"computed once", packageState, "internal/low/a.go", `var m = sync.OnceValue(func() int { return len(make([]int, 3)) })`, 0},
		{"embedded file", packageState, "internal/low/a.go", "//go:embed x\nvar x []byte", 0},
		{"written table", packageState, "internal/low/a.go", "var m = map[int]int{}\nfunc f() { m[1] = 2 }", 1},
		{"deleted from", packageState, "internal/low/a.go", "var m = map[int]int{}\nfunc f() { delete(m, 1) }", 1},
		{"counted", packageState, "internal/low/a.go", "var n = 0\nfunc f() { n++ }", 1},
		{"shadowed", packageState, "internal/low/a.go", "var n = 0\nfunc f() { n := 1; n++ }", 0},
		{"root context", rootContexts, "internal/low/a.go", "func f() { g(context.Background()) }", 1},
		{"undoing context", rootContexts, "internal/low/a.go", "func f() { g(context.Background()) } // undo: closes", 0},
		{"TODO context", rootContexts, "internal/low/a.go", "func f() { g(context.TODO()) } // undo: closes", 1},
		{"context in main", rootContexts, "cmd/understudy/a.go", "func f() { g(context.Background()) }", 0},
		{"bare function", uncommentedNames, "internal/low/a.go", "func F() {}", 1},
		{"bare method", uncommentedNames, "internal/low/a.go", "// T is.\ntype T int\nfunc (T) F() {}", 1},
		{"method of a hidden type", uncommentedNames, "internal/low/a.go", "type t int\nfunc (t) F() {}", 0},
		{"bare type", uncommentedNames, "internal/low/a.go", "type T int", 1},
		{"bare constant", uncommentedNames, "internal/low/a.go", "const C = 1", 1},
		{"constants of a type", uncommentedNames, "internal/low/a.go", "// T is.\ntype T int\nconst (\n\tA T = iota\n\tB\n)", 0},
		{"constant with a comment behind", uncommentedNames, "internal/low/a.go", "const (\n\tC = 1 // one\n)", 0},
		{"name that says nothing", emptyNames, "internal/low/utils.go", "", 1},
		{"product in a string", namedProducts, "internal/low/a.go", `const c = "for Postgres only"`, 1},
		{"product in a name", namedProducts, "internal/low/a.go", `func isMySQL() {}`, 1},
		{"product in an address", namedProducts, "internal/low/a.go", `const c = "postgres://user@host/db or sqlite:file.db"`, 0},
		{"product in a comment", namedProducts, "internal/low/a.go", "// f is for SQLite.\nfunc f() {}", 0},
		{"product in an engine", namedProducts, "internal/engine/x/a.go", `const c = "postgres"`, 0},
	} {
		f, err := parse(c.name, []byte("package p\n\n"+c.text+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", c.rule, err)
		}
		if wrong := c.check([]sourceFile{f}); len(wrong) != c.want {
			t.Errorf("%s: %d complaints, want %d: %s", c.rule, len(wrong), c.want, strings.Join(wrong, "; "))
		}
	}
	bare, err := parse("internal/low/a.go", []byte("package low\n"))
	if err != nil || len(uncommentedPackages([]sourceFile{bare})) != 1 {
		t.Errorf("a package without a comment is not seen (%v)", err)
	}
}
