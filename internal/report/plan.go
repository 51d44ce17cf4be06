package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"understudy/internal/finding"
	"understudy/internal/plan"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// Plan writes a plan the way a good pull request reads: what, how much, why,
// what differs, what to look at.
func Plan(w io.Writer, p *plan.Plan) {
	head(w, p)
	rowsOf(w, p)
	orphansOf(w, p)
	masksOf(w, p)
	fragmentsOf(w, p)
	if p.Parity != nil {
		fmt.Fprintln(w)
		Drift(w, p.Parity)
	}
	warnings(w, p.Findings)
}

// Outline writes the essential part of a plan, for a first look: rows, columns
// by table, drift.
func Outline(w io.Writer, p *plan.Plan) {
	rowsOf(w, p)
	orphansOf(w, p)
	fmt.Fprintf(w, "\n%s\n", columnCounts(p.Masks))
	maskedNames(w, p.Masks)
	if p.Parity != nil {
		fmt.Fprintln(w)
		Drift(w, p.Parity)
	}
	warnings(w, p.Findings)
}

// longPlan is how many masked columns a plan tells one by one, each with its mask.
const longPlan = 300

func masked(ms []plan.Mask) (n int) {
	for _, m := range ms {
		if m.Decision == rules.Mask || m.Decision == rules.ByPath {
			n++
		}
	}
	return n
}

// maskedNames writes the masked columns by table.
func maskedNames(w io.Writer, ms []plan.Mask) {
	g := grid{indent: 2}
	var names []string
	for i, m := range ms {
		if m.Decision == rules.Mask || m.Decision == rules.ByPath {
			names = append(names, m.Column)
		}
		if last := i+1 == len(ms) || ms[i+1].Table != m.Table; last && len(names) > 0 {
			g.add(m.Table.String(), strings.Join(names, ", "))
			names = nil
		}
	}
	g.write(w)
}

func head(w io.Writer, p *plan.Plan) {
	fmt.Fprintf(w, "Run %s at %s\n", p.RunID, p.Now.Format("2006-01-02 15:04:05 MST"))
	g := grid{indent: 2}
	g.add("from", p.Source)
	g.add("to", p.Target)
	if len(p.Schemas) > 0 {
		g.add("schemas", strings.Join(p.Schemas, ", "))
	}
	if p.Structure == "source" {
		g.add("structure", "production's, for the target has none")
	} else if p.Structure != "" {
		g.add("structure", "the target's own")
	}
	if p.Moment != "" {
		g.add("moment", p.Moment)
	}
	if p.Mechanism != "" {
		g.add("switch", p.Mechanism)
	}
	if p.After != nil {
		g.add("after", fmt.Sprintf("%s of %s, SHA-256 %s", many(p.After.Statements, "statement"), p.After.File, p.After.SHA256[:12]))
	}
	g.add("key", p.KeyFingerprint)
	for _, side := range p.Insecure {
		g.add("transport", "the "+side+" is reached without verified TLS, as its URL asks")
	}
	for _, l := range p.Leftovers {
		g.add("leftover", l+": will be cleared")
	}
	g.write(w)
}

func rowsOf(w io.Writer, p *plan.Plan) {
	if len(p.Tables) == 0 {
		return
	}
	copied, schemas := 0, map[string]bool{}
	known := false // whether some table has more rows in the source
	total := Number(p.Rows())
	for _, t := range p.Tables {
		if t.Fate == plan.Copied {
			copied++
			schemas[t.Table.Schema] = true // what edges lead between
		}
		known = known || t.Of >= 0 && t.Of != t.Rows
	}
	if p.Uncounted() {
		if total = "at least " + total; p.Rows() == 0 {
			total = "unknown before they are read (ANALYZE tells),"
		}
	}
	fmt.Fprintf(w, "\nRows: %s in %s\n", total, many(copied, "table"))
	g := grid{indent: 2, right: map[int]bool{1: true, 2: known}}
	row := func(table, rows, of, why string) {
		if known {
			g.add(table, rows, of, why)
		} else {
			g.add(table, rows, why)
		}
	}
	row("table", "rows", "of", "why")
	for _, t := range p.Tables {
		rows, of := figures(t)
		row(t.Table.String(), rows, of, reason(t, len(schemas) == 1))
	}
	g.write(w)
}

