package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/mask"
	"understudy/internal/rules"
	"understudy/internal/scratch/scratchtest"
)

// TestDividedTablesAreTheSame: a table that is read and written in parts has the
// rows, the counts and the proofs that it has in one piece; a subset of it, too.
func TestDividedTablesAreTheSame(t *testing.T) {
	const structure = "CREATE TABLE big (id int PRIMARY KEY, name text NOT NULL, mail text UNIQUE, doc jsonb, pad text);"
	production := scratchtest.Database(t)
	scratchtest.SQL(t, production, structure+`
		INSERT INTO big SELECT i, 'Name ' || i % 5000, CASE WHEN i % 3 > 0 THEN 'person' || i || '@shop.test' END, jsonb_build_object('name', 'Name ' || i, 'n', i), repeat('x', 600)
		FROM generate_series(1, 60000) i; ANALYZE big`)
	key, text, err := mask.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	file, found := rules.Parse("rules.yaml", []byte(`version: 1
tables:
  big: {columns: {"id, pad": {keep: "invented"}, name: full_name, mail: email, doc: {json: {$.name: full_name}, others: redact}}}
`))
	dir := t.TempDir()
	var first string
	for _, subset := range []string{"", "subset: {seeds: [{table: big, where: \"id % 100 <> 1\"}]}\n"} {
		var report any
		for _, readers := range []int{1, 4} {
			staging := scratchtest.Database(t)
			scratchtest.SQL(t, staging, structure)
			path := filepath.Join(dir, "job.yaml")
			job := fmt.Sprintf("version: 1\nsource: ${PROD_URL}\ntarget: ${STAGING_URL}\nkey: {env: UNDERSTUDY_KEY}\nrules: [rules.yaml]\ntarget_is_a_clone: \"one server made both\"\nload: {keep: 0}\nlimits: {readers: %d}\n%s", readers, subset)
			if err := os.WriteFile(path, []byte(job), 0o600); err != nil {
				t.Fatal(err)
			}
			read, more := config.Read(path, func(name string) string {
				return map[string]string{"PROD_URL": production, "STAGING_URL": staging, "UNDERSTUDY_KEY": text.Reveal()}[name]
			})
			if err := fault.From(append(found, more...), fault.Usage); err != nil {
				t.Fatal(err)
			}
			r := refreshOnce(t, read, file, key)
			rows := scratchtest.Query(t, staging, "SELECT count(*), md5(string_agg(big::text, ',' ORDER BY id)) FROM big WHERE id % 100 <> 1")
			told := []any{r.Ledger, r.Verification, r.TotalRows, r.Bytes, r.Masks}
			if first == "" {
				first = rows
			}
			if rows != first {
				t.Errorf("with %d readers, %q: %s, at first: %s", readers, subset, rows, first)
			}
			if report == nil {
				report = told
				continue
			}
			if !reflect.DeepEqual(told, report) {
				t.Errorf("with %d readers the report says\n%v, with one\n%v", readers, told, report)
			}
		}
	}
}
