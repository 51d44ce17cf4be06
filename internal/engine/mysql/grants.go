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
	user    string
	granted []grant
	opaque  bool // the grants could not be read: nothing is known
}

// A grant is one line of SHOW GRANTS on databases or on everything.
type grant struct {
	names   []string // in upper case; ALL PRIVILEGES is one
	pattern string   // of databases, as LIKE has it; * means all
	taken   bool     // a REVOKE of a part of what a wider one gives
}

// readPrivileges reads the grants of the user and of the roles that are active.
func readPrivileges(ctx context.Context, c *conn) (*privileges, error) {
	row, err := c.row(ctx, "ask who the user is", "SELECT CURRENT_USER(), coalesce(CURRENT_ROLE(), 'NONE')")
	if err != nil {
		return nil, err
	}
	p := &privileges{user: account(row[0])}
	show := "SHOW GRANTS"
	if !c.maria && !strings.EqualFold(row[1], "NONE") {
		show += " FOR CURRENT_USER() USING " + row[1]
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
		if g, ok := parseGrant(r[0]); ok {
			p.granted = append(p.granted, g)
		}
	}
	return p, nil
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
func (p *privileges) has(privilege, database string) bool {
	if p.opaque {
		return true
	}
	has := false
	for _, g := range p.granted {
		if !slices.Contains(g.names, privilege) && !slices.Contains(g.names, "ALL PRIVILEGES") && !slices.Contains(g.names, "ALL") {
			continue
		}
		switch {
		case g.pattern == "*" && g.taken:
		case g.pattern == "*":
			has = true
		case database != "" && g.taken && strings.EqualFold(strings.ReplaceAll(g.pattern, `\`, ""), database):
			return false
		case database != "" && !g.taken && like(g.pattern, database):
			has = true
		}
	}
	return has
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

// missing lists the privileges that a new generation of a database needs and the
// user lacks, each a sentence with the statement that grants it.
func (p *privileges) missing(database string, triggers bool) []string {
	var out []string
	side := beside(database, "next", "x")
	needed := []string{"SELECT", "INSERT", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "LOCK TABLES"}
	if triggers {
		needed = append(needed, "TRIGGER")
	}
	for _, privilege := range needed {
		if !p.has(privilege, database) {
			out = append(out, fmt.Sprintf("the user %s lacks %s in the target: GRANT %s ON %s.* TO %s", p.user, privilege, privilege, quote(pattern(database)), p.user))
		}
		if privilege != "TRIGGER" && !p.has(privilege, side) {
			say := fmt.Sprintf("the user %s lacks %s in the databases that are built beside the target: GRANT %s ON %s.* TO %s", p.user, privilege, privilege, quote(pattern(database+"_")+"%"), p.user)
			if privilege == "CREATE" {
				say += ", or write `load: {mode: replace}`, which makes none"
			}
			out = append(out, say)
		}
	}
	return out
}

// mayDefine tells whether the user may make objects that belong to others.
func (p *privileges) mayDefine() bool {
	return slices.ContainsFunc([]string{"SUPER", "SET USER", "SET_USER_ID", "SET_ANY_DEFINER"}, func(name string) bool { return p.has(name, "") })
}
