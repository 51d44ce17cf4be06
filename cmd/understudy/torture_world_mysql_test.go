package main

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// A mysqlWorld makes up a database of hard cases for MariaDB and MySQL. It does not
// know what the server allows: what is refused is not there.
type mysqlWorld struct {
	r      *rand.Rand
	maria  bool
	out    []string
	tables []mysqlWorldTable
	names  int
}

type mysqlWorldTable struct {
	name    string // quoted
	columns []mysqlWorldColumn
	keys    [][]int // columns of keys that rows can be referenced by
}

type mysqlWorldColumn struct {
	name    string // quoted
	typ     mysqlWorldType
	notNull bool
	refers  bool // of a foreign key
}

// A mysqlWorldType is a type as DDL writes it, and literals of it.
type mysqlWorldType struct {
	ddl   string
	value func() string
	key   string // behind the column's name in a key: a length, or nothing
	bare  bool   // no key can hold it
	// loose: values that differ in more than case are one to a key, as é and e.
	loose bool
}

func newMySQLWorld(seed uint64, maria bool) []string {
	w := &mysqlWorld{r: rand.New(rand.NewPCG(seed, 43)), maria: maria}
	w.out = append(w.out, "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'")
	for range 8 + w.r.IntN(6) {
		w.table()
	}
	for range 12 {
		w.alter()
	}
	for range 10 {
		w.object()
	}
	return w.out
}

func (w *mysqlWorld) try(format string, args ...any) {
	w.out = append(w.out, fmt.Sprintf(format, args...))
}

func (w *mysqlWorld) chance(percent int) bool { return w.r.IntN(100) < percent }

func oneOf[T any](w *mysqlWorld, list ...T) T { return list[w.r.IntN(len(list))] }

// name makes a new name, often a hostile one, in backquotes.
func (w *mysqlWorld) name() string {
	w.names++
	n := fmt.Sprintf("n%d", w.names)
	if w.chance(40) {
		n = oneOf(w, "a`b", `d"q`, "tab\there", "per%cent", `back\slash`, "sq'uote", "$1", "-- x", "/* x */", "; DROP", " lead", "a.b", "{x}", "*", "a,b", "(x)", "select", "CAPS", "é", "e\u0301", ":x", "#", "@", "?", "漢字", "\u0085") + n
	}
	return "`" + strings.ReplaceAll(n, "`", "``") + "`"
}

func textOf(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\x00", `\0`).Replace(s) + "'"
}

