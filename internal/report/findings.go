package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Findings writes findings the way compilers do, each with its hint. On a
// terminal they are broken to its width; elsewhere, where width is 0, each stays
// on its line, for a search or an editor to find it whole.
func Findings(w io.Writer, fs []finding.Finding, width int) {
	const complaint, hint = "understudy: ", "  hint: "
	fs = mistakesAlone(fs)
	for i, f := range fs {
		if i+1 < len(fs) && fs[i+1].Check == f.Check && fs[i+1].Hint == f.Hint {
			f.Hint = "" // one remedy for all of them stands under the last
		}
		severity := ""
		if f.Severity != finding.Error {
			severity = string(f.Severity) + ": "
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
		fmt.Fprintln(w, complaint+WrapTo(severity+line(where+f.Message), width, len(complaint)))
		if f.Hint != "" {
			for j, l := range strings.Split(f.Hint, "\n") {
				lead := hint
				if j > 0 {
					lead = strings.Repeat(" ", len(hint))
				}
				if !strings.HasPrefix(l, " ") { // else it is a line to paste as it stands
					l = WrapTo(l, width, len(hint))
				}
				fmt.Fprintln(w, lead+Clean(l))
			}
		}
	}
}

// mistakesAlone puts one line in the place of the columns that nothing decides
// while files have mistakes: most of those follow from these, and would bury them.
func mistakesAlone(fs []finding.Finding) []finding.Finding {
	undecided := func(f finding.Finding) bool { return f.Check == "undecided" }
	mistaken := slices.ContainsFunc(fs, func(f finding.Finding) bool {
		return f.Severity == finding.Error && f.Code == int(fault.Usage) && f.At.File != ""
	})
	var names []string
	for _, f := range fs {
		if undecided(f) && f.Column != "" {
			names = append(names, f.Table+"."+schema.Ident(f.Column))
		}
	}
	if !mistaken || len(names) == 0 {
		return fs
	}
	const shown = 3
	text := "1 column has"
	if len(names) > 1 {
		text = Number(int64(len(names))) + " columns have"
	}
	text += " no decision while these mistakes stand: "
	if len(names) > shown {
		text += strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
	} else {
		text += strings.Join(names, ", ")
	}
	out := slices.DeleteFunc(slices.Clone(fs), undecided)
	return append(out, finding.Finding{Check: "undecided", Severity: finding.Error, Code: int(fault.Undecided), Message: text,
		Hint: "mend the mistakes first; --json lists every column"})
}
