package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// readCatalog collects what parity compares: tables and what belongs to them
// through parity.go, all else here.
func (s *side) readCatalog(ctx context.Context, c *conn, schemas []string) (*catalog.Catalog, error) {
	found, err := readStructure(ctx, c)
	if err != nil {
		return nil, err
	}
	tables, err := tableStructure(ctx, c)
	if err != nil {
		return nil, err
	}
	var facts []catalog.Fact
	name := func(n string) string { return schema.Name{Schema: mainSchema, Table: n}.String() }
	for _, o := range found.objects {
		fact := catalog.Fact{Kind: o.kind, Object: name(o.name), Definition: normal(o.sql), Create: o.sql, Drop: "DROP " + strings.ToUpper(o.kind) + " " + quote(o.name)}
		switch {
		case found.shadow[o.name]:
			continue
		case found.virtual[o.name]:
			fact.Kind, fact.Create = "virtual table", o.sql+refilled(ctx, c, o)
			if parseVirtual(o.sql).carriage == ownRows {
				fact.Drop += ";\n-- the rows that it held are gone with it"
				if fact.Shape, err = ownColumns(ctx, c, o); err != nil {
					return nil, err
				}
			}
		case o.kind == "trigger":
			fact.Table = name(o.table)
			fact.Drop = "DROP TRIGGER IF EXISTS " + quote(o.name) // its table may have gone, or been made anew
		case o.kind != "view":
			continue
		}
		if o.kind == "view" || o.kind == "trigger" {
			if fact.Fails, err = fails(ctx, c, o); err != nil {
				return nil, err
			}
		}
		facts = append(facts, fact)
	}
	for setting, value := range map[string]string{
		"encoding": found.encoding, "auto_vacuum": fmt.Sprint(found.autoVacuum), "page_size": fmt.Sprint(found.pageSize),
		"user_version": fmt.Sprint(found.userVersion), "application_id": fmt.Sprint(found.applicationID),
	} {
		fact := catalog.Fact{Kind: "setting", Object: setting, Definition: value}
		if setting == "user_version" || setting == "application_id" { // the others are a file's for good
			fact.Alter = "PRAGMA " + setting + "=" + value
		}
		facts = append(facts, fact)
	}
	out := catalog.New(tables, facts, []string{"view", "trigger", "virtual table", "setting"}, nil)
	out.Depends = mentions(tables.Facts, facts)
	for _, t := range catalog.HistoryTables(tables.Facts) {
		h, err := readHistory(ctx, c, t)
		if err != nil {
			return nil, err
		}
		out.Histories = append(out.Histories, h)
	}
	return out, nil
}

// fails tells whether a view or a trigger does not work, by having SQLite prepare what uses
// it; of triggers of one table that fire at one moment all fail with one.
func fails(ctx context.Context, c *conn, o object) (bool, error) {
	use := "SELECT 1 FROM " + quote(o.name)
	if o.kind == "trigger" {
		all := words(o.sql)
		moment := slices.IndexFunc(all, func(t token) bool { return t.is("insert") || t.is("update") || t.is("delete") })
		switch {
		case moment < 0:
			return false, nil
		case all[moment].is("insert"):
			use = "INSERT INTO " + quote(o.table) + " DEFAULT VALUES"
		case all[moment].is("delete"):
			use = "DELETE FROM " + quote(o.table)
		default:
			var sets []string
			err := c.each(ctx, "SELECT name FROM pragma_table_info(?)", []any{o.table}, func(row []driver.Value) error {
				sets = append(sets, quote(str(row[0]))+" = NULL")
				return nil
			})
			if len(sets) == 0 || err != nil {
				return true, ctx.Err()
			}
			use = "UPDATE " + quote(o.table) + " SET " + strings.Join(sets, ", ")
		}
	}
	err := c.each(ctx, "EXPLAIN "+use, nil, discard)
	return err != nil, ctx.Err()
}

