package check

import (
	"fmt"
	"math"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// An Outcome is what a proof came to.
type Outcome string

const (
	Passed     Outcome = "passed"
	Failed     Outcome = "failed"
	Unmeasured Outcome = "not measured"
)

// Switched is the check of whether a killed run's switch was finished.
const Switched = "switch"

// A Verdict is one proof with its outcome. Its JSON is part of the contract.
type Verdict struct {
	Check   string      `json:"check"`
	Outcome Outcome     `json:"outcome"`
	Detail  string      `json:"detail"`
	Table   schema.Name `json:"table,omitzero"`
	Column  string      `json:"column,omitempty"`
	Name    string      `json:"name,omitempty"` // of what an engine proved: a constraint, a sequence, a view
	Mend    string      `json:"mend,omitempty"` // the statement that puts right what failed, where there is one
	// Excused rows break what the database declares and does not ask of them; they make
	// no proof fail, and are told.
	Excused int64 `json:"excused,omitempty"`
	// Beyond: what was not measured is nothing that a refresh makes measurable, so it
	// is told and changes no exit code.
	Beyond bool `json:"-"`
}

// A Ledger follows the rows of one table through the run: five counts, taken at
// five places, that must be equal.
type Ledger struct {
	Table    schema.Name `json:"table"`
	Selected int64       `json:"selected"` // by the plan; what the source said it sent for a whole table
	Read     int64       `json:"read"`     // batches from the source
	Masked   int64       `json:"masked"`   // through the rewriter
	Sent     int64       `json:"sent"`     // acknowledged by the target
	Counted  int64       `json:"counted"`  // by the target, afterwards
	// Stood: rows that a refresh before left in the target and that did not change in
	// the source since; the others came or changed, and went all the way.
	Stood int64 `json:"stood,omitempty"`
}

// Rows judges a table's ledger.
func Rows(l Ledger) Verdict {
	v := Verdict{Check: "rows", Table: l.Table, Outcome: Passed, Detail: fmt.Sprintf("selected = read = masked = sent = counted = %d", l.Counted)}
	if l.Stood > 0 {
		v.Detail = fmt.Sprintf("selected = read = masked = sent = %d, with %d that stood there = counted = %d", l.Sent, l.Stood, l.Counted)
	}
	if l.Selected != l.Read || l.Read != l.Masked || l.Masked != l.Sent || l.Sent+l.Stood != l.Counted {
		v.Outcome = Failed
		v.Detail = fmt.Sprintf("selected %d, read %d, masked %d, sent %d, stood there %d, counted %d", l.Selected, l.Read, l.Masked, l.Sent, l.Stood, l.Counted)
	}
	return v
}

// A Column is what was counted in one masked column.
type Column struct {
	Table schema.Name
	Name  string
	Path  string // in documents: what is judged are its values
	Nulls int64  // NULL in the source
	Made  int64  // NULLs made by the mask
	// Nullified are values that led to no row and were made NULL.
	Nullified int64
	// Distinct values were judged; Same of them have a fake that equals them,
	// Expected is the average that chance alone would make.
	Distinct, Same int64
	Expected       float64
	// Left are distinct values that the mask leaves as they are, by what it is: the
	// lower end of a bucket, the first of a month.
	Left int64
	// Blind: the mask does not depend on the value, so equality proves nothing.
	Blind bool
	// Counted is the number of NULLs in the target.
	Counted int64
}

// Nulls judges that NULL stayed NULL and nothing else became NULL but what the
// mask or an orphan made so.
func Nulls(c Column) Verdict {
	v := Verdict{Check: "nulls", Table: c.Table, Column: c.Name, Outcome: Passed, Detail: fmt.Sprintf("%d NULLs, as in the source", c.Counted)}
	if c.Made > 0 {
		v.Detail = fmt.Sprintf("%d NULLs: %d of the source, %d made by the mask", c.Counted, c.Nulls, c.Made)
	}
	if c.Nullified > 0 {
		v.Detail = fmt.Sprintf("%d NULLs: %d of the source, %d made by the mask, %d of orphans", c.Counted, c.Nulls, c.Made, c.Nullified)
	}
	if want := c.Nulls + c.Made + c.Nullified; c.Counted != want {
		v.Outcome = Failed
		v.Detail = fmt.Sprintf("%d NULLs expected, %d counted", want, c.Counted)
	}
	return v
}

// Idle tells whether a mask changes nothing: none of the distinct values that it met is
// one that it changes, and they are too many to be the few words that tell of nobody.
func Idle(judged, left int64) bool { return judged == 0 && left >= 20 }

// Changed judges that masking took place: not more values became themselves
// than chance explains. By Chernoff's bound chance makes k or more of them, where
// it makes l on average and k > l, with probability at most (e*l/k)^k * e^-l;
// below one in a thousand million the run is stopped.
func Changed(c Column) (v Verdict) {
	v = Verdict{Check: "masked", Table: c.Table, Column: c.Name, Outcome: Passed}
	if c.Path != "" {
		defer func() { v.Detail = c.Path + ": " + v.Detail }()
	}
	if c.Blind {
		v.Detail = "the mask does not depend on the value; equality proves nothing"
		return v
	}
	v.Detail = fmt.Sprintf("%d of %d distinct values became themselves; chance makes %.3g", c.Same, c.Distinct, c.Expected)
	if c.Left > 0 {
		v.Detail += fmt.Sprintf("; %d more are such as the mask leaves", c.Left)
	}
	if Idle(c.Distinct, c.Left) {
		v.Outcome, v.Detail = Failed, fmt.Sprintf("each of %d distinct values is one that the mask leaves as it is", c.Left)
	}
	k, l := float64(c.Same), c.Expected
	if k > l && (l == 0 || k*(1+math.Log(l/k))-l < math.Log(1e-9)) {
		v.Outcome = Failed
	}
	return v
}

// Proved turns an engine's proof into a verdict.
func Proved(p engine.Proof) Verdict {
	v := Verdict{Check: p.Kind, Table: p.Table, Name: p.Name, Outcome: Passed, Detail: p.Name + ": " + p.Method, Excused: p.Excused}
	switch {
	case p.Failures < 0:
		v.Outcome, v.Detail = Unmeasured, p.Name+": "+p.Detail
	case p.Failures > 0 && p.Detail != "":
		v.Outcome, v.Detail, v.Mend = Failed, p.Name+": "+p.Detail, p.Mend
	case p.Failures > 0:
		v.Outcome, v.Detail = Failed, fmt.Sprintf("%s: %d rows fail (%s)", p.Name, p.Failures, p.Method)
		v.Mend = p.Mend
	}
	return v
}

// Judge turns the verdicts of a run into findings: a failed one stops it before the
// switch (exit 5), an unmeasured one is told (exit 7).
func Judge(vs []Verdict) []finding.Finding {
	return judge(vs, func(Verdict) string {
		return "the target is unchanged; `understudy plan` shows how this table was selected and masked"
	})
}

// Again is Judge for a generation that stands in the target and was proved afresh.
func Again(vs []Verdict) []finding.Finding {
	return judge(vs, func(v Verdict) string {
		if v.Check == Switched {
			return "`understudy refresh` makes them first, also where it is refused, and so does `understudy rollback`"
		}
		if v.Mend != "" {
			return "run " + v.Mend + "; or refresh the target again"
		}
		return "something wrote to the target after its refresh; refresh it again if it should be as loaded"
	})
}

func judge(vs []Verdict, hint func(Verdict) string) []finding.Finding {
	var out []finding.Finding
	for _, v := range vs {
		f := finding.Finding{Check: "proof-" + v.Check, Column: v.Column, Message: v.Detail}
		if v.Table.Table != "" {
			f.Table = v.Table.String()
		}
		switch v.Outcome {
		case Failed:
			f.Severity, f.Code = finding.Error, int(fault.Integrity)
			f.Hint = hint(v)
		case Unmeasured:
			f.Severity, f.Code = finding.Warning, int(fault.Unmeasured)
			if v.Beyond {
				f.Severity, f.Code = finding.Note, 0
			}
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}
