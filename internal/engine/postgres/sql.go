package postgres

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// quote writes an identifier so that the server takes it as it is.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteName writes a table's full name.
func quoteName(n schema.Name) string {
	if n.Schema == "" {
		return quote(n.Table)
	}
	return quote(n.Schema) + "." + quote(n.Table)
}

// quoteList writes identifiers with commas between.
func quoteList(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// pairs parts names for a query that unnests two arrays side by side.
func pairs(list []schema.Name) (schemas, names []string) {
	schemas, names = make([]string, len(list)), make([]string, len(list))
	for i, n := range list {
		schemas[i], names[i] = n.Schema, n.Table
	}
	return schemas, names
}

// literal writes a string constant. It is for names and settings only: values
// of rows travel as parameters. The E form reads backslashes the same whatever
// standard_conforming_strings says.
func literal(s string) string {
	s = strings.ReplaceAll(s, `'`, `''`)
	if strings.Contains(s, `\`) {
		return `E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return `'` + s + `'`
}

// appendElement adds one element to a one-dimensional array in text form that
// begins with "{"; the caller closes it. nil means NULL. Every element is
// quoted, because NULL, blanks, commas and braces mean something when bare.
func appendElement(dst, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	if value == nil {
		return append(dst, "NULL"...)
	}
	return appendQuoted(dst, value)
}

// appendQuoted writes an element of an array in quotes.
func appendQuoted(dst, value []byte) []byte {
	if more := len(value) + bytes.Count(value, []byte{'"'}) + bytes.Count(value, []byte{'\\'}) + 2; more >= engine.HugeBytes {
		dst = slices.Grow(dst, more) // growing bit by bit would take twice as much
	}
	dst = append(dst, '"')
	start := 0
	for i, c := range value {
		if c == '"' || c == '\\' {
			dst = append(append(dst, value[start:i]...), '\\')
			start = i
		}
	}
	return append(append(dst, value[start:]...), '"')
}

// array writes strings as a text array.
func array(values []string) []byte {
	dst := []byte{'{'}
	for _, v := range values {
		dst = appendElement(dst, []byte(v))
	}
	return append(dst, '}')
}

// present and absent tell whether a value is NULL. IS NULL does not: it is also
// true of a composite whose fields are all NULL, which is a value.
func present(expr string) string { return expr + " IS DISTINCT FROM NULL" }
func absent(expr string) string  { return expr + " IS NOT DISTINCT FROM NULL" }

// parseInts reads a list of numbers as int2vector ("1 2") or array ("{1,2}") text.
func parseInts(text []byte) []int {
	var out []int
	for _, f := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ' ' || r == ',' || r == '{' || r == '}' }) {
		if n, err := strconv.Atoi(f); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// parseUint reads a number the server wrote; 0 for NULL.
func parseUint(text []byte) uint32 {
	n, _ := strconv.ParseUint(string(text), 10, 32) // an oid is always a number
	return uint32(n)
}

// isTrue reads a boolean the server wrote; false for NULL.
func isTrue(text []byte) bool { return len(text) == 1 && text[0] == 't' }

// appendUint writes a number.
func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }
