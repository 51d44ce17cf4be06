package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
)

// ciPage has an open, a waived, an expected and a cosmetic difference under
// hostile names, a gate that passed and one that did not.
func ciPage() Page {
	const hostile = "a<b>&\"']]>\x1b[31m\n\u202e💥; DROP TABLE x"
	d := func(effect parity.Effect, waived string, expected bool) parity.Difference {
		return parity.Difference{ID: "1", Kind: "column", Object: "s." + hostile + ".c", Table: "s." + hostile, Change: "different", Detail: hostile, Effect: effect, Why: "why",
			Waived: waived, Expected: expected, Cause: hostile, SQL: "ALTER TABLE " + hostile}
	}
	return Page{Command: "parity", Version: "0.1.0", Code: fault.Gate,
		Findings: []finding.Finding{{Check: "parity-minimum", Severity: finding.Error, Code: int(fault.Gate), Message: "a gate"}},
		Parity: &parity.Report{Score: 50, Differences: []parity.Difference{d(parity.BreaksLoad, "", false), d(parity.BreaksLoad, hostile, false), d(parity.LosesData, "", true), d(parity.Cosmetic, "", false)},
			Gates: []parity.Gate{{Gate: "minimum", Detail: hostile}, {Gate: "critical", Passed: true, Detail: "equal"}}}}
}

// TestJUnitCountsAndEscapes reads the XML back.
func TestJUnitCountsAndEscapes(t *testing.T) {
	type doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string    `xml:"name,attr"`
				Failure *struct{} `xml:"failure"`
				Skipped *struct{} `xml:"skipped"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	read := func(p Page) (out doc) {
		var b bytes.Buffer
		if err := JUnit(&b, p); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u202e") {
			t.Errorf("an escape gets through: %q", b.String())
		}
		if err := xml.Unmarshal(b.Bytes(), &out); err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		return out
	}
	got := read(ciPage())
	if got.Tests != 6 || got.Failures != 2 || got.Errors != 0 || len(got.Suites) != 2 {
		t.Errorf("%+v", got)
	}
	skipped := 0
	for _, c := range got.Suites[1].Cases {
		if c.Skipped != nil {
			skipped++
		}
	}
	if skipped != 2 {
		t.Errorf("%d are skipped", skipped)
	}
	if got := read(Page{Command: "parity", Code: fault.Unavailable, Findings: []finding.Finding{{Severity: finding.Error, Code: int(fault.Unavailable), Message: "no server"}}}); got.Tests != 1 || got.Errors != 1 {
		t.Errorf("a comparison that was not made: %+v", got)
	}
	if got := read(Page{Command: "parity", Parity: &parity.Report{}}); got.Tests != 1 || got.Failures+got.Errors != 0 {
		t.Errorf("nothing different: %+v", got)
	}
}

// TestSARIFHoldsEveryDifference reads the JSON back.
func TestSARIFHoldsEveryDifference(t *testing.T) {
	var b bytes.Buffer
	if err := SARIF(&b, ciPage(), "understudy.yaml"); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID, Level string
				Message       struct{ Text string }
				Suppressions  []any
				Locations     []struct{ PhysicalLocation, LogicalLocations any }
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Runs[0]
	if doc.Version != "2.1.0" || len(run.Results) != 4 || len(run.Tool.Driver.Rules) != len(parity.Effects()) {
		t.Fatalf("%+v", doc)
	}
	for i, want := range []string{"error", "error", "error", "note"} {
		r := run.Results[i]
		known := false
		for _, rule := range run.Tool.Driver.Rules {
			known = known || rule.ID == r.RuleID
		}
		if r.Level != want || !known || len(r.Locations) != 1 || strings.ContainsAny(r.Message.Text, "\x1b\u202e") || (len(r.Suppressions) > 0) != (i == 1) {
			t.Errorf("result %d: %+v", i, r)
		}
	}
	b.Reset()
	broken := Page{Command: "parity", Findings: []finding.Finding{{Check: "source", Severity: finding.Error, Message: "no \x1bserver", Hint: "start it"}}}
	if err := SARIF(&b, broken, "understudy.yaml"); err != nil || !strings.Contains(b.String(), `"results": []`) || !strings.Contains(b.String(), "server (start it)") || strings.Contains(b.String(), "u001b") {
		t.Errorf("no comparison: %v\n%s", err, b.String())
	}
}
