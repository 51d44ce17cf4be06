package main

import (
	"path/filepath"
	"testing"
)

// What the numbers of a column of times count is told by all of production's
// rows. Those that come along might tell something else by themselves: verify
// reads them as the refresh did.
func TestVerifyReadsNumbersAsTheRefreshDid(t *testing.T) {
	t.Parallel()
	source, target := filepath.Join(t.TempDir(), "from.db"), filepath.Join(t.TempDir(), "to.db")
	db := openFile(t, source)
	fillFile(t, db, `CREATE TABLE visits (id INTEGER PRIMARY KEY, at DATETIME, day DATE)`,
		`INSERT INTO visits VALUES (1, 86400000, 2440600.5), (2, 90061001, 2440701), (3, 1700000000000, 2440901.25)`) // milliseconds and Julian days
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := newErrand(t, "sqlite:"+source, "sqlite:"+target, plainJob("subset: {seeds: [{table: visits, where: \"id = 2\"}]}"),
		map[string]string{"r.yaml": "version: 1\ntables:\n  visits:\n    columns:\n      id: {keep: \"a number of ours\"}\n      \"at, day\": {mask: date_shift, within: 30d}\n"})
	e.run(t, 0, "refresh")
	if got := liteQuery(t, target, "SELECT count(*) FROM visits WHERE at % 86400000 = 3661001 AND abs(at - 90061001) <= 30 * 86400000 AND typeof(day) = 'integer' AND abs(day - 2440701) <= 30"); got != "1" {
		t.Errorf("%s rows as they should be", got)
	}
	e.run(t, 0, "verify").wants(t, "all passed")
	db = openFile(t, target)
	fillFile(t, db, "UPDATE visits SET at = at + 86400000")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e.run(t, 5, "verify").wants(t, "masked values changed")
}
