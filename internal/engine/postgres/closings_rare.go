package postgres

// rareClosings gives the statements of kinds that few databases have many of.
// Foreign servers and wrappers are made without options alone: those are secret.
func rareClosings() map[string]closing {
	const (
		full  = `format('%I.%I', x.nsp, x.name)`
		of    = ` WHERE o.oid = x.oid)`
		named = `(SELECT format('OPERATOR(%I.%s)', n.nspname, y.oprname) FROM pg_catalog.pg_operator y JOIN pg_catalog.pg_namespace n ON n.oid = y.oprnamespace WHERE y.oid = `
	)
	function := func(option, column string) string {
		return `CASE WHEN o.` + column + ` <> 0 THEN format('` + option + ` = %s', o.` + column + `) END`
	}
	modify := func(option, column string) string {
		return `'` + option + ` = ' || CASE o.` + column + ` WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' WHEN 'w' THEN 'READ_WRITE' END`
	}
	arguments := func(proc string) string {
		return `CASE WHEN ` + proc + `.pronargs = 0 THEN '*' ELSE pg_catalog.pg_get_function_identity_arguments(` + proc + `.oid) END`
	}
	aggregate := `(SELECT format('CREATE AGGREGATE %s(%s) (%s)', ` + full + `, ` + arguments("p") + `, concat_ws(', ', ` +
		function("SFUNC", "aggtransfn") + `, format('STYPE = %s', pg_catalog.format_type(o.aggtranstype, NULL)), 'SSPACE = ' || nullif(o.aggtransspace, 0), ` +
		function("FINALFUNC", "aggfinalfn") + `, CASE WHEN o.aggfinalextra THEN 'FINALFUNC_EXTRA' END, ` + modify("FINALFUNC_MODIFY", "aggfinalmodify") + `, ` +
		function("COMBINEFUNC", "aggcombinefn") + `, ` + function("SERIALFUNC", "aggserialfn") + `, ` + function("DESERIALFUNC", "aggdeserialfn") + `, 'INITCOND = ' || quote_literal(o.agginitval),
	CASE WHEN o.aggmtransfn <> 0 THEN concat_ws(', ', ` + function("MSFUNC", "aggmtransfn") + `, ` + function("MINVFUNC", "aggminvtransfn") + `, format('MSTYPE = %s', pg_catalog.format_type(o.aggmtranstype, NULL)), 'MSSPACE = ' || nullif(o.aggmtransspace, 0), ` +
		function("MFINALFUNC", "aggmfinalfn") + `, CASE WHEN o.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END, ` + modify("MFINALFUNC_MODIFY", "aggmfinalmodify") + `, 'MINITCOND = ' || quote_literal(o.aggminitval)) END,
	'SORTOP = ' || ` + named + `nullif(o.aggsortop, 0)), CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END, CASE WHEN o.aggkind = 'h' THEN 'HYPOTHETICAL' END))
	FROM pg_catalog.pg_aggregate o JOIN pg_catalog.pg_proc p ON p.oid = o.aggfnoid WHERE o.aggfnoid = x.oid)`
	operator := `(SELECT format('CREATE OPERATOR %I.%s (%s)', x.nsp, x.name, concat_ws(', ', format('FUNCTION = %s', o.oprcode), 'LEFTARG = ' || pg_catalog.format_type(nullif(o.oprleft, 0), NULL), 'RIGHTARG = ' || pg_catalog.format_type(nullif(o.oprright, 0), NULL),
	'COMMUTATOR = ' || ` + named + `nullif(o.oprcom, 0)), 'NEGATOR = ' || ` + named + `nullif(o.oprnegate, 0)), ` + function("RESTRICT", "oprrest") + `, ` + function("JOIN", "oprjoin") + `,
	CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END)) FROM pg_catalog.pg_operator o` + of
	between := `format('%s AS %s', pg_catalog.format_type(o.castsource, NULL), pg_catalog.format_type(o.casttarget, NULL))`
	// The columns of a collation are not those of every version.
	collation := `(SELECT format('CREATE COLLATION %s (%s)', ` + full + `, concat_ws(', ', CASE o.collprovider WHEN 'i' THEN 'provider = icu' WHEN 'b' THEN 'provider = builtin' ELSE 'provider = libc' END,
	CASE WHEN o.collprovider IN ('i', 'b') THEN format('locale = %L', coalesce(j ->> 'colllocale', j ->> 'colliculocale', j ->> 'collcollate')) ELSE format('lc_collate = %L, lc_ctype = %L', j ->> 'collcollate', j ->> 'collctype') END,
	CASE WHEN NOT o.collisdeterministic THEN 'deterministic = false' END, 'rules = ' || quote_literal(j ->> 'collicurules'))) FROM pg_catalog.pg_collation o, LATERAL to_jsonb(o) j` + of
	eventTrigger := `(SELECT format('CREATE EVENT TRIGGER %I ON %I%s EXECUTE FUNCTION %s()', o.evtname, o.evtevent, (SELECT ' WHEN TAG IN (' || string_agg(quote_literal(t), ', ' ORDER BY t) || ')' FROM unnest(o.evttags) t), o.evtfoid::regproc)
	|| CASE o.evtenabled WHEN 'D' THEN format('; ALTER EVENT TRIGGER %I DISABLE', o.evtname) WHEN 'R' THEN format('; ALTER EVENT TRIGGER %I ENABLE REPLICA', o.evtname) WHEN 'A' THEN format('; ALTER EVENT TRIGGER %I ENABLE ALWAYS', o.evtname) ELSE '' END
	FROM pg_catalog.pg_event_trigger o` + of
	mappings := func(each string) string {
		return `(SELECT string_agg(` + each + `, '; ' ORDER BY m.maptokentype) FROM (SELECT y.alias, m.maptokentype, string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno) AS dicts
	FROM pg_catalog.pg_ts_config o JOIN pg_catalog.pg_ts_config_map m ON m.mapcfg = o.oid JOIN LATERAL pg_catalog.ts_token_type(o.cfgparser) y ON y.tokid = m.maptokentype WHERE o.oid = x.oid GROUP BY 1, 2) m)`
	}
	add := mappings(`format('ALTER TEXT SEARCH CONFIGURATION %s ADD MAPPING FOR %I WITH %s', ` + full + `, m.alias, m.dicts)`)
	label := func(is string) string {
		return `format('SECURITY LABEL FOR %I ON %s IS %s', split_part(x.tail, ' by ', 2), x.name, ` + is + `)`
	}
	return map[string]closing{
		"aggregate": {create: aggregate, drop: `(SELECT format('DROP AGGREGATE %s(%s)', ` + full + `, ` + arguments("o") + `) FROM pg_catalog.pg_proc o` + of},
		"operator":  {create: operator, drop: `format('DROP OPERATOR %s', x.oid::regoperator)`},
		"cast": {create: `(SELECT format('CREATE CAST (%s) %s%s', ` + between + `, CASE o.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || o.castfunc::regprocedure WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
	CASE o.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' END) FROM pg_catalog.pg_cast o` + of,
			drop: `(SELECT format('DROP CAST (%s)', ` + between + `) FROM pg_catalog.pg_cast o` + of},
		"collation": {create: collation, drop: `format('DROP COLLATION %s', ` + full + `)`},
		"conversion": {create: `(SELECT format('CREATE %sCONVERSION %s FOR %L TO %L FROM %s', CASE WHEN o.condefault THEN 'DEFAULT ' END, ` + full + `, pg_catalog.pg_encoding_to_char(o.conforencoding), pg_catalog.pg_encoding_to_char(o.contoencoding), o.conproc) FROM pg_catalog.pg_conversion o` + of,
			drop: `format('DROP CONVERSION %s', ` + full + `)`},
		"event trigger": {create: eventTrigger, drop: `format('DROP EVENT TRIGGER %I', x.name)`},
		"text search configuration": {create: `concat_ws('; ', (SELECT format('CREATE TEXT SEARCH CONFIGURATION %s (PARSER = %I.%I)', ` + full + `, n.nspname, y.prsname) FROM pg_catalog.pg_ts_config o JOIN pg_catalog.pg_ts_parser y ON y.oid = o.cfgparser JOIN pg_catalog.pg_namespace n ON n.oid = y.prsnamespace` + of + `, ` + add + `)`,
			drop: `format('DROP TEXT SEARCH CONFIGURATION %s', ` + full + `)`, alter: add, clear: mappings(`format('ALTER TEXT SEARCH CONFIGURATION %s DROP MAPPING FOR %I', ` + full + `, m.alias)`)},
		// An option without a value is taken away; taking away one that is not there changes nothing.
		"text search dictionary": {create: `(SELECT format('CREATE TEXT SEARCH DICTIONARY %s (TEMPLATE = %I.%I%s)', ` + full + `, n.nspname, y.tmplname, ', ' || nullif(o.dictinitoption, '')) FROM pg_catalog.pg_ts_dict o JOIN pg_catalog.pg_ts_template y ON y.oid = o.dicttemplate JOIN pg_catalog.pg_namespace n ON n.oid = y.tmplnamespace` + of,
			drop:  `format('DROP TEXT SEARCH DICTIONARY %s', ` + full + `)`,
			alter: `(SELECT format('ALTER TEXT SEARCH DICTIONARY %s (%s)', ` + full + `, coalesce(nullif(o.dictinitoption, ''), 'stopwords')) FROM pg_catalog.pg_ts_dict o` + of,
			clear: `(SELECT format('ALTER TEXT SEARCH DICTIONARY %s (%s)', ` + full + `, string_agg(m[1], ', ')) FROM pg_catalog.pg_ts_dict o, LATERAL regexp_matches(o.dictinitoption, $re$("(?:[^"]|"")+"|\w+)\s*=\s*(?:E?'(?:[^'\\]|''|\\.)*'|[-+.\w]+)$re$, 'g') m` + of},
		"foreign data wrapper": {create: `(SELECT CASE WHEN o.fdwoptions IS NULL THEN format('CREATE FOREIGN DATA WRAPPER %I%s%s', x.name, ' HANDLER ' || nullif(o.fdwhandler, 0)::regproc, ' VALIDATOR ' || nullif(o.fdwvalidator, 0)::regproc) END FROM pg_catalog.pg_foreign_data_wrapper o` + of,
			drop: `format('DROP FOREIGN DATA WRAPPER %I', x.name)`},
		"foreign server": {create: `(SELECT CASE WHEN o.srvoptions IS NULL THEN format('CREATE SERVER %I%s%s FOREIGN DATA WRAPPER %I', x.name, ' TYPE ' || quote_literal(o.srvtype), ' VERSION ' || quote_literal(o.srvversion), y.fdwname) END FROM pg_catalog.pg_foreign_server o JOIN pg_catalog.pg_foreign_data_wrapper y ON y.oid = o.srvfdw` + of,
			drop: `format('DROP SERVER %I', x.name)`},
		"access method": {create: `(SELECT format('CREATE ACCESS METHOD %I TYPE %s HANDLER %s', x.name, CASE o.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, o.amhandler) FROM pg_catalog.pg_am o` + of,
			drop: `format('DROP ACCESS METHOD %I', x.name)`},
		"transform": {create: `(SELECT format('CREATE TRANSFORM FOR %s LANGUAGE %I (%s)', pg_catalog.format_type(o.trftype, NULL), y.lanname, concat_ws(', ', 'FROM SQL WITH FUNCTION ' || nullif(o.trffromsql, 0)::regprocedure,
	'TO SQL WITH FUNCTION ' || nullif(o.trftosql, 0)::regprocedure)) FROM pg_catalog.pg_transform o JOIN pg_catalog.pg_language y ON y.oid = o.trflang` + of,
			drop: `(SELECT format('DROP TRANSFORM FOR %s LANGUAGE %I', pg_catalog.format_type(o.trftype, NULL), y.lanname) FROM pg_catalog.pg_transform o JOIN pg_catalog.pg_language y ON y.oid = o.trflang` + of},
		"text search parser": {create: `(SELECT format('CREATE TEXT SEARCH PARSER %s (%s)', ` + full + `, concat_ws(', ', ` + function("START", "prsstart") + `, ` + function("GETTOKEN", "prstoken") + `, ` + function(`"end"`, "prsend") + `, ` +
			function("LEXTYPES", "prslextype") + `, ` + function("HEADLINE", "prsheadline") + `)) FROM pg_catalog.pg_ts_parser o` + of, drop: `format('DROP TEXT SEARCH PARSER %s', ` + full + `)`},
		"text search template": {create: `(SELECT format('CREATE TEXT SEARCH TEMPLATE %s (%s)', ` + full + `, concat_ws(', ', ` + function("INIT", "tmplinit") + `, ` + function("LEXIZE", "tmpllexize") + `)) FROM pg_catalog.pg_ts_template o` + of,
			drop: `format('DROP TEXT SEARCH TEMPLATE %s', ` + full + `)`},
		"operator family": {drop: `(SELECT format('DROP OPERATOR FAMILY %s USING %I', ` + full + `, y.amname) FROM pg_catalog.pg_opfamily o JOIN pg_catalog.pg_am y ON y.oid = o.opfmethod` + of},
		"security label":  {create: label(`quote_literal(x.def)`), drop: label(`'NULL'`), alter: label(`quote_literal(x.def)`)},
	}
}
