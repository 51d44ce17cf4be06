package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/report"
)

// reportDir is where the job's reports go; a relative name is relative to the job file.
func reportDir(job *config.Job) string {
	if filepath.IsAbs(job.Report.Dir) {
		return job.Report.Dir
	}
	return filepath.Join(job.Dir, job.Report.Dir)
}

// reportable makes sure, before a row is loaded, that the run's report can be
// written: to find that out after the switch would be late.
func (a *app) reportable() error {
	if a.job == nil || a.job.Report.Dir == "" {
		return nil
	}
	dir := reportDir(a.job)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = probe(dir)
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fault.New(fault.Usage, "report-dir", "make room, or write report: {dir: DIRECTORY} with one on another disk", "the disk is full on which %s is, and the run's report is to go there", dir)
	}
	if err != nil {
		return fault.New(fault.Usage, "report-dir", "write report: {dir: DIRECTORY} with one you may write to", "%s cannot be written to, and the run's report is to go there", dir)
	}
	return nil
}

// keepReport writes the payload, what a run did or the plan it was refused with, into the
// job's report directory and prunes old reports. It passes err on; a report that
// cannot be written after a switch makes the run exit with 8, for the target is new
// all the same.
func (a *app) keepReport(err error) error {
	code := fault.CodeOf(err)
	job := a.job
	if job == nil || job.Report.Dir == "" {
		return err
	}
	var p *plan.Plan
	r, ran := a.payload.(*pipeline.Report)
	if ran {
		p = r.Plan
	} else {
		p, _ = a.payload.(*plan.Plan)
	}
	if p == nil {
		return err // it did not come so far as to look
	}
	dir := reportDir(job)
	fs := a.told(err)
	if fs == nil {
		fs = []finding.Finding{}
	}
	base := filepath.Join(dir, "refresh-"+p.RunID)
	doc, werr := enveloped("refresh", code, fs, a.payload)
	if werr == nil {
		werr = a.reportable() // whose directory a refused run has not made yet
	}
	if werr == nil {
		werr = writeFile(base+".json", doc, true)
	}
	if werr == nil {
		var text bytes.Buffer
		if len(p.Tables) > 0 {
			report.Plan(&text, p)
		}
		if ran {
			report.Run(&text, r)
		}
		report.Findings(&text, fs, report.Width)
		werr = writeFile(base+".txt", text.Bytes(), true)
	}
	if werr == nil {
		var page bytes.Buffer
		if werr = report.HTML(&page, a.page(code, fs)); werr == nil {
			werr = writeFile(base+".html", page.Bytes(), true)
		}
	}
	if werr == nil {
		werr = prune(dir, filepath.Base(base), job.Report.Keep)
		if !a.quiet && a.command != "demo" { // which tells at its end where everything lies
			a.complain("%-9s %s.json, .txt and .html\n", pipeline.StageReport, base)
		}
	}
	if werr != nil && err != nil {
		return &fault.Error{Code: code, Findings: append(slices.Clone(fault.FindingsOf(err)), fault.FindingsOf(werr)...), Cause: err}
	}
	if werr != nil {
		fs := fault.FindingsOf(werr)
		for i := range fs {
			fs[i].Code, fs[i].Hint = int(fault.LaterFailed), "the new generation is in place; only its report is missing"
		}
		return &fault.Error{Code: fault.LaterFailed, Findings: fs, Cause: werr}
	}
	return err
}

// memoryName is the file in the report directory that holds what the last
// comparison found, so that the next can tell what is new.
const memoryName = "parity.json"

// recall reads what the last comparison of these two databases left.
func (a *app) recall(in pipeline.Input) *parity.Memory {
	if in.Job.Report.Dir == "" || in.SourceAt == nil || in.TargetAt == nil {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(reportDir(in.Job), memoryName))
	if err != nil {
		return nil // the first comparison, or one that starts anew
	}
	return parity.Recall(data, in.SourceAt.String(), in.TargetAt.String())
}

// remember leaves what this comparison found. A directory that cannot be written
// to costs the next one its memory, and nothing else.
func (a *app) remember(in pipeline.Input, r *parity.Report) {
	if in.Job.Report.Dir == "" || r == nil {
		return
	}
	dir := reportDir(in.Job)
	doc, err := json.Marshal(r.Remember(in.SourceAt.String(), in.TargetAt.String(), in.Now))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = writeFile(filepath.Join(dir, memoryName), append(doc, '\n'), true)
	}
	if err != nil {
		a.notes = append(a.notes, finding.Finding{Check: "parity-memory", Severity: finding.Warning,
			Message: filepath.Join(dir, memoryName) + " cannot be written, so the next comparison cannot tell what is new", Hint: "write report: {dir: DIRECTORY} with one you may write to"})
	}
}

// prune keeps the report just written and the newest before it: names begin with the
// run's time in seconds, so they sort by age, but for runs of one second.
func prune(dir, written string, keep int) error {
	if keep <= 0 {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fault.New(fault.LaterFailed, "report", "", "%s cannot be listed", dir)
	}
	var runs []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && strings.HasPrefix(name, "refresh-") && name != written {
			runs = append(runs, name)
		}
	}
	slices.Sort(runs)
	for len(runs) >= keep {
		for _, ext := range []string{".json", ".txt", ".html"} {
			if err := os.Remove(filepath.Join(dir, runs[0]+ext)); err != nil && !os.IsNotExist(err) {
				return fault.New(fault.LaterFailed, "report", "", "%s cannot be removed", runs[0]+ext)
			}
		}
		runs = runs[1:]
	}
	return nil
}
