package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"understudy/internal/check"
	"understudy/internal/fault"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
)

// Metrics are a run's figures for a monitoring system.
type Metrics struct {
	Page
	// JobFile tells the jobs of one machine apart: it is a label of every line.
	JobFile string
	Seconds float64 // from the command's start to its end
	Stages  []pipeline.Timing
	Former  Former
}

// Former is what earlier runs left to remember; zero where nothing is known.
type Former struct {
	Success    time.Time // the last run that ended with 0
	Generation time.Time // the last run after which staging was new
}

const (
	successMetric    = "understudy_last_success_timestamp_seconds"
	generationMetric = "understudy_last_generation_timestamp_seconds"
)

// codes are all that a refresh may end with.
var codes = []fault.Code{fault.Done, fault.Gate, fault.Usage, fault.Undecided, fault.Refused, fault.Integrity, fault.Unavailable,
	fault.Unmeasured, fault.LaterFailed, fault.Bug, fault.Interrupted}

// WriteMetrics writes them in Prometheus' text format (version 0.0.4). What was
// not measured has no line: a missing figure is not nought.
func WriteMetrics(w io.Writer, m Metrics) error {
	e := exposition{job: m.JobFile}
	success, generation := m.Former.Success, m.Former.Generation
	switch m.Code {
	case fault.Done:
		success, generation = m.Ended, m.Ended
	case fault.Unmeasured, fault.LaterFailed:
		generation = m.Ended
	}
	e.family("understudy_build_info", "The program that wrote this file; always 1.")
	e.sample(1, "version", m.Version)
	e.family("understudy_last_run_timestamp_seconds", "When the last refresh ended, however it ended.")
	e.sample(seconds(m.Ended))
	e.family(successMetric, "When a refresh last ended with exit code 0; 0 if that is not known.")
	e.sample(seconds(success))
	e.family(generationMetric, "When staging last became a new generation (exit codes 0, 7 and 8); 0 if that is not known.")
	e.sample(seconds(generation))
	e.family("understudy_last_run_exit_code", "The exit code of the last refresh.")
	e.sample(float64(m.Code))
	e.family("understudy_last_run_outcome", "The outcome of the last refresh: 1 for the one it had, 0 for the others.")
	for _, c := range codes {
		e.sample(truth(c == m.Code), "outcome", c.Outcome())
	}
	e.family("understudy_last_run_duration_seconds", "How long the last refresh took.")
	e.sample(m.Seconds)
	if len(m.Stages) > 0 {
		e.family("understudy_last_run_stage_seconds", "How long each stage of the last refresh took.")
		for _, t := range m.Stages {
			e.sample(t.Seconds, "stage", string(t.Stage))
		}
	}
	m.loaded(&e)
	m.parity(&e)
	_, err := w.Write(e.out.Bytes())
	return err
}

// WriteParityMetrics writes what a comparison alone has to tell, in the same format.
func WriteParityMetrics(w io.Writer, m Metrics) error {
	e := exposition{job: m.JobFile}
	e.family("understudy_parity_build_info", "The program that wrote this file; always 1.")
	e.sample(1, "version", m.Version)
	e.family("understudy_parity_last_run_timestamp_seconds", "When the last comparison ended, however it ended.")
	e.sample(seconds(m.Ended))
	e.family("understudy_parity_last_run_exit_code", "The exit code of the last comparison.")
	e.sample(float64(m.Code))
	m.parity(&e)
	_, err := w.Write(e.out.Bytes())
	return err
}

