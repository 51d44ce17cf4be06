package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A maker writes a file's structure and rows at random.
type maker struct {
	*rand.Rand
	taken  map[string]bool
	tables []madeTable
}

type madeTable struct {
	name    string
	columns []string // that are written
	key     []string
}

func (m *maker) pick(list ...string) string { return list[m.IntN(len(list))] }

// name makes a hostile name that no other is alike.
func (m *maker) name() string {
	for {
		var b strings.Builder
		for range 1 + m.IntN(4) {
			b.WriteString(m.pick("a", "B", "é", "É", " ", `"`, "'", "]", "`", ".", "select", "rowid", "oid", ",", "(", ")", "--", "/*", "\n", "%", "🦆", "$", "x1", "_", "K", "k", "K"))
		}
		name := b.String()
		if !m.taken[small(name)] && !strings.HasPrefix(small(name), "sqlite_") {
			m.taken[small(name)] = true
			return name
		}
	}
}

func (m *maker) collation() string {
	return m.pick("", "", "", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY")
}

// value writes a literal of any storage class; plain ones go into STRICT tables.
func (m *maker) value(plain string) string {
	number := m.pick("0", "1", "-1", "9223372036854775807", "-9223372036854775808", fmt.Sprint(m.IntN(20)), fmt.Sprint(m.IntN(20)))
	text := m.pick("''", "'a'", "'A'", "'a '", "'12'", "'1.0'", "char(0)", "'x' || char(0) || 'y'", "cast(x'ff00fe' AS TEXT)", "'日本'", fmt.Sprintf("'t%d'", m.IntN(20)), fmt.Sprintf("'T%d'", m.IntN(20)))
	bytes := m.pick("x''", "x'00'", "x'61'", "x'ff'", "zeroblob(5000)", fmt.Sprintf("randomblob(%d)", m.IntN(40)))
	real := m.pick("0.5", "-0.0", "1.0", "9e999", "-9e999", "1e300", "5e-324", "123456789012345678.0", fmt.Sprintf("%d.25", m.IntN(20)))
	switch {
	case m.IntN(6) == 0:
		return "NULL"
	case plain == "INTEGER" || plain == "INT":
		return number
	case plain == "TEXT":
		return text
	case plain == "BLOB":
		return bytes
	case plain == "REAL":
		return m.pick(real, real, number)
	}
	return m.pick(number, text, bytes, real)
}

// table writes one table, its indexes and its rows.
func (m *maker) table() (structure, rows []string) {
	t := madeTable{name: m.name()}
	strict, flat := m.IntN(4) == 0, m.IntN(4) == 0
	types := []string{"INTEGER", "TEXT", "BLOB", "REAL", "ANY"}
	if !strict {
		types = append(types, "", "NUMERIC", "VARCHAR(3)", "DATETIME", "BOOLEAN", `"odd ""type"`, "DECIMAL(10,2)", "FLOAT", "UUID", "JSON", "BIG INT")
	}
	var items, declared []string
	outer := m.taken
	m.taken = map[string]bool{}
	for range 1 + m.IntN(7) {
		name, kind := m.name(), m.pick(types...)
		t.columns, declared = append(t.columns, name), append(declared, kind)
		items = append(items, quote(name)+" "+kind+m.collation()+m.pick("", "", "", " DEFAULT 7", " DEFAULT ('x,)')", " CHECK (1 OR "+quote(name)+" <> ')')", " UNIQUE ON CONFLICT IGNORE"))
	}
	computed := ""
	if m.IntN(3) == 0 {
		computed = m.name()
		items = append(items, quote(computed)+" "+m.pick("TEXT", "ANY")+" AS (quote("+quote(t.columns[0])+") || '!') "+m.pick("STORED", "VIRTUAL"))
	}
	m.taken = outer
	switch {
	case flat || m.IntN(3) == 0:
		for _, i := range m.Perm(len(t.columns))[:1+m.IntN(min(3, len(t.columns)))] {
			t.key = append(t.key, t.columns[i])
		}
		items = append(items, "PRIMARY KEY ("+quotes(t.key)+")"+m.pick("", " ON CONFLICT REPLACE"))
	case m.IntN(2) == 0:
		name := fmt.Sprintf("id %d", m.IntN(1000))
		t.key, t.columns, declared = []string{name}, append(t.columns, name), append(declared, "INTEGER")
		items = append([]string{quote(name) + " INTEGER PRIMARY KEY" + m.pick("", " AUTOINCREMENT")}, items...)
	}
	if len(m.tables) > 0 && m.IntN(2) == 0 {
		to := m.tables[m.IntN(len(m.tables))]
		if len(to.key) > 0 && len(to.key) <= len(t.columns) {
			items = append(items, "FOREIGN KEY ("+quotes(t.columns[:len(to.key)])+") REFERENCES "+quote(to.name)+m.pick("", " ("+quotes(to.key)+")")+m.pick("", " ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED"))
		}
	}
	var options []string
	if strict {
		options = append(options, "STRICT")
	}
	if flat && len(t.key) > 0 {
		options = append(options, "WITHOUT ROWID")
	}
	structure = append(structure, "CREATE TABLE "+quote(t.name)+" ("+strings.Join(items, ", ")+") "+strings.Join(options, ", "))
	index := func(format string) {
		structure = append(structure, "CREATE "+m.pick("", "", "UNIQUE ")+"INDEX "+quote(m.name())+" ON "+quote(t.name)+" ("+fmt.Sprintf(format, quote(t.columns[m.IntN(len(t.columns))]))+")"+m.pick("", " WHERE "+quote(t.columns[0])+" IS NOT NULL"))
	}
	for range m.IntN(3) {
		index(m.pick("%s", "%s DESC", "%s COLLATE NOCASE", "lower(%s)", "typeof(%[1]s), %[1]s", "length(%s) + 1"))
	}
	if m.IntN(3) == 0 {
		structure = append(structure, "CREATE VIEW "+quote(m.name())+" AS SELECT "+quotes(t.columns)+" FROM "+quote(t.name),
			"CREATE TRIGGER "+quote(m.name())+" BEFORE INSERT ON "+quote(t.name)+" WHEN (SELECT count(*) FROM pragma_table_list) > 0 BEGIN SELECT raise(ABORT, 'fired'); END")
	}
	for range m.IntN(25) {
		values := make([]string, len(declared))
		for i, kind := range declared {
			values[i] = m.value(kind)
			if !strict && kind == "" {
				values[i] = m.value("")
			}
		}
		rows = append(rows, "INSERT OR IGNORE INTO "+quote(t.name)+" ("+quotes(t.columns)+") VALUES ("+strings.Join(values, ", ")+")")
	}
	if m.IntN(4) == 0 {
		rows = append(rows, "DELETE FROM "+quote(t.name)+" WHERE abs(random()) % 3 = 0")
	}
	m.tables = append(m.tables, t)
	return structure, rows
}

// lines tells a file: the objects, and each row as it crosses the line.
func lines(t *testing.T, path string) []string {
	t.Helper()
	c, err := (&product{driver: New().(*product).driver}).open(t.Context(), path, readOnly|lax, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var out []string
	each := func(prefix, query string) {
		t.Helper()
		err := c.each(t.Context(), query, nil, func(row []driver.Value) error {
			var told []byte
			for _, v := range row {
				told = appendValue(told, v)
			}
			out = append(out, fmt.Sprintf("%s %q", prefix, told))
			return nil
		})
		if err != nil {
			t.Fatalf("%v in %s", err, query)
		}
	}
	each("object", "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> 'understudy_manifest' AND name NOT LIKE 'sqlite_stat%'")
	found, err := inspect(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tab := range found.schema.Tables {
		var list []string
		for _, col := range tab.Columns {
			list = append(list, "+"+quote(col.Name))
		}
		each(tab.Name.Table, "SELECT "+strings.Join(list, ", ")+" FROM "+quote(tab.Name.Table))
	}
	slices.Sort(out)
	return out
}

// statements runs what the database takes; a unique index over rows that are not
// unique, say, is left out.
func statements(t *testing.T, path string, list []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, s := range list {
		_, _ = db.ExecContext(t.Context(), s) // refused at times, as an application's statement would be
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRandomFilesArriveWhole loads random files into an empty target, and then,
// by an exchange of rows, into the target that staging has changed.
func TestRandomFilesArriveWhole(t *testing.T) {
	for range 25 {
		seed := rand.Uint64()
		m := maker{Rand: rand.New(rand.NewPCG(seed, 0)), taken: map[string]bool{}}
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from.db"), filepath.Join(dir, "to.db")
		var structure, rows, triggers []string
		for range 1 + m.IntN(6) {
			s, r := m.table()
			structure, rows = append(structure, s...), append(rows, r...)
		}
		triggers = slices.Clone(structure)
		structure = slices.DeleteFunc(structure, func(s string) bool { return strings.HasPrefix(s, "CREATE TRIGGER") })
		triggers = slices.DeleteFunc(triggers, func(s string) bool { return !strings.HasPrefix(s, "CREATE TRIGGER") })
		settings := []string{"PRAGMA page_size = " + m.pick("512", "4096", "65536"), "PRAGMA encoding = '" + m.pick("UTF-8", "UTF-8", "UTF-16le") + "'", "PRAGMA journal_mode = " + m.pick("DELETE", "WAL")}
		statements(t, from, slices.Concat(settings, structure, rows, triggers))
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s\n%s", seed, fmt.Sprintf(format, args...), strings.Join(slices.Concat(settings, structure, triggers), ";\n"))
		}
		want := lines(t, from)
		inspected, snap := snapshotOf(t, from)
		l, err := begin(t.Context(), targetOf(t, to), inspected, snap, "one")
		if err != nil {
			fail("%v", err)
		}
		if _, err := l.Prove(t.Context(), nil); err != nil {
			fail("%v", err)
		}
		if err := l.Switch(t.Context(), nil); err != nil {
			fail("%v", err)
		}
		if err := l.Abort(t.Context()); err != nil {
			fail("%v", err)
		}
		if got := lines(t, to); !slices.Equal(got, want) {
			fail("after a switch\n%q\nwant\n%q", got, want)
		}
		if clean := rowsOf(t, from, `SELECT "table" FROM pragma_foreign_key_check`); len(clean) > 0 {
			_ = snap.Close()
			continue // an exchange refuses what breaks a foreign key
		}
		var changes []string
		for _, tab := range m.tables {
			changes = append(changes, "DELETE FROM "+quote(tab.name)+" WHERE abs(random()) % 3 = 0",
				"UPDATE OR IGNORE "+quote(tab.name)+" SET "+quote(tab.columns[0])+" = "+m.value("")+" WHERE abs(random()) % 3 = 0")
		}
		statements(t, to, changes)
		_ = snap.Close()
		if err := exchanged(t, from, to, "two"); err != nil {
			fail("%v", err)
		}
		if got := lines(t, to); !slices.Equal(got, want) {
			fail("after an exchange\n%q\nwant\n%q", got, want)
		}
	}
}
