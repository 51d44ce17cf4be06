package postgres

import (
	"context"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// unread is what a role may not read, and the schemas that it may not use, so
// that all of it can be told and granted at once.
type unread struct {
	role                       string // as SQL wants it, as are the names
	schemas, tables, sequences []string
	one                        schema.Name // the table, where it is about one
}

// unreadable asks which of the tables and sequences the role may not read. They are
// found by their names in the catalogs: a role that may not use a schema may not
// resolve the names in it.
func unreadable(ctx context.Context, c *conn, among []schema.Name) (*unread, error) {
	schemas, names := pairs(among)
	return unreadOf(c.query(ctx, "ask for privileges", unreadQuery(` JOIN unnest($1::text[], $2::text[]) AS u (schema, name) ON n.nspname = u.schema AND c.relname = u.name WHERE true`), schemas, names))
}

// undumpable asks the same of every table that pg_dump locks: those in the
// schemas, partitions included; none given means all.
func undumpable(ctx context.Context, c *conn, schemas []string) (*unread, error) {
	return unreadOf(c.query(ctx, "ask for privileges", unreadQuery(` WHERE c.relkind IN ('r', 'p') AND NOT `+serverSchemas+` AND `+notExtensions+` AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1))`), nonNil(schemas)))
}

func unreadQuery(among string) string {
	const select_ = `CASE WHEN c.relkind = 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END`
	return `SELECT DISTINCT n.nspname, c.relname, pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(c.relname), pg_catalog.quote_ident(current_user), c.relkind = 'S', pg_catalog.has_schema_privilege(n.oid, 'USAGE'), ` + select_ + `
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace` + among + `
		AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND ` + select_ + `) ORDER BY 1, 2`
}

func unreadOf(rows [][][]byte, err error) (*unread, error) {
	if err != nil {
		return nil, err
	}
	u := &unread{}
	for _, r := range rows {
		u.role = string(r[4])
		of := string(r[2])
		if !isTrue(r[6]) && !slices.Contains(u.schemas, of) {
			u.schemas = append(u.schemas, of)
		}
		switch name := of + "." + string(r[3]); {
		case isTrue(r[7]): // it is held back by its schema alone
		case isTrue(r[5]):
			u.sequences = append(u.sequences, name)
		default:
			u.tables = append(u.tables, name)
		}
	}
	if len(rows) == 1 && !isTrue(rows[0][5]) {
		u.one = schema.Name{Schema: string(rows[0][0]), Table: string(rows[0][1])}
	}
	return u, nil
}

// none tells that the role may read everything.
func (u *unread) none() bool { return len(u.schemas)+len(u.tables)+len(u.sequences) == 0 }

// say tells what the role may not do.
func (u *unread) say() string {
	var parts []string
	for _, of := range []struct {
		does  string
		names []string
	}{{"use the schema", u.schemas}, {"read the table", u.tables}, {"read the sequence", u.sequences}} {
		switch len(of.names) {
		case 0:
		case 1:
			parts = append(parts, of.does+" "+of.names[0])
		default:
			parts = append(parts, of.does+"s "+strings.Join(of.names, ", "))
		}
	}
	return "the role " + u.role + " may not " + strings.Join(parts, ", nor ")
}

// grants are the statements that let the role read all of it.
func (u *unread) grants() string {
	var out []string
	for _, of := range []struct {
		privilege string
		names     []string
	}{{"USAGE ON SCHEMA ", u.schemas}, {"SELECT ON ", u.tables}, {"SELECT ON SEQUENCE ", u.sequences}} {
		if len(of.names) > 0 {
			out = append(out, "GRANT "+of.privilege+strings.Join(of.names, ", ")+" TO "+u.role)
		}
	}
	return strings.Join(out, "; ")
}

// error is nil where the role may read everything.
func (u *unread) error(doing string) error {
	if u.none() {
		return nil
	}
	return &engine.Error{Code: engine.Denied, Doing: doing, Table: u.one, Say: u.say(), Hint: u.grants()}
}

// nameUnread tells of a dump that lacked a privilege which ones are missing: the
// program's own words may be in any language, and name one object of many.
func (s *side) nameUnread(ctx context.Context, err error, schemas []string) error {
	if engine.CodeOf(err) != engine.Denied {
		return err
	}
	c, failed := connect(ctx, s.at, session{name: "look", readOnly: true, limits: s.limits})
	if failed != nil {
		return err
	}
	defer c.hangUp()
	u, failed := undumpable(ctx, c, schemas)
	if failed != nil || u.none() {
		return err
	}
	return u.error(dumpDoing)
}

// dumpDoing says what is done when pg_dump runs.
const dumpDoing = "read the structure with pg_dump"
