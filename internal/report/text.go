// Package report turns plans, runs, findings and verdicts into text, pages and
// comments for people, and into figures for monitoring. It writes to a writer and
// knows no terminal; names pass through Clean or its like, so that a
// hostile table name cannot steer a reader's terminal or browser.
package report

import (
	"fmt"
	"io"
	"strconv"

	"understudy/internal/engine"
)

// Width is the number of columns that text is laid out for.
const Width = 80

// Clean makes text safe to print: control and format characters become their
// codes, so that two names that differ look different. Line ends and tabs stay.
func Clean(s string) string { return visible(s, true) }

// line is Clean for text that must stay on one line.
func line(s string) string { return visible(s, false) }

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

// Generations lists what a target holds and keeps.
func Generations(w io.Writer, list []engine.Generation) {
	g := grid{free: true}
	for _, one := range list {
		mark := "kept"
		if one.Present {
			mark = "present"
		}
		g.add(one.ID, one.Made.Format("2006-01-02 15:04:05"), mark)
	}
	g.write(w)
}

// Rows writes rows under their column names. Only the demo, whose rows are
// invented, calls it.
func Rows(w io.Writer, columns []string, rows [][]string) {
	g := grid{indent: 2, free: true}
	g.add(columns...)
	for _, r := range rows {
		g.add(r...)
	}
	g.write(w)
}
