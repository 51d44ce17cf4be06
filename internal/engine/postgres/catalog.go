package postgres

import (
	"cmp"
	"context"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/engine"
	"understudy/internal/schema"
)

// Catalog reads everything that parity compares: tables and what belongs to
// them through atlas.go, all other objects here, one query for each kind.
func (s *side) Catalog(ctx context.Context, schemas []string) (*catalog.Catalog, error) {
	tables, err := atlasStructure(ctx, s.at, session{name: s.name + " parity", readOnly: s.readOnly, limits: s.limits}, schemas)
	if err != nil {
		return nil, err
	}
	var facts []catalog.Fact
	var kinds, unseen, never []string
	var histories []catalog.History
	var depends []catalog.Dependency
	reader := ""
	err = s.with(ctx, func(c *conn) (err error) {
		if reader, err = c.value(ctx, "ask who reads", "SELECT pg_catalog.quote_ident(current_user)"); err != nil {
			return err
		}
		for _, k := range objectKinds(c.version) {
			kinds = append(kinds, k.kind)
			rows, err := c.query(ctx, "read every "+k.kind, k.statement(), schemas)
			if engine.CodeOf(err) == engine.Denied {
				unseen = append(unseen, k.kind+": the role may not read the catalog of it")
				continue
			}
			if err != nil {
				return err
			}
			for _, row := range rows {
				facts = append(facts, k.fact(row))
			}
		}
		more, err := readSurroundings(ctx, c, schemas)
		if err != nil {
			return err
		}
		facts = append(facts, more...)
		if depends, err = readDepends(ctx, c); err != nil {
			return err
		}
		kinds = append(kinds, "database", "server", "setting", "collation version", "owner", "grant on a database")
		for _, t := range catalog.HistoryTables(tables.Facts) {
			h, err := readHistory(ctx, c, t)
			if engine.CodeOf(err) == engine.Denied {
				unseen = append(unseen, "migration history in "+t.Name.String()+": the role may not read it")
				continue
			}
			if err != nil {
				return err
			}
			histories = append(histories, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range facts {
		if f.Kind == "foreign server" || f.Kind == "user mapping" {
			never = append(never, "user mapping: of foreign servers and their users' options most values may be secrets, and are not compared")
			break
		}
	}
	for _, list := range [][]catalog.Fact{tables.Facts, facts} {
		for i := range list {
			respell(&list[i])
		}
	}
	out := catalog.New(tables, facts, kinds, unseen)
	out.Reader, out.Never = reader, never
	out.Histories, out.Depends = histories, depends
	return out, nil
}

// readHistory reads what a migration tool says that it applied.
func readHistory(ctx context.Context, c *conn, t catalog.HistoryTable) (catalog.History, error) {
	var columns []string
	for _, name := range t.Columns {
		columns = append(columns, quote(name)+"::pg_catalog.text")
	}
	rows, err := c.query(ctx, "read the migration history in "+t.Name.String(), "SELECT "+strings.Join(columns, ", ")+" FROM "+quoteName(t.Name))
	if err != nil {
		return catalog.History{}, err
	}
	list := make([][]string, len(rows))
	for i, row := range rows {
		list[i] = make([]string, len(row))
		for j, v := range row {
			list[i][j] = string(v)
		}
	}
	return t.Read(list), nil
}

// An objectKind is a kind of object and the query that lists it: schema (NULL
// for objects of the database), name, what follows the name, the table's schema
// and name if it belongs to one, and its definition.
type objectKind struct {
	kind, sql string
	// class is the catalog of the objects, to leave out an extension's; empty
	// where the query has no x.oid.
	class string
}

// statement wraps the query: only the schemas asked for ($1; empty means all),
// nothing of the server's or understudy's own, nothing that comes with an
// extension or that another object brings with it, as a range its functions.
func (k objectKind) statement() string {
	close := closings()[k.kind]
	expression := func(sql string) string { return cmp.Or(sql, "NULL") }
	sql := "SELECT x.nsp, x.name, x.tail, x.tnsp, x.tname, x.def, " + expression(close.create) + ", " + expression(close.drop) + ", " +
		expression(close.alter) + ", " + expression(close.clear) + ", " + expression(close.shape) + " FROM (" + k.sql + `) AS x (oid, nsp, name, tail, tnsp, tname, def)
WHERE (x.nsp IS NULL OR x.nsp !~ '^pg_' AND x.nsp NOT IN ('information_schema', 'understudy', 'understudy_next') AND ($1::text[] = '{}' OR x.nsp = ANY ($1::text[])))`
	if k.class != "" {
		sql += ` AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.` + k.class + `'::regclass AND e.objid = x.oid AND e.objsubid = 0 AND e.deptype IN ('e', 'i'))` // a partitioned table's key columns depend on it as well
	}
	return sql + " ORDER BY 1, 2, 3"
}

func (k objectKind) fact(row [][]byte) catalog.Fact {
	object := schema.Ident(string(row[1]))
	if row[0] != nil {
		object = schema.Name{Schema: string(row[0]), Table: string(row[1])}.String()
	}
	f := catalog.Fact{Kind: k.kind, Object: object + string(row[2]), Definition: strings.TrimSpace(string(row[5])),
		Create: string(row[6]), Drop: string(row[7]), Alter: string(row[8]), Clear: string(row[9]), Shape: string(row[10])}
	if k.kind == "domain" {
		alter := "ALTER DOMAIN " + sqlName(f.Object) + " "
		for i, text := range strings.Split(f.Definition, "\x1f") {
			switch domainParts[i] {
			case "null":
				part(&f.Parts, "null", text, alter+"SET NOT NULL", alter+"DROP NOT NULL")
			case "default":
				part(&f.Parts, "default", text, alter+"SET DEFAULT "+text, alter+"DROP DEFAULT")
			default:
				part(&f.Parts, domainParts[i], text)
			}
		}
		f.Definition = ""
	}
	if k.kind == "sequence" {
		f.Parts, f.Definition = counts(f), ""
	}
	if k.kind == "publication" {
		published(&f)
	}
	if _, target, ok := strings.Cut(f.Create, "; ALTER STATISTICS "); ok {
		f.Again = "ALTER STATISTICS " + target
	}
	if k.kind == "composite type" {
		f.Parts, f.Definition = attributes(f), ""
	}
	if row[4] != nil {
		f.Table = schema.Name{Schema: string(row[3]), Table: string(row[4])}.String()
		if k.kind == "trigger" || k.kind == "rule" || k.kind == "policy" {
			f.Object = f.Table + "." + schema.Ident(string(row[1]))
		}
	}
	return f
}

// attributes tells a composite type attribute by attribute. A statement is let change one
// that no column has the type of.
func attributes(f catalog.Fact) (out []catalog.Part) {
	alter := "ALTER TYPE " + sqlName(f.Object) + " "
	var order []string
	for text := range strings.SplitSeq(f.Definition, "\x1f") {
		if name, of, ok := strings.Cut(text, "\x1e"); ok { // else it has none
			order = append(order, name)
			part(&out, "attribute "+name, of, alter+"ALTER ATTRIBUTE "+name+" TYPE "+of, alter+"DROP ATTRIBUTE "+name, alter+"ADD ATTRIBUTE "+name+" "+of)
		}
	}
	part(&out, catalog.ColumnOrder, strings.Join(order, "\n"))
	return out
}

// counts tells a sequence piece by piece: within which limits it counts, how, for whom.
func counts(f catalog.Fact) (out []catalog.Part) {
	name := sqlName(f.Object)
	alter := "ALTER SEQUENCE " + name + " "
	texts := append(strings.Split(f.Definition, "\x1f"), "") // most belong to nobody
	is := strings.Fields(texts[0])
	kind, start, least, most := is[0], is[2], is[4], is[6]
	first, last := limitsOf("bigint")
	part(&out, "limits", texts[0], strings.Join([]string{alter + "AS bigint MINVALUE " + first + " MAXVALUE " + last,
		"SELECT pg_catalog.setval(" + literal(name) + ", " + start + ", false) FROM " + name + " WHERE last_value NOT BETWEEN " + least + " AND " + most,
		alter + "AS " + kind + " MINVALUE " + least + " MAXVALUE " + most + " START " + start}, ";\n"), "")
	part(&out, "steps", texts[1], alter+texts[1], "")
	part(&out, "owned by", texts[2], alter+"OWNED BY "+texts[2], alter+"OWNED BY NONE")
	return out
}

// published tells a publication piece by piece, and how it is made.
func published(f *catalog.Fact) {
	name := sqlName(f.Object)
	alter := "ALTER PUBLICATION " + name + " "
	texts := strings.Split(f.Definition, "\x1f")
	f.Definition = ""
	whole, some, does := texts[0], texts[1], strings.TrimPrefix(strings.TrimPrefix(texts[2], "nothing"), ", ")
	part(&f.Parts, "whole", whole)
	part(&f.Parts, "tables", some, alter+"SET "+some, "")
	options := []string{"publish = " + literal(does)}
	part(&f.Parts, "publishes", cmp.Or(does, "nothing"), alter+"SET ("+options[0]+")", "")
	for i, option := range []string{"publish_via_partition_root", "publish_generated_columns"} {
		text, usual := texts[3+i], []string{"false", "none"}[i]
		part(&f.Parts, option, text, alter+"SET ("+option+" = "+text+")", alter+"SET ("+option+" = "+usual+")")
		if text != "" {
			options = append(options, option+" = "+text)
		}
	}
	f.Create = "CREATE PUBLICATION " + name
	if of := cmp.Or(whole, some); of != "" {
		f.Create += " FOR " + of
	}
	f.Create += " WITH (" + strings.Join(options, ", ") + ")"
}

// limitsOf gives those of a type that a sequence counts in. For a while it has these
// where its own change: where it stands may lie within neither the old nor the new.
func limitsOf(kind string) (least, most string) {
	switch kind {
	case "smallint":
		return "-32768", "32767"
	case "integer":
		return "-2147483648", "2147483647"
	}
	return "-9223372036854775808", "9223372036854775807"
}

// domainParts are what the query of domains gives, a unit separator between two.
var domainParts = [5]string{"type", "null", "default", "collation", "checks"}

// accessList writes an access list without the owner, whose name may differ and who
// has every right, in a fixed order.
func accessList(acl, letter, owner string) string {
	return `(SELECT string_agg(format('%s TO %s%s', g.privilege_type, coalesce(quote_ident(r.rolname), 'PUBLIC'), CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), ', '
	ORDER BY g.privilege_type, r.rolname) FROM pg_catalog.aclexplode(coalesce(` + acl + `, pg_catalog.acldefault('` + letter + `', ` + owner + `))) g
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.grantee WHERE g.grantee <> ` + owner + `)`
}

// objectKinds lists what is compared beyond tables. Secrets are left out:
// connection strings of subscriptions, values of options of foreign servers.
func objectKinds(version int) []objectKind {
	cloned, apart := "false", "false"
	if version >= 130000 {
		cloned = "t.tgparentid <> 0"
		apart = "t.tgenabled <> (SELECT u.tgenabled FROM pg_catalog.pg_trigger u WHERE u.oid = t.tgparentid)"
	}
	// Row filters, lists of columns and whole schemas of publications are younger.
	published, wholes, root := "", "NULL", "NULL"
	target, computed := "", "NULL"
	if version >= 130000 {
		target = " || CASE WHEN s.stxstattarget >= 0 THEN ' with target ' || s.stxstattarget ELSE '' END"
		root = "CASE WHEN p.pubviaroot THEN 'true' END"
	}
	if version >= 150000 {
		published = " || coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) || ')', '') || coalesce(' WHERE (' || pg_catalog.pg_get_expr(r.prqual, r.prrelid) || ')', '')"
		wholes = "(SELECT string_agg('TABLES IN SCHEMA ' || m.pnnspid::regnamespace, ', ' ORDER BY m.pnnspid::regnamespace::text) FROM pg_catalog.pg_publication_namespace m WHERE m.pnpubid = p.oid)"
	}
	if version >= 180000 {
		computed = "CASE p.pubgencols WHEN 's' THEN 'stored' END"
	}
	const namespace = ` JOIN pg_catalog.pg_namespace n ON n.oid = `
	const ofTable = ` JOIN pg_catalog.pg_class c ON c.oid = `
	return []objectKind{
		{"schema", `SELECT n.oid, n.nspname, n.nspname, NULL, NULL, NULL, '' FROM pg_catalog.pg_namespace n`, "pg_namespace"},
		{"extension", `SELECT 0, NULL, e.extname, NULL, NULL, NULL, format('version %s in schema %s', e.extversion, n.nspname)
FROM pg_catalog.pg_extension e` + namespace + `e.extnamespace`, ""},
		{"view", `SELECT c.oid, n.nspname, c.relname, NULL, n.nspname, c.relname,
	concat_ws(E'\n', pg_catalog.pg_get_viewdef(c.oid), nullif(array_to_string(ARRAY(SELECT unnest(c.reloptions) ORDER BY 1), ', '), ''),
		(SELECT string_agg(format('%s default %s', quote_ident(a.attname), pg_catalog.pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = c.oid))
FROM pg_catalog.pg_class c` + namespace + `c.relnamespace WHERE c.relkind = 'v'`, "pg_class"},
		{"materialized view", `SELECT c.oid, n.nspname, c.relname, NULL, n.nspname, c.relname,
	concat_ws(E'\n', pg_catalog.pg_get_viewdef(c.oid), nullif(array_to_string(ARRAY(SELECT unnest(c.reloptions) ORDER BY 1), ', '), ''), CASE WHEN NOT c.relispopulated THEN 'not filled' END)
FROM pg_catalog.pg_class c` + namespace + `c.relnamespace WHERE c.relkind = 'm'`, "pg_class"},
		{"function", `SELECT p.oid, n.nspname, p.proname, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', NULL, NULL, pg_catalog.pg_get_functiondef(p.oid)
FROM pg_catalog.pg_proc p` + namespace + `p.pronamespace WHERE p.prokind IN ('f', 'w') AND n.nspname !~ '^pg_'`, "pg_proc"},
		{"procedure", `SELECT p.oid, n.nspname, p.proname, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', NULL, NULL, pg_catalog.pg_get_functiondef(p.oid)
FROM pg_catalog.pg_proc p` + namespace + `p.pronamespace WHERE p.prokind = 'p'`, "pg_proc"},
		{"aggregate", `SELECT p.oid, n.nspname, p.proname, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', NULL, NULL,
	format('(%s) %s %s %s %s %s', pg_catalog.pg_get_function_identity_arguments(p.oid), a.aggtransfn, a.aggfinalfn, a.aggtranstype::regtype, a.agginitval, a.aggkind) ||
	format(' %s %s %s %s %s %s %s %s', a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggfinalextra, a.aggfinalmodify, a.aggsortop::regoperator, a.aggtransspace, p.proparallel) ||
	format(' %s %s %s %s %s %s %s %s', a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn, a.aggmfinalextra, a.aggmfinalmodify, a.aggmtranstype::regtype, a.aggmtransspace, a.aggminitval)
FROM pg_catalog.pg_proc p` + namespace + `p.pronamespace JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = p.oid`, "pg_proc"},
		{"trigger", `SELECT t.oid, n.nspname, t.tgname, NULL, n.nspname, c.relname, CASE WHEN ` + cloned + ` THEN '` + catalog.AsParted + `' ELSE pg_catalog.pg_get_triggerdef(t.oid) END || CASE WHEN t.tgenabled = 'O' AND NOT (` + cloned + `) THEN '' ELSE ' enabled: ' || t.tgenabled::text END
FROM pg_catalog.pg_trigger t` + ofTable + `t.tgrelid` + namespace + `c.relnamespace WHERE NOT t.tgisinternal AND (NOT (` + cloned + `) OR ` + apart + `)`, "pg_trigger"},
		{"disabled foreign key", `SELECT 0, n.nspname, c.relname, '.' || quote_ident(k.conname), n.nspname, c.relname,
	string_agg(DISTINCT CASE t.tgenabled WHEN 'D' THEN 'not enforced' WHEN 'R' THEN 'enforced on replicas alone' ELSE 'enforced on replicas too' END, ', ')
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint AND k.contype = 'f' AND k.conparentid = 0` + ofTable + `t.tgrelid` + namespace + `c.relnamespace
WHERE t.tgisinternal AND t.tgenabled <> 'O' GROUP BY n.nspname, c.relname, k.conname`, ""},
		{"event trigger", `SELECT e.oid, NULL, e.evtname, NULL, NULL, NULL, format('%s %s %s %s', e.evtevent, e.evtfoid::regproc, e.evtenabled, e.evttags)
FROM pg_catalog.pg_event_trigger e`, "pg_event_trigger"},
		{"rule", `SELECT r.oid, n.nspname, r.rulename, NULL, n.nspname, c.relname, pg_catalog.pg_get_ruledef(r.oid) || CASE r.ev_enabled WHEN 'O' THEN '' ELSE ' enabled: ' || r.ev_enabled::text END
FROM pg_catalog.pg_rewrite r` + ofTable + `r.ev_class` + namespace + `c.relnamespace WHERE r.rulename <> '_RETURN'`, "pg_rewrite"},
		{"policy", `SELECT p.oid, n.nspname, p.polname, NULL, n.nspname, c.relname,
	format('%s %s TO %s USING (%s) WITH CHECK (%s)', CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, p.polcmd,
		ARRAY(SELECT coalesce(r.rolname, 'PUBLIC') FROM unnest(p.polroles) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x ORDER BY 1),
		pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_catalog.pg_policy p` + ofTable + `p.polrelid` + namespace + `c.relnamespace`, "pg_policy"},
		{"row security", `SELECT c.oid, n.nspname, c.relname, NULL, n.nspname, c.relname, CASE WHEN c.relforcerowsecurity THEN 'forced' ELSE 'enabled' END
FROM pg_catalog.pg_class c` + namespace + `c.relnamespace WHERE c.relrowsecurity AND c.relkind IN ('r', 'p')`, "pg_class"},
		{"inheritance", `SELECT c.oid, n.nspname, c.relname, NULL, n.nspname, c.relname, string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
FROM pg_catalog.pg_inherits i` + ofTable + `i.inhrelid` + namespace + `c.relnamespace WHERE NOT c.relispartition AND c.relkind IN ('r', 'f') GROUP BY 1, 2, 3`, "pg_class"},
		{"sequence", `SELECT c.oid, n.nspname, c.relname, NULL, NULL, NULL,
	concat_ws(E'\x1f', format('%s start %s from %s to %s', pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqmin, s.seqmax),
		format('increment %s cache %s %s', s.seqincrement, s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' ELSE 'no cycle' END),
		(SELECT format('%s.%s', d.refobjid::regclass, quote_ident(a.attname)) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
			WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a' AND d.refobjsubid > 0 LIMIT 1))
FROM pg_catalog.pg_sequence s` + ofTable + `s.seqrelid` + namespace + `c.relnamespace
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')`, "pg_class"},
		{"domain", `SELECT t.oid, n.nspname, t.typname, NULL, NULL, NULL,
	array_to_string(ARRAY[pg_catalog.format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'NOT NULL' END, pg_catalog.pg_get_expr(t.typdefaultbin, 0), nullif(l.collname, 'default'),
		(SELECT string_agg(quote_ident(k.conname) || ' ' || pg_catalog.pg_get_constraintdef(k.oid), E'\n' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')], E'\x1f', '')
FROM pg_catalog.pg_type t` + namespace + `t.typnamespace LEFT JOIN pg_catalog.pg_collation l ON l.oid = t.typcollation WHERE t.typtype = 'd'`, "pg_type"},
		{"composite type", `SELECT t.oid, n.nspname, t.typname, NULL, NULL, NULL,
	(SELECT string_agg(quote_ident(a.attname) || E'\x1e' || pg_catalog.format_type(a.atttypid, a.atttypmod) ||
			coalesce((SELECT format(' COLLATE %s.%I', l.collnamespace::regnamespace, l.collname) FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation AND l.collname <> 'default'), ''), E'\x1f' ORDER BY a.attnum)
		FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_type t` + ofTable + `t.typrelid` + namespace + `t.typnamespace WHERE t.typtype = 'c' AND c.relkind = 'c'`, "pg_type"},
		{"range type", `SELECT t.oid, n.nspname, t.typname, NULL, NULL, NULL, format('%s %s %s', pg_catalog.format_type(r.rngsubtype, NULL), r.rngcanonical, r.rngsubdiff)
FROM pg_catalog.pg_type t` + namespace + `t.typnamespace JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid`, "pg_type"},
		{"collation", `SELECT l.oid, n.nspname, l.collname, NULL, NULL, NULL, format('%s %s %s version %s', l.collprovider, l.collcollate, l.collisdeterministic, l.collversion)
FROM pg_catalog.pg_collation l` + namespace + `l.collnamespace`, "pg_collation"},
		{"base type", `SELECT t.oid, n.nspname, t.typname, NULL, NULL, NULL, format('%s %s %s %s %s %s', t.typlen, t.typinput, t.typoutput, t.typcategory, t.typalign, t.typstorage)
FROM pg_catalog.pg_type t` + namespace + `t.typnamespace WHERE t.typtype = 'b' AND t.typelem = 0 AND t.typisdefined`, "pg_type"},
		{"operator class", `SELECT o.oid, n.nspname, o.opcname, ' using ' || m.amname, NULL, NULL, format('%s%s family %s', o.opcintype::regtype, CASE WHEN o.opcdefault THEN ' default' END, f.opfname)
FROM pg_catalog.pg_opclass o` + namespace + `o.opcnamespace JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod JOIN pg_catalog.pg_opfamily f ON f.oid = o.opcfamily`, "pg_opclass"},
		{"operator family", `SELECT f.oid, n.nspname, f.opfname, ' using ' || m.amname, NULL, NULL, concat_ws(', ',
	(SELECT string_agg(format('%s %s', o.amopstrategy, o.amopopr::regoperator), ', ' ORDER BY o.amopstrategy, o.amopopr::regoperator::text) FROM pg_catalog.pg_amop o WHERE o.amopfamily = f.oid),
	(SELECT string_agg(format('%s %s', o.amprocnum, o.amproc::regprocedure), ', ' ORDER BY o.amprocnum, o.amproc::regprocedure::text) FROM pg_catalog.pg_amproc o WHERE o.amprocfamily = f.oid))
FROM pg_catalog.pg_opfamily f` + namespace + `f.opfnamespace JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod`, "pg_opfamily"},
		{"access method", `SELECT m.oid, NULL, m.amname, NULL, NULL, NULL, format('%s %s', m.amtype, m.amhandler) FROM pg_catalog.pg_am m WHERE m.oid >= 16384`, "pg_am"},
		{"transform", `SELECT t.oid, NULL, format('for %s language %s', pg_catalog.format_type(t.trftype, NULL), l.lanname), NULL, NULL, NULL, format('from %s to %s', t.trffromsql, t.trftosql)
FROM pg_catalog.pg_transform t JOIN pg_catalog.pg_language l ON l.oid = t.trflang`, "pg_transform"},
		{"text search parser", `SELECT p.oid, n.nspname, p.prsname, NULL, NULL, NULL, format('%s %s %s %s %s', p.prsstart, p.prstoken, p.prsend, p.prslextype, p.prsheadline)
FROM pg_catalog.pg_ts_parser p` + namespace + `p.prsnamespace`, "pg_ts_parser"},
		{"text search template", `SELECT t.oid, n.nspname, t.tmplname, NULL, NULL, NULL, format('%s %s', t.tmplinit, t.tmpllexize)
FROM pg_catalog.pg_ts_template t` + namespace + `t.tmplnamespace`, "pg_ts_template"},
		{"conversion", `SELECT o.oid, n.nspname, o.conname, NULL, NULL, NULL, format('%s to %s by %s%s', pg_catalog.pg_encoding_to_char(o.conforencoding), pg_catalog.pg_encoding_to_char(o.contoencoding), o.conproc, CASE WHEN o.condefault THEN ' default' END)
FROM pg_catalog.pg_conversion o` + namespace + `o.connamespace`, "pg_conversion"},
		{"language", `SELECT l.oid, NULL, l.lanname, NULL, NULL, NULL, format('%s%s', CASE WHEN l.lanpltrusted THEN 'trusted ' END, l.lanplcallfoid::regproc)
FROM pg_catalog.pg_language l WHERE l.lanispl AND l.lanname <> 'plpgsql'`, "pg_language"},
		{"text search dictionary", `SELECT d.oid, n.nspname, d.dictname, NULL, NULL, NULL, format('%s %s', m.tmplname, d.dictinitoption)
FROM pg_catalog.pg_ts_dict d` + namespace + `d.dictnamespace JOIN pg_catalog.pg_ts_template m ON m.oid = d.dicttemplate`, "pg_ts_dict"},
		{"operator", `SELECT o.oid, n.nspname, o.oprname, format('(%s, %s)', o.oprleft::regtype, o.oprright::regtype), NULL, NULL, format('%s %s commutator %s negator %s restrict %s join %s%s%s', o.oprresult::regtype, o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin,
	CASE WHEN o.oprcanhash THEN ' hashes' END, CASE WHEN o.oprcanmerge THEN ' merges' END)
FROM pg_catalog.pg_operator o` + namespace + `o.oprnamespace`, "pg_operator"},
		{"cast", `SELECT k.oid, NULL, format('%s as %s', k.castsource::regtype, k.casttarget::regtype), NULL, NULL, NULL, format('%s %s %s', k.castfunc::regproc, k.castcontext, k.castmethod)
FROM pg_catalog.pg_cast k WHERE k.oid >= 16384`, "pg_cast"},
		{"text search configuration", `SELECT t.oid, n.nspname, t.cfgname, NULL, NULL, NULL,
	(SELECT string_agg(format('%s %s %s', m.maptokentype, m.mapseqno, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = t.oid)
FROM pg_catalog.pg_ts_config t` + namespace + `t.cfgnamespace`, "pg_ts_config"},
		{"statistics object", `SELECT s.oid, n.nspname, s.stxname, NULL, NULL, NULL, pg_catalog.pg_get_statisticsobjdef(s.oid)` + target + `
FROM pg_catalog.pg_statistic_ext s` + namespace + `s.stxnamespace`, "pg_statistic_ext"},
		{"publication", `SELECT p.oid, NULL, p.pubname, NULL, NULL, NULL, array_to_string(ARRAY[CASE WHEN p.puballtables THEN 'ALL TABLES' END,
	concat_ws(', ', (SELECT string_agg('TABLE ' || r.prrelid::regclass` + published + `, ', ' ORDER BY r.prrelid::regclass::text) FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid), ` + wholes + `),
	concat_ws(', ', 'nothing', CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END),
	` + root + `, ` + computed + `], E'\x1f', '')
FROM pg_catalog.pg_publication p`, "pg_publication"},
		{"subscription", `SELECT 0, NULL, s.subname, NULL, NULL, NULL, format('enabled %s to %s', s.subenabled, s.subpublications)
FROM pg_catalog.pg_subscription s WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`, ""},
		{"foreign data wrapper", `SELECT w.oid, NULL, w.fdwname, NULL, NULL, NULL, format('%s %s options %s', w.fdwhandler::regproc, w.fdwvalidator::regproc,
	ARRAY(SELECT o.option_name FROM pg_catalog.pg_options_to_table(w.fdwoptions) o ORDER BY 1)) FROM pg_catalog.pg_foreign_data_wrapper w`, "pg_foreign_data_wrapper"},
		{"user mapping", `SELECT 0, NULL, format('%s for %s', m.srvname, m.usename), NULL, NULL, NULL, '' FROM pg_catalog.pg_user_mappings m`, ""},
		{"default privilege", `SELECT d.oid, n.nspname, format('%s of %s', CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE d.defaclobjtype::text END, d.defaclrole::regrole),
	NULL, NULL, NULL, ` + accessList("d.defaclacl", "r", "d.defaclrole") + `
FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace`, "pg_default_acl"},
		// Comments on tables, columns, constraints, indexes and enums are parts of these.
		{"comment", `SELECT 0, i.schema, i.type || ' ' || i.identity, NULL, NULL, NULL, d.description
FROM pg_catalog.pg_description d CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i
WHERE (d.objoid >= 16384 OR i.type = 'schema' AND i.name = 'public' OR i.type = 'extension' OR i.type = 'language' AND (SELECT l.lanispl FROM pg_catalog.pg_language l WHERE l.oid = d.objoid)) AND NOT (i.type = 'schema' AND i.name IN ('understudy', 'understudy_next')) AND i.type NOT IN ('table', 'table column', 'table constraint', 'index', 'foreign table', 'foreign table column')
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE d.classoid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objoid AND t.typtype = 'e')
	AND (i.type = 'language' OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e'))`, ""},
		// Those of roles and whole databases are the server's.
		{"security label", `SELECT 0, NULL, upper(l.objtype) || ' ' || l.objname, ' by ' || l.provider, NULL, NULL, l.label FROM pg_catalog.pg_seclabels l
WHERE l.objoid >= 16384 AND EXISTS (SELECT FROM pg_catalog.pg_seclabel o WHERE o.classoid = l.classoid AND o.objoid = l.objoid)`, ""},
		{"grant on a type", `SELECT t.oid, n.nspname, t.typname, NULL, NULL, NULL, ` + accessList("t.typacl", "T", "t.typowner") + `
FROM pg_catalog.pg_type t` + namespace + `t.typnamespace WHERE ` + accessList("t.typacl", "T", "t.typowner") + ` IS DISTINCT FROM ` + accessList("NULL", "T", "t.typowner"), "pg_type"},
		{"grant on a language", `SELECT l.oid, NULL, l.lanname, NULL, NULL, NULL, ` + accessList("l.lanacl", "l", "l.lanowner") + `
FROM pg_catalog.pg_language l WHERE l.lanispl AND ` + accessList("l.lanacl", "l", "l.lanowner") + ` IS DISTINCT FROM ` + accessList("NULL", "l", "l.lanowner"), ""},
		{"grant on a foreign server", `SELECT s.oid, NULL, s.srvname, NULL, NULL, NULL, ` + accessList("s.srvacl", "S", "s.srvowner") + `
FROM pg_catalog.pg_foreign_server s WHERE ` + accessList("s.srvacl", "S", "s.srvowner") + ` IS NOT NULL`, "pg_foreign_server"},
		{"grant on a foreign data wrapper", `SELECT w.oid, NULL, w.fdwname, NULL, NULL, NULL, ` + accessList("w.fdwacl", "F", "w.fdwowner") + `
FROM pg_catalog.pg_foreign_data_wrapper w WHERE ` + accessList("w.fdwacl", "F", "w.fdwowner") + ` IS NOT NULL`, ""},
		{"foreign server", `SELECT s.oid, NULL, s.srvname, NULL, NULL, NULL, format('%s %s %s options %s', w.fdwname, s.srvtype, s.srvversion, ` + harmless("s.srvoptions") + `)
FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw`, "pg_foreign_server"},
		{"grant", `SELECT c.oid, n.nspname, c.relname, NULL, n.nspname, c.relname, concat_ws('; ', ` + accessList("c.relacl", "r", "c.relowner") + `,
	(SELECT string_agg(format('(%s) %s', quote_ident(a.attname), ` + accessList("a.attacl", "c", "c.relowner") + `), '; ' ORDER BY a.attnum)
		FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped))
FROM pg_catalog.pg_class c` + namespace + `c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
	AND (` + accessList("c.relacl", "r", "c.relowner") + ` IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attacl <> '{}'))`, "pg_class"},
		// That of an identity column is told as well, which a sequence otherwise is with its column.
		{"grant on a sequence", `SELECT c.oid, n.nspname, c.relname, NULL, NULL, NULL, ` + accessList("c.relacl", "s", "c.relowner") + `
FROM pg_catalog.pg_class c` + namespace + `c.relnamespace WHERE c.relkind = 'S' AND ` + accessList("c.relacl", "s", "c.relowner") + ` IS DISTINCT FROM ` + accessList("NULL", "s", "c.relowner") + `
	AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')`, ""},
		{"grant on a schema", `SELECT n.oid, n.nspname, n.nspname, NULL, NULL, NULL, ` + accessList("n.nspacl", "n", "n.nspowner") + `
FROM pg_catalog.pg_namespace n WHERE ` + accessList("n.nspacl", "n", "n.nspowner") + ` IS DISTINCT FROM ` + accessList("NULL", "n", "n.nspowner"), "pg_namespace"},
		{"grant on a function", `SELECT p.oid, n.nspname, p.proname, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', NULL, NULL, ` + accessList("p.proacl", "f", "p.proowner") + `
FROM pg_catalog.pg_proc p` + namespace + `p.pronamespace WHERE ` + accessList("p.proacl", "f", "p.proowner") + ` IS DISTINCT FROM ` + accessList("NULL", "f", "p.proowner"), "pg_proc"},
	}
}
