package pipeline_test

import (
	"testing"
	"time"

	"understudy/internal/engine/faulty"
	"understudy/internal/engine/sqlite"
	"understudy/internal/fault"
	"understudy/internal/pipeline"
)

// Of two runs that start together one alone reads production: the other ends
// before it has looked for a row. What the first does not load it lets go of.
func TestOneOfTwoRunsReads(t *testing.T) {
	s := newShop(t)
	open := func(run string, e *faulty.Engine) *pipeline.Session {
		t.Helper()
		source, err := e.Parse(s.job.Source)
		if err != nil {
			t.Fatal(err)
		}
		target, err := e.Parse(s.job.Target)
		if err != nil {
			t.Fatal(err)
		}
		session, err := pipeline.Open(t.Context(), pipeline.Input{Job: s.job, Rules: s.rules, Key: s.key, Engine: e, SourceAt: source, TargetAt: target, RunID: run, Now: time.Now(), Claim: true})
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	first := open("one", faulty.New(sqlite.New()))
	if _, err := first.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := faulty.New(sqlite.New())
	second := open("two", late)
	if _, err := second.Plan(t.Context()); fault.CodeOf(err) != fault.Refused {
		t.Errorf("the second run: %v", err)
	}
	if n := late.Calls(faulty.Snapshot) + late.Calls(faulty.Find) + late.Calls(faulty.Read); n > 0 {
		t.Errorf("it read %d times", n)
	}
	for _, session := range []*pipeline.Session{first, second} {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.refresh(t, sqlite.New(), "three"); err != nil {
		t.Errorf("a run after both: %v", err)
	}
}
