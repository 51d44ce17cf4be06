package postgres

import (
	"context"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// readDepends lists what the server lets nobody take away, or change, from under what:
// pg_depend, with both ends named as facts are (objects of the server's own have numbers
// below 16384, see its transam.h). What goes with an object by itself, as
// a sequence with the column that owns it, is left out.
func readDepends(ctx context.Context, c *conn) ([]catalog.Dependency, error) {
	const relation = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE CASE WHEN c.relispartition THEN 'partition' ELSE 'table' END END`
	const constraint = `CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' WHEN 'x' THEN 'exclusion' WHEN 'u' THEN 'unique' WHEN 'p' THEN 'primary key' END`
	rows, err := c.query(ctx, "read what depends on what", `
WITH named (class, id, sub, kind, nsp, name, part, tail) AS MATERIALIZED (
	SELECT 'pg_catalog.pg_class'::regclass::oid, c.oid, 0, `+relation+`, c.relnamespace, c.relname, NULL::name, NULL FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_class'::regclass, c.oid, a.attnum, CASE WHEN c.relkind IN ('r', 'p', 'f') THEN 'column' ELSE `+relation+` END, c.relnamespace, c.relname, CASE WHEN c.relkind IN ('r', 'p', 'f') THEN a.attname END, NULL
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND c.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid, 0, coalesce(`+constraint+`, 'index'), c.relnamespace, c.relname, coalesce(k.conname, x.relname), NULL
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = x.oid AND k.contype IN ('p', 'u', 'x') WHERE c.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid, 0, 'column', c.relnamespace, c.relname, a.attname, NULL
		FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.adnum WHERE c.relkind IN ('r', 'p', 'f')
	UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid, 0, 'view', c.relnamespace, c.relname, NULL, NULL FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_class c ON c.oid = d.adrelid WHERE c.relkind = 'v'
	UNION ALL SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid, 0, CASE WHEN r.rulename = '_RETURN' THEN `+relation+` ELSE 'rule' END, c.relnamespace, c.relname, CASE WHEN r.rulename <> '_RETURN' THEN r.rulename END, NULL
		FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class WHERE r.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, p.oid, 0, 'policy', c.relnamespace, c.relname, p.polname, NULL FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
	UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, t.oid, 0, 'trigger', c.relnamespace, c.relname, t.tgname, NULL FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
	UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, 0, `+constraint+`, c.relnamespace, c.relname, k.conname, NULL
		FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid WHERE k.contype IN ('c', 'f', 'x', 'u', 'p')
	UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, k.oid, 0, 'domain', t.typnamespace, t.typname, NULL, NULL FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type t ON t.oid = k.contypid WHERE t.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, p.pronamespace, p.proname, NULL, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, CASE coalesce(e.typtype, t.typtype) WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range type' WHEN 'c' THEN CASE WHEN c.relkind = 'c' THEN 'composite type' ELSE `+relation+` END ELSE 'base type' END,
		coalesce(e.typnamespace, t.typnamespace), coalesce(e.typname, t.typname), NULL, NULL
		FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' LEFT JOIN pg_catalog.pg_class c ON c.oid = coalesce(e.typrelid, t.typrelid) WHERE t.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_collation'::regclass, l.oid, 0, 'collation', l.collnamespace, l.collname, NULL, NULL FROM pg_catalog.pg_collation l WHERE l.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_operator'::regclass, o.oid, 0, 'operator', o.oprnamespace, o.oprname, NULL, format('(%s, %s)', o.oprleft::regtype, o.oprright::regtype) FROM pg_catalog.pg_operator o WHERE o.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_opclass'::regclass, o.oid, 0, 'operator class', o.opcnamespace, o.opcname, NULL, ' using ' || m.amname FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod WHERE o.oid >= 16384
	UNION ALL SELECT x.class, x.id, 0, 'operator family', f.opfnamespace, f.opfname, NULL, ' using ' || m.amname FROM (SELECT 'pg_catalog.pg_opfamily'::regclass::oid, f.oid, f.oid FROM pg_catalog.pg_opfamily f
		UNION ALL SELECT 'pg_catalog.pg_amop'::regclass, o.oid, o.amopfamily FROM pg_catalog.pg_amop o UNION ALL SELECT 'pg_catalog.pg_amproc'::regclass, o.oid, o.amprocfamily FROM pg_catalog.pg_amproc o) x (class, id, family)
		JOIN pg_catalog.pg_opfamily f ON f.oid = x.family JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod WHERE x.id >= 16384
	UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, 0, 'statistics object', s.stxnamespace, s.stxname, NULL, NULL FROM pg_catalog.pg_statistic_ext s
	UNION ALL SELECT 'pg_catalog.pg_cast'::regclass, k.oid, 0, 'cast', NULL, format('%s as %s', k.castsource::regtype, k.casttarget::regtype), NULL, NULL FROM pg_catalog.pg_cast k WHERE k.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_language'::regclass, l.oid, 0, 'language', NULL, l.lanname, NULL, NULL FROM pg_catalog.pg_language l WHERE l.oid >= 16384
	UNION ALL SELECT 'pg_catalog.pg_foreign_server'::regclass, s.oid, 0, 'foreign server', NULL, s.srvname, NULL, NULL FROM pg_catalog.pg_foreign_server s
	UNION ALL SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, w.oid, 0, 'foreign data wrapper', NULL, w.fdwname, NULL, NULL FROM pg_catalog.pg_foreign_data_wrapper w
	UNION ALL SELECT 'pg_catalog.pg_publication_rel'::regclass, r.oid, 0, 'publication', NULL, p.pubname, NULL, NULL FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
	UNION ALL SELECT m.classid, m.objid, 0, 'extension', NULL, e.extname, NULL, NULL FROM pg_catalog.pg_depend m JOIN pg_catalog.pg_extension e ON e.oid = m.refobjid WHERE m.refclassid = 'pg_catalog.pg_extension'::regclass AND m.deptype = 'e')
SELECT DISTINCT a.kind, (SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = a.nsp), a.name, a.part, a.tail, b.kind, (SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = b.nsp), b.name, b.part, b.tail
FROM pg_catalog.pg_depend d JOIN named a ON a.class = d.classid AND a.id = d.objid AND a.sub = d.objsubid JOIN named b ON b.class = d.refclassid AND b.id = d.refobjid AND b.sub = d.refobjsubid
WHERE d.deptype IN ('n', 'a') AND a.kind NOT IN ('sequence', 'extension') AND (a.nsp IS NULL OR a.nsp NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema'))
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10`)
	if err != nil {
		return nil, err
	}
	ref := func(cells [][]byte) catalog.Ref {
		out := catalog.Ref{Kind: string(cells[0]), Object: schema.Name{Schema: string(cells[1]), Table: string(cells[2])}.String()}
		if cells[3] != nil && out.Kind != "primary key" { // which is told by its table
			out.Object += "." + schema.Ident(string(cells[3]))
		}
		out.Object += string(cells[4])
		return out
	}
	out := make([]catalog.Dependency, len(rows))
	for i, row := range rows {
		out[i] = catalog.Dependency{Of: ref(row[:5]), On: ref(row[5:])}
	}
	return out, nil
}
