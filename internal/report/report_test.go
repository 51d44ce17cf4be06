package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"understudy/internal/check"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// A plan of very many columns names them by table, and says where each stands.
func TestPlanOfManyColumnsIsShort(t *testing.T) {
	p := &plan.Plan{}
	for i := range 400 {
		p.Masks = append(p.Masks, plan.Mask{Table: schema.Name{Schema: "s", Table: fmt.Sprintf("t%d", i/10)}, Column: fmt.Sprintf("c%d", i), Type: "text", Decision: rules.Mask, Mask: "email"})
	}
	var out bytes.Buffer
	Plan(&out, p)
	if n := strings.Count(out.String(), "\n"); n > 120 || !strings.Contains(out.String(), "understudy rules list") || !strings.Contains(out.String(), "c399") {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

// TestPlanReads lays out a plan with long, wide and hostile names: it fits, it
// tells a message once, and nothing steers the terminal.
func TestPlanReads(t *testing.T) {
	name := func(s string) schema.Name { return schema.Name{Schema: "main", Table: s} }
	at := finding.At{File: "/srv/job/rules/shop.yaml", Line: 12, Col: 5}
	orders, long := name("orders"), name(strings.Repeat("long_", 12)+"name")
	p := &plan.Plan{
		RunID: "r", Source: "sqlite:a.db", Target: "sqlite:b.db", KeyFingerprint: "k", Structure: "target",
		Tables: []plan.Table{
			{Table: orders, Rows: 12345, Of: 1234567, Fate: plan.Copied, Reason: "seed; reached from main.orders.customer_id; reached from main.orders.ship_to; needed by main.items.order_id"},
			{Table: name("客户"), Rows: 7, Of: 7, About: true, Fate: plan.Copied, Reason: "whole: all"},
			{Table: name("a\x1b[31m\nb"), Rows: 1, Of: -1, Fate: plan.Copied, Reason: strings.Repeat("needed by main.one.a; ", 20) + "seed"},
			{Table: long, Fate: plan.Preserved, Of: -1, Reason: "staging's own rows are carried over"},
		},
		Masks: []plan.Mask{
			{Table: orders, Column: "note", Type: "TEXT", Decision: rules.Mask, Mask: "redact", At: at},
			{Table: orders, Column: "email", Type: "TEXT", Decision: rules.Mask, Mask: "email", By: rules.ByReference, Via: "main.customers.email"},
			{Table: orders, Column: "id", Decision: rules.Keep, Reason: "a number", At: at},
			{Table: orders, Column: "total", Decision: rules.Keep, Reason: "a number", At: at},
			{Table: orders, Column: "new", Type: "TEXT", Decision: rules.Undecided},
		},
		Fragments: []plan.Fragment{{At: at, Text: "a > 1"}},
		Parity:    &parity.Report{Differences: []parity.Difference{{Kind: "view", Object: "main.v", Table: "main.v", Change: "missing in target", SQL: "CREATE VIEW v"}}},
	}
	for _, c := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		p.Findings = append(p.Findings, finding.Finding{Severity: finding.Warning, Table: "main.orders", Column: c, Message: "the target is narrower"})
	}
	var b bytes.Buffer
	Plan(&b, p)
	text := b.String()
	for line := range strings.Lines(text) {
		if n := columns(strings.TrimRight(line, "\n")); n > Width && !strings.Contains(line, "long_") {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsRune(line, '\x1b') {
			t.Errorf("an escape reaches the terminal: %q", line)
		}
	}
	for _, want := range []string{
		"main.orders 12,345 ~1,234,567 seed; reached by customer_id, ship_to; needed by items.order_id",
		`main."客户" ~7 ~7 whole: all`, "note TEXT redact shop.yaml:12:5 email TEXT email as main.customers.email new TEXT UNDECIDED", "2 a number",
		"2 masked, 2 kept, 1 UNDECIDED", "shop.yaml:12:5 a > 1", "view: missing in target", "To look at: 1 main.orders.a,", "and 2 more: the target is narrower",
		`main."a\u{1b}[31m\nb"`,
	} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "CREATE VIEW") {
		t.Error("closing SQL stands in the plan")
	}
}

// TestVerdictsCount tells passed, failed and not measured apart.
func TestVerdictsCount(t *testing.T) {
	for _, c := range []struct {
		outcomes []check.Outcome
		want     string
	}{
		{[]check.Outcome{check.Passed, check.Passed}, "Proofs: 2, all passed\n  rows 2\n"},
		{[]check.Outcome{check.Passed, check.Unmeasured}, "Proofs: 2, 1 not measured\n  rows 1 of 2\n"},
		{[]check.Outcome{check.Unmeasured, check.Failed}, "Proofs: 2, 1 did NOT pass\n  rows 0 of 2\n"},
	} {
		var vs []check.Verdict
		for _, o := range c.outcomes {
			vs = append(vs, check.Verdict{Check: "rows", Outcome: o, Detail: "why"})
		}
		var b bytes.Buffer
		Verdicts(&b, vs)
		if !strings.HasPrefix(b.String(), c.want) {
			t.Errorf("%v reads as %q, want %q", c.outcomes, b.String(), c.want)
		}
	}
}

// TestVerdictsTellWhatIsExcused: rows that break a constraint which the database never
// asked of them fail nothing, and are told.
func TestVerdictsTellWhatIsExcused(t *testing.T) {
	var b bytes.Buffer
	Verdicts(&b, []check.Verdict{{Check: "check", Outcome: check.Passed, Detail: "late: declared", Excused: 3}, {Check: "check", Outcome: check.Passed}})
	for _, want := range []string{"Proofs: 2, all passed, 1 with rows that the database excuses", "check 2\n", "excused", "late: declared (3 here)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %q", b.String(), want)
		}
	}
}

// TestFit cuts at a width without splitting a wide letter.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{{"short", 10, "short"}, {"exactly ten", 11, "exactly ten"}, {"too long", 5, "too …"}, {"客户名单", 5, "客户…"}, {"a\x1b[2J\nb", 20, `a\u{1b}[2J\nb`}} {
		if got := Fit(c.text, c.width); got != c.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
