package pipeline_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"understudy/internal/config"
	"understudy/internal/engine/postgres"
	"understudy/internal/fault"
	"understudy/internal/mask"
	"understudy/internal/pipeline"
	"understudy/internal/rules"
	"understudy/internal/scratch/scratchtest"
)

// BenchmarkRefresh carries out a whole refresh and reports the seconds of its
// stages; with -cpuprofile it shows what the client does meanwhile.
//
// UNDERSTUDY_BENCH_SOURCE and UNDERSTUDY_BENCH_TARGET name the databases of
// testdata/bench, UNDERSTUDY_BENCH_JOB a job there (subset-0.1 if it is empty);
// without them one small database becomes another, which shows the fixed cost.
func BenchmarkRefresh(b *testing.B) {
	dir, name := filepath.Join("..", "..", "testdata", "bench"), cmp.Or(os.Getenv("UNDERSTUDY_BENCH_JOB"), "subset-0.1")+".yaml"
	source, target := os.Getenv("UNDERSTUDY_BENCH_SOURCE"), os.Getenv("UNDERSTUDY_BENCH_TARGET")
	if source == "" || target == "" {
		source, target = scratchtest.Database(b), scratchtest.Database(b)
		scratchtest.SQL(b, source, smallShop)
		scratchtest.SQL(b, target, smallShop)
		dir, name = b.TempDir(), "small.yaml"
		for file, text := range map[string]string{name: smallJob, "rules.yaml": smallRules} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "rules.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	file, found := rules.Parse("rules.yaml", data)
	key, text, err := mask.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	job, more := config.Read(filepath.Join(dir, name), func(name string) string {
		return map[string]string{"PROD_URL": source, "STAGING_URL": target, "UNDERSTUDY_KEY": text.Reveal()}[name]
	})
	if err := fault.From(append(found, more...), fault.Usage); err != nil {
		b.Fatal(err)
	}
	spent, runs := map[pipeline.Stage]float64{}, 0.0
	for b.Loop() {
		start := time.Now()
		report := refreshOnce(b, job, file, key)
		all := time.Since(start).Seconds()
		for _, t := range report.Timings {
			spent[t.Stage] += t.Seconds
			all -= t.Seconds
		}
		spent["plan"] += all
		runs++
		b.ReportMetric(float64(report.TotalRows), "rows")
	}
	for stage, seconds := range spent {
		b.ReportMetric(seconds/runs, string(stage)+"-s")
	}
}

func refreshOnce(b testing.TB, job *config.Job, file *rules.File, key mask.Key) *pipeline.Report {
	e := postgres.New()
	from, err := e.Parse(job.Source)
	if err != nil {
		b.Fatal(err)
	}
	to, err := e.Parse(job.Target)
	if err != nil {
		b.Fatal(err)
	}
	// The run's name must not be that of an earlier one on the same target.
	session, err := pipeline.Open(b.Context(), pipeline.Input{Job: job, Rules: []*rules.File{file}, Key: key, Engine: e, SourceAt: from, TargetAt: to,
		RunID: "bench" + time.Now().UTC().Format("20060102150405.000000"), Now: time.Now().UTC(), Claim: true})
	if err != nil {
		b.Fatal(err)
	}
	defer session.Close()
	if _, err := session.Plan(b.Context()); err != nil {
		b.Fatal(err)
	}
	report, err := session.Run(b.Context(), context.WithoutCancel(b.Context()))
	if err != nil {
		b.Fatal(err)
	}
	return report
}

const smallJob = `version: 1
source: ${PROD_URL}
target: ${STAGING_URL}
key: {env: UNDERSTUDY_KEY}
rules: [rules.yaml]
target_is_a_clone: "one server made both for this benchmark"
load: {keep: 0}
subset:
  seeds: [{table: accounts, percent: 1}]
report: {dir: reports}
`

const smallRules = `version: 1
tables:
  accounts: {columns: {"id, owner_id": {keep: "numbers"}, name: full_name}}
  users: {columns: {"id, account_id, bio": {keep: "numbers"}, name: full_name}}
  products: {columns: {"id, name": {keep: "invented"}}}
  orders: {columns: {"id, account_id, user_id, note": {keep: "invented"}}}
  lines: {columns: {"id, order_id, product_id, n": {keep: "invented"}}}
  messages: {columns: {"id, user_id, reply_to, body": {keep: "invented"}}}
`
