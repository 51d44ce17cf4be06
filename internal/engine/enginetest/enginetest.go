// Package enginetest is the suite that every engine passes. It talks to real
// databases: an engine's test gives a Harness that makes fresh ones and runs
// SQL in them as a client of the test's own.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/engine"
	"understudy/internal/schema"
	"understudy/internal/secret"
)

// A Harness is what the suite needs to know of an engine.
type Harness struct {
	Engine engine.Engine
	// Fresh makes an empty database that goes away with the test.
	Fresh func(t *testing.T) Database
	Words Words
	// Values are awkward values of the engine's types.
	Values []Value
	// Lax: a column takes values of any type, so a wrong one is refused by Try only.
	Lax bool
	// Named: a schema is a database of its own name, so that tables of source and
	// target do not have one name.
	Named bool
	// Blocks: writers of a source wait while it is read.
	Blocks bool
	// Crash ends a load as if its process had died: its sessions and locks go,
	// what it built stays.
	Crash func(t *testing.T, l engine.Load)
}

// A Database is one database and a client of the test's own to it.
type Database struct {
	URL secret.Text
	// Spellings are other URLs of the same database.
	Spellings []secret.Text
	// Exec runs a statement; it gives up within seconds if it is blocked.
	Exec func(sql string) error
	// Query gives a text for each row, columns joined with |, NULL as an empty text.
	Query func(sql string) ([]string, error)
}

// Words are those of the engine's SQL that differ.
type Words struct {
	// Identity is the type of a primary key whose values the database makes,
	// with PRIMARY KEY; Integer is the type of a column that references it.
	Identity, Integer string
	// Key is the type of a text that is a primary key, and Longest how many
	// characters it takes; empty and 0 mean text without a limit.
	Key     string
	Longest int
	// Long and Bytes are the types of texts and bytes without a limit. Repeat is a text
	// n times, and AsBytes the bytes of a text.
	Long, Bytes string
	Repeat      func(text string, n int) string
	AsBytes     func(text string) string
	// Indexes: the database makes an index for every foreign key.
	Indexes bool
	// Show writes an expression as exact text.
	Show func(expression string) string
	// Recent is a condition on a text column that names the run's instant.
	Recent func(column string) string
}

