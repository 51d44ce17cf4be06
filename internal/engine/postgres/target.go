package postgres

import (
	"context"
	"strings"
	"sync"

	"understudy/internal/engine"
)

// A target is a database that is replaced as a whole: a new one is built beside
// it and takes its name.
type target struct {
	side

	mu     sync.Mutex // guards loads and held
	held   *conn      // holds the target's lock for a load that has not begun
	loads  []*load    // begun and not yet aborted
	pauses pauses
	asText bool // by a test: no row travels in binary
}

var _ engine.Target = (*target)(nil)

// pauses lets a test fail or stop the work at a named place; nil does nothing.
type pauses func(ctx context.Context, place string) error

func (p pauses) at(ctx context.Context, place string) error {
	if p == nil {
		return nil
	}
	return p(ctx, place)
}

// newTarget opens a database to replace. It must exist: its name, owner,
// encoding and privileges are what the next generation gets.
func newTarget(ctx context.Context, at *address, limits engine.Limits) (*target, error) {
	if err := direct(ctx, at, "target"); err != nil {
		return nil, err
	}
	t := &target{side: side{at: at, limits: limits, name: "target"}}
	if err := t.with(ctx, func(*conn) error { return nil }); err != nil {
		return nil, err
	}
	return t, nil
}

// Close ends every session of the target, those of loads too.
func (t *target) Close() error {
	t.mu.Lock()
	loads, held := t.loads, t.held
	t.loads, t.held = nil, nil
	t.mu.Unlock()
	if held != nil {
		held.hangUp()
	}
	for _, l := range loads {
		l.hangUp()
	}
	return t.side.Close()
}

// A standing is what the target's server says about the database and the role.
type standing struct {
	version   int
	database  databaseFacts
	role      string
	superuser bool
	createdb  bool
	owns      bool // the role is, or belongs to, the database's owner
	standby   bool
	// mayGiveAway: every object's owner is the role, or one it belongs to, so
	// that the objects of a new generation can get the same owners.
	mayGiveAway bool
	// defaulting are the roles with default privileges for whom the role may set
	// them, lost those for whom it may not.
	defaulting, lost []string
	others           []string // the owners of whom that is not true
}

// databaseFacts is what CREATE DATABASE needs to make one like it.
type databaseFacts struct {
	oid                      uint32
	name                     string
	owner                    string
	encoding, collate, ctype string
	provider                 string // c: libc, i: icu, b: builtin
	locale, rules            string // of providers other than libc
	tablespace               string
	hasPublic                bool // the schema "public" was not dropped
}

// stand asks the target's server. c is a session on the target.
func stand(ctx context.Context, c *conn) (*standing, error) {
	rows, err := c.query(ctx, "look at the target", `
		SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
			coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''),
			coalesce(to_jsonb(d) ->> 'daticurules', ''), s.spcname,
			EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'public'),
			current_user, r.rolsuper, r.rolcreatedb OR r.rolsuper, r.rolsuper OR pg_catalog.pg_has_role(d.datdba, 'MEMBER'), pg_catalog.pg_is_in_recovery(), d.datname
		FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace, pg_catalog.pg_roles r
		WHERE d.datname = pg_catalog.current_database() AND r.rolname = current_user`)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, &engine.Error{Code: engine.Denied, Doing: "look at the target", Say: "its entry in the server's catalog cannot be seen"}
	}
	r := rows[0]
	s := &standing{version: c.version, role: string(r[10]), superuser: isTrue(r[11]), createdb: isTrue(r[12]), owns: isTrue(r[13]), standby: isTrue(r[14])}
	s.database = databaseFacts{oid: parseUint(r[0]), name: string(r[15]), owner: string(r[1]), encoding: string(r[2]), collate: string(r[3]), ctype: string(r[4]),
		provider: string(r[5]), locale: string(r[6]), rules: string(r[7]), tablespace: string(r[8]), hasPublic: isTrue(r[9])}
	return s, s.lookAtOwners(ctx, c)
}

