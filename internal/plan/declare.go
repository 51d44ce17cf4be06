package plan

import (
	"fmt"
	"slices"
	"strings"

	"understudy/internal/config"
	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
	"understudy/internal/subset"
)

// Declare turns the job's references into references of the schema. The form
// is table.column, or table.(a, b) for several columns. S holds the tables that give
// rows, source all of production's.
func Declare(refs []config.Reference, s, source *schema.Schema) ([]schema.Reference, []finding.Finding) {
	var out []schema.Reference
	var bad []finding.Finding
	for i, r := range refs {
		if r.From.Value == "" || r.To.Value == "" {
			continue // the job's reader told of it
		}
		from, columns, err := end(s, r.From.Value)
		if err != nil {
			bad = append(bad, astray(source, r.From, err))
		}
		to, toColumns, err2 := end(s, r.To.Value)
		if err2 != nil {
			bad = append(bad, astray(source, r.To, err2))
		}
		if err != nil || err2 != nil {
			continue
		}
		if len(columns) != len(toColumns) {
			bad = append(bad, wrong(r.From, fmt.Errorf("%d columns reference %d", len(columns), len(toColumns))))
			continue
		}
		if from == to && slices.Equal(columns, toColumns) {
			bad = append(bad, wrong(r.From, fmt.Errorf("%s.%s references itself", from.Name, strings.Join(columns, ", "))))
			continue
		}
		ok := true
		for j := range columns {
			a, b := from.Column(columns[j]), to.Column(toColumns[j])
			if !comparable(a.Kind, b.Kind) {
				f := wrong(r.From, fmt.Errorf("%s.%s is %s and %s.%s is %s: they cannot hold the same values", from.Name, schema.Ident(a.Name), a.Type, to.Name, schema.Ident(b.Name), b.Type))
				f.Hint = "name columns of one type; a text may reference a whole number or a UUID, by its digits"
				bad = append(bad, f)
				ok = false
			}
		}
		if ok {
			out = append(out, schema.Reference{Name: fmt.Sprintf("declared %d", i+1), From: from.Name, Columns: columns, To: to.Name,
				ToColumns: toColumns, Declared: true, When: r.When.Value, Indexed: leads(from, columns), At: r.From.At.String()})
		}
	}
	return out, bad
}

// comparable tells whether columns of two kinds can hold the same keys. Columns
// that lead to several tables are often texts which write the whole numbers or
// UUIDs of those tables.
func comparable(a, b schema.Kind) bool {
	text := func(one, other schema.Kind) bool {
		return one == schema.Text && (other == schema.Integer || other == schema.UUID)
	}
	return a == b || text(a, b) || text(b, a)
}

// Conditions lists the fragments of declared references, in the order of the
// file, so that the caller can have them accepted before they are used.
func Conditions(refs []config.Reference, declared []schema.Reference, s *schema.Schema, subqueries bool) []subset.Placed {
	var out []subset.Placed
	for _, r := range refs {
		i := slices.IndexFunc(declared, func(d schema.Reference) bool { return d.At == r.From.At.String() })
		if r.When.Value != "" && i >= 0 {
			out = append(out, subset.Placed{Fragment: engine.Fragment{Table: s.Table(declared[i].From), Text: r.When.Value, Subqueries: subqueries}, At: r.When.At})
		}
	}
	return out
}

// astray tells of an end that is not among the tables that give rows.
func astray(source *schema.Schema, text config.Text, err error) finding.Finding {
	if t, _, other := end(source, text.Value); other == nil {
		f := wrong(text, fmt.Errorf("%s gives no rows here: it is preserved, a migration tool's, or another server's", t.Name))
		f.Hint = "leave the reference out, or take the table out of load.preserve"
		return f
	}
	return wrong(text, err)
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