// A Value is an awkward value of a type.
type Value struct {
	Type    string // as in CREATE TABLE
	Literal string // as in INSERT
	// Canonical is its text across the line; "-" where it is not looked into.
	Canonical string
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, c := range append(reading(), loading()...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// RunReading runs the part of the suite that needs no target.
func RunReading(t *testing.T, h Harness) {
	for _, c := range reading() {
		t.Run(c.name, func(t *testing.T) { c.run(t, h) })
	}
}

// A part is one test of the suite.
type part struct {
	name string
	run  func(*testing.T, Harness)
}

func reading() []part {
	return []part{
		{"inspect sees the structure", inspectSees},
		{"find by keys", findByKeys},
		{"find by hostile keys", findHostile},
		{"find by condition and order", findWhere},
		{"find the first rows of each key", findPerKey},
		{"find tests conditions", findTests},
		{"find orphans", findOrphaned},
		{"read by rows and whole", readRows},
		{"an early stop leaves the session usable", stopEarly},
		{"all readers see one moment", oneMoment},
		{"a changed structure is refused", structureChanged},
		{"a cancelled read returns soon", cancelled},
		{"fragments", fragments},
	}
}

func loading() []part {
	return []part{
		{"values survive", valuesSurvive},
		{"long values travel alone and whole", longValues},
		{"read rewrites cells", readRewrites},
		{"the source is not written", sourceUntouched},
		{"a load switches", loadSwitches},
		{"an aborted load leaves nothing", abortLeavesNothing},
		{"a crashed load is cleared", crashCleared},
		{"generations and rollback", generations},
		{"one run at a time", oneAtATime},
		{"the lock before a load", heldBefore},
		{"preserved rows stay", preserved},
		{"a late write to preserved rows stops the switch", lateWrites},
		{"errors carry no value", errorsCarryNoValue},
		{"try tells what is refused", tryTells},
		{"apart", apart},
		{"proofs find an orphan", proofs},
	}
}

func (h Harness) source(t *testing.T, db Database) engine.Source {
	t.Helper()
	at, err := h.Engine.Parse(db.URL)
	ok(t, err)
	s, err := h.Engine.Source(t.Context(), at, engine.Limits{LockWait: time.Second})
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (h Harness) target(t *testing.T, db Database) engine.Target {
	t.Helper()
	at, err := h.Engine.Parse(db.URL)
	ok(t, err)
	s, err := h.Engine.Target(t.Context(), at, engine.Limits{LockWait: time.Second})
	ok(t, err)
	t.Cleanup(func() { _ = s.Close() })
	if h.Named {
		return &placedTarget{s, at.Schema()}
	}
	return s
}

// placedTarget is a target whose schema has another name than the source's: the
// suite's tables are meant by the source's names.
type placedTarget struct {
	engine.Target
	schema string
}

func (p *placedTarget) place(n schema.Name) schema.Name {
	n.Schema = p.schema
	return n
}

func (p *placedTarget) Begin(ctx context.Context, spec engine.Spec) (engine.Load, error) {
	spec.Preserve = slices.Clone(spec.Preserve)
	for i := range spec.Preserve {
		spec.Preserve[i] = p.place(spec.Preserve[i])
	}
	l, err := p.Target.Begin(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &placedLoad{l, p}, nil
}

type placedLoad struct {
	engine.Load
	in *placedTarget
}

func (l *placedLoad) Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*engine.Batch, error]) (int64, error) {
	return l.Load.Write(ctx, l.in.place(table), columns, rows)
}

func (l *placedLoad) Count(ctx context.Context, table schema.Name, columns []string) (int64, []int64, error) {
	return l.Load.Count(ctx, l.in.place(table), columns)
}

// Own gives the engine's own load, for a Harness's Crash.
func Own(l engine.Load) engine.Load {
	if p, ok := l.(*placedLoad); ok {
		return p.Load
	}
	return l
}

// moment is an opened source with its structure and a snapshot.
type moment struct {
	source engine.Source
	schema *schema.Schema
	engine.Snapshot
}

func (h Harness) moment(t *testing.T, db Database) moment {
	t.Helper()
	s := h.source(t, db)
	structure, err := s.Inspect(t.Context(), nil)
	ok(t, err)
	snap, err := s.Snapshot(t.Context(), structure)
	ok(t, err)
	m := moment{s, structure, snap}
	t.Cleanup(m.done)
	return m
}

// done closes the snapshot once.
func (m *moment) done() {
	if m.Snapshot != nil {
		_ = m.Snapshot.Close()
		m.Snapshot = nil
	}
}

// table finds a table by its name alone.
func table(t *testing.T, s *schema.Schema, name string) *schema.Table {
	t.Helper()
	found, err := s.Resolve(name)
	ok(t, err)
	return found
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, brief(got), brief(want))
	}
}

// brief shortens long texts for a message.
func brief(texts []string) []string {
	out := slices.Clone(texts)
	for i, s := range out {
		if len(s) > 80 {
			out[i] = fmt.Sprintf("%s... (%d bytes)", s[:80], len(s))
		}
	}
	return out[:min(len(out), 60)]
}

func (d Database) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := d.Exec(s); err != nil {
			t.Fatalf("%v\nin %s", err, s)
		}
	}
}

func (d Database) query(t *testing.T, sql string) []string {
	t.Helper()
	rows, err := d.Query(sql)
	if err != nil {
		t.Fatalf("%v\nin %s", err, sql)
	}
	return rows
}

// tuples makes keys of one width.
func tuples(rows ...[]string) *engine.Tuples {
	out := &engine.Tuples{Width: len(rows[0])}
	for _, row := range rows {
		for _, v := range row {
			out.AddString(v)
		}
	}
	return out
}

// find collects what a Find gives: values joined with |, sorted, and the ids in the same order as they came.
func find(t *testing.T, m moment, f engine.Find) (values []string, ids []engine.RowID) {
	t.Helper()
	for found, err := range m.Find(t.Context(), f) {
		ok(t, err)
		for i, id := range found.IDs {
			ids = append(ids, id)
			var row []string
			for c := range f.Columns {
				v, set := found.Values.At(i, c)
				if !set {
					v = []byte("NULL")
				}
				row = append(row, string(v))
			}
			values = append(values, strings.Join(row, "|"))
		}
	}
	return values, ids
}

