// Package engine is the line between the program and the databases. Above it
// nobody names a product; below it nobody knows masking. An engine opens a
// source, which is only read, and a target, which is replaced as a whole.
//
// Values cross the line in the engine's own form (see Batch): they are carried,
// not understood. Where the program must look at a value, the engine gives it
// as canonical text: the same text for the same value on every engine (decimal
// integers, ISO dates, lower-case uuids, raw bytes for binary columns).
//
// Contract for every method: it may be called from any goroutine unless it says
// otherwise; it returns soon after its context ends; its errors are *Error (or
// wrap one), which carry codes and names, never a value.
package engine

import (
	"context"
	"iter"
	"time"

	"understudy/internal/catalog"
	"understudy/internal/schema"
	"understudy/internal/script"
	"understudy/internal/secret"
)

// An Engine is one database product, or a family that shares its protocol.
type Engine interface {
	// Parse reads a URL without opening anything. Its errors name what is wrong
	// and never show the URL's password.
	Parse(url secret.Text) (Address, error)
	// Source opens a database to read from. The session is read-only by the
	// server's word, checked.
	Source(ctx context.Context, at Address, limits Limits) (Source, error)
	// Target opens a database to replace.
	Target(ctx context.Context, at Address, limits Limits) (Target, error)
	// Apart tells whether source and target are two databases. Both were opened by this engine.
	Apart(ctx context.Context, source Source, target Target) (Distance, error)
}

// An Address is a parsed URL. String shows it without secrets.
type Address interface {
	String() string
	// Schema is the schema that an unqualified name of this database means,
	// and Insecure tells that the transport is neither local nor verified TLS.
	Schema() string
	Insecure() bool
}

// Limits protects a server from us; the zero value of a field means the default.
type Limits struct {
	Readers     int           // parallel readers of the source; default 2
	LockWait    time.Duration // wait for a lock at most this long; default 2 s
	SnapshotAge time.Duration // give up when the source's snapshot is older; default 30 min
	Statement   time.Duration // a single statement's time limit; default 10 min
	BatchBytes  int           // size of a batch, about; default 256 KiB
}

// WithDefaults fills what is left out.
func (l Limits) WithDefaults() Limits {
	if l.Readers <= 0 {
		l.Readers = 2
	}
	if l.LockWait <= 0 {
		l.LockWait = 2 * time.Second
	}
	if l.SnapshotAge <= 0 {
		l.SnapshotAge = 30 * time.Minute
	}
	if l.Statement <= 0 {
		l.Statement = 10 * time.Minute
	}
	if l.BatchBytes <= 0 {
		l.BatchBytes = 256 << 10
	}
	return l
}

// Distance is what an engine knows about two databases being different ones.
type Distance struct {
	// Same: they are one database, whatever the host names say. Always refused.
	Same bool
	// Kin: not seen to be one, but of one origin: a standby, or a copy of the
	// files. Refused unless the job says target_is_a_clone.
	Kin bool
	// Why says in one sentence how it was found out.
	Why string
}

// A Side is what source and target have in common: a database whose structure can be read.
type Side interface {
	// Inspect reads the structure of the given schemas; none given means all
	// that are not the server's own nor understudy's.
	Inspect(ctx context.Context, schemas []string) (*schema.Schema, error)
	// Catalog reads everything that parity compares.
	Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error)
	// Try asks the server whether rows would be accepted by the types, lengths
	// and checks of the table, without writing anything. Checks that read a column
	// outside columns are not tried. It returns what was refused, by name.
	Try(ctx context.Context, table *schema.Table, columns []string, rows *Tuples) ([]Rejection, error)
	// Close ends every session. It is called once, after everything else returned.
	Close() error
}

// A Rejection names what would refuse a row.
type Rejection struct {
	Column string // empty for a check over several columns
	Check  string // a constraint's name; empty when the type refused
	Reason string // "too long", "not a date"; never a value
	Rows   int    // how many of the rows tried
	// Loses: nothing would refuse the value, but the column keeps less of it.
	Loses bool
	// Columns are those that decide; with a check, all that it compares.
	Columns []string
}

