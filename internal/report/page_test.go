package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"understudy/internal/check"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/pipeline"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// hostile are names that a database allows and that would break a careless page.
var hostile = []string{
	`</td></tr></table><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `it's "quoted"`, "line\nend\r\ttab", "a\x1b[31m\x00b",
	"\u202Egnp.exe\u202C", "客户名单", "👩\u200D💻", "a\xffb", `a|b||c`, "`tick` ``two``", "[link](http://evil.test)", "![i](http://evil.test/i.png)",
	"@team #12 :tada: $x$", "**bold** _em_ ~~gone~~", "<!-- ", "]]>", "&amp;&lt;", "www.evil.test", "https://evil.test/?a=1&b", "{{.}}", "${HOME}", "- item", "1. item", "# head",
	"\uFEFFbom\uFFFE", strings.Repeat("long_", 60), "=cmd", "</style><style>*{}", "javascript:alert(1)", " ", "`",
}

// hostilePage has every hostile name everywhere a name can stand.
func hostilePage() Page {
	at := finding.At{File: "rules/shop.yaml", Line: 3, Col: 5}
	p := Page{Command: "refresh", Code: fault.Unmeasured, Version: "0.1.0", Ended: time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)}
	p.Plan = &plan.Plan{RunID: "r1", Source: "sqlite:a<b>.db", Target: "sqlite:b.db", Now: p.Ended, KeyFingerprint: "k", Structure: "target", Mechanism: "a step"}
	p.Parity = &parity.Report{Unseen: hostile, Compared: []parity.Count{{Kind: "table", Source: 3, Target: 4}}}
	p.Plan.Parity = p.Parity
	p.Run = &pipeline.Report{Plan: p.Plan, Generation: "r1", Started: p.Ended.Add(-time.Minute), Finished: p.Ended, TotalRows: 7, Bytes: 99,
		Timings: []pipeline.Timing{{Stage: pipeline.StageLoad, Seconds: 30}, {Stage: pipeline.StageProve, Seconds: 15}}}
	for i, h := range hostile {
		name := schema.Name{Schema: "main", Table: h}
		p.Plan.Tables = append(p.Plan.Tables, plan.Table{Table: name, Rows: int64(i), Of: 100, Fate: plan.Copied, Reason: "seed; " + h})
		p.Plan.Masks = append(p.Plan.Masks,
			plan.Mask{Table: name, Column: h, Type: h, Decision: rules.Mask, Mask: h, Class: h, Domain: h, At: at},
			plan.Mask{Table: name, Column: "kept", Type: "text", Decision: rules.Keep, Reason: h, Via: h, At: finding.At{File: h, Line: 1}},
			plan.Mask{Table: name, Column: "open " + h, Type: h, Decision: rules.Undecided},
			plan.Mask{Table: name, Column: "sum", Decision: rules.Derived})
		p.Plan.Fragments = append(p.Plan.Fragments, plan.Fragment{At: at, Text: h})
		p.Plan.Orphans = append(p.Plan.Orphans, plan.Orphan{Table: name, Columns: []string{h, "a"}, References: name, Outcome: "nullified", Rows: 2, Nulled: []string{h}},
			plan.Orphan{Table: name, Columns: []string{h}, References: name, Outcome: "dropped", Rows: 1, Cascaded: 3})
		p.Parity.Differences = append(p.Parity.Differences, parity.Difference{Kind: "column", Object: name.String() + "." + h, Table: name.String(),
			Change: "different", Detail: h, Effect: parity.Effect(h), Why: h, Cause: h, SQL: "ALTER TABLE " + h, Destructive: true})
		for _, o := range []check.Outcome{check.Passed, check.Failed, check.Unmeasured} {
			p.Run.Verification = append(p.Run.Verification, check.Verdict{Check: "rows", Outcome: o, Table: name, Column: h, Detail: h})
		}
		p.Findings = append(p.Findings, finding.Finding{Check: "c", Severity: finding.Warning, Table: name.String(), Column: h, Message: "about " + h, Hint: h + "\nand " + h, At: at},
			finding.Finding{Check: "c", Severity: finding.Error, Message: h})
	}
	return p
}

// elements walks a page as strict XML, which the page is as well, and gives each
// element's name with its attributes, and all its text.
func elements(t *testing.T, page []byte) (names []string, attributes []xml.Attr, text string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	var all strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return names, attributes, all.String()
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			names = append(names, x.Name.Local)
			attributes = append(attributes, x.Attr...)
		case xml.CharData:
			all.Write(x)
		case xml.Comment:
			t.Errorf("a comment: %s", x)
		}
	}
}

