package postgres

import (
	"context"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// telling are the server's settings that decide what statements mean or whether
// they work, beyond those that every session of ours pins.
var telling = []string{
	"array_nulls", "backslash_quote", "block_size", "default_table_access_method", "default_text_search_config", "integer_datetimes", "lc_numeric", "lc_time",
	"max_identifier_length", "max_prepared_transactions", "track_commit_timestamp", "transform_null_equals", "wal_level", "xmlbinary",
}

// readSurroundings reads what stands around the objects: the database and its
// settings, the server, versions of collations, and owners. An owner is told only
// where it is not the one of what the object stands in, so that two databases whose
// roles have other names do not differ in every object.
func readSurroundings(ctx context.Context, c *conn, schemas []string) ([]catalog.Fact, error) {
	var out []catalog.Fact
	provider, version := "'c'", "NULL"
	if c.version >= 150000 {
		provider, version = "d.datlocprovider", "d.datcollversion"
	}
	rows, err := c.query(ctx, "read the database", `SELECT pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, `+provider+`, `+version+`,
	pg_catalog.current_setting('server_version_num')::int / 10000, `+accessList("d.datacl", "d", "d.datdba")+`,
	pg_catalog.shobj_description(d.oid, 'pg_database')
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	r := rows[0]
	database := catalog.Fact{Kind: "database", Object: "database"}
	part(&database.Parts, "encoding", string(r[0]))
	part(&database.Parts, "locale", string(r[1])+" "+string(r[2])+" "+string(r[3]))
	server := catalog.Fact{Kind: "server", Object: "server"}
	part(&server.Parts, "version", string(r[5]))
	out = append(out, database, server)
	// What everybody may do with a database by itself is no grant (manual, GRANT, "Default Access Privileges").
	if given := string(r[6]); given != "CONNECT TO PUBLIC, TEMPORARY TO PUBLIC" {
		out = append(out, catalog.Fact{Kind: "grant on a database", Object: "database", Definition: given})
	}
	words := string(r[7])
	if m, ours := readMark(words); ours { // of a copy, or of a generation that is kept
		words = m.Comment
	}
	if words != "" {
		out = append(out, catalog.Fact{Kind: "comment", Object: "database", Definition: words})
	}
	if r[4] != nil {
		out = append(out, catalog.Fact{Kind: "collation version", Object: "database", Definition: string(r[4])})
	}
	for _, read := range []struct {
		kind, doing, sql string
		args             []any
	}{
		{"setting", "read the server's settings", `SELECT NULL, s.name, coalesce(s.reset_val, s.setting) FROM pg_catalog.pg_settings s WHERE s.name = ANY ($1::text[]) ORDER BY 2`, []any{telling}},
		// A setting of somebody's own may be a secret: that it is there is told, not its value.
		{"setting", "read the database's settings", `SELECT NULL, 'database ' || pg_catalog.split_part(x.o, '=', 1), CASE WHEN pg_catalog.strpos(pg_catalog.split_part(x.o, '=', 1), '.') > 0 THEN 'set' ELSE pg_catalog.substr(x.o, pg_catalog.strpos(x.o, '=') + 1) END
FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) x (o)
WHERE s.setrole = 0 AND NOT pg_catalog.split_part(x.o, '=', 1) = ANY ($1::text[]) AND s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) ORDER BY 2`, []any{telling}},
		{"setting", "read the settings of roles in the database", `SELECT NULL, 'role ' || pg_catalog.quote_ident(r.rolname) || ' ' || pg_catalog.split_part(x.o, '=', 1), CASE WHEN pg_catalog.strpos(pg_catalog.split_part(x.o, '=', 1), '.') > 0 THEN 'set' ELSE pg_catalog.substr(x.o, pg_catalog.strpos(x.o, '=') + 1) END
FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) x (o)
WHERE s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) ORDER BY 2`, nil},
		{"owner", "read the owners of what stands in no schema", `SELECT NULL, x.kind || ' ' || pg_catalog.quote_ident(x.name), x.owner::regrole::text, upper(x.kind) || ' ' || pg_catalog.quote_ident(x.name), d.datdba::regrole::text FROM (
	SELECT 'foreign server', s.srvname, s.srvowner, 'pg_catalog.pg_foreign_server'::regclass::oid, s.oid FROM pg_catalog.pg_foreign_server s
	UNION ALL SELECT 'foreign data wrapper', w.fdwname, w.fdwowner, 'pg_catalog.pg_foreign_data_wrapper'::regclass, w.oid FROM pg_catalog.pg_foreign_data_wrapper w
	UNION ALL SELECT 'publication', p.pubname, p.pubowner, 'pg_catalog.pg_publication'::regclass, p.oid FROM pg_catalog.pg_publication p
	UNION ALL SELECT 'event trigger', t.evtname, t.evtowner, 'pg_catalog.pg_event_trigger'::regclass, t.oid FROM pg_catalog.pg_event_trigger t
) AS x (kind, name, owner, class, oid) JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
WHERE x.owner <> d.datdba AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = x.class AND e.objid = x.oid AND e.objsubid = 0 AND e.deptype = 'e') ORDER BY 2`, nil},
		{"owner", "read the owners of schemas", `SELECT n.nspname, n.nspname, n.nspowner::regrole::text, 'SCHEMA ' || pg_catalog.quote_ident(n.nspname), d.datdba::regrole::text FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'understudy', 'understudy_next') AND ($1::text[] = '{}' OR n.nspname = ANY ($1::text[]))
