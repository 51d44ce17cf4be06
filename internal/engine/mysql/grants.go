package mysql

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// privileges is what the user of a session may do, as SHOW GRANTS says.
type privileges struct {
	user     string
	granted  []grant
	opaque   bool // the grants could not be read: nothing is known
	merged   bool // all grants on a database count, not the most specific alone
	verbatim bool // MariaDB: the pattern that is the database's very name comes before all, wildcards or none
	// routines: the table in which MariaDB keeps routines may be read.
	routines bool
}

// A grant is one line of SHOW GRANTS on databases or on everything.
type grant struct {
	names   []string // in upper case; ALL PRIVILEGES is one
	pattern string   // of databases, as LIKE has it; * means all
	who     string   // the user or the role that it is granted to
	taken   bool     // a REVOKE of a part of what a wider one gives
}

// readPrivileges reads the grants of the user and of the roles that are active.
func readPrivileges(ctx context.Context, c *conn) (*privileges, error) {
	row, err := c.row(ctx, "ask who the user is", "SELECT CURRENT_USER(), coalesce(CURRENT_ROLE(), 'NONE')")
	if err != nil {
		return nil, err
	}
	p := &privileges{user: account(row[0]), verbatim: c.maria}
	show := "SHOW GRANTS"
	if !c.maria && !strings.EqualFold(row[1], "NONE") {
		show += " FOR CURRENT_USER() USING " + row[1]
		p.merged = true
	}
	rows, err := c.rows(ctx, "read the user's grants", show)
	if err != nil {
		if ctx.Err() != nil || c.broken {
			return nil, err
		}
		p.opaque = true
		return p, nil
	}
	for _, r := range rows {
		p.routines = p.routines || c.maria && readsRoutines(r[0])
		if g, ok := parseGrant(r[0]); ok {
			p.granted = append(p.granted, g)
		}
	}
	p.routines = p.routines || c.maria && p.has("SELECT", "mysql")
	return p, nil
}

// readsRoutines tells whether a line lets the user read the table of routines.
func readsRoutines(line string) bool {
	all := tokens(line)
	on := slices.IndexFunc(all, func(t token) bool { return t.is("ON") })
	if on < 0 || on+3 >= len(all) || !all[0].is("GRANT") || !slices.ContainsFunc(all[:on], func(t token) bool { return t.is("SELECT") }) {
		return false
	}
	database, _ := all[on+1].name()
	table, _ := all[on+3].name()
	return strings.EqualFold(database, "mysql") && strings.EqualFold(table, "proc")
}

// parseGrant reads a line; false for one on single tables, routines or roles.
func parseGrant(line string) (grant, bool) {
	all := tokens(line)
	if len(all) == 0 || !all[0].is("GRANT") && !all[0].is("REVOKE") {
		return grant{}, false
	}
	on := slices.IndexFunc(all, func(t token) bool { return t.is("ON") })
	if on < 0 || on+3 >= len(all) || !all[on+2].mark(".") || !all[on+3].mark("*") {
		return grant{}, false
	}
	g := grant{taken: all[0].is("REVOKE"), pattern: "*"}
	if !all[on+1].mark("*") {
		g.pattern, _ = all[on+1].name()
	}
	if to := slices.IndexFunc(all, func(t token) bool { return t.is("TO") || t.is("FROM") }); to > on {
		end := to + 1
		for end < len(all) && !all[end].is("WITH") && !all[end].is("IDENTIFIED") && !all[end].is("REQUIRE") {
			end++
		}
		g.who = plain(all[to+1 : end])
	}
	for _, p := range parts(all[1:on]) {
		var words []string
		for _, t := range p {
			if t.kind == word {
				words = append(words, strings.ToUpper(t.text))
			}
		}
		g.names = append(g.names, strings.Join(words, " "))
	}
	return g, true
}

