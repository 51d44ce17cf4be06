// Package catalog holds what parity compares and compares it: every object of a
// database as a fact told by the server's own definition, and beside that the
// tables as Atlas sees them, from which the statement that closes a difference
// is planned. It is the home of Atlas; an engine opens its own dialect of Atlas
// and hands the outcome over. Nothing here touches a database or names a product.
package catalog

import (
	"cmp"
	"slices"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/schema"

	names "understudy/internal/schema"
)

// A Fact is one object, told by its definition.
type Fact struct {
	Kind   string // view, function, trigger, sequence, extension, policy, grant, ...
	Object string // schema-qualified, as schema.Name.String writes names
	// Definition is the server's own words for the object, normalized so that
	// equal objects have equal text on both sides. No literal secret is in it.
	Definition string
	// Bare is the Definition without what the database put there when the object was made,
	// such as the hour; empty where it put nothing. Objects of one Bare are equal.
	Bare string
	// Table the object belongs to, schema.table; empty for none.
	Table string
	// Parts tell the object piece by piece, so that a difference can say which
	// piece it is. They are compared as well as Definition; either may be empty.
	Parts []Part
	// Unnamed: the database gives the object no name of its own, and Object was
	// made from its definition.
	Unnamed bool
	// Create and Drop are statements that make the object and take it away, in the
	// server's own words; empty where the server gives none. They are not compared.
	Create, Drop string
	// Alter makes an object that is there as this one, after the other side's Clear
	// took away what cannot be overwritten. Empty Alter: it is dropped and created.
	Alter, Clear string
	// Shape is what Alter cannot change, except by adding to its end: the columns of a
	// view, what a function gives. Of another shape the object is dropped and created.
	Shape string
	// Halfway makes a column a text, through which its values come to one of another Sort
	// by their words: the database turns labels into numbers by their places. Empty where
	// they come so anyhow.
	Halfway, Sort string
	// Again gives the object again what it loses when a column gets another type: it, or one
	// that it is over, by which the database makes it anew. Empty for nothing.
	Again string
	// Usual is what the object has where no such fact is told, if that can be said; empty
	// else. It is not compared.
	Usual string
	// Through names the object of the same kind by whose statements this one is changed
	// as well: the column that an inherited one comes from. Empty for none.
	Through string
	// Fails: it is there and does not work, for it names something that is not. It is not
	// compared.
	Fails bool
	// Under names the column, or check, of another table that this one inherits as well, though
	// it is its table's own: it stays when that one goes, and cannot go before. Empty for none.
	Under string
}

// A Part is one piece of an object: a column's type, an index's method. An
// empty text is the same as no part.
type Part struct {
	Name, Text string
	// Alter gives an object that is there this part, Clear takes the part away. Add
	// stands in for Alter where the object has no such part, if that is said otherwise.
	// They are not compared; any may be empty.
	Alter, Add, Clear string
	// Many and One stand in for Alter where a type is a list of what the object has, or the
	// object has a list.
	Many, One string
	// Follows is what this is the object's own of.
	Follows Follows
}

// Follows names the part of a column by whose statements that of a partition's column, or
// of an heir's, is set as well, whatever it had. Empty for none.
type Follows struct{ Column, Part string }

// ColumnOrder names the part of a table that lists its columns in order. It is
// compared over the columns both sides have, so that a column too many is told once.
const ColumnOrder = "column order"

// TriggerOrder names the part of a table that lists its triggers in the order in
// which they fire, where that is not the order of their names, each behind its moment
// in two words. It is compared over those that both sides have.
const TriggerOrder = "trigger order"

// Broken names the part of what is there but does not work; its text says why. No
// statement makes such an object.
const Broken = "broken"

// AsParted begins the definition of a trigger that a partition has with its table and that
// only is enabled otherwise.
const AsParted = "as of the partitioned table"

// Partitions names the part of a table that tells how its rows are parted, where its
// partitions are no tables. Its Clear lets all rows lie together.
const Partitions = "partitions"

// Listed gives the names in the text of a part that lists them, one a line; a name in
// quotes may hold line breaks.
func Listed(text string) (names []string) {
	begun := ""
	for line := range strings.SplitSeq(text, "\n") {
		if begun += line; strings.Count(begun, `"`)%2 == 1 {
			begun += "\n"
			continue
		}
		names, begun = append(names, begun), ""
	}
	return names
}

