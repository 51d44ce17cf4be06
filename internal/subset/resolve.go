package subset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/config"
	"understudy/internal/fault"
	"understudy/internal/finding"
	"understudy/internal/schema"
)

// Resolve finds the tables, columns and references that a job's subset names,
// and returns every mistake at once, each with its place. What can be seen
// without a schema (ranges, words, what needs what) config.Read has told
// before. A nil job copies everything. The Spec is usable only if neither
// found an error.
func Resolve(job *config.Subset, s *schema.Schema) (*Spec, []finding.Finding) {
	if job == nil {
		return &Spec{Whole: true}, nil
	}
	r := &resolver{schema: s, spec: &Spec{Unreached: cmp.Or(Unreached(job.Unreached), Small), Budget: job.Budget, BudgetAt: job.BudgetAt}}
	for _, seed := range job.Seeds {
		r.seed(seed)
	}
	for _, rows := range job.Tables {
		r.table(rows)
	}
	slices.SortFunc(r.spec.Rules, func(a, b Rule) int { return a.Table.Name.Compare(b.Table.Name) })
	for _, f := range job.Follow {
		r.follow(f)
	}
	r.contradictions()
	finding.Sort(r.found)
	return r.spec, r.found
}

type resolver struct {
	schema *schema.Schema
	spec   *Spec
	found  []finding.Finding
	// partial: a seed was not understood, so what the seeds do not reach is not known.
	partial bool
}

// hintNames tells where the names are.
const hintNames = "`understudy rules list` shows every table and column"

func (r *resolver) wrong(check string, at finding.At, table, hint, format string, args ...any) {
	r.found = append(r.found, finding.Finding{Check: check, Severity: finding.Error, At: at, Table: table,
		Message: fmt.Sprintf(format, args...), Hint: hint, Code: int(fault.Usage)})
}

func (r *resolver) warn(check string, at finding.At, table, hint, format string, args ...any) {
	r.found = append(r.found, finding.Finding{Check: check, Severity: finding.Warning, At: at, Table: table,
		Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *resolver) seed(seed config.Seed) {
	if seed.Table.Value == "" { // config.Read told it
		r.partial = true
		return
	}
	t, err := r.schema.Resolve(seed.Table.Value)
	if err != nil {
		r.wrong("subset-seed", place(seed.Table.At, seed.At), "", hintNames, "seed: %v", err)
		return
	}
	if (seed.Percent != 0 || seed.Limit != 0) && t.Identity() == nil {
		r.wrong("subset-seed", seed.At, t.Name.String(), "choose its rows by where, or choose another table",
			"percent and limit need a unique key without NULL, and %s has none", t.Name)
	}
	r.spec.Seeds = append(r.spec.Seeds, Seed{Table: t, Where: seed.Where.Value, Percent: seed.Percent, Limit: seed.Limit,
		Order: seed.Order.Value, At: place(seed.At, seed.Table.At), WhereAt: place(seed.Where.At, seed.At), OrderAt: place(seed.Order.At, seed.At)})
}

func (r *resolver) table(rows config.TableRows) {
	at := rows.Table.At
	t, err := r.schema.Resolve(rows.Table.Value)
	if err != nil {
		r.wrong("subset-table", at, "", hintNames, "%v", err)
		return
	}
	if earlier := r.spec.rule(t.Name); earlier.Table != nil {
		r.wrong("subset-table", at, t.Name.String(), "keep one of the two", "%s already stands at %s", t.Name, earlier.At)
		return
	}
	if rows.Rows == "" && rows.Where.Value == "" && rows.PerParent == 0 {
		return // config.Read told that nothing is said of it
	}
	rule := Rule{Table: t, Rows: Rows(rows.Rows), Where: rows.Where.Value, PerParent: rows.PerParent, Order: rows.Order.Value,
		At: at, WhereAt: place(rows.Where.At, at), OrderAt: place(rows.Order.At, at)}
	if rows.PerParent > 0 {
		r.perParent(rows, t, &rule)
	}
	r.spec.Rules = append(r.spec.Rules, rule)
}

// perParent resolves by, and refuses what cannot be counted.
func (r *resolver) perParent(rows config.TableRows, t *schema.Table, rule *Rule) {
	at := place(rows.PerParentAt, rule.At)
	if t.Identity() == nil {
		r.wrong("subset-table", at, t.Name.String(), "choose its rows by where",
			"per_parent needs a unique key without NULL, so that each run keeps the same rows, and %s has none", t.Name)
		return
	}
	if rows.By.Value == "" {
		if !slices.ContainsFunc(r.schema.References, func(ref schema.Reference) bool { return ref.From == t.Name }) {
			r.wrong("subset-table", at, t.Name.String(), "choose its rows by where", "per_parent counts the rows of each parent, and %s references nothing", t.Name)
		}
		return
	}
	columns, err := schema.ParseNames(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(rows.By.Value), "("), ")"))
	if err != nil {
		r.wrong("subset-table", rows.By.At, t.Name.String(), "name a column of "+t.Name.String()+" that is a foreign key", "by: %v", err)
		return
	}
	refs, known := r.along(t, columns)
	switch {
	case len(refs) > 0:
		rule.By = refs
	case len(known) == 0:
		r.wrong("subset-table", rows.By.At, t.Name.String(), "choose its rows by where", "by: %s is no reference; %s references nothing", rows.By.Value, t.Name)
	default:
		for i, k := range known {
			if strings.ContainsAny(k, "(,") { // as a line of YAML wants it
				known[i] = `"` + k + `"`
			}
		}
		r.wrong("subset-table", rows.By.At, t.Name.String(), "by: "+strings.Join(known, ", or by: "), "by: %s is not the columns of a reference of %s", rows.By.Value, t.Name)
	}
}

