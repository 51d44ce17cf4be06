package report

import (
	"fmt"
	"io"
	"strings"

	"understudy/internal/parity"
)

// Parity writes a parity report: differences by table with the SQL that would
// close them, then what was compared and what could not be seen.
func Parity(w io.Writer, r *parity.Report) {
	differences(w, r, true)
	compared(w, r)
}

// Drift writes the differences alone, each on a line, for a plan.
func Drift(w io.Writer, r *parity.Report) {
	differences(w, r, false)
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "  not seen: %s\n", wrap(line(u), Width-12, 12))
	}
}

func differences(w io.Writer, r *parity.Report, withSQL bool) {
	switch len(r.Differences) {
	case 0:
		fmt.Fprintf(w, "Parity: no difference found\n")
	case 1:
		fmt.Fprintf(w, "Parity: 1 difference between production and staging\n")
	default:
		fmt.Fprintf(w, "Parity: %d differences between production and staging\n", len(r.Differences))
	}
	if len(r.Differences) > 0 && !withSQL {
		fmt.Fprintf(w, "  (the SQL that would close them: understudy parity)\n")
	}
	last := "\x00"
	for _, d := range r.Differences {
		if d.Table != last {
			last = d.Table
			name := d.Table
			if name == "" {
				name = "beside the tables"
			}
			fmt.Fprintf(w, "  %s\n", line(name))
		}
		text := d.Kind
		if d.Object != d.Table {
			text += " " + strings.TrimPrefix(d.Object, d.Table+".")
		}
		text += ": " + d.Change
		if d.Detail != "" {
			text += ", " + d.Detail
		}
		fmt.Fprintf(w, "    %s\n", wrap(line(text), Width-4, 6))
		if withSQL {
			closing(w, d)
		}
	}
}

// closing writes the statement that would close a difference, marked when it takes something away.
func closing(w io.Writer, d parity.Difference) {
	if d.SQL == "" {
		return
	}
	mark := "+ "
	if d.Destructive {
		mark = "! "
	}
	for _, l := range strings.Split(strings.TrimRight(Clean(d.SQL), "\n"), "\n") {
		fmt.Fprintf(w, "      %s%s\n", mark, wrap(l, Width-8, 8))
		mark = "  "
	}
}

func compared(w io.Writer, r *parity.Report) {
	var parts []string
	for _, c := range r.Compared {
		if c.Source == 0 && c.Target == 0 {
			continue
		}
		n := fmt.Sprint(c.Source)
		if c.Source != c.Target {
			n += "/" + fmt.Sprint(c.Target)
		}
		parts = append(parts, c.Kind+" "+n)
	}
	var none []string
	for _, c := range r.Compared {
		if c.Source == 0 && c.Target == 0 {
			none = append(none, c.Kind)
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "  compared: %s\n", wrap(strings.Join(parts, ", "), Width-12, 12))
	}
	if len(none) > 0 {
		fmt.Fprintf(w, "  on neither side: %s\n", wrap(strings.Join(none, ", "), Width-19, 19))
	}
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "  not seen: %s\n", wrap(line(u), Width-12, 12))
	}
}
