package report

import (
	"bytes"
	"strings"
	"testing"

	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// A column that is masked by path, and one whose arrays are masked, as each
// report shows them.
func TestDocumentsAreReported(t *testing.T) {
	at := finding.At{File: "rules/shop.yaml", Line: 7, Col: 9}
	people := schema.Name{Schema: "main", Table: "people"}
	p := &plan.Plan{RunID: "r", Masks: []plan.Mask{
		{Table: people, Column: "profile", Type: "jsonb", Decision: rules.ByPath, At: at, Others: rules.DropOthers, Documents: 12, Unnamed: []plan.Unnamed{{Under: "$.contact", Values: 3}},
			Paths: []plan.Path{{Path: "$.contact.phone", Decision: rules.Mask, Mask: "phone", Class: "phone", Domain: "phone", At: at, Values: 11},
				{Path: "$.tags[*]", Decision: rules.Keep, Reason: "fixed vocabulary", At: at}}},
		{Table: people, Column: "mails", Type: "text[]", Decision: rules.Mask, Mask: "email", Class: "email", Domain: "email", Each: true, At: at}}}
	var text, list, page, markdown bytes.Buffer
	Plan(&text, p)
	Decisions(&list, p.Masks)
	if err := HTML(&page, Page{Command: "plan", Plan: p}); err != nil {
		t.Fatal(err)
	}
	if err := Markdown(&markdown, Page{Command: "plan", Plan: p}); err != nil {
		t.Fatal(err)
	}
	for report, wants := range map[*bytes.Buffer][]string{
		&text: {"Columns: 2 masked, 0 kept", "profile jsonb by path shop.yaml:7:9", "$.contact.phone phone shop.yaml:7:9, 11 values", "$.tags[*] kept shop.yaml:7:9, 0 values",
			"others drop 3 values under $.contact in 12 documents", "mails text[] email, each element"},
		&list:     {"profile jsonb by path others: drop", "$.contact.phone phone class phone [rules/shop.yaml:7:9]", "$.tags[*] kept fixed vocabulary"},
		&page:     {"<span class=\"pill mask\">by path</span>", "paths not named: drop; 3 values under $.contact in 12 documents", "profile $.contact.phone", "email, each element", "2 masked"},
		&markdown: {"`profile` by path", "`profile $.contact.phone` phone", "`mails` email, each element", "Columns: 2 masked, 0 kept"},
	} {
		got := strings.Join(strings.Fields(report.String()), " ")
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
	}
}
