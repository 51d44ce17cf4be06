package rules

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"understudy/internal/document"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// Propose drafts a rules file that decides every column of s by its name and
// type: what may tell of a person is masked, and what is kept says that its
// reason is a proposal to review. Foreign keys are left to propagation. The
// draft parses and binds on s without a finding. It is a beginning for a
// reviewer, not a judgement.
func Propose(s *schema.Schema, told Beforehand) []byte {
	d := newDraft(s)
	d.classifier.told = told
	d.useDefaults = true
	d.countEvents()
	d.consider(func(int) bool { return true }, nil)
	d.settle()
	return d.file(draftHead)
}

// Beforehand is what a database tells, without a row of it being read, of what a
// draft would propose. The empty one tells nothing.
type Beforehand struct {
	// Made lists, by table, the columns of which the database makes what a unique key compares.
	Made map[schema.Name][]string
	// Unfit lists, by table, the columns whose checks refuse what redact writes.
	Unfit map[schema.Name][]string
}

// Neutral gives what the mask redact writes into a column; false where it does not
// take the column's type.
func Neutral(t *schema.Table, c *schema.Column) (string, bool) {
	limits := limitsOf(t, c)
	limits.Type, limits.Unique, limits.NullsEqual = c.Type, false, false
	key, _, err := mask.NewKey() // any: it writes the same under all
	if err != nil {
		return "", false
	}
	m, err := mask.New(key, mask.Spec{Mask: "redact", Domain: c.Name}, limits)
	if err != nil {
		return "", false
	}
	text, null, err := m.Worker().Append(nil, []byte("x"))
	return string(text), err == nil && !null
}

const draftHead = `# A draft, made from names and types alone: no row was looked at. Every line is a
# proposal. Masked columns: does the mask fit what the column is for? Kept
# columns: can anybody be known by them? Write the reason you find in place of
# the one that begins with "review:".
`

// UndecidedColumns gives a finding with exit code 3 for each column that nothing
// decides, and a rules file, ready to save, that would decide them
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
			found = append(found, d.undecided(i, b))
		}
	}
	finding.Sort(found)
	return found, string(d.file("# Columns that no rule decides yet, as proposals by name and type. Review each.\n"))
}

// proposed begins the reasons of a draft that nobody has looked at.
const proposed = "review:"

// Overdue is the check of findings about reviews whose day has passed.
const Overdue = "review-overdue"