// isOrder tells a part that is a list, one name a line.
func isOrder(part string) bool { return part == ColumnOrder || part == TriggerOrder }

// A Dialect is one product's half of Atlas. Both fields work without a
// connection: comparing never asks a server, so no expression of a source is ever run.
type Dialect struct {
	Differ  schema.Differ
	Planner migrate.PlanApplier
	// Quote writes a name in statements; nil puts it into double quotes.
	Quote func(name string) string
	// Rename gives the statement that renames what belongs to a table, whose name is
	// given by its parts; empty where there is none for the kind. Nil: there is none at all.
	Rename func(kind string, table []string, from, to string) string
	// Follow gives the parts of a column that was read under one name, that of its table
	// before it, and is to be called by another: it keeps names that the server made of the
	// first. Nil: there are none.
	Follow func(column Fact, was, is string) []Part
	// Remake gives the statements that make a table anew as the source declares it, with
	// its rows; empty where that cannot be said. Nil: a table can be altered in place.
	Remake func(Remade) string
	// ByText are the kinds that name tables and columns by their text alone, so that they
	// lose what is renamed; others follow it.
	ByText []string
	// Advance gives the statement that sets a new sequence past the rows that are in the
	// column it belongs to, both as statements write them. Nil: there is none.
	Advance func(sequence, table, column string) string
	// Preamble begins a file of statements: what has the product's own client end at the
	// first error; empty where it does.
	Preamble string
	// Within begins and ends a transaction that takes all statements or none, but for those
	// that Apart tells. Empty: changes of structure stand outside transactions.
	Within [2]string
	Apart  func(sql string) bool
	// Client writes statements, each closed by a semicolon, as the product's own client
	// reads them from a file. Nil: as they are.
	Client func(sql string) string
	// Whole: the statement that makes a table states its keys, indexes, checks and foreign keys.
	Whole bool
	// Joint: one statement changes a table in several ways at once, and has to where none
	// of them can be without the others.
	Joint bool
	// Rechecks: no table or column gets another name, and no column goes, while a view or a
	// trigger does not work, or would not with that.
	Rechecks bool
	// Unqualified: statements are run where they belong and name no schema.
	Unqualified bool
}

// A Remade is a table that is made anew.
type Remade struct {
	Table   string // by its own name
	Declare string // the source's statement for it
	There   string // the target's
	// Renames are run before all else: they give columns the source's names, which
	// views and triggers follow.
	Renames []string
	// Copy are the columns whose values it gets, all in the source's names; From what they
	// are called by then, nil where that is the same.
	Copy, From []string
	// After makes again what goes with the old table: indexes, triggers.
	After []string
	// Taken are the names that objects have on either side.
	Taken []string
}

// follow gives a fact's parts once it is called otherwise.
func (d Dialect) follow(f Fact, was, is string) []Part {
	if d.Follow == nil || f.Kind != "column" || is == was {
		return f.Parts
	}
	return d.Follow(f, was, is)
}

// quote writes a qualified name as statements want it.
func (d Dialect) quote(parts ...string) string {
	var out []string
	for _, p := range parts {
		if d.Quote != nil {
			out = append(out, d.Quote(p))
		} else {
			out = append(out, `"`+strings.ReplaceAll(p, `"`, `""`)+`"`)
		}
	}
	return strings.Join(out, ".")
}

// A Structure is what an engine read of tables and what belongs to them.
type Structure struct {
	Dialect Dialect
	// Schemas are Atlas's view. Tables that Atlas could not read are left out;
	// they are compared all the same, without a closing statement.
	Schemas []*schema.Schema
	Facts   []Fact
	// Alone gives by its name what a partition would be, itself first, and what that or an
	// heir would have of what it has with another table, as a table of its own. Nothing of
	// it is among Facts.
	Alone  map[string][]func() Fact
	Kinds  []string // of Facts, see Catalog.Kinds
	Unseen []string // see Catalog.Unseen
	// LooseTypes: the declared type of a column is advice and refuses no value.
	LooseTypes bool
	// FoldNames: names that differ in the case of ASCII letters only are the same name.
	FoldNames bool
}

