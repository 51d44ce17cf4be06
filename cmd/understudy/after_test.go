package main

import (
	"encoding/json"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

const fixups = `-- a person to log in as; the number after the last is taken
INSERT INTO people (name, email, code, feeling) VALUES ('Tester', 'tester@example.com', 'semi;colon', 'glad');
UPDATE visits SET note = $$it's; staging$$ WHERE id = 1;
WITH gone AS (DELETE FROM visits WHERE id = 2 RETURNING id) SELECT count(*) FROM gone;
`

// The statements of load.after change the generation, whichever way it is
// switched in, and are told by their hash.
func TestAfter(t *testing.T) {
	for _, mode := range scratchtest.Some(t, []string{"mode: swap, keep: 0", "mode: replace"}, 1) {
		t.Run(mode, func(t *testing.T) {
			e, _, staging := peopleErrand(t, "")
			e.write(t, "understudy.yaml", plainJob("load: {"+mode+", after: sql/fixups.sql}"))
			e.refuses(t, staging, 2).wants(t, "there is no file", "sql/fixups.sql", "understudy.yaml:")
			e.write(t, "sql/fixups.sql", fixups)
			var told struct {
				After struct {
					SHA256     string `json:"sha256"`
					Statements int
				}
			}
			for range 2 { // the second run meets what the first one's statements left
				if err := json.Unmarshal([]byte(e.run(t, 0, "refresh", "--json").out), &told); err != nil || told.After.Statements != 3 || len(told.After.SHA256) != 64 {
					t.Errorf("told %+v, %v", told, err)
				}
				got := scratchtest.Query(t, staging, "SELECT (SELECT string_agg(id || code || loud, '') FROM people WHERE name = 'Tester'), (SELECT count(*) FROM people), (SELECT note FROM visits WHERE id = 1), (SELECT count(*) FROM visits)")
				if got != "301semi;colonSEMI;COLON\t301\tit's; staging\t899" {
					t.Errorf("rows: %s", got)
				}
			}
			if next := scratchtest.Query(t, staging, "INSERT INTO people (name, email, code, feeling) VALUES ('x', 'x', 'x', 'sad') RETURNING id"); !strings.HasPrefix(next, "302") {
				t.Errorf("the next number is %s", next)
			}
			scratchtest.SQL(t, staging, "DELETE FROM people WHERE id = 302")
			e.runWith(t, map[string]string{"UNDERSTUDY_KEY": e.env["UNDERSTUDY_KEY"]}, 7, "verify").wants(t, "load.after changed rows after they were masked")
			e.run(t, 0, "plan").wants(t, "3 statements of", "fixups.sql")
			for text, want := range map[string]struct {
				code int
				says string
			}{
				"SELECT 1;\nCOMMIT;\n\\! ls\nDROP TABLE visits":                             {2, "fixups.sql:3: "},
				"SELECT 1;\n\nINSERT INTO visits (person_id, note) VALUES (4711, 'cAnArY')": {5, "fixups.sql:3: "},
				"SELECT 1;\nUPDATE people SET code = NULL WHERE name = 'cAnArY' OR true":    {5, "fixups.sql:2: "},
				"SELECT cAnArY FROM people":                                                 {2, "fixups.sql:1: "},
				"SELECT 1/0":                                                                {5, "statement 1"},
				"SELECT pg_terminate_backend(pg_backend_pid())":                             {6, "statement 1"},
			} {
				e.write(t, "sql/fixups.sql", text)
				s := e.refuses(t, staging, want.code)
				s.wants(t, want.says)
				if strings.Contains(s.all(), "cAnArY") || strings.Contains(s.all(), "4711") {
					t.Errorf("%q: a value was said: %s", text, s.all())
				}
			}
			if left := leftovers(t, staging); left != "" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

// leftovers lists what a run left in or beside a target.
func leftovers(t *testing.T, staging string) string {
	t.Helper()
	return scratchtest.Query(t, staging, `SELECT nspname FROM pg_namespace WHERE nspname = 'understudy_next' UNION ALL SELECT datname FROM pg_database WHERE datname LIKE current_database() || '\_%'`)
}
