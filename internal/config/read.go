package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"understudy/internal/document"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Defaults of what a job leaves out.
const (
	defaultReaders     = 2
	defaultLockWait    = 2 * time.Second
	defaultSnapshotAge = 30 * time.Minute
	defaultStatement   = 10 * time.Minute
	defaultKeep        = 1
	defaultRetries     = 3
	defaultReports     = "reports"
	defaultReportKeep  = 30
)

const checkJob = "job"

// homes tells where a key belongs that somebody wrote into another part of the job.
var homes = map[string]string{
	"version": atTop, "source": atTop, "target": atTop, "key": atTop, "rules": atTop, "schemas": atTop, "references": atTop, "orphans": atTop,
	"subset": atTop, "load": atTop, "limits": atTop, "parity": atTop, "report": atTop, "target_is_a_clone": atTop, "allow_subqueries": atTop,
	"mode": "under load", "preserve": "under load", "discard": "under load", "after": "under load", "keep": "under load or under report",
	"seeds": "under subset", "follow": "under subset", "unreached": "under subset", "budget": "under subset",
	"tables": "under subset; masks stand in the rule files", "per_parent": "under subset: {tables: {NAME: {...}}}", "by": "under subset: {tables: {NAME: {...}}}",
	"percent": "under subset: {seeds: [{...}]}", "limit": "under subset: {seeds: [{...}]}", "where": "in a seed or a table under subset",
	"readers": "under limits", "lock_wait": "under limits", "snapshot_age": "under limits", "statement": "under limits", "replica_lag": "under limits", "retries": "under limits",
	"minimum": "under parity", "critical": "under parity", "waivers": "under parity", "migrations": "under parity", "dir": "under report",
	"defaults": "in a file of rules", "columns": "in a file of rules",
}

const atTop = "at the top of the job file, not indented"

// Read reads the job file at path. Getenv gives environment variables, "" for
// an unset one. The job is never nil and as whole as its mistakes allow; it is
// not to be run when a finding has severity Error (exit code 2).
func Read(path string, getenv func(string) string) (*Job, []finding.Finding) {
	data, err := read(path, document.MaxBytes)
	if err != nil {
		f := finding.Finding{Check: checkJob, Severity: finding.Error, At: finding.At{File: path}, Code: int(fault.Usage)}
		if errors.Is(err, fs.ErrNotExist) {
			f.Message, f.Hint = "there is no such file", "`understudy init` writes one, `--job FILE` names another"
		} else {
			f.Message, f.Hint = "the file cannot be read: "+reason(err), "check its permissions"
		}
		return &Job{Path: path, Dir: filepath.Dir(path)}, []finding.Finding{f}
	}
	return Parse(path, data, getenv)
}

// read gives at most limit+1 bytes of a file, so that the caller can see that it is too large.
func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// reason is what the system says, without the path, which stands in the place already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// Parse reads a job file's text; path is what findings call it, and what its
// relative names are relative to. See Read.
func Parse(path string, data []byte, getenv func(string) string) (*Job, []finding.Finding) {
	root, r := document.Parse(path, data)
	job := &Job{
		Path: path, Dir: filepath.Dir(path), Orphans: "fail",
		Limits: Limits{Readers: defaultReaders, LockWait: defaultLockWait, SnapshotAge: defaultSnapshotAge, Statement: defaultStatement, Retries: defaultRetries},
		Report: Report{defaultReports, defaultReportKeep},
	}
	if !root.Missing() {
		p := &parser{r: r, getenv: getenv, dir: job.Dir}
		r.Homes(homes)
		p.job(root, job)
	}
	fs := r.Findings()
	for i := range fs {
		if fs[i].Severity == finding.Error {
			fs[i].Code = int(fault.Usage)
		}
	}
	return job, fs
}

type parser struct {
	r      *document.Reader
	getenv func(string) string
	dir    string // of the job file
}

func (p *parser) job(root document.Value, job *Job) {
	m, ok := root.Called("the job").Known("version", "source", "target", "key", "rules", "schemas", "references", "orphans",
		"subset", "load", "limits", "parity", "report", "target_is_a_clone", "allow_subqueries")
	if !ok {
		return
	}
	if v := m.Need("version", "write `version: 1` as the first line"); !v.Missing() {
		v.Int(1, 1)
	}
	job.Source, job.SourceAt = p.url(m.Need("source", "write `source: ${PROD_URL}`"))
	job.Target, job.TargetAt = p.url(m.Need("target", "write `target: ${STAGING_URL}`"))
	job.Key = p.key(m.Need("key", "write `key: {env: UNDERSTUDY_KEY}`; `understudy key new` makes one"))
	job.Rules = p.texts(m.Need("rules", "write `rules: [rules/*.yaml]`; `understudy init` drafts them"))
	p.schemas(m.Get("schemas"), job)
	p.references(m.Get("references"), job)
	p.orphans(m.Get("orphans"), job)
	if v := m.Get("subset"); !v.Missing() {
		job.Subset = p.subset(v)
	}
	p.load(m.Get("load"), &job.Load)
	p.limits(m.Get("limits"), &job.Limits)
	p.parity(m.Get("parity"), &job.Parity)
	p.report(m.Get("report"), &job.Report)
	if v := m.Get("target_is_a_clone"); !v.Missing() {
		job.TargetIsAClone, _ = p.text(v)
	}
	if v := m.Get("allow_subqueries"); !v.Missing() {
		job.AllowSubqueries, _ = v.Bool()
	}
}

