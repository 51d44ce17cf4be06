package pipeline

import (
	"context"
	"errors"
	"iter"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// A placing snapshot says of a search that failed on a value which fragments of
// the job stand in it: the database took them before it met the row.
type placing struct {
	engine.Snapshot
	fragments []subset.Placed
}

// placed makes a snapshot say so; what it can do besides stays.
func placed(s engine.Snapshot, fragments []subset.Placed) engine.Snapshot {
	p := placing{s, fragments}
	if c, ok := s.(engine.Combiner); ok { // no fragment stands in what it looks for
		return struct {
			placing
			engine.Combiner
		}{p, c}
	}
	return p
}

// Find is the snapshot's own.
func (p placing) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return func(yield func(*engine.Found, error) bool) {
		for found, err := range p.Snapshot.Find(ctx, f) {
			if !yield(found, p.place(f, err)) {
				return
			}
		}
	}
}

func (p placing) place(f engine.Find, err error) error {
	switch engine.CodeOf(err) {
	case engine.Constraint, engine.Syntax:
	default:
		return err
	}
	var at []finding.At
	for _, x := range p.fragments {
		if x.Table.Name == f.Table.Name && strings.Contains(strings.Join(append([]string{f.Where, f.Order}, f.Tests...), "\n"), x.Text) {
			at = append(at, x.At)
		}
	}
	if err == nil || len(at) == 0 {
		return err
	}
	return &placedError{err, f.Table.Name, at}
}

// A placedError is an error of a search with the places of its fragments.
type placedError struct {
	err   error
	table schema.Name
	at    []finding.At
}

// Error is that of the search.
func (e *placedError) Error() string { return e.err.Error() }

// Unwrap gives the search's error.
func (e *placedError) Unwrap() error { return e.err }

// fragmentFailed makes the fault of a fragment that the database took and that
// fails on a row; nil where err is none.
func fragmentFailed(err error) *fault.Error {
	var p *placedError
	if !errors.As(err, &p) {
		return nil
	}
	out := fault.New(fault.Usage, "fragment", "a where, when or order of the job fails on the value of some row: let it exclude such rows first, as CASE does", "source: the fragment fails on a row: %s", p)
	out.Findings[0].At, out.Findings[0].Table = p.at[0], p.table.String()
	if len(p.at) > 1 {
		places := make([]string, len(p.at))
		for i, at := range p.at {
			places[i] = at.String()
		}
		out.Findings[0].Message = "source: one of the fragments at " + strings.Join(places, ", ") + " fails on a row: " + p.Error()
	}
	return out.Because(err)
}
