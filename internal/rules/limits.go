package rules

import (
	"fmt"
	"slices"
	"strings"

	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/schema"
)

// checkKinds reports masks that cannot take the type of a column they decide.
func (b *binder) checkKinds() {
	for i := range b.chosen {
		c := &b.chosen[i]
		n := &b.graph.columns[i]
		if c.rule != nil && !c.broken && c.rule.Outcome == ByPath {
			b.checkDocuments(i)
		}
		if c.rule == nil || c.broken || c.rule.Outcome != Mask || b.takes(c.rule.Mask, n.column) {
			continue
		}
		message := fmt.Sprintf("mask %s takes %s, and %s is %s", c.rule.Mask, kindWords(b.kinds[c.rule.Mask].Accepts), n.name(), typeWords(n.column))
		if c.via >= 0 {
			message += fmt.Sprintf(" and %s %s", verb(c.by), b.graph.columns[c.via].name())
		}
		b.report(finding.Finding{Check: checkType, At: c.rule.At, Table: n.table.Name.String(), Column: n.column.Name,
			Message: message, Hint: b.masksFor(n.column)})
		c.broken = true
	}
}

// takes tells whether a mask takes a column's values: as they are, or as arrays
// whose elements it takes.
func (b *binder) takes(name string, c *schema.Column) bool {
	return slices.Contains(b.kinds[name].Accepts, b.kindFor(name, c))
}

// kindFor gives the kind of what a mask is handed of a column: the elements of
// arrays, one by one, unless it takes arrays as they are.
func (b *binder) kindFor(name string, c *schema.Column) schema.Kind {
	if c.Kind == schema.Array && c.Element != "" && !slices.Contains(b.kinds[name].Accepts, schema.Array) {
		return c.Element
	}
	return c.Kind
}

func kindWords(kinds []schema.Kind) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = string(k)
	}
	return strings.Join(out, ", ")
}

// typeWords gives a column's type, with its kind where the type does not say it.
func typeWords(c *schema.Column) string {
	if strings.EqualFold(c.Type, string(c.Kind)) || c.Type == "" {
		return string(c.Kind)
	}
	if c.Element != "" {
		return c.Type + " (" + string(c.Kind) + " of " + string(c.Element) + ")"
	}
	return c.Type + " (" + string(c.Kind) + ")"
}