// figures are a table's rows and those of the source, with ~ before an estimate.
func figures(t plan.Table) (rows, of string) {
	rows = Number(t.Rows)
	switch {
	case t.Fate == plan.Preserved || t.Fate == plan.History && t.Rows == 0:
		rows = "own"
	case t.About && t.Rows >= 0:
		rows = "~" + rows
	}
	if t.Of >= 0 {
		of = "~" + Number(t.Of)
	}
	return rows, of
}

// reason shortens why rows come along: columns instead of edges, each verb
// once, no schema where there is but one.
func reason(t plan.Table, oneSchema bool) string {
	var out, verbs []string
	by := map[string][]string{}
	for _, part := range strings.Split(t.Reason, "; ") {
		verb, edge := "", part
		for _, v := range []string{"reached from ", "needed by "} {
			if rest, ok := strings.CutPrefix(part, v); ok {
				verb, edge = v, rest
			}
		}
		if verb == "" {
			out = append(out, part)
			continue
		}
		if rest, ok := strings.CutPrefix(edge, t.Table.String()+"."); ok {
			edge = rest
			if verb == "reached from " {
				verb = "reached by "
			}
		} else if oneSchema {
			edge = strings.TrimPrefix(edge, schema.Ident(t.Table.Schema)+".")
		}
		if by[verb] == nil {
			verbs = append(verbs, verb)
		}
		by[verb] = append(by[verb], edge)
	}
	for _, v := range verbs {
		out = append(out, v+strings.Join(by[v], ", "))
	}
	return strings.Join(out, "; ")
}

// columnCounts is the headline of what becomes of the columns.
func columnCounts(ms []plan.Mask) string {
	count := map[rules.Outcome]int{}
	for _, m := range ms {
		count[m.Decision]++
	}
	text := fmt.Sprintf("Columns: %d masked, %d kept", count[rules.Mask]+count[rules.ByPath], count[rules.Keep])
	paths := 0
	for _, m := range ms {
		for _, p := range m.Paths {
			if p.Decision == rules.Keep {
				paths++
			}
		}
	}
	if paths > 0 {
		text += ", " + many(paths, "path") + " kept"
	}
	if n := count[rules.Derived]; n > 0 {
		text += fmt.Sprintf(", %d computed by the database", n)
	}
	if n := count[rules.Undecided]; n > 0 {
		text += fmt.Sprintf(", %d UNDECIDED", n)
	}
	return text
}

func masksOf(w io.Writer, p *plan.Plan) {
	if len(p.Masks) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", columnCounts(p.Masks))
	if decided := slices.IndexFunc(p.Masks, func(m plan.Mask) bool { return m.Decision == rules.Undecided }) < 0; decided && masked(p.Masks) > longPlan {
		fmt.Fprintf(w, "  (each with its mask and place: understudy rules list)\n")
		maskedNames(w, p.Masks)
		kept(w, p.Masks)
		return
	}
	dir := folder(p.Masks)
	var last schema.Name
	g := grid{indent: 4}
	flush := func() {
		if len(g.rows) > 0 {
			fmt.Fprintf(w, "  %s\n", line(last.String()))
			g.write(w)
			g.rows = nil
		}
	}
	for _, m := range p.Masks {
		if m.Decision == rules.Keep || m.Decision == rules.Derived {
			continue
		}
		if m.Table != last {
			flush()
			last = m.Table
		}
		switch {
		case m.Decision == rules.Undecided:
			g.add(m.Column, m.Type, "UNDECIDED", "")
		case m.Decision == rules.ByPath:
			documents(&g, m, dir)
		case m.By == rules.ByReference:
			g.add(m.Column, m.Type, maskWords(m), "as "+m.Via)
		default:
			g.add(m.Column, m.Type, maskWords(m), strings.TrimPrefix(m.At.String(), dir))
		}
	}
	flush()
	kept(w, p.Masks)
}

// maskWords names a column's mask with its parameters, and says whether it is for
// elements of arrays.
func maskWords(m plan.Mask) string {
	words := withParameters(m.Mask, m.Parameters)
	if m.Each {
		return words + ", each element"
	}
	return words
}

// withParameters names a mask as a rule does, long parameters by their beginning.
func withParameters(mask string, parameters map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		value := []rune(line(parameters[name]))
		if len(value) > 24 {
			value = append(value[:23], '…')
		}
		list = append(list, name+": "+string(value))
	}
	if len(list) == 0 {
		return mask
	}
	all := []rune(strings.Join(list, ", "))
	if len(all) > 40 { // a line has room for names beside it; `understudy rules explain` has all
		all = append(all[:39], '…')
	}
	return mask + " {" + string(all) + "}"
}

