package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"understudy/internal/mask"
	"understudy/internal/scratch"
	"understudy/internal/scratch/scratchtest"
	"understudy/schemas"
)

// An errand is a folder with a job file and rules, as a user has it, and the
// environment the program is called with.
type errand struct {
	dir string
	env map[string]string
}

// newErrand makes the folder. The job file names source, target and key by
// environment variables; rules maps file names under rules/ to their text.
func newErrand(t *testing.T, source, target, job string, rules map[string]string) *errand {
	t.Helper()
	e := &errand{dir: t.TempDir(), env: map[string]string{"PROD_URL": source, "STAGING_URL": target, "UNDERSTUDY_KEY": testKey}}
	e.write(t, "understudy.yaml", job)
	for name, text := range rules {
		e.write(t, filepath.Join("rules", name), text)
	}
	return e
}

// plainJob is a job file without a subset; more is added at its end.
func plainJob(more ...string) string {
	return strings.Join(append([]string{
		"version: 1", "source: ${PROD_URL}", "target: ${STAGING_URL}", "key: {env: UNDERSTUDY_KEY}",
		"rules: [\"rules/*.yaml\"]",
	}, more...), "\n") + "\n"
}

const keepNone = "load: {mode: swap, keep: 0}"

func (e *errand) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is what a run of the program left on its two streams.
type said struct{ out, err string }

func (s said) all() string { return s.out + s.err }

// wants fails the test if one of the texts was not said.
func (s said) wants(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.all(), text) {
			t.Errorf("%q was not said:\n%s", text, s.all())
		}
	}
}

// run runs the program in the folder and wants an exit code.
func (e *errand) run(t *testing.T, want int, args ...string) said {
	t.Helper()
	return e.runWith(t, nil, want, args...)
}

// runWith is run with more environment.
func (e *errand) runWith(t *testing.T, env map[string]string, want int, args ...string) said {
	t.Helper()
	got, s := e.start(t, env, args...)
	if got != want {
		t.Fatalf("understudy %s: exit %d, want %d\n%s", strings.Join(args, " "), got, want, s.all())
	}
	return s
}

// start runs the program to its end and gives its exit code.
func (e *errand) start(t *testing.T, env map[string]string, args ...string) (int, said) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "understudy", args...)
	cmd.Dir, cmd.Env = e.dir, os.Environ()
	for _, m := range []map[string]string{e.env, env} {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			cmd.Env = append(cmd.Env, name+"="+m[name])
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said{stdout.String(), stderr.String()}
}

// otherKey is a second masking key.
func otherKey(t *testing.T) map[string]string {
	t.Helper()
	_, text, err := mask.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"UNDERSTUDY_KEY": text.Reveal()}
}

// dumped is pg_dump's plain text of a database, without what the program notes
// for itself and without what differs in every dump.
func dumped(t *testing.T, address string, args ...string) []byte {
	t.Helper()
	bin, err := scratch.FindPostgres()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "pg_dump"), append(args, "--exclude-schema=understudy", "--dbname="+address)...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("pg_dump: %v: %s", err, complaint.String())
	}
	var kept [][]byte
	for _, line := range bytes.SplitAfter(out.Bytes(), []byte("\n")) {
		if !bytes.HasPrefix(line, []byte(`\restrict`)) && !bytes.HasPrefix(line, []byte(`\unrestrict`)) {
			kept = append(kept, line)
		}
	}
	return bytes.Join(kept, nil)
}

