// Package document reads YAML files strictly and with places. It accepts the
// small part of YAML that people read without surprise (mappings with text
// keys, lists, scalars, one document) and reports everything else, every
// mistake of a file at once, each at file:line:column.
//
// A mistake never quotes what the file says: a password or a key may have been
// pasted in the wrong place. It names the place and what was expected there.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"understudy/internal/finding"
)

// Bounds of a document. Files written by people stay far below them.
const (
	MaxBytes = 1 << 20
	MaxDepth = 64
)

// Checks that findings of this package carry.
const (
	CheckYAML      = "yaml"           // the text is not the YAML that is accepted
	CheckStructure = "file-structure" // the YAML is fine, a key or a type in it is not
)

// A Reader collects what is wrong with one file while it is read.
type Reader struct {
	name     string
	findings []finding.Finding
	// written keeps the true text of globs that were mended for the parser, by place.
	written map[place]string
	// broken are nodes that already have a finding about their form.
	broken map[*yaml.Node]bool
	// homes tells where a key belongs that stands elsewhere.
	homes map[string]string
}

type place struct{ line, col int }

// Parse reads data as one document. The value is the document's root; it is
// missing (see Value.Missing) when nothing in the file can be read. Further
// mistakes are added to the reader while the value is looked into, so callers
// take Reader.Findings last.
func Parse(name string, data []byte) (Value, *Reader) {
	r := &Reader{name: name, written: map[place]string{}, broken: map[*yaml.Node]bool{}}
	if !r.checkBytes(data) {
		return Value{r: r}, r
	}
	root := r.parse(data)
	if root == nil {
		return Value{r: r}, r
	}
	r.walk(root, 1)
	return Value{r: r, n: root, what: "the file"}, r
}

// Findings gives all that was found so far, sorted by place.
func (r *Reader) Findings() []finding.Finding {
	finding.Sort(r.findings)
	return r.findings
}

// Homes tells where keys belong ("under load"), for those that stand in the wrong
// place. Set it before the file is looked into.
func (r *Reader) Homes(homes map[string]string) { r.homes = homes }

// Report adds a mistake of severity Error. The message must not contain what the file says.
func (r *Reader) Report(at finding.At, check, hint, format string, args ...any) {
	r.findings = append(r.findings, finding.Finding{
		Check: check, Severity: finding.Error, At: at, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// Warn adds a warning, under the same condition as Report.
func (r *Reader) Warn(at finding.At, check, hint, format string, args ...any) {
	r.Report(at, check, hint, format, args...)
	r.findings[len(r.findings)-1].Severity = finding.Warning
}

func (r *Reader) at(line, col int) finding.At {
	return finding.At{File: r.name, Line: line, Col: col}
}

func (r *Reader) nodeAt(n *yaml.Node) finding.At { return r.at(max(n.Line, 1), max(n.Column, 1)) }

// checkBytes refuses what is no text before the parser sees it.
func (r *Reader) checkBytes(data []byte) bool {
	const save = "save the file as UTF-8 text without a byte order mark"
	fail := func(i int, format string, args ...any) bool {
		line := 1 + bytes.Count(data[:i], []byte("\n"))
		col := i - bytes.LastIndexByte(data[:i], '\n')
		r.Report(r.at(line, col), CheckYAML, save, format, args...)
		return false
	}
	if len(data) > MaxBytes {
		r.Report(finding.At{File: r.name}, CheckYAML, "split it into several files",
			"the file has %d bytes, more than %d", len(data), MaxBytes)
		return false
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return fail(0, "the file is UTF-16")
	}
	if bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return fail(0, "the file begins with a byte order mark")
	}
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			return fail(i, "the file is not valid UTF-8")
		case c == 0:
			return fail(i, "the file contains a NUL byte")
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f:
			return fail(i, "the file contains a control character")
		}
		i += size
	}
	return true
}

// parse gives the root node. An unquoted glob stops the YAML parser, so it is
// mended in a copy, reported, and the parser asked again: one file, all mistakes.
func (r *Reader) parse(data []byte) *yaml.Node {
	text := bytes.Clone(data)
	for range 1000 {
		root, err := r.decode(text)
		if err == nil {
			return root
		}
		if !r.mendGlob(text, err) {
			r.syntax(text, err)
			return nil
		}
	}
	r.Report(finding.At{File: r.name}, CheckYAML, hintGlob, "too many unquoted globs")
	return nil
}

func (r *Reader) decode(text []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	err := safely(func() error { return dec.Decode(&doc) })
	if errors.Is(err, io.EOF) || err == nil && empty(&doc) {
		r.Report(r.at(1, 1), CheckYAML, "every file begins with `version: 1`", "the file is empty")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = safely(func() error { return dec.Decode(&second) })
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, err
	default:
		r.Report(r.nodeAt(&second), CheckYAML, "put it into a file of its own", "a second document begins here; a file holds one")
	}
	return doc.Content[0], nil
}

func empty(doc *yaml.Node) bool {
	return len(doc.Content) == 0 || doc.Content[0].Kind == yaml.ScalarNode && doc.Content[0].Tag == "!!null"
}

// safely turns a panic of the parser into an error without its text.
func safely(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: not valid")
		}
	}()
	return f()
}

// walk reports the forms that are not accepted, anywhere below n.
func (r *Reader) walk(n *yaml.Node, depth int) {
	if depth > MaxDepth {
		r.refuse(n, "", "nested more than %d deep", MaxDepth)
		return
	}
	switch {
	case n.Kind == yaml.AliasNode:
		r.refuse(n, hintGlob, "an alias; YAML takes a word that begins with an unquoted * for one")
		return
	case n.Anchor != "":
		r.refuse(n, "write the value out where it is used; a text that begins with & stands in quotes", "an anchor; anchors are not accepted")
	case n.Style&yaml.TaggedStyle != 0:
		r.refuse(n, "leave the tag out; a text that begins with ! stands in quotes", "a YAML tag; tags are not accepted")
	}
	if n.Kind == yaml.MappingNode {
		r.walkKeys(n)
	}
	for _, c := range n.Content {
		r.walk(c, depth+1)
	}
}

func (r *Reader) walkKeys(n *yaml.Node) {
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind == yaml.AliasNode:
			continue // reported by walk
		case k.Tag == "!!merge":
			r.refuse(k, "write the keys out", "a merge key; merging is not accepted")
			continue
		case k.Kind != yaml.ScalarNode || k.Tag != "!!str" && k.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.TaggedStyle) == 0:
			r.refuse(k, "put the key in double quotes", "a key that is not text")
			continue
		}
		if first, ok := seen[k.Value]; ok {
			r.refuse(k, "keep one of the two", "this key stands already at line %d", first.Line)
			continue
		}
		seen[k.Value] = k
	}
}

func (r *Reader) refuse(n *yaml.Node, hint, format string, args ...any) {
	r.broken[n] = true
	r.Report(r.nodeAt(n), CheckYAML, hint, format, args...)
}
