package postgres

import (
	"context"
	"fmt"
	"strings"

	"understudy/internal/engine"
)

var (
	_ engine.Withholder = (*source)(nil)
	_ engine.Fitter     = (*target)(nil)
)

// needs is what a structure asks of the server that it is built on.
type needs struct {
	policies   []need // roles that policies name
	extensions []string
	superuser  []string // objects that only a superuser may make
	path       string   // the search_path that functions count on which its tables call; empty for none
	grantees   []string // roles that hold privileges, but for ours, which has them to read
	attached   []string // tables with thousands of partitions
	labels     []string // providers of security labels, and how many each gave
}

// A need is something that an object cannot be made without.
type need struct{ object, needs string }

// Fit compares what the source's structure needs with what the target's server has.
func (t *target) Fit(ctx context.Context, from engine.Source, schemas []string) (obstacles, notes []string, err error) {
	s, ok := from.(*source)
	if !ok {
		return nil, nil, &engine.Error{Code: engine.Failed, Doing: "compare the structure with the target's server", Say: "the source belongs to another engine"}
	}
	var want needs
	if err := s.with(ctx, func(c *conn) (err error) { want, err = readNeeds(ctx, c, schemas); return err }); err != nil {
		return nil, nil, err
	}
	err = t.with(ctx, func(c *conn) (err error) {
		obstacles, notes, err = t.missing(ctx, c, want)
		return err
	})
	return obstacles, notes, err
}

// readNeeds looks at a source. Of extensions all count, as all are created.
func readNeeds(ctx context.Context, c *conn, schemas []string) (n needs, err error) {
	rows, err := c.query(ctx, "look at the policies", `
		SELECT 'policy ' || pg_catalog.quote_ident(p.polname) || ' of ' || p.polrelid::regclass, r.rolname
		FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class t ON t.oid = p.polrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace,
			unnest(p.polroles) AS u (role) JOIN pg_catalog.pg_roles r ON r.oid = u.role
		WHERE NOT `+serverSchemas+` AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1)) ORDER BY 1, 2`, schemas)
	if err != nil {
		return n, err
	}
	for _, r := range rows {
		n.policies = append(n.policies, need{string(r[0]), string(r[1])})
	}
	if n.path, err = readingPath(ctx, c); err != nil {
		return n, err
	}
	if rows, err = c.query(ctx, "look at the extensions", `SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY 1`); err != nil {
		return n, err
	}
	for _, r := range rows {
		n.extensions = append(n.extensions, string(r[0]))
	}
	for _, q := range []struct {
		doing, sql string
		into       *[]string
	}{
		{"look for what only a superuser may make", superuserObjects(`(cardinality($1::text[]) = 0 OR n.nspname = ANY ($1))`), &n.superuser},
		{"look who holds privileges", `
			SELECT DISTINCT pg_catalog.quote_ident(r.rolname) FROM (
				SELECT relnamespace, relowner, relacl FROM pg_catalog.pg_class UNION ALL SELECT pronamespace, proowner, proacl FROM pg_catalog.pg_proc
				UNION ALL SELECT typnamespace, typowner, typacl FROM pg_catalog.pg_type UNION ALL SELECT oid, nspowner, nspacl FROM pg_catalog.pg_namespace
				UNION ALL SELECT t.relnamespace, t.relowner, a.attacl FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class t ON t.oid = a.attrelid
			) AS o (namespace, owner, acl) JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace, pg_catalog.aclexplode(o.acl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
			WHERE a.grantee <> o.owner AND NOT r.rolsuper AND r.rolname <> current_user AND NOT ` + serverSchemas + ` AND (cardinality($1::text[]) = 0 OR n.nspname = ANY ($1)) ORDER BY 1`, &n.grantees},
		{"look for tables of many partitions", manyPartitions(`(cardinality($1::text[]) = 0 OR n.nspname = ANY ($1))`), &n.attached},
		{"look for security labels", `
			SELECT pg_catalog.quote_ident(l.provider) || ' (' || count(*) || ')' FROM pg_catalog.pg_seclabel l
			WHERE $1::text[] IS NOT NULL GROUP BY l.provider ORDER BY l.provider`, &n.labels},
	} {
		rows, err := c.query(ctx, q.doing, q.sql, schemas)
		if err != nil {
			return n, err
		}
		for _, r := range rows {
			*q.into = append(*q.into, string(r[0]))
		}
	}
	return n, nil
}

