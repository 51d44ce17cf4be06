package floors_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPackagesHaveAComment(t *testing.T) { report(t, uncommentedPackages(source(t))) }

// uncommentedPackages lists folders in which no file says what the package is for.
func uncommentedPackages(files []sourceFile) (wrong []string) {
	commented := map[string]bool{}
	for _, f := range files {
		if f.test {
			continue
		}
		dir := path.Dir(f.name)
		commented[dir] = commented[dir] || f.syntax.Doc != nil
	}
	for dir, ok := range commented {
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s: the package has no comment", dir))
		}
	}
	return wrong
}

func TestExportedNamesHaveAComment(t *testing.T) { report(t, uncommentedNames(source(t))) }

// uncommentedNames lists exported names that nothing explains.
func uncommentedNames(files []sourceFile) (wrong []string) {
	for _, f := range files {
		if f.test {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
					wrong = append(wrong, fmt.Sprintf("%s: %s has no comment", f.at(d), d.Name.Name))
				}
			case *ast.GenDecl:
				for _, name := range bareNames(d) {
					wrong = append(wrong, fmt.Sprintf("%s: %s has no comment", f.at(d), name))
				}
			}
		}
	}
	return wrong
}

// exportedReceiver tells whether a method can be seen from outside.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	seen := true
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			seen = seen && id.IsExported()
			return false
		}
		return true
	})
	return seen
}

// bareNames lists the exported names of a declaration that nothing explains:
// neither their own comment, before or behind, nor that of their group, nor,
// for a constant, the type it is a value of, which has a comment of its own.
func bareNames(d *ast.GenDecl) []string {
	var bare []string
	typed := false
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
				bare = append(bare, s.Name.Name)
			}
		case *ast.ValueSpec:
			if s.Type != nil || len(s.Values) > 0 {
				id, named := s.Type.(*ast.Ident)
				typed = named && id.IsExported() && d.Tok == token.CONST
			}
			for _, n := range s.Names {
				if n.IsExported() && !typed && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					bare = append(bare, n.Name)
				}
			}
		}
	}
	return bare
}

func TestNoInitAndNoStateInPackages(t *testing.T) { report(t, packageState(source(t))) }

// packageState lists init functions, variables without a value, and writes to variables of
// a package.
func packageState(files []sourceFile) (wrong []string) {
	// The one server that all tests of a binary share has to be found by all of them.
	allowed := []string{"scratch/scratchtest.shared"}
	variables := map[string]bool{} // package.name
	for _, f := range files {
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				wrong = append(wrong, fmt.Sprintf("%s: init hides what starts when; call it by name", f.at(fn)))
			}
			d, ok := decl.(*ast.GenDecl)
			if f.test || !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				for _, n := range s.Names {
					name := f.pkg + "." + n.Name
					variables[name] = true
					if len(s.Values) == 0 && !embedded(d, s) && !slices.Contains(allowed, name) {
						wrong = append(wrong, fmt.Sprintf("%s: %s is a variable without a value, thus state of the package", f.at(s), n.Name))
					} else if changes(s.Values) {
						wrong = append(wrong, fmt.Sprintf("%s: %s is made to change, thus state of the package", f.at(s), n.Name))
					}
				}
			}
		}
	}
	for _, f := range files {
		if !f.test {
			wrong = append(wrong, writes(f, variables)...)
		}
	}
	return wrong
}

// changes tells whether values are of a kind that has no use but to change:
// those of sync and atomic (a value computed once, by sync.OnceValue and its
// kin, does not), and what make gives.
func changes(values []ast.Expr) (found bool) {
	for _, v := range values {
		ast.Inspect(v, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.SelectorExpr:
				p, ok := x.X.(*ast.Ident)
				found = found || ok && (p.Name == "atomic" || p.Name == "sync" && !strings.HasPrefix(x.Sel.Name, "OnceValue"))
			case *ast.CallExpr:
				id, ok := x.Fun.(*ast.Ident)
				found = found || ok && id.Name == "make"
			}
			return true
		})
	}
	return found
}

