package check

import (
	"math"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

func TestRowsMustBeEqualAtAllFivePlaces(t *testing.T) {
	whole := Ledger{Selected: 7, Read: 7, Masked: 7, Sent: 7, Counted: 7}
	if v := Rows(whole); v.Outcome != Passed {
		t.Errorf("equal counts: %s", v.Outcome)
	}
	for name, change := range map[string]func(*Ledger){
		"selected": func(l *Ledger) { l.Selected++ }, "read": func(l *Ledger) { l.Read-- }, "masked": func(l *Ledger) { l.Masked-- },
		"sent": func(l *Ledger) { l.Sent++ }, "counted": func(l *Ledger) { l.Counted-- },
	} {
		l := whole
		change(&l)
		if v := Rows(l); v.Outcome != Failed {
			t.Errorf("one row off in %s: %s", name, v.Outcome)
		}
	}
}

func TestNullsStayNulls(t *testing.T) {
	for _, c := range []struct {
		column Column
		want   Outcome
	}{
		{Column{Nulls: 3, Counted: 3}, Passed},
		{Column{Nulls: 3, Made: 4, Counted: 7}, Passed},
		{Column{Nulls: 3, Made: 1, Nullified: 2, Counted: 6}, Passed},
		{Column{Nulls: 3, Nullified: 2, Counted: 4}, Failed},
		{Column{Nulls: 3, Counted: 2}, Failed},
		{Column{Nulls: 3, Counted: 4}, Failed},
	} {
		if v := Nulls(c.column); v.Outcome != c.want {
			t.Errorf("%+v: %s, want %s", c.column, v.Outcome, c.want)
		}
	}
}

// An unmasked column must be seen even where it holds few values, and an honest
// one must not be blamed for what chance does.
func TestChangedTellsMaskedFromUnmasked(t *testing.T) {
	for _, c := range []struct {
		name   string
		column Column
		want   Outcome
	}{
		{"nothing equal", Column{Distinct: 1000, Expected: 0.2}, Passed},
		{"one of forty-eight by chance", Column{Distinct: 48, Same: 1, Expected: 48. / 3000}, Passed},
		{"forty-eight of forty-eight", Column{Distinct: 48, Same: 48, Expected: 48. / 3000}, Failed},
		{"five of five", Column{Distinct: 5, Same: 5, Expected: 5. / 3000}, Failed},
		{"one where chance makes none", Column{Distinct: 10, Same: 1}, Failed},
		{"a fair number of a small space", Column{Distinct: 100, Same: 14, Expected: 10}, Passed},
		{"all of a small space", Column{Distinct: 100, Same: 100, Expected: 10}, Failed},
		{"a constant", Column{Distinct: 3, Same: 3, Expected: 3, Blind: true}, Passed},
		{"an empty column", Column{}, Passed},
		{"chance of everything", Column{Distinct: 9, Same: 9, Expected: math.Inf(1)}, Passed},
	} {
		if v := Changed(c.column); v.Outcome != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, v.Outcome, v.Detail, c.want)
		}
	}
}

func TestJudgeStopsOnFailuresAndTellsWhatWasNotMeasured(t *testing.T) {
	fs := Judge([]Verdict{
		Proved(engine.Proof{Kind: "foreign-key", Table: schema.Name{Schema: "public", Table: "orders"}, Name: "fk", Method: "anti-join"}),
		Proved(engine.Proof{Kind: "foreign-key", Table: schema.Name{Schema: "public", Table: "orders"}, Name: "fk2", Failures: 2}),
		Proved(engine.Proof{Kind: "sequence", Name: "s", Failures: -1, Detail: "no privilege"}),
	})
	if len(fs) != 2 {
		t.Fatalf("%d findings, want 2: %v", len(fs), fs)
	}
	if fs[0].Severity != finding.Error || fs[0].Code != int(fault.Integrity) || fs[0].Table != "public.orders" {
		t.Errorf("failed proof: %+v", fs[0])
	}
	if fs[1].Severity != finding.Warning || fs[1].Code != int(fault.Unmeasured) {
		t.Errorf("unmeasured proof: %+v", fs[1])
	}
}

func TestStartRefusesWhatMayBeSomebodysDatabase(t *testing.T) {
	rows := []schema.Name{{Schema: "public", Table: "orders"}}
	for _, c := range []struct {
		name  string
		state engine.State
		claim bool
		want  int
	}{
		{"empty", engine.State{}, false, 0},
		{"claimed", engine.State{Claimed: true, Rows: rows}, false, 0},
		{"rows, no marker", engine.State{Rows: rows}, false, 1},
		{"rows, claimed now", engine.State{Rows: rows}, true, 0},
		{"obstacles stay", engine.State{Claimed: true, Obstacles: []string{"a", "b"}}, true, 2},
		{"no room", engine.State{Claimed: true, Shortage: "a"}, true, 1},
	} {
		fs := Start(&c.state, c.claim)
		if len(fs) != c.want {
			t.Errorf("%s: %d findings, want %d", c.name, len(fs), c.want)
		}
		for _, f := range fs {
			want := fault.Refused
			if c.state.Shortage != "" {
				want = fault.Unavailable
			}
			if f.Code != int(want) {
				t.Errorf("%s: code %d", c.name, f.Code)
			}
		}
	}
}
