package sqlite

import (
	"slices"
	"strconv"
	"strings"

	"understudy/internal/catalog"
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
	from := slices.IndexFunc(all, func(t token) bool { return t.is("table") })
	open := slices.IndexFunc(all, func(t token) bool { return t.mark("(") })
	if from < 0 || open < from {
		return ""
	}
	out := append([]string{"PRAGMA foreign_keys=OFF", "SAVEPOINT " + quote(beside)}, r.Renames...)
	out = append(out, "PRAGMA legacy_alter_table=ON", "CREATE TABLE "+quote(beside)+" "+r.Declare[all[open].start:])
	if len(r.Copy) > 0 {
		var to, of []string
		for _, c := range r.Copy {
			to, of = append(to, quote(c)), append(of, quote(r.Table)+"."+quote(c)) // by itself one that is not there would be a text
		}
		out = append(out, "INSERT OR ABORT INTO "+quote(beside)+" ("+strings.Join(to, ", ")+") SELECT "+strings.Join(of, ", ")+" FROM "+quote(r.Table))
	}
	out = append(out, "DROP TABLE "+quote(r.Table), "ALTER TABLE "+quote(beside)+" RENAME TO "+quote(r.Table))
	out = append(out, r.After...)
	return strings.Join(append(out, "PRAGMA legacy_alter_table=OFF", "RELEASE "+quote(beside)), ";\n")
}

// free gives a name that is not taken, the wanted one if it is not.
func free(wanted string, taken []string) string {
	name := wanted
	for n := 2; slices.ContainsFunc(taken, func(t string) bool { return sameName(t, name) }); n++ {
		name = wanted + strconv.Itoa(n)
	}
	return name
}
