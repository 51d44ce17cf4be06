package plan

import (
	"fmt"
	"slices"
	"strings"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Declare turns the job's references into references of the schema. The form
// is table.column, or table.(a, b) for several columns.
func Declare(refs []config.Reference, s *schema.Schema) ([]schema.Reference, []finding.Finding) {
	var out []schema.Reference
	var bad []finding.Finding
	for i, r := range refs {
		from, columns, err := end(s, r.From.Value)
		if err != nil {
			bad = append(bad, wrong(r.From, err))
		}
		to, toColumns, err2 := end(s, r.To.Value)
		if err2 != nil {
			bad = append(bad, wrong(r.To, err2))
		}
		if err != nil || err2 != nil {
			continue
		}
		if len(columns) != len(toColumns) {
			bad = append(bad, wrong(r.From, fmt.Errorf("%d columns reference %d", len(columns), len(toColumns))))
			continue
		}
		ok := true
		for j := range columns {
			a, b := from.Column(columns[j]), to.Column(toColumns[j])
			if a.Kind != b.Kind {
				bad = append(bad, wrong(r.From, fmt.Errorf("%s.%s is %s and %s.%s is %s: they cannot hold the same values", from.Name, schema.Ident(a.Name), a.Type, to.Name, schema.Ident(b.Name), b.Type)))
				ok = false
			}
		}
		if ok {
			out = append(out, schema.Reference{Name: fmt.Sprintf("declared %d", i+1), From: from.Name, Columns: columns, To: to.Name,
				ToColumns: toColumns, Declared: true, Indexed: leads(from, columns), At: r.From.At.String()})
		}
	}
	return out, bad
}

func wrong(text config.Text, err error) finding.Finding {
	return finding.Finding{Check: "reference", Severity: finding.Error, At: text.At, Code: int(fault.Usage),
		Message: "references: " + err.Error(), Hint: "write {from: table.column, to: table.column}"}
}

// leads tells whether a key of the table leads with the columns, so that rows are cheap to find by them.
func leads(t *schema.Table, columns []string) bool {
	for _, k := range t.Keys {
		if !k.Partial && !k.Expression && len(k.Columns) >= len(columns) && slices.Equal(k.Columns[:len(columns)], columns) {
			return true
		}
	}
	return false
}

// end resolves one end of a reference.
func end(s *schema.Schema, text string) (*schema.Table, []string, error) {
	table, list, several := strings.Cut(text, ".(")
	if !several {
		t, c, err := s.ResolveColumn(text)
		if err != nil {
			return nil, nil, err
		}
		return t, []string{c.Name}, nil
	}
	t, err := s.Resolve(table)
	if err != nil {
		return nil, nil, err
	}
	names, err := schema.ParseNames(strings.TrimSuffix(strings.TrimSpace(list), ")"))
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if t.Column(n) == nil {
			return nil, nil, fmt.Errorf("%s has no column %q", t.Name, n)
		}
	}
	return t, names, nil
}
