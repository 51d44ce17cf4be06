package rules

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// Propose drafts a rules file that decides every column of s by its name and
// type: what may tell of a person is masked, and what is kept says that its
// reason is a proposal to review. Foreign keys are left to propagation. The
// draft parses and binds on s without a finding. It is a beginning for a
// reviewer, not a judgement.
func Propose(s *schema.Schema) []byte {
	d := newDraft(s)
	d.useDefaults = true
	for _, group := range d.graph.groups() {
		d.consider(group)
	}
	d.settle()
	return d.file(draftHead)
}

const draftHead = `# A draft, made from names and types alone: no row was looked at. Every line is a
# proposal. Masked columns: does the mask fit what the column is for? Kept
# columns: can anybody be known by them? Write the reason you find in place of
# the one that begins with "review:".
`

// UndecidedColumns gives a finding with exit code 3 for each column that nothing
// decides, and a rules file, ready to save or to paste, that would decide them
// by name and type. Both are empty when all is decided.
func UndecidedColumns(b *Binding, s *schema.Schema) (found []finding.Finding, proposal string) {
	d := newDraft(s)
	open := map[int]bool{}
	for _, decision := range b.Decisions {
		if decision.Outcome != Undecided {
			continue
		}
		if i := d.graph.number(decision.Table, decision.Column); i >= 0 {
			open[i] = true
		}
	}
	if len(open) == 0 {
		return nil, ""
	}
	for _, group := range d.graph.groups() {
		if slices.ContainsFunc(group, func(i int) bool { return open[i] }) {
			d.consider(group)
		}
	}
	d.settle()
	for i := range d.graph.columns {
		if open[i] {
			found = append(found, d.undecided(i))
		}
	}
	finding.Sort(found)
	return found, string(d.file("# Columns that no rule decides yet, as proposals by name and type. Review each.\n"))
}

func (d *draft) undecided(i int) finding.Finding {
	n := &d.graph.columns[i]
	f := finding.Finding{Check: "undecided", Severity: finding.Error, Code: int(fault.Undecided),
		Table: n.table.Name.String(), Column: n.column.Name,
		Message: fmt.Sprintf("no rule decides %s (%s)", n.name(), typeWords(n.column))}
	if rule := d.chosen(i); rule != nil {
		f.Hint = fmt.Sprintf("under %s, columns: write `%s: %s`, or keep it with a reason", n.table.Name, yamlText(schema.Ident(n.column.Name)), rule.yaml())
	} else {
		for _, e := range n.follows {
			f.Hint = "it follows " + d.graph.columns[e.to].name() + ": decide that one"
			break
		}
	}
	return f
}

// A draft is a rules file in the making.
type draft struct {
	schema      *schema.Schema
	graph       *graph
	classifier  *classifier
	key         mask.Key
	useDefaults bool
	// open holds the columns that get a line, with the number of the choice taken.
	open map[int]*openColumn
	// defaults tells which of the draft's own defaults some column needs.
	defaults map[string]bool
	followed map[int]int // columns without a line of their own, and the one they follow
}

type openColumn struct {
	proposal
	at int
}

func newDraft(s *schema.Schema) *draft {
	// Any key will do to see whether a mask fits; what fits does not depend on it.
	key, _, err := mask.NewKey()
	if err != nil {
		panic("no random numbers")
	}
	return &draft{schema: s, graph: newGraph(s, nil), classifier: newClassifier(), key: key,
		open: map[int]*openColumn{}, defaults: map[string]bool{}, followed: map[int]int{}}
}

// consider gives a line to the first column of a group that takes over no decision.
func (d *draft) consider(group []int) {
	for _, i := range group {
		for _, e := range d.graph.columns[i].follows {
			if !slices.Contains(group, e.to) {
				for _, j := range group {
					d.followed[j] = e.to
				}
				return
			}
		}
	}
	first := group[0]
	for _, j := range group[1:] {
		d.followed[j] = first
	}
	n := &d.graph.columns[first]
	if n.column.Generated || d.useDefaults && d.byDefault(n) {
		return
	}
	d.open[first] = &openColumn{proposal: d.classifier.propose(n.table, n.column)}
}

const (
	surrogateDefault = `{match: {key: surrogate}, keep: "review: a number made by the database, known to no one outside"}`
	booleanDefault   = `{match: {type: boolean}, keep: "review: two values"}`
	eventDefault     = `{match: {type: timestamp, column: "*_at"}, keep: "review: the time of an event"}`
)

// byDefault tells whether one of the draft's defaults decides a column.
func (d *draft) byDefault(n *node) bool {
	telling := d.classifier.byName(n.table, n.column) != nil
	name := ""
	switch {
	case isSurrogate(n.table, n.column):
		name = surrogateDefault
	case n.column.Kind == schema.Boolean && !telling:
		name = booleanDefault
	case n.column.Kind == schema.Timestamp && glob("*_at", n.column.Name) && !telling:
		name = eventDefault
	default:
		return false
	}
	d.defaults[name] = true
	return true
}

// settle takes for every column the first choice that fits, alone and together
// with the columns it shares its fakes with.
func (d *draft) settle() {
	for i, o := range d.open {
		for o.at < len(o.choices)-1 && !d.fits(i, o.choices[o.at]) {
			o.at++
		}
	}
	for range 20 {
		file, bad := Parse("draft", d.file(""))
		if len(finding.Errors(bad)) > 0 {
			return
		}
		b, bad := Bind([]*File{file}, d.schema)
		if !d.advance(b, bad) {
			return
		}
	}
}