// has tells whether the user has a privilege in a database, or on everything
// where database is empty.
//
// Of the grants on databases whose patterns match, the server follows the one that is
// most specific alone, for the user and for each role: a grant of one privilege on
// `a\_b` takes away what one on `a%` gives there (MySQL's manual, "Access Control,
// Stage 2"). Only with roles of MySQL all of them count.
func (p *privileges) has(privilege, database string) bool {
	if p.opaque {
		return true
	}
	if p.everywhere(privilege) {
		return database == "" || !slices.ContainsFunc(p.granted, func(g grant) bool {
			return g.taken && g.gives(privilege) && strings.EqualFold(strings.ReplaceAll(g.pattern, `\`, ""), database)
		})
	}
	if database == "" {
		return false
	}
	nearness := func(pattern string) int {
		if p.verbatim && pattern == database {
			return 1 << 10
		}
		return specificity(pattern)
	}
	nearest := map[string]int{}
	for _, g := range p.granted {
		if g.pattern != "*" && !g.taken && like(g.pattern, database) {
			nearest[g.who] = max(nearest[g.who], nearness(g.pattern))
		}
	}
	return slices.ContainsFunc(p.granted, func(g grant) bool {
		return g.pattern != "*" && !g.taken && g.gives(privilege) && like(g.pattern, database) && (p.merged || nearness(g.pattern) == nearest[g.who])
	})
}

// everywhere tells whether the user has a privilege on everything.
func (p *privileges) everywhere(privilege string) bool {
	return slices.ContainsFunc(p.granted, func(g grant) bool { return g.pattern == "*" && !g.taken && g.gives(privilege) })
}

func (g grant) gives(privilege string) bool {
	return slices.Contains(g.names, privilege) || slices.Contains(g.names, "ALL PRIVILEGES") || slices.Contains(g.names, "ALL")
}

// specificity orders patterns as servers do: one without a wildcard before those whose
// first wildcard stands later.
func specificity(pattern string) int {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '%', '_':
			return min(i+1, 127)
		}
	}
	return 128
}

// like matches a name as LIKE does, without regard to case: a difference that a
// server makes shows in what it refuses.
func like(pattern, name string) bool {
	var b strings.Builder
	b.WriteString("(?is)^")
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	return err == nil && re.MatchString(name)
}

// generational are the privileges that every new generation needs.
func generational() []string {
	return []string{"SELECT", "INSERT", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "LOCK TABLES"}
}

// missing lists what a new generation of a database needs and the user lacks. Without
// TRIGGER it does not see which tables have triggers, and those do not move.
func (p *privileges) missing(database string) []string {
	needed := append(generational(), "TRIGGER")
	out := p.lacks(needed, nil, database, "the target", pattern(database))
	beneath := p.lacks(needed, nil, beside(database, "next", "x"), "the databases that are built beside the target", pattern(database+"_")+"%")
	for _, say := range beneath {
		if !p.has("CREATE", beside(database, "next", "x")) {
			say += ", or write `load: {mode: replace}`, which makes none"
		}
		out = append(out, say)
	}
	return out
}

// missingInPlace lists what an exchange of rows in a database needs and the user lacks.
func (p *privileges) missingInPlace(database string) []string {
	where := "the target"
	if !p.has("TRIGGER", database) {
		where += " (without TRIGGER it does not see which tables have triggers, and those would fire)"
	}
	return p.lacks([]string{"SELECT", "INSERT", "DELETE", "CREATE", "DROP", "TRIGGER"}, nil, database, where, pattern(database))
}

// lacks tells, in one sentence or none, which of the needed privileges the user lacks
// in a database, and the statement that grants them. The statement names all that are
// needed there, and those besides that others tell of: a new grant on a narrower
// pattern would hide those of a wider one.
func (p *privileges) lacks(needed, besides []string, database, where, pattern string) []string {
	var missing, all []string
	for _, privilege := range needed {
		if !p.has(privilege, database) {
			missing = append(missing, privilege)
		}
	}
	for _, privilege := range slices.Concat(needed, besides) {
		if !p.everywhere(privilege) {
			all = append(all, privilege)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the user %s lacks %s in %s: GRANT %s ON %s.* TO %s", p.user, strings.Join(missing, ", "), where, strings.Join(all, ", "), quote(pattern), p.user)}
}

// mayDefine tells whether the user may make objects that belong to others.
func (p *privileges) mayDefine() bool {
	return slices.ContainsFunc([]string{"SUPER", "SET USER", "SET_USER_ID", "SET_ANY_DEFINER"}, func(name string) bool { return p.has(name, "") })
}
