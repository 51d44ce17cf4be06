package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A Manifest is what a refresh leaves in the target, so that verify can tell,
// later and from elsewhere, what changed since. Digests are keyed and taken
// over masked values only; nothing in it is a value.
type Manifest struct {
	Version        int             `json:"version"`
	Generation     string          `json:"generation"`
	KeyFingerprint string          `json:"key_fingerprint"`
	Source         string          `json:"source"`
	Started        time.Time       `json:"started"`
	Finished       time.Time       `json:"finished"`
	Tables         []ManifestTable `json:"tables"`
	Proved         []ManifestProof `json:"proved,omitempty"`
	// After is the SHA-256 of the statements that changed the generation after it
	// was masked; it then bears no digests.
	After string `json:"after,omitempty"`
}

// A ManifestProof is something that the database proved before the switch.
type ManifestProof struct {
	Check string      `json:"check"`
	Table schema.Name `json:"table,omitzero"`
	Name  string      `json:"name"`
}

// A ManifestTable is one loaded table.
type ManifestTable struct {
	Table  schema.Name      `json:"table"` // in the target
	Rows   int64            `json:"rows"`
	Nulls  map[string]int64 `json:"nulls,omitempty"` // of each masked column
	Masked []string         `json:"masked,omitempty"`
	// Digest is over those masked columns that stand in the target as they were sent:
	// Digested, in this order.
	Digest   string   `json:"digest,omitempty"`
	Digested []string `json:"digested,omitempty"`
	// Documents and Arrays are those of Digested of which what is in them is
	// digested, not their text, which a database may write anew.
	Documents []string `json:"documents,omitempty"`
	Arrays    []string `json:"arrays,omitempty"`
	// Reckoned says of some of Digested how the refresh understood their values,
	// which all rows of production told and those that came might not.
	Reckoned map[string]string `json:"reckoned,omitempty"`
	// Since is what a later refresh needs to build on this one; nil where none can.
	Since *Since `json:"since,omitempty"`
}

// Since tells the rows that stood in a table on both sides, by words of the
// engine, and what they were made with: a digest of all that decides a row's fakes.
type Since struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Made   string `json:"made"`
}

func manifestOf(r *Report, runs []*tableRun) Manifest {
	m := Manifest{Version: 1, Generation: r.RunID, KeyFingerprint: r.KeyFingerprint, Source: r.Plan.Source, Started: r.Started, Finished: r.Finished, Tables: []ManifestTable{}}
	if len(runs) > 0 && runs[0].amended != nil {
		m.After = r.Plan.After.SHA256
	}
	for _, run := range runs {
		t := ManifestTable{Table: run.target, Rows: run.ledger.Counted}
		if run.amended != nil {
			t.Rows = run.amended.rows
		}
		for i, c := range run.rewrite.columns {
			if c.mask == nil && c.document == nil { // only nullified
				continue
			}
			if t.Nulls == nil {
				t.Nulls = map[string]int64{}
			}
			t.Nulls[c.name] = run.rewrite.counts[i].Nulls + run.rewrite.counts[i].Made + run.rewrite.counts[i].Nullified + run.stood.nulls[c.name]
			t.Masked = append(t.Masked, c.name)
			if run.amended != nil {
				t.Nulls[c.name] = run.amended.nulls[c.name]
			} else if run.rewrite.telling[i] {
				t.Digested = append(t.Digested, c.name)
				if c.document != nil {
					t.Documents = append(t.Documents, c.name)
				}
				if c.each {
					t.Arrays = append(t.Arrays, c.name)
				}
			}
		}
		if len(t.Digested) > 0 {
			t.Digest, t.Reckoned = run.rewrite.digester.Sum().Add(run.stood.digest).String(), run.reckons
		}
		if run.amended == nil && run.since.Source != "" && run.since.Target != "" {
			t.Since = &run.since
		}
		m.Tables = append(m.Tables, t)
	}
	slices.SortFunc(m.Tables, func(a, b ManifestTable) int { return a.Table.Compare(b.Table) })
	for _, v := range r.Verification {
		if v.Name != "" {
			m.Proved = append(m.Proved, ManifestProof{v.Check, v.Table, v.Name})
		}
	}
	return m
}

// names lists the tables.
func (m *Manifest) names() []schema.Name {
	out := make([]schema.Name, len(m.Tables))
	for i, t := range m.Tables {
		out[i] = t.Table
	}
	return out
}

// reckoned asks how the values that the digest takes in were understood.
func (run *tableRun) reckoned(reckoner engine.Reckoner) {
	for i, c := range run.rewrite.columns {
		if word := reckoner.Reckoned(run.source.Name, c.name); word != "" && run.rewrite.telling[i] {
			if run.reckons == nil {
				run.reckons = map[string]string{}
			}
			run.reckons[c.name] = word
		}
	}
}

// ReadManifest reads what a switch left.
func ReadManifest(data []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil || m.Version != 1 {
		return nil, fmt.Errorf("the target's manifest is not one that this version can read")
	}
	return &m, nil
}
