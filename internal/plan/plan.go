// Package plan is the decision, as data: what will be done to which table, by
// which rule, why, and what stands against it. It is made from a job, two
// structures, a binding and a selection by pure functions, and it prints; the
// pipeline carries it out. A refresh is a plan plus the last step.
package plan

import (
	"encoding/json"
	"slices"
	"time"

	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/parity"
	"understudy/internal/rules"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// A Plan is all that a refresh would do. Its JSON is part of the contract.
type Plan struct {
	RunID  string `json:"run"`
	Source string `json:"source"` // addresses without secrets
	Target string `json:"target"`
	// Schemas are those that the job names, as pairs "source -> target"; none where it names none.
	Schemas []string `json:"schemas,omitempty"`
	// Now is the run's instant, which now() means in fragments.
	Now            time.Time `json:"now"`
	KeyFingerprint string    `json:"key_fingerprint"`
	// Pools is the hash of the lists that fakes are picked from: with the key and
	// the rules it decides every fake.
	Pools string `json:"pools"`
	// Structure says whose DDL the new generation has: target or source.
	Structure string `json:"structure"`
	// Mechanism says how the switch will work.
	Mechanism string `json:"mechanism"`
	// Moment says how the source's moment was taken, where that differs between
	// servers; empty before there is one.
	Moment string `json:"moment,omitempty"`
	// After is the file of statements that will change the new generation; nil when there is none.
	After     *After            `json:"after,omitempty"`
	Claimed   bool              `json:"claimed"`
	Tables    []Table           `json:"tables"`
	Masks     []Mask            `json:"masks"`
	Undecided []Open            `json:"undecided"`
	Fragments []Fragment        `json:"fragments"`
	Orphans   []Orphan          `json:"orphans,omitempty"`
	Parity    *parity.Report    `json:"parity"`
	Leftovers []string          `json:"leftovers,omitempty"`
	Insecure  []string          `json:"insecure,omitempty"` // sides reached without verified TLS
	Findings  []finding.Finding `json:"-"`

	Shape *Shape `json:"-"`
}

// An After is the file of load.after.
type After struct {
	File       string `json:"file"`
	SHA256     string `json:"sha256"`
	Statements int    `json:"statements"`
}

// A Table is one line of the plan. In JSON a number that is not known is null.
type Table struct {
	Table schema.Name `json:"table"`
	// Rows to be loaded; an estimate where About, and then -1 where the server has none.
	Rows   int64  `json:"rows"`
	Of     int64  `json:"of"` // rows in the source by its own estimate; -1 unknown
	About  bool   `json:"about,omitempty"`
	Fate   Fate   `json:"fate"`
	Reason string `json:"reason"`
}

// MarshalJSON writes null for a number of rows that is not known.
func (t Table) MarshalJSON() ([]byte, error) {
	known := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	return json.Marshal(struct {
		Table  schema.Name `json:"table"`
		Rows   *int64      `json:"rows"`
		Of     *int64      `json:"of"`
		About  bool        `json:"about,omitempty"`
		Fate   Fate        `json:"fate"`
		Reason string      `json:"reason"`
	}{t.Table, known(t.Rows), known(t.Of), t.About, t.Fate, t.Reason})
}

// A Mask is what becomes of one column.
type Mask struct {
	Table    schema.Name   `json:"table"`
	Column   string        `json:"column"`
	Type     string        `json:"type"`
	Decision rules.Outcome `json:"decision"`
	Mask     string        `json:"mask,omitempty"`
	// Parameters are the mask's as the rule gives them: they say how much it changes.
	Parameters map[string]string `json:"parameters,omitempty"`
	Class      string            `json:"class,omitempty"`
	Domain     string            `json:"domain,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	By         rules.Source      `json:"by,omitempty"`
	Via        string            `json:"via,omitempty"`
	At         finding.At        `json:"at"`
	// Each: the mask takes the elements of arrays one by one.
	Each bool `json:"each,omitempty"`
	// Paths and Others are of columns of documents, whose decision is json.
	Paths  []Path       `json:"paths,omitempty"`
	Others rules.Others `json:"others,omitempty"`
	// Documents were looked at, in a plan some, in a refresh all, and Unnamed
	// counts what no path named in them.
	Documents int64     `json:"documents,omitempty"`
	Unnamed   []Unnamed `json:"unnamed,omitempty"`
}

// A Path is what becomes of one path in documents.
type Path struct {
	Path       string            `json:"path"`
	Decision   rules.Outcome     `json:"decision"`
	Mask       string            `json:"mask,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Class      string            `json:"class,omitempty"`
	Domain     string            `json:"domain,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	At         finding.At        `json:"at"`
	// Values were decided by it, in the documents looked at.
	Values int64 `json:"values"`
}

// Unnamed is how many values stood right under a named path without a path of their own.
type Unnamed struct {
	Under  string `json:"under"`
	Values int64  `json:"values"`
}

// Open is a column without a decision.
type Open struct {
	Table  schema.Name `json:"table"`
	Column string      `json:"column"`
	Type   string      `json:"type"`
}

// A Fragment is a piece of SQL from a file that will run on the source.
type Fragment struct {
	At   finding.At `json:"at"`
	Text string     `json:"text"`
}

// An Orphan tells what becomes of the rows that lead nowhere along one reference.
type Orphan struct {
	Table      schema.Name `json:"table"`
	Columns    []string    `json:"columns"`
	References schema.Name `json:"references"`
	Outcome    string      `json:"outcome"` // dropped or nullified
	// Rows lead to no row; Cascaded lead to rows only that were dropped.
	Rows     int64 `json:"rows"`
	Cascaded int64 `json:"cascaded,omitempty"`
	// Nulled are the columns that are set to NULL.
	Nulled []string `json:"nulled,omitempty"`
}

// Orphans lists what a selection did to orphans, of the tables that are loaded.
func Orphans(sel *subset.Selection, shape *Shape) []Orphan {
	var out []Orphan
	for _, o := range sel.Orphans {
		r := o.Reference
		if t := shape.Table(r.From); t == nil || t.Fate != Copied {
			continue
		}
		line := Orphan{Table: r.From, Columns: r.Columns, References: r.To, Outcome: "dropped", Rows: o.Rows, Cascaded: o.Cascaded, Nulled: o.Nulled}
		if len(o.Nulled) > 0 {
			line.Outcome = "nullified"
		}
		out = append(out, line)
	}
	return out
}

// Unnullable finds the columns that orphans would leave NULL and that the target
// wants filled.
func Unnullable(sel *subset.Selection, shape *Shape, target *schema.Schema) []finding.Finding {
	var out []finding.Finding
	for _, t := range sel.Tables {
		s := shape.Table(t.Table)
		if s == nil || s.Fate != Copied || target.Table(s.Target) == nil {
			continue
		}
		seen := map[string]bool{}
		for _, n := range t.Nulls {
			for _, name := range n.Columns {
				c := target.Table(s.Target).Column(name)
				if c == nil || !c.NotNull || seen[name] || !slices.Contains(s.Columns, name) {
					continue
				}
				seen[name] = true
				out = append(out, finding.Finding{Check: "orphans", Severity: finding.Error, Table: t.Table.String(), Column: name, Code: int(fault.Integrity),
					Message: "orphans cannot be nullified: " + schema.Ident(name) + " is NOT NULL in the target", Hint: "write `orphans: drop`, or mend these rows in the source"})
			}
		}
	}
	return out
}

// Rows is the total of rows to be loaded.
func (p *Plan) Rows() int64 {
	var n int64
	for _, t := range p.Tables {
		if t.Fate == Copied || t.Fate == History {
			n += max(t.Rows, 0)
		}
	}
	return n
}

// Uncounted tells whether rows come of which not even the source's server says how
// many they are.
func (p *Plan) Uncounted() bool {
	return slices.ContainsFunc(p.Tables, func(t Table) bool { return t.About && t.Rows < 0 })
}

// Masks lists the decisions of a binding as plan lines.
func Masks(b *rules.Binding, s *schema.Schema) []Mask {
	out := make([]Mask, 0, len(b.Decisions))
	for _, d := range b.Decisions {
		m := Mask{Table: d.Table, Column: d.Column, Decision: d.Outcome, Reason: d.Reason, By: d.By, Via: d.Via, At: d.At}
		if d.Outcome == rules.Mask {
			m.Mask, m.Parameters, m.Class, m.Domain = d.Spec.Mask, d.Spec.Params, d.Spec.Class, d.Spec.Domain
			m.Each = d.Each
		}
		if d.Outcome == rules.ByPath {
			m.Others = d.Documents.Others
			for _, p := range d.Documents.Paths {
				m.Paths = append(m.Paths, Path{Path: p.Path.String(), Decision: p.Outcome, Mask: p.Spec.Mask, Parameters: p.Spec.Params, Class: p.Spec.Class, Domain: p.Spec.Domain, Reason: p.Reason, At: p.At})
			}
		}
		if t := s.Table(d.Table); t != nil {
			if c := t.Column(d.Column); c != nil {
				m.Type = c.Type
			}
		}
		out = append(out, m)
	}
	return out
}

// OpenColumns lists the columns of a binding that have no decision.
func OpenColumns(ms []Mask) []Open {
	out := []Open{}
	for _, m := range ms {
		if m.Decision == rules.Undecided {
			out = append(out, Open{m.Table, m.Column, m.Type})
		}
	}
	return out
}
