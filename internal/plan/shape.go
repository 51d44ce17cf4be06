package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/config"
	"understudy/internal/document"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/rules"
	"understudy/internal/schema"
)

// A Fate is what becomes of a table in the new generation.
type Fate string

const (
	Copied    Fate = "copied"    // rows from the source, as selected
	Preserved Fate = "preserved" // the target's own rows, carried over
	History   Fate = "history"   // a migration tool's table: it follows the DDL
	Emptied   Fate = "emptied"   // exists in the target only and holds no row afterwards
	Absent    Fate = "absent"    // the target has no such table; nothing is loaded
)

// A Shape says how source and target fit together, before any row is looked at.
type Shape struct {
	// FromSource: the target has no structure of its own, so production's is used.
	FromSource bool
	Tables     []TableShape // sorted by name
	// Scope is the part of the source's structure that needs decisions and rows.
	Scope *schema.Schema
	// Preserve lists the target tables whose rows are carried over.
	Preserve []schema.Name
	schemas  map[string]string // source schema to target schema, where they differ
}

// A TableShape says how one table fits.
type TableShape struct {
	Name    schema.Name // in the source, or in the target for a table that only it has
	Target  schema.Name
	Fate    Fate
	Columns []string // loaded columns: those both sides have, in the source's order
	// Missing are source columns that the target lacks.
	Missing []string
}

// TargetName gives the name a source table has in the target.
func (s *Shape) TargetName(n schema.Name) schema.Name {
	if to, ok := s.schemas[n.Schema]; ok {
		n.Schema = to
	}
	return n
}

// Renamed gives the source schemas that have another name in the target.
func (s *Shape) Renamed() map[string]string { return maps.Clone(s.schemas) }

// Table finds a table's shape by its source name; nil if there is none.
func (s *Shape) Table(n schema.Name) *TableShape {
	i, ok := slices.BinarySearchFunc(s.Tables, n, func(t TableShape, n schema.Name) int { return t.Name.Compare(n) })
	if !ok {
		return nil
	}
	return &s.Tables[i]
}

// IsHistory tells whether a table is a migration tool's own.
func IsHistory(n schema.Name) bool { return catalog.IsHistory(n.Table) }

// Fit decides how the source's structure is loaded into the target's. The
// findings hold every reason why it cannot be, all at once.
func Fit(job *config.Job, source, target *schema.Schema, state *engine.State) (*Shape, []finding.Finding) {
	f := fitter{job: job, source: source, target: target, state: state,
		shape: &Shape{FromSource: len(target.Tables) == 0, schemas: map[string]string{}, Scope: &schema.Schema{}}}
	for _, s := range job.Schemas {
		if s.Target != "" && s.Target != s.Source {
			f.shape.schemas[s.Source] = s.Target
		}
	}
	if f.shape.FromSource && len(f.shape.schemas) > 0 && !state.Renames {
		f.add("schema-names", job.Schemas[0].At, "", fault.Usage, "let the names be equal, or give the target its schema first",
			"the target has no structure of its own, so production's is used, and that cannot be renamed on the way")
	}
	f.names()
	f.tables()
	f.targetOnly()
	f.barred()
	f.scope()
	return f.shape, f.findings
}

type fitter struct {
	job               *config.Job
	source, target    *schema.Schema
	state             *engine.State
	shape             *Shape
	findings          []finding.Finding
	preserve, discard map[schema.Name]bool
}

func (f *fitter) add(check string, at finding.At, table string, code fault.Code, hint, format string, args ...any) {
	f.findings = append(f.findings, finding.Finding{Check: check, Severity: finding.Error, At: at, Table: table,
		Code: int(code), Hint: hint, Message: fmt.Sprintf(format, args...)})
}