// A Source is a database that is only read.
type Source interface {
	Side
	// Accept prepares each fragment alone in the read-only session; a non-nil
	// error stands at the index of a fragment that must not be used.
	Accept(ctx context.Context, fragments []Fragment) []error
	// Snapshot locks every table of s, which Inspect gave, against change of
	// structure, takes one moment for all readers, then reads the structure again:
	// if it is no longer s, a new table included, it fails with code Changed.
	Snapshot(ctx context.Context, s *schema.Schema) (Snapshot, error)
}

// A Fragment is a piece of SQL from a file: a condition, or an ORDER BY list.
type Fragment struct {
	Table *schema.Table
	Text  string
	Order bool // an ORDER BY list instead of a condition
	// Subqueries allows SELECT inside.
	Subqueries bool
}

// RowID identifies a row of a table within one snapshot and means nothing outside it.
type RowID = uint64

// A Snapshot is one moment of the source. Find and Read may run in parallel, as
// many as Limits.Readers at once; more wait.
type Snapshot interface {
	// Find gives identities and key values of the rows that a Find describes.
	Find(ctx context.Context, f Find) iter.Seq2[*Found, error]
	// Read gives whole rows.
	Read(ctx context.Context, r Read) iter.Seq2[*Batch, error]
	// Structure is the source's structure at this moment, in a form that only
	// a target of the same engine understands; it is used while the snapshot is open.
	Structure() Structure
	// Close lets go of locks and the moment.
	Close() error
}

// A Combiner is a Snapshot that looks for rows of one table by several keys at
// once, so that its pages are read once where one Find after the other would read
// them again.
type Combiner interface {
	// FindAny gives the rows that at least one of the Finds describes; a row may
	// come more than once. All are of one table, ask for the same Columns, and have
	// Keys of one column and nothing beside them.
	FindAny(ctx context.Context, finds []Find) iter.Seq2[*Found, error]
}

// A Divider is a Snapshot that can read one table in several parts side by side,
// for loads that take several parts of one table side by side.
type Divider interface {
	// Divide gives at most n Reads of about the same size that together give the
	// rows of r, each once; r alone where its Into takes only one at a time, or
	// where parts would cost more than they spare.
	Divide(ctx context.Context, r Read, n int) ([]Read, error)
}

// A Remembering snapshot can tell which rows of a table came or changed since an
// earlier snapshot, so that a nightly run need not read those that did not.
type Remembering interface {
	// Remember gives a word for the rows that stand in a table at the snapshot's
	// moment. It is empty where a later snapshot could not tell; there is no value in it.
	Remember(ctx context.Context, table *schema.Table) (word string, err error)
	// Since counts the rows of a table. ok tells whether Read can leave out those
	// that stood there at the word's moment and are what they were: never when the
	// server may have lost or replaced any since, or reads them in another way now.
	Since(ctx context.Context, table *schema.Table, word string) (rows int64, ok bool, err error)
}

// A Contradictor is a Snapshot whose columns may hold values of other types than
// they declare. Reading such a value where it is looked into fails with code
// Contradicts; Contradictions finds the columns beforehand, in one scan of the table.
type Contradictor interface {
	// Contradictions names those of the columns that hold such a value: of the kept
	// ones a value that the declared type has no room for, of those looked into
	// also one that has no canonical text of the column's kind.
	Contradictions(ctx context.Context, table *schema.Table, kept, looked []string) ([]string, error)
}

// A Reckoner is a Snapshot that reads some columns as all rows of their table
// tell, so that some of the rows alone could tell something else.
type Reckoner interface {
	// Reckoned says how the values of a column that was read were understood, in a
	// word for Reckon; empty where there was nothing to tell.
	Reckoned(table schema.Name, column string) string
	// Reckon has a column be read so, whatever its rows tell; a word that the
	// engine does not know is passed over.
	Reckon(table schema.Name, column, word string)
}

// A Timed is a Snapshot that cannot be told what now() means in fragments,
// because the server's transaction decides it.
type Timed interface {
	// Instant is what now() means in this snapshot.
	Instant() time.Time
}

// A Structure stands for a database's whole DDL. Its content is the engine's.
type Structure interface{ Describe() string }

