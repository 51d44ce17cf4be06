package pipeline_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/engine/faulty"
	"understudy/internal/engine/sqlite"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/pipeline"
)

// On SQLite too, statements change the generation or the target stays as it is.
func TestStatementsAfterTheLoad(t *testing.T) {
	s := newShop(t)
	s.after = &pipeline.After{File: "fixups.sql", Text: "UPDATE [employees] SET full_name = 'it''s; me' WHERE id = 1; -- ;\nINSERT INTO countries (code, name) VALUES ('XX', 'Nowhere');"}
	if err := s.refresh(t, sqlite.New(), "one"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", s.staging)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	look := func() (name string, countries int) {
		t.Helper()
		if err := db.QueryRow("SELECT full_name, (SELECT count(*) FROM countries) FROM employees WHERE id = 1").Scan(&name, &countries); err != nil {
			t.Fatal(err)
		}
		return name, countries
	}
	name, countries := look()
	if name != "it's; me" || countries != 13 {
		t.Errorf("%s, %d countries", name, countries)
	}
	for text, want := range map[string]fault.Code{
		"SELECT 1;\nDELETE FROM employees":              fault.Integrity, // others refer to them
		"SELECT 1; ROLLBACK":                            fault.Usage,
		"PRAGMA foreign_keys=OFF; SELECT 1":             fault.Usage,
		"INSERT INTO countries VALUES ('cAnArY', NULL)": fault.Integrity,
		"SELECT cAnArY FROM nowhere":                    fault.Usage,
	} {
		s.after.Text = text
		err := s.refresh(t, sqlite.New(), "two")
		if fault.CodeOf(err) != want || !strings.Contains(err.Error(), "fixups.sql:") {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "cAnArY") {
			t.Errorf("a value is told: %v", err)
		}
		if after, n := look(); after != name || n != countries {
			t.Errorf("%q changed the target", text)
		}
	}
}

// limited is an engine whose targets are no more than targets.
type limited struct{ *faulty.Engine }

type limitedTarget struct{ engine.Target }

func (l limited) Target(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Target, error) {
	t, err := l.Engine.Target(ctx, at, limits)
	return limitedTarget{t}, err
}

func (l limited) Apart(ctx context.Context, from engine.Source, to engine.Target) (engine.Distance, error) {
	return l.Engine.Apart(ctx, from, to.(limitedTarget).Target)
}

// An engine that cannot do what the job asks says so, with the place, and reads nothing.
func TestWhatAnEngineCannotDoIsRefused(t *testing.T) {
	s := newShop(t)
	engine := limited{faulty.New(sqlite.New())}
	s.job.Load.Mode, s.job.Load.ModeAt = "replace", finding.At{File: "understudy.yaml", Line: 7, Col: 3}
	if err := s.refresh(t, engine, "one"); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "understudy.yaml:7:3") {
		t.Errorf("mode: %v", err)
	}
	s.job.Load.Mode = "swap"
	s.after = &pipeline.After{File: "fixups.sql", Text: "SELECT 1", At: finding.At{File: "understudy.yaml", Line: 8, Col: 3}}
	if err := s.refresh(t, engine, "one"); fault.CodeOf(err) != fault.Usage || !strings.Contains(err.Error(), "understudy.yaml:8:3") {
		t.Errorf("after: %v", err)
	}
	if n := engine.Calls(faulty.Read); n > 0 {
		t.Errorf("%d tables were read", n)
	}
}
