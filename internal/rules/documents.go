package rules

import (
	"fmt"
	"slices"
	"strings"

	"understudy/internal/document"
	"understudy/internal/finding"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// Others is what becomes of values that no path names.
type Others string

const (
	RedactOthers Others = "redact" // neutral values under neutral names
	DropOthers   Others = "drop"   // left out
	StopOthers   Others = "stop"   // the run stops
)

// Documents is the rule of a column that holds JSON documents: one rule for
// each path, and what becomes of the rest.
type Documents struct {
	Paths  []PathRule // in the file's order
	Others Others
}

// A PathRule is what becomes of the values of one path.
type PathRule struct {
	Path jsondoc.Path
	At   finding.At // of the path
	Rule Rule
}

// A DocumentDecision is a Documents rule bound to a column.
type DocumentDecision struct {
	Paths  []PathDecision `json:"paths"`
	Others Others         `json:"others"`
}

// A PathDecision is what becomes of the values of one path and why.
type PathDecision struct {
	Path    jsondoc.Path `json:"path"`
	Outcome Outcome      `json:"decision"` // Mask or Keep
	Spec    mask.Spec    `json:"spec"`
	Reason  string       `json:"reason"`
	At      finding.At   `json:"at"`
	// Limits are of the domain, one for each type of scalar that the mask takes.
	Limits     []mask.Limits `json:"-"`
	ReviewedBy string        `json:"reviewed_by,omitempty"`
	ReviewBy   string        `json:"review_by,omitempty"`
}

// scalars are the kinds of values in documents.
func scalars() []schema.Kind {
	return []schema.Kind{schema.Text, schema.Integer, schema.Decimal, schema.Boolean}
}

// onContainers tells the rules that can decide a container with longer paths in it.
func onContainers(r *Rule) bool { return r.Outcome == Keep || r.Mask == "redact" }

// documents reads `json` and `others` of a rule.
func (p *parser) documents(v document.Value, m document.Mapping, r *Rule) {
	d := &Documents{}
	paths, ok := v.Called("json").Map()
	if !ok {
		return
	}
	if len(paths.Entries) == 0 {
		v.Fail("write what a path becomes: `$.contact.phone: {mask: phone}`; a document without named paths is masked as a whole: `mask: redact`", "json names no path")
	}
	good := len(paths.Entries) > 0
	seen := map[string]finding.At{}
	for _, e := range paths.Entries {
		path, err := jsondoc.ParsePath(e.Key)
		if err != nil {
			p.r.Report(e.KeyAt, checkRule, "paths are written $.contact.phone, $.tags[*], $.people.*, $['odd name']", "this is no path: %s", err)
			good = false
			continue
		}
		rule := PathRule{Path: path, At: e.KeyAt, Rule: p.rule(e.Value.Called("the path's rule"))}
		if rule.Rule.Outcome == ByPath {
			p.r.Report(rule.Rule.At, checkRule, "write the longer paths beside this one", "a path's rule masks or keeps; it holds no json of its own")
			rule.Rule.Outcome = ""
		}
		good = good && rule.Rule.Outcome != ""
		if first, twice := seen[path.String()]; twice {
			p.r.Report(e.KeyAt, checkTwice, "keep one of the two lines", "the same path is decided twice: here and at %s", first)
			good = false
			continue
		}
		seen[path.String()] = e.KeyAt
		d.Paths = append(d.Paths, rule)
	}
	good = p.checkContainers(d.Paths) && good
	others := m.Need("others", "write `others: redact`, `others: drop` or `others: stop`: what becomes of paths that are not named")
	if others.Missing() {
		return
	}
	word, ok := others.Word(string(RedactOthers), string(DropOthers), string(StopOthers))
	if d.Others = Others(word); ok && good {
		r.Outcome, r.Documents = ByPath, d
	}
}

// checkContainers reports masks for single values on paths that lead to others.
func (p *parser) checkContainers(paths []PathRule) bool {
	good := true
	for i := range paths {
		above := &paths[i]
		if above.Rule.Outcome == "" || onContainers(&above.Rule) {
			continue
		}
		inner := slices.IndexFunc(paths, func(q PathRule) bool { return above.Path.Above(q.Path) })
		if inner >= 0 {
			p.r.Report(above.Rule.At, checkRule, "write `mask: redact` or keep it with a reason, or leave it to `others`",
				"the path at %s leads through this one, so it holds containers, which are redacted or kept", paths[inner].At)
			good = false
		}
	}
	return good
}

// checkDocuments reports what stands against deciding column i by paths.
func (b *binder) checkDocuments(i int) {
	c, n := &b.chosen[i], &b.graph.columns[i]
	report := func(check string, at finding.At, hint, format string, args ...any) {
		b.report(finding.Finding{Check: check, At: at, Table: n.table.Name.String(), Column: n.column.Name, Message: fmt.Sprintf(format, args...), Hint: hint})
		c.broken = true
	}
	const whole = "mask the column as a whole, or keep it with a reason"
	switch {
	case n.column.Kind != schema.JSON && n.column.Kind != schema.Text && n.column.Element != schema.JSON && n.column.Element != schema.Text:
		report(checkType, c.rule.At, b.masksFor(n.column), "paths lead into documents, and %s is %s", n.name(), typeWords(n.column))
	case n.tied && c.via < 0: // told once, where the rule stands
		report(checkRule, c.rule.At, whole, "%s is part of a reference, so its values are masked as a whole, not by path", n.name())
	case mustStayUnique(n.table, n.column):
		report(checkRule, c.rule.At, whole, "%s must stay unique, and documents masked by path may become alike", n.name())
	}
	for j := range c.rule.Documents.Paths {
		r := &c.rule.Documents.Paths[j].Rule
		if r.Outcome == Mask && len(b.scalarsOf(r.Mask)) == 0 {
			report(checkType, r.At, "masks for text: "+strings.Join(mask.Accepting(schema.Text), ", "), "mask %s takes %s, and a document holds %s", r.Mask,
				kindWords(b.kinds[r.Mask].Accepts), kindWords(scalars()))
		}
	}
}

// scalarsOf lists the kinds of scalars that a mask takes.
func (b *binder) scalarsOf(name string) []schema.Kind {
	return slices.DeleteFunc(scalars(), func(k schema.Kind) bool { return !slices.Contains(b.kinds[name].Accepts, k) })
}

// bindDocuments makes the decision of a column that is decided by paths.
func (b *binder) bindDocuments(d *Documents) *DocumentDecision {
	out := &DocumentDecision{Others: d.Others}
	for _, p := range d.Paths {
		path := PathDecision{Path: p.Path, Outcome: p.Rule.Outcome, Reason: p.Rule.Reason, At: p.Rule.At, ReviewedBy: p.Rule.ReviewedBy, ReviewBy: p.Rule.ReviewBy}
		if p.Rule.Outcome == Mask {
			path.Spec = b.spec(&p.Rule)
			for _, k := range b.scalarsOf(p.Rule.Mask) {
				path.Limits = append(path.Limits, mask.Limits{Kind: k, Scale: -1})
			}
		}
		out.Paths = append(out.Paths, path)
	}
	return out
}

// nameDocumentDomains names the domains of the paths of columns that take over
// one another's decision: the rule's, else the class, else the path in the
// column where the decision was made.
func (b *binder) nameDocumentDomains(members []int, out *Binding) {
	end := -1
	for _, i := range members {
		if out.Decisions[i].Outcome == ByPath && (end < 0 || b.graph.isEnd(i, members) && !b.graph.isEnd(end, members)) {
			end = i
		}
	}
	if end < 0 {
		return
	}
	n := &b.graph.columns[end]
	column := schema.Ident(n.table.Name.Table) + "." + schema.Ident(n.column.Name)
	for _, i := range members {
		if out.Decisions[i].Outcome != ByPath {
			continue
		}
		for j := range out.Decisions[i].Documents.Paths {
			p := &out.Decisions[i].Documents.Paths[j]
			switch {
			case p.Outcome != Mask || p.Spec.Domain != "":
			case p.Spec.Class != "":
				p.Spec.Domain = p.Spec.Class
			default:
				p.Spec.Domain = column + p.Path.String()
			}
		}
	}
}

// masked gives the paths of a decision whose values are masked.
func (d *Decision) masked() []*PathDecision {
	var out []*PathDecision
	if d.Documents == nil {
		return nil
	}
	for i := range d.Documents.Paths {
		if p := &d.Documents.Paths[i]; p.Outcome == Mask {
			out = append(out, p)
		}
	}
	return out
}

// explainPaths tells what becomes of each path.
func (d *Decision) explainPaths(out *strings.Builder, b *Binding) {
	for _, p := range d.Documents.Paths {
		switch p.Outcome {
		case Mask:
			fmt.Fprintf(out, "  %s: masked by %s%s [%s]\n", p.Path, p.Spec.Mask, paramWords(p.Spec), p.At)
			fmt.Fprintf(out, "    class: %s\n    domain: %s%s\n", orNobody(p.Spec.Class), p.Spec.Domain, b.sharers(p.Spec, d.name()+" "+p.Path.String()))
		default:
			fmt.Fprintf(out, "  %s: kept [%s]\n    reason: %s\n", p.Path, p.At, p.Reason)
		}
		if p.ReviewedBy != "" || p.ReviewBy != "" {
			fmt.Fprintf(out, "    reviewed by %s, to be reviewed again by %s\n", orNobody(p.ReviewedBy), orNobody(p.ReviewBy))
		}
	}
	fmt.Fprintf(out, "  paths not named: %s\n", d.Documents.Others.words())
}

func (o Others) words() string {
	switch o {
	case DropOthers:
		return "left out"
	case StopOthers:
		return "the run stops"
	}
	return "redacted, and so are the names of members"
}

// sharers names the other columns and paths that share a mask's fakes; "" for none.
func (b *Binding) sharers(spec mask.Spec, but string) string {
	var others []string
	add := func(s mask.Spec, name string) {
		if name != but && s.Domain == spec.Domain && s.Mask == spec.Mask {
			others = append(others, name)
		}
	}
	for i := range b.Decisions {
		d := &b.Decisions[i]
		if d.Outcome == Mask {
			add(d.Spec, d.name())
		}
		for _, p := range d.masked() {
			add(p.Spec, d.name()+" "+p.Path.String())
		}
	}
	if len(others) == 0 {
		return ""
	}
	return ", shared with " + strings.Join(others, ", ")
}
