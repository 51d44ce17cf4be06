package main

import (
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestDraftIsEnoughForADatabaseNobodyPrepared drafts job and rules from the
// database alone, as somebody does on the first day, and refreshes with them.
func TestDraftIsEnoughForADatabaseNobodyPrepared(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{
		"shop":    nil,
		"chinook": {"chinook/chinook-pg.sql.gz"},
		"pagila":  {"pagila/pagila.sql.gz"},
		"sakila":  {"sakila/sakila-pg-schema.sql.gz", "sakila/sakila-pg-data.sql.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, f := range files {
				files[i] = scratchtest.SampleDatabase(t, f)
			}
			prod, staging := scratchtest.Database(t), scratchtest.Database(t)
			if files == nil {
				fillShop(t, prod, "")
			}
			for _, f := range files {
				scratchtest.Load(t, prod, f)
			}
			e := &errand{dir: t.TempDir(), env: map[string]string{"PROD_URL": prod, "STAGING_URL": staging, "UNDERSTUDY_KEY": testKey}}
			e.run(t, 0, "init", "--source", "${PROD_URL}", "--target", "${STAGING_URL}")
			e.run(t, 0, "rules", "check")
			e.run(t, 0, "refresh")
			wantWhole(t, prod, staging)
			wantAllRows(t, prod, staging)
			e.run(t, 0, "verify")
		})
	}
}
