// Package schema is the plain model of a database structure that the rest of
// the program works on: tables, columns, keys, references. It is data: sorted,
// comparable, without back pointers, the same words for every engine. An engine
// fills it from its catalog; nothing here touches a database.
package schema

import (
	"cmp"
	"slices"
)

// Kind is a column's family of types, in the words that rule files use.
type Kind string

const (
	Text      Kind = "text"
	Integer   Kind = "integer"
	Decimal   Kind = "decimal" // exact and floating numbers
	Boolean   Kind = "boolean"
	Date      Kind = "date"
	Timestamp Kind = "timestamp"
	Time      Kind = "time"
	Interval  Kind = "interval"
	UUID      Kind = "uuid"
	JSON      Kind = "json"
	Bytes     Kind = "bytes"
	Net       Kind = "net"
	Enum      Kind = "enum"
	Array     Kind = "array"
	Geo       Kind = "geo"
	Other     Kind = "other"
)

// Kinds lists every kind, in the order rule files document them.
var Kinds = []Kind{Text, Integer, Decimal, Boolean, Date, Timestamp, Time, Interval, UUID, JSON, Bytes, Net, Enum, Array, Geo, Other}

// A Schema is the structure of the part of a database that a job covers.
type Schema struct {
	Tables     []Table     // sorted by name
	References []Reference // sorted by From, then Name
	// Notes: what a reader of a plan must know of the structure, sorted.
	Notes []Note
}

// A Note is something amiss with an object of the structure itself.
type Note struct {
	Table  Name // a view's name stands here too
	Column string
	Say    string // what is amiss; names of objects, never a value
	Hint   string
	// Obstacle: a new generation cannot be made from this structure.
	Obstacle bool
	// Refuses: rows cannot be taken out of such a structure, whatever the target is like.
	Refuses bool
}

// Compare orders notes by table, column and text.
func (n Note) Compare(o Note) int {
	return cmp.Or(n.Table.Compare(o.Table), cmp.Compare(n.Column, o.Column), cmp.Compare(n.Say, o.Say))
}

// A Table is an ordinary table, a partitioned table together with its
// partitions (their rows are read and counted through it), or one member of an
// inheritance family (its own rows only).
type Table struct {
	Name    Name
	Columns []Column // in the order of the database
	Keys    []Key    // the primary key first, then unique keys by name
	Checks  []Check  // by name
	// Computed is what the database computes of each row that it takes and may fail to:
	// generated columns, expressions and conditions of indexes, as the engine writes
	// them, and what bounds its partitions on engines that list none. It is empty where the
	// engine does not try such things.
	Computed []string
	// Partitions names the leaf partitions of a partitioned table; empty elsewhere.
	Partitions []Name
	// Inherits names the tables this one inherits from (PostgreSQL); empty elsewhere.
	Inherits []Name
	// Rows and Bytes are the server's estimates; -1 where it has none.
	Rows, Bytes int64
	// Note says what a reader of a plan must know: "foreign table", "no key".
	Note string
}

// A Column is one column of a table.
type Column struct {
	Name string
	// Type is the type as the engine writes it in DDL.
	Type string
	Kind Kind
	// Element is the kind of the elements of an array whose text form the engine
	// knows; empty elsewhere. Length, Min, Max, Scale and Labels are of its elements.
	Element Kind
	// Length is the limit in characters (bytes for Kind Bytes); 0 means none.
	Length int
	// Min and Max bound an integer column, inclusive; both 0 mean unknown.
	Min, Max int64
	// Scale is the number of decimal digits of a decimal column with fixed scale, else -1.
	Scale int
	// NotNull includes NOT NULL of a domain.
	NotNull bool
	// Generated columns are computed by the database and never written.
	Generated bool
	// Surrogate means that the database makes the values: identity, sequence or
	// uuid default, AUTO_INCREMENT, rowid alias.
	Surrogate bool
	// Identity means that the database numbers rows that bring no value, though
	// no default says so. Not every identity is a key, as a surrogate is.
	Identity bool
	// Listed means that the table's partitions list this column's values, and that
	// none takes a row with another.
	Listed bool
	// FoldCase means that the database compares values without regard to case, and
	// Folding which letters it does so for.
	FoldCase bool
	Folding  Folding
	// Repertoire is the character set of a text, where that lacks characters.
	Repertoire string
	// Spelling names how a value is written as text, where the database may hold it equal to
	// one of another type that is written otherwise: 1e+15 is 1000000000000000. Empty elsewhere.
	Spelling string
	// Labels are the values of an enum, in order.
	Labels []string
	// Default is the default expression as the engine writes it; empty for none.
	Default string
}

