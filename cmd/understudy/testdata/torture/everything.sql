-- Every type by itself and inside every constructor: a domain, an array with odd
-- bounds and NULLs, a composite, a composite in it, arrays of both, a domain over
-- an array, and a range where the type has an order.
SET client_min_messages = error;
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION pg_trgm; CREATE EXTENSION cube; CREATE EXTENSION isn; CREATE EXTENSION seg; CREATE EXTENSION lo;
CREATE SCHEMA made; CREATE SCHEMA held;
CREATE TYPE made.mood AS ENUM ('sad', 'o''k', 'so, so', '"q"', E'b\\s', 'with space', '', 'NULL', E'\\N', '{}');
ALTER TYPE made.mood ADD VALUE 'before all' BEFORE 'sad';
CREATE TYPE made.nothing AS ();
CREATE TYPE made.pair AS (a int, gone text, "B ""b""" text, m made.mood); ALTER TYPE made.pair DROP ATTRIBUTE gone;
CREATE TYPE made.span AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi, MULTIRANGE_TYPE_NAME = made.spans);
CREATE TYPE made.words AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE DOMAIN made.positive AS int CHECK (VALUE > 0) NOT NULL DEFAULT 7;
CREATE DOMAIN made.mail AS citext CHECK (VALUE ~ '@');
CREATE DOMAIN made.grid AS int[] CHECK (array_ndims(VALUE) < 4);
CREATE TABLE made.kinds (n int PRIMARY KEY, type text NOT NULL, held text[] NOT NULL);
INSERT INTO made.kinds SELECT row_number() OVER (), t.* FROM (VALUES
	('boolean', ARRAY['t', 'f']), ('"char"', ARRAY['a', '', '\', '"', ',', '\377']), ('name', ARRAY['n', '', 'é b']), ('text', ARRAY['', ' ', 'NULL', '\N', '\.', '\', '"', '{}', 'a,b', '()', E'tab\tnl\nret\rvt\vff\fbs\b', E'\x01\x7f', E'\u00e9e\u0301😀\u200b\ufeff\u202e']),
	('varchar(12)', ARRAY['', '  x ', '\N']), ('char(5)', ARRAY['', 'ab', '     ']), ('bpchar', ARRAY['a  ', '']), ('bytea', ARRAY['\x', '\x00', '\x5c2e', '\xff0a5c00']),
	('smallint', ARRAY['-32768', '32767']), ('integer', ARRAY['-2147483648', '2147483647']), ('bigint', ARRAY['-9223372036854775808', '9223372036854775807']),
	('numeric', ARRAY['NaN', 'Infinity', '-Infinity', '0.000', '1e1000', '-1.5e-300', '123456789012345678901234567890.1234567890']), ('numeric(10,3)', ARRAY['NaN', '-9999999.999', '0']), ('numeric(4,-2)', ARRAY['99900', 'NaN']), ('numeric(3,5)', ARRAY['0.00999']),
	('real', ARRAY['NaN', 'Infinity', '-Infinity', '-0', '1e-45', '3.4028235e38', '0.1']), ('double precision', ARRAY['NaN', 'Infinity', '-Infinity', '-0', '4.9e-324', '1.7976931348623157e308', '0.1']), ('money', ARRAY['-92233720368547758.08', '0', '1.23']),
	('date', ARRAY['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31', '0001-01-01', '2024-02-29']), ('time', ARRAY['24:00:00', '00:00', '23:59:59.999999']), ('time(0)', ARRAY['24:00:00']), ('timetz', ARRAY['24:00:00-15:59:59', '00:00:00+15:59:59', '12:00:00.5+05:30']),
	('timestamp', ARRAY['infinity', '-infinity', '4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999', '1999-12-31 23:59:60']), ('timestamp(3)', ARRAY['2024-02-29 12:34:56.7896']), ('timestamptz', ARRAY['infinity', '-infinity', '4714-11-24 00:00:00+00 BC', '1890-01-01 00:00:00-04:56:02', '2024-10-27 02:30:00+01']),
	('interval', ARRAY['1 year -2 mons +3 days -04:05:06.789', '178000000 years', '-178000000 years', '0', '1 mon', '30 days', '720:00:00']), ('interval day to second(1)', ARRAY['1 day 00:00:01.5']), ('interval year to month', ARRAY['-1 year 2 mons']),
	('uuid', ARRAY['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000']), ('json', ARRAY['{"a":   1, "a": 2, "\u00e9": null}', ' [1 , 2] ', '"x"', 'null', '1e400']), ('jsonb', ARRAY['{"x": [1, 2, {"y": null}], "": ""}', '12345678901234567890.10', '"a\"b\\c\n"', 'null', '[]']), ('jsonpath', ARRAY['$.a[*] ? (@ > 1)', 'strict $."a b"']),
	('xml', ARRAY['<a>&lt;x</a>', 'text', E'<!-- c --><a b=''c''>\n</a>']), ('tsvector', ARRAY['''fat'':1A ''cat'':3,5B ''o''''k'':2', '', '''\\'' ''a b'':1']), ('tsquery', ARRAY['''fat'' & (''cat'' | !''rat'')', '''a'' <2> ''b'':*AB']),
	('inet', ARRAY['10.0.0.1/8', '::1', '::ffff:1.2.3.4', '0.0.0.0/0', 'fe80::1/64']), ('cidr', ARRAY['10.0.0.0/8', '::/0']), ('macaddr', ARRAY['08:00:2b:01:02:03']), ('macaddr8', ARRAY['08:00:2b:01:02:03:04:05']),
	('bit(5)', ARRAY['10101', '00000']), ('varbit', ARRAY['', '1', '010101010']), ('varbit(3)', ARRAY['01']), ('point', ARRAY['(1,2)', '(NaN,Infinity)', '(-0,1e-300)']), ('line', ARRAY['{0,-1,5.5}']), ('lseg', ARRAY['[(0,0),(1,1)]']), ('box', ARRAY['(Infinity,1),(0,-Infinity)']),
	('path', ARRAY['[(0,0),(1,1)]', '((0,0),(1,1))']), ('polygon', ARRAY['((0,0),(1,1),(2,0))']), ('circle', ARRAY['<(1,2),3>']), ('int4range', ARRAY['empty', '(,)', '[1,5)', '(,7]']), ('int8range', ARRAY['empty', '[-9223372036854775808,9223372036854775806]']), ('numrange', ARRAY['(NaN,)', '[1.10,Infinity]', 'empty']),
	('daterange', ARRAY['[infinity,]', '[-infinity,infinity)', 'empty']), ('tsrange', ARRAY['["4714-11-24 00:00:00 BC",infinity]']), ('tstzrange', ARRAY['["2020-01-01 00:00:00+00",)', 'empty']), ('int4multirange', ARRAY['{}', '{[1,2),[5,7)}', '{(,)}']), ('int8multirange', ARRAY['{}']), ('nummultirange', ARRAY['{[1.5,1.5]}']), ('datemultirange', ARRAY['{(,2020-01-01),[2021-01-01,)}']), ('tsmultirange', ARRAY['{}']), ('tstzmultirange', ARRAY['{["2020-01-01 00:00:00+00","2020-01-02 00:00:00+00"]}']),
	('oid', ARRAY['0', '4294967295']), ('regclass', ARRAY['pg_catalog.pg_class', 'made.kinds', '-', '4294967295']), ('regtype', ARRAY['integer', 'text[]', '-']), ('regproc', ARRAY['pg_catalog.now', '-']), ('regprocedure', ARRAY['abs(integer)']), ('regoper', ARRAY['pg_catalog.||/', '0']), ('regoperator', ARRAY['+(integer,integer)']), ('regnamespace', ARRAY['pg_catalog', 'made']), ('regrole', ARRAY['pg_monitor', '-']), ('regcollation', ARRAY['"C"']), ('regconfig', ARRAY['simple']), ('regdictionary', ARRAY['simple']),
	('pg_lsn', ARRAY['0/0', 'FFFFFFFF/FFFFFFFF']), ('txid_snapshot', ARRAY['10:20:10,14,15']), ('pg_snapshot', ARRAY['1:1:']), ('xid', ARRAY['4294967295']), ('xid8', ARRAY['18446744073709551615']), ('cid', ARRAY['0']), ('tid', ARRAY['(4294967295,65535)']), ('aclitem', ARRAY['=r/postgres']), ('refcursor', ARRAY['c 1']),
	('citext', ARRAY['CiTeXt', '', 'É']), ('hstore', ARRAY['"a b"=>"c\"d", x=>NULL', '']), ('ltree', ARRAY['a.b.c', '']), ('lquery', ARRAY['*.a.*']), ('cube', ARRAY['(1,2,3)', '(0),(1)']), ('isbn', ARRAY['978-0-393-04002-9']), ('seg', ARRAY['1.5 .. 2.50', '~3']), ('lo', ARRAY['0']),
	('made.mood', ARRAY['', 'NULL', '\N', '"q"', 'b\s', '{}', 'before all']), ('made.nothing', ARRAY['()']), ('made.pair', ARRAY['(1,"a,b""c\\",sad)', '(,,)', '(,"",)']), ('made.span', ARRAY['(1.5,2.5]', '(NaN,)', 'empty', '[-Infinity,Infinity]']), ('made.spans', ARRAY['{(1.5,2.5],[3,4)}', '{}']), ('made.words', ARRAY['["a,b","c\\\"d"]', '["",)', 'empty', '(,NULL]']),
	('made.positive', ARRAY['1', '2147483647']), ('made.mail', ARRAY['A@b.c']), ('made.grid', ARRAY['{}', '[2:3]={1,NULL}', '{{1,2},{3,4}}']), ('made.kinds', ARRAY['(1,"x y","{a,""b \\"" c""}")', '(,,)'])
) AS t (type, held);
DO $$
DECLARE
	k record; t text; v text; tab text;
BEGIN
	FOR k IN SELECT * FROM made.kinds ORDER BY n LOOP
		t := k.type;
		tab := 'held.t' || (k.n + 3) / 4; -- four types a table
		EXECUTE format('CREATE DOMAIN made.d%s AS %s', k.n, t);
		EXECUTE format('CREATE TYPE made.c%s AS (v %s, "V v" made.d%s)', k.n, t, k.n);
		EXECUTE format('CREATE TYPE made.cc%s AS (c made.c%s, a made.c%s[], n text)', k.n, k.n, k.n);
		EXECUTE format('CREATE DOMAIN made.da%s AS made.c%s[]', k.n, k.n);
		IF k.n % 4 = 1 THEN
			EXECUTE format('CREATE TABLE %s (id int GENERATED ALWAYS AS IDENTITY, gone int)', tab);
			IF k.n % 8 = 1 THEN EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (id)', tab); END IF;
		ELSIF k.n % 4 = 3 THEN
			EXECUTE format('ALTER TABLE %s DROP COLUMN gone', tab);
		END IF;
		EXECUTE format('ALTER TABLE %s ADD v%s %s, ADD d%2$s made.d%2$s, ADD a%2$s %3$s[], ADD da%2$s made.d%2$s[], ADD c%2$s made.c%2$s, ADD ac%2$s made.c%2$s[], ADD cc%2$s made.cc%2$s, ADD dac%2$s made.da%2$s', tab, k.n, t);
		FOREACH v IN ARRAY k.held LOOP
			EXECUTE format('INSERT INTO %s (v%2$s, d%2$s, a%2$s, da%2$s, c%2$s, ac%2$s, cc%2$s, dac%2$s) SELECT x, x, array_fill(x, ARRAY[2, 1], ARRAY[0, -1]), ARRAY[x::made.d%2$s, x::made.d%2$s], ROW(x, x)::made.c%2$s, ARRAY[ROW(x, x)::made.c%2$s, NULL],
				ROW(ROW(x, x)::made.c%2$s, ARRAY[ROW(x, x)::made.c%2$s], ''a "q" \ , () {}'')::made.cc%2$s, ARRAY[ROW(x, x)::made.c%2$s] FROM (SELECT %3$L::%4$s) AS s (x)', tab, k.n, v, t);
		END LOOP;
		EXECUTE format('INSERT INTO %s (a%2$s, da%2$s, ac%2$s, dac%2$s) VALUES (''{}'', ''{}'', ''[-2:-1]={NULL,NULL}'', ''{NULL}'')', tab, k.n);
		IF t <> 'made.positive' THEN
			EXECUTE format('INSERT INTO %s (a%2$s, c%2$s, ac%2$s, cc%2$s) SELECT array_fill(NULL::%3$s, ARRAY[2, 1], ARRAY[0, -1]), ''(,)'', ''{"(,)"}'', ''("(,)",{},"")''', tab, k.n, t);
		END IF;
		BEGIN
			EXECUTE format('CREATE TYPE made.r%s AS RANGE (SUBTYPE = %s)', k.n, t);
			EXECUTE format('ALTER TABLE %s ADD r%2$s made.r%2$s, ADD ar%2$s made.r%2$s[]', tab, k.n);
			EXECUTE format('UPDATE %s SET r%2$s = made.r%2$s(v%2$s, v%2$s, ''[]''), ar%2$s = ARRAY[made.r%2$s(v%2$s, NULL), NULL, ''empty'']', tab, k.n);
			EXECUTE format('ALTER TABLE %s ADD EXCLUDE USING gist (r%2$s WITH &&) WHERE (id = 1)', tab, k.n);
		EXCEPTION WHEN OTHERS THEN NULL; -- no order
		END;
		BEGIN
			CONTINUE WHEN k.n % 4 <> 0 AND k.n < 90 OR t = 'made.nothing'; -- the server itself cannot check a key of no fields again
			EXECUTE format('CREATE TABLE held.k%s (v %s PRIMARY KEY, s int)', k.n, t);
			EXECUTE format('INSERT INTO held.k%2$s SELECT DISTINCT v%2$s, 1 FROM %1$s WHERE v%2$s IS DISTINCT FROM NULL', tab, k.n);
			EXECUTE format('CREATE TABLE held.f%s (v %s REFERENCES held.k%s DEFERRABLE INITIALLY DEFERRED, w %s)', k.n, t, k.n, t);
			EXECUTE format('INSERT INTO held.f%2$s SELECT v%2$s, v%2$s FROM %1$s WHERE v%2$s IS DISTINCT FROM NULL', tab, k.n);
		EXCEPTION WHEN OTHERS THEN NULL; -- no order, or values that are equal
		END;
	END LOOP;
END $$;
-- A table's row type is a type as well.
CREATE TABLE held.wide (id int PRIMARY KEY, everything made.kinds, list made.kinds[]); INSERT INTO held.wide SELECT n, k, ARRAY[k, NULL] FROM made.kinds k;