// text reads text in which no ${NAME} is expanded, and refuses one, because it would stay as it is.
func (p *parser) text(v document.Value) (string, bool) {
	s, ok := v.Text()
	if ok && hasVariable(s) {
		v.Fail("write the value itself", "${NAME} is expanded only as the whole of source, target or key")
	}
	return s, ok
}

func (p *parser) place(v document.Value) Text {
	if v.Missing() {
		return Text{}
	}
	s, ok := p.text(v)
	if !ok {
		return Text{}
	}
	return Text{s, v.At()}
}

// texts reads one text or a list of texts.
func (p *parser) texts(v document.Value) []Text {
	if v.Missing() {
		return nil
	}
	items, ok := v.OneOrMany()
	if ok && len(items) == 0 {
		v.Fail("write at least one, or leave the line out", "%s is an empty list", v.What())
	}
	var out []Text
	for _, item := range items {
		if s, ok := p.text(item); ok {
			out = append(out, Text{s, item.At()})
		}
	}
	return out
}

// table reads a table's name; which table it is shows when a schema is known.
func (p *parser) table(v document.Value) Text {
	t := p.place(v)
	if t.Value != "" {
		p.checkName(t, 1, 2, "table or schema.table")
	}
	return t
}

func (p *parser) checkName(t Text, low, high int, form string) {
	parts, err := schema.ParseName(t.Value)
	if err != nil || len(parts) < low || len(parts) > high {
		p.r.Report(t.At, checkJob, "write "+form+"; a part with capitals, dots or spaces stands in double quotes", "this is not a name")
	}
}

func (p *parser) tables(v document.Value) []Text {
	out := p.texts(v)
	for _, t := range out {
		p.checkName(t, 1, 2, "table or schema.table")
	}
	return out
}

func (p *parser) schemas(v document.Value, job *Job) {
	if v.Missing() {
		return
	}
	items, _ := v.OneOrMany()
	for _, item := range items {
		s := Schema{At: item.At()}
		if item.IsMap() {
			m, _ := item.Called("a schema").Known("source", "target")
			s.Source = p.place(m.Need("source", "write {source: shop_prod, target: shop_staging}")).Value
			s.Target = p.place(m.Need("target", "write {source: shop_prod, target: shop_staging}")).Value
		} else {
			s.Source, _ = p.text(item)
			s.Target = s.Source
		}
		if s.Source == "" || s.Target == "" {
			continue
		}
		for _, o := range job.Schemas {
			if o.Source == s.Source || o.Target == s.Target {
				item.Fail("name each schema once", "this schema stands already at line %d", o.At.Line)
			}
		}
		job.Schemas = append(job.Schemas, s)
	}
}

func (p *parser) references(v document.Value, job *Job) {
	if v.Missing() {
		return
	}
	const hint = "write {from: comments.post_id, to: posts.id}"
	items, _ := v.List()
	for _, item := range items {
		m, ok := item.Called("a reference").Known("from", "to", "when")
		if !ok {
			continue
		}
		job.References = append(job.References, Reference{From: p.place(m.Need("from", hint)), To: p.place(m.Need("to", hint)), When: p.place(m.Get("when"))})
	}
}

func (p *parser) orphans(v document.Value, job *Job) {
	if v.Missing() {
		return
	}
	if s, ok := v.Word("fail", "drop", "nullify"); ok {
		job.Orphans, job.OrphansAt = s, v.At()
	}
}

