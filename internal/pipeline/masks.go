package pipeline

import (
	"errors"
	"slices"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/jsondoc"
	"understudy/internal/mask"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// makeMasks makes the masks of every loaded column, fitted to both sides.
func (s *Session) makeMasks() []finding.Finding {
	w := s.work
	var out []finding.Finding
	limits := s.domainLimits()
	for _, d := range w.binding.Decisions {
		shape := w.shape.Table(d.Table)
		if d.Outcome != rules.Mask && d.Outcome != rules.ByPath || shape == nil || shape.Fate != plan.Copied {
			continue
		}
		index := slices.Index(shape.Columns, d.Column)
		if index < 0 {
			continue
		}
		d = s.fitted(d, limits)
		c, bad := maskOf(s.in.Key, d)
		if len(bad) > 0 {
			out = append(out, bad...)
			continue
		}
		c.index, c.there, c.made = index, s.there(d), madeWith(d)
		c.rounded = c.there.Kind == schema.Timestamp && c.there.Type != s.work.scope.Table(d.Table).Column(d.Column).Type
		if c.document != nil {
			c.document.limit = s.lengthOf(d)
		}
		w.masks[d.Table] = append(w.masks[d.Table], c)
	}
	for _, cols := range w.masks {
		slices.SortFunc(cols, func(a, b maskedColumn) int { return a.index - b.index })
	}
	return out
}

// Fits tells what stands against the masks of a decision, which are made with a
// throwaway key: whether a mask fits does not depend on the key.
func Fits(key mask.Key, d rules.Decision) []finding.Finding {
	_, bad := maskOf(key, d)
	return bad
}

// maskOf makes what masks a column; nothing for a column that is not masked.
func maskOf(key mask.Key, d rules.Decision) (maskedColumn, []finding.Finding) {
	c := maskedColumn{name: d.Column, each: d.Each}
	var bad []finding.Finding
	refuse := func(at finding.At, err error) {
		bad = append(bad, finding.Finding{Check: "mask", Severity: finding.Error, At: at, Table: d.Table.String(), Column: d.Column, Code: int(fault.Usage),
			Message: err.Error(), Hint: Remedy(err)})
	}
	switch d.Outcome {
	case rules.Mask:
		m, err := mask.New(key, d.Spec, d.Limits)
		if err != nil {
			refuse(d.At, err)
			if blame := mask.Blame(key, d.Spec, d.Limits); blame != "" {
				bad[len(bad)-1].Message += " (" + blame + ", with which it shares its fakes)"
			}
		}
		c.mask = m
	case rules.ByPath:
		c.document = &documentMask{stop: d.Documents.Others == rules.StopOthers}
		var list []jsondoc.Rule
		for _, p := range d.Documents.Paths {
			r := jsondoc.Rule{Path: p.Path, Fate: fateOf(p), Number: len(c.document.paths)}
			if r.Fate == jsondoc.Mask {
				m, err := pathMaskOf(key, p)
				if err != nil {
					refuse(p.At, err)
				}
				c.document.paths = append(c.document.paths, m)
			}
			list = append(list, r)
		}
		c.document.tree = jsondoc.NewTree(list, othersOf(d.Documents.Others))
	}
	return c, bad
}

// fateOf tells what becomes of a path. Neutral values and null are no masks
// there: they are for containers as well.
func fateOf(p rules.PathDecision) jsondoc.Fate {
	switch {
	case p.Outcome == rules.Keep:
		return jsondoc.Keep
	case p.Spec.Mask == "redact":
		return jsondoc.Redact
	case p.Spec.Mask == "nullify":
		return jsondoc.Nullify
	}
	return jsondoc.Mask
}

func othersOf(o rules.Others) jsondoc.Others {
	switch o {
	case rules.DropOthers:
		return jsondoc.DropOthers
	case rules.StopOthers:
		return jsondoc.StopOthers
	}
	return jsondoc.RedactOthers
}

// mostDecimals is how many places decimals are told apart by.
const mostDecimals = 18

// pathMaskOf makes the masks of one path, one for each type of scalar that it
// can be made for. The error is that of the first type where there is none.
func pathMaskOf(key mask.Key, p rules.PathDecision) (pathMask, error) {
	out := pathMask{path: p.Path.String(), name: p.Spec.Mask}
	var first error
	made := func(l mask.Limits) *mask.Mask {
		m, err := mask.New(key, p.Spec, l)
		if err != nil && first == nil {
			first = err
		}
		return m
	}
	for _, l := range p.Limits {
		switch l.Kind {
		case schema.Text:
			out.text = made(l)
		case schema.Integer:
			out.integer = made(l)
		case schema.Boolean:
			out.boolean = made(l)
		case schema.Decimal:
			scales := []int{l.Scale}
			if l.Scale < 0 {
				scales = nil
				for n := range mostDecimals + 1 {
					scales = append(scales, n)
				}
			}
			for _, n := range scales {
				l.Scale = n
				if m := made(l); m != nil {
					out.decimal = append(out.decimal, m)
				}
			}
		}
	}
	if len(out.all()) > 0 {
		return out, nil
	}
	return out, first
}

// Remedy is what mends a mask that was refused.
func Remedy(err error) string {
	var r *mask.Refusal
	if errors.As(err, &r) && r.Hint != "" {
		return r.Hint
	}
	return "choose a mask or parameters that fit; `understudy rules list masks` tells what each can"
}

// shared names the columns whose fakes come from one function and must fit all
// of them: one domain, one mask, one kind of type.
type shared struct {
	domain, mask string
	kind         schema.Kind
}

func sharedBy(d rules.Decision) shared { return shared{d.Spec.Domain, d.Spec.Mask, d.Limits.Kind} }

// fitted gives a decision with the limits of its domains on both sides.
func (s *Session) fitted(d rules.Decision, limits map[shared]mask.Limits) rules.Decision {
	if d.Outcome == rules.ByPath {
		documents := *d.Documents
		documents.Paths = slices.Clone(documents.Paths)
		for i := range documents.Paths {
			p := &documents.Paths[i]
			p.Limits = slices.Clone(p.Limits)
			for j, l := range p.Limits {
				if fit, ok := limits[shared{p.Spec.Domain, p.Spec.Mask, l.Kind}]; ok {
					p.Limits[j] = fit
				}
			}
		}
		d.Documents = &documents
		return d
	}
	fit := limits[sharedBy(d)]
	if kind, ok := mask.Lookup(d.Spec.Mask); ok && kind.Family == "shape" {
		unique := d.Limits.Unique || s.work.viewed[s.viewedAs(d)] != ""
		fit.NotNull, fit.Unique, fit.Rows = d.Limits.NotNull || s.neededThere(d), unique, d.Limits.Rows
		fit.NullsEqual, fit.Overlap = d.Limits.NullsEqual, d.Limits.Overlap
	}
	fit.Type = d.Limits.Type
	c := s.work.scope.Table(d.Table).Column(d.Column)
	fit = fit.Beyond(mask.Limits{Length: c.Length, Min: c.Min, Max: c.Max, Unique: fit.Unique && d.Limits.UniqueOf == "" && d.Limits.Unique})
	if c := s.columnThere(d); c != nil {
		fit = fit.Beyond(mask.Limits{Length: c.Length, Min: c.Min, Max: c.Max, Unique: s.uniqueThere(d)})
	}
	d.Limits = fit
	return d
}

// there is a column as the target has it, or will have it where the structure
// comes from the source.
func (s *Session) there(d rules.Decision) *schema.Column {
	if c := s.columnThere(d); c != nil && !s.work.shape.FromSource {
		return c
	}
	return s.work.scope.Table(d.Table).Column(d.Column)
}

// columnThere gives the target's column; nil if it has none.
func (s *Session) columnThere(d rules.Decision) *schema.Column {
	if t := s.work.target.Table(s.work.shape.TargetName(d.Table)); t != nil {
		return t.Column(d.Column)
	}
	return nil
}

// uniqueThere tells whether a key of the target makes the column unique by itself.
func (s *Session) uniqueThere(d rules.Decision) bool {
	t := s.work.target.Table(s.work.shape.TargetName(d.Table))
	return t != nil && slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return !k.Expression && len(k.Columns) == 1 && k.Columns[0] == d.Column })
}