// text is a text that is easily misread.
func (w *mysqlWorld) text(wide bool) string {
	list := []string{"", " ", "trail  ", "NULL", `\N`, `\`, `\\`, `"`, "'", "''", "a,b", "tab\t", "nl\nx", "cr\r", "\x01\x7f", "\x00", "\x1a", "é", "ß", "É", "ä", "A", "a", "0", "-1", "1e5", "0x41", "%s%d", "$1", "x@y.z", "2020-01-01", "(0,0)", "--", "/*", fmt.Sprintf("v%d", w.r.IntN(1000)), fmt.Sprintf("V%d", w.r.IntN(1000)), fmt.Sprintf("k%d", w.r.IntN(100000))}
	if wide {
		list = append(list, "😀", "e\u0301", "漢字", strings.Repeat("é\\", 20))
	}
	return textOf(oneOf(w, list...))
}

func (w *mysqlWorld) digits(n int) string {
	var b strings.Builder
	b.WriteByte(byte('1' + w.r.IntN(9)))
	for range n - 1 {
		b.WriteByte(byte('0' + w.r.IntN(10)))
	}
	return b.String()
}

func (w *mysqlWorld) typ() mysqlWorldType {
	sign := func() string { return oneOf(w, "", "", "-") }
	integer := func(name string, bits uint) mysqlWorldType {
		unsigned := w.chance(40)
		ddl := name
		if unsigned {
			ddl += oneOf(w, " unsigned", " unsigned", " unsigned zerofill")
		}
		return mysqlWorldType{ddl: ddl, value: func() string {
			n := w.r.Uint64() >> (64 - bits)
			if w.chance(60) {
				n %= 50
			}
			if unsigned {
				return strconv.FormatUint(n, 10)
			}
			return sign() + strconv.FormatUint(n/2, 10)
		}}
	}
	clock := func() string {
		return fmt.Sprintf("%02d:%02d:%02d.%06d", w.r.IntN(24), w.r.IntN(60), w.r.IntN(60), w.r.IntN(1000000))
	}
	day := func() string { return fmt.Sprintf("%04d-%02d-%02d", 1971+w.r.IntN(66), 1+w.r.IntN(12), 1+w.r.IntN(28)) }
	fraction := func(name string) string { return name + oneOf(w, "", "(1)", "(3)", "(6)") }
	text := func(ddl, key string) mysqlWorldType {
		set := oneOf(w, "", "", "", " CHARACTER SET latin1", " CHARACTER SET utf8mb3", " COLLATE utf8mb4_bin", " COLLATE utf8mb4_unicode_ci", " COLLATE utf8mb4_general_ci")
		return mysqlWorldType{ddl: ddl + set, key: key, loose: !strings.HasSuffix(set, "_bin"), value: func() string { return w.text(!strings.Contains(set, "latin1") && !strings.Contains(set, "mb3")) }}
	}
	bytes := func() string {
		n := w.r.IntN(12)
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(oneOf(w, 0, 255, 13, 10, 26, 92, 39, 34, w.r.IntN(256)))
		}
		return fmt.Sprintf("x'%x'", b)
	}
	point := func() string { return fmt.Sprintf("ST_GeomFromText('POINT(%d.5 %d)')", w.r.IntN(90), w.r.IntN(90)) }
	switch w.r.IntN(22) {
	case 0:
		return integer("tinyint", 8)
	case 1:
		return integer("smallint", 16)
	case 2:
		return integer("mediumint", 24)
	case 3, 4:
		return integer("int", 32)
	case 5:
		return integer("bigint", 64)
	case 6:
		p := 1 + w.r.IntN(65)
		s := w.r.IntN(min(p, 30) + 1)
		return mysqlWorldType{ddl: fmt.Sprintf("decimal(%d,%d)", p, s), value: func() string {
			if p == s {
				return sign() + "0." + w.digits(s)
			}
			return sign() + w.digits(1+w.r.IntN(p-s)) + "." + w.digits(max(1, s))
		}}
	case 7:
		return mysqlWorldType{ddl: oneOf(w, "double", "float"), value: func() string { return oneOf(w, "0", "-0.5", "1e30", "1.5", "-3.25e-10", strconv.Itoa(w.r.IntN(1000))) }}
	case 8:
		n := 1 + w.r.IntN(64)
		return mysqlWorldType{ddl: fmt.Sprintf("bit(%d)", n), value: func() string { return strconv.FormatUint(w.r.Uint64()>>(64-n), 10) }}
	case 9:
		return mysqlWorldType{ddl: "year", value: func() string { return oneOf(w, "0", "1901", "2155", strconv.Itoa(1950+w.r.IntN(100))) }}
	case 10:
		return mysqlWorldType{ddl: "date", value: func() string {
			return "'" + oneOf(w, "0000-00-00", "2020-00-00", "9999-12-31", "1000-01-01", day(), day(), day()) + "'"
		}}
	case 11:
		return mysqlWorldType{ddl: fraction("datetime"), value: func() string {
			return "'" + oneOf(w, "0000-00-00 00:00:00", "9999-12-31 23:59:59", day()+" "+clock(), day()+" "+clock()) + "'"
		}}
	case 12:
		return mysqlWorldType{ddl: fraction("timestamp") + " NULL", value: func() string {
			return "'" + oneOf(w, "0000-00-00 00:00:00", "1970-01-01 00:00:01", "2038-01-19 03:14:07", day()+" "+clock(), day()+" "+clock()) + "'"
		}}
	case 13:
		return mysqlWorldType{ddl: fraction("time"), value: func() string {
			return "'" + oneOf(w, "-838:59:59", "838:59:59", "00:00:00", clock(), "-"+clock()) + "'"
		}}
	case 14, 15:
		return text(fmt.Sprintf(oneOf(w, "varchar(%d)", "varchar(%d)", "char(%d)"), 8+w.r.IntN(60)), "")
	case 16:
		return text(oneOf(w, "text", "tinytext", "mediumtext", "longtext"), "(10)")
	case 17:
		if w.chance(50) {
			return mysqlWorldType{ddl: oneOf(w, "blob", "tinyblob", "mediumblob", "longblob"), key: "(9)", value: bytes}
		}
		return mysqlWorldType{ddl: oneOf(w, "binary(12)", "varbinary(30)"), value: bytes}
	case 18:
		return mysqlWorldType{ddl: oneOf(w, `enum('a','b''c','d,e','ä','NULL')`, `enum('x')`), value: func() string { return oneOf(w, "1", "1", "'a'", "'ä'", "'b''c'", "''") }}
	case 19:
		return mysqlWorldType{ddl: `set('x','y y','z"')`, value: func() string { return strconv.Itoa(w.r.IntN(8)) }}
	case 20:
		return mysqlWorldType{ddl: "json", bare: true, value: func() string {
			return textOf(oneOf(w, `{}`, `[]`, `null`, `"x"`, `1.50`, `{"a": [1, null, {"b": "é"}]}`, `{"e": "x@y.z", "n": 12345678901234567890}`))
		}}
	}
	if w.maria && w.chance(70) {
		switch w.r.IntN(3) {
		case 0:
			return mysqlWorldType{ddl: "uuid", value: func() string { return fmt.Sprintf("'%08x-0000-4000-8000-%012x'", w.r.Uint32(), w.r.Uint32()) }}
		case 1:
			return mysqlWorldType{ddl: "inet6", value: func() string { return fmt.Sprintf("'2001:db8::%x'", w.r.IntN(1<<16)) }}
		}
		return mysqlWorldType{ddl: "inet4", value: func() string { return fmt.Sprintf("'10.0.%d.%d'", w.r.IntN(256), w.r.IntN(256)) }}
	}
	return mysqlWorldType{ddl: oneOf(w, "point", "geometry"), bare: true, value: point}
}

