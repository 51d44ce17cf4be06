package postgres

import (
	"errors"
	"strings"
	"testing"

	"understudy/internal/engine"
	"understudy/internal/scratch/scratchtest"
)

// guarded is a structure of which a role may read little.
const guarded = `
	CREATE SCHEMA "Shut"; CREATE SCHEMA open; CREATE TABLE "Shut".a (id int PRIMARY KEY); CREATE TABLE "Shut".b (id int PRIMARY KEY);
	CREATE TABLE open.c (id int PRIMARY KEY); CREATE TABLE open.d (id int PRIMARY KEY, "Of" int REFERENCES open.c); CREATE TABLE open.free (id int);
	CREATE TABLE open.parts (id int) PARTITION BY LIST (id); CREATE TABLE open.parts_1 PARTITION OF open.parts FOR VALUES IN (1);`

// grantedBy follows an error's hint to the letter, as a superuser.
func grantedBy(t *testing.T, super string, err error, wants ...string) {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || e.Code != engine.Denied {
		t.Fatalf("refused with %v", err)
	}
	for _, want := range wants {
		if !strings.Contains(e.Error()+"\n"+e.Hint, want) {
			t.Errorf("no word of %q in\n%v\n%s", want, e, e.Hint)
		}
	}
	scratchtest.SQL(t, super, e.Hint)
}

// All that a role may not read of a source is told at once, and what is told
// mends it.
func TestMissingPrivilegesOfASource(t *testing.T) {
	super := scratchtest.Database(t)
	scratchtest.SQL(t, super, guarded)
	poor := scratchtest.Role(t, super, `GRANT USAGE ON SCHEMA open TO %s`, `GRANT SELECT ON open.free, "Shut".a TO %s`)
	s := sourceAt(t, poor, engine.Limits{})
	structure, err := s.Inspect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Snapshot(t.Context(), structure)
	grantedBy(t, super, err, `GRANT USAGE ON SCHEMA "Shut" TO `, `GRANT SELECT ON "Shut".b, open.c, open.d, open.parts TO `)
	snap, err := s.Snapshot(t.Context(), structure)
	if err != nil {
		t.Fatalf("after the grants: %v", err)
	}
	snap.Close()
}

// What pg_dump may not lock is told in the same way, partitions included, of which a
// role that reads them by their root needs none otherwise.
func TestMissingPrivilegesOfADump(t *testing.T) {
	staging, role := owned(t)
	super := scratchtest.Database(t)
	super = strings.Replace(super, databaseOf(t, super), databaseOf(t, staging), 1)
	scratchtest.SQL(t, super, guarded+`GRANT USAGE ON SCHEMA open TO `+quote(role)+`; GRANT SELECT ON open.free, open.parts TO `+quote(role))
	begin := func() error {
		load, err := openTarget(t, staging).Begin(t.Context(), quietSpec("r1"))
		if err == nil {
			err = load.Abort(t.Context())
		}
		return err
	}
	grantedBy(t, super, begin(), `GRANT USAGE ON SCHEMA "Shut" TO `, `GRANT SELECT ON "Shut".a, "Shut".b, open.c, open.d, open.parts_1 TO `)
	if err := begin(); err != nil {
		t.Errorf("after the grants: %v", err)
	}
}

// A target's state tells all that its role may not read, sequences too.
func TestMissingPrivilegesOfATarget(t *testing.T) {
	staging, role := owned(t)
	super := scratchtest.Database(t)
	super = strings.Replace(super, databaseOf(t, super), databaseOf(t, staging), 1)
	scratchtest.SQL(t, super, guarded+`CREATE SEQUENCE "Shut".numbers; CREATE SEQUENCE open.more; GRANT USAGE ON SCHEMA open TO `+quote(role))
	state, err := openTarget(t, staging).State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range state.Obstacles {
		if _, grants, ok := strings.Cut(o, "are carried over: "); ok {
			scratchtest.SQL(t, super, grants)
		}
	}
	if state, err = openTarget(t, staging).State(t.Context()); err != nil || strings.Contains(strings.Join(state.Obstacles, "\n"), "may not") {
		t.Errorf("after the grants: %v, %v", state.Obstacles, err)
	}
}