// neededThere tells whether the target's column is NOT NULL.
func (s *Session) neededThere(d rules.Decision) bool {
	c := s.columnThere(d)
	return c != nil && c.NotNull
}

// lengthOf gives the length of a column of documents, the shorter of both sides; 0 for none.
func (s *Session) lengthOf(d rules.Decision) int {
	length := s.work.source.Table(d.Table).Column(d.Column).Length
	if c := s.columnThere(d); c != nil && c.Length > 0 && (length == 0 || c.Length < length) {
		length = c.Length
	}
	return length
}

// domainLimits narrows the limits of each domain by the target's columns, where
// they are narrower than the source's. Documents have no limits of their own.
func (s *Session) domainLimits() map[shared]mask.Limits {
	out := map[shared]mask.Limits{}
	for _, d := range s.work.binding.Decisions {
		if d.Outcome != rules.Mask {
			continue
		}
		l, ok := out[sharedBy(d)]
		if !ok {
			l = d.Limits.Otherwise(d.Table.String() + "." + schema.Ident(d.Column))
		}
		if c := s.columnThere(d); c != nil {
			there := mask.Limits{Kind: d.Limits.Kind, Length: c.Length, Min: c.Min, Max: c.Max, Scale: c.Scale, NotNull: c.NotNull, Unique: s.uniqueThere(d)}.Named("the target's " + s.work.shape.TargetName(d.Table).String() + "." + schema.Ident(d.Column))
			if there.Unique && d.Each {
				there.Rows = rules.ManyElements
			}
			l = l.Intersect(there)
		}
		if view := s.work.viewed[s.viewedAs(d)]; view != "" {
			there := d.Limits
			if there.Unique = true; d.Each {
				there.Rows = rules.ManyElements
			}
			l = l.Intersect(there.Named(view))
		}
		out[sharedBy(d)] = l
	}
	return out
}
