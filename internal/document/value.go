package document

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"understudy/internal/finding"
	"understudy/internal/schema"
)

// A Value is one value of the file with its place. The zero Value is missing.
// Its readers report a value of the wrong type and answer ok=false; they report
// nothing for a value that already has a finding. The readers of a missing
// value report nothing.
type Value struct {
	r    *Reader
	n    *yaml.Node
	what string // what to call it: the key it stands under
	need string // what mends that nothing is written; empty for the usual words
}

// Needing gives the value with a hint for when nothing is written there.
func (v Value) Needing(hint string) Value {
	v.need = hint
	return v
}

func (v Value) nothing() string { return cmp.Or(v.need, "write one, or leave the line out") }

// Missing tells that there is no such value.
func (v Value) Missing() bool { return v.n == nil }

// At gives the value's place.
func (v Value) At() finding.At {
	if v.n == nil {
		return finding.At{}
	}
	return v.r.nodeAt(v.n)
}

// What gives the words that findings use for the value: the key it stands under.
func (v Value) What() string { return v.what }

// Fail reports a mistake of structure at the value's place.
func (v Value) Fail(hint, format string, args ...any) {
	v.r.Report(v.At(), CheckStructure, hint, format, args...)
}

func (v Value) usable() bool { return v.n != nil && !v.r.broken[v.n] }

func (v Value) wrong(expected string) {
	if v.n.Kind == yaml.ScalarNode && v.n.Tag == "!!null" {
		v.Fail(v.nothing(), "%s needs a value: %s", v.what, expected)
		return
	}
	v.Fail(v.remedy(expected), "%s must be %s, not %s", v.what, expected, form(v.n))
}

// remedy tells how what was expected is written.
func (v Value) remedy(expected string) string {
	switch expected {
	case "text":
		if v.n.Kind == yaml.ScalarNode {
			return "put it in double quotes"
		}
		return "write one text on the line, in quotes if it holds a : or a #"
	case "a mapping":
		return "write {name: value}, or lines of `name: value` below it, indented"
	case "a list":
		return "write [one, two], or lines that begin with `- ` below it"
	case "true or false":
		return "write true or false, without quotes"
	case "a whole number", "a number":
		return "write it in digits, without quotes"
	}
	if strings.HasPrefix(expected, "a duration") {
		return "write a number and s, m, h or d"
	}
	return "write one value on the line"
}

func form(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!str":
		return "text"
	case "!!int":
		return "a whole number"
	case "!!float":
		return "a fraction"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "this"
}

func (v Value) scalar(tags ...string) (string, bool) {
	if !v.usable() {
		return "", false
	}
	if v.n.Kind != yaml.ScalarNode {
		return "", false
	}
	for _, t := range tags {
		if v.n.Tag == t {
			if w, ok := v.r.written[place{v.n.Line, v.n.Column}]; ok {
				return w, true
			}
			return v.n.Value, true
		}
	}
	return "", false
}

// Text reads text that is not empty and holds no control characters but line breaks and tabs.
func (v Value) Text() (string, bool) {
	s, ok := v.scalar("!!str")
	switch {
	case !ok:
		if v.usable() {
			v.wrong("text")
		}
		return "", false
	case strings.TrimSpace(s) == "":
		v.Fail(v.nothing(), "%s is empty", v.what)
		return "", false
	case strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }):
		// Reports and terminals show these texts.
		v.Fail("leave it out", "%s contains a control character", v.what)
		return "", false
	}
	return s, true
}

// Scalar reads text, a number, a date or true and false, as written.
func (v Value) Scalar() (string, bool) {
	s, ok := v.scalar("!!str", "!!int", "!!float", "!!bool", "!!timestamp")
	if !ok && v.usable() {
		v.wrong("one value")
	}
	return s, ok
}

// Bool reads true or false.
func (v Value) Bool() (value, ok bool) {
	s, ok := v.scalar("!!bool")
	if !ok {
		if v.usable() {
			v.wrong("true or false")
		}
		return false, false
	}
	return strings.EqualFold(s, "true"), true
}

// Int reads a whole number between low and high, inclusive.
func (v Value) Int(low, high int64) (int64, bool) {
	s, ok := v.scalar("!!int")
	if !ok {
		if v.usable() {
			v.wrong("a whole number")
		}
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil || n < low || n > high {
		v.Fail(fmt.Sprintf("write %d", min(max(n, low), high)), "%s must be %s", v.what, between(low, high))
		return 0, false
	}
	return n, true
}

func between(low, high int64) string {
	if high == math.MaxInt64 {
		return "a whole number of at least " + strconv.FormatInt(low, 10)
	}
	if high == low {
		return strconv.FormatInt(low, 10)
	}
	return "a whole number from " + strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10)
}

// Float reads a number greater than low and at most high.
func (v Value) Float(low, high float64) (float64, bool) {
	s, ok := v.scalar("!!int", "!!float")
	if !ok {
		if v.usable() {
			v.wrong("a number")
		}
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil || !(f > low && f <= high) {
		v.Fail("write a number in this range", "%s must be a number above %v and at most %v", v.what, low, high)
		return 0, false
	}
	return f, true
}

// Duration reads a time span above zero: Go's notation (90s, 2m, 1h30m) or days (30d).
func (v Value) Duration() (time.Duration, bool) {
	s, ok := v.scalar("!!str")
	if !ok {
		if v.usable() {
			v.wrong("a duration such as 30s, 10m or 2d")
		}
		return 0, false
	}
	d, err := time.ParseDuration(s)
	if days, found := strings.CutSuffix(s, "d"); found && err != nil {
		var n int64
		if n, err = strconv.ParseInt(days, 10, 32); err == nil {
			if n > 36500 {
				n = 0
			}
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || d <= 0 {
		v.Fail("write a number and s, m, h or d", "%s must be a duration such as 30s, 10m or 2d", v.what)
		return 0, false
	}
	return d, true
}

// Word reads one of known.
func (v Value) Word(known ...string) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	for _, k := range known {
		if s == k {
			return s, true
		}
	}
	hint := "write one of these words"
	if n := schema.Nearest(s, known); n != "" {
		hint = "did you mean " + n + "?"
	}
	v.Fail(hint, "%s must be one of %s", v.what, strings.Join(known, ", "))
	return "", false
}

// IsText tells whether the value is a text scalar, without reporting.
func (v Value) IsText() bool { _, ok := v.scalar("!!str"); return ok }

// IsMap tells whether the value is a mapping, without reporting.
func (v Value) IsMap() bool { return v.usable() && v.n.Kind == yaml.MappingNode }

// IsList tells whether the value is a list, without reporting.
func (v Value) IsList() bool { return v.usable() && v.n.Kind == yaml.SequenceNode }

// List reads the items of a list.
func (v Value) List() ([]Value, bool) {
	if !v.usable() {
		return nil, false
	}
	if v.n.Kind != yaml.SequenceNode {
		v.wrong("a list")
		return nil, false
	}
	out := make([]Value, len(v.n.Content))
	for i, c := range v.n.Content {
		out[i] = Value{r: v.r, n: c, what: "an item of " + v.what}
	}
	return out, true
}

// OneOrMany reads a list, or a single value as a list of one.
func (v Value) OneOrMany() ([]Value, bool) {
	if v.usable() && v.n.Kind == yaml.ScalarNode && v.n.Tag != "!!null" {
		return []Value{v}, true
	}
	return v.List()
}