// along finds the references of a table that have exactly these columns; known
// are the columns of all it has.
func (r *resolver) along(t *schema.Table, columns []string) (refs []schema.Reference, known []string) {
	for _, ref := range r.schema.References {
		if ref.From != t.Name {
			continue
		}
		if !slices.Contains(known, columnNames(ref.Columns)) {
			known = append(known, columnNames(ref.Columns))
		}
		if len(ref.Columns) == len(columns) && contains(ref.Columns, columns) {
			refs = append(refs, ref)
		}
	}
	return refs, known
}

// follow resolves table.column or table.(a, b) to the references that start
// there. Columns that are exactly a reference's win over those that are a part of one.
func (r *resolver) follow(text config.Text) {
	t, columns, err := r.columns(text.Value)
	if err != nil {
		r.wrong("subset-follow", text.At, "", "name the referencing side, as in film_actor.film_id", "follow: %v", err)
		return
	}
	var exact, part []schema.Reference
	var known []string
	for _, ref := range r.schema.References {
		if ref.From != t.Name {
			continue
		}
		known = append(known, edgeName(ref))
		if !contains(ref.Columns, columns) {
			continue
		}
		if len(ref.Columns) == len(columns) {
			exact = append(exact, ref)
		} else {
			part = append(part, ref)
		}
	}
	switch {
	case len(exact) > 0:
		r.spec.Follow = append(r.spec.Follow, exact...)
	case len(part) == 1:
		r.spec.Follow = append(r.spec.Follow, part...)
	case len(part) > 1:
		names := make([]string, len(part))
		for i, ref := range part {
			names[i] = edgeName(ref)
		}
		r.wrong("subset-follow", text.At, t.Name.String(), "name all columns of one of them", "follow: %s is part of several references: %s", text.Value, strings.Join(names, "; "))
	case len(known) == 0:
		r.wrong("subset-follow", text.At, t.Name.String(), "name the referencing side of a foreign key", "follow: %s is not part of a reference; %s references nothing", text.Value, t.Name)
	default:
		r.wrong("subset-follow", text.At, t.Name.String(), "one of "+strings.Join(known, "; "), "follow: %s is not part of a reference", text.Value)
	}
}

