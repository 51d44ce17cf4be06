package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/check"
	"understudy/internal/fault"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/schema"
)

// exposed reads Prometheus' text format strictly: every metric has its HELP and
// TYPE once and before its samples, samples stand together, none is there twice,
// every value is a number. It gives the samples by name and labels, unescaped.
func exposed(t *testing.T, text string) map[string]float64 {
	t.Helper()
	name := regexp.MustCompile(`^understudy_[a-z_]+$`)
	label := regexp.MustCompile(`^([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(,|\})`)
	unescape := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
	samples, seen := map[string]float64{}, map[string]bool{}
	present, typed := "", false
	if !strings.HasSuffix(text, "\n") {
		t.Fatal("the last line does not end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if help, ok := strings.CutPrefix(line, "# HELP "); ok {
			n, doc, _ := strings.Cut(help, " ")
			if !name.MatchString(n) || doc == "" || seen[n] {
				t.Fatalf("HELP: %q", line)
			}
			present, typed, seen[n] = n, false, true
			continue
		}
		if line == "# TYPE "+present+" gauge" && !typed {
			typed = true
			continue
		}
		n, rest, ok := strings.Cut(line, "{")
		if !ok || n != present || !typed {
			t.Fatalf("a sample outside its metric: %q", line)
		}
		key := n
		for done := false; !done; {
			m := label.FindStringSubmatch(rest)
			if m == nil {
				t.Fatalf("labels: %q", line)
			}
			rest, done = rest[len(m[0]):], m[3] == "}"
			if m[1] != "job_file" {
				key += " " + unescape.Replace(m[2])
			}
		}
		value, err := strconv.ParseFloat(strings.TrimPrefix(rest, " "), 64)
		if err != nil || !strings.HasPrefix(rest, " ") {
			t.Fatalf("value: %q", line)
		}
		if _, twice := samples[key]; twice {
			t.Fatalf("twice: %q", line)
		}
		samples[key] = value
	}
	return samples
}

// TestMetricsOfARun writes a run's figures with hostile names and reads them back.
func TestMetricsOfARun(t *testing.T) {
	ended := time.Unix(1_790_000_000, 0).UTC()
	hostile := "a\"b\\c\nd\xff"
	r := &pipeline.Report{Plan: &plan.Plan{}, TotalRows: 12, Bytes: 345, Verification: []check.Verdict{{Outcome: check.Passed}, {Outcome: check.Passed}, {Outcome: check.Unmeasured}}}
	r.Tables = []plan.Table{{Table: schema.Name{Schema: "main", Table: hostile}, Rows: 12, Fate: plan.Copied}, {Table: schema.Name{Table: "own"}, Fate: plan.Preserved}}
	drift := &parity.Report{Score: 87.5, Differences: []parity.Difference{{Kind: "column", Effect: parity.BreaksLoad}, {Kind: "column", Effect: parity.BreaksLoad}, {Kind: "odd"}}, Compared: []parity.Count{{Kind: "column"}, {Kind: "view"}}}
	m := Metrics{Page: Page{Command: "refresh", Code: fault.Unmeasured, Version: "0.1.0", Ended: ended, Plan: r.Plan, Run: r, Parity: drift},
		JobFile: hostile, Seconds: 1.5, Stages: []pipeline.Timing{{Stage: pipeline.StageLoad, Seconds: 0.000001}, {Stage: pipeline.StageProve, Seconds: 1}},
		Former: Former{Success: ended.Add(-24 * time.Hour), Generation: ended.Add(-time.Hour)}}
	var b bytes.Buffer
	if err := WriteMetrics(&b, m); err != nil {
		t.Fatal(err)
	}
	got := exposed(t, b.String())
	for key, want := range map[string]float64{
		"understudy_build_info 0.1.0": 1, "understudy_last_run_timestamp_seconds": 1_790_000_000, "understudy_last_run_exit_code": 7,
		"understudy_last_success_timestamp_seconds": 1_790_000_000 - 86400, "understudy_last_generation_timestamp_seconds": 1_790_000_000,
		"understudy_last_run_outcome unmeasured": 1, "understudy_last_run_outcome done": 0, "understudy_last_run_duration_seconds": 1.5,
		"understudy_last_run_stage_seconds load": 0.000001, "understudy_last_run_stage_seconds prove": 1, "understudy_last_run_rows": 12, "understudy_last_run_bytes": 345,
		"understudy_generation_table_rows main.\"a\"\"b\\c\nd\uFFFD\"": 12, "understudy_last_run_proofs passed": 2, "understudy_last_run_proofs failed": 0, "understudy_last_run_proofs not measured": 1,
		"understudy_parity_differences column": 2, "understudy_parity_differences view": 0, "understudy_parity_differences odd": 1,
		"understudy_parity_score": 87.5, "understudy_parity_effects breaks the load": 2, "understudy_parity_effects cosmetic": 0, "understudy_parity_effects loses data": 0,
		"understudy_parity_effects an application would fail": 0, "understudy_parity_effects changes behaviour": 0, "understudy_parity_effects changes a rehearsal's outcome": 0,
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v (there: %v), want %v", key, value, ok, want)
		}
		delete(got, key)
	}
	for key := range got {
		if !strings.HasPrefix(key, "understudy_last_run_outcome ") {
			t.Errorf("%s was not expected", key)
		}
	}
	if f := ReadFormer(b.Bytes(), hostile); !f.Success.Equal(m.Former.Success) || !f.Generation.Equal(ended) {
		t.Errorf("read back: %+v", f)
	}
	if f := ReadFormer(b.Bytes(), "another.yaml"); f != (Former{}) {
		t.Errorf("another job's success counts: %+v", f)
	}
}

// TestMetricsOfEveryExit: a failed run keeps the success before it and moves
// nothing; what was not measured has no line.
func TestMetricsOfEveryExit(t *testing.T) {
	ended, before := time.Unix(2000, 0).UTC(), time.Unix(1000, 0).UTC()
	for _, code := range codes {
		var b bytes.Buffer
		if err := WriteMetrics(&b, Metrics{Page: Page{Code: code, Ended: ended}, Former: Former{before, before}}); err != nil {
			t.Fatal(err)
		}
		got := exposed(t, b.String())
		success, generation := 1000.0, 1000.0
		switch code {
		case fault.Done:
			success, generation = 2000, 2000
		case fault.Unmeasured, fault.LaterFailed:
			generation = 2000
		}
		if got[successMetric] != success || got[generationMetric] != generation || got["understudy_last_run_timestamp_seconds"] != 2000 {
			t.Errorf("exit %d: success %v, generation %v", code, got[successMetric], got[generationMetric])
		}
		if got["understudy_last_run_exit_code"] != float64(code) || got["understudy_last_run_outcome "+code.Outcome()] != 1 {
			t.Errorf("exit %d: %v", code, got)
		}
		for key := range got {
			if strings.HasPrefix(key, "understudy_parity") || strings.HasPrefix(key, "understudy_last_run_proofs") || strings.HasPrefix(key, "understudy_generation_table_rows") {
				t.Errorf("exit %d: %s was not measured and is there", code, key)
			}
		}
	}
}

// TestFormerOfGarbage: a file of somebody else's tells nothing.
func TestFormerOfGarbage(t *testing.T) {
	for _, text := range []string{"", "\x00\xff", successMetric, fmt.Sprintf("%s%s many\n%[1]s%[2]s -5\n%[1]s%[2]s 1e300\n%[1]s%[2]s NaN", successMetric, labels("job"))} {
		if f := ReadFormer([]byte(text), "job"); f != (Former{}) {
			t.Errorf("%q tells %+v", text, f)
		}
	}
}