func (p *parser) load(v document.Value, load *Load) {
	load.Mode, load.Keep = "swap", defaultKeep
	if v.Missing() {
		return
	}
	m, ok := v.Known("mode", "keep", "preserve", "discard", "after")
	if !ok {
		return
	}
	load.After = p.place(m.Get("after"))
	if v := m.Get("mode"); !v.Missing() {
		if s, ok := v.Word("swap", "replace"); ok {
			load.Mode, load.ModeAt = s, v.At()
		}
	}
	if load.Mode == "replace" {
		load.Keep = 0
	}
	if v := m.Get("keep"); !v.Missing() {
		if n, ok := v.Int(0, 100); ok {
			load.Keep = int(n)
			if n > 0 && load.Mode == "replace" {
				v.Fail("write `keep: 0` or leave it out; `mode: swap` keeps generations", "rows that are exchanged in place are not kept")
			}
		}
	}
	if v := m.Get("preserve"); !emptyList(v) {
		load.Preserve = p.tables(v)
	}
	if v := m.Get("discard"); !emptyList(v) {
		load.Discard = p.tables(v)
	}
	for _, d := range load.Discard {
		for _, k := range load.Preserve {
			if d.Value == k.Value {
				p.r.Report(d.At, checkJob, "leave it in one of the two", "this table is preserved as well, at line %d", k.At.Line)
			}
		}
	}
}

func emptyList(v document.Value) bool {
	if v.Missing() {
		return true
	}
	if !v.IsList() {
		return false
	}
	items, _ := v.List()
	return len(items) == 0
}

func (p *parser) limits(v document.Value, limits *Limits) {
	if v.Missing() {
		return
	}
	m, ok := v.Known("readers", "lock_wait", "snapshot_age", "statement", "replica_lag", "retries")
	if !ok {
		return
	}
	if v := m.Get("retries"); !v.Missing() {
		if n, ok := v.Int(0, 20); ok {
			limits.Retries = int(n)
		}
	}
	if v := m.Get("readers"); !v.Missing() {
		if n, ok := v.Int(1, 64); ok {
			limits.Readers = int(n)
		}
	}
	for key, to := range map[string]*time.Duration{"lock_wait": &limits.LockWait, "snapshot_age": &limits.SnapshotAge, "statement": &limits.Statement, "replica_lag": &limits.ReplicaLag} {
		if v := m.Get(key); !v.Missing() {
			if d, ok := v.Duration(); ok {
				*to = d
			}
		}
	}
}

func (p *parser) parity(v document.Value, parity *Parity) {
	if v.Missing() {
		return
	}
	m, ok := v.Known("minimum", "critical", "waivers", "migrations")
	if !ok {
		return
	}
	if v := m.Get("minimum"); !v.Missing() {
		if f, ok := v.Float(0, 100); ok {
			parity.Minimum, parity.MinimumAt = &f, v.At()
		}
	}
	if v := m.Get("critical"); !emptyList(v) {
		parity.Critical = p.tables(v)
	}
	parity.Waivers, parity.Migrations = p.place(m.Get("waivers")), p.place(m.Get("migrations"))
}

func (p *parser) report(v document.Value, report *Report) {
	if v.Missing() {
		return
	}
	m, ok := v.Known("dir", "keep")
	if !ok {
		return
	}
	if v := m.Get("dir"); !v.Missing() {
		if s, ok := p.text(v); ok {
			report.Dir = s
		}
	}
	if v := m.Get("keep"); !v.Missing() {
		if n, ok := v.Int(1, 100000); ok {
			report.Keep = int(n)
		}
	}
}

// subset reads which rows come along.
func (p *parser) subset(v document.Value) *Subset {
	s := &Subset{At: v.At(), Unreached: "small"}
	m, ok := v.Known("seeds", "tables", "follow", "unreached", "budget")
	if !ok {
		return s
	}
	if v := m.Get("unreached"); !v.Missing() {
		if w, ok := v.Word("small", "empty", "all"); ok {
			s.Unreached = w
		}
	}
	if v := m.Get("seeds"); !v.Missing() {
		items, _ := v.List()
		for _, item := range items {
			s.Seeds = append(s.Seeds, p.seed(item))
		}
	}
	if m.Get("seeds").Missing() && m.Get("unreached").Missing() && !(m.Get("tables").Missing() && m.Get("budget").Missing()) {
		s.Unreached = "all" // no seeds leave nothing unreached: everything is copied, but for what is said of tables
	}
	if len(s.Seeds) == 0 && (m.Get("seeds").Missing() || m.Get("seeds").IsList()) && s.Unreached != "all" {
		v.Fail("write seeds: [{table: customers, percent: 5}], or `unreached: all`", "a subset begins with seeds, and there are none")
	}
	if v := m.Get("tables"); !v.Missing() {
		tables, _ := v.Map()
		for _, e := range tables.Entries {
			s.Tables = append(s.Tables, p.tableRows(e))
		}
	}
	if v := m.Get("follow"); !emptyList(v) {
		s.Follow = p.texts(v)
		for _, t := range s.Follow {
			p.checkName(t, 2, 3, "table.column of the referencing side")
		}
	}
	if v := m.Get("budget"); !v.Missing() {
		if b, ok := v.Known("rows"); ok {
			rows := b.Need("rows", "write {rows: 2000000}")
			if n, ok := rows.Int(1, math.MaxInt64); ok {
				s.Budget, s.BudgetAt = n, rows.At()
			}
		}
	}
	return s
}