func (r *resolver) columns(text string) (*schema.Table, []string, error) {
	head, list, several := strings.Cut(text, ".(")
	if !several {
		t, c, err := r.schema.ResolveColumn(text)
		if err != nil {
			return nil, nil, err
		}
		return t, []string{c.Name}, nil
	}
	t, err := r.schema.Resolve(head)
	if err != nil {
		return nil, nil, err
	}
	list, closed := strings.CutSuffix(strings.TrimSpace(list), ")")
	if !closed {
		return nil, nil, fmt.Errorf("%q: the parenthesis is not closed", text)
	}
	names, err := schema.ParseNames(list)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if t.Column(n) == nil {
			var known []string
			for _, c := range t.Columns {
				known = append(known, c.Name)
			}
			return nil, nil, fmt.Errorf("%s has no column %q%s", t.Name, n, schema.DidYouMean(n, known))
		}
	}
	return t, names, nil
}

// inexact refuses references between types of which the database finds values equal that
// have no text in common, which keys travel as: rows would be missing, or too many.
func (r *resolver) inexact(reached reached) {
	for _, ref := range r.schema.References {
		from, to, rule := r.schema.Table(ref.From), r.schema.Table(ref.To), r.spec.rule(ref.To)
		if from == nil || to == nil || rule.Rows != Reached || r.spec.rule(ref.From).Rows == NoneAtAll || !reached.any[ref.To] {
			continue
		}
		for i, name := range ref.Columns {
			a, b := from.Column(name), to.Column(ref.ToColumns[i])
			if a == nil || b == nil || a.Spelling == b.Spelling {
				continue
			}
			r.wrong("subset-types", rule.At, ref.From.String(), "under subset.tables write `"+ref.To.String()+": all`, or none for one of the two, or give both columns one type",
				"%s compares %s with %s of %s: equal values of these types are written in more than one way, so no subset can follow the key exactly", edgeName(ref), a.Type, b.Type, ref.To)
		}
	}
}

// contradictions finds what is wrong only in company.
func (r *resolver) contradictions() {
	for _, seed := range r.spec.Seeds {
		switch rule := r.spec.rule(seed.Table.Name); rule.Rows {
		case NoneAtAll:
			r.wrong("subset-seed", seed.At, seed.Table.Name.String(), "keep one of the two", "%s is a seed here and none at %s", seed.Table.Name, rule.At)
		case AllRows:
			r.wrong("subset-seed", seed.At, seed.Table.Name.String(), "a seed without where, percent and limit takes all rows and follows them down",
				"%s is a seed here and all at %s", seed.Table.Name, rule.At)
		}
	}
	for _, ref := range r.spec.Follow {
		for _, end := range []schema.Name{ref.From, ref.To} {
			if rule := r.spec.rule(end); rule.Rows != Reached {
				r.warn("subset-follow", rule.At, end.String(), "leave one of the two out", "%s is %s, so following %s changes nothing", end, rule.Rows, edgeName(ref))
			}
		}
		if rule := r.spec.rule(ref.From); !rule.descends(ref) {
			r.warn("subset-follow", rule.At, ref.From.String(), "leave one of the two out", "by names another reference of %s, so following %s changes nothing", ref.From, edgeName(ref))
		}
	}
	if r.partial || len(finding.Errors(r.found)) > 0 {
		return
	}
	reached := reach(r.spec, r.schema)
	r.inexact(reached)
	for _, rule := range r.spec.Rules {
		if rule.Rows == Reached && !reached.down[rule.Table.Name] {
			at, what := rule.WhereAt, "where holds"
			if rule.Where == "" {
				at, what = rule.At, "per_parent holds"
			}
			r.wrong("subset-table", at, rule.Table.Name.String(), "make it a seed: {table: "+rule.Table.Name.String()+", where: ...}, or name an edge to it under follow",
				"%s for rows reached downward, and no edge leads down to %s from the seeds", what, rule.Table.Name)
		}
	}
}

// place gives the first place that is known.
func place(at, otherwise finding.At) finding.At { return cmp.Or(at, otherwise) }

func contains(all, some []string) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}
