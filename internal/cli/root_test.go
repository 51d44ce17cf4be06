package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/pipeline"
	"understudy/internal/schema"
)

// told is what a run that fails writes on stderr, at so many columns.
func told(columns int) string {
	var out bytes.Buffer
	a := &app{World: World{Stdout: &bytes.Buffer{}, Stderr: &out, Getenv: func(string) string { return "" }, Now: time.Now,
		Terminal: columns > 0, Columns: func() int { return columns }}}
	a.answer = &answer{w: a.Stdout}
	a.progress = &progress{app: a, tables: map[schema.Name]*moving{}}
	a.progress.observe(pipeline.Event{Stage: pipeline.StageInspect, Note: "reading the structure of both sides, of which one has rather many tables and the other few"})
	a.finish(&fault.Error{Code: fault.Usage, Findings: []finding.Finding{
		{Check: "job", Severity: finding.Error, At: finding.At{File: "understudy.yaml", Line: 3, Col: 9}, Message: "the address is one that nobody can read without taking a breath in between", Hint: "write it shorter, or set the environment variable of which the documentation says so much\n  target: ${STAGING_URL} # this line is meant to be pasted as it stands"},
		{Check: "note", Severity: finding.Warning, Message: "short"},
	}})
	return out.String()
}

// TestLinesFitTheTerminal: on a terminal words stay whole and lines end before its
// edge, further ones hanging; a log has each message on a line of its own.
func TestLinesFitTheTerminal(t *testing.T) {
	want := `inspect   reading the structure of both sides, of which one
          has rather many tables and the other few
understudy: understudy.yaml:3:9: the address is one that
            nobody can read without taking a breath in
            between
  hint: write it shorter, or set the environment variable
        of which the documentation says so much
          target: ${STAGING_URL} # this line is meant to be pasted as it stands
understudy: warning: short
`
	if got := told(60); got != want {
		t.Errorf("at 60 columns:\n%s\nwant\n%s", got, want)
	}
	if lines := strings.Split(strings.TrimSpace(told(0)), "\n"); len(lines) != 5 || !strings.HasSuffix(lines[0], "the other few") || !strings.HasSuffix(lines[1], "in between") || !strings.HasSuffix(lines[2], "says so much") {
		t.Errorf("in a log:\n%s", told(0))
	}
}
