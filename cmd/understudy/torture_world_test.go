package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A tortureWorld makes a database of hard cases up: types made of types, tables
// of them, and whatever hangs on tables. It does not know what the server
// allows: each statement is tried by itself, and what is refused is not there.
type tortureWorld struct {
	r      *rand.Rand
	out    strings.Builder
	types  []tortureType
	tables []tortureTable
	names  int
}

// A tortureType is a type as DDL writes it, and values of it as text.
type tortureType struct {
	name  string
	value func() string
	// bare types have no order, so the server lets them into a key only as long
	// as it holds one row.
	bare bool
	// labels: their values hash to other numbers in another database, so their
	// rows lie in other partitions there.
	labels bool
	// between is what stands between the elements of an array of them.
	between string
	// array: there is an array type of them by name.
	array bool
}

type tortureTable struct {
	name    string
	columns []tortureColumn
}

type tortureColumn struct {
	name string
	typ  tortureType
}

func newTortureWorld(seed uint64) string {
	w := &tortureWorld{r: rand.New(rand.NewPCG(seed, 41))}
	w.out.WriteString(`CREATE FUNCTION pg_temp.try(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN EXECUTE what; SET CONSTRAINTS ALL IMMEDIATE; EXCEPTION WHEN OTHERS THEN NULL; END $$;
CREATE EXTENSION IF NOT EXISTS btree_gist;
`)
	w.basics()
	for range 12 + w.r.IntN(12) {
		w.makeType()
	}
	for range 10 + w.r.IntN(8) {
		w.makeTable()
	}
	for range 60 {
		w.alter()
	}
	for range 30 {
		w.makeObject()
	}
	return w.out.String()
}

func (w *tortureWorld) try(format string, args ...any) {
	fmt.Fprintf(&w.out, "SELECT pg_temp.try(%s) \\g /dev/null\n", textLiteral(fmt.Sprintf(format, args...)))
}

// textLiteral writes a text so that no setting can change it, on one line.
func textLiteral(s string) string {
	s = strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`).Replace(s)
	return "E'" + s + "'"
}

func pickOf[T any](w *tortureWorld, list []T) T { return list[w.r.IntN(len(list))] }

func (w *tortureWorld) chance(percent int) bool { return w.r.IntN(100) < percent }

// name makes a new name, often a hostile one.
func (w *tortureWorld) name() string {
	w.names++
	plain := fmt.Sprintf("n%d", w.names)
	if w.chance(50) {
		return plain
	}
	odd := []string{`a"b`, "new\nline", "tab\there", "😀", "per%cent", `back\slash`, "sq'uote", "$1", "$$", "-- x", "/* x */", "; DROP", " lead", "trail ", "a.b", "{x}", "*", "a,b", "(x)", "select", "CAPS", "é", "e\u0301", ":x", "#", "\u202e", "a=b", "x::y", "\\.", "\\N", "[1]", "@", "?", "VALUE", "NULL", "ctid_", "t", "o", "c1", "rel", "at", "here", "\x01", "\u0085", "\r"}
	n := pickOf(w, odd) + plain
	if w.chance(10) {
		n += strings.Repeat(pickOf(w, []string{"x", "é", "Z"}), 63)
	}
	for len(n) > 63 {
		r := []rune(n)
		n = string(r[:len(r)-1])
	}
	return n
}

func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// schema gives a schema to put things into, made when it is first wanted.
func (w *tortureWorld) schema() string {
	n := pickOf(w, []string{"public", "public", "s1", "S.2", `s"3`, "s\n4"})
	if n != "public" {
		w.try("CREATE SCHEMA %s", ident(n))
	}
	return ident(n)
}

func (w *tortureWorld) newName() string { return w.schema() + "." + ident(w.name()) }

// anyText is a text that is easily misread.
func (w *tortureWorld) anyText() string {
	return pickOf(w, []string{"", " ", "NULL", "null", `\N`, `\.`, `\`, `\\`, `"`, `""`, "'", "{}", "{a,b}", "()", "(,)", "a,b", "a b", "tab\t", "nl\nx", "cr\r", "cr\r\nlf", "\v\f\b", "\x01\x7f", "é", "e\u0301", "😀", "\ufeff", "\u200b", "İ", "ß",
		"[1,2)", "empty", "infinity", "NaN", "0", "1", "-1", "t", "f", "true", "\\x41", "\\000", "%s%d", "$1", "a\\nb", "\n\\.\n", strings.Repeat("x", 300), strings.Repeat("é\\", 2000), "x@y.z", "2020-01-01", "A", "a", fmt.Sprintf("v%d", w.r.IntN(1000)), fmt.Sprintf("V%d", w.r.IntN(1000))})
}