// refilled writes what fills a full-text table that is made anew from the text that it is
// over, or why nothing does.
func refilled(ctx context.Context, c *conn, o object) string {
	set := ""
	if all, err := fullTextSettings(ctx, c, []object{o}); err == nil { // else it has none that it tells
		for _, s := range all {
			value := literal(str(s.value))
			if n, ok := s.value.(int64); ok {
				value = strconv.FormatInt(n, 10)
			}
			set += ";\nINSERT INTO " + quote(o.name) + " (" + quote(o.name) + ", rank) VALUES (" + literal(s.key) + ", " + value + ")"
		}
	}
	switch parseVirtual(o.sql).carriage {
	case indexed:
		if why, err := dangling(ctx, c, o.name); err == nil && why != "" { // any other error is not the text's
			return set + ";\n-- nothing fills it in production either: " + why
		}
		return set + ";\nINSERT INTO " + quote(o.name) + " (" + quote(o.name) + ") VALUES ('rebuild')"
	case textless:
		return set + ";\n-- it keeps no text, so it is empty until whoever wrote its rows writes them again"
	}
	return set
}

// ownColumns lists the columns of a virtual table by which its own rows come into one that
// is made anew, one a line; none for a module of which that is not known.
func ownColumns(ctx context.Context, c *conn, o object) (string, error) {
	var columns []string
	switch parseVirtual(o.sql).module {
	case "fts5", "geopoly":
		columns = append(columns, "rowid")
	case "rtree", "rtree_i32":
	default:
		return "", nil
	}
	err := c.each(ctx, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", []any{o.name}, func(row []driver.Value) error {
		columns = append(columns, schema.Ident(small(str(row[0]))))
		return nil
	})
	return strings.Join(columns, "\n"), err
}

// mentions lists the columns that views, triggers, indexes and computed columns name, by
// their words: SQLite lets no column go that one of them names.
func mentions(tables, facts []catalog.Fact) (out []catalog.Dependency) {
	columns := make(map[string][]catalog.Ref) // by the last part of their names, in small letters
	for _, f := range tables {
		if parts, err := schema.ParseName(f.Object); f.Kind == "column" && err == nil {
			name := small(parts[len(parts)-1])
			columns[name] = append(columns[name], catalog.Ref{Kind: f.Kind, Object: f.Object})
		}
	}
	for _, f := range slices.Concat(tables, facts) {
		text := f.Create
		switch f.Kind {
		case "view", "trigger", "index":
		case "column":
			text = ""
			for _, p := range f.Parts {
				if p.Name == "generated" {
					text = p.Text
				}
			}
		default:
			continue
		}
		for _, t := range words(text) {
			if name, ok := t.name(); ok {
				for _, c := range columns[small(name)] {
					if (f.Kind == "index" || f.Kind == "column") && !strings.HasPrefix(c.Object, f.Table+".") {
						continue
					}
					out = append(out, catalog.Dependency{Of: catalog.Ref{Kind: f.Kind, Object: f.Object}, On: c, Placed: true})
				}
			}
		}
	}
	return out
}

// readHistory reads what a migration tool says that it applied.
func readHistory(ctx context.Context, c *conn, t catalog.HistoryTable) (catalog.History, error) {
	var columns []string
	for _, name := range t.Columns {
		columns = append(columns, "CAST("+quote(name)+" AS TEXT)")
	}
	var list [][]string
	err := c.each(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+quote(t.Name.Table), nil, func(row []driver.Value) error {
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = str(v)
		}
		list = append(list, line)
		return nil
	})
	return t.Read(list), err
}

// normal writes a definition with single spaces, without comments and with quotes only
// where a name needs them, so that neither layout nor what SQLite itself writes when a
// table is renamed is a difference.
func normal(sql string) string {
	var out []byte
	for _, t := range tokens(sql) {
		if t.kind == comment {
			continue
		}
		if len(out) > 0 {
			out = append(out, ' ')
		}
		text := t.text
		if name, ok := t.name(); ok && t.kind == quotedID {
			text = schema.Ident(name)
		}
		out = append(out, text...)
	}
	return string(out)
}