// A Catalog is one database's structure, ready to be compared.
type Catalog struct {
	Facts []Fact
	// Kinds lists every kind of fact that was looked for, so that "none" can be
	// told from "not looked at".
	Kinds []string
	// Unseen lists what could not be seen and why; never counted as equal.
	Unseen []string
	// Partly: some tables and views may be there that could not be seen.
	Partly bool
	// Never lists what nobody is let compare, whatever is granted to him.
	Never []string
	// Histories are what migration tools say that they applied.
	Histories []History
	// Depends tells what the database keeps for what; empty where it does not say.
	Depends []Dependency
	// Reader is the role that read this, as access lists write it; empty where there
	// are none. What a source grants to it is no part of what an application needs.
	Reader string

	dialect Dialect
	schemas []*schema.Schema
	loose   bool
	folds   bool
	alone   map[string][]func() Fact
}

// New joins what was read of tables with the facts about everything else. The
// catalog takes over its arguments. A nil structure means that there are facts only.
func New(tables *Structure, facts []Fact, kinds, unseen []string) *Catalog {
	c := &Catalog{Facts: facts, Kinds: kinds, Unseen: unseen}
	if tables != nil {
		c.Facts = append(slices.Clone(tables.Facts), facts...)
		c.Kinds = append(slices.Clone(tables.Kinds), kinds...)
		c.Unseen = append(slices.Clone(tables.Unseen), unseen...)
		c.dialect, c.schemas, c.loose, c.folds, c.alone = tables.Dialect, tables.Schemas, tables.LooseTypes, tables.FoldNames, tables.Alone
	}
	slices.SortStableFunc(c.Facts, byKind)
	for _, f := range c.Facts {
		c.Kinds = append(c.Kinds, f.Kind)
	}
	slices.Sort(c.Kinds)
	c.Kinds = slices.Compact(c.Kinds)
	slices.Sort(c.Unseen)
	c.Unseen = slices.Compact(c.Unseen)
	return c
}

// byKind is the order of a catalog's facts.
func byKind(a, b Fact) int {
	return byID(factID{a.Kind, a.Object}, factID{b.Kind, b.Object})
}

func byID(a, b factID) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.object, b.object))
}

// respelled gives the catalog with the names of another one's objects as that one
// spells them.
func (c *Catalog) respelled(as *Catalog) *Catalog {
	spelled := make(map[string]string)
	lines := make(map[string]map[string]string) // of column orders, by table
	each := func(f Fact, do func(p *Part, table map[string]string)) {
		for i := range f.Parts {
			if table := foldedName(f.Object); f.Parts[i].Name == ColumnOrder {
				if lines[table] == nil {
					lines[table] = make(map[string]string)
				}
				do(&f.Parts[i], lines[table])
			}
		}
	}
	for _, f := range as.Facts {
		spelled[foldedName(f.Object)] = f.Object
		each(f, func(p *Part, table map[string]string) {
			for _, line := range Listed(p.Text) {
				table[foldedName(line)] = line
			}
		})
	}
	out := *c
	out.Facts = slices.Clone(c.Facts)
	for i, f := range out.Facts {
		f.Object = cmp.Or(spelled[foldedName(f.Object)], f.Object)
		f.Table = cmp.Or(spelled[foldedName(f.Table)], f.Table)
		f.Parts = slices.Clone(f.Parts)
		each(f, func(p *Part, table map[string]string) {
			list := Listed(p.Text)
			for k, line := range list {
				list[k] = cmp.Or(table[foldedName(line)], line)
			}
			p.Text = strings.Join(list, "\n")
		})
		out.Facts[i] = f
	}
	return &out
}

// foldedName writes a name so that two are equal if they differ in the case of ASCII
// letters only, or in quotes.
func foldedName(object string) string {
	parts, err := names.ParseName(object)
	if err != nil {
		parts = []string{object}
	}
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.Join(parts, "\x00"))
}

// table finds Atlas's view of a table; nil where it has none.
func (c *Catalog) table(schemaName, name string) *schema.Table {
	for _, s := range c.schemas {
		if s.Name == schemaName {
			if t, ok := s.Table(name); ok {
				return t
			}
		}
	}
	return nil
}
