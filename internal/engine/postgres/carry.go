package postgres

import (
	"context"
	"strings"

	"understudy/internal/engine"
)

// What belongs to a database and is in no dump of it: its settings, those of
// roles in it, who may connect, how many, its comment.

// carrySettings gives the new database the settings of the present one. Those
// of roles need rights over the role; what is refused goes into the report.
func (l *load) carrySettings(ctx context.Context) error {
	rows, err := l.guard.query(ctx, "read the database's settings", `
		SELECT r.rolname, split_part(c.setting, '=', 1), substr(c.setting, strpos(c.setting, '=') + 1)
		FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) WITH ORDINALITY AS c (setting, i)
		WHERE s.setdatabase = $1 AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY 1 NULLS FIRST, c.i`, l.facts.database.oid)
	if err != nil || len(rows) == 0 {
		return err
	}
	// A session of its own: settings are set in it to be copied from it.
	c, err := l.t.maintenance(ctx, l.spec.RunID+" settings")
	if err != nil {
		return err
	}
	defer c.hangUp()
	for _, r := range rows {
		of := "DATABASE " + quote(l.next)
		if r[0] != nil {
			of = "ROLE " + quote(string(r[0])) + " IN " + of
		}
		if err := carrySetting(ctx, c, of, string(r[1]), string(r[2])); err != nil {
			if engine.CodeOf(err) != engine.Denied && engine.CodeOf(err) != engine.Failed && engine.CodeOf(err) != engine.Constraint {
				return err
			}
			l.spec.Miss("the setting " + string(r[1]) + " of the " + settingOf(r[0]) + " was not carried over: " + err.Error())
		}
	}
	return nil
}

// settingOf names whose a setting is.
func settingOf(role []byte) string {
	if role == nil {
		return "database"
	}
	return "role " + quote(string(role)) + " in the database"
}

// carrySetting sets one setting. A list of names is set in the session first
// and copied from there: written as one string it would become one name.
func carrySetting(ctx context.Context, c *conn, of, name, value string) error {
	doing := "carry the setting " + name
	if !isQuotedSetting(name) {
		return c.exec(ctx, doing, "ALTER "+of+" SET "+settingName(name)+" TO "+literal(value))
	}
	if _, err := c.value(ctx, doing, `SELECT pg_catalog.set_config($1, $2, false)`, name, value); err != nil {
		return err
	}
	err := c.exec(ctx, doing, "ALTER "+of+" SET "+settingName(name)+" FROM CURRENT")
	if resetErr := c.exec(ctx, doing, "RESET "+settingName(name)); err == nil {
		err = resetErr
	}
	return err
}

// settingName quotes a setting's name, part by part: extensions' have a dot.
func settingName(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = quote(p)
	}
	return strings.Join(parts, ".")
}

// grants writes the statements that give one database the privileges another
// has. Before them nobody but its owner has any.
func grants(ctx context.Context, c *conn, from uint32, to string) ([]string, error) {
	rows, err := c.query(ctx, "read the privileges of the database", `
		SELECT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable, a.grantee = d.datdba, pg_catalog.pg_get_userbyid(d.datdba)
		FROM pg_catalog.pg_database d, pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) WITH ORDINALITY AS a (grantor, grantee, privilege_type, is_grantable, i)
		WHERE d.oid = $1 AND (a.grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.grantee))
		ORDER BY a.i`, from)
	if err != nil {
		return nil, err
	}
	on := " ON DATABASE " + quote(to)
	out := []string{"REVOKE ALL" + on + " FROM PUBLIC"}
	for i, r := range rows {
		if i == 0 { // in the end the owner has what it had, no more
			out = append(out, "REVOKE ALL"+on+" FROM "+quote(string(r[4])))
		}
		grantee := "PUBLIC"
		if r[0] != nil {
			grantee = quote(string(r[0]))
		}
		grant := "GRANT " + string(r[1]) + on + " TO " + grantee
		if isTrue(r[2]) && !isTrue(r[3]) && r[0] != nil {
			grant += " WITH GRANT OPTION"
		}
		out = append(out, grant)
	}
	return out, nil
}
