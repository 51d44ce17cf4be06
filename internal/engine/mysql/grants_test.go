package mysql

import (
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
	"understudy/internal/secret"
)

// Of several grants on a database the most specific counts alone. MariaDB takes the one
// that bears the database's very name, though LIKE would see wildcards in it.
func TestTheMostSpecificGrantCounts(t *testing.T) {
	wide, narrow := grant{names: []string{"SELECT"}, pattern: `ow\_stg\_%`, who: "u"}, grant{names: []string{"EVENT"}, pattern: "ow_stg_b", who: "u"}
	maria, mysql := privileges{granted: []grant{wide, narrow}, verbatim: true}, privileges{granted: []grant{wide, narrow}}
	if maria.has("SELECT", "ow_stg_b") || !maria.has("EVENT", "ow_stg_b") || !maria.has("SELECT", "ow_stg_c") {
		t.Error("MariaDB's user is told what the server does not grant")
	}
	if !mysql.has("SELECT", "ow_stg_b") || mysql.has("EVENT", "ow_stg_b") {
		t.Error("MySQL's user is told what the server does not grant")
	}
}

// TestRoutinesBySelect: who may read everything on MariaDB sees routines as well.
func TestRoutinesBySelect(t *testing.T) {
	server := scratchtest.MariaDB(t)
	url := freshDatabase(t, server)
	db := application(t, url)
	must(t, db, "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1", "CREATE TABLE gone (a int)", "CREATE VIEW broken AS SELECT a FROM gone", "DROP TABLE gone")
	at, err := parseAddress(secret.New(user(t, db, url, "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO %s")))
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect(t.Context(), at, session{name: "look"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.hangUp()
	may, err := readPrivileges(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if blind := may.blindTo(databaseOf(url)); len(blind) > 0 {
		t.Errorf("blind to %v", blind)
	}
	d, b := databasePlan{from: databaseOf(url)}, blueprint{}
	if err := b.addForeign(t.Context(), c, &d, func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(append(b.hidden, b.blind...), "; "); len(d.after) != 1 || !strings.Contains(said, "the view broken of the source does not work there") || strings.Contains(said, "GRANT") {
		t.Errorf("%d objects; %s", len(d.after), said)
	}
}
