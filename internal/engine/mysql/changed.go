package mysql

import (
	"reflect"
	"slices"

	"understudy/internal/schema"
)

// changed names the first thing that differs between two structures of one
// database, estimates aside; "" if nothing does.
func changed(before, after *schema.Schema) (table schema.Name, column, what string) {
	for i := range before.Tables {
		b := &before.Tables[i]
		a := after.Table(b.Name)
		if a == nil {
			return b.Name, "", "the table is gone"
		}
		if column, what := changedTable(b, a); what != "" {
			return b.Name, column, what
		}
	}
	for i := range after.Tables {
		if before.Table(after.Tables[i].Name) == nil {
			return after.Tables[i].Name, "", "the table is new"
		}
	}
	for _, r := range before.References {
		if !r.Declared && !slices.ContainsFunc(after.References, func(a schema.Reference) bool { return sameReference(a, r) }) {
			return r.From, "", "a foreign key changed"
		}
	}
	for _, r := range after.References {
		if !slices.ContainsFunc(before.References, func(b schema.Reference) bool { return sameReference(b, r) }) {
			return r.From, "", "a foreign key is new"
		}
	}
	return schema.Name{}, "", ""
}

func changedTable(b, a *schema.Table) (column, what string) {
	for i := range b.Columns {
		c := a.Column(b.Columns[i].Name)
		switch {
		case c == nil:
			return b.Columns[i].Name, "the column is gone"
		case !reflect.DeepEqual(b.Columns[i], *c):
			return c.Name, "the column changed"
		}
	}
	for _, c := range a.Columns {
		if b.Column(c.Name) == nil {
			return c.Name, "the column is new"
		}
	}
	x, y := *b, *a
	x.Rows, x.Bytes, x.Columns, y.Rows, y.Bytes, y.Columns = 0, 0, nil, 0, 0, nil
	if !reflect.DeepEqual(x, y) {
		return "", "its keys, checks or storage engine changed"
	}
	return "", ""
}

// sameReference leaves Indexed out: an index that comes or goes changes speed, not rows.
func sameReference(a, b schema.Reference) bool {
	return a.Name == b.Name && a.From == b.From && a.To == b.To && slices.Equal(a.Columns, b.Columns) && slices.Equal(a.ToColumns, b.ToColumns)
}