// read collects the looked-into cells of a Read, joined with |, sorted.
func read(t *testing.T, m moment, r engine.Read) []string {
	t.Helper()
	out, err := cells(m.Read(t.Context(), r), r.Look)
	ok(t, err)
	slices.Sort(out)
	return out
}

func cells(batches iter.Seq2[*engine.Batch, error], look []int) ([]string, error) {
	var out []string
	for b, err := range batches {
		if err != nil {
			return out, err
		}
		if len(b.Cells) != b.Rows*len(look) {
			return out, fmt.Errorf("%d cells for %d rows of %d", len(b.Cells), b.Rows, len(look))
		}
		for row := range b.Rows {
			var texts []string
			for k, column := range look {
				texts = append(texts, cellText(b, b.Cells[row*len(look)+k], column))
			}
			out = append(out, strings.Join(texts, "|"))
		}
		b.Release()
	}
	return out, nil
}

func cellText(b *engine.Batch, c engine.Cell, column int) string {
	if c.Null {
		return "NULL"
	}
	return string(b.Form.Value(nil, b.Raw[c.Start:c.End], column))
}

// rewritten passes batches on with the cells that change gives, as the pipeline does.
func rewritten(batches iter.Seq2[*engine.Batch, error], look []int, change func(column int, value []byte) []byte) iter.Seq2[*engine.Batch, error] {
	return func(yield func(*engine.Batch, error) bool) {
		for b, err := range batches {
			if err != nil {
				yield(nil, err)
				return
			}
			out := &engine.Batch{Rows: b.Rows, Form: b.Form}
			at := 0
			for i, c := range b.Cells {
				out.Raw = append(out.Raw, b.Raw[at:c.Start]...)
				column := look[i%len(look)]
				if c.Null {
					out.Raw = b.Form.AppendNull(out.Raw, column)
				} else {
					raw := b.Raw[c.Start:c.End]
					value := change(column, b.Form.Value(nil, raw, column))
					if like, ok := b.Form.(engine.Replacer); ok {
						out.Raw = like.Replace(out.Raw, value, raw, column)
					} else {
						out.Raw = b.Form.Append(out.Raw, value, column)
					}
				}
				at = c.End
			}
			out.Raw = append(out.Raw, b.Raw[at:]...)
			b.Release()
			if !yield(out, nil) {
				return
			}
		}
	}
}

// spec is an ordinary generation's.
func spec(run string, m moment) engine.Spec {
	return engine.Spec{RunID: run, Structure: m.Structure(), Keep: 1, Writers: 2, Step: func(string) {}}
}

// fill writes every table of the moment into a load.
func fill(t *testing.T, m moment, l engine.Load, except ...string) {
	t.Helper()
	for i := range m.schema.Tables {
		tab := &m.schema.Tables[i]
		if slices.Contains(except, tab.Name.Table) {
			continue
		}
		columns := tab.Written()
		_, err := l.Write(t.Context(), tab.Name, columns, m.Read(t.Context(), engine.Read{Table: tab, Columns: columns, Into: l, As: tab.Name}))
		ok(t, err)
	}
}

// abort gives a load up with a context that outlives the test's.
func abort(t *testing.T, l engine.Load) {
	t.Helper()
	ok(t, l.Abort(context.WithoutCancel(t.Context())))
}

// refresh does a whole run into a target.
func (h Harness) refresh(t *testing.T, run string, from, to Database, change func(*engine.Spec)) {
	t.Helper()
	m := h.moment(t, from)
	defer m.done()
	s := spec(run, m)
	if change != nil {
		change(&s)
	}
	l, err := h.target(t, to).Begin(t.Context(), s)
	ok(t, err)
	defer abort(t, l)
	var except []string
	for _, p := range s.Preserve {
		except = append(except, p.Table)
	}
	fill(t, m, l, except...)
	ok(t, l.Finish(t.Context()))
	ok(t, l.Switch(t.Context(), []byte(`{"run":"`+run+`"}`)))
}

// codeIs fails unless err bears the code.
func codeIs(t *testing.T, err error, want engine.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want code %s", want)
	}
	var e *engine.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *engine.Error", err, err)
	}
	if e.Code != want {
		t.Fatalf("code %s, want %s: %v", e.Code, want, err)
	}
}