// fits tells whether a mask takes one column by itself.
func (d *draft) fits(i int, rule draftRule) bool {
	if rule.mask == "" {
		return true
	}
	n := &d.graph.columns[i]
	spec := mask.Spec{Mask: rule.mask, Domain: n.name()}
	if rule.mask == "constant" {
		spec.Params = map[string]string{"value": rule.value}
	}
	return d.makes(spec, limitsOf(n.table, n.column))
}

func (d *draft) makes(spec mask.Spec, limits mask.Limits) bool {
	_, err := mask.New(d.key, spec, limits)
	return err == nil
}

// advance goes on to the next choice where a mask does not fit all that share
// its fakes. A column that fits by itself gets a domain of its own first. It
// tells whether anything changed.
func (d *draft) advance(b *Binding, bad []finding.Finding) bool {
	changed := map[int]bool{}
	next := func(i int, ownDomain bool) {
		root := d.root(i)
		o := d.open[root]
		if o == nil || changed[root] {
			return
		}
		rule := &o.choices[o.at]
		switch {
		case ownDomain && rule.domain == "" && rule.mask != "":
			n := &d.graph.columns[root]
			own := *rule
			own.domain = schema.Ident(n.table.Name.Table) + "." + schema.Ident(n.column.Name)
			o.choices[o.at] = own
		case o.at < len(o.choices)-1:
			o.at++
		default:
			return
		}
		changed[root] = true
	}
	for _, f := range finding.Errors(bad) {
		if n, err := schema.ParseName(f.Table); err == nil && len(n) == 2 && f.Column != "" {
			next(d.graph.number(schema.Name{Schema: n[0], Table: n[1]}, f.Column), false)
		}
	}
	for _, decision := range b.Decisions {
		if decision.Outcome == Mask && !d.makes(decision.Spec, decision.Limits) {
			next(d.graph.number(decision.Table, decision.Column), true)
		}
	}
	return len(changed) > 0
}

// root gives the column whose line decides column i.
func (d *draft) root(i int) int {
	for range len(d.graph.columns) {
		to, ok := d.followed[i]
		if !ok {
			return i
		}
		i = to
	}
	return i
}

func (d *draft) chosen(i int) *draftRule {
	if o := d.open[i]; o != nil {
		return &o.choices[o.at]
	}
	return nil
}

// file writes the draft.
func (d *draft) file(head string) []byte {
	var out strings.Builder
	out.WriteString(head)
	out.WriteString("version: 1\n")
	if len(d.defaults) > 0 {
		out.WriteString("\n# For every table; the first that matches decides. A column that none matches and no line names stops the run.\ndefaults:\n")
		for _, text := range []string{surrogateDefault, booleanDefault, eventDefault} {
			if d.defaults[text] {
				out.WriteString("  - " + text + "\n")
			}
		}
	}
	out.WriteString("\ntables:")
	empty := true
	for k, t := range d.graph.tables {
		if d.table(&out, k, t, empty) {
			empty = false
		}
	}
	if empty {
		out.WriteString(" {}\n")
	}
	return []byte(out.String())
}

// table writes one table: masked columns, then kept ones, then what follows
// other columns. It tells whether there was a line to write.
func (d *draft) table(out *strings.Builder, k int, t *schema.Table, first bool) bool {
	var masked, follow []string
	var reasons []string
	kept := map[string][]string{}
	for j := range t.Columns {
		i := d.graph.first[k] + j
		name := schema.Ident(t.Columns[j].Name)
		rule := d.chosen(i)
		switch to, ok := d.followed[i]; {
		case rule != nil && rule.mask != "":
			masked = append(masked, maskLine(yamlText(name), rule))
		case rule != nil:
			if kept[rule.keep] == nil {
				reasons = append(reasons, rule.keep)
			}
			kept[rule.keep] = append(kept[rule.keep], name)
		case ok:
			follow = append(follow, fmt.Sprintf("%s follows %s", name, d.graph.columns[to].name()))
		}
	}
	if len(masked)+len(reasons) == 0 {
		return false
	}
	if first {
		out.WriteString("\n")
	}
	fmt.Fprintf(out, "  %s:\n", yamlText(t.Name.String()))
	if d.useDefaults {
		for _, f := range follow {
			out.WriteString("    # " + printable(f) + "\n")
		}
	}
	out.WriteString("    columns:\n")
	for _, line := range masked {
		out.WriteString("      " + line + "\n")
	}
	for _, reason := range reasons {
		rule := draftRule{keep: reason}
		fmt.Fprintf(out, "      %s: %s\n", yamlText(strings.Join(kept[reason], ", ")), rule.yaml())
	}
	out.WriteString("\n")
	return true
}

func maskLine(name string, rule *draftRule) string {
	line := name + ": " + rule.yaml()
	if rule.comment != "" {
		line = fmt.Sprintf("%-50s # %s", line, rule.comment)
	}
	return line
}

// yaml writes the rule as it stands in a file.
func (r *draftRule) yaml() string {
	if r.mask == "" {
		return "{keep: " + quoted(r.keep) + "}"
	}
	if r.class == "" && r.domain == "" && r.mask != "constant" {
		return r.mask
	}
	out := "{mask: " + r.mask
	if r.mask == "constant" {
		out += ", value: " + quoted(r.value)
	}
	if r.class != "" {
		out += ", class: " + r.class
	}
	if r.domain != "" {
		out += ", domain: " + quoted(r.domain)
	}
	return out + "}"
}

// plainKey is a text that YAML takes for itself without quotes.
var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// yamlText writes a name as a YAML key.
func yamlText(s string) string {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return quoted(s)
	}
	switch {
	case plainKey.MatchString(s):
		return s
	case strings.Contains(s, `"`) && printable(s) == s:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return quoted(s)
}

// quoted writes a text in double quotes; YAML reads the escapes of JSON.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}

// printable leaves out what must not stand in a comment.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}