// embedded tells whether the compiler fills the variable.
func embedded(d *ast.GenDecl, s *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{d.Doc, s.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// writes lists assignments to package variables, to what they hold, and
// clearing or deleting from it.
func writes(f sourceFile, variables map[string]bool) (wrong []string) {
	written := func(e ast.Expr) {
		id := rootOf(e)
		// The parser binds names declared inside functions; what it left unbound,
		// or bound to the file, is the package's.
		if id == nil || id.Name == "_" || !variables[f.pkg+"."+id.Name] || (id.Obj != nil && id.Obj != f.syntax.Scope.Lookup(id.Name)) {
			return
		}
		wrong = append(wrong, fmt.Sprintf("%s: writes to the package's variable %s", f.at(e), id.Name))
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				for _, e := range s.Lhs {
					written(e)
				}
			}
		case *ast.IncDecStmt:
			written(s.X)
		case *ast.CallExpr:
			if id, ok := s.Fun.(*ast.Ident); ok && id.Obj == nil && (id.Name == "delete" || id.Name == "clear") && len(s.Args) > 0 {
				written(s.Args[0])
			}
		}
		return true
	})
	return wrong
}

// rootOf finds the name at the left end of a.b[c].d; nil if there is none.
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func TestContextsComeFromTheCaller(t *testing.T) { report(t, rootContexts(source(t))) }

// rootContexts lists contexts made outside main and undoing.
func rootContexts(files []sourceFile) (wrong []string) {
	for _, f := range files {
		if f.test || strings.HasPrefix(f.pkg, module+"/cmd/") {
			continue
		}
		excused := map[int]bool{} // lines with, or right under, a comment that says what is undone
		for _, group := range f.syntax.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "// undo") {
					line := f.fset.Position(c.End()).Line
					excused[line], excused[line+1] = true, true
				}
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "context" && (sel.Sel.Name == "Background" || sel.Sel.Name == "TODO") {
				if sel.Sel.Name == "TODO" || !excused[f.fset.Position(sel.Pos()).Line] {
					wrong = append(wrong, fmt.Sprintf("%s: context.%s outside main; where something is undone after the caller's context ended, say so in a comment \"// undo: ...\"", f.at(sel), sel.Sel.Name))
				}
			}
			return true
		})
	}
	return wrong
}

func TestNamesSaySomething(t *testing.T) { report(t, emptyNames(source(t))) }

// emptyNames lists files and folders whose names say nothing.
func emptyNames(files []sourceFile) (wrong []string) {
	for _, f := range files {
		for _, part := range append(strings.Split(path.Dir(f.name), "/"), strings.TrimSuffix(path.Base(f.name), ".go")) {
			switch part {
			case "util", "utils", "common", "helper", "helpers", "misc", "types", "interfaces":
				wrong = append(wrong, fmt.Sprintf("%s: %q says nothing about what is in it", f.name, part))
			}
		}
	}
	return wrong
}

// product is a database's or a driver's name, alone or inside an identifier.
var product = regexp.MustCompile(`(?i)postgres|pgx|mysql|mariadb|sqlite`)

// addressExample is a product's name as the scheme of an address, which help
// texts and hints have to show.
var addressExample = regexp.MustCompile(`(?i)(postgres|postgresql|mysql|sqlite):(//)?`)

func TestNoProductIsNamedAboveTheLine(t *testing.T) { report(t, namedProducts(source(t))) }

// producing are the files above the line that make databases of a product that
// the user names, and so have to say which there are.
var producing = []string{"internal/cli/demo.go"}

// namedProducts lists identifiers and strings above the line that name a product.
func namedProducts(files []sourceFile) (wrong []string) {
	below := func(pkg string) bool {
		return pkg == "engines" || pkg == "scratch" || strings.HasPrefix(pkg, "scratch/") || strings.HasPrefix(pkg, "engine/") ||
			strings.HasPrefix(pkg, module+"/")
	}
	for _, f := range files {
		if f.test || below(f.pkg) || slices.Contains(producing, f.name) {
			continue
		}
		imported := map[ast.Node]bool{}
		for _, s := range f.syntax.Imports {
			imported[s.Path] = true
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			var text string
			switch x := n.(type) {
			case *ast.Ident:
				text = x.Name
			case *ast.BasicLit:
				if x.Kind != token.STRING || imported[x] {
					return true
				}
				text = addressExample.ReplaceAllString(x.Value, "")
			default:
				return true
			}
			if product.MatchString(text) {
				wrong = append(wrong, fmt.Sprintf("%s: names a product: %s", f.at(n), text))
			}
			return true
		})
	}
	return wrong
}
