package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/config"
	"understudy/internal/finding"
)

const canary = "CanaryValue7"

func env(name string) string {
	return map[string]string{"PROD_URL": "postgres://app:" + canary + "@prod/shop", "STAGING_URL": "sqlite:staging.db", "KEYFILE": "/run/secrets/k"}[name]
}

func lines(fs []finding.Finding) string {
	var out strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&out, "%s %s [%s %d] | %s\n", f.Severity, f, f.Check, f.Code, f.Hint)
	}
	return out.String()
}

// designJob is the sample of the design, less what a later version does.
const designJob = `version: 1
source: ${PROD_URL}                  # postgres://, mysql://, sqlite:path ; secrets come from the environment or files
target: ${STAGING_URL}
key: {env: UNDERSTUDY_KEY}           # or {file: /run/secrets/understudy-key}, or {command: [pass, show, understudy]}
rules: [rules/shop.yaml]             # files or globs, relative to this file, joined in this order
schemas: [public, billing]           # default: all that are not the server's own; {source: shop_prod, target: shop_staging} where names differ
references:                          # relations the database does not declare; they propagate masks as well
  - {from: comments.subject_id, to: posts.id, when: "subject_type = 'Post'"}
orphans: fail                        # source rows whose parent is missing: fail | drop (cascades) | nullify
subset:                              # left out: everything is copied
  seeds:
    - {table: customers, percent: 2}                       # a keyed, stable sample: the same rows every night
    - {table: customers, where: "country = 'DE'", limit: 500}
  tables:
    audit_log: none                  # structure, no rows
    countries: all
    events: {where: "at > now() - interval '30 days'", per_parent: 50, order: "at desc"}
  follow: [film_actor.film_id]       # go down this edge also from rows that were pulled only as parents
  unreached: small                   # tables to which no edge leads: small (whole up to 10,000 rows, else empty, and said) | empty | all
  budget: {rows: 2000000}
load: {mode: swap, keep: 1, preserve: [feature_flags], discard: [], after: fixups.sql}
limits: {readers: 2, lock_wait: 2s, snapshot_age: 30m, statement: 10m}
report: {dir: reports, keep: 30}
`

func TestDesignJob(t *testing.T) {
	job, fs := config.Parse("conf/understudy.yaml", []byte(designJob), env)
	if len(fs) > 0 {
		t.Fatal(lines(fs))
	}
	if job.Source.Reveal() != env("PROD_URL") || job.Target.Reveal() != "sqlite:staging.db" || job.SourceAt.Line != 2 || job.Dir != "conf" {
		t.Errorf("source, target or directory: %+v", job)
	}
	if job.Key.Env != "UNDERSTUDY_KEY" || job.Rules[0].Value != "rules/shop.yaml" || job.Orphans != "fail" || len(job.References) != 1 || job.References[0].When.Value != "subject_type = 'Post'" {
		t.Errorf("key, rules or orphans: %+v", job)
	}
	if len(job.Schemas) != 2 || job.Schemas[1].Source != "billing" || job.Schemas[1].Target != "billing" {
		t.Errorf("schemas: %+v", job.Schemas)
	}
	s := job.Subset
	if len(s.Seeds) != 2 || s.Seeds[0].Percent != 2 || s.Seeds[1].Limit != 500 || s.Seeds[1].Where.Value != "country = 'DE'" || s.Seeds[1].Where.At.String() != "conf/understudy.yaml:13:33" {
		t.Errorf("seeds: %+v", s.Seeds)
	}
	if len(s.Tables) != 3 || s.Tables[0].Rows != "none" || s.Tables[2].Where.Value == "" || s.Tables[2].PerParent != 50 || s.Tables[2].Order.Value != "at desc" || s.Unreached != "small" || s.Budget != 2000000 || s.Follow[0].Value != "film_actor.film_id" {
		t.Errorf("subset: %+v", s)
	}
	if job.Load.Mode != "swap" || job.Load.Keep != 1 || len(job.Load.Preserve) != 1 || len(job.Load.Discard) != 0 {
		t.Errorf("load: %+v", job.Load)
	}
	if strings.Contains(fmt.Sprintf("%v %+v %#v", job, job, job), canary) {
		t.Error("a printed job shows its password")
	}
}

func TestDefaults(t *testing.T) {
	job, fs := config.Parse("understudy.yaml", []byte("version: 1\nsource: sqlite:a\ntarget: sqlite:b\nkey: ${UNDERSTUDY_KEY}\nrules: r.yaml\n"), env)
	if len(fs) > 0 {
		t.Fatal(lines(fs))
	}
	want := config.Limits{Readers: 2, LockWait: 2 * time.Second, SnapshotAge: 30 * time.Minute, Statement: 10 * time.Minute, Retries: 3}
	if job.Limits != want || job.Load.Mode != "swap" || job.Load.Keep != 1 || job.Orphans != "fail" || job.Report.Dir != "reports" || job.Report.Keep != 30 ||
		job.Subset != nil || job.Key.Env != "UNDERSTUDY_KEY" || job.Rules[0].Value != "r.yaml" {
		t.Errorf("%+v", job)
	}
}

