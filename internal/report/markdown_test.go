package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

var (
	ours      = regexp.MustCompile(`^(</?details>|</?summary>|<br>|\n)*$`)
	afterFold = regexp.MustCompile(`<summary>[^<>]*</summary>`)
)

// TestMarkdownEscapes gives hostile names to every place and reads the outcome as
// GitHub does: there is no link, no picture, no mention, no HTML but our own, every
// table has its columns, and every name is there.
func TestMarkdownEscapes(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, hostilePage()); err != nil {
		t.Fatal(err)
	}
	source := b.Bytes()
	var shown strings.Builder
	tables := map[string]bool{}
	for _, h := range hostile {
		tables[strings.TrimSpace(shorten(visible(schema.Name{Schema: "main", Table: h}.String(), false), cellLimit))] = true
	}
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	html := func(raw string) {
		if raw = afterFold.ReplaceAllString(raw, "<summary></summary>"); !ours.MatchString(raw) {
			t.Errorf("HTML reaches the comment: %q", raw)
		}
	}
	ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch x := n.(type) {
		case *ast.Link, *ast.Image, *ast.AutoLink, *extast.Strikethrough, *extast.TaskCheckBox:
			t.Errorf("a name became a %s: %s", n.Kind(), words(n, source))
		case *ast.RawHTML:
			html(string(x.Segments.Value(source)))
		case *ast.HTMLBlock:
			html(string(x.Lines().Value(source)))
		case *extast.TableRow:
			if columns := x.ChildCount(); columns != x.Parent().FirstChild().ChildCount() {
				t.Errorf("a row has %d cells: %s", columns, words(x, source))
			}
			first := strings.ReplaceAll(words(x.FirstChild(), source), `\|`, "|")
			if words(x.Parent().FirstChild().FirstChild(), source) == "table" && !tables[first] {
				t.Errorf("a row begins with %q", first)
			}
		case *ast.Heading:
			if x.Level != 2 && x.Level != 3 {
				t.Errorf("a heading of level %d: %s", x.Level, words(x, source))
			}
		case *ast.Emphasis:
			if x.Level != 2 {
				t.Errorf("emphasis: %s", words(x, source))
			}
		case *ast.Text:
			shown.Write(x.Segment.Value(source))
		case *ast.String:
			shown.Write(x.Value)
		}
		return ast.WalkContinue, nil
	})
	for _, h := range hostile {
		want := strings.TrimSpace(shorten(visible(h, false), cellLimit-40))
		if !strings.Contains(strings.ReplaceAll(shown.String(), `\|`, "|"), want) {
			t.Errorf("%q is not in the comment", want)
		}
	}
	if !strings.Contains(b.String(), Caution) {
		t.Error("nothing says that the outcome is pseudonymised")
	}
	for line := range strings.Lines(b.String()) {
		outside := regexp.MustCompile("(`+)[^`].*?[^`]?(`+)").ReplaceAllString(line, "")
		if regexp.MustCompile(`@[a-z]|#[0-9]|https?://`).MatchString(strings.ReplaceAll(outside, "&#8203;", "\u200B")) && !inFence(b.String(), line) {
			t.Errorf("it would call somebody: %q", line)
		}
	}
}

// words is the text of a node and all below it.
func words(n ast.Node, source []byte) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// inFence tells whether a line is one of a block of code.
func inFence(page, line string) bool {
	before, _, _ := strings.Cut(page, line)
	return strings.Count(before, "\n```")%2 == 1
}

// TestMarkdownFitsAComment makes a plan of a huge schema into a comment: it stays
// within what a comment may have, and says what is left out.
func TestMarkdownFitsAComment(t *testing.T) {
	p := Page{Command: "plan", Code: fault.Undecided, Plan: &plan.Plan{}, Parity: &parity.Report{}}
	for i := range 3000 {
		name := schema.Name{Schema: "main", Table: fmt.Sprintf("table_%d", i)}
		p.Plan.Tables = append(p.Plan.Tables, plan.Table{Table: name, Rows: 5, Of: 10, Fate: plan.Copied, Reason: "seed"})
		p.Plan.Masks = append(p.Plan.Masks, plan.Mask{Table: name, Column: "a", Decision: rules.Mask, Mask: "email"}, plan.Mask{Table: name, Column: "b", Decision: rules.Undecided})
		p.Plan.Fragments = append(p.Plan.Fragments, plan.Fragment{Text: strings.Repeat("x", 500)})
		p.Parity.Differences = append(p.Parity.Differences, parity.Difference{Kind: "column", Object: "x", Table: name.String(), Change: "different", SQL: strings.Repeat("y`", 9000)})
		p.Parity.Unseen = append(p.Parity.Unseen, "target: grants")
		p.Findings = append(p.Findings, finding.Finding{Severity: finding.Error, Message: fmt.Sprintf("no rule decides %d", i), Hint: "write one"})
	}
	var b bytes.Buffer
	if err := Markdown(&b, p); err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCount(b.Bytes()); n > 65_000 {
		t.Errorf("%d letters", n)
	}
	for _, want := range []string{"more findings", "more tables", "more columns", "more differences", "more fragments", "table_0", "UNDECIDED"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestMarkdownReads is a small plan as a reviewer sees it.
func TestMarkdownReads(t *testing.T) {
	orders := schema.Name{Schema: "main", Table: "orders"}
	p := Page{Command: "plan", Code: fault.Undecided, Version: "0.1.0",
		Plan: &plan.Plan{RunID: "r", Source: "sqlite:a.db", Target: "sqlite:b.db", KeyFingerprint: "k",
			Tables: []plan.Table{{Table: orders, Rows: 12, Of: 1200, Fate: plan.Copied, Reason: "seed; needed by main.items.order_id"}},
			Masks: []plan.Mask{{Table: orders, Column: "email", Type: "text", Decision: rules.Mask, Mask: "email"},
				{Table: orders, Column: "id", Decision: rules.Keep, Reason: "a number"}, {Table: orders, Column: "passport", Type: "text", Decision: rules.Undecided}}},
		Findings: []finding.Finding{{Severity: finding.Error, Table: "main.orders", Column: "passport", Message: "no rule decides main.orders.passport (text)", Hint: "write `passport: {mask: fpe}`"}}}
	var b bytes.Buffer
	if err := Markdown(&b, p); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`## ❌ understudy plan: A refresh would stop: something has no decision

'sqlite:a.db' → 'sqlite:b.db', exit 3 (undecided)

| Rows | Masked columns |
|---|---|
| **12** in 1 table | **1** 1 undecided |

### Findings

- ❌ no rule decides main.orders.passport (text)<br>'main.orders.passport'<br>**hint:** write 'passport: {mask: fpe}'

<details><summary>Rows by table</summary>

| table | rows | of | why |
|---|--:|--:|---|
| 'main.orders' | 12 | ~1,200 | seed; needed by items.order\_id |

</details>

### Columns that nobody decided

| table | column | type |
|---|---|---|
| 'main.orders' | 'passport' | 'text' |

<details><summary>Columns: 1 masked, 1 kept, 1 UNDECIDED</summary>

| table | masked | kept |
|---|---|--:|
| 'main.orders' | 'email' email | 1 |

</details>

> `, "'", "`") + Caution + "\n\nrun `r` · key `k` · understudy 0.1.0\n"
	if b.String() != want {
		t.Errorf("it reads\n%s\nwant\n%s", b.String(), want)
	}
}