// TestHTMLStandsAloneAndEscapes gives hostile names to every place of the page: it
// is well formed, loads and runs nothing, and shows each name as it is.
func TestHTMLStandsAloneAndEscapes(t *testing.T) {
	var b bytes.Buffer
	p := hostilePage()
	if err := HTML(&b, p); err != nil {
		t.Fatal(err)
	}
	names, attributes, text := elements(t, b.Bytes())
	count := map[string]int{}
	for _, n := range names {
		count[n]++
		switch n {
		case "script", "img", "link", "iframe", "object", "embed", "base", "form", "input", "button", "image", "use":
			t.Errorf("the page has an element %s", n)
		}
	}
	if count["style"] != 1 || count["html"] != 1 || count["h1"] != 1 {
		t.Errorf("style %d, html %d, h1 %d", count["style"], count["html"], count["h1"])
	}
	for _, a := range attributes {
		name, value := strings.ToLower(a.Name.Local), strings.ToLower(a.Value)
		if strings.HasPrefix(name, "on") || name == "src" || name == "style" || name == "srcset" || name == "href" && !strings.HasPrefix(value, "#") ||
			strings.Contains(value, "javascript:") || strings.Contains(value, "://") {
			t.Errorf("attribute %s=%q", a.Name.Local, a.Value)
		}
	}
	style := text[:strings.Index(text, "understudy")]
	if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		t.Error("the style loads something")
	}
	for _, h := range hostile {
		if want := visible(h, false); !strings.Contains(text, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for _, r := range text {
		if r != '\n' && r != '\t' && r != '\u200D' && visible(string(r), false) != string(r) {
			t.Errorf("the letter %U reaches the page", r)
			break
		}
	}
	for _, want := range []string{Caution, "exit 7, unmeasured", "did not pass", "plan15.0s", "load30.0s", "Content-Security-Policy"} {
		if !strings.Contains(strings.ReplaceAll(text, "\n", ""), want) && !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestHTMLOfEveryEnd renders a page for every command and exit code, with all or
// nothing known: it is well formed and its head says what became of staging.
func TestHTMLOfEveryEnd(t *testing.T) {
	full := hostilePage()
	for _, command := range []string{"plan", "refresh", "demo", "parity"} {
		for _, code := range codes {
			for _, p := range []Page{{Command: command, Code: code}, {Command: command, Code: code, Plan: full.Plan, Parity: full.Parity}, {Command: command, Code: code, Plan: full.Plan, Run: full.Run}} {
				var b, m bytes.Buffer
				if err := HTML(&b, p); err != nil {
					t.Fatal(err)
				}
				elements(t, b.Bytes())
				if err := Markdown(&m, p); err != nil {
					t.Fatal(err)
				}
				verdict := p.verdict()
				if strings.HasSuffix(verdict, ": ") || strings.HasSuffix(verdict, ", but ") || strings.HasSuffix(verdict, "; ") || verdict == "" {
					t.Errorf("%s, exit %d: %q says nothing", command, code, verdict)
				}
				fresh := code == fault.Done || code == fault.Unmeasured || code == fault.LaterFailed
				if (command == "refresh" || command == "demo") && code != fault.Bug && fresh == strings.Contains(verdict, "unchanged") {
					t.Errorf("%s, exit %d: %q", command, code, verdict)
				}
			}
		}
	}
}

// TestPageTellsOnce shows a finding once although a plan and its end both tell it.
func TestPageTellsOnce(t *testing.T) {
	warning := finding.Finding{Check: "a", Severity: finding.Warning, Message: "narrow", Table: "t"}
	stop := finding.Finding{Check: "b", Severity: finding.Error, Message: "no rule", Table: "t", Code: 3}
	again := stop
	again.Code = 0
	p := Page{Findings: []finding.Finding{warning, stop, again, warning}}
	if got := fmt.Sprint(p.findings()); got != fmt.Sprint([]finding.Finding{again, warning}) {
		t.Errorf("told: %s", got)
	}
}

// TestVisible keeps what can be read and shows what cannot.
func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"}, {"a\nb", `a\nb`}, {"\x1b[2J", `\u{1b}[2J`}, {"\u202Eabc", `\u{202e}abc`}, {"客户", "客户"}, {"שלום", "שלום"},
		{"👩\u200D💻", "👩\u200D💻"}, {"cus\u200Dtomers", `cus\u{200d}tomers`}, {"a\xffb", `a\xffb`}, {"\uFFFD", "\uFFFD"}, {"\x00", `\u{0}`}, {"é", "é"},
	} {
		if got := visible(c.in, false); got != c.want {
			t.Errorf("visible(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := visible("a\n\tb\r", true); got != "a\n\tb"+`\u{d}` {
		t.Errorf("over several lines: %q", got)
	}
}
