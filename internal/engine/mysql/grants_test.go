package mysql

import "testing"

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
