package postgres

import (
	"maps"

	"understudy/internal/catalog"
)

// A closing holds the statements that make an object, take it away, or make one
// that is there as it should be (see catalog.Fact), as SQL expressions over the
// columns of an objectKind's query.
type closing struct{ create, drop, alter, clear, shape string }

// closings gives the statements of each kind; kinds that are left out are closed
// by hand, or by their definition where that is a statement.
func closings() map[string]closing {
	const (
		full  = `format('%I.%I', x.nsp, x.name)`
		table = `format('%I.%I', x.tnsp, x.tname)`
		of    = ` WHERE o.oid = x.oid)`
	)
	constraints := func(each string) string {
		return `(SELECT string_agg(` + each + `, '; ' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = x.oid AND k.contype = 'c')`
	}
	sequence := `(SELECT format('CREATE SEQUENCE %s AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s CACHE %s%s', ` + full + `, pg_catalog.format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
	CASE WHEN s.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END) FROM pg_catalog.pg_sequence s WHERE s.seqrelid = x.oid)`
	owned := `coalesce((SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', ` + full + `, d.refobjid::regclass, a.attname) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
	WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = x.oid AND d.deptype = 'a' AND d.refobjsubid > 0 LIMIT 1), format('ALTER SEQUENCE %s OWNED BY NONE', ` + full + `))`
	defaults := func(set string) string {
		return `(SELECT string_agg(format('ALTER VIEW %s ALTER %I ` + set + `', ` + full + `, a.attname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)), '; ' ORDER BY a.attnum)
	FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = x.oid)`
	}
	options := `' WITH (' || array_to_string(o.reloptions, ', ') || ')'`
	view := `(SELECT concat_ws('; ', format('CREATE OR REPLACE VIEW %s%s AS %s', ` + full + `, ` + options + `, rtrim(pg_catalog.pg_get_viewdef(o.oid), ';')), ` + defaults("SET DEFAULT %s") + `) FROM pg_catalog.pg_class o` + of
	columns := `(SELECT string_agg(format('%I %s %s;', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT l.collname FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation)), '' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND a.attnum > 0)`
	routine := func(kind string) closing {
		return closing{create: "x.def", drop: `format('DROP ` + kind + ` %s', x.oid::regprocedure)`, alter: "x.def",
			shape: `(SELECT format('%s %s %s %s;', pg_catalog.pg_get_function_result(o.oid), o.prokind, o.proargnames, o.pronargdefaults) FROM pg_catalog.pg_proc o` + of}
	}
	enabled := func(state, thing string) string {
		return `(SELECT CASE o.` + state + ` WHEN 'D' THEN format('; ALTER TABLE %s DISABLE ` + thing + ` %I', ` + table + `, x.name) WHEN 'R' THEN format('; ALTER TABLE %s ENABLE REPLICA ` + thing + ` %I', ` + table + `, x.name)
	WHEN 'A' THEN format('; ALTER TABLE %s ENABLE ALWAYS ` + thing + ` %I', ` + table + `, x.name) ELSE '' END FROM `
	}
	// Each constraint has triggers of its own on both tables, with names of the server's making.
	enforce := func(how string) string {
		return `format('DO %L', format('DECLARE r record; BEGIN FOR r IN SELECT t.tgname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
	WHERE t.tgisinternal AND t.tgrelid = %L::pg_catalog.regclass AND pg_catalog.quote_ident(k.conname) = %L LOOP EXECUTE %L || pg_catalog.quote_ident(r.tgname); END LOOP; END',
	` + full + `, substr(x.tail, 2), format('ALTER TABLE %s %s TRIGGER ', ` + full + `, ` + how + `)))`
	}
	enforced := enforce(`CASE x.def WHEN 'not enforced' THEN 'DISABLE' WHEN 'enforced on replicas alone' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END`)
	grants := func(on, catalog, acl, letter, owner, usual, giveColumns, takeColumns string) closing {
		from := ` FROM pg_catalog.` + catalog + ` o, LATERAL pg_catalog.aclexplode(coalesce(o.` + acl + `, pg_catalog.acldefault('` + letter + `', o.` + owner + `))) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee WHERE o.oid = x.oid AND g.grantee <> o.` + owner + `)`
		who := `coalesce(quote_ident(r.rolname), 'PUBLIC')`
		give := `(SELECT string_agg(format('GRANT %s ON %s TO %s%s', g.privilege_type, ` + on + `, ` + who + `, CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), '; ' ORDER BY g.privilege_type, r.rolname)` + from
		take := `(SELECT string_agg(DISTINCT format('REVOKE ALL ON %s FROM %s', ` + on + `, ` + who + `), '; ')` + from
		none := `format('REVOKE ALL ON %s FROM PUBLIC', ` + on + `)`
		give, take = `concat_ws('; ', `+none+`, `+give+giveColumns+`)`, `concat_ws('; ', `+none+`, `+take+takeColumns+`)`
		drop := take
		if usual != "" {
			drop = `concat_ws('; ', ` + take + `, format('GRANT ` + usual + ` ON %s TO PUBLIC', ` + on + `))`
		}
		return closing{create: give, drop: drop, alter: give, clear: take}
	}
	ofColumns := func(each string) string {
		return `, (SELECT string_agg(DISTINCT ` + each + `, '; ') FROM pg_catalog.pg_attribute a, LATERAL pg_catalog.aclexplode(a.attacl) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee WHERE a.attrelid = x.oid AND NOT a.attisdropped)`
	}
	giveColumns := ofColumns(`format('GRANT %s (%I) ON %s TO %s%s', g.privilege_type, a.attname, ` + full + `, coalesce(quote_ident(r.rolname), 'PUBLIC'), CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)`)
	takeColumns := ofColumns(`format('REVOKE ALL ON %s FROM %s', ` + full + `, coalesce(quote_ident(r.rolname), 'PUBLIC'))`)
	// What a comment is on, as the server identifies it, in the words of COMMENT ON.
	const subject = `regexp_replace(regexp_replace(regexp_replace(x.name, '^statistics object ', 'statistics '), '^(view|materialized view|composite type) column ', 'column '), '^domain constraint (.*) on (.*)$', 'constraint \1 ON DOMAIN \2')`
	const on = `'COMMENT ON ' || upper(split_part(` + subject + `, ' ', 1)) || substr(` + subject + `, length(split_part(` + subject + `, ' ', 1)) + 1)`
	// A partition's own state of a trigger that it has of the table it is a part of.
	const cloned = `x.def LIKE '` + catalog.AsParted + `%'`
	fires := func(state string) string {
		return `format('ALTER TABLE %s %s TRIGGER %I', ` + table + `, CASE ` + state + ` WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END, x.name)`
	}
	all := map[string]closing{
		"schema": {create: `format('CREATE SCHEMA %I', x.name)`, drop: `format('DROP SCHEMA %I', x.name)`},
		"extension": {create: `(SELECT format('CREATE EXTENSION %I SCHEMA %I', e.extname, n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = x.name)`,
			drop:  `format('DROP EXTENSION %I', x.name)`,
			alter: `(SELECT format('ALTER EXTENSION %I SET SCHEMA %I; ALTER EXTENSION %I UPDATE TO %L', e.extname, n.nspname, e.extname, e.extversion) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = x.name)`},
		"view":              {create: view, drop: `format('DROP VIEW %s', ` + full + `)`, alter: view, clear: defaults("DROP DEFAULT"), shape: columns},
		"materialized view": {create: `(SELECT format('CREATE MATERIALIZED VIEW %s%s AS %s%s', ` + full + `, ` + options + `, rtrim(pg_catalog.pg_get_viewdef(x.oid), ';'), CASE WHEN NOT o.relispopulated THEN ' WITH NO DATA' END) FROM pg_catalog.pg_class o` + of, drop: `format('DROP MATERIALIZED VIEW %s', ` + full + `)`},
		"function":          routine("FUNCTION"), "procedure": routine("PROCEDURE"),
		"disabled foreign key": {create: enforced, alter: enforced, drop: enforce(`'ENABLE'`)},
		"trigger": {create: `CASE WHEN ` + cloned + ` THEN ` + fires("right(x.def, 1)") + ` ELSE pg_catalog.pg_get_triggerdef(x.oid) || ` + enabled("tgenabled", "TRIGGER") + `pg_catalog.pg_trigger o` + of + ` END`,
			drop:  `CASE WHEN ` + cloned + ` THEN (SELECT ` + fires("u.tgenabled") + ` FROM pg_catalog.pg_trigger o JOIN pg_catalog.pg_trigger u ON u.oid = (to_jsonb(o) ->> 'tgparentid')::oid` + of + ` ELSE format('DROP TRIGGER %I ON %s', x.name, ` + table + `) END`,
			alter: `CASE WHEN ` + cloned + ` THEN ` + fires("right(x.def, 1)") + ` END`},
		"rule": {create: `rtrim(pg_catalog.pg_get_ruledef(x.oid), ';') || ` + enabled("ev_enabled", "RULE") + `pg_catalog.pg_rewrite o` + of, drop: `format('DROP RULE %I ON %s', x.name, ` + table + `)`},
		"policy": {create: `(SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', x.name, ` + table + `, CASE WHEN o.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
	CASE o.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
	(SELECT string_agg(coalesce(quote_ident(r.rolname), 'PUBLIC'), ', ') FROM unnest(o.polroles) y LEFT JOIN pg_catalog.pg_roles r ON r.oid = y),
	' USING (' || pg_catalog.pg_get_expr(o.polqual, o.polrelid) || ')', ' WITH CHECK (' || pg_catalog.pg_get_expr(o.polwithcheck, o.polrelid) || ')') FROM pg_catalog.pg_policy o` + of,
			drop: `format('DROP POLICY %I ON %s', x.name, ` + table + `)`},
		"row security": {create: `format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY%s', ` + full + `, CASE x.def WHEN 'forced' THEN ', FORCE ROW LEVEL SECURITY' END)`,
			drop:  `format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', ` + full + `)`,
			alter: `format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, %s FORCE ROW LEVEL SECURITY', ` + full + `, CASE x.def WHEN 'forced' THEN '' ELSE 'NO' END)`},
		"inheritance": {create: `(SELECT string_agg(format('ALTER TABLE %s INHERIT %s', ` + full + `, i.inhparent::regclass), '; ' ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = x.oid)`,
			drop: `(SELECT string_agg(format('ALTER TABLE %s NO INHERIT %s', ` + full + `, i.inhparent::regclass), '; ') FROM pg_catalog.pg_inherits i WHERE i.inhrelid = x.oid)`},
		"sequence": {create: sequence, drop: `format('DROP SEQUENCE %s', ` + full + `)`, alter: owned},
		"domain": {create: `(SELECT format('CREATE DOMAIN %s AS %s%s%s%s%s', ` + full + `, pg_catalog.format_type(o.typbasetype, o.typtypmod), (SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = o.typcollation AND l.collname <> 'default'), ' DEFAULT ' || pg_catalog.pg_get_expr(o.typdefaultbin, 0), CASE WHEN o.typnotnull THEN ' NOT NULL' END, ' ' || ` +
			constraints(`format('CONSTRAINT %I %s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))`) + `) FROM pg_catalog.pg_type o` + of,
			drop: `format('DROP DOMAIN %s', ` + full + `)`,
			// One without anything of its own is told by a statement as well, of what clear took away.
			alter: `(SELECT coalesce(nullif(concat_ws('; ', 'ALTER DOMAIN ' || ` + full + ` || ' SET DEFAULT ' || pg_catalog.pg_get_expr(o.typdefaultbin, 0), CASE WHEN o.typnotnull THEN 'ALTER DOMAIN ' || ` + full + ` || ' SET NOT NULL' END, ` +
				constraints(`format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', `+full+`, k.conname, pg_catalog.pg_get_constraintdef(k.oid))`) + `), ''), 'ALTER DOMAIN ' || ` + full + ` || ' DROP DEFAULT') FROM pg_catalog.pg_type o` + of,
			shape: `(SELECT format('%s %s;', pg_catalog.format_type(o.typbasetype, o.typtypmod), o.typcollation) FROM pg_catalog.pg_type o` + of,
			clear: `concat_ws('; ', format('ALTER DOMAIN %s DROP DEFAULT; ALTER DOMAIN %s DROP NOT NULL', ` + full + `, ` + full + `), ` + constraints(`format('ALTER DOMAIN %s DROP CONSTRAINT %I', `+full+`, k.conname)`) + `)`},
		"composite type":                  {create: `format('CREATE TYPE %s AS (%s)', ` + full + `, translate(x.def, E'\x1e\x1f', ' ,'))`, drop: `format('DROP TYPE %s', ` + full + `)`},
		"range type":                      {create: `(SELECT format('CREATE TYPE %s AS RANGE (SUBTYPE = %s%s)', ` + full + `, pg_catalog.format_type(r.rngsubtype, NULL), CASE WHEN r.rngsubdiff <> 0 THEN format(', SUBTYPE_DIFF = %s', r.rngsubdiff::regproc) END) FROM pg_catalog.pg_range r WHERE r.rngtypid = x.oid)`, drop: `format('DROP TYPE %s', ` + full + `)`},
		"statistics object":               {create: `(SELECT concat_ws('; ', pg_catalog.pg_get_statisticsobjdef(o.oid), 'ALTER STATISTICS ' || ` + full + ` || ' SET STATISTICS ' || (SELECT t FROM (SELECT to_jsonb(o) ->> 'stxstattarget') y (t) WHERE t::int >= 0)) FROM pg_catalog.pg_statistic_ext o` + of, drop: `format('DROP STATISTICS IF EXISTS %s', ` + full + `)`},
		"publication":                     {drop: `format('DROP PUBLICATION %I', x.name)`},
		"comment":                         {create: on + ` || format(' IS %L', x.def)`, drop: on + ` || ' IS NULL'`, alter: on + ` || format(' IS %L', x.def)`},
		"grant":                           grants(full, "pg_class", "relacl", "r", "relowner", "", giveColumns, takeColumns),
		"grant on a sequence":             grants(`format('SEQUENCE %I.%I', x.nsp, x.name)`, "pg_class", "relacl", "s", "relowner", "", "", ""),
		"grant on a schema":               grants(`format('SCHEMA %I', x.name)`, "pg_namespace", "nspacl", "n", "nspowner", "", "", ""),
		"grant on a function":             grants(`format('ROUTINE %s', x.oid::regprocedure)`, "pg_proc", "proacl", "f", "proowner", "EXECUTE", "", ""),
		"grant on a type":                 grants(`format('TYPE %I.%I', x.nsp, x.name)`, "pg_type", "typacl", "T", "typowner", "USAGE", "", ""),
		"grant on a language":             grants(`format('LANGUAGE %I', x.name)`, "pg_language", "lanacl", "l", "lanowner", "USAGE", "", ""),
		"grant on a foreign data wrapper": grants(`format('FOREIGN DATA WRAPPER %I', x.name)`, "pg_foreign_data_wrapper", "fdwacl", "F", "fdwowner", "", "", ""),
		"grant on a foreign server":       grants(`format('FOREIGN SERVER %I', x.name)`, "pg_foreign_server", "srvacl", "S", "srvowner", "", "", ""),
	}
	// Those of a schema are added to those of the database, which stand in place of the usual ones.
	const objects, usually = `CASE o.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'L' THEN 'LARGE OBJECTS' ELSE 'SCHEMAS' END`, `CASE o.defaclobjtype WHEN 'f' THEN 'EXECUTE' WHEN 'T' THEN 'USAGE' END`
	defaulted := func(first, each, last string) string {
		by := `format('ALTER DEFAULT PRIVILEGES FOR ROLE %s%s ', o.defaclrole::regrole, (SELECT format(' IN SCHEMA %I', n.nspname) FROM pg_catalog.pg_namespace n WHERE n.oid = o.defaclnamespace))`
		return `(SELECT concat_ws('; ', CASE WHEN o.defaclnamespace = 0 THEN ` + by + ` || ` + first + ` END, (SELECT string_agg(DISTINCT ` + by + ` || ` + each + `, '; ')
	FROM pg_catalog.aclexplode(o.defaclacl) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee WHERE g.grantee <> o.defaclrole), CASE WHEN o.defaclnamespace = 0 THEN ` + by + ` || ` + last + ` END) FROM pg_catalog.pg_default_acl o` + of
	}
	none := `format('REVOKE ALL ON %s FROM PUBLIC', ` + objects + `)`
	give := `format('GRANT %s ON %s TO %s%s', g.privilege_type, ` + objects + `, coalesce(quote_ident(r.rolname), 'PUBLIC'), CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)`
	take := `format('REVOKE ALL ON %s FROM %s', ` + objects + `, coalesce(quote_ident(r.rolname), 'PUBLIC'))`
	all["default privilege"] = closing{create: defaulted(none, give, "NULL"), alter: defaulted(none, give, "NULL"), clear: defaulted("NULL", take, "NULL"),
		drop: defaulted("NULL", take, `('GRANT ' || `+usually+` || ' ON ' || `+objects+` || ' TO PUBLIC')`)}
	maps.Copy(all, rareClosings())
	return all
}