// Find describes rows to look for by value.
type Find struct {
	Table   *schema.Table
	Columns []string // whose values are wanted, as canonical text
	// By and Keys: only rows whose By columns equal one of the tuples of Keys.
	// Keys are not null. Nil Keys means no such condition.
	By   []string
	Keys *Tuples
	// Written, one for each of By where it is not nil: the column is a number or a
	// UUID, and its Keys are texts that reference it. They equal values that rows
	// carry with these very bytes: 1.0, 01 and 1e0 are no key of the number 1.
	Written []bool
	// Where is an accepted fragment; empty means none. Order is an accepted
	// ORDER BY list; the key that identifies rows breaks ties.
	Where, Order string
	// PerKey finds, of the rows that have one tuple of Keys in their By columns and
	// satisfy Where, the first so many by Order; 0 finds all. Which rows these are
	// does not depend on what other tuples are asked for.
	PerKey int64
	// Orphaned: only rows whose By columns are not null and which no row of that
	// table has in its columns; Keys are nil then. Nil means no such condition.
	Orphaned *Parent
	// Tests are accepted conditions. For each, Found.Values holds after the Columns
	// whether the row satisfies it: true, or false where it is not or is unknown.
	Tests []string
	// Now is the run's instant: now() and its kin mean it in fragments, except in
	// a Timed snapshot, which has its own.
	Now time.Time
}

// Parent names the columns that other rows reference.
type Parent struct {
	Table   *schema.Table
	Columns []string
	// Written, one for each of Columns where it is not nil: this column and that of
	// By are a text and a number or UUID, equal where the text is what rows carry.
	Written []bool
}

// Found is a batch of rows found. The caller may keep it.
type Found struct {
	IDs    []RowID
	Values Tuples // one tuple for each id, Width = len(Find.Columns) + len(Find.Tests)
}

// A Span is the rows whose identity is From or more and less than To.
type Span struct{ From, To RowID }

// Read describes rows to read.
type Read struct {
	Table *schema.Table
	// Columns to read, by name, in this order.
	Columns []string
	// Look: indexes into Columns, ascending, of the values that will be looked into.
	Look []int
	// Blind: those of Look that are replaced whatever they hold, so that nothing
	// in them contradicts.
	Blind []int
	// Rows: only these, sorted ascending. Nil means every row.
	Rows []RowID
	// Within: only rows between two identities that a Divider gave; Rows are nil
	// then. Its zero value means all.
	Within Span
	// Since: only rows that came or changed after the moment of this word of a
	// Remembering snapshot, and perhaps others. Empty means every row.
	Since string
	// Limit reads at most so many rows; 0 means all.
	Limit int
	// Into is the load that will take the rows, and As the table's name in it, where
	// both are known: the engine may then choose a form that only this table takes.
	// Nil means that any load of the engine takes them.
	Into Load
	As   schema.Name
}

// A Target is a database that is replaced as a whole.
type Target interface {
	Side
	Prover
	// State tells what stands there: the claim, rows, generations, leftovers.
	State(ctx context.Context) (*State, error)
	// Begin takes the target's lock (code Busy if another run holds it), clears
	// what a crashed run left behind, and starts a new generation beside the present one.
	Begin(ctx context.Context, spec Spec) (Load, error)
	// Rollback puts a kept generation back in place of the present one, which is kept instead.
	Rollback(ctx context.Context, generation string) error
}

// A Replaceable is a Target that can also stay what it is while its rows are
// exchanged where they stand: for roles that may not make what a new generation
// beside the target needs.
type Replaceable interface {
	// InPlace gives the same target as one whose rows are exchanged in place. It
	// shares the target's sessions; closing it closes them. No generation is kept.
	InPlace() Target
}

// A Scoped is a Source or a Target of which the URL names one schema among others of its
// server: what the job does not cover is no part of it.
type Scoped interface {
	// Scope tells which schemas the job covers, before anything else is asked, whether
	// both sides are two as well; none given leaves it at the URL's.
	Scope(schemas []string)
}

// A Scripted is a Target whose new generations may be changed by statements of
// the user's own before they are proved; its Loads are Amendable.
type Scripted interface {
	// Statements takes a script apart, or tells every mistake in it; nothing runs.
	Statements(text string) ([]script.Statement, []script.Mistake)
}

// An Amendable is a Load that runs statements of the user's own.
type Amendable interface {
	// Amend runs the statements, all or none of them, between Finish and Prove;
	// constraints hold and triggers fire as they do for the target's users. When
	// one fails, its index comes with the error.
	Amend(ctx context.Context, statements []script.Statement) (failed int, err error)
}

