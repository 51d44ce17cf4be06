package parity

import (
	"encoding/json"
	"time"
)

// A Memory is what one comparison leaves for the next: which differences stood,
// and since when. It is kept as JSON; no value of a row is in it.
type Memory struct {
	Format int       `json:"format"`
	Source string    `json:"source"` // addresses without secrets: other ones have another memory
	Target string    `json:"target"`
	Taken  time.Time `json:"taken"`
	// Differences that stood, the waived ones included.
	Differences []Past `json:"differences"`
}

// A Past is a difference that an earlier comparison found.
type Past struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`
	Object string    `json:"object"`
	Change string    `json:"change"`
	Since  time.Time `json:"since,omitzero"`
}

const memoryFormat = 1

// Recall reads what an earlier comparison of the same two databases left. What
// cannot be read, or is of others, is no memory.
func Recall(data []byte, source, target string) *Memory {
	var m Memory
	if json.Unmarshal(data, &m) != nil || m.Format != memoryFormat || m.Source != source || m.Target != target || m.Taken.IsZero() {
		return nil
	}
	return &m
}

// Age tells each difference since when it stands, and what is gone. Nil means
// that nothing is known of an earlier comparison: then all stand since now.
func (r *Report) Age(m *Memory, now time.Time) {
	since := make(map[string]time.Time)
	if m != nil {
		r.Since = &m.Taken
		for _, p := range m.Differences {
			since[p.ID] = p.Since
			if r.Find(p.ID) == nil {
				r.Gone = append(r.Gone, p)
			}
		}
	}
	for i := range r.Differences {
		d := &r.Differences[i]
		first, known := since[d.ID]
		if !known {
			first, d.New = now, m != nil
		}
		d.Since = &first
	}
}

// Remember gives what the next comparison wants to know of this one, whose
// differences were given their age.
func (r *Report) Remember(source, target string, now time.Time) *Memory {
	m := &Memory{Format: memoryFormat, Source: source, Target: target, Taken: now, Differences: []Past{}}
	for _, d := range r.Differences {
		p := Past{ID: d.ID, Kind: d.Kind, Object: d.Object, Change: d.Change, Since: now}
		if d.Since != nil {
			p.Since = *d.Since
		}
		m.Differences = append(m.Differences, p)
	}
	return m
}

// Oldest is since when the oldest open difference stands; zero if there is none.
func (r *Report) Oldest() time.Time {
	var out time.Time
	for _, d := range r.Differences {
		if d.Open() && d.Since != nil && (out.IsZero() || d.Since.Before(out)) {
			out = *d.Since
		}
	}
	return out
}
