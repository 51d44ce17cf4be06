// Package rules_test keeps the sample rules true to the sample databases: they
// decide every column there is by masks that fit, name none that there is not,
// and the jobs beside them are read without a mistake.
package rules_test

import (
	"os"
	"path/filepath"
	"testing"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/engine/postgres"
	"understudy/internal/finding"
	"understudy/internal/mask"
	"understudy/internal/rules"
	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

func TestSampleRulesDecideEveryColumn(t *testing.T) {
	for name, dumps := range map[string][]string{
		"pagila": {"pagila/pagila.sql.gz"},
		"sakila": {"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			db := scratchtest.Database(t)
			for _, dump := range dumps {
				scratchtest.Load(t, db, scratchtest.SampleDatabase(t, dump))
			}
			text, err := os.ReadFile(name + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			file, found := rules.Parse(name+".yaml", text)
			none(t, found)
			e := postgres.New()
			at, err := e.Parse(secret.New(db))
			if err != nil {
				t.Fatal(err)
			}
			source, err := e.Source(t.Context(), at, engine.Limits{}.WithDefaults())
			if err != nil {
				t.Fatal(err)
			}
			defer source.Close()
			structure, err := source.Inspect(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			binding, found := rules.Bind([]*rules.File{file}, structure)
			none(t, found)
			key, _, err := mask.NewKey()
			if err != nil {
				t.Fatal(err)
			}
			masked := map[string]bool{}
			for _, d := range binding.Decisions {
				switch d.Outcome {
				case rules.Undecided:
					t.Errorf("%s.%s has no decision", d.Table, d.Column)
				case rules.Mask:
					masked[d.Table.String()+"."+d.Column] = true
					if _, err := mask.New(key, d.Spec, d.Limits); err != nil {
						t.Errorf("%s.%s: %v", d.Table, d.Column, err)
					}
				}
			}
			for _, column := range []string{"public.customer.email", "public.customer.last_name", "public.staff.password", "public.address.phone"} {
				if !masked[column] {
					t.Errorf("%s is not masked", column)
				}
			}
		})
	}
}

func TestSampleJobsAreRead(t *testing.T) {
	jobs, err := filepath.Glob("examples/*-job.yaml")
	if err != nil || len(jobs) == 0 {
		t.Fatalf("no sample jobs (%v)", err)
	}
	environment := map[string]string{"PROD_URL": "postgres://reader@production/db", "STAGING_URL": "postgres://owner@staging/db"}
	for _, path := range jobs {
		job, found := config.Read(path, func(name string) string { return environment[name] })
		none(t, found)
		for _, pattern := range job.Rules {
			if matches, err := filepath.Glob(filepath.Join(job.Dir, pattern.Value)); err != nil || len(matches) == 0 {
				t.Errorf("%s: %s names no file (%v)", path, pattern.Value, err)
			}
		}
	}
}

func none(t *testing.T, found []finding.Finding) {
	t.Helper()
	for _, f := range found {
		t.Errorf("%s", f)
	}
}