// table makes a table, with keys to those before it and to itself, and its rows.
func (w *mysqlWorld) table() {
	t := mysqlWorldTable{name: w.name()}
	for range 1 + w.r.IntN(9) {
		t.columns = append(t.columns, mysqlWorldColumn{name: w.name(), typ: w.typ()})
	}
	type key struct {
		from  []int
		to    *mysqlWorldTable
		there []int
	}
	var refs []key
	for range w.r.IntN(3) {
		if len(w.tables) == 0 {
			break
		}
		to := &w.tables[w.r.IntN(len(w.tables))]
		if len(to.keys) == 0 {
			continue
		}
		k := key{to: to, there: oneOf(w, to.keys...)}
		for _, at := range k.there {
			k.from = append(k.from, len(t.columns))
			t.columns = append(t.columns, mysqlWorldColumn{name: w.name(), typ: to.columns[at].typ, refers: true})
		}
		refs = append(refs, k)
	}
	part := func(list []int) string {
		var out []string
		for _, i := range list {
			out = append(out, t.columns[i].name+t.columns[i].typ.key)
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	var able []int
	for i, c := range t.columns {
		if !c.typ.bare {
			able = append(able, i)
		}
	}
	some := func(n int) []int {
		list := slices.Clone(able)
		w.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:min(n, len(list))]
	}
	var lines []string
	primary := some(oneOf(w, 0, 1, 1, 1, 1, 2, 3))
	for i, c := range t.columns {
		line := c.name + " " + c.typ.ddl
		if slices.Contains(primary, i) || w.chance(20) {
			line = strings.TrimSuffix(line, " NULL") + " NOT NULL"
			t.columns[i].notNull = true
		}
		if w.chance(10) {
			line += " COMMENT " + w.text(false)
		}
		lines = append(lines, line)
	}
	if len(primary) > 0 {
		lines = append(lines, "PRIMARY KEY "+part(primary))
	}
	apart := func(list []int) bool { // whose values a mask, too, tells apart as the key does
		return !slices.ContainsFunc(list, func(i int) bool { return t.columns[i].typ.key != "" || t.columns[i].typ.loose })
	}
	if len(primary) > 0 && apart(primary) {
		t.keys = append(t.keys, primary)
	}
	for range w.r.IntN(3) {
		list := some(1 + w.r.IntN(2))
		if len(list) == 0 {
			continue
		}
		unique := w.chance(40)
		lines = append(lines, map[bool]string{true: "UNIQUE ", false: ""}[unique]+"KEY "+w.name()+" "+part(list))
		if unique && apart(list) {
			t.keys = append(t.keys, list)
		}
	}
	bareList := func(columns []mysqlWorldColumn, list []int) string {
		var out []string
		for _, i := range list {
			out = append(out, columns[i].name)
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	for _, k := range refs {
		action := oneOf(w, "", "", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON DELETE RESTRICT ON UPDATE CASCADE", " ON UPDATE CASCADE")
		lines = append(lines, "CONSTRAINT "+w.name()+" FOREIGN KEY "+bareList(t.columns, k.from)+" REFERENCES "+k.to.name+" "+bareList(k.to.columns, k.there)+action)
	}
	// Of one column: MySQL 9.7 lets rows in whose key of several leads to no row of their own table.
	if single := slices.DeleteFunc(slices.Clone(t.keys), func(k []int) bool { return len(k) > 1 }); len(single) > 0 && w.chance(30) {
		to := oneOf(w, single...)
		k := key{to: &t, there: to}
		for _, at := range to {
			k.from = append(k.from, len(t.columns))
			c := mysqlWorldColumn{name: w.name(), typ: t.columns[at].typ, refers: true}
			t.columns = append(t.columns, c)
			lines = append(lines, c.name+" "+strings.TrimSuffix(c.typ.ddl, " NULL")+" NULL")
		}
		refs = append(refs, k)
		lines = append(lines, "CONSTRAINT "+w.name()+" FOREIGN KEY "+bareList(t.columns, k.from)+" REFERENCES "+t.name+" "+bareList(t.columns, k.there))
	}
	end := oneOf(w, "", "", "", " ROW_FORMAT = DYNAMIC", " ROW_FORMAT = COMPRESSED", " COMMENT = 'it''s a table'", " AUTO_INCREMENT = 50")
	if len(refs) == 0 && len(primary) > 0 && w.chance(15) {
		end += " PARTITION BY KEY " + bareList(t.columns, primary) + " PARTITIONS 3"
	}
	w.try("CREATE TABLE %s (%s)%s", t.name, strings.Join(lines, ", "), end)
	var names []string
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	for range w.r.IntN(20) {
		values := make([]string, len(t.columns))
		for i, c := range t.columns {
			if values[i] = c.typ.value(); w.chance(15) && !c.notNull {
				values[i] = "NULL"
			}
		}
		for _, k := range refs {
			at := w.r.IntN(5)
			for i, from := range k.from {
				values[from] = fmt.Sprintf("(SELECT %s FROM %s x ORDER BY 1 LIMIT 1 OFFSET %d)", k.to.columns[k.there[i]].name, k.to.name, at)
			}
		}
		w.try("INSERT INTO %s (%s) VALUES (%s)", t.name, strings.Join(names, ", "), strings.Join(values, ", "))
	}
	w.tables = append(w.tables, t)
}

// alter adds to a table what may stand there later.
func (w *mysqlWorld) alter() {
	t := oneOf(w, w.tables...)
	c := oneOf(w, t.columns...)
	switch w.r.IntN(8) {
	case 0:
		w.try("ALTER TABLE %s ADD COLUMN %s varchar(160) AS (concat(length(%s), 'x')) %s", t.name, w.name(), c.name, oneOf(w, "STORED", "VIRTUAL"))
	case 1:
		w.try("ALTER TABLE %s ADD COLUMN %s int NOT NULL DEFAULT 5 %s", t.name, w.name(), oneOf(w, "FIRST", "INVISIBLE", "AFTER "+c.name))
	case 2:
		w.try("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s IS NULL OR length(%s) >= 0)", t.name, w.name(), c.name, c.name)
	case 3:
		if !c.refers { // MariaDB takes it for the key that the foreign key needs, and drops that
			w.try("ALTER TABLE %s ADD FULLTEXT KEY %s (%s)", t.name, w.name(), c.name)
		}
	case 4:
		w.try("ALTER TABLE %s ADD COLUMN %s int NOT NULL AUTO_INCREMENT, ADD UNIQUE KEY (%s)", t.name, "`seq no`", "`seq no`")
	case 5:
		w.try("ALTER TABLE %s ADD COLUMN %s timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", t.name, w.name())
	case 6:
		w.try("CREATE UNIQUE INDEX %s ON %s (%s%s)", w.name(), t.name, c.name, c.typ.key)
	case 7:
		w.try("ALTER TABLE %s ALTER %s SET DEFAULT %s", t.name, c.name, c.typ.value())
	}
}

// object makes what stands beside tables.
func (w *mysqlWorld) object() {
	t := oneOf(w, w.tables...)
	c := oneOf(w, t.columns...)
	switch w.r.IntN(5) {
	case 0:
		w.try("CREATE VIEW %s AS SELECT %s AS v, count(*) AS n FROM %s GROUP BY %s", w.name(), c.name, t.name, c.name)
	case 1:
		w.try("CREATE TRIGGER %s %s %s ON %s FOR EACH ROW SET @x = %s", w.name(), oneOf(w, "BEFORE", "AFTER"), oneOf(w, "INSERT", "UPDATE", "DELETE"), t.name, w.text(false))
	case 2:
		w.try("CREATE FUNCTION %s (n int) RETURNS int DETERMINISTIC RETURN n + 1", w.name())
	case 3:
		w.try("CREATE PROCEDURE %s () BEGIN SELECT %s; SELECT 2; END", w.name(), w.text(false))
	case 4:
		w.try("CREATE EVENT %s ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM %s", w.name(), t.name)
	}
}

// TestTortureRandomOnMySQL carries databases that are made up, and masks them. With
// UNDERSTUDY_TORTURE_WORLDS and UNDERSTUDY_TORTURE_SEED it makes up more; a test's
// name ends with its seed.
func TestTortureRandomOnMySQL(t *testing.T) {
	scratchtest.Long(t)
	worlds, seed := 1, uint64(1)
	if v, err := strconv.Atoi(os.Getenv("UNDERSTUDY_TORTURE_WORLDS")); err == nil {
		worlds = v
	}
	if v, err := strconv.ParseUint(os.Getenv("UNDERSTUDY_TORTURE_SEED"), 10, 64); err == nil {
		seed = v
	}
	eachMySQL(t, func(t *testing.T, fresh func() (string, *sql.DB)) {
		product := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		for i := range worlds {
			seed := seed + uint64(i)
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				prod, from := fresh()
				from.SetMaxOpenConns(1)
				statement(t, from, "SET GLOBAL log_bin_trust_function_creators = 1")
				refused := 0
				all := newMySQLWorld(seed, product == "MariaDB")
				for _, s := range all {
					_, err := from.ExecContext(t.Context(), s)
					if err != nil {
						refused++
					}
					if os.Getenv("UNDERSTUDY_TORTURE_SHOW") != "" {
						t.Logf("%s: %v", s, err)
					}
				}
				tables := column(t, from, "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_type = 'BASE TABLE'")
				t.Logf("%s tables; of %d statements %d were refused", tables, len(all), refused)
				dump := func(address string) string {
					args := []string{"--routines", "--triggers", "--events", "--hex-blob", "--skip-comments", "--skip-extended-insert", "--complete-insert", "--ignore-table=" + databaseIn(address) + ".understudy_generation"}
					if product == "MySQL" {
						args = append(args, "--set-gtid-purged=OFF")
					}
					lines := strings.Split(string(clientOf(t, mysqlProgram(t, product, "mariadb-dump", "mysqldump"), address, nil, args...)), "\n")
					for i := 0; i < len(lines); i++ { // rows in any order
						from := i
						for i < len(lines) && strings.HasPrefix(lines[i], "INSERT INTO") {
							i++
						}
						slices.Sort(lines[from:i])
					}
					return strings.ReplaceAll(strings.Join(lines, "\n"), databaseIn(address), "the_database")
				}
				want := dump(prod)
				staging, _ := fresh()
				e := newErrand(t, prod, staging, plainJob(keepNone), nil)
				e.carriesAll(t, want, func() string { return dump(staging) })
				e.maskEverything(t)
				e.run(t, 0, "refresh")
				e.verifies(t)

				to := mysqlClient(t, staging) // which a server cannot silence
				for _, db := range []*sql.DB{from, to} {
					for name := range strings.SplitSeq(column(t, db, "SELECT coalesce(group_concat(hex(trigger_name)), '') FROM information_schema.triggers WHERE trigger_schema = database()"), ",") {
						plain, err := hex.DecodeString(name)
						if err != nil {
							t.Fatal(err)
						}
						if len(plain) > 0 {
							statement(t, db, "DROP TRIGGER `"+strings.ReplaceAll(string(plain), "`", "``")+"`")
						}
					}
				}
				want = dump(prod)
				e.write(t, "understudy.yaml", plainJob("load: {mode: replace}"))
				e.keepAll(t)
				e.run(t, 0, "refresh")
				counted := regexp.MustCompile(` AUTO_INCREMENT=\d+`) // where fakes left it
				same(t, "dumps after an exchange", counted.ReplaceAllString(want, ""), counted.ReplaceAllString(dump(staging), ""))
				e.run(t, 0, "verify")
			})
		}
	})
}
