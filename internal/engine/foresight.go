package engine

import (
	"context"
	"time"

	"understudy/internal/schema"
)

// What some engines can tell before a row is read, beyond what all of them do.

// A Withholder is a Source whose server may hide rows of a table from a role
// that may read the table, so that a copy would be silently incomplete.
type Withholder interface {
	// Withheld names those of the tables of which rows are hidden from the role,
	// each with what would mend it.
	Withheld(ctx context.Context, tables []schema.Name) ([]Withholding, error)
}

// A Withholding is a table of which rows are hidden.
type Withholding struct {
	Table     schema.Name
	Say, Hint string
}

// A Fitter is a Target that can tell how the structure of a source would fare in
// it, where the target has none of its own.
type Fitter interface {
	// Fit tells what of the source's structure could not be built here, and what
	// would not be as it is there, each a sentence with its remedy. The source is
	// of the same engine; no schemas given means all.
	Fit(ctx context.Context, source Source, schemas []string) (obstacles, notes []string, err error)
}

// A Followed is a Source or a Target whose server may have replicas that follow
// it, or be one.
type Followed interface {
	// Lag tells how far the slowest replica is behind; code Denied where the role
	// may not know.
	Lag(ctx context.Context) (Lag, error)
}

// Lag is how far a replica is behind.
type Lag struct {
	Behind time.Duration // 0 where nothing follows
	// Itself: it is the server that was asked, so that what is read there holds it back.
	Itself bool
}

// A Counting is a Source with sequences, of which the numbers in columns tell at best
// in part how far they are: invoice numbers with letters draw from one as well.
type Counting interface {
	// Positions tells where they stand, at some time after the call began. One that the
	// role may not read has no Last, and is left out where columns tell of it. No schemas
	// given means all.
	Positions(ctx context.Context, schemas []string) ([]Position, error)
}

// A Filling is a Source with views that hold rows.
type Filling interface {
	// Filled lists the materialized views that are filled. No schemas given means all.
	Filled(ctx context.Context, schemas []string) ([]schema.Name, error)
}

// A Position is where a sequence stands.
type Position struct {
	Name   schema.Name
	Last   string // the number it gave last or, unless Called, gives next; "" when it may not be read
	Called bool
}

// A Momentary is a Snapshot whose moment is not taken in the same way everywhere.
type Momentary interface {
	// Moment says in a few words how it was taken, what several readers are known
	// to see of it, and which tables have no part in it.
	Moment() string
}

// A Holder is a Target whose lock can be taken before a generation is begun, so
// that of two runs which start together one alone reads the source.
type Holder interface {
	// Hold takes the target's lock for a run (code Busy if another holds it). Begin
	// goes on with it; without a Begin, Close lets go.
	Hold(ctx context.Context, runID string) error
}

// A Mender is a Target whose switch has a step that cannot be one with the others.
type Mender interface {
	// Mend finishes what a killed run left undone in its switch, or takes it back, as
	// Begin would. Code Busy while another run holds the target.
	Mend(ctx context.Context, runID string, keep int) error
}

// A Deriver is a Side that can compute what those unique keys compare which are
// not over plain columns alone, of rows that are in no table.
type Deriver interface {
	// Derived lists the unique keys of a table that hold for a part of the rows, or
	// compare expressions or columns that the database computes.
	Derived(ctx context.Context, table *schema.Table) ([]Derived, error)
	// Derive gives what the key compares of rows of its columns Reads, which are as
	// Try takes them: one value for each row that the key holds for, none for a row
	// that it lets pass (outside its condition, or with a NULL). Two rows of one
	// value break the key. Code Unsupported where it cannot be computed outside the
	// table. Nothing is written.
	Derive(ctx context.Context, table *schema.Table, key Derived, rows *Tuples) (*Tuples, error)
}

// A Derived is a unique key that compares more than plain columns.
type Derived struct {
	Key schema.Key
	// Reads names the written columns that the key depends on, through computed ones too.
	Reads []string
}

// A ViewKeeper is a Side whose database keeps the rows of views, under unique
// indexes of their own.
type ViewKeeper interface {
	// ViewKeys lists the unique indexes of views whose rows are kept,
	// but for those that the view's query satisfies over any rows: a grouping by
	// what the index compares.
	ViewKeys(ctx context.Context) ([]ViewKey, error)
}

// A ViewKey is a unique index over what a view gives.
type ViewKey struct {
	View schema.Name
	Name string
	// Filled: the view holds rows, or none because its query gives none.
	Filled bool
	// Columns are the columns of tables that it compares as they are.
	Columns []ColumnOf
	// Computed: it compares something else too, or of some of the view's rows.
	Computed bool
	// Reads are all columns that the view depends on, through other views too.
	Reads []ColumnOf
}

// A ColumnOf is a column and its table.
type ColumnOf struct {
	Table  schema.Name
	Column string
}
