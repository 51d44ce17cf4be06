package document

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// plain is a text that YAML takes for itself without quotes.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// Name writes a name so that YAML reads it as it is, as a key or in a list: bare
// where it can be.
func Name(s string) string {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return Quoted(s)
	}
	switch {
	case plain.MatchString(s):
		return s
	case strings.Contains(s, `"`) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return Quoted(s)
}

// Names writes a list of names in one line.
func Names(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Name(s)
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// Quoted writes a text in double quotes; YAML reads the escapes of JSON.
func Quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b))
}
