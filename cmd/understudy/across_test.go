package main

import (
	"strings"
	"testing"

	"understudy/internal/scratch/scratchtest"
)

// TestPlanFindsTheRareRowThatACheckRefuses: a check over a masked column and another
// refuses the fake of one row in thousands. The plan says so, not the load.
func TestPlanFindsTheRareRowThatACheckRefuses(t *testing.T) {
	t.Parallel()
	prod, staging := scratchtest.Database(t), scratchtest.Database(t)
	scratchtest.SQL(t, prod, `CREATE TABLE stays (id int PRIMARY KEY, born date, died date, CHECK (died IS NULL OR died >= born));
		INSERT INTO stays SELECT i, date '1960-01-01' + i % 9000, CASE WHEN i = 4711 THEN date '1999-01-01' END FROM generate_series(1, 9000) i`)
	e := newErrand(t, prod, staging, plainJob(), map[string]string{"rules.yaml": "version: 1\ntables:\n  public.stays:\n    columns:\n      id: {keep: a number}\n      born: {keep: a day}\n      died: {mask: constant, value: 1950-01-01}\n"})
	s := e.run(t, 2, "plan", "--claim")
	if !strings.Contains(s.all(), "stays_check") || !strings.Contains(s.all(), "1 of 9000") {
		t.Errorf("the plan does not name the check, or not the one row: %s", s.all())
	}
}
