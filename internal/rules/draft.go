package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"understudy/internal/document"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

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
		if len(tied) > 1 && n.column.Kind == schema.Integer && o.choices[0].class == "special_category" { // numbers of a table of words, which redact would all make one
			o.choices = slices.DeleteFunc(o.choices, func(r draftRule) bool { return r.class == "special_category" })
		}
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
	return fmt.Sprintf(`{match: {type: timestamp, column: %s}, keep: "review: the time of an event"}`, document.Quoted(glob))
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
	case isSurrogate(n.table, n.column) && !d.classifier.tellsOfAPerson(n.table, n.column):
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
	if rule.mask == "redact" && slices.Contains(d.classifier.told.Unfit[n.table.Name], n.column.Name) {
		return false
	}
	spec := mask.Spec{Mask: rule.mask, Domain: n.name()}
	if rule.param != "" {
		spec.Params = map[string]string{rule.param: rule.value}
	}
	limits := limitsOf(n.table, n.column)
	if kind, ok := mask.Lookup(rule.mask); ok && limits.Kind == schema.Array && n.column.Element != "" && !slices.Contains(kind.Accepts, schema.Array) {
		limits.Kind = n.column.Element // it is handed the elements, one by one
	}
	return d.makes(spec, limits)
}

// makes tells whether a mask can be made. The number of rows is taken for
// unknown, so that a draft still holds when a table has grown, or where only the
// lock file, which counts nothing, is at hand.
func (d *draft) makes(spec mask.Spec, limits mask.Limits) bool {
	limits.Rows = 0
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