// documents writes a column of documents: a line for each path, and what became
// of the rest.
func documents(g *grid, m plan.Mask, dir string) {
	at := strings.TrimPrefix(m.At.String(), dir)
	if m.Via != "" {
		at = "as " + m.Via
	}
	g.add(m.Column, m.Type, "by path", at)
	for _, p := range m.Paths {
		at := strings.TrimPrefix(p.At.String(), dir)
		if m.Documents > 0 {
			at += ", " + many(int(p.Values), "value")
		}
		g.add("  "+p.Path, "", pathFate(p), at)
	}
	g.add("  others", "", string(m.Others), unnamed(m))
}

func pathFate(p plan.Path) string {
	if p.Decision == rules.Keep {
		return "kept"
	}
	return withParameters(p.Mask, p.Parameters)
}

// unnamed tells how much no path named, by the named path above it.
func unnamed(m plan.Mask) string {
	if m.Documents == 0 {
		return ""
	}
	var out []string
	for _, u := range m.Unnamed {
		out = append(out, many(int(u.Values), "value")+" under "+u.Under)
	}
	if len(out) == 0 {
		out = append(out, "none met")
	}
	return strings.Join(out, ", ") + " in " + many(int(m.Documents), "document")
}

// folder is the one folder in which all rule files lie; "" if there are several.
func folder(ms []plan.Mask) string {
	dir := ""
	for _, m := range ms {
		if m.At.File == "" {
			continue
		}
		d := filepath.Dir(m.At.File) + string(filepath.Separator)
		if dir != "" && d != dir {
			return ""
		}
		dir = d
	}
	return dir
}

// kept sums the kept columns up by their reasons, the most frequent first.
func kept(w io.Writer, ms []plan.Mask) {
	const shown = 8
	type group struct {
		reason string
		n      int
	}
	var groups []group
	for _, m := range ms {
		if m.Decision != rules.Keep {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.reason == m.Reason })
		if i < 0 {
			i, groups = len(groups), append(groups, group{reason: m.Reason})
		}
		groups[i].n++
	}
	if len(groups) == 0 {
		return
	}
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(b.n, a.n) })
	fmt.Fprintf(w, "  kept, by reason (each column: understudy rules list)\n")
	g := grid{indent: 4, right: map[int]bool{0: true}}
	rest := 0
	for i, k := range groups {
		if i < shown {
			g.add(fmt.Sprint(k.n), k.reason)
		} else {
			rest += k.n
		}
	}
	if rest > 0 {
		g.add(fmt.Sprint(rest), "for "+many(len(groups)-shown, "other reason"))
	}
	g.write(w)
}

func fragmentsOf(w io.Writer, p *plan.Plan) {
	if len(p.Fragments) == 0 {
		return
	}
	fmt.Fprintf(w, "\nSQL from the job, to run on the source\n")
	g := grid{indent: 2}
	for _, f := range p.Fragments {
		at := f.At
		at.File = filepath.Base(at.File)
		g.add(at.String(), f.Text)
	}
	g.write(w)
}

// warnings lists what a reviewer should look at; one message over many places
// is told once.
func warnings(w io.Writer, fs []finding.Finding) {
	type group struct {
		message string
		places  []string
	}
	var groups []group
	for _, f := range fs {
		if f.Severity == finding.Error {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.message == f.Message })
		if i < 0 {
			i, groups = len(groups), append(groups, group{message: f.Message})
		}
		groups[i].places = append(groups[i].places, where(f))
	}
	if len(groups) == 0 {
		return
	}
	fmt.Fprintf(w, "\nTo look at: %d\n", len(groups))
	for _, g := range groups {
		const shown = 6
		places := g.places
		if len(places) > shown {
			places = append(slices.Clone(places[:shown]), fmt.Sprintf("and %d more", len(places)-shown))
		}
		text := g.message
		if all := strings.Join(places, ", "); all != "" && !strings.HasPrefix(text, all+":") && !strings.HasPrefix(text, all+" ") && !strings.HasPrefix(text, all+",") {
			text = all + ": " + text
		}
		fmt.Fprintf(w, "  %s\n", wrap(line(text), Width-2, 4))
	}
}

// where names what a finding is about: a column, a table, else a place in a file.
func where(f finding.Finding) string {
	switch {
	case f.Column != "":
		return f.Table + "." + schema.Ident(f.Column)
	case f.Table != "":
		return f.Table
	}
	return f.At.String()
}

// many counts a thing: 1 table, 2 tables.
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", Number(int64(n)), thing)
}