// sortedDump is a dump with its lines sorted: equal for equal content.
func sortedDump(t *testing.T, address string) string {
	t.Helper()
	lines := strings.Split(string(dumped(t, address)), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// copyStructure gives a database the structure of another.
func copyStructure(t *testing.T, from, to string) {
	t.Helper()
	if err := scratch.Script(t.Context(), to, bytes.NewReader(dumped(t, from, "--schema-only"))); err != nil {
		t.Fatal(err)
	}
}

// shopDatabases makes the demo's production and its drifted staging.
func shopDatabases(t *testing.T) (production, staging string) {
	t.Helper()
	production, staging = scratchtest.Database(t), scratchtest.Database(t)
	fillShop(t, production, staging)
	return production, staging
}

// fillShop fills both; an empty address leaves one out.
func fillShop(t *testing.T, production, staging string) {
	t.Helper()
	one, two := schemas.Shop("postgres")
	if production != "" {
		scratchtest.SQL(t, production, strings.Join(one, ";\n")+";")
	}
	if staging != "" {
		scratchtest.SQL(t, staging, strings.Join(two, ";\n")+";")
	}
}

// shopErrand is the demo's own job and rules.
func shopErrand(t *testing.T, source, target string) *errand {
	t.Helper()
	files := schemas.Files()
	return newErrand(t, source, target, files["understudy.yaml"], map[string]string{"shop.yaml": files["rules/shop.yaml"]})
}

// shopJob is the demo's job file.
func shopJob() string { return schemas.Files()["understudy.yaml"] }

// sample gives the text of a file under rules/.
func sample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "rules", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sampleErrand is a job of rules/examples with its rules.
func sampleErrand(t *testing.T, name, source, target string) *errand {
	t.Helper()
	job := replaced(t, sample(t, "examples/"+name+"-job.yaml"), "[../"+name+".yaml]", "[rules/"+name+".yaml]")
	return newErrand(t, source, target, job, map[string]string{name + ".yaml": sample(t, name+".yaml")})
}

// wholeOf makes the errand's job that of a sample without its subset: everything is copied.
func (e *errand) wholeOf(t *testing.T, name string) {
	t.Helper()
	job := replaced(t, sample(t, "examples/"+name+"-job.yaml"), "[../"+name+".yaml]", "[rules/"+name+".yaml]")
	e.write(t, "understudy.yaml", withoutSubset(t, job))
}

// replaced replaces a piece of a text that must be there once.
func replaced(t *testing.T, text, old, with string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in:\n%s", old, strings.Count(text, old), text)
	}
	return strings.Replace(text, old, with, 1)
}

// withoutSubset cuts the subset out of a job file: everything is copied.
func withoutSubset(t *testing.T, job string) string {
	t.Helper()
	_, after, ok := strings.Cut(job, "\nsubset:\n")
	if !ok {
		t.Fatal("the job has no subset")
	}
	lines := strings.Split(after, "\n")
	end := slices.IndexFunc(lines, func(l string) bool { return l != "" && !strings.HasPrefix(l, " ") })
	before, _, _ := strings.Cut(job, "\nsubset:\n")
	return before + "\n" + strings.Join(lines[end:], "\n")
}

// wantWhole fails the test unless the target's foreign keys are the source's,
// all of them are validated, and none has an orphan.
func wantWhole(t *testing.T, source, target string) {
	t.Helper()
	same(t, "foreign keys", scratchtest.ForeignKeys(t, source), scratchtest.ForeignKeys(t, target))
	for line := range strings.Lines(scratchtest.ForeignKeys(t, target)) {
		if !strings.HasSuffix(strings.TrimSpace(line), "\tt") {
			t.Errorf("not validated: %s", line)
		}
	}
	if orphans := scratchtest.Orphans(t, target); orphans != "" {
		t.Errorf("orphans in the target:\n%s", orphans)
	}
}

// wantSequencesAhead fails the test if a sequence would give a number that is taken.
func wantSequencesAhead(t *testing.T, address string) {
	t.Helper()
	queries := scratchtest.Query(t, address, `
		SELECT DISTINCT format('SELECT %L, nextval(%L) > coalesce((SELECT max(%I) FROM %s), 0)', s.oid::regclass || ' for ' || c.oid::regclass || '.' || a.attname, s.oid::regclass, a.attname, c.oid::regclass)
		FROM pg_class s JOIN pg_depend d ON d.refobjid = s.oid AND d.refclassid = 'pg_class'::regclass AND d.classid = 'pg_attrdef'::regclass
		JOIN pg_attrdef f ON f.oid = d.objid JOIN pg_class c ON c.oid = f.adrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.adnum
		WHERE s.relkind = 'S'
		UNION SELECT DISTINCT format('SELECT %L, nextval(%L) > coalesce((SELECT max(%I) FROM %s), 0)', s.oid::regclass || ' for ' || c.oid::regclass || '.' || a.attname, s.oid::regclass, a.attname, c.oid::regclass)
		FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
		JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p') JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
		WHERE s.relkind = 'S'`)
	if queries == "" {
		t.Error("there is no sequence to look at")
		return
	}
	for line := range strings.Lines(scratchtest.Query(t, address, strings.Join(strings.Split(queries, "\n"), " UNION ALL "))) {
		if !strings.HasSuffix(strings.TrimSpace(line), "\tt") {
			t.Errorf("a sequence is behind its column: %s", line)
		}
	}
}

// same fails the test where two lists differ, and shows the lines that do.
func same(t *testing.T, what, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	shown := 0
	for _, side := range []struct {
		mark string
		a, b []string
	}{{"-", wants, gots}, {"+", gots, wants}} {
		there := map[string]int{}
		for _, l := range side.b {
			there[l]++
		}
		for _, l := range side.a {
			if there[l]--; there[l] < 0 && shown < 40 {
				fmt.Fprintf(&b, "%s %s\n", side.mark, l)
				shown++
			}
		}
	}
	if shown == 0 {
		b.WriteString("the lines are the same, in another order")
	}
	t.Errorf("%s differ:\n%s", what, b.String())
}

// differ fails the test where two contents are equal.
func differ(t *testing.T, what, a, b string) {
	t.Helper()
	if a == b {
		t.Errorf("%s are equal", what)
	}
}
