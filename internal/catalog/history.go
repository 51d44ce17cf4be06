package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/schema"
)

// A History is what a migration tool says that it applied to a database.
type History struct {
	Tool  string
	Table schema.Name
	// Versions that were applied, in their order. Head: the tool keeps only where
	// it stands, not what it did before.
	Versions []string
	Head     bool
	// Unfinished are versions that the tool began and did not end.
	Unfinished []string
}

// A HistoryTable is a history table to read: its columns as text, NULL as the
// empty text, in any order of rows.
type HistoryTable struct {
	Name    schema.Name
	Columns []string
	tool    historyTool
}

// A historyTool is a migration tool by the table that it keeps, as its own
// documentation and sources describe it.
type historyTool struct {
	name, table string // table in lower case
	columns     []string
	// versions reads the rows; nil for tables that hold something else of the tool.
	versions func(rows []map[string]string) History
}

// historyTools lists the tools. Of several with one table the first whose
// columns are all there is meant.
var historyTools = []historyTool{
	{"Flyway", "flyway_schema_history", []string{"installed_rank", "version", "script", "type", "success"}, flyway},
	{"Liquibase", "databasechangelog", []string{"id", "author", "filename", "orderexecuted"}, ordered("orderexecuted", "filename", "id", "author")},
	{"Liquibase", "databasechangeloglock", nil, nil},
	{"golang-migrate", "schema_migrations", []string{"version", "dirty"}, golangMigrate},
	{"Rails", "schema_migrations", []string{"version"}, ordered("version", "version")},
	{"Rails", "ar_internal_metadata", nil, nil},
	{"Django", "django_migrations", []string{"id", "app", "name"}, ordered("id", "app", "name")},
	{"goose", "goose_db_version", []string{"id", "version_id", "is_applied"}, goose},
	{"Atlas", "atlas_schema_revisions", []string{"version", "applied", "total"}, atlasRevisions},
	{"Prisma", "_prisma_migrations", []string{"migration_name", "started_at", "finished_at", "rolled_back_at"}, prisma},
	{"Alembic", "alembic_version", []string{"version_num"}, heads("version_num")},
	{"Knex", "knex_migrations", []string{"id", "name"}, ordered("id", "name")},
	{"Knex", "knex_migrations_lock", nil, nil},
	{"Sequelize", "sequelizemeta", []string{"name"}, ordered("name", "name")},
	{"Entity Framework", "__efmigrationshistory", []string{"migrationid"}, ordered("migrationid", "migrationid")},
	{"sql-migrate", "gorp_migrations", []string{"id"}, ordered("id", "id")},
}

// IsHistory tells whether a table is a migration tool's own.
func IsHistory(table string) bool {
	return slices.ContainsFunc(historyTools, func(t historyTool) bool { return t.table == strings.ToLower(table) })
}

// HistoryTables finds the history tables among facts, whose columns are facts too.
func HistoryTables(facts []Fact) []HistoryTable {
	columns := make(map[string][]string)
	for _, f := range facts {
		if f.Kind == "column" {
			if parts, err := schema.ParseName(f.Object); err == nil {
				columns[f.Table] = append(columns[f.Table], parts[len(parts)-1])
			}
		}
	}
	var out []HistoryTable
	for _, f := range facts {
		parts, err := schema.ParseName(f.Object)
		if f.Kind != "table" || err != nil || len(parts) != 2 {
			continue
		}
		for _, t := range historyTools {
			if t.table != strings.ToLower(parts[1]) || t.versions == nil {
				continue
			}
			if have := spelledAs(columns[f.Object], t.columns); have != nil {
				out = append(out, HistoryTable{Name: schema.Name{Schema: parts[0], Table: parts[1]}, Columns: have, tool: t})
				break
			}
		}
	}
	return out
}

// spelledAs finds the wanted columns as the table spells them; nil unless all are there.
func spelledAs(have, want []string) []string {
	var out []string
	for _, w := range want {
		i := slices.IndexFunc(have, func(h string) bool { return strings.EqualFold(h, w) })
		if i < 0 {
			return nil
		}
		out = append(out, have[i])
	}
	return out
}

