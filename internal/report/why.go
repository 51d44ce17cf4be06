package report

import (
	"fmt"
	"io"

	"understudy/internal/finding"
	"understudy/internal/subset"
)

// Why writes how a row came into the subset, or what left it out.
func Why(w io.Writer, a *subset.Answer) {
	if a.Selected {
		fmt.Fprintf(w, "%s: the row comes along\n", line(a.Table.String()))
		g := grid{indent: 2}
		for _, l := range a.Chain {
			text := l.Why + placed(l.At)
			if l.Edge != "" {
				text += ", by " + l.Edge
			}
			g.add(l.Table.String(), text)
		}
		g.write(w)
		if len(a.Nulled) > 0 {
			fmt.Fprintf(w, "  %s leads to no row and is set to NULL\n", line(identList(a.Nulled)))
		}
		return
	}
	fmt.Fprintf(w, "%s: the row is left out\n", line(a.Table.String()))
	g := grid{indent: 2}
	var needs []string // tables none of whose rows needed it; each partition is one
	for _, c := range a.Cuts {
		if c.By != "" {
			if needs = append(needs, c.By); len(needs) > fewNeeds {
				continue
			}
		}
		edge := c.Edge
		if edge == "" {
			edge = "seeds"
		}
		text := c.Why + placed(c.At)
		if c.Hint != "" {
			text += "; " + c.Hint
		}
		g.add(edge, text)
	}
	if n := len(needs) - fewNeeds; n > 0 {
		g.add("", "nor does a row of "+many(n, "other table")+"; --json lists them")
	}
	g.write(w)
}

// fewNeeds is how many tables that could have needed a row are told one by one.
const fewNeeds = 6

func placed(at finding.At) string {
	if at.File == "" {
		return ""
	}
	return " [" + at.String() + "]"
}