func (w *tortureWorld) basics() {
	of := func(name string, values ...string) {
		w.types = append(w.types, tortureType{name: name, value: func() string { return pickOf(w, values) }, array: true, bare: unordered(name), between: delimiter(name)})
	}
	by := func(name string, value func() string) {
		w.types = append(w.types, tortureType{name: name, value: value, array: true, bare: unordered(name), between: delimiter(name)})
	}
	whole := func(most int64) func() string {
		return func() string {
			if w.chance(20) {
				return fmt.Sprint(pickOf(w, []int64{0, most, -most, -most - 1, 1, -1}))
			}
			return fmt.Sprint(w.r.IntN(2000) - 1000)
		}
	}
	by("smallint", whole(32767))
	by("integer", whole(2147483647))
	by("bigint", whole(9223372036854775807))
	by("text", w.anyText)
	by("text", w.anyText)
	by("varchar", w.anyText)
	by("varchar(20)", func() string { s := []rune(w.anyText()); return string(s[:min(20, len(s))]) })
	by("char(7)", func() string { s := []rune(w.anyText()); return string(s[:min(7, len(s))]) })
	by("bpchar", w.anyText)
	by("name", func() string { s := []rune(w.anyText()); return string(s[:min(15, len(s))]) })
	by(`"char"`, func() string { return pickOf(w, []string{"a", "", "x", `\`, `"`, ",", `\377`, `\200`, "\n"}) })
	by("json", func() string { return w.document(3, true) })
	by("jsonb", func() string { return w.document(3, false) })
	by("numeric", func() string {
		return pickOf(w, []string{"NaN", "Infinity", "-Infinity", "0", "0.000", "1e1000", "-1.5e-300", "123456789012345678901234567890.123456789", "1.10", "1.1", fmt.Sprint(w.r.IntN(100))})
	})
	by("bytea", func() string {
		return pickOf(w, []string{`\x`, `\x00`, `\x5c`, `\x5c2e`, `\xdeadbeef`, `\x` + strings.Repeat("5c00", 3000), fmt.Sprintf(`\x%02x`, w.r.IntN(256))})
	})
	by("uuid", func() string {
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", w.r.Uint32(), w.r.IntN(4))
	})
	by("bit(9)", func() string { return fmt.Sprintf("%09b", w.r.IntN(512)) })
	by("bit varying", func() string { return pickOf(w, []string{"", "0", "1", "101010101010101", strings.Repeat("01", 500)}) })
	by("int4range", func() string { return w.span() })
	by("int8range", func() string { return w.span() })
	by("numrange", func() string { return w.span() })
	by("int4multirange", func() string { return w.spans() })
	by("nummultirange", func() string { return w.spans() })
	of("boolean", "t", "f")
	of("numeric(10,3)", "0", "1.5", "NaN", "-9999999.999", "7")
	of("numeric(4,-2)", "100", "-99900", "NaN")
	of("numeric(3,5)", "0.00999", "0")
	of("real", "NaN", "Infinity", "-Infinity", "-0", "1e-45", "3.4028235e38", "1.1", "0.1")
	of("double precision", "NaN", "Infinity", "-Infinity", "-0", "4.9e-324", "1.7976931348623157e308", "0.1", "2.5")
	of("money", "1.23", "-92233720368547758.08", "0", "92233720368547758.07")
	of("date", "infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2024-02-29", "0001-01-01", "1999-12-31")
	of("timestamp", "infinity", "-infinity", "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "2024-02-29 12:34:56.789", "1999-12-31 23:59:60")
	of("timestamp(2)", "2024-02-29 12:34:56.789", "infinity")
	of("timestamptz", "infinity", "-infinity", "4714-11-24 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00", "1890-01-01 00:00:00-04:56:02", "2024-03-31 02:30:00+01")
	of("time", "24:00:00", "00:00:00", "23:59:59.999999", "12:00")
	of("time(0)", "24:00:00", "12:00:01")
	of("timetz", "24:00:00-15:59:59", "00:00:00+15:59:59", "12:00:00.5+01")
	of("interval", "1 year -2 mons +3 days 04:05:06.789", "-178000000 years", "178000000 years", "00:00:00", "1 mon", "30 days", "720:00:00", "-0.000001")
	of("interval day to second(1)", "1 day 00:00:01.5", "-3 days")
	of("interval year to month", "1 year 2 mons")
	of("inet", "10.0.0.1/8", "::1", "::ffff:1.2.3.4", "0.0.0.0/0", "fe80::1/64", "255.255.255.255")
	of("cidr", "10.0.0.0/8", "::/0", "2001:db8::/32", "1.2.3.4/32")
	of("macaddr", "08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff")
	of("macaddr8", "08:00:2b:01:02:03:04:05", "00:00:00:00:00:00:00:00")
	of("point", "(1,2)", "(NaN,Infinity)", "(-0,1e-300)")
	of("line", "{1,2,3}", "{0,-1,5.5}")
	of("lseg", "[(0,0),(1,1)]")
	of("box", "(1,1),(0,0)", "(Infinity,1),(0,-Infinity)")
	of("path", "[(0,0),(1,1)]", "((0,0),(1,1),(2,0))")
	of("polygon", "((0,0),(1,1),(2,0))", "((1e300,0))")
	of("circle", "<(1,2),3>", "<(0,0),0>")
	of("xml", "<a>&lt;x</a>", "<a b='c'/>", "text", "<!-- x --><a/>", "<a>\n</a>")
	of("tsvector", "'fat':1A 'cat':3,5B 'o''k':2", "", `'\\' ' ' 'a b':1`)
	of("tsquery", "'fat' & ('cat' | !'rat')", "", "'a' <-> 'b'", "'x':*AB")
	of("jsonpath", "$.a[*]?(@ > 1)", "strict $", `$."a b"`)
	of("daterange", "empty", "[2020-01-01,2020-02-01)", "(,)", "[infinity,]", "[-infinity,infinity]")
	of("tsrange", "empty", `["2020-01-01 00:00:00",)`, "(,infinity]")
	of("tstzrange", "empty", `["2020-01-01 00:00:00+00","2020-02-01 00:00:00+00"]`, "(,)")
	of("tstzmultirange", "{}", "{[2020-01-01,2020-01-02),[2021-01-01,)}")
	of("datemultirange", "{}", "{(,2020-01-01),[2021-01-01,2021-02-01)}")
	of("oid", "0", "4294967295", "42", "7")
	of("xid", "1", "4294967295")
	of("xid8", "1", "18446744073709551615")
	of("cid", "1", "0")
	of("tid", "(0,1)", "(4294967295,65535)")
	of("pg_lsn", "0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF")
	of("txid_snapshot", "10:20:10,14,15", "1:1:")
	of("pg_snapshot", "10:20:10,14,15")
	of("regclass", "pg_class", "0", "pg_type", "-")
	of("regtype", "integer", "text[]", "0", "character varying")
	of("regproc", "0", "pg_catalog.now", "-")
	of("regprocedure", "abs(integer)", "0")
	of("regoper", "0", "pg_catalog.||/")
	of("regoperator", "+(integer,integer)", "0")
	of("regnamespace", "pg_catalog", "0", "public")
	of("regrole", "pg_monitor", "0")
	of("regcollation", `"C"`, "0")
	of("regconfig", "simple", "pg_catalog.simple")
	of("regdictionary", "simple")
	of("int2vector", "1 2 3", "")
	of("oidvector", "1 2 3", "")
	of("aclitem", "postgres=r/postgres", "=r/postgres")
	of("refcursor", "x", "")
	for _, e := range []string{"citext", "hstore", "ltree", "pg_trgm", "cube", "isn", "intarray", "seg", "lo", "unaccent", "uuid-ossp", "earthdistance"} {
		if w.chance(60) {
			s := "public"
			if w.chance(30) {
				s = "ext"
				w.try("CREATE SCHEMA ext")
			}
			w.try("CREATE EXTENSION %s WITH SCHEMA %s", ident(e), s)
			switch e {
			case "citext":
				by(s+".citext", w.anyText)
			case "hstore":
				of(s+".hstore", "", `"a"=>"1", "b"=>NULL`, `"a b"=>"c\"d", "\\"=>""`)
			case "ltree":
				of(s+".ltree", "", "a.b.c", "Top.Science")
				of(s+".lquery", "*.a.*", "a|b.c{1,2}")
			case "cube":
				of(s+".cube", "(1,2,3)", "(0),(1)", "(NaN)")
			case "isn":
				of(s+".isbn", "978-0-393-04002-9")
				of(s+".issn", "1436-4522")
			case "seg":
				of(s+".seg", "1.5 .. 2.50", "~3", "<4")
			case "lo":
				of(s+".lo", "0", "7")
			}
		}
	}
}

// unordered tells the types that no key can hold.
func unordered(name string) bool {
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		name = name[at+1:]
	}
	return slices.Contains(strings.Fields("json xml point line lseg box path polygon circle xid cid aclitem jsonpath txid_snapshot pg_snapshot refcursor int2vector lquery"), name)
}

// delimiter stands between the elements of arrays.
func delimiter(name string) string {
	if name == "box" {
		return ";"
	}
	return ","
}

// span is a range over the integers.
func (w *tortureWorld) span() string {
	a := w.r.IntN(1000)
	return pickOf(w, []string{"empty", "(,)", fmt.Sprintf("[%d,%d)", a, a+1+w.r.IntN(5)), fmt.Sprintf("[%d,%d]", a, a), fmt.Sprintf("(,%d]", a), fmt.Sprintf("[%d,)", a)})
}

func (w *tortureWorld) spans() string {
	var parts []string
	at := 0
	for range w.r.IntN(4) {
		at += 2 + w.r.IntN(9)
		parts = append(parts, fmt.Sprintf("[%d,%d)", at, at+1))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// document is JSON; as text it may have blanks and repeated keys.
func (w *tortureWorld) document(depth int, text bool) string {
	blank := ""
	if text && w.chance(30) {
		blank = "  "
	}
	if depth == 0 || w.chance(40) {
		return pickOf(w, []string{"null", "true", "1", "-0", "1.10", "1e400", `""`, `"a\"b\\c\n"`, `"é😀"`, `"\u00e9"`, "12345678901234567890.123", "{}", "[]"})
	}
	var parts []string
	if w.chance(50) {
		for range w.r.IntN(4) {
			parts = append(parts, pickOf(w, []string{`"a"`, `"b c"`, `""`, `"\"q"`})+blank+":"+w.document(depth-1, text))
		}
		return "{" + blank + strings.Join(parts, ","+blank) + "}"
	}
	for range w.r.IntN(4) {
		parts = append(parts, w.document(depth-1, text))
	}
	return "[" + strings.Join(parts, blank+",") + "]"
}

// within quotes a text to stand in an array, a row or a range.
func within(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// valueOf is a value of a type; NULL now and then.
func (w *tortureWorld) valueOf(t tortureType) (text string, null bool) {
	if w.chance(12) {
		return "", true
	}
	return t.value(), false
}

func (w *tortureWorld) literal(t tortureType) string {
	s, null := w.valueOf(t)
	if null {
		return "NULL"
	}
	return textLiteral(s) + "::" + t.name
}

// arrayOf is the array type over a type.
func (w *tortureWorld) arrayOf(t tortureType) tortureType {
	var fill func(depth, width int) string
	fill = func(depth, width int) string {
		var parts []string
		for range width {
			if depth > 1 {
				parts = append(parts, fill(depth-1, width))
			} else if s, null := w.valueOf(t); null {
				parts = append(parts, "NULL")
			} else {
				parts = append(parts, within(s))
			}
		}
		return "{" + strings.Join(parts, t.between) + "}"
	}
	return tortureType{name: t.name + "[]", bare: t.bare, labels: t.labels, between: t.between, value: func() string {
		if w.chance(15) {
			return "{}"
		}
		depth, width := 1+w.r.IntN(3), 1+w.r.IntN(3)
		head := ""
		if w.chance(25) {
			for range depth {
				low := w.r.IntN(7) - 3
				head += fmt.Sprintf("[%d:%d]", low, low+width-1)
			}
			head += "="
		}
		return head + fill(depth, width)
	}}
}

func (w *tortureWorld) anyType() tortureType {
	t := pickOf(w, w.types)
	if t.array && w.chance(20) {
		return w.arrayOf(t)
	}
	return t
}

// makeType makes a type out of others.
func (w *tortureWorld) makeType() {
	name := w.newName()
	add := func(value func() string, bare, labels bool, between string) {
		t := tortureType{name: name, value: value, bare: bare, labels: labels, between: between, array: true}
		w.types = append(w.types, t, t)
	}
	switch w.r.IntN(5) {
	case 0:
		var labels, quoted []string
		for i := range 1 + w.r.IntN(5) {
			l := []rune(w.anyText())
			labels = append(labels, string(l[:min(12, len(l))])+fmt.Sprint(i))
			quoted = append(quoted, textLiteral(labels[i]))
		}
		w.try("CREATE TYPE %s AS ENUM (%s)", name, strings.Join(quoted, ", "))
		if w.chance(30) {
			w.try("ALTER TYPE %s ADD VALUE 'first' BEFORE %s", name, quoted[0])
		}
		add(func() string { return pickOf(w, labels) }, false, true, ",")
	case 1:
		var fields []tortureType
		var ddl []string
		for range w.r.IntN(5) {
			f := w.anyType()
			fields = append(fields, f)
			ddl = append(ddl, ident(w.name())+" "+f.name)
		}
		w.try("CREATE TYPE %s AS (%s)", name, strings.Join(ddl, ", "))
		dropped := false
		if len(ddl) > 1 && w.chance(15) {
			dropped = true
			w.try("ALTER TYPE %s DROP ATTRIBUTE %s", name, strings.SplitAfter(ddl[0], `" `)[0])
		}
		add(func() string {
			var parts []string
			for i, f := range fields {
				if i == 0 && dropped {
					continue
				}
				if s, null := w.valueOf(f); null {
					parts = append(parts, "")
				} else {
					parts = append(parts, within(s))
				}
			}
			return "(" + strings.Join(parts, ",") + ")"
		}, len(fields) == 0 || slices.ContainsFunc(fields, func(t tortureType) bool { return t.bare }),
			slices.ContainsFunc(fields, func(t tortureType) bool { return t.labels }), ",")
	case 2, 3:
		t := w.anyType()
		more := pickOf(w, []string{"", "", " NOT NULL", " CHECK (VALUE::text <> 'never')", " CONSTRAINT \"o'dd\" CHECK (length(VALUE::text) < 100000)", " DEFAULT NULL", ` COLLATE "C"`})
		w.try("CREATE DOMAIN %s AS %s%s", name, t.name, more)
		add(t.value, t.bare, t.labels, t.between)
	default:
		t := pickOf(w, w.types)
		if w.chance(70) {
			t = tortureType{name: pickOf(w, []string{"text", "float8", "integer", "inet", "uuid", "time", "numeric"})}
			for _, known := range w.types {
				if known.name == t.name {
					t = known
				}
			}
			if t.value == nil {
				return
			}
		}
		if len(name) > 50 {
			return // the server cuts the name of the multirange in the middle of a character
		}
		w.try("CREATE TYPE %s AS RANGE (SUBTYPE = %s)", name, t.name)
		add(func() string {
			a, b := t.value(), t.value()
			return pickOf(w, []string{"empty", "(,)", "[" + within(a) + "," + within(a) + "]", "[" + within(a) + ",)", "(," + within(b) + ")"})
		}, false, t.labels, ",")
	}
}

// makeTable makes a table with rows.
func (w *tortureWorld) makeTable() {
	t := tortureTable{name: w.newName()}
	var ddl []string
	for range w.r.IntN(11) {
		c := tortureColumn{name: ident(w.name()), typ: w.anyType()}
		more := ""
		if w.chance(10) {
			more += " NOT NULL"
		}
		if w.chance(8) {
			if l := w.literal(c.typ); len(l) < 400 {
				more += " DEFAULT " + l
			}
		}
		if w.chance(10) && !c.typ.bare {
			more += pickOf(w, []string{" UNIQUE", " UNIQUE NULLS NOT DISTINCT", " UNIQUE DEFERRABLE", ` COLLATE "C"`, " UNIQUE DEFERRABLE INITIALLY DEFERRED"})
		}
		t.columns = append(t.columns, c)
		ddl = append(ddl, c.name+" "+c.typ.name+more)
	}
	id := ident(w.name())
	switch w.r.IntN(8) {
	case 0, 1:
		ddl = append(ddl, id+" "+pickOf(w, []string{"bigint", "int", "smallint"})+" GENERATED "+pickOf(w, []string{"ALWAYS", "BY DEFAULT"})+" AS IDENTITY"+pickOf(w, []string{"", " (START -5 INCREMENT 3 MINVALUE -10)", " (INCREMENT -1)"})+pickOf(w, []string{"", " PRIMARY KEY"}))
	case 2:
		ddl = append(ddl, id+" serial"+pickOf(w, []string{"", " PRIMARY KEY"}))
	case 3, 4:
		if len(t.columns) > 0 {
			var key []string
			for _, c := range t.columns {
				if len(key) < 1+w.r.IntN(3) && !c.typ.bare {
					key = append(key, c.name)
				}
			}
			ddl = append(ddl, "PRIMARY KEY ("+strings.Join(key, ", ")+")"+pickOf(w, []string{"", " DEFERRABLE", " INITIALLY DEFERRED"}))
		}
	}
	if len(t.columns) > 0 && w.chance(30) {
		c := pickOf(w, t.columns)
		ddl = append(ddl, ident(w.name())+" text GENERATED ALWAYS AS (CASE WHEN "+c.name+" IS NULL THEN 'none' ELSE 'some' END) STORED")
	}
	unlogged := ""
	if w.chance(8) {
		unlogged = "UNLOGGED "
	}
	// The table itself has to be there, so what is not needed is tried afterwards.
	if w.chance(15) && len(t.columns) > 0 {
		w.partitioned(&t, ddl)
	} else {
		w.try("CREATE %sTABLE %s (%s)", unlogged, t.name, strings.Join(ddl, ", "))
		var plain []string
		for _, c := range t.columns {
			plain = append(plain, c.name+" "+c.typ.name)
		}
		w.try("CREATE TABLE %s (%s)", t.name, strings.Join(plain, ", "))
	}
	w.tables = append(w.tables, t)
	w.fill(t, 1+w.r.IntN(12))
}

// partitioned makes a partitioned table, whose partitions have their columns in
// another order and holes between.
func (w *tortureWorld) partitioned(t *tortureTable, ddl []string) {
	by := pickOf(w, t.columns)
	key, how := by.name, pickOf(w, []string{"HASH", "LIST", "RANGE"})
	if by.typ.labels || strings.Contains(by.typ.name, ".is") {
		how = "LIST" // isn has no hash that partitions need, and the server only finds out later
	}
	w.try("CREATE TABLE %s (%s) PARTITION BY %s (%s)", t.name, strings.Join(ddl, ", "), how, key)
	var plain []string
	for _, i := range w.r.Perm(len(t.columns)) {
		plain = append(plain, t.columns[i].name+" "+t.columns[i].typ.name)
	}
	w.try("CREATE TABLE %s (%s) PARTITION BY %s (%s)", t.name, strings.Join(plain, ", "), how, key)
	for i := range 2 {
		part := w.newName()
		bound := fmt.Sprintf("FOR VALUES WITH (MODULUS 2, REMAINDER %d)", i)
		if how != "HASH" {
			bound = "DEFAULT"
		}
		switch w.r.IntN(3) {
		case 0:
			w.try("CREATE TABLE %s PARTITION OF %s %s", part, t.name, bound)
		case 1:
			if how == "HASH" || !by.typ.labels {
				w.try("CREATE TABLE %s PARTITION OF %s %s PARTITION BY HASH (%s)", part, t.name, bound, key)
			}
			for j := range 2 {
				w.try("CREATE TABLE %s PARTITION OF %s FOR VALUES WITH (MODULUS 2, REMAINDER %d)", w.newName(), part, j)
			}
		default:
			var other []string
			for _, i := range w.r.Perm(len(t.columns)) {
				other = append(other, ident(w.name())+" int", t.columns[i].name+" "+t.columns[i].typ.name)
			}
			w.try("CREATE TABLE %s (%s)", part, strings.Join(other, ", "))
			for i := 0; i < len(other); i += 2 {
				w.try("ALTER TABLE %s DROP COLUMN %s", part, strings.TrimSuffix(other[i], " int"))
			}
			w.try("ALTER TABLE %s ATTACH PARTITION %s %s", t.name, part, bound)
			w.try("CREATE TABLE %s PARTITION OF %s %s", part, t.name, bound)
		}
	}
}

func (w *tortureWorld) fill(t tortureTable, rows int) {
	if len(t.columns) == 0 {
		w.try("INSERT INTO %s SELECT FROM generate_series(1, %d)", t.name, rows)
		w.try("INSERT INTO %s DEFAULT VALUES", t.name)
		return
	}
	for range rows {
		var names, values []string
		for _, c := range t.columns {
			names = append(names, c.name)
			values = append(values, w.literal(c.typ))
		}
		w.try("INSERT INTO %s (%s) VALUES (%s)", t.name, strings.Join(names, ", "), strings.Join(values, ", "))
	}
}

func (w *tortureWorld) column() (t tortureTable, c tortureColumn, ok bool) {
	t = pickOf(w, w.tables)
	if len(t.columns) == 0 {
		return t, c, false
	}
	return t, pickOf(w, t.columns), true
}

// alter changes a table, or puts a constraint or an index on it.
func (w *tortureWorld) alter() {
	t, c, ok := w.column()
	if !ok {
		return
	}
	other, d, _ := w.column()
	switch w.r.IntN(18) {
	case 0: // a foreign key, with rows that have it
		if d.name == "" || d.typ.bare {
			return
		}
		col := ident(w.name())
		w.try("ALTER TABLE %s ADD UNIQUE (%s)", other.name, d.name)
		w.try("ALTER TABLE %s ADD COLUMN %s %s", t.name, col, d.typ.name)
		w.try("UPDATE %s SET %s = (SELECT %s FROM %s LIMIT 1 OFFSET %d)", t.name, col, d.name, other.name, w.r.IntN(3))
		w.try("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s)%s", t.name, col, other.name, d.name,
			pickOf(w, []string{"", " DEFERRABLE INITIALLY DEFERRED", " ON DELETE CASCADE", " NOT VALID", " MATCH FULL ON UPDATE SET NULL", " ON DELETE SET DEFAULT"}))
	case 1: // a key of itself
		if c.typ.bare {
			return
		}
		w.try("ALTER TABLE %s ADD UNIQUE (%s)", t.name, c.name)
		col := ident(w.name())
		w.try("ALTER TABLE %s ADD COLUMN %s %s", t.name, col, c.typ.name)
		w.try("UPDATE %s SET %s = %s", t.name, col, c.name)
		w.try("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (%s)", t.name, col, t.name, c.name)
	case 2:
		w.try("ALTER TABLE %s DROP COLUMN %s", t.name, c.name)
	case 3:
		w.try("ALTER TABLE %s ADD COLUMN %s int DEFAULT 7", t.name, ident(w.name()))
	case 4:
		w.try("ALTER TABLE %s ADD CONSTRAINT %s CHECK (num_nulls(%s) < 2)%s", t.name, ident(w.name()), c.name, pickOf(w, []string{"", " NOT VALID", " NO INHERIT"}))
	case 5:
		if method := pickOf(w, []string{"btree", "hash", "gist", "gin", "brin", "spgist"}); method != "btree" || !c.typ.bare {
			w.try("CREATE INDEX ON %s USING %s (%s)", t.name, method, c.name)
		}
	case 6:
		w.try("CREATE UNIQUE INDEX ON %s ((%s::text), %s) WHERE %s IS NOT NULL", t.name, c.name, c.name, c.name)
	case 7:
		w.try("ALTER TABLE %s ADD EXCLUDE USING gist (%s WITH %s)%s", t.name, c.name, pickOf(w, []string{"=", "&&", "<>"}), pickOf(w, []string{"", " DEFERRABLE", " WHERE (true)"}))
	case 8:
		w.try("ALTER TABLE %s ALTER COLUMN %s SET STORAGE %s", t.name, c.name, pickOf(w, []string{"EXTENDED", "MAIN"}))
	case 9:
		w.try("ALTER TABLE %s %s", t.name, pickOf(w, []string{"REPLICA IDENTITY FULL", "REPLICA IDENTITY NOTHING", "SET (fillfactor = 40)", "ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY", "SET UNLOGGED", "SET (autovacuum_enabled = off, toast.autovacuum_enabled = off)"}))
	case 10:
		child := tortureTable{name: w.newName(), columns: append([]tortureColumn{{ident(w.name()), w.anyType()}}, t.columns...)}
		w.try("CREATE TABLE %s (%s %s) INHERITS (%s)", child.name, child.columns[0].name, child.columns[0].typ.name, t.name)
		w.tables = append(w.tables, child)
		w.fill(child, 4)
	case 11:
		// A table's own row type as a column of another.
		typ := tortureType{name: t.name, value: func() string {
			var parts []string
			for _, c := range t.columns {
				if s, null := w.valueOf(c.typ); null {
					parts = append(parts, "")
				} else {
					parts = append(parts, within(s))
				}
			}
			return "(" + strings.Join(parts, ",") + ")"
		}, array: true, bare: true, labels: true, between: ","}
		if w.chance(50) {
			typ = w.arrayOf(typ)
		}
		u := tortureTable{name: w.newName(), columns: []tortureColumn{{ident(w.name()), typ}}}
		w.try("CREATE TABLE %s (%s %s)", u.name, u.columns[0].name, typ.name)
		w.tables = append(w.tables, u)
		w.fill(u, 4)
	case 12:
		w.try("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS 50; CREATE STATISTICS %s ON %s, %s FROM %s", t.name, c.name, w.newName(), c.name, d.name, t.name)
	case 13:
		w.try("INSERT INTO %s SELECT * FROM %s", t.name, t.name)
	case 14:
		w.try("ALTER TABLE %s RENAME COLUMN %s TO %s", t.name, c.name, ident(w.name()))
	case 15:
		f := w.newName()
		w.try("CREATE FUNCTION %s (%s) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'", f, c.typ.name)
		w.try("ALTER TABLE %s ADD CHECK (%s(%s))", t.name, f, c.name)
		w.try("CREATE INDEX ON %s (%s(%s))", t.name, f, c.name)
	case 16:
		seq := w.newName()
		w.try("CREATE SEQUENCE %s INCREMENT %d", seq, 1+w.r.IntN(4))
		w.try("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT nextval(%s)", t.name, c.name, textLiteral(seq))
		w.try("INSERT INTO %s DEFAULT VALUES", t.name)
		if w.chance(50) {
			w.try("ALTER SEQUENCE %s OWNED BY %s.%s", seq, t.name, c.name)
		}
	default:
		w.try("CLUSTER %s USING x; ALTER TABLE %s CLUSTER ON x", t.name, t.name)
		w.try("CREATE TABLE %s (LIKE %s INCLUDING ALL)", w.newName(), t.name)
	}
}

// makeObject makes what is no table.
func (w *tortureWorld) makeObject() {
	t, c, ok := w.column()
	if !ok {
		return
	}
	n := w.newName()
	switch w.r.IntN(12) {
	case 0:
		w.try("CREATE VIEW %s AS SELECT * FROM %s", n, t.name)
		w.tables = append(w.tables, tortureTable{name: n, columns: t.columns})
	case 1:
		w.try("CREATE MATERIALIZED VIEW %s AS SELECT * FROM %s%s", n, t.name, pickOf(w, []string{"", "", " WITH NO DATA"}))
		w.try("CREATE UNIQUE INDEX ON %s (%s)", n, c.name)
	case 2:
		w.try("CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'", n)
		w.try("CREATE TRIGGER %s BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %s()", ident(w.name()), t.name, n)
		if w.chance(40) {
			w.try("ALTER TABLE %s %s TRIGGER ALL", t.name, pickOf(w, []string{"DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA"}))
		}
	case 3:
		w.try("CREATE RULE %s AS ON %s TO %s DO %s NOTHING", ident(w.name()), pickOf(w, []string{"INSERT", "UPDATE", "DELETE"}), t.name, pickOf(w, []string{"INSTEAD", "ALSO"}))
	case 4:
		w.try("CREATE POLICY %s ON %s USING (%s IS NULL)", ident(w.name()), t.name, c.name)
	case 5:
		w.try("CREATE FUNCTION %s(%s) RETURNS SETOF %s LANGUAGE sql AS 'SELECT NULL::%s'", n, c.typ.name, c.typ.name, strings.ReplaceAll(c.typ.name, "'", "''"))
	case 6:
		w.try("CREATE AGGREGATE %s (int) (sfunc = int4pl, stype = int)", n)
	case 7:
		w.try("CREATE OPERATOR %s (leftarg = %s, rightarg = %s, function = pg_catalog.record_eq)", "===", c.typ.name, c.typ.name)
	case 8:
		w.try("CREATE COLLATION %s (provider = icu, locale = 'und-u-ks-level2', deterministic = false)", n)
		w.try("ALTER TABLE %s ALTER COLUMN %s TYPE text COLLATE %s", t.name, c.name, n)
		if !c.typ.bare { // where the collation does not take, its type stays
			w.try("ALTER TABLE %s ADD UNIQUE (%s)", t.name, c.name)
		}
	case 9:
		w.try("CREATE TEXT SEARCH CONFIGURATION %s (COPY = simple)", n)
	case 10:
		w.try("CREATE SEQUENCE %s AS smallint INCREMENT -2 CYCLE", n)
	default:
		w.try("CREATE PROCEDURE %s() LANGUAGE sql AS 'SELECT 1'", n)
		w.try("CREATE VIEW %s AS SELECT count(*) AS n, max(%s::text) AS m FROM %s", w.newName(), c.name, t.name)
	}
}
