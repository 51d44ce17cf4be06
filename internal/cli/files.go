package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/report"
)

// files are what a command writes beside its answer, on every exit after its
// flags were read; "" means not asked for.
type files struct {
	html, markdown, metrics, junit, sarif, sql string
}

// registerCI adds the flags of the forms that CI systems read.
func (f *files) registerCI(c *cobra.Command) {
	c.Flags().StringVar(&f.junit, "junit", "", "write the comparison to this `FILE` as JUnit's XML")
	c.Flags().StringVar(&f.sarif, "sarif", "", "write the comparison to this `FILE` as SARIF 2.1.0")
	c.Flags().StringVar(&f.sql, "sql", "", "write the closing SQL to this `FILE`, in the order in which it can run")
	c.Flags().StringVar(&f.metrics, "metrics", "", "write score and differences for Prometheus to this `FILE`, on every exit")
}

// register adds the flags that plan, refresh and parity share; thing names what the file tells of.
func (f *files) register(c *cobra.Command, thing string) {
	c.Flags().StringVar(&f.html, "html", "", "write "+thing+" to this `FILE`, as one HTML page that stands alone")
	c.Flags().StringVar(&f.markdown, "markdown", "", "write "+thing+" to this `FILE`, as Markdown for a pull request's comment")
}

// slots are the files by their flags.
func (f *files) slots() []slot {
	return []slot{{"html", &f.html}, {"markdown", &f.markdown}, {"metrics", &f.metrics}, {"junit", &f.junit}, {"sarif", &f.sarif}, {"sql", &f.sql}}
}

type slot struct {
	flag string
	path *string
}

// prepare begins a command that may write files: that one cannot be written is
// found out before anything else is done.
func (a *app) prepare(command string) error {
	a.command, a.began = command, a.Now()
	var found []finding.Finding
	seen := map[string]string{}
	for _, s := range a.files.slots() {
		if *s.path == "" {
			continue
		}
		message, hint := unwritable(*s.path)
		if other := seen[filepath.Clean(*s.path)]; other != "" {
			message, hint = "stands at --"+other+" as well", "give each a file of its own"
		}
		seen[filepath.Clean(*s.path)] = s.flag
		if message != "" {
			found = append(found, finding.Finding{Check: "file", Severity: finding.Error, Code: int(fault.Usage), Message: "--" + s.flag + " " + *s.path + " " + message, Hint: hint})
			*s.path = ""
		}
	}
	return fault.From(found, fault.Usage)
}

// unwritable tells why a file cannot be written, or "".
func unwritable(path string) (message, hint string) {
	if path == "-" {
		return "is no file", "stdout is for the answer; give a file, and print that"
	}
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return "is there and is no plain file", "the file is replaced as a whole, so give the name of a plain or a new one"
	}
	if err := probe(filepath.Dir(path)); err != nil {
		return "cannot be written", "choose a directory that exists and that you may write to"
	}
	return "", ""
}

// probe makes sure that files can be made in a directory.
func probe(dir string) error {
	f, err := os.CreateTemp(dir, ".understudy-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// page is what the command came to know, for people who were not there.
func (a *app) page(code fault.Code, fs []finding.Finding) report.Page {
	p := report.Page{Command: a.command, Code: code, Version: Version, Ended: a.Now().UTC()}
	switch x := a.payload.(type) {
	case *plan.Plan:
		p.Plan = x
	case *pipeline.Report:
		p.Run, p.Plan = x, x.Plan
	case *parity.Report:
		p.Parity = x
	}
	if p.Plan != nil {
		p.Parity = p.Plan.Parity
		p.Findings = slices.Clone(p.Plan.Findings)
	}
	p.Findings = append(p.Findings, fs...)
	return p
}

// writeFiles writes the files that were asked for and passes err on, made worse
// by what could not be written.
func (a *app) writeFiles(err error) error {
	if a.began.IsZero() {
		if err == nil {
			return nil // help was asked for
		}
		a.prepare(a.command) // a mistake came before the command; it keeps from files that cannot be written
	}
	asked := a.files
	a.files = files{} // should a bug end the writing, it is not begun again
	page := a.page(fault.CodeOf(err), a.told(err))
	for _, f := range []struct {
		path  string
		write func(*bytes.Buffer) error
	}{
		{asked.html, func(b *bytes.Buffer) error { return report.HTML(b, page) }},
		{asked.markdown, func(b *bytes.Buffer) error { return report.Markdown(b, page) }},
		{asked.junit, func(b *bytes.Buffer) error { return report.JUnit(b, page) }},
		{asked.sarif, func(b *bytes.Buffer) error { return report.SARIF(b, page, a.jobFile) }},
		{asked.sql, func(b *bytes.Buffer) error { return report.SQL(b, page) }},
	} {
		if f.path == "" {
			continue
		}
		var b bytes.Buffer
		werr := f.write(&b)
		if werr == nil {
			werr = writeFile(f.path, b.Bytes(), true)
		}
		if werr != nil {
			err = a.unwritten(err, werr)
		} else if !a.quiet {
			a.complain("%-9s %s\n", pipeline.StageReport, report.Clean(f.path))
		}
	}
	if asked.metrics != "" {
		if werr := a.writeMetrics(asked.metrics, fault.CodeOf(err)); werr != nil {
			err = a.unwritten(err, werr)
		} else {
			a.files.metrics = asked.metrics
		}
	}
	return err
}

// told are all findings of a command that ends with err.
func (a *app) told(err error) []finding.Finding {
	return append(slices.Clone(a.notes), fault.FindingsOf(err)...)
}

// unwritten adds a file that could not be written to a command's end. It makes
// a success a failure, and leaves the code of a failure as it is.
func (a *app) unwritten(err, werr error) error {
	code := fault.CodeOf(err)
	if code == fault.Done || code == fault.Unmeasured {
		code = fault.Usage
		if r, ok := a.payload.(*pipeline.Report); ok && r != nil {
			code = fault.LaterFailed
		}
	}
	added := slices.Clone(fault.FindingsOf(werr))
	for i := range added {
		added[i].Code = int(code)
		if code == fault.LaterFailed {
			added[i].Hint = "the new generation is in place; only this file is missing"
		}
	}
	return &fault.Error{Code: code, Findings: append(slices.Clone(fault.FindingsOf(err)), added...), Cause: err}
}

// writeMetrics writes the run's figures; what is known of earlier runs is taken over.
func (a *app) writeMetrics(path string, code fault.Code) error {
	job, err := filepath.Abs(a.jobFile)
	if err != nil {
		job = a.jobFile
	}
	m := report.Metrics{Page: a.page(code, nil), JobFile: job, Seconds: a.Now().Sub(a.began).Seconds(), Stages: a.clock.laps()}
	if a.former == nil && a.command == "parity" {
		a.former = &report.Former{}
	}
	if a.former == nil { // once: afterwards the file is this run's
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Usage, "metrics", "remove it, or give another file", "%s cannot be read, and it holds when the last success was", path)
		}
		former := report.ReadFormer(text, job)
		a.former = &former
	}
	m.Former = *a.former
	var b bytes.Buffer
	write := report.WriteMetrics
	if a.command == "parity" {
		write = report.WriteParityMetrics
	}
	if err := write(&b, m); err != nil {
		return err
	}
	return writeFile(path, b.Bytes(), true)
}
