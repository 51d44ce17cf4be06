package report

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"understudy/internal/check"
	"understudy/internal/finding"
	"understudy/internal/rules"
)

// Limits of the parts of a Markdown page in bytes: with all of them full it is
// still within the 65,536 letters that a comment may have.
const (
	findingsLimit = 14 << 10
	tablesLimit   = 12 << 10
	columnsLimit  = 12 << 10
	parityLimit   = 14 << 10
	proofsLimit   = 4 << 10
	sqlLimit      = 3 << 10
	// cellLimit is how many letters of one text are shown.
	cellLimit = 300
)

// Markdown writes the page in GitHub's Markdown: what matters first, the long
// lists folded, each cut where a comment would grow too long, and said so.
// Names and texts are escaped, so that none is read as markup, a link, a mention or an image.
func Markdown(w io.Writer, p Page) error {
	var b bytes.Buffer
	mark := map[tone]string{good: "✅", warn: "⚠️", bad: "❌"}[p.tone()]
	fmt.Fprintf(&b, "## %s understudy %s: %s\n\n", mark, strings.ToLower(p.title()), prose(p.verdict()))
	if p.Plan != nil {
		fmt.Fprintf(&b, "%s → %s, exit %d (%s)\n\n", codeSpan(p.Plan.Source), codeSpan(p.Plan.Target), int(p.Code), p.Code.Outcome())
	} else {
		fmt.Fprintf(&b, "Exit %d (%s)\n\n", int(p.Code), p.Code.Outcome())
	}
	if facts := p.facts(); len(facts) > 0 {
		var head, rule, row strings.Builder
		for _, f := range facts {
			fmt.Fprintf(&head, "| %s ", f.Label)
			rule.WriteString("|---")
			fmt.Fprintf(&row, "| **%s** %s ", f.Value, f.Note)
		}
		fmt.Fprintf(&b, "%s|\n%s|\n%s|\n\n", head.String(), rule.String(), row.String())
	}
	for _, part := range []func(*bytes.Buffer, Page){markdownFindings, markdownRows, markdownOrphans, markdownColumns, markdownParity, markdownProofs, markdownSQL} {
		part(&b, p)
	}
	if p.masking() {
		fmt.Fprintf(&b, "> %s\n\n", Caution)
	}
	var foot []string
	if p.Plan != nil {
		foot = append(foot, "run "+codeSpan(p.Plan.RunID), "key "+codeSpan(p.Plan.KeyFingerprint))
	}
	if laps := p.laps(); len(laps) > 0 {
		var parts []string
		for _, l := range laps {
			parts = append(parts, l.Stage+" "+l.Text)
		}
		foot = append(foot, strings.Join(parts, ", "))
	}
	foot = append(foot, "understudy "+p.Version)
	if !p.Ended.IsZero() {
		foot = append(foot, p.Ended.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	fmt.Fprintf(&b, "%s\n", strings.Join(foot, " · "))
	_, err := w.Write(b.Bytes())
	return err
}

// bounded writes lines as long as they fit into limit, and tells how many did not.
func bounded(b *bytes.Buffer, limit int, lines []string, thing, rest string) {
	left := limit
	for i, l := range lines {
		if left -= len(l); left < 0 {
			fmt.Fprintf(b, "%s", strings.ReplaceAll(rest, "REST", "and "+many(len(lines)-i, "more "+thing)+" that a comment has no room for"))
			return
		}
		b.WriteString(l)
	}
}

func markdownFindings(b *bytes.Buffer, p Page) {
	var lines []string
	for _, g := range groups(p.findings()) {
		mark := map[finding.Severity]string{finding.Error: "❌", finding.Warning: "⚠️"}[g.Severity]
		if mark == "" {
			mark = "ℹ️"
		}
		l := fmt.Sprintf("- %s %s", mark, prose(g.Message))
		if len(g.Places) > 0 {
			const shown = 6
			var places []string
			for i, place := range g.Places {
				if i == shown {
					places = append(places, fmt.Sprintf("and %d more", len(g.Places)-shown))
					break
				}
				places = append(places, codeSpan(place))
			}
			l += "<br>" + strings.Join(places, ", ")
		}
		if g.Hint != "" {
			l += "<br>**hint:** " + hintText(g.Hint)
		}
		lines = append(lines, l+"\n")
	}
	if len(lines) > 0 {
		b.WriteString("### Findings\n\n")
		bounded(b, findingsLimit, lines, "finding", "- REST\n")
		b.WriteByte('\n')
	}
}

func markdownRows(b *bytes.Buffer, p Page) {
	var lines []string
	for _, r := range p.rowLines() {
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s |\n", cell(r.Table), r.Rows, r.Of, prose(r.Why)))
	}
	fold(b, len(lines) > 0, "Rows by table", func() {
		b.WriteString("| table | rows | of | why |\n|---|--:|--:|---|\n")
		bounded(b, tablesLimit, lines, "table", "\nREST\n")
	})
}

func markdownOrphans(b *bytes.Buffer, p Page) {
	if p.Plan == nil {
		return
	}
	var lines []string
	for _, l := range orphanLines(p.Plan) {
		lines = append(lines, fmt.Sprintf("| %s | %s |\n", l.Rows, prose(l.Text)))
	}
	fold(b, len(lines) > 0, orphansTitle, func() {
		b.WriteString("| rows | what becomes of them |\n|--:|---|\n")
		bounded(b, proofsLimit, lines, "reference", "\nREST\n")
	})
}

func markdownColumns(b *bytes.Buffer, p Page) {
	var open, masked []string
	for _, t := range p.columnsByTable() {
		var names []string
		for _, m := range t.Lines {
			switch m.Decision {
			case rules.Undecided:
				open = append(open, fmt.Sprintf("| %s | %s | %s |\n", cell(t.Table), cell(m.Column), cell(m.Type)))
			case rules.ByPath:
				names = append(names, cell(m.Column)+" by path")
			case rules.Mask:
				names = append(names, cell(m.Column)+" "+prose(maskWords(m)))
			}
		}
		if len(names) > 0 {
			masked = append(masked, fmt.Sprintf("| %s | %s | %d |\n", cell(t.Table), strings.Join(names, ", "), t.Count[rules.Keep]))
		}
	}
	if len(open) > 0 {
		b.WriteString("### Columns that nobody decided\n\n| table | column | type |\n|---|---|---|\n")
		bounded(b, columnsLimit/4, open, "column", "\nREST\n")
		b.WriteByte('\n')
	}
	if p.Plan != nil {
		fold(b, len(masked) > 0, columnCounts(p.Plan.Masks), func() {
			b.WriteString("| table | masked | kept |\n|---|---|--:|\n")
			bounded(b, columnsLimit*3/4, masked, "table", "\nREST\n")
		})
	}
}

func markdownParity(b *bytes.Buffer, p Page) {
	if p.Parity == nil {
		return
	}
	r := p.Parity
	if len(r.Differences) > 0 {
		score := fmt.Sprintf("**Parity score %s**", Score(r.Score))
		if r.Unexplained != nil {
			score += " (" + Score(*r.Unexplained) + " without what pending migrations explain)"
		}
		parts := []string{score, fmt.Sprintf("%d of %s alike", r.Tables.Alike, many(r.Tables.Of, "table"))}
		for _, c := range r.ByEffect() {
			parts = append(parts, fmt.Sprintf("%d %s", c.N, prose(effectWords(c.Effect, c.N))))
		}
		if n := r.WaivedDifferences(); n > 0 {
			parts = append(parts, fmt.Sprintf("%d waived", n))
		}
		fmt.Fprintf(b, "%s\n\n", strings.Join(parts, " · "))
	}
	var gates []string
	for _, g := range r.Gates {
		mark := "✅ "
		if !g.Passed {
			mark = "❌ "
		}
		gates = append(gates, "- "+mark+prose(g.Detail)+"\n")
	}
	if p := r.Proof; p != nil {
		gates = append(gates, fmt.Sprintf("- the closing SQL was tried on a copy of staging's structure: %s ran, %d failed, %s\n", many(len(p.Applied), "statement"), len(p.Failed), remaining(p)))
	}
	for _, m := range r.Migrations {
		gates = append(gates, "- "+prose(migrationWords(m))+"\n")
	}
	if len(gates) > 0 {
		bounded(b, proofsLimit, gates, "line", "- REST\n")
		b.WriteByte('\n')
	}
	var lines []string
	for _, d := range p.drifts() {
		name := "beside the tables"
		if d.Table != "" {
			name = codeSpan(d.Table)
		}
		for i, l := range d.Lines {
			text := ""
			if i == 0 {
				text = "\n**" + name + "**\n\n"
			}
			text += "- " + prose(l.Kind)
			if l.Object != "" {
				text += " " + codeSpan(l.Object)
			}
			text += ": " + prose(changed(l))
			if l.Destructive {
				text += " (the SQL takes something away)"
			}
			text += "<br>**" + prose(string(l.Effect)) + "**: " + prose(l.Why)
			if told := history(l); told != "" {
				text += "<br>" + prose(told)
			}
			lines = append(lines, text+"\n"+fence(l.SQL))
		}
	}
	fold(b, len(lines) > 0, "Parity: "+many(len(p.Parity.Differences), "difference")+", with the SQL that would close them", func() {
		bounded(b, parityLimit, lines, "difference", "\nREST\n")
	})
	var aside []string
	for _, d := range r.Differences {
		if !d.Open() {
			aside = append(aside, "- waived: "+prose(d.Kind)+" "+codeSpan(d.Object)+": "+prose(changed(d))+"; "+prose(d.Waived)+"\n")
		}
	}
	for _, g := range r.Gone {
		aside = append(aside, "- gone: "+prose(g.Kind)+" "+codeSpan(g.Object)+", "+prose(g.Change)+"\n")
	}
	fold(b, len(aside) > 0, "Waived, and gone since the last comparison", func() {
		bounded(b, proofsLimit, aside, "difference", "\nREST\n")
	})
	var counts []string
	for _, c := range p.Parity.Compared {
		if c.Source+c.Target > 0 {
			counts = append(counts, prose(c.Kind)+" "+sides(c))
		}
	}
	if len(counts) > 0 && p.Command == "parity" {
		fmt.Fprintf(b, "Compared: %s\n\n", strings.Join(counts, ", "))
	}
	var unseen []string
	for _, u := range p.Parity.Unseen {
		unseen = append(unseen, "- "+prose(u)+"\n")
	}
	if len(unseen) > 0 {
		b.WriteString("Not seen, and so not compared:\n\n")
		bounded(b, proofsLimit, unseen, "thing", "- REST\n")
		b.WriteByte('\n')
	}
}

func markdownProofs(b *bytes.Buffer, p Page) {
	var parts, missed []string
	for _, k := range p.proofs() {
		if k.Passed == k.All {
			parts = append(parts, fmt.Sprintf("%s %d", prose(k.Check), k.All))
		} else {
			parts = append(parts, fmt.Sprintf("**%s %d of %d**", prose(k.Check), k.Passed, k.All))
		}
	}
	if len(parts) == 0 {
		return
	}
	for _, v := range p.missed() {
		name := ""
		if v.Table.Table != "" {
			name = codeSpan(v.Table.String()) + ": "
		}
		mark := "⚠️ not measured"
		if v.Outcome == check.Failed {
			mark = "❌ failed"
		}
		missed = append(missed, fmt.Sprintf("- %s: %s%s, %s\n", mark, name, prose(v.Check), prose(v.Detail)))
	}
	fmt.Fprintf(b, "Proofs passed: %s\n\n", strings.Join(parts, ", "))
	if len(missed) > 0 {
		bounded(b, proofsLimit, missed, "proof", "- REST\n")
		b.WriteByte('\n')
	}
}

func markdownSQL(b *bytes.Buffer, p Page) {
	if p.Plan == nil {
		return
	}
	var lines []string
	for _, f := range p.Plan.Fragments {
		lines = append(lines, "\n"+codeSpan(f.At.String())+"\n"+fence(f.Text))
	}
	fold(b, len(lines) > 0, "SQL from the job, to run on production", func() {
		bounded(b, sqlLimit, lines, "fragment", "\nREST\n")
	})
}

// fold writes a part that the reader opens. The empty lines let what is in it be read as Markdown.
func fold(b *bytes.Buffer, there bool, title string, body func()) {
	if there {
		fmt.Fprintf(b, "<details><summary>%s</summary>\n\n", title)
		body()
		b.WriteString("\n</details>\n\n")
	}
}

// shorten cuts a text at a number of letters.
func shorten(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

// prose escapes a text that stands outside code. Letters that would call people,
// issues or addresses are followed by a space without width.
func prose(s string) string {
	var b strings.Builder
	s = shorten(visible(s, false), 4*cellLimit)
	for i, r := range s {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@', r == '#':
			b.WriteRune(r)
			b.WriteString("&#8203;")
		case r == ':' && strings.HasPrefix(s[i:], "://"), r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"):
			b.WriteString("&#8203;")
			b.WriteRune(r)
		case strings.ContainsRune("\\`*_[]|~$", r), r == ':' && shortcode(s[i+1:]), i == 0 && strings.ContainsRune("+-=.)", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case (r == '.' || r == ')') && number(s[:i]):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hintText is a hint, with what is to be typed as code.
func hintText(hint string) string {
	var out []string
	for _, l := range pieces(hint) {
		var b strings.Builder
		for _, p := range l {
			if p.Code {
				b.WriteString(codeSpan(p.Text))
			} else {
				b.WriteString(prose(p.Text))
			}
		}
		out = append(out, b.String())
	}
	return strings.Join(out, "<br>")
}

// number tells whether a text is nothing but digits, which before a dot begin a list.
func number(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// shortcode tells whether a colon before this text could begin the name of a picture.
func shortcode(rest string) bool {
	return rest != "" && (rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= 'A' && rest[0] <= 'Z' || rest[0] >= '0' && rest[0] <= '9' || rest[0] == '+' || rest[0] == '-')
}

// cell is code inside a table, where a bar would end the cell.
func cell(s string) string { return strings.ReplaceAll(codeSpan(s), "|", `\|`) }

// codeSpan writes a text as code on one line.
func codeSpan(s string) string {
	s = strings.TrimSpace(shorten(visible(s, false), cellLimit))
	if s == "" {
		return "(empty)"
	}
	ticks := ticksAround(s, 1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// fence writes SQL as a block of code; "" for none.
func fence(sql string) string {
	sql = strings.TrimRight(visible(sql, true), "\n")
	if strings.TrimSpace(sql) == "" {
		return ""
	}
	const longest = 4000
	ticks := ticksAround(sql, 3)
	return "\n" + ticks + "sql\n" + shorten(sql, longest) + "\n" + ticks + "\n"
}

// ticksAround gives at least n backticks, and more than stand in a row in text.
func ticksAround(text string, n int) string {
	run := 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		n = max(n, run+1)
	}
	return strings.Repeat("`", n)
}