// parity writes what a comparison found; nothing where none was made.
func (m Metrics) parity(e *exposition) {
	if m.Parity != nil {
		differs := map[string]int{}
		for _, d := range m.Parity.Differences {
			differs[d.Kind]++
		}
		e.family("understudy_parity_differences", "Differences between the structures of production and staging, by kind of object.")
		for _, c := range m.Parity.Compared {
			e.sample(float64(differs[c.Kind]), "kind", c.Kind)
			delete(differs, c.Kind)
		}
		for _, d := range m.Parity.Differences { // of kinds that are compared but not counted
			if n, ok := differs[d.Kind]; ok {
				e.sample(float64(n), "kind", d.Kind)
				delete(differs, d.Kind)
			}
		}
		e.family("understudy_parity_effects", "Differences that are not waived, by what they may do.")
		effects := map[parity.Effect]int{}
		for _, c := range m.Parity.ByEffect() {
			effects[c.Effect] = c.N
		}
		for _, effect := range parity.Effects() {
			e.sample(float64(effects[effect]), "effect", string(effect))
		}
		if oldest := m.Parity.Oldest(); !oldest.IsZero() {
			e.family("understudy_parity_oldest_timestamp_seconds", "Since when the oldest difference that is not waived stands.")
			e.sample(seconds(oldest))
		}
		e.family("understudy_parity_score", "The parity score, from 0 to 100.")
		e.sample(m.Parity.Score)
	}
}

// loaded writes what the load moved; a run that did not come to load moved nothing.
func (m Metrics) loaded(e *exposition) {
	var rows, bytes int64
	if m.Run != nil {
		rows, bytes = m.Run.TotalRows, m.Run.Bytes
	}
	e.family("understudy_last_run_rows", "Rows that the last refresh sent to the target.")
	e.sample(float64(rows))
	e.family("understudy_last_run_bytes", "Bytes of rows that the last refresh sent to the target.")
	e.sample(float64(bytes))
	if m.Run == nil {
		return
	}
	if m.Code == fault.Done || m.Code == fault.Unmeasured || m.Code == fault.LaterFailed {
		e.family("understudy_generation_table_rows", "Rows of each table in the generation that the last refresh made.")
		for _, t := range m.Run.Tables {
			if t.Fate == plan.Copied {
				e.sample(float64(t.Rows), "table", t.Table.String())
			}
		}
	}
	if len(m.Run.Verification) == 0 {
		return
	}
	n := map[check.Outcome]int{}
	for _, v := range m.Run.Verification {
		n[v.Outcome]++
	}
	e.family("understudy_last_run_proofs", "Proofs of the last refresh, by their outcome.")
	for _, o := range []check.Outcome{check.Passed, check.Failed, check.Unmeasured} {
		e.sample(float64(n[o]), "outcome", string(o))
	}
}

// ReadFormer finds in a file of an earlier run what this one has to remember.
// A file that is not of this job, or no such file at all, has nothing to tell.
func ReadFormer(text []byte, jobFile string) Former {
	at := func(name string) time.Time {
		for line := range strings.Lines(string(text)) {
			value, ok := strings.CutPrefix(line, name+labels(jobFile)+" ")
			if !ok {
				continue
			}
			if s, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && s > 0 && s < 1e11 {
				return time.UnixMilli(int64(s * 1000)).UTC()
			}
		}
		return time.Time{}
	}
	return Former{Success: at(successMetric), Generation: at(generationMetric)}
}

// An exposition is the text as it grows.
type exposition struct {
	out  bytes.Buffer
	job  string
	name string
}

// family begins a metric; all are gauges, for they tell of the last run.
func (e *exposition) family(name, help string) {
	e.name = name
	fmt.Fprintf(&e.out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

// sample writes one line of the present metric, with labels in pairs of name and value.
func (e *exposition) sample(value float64, pairs ...string) {
	fmt.Fprintf(&e.out, "%s%s %s\n", e.name, labels(e.job, pairs...), strconv.FormatFloat(value, 'f', -1, 64))
}

// labels writes labels as the format escapes them. Text that is not UTF-8
// would make the whole file unreadable, and a terminal obeys control characters.
func labels(job string, pairs ...string) string {
	var b strings.Builder
	escaper := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	escape := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return '\uFFFD'
			}
			return r
		}, escaper.Replace(strings.ToValidUTF8(s, "\uFFFD")))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, `%s="%s",`, pairs[i], escape(pairs[i+1]))
	}
	return fmt.Sprintf(`{%sjob_file="%s"}`, b.String(), escape(job))
}

// seconds is a moment as Prometheus counts; the zero moment is 0.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
