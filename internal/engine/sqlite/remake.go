package sqlite

import (
	"slices"
	"strconv"
	"strings"

	"understudy/internal/catalog"
	"understudy/internal/schema"
)

// remake makes a table anew as https://www.sqlite.org/lang_altertable.html says
// ("Making Other Kinds Of Table Schema Changes"): a new one beside it, the rows, and
// the new one under the old one's name. Without legacy_alter_table the renaming would
// look into views that name the table while it is not there. Foreign keys are off
// meanwhile, for dropping a parent takes its children along; in a transaction that is
// open already they cannot be turned off. All else is one transaction, so that a failure
// leaves the old table as it is; a savepoint, for one may be open already. A row that the
// new table refuses ends it, whatever its own ON CONFLICT clauses would do with the row.
func remake(r catalog.Remade) string {
	beside := free("understudy_anew", r.Taken)
	all := tokens(r.Declare)
	if len(all) > 1 && all[1].is("virtual") {
		return remakeVirtual(r, beside)
	}
	from := slices.IndexFunc(all, func(t token) bool { return t.is("table") })
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if from < 0 || open < from {
		return ""
	}
	out := append([]string{"PRAGMA foreign_keys=OFF", "SAVEPOINT " + quote(beside)}, r.Renames...)
	out = append(out, "PRAGMA legacy_alter_table=ON", "CREATE TABLE "+quote(beside)+" "+r.Declare[all[open].start:])
	if len(r.Copy) > 0 {
		var to, of []string
		if numbered(r.Declare) && numbered(r.There) { // full-text indexes find the rows by it
			to, of = append(to, "rowid"), append(of, quote(r.Table)+".rowid")
		}
		for _, c := range r.Copy {
			to, of = append(to, quote(c)), append(of, quote(r.Table)+"."+quote(c)) // by itself one that is not there would be a text
		}
		out = append(out, "INSERT OR ABORT INTO "+quote(beside)+" ("+strings.Join(to, ", ")+") SELECT "+strings.Join(of, ", ")+" FROM "+quote(r.Table))
	}
	drop := "DROP TABLE " + quote(r.Table)
	if len(r.Copy) == 0 {
		drop += ";\n-- the rows that it held are gone with it: none of their columns is in production's"
	}
	if counts(r.Declare) && counts(r.There) { // numbers that rows had which are gone are not given again
		name, seq := literal(r.Table), "(SELECT seq FROM sqlite_sequence WHERE name = "+literal(r.Table)+")"
		out = append(out, "DELETE FROM sqlite_sequence WHERE name = "+literal(beside)+" AND seq < "+seq,
			"INSERT INTO sqlite_sequence (name, seq) SELECT "+literal(beside)+", seq FROM sqlite_sequence AS s WHERE name = "+name+
				" AND NOT EXISTS (SELECT 1 FROM sqlite_sequence AS n WHERE n.name = "+literal(beside)+")")
	}
	out = append(out, drop, "ALTER TABLE "+quote(beside)+" RENAME TO "+quote(r.Table))
	out = append(out, r.After...)
	return strings.Join(append(out, "PRAGMA legacy_alter_table=OFF", "RELEASE "+quote(beside)), ";\n")
}

// remakeVirtual makes a virtual table anew with the rows that it holds itself. It keeps
// the source's words, so the old one gets another name.
func remakeVirtual(r catalog.Remade, beside string) string {
	out := []string{"SAVEPOINT " + quote(beside), "PRAGMA legacy_alter_table=ON", "ALTER TABLE " + quote(r.Table) + " RENAME TO " + quote(beside), r.Declare,
		"INSERT INTO " + quote(r.Table) + " (" + quotes(r.Copy) + ") SELECT " + quotes(r.From) + " FROM " + quote(beside),
		"DROP TABLE " + quote(beside), "PRAGMA legacy_alter_table=OFF", "RELEASE " + quote(beside)}
	return strings.Join(out, ";\n")
}

// counts tells whether a table keeps the highest number that a row of it ever had.
func counts(sql string) bool {
	return slices.ContainsFunc(words(sql), func(t token) bool { return t.is("autoincrement") })
}

// numbered tells whether the rows of a table have numbers that no column gives, and the
// word for them.
func numbered(sql string) bool {
	d := &declaration{table: "t"}
	d.read(words(sql))
	types, key := map[string]string{}, ""
	last := func(object string) string {
		parts, err := schema.ParseName(object)
		if err != nil {
			return "" // of several columns
		}
		return small(parts[len(parts)-1])
	}
	for _, f := range d.facts {
		switch f.Kind {
		case "column":
			types[last(f.Object)] = f.Parts[0].Text
		case "primary key":
			columns, _, _ := strings.Cut(strings.TrimPrefix(f.Definition, "primary key ("), ")")
			key = last(columns)
		case "table":
			for _, p := range f.Parts {
				if p.Name == "options" && strings.Contains(p.Text, "without rowid") {
					return false
				}
			}
		}
	}
	_, named := types["rowid"]
	return len(types) > 0 && !named && types[key] != "integer"
}

// free gives a name that is not taken, the wanted one if it is not.
func free(wanted string, taken []string) string {
	name := wanted
	for n := 2; slices.ContainsFunc(taken, func(t string) bool { return sameName(t, name) }); n++ {
		name = wanted + strconv.Itoa(n)
	}
	return name
}
