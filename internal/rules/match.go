package rules

import (
	"slices"
	"strings"

	"understudy/internal/finding"
	"understudy/internal/schema"
)

// matches tells whether a default's match describes a column.
func (b *binder) matches(m Match, t *schema.Table, c *schema.Column) bool {
	return glob(m.Schema, t.Name.Schema) &&
		glob(m.Table, t.Name.Table) &&
		glob(m.Column, c.Name) &&
		(m.Type == "" || m.Type == c.Kind) &&
		(m.Key == "" || hasKey(b.schema, t, c, m.Key))
}

// glob tells whether name matches a pattern of * (any run) and ? (one
// character), capital and small letters alike. The empty pattern matches all.
func glob(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	p, s := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(name))
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// hasKey tells whether a column is a key in the sense of a match.
func hasKey(s *schema.Schema, t *schema.Table, c *schema.Column, word string) bool {
	switch word {
	case "surrogate":
		return isSurrogate(t, c)
	case "primary":
		return slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return k.Primary && slices.Contains(k.Columns, c.Name) })
	case "unique":
		return slices.ContainsFunc(t.Keys, func(k schema.Key) bool { return !k.Primary && slices.Contains(k.Columns, c.Name) })
	case "foreign":
		return slices.ContainsFunc(s.References, func(r schema.Reference) bool {
			return r.From == t.Name && slices.Contains(r.Columns, c.Name)
		})
	}
	return false
}

// isSurrogate: a single integer or uuid key whose values the database makes.
func isSurrogate(t *schema.Table, c *schema.Column) bool {
	if !c.Surrogate || c.Kind != schema.Integer && c.Kind != schema.UUID {
		return false
	}
	return slices.ContainsFunc(t.Keys, func(k schema.Key) bool {
		return len(k.Columns) == 1 && k.Columns[0] == c.Name && !k.Partial && !k.Expression
	})
}

// unusedDefaults warns of defaults that describe no column at all, not even one
// of a table that takes no decision. They are no errors, so that several schemas
// can share a file of defaults.
func (b *binder) unusedDefaults() {
	for _, f := range b.files {
		for k := range f.Defaults {
			d := &f.Defaults[k]
			if b.used[d] || b.describesAny(d.Match) {
				continue
			}
			b.report(finding.Finding{Check: checkUnused, Severity: finding.Warning, At: d.At,
				Message: "this default matches no column", Hint: b.nearestMatch(d.Match)})
		}
	}
}

func (b *binder) describesAny(m Match) bool {
	return slices.ContainsFunc(b.schema.Tables, func(t schema.Table) bool {
		return slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return b.matches(m, &t, &c) })
	})
}

// nearestMatch helps with a misspelt word in a glob.
func (b *binder) nearestMatch(m Match) string {
	if m.Column == "" {
		return ""
	}
	var known []string
	for i := range b.graph.columns {
		known = append(known, b.graph.columns[i].column.Name)
	}
	if n := schema.Nearest(strings.Trim(m.Column, "*?"), known); n != "" {
		return "the nearest column is " + n
	}
	return ""
}
