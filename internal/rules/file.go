package rules

import (
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// A File is one rules file as it is written, before any schema is known.
type File struct {
	Name     string
	Defaults []Default
	Tables   []TableRule
	// Broken: nothing of it could be read, so what it decides is not known.
	Broken bool
}

// A Default decides columns that no line decides and that its match describes.
type Default struct {
	At    finding.At
	Match Match
	Rule  Rule
}

// A Match describes columns; all that is given must hold. Globs know * and ?,
// and take capital and small letters for the same.
type Match struct {
	Schema, Table, Column string      // globs; empty matches all
	Type                  schema.Kind // empty matches all
	Key                   string      // surrogate, primary, foreign, unique; empty matches all
}

// A TableRule is one table of a file with the lines for its columns.
type TableRule struct {
	Name  string // as written
	At    finding.At
	Lines []Line
}

// A Line is one rule for one or several columns.
type Line struct {
	Columns []string
	At      finding.At
	Rule    Rule
}

// A Rule says what becomes of the columns it decides.
type Rule struct {
	At finding.At // of the mask's name or of the reason
	// Outcome is Mask, Keep or ByPath; empty for a rule that could not be read,
	// which then counts as a decision without further findings.
	Outcome Outcome
	Mask    string
	Params  map[string]string
	Reason  string
	Class   string
	Domain  string
	Fold    bool
	// Documents is for ByPath.
	Documents *Documents
	// ReviewedBy and ReviewBy (a date, YYYY-MM-DD) are the reviewer's.
	ReviewedBy, ReviewBy string
}

// keyWords are the words of Match.Key.
func keyWords() []string { return []string{"surrogate", "primary", "foreign", "unique"} }