// missing tells what the target's server or the role there lacks.
func (t *target) missing(ctx context.Context, c *conn, want needs) (obstacles, notes []string, err error) {
	facts, err := stand(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	say := func(format string, args ...any) { obstacles = append(obstacles, fmt.Sprintf(format, args...)) }
	absent, err := c.absentRoles(ctx, want.policies)
	if err != nil {
		return nil, nil, err
	}
	for _, role := range absent {
		var policies []string
		for _, p := range want.policies {
			if p.needs == role {
				policies = append(policies, p.object)
			}
		}
		say("production's structure names the role %s, which the target's server lacks (%s): CREATE ROLE %s NOLOGIN on that server", quote(role), strings.Join(policies, ", "), quote(role))
	}
	rows, err := c.query(ctx, "look at the extensions that can be had", `
		SELECT e.name, v.name IS NOT NULL, coalesce(v.superuser AND NOT coalesce((to_jsonb(v) ->> 'trusted')::boolean, false), false)
		FROM unnest($1::text[]) AS e (name) LEFT JOIN pg_catalog.pg_available_extensions x ON x.name = e.name
		LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = x.name AND v.version = x.default_version ORDER BY 1`, want.extensions)
	if err != nil {
		return nil, nil, err
	}
	var unavailable, untrusted []string
	for _, r := range rows {
		switch {
		case !isTrue(r[1]):
			unavailable = append(unavailable, quote(string(r[0])))
		case isTrue(r[2]) && !facts.superuser:
			untrusted = append(untrusted, quote(string(r[0])))
		}
	}
	if len(unavailable) > 0 {
		say("production has extensions that are not installed on the target's server: install there %s", strings.Join(unavailable, ", "))
	}
	if len(untrusted) > 0 {
		say("only a superuser may create the extensions %s, which production has: connect as one, or give the target a structure of its own without them", strings.Join(untrusted, ", "))
	}
	if len(want.superuser) > 0 && !facts.superuser {
		say(superuserSay+", or give the target a structure of its own without them", strings.Join(want.superuser, ", "))
	}
	if want.path != "" && want.path != c.path {
		notes = append(notes, fmt.Sprintf("tables of production call functions that may count on its search_path, which is not carried over with its structure: ALTER DATABASE %s SET search_path = %s", quote(facts.database.name), want.path))
	}
	if len(want.attached) > 0 {
		notes = append(notes, fmt.Sprintf(manyPartitionsSay, strings.Join(want.attached, ", ")))
	}
	if len(want.labels) > 0 {
		notes = append(notes, fmt.Sprintf("security labels of production are not carried over with its structure, those of %s: SECURITY LABEL in the target what is wanted there; later refreshes keep it", strings.Join(want.labels, ", ")))
	}
	if len(want.grantees) > 0 {
		notes = append(notes, fmt.Sprintf("privileges that production grants to %s are not carried over with its structure: GRANT in the target what is wanted there; later refreshes keep it", strings.Join(want.grantees, ", ")))
	}
	return obstacles, notes, nil
}

// absentRoles gives the roles needed that the server lacks, each once.
func (c *conn) absentRoles(ctx context.Context, want []need) ([]string, error) {
	names := []string{}
	for _, w := range want {
		names = append(names, w.needs)
	}
	rows, err := c.query(ctx, "look for the roles", `SELECT DISTINCT w.name FROM unnest($1::text[]) AS w (name)
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = w.name) ORDER BY 1`, names)
	var out []string
	for _, r := range rows {
		out = append(out, string(r[0]))
	}
	return out, err
}

// superuserSay begins the sentence about superuserObjects; %s is their names.
const superuserSay = "only a superuser may make %s in a new database: connect as one"

// superuserObjects writes a query for what a database has, outside of
// extensions, that only a superuser may make, in the schemas n that a condition allows.
func superuserObjects(where string) string {
	const own = ` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = %s::regclass AND x.objid = o.oid AND x.deptype IN ('e', 'i'))` // what comes with an extension, or with a type of ranges
	var parts []string
	for _, p := range []struct{ class, name, namespace, condition string }{
		{"pg_proc", "'function ' || o.oid::regprocedure", "pronamespace", "(SELECT NOT g.lanpltrusted AND g.lanname <> 'sql' FROM pg_catalog.pg_language g WHERE g.oid = o.prolang) AND o.prokind <> 'a' AND o.oid >= 16384"},
		{"pg_type", "'base type ' || pg_catalog.format_type(o.oid, NULL)", "typnamespace", "o.typtype = 'b' AND o.typelem = 0 AND o.oid >= 16384"},
		{"pg_opclass", "'operator class ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.opcname)", "opcnamespace", "o.oid >= 16384"},
		{"pg_ts_parser", "'text search parser ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.prsname)", "prsnamespace", "o.oid >= 16384"},
		{"pg_ts_template", "'text search template ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(o.tmplname)", "tmplnamespace", "o.oid >= 16384"},
	} {
		parts = append(parts, "SELECT "+p.name+" FROM pg_catalog."+p.class+" o JOIN pg_catalog.pg_namespace n ON n.oid = o."+p.namespace+
			" WHERE "+p.condition+" AND NOT "+serverSchemas+" AND "+where+fmt.Sprintf(own, "'pg_catalog."+p.class+"'"))
	}
	return strings.Join(parts, " UNION ALL ") + " ORDER BY 1"
}