func (f *fitter) warn(check, table, column, hint, format string, args ...any) {
	f.findings = append(f.findings, finding.Finding{Check: check, Severity: finding.Warning, Table: table, Column: column,
		Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// names resolves preserve and discard against the target.
func (f *fitter) names() {
	resolve := func(list []config.Text, check string) map[schema.Name]bool {
		out := map[schema.Name]bool{}
		for _, text := range list {
			if n, ok := f.inTarget(text.Value); ok {
				out[n] = true
				continue
			}
			t, err := f.target.Resolve(text.Value)
			if err != nil && f.shape.FromSource && check == "preserve" {
				// There is nothing to preserve yet: the table comes with production's structure, without rows.
				t, err = f.source.Resolve(text.Value)
			}
			if err != nil {
				f.add(check, text.At, "", fault.Usage, "name a table of the target", "load.%s: in the target, %s", check, err)
				continue
			}
			out[t.Name] = true
		}
		return out
	}
	f.preserve, f.discard = resolve(f.job.Load.Preserve, "preserve"), resolve(f.job.Load.Discard, "discard")
	for _, text := range f.job.Load.Discard {
		t, err := f.target.Resolve(text.Value)
		switch {
		case err != nil: // told above, or outside the job's schemas
		case slices.ContainsFunc(f.source.Tables, func(s schema.Table) bool { return f.shape.TargetName(s.Name) == t.Name }):
			f.warn("discard", t.Name.String(), "", "take it out of load.discard; `subset: {tables: {NAME: none}}` leaves a table empty",
				"load.discard names a table that production has too: its rows are loaded like any other's")
		}
		if err == nil && f.preserve[t.Name] {
			f.add("discard", text.At, t.Name.String(), fault.Usage, "take it out of one of the two lists", "%s stands in both load.preserve and load.discard", t.Name)
		}
	}
}

// inTarget finds a table outside the job's schemas by its full name: such
// tables are known from their rows only.
func (f *fitter) inTarget(text string) (schema.Name, bool) {
	parts, err := schema.ParseName(text)
	if err != nil || len(parts) != 2 {
		return schema.Name{}, false
	}
	n := schema.Name{Schema: parts[0], Table: parts[1]}
	return n, f.target.Table(n) == nil && slices.Contains(f.state.Rows, n)
}

func (f *fitter) tables() {
	for i := range f.source.Tables {
		t := &f.source.Tables[i]
		shape := TableShape{Name: t.Name, Target: f.shape.TargetName(t.Name)}
		to := f.target.Table(shape.Target)
		switch {
		case f.preserve[shape.Target]:
			shape.Fate = Preserved
			if !f.shape.FromSource {
				f.shape.Preserve = append(f.shape.Preserve, shape.Target)
			}
		case IsHistory(t.Name) && f.shape.FromSource:
			shape.Fate, shape.Columns = History, t.Written()
		case IsHistory(t.Name) && to == nil:
			shape.Fate = Absent
		case IsHistory(t.Name):
			shape.Fate = History
			f.shape.Preserve = append(f.shape.Preserve, shape.Target)
		case f.shape.FromSource:
			shape.Fate, shape.Columns = Copied, t.Written()
		case to == nil:
			shape.Fate = Absent
			f.warn("table-missing", t.Name.String(), "", "bring the target's schema up to date, or copy it with `understudy parity`'s closing SQL",
				"the target has no such table: its rows are not loaded")
		default:
			shape.Fate = Copied
			f.columns(t, to, &shape)
		}
		f.shape.Tables = append(f.shape.Tables, shape)
	}
}

// columns matches a table's columns by name.
func (f *fitter) columns(t, to *schema.Table, shape *TableShape) {
	for _, c := range t.Columns {
		tc := to.Column(c.Name)
		switch {
		case tc == nil:
			shape.Missing = append(shape.Missing, c.Name)
			f.warn("column-missing", t.Name.String(), c.Name, "bring the target's schema up to date", "the target has no such column: its values are not loaded")
		case tc.Generated:
		case c.Generated:
			if tc.NotNull && tc.Default == "" && !tc.Identity {
				f.add("column-unfilled", finding.At{}, t.Name.String(), fault.Usage, "make it generated, nullable or give it a default in the target",
					"column %s is generated in the source, which has nothing to load, and NOT NULL in the target", schema.Ident(c.Name))
			}
		default:
			shape.Columns = append(shape.Columns, c.Name)
			if c.Kind != tc.Kind {
				f.warn("column-type", t.Name.String(), c.Name, "", "%s in the source, %s in the target", c.Type, tc.Type)
			} else if tc.Length > 0 && (c.Length == 0 || c.Length > tc.Length) {
				f.warn("column-narrower", t.Name.String(), c.Name, "", "the target is narrower (%s, the source has %s): a longer value would stop the load", tc.Type, c.Type)
			} else if tc.NotNull && !c.NotNull {
				f.warn("column-not-null", t.Name.String(), c.Name, "", "NOT NULL in the target only: a NULL would stop the load")
			}
		}
	}
	for _, tc := range to.Columns {
		if t.Column(tc.Name) == nil && tc.NotNull && tc.Default == "" && !tc.Generated && !tc.Surrogate && !tc.Identity {
			f.add("column-unfilled", finding.At{}, t.Name.String(), fault.Usage, "give it a default in the target, or allow NULL",
				"the target's column %s is NOT NULL, has no default, and production has no such column: no row could be loaded", schema.Ident(tc.Name))
		}
	}
}

// targetOnly decides tables that only the target has.
func (f *fitter) targetOnly() {
	known := map[schema.Name]bool{}
	for _, t := range f.shape.Tables {
		known[t.Target] = true
	}
	names := map[schema.Name]bool{}
	for _, t := range f.target.Tables {
		names[t.Name] = true
	}
	for _, n := range f.state.Rows {
		names[n] = true
	}
	first := len(f.findings)
	for n := range names {
		if known[n] {
			continue
		}
		hasRows := slices.Contains(f.state.Rows, n)
		shape := TableShape{Name: n, Target: n, Fate: Emptied}
		switch {
		case f.preserve[n], IsHistory(n) && hasRows:
			shape.Fate = Preserved
			f.shape.Preserve = append(f.shape.Preserve, n)
		case hasRows && !f.discard[n]:
			why := "production has no such table, or the source's role may not see it"
			if f.outside(n) {
				why = "the table is outside the job's schemas"
			}
			f.add("rows-lost", finding.At{}, n.String(), fault.Refused, "", "the target holds rows here, and %s: a refresh would lose them", why)
		}
		f.shape.Tables = append(f.shape.Tables, shape)
	}
	slices.SortFunc(f.shape.Tables, func(a, b TableShape) int { return a.Name.Compare(b.Name) })
	slices.SortFunc(f.shape.Preserve, schema.Name.Compare)
	f.keepOrDrop(f.findings[first:])
}

// barred tells of the tables whose rows cannot be replaced, and would have to be.
func (f *fitter) barred() {
	for _, b := range f.state.Bars {
		if !slices.Contains(f.shape.Preserve, b.Table) {
			f.add("target-obstacle", finding.At{}, b.Table.String(), fault.Refused, "", "%s", b.Say)
		}
	}
}

// keepOrDrop gives the findings of rows that would be lost their one remedy: lists
// to paste into the job, with what stands there already.
func (f *fitter) keepOrDrop(lost []finding.Finding) {
	var tables []string
	for i := range lost {
		tables = append(tables, lost[i].Table)
	}
	slices.Sort(tables)
	list := func(have []config.Text) string {
		var out []string
		for _, text := range have {
			out = append(out, text.Value)
		}
		return document.Names(append(out, tables...))
	}
	for i := range lost {
		lost[i].Hint = "load.preserve keeps the rows, load.discard lets them go; under `load` write one of\npreserve: " + list(f.job.Load.Preserve) + "\ndiscard: " + list(f.job.Load.Discard)
	}
}

// outside tells whether a table of the target lies in no schema of the job.
func (f *fitter) outside(n schema.Name) bool {
	covered := f.job.TargetSchemas()
	return len(covered) > 0 && !slices.Contains(covered, n.Schema)
}

// scope gathers the tables that need decisions and rows, and the references among them.
func (f *fitter) scope() {
	for _, t := range f.source.Tables {
		switch s := f.shape.Table(t.Name); {
		case s.Fate != Copied && s.Fate != Absent, IsHistory(t.Name):
		case isForeign(t):
			f.warn("foreign-table", t.Name.String(), "", "", "a foreign table holds no rows of its own: it is not copied")
		default:
			f.shape.Scope.Tables = append(f.shape.Scope.Tables, t)
		}
	}
	for _, r := range f.source.References {
		if f.shape.Scope.Table(r.From) != nil && f.shape.Scope.Table(r.To) != nil {
			f.shape.Scope.References = append(f.shape.Scope.References, r)
		}
	}
}

// isForeign tells whether a table's rows belong to another server.
func isForeign(t schema.Table) bool { return strings.HasPrefix(t.Note, "foreign table") }

// Scope is the part of a source's structure that rules decide, judged without
// the target: all but migration tools' tables, those the job preserves, and
// foreign tables, which hold no rows of their own.
func Scope(job *config.Job, source *schema.Schema) *schema.Schema {
	preserved := map[schema.Name]bool{}
	for _, text := range job.Load.Preserve {
		if t, err := source.Resolve(text.Value); err == nil {
			preserved[t.Name] = true
		}
	}
	out := &schema.Schema{}
	for _, t := range source.Tables {
		if !preserved[t.Name] && !IsHistory(t.Name) && !isForeign(t) {
			out.Tables = append(out.Tables, t)
		}
	}
	for _, r := range source.References {
		if out.Table(r.From) != nil && out.Table(r.To) != nil {
			out.References = append(out.References, r)
		}
	}
	return out
}

// Bind binds rule files to the tables of scope. A line for another table of the
// source, one that takes no decision, is not looked at and no mistake: whether
// staging has or preserves a table must not decide whether a rules file is right.
func Bind(files []*rules.File, source, scope *schema.Schema) (*rules.Binding, []finding.Finding) {
	all := &schema.Schema{Tables: source.Tables, References: scope.References}
	var without []schema.Name
	for _, t := range source.Tables {
		if scope.Table(t.Name) == nil {
			without = append(without, t.Name)
		}
	}
	return rules.Bind(files, all, without...)
}