func TestBadJob(t *testing.T) {
	// Each job is sound but for the line that is appended (line 6) or replaced.
	sound := []string{"version: 1", "source: sqlite:a", "target: sqlite:b", "key: {env: K}", "rules: r.yaml"}
	with := func(i int, line string) string {
		out := slices.Clone(sound)
		if i < len(out) {
			out[i] = line
		} else {
			out = append(out, line)
		}
		return strings.Join(out, "\n") + "\n"
	}
	tests := []struct{ name, data, at, message, hint string }{
		{"no version", with(0, "allow_subqueries: true"), "1:1", "the job lacks version", "version: 1"},
		{"version", with(0, "version: two"), "1:10", "version must be a whole number", ""},
		{"no source", with(1, "allow_subqueries: true"), "1:1", "the job lacks source", "${PROD_URL}"},
		{"no key", with(3, "allow_subqueries: true"), "1:1", "the job lacks key", "understudy key new"},
		{"no rules", with(4, "allow_subqueries: true"), "1:1", "the job lacks rules", "understudy init"},
		{"unset", with(1, "source: ${NOPE}"), "2:9", "the environment variable NOPE is not set", "export NOPE="},
		{"part of a value", with(1, "source: postgres://u:"+canary+"@${HOST}/db"), "2:9", "only as the whole", "one variable"},
		{"variable elsewhere", with(5, "subset: {seeds: [{table: a, where: \"x = '${PROD_URL}'\"}]}"), "6:36", "only as the whole", "the value itself"},
		{"unset key file", with(3, "key: {file: \"${NOPE}\"}"), "4:13", "NOPE is not set", ""},
		{"password in the file", with(2, "target: postgres://u:"+canary+"@h/db"), "3:9", "target has a password written out", "${NAME}"},
		{"password as a parameter", with(2, "target: postgres://h/db?user=u&password="+canary), "3:9", "target has a password written out", "${NAME}"},
		{"the key itself", with(3, "key: usk1_"+canary), "4:6", "never the key itself", "spent"},
		{"the key as a name", with(3, "key: {env: usk1_"+canary+"-x}"), "4:12", "the name of a variable", "spent"},
		{"two keys", with(3, "key: {env: K, file: /k}"), "4:6", "exactly one of", "{env: UNDERSTUDY_KEY}"},
		{"no key place", with(3, "key: {}"), "4:6", "exactly one of", ""},
		{"key command", with(3, "key: {command: pass show "+canary+"}"), "4:16", "command must be a list, not text", ""},
		{"empty command", with(3, "key: {command: []}"), "4:16", "empty list", ""},
		{"unknown key", with(5, "refrences: []"), "6:1", `unknown key "refrences"`, "references"},
		{"empty rules", with(4, "rules: []"), "5:8", "rules is an empty list", ""},
		{"schema pair", with(5, "schemas: [{source: a}]"), "6:11", "a schema lacks target", "shop_staging"},
		{"schema twice", with(5, "schemas: [a, b, a]"), "6:17", "already at line 6", ""},
		{"reference", with(5, "references: [{from: a.b}]"), "6:14", "a reference lacks to", "posts.id"},
		{"reference when", with(5, "references: [{from: a.b, to: c.d, when: [x]}]"), "6:41", "when must be text", ""},
		{"orphans word", with(5, "orphans: dorp"), "6:10", "must be one of fail, drop, nullify", "drop"},
		{"no seeds", with(5, "subset: {tables: {a: none}, unreached: small}"), "6:9", "begins with seeds", "percent"},
		{"empty seeds", with(5, "subset: {seeds: []}"), "6:9", "begins with seeds", ""},
		{"seed without table", with(5, "subset: {seeds: [{percent: 2}]}"), "6:18", "a seed lacks table", ""},
		{"percent", with(5, "subset: {seeds: [{table: a, percent: 101}]}"), "6:38", "above 0 and at most 100", ""},
		{"percent of nothing", with(5, "subset: {seeds: [{table: a, percent: 0}]}"), "6:38", "above 0", ""},
		{"limit", with(5, "subset: {seeds: [{table: a, limit: -1}]}"), "6:36", "of at least 1", ""},
		{"order alone", with(5, "subset: {seeds: [{table: a, order: id}]}"), "6:29", "there is none", "limit"},
		{"table name", with(5, "subset: {seeds: [{table: a b}]}"), "6:26", "not a name", "double quotes"},
		{"rows word", with(5, "subset: {seeds: [{table: a}], tables: {b: non}}"), "6:43", "must be one of all, none", "none"},
		{"per_parent", with(5, "subset: {seeds: [{table: a}], tables: {b: {where: x, per_parent: 0}}}"), "6:66", "per_parent must be", ""},
		{"order without per_parent", with(5, "subset: {seeds: [{table: a}], tables: {b: {where: x, order: y}}}"), "6:54", "there is none", "per_parent"},
		{"by without per_parent", with(5, "subset: {seeds: [{table: a}], tables: {b: {where: x, by: y}}}"), "6:54", "there is none", "per_parent"},
		{"nothing said", with(5, "subset: {seeds: [{table: a}], tables: {b: {}}}"), "6:43", "nothing is said", ""},
		{"follow", with(5, "subset: {seeds: [{table: a}], follow: [b]}"), "6:40", "not a name", "table.column"},
		{"unreached", with(5, "subset: {seeds: [{table: a}], unreached: big}"), "6:42", "small, empty, all", ""},
		{"budget", with(5, "subset: {seeds: [{table: a}], budget: 5}"), "6:39", "budget must be a mapping", ""},
		{"mode", with(5, "load: {mode: both}"), "6:14", "must be one of swap, replace", ""},
		{"keep with replace", with(5, "load: {mode: replace, keep: 2}"), "6:29", "in place are not kept", "keep: 0"},
		{"after", with(5, "load: {after: [x.sql]}"), "6:15", "after must be text", ""},
		{"keep", with(5, "load: {keep: -1}"), "6:14", "from 0 to 100", ""},
		{"preserve and discard", with(5, "load: {preserve: [a], discard: [a]}"), "6:33", "preserved as well, at line 6", ""},
		{"readers", with(5, "limits: {readers: 0}"), "6:19", "from 1 to 64", ""},
		{"retries", with(5, "limits: {retries: -1}"), "6:19", "from 0 to 20", ""},
		{"lock wait", with(5, "limits: {lock_wait: 2}"), "6:21", "a duration such as", ""},
		{"minimum", with(5, "parity: {minimum: 101}"), "6:19", "minimum must be a number above 0 and at most 100", "in this range"},
		{"report", with(5, "report: {dir: [x]}"), "6:15", "dir must be text, not a list", ""},
		{"clone", with(5, "target_is_a_clone: true"), "6:20", "must be text", "quotes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, fs := config.Parse("u.yaml", []byte(tt.data), env)
			if len(fs) != 1 || fs[0].At.String() != "u.yaml:"+tt.at || !strings.Contains(fs[0].Message, tt.message) || !strings.Contains(fs[0].Hint, tt.hint) {
				t.Errorf("want u.yaml:%s: %s | %s, have\n%s", tt.at, tt.message, tt.hint, lines(fs))
			}
			if strings.Contains(lines(fs), canary) {
				t.Errorf("a finding quotes the file: %s", lines(fs))
			}
		})
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	const text = `version: 2
source: ${NOPE}
target: ${PROD_URL}/x
key: usk1_CanaryValue7
rules: [a.yaml, 5]
orphans: drop
subset: {seeds: [{table: "a b"}], unreached: big}
load: {mode: both, after: [x]}
`
	_, fs := config.Parse("u.yaml", []byte(text), env)
	if len(fs) != 9 || strings.Contains(lines(fs), canary) {
		t.Errorf("%d findings, want 9:\n%s", len(fs), lines(fs))
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	job, fs := config.Read(filepath.Join(dir, "understudy.yaml"), env)
	if job == nil || len(fs) != 1 || fs[0].Code != 2 || !strings.Contains(fs[0].Hint, "understudy init") {
		t.Errorf("a missing file: %s", lines(fs))
	}
	if _, fs = config.Read(dir, env); len(fs) != 1 || fs[0].Code != 2 {
		t.Errorf("a directory: %s", lines(fs))
	}
}

func TestExpandRules(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "a.yaml", "z.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	job := &config.Job{Dir: dir, Rules: []config.Text{{Value: "b.yaml"}, {Value: "*.yaml"}, {Value: "no/*.yaml", At: finding.At{File: "u.yaml", Line: 5, Col: 8}}, {Value: "[", At: finding.At{File: "u.yaml", Line: 6}}}}
	got, fs := config.ExpandRules(job)
	if want := []string{filepath.Join(dir, "b.yaml"), filepath.Join(dir, "a.yaml")}; !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if len(fs) != 2 || fs[0].At.String() != "u.yaml:5:8" || !strings.Contains(fs[0].Message, "no/*.yaml") {
		t.Errorf("findings: %s", lines(fs))
	}
}

func FuzzLoadJob(f *testing.F) {
	f.Add([]byte(designJob))
	f.Add([]byte("version: 1\nsource: ${A}\nkey: {command: [a]}\nrules: *x*\nsubset: {seeds: {}, tables: []}\nload: {preserve: a}\nschemas: {a: b}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		job, fs := config.Parse("u.yaml", data, env)
		if job == nil {
			t.Fatal("no job")
		}
		for _, x := range fs {
			if x.Message == "" || x.At.File != "u.yaml" || x.Severity == finding.Error && x.Code != 2 {
				t.Fatalf("a finding without message, place or code: %+v", x)
			}
			if strings.Contains(x.String()+x.Hint, canary) {
				t.Fatalf("a finding shows a variable's value: %v", x)
			}
		}
	})
}
