// Package config reads the job file understudy.yaml and the environment: what
// is copied from where to where, under which limits. It opens no database and
// resolves no table name; names stay text with their place until a schema is known.
package config

import (
	"cmp"
	"time"

	"understudy/internal/finding"
	"understudy/internal/secret"
)

// Text is a word from the file with its place.
type Text struct {
	Value string
	At    finding.At
}

// A Job is the job file after parsing, expansion of ${NAME} and defaults.
type Job struct {
	Path   string // of the file, as given
	Dir    string // rules and reports are relative to it
	Source secret.Text
	Target secret.Text
	// SourceAt and TargetAt are their places in the file.
	SourceAt, TargetAt finding.At
	Key                KeySource
	Rules              []Text   // globs, relative to Dir
	Schemas            []Schema // empty: all
	References         []Reference
	Orphans            string // fail, drop or nullify
	OrphansAt          finding.At
	Subset             *Subset
	Load               Load
	Limits             Limits
	Parity             Parity
	Report             Report
	// TargetIsAClone is the reason for accepting a target of the source's origin; empty: refuse.
	TargetIsAClone string
	// AllowSubqueries in fragments.
	AllowSubqueries bool
}

// KeySource says where the masking key comes from; exactly one is set.
type KeySource struct {
	At      finding.At
	Env     string
	File    string
	Command []string
}

// Schema names a schema on both sides.
type Schema struct {
	Source, Target string
	At             finding.At
}

// Reference is a relation the database does not declare.
type Reference struct {
	From, To Text // table.column, or table.(a, b) for several
	When     Text // a fragment; empty: always
}

// Subset says which rows come along; nil means all.
type Subset struct {
	At        finding.At
	Seeds     []Seed
	Tables    []TableRows
	Follow    []Text // table.column of the referencing side
	Unreached string // small (default), empty, all
	Budget    int64  // rows; 0 means none
	BudgetAt  finding.At
}

// Seed is where a subset begins.
type Seed struct {
	Table   Text
	Where   Text
	Percent float64 // 0 means not given
	Limit   int64   // 0 means not given
	Order   Text
	At      finding.At
}

// TableRows says what becomes of one table's rows.
type TableRows struct {
	Table Text
	Rows  string // all, none, or "" where the conditions below hold
	Where Text
	// PerParent, Order and By bound the children of each parent row.
	PerParent   int64 // 0 means not given
	PerParentAt finding.At
	Order, By   Text
}

// Load says how rows arrive.
type Load struct {
	Mode     string // swap: a new generation takes the target's place; replace: rows are exchanged in place
	ModeAt   finding.At
	Keep     int
	Preserve []Text
	Discard  []Text
	After    Text
}

// Limits protects both servers.
type Limits struct {
	Readers     int
	LockWait    time.Duration
	SnapshotAge time.Duration
	Statement   time.Duration
	// ReplicaLag: rows pass only while no replica is further behind; 0 means that none is asked.
	ReplicaLag time.Duration
	Retries    int // how often a run begins anew that had to give way on the source
}

// Parity says when drift stops a run.
type Parity struct {
	Minimum   *float64 // the least score; nil: none is wanted
	MinimumAt finding.At
	Critical  []Text // tables that must be equal
	Waivers   Text   // a file, relative to Dir
	// Migrations is the directory of the migrations that production will have, relative to Dir.
	Migrations Text
}

// Report says where reports go.
type Report struct {
	Dir  string
	Keep int
}

// SourceSchemas names the job's schemas as the source has them; none means all.
func (j *Job) SourceSchemas() []string {
	var out []string
	for _, s := range j.Schemas {
		out = append(out, s.Source)
	}
	return out
}

// TargetSchemas names them as the target has them, in the same order.
func (j *Job) TargetSchemas() []string {
	var out []string
	for _, s := range j.Schemas {
		out = append(out, cmp.Or(s.Target, s.Source))
	}
	return out
}
