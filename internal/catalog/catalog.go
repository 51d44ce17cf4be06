// Package catalog reads what parity compares and compares it: tables, columns,
// keys, indexes and checks as Atlas sees them, and every other object as a
// digest of its definition. It is the home of Atlas; an engine opens its own
// dialect of Atlas and hands it over, and adds the facts Atlas does not see.
package catalog

// A Fact is one object that Atlas does not see, told by its definition.
type Fact struct {
	Kind   string // view, function, trigger, sequence, extension, policy, grant, ...
	Object string // schema-qualified, as schema.Name.String writes names
	// Definition is the server's own words for the object, normalized so that
	// equal objects have equal text on both sides. No literal secret is in it.
	Definition string
	// Table the object belongs to, schema.table; empty for none.
	Table string
}

// A Catalog is one database's structure, ready to be compared.
type Catalog struct {
	Facts []Fact
	// Kinds lists every kind of fact that was looked for, so that "none" can be
	// told from "not looked at".
	Kinds []string
	// Unseen lists what could not be seen and why; never counted as equal.
	Unseen []string
}