func (b *binder) masksFor(c *schema.Column) string {
	var names []string
	for _, m := range mask.Kinds() {
		if b.takes(m.Name, c) {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("no mask takes %s yet: keep it with a reason", c.Kind)
	}
	return fmt.Sprintf("masks for %s: %s", c.Kind, strings.Join(names, ", "))
}

// binding turns choices into decisions, with domains and limits.
func (b *binder) binding() *Binding {
	out := &Binding{Decisions: make([]Decision, len(b.chosen))}
	for i := range b.chosen {
		out.Decisions[i] = b.decision(i)
	}
	b.setDomains(out)
	b.setLimits(out)
	return out
}

func (b *binder) decision(i int) Decision {
	n, c := &b.graph.columns[i], b.chosen[i]
	d := Decision{Table: n.table.Name, Column: n.column.Name, Outcome: Undecided}
	if n.column.Generated {
		d.Outcome = Derived
		return d
	}
	if c.via >= 0 {
		d.Via, d.By = b.graph.columns[c.via].name(), c.by
	}
	if c.rule == nil {
		return d
	}
	d.By, d.At, d.ReviewedBy, d.ReviewBy = c.by, c.rule.At, c.rule.ReviewedBy, c.rule.ReviewBy
	switch c.rule.Outcome {
	case Keep:
		d.Outcome, d.Reason = Keep, c.rule.Reason
	case Mask:
		d.Outcome, d.Spec = Mask, b.spec(c.rule)
		d.Each = n.column.Kind == schema.Array && b.kindFor(c.rule.Mask, n.column) != schema.Array
	case ByPath:
		d.Outcome, d.Documents, d.Each = ByPath, b.bindDocuments(c.rule.Documents), n.column.Kind == schema.Array
	default:
		d.Outcome = Keep // a broken rule: its finding stops the run
	}
	return d
}

func (b *binder) spec(r *Rule) mask.Spec {
	out := mask.Spec{Mask: r.Mask, Params: r.Params, Domain: r.Domain, Class: r.Class, Fold: r.Fold}
	if out.Class == "" {
		out.Class = b.kinds[r.Mask].Class
	}
	return out
}

// setDomains names the domain of each masked column: the rule's; for columns
// tied by references that of their component, named after its referenced end;
// else the class; else the column. Names leave the schema out, because it is
// "public" on one engine and "main" on another and fakes are the same on all.
func (b *binder) setDomains(out *Binding) {
	_, components := b.graph.components()
	for _, members := range components {
		b.nameDocumentDomains(members, out)
		var masked []int
		for _, i := range members {
			if out.Decisions[i].Outcome == Mask {
				masked = append(masked, i)
			}
		}
		if len(masked) == 0 {
			continue
		}
		domain := b.domainOf(masked, out)
		fold := slices.ContainsFunc(masked, func(i int) bool { return out.Decisions[i].Spec.Fold })
		for _, i := range masked {
			d := &out.Decisions[i]
			if d.Spec.Domain == "" {
				d.Spec.Domain = domain
			}
			d.Spec.Fold = d.Spec.Fold || fold
		}
		b.checkComponent(masked, out)
	}
}

func (b *binder) domainOf(masked []int, out *Binding) string {
	end, tied := -1, false
	for _, i := range masked {
		if d := out.Decisions[i].Spec.Domain; d != "" {
			return d
		}
		tied = tied || b.graph.columns[i].tied
		if end < 0 && b.graph.isEnd(i, masked) {
			end = i
		}
	}
	if class := out.Decisions[end].Spec.Class; class != "" && !tied {
		return class
	}
	n := &b.graph.columns[end]
	return schema.Ident(n.table.Name.Table) + "." + schema.Ident(n.column.Name)
}

// checkComponent reports references between masked columns of different kinds:
// their fakes could not be promised to be equal.
func (b *binder) checkComponent(masked []int, out *Binding) {
	for _, i := range masked {
		n := &b.graph.columns[i]
		for _, e := range n.follows {
			to := &b.graph.columns[e.to]
			if sameUUIDs(n.column, to.column, &out.Decisions[i], &out.Decisions[e.to]) {
				continue
			}
			if out.Decisions[e.to].Outcome == Mask && (n.column.Kind != to.column.Kind || n.column.Element != to.column.Element) && !b.chosen[i].broken && !b.chosen[e.to].broken {
				b.report(finding.Finding{Check: checkType, At: out.Decisions[i].At, Table: n.table.Name.String(), Column: n.column.Name,
					Message: fmt.Sprintf("%s is %s and %s %s, which is %s: their fakes would not be equal",
						n.name(), typeWords(n.column), verb(e.by), to.name(), typeWords(to.column)),
					Hint: "keep both with a reason, or give both columns one type"})
			}
		}
	}
}

// sameUUIDs tells a reference between a UUID and a text that writes one: the mask
// of UUIDs gives both the same fake.
func sameUUIDs(a, b *schema.Column, of, to *Decision) bool {
	either := a.Kind == schema.Text && b.Kind == schema.UUID || a.Kind == schema.UUID && b.Kind == schema.Text
	return either && of.Outcome == Mask && to.Outcome == Mask && of.Spec.Mask == "uuid" && to.Spec.Mask == "uuid"
}

// A shared names the columns whose fakes come from one function: one domain,
// one mask, one kind of type.
type shared struct {
	domain, mask string
	kind         schema.Kind
}

// ManyElements is how many different elements arrays are taken to hold, since
// nobody has counted them: as many as the longest tags are good for.
const ManyElements = 1_500_000_000

// setLimits intersects what the columns of a domain demand.
func (b *binder) setLimits(out *Binding) {
	limits, folds := map[shared]mask.Limits{}, map[string]folding{}
	key := func(i int) shared {
		d := &out.Decisions[i]
		return shared{d.Spec.Domain, d.Spec.Mask, b.kindFor(d.Spec.Mask, b.graph.columns[i].column)}
	}
	add := func(k shared, own mask.Limits) {
		if have, ok := limits[k]; ok {
			labels := have.Labels
			if len(own.Labels) > 0 {
				labels = common(labels, own.Labels)
			}
			own = have.Intersect(own)
			own.Labels = labels
		}
		limits[k] = own
	}
	for i := range out.Decisions {
		d := &out.Decisions[i]
		for _, p := range d.masked() {
			folds[p.Spec.Domain] = folds[p.Spec.Domain].with(p.Spec.Fold, schema.FoldLetters)
			for _, own := range p.Limits {
				add(shared{p.Spec.Domain, p.Spec.Mask, own.Kind}, own)
			}
		}
		if d.Outcome != Mask {
			continue
		}
		own := limitsOf(b.graph.columns[i].table, b.graph.columns[i].column)
		if own.Kind = key(i).kind; d.Each && own.Unique {
			own.Rows = ManyElements
		}
		c := b.graph.columns[i].column
		folds[d.Spec.Domain] = folds[d.Spec.Domain].with(d.Spec.Fold, schema.FoldLetters).with(c.FoldCase, c.Folding)
		add(key(i), own.Named(b.graph.columns[i].name()))
	}
	for i := range out.Decisions {
		for _, p := range out.Decisions[i].masked() {
			folds[p.Spec.Domain].set(&p.Spec)
			for j := range p.Limits {
				p.Limits[j] = limits[shared{p.Spec.Domain, p.Spec.Mask, p.Limits[j].Kind}]
			}
		}
		if d := &out.Decisions[i]; d.Outcome == Mask {
			d.Limits = limits[key(i)].Beyond(limitsOf(b.graph.columns[i].table, b.graph.columns[i].column))
			d.Limits.Type = b.graph.columns[i].column.Type
			if kind, ok := mask.Lookup(d.Spec.Mask); ok && kind.Family == "shape" { // no value is kept apart: what one column forbids is no concern of the others
				own := limitsOf(b.graph.columns[i].table, b.graph.columns[i].column)
				d.Limits.NotNull, d.Limits.Unique, d.Limits.Rows = own.NotNull, own.Unique, own.Rows
				d.Limits.NullsEqual, d.Limits.Overlap = own.NullsEqual, own.Overlap
			}
			folds[d.Spec.Domain].set(&d.Spec)
		}
	}
}

// A folding is whether a domain folds case, and how: as all its columns and rules together ask for.
type folding struct {
	folds bool
	how   schema.Folding
}

func (f folding) with(folds bool, how schema.Folding) folding {
	switch {
	case !folds:
		return f
	case f.folds:
		how = f.how.With(how)
	}
	return folding{true, how}
}

func (f folding) set(s *mask.Spec) { s.Fold, s.Folding = f.folds, f.how }

func common(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	out := []string{}
	for _, l := range a {
		if slices.Contains(b, l) {
			out = append(out, l)
		}
	}
	return out
}

// limitsOf gives what one column demands of its fakes.
func limitsOf(t *schema.Table, c *schema.Column) mask.Limits {
	return mask.Limits{
		Kind: c.Kind, Length: c.Length, Min: c.Min, Max: c.Max, Scale: c.Scale,
		NotNull: c.NotNull, Labels: c.Labels, Rows: max(t.Rows, 0),
		Unique:     mustStayUnique(t, c),
		NullsEqual: slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return k.NullsEqual && slices.Contains(k.Columns, c.Name) }),
		Overlap:    slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return slices.Contains(k.Overlap, c.Name) }),
	}
}

// mustStayUnique tells whether two values of a masked column must never share a
// fake. That is so for a key of its own, and for a part of a composite key: two
// rows that differ in this part only must go on to differ. A composite key
// demands nothing when a smaller key, or a part whose values the database makes,
// tells its rows apart already.
func mustStayUnique(t *schema.Table, c *schema.Column) bool {
	return slices.ContainsFunc(t.Keys, func(k schema.Key) bool {
		return slices.Contains(k.Columns, c.Name) && (len(k.Columns) == 1 || !apartWithout(t, c, k))
	})
}

// apartWithout tells whether the other parts of a composite key identify its rows by themselves.
func apartWithout(t *schema.Table, c *schema.Column, key schema.Key) bool {
	others := slices.DeleteFunc(slices.Clone(key.Columns), func(name string) bool { return name == c.Name })
	for _, name := range others {
		if o := t.Column(name); o != nil && o.Surrogate {
			return true
		}
	}
	return slices.ContainsFunc(t.Keys, func(k schema.Key) bool {
		return k.Identifies() && !slices.ContainsFunc(k.Columns, func(name string) bool { return !slices.Contains(others, name) })
	})
}
