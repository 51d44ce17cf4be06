package report

import (
	"fmt"
	"io"
	"strings"

	"understudy/internal/mask"
	"understudy/internal/plan"
	"understudy/internal/rules"
)

// Decisions lists every column with its decision and the reason.
func Decisions(w io.Writer, ms []plan.Mask) {
	last, g := "", grid{indent: 2}
	flush := func() {
		if len(g.rows) > 0 {
			fmt.Fprintln(w, line(last))
			g.write(w)
			g.rows = nil
		}
	}
	for _, m := range ms {
		if name := m.Table.String(); name != last {
			flush()
			last = name
		}
		what := string(m.Decision)
		why := m.Reason
		switch m.Decision {
		case rules.ByPath:
			what, why = "by path", "others: "+string(m.Others)
		case rules.Mask:
			what, why = maskWords(m), classAndDomain(m.Class, m.Domain)
		case rules.Undecided:
			what, why = "UNDECIDED", "no rule decides it: a run stops here"
		case rules.Derived:
			why = "computed by the database"
		}
		if m.By == rules.ByReference || m.By == rules.ByParent {
			why += ", as " + m.Via
		}
		if at := m.At.String(); at != "" {
			why += " [" + at + "]"
		}
		g.add(m.Column, m.Type, what, why)
		for _, p := range m.Paths {
			why := p.Reason
			if p.Decision == rules.Mask {
				why = classAndDomain(p.Class, p.Domain)
			}
			g.add("  "+p.Path, "", pathFate(p), why+" ["+p.At.String()+"]")
		}
	}
	flush()
}

func classAndDomain(class, domain string) string {
	switch class {
	case "":
		return "domain " + domain
	case domain:
		return "class " + class
	}
	return "class " + class + ", domain " + domain
}

// MaskKinds lists the masks there are, family by family.
func MaskKinds(w io.Writer, kinds []mask.Kind) {
	family := ""
	for _, k := range kinds {
		if k.Family != family {
			family = k.Family
			fmt.Fprintf(w, "%s\n", family)
		}
		var accepts []string
		for _, a := range k.Accepts {
			accepts = append(accepts, string(a))
		}
		var traits []string
		if k.Injective {
			traits = append(traits, "unique stays unique")
		}
		if k.Reversible {
			traits = append(traits, "reversible with the key")
		}
		traits = append(traits, k.Strength)
		g := grid{indent: 2}
		g.add(k.Name, k.Doc)
		g.add("", "takes "+strings.Join(accepts, ", ")+"; "+strings.Join(traits, ", "))
		for _, p := range k.Params {
			text := p.Name + ": " + p.Doc
			if p.Default != "" {
				text += " (default " + p.Default + ")"
			}
			g.add("", text)
		}
		g.write(w)
	}
	fmt.Fprintln(w, wrap("Arrays of what a mask takes are masked element by element, documents that a rule decides by `json` path by path.", Width, 0))
}