// A Key is a primary key, unique constraint or unique index.
type Key struct {
	Name    string
	Columns []string // in key order; for an expression index the columns it reads
	Primary bool
	// NotNull: every column is NOT NULL, so the key identifies each row.
	NotNull bool
	// Partial: holds only for rows that satisfy a predicate.
	Partial bool
	// Expression: at least one part is an expression over Columns, or it is an
	// exclusion constraint.
	Expression bool
	// NullsEqual: two NULLs are the same value.
	NullsEqual bool
	// Overlap names the columns of an exclusion constraint that are compared by
	// other operators than equality.
	Overlap []string
}

// Identifies tells whether every row has exactly one value of the key.
func (k Key) Identifies() bool { return k.NotNull && !k.Partial && !k.Expression }

// A Check is a CHECK constraint of a table or of the domain of a column.
type Check struct {
	Name    string
	Columns []string // the columns it reads, sorted
	// Expr is the condition as the engine writes it, to be evaluated by that engine only.
	Expr string
	// Valid: the database has proved it for all rows.
	Valid bool
}

// A Reference is a foreign key, or a relation that the job declares. The
// referenced columns need not be the primary key.
type Reference struct {
	Name      string
	From      Name
	Columns   []string
	To        Name
	ToColumns []string // same length as Columns
	// Declared: the job says so, the database does not.
	Declared bool
	// When is an accepted fragment of a Declared reference: it holds only for the
	// rows of From that satisfy it. Empty: it holds for all.
	When string
	// Valid: the database has proved it for all rows (never for Declared).
	Valid bool
	// Part: declared on one or more partitions of From only.
	Part bool
	// Full: MATCH FULL, so a key is null as a whole or not at all.
	Full bool
	// Indexed: an index leads with Columns, so that looking rows up by them is cheap.
	Indexed bool
	// At is the place of a Declared reference in the job file, file:line:col.
	At string
}

// String gives From(columns) -> To(columns).
func (r Reference) String() string {
	return r.From.String() + "(" + joinIdents(r.Columns) + ") -> " + r.To.String() + "(" + joinIdents(r.ToColumns) + ")"
}

// Sort puts s into its canonical order. Engines call it once after filling.
func (s *Schema) Sort() {
	slices.SortFunc(s.Tables, func(a, b Table) int { return a.Name.Compare(b.Name) })
	for i := range s.Tables {
		t := &s.Tables[i]
		slices.SortFunc(t.Keys, func(a, b Key) int {
			if a.Primary != b.Primary {
				if a.Primary {
					return -1
				}
				return 1
			}
			return cmp.Compare(a.Name, b.Name)
		})
		slices.SortFunc(t.Checks, func(a, b Check) int { return cmp.Compare(a.Name, b.Name) })
	}
	slices.SortFunc(s.Notes, Note.Compare)
	slices.SortFunc(s.References, func(a, b Reference) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Name, b.Name), slices.Compare(a.Columns, b.Columns), a.To.Compare(b.To))
	})
}

// Table finds a table by its full name; nil if there is none.
func (s *Schema) Table(n Name) *Table {
	i, ok := slices.BinarySearchFunc(s.Tables, n, func(t Table, n Name) int { return t.Name.Compare(n) })
	if !ok {
		return nil
	}
	return &s.Tables[i]
}

// Within gives the part of s that lies in the given schemas; none given means all.
func (s *Schema) Within(schemas []string) *Schema {
	if len(schemas) == 0 {
		return s
	}
	out := &Schema{}
	for _, t := range s.Tables {
		if slices.Contains(schemas, t.Name.Schema) {
			out.Tables = append(out.Tables, t)
		}
	}
	for _, r := range s.References {
		if slices.Contains(schemas, r.From.Schema) && slices.Contains(schemas, r.To.Schema) {
			out.References = append(out.References, r)
		}
	}
	return out
}

// Column finds a column by name; nil if there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Identity gives the first key that identifies every row, the primary key
// before others; nil if the table has none.
func (t *Table) Identity() *Key {
	for i := range t.Keys {
		if t.Keys[i].Identifies() {
			return &t.Keys[i]
		}
	}
	return nil
}

// Written names the columns that a load writes: all but the generated ones.
func (t *Table) Written() []string {
	var out []string
	for _, c := range t.Columns {
		if !c.Generated {
			out = append(out, c.Name)
		}
	}
	return out
}
