// Package jsondoc finds values in JSON documents by paths and rewrites them
// where they stand. A document is walked token by token and once: numbers keep
// their exact text, duplicate keys are all seen, what no rule touches is copied
// as it is, and nothing is held but the value in hand. It knows paths and fates,
// no masks and no databases.
package jsondoc

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Path names values in documents: $ and then steps, as in $.contact.phone,
// $.tags[*], $['odd key'], $.people.*.
type Path []Step

// A Step goes from a value to values inside it.
type Step struct {
	Kind StepKind
	Name string // of a Member
}

// A StepKind says which values a step goes to.
type StepKind uint8

const (
	Member  StepKind = iota // the members of one name, duplicates included
	Members                 // all members of an object
	Items                   // all items of an array
)

// deepestPath bounds how many steps a path has; nothing people write comes near.
const deepestPath = 64

// ParsePath reads a path. Its errors say what is wrong and where (counted in
// characters from 1) and do not repeat the text.
func ParsePath(text string) (Path, error) {
	if !utf8.ValidString(text) || !strings.HasPrefix(text, "$") {
		return nil, errors.New("a path begins with $")
	}
	path := Path{}
	rest := text[1:]
	for rest != "" {
		step, after, err := parseStep(rest)
		if err != nil {
			return nil, fmt.Errorf("%w, at character %d of the path", err, utf8.RuneCountInString(text)-utf8.RuneCountInString(rest)+1)
		}
		if path = append(path, step); len(path) > deepestPath {
			return nil, fmt.Errorf("a path has at most %d steps", deepestPath)
		}
		rest = after
	}
	return path, nil
}

func parseStep(text string) (Step, string, error) {
	switch {
	case strings.HasPrefix(text, ".."):
		return Step{}, "", errors.New("two dots name nothing: a path names each step")
	case strings.HasPrefix(text, ".*"):
		return Step{Kind: Members}, text[2:], nil
	case strings.HasPrefix(text, "."):
		name := text[1:]
		if end := strings.IndexAny(name, ".[]*'\" \t\\"); end >= 0 {
			name = name[:end]
		}
		if name == "" {
			return Step{}, "", errors.New("a name is missing after the dot")
		}
		return Step{Kind: Member, Name: name}, text[1+len(name):], nil
	case strings.HasPrefix(text, "[*]"):
		return Step{Kind: Items}, text[3:], nil
	case strings.HasPrefix(text, "['"), strings.HasPrefix(text, `["`):
		return parseQuoted(text)
	case strings.HasPrefix(text, "["):
		return Step{}, "", errors.New("brackets hold * or a name in quotes: all items of an array share one rule")
	}
	return Step{}, "", errors.New("a step begins with a dot or a bracket; a name with other signs stands as ['odd name']")
}

// parseQuoted reads ['name']; a backslash takes the next character for itself.
func parseQuoted(text string) (Step, string, error) {
	quote := text[1]
	var name strings.Builder
	for i := 2; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			name.WriteByte(text[i])
		case c == quote:
			if !strings.HasPrefix(text[i+1:], "]") {
				return Step{}, "", errors.New("a bracket is not closed after the name")
			}
			return Step{Kind: Member, Name: name.String()}, text[i+2:], nil
		default:
			name.WriteByte(c)
		}
	}
	return Step{}, "", errors.New("a quote is not closed")
}

// String writes the path so that ParsePath reads it back; one spelling for each path.
func (p Path) String() string {
	var out strings.Builder
	out.WriteByte('$')
	for _, s := range p {
		switch {
		case s.Kind == Members:
			out.WriteString(".*")
		case s.Kind == Items:
			out.WriteString("[*]")
		case isPlain(s.Name):
			out.WriteString("." + s.Name)
		default:
			out.WriteString("['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s.Name) + "']")
		}
	}
	return out.String()
}

// MarshalText writes the path as String does.
func (p Path) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// isPlain tells whether a name can follow a dot.
func isPlain(name string) bool { return name != "" && !strings.ContainsAny(name, ".[]*'\" \t\\") }

// Above tells whether p leads to values that contain those of q.
func (p Path) Above(q Path) bool {
	if len(p) >= len(q) {
		return false
	}
	for i := range p {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}
