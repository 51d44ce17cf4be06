// Package schemas holds the demo's shop: the same dozen tables for every
// engine, as production has them and as a staging that drifted from it, with
// rows made on the spot. Everyone in it is invented.
package schemas

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	rulefiles "understudy/rules"
)

//go:embed shop
var files embed.FS

// Shop gives the statements that make production, rows included, and staging,
// in an engine's own words. Engine is the name of a folder under shop.
func Shop(engine string) (production, staging []string) {
	return append(statements(engine, "production"), rows()...), statements(engine, "staging")
}

// Files gives the job and the rules of the demo by their file names.
func Files() map[string]string {
	job, err := files.ReadFile("shop/understudy.yaml")
	if err != nil {
		panic("schemas: the job is not embedded")
	}
	return map[string]string{"understudy.yaml": string(job), "rules/shop.yaml": rulefiles.Shop}
}

// statements splits a script of ours: a statement ends with a semicolon at the end of a line.
func statements(engine, name string) []string {
	data, err := files.ReadFile("shop/" + engine + "/" + name + ".sql")
	if err != nil {
		panic("schemas: no " + name + " for " + engine)
	}
	var out []string
	for _, s := range strings.Split(string(data), ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// inserter gathers rows of one table into statements of a few hundred rows.
type inserter struct {
	head string
	rows []string
	out  *[]string
}

const rowsPerStatement = 250

func (i *inserter) add(values ...any) {
	texts := make([]string, len(values))
	for n, v := range values {
		switch v := v.(type) {
		case nil:
			texts[n] = "NULL"
		case string:
			texts[n] = "'" + strings.ReplaceAll(v, "'", "''") + "'"
		default:
			texts[n] = fmt.Sprint(v)
		}
	}
	i.rows = append(i.rows, "("+strings.Join(texts, ", ")+")")
}

// flush writes the statements; tables are flushed parents first.
func (i *inserter) flush() {
	for rows := range slices.Chunk(i.rows, rowsPerStatement) {
		*i.out = append(*i.out, i.head+strings.Join(rows, ", "))
	}
	i.rows = nil
}