// Read makes the history of the table's rows.
func (t HistoryTable) Read(rows [][]string) History {
	list := make([]map[string]string, len(rows))
	for i, r := range rows {
		list[i] = make(map[string]string, len(r))
		for j, text := range r {
			list[i][t.tool.columns[j]] = text
		}
	}
	h := t.tool.versions(list)
	h.Tool, h.Table = t.tool.name, t.Name
	return h
}

// ordered reads a table with one row for each version: its name is made of parts.
func ordered(by string, parts ...string) func([]map[string]string) History {
	return func(rows []map[string]string) (h History) {
		sortRows(rows, by)
		for _, r := range rows {
			var name []string
			for _, p := range parts {
				name = append(name, r[p])
			}
			h.Versions = append(h.Versions, strings.Join(name, " "))
		}
		return h
	}
}

// heads reads a table that only tells where the tool stands.
func heads(column string) func([]map[string]string) History {
	return func(rows []map[string]string) (h History) {
		sortRows(rows, column)
		h.Head = true
		for _, r := range rows {
			h.Versions = append(h.Versions, r[column])
		}
		return h
	}
}

// sortRows sorts by a column, by its number where both have one.
func sortRows(rows []map[string]string, by string) {
	slices.SortStableFunc(rows, func(a, b map[string]string) int { return CompareVersions(a[by], b[by]) })
}

// CompareVersions orders versions: numbers in them by their size, the rest as text.
func CompareVersions(a, b string) int {
	digits := func(s string) int {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		return n
	}
	for a != "" && b != "" {
		m, n := digits(a), digits(b)
		if m > 0 && n > 0 {
			x, y := strings.TrimLeft(a[:m], "0"), strings.TrimLeft(b[:n], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[m:], b[n:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func yes(s string) bool {
	v, err := strconv.ParseBool(s)
	return err == nil && v
}

// flyway: a version that was undone or deleted stands there with a later row;
// repeatable migrations have no version and are known by their script.
func flyway(rows []map[string]string) (h History) {
	sortRows(rows, "installed_rank")
	for _, r := range rows {
		name := cmp.Or(r["version"], r["script"])
		kind := strings.ToUpper(r["type"])
		switch {
		case kind == "SCHEMA": // the schema itself was made
		case !yes(r["success"]):
			h.Unfinished = append(h.Unfinished, name)
		case strings.HasPrefix(kind, "UNDO"), kind == "DELETE":
			h.Versions = slices.DeleteFunc(h.Versions, func(v string) bool { return v == name })
		case !slices.Contains(h.Versions, name):
			h.Versions = append(h.Versions, name)
		}
	}
	return h
}

// goose: the last row of a version decides; version 0 is the table itself.
func goose(rows []map[string]string) (h History) {
	sortRows(rows, "id")
	for _, r := range rows {
		v := r["version_id"]
		h.Versions = slices.DeleteFunc(h.Versions, func(w string) bool { return v == w })
		if v != "0" && yes(r["is_applied"]) {
			h.Versions = append(h.Versions, v)
		}
	}
	return h
}

func golangMigrate(rows []map[string]string) (h History) {
	h.Head = true
	for _, r := range rows {
		h.Versions = append(h.Versions, r["version"])
		if yes(r["dirty"]) {
			h.Unfinished = append(h.Unfinished, r["version"])
		}
	}
	return h
}

// atlasRevisions: rows whose version begins with a dot are the tool's own.
func atlasRevisions(rows []map[string]string) (h History) {
	sortRows(rows, "version")
	for _, r := range rows {
		switch v := r["version"]; {
		case strings.HasPrefix(v, "."):
		case r["applied"] != r["total"]:
			h.Unfinished = append(h.Unfinished, v)
		default:
			h.Versions = append(h.Versions, v)
		}
	}
	return h
}

func prisma(rows []map[string]string) (h History) {
	sortRows(rows, "migration_name")
	for _, r := range rows {
		switch name := r["migration_name"]; {
		case r["rolled_back_at"] != "":
		case r["finished_at"] == "":
			h.Unfinished = append(h.Unfinished, name)
		case !slices.Contains(h.Versions, name):
			h.Versions = append(h.Versions, name)
		}
	}
	return h
}
