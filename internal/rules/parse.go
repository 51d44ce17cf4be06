package rules

import (
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/document"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// UnknownName is the check of findings about names that the structure does not have.
const UnknownName = "rule-unknown-name"

// Checks that findings of this package carry.
const (
	checkRule    = "rule"
	checkUnknown = UnknownName
	checkTwice   = "rule-twice"
	checkAgainst = "rule-contradiction"
	checkType    = "rule-type"
	checkUnused  = "rule-unused"
)

// A parser reads one file.
type parser struct {
	r     *document.Reader
	kinds map[string]mask.Kind
	names []string
}

// Parse reads one rules file. The file is as whole as its mistakes allow, so
// that Bind can go on and report its mistakes against the schema as well; it is
// never nil. Findings of severity Error mean exit code 2.
func Parse(name string, data []byte) (*File, []finding.Finding) {
	root, r := document.Parse(name, data)
	p := &parser{r: r, kinds: map[string]mask.Kind{}}
	for _, k := range mask.Kinds() {
		p.kinds[k.Name] = k
		p.names = append(p.names, k.Name)
	}
	f := &File{Name: name, Broken: true}
	r.Homes(homes)
	if !root.Missing() {
		p.file(root, f)
	}
	return f, withCode(f.placed(r.Findings()), fault.Usage)
}

// placed adds to findings which table's and which columns' line they are about, as
// the file writes them.
func (f *File) placed(found []finding.Finding) []finding.Finding {
	for i := range found {
		for _, t := range f.Tables {
			if found[i].Table != "" || t.Name == "" || found[i].At.Line <= t.At.Line && found[i].At != t.At {
				continue
			}
			last := true
			for _, o := range f.Tables {
				last = last && (o.At.Line <= t.At.Line || o.At.Line > found[i].At.Line)
			}
			if !last {
				continue
			}
			found[i].Table = t.Name
			for _, l := range t.Lines {
				if l.At.Line == found[i].At.Line && l.At.Col <= found[i].At.Col {
					found[i].Column = strings.Join(l.Columns, ", ")
				}
			}
		}
	}
	return found
}

// homes tells where a key belongs that somebody wrote into another part of a file.
var homes = map[string]string{
	"defaults": "at the top of the file, not indented", "tables": "at the top of the file, not indented",
	"columns": "under a table: {tables: {NAME: {columns: {...}}}}", "match": "in a line of defaults",
	"reason": "as the text of keep; a mask needs none",
	"subset": inJob, "seeds": inJob, "load": inJob, "preserve": inJob, "discard": inJob, "source": inJob, "target": inJob, "references": inJob, "parity": inJob, "report": inJob,
}

const inJob = "in the job file; this one holds rules"

func withCode(fs []finding.Finding, code fault.Code) []finding.Finding {
	for i := range fs {
		if fs[i].Code == 0 && fs[i].Severity == finding.Error {
			fs[i].Code = int(code)
		}
	}
	return fs
}

func (p *parser) file(root document.Value, f *File) {
	m, ok := root.Called("the rules file").Known("version", "defaults", "tables")
	if !ok {
		return
	}
	f.Broken = false
	if v := m.Need("version", "write `version: 1` as the first line"); !v.Missing() {
		v.Int(1, 1)
	}
	if v := m.Get("defaults"); !v.Missing() {
		items, _ := v.List()
		for _, item := range items {
			if d, ok := p.defaults(item); ok {
				f.Defaults = append(f.Defaults, d)
			}
		}
	}
	if v := m.Get("tables"); !v.Missing() {
		tables, _ := v.Map()
		for _, e := range tables.Entries {
			f.Tables = append(f.Tables, p.table(e))
		}
	}
}

func (p *parser) table(e document.Entry) TableRule {
	t := TableRule{Name: e.Key, At: e.KeyAt}
	if parts, err := schema.ParseName(e.Key); err != nil || len(parts) > 2 {
		p.r.Report(e.KeyAt, checkRule, `write table or schema.table; a part with capitals, dots or spaces stands in double quotes: '"Order Lines"'`,
			"this is not the name of a table")
		t.Name = ""
	}
	m, ok := e.Value.Called("the table").Known("columns")
	if !ok {
		return t
	}
	columns, _ := m.Need("columns", "write `columns:` and below it a line for each column").Map()
	for _, c := range columns.Entries {
		names, err := schema.ParseNames(c.Key)
		if err != nil {
			p.r.Report(c.KeyAt, checkRule, `write column or "column, column"; a name with capitals, dots or spaces stands in double quotes of its own: '"Zip Code"'`,
				"this is not the name of a column")
			continue
		}
		t.Lines = append(t.Lines, Line{Columns: names, At: c.KeyAt, Rule: p.rule(c.Value.Called("the rule"))})
	}
	return t
}

func (p *parser) defaults(v document.Value) (Default, bool) {
	d := Default{At: v.At()}
	v = v.Called("the default")
	m, ok := v.Map()
	if !ok {
		return d, false
	}
	matchV := m.Need("match", "write `match: {column: \"*email*\"}`")
	usable := !matchV.Missing()
	if usable {
		d.Match, usable = p.match(matchV)
	}
	d.Rule = p.rule(v, "match")
	if d.Rule.Outcome == ByPath {
		p.r.Report(d.Rule.At, checkRule, "mask here, for instance with `mask: redact`, and write json for the columns themselves",
			"a default masks or keeps; paths are of one column's documents")
		return d, false
	}
	if usable && d.Rule.Outcome == Keep && !mayKeep(d.Match) {
		p.r.Report(d.Rule.At, checkRule, "mask here, or keep the columns by their own lines",
			"a default keeps only `key: surrogate`, `type: boolean`, or `type: timestamp` together with a `column` glob of some letters")
	}
	return d, usable && d.Rule.Outcome != ""
}

// mayKeep: a default that keeps must not catch tomorrow's telling column.
func mayKeep(m Match) bool {
	letters := strings.Trim(m.Column, "*?_")
	return m.Key == "surrogate" || m.Type == schema.Boolean || m.Type == schema.Timestamp && len(letters) >= 2
}

func (p *parser) match(v document.Value) (Match, bool) {
	var out Match
	m, ok := v.Known("schema", "table", "column", "type", "key")
	if !ok {
		return out, false
	}
	if len(m.Entries) == 0 {
		v.Fail("write what it matches: {column: \"*email*\"}", "the match is empty")
		return out, false
	}
	good := true
	read := func(key string, to *string, words ...string) {
		if v := m.Get(key); !v.Missing() {
			s, ok := v.Text()
			if ok && len(words) > 0 {
				s, ok = v.Word(words...)
			}
			*to = s
			good = good && ok
		}
	}
	var kinds []string
	for _, k := range schema.Kinds {
		kinds = append(kinds, string(k))
	}
	var kind string
	read("schema", &out.Schema)
	read("table", &out.Table)
	read("column", &out.Column)
	read("type", &kind, kinds...)
	read("key", &out.Key, keyWords()...)
	out.Type = schema.Kind(kind)
	return out, good && out != Match{}
}

// ruleKeys are the keys of a rule beside its mask's parameters; those that wait
// for a later version are refused by name, so that nobody takes them for done.
func ruleKeys() []string {
	return []string{"mask", "keep", "json", "class", "domain", "fold", "reviewed_by", "review_by"}
}

func later() []string { return []string{"when", "person"} }

// rule reads a mask's name alone or a mapping; extra names keys that its caller reads.
func (p *parser) rule(v document.Value, extra ...string) Rule {
	r := Rule{At: v.At()}
	if v.IsText() {
		p.setMask(&r, v.Called("the mask"))
		p.checkParams(&r, nil)
		return r
	}
	m, ok := v.Called("the rule").Map()
	if !ok {
		return r
	}
	masked, kept, paths := m.Get("mask"), m.Get("keep"), m.Get("json")
	waits := p.refuseLater(m)
	switch {
	case !masked.Missing() && !kept.Missing():
		v.Fail("leave one of them out", "a rule either masks or keeps, not both")
	case !paths.Missing() && (!masked.Missing() || !kept.Missing()):
		v.Fail("leave one of them out", "a rule masks or keeps the whole value, or goes by the paths under json")
	case !paths.Missing():
		e, _ := m.Entry("json")
		r.At = e.KeyAt
		p.documents(paths, m, &r)
	case !masked.Missing():
		r.At = masked.At()
		p.setMask(&r, masked)
	case !kept.Missing():
		r.At = kept.At()
		p.setKeep(&r, kept)
	case !waits:
		v.Fail("write {mask: redact} or {keep: \"the reason\"}", "the rule neither masks nor keeps")
	}
	if !paths.Missing() {
		extra = append(slices.Clone(extra), "others")
	}
	p.attributes(m, &r)
	p.parameters(m, &r, extra)
	return r
}

func (p *parser) refuseLater(m document.Mapping) bool {
	found := false
	for _, key := range later() {
		if e, ok := m.Entry(key); ok {
			found = true
			p.r.Report(e.KeyAt, checkRule, "mask the column as a whole for now, for instance with `mask: redact`", "%s is not supported yet", key)
		}
	}
	return found
}

func (p *parser) setMask(r *Rule, v document.Value) {
	name, ok := v.Text()
	if !ok {
		return
	}
	if name == "keep" {
		v.Fail(reasonHint, "keep is no mask: it is its reason, a sentence")
		return
	}
	if mask.Awaited(name) {
		p.r.Report(v.At(), checkUnknown, "use redact, nullify or constant for now", "this mask is not there yet")
		return
	}
	if _, ok := p.kinds[name]; !ok {
		hint := "known masks: " + strings.Join(p.names, ", ")
		if near := schema.Nearest(name, p.names); near != "" {
			hint = "did you mean " + near + "?"
		}
		p.r.Report(v.At(), checkUnknown, hint, "there is no mask of this name")
		return
	}
	r.Outcome, r.Mask = Mask, name
}

const reasonHint = `write why nobody can be known by it: {keep: "product name"}`

func (p *parser) setKeep(r *Rule, v document.Value) {
	reason, ok := v.Needing(reasonHint).Text()
	if !ok {
		return
	}
	reason = strings.TrimSpace(reason)
	if len(reason) < 4 {
		v.Fail(reasonHint, "keep is its reason, a sentence")
		return
	}
	r.Outcome, r.Reason = Keep, reason
}

func (p *parser) attributes(m document.Mapping, r *Rule) {
	text := func(key string, to *string) {
		if v := m.Get(key); !v.Missing() {
			*to, _ = v.Text()
		}
	}
	text("class", &r.Class)
	text("domain", &r.Domain)
	if strings.ContainsAny(r.Class, " \t\n,;") {
		m.Get("class").Fail("write it as free_text", "class must be one word")
	}
	text("reviewed_by", &r.ReviewedBy)
	if v := m.Get("fold"); !v.Missing() {
		r.Fold, _ = v.Bool()
	}
	if v := m.Get("review_by"); !v.Missing() {
		if s, ok := v.Scalar(); ok {
			if _, err := time.Parse(time.DateOnly, s); err != nil {
				v.Fail("write it as 2027-06-30", "review_by must be a date")
			} else {
				r.ReviewBy = s
			}
		}
	}
	if !m.Get("json").Missing() {
		for _, key := range []string{"class", "domain", "fold"} {
			if e, ok := m.Entry(key); ok {
				p.r.Report(e.KeyAt, document.CheckStructure, "write it with the path", "%s is of single values, and this rule goes by path", key)
			}
		}
	}
	if r.Outcome == Keep {
		for _, key := range []string{"domain", "fold"} {
			if e, ok := m.Entry(key); ok {
				p.r.Report(e.KeyAt, document.CheckStructure, "leave it out", "%s says how to mask, and this rule keeps", key)
			}
		}
	}
}

// parameters reads the keys that belong to the mask.
func (p *parser) parameters(m document.Mapping, r *Rule, extra []string) {
	known := slices.Concat(ruleKeys(), extra)
	if r.Outcome == "" && !m.Get("mask").Missing() {
		return // the mask is unknown, so are its parameters
	}
	kind := p.kinds[r.Mask]
	places, unread := map[string]document.Value{}, false
	for _, param := range kind.Params {
		if slices.Contains(ruleKeys(), param.Name) {
			continue // the rule's own keys come first
		}
		known = append(known, param.Name)
		if v := m.Get(param.Name); !v.Missing() {
			places[param.Name] = v
		}
	}
	for name, v := range places {
		if s, ok := parameter(kind, name, v); ok {
			if r.Params == nil {
				r.Params = map[string]string{}
			}
			r.Params[name] = s
		} else {
			unread = true // and told
		}
	}
	m.Entries = slices.DeleteFunc(m.Entries, func(e document.Entry) bool { return slices.Contains(later(), e.Key) }) // refused already
	m.Only(known...)
	if r.Outcome == Mask && !unread {
		p.checkParams(r, places)
	}
}

// parameter reads a parameter; a list, where the mask takes one, becomes a line of CSV.
func parameter(kind mask.Kind, name string, v document.Value) (string, bool) {
	if !v.IsList() || !slices.ContainsFunc(kind.Params, func(p mask.Param) bool { return p.Name == name && p.List }) {
		return v.Scalar()
	}
	items, ok := v.List()
	var list []string
	for _, item := range items {
		s, good := item.Scalar()
		list, ok = append(list, s), ok && good
	}
	var line strings.Builder
	w := csv.NewWriter(&line)
	if err := w.Write(list); err != nil {
		return "", false
	}
	w.Flush()
	return strings.TrimSuffix(line.String(), "\n"), ok
}

// checkParams asks the mask about its parameters and puts each problem where
// the parameter stands.
func (p *parser) checkParams(r *Rule, places map[string]document.Value) {
	if r.Outcome != Mask {
		return
	}
	for _, problem := range p.kinds[r.Mask].Check(r.Params) {
		at := r.At
		for name, v := range places {
			if strings.Contains(problem, name) {
				at = v.At()
			}
		}
		p.r.Report(at, checkRule, "`understudy rules list masks` tells each mask's parameters", "mask %s: %s", r.Mask, withoutValues(problem, r.Params))
	}
}

// withoutValues takes out of a mask's words what the file says, which may be
// anything; the finding's place shows it to whoever may read the file.
func withoutValues(problem string, params map[string]string) string {
	for _, value := range params {
		problem = strings.ReplaceAll(problem, " "+strconv.Quote(value), "")
	}
	for _, value := range params {
		if len(value) > 3 && strings.Contains(problem, value) {
			return "a parameter has a value that it cannot have"
		}
	}
	return problem
}
