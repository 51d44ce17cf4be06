package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// watched lists what a switch takes over from the target besides tables' columns
// and keys, each as a query of a word for every object that there is. The version of
// its row in the catalog tells an object's changes; where that changes by the
// server's own work too, what matters is spelt out. Objects of the server itself
// have numbers below 16384.
func watched() map[string]string {
	ofTable := func(catalog, alias, relation, oid string) string {
		return `SELECT ` + oid + ` || ' ' || ` + alias + `.xmin FROM pg_catalog.` + catalog + ` ` + alias + ` JOIN pg_catalog.pg_class t ON t.oid = ` + alias + `.` + relation +
			` JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE NOT ` + serverSchemas
	}
	plain := func(catalogs ...string) string {
		var out []string
		for _, c := range catalogs {
			out = append(out, `SELECT '`+c+` ' || oid || ' ' || xmin FROM pg_catalog.`+c+` WHERE oid >= 16384`)
		}
		return strings.Join(out, " UNION ALL ")
	}
	return map[string]string{
		"functions": plain("pg_proc"),
		"tables, views or sequences, their owners, privileges or options": `SELECT t.oid || ' ' || t.relname || ' ' || t.relkind::text || ' ' || t.relowner || ' ' || coalesce(t.relacl::text, '') || ' ' || coalesce(t.reloptions::text, '') || t.relpersistence::text || t.relrowsecurity::text || t.relforcerowsecurity::text || t.relreplident::text || n.nspname
			FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace WHERE NOT ` + serverSchemas,
		"columns":               ofTable("pg_attribute", "a", "attrelid", "a.attrelid || ' ' || a.attnum"),
		"defaults":              ofTable("pg_attrdef", "d", "adrelid", "d.oid"),
		"constraints":           ofTable("pg_constraint", "o", "conrelid", "o.oid") + " UNION ALL SELECT oid || ' ' || xmin FROM pg_catalog.pg_constraint WHERE contypid <> 0 AND oid >= 16384",
		"indexes":               ofTable("pg_index", "i", "indrelid", "i.indexrelid"),
		"triggers":              ofTable("pg_trigger", "g", "tgrelid", "g.oid") + " AND NOT g.tgisinternal",
		"views or rules":        ofTable("pg_rewrite", "r", "ev_class", "r.oid"),
		"row security policies": ofTable("pg_policy", "p", "polrelid", "p.oid"),
		"sequences":             ofTable("pg_sequence", "s", "seqrelid", "s.seqrelid"),
		"types":                 `SELECT y.oid || ' ' || y.xmin FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace WHERE NOT ` + serverSchemas + ` UNION ALL ` + plain("pg_enum"),
		"schemas":               `SELECT n.oid || ' ' || n.xmin FROM pg_catalog.pg_namespace n WHERE NOT ` + serverSchemas,
		"comments":              `SELECT d.classoid || ' ' || d.objoid || ' ' || d.objsubid || ' ' || d.xmin FROM pg_catalog.pg_description d LEFT JOIN pg_catalog.pg_namespace n ON d.classoid = 'pg_catalog.pg_namespace'::regclass AND n.oid = d.objoid WHERE d.objoid >= 16384 AND n.nspname IS DISTINCT FROM '` + markSchema + `'`,
		"default privileges":    plain("pg_default_acl"),
		"extensions":            plain("pg_extension"),
		"publications":          plain("pg_publication", "pg_publication_rel"),
		"event triggers":        plain("pg_event_trigger"),
		"extended statistics":   ofTable("pg_statistic_ext", "e", "stxrelid", "e.oid"),
		"operators, casts, collations or text search": plain("pg_operator", "pg_opclass", "pg_opfamily", "pg_cast", "pg_collation", "pg_conversion", "pg_ts_config", "pg_ts_dict"),
		"foreign servers":     plain("pg_foreign_server", "pg_foreign_data_wrapper"),
		"database settings":   `SELECT setrole || ' ' || xmin FROM pg_catalog.pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
		"database privileges": `SELECT coalesce(datacl::text, '') || datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
	}
}

// watch gives a word for each kind of object that there is besides rows.
func watch(ctx context.Context, c *conn) (map[string]string, error) {
	all := watched()
	var parts []string
	kinds := slices.Sorted(maps.Keys(all))
	for _, kind := range kinds {
		parts = append(parts, `SELECT `+literal(kind)+`, pg_catalog.md5(coalesce(pg_catalog.string_agg(w, ',' ORDER BY w COLLATE "C"), '')) FROM (`+all[kind]+`) x (w)`)
	}
	rows, err := c.query(ctx, "look at the target's structure", strings.Join(parts, " UNION ALL "))
	out := map[string]string{}
	for _, r := range rows {
		out[string(r[0])] = string(r[1])
	}
	return out, err
}

// changedKinds lists the kinds of objects of which there are others now.
func changedKinds(before, now map[string]string) []string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(before)) {
		if before[kind] != now[kind] {
			out = append(out, kind)
		}
	}
	return out
}
