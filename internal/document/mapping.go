package document

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"understudy/internal/finding"
	"understudy/internal/schema"
)

// An Entry is one key of a mapping and its value.
type Entry struct {
	Key   string
	KeyAt finding.At
	Value Value
	// bare: the key of a mapping in braces stands there without colon and value.
	bare bool
}

// A Mapping is a mapping's entries, in the file's order. Keys that already have
// a finding (duplicates, keys that are not text) are left out.
type Mapping struct {
	Value   Value
	Entries []Entry
}

// Map reads a mapping with any keys.
func (v Value) Map() (Mapping, bool) {
	if !v.usable() {
		return Mapping{}, false
	}
	if v.n.Kind != yaml.MappingNode {
		v.wrong("a mapping")
		return Mapping{}, false
	}
	m := Mapping{Value: v}
	for i := 0; i+1 < len(v.n.Content); i += 2 {
		k, c := v.n.Content[i], v.n.Content[i+1]
		if _, mended := v.r.written[place{k.Line, k.Column}]; mended || v.r.broken[k] || k.Kind != yaml.ScalarNode {
			continue
		}
		m.Entries = append(m.Entries, Entry{
			Key: k.Value, KeyAt: v.r.nodeAt(k),
			Value: Value{r: v.r, n: c, what: k.Value},
			bare:  v.n.Style&yaml.FlowStyle != 0 && c.Kind == yaml.ScalarNode && c.Tag == "!!null" && c.Value == "",
		})
	}
	return m, true
}

// Known reads a mapping whose keys are all known; others are reported.
func (v Value) Known(known ...string) (Mapping, bool) {
	m, ok := v.Map()
	if ok {
		m.Only(known...)
	}
	return m, ok
}

// Get gives the value under key; a missing Value if there is none.
func (m Mapping) Get(key string) Value {
	for _, e := range m.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return Value{r: m.Value.r}
}

// Entry gives the entry under key.
func (m Mapping) Entry(key string) (Entry, bool) {
	i := slices.IndexFunc(m.Entries, func(e Entry) bool { return e.Key == key })
	if i < 0 {
		return Entry{}, false
	}
	return m.Entries[i], true
}

// Need gives the value under key and reports when there is none.
func (m Mapping) Need(key, hint string) Value {
	v := m.Get(key)
	if v.Missing() && m.Value.n != nil {
		m.Value.Fail(hint, "%s lacks %s", m.Value.what, key)
	}
	return v
}

// Called gives the mapping's value another name in findings.
func (v Value) Called(what string) Value { v.what = what; return v }

// Only reports the keys that are not among known. An unknown key is named only
// when it is a near miss: otherwise it may be anything, a pasted key included.
func (m Mapping) Only(known ...string) {
	for _, e := range m.Entries {
		if slices.Contains(known, e.Key) {
			continue
		}
		m.unknown(e, known)
	}
}

func (m Mapping) unknown(e Entry, known []string) {
	r := m.Value.r
	near := schema.Nearest(e.Key, known)
	switch home := r.homes[e.Key]; {
	case home != "" && near == "" && !e.bare:
		r.Report(e.KeyAt, CheckStructure, "write it "+home, "%s does not belong in %s", e.Key, m.Value.what)
	case e.bare && near == "":
		r.Report(e.KeyAt, CheckStructure, `put the whole text in double quotes: {keep: "this, and that"}`,
			"in braces an unquoted text ends at its comma, so what follows is taken for a key")
	case near != "":
		r.Report(e.KeyAt, CheckStructure, "did you mean "+near+"?", "unknown key %q", e.Key)
	default:
		r.Report(e.KeyAt, CheckStructure, "known here: "+strings.Join(known, ", "), "unknown key in %s", m.Value.what)
	}
}