// lookAtOwners finds the owners to whom the role could not give objects in a new
// database. It must be allowed to act for them, and they must be allowed to make
// such an object there, before any privilege is granted again: in a schema of
// their own, in public where everybody may, or as the database's owner.
func (s *standing) lookAtOwners(ctx context.Context, c *conn) error {
	act := "MEMBER"
	if c.version >= 160000 {
		act = "SET"
	}
	rows, err := c.query(ctx, "look at the owners", `
		SELECT DISTINCT pg_catalog.pg_get_userbyid(o.owner) FROM (
			SELECT relowner, relnamespace, 'pg_catalog.pg_class'::regclass, oid FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
			UNION ALL SELECT proowner, pronamespace, 'pg_catalog.pg_proc'::regclass, oid FROM pg_catalog.pg_proc
			UNION ALL SELECT typowner, typnamespace, 'pg_catalog.pg_type'::regclass, oid FROM pg_catalog.pg_type WHERE typcategory <> 'A'
				AND (typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.oid = typrelid AND r.relkind = 'c'))
			UNION ALL SELECT oprowner, oprnamespace, 'pg_catalog.pg_operator'::regclass, oid FROM pg_catalog.pg_operator
			UNION ALL SELECT collowner, collnamespace, 'pg_catalog.pg_collation'::regclass, oid FROM pg_catalog.pg_collation
			UNION ALL SELECT conowner, connamespace, 'pg_catalog.pg_conversion'::regclass, oid FROM pg_catalog.pg_conversion
			UNION ALL SELECT cfgowner, cfgnamespace, 'pg_catalog.pg_ts_config'::regclass, oid FROM pg_catalog.pg_ts_config
			UNION ALL SELECT dictowner, dictnamespace, 'pg_catalog.pg_ts_dict'::regclass, oid FROM pg_catalog.pg_ts_dict
			UNION ALL SELECT stxowner, stxnamespace, 'pg_catalog.pg_statistic_ext'::regclass, oid FROM pg_catalog.pg_statistic_ext
			UNION ALL SELECT nspowner, 0, 'pg_catalog.pg_namespace'::regclass, oid FROM pg_catalog.pg_namespace n WHERE n.nspname <> 'public' AND NOT `+serverSchemas+`
			UNION ALL SELECT defaclrole, 0, 'pg_catalog.pg_default_acl'::regclass, oid FROM pg_catalog.pg_default_acl
			UNION ALL SELECT pubowner, 0, 'pg_catalog.pg_publication'::regclass, oid FROM pg_catalog.pg_publication
			UNION ALL SELECT srvowner, 0, 'pg_catalog.pg_foreign_server'::regclass, oid FROM pg_catalog.pg_foreign_server
		) AS o (owner, namespace, class, oid) LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace
		JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
		WHERE (n.oid IS NULL OR NOT `+serverSchemas+`) AND pg_catalog.pg_get_userbyid(o.owner) <> current_user
			AND NOT (pg_catalog.pg_has_role(o.owner, 'USAGE') AND pg_catalog.pg_has_role(o.owner, $1) AND CASE
				WHEN n.oid IS NOT NULL THEN pg_catalog.pg_has_role(o.owner, n.nspowner, 'USAGE') OR n.nspname = 'public' AND $2::int < 150000
				WHEN o.class = 'pg_catalog.pg_publication'::regclass THEN pg_catalog.pg_has_role(o.owner, d.datdba, 'USAGE')
				ELSE true END)
			AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = o.class AND x.objid = o.oid AND x.deptype = 'e')
		ORDER BY 1`, act, c.version)
	if err != nil {
		return err
	}
	for _, r := range rows {
		s.others = append(s.others, string(r[0]))
	}
	s.mayGiveAway = s.superuser || len(s.others) == 0
	rows, err = c.query(ctx, "look at the default privileges", `SELECT DISTINCT pg_catalog.pg_get_userbyid(defaclrole), pg_catalog.pg_has_role(defaclrole, 'USAGE') FROM pg_catalog.pg_default_acl ORDER BY 1`)
	for _, r := range rows {
		if role := string(r[0]); isTrue(r[1]) {
			s.defaulting = append(s.defaulting, role)
		} else if !s.mayGiveAway {
			s.lost = append(s.lost, role)
		}
	}
	return err
}

// create writes the statement that makes an empty database like this one.
func (d databaseFacts) create(name string) string {
	var b strings.Builder
	b.WriteString("CREATE DATABASE " + quote(name) + " OWNER " + quote(d.owner) + " TEMPLATE template0 ENCODING " + literal(d.encoding) +
		" LC_COLLATE " + literal(d.collate) + " LC_CTYPE " + literal(d.ctype))
	if d.tablespace != "pg_default" { // naming it asks for a privilege that an owner need not have
		b.WriteString(" TABLESPACE " + quote(d.tablespace))
	}
	switch d.provider {
	case "i":
		b.WriteString(" LOCALE_PROVIDER icu ICU_LOCALE " + literal(d.locale))
		if d.rules != "" {
			b.WriteString(" ICU_RULES " + literal(d.rules))
		}
	case "b":
		b.WriteString(" LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal(d.locale))
	}
	return b.String()
}
