// Package faulty wraps an engine and lets it fail where a test says, so that a
// pipeline's behaviour after each failure can be tried on a real database. What
// does not fail is passed on unchanged.
package faulty

import (
	"context"
	"iter"
	"sync"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// A Point is where an engine can be made to fail.
type Point string

const (
	Snapshot     Point = "snapshot"      // instead of taking the source's moment
	Find         Point = "find"          // before the nth Find gives anything
	FindBatch    Point = "find batch"    // instead of the nth batch of rows found
	Read         Point = "read"          // before the nth Read gives anything
	ReadBatch    Point = "read batch"    // instead of the nth batch of rows read
	State        Point = "state"         // instead of telling what stands in the target
	Begin        Point = "begin"         // instead of starting a generation
	Write        Point = "write"         // before the nth Write takes a row
	WriteBatch   Point = "write batch"   // instead of taking the nth batch
	Count        Point = "count"         // instead of the nth count
	Finish       Point = "finish"        // before indexes and constraints are made
	Prove        Point = "prove"         // instead of the nth proving
	SwitchBefore Point = "switch before" // the old generation stands
	SwitchAfter  Point = "switch after"  // the new generation stands; the error wraps engine.ErrSwitched
	Abort        Point = "abort"         // after the load was given up
)

// Points lists every point.
func Points() []Point {
	return []Point{Snapshot, Find, FindBatch, Read, ReadBatch, State, Begin, Write, WriteBatch, Count, Finish, Prove, SwitchBefore, SwitchAfter, Abort}
}

// A Fault lets the Nth call at a point fail, the first being 1.
type Fault struct {
	At  Point
	Nth int
	// Code of the error; Failed if it is empty.
	Code engine.Code
}

// An Engine fails as its faults say. It counts calls over everything it has
// opened, and may be used by all goroutines.
type Engine struct {
	engine.Engine
	plan
}

// New wraps an engine.
func New(inner engine.Engine, faults ...Fault) *Engine {
	return &Engine{Engine: inner, plan: plan{faults: faults, calls: map[Point]int{}}}
}

// plan counts calls and tells which fail.
type plan struct {
	mu     sync.Mutex
	faults []Fault
	calls  map[Point]int
	struck int
}

// Struck tells how many faults have happened, so that a test can see that its fault did.
func (p *plan) Struck() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

// Calls tells how many calls a point has seen, failed ones included.
func (p *plan) Calls(at Point) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[at]
}

// strike counts a call and gives its error, if it is to fail.
func (p *plan) strike(at Point) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[at]++
	for _, f := range p.faults {
		if f.At != at || f.Nth != p.calls[at] {
			continue
		}
		p.struck++
		e := &engine.Error{Code: f.Code, Doing: string(at), Say: "a fault was planned here"}
		if e.Code == "" {
			e.Code = engine.Failed
		}
		if at == SwitchAfter {
			e.Err = engine.ErrSwitched
		}
		return e
	}
	return nil
}

// Source opens the wrapped engine's source.
func (e *Engine) Source(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Source, error) {
	s, err := e.Engine.Source(ctx, at, limits)
	if err != nil {
		return nil, err
	}
	return &source{s, &e.plan}, nil
}

// Target opens the wrapped engine's target.
func (e *Engine) Target(ctx context.Context, at engine.Address, limits engine.Limits) (engine.Target, error) {
	t, err := e.Engine.Target(ctx, at, limits)
	if err != nil {
		return nil, err
	}
	return wrapTarget(t, &e.plan), nil
}

// Apart compares what the wrapped engine opened.
func (e *Engine) Apart(ctx context.Context, from engine.Source, to engine.Target) (engine.Distance, error) {
	from = unwrapSource(from)
	if t, ok := to.(interface{ inner() engine.Target }); ok {
		to = t.inner()
	}
	return e.Engine.Apart(ctx, from, to)
}

type source struct {
	engine.Source
	plan *plan
}

func (s *source) Snapshot(ctx context.Context, want *schema.Schema) (engine.Snapshot, error) {
	if err := s.plan.strike(Snapshot); err != nil {
		return nil, err
	}
	snap, err := s.Source.Snapshot(ctx, want)
	if err != nil {
		return nil, err
	}
	return wrapSnapshot(snap, s.plan), nil
}

type snapshot struct {
	engine.Snapshot
	plan *plan
}

func (s *snapshot) Find(ctx context.Context, f engine.Find) iter.Seq2[*engine.Found, error] {
	return failing(s.plan, Find, FindBatch, s.Snapshot.Find(ctx, f), func(*engine.Found) {})
}

func (s *snapshot) Read(ctx context.Context, r engine.Read) iter.Seq2[*engine.Batch, error] {
	if l, ok := r.Into.(interface{ inner() engine.Load }); ok {
		r.Into = l.inner()
	}
	return failing(s.plan, Read, ReadBatch, s.Snapshot.Read(ctx, r), (*engine.Batch).Release)
}

// failing passes a sequence on until a fault strikes at its start or at a
// batch; the batch that is lost is given back.
func failing[T any](p *plan, start, each Point, all iter.Seq2[T, error], lose func(T)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := p.strike(start); err != nil {
			yield(none, err)
			return
		}
		for item, err := range all {
			if err == nil {
				if fault := p.strike(each); fault != nil {
					lose(item)
					yield(none, fault)
					return
				}
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

type target struct {
	engine.Target
	plan *plan
}

func (t *target) State(ctx context.Context) (*engine.State, error) {
	if err := t.plan.strike(State); err != nil {
		return nil, err
	}
	return t.Target.State(ctx)
}

func (t *target) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	if err := t.plan.strike(Begin); err != nil {
		return nil, err
	}
	l, err := t.Target.Begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	return wrapLoad(l, t.plan), nil
}

type load struct {
	engine.Load
	plan *plan
}

func (l *load) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (int64, error) {
	if err := l.plan.strike(Write); err != nil {
		return 0, err
	}
	var fault error
	n, err := l.Load.Write(ctx, table, columns, func(yield func(*engine.Batch, error) bool) {
		for b, err := range rows {
			if err == nil {
				if fault = l.plan.strike(WriteBatch); fault != nil {
					b.Release()
					yield(nil, fault)
					return
				}
			}
			if !yield(b, err) {
				return
			}
		}
	})
	if fault != nil {
		return n, fault
	}
	return n, err
}

func (l *load) Count(ctx context.Context, table schema.Name, columns []string) (int64, []int64, error) {
	if err := l.plan.strike(Count); err != nil {
		return 0, nil, err
	}
	return l.Load.Count(ctx, table, columns)
}

func (l *load) Finish(ctx context.Context) error {
	if err := l.plan.strike(Finish); err != nil {
		return err
	}
	return l.Load.Finish(ctx)
}

func (l *load) Prove(ctx context.Context, schemas []string) ([]engine.Proof, error) {
	if err := l.plan.strike(Prove); err != nil {
		return nil, err
	}
	return l.Load.Prove(ctx, schemas)
}

func (l *load) Switch(ctx context.Context, manifest []byte) error {
	if err := l.plan.strike(SwitchBefore); err != nil {
		return err
	}
	if err := l.Load.Switch(ctx, manifest); err != nil {
		return err
	}
	return l.plan.strike(SwitchAfter)
}

// Abort gives the load up and then fails: a test's database must come free.
func (l *load) Abort(ctx context.Context) error {
	if err := l.Load.Abort(ctx); err != nil {
		return err
	}
	return l.plan.strike(Abort)
}