func (p *parser) seed(v document.Value) Seed {
	s := Seed{At: v.At()}
	m, ok := v.Called("a seed").Known("table", "where", "percent", "limit", "order")
	if !ok {
		return s
	}
	s.Table = p.table(m.Need("table", "write {table: customers, percent: 5}"))
	s.Where, s.Order = p.place(m.Get("where")), p.place(m.Get("order"))
	if v := m.Get("percent"); !v.Missing() {
		s.Percent, _ = v.Float(0, 100)
	}
	if v := m.Get("limit"); !v.Missing() {
		s.Limit, _ = v.Int(1, math.MaxInt64)
	}
	if e, ok := m.Entry("order"); ok && m.Get("limit").Missing() {
		p.r.Report(e.KeyAt, checkJob, "add `limit`, or leave it out", "order chooses which rows come under a limit, and there is none")
	}
	return s
}

func (p *parser) tableRows(e document.Entry) TableRows {
	t := TableRows{Table: Text{e.Key, e.KeyAt}}
	p.checkName(t.Table, 1, 2, "table or schema.table")
	v := e.Value.Called("the table")
	if v.IsText() {
		t.Rows, _ = v.Word("all", "none")
		return t
	}
	m, ok := v.Map()
	if !ok {
		return t
	}
	m.Only("where", "per_parent", "order", "by")
	t.Where, t.Order, t.By = p.place(m.Get("where")), p.place(m.Get("order")), p.place(m.Get("by"))
	if v := m.Get("per_parent"); !v.Missing() {
		t.PerParent, _ = v.Int(1, math.MaxInt32)
		t.PerParentAt = v.At()
	} else {
		for key, does := range map[string]string{"order": "order chooses which rows come under per_parent", "by": "by names the reference that per_parent counts along"} {
			if e, ok := m.Entry(key); ok {
				p.r.Report(e.KeyAt, checkJob, "add `per_parent`, or leave it out", "%s, and there is none", does)
			}
		}
	}
	if len(m.Entries) == 0 {
		v.Fail("write all, none, {where: \"a condition\"} or {per_parent: 50}", "nothing is said of the table's rows")
	}
	return t
}

// ReadAfter reads the file of load.after, whose name is relative to the job
// file; file is what findings call it. Without load.after it is empty.
func ReadAfter(job *Job) (file, text string, found []finding.Finding) {
	return readNamed(job, job.Load.After, "large changes belong into a table's own data")
}

// ReadWaivers reads the file that parity.waivers names; file is "" when the job names none.
func ReadWaivers(job *Job) (file, text string, found []finding.Finding) {
	return readNamed(job, job.Parity.Waivers, "so many differences want closing, not waiving")
}

// readNamed reads a file of text that a job names; large says what to do instead of a large one.
func readNamed(job *Job, name Text, large string) (file, text string, found []finding.Finding) {
	if name.Value == "" {
		return "", "", nil
	}
	file = name.Value
	if !filepath.IsAbs(file) {
		file = filepath.Join(job.Dir, file)
	}
	data, err := read(file, document.MaxBytes)
	say, hint := "", "its name is relative to the job file"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		say = "there is no file " + file
	case err != nil:
		say, hint = "the file "+file+" cannot be read: "+reason(err), "check its permissions"
	case len(data) > document.MaxBytes:
		say, hint = "the file "+file+" is too large", large
	case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
		say, hint = "the file "+file+" is no text in UTF-8", "save it as UTF-8"
	}
	if say != "" {
		found = append(found, finding.Finding{Check: checkJob, Severity: finding.Error, At: name.At, Code: int(fault.Usage), Message: say, Hint: hint})
	}
	return file, string(data), found
}

// ExpandRules gives the rule files that a job names, in its order, each once.
// A glob's files come by name. A name or a glob that matches no file is an error.
func ExpandRules(job *Job) ([]string, []finding.Finding) {
	var out []string
	var found []finding.Finding
	seen := map[string]bool{}
	for _, t := range job.Rules {
		pattern := t.Value
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(job.Dir, pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			found = append(found, finding.Finding{Check: checkJob, Severity: finding.Error, At: t.At, Code: int(fault.Usage),
				Message: fmt.Sprintf("no file matches %q", t.Value), Hint: "names are relative to the job file; `understudy init` drafts a rules file"})
		}
		for _, f := range files {
			if !seen[f] {
				seen[f] = true
				out = append(out, f)
			}
		}
	}
	return out, found
}
