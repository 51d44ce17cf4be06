package sqlite

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// carriage says what a virtual table holds, which its module decides, and so
// what a new generation needs.
type carriage byte

const (
	ownRows  carriage = iota // rows of its own, like any table
	indexed                  // an index over another table's text, filled from it
	textless                 // an index whose text was thrown away: no row can be read back
	computed                 // nothing: it shows what stands elsewhere
)

// virtualTable is what the text of CREATE VIRTUAL TABLE tells.
type virtualTable struct {
	module   string
	carriage carriage
}

func parseVirtual(sql string) virtualTable {
	all := slices.DeleteFunc(tokens(sql), func(t token) bool { return t.kind == comment })
	using := slices.IndexFunc(all, func(t token) bool { return t.is("using") })
	if using < 0 || using+1 == len(all) {
		return virtualTable{}
	}
	name, _ := all[using+1].name()
	out := virtualTable{module: small(name)}
	switch out.module {
	case "fts5vocab", "dbstat", "sqlite_dbpage":
		out.carriage = computed
	case "fts5":
		if using+2 < len(all) {
			out.carriage = fullText(items(all[using+3:]))
		}
	}
	return out
}

// fullText reads the arguments of a full-text table. An option may be written
// with the beginning of its name.
func fullText(arguments [][]token) carriage {
	for _, a := range arguments {
		if len(a) < 2 || a[0].kind != word || !a[1].mark("=") || !strings.HasPrefix("content", small(a[0].text)) {
			continue
		}
		if name, _ := a[len(a)-1].name(); len(a) == 2 || name == "" {
			return textless
		}
		return indexed
	}
	return ownRows
}

// loaded tells whether the table has rows that a run carries.
func (s *shape) loaded() bool { return s.kept == ownRows || s.kept == textless }

// completeVirtual adds what the pragmas do not tell of a virtual table: the row's
// number, by which other tables name the rows of a full-text table or of shapes,
// and that full-text columns are texts.
func (x *tableReader) completeVirtual() {
	switch x.shape.module {
	case "fts5", "geopoly":
		number := schema.Column{Name: "rowid", Type: "INTEGER", NotNull: true, Surrogate: true}
		describe(&number)
		for i := range x.table.Columns {
			if x.shape.module == "fts5" {
				x.table.Columns[i].Kind = schema.Text
			}
		}
		x.table.Columns = append([]schema.Column{number}, x.table.Columns...)
	case "rtree", "rtree_i32":
		x.table.Columns[0].NotNull = true // the row's number
	default:
		return
	}
	x.addKey(schema.Key{Name: x.table.Name.Table + "_pkey", Columns: []string{x.table.Columns[0].Name}, Primary: true})
}

// dangling tells why an index over another table's text cannot be filled from it; "" if it
// can. SQLite takes such a table, and answers searches from what the index once held. Asking
// for one row makes it look for the text's columns, whether or not there is such a row.
func dangling(ctx context.Context, c *conn, name string) (string, error) {
	err := c.each(ctx, "SELECT 1 FROM main."+quote(name)+" WHERE rowid = -1", nil, discard)
	if err == nil || ctx.Err() != nil || !strings.HasPrefix(missing(err), "no such") {
		return "", err
	}
	return missing(err), nil
}

// fillFullText fills indexes over other tables' text, and empties those that nothing can fill.
func fillFullText(ctx context.Context, c *conn, shapes map[string]*shape) error {
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		if shapes[name].kept != indexed {
			continue
		}
		c.doing = "fill the full-text index " + schema.Ident(name)
		why, err := dangling(ctx, c, name)
		command := "rebuild"
		if why != "" {
			command = "delete-all"
		}
		if err == nil {
			err = c.exec(ctx, "INSERT INTO main."+quote(name)+"("+quote(name)+") VALUES ('"+command+"')")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Withheld names full-text tables without a text: the rows are there, and
// SQLite gives none of their values.
func (s *source) Withheld(ctx context.Context, tables []schema.Name) ([]engine.Withholding, error) {
	var out []engine.Withholding
	err := s.with(ctx, func(ctx context.Context, c *conn) error {
		found, err := inspect(ctx, c, nil)
		if err != nil {
			return err
		}
		for _, name := range tables {
			if sh := found.shapes[name.Table]; sh != nil && sh.kept == textless {
				out = append(out, engine.Withholding{Table: name, Say: "the full-text table " + name.String() + " keeps no text (content=''), so nothing can be read back from it",
					Hint: "leave its rows out (`subset: {tables: {" + name.String() + ": none}}`) and fill the index by statements of load.after"})
			}
		}
		return nil
	})
	return out, err
}

var _ engine.Withholder = (*source)(nil)

// setting is one that a full-text table keeps, such as its rank function.
type setting struct {
	table, key string
	value      driver.Value
}

// fullTextSettings reads what was set by INSERT INTO name(name, key).
func fullTextSettings(ctx context.Context, c *conn, objects []object) ([]setting, error) {
	var out []setting
	for _, o := range objects {
		if o.kind != "table" || parseVirtual(o.sql).module != "fts5" {
			continue
		}
		err := c.each(ctx, "SELECT k, v FROM main."+quote(o.name+"_config")+" WHERE k <> 'version' ORDER BY k", nil, func(row []driver.Value) error {
			out = append(out, setting{o.name, str(row[0]), row[1]})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
