// Package report turns plans, runs, findings and verdicts into text for people.
// It writes to a writer and knows no terminal; names pass through Clean, so that
// a hostile table name cannot steer a reader's terminal.
package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"understudy/internal/finding"
)

// Width is the number of columns that text is laid out for.
const Width = 80

// Clean makes text safe to print: control and format characters become '?'.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// line is Clean for text that must stay on one line.
func line(s string) string { return strings.ReplaceAll(Clean(s), "\n", "?") }

// Number writes n with thin groups: 1,234,567.
func Number(n int64) string {
	if n < 0 {
		return "?"
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes a size for people.
func Bytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// Findings writes findings the way compilers do, each with its hint.
func Findings(w io.Writer, fs []finding.Finding) {
	for _, f := range fs {
		prefix := "understudy: "
		if f.Severity != finding.Error {
			prefix += string(f.Severity) + ": "
		}
		where := f.At.String()
		if f.Table != "" && !strings.Contains(f.Message, f.Table) {
			name := f.Table
			if f.Column != "" {
				name += "." + f.Column
			}
			if where != "" {
				where += ": "
			}
			where += name
		}
		if where != "" {
			where += ": "
		}
		fmt.Fprintf(w, "%s%s\n", prefix, Clean(where+f.Message))
		if f.Hint != "" {
			for i, l := range strings.Split(f.Hint, "\n") {
				if i == 0 {
					fmt.Fprintf(w, "  hint: %s\n", Clean(l))
				} else {
					fmt.Fprintf(w, "        %s\n", Clean(l))
				}
			}
		}
	}
}

// grid lays rows out in columns that are as wide as their widest cell, within
// Width: the last column is wrapped under itself. Right marks columns of numbers.
type grid struct {
	indent int
	right  map[int]bool
	rows   [][]string
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) write(w io.Writer) {
	var widths []int
	for _, r := range g.rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(r)-1 || g.right[i] {
				widths[i] = max(widths[i], min(utf8.RuneCountInString(line(c)), 40))
			}
		}
	}
	for _, r := range g.rows {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", g.indent))
		for i, c := range r {
			c = line(c)
			pad := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(c)))
			switch {
			case g.right[i]:
				b.WriteString(pad + c)
			case i == len(r)-1:
				at := utf8.RuneCountInString(b.String())
				b.WriteString(wrap(c, Width-at, at))
			default:
				b.WriteString(c + pad)
			}
			if i < len(r)-1 {
				b.WriteString("  ")
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// wrap breaks text at spaces to width, further lines indented.
func wrap(text string, width, indent int) string {
	if width < 20 || utf8.RuneCountInString(text) <= width {
		return text
	}
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = 0
		case i > 0:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

// Rows writes rows under their column names. Only the demo, whose rows are
// invented, calls it.
func Rows(w io.Writer, columns []string, rows [][]string) {
	g := grid{indent: 2}
	g.add(columns...)
	for _, r := range rows {
		g.add(r...)
	}
	g.write(w)
}