// A Tryable is a Target beside which changes of structure can be tried, in loads
// that are Alterable.
type Tryable interface {
	// Admit tells, before anything is made, which texts of statements must not be
	// tried because they would or may reach beyond the copy: a non-nil error stands at
	// the index of each. The error tells why no copy can be made at all. Nothing runs.
	// Schemas are what the texts may call the schemas that are copied, beside their
	// names in the target.
	Admit(ctx context.Context, texts, schemas []string) (refused []error, err error)
}

// An Alterable is a Load in which changes of structure can be tried. Such a load
// is given up afterwards, never switched.
type Alterable interface {
	// Alter runs statements that were admitted, after Finish, all or none of them.
	// Where the database cannot take back what one did, a text that failed goes on
	// where it failed when it is tried again.
	Alter(ctx context.Context, statements string) error
	// Catalog reads what stands in the load by then, as Side.Catalog does of a target.
	Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error)
}

// State is what stands in a target.
type State struct {
	// Claimed: the target bears understudy's marker.
	Claimed bool
	// CopyOf: the target bears the marker of the database of this name, of which it
	// is a copy, or which it was; empty otherwise.
	CopyOf string
	// Rows lists the tables, outside the server's own and understudy's, that hold
	// any row, sorted. Exact counts are not taken.
	Rows []schema.Name
	// Generations: the present one first, then the kept ones, newest first.
	Generations []Generation
	// Manifest is what the last switch left; nil before the first.
	Manifest []byte
	// Leftovers describes what a crashed run left and the next Begin will clear.
	Leftovers []string
	// Switched: a crashed run got as far as the switch.
	Switched string
	// Unfinished tells, in a sentence, what whoever reads the target misses because a run
	// was killed in its switch; empty if nothing. A Mender finishes it.
	Unfinished string
	// Busy describes the run that holds the target's lock now; empty when none does.
	Busy string
	// Obstacles: why a new generation could not be built or switched here, each a
	// sentence with its remedy ("the role may not create databases: ALTER ROLE ... CREATEDB").
	Obstacles []string
	// Bars are obstacles of single tables, which count unless the table is preserved.
	Bars []Bar
	// Shortage: there is too little room to build a generation here, a sentence
	// with its remedy; empty where there is enough, or the engine cannot tell.
	Shortage string
	// Notes: what a switch would change beside rows, each a sentence, such as
	// owners that the role cannot give back.
	Notes []string
	// Renames: a structure from the source may have other names of schemas here.
	Renames bool
	// Mechanism says in a few words how the switch works here.
	Mechanism string
}

// A Bar says why the rows of a table cannot be replaced here, a sentence with its remedy.
type Bar struct {
	Table schema.Name
	Say   string
}

// A Generation is one loaded content of the target.
type Generation struct {
	ID      string    `json:"id"` // the run's id
	Made    time.Time `json:"made"`
	Present bool      `json:"present"`
}

// Spec describes a generation to build.
type Spec struct {
	RunID string
	// Structure: the source's, when the target has none of its own; nil means the target's own.
	Structure Structure
	// Names gives schemas of Structure that have another name in the target.
	Names map[string]string
	// Schemas are the schemas the job covers; none means all.
	Schemas []string
	// Positions are where sequences of the source stand, by their names in the target, so
	// that the target gives no number again that the source has given.
	Positions []Position
	// Filled are the source's materialized views that hold rows, by their names in the
	// target; others of the target's own stay filled or empty as they are.
	Filled []schema.Name
	// Preserve: tables whose present rows are carried into the new generation.
	Preserve []schema.Name
	// Keep: how many earlier generations remain after the switch.
	Keep int
	// Anew: a try of the same run gave way before, perhaps to somebody who wrote to the
	// target, or there is to be no other: nothing is taken for likely that can be known.
	Anew bool
	// Writers: parallel Write calls that will be made.
	Writers int
	// Step is told what the load does now; never nil.
	Step func(step string)
	// Missed is told, in a sentence, what could not be given to the new generation,
	// for the run's report. It is called by one goroutine; nil tells nobody.
	Missed func(what string)
}

// Miss tells what could not be given to the new generation.
func (s *Spec) Miss(what string) {
	if s.Missed != nil {
		s.Missed(what)
	}
}

