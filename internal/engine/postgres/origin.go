package postgres

import (
	"context"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/schema"
)

// An origin is what must be known of the database that a structure comes from,
// beside what is in a dump of it.
type origin struct {
	filled map[schema.Name]bool // materialized views that hold rows
	path   string               // the search_path that its users get
	// callers are what calls functions when it is made or filled.
	callers []caller
	// open is what PUBLIC may do: privileges by object; of a source only.
	open map[object][]string
	// Of a dump of some schemas only: what reaches out of them, and therefore
	// cannot be built, and the schemas in which extensions stand.
	reaching   []string // as a table of contents writes them: kind, schema, name
	extensions []string
	// tables is the structure when the work began; nil for a source, whose
	// snapshot guards it.
	tables  *schema.Schema
	watched map[string]string // likewise, see watch
}

// reaches tells whether an entry is among those that reach out.
func (o *origin) reaches(e entry) bool {
	return slices.ContainsFunc(o.reaching, func(start string) bool { return strings.HasPrefix(e.text, start) })
}

// readOrigin looks at a database whose structure is taken.
func readOrigin(ctx context.Context, at *address, name string, limits engine.Limits, schemas []string) (*origin, error) {
	c, err := connect(ctx, at, session{name: name, readOnly: true, limits: limits})
	if err != nil {
		return nil, err
	}
	defer c.hangUp()
	o := &origin{filled: map[schema.Name]bool{}, path: c.path}
	rows, err := c.query(ctx, "look at the materialized views", `SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated`)
	for _, r := range rows {
		o.filled[schema.Name{Schema: string(r[0]), Table: string(r[1])}] = true
	}
	if err != nil {
		return o, err
	}
	if o.callers, err = readCallers(ctx, c); err != nil {
		return o, err
	}
	if o.open, err = openToPublic(ctx, c); err != nil || len(schemas) == 0 {
		return o, err
	}
	return o, o.lookOut(ctx, c, schemas)
}

// lookOut finds what in the schemas depends on tables outside them: foreign
// keys, views, policies, triggers. An extension's tables are everywhere.
func (o *origin) lookOut(ctx context.Context, c *conn, schemas []string) error {
	rows, err := c.query(ctx, "look for what reaches out of the schemas", `
		WITH outside AS (
			SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			WHERE NOT `+serverSchemas+` AND n.nspname <> ALL ($1::text[]) AND `+notExtensions+`
		)
		SELECT 'FK CONSTRAINT', n.nspname, t.relname || ' ' || o.conname FROM pg_catalog.pg_constraint o
			JOIN pg_catalog.pg_class t ON t.oid = o.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
			WHERE o.contype = 'f' AND o.confrelid IN (SELECT oid FROM outside)
		UNION
		SELECT CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'RULE' END, n.nspname,
				CASE WHEN v.relkind IN ('m', 'v') THEN v.relname ELSE v.relname || ' ' || r.rulename END
			FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
				AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT oid FROM outside)
			JOIN pg_catalog.pg_class v ON v.oid = r.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
		UNION
		SELECT 'POLICY', n.nspname, t.relname || ' ' || p.polname FROM pg_catalog.pg_policy p
			JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
				AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid IN (SELECT oid FROM outside)
			JOIN pg_catalog.pg_class t ON t.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace`, schemas)
	if err != nil {
		return err
	}
	for _, r := range rows {
		o.reaching = append(o.reaching, string(r[0])+" "+string(r[1])+" "+string(r[2])+" ")
	}
	rows, err = c.query(ctx, "look at the extensions", `SELECT DISTINCT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
		WHERE n.nspname !~ '^pg_' AND n.nspname <> 'public' AND n.nspname <> ALL ($1::text[]) ORDER BY 1`, schemas)
	for _, r := range rows {
		o.extensions = append(o.extensions, string(r[0]))
	}
	return err
}
