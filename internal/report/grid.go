package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// widest is how wide a column of a grid grows; a longer cell breaks the line.
const widest = 32

// narrowest is how few columns a text is wrapped into; with fewer it moves to a line of its own.
const narrowest = 24

// grid lays rows out in columns that are as wide as their widest cell, within
// Width: the last column is wrapped under itself, and after a cell that is too
// wide for its column the row goes on in the next line. Right marks columns of numbers.
type grid struct {
	indent int
	right  map[int]bool
	rows   [][]string
	free   bool // columns as wide as their cells, whatever the width of the page
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// widths measures the columns. The last one is as wide as what is left.
func (g *grid) widths() []int {
	var out []int
	for _, r := range g.rows {
		for i, c := range r {
			if i == len(out) {
				out = append(out, 0)
			}
			if n := columns(line(c)); i < len(r)-1 || g.right[i] {
				if !g.free {
					n = min(n, widest)
				}
				out[i] = max(out[i], n)
			}
		}
	}
	return out
}

func (g *grid) write(w io.Writer) {
	widths := g.widths()
	for _, r := range g.rows {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", g.indent))
		at := g.indent
		for i, c := range r {
			c = line(c)
			n := columns(c)
			switch {
			case g.right[i]:
				b.WriteString(strings.Repeat(" ", max(0, widths[i]-n)) + c)
				at += max(n, widths[i])
			case i == len(r)-1 && Width-at < narrowest && n > Width-at:
				at = g.indent + 4
				b.WriteString("\n" + strings.Repeat(" ", at) + wrap(c, Width-at, at))
			case i == len(r)-1:
				b.WriteString(wrap(c, Width-at, at))
			case n > widths[i]:
				at += widths[i]
				b.WriteString(c + "\n" + strings.Repeat(" ", at))
			default:
				b.WriteString(c + strings.Repeat(" ", widths[i]-n))
				at += widths[i]
			}
			if i < len(r)-1 {
				b.WriteString("  ")
				at += 2
			}
		}
		for l := range strings.SplitSeq(b.String(), "\n") {
			if l = strings.TrimRight(l, " "); l != "" { // nothing follows a cell too wide for its column
				fmt.Fprintln(w, l)
			}
		}
	}
}

// columns tells how many columns of a terminal a text takes: two for the wide
// letters of East Asia and for emoji, none for marks that stand on another letter.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115F || unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana) ||
		r >= 0x3000 && r <= 0x303E || r >= 0xFF01 && r <= 0xFF60 || r >= 0x1F300 && r <= 0x1FAFF)
}

// wrap breaks text at spaces to width, further lines indented.
func wrap(text string, width, indent int) string {
	width = max(width, narrowest)
	if columns(text) <= width {
		return text
	}
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(text) {
		n := columns(word)
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

// Wrap breaks text at spaces to the width of a page, further lines indented as far
// as the first one begins.
func Wrap(text string, indent int) string { return wrap(line(text), Width-indent, indent) }

// WrapTo is Wrap for a terminal so wide, on which the text begins after indent
// columns. With a width of 0 no line is broken.
func WrapTo(text string, width, indent int) string {
	if width <= 0 {
		return line(text)
	}
	return wrap(line(text), width-indent, indent)
}

// Pad is Fit for a text that fills its columns.
func Pad(text string, width int) string {
	text = Fit(text, width)
	return text + strings.Repeat(" ", max(0, width-columns(text)))
}

// Fit cuts text to a number of columns, for lines that are drawn over and over.
func Fit(text string, width int) string {
	text = line(text)
	if columns(text) <= width {
		return text
	}
	n := 0
	for i, r := range text {
		if n += columns(string(r)); n > width-1 {
			return text[:i] + "…"
		}
	}
	return text
}
