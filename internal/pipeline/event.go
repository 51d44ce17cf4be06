package pipeline

import "understudy/internal/schema"

// A Stage is a part of a run, in the order they come.
type Stage string

const (
	StageInspect  Stage = "inspect"
	StageCompare  Stage = "compare"
	StageSnapshot Stage = "snapshot"
	StageSelect   Stage = "select"
	StageTry      Stage = "try"
	StageBegin    Stage = "begin"
	StageLoad     Stage = "load"
	StageFinish   Stage = "finish"
	StageProve    Stage = "prove"
	StageAmend    Stage = "amend" // only where the job has statements to run
	StageSwitch   Stage = "switch"
	StageReport   Stage = "report"
)

// An Event is progress. It carries names and counts, never a value.
type Event struct {
	Stage Stage
	// Note says what begins, for people; empty for a count.
	Note string
	// Table and Rows: so many rows of a table have been loaded so far.
	Table schema.Name
	Rows  int64
	Done  bool // the table is finished
}

// An Observer is told of progress, from any goroutine, and returns at once.
type Observer func(Event)
