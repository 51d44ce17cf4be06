package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
)

// JUnit writes a parity report as JUnit's XML, which CI systems show as tests:
// a suite of gates, and one for each table with a test for each difference. Open
// differences of a grave effect and gates that said no are failures; waived ones
// are skipped. Whatever kept the comparison from being made, or the gates from
// being judged, is an error. A report without any difference has one test that passed.
func JUnit(w io.Writer, p Page) error {
	type message struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type test struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Failure *message `xml:"failure,omitempty"`
		Error   *message `xml:"error,omitempty"`
		Skipped *message `xml:"skipped,omitempty"`
	}
	type suite struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Cases    []test `xml:"testcase"`
	}
	var out struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suites   []suite  `xml:"testsuite"`
	}
	out.Name = "understudy parity"
	add := func(name string, cases []test) {
		s := suite{Name: name, Tests: len(cases), Cases: cases}
		for _, c := range cases {
			if c.Failure != nil {
				s.Failures++
			}
			if c.Error != nil {
				s.Errors++
			}
			if c.Skipped != nil {
				s.Skipped++
			}
		}
		out.Tests, out.Failures, out.Errors, out.Suites = out.Tests+s.Tests, out.Failures+s.Failures, out.Errors+s.Errors, append(out.Suites, s)
	}
	var gates []test
	for _, f := range p.Findings {
		if f.Severity == finding.Error && f.Code != int(fault.Gate) { // gates stand in the report as well
			gates = append(gates, test{Name: visible(f.Message, false), Class: "parity." + f.Check, Error: &message{Message: visible(f.String(), false), Text: visible(f.Hint, true)}})
		}
	}
	r := p.Parity
	if r == nil {
		r = &parity.Report{}
	}
	for _, g := range r.Gates {
		t := test{Name: visible(g.Detail, false), Class: "parity." + g.Gate}
		if !g.Passed {
			t.Failure = &message{Message: visible(g.Detail, false), Text: g.At.String()}
		}
		gates = append(gates, t)
	}
	if p.Parity != nil && len(r.Differences) == 0 {
		gates = append(gates, test{Name: "no difference between production and staging", Class: "parity"})
	}
	if len(gates) > 0 {
		add("gates", gates)
	}
	tables := map[string][]test{}
	var order []string
	for _, d := range r.Differences {
		name := d.Table
		if name == "" {
			name = "beside the tables"
		}
		if tables[name] == nil {
			order = append(order, name)
		}
		t := test{Name: visible(strings.TrimSpace(d.Kind+" "+d.Object)+": "+changed(d), false), Class: "parity." + visible(name, false)}
		text := visible(d.Why, false)
		if d.SQL != "" {
			text += "\n" + visible(d.SQL, true)
		}
		switch {
		case !d.Open():
			t.Skipped = &message{Message: "waived: " + visible(d.Waived, false)}
		case d.Expected:
			t.Skipped = &message{Message: "expected: it comes with " + visible(d.Cause, false)}
		case d.Effect != parity.Cosmetic:
			t.Failure = &message{Message: string(d.Effect), Text: text}
		}
		tables[name] = append(tables[name], t)
	}
	for _, name := range order {
		add(visible(name, false), tables[name])
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// SARIF writes a parity report in the Static Analysis Results Interchange Format
// 2.1.0 (OASIS), which code hosts show beside a pull request. The rules are the
// effects; a result's place is the job file, for a database has no lines.
func SARIF(w io.Writer, p Page, jobFile string) error {
	type obj = map[string]any
	r := p.Parity
	if r == nil {
		r = &parity.Report{}
	}
	level := func(e parity.Effect) string {
		switch e {
		case parity.BreaksLoad, parity.LosesData, parity.ApplicationFails:
			return "error"
		case parity.Cosmetic:
			return "note"
		}
		return "warning"
	}
	id := func(e parity.Effect) string {
		return "parity/" + strings.NewReplacer(" ", "-", "'", "").Replace(string(e))
	}
	var rules, results []obj
	for _, e := range parity.Effects() {
		rules = append(rules, obj{"id": id(e), "shortDescription": obj{"text": "a difference between production and staging: " + string(e)}, "defaultConfiguration": obj{"level": level(e)}})
	}
	location := []obj{{"physicalLocation": obj{"artifactLocation": obj{"uri": strings.ReplaceAll(jobFile, "\\", "/")}, "region": obj{"startLine": 1}}}}
	for _, d := range r.Differences {
		text := strings.TrimSpace(d.Kind+" "+d.Object) + ": " + changed(d) + "; " + d.Why
		result := obj{"ruleId": id(d.Effect), "level": level(d.Effect), "message": obj{"text": visible(text, false)},
			"partialFingerprints": obj{"understudyParity/v1": d.ID}, "locations": withLogical(location, visible(d.Object, false), visible(d.Kind, false))}
		if r.Since != nil {
			state := "unchanged"
			if d.New {
				state = "new"
			}
			result["baselineState"] = state
		}
		if !d.Open() {
			result["suppressions"] = []obj{{"kind": "external", "justification": visible(d.Waived, false)}}
		}
		results = append(results, result)
	}
	if results == nil {
		results = []obj{}
	}
	invocation := obj{"executionSuccessful": p.Parity != nil, "exitCode": int(p.Code)}
	var told []obj
	for _, f := range p.Findings { // what the comparison could not do, and why it did not come to an end
		text := f.Message
		if f.Hint != "" {
			text += " (" + f.Hint + ")"
		}
		told = append(told, obj{"level": string(f.Severity), "message": obj{"text": visible(text, false)}, "descriptor": obj{"id": f.Check}})
	}
	if told != nil {
		invocation["toolExecutionNotifications"] = told
	}
	doc := obj{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": []obj{{
		"tool":    obj{"driver": obj{"name": "understudy", "version": p.Version, "rules": rules}},
		"results": results, "invocations": []obj{invocation},
	}}}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("write SARIF: %w", err)
	}
	return nil
}

// SQL writes the closing statements of a comparison; that none was made is said in it.
func SQL(w io.Writer, p Page) error {
	text := "-- No comparison was made.\n"
	if p.Parity != nil {
		text = p.Parity.Script() // as it is: a letter replaced is another name, another text
	}
	_, err := io.WriteString(w, text)
	return err
}

func withLogical(location []map[string]any, name, kind string) []map[string]any {
	out := map[string]any{"logicalLocations": []map[string]any{{"fullyQualifiedName": name, "kind": kind}}}
	for k, v := range location[0] {
		out[k] = v
	}
	return []map[string]any{out}
}
