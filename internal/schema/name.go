package schema

import (
	"cmp"
	"fmt"
	"strings"
)

// Name is a table's full name. Schema means database on engines that call it so.
type Name struct{ Schema, Table string }

// Compare orders names by schema, then table.
func (n Name) Compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Schema, o.Schema), cmp.Compare(n.Table, o.Table))
}

// String gives schema.table as it is written in a file: a part that is not a
// plain lower-case word stands in double quotes. The zero Name gives nothing.
func (n Name) String() string {
	if n == (Name{}) {
		return ""
	}
	if n.Schema == "" {
		return Ident(n.Table)
	}
	return Ident(n.Schema) + "." + Ident(n.Table)
}

// MarshalText writes the name as String does.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (n *Name) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*n = Name{}
		return nil
	}
	parts, err := ParseName(string(b))
	if err != nil {
		return err
	}
	switch len(parts) {
	case 1:
		*n = Name{Table: parts[0]}
	case 2:
		*n = Name{Schema: parts[0], Table: parts[1]}
	default:
		return fmt.Errorf("%q has more parts than schema.table", string(b))
	}
	return nil
}

// Ident writes one part of a name, quoted unless it is a plain lower-case word.
func Ident(s string) string {
	plain := s != ""
	for i, r := range s {
		if !(r == '_' || r >= 'a' && r <= 'z' || i > 0 && (r >= '0' && r <= '9' || r == '$')) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

func joinIdents(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = Ident(n)
	}
	return strings.Join(out, ", ")
}

// ParseName splits a name as it stands in a file into its parts. Parts are
// separated by dots; a part with capitals, dots or spaces stands in double
// quotes, a quote inside doubled. An unquoted part is taken as it is written.
func ParseName(text string) ([]string, error) {
	parts, rest, err := parseName(text)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, fmt.Errorf("%q is not a name: unexpected %q", text, rest)
	}
	return parts, nil
}

// ParseNames splits a comma-separated list of single-part names, as in "id, created_at".
func ParseNames(text string) ([]string, error) {
	var out []string
	for rest := text; ; {
		parts, tail, err := parseName(rest)
		if err != nil {
			return nil, err
		}
		if len(parts) != 1 {
			return nil, fmt.Errorf("%q: a column name has one part", text)
		}
		out = append(out, parts[0])
		if tail == "" {
			return out, nil
		}
		if tail[0] != ',' {
			return nil, fmt.Errorf("%q is not a list of names: unexpected %q", text, tail)
		}
		rest = tail[1:]
	}
}

func parseName(text string) (parts []string, rest string, err error) {
	rest = strings.TrimLeft(text, " \t")
	for {
		var part string
		switch {
		case rest == "":
			return nil, "", fmt.Errorf("%q is not a name: a part is empty", text)
		case rest[0] == '"':
			var b strings.Builder
			i := 1
			for ; ; i++ {
				if i >= len(rest) {
					return nil, "", fmt.Errorf("%q is not a name: a double quote is not closed", text)
				}
				if rest[i] == '"' {
					if i+1 < len(rest) && rest[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(rest[i])
			}
			part, rest = b.String(), rest[i+1:]
		default:
			i := strings.IndexAny(rest, `.,"`)
			if i < 0 {
				i = len(rest)
			}
			part, rest = strings.TrimRight(rest[:i], " \t"), rest[i:]
			if strings.ContainsAny(part, " \t") {
				return nil, "", fmt.Errorf("%q is not a name: a part with spaces stands in double quotes", text)
			}
		}
		if part == "" {
			return nil, "", fmt.Errorf("%q is not a name: a part is empty", text)
		}
		parts = append(parts, part)
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] != '.' {
			return parts, rest, nil
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
}

// Resolve finds the table that text means: schema.table, or a table alone that
// must be unique among the schemas. The error names the candidates or the
// nearest known table.
func (s *Schema) Resolve(text string) (*Table, error) {
	parts, err := ParseName(text)
	if err != nil {
		return nil, err
	}
	if len(parts) > 2 {
		return nil, fmt.Errorf("%q has more parts than schema.table", text)
	}
	return s.lookup(text, parts)
}

// ResolveColumn finds the table and the column that text means: table.column or schema.table.column.
func (s *Schema) ResolveColumn(text string) (*Table, *Column, error) {
	parts, err := ParseName(text)
	if err != nil {
		return nil, nil, err
	}
	if len(parts) < 2 || len(parts) > 3 {
		return nil, nil, fmt.Errorf("%q is not table.column or schema.table.column", text)
	}
	var table []string
	for _, p := range parts[:len(parts)-1] {
		table = append(table, Ident(p))
	}
	t, err := s.lookup(strings.Join(table, "."), parts[:len(parts)-1])
	if err != nil {
		if whole, wrong := s.Resolve(text); wrong == nil {
			return nil, nil, fmt.Errorf("%s is a table: add a column to it, as in %[1]s.id", whole.Name)
		}
		return nil, nil, err
	}
	name := parts[len(parts)-1]
	if c := t.Column(name); c != nil {
		return t, c, nil
	}
	var known []string
	for _, c := range t.Columns {
		known = append(known, c.Name)
	}
	return nil, nil, fmt.Errorf("%s has no column %q%s", t.Name, name, DidYouMean(name, known))
}

func (s *Schema) lookup(text string, parts []string) (*Table, error) {
	if len(parts) == 2 {
		if t := s.Table(Name{parts[0], parts[1]}); t != nil {
			return t, nil
		}
	} else {
		var found []*Table
		var names []string
		for i := range s.Tables {
			if s.Tables[i].Name.Table == parts[0] {
				found = append(found, &s.Tables[i])
				names = append(names, s.Tables[i].Name.String())
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return nil, fmt.Errorf("%q is in several schemas: write one of %s", text, strings.Join(names, ", "))
		}
	}
	var known []string
	for _, t := range s.Tables {
		known = append(known, t.Name.Table, t.Name.String())
	}
	return nil, fmt.Errorf("there is no table %q%s", text, DidYouMean(text, known))
}

// Nearest gives the known word closest to word, or "" if none is close: at
// most a third of its letters differ, rounded up (Levenshtein distance, case ignored).
func Nearest(word string, known []string) string {
	best, bestAt := "", (len(word)+2)/3
	for _, k := range known {
		if d := Distance(strings.ToLower(word), strings.ToLower(k), bestAt); d < bestAt || d == bestAt && best == "" {
			best, bestAt = k, d
		}
	}
	return best
}

// DidYouMean gives ` (did you mean "x"?)` for the nearest known word, or "".
func DidYouMean(word string, known []string) string {
	if n := Nearest(word, known); n != "" {
		return fmt.Sprintf(" (did you mean %q?)", n)
	}
	return ""
}

// Distance is the Levenshtein distance of a and b, or more than limit as soon as that is certain.
func Distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
