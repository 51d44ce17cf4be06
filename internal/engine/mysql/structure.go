package mysql

import "strings"

// A structure stands for the DDL of a source's databases, which is read from the
// server when it is needed.
type structure struct {
	side      *side
	databases []string
}

// Describe names the databases.
func (s *structure) Describe() string { return "the databases " + strings.Join(s.databases, ", ") }
