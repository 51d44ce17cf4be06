package sqlite

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// notes tells what is amiss with a structure: foreign keys that SQLite cannot
// check, views that do not compile, full-text indexes over nothing, and what no new generation can be made from.
func (p *product) notes(ctx context.Context, c *conn, found *inspection) ([]schema.Note, error) {
	var out []schema.Note
	for _, l := range found.loose {
		out = append(out, schema.Note{Table: l.from, Column: l.columns[0], Say: "foreign key " + schema.Ident(l.name) + " cannot be checked: " + l.why,
			Hint: "create the parent table, or drop the foreign key; until then its proof is not measured"})
	}
	for _, r := range found.schema.References {
		if !found.pointsAtKey(r) {
			out = append(out, schema.Note{Table: r.From, Column: r.Columns[0], Say: "foreign key " + schema.Ident(r.Name) + " cannot be checked: no unique index is over the referenced columns of " + r.To.String(),
				Hint: "`CREATE UNIQUE INDEX` over them with the columns' own collations; until then its proof is not measured"})
		}
	}
	broken, err := brokenViews(ctx, c)
	if err != nil {
		return nil, err
	}
	for name, why := range broken {
		out = append(out, schema.Note{Table: schema.Name{Schema: mainSchema, Table: name}, Say: "the view does not compile: " + why + "; it is carried as it is",
			Hint: "drop the view or mend it; one that calls a function of the application is proved by nobody here"})
	}
	for name, sh := range found.shapes {
		if sh.kept != indexed {
			continue
		}
		why, err := dangling(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if why != "" {
			out = append(out, schema.Note{Table: schema.Name{Schema: mainSchema, Table: name}, Say: "the full-text index cannot be filled from the text it is over: " + why + "; a new generation has it empty",
				Hint: "drop the index, or make it anew over the columns that are there: 'rebuild' fails in this database too"})
		}
	}
	obstacles, err := p.obstacles(ctx, c)
	return append(out, obstacles...), err
}

// obstacles makes the structure's tables and indexes in a database in memory and
// tells which SQLite refuses: applications register collations, functions and
// modules that this program does not have.
func (p *product) obstacles(ctx context.Context, c *conn) ([]schema.Note, error) {
	s, err := readStructure(ctx, c)
	if err != nil {
		return nil, err
	}
	mem, err := p.open(ctx, "", readWrite, 0)
	if err != nil {
		return nil, err
	}
	defer mem.close()
	var out []schema.Note
	refused := map[string]bool{}
	try := func(o object) error {
		err := mem.exec(ctx, o.sql)
		if err == nil || ctx.Err() != nil {
			return err
		}
		refused[o.name] = true
		what := "the table"
		if o.kind != "table" {
			what = o.kind + " " + schema.Ident(o.name)
		}
		note := schema.Note{Table: schema.Name{Schema: mainSchema, Table: o.table}, Say: what + " cannot be made here: " + missing(err), Obstacle: true,
			Hint: "the application registers it, and this program's SQLite does not have it: take it out of the structure that the new generation is made from"}
		note.Column, note.Say = lackingPart(o, note.Say, err)
		out = append(out, note)
		return nil
	}
	for _, virtual := range []bool{false, true} { // virtual tables may need ordinary ones
		for _, o := range s.objects {
			if o.kind != "table" || s.shadow[o.name] || s.virtual[o.name] != virtual {
				continue
			}
			if err := try(o); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range s.objects {
		if o.kind == "index" && !refused[o.table] {
			if err := try(o); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// lackingPart finds the column or the check of a table that names what SQLite does not have.
func lackingPart(o object, say string, err error) (column, text string) {
	_, name, ok := strings.Cut(missing(err), ": ")
	if !ok || o.kind != "table" {
		return "", say
	}
	t := parseTable(o.name, o.sql)
	for c, collation := range t.collations {
		if sameName(collation, name) {
			column = c
		}
	}
	for _, c := range t.checks {
		for _, read := range c.reads {
			if sameName(read, name) {
				return column, "check " + schema.Ident(c.name) + ": " + say
			}
		}
	}
	return column, say
}

// absence is what SQLite says of a name that it does not find. The names are
// those of the structure's own SQL, so they may be told.
var absence = regexp.MustCompile(`no such (function|collation sequence|module|table|column): ([^\n]*?)( \(\d+\))?$`)

// missing tells why SQL of the structure does not compile.
func missing(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if m := absence.FindStringSubmatch(err.Error()); m != nil {
			return "no such " + m[1] + ": " + m[2]
		}
	}
	return "SQLite does not take its definition"
}

// lacking lets an error about the structure's own SQL say what is missing.
func lacking(wrapped, cause error) error {
	var e *engine.Error
	if why := missing(cause); errors.As(wrapped, &e) && e.Code == engine.Syntax && strings.HasPrefix(why, "no such") {
		e.Code, e.Say = engine.Unsupported, why
		e.Hint = "the application registers it, and this program's SQLite does not have it: take it out of the structure"
	}
	return wrapped
}
