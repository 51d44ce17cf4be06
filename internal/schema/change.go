package schema

import (
	"reflect"
	"slices"
)

// FirstChange names the first thing that differs between two readings of one
// database's structure, estimates aside; what is empty if nothing does. column
// is empty where the change is one of the table.
func FirstChange(before, after *Schema) (table Name, column, what string) {
	for i := range before.Tables {
		b := &before.Tables[i]
		a := after.Table(b.Name)
		if a == nil {
			return b.Name, "", "the table is gone"
		}
		if column, what := b.FirstChange(a); what != "" {
			return b.Name, column, what
		}
	}
	for i := range after.Tables {
		if before.Table(after.Tables[i].Name) == nil {
			return after.Tables[i].Name, "", "the table is new"
		}
	}
	for _, r := range before.References {
		if !r.Declared && !slices.ContainsFunc(after.References, r.same) {
			return r.From, "", "a foreign key changed"
		}
	}
	for _, r := range after.References {
		if !slices.ContainsFunc(before.References, r.same) {
			return r.From, "", "a foreign key is new"
		}
	}
	return Name{}, "", ""
}

// FirstChange is that of two readings of one table.
func (t *Table) FirstChange(after *Table) (column, what string) {
	for i := range t.Columns {
		c := after.Column(t.Columns[i].Name)
		switch {
		case c == nil:
			return t.Columns[i].Name, "the column is gone"
		case !reflect.DeepEqual(t.Columns[i], *c):
			return c.Name, "the column changed"
		}
	}
	for _, c := range after.Columns {
		if t.Column(c.Name) == nil {
			return c.Name, "the column is new"
		}
	}
	for _, part := range []struct {
		before, after any
		what          string
	}{
		{t.Partitions, after.Partitions, "its partitions changed"},
		{t.Inherits, after.Inherits, "its inheritance changed"},
		{t.Note, after.Note, "it became another kind of table"},
		{t.Keys, after.Keys, "its keys changed"},
		{t.Checks, after.Checks, "its checks changed"},
	} {
		if !reflect.DeepEqual(part.before, part.after) {
			return "", part.what
		}
	}
	return "", ""
}

// same leaves Indexed out: an index that comes or goes changes speed, not rows.
func (r Reference) same(other Reference) bool {
	r.Indexed, other.Indexed = false, false
	return reflect.DeepEqual(r, other)
}
