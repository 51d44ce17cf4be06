package mysql

import (
	"encoding/hex"
	"strings"

	"understudy/internal/schema"
)

// quote writes an identifier; backticks are understood in every sql_mode.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// quotes writes a list of identifiers.
func quotes(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// quoteName writes a table's name with its database.
func quoteName(n schema.Name) string { return quote(n.Schema) + "." + quote(n.Table) }

// literal writes a text as a string literal. Sessions keep backslash escapes on.
func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`).Replace(text) + "'"
}

// literals writes a list of string literals.
func literals(texts []string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = literal(t)
	}
	return strings.Join(out, ", ")
}

// appendHex appends bytes as a hexadecimal literal.
func appendHex(dst, value []byte) []byte {
	return append(hex.AppendEncode(append(dst, "x'"...), value), '\'')
}

// serverDatabase tells the databases that are the server's own.
func serverDatabase(name string) bool {
	switch strings.ToLower(name) {
	case "mysql", "information_schema", "performance_schema", "sys":
		return true
	}
	return false
}
