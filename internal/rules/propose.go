package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"understudy/internal/document"
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
	d.countEvents()
	d.consider(func(int) bool { return true }, nil)
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
	open := map[int]bool{} // by the column's number
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
	d.consider(func(i int) bool { return open[i] }, b)
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

// A draft is a rules file in the making. What it does not write down is
// decided by its defaults or by the columns that are followed.
type draft struct {
	schema      *schema.Schema
	graph       *graph
	classifier  *classifier
	key         mask.Key
	useDefaults bool
	compact     bool // write no comments, and columns of one rule on one line
	// open holds the columns that get a line, with the number of the choice taken.
	open map[int]*openColumn
	// defaults tells which of the draft's own defaults some column needs, and
	// byDefaults which columns they decide.
	defaults   map[string]bool
	byDefaults map[int]bool
	events     map[string]int // names of timestamps, and in how many tables they stand
	followed   map[int]int    // columns without a line of their own, and the one they follow
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
		open: map[int]*openColumn{}, defaults: map[string]bool{}, byDefaults: map[int]bool{}, events: map[string]int{}, followed: map[int]int{}}
}

// consider gives a line to each open column that takes over no decision. Where
// several such columns are tied by columns that reference more than one of them,
// they share one line's worth of decision, since their followers cannot obey two.
// Decided, if not nil, holds decisions that stand already.
func (d *draft) consider(open func(int) bool, decided *Binding) {
	component, members := d.graph.components()
	roots := make([][]int, len(members))
	for _, group := range d.graph.groups() {
		if i := d.rootOf(group); i >= 0 && !d.graph.columns[i].column.Generated {
			roots[component[i]] = append(roots[component[i]], i)
		}
	}
	for _, tied := range roots {
		slices.Sort(tied)
		var lines []int
		for _, i := range tied {
			if open(i) {
				lines = append(lines, i)
			}
		}
		if len(lines) > 0 && !d.allByDefault(lines, len(tied)) {
			shared := d.shared(lines, tied, decided)
			for _, i := range lines {
				d.open[i] = shared
			}
		}
	}
}

// rootOf gives the first column of a group, or -1 if the group takes its decision over.
func (d *draft) rootOf(group []int) int {
	for _, i := range group {
		for _, e := range d.graph.columns[i].follows {
			if !slices.Contains(group, e.to) {
				for _, j := range group {
					d.followed[j] = e.to
				}
				return -1
			}
		}
	}
	for _, j := range group[1:] {
		d.followed[j] = group[0]
	}
	return group[0]
}

// allByDefault leaves columns to the draft's defaults if all of them keep.
func (d *draft) allByDefault(lines []int, tied int) bool {
	if !d.useDefaults || len(lines) != tied {
		return false
	}
	for _, i := range lines {
		if d.defaultFor(&d.graph.columns[i]) == "" {
			return false
		}
	}
	for _, i := range lines {
		d.defaults[d.defaultFor(&d.graph.columns[i])] = true
		d.byDefaults[i] = true
	}
	return true
}

// shared makes the proposal for columns that need one decision: that of a
// column of the same ties that is decided already, else the first that masks,
// else that of the first column.
func (d *draft) shared(lines, tied []int, decided *Binding) *openColumn {
	if decided != nil {
		for _, i := range tied {
			n := &d.graph.columns[i]
			if x := decided.column(n.table.Name, n.column.Name); x != nil && x.Outcome == Keep {
				return &openColumn{proposal: proposal{[]draftRule{{keep: "review: tied to " + n.name() + ", which is kept"}}}}
			} else if x != nil && x.Outcome == Mask && len(x.Spec.Params) == 0 {
				return &openColumn{proposal: proposal{[]draftRule{{mask: x.Spec.Mask, comment: "tied to " + printable(n.name())}}}}
			}
		}
	}
	var first *openColumn
	for _, i := range lines {
		n := &d.graph.columns[i]
		o := &openColumn{proposal: d.classifier.propose(n.table, n.column)}
		if o.choices[0].mask != "" {
			return o
		}
		if first == nil {
			first = o
		}
	}
	return first
}

const (
	surrogateDefault = `{match: {key: surrogate}, keep: "review: a number made by the database, known to no one outside"}`
	booleanDefault   = `{match: {type: boolean}, keep: "review: two values"}`
	eventGlob        = "*_at"
	// usual is in how many tables a name of a timestamp must stand to get a default.
	usual = 3
)

func eventDefault(glob string) string {
	return fmt.Sprintf(`{match: {type: timestamp, column: %s}, keep: "review: the time of an event"}`, quoted(glob))
}

// countEvents counts the names of timestamps that tell of no one's life.
func (d *draft) countEvents() {
	for i := range d.graph.columns {
		if n := &d.graph.columns[i]; n.column.Kind == schema.Timestamp && d.classifier.byName(n.table, n.column) == nil && len(n.column.Name) > 1 && !strings.ContainsAny(n.column.Name, "*?") {
			d.events[n.column.Name]++
		}
	}
}