// Doubts tells a reviewer of what was kept and wants a second look: columns and paths
// that by their names hold what the draft would mask, reasons that are still the
// draft's own, and reviews that are overdue today.
func Doubts(b *Binding, s *schema.Schema, today time.Time) (out []finding.Finding) {
	c := newClassifier()
	still, first := 0, Decision{}
	day := today.UTC().Format(time.DateOnly)
	for _, d := range b.Decisions {
		t := s.Table(d.Table)
		if t == nil || t.Column(d.Column) == nil {
			continue
		}
		what := d.Table.String() + "." + schema.Ident(d.Column)
		doubt := func(check string, at finding.At, hint, format string, args ...any) {
			out = append(out, finding.Finding{Check: check, Severity: finding.Warning, At: at, Table: d.Table.String(), Column: d.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
		}
		overdue := func(what, by string, at finding.At) {
			if by != "" && by < day { // days in this form are in the order of their text
				doubt(Overdue, at, "review it, and write the next day: review_by", "%s was to be reviewed by %s", what, by)
			}
		}
		overdue(what, d.ReviewBy, d.At)
		if d.Documents != nil {
			for _, p := range d.Documents.Paths {
				overdue(what+", "+p.Path.String(), p.ReviewBy, p.At)
				if p.Outcome != Keep {
					continue
				}
				if strings.HasPrefix(p.Reason, proposed) {
					if still++; still == 1 {
						first = d
					}
				}
				if len(p.Path) == 0 || p.Path[len(p.Path)-1].Kind == jsondoc.Members {
					doubt("kept-whatever-comes", p.At, "name the members that may be kept, and leave the rest to `others`", "%s, %s is kept (%q), and with it every member that documents hold there today or tomorrow", what, p.Path, p.Reason)
					continue
				}
				value := &schema.Column{Kind: schema.Text}
				for _, step := range p.Path {
					if step.Kind == jsondoc.Member { // the last one tells what is kept, in lists too
						value.Name = step.Name
					}
				}
				if rule := c.byName(t, value); rule != nil && rule.mask != "" {
					doubt("kept-by-name", p.At, "if it does: `{mask: "+rule.mask+"}`", "%s, %s is kept (%q), and by its name it tells of a person", what, p.Path, p.Reason)
				}
			}
		}
		if d.Outcome != Keep {
			continue
		}
		if strings.HasPrefix(d.Reason, proposed) {
			if still++; still == 1 {
				first = d
			}
		}
		col := t.Column(d.Column)
		if rule := c.byName(t, col); c.isFixedSet(t, col) && (rule == nil || rule.class != "special_category") { // few words tell nobody who is who, but these of what people are
			continue
		}
		if rule := c.byName(t, col); rule != nil && rule.mask != "" {
			doubt("kept-by-name", d.At, "if it does: `"+document.Name(schema.Ident(d.Column))+": "+rule.yaml()+"`", "%s is kept (%q), and by its name it tells of a person", what, d.Reason)
		}
	}
	if still > 0 {
		out = append(out, finding.Finding{Check: "reasons-proposed", Severity: finding.Warning, At: first.At, Table: first.Table.String(), Column: first.Column,
			Message: fmt.Sprintf("%d decisions to keep have a reason that a draft proposed (%q) and nobody has put in words since", still, proposed),
			Hint:    "say why each may be kept, in place of the proposal"})
	}
	return out
}

func (d *draft) undecided(i int, decided *Binding) finding.Finding {
	n := &d.graph.columns[i]
	f := finding.Finding{Check: "undecided", Severity: finding.Error, Code: int(fault.Undecided),
		Table: n.table.Name.String(), Column: n.column.Name,
		Message: fmt.Sprintf("no rule decides %s (%s)", n.name(), typeWords(n.column))}
	if rule := d.chosen(i); rule != nil {
		f.Hint = fmt.Sprintf("under %s, columns: write `%s: %s`, or keep it with a reason", n.table.Name, document.Name(schema.Ident(n.column.Name)), rule.yaml())
		if rule.mask == "" {
			f.Hint = fmt.Sprintf("under %s, columns: write `%s: %s` with the reason that you find, or mask it", n.table.Name, document.Name(schema.Ident(n.column.Name)), rule.yaml())
		}
	} else {
		if len(n.follows) > 0 {
			f.Hint = "it follows " + d.graph.columns[n.follows[0].to].name() + ": decide that one"
		}
		for _, e := range n.follows {
			if to := &d.graph.columns[e.to]; e.declared && decided.keeps(to.table.Name, to.column.Name) {
				f.Hint = fmt.Sprintf("that %s is kept is not taken over, for only the job says that this one references it: mask both, or keep this one with a reason of its own", to.name())
			}
		}
	}
	return f
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
			out.masked = append(out.masked, maskLine(document.Name(name), rule))
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
		fmt.Fprintf(out, "  %s:\n", document.Name(t.Name.String()))
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
		for _, key := range keysOf(g.columns[rule]) {
			fmt.Fprintf(out, "      %s: %s\n", key, rule)
		}
	}
	return true
}

// longestKey is how long a key that names columns grows: YAML 1.2 (section 7.4.2)
// takes none of more than 1024 characters.
const longestKey = 900

// keysOf names columns in as few keys as YAML allows.
func keysOf(columns []string) (keys []string) {
	from := 0
	for i := range columns {
		if i > from && len(document.Name(strings.Join(columns[from:i+1], ", "))) > longestKey {
			keys = append(keys, document.Name(strings.Join(columns[from:i], ", ")))
			from = i
		}
	}
	return append(keys, document.Name(strings.Join(columns[from:], ", ")))
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
		return "{keep: " + document.Quoted(r.keep) + "}"
	}
	if r.class == "" && r.domain == "" && r.param == "" {
		return r.mask
	}
	out := "{mask: " + r.mask
	if r.param != "" {
		out += ", " + r.param + ": " + document.Quoted(r.value)
	}
	if r.class != "" {
		out += ", class: " + r.class
	}
	if r.domain != "" {
		out += ", domain: " + document.Quoted(r.domain)
	}
	return out + "}"
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