// A Load is a generation being built, where readers of the target do not see it.
type Load interface {
	Prover
	// Write loads rows into a table of the new generation and returns how many
	// it sent. It may be called in parallel for different tables, and for Reads of
	// one table that a Divider gave; triggers stay silent.
	// Columns are named as Read.Columns was. It releases each batch.
	Write(ctx context.Context, table schema.Name, columns []string, rows iter.Seq2[*Batch, error]) (int64, error)
	// Finish builds what comes after rows: indexes, constraints, sequences past
	// the maximum, materialized views, statistics.
	Finish(ctx context.Context) error
	// Switch puts the generation in the target's place, leaving manifest in it,
	// in one short step. The error of a switch that took place wraps ErrSwitched.
	Switch(ctx context.Context, manifest []byte) error
	// Abort drops a generation that was not switched, frees the lock and ends the
	// sessions; after a switch it only does the latter two. It is always called,
	// with a context that is not the run's.
	Abort(ctx context.Context) error
}

// An Informed load writes rows in a better way where it knows that nothing else comes
// into their table.
type Informed interface {
	// Alone tells, before rows are written, of tables that one Write brings all rows of.
	Alone(tables []schema.Name)
}

// A Continuing load can build on the rows that an earlier load left in the target,
// where nobody has written to them since.
type Continuing interface {
	Load
	// Continue makes the next Write of a table one of those rows only that came or
	// changed since the load that left the word; the others stay. It does nothing and
	// says false unless exactly the rows that the word is of stand there, each told by
	// a key; rows is how many. Count then gives the NULLs among the rows that were written.
	Continue(ctx context.Context, table schema.Name, word string) (rows int64, ok bool, err error)
	// Met gives, after that Write, the rows which stand there under the keys of those
	// that were written. Of r count Columns and Look.
	Met(ctx context.Context, table schema.Name, r Read) iter.Seq2[*Batch, error]
	// Keys names the columns by which the rows of a continued table are told.
	Keys(table schema.Name) []string
	// Stay takes, after that Write, the Keys of every row that is to be there, and lets
	// the others go; it gives how many keys it took.
	Stay(ctx context.Context, table schema.Name, keys iter.Seq2[*Batch, error]) (sent int64, err error)
	// Sift is Stay for a table that is told by one whole number: the rows go whose
	// key lies in one of the gaps, first and last, which are in order and apart.
	Sift(ctx context.Context, table schema.Name, gaps iter.Seq2[int64, int64]) error
	// Gone gives the rows that Stay or Sift lets go, as they stand there. Of r count Columns and Look.
	Gone(ctx context.Context, table schema.Name, r Read) iter.Seq2[*Batch, error]
	// Renounce takes Continue and the rows that were written since back: the next
	// Write brings every row.
	Renounce(ctx context.Context, table schema.Name) error
	// Left gives, after Count and before Switch, words for what the load leaves in
	// those of the tables that a later load could continue.
	Left(ctx context.Context, tables []schema.Name) (map[schema.Name]string, error)
}

// A Prover asks the database itself about the rows that stand in it: those of a
// target, or those of a generation being built.
type Prover interface {
	// Count counts the rows of a table and the NULLs of each given column.
	Count(ctx context.Context, table schema.Name, columns []string) (rows int64, nulls []int64, err error)
	// Prove checks every foreign key (re-added or anti-joined, never by its flag
	// alone), unique, NOT NULL and CHECK constraint, and every sequence against
	// its column's maximum. One Proof for each.
	Prove(ctx context.Context, schemas []string) ([]Proof, error)
}

// A Proof is the outcome of checking one thing in the database.
type Proof struct {
	Kind   string // foreign-key, unique, not-null, check, sequence, view
	Table  schema.Name
	Name   string // of the constraint or sequence
	Method string // how: "added to the loaded rows", "anti-join"
	// Failures counts offending rows; -1 means that it could not be measured, for
	// the reason in Detail. Where what fails is not rows, Detail says what it is.
	Failures int64
	Detail   string
	// Excused counts rows that break what is declared, and that the database itself lets:
	// those older than a constraint that was never validated. They are no failures.
	Excused int64
	// Mend is a statement that puts right what fails, where there is one that takes
	// nothing away; it names objects and holds no value.
	Mend string
}