// defaultFor gives the draft's default that decides a column; "" if none does.
func (d *draft) defaultFor(n *node) string {
	switch {
	case isSurrogate(n.table, n.column):
		return surrogateDefault
	case n.column.Kind == schema.Boolean && d.classifier.byName(n.table, n.column) == nil:
		return booleanDefault
	case n.column.Kind != schema.Timestamp || d.events[n.column.Name] == 0:
		return ""
	case glob(eventGlob, n.column.Name):
		return eventDefault(eventGlob)
	case d.events[n.column.Name] >= usual:
		return eventDefault(n.column.Name)
	}
	return ""
}

// defaultOrder gives the draft's defaults in a stable order.
func (d *draft) defaultOrder() []string {
	events := slices.DeleteFunc(slices.Sorted(maps.Keys(d.defaults)), func(s string) bool { return s == surrogateDefault || s == booleanDefault })
	return slices.DeleteFunc(append([]string{surrogateDefault, booleanDefault}, events...), func(s string) bool { return !d.defaults[s] })
}

// settle takes for every column the first choice that fits, alone and together
// with the columns it shares its fakes with.
func (d *draft) settle() {
	for changed := true; changed; {
		changed = false
		for i, o := range d.open {
			for o.at < len(o.choices)-1 && !d.fits(i, o.choices[o.at]) {
				o.at++
				changed = true
			}
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
	changed := map[*openColumn]bool{}
	next := func(i int, ownDomain bool) {
		root := d.root(i)
		o := d.open[root]
		if o == nil || changed[o] {
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
		changed[o] = true
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

// file writes the draft; without comments, and several columns to a line, where
// it would be larger than a rules file may be.
func (d *draft) file(head string) []byte {
	d.compact = false
	text := d.write(head)
	if len(text) > document.MaxBytes {
		d.compact = true
		text = d.write(head)
	}
	return text
}

func (d *draft) write(head string) []byte {
	var out strings.Builder
	out.WriteString(head)
	out.WriteString("version: 1\n")
	if len(d.defaults) > 0 {
		out.WriteString("\n# For every table; the first that matches decides. A column that none matches and no line names stops the run.\ndefaults:\n")
		for _, text := range d.defaultOrder() {
			out.WriteString("  - " + text + "\n")
		}
	}
	if len(d.open) == 0 {
		out.WriteString("\ntables: {}\n")
		return []byte(out.String())
	}
	out.WriteString("\ntables:\n")
	first := true
	for k, t := range d.graph.tables {
		if d.table(&out, k, t, first) {
			first = false
		}
	}
	return []byte(out.String())
}

// A tableDraft is what the draft says of one table.
type tableDraft struct {
	masked   []string            // whole lines
	rules    []string            // of kept columns, as written, in order
	columns  map[string][]string // by rule
	comments []string            // what is decided elsewhere
}

func (d *draft) gather(k int, t *schema.Table) tableDraft {
	out := tableDraft{columns: map[string][]string{}}
	var defaults, generated []string
	for j := range t.Columns {
		i := d.graph.first[k] + j
		name := schema.Ident(t.Columns[j].Name)
		rule := d.chosen(i)
		switch to, follows := d.followed[i]; {
		case rule != nil && rule.mask != "" && !d.compact:
			out.masked = append(out.masked, maskLine(yamlText(name), rule))
		case rule != nil:
			text := rule.yaml()
			if out.columns[text] == nil {
				out.rules = append(out.rules, text)
			}
			out.columns[text] = append(out.columns[text], name)
		case follows:
			out.comments = append(out.comments, fmt.Sprintf("%s follows %s", name, d.graph.columns[to].name()))
		case d.byDefaults[i]:
			defaults = append(defaults, name)
		case t.Columns[j].Generated:
			generated = append(generated, name)
		}
	}
	if len(defaults) > 0 {
		out.comments = append([]string{"by the defaults: " + strings.Join(defaults, ", ")}, out.comments...)
	}
	if len(generated) > 0 {
		out.comments = append(out.comments, "generated by the database: "+strings.Join(generated, ", "))
	}
	if !d.useDefaults || d.compact {
		out.comments = nil // the file names what is open, not the whole schema
	}
	return out
}

// table writes one table: what is decided elsewhere as comments, then masked
// columns, then kept ones. It tells whether there was anything to say.
func (d *draft) table(out *strings.Builder, k int, t *schema.Table, first bool) bool {
	g := d.gather(k, t)
	lines := len(g.masked) + len(g.rules)
	if lines == 0 && len(g.comments) == 0 {
		return false
	}
	if !first {
		out.WriteString("\n")
	}
	if lines == 0 {
		fmt.Fprintf(out, "  # %s: nothing to decide here\n", printable(t.Name.String()))
	} else {
		fmt.Fprintf(out, "  %s:\n", yamlText(t.Name.String()))
	}
	for _, c := range g.comments {
		out.WriteString("    # " + printable(c) + "\n")
	}
	if lines == 0 {
		return true
	}
	out.WriteString("    columns:\n")
	for _, line := range g.masked {
		out.WriteString("      " + line + "\n")
	}
	for _, rule := range g.rules {
		fmt.Fprintf(out, "      %s: %s\n", yamlText(strings.Join(g.columns[rule], ", ")), rule)
	}
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
