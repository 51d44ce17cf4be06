package subset

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/engine"
	"understudy/internal/fault"
	"understudy/internal/finding"
)

// withinBudget refuses as soon as more rows were pulled than the job allows.
func (c *closure) withinBudget() error {
	if c.spec.Budget <= 0 || c.rows <= c.spec.Budget {
		return nil
	}
	err := fault.New(fault.Refused, "subset-budget", "raise budget.rows, lower percent or limit, or bound a table by where or none",
		"the subset is larger than its budget of %s; largest so far: %s; pulled most: %s",
		many(c.spec.Budget, "row"), c.largest(), c.steepest())
	err.Findings[0].At = c.spec.BudgetAt
	return err
}

type amount struct {
	name string
	rows int64
}

func top(all []amount) string {
	slices.SortFunc(all, func(a, b amount) int { return cmp.Or(cmp.Compare(b.rows, a.rows), cmp.Compare(a.name, b.name)) })
	var parts []string
	for _, a := range all[:min(3, len(all))] {
		if a.rows > 0 {
			parts = append(parts, fmt.Sprintf("%s (%s)", a.name, many(a.rows, "row")))
		}
	}
	if len(parts) == 0 {
		return "the seeds and whole tables"
	}
	return strings.Join(parts, ", ")
}

func (c *closure) largest() string {
	var all []amount
	for _, n := range c.nodes {
		rows := n.count
		if n.mode != whole {
			rows = int64(n.down.GetCardinality() + n.up.GetCardinality() - n.down.AndCardinality(&n.up))
		}
		all = append(all, amount{n.table.Name.String(), rows})
	}
	return top(all)
}

func (c *closure) steepest() string {
	var all []amount
	for _, e := range c.edges {
		all = append(all, amount{edgeName(e.ref), e.pulled})
	}
	for _, t := range c.targets {
		all = append(all, amount{"parents in " + t.node.table.Name.String(), t.pulled})
	}
	return top(all)
}

// judge looks at the finished closure for rows that it cannot have: those of
// tables that are none, and those that do not exist. bad is what was found before.
func (c *closure) judge(ctx context.Context, bad []finding.Finding) error {
	for _, e := range c.edges {
		if e.to.mode == none && e.needs > 0 {
			bad = append(bad, c.needsNone(e))
		}
	}
	for _, t := range c.targets {
		if t.missing.len() == 0 || c.spec.mends() && !slices.ContainsFunc(t.edges, (*edge).dangles) {
			continue
		}
		if err := c.attribute(ctx, t); err != nil {
			return err
		}
		for _, e := range t.edges {
			if e.orphans == 0 || c.spec.mends() && !e.dangles() {
				continue
			}
			f := finding.Finding{Check: "orphans", Severity: finding.Error, Table: e.ref.From.String(), Column: strings.Join(e.ref.Columns, ", "),
				Message: fmt.Sprintf("%s of %s %s to no row of %s", many(e.orphans, "key"), edgeName(e.ref), leads(e.orphans), e.ref.To),
				Hint:    hintOrphans, Code: int(fault.Integrity)}
			if e.dangles() {
				f.Severity, f.Code = finding.Warning, 0
				f.Hint = "the source itself does not enforce this reference on every row"
				c.findings = append(c.findings, f)
				continue
			}
			bad = append(bad, f)
		}
	}
	return fault.From(bad, fault.Usage)
}

func (c *closure) needsNone(e *edge) finding.Finding {
	rule := c.spec.rule(e.ref.To)
	return finding.Finding{Check: "subset-none", Severity: finding.Error, At: rule.At, Table: e.ref.To.String(),
		Message: fmt.Sprintf("%s is none, and %s need its rows through %s", e.ref.To, many(e.needs, "pulled row"), edgeName(e.ref)),
		Hint:    "take none off " + e.ref.To.String() + ", or make " + e.ref.From.String() + " none as well", Code: int(fault.Usage)}
}

// attribute counts, for each reference to a target, how many of the missing
// keys its pulled rows have. Rows do not remember through which reference a key
// was asked for, so where several lead here the source is asked once more.
func (c *closure) attribute(ctx context.Context, t *target) error {
	var users []*edge
	for _, e := range t.edges {
		if e.needs > 0 {
			users = append(users, e)
		}
	}
	if len(users) == 1 {
		users[0].orphans = int64(t.missing.len())
		return nil
	}
	missing := t.missing.list()
	for _, e := range users {
		var keys keySet
		for i := 0; i < missing.len(); i += keysPerFind {
			part := missing.slice(i, min(i+keysPerFind, missing.len()))
			if err := c.users(ctx, e, &part, &keys); err != nil {
				return err
			}
		}
		e.orphans = int64(keys.len())
	}
	return nil
}

// users adds to keys those of part that pulled rows hold through e.
func (c *closure) users(ctx context.Context, e *edge, part *keyList, keys *keySet) error {
	find := engine.Find{Table: e.from.table, Columns: e.ref.Columns, By: e.ref.Columns, Keys: part.tuples(len(e.ref.Columns)), Written: e.written, Where: e.ref.When, Now: c.opts.Now}
	at := upTo(len(e.ref.Columns))
	for found, err := range c.snap.Find(ctx, find) {
		if err != nil {
			return err
		}
		var rows []int
		for row, id := range found.IDs {
			if e.from.mode == whole || e.from.down.Contains(id) || e.from.up.Contains(id) {
				rows = append(rows, row)
			}
		}
		c.gather.gather(&found.Values, rows, at, keys, nil)
	}
	return nil
}