AND n.nspowner <> d.datdba AND n.nspowner::regrole::text <> 'pg_database_owner' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e') ORDER BY 1`, []any{nonNil(schemas)}},
		{"owner", "read owners", `SELECT o.nsp, o.name, o.owner::regrole::text, x.what, CASE WHEN n.nspowner::regrole::text = 'pg_database_owner' THEN d.datdba ELSE n.nspowner END::regrole::text FROM (
	SELECT c.relnamespace, c.relname || '', c.relowner, 'pg_catalog.pg_class'::regclass::oid, c.oid, CASE c.relkind WHEN 'v' THEN 'VIEW ' WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'f' THEN 'FOREIGN TABLE ' WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
	UNION ALL SELECT p.pronamespace, p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', p.proowner, 'pg_catalog.pg_proc'::regclass, p.oid, 'ROUTINE ' || p.oid::regprocedure FROM pg_catalog.pg_proc p
	UNION ALL SELECT l.collnamespace, 'collation ' || l.collname, l.collowner, 'pg_catalog.pg_collation'::regclass, l.oid, (SELECT format('COLLATION %I.%I', y.nspname, l.collname) FROM pg_catalog.pg_namespace y WHERE y.oid = l.collnamespace) FROM pg_catalog.pg_collation l
	UNION ALL SELECT s.stxnamespace, 'statistics ' || s.stxname, s.stxowner, 'pg_catalog.pg_statistic_ext'::regclass, s.oid, (SELECT format('STATISTICS %I.%I', y.nspname, s.stxname) FROM pg_catalog.pg_namespace y WHERE y.oid = s.stxnamespace) FROM pg_catalog.pg_statistic_ext s
	UNION ALL SELECT t.typnamespace, t.typname || '', t.typowner, 'pg_catalog.pg_type'::regclass, t.oid, 'TYPE ' || t.oid::regtype FROM pg_catalog.pg_type t WHERE t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')
) AS x (nspoid, name, owner, class, oid, what) JOIN pg_catalog.pg_namespace n ON n.oid = x.nspoid JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
CROSS JOIN LATERAL (SELECT n.nspname, x.name, x.owner) AS o (nsp, name, owner)
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'understudy', 'understudy_next') AND ($1::text[] = '{}' OR n.nspname = ANY ($1::text[]))
AND x.owner <> CASE WHEN n.nspowner::regrole::text = 'pg_database_owner' THEN d.datdba ELSE n.nspowner END
AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = x.class AND e.objid = x.oid AND e.objsubid = 0
	AND (e.deptype IN ('e', 'i') OR e.deptype = 'a' AND EXISTS (SELECT FROM pg_catalog.pg_class q WHERE q.oid = x.oid AND q.relkind = 'S'))) ORDER BY 1, 2`, []any{nonNil(schemas)}},
	} {
		rows, err := c.query(ctx, read.doing, read.sql, read.args...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			f := catalog.Fact{Kind: read.kind, Object: string(r[1]), Definition: string(r[2])}
			if read.kind == "owner" { // told where it is not the usual one
				f.Usual = string(r[4])
				alter := "ALTER " + string(r[3]) + " OWNER TO "
				f.Alter, f.Drop = alter+f.Definition, alter+f.Usual
			}
			if r[0] != nil {
				f.Object = schema.Name{Schema: string(r[0]), Table: string(r[1])}.String()
				if name, arguments, ok := strings.Cut(string(r[1]), "("); ok { // a function
					f.Object = schema.Name{Schema: string(r[0]), Table: name}.String() + "(" + arguments
				}
			}
			out = append(out, f)
		}
	}
	return out, nil
}
